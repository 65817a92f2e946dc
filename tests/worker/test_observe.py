"""What a step is seen to read and to write: compared with real files, and with what they come to afterwards."""

from __future__ import annotations

import inspect
import os
import pickle
import shutil
import subprocess
import sys
import time
import types
from pathlib import Path

import pytest

from stepwell.engines.local import LocalEngine
from stepwell.kernel.graph import RESULT, OutputDef, StepDef
from stepwell.kernel.identity import MOVING, token
from stepwell.kernel.ports import Done, Outside, Task
from stepwell.stores.blobs import Blobs
from stepwell.testing.engine import drain, ended
from stepwell.worker import hiding, hooks, observe, seen
from stepwell.worker.modules import FirstParty, Snapshot
from stepwell.worker.world import World

STEPS = """
    import asyncio, glob, json, logging, os, pkgutil, shutil, socket, sqlite3, subprocess, sys, tempfile, threading
    from concurrent.futures import ThreadPoolExecutor
    from importlib import resources
    from pathlib import Path
    import helper

    def opens(): return open("data/a.csv").read()
    def opens_bytes_path(): return open(b"data/a.csv").read()
    def opens_dotted(): return open("./data/../data//a.csv").read()
    def reads_text(): return Path("data/a.csv").read_text()
    def os_opens():
        fd = os.open("data/a.csv", os.O_RDONLY)
        return os.read(fd, 100), os.close(fd)
    def opens_at():
        folder = os.open("data", os.O_RDONLY)
        fd = os.open("a.csv", os.O_RDONLY, dir_fd=folder)
        return os.read(fd, 100), os.close(fd), os.close(folder)
    def through_helper(): return helper.load("data/a.csv")
    def numpy_load():
        import numpy as np
        return np.load("data/a.npy").sum()
    def pandas_c():
        import pandas as pd
        return len(pd.read_csv("data/a.csv"))
    def pandas_arrow():
        import pandas as pd
        return len(pd.read_csv("data/a.csv", engine="pyarrow"))
    def sqlite():
        with sqlite3.connect("data/a.db") as db: return db.execute("select count(*) from t").fetchone()[0]
    def sqlite_uri():
        with sqlite3.connect("file:data/a.db?mode=ro", uri=True) as db: return db.execute("select * from t").fetchall()
    def lists(): return sorted(os.listdir("data"))
    def lists_scandir(): return sorted(e.name for e in os.scandir("data"))
    def globs(): return glob.glob("data/*.csv")
    def path_globs(): return sorted(str(p) for p in Path("data").glob("*.csv"))
    def iterates(): return sorted(str(p) for p in Path("data").iterdir())
    def exists(): return os.path.exists("new.csv")
    def path_exists(): return Path("new.csv").exists()
    def is_file(): return Path("new.csv").is_file()
    def accesses(): return os.access("new.csv", os.R_OK)
    def lexists(): return os.path.lexists("new.csv")
    def resolves_file(): return Path("data/a.csv").resolve().name
    def is_link(): return os.path.islink("new.csv")
    def resolves_absent(): return Path("new.csv").resolve().name
    def real_path(): return os.path.realpath("new.csv")
    def by_link():
        os.symlink(os.path.abspath("data"), "in")
        return open("in/a.csv").read()
    def by_link_elsewhere():
        with tempfile.TemporaryDirectory() as folder:
            os.symlink(os.path.abspath("data/a.csv"), folder + "/x")
            return open(folder + "/x").read()
    def by_hard_link():
        os.link("data/a.csv", "hard")
        return open("hard").read()
    def lines():
        import linecache
        return linecache.getline("data/a.csv", 1)
    def through_dots(): return open("data/../data/a.csv").read()
    def dots():
        try: return open("absent/../data/a.csv").read()
        except OSError: return None
    def bytes_get(): return os.environb.get(b"MINE")
    def bytes_item(): return os.environb[b"MINE"]
    def getenvb(): return os.getenvb(b"MINE")
    def _tries(call, *args):
        try: return call(*args)
        except OSError: return None
    def makes_exclusively(): return _tries(open, "data/a.csv", "x")
    def makes_there(): return _tries(os.mkdir, "data/a.csv")
    def links_there(): return _tries(os.symlink, "x", "data/a.csv")
    def removes_absent(): return _tries(os.rmdir, "new.csv")
    def renames_absent(): return _tries(os.rename, "new.csv", "other.csv")
    def enters(): return _tries(os.chdir, "new.csv")
    def touches(): return _tries(os.utime, "new.csv")
    def sqlite_log():
        with sqlite3.connect("data/a.db") as db: return db.execute("select count(*) from t").fetchone()[0]
    def lines_of(path):
        import linecache
        return linecache.getline(path, 1)
    def tidies():
        for path in ("out.txt", "out"):
            try: os.remove(path)
            except OSError: pass
        target = Path("out/x.txt").resolve()
        target.parent.mkdir(parents=True, exist_ok=True)
        os.makedirs("out", exist_ok=True)
        target.write_text("x")
        Path("out.txt").write_text("x")
    def two_slashes(): return os.path.exists(f"/{os.getcwd()}/new.csv")
    def from_the_top():
        top = os.open("/", os.O_RDONLY)
        try: return os.stat(f"{os.getcwd()[1:]}/new.csv", dir_fd=top)
        except FileNotFoundError: return None
        finally: os.close(top)
    def opens_absent():
        try: return open("new.csv").read()
        except FileNotFoundError: return None
    def size(): return os.path.getsize("data/a.csv")
    def link(): return os.readlink("data/link")
    def resolves_link(): return str(Path("data/link").resolve())
    def get(): return os.environ.get("MINE")
    def item(): return os.environ["MINE"]
    def contains(): return "MINE" in os.environ
    def getenv(): return os.getenv("MINE")
    def filters(): return {k: os.environ[k] for k in os.environ if k.startswith("MINE")}
    def package_data(): return pkgutil.get_data("package", "query.sql")
    def resource(): return (resources.files("package") / "query.sql").read_text()
    def in_thread():
        found = []
        thread = threading.Thread(target=lambda: found.append(opens()))
        thread.start(), thread.join()
        return found
    def in_pool():
        with ThreadPoolExecutor(2) as pool: return list(pool.map(os.path.getsize, ["data/a.csv"]))
    async def in_coroutine():
        await asyncio.sleep(0)
        return await asyncio.to_thread(os.path.getsize, "data/a.csv")
    by_library = Path("data/a.csv").read_text
    def lazily():
        import lazy
        return lazy.TEXT
    def source_as_data(): return open("helper.py").read()
    def read_and_write():
        with open("data/a.csv", "r+") as file: return file.read()

    def nothing(): return 1
    def whole_environment(): return len(dict(os.environ)), len(os.environ.copy()), len({**os.environ}), list(os.environ.items()) != []
    def writes_and_reads():
        Path("out.txt").write_text("x")
        return Path("out.txt").read_text(), os.path.exists("out.txt")
    def replaces_and_reads():
        Path("out.part").write_text("x")
        os.replace("out.part", "out.txt")
        return Path("out.txt").read_text()
    def makes_folder_and_lists():
        os.makedirs("out/deep")
        Path("out/deep/a").write_text("1")
        return os.listdir("out/deep"), sorted(os.walk("out"))
    def lists_own():
        Path("data/own.txt").write_text("x")
        return sorted(os.listdir("data"))
    def makes_if_absent():
        if not os.path.exists("made"): os.mkdir("made")
    def counts_up():
        n = int(Path("counter").read_text())
        Path("counter").write_text(str(n + 1))
        return n
    def appends_and_reads():
        with open("log.txt", "a") as file: file.write("more")
        return open("log.txt").read()
    def logs():
        logger = logging.getLogger("mine")
        handler = logging.FileHandler("log.txt")
        logger.addHandler(handler), logger.warning("hello"), logger.removeHandler(handler), handler.close()
    def sets_variable():
        os.environ["MINE"] = "own"
        return os.environ["MINE"]
    def temporary():
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "x"
            path.write_text("1")
            with tempfile.NamedTemporaryFile() as file: return path.read_text(), os.listdir(folder), open(file.name).read()
    def imports_library():
        for name in [n for n in sys.modules if n.partition(".")[0] == "colorsys"]: del sys.modules[name]
        import colorsys
    def looks_for_source():
        import inspect, linecache
        linecache.clearcache()
        return inspect.getsource(helper), os.path.exists(helper.__file__), Path(__file__).resolve().parent.name
    def system(): return open("/proc/self/stat").read() and os.listdir("/dev") and open(os.__file__).read()[:1] and os.path.exists(sys.executable)
    def which(): return shutil.which("no-such-program")
    def removes():
        os.makedirs("gone/deep", exist_ok=True)
        Path("gone/deep/x").write_text("1")
        shutil.rmtree("gone")
    def library_plumbing(): return shutil.get_terminal_size(), os.path.expanduser("~")
    def own_plumbing(): return os.environ.get("COLUMNS")
    def fails(): return open("data/a.csv").read() + 1
    def runs():
        subprocess.run(["true"], check=True)
        os.system("true")
        subprocess.run(["sh", "-c", "echo 2 > data/by_child.csv"], check=True)
        return os.listdir("data")
    def connects():
        for _ in range(2):
            try: socket.create_connection(("localhost", 1), 1)
            except OSError: pass
    def waits():
        text = open("data/a.csv").read()
        Path("ready").touch()
        while not os.path.exists("/proc/self") or open("data/a.csv").read() == text: pass
        return text
    def fifo(): return os.path.exists("fifo"), Path("loop").exists()
    def reads(path): return Path(path).read_text(), os.path.exists(path)
    def many(): return sum(len(open(f"data/many/{i}").read()) for i in range(60))
    def odd_name(): return os.path.exists(os.fsdecode(b"caf\\xe9"))
    def replaced():
        real = os.stat
        def mine(path, *args, **options): return real(path, *args, **options)
        os.stat = mine
        try: return os.path.exists("new.csv")
        finally: os.stat = real
    def leaves_replaced():
        real = os.lstat
        os.lstat = lambda path, **options: real(path, **options)
    def sees():
        import inspect, pickle
        return (str(inspect.signature(os.stat)), os.stat.__name__, os.stat in os.supports_dir_fd, os.stat in os.supports_follow_symlinks,
                os.stat("data").st_mode, os.stat(0).st_ino > 0, os.stat("a.csv", dir_fd=os.open("data", 0)).st_size,
                pickle.loads(pickle.dumps(os.stat)) == os.stat, repr(os.stat), repr(type(os.environ)), isinstance(os.environ, os._Environ))
    def errors():
        said = []
        for call in (lambda: os.stat(), lambda: os.stat("gone"), lambda: os.stat(1.5), lambda: os.stat("a", nope=1), lambda: os.readlink("data"),
                     lambda: os.environ["GONE"], lambda: os.environ[5], lambda: open("a\\0b"), lambda: os.stat("a\\0b"), lambda: os.open("gone", 0, dir_fd=99)):
            try: call()
            except Exception as error: said.append(repr(error))
        return said
"""


