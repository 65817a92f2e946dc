"""`stepwell new --from`: the file that is written is planned, and gives what the notebook gives when it is executed."""

from __future__ import annotations

import contextlib
import io
import json
import os
import runpy
from pathlib import Path
from textwrap import dedent

import pytest

from stepwell.app.notebooks import converted
from stepwell.cli.main import main
from stepwell.errors import NotebookUnusable, NothingToConvert, NotInACell

PLAIN = (
    "%matplotlib inline\nimport pandas as pd\n# how deep\ndepth = 3\ncols = ['a']",
    "df = pd.read_csv('x.csv')\ndf.head()",
    "# Cleans it.\ndef clean(df, cols):\n    return df[cols].dropna()\n\nK = 2\ndef scale(x): return x * K",
    "tidy = clean(df, cols)\ntidy['c'] = scale(tidy.a)\ntidy['t'] = '''two\n   lines'''\nsummary = tidy.describe()",
    "def split(t):\n    return t[:1], t[1:]\ntrain, test = split(tidy)\n!ls\nfiles = !ls\nlen(files)",
    "def fit(t, depth=1):\n    return {'mean': float(t.c.mean()), 'depth': depth, 't': list(t.t)}",
    "def score(m, t):\n    return [m, len(t)]\nmodel = fit(train, depth=depth)\nlast = score(model, test)",
    "%%bash\nls",
    "import textwrap\ndef show(x): print(textwrap.dedent(x))\nshow(str(last))\nfor each in last:\n    !echo {each}",
)
DEFINED = (
    "%pip install nothing\nfrom stepwell import pipeline, step",
    "FACTOR = 5",
    "@step\ndef total(v: list[int]) -> int:\n    return sum(v) + helper(1)",
    "# Makes a list\n# of numbers.\n@step\ndef make(n: int) -> list[int]:\n    return [FACTOR * i for i in range(n)]",
    "def helper(x):\n    return x",
    "@pipeline\ndef delays(n: int = 3) -> int:\n    return total(make(n))",
    "run = delays.run()\nrun.result",
    "FACTOR = 2\nunused = 7",
)
MARIMO = '''
import marimo

__generated_with = "0.25.2"
app = marimo.App()

with app.setup:
    import json


@app.function
def load(n):
    return list(range(n))


@app.cell
def _(load, n):
    rows = load(n)
    return (rows,)


@app.cell
def _(rows, twice):
    doubled = twice(rows)
    # a text that has a margin
    text = """one
        two"""
    doubled
    return (doubled, text)


@app.cell
def _():
    def twice(rows):
        return [2 * each for each in rows]
    n = 4
    return n, twice


if __name__ == "__main__":
    app.run()
'''


def notebook(path: Path, *codes: str, language: str = "python") -> Path:
    """A notebook's file with these cells."""
    cells = [
        {"cell_type": "code", "id": f"c{at}", "metadata": {}, "outputs": [], "execution_count": None, "source": code}
        for at, code in enumerate(codes)
    ]  # fmt: skip
    whole = {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {"language_info": {"name": language}},
        "cells": cells,
    }
    path.write_text(json.dumps(whole))
    return path


def executed(path: Path, name: str) -> object:
    """What a name holds when a real kernel has executed the notebook."""
    import nbformat
    from nbclient import NotebookClient

    whole = nbformat.read(path, 4)
    whole.cells.append(nbformat.v4.new_code_cell(f"import json; print('\\x02' + json.dumps({name}))"))
    NotebookClient(whole, timeout=60, resources={"metadata": {"path": str(path.parent)}}).execute()
    shown = "".join(output.get("text", "") for output in whole.cells[-1].outputs)
    return json.loads(shown.rpartition("\x02")[2])


def ran(folder: Path, file: str = "pipeline.py") -> object:
    """What the pipeline of a file gives, planned and run by the command."""
    out = io.BytesIO()
    shown = io.TextIOWrapper(out, "utf-8", write_through=True)
    with contextlib.chdir(folder), contextlib.redirect_stdout(shown):
        assert main(["plan", file]) == 0
        out.truncate(out.seek(0))
        assert main(["run", file, "--json"]) == 0
    return json.loads(out.getvalue())["result"]


@pytest.mark.slow
def test_a_plain_notebook(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "x.csv").write_text("a,b\n1,x\n2,y\n,z\n")
    path = notebook(tmp_path / "plain.ipynb", *PLAIN)
    with contextlib.chdir(tmp_path):
        assert main(["new", "--from", "plain.ipynb"]) == 0
        told = capsys.readouterr()
        assert "wrote pipeline.py" in told.out
        assert "`make_tidy`" in told.err
        assert main(["new", "--from", "plain.ipynb"]) == 2  # what is there stays
    text = (tmp_path / "pipeline.py").read_text()
    assert "    return summary, last\n" in text  # both are assigned, and nothing else uses them
    left = text.partition("# Not in the pipeline")[2]
    assert left.splitlines()[1:] == [
        "# cell 1", "#     %matplotlib inline",
        "# cell 2", "#     df.head()",
        "# cell 5", "#     !ls", "#     files = !ls", "#     len(files)",
        "# cell 8", "#     %%bash", "#     ls",
        "# cell 9", "#     import textwrap", "#     def show(x): print(textwrap.dedent(x))", "#     show(str(last))",
        "#     for each in last:", "#         '!echo {each}'",
    ]  # fmt: skip
    assert ran(tmp_path)[1] == executed(path, "last")


