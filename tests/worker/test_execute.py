"""One task from inputs to outputs, and what is said when it fails."""

import pytest

from stepwell.kernel.graph import Constant, Pack
from stepwell.kernel.ports import Logged, Outside, Stored
from stepwell.stores.blobs import digest_of

STEPS = """
    import asyncio, sys
    from dataclasses import dataclass
    from pathlib import Path
    from typing import NamedTuple, TypedDict
    import numpy as np
    from stepwell import log

    class Both(NamedTuple):
        left: int
        right: str

    @dataclass
    class Pair:
        left: int
        right: str

    class Keys(TypedDict):
        left: int
        right: str

    class Wrapped:
        def __init__(self, function): self.function = function

    def plain(a, b=2): return [a, b]
    def total(*tables, **options): return [list(tables), options]
    def mixed(first, *rest, key): return [first, list(rest), key]
    def only(a, /, b): return [a, b]
    async def later(x):
        await asyncio.sleep(0)
        return x + 1
    wrapped = Wrapped(plain)
    def tuple_() -> tuple[int, str]: return 1, "a"
    def named() -> Both: return Both(1, "a")
    def data() -> Pair: return Pair(1, "a")
    def keys() -> Keys: return {"left": 1, "right": "a"}
    def wrong() -> int: return "text"
    def forgets() -> int: pass
    def nothing() -> None: return None
    def short() -> tuple[int, str]: return (1,)
    def no_key() -> Keys: return {"left": 1}
    def more_keys() -> Keys: return {"left": 1, "right": "a", "extra": 0}
    def wrong_part() -> tuple[int, str]: return (1, 2)
    def unresolvable() -> "NoSuchName": return 1
    class Ref:
        __stepwell_reference__ = True
    def reference(): return Ref()
    def references(): return [1, Ref()]
    def mutate(x):
        x.append(1)
        return x
    def array(n): return np.arange(n)
    def overwrite(x):
        x[0] = 5
    def record(x): return [type(x).__name__, x.left, x.right]
    def sees(x): return repr(x)
    def lambda_(): return lambda: 1
    def writes(file):
        Path(file).write_text("content")
        return Path(file)
    def metrics():
        log.metric("auc", np.float64(0.5))
        log.metric("loss", 1, step=2)
    def bad_metric(): log.metric("auc", "high")
    def read(x): return x
"""


@pytest.fixture
def steps(bench):
    bench.write(STEPS)
    return bench


def test_calls(steps):
    assert steps.value(steps.execute("plain", a=1)) == [1, 2]
    assert steps.value(steps.execute("wrapped", a=1, b=3)) == [1, 3]
    assert steps.value(steps.execute("later", x=1)) == 2
    assert steps.value(steps.execute("only", a=1, b=2)) == [1, 2]


def test_stars(steps):
    rest = {"*tables": Constant((1, 2), ""), "**options": Constant({"k": 3}, "")}
    assert steps.value(steps.execute("total", **rest)) == [[1, 2], {"k": 3}]
    rest = {
        "*rest": Pack("tuple", (Constant(2, ""), Constant(3, ""))),
        "first": Constant(1, ""),
        "key": Constant(4, ""),
    }
    assert steps.value(steps.execute("mixed", **rest)) == [1, [2, 3], 4]


@pytest.mark.parametrize(
    ("name", "shape", "outputs"),
    [
        ("tuple_", "tuple", ("0", "1")),
        ("named", "record", ("left", "right")),
        ("data", "record", ("left", "right")),
        ("keys", "dict", ("left", "right")),
    ],
)
def test_several_outputs(steps, name, shape, outputs):
    done = steps.execute(name, shape=shape, outputs=outputs, record="steps:x" if shape == "record" else "")
    assert [made.artifact.name for made in done.outputs] == list(outputs)
    assert [steps.value(done, 0), steps.value(done, 1)] == [1, "a"]


