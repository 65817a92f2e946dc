"""What is installed: which distributions provide a module, at which version, and which are editable.

Read off the folders of `sys.path` (`*.dist-info`, `*.egg-info`), without importing anything:
`importlib.metadata` would cost more than the whole rest of a plan, and asking it which
distribution provides a module reads every file list there is. Here a name is first tried as the
distribution's own; only a name like `sklearn` makes all lists be read, once.

The version of a distribution that did not come from an index says which one it is:
`1.2 (git 1a2b3c4d5e6f)`, or `1.2 (files 1a2b3c4d5e6f)` for a folder or file that was installed. That
of one with compiled parts says which build: `2.3 (cp311-manylinux_2_28_x86_64)`.

What was read of a distribution is kept, in this process and in a memo if one is given, for as long
as its `RECORD` (or metadata) keeps its time and size.
"""

from __future__ import annotations

import ast
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from json import dumps, loads
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from stepwell.author.fingerprint.markers import normal
from stepwell.kernel.identity import digest
from stepwell.named import NamedTuple

__all__ = ["Facts", "Installed"]

_INFO = re.compile(r"^(.+?)-([^-]+?)(?:-py[\d.]+)?\.(?:dist|egg)-info$")
"""The name and version in the name of a folder of metadata."""

SETTLED = 2_000_000_000
"""Nanoseconds after which a change of a folder is surely seen by its time."""


class _Info(NamedTuple):
    """One `*.dist-info` folder. `has_origin`: it says that it did not come from an index."""

    name: str
    version: str
    path: str
    has_origin: bool


class Facts(NamedTuple):
    """What counts of a distribution."""

    version: str
    """With its origin, or its build where it has compiled parts."""
    requires: tuple[str, ...]
    """Requirements as its metadata has them: `numpy>=2; python_version < "3.14"`."""
    editable: bool


_KNOWN: dict[tuple[str, str], tuple[str, Any]] = {}
"""(kind, folder) -> the stamp of a distribution and what was read of it, in this process."""

_LISTED: dict[str, tuple[int, Sequence[_Info]]] = {}
"""By folder its time and the distributions that are in it, in this process."""


