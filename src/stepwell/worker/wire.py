"""Tasks and reports as bytes, between an engine and its workers.

Tasks travel in messages, of one task or some short ones; a report is one frame (eight bytes: the length, and
the length again in disguise; then the body). A step can find the pipe of reports and write to it: what it
writes has no such beginning, so it is known for what it is at once, and no length that was never meant as
one is waited for. Both are `marshal` of plain tuples: 2 µs a round trip, where pickling the named tuples
takes 15. That is
possible because both ends run the same interpreter, and safe because they are one program of one
user: these pipes carry nothing that came from elsewhere. A constant that is not plain to `marshal`
(an enum member, a dataclass) is pickled inside the message.

A step's definition is sent with its tasks, as bytes that are made once (`pack_step`; `marshal` writes
the same object once in a message) and looked up in a table by the worker: messages stay independent of
each other, so that a worker may pass over some.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Iterator
from marshal import dumps, loads  # bound before any step runs: one may replace them
from struct import Struct
from sys import intern
from typing import Any

from stepwell.kernel.graph import Constant, OutputDef, Pack, StepDef
from stepwell.kernel.ports import Artifact, Done, Failure, Logged, Made, Outside, Recorded, Stored, Task
from stepwell.stores.recordings import Thing

_new: Any = tuple.__new__
"""Makes a named tuple of a tuple that has all of its fields, in a third of the time that its class takes."""

_header = Struct("<II")
HEADER = _header.size
_pack_header, _unpack_header = _header.pack, _header.unpack_from
_DISGUISE = 0xB5E9D3A7
"""What the second number of a header differs in from the first. No byte of it is below 128: text is no header."""

STARTED, DONE, LOGGED, RECORDED, SILENT = 0, 1, 2, 3, 4
"""Kinds of frames that a worker sends; SILENT is a DONE of a task whose end is not marked in the streams (`worker.capture`)."""

_KINDS = (STARTED, DONE, LOGGED, RECORDED, SILENT)

IN_A_FILE = b"@"
"""How a message begins that names a file instead (`marshal` never begins so)."""

MESSAGE = 48 * 1024
"""Bytes of the largest message that is sent itself; of a larger task, the name of a file that holds it."""


def pack_step(step: StepDef) -> bytes:
    """A step's definition as bytes; the same definition gives the same bytes."""
    return dumps((*step[:3], tuple(tuple(output) for output in step.outputs), *step[4:]), 2)


def unpack_step(data: bytes) -> StepDef:
    """The definition that was packed."""
    name, module, qualname, outputs, *rest = loads(data)  # our own bytes, see the top  # noqa: S302
    return StepDef(name, module, qualname, tuple(OutputDef(*output) for output in outputs), *rest)


def pack_tasks(tasks: Iterable[tuple[Task, bytes]]) -> bytes:
    """Tasks as one message, each with its packed definition."""
    plain = []
    for (node, name, key, _, given, run, out, attempt), step in tasks:
        inputs = tuple([(parameter, _plain(value)) for parameter, value in given])
        plain.append((node, name, key, step, inputs, run, out, attempt))
    return dumps(plain)


def unpack_tasks(data: bytes, steps: dict[bytes, StepDef]) -> list[Task]:
    """The tasks of a message; `steps` remembers definitions that were seen."""
    tasks = []
    for node, name, key, packed, inputs, run, out, attempt in loads(data):  # noqa: S302
        step = steps.get(packed)
        if step is None:
            step = steps[packed] = unpack_step(packed)
        values = tuple([(parameter, _value(plain)) for parameter, plain in inputs])
        tasks.append(_new(Task, (node, name, key, step, values, run, out, attempt)))
    return tasks


def _plain(value: Any) -> tuple[Any, ...]:
    kind = type(value)
    if kind is Stored:
        artifact, data, path = value
        return ("s", (*artifact,), data, path)
    if kind is Constant:
        payload, token, codec = value
        try:
            return ("c", dumps(payload), token, codec)
        except ValueError:
            return ("C", pickle.dumps(payload, 5), token, codec)
    if kind is Outside:
        name, uri, type_, options, digest = value
        return ("o", name, uri, type_, pickle.dumps(options, 5), digest)
    if kind is Pack:
        keys = pickle.dumps(value.keys, 5)
        return ("p", value.kind, tuple(_plain(item) for item in value.items), value.names, keys, value.record)
    raise TypeError(f"a task's input is a {kind.__name__}")


