"""Tasks and reports come out as they went in."""

import datetime as dt
import enum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepwell.kernel.graph import Constant, OutputDef, Pack, StepDef
from stepwell.kernel.ports import Artifact, Done, Failure, Logged, Made, Outside, Stored, Task
from stepwell.worker import wire


class Colour(enum.Enum):
    RED = 1


STEP = StepDef(
    "s", "m", "q", (OutputDef("a", "int", "json"), OutputDef("b")), "tuple", "", 2.5, 10**12, ("HOME",)
)
HEAD, LENGTH = wire.started_frame(3, 42)[: wire.HEADER], len(wire.started_frame(3, 42)) - wire.HEADER
ARTIFACT = Artifact("result", "json", "b3:" + "0" * 64, 3, ("b3:1",), "note")


def test_tasks():
    inputs = (
        ("a", Constant([1, {"k": (2.5, None, b"x", 10**40)}], "t")),
        ("b", Constant(Colour.RED, "t")),
        ("c", Constant(dt.date(2026, 1, 1), "t")),
        ("d", Constant(b"bytes", "t", "npy")),
        ("e", Stored(ARTIFACT, b"data", (0, "k"))),
        ("f", Stored(ARTIFACT)),
        ("g", Outside("o", "data.csv", "str", (("sep", ";"), ("parse", Colour.RED)), "b3:2")),
        (
            "h",
            Pack("dict", (Constant(1, "t"), Pack("list", (Stored(ARTIFACT),))), ("x", "y"), (Colour.RED, 2)),
        ),
        ("i", Pack("record", (Constant(1, "t"),), ("left",), (), "m:R")),
    )
    task = Task(7, "id", "k" * 64, STEP, inputs, "run", "out.csv", 2)
    steps = {}
    packed, other = wire.pack_step(STEP), task._replace(node=8, inputs=(), step=STEP._replace(name="t"))
    message = wire.pack_tasks([(task, packed), (other, wire.pack_step(other.step))])
    assert wire.unpack_tasks(message, steps) == [task, other]
    assert wire.unpack_tasks(message, steps)[0].step is wire.unpack_tasks(message, steps)[0].step


def test_a_definition_is_in_a_message_once():
    packed = wire.pack_step(STEP)
    task = Task(7, "id", "k" * 64, STEP, ())
    message = wire.pack_tasks([(task._replace(node=node), packed) for node in range(10)])
    assert message.count(packed) == 1


def test_definitions():
    assert wire.unpack_step(wire.pack_step(STEP)) == STEP
    assert wire.pack_step(STEP) == wire.pack_step(STEP._replace())


def test_reports_in_any_pieces():
    done = Done(3, (Made(ARTIFACT, b"d"), Made(ARTIFACT)), None, 1.5, 0.5, 99, ("note",))
    failed = Done(4, (), Failure("E401", "what", "why", ("fix",), "docs", "trace"), 1.0)
    logged = Logged(3, "loss", 0.5, None)
    stream = (
        wire.started_frame(3, 42)
        + wire.report_frame(logged)
        + wire.done_frame(done)
        + wire.done_frame(failed, 9)
    )
    for size in (1, 2, 3, 7, 64, len(stream)):
        frames = wire.Frames()
        bodies = [b for at in range(0, len(stream), size) for b in frames.feed(stream[at : at + size])]
        assert bodies[0] == (wire.STARTED, 3, 42)
        assert wire.report_of(bodies[1]) == logged
        assert wire.done_of(bodies[2]) == (done, -1)
        assert wire.done_of(bodies[3]) == (failed, 9)


@pytest.mark.parametrize(
    "data",
    [
        b"hello world",
        bytes(8),
        b"\x00\x00\x00\x01text",
        b"\x0b\x00\x00\x00hello world",
        b"\xff" * 8,
        HEAD + b"\xff" * LENGTH,
        wire.started_frame(3, 42) + b"\x05\x00\x00\x00text",
        wire.frame(("what", 1)),
        wire.frame(()),
        wire.done_frame(Done(3))[:-3] + b"xyz",
    ],
)
def test_what_is_no_frame(data):
    with pytest.raises(wire.Garbled):
        list(wire.Frames().feed(data))


def test_what_came_before_stray_bytes_counts():
    bodies = wire.Frames().feed(wire.done_frame(Done(3), 4) + b"stray bytes")
    assert wire.done_of(next(bodies)) == (Done(3), 4)
    with pytest.raises(wire.Garbled):
        next(bodies)


@given(st.binary(min_size=wire.HEADER, max_size=64))
def test_no_bytes_are_waited_for_that_a_worker_did_not_announce(data):
    with pytest.raises(wire.Garbled):
        list(wire.Frames().feed(data))


@given(st.binary(min_size=1, max_size=wire.HEADER - 1))
def test_few_stray_bytes_are_noticed_with_the_next_frame(data):
    frames = wire.Frames()
    assert list(frames.feed(data)) == []
    with pytest.raises(wire.Garbled):
        list(frames.feed(wire.started_frame(3, 42)))
