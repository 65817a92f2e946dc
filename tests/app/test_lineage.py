"""Lineage: what made an artifact, what it was made from and what was made from it, over real runs."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from stepwell.app.lineage import find, forget, lineage
from stepwell.app.previews import FILE, preview
from stepwell.stores.local import open_store

STEPWELL = Path(sys.executable).with_name("stepwell")

PIPELINE = """
from pathlib import Path

from stepwell import log, pipeline, source, step

flights = source("flights.txt")


@step
def read(flights: Path) -> list[int]:
    return [int(line) for line in flights.read_text().split()]


@step
def part(numbers: list[int], of: int) -> int:
    log.text("told", "a text that is longer than what is kept beside the run, " * 2_000)
    return sum(numbers) * 10 + of


@step
def total(parts: list[int], scale: int) -> Path:
    out = Path("report")
    out.mkdir(exist_ok=True)
    (out / "total.txt").write_text(str(sum(parts) * scale))
    (out / "same.txt").write_text("same")
    return out


@pipeline
def sums(scale: int = 1) -> Path:
    numbers = read(flights())
    return total([part(numbers, of) for of in range(6)], scale)
"""


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with two runs: all steps in the first, only the last step in the second."""
    folder = tmp_path_factory.mktemp("lineage")
    (folder / "pipeline.py").write_text(textwrap.dedent(PIPELINE), "utf-8")
    (folder / "flights.txt").write_text("1\n2\n3\n", "utf-8")
    for words in ((), ("scale=2",)):
        subprocess.run([STEPWELL, "run", *words], cwd=folder, check=True, capture_output=True, timeout=60)
    return folder


@pytest.fixture
def store(root: Path):
    with open_store(root / ".stepwell", readonly=True) as opened:
        yield opened


def outputs(store, run):
    return {step.id: step.outputs[0] for step in store.runs.steps(run)}


def told(entries):
    return [(one["depth"], one["kind"], one["id"] or one["name"]) for one in entries]


def test_an_artifact_is_followed_up_to_its_sources_and_down_to_the_last_output(store):
    found = lineage(store, outputs(store, "r1")["read"].digest)
    assert found["made"] == {
        "run": "r1",
        "node": 0,
        "id": "read",
        "step": "pipeline:read",
        "output": "result",
    }
    assert found["here"] is True
    assert told(found["from"]) == [(1, "source", "flights")]
    parts = {(1, "artifact", name) for name in ("part", *(f"part[{i}]" for i in range(2, 7)))}
    assert parts <= set(told(found["into"]))
    last = [entry for entry in found["into"] if entry["id"] == "total"]
    assert {entry["digest"] for entry in last} >= {outputs(store, "r1")["total"].digest}


def test_a_list_whose_key_is_only_a_digest_is_followed_by_the_graph_of_the_run(store):
    made = outputs(store, "r1")
    total = next(step for step in store.runs.steps("r1") if step.id == "total")
    assert made["part"].digest not in " ".join(token for _, token in total.inputs)
    up = lineage(store, made["total"].digest)
    assert {entry["id"] for entry in up["from"] if entry["depth"] == 1} == {
        made_id for made_id in made if "part" in made_id
    }
    assert told(up["from"])[-1] == (3, "source", "flights")
    assert "total" in {entry["id"] for entry in lineage(store, made["part"].digest)["into"]}


def test_what_a_later_run_reused_was_made_by_the_earlier_one(store):
    up = lineage(store, outputs(store, "r2")["total"].digest)
    assert up["made"]["run"] == "r2"
    assert {entry["run"] for entry in up["from"] if entry["kind"] == "artifact"} == {"r1"}


def test_a_source_has_what_was_made_from_it_and_nothing_before_it(store):
    (source,) = store.runs.about("r1").sources
    found = lineage(store, source.digest)
    assert found["made"] is None
    assert found["from"] == []
    assert told(found["into"])[0] == (1, "artifact", "read")
    assert {"total"} <= {entry["id"] for entry in found["into"]}


