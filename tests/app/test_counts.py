"""Counts agree with their nouns."""

from stepwell.app.counts import many


def test_counts_agree_with_their_noun():
    assert [many(0, "run"), many(1, "run"), many(1200, "run")] == ["0 runs", "1 run", "1,200 runs"]
    assert [many(n, "row is", "rows are") for n in (1, 2)] == ["1 row is", "2 rows are"]
