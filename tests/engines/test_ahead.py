"""A template that is started before there is a plan: taken over, begun anew where it must be, given up where it need not."""

import os
import subprocess
import sys
import time

import pytest

from stepwell.engines.ahead import Ahead
from stepwell.kernel.ports import Done
from stepwell.worker import family

LIBRARY = """
import os
NAME = os.environ.get("STEPWELL_TEST_NAME", "none")
PLACE = os.getpid()
"""

STEPS = """
import telling

def name():
    return telling.NAME

def place():
    return telling.PLACE

def parent():
    import os
    return os.getppid()
"""


@pytest.fixture
def telling(project, tmp_path, monkeypatch):
    """A project that imports a library which remembers where, and with what environment, it was imported."""
    (tmp_path / "libraries").mkdir()
    (tmp_path / "libraries" / "telling.py").write_text(LIBRARY)
    monkeypatch.syspath_prepend(str(tmp_path / "libraries"))
    monkeypatch.syspath_prepend(str(project.root))
    project.write(STEPS)
    return project


@pytest.fixture
def ahead(telling, monkeypatch):
    monkeypatch.setattr("stepwell.engines.machine.processors", lambda: 2)
    with Ahead(telling.root, [str(telling.root)], "steps", 2) as found:
        yield found


def engine(project, ahead, **options):
    return project.engine(2, ahead=ahead, preload=["steps"], **options)


def test_an_engine_takes_it_over_with_what_it_has_imported(telling, ahead):
    pid = ahead._supervisor._process.pid
    taking = engine(telling, ahead)
    assert telling.value(telling.one(taking, "parent")) == pid
    assert telling.value(telling.one(taking, "place")) == pid  # the template imported it, before any worker
    assert ahead.taken(2) is None


def test_what_a_module_changed_in_the_environment_is_there_when_libraries_are_imported(
    telling, ahead, monkeypatch
):
    pid = ahead._supervisor._process.pid
    monkeypatch.setenv("STEPWELL_TEST_NAME", "set later")
    taking = engine(telling, ahead)
    assert telling.value(telling.one(taking, "name")) == "set later"
    assert telling.value(telling.one(taking, "place")) == pid  # the same process, begun anew


def test_a_place_to_import_from_that_came_later_counts(telling, ahead, tmp_path, monkeypatch):
    (tmp_path / "others").mkdir()
    (tmp_path / "others" / "telling.py").write_text('NAME = "from another place"')
    monkeypatch.syspath_prepend(str(tmp_path / "others"))
    sys.path.remove(str(telling.root))
    sys.path.insert(0, str(telling.root))
    assert telling.value(telling.one(engine(telling, ahead), "name")) == "from another place"


def test_what_the_library_itself_sets_is_no_difference(telling, ahead, tmp_path, monkeypatch):
    (tmp_path / "libraries" / "telling.py").write_text(LIBRARY + "os.environ['STEPWELL_TEST_NAME'] = 'own'\n")
    with Ahead(telling.root, [str(telling.root)], "steps", 2) as again:
        monkeypatch.setenv("STEPWELL_TEST_NAME", "own")  # as the driver has it, which imported it too
        assert telling.value(telling.one(engine(telling, again), "name")) == "none"  # not begun anew


def test_a_library_that_ends_the_process_is_left_to_the_step_that_imports_it(telling, tmp_path, monkeypatch):
    monkeypatch.setattr("stepwell.engines.machine.processors", lambda: 2)
    (tmp_path / "libraries" / "telling.py").write_text("import os\nif os.getppid() != 1: os._exit(3)\n")
    telling.write("def fine():\n    return 1\n", "others.py")
    with Ahead(telling.root, [str(telling.root)], "steps", 2) as ahead:
        taking = engine(telling, ahead)
        task = telling.task("fine")
        task = task._replace(step=task.step._replace(module="others"))
        assert telling.value(telling.run(taking, task)[task.node]) == 1


def test_an_engine_for_other_jobs_makes_its_own(telling, ahead):
    pid = ahead._supervisor._process.pid
    taking = telling.engine(1, ahead=ahead, preload=["steps"])
    assert telling.value(telling.one(taking, "parent")) != pid


def test_what_nobody_takes_is_gone_at_once(telling, monkeypatch, tmp_path):
    monkeypatch.setattr("stepwell.engines.machine.processors", lambda: 2)
    (tmp_path / "libraries" / "telling.py").write_text(
        "import subprocess, time\nsubprocess.Popen(['sleep', '60'])\ntime.sleep(60)\n"
    )
    with Ahead(telling.root, [str(telling.root)], "steps", 2) as ahead:
        pid = ahead._supervisor._process.pid
        until = time.monotonic() + 20
        while not (below := family.descendants(pid)) and time.monotonic() < until:
            time.sleep(0.02)
        assert below
    for one in (pid, *below):
        until = time.monotonic() + 5
        while alive(one) and time.monotonic() < until:
            time.sleep(0.02)
        assert not alive(one)


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_with_one_processor_nothing_is_started(telling, monkeypatch):
    monkeypatch.setattr("stepwell.engines.machine.processors", lambda: 1)
    with Ahead(telling.root, [str(telling.root)], "steps", 1) as ahead:
        assert ahead.taken(1) is None


def test_workers_that_are_not_forked_begin_too(telling, ahead):
    done = telling.one(engine(telling, ahead, fork=False), "place")
    assert isinstance(done, Done)
    assert telling.value(done) not in (os.getpid(), 0)


DRIVER = """
import sys, time
from pathlib import Path
from stepwell.engines import machine
machine.processors = lambda: 2
from stepwell.engines.ahead import Ahead
root = Path(sys.argv[1])
sys.path[:0] = [str(root), sys.argv[2]]
with Ahead(root, [str(root)], "steps", 2) as ahead:
    print(ahead._supervisor._process.pid, flush=True)
    time.sleep(600)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the death of a parent is told on Linux only")
@pytest.mark.parametrize("library", [
    "import time\ntime.sleep(600)\n",
    "import threading, time\nthreading.Thread(target=time.sleep, args=(600,)).start()\n",
    "import subprocess\nsubprocess.Popen(['sleep', '600'])\n",
], ids=["hangs", "thread", "process"])  # fmt: skip
def test_it_is_gone_with_all_it_started_when_the_driver_is_killed(telling, tmp_path, library):
    (tmp_path / "libraries" / "telling.py").write_text(library)
    words = [sys.executable, "-c", DRIVER, str(telling.root), str(tmp_path / "libraries")]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as driver:
        pid = int(driver.stdout.readline())
        until = time.monotonic() + 20
        while "process" in library and not family.descendants(pid) and time.monotonic() < until:
            time.sleep(0.02)
        time.sleep(0.3)
        below = family.descendants(pid)
        driver.kill()
    for one in (pid, *below):
        until = time.monotonic() + 10
        while alive(one) and time.monotonic() < until:
            time.sleep(0.02)
        assert not alive(one)
