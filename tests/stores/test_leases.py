"""Two runs at once: they share the work, and the dead hold up nobody."""

import os
import signal
import subprocess
import sys
import time

import pytest

from stepwell.stores import leases as module
from stepwell.stores.leases import Origin, born, here, is_alive
from stepwell.stores.local import open_store
from stepwell.stores.record import Facts
from stepwell.testing.contracts import made, result_of

FACTS = Facts("p", {}, [("a", "a", "m:a")], 0.0)


@pytest.fixture
def clocked(folder):
    """Stores whose monotonic clock is ours, and that never sleep."""
    opened = []

    class Clock:
        now = 1000.0

    def make():
        store = open_store(folder)
        store.database.monotonic = lambda: Clock.now
        store.leases._pause = lambda seconds: pauses.append(seconds)
        opened.append(store)
        return store

    pauses = []
    make.clock, make.pauses = Clock, pauses
    yield make
    for store in opened:
        store.close()


def leased(store):
    return dict(store.database.rows("SELECT key, driver FROM leases"))


def writes(store):
    seen = []
    store.database._connection.set_trace_callback(
        lambda sql: seen.append(sql) if sql.startswith("BEGIN") else None
    )
    return seen


def test_a_run_that_is_alone_writes_its_first_claims_only(clocked):
    store = clocked()
    store.begin(FACTS)
    seen = writes(store)
    for i in range(100):
        output = made(b"1")
        result = result_of(f"k{i}", [output])
        assert store.results.claim([result.key]) == [True]
        store.results.keep(result, [output])
    assert len(seen) == 1  # of the first claim
    assert clocked.pauses == []
    store.commit(now=True)
    assert len(seen) == 2
    assert leased(store) == {}


def test_the_first_claims_are_seen_before_their_run_looks_at_anybody(clocked):
    first, second = clocked(), clocked()
    first.begin(FACTS)
    first.results.claim(["a"])
    second.begin(FACTS)
    assert second.results.claim(["a", "b"]) == [False, True]


def test_claims_leave_what_is_buffered_for_the_next_commit(clocked):
    first, second = clocked(), clocked()
    first.begin(FACTS)
    second.begin(FACTS)
    output = made(b"1")
    second.results.keep(result_of("kept", [output]), [output])
    assert second.results.claim(["a"]) == [True]
    assert first.database.rows("SELECT * FROM results") == []
    assert second.database.commit(now=True)
    assert len(first.database.rows("SELECT * FROM results")) == 1


def test_what_takes_long_gets_a_lease_and_what_is_quick_gets_none(clocked):
    store = clocked()
    store.begin(FACTS)
    store.commit()
    store.results.claim(["slow"])
    clocked.clock.now += 0.06
    store.commit()
    store.results.claim(["quick"])
    store.results.release("quick")
    clocked.clock.now += 0.06
    store.commit()
    assert set(leased(store)) == {"slow"}
    seen = writes(store)
    clocked.clock.now += 0.06
    store.commit()
    assert seen == []  # once is enough
    store.results.release("slow")
    store.commit(now=True)
    assert leased(store) == {}


def test_a_run_that_begins_beside_another_waits_a_tick_and_gets_the_rest(clocked):
    first = clocked()
    first.begin(FACTS)
    assert first.results.claim(["a", "b"]) == [True, True]
    second = clocked()
    second.leases._pause = lambda seconds: (clocked.pauses.append(seconds), first.commit())
    clocked.clock.now += 0.06
    second.begin(FACTS)
    assert second.results.claim(["b", "c"]) == [False, True]
    assert clocked.pauses == [module.FIRST_WAIT]
    clocked.clock.now += 0.06
    assert first.results.claim(["c", "d"]) == [False, True]
    assert second.results.claim(["d"]) == [False]


def test_asking_again_for_what_another_has_costs_no_transaction(clocked):
    first, second = clocked(), clocked()
    first.begin(FACTS)
    first.results.claim(["a"])
    second.begin(FACTS)
    first.commit(now=True)
    assert second.results.claim(["a"]) == [False]
    clocked.clock.now += 0.01
    assert second.results.claim(["a"]) == [False]
    seen = writes(second)
    for _ in range(20):
        clocked.clock.now += 0.06
        assert second.results.claim(["a"]) == [False]
    assert seen == []
    first.results.release("a")
    first.commit(now=True)
    clocked.clock.now += 0.06
    assert second.results.claim(["a"]) == [True]


def test_a_claim_on_what_another_run_has_made_costs_no_transaction_and_is_known_at_once(clocked):
    first, second = clocked(), clocked()
    first.begin(FACTS)
    second.begin(FACTS)
    keys = [result_of(f"k{i}").key for i in range(50)]
    assert [second.results.result(key) for key in keys] == [None] * 50
    for i in range(50):
        output = made(b"1")
        first.results.keep(result_of(f"k{i}", [output]), [output])
    first.commit(now=True)
    seen = writes(second)  # its clock stands still: it has not noticed that anybody has written
    assert second.results.claim(keys) == [False] * 50
    assert all(second.results.result(key) is not None for key in keys)
    assert seen == []


