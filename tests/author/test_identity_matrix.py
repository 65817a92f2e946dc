"""The static edits of the invalidation matrix: which must change a step's fingerprint, and which must not.

One step uses a same-file helper, an imported helper, a global, a closure's product and a wrapping
decorator. Each edit is applied to a copy of the project; the fingerprint of both is taken.
"""

from __future__ import annotations

import asyncio
import importlib
import inspect
import os
import sys
from pathlib import Path

import pytest
from code_cases import CASES, Case

from stepwell.author.fingerprint import Fingerprint, Project

PIPELINE = '''\
"""The pipeline."""
import functools

from stepwell import pipeline, step

from helpers import fit

OFFSET = 10


def add(x):
    """Same-file helper."""
    return x + 1


def make(n):
    def scaled(x):
        return x * n

    return scaled


scale = make(3)


def loud(function):
    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        return function(*args, **kwargs) * 1

    return wrapper


def unrelated(x):
    return x - 1


@step(cpus=1)
@loud
def train(x: int, k: int = 3) -> int:
    """Train."""
    total = add(x) + fit(x)  # a comment
    return scale(total) * k + OFFSET


@step
def other(x: int) -> int:
    return unrelated(x)


@pipeline
def main(x: int = 1) -> int:
    return other(train(x))


if __name__ == "__main__":
    main.run()
'''
HELPERS = '''\
"""Helpers."""


def fit(rows):
    """Fit."""
    return rows * 2


def unused(rows):
    return rows
'''

SAME = {
    "none": [],
    "comment": [("pipeline.py", "# a comment", "# another comment, and a longer one")],
    "comment above": [("pipeline.py", "def add(x):", "# why\ndef add(x):")],
    "blank line": [("pipeline.py", "    total = add", "\n\n    total = add")],
    "docstring": [("pipeline.py", '"""Train."""', '"""Train well."""')],
    "docstring gone": [("pipeline.py", '    """Train."""\n', "")],
    "helper's docstring": [("pipeline.py", '"""Same-file helper."""', '"""Adds."""')],
    "imported helper's docstring": [("helpers.py", '    """Fit."""\n', "")],
    "module's docstring": [("pipeline.py", '"""The pipeline."""', '"""A pipeline."""')],
    "reformat": [
        (
            "pipeline.py",
            "    total = add(x) + fit(x)",
            "    total = (\n        add( x )\n        + fit(x,)\n    )",
        )
    ],
    "quotes": [("pipeline.py", 'if __name__ == "__main__":', "if __name__ == '__main__':")],
    "moved": [("pipeline.py", "OFFSET = 10\n", "\n" * 20 + "OFFSET = 10\n")],
    "reordered": [
        ("pipeline.py", "OFFSET = 10\n", ""),
        ("pipeline.py", "def unrelated(x):", "OFFSET = 10\n\n\ndef unrelated(x):"),
    ],
    "other function": [("pipeline.py", "return x - 1", "return x - 2")],
    "other function added": [
        ("pipeline.py", "def unrelated(x):", "def more(x):\n    return x\n\n\ndef unrelated(x):")
    ],
    "unused imported function": [("helpers.py", "    return rows\n", "    return rows + 1\n")],
    "other step": [("pipeline.py", "return unrelated(x)", "return unrelated(x) + 1")],
    "pipeline body": [("pipeline.py", "return other(train(x))", "return train(other(x))")],
    "main guard": [("pipeline.py", "    main.run()", '    print("hello")\n    main.run(x=3)')],
    "local annotation": [("pipeline.py", "    total = add", "    total: int = add")],
    "helper's annotation": [("pipeline.py", "def add(x):", "def add(x: int) -> int:")],
    "option of the step": [("pipeline.py", "@step(cpus=1)", '@step(cpus=2, memory="1GB")')],
    "unused import": [("pipeline.py", "import functools\n", "import functools\nimport json\n")],
    "import split": [("pipeline.py", "from helpers import fit", "from helpers import fit, unused")],
}

CHANGED = {
    "body": [("pipeline.py", "* k + OFFSET", "* k - OFFSET")],
    "default": [("pipeline.py", "k: int = 3", "k: int = 4")],
    "same-file helper": [("pipeline.py", "return x + 1", "return x + 2")],
    "imported helper": [("helpers.py", "rows * 2", "rows * 3")],
    "other imported helper": [("pipeline.py", "import fit", "import unused as fit")],
    "global": [("pipeline.py", "OFFSET = 10", "OFFSET = 11")],
    "global's type": [("pipeline.py", "OFFSET = 10", "OFFSET = 10.0")],
    "global changed below": [("pipeline.py", "def add(x):", "OFFSET += 1\n\n\ndef add(x):")],
    "closure cell": [("pipeline.py", "scale = make(3)", "scale = make(4)")],
    "closure body": [("pipeline.py", "return x * n", "return x * n + 1")],
    "wrapping decorator": [("pipeline.py", "**kwargs) * 1", "**kwargs) * 2")],
    "decorator gone": [("pipeline.py", "@loud\n", "")],
    "body under decorator": [("pipeline.py", "add(x) + fit(x)", "add(x) - fit(x)")],
    "input's type": [("pipeline.py", "def train(x: int", "def train(x: float")],
    "output's type": [("pipeline.py", "k: int = 3) -> int:", "k: int = 3) -> float:")],
    "helper redefined": [("pipeline.py", "def unrelated(x):", "def add(x):\n    return x\n\n\ndef unrelated(x):")],
    "parameter renamed": [("pipeline.py", "def add(x):\n    \"\"\"Same-file helper.\"\"\"\n    return x", "def add(y):\n    return y")],
    "effect": [("pipeline.py", "OFFSET = 10\n", "OFFSET = 10\nfunctools.partial(print)()\n")],
}  # fmt: skip


