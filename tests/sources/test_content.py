"""Hashing once, and never trusting a time stamp that could lie."""

from __future__ import annotations

import os
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest
from blake3 import blake3

from stepwell.errors import InputChanged, UnreadableSource
from stepwell.sources import content
from stepwell.sources.content import MARGIN, settled
from stepwell.sources.memo import Memory
from stepwell.sources.pin import check, hold, pin, remember


def write(path: Path, data: bytes | str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return path


def digest(data: bytes) -> str:
    return "b3:" + blake3(data).hexdigest()


# ------------------------------------------------------------------ hashed once


@pytest.mark.usefixtures("later")
@pytest.mark.parametrize("uri", ["d/a.csv", "d", "d/*.csv", "d/"])
def test_what_did_not_change_is_read_once(tmp_path, memo, reads, uri):
    write(tmp_path / "d" / "a.csv", "1")
    write(tmp_path / "d" / "b.csv", "2")
    first = pin(uri, root=tmp_path, memo=memo)
    count = len(reads)
    assert count in (1, 2)
    assert pin(uri, root=tmp_path, memo=memo).digest == first.digest
    assert len(reads) == count


@pytest.mark.usefixtures("later")
def test_only_what_changed_in_a_folder_is_read_again(tmp_path, memo, reads):
    for i in range(20):
        write(tmp_path / "d" / f"{i}.csv", str(i))
    before = pin("d", root=tmp_path, memo=memo).digest
    reads.clear()
    write(tmp_path / "d" / "7.csv", "seven")
    write(tmp_path / "d" / "new.csv", "n")
    (tmp_path / "d" / "3.csv").unlink()
    after = pin("d", root=tmp_path, memo=memo).digest
    assert sorted(Path(path).name for path in reads) == ["7.csv", "new.csv"]
    assert before != after == pin("d", root=tmp_path, memo=Memory()).digest


@pytest.mark.parametrize("uri", ["d", "d/", "d/*.csv", "d/**"])
def test_what_became_of_the_files_of_a_source_since_it_was_used(tmp_path, memo, uri):
    for name in "abc":
        write(tmp_path / "d" / f"{name}.csv", name)
    used = pin(uri, root=tmp_path, memo=memo)
    assert used.differs == ()
    remember(uri, used.digest, root=tmp_path, memo=memo)
    write(tmp_path / "d" / "b.csv", "bee")
    write(tmp_path / "d" / "d.csv", "new")
    (tmp_path / "d" / "c.csv").unlink()
    told = ("`b.csv` changed", "`c.csv` is gone", "`d.csv` is new")
    assert pin(uri, root=tmp_path, memo=memo).differs == told
    assert pin(uri, root=tmp_path, memo=memo).differs == told, "also when it is looked at again"
    remember(uri, pin(uri, root=tmp_path, memo=memo).digest, root=tmp_path, memo=memo)
    assert pin(uri, root=tmp_path, memo=memo).differs == ()


def test_a_folder_is_one_value_in_the_memo(tmp_path):
    class Counting(Memory):
        puts = 0

        def put(self, kind: str, key: str, value: bytes) -> None:
            Counting.puts += 1
            super().put(kind, key, value)

    for i in range(300):
        write(tmp_path / "d" / f"{i}.csv", str(i))
    pin("d", root=tmp_path, memo=Counting())
    assert Counting.puts <= 2


def test_without_a_memory_everything_is_read_again_and_right(tmp_path, forgetful, reads):
    write(tmp_path / "a.csv", "1")
    assert pin("a.csv", root=tmp_path, memo=forgetful).digest == digest(b"1")
    assert pin("a.csv", root=tmp_path, memo=forgetful).digest == digest(b"1")
    assert len(reads) == 2


@pytest.mark.usefixtures("later")
@pytest.mark.parametrize("damage", [b"", b"x" * 64, b"\0" * 64, b"short", os.urandom(5000)])
def test_a_damaged_memo_is_no_memo(tmp_path, memo, damage):
    write(tmp_path / "d" / "a.csv", "1")
    right = pin("d", root=tmp_path, memo=memo).digest
    for key in list(memo._kept):
        memo._kept[key] = damage
    assert pin("d", root=tmp_path, memo=memo).digest == right


@pytest.mark.usefixtures("later")
def test_a_table_with_one_flipped_bit_is_not_believed(tmp_path, memo):
    write(tmp_path / "d" / "a.csv", "1")
    write(tmp_path / "d" / "b.csv", "1")
    pin("d", root=tmp_path, memo=memo)
    for kind, key in list(memo._kept):
        value = bytearray(memo._kept[kind, key])
        value[-50 if kind == "source-files" else 3] ^= 1
        memo._kept[kind, key] = bytes(value)
    write(tmp_path / "d" / "a.csv", "2")
    assert pin("d", root=tmp_path, memo=memo).digest == pin("d", root=tmp_path, memo=Memory()).digest


# ------------------------------------------------------------------ edits that leave no trace


@pytest.mark.parametrize("uri", ["a.csv", "*.csv"])
def test_edits_of_one_size_within_a_tick_are_all_seen(tmp_path, memo, uri):
    for i in range(300):
        write(tmp_path / "a.csv", f"{i:03d}")
        assert pin(uri, root=tmp_path, memo=memo).digest == pin(uri, root=tmp_path, memo=Memory()).digest
        if uri == "a.csv":
            assert pin(uri, root=tmp_path, memo=memo).digest == digest(f"{i:03d}".encode())


def test_an_edit_with_the_old_mtime_put_back_is_seen(tmp_path, memo):
    path = write(tmp_path / "a.csv", "1")
    info = path.stat()
    pin("a.csv", root=tmp_path, memo=memo)
    path.write_bytes(b"2")
    os.utime(path, ns=(info.st_atime_ns, info.st_mtime_ns))
    assert pin("a.csv", root=tmp_path, memo=memo).digest == digest(b"2")


@pytest.mark.parametrize("mtime", [0, -1, 1, 2**33, 2**62])
def test_strange_mtimes_are_no_problem(tmp_path, memo, mtime):
    path = write(tmp_path / "a.csv", "1")
    try:
        os.utime(path, (mtime, mtime))
    except (OverflowError, OSError):
        pytest.fail("the file system refuses it") if mtime < 2**33 else None
    assert pin("a.csv", root=tmp_path, memo=memo).digest == digest(b"1")
    path.write_bytes(b"2")
    assert pin("a.csv", root=tmp_path, memo=memo).digest == digest(b"2")


def test_a_replaced_file_is_seen_by_its_inode(tmp_path, memo):
    write(tmp_path / "a.csv", "1")
    pin("a.csv", root=tmp_path, memo=memo)
    os.replace(write(tmp_path / "b.csv", "2"), tmp_path / "a.csv")
    assert pin("a.csv", root=tmp_path, memo=memo).digest == digest(b"2")


def test_when_a_status_may_be_trusted():
    now = 10**18
    old = now - MARGIN - 1
    assert settled((0, 1, old, old, 1, 1), now)
    assert settled((0, 1, now + MARGIN + 1, old, 1, 1), now)  # from the future: an edit would set it back
    assert not settled((0, 1, now, old, 1, 1), now)
    assert not settled((0, 1, old, now - MARGIN, 1, 1), now)
    assert not settled((0, 1, old, now + 10**12, 1, 1), now)  # the file system's clock is ahead of ours


def test_a_file_that_grows_while_it_is_read_is_read_again(tmp_path, monkeypatch):
    path = write(tmp_path / "a.csv", "1")
    real, changes = content._hash, iter([b"22", b"333"])

    def hashed(*args):
        result = real(*args)
        data = next(changes, None)
        if data is not None:
            path.write_bytes(data)
        return result

    monkeypatch.setattr(content, "_hash", hashed)
    assert pin("a.csv", root=tmp_path, memo=Memory()).digest == digest(b"333")


def test_a_file_that_never_rests_is_an_error(tmp_path, monkeypatch):
    path = write(tmp_path / "a.csv", "1")
    real = content._hash

    def hashed(*args):
        result = real(*args)
        with path.open("ab") as file:
            file.write(b"x")
        return result

    monkeypatch.setattr(content, "_hash", hashed)
    with pytest.raises(UnreadableSource, match="keeps changing"):
        pin("a.csv", root=tmp_path, memo=Memory())


def test_a_file_that_goes_between_listing_and_reading(tmp_path, monkeypatch):
    path = write(tmp_path / "a.csv", "1")
    real = content.hash_file
    monkeypatch.setattr(content, "hash_file", lambda *a: (path.unlink(), real(*a))[1])
    with pytest.raises(UnreadableSource, match=r"a\.csv"):
        pin("a.csv", root=tmp_path, memo=Memory())


@pytest.mark.parametrize("size", [(1 << 20) - 1, 1 << 20, (4 << 20) + 1, 9_000_001])
@pytest.mark.parametrize("old", [False, True])
def test_large_files_are_hashed_the_same_in_every_way(tmp_path, size, old, monkeypatch):
    data = os.urandom(1000) * (size // 1000 + 1)
    write(tmp_path / "a.bin", data[:size])
    if old:
        monkeypatch.setattr(content, "QUIET", -(10**12))
    assert pin("a.bin", root=tmp_path, memo=Memory()).digest == digest(data[:size])


def test_a_recent_file_that_is_truncated_while_it_is_hashed_kills_nobody(tmp_path):
    """A mapped file would: SIGBUS. So recent files are read."""
    path = write(tmp_path / "a.bin", os.urandom(16 << 20))
    stop = threading.Event()

    def shake() -> None:
        while not stop.is_set():
            os.truncate(path, 100)
            os.truncate(path, 16 << 20)

    thread = threading.Thread(target=shake)
    thread.start()
    try:
        for _ in range(10):
            with suppress(UnreadableSource):
                pin("a.bin", root=tmp_path, memo=Memory())
    finally:
        stop.set()
        thread.join()


# ------------------------------------------------------------------ changed, hold, check


def test_changed_compares_with_what_was_last_used(tmp_path, memo):
    write(tmp_path / "a.csv", "1")
    first = pin("a.csv", root=tmp_path, memo=memo)
    assert not first.changed
    write(tmp_path / "a.csv", "2")
    assert not pin("a.csv", root=tmp_path, memo=memo).changed  # never used
    remember("a.csv", first.digest, root=tmp_path, memo=memo)
    assert pin("a.csv", root=tmp_path, memo=memo).changed
    assert pin("a.csv", root=tmp_path, memo=memo).changed  # looking is not using
    remember("a.csv", pin("a.csv", root=tmp_path, memo=memo).digest, root=tmp_path, memo=memo)
    assert not pin("a.csv", root=tmp_path, memo=memo).changed


@pytest.mark.parametrize("uri", ["d/a.csv", "d", "d/*.csv"])
def test_a_worker_holds_what_was_planned(tmp_path, memo, uri):
    write(tmp_path / "d" / "a.csv", "1")
    planned = pin(uri, root=tmp_path, memo=memo)
    held = hold(uri, planned.digest, root=tmp_path)
    assert held.files == planned.files
    assert check(held, root=tmp_path)
    write(tmp_path / "d" / "a.csv", "2")
    with pytest.raises(InputChanged, match="changed after it was planned"):
        hold(uri, planned.digest, root=tmp_path)
    assert not check(held, root=tmp_path)


@pytest.mark.parametrize("uri", ["d/a.csv", "d", "d/*.csv"])
@pytest.mark.parametrize("settle", [False, True])
def test_every_change_during_a_step_is_noticed(tmp_path, uri, settle, request):
    if settle:
        request.getfixturevalue("later")
    path = tmp_path / "d" / "a.csv"

    def edit() -> None:
        path.write_bytes(b"2")

    def edit_and_back() -> None:
        path.write_bytes(b"2")
        time.sleep(0.02)  # the file system's clock ticks every 4 ms or so
        path.write_bytes(b"1")

    def replace() -> None:
        os.replace(write(tmp_path / "b", "2"), path)

    def remove() -> None:
        path.unlink()

    def shut() -> None:
        path.unlink()
        path.symlink_to("a.csv")

    for change in (edit, edit_and_back, replace, remove, shut):
        path.unlink(missing_ok=True)
        write(path, "1")
        held = hold(uri, pin(uri, root=tmp_path, memo=Memory()).digest, root=tmp_path, memo=Memory())
        time.sleep(0.02)
        assert check(held, root=tmp_path, memo=Memory())
        change()
        assert not check(held, root=tmp_path, memo=Memory()), change.__name__


def test_a_new_file_in_a_folder_during_a_step_is_noticed(tmp_path):
    write(tmp_path / "d" / "a.csv", "1")
    held = {
        uri: hold(uri, pin(uri, root=tmp_path, memo=Memory()).digest, root=tmp_path)
        for uri in ("d", "d/*.csv")
    }
    write(tmp_path / "d" / "note.txt", "1")
    assert not check(held["d"], root=tmp_path)
    assert check(held["d/*.csv"], root=tmp_path)


def test_a_changed_mode_or_a_further_link_is_no_change(tmp_path):
    path = write(tmp_path / "a.csv", "1")
    held = hold("a.csv", digest(b"1"), root=tmp_path)
    time.sleep(0.02)
    path.chmod(0o400)
    os.link(path, tmp_path / "b.csv")
    assert check(held, root=tmp_path)


def test_a_worker_says_when_a_source_is_gone(tmp_path):
    write(tmp_path / "a.csv", "1")
    planned = pin("a.csv", root=tmp_path, memo=Memory())
    (tmp_path / "a.csv").unlink()
    with pytest.raises(InputChanged, match="is not there"):
        hold("a.csv", planned.digest, root=tmp_path)


# ------------------------------------------------------------------ speed


@pytest.mark.serial
@pytest.mark.usefixtures("later")
def test_many_unchanged_files_are_cheap(tmp_path, memo, reads):
    for folder in range(20):
        (tmp_path / "d" / str(folder)).mkdir(parents=True)
        for i in range(100):
            (tmp_path / "d" / str(folder) / f"{i}.csv").write_bytes(b"x")
    pin("d", root=tmp_path, memo=memo)
    reads.clear()
    start = time.process_time()
    pin("d", root=tmp_path, memo=memo)
    assert time.process_time() - start < 0.2  # 2,000 files; 0.01 s on an idle machine
    assert not reads
