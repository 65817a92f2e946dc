"""Which commit a run was made from, whether the tree had other changes, and which. Works without git, and without a repository.

Only asks: optional locks, hooks and file-system monitors of a repository that somebody else wrote stay off.
"""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import IO, TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import subprocess


LONGEST = 1 << 20
"""Bytes of a diff that are kept."""

CUT = "\\ the rest was not kept: more than 1 MB\n"
"""The last line of a diff that is not whole. No diff has such a line of its own."""

_QUIET = ("-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null")
"""What keeps programs from running that somebody else's repository names."""

_ALIKE = ("-c", "diff.noprefix=false", "-c", "diff.mnemonicPrefix=false", "-c", "diff.interHunkContext=0")
"""What makes diffs look alike, whatever a person has configured."""


NO_CODE: Mapping[str, bytes] = MappingProxyType({})


class Commit(NamedTuple):
    """A commit's id, "" where there is none; `dirty` if tracked or new files differ from it."""

    id: str = ""
    dirty: bool = False


class Question:
    """`git status`, started at once and read when the answer is needed."""

    def __init__(self, root: Path) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        if not in_repository(root):
            return
        import subprocess  # a tenth of what an unchanged run costs

        self._process = _started([*_QUIET, "status", "--porcelain=v2", "--branch"], root, subprocess.PIPE)

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


class Difference:
    """`git diff HEAD` of the files below a folder, going on beside a run; asked for now and then until it is there.

    `code` are files of code by their names below the folder; those that git neither knows nor ignores are in the
    difference as new ones. No program runs that the repository names (external diffs, converters of text), and nothing is written to it.
    """

    PAUSE = 0.05
    """Seconds between two looks."""

    def __init__(self, root: Path, code: Mapping[str, bytes] = NO_CODE) -> None:
        import tempfile

        self._root, self._code = root, code
        self._file: IO[bytes] = tempfile.TemporaryFile()  # a pipe would fill up  # noqa: SIM115
        words = ["diff", "HEAD", "--no-ext-diff", "--no-textconv", "--no-color", "--no-renames", "-U3"]
        self._process = _started(
            [*_QUIET, *_ALIKE, *words, "--ignore-submodules=dirty", "--", "."], root, self._file
        )
        names = ["--literal-pathspecs", "ls-files", "--others", "--exclude-standard", "-z", "--", *code]
        self._names = tempfile.TemporaryFile()  # noqa: SIM115
        self._asked = _started([*_QUIET, *names], root, self._names) if code else None
        self._next = 0.0
        self._over = self._process is None

    def text(self, patience: float = 0.0) -> str:
        """The diff, once; "" as long as it is not there, and from then on. Waits for at most `patience` seconds."""
        if self._over or self._process is None or (not patience and time.monotonic() < self._next):
            return ""
        import subprocess

        try:
            self._process.wait(patience)
            if self._asked is not None:
                self._asked.wait(patience)
        except subprocess.TimeoutExpired:
            self._next = time.monotonic() + self.PAUSE
            return ""
        self._over = True
        self._file.seek(0)
        self._names.seek(0)
        known = self._file.read(LONGEST + 1) if self._process.returncode == 0 else b""
        return _diff_text(
            known + self._new(self._names.read().decode("utf-8", "surrogateescape").split("\0"))
        )

    def _new(self, names: list[str]) -> bytes:
        """The files of code among these, as a diff has files that are new."""
        top = next(
            (folder for folder in (self._root, *self._root.parents) if os.path.lexists(folder / ".git")),
            self._root,
        )
        found = [(name, self._code[name]) for name in sorted(names) if name in self._code]
        return b"".join(
            _as_new(self._root / name, os.fspath((self._root / name).relative_to(top)), data)
            for name, data in found
        )

    def close(self) -> None:
        """End it, whether or not it was done."""
        self._over = True
        for process in (self._process, self._asked):
            if process is not None and process.poll() is None:
                process.kill()
                process.wait()
        self._file.close()
        self._names.close()


