"""Files under their digest: written once, durable before they have a name, never read unverified."""

import array
import errno
import multiprocessing
import os
import resource
import stat
import subprocess
import sys

import pytest
from blake3 import blake3

from stepwell.errors import ArtifactGone, DiskFull, StoreError, StoreReadOnly
from stepwell.stores import blobs as module
from stepwell.stores import durable
from stepwell.stores.blobs import BESIDE, BLOCK, INLINE, Blobs


@pytest.fixture
def blobs(tmp_path):
    made = Blobs(tmp_path)
    made.make()
    return made


def put(blobs, *pieces):
    with blobs.sink() as sink:
        return put_into(sink, *pieces)


def put_into(sink, *pieces):
    for piece in pieces:
        sink.write(piece)
    return sink.finish()


def files(blobs, name="tmp"):
    return [path for path in (blobs.folder / name).rglob("*") if path.is_file()]


def overwrite(path, data):
    """Change a file in place, as a program that ignores its mode would."""
    with open(os.open(path, os.O_WRONLY), "wb") as file:
        file.write(data)


@pytest.mark.parametrize("size", [0, 1, INLINE - 1, INLINE])
def test_few_bytes_stay_in_memory(blobs, size):
    data = os.urandom(size)
    digest, count, held = put(blobs, data)
    assert (digest, count, held) == (f"b3:{blake3(data).hexdigest()}", size, data)
    assert files(blobs, "blobs") == files(blobs) == []
    assert bytes(blobs.held(held).data) == data


def test_few_bytes_in_pieces_of_every_kind(blobs):
    pieces = [b"ab", bytearray(b"cd"), memoryview(b"ef"), array.array("i", [1, 2]), b""]
    digest, size, held = put(blobs, *pieces)
    assert held == b"".join(map(bytes, pieces))
    assert (digest, size) == (f"b3:{blake3(held).hexdigest()}", 14)
    assert files(blobs, "blobs") == files(blobs) == []


@pytest.mark.parametrize(
    "pieces",
    [(INLINE + 1,), (INLINE, 1), (1,) * 3 + (INLINE,), (BLOCK, 5, BLOCK + 1), (BESIDE + 3, 7, BESIDE)],
)
def test_more_become_a_file_however_they_are_cut(blobs, pieces):
    parts = [os.urandom(size) for size in pieces]
    digest, size, held = put(blobs, *parts)
    whole = b"".join(parts)
    assert (digest, size, held) == (f"b3:{blake3(whole).hexdigest()}", len(whole), None)
    path = blobs.path(digest)
    assert path.read_bytes() == whole
    assert stat.S_IMODE(path.stat().st_mode) == 0o444
    assert path.parent.name + path.name == digest[3:]
    assert len(path.parent.name) == 2
    assert files(blobs) == []
    blob = blobs.open(digest)
    assert blob.data == whole
    assert blob.data.readonly
    assert blob.path == path
    assert blob.folder == blobs.folder


def test_what_speaks_the_buffer_protocol_can_be_written(blobs):
    numbers = array.array("d", range(20000))
    digest, size, _ = put(
        blobs, numbers, memoryview(numbers).cast("B").cast("B", (400, 400)), bytearray(b"end"), b""
    )
    assert size == 2 * 160000 + 3
    assert blobs.path(digest).read_bytes() == numbers.tobytes() * 2 + b"end"


def test_it_is_a_binary_file_for_libraries(blobs):
    with blobs.sink() as sink:
        assert sink.writable()
        assert not sink.readable()
        assert not sink.seekable()
        assert not sink.closed
        assert sink.write(b"abc") == 3
        sink.flush()
        assert sink.tell() == 3
        sink.close()
        assert sink.finish().data == b"abc"


def test_the_same_content_has_one_file(blobs):
    data = os.urandom(INLINE * 2)
    first = put(blobs, data)
    inode = blobs.path(first.digest).stat().st_ino
    assert put(blobs, data) == first
    assert blobs.path(first.digest).stat().st_ino == inode
    assert files(blobs) == []


