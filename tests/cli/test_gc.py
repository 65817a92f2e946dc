"""`gc` and the parts of `verify` as the command: shown first, asked for, undone, and what is said of it later."""

import os
import pty
import signal
import sqlite3
import time

import pytest
from cli_projects import STEPWELL, wait_for

from stepwell.stores.collect import DAY


def runs_of(project):
    return [row["run"] for row in project("runs", "--json").json["runs"]]


@pytest.fixture
def used(hello):
    """A project with three runs of different results, and one large one."""
    for count in ("2", "3", "40000"):
        hello("run", f"count={count}")
    return hello


NOW = ("--keep", "1", "--older-than", "0")


def test_without_a_terminal_it_shows_and_does_nothing(used):
    shown = used("gc", *NOW)
    assert "2 runs: r1-r2" in shown.out
    assert "1 run: the newest of its pipeline" in shown.out
    assert "nothing was done: --yes does it" in shown.out
    assert runs_of(used) == ["r3", "r2", "r1"]
    assert not used("gc", *NOW, "--json").json["done"]
    assert not used("gc", *NOW, "--dry-run", "--yes", "--json").json["done"]
    assert runs_of(used) == ["r3", "r2", "r1"]


def test_by_default_nothing_young_goes(used):
    assert used("gc", "--yes").out.startswith("nothing can go")
    assert used("gc", "--keep", "1", "--json").json["stays"][1]["why"] == "younger than 14 days"


def test_what_goes_comes_back(used):
    before = used("show", "r1", "--json").json
    done = used("gc", *NOW, "--yes", "--json").json
    assert (done["done"], done["removed"]["runs"], done["removed"]["results"]) == (True, ["r1", "r2"], 4)
    assert runs_of(used) == ["r3"]
    told = used.refused("show", "r1", code=2)
    assert "r1 was removed by gc on 20" in told["what"]
    assert told["fixes"] == ["stepwell gc --undo"]
    assert set(used("plan", "count=40000", "--json").decisions.values()) == {"cached"}
    assert set(used("plan", "count=2", "--json").decisions.values()) <= {"run", "maybe"}
    assert "brought back: 2 runs, 4 results" in used("gc", "--undo").out
    assert used("show", "r1", "--json").json == before
    assert set(used("plan", "count=2", "--json").decisions.values()) == {"cached"}
    assert used("gc", "--undo").out == "the trash is empty\n"


def test_the_trash_is_emptied_when_told_and_when_it_is_old(used):
    used("gc", *NOW, "--yes")
    assert "2 runs, 4 results" in used("gc", "--empty-trash").out
    assert len(used("gc", "--json").json["trash"]) == 1
    assert used("gc", "--yes", "--json").json["emptied"] == []
    assert used("gc", "--yes", "--trash-days", "0", "--json").json["emptied"][0]["runs"] == ["r1", "r2"]
    assert used("gc", "--undo", "--json").json["undone"] == []
    assert "stepwell gc --undo" not in used.refused("show", "r2", code=2)["fixes"]
    used("run", "count=5")
    used("gc", *NOW, "--yes")
    done = used("gc", "--empty-trash", "--yes", "--compact", "--json").json
    assert done["emptied"][0]["runs"] == ["r3"]
    assert done["compacted"]["after"] <= done["compacted"]["before"]
    assert used("verify").out == "the store is sound\n"


def test_a_lock_file_keeps_what_it_names(used):
    digest = used("show", "r2", "--json").json["steps"][0]["outputs"]["result"]
    (used.root / "stepwell.lock").write_text(f'[steps.numbers]\nresult = "{digest}"\n')
    used("gc", *NOW, "--yes")
    assert runs_of(used) == ["r3"]
    plan = used("plan", "count=3", "--json").decisions
    assert plan == {"numbers": "cached", "total": "run"}


def answer(project, words, text):
    """Run the command on a terminal, answer its question; what was on the screen."""
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(project.root)
        os.execve(STEPWELL, [str(STEPWELL), *words], project.env)
    screen = b""
    asked = False
    while True:
        try:
            piece = os.read(terminal, 4096)
        except OSError:
            break
        if not piece:
            break
        screen += piece
        if b"[y/N]" in screen and not asked:
            asked = True
            os.write(terminal, text.encode() + b"\n")
    os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0, screen
    return screen.decode()


@pytest.mark.parametrize("text", ["", "n", "what"])
def test_on_a_terminal_anything_but_yes_means_no(used, text):
    assert "remove it? [y/N]" in answer(used, ["gc", *NOW], text)
    assert runs_of(used) == ["r3", "r2", "r1"]


def test_on_a_terminal_yes_removes(used):
    assert "stepwell gc --undo brings it back" in answer(used, ["gc", *NOW], "y")
    assert runs_of(used) == ["r3"]
    assert "remove it for good? [y/N]" in answer(used, ["gc", "--empty-trash"], "yes")
    assert used("gc", "--json").json["trash"] == []


def test_nothing_goes_while_a_run_goes_on(used):
    used.write(
        """
        import time
        from stepwell import pipeline, step

        @step
        def slow() -> int:
            open("started", "w").close()
            time.sleep(60)
            return 1

        @pipeline
        def sleeping() -> int:
            return slow()
        """,
        "sleeping.py",
    )
    running = used.start("run", "sleeping.py")
    try:
        wait_for((used.root / "started").exists)
        assert "r4" in used("gc", *NOW, "--yes", "--json", code=5).json["error"]["what"]
        assert "a run is going on: r4" in used("gc", *NOW, "--yes", code=5).err
        assert used("gc", *NOW, "--json").json["going_on"] == ["r4"]
    finally:
        running.send_signal(signal.SIGINT)
        running.communicate(timeout=30)
    assert used("gc", *NOW, "--yes", "--json").json["done"]


