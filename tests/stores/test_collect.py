"""`gc`: what goes and what stays is decided by rules that are told; what goes comes back; runs beside it are safe."""

import multiprocessing
import os
import random
import time

import pytest

from stepwell.errors import StoreBusy, StoreDamaged, StoreError, UnknownRun
from stepwell.kernel.events import RunFinished, StepFailed, StepFinished, StepReused
from stepwell.kernel.identity import digest as text_digest
from stepwell.kernel.plan import Decision, Reason
from stepwell.kernel.ports import Artifact, Failure, Made, Said
from stepwell.stores import trash
from stepwell.stores.blobs import INLINE
from stepwell.stores.collect import (
    DAY,
    Facts,
    FileFact,
    Policy,
    ResultFact,
    RunFact,
    decide,
    fallen_silent,
    judged_runs,
    living,
    locks,
    look,
    look_at_rows,
    told,
)
from stepwell.stores.local import open_store
from stepwell.stores.record import Facts as Begun
from stepwell.stores.trash import batches, empty, remove, undo
from stepwell.stores.verify import verify
from stepwell.testing.contracts import result_of

NOW = 1000 * DAY
NOTHING = Policy(1, 0.0)


# ---------------------------------------------------------------------- the decision


def runs_that_stay(runs, policy, living=frozenset()):
    return {number: why for number, why in judged_runs(runs, living, NOW, policy) if why}


def run(number, pipeline="p", status="succeeded", age=100.0):
    return RunFact(number, pipeline, status, NOW - age * DAY)


def test_the_last_runs_of_each_pipeline_stay():
    runs = [*(run(n) for n in range(1, 6)), run(6, "q")]
    assert set(runs_that_stay(runs, Policy(2, DAY))) == {4, 5, 6}
    assert set(runs_that_stay(runs, Policy(1, DAY))) == {5, 6}


def test_the_newest_run_that_succeeded_stays_whatever_came_after_it():
    runs = [run(1), run(2), *(run(n, status="failed") for n in range(3, 6))]
    stays = runs_that_stay(runs, Policy(1, DAY))
    assert stays == {5: "the newest of its pipeline", 2: "the newest of its pipeline that succeeded"}


def test_a_run_within_the_grace_period_stays_and_one_that_is_going_on():
    runs = [run(1, status="running"), run(2, age=13.9), run(3, age=14.1), run(4, age=-5), run(5)]
    stays = runs_that_stay(runs, Policy(1, 14 * DAY), frozenset({1}))
    assert stays == {
        1: "going on", 2: "younger than 14 days", 4: "younger than 14 days", 5: "the newest of its pipeline",
    }  # fmt: skip


def results(*ages):
    return tuple(
        ResultFact(n, f"key{n}", (f"b{n}", "shared"), NOW - age * DAY) for n, age in enumerate(ages, 1)
    )


def test_results_stay_because_of_runs_leases_locks_and_their_age():
    facts = Facts(
        NOW, used=frozenset({1}), results=results(90, 90, 90, 90, 1), leased=frozenset({"key2"}),
        locked=frozenset({"b3"}), small={"shared": 1, **{f"b{n}": 10 for n in range(1, 6)}},
    )  # fmt: skip
    going = decide(facts, Policy(10, 14 * DAY))
    assert going.results == (4,)
    assert going.small == {"b4": 10}  # "shared" belongs to others too
    assert going.bytes == 10
    assert {(stay.what, stay.why, stay.count) for stay in going.stays} == {
        ("results", "a run that stays used them", 1),
        ("results", "somebody has a lease on them", 1),
        ("results", "a lock file names them", 1),
        ("results", "younger than 14 days", 1),
        ("blobs", "results that stay have them", 5),
    }


def test_files_that_nobody_named_go_when_they_are_old():
    facts = Facts(
        NOW,
        results=results(90),
        files=(
            FileFact("b1", 5, NOW - 90 * DAY), FileFact("orphan", 7, NOW - 15 * DAY), FileFact("new", 9, NOW - DAY),
            FileFact("copy", 1, 0), FileFact("looked at", 1, 0), FileFact("locked", 1, 0), FileFact("future", 1, 2 * NOW),
        ),
        copies=frozenset({"copy"}), inspected=frozenset({"looked at"}), locked=frozenset({"locked"}),
    )  # fmt: skip
    assert decide(facts, Policy(10, 14 * DAY)).files == {"b1": 5, "orphan": 7}


