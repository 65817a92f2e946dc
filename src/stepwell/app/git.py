"""Which commit a run was made from, and whether the tree had other changes. Works without git, and without a repository.

Only asks: optional locks, hooks and file-system monitors of a repository that somebody else wrote stay off.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import NamedTuple


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
        self._process: subprocess.Popen[bytes] | None
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
            self._process = None

    def answer(self, patience: float = 10.0) -> Commit:
        """The commit; `Commit()` where there is no repository, no commit yet, or no answer in `patience` seconds."""
        if self._process is None:
            return Commit()
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
