"""What is learnt of steps: the fit against lines that are known, and real steps that are kept apart by their memory."""

from __future__ import annotations

import itertools
import json
import math
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepwell.app.learnt import KEPT, Learnt, Sample, estimate, fitted
from stepwell.kernel.events import StepFinished
from stepwell.kernel.graph import Constant, Pack, StepDef
from stepwell.kernel.plan import Decision
from stepwell.kernel.ports import Artifact, Outside, Result, Stored, Task
from stepwell.sources.memo import Memory

sys.path.insert(0, str(Path(__file__).parents[1] / "cli"))

from cli_projects import Project

MB = 1_000_000
samples = st.lists(
    st.builds(Sample, st.integers(0, 10**9), st.integers(1, 10**10), st.floats(0, 1e4)),
    min_size=1,
    max_size=KEPT,
)


@given(samples, st.lists(st.integers(0, 10**10), min_size=2, max_size=6))
def test_estimates_never_fall_and_never_forget(found, sizes):
    made = estimate(found)
    expected = [made.memory(size) for size in sorted(sizes)]
    assert expected == sorted(expected)
    times = [made.seconds(size) for size in sorted(sizes)]
    assert times == sorted(times)
    for one in found:
        assert made.memory(one.size) >= one.memory
        assert made.memory(math.ceil(one.size / 1.2)) >= one.memory, "a little smaller inputs"


@given(
    st.floats(0, 1e8), st.floats(0, 50), st.sets(st.integers(0, 10**8), min_size=5, max_size=KEPT), st.data()
)
def test_a_line_is_found_in_spite_of_outliers(base, slope, sizes, data):
    values = [base + slope * size for size in sizes]
    wild = data.draw(st.integers(0, (len(values) - 1) // 5))
    values[:wild] = [value + data.draw(st.floats(0, 1e12)) for value in values[:wild]]
    line = fitted(list(sizes), values)
    assert line.slope == pytest.approx(slope, rel=1e-3, abs=1e-2) or wild
    ordered = sorted(sizes)[1:-1]
    if not wild:
        assert all(line.at(size) == pytest.approx(base + slope * size, rel=1e-3, abs=1e3) for size in ordered)


def test_one_wild_value_among_ten_changes_nothing():
    sizes = [n * MB for n in range(1, 11)]
    values = [50 * MB + 3.0 * size for size in sizes]
    values[4] *= 40
    assert fitted(sizes, values).at(20 * MB) == pytest.approx(110 * MB)


def test_few_executions_have_a_margin():
    one = estimate([Sample(MB, 100 * MB, 1.0)])
    assert one.memory(MB) == one.memory(50 * MB) == 120 * MB
    many = estimate([Sample(MB, 100 * MB, 1.0)] * 8)
    assert many.memory(MB) == 100 * MB


def task(node: int, *values: object, step: StepDef) -> Task:
    return Task(node, f"s[{node}]", "k", step, tuple((f"x{i}", value) for i, value in enumerate(values)))


def ended(node: int, memory: int, seconds: float = 1.0) -> StepFinished:
    return StepFinished(
        node,
        Decision(node, "run", (), None, None),
        Result("k", "m:s", "", "", "", (), (), "r1", seconds, 0, memory),
    )


def test_sizes_count_every_input_once_and_files_whole():
    step = StepDef("s", "m", "s")
    memo = Memory()
    learnt = Learnt(_Memo(memo), ["m:s"], {"b3:src": 1000}, lambda artifact: 70)
    plain = Stored(Artifact("r", "json", "b3:1", 10))
    folder = Stored(Artifact("r", "path", "b3:2", 5, ("b3:part",)))
    outside = Outside("f", "f.csv", "str", (), "b3:src")
    inputs = (plain, Pack("list", (plain, folder, outside)), Constant(3, "3"))
    assert learnt.need(task(0, *inputs, step=step)) == 0
    learnt.see(ended(0, 40 * MB))
    learnt.keep()
    assert json.loads(memo.get("cost", "m:s")) == [[1080, 40 * MB, 1.0]]
    again = Learnt(_Memo(memo), ["m:s"], {"b3:src": 1000}, lambda artifact: 70)
    assert again.need(task(0, *inputs, step=step)) == 48 * MB


def test_what_is_kept_is_bounded_and_garbage_is_nothing():
    step, memo = StepDef("s", "m", "s"), Memory()
    for start in (0, 100):
        learnt = Learnt(_Memo(memo), ["m:s"], {}, lambda artifact: 0)
        for node in range(start, start + 100):
            learnt.need(task(node, step=step))
            learnt.see(ended(node, node + 1))
        learnt.keep()
    kept = json.loads(memo.get("cost", "m:s"))
    assert [memory for _, memory, _ in kept] == list(range(169, 201))
    for text in (b"{", b"[[1]]", b"[1, 2]", b"null"):
        memo.put("cost", "m:s", text)
        assert Learnt(_Memo(memo), ["m:s"], {}, lambda artifact: 0).need(task(0, step=step)) == 0


class _Memo:
    """The memo of a store over one that is kept in memory."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    def get(self, kind: str, key: str) -> bytes | None:
        return self._memory.get(kind, key)

    def get_many(self, kind: str, keys: object) -> dict[str, bytes]:
        found = {key: self._memory.get(kind, key) for key in keys}
        return {key: value for key, value in found.items() if value is not None}

    def put_many(self, kind: str, values: dict[str, str]) -> None:
        for key, value in values.items():
            self._memory.put(kind, key, value.encode())


HEAVY = """
    import time
    from pathlib import Path
    from stepwell import pipeline, source, step

    sources = [source(f"data/{i}.bin", bytes) for i in range(3)]

    @step
    def use(data: bytes) -> list[float]:
        began = time.time()
        held = bytearray(len(data) * 40)
        held[::4096] = b"x" * len(held[::4096])
        time.sleep(0.4)
        return [began, time.time()]

    @pipeline
    def all() -> list[list[float]]:
        return [use(one()) for one in sources]
"""


def overlap(spans: list[list[float]]) -> bool:
    ordered = sorted(spans)
    return any(end > begin for (_, end), (begin, _) in itertools.pairwise(ordered))


def test_steps_are_kept_apart_by_what_they_needed_before(tmp_path):
    project = Project(tmp_path)
    project.write(HEAVY)

    def fill(megabytes: float, run: int) -> None:
        for i in range(3):
            project.write("", f"data/{i}.bin").write_bytes(bytes([i, run]) * int(megabytes * MB / 2))

    limit = ("run", "--json", "-j", "3", "--memory", "400MB")
    for run, size in enumerate((1, 2)):
        fill(size, run)
        assert overlap(project(*limit).json["result"]), "nothing was known, or it was little: all at once"
    fill(5, 2)  # 40 times as much: two of them are more than there is
    planned = project("plan", "--json").json
    assert all(200 * MB < step["memory"] < 320 * MB for step in planned["steps"])
    assert not overlap(project(*limit).json["result"])
    fill(1, 3)
    assert all(step["memory"] < 150 * MB for step in project("plan", "--json").json["steps"])
    assert overlap(project(*limit).json["result"]), "small inputs again"
    assert project("run", "--memory", "much", code=2).err.startswith("error[E100]")
