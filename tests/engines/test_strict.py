"""Strict mode: a step sees what it declares and nothing else, and reaching for more is a coded error."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest

from stepwell.worker import namespaces

STEPWELL = Path(sys.executable).with_name("stepwell")
COMMAND = "import sys; sys.argv[0] = 'stepwell'; from stepwell.cli.main import main; sys.exit(main())"


@pytest.fixture(scope="module", autouse=True)
def _must_be_had():
    why = namespaces.unavailable()
    if why and os.environ.get("CI") == "true":
        pytest.fail(f"strict mode cannot be tested here: {why}")
    if why:
        pytest.skip(f"STRICT MODE IS NOT TESTED HERE: {why}")


class Demo:
    """A project with a pipeline file, and the command on it."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "demo"
        self.root.mkdir()
        self.home = folder / "home"
        self.home.mkdir()
        self.env = {"PATH": os.environ["PATH"], "HOME": str(self.home), "PYTHONDONTWRITEBYTECODE": "1"}

    def file(self, name: str, text: str) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def pipeline(self, body: str, returns: str = "object") -> None:
        """Write a pipeline of one step `work` with this body, or of whole definitions with a last line `=> RESULT`."""
        head = "import os, socket, subprocess\nfrom pathlib import Path\nfrom stepwell import pipeline, source, step\n\n"
        body = textwrap.dedent(body).strip("\n")
        if "=> " not in body:
            body = f"@step\ndef work() -> {returns}:\n{textwrap.indent(body, '    ')}\n=> work()"
        steps, _, result = body.rpartition("=> ")
        self.file("pipeline.py", f"{head}{steps}\n\n@pipeline\ndef demo() -> object:\n    return {result}\n")

    def __call__(self, *words: str, code: int = 0, before: tuple[str, ...] = ()) -> dict:
        done = subprocess.run(
            [*before, STEPWELL, "run", "--json", *words], cwd=self.root, env=self.env, capture_output=True,
            text=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == code, f"{done.stdout}\n{done.stderr}"
        return json.loads(done.stdout)

    def value(self, *words: str) -> object:
        """What the pipeline gives in strict mode; without it must be the same, from the same keys."""
        strict = self("--strict", *words)
        plain = self("--force", "*")
        assert _keys(strict) == _keys(plain)
        assert strict["result"] == plain["result"]
        return strict["result"]

    def refused(self, step: str = "work") -> dict:
        """The error of the step in strict mode, which must be the one for undeclared reads."""
        document = self("--strict", code=1)
        failure = next(s for s in document["steps"] if s["id"] == step)["error"]
        assert failure["code"] == "E411", failure
        return failure


def _keys(document: dict) -> dict:
    return {step["id"]: (step.get("key"), step.get("outputs")) for step in document["steps"]}


@pytest.fixture
def demo(tmp_path):
    return Demo(tmp_path)


# ---------------------------------------------------------------------------- files


def test_an_undeclared_file_that_is_opened(demo):
    demo.file("data/secret.csv", "a\n1\n")
    demo.pipeline('return open("data/secret.csv").read()')
    failure = demo.refused()
    assert "`data/secret.csv`" in failure["what"]
    assert "FileNotFoundError" in failure["traceback"]
    assert 'open("data/secret.csv")' in failure["traceback"]


@pytest.mark.parametrize("how", ["read_parquet({!r}).height", "scan_parquet({!r}).collect().height"])
def test_a_parquet_file_by_the_native_reader_of_polars(demo, how):
    import polars as pl

    (demo.root / "data").mkdir()
    pl.DataFrame({"a": [1, 2]}).write_parquet(demo.root / "data" / "x.parquet")
    demo.pipeline(f"import polars\nreturn polars.{how.format('data/x.parquet')}")
    assert "`data/x.parquet`" in demo.refused()["what"]
    assert demo()["result"] == 2, "without strict mode it is read"


def test_a_parquet_pattern_by_polars(demo):
    import polars as pl

    (demo.root / "data").mkdir()
    pl.DataFrame({"a": [1, 2]}).write_parquet(demo.root / "data" / "x.parquet")
    demo.pipeline('import polars\nreturn polars.scan_parquet("data/*.parquet").collect().height')
    assert "`data" in demo.refused()["what"]


@pytest.mark.parametrize(
    "call",
    [
        'subprocess.run("cat ../secret", shell=True, check=True)',
        'subprocess.run(["cat", "../secret"], check=False).returncode',
        'os.system("cat ../secret | wc -l")',
    ],
)
def test_a_child_process_that_reads_a_file(demo, call):
    (demo.root.parent / "secret").write_text("no")
    demo.pipeline(f"{call}\nreturn 1")
    assert f"`{demo.root.parent}/secret`" in demo.refused()["what"]


@pytest.mark.parametrize(
    "probe",
    [
        'os.path.exists("data/secret.csv")',
        'Path("data/secret.csv").is_file()',
        'sorted(Path(".").glob("data/*.csv"))',
    ],
)
def test_absence_that_is_taken_for_an_answer(demo, probe):
    demo.file("data/secret.csv", "")
    demo.pipeline(f"return len(str({probe}))")
    demo.refused()


def test_a_folder_with_more_in_it_than_is_declared(demo):
    demo.file("data/a.csv", "x")
    demo.file("data/b.csv", "x")
    demo.pipeline("""
        @step
        def work(p: Path) -> list[str]:
            return sorted(os.listdir("data"))
        => work(source("data/a.csv")())
    """)
    assert "`data`" in demo.refused()["what"]
    (demo.root / "data" / "b.csv").unlink()
    assert demo("--strict")["result"] == ["a.csv"]


def test_a_database(demo):
    import sqlite3

    with sqlite3.connect(demo.root / "all.db") as connection:
        connection.execute("CREATE TABLE t (a)")
    demo.pipeline("""
        import sqlite3
        try:
            return sqlite3.connect("all.db").execute("SELECT count(*) FROM t").fetchone()[0]
        except sqlite3.Error:
            return 0
    """)
    assert "`all.db`" in demo.refused()["what"]


def test_a_file_that_a_module_reads_when_it_is_imported(demo):
    demo.file("c.json", "{}")
    demo.file("settings.py", 'import json\nCONFIG = json.load(open("c.json"))\n')
    demo.pipeline("""
        import settings
        @step
        def work() -> int:
            return len(settings.CONFIG)
        => work()
    """)
    assert demo("--strict")["result"] == 0, "it is part of the keys of the steps that reach it"


def test_a_module_that_the_fingerprint_does_not_reach(demo):
    demo.file("models/late.py", "X = 1\n")
    demo.pipeline('import importlib\nreturn importlib.import_module("".join(["models.", "late"])).X')
    assert "`models`" in demo.refused()["what"]


def test_home_and_tmp_are_empty_and_private(demo):
    there, made = (Path("/var/tmp") / f"stepwell-{what}-{os.getpid()}" for what in ("there", "made"))
    there.write_text("")
    demo.pipeline(
        """
        import tempfile
        Path("/var/tmp/MADE").write_text("x")
        with tempfile.NamedTemporaryFile() as file:
            file.write(b"x")
        (Path.home() / "cache").mkdir()
        said = subprocess.run(["ls", "/var/tmp", Path.home()], capture_output=True, text=True, check=True).stdout
        return sorted(line for line in said.splitlines() if line[:1] not in ("", "/"))
    """.replace("MADE", made.name)
    )
    try:
        assert demo("--strict")["result"] == ["cache", made.name]
    finally:
        there.unlink()
    assert not made.exists()
    assert list(demo.home.iterdir()) == []


def test_system_folders_cannot_be_written(demo):
    demo.pipeline("""
        told = []
        for path in ("/usr/x", "/etc/x", "/x"):
            try:
                Path(path).write_text("x")
            except OSError as error:
                told.append(error.errno)
        return told
    """)
    assert len(demo("--strict")["result"]) == 3


def test_an_error_that_merely_names_something_stays_what_it_is(demo):
    demo.file("data/x.csv", "")
    demo.pipeline('return {}["data"]')
    document = demo("--strict", code=1)
    assert document["steps"][0]["error"]["code"] == "E401"


# ---------------------------------------------------------------------------- network


@pytest.fixture
def server():
    """A server on loopback, outside."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(60)

        def answer():
            try:
                while True:
                    connection, _ = listening.accept()
                    with connection:
                        connection.sendall(b"42")
            except OSError:
                return

        threading.Thread(target=answer, daemon=True).start()
        yield listening.getsockname()[1]


def test_a_server_outside(demo, server):
    demo.pipeline(f'return socket.create_connection(("127.0.0.1", {server})).recv(10).decode()')
    assert demo()["result"] == "42"
    demo.pipeline(f'return int(socket.create_connection(("127.0.0.1", {server})).recv(10))')
    failure = demo.refused()
    assert "network" in failure["what"]
    assert f"127.0.0.1:{server}" in failure["what"]


def test_a_server_outside_whose_absence_is_taken_for_an_answer(demo, server):
    demo.pipeline(f"""
        try:
            return int(socket.create_connection(("127.0.0.1", {server})).recv(10))
        except OSError:
            return 0
    """)
    assert "network" in demo.refused()["what"]


def test_a_child_process_that_connects(demo):
    """No hook of Python sees it: the kernel counts."""
    code = "import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).connect((chr(49) + '.2.3.4', 5))"
    demo.pipeline(f'import sys\nreturn subprocess.run([sys.executable, "-c", {code!r}]).returncode')
    assert "network" in demo.refused()["what"]


def test_a_socket_in_the_file_system(demo, tmp_path):
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(demo.root / "s"))
        listening.listen()
        demo.pipeline('s = socket.socket(socket.AF_UNIX)\ns.connect("s")\nreturn 1')
        demo.refused()


def test_a_server_inside_is_nobody_elses_business(demo):
    demo.pipeline("""
        server = socket.create_server(("127.0.0.1", 0))
        client = socket.create_connection(server.getsockname())
        server.accept()[0].sendall(b"hi")
        return client.recv(10).decode()
    """)
    assert demo.value() == "hi"


# ---------------------------------------------------------------------------- what is declared


def test_declared_sources(demo):
    """A folder of 1,000 files, a pattern, links, and data of a package."""
    (demo.root / "data").mkdir()
    for i in range(1000):
        demo.file(f"many/{i}.txt", str(i))
    outside = demo.root.parent / "elsewhere"
    outside.mkdir()
    (outside / "real.txt").write_text("linked")
    (outside / "link.txt").symlink_to("real.txt")
    (demo.root / "data" / "link.txt").symlink_to(outside / "link.txt")
    (demo.root / "linked").mkdir()
    (demo.root / "linked" / "in.txt").symlink_to("../../elsewhere/link.txt")
    demo.file("mine/__init__.py", "")
    demo.file("mine/data/words.txt", "words")
    demo.pipeline("""
        import mine
        @step
        def folder(p: Path) -> list:
            return [len(os.listdir(p)), sum(int(f.read_text()) for f in p.iterdir())]
        @step
        def pattern(paths: list[Path]) -> list[str]:
            return [p.name for p in paths]
        @step
        def text(p: Path) -> list:
            return [p.read_text(), p.is_symlink(), p.resolve().name]
        @step
        def first(p: Path) -> str:
            return (p / "in.txt").read_text()
        @step
        def words(p: Path) -> list:
            return [p.read_text(), bool(mine.__file__)]
        => [folder(source("many")()), pattern(source("many/99*.txt", list[Path])()),
            text(source("data/link.txt")()), first(source("linked")()), words(source("package://mine/data/words.txt")())]
    """)
    assert demo.value() == [
        [1000, 499500], ["99.txt", *(f"{i}.txt" for i in range(990, 1000))],
        ["linked", True, "real.txt"], "linked", ["words", True],
    ]  # fmt: skip


def test_a_declared_table_by_pandas(demo):
    demo.file("data/a.csv", "x,y\n1,2\n3,4\n")
    demo.pipeline("""
        import pandas as pd
        @step
        def work(t: pd.DataFrame) -> int:
            return int(t["x"].sum())
        => work(source("data/a.csv", pd.DataFrame)())
    """)
    assert demo("--strict")["result"] == 4


def test_values_between_steps_and_output_files(demo):
    demo.pipeline("""
        import numpy as np
        @step
        def numbers() -> np.ndarray:
            return np.arange(100_000.0)
        @step
        def summary(values: np.ndarray) -> dict:
            return {"mean": float(values.mean()), "root": os.path.isdir(".")}
        @step
        def report(given: dict) -> Path:
            Path("out").mkdir(exist_ok=True)
            Path("out/report.txt").write_text(str(given["mean"]))
            return Path("out/report.txt")
        @step
        def read(path: Path) -> str:
            return path.read_text()
        => [summary(numbers()), read(report.options(out="out/report.txt")(summary(numbers())))]
    """)
    document = demo("--strict")
    assert document["result"][1] == "49999.5"
    assert (demo.root / "out" / "report.txt").read_text() == "49999.5"
    assert [p.name for p in (demo.root / "out").iterdir()] == ["report.txt"]
    (demo.root / "out" / "report.txt").write_text("old")
    demo("--strict", "--force", "*")
    assert (demo.root / "out" / "report.txt").read_text() == "49999.5", "replaced"


def test_each_step_sees_its_own_inputs(demo):
    """What another step declares is hidden from this one."""
    demo.file("a.txt", "a")
    demo.pipeline("""
        @step
        def one(p: Path) -> str:
            return p.read_text()
        @step
        def work(given: str) -> str:
            return given + Path("a.txt").read_text()
        => work(one(source("a.txt")()))
    """)
    assert "`a.txt`" in demo.refused()["what"]


def test_processes_threads_and_the_interpreter_are_there(demo):
    demo.pipeline("""
        import multiprocessing, sys, concurrent.futures
        with concurrent.futures.ThreadPoolExecutor(2) as threads:
            list(threads.map(abs, range(3)))
        with multiprocessing.get_context("spawn").Pool(2) as pool:
            squares = pool.map(abs, [-1, 2])
        said = subprocess.run([sys.executable, "-c", "print(5)"], capture_output=True, text=True, check=True).stdout
        return [squares, said, os.getcwd() == os.path.dirname(os.path.abspath("x"))]
    """)
    assert demo.value() == [[1, 2], "5\n", True]


# ---------------------------------------------------------------------------- the verdict on what was observed


JUDGE = """
import sys
from pathlib import Path
from stepwell.kernel.graph import RESULT, OutputDef, StepDef
from stepwell.kernel.ports import Done, Task
from stepwell.stores.blobs import Blobs
from stepwell.worker import sandbox
from stepwell.worker.modules import FirstParty

root, store, what = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
step = StepDef(name="work", module="steps", qualname="work", outputs=(OutputDef(RESULT),))
box = sandbox.enter(Task(0, "work", "k", step, ()), root, store, FirstParty([root]))
done = box.judged(Done(0, observed=((what, "absent"),)))
print(done.failure.what if done.failure else "fine")
"""


@pytest.mark.parametrize(
    ("what", "told"),
    [
        ("kind secret.csv", "`secret.csv`"),
        ("file secret.csv", "`secret.csv`"),
        ("list folder", "`folder`"),
        ("list .", "`.`"),
        ("kind nothing.csv", "fine"),
        ("file steps.py", "fine"),
        ("file /etc/passwd", "fine"),
        ("$HOME", "fine"),
    ],
)
def test_absence_taken_for_an_answer_shows_in_the_trace(tmp_path, what, told):
    from stepwell.stores.blobs import Blobs

    root, store = tmp_path / "root", tmp_path / "store"
    for folder in (root, store, root / "folder"):
        folder.mkdir()
    Blobs(store).make()
    (root / "steps.py").write_text("def work(): return 1\n")
    (root / "secret.csv").write_text("")
    done = subprocess.run(
        [sys.executable, "-c", JUDGE, root, store, what], capture_output=True, text=True, check=True
    )
    assert told in done.stdout


# ---------------------------------------------------------------------------- where it cannot be had


def test_without_namespaces_it_refuses_before_anything_runs(demo):
    """A user namespace whose own limit on further namespaces is zero: the kernel refuses, for real."""
    demo.pipeline('Path("/var/tmp/never").write_text("")\nreturn 1')
    forbid = 'echo 0 > /proc/sys/user/max_mnt_namespaces && exec "$@"'
    wrapped = ("unshare", "--user", "--map-root-user", "sh", "-c", forbid, "sh")
    error = demo("--strict", code=3, before=wrapped)["error"]
    assert error["code"] == "E311"
    assert "unshare" in error["why"]
    assert demo("--strict", "--dry-run", code=3, before=wrapped)["error"]["code"] == "E311"
    assert demo(before=wrapped)["result"] == 1, "without it, it runs"


def test_not_in_this_process(demo):
    demo.pipeline("return 1")
    assert demo("--strict", "--in-process", code=2)["error"]["code"] == "E100"


def test_the_engine_refuses_a_system_that_is_not_linux(monkeypatch):
    namespaces.unavailable.cache_clear()
    monkeypatch.setattr(sys, "platform", "darwin")
    try:
        assert "darwin" in namespaces.unavailable()
    finally:
        namespaces.unavailable.cache_clear()


def _python_of_everybody() -> str:
    """An interpreter of this version that any user can run, "" if there is none."""
    name = f"python3.{sys.version_info[1]}"
    places = [sys.executable, shutil.which(name, path="/usr/bin:/usr/local/bin") or ""]
    as_nobody = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]
    for place in filter(None, places):
        again = "import subprocess, sys, ctypes; subprocess.run([sys.executable, '-c', 'import ctypes'], check=True)"
        tried = subprocess.run([*as_nobody, place, "-c", again], capture_output=True, check=False)
        if tried.returncode == 0:
            return place
    return ""


@pytest.mark.skipif(os.geteuid() != 0, reason="all other tests run as an ordinary user already")
def test_as_an_ordinary_user(demo, tmp_path):
    python = _python_of_everybody()
    if not python:
        pytest.skip("ORDINARY USERS ARE NOT TESTED: no interpreter that they can run")
    top = Path("/var/tmp") / f"stepwell-strict-{os.getpid()}"
    shutil.copytree(demo.root, top)
    try:
        demo.root = top
        demo.file("data/a.csv", "x\n")
        demo.file("secret", "")
        demo.pipeline("""
            @step
            def good(p: Path) -> list:
                return [p.read_text(), os.getuid(), os.access("/etc/shadow", os.R_OK)]
            @step
            def work(given: list) -> str:
                return Path("secret").read_text()
            => work(good(source("data/a.csv")()))
        """)
        for path in (top, *top.rglob("*")):
            os.chown(path, 65534, 65534)
        places = ":".join(entry for entry in sys.path if entry)
        done = subprocess.run(
            ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", python, "-c", COMMAND,
             "run", "--strict", "--json"],
            cwd=top, env={"PATH": "/usr/bin:/bin", "HOME": str(top), "PYTHONPATH": places},
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert "steps" in done.stdout, done.stdout
        steps = {step["id"]: step for step in json.loads(done.stdout)["steps"]}
        assert steps["good"]["status"] == "succeeded", done.stdout
        assert steps["work"]["error"]["code"] == "E411", done.stdout
    finally:
        shutil.rmtree(top)


# ---------------------------------------------------------------------------- what is left


def test_logs_memory_and_numbers_arrive(demo):
    demo.pipeline("""
        from stepwell import log
        log.metric("half", 0.5)
        log.text("long", "x" * 100_000)
        print("spoken")
        subprocess.run("echo by a child; echo trouble >&2", shell=True, check=True)
        return len(bytearray(80_000_000))
    """)
    step = demo("--strict")["steps"][0]
    assert step["memory_bytes" if "memory_bytes" in step else "memory"] > 80_000_000
    logs = subprocess.run(
        [STEPWELL, "logs", "last", "work"],
        cwd=demo.root,
        env=demo.env,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert all(word in logs for word in ("spoken", "by a child", "trouble"))
    shown = subprocess.run(
        [STEPWELL, "show", "--json"], cwd=demo.root, env=demo.env, capture_output=True, text=True, check=True
    ).stdout
    assert [(one["name"], one["size"]) for one in json.loads(shown)["recorded"]] == [("long", 100_000)]


def test_nothing_is_left_behind(demo):
    before, names = Path("/proc/self/mountinfo").read_text(), set(os.listdir("/tmp"))
    demo.pipeline("return 1")
    demo("--strict")
    assert Path("/proc/self/mountinfo").read_text() == before
    assert not [name for name in set(os.listdir("/tmp")) - names if "stepwell" in name]
    assert sorted(path.name for path in demo.root.iterdir()) == [".stepwell", "pipeline.py"]


def test_a_killed_driver_leaves_no_process(demo, tmp_path):
    demo.pipeline("""
        import time
        print(os.getpid(), flush=True)
        child = subprocess.Popen(["sleep", "61.5"])
        time.sleep(60)
    """)
    driver = subprocess.Popen(
        [STEPWELL, "run", "--strict"],
        cwd=demo.root,
        env=demo.env,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    mine = _inside(demo.root)
    try:
        until = time.monotonic() + 20
        while not mine() and time.monotonic() < until:
            time.sleep(0.02)
        assert mine()
        driver.send_signal(signal.SIGKILL)
        driver.wait()
        until = time.monotonic() + 3
        while mine() and time.monotonic() < until:
            time.sleep(0.02)
        assert not mine()
    finally:
        driver.kill()


def _inside(root: Path):
    """A function that gives the `sleep` processes whose working folder is this root, as these see it."""

    def found() -> list[str]:
        pids = []
        for name in filter(str.isdecimal, os.listdir("/proc")):
            try:
                words = Path(f"/proc/{name}/cmdline").read_bytes().split(b"\0")
                if words[:2] == [b"sleep", b"61.5"] and os.readlink(f"/proc/{name}/cwd").endswith(root.name):
                    pids.append(name)
            except OSError:
                continue
        return pids

    return found


def test_a_step_that_crashes_or_takes_too_long_is_told_as_ever(demo):
    demo.pipeline("os.kill(os.getpid(), 11)")
    assert demo("--strict", code=1)["steps"][0]["error"]["code"] == "E403"


def test_many_small_tasks_on_few_workers(demo):
    """One worker a task: none is sent to a worker that is about to end."""
    demo.pipeline("""
        @step
        def one(n: int) -> int:
            return n
        @step
        def total(values: list[int]) -> int:
            return sum(values)
        => total([one(n) for n in range(20)])
    """)
    assert demo("--strict", "--jobs", "2")["result"] == 190
