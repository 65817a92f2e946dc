"""The worker's side of a step with a place: `attempt(task, context)` in place of calling its function here.

Inputs go into an exchange folder as the verified blobs that they are, a process is started there, and
its outputs come back as bytes that are stored without being read: this process need not have the
libraries that they are of. What the step prints goes where this process prints. Whatever ends the
waiting (a timeout, Ctrl-C, the end of the worker) ends that process with everything it started.
"""

from __future__ import annotations

import contextlib
import json
import mmap
import os
import shutil
import signal
import subprocess
import sys
from _blake2 import blake2b  # as `hashlib` has it, which loads OpenSSL first
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stepwell.codecs import choose
from stepwell.codecs.memory import MemorySink
from stepwell.errors import InputChanged, NotByPickle, PlaceDied, StepExited, StepKilled, StepwellError, typed
from stepwell.kernel.graph import Pack
from stepwell.kernel.ports import Artifact, Failure, Logged, Made, Outside, Recorded, Stored, Task
from stepwell.stores.blobs import INLINE, Blobs
from stepwell.stores.recordings import Thing
from stepwell.worker import failures, secrets
from stepwell.worker.observe import Observed
from stepwell.worker.places import RESOLVED, exchange, place
from stepwell.worker.places.pickles import foreign
from stepwell.worker.places.starts import Exchange, Start
from stepwell.worker.world import World

if TYPE_CHECKING:
    from stepwell.worker.execute import Context

PACKAGE = os.path.realpath(Path(__file__).parents[2])
"""The folder of Stepwell's own sources."""

IsOwn = Callable[[str], bool]
"""Whether a module, by name, is the project's own."""

TICK = 0.1
"""Seconds between two looks at what a process has recorded."""

START = (
    "import os, sys\n"
    "sys.path.insert(0, os.path.join(sys.argv[1], 'lib'))\n"  # $PYTHONPATH can have no path with a colon
    "import stepwell\n"
    "stepwell.__path__[:] = map(os.path.realpath, stepwell.__path__)\n"
    "from stepwell.worker.places.inside import main\n"
    "main(sys.argv[1])\n"
)
"""What the process executes: Stepwell is found in a folder that holds nothing else, and known by its real path."""

_LEFT_OUT = ("PYTHONHOME", "PYTHONPATH", "__PYVENV_LAUNCHER__", "PYTHONSTARTUP", "PYTHONEXECUTABLE")
"""Variables that would have another Python look for the libraries of this one."""


def attempt(task: Task, context: Context) -> tuple[tuple[Made, ...], Failure | None]:
    """Execute a task where its step says. Gives outputs and failure as `worker.execute` does; fills `context.seen`."""
    step = task.step
    try:
        with _folder(context.blobs) as folder:
            reads = _prepared(task, context, folder)
            start = _start(task, Exchange(folder, reads, context.root, PACKAGE), context)
            status = _run(task, context, folder, start)
            made, failed = _come_back(task, context, folder, status, start)
            if failed is None and start.work is not None and task.out:
                from stepwell.worker.places import boxes

                boxes.bring_home(start.work, task.out, context.root)
        if failed is None:
            context.inputs.held_are_unchanged()
        return made, failed
    except StepwellError as error:
        told = failures.failure(error)
        return (), told if "step `" in told.what else told._replace(what=f"step `{step.name}`: {told.what}")


def environment_of(root: Path, folder: Path, more: Mapping[str, str]) -> dict[str, str]:
    """This process's variables, without those that are for its own Python, and some more. `root` is where it starts."""
    kept = {name: value for name, value in os.environ.items() if name not in _LEFT_OUT}
    return {
        **kept,
        "PYTHONPATH": str(folder / exchange.LIB),
        "PYTHONNOUSERSITE": "1",
        "PWD": str(root),
        **more,
    }


def _start(task: Task, ways: Exchange, context: Context) -> Start:
    """How to start a process at a place. Raises `EnvironmentFailed` where its environment cannot be made."""
    said = place(task.step.place)
    if "image" in said:
        from stepwell.worker.places import boxes  # other steps do without

        return boxes.python(task, ways, context.importer.observer._lent)
    from stepwell.worker.places import environments  # other steps do without

    made = environments.made(environments.Environment(**said[RESOLVED]["environment"]), str(ways.root))
    more = {
        "VIRTUAL_ENV": str(made),
        "PATH": f"{made / 'bin'}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
    }
    return Start((str(made / "bin" / "python"),), environment_of(ways.root, ways.folder, more))