@pytest.fixture
def steps(bench, monkeypatch):
    monkeypatch.setenv("MINE", "value")
    monkeypatch.setenv("MINE_TOO", "value")
    bench.write(STEPS)
    bench.write("def load(path):\n    return open(path).read()\n", "helper.py")
    bench.write("TEXT = open('data/a.csv').read()\n", "lazy.py")
    bench.write("", "package/__init__.py")
    bench.write("select 1", "package/query.sql")
    fill(bench.root)
    return bench


def fill(root: Path) -> None:
    import sqlite3

    import numpy as np

    data = root / "data"
    data.mkdir()
    (data / "a.csv").write_text("x,y\n1,2\n")
    np.save(data / "a.npy", np.arange(3))
    with sqlite3.connect(data / "a.db") as db:
        db.execute("create table t(x)")
    (data / "link").symlink_to("a.csv")


def edit(root: Path) -> None:
    (root / "data/a.csv").write_text("x,y,z\n1,2,3\n")


def edit_array(root: Path) -> None:
    import numpy as np

    np.save(root / "data/a.npy", np.arange(4))


def edit_database(root: Path) -> None:
    import sqlite3

    with sqlite3.connect(root / "data/a.db") as db:
        db.execute("insert into t values (1)")


def add(root: Path) -> None:
    (root / "data/b.csv").write_text("1")