@pytest.mark.slow
def test_a_notebook_of_pipelines(tmp_path: Path) -> None:
    path = notebook(tmp_path / "analysis.ipynb", *DEFINED)
    found = converted(path)
    (tmp_path / "delays.py").write_text(found.text)
    assert found.pipelines == ["delays"]
    assert "# Makes a list\n# of numbers.\n@step" in found.text
    assert "unused" not in found.text
    assert "run()" not in found.text
    assert "FACTOR = 2" in found.text
    assert ran(tmp_path, "delays.py") == executed(path, "delays.run().result") == 7


def test_a_marimo_notebook(tmp_path: Path) -> None:
    path = tmp_path / "study.py"
    path.write_text(MARIMO)
    found = converted(path)
    (tmp_path / "pipeline.py").write_text(found.text)
    assert "def study(n: int = 4):" in found.text
    held = runpy.run_path(str(path))["app"].run()[1]
    assert ran(tmp_path) == held["doubled"] == [0, 2, 4, 6]


@pytest.mark.parametrize(
    ("codes", "body"),
    [
        (["def f(): return 1", "f()"], None),
        (["x = 1\nx + 1"], None),
        (["def f(): return 1\ndef g(x): return x", "y = g(f())"], "y = g(f())\nreturn y"),
        (["def f(n): return n\nn = 2\nn = 3", "y = f(n)"], "y = f(n)\nreturn y"),
        (["def f(n): return n\nn = 2\nx = f(n)\nn = 3", "y = f(n)"], "n = 2\nx = f(n)\nn = 3\ny = f(n)\nreturn x, y"),
        (["def f(n): return n", "y = f(1)\nz = f(y)\nf(z)"], "y = f(1)\nz = f(y)\nresult = f(z)\nreturn result"),
        (["def f(n): return n\ndef show(n): print(n)", "y = f(1)\nshow(y)"], "y = f(1)\nreturn y"),
        (["def f(n): return n", "y = f(1)\nw = y + 1\nv = w * 2\nz = f(v)\nu = z + 1"], "y = f(1)\nv = make_v(y)\nz = f(v)\nu = make_u(z)\nreturn u"),
        (["import math\ndef f(n): return {'b': n}", "m = f(4)\nk = 2", "r = math.sqrt(m['b'])\nr = r * k\nm['r'] = r\n_ = m\nq = k + 1\nfor i in m: print(i)"], "m = f(4)\nm = make_m(k, m)\nreturn m"),
        (["def f(n): return n", "if True:\n    !ls\nz = f(2)\nw = z + 1\nw = z + 2"], "z = f(2)\nw = make_w(z)\nreturn w"),
        (["def f(n): return n", "k = !ls\nq = len(k)\ny = f(q)\nz = f(1)"], "z = f(1)\nreturn z"),
        (["def f(n): return n", "y = await g()\nz = f(y)\nx = f(2)"], "x = f(2)\nreturn x"),
        (["def f(n): return n", "for i in range(3):\n    f(i)\ny = f(1)"], "y = f(1)\nreturn y"),
        (["import random\ndef f(n): return n\nrandom.seed(3)", "with open('x') as g:\n    t = g.read()\ny = f(t)"], "t = make_t()\ny = f(t)\nreturn y"),
        (["def f(n): return n", "y = f(lambda x: x)\nz = f(2)\nxs = [f(i) for i in [z]]\nw = f(xs)"], "z = f(2)\nxs = make_xs(z)\nw = f(xs)\nreturn w"),
        (["def f(n): return n", "y = f(1)\nif y:\n    y = 5\nz = f(y)"], "y = f(1)\ny = make_y(y)\nz = f(y)\nreturn z"),
    ],
)  # fmt: skip
def test_chains(tmp_path: Path, codes: list[str], body: str | None) -> None:
    path = notebook(tmp_path / "Some thing-1.ipynb", *codes)
    if body is None:
        with pytest.raises(NothingToConvert):
            converted(path)
        return
    text = converted(path).text
    (tmp_path / "some.py").write_text(text)
    inside = text.partition("def some_thing_1(")[2].partition(":\n")[2].partition("\n\n")[0]
    assert dedent(inside).strip() == body
    with contextlib.chdir(tmp_path), contextlib.redirect_stdout(io.StringIO()):
        assert main(["plan", "some.py"]) == 0


def test_what_cannot_be_converted(tmp_path: Path) -> None:
    (tmp_path / "no.ipynb").write_text("{")
    (tmp_path / "no.py").write_text("x = 1")
    for path in (tmp_path / "no.ipynb", tmp_path / "no.py", tmp_path / "gone.ipynb", tmp_path / "gone.py"):
        with pytest.raises(NotebookUnusable):
            converted(path)
    with pytest.raises(NotebookUnusable, match="julia"):
        converted(notebook(tmp_path / "j.ipynb", "x = 1", language="julia"))
    with pytest.raises(NotInACell):
        converted(notebook(tmp_path / "l.ipynb", "k = !ls\ndef f(): return k\ny = f()"))
    with contextlib.chdir(tmp_path):
        assert main(["new", "--from", "no.ipynb"]) == 3
        assert "pipeline.py" not in os.listdir()
    odd = notebook(tmp_path / "o.ipynb", "def f(): return 1", "'\ud800'", "%%bash\nls", "y = f()", "= 2")
    assert len(converted(odd).notes) == 3
