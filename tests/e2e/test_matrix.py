"""Edits of code, one at a time: the cached run gives what a run from nothing gives, and nothing runs without need.

The static edits of the matrix in `docs/internals/identity.md`: eight that must not run the step again,
eight that must. Values are compared, not only decisions.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

PIPELINE = '''\
import functools

import rules
from stepwell import pipeline, step

OFFSET = 5


def near(x):
    """Same-file function."""
    return x + 1


def far_away(x):
    return x - 100


def adder(n):
    def add(x):
        return x + n

    return add


plus = adder(10)


def logged(function):
    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        return function(*args, **kwargs) * 1

    return wrapper


@logged
def decorated(x):
    return x * 2


@step
def work(x: int, k: int = 3) -> int:
    """What the step does."""
    return decorated(plus(rules.scale(near(x)))) + OFFSET * k


@pipeline
def main(x: int = 4) -> int:
    return work(x)
'''
RULES = "def scale(x):\n    return x * 7\n"

KEEP = {
    "nothing": [],
    "a comment": [("pipeline.py", "    return x + 1", "    # one more\n    return x + 1  # here")],
    "a blank line": [("pipeline.py", "    return x + 1", "\n\n    return x + 1")],
    "a docstring": [("pipeline.py", '"""Same-file function."""', '"""Another text."""')],
    "the step's docstring": [("pipeline.py", '    """What the step does."""\n', "")],
    "the layout": [("pipeline.py", "return decorated(plus(rules.scale(near(x)))) + OFFSET * k",
                    "return (\n        decorated(plus(rules.scale(near( x ))))\n        + OFFSET*k\n    )")],
    "the order": [("pipeline.py", "OFFSET = 5\n\n\n", ""), ("pipeline.py", "@pipeline\n", "OFFSET = 5\n\n\n@pipeline\n")],
    "another function": [("pipeline.py", "x - 100", "x - 200")],
    "a helper's annotation": [("pipeline.py", "def near(x):", "def near(x: int) -> int:")],
}  # fmt: skip
CHANGE = {
    "the body": [("pipeline.py", "OFFSET * k", "OFFSET * k + 1")],
    "a default": [("pipeline.py", "k: int = 3", "k: int = 4")],
    "a same-file function": [("pipeline.py", "return x + 1", "return x + 2")],
    "an imported function": [("rules.py", "x * 7", "x * 8")],
    "a module constant": [("pipeline.py", "OFFSET = 5", "OFFSET = 6")],
    "a closure's cell": [("pipeline.py", "plus = adder(10)", "plus = adder(11)")],
    "a wrapping decorator": [("pipeline.py", "**kwargs) * 1", "**kwargs) * 3")],
    "the body under a decorator": [("pipeline.py", "return x * 2", "return x * 5")],
}
EXPLAINED = {
    "the body": "pipeline.work",
    "a default": "pipeline.work",
    "a same-file function": "pipeline.near",
    "an imported function": "rules.scale",
    "a module constant": "pipeline.OFFSET",
    "a closure's cell": "pipeline.plus",
    "a wrapping decorator": "pipeline.logged",
    "the body under a decorator": "pipeline.decorated",
}


def run(project: Path, store: Path, *words: str) -> dict[str, Any]:
    """`stepwell run --json` on a store of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "stepwell.cli.main", "run", "--json", "-j", "1", *words],
        cwd=project, capture_output=True, text=True, timeout=60, env={**os.environ, "STEPWELL_STORE": str(store)},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


def apply(project: Path, edits: list[tuple[str, str, str]]) -> None:
    """Edit files, keeping their time stamps: only their bytes tell that they changed."""
    for name, old, new in edits:
        file = project / name
        before = file.stat()
        text = file.read_text()
        assert old in text
        file.write_text(text.replace(old, new))
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.fixture(scope="module")
def first(tmp_path_factory) -> tuple[Path, dict[str, Any]]:
    """A store that has the result of the project before any edit."""
    folder = tmp_path_factory.mktemp("first")
    write(folder)
    return folder / "store", run(folder, folder / "store")


def copied(first: tuple[Path, dict[str, Any]], folder: Path) -> tuple[Path, dict[str, Any]]:
    """The store before any edit, for one test alone."""
    shutil.copytree(first[0], folder / "store")
    return folder / "store", first[1]


def write(folder: Path) -> None:
    (folder / "pipeline.py").write_text(PIPELINE)
    (folder / "rules.py").write_text(RULES)