class Installed:
    """The distributions on a search path."""

    def __init__(self, path: Sequence[str]) -> None:
        self.path = tuple(dict.fromkeys(path))
        self._memo: Any = None
        self._recalled: dict[str, Mapping[str, str | bytes]] = {}
        self._news: dict[str, dict[str, str | bytes]] = {}
        self._provided: dict[str, tuple[tuple[str, str], ...]] = {}

    def providers(self, module: str) -> tuple[tuple[str, str], ...]:
        """(name, version) of each distribution that provides a module, given by its dotted name; sorted."""
        found = self._provided.get(module)
        if found is None:
            infos = self._owners(module)
            found = self._provided[module] = tuple(sorted({(i.name, self._facts(i).version) for i in infos}))
        return found

    @property
    def names(self) -> tuple[str, ...]:
        """The normalised names of all distributions; sorted."""
        return tuple(sorted(info.name for info in self._infos))

    def facts(self, name: str) -> Facts | None:
        """What counts of a distribution, by its normalised name; None where it is not installed."""
        info = self._by_name.get(name)
        return self._facts(info) if info is not None else None

    def recall(self, memo: Any) -> None:
        """Use a memo (`get_many`, `put_many`) for what is read of distributions; None for none."""
        self._memo, self._recalled = memo, {}

    def remember(self) -> None:
        """Put what was newly read into the memo."""
        for kind, values in self._news.items():
            if self._memo is not None:
                self._memo.put_many(kind, values)
        self._news = {}

    def _facts(self, info: _Info) -> Facts:
        version, requires, editable = self._kept("distribution", info, _read_facts)
        return Facts(version, tuple(requires), editable)

    def _tops(self, info: _Info) -> frozenset[str]:
        return frozenset(self._kept("distribution modules", info, lambda info: sorted(_tops(info))))

    def _kept(self, kind: str, info: _Info, read: Callable[[_Info], Any]) -> Any:
        """What `read` gives of a distribution (plain data), read again only when its files changed."""
        stamp = _stamp(info)
        known = _KNOWN.get((kind, info.path))
        if known is None or known[0] != stamp:
            known = self._recall(kind, info.path)
        if known is None or known[0] != stamp:
            known = (stamp, read(info))
            self._news.setdefault(kind, {})[info.path] = dumps(known)
        _KNOWN[kind, info.path] = known
        return known[1]

    def _recall(self, kind: str, path: str) -> tuple[str, Any] | None:
        if self._memo is None:
            return None
        if kind not in self._recalled:  # one query for all
            self._recalled[kind] = self._memo.get_many(kind, [info.path for info in self._infos])
        text = self._recalled[kind].get(path)
        try:
            stamp, value = loads(text) if text is not None else (None, None)
        except (ValueError, TypeError):
            return None
        return (stamp, value) if stamp is not None else None

    @cached_property
    def editable(self) -> tuple[Path, ...]:
        """The folders of projects that are installed as editable."""
        return tuple(dict.fromkeys([root for info in self._infos for root in self._editable_of(info)]))

    def _editable_of(self, info: _Info) -> tuple[Path, ...]:
        """The folders of a project that is installed as editable; none of others, which most are."""
        origin = _origin(info) if info.has_origin else {}
        if not origin.get("dir_info", {}).get("editable"):
            return ()
        return (Path(unquote(urlsplit(str(origin.get("url", ""))).path)), *_mapped(info))

    @cached_property
    def _infos(self) -> list[_Info]:
        found: dict[str, _Info] = {}
        for folder in self.path:
            for info in _listed(folder):
                found.setdefault(info.name, info)
        return list(found.values())

    @cached_property
    def _by_name(self) -> dict[str, _Info]:
        return {info.name: info for info in self._infos}

    def _owners(self, module: str) -> list[_Info]:
        top = module.split(".", 1)[0]
        like = normal(top)
        for info in self._infos:
            if info.name == like and top in self._tops(info) and self._is_closed(info, top):
                return [info]
        infos = self._by_top.get(top, [])
        if len(infos) > 1:  # a namespace package such as `google`: only those that have this part of it
            part = module.replace(".", "/")
            while "/" in part:
                exact = [i for i in infos if any(_is_below(f, part) for f in _files(i))]
                if exact:
                    return exact
                part = part.rpartition("/")[0]
        return infos

    def _is_closed(self, info: _Info, top: str) -> bool:
        """Whether it is a module or a regular package, so that no other distribution has a share in it."""
        folder = os.path.dirname(info.path)
        stem = os.path.join(folder, top)
        return not os.path.isdir(stem) or os.path.isfile(os.path.join(stem, "__init__.py"))

    @cached_property
    def _by_top(self) -> dict[str, list[_Info]]:
        found: dict[str, list[_Info]] = {}
        for info in self._infos:
            for top in self._tops(info):
                found.setdefault(top, []).append(info)
        return found


def _listed(folder: str) -> Sequence[_Info]:
    """The distributions of a folder, by the names of their own folders; looked for again only when it has changed.

    A folder that changed a moment ago may change again within the resolution of its time, and is not remembered.
    """
    try:
        changed = os.stat(folder or ".").st_mtime_ns
        known = _LISTED.get(folder)
        if known is not None and known[0] == changed:
            return known[1]
        found = [info for entry in sorted(os.listdir(folder or ".")) for info in _info(folder, entry)]
    except OSError:
        return ()
    if time.time_ns() - changed > SETTLED:
        _LISTED[folder] = (changed, found)
    return found


def _info(folder: str, entry: str) -> tuple[_Info, ...]:
    """The distribution of which a folder of this name holds the metadata; none where it is something else."""
    match = _INFO.match(entry) if entry.endswith((".dist-info", ".egg-info")) else None
    if match is None:
        return ()
    path = os.path.join(folder, entry)
    return (_Info(normal(match[1]), match[2], path, os.path.exists(f"{path}/direct_url.json")),)


