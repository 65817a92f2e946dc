"""What is no run file is refused with the place in it; what differs between two of them is told."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from random import Random

import pytest

from stepwell.app.runfile import read_file
from stepwell.errors import BadRunFile
from stepwell.export.runfile import RunFile, Source, Step, differences, ordered, parsed, text_of

FILE = RunFile(
    "pipeline.py:made", "succeeded", "0123456789abcdef", False, "", {"k": 1.5}, (Source("rows", "a.csv", f"b3:{'0' * 64}", 7),),
    (Step("a", "pipeline:a", "c0de", {"rows": "source rows b3:0"}, {"result": "json b3:1 2"}, kind="shell", role="trainer",
          place="image a:1", options={"retries": 2, "env": ["TZ"]}, after=("step b[10]", "step b[2]")),), {"auc": 0.5}, ("kept",),
    {"pipeline.a": "d1"}, "3.11.7", "linux x86_64", {"numpy": "2.0"}, places={"image a:1": {"container image": "sha256:1"}},
    pylock="sha256:2",
)  # fmt: skip
TEXT = text_of(FILE)


def test_the_text_is_read_back() -> None:
    assert text_of(parsed(TEXT, "f")) == TEXT
    assert text_of(parsed(TEXT.replace("\n", "\r\n"), "f")) == TEXT
    assert differences(FILE, parsed(TEXT, "f")) == []
    assert "    after:\n      - step b[2]\n      - step b[10]\n" in TEXT


def test_a_file_that_was_cut_off_is_no_run_file() -> None:
    whole = TEXT.index("code:\n  ")
    for end in range(0, whole, 7):
        with pytest.raises(BadRunFile):
            parsed(TEXT[:end], "f")


def test_nothing_that_is_written_into_a_file_breaks_what_reads_it() -> None:
    pick, signs = (
        Random(7),
        [*"\t\n :#-\"'|>&*!{}[]%@`,?0a\x00\r\u2028~", "- ", ": ", "&a ", "*a", "!!str ", "---\n"],
    )
    read = 0
    for _ in range(1500):
        at = pick.randrange(len(TEXT))
        with contextlib.suppress(BadRunFile):
            read += (
                text_of(parsed(TEXT[:at] + pick.choice(signs) + TEXT[at + pick.randint(0, 2) :], "f")) != ""
            )
    assert 0 < read < 1500


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("stepwell: 1", "stepwell: 2", "a format that is known"),
        ("stepwell: 1", "stepwell: true", "a format that is known"),
        ("pipeline: pipeline.py:made", "pipeline: made", "`pipeline`"),
        ("pipeline: pipeline.py:made", 'pipeline: "../pipeline.py:made"', "below the project's root"),
        ("pipeline: pipeline.py:made", 'pipeline: "/tmp/pipeline.py:made"', "below the project's root"),
        ("metrics:\n  auc: 0.5\n", "", "does not say `metrics`"),
        ("metrics:", "metrics: &m", "line 30"),
        ("    role: trainer", "    role: *m", "line 16"),
        ("    role: trainer", "    role: !!python/name:os.system x", "line 16"),
        ("    options:", "    options: 1\n    x:", r"`steps\[1\].(options|x)`"),
        ("      - step b[2]", "      - 7", r"`steps\[1\].after`"),
        ("      container image: sha256:1", "      container image: 1", "`environment.places.image a:1.container image`"),
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
        ("  auc: 0.5", "  auc: 0.5\n  auc: 0.6", "line 32: `auc` is there twice"),
    ],
)  # fmt: skip
def test_what_is_not_as_it_should_be_is_named(old: str, new: str, told: str) -> None:
    assert old in TEXT
    with pytest.raises(BadRunFile, match=told):
        parsed(TEXT.replace(old, new), "f")


def test_files_that_are_no_text_or_not_there(tmp_path: Path) -> None:
    with pytest.raises(BadRunFile, match="cannot be read"):
        read_file(tmp_path / "none.yaml")
    os.mkfifo(tmp_path / "pipe.yaml")
    for odd in (tmp_path, tmp_path / "pipe.yaml"):
        with pytest.raises(BadRunFile, match="is no file"):
            read_file(odd)
    path = tmp_path / "odd.yaml"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(BadRunFile, match="UTF-8"):
        read_file(path)
    path.write_text("# " + "x" * (16 << 20))
    with pytest.raises(BadRunFile, match="characters, of at most"):
        read_file(path)
    path.write_text("stepwell: 1\n" + "x: z\n" * 2_000_000)  # 10 MB
    with pytest.raises(BadRunFile, match="line 3: `x` is there twice"):
        read_file(path)
    path.write_text(TEXT, "utf-8-sig")  # as editors of Windows do
    assert text_of(read_file(path)) == TEXT


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
    other = step._replace(options={"retries": 3}, place="", after=())
    assert differences(FILE, FILE._replace(steps=(other,), places={}, pylock="")) == [
        "pylock: sha256:2 in the file, none here",
        "`image a:1`: `container image` is not there here",
        "step `a`: `place`: image a:1 in the file, none here",
        "step `a`: `retries`: 2 in the file, 3 here",
        "step `a`: `env`: ['TZ'] in the file, the default here",
        "step `a`: what it takes differs",
    ]
    same = FILE._replace(metrics={"auc": float("nan")})
    assert differences(same, same._replace(metrics={"auc": float("-nan")})) == []


def test_of_an_interrupted_run_counts_what_it_had_come_to() -> None:
    left = Step("b", "pipeline:b", status="interrupted")
    then = FILE._replace(status="interrupted", steps=(*FILE.steps, left), metrics={}, tags=())
    now = FILE._replace(steps=(*FILE.steps, Step("b", "pipeline:b", "c1", {}, {"result": "json b3:2 1"})))
    assert differences(then, now) == []
    worse = now._replace(steps=(FILE.steps[0]._replace(gives={"result": "json b3:9 2"}), now.steps[1]))
    assert differences(then, worse) == ["step `a`: `result` differs"]


def test_steps_stand_behind_what_they_wait_for_and_else_by_id() -> None:
    ids = ["s[10]", "s[2]", "b", "a"]
    assert [ids[n] for n in ordered(ids, [(), (), (), ()])] == ["a", "b", "s[2]", "s[10]"]
    assert [ids[n] for n in ordered(ids, [(), (0,), (), (1, 2)])] == ["b", "s[10]", "s[2]", "a"]
