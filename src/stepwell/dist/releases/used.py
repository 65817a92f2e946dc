"""Releases that another project uses: their code, as a checkout that steps are executed in, and their data.

    project_of("flights-delay==1.0.0", root)          # a `Checkout`, for `use("flights-delay==1.0.0", "pipeline:train")`
    project_of("dist/flights_delay-1.0.0-py3-none-any.whl", root)
    pinned(parse("release://geo-regions>=3,<4/regions"), memo, shelf)      # a `Pinned`, as of any source

A release is looked for among what is installed, in `dist/` and in the channels of the project that uses it, and then
asked for from the package indexes that uv is set up with. Its code is unpacked once into the user's cache folder, by the
digest of all of it, and never changed; so a version that was there once needs no network, and is the same in two years.

Data of a release is an output of it, or what it was made of, by its name. It comes from the release that is installed,
as any import would, is verified by the digest that the release's lock has, and kept in the store of who uses it.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tempfile
import tomllib
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from blake3 import blake3

from stepwell.author.written import header_of
from stepwell.dist import names
from stepwell.dist.installed.libraries import check
from stepwell.dist.installed.loading import no_such, path_of
from stepwell.dist.lock import entry_of
from stepwell.dist.pins import locked_of
from stepwell.dist.releases.document import FILE
from stepwell.dist.releases.found import found, installed
from stepwell.dist.releases.metrics import FILE as METRICS
from stepwell.dist.releases.opened import (
    BLOBS,
    LOCK,
    PROJECT,
    PYLOCK,
    Opened,
    open_installed,
    open_wheel,
)
from stepwell.dist.versions import parsed
from stepwell.errors import (
    CannotCarry,
    NoChannels,
    NoSuchOutput,
    NoSuchProject,
    NotARelease,
    ReleaseNotFound,
    StepwellError,
)
from stepwell.sources.address import Address, parse
from stepwell.sources.frozen import Locked, pin_locked
from stepwell.sources.kept import Shelf, adopt, is_kept
from stepwell.sources.memo import Memo
from stepwell.sources.pin import Pinned
from stepwell.worker.places import environments
from stepwell.worker.places.checkouts import Checkout, looks_again

Files = Mapping[str, bytes]


def project_of(address: str, root: Path) -> Checkout:
    """The code of a release, and what to call it. `address` is NAME==VERSION, or a wheel's path relative to `root`.

    Raises `NoSuchProject`, `ReleaseNotFound`, `BadWheel`, `NotARelease`, `BadRelease`, `NoUv`.
    """
    home = environments.cache_folder() / "projects" / "releases"
    if address.endswith(".whl"):
        opened = open_wheel(Path(os.path.normpath(root / os.path.expanduser(address))))
        return _unpacked(opened, home)
    known = home / f"{blake3(os.fspath(root).encode()).hexdigest()[:16]}.json"
    remembered = {} if looks_again() else _read(known)
    folder = home / remembered.get(address, "-")
    if folder.is_dir():
        name, _, version = address.partition("==")
        return Checkout(folder, folder.name, names.project(name.strip()), version.strip())
    made = _found(address, root, home)
    _write(known, {**_read(known), address: made.commit})
    return made


def release_of(address: str, root: Path) -> Opened | None:
    """A release NAME==VERSION that is on this machine: installed, in `dist/`, or in the channels. Raises what opening it raises."""
    name, _, version = address.partition("==")
    project, wanted = names.project(name.strip()), parsed(version.strip()).text
    here = installed(project)
    if here is not None and here.document.version == wanted:
        return here
    try:
        return found(f"{project}=={wanted}", root)
    except (ReleaseNotFound, NoChannels):
        return None


def _found(address: str, root: Path, home: Path) -> Checkout:
    opened = release_of(address, root)
    if opened is not None:
        return _unpacked(opened, home)
    home.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=home, prefix=".") as folder:
        return _unpacked(_downloaded(address, root, Path(folder)), home)


def _downloaded(address: str, root: Path, folder: Path) -> Opened:
    """A release from the package indexes, in a folder. Raises `ReleaseNotFound`, `NotARelease`, `NoUv`."""
    command = [
        environments.uv(), "pip", "install", "--quiet", "--no-deps", "--only-binary", ":all:", "--target",
    ]  # fmt: skip
    asked = address.replace(" ", "")
    done = subprocess.run(
        [*command, os.fspath(folder), "--", asked],
        cwd=root,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    if done.returncode:
        said = [
            line.strip()
            for line in done.stderr.decode("utf-8", "replace").splitlines()
            if line.strip(" ×╰│▶")
        ]
        raise ReleaseNotFound(
            f"there is no release `{asked}` to use",
            why="neither installed, nor in `dist/`, nor in channels, nor in a package index: "
            + " ".join(said)[:400],
            fixes=[f"uv pip install {asked}   says the same outside of Stepwell"],
        )
    places = [file.parent for file in folder.glob("*/_release/release.json")]
    if len(places) != 1:
        raise NotARelease(
            f"`{asked}` is a package, but no release",
            why="it was not made by `stepwell release`",
            fixes=['use("git+https://…@v1.2", …) uses a repository'],
        )
    return open_installed(places[0])


# --------------------------------------------------------------------------- pipelines


def pipelines_in(project: Checkout) -> dict[str, str]:
    """The pipelines of a release, as "module:name" by their names."""
    found = _kept(project).document.pipelines
    return {
        name: f"{_module(place.rpartition(':')[0])}:{place.rpartition(':')[2]}"
        for name, place in found.items()
    }


def _module(file: str) -> str:
    return file.removeprefix("src/").removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def data_in(project: Checkout, name: str) -> tuple[str, dict[str, str]]:
    """The address of data of a release, and how it is read there. Raises `CannotCarry` for what its lock does not have."""
    opened = _kept(project)
    data = opened.lock.data.get(name)
    called = f"{opened.document.project} {opened.document.version}"
    if data is None or name in opened.lock.output:
        raise CannotCarry(
            f"{called} reads `{name}`, which "
            + ("its lock does not have" if data is None else "is an output of it, too"),
            why="only what is pinned in the lock of a release can be read by others",
            fixes=["lock it there, under a name of its own, and release again"],
        )
    _traced[names.project(opened.document.project), parsed(opened.document.version).text] = project
    suffix = re.search(r"\.([A-Za-z0-9]+(?:\.(?:gz|bz2|xz|zst|zip))?)$", data.source.partition("?")[0])
    kind = parse(data.source).kind
    read = {"format": suffix[1]} if suffix is not None and kind in ("path", "web", "package") else {}
    return f"release://{names.project(opened.document.project)}=={opened.document.version}/{name}", read


_traced: dict[tuple[str, str], Checkout] = {}
"""The releases whose pipelines this process has traced: what is installed under their names may be another one."""


def _kept(project: Checkout) -> Opened:
    """The documents of a release whose code was unpacked. Raises `NotARelease`."""
    return open_installed(_documents(project.folder.parent, project.commit))


def _documents(home: Path, commit: str) -> Path:
    return home / f"{commit}.release"


# --------------------------------------------------------------------------- data


def pinned(address: Address, memo: Memo, shelf: Shelf) -> Pinned:
    """An output of an installed release, or data of it, in the store. Raises `ReleaseNotFound`, `LibraryDiffers`, `NoSuchOutput`, and what fetching does."""
    opened, locked = _locked(address)
    if not locked.files and not is_kept(locked.digest, shelf):
        adopt(
            path_of(opened, locked.digest), locked.digest, shelf
        )  # which says what is wrong with the release
    return pin_locked(
        locked, root=Path(), memo=memo, shelf=shelf, fetch=lambda digest, _: path_of(opened, digest)
    )


def blob_of(uri: str, digest: str) -> Path | None:
    """A blob of the installed release that an address means, in the user's cache; None where it is not to be had there."""
    try:
        opened, locked = _locked(parse(uri))
        return path_of(opened, digest) if digest in (locked.digest, *locked.files.values()) else None
    except StepwellError:  # another version is installed, or none: whoever asks looks elsewhere
        return None


