"""Workers are reused, what a step changed in one is not: the next step finds the process as the first did."""

import pytest

LEAKS = """
    import ctypes, decimal, gc, locale, logging, os, random, signal, sys, threading, time, warnings
    import numpy as np

    CACHE = {}
    COUNT = 0
    NAMES = ["a"]
    FIXED = (1, 2)

    class Settings:
        def __init__(self):
            self.level = 1

    settings = Settings()

    def look():
        return {
            "cwd": os.path.realpath(os.getcwd()),
            "environ": sorted(os.environ.items()),
            "umask": umask(),
            "path": list(sys.path),
            "argv": list(sys.argv),
            "recursion": [sys.getrecursionlimit(), sys.get_int_max_str_digits()],
            "traced": [str(f()) for f in (sys.gettrace, sys.getprofile, threading.gettrace, threading.getprofile)],
            "gc": gc.isenabled(),
            "filters": [str(f) for f in warnings.filters],
            "decimal": decimal.getcontext().prec,
            "locale": locale.setlocale(locale.LC_ALL),
            "handlers": [str(signal.getsignal(s)) for s in (signal.SIGUSR1, signal.SIGALRM, signal.SIGCHLD)],
            "logging": [logging.getLogger().level, len(logging.getLogger().handlers)],
            "numpy": str(np.get_printoptions()) + str(np.geterr()),
            "stdout": type(sys.stdout).__name__,
            "timezone": time.tzname[0],
        }

    def umask():
        now = os.umask(0)
        os.umask(now)
        return now

    def chdir(): os.chdir("/")
    def environ(): os.environ["LEAKED"] = "yes"; os.environ.pop("PATH", None)
    def putenv(): os.environ["TZ"] = "Asia/Tokyo"; time.tzset()
    def set_umask(): os.umask(0o777)
    def path(): sys.path.insert(0, "/leaked"); sys.argv.append("x")
    def recursion(): sys.setrecursionlimit(500); sys.set_int_max_str_digits(640)
    def traced():
        for each in (sys.settrace, sys.setprofile, threading.settrace, threading.setprofile):
            each(lambda *_: None)
    def rounds():
        upward = {"x86_64": 0x800, "aarch64": 0x400000}[os.uname().machine]
        assert ctypes.CDLL("libm.so.6").fesetround(upward) == 0
    def thirds(): return sum([0.1] * 10)
    def collector(): gc.disable()
    def filters(): warnings.simplefilter("error")
    def precision(): decimal.getcontext().prec = 3
    def set_locale(): locale.setlocale(locale.LC_ALL, "C.UTF-8")
    def handlers():
        signal.signal(signal.SIGUSR1, lambda *_: None)
        signal.signal(signal.SIGALRM, lambda *_: None)
    def alarm(): signal.setitimer(signal.ITIMER_REAL, 0.2)
    def log(): logging.basicConfig(level=logging.DEBUG)
    def numpy_options(): np.set_printoptions(precision=2); np.seterr(all="ignore")
    def stdout(): sys.stdout = sys.stderr = None

    def grows(): CACHE["x"] = len(CACHE); return len(CACHE)
    def counts():
        global COUNT
        COUNT += 1
        return COUNT
    def appends(): NAMES.append("b"); return len(NAMES)
    GENERATOR = np.random.default_rng(7)
    OLD = random.Random(7)

    def draws(): return float(GENERATOR.random())
    def draws_old(): return OLD.random()
    def asked(by=2) -> int: return 2 * by
    def other(by): return 3
    def rewrites(): asked.__code__ = other.__code__; return asked()
    def gives_defaults(): other.__defaults__ = (9,); return asked() + other()
    def sets(): settings.level += 1; return settings.level
    def thread(): threading.Thread(target=time.sleep, args=(30,)).start()
    def daemon_thread(): threading.Thread(target=time.sleep, args=(30,), daemon=True).start()
    def innocent():
        import json.tool, helpers
        return helpers.VALUE

    def draw(): return [random.random(), random.gauss(0, 1), np.random.rand(), float(np.random.normal())]
    def draw_more(): return [random.gauss(0, 1) for _ in range(3)]
    def wait(seconds): time.sleep(seconds)
"""


@pytest.fixture
def leaks(project):
    project.write(LEAKS)
    project.write("VALUE = 1\n", "helpers.py")
    project.one_worker = project.engine(jobs=1)
    return project


@pytest.mark.parametrize(
    "step",
    [
        "chdir", "environ", "putenv", "set_umask", "path", "recursion", "traced", "collector", "filters", "precision",
        "set_locale", "handlers", "log", "numpy_options", "stdout",
    ],
)  # fmt: skip
def test_put_back(leaks, step):
    engine = leaks.one_worker
    before = leaks.value(leaks.one(engine, "look"))
    done = leaks.one(engine, step)
    assert done.failure is None
    assert done.notes == ()
    assert leaks.value(leaks.one(engine, "look")) == before
    assert engine._numbers == 1, "the same worker, not a new one"


