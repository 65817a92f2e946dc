"""Which commit a run was made from, and whether the tree had other changes. Works without git, and without a repository.

Only asks: optional locks, hooks and file-system monitors of a repository that somebody else wrote stay off.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import subprocess


class Commit(NamedTuple):
    """A commit's id, "" where there is none; `dirty` if tracked or new files differ from it."""

    id: str = ""
    dirty: bool = False


class Question:
    """`git status`, started at once and read when the answer is needed."""

    def __init__(self, root: Path) -> None:
        words = [
            "git",
            "-c",
            "core.fsmonitor=false",
            "-c",
            "core.hooksPath=/dev/null",
            "status",
            "--porcelain=v2",
            "--branch",
        ]
        surroundings = {**os.environ, "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}
        self._process: subprocess.Popen[bytes] | None = None
        if not _in_repository(root):
            return
        import subprocess  # a tenth of what an unchanged run costs

        try:
            self._process = subprocess.Popen(
                words,
                cwd=root,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=surroundings,
            )
        except OSError:  # no git on this machine
            return

    def answer(self, patience: float = 10.0) -> Commit:
        """The commit; `Commit()` where there is no repository, no commit yet, or no answer in `patience` seconds."""
        if self._process is None:
            return Commit()
        import subprocess

        try:
            out, _ = self._process.communicate(timeout=patience)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()
            return Commit()
        if self._process.returncode:
            return Commit()
        lines = out.decode("utf-8", "replace").splitlines()
        oid = next((line.split()[-1] for line in lines if line.startswith("# branch.oid ")), "")
        dirty = any(line and not line.startswith("#") for line in lines)
        return Commit("" if oid == "(initial)" else oid, dirty)


def _in_repository(root: Path) -> bool:
    """Whether git could find one: asking it costs a process."""
    folders = (root, *root.parents)
    return "GIT_DIR" in os.environ or any(os.path.lexists(folder / ".git") for folder in folders)