# --------------------------------------------------------------------------- there


@contextlib.contextmanager
def _folder(blobs: Blobs) -> Iterator[Path]:
    """A new exchange folder in the store, for as long as the block lasts: blobs can be linked into it."""
    folder = Path(blobs.temporary())
    folder.mkdir(0o700)
    try:
        for name in (exchange.IN, exchange.OUT, exchange.LIB):
            (folder / name).mkdir()
        (folder / exchange.LIB / "stepwell").symlink_to(PACKAGE)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _prepared(task: Task, context: Context, folder: Path) -> tuple[str, ...]:
    """Write the task and its inputs; the paths of sources that it reads. Raises `StepwellError`s."""
    importer = context.importer
    world = World(importer.observer.root, importer.observer.memory)
    for what, token in importer.expected.items():
        if world.token(what) != token:
            raise _moved(what)
    is_own: IsOwn = lambda module: importer.source_of(module) is not None  # noqa: E731
    sources: dict[str, list[str]] = {}
    folders: dict[str, str] = {}
    reads: list[str] = []
    for one in _leaves(task):
        if isinstance(one, Stored):
            _link(one, context.blobs, folder / exchange.IN, is_own)
        elif isinstance(one, Outside):
            held = context.inputs.hold(one)
            sources[one.digest], folders[one.digest] = list(held.files), held.folder
            reads += [held.folder] if held.folder and not held.kept else held.files
    encoded = partial(_encoded, is_own=is_own)
    inputs = [(name, exchange.packed_value(value, encoded)) for name, value in task.inputs]
    covered = context.covered.get(task.step.full_name)
    task, roots, files = _code_of(task, context)
    exchange.write_json(
        folder / exchange.TASK,
        {
            "task": exchange.packed_task(task, inputs),
            "folder": str(context.root),
            "root": str(importer.observer.root),
            "roots": roots,
            "snapshot": {path: exchange.packed_bytes(data) for path, data in files.items()},
            "covered": None if covered is None else list(covered),
            "lent": _lent(context),
            "sources": sources,
            "folders": folders,
            "place": place(task.step.place),
        },
    )
    return tuple(dict.fromkeys(reads))


def _lent(context: Context) -> dict[str, str]:
    """Variables that the step has not from the driver: those of workers, and those by which services are reached."""
    observer = context.importer.observer
    before = observer._base or {}
    own = {
        name: value
        for name, value in os.environ.items()
        if before.get(os.fsencode(name)) != os.fsencode(value)
    }
    return {**observer._lent, **own}


def _code_of(task: Task, context: Context) -> tuple[Task, list[str], Mapping[str, bytes]]:
    """The task with the names by which its step is imported there, from which folders, and from what bytes.

    Raises `InputChanged` where a file of a project that somebody works in is not as planned.
    """
    resolved = place(task.step.place).get(RESOLVED, {})
    importer = context.importer
    if "folder" not in resolved:
        return task, [str(importer.observer.root), *importer.roots], importer.snapshot
    files: dict[str, bytes] = {}
    for name, digest in resolved["files"].items():
        path = os.path.join(resolved["folder"], name)
        data = Path(path).read_bytes() if os.path.isfile(path) else b""
        if blake2b(data, digest_size=16).hexdigest() != digest:
            raise _moved(f"file {path}")
        files[path] = data
    module, _, name = resolved["step"].partition(":")
    return task._replace(step=task.step._replace(module=module, qualname=name)), [resolved["folder"]], files


def _leaves(task: Task) -> Iterator[object]:
    todo: list[Any] = [value for _, value in task.inputs]
    while todo:
        one = todo.pop()
        if isinstance(one, Pack):
            todo.extend(one.items)
        else:
            yield one