def appear(root: Path) -> None:
    (root / "new.csv").write_text("1")


def dangle(root: Path) -> None:
    (root / "new.csv").symlink_to("nowhere")


def commit(root: Path) -> None:
    OPEN[0].execute("insert into t values (2)")
    OPEN[0].commit()


OPEN: list = []
"""Another's connection to a database."""


def relink_file(root: Path) -> None:
    (root / "data/a.csv").unlink()
    (root / "data/a.csv").symlink_to("a.npy")


def relink(root: Path) -> None:
    (root / "data/link").unlink()
    (root / "data/link").symlink_to("a.npy")


def edit_variable(root: Path) -> None:
    os.environ["MINE"] = "other"


def edit_query(root: Path) -> None:
    (root / "package/query.sql").write_text("select 2")


def edit_helper(root: Path) -> None:
    (root / "helper.py").write_text("# shorter\n")


CSV = "file data/a.csv"

READS = {
    **dict.fromkeys(("opens", "opens_bytes_path", "opens_dotted", "reads_text", "os_opens"), (CSV, edit)),
    **dict.fromkeys(("opens_at", "through_helper", "pandas_c", "pandas_arrow", "in_thread"), (CSV, edit)),
    **dict.fromkeys(("by_library", "lazily", "read_and_write"), (CSV, edit)),
    **dict.fromkeys(("size", "in_pool", "in_coroutine"), ("kind data/a.csv", edit)),
    "numpy_load": ("file data/a.npy", edit_array),
    **dict.fromkeys(("sqlite", "sqlite_uri"), ("file data/a.db", edit_database)),
    **dict.fromkeys(("lists", "lists_scandir", "globs", "path_globs", "iterates"), ("list data", add)),
    **dict.fromkeys(("exists", "path_exists", "is_file", "accesses"), ("kind new.csv", appear)),
    **dict.fromkeys(("lexists", "is_link", "resolves_absent", "real_path"), ("link new.csv", dangle)),
    **dict.fromkeys(("by_link", "by_hard_link", "by_link_elsewhere", "lines", "through_dots"), (CSV, edit)),
    **dict.fromkeys(("bytes_get", "bytes_item", "getenvb"), ("$MINE", edit_variable)),
    **dict.fromkeys(("makes_exclusively", "makes_there", "links_there"), ("kind data/a.csv", edit)),
    **dict.fromkeys(("removes_absent", "renames_absent", "enters", "touches"), ("kind new.csv", appear)),
    "resolves_file": ("link data/a.csv", relink_file),
    "dots": ("link absent", lambda root: (root / "absent").symlink_to("data")),
    "sqlite_log": ("file data/a.db-wal", commit),
    **dict.fromkeys(("two_slashes", "from_the_top"), ("kind new.csv", appear)),
    "opens_absent": ("file new.csv", appear),
    **dict.fromkeys(("link", "resolves_link"), ("link data/link", relink)),
    **dict.fromkeys(("get", "item", "contains", "getenv", "filters"), ("$MINE", edit_variable)),
    **dict.fromkeys(("package_data", "resource"), ("file package/query.sql", edit_query)),
    "source_as_data": ("file helper.py", edit_helper),
}