def test_without_a_grace_period_a_file_that_nobody_names_yet_stays_for_an_hour():
    facts = Facts(
        NOW, results=results(1), files=(FileFact("b1", 1, NOW - 60), FileFact("young", 1, NOW - 60))
    )
    assert decide(facts, NOTHING).files == {"b1": 1}
    assert decide(facts._replace(now=NOW + 3600), NOTHING).files == {"b1": 1, "young": 1}


def test_nothing_that_was_made_since_it_began_goes():
    facts = Facts(NOW, results=results(-0.001), small={"b1": 1}, files=(FileFact("shared", 1, NOW + 1),))
    assert not decide(facts, Policy(1, 0.0))


def test_spans_of_time_are_told_in_their_unit():
    assert [told(s) for s in (14 * DAY, DAY, 43200.0, 3600.0, 600.0, 90.0, 0.0)] == [
        "14 days", "1 day", "12 hours", "1 hour", "10 minutes", "90 seconds", "0 seconds",
    ]  # fmt: skip


# ---------------------------------------------------------------------- a store


def record(folder, *names, pipeline="p", fail=False, end=True):
    """A run with a step for each name: what is known is reused, else made; `name` as text, files for `LARGE...`."""
    with open_store(folder) as store:
        return recorded(store, names, pipeline, fail=fail, end=end)


def recorded(store, names, pipeline="p", *, fail=False, end=True):
    run = store.begin(Begun(pipeline, {}, [(name, name, f"p:{name}") for name in names], 0.0))
    for i, name in enumerate(names):
        key = result_of(name).key
        found = store.results.result(key)
        if found is not None and not found.lost:
            run.add(StepReused(i, Decision(i, "cached", (Reason("cached", ""),), key), found))
            continue
        output = output_of(store, name)
        result = result_of(name, [output], step=f"p:{name}", run=run.run)
        store.results.keep(result, [output])
        run.add(StepFinished(i, Decision(i, "run", (Reason("new", ""),), key), result))
        run.add(Said(i, "stdout", name))
    if end:
        run.add(RunFinished("failed" if fail else "succeeded", 1.0))
    return run


def output_of(store, name):
    with store.blobs.sink() as sink:
        sink.write(name.encode() * (INLINE if name.startswith("LARGE") else 1))
        digest, size, data = sink.finish()
    return Made(Artifact("result", "bytes", digest, size), data)


def planned(store, policy=NOTHING, root=None, now=None):
    facts = look(store, root, policy, time.time() + 30 * DAY if now is None else now)
    return decide(facts, policy), lambda shown: decide(
        look_at_rows(store, facts._replace(shown=shown), policy), policy
    )


def collected(store, policy=NOTHING, root=None):
    shown, again = planned(store, policy, root)
    return remove(store, shown, again, now=1.0)


def names_there(store):
    return {row[0].partition(":")[2] for row in store.database.rows(
        "SELECT step FROM results JOIN identities ON identities.id = results.identity")}  # fmt: skip


@pytest.fixture
def old(folder):
    record(folder, "a", "LARGE 1", "shared")
    record(folder, "b", "LARGE 2", "shared")
    record(folder, "c", "LARGE 3", "shared")
    with open_store(folder) as store:
        yield store


def test_what_only_removed_runs_used_goes_and_the_rest_is_whole(old):
    batch = collected(old)
    assert (batch.runs, batch.results, batch.blobs) == ((1, 2), 4, 4)
    assert names_there(old) == {"c", "LARGE 3", "shared"}
    assert [run.run for run in old.runs.runs()] == ["r3"]
    assert all(step.result for step in old.runs.steps("r3"))
    assert verify(old) == []
    assert len(list(old.blobs.all())) == 1
    for table in ("made", "reused", "logs", "stopped", "points"):
        assert {row[0] for row in old.database.rows(f"SELECT run FROM {table}")} <= {3}


def test_nothing_goes_twice(old):
    collected(old)
    shown, _ = planned(old)
    assert not shown