def taken(folder: Path, edits: list[tuple[str, str, str]]) -> Fingerprint:
    """The fingerprint of `train` in a fresh copy of the project with edits applied."""
    files = {"pipeline.py": PIPELINE, "helpers.py": HELPERS}
    for name, old, new in edits:
        assert old in files[name], f"{old!r} is not in {name}"
        files[name] = files[name].replace(old, new, 1)
    folder.mkdir(exist_ok=True)
    for name, text in files.items():
        compile(text, name, "exec")
        (folder / name).write_text(text)
    return Project(folder).fingerprint("pipeline", "train")


@pytest.mark.parametrize("edit", SAME)
def test_an_edit_without_meaning_changes_nothing(tmp_path, edit):
    assert taken(tmp_path / "a", []).digest == taken(tmp_path / "b", SAME[edit]).digest


@pytest.mark.parametrize("edit", CHANGED)
def test_an_edit_with_meaning_changes_the_fingerprint(tmp_path, edit):
    before, after = taken(tmp_path / "a", []), taken(tmp_path / "b", CHANGED[edit])
    assert before.digest != after.digest
    assert {(d.name, d.digest) for d in before.definitions} != {(d.name, d.digest) for d in after.definitions}


@pytest.mark.parametrize("edit", CHANGED)
def test_an_edit_that_is_undone_is_no_edit(tmp_path, edit):
    first = taken(tmp_path / "a", [])
    assert taken(tmp_path / "a", CHANGED[edit]) != first
    assert taken(tmp_path / "a", []) == first


@pytest.mark.parametrize(
    ("edit", "name"),
    [
        ("body", "pipeline.train"),
        ("same-file helper", "pipeline.add"),
        ("imported helper", "helpers.fit"),
        ("global", "pipeline.OFFSET"),
        ("closure cell", "pipeline.scale"),
        ("closure body", "pipeline.make"),
        ("wrapping decorator", "pipeline.loud"),
    ],
)
def test_the_changed_definition_is_named(tmp_path, edit, name):
    before, after = taken(tmp_path / "a", []), taken(tmp_path / "b", CHANGED[edit])
    old = {d.name: d.digest for d in before.definitions}
    assert [d.name for d in after.definitions if d.digest != old.get(d.name)] == [name]


def test_the_step_beside_is_not_touched_by_edits_of_this_one(tmp_path):
    for number, edit in enumerate(("body", "default", "same-file helper", "global", "closure cell")):
        taken(tmp_path / f"a{number}", [])
        taken(tmp_path / f"b{number}", CHANGED[edit])
        first, second = (Project(tmp_path / f"{x}{number}").fingerprint("pipeline", "other") for x in "ab")
        assert first.digest == second.digest


# --------------------------------------------------------------------------- compared with what Python gives

EDITS = [
    pytest.param(case, edit, changes, id=f"{name}-{'changed' if changes else 'same'}-{number}")
    for name, case in CASES.items()
    for changes, edits in ((True, case.changed), (False, case.same))
    for number, edit in enumerate(edits)
]


def value(folder: Path) -> str:
    """What plain Python gives for `train(2)` in a folder; afterwards the process is as it was."""
    modules, variables, path = set(sys.modules), dict(os.environ), list(sys.path)
    sys.path.insert(0, str(folder))
    importlib.invalidate_caches()
    try:
        given = importlib.import_module("pipeline").train(2)
        return repr(asyncio.run(given) if inspect.iscoroutine(given) else given)
    finally:
        sys.path[:] = path
        os.environ.clear()
        os.environ.update(variables)
        for name in set(sys.modules) - modules:
            if name.partition(".")[0] in {p.stem for p in folder.iterdir()}:
                del sys.modules[name]


def written(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


@pytest.mark.parametrize(("case", "edit", "changes"), EDITS)
def test_the_fingerprint_changes_exactly_when_the_value_does(
    tmp_path, monkeypatch, case: Case, edit, changes
):
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    file, old, new = edit
    assert old in case.files[file]
    edited = case.files | {file: case.files[file].replace(old, new, 1)}
    before, after = written(tmp_path / "a", case.files), written(tmp_path / "b", edited)
    first, second = (Project(folder).fingerprint("pipeline", "train") for folder in (before, after))
    assert (value(before) != value(after)) is changes, "the case is wrong"
    assert (first.digest != second.digest) is changes
