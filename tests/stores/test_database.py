"""Opening, settings, migrations, refusals, and transactions that several processes share."""

import multiprocessing
import os
import sqlite3
import stat
import subprocess
import sys
import threading
import time

import pytest

from stepwell.errors import (
    StoreBusy,
    StoreDamaged,
    StoreError,
    StoreOnNetwork,
    StoreReadOnly,
    StoreTooNew,
)
from stepwell.stores import database as module
from stepwell.stores import schema
from stepwell.stores.database import connect, statements
from stepwell.stores.local import open_store
from stepwell.testing.contracts import made, result_of


def keep(store, key="k", data=b"42"):
    output = made(data)
    store.results.keep(result_of(key, [output]), [output])
    store.commit(now=True)


def pragma(store, name):
    return store.database.row(f"PRAGMA {name}")[0]


# ---------------------------------------------------------------------- a new store


def test_a_store_is_private_whatever_the_umask(folder):
    before = os.umask(0)
    try:
        with open_store(folder) as store:
            keep(store)
            found = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
            assert stat.S_IMODE(folder.stat().st_mode) == 0o700
            keep(store, "large", b"x" * 100_000)
            ways = {stat.S_IMODE(path.stat().st_mode) for path in (folder / "blobs").iterdir()}
    finally:
        os.umask(before)
    assert found.pop(".gitignore") == 0o666
    assert {
        name: mode for name, mode in found.items() if not (folder / name).is_dir() and mode != 0o600
    } == {}
    assert {found[name] for name in ("blobs", "tmp", "files")} | ways == {0o700}
    assert {"store.db", "write.lock"} <= set(found)


def test_git_does_not_see_a_store(folder):
    open_store(folder).close()
    subprocess.run(["git", "init", "-q", str(folder.parent)], check=True)
    shown = subprocess.run(
        ["git", "-C", str(folder.parent), "status", "--porcelain"], capture_output=True, check=True
    )
    assert shown.stdout == b""


def test_the_settings_are_as_the_design_says(store):
    assert pragma(store, "journal_mode") == "wal"
    assert pragma(store, "wal_autocheckpoint") == 0
    assert pragma(store, "mmap_size") in (0, None)
    assert pragma(store, "cache_size") == -16384
    assert pragma(store, "user_version") == schema.VERSION
    assert pragma(store, "application_id") == schema.APPLICATION
    keep(store)
    assert pragma(store, "synchronous") == 2  # FULL


def test_what_is_only_a_cache_is_not_forced_to_the_disk_but_results_are(store):
    store.memo.put("stat", "a", "1")
    store.commit(now=True)
    assert pragma(store, "synchronous") == 1
    keep(store)
    assert pragma(store, "synchronous") == 2


def test_nothing_is_made_where_nothing_may_be_made(folder):
    for options in ({"create": False}, {"readonly": True}):
        with open_store(folder, **options) as store:
            assert store.readonly
            assert store.runs.runs() == []
            assert store.results.result("0" * 64) is None
            store.prefetch("delays")
            store.memo.put("a", "b", "c")
            store.commit(now=True)
            with pytest.raises(StoreReadOnly):
                keep(store)
        assert not folder.exists()


def test_a_file_in_the_folders_place(folder):
    folder.write_text("")
    with pytest.raises(StoreDamaged, match="not a folder"):
        open_store(folder)


def test_a_store_that_another_process_makes_meanwhile_is_no_foreign_file(folder):
    """It was taken for one between the two looks at its header: two first runs at once, one in ten times."""
    folder.mkdir()
    maker = threading.Thread(target=lambda: open_store(folder).close())

    class Slow(sqlite3.Connection):
        def execute(self, sql, *parameters):
            if "sqlite_master" in sql:
                maker.start()
                maker.join(0.3)  # it waits for this one, or has ended
            return super().execute(sql, *parameters)

    connection = sqlite3.connect(folder / "store.db", isolation_level=None, factory=Slow)
    assert module._header_of(connection) == (0, 0, False)
    connection.close()
    maker.join()
    with open_store(folder) as store:
        assert pragma(store, "user_version") == schema.VERSION


