"""Outputs of a release: their bytes, verified by each look, and back to values.

    load(opened, "model")
    bytes_of(opened, "b3:…")               # of any blob of the release, inside or elsewhere
    data_of(opened, "customers", target)   # the very data that it was made of, where one has access
    pull(opened)                           # all that is elsewhere, into the user's cache

Nothing that is loaded here may execute what its bytes say: pickles are refused.
"""

from __future__ import annotations

import os
import shutil
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from stepwell.dist import depot
from stepwell.dist.installed.libraries import check, check_modules, gone, modules_of
from stepwell.dist.pins import needs_place, pinned_of
from stepwell.errors import BlobNotFetched, CannotDecode, FileInTheWay, NoSuchOutput, nearest
from stepwell.plugins.registry import registry
from stepwell.stores.blobs import FileBlob, HeldBlob
from stepwell.worker.places.environments import cache_folder

if TYPE_CHECKING:
    from stepwell.dist.lock import Leaving
    from stepwell.dist.releases.opened import Opened


class Pulled(NamedTuple):
    """What was fetched: how many blobs are in the cache now, and how many bytes they have.

    `lacking` are blobs of data that are not to be had, because the release names no store.
    """

    count: int
    size: int
    lacking: int = 0


def leaving_of(opened: Opened, name: str) -> tuple[str, Leaving]:
    """An output and its name; "" where there is one only. Raises `NoSuchOutput`."""
    outputs = opened.lock.output
    if not name and len(outputs) == 1:
        name = next(iter(outputs))
    if name in outputs:
        return name, outputs[name]
    raise no_such(opened, "output", name, list(outputs))


def no_such(opened: Opened, what: str, name: str, names: list[str]) -> NoSuchOutput:
    """The error for a name that the release has not among its outputs, or its data."""
    close = nearest(name, names)
    there = f"it has {', '.join(f'`{one}`' for one in names)}" if names else "it has none"
    called = f"no {what} `{name}`" if name else f"{len(names)} {what}s, and none was named"
    return NoSuchOutput(
        f"{opened.document.project} {opened.document.version} has {called}",
        why=there,
        fixes=[f"did you mean `{close}`?"] if close else [],
    )


def load(opened: Opened, name: str = "") -> Any:
    """The value of an output. Raises `NoSuchOutput`, `LibraryDiffers`, `MissingLibrary`, `CannotDecode`, and as `bytes_of`."""
    from stepwell.codecs import choose

    name, leaving = leaving_of(opened, name)
    who = f"`{name}` of {opened.document.project} {opened.document.version}"
    needs = leaving.needs or tuple(f"{one}=={v}" for one, v in opened.lock.environment.direct.items())
    check(leaving.needs, who)
    _know_codec(opened, leaving.codec)
    codec = choose.by_name(leaving.codec)
    check_modules([*getattr(codec, "needs", ()), *modules_of(leaving.needs)], needs, who)
    if getattr(codec, "executes", False):
        raise CannotDecode(
            f"`{name}` was released as {leaving.codec}, which executes what its bytes say",
            why="what is released is read by others, who did not write it",
            fixes=["release it in another form: plain data, a table, a model of scikit-learn, a file"],
        )
    for part in leaving.parts:
        path_of(opened, part)
    try:
        return choose.load(_blob(opened, leaving.bytes), leaving.codec)
    except CannotDecode as error:
        if isinstance(error.__cause__, ModuleNotFoundError) and error.__cause__.name:
            raise gone([error.__cause__.name], needs, who) from error
        raise


def _know_codec(opened: Opened, codec: str) -> None:
    """See that a codec of the project's own is registered: by the modules of the package that its pipelines are in.

    Raises `CannotDecode` where such a module cannot be imported. What lies in no package is never imported.
    """
    package = opened.document.package
    for place in dict.fromkeys(opened.document.pipelines.values()):
        if codec in registry.codecs:
            return
        path = place.rpartition(":")[0].removeprefix("src/").removesuffix(".py")
        module = path.removesuffix("/__init__").replace("/", ".")
        if module.partition(".")[0] != package:
            continue
        try:
            import_module(module)
        except Exception as error:
            raise CannotDecode(
                f"`{module}`, which has the codec `{codec}`, cannot be imported: {type(error).__name__}: {error}",
                why="what is written by a codec of the project's own is read by it, too",
                fixes=["register the codec in a module that needs nothing else, and release again"],
            ) from error


