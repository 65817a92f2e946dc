"""What steps gave: `get` it, `verify` it; and what is repaired where it is gone or damaged."""

from __future__ import annotations

import os
import re
import stat
import subprocess

import pytest
from cli_projects import STEPWELL

pytest.importorskip("matplotlib")
pytest.importorskip("pandas")

pytestmark = pytest.mark.slow

GIVES = """
    from pathlib import Path

    import numpy as np
    import pandas as pd
    from matplotlib.figure import Figure
    from stepwell import pipeline, step

    @step
    def table() -> pd.DataFrame:
        return pd.DataFrame({"name": ["a", "\\x1b[31mb"], "value": [1.5, 2.0]})

    @step
    def words() -> str:
        return "one\\x1b[2Jtwo\\n"

    @step
    def figure() -> Figure:
        drawn = Figure(figsize=(1, 1))
        drawn.add_subplot().plot([1, 2])
        return drawn

    @step
    def report() -> Path:
        path = Path("report.sh")
        path.write_text("#!/bin/sh\\necho hi\\n")
        path.chmod(0o755)
        return path

    @step
    def folder() -> Path:
        path = Path("out")
        (path / "deep").mkdir(parents=True, exist_ok=True)
        (path / "deep" / "a.txt").write_text("a")
        return path

    @step
    def halves() -> tuple[np.ndarray, dict[str, float]]:
        return np.arange(3), {"auc": float("nan"), "\\x9b": 1.0}

    @pipeline
    def gives():
        return table(), words(), figure(), report(), folder(), halves()
"""


def test_get(project):
    project.write(GIVES)
    project("run")
    get = lambda *words, **how: project("get", "last", *words, **how)  # noqa: E731
    out = project.root / "got"
    out.mkdir()

    assert get("words").out == "one\x1b[2Jtwo\n"  # a pipe gets what there is, byte for byte
    assert get("words", "--json").json["value"] == "one\x1b[2Jtwo\n"
    assert get("halves.1").out == '{\n  "auc": "NaN",\n  "\\u009b": 1.0\n}\n'
    assert get("table", "--json").json["value"] is None
    assert "DataFrame" in get("table", "--json").json["note"]
    path = get("report").out.strip()
    assert path.startswith(str(project.root / ".stepwell" / "files"))
    assert get("report", "-o", "-").out == "#!/bin/sh\necho hi\n"
    assert get("folder", "-o", "-", code=2).out == ""

    piped = subprocess.run(
        [STEPWELL, "get", "last", "table"], cwd=project.root, env=project.env, capture_output=True, check=True
    )
    assert piped.stdout.startswith(b"ARROW1")
    assert re.fullmatch(rb"writing Arrow bytes \([\d.]+ k?B\); -o table\.csv converts\n", piped.stderr)
    told = " ".join(project("get", "--help").out.split())
    assert "Into a pipe or after > a table goes as Arrow" in told
    assert "stepwell get last clean -o clean.csv a table as CSV; clean.parquet as Parquet" in told
    get("table", "-o", "got/t.csv")
    assert (out / "t.csv").read_text() == "name,value\na,1.5\n\x1b[31mb,2.0\n"
    get("table", "-o", "got/t.arrow")
    assert (out / "t.arrow").read_bytes().startswith(b"ARROW1")
    get("table", "-o", "got/t.parquet")
    assert (out / "t.parquet").read_bytes().startswith(b"PAR1")
    told = get("figure", "-o", "got/f.png")
    assert (out / "f.png").read_bytes().startswith(b"\x89PNG")
    assert (told.out, told.err.split()[0]) == ("", "got/f.png")
    get("halves.0", "-o", "got/a.npy")
    assert (out / "a.npy").read_bytes().startswith(b"\x93NUMPY")
    get("report", "-o", "got")
    assert (out / "report.sh").stat().st_mode & 0o777 == 0o755
    get("folder", "-o", "got/copy")
    assert (out / "copy" / "deep" / "a.txt").read_text() == "a"
    assert os.access(out / "copy" / "deep" / "a.txt", os.W_OK)

    assert get("words", "-o", "got/t.csv", "--json", code=2).json["error"]["code"] == "E110"
    os.link(out / "t.csv", out / "other")
    get("words", "-o", "got/t.csv", "-f")
    assert (out / "t.csv").read_text() == "one\x1b[2Jtwo\n"
    assert (out / "other").read_text().startswith("name")  # replaced as a whole, not written into
    get("folder", "-f", "-o", "got/copy")
    assert get("words", "-o", "nowhere/w.txt", "--json", code=3).json["error"]["code"] == "E503"
    assert sorted(path.name for path in out.iterdir() if path.name.startswith(".")) == []


@pytest.mark.parametrize(
    ("place", "what"),
    [
        ("/", "root of the file system"),
        ("//../", "root of the file system"),
        ("", "names no file"),
        (" ", "names no file"),
        ("nowhere/", "no folder"),
        (".stepwell", "in the store"),
        (".stepwell/blobs/x", "in the store"),
        ("x" * 300, "cannot write"),
        ("nowhere/total.json", "cannot write"),
        ("pipeline.py/total.json", "cannot write"),
    ],
)
def test_places_that_nothing_is_written_to(hello, place, what):
    hello("run")
    before = sorted(hello.root.rglob("*"))
    error = hello.refused("get", "r1", "total", "-o", place, code=3 if what == "cannot write" else 2)
    assert what in error["what"]
    assert error["fixes"]
    assert sorted(hello.root.rglob("*")) == before


