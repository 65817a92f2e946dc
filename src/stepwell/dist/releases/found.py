"""A release by the words that a person has for it.

found("dist/churn-1.4.0-py3-none-any.whl", root)     a file
found("1.4.0", root)                                 of this project: in `dist/`, then in the index of its channels
found("churn==1.4.0", root)                          in the same places
found("production", root), found("churn@production", root)     what is current in a channel
found("churn", root)                                 what is installed in this environment
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import re
from functools import cache
from pathlib import Path

from stepwell.author.manifest import Manifest, manifest_of
from stepwell.dist import names
from stepwell.dist.channels.files import Files
from stepwell.dist.channels.index import Channels
from stepwell.dist.channels.pool import place
from stepwell.dist.releases.document import FILE, FOLDER
from stepwell.dist.releases.opened import Opened, open_installed, open_wheel
from stepwell.dist.versions import parsed
from stepwell.dist.wheels import file_name
from stepwell.errors import BadReleaseName, NoChannels, ReleaseNotFound, StepwellError

_PINNED = re.compile(r"(?P<project>[A-Za-z0-9._-]+)(?:==|@| )(?P<which>.+)")


def found(word: str, root: Path, file: Path | None = None) -> Opened:
    """The release that a word means, of the project at `root` (or the single `file`) where it names no other.

    Raises `ReleaseNotFound`, `BadWheel`, `NotARelease`, `BadRelease`, and what opening the channels raises.
    """
    if word.endswith(".whl"):
        return open_wheel(Path(word) if Path(word).is_absolute() else Path.cwd() / word)
    manifest = manifest_of(root, file)
    pinned = _PINNED.fullmatch(word.strip())
    if pinned is not None:
        return _of(names.project(pinned["project"]), pinned["which"].strip(), root, manifest)
    here = installed(word)
    return here or _of(_own(root, file, manifest), word.strip(), root, manifest)


def channels_of(root: Path, manifest: Manifest, index: str = "") -> Channels:
    """The index of channels of a project, or the one at `index`. Raises `NoChannels`."""
    where = index or manifest.channels.index
    if not where:
        from stepwell.dist.edits import home_of  # which only an error needs

        home = home_of(root)
        raise NoChannels(
            "it is not said where the channels are",
            fixes=[
                f'in `{home.file.name}`: {home.heading("channels")} index = "index"',
                "the same command with --index FOLDER",
                "stepwell channels --create staging production --index FOLDER    makes one",
            ],
        )
    return Channels.open(files_of(where, root))


def has_channels(root: Path, manifest: Manifest) -> bool:
    """Whether a project names channels that may be there. A folder elsewhere may be on a disk that is not mounted; one of its own was never made."""
    index = manifest.channels.index
    return bool(index) and ("://" in index or Path(index).is_absolute() or (root / index).exists())


def files_of(where: str, root: Path) -> Files:
    """The door to an index: a folder, relative to the project's root, or a bucket. Raises `NoChannels` for what is neither."""
    from stepwell.dist.channels.local import LocalFiles

    scheme = where.partition("://")[0] if "://" in where else "file"
    if scheme == "file":
        return LocalFiles((root / where.removeprefix("file://")).resolve())
    if scheme == "s3":
        from stepwell.dist.channels.bucket import BucketFiles

        return BucketFiles(where)
    raise NoChannels(
        f"`{where}` is no place that channels can be kept in",
        why="an index is written to; pip and uv are what reads it from a server",
        fixes=["name the folder or the bucket that is served: --index /srv/index, --index s3://acme/index"],
    )


def own_name(root: Path, file: Path | None, manifest: Manifest) -> str:
    """What a project's releases are called: `[tool.stepwell.release] name`, that of `[project]`, that of the single file or the folder."""
    if manifest.release.name:
        return manifest.release.name
    try:
        import tomllib

        said = tomllib.loads((root / "pyproject.toml").read_text("utf-8")).get("project", {}).get("name")
    except (OSError, ValueError):
        said = None
    if isinstance(said, str) and said:
        return said
    return file.stem if file is not None and file.stem != "pipeline" else root.name


def _own(root: Path, file: Path | None, manifest: Manifest) -> str:
    return names.project(own_name(root, file, manifest))


def _of(project: str, which: str, root: Path, manifest: Manifest) -> Opened:
    """A version or a channel of a project."""
    try:
        version = parsed(which).text
    except BadReleaseName:
        channels = channels_of(root, manifest)
        standing = channels.current(project, channels.channel(which))
        if standing.promoted is None:
            raise ReleaseNotFound(
                f"nothing of `{project}` is current in `{which}`",
                fixes=["stepwell channels", f"stepwell history {project} {which}"],
            ) from None
        return pooled(channels, project, standing.promoted.file)
    path = built(root, project, version)
    return open_wheel(path) if path is not None else _in_pool(project, version, root, manifest)


def built(root: Path, project: str, version: str) -> Path | None:
    """The wheel of a version in `dist/`, where releases are built; None where there is none. Both names in their one spelling."""
    wheels = sorted((root / "dist").glob("*.whl"))
    return next((path for path in wheels if _is(path.name, project, version)), None)


def _is(file: str, project: str, version: str) -> bool:
    try:
        said = file_name(file)
        return (said.project, parsed(said.version).text) == (project, version)
    except StepwellError:  # some other file
        return False


def _in_pool(project: str, version: str, root: Path, manifest: Manifest) -> Opened:
    if has_channels(root, manifest):
        channels = channels_of(root, manifest)
        for file in channels.pool.versions(project, version):
            return pooled(channels, project, file)
    raise ReleaseNotFound(
        f"there is no release {version} of `{project}` here",
        why="it is neither in `dist/` nor in the index of the project's channels",
        fixes=["stepwell channels", "give the path of the wheel"],
    )


def pooled(channels: Channels, project: str, file: str) -> Opened:
    """A release in the pool of an index. Raises `ReleaseNotFound`, `BadWheel`, `NotARelease`."""
    from stepwell.dist.channels.local import LocalFiles

    files, name = channels.files, place(project, file)
    if isinstance(files, LocalFiles):
        return open_wheel(files.folder / name)
    folder = _downloads()
    path = folder / hashlib.sha256(f"{files.where} {project}".encode()).hexdigest()[:16] / file
    if not path.exists():
        blocks = files.blocks(name)
        if blocks is None:
            raise ReleaseNotFound(
                f"`{files.where}/{name}` is not there", fixes=["stepwell channels --verify"]
            )
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path.with_suffix(".part"), "wb") as part:
            part.writelines(blocks)
        path.with_suffix(".part").rename(path)
    return open_wheel(path)


@cache
def _downloads() -> Path:
    """Where this process keeps wheels of buckets, which are removed when it ends."""
    import atexit
    import shutil
    import tempfile

    folder = Path(tempfile.mkdtemp(prefix="stepwell-wheels-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def installed(word: str) -> Opened | None:
    """What is installed under a name, if it is a release."""
    try:
        distribution = importlib.metadata.distribution(word)
    except (importlib.metadata.PackageNotFoundError, ValueError):
        return None
    for each in distribution.files or ():
        if each.name == FILE and len(each.parts) == 3 and each.parts[1] == FOLDER:
            return open_installed(Path(str(each.locate())).parent)
    return None
