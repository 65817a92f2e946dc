"""What all tests share: no test module leaves modules or secrets of its throw-away projects behind for the next one.

And nothing is skipped quietly: where `CI` is set, a test that is skipped for another reason than those of
`MAY_BE_SKIPPED` has failed.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

HERE = str(Path(__file__).parent)

MAY_BE_SKIPPED = (
    "there is no Graphviz",  # which no package of ours brings
    "all other tests run as an ordinary user already",
    "ORDINARY USERS ARE NOT TESTED",  # every interpreter lies where only root may go
    "this file system has only UTF-8 names",
    "needs a mount namespace; the limit on the size of files stands in for it",
)
"""How reasons begin that say something of the machine, not of what was forgotten to be installed."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Iterator[None]:
    """A test that is skipped in CI has failed, but for a few reasons."""
    return _not_skipped((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Iterator[None]:
    """So has a module."""
    return _not_skipped((yield))


def _not_skipped(report: Any) -> Any:
    if os.environ.get("CI") and report.outcome == "skipped" and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2].removeprefix("Skipped: ") if isinstance(report.longrepr, tuple) else ""
        if not reason.startswith(MAY_BE_SKIPPED):
            report.outcome = "failed"
            report.longrepr = f"skipped in CI, where nothing is to be missing: {reason}"
    return report


@pytest.fixture(scope="module", autouse=True)
def _own_modules(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Forget, before and after, what was imported from temporary folders: many projects have a `steps.py`.

    And what finds modules there, and the secrets that were revealed to this process, which is masking them since.
    """
    held = {name: module for name, module in sys.modules.items() if is_below(module, HERE)}
    forget(str(tmp_path_factory.getbasetemp().parent))
    yield
    forget(str(tmp_path_factory.getbasetemp().parent))
    if (modules := sys.modules.get("stepwell.worker.modules")) is not None:
        for finder in modules._ours():
            sys.meta_path.remove(finder)
        for importer in modules._importers.values():  # their projects may lie anywhere, and be gone
            importer.leave()
        modules._importers.clear()
    sys.modules.update(held)  # a project that was run in this process may have imported its surroundings anew
    if (secrets := sys.modules.get("stepwell.worker.secrets")) is not None:
        secrets.forms.__init__()


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
