"""From the files of a wheel to those of a release: what is added, and what is said otherwise. Nothing here touches the disk.

base = bare(Project("churn", "churn", ...), "1.4.0", generator)     # of a project without a build backend
base = opened(path)                                       # of the wheel that a backend made
made = released(base, content, generator)
made.file, made.files, made.dist_info, made.notes
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from keyword import iskeyword
from pathlib import Path
from typing import NamedTuple

from stepwell.dist.lock import Lock
from stepwell.dist.lockfile import text_of
from stepwell.dist.names import project
from stepwell.dist.releases import bom, face, metadata, metrics, provenance
from stepwell.dist.releases.archive import Entry, Files, unpacked
from stepwell.dist.releases.document import FILE, FOLDER, Release, encoded
from stepwell.dist.releases.opened import BLOBS, LOCK, PROJECT, PYLOCK
from stepwell.dist.wheels import read
from stepwell.errors import NoPackage

TAGS = "py3-none-any"


class Project(NamedTuple):
    """What a wheel without a backend says: the name in its metadata, a line and a page about it, what it needs."""

    name: str
    package: str
    summary: str = ""
    page: str = ""
    requires_python: str = ">=3.11"
    requires: tuple[str, ...] = ()


class Base(NamedTuple):
    """A wheel to start from: its files, the name of its `.dist-info`, and the tags of its file name."""

    files: Files
    dist_info: str
    tags: str = TAGS


class Content(NamedTuple):
    """What a release adds.

    `blobs` are the artifacts that go inside, by digest, `project` the project's files by name, `interface` the files
    of the generated module `data`, `requires` what reading the outputs needs.
    """

    document: Release
    lock: Lock
    pylock: bytes | None = None
    blobs: Mapping[str, bytes] = {}
    project: Mapping[str, bytes] = {}
    interface: Mapping[str, bytes] = {}
    requires: tuple[str, ...] = ()


class Made(NamedTuple):
    """A release: the name of its wheel, the wheel's files, and what is worth saying about it."""

    file: str
    files: Files
    dist_info: str
    notes: tuple[str, ...] = ()


def package_name(name: str) -> str:
    """What is imported of a project without a package of its own. Raises `NoPackage` for what nobody could import."""
    package = project(name).replace("-", "_")
    if not package.isidentifier() or iskeyword(package) or package in sys.stdlib_module_names:
        why = (
            "Python has a module of that name"
            if package in sys.stdlib_module_names
            else "it is no Python name"
        )
        raise NoPackage(
            f"a release cannot be called `{name}`: `import {package}` would not give it",
            why=why,
            fixes=['give `release.name` in the manifest: name = "flights-delay"'],
        )
    return package


def package_in(files: Files, name: str) -> str:
    """The package in a wheel that a release belongs to: the one named like the project, or the only one. Raises `NoPackage`."""
    found = sorted(
        {top for file in files if (top := file.partition("/")[0]) and f"{top}/__init__.py" in files}
    )
    wanted = project(name).replace("-", "_")
    named = [top for top in found if top.lower() == wanted]
    if named or len(found) == 1:
        return (named or found)[0]
    several = f"it has {', '.join(found)}" if found else "it has no folder with an `__init__.py`"
    raise NoPackage(
        f"the wheel of `{name}` has no package `{wanted}`",
        why=f"{several}; `import {wanted}` is to give the release",
        fixes=[
            f"put the code into src/{wanted}/ with an __init__.py",
            'or say its name: `release.name` in the manifest',
        ],
    )


def bare(about: Project, version: str, generator: str) -> Base:
    """The wheel of a project without a build backend: a package that is empty but for what a release gives."""
    stem = project(about.name).replace("-", "_")
    info = f"{stem}-{version}.dist-info"
    said = metadata.metadata_of(
        about.name, version, summary=about.summary, requires_python=about.requires_python,
        requires=about.requires, body=about.page,
    )  # fmt: skip
    doc = (about.summary or f"A release of {about.name}.").replace("\\", "\\\\").replace('"', "'")
    texts = {
        f"{about.package}/__init__.py": f'"""{doc}"""\n',
        f"{about.package}/py.typed": "",
        f"{info}/WHEEL": metadata.WHEEL.format(generator=generator),
    }
    files = {name: Entry(text.encode()) for name, text in texts.items()}
    return Base({**files, f"{info}/METADATA": Entry(said)}, info)


