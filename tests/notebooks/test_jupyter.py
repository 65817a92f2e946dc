"""A notebook executed by Jupyter's own client, as a person would with "restart and run all"; and one that is interrupted."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

sys.path.insert(0, str(Path(__file__).parent.parent / "author"))

from notebooks import Notebook

CELLS = (
    "from stepwell import log, pipeline, step",
    (
        "@step\ndef fit(rate: float, text: str) -> list[float]:\n"
        "    for at in range(20):\n        log.metric('loss', rate / (at + 1), step=at)\n"
        "    log.table('best', [{'rate': rate, '<b>': text}])\n    return [rate, rate * 2]"
    ),
    "@step\ndef score(model: list[float]) -> float:\n    log.metric('accuracy', sum(model))\n    return sum(model)",
    (
        "@pipeline\ndef study(rate: float = 0.5, text: str = '<script>alert(1)</script>') -> float:\n"
        "    return score(fit(rate, text))"
    ),
    "study.plan()",
    "study.run()",
    "study.run(rate=0.75)",
    "study.run(rate=0.75)",
)


def html_of(cell: nbformat.NotebookNode) -> str:
    """The HTML of a cell's value."""
    return "".join(output.get("data", {}).get("text/html", "") for output in cell.outputs)


@pytest.mark.slow
def test_restart_and_run_all(tmp_path: Path) -> None:
    whole = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code) for code in CELLS])
    NotebookClient(whole, timeout=90, resources={"metadata": {"path": str(tmp_path)}}).execute()
    plan, first, second, third = whole.cells[-4:]
    assert "2 steps: 2 run" in html_of(plan)
    assert "<svg" in html_of(plan)
    assert "✓ succeeded" in html_of(first)
    assert "loss" in html_of(first)
    assert "best" in html_of(first)
    assert "since r1" in html_of(second)
    assert "▲ 0.75, better" in html_of(second)
    assert html_of(third).count("○ reused") >= 2
    for cell in (plan, first, second, third):
        assert "<script" not in html_of(cell)
        assert "&lt;script&gt;" in html_of(cell)
        assert cell.outputs[-1].data["text/plain"]  # for front ends that show text only


@pytest.mark.slow
def test_errors_and_interrupts(tmp_path: Path) -> None:
    notebook = Notebook(tmp_path)
    try:
        notebook.cells(
            "import time\nfrom pathlib import Path\nfrom stepwell import pipeline, step",
            "@step\ndef wait(n: int) -> int:\n    Path('began').touch()\n    time.sleep(60)\n    return n",
            "@pipeline\ndef slow(n: int) -> int:\n    return wait(n)",
            "def asked():\n    return slow.run('x')",
        )
        shown = notebook.execute("asked()")
        assert "BadParameter" in shown.error
        assert "error[E" in shown.error
        assert "in asked" in shown.error  # the way through the user's own code
        assert "stepwell/app" not in shown.error
        assert "stepwell/author" not in shown.error
        asked = notebook.client.execute("run = slow.run(1)")
        for _ in range(300):
            if (tmp_path / "began").exists():
                break
            time.sleep(0.1)
        notebook.manager.interrupt_kernel()
        while True:
            reply = notebook.client.get_shell_msg(timeout=60)
            if reply["parent_header"].get("msg_id") == asked:
                break
        assert reply["content"]["status"] == "ok"
        assert notebook.ask("run.status") == "interrupted"
        assert "interrupted" in notebook.execute("run").html
        assert notebook.ask("slow.plan(1).counts['run']") == 1  # the kernel goes on, and so does the store
    finally:
        notebook.stop()
