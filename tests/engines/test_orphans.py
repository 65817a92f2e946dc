"""Nothing that a run started is left: not after it closes, not after it was killed, however it hid."""

import os
import signal
import subprocess
import sys
import time

import pytest

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="finds processes in /proc"),
    pytest.mark.serial,
]

FAMILIES = """
    import os, pathlib, subprocess, sys, time

    SLEEP = [sys.executable, "-c", "import time; time.sleep(300)"]

    def note(pid):
        with open("pids", "a") as file:
            file.write(f"{pid}\\n")

    def child():
        note(os.getpid())
        note(subprocess.Popen(SLEEP).pid)

    def hidden():
        note(subprocess.Popen(SLEEP, start_new_session=True).pid)

    def daemon():
        "Forks twice, with a session of its own: the classic way to get away."
        pid = os.fork()
        if pid == 0:
            os.setsid()
            if os.fork() == 0:
                note(os.getpid())
                os.execv(SLEEP[0], SLEEP)
            os._exit(0)
        os.waitpid(pid, 0)

    def deaf():
        note(subprocess.Popen([sys.executable, "-c",
            "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(300)"]).pid)

    def all_of_them(then=0):
        note(os.getpid())
        child(); hidden(); daemon(); deaf()
        pathlib.Path("ready").touch()
        time.sleep(then)

    def dies_with_child():
        note(subprocess.Popen(SLEEP).pid)
        os._exit(1)
"""

DRIVER = """
import sys
from pathlib import Path
from stepwell.engines.local import LocalEngine
from stepwell.kernel.graph import Constant, StepDef
from stepwell.kernel.ports import Task
root, store = Path(sys.argv[1]), Path(sys.argv[2])
engine = LocalEngine(root, store, {}, 2, fork=sys.argv[3] == "fork")
engine.submit(Task(0, "a", "k", StepDef("all_of_them", "steps", "all_of_them"), (("then", Constant(300, "300")),)))
while True:
    engine.wait(1.0)
"""


@pytest.fixture
def families(project):
    project.write(FAMILIES)
    project.pids = lambda: [int(line) for line in (project.root / "pids").read_text().split()]
    return project


def wait_for(path, seconds=30.0):
    until = time.monotonic() + seconds
    while not path.exists():
        assert time.monotonic() < until
        time.sleep(0.01)
    time.sleep(0.1)


@pytest.mark.parametrize("fork", [True, False], ids=["forked", "started"])
def test_closing_ends_all(families, fork):
    engine = families.engine(fork=fork)
    assert families.one(engine, "all_of_them").failure is None
    wait_for(families.root / "pids")
    pids = families.pids()
    assert len(pids) == 6
    assert all(families.alive(pid) for pid in pids)
    begun = time.monotonic()
    engine.close()
    assert time.monotonic() - begun < 2.0
    assert families.gone_within(pids, 0.2)


def test_closing_in_the_middle_of_a_step(families):
    engine = families.engine()
    engine.submit(families.task("all_of_them", then=300))
    while not (families.root / "ready").exists():
        engine.wait(0.05)
    time.sleep(0.1)
    engine.close()
    assert families.gone_within(families.pids(), 0.2)


@pytest.mark.parametrize("fork", ["fork", "start"])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_the_driver_is_killed(families, number, fork):
    driver = subprocess.Popen(
        [sys.executable, "-c", DRIVER, str(families.root), str(families.store), fork],
        stderr=subprocess.DEVNULL,
    )
    wait_for(families.root / "ready")
    template = children(driver.pid)
    os.kill(driver.pid, number)
    driver.wait()
    assert families.gone_within([*families.pids(), *template], 2.0)


def test_the_supervisor_is_killed(families):
    engine = families.engine()
    assert families.one(engine, "all_of_them").failure is None
    pids = families.pids()
    os.kill(engine._supervisor._process.pid, signal.SIGKILL)
    until = time.monotonic() + 2
    while time.monotonic() < until and any(families.alive(pid) for pid in pids):
        engine.wait(0.05)
    assert not any(families.alive(pid) for pid in pids)


def test_a_dead_worker_takes_its_children_along(families):
    engine = families.engine()
    assert families.one(engine, "dies_with_child").failure.code == "E402"
    assert families.gone_within(families.pids(), 2.0)


def test_a_step_may_leave_a_server_running_for_the_run(families):
    """What is started in the background lives until the run ends."""
    engine = families.engine()
    families.one(engine, "hidden")
    families.one(engine, "hidden")
    assert all(families.alive(pid) for pid in families.pids())


def children(pid):
    listed = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True).stdout
    return [int(word) for word in listed.split()]


def test_descriptors_are_not_leaked(families):
    """Engines come and go, workers die: this process keeps nothing."""
    families.write("import os\ndef die(): os._exit(1)\n")
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        engine = families.engine()
        for _ in range(4):
            assert families.one(engine, "die").failure.code == "E402"
        engine.close()
    assert len(os.listdir("/proc/self/fd")) == before