# ---------------------------------------------------------------------- versions


def test_a_store_from_a_newer_version_is_refused_and_left_alone(folder):
    with open_store(folder) as store:
        keep(store)
        store.database.write(lambda c: c.execute(f"PRAGMA user_version={schema.VERSION + 3}"))
    before = (folder / "store.db").read_bytes()
    for options in ({}, {"readonly": True}, {"readonly": None}):
        with pytest.raises(StoreTooNew) as caught:
            open_store(folder, **options)
        assert f"format {schema.VERSION + 3}" in caught.value.why
        assert any("upgrade" in fix for fix in caught.value.fixes)
    assert (folder / "store.db").read_bytes() == before


@pytest.mark.parametrize("what", ["another program", "no database", "empty"])
def test_what_is_not_a_store_is_not_touched(folder, what):
    folder.mkdir()
    path = folder / "store.db"
    if what == "another program":
        with sqlite3.connect(path) as other:
            other.execute("CREATE TABLE mine (a)")
        other.close()
    else:
        path.write_bytes(b"hello, this is text\n" * 100 if what == "no database" else b"")
    before = path.read_bytes()
    if what == "empty":  # what a crash leaves of a store that was just being made
        with open_store(folder) as store:
            keep(store)
        return
    with pytest.raises(StoreDamaged):
        open_store(folder)
    assert path.read_bytes() == before


def test_an_older_store_is_brought_forward_and_kept_beside(folder, monkeypatch):
    now = schema.VERSION
    with open_store(folder) as store:
        keep(store)
    later = (
        *schema.MIGRATIONS,
        "CREATE TABLE more (a); INSERT INTO more VALUES ('a;b');\nCREATE TRIGGER t AFTER INSERT ON more\nBEGIN\n  DELETE FROM more;\nEND;\n",
    )
    monkeypatch.setattr(schema, "MIGRATIONS", later)
    monkeypatch.setattr(schema, "VERSION", len(later))
    with open_store(folder) as store:
        assert store.database.rows("SELECT a FROM more") == [("a;b",)]
        assert store.results.result(result_of("k").key) is not None
        assert any(f"format {now}" in note for note in store.notes)
    with open_store(folder) as store:
        assert store.notes == []
    old = folder / f"store.db.format{now}"
    assert stat.S_IMODE(old.stat().st_mode) == 0o600
    with sqlite3.connect(old) as backup:
        assert backup.execute("PRAGMA user_version").fetchone() == (now,)
        assert backup.execute("SELECT count(*) FROM results").fetchone() == (1,)
    backup.close()


def test_a_migration_that_fails_changes_nothing(folder, monkeypatch):
    with open_store(folder) as store:
        keep(store)
    later = (*schema.MIGRATIONS, "CREATE TABLE more (a);\nINSERT INTO nowhere VALUES (1);\n")
    with monkeypatch.context() as patch:
        patch.setattr(schema, "MIGRATIONS", later)
        patch.setattr(schema, "VERSION", len(later))
        with pytest.raises(StoreError):
            open_store(folder)
    with open_store(folder) as store:
        assert pragma(store, "user_version") == len(later) - 1
        assert store.database.row("SELECT name FROM sqlite_master WHERE name = 'more'") is None


def test_scripts_are_cut_where_statements_end():
    script = "A (';'); B\n;\n-- c;\nD;\n"
    assert [statement.strip() for statement in statements(script)] == ["A (';');", "B\n;", "-- c;\nD;"]


# ---------------------------------------------------------------------- network file systems


@pytest.mark.parametrize("kind", ["nfs4", "cifs", "fuse.sshfs", "lustre", ""])
def test_there_is_no_shared_log_on_a_network(folder, kind):
    database = connect(folder, kind=kind)
    assert database.row("PRAGMA journal_mode") == ("delete",)
    assert len(database.notes) == 1
    assert "slower" in database.notes[0]
    database.write(lambda c: c.execute("INSERT INTO texts VALUES ('a', 'b')"), durable=False)
    assert database.row("PRAGMA synchronous") == (2,)  # never less with a rollback journal
    assert not (folder / "store.db-wal").exists()
    database.close()
    database = connect(folder, kind="ext4")  # and back
    assert database.row("PRAGMA journal_mode") == ("wal",)
    assert database.rows("SELECT * FROM texts") == [("a", "b")]
    database.close()


