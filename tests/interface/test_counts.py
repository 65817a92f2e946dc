"""Counts agree with their nouns."""

from stepwell.errors import counted


def test_counts_agree_with_their_noun():
    assert [counted(0, "run"), counted(1, "run"), counted(1200, "run")] == ["0 runs", "1 run", "1,200 runs"]
    assert [counted(n, "row is", "rows are") for n in (1, 2)] == ["1 row is", "2 rows are"]
