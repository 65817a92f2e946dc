"""The wheel of a release made once more from what is inside it, and compared with the one that there is, file by file.

    package = remade(opened, put, place, how, answers)
    package.grade, package.differ

Code, METADATA, entry points, `data.py`, bills of material and provenance are made again from the project's files in the wheel and
from its lock; whether the lock is right, its signatures among it, is told by the process that ran the pipelines again, which
locked what came out (`app.rebuilt`). Its project files must be those of its commit, where that can be had. So nothing of
a wheel is believed but what people said (which commit, notes, what was silenced), and where blobs lie that are too large.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from email.parser import HeaderParser
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from msgspec import structs

from stepwell.app.elsewhere import Interpreter, Stage
from stepwell.app.git import bytes_of, has_commit
from stepwell.app.rebuilt import Answer
from stepwell.author.manifest import Manifest, manifest_of
from stepwell.author.written import written_of
from stepwell.dist.interface.writing import interface_of
from stepwell.dist.lock import Lock, differences
from stepwell.dist.lockfile import lock_of, lock_path, text_of
from stepwell.dist.releases import backend, made
from stepwell.dist.releases.about import about
from stepwell.dist.releases.archive import Entry, unpacked
from stepwell.dist.releases.document import FILE, FOLDER, Blob, Golden, Release, decoded
from stepwell.dist.releases.follows import (
    gates_in,
    interface_in,
    predicted_by,
    requires_of,
    stores_of,
)
from stepwell.dist.releases.opened import LOCK, PROJECT, PYLOCK, Opened
from stepwell.dist.verdicts import Grade, Package, Packed, worst
from stepwell.errors import StepwellError, counted
from stepwell.stores.blobs import digest_of
from stepwell.version import VERSION

NAMED = 20
"""Files and facts that differ, and that are named."""

_FOLLOWS = frozenset({"bytes", "content", "size", "shows", "parts"})
"""Facts of an output that follow from its bytes, which are compared for themselves."""


_FROM_LOCK = frozenset({"stepwell.lock", "data.py", "data.pyi"})
"""Files of a project that follow from its lock, and are made again for themselves."""


class Wheel(NamedTuple):
    """A wheel to compare with: where it is from, its own files, the package in it, and what it says of itself."""

    opened: Opened
    files: dict[str, Entry]
    dist_info: str

    @property
    def document(self) -> Release:
        """What it says of itself."""
        return self.opened.document

    @property
    def inside(self) -> str:
        """Where in it all that a release adds lies."""
        return f"{self.document.package}/{FOLDER}"


def remade(
    opened: Opened,
    put: Callable[[Path], None],
    place: Stage,
    how: Interpreter,
    answers: Mapping[str, Answer],
    repository: Path,
) -> Package | None:
    """Make the wheel of a release again and compare; None of a release that is installed, and no wheel.

    `put` writes the project's files into a folder, `answers` are what came of the pipelines. Where `repository`, a
    folder of the project, has the commit that the release names, the project's files in it must be those of the commit.
    """
    if opened.wheel is None or opened.path is None:
        return None
    wheel = Wheel(opened, unpacked(opened.path), opened.wheel.dist_info)
    facts = [*_locked(opened.lock, answers, how)]
    commit = opened.document.commit
    committed = commit if commit and has_commit(repository, commit) else ""
    facts += _uncommitted(opened, repository) if committed else ()
    try:
        again = _again(wheel, put, place, how, answers)
    except (StepwellError, UnicodeDecodeError) as error:
        what = error.what if isinstance(error, StepwellError) else str(error)
        why = f": {error.why}" if isinstance(error, StepwellError) and error.why else ""
        unmade = Packed(file=opened.wheel.file, grade="?", how=f"it cannot be made again: {what}{why}"[:600])
        return _package([*facts, unmade], 0, committed)
    return _package([*facts, *_compared(wheel, again)], len(again.files), committed)


def _package(found: list[Packed], files: int, committed: str) -> Package:
    grade = worst([one.grade for one in found]) if found else "A"
    ordered = sorted(found, key=lambda one: one.grade != grade)
    return Package(grade=grade, files=files, differ=tuple(ordered[:NAMED]), committed=committed)


def _uncommitted(opened: Opened, repository: Path) -> Iterator[Packed]:
    """The files of the project in a release that are not what its commit has; those that follow from the lock are left out."""
    commit, prefix = opened.document.commit, f"{PROJECT}/"
    for name in sorted(opened.names):
        file = name.removeprefix(prefix)
        if file == name or file.endswith(".stepwell.lock") or Path(file).name in _FROM_LOCK:
            continue
        data, then = opened.read(name), bytes_of(repository, commit, file)
        if then is None:
            yield Packed(file=name, grade="F", how=f"commit {commit[:12]} has no such file")
        elif then != data and then != data.replace(b"\r\n", b"\n"):  # as some checkouts have it
            yield Packed(file=name, grade="F", how=f"it is not what commit {commit[:12]} has")


# --------------------------------------------------------------------------- made again


def _again(
    wheel: Wheel,
    put: Callable[[Path], None],
    place: Stage,
    how: Interpreter,
    answers: Mapping[str, Answer],
) -> made.Made:
    """The release once more. Raises `BuildFailed`, `NoPackage`, `BadRelease`, `BadSettings`."""
    opened, document = wheel.opened, wheel.document
    root = place.folder / "wheel" / "project"
    root.mkdir(parents=True)
    put(root)
    _put_left(wheel, root)
    file = _script(root, document)
    manifest, generator = manifest_of(root, file), _generator(opened)
    base, package = _base(wheel, root, file, how, generator)
    readings = {name: one for answer in answers.values() for name, one in answer.readings.items()}
    content = made.Content(
        _document(wheel, manifest, package),
        opened.lock,
        _pylock(opened),
        _blobs(wheel),
        _project(opened, root, file),
        interface_in(manifest, opened.lock, lock_path(root, file).name),
        requires_of(opened.lock, readings, generator),
    )
    return made.released(base, content, generator)


def _put_left(wheel: Wheel, root: Path) -> None:
    """The files of the project that the wheel has elsewhere, which a build needs."""
    there = {sha256(entry.data).hexdigest(): entry.data for entry in wheel.files.values()}
    for name, digest in wheel.document.left.items():
        path = root / name
        if digest in there and path.resolve().is_relative_to(root) and not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(there[digest])


def _script(root: Path, document: Release) -> Path | None:
    """The single file that has the manifest in its header, where it is so."""
    first = next(iter(document.pipelines.values()), "").rpartition(":")[0]
    written = written_of(root, root / first) if first else None
    return root / first if written is not None and written.kind == "script" else None


def _generator(opened: Opened) -> str:
    """The version of Stepwell that made a release, as its provenance says; this one's where it says none."""
    try:
        said = json.loads(opened.read("provenance.json"))
        return str(said["predicate"]["runDetails"]["builder"]["version"]["stepwell"])
    except (StepwellError, ValueError, KeyError, TypeError):
        return VERSION