def test_a_store_in_use_as_local_is_refused_where_it_is_not(folder):
    with open_store(folder) as store:
        keep(store)
        with pytest.raises(StoreOnNetwork):
            connect(folder, kind="nfs4")
        keep(store, "k2")


def test_a_file_system_without_locks_is_refused(folder, monkeypatch):
    def refuse(*_):
        raise OSError(37, "No locks available")

    monkeypatch.setattr(module.fcntl, "flock", refuse)
    with pytest.raises(StoreOnNetwork, match="cannot be locked"):
        open_store(folder)


# ---------------------------------------------------------------------- damage, full disks


def test_a_damaged_page_is_named_with_a_way_out(folder):
    with open_store(folder) as store:
        for i in range(300):
            keep(store, f"k{i}", os.urandom(500))
    path = folder / "store.db"
    data = bytearray(path.read_bytes())
    for page in range(1, len(data) // 4096):
        data[page * 4096 : page * 4096 + 40] = b"\xff" * 40
    path.write_bytes(data)
    with pytest.raises(StoreDamaged) as caught, open_store(folder) as store:
        store.results.result(result_of("k1").key)
    assert any(fix.startswith("mv ") for fix in caught.value.fixes)


def test_a_file_that_was_cut_is_named(folder):
    with open_store(folder) as store:
        for i in range(50):
            keep(store, f"k{i}", os.urandom(5000))
    os.truncate(folder / "store.db", 4096 * 3)
    with pytest.raises(StoreDamaged), open_store(folder) as store:
        [store.results.result(result_of(f"k{i}").key) for i in range(50)]


def test_a_file_size_limit_is_a_full_disk_and_nothing_is_half_written(folder, python):
    code = """
import resource, sys
from pathlib import Path
from stepwell.errors import DiskFull
from stepwell.stores.local import open_store
from stepwell.testing.contracts import made, result_of
store = open_store(Path(sys.argv[1]))
resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, resource.RLIM_INFINITY))
for i in range(40):
    output = made(bytes([i]) * 60000)
    store.results.keep(result_of(f"k{i}", [output]), [output])
    try:
        store.commit(now=True)
    except DiskFull:
        break
else:
    sys.exit("no limit was met")
print(i)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
if len(sys.argv) > 2:
    store.commit(now=True)  # there is room again: what was kept is still there
    print(i)
"""

    for i, again in enumerate(((), ("again",))):
        place = folder / str(i)
        place.parent.mkdir(exist_ok=True)
        done = python(code, place, *again)
        reached = int(done.split()[0])
        assert reached > 2
        with open_store(place) as store:
            assert store.database.check(quick=False) == []
            there = [i for i in range(40) if store.results.result(result_of(f"k{i}").key)]
            assert there == list(range(reached + (1 if again else 0)))


def test_a_small_disk_that_is_full(tmp_path, in_own_mounts):

    done = in_own_mounts(
        """
import os, sys
from pathlib import Path
from stepwell.errors import DiskFull
from stepwell.stores.local import open_store
from stepwell.testing.contracts import made, result_of
root = Path(sys.argv[1])
mount("-t", "tmpfs", "-o", "size=4m", "tmpfs", root)
folder = root / ".stepwell"
store = open_store(folder)
filler = root / "filler"
kept = 0
try:
    for i in range(400):
        output = made(bytes([i % 256]) * 30000 + bytes([i // 256]))
        store.results.keep(result_of(f"k{i}", [output]), [output])
        store.commit(now=True)
        kept += 1
except DiskFull as error:
    assert error.code == "E504"
else:
    sys.exit("the disk did not fill up")
try:
    with store.blobs.sink() as sink:
        sink.write(b"x" * 4_000_000)
        sink.finish()
except DiskFull:
    pass
else:
    sys.exit("a large blob found room")
assert os.listdir(folder / "tmp") == []
print(kept)
store.close()
again = open_store(folder, readonly=True)
there = sum(again.results.result(result_of(f"k{i}").key) is not None for i in range(400))
assert there == kept, (there, kept)
""",
        tmp_path,
    )
    assert int(done) > 10


# ---------------------------------------------------------------------- read-only folders

READ_ONLY = """
import os, shutil, sys
from pathlib import Path
from stepwell.errors import StoreReadOnly
from stepwell.stores.local import open_store
from stepwell.testing.contracts import made, result_of
root = Path(sys.argv[1])
mount("-t", "tmpfs", "tmpfs", root)
folder = root / ".stepwell"
def keep(store, key):
    output = made(b"42")
    store.results.keep(result_of(key, [output]), [output])
    store.commit(now=True)
child = os.fork() if sys.argv[2] == "killed" else 0
if child == 0:
    store = open_store(folder)
    keep(store, "k")
    if sys.argv[2] == "killed":
        os._exit(0)       # there is a log beside the database
elif child:
    os.waitpid(child, 0)
    assert (folder / "store.db-wal").stat().st_size
if sys.argv[2] == "closed":
    store.close()
if sys.argv[2] == "in use":
    seen = root / "seen"
    seen.mkdir()
    mount("--bind", root, seen)
    mount("-o", "remount,ro,bind", seen)
    root, folder = seen, seen / ".stepwell"
else:
    mount("-o", "remount,ro", root)
try:
    open_store(folder)
except StoreReadOnly as error:
    assert str(folder) in error.what and error.exit_code == 3
else:
    sys.exit("it was opened for writing")
for readonly in (True, None):
    with open_store(folder, readonly=readonly) as reader:
        assert reader.readonly
        found = reader.results.result(result_of("k").key)
        assert reader.results.data(found.outputs[0]) == b"42"
        assert reader.runs.runs() == []
        reader.memo.put("a", "b", "c")
        reader.commit(now=True)
        try:
            keep(reader, "k3")
        except StoreReadOnly:
            pass
        else:
            sys.exit("it was written")
with open_store(root / "none", readonly=None) as empty:
    assert empty.readonly and empty.runs.runs() == []
"""


@pytest.mark.parametrize("state", ["closed", "killed", "in use"])
def test_a_read_only_disk_can_be_read(tmp_path, in_own_mounts, state):

    in_own_mounts(READ_ONLY, tmp_path, state)


def test_a_folder_of_somebody_else_can_be_read(tmp_path):
    """As root nobody can be refused, so a child becomes nobody."""
    folder = tmp_path / ".stepwell"
    with open_store(folder) as store:
        keep(store)
    for path in (folder, folder / "store.db"):
        path.chmod(path.stat().st_mode | 0o055)
    for above in tmp_path.parents:
        if above != above.parent and str(above).startswith("/tmp/"):
            above.chmod(above.stat().st_mode | 0o055)
    tmp_path.chmod(0o755)
    child = os.fork()
    if child == 0:
        code = 1
        try:
            if os.geteuid() == 0:
                os.setgid(65534)
                os.setuid(65534)
            try:
                open_store(folder)
            except StoreReadOnly:
                with open_store(folder, readonly=None) as reader:
                    code = 0 if reader.results.result(result_of("k").key) else 2
            try:
                open_store(folder / "deeper")
            except StoreReadOnly:
                pass
            else:
                code = 3
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


# ---------------------------------------------------------------------- others


def test_a_store_is_not_used_across_a_fork(store):
    keep(store)
    child = os.fork()
    if child == 0:
        code = 1
        try:
            for use in (lambda: store.runs.runs(), lambda: keep(store, "k2")):
                try:
                    use()
                except StoreError as error:
                    code = 0 if "another process" in error.what else 2
            store.close()
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    keep(store, "k3")


def test_a_writer_that_never_ends_is_reported_after_long_patience(folder, monkeypatch):
    with open_store(folder) as store, open_store(folder) as other:
        monkeypatch.setattr(module, "PATIENCE", 0.2)
        with other.database.locked(), pytest.raises(StoreBusy) as caught:
            keep(store)
        assert caught.value.exit_code == 5
        keep(store)  # what was kept meanwhile is not lost
        assert {row[0] for row in other.database.rows("SELECT count(*) FROM results")} == {2}


def test_a_foreign_writer_is_waited_for(folder, monkeypatch):
    """Another program (the sqlite3 shell) that does not know our lock."""
    with open_store(folder) as store:
        monkeypatch.setattr(module, "PATIENCE", 0.3)
        store.database._connection.execute("PRAGMA busy_timeout=50")
        foreign = sqlite3.connect(folder / "store.db", isolation_level=None)
        foreign.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreBusy):
            keep(store)
        assert store.runs.runs() == []  # readers do not wait
        foreign.execute("ROLLBACK")
        foreign.close()
        keep(store)


