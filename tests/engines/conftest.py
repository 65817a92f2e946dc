"""A small project with steps that behave badly, and an engine on it."""

from __future__ import annotations

import contextlib
import textwrap
import time
from pathlib import Path

import pytest

from stepwell.engines.local import LocalEngine
from stepwell.kernel.graph import RESULT, Constant, OutputDef, StepDef
from stepwell.kernel.ports import Done, Said, Task
from stepwell.stores.blobs import Blobs
from stepwell.testing.engine import drain, ended


class Project:
    """A project's folder with one module `steps`, its store, and engines on it."""

    def __init__(self, folder: Path) -> None:
        self.root, self.store = folder / "project", folder / "store"
        self.root.mkdir()
        self.store.mkdir()
        Blobs(self.store).make()
        self.open = contextlib.ExitStack()
        self.nodes = 0
        self.definitions = {}

    def write(self, text: str, name: str = "steps.py") -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))
        return path

    def engine(self, jobs: int = 2, snapshot=None, **options) -> LocalEngine:
        engine = LocalEngine(self.root, self.store, snapshot or {}, jobs, **options)
        self.open.callback(engine.close)
        return engine

    def task(self, step: str, *, out: str = "", key: str = "", **inputs) -> Task:
        node, self.nodes = self.nodes, self.nodes + 1
        given = {
            name: value if isinstance(value, tuple) else Constant(value, repr(value))
            for name, value in inputs.items()
        }
        key = key or f"{node:064x}"
        return Task(node, f"{step}-{node}", key, self.define(step), tuple(sorted(given.items())), "", out)

    def define(self, step: str, **options) -> StepDef:
        options = {"outputs": (OutputDef(RESULT),), "module": "steps", "qualname": step} | options
        return self.definitions.setdefault((step, str(options)), StepDef(name=step, **options))

    def run(self, engine, *tasks: Task) -> dict[int, Done]:
        return ended(self.reports(engine, *tasks))

    def reports(self, engine, *tasks: Task):
        for task in tasks:
            engine.submit(task)
        return drain(engine, len(tasks))

    def one(self, engine, step: str, **inputs) -> Done:
        task = self.task(step, **inputs)
        return self.run(engine, task)[task.node]

    @staticmethod
    def said(reports, node: int, stream: str = "stdout") -> str:
        return "".join(
            r.text for r in reports if isinstance(r, Said) and r.node == node and r.stream == stream
        )

    @staticmethod
    def value(done: Done):
        """The value of a single output that is plain data."""
        from stepwell.codecs import choose

        assert done.failure is None, done.failure
        made = done.outputs[0]
        return choose.load(Blobs(Path("/nowhere")).held(made.data), made.artifact.codec)

    @staticmethod
    def alive(pid: int) -> bool:
        """Whether a process is there and not a zombie."""
        try:
            return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
        except (FileNotFoundError, ProcessLookupError):
            return False

    @staticmethod
    def gone_within(pids, seconds: float = 2.0) -> bool:
        until = time.monotonic() + seconds
        while any(Project.alive(pid) for pid in pids):
            if time.monotonic() > until:
                return False
            time.sleep(0.01)
        return True


@pytest.fixture
def project(tmp_path):
    project = Project(tmp_path)
    with project.open:
        yield project
