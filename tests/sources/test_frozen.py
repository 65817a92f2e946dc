"""Sources as a lock has them: in place, from the store, by digest from elsewhere, and never anything later."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from blake3 import blake3

from stepwell.errors import BlobNotFetched, FrozenGone, NotFrozen
from stepwell.sources.content import listing
from stepwell.sources.frozen import Locked, pin_locked
from stepwell.sources.kept import NotListed, keep, lay_out, listing_of, receive
from stepwell.sources.pin import check, copy_of, hold, pin
from stepwell.sources.read import load

CSV = b"a,b\n1,2\n"


def digest(data: bytes) -> str:
    return f"b3:{blake3(data).hexdigest()}"


def locked_as_it_is(uri: str, root: Path, memo) -> Locked:
    """What a lock would say of files now."""
    from stepwell.sources.content import files_of, listed

    now = pin(uri, root=root, memo=memo)
    files = {} if now.seen.one else {name: one for name, _, one in files_of(listed(now.seen.place, memo))}
    return Locked(uri, now.digest, now.size, files)


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "project"
    (root / "parts" / "deep").mkdir(parents=True)
    (root / "parts" / "a.csv").write_bytes(CSV)
    (root / "parts" / "deep" / "b.csv").write_bytes(b"a,b\n3,4\n")
    return root


class Depot:
    """Blobs from elsewhere, which notes what it was asked."""

    def __init__(self, folder: Path, *contents: bytes) -> None:
        self.asked: list[tuple[str, int]] = []
        folder.mkdir()
        self._files = {digest(data): folder / digest(data)[3:] for data in contents}
        for data in contents:
            self._files[digest(data)].write_bytes(data)
            self._files[digest(data)].chmod(0o444)

    def __call__(self, one: str, size: int) -> Path:
        self.asked.append((one, size))
        if one not in self._files:
            raise BlobNotFetched(f"{one} is nowhere", why="asked were: the depot: it has nothing of it")
        return self._files[one]


def test_what_is_still_so_is_read_in_place(folder, memo, shelf):
    for uri in ("parts/a.csv", "parts", "parts/**/*.csv"):
        locked = locked_as_it_is(uri, folder, memo)
        found = pin_locked(locked, root=folder, memo=memo, shelf=shelf)
        assert not found.kept
        assert all(Path(file).is_relative_to(folder) for file in found.files)
    assert not shelf.folder.exists(), "nothing was copied"


def test_a_file_that_changed_is_had_by_its_digest(folder, memo, shelf, tmp_path):
    locked = locked_as_it_is("parts/a.csv", folder, memo)
    (folder / "parts" / "a.csv").write_bytes(b"a,b\n9,9\n")
    depot = Depot(tmp_path / "depot", CSV)
    found = pin_locked(locked, root=folder, memo=memo, shelf=shelf, fetch=depot)
    assert (found.digest, found.size, found.kept) == (digest(CSV), len(CSV), True)
    assert Path(found.files[0]).name == "a.csv"
    assert Path(found.files[0]).read_bytes() == CSV
    assert "another now" in found.edited[0]
    assert depot.asked == [(digest(CSV), len(CSV))]
    again = pin_locked(locked, root=folder, memo=memo, shelf=shelf, fetch=depot)
    assert again.files == found.files
    assert len(depot.asked) == 1, "the store has it"


def test_of_a_folder_only_what_is_lacking_is_fetched(folder, memo, shelf, tmp_path):
    locked = locked_as_it_is("parts", folder, memo)
    (folder / "parts" / "a.csv").write_bytes(b"other")
    (folder / "parts" / "new.csv").write_bytes(b"new")
    depot = Depot(tmp_path / "depot", CSV)
    found = pin_locked(locked, root=folder, memo=memo, shelf=shelf, fetch=depot)
    assert [one for one, _ in depot.asked] == [digest(CSV)]
    assert found.names == ("a.csv", "deep/b.csv")
    assert found.digest == locked.digest
    assert Path(found.folder, "deep", "b.csv").read_bytes() == b"a,b\n3,4\n"
    assert found.edited == ("`a.csv` changed", "`new.csv` is new")
    shutil.rmtree(folder / "parts")
    gone = pin_locked(locked, root=folder, memo=memo, shelf=shelf)
    assert gone.digest == locked.digest


def test_a_glob_stays_a_list_of_files(folder, memo, shelf, tmp_path):
    locked = locked_as_it_is("parts/**/*.csv", folder, memo)
    shutil.rmtree(folder / "parts")
    depot = Depot(tmp_path / "depot", CSV, b"a,b\n3,4\n")
    found = pin_locked(locked, root=folder, memo=memo, shelf=shelf, fetch=depot)
    assert not found.folder
    assert [Path(file).name for file in found.files] == ["a.csv", "b.csv"]
    value = load(locked.uri, "list[pathlib.Path]", {}, root=folder, files=found.files, folder=found.folder)
    assert [path.read_bytes() for path in value] == [CSV, b"a,b\n3,4\n"]


def test_what_is_gone_names_every_place(folder, memo, shelf, tmp_path):
    locked = locked_as_it_is("parts/a.csv", folder, memo)
    (folder / "parts" / "a.csv").unlink()
    with pytest.raises(FrozenGone) as caught:
        pin_locked(locked, root=folder, memo=memo, shelf=shelf, fetch=Depot(tmp_path / "depot"))
    for place in ("in place:", f"in the store, {shelf.folder}", "the depot: it has nothing of it"):
        assert place in str(caught.value)
    assert not list(shelf.folder.glob("blobs/*/*"))


def test_of_a_folder_every_lacking_file_is_counted(folder, memo, shelf, tmp_path):
    for number in range(6):
        (folder / "parts" / f"{number}.csv").write_bytes(b"%d" % number)
    locked = locked_as_it_is("parts", folder, memo)
    shutil.rmtree(folder / "parts")
    with pytest.raises(FrozenGone) as caught:
        pin_locked(locked, root=folder, memo=memo, shelf=shelf, fetch=Depot(tmp_path / "depot", CSV))
    assert "`0.csv`" in str(caught.value)
    assert "and 4 more" in str(caught.value)


def test_a_damaged_copy_is_had_again(folder, memo, forgetful, shelf, tmp_path):
    for uri in ("parts/a.csv", "parts"):
        locked = locked_as_it_is(uri, folder, memo)
        name = uri.replace("/", "-")
        hidden = tmp_path / f"hidden-{name}"
        shutil.copytree(folder / "parts", hidden)
        shutil.rmtree(folder / "parts")
        depot = Depot(tmp_path / f"depot-{name}", CSV, b"a,b\n3,4\n")
        pin_locked(locked, root=folder, memo=forgetful, shelf=shelf, fetch=depot)
        blob = shelf.blob(digest(CSV))
        blob.unlink()
        blob.write_bytes(b"a,b\n6,6\n")
        found = pin_locked(locked, root=folder, memo=forgetful, shelf=shelf, fetch=depot)
        assert found.digest == locked.digest
        assert blob.read_bytes() == CSV
        shutil.copytree(hidden, folder / "parts")


def test_a_worker_reads_the_copy_where_the_file_is_another(folder, memo, shelf, tmp_path):
    for uri in ("parts/a.csv", "parts"):
        locked = locked_as_it_is(uri, folder, memo)
        keep(folder / "parts" / "a.csv", shelf)
        keep(folder / "parts" / "deep" / "b.csv", shelf)
        (folder / "parts" / "a.csv").write_bytes(b"changed")
        now = pin_locked(locked, root=folder, memo=memo, shelf=shelf)
        for facts in (b"", now.facts):
            held = hold(uri, now.digest, root=folder, shelf=shelf, facts=facts)
            assert held.kept
            assert held.digest == locked.digest
            assert check(held, root=folder, shelf=shelf)
        (folder / "parts" / "a.csv").write_bytes(CSV)


def test_the_listing_of_a_folder_is_enough_where_a_lock_lists_no_files(folder, memo, shelf, tmp_path):
    locked = locked_as_it_is("parts", folder, memo)
    names = sorted(locked.files)
    text = listing(names, [bytes.fromhex(locked.files[name][3:]) for name in names])
    assert digest(text) == locked.digest, "the digest of a folder is that of its listing"
    shutil.rmtree(folder / "parts")
    depot = Depot(tmp_path / "depot", CSV, b"a,b\n3,4\n", text)
    for _ in range(2):
        found = pin_locked(locked._replace(files={}), root=folder, memo=memo, shelf=shelf, fetch=depot)
        assert found.names == ("a.csv", "deep/b.csv")
        shutil.rmtree(shelf.folder / "files")  # links can be made again


@pytest.mark.parametrize("name", ["../out.csv", "/etc/passwd", "a/../../b", "a//b", "./a", "a\0b", ""])
def test_a_listing_that_leads_out_is_refused(name, shelf):
    text = listing([name], [blake3(b"x").digest()])
    with pytest.raises(NotListed):
        listing_of(text)


def test_a_listing_of_which_a_file_is_a_folder_is_refused(shelf):
    found = listing_of(listing(["a", "a/b"], [blake3(b"x").digest()] * 2))
    with pytest.raises(NotListed):
        lay_out(digest(b"any"), found, shelf)
    assert not list((shelf.folder / "files").glob("*/*")) if (shelf.folder / "files").exists() else True


def test_a_listing_that_is_cut_off_is_refused():
    text = listing(["a.csv"], [blake3(b"x").digest()])
    for end in (20, len(text) - 40):
        with pytest.raises(NotListed):
            listing_of(text[:end])


def test_what_fails_while_it_arrives_leaves_nothing(shelf):
    def blocks():
        yield b"half"
        raise ConnectionError("gone")

    with pytest.raises(ConnectionError):
        receive(blocks(), shelf)
    assert not [path for path in shelf.folder.rglob("*") if path.is_file()]


def test_what_moves_is_not_read_before_it_is_frozen(folder, memo, shelf):
    for uri in (
        "sqlite:///crm.db",
        "postgresql://db/crm",
        "duckdb:///x.duckdb",
        "s3://bucket/x.csv",
        "$WAREHOUSE",
    ):
        with pytest.raises(NotFrozen):
            pin(uri, root=folder, memo=memo, shelf=shelf)
        kept, _ = receive([CSV], shelf)
        found = copy_of(uri, kept, memo=memo, shelf=shelf)
        assert found is not None
        assert found.digest == digest(CSV)
