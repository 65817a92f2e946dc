"""The other side of a step with a place: a process that executes one task with the libraries that it finds.

It is `worker.execute` like in any worker, with an exchange folder in place of the store. It needs Python
3.11 and Stepwell's sources, none of what Stepwell is installed with: digests are made by the worker.
"""

from __future__ import annotations

import json
import mmap
import os
import resource
import secrets
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, Protocol

from stepwell.codecs import choose
from stepwell.errors import LibraryMissing, MissingLibrary, NotByPickle, RecordRefused, StepNotLoaded
from stepwell.kernel.ports import Artifact, Done, Failure, Logged, Made, Outside, Recorded, Task
from stepwell.stores.blobs import Blobs, OneWay
from stepwell.worker import family
from stepwell.worker.execute import Context, execute
from stepwell.worker.inputs import Inputs
from stepwell.worker.modules import FirstParty, Snapshot
from stepwell.worker.observe import Observer
from stepwell.worker.places import exchange
from stepwell.worker.places.pickles import foreign
from stepwell.worker.places.starts import Shown
from stepwell.worker.world import World

_UNIT = 1 if sys.platform == "darwin" else 1024


def main(folder: str) -> None:
    """Execute the task of an exchange folder, and end the process."""
    parent = os.environ.pop("STEPWELL_PARENT", "")
    if parent:
        family.die_with_parent(int(parent))
    here = Path(folder)
    out = here / exchange.OUT
    given = json.loads((here / exchange.TASK).read_text("utf-8"))
    task = exchange.unpacked_task(
        given["task"], partial(exchange.unpacked_value, decoded=partial(_decoded, here))
    )
    context = _context(given, here, task)
    (out / exchange.BEGAN).touch()
    done = execute(task, context)
    sys.stdout.flush()
    sys.stderr.flush()
    exchange.write_json(out / exchange.DONE, _told(done, given["place"], task.step.name))


class Blob(Protocol):
    """`plugins.hookspecs.Blob`, as `Shown` gives it."""

    data: memoryview
    path: Path | None


class Given(Inputs):
    """Inputs whose sources were looked up by the worker."""

    def __init__(
        self, root: Path, blobs: Blobs, sources: Mapping[str, Sequence[str]], folders: Mapping[str, str]
    ) -> None:
        super().__init__(root, blobs)
        self._sources, self._folders = sources, folders

    def _outside(self, outside: Outside) -> Any:
        from stepwell.sources import read  # most tasks read no source

        how = (outside.uri, outside.type, dict(outside.options))
        files, folder = tuple(self._sources[outside.digest]), self._folders.get(outside.digest, "")
        return read.load(*how, root=self._root, files=files, folder=folder)


class Unhashed(World):
    """What is observed here; the content of files is left to the worker."""

    def _now(self, kind: str, place: str, without: Any) -> str:
        if kind == "file" and os.path.isfile(place):
            return exchange.UNHASHED
        return super()._now(kind, place, without)


def _context(given: Mapping[str, Any], folder: Path, task: Task) -> Context:
    """What the task is executed in."""
    root = Path(given["folder"])
    files = {path: exchange.unpacked_bytes(text) for path, text in given["snapshot"].items()}
    importer = FirstParty([Path(each) for each in given["roots"]], Snapshot(files))
    if given["root"] != str(
        importer.observer.root
    ):  # the code is another project's; what it reads is told from here
        importer.observer = Observer(
            given["root"], importer.is_first_party, importer.roots, importer.snapshot
        )
    importer.observer.world = Unhashed
    importer.install()
    recorded = open(folder / exchange.OUT / exchange.RECORDED, "a", encoding="utf-8")  # noqa: SIM115  until the end

    def report(one: Logged | Recorded) -> None:
        recorded.write(json.dumps(_recorded(one)) + "\n")
        recorded.flush()

    blobs = Shown(folder)
    covered = {} if given["covered"] is None else {task.step.full_name: given["covered"]}
    context = Context(root, blobs, importer, report, (), "", lent=given["lent"], covered=covered, live=True)
    context.inputs = Given(root, blobs, given["sources"], given["folders"])
    context.keep = partial(  # type: ignore[assignment]
        _keep, task=task, out=folder / exchange.OUT, importer=importer, numbers=count()
    )
    return context


def _decoded(folder: Path, codec: str, data: bytes) -> Any:
    return choose.load(Shown(folder).held(data), codec)


# --------------------------------------------------------------------------- outputs