def _encoded(value: object, is_own: IsOwn) -> tuple[str, bytes]:
    """The codec and the bytes of a value that is in the pipeline's own text. Raises `NotByPickle`, `CodecError`."""
    sink = MemorySink()
    codec, _ = choose.dump(value, "", sink)
    data = bytes(sink.data)
    _refuse_pickle(codec, data, "a constant", is_own)
    return codec, data


def _link(stored: Stored, blobs: Blobs, folder: Path, is_own: IsOwn) -> None:
    """Show a blob and its parts, verified, in a folder. Raises `ArtifactGone`, `NotByPickle`."""
    artifact = stored.artifact
    if stored.data is None:
        _show(blobs.part(artifact.digest), folder / artifact.digest)
    for part in artifact.parts:
        _show(blobs.part(part), folder / part)
    if artifact.codec == "pickle":
        data = stored.data if stored.data is not None else blobs.path(artifact.digest).read_bytes()
        _refuse_pickle(artifact.codec, data, "one of its inputs", is_own)


def _show(file: Path, name: Path) -> None:
    if name.exists():
        return
    try:
        os.link(file, name)
    except OSError:  # a file system without links
        shutil.copyfile(file, name)


def _refuse_pickle(codec: str, data: bytes, what: str, is_own: IsOwn) -> None:
    if codec == "pickle" and (names := foreign(data, is_own)):
        raise NotByPickle(
            f"{what} is a pickle of `{names[0]}`, which does not go into another environment",
            fixes=["let the step before give plain data, an array, a table or a file instead"],
        )


def _moved(what: str) -> InputChanged:
    name = what.removeprefix("file ").partition("\x1f")[0]
    return InputChanged(
        f"`{name}` changed since the run was planned",
        why="a module of the project reads it when it is imported, so the step would run with something else",
        fixes=["run again"],
    )


# --------------------------------------------------------------------------- meanwhile


def _run(task: Task, context: Context, folder: Path, start: Start) -> int:
    """Start the process and wait for its end, handing on what it records; its exit code, negative for a signal."""
    argv = [*start.argv, "-s", "-P", "-c", START, str(folder)]
    environment = dict(start.environment)
    # A container's client leaves files where it is started (conmon its notice of an out-of-memory kill).
    home = context.root if start.kin else folder
    if start.kin:
        environment[PARENT] = str(os.getpid())
    sys.stdout.flush()
    sys.stderr.flush()
    try:
        process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, cwd=home, env=environment, process_group=0)
    except OSError as error:
        raise PlaceDied(
            f"`{argv[0]}` cannot be started: {error.strerror}", fixes=["stepwell run --refresh"]
        ) from error
    recorded = _Recorded(folder / exchange.OUT, task.node, context)
    try:
        while True:
            with contextlib.suppress(subprocess.TimeoutExpired):
                status = process.wait(TICK)
                recorded.hand_on()
                return status
            recorded.hand_on()
    finally:
        over = process.returncode is not None
        with contextlib.suppress(ProcessLookupError):  # what it left running, too
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        start.end(over)


PARENT = "STEPWELL_PARENT"
"""The variable that tells the process with whom it is to die."""


class _Recorded:
    """Reads on in the file of what a step records."""

    def __init__(self, out: Path, node: int, context: Context) -> None:
        self._out, self._node, self._context, self._at = out, node, context, 0

    def hand_on(self) -> None:
        """Hand on what is new, as far as lines are complete."""
        try:
            with open(exchange.opened(self._out, exchange.RECORDED), "rb") as file:
                file.seek(self._at)
                text = file.read()
        except OSError:  # there are none
            return
        whole = text[: text.rfind(b"\n") + 1]
        self._at += len(whole)
        for line in whole.splitlines():
            self._context.report(self._one(*json.loads(line)))

    def _one(self, kind: str, name: str, step: int | None, told: Any, more: Any) -> Logged | Recorded:
        """A report of what one line says, in which no secret is shown."""
        name = secrets.masked(str(name))
        if kind == "metric":
            return Logged(self._node, name, float(told), step, exchange.unpacked_bytes(more))
        text = secrets.masked(str(told))
        if more is None:
            return Recorded(self._node, Thing(str(kind), name, step, text))
        made = _kept({**more, "name": name}, self._out, self._context.blobs)
        if secrets.forms and secrets.returned(None, (made,)):
            return Recorded(self._node, Thing("text", name, step, f"[{kind} not kept: a secret is in it]"))
        return Recorded(self._node, Thing(str(kind), name, step, text, *made))


