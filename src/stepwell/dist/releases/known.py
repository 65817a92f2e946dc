"""The releases of a project that are known here: in folders of wheels, in the index of its channels, as tags.

known = known_of("flights-delay", [root / "dist"], channels, tree)
[(one.version.text, one.where) for one in known]
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from stepwell.dist.channels.index import Channels
from stepwell.dist.channels.local import LocalFiles
from stepwell.dist.channels.pool import FOLDER
from stepwell.dist.channels.state import projects
from stepwell.dist.names import project as project_name
from stepwell.dist.releases.tree import Tree
from stepwell.dist.versions import Version, parsed
from stepwell.dist.wheels import file_name
from stepwell.errors import StepwellError


class Known(NamedTuple):
    """A release: its version, where it was seen, in words, and its wheel where that is a file. `tagged` is the commit of a tag."""

    version: Version
    where: str
    path: Path | None = None
    tagged: str = ""
    yanked: bool = False


def known_of(
    project: str, folders: Iterable[Path], channels: Channels | None, tree: Tree
) -> tuple[Known, ...]:
    """Every release of a project in some folders, an index of channels, and the tags of its repository, lowest first.

    Raises what opening the channels' logs raises.
    """
    found = [
        *(one for folder in folders for one in _in_folder(project, folder)),
        *(_in_channels(project, channels) if channels is not None else ()),
        *_tagged(project, tree),
    ]
    return tuple(sorted(found, key=lambda one: one.version.key))


def _in_folder(project: str, folder: Path) -> Iterable[Known]:
    for path in sorted(folder.glob("*.whl")):
        try:
            said = file_name(path.name)
        except StepwellError:  # a wheel of something else, or no wheel
            continue
        if said.project == project:
            yield Known(parsed(said.version), f"{folder.name}/{path.name}", path)


def _in_channels(project: str, channels: Channels) -> Iterable[Known]:
    """What channels list, and what lies in their pool."""
    for channel in channels.order:
        listed = projects(channels.log(channel)).get(project)
        for version, one in (listed.listed if listed else {}).items():
            yield Known(parsed(version), f"the channel {channel}", yanked=one.yanked is not None)
    files = channels.files
    for name in files.names(f"{FOLDER}/{project}"):
        if name.endswith(".whl"):
            path = files.folder / name if isinstance(files, LocalFiles) else None
            version = parsed(file_name(name.rpartition("/")[2]).version)
            yield Known(version, f"{files.where}/{name}", path)


def _tagged(project: str, tree: Tree) -> Iterable[Known]:
    """Tags like `v1.4.0`, `1.4.0` and `churn-1.4.0`."""
    for name, commit in tree.tags:
        found = re.fullmatch(
            r"(?:(?P<project>.+?)[-_@/]v?|v)?(?P<version>[0-9]+(?:\.[0-9]+)+[0-9a-z.+]*)", name
        )
        if found is None or (found["project"] and not _same(found["project"], project)):
            continue
        try:
            yield Known(parsed(found["version"]), f"the tag {name}", tagged=commit)
        except StepwellError:  # a tag of something else
            continue


def _same(name: str, project: str) -> bool:
    try:
        return project_name(name) == project
    except StepwellError:
        return False
