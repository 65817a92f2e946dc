"""A project whose steps are executed in this process; what importing changes is put back."""

from __future__ import annotations

import os
import sys
import textwrap
from pathlib import Path

import pytest

from stepwell.codecs import choose
from stepwell.kernel.graph import RESULT, Constant, OutputDef, StepDef
from stepwell.kernel.ports import Done, Task
from stepwell.stores.blobs import Blobs
from stepwell.worker.execute import Context, execute
from stepwell.worker.modules import FirstParty, Snapshot


@pytest.fixture(autouse=True)
def _same_process_after():
    cwd, path, meta, modules = os.getcwd(), list(sys.path), list(sys.meta_path), set(sys.modules)
    yield
    os.chdir(cwd)
    sys.path[:], sys.meta_path[:] = path, meta
    for name in set(sys.modules) - modules:
        # Libraries that other modules hold on to would be there twice when they are imported again.
        if not name.startswith(("stepwell", "numpy", "pandas", "matplotlib", "mpl_toolkits")):
            del sys.modules[name]


class Bench:
    """Writes modules, executes steps of the module `steps`."""

    def __init__(self, folder: Path) -> None:
        self.root, store = folder / "project", folder / "store"
        self.root.mkdir()
        store.mkdir()
        self.blobs = Blobs(store)
        self.blobs.make()
        self.logged = []
        self.context = None

    def write(self, text: str, name: str = "steps.py") -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))
        return path

    def execute(
        self, name: str, *, out: str = "", shape="single", outputs=(RESULT,), record="", **inputs
    ) -> Done:
        if self.context is None:
            importer = FirstParty([self.root], Snapshot())
            importer.install()
            self.context = Context(
                self.root, self.blobs, importer, self.logged.append, InterruptedError, "so be it"
            )
        step = StepDef(name.rpartition(".")[2], "steps", name, tuple(map(OutputDef, outputs)), shape, record)
        given = {
            n: v if isinstance(v, tuple) and hasattr(v, "_fields") else Constant(v, "")
            for n, v in inputs.items()
        }
        return execute(Task(1, name, "ab" * 32, step, tuple(given.items()), "", out), self.context)

    def value(self, done: Done, index: int = 0):
        assert done.failure is None, done.failure
        artifact, data = done.outputs[index]
        blob = self.blobs.open(artifact.digest) if data is None else self.blobs.held(data)
        return choose.load(blob, artifact.codec)


@pytest.fixture
def bench(tmp_path):
    bench = Bench(tmp_path)
    yield bench
    if bench.context is not None:
        bench.context.close()