@pytest.mark.parametrize("name", READS)
def test_what_a_step_reads_is_seen_and_its_change_is_noticed(steps, monkeypatch, name):
    if name.startswith(("pandas", "numpy")):
        pytest.importorskip(name.partition("_")[0])
    what, change = READS[name]
    if name == "sqlite_log":
        import sqlite3

        OPEN[:] = [sqlite3.connect(steps.root / "data/a.db")]
        OPEN[0].execute("pragma journal_mode=wal")
        commit(steps.root)
    done = steps.execute(name)
    assert done.failure is None, done.failure
    observed = dict(done.observed)
    assert what in observed
    assert set(observed) <= {
        what,
        "$*",
        "$MINE_TOO",
        "$PYARROW_IGNORE_TIMEZONE",
        "list package",
        *MORE.get(name, ()),
    }
    assert {each: World(steps.root).token(each) for each in observed} == observed
    monkeypatch.setenv("MINE", "value")  # so that it is put back
    change(steps.root)
    assert World(steps.root).token(what) != observed[what]


MORE = {"sqlite_log": ["file data/a.db"], "dots": [CSV], "resolves_link": ["link data/a.csv"]}
"""What else these read."""


def test_what_a_step_replaces_is_no_question(steps):
    done = steps.execute("tidies")
    assert done.failure is None, done.failure
    assert done.observed == ()


def test_lines_are_read_again_by_the_next_step(steps):
    first, second = (steps.execute("lines_of", path="data/a.csv") for _ in range(2))
    assert first.observed == second.observed
    assert [what for what, _ in first.observed] == [CSV]
    assert steps.execute("lines_of", path=str(steps.root / "helper.py")).observed == ()


def test_a_step_that_reads_nothing_has_nothing_observed(steps):
    done = steps.execute("nothing")
    assert (done.observed, done.wrote, done.notes) == ((), (), ())


def test_the_same_things_are_seen_again_in_the_same_order(steps):
    for name in ("filters", "lazily", "resource"):
        first, second = steps.execute(name), steps.execute(name)
        assert first.observed == second.observed == tuple(sorted(first.observed))
        assert first.observed


@pytest.mark.parametrize(
    "name",
    [
        *(
            "writes_and_reads",
            "replaces_and_reads",
            "makes_folder_and_lists",
            "sets_variable",
            "temporary",
            "logs",
        ),
        *("imports_library", "looks_for_source", "system", "which", "library_plumbing"),
    ],
)
def test_what_never_counts(steps, name):
    done = steps.execute(name)
    assert done.failure is None, done.failure
    assert done.observed == ()


def test_all_of_the_environment_is_only_noted(steps):
    done = steps.execute("whole_environment")
    assert done.observed == (("$*", ""),)
    assert [note for note in done.notes if "reads the whole environment" in note] == list(done.notes) != []


def test_a_variable_of_the_machine_counts_where_the_project_asks_itself(steps, monkeypatch):
    monkeypatch.setenv("COLUMNS", "77")
    assert steps.execute("own_plumbing").observed == (("$COLUMNS", token("77")),)


def test_what_a_step_writes(steps):
    assert steps.execute("writes_and_reads").wrote == ("out.txt",)
    assert steps.execute("replaces_and_reads").wrote == ("out.part", "out.txt")
    assert steps.execute("makes_folder_and_lists").wrote == ("out", "out/deep", "out/deep/a")
    assert steps.execute("removes").wrote == ("gone", "gone/deep", "gone/deep/x")
    assert steps.execute("temporary").wrote == ()


def test_names_of_the_steps_own_making_do_not_count_in_a_listing(steps):
    before = World(steps.root).token("list data")
    assert steps.execute("lists_own").observed == (("list data\x1fown.txt", before),)
    (steps.root / "data/own.txt").unlink()
    assert World(steps.root).token("list data\x1fown.txt") == before
    (steps.root / "data/other").touch()
    assert World(steps.root).token("list data\x1fown.txt") != before


def test_the_root_itself_counts_also_directly_in_a_temporary_folder(steps, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(steps.root.parent))
    with (steps.root / "steps.py").open("a") as file:
        file.write("\ndef lists_here(): return len(os.listdir('.'))\n")
    assert steps.execute("lists_here").observed == (("list .", World(steps.root).token("list .")),)


def test_what_a_step_read_and_then_changed_counts_as_it_left_it(steps):
    (steps.root / "counter").write_text("1")
    (steps.root / "log.txt").write_text("before ")
    for name in ("makes_if_absent", "counts_up", "appends_and_reads"):
        done = steps.execute(name)
        assert done.notes == ()
        assert done.observed
        assert all(World(steps.root).token(what) == was for what, was in done.observed)
    (steps.root / "log.txt").write_text("edited")
    assert [World(steps.root).token(what) != was for what, was in done.observed] == [True]


