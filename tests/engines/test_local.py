"""The local engine: steps run side by side, within what the machine has, from the code that was fingerprinted."""

import os
import threading
import time

import pytest

from stepwell.engines.admission import Admission
from stepwell.engines.inprocess import InProcessEngine
from stepwell.errors import BadStep
from stepwell.kernel.graph import Constant
from stepwell.kernel.ports import Done, Interrupt, Started, Stored
from stepwell.worker.modules import Snapshot

STEPS = """
    import os, time
    from pathlib import Path

    def meet(mine, other):
        "Ends only when both are there at once."
        Path(mine).touch()
        until = time.monotonic() + 30
        while not Path(other).exists():
            assert time.monotonic() < until, "the other never came"
            time.sleep(0.005)
        return os.getpid()

    def span(seconds=0.1):
        begin = time.monotonic()
        time.sleep(seconds)
        return [begin, time.monotonic()]

    def one():
        return 1

    def length(data):
        return len(data)

    def uneven(n):
        if n == 3:
            time.sleep(1.0)
        return n

    def block(name):
        Path(name).touch()
        until = time.monotonic() + 30
        while not Path(name + ".go").exists() and time.monotonic() < until:
            time.sleep(0.005)
        return name
"""


@pytest.fixture
def steps(project):
    project.write(STEPS)
    return project


def test_really_parallel(steps):
    engine = steps.engine(jobs=2)
    done = steps.run(engine, steps.task("meet", mine="a", other="b"), steps.task("meet", mine="b", other="a"))
    assert steps.value(done[0]) != steps.value(done[1])


def test_one_job_is_one_at_a_time(steps):
    done = steps.run(steps.engine(jobs=1), *[steps.task("span") for _ in range(4)])
    assert most_at_once(steps.value(d) for d in done.values()) == 1


def test_no_more_than_jobs(steps):
    done = steps.run(steps.engine(jobs=3), *[steps.task("span") for _ in range(12)])
    assert most_at_once(steps.value(d) for d in done.values()) == 3


def test_declared_processors(steps):
    """Two steps of two processors do not run at once on three."""
    engine = steps.engine(jobs=3)
    wide = [steps.task("span")._replace(step=steps.define("span", cpus=2.0)) for _ in range(3)]
    narrow = [steps.task("span") for _ in range(6)]
    done = steps.run(engine, *[t for pair in zip(wide, narrow[:3], strict=True) for t in pair], *narrow[3:])
    spans = {node: steps.value(d) for node, d in done.items()}
    assert most_at_once(spans[t.node] for t in wide) == 1
    weights = {t.node: 2 for t in wide} | {t.node: 1 for t in narrow}
    assert most_at_once(spans.values(), [weights[node] for node in spans]) <= 3


def test_declared_memory(steps, monkeypatch):
    monkeypatch.setattr("stepwell.engines.machine.memory", lambda: 10 * 10**9)
    engine = steps.engine(jobs=4)
    big = [steps.task("span")._replace(step=steps.define("span", memory=6 * 10**9)) for _ in range(3)]
    done = steps.run(engine, *big)
    assert most_at_once(steps.value(d) for d in done.values()) == 1


def test_more_than_there_is_runs_alone(steps):
    engine = steps.engine(jobs=2)
    huge = steps.task("span")._replace(step=steps.define("span", cpus=64.0, memory=10**15))
    others = [steps.task("span") for _ in range(4)]
    done = steps.run(engine, others[0], huge, *others[1:])
    begin, end = steps.value(done[huge.node])
    for other in others:
        b, e = steps.value(done[other.node])
        assert e <= begin or b >= end


def test_fractions_of_a_processor(steps):
    """Steps that mostly wait: four of a quarter run at once on one."""
    engine = steps.engine(jobs=1)
    light = [steps.task("span", seconds=0.5)._replace(step=steps.define("span", cpus=0.25)) for _ in range(4)]
    done = steps.run(engine, *light)
    assert most_at_once(steps.value(d) for d in done.values()) > 1


def test_a_waiting_step_is_not_starved_and_starves_nobody():
    admission = Admission(4, 0)
    admission.plain = 2

    def need(node, cpus):
        from stepwell.kernel.graph import StepDef
        from stepwell.kernel.ports import Task

        return Task(node, "", "", StepDef("a", "m", "a", cpus=cpus), ())

    four, three = need(0, 4.0), need(1, 3.0)
    assert not admission.admits(four)
    assert admission.would_admit(four)  # so plain tasks hold back
    admission.plain = 0
    admission.take(three)
    assert not admission.admits(four)
    assert not admission.would_admit(four)  # it waits for `three`, so plain tasks may go on
    assert admission.has_processor()