def test_undo_brings_every_byte_back(old, folder):
    def everything(store):
        return [
            store.database.rows(f"SELECT * FROM {table} ORDER BY 1, 2")
            for table in ("runs", "results", "blobs", "made", "reused", "logs", "texts", "identities")
        ]

    before = everything(old), sorted(old.blobs.all())
    collected(old)
    assert everything(old) != before[0]
    (batch,) = undo(old)
    assert batch.runs == (1, 2)
    assert (everything(old), sorted(old.blobs.all())) == before
    assert verify(old) == []
    assert batches(old) == []
    assert undo(old) == []
    assert not any((folder / "trash").rglob("*/??*"))


def test_undo_of_several_collections_also_where_something_was_made_again(old, folder):
    collected(old, Policy(2, 0.0))
    collected(old)
    old.close()
    record(folder, "a", "LARGE 1", "d")  # the same bytes again, under a new number
    with open_store(folder) as store:
        undo(store)
        assert [run.run for run in store.runs.runs()] == ["r4", "r3", "r2", "r1"]
        assert all(step.result for n in range(1, 5) for step in store.runs.steps(f"r{n}"))
        assert verify(store) == []
        assert store.results.by_number([1])[1].key == store.results.result(result_of("a").key).key


def test_who_missed_a_blob_meanwhile_does_not_keep_it_from_coming_back(old, folder):
    digest = old.results.result(result_of("a").key).outputs[0].digest
    collected(old)
    old.close()
    with open_store(
        folder
    ) as store:  # another process had read the result before it went, and misses its blob
        store.results.lose(digest, "is gone")
        store.commit(now=True)
        undo(store)
    with open_store(folder) as store:
        assert not store.results.result(result_of("a").key).lost


def test_what_is_in_the_trash_can_be_removed_for_good(old, folder):
    collected(old)
    assert list((folder / "trash").rglob("??*/*"))
    assert empty(old, before=0.5) == []
    (batch,) = empty(old, before=1.0)
    assert batch.runs == (1, 2)
    assert not list((folder / "trash").rglob("*/??*"))
    assert undo(old) == []
    assert names_there(old) == {"c", "LARGE 3", "shared"}
    assert old.database.rows("SELECT count(*) FROM trash_blobs") == [(0,)]


def test_a_file_in_two_batches_stays_until_the_last_of_them_goes(folder):
    record(folder, "a", "LARGE 1")
    record(folder, "b")
    with open_store(folder) as store:
        collected(store)
    record(folder, "a", "LARGE 1")
    record(folder, "b")
    with open_store(folder) as store:
        shown, again = planned(store)
        remove(store, shown, again, now=2.0)
        empty(store, before=1.0)
        assert len(list((folder / "trash").glob("??/*"))) == 1
        undo(store)
        assert verify(store) == []
        assert all(step.result for step in store.runs.steps("r3"))


def test_a_removed_run_is_told_of(old):
    collected(old)
    with pytest.raises(UnknownRun, match="r1 was removed by gc on 1970-01-0") as refused:
        old.runs.run("r1")
    assert refused.value.fixes == ("stepwell gc --undo",)
    empty(old)
    with pytest.raises(UnknownRun, match="r2 was removed by gc") as refused:
        old.runs.steps("2")
    assert "--undo" not in "".join(refused.value.fixes)
    with pytest.raises(UnknownRun, match="there is no run `r9`"):
        old.runs.run("r9")


def test_blobs_that_a_lock_file_names_stay_with_all_that_belongs_to_their_result(old, folder):
    digest = old.results.result(result_of("LARGE 1").key).outputs[0].digest
    (folder.parent / "model.stepwell.lock").write_text(f'[outputs]\nmodel = "{digest}"\n')
    collected(old, root=folder.parent)
    assert names_there(old) == {"LARGE 1", "c", "LARGE 3", "shared"}
    assert digest in set(old.blobs.all())
    assert verify(old) == []


def test_a_lock_file_that_cannot_be_read_stops_everything(tmp_path):
    (tmp_path / "stepwell.lock").mkdir()
    with pytest.raises(StoreError, match="cannot be read"):
        list(locks(tmp_path))


