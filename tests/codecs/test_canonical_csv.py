"""CSV files as tables: which grammar a column follows, and what makes no difference."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from stepwell.codecs.content import text
from stepwell.codecs.content.digest import digest_of, digest_of_file

NOON = dt.datetime(2026, 1, 1, 12)


def cells(path: Path, *lines: str) -> str | None:
    """The digest of a CSV file of one column `a`."""
    path.write_text("\n".join(("a", *lines)) + "\n", newline="")
    return digest_of_file(path)


COLUMNS: dict[str, tuple[tuple[str, ...], Any]] = {
    "truth": (("true", "False", '""', "TRUE"), [True, False, None, True]),
    "whole": (("1", "-20", '""'), [1, -20, None]),
    "largest": (("9223372036854775807", "-9223372036854775808"), [2**63 - 1, -(2**63)]),
    "unsigned": (("9223372036854775808", "1"), pa.array([2**63, 1], pa.uint64())),
    "too large": (("18446744073709551616",), ["18446744073709551616"]),
    "unsigned with a sign": (("9223372036854775808", "-1"), ["9223372036854775808", "-1"]),
    "whole beyond what floats hold": (("1234567890123456", "0.5"), ["1234567890123456", "0.5"]),
    "whole within what floats hold": (("123456789012345", "0.5"), [123456789012345.0, 0.5]),
    "zero with a sign": (("-0", "1.50"), [0.0, 1.5]),
    "floats": (("1", "2.5", "1e-07", "1E+3"), [1.0, 2.5, 1e-7, 1000.0]),
    "not finite": (("inf", "-Inf", "NaN", "0.5"), [float("inf"), float("-inf"), None, 0.5]),
    "out of range": (("1e400", "1e-400"), [float("inf"), 0.0]),
    "leading zeros": (("007", "8"), ["007", "8"]),
    "plus": (("+1",), ["+1"]),
    "half a float": ((".5", "5."), [".5", "5."]),
    "spaces": ((" 1", "2"), [" 1", "2"]),
    "separated": (('"1,000"',), ["1,000"]),
    "words": (("NA", "1"), ["NA", "1"]),
    "null": (("null", "None"), ["null", "None"]),
    "days": (("2026-01-01", '""'), [dt.date(2026, 1, 1), None]),
    "no day": (("2026-02-30",), ["2026-02-30"]),
    "day of another": (("01/02/2026",), ["01/02/2026"]),
    "moments": (("2026-01-01T12:00:00", "2026-01-01 12:00:00.000"), [NOON, NOON]),
    "far moments": (("9999-12-31 00:00:00.5", "0001-01-01 00:00:00"), [dt.datetime(9999, 12, 31, 0, 0, 0, 500_000), dt.datetime(1, 1, 1)]),
    "far and fine": (
        ("9999-12-31 00:00:00", "2026-01-01 00:00:00.123456789"),
        ["9999-12-31 00:00:00", "2026-01-01 00:00:00.123456789"],
    ),
    "no moment": (("2026-01-01 24:00:00",), ["2026-01-01 24:00:00"]),
    "day and moment": (("2026-01-01", "2026-01-01 12:00:00"), ["2026-01-01", "2026-01-01 12:00:00"]),
    "instants": (
        ("2026-01-01 12:00:00Z", "2026-01-01 14:00:00+02", "2026-01-01T14:00:00+0200", "2026-01-01T11:30:00-00:30"),
        [NOON.replace(tzinfo=dt.UTC)] * 4,
    ),
    "zone and none": (("2026-01-01 12:00:00Z", "2026-01-01 12:00:00"), ["2026-01-01 12:00:00Z", "2026-01-01 12:00:00"]),
    "nothing": (('""', '""'), [None, None]),
    "quotes": (('"a ""b"""', '"x\ny"', "z"), ['a "b"', "x\ny", "z"]),
    "line breaks around a number": (('"1\n"', "2"), ["1\n", "2"]),
}  # fmt: skip


@pytest.mark.parametrize("what", COLUMNS)
def test_the_grammar_of_a_column(what: str, tmp_path: Path):
    lines, values = COLUMNS[what]
    assert cells(tmp_path / "a.csv", *lines) == digest_of(pa.table({"a": values})) is not None


def test_how_it_is_written_does_not_count(tmp_path: Path):
    expected = digest_of(pa.table({"a": [1, 2], "b": ["x", None]}))
    for content in (
        b"a,b\n1,x\n2,\n",
        b"a,b\r\n1,x\r\n2,\r\n",
        b"\xef\xbb\xbfa,b\n1,x\n2,\n",
        b'"a","b"\n"1","x"\n"2",""',
        b"a,b\n\n1,x\n\n2,\n",
    ):
        (tmp_path / "a.csv").write_bytes(content)
        assert digest_of_file(tmp_path / "a.csv") == expected, content
    (tmp_path / "a.TSV").write_bytes(b"a\tb\n1\tx\n2\t\n")
    assert digest_of_file(tmp_path / "a.TSV") == expected


def test_names_may_come_twice_and_rows_may_be_none(tmp_path: Path):
    (tmp_path / "a.csv").write_text("a,a\n1,x\n")
    twice = pa.Table.from_arrays([pa.array([1]), pa.array(["x"])], names=["a", "a"])
    assert digest_of_file(tmp_path / "a.csv") == digest_of(twice)
    (tmp_path / "a.csv").write_text("a,b\n")
    assert digest_of_file(tmp_path / "a.csv") == digest_of(pa.table({"a": [], "b": []}))


def test_the_last_cell_of_a_long_file_decides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(text, "BLOCK", 1 << 12)
    numbers = [str(i) for i in range(5000)]
    assert cells(tmp_path / "a.csv", *numbers) == digest_of(pa.table({"a": range(5000)}))
    assert cells(tmp_path / "a.csv", *numbers, "x") == digest_of(pa.table({"a": [*numbers, "x"]}))
    halves = [*map(float, range(5000)), 0.5]
    assert cells(tmp_path / "a.csv", *numbers, "0.5") == digest_of(pa.table({"a": halves}))