def _as_new(path: Path, name: str, data: bytes) -> bytes:
    """A file as `git diff` has one that is new, by its name in the repository; b"" of one that is no text."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return b""
    if "\0" in text:
        return b""
    lines = text.split("\n")
    rest = ["\\ No newline at end of file"] if lines[-1] else []
    lines = lines if lines[-1] else lines[:-1]
    a, b = _spelled(f"a/{name}"), _spelled(f"b/{name}")
    import hashlib  # loads OpenSSL, and few commands come here

    blob = hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()
    mode = "100755" if os.access(path, os.X_OK) else "100644"
    head = [f"diff --git {a} {b}", f"new file mode {mode}", f"index 0000000..{blob[:7]}"]
    if lines:
        head += ["--- /dev/null", f"+++ {b}", f"@@ -0,0 +{'1' if len(lines) == 1 else f'1,{len(lines)}'} @@"]
    return "\n".join([*head, *(f"+{line}" for line in lines), *rest, ""]).encode()


def _spelled(name: str) -> str:
    """A name as git writes it in a diff: in quotes where it has characters that are not plain."""
    data = os.fsencode(name)
    text = "".join(chr(one) if 32 < one < 127 and one not in b'"\\' else f"\\{one:03o}" for one in data)
    return name if text == name else f'"{text}"'


def _diff_text(data: bytes) -> str:
    """A diff as text, cut after a whole line where it is too long."""
    if len(data) > LONGEST:
        return data[: data.rfind(b"\n", 0, LONGEST) + 1].decode("utf-8", "backslashreplace") + CUT
    return data.decode("utf-8", "backslashreplace")


def _started(
    words: list[str], root: Path, out: int | IO[bytes], *, asked: bool = False
) -> subprocess.Popen[bytes] | None:
    """A git command, started in a folder, `asked` on its stdin or not; None where there is no git on this machine."""
    import subprocess

    surroundings = {**os.environ, "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}
    surroundings.pop("GIT_EXTERNAL_DIFF", None)
    try:
        return subprocess.Popen(
            ["git", *words],
            cwd=root,
            stdin=subprocess.PIPE if asked else subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.DEVNULL,
            env=surroundings,
        )
    except OSError:
        return None


def in_repository(root: Path) -> bool:
    """Whether git could find one: asking it costs a process."""
    folders = (root, *root.parents)
    return "GIT_DIR" in os.environ or any(os.path.lexists(folder / ".git") for folder in folders)


def blob_of(root: Path, commit: str, name: str) -> str:
    """A text file below the project's root as a commit (hexadecimal) has it; "" where git cannot tell within a few seconds."""
    try:
        return (_answer(root, "blob", f"{commit}:./{name}") or b"").decode("utf-8")
    except UnicodeDecodeError:  # no text
        return ""


def bytes_of(root: Path, commit: str, name: str) -> bytes | None:
    """A file below the project's root as a commit (hexadecimal) has it; None where it has none, or git cannot tell."""
    return _answer(root, "blob", f"{commit}:./{name}")


def has_commit(root: Path, commit: str) -> bool:
    """Whether a commit (hexadecimal) is in the repository that a folder is in."""
    return _answer(root, "commit", commit) is not None


def unignored(root: Path, names: Sequence[str]) -> list[str]:
    """The files and folders, there or not, that git would take for new ones; none where git cannot tell."""
    if not names or not in_repository(root):
        return []
    either = [spelled for name in names for spelled in (name, f"{name}/")]  # a rule may be for folders only
    ignored = _said(root, ["check-ignore", "-z", "--stdin"], either, good=(0, 1))
    tracked = _said(root, ["--literal-pathspecs", "ls-files", "-z", "--", *names])
    if ignored is None or tracked is None:
        return []
    hidden = {name.rstrip("/") for name in ignored}
    return [
        name
        for name in names
        if name not in hidden and not any(one == name or one.startswith(f"{name}/") for one in tracked)
    ]


def _said(
    root: Path, words: Sequence[str], names: Sequence[str] = (), good: Collection[int] = (0,)
) -> list[str] | None:
    """The names that a git command says of those on its stdin; None where it cannot within a few seconds."""
    import subprocess

    process = _started([*_QUIET, *words], root, subprocess.PIPE, asked=True)
    if process is None:
        return None
    try:
        out, _ = process.communicate(b"".join(os.fsencode(name) + b"\0" for name in names), timeout=5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return None
    return os.fsdecode(out).split("\0")[:-1] if process.returncode in good else None


def _answer(root: Path, kind: str, what: str) -> bytes | None:
    """An object of git's, None where git cannot tell within a few seconds."""
    if not in_repository(root):
        return None
    import subprocess

    process = _started([*_QUIET, "cat-file", kind, what], root, subprocess.PIPE)
    if process is None:
        return None
    try:
        out, _ = process.communicate(timeout=5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return None
    return None if process.returncode else out