def test_a_device_is_written_to_and_never_replaced(hello):
    """`-o /dev/null` as root must not make it a file; here a node of our own stands for it, and then the real one."""
    hello("run")
    if os.geteuid() == 0:
        node = hello.root / "null"
        os.mknod(node, stat.S_IFCHR | 0o666, os.makedev(1, 3))
        for words in (["-o", "null"], ["-f", "-o", "null"]):
            hello("get", "last", "total", *words)
            assert stat.S_ISCHR(node.stat().st_mode)
    pipe = hello.root / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    hello("get", "last", "total", "-o", "pipe")
    assert os.read(reader, 100) == b"285\n"
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    os.close(reader)
    link = hello.root / "link"
    link.symlink_to("aim")
    hello("get", "last", "total", "-o", "link")
    assert link.is_symlink()
    assert (hello.root / "aim").read_text() == "285\n"


LARGE = """
    from stepwell import pipeline, step

    @step
    def large(n: int) -> bytes:
        return bytes(range(256)) * 1024 * n

    @step
    def size(data: bytes) -> int:
        return len(data)

    @pipeline
    def sizes(n: int = 1):
        return size(large(n))
"""


@pytest.fixture
def large(project):
    project.write(LARGE)
    project("run")
    (blob,) = (path for path in (project.root / ".stepwell" / "blobs").rglob("*") if path.is_file())
    return project, blob


def damage(blob, how):
    if how == "deleted":
        blob.unlink()
    else:
        blob.chmod(0o644)
        with blob.open("r+b") as file:
            file.seek(1000)
            file.write(b"?")


@pytest.mark.parametrize(("how", "kind"), [("deleted", "missing"), ("flipped", "damaged")])
def test_verify_and_repair(large, how, kind):
    project, blob = large
    assert project("verify").out == "the store is sound\n"
    damage(blob, how)
    found = project("verify", "--json", code=6).json
    assert found["sound"] is False
    (finding,) = found["findings"]
    assert (finding["kind"], finding["steps"]) == (kind, ["pipeline:large"])
    assert finding["what"] == f"blob b3:{blob.parent.name}{blob.name}"
    gone = project("get", "last", "large", "-o", "large", "--json", code=4).json["error"]
    assert gone["code"] == "E506"
    assert gone["fixes"]

    plan = project("plan", "--json")
    assert plan.decisions["large"] == "run"
    assert plan.steps["large"]["reasons"][0]["kind"] == "missing"
    run = project("run", "--json")
    assert (run.decisions["large"], run.json["result"]) == ("run", 262144)
    assert run.steps["large"]["reasons"][0]["kind"] == "missing"
    assert run.decisions["size"] == "cached"
    assert project("verify").out == "the store is sound\n"
    assert "2 cached" in project("plan").out


@pytest.mark.parametrize("how", ["deleted", "flipped"])
def test_a_run_repairs_what_it_needs(large, how):
    """Without `verify` before: the damage is found when a step wants the blob, and said."""
    project, blob = large
    damage(blob, how)
    project.edit("return len(data)", "return len(data) + 1")
    run = project("run", "--json")
    assert run.json["result"] == 262145
    assert run.decisions == {"large": "run", "size": "run"}
    assert run.steps["large"]["reasons"][0]["kind"] == "missing"
    damage(blob, how)
    project.edit("return len(data) + 1", "return len(data) + 2")
    text = project("run").out
    assert re.search(r"✓ large .*\n      note: blob b3:\w+… is (gone|damaged).*, so it ran again", text), text
    assert project("verify").out == "the store is sound\n"


def test_get_executes_nothing(project):
    """Nothing is imported and nothing unpickled, whatever the artifact names."""
    project.write("""
        from dataclasses import dataclass
        from pathlib import Path
        from stepwell import pipeline, step

        with open("imported", "a") as file:
            file.write("x")

        @dataclass
        class Point:
            x: int

        class Odd:
            def __reduce__(self):
                return (Path.touch, (Path("unpickled"),))

        @step
        def points() -> list[Point]:
            return [Point(1)]

        @step(codec="pickle")
        def odd():
            return Odd()

        @pipeline
        def both():
            return points(), odd()
    """)
    project("run")
    before = (project.root / "imported").read_text()
    for words in (
        ["points"],
        ["points", "--json"],
        ["points", "-o", "p.json"],
        ["odd", "--json"],
        ["odd", "-o", "o"],
    ):
        project("get", "last", *words)
    for words in (["show"], ["show", "--json"], ["runs"], ["why", "points", "r1"], ["logs"], ["verify"]):
        project(*words)
    assert (project.root / "imported").read_text() == before
    assert not (project.root / "unpickled").exists()
    assert (project.root / "p.json").read_text() == '[\n  {\n    "x": 1\n  }\n]\n'
