"""The project that a command about channels speaks of, and the index that its channels are in.

    here = indexed(Path.cwd(), "churn", index="")
    here.channels.current(here.project, "production")

Nothing of the project is imported: its manifest, its folder `dist/` and its index are all that is looked at.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from stepwell.author.manifest import Manifest, manifest_of
from stepwell.author.root import DEFAULT_FILE, root_of
from stepwell.author.written import written_of
from stepwell.dist import names
from stepwell.dist.channels.index import Channels
from stepwell.dist.releases.found import channels_of, files_of, own_name
from stepwell.errors import BadReleaseName, NoChannels, NoPipelineFile


class Place(NamedTuple):
    """A project: its root, its manifest, and the single file whose header that is, or None.

    `own` is what its releases are called, in its one spelling; "" where its folder's name cannot be one.
    """

    root: Path
    file: Path | None
    manifest: Manifest
    own: str


class Indexed(NamedTuple):
    """A project's place, the index of channels, and the `project` in it that is spoken of."""

    place: Place
    channels: Channels
    project: str

    @property
    def mine(self) -> bool:
        """Whether it is the project that the command was called in, whose manifest says what must hold."""
        return self.project == self.place.own


def place_of(folder: Path, word: str = "") -> Place:
    """The project of a folder, or that of the single file that `word` is the path or the name of.

    Raises `NoPipelineFile` for a file that is not there, and what reading a manifest raises.
    """
    script = _script(folder, word)
    root = root_of(script or folder)
    manifest = manifest_of(root, script)
    try:
        own = names.project(own_name(root, script, manifest))
    except BadReleaseName:
        own = ""
    return Place(root, script, manifest, own)


def indexed(folder: Path, word: str = "", index: str = "", *, needed: bool = True) -> Indexed:
    """What a command called in `folder` is about: the project `word` (a name, or a single file), else the folder's own.

    `index` is where the index is, "" where the manifest says it. Where the folder's name can be no project's, `project` is "",
    unless it is `needed`. Raises `NoChannels`, `BadReleaseName`, and as `place_of`.
    """
    place = place_of(folder, word)
    project = place.own if not word or word.endswith(".py") else names.project(word)
    if needed and not project:
        names.project(own_name(place.root, place.file, place.manifest))  # which says what is wrong with it
    base = folder if index else place.root
    return Indexed(place, channels_of(base, place.manifest, index), project)


def created(folder: Path, order: list[str], index: str = "") -> Channels:
    """An index of channels, made where it was not there; `order` of the manifest where it is empty. Raises as `Channels.create`."""
    place = place_of(folder)
    where = index or place.manifest.channels.index
    if not where:
        from stepwell.dist.edits import home_of  # which only an error needs

        home = home_of(place.root, place.file)
        raise NoChannels(
            "it is not said where the channels are to be",
            fixes=[
                f'in `{home.file.name}`: {home.heading("channels")} index = "index"',
                "stepwell channels --create --index FOLDER",
            ],
        )
    return Channels.create(
        files_of(where, folder if index else place.root), order or list(place.manifest.channels.order)
    )


def _script(folder: Path, word: str) -> Path | None:
    """The single file with a header of its own that a command is about, or None."""
    if word.endswith(".py"):
        file = (folder / word).resolve()
        if not file.is_file():
            raise NoPipelineFile(
                f"there is no file `{word}` in `{folder.name or folder}`", fixes=["check the path"]
            )
        candidates = [file]
    else:
        candidates = [folder / f"{word.replace('-', '_')}.py"] if word else []
        candidates.append(folder / DEFAULT_FILE)
    for file in candidates:
        written = written_of(root_of(file), file) if file.is_file() else None
        if written is not None and written.kind == "script":
            return file.resolve()
    return None
