"""What is to be made again: a release, a commit, or a run, all as one kind of thing: a lock, files, and what is known of what came out.

subject = subject_of("churn==1.4.0", Path.cwd(), store)     # a release; also a path, 1.4.0, production
subject = subject_of("r3", ...)                             # a run of this project
subject = subject_of("HEAD~2", ...)                         # a commit, with the lock that is in it
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from stepwell.app.against import take_out
from stepwell.app.indexed import place_of
from stepwell.app.recorded import of_run
from stepwell.app.subject import Subject, in_store
from stepwell.dist import depot
from stepwell.dist.erased import Tombstone, read_erased
from stepwell.dist.lockfile import NAME, lock_of, lock_path
from stepwell.dist.pylock import pylock_path
from stepwell.dist.releases.found import files_of, has_channels
from stepwell.dist.releases.opened import PROJECT, PYLOCK, Opened
from stepwell.errors import (
    BadReleaseName,
    BlobDiffers,
    BlobErased,
    BlobNotFetched,
    CannotReproduce,
    NoChannels,
    NoSuchCommit,
    NotARelease,
    ReleaseNotFound,
    UnknownChannel,
)
from stepwell.stores.local import LocalStore

RUN = re.compile(r"r\d+|last(?:~\d+)?|g\d+")

_COMMIT = re.compile(r"[0-9a-f]{7,64}|HEAD.*|.*[~^].*")


def subject_of(word: str, here: Path, store: LocalStore, pipeline: str = "") -> Subject:
    """What a word means in a folder. `store` is the project's.

    Raises `ReleaseNotFound` and the like, `UnknownRun`, `NoSuchCommit`, `LockMissing`, `CannotReproduce`.
    """
    word = word.strip()
    if RUN.fullmatch(word):
        return of_run(word, here, store, pipeline)
    if _COMMIT.fullmatch(word):
        return of_commit(word, here, store, pipeline)
    try:
        return of_release(word, here, store)
    except (ReleaseNotFound, NoChannels, BadReleaseName, UnknownChannel) as error:
        try:
            return of_commit(word, here, store, pipeline)
        except NoSuchCommit:
            if isinstance(error, ReleaseNotFound):
                raise error from None
            raise CannotReproduce(
                f"`{word}` is no release, no channel, no run and no commit that is known here",
                why=error.what,
                fixes=["stepwell runs", "git log --oneline", "give the path of a wheel"],
            ) from None


# --------------------------------------------------------------------------- releases


def of_release(word: str, here: Path, store: LocalStore) -> Subject:
    """A release. Raises as `dist.releases.found.found`, and `CannotReproduce` for one without its project."""
    from stepwell.dist.releases.found import found

    place = place_of(here)
    opened = found(word, place.root, place.file)
    document = opened.document
    if not any(name.startswith(f"{PROJECT}/") for name in opened.names):
        raise CannotReproduce(
            f"{opened.where} does not hold the files that its steps are made of",
            why="it was released without them, so nothing can be run again",
            fixes=[
                "reproduce the commit that it was made of"
                + (f": stepwell reproduce {document.commit}" if document.commit else "")
            ],
        )

    places = tuple(dict.fromkeys((*document.stores, *_places(place.manifest))))

    def blob(digest: str, size: int) -> bytes | None:
        inside = opened.blob(digest)
        return inside if inside is not None else _elsewhere(digest, size, places, place.root, store)

    return Subject(
        "release",
        document.project,
        document.version,
        opened.lock,
        document.pipelines,
        lambda folder: _unpack(opened, folder),
        blob,
        opened.read(PYLOCK) if PYLOCK in opened.names else None,
        opened.wheel.sha256 if opened.wheel is not None else "",
        places,
        document.golden,
        document.gates,
        opened,
    )


def _unpack(opened: Opened, folder: Path) -> None:
    """The project's files of a release."""
    for name in opened.names:
        if name.startswith(f"{PROJECT}/"):
            _write(folder, name.removeprefix(f"{PROJECT}/"), opened.read(name))


