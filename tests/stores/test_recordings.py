"""What steps record is kept with their results: seen live, shown by whoever reuses them, and gone when they are."""

import math
import time
from array import array

import pytest

from stepwell.errors import StoreDamaged
from stepwell.kernel.events import RunFinished, StepFailed, StepFinished, StepReused, StepStarted
from stepwell.kernel.plan import Decision, Reason
from stepwell.kernel.ports import Failure, Logged, Recorded
from stepwell.stores import recordings
from stepwell.stores.blobs import INLINE
from stepwell.stores.collect import Policy, decide, look, look_at_rows
from stepwell.stores.curves import Span, pack
from stepwell.stores.local import open_store
from stepwell.stores.record import Facts
from stepwell.stores.recordings import Thing
from stepwell.stores.trash import remove, undo
from stepwell.stores.verify import verify
from stepwell.testing.contracts import made, result_of

NEW = (Reason("new", "no earlier result"),)
FACTS = Facts(
    "p", {}, [("train", "train", "p:train"), ("score", "score", "p:score"), ("twin", "train", "p:train")], 0.0
)


def decision(node, key, verb="run"):
    return Decision(node, verb, NEW, key)


def finish(store, record, node, key, **fields):
    """A step that succeeded."""
    output = made(key.encode())
    result = result_of(key, [output], step=FACTS.nodes[node][2], run=record.run, **fields)
    store.results.keep(result, [output])
    record.add(StepFinished(node, decision(node, result.key), result))
    return result


def reuse(record, node, result):
    record.add(StepReused(node, decision(node, result.key, "cached"), result))


def end(record):
    record.add(RunFinished("succeeded", 1.0))


def series(node, name, values, first=0):
    steps = array("q", range(first, first + len(values)))
    packed = pack(steps, array("d", values), [Span(len(values), 1.0, 2.0)])
    return Logged(node, name, values[-1], steps[-1], packed)


def figure(node, name="curve", data=b"\x89PNG", step=None):
    artifact, data = made(data, name, "png")
    return Recorded(node, Thing("figure", name, step, "", artifact, data))


def tag(node, name, text=""):
    return Recorded(node, Thing("tag", name, None, text))


def names(store, run):
    return [(row.node, row.kind, row.name) for row in store.runs.recorded(run)]


def test_what_a_step_records_is_seen_while_it_runs_by_others_too(folder, store):
    record = store.begin(FACTS)
    record.add(StepStarted(0, 1))
    record.add(Logged(0, "auc", 0.5))
    record.add(series(0, "loss", [3.0, 2.0]))
    record.add(figure(0))
    record.add(tag(0, "baseline"))
    record.add(Recorded(0, Thing("progress", "", None, '[3,10,"epoch 3"]')))
    store.commit(now=True)
    with open_store(folder, readonly=True) as reader:
        row = reader.runs.run()
        assert (row.metrics, row.tags) == ({"auc": 0.5, "loss": 2.0}, ("baseline",))
        assert reader.runs.steps("r1")[0].metrics == {"auc": 0.5, "loss": 2.0}
        assert reader.runs.progress_of("r1") == {0: (3, 10, "epoch 3")}
        assert names(reader, "r1") == [(0, "figure", "curve"), (0, "tag", "baseline")]
        assert reader.runs.curve_names("r1") == [(0, "loss", 2, 2.0)]
        record.add(series(0, "loss", [1.0], 2))
        store.commit(now=True)
        (curve,) = reader.runs.curves("r1")
        assert (curve.values.tolist(), curve.steps.tolist(), curve.times.tolist()) == (
            [3, 2, 1],
            [0, 1, 2],
            [1, 2, 1],
        )
        finish(store, record, 0, "k")
        end(record)
        assert reader.runs.progress_of("r1") == {}


def test_who_reuses_a_result_shows_what_was_recorded_with_it(store):
    first = store.begin(FACTS)
    first.add(series(0, "loss", [2.0, 1.0]))
    first.add(figure(0))
    first.add(tag(0, "data", "v2"))
    result = finish(store, first, 0, "k", metrics=(("loss", 1.0),))
    reuse(first, 2, result)
    end(first)
    second = store.begin(FACTS)
    reuse(second, 0, result)
    finish(store, second, 1, "other")
    end(second)
    assert store.runs.run("r1").tags == store.runs.run("r2").tags == ("data=v2",)
    assert names(store, "r2") == [(0, "figure", "curve"), (0, "tag", "data")]
    assert [(row.node, row.kind) for row in store.runs.recorded("r1")] == [
        (0, "figure"), (0, "tag"), (2, "figure"), (2, "tag"),
    ]  # fmt: skip
    assert [(curve.node, curve.values.tolist()) for curve in store.runs.curves("r2")] == [(0, [2.0, 1.0])]
    assert [curve.node for curve in store.runs.curves("r1")] == [0, 2]
    assert [curve.node for curve in store.runs.curves("r1", node=2)] == [2]
    assert store.runs.curves("r1", names=["other"]) == []
    artifact = store.runs.recorded("r2")[0].artifact
    assert store.results.data(artifact) == b"\x89PNG"


