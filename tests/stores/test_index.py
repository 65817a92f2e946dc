"""Indexes that are written late: what has no entry yet is found, by everybody, and what has one is found by it."""

import sqlite3

import pytest

from stepwell.kernel.events import RunFinished
from stepwell.stores import results as module
from stepwell.stores import schema
from stepwell.stores.index import BY_KEY, FEW, Late, renew, settle
from stepwell.stores.local import open_store
from stepwell.stores.record import Facts
from stepwell.testing.contracts import made, result_of

FACTS = Facts("p", {}, [("a", "a", "m:a")], 0.0)


def keep(store, name, data=b"1", **fields):
    output = made(data)
    result = result_of(name, [output], inputs=(("name", name),), **fields)
    store.results.keep(result, [output])
    store.commit(now=True)
    return result


def entries(store):
    names = ("results_by_key", "results_by_site", "blobs_by_digest")
    return [store.database.row(f"SELECT count(*) FROM {name}")[0] for name in names]


def found(store, result):
    data = [store.results.data(artifact) for artifact in result.outputs]
    return store.results.result(result.key), store.results.at_site(result.site), data


@pytest.mark.parametrize("how", ["late", "settled", "renewed", "half"])
def test_a_result_is_found_wherever_its_entries_are(folder, store, how):
    kept = [keep(store, f"k{i}", b"%d" % i) for i in range(5)]
    if how != "late":
        store.database.write(settle)
    if how == "renewed":
        store.database.write(renew)
    if how == "half":
        kept += [keep(store, f"more{i}", b"more %d" % i) for i in range(5)]
    assert entries(store) == ([0, 0, 0] if how == "late" else [5, 5, 5])
    with open_store(folder) as other:
        for i, result in enumerate(kept):
            assert found(other, result) == (result, result, [b"%d" % i if i < 5 else b"more %d" % (i - 5)])
        assert other.results.result("absent") is None


def test_of_several_the_newest_counts_whether_it_has_an_entry_or_not(folder, store):
    keep(store, "k", b"old", run="r1")
    store.database.write(settle)
    newer = keep(store, "k", b"new", run="r2")
    with open_store(folder) as other:
        assert other.results.result(newer.key) == newer
        assert other.results.at_site(newer.site) == newer
        assert [result.run for result in other.results.results(newer.key)] == ["r2", "r1"]
    store.database.write(settle)
    with open_store(folder) as other:
        assert other.results.result(newer.key) == newer
        assert [result.run for result in other.results.results(newer.key)] == ["r2", "r1"]


def test_the_end_of_a_run_makes_the_entries(store):
    record = store.begin(FACTS)
    keep(store, "k")
    assert entries(store) == [0, 0, 0]
    record.add(RunFinished("succeeded", 0.0))
    assert entries(store) == [1, 1, 1]


def test_many_rows_get_their_entries_during_a_run(store, monkeypatch):
    monkeypatch.setattr(module, "LATE", 3)
    store.begin(FACTS)
    counts = []
    for i in range(5):
        keep(store, f"k{i}", b"%d" % i)
        counts.append(entries(store)[0])
    assert counts == [0, 0, 3, 3, 3]


def test_what_another_process_wrote_a_moment_ago_is_not_taken_for_lost(folder, store):
    """Its rows have no entries, and nobody here has looked since."""
    keep(store, "before")
    with open_store(folder) as other:
        other.database.monotonic = lambda: 1000.0  # so that it does not ask whether others have written
        assert found(other, keep(store, "before"))[2] == [b"1"]
        result = keep(store, "k", b"just written")
        assert other.results.data(result.outputs[0]) == b"just written"
        assert other.database.rows("SELECT * FROM gone") == []


def test_what_a_run_that_has_gone_left_is_not_computed_again(folder):
    clock = [1000.0]
    with open_store(folder) as first, open_store(folder) as second:
        for store in (first, second):
            store.database.monotonic = lambda: clock[0]
            store.leases._pause = lambda _: None
        record = first.begin(FACTS)
        second.begin(FACTS)
        key = result_of("k", [made(b"1")]).key
        assert first.results.claim([key]) == [True]
        first.commit(now=True)
        assert second.results.result(key) is None
        assert second.results.claim([key]) == [False]
        keep(first, "k")
        record.add(RunFinished("succeeded", 0.0))
        clock[0] += 1.0
        second.commit(now=True)  # the first one is gone by now
        assert second.results.claim([key, "new"]) == [False, True]
        assert second.results.result(key) is not None