def test_a_digest_of_nothing_is_answered_with_nothing(store):
    for digest in ("b3:" + "0" * 64, "b3:" + "0" * 63, "", "' OR 1=1 --", "b3:" + "z" * 64):
        found = lineage(store, digest)
        assert (found["made"], found["from"], found["into"], found["here"]) == (None, [], [], False)
        assert find(store, digest) is None


def test_a_file_of_a_folder_is_found_by_its_own_digest(store):
    folder = outputs(store, "r1")["total"]
    shown = preview(store, folder)
    assert [one["name"] for one in shown["files"]] == ["same.txt", "total.txt"]
    file = find(store, shown["files"][1]["digest"])
    assert (file.codec, file.name) == (FILE, "total.txt")
    assert preview(store, file)["text"] == str(sum(60 + of for of in range(6)))
    assert lineage(store, file.digest)["made"]["id"] == "total"


def test_what_a_step_recorded_is_found_and_leads_to_the_step(store):
    recorded = next(one.artifact for one in store.runs.recorded("r1") if one.artifact is not None)
    assert find(store, recorded.digest) == recorded
    assert lineage(store, recorded.digest)["made"]["id"].startswith("part")


def test_a_run_that_recorded_no_graph_is_followed_by_its_keys(root, tmp_path):
    old = tmp_path / ".stepwell"
    with open_store(root / ".stepwell", readonly=True) as store:
        made = outputs(store, "r1")
        subprocess.run(["cp", "-r", root / ".stepwell", old], check=True)
    database = sqlite3.connect(old / "store.db")
    database.execute("UPDATE runs SET wiring = '', about = ''")
    database.commit()
    database.close()
    with open_store(old, readonly=True) as store:
        found = lineage(store, made["part"].digest)
        assert told(found["from"])[0] == (1, "artifact", "read")
        assert found["from"][-1]["kind"] == "source"


def test_runs_that_are_gone_are_no_error_and_what_is_new_is_seen(root, tmp_path):
    forget()
    place = tmp_path / ".stepwell"
    subprocess.run(["cp", "-r", root / ".stepwell", place], check=True)
    with open_store(place, readonly=True) as store:
        made = outputs(store, "r2")
        assert lineage(store, made["total"].digest)["made"]["run"] == "r2"
        database = sqlite3.connect(place / "store.db")
        database.execute("DELETE FROM runs WHERE id = 2")
        database.execute("UPDATE counters SET value = value + 1 WHERE name = 'gc'")
        database.commit()
        database.close()
        found = lineage(store, made["total"].digest)
        assert found["made"] is None
        assert lineage(store, made["read"].digest)["made"]["run"] == "r1"


def test_nothing_leads_to_a_run_that_gc_took_and_what_comes_back_is_found(root, tmp_path):
    forget()
    subprocess.run(["cp", "-r", root / ".stepwell", tmp_path / ".stepwell"], check=True)

    def gc(*words):
        subprocess.run(
            [STEPWELL, "gc", "--yes", *words], cwd=tmp_path, check=True, capture_output=True, timeout=60
        )

    with open_store(tmp_path / ".stepwell", readonly=True) as store:
        first, last = outputs(store, "r1")["total"].digest, outputs(store, "r2")["total"].digest
        assert {entry["run"] for entry in lineage(store, last)["from"]} == {"r1", ""}
        assert lineage(store, first)["made"]["run"] == "r1"
        gc("--keep", "1", "--older-than", "0")
        assert store.runs.ids() == ["r2"]
        found = lineage(store, last)["from"]
        assert {entry["run"] for entry in found} == {"r2", ""}
        assert {"read", "part[6]"} < {entry["id"] for entry in found}
        assert lineage(store, first)["made"] is None
        gc("--undo")
        assert lineage(store, first)["made"]["run"] == "r1"
