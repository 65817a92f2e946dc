"""Steps in containers: a Python function (`python`), a command (`Command`).

Paths are the same in a container and outside of it, so nothing needs translation: what is to be seen is
mounted where it is. In place of the project's root, which is not shown, a Python step has an empty folder of
its own; the sources that it reads are mounted in there. A command has its folder and its inputs.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from stepwell.errors import NoPythonInImage, StepwellError, WrongOutput
from stepwell.kernel.graph import Pack, StepDef
from stepwell.kernel.ports import Stored
from stepwell.plugins.registry import registry
from stepwell.worker import family
from stepwell.worker.copying import put
from stepwell.worker.inputs import Inputs
from stepwell.worker.kinds import process, spec_of
from stepwell.worker.places import RESOLVED, exchange, images, place
from stepwell.worker.places.images import Box, Container, Image, Mount
from stepwell.worker.places.starts import Exchange, Shown, Start

if TYPE_CHECKING:
    from stepwell.kernel.ports import Task
    from stepwell.worker.kinds.process import Ended

WORK = "root"
"""The folder of an exchange folder that a container sees in place of the project's root."""

FILES = "files"
"""The folder of an exchange folder where inputs that are files are put in place."""

HOME = {"HOME": "/tmp"}  # the container's own  # noqa: S108

_WRONG_WORDS = 2
"""The exit code of a Python that does not know the options it gets: one before 3.11 has no `-P`."""


def image_of(step: StepDef) -> Image:
    """The image that a step was planned with."""
    return Image(**place(step.place)[RESOLVED]["image"])


def box_of(
    step: StepDef,
    command: tuple[str, ...],
    folder: str,
    mounts: Iterable[Mount],
    variables: Mapping[str, str],
) -> Box:
    """A box for a step, with the resources that it states and the variables that it declares."""
    declared = {name: os.environ[name] for name in step.env if name in os.environ}
    return Box(
        image_of(step),
        command,
        folder,
        tuple(mounts),
        {**HOME, **declared, **variables},
        bool(place(step.place).get("network")),
        step.cpus,
        step.memory,
        step.name,
    )


# --------------------------------------------------------------------------- Python