def test_work_behind_a_slow_step_goes_to_others(steps):
    """Small tasks are sent ahead; those behind one that turns out slow are taken back."""
    engine = steps.engine(jobs=2)
    steps.run(engine, *[steps.task("uneven", n=0) for _ in range(300)])
    tasks = [steps.task("uneven", n=n) for n in range(100)]
    for task in tasks:
        engine.submit(task)
    ends = {}
    while len(ends) < 100:
        ends |= {r.node: time.monotonic() for r in engine.wait(1.0) if isinstance(r, Done)}
    slow = ends.pop(tasks[3].node)
    assert slow == max(*ends.values(), slow)
    assert max(ends.values()) < slow - 0.5


def test_large_inputs_do_not_block(steps):
    """Values larger than any pipe, both ways, many at once."""
    engine = steps.engine(jobs=2)
    tasks = [steps.task("length", data=Constant("x" * 500_000, "")) for _ in range(40)]
    done = steps.run(engine, *tasks)
    assert {steps.value(d) for d in done.values()} == {500_000}
    assert not list((steps.store / "tmp").iterdir())


def test_what_runs_is_what_was_read(steps):
    """A file that changes after the snapshot, also by an edit of the same size within the second, runs as it was."""
    path = steps.write("import other\ndef which(): return ('a', other.WORD)\n", "which.py")
    other = steps.write("WORD = 'a'\n", "other.py")
    snapshot = {str(p): p.read_bytes() for p in (path, other)}
    path.write_text(path.read_text().replace("'a'", "'b'"))
    other.write_text("WORD = 'b'\n")
    for fork in (True, False):
        engine = steps.engine(snapshot=snapshot, preload=["which"], fork=fork)
        task = steps.task("which")._replace(step=steps.define("which", module="which"))
        assert steps.value(steps.run(engine, task)[task.node]) == ("a", "a")
    engine = steps.engine(preload=["which"])
    assert steps.value(steps.run(engine, task)[task.node]) == ("b", "b")


def test_a_template_imports_what_modules_import_of_libraries_and_nothing_of_the_project(steps):
    """Also a module that is imported from a package, and names that a package loads when asked; a worker needs not."""
    steps.write("", "own/parts/__init__.py")
    steps.write("from xml import dom\nfrom stepwell import step, nothing_such\n", "own/parts/inner.py")
    (steps.root / "own/spaces").mkdir()
    steps.write("import os\nOS = os.getpid()\n", "own/spaces/mod.py")
    source = "from own.parts import inner\nfrom own.spaces import mod\nimport os, sys\nBEFORE = sorted(sys.modules)\n"
    steps.write(
        source.replace(" import inner", " import __name__")
        + "def have(): return BEFORE, mod.OS, os.getpid()\n",
        "which.py",
    )
    engine = steps.engine(preload=["which", "own.parts.inner"])
    task = steps.task("have")._replace(step=steps.define("have", module="which"))
    before, imported_by, worker = steps.value(steps.run(engine, task)[task.node])
    assert {"xml.dom", "stepwell.author.steps"} <= set(before)
    assert imported_by == worker


def test_a_step_that_cannot_be_loaded(steps):
    steps.write("import no_such_library_at_all\n", "broken.py")
    engine = steps.engine()
    cases = {
        "broken": "ModuleNotFoundError",
        "no_such_module": "ModuleNotFoundError",
        "steps": "AttributeError",
    }
    for module, word in cases.items():
        task = steps.task("nothing")._replace(step=steps.define("nothing", module=module))
        failure = steps.run(engine, task)[task.node].failure
        assert failure.code == "E408"
        assert word in failure.what
    assert "broken.py:1" in steps_failure(steps, engine, "broken").why
    assert any("uv add no_such_library_at_all" in fix for fix in steps_failure(steps, engine, "broken").fixes)


def steps_failure(steps, engine, module):
    task = steps.task("nothing")._replace(step=steps.define("nothing", module=module))
    return steps.run(engine, task)[task.node].failure