def opened(path: Path) -> Base:
    """The wheel that a backend made, which is checked first. Raises `BadWheel`."""
    wheel = read(path)
    return Base(unpacked(path), wheel.dist_info, "-".join(path.stem.split("-")[-3:]))


def released(base: Base, content: Content, generator: str) -> Made:
    """The files of a release. `generator` is Stepwell's version. Raises `NoPackage`."""
    document = content.document
    renamed = _renamed(base, document.version)
    info, package = renamed.dist_info, document.package
    files = {**renamed.files, **_release(content, generator)}
    notes = []
    place = f"{package}/__init__.py"
    if "data" not in _modules(files, package):
        files |= {f"{package}/{name}": Entry(data) for name, data in content.interface.items()}
    modules = _modules(files, package)
    try:
        init, own = face.added(files[place].data.decode("utf-8"), modules, data="data" in modules)
    except (SyntaxError, ValueError) as error:
        raise NoPackage(f"`{place}` is no Python: {error}", fixes=["correct it, and release again"]) from None
    files[place] = Entry(init.encode())
    if own:
        notes.append(
            f"`{package}` has its own {', '.join(own)}: those of the release are in `{package}._release`"
        )
    points, kept = metadata.with_points(_text(files, f"{info}/entry_points.txt"), _points(document))
    notes += [f"the command `{name.partition('.')[2]}` is the project's own" for name in kept]
    files[f"{info}/entry_points.txt"] = Entry(points.encode())
    said = metadata.with_fields(
        files[f"{info}/METADATA"].data, {"Version": document.version}, requires=content.requires
    )
    files[f"{info}/METADATA"] = Entry(said)
    sbom = bom.sbom(document, generator, document.blobs)
    files[f"{info}/sboms/{document.project}.cdx.json"] = Entry(sbom)
    return Made(f"{info.removesuffix('.dist-info')}-{base.tags}.whl", files, info, tuple(notes))


def _renamed(base: Base, version: str) -> Base:
    """The wheel with another version in the names of its folders."""
    stem = base.dist_info.removesuffix(".dist-info").partition("-")[0]
    before = base.dist_info.removesuffix(".dist-info")
    turned = {f"{before}.{kind}": f"{stem}-{version}.{kind}" for kind in ("dist-info", "data")}

    def name(file: str) -> str:
        top, slash, rest = file.partition("/")
        return f"{turned.get(top, top)}{slash}{rest}"

    files = {name(file): entry for file, entry in base.files.items()}
    return Base(files, turned[base.dist_info], base.tags)


def _release(content: Content, generator: str) -> dict[str, Entry]:
    """Everything below `PACKAGE/_release`."""
    document, lock = content.document, content.lock
    found = {
        "__init__.py": face.RELEASE.encode(),
        FILE: encoded(document),
        LOCK: text_of(lock).encode(),
        metrics.FILE: metrics.encoded(lock),
        "provenance.json": provenance.statement(document, lock, generator),
        "mlbom.cdx.json": bom.mlbom(document, generator, lock),
        **{f"{BLOBS}/{digest.removeprefix('b3:')}": data for digest, data in content.blobs.items()},
        **{f"{PROJECT}/{name}": data for name, data in content.project.items()},
    }
    if content.pylock is not None:
        found[PYLOCK] = content.pylock
    return {f"{document.package}/{FOLDER}/{name}": Entry(data) for name, data in found.items()}


def _points(document: Release) -> dict[str, dict[str, str]]:
    name, place = project(document.project), f"{document.package}.{FOLDER}"
    return {"console_scripts": {name: f"{place}:main"}, "stepwell.releases": {name: place}}


def _modules(files: Files, package: str) -> set[str]:
    """The names of the modules and packages that are right in a package."""
    inside = (name.removeprefix(f"{package}/") for name in files if name.startswith(f"{package}/"))
    return {re.split(r"[./]", name, maxsplit=1)[0] for name in inside if "/" in name or name.endswith(".py")}


def _text(files: Files, name: str) -> str:
    return files[name].data.decode("utf-8") if name in files else ""
