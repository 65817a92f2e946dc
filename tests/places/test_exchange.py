"""What crosses between a worker and the process of an environment, without either."""

from __future__ import annotations

import datetime as dt
import os
import pickle
from pathlib import Path

import pytest

from stepwell.codecs import choose
from stepwell.kernel.graph import Constant, OutputDef, Pack, StepDef
from stepwell.kernel.ports import Artifact, Outside, Stored, Task
from stepwell.worker.places import exchange
from stepwell.worker.places.pickles import foreign


class Sink:
    def __init__(self) -> None:
        self.data = bytearray()

    def write(self, data: object) -> int:
        self.data += data  # type: ignore[operator]
        return len(data)  # type: ignore[arg-type]


class Blob:
    path = None

    def __init__(self, data: bytes) -> None:
        self.data = memoryview(data)


def encoded(value: object) -> tuple[str, bytes]:
    sink = Sink()
    codec, _ = choose.dump(value, "", sink)  # type: ignore[arg-type]
    return codec, bytes(sink.data)


def decoded(codec: str, data: bytes) -> object:
    return choose.load(Blob(data), codec)  # type: ignore[arg-type]


def test_a_task_comes_back_as_it_was() -> None:
    import json

    step = StepDef("s", "m", "q", (OutputDef("a", "int", "json"), OutputDef("b")), shape="tuple", env=("X",), place='{"x": 1}', services=("s",), validate=("m:j",))  # fmt: skip
    stored = Stored(Artifact("a", "json", "b3:00", 3, ("b3:01",), "note"), b"\x00\xff", (1, "x"))
    when = dt.date(2026, 1, 1)
    pack = Pack("dict", (Constant((1, 2.5), "t"), stored), ("'a'", "2"), ("a", when))
    outside = Outside("s", "s.csv", "list", (("sep", ";"),), "b3:02")
    task = Task(
        3, "id", "key", step, (("p", pack), ("o", outside), ("c", Constant(b"1", "", "json"))), "r1", "out", 2
    )
    inputs = [(name, exchange.packed_value(value, encoded)) for name, value in task.inputs]
    plain = json.loads(json.dumps(exchange.packed_task(task, inputs)))
    back = exchange.unpacked_task(plain, lambda one: exchange.unpacked_value(one, decoded))
    assert back._replace(inputs=(), step=step) == task._replace(inputs=())
    assert back.step == step._replace(place="", services=())
    given = dict(back.inputs)
    assert given["p"].items[1] == stored
    assert decoded(given["p"].items[0].codec, given["p"].items[0].payload) == (1, 2.5)
    assert given["p"]._replace(items=()) == pack._replace(items=())
    assert given["o"] == outside
    assert given["c"] == Constant(b"1", "", "json")


@pytest.mark.parametrize("name", ["..", "a/b", "", "link", "folder", "pipe"])
def test_what_the_other_side_made_leads_nowhere(tmp_path: Path, name: str) -> None:
    (tmp_path / "link").symlink_to("/etc/passwd")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match=r".*"):
        exchange.opened(tmp_path, name)


class Own:
    pass


def test_what_is_foreign_in_a_pickle() -> None:
    import numpy as np

    for protocol in (0, 2, 4, 5):
        assert foreign(pickle.dumps([1, "x", {2}, dt.date(2026, 1, 1)], protocol)) == []
        found = foreign(
            pickle.dumps([np.float64(1), np.float64(2), Own()], protocol), lambda name: name == __name__
        )
        assert found
        assert all(name.startswith("numpy.") for name in found)
        assert foreign(pickle.dumps([Own(), Own], protocol)) == [f"{__name__}.Own"]