def _blob(opened: Opened, digest: str) -> HeldBlob | FileBlob:
    """What a codec reads: of bytes in the package, or of a file in the cache."""
    data = opened.blob(digest)
    if data is not None:
        return HeldBlob(depot.cache_at(cache_folder()), data)
    path_of(opened, digest)
    return FileBlob(depot.blobs(), digest)


def bytes_of(opened: Opened, digest: str) -> bytes | memoryview:
    """The verified bytes of a blob of the release. Raises `BadRelease`, and what `depot.fetch` raises."""
    return _blob(opened, digest).data


def path_of(opened: Opened, digest: str) -> Path:
    """The verified file of a blob of the release, in the user's cache. Raises as `bytes_of`."""
    found = depot.cached(digest)
    if found is not None:
        return found
    data = opened.blob(digest)
    if data is None:
        return depot.fetch(digest, _size(opened, digest), opened.document.stores)
    kept = depot.blobs()
    with kept.sink() as sink:  # a file of one's own: what is installed may be shared with other environments
        temporary = Path(kept.temporary())
        try:
            temporary.write_bytes(data)
            sink.take(temporary)
            sink.finish()
        finally:
            temporary.unlink(missing_ok=True)
    return kept.path(digest)


def _size(opened: Opened, digest: str) -> int:
    known = opened.document.blobs.get(digest)
    return known.size if known is not None else 0


def pull(opened: Opened) -> Pulled:
    """Fetch all blobs that are not in the package. Raises what `depot.fetch` raises, after all were asked for.

    Data that a release without a store was made of is counted, and no error: its outputs do without.
    """
    count, size = 0, 0
    lacking = _lacking(opened)
    missing: list[BlobNotFetched] = []
    for digest, blob in sorted(opened.document.blobs.items()):
        if blob.inside or digest in lacking:
            continue
        try:
            depot.fetch(digest, blob.size, opened.document.stores)
        except BlobNotFetched as error:
            missing.append(error)
        else:
            count, size = count + 1, size + blob.size
    if missing:
        raise BlobNotFetched(
            f"{len(missing)} of {len(missing) + count} blobs cannot be fetched: {missing[0].what}",
            why=missing[0].why,
            fixes=missing[0].fixes,
        )
    return Pulled(count, size, len(lacking))


def _lacking(opened: Opened) -> set[str]:
    """The blobs of data that nobody gives, as the release names no store: neither in the package nor in the cache, and not in place."""
    if opened.document.stores:
        return set()
    lock = opened.lock
    own = {digest for one in lock.output.values() for digest in (one.bytes, *one.parts)}
    wanted: set[str] = set()
    for data in lock.data.values():
        if needs_place(data) and not (_home(opened) / data.source).exists():
            wanted |= {text.rpartition(" ")[2] for text in data.files.values()} or {data.bytes}
    return {one for one in wanted - own if opened.blob(one) is None and depot.cached(one) is None}


# --------------------------------------------------------------------------- data


def data_of(opened: Opened, name: str, target: Path, *, overwrite: bool = False) -> Path:
    """Write the very data that a release was made of to a new file or folder, which is given.

    Raises `NoSuchOutput`, `FileInTheWay`, `OSError`, and `FrozenGone` naming every place that was looked at.
    """
    known = opened.lock.data
    if name not in known:
        raise no_such(opened, "data", name, list(known))
    if target.exists() and (not overwrite or target.is_dir()):
        raise FileInTheWay(f"`{target}` is there already", fixes=["name another place", "-f replaces a file"])
    document = opened.document
    found = pinned_of(
        name,
        known[name],
        _home(opened),
        cache_folder(),
        document.stores,
        released=f"{document.project} {document.version}",
    )
    beside = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        if found.folder:
            shutil.copytree(found.folder, beside, copy_function=shutil.copyfile)
        else:
            shutil.copyfile(found.files[0], beside)
        beside.rename(target)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
        if beside.is_file():
            beside.unlink()
    return target


def _home(opened: Opened) -> Path:
    """What relative addresses of data are relative to: the package, where nothing of the project's is."""
    return opened.path.parent if opened.path is not None else cache_folder()
