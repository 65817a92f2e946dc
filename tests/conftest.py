"""What all tests share: no test module leaves modules of its throw-away projects behind for the next one."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

HERE = str(Path(__file__).parent)


@pytest.fixture(scope="module", autouse=True)
def _own_modules(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Forget, before and after, what was imported from temporary folders: many projects have a `steps.py`."""
    held = {name: module for name, module in sys.modules.items() if is_below(module, HERE)}
    forget(str(tmp_path_factory.getbasetemp().parent))
    yield
    forget(str(tmp_path_factory.getbasetemp().parent))
    sys.modules.update(held)  # a project that was run in this process may have imported its surroundings anew


def is_below(module: object, folder: str) -> bool:
    """Whether a module's file, or its folder, lies below a folder."""
    place = getattr(module, "__file__", None) or next(iter(getattr(module, "__path__", None) or ()), "")
    return str(place).startswith(folder)


def forget(folder: str) -> None:
    """Take modules whose files lie below a folder out of `sys.modules`, and their roots off `sys.path`."""
    for name, module in list(sys.modules.items()):
        if name != "__main__" and is_below(module, folder):
            del sys.modules[name]
    sys.path[:] = [path for path in sys.path if not path.startswith(folder)]
