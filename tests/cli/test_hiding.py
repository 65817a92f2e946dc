"""A file of the project that has the name of a module of Python's or of an installed one: it is said what it hides."""

from __future__ import annotations

import pytest

USING = """
    from stepwell import pipeline, step
    {line}

    @step
    def use(n: int) -> object:
        return {call}

    @pipeline
    def one(n: int = 1):
        return use(n)
"""

STANDARD = "rename `json.py`: it hides Python's own module `json`, which libraries need too"
INSTALLED = "rename `blake3.py`: it hides the installed module `blake3` ("


def test_a_module_of_pythons_own(project):
    project.write(USING.format(line="import json", call="json.loads('1')"))
    assert STANDARD not in project("plan", "--json").json["notes"]
    project.write("x = 1\n", "json.py")
    assert STANDARD in project("plan", "--json").json["notes"]
    assert STANDARD in project("plan").out
    failed = project("run", "--json", code=1).steps["use"]["error"]
    assert STANDARD in failed["fixes"]


def test_an_installed_module(project):
    project.write("x = 1\n", "blake3.py")
    project.write()
    assert not any("blake3" in note for note in project("plan", "--json").json["notes"]), "nobody imports it"
    project.write(USING.format(line="import blake3", call="blake3.blake3(b'').hexdigest()"))
    assert any(note.startswith(INSTALLED) for note in project("plan", "--json").json["notes"])
    failed = project("run", "--json", code=1).steps["use"]["error"]
    assert failed["fixes"][0].startswith(INSTALLED)
    project.write(USING.format(line="from blake3 import blake3", call="1"))
    assert project.refused("plan", code=3)["fixes"][0].startswith(INSTALLED)


@pytest.mark.parametrize("words", [["plan"], ["run", "--in-process"]])
def test_what_stepwell_itself_imports_late_is_not_hidden_from_it(project, words):
    for name in ("difflib", "platform", "random", "signal", "statistics", "subprocess", "uuid"):
        project.write("raise RuntimeError('not for Stepwell')\n", f"{name}.py")
    project.write(USING.format(line="import calendar", call="n"))
    assert project(*words, "--json").json["counts"]


@pytest.mark.parametrize(
    "name", ["helpers.py", "helpers/__init__.py", "src/numbers_of_mine.py", "data/json.py"]
)
def test_names_that_hide_nothing(project, name):
    project.write("x = 1\n", name)
    module = name.removesuffix(".py").removesuffix("/__init__").removeprefix("src/").replace("/", ".")
    project.write(USING.format(line=f"import {module}", call="n"))
    assert not any("hides" in note for note in project("plan", "--json").json["notes"])


def test_the_installed_project_itself_is_not_hidden(project):
    project.write("x = 1\n", "src/blake3/__init__.py")
    project.write(USING.format(line="import blake3", call="n"))
    assert not any("hides" in note for note in project("plan", "--json").json["notes"])


@pytest.mark.parametrize("below", ["", "src/"])
def test_a_module_of_a_package_is_not_told_by_its_own_name(project, below):
    project.write("[tool.stepwell]\n", "pyproject.toml")
    project.write("", f"{below}houses/__init__.py")
    project.write("x = 1\n", f"{below}houses/rooms.py")
    project.write(USING.format(line="from houses.rooms import y", call="n"))
    assert "rename" not in str(project.refused("plan", code=3)["fixes"])
