"""A notebook in a real kernel: cells are executed, outputs come back."""

from __future__ import annotations

import json
import os
from pathlib import Path
from tempfile import TemporaryDirectory
from textwrap import dedent
from typing import Any, NamedTuple


class Shown(NamedTuple):
    """What a cell put out: printed text, the text and HTML of its value, and the error that it raised.

    `display` is what displays beside the value show at the end, as text.
    """

    text: str
    value: str
    html: str
    error: str
    display: str = ""


class Notebook:
    """A kernel that executes the cells of one notebook in a folder."""

    def __init__(self, folder: Path, name: str = "analysis.ipynb") -> None:
        self.sockets = TemporaryDirectory(prefix="kernel")  # paths of sockets must be short
        self.running = False
        self.open(folder, name)

    def open(self, folder: Path, name: str) -> None:
        """A new kernel for a notebook; without a name, as from a front end that does not tell."""
        if self.running:
            self.stop()
        self.folder = folder
        self.environment = {**os.environ, "JPY_SESSION_NAME": str(folder / name) if name else ""}
        self.start()

    def start(self) -> None:
        """A new kernel, by this interpreter."""
        from jupyter_client.manager import KernelManager

        self.manager = KernelManager(transport="ipc", ip=os.path.join(self.sockets.name, "kernel"))
        self.manager.start_kernel(cwd=str(self.folder), env=self.environment)
        self.client = self.manager.client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=60)
        self.running = True

    def restart(self) -> None:
        """A new kernel in place of this one."""
        self.stop()
        self.start()

    def stop(self) -> None:
        """End the kernel."""
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)
        self.running = False

    def execute(self, code: str) -> Shown:
        """Execute a cell to its end."""
        asked = self.client.execute(dedent(code).strip("\n"))
        text, value, html, error = [], "", "", ""
        displays: dict[str, str] = {}
        while True:
            message: Any = self.client.get_iopub_msg(timeout=60)
            if message["parent_header"].get("msg_id") != asked:
                continue
            kind, content = message["msg_type"], message["content"]
            if kind == "stream":
                text.append(content["text"])
            elif kind == "execute_result":
                value = content["data"].get("text/plain", "")
                html = content["data"].get("text/html", "")
            elif kind in ("display_data", "update_display_data"):
                displays[content["transient"].get("display_id", "")] = content["data"].get("text/plain", "")
            elif kind == "error":
                error = "\n".join([f"{content['ename']}: {content['evalue']}", *content["traceback"]])
            elif kind == "status" and content["execution_state"] == "idle":
                return Shown("".join(text), value, html, error, "\n".join(displays.values()))

    def cells(self, *codes: str) -> None:
        """Execute cells that must not fail."""
        for code in codes:
            shown = self.execute(code)
            assert not shown.error, shown.error

    def ask(self, expression: str) -> Any:
        """The value of an expression, as JSON carries it."""
        shown = self.execute(f"import json as _json\nprint('\\x02' + _json.dumps({expression}))")
        assert not shown.error, shown.error
        return json.loads(shown.text.rpartition("\x02")[2])

    def run(self, call: str = "delays.run()") -> dict[str, str]:
        """What became of each step of a run."""
        self.cells(f"_run = {call}")
        return self.ask("{name: step.status for name, step in _run.steps.items()}")  # type: ignore[no-any-return]