def test_small_blobs_that_are_there_are_not_written_again(folder, store):
    record = store.begin(FACTS)
    keep(store, "k", b"same")
    record.add(RunFinished("succeeded", 0.0))
    with open_store(folder) as other:
        keep(other, "another", b"same")
        assert other.database.row("SELECT count(*) FROM blobs") == (1,)
        other.database.write(lambda c: c.execute("UPDATE blobs SET data = ?", (b"sane",)))
    with open_store(folder) as third:  # nobody has noticed that it is damaged
        result = keep(third, "third", b"same")
    with open_store(folder) as fourth:
        assert fourth.results.data(result.outputs[0]) == b"same"


def test_a_store_from_before_keeps_its_results(folder, monkeypatch):
    place = next(i for i, script in enumerate(schema.MIGRATIONS) if "CREATE TABLE settled" in script)
    with monkeypatch.context() as patch:
        patch.setattr(schema, "MIGRATIONS", schema.MIGRATIONS[:place])
        patch.setattr(schema, "VERSION", place)
        open_store(folder).close()
    output = made(b"from before")
    result = result_of("k", [output])
    with sqlite3.connect(folder / "store.db") as old:
        old.execute("INSERT INTO blobs (digest, data) VALUES (?, ?)", (output.artifact.digest, output.data))
        old.execute(
            "INSERT INTO identities VALUES (1, ?, ?, ?, '')", (result.step, result.code, result.environment)
        )
        old.execute(
            "INSERT INTO results (seq, identity, key, site, inputs, outputs, run, seconds, cpu, memory, metrics)"
            " VALUES (1, 1, ?, ?, '', ?, 'r1', 0, 0, 0, '')",
            (result.key, result.site, module.pack_outputs(result.outputs)),
        )
        old.execute("UPDATE counters SET value = 1 WHERE name = 'result'")
    old.close()
    with open_store(folder) as store:
        assert store.results.result(result.key).outputs == result.outputs
        assert store.results.at_site(result.site).key == result.key
        assert store.results.data(output.artifact) == b"from before"
        newer = keep(store, "more", b"more")
        assert store.database.rows("SELECT id, digest FROM blobs ORDER BY id")[1] == (
            2,
            newer.outputs[0].digest,
        )


def test_what_is_there_is_found_after_many_names_that_are_not(folder, store):
    """From some number of misses on, what all entries hold is known here, and the others are not asked for."""
    kept = [keep(store, f"k{i}", b"%d" % i) for i in range(3)]
    store.database.write(settle)
    late = Late(store.database, BY_KEY)
    asked = []

    def is_entered(name):
        late.rows(name)
        return late.may_be_entered(name)

    for i in range(FEW + 4):
        asked += [name for name in (f"b3:absent {i}",) if is_entered(name)]
        late.miss(f"b3:absent {i}")
    assert 0 < len(asked) <= FEW + 1, "the others were known without a query"
    assert all(is_entered(result.key) for result in kept)
    with open_store(folder) as other:
        later = keep(other, "later")
        other.database.write(settle)
    late.moved()
    assert is_entered(later.key)
    assert all(is_entered(result.key) for result in kept)


def test_entries_that_lead_nowhere_are_each_tried_once(store, monkeypatch):
    """What was taken away keeps its entries until the next `renew`; all entries are read once, and not for each of these."""
    gone = [keep(store, f"k{i}", b"%d" % i) for i in range(3 * FEW)]
    store.database.write(settle)
    store.database.write(lambda connection: connection.execute("DELETE FROM results"))
    late, statements = Late(store.database, BY_KEY), []
    rows = store.database.rows
    monkeypatch.setattr(
        store.database, "rows", lambda sql, *rest: (statements.append(sql), rows(sql, *rest))[1]
    )
    for _ in range(2):
        tried = 0
        for result in gone:
            late.rows(result.key)
            if late.may_be_entered(result.key):
                tried += 1
                late.miss(result.key)
        read = [sql for sql in statements if sql.startswith("SELECT name FROM")]
    assert (len(read), tried) == (1, 0)
