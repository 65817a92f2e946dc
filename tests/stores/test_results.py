"""Results beyond the contract: files that vanish, queries that are not asked, what explains a code."""

import os
from itertools import count

import pytest

from stepwell.errors import ArtifactGone
from stepwell.kernel.ports import Artifact, Made
from stepwell.stores.blobs import INLINE
from stepwell.stores.index import settle
from stepwell.stores.local import open_store
from stepwell.stores.record import Facts
from stepwell.stores.rows import pack_outputs, pack_pairs, unpack_outputs, unpack_pairs
from stepwell.testing.contracts import made, result_of

WANTED = (("name", "wanted"),)


def keep(store, key, *outputs, **fields):
    result = result_of(key, outputs, **fields)
    store.results.keep(result, outputs)
    store.commit(now=True)
    return result


def queries(store):
    """The statements that a store runs from now on."""
    seen = []
    store.database._connection.set_trace_callback(
        lambda sql: seen.append(sql) if "data_version" not in sql else None
    )
    return seen


# ---------------------------------------------------------------------- large blobs


@pytest.mark.parametrize("damage", ["deleted", "truncated", "flipped"])
def test_a_result_whose_file_is_not_what_it_was_is_lost(folder, store, large, damage):
    output = large(store, os.urandom(INLINE * 2))
    result = keep(store, "k", output)
    path = store.blobs.path(output.artifact.digest)
    if damage == "deleted":
        path.unlink()
    elif damage == "truncated":
        os.truncate(path, 10)
    else:
        with open(os.open(path, os.O_WRONLY), "wb") as file:
            file.write(b"!")
    with open_store(folder) as other:
        for view in (store, other, other):
            lost = view.results.result(result.key)
            assert ("gone" if damage == "deleted" else "damaged") in lost.lost or "gone" in lost.lost
            assert lost._replace(lost="") == result
        assert other.results.at_site(result.site) == result  # what a miss is compared with, usable or not
        assert other.results.data(output.artifact) is None


def test_another_run_heals_a_lost_result(folder, store, large):
    output = large(store, b"a" * INLINE * 2)
    result = keep(store, "k", output)
    store.blobs.path(output.artifact.digest).unlink()
    assert store.results.result(result.key).lost
    with open_store(folder) as other:
        again = large(other, b"b" * INLINE * 2)
        newer = keep(other, "k", again, run="r2")
    assert store.results.result(result.key) == newer


def test_a_missing_part_makes_a_result_lost(store, tmp_path):
    piece = tmp_path / "piece"
    piece.write_bytes(b"part")
    with store.blobs.sink() as sink:
        part, _ = sink.take(piece)
        sink.write(b"index")
        digest, size, data = sink.finish()
    output = Made(Artifact("result", "folder", digest, size, (part,), "1 file"), data)
    result = keep(store, "k", output)
    assert store.results.result(result.key) == result
    assert store.results.data(output.artifact) == b"index"
    store.blobs.path(part).unlink()
    assert "gone" in store.results.result(result.key).lost


def test_a_large_blob_must_be_in_place_before_its_result_is_kept(store):
    absent = Made(Artifact("result", "bytes", "b3:" + "0" * 64, INLINE + 1), None)
    with pytest.raises(ArtifactGone):
        store.results.keep(result_of("k", [absent]), [absent])
    store.commit(now=True)
    assert store.results.result(result_of("k").key) is None


def test_bytes_go_where_their_size_says_whoever_made_them(folder, store, large, tmp_path):
    small_file = tmp_path / "small"
    small_file.write_bytes(b"few")
    digest, size = store.blobs.take(small_file)
    small = Made(Artifact("0", "bytes", digest, size), None)
    big = made(b"x" * (INLINE + 1), name="1")
    keep(store, "k", small, big)
    with open_store(folder) as other:
        assert other.results.data(small.artifact) == b"few"
        assert other.results.data(big.artifact) is None
        assert other.blobs.open(big.artifact.digest).data == big.data