@pytest.mark.parametrize("damage", [lambda data: data[:-1], lambda data: bytes([data[0] ^ 1]) + data[1:]])
def test_a_damaged_file_is_replaced_by_whoever_makes_it_again(blobs, damage):
    data = os.urandom(INLINE * 2)
    digest = put(blobs, data).digest
    overwrite(blobs.path(digest), b"")
    os.truncate(blobs.path(digest), 0)
    overwrite(blobs.path(digest), damage(data))
    put(blobs, data)
    assert blobs.open(digest).data == data
    assert len(files(blobs, "quarantine")) == 1


def test_what_is_left_early_leaves_nothing(blobs):
    with blobs.sink() as sink:
        sink.write(b"x" * INLINE * 3)
        assert len(files(blobs)) == 1
    assert files(blobs) == files(blobs, "blobs") == []


# ---------------------------------------------------------------------- parts


@pytest.mark.parametrize("size", [0, 10, INLINE + 1, BLOCK + 1])
def test_parts_are_files_whatever_their_size(blobs, tmp_path, size):
    source = tmp_path / "model.bin"
    source.write_bytes(os.urandom(size))
    with blobs.sink() as sink:
        digest, count = sink.take(source)
        sink.write(digest.encode())
        stored = sink.finish()
    assert count == size
    assert digest == f"b3:{blake3(source.read_bytes()).hexdigest()}"
    part = blobs.held(stored.data).part(digest)
    assert part.read_bytes() == source.read_bytes()
    assert part.stat().st_ino != source.stat().st_ino
    assert stat.S_IMODE(part.stat().st_mode) == 0o444
    assert bytes(blobs.open(digest).data) == source.read_bytes()
    assert blobs.take(source) == (digest, size)
    assert files(blobs) == []


def test_a_part_that_is_not_there_cannot_be_taken(blobs, tmp_path):
    with blobs.sink() as sink:
        with pytest.raises(FileNotFoundError):
            sink.take(tmp_path / "absent")
        with pytest.raises(IsADirectoryError):
            sink.take(tmp_path)
        sink.write(b"the sink is still good")
        assert sink.finish().size == 22
    assert files(blobs) == []


@pytest.mark.parametrize("trusted", [True, False])
def test_many_parts_are_synced_at_once(blobs, tmp_path, monkeypatch, trusted):
    monkeypatch.setattr(durable, "_reports_errors", lambda: trusted)
    synced = []
    fsync = os.fsync
    monkeypatch.setattr(os, "fsync", lambda fd: synced.append(fd) or fsync(fd))
    sources = [tmp_path / f"part{i}" for i in range(100)]
    with blobs.sink() as sink:
        for i, source in enumerate(sources):
            source.write_bytes(b"%d" % (i % 90))
            sink.take(source)
        assert list(blobs.all()) == []  # nothing has its name before it is durable
        sink.finish()
    assert len(list(blobs.all())) == 90
    assert all(blobs.check(digest, again=True) == "" for digest in blobs.all())
    assert files(blobs) == []
    assert (len(synced) >= 100) is (not trusted or os.uname().sysname != "Linux")


@pytest.mark.parametrize("in_kernel", [True, False])
def test_large_parts_are_hashed_while_they_are_copied(blobs, tmp_path, monkeypatch, in_kernel):
    if not in_kernel:
        monkeypatch.delattr(os, "copy_file_range", raising=False)
    monkeypatch.setattr(durable, "share_blocks", lambda old, new: False)
    monkeypatch.setattr(durable, "STRETCH", BESIDE + 5)
    source = tmp_path / "part"
    data = os.urandom(3 * BESIDE + 40)
    source.write_bytes(data)
    monkeypatch.setattr(module, "hash_file", lambda path: pytest.fail("it is read a second time"))
    digest, size = blobs.take(source)
    assert (digest, size) == (f"b3:{blake3(data).hexdigest()}", len(data))
    assert blobs.path(digest).read_bytes() == data


