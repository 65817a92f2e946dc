"""The seven everyday cases in which other tools return a stale result, each compared with a run from nothing."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import stat
from pathlib import Path

import pytest
from projects import HEAD, Case

TWO = HEAD + (
    "import rules\n\n\n@step\ndef first(x: int) -> list:\n    return [rules.scale(x)] * 70000\n\n\n"
    "@step\ndef second(xs: list) -> int:\n    return sum(xs) // len(xs) + 1\n\n\n"
    "@pipeline\ndef main(x: int = 4) -> int:\n    return second(first(x))\n"
)
RULES = "def scale(x):\n    return x * 7\n"


@pytest.fixture
def case(tmp_path: Path, witness) -> Case:
    made = Case(tmp_path, witness)
    made.write(pipeline_py=TWO, rules_py=RULES)
    return made


def blob(store: Path, digest: str) -> Path:
    return store / "blobs" / digest[3:5] / digest[5:]


def test_the_body_of_a_helper_changes(case):
    assert case.both()["values"][1] == "29"
    case.write(rules_py=RULES.replace("7", "8"))
    answer = case.both()
    assert (case.ran(answer), answer["values"][1]) == (["first", "second"], "33")


def test_the_code_of_a_step_changes_after_it_succeeded_in_a_run_that_failed(case):
    case.write(pipeline_py=TWO.replace("return sum(xs)", "raise ValueError(1)\n    return sum(xs)"))
    failed = case.run()
    assert (failed["status"], case.ran(failed)) == ("failed", ["first"])
    case.write(pipeline_py=TWO.replace("[rules.scale(x)]", "[rules.scale(x) + 1]"))
    answer = case.both()
    assert (case.ran(answer), answer["values"][1]) == (["first", "second"], "30")


def test_a_run_that_failed_is_resumed_by_running_again(case):
    case.write(pipeline_py=TWO.replace("return sum(xs)", "raise ValueError(1)\n    return sum(xs)"))
    case.run()
    case.write(pipeline_py=TWO)
    assert case.ran(case.both()) == ["second"]


def test_the_content_of_a_file_changes_that_is_passed_as_a_source(case):
    case.write(
        pipeline_py=HEAD + 'table = source("data/table.txt", Path)\n\n\n@step\ndef read(path: Path) -> str:\n'
        "    return path.read_text()\n\n\n@pipeline\ndef main() -> str:\n    return read(table())\n",
        data__table_txt="a1",
    )
    assert case.both()["values"] == ["'a1'"]
    case.write(data__table_txt="b1")
    answer = case.both()
    assert (case.ran(answer), answer["values"]) == (["read"], ["'b1'"])


@pytest.mark.parametrize("workers", [False, True])
@pytest.mark.parametrize("delete", [False, True], ids=["corrupted", "deleted"])
def test_a_blob_is_lost_behind_the_cache(case, delete, workers):
    before = case.both(workers=workers)
    file = blob(case.store, before["digests"][0])
    data = bytearray(file.read_bytes())
    data[1000] ^= 1
    os.chmod(file, stat.S_IRUSR | stat.S_IWUSR)
    file.unlink() if delete else file.write_bytes(data)
    case.write(pipeline_py=TWO.replace("// len(xs) + 1", "// len(xs) + 2"))
    answer = case.both(workers=workers)
    assert (case.ran(answer), answer["values"][1]) == (["first", "second"], "30")
    assert answer["values"][0] == before["values"][0]


@pytest.mark.parametrize("delete", [False, True], ids=["corrupted", "deleted"])
def test_the_result_of_the_pipeline_is_lost_behind_the_cache(case, delete):
    before = case.both()
    lose(case.store, before["digests"][1], delete=delete)
    answer = case.both()
    assert (case.ran(answer), answer["values"]) == (["second"], before["values"])


@pytest.mark.parametrize("workers", [False, True])
def test_an_input_is_edited_while_the_step_runs(case, workers):
    project = (
        HEAD + 'table = source("data/table.txt", Path)\n\n\n@step\ndef read(path: Path) -> str:\n'
        '    text = path.read_text()\n    if text == "a1":\n        path.write_text("b1")\n    return text\n\n\n'
        "@pipeline\ndef main() -> str:\n    return read(table())\n"
    )
    case.write(pipeline_py=project, data__table_txt="a1")
    answer = case.run(workers=workers)
    assert answer["status"] == "failed"
    assert "changed while the step ran" in answer["failed"][0][1]
    again = case.both(workers=workers)
    assert (case.ran(again), again["values"]) == (["read"], ["'b1'"])


@pytest.mark.parametrize("what", ["store", "project", "both"])
def test_what_is_moved_keeps_its_results(case, what):
    before = case.both()
    if what in ("store", "both"):
        case.store = case.store.rename(case.folder / "elsewhere")
    if what in ("project", "both"):
        case.root = case.root.rename(case.folder / "renamed")
    answer = case.both()
    assert (case.ran(answer), answer["values"]) == ([], before["values"])


SHRINKING = HEAD + (
    "@step\ndef first(x: int) -> int:\n    return x\n\n\n"
    "@step\ndef second(x: int) -> int:\n    return x + 100\n\n\n"
    "@pipeline\ndef main(x: int = 1) -> int:\n    return second(first(x))\n"
)


def lose(store: Path, digest: str, *, delete: bool) -> None:
    """Damage or delete a small blob."""
    with contextlib.closing(sqlite3.connect(store / "store.db")) as connection:
        sql = (
            "DELETE FROM blobs WHERE digest = ?"
            if delete
            else "UPDATE blobs SET data = '77' WHERE digest = ?"
        )
        assert connection.execute(sql, (digest,)).rowcount == 1
        connection.commit()


@pytest.mark.parametrize("delete", [False, True], ids=["corrupted", "deleted"])
def test_an_earlier_result_that_a_maybe_turns_out_to_need_is_made_again_if_it_is_lost(case, delete):
    case.write(pipeline_py=SHRINKING)
    one = case.both()
    case.params = {"x": 2}
    case.both()
    lose(case.store, one["digests"][1], delete=delete)
    # The pipeline returns what `second` once gave for 1; the plan can only foresee what it gave for 2.
    case.write(pipeline_py=SHRINKING.replace("return x\n", "return x - 1\n"))
    answer = case.both()
    assert (case.ran(answer), answer["values"]) == (["first", "second"], ["1", "101"])


@pytest.mark.parametrize("delete", [False, True], ids=["corrupted", "deleted"])
def test_a_value_that_is_made_anew_takes_the_place_of_its_damaged_blob(case, delete):
    case.write(pipeline_py=SHRINKING)
    before = case.both()
    lose(case.store, before["digests"][1], delete=delete)
    case.write(pipeline_py=SHRINKING.replace("x + 100", "100 + x"))  # nobody has looked at the blob meanwhile
    answer = case.both()
    assert (case.ran(answer), answer["values"]) == (["second"], ["1", "101"])
    case.write(pipeline_py=SHRINKING)
    assert case.ran(case.both()) == []
