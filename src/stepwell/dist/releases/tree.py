"""A project's folder as git has it: the commit, what differs from it, the files that belong to it, the versions it was tagged with.

tree = tree_of(root, apart=[root / "dist"])
tree.commit, tree.dirty          # "" and () outside of git

Only asks: hooks and file-system monitors of a repository that somebody else wrote stay off.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from stepwell.errors import GitFailed

PATIENCE = 60
"""Seconds that git is waited for."""


class Tree(NamedTuple):
    """What git says of a folder; all names are relative to it, with `/`.

    `commit` is "" where there is none. `dirty` are files that differ from it, or are new and not ignored. `files` are all that
    belong to the project, new ones with code among them. `tags` are those of the commits that this one comes from, each with its commit.
    """

    commit: str = ""
    dirty: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    tags: tuple[tuple[str, str], ...] = ()

    @property
    def known(self) -> bool:
        """Whether the folder belongs to a repository, which says what belongs to the project."""
        return bool(self.files)


def tree_of(root: Path, apart: Iterable[Path] = ()) -> Tree:
    """Ask git about a folder. `apart` are folders whose files do not count: what is built there. Raises `GitFailed`."""
    if not any(os.path.lexists(folder / ".git") for folder in (root, *root.parents)):
        return Tree()
    beside = tuple(
        f"{folder.relative_to(root).as_posix()}/" for folder in apart if folder.is_relative_to(root)
    )
    prefix = _git(root, "rev-parse", "--show-prefix").rstrip("\n")
    known = [name for name in _git(root, "ls-files", "-z", "--cached").split("\0") if name]
    new = _git(root, "ls-files", "-z", "--others", "--exclude-standard").split("\0")
    if not known and not any(new):  # a folder that the repository around it ignores
        return Tree()
    # Of files that nobody has added only code is released: others may be anybody's notes.
    names = sorted({*known, *[name for name in new if name.endswith(".py")]})
    commit = _git(root, "rev-parse", "--verify", "--quiet", "HEAD^{commit}", may_fail=True).strip()
    status = _git(root, "status", "--porcelain=v1", "-z", "--untracked-files=all", "--no-renames", "--", ".")
    changed = sorted(line[3:].removeprefix(prefix) for line in status.split("\0") if line)
    return Tree(
        commit,
        tuple(name for name in changed if not name.startswith((*beside, ".stepwell/"))),
        tuple(name for name in names if not name.startswith((*beside, ".stepwell/"))),
        tuple(_tags(root)) if commit else (),
    )


def _tags(root: Path) -> Iterable[tuple[str, str]]:
    """Every tag that this commit comes from, and the commit it stands at."""
    shape = "--format=%(refname:strip=2)%00%(objectname)%00%(*objectname)"
    for line in _git(root, "for-each-ref", shape, "--merged", "HEAD", "refs/tags").splitlines():
        name, own, commit = line.split("\0")
        yield name, commit or own


def _git(root: Path, *words: str, may_fail: bool = False) -> str:
    """What git prints. Raises `GitFailed`; with `may_fail` gives "" instead."""
    quiet = ["-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", "-c", "core.quotePath=false"]
    surroundings = {**os.environ, "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}
    try:
        done = subprocess.run(
            ["git", *quiet, *words], cwd=root, env=surroundings, stdin=subprocess.DEVNULL, capture_output=True,
            timeout=PATIENCE, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise GitFailed(
            "git cannot be asked about this project",
            why=f"{error}: a release says which commit it was made of",
            fixes=["install git", "git status"],
        ) from None
    if done.returncode:
        if may_fail:
            return ""
        said = " ".join(done.stderr.decode("utf-8", "replace").split())[:300]
        raise GitFailed("git cannot say what is in this project", why=said, fixes=["git status"])
    return done.stdout.decode("utf-8", "surrogateescape")