def test_only_the_attempt_that_counts_is_kept(store):
    record = store.begin(FACTS)
    record.add(StepStarted(0, 1))
    record.add(series(0, "loss", [9.0, 8.0]))
    record.add(figure(0, "first"))
    record.add(tag(0, "first"))
    store.commit(now=True)
    record.add(StepStarted(0, 2))
    record.add(series(0, "loss", [1.0]))
    record.add(tag(0, "second"))
    finish(store, record, 0, "k", metrics=(("loss", 1.0),))
    end(record)
    assert names(store, "r1") == [(0, "tag", "second")]
    assert store.runs.run("r1").tags == ("second",)
    assert [curve.values.tolist() for curve in store.runs.curves("r1")] == [[1.0]]


def test_an_attempt_that_recorded_nothing_leaves_nothing_of_the_one_before(store):
    record = store.begin(FACTS)
    record.add(StepStarted(0, 1))
    record.add(series(0, "loss", [9.0, 8.0]))
    store.commit(now=True)
    record.add(StepStarted(0, 2))
    finish(store, record, 0, "k")
    end(record)
    assert store.runs.curves("r1") == []
    assert store.database.rows("SELECT count(*) FROM curves") == [(0,)]


def test_what_comes_later_under_one_name_replaces_what_was_there(store):
    record = store.begin(FACTS)
    record.add(figure(0, data=b"one"))
    store.commit(now=True)
    for place in (1, 2):
        record.add(figure(0, data=b"at %d" % place, step=place))
    record.add(figure(0, data=b"two"))
    record.add(Logged(0, "auc", 0.5))
    record.add(Logged(0, "auc", math.nan))
    finish(store, record, 0, "k")
    end(record)
    rows = store.runs.recorded("r1")
    assert [(row.step, store.results.data(row.artifact)) for row in rows] == [
        (None, b"two"),
        (1, b"at 1"),
        (2, b"at 2"),
    ]
    assert store.runs.curve_names("r1") == []
    assert [value for _, _, value in recordings.Read(store.database).own(1) if value == value] == []


def test_a_failed_step_shows_what_it_recorded_and_does_not_tag_the_run(store):
    record = store.begin(FACTS)
    record.add(StepStarted(0, 1))
    record.add(series(0, "loss", [1.0, math.inf]))
    record.add(figure(0))
    record.add(tag(0, "baseline"))
    record.add(StepFailed(0, decision(0, "k"), Failure("E401", "no")))
    record.add(RunFinished("failed", 1.0))
    assert names(store, "r1") == [(0, "figure", "curve"), (0, "tag", "baseline")]
    assert store.runs.run("r1").tags == ()
    assert store.runs.steps("r1")[0].metrics == {"loss": math.inf}
    assert store.runs.progress_of("r1") == {}


def test_many_numbers_are_few_rows_of_eight_bytes_each(store):
    record = store.begin(FACTS)
    part = array("d", range(1000))
    for first in range(0, 200_000, 1000):
        steps = array("q", range(first, first + 1000))
        record.add(Logged(0, "loss", 1.0, first + 999, pack(steps, part, [Span(1000, 1, 2)])))
    for at in range(3000):
        record.add(Logged(0, "slow", float(at), at))
        if at % 10 == 0:
            store.commit(now=True)
    finish(store, record, 0, "k")
    end(record)
    assert [(name, count) for _, name, count, _ in store.runs.curve_names("r1")] == [
        ("loss", 200_000),
        ("slow", 3000),
    ]
    (slow,) = store.runs.curves("r1", ["slow"])
    assert slow.values.tolist() == slow.steps.tolist() == list(range(3000))
    (rows,) = store.database.rows("SELECT count(*), sum(length(data)) FROM curves")
    assert rows[0] < 10
    assert rows[1] < 8 * 203_000 + 20 * 3200 + 1000  # the slow ones have times of their own


def test_a_run_that_an_older_stepwell_recorded_has_its_curves(store):
    record = store.begin(FACTS)
    finish(store, record, 0, "k")
    end(record)
    rows = [(1, 0, 1, 5.0, "loss", 0.5, 1), (1, 0, 2, 6.0, "loss", None, 2), (1, 0, 3, 7.0, "auc", 0.9, None)]
    store.database.write(
        lambda c: c.executemany("INSERT INTO points VALUES (?, ?, ?, ?, ?, ?, ?)", rows) and None
    )
    (curve,) = store.runs.curves("r1")
    assert str(curve.values.tolist()) == "[0.5, nan]"
    assert [name for _, name, _, _ in store.runs.curve_names("r1")] == ["loss"]


# ---------------------------------------------------------------------- what goes, and what is damaged