@pytest.mark.parametrize(
    "words",
    [("--keep", "0"), ("--older-than", "soon"), ("--trash-days", "-1"), ("--undo", "--empty-trash"), ("x",)],
)
def test_what_was_typed_wrong_is_told(hello, words):
    hello.refused("gc", *words, code=2)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("14", 14 * DAY), ("12h", DAY / 2), ("2w", 14 * DAY), ("0", 0), ("1.5d", 1.5 * DAY), ("90m", 5400)],
)
def test_ages(text, seconds):
    from stepwell.cli.gc import age

    assert age(text) == seconds


def test_where_there_is_no_store_nothing_is_made(hello):
    assert hello("gc", "--yes").out == "nothing can go\n"
    assert hello("gc", "--undo").out == "the trash is empty\n"
    assert not (hello.root / ".stepwell").exists()


# ---------------------------------------------------------------------- verify, and damage


def large_blob(project):
    (path,) = (project.root / ".stepwell" / "blobs").glob("??/*")
    return path


def flip(path):
    data = bytearray(path.read_bytes())
    data[100] ^= 1
    mode = path.stat().st_mode
    path.chmod(0o600)
    path.write_bytes(data)
    path.chmod(mode)


def test_seven_parts_are_the_whole_and_each_is_always_the_same(used):
    blob = large_blob(used)
    name = blob.parent.name + blob.name
    flip(blob)
    part = int(name[:12], 16) % 7 + 1
    for number in range(1, 8):
        if number != part:
            said = used("verify", "--read-data", "--subset", f"{number}/7").out
            assert said == f"sound; bytes were read of part {number} of 7\n"
    assert used("verify", "--quick", "--json").json == {"sound": True, "read": None, "findings": []}
    found = used("verify", "--subset", f"{part}/7", "--json", code=6).json
    assert found["read"] == f"{part}/7"
    assert [(one["kind"], name in one["what"]) for one in found["findings"]] == [("damaged", True)]


def test_damage_is_repaired_by_running_again(used):
    before = used("run", "count=40000", "--json").json["result"]
    flip(large_blob(used))
    said = used("verify", code=6).out
    assert "stepwell run" in said
    assert said.endswith("repair: stepwell run\n")
    again = used("run", "count=40000", "--json")
    assert again.json["result"] == before
    assert again.decisions["numbers"] == "run"
    assert used("verify").out == "the store is sound\n"
    assert set(used("run", "count=40000", "--json").decisions.values()) == {"cached"}


@pytest.mark.parametrize(
    "words", [("--subset", "8/7"), ("--subset", "0/7"), ("--subset", "x"), ("--quick", "--read-data")]
)
def test_parts_that_are_none(hello, words):
    hello.refused("verify", *words, code=2)


NONSENSE = {
    "outputs": "UPDATE results SET outputs = 'what is this'",
    "outputs as JSON": "UPDATE results SET outputs = '[1, 2'",
    "metrics": "UPDATE results SET metrics = '{'",
    "seconds": "UPDATE results SET seconds = 'long'",
    "identity": "DELETE FROM identities",
    "made": "UPDATE made SET text = 'nonsense'",
    "made otherwise": """UPDATE made SET text = '{"steps": 1}'""",
    "params": "UPDATE runs SET params = '['",
    "nodes": "UPDATE texts SET text = 'x'",
}


@pytest.mark.parametrize("what", NONSENSE)
def test_rows_that_make_no_sense_are_told_of_taken_out_and_made_again(used, what):
    with sqlite3.connect(used.root / ".stepwell" / "store.db") as database:
        database.execute(NONSENSE[what])
    database.close()
    for words in (
        ("plan",),
        ("runs",),
        ("show", "last"),
        ("gc", *NOW),
        ("run", "count=3"),
        ("verify", "--quick"),
    ):
        said = used(*words, code=None)
        assert said.code in (0, 2, 6), said
        if said.code == 6 and words[0] != "verify":
            assert "E502" in said.err
            assert "stepwell verify" in said.err
    assert used("verify", code=None).code in (0, 6)
    assert used("verify").out == "the store is sound\n"
    assert used("run", "count=2", "--json").json["result"] == 1
    assert set(used("run", "count=2", "--json").decisions.values()) == {"cached"}
    used("show", "last")
    used("gc", *NOW, "--yes")


def test_a_file_where_a_folder_should_be(used):
    blobs = used.root / ".stepwell" / "blobs"
    blobs.rename(used.root / "aside")
    blobs.write_text("a file")
    for words in (("plan",), ("run",), ("verify",), ("gc",), ("runs",)):
        told = used.refused(*words, code=6)
        assert told["code"] == "E502"
        assert "mv " in told["fixes"][0]
    blobs.unlink()
    assert used("verify", code=6).out.count("missing") == 1
    used("run", "count=40000")
    assert used("verify").out == "the store is sound\n"


@pytest.mark.slow
def test_damaged_pages_never_give_more_than_a_coded_error(used):
    path = used.root / ".stepwell" / "store.db"
    sound = path.read_bytes()
    for page in range(1, len(sound) // 4096, 3):
        data = bytearray(sound)
        data[page * 4096 : page * 4096 + 200] = os.urandom(200)
        path.write_bytes(data)
        for words in (("plan",), ("verify",), ("gc", *NOW)):
            assert used(*words, code=None).code in (0, 6), (page, words)
    path.write_bytes(sound)
    assert used("verify").out == "the store is sound\n"


def test_time(used):
    """What went is told with the day on which it went."""
    used("gc", *NOW, "--yes")
    assert time.strftime("%Y-%m-%d") in used.refused("show", "r1", code=2)["what"]