def test_a_pending_alarm_does_not_hit_the_next_step(leaks):
    engine = leaks.one_worker
    leaks.one(engine, "alarm")
    assert leaks.one(engine, "wait", seconds=0.4).failure is None


@pytest.mark.parametrize(
    ("step", "name"),
    [
        ("grows", "CACHE"),
        ("counts", "COUNT"),
        ("appends", "NAMES"),
        ("rewrites", "asked.__code__"),
        ("gives_defaults", "other.__defaults__"),
        ("sets", "settings"),
        ("draws", "GENERATOR"),
        ("draws_old", "OLD"),
    ],
)
def test_a_changed_global_is_told_and_gone(leaks, step, name):
    engine = leaks.one_worker
    first, second = leaks.one(engine, step), leaks.one(engine, step)
    assert leaks.value(first) == leaks.value(second)
    assert f"`steps.{name}`" in first.notes[0]
    assert f"step `{step}` changed" in first.notes[0]


def test_a_thread_that_is_left_is_told_and_gone(leaks):
    engine = leaks.one_worker
    assert "left a thread running" in leaks.one(engine, "thread").notes[0]
    assert leaks.one(engine, "daemon_thread").notes == ()


def test_another_rounding_of_floats_is_told_and_gone(leaks):
    engine = leaks.one_worker
    before = leaks.value(leaks.one(engine, "thirds"))
    assert "changed how floats are rounded" in leaks.one(engine, "rounds").notes[0]
    assert leaks.value(leaks.one(engine, "thirds")) == before


def test_a_proven_step_gives_the_same_after_its_function_was_rewritten(leaks):
    """A step that only reckons is called without the rest, also where what it rests on was changed by another one."""
    engine = leaks.one_worker
    first, _ = (leaks.value(leaks.one(engine, "asked", by=5)) for _ in range(2))
    leaks.one(engine, "rewrites")
    assert leaks.value(leaks.one(engine, "asked", by=5)) == first == 10


def test_imports_in_a_step_are_no_changes(leaks):
    assert leaks.one(leaks.one_worker, "innocent").notes == ()
    assert leaks.one(leaks.one_worker, "innocent").notes == ()


def test_random_numbers_follow_from_the_key(leaks):
    """The same in any worker, after any step, another time; others for another key."""
    engine, other = leaks.one_worker, leaks.engine(jobs=2, fork=False)
    first = leaks.run(engine, task := leaks.task("draw", key="ab" * 32))[task.node]
    leaks.one(engine, "draw_more")
    again = leaks.run(engine, task := leaks.task("draw", key="ab" * 32))[task.node]
    elsewhere = leaks.run(other, task := leaks.task("draw", key="ab" * 32))[task.node]
    assert leaks.value(first) == leaks.value(again) == leaks.value(elsewhere)
    different = leaks.run(engine, task := leaks.task("draw", key="cd" * 32))[task.node]
    assert leaks.value(different) != leaks.value(first)


def test_sets_iterate_alike_in_all_workers(leaks):
    leaks.write("def order(): return list({str(i) for i in range(50)})\n", "sets.py")
    seen = set()
    for fork in (True, False, True):
        task = leaks.task("order")._replace(step=leaks.define("order", module="sets"))
        seen.add(tuple(leaks.value(leaks.run(leaks.engine(fork=fork), task)[task.node])))
    assert len(seen) == 1


LIBRARY = """
    def before():
        import pandas as pd
        return [pd.get_option("display.max_rows"), pd.get_option("mode.chained_assignment")]

    def change():
        import pandas as pd
        pd.set_option("display.max_rows", 7)
        pd.options.mode.chained_assignment = None
"""


@pytest.mark.parametrize("first", ["before", "change"])
def test_options_of_pandas(leaks, first):
    """Also those of a pandas that the step itself imported first."""
    pytest.importorskip("pandas")
    leaks.write(LIBRARY, "library.py")

    def run(name):
        task = leaks.task(name)._replace(step=leaks.define(name, module="library"))
        return leaks.run(leaks.one_worker, task)[task.node]

    assert run(first).failure is None
    assert run("change").failure is None
    assert leaks.value(run("before"))[0] == 60


def test_what_a_module_sets_when_imported_stays(leaks):
    leaks.write(
        """
        import decimal, os, sys, warnings
        os.environ["SET_BY_MODULE"] = "1"
        sys.setrecursionlimit(4321)
        def now(): return [os.environ.get("SET_BY_MODULE"), sys.getrecursionlimit()]
        """,
        "settings.py",
    )
    for _ in range(2):
        task = leaks.task("now")._replace(step=leaks.define("now", module="settings"))
        assert leaks.value(leaks.run(leaks.one_worker, task)[task.node]) == ["1", 4321]