@pytest.mark.parametrize(
    ("name", "shape", "outputs", "words"),
    [
        ("wrong", "single", ("result",), "`wrong`"),
        ("forgets", "single", ("result",), "`forgets`"),
        ("short", "tuple", ("0", "1"), "returned 1 values, and declares 2"),
        ("wrong_part", "tuple", ("0", "1"), "as `1`"),
        ("no_key", "dict", ("left", "right"), "without the key `right`"),
        ("more_keys", "dict", ("left", "right"), "'extra'"),
        ("plain", "tuple", ("0", "1"), "returned a list"),
        ("nothing", "record", ("left",), "returned None"),
    ],
)
def test_wrong_outputs(steps, name, shape, outputs, words):
    inputs = {"a": 1} if name == "plain" else {}
    failure = steps.execute(name, shape=shape, outputs=outputs, **inputs).failure
    assert failure.code == "E405"
    assert words in failure.what
    assert failure.fixes


def test_annotations_that_cannot_be_resolved_are_not_judged(steps):
    assert steps.value(steps.execute("unresolvable")) == 1
    assert steps.value(steps.execute("nothing")) is None


@pytest.mark.parametrize("name", ["reference", "references"])
def test_references(steps, name):
    failure = steps.execute(name).failure
    assert failure.code == "E406"
    assert f"`{name}`" in failure.what


def test_inputs_are_made_anew(steps):
    made = steps.execute("mutate", x=[]).outputs[0]
    stored = Stored(made.artifact, made.data)
    for _ in range(2):
        assert steps.value(steps.execute("mutate", x=stored)) == [1, 1]
    constant = Constant([0], "")
    for _ in range(2):
        assert steps.value(steps.execute("mutate", x=constant)) == [0, 1]
    assert constant.payload == [0]


def test_large_arrays_are_not_changed_by_who_reads_them(steps):
    made = steps.execute("array", n=100_000).outputs[0]
    assert made.data is None
    for _ in range(2):
        failure = steps.execute("overwrite", x=Stored(made.artifact)).failure
        assert failure is None or "read-only" in failure.what
        assert steps.value(steps.execute("read", x=Stored(made.artifact, None, (0,)))) == 0


def test_packs(steps):
    one, two = Constant(1, ""), Constant("a", "")
    assert steps.value(steps.execute("sees", x=Pack("list", (one, two)))) == "[1, 'a']"
    assert steps.value(steps.execute("sees", x=Pack("tuple", (one, two)))) == "(1, 'a')"
    assert (
        steps.value(steps.execute("sees", x=Pack("dict", (one, two), ("", ""), ("k", 2))))
        == "{'k': 1, 2: 'a'}"
    )
    for record in ("Both", "Pair"):
        pack = Pack("record", (one, two), ("left", "right"), (), f"steps:{record}")
        assert steps.value(steps.execute("record", x=pack)) == [record, 1, "a"]


def test_parts_of_an_artifact(steps):
    made = steps.execute("plain", a={"k": [5, 6]}).outputs[0]
    assert steps.value(steps.execute("read", x=Stored(made.artifact, made.data, (0, "k", 1)))) == 6


def test_metrics(steps):
    assert steps.execute("metrics").failure is None
    assert steps.logged == [Logged(1, "auc", 0.5), Logged(1, "loss", 1.0, 2)]
    failure = steps.execute("bad_metric").failure
    assert "is the text 'high', not a number" in failure.what
    assert "steps.py:" in failure.why


def test_metrics_outside_a_step_do_nothing():
    from stepwell import log

    log.metric("auc", 0.5)
    with pytest.raises(TypeError):
        log.metric("", 1)


def test_a_claimed_file(steps):
    assert steps.execute("writes", file="a.txt", out="a.txt").failure is None
    failure = steps.execute("writes", file="b.txt", out="a.txt").failure
    assert failure.code == "E405"
    assert "claims the file `a.txt` and returned `b.txt`" in failure.what
    failure = steps.execute("plain", a=1, out="a.txt").failure
    assert "returned a list" in failure.what


