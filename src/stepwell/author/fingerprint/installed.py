"""What is installed: which distributions provide a module, at which version, and which are editable.

Read off the folders of `sys.path` (`*.dist-info`, `*.egg-info`), without importing anything:
`importlib.metadata` would cost more than the whole rest of a plan, and asking it which
distribution provides a module reads every file list there is. Here a name is first tried as the
distribution's own; only a name like `sklearn` makes all lists be read, once.

The version of a distribution that did not come from an index says which one it is:
`1.2 (git 1a2b3c4d5e6f)`, or `1.2 (files 1a2b3c4d5e6f)` for a folder or file that was installed.
"""

from __future__ import annotations

import ast
import json
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from urllib.parse import unquote, urlsplit

from stepwell.kernel.identity import digest

__all__ = ["Installed"]

_INFO = re.compile(r"^(?P<name>.+?)-(?P<version>[^-]+?)(?:-py[\d.]+)?\.(?:dist|egg)-info$")


@dataclass(frozen=True, slots=True)
class _Info:
    """One `*.dist-info` folder."""

    name: str
    version: str
    path: str


class Installed:
    """The distributions on a search path."""

    def __init__(self, path: Sequence[str]) -> None:
        self.path = tuple(dict.fromkeys(path))
        self._provided: dict[str, tuple[tuple[str, str], ...]] = {}

    def providers(self, module: str) -> tuple[tuple[str, str], ...]:
        """(name, version) of each distribution that provides a module, given by its dotted name; sorted."""
        found = self._provided.get(module)
        if found is None:
            infos = self._owners(module)
            found = self._provided[module] = tuple(sorted({(i.name, _version(i)) for i in infos}))
        return found

    @cached_property
    def editable(self) -> tuple[Path, ...]:
        """The folders of projects that are installed as editable."""
        roots: dict[Path, None] = {}
        for info in self._infos:
            origin = _origin(info)
            if origin.get("dir_info", {}).get("editable"):
                folder = Path(unquote(urlsplit(str(origin.get("url", ""))).path))
                roots.update(dict.fromkeys([folder, *_mapped(info)]))
        return tuple(roots)

    @cached_property
    def _infos(self) -> list[_Info]:
        found: dict[str, _Info] = {}
        for folder in self.path:
            for entry in _entries(folder):
                match = _INFO.match(entry)
                if match:
                    name = re.sub(r"[-_.]+", "-", match["name"]).lower()
                    found.setdefault(name, _Info(name, match["version"], os.path.join(folder, entry)))
        return list(found.values())

    def _owners(self, module: str) -> list[_Info]:
        top = module.split(".", 1)[0]
        like = re.sub(r"[-_.]+", "-", top).lower()
        for info in self._infos:
            if info.name == like and top in _tops(info) and self._is_closed(info, top):
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
            for top in _tops(info):
                found.setdefault(top, []).append(info)
        return found


def _entries(folder: str) -> list[str]:
    try:
        return sorted(e for e in os.listdir(folder or ".") if e.endswith((".dist-info", ".egg-info")))
    except OSError:
        return []


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
        origin = json.loads(text) if text else {}
    except ValueError:
        return {}
    return origin if isinstance(origin, dict) else {}


def _version(info: _Info) -> str:
    origin = _origin(info)
    commit = origin.get("vcs_info", {}).get("commit_id")
    if commit:
        return f"{info.version} (git {str(commit)[:12]})"
    if "dir_info" in origin or "archive_info" in origin:
        return f"{info.version} (files {digest(_text(info, 'RECORD'))[:12]})"
    return info.version


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