def test_files_outside_of_the_project_count_by_their_full_path(steps, tmp_path):
    path = tmp_path / "outside.txt"
    path.write_text("1")
    time.sleep(0.05)  # below the folder of temporary files, so it has to have been there before
    assert dict(steps.execute("reads", path=str(path)).observed) == {
        f"file {path}": World(steps.root).token(f"file {path}")
    }


def test_the_store_the_caches_and_compiled_modules_never_count(steps, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(steps.root / "cache"))
    paths = ["cache/x", ".stepwell/x", "lib/site-packages/x", "__pycache__/x", "old.pyc"]
    for path in [steps.root / path for path in paths] + [tmp_path / "store/x"]:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("1")
    time.sleep(0.05)
    for path in [*paths, str(tmp_path / "store/x")]:
        done = steps.execute("reads", path=path)
        assert done.failure is None, done.failure
        assert done.observed == ()


def test_declared_inputs_do_not_count(steps):
    path = steps.root / "data/a.csv"
    digest = World(steps.root).token("file data/a.csv")
    for uri, kind in ((str(path), "pathlib.Path"), ("data/a.csv", "pathlib.Path")):
        source = Outside("table", uri, kind, (), digest)
        done = steps.execute("reads", path=source)
        assert done.failure is None, done.failure
        assert done.observed == ()
    assert steps.execute("reads", path=str(path)).observed  # the next task is not let off


def test_programs_and_connections_are_noted(steps):
    done = steps.execute("runs")
    noted = [what for what, _ in done.observed if what.startswith("ran ")]
    assert noted == ["ran sh", "ran true"]
    assert dict(done.observed)["ran sh"] == ""
    # what a child did is as good as what the step did itself
    assert dict(done.observed)["list data"] == World(steps.root).token("list data")
    assert done.notes == ()
    assert steps.execute("connects").observed == (("net localhost:1", ""),)


def test_a_file_that_changes_while_it_is_read_is_never_up_to_date(steps):
    """A process that the step knows nothing of writes to the file when the step has read it."""
    program = (
        "import os, time\n"
        "while not os.path.exists('ready'): time.sleep(0.001)\n"
        "open('data/a.csv', 'w').write('other')"
    )
    with subprocess.Popen([sys.executable, "-c", program], cwd=steps.root):
        done = steps.execute("waits")
    assert dict(done.observed)["file data/a.csv"] == MOVING
    assert [note for note in done.notes if "`data/a.csv` changed while the step read it" in note]


def test_a_failed_step_reports_nothing_observed(steps):
    done = steps.execute("fails")
    assert done.failure is not None
    assert done.observed == ()


def test_pipes_and_loops_are_looked_at_and_not_opened(steps):
    os.mkfifo(steps.root / "fifo")
    (steps.root / "loop").symlink_to("loop")
    assert dict(steps.execute("fifo").observed) == {"kind fifo": "other", "kind loop": "other"}


def test_names_that_are_no_text_never_count_as_up_to_date(steps):
    done = steps.execute("odd_name")
    assert [was for _, was in done.observed] == [MOVING]
    for what, _ in done.observed:
        what.encode()


def test_very_many_files_of_a_folder_count_together(steps, monkeypatch):
    monkeypatch.setattr(observe, "MOST_IN_A_FOLDER", 50)
    folder = steps.root / "data/many"
    folder.mkdir()
    for i in range(60):
        (folder / str(i)).write_text("1")
    done = steps.execute("many")
    assert [what for what, _ in done.observed] == ["all data/many"]
    assert World(steps.root).token("all data/many") == done.observed[0][1]
    (folder / "7").write_text("22")
    assert World(steps.root).token("all data/many") != done.observed[0][1]


def test_too_many_things_are_never_up_to_date(steps, monkeypatch):
    monkeypatch.setattr(observe, "MOST", 50)
    folder = steps.root / "data/many"
    folder.mkdir()
    for i in range(60):
        (folder / str(i)).write_text("1")
    done = steps.execute("many")
    assert MOVING in dict(done.observed).values()
    assert "more than 50 files" in done.notes[0]


# ---------------------------------------------------------------------------- what a step sees of it


def functions():
    return os.stat, os.lstat, os.access, os.readlink, os.open, type(os.environ)


def test_everything_is_put_back_after_each_task(steps):
    before = functions()
    for name in ("nothing", "exists", "fails", "replaced"):
        steps.execute(name)
        assert all(now is was for now, was in zip(functions(), before, strict=True))
    assert all(isinstance(each, types.BuiltinFunctionType) for each in before[:-1])


def test_a_function_that_a_step_replaces_is_left_alone(steps, monkeypatch):
    monkeypatch.setattr(os, "lstat", os.lstat)  # put back afterwards
    steps.execute("leaves_replaced")
    assert dict(steps.execute("lexists").observed)["link new.csv"] == "absent"
    assert not isinstance(os.lstat, hooks._Probe)  # the step's, or Python's own again
    assert os.path.islink(steps.root / "data/link")