def _base(
    wheel: Wheel, root: Path, file: Path | None, how: Interpreter, generator: str
) -> tuple[made.Base, str]:
    """The wheel to start from, and the package in it. Raises `BuildFailed`, `NoUv`, `NoPackage`, `BadWheel`."""
    document = wheel.document
    if file is not None or not backend.has_backend(root):
        own = about(document.project, root, file)
        return made.bare(own, document.version, generator), own.package
    said = wheel.files[f"{wheel.dist_info}/WHEEL"].data.decode("utf-8", "replace")
    named = str(HeaderParser().parsestr(said).get("Generator", ""))
    again = backend.Again(how.program, named)
    base = made.opened(backend.built_again(root, root.parent / "dist", document.version, again))
    return base, made.package_in(base.files, document.project)


def _document(wheel: Wheel, manifest: Manifest, package: str) -> Release:
    """What `release.json` must say; what cannot follow from anything is taken as it is."""
    opened, document = wheel.opened, wheel.document
    wanted = {name: one.golden for name, one in manifest.outputs.items() if one.golden is not None}
    golden = {
        name: structs.replace(document.golden[name], tolerance=said.tolerance)
        if name in document.golden
        else Golden(on="", predictions="", codec="")
        for name, said in wanted.items()
        if name in opened.lock.output
    }
    return structs.replace(
        document,
        package=package,
        predict=predicted_by(manifest, opened.lock),
        blobs=_facts(wheel, golden, manifest.release.limit),
        stores=stores_of(manifest),
        golden=golden,
        gates=gates_in(manifest),
    )


def _facts(wheel: Wheel, golden: Mapping[str, Golden], limit: int) -> dict[str, Blob]:
    """The blobs that there must be: those that are inside as they are, and others as large as the lock says, if it says that."""
    outputs, said = wheel.opened.lock.output.values(), wheel.document.blobs
    sizes = {one.bytes: one.size for one in outputs}
    digests = {digest for one in outputs for digest in (one.bytes, *one.parts)}
    digests |= {digest for one in golden.values() for digest in (one.on, one.predictions)}
    inside = _blobs(wheel)
    found: dict[str, Blob] = {}
    for digest in sorted(digests):
        if digest in inside:
            data = inside[digest]
            found[digest] = Blob(size=len(data), sha256=sha256(data).hexdigest(), inside=len(data) < limit)
        else:
            known = said.get(digest, Blob(size=0, sha256=""))
            size = sizes.get(digest, known.size)
            found[digest] = Blob(size=size, sha256=known.sha256, inside=size < limit)
    return found