def _write(folder: Path, name: str, data: bytes) -> None:
    """A file below a folder. Raises `NotARelease` for a name that leads out of it."""
    parts = PurePosixPath(name).parts
    if not parts or ".." in parts or name.startswith("/") or "\\" in name:
        raise NotARelease(
            f"`{name}` is no file of a project",
            why="it leads out of the folder",
            fixes=["do not use this release"],
        )
    path = folder.joinpath(*parts)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def _elsewhere(
    digest: str, size: int, places: tuple[str, ...], root: Path, store: LocalStore
) -> bytes | None:
    """What came out then, from the project's store or a place of bytes by digest; None where nobody has it."""
    if (data := in_store(digest, store)) is not None:
        return data
    try:
        return depot.fetch(digest, size, places, root).read_bytes()
    except (BlobNotFetched, BlobDiffers, BlobErased):
        return None


# --------------------------------------------------------------------------- commits


def of_commit(word: str, here: Path, store: LocalStore, pipeline: str = "") -> Subject:
    """A commit of this project, with the lock that is in it. Raises `NoSuchCommit`, `CannotReproduce`, `BadLock`."""
    import tempfile

    place = place_of(here)
    with tempfile.TemporaryDirectory(prefix="stepwell-") as folder:
        there = Path(folder).resolve()
        commit = take_out(word, place.root, there)
        path = _lock_in(there, pipeline, word)
        lock = lock_of(path.read_text("utf-8"), path.name)
        targets = {name: _target(there, path, name, pipeline) for name in lock.pipeline}
        beside = pylock_path(path)
        pylock = beside.read_bytes() if beside.is_file() else None
    if pylock is not None and hashlib.sha256(pylock).hexdigest() != lock.environment.pylock.removeprefix(
        "sha256:"
    ):
        pylock = None

    def put(folder: Path) -> None:
        take_out(commit, place.root, folder)

    def blob(digest: str, size: int) -> bytes | None:
        return _elsewhere(digest, size, _places(place.manifest), place.root, store)

    return Subject(
        "commit",
        place.own or place.root.name,
        commit,
        lock,
        targets,
        put,
        blob,
        pylock,
        places=_places(place.manifest),
    )


def _places(manifest: Any) -> tuple[str, ...]:
    return tuple(one for one in (manifest.release.store, *manifest.release.mirrors) if one)


def _lock_in(folder: Path, pipeline: str, commit: str) -> Path:
    """The lock of a folder: the project's, or the only one of a single file. Raises `CannotReproduce`."""
    file = pipeline.rpartition(":")[0] or pipeline
    if file.endswith(".py") and (own := lock_path(folder, folder / file)).is_file():
        return own
    if (folder / NAME).is_file():
        return folder / NAME
    single = sorted(folder.glob(f"*.{NAME}"))
    if len(single) == 1:
        return single[0]
    what = f"there are {len(single)} locks in {commit}" if single else f"there is no lock in {commit}"
    raise CannotReproduce(
        what,
        why="a commit is compared with what its lock says came out of it",
        fixes=["name the file: -p path.py"]
        if single
        else ["stepwell run --lock, and commit stepwell.lock", "stepwell reproduce r1   makes a run again"],
    )


def _target(folder: Path, lock: Path, name: str, pipeline: str) -> str:
    """How commands call a pipeline of a folder: by the file that has a function of its name. Raises `CannotReproduce`."""
    if pipeline.rpartition(":")[2] == name and pipeline != name:
        return pipeline
    if lock.name != NAME:
        return f"{lock.name.removesuffix(f'.{NAME}')}.py:{name}"
    there = re.compile(rf"^(?:async )?def {re.escape(name)}\(".encode(), re.MULTILINE)
    files = [path for path in _sources(folder) if there.search(path.read_bytes())]
    if not files:
        raise CannotReproduce(
            f"the pipeline `{name}` of the lock is in no file", fixes=[f"name its file: -p path.py:{name}"]
        )
    return f"{files[0].relative_to(folder).as_posix()}:{name}"


def _sources(folder: Path) -> Iterator[Path]:
    """Files with pipelines in them, `pipeline.py` first, then by depth."""
    paths = sorted(
        folder.rglob("*.py"), key=lambda path: (path.name != "pipeline.py", len(path.parts), str(path))
    )
    return (path for path in paths if b"pipeline" in path.read_bytes())


# --------------------------------------------------------------------------- what was erased


def erased_of(here: Path) -> tuple[Tombstone, ...]:
    """What was recalled or erased, as the index of the project's channels says; nothing where there is no index."""
    place = place_of(here)
    if not has_channels(place.root, place.manifest):
        return ()
    return read_erased(files_of(place.manifest.channels.index, place.root))