def collected(store):
    policy = Policy(1, 0.0)
    facts = look(store, None, policy, time.time() + 1e8)
    return remove(
        store, decide(facts, policy), lambda shown: decide(look_at_rows(store, facts._replace(shown=shown), policy)),
        now=1.0,
    )  # fmt: skip


@pytest.fixture
def three(store):
    """A run that made a result with recordings, one that reuses it, one that has nothing of it."""
    large = b"L" * (INLINE + 1)
    with store.blobs.sink() as sink:
        sink.write(large)
        sink.finish()
    first = store.begin(FACTS._replace(wiring='{"edges":[[],[0],[]]}'))
    first.changed("diff --git")
    first.add(series(0, "loss", [2.0, 1.0]))
    first.add(figure(0, "small"))
    first.add(figure(0, "large", large))
    first.add(tag(0, "baseline"))
    result = finish(store, first, 0, "k")
    end(first)
    second = store.begin(FACTS)
    reuse(second, 0, result)
    end(second)
    return store


def test_what_was_recorded_stays_as_long_as_the_result(three):
    batch = collected(three)
    assert batch.runs == (1,)
    assert names(three, "r2") == [(0, "figure", "small"), (0, "figure", "large"), (0, "tag", "baseline")]
    assert [len(curve.values) for curve in three.runs.curves("r2")] == [2]
    assert verify(three) == []
    last = three.begin(FACTS)
    finish(three, last, 0, "other")
    end(last)
    assert collected(three).runs == (2,)
    assert list(three.blobs.all()) == []
    for table in ("recordings", "curves", "recorded"):
        assert three.database.rows(f"SELECT count(*) FROM {table}") == [(0,)]
    undo(three)
    assert verify(three) == []
    assert (
        names(three, "r1")
        == names(three, "r2")
        == [(0, "figure", "small"), (0, "figure", "large"), (0, "tag", "baseline")]
    )
    assert three.runs.about("r1").diff == "diff --git"
    assert three.runs.about("r1").edges == ((), (0,), ())


def test_texts_that_a_run_is_linked_to_stay_with_it(three):
    last = three.begin(FACTS._replace(wiring='{"edges":[[],[],[1]]}', about={"python": "3.11"}))
    last.changed("diff of r3")
    finish(three, last, 0, "other")
    end(last)
    collected(three)
    about = three.runs.about("r3")
    assert (about.edges, about.python, about.diff) == (((), (), (1,)), "3.11", "diff of r3")


def test_what_a_failed_step_recorded_goes_with_its_run(store):
    record = store.begin(FACTS)
    record.add(figure(0))
    record.add(StepFailed(0, decision(0, "k"), Failure("E401", "no")))
    record.add(RunFinished("failed", 1.0))
    for word in ("a", "b"):
        other = store.begin(FACTS)
        finish(store, other, 0, word)
        end(other)
    digest = store.runs.recorded("r1")[0].artifact.digest
    assert store.database.rows("SELECT count(*) FROM blobs WHERE digest = ?", (digest,)) == [(1,)]
    assert set(collected(store).runs) == {1, 2}
    assert store.database.rows("SELECT count(*) FROM blobs WHERE digest = ?", (digest,)) == [(0,)]
    assert store.database.rows("SELECT count(*) FROM recordings") == [(0,)]


def test_a_figure_that_is_missing_loses_no_result(three):
    path = next(three.blobs.path(digest) for digest in three.blobs.all())
    path.unlink()
    three.database.write(
        lambda connection: connection.execute("DELETE FROM blobs WHERE length(data) = 4") and None
    )
    found = verify(three)
    assert [(one.kind, one.steps) for one in found] == [("missing", ("p:train",))] * 2
    assert "not shown any more" in found[0].next
    assert not three.runs.steps("r2")[0].result.lost


def test_rows_that_make_no_sense_are_told(three):
    three.database.write(
        lambda connection: connection.execute("UPDATE curves SET data = x'00ff' WHERE part = 0") and None
    )
    with pytest.raises(StoreDamaged):
        three.runs.curves("r2")
    three.database.write(
        lambda connection: connection.execute("UPDATE recorded SET artifact = 'no' WHERE seq = 0") and None
    )
    with pytest.raises(StoreDamaged):
        three.runs.recorded("r2")


def test_single_numbers_are_in_the_result_and_need_no_rows(store):
    record = store.begin(FACTS)
    record.add(StepStarted(0, 1))
    record.add(Logged(0, "auc", 0.5))
    finish(store, record, 0, "k", metrics=(("auc", 0.5),))
    record.add(Logged(1, "rows", 3.0))
    store.commit(now=True)
    assert store.runs.run("r1").metrics == {"auc": 0.5, "rows": 3.0}
    finish(store, record, 1, "other", metrics=(("rows", 3.0),))
    end(record)
    assert store.runs.run("r1").metrics == {"auc": 0.5, "rows": 3.0}
    assert store.database.rows("SELECT id % 16777216 FROM recordings") == [(1,)]