def test_what_a_judge_refused_stays_with_its_run(folder):
    for number in range(2):
        with open_store(folder) as store:
            run = recorded(store, ["a"], end=False)
            output = output_of(store, f"refused {number}")
            store.results.shelve([output])
            failure = Failure("E400", "no", "", (), "", "")
            decision = Decision(0, "run", (Reason("new", ""),), "k")
            run.add(StepFailed(0, decision, failure, 0.0, 0.0, 0, (output.artifact,)))
            run.add(RunFinished("failed", 1.0))
    with open_store(folder) as store:
        collected(store)
        held = {bytes(data) for (data,) in store.database.rows("SELECT data FROM blobs")}
        assert held == {b"a", b"refused 1"}


def test_copies_of_web_addresses_stay(old):
    digest = output_of(old, "LARGE copy").artifact.digest
    lost = output_of(old, "LARGE orphan").artifact.digest
    old.memo.put("source-web", "https://…", f"{digest}\netag\n".encode())
    old.commit(now=True)
    collected(old)
    assert digest in set(old.blobs.all())
    assert lost not in set(old.blobs.all())


def test_leftovers_go_for_good_and_folders_that_can_be_laid_out_again(old, folder, tmp_path):
    piece = tmp_path / "piece"
    piece.write_bytes(b"part")
    with old.blobs.sink() as sink:
        part, _ = sink.take(piece)
        sink.write(b"{}")
        digest, size, data = sink.finish()
    output = Made(Artifact("result", "folder", digest, size, (part,)), data)
    old.results.keep(result_of("folder", [output], step="p:folder"), [output])
    old.commit(now=True)
    wanted = folder / "files" / text_digest(b"{}")
    for path in (
        wanted,
        folder / "files" / "0000",
        folder / "files" / ".half",
        folder / "files" / "web" / "00",
    ):
        path.mkdir(parents=True)
        (path / "x").write_bytes(b"xyz")
    (folder / "tmp" / "1-dead").write_bytes(b"x")
    (folder / "quarantine").mkdir()
    (folder / "quarantine" / "bad").write_bytes(b"x")
    (folder / "store.db.format1").write_bytes(b"x")
    shown, again = planned(old)
    assert set(shown.leftovers) == {
        "files/0000", "files/.half", "files/web/00", "tmp/1-dead", "quarantine/bad", "store.db.format1",
    }  # fmt: skip
    assert not planned(old, now=time.time())[0].leftovers  # they are young
    keep = Policy(10, 1.0)
    shown, again = planned(old, keep)
    assert shown.runs == ()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trash, "living", lambda *_: [])
        remove(old, shown, again, now=1.0)
    assert sorted(os.listdir(folder / "files")) == [wanted.name, "web"]
    assert os.listdir(folder / "files" / "web") == []
    assert os.listdir(folder / "tmp") == os.listdir(folder / "quarantine") == []
    assert not (folder / "store.db.format1").exists()


def test_columns_that_were_added_since_go_and_come_back_too(old):
    collected(old, Policy(2, 0.0))
    old.database.write(
        lambda connection: connection.execute("ALTER TABLE results ADD COLUMN later TEXT DEFAULT 'none'")
    )
    old.database.write(lambda connection: connection.execute("UPDATE results SET later = 'set'"))
    collected(old)
    undo(old)
    later = dict(old.database.rows("SELECT key, later FROM results"))
    assert later[result_of("b").key] == later[result_of("c").key] == "set"
    assert later[result_of("a").key] is None  # it had none when it went


# ---------------------------------------------------------------------- beside others


def test_nothing_goes_while_a_run_goes_on_and_the_dead_do_not_count(old, folder):
    shown, again = planned(old)
    with open_store(folder) as other:
        going = recorded(other, ["a"], end=False)
        with pytest.raises(StoreBusy, match="r4") as refused:
            remove(old, shown, again, now=1.0)
        assert refused.value.exit_code == 5
        assert names_there(old) >= {"a", "b", "c"}
        going.add(RunFinished("succeeded", 1.0))
    batch = remove(old, shown, again, now=1.0)
    assert batch.runs == (1, 2)  # as was shown, although r3 is no longer the newest
    assert "a" in names_there(old)  # shown, and since then needed
    old.database.write(lambda c: c.execute("INSERT INTO drivers VALUES (99, 9, 'here', 'x', 1, 'y', 0)"))
    from stepwell.stores.leases import here

    origin = here()
    old.database.write(lambda c: c.execute("UPDATE drivers SET host = ?, boot = 'earlier'", (origin.host,)))
    assert living(old.database) == []