def test_large_files_are_hashed_in_a_process_that_was_forked(tmp_path):
    path = tmp_path / "large"
    path.write_bytes(bytes(3 * BLOCK))
    script = f"""
import os, signal
from blake3 import blake3
from stepwell.stores.blobs import hash_file
blake3(max_threads=blake3.AUTO).update(bytes(1 << 22))  # as a library of the user's may have done
first = hash_file({str(path)!r})
if os.fork() == 0:
    signal.alarm(20)
    os._exit(hash_file({str(path)!r}) != first)
raise SystemExit(os.wait()[1])
"""
    done = subprocess.run([sys.executable, "-c", script], check=False, timeout=30)
    assert done.returncode == 0


def test_parts_of_what_is_given_up_leave_nothing(blobs, tmp_path):
    source = tmp_path / "part"
    source.write_bytes(b"x")
    with blobs.sink() as sink:
        sink.take(source)
    assert files(blobs) == files(blobs, "blobs") == []


def test_taking_does_not_need_special_copies(blobs, tmp_path, monkeypatch):
    source = tmp_path / "part"
    source.write_bytes(os.urandom(BLOCK * 2 + 1))
    monkeypatch.delattr(os, "copy_file_range", raising=False)
    assert blobs.take(source)[1] == BLOCK * 2 + 1


# ---------------------------------------------------------------------- verification


def test_a_file_is_hashed_once_and_not_again(blobs, monkeypatch):
    digest = put(blobs, os.urandom(INLINE * 2)).digest
    hashed = []
    monkeypatch.setattr(module, "hash_file", lambda path: hashed.append(path) or digest)
    blobs.open(digest)
    Blobs(blobs.folder).open(digest)  # another process reads the same memory of verifications
    assert hashed == []
    (blobs.folder / "verified").unlink()
    fresh = Blobs(blobs.folder)
    fresh.open(digest)
    fresh.open(digest)
    Blobs(blobs.folder).open(digest)
    assert len(hashed) == 1


def damaged(path, how):
    data = path.read_bytes()
    if how == "deleted":
        path.unlink()
    elif how == "truncated":
        os.truncate(path, len(data) - 1)
    elif how == "emptied":
        os.truncate(path, 0)
    elif how == "longer":
        with open(os.open(path, os.O_WRONLY | os.O_APPEND), "ab") as file:
            file.write(b"!")
    elif how == "flipped":
        overwrite(path, bytes([data[0] ^ 1]) + data[1:])
    elif how == "flipped, times put back":
        before = path.stat()
        overwrite(path, data[:-1] + bytes([data[-1] ^ 0x80]))
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    elif how == "replaced":
        path.unlink()
        path.write_bytes(os.urandom(len(data)))


HOWS = ["deleted", "truncated", "emptied", "longer", "flipped", "flipped, times put back", "replaced"]


@pytest.mark.parametrize("how", HOWS)
def test_no_damage_is_ever_returned(blobs, how):
    data = os.urandom(INLINE * 2)
    digest = put(blobs, data).digest
    blobs.open(digest)
    damaged(blobs.path(digest), how)
    for reader in (blobs, Blobs(blobs.folder)):
        for read in (reader.open, reader.part, reader.held(b"").part):
            with pytest.raises(ArtifactGone, match=r"is gone|is damaged"):
                read(digest)
    assert len(files(blobs, "quarantine")) == (how != "deleted")
    put(blobs, data)
    assert blobs.open(digest).data == data


def test_two_files_that_changed_places_are_noticed(blobs):
    one, two = (put(blobs, os.urandom(INLINE * 2)).digest for _ in range(2))
    spare = blobs.folder / "spare"
    os.rename(blobs.path(one), spare)
    os.rename(blobs.path(two), blobs.path(one))
    os.rename(spare, blobs.path(two))
    for digest in (one, two):
        assert "damaged" in blobs.check(digest)