def _blobs(wheel: Wheel) -> dict[str, bytes]:
    """The blobs that are in the wheel, by the digests that they really have."""
    prefix = f"{wheel.inside}/blobs/"
    held = (entry.data for name, entry in wheel.files.items() if name.startswith(prefix))
    return {digest_of(data): data for data in held}


def _project(opened: Opened, root: Path, file: Path | None) -> dict[str, bytes]:
    """The project's files as they are in the release, but for those that follow from the lock."""
    prefix = f"{PROJECT}/"
    files = {name.removeprefix(prefix): opened.read(name) for name in opened.names if name.startswith(prefix)}
    own = {lock_path(root, file): text_of(opened.lock).encode()}
    face = interface_of(root, file, opened.lock)
    if face is not None:
        own |= {change.file: change.after for change in face.changes}
    return {**files, **{path.relative_to(root).as_posix(): data for path, data in own.items()}}


def _pylock(opened: Opened) -> bytes | None:
    """The locked environment, where it is the one that the lock means."""
    wanted = opened.lock.environment.pylock.removeprefix("sha256:")
    data = opened.read(PYLOCK) if PYLOCK in opened.names else b""
    return data if wanted and sha256(data).hexdigest() == wanted else None


# --------------------------------------------------------------------------- compared


def _compared(wheel: Wheel, again: made.Made) -> Iterator[Packed]:
    """The files that are not the same. What another Stepwell has written cannot be judged here."""
    generator = _generator(wheel.opened)
    grade: Grade = "F" if generator == VERSION else "?"
    by = "" if generator == VERSION else f"; it was made by Stepwell {generator}, and this is {VERSION}"
    here = wheel.opened.wheel.file if wheel.opened.wheel is not None else ""
    if again.file != here:
        yield Packed(file=here, grade=grade, how=f"it is called {again.file} when it is made again{by}")
    for name in sorted({*wheel.files, *again.files}):
        one, other = wheel.files.get(name), again.files.get(name)
        if one is None:
            yield Packed(file=name, grade=grade, how=f"it is missing in the wheel{by}")
        elif other is None:
            yield Packed(file=name, grade=grade, how=f"nothing that the project has gives it{by}")
        elif one != other:
            yield Packed(file=name, grade=grade, how=f"{_told(wheel, name, one, other)}{by}")


def _told(wheel: Wheel, name: str, one: Entry, other: Entry) -> str:
    """In what a file differs, in a clause."""
    if one.data == other.data:
        return "it is a program in one of both only"
    if name == f"{wheel.inside}/{FILE}":
        then, now = wheel.document, decoded(other.data)
        other_fields = [
            field for field in Release.__struct_fields__ if getattr(then, field) != getattr(now, field)
        ]
        return f"its {', '.join(other_fields)} cannot follow from manifest and lock"
    try:
        then_lines, now_lines = one.data.decode("utf-8").splitlines(), other.data.decode("utf-8").splitlines()
    except UnicodeDecodeError:
        return f"{len(one.data):,} other bytes, and {len(other.data):,} when it is made again"
    for number, (line, wanted) in enumerate(zip(then_lines, now_lines, strict=False), 1):
        if line != wanted:
            return f"line {number} is {_brief(line)}, and {_brief(wanted)} when it is made again"
    return f"it has {counted(len(then_lines), 'line')}, and {len(now_lines)} when it is made again"


def _brief(line: str) -> str:
    text = line.strip()
    return f"`{text}`" if len(text) <= 60 else f"`{text[:57]}…`"


# --------------------------------------------------------------------------- its lock


def _locked(lock: Lock, answers: Mapping[str, Answer], how: Interpreter) -> Iterator[Packed]:
    """The facts of the lock that do not come out again, where steps gave what they gave then."""
    for pipeline, answer in answers.items():
        if not answer.lock:
            why = answer.unlocked or "not all of it came out"
            yield Packed(file=LOCK, grade="?", how=f"`{pipeline}` cannot be locked again: {why}"[:600])
            continue
        same = all(one.grade == "A" for one in answer.compared)
        now = lock_of(answer.lock)
        other_libraries = any(
            now.environment.direct.get(name, version) != version
            for name, version in lock.environment.direct.items()
        )
        for one in differences(lock, now):
            if not _is_left_out(one.place, same, known=bool(how.locked) or not other_libraries):
                yield Packed(file=LOCK, grade="F", how=str(one)[:300])


def _is_left_out(place: str, same: bool, *, known: bool) -> bool:
    """Whether a fact may be another one: where it was locked; what follows from bytes that differ, and from libraries that are not the locked ones."""
    parts = place.split(".")
    if parts[0] == "environment":
        return parts[1] != "direct" or not known
    if parts[-1] == "needs" and not known:
        return True
    if same:
        return False
    return parts[0] == "pipeline" or (parts[0] == "output" and parts[-1] in _FOLLOWS)
