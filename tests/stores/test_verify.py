"""`verify`: everything that is wrong is named, with what will follow from it; nothing else is."""

import os
import time

import pytest

from stepwell.kernel.events import RunFinished, StepReused
from stepwell.kernel.plan import Decision, Reason
from stepwell.stores.blobs import INLINE
from stepwell.stores.local import open_store
from stepwell.stores.record import Facts
from stepwell.stores.verify import verify
from stepwell.testing.contracts import made, result_of


def keep(store, key, *outputs, **fields):
    result = result_of(key, outputs, **fields)
    store.results.keep(result, outputs)
    store.commit(now=True)
    return result


@pytest.fixture
def filled(store, large, tmp_path):
    piece = tmp_path / "piece"
    piece.write_bytes(b"part of a folder")
    with store.blobs.sink() as sink:
        part, _ = sink.take(piece)
        sink.write(b"{}")
        digest, size, data = sink.finish()
    folder_output = made(data)._replace(
        artifact=made(data).artifact._replace(digest=digest, size=size, parts=(part,))
    )
    keep(store, "small", made(b"small"), step="p:small")
    keep(store, "large", large(store), step="p:large")
    keep(store, "folder", folder_output, step="p:folder")
    return store


def test_a_sound_store_gives_nothing(filled):
    assert verify(filled) == []
    assert verify(filled, read_data=False) == []


def test_an_empty_or_absent_store_gives_nothing(folder):
    with open_store(folder, readonly=True) as store:
        assert verify(store) == []
    with open_store(folder) as store:
        assert verify(store) == []


def flip(path):
    data = path.read_bytes()
    with open(os.open(path, os.O_WRONLY), "wb") as file:
        file.write(bytes([data[0] ^ 1]) + data[1:])


@pytest.mark.parametrize("what", ["large", "folder"])
@pytest.mark.parametrize("how", ["flipped", "truncated", "deleted", "rotten"])
def test_every_damage_to_a_file_is_found_and_its_step_named(filled, what, how):
    artifact = filled.results.result(result_of(what).key).outputs[0]
    digest = artifact.parts[0] if artifact.parts else artifact.digest
    path = filled.blobs.path(digest)
    if how == "flipped":
        flip(path)
    elif how == "truncated":
        os.truncate(path, 3)
    elif how == "deleted":
        path.unlink()
    else:  # what a disk does: the bytes change and nothing else
        flip(path)
        filled.blobs._verified.add(digest, module_signature(path))
    (found,) = verify(filled)
    assert found.kind == ("missing" if how == "deleted" else "damaged")
    assert digest in found.what
    assert found.steps == (f"p:{what}",)
    assert "will run again" in found.next
    assert filled.results.result(result_of(what).key).lost
    if how != "deleted":
        assert [entry.name[:62] for entry in (filled.folder / "quarantine").iterdir()] == [digest[3:65]]
        assert [finding.kind for finding in verify(filled)] == ["missing"]


def module_signature(path):
    from stepwell.stores import blobs

    return blobs._signature(os.stat(path))


@pytest.mark.parametrize("how", ["damaged", "missing"])
def test_every_damage_to_bytes_in_the_database_is_found(filled, folder, how):
    statement = (
        "UPDATE blobs SET data = 'smalL' WHERE data = ?"
        if how == "damaged"
        else "DELETE FROM blobs WHERE data = ?"
    )
    filled.database.write(lambda c: c.execute(statement, (b"small",)))
    with open_store(folder) as store:
        (found,) = verify(store)
        assert (found.kind, found.steps) == (how, ("p:small",))
    with open_store(folder) as store:
        assert store.results.result(result_of("small").key).lost
        keep(store, "small", made(b"small"), step="p:small")
        assert verify(store) == []


def test_without_reading_only_what_is_gone_or_cut_is_found(filled):
    flip(filled.blobs.path(filled.results.result(result_of("large").key).outputs[0].digest))
    assert verify(filled, read_data=False) == []
    assert len(verify(filled)) == 1


def test_a_blob_that_nobody_needs_is_said_to_matter_to_nobody(filled):
    with filled.blobs.sink() as sink:
        sink.write(b"orphan" * INLINE)
        digest = sink.finish().digest
    assert verify(filled) == []
    flip(filled.blobs.path(digest))
    (found,) = verify(filled)
    assert found.steps == ()
    assert found.next.startswith("nothing")


def test_only_the_newest_result_of_a_key_counts(filled, large):
    old = large(filled, b"old" * INLINE)
    keep(filled, "again", old)
    keep(filled, "again", made(b"new"))
    filled.blobs.path(old.artifact.digest).unlink()
    assert verify(filled) == []


def test_leftovers_of_the_dead_are_removed_and_those_of_the_living_are_not(filled):
    for name, age in (("1-dead", 2 * 86400), ("2-busy", 100)):
        path = filled.folder / "tmp" / name
        path.write_bytes(b"x")
        os.utime(path, (time.time() - age,) * 2)
    (found,) = verify(filled)
    assert (found.kind, found.what) == ("leftover", "tmp/1-dead")
    assert os.listdir(filled.folder / "tmp") == ["2-busy"]


def test_pages_of_the_database_are_checked(filled, folder):
    for i in range(200):
        keep(filled, f"k{i}", made(os.urandom(500)))
    filled.close()
    path = folder / "store.db"
    data = bytearray(path.read_bytes())
    for page in range(len(data) // 8192, len(data) // 4096):
        data[page * 4096 : page * 4096 + 8] = b"\xff" * 8
    path.write_bytes(data)
    with open_store(folder, readonly=True) as store:
        found = verify(store)
    assert found
    assert {finding.kind for finding in found} == {"database"}


@pytest.mark.parametrize(
    "spoil",
    [
        "runs SET nodes = x'ff00'",
        "runs SET nodes = 'zz'",
        "runs SET wiring = 'zz'",
        "runs SET about = 'zz'",
        "runs SET diff = 'zz'",
        "runs SET named = 'zz', metrics = '{}'",
        "runs SET begun = 'zz'",
        "reused SET text = 'zz'",
    ],
)
def test_a_run_of_which_something_leads_nowhere_is_taken_out_and_no_other(store, spoil):
    facts = Facts("p", {}, [("a", "a", "p:a")], 0.0, wiring='{"edges":[[]]}', about={"python": "3.11.7"})
    result = keep(store, "k", made(b"1"), step="p:a")
    for _ in range(3):
        record = store.begin(facts)
        record.changed("a diff")
        record.add(
            StepReused(0, Decision(0, "cached", (Reason("cached", "up to date"),), "k", result), result)
        )
        record.add(RunFinished("succeeded", 1.0))
    assert verify(store) == []
    column = "run" if spoil.startswith("reused") else "id"
    store.database.write(lambda c: c.execute(f"UPDATE {spoil} WHERE {column} = 2") and None)
    assert [(one.kind, one.what) for one in verify(store)] == [("record", "run r2")]
    assert store.runs.ids() == ["r3", "r1"]
    assert verify(store) == []
    assert store.runs.about("r1").diff == "a diff"


def test_looking_only_changes_nothing(filled, folder, large):
    flip(filled.blobs.path(filled.results.result(result_of("large").key).outputs[0].digest))
    filled.close()

    def files():
        found = (
            path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("store.db-")
        )
        return {path: path.stat().st_size for path in found}

    before = files()
    with open_store(folder, readonly=True) as store:
        assert [finding.kind for finding in verify(store)] == ["damaged"]
    assert files() == before