def test_costs(steps):
    steps.write(
        """
        import subprocess, sys, time
        def burns():
            begin = time.process_time()
            while time.process_time() - begin < 0.2: pass
        def child_burns():
            subprocess.run([sys.executable, "-c", "import time\\nwhile time.process_time() < 0.3: pass"])
        def allocates(count): return len(bytearray(count))
        def sleeps(): time.sleep(0.2)
        """
    )
    burnt = steps.execute("burns")
    assert 0.2 <= burnt.cpu < 2
    assert burnt.seconds >= 0.2
    assert steps.execute("child_burns").cpu >= 0.25
    slept = steps.execute("sleeps")
    assert slept.cpu < 0.15
    assert slept.seconds >= 0.2
    big = steps.execute("allocates", count=400_000_000).memory
    small = steps.execute("sleeps").memory
    assert big > 400_000_000
    assert small < big - 300_000_000


def test_an_input_that_cannot_be_decoded(steps):
    made = steps.execute("plain", a=1).outputs[0]
    failure = steps.execute("read", x=Stored(made.artifact, b"\xff nonsense")).failure
    assert failure.code in ("E409", "E604")
    assert "read" in failure.what


def test_an_input_that_is_gone(steps):
    made = steps.execute("array", n=100_000).outputs[0]
    path = steps.blobs.path(made.artifact.digest)
    path.unlink()
    assert steps.execute("read", x=Stored(made.artifact)).failure.code == "E506"


def pinned(steps, name="data.csv", type="str"):
    from stepwell.sources.memo import Memory
    from stepwell.sources.pin import pin

    found = pin(name, root=steps.root, memo=Memory())
    return Outside("data", name, type, (), found.digest)


def test_sources(steps):
    steps.write("a,b\n1,2\n", "data.csv")
    assert steps.value(steps.execute("read", x=pinned(steps))) == "a,b\n1,2\n"


def test_a_source_that_changed_before_the_step(steps):
    steps.write("a,b\n1,2\n", "data.csv")
    outside = pinned(steps)
    steps.write("a,b\n1,3\n", "data.csv")
    failure = steps.execute("read", x=outside).failure
    assert failure.code == "E407"


def test_a_source_that_changes_while_the_step_runs(steps):
    steps.write("a,b\n1,2\n", "data.csv")
    steps.write(
        """
        from pathlib import Path
        def read(x):
            Path("data.csv").write_text("a,b\\n1,3\\n")
            return x
        def reads_only(x): return x
        """
    )
    done = steps.execute("read", x=pinned(steps))
    assert done.failure.code == "E407"
    assert not done.outputs
    assert steps.execute("reads_only", x=pinned(steps)).failure is None


def test_hundreds_of_steps_keep_nothing_open(steps):
    import os

    steps.execute("array", n=100_000)
    made = steps.execute("array", n=100_000).outputs[0]
    before = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
    for _ in range(200):
        steps.execute("read", x=Stored(made.artifact))
    if before:
        assert len(os.listdir("/proc/self/fd")) <= before + 5


def test_numbers_that_are_as_declared(steps):
    """They take a shorter way than other values, to the same artifacts; what is not as declared is judged."""
    steps.write(
        """
        from typing import Annotated
        def whole(n) -> int: return n
        def real(n) -> float: return n
        def any_of(n): return n
        def noted(n) -> Annotated[int, [1]]: return n
        def none(n) -> None: return n
        """
    )
    for value in (0, -7, 10**70, True, 2.5, float("inf"), None):
        for name in ("any_of", *[name for name, kind in KINDS if type(value) is kind]):
            done = steps.execute(name, n=value)
            artifact, data = done.outputs[0]
            assert steps.value(done) == value
            assert type(steps.value(done)) is type(value)
            assert (artifact.codec, artifact.size, artifact.digest) == ("json", len(data), digest_of(data))
            assert steps.execute("any_of", n=Stored(artifact, data)).outputs[0].data == data
    for name, value in (("whole", 2.5), ("whole", None), ("real", "x"), ("none", 0), ("noted", "x")):
        assert "its annotation says" in steps.execute(name, n=value).failure.what
    assert steps.value(steps.execute("real", n=3)) == 3


KINDS = (("whole", int), ("noted", int), ("real", float), ("none", type(None)))