def test_damaged_bytes_in_the_database_are_never_returned(folder, store):
    output = made(b"precious")
    result = keep(store, "k", output)
    keep(store, "same", output)
    store.database.write(lambda c: c.execute("UPDATE blobs SET data = ?", (b"precioua",)))
    with open_store(folder) as other:
        with pytest.raises(ArtifactGone, match="damaged"):
            other.results.data(output.artifact)
        assert "damaged" in other.results.result(result.key).lost
        other.commit(now=True)
    with open_store(folder) as third:
        assert "damaged" in third.results.result(result.key).lost
        third.results.keep(result, [output])
        third.commit(now=True)
    with open_store(folder) as fourth:
        assert fourth.results.result(result_of("same").key).lost == ""
        assert fourth.results.data(output.artifact) == b"precious"


# ---------------------------------------------------------------------- what is not asked


def test_a_new_store_is_never_asked(store):
    result = keep(store, "k", made(b"1"))
    seen = queries(store)
    for i in range(100):
        assert store.results.result(f"{i}") is None
        assert store.results.at_site(f"{i}") is None
        assert list(store.results.recent(f"{i}")) == []
    assert store.results.result(result.key) == result
    assert store.results.data(result.outputs[0]) == b"1"
    assert seen == []


def test_after_prefetch_nothing_of_the_last_run_is_asked(folder, store):
    kept = [keep(store, f"k{i}", made(b"%d" % i), inputs=(("i", str(i)),), step=f"m:s{i}") for i in range(50)]
    with open_store(folder) as other:
        other.results.prefetch(range(1, 51))
        seen = queries(other)
        assert [other.results.result(result.key) for result in kept] == kept
        assert [other.results.at_site(result.site) for result in kept] == kept
        assert seen == []


def test_a_miss_is_asked_once_while_nobody_else_writes(folder, store):
    keep(store, "k")
    store.database.write(settle)
    with open_store(folder) as other:
        assert other.results.result("absent") is other.results.at_site("absent") is None
        seen = queries(other)
        for _ in range(5):
            assert other.results.result("absent") is other.results.at_site("absent") is None
        assert not seen


def test_a_miss_is_not_asked_again_when_others_write_and_becomes_a_hit(folder, store):
    """Two runs on one store see each other write all the time: only what is new is read."""
    keep(store, "k")
    store.database.write(settle)
    wanted = result_of("wanted", [made(b"1")], inputs=WANTED)
    with open_store(folder) as other:
        other.database.monotonic = count(1000.0).__next__  # it asks each time whether others have written
        assert other.results.result(wanted.key) is None
        assert other.results.at_site(wanted.site) is None
        seen = queries(other)
        for i in range(5):
            keep(store, f"k{i}")
            assert other.results.result(wanted.key) is None
            assert other.results.at_site(wanted.site) is None
        assert not [sql for sql in seen if "results_by_" in sql]
        keep(store, "wanted", made(b"1"), inputs=WANTED)
        assert other.results.result(wanted.key) == other.results.at_site(wanted.site) == wanted


def test_a_miss_is_a_hit_when_it_got_its_entry_before_anybody_looked(folder, store):
    keep(store, "k")
    store.database.write(settle)
    wanted = result_of("wanted", [made(b"1")], inputs=WANTED)
    with open_store(folder) as other:
        other.database.monotonic = count(1000.0).__next__
        assert other.results.result(wanted.key) is None
        keep(store, "wanted", made(b"1"), inputs=WANTED)
        store.database.write(settle)
        assert other.results.result(wanted.key) == wanted


def test_what_several_results_take_is_one_text(folder, store):
    token = "json:b3:" + "0" * 64
    for i in range(2):
        keep(store, f"k{i}", inputs=((f"input{i}", token),), run="r1")
    with open_store(folder) as other:
        first, second = other.results.by_number([1, 2]).values()
        assert first.inputs[0][1] == token
        assert first.inputs[0][1] is second.inputs[0][1]
        assert first.run is second.run


def test_explanations_rest_on_what_was_before_the_run(store):
    before = keep(store, "before", made(b"1"))
    record = store.begin(Facts("p", {}, [("a", "a", "m:a")], 0.0))
    keep(store, "during", made(b"2"))
    assert list(store.results.recent(before.step)) == [before]
    record.abandon()