def test_many_make_the_same_store_at_once(folder):
    with multiprocessing.get_context("fork").Pool(6) as pool:
        assert pool.map(make_and_keep, [(folder, i) for i in range(12)]) == [None] * 12
    with open_store(folder) as store:
        assert store.database.rows("SELECT count(*) FROM results") == [(12,)]


def make_and_keep(what):
    folder, i = what
    with open_store(folder) as store:
        keep(store, f"k{i}")


def test_a_long_log_is_brought_back(folder, monkeypatch):
    monkeypatch.setattr(module, "LONGEST_LOG", 1 << 20)
    with open_store(folder) as store, open_store(folder, readonly=True) as reader:
        store.database._log_limit = 1 << 20
        lengths = []
        for i in range(60):
            keep(store, f"k{i}", os.urandom(60000))
            lengths.append((folder / "store.db-wal").stat().st_size)
        assert max(lengths) < 2 << 20
        assert reader.database.rows("SELECT count(*) FROM results") == [(60,)]


def test_the_log_is_empty_after_the_last_has_closed(folder):
    with open_store(folder) as store:
        keep(store)
    assert not (folder / "store.db-wal").exists()
    assert not (folder / "store.db-shm").exists()


def test_the_group_of_results_is_written_when_it_is_time(store):
    now = [100.0]
    store.database.monotonic = lambda: now[0]
    output = made(b"1")
    store.results.keep(result_of("k", [output]), [output])
    commits = []
    store.database._connection.set_trace_callback(
        lambda sql: commits.append(sql) if sql == "COMMIT" else None
    )
    store.commit()
    now[0] += module.GROUP / 2
    store.commit()
    assert commits == []
    now[0] += module.GROUP
    store.commit()
    assert commits == ["COMMIT"]
    store.commit()
    store.commit(now=True)
    assert commits == ["COMMIT"]


def test_importing_the_blobs_brings_no_database(python):
    code = "import sys, stepwell.stores.blobs; print('sqlite3' in sys.modules, 'blake3' in sys.modules)"

    assert python(code) == "False False\n"


def test_after_a_power_loss_the_database_is_checked(folder, monkeypatch):
    with open_store(folder) as store:
        keep(store)
        store.database.write(
            lambda c: c.execute(
                "INSERT INTO drivers (id, run, host, boot, pid, born, beat) VALUES (99, 1, ?, 'an earlier boot', 1, '', 0)",
                (here_host(),),
            )
        )
        checks = []
        monkeypatch.setattr(store.database, "check", lambda: checks.append(1) or ["*** in database main ***"])
        from stepwell.stores.record import Facts

        with pytest.raises(StoreDamaged):
            store.begin(Facts("p", {}, [], time.time()))
        assert checks == [1]


def here_host():
    from stepwell.stores.leases import here

    return here().host


def test_this_sqlite_is_one_that_needs_its_log_kept_under_lock():
    """A reminder of what is tested here: before 3.51.3 checkpoints must not race."""
    assert sqlite3.sqlite_version_info >= (3, 34)
    assert sys.version_info >= (3, 11)