def test_a_run_on_another_host_counts_as_dead_only_after_a_minute_of_silence(old):
    old.database.write(lambda c: c.execute("INSERT INTO drivers VALUES (99, 9, 'far ns', 'x', 1, 'y', 0)"))
    assert living(old.database) == [(9, "far")]
    clock = [0.0]
    old.database.monotonic = lambda: clock[0]

    def beating(seconds):
        clock[0] += seconds
        old.database.write(lambda c: c.execute("UPDATE drivers SET beat = beat + 1"))

    def silent(seconds):
        clock[0] += seconds

    assert fallen_silent(old.database, beating) == set()
    quiet = fallen_silent(old.database, silent)
    assert clock[0] >= 60
    assert living(old.database, quiet) == []
    beating(1)
    assert living(old.database, quiet) == [(9, "far")]


def test_who_had_planned_before_finds_a_result_whole_or_not_at_all(old, folder):
    """The plan is made, gc removes what it would reuse, the run begins: it must not reuse what it remembers."""
    keys = [result_of(name).key for name in ("a", "LARGE 1", "shared")]
    with open_store(folder) as planner:
        planner.prefetch("p")
        assert all(planner.results.result(key) for key in keys)
        for artifact in planner.results.result(keys[0]).outputs:
            assert planner.results.data(artifact) == b"a"
        collected(old)
        run = recorded(planner, ["a", "LARGE 1", "shared"])
        statuses = [step.status for step in planner.runs.steps(run.run)]
        assert statuses == ["succeeded", "succeeded", "cached"]
    with open_store(folder) as store:
        assert verify(store) == []
        assert all(step.result for step in store.runs.steps(run.run))


def test_what_was_needed_since_it_was_shown_stays(old, folder):
    shown, again = planned(old)
    record(folder, "a")
    remove(old, shown, again, now=1.0)
    assert "a" in names_there(old)
    assert "b" not in names_there(old)


def live_on(arguments):
    """Run, collect, undo and empty, again and again; what went wrong, and how much of each was done."""
    folder, number = arguments
    chance = random.Random(number)
    done = {"run": 0, "removed": 0, "undone": 0, "busy": 0}
    until = time.monotonic() + 4
    while time.monotonic() < until:
        with open_store(folder) as store:
            if chance.random() < 0.6:
                names = [f"{'LARGE ' if n % 4 == 0 else ''}{n}" for n in chance.sample(range(24), 6)]
                store.prefetch("p")
                for name in names:  # planning: what is seen here may be gone when the run begins
                    store.results.result(result_of(name).key)
                time.sleep(chance.random() / 50)
                run = recorded(store, names, f"p{number % 2}", end=False)
                store.commit(now=True)
                wrong = lacking(store, names)
                assert not wrong, wrong
                run.add(RunFinished("succeeded", 1.0))
                done["run"] += 1
                continue
            try:
                if chance.random() < 0.2:
                    done["undone"] += len(undo(store))
                elif chance.random() < 0.2:
                    empty(store)
                else:
                    done["removed"] += bool(collected(store, Policy(2, 0.0)).results)
            except StoreBusy:
                done["busy"] += 1
    return done


def test_what_was_shown_and_made_again_stays_with_its_blobs(old, folder):
    """Between showing and removing others remove it, make it again, and have it grow old: it is another result."""
    shown, again = planned(old)
    with open_store(folder) as other:
        collected(other)
    for names in (["a", "LARGE 1"], ["c"], ["c"]):
        record(folder, *names)
    remove(old, shown, again, now=1.0)
    assert verify(old) == []
    with open_store(folder) as store:
        assert not store.results.result(result_of("a").key).lost
        assert store.results.data(store.results.result(result_of("a").key).outputs[0]) == b"a"
        assert all(step.result for step in store.runs.steps("r4"))


def test_a_run_during_which_others_undo_keeps_its_record_of_what_it_reused(old, folder):
    collected(old)
    with open_store(folder) as store:
        run = store.begin(Begun("p", {}, [(name, name, f"p:{name}") for name in ("c", "b")], 0.0))
        for node, name in enumerate(("c", "b")):
            if name == "b":
                assert undo(old)
            found = store.results.result(result_of(name).key)
            run.add(StepReused(node, Decision(node, "cached", (Reason("cached", ""),), found.key), found))
        run.add(RunFinished("succeeded", 1.0))
        found = [step.result.step for step in store.runs.steps(run.run) if step.result]
        assert found == ["p:c", "p:b"]