def test_a_step_cannot_tell_that_it_is_observed(steps):
    os.chdir(steps.root)
    number = os.open("data", 0)
    expected = (
        *(str(inspect.signature(os.stat)), "stat", True, True, os.stat("data").st_mode, True),
        *(os.stat("a.csv", dir_fd=number).st_size, True, repr(os.stat), "<class 'os._Environ'>", True),
    )
    assert tuple(steps.value(steps.execute("sees"))) == expected
    os.close(number)


def test_errors_are_pythons_own(steps):
    first = steps.value(steps.execute("errors"))
    name = "steps"
    os.chdir(steps.root)
    assert first == sys.modules[name].errors()
    assert len(first) == 10


def test_a_probe_that_outlives_its_step_is_the_function(steps):
    from stepwell.worker.hooks import _Probe

    probe = _Probe("stat", os.stat)
    assert probe("/").st_ino == os.stat("/").st_ino
    assert probe == os.stat
    assert hash(probe) == hash(os.stat)
    assert pickle.loads(pickle.dumps(probe)) is os.stat


# ---------------------------------------------------------------------------- while modules are imported

MODULES = {
    "steps.py": """
        import json, os
        import deep
        CFG = json.load(
            open("c.json"),
        )
        if os.environ.get("MODE") == "fast":
            CFG = {}
        def cfg(): return CFG
        def nested(): return deep.TABLE
        def lazily():
            import late
            return late.TEXT
        def lent(): return os.environ.get("OMP_WAIT_POLICY"), os.environ.get("PYTHONHASHSEED"), os.environ.get("MINE")
    """,
    "deep.py": """
        import os
        from loader import load
        TABLE = load("table.txt")
        if not os.path.exists("made"):
            os.mkdir("made")
        os.environ.setdefault("SET_BY_MODULE", "1")
    """,
    "loader.py": """
        def load(path):
            with open(path) as file:
                return file.read()
    """,
    "late.py": "TEXT = open('table.txt').read()\n",
}


@pytest.fixture
def modules(tmp_path, monkeypatch):
    root = tmp_path / "project"
    root.mkdir()
    for name, text in MODULES.items():
        (root / name).write_text(inspect.cleandoc(text) + "\n")
    (root / "c.json").write_text("[1]")
    (root / "table.txt").write_text("table")
    monkeypatch.setenv("MODE", "slow")
    monkeypatch.setenv("SET_BY_MODULE", "")
    monkeypatch.delenv("SET_BY_MODULE")
    monkeypatch.chdir(root)
    return root


def load(root: Path) -> FirstParty:
    importer = FirstParty([root], Snapshot())
    importer.install()
    importer.load("steps")
    return importer


def test_reads_of_modules_are_known_with_their_statement(modules):
    importer = load(modules)
    world = World(modules)
    places = {(Path(read.file).name, read.line, read.what): read.token for read in importer.reads}
    lines = (modules / "steps.py").read_text().splitlines()
    at = next(line for name, line, what in places if what == "file c.json")
    assert "open(" in lines[at - 1] or "json.load" in lines[at - 1]
    del places["steps.py", at, "file c.json"]
    assert places == {
        ("deep.py", 3, "file table.txt"): world.token("file table.txt"),
        ("deep.py", 4, "kind made"): "folder",
        ("deep.py", 6, "$SET_BY_MODULE"): token(None),
        ("steps.py", 6, "$MODE"): token("slow"),
    }
    own = {read.what for read in importer.reads if read.own}
    assert own == {"kind made", "$SET_BY_MODULE"}
    assert set(importer.snapshot.expected()) == {"file table.txt", "file c.json", "$MODE"}
    assert type(os.environ) is os._Environ


def test_importing_nothing_of_ones_own_leaves_no_reads(modules):
    importer = FirstParty([modules], Snapshot())
    importer.install()
    importer.load("loader")
    assert importer.reads == []


@pytest.mark.parametrize("change", ["file", "variable", "folder"])
def test_a_process_that_lives_on_imports_again_when_a_read_changed(modules, monkeypatch, change):
    importer = load(modules)
    assert importer.refresh() == []
    assert sys.modules["steps"].CFG == [1]
    if change == "file":
        (modules / "c.json").write_text("[2]")
        expected = ["file c.json"]
    elif change == "variable":
        monkeypatch.setenv("MODE", "fast")
        expected = ["$MODE"]
    else:
        shutil.rmtree(modules / "made")  # of the modules' own making
        expected = []
    assert importer.refresh() == expected
    assert ("steps" not in sys.modules) == bool(expected)
    assert (importer.reads == []) == bool(expected)
    if expected:
        importer.load("steps")
        assert ([2] if change == "file" else {}) == sys.modules["steps"].CFG
        assert importer.refresh() == []


class Farm:
    """Real workers on a project that was loaded here, as a run does."""

    def __init__(self, root: Path, store: Path, importer: FirstParty) -> None:
        store.mkdir()
        Blobs(store).make()
        self.blobs = Blobs(store)
        self.engine = LocalEngine(root, store, importer.snapshot, 1)

    def run(self, name: str) -> Done:
        step = StepDef(name, "steps", name, (OutputDef(RESULT),))
        self.engine.submit(Task(1, name, "ab" * 32, step, ()))
        return ended(drain(self.engine, 1))[1]

    def value(self, done: Done):
        from stepwell.codecs import choose

        assert done.failure is None, done.failure
        return choose.load(self.blobs.held(done.outputs[0].data), done.outputs[0].artifact.codec)


