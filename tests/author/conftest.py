"""A project in a temporary folder, loaded and traced in this process; nothing of it stays behind."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from stepwell.app.places import at
from stepwell.author.params import from_call
from stepwell.author.project import Loaded, find, load
from stepwell.author.trace import trace
from stepwell.errors import StepwellError
from stepwell.kernel.graph import Graph
from stepwell.worker import modules

sys.path.insert(0, str(Path(__file__).parent))  # `code_cases`

HEAD = """\
from __future__ import annotations
from dataclasses import dataclass, field
from pathlib import Path
from typing import *
from stepwell import log, pipeline, source, step

"""


class Project:
    """A folder with a pipeline file."""

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir(exist_ok=True)

    def write(self, text: str, name: str = "pipeline.py", head: str = HEAD) -> Path:
        file = self.root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(head + dedent(text), "utf-8")
        return file

    def load(self, word: str = "") -> Loaded:
        return load(find(word, self.root))

    def graph(self, text: str | None = None, /, word: str = "", **params: Any) -> Graph:
        if text is not None:
            self.write(text)
            word = word or ("main" if "def main(" in text else "")
        loaded = self.load(word)
        with at(self.root):
            return trace(loaded.pipeline, from_call(loaded.pipeline, (), params))

    def refused(self, kind: type[StepwellError], text: str | None = None, /, **params: Any) -> StepwellError:
        """The error of tracing; its place is the line that says `# here`, where one does."""
        with pytest.raises(StepwellError) as caught:
            self.graph(text, **params)
        error = caught.value
        assert type(error) is kind, error
        if text is not None and "# here" in text:
            assert error.where == f"pipeline.py:{self.line('# here')}", error
        assert error.what, error
        assert str(error).startswith(f"error[{kind.code}]"), error
        return error

    def line(self, mark: str, name: str = "pipeline.py") -> int:
        lines = (self.root / name).read_text("utf-8").splitlines()
        return next(i for i, line in enumerate(lines, 1) if mark in line)


@pytest.fixture(autouse=True)
def _nothing_stays(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv("STEPWELL_STORE", raising=False)
    path, meta, home = list(sys.path), list(sys.meta_path), os.getcwd()
    loaded = set(sys.modules)
    yield
    os.chdir(home)
    sys.path[:], sys.meta_path[:] = path, meta
    for importer in modules._importers.values():
        importer.purge()
    modules._importers.clear()
    for name in set(sys.modules) - loaded:
        file = getattr(sys.modules[name], "__file__", None) or ""
        if "/pytest-" in file:
            del sys.modules[name]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path / "project")


@pytest.fixture
def another(tmp_path: Path) -> Callable[[str], Project]:
    return lambda name: Project(tmp_path / name)