def lacking(store, names):
    """The steps of a run that is going on whose results, which it made or reused, are not there to the last byte."""
    found = []
    for name in names:
        (artifact,) = store.results.result(result_of(name).key).outputs
        row = store.database.row("SELECT data FROM blobs WHERE digest = ?", (artifact.digest,))
        there = store.blobs.check(artifact.digest) == "" if artifact.size > INLINE else row is not None
        kept = store.database.rows("SELECT 1 FROM results WHERE key = ?", (result_of(name).key,))
        if not (there and kept):
            found.append(name)
    return found


@pytest.mark.slow
def test_four_processes_run_and_collect_at_once(folder):
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        done = pool.map(live_on, [(folder, i) for i in range(4)], chunksize=1)
    assert min(one["run"] for one in done) > 0
    assert sum(one["removed"] for one in done) > 3
    with open_store(folder) as store:
        assert store.database.check(quick=False) == []
        assert verify(store) == []
        for run in store.runs.runs():
            wrong = [step for step in store.runs.steps(run.run) if not step.result or step.result.lost]
            assert not wrong, (run, wrong)
        undo(store)
        assert verify(store) == []


# ---------------------------------------------------------------------- disks


FULL = """
import os, sys, time
from pathlib import Path
from stepwell.errors import DiskFull
from stepwell.stores.collect import *
from stepwell.stores.local import open_store
from stepwell.stores.trash import *
from stepwell.stores.verify import verify
from stepwell.testing.contracts import made, result_of
root = Path(sys.argv[1])
mount("-t", "tmpfs", "-o", "size=12m", "tmpfs", root)
with open_store(root / ".stepwell") as store:
    for i in range(40):
        output = made(bytes([i]) * 30000)
        store.results.keep(result_of(f"k{i}", [output]), [output])
        store.commit(now=True)
store = open_store(root / ".stepwell")
policy = Policy(1, 0.0)
facts = look(store, None, policy, time.time() + 30 * DAY)
going = decide(facts, policy)
assert len(going.results) == 40
filler = os.open(root / "filler", os.O_WRONLY | os.O_CREAT)
try:
    while True:
        os.write(filler, b"x" * 4096)
except OSError:
    os.close(filler)
try:
    remove(store, going, lambda shown: decide(look_at_rows(store, facts._replace(shown=shown), policy), policy), now=1.0)
except DiskFull:
    pass
else:
    sys.exit("there was room")
assert store.database.row("SELECT count(*) FROM results") == (40,)
assert verify(store) == []
os.unlink(root / "filler")
remove(store, going, lambda shown: decide(look_at_rows(store, facts._replace(shown=shown), policy), policy), now=1.0)
assert store.database.row("SELECT count(*) FROM results") == (0,)
empty(store)
before, after = store.database.compact()
assert after < 300_000 < before, (before, after)
assert verify(store) == []
store.close()
"""


def test_on_a_full_disk_all_stays_as_it_was(tmp_path, in_own_mounts):
    in_own_mounts(FULL, tmp_path)


def test_a_store_that_can_only_be_read_can_be_looked_at(old, folder):
    old.close()
    with open_store(folder, readonly=True) as store:
        shown, again = planned(store)
        assert set(shown.runs) == {1, 2}
        with pytest.raises(StoreError, match="cannot be written"):
            remove(store, shown, again, now=1.0)
        assert names_there(store) >= {"a", "b", "c"}


def test_a_store_that_is_not_there_has_nothing_to_give(folder):
    with open_store(folder, create=False, readonly=None) as store:
        assert not planned(store)[0]
    assert not folder.exists()


def test_a_row_that_makes_no_sense_stops_it(old):
    old.database.write(lambda c: c.execute("UPDATE results SET outputs = 'what?' WHERE seq = 1"))
    with pytest.raises(StoreDamaged, match="result 1") as refused:
        planned(old)
    assert "stepwell verify" in refused.value.fixes[0]