class FileSink(OneWay):
    """A sink that is a file of `out/`; the files that a codec takes into it get marks. Implements `hookspecs.Sink`."""

    closed = False

    def __init__(self, out: Path, name: str) -> None:
        self._out, self._name = out, name
        self._file = (out / name).open("xb")
        self.marks: dict[str, str] = {}
        """By mark the name of a file."""

    def write(self, data: Any, /) -> int:
        """Append bytes."""
        self._file.write(data)
        return memoryview(data).nbytes

    def tell(self) -> int:
        """Bytes written so far."""
        return self._file.tell()

    def take(self, path: Path) -> tuple[str, int]:
        """A file as a part: put aside, under a mark as long as a digest."""
        mark = f"b3:{secrets.token_hex(32)}"
        name = f"{self._name}-{len(self.marks)}"
        shutil.copyfile(path, self._out / name)
        self.marks[mark] = name
        return mark, (self._out / name).stat().st_size

    def finish(self) -> int:
        """Complete it; its size in bytes."""
        size = self._file.tell()
        self._file.close()
        return size


class Left(Artifact):
    """An artifact without digest: its `digest` is the name of a file of `out/`, its `parts` are marks and names in turn."""


def _keep(
    parts: list[tuple[str, str, Any]],
    _: Blobs,
    *,
    task: Task,
    out: Path,
    importer: FirstParty,
    numbers: Iterator[int],
) -> tuple[Made, ...]:
    """Encode values to files, named by the next `numbers`. Raises `CodecError`, `NotByPickle`."""
    made = []
    for number, (name, codec, value) in zip(numbers, parts, strict=False):
        sink = FileSink(out, str(number))
        chosen, note = choose.dump(value, codec, sink)
        size = sink.finish()
        if chosen == "pickle":
            _refuse_pickle(task, out / str(number), size, importer)
        pairs = tuple(each for pair in sink.marks.items() for each in pair)
        made.append(Made(Left(name, chosen, str(number), size, pairs, note or "")))
    return tuple(made)


def _refuse_pickle(task: Task, file: Path, size: int, importer: FirstParty) -> None:
    with file.open("rb") as opened, mmap.mmap(opened.fileno(), size, access=mmap.ACCESS_READ) as data:
        names = foreign(data[:], lambda module: importer.source_of(module) is not None)
    if names:
        raise NotByPickle(
            f"step `{task.step.name}` gives a `{names[0]}`, which only pickle could keep",
            fixes=[
                "return what others can read: plain data, an array, a table, a file (its `Path`)",
                "or register a codec for its class: stepwell.register_codec",
            ],
        )


# --------------------------------------------------------------------------- what came of it


def _told(done: Done, place: Mapping[str, Any], step: str) -> dict[str, Any]:
    """The end of the task as plain data."""
    usage = (resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    failed = None if done.failure is None else _explained(done.failure, place)
    return {
        "outputs": [_output(made.artifact) for made in done.outputs],
        "failure": None if failed is None else failed._asdict(),
        "observed": done.observed,
        "wrote": done.wrote,
        "notes": [note for note in done.notes if note.startswith((RecordRefused.code, f"step `{step}`: "))],
        "memory": max(usage) * _UNIT,
    }


def _recorded(one: Logged | Recorded) -> list[Any]:
    """What the step recorded, as plain data without its node; read again by `launch`."""
    if isinstance(one, Logged):
        return ["metric", one.name, one.step, one.value, exchange.packed_bytes(one.series)]
    kind, name, step, text, artifact, _ = one.thing
    return [kind, name, step, text, None if artifact is None else _output(artifact)]


def _output(artifact: Artifact) -> dict[str, Any]:
    pairs = artifact.parts
    return {
        "name": artifact.name,
        "codec": artifact.codec,
        "file": artifact.digest,
        "note": artifact.note,
        "parts": dict(zip(pairs[::2], pairs[1::2], strict=True)),
    }


def _explained(failed: Failure, place: Mapping[str, Any]) -> Failure:
    """A failure with what helps here: a library is added elsewhere than to the environment of Stepwell itself."""
    fixes = [one for one in failed.fixes if not one.startswith("stepwell debug")]  # which would do it there
    unknown = "ModuleNotFoundError" in failed.what
    lacking = failed.code == MissingLibrary.code or (unknown and failed.code == StepNotLoaded.code)
    if not lacking and not unknown:
        return failed._replace(fixes=tuple(fixes))
    add = [_add_it(place)]
    if not lacking:
        return failed._replace(fixes=(*add, *[one for one in fixes if not one.startswith("uv add")]))
    if unknown:
        add.append("or import it in the functions that use it, not at the top of the file")
    why = "the environment of the step has only what it asks for"
    return failed._replace(
        code=LibraryMissing.code,
        why=f"{why}; {failed.why}" if unknown else why,
        fixes=tuple(add),
        docs=LibraryMissing("").docs,
    )


def _add_it(place: Mapping[str, Any]) -> str:
    """Where a person says which libraries there are."""
    if "project" in place:
        return "that project is to depend on it: the step is one of its own"
    if "image" in place:
        return f"add it to the image `{place['image']}`"
    if "group" in place:
        return f"uv add --group {place['group']} ..."
    return f"add it to `{place['requirements']}`" if "requirements" in place else "add it to `packages=[...]`"
