"""What the verbs share that do a step again: their words, `STEP [RUN]`, and a process like a worker's."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from stepwell.author.project import find
from stepwell.author.root import root_of
from stepwell.cli import text
from stepwell.errors import UsageError

_RUN = re.compile(r"r?\d+|last(?:~\d+)?|g\d+")


class StepAndRun(NamedTuple):
    """A step's id or name, and a run, "" where none was named."""

    step: str
    run: str


def step_and_run(verb: str, plain: Sequence[str]) -> StepAndRun:
    """The words told apart. Raises `UsageError`."""
    if not plain:
        raise UsageError("no step is named", fixes=[f"stepwell {verb} STEP"])
    if len(plain) > 2:
        raise UsageError(
            f"`{verb}` takes one step and one run, and got {', '.join(plain)}",
            fixes=[f"stepwell {verb} STEP [RUN]"],
        )
    first, second = (*plain, "")[:2]
    if second and _RUN.fullmatch(first) and not _RUN.fullmatch(second):
        first, second = second, first
    return StepAndRun(first, second)


def project_root_of(pipeline: str) -> Path:
    """The root of the project that a command works on: that of the pipeline's file where one is named."""
    return find(pipeline, Path.cwd()).root if pipeline else root_of(Path.cwd())


def like_a_worker(folder: str | None) -> None:
    """Begin this command anew with the hashes that workers have, so that sets of text iterate as in a run.

    Nothing is done where the environment says what hashes are, and where the process is not the
    command's own (a program called `main`). `folder` is what `-C` said: it has been entered already.
    """
    if "PYTHONHASHSEED" in os.environ or not sys.flags.hash_randomization or not _is_the_command():
        return
    words = sys.orig_argv[1:]
    if folder is not None:
        words = _without_folder(words)
    sys.stdout.flush()
    sys.stderr.flush()
    text.leave_documents()
    os.execve(sys.executable, [sys.executable, *words], {**os.environ, "PYTHONHASHSEED": "0"})


def _is_the_command() -> bool:
    """Whether this process was started as `stepwell ...` or `python -m stepwell.cli.main ...`."""
    started: Any = sys.modules.get("__main__")
    name = getattr(getattr(started, "__spec__", None), "name", "")
    entry = getattr(getattr(started, "command", None), "__module__", "")
    return "stepwell.cli.main" in (name, entry)


def _without_folder(words: Sequence[str]) -> list[str]:
    """The words without `-C DIR`, in any of its spellings."""
    out: list[str] = []
    before = ""
    for word in words:
        if before not in ("-C", "--directory") and not re.match(r"-C|--directory(=|$)", word):
            out.append(word)
        before = "" if before in ("-C", "--directory") else word
    return out
