"""Steps that only reckon: what is proven of them, what is not, and that being spared the rest changes no result."""

import math
import os
import random
import sys
import types

import pytest

from stepwell.errors import StepRaised, WrongOutput
from stepwell.kernel.graph import RESULT, Constant, OutputDef, StepDef
from stepwell.kernel.ports import Task
from stepwell.worker.execute import Context, execute
from stepwell.worker.modules import FirstParty, Snapshot
from stepwell.worker.reckons import proof_of

PRIME = 7
LIMITS = (1, 2.5, "a")
SEEN = []
CODES = types.ModuleType("codes")
CODES.FACTOR = 3
CODES.open = open


def helper(a):
    return a % PRIME


def adds(a, b):
    return (a + b) % PRIME


def loops(a, b=2):
    total = 0.0
    for i in range(int(a)):
        total += helper(i) * math.sqrt(b) + LIMITS[1]
    return max(x * x for x in [total, 1.0]) + sum([y + 1 for y in (1, 2)]) if a > 1 else +b


def catches(a):
    try:
        return a / 0
    except ZeroDivisionError:
        return 0


def gathers(a, *, k=3):
    more = {"b": a}
    found = {"a": 1, **more}
    found["c"] = k
    return len(found) + found.get("b", 0) + len(f"{a!r:>10}".strip())


def of_a_module(a):
    return a * CODES.FACTOR


def keeps(a):
    SEEN.append(a)
    return a


def speaks(a):
    print(a)
    return a


def draws(a):
    return random.random()


def asks(a):
    return os.getpid()


def binds(a):
    global PRIME
    PRIME = 3
    return a


def looks_around(a):
    return (x for x in [1]).gi_frame.f_globals


def marks(a):
    marks.calls = 1
    return a


def defaults(a, found=[]):  # noqa: B006
    found.append(a)
    return a


def imports(a):
    import os

    return os.getpid()


def either(a):
    return (a if a > 1 else math).sqrt


def inverts(a):
    return ~a


def defines(a):
    class Own:
        pass

    return a


def climbs(a):
    return a.__class__


def computes_a_name(a):
    return getattr(a, "real")  # noqa: B009


def evaluates(a):
    return eval("1")


def finds_a_codec(a):
    return len("a".encode("utf-7")) + a


def opens(a):
    with CODES.open("x") as file:
        return file.fileno()


def through_another(a):
    return speaks(a)


def closes_over():
    kept = []

    def inner(a):
        kept.append(a)
        return a

    return inner


def carries(a):
    return a


carries.values = SEEN


def of_a_function(a):
    return len(carries.values) + a


async def later(a):
    return a


def yields(a):
    while True:
        try:
            yield a
        except GeneratorExit:
            continue


def drops_one(a):
    return next(yields(a))


@pytest.mark.parametrize("function", [adds, loops, catches, gathers, of_a_module, helper])
def test_what_only_reckons_is_proven(function):
    proof = proof_of(function)
    assert proof is not None
    assert proof.holds()


@pytest.mark.parametrize(
    "function",
    [keeps, speaks, draws, asks, binds, looks_around, marks, defaults, imports, either, inverts, defines, climbs,
     computes_a_name, evaluates, finds_a_codec, opens, through_another, closes_over(), of_a_function, later, yields, drops_one, len, print, object()],
    ids=lambda function: getattr(function, "__name__", "object"),
)  # fmt: skip
def test_what_may_touch_more_is_not(function):
    assert proof_of(function) is None


@pytest.mark.parametrize(
    ("function", "space", "name"),
    [(adds, globals(), "PRIME"), (of_a_module, vars(CODES), "FACTOR"), (loops, globals(), "helper")],
)
def test_a_proof_holds_no_longer_than_what_it_rests_on(function, space, name, monkeypatch):
    proof = proof_of(function)
    monkeypatch.setitem(space, name, lambda a: a)
    assert not proof.holds()
    monkeypatch.undo()
    assert proof.holds()