@pytest.mark.parametrize("edit", [*KEEP, *CHANGE])
def test_the_cached_run_gives_what_a_run_from_nothing_gives(edit, tmp_path, first):
    store, before = copied(first, tmp_path)
    write(tmp_path)
    apply(tmp_path, {**KEEP, **CHANGE}[edit])
    cached = run(tmp_path, store)
    fresh = run(tmp_path, tmp_path / "nothing")
    assert cached["result"] == fresh["result"]
    (step,) = cached["steps"]
    if edit in KEEP:
        assert (step["decision"], cached["result"]) == ("cached", before["result"])
    else:
        assert step["decision"] == "run"
        assert cached["result"] != before["result"]
        assert [(r["kind"], r["name"]) for r in step["reasons"]] == [("code", EXPLAINED[edit])]


def test_an_edit_that_is_undone_runs_nothing(tmp_path, first):
    store, before = copied(first, tmp_path)
    write(tmp_path)
    apply(tmp_path, CHANGE["a same-file function"])
    run(tmp_path, store)
    write(tmp_path)
    again = run(tmp_path, store)
    assert again["counts"] == {"run": 0, "cached": 1}
    assert again["result"] == before["result"]


def test_a_moved_store_keeps_its_results(tmp_path):
    write(tmp_path)
    moved = tmp_path / "elsewhere"
    run(tmp_path, tmp_path / "store")
    (tmp_path / "store").rename(moved)
    assert run(tmp_path, moved)["counts"] == {"run": 0, "cached": 1}


def test_same_size_edits_within_a_second_are_seen_although_byte_code_is_written(tmp_path):
    write(tmp_path)
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment["STEPWELL_STORE"] = str(tmp_path / "store")
    subprocess.run(
        [sys.executable, "-c", "import rules, pipeline"],
        cwd=tmp_path,
        env=environment,
        check=True,
        timeout=60,
    )
    results = []
    for factor in ("7", "8", "9"):
        apply(
            tmp_path,
            [("rules.py", (tmp_path / "rules.py").read_text(), f"def scale(x):\n    return x * {factor}\n")],
        )
        results.append(run(tmp_path, tmp_path / "store")["result"])
    assert results == [(((4 + 1) * f + 10) * 2) + 15 for f in (7, 8, 9)]


def test_of_two_star_imports_the_one_that_wins_counts(tmp_path):
    (tmp_path / "first.py").write_text("def f(x):\n    return 1\n")
    (tmp_path / "second.py").write_text("def f(x):\n    return 2\n")
    (tmp_path / "pipeline.py").write_text(
        "from first import *\nfrom second import *\nfrom stepwell import pipeline, step\n\n\n"
        "@step\ndef a(x: int = 1) -> int:\n    return f(x)\n\n\n@pipeline\ndef main() -> int:\n    return a()\n"
    )
    assert run(tmp_path, tmp_path / "store")["result"] == 2
    apply(tmp_path, [("second.py", "return 2", "return 3")])
    assert run(tmp_path, tmp_path / "store")["result"] == 3


def test_a_lost_result_of_the_pipeline_is_made_again(tmp_path):
    write(tmp_path)
    before = run(tmp_path, tmp_path / "store")
    with contextlib.closing(sqlite3.connect(tmp_path / "store" / "store.db")) as connection:
        connection.execute("UPDATE blobs SET data = CAST('77' AS BLOB)")
        connection.commit()
    for name in ("tmp", "files"):
        (tmp_path / "store" / name).rmdir()
    after = run(tmp_path, tmp_path / "store")
    assert after["result"] == before["result"]
    assert [(step["decision"], step["reasons"][0]["kind"]) for step in after["steps"]] == [("run", "missing")]


def test_a_subclass_of_the_declared_record_is_refused_and_not_rebuilt_as_its_base(tmp_path):
    (tmp_path / "pipeline.py").write_text(
        "from dataclasses import dataclass\nfrom stepwell import pipeline, step\n\n\n"
        "@dataclass\nclass Base:\n    x: int\n\n\nclass Sub(Base):\n    pass\n\n\n"
        "@step\ndef make() -> Base:\n    return Sub(1)\n\n\n@pipeline\ndef main() -> Base:\n    return make()\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "stepwell.cli.main", "run", "--json"],
        cwd=tmp_path, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    (step,) = json.loads(done.stdout)["steps"]
    assert (done.returncode, step["error"]["code"]) == (1, "E405")