def test_a_run_that_waits_writes_results_at_once_and_nothing_else(clocked):
    store = clocked()
    store.begin(FACTS)
    seen = writes(store)
    store.memo.put("kind", "key", "value")
    store.results.commit(waiting=True)
    assert seen == []
    output = made(b"1")
    store.results.keep(result_of("k", [output]), [output])
    store.results.commit()
    assert seen == []
    store.results.commit(waiting=True)
    assert len(seen) == 1


def test_the_death_of_another_run_is_news(clocked):
    store = clocked()
    store.begin(FACTS)
    with store.database.locked():
        store.database.rows("INSERT INTO drivers VALUES (77, 0, 'elsewhere', '', 1, '', 0)")
    store.commit(now=True)
    before = store.results.news()
    clocked.clock.now += 1
    store.commit()
    assert store.results.news() == before
    clocked.clock.now += module.SILENCE
    store.commit()
    assert store.results.news() != before


def test_the_end_of_a_run_gives_everything_up(clocked):
    first, second = clocked(), clocked()
    record = first.begin(FACTS)
    first.results.claim(["a"])
    second.begin(FACTS)
    first.commit(now=True)
    assert second.results.claim(["a"]) == [False]
    record.abandon()
    clocked.clock.now += 0.06
    assert second.results.claim(["a"]) == [True]
    assert len(second.database.rows("SELECT * FROM drivers")) == 1


def claim_and_wait(folder):
    """A process that claims `a` and then does nothing for ever."""
    code = f"""
import sys, time
from pathlib import Path
from stepwell.stores.local import open_store
from stepwell.stores.record import Facts
store = open_store(Path({str(folder)!r}))
store.begin(Facts("p", {{}}, [("a", "a", "m:a")], 0.0))
store.results.claim(["a"])
store.commit(now=True)
print("claimed", flush=True)
time.sleep(60)
"""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, env=environment)
    assert child.stdout.readline() == b"claimed\n"
    return child


def test_the_leases_of_a_killed_run_are_free_at_once(folder):
    child = claim_and_wait(folder)
    with open_store(folder) as store:
        record = store.begin(FACTS)
        assert store.results.claim(["a"]) == [False]
        assert store.runs.run("r1").status == "running"
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
        child.stdout.close()
        assert store.runs.run("r1").status == "interrupted"
        time.sleep(0.06)
        assert store.results.claim(["a"]) == [True]
        assert store.runs.run("r1").status == "interrupted"
        record.abandon()
    with open_store(folder) as store:
        assert [run.status for run in store.runs.runs()] == ["interrupted", "interrupted"]


def test_a_driver_of_another_host_is_dead_when_it_has_been_silent(clocked):
    store = clocked()
    elsewhere = ("another host", "boot", 1, "0")

    def beat(number):
        store.database.write(lambda c: c.execute("UPDATE drivers SET beat = ? WHERE id = 99", (number,)))

    store.database.write(
        lambda c: (
            c.execute(
                "INSERT INTO drivers (id, run, host, boot, pid, born, beat) VALUES (99, 1, ?, ?, ?, ?, 0)",
                elsewhere,
            ),
            c.execute("INSERT INTO leases VALUES ('a', 99)"),
        )
    )
    store.begin(FACTS)
    for number in range(10):  # it beats, whatever its clock says
        clocked.clock.now += module.SILENCE - 1
        beat(number)
        assert store.results.claim(["a"]) == [False]
    clocked.clock.now += module.SILENCE - 1
    assert store.results.claim(["a"]) == [False]
    clocked.clock.now += 2
    assert store.results.claim(["a"]) == [True]


def test_this_run_shows_that_it_lives(clocked):
    store = clocked()
    store.begin(FACTS)

    def beats():
        return store.database.row("SELECT beat FROM drivers")[0]

    for _ in range(100):
        clocked.clock.now += 0.1
        store.commit()
    assert 1 <= beats() <= 3


def test_who_lives_is_told_by_id_and_start_time():
    me = here()
    assert is_alive(me, me) is True
    assert is_alive(me._replace(born="0"), me) is False  # the id was given to another process
    assert is_alive(me._replace(boot="earlier"), me) is False
    assert is_alive(me._replace(host="elsewhere"), me) is None
    child = subprocess.Popen(["true"])
    began = born(child.pid)
    child.wait()
    assert is_alive(Origin(me.host, me.boot, child.pid, began or ""), me) is False


def test_a_dead_process_that_nobody_waited_for_is_dead():
    child = subprocess.Popen(["true"])
    began = born(child.pid)
    deadline = time.monotonic() + 5
    while born(child.pid) is not None and time.monotonic() < deadline:
        time.sleep(0.01)
    assert born(child.pid) is None
    assert began is None or began.isdigit()
    child.wait()


def test_a_name_with_blanks_and_brackets_does_not_confuse(tmp_path):
    odd = tmp_path / "a) R 1 (b"
    odd.write_text("#!/bin/sh\nsleep 5\n")
    odd.chmod(0o755)
    child = subprocess.Popen([str(odd)])
    assert born(child.pid).isdigit()
    child.kill()
    child.wait()