@pytest.mark.parametrize(
    ("function", "owner", "name", "value"),
    [
        (adds, adds, "__code__", gathers.__code__),
        (loops, helper, "__code__", (lambda a: a).__code__),
        (loops, loops, "__defaults__", (3,)),
        (gathers, gathers, "__kwdefaults__", {"k": 3}),
    ],
)
def test_a_proof_holds_no_longer_than_its_functions_do(function, owner, name, value, monkeypatch):
    proof = proof_of(function)
    monkeypatch.setattr(owner, name, value)
    assert not proof.holds()
    monkeypatch.undo()
    assert proof.holds()


def test_an_attribute_that_a_function_comes_to_have_ends_a_proof(monkeypatch):
    proof = proof_of(loops)
    monkeypatch.setattr(helper, "values", SEEN, raising=False)
    assert not proof.holds()
    monkeypatch.undo()
    assert proof.holds()


def test_a_default_that_is_set_in_place_ends_a_proof(monkeypatch):
    proof = proof_of(gathers)
    monkeypatch.setitem(gathers.__kwdefaults__, "k", 4)
    assert not proof.holds()


def test_a_name_that_comes_to_hide_a_builtin_ends_a_proof(monkeypatch):
    proof = proof_of(loops)
    monkeypatch.setitem(globals(), "max", print)
    assert not proof.holds()
    assert proof_of(loops) is None


STEPS = """
    import random

    PRIME = 7
    drawn = []

    def adds(a, b) -> int:
        return (a + b) % PRIME

    def wrong(a) -> int:
        return "text"

    def divides(a) -> float:
        return a / 0

    def draws(a) -> float:
        return random.random()

    def measures(a) -> int:
        return len(a)
"""


class Alike:
    """Executes calls of one definition a step, as a worker process does."""

    def __init__(self, bench):
        bench.write(STEPS)
        importer = FirstParty([bench.root], Snapshot())
        importer.install()
        then = "so be it"
        self.context = Context(
            bench.root, bench.blobs, importer, bench.logged.append, KeyError, then, live=True
        )
        bench.context = self.context
        self.steps = {}

    def __call__(self, name, **inputs):
        step = self.steps.setdefault(name, StepDef(name, "steps", name, (OutputDef(RESULT),)))
        given = tuple((name, Constant(value, "")) for name, value in inputs.items())
        return execute(Task(1, name, "ab" * 32, step, given, ""), self.context)

    def spared(self, name, **inputs):
        """The same, which is done without looking at what the step touches."""
        done = self(name, **inputs)
        assert self.context.silent
        return done

    def whole(self, name, **inputs):
        """The same, with everything around it."""
        done = self(name, **inputs)
        assert not self.context.silent
        return done


@pytest.fixture
def alike(bench):
    return Alike(bench)


def test_a_step_that_only_reckons_is_spared_the_rest_and_gives_the_same(alike):
    first = alike.whole("adds", a=5, b=4)  # which loads it
    assert alike.spared("adds", a=5, b=4).outputs == first.outputs
    assert alike.spared("adds", a=5, b=5).outputs != first.outputs


def test_what_is_no_number_takes_the_long_way(alike):
    alike.whole("adds", a=5, b=4)
    assert alike.whole("adds", a=0.5, b=0.25).failure.code == WrongOutput.code
    alike.whole("measures", a="abc")
    assert alike.spared("measures", a="four").outputs[0].data == b"4"
    assert alike.whole("measures", a=[1, 2]).outputs[0].data == b"2"
    assert alike.spared("measures", a=5).failure.code == StepRaised.code


def test_what_fails_fails_as_it_does_elsewhere(alike):
    first = alike.whole("divides", a=1)
    assert first.failure.code == StepRaised.code
    assert "ZeroDivisionError" in first.failure.what
    assert alike.spared("divides", a=1).failure == first.failure
    assert alike.whole("wrong", a=1).failure == alike.whole("wrong", a=1).failure


def test_chance_is_seeded_for_those_that_draw(alike):
    first = alike.whole("draws", a=1)
    alike.whole("adds", a=1, b=2)
    alike.spared("adds", a=1, b=2)
    assert alike.whole("draws", a=1).outputs == first.outputs


def test_a_changed_global_is_seen(alike):
    alike.whole("adds", a=5, b=4)
    sys.modules["steps"].PRIME = 100
    assert alike.whole("adds", a=5, b=4).outputs[0].data == b"9"