def _traced_or_near(name: str, version: str) -> Opened | None:
    """The release of exactly this version whose pipeline was traced here; None where none was."""
    try:
        found = _traced.get((names.project(name.strip()), parsed(version.strip()).text))
    except StepwellError:  # no name, or several conditions: what is installed has to do
        return None
    return _kept(found) if found is not None else None


def _locked(address: Address) -> tuple[Opened, Locked]:
    """The installed release that an address means, and what its lock says of what is meant."""
    name, requirement = address.path, address.package
    name = name if "/" in name else name.removesuffix(".arrow")  # a file of its data, or an output
    match = re.match(r"[A-Za-z0-9._-]+", requirement)
    exact = requirement.partition("==")
    if match and exact[1] and (used := _traced_or_near(exact[0], exact[2])) is not None:
        there = entry_of(used.lock.data, name, address.uri)
        if there is None:
            raise no_such(used, "data", name, [*used.lock.data])
        return used, locked_of(there, address.uri)._replace(position={})
    opened = installed(names.project(match[0].rstrip("-._"))) if match else None
    if opened is None:
        raise ReleaseNotFound(
            f"`{requirement}`, where the data `{name}` comes from, is not installed as a release",
            why="data of a release comes from the version that is installed, as what is imported does",
            fixes=[f'uv add "{requirement}"', f'pip install "{requirement}"'],
        )
    check([requirement], f"the data `{name}`")
    leaving, data = opened.lock.output.get(name), entry_of(opened.lock.data, name, address.uri)
    if leaving is not None and not leaving.parts:
        return opened, Locked(address.uri, leaving.bytes, leaving.size)
    if data is not None and leaving is None:
        return opened, locked_of(data, address.uri)._replace(position={})
    if leaving is not None:
        raise NoSuchOutput(
            f"`{name}` of {opened.document.project} {opened.document.version} is files, not data",
            fixes=[f'import {opened.document.package}; {opened.document.package}.load("{name}")'],
        )
    raise no_such(opened, "output", name, [*opened.lock.output, *opened.lock.data])


