"""What is no run file is refused with the place in it; what differs between two of them is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from stepwell.app.runfile import read_file
from stepwell.errors import BadRunFile
from stepwell.export.runfile import RunFile, Source, Step, differences, ordered, parsed, text_of

FILE = RunFile(
    "pipeline.py:made", "succeeded", "0123456789abcdef", False, "", {"k": 1.5}, (Source("rows", "a.csv", f"b3:{'0' * 64}", 7),),
    (Step("a", "pipeline:a", "c0de", {"rows": "source rows b3:0"}, {"result": "json b3:1 2"}),), {"auc": 0.5}, ("kept",),
    {"pipeline.a": "d1"}, "3.11.7", "linux x86_64", {"numpy": "2.0"},
)  # fmt: skip
TEXT = text_of(FILE)


def test_the_text_is_read_back() -> None:
    assert text_of(parsed(TEXT, "f")) == TEXT
    assert differences(FILE, parsed(TEXT, "f")) == []


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("stepwell: 1", "stepwell: 2", "a format that is known"),
        ("stepwell: 1", "stepwell: true", "a format that is known"),
        ("pipeline: pipeline.py:made", "pipeline: made", "`pipeline`"),
        ("commit: \"0123456789abcdef\"", "commit: upload-pack", "`commit`"),
        ("    size: 7", "    size: -7", "`sources.rows.size`"),
        ("    digest: b3:", "    digest: b4:", "`sources.rows.digest`"),
        ("    address: a.csv", "    adress: a.csv", "`sources.rows.adress`"),
        ("  - id: a", "  - id: 1", r"`steps\[1\].id`"),
        ("    takes:", "    tekes:", r"`steps\[1\].tekes`"),
        ("      rows: source rows b3:0", "      rows: 1", r"`steps\[1\].takes.rows`"),
        ("  auc: 0.5", "  auc: high", "`metrics.auc`"),
        ("tags:\n  - kept", "tags: kept", "`tags`"),
        ("metrics:", "metrics: 1\nmore:", "`more`"),
        ("environment:", "environment:\n  host: x", "`environment.host`"),
        ("  auc: 0.5", "  auc: 0.5\n  auc: 0.6", "line 22: `auc` is there twice"),
    ],
)  # fmt: skip
def test_what_is_not_as_it_should_be_is_named(old: str, new: str, told: str) -> None:
    assert old in TEXT
    with pytest.raises(BadRunFile, match=told):
        parsed(TEXT.replace(old, new), "f")


def test_files_that_are_no_text_or_not_there(tmp_path: Path) -> None:
    with pytest.raises(BadRunFile, match="cannot be read"):
        read_file(tmp_path / "none.yaml")
    with pytest.raises(BadRunFile, match="cannot be read"):
        read_file(tmp_path)
    (tmp_path / "odd.yaml").write_bytes(b"\xff\xfe")
    with pytest.raises(BadRunFile, match="UTF-8"):
        read_file(tmp_path / "odd.yaml")


def test_differences_name_causes_first() -> None:
    step = FILE.steps[0]
    now = FILE._replace(
        python="3.12.1",
        packages={"numpy": "2.1", "pandas": "3.0"},
        metrics={"auc": float("nan")},
        steps=(
            step._replace(takes={"rows": "other"}, gives={"result": "json b3:9 2"}),
            Step("b", "pipeline:b"),
        ),
    )
    assert differences(FILE, now) == [
        "python: 3.11.7 in the file, 3.12.1 here",
        "package `numpy`: 2.0 in the file, 2.1 here",
        "package `pandas` is not in the file",
        "step `a`: `result` differs, and so does what it takes",
        "step `b` is not in the file",
        "metric `auc`: 0.5 in the file, nan here",
    ]
    same = FILE._replace(metrics={"auc": float("nan")})
    assert differences(same, same._replace(metrics={"auc": float("-nan")})) == []


def test_steps_stand_behind_what_they_wait_for_and_else_by_id() -> None:
    ids = ["s[10]", "s[2]", "b", "a"]
    assert [ids[n] for n in ordered(ids, [(), (), (), ()])] == ["a", "b", "s[2]", "s[10]"]
    assert [ids[n] for n in ordered(ids, [(), (0,), (), (1, 2)])] == ["b", "s[10]", "s[2]", "a"]