def _value(plain: tuple[Any, ...]) -> Any:
    tag = plain[0]
    if tag == "s":
        return _new(Stored, (_new(Artifact, plain[1]), plain[2], plain[3]))
    if tag == "c":
        return Constant(loads(plain[1]), plain[2], plain[3])  # noqa: S302
    if tag == "p":
        _, kind, items, names, keys, record = plain
        return Pack(kind, tuple(_value(item) for item in items), names, pickle.loads(keys), record)  # noqa: S301
    if tag == "o":
        _, name, uri, type_, options, digest = plain
        return Outside(name, uri, type_, pickle.loads(options), digest)  # noqa: S301
    return Constant(pickle.loads(plain[1]), plain[2], plain[3])  # noqa: S301


def frame(body: tuple[Any, ...]) -> bytes:
    """A report as a frame."""
    data = dumps(body)
    return _pack_header(len(data), len(data) ^ _DISGUISE) + data


def started_frame(node: int, pid: int) -> bytes:
    """The frame that says that a task begins."""
    return frame((STARTED, node, pid))


def report_frame(report: Logged | Recorded) -> bytes:
    """The frame of something that a step recorded."""
    if isinstance(report, Logged):
        return frame((LOGGED, *report))
    kind, name, step, text, artifact, data = report.thing
    return frame(
        (RECORDED, report.node, kind, name, step, text, None if artifact is None else (*artifact,), data)
    )


def done_frame(done: Done, then: int = -1, *, silent: bool = False) -> bytes:
    """The frame that says that a task ended, and that the one of node `then` begins (-1: none is there yet)."""
    node, outputs, failure, seconds, cpu, memory, notes, observed, wrote = done
    made = tuple([((*artifact,), data) for artifact, data in outputs])
    failed = None if failure is None else (*failure,)
    seen = tuple([(*pair,) for pair in observed])
    kind = SILENT if silent else DONE
    return frame((kind, node, then, made, failed, seconds, cpu, memory, notes, seen, wrote))


def done_of(body: tuple[Any, ...]) -> tuple[Done, int]:
    """The report of a DONE or SILENT frame, and the node of the task that begins now (or -1)."""
    _, node, then, outputs, failed, seconds, cpu, memory, notes, observed, wrote = body
    made = tuple([_new(Made, (_artifact(plain), data)) for plain, data in outputs])
    failure = None if failed is None else Failure(*failed)
    return _new(Done, (node, made, failure, seconds, cpu, memory, notes, observed, wrote)), then


def _artifact(plain: tuple[Any, ...]) -> Artifact:
    name, codec, digest, size, parts, note = plain  # exactly these: what comes may be no report of ours
    return _new(Artifact, (intern(name), intern(codec), digest, size, parts, note))


def report_of(body: tuple[Any, ...]) -> Logged | Recorded:
    """The report of a LOGGED or RECORDED frame."""
    if body[0] == LOGGED:
        return Logged(*body[1:])
    _, node, kind, name, step, text, plain, data = body
    return Recorded(node, Thing(kind, name, step, text, None if plain is None else _artifact(plain), data))


class Garbled(Exception):
    """What came through a pipe of reports is no frame: something else wrote to it, or the worker is out of its mind."""


class Frames:
    """Cuts a stream of bytes into the bodies of its frames."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[tuple[Any, ...]]:
        """Add bytes; the bodies that are complete with them, to be taken to the last. Raises `Garbled` after those that are sound."""
        data = self._rest + data if self._rest else data
        at, end = 0, len(data)
        while end - at >= HEADER:
            size, again = _unpack_header(data, at)
            if size ^ again != _DISGUISE:
                raise Garbled
            begin = at + HEADER
            stop = begin + size
            if stop > end:
                break
            yield _body(data[begin:stop])
            at = stop
        self._rest = data[at:]


def _body(data: bytes) -> tuple[Any, ...]:
    try:
        body = loads(data)  # noqa: S302
    except (EOFError, ValueError, TypeError) as error:
        raise Garbled from error
    if not isinstance(body, tuple) or not body or body[0] not in _KINDS:
        raise Garbled
    return body
