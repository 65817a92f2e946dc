"""Notebooks as steps, in real kernels."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import nbformat
import pytest

from stepwell import notebook
from stepwell.errors import BadNotebook

v4 = nbformat.v4

PIPELINE = """
    import pandas as pd
    from pathlib import Path
    from stepwell import notebook, pipeline, source, step

    flights = source("flights.csv", pd.DataFrame)
    explore = notebook(
        "nb/eda.ipynb",
        parameters={"table": pd.DataFrame, "depth": 4, "word": "it's \\n $x"},
        outputs={"summary": pd.DataFrame, "number": int, "figure": "figure.txt"},
    )

    @step
    def use(summary: pd.DataFrame, number: int, figure: Path, copy: Path) -> list[str]:
        return [str(len(summary)), str(number), figure.read_text(), copy.read_text()]

    @pipeline
    def main():
        found = explore(table=flights())
        return use(found["summary"], found["number"], found["figure"], found["notebook"])
"""


def write(project, *cells, tagged="depth = 1"):
    found = [v4.new_markdown_cell("# Title"), v4.new_code_cell(tagged, metadata={"tags": ["parameters"]})]
    nb = v4.new_notebook(cells=[*found, *map(v4.new_code_cell, cells)])
    for i, cell in enumerate(nb.cells):
        cell["id"] = f"cell{i}"
    (project.root / "nb").mkdir(exist_ok=True)
    nbformat.write(nb, str(project.root / "nb" / "eda.ipynb"))
    return nb


CELLS = (
    "from helpers import twice\nprint('rows', len(table))",
    "summary = table.describe()\nnumber = twice(depth)\nopen('figure.txt', 'w').write(word)",
)


@pytest.fixture
def eda(project):
    project.write(PIPELINE)
    project.write("carrier,delay\nAA,1\nUA,2\n", "flights.csv")
    project.write("def twice(x):\n    return 2 * x\n", "helpers.py")
    write(project, *CELLS)
    return project


def kernels(root):
    """Processes that execute a notebook with their working folder in a project."""
    found = []
    for name in os.listdir("/proc"):
        try:
            if name.isdigit() and os.readlink(f"/proc/{name}/cwd") == str(root):
                found.append(Path(f"/proc/{name}/cmdline").read_text())
        except OSError:
            continue
    return [line for line in found if "kernel" in line]


def test_a_notebook_gets_values_and_gives_values(eda):
    done = eda("run")
    assert "rows 2" in done.out + done.err
    length, number, figure, copy = eda("run", "--json").json["result"]
    assert (length, number, figure) == ("8", "8", "it's \n $x")
    cells = json.loads(copy)["cells"]
    assert cells[2]["metadata"]["tags"] == ["injected-parameters"]
    assert "depth = 4" in "".join(cells[2]["source"])
    assert cells[3]["outputs"][0]["text"] in (["rows 2\n"], "rows 2\n")
    assert str(eda.root) not in copy
    assert not kernels(eda.root)
    text = eda("export", "yaml", "-o", "last.yaml", "--json").json["text"]
    assert "    step: pipeline:explore\n    kind: notebook\n" in text
    assert "the same bytes" in eda("run", "last.yaml").err


def test_its_code_is_its_code_cells_and_what_they_import(eda):
    eda("run")
    assert set(eda("plan", "--json").decisions.values()) == {"cached"}
    nb = write(eda, *CELLS)
    nb.cells[0]["source"] = "# Another title"
    nb.cells[2]["outputs"] = [v4.new_output("stream", text="old")]
    nb.cells[2]["execution_count"] = 7
    nb.cells[2]["source"] += "  # a comment"
    nbformat.write(nb, str(eda.root / "nb" / "eda.ipynb"))
    assert set(eda("plan", "--json").decisions.values()) == {"cached"}
    eda.edit("2 * x", "3 * x", "helpers.py")
    assert eda("plan", "--json").decisions["explore"] == "run"
    eda.edit("3 * x", "2 * x", "helpers.py")
    write(eda, CELLS[0], CELLS[1] + "\nnumber += 1")
    assert eda("plan", "--json").decisions["explore"] == "run"


def test_a_cell_that_fails_is_told_and_the_copy_is_kept(eda):
    write(eda, "print('before', table, word)", "depth.nothing")
    eda.edit(
        'outputs={"summary": pd.DataFrame, "number": int, "figure": "figure.txt"}', "outputs={'depth': int}"
    )
    eda.edit('use(found["summary"], found["number"], found["figure"], found["notebook"])', 'found["depth"]')
    done = eda("run", code=1)
    text = done.out + done.err
    assert "error[E429]" in text
    assert "cell 3 raised AttributeError" in text
    assert "depth.nothing" in text
    kept = json.loads((eda.root / ".stepwell/notebooks/eda.ipynb").read_text())
    assert kept["cells"][-1]["outputs"][0]["ename"] == "AttributeError"
    assert not kernels(eda.root)


@pytest.mark.parametrize(
    ("cells", "said", "hint"),
    [
        (("summry = 1\nnumber = table, word",), "makes no `summary`", "did you mean `summry`?"),
        (("summary = number = word",), "no parameter `table`", ""),
        (("summary = number = (table, word",), "is not Python", ""),
    ],
)
def test_what_does_not_fit_is_told_by_the_plan(eda, cells, said, hint):
    write(eda, *cells)
    error = eda.refused("plan", code=3)
    assert (error["code"], said in error["what"]) == ("E347", True)
    assert hint in " ".join(error["fixes"])


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "cannot be read"), ("{", "is no notebook"), ("[]", "no notebook"),
     ('{"cells": [], "nbformat": 4, "metadata": {"kernelspec": {"language": "R"}}}', "is in r")],
)  # fmt: skip
def test_a_file_that_is_no_notebook_in_python_is_refused(eda, content, said):
    file = eda.root / "nb" / "eda.ipynb"
    file.unlink() if content is None else file.write_text(content)
    assert said in eda.refused("plan", code=3)["what"]


def test_a_stopped_run_leaves_no_kernel(eda):
    write(eda, "summary = number = table, word\nimport time\nopen('began', 'w')\ntime.sleep(60)")
    process = eda.start("run")
    for _ in range(400):
        if (eda.root / "began").exists():
            break
        time.sleep(0.05)
    assert kernels(eda.root)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    for _ in range(100):
        if not kernels(eda.root):
            return
        time.sleep(0.05)
    assert not kernels(eda.root)


@pytest.mark.parametrize(
    ("file", "how"),
    [
        ("eda.py", {}),
        ("/eda.ipynb", {}),
        ("../eda.ipynb", {}),
        ("eda.ipynb", {"parameters": {"a b": int}}),
        ("eda.ipynb", {"parameters": {"a": object()}}),
        ("eda.ipynb", {"outputs": {"notebook": int}}),
        ("eda.ipynb", {"outputs": {"a": "/etc/passwd"}}),
        ("eda.ipynb", {"outputs": {"a": 3}}),
    ],
)
def test_mistakes_are_told_at_the_users_line(file, how):
    with pytest.raises(BadNotebook) as found:
        notebook(file, **how)
    assert "test_notebooks.py:" in found.value.where
