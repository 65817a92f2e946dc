"""Pipelines in cells: real kernels, a real interactive shell, the keys and the cache of the command."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from textwrap import dedent

import pytest

from stepwell.author.cells import module_text
from stepwell.author.shell import Cell, Kernel
from stepwell.errors import NotInACell

sys.path.insert(0, str(Path(__file__).parent))

from notebooks import Notebook

HAS_KERNEL = find_spec("ipykernel") is not None and find_spec("jupyter_client") is not None
MISSING = "ipykernel and jupyter_client are not installed: notebooks are NOT tested"

HEAD = "from dataclasses import dataclass\nfrom stepwell import log, pipeline, source, step"
FACTOR = "FACTOR = 2"
HELPER = "def helper(x):\n    return x * FACTOR"
REPORT = "@dataclass\nclass Report:\n    n: int"
MAKE = "@step\ndef make(n: int) -> Report:\n    return Report(helper(n))"
TOTAL = "@step\ndef total(r: Report) -> int:\n    return r.n + 1"
DELAYS = "@pipeline\ndef delays(n: int = 3) -> tuple[Report, int]:\n    r = make(n)\n    return r, total(r)"
CELLS = (HEAD, FACTOR, HELPER, REPORT, MAKE, TOTAL, DELAYS)

RAN = {"make": "succeeded", "total": "succeeded"}
CACHED = {"make": "cached", "total": "cached"}
TOTAL_RAN = {"make": "cached", "total": "succeeded"}


def test_a_kernel_is_there_where_all_is_checked():
    if not HAS_KERNEL and os.environ.get("CI"):
        pytest.fail(MISSING)


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Notebook]:
    if not HAS_KERNEL:
        pytest.skip(MISSING)
    notebook = Notebook(tmp_path_factory.mktemp("kernel"))
    yield notebook
    notebook.stop()


@pytest.fixture
def notebook(kernel: Notebook, tmp_path: Path) -> Notebook:
    """A new kernel in a new folder, of the notebook `analysis.ipynb`."""
    kernel.open(tmp_path, "analysis.ipynb")
    return kernel


def test_run_again_and_in_another_kernel(notebook):
    notebook.cells(*CELLS)
    assert notebook.run() == RAN
    assert notebook.ask("[_run.result[0].n, _run.result[1]]") == [6, 7]
    assert notebook.run() == CACHED
    assert notebook.ask("delays.plan().counts")["cached"] == 2
    notebook.restart()
    notebook.cells(*CELLS)
    assert notebook.run() == CACHED
    assert notebook.run("delays.options(in_process=True, force=True).run()") == RAN
    assert notebook.run("delays.run(4)") == RAN
    assert [line.name for line in notebook.folder.iterdir()] == [".stepwell"]  # the module is no file


def test_what_counts_in_a_cell(notebook):
    notebook.cells(*CELLS)
    assert notebook.run() == RAN
    notebook.cells("def helper(x):\n    # twice\n\n    return (x * FACTOR)", FACTOR, DELAYS, HEAD)
    assert notebook.run() == CACHED
    notebook.cells(REPORT, MAKE, TOTAL[:6] + "# a step\n" + TOTAL[6:])
    assert notebook.run() == CACHED
    notebook.cells("unused = 1\nother = [unused]", "def unreached():\n    return 1")
    assert notebook.run() == CACHED
    notebook.cells("FACTOR = 5")
    assert notebook.run() == RAN
    notebook.cells("def helper(x):\n    return x * FACTOR + 0")
    assert notebook.run() == TOTAL_RAN | {"make": "succeeded", "total": "cached"}
    notebook.cells(TOTAL.replace("+ 1", "+ 2"))
    assert notebook.run() == TOTAL_RAN
    assert notebook.ask("_run.result[1]") == 17


def test_edited_cells_after_a_restart_have_the_same_keys(notebook):
    edited = TOTAL.replace("+ 1", "+ 2")
    notebook.cells(*CELLS, "def helper(x):\n    return x * FACTOR + 0", "FACTOR = 5", edited)
    assert notebook.run() == RAN
    notebook.restart()  # the cells are where a person left them, in another order
    notebook.cells(HEAD, edited.replace("r: Report", 'r: "Report"'), "FACTOR = 5", REPORT)
    notebook.cells("def helper(x):\n    return x * FACTOR + 0", MAKE, edited, DELAYS)
    assert notebook.run() == CACHED


def test_values_are_of_the_notebooks_classes(notebook):
    notebook.cells(*CELLS, "mine = Report(6)")
    notebook.cells("from enum import Enum\nclass Kind(Enum):\n    A = 1\n    B = 2")
    notebook.cells(
        "@step\ndef pick(kind: Kind, r: Report) -> Kind:\n    return Kind.B if kind is Kind.A and r.n == 6 else kind",
        "@pipeline\ndef kinds(r: Report, kind: Kind = Kind.A) -> tuple[Kind, Report]:\n    return pick(kind, r), r",
    )
    assert notebook.run() == RAN
    assert notebook.ask("[type(_run.result[0]) is Report, _run.result[0] == mine]") == [True, True]
    assert notebook.run("kinds.run(mine, kind=Kind.A)") == {"pick": "succeeded"}
    assert notebook.ask("_run.result[0] is Kind.B")
    assert notebook.ask("type(_run.result[1]) is Report")
    notebook.cells(REPORT)  # the class again: older values are of the old one, as in any notebook
    assert notebook.run() == CACHED
    assert notebook.ask("[type(_run.result[0]) is Report, isinstance(mine, Report)]") == [True, False]


def test_files_beside_the_notebook(notebook):
    lib, table, settings = (notebook.folder / name for name in ("lib.py", "x.csv", "c.json"))
    lib.write_text("K = 10\ndef scale(x):\n    return x * K\n")
    table.write_text("1\n2\n")
    settings.write_text('{"k": 2}')
    notebook.cells(
        HEAD,
        "import json\nfrom lib import scale",
        "raw = source('x.csv', str)\nCFG = json.load(open('c.json'))",
        "@step\ndef rows(text: str) -> list[int]:\n    return [scale(int(x)) for x in text.split()]",
        "@step\ndef total(v: list[int]) -> int:\n    return sum(v) * CFG['k']",
        "@pipeline\ndef delays() -> int:\n    return total(rows(raw()))",
    )
    assert notebook.run() == {"rows": "succeeded", "total": "succeeded"}
    assert notebook.ask("[_run.result, raw()]") == [60, "1\n2\n"]
    assert notebook.run() == {"rows": "cached", "total": "cached"}
    settings.write_text('{"k": 3}')
    assert notebook.run() == {"rows": "cached", "total": "succeeded"}
    assert notebook.ask("_run.result") == 90
    lib.write_text("K = 11\ndef scale(x):\n    return x * K\n")
    assert notebook.run() == {"rows": "succeeded", "total": "succeeded"}
    assert notebook.ask("_run.result") == 99
    table.write_text("1\n2\n3\n")
    assert notebook.run() == {"rows": "succeeded", "total": "succeeded"}
    assert notebook.ask("_run.result") == 198


def test_what_fails_names_the_cell(notebook):
    notebook.cells(*CELLS)
    notebook.cells("@step\ndef total(r: Report) -> int:\n\n    return r.n // 0")
    shown = notebook.execute("delays.run().result")
    assert "ZeroDivisionError" in shown.display
    assert 'analysis.ipynb cell 8", line 4, in total' in shown.display
    assert "return r.n // 0" in shown.display
    assert "call `total` in a cell, with what" in shown.display  # no command can load these cells
    assert "stepwell debug" not in shown.display
    assert "analysis.ipynb cell 8:4 in total" in shown.error
    notebook.cells("pass\nCHECKED = {1: 2}[FACTOR - 1]\n", TOTAL + " + CHECKED")
    assert notebook.run() == TOTAL_RAN
    notebook.cells("FACTOR = 9")
    shown = notebook.execute("delays.plan()")
    assert "E201" in shown.error
    assert "KeyError: 8" in shown.error
    assert "analysis.ipynb cell 10:2" in shown.error
    notebook.cells(FACTOR)
    assert notebook.execute("delays.run(n='x')").error.startswith("BadParameter")


def test_names_that_no_cell_defines(notebook):
    notebook.cells(*CELLS, "first = delays.run()", TOTAL + " + (first is None)")
    shown = notebook.execute("delays.plan()")
    assert "E213" in shown.error
    assert "`first` is not a definition, and `total` uses it" in shown.error
    assert "runs a pipeline" in shown.error
    notebook.cells("exec('def hidden(): return 1')", TOTAL + " + hidden()")
    shown = notebook.execute("delays.run()")
    assert "no cell that ran defines `hidden`, which `total` uses" in shown.error
    notebook.cells("names = !echo a", TOTAL + " + len(names)")
    assert "uses the notebook itself" in notebook.execute("delays.plan()").error
    notebook.cells("%%time\ndef hidden():\n    return 1", TOTAL + " + hidden()")
    assert notebook.run() == TOTAL_RAN
    assert notebook.ask("_run.result[1]") == 8
    notebook.cells("del hidden")
    assert notebook.run()["total"] == "failed"  # NameError, as the notebook itself would have


def test_magics_awaits_and_cells_that_fail(notebook):
    notebook.cells("%%bash\necho hello", "!true", "import asyncio\nawait asyncio.sleep(0)", *CELLS)
    notebook.cells("%%bash\necho FACTOR = 7", "%time delays.plan()\nlater = 1", "print(FACTOR); FACTOR")
    assert notebook.run() == RAN
    shown = notebook.execute("FACTOR = 3\nraise KeyError('no further')\nFACTOR = 4")
    assert "no further" in shown.error
    assert notebook.execute("FACTOR = unknown_name").error
    assert notebook.execute("FACTOR = = 5").error
    assert notebook.run() == RAN
    assert notebook.ask("[FACTOR, _run.result[1]]") == [3, 10]
    shown = notebook.execute("FACTOR = 4\nprint(delays.run().result[1])\nFACTOR = 5")
    assert shown.text.endswith("13\n")
    notebook.cells("LOG = []", TOTAL + " + len(LOG)", "LOG.append(1)", "LOG.append(2)", "LOG.append(2)")
    assert notebook.run() == RAN
    assert notebook.ask("_run.result[1]") == 18  # what ran twice counts once


def test_notebooks_have_their_own_names(notebook, tmp_path):
    notebook.cells(*CELLS)
    assert notebook.run() == RAN
    notebook.open(tmp_path, "other one.ipynb")
    notebook.cells(*CELLS)
    assert notebook.ask("sorted(set(s.module for s in delays.plan().steps.values()))") == ["other_one_ipynb"]
    assert notebook.run() == RAN


def test_a_pipeline_file_beside_a_notebook_without_a_name(kernel, tmp_path):
    (tmp_path / "notebook_ipynb.py").write_text("")
    (tmp_path / "pipeline.py").write_text("\n".join(CELLS))
    kernel.open(tmp_path, "")
    notebook = kernel
    notebook.cells(*CELLS)
    assert notebook.ask("delays.plan().steps['make'].module") == "notebook_ipynb_"
    notebook.cells("import pipeline as file")
    assert notebook.ask("file.delays.plan().steps['make'].module") == "pipeline"
    assert notebook.run("file.delays.run()") == RAN
    assert notebook.ask("type(_run.result[0]) is file.Report")
    notebook.cells("from pipeline import Report, total")
    assert notebook.run() == {"make": "succeeded", "total": "cached"}  # the file's step has the file's keys


def test_what_a_notebook_shows(notebook):
    notebook.cells(*CELLS)
    plan = notebook.execute("delays.plan()")
    assert "<strong>delays</strong>" in plan.html
    assert "<td>make</td>" in plan.html
    assert "2 steps: 2 run" in plan.html
    run = notebook.execute("run = delays.run()\nrun")
    assert "✓ make" in run.display
    assert "\x1b[" not in run.display
    assert run.text == ""
    assert "<strong>r1  ✓ succeeded</strong>" in run.html
    notebook.cells(
        "@step\ndef f(text: str) -> str:\n    raise ValueError('<b>')\n\n"
        "@pipeline\ndef tags(text: str = '<i>') -> str:\n    return f(text)"
    )
    assert "&lt;i&gt;" in notebook.execute("tags.plan()").html
    failed = notebook.execute("tags.run()").html
    assert "&lt;b&gt;" in failed
    assert "<b>" not in failed


def test_the_terminals_shell(tmp_path):
    if find_spec("IPython") is None:
        pytest.skip("IPython is not installed: its shell is NOT tested")
    program = f"""
        from IPython.core.interactiveshell import InteractiveShell
        shell = InteractiveShell.instance()
        for cell in {CELLS!r}:
            shell.run_cell(cell, store_history=True).raise_error()
        shell.run_cell("run = delays.run(); print(run.result)", store_history=True).raise_error()
        shell.run_cell("print(type(run.result[0]) is Report)", store_history=True).raise_error()
    """
    command = [sys.executable, "-c", dedent(program)]
    given = {**os.environ, "IPYTHONDIR": str(tmp_path / ".ipython"), "JPY_SESSION_NAME": ""}
    shown = [
        subprocess.run(command, cwd=tmp_path, env=given, capture_output=True, text=True, timeout=60)
        for _ in range(2)
    ]
    assert [one.returncode for one in shown] == [0, 0], shown
    assert "(Report(n=6), 7)\nTrue" in shown[0].stdout
    assert "2 ran, 0 cached" in shown[0].stdout
    assert "0 ran, 2 cached" in shown[1].stdout


# ---------------------------------------------------------------------------- the module's text


def text_of(*codes: str, wanted: str = "f", names: str = "", pipelines: str = "") -> str:
    cells = [Cell(number, dedent(code)) for number, code in enumerate(codes, 1)]
    kernel = Kernel(frozenset(names.split()), frozenset(pipelines.split()))
    lines = module_text(cells, [wanted], kernel).split("\n")
    return "\n".join(line for line in lines if line and not line.startswith("# cell"))


@pytest.mark.parametrize(
    ("codes", "expected"),
    [
        (["A = 1", "f = A", "A = 2"], "A = 2\nf = A"),
        (["f = A", "A = 2"], "A = 2\nf = A"),
        (["f = 0", "f += 1", "f += 1"], "f = 0\nf += 1"),
        (["f = 0", "f = f + 1", "f = 5"], "f = 5"),
        (["f = {}", "f['a'] = 1", "f['a'] = 2", "f['b'] = 3"], "f = {}\nf['a'] = 2\nf['b'] = 3"),
        (["f = {}", "f['a'] = 1", "f = {}"], "f = {}"),
        (["f = [1]", "f.copy()", "f.append(2)", "f.show()"], "f = [1]\nf.append(2)"),
        (["f, b = 1, 2", "b = 3", "f = b"], "b = 3\nf = b"),
        (["f, b = 1, 2", "b = 3", "g = b + f"], "f, b = 1, 2\nb = 3\ng = b + f"),
        (["a = 1; f = a  # why"], "a = 1\nf = a"),
        (["def f():\n    return g()", "def g():\n    return 1"], "def f():\n    return g()\ndef g():\n    return 1"),
        (["f = g()", "def g():\n    return K", "K = 1"], "def g():\n    return K\nK = 1\nf = g()"),
        (["def f(x=K): pass", "K = 1"], "K = 1\ndef f(x=K): pass"),
        (['def f() -> "list[R]": pass', "class R: pass"], 'def f() -> "list[R]": pass\nclass R: pass'),
        (["class f(B): pass", "class B:\n    x: C", "class C: pass"], "class C: pass\nclass B:\n    x: C\nclass f(B): pass"),
        (["f = [k for k in K if L]", "K = L = 1"], "K = L = 1\nf = [k for k in K if L]"),
        (["K = 1", "k = 2", "f = [k for k in [K]]"], "K = 1\nf = [k for k in [K]]"),
        (["k = [2]", "f = [k for k in k]"], "k = [2]\nf = [k for k in k]"),
        (["def f(): pass", "def f(): return 1"], "def f(): return 1"),
        (["import os", "from __future__ import annotations", "f = os"], "from __future__ import annotations\nimport os\nf = os"),
        (["from math import *", "f = pi"], "from math import *\nf = pi"),
        (["import numpy as np\nnp.random.seed(1)", "np.random.seed(2)", "f = np.pi"], "import numpy as np\nnp.random.seed(2)\nf = np.pi"),
        (["try:\n    import x\nexcept ImportError:\n    x = None", "f = x"], "try:\n    import x\nexcept ImportError:\n    x = None\nf = x"),
        (["f = 1", "if f:\n    f = 2"], "f = 1\nif f:\n    f = 2"),
        (["def f(x):\n    display(x)"], "from IPython.display import display\ndef f(x):\n    display(x)"),
        (["f = g", "g = h", "h = f"], "f = g\nh = f\ng = h"),
        (["f = 'é'; b = 1"], "f = 'é'"),
    ],
)  # fmt: skip
def test_module_text(codes, expected):
    assert text_of(*codes, wanted="g" if "g = b + f" in codes else "f") == expected


def test_module_text_says_where_it_comes_from():
    cells = [Cell(3, "\n@d\ndef f(): pass", first=2), Cell(4, "import d")]
    text = module_text(cells, ["f"], Kernel(frozenset(), frozenset()))
    assert text.split("\n")[1:] == [
        "# cell 4 line 1",
        "import d",
        "# cell 3 line 3",
        "@d",
        "def f(): pass",
        "",
    ]


@pytest.mark.parametrize(
    ("codes", "told"),
    [
        (["r = p.run()", "f = r"], "runs a pipeline"),
        (["r = p.options(jobs=2).run().result", "f = r"], "runs a pipeline"),
        (["r = p()", "f = r"], "runs a pipeline"),
        (["for i in range(3):\n    r = p.run(i)", "f = r"], "runs a pipeline"),
        (["r = await g()", "f = r"], "awaits"),
        (["r = get_ipython().getoutput('ls')", "f = r"], "uses the notebook itself"),
        (["r = In[3]", "def f():\n    return r"], "uses the notebook itself"),
        (["def f():\n    return gone"], "no cell that ran defines `gone`, which `f` uses"),
    ],
)
def test_what_is_not_a_definition(codes, told):
    with pytest.raises(NotInACell) as caught:
        text_of(*codes, names="gone p r f", pipelines="p")
    assert told in f"{caught.value.what} {caught.value.why}"


def test_a_pipeline_with_other_options_is_a_definition():
    assert (
        text_of("p = 1", "f = p.options(jobs=2).named('x')", pipelines="p")
        == "p = 1\nf = p.options(jobs=2).named('x')"
    )
