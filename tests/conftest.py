"""What all tests share: no test module leaves modules of its throw-away projects behind for the next one."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest


@pytest.fixture(scope="module", autouse=True)
def _own_modules(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Forget, before and after, what was imported from temporary folders: many projects have a `steps.py`."""
    forget(str(tmp_path_factory.getbasetemp().parent))
    yield
    forget(str(tmp_path_factory.getbasetemp().parent))


def forget(folder: str) -> None:
    """Take modules whose files lie below a folder out of `sys.modules`, and their roots off `sys.path`."""
    for name, module in list(sys.modules.items()):
        place = getattr(module, "__file__", None) or next(iter(getattr(module, "__path__", ())), "")
        if name != "__main__" and str(place).startswith(folder):
            del sys.modules[name]
    sys.path[:] = [path for path in sys.path if not path.startswith(folder)]
