"""Many processes on one store: no error reaches anybody, nothing is lost, work is shared."""

import multiprocessing
import random
import time

import pytest

from stepwell.kernel.events import RunFinished, StepFinished, StepReused
from stepwell.kernel.plan import Decision, Reason
from stepwell.kernel.ports import Said
from stepwell.stores.blobs import INLINE
from stepwell.stores.database import connect
from stepwell.stores.local import LocalStore, open_store
from stepwell.stores.record import Facts
from stepwell.stores.verify import verify
from stepwell.testing.contracts import made, result_of

PROCESSES = 8
SECONDS = 2


def hammer(arguments):
    """Open, run, look, verify, close, again and again; how many results this process made."""
    folder, number, kind = arguments
    chance = random.Random(number)
    until = time.monotonic() + SECONDS
    count = 0
    while time.monotonic() < until:
        store = LocalStore(folder, connect(folder, kind=kind))
        with store:
            record = store.begin(Facts("p", {}, [(f"s{i}", "s", "p:s") for i in range(40)], 0.0))
            for i in range(chance.randrange(5, 40)):
                name = f"{number}-{count}" if chance.random() < 0.7 else f"common-{chance.randrange(20)}"
                data = name.encode() * (INLINE if chance.random() < 0.05 else 1)
                output = made(data)
                result = result_of(name, [output], run=record.run)
                found = store.results.result(result.key)
                if found is not None:
                    record.add(StepReused(i, Decision(i, "cached", (Reason("cached", ""),)), found))
                elif store.results.claim([result.key])[0]:
                    store.results.keep(result, [output])
                    record.add(StepFinished(i, Decision(i, "run", (Reason("new", ""),)), result))
                    count += 1
                record.add(Said(i, "stdout", "x" * chance.randrange(200)))
                store.commit(now=chance.random() < 0.2)
            if chance.random() < 0.3:
                store.runs.runs(5)
            record.add(RunFinished("succeeded", 0.0))
    with open_store(folder, readonly=True) as store:
        store.runs.runs(3)
    return count


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["ext4", "nfs4"])
def test_eight_processes_hammer_one_store(folder, kind):
    with multiprocessing.get_context("spawn").Pool(PROCESSES) as pool:
        counts = pool.map(hammer, [(folder, i, kind) for i in range(PROCESSES)], chunksize=1)
    assert min(counts) > 0
    with open_store(folder) as store:
        assert store.database.check(quick=False) == []
        assert verify(store) == []
        assert store.database.row("SELECT count(*) FROM results") == (sum(counts),)
        runs = store.runs.runs()
        assert [run.run for run in runs] == [f"r{i}" for i in range(len(runs), 0, -1)]
        assert {run.status for run in runs} == {"succeeded"}
        for run in runs[:10]:
            assert all(
                step.result for step in store.runs.steps(run.run) if step.status in ("succeeded", "cached")
            )
        assert (
            store.database.rows("SELECT * FROM drivers") == store.database.rows("SELECT * FROM leases") == []
        )


def share(folder):
    """A run of 30 steps of 20 ms; the names of those that this process computed itself."""
    computed = []
    with open_store(folder) as store:
        record = store.begin(Facts("p", {}, [("s", "s", "p:s")], 0.0))
        waiting = list(range(30))
        until = time.monotonic() + 60
        while waiting and time.monotonic() < until:
            later = []
            for i in waiting:
                key = result_of(f"step {i}").key
                if store.results.result(key) is not None:
                    continue
                if store.results.claim([key])[0]:
                    time.sleep(0.02)
                    output = made(b"%d" % i)
                    store.results.keep(result_of(f"step {i}", [output]), [output])
                    computed.append(i)
                else:
                    later.append(i)
                store.commit()
            waiting = later
            store.commit(now=True)
            time.sleep(0.01)
        record.add(RunFinished("succeeded", 0.0))
    return computed


def test_two_runs_that_begin_at_once_do_the_work_once(folder):
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        one, two = pool.map(share, [folder, folder], chunksize=1)
    assert sorted({*one, *two}) == list(range(30))
    assert len(one) + len(two) <= 33  # the first ones may be done twice, before the two have seen each other
