"""What every plan asks of a project's manifest: a light part of it, which costs projects that have none next to nothing.

    settings = settings_of(root)            # or `settings_of(root, file)` of a single file with a header
    settings.environment

`author.manifest` has the rest, and checks all of it where there is one.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stepwell.author.written import written_of
from stepwell.named import NamedTuple

NOTHING: Mapping[str, Any] = {}


class Rules(NamedTuple):
    """What is checked before a run, where the command line does not say: `[tool.stepwell.plan]`."""

    depth: str = ""
    only: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    outside: tuple[str, ...] = ()


class Settings(NamedTuple):
    """What a plan or run asks. `file` is the name of the file that says it, "" where none does; `hooks` are as written."""

    file: str = ""
    environment: str = "default"
    checks: tuple[str, ...] = ()
    plan: Rules = Rules()
    params: Mapping[str, Any] = NOTHING
    hooks: Mapping[str, Any] = NOTHING
    workspace: tuple[str, ...] = ()
    containers: str = ""


def settings_of(root: Path, file: Path | None = None) -> Settings:
    """The settings of the project with this root, or of a single `file` that has its own in its header.

    Raises `BadSettings` (`BadHook` for a hook that there is not), `SeveralProblems`: the manifest is checked whole.
    """
    written = written_of(root, file)
    if written is None:
        return Settings()
    if not written.table:
        return Settings(written.file.name)
    from stepwell.author.manifest import (
        checked,
    )  # msgspec takes milliseconds, and most projects have no manifest

    found = checked(written)
    return Settings(
        written.file.name,
        found.environment,
        found.checks,
        Rules(found.plan.depth, found.plan.only, found.plan.without, found.plan.outside),
        found.params,
        written.table.get("hooks", NOTHING),
        found.workspace,
        found.containers,
    )
