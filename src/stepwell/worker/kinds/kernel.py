"""The process that executes a notebook: `python -m stepwell.worker.kinds.kernel FOLDER`.

The folder holds `job.json`, the values of inputs (`handing`) and a copy of the notebook, which is executed
in place. Afterwards it holds the values of outputs, and `told.json`: what went wrong, or nothing.

A process of its own, so that what a kernel needs (an event loop, sockets, signals) is not in a worker. The
kernel is told to end with this process, however that ends.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from pathlib import Path
from typing import Any

from stepwell.worker.kinds import cellsof, handing

HANDED = "stepwell_inputs"
"""The variable in a notebook that holds inputs which are no plain values."""

_TICK = 0.5
"""Seconds between two looks whether the kernel lives."""

_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")

_BEGIN = """
import ctypes as _c, os as _o, sys as _s
if _s.platform == "linux":
    _c.CDLL(None).prctl(1, 9)
    if _o.getppid() != {parent}:
        _o._exit(1)
_s.path[:0] = [_p for _p in {path} if _p not in _s.path]
from stepwell.worker.kinds import kernel as _k
{handed} = _k.inputs({folder!r}, {names})
del _c, _o, _s, _k
"""

_END = """
from stepwell.worker.kinds import kernel as _k
_k.outputs({folder!r}, {names}, globals())
"""


def inputs(folder: str, names: list[str]) -> dict[str, Any]:
    """In the kernel: the inputs that were handed over."""
    return {name: handing.read(Path(folder), f"in-{name}") for name in names}


def outputs(folder: str, names: list[str], scope: dict[str, Any]) -> None:
    """In the kernel: hand over the values of variables; what is wrong with them is written down."""
    problem: dict[str, str] = {}
    for name in names:
        if name not in scope:
            problem = {
                "what": f"its cells made no `{name}`",
                "why": "no variable has this name after the last cell",
            }
            break
        try:
            handing.write(Path(folder), f"out-{name}", scope[name])
        except Exception as error:  # a codec of the user's may raise anything  # noqa: BLE001
            what = f"`{name}` cannot be handed over: {getattr(error, 'what', None) or error}"
            problem = {"what": what, "why": str(getattr(error, "why", ""))}
            break
    (Path(folder) / "told.json").write_text(json.dumps(problem), "utf-8")


async def execute(folder: Path) -> dict[str, str]:
    """Execute the notebook of a folder; what went wrong, or nothing. The copy is written whatever happens."""
    import nbformat
    from jupyter_client.kernelspec import KernelSpec
    from jupyter_client.manager import AsyncKernelManager
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, DeadKernelError

    class Streaming(NotebookClient):
        """Hands on what cells print while they run."""

        def process_message(self, msg: Any, cell: Any, cell_index: int) -> Any:
            """Also print it."""
            if msg["msg_type"] == "stream":
                stream = sys.stdout if msg["content"]["name"] == "stdout" else sys.stderr
                stream.write(msg["content"]["text"])
                stream.flush()
            return super().process_message(msg, cell, cell_index)

    job = json.loads((folder / "job.json").read_text("utf-8"))
    copy = folder / Path(job["notebook"]).name
    notebook: Any = nbformat.read(str(copy), as_version=4)
    _inject(nbformat, notebook, job)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    manager = AsyncKernelManager(
        connection_file=str(folder / "kernel.json"), transport="ipc", ip=str(folder / "k")
    )
    argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    manager._kernel_spec = KernelSpec(argv=argv, display_name="Python", language="python")
    client = Streaming(
        notebook,
        km=manager,
        timeout=None,
        record_timing=False,
        store_widget_state=False,
        shutdown_kernel="immediate",
        resources={"metadata": {"path": job["root"]}},
    )
    try:
        async with client.async_setup_kernel(cwd=job["root"], cleanup_kc=True):
            await _silently(client, _begin(folder, job))
            wrong = await _cells(client, notebook, CellExecutionError)
            return wrong or await _hand_back(client, folder, job)
    except DeadKernelError:
        return {
            "what": "its kernel died",
            "why": "it was killed, crashed, or ended itself (sys.exit, os._exit)",
        }
    finally:
        nbformat.write(notebook, str(copy))


def _begin(folder: Path, job: dict[str, Any]) -> str:
    root = job["root"]
    places = [root, os.path.join(root, "src"), os.path.dirname(os.path.join(root, job["notebook"]))]
    path = [place for place in dict.fromkeys(places) if os.path.isdir(place)]
    return _BEGIN.format(
        path=path, handed=HANDED, folder=str(folder), names=list(job["values"]), parent=os.getpid()
    )


async def _cells(client: Any, notebook: Any, failed: type[Exception]) -> dict[str, str]:
    """Execute the cells one after the other; what went wrong in one, or nothing."""
    number = 0
    for i, cell in enumerate(notebook.cells):
        is_code = cell.cell_type == "code"
        number += is_code and not cell.metadata.get("stepwell", False)
        try:
            await client.async_execute_cell(cell, i)
        except failed as error:
            said = _ANSI.sub("", getattr(error, "traceback", "") or str(error))
            sys.stderr.write(f"cell {number}:\n{said}\n")
            sys.stderr.flush()
            value = _ANSI.sub("", str(getattr(error, "evalue", "")))
            return {
                "what": f"cell {number} raised {getattr(error, 'ename', 'an error')}: {value}"[:500],
                "why": _line(said),
            }
    return {}


def _line(said: str) -> str:
    """The line of the cell that a traceback of IPython points to."""
    found = re.findall(r"^-+> ?\d+ (.*)$", said, re.MULTILINE)
    return f"in the line `{found[0].strip()}`" if found else ""


async def _hand_back(client: Any, folder: Path, job: dict[str, Any]) -> dict[str, str]:
    await _silently(client, _END.format(folder=str(folder), names=job["outputs"]))
    told = folder / "told.json"
    found: dict[str, str] = json.loads(told.read_text("utf-8"))
    return found


async def _silently(client: Any, source: str) -> None:
    """Execute code that is no cell: it is neither counted nor kept. Raises `RuntimeError` where it fails."""
    reply = asyncio.ensure_future(
        client.kc.execute(source, silent=True, store_history=False, reply=True, timeout=None)
    )
    while not (await asyncio.wait([reply], timeout=_TICK))[0]:
        if not await client.km.is_alive():
            reply.cancel()
            raise RuntimeError("its kernel died")
    content = reply.result()["content"]
    if content["status"] != "ok":
        raise RuntimeError(f"{content.get('ename', '')}: {content.get('evalue', '')}")


def _inject(nbformat: Any, notebook: Any, job: dict[str, Any]) -> None:
    """Put a cell with the inputs behind the one that has the tag, or in front of all."""
    lines = [f"{name} = {value!r}" for name, value in job["atoms"].items()]
    lines += [f"{name} = {HANDED}[{name!r}]  # a {kind}" for name, kind in job["values"].items()]
    if not lines:
        return
    cell = nbformat.v4.new_code_cell(
        "\n".join(lines), metadata={"tags": ["injected-parameters"], "stepwell": True}
    )
    cell["id"] = "stepwell-inputs"
    tagged = [i for i, one in enumerate(notebook.cells) if cellsof.TAG in one.metadata.get("tags", ())]
    notebook.cells.insert(tagged[0] + 1 if tagged else 0, cell)
    if (notebook.nbformat, notebook.nbformat_minor) < (4, 5):
        del cell["id"]


def main() -> int:
    """Execute the notebook of the folder that the command line names."""
    folder = Path(sys.argv[1])
    try:
        problem = asyncio.run(execute(folder))
    except Exception as error:  # what nbclient raises beyond its own classes is told, not shown  # noqa: BLE001
        problem = {
            "what": f"it could not be executed: {type(error).__name__}: {_ANSI.sub('', str(error))[:300]}"
        }
    (folder / "told.json").write_text(json.dumps(problem), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