# --------------------------------------------------------------------------- code


def _unpacked(opened: Opened, home: Path) -> Checkout:
    """The code of a release in a folder that is called by its digest. Raises `NoSuchProject`."""
    files = _files(opened)
    said = blake3()
    for name in sorted(files):
        said.update(f"{name}\0{len(files[name])}\0".encode())
        said.update(files[name])
    commit = said.hexdigest()[:40]
    folder = home / commit
    try:
        home.mkdir(parents=True, exist_ok=True)
        if not folder.is_dir():
            _make(files, folder)
        if not _documents(home, commit).is_dir():
            _make(_said_of(opened), _documents(home, commit))
    except OSError as error:
        raise NoSuchProject(
            f"`{opened.where}` cannot be kept in `{home}`: {error.strerror or error}",
            fixes=["make room there, or choose another folder: STEPWELL_CACHE=..."],
        ) from error
    return Checkout(folder, commit, names.project(opened.document.project), opened.document.version)


def _said_of(opened: Opened) -> Files:
    """What a release has beside its project: documents, and artifacts that are inside."""
    return {name: opened.read(name) for name in opened.names if _is_said(name)}


def _is_said(name: str) -> bool:
    folder, _, file = name.rpartition("/")
    return name in (FILE, LOCK, METRICS) or (
        folder == BLOBS and re.fullmatch("[0-9a-f]{64}", file) is not None
    )


def _files(opened: Opened) -> Files:
    """The files of a release's project, with its environment as `pylock.toml`. Raises `NoSuchProject`, `BadRelease`."""
    prefix = f"{PROJECT}/"
    inside = [name for name in opened.names if name.startswith(prefix) and "/__pycache__/" not in name]
    if not inside:
        raise NoSuchProject(
            f"{opened.document.project} {opened.document.version} has no code to use",
            why=f"there is nothing in its `_release/{PROJECT}`",
        )
    files = {name.removeprefix(prefix): opened.read(name) for name in inside}
    for name in files:
        parts = PurePosixPath(name).parts
        if name.startswith("/") or ".." in parts or "\\" in name:
            raise NoSuchProject(f"{opened.where} has a file that would lie outside of its folder: {name!r}")
    if PYLOCK in opened.names:
        return {**files, PYLOCK: opened.read(PYLOCK)}
    return files if "pyproject.toml" in files else {**files, "pyproject.toml": _said(opened, files)}


def _said(opened: Opened, files: Files) -> bytes:
    """What a script needs, and what its steps import in the versions that they were run with: where nobody wrote down the environment."""
    wanted = [f"{name}=={version}" for name, version in sorted(opened.lock.environment.direct.items())]
    for name in sorted({place.rpartition(":")[0] for place in opened.document.pipelines.values()}):
        header = header_of(files.get(name, b"").decode("utf-8", "replace"), Path(name))
        wanted += tomllib.loads(header.text).get("dependencies", []) if header is not None else []
    return "\n".join(
        ["[project]", "dependencies = [", *[f"  {json.dumps(one)}," for one in wanted], "]\n"]
    ).encode()


def _make(files: Files, folder: Path) -> None:
    aside = Path(tempfile.mkdtemp(prefix=".", dir=folder.parent))
    try:
        for name, data in files.items():
            path = aside / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        environments.make_readonly(aside)
        aside.rename(folder)
    except OSError:
        if not folder.is_dir():  # somebody else was faster
            raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _read(file: Path) -> dict[str, str]:
    """What versions were before; nothing where nobody can say."""
    try:
        found: dict[str, str] = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _write(file: Path, known: Mapping[str, str]) -> None:
    aside = file.with_suffix(f".{os.getpid()}")
    aside.write_text(json.dumps(known, sort_keys=True), "utf-8")
    aside.rename(file)
