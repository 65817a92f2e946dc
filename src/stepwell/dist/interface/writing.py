"""`data.py` and `data.pyi`, written together with the lock; whose they are, and where.

    wanted = interface_of(root, file, lock)       # what should be there; None where the manifest names no data
    wanted.refuse()                               # raises InterfaceTaken before anything is written
    wanted.write()                                # both or none
    wanted.stale()                                # the names of those that say something else

They lie where the project's code imports them: in its package (`src/churn/data.py`) if it has one, else in its root,
beside a single file with a header. `[tool.stepwell] interface = "src/churn/inputs.py"` says another place.
"""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path
from typing import NamedTuple

from stepwell.author.manifest import Manifest, manifest_of
from stepwell.author.where import short
from stepwell.author.written import written_of
from stepwell.dist.interface.modules import entries_of, module_of, stub_of
from stepwell.dist.lock import Lock
from stepwell.dist.lockfile import NAME as USUAL
from stepwell.dist.lockfile import lock_path, read
from stepwell.errors import InterfaceTaken, InterfaceUnwritable, LockStale
from stepwell.stores.durable import replace
from stepwell.worker.hiding import MARK

NAME = "data.py"

OTHER = 'choose another module in the manifest: interface = "inputs.py"'

_LOCK = re.compile(r'\block="([^"\n]+)"')
"""Whose data a module has, where that is not of `stepwell.lock`."""


class Change(NamedTuple):
    """A file, what it holds (None: it is not there), and what it is to hold."""

    file: Path
    before: bytes | None
    after: bytes

    def apply(self) -> None:
        """Write it, whole or not at all. Raises `OSError`, also where somebody else has changed it since it was read."""
        if _bytes(self.file) != self.before:
            raise OSError(errno.EBUSY, "somebody else has changed it just now", str(self.file))
        if self.before != self.after:
            if self.before is not None and not os.access(self.file, os.W_OK):
                raise PermissionError(errno.EACCES, "it may not be written to", str(self.file))
            replace(self.file, self.after)

    def undo(self) -> None:
        """Give the file back what it held. Raises `OSError`."""
        if self.before is None:
            self.file.unlink(missing_ok=True)
        elif self.before != self.after:
            replace(self.file, self.before)


class Interface(NamedTuple):
    """What `data.py` and its stub are to be, for the data of which lock."""

    changes: tuple[Change, ...]
    lock: str

    @property
    def file(self) -> Path:
        """The module."""
        return self.changes[0].file

    def refuse(self) -> None:
        """Raises `InterfaceTaken` where one of the files is not Stepwell's."""
        for change in self.changes:
            if change.before is not None and MARK.encode() not in change.before:
                name = short(str(change.file))
                raise InterfaceTaken(
                    f"`{name}` is not Stepwell's, and named data would be imported from it",
                    why="what somebody has written is never written over",
                    fixes=["rename it", OTHER],
                )
        for other in _owners((self.changes[0].before or b"").decode("utf-8", "replace")):
            if other != self.lock:
                raise InterfaceTaken(
                    f"`{short(str(self.file))}` has the data of `{other}`",
                    why=f"two manifests of one folder cannot have one module, and this is about `{self.lock}`",
                    fixes=[OTHER, f"rm {short(str(self.file))}, if the other is no more"],
                )

    def stale(self) -> list[str]:
        """The names of the files that do not hold what they should."""
        return [short(str(one.file)) for one in self.changes if one.before != one.after]

    def refuse_stale(self, again: str) -> None:
        """Raises `LockStale` where one of the files is not there, or says something else; `again` is the command that writes them."""
        if names := self.stale():
            raise LockStale(
                f"{' and '.join(f'`{name}`' for name in names)} {'says' if len(names) == 1 else 'say'} something else"
                " than manifest and lock",
                why="editors and type checkers would complete what is not there",
                fixes=[again],
            )

    def write(self) -> bool:
        """Write what is to be changed, both or none; gives whether anything was. Raises `InterfaceTaken`, `InterfaceUnwritable`."""
        self.refuse()
        try:
            all_or_none(self.changes)
        except OSError as error:
            raise unwritable(self.file, error) from None
        return bool(self.stale())


def interface_of(root: Path, file: Path | None, lock: Lock) -> Interface | None:
    """What the interface of a project is to be, or of a single `file` with a header; None where its manifest names no data.

    Raises `BadSettings`, `SeveralProblems` for a manifest that is wrong.
    """
    own = _own(root, file)
    manifest = manifest_of(root, own)
    return interface_for(root, own, manifest, lock) if manifest.data else None


def interface_for(root: Path, file: Path | None, manifest: Manifest, lock: Lock) -> Interface:
    """The same of a manifest that is read already, or is not written yet. `file` is a single file with a header, or None."""
    place = place_of(root, file, manifest)
    entries = entries_of(manifest, lock)
    locked = Path(os.path.relpath(lock_path(root, file), root)).as_posix()
    texts = (module_of(entries, locked), stub_of(entries))
    files = (place, place.with_suffix(".pyi"))
    changes = (Change(one, _bytes(one), text.encode()) for one, text in zip(files, texts, strict=True))
    return Interface(tuple(changes), locked)


def _owners(text: str) -> set[str]:
    """The locks whose data a module has."""
    usual = {USUAL} if "_interface.dataset(" in text else set()
    return {*_LOCK.findall(text)} or usual


def ensure(root: Path, file: Path | None) -> None:
    """Write the interface of a project whose module does not say what the manifest names, with what is locked so far.

    Its pipelines import it, and could not be locked otherwise. Raises as `interface_of`, `BadLock`, `InterfaceTaken`,
    `InterfaceUnwritable`.
    """
    own = _own(root, file)
    manifest = manifest_of(root, own)
    if not manifest.data:
        return
    path = lock_path(root, own)
    face = interface_for(root, own, manifest, read(path) if path.exists() else Lock())
    face.refuse()
    if face.changes[0].before != face.changes[0].after:
        face.write()


def place_of(root: Path, file: Path | None, manifest: Manifest) -> Path:
    """Where the module is: as the manifest says, beside a single file, in the project's package, or in its root."""
    if manifest.interface:
        return root / manifest.interface
    if file is not None:
        return file.with_name(NAME)
    from stepwell.dist.releases.found import own_name  # which knows channels, too

    package = own_name(root, file, manifest).replace("-", "_").replace(".", "_")
    for folder in (root / "src" / package, root / package):
        if (folder / "__init__.py").is_file():
            return folder / NAME
    return root / NAME


def all_or_none(changes: tuple[Change, ...]) -> None:
    """Apply all changes; if one cannot be, those before it are undone. Raises `OSError`."""
    done: list[Change] = []
    try:
        for change in changes:
            change.apply()
            done.append(change)
    except BaseException:  # also where somebody presses Ctrl-C
        for change in reversed(done):
            change.undo()
        raise


def unwritable(file: Path, error: OSError) -> InterfaceUnwritable:
    """The error of a module that cannot be written."""
    return InterfaceUnwritable(
        f"`{short(str(file))}` cannot be written: {error.strerror or error}",
        fixes=["make room, or let the folder be written to, and `stepwell lock` again"],
    )


def _own(root: Path, file: Path | None) -> Path | None:
    """The file, if it has a manifest of its own."""
    written = None if file is None else written_of(root, file)
    return file if written is not None and written.kind == "script" else None


def _bytes(file: Path) -> bytes | None:
    try:
        return file.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise unwritable(file, error) from None
