"""A step that fails, exits, crashes or is killed: it fails, with a reason, and nothing else does."""

import os
import signal
import sys
import time

import pytest

from stepwell.engines import deaths
from stepwell.kernel.ports import Done, Started

BAD = """
    import ctypes, os, signal, sys, time

    def fine():
        return 1

    def exits():
        sys.exit("enough")

    def exits_silently():
        sys.exit()

    def leaves(code):
        os._exit(code)

    def kills_itself(number):
        print("last words")
        os.kill(os.getpid(), number)
        time.sleep(60)

    def crashes():
        ctypes.string_at(0)

    def kills_its_parent():
        os.kill(os.getppid(), signal.SIGKILL)
        time.sleep(60)

    def interrupts_itself():
        raise KeyboardInterrupt

    def slow(seconds):
        time.sleep(seconds)
        return seconds

    def hog():
        blocks = []
        while True:
            blocks.append(bytearray(1 << 20))
"""


@pytest.fixture
def bad(project):
    project.write(BAD)
    return project


def test_sys_exit(bad):
    engine = bad.engine()
    failure = bad.one(engine, "exits").failure
    assert failure.code == "E402"
    assert "`exits` called `sys.exit` with the message 'enough'" in failure.what
    assert "steps.py:8" in failure.why
    assert bad.one(engine, "exits_silently").failure.what.endswith("called `sys.exit`")


def test_os_exit(bad):
    failure = bad.one(bad.engine(), "leaves", code=3).failure
    assert failure.code == "E402"
    assert "exit code 3" in failure.what


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGABRT, signal.SIGUSR1])
def test_a_signal(bad, number):
    task = bad.task("kills_itself", number=int(number))
    reports = bad.reports(bad.engine(), task)
    done = reports[-1]
    assert done.failure.code == "E403"
    assert number.name in done.failure.what
    assert "MB" in done.failure.what
    assert done.memory > 1e6
    assert bad.said(reports, task.node) == "last words\n"


def test_a_crash_in_c(bad):
    failure = bad.one(bad.engine(), "crashes").failure
    assert failure.code == "E403"
    assert "SIGSEGV" in failure.what


def test_keyboard_interrupt_of_its_own(bad):
    assert bad.one(bad.engine(), "interrupts_itself").failure.code == "E401"


def test_the_others_go_on(bad):
    engine = bad.engine(jobs=2)
    tasks = [bad.task("fine") for _ in range(40)]
    tasks[5:5] = [bad.task("leaves", code=1)]
    tasks[20:20] = [bad.task("kills_itself", number=9), bad.task("crashes")]
    done = bad.run(engine, *tasks)
    codes = {task.step.name: done[task.node].failure.code for task in tasks if done[task.node].failure}
    assert codes == {"leaves": "E402", "kills_itself": "E403", "crashes": "E403"}
    assert len(done) == 43


def test_a_killed_worker_starts_each_task_once(bad):
    """What was queued behind a task that died is not lost and not run twice."""
    engine = bad.engine(jobs=1)
    tasks = (
        [bad.task("fine") for _ in range(200)]
        + [bad.task("leaves", code=1)]
        + [bad.task("fine") for _ in range(50)]
    )
    reports = bad.reports(engine, *tasks)
    started = [r.node for r in reports if isinstance(r, Started)]
    assert sorted(started) == [t.node for t in tasks]
    assert len([r for r in reports if isinstance(r, Done)]) == 251


def test_the_supervisor_is_killed(bad):
    engine = bad.engine(jobs=2)
    done = bad.run(engine, bad.task("kills_its_parent"), *[bad.task("fine") for _ in range(5)])
    assert done[0].failure.code == "E403"
    assert sum(d.failure is None for d in done.values()) >= 4  # one more may have been running just then
    assert bad.value(bad.one(engine, "fine")) == 1


def test_a_library_that_ends_the_process_when_imported(bad):
    bad.write("import os\nos._exit(7)\n", "site/badlib.py")
    bad.write("import badlib\ndef f(): return 1\ndef g(): return 2", "uses.py")
    sys.path.insert(0, str(bad.root / "site"))
    try:
        engine = bad.engine(preload=["uses", "steps"])
        done = bad.run(engine, bad.task("fine"))
        assert done[0].failure is None
    finally:
        sys.path.pop(0)


@pytest.mark.skipif(sys.platform != "linux", reason="uses /proc")
def test_memory_runs_out(bad):
    """A limit of the process stands in for the machine's: MemoryError, told with a remedy."""
    bad.write(
        """
        import resource
        def hog():
            resource.setrlimit(resource.RLIMIT_AS, (1 << 30, resource.RLIM_INFINITY))
            blocks = [bytearray(1 << 20) for _ in range(1 << 20)]
        """,
        "limited.py",
    )
    task = bad.task("hog")._replace(step=bad.define("hog", module="limited"))
    failure = bad.run(bad.engine(), task)[task.node].failure
    assert failure.code == "E401"
    assert "MemoryError" in failure.what
    assert any("--jobs 1" in fix for fix in failure.fixes)


def test_killed_beyond_declared_memory(bad):
    """SIGKILL of a step that had more than it declared: memory ran out."""
    bad.write(
        """
        import os, signal
        def big():
            data = bytearray(300_000_000)
            os.kill(os.getpid(), signal.SIGKILL)
        """,
        "large.py",
    )
    task = bad.task("big")._replace(step=bad.define("big", module="large", memory=200_000_000))
    done = bad.run(bad.engine(), task)[task.node]
    assert done.failure.code == "E404"
    assert done.memory > 300_000_000
    assert 'memory="1GB"' in done.failure.fixes[0]


def test_the_system_kills_for_memory(bad, monkeypatch):
    """The system's own count of such kills decides."""
    engine = bad.engine()
    bad.one(engine, "fine")
    monkeypatch.setattr("stepwell.engines.machine.oom_kills", lambda: 10**9)
    assert bad.one(engine, "kills_itself", number=9).failure.code == "E404"


def test_memory_near_all_there_is():
    from stepwell.kernel.graph import StepDef
    from stepwell.kernel.ports import Task

    task = Task(0, "a", "k", StepDef("a", "m", "a"), ())
    done = deaths.died(task, 9, 900, 1.0, ran_out=False, total=1000)
    assert done.failure.code == "E404"
    assert deaths.died(task, 9, 100, 1.0, ran_out=False, total=1000).failure.code == "E403"


def test_a_worker_killed_while_idle(bad):
    engine = bad.engine(jobs=1)
    done = bad.one(engine, "fine")
    assert done.failure is None
    pid = next(iter(engine._links.values())).pid
    os.kill(pid, signal.SIGKILL)
    assert bad.gone_within([pid])
    assert bad.value(bad.one(engine, "fine")) == 1


def test_closing_lets_steps_clean_up(bad):
    bad.write(
        """
        import pathlib, time
        def tidy():
            try:
                pathlib.Path("started").touch()
                time.sleep(60)
            finally:
                pathlib.Path("tidied").touch()
        """,
        "careful.py",
    )
    engine = bad.engine()
    engine.submit(bad.task("tidy")._replace(step=bad.define("tidy", module="careful")))
    until = time.monotonic() + 20
    while not (bad.root / "started").exists() and time.monotonic() < until:
        engine.wait(0.05)
    engine.close()
    assert (bad.root / "tidied").exists()