# --------------------------------------------------------------------------- and back


def _come_back(
    task: Task, context: Context, folder: Path, status: int, start: Start
) -> tuple[tuple[Made, ...], Failure | None]:
    """What came of it: outputs in the store, the failure. Raises `StepError`s where the process says nothing."""
    out = folder / exchange.OUT
    try:
        with open(exchange.opened(out, exchange.DONE), "rb") as file:
            done = json.load(file)
    except OSError:
        began = (out / exchange.BEGAN).exists()
        raise start.why(status, began) or _died(task, status, began=began) from None
    world = World(context.importer.observer.root, context.importer.observer.memory)
    observed = tuple(
        (what, world.token(what) if token == exchange.UNHASHED else token) for what, token in done["observed"]
    )
    context.seen = Observed(observed, tuple(done["wrote"]), tuple(done["notes"]))
    context.peak = int(done["memory"])
    failed = None if done["failure"] is None else Failure(**done["failure"])
    if failed is not None:
        failed = failed._replace(fixes=tuple(failed.fixes))
    return tuple(_kept(output, out, context.blobs) for output in done["outputs"]), failed


def _kept(output: Mapping[str, Any], out: Path, blobs: Blobs) -> Made:
    """An output as a blob of the store, its marks replaced by digests. Raises `StoreError`s, `PlaceDied`."""
    sink = blobs.sink()
    try:
        marks = {mark: sink.take(Path(out, _checked(out, name)))[0] for mark, name in output["parts"].items()}
        with open(exchange.opened(out, output["file"]), "rb") as file:
            if os.fstat(file.fileno()).st_size:
                with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                    if marks or len(data) <= INLINE:
                        sink.write(_settled(data, marks))
                    else:
                        with memoryview(data) as view:
                            sink.write(view)
        digest, size, kept = sink.finish()
    except OSError as error:
        raise PlaceDied(f"what it left as its output cannot be read: {error}") from error
    finally:
        sink.discard()
    return Made(
        Artifact(output["name"], output["codec"], digest, size, tuple(sink.parts), output["note"]), kept
    )


def _checked(out: Path, name: str) -> str:
    """The name, which is one of a plain file. Raises `OSError`."""
    os.close(exchange.opened(out, name))
    return name


def _settled(data: mmap.mmap, marks: Mapping[str, str]) -> bytes:
    """The bytes with digests in place of their marks, which are of one length. Raises `PlaceDied` for one that is not there."""
    whole = data[:]
    for mark, digest in marks.items():
        if mark.encode() not in whole:
            raise PlaceDied(
                "an output refers to files in a form that cannot be carried over",
                why="its codec packs what it writes, so that the names of the files in it cannot be found",
                fixes=["let the codec write what `sink.take` gives as it is"],
            )
        whole = whole.replace(mark.encode(), digest.encode())
    return whole


def _died(task: Task, status: int, *, began: bool) -> StepwellError:
    """The error of a process that ended and said nothing."""
    name = task.step.name
    if not began:
        how = f"exit code {status}" if status >= 0 else _signal(-status)
        return PlaceDied(
            f"step `{name}`: the process of its environment did not start to work ({how})",
            why="what it printed says why: stepwell logs last " + typed(task.id),
            fixes=["stepwell run --refresh   makes a plan of what its environment comes to now"],
        )
    if status >= 0:
        return StepExited(
            f"step `{name}` ended its process with exit code {status}",
            why="`os._exit`, or a library that ends the process instead of raising an error",
            fixes=["return a value, or raise an exception that says what is wrong"],
        )
    return StepKilled(
        f"step `{name}` was killed by {_signal(-status)}",
        why="the system does so when memory runs out, and so does a library written in C that crashes",
        fixes=["work on less at a time, or run fewer steps at once: stepwell run --jobs 1"],
    )


def _signal(number: int) -> str:
    """`SIGSEGV`, or `signal 42` for one without a name."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