def python(task: Task, ways: Exchange, lent: Iterable[str]) -> Start:
    """How to start the Python of an image for a task; `lent` are variables that every step's process has.

    Raises `ContainerNotStarted`.
    """
    step, root = task.step, str(ways.root)
    work, files, out = (ways.folder / name for name in (WORK, FILES, exchange.OUT))
    work.mkdir()
    files.mkdir()
    mounts = [
        Mount(str(work), root, writable=True),
        Mount(ways.package, ways.package),
        Mount(str(ways.folder), str(ways.folder)),
        Mount(str(out), str(out), writable=True),
        Mount(str(files), str(files), writable=True),
        *[Mount(str(path), str(path)) for path in _files_of(task, ways)],
        *[Mount(os.path.realpath(path), path) for path in ways.reads],
    ]
    _make_room(work, root, [mount.target for mount in mounts[1:]])
    variables = {name: os.environ[name] for name in lent if name in os.environ and name != family.MARK}
    variables |= {"PYTHONNOUSERSITE": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    container, end = images.begun(box_of(step, ("python3",), root, mounts, variables))

    def why(status: int, began: bool) -> StepwellError | None:
        return _no_python(container, step.name, status, began) or images.refusal(
            container, step.name, status, began=began
        )

    return Start(container.argv, container.environment, end, kin=False, why=why, work=work)


def _files_of(task: Task, ways: Exchange) -> list[Path]:
    """Put inputs that are files or folders in place, as links to blobs; the folders that must not be written to, therefore."""
    inputs = Inputs(ways.root, Shown(ways.folder))
    todo: list[Any] = [value for _, value in task.inputs]
    while todo:
        one = todo.pop()
        if isinstance(one, Pack):
            todo.extend(one.items)
        elif isinstance(one, Stored) and one.artifact.codec == "path":
            inputs.value(one._replace(path=()))
    return list((ways.folder / FILES).iterdir())


def _no_python(container: Container, step: str, status: int, began: bool) -> NoPythonInImage | None:
    if began or status not in (images.NOT_FOUND, images.CANNOT_EXECUTE, _WRONG_WORDS):
        return None
    reference = container.box.image.reference
    what = "is older than 3.11" if status == _WRONG_WORDS else "is not there"
    return NoPythonInImage(
        f"step `{step}`: the `python3` of the image `{reference}` {what}",
        why="a Python step in an image is executed by the Python of the image, which must be 3.11 or later",
        fixes=[
            "use an image that has one: docker.io/library/python:3.12-slim",
            "or call a program of the image: shell(..., image=...)",
        ],
    )


def _make_room(work: Path, root: str, targets: Iterable[str]) -> None:
    """Make what engines would make as superuser for us: the places inside of the root where something is mounted."""
    for target in targets:
        if target.startswith(f"{root.rstrip('/')}/"):
            here = work / os.path.relpath(target, root)
            if os.path.isdir(target):
                here.mkdir(parents=True, exist_ok=True)
            else:
                here.parent.mkdir(parents=True, exist_ok=True)
                here.touch()


def bring_home(work: Path, out: str, root: Path) -> None:
    """Put the file or folder that a step claims where it belongs. Raises `WrongOutput` for what leads elsewhere.

    What is in the image may be anybody's: a link to a file of this machine is not followed.
    """
    here, there = os.path.join(work, out), os.path.join(root, out)
    _refuse_links(Path(here), str(work))
    put(here, there)


def _refuse_links(path: Path, base: str) -> None:
    """Raises `WrongOutput` where an output leads out of the folder `base`, by itself or by something in it."""
    inside = os.path.realpath(base)
    found = [
        os.path.join(here, name) for here, folders, files in os.walk(path) for name in (*folders, *files)
    ]
    for each in (str(path), *found):
        if not f"{os.path.realpath(each)}/".startswith(f"{inside}/"):
            raise WrongOutput(
                f"the output `{path.name}` leads out of the container: `{os.path.basename(each)}` is a link to `{os.path.realpath(each)}`",
                why="what a step gives is what it wrote; outside of the container such a link means something else",
                fixes=["write the file itself: cp -L"],
            )


# --------------------------------------------------------------------------- commands


class Command:
    """A command (`worker.kinds.shell`, `script`) that is called with its inputs by name, and runs in a container."""

    def __init__(self, step: StepDef, root: Path) -> None:
        self._step, self._root = step, root
        self._command = cast("Any", registry.kind(step.kind).call(spec_of(step.spec), root))
        self._command.start = self._started
        self._inputs: tuple[str, ...] = ()
        self._base = ""
        self.__annotations__ = self._command.__annotations__
        self.__name__ = self._command.__name__

    def __call__(self, **values: Any) -> Any:
        """Run it. Raises what the command raises, and `ContainerNotStarted`, `ImageVanished`, `StepOutOfMemory`."""
        found = {os.path.abspath(self._root / path) for path in _paths(values.values())}
        self._inputs = tuple(sorted(found))
        given = self._command(**values)
        for path in _paths(given.values() if isinstance(given, dict) else [given]):
            _refuse_links(path, self._base)
        return given

    def finish(self) -> tuple[str, ...]:
        """Remove what it worked in. Gives what a person should know."""
        return tuple(self._command.finish())

    def _started(self, argv: Any, cwd: Path, env: Mapping[str, str], stdout: Path | None) -> Ended:
        """`worker.kinds.process.Start`, in a container."""
        self._base = base = os.path.dirname(env["TMPDIR"])
        mounts = [Mount(base, base, writable=True)]
        if not f"{cwd}/".startswith(f"{base}/"):
            mounts.append(Mount(str(cwd), str(cwd), writable=True))
        mounts += [Mount(os.path.realpath(path), path) for path in self._inputs if os.path.exists(path)]
        own = {name: value for name, value in env.items() if os.environ.get(name) != value}
        mounts += [Mount(path, path) for path in self._files()]
        words = tuple(os.fsdecode(word) for word in argv)
        if words[0] == sys.executable:  # a script's: the image has one of its own
            words = ("python3", *words[1:])
        box = box_of(self._step, words, str(cwd), mounts, own)
        with images.contained(box) as container:
            ended = process.run(container.argv, Path("/"), container.environment, stdout)
        began = not images.spoke(ended.said)
        error = images.refusal(container, self._step.name, ended.code, began=began, said=ended.said)
        if error is not None:
            raise error
        return ended

    def _files(self) -> list[str]:
        """The files of the project that it executes: those of a script."""
        files = getattr(registry.kind(self._step.kind), "files", None)
        return [] if files is None else list(files(spec_of(self._step.spec), self._root))


def _paths(values: Iterable[Any]) -> Iterator[Path]:
    """The paths among values, also in lists and tuples of them."""
    for value in values:
        if isinstance(value, Path):
            yield value
        elif isinstance(value, list | tuple):
            yield from _paths(value)