def _text(info: _Info, name: str) -> str:
    try:
        with open(os.path.join(info.path, name), encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def _files(info: _Info) -> Iterator[str]:
    """The installed files, relative to the folder that holds the distribution's metadata."""
    for line in _text(info, "RECORD").splitlines():
        yield line.split(",", 1)[0].strip('"')


def _is_below(file: str, part: str) -> bool:
    return file.startswith((part + "/", part + "."))


def _tops(info: _Info) -> set[str]:
    """The top-level modules that a distribution installs."""
    listed = _text(info, "top_level.txt").split()
    if listed:
        return {name.split("/", 1)[0] for name in listed}
    tops: set[str] = set()
    for file in _files(info):
        first, slash, _ = file.partition("/")
        if slash and "." not in first:
            tops.add(first)
        elif not slash and first.endswith((".py", ".so", ".pyd")):
            tops.add(first.split(".", 1)[0])
    return tops


def _origin(info: _Info) -> dict[str, dict[str, object]]:
    """`direct_url.json`, or nothing."""
    text = _text(info, "direct_url.json")
    try:
        origin = loads(text) if text else {}
    except ValueError:
        return {}
    return origin if isinstance(origin, dict) else {}


def _stamp(info: _Info) -> str:
    """Changes whenever the distribution is installed again: time and size of the list of its files."""
    for name in ("RECORD", "METADATA", "PKG-INFO", "."):
        try:
            status = os.stat(os.path.join(info.path, name))
        except OSError:
            continue
        return f"{status.st_mtime_ns} {status.st_size}"
    return ""


def _read_facts(info: _Info) -> tuple[str, list[str], bool]:
    origin = _origin(info)
    editable = bool(origin.get("dir_info", {}).get("editable"))
    return _version(info, origin), _requires(info), editable


def _version(info: _Info, origin: dict[str, dict[str, object]]) -> str:
    commit = origin.get("vcs_info", {}).get("commit_id")
    if commit:
        return f"{info.version} (git {str(commit)[:12]})"
    if "dir_info" in origin or "archive_info" in origin:
        return f"{info.version} (files {digest(_text(info, 'RECORD'))[:12]})"
    build = _build(info)
    return f"{info.version} ({build})" if build else info.version


def _build(info: _Info) -> str:
    """Which build of a distribution with compiled parts it is: `cp311-manylinux_2_28_x86_64`; "" for a pure one."""
    lines = [line.partition(":") for line in _text(info, "WHEEL").splitlines()]
    fields = [(name.strip().lower(), value.strip()) for name, _, value in lines]
    if ("root-is-purelib", "false") not in [(name, value.lower()) for name, value in fields]:
        return ""
    tags = sorted(value for name, value in fields if name == "tag")
    parts = tags[0].split("-") if tags else []
    if len(parts) == 3 and parts[0] == parts[1]:
        parts = parts[1:]
    return "-".join([*parts, *(f"build {value}" for name, value in fields if name == "build")])


def _requires(info: _Info) -> list[str]:
    """The requirements in the head of the metadata."""
    found: list[str] = []
    for line in (_text(info, "METADATA") or _text(info, "PKG-INFO")).splitlines():
        if not line:
            break
        name, colon, value = line.partition(":")
        if colon and name.lower() == "requires-dist":
            found.append(value.strip())
        elif found and line[0] in " \t":  # a folded line
            found[-1] += " " + line.strip()
    return found


def _mapped(info: _Info) -> Iterator[Path]:
    """Folders that setuptools' finder for editable installs maps packages to, where they keep their name."""
    stem = "__editable___" + os.path.basename(info.path).rpartition(".")[0].replace(".", "_").replace(
        "-", "_"
    )
    finder = os.path.join(os.path.dirname(info.path), stem + "_finder.py")
    try:
        tree = ast.parse(Path(finder).read_bytes())
    except (OSError, SyntaxError, ValueError):
        return
    for node in tree.body:
        if (
            isinstance(node, ast.AnnAssign)
            and ast.unparse(node.target) == "MAPPING"
            and node.value is not None
        ):
            for name, place in ast.literal_eval(node.value).items():
                if os.path.basename(place) == name:
                    yield Path(place).parent