@pytest.fixture
def farm(modules, tmp_path, monkeypatch):
    for name in ("OMP_WAIT_POLICY", "PYTHONHASHSEED"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MINE", "value")
    farm = Farm(modules, tmp_path / "store", load(modules))
    yield farm
    farm.engine.close()


def test_workers_find_what_the_driver_found(farm):
    for name in ("cfg", "nested"):
        done = farm.run(name)
        assert done.failure is None, done.failure
        assert done.observed == ()  # part of the step's identity


def test_what_a_step_imports_counts_for_each_step_that_does(farm, modules):
    expected = (("file table.txt", World(modules).token("file table.txt")),)
    assert [farm.run("lazily").observed for _ in range(2)] == [expected, expected]
    (
        modules / "late.py"
    ).unlink()  # its bytes were not known, so the worker reads the file; now there is none
    assert farm.run("cfg").failure is None


def test_a_worker_that_finds_something_else_when_it_imports_fails_the_step(farm, modules):
    (modules / "c.json").write_text("[2]")
    done = farm.run("cfg")
    assert done.failure is not None
    assert done.failure.code == "E407"
    assert "`c.json` changed since the run was planned" in done.failure.what
    assert done.failure.fixes == ("run again",)
    (modules / "c.json").write_text("[1]")
    assert farm.value(farm.run("cfg")) == [1]  # the next worker is in time


def test_variables_that_only_workers_have_count_as_in_the_driver(farm, modules):
    done = farm.run("lent")
    assert farm.value(done) == ("PASSIVE", "0", "value")
    assert dict(done.observed) == {
        "$OMP_WAIT_POLICY": token(None),
        "$PYTHONHASHSEED": token(None),
        "$MINE": token("value"),
    }
    assert all(World(modules).token(what) == was for what, was in done.observed)


# ---------------------------------------------------------------------------- code that nobody saw coming

UNSEEN = {
    "steps.py": """
        import importlib, importlib.util, json, os, pickle, runpy, sys, types
        from importlib.machinery import SourceFileLoader
        import known
        def spec():
            spec = importlib.util.spec_from_file_location("x", "plugins/a.py")
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
            return module.V
        def loader():
            module = types.ModuleType("x")
            SourceFileLoader("x", "plugins/a.py").exec_module(module)
            return module.V
        def by_name(): return importlib.import_module(json.load(open("c.json"))).V
        def by_dunder(): return __import__("".join(["by_", "name"])).V
        def by_path():
            sys.path.append("lib")
            from library import V
            return V
        def unpickles(): return type(pickle.loads(bytes.fromhex(%r))).__name__
        def unpickles_loaded(): return type(pickle.loads(bytes.fromhex(%r))).__name__
        def runs_path(): return runpy.run_path("plugins/a.py")["V"]
        def runs_module(): return runpy.run_module("plugins.a")["V"]
        def executes():
            space = {}
            exec("from by_name import V", space)
            return space["V"]
        def finds(): return importlib.util.find_spec("option") is None
        def tries():
            try: return importlib.import_module("option")
            except ImportError: return None
        def tries_below():
            try: return __import__(".".join(["plugins", "option"]))
            except ImportError: return None
        def seen_by_all():
            import inside
            try: import missing
            except ImportError: return known.V
    """,
    "known.py": "V = 1\nclass Known: pass\n",
    "inside.py": "V = 1\n",
    "by_name.py": "from deeper import V\n",
    "deeper.py": "V = 1\nclass Deeper: pass\n",
    "plugins/__init__.py": "",
    "plugins/a.py": "V = 1\n",
    "lib/library.py": "V = 1\n",
    "c.json": '"by_name"',
}

PICKLES = (b"\x80\x04cdeeper\nDeeper\n)\x81.", b"\x80\x04cknown\nKnown\n)\x81.")


@pytest.fixture
def unseen(bench):
    for name, text in UNSEEN.items():
        bench.write(text % tuple(each.hex() for each in PICKLES) if name == "steps.py" else text, name)
    bench.write("def nothing(): pass", "quiet.py")
    assert bench.execute("seen_by_all").observed == ()  # nobody has told what is covered
    bench.context._calls.clear()
    names = [
        line.split("(")[0][4:] for line in inspect.cleandoc(UNSEEN["steps.py"]).splitlines() if "def " in line
    ]
    bench.context.covered = {f"steps:{name}": ("steps.py", "inside.py", "known.py") for name in names}
    return bench


BY_NAME = (
    "file by_name.py", "file deeper.py", "kind by_name/__init__.py", "kind deeper/__init__.py"
)  # fmt: skip
"""Both, and where they would have been found first."""


@pytest.mark.parametrize(
    ("name", "files"),
    [
        ("spec", ("file plugins/a.py",)),
        ("loader", ("file plugins/a.py",)),
        ("by_name", (*BY_NAME, "file c.json")),
        ("by_dunder", BY_NAME),
        ("by_path", ("file lib/library.py",)),
        ("unpickles", ("file deeper.py", "kind deeper/__init__.py")),
        ("unpickles_loaded", ()),
        ("runs_path", ("file plugins/a.py",)),
        ("runs_module", ("file plugins/__init__.py", "file plugins/a.py", "kind plugins/a/__init__.py")),
        ("executes", BY_NAME),
        ("finds", ("kind option", "kind option.py")),
        ("tries", ("kind option", "kind option.py")),
        ("tries_below", ("file plugins/__init__.py", "kind plugins/option", "kind plugins/option.py")),
        ("seen_by_all", ()),
    ],
)
def test_code_that_no_fingerprint_covers_counts_each_time_it_is_executed(unseen, name, files):
    world = World(unseen.root)
    for _ in range(2):
        done = unseen.execute(name)
        assert done.failure is None, done.failure
        assert done.observed == tuple((what, world.token(what)) for what in sorted(files))
    assert not {"library", "by_name", "deeper", "plugins.a"} & set(sys.modules)


def test_a_module_that_is_loaded_already_counts_where_it_is_asked_for_by_name(unseen):
    importer = unseen.context.importer
    importer.load("by_name")  # as the module of another step would
    for _ in range(2):
        done = unseen.execute("by_name")
        assert [what for what, _ in done.observed] == sorted((*BY_NAME, "file c.json"))
    assert "by_name" in sys.modules


def test_what_comes_to_hide_a_module_that_was_asked_for_by_name_is_noticed(unseen):
    observed = dict(unseen.execute("by_name").observed)
    package = unseen.root / "by_name"
    package.mkdir()
    assert all(World(unseen.root).token(what) == was for what, was in observed.items())
    (package / "__init__.py").write_text("V = 2\n")
    world = World(unseen.root)
    assert {what for what, was in observed.items() if world.token(what) != was} == {
        "kind by_name/__init__.py"
    }


def test_where_a_module_would_be_found_first(tmp_path):
    """In the order in which Python looks: earlier roots, packages before modules, regular packages before folders."""
    for name in ("pkg/__init__.py", "pkg/mod.py", "src/top.py", "src/space/deep.py"):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    roots = [str(tmp_path), str(tmp_path / "src")]

    def found(name):
        return [os.path.relpath(place, tmp_path) for place in hiding.ahead(str(tmp_path / name), roots)]

    assert found("pkg/__init__.py") == []
    assert found("pkg/mod.py") == ["pkg/mod/__init__.py"]
    assert found("src/top.py") == ["top/__init__.py", "top.py", "src/top/__init__.py"]
    assert found("src/space/deep.py") == [
        "space/__init__.py", "space.py", "src/space/__init__.py", "src/space.py",
        "space/deep/__init__.py", "space/deep.py", "src/space/deep/__init__.py",
    ]  # fmt: skip
    assert list(hiding.ahead("/elsewhere/top.py", roots)) == []


def test_modules_that_are_imported_by_a_computed_name_count_for_the_statement(modules):
    (modules / "plugin.py").write_text("import below\nTEXT = open('table.txt').read()\n")
    (modules / "below.py").write_text("V = 1\n")
    (modules / "steps.py").write_text(
        "import importlib\nimport deep\n"
        "PLUGIN = importlib.import_module('plu' + 'gin')\n"
        "try:\n    importlib.import_module('op' + 'tion')\nexcept ImportError:\n    pass\n"
    )
    reads = load(modules).reads
    of_steps = {(read.line, read.what, read.ran) for read in reads if read.file.endswith("steps.py")}
    assert of_steps == {
        (3, "file plugin.py", True),
        (3, "file below.py", True),
        (3, "kind below/__init__.py", False),
        (3, "kind plugin/__init__.py", False),
        (3, "file table.txt", False),
        (5, "kind option", False),
        (5, "kind option.py", False),
    }
    world = World(modules)
    assert all(world.token(read.what) == read.token for read in reads if not read.own)


@pytest.mark.parametrize(
    ("text", "zoned"),
    [
        ("hour = time.localtime(0).tm_hour", True),
        ("datetime.fromtimestamp(0)", True),
        ("when.astimezone()", True),
        ("time.time() - time.perf_counter()", False),
        ("timestamps = 3", False),
    ],
)
def test_the_time_zone_counts_where_code_reckons_with_local_time(bench, text, zoned, monkeypatch):
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    bench.write("def quiet(): pass\ndef other():\n    " + text + "\n")
    bench.execute("quiet")
    bench.context._calls.clear()
    bench.context.covered = {"steps:quiet": ("steps.py",)}
    assert bench.execute("quiet").observed == ((("$TZ", token("Asia/Tokyo")),) if zoned else ())


def test_limits_are_what_the_page_says():
    page = (Path(__file__).parents[2] / "docs/internals/observed.md").read_text()
    for limit in (seen.MOST_IN_A_FOLDER, seen.MOST, seen.MOST_NAMES):
        assert f"{limit:,}" in page