def test_few_bytes_are_kept_in_memory(folder, store, monkeypatch):
    monkeypatch.setattr("stepwell.stores.results.HELD", 3000)
    outputs = [made(bytes([i]) * 1000) for i in range(20)]
    for i, output in enumerate(outputs):
        keep(store, f"k{i}", output)
    assert sum(map(len, store.results._held.values())) <= 3000
    assert [store.results.data(output.artifact) for output in outputs] == [output.data for output in outputs]


# ---------------------------------------------------------------------- identities


def test_codes_and_environments_are_explained(folder, store):
    sources = {
        "d1": ("pipeline.train", "def train(): ...", "pipeline.py", 12),
        "d2": ("helpers.fit", "def fit():\n  'é'", "helpers.py", 3),
    }
    store.results.add_identity(
        "code1", {"pipeline.train": "d1", "helpers.fit": "d2"}, sources, "env1", {"numpy": "2.1"}
    )
    assert store.results.parts("code1") == {"pipeline.train": "d1", "helpers.fit": "d2"}
    assert store.results.definition("d2") == "def fit():\n  'é'"
    store.commit(now=True)
    with open_store(folder, readonly=True) as other:
        assert other.results.parts("code1") == {"pipeline.train": "d1", "helpers.fit": "d2"}
        assert other.results.parts("env1") == {"numpy": "2.1"}
        assert other.results.definition("d1") == "def train(): ..."
        assert other.results.definition("d3") is None
    with open_store(folder) as other:
        other.results.add_identity(
            "code1", {"pipeline.train": "d1", "helpers.fit": "d2"}, sources, "env1", {"numpy": "2.1"}
        )
        seen = queries(other)
        other.commit(now=True)
        assert not [sql for sql in seen if sql.startswith("INSERT")]
        other.results.add_identity("code2", {"helpers.fit": "d2"}, sources, "env2", {})
        other.commit(now=True)
        assert other.database.row("SELECT count(*) FROM definitions") == (2,)


# ---------------------------------------------------------------------- rows


@pytest.mark.parametrize(
    "pairs",
    [
        (),
        (("a", "1"),),
        (("a", ""), ("b", "=")),
        (("a", 'x="1"'), ("[b", "2")),
        (("[a", "2"),),
        (("a=b", "2"), ("c", "3")),
        (("a", "two\nlines"),),
        (("é", "1"),),
        (("", ""),),
        (("a", "\r\x0b\x85"),),
        (("a", "\udcff"),),
    ],
)
def test_pairs_come_back(pairs):
    text = pack_pairs(pairs)
    assert unpack_pairs(text) == pairs
    text.encode()


def test_inputs_are_readable_where_they_are_plain():
    assert pack_pairs((("depth", "6"), ("table", "arrow:b3:00"))) == "depth=6\ntable=arrow:b3:00"
    assert pack_outputs((made(b"42").artifact,)).startswith("result bytes b3:")


@pytest.mark.parametrize(
    "outputs",
    [
        (),
        (Artifact("result", "json", "b3:00", 2, (), ""),),
        (Artifact("result", "json", "b3:00", 2, (), "a note, with  blanks "), Artifact("1", "j", "b3:11", 0)),
        (Artifact("a b", "json", "b3:00", 2),),
        (Artifact("", "json", "b3:00", 2),),
        (Artifact("a", "j s", "b3:00", 2),),
        (Artifact("a", "json", "b3:00", 2, ("b3:11", "b3:22"), "x"),),
        (Artifact("a", "json", "b3:00", 2, (), "two\nlines"),),
        (Artifact("[a", "json", "b3:00", 2),),
        (Artifact("a", "json", "b3:00", 1 << 40, (), "é \udcff"),),
    ],
)
def test_outputs_come_back(outputs):
    text = pack_outputs(outputs)
    assert unpack_outputs(text) == outputs
    text.encode()


def test_lookups_use_their_indexes(store):
    """Else each step would read a whole table."""
    from stepwell.stores import results

    for sql in (results._BY_KEY, results._BY_SITE, results._BLOB):
        plan = store.database.rows("EXPLAIN QUERY PLAN " + sql, ("x",))
        assert sum("SEARCH" in row[3] for row in plan) == 2, (sql, plan)
        assert not any("SCAN" in row[3] for row in plan), (sql, plan)