def test_the_root_is_the_working_folder(steps):
    steps.write("import os, sys\ndef where(): return [os.getcwd(), list(sys.argv)]\n", "where.py")
    task = steps.task("where")._replace(step=steps.define("where", module="where"))
    cwd, _ = steps.value(steps.run(steps.engine(), task)[task.node])
    assert os.path.realpath(cwd) == os.path.realpath(steps.root)


def test_an_error_of_ours_keeps_its_code_when_importing_raises_it(steps):
    steps.write(
        """
        from stepwell.errors import BadStep

        raise BadStep("`@step` stands wrongly", why="for a test", fixes=["move it"], where="wrong.py:4")
        """,
        "wrong.py",
    )
    task = steps.task("nothing")._replace(step=steps.define("nothing", module="wrong"))
    failure = steps.run(steps.engine(), task)[task.node].failure
    assert failure.code == BadStep.code
    assert failure.what == "step `nothing` could not be loaded: `@step` stands wrongly"
    assert (failure.why, failure.fixes) == ("for a test", ("move it",))
    assert failure.docs == f"docs/reference/errors.md#{BadStep.code.lower()}"
    assert "wrong.py" in failure.traceback


def test_after_an_interrupt_nothing_new_runs(steps, tmp_path):
    steps.write("def touch(path):\n    open(path, 'w').close()\n", "touching.py")
    place = tmp_path / "ran"
    engine = InProcessEngine(steps.root, steps.store, Snapshot())
    steps.open.callback(engine.close)
    task = steps.task("touch", path=str(place))
    engine.submit(task._replace(step=steps.define("touch", module="touching")))
    assert isinstance(engine.wait(0)[0], Started)
    engine.interrupt("enough")
    assert list(engine.wait(0)) == [Interrupt("enough")]
    assert list(engine.wait(0)) == list(engine.wait(None)) == []
    assert not place.exists()


def test_interrupt_from_a_thread_while_waiting(steps):
    engine = steps.engine()
    engine.submit(steps.task("span", seconds=30.0))
    while not any(isinstance(r, Started) for r in engine.wait(5.0)):
        pass
    threading.Timer(0.1, engine.interrupt, ["enough"]).start()
    begun = time.monotonic()
    assert list(engine.wait(20.0)) == [Interrupt("enough")]
    assert time.monotonic() - begun < 5


def test_a_result_of_one_step_is_mapped_by_the_next(steps):
    """Large values go through the store's files."""
    steps.write("def make(n): return b'x' * n\n", "maker.py")
    engine = steps.engine()
    task = steps.task("make", n=5_000_000)._replace(step=steps.define("make", module="maker"))
    made = steps.run(engine, task)[task.node].outputs[0]
    assert made.data is None
    after = steps.task("length", data=Stored(made.artifact, None))
    assert steps.value(steps.run(engine, after)[after.node]) == 5_000_000


def test_nothing_is_started_before_the_first_task(steps):
    engine = steps.engine()
    engine.wait(0.01)
    assert engine._supervisor is None


def test_two_thousand_tasks_on_many_workers(steps):
    engine = steps.engine(jobs=6)
    done = steps.run(engine, *[steps.task("one") for _ in range(2000)])
    assert len(done) == 2000
    assert all(d.failure is None for d in done.values())


def test_room_grows_with_short_tasks(steps):
    engine = steps.engine(jobs=2)
    before = engine.room()
    steps.run(engine, *[steps.task("one") for _ in range(500)])
    assert engine.room() > before


def test_constants_that_are_not_plain_to_marshal(steps):
    from datetime import date
    from pathlib import PurePosixPath

    steps.write("def show(x): return str(x)\n", "show.py")
    engine = steps.engine()
    for value in (date(2026, 1, 2), PurePosixPath("a/b"), 1.5, frozenset([1]), None, 10**40):
        task = steps.task("show", x=Constant(value, "?"))._replace(step=steps.define("show", module="show"))
        assert steps.value(steps.run(engine, task)[task.node]) == str(value)


def most_at_once(spans, weights=None):
    spans = list(spans)
    weights = weights or [1] * len(spans)
    moments = sorted(
        [(b, 1, w) for (b, _), w in zip(spans, weights, strict=True)]
        + [(e, -1, w) for (_, e), w in zip(spans, weights, strict=True)]
    )
    now = most = 0
    for _, sign, weight in moments:
        now += sign * weight
        most = max(most, now)
    return most