def test_a_digest_that_is_none_is_refused(blobs):
    for word in ("", "b3:", "b3:../../../etc/passwd", "b3:" + "/" * 64, "sha256:" + "0" * 64):
        with pytest.raises(ArtifactGone, match="not a digest"):
            blobs.path(word)


def test_rubbish_among_the_verifications_costs_time_only(blobs):
    data = os.urandom(INLINE * 2)
    digest = put(blobs, data).digest
    memo = blobs.folder / "verified"
    good = memo.read_text()
    memo.write_bytes(
        b"\xff\x00 rubbish\n\n"
        + good[:40].encode()
        + b"\nb3:00 a b c d\n"
        + good.encode()
        + good[:30].encode()
    )
    assert Blobs(blobs.folder).open(digest).data == data
    memo.write_bytes(b"\xff")
    assert Blobs(blobs.folder).open(digest).data == data


def test_the_memory_of_verifications_does_not_grow_for_ever(blobs, monkeypatch):
    monkeypatch.setattr(module, "LONGEST_MEMO", 2000)
    for i in range(60):
        put(blobs, i.to_bytes(2, "big") * INLINE)
    assert (blobs.folder / "verified").stat().st_size < 2500


def test_what_one_process_writes_another_reads(blobs):
    digest = put(blobs, b"z" * INLINE * 2).digest
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(read_elsewhere, (blobs.folder, digest)) == INLINE * 2


def read_elsewhere(folder, digest):
    module.hash_file = None  # would fail
    return len(Blobs(folder).open(digest).data)


# ---------------------------------------------------------------------- trouble


@pytest.mark.parametrize(
    ("number", "error"),
    [
        (errno.ENOSPC, DiskFull),
        (errno.EDQUOT, DiskFull),
        (errno.EROFS, StoreReadOnly),
        (errno.EIO, StoreError),
    ],
)
@pytest.mark.parametrize("call", ["write", "fsync", "link", "open", "fchmod"])
def test_a_refusal_of_the_system_is_named_and_leaves_nothing(blobs, monkeypatch, call, number, error):
    def refuse(*_, **__):
        raise OSError(number, os.strerror(number))

    with blobs.sink() as sink:
        with monkeypatch.context() as patch:
            patch.setattr(os, call, refuse)
            with pytest.raises(error) as caught:
                put_into(sink, b"x" * (INLINE + 1), b"y" * BLOCK)
        assert type(caught.value) is error
    assert files(blobs) == files(blobs, "blobs") == []
    assert put(blobs, b"x" * (INLINE + 1)).data is None


def test_a_failed_fsync_is_final(blobs, monkeypatch):
    sink = blobs.sink()
    sink.write(b"x" * (INLINE + 1))
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError(errno.EIO, "I/O error")))
        with pytest.raises(StoreError):
            sink.finish()
    assert list(blobs.all()) == []
    with pytest.raises(StoreError):  # not tried again on the same file, whose pages nobody knows
        sink.finish()


def test_a_file_size_limit_is_a_full_disk(blobs):
    child = os.fork()
    if child == 0:
        code = 1
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
            try:
                put(blobs, b"x" * (4 << 20))
            except DiskFull:
                code = 0 if files(blobs) == [] else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_file_systems_without_links_do_too(blobs, monkeypatch):
    def refuse(*_):
        raise OSError(errno.EPERM, "no links here")

    monkeypatch.setattr(os, "link", refuse)
    data = os.urandom(INLINE * 2)
    digest = put(blobs, data).digest
    assert put(blobs, data).digest == digest
    assert blobs.open(digest).data == data
    assert files(blobs) == []


def test_sizes_and_names_can_be_listed(blobs):
    made = {put(blobs, os.urandom(INLINE + 1 + i)).digest: INLINE + 1 + i for i in range(5)}
    assert {digest: blobs.size(digest) for digest in blobs.all()} == made
    assert blobs.size("b3:" + "0" * 64) == -1
