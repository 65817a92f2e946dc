"""A notebook executed by Jupyter's own client, as a person would with "restart and run all"; and one that is interrupted."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

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
    "run = study.run(rate=0.8)",
    "run['fit']",
)


def html_of(cell: nbformat.NotebookNode) -> str:
    """The HTML of a cell's value."""
    return "".join(output.get("data", {}).get("text/html", "") for output in cell.outputs)


@pytest.mark.slow
def test_restart_and_run_all(tmp_path: Path) -> None:
    whole = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code) for code in CELLS])
    NotebookClient(whole, timeout=90, resources={"metadata": {"path": str(tmp_path)}}).execute()
    plan, first, second, third, silent, artifact = whole.cells[-6:]
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
    for cell in (first, second, third, silent):
        (progress, *value) = cell.outputs  # however often it was drawn anew, it is one
        assert [progress.output_type, *(one.output_type for one in value)] in (
            ["display_data"],
            ["display_data", "execute_result"],
        )
        assert "succeeded</span> in" in progress.data["text/html"]
        assert "succeeded in" in progress.data["text/plain"]
    assert "<details><summary>" in html_of(silent)
    assert "✓</span> fit" in html_of(silent)
    assert "since r3: rate 0.75 → 0.8" in silent.outputs[0].data["text/plain"]
    assert "0.8,\n 1.6" in html_of(artifact)
    assert artifact.outputs[0].data["text/plain"].startswith("<fit of r4: ")


def shown_until(notebook: Notebook, asked: str, wanted: str) -> tuple[set[str], str]:
    """The ids of the displays of a cell, and the newest text, once that has some words in it."""
    displays: set[str] = set()
    while True:
        message: Any = notebook.client.get_iopub_msg(timeout=60)
        if message["parent_header"].get("msg_id") == asked and "transient" in message["content"]:
            displays.add(message["content"]["transient"]["display_id"])
            text = message["content"]["data"]["text/plain"]
            if wanted in text:
                return displays, text


@pytest.mark.slow
def test_errors_and_interrupts(tmp_path: Path) -> None:
    notebook = Notebook(tmp_path)
    try:
        notebook.cells(
            "import time\nfrom pathlib import Path\nfrom stepwell import pipeline, step",
            "@step\ndef wait(n: int) -> int:\n    Path('began').touch()\n    time.sleep(60)\n    return n",
            "@step\ndef more(n: int) -> int:\n    return n",
            "@pipeline\ndef slow(n: int) -> int:\n    return more(wait(n))",
            "def asked():\n    return slow.run('x')",
        )
        shown = notebook.execute("asked()")
        assert "BadParameter" in shown.error
        assert "error[E" in shown.error
        assert "in asked" in shown.error  # the way through the user's own code
        assert "stepwell/app" not in shown.error
        assert "stepwell/author" not in shown.error
        asked = notebook.client.execute("run = slow.run(1)")
        displays, text = shown_until(notebook, asked, "wait  ")
        assert "0 of 2 steps" in text  # what is going on is shown while it is
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
        assert shown_until(notebook, asked, "r1 interrupted in")[0] <= displays  # in the same place
        assert notebook.ask("run.status") == "interrupted"
        assert "interrupted" in notebook.execute("run").html
        assert notebook.ask("slow.plan(1).counts['run']") == 2  # the kernel goes on, and so does the store
    finally:
        notebook.stop()
