"""`pipeline.plan()` and `.run()` from programs: the same keys, classes and cache as the command, and the code of now."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from stepwell.author import live
from stepwell.errors import BadParameter, StepwellError, UnknownParameter
from stepwell.worker import modules

STEPS = """
class Part(NamedTuple):
    n: int

@dataclass
class Report:
    total: int
    part: Part

class Outer:
    @dataclass
    class Inner:
        x: int

@step
def numbers(count: int) -> list[int]:
    log.metric("count", count)
    return list(range(count))

@step
def total(values: list[int]) -> int:
    return sum(values) * FACTOR

@step
def report(n: int) -> Report:
    return Report(n, Part(n))

@step
def nested(r: Report, n: int) -> Outer.Inner:
    assert type(r) is Report and type(r.part) is Part, type(r)
    return Outer.Inner(n)

FACTOR = 1

@pipeline
def main(count: int = 3, scale: float = 1) -> tuple[Report, Outer.Inner, int]:
    n = total(numbers(count))
    r = report(n)
    return r, nested(r, n), 7
"""


@pytest.fixture
def program(project, monkeypatch):
    """Imports the project's module as a program would, without our importer."""
    monkeypatch.syspath_prepend(str(project.root))

    def load(name: str = "pipeline", text: str = STEPS) -> Any:
        project.write(text, f"{name}.py")
        time.sleep(0.02)
        began = time.time()  # as if a new process imported it
        monkeypatch.setattr(live, "_born", lambda: began)
        importlib.invalidate_caches()
        return importlib.import_module(name)

    return load


def command(project, *words: str) -> Any:
    tool = Path(sys.executable).with_name("stepwell")
    answer = subprocess.run(
        [tool, *words, "--json"], cwd=project.root, capture_output=True, text=True, timeout=60
    )
    assert answer.stdout, answer.stderr
    return json.loads(answer.stdout)


def statuses(run: Any) -> dict[str, str]:
    return {name: step.status for name, step in run.steps.items()}


def test_plan_run_and_run_again(program, project, capfd):
    module = program()
    plan = module.main.plan()
    assert plan.decisions == {"numbers": "run", "total": "run", "report": "run", "nested": "run"}
    assert plan.counts["run"] == 4
    assert "numbers" in repr(plan)
    assert plan.document["pipeline"] == "main"
    run = module.main.options(jobs=1).run(count=4)
    assert run.status == "succeeded"
    assert statuses(run) == dict.fromkeys(["numbers", "total", "report", "nested"], "succeeded")
    assert run.steps["numbers"].metrics == {"count": 4.0}
    assert run.metrics == {"count": 4.0}
    again = module.main.options(jobs=1).run(4, scale=1.0)
    assert statuses(again) == dict.fromkeys(["numbers", "total", "report", "nested"], "cached")
    assert module.main.plan(4).counts["cached"] == 4
    report, inner, constant = again.result
    assert (report.total, inner.x, constant) == (6, 6, 7)
    assert again.result is again.result
    assert repr(again) == f"<run {again.id} succeeded>"
    capfd.readouterr()


def test_results_are_of_the_programs_own_classes(program, project, capfd):
    module = program()
    report, inner, _ = module.main.options(jobs=1).run().result
    assert type(report) is module.Report
    assert type(report.part) is module.Part
    assert type(inner) is module.Outer.Inner
    assert sys.modules["pipeline"] is module


@pytest.mark.slow
def test_main_shares_keys_cache_and_classes_with_the_command(project):
    ending = """
    if __name__ == "__main__":
        import json, sys
        run = main.run(count=5)
        first, inner, _ = run.result
        assert type(first) is Report and type(first.part) is Part and type(inner) is Outer.Inner
        assert Report.__module__ == "pipeline" == Outer.Inner.__module__ == Part.__module__
        print(json.dumps([run.id, [[s.id, s.status, s.key] for s in run.steps.values()]]), file=sys.stderr)
        assert main.run(count=5).steps["total"].status == "cached"
    """
    project.write(STEPS + dedent(ending))
    first = command(project, "run", "count=5")
    assert first["status"] == "succeeded"
    answer = subprocess.run(
        [sys.executable, "pipeline.py"], cwd=project.root, capture_output=True, text=True, timeout=60
    )
    assert answer.returncode == 0, answer.stderr
    name, steps = json.loads(answer.stderr.splitlines()[-1])
    assert name == "r2"
    assert steps == [[step["id"], "cached", step["key"]] for step in first["steps"]]
    again = command(project, "run", "count=5")
    assert [step["status"] for step in again["steps"]] == ["cached"] * 4


@pytest.mark.slow
def test_an_unguarded_run_in_main_fails_with_a_code_and_ends(project):
    project.write(
        "\n@step\ndef f() -> int:\n    return 1\n\n@pipeline\ndef main():\n    return f()\n\nmain.run().result\n"
    )
    answer = subprocess.run(
        [sys.executable, "pipeline.py"], cwd=project.root, capture_output=True, text=True, timeout=60
    )
    assert answer.returncode
    assert "E211" in answer.stdout + answer.stderr
    assert "__main__" in answer.stdout + answer.stderr


def test_a_module_that_is_edited_between_two_runs(program, project, capfd):
    module = program()
    assert module.main.options(jobs=1).run().result[0].total == 3
    project.write(STEPS.replace("FACTOR = 1", "FACTOR = 5"))
    plan = module.main.plan()
    assert plan.decisions["numbers"] == "cached"
    assert plan.decisions["total"] == "run"
    run = module.main.options(jobs=1).run()
    assert statuses(run)["numbers"] == "cached"
    assert run.result[0].total == 15
    project.write(STEPS.replace("FACTOR = 1", "FACTOR = 7"))
    assert module.main.options(in_process=True).run().result[0].total == 21
    project.write(STEPS)
    back = module.main.options(jobs=1).run()
    assert set(statuses(back).values()) == {"cached"}
    assert back.result[0].total == 3


def test_a_helper_that_is_edited_between_two_runs(program, project, capfd):
    project.write("FACTOR = 1\n", "helper.py")
    module = program("pipeline", STEPS.replace("FACTOR = 1\n", "from helper import FACTOR\n"))
    assert module.main.options(jobs=1).run().result[0].total == 3
    project.write("FACTOR = 2\n", "helper.py")
    assert module.main.options(jobs=1).run().result[0].total == 6


def test_an_imported_module_under_its_own_name(program, project, capfd):
    module = program("training")
    (project.root / "pipeline.py").write_text("from training import main\n")
    run = module.main.options(jobs=1).run()
    assert type(run.result[0]) is module.Report
    assert run.document["pipeline"] == "main"
    assert {s["decision"] for s in command(project, "plan", "training.py")["steps"]} == {"cached"}


def test_a_module_loaded_under_another_name_is_taken_under_its_real_one(project, capfd):
    from importlib.util import module_from_spec, spec_from_file_location

    file = project.write(STEPS)
    spec = spec_from_file_location("quite_another", file)
    module = module_from_spec(spec)
    sys.modules["quite_another"] = module
    spec.loader.exec_module(module)
    run = module.main.options(jobs=1).run()
    assert run.result[0].total == 3
    assert type(run.result[0]).__module__ == "pipeline"


def test_two_projects_with_modules_of_one_name(another, capfd):
    places = [another("one"), another("two")]
    for n, place in enumerate(places):
        place.write(f"FACTOR = {n + 2}\n", "helper.py")
        place.write(STEPS.replace("FACTOR = 1\n", "from helper import FACTOR\n"))
    pipelines = [place.load().pipeline.options(jobs=1) for place in places]
    found = [p.run().result[0].total for p in [*pipelines, *pipelines]]
    assert found == [6, 9, 6, 9]
    assert statuses(pipelines[0].run())["total"] == "cached"
    assert all((place.root / ".stepwell").is_dir() for place in places)


TURNS = """
from helpers import FACTOR

@step
def times(n: int) -> int:
    from lately import MORE
    return n * FACTOR + MORE

@pipeline
def main(n: int = 1) -> int:
    return times(n)
"""


@pytest.fixture
def turns(another, monkeypatch) -> list[Any]:
    """The pipeline modules of two projects with modules of the same names, each imported by Python itself."""
    found = []
    for n, name in enumerate(("one", "two")):
        place = another(name)
        place.write(f"FACTOR = {n + 2}\n", "helpers.py")
        place.write(f"MORE = {100 * (n + 1)}\n", "lately.py")
        place.write(TURNS)
        forget("pipeline", "helpers")
        with monkeypatch.context() as patch:
            patch.syspath_prepend(str(place.root))
            found.append(importlib.import_module("pipeline"))
    monkeypatch.setattr(live, "_born", lambda: time.time() + 60)
    return found


def forget(*names: str) -> None:
    for name in names:
        sys.modules.pop(name, None)
    importlib.invalidate_caches()


@pytest.mark.parametrize("in_process", [False, True])
def test_two_projects_take_turns_and_each_sees_its_own_modules(turns, capfd, in_process):
    one, two = (module.main.options(jobs=1, in_process=in_process) for module in turns)
    found = [each.run(n).result for n in (1, 2) for each in (one, two)]
    assert found == [102, 203, 104, 206]
    assert one.plan(1).counts["cached"] == two.plan(2).counts["cached"] == 1


def test_importing_is_the_programs_own_before_and_after_a_run(turns, another, monkeypatch, capfd):
    one, _ = turns
    meta, path, loaded = list(sys.meta_path), list(sys.path), dict(sys.modules)
    run = one.main.options(jobs=1).run()
    assert run.result == 102
    one.main.plan()
    assert (sys.meta_path, sys.path) == (meta, path)
    assert {name: sys.modules[name] for name in loaded} == loaded, "modules of the program's were exchanged"
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("lately")
    monkeypatch.syspath_prepend(str(another("two").root))
    importlib.invalidate_caches()
    assert importlib.import_module("lately").MORE == 200, "from the program's own path"
    forget("lately")


def test_a_project_that_takes_turns_is_executed_once(turns, capfd):
    one, two = (module.main for module in turns)
    first = one.plan().plan.graph
    counts = []
    for importer in modules._importers.values():
        importer.on_load = lambda module: counts.append(module.__name__)
    two.plan(), one.plan(), two.plan(), one.plan()
    assert first.nodes
    assert len(counts) == len(set(counts)), counts


def test_a_run_that_fails_raises_what_failed_when_its_result_is_asked_for(program, project, capfd):
    module = program(
        "failing",
        """
@step
def fail(x: int) -> int:
    return 1 // x  # here

@step
def after(x: int) -> int:
    return x

@pipeline
def main(x: int = 0) -> int:
    return after(fail(x))
""",
    )
    run = module.main.options(jobs=1).run()
    assert run.status == "failed"
    assert statuses(run) == {"fail": "failed", "after": "blocked"}
    with pytest.raises(StepwellError, match="ZeroDivisionError") as caught:
        run.result
    assert caught.value.code == "E401"
    assert "# here" in caught.value.__notes__[0]
    assert run.error is caught.value
    assert module.main.options(jobs=1).run(x=1).result == 1


def test_parameters_are_checked_before_anything_is_written(program, project):
    module = program()
    for kind, given in ((UnknownParameter, {"cuont": 3}), (BadParameter, {"count": "3"})):
        for verb in (module.main.run, module.main.plan):
            with pytest.raises(kind):
                verb(**given)
    assert not (project.root / ".stepwell").exists()


def test_options_of_runs_are_obeyed(program, project, capfd):
    module = program(
        "opts",
        """
import os

@step
def where(n: int) -> int:
    return os.getpid()

@step
def fail() -> int:
    raise ValueError("no")

@pipeline(in_process=True)
def here() -> int:
    return where(1)

@pipeline(keep_going=True, jobs=1)
def main() -> list[int]:
    return [fail(), where(2)]
""",
    )
    assert module.here.run().result == os.getpid()
    assert module.here.run().steps["where"].status == "cached"
    assert module.here.options(force=True).run().steps["where"].status == "succeeded"
    assert module.here.options(in_process=False, force=True).run().result != os.getpid()
    assert statuses(module.main.run()) == {"fail": "failed", "where": "succeeded"}


def test_steps_of_other_modules_and_of_factories_are_found_by_workers(program, project, capfd):
    project.write(
        """
def make(by):
    @step
    def scale(x: int) -> int:
        return x * by
    return scale
""",
        "factory.py",
    )
    project.write("@step\nasync def one() -> int:\n    return 1\n", "steps/ones.py")
    module = program(
        "pipeline",
        """
import functools
from factory import make
from steps.ones import one
from steps import ones

def loud(function):
    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        return function(*args, **kwargs)
    return wrapper

double, triple = make(2), make(3)

@step
@loud
def add(a: int, b: int = 0, *more: int, key: int = 0, **named: int) -> int:
    return a + 10 * b + 100 * sum(more) + 1000 * key + 10000 * sum(named.values())

@step
def first(a: int, /, **more: int) -> int:
    return a + more["a"]

@pipeline
def main() -> dict[str, int]:
    x = one()
    return {
        "double": double(x),
        "triple": triple(ones.one()),
        "add": add(x, 2, x, 2, key=x, deep=x, wide=1),
        "first": first(x, a=x),
    }
""",
    )
    run = module.main.options(jobs=1).run()
    assert run.result == {"double": 2, "triple": 3, "add": 21321, "first": 2}
    assert module.main() == run.result
    (project.root / "factory.py").write_text(
        (project.root / "factory.py").read_text().replace("x * by", "x * by + 1")
    )
    assert module.main.options(jobs=1).run().result == {"double": 3, "triple": 4, "add": 21321, "first": 2}


def test_containers_arrive_as_they_were_written(program, project, capfd):
    module = program(
        "holders",
        """
@dataclass
class Config:
    model: int
    names: list[str] = field(default_factory=list)

class Pair(NamedTuple):
    a: int
    b: list[int]

class Keys(TypedDict):
    auc: float
    n: int

@dataclass
class Derived:
    a: int
    b: int = field(init=False)
    def __post_init__(self):
        self.b = self.a + 1

@step
def one() -> int:
    return 1

@step
def keys() -> Keys:
    return {"auc": 0.5, "n": 3}

@step
def derived(x: int) -> Derived:
    return Derived(x)

@step
def say(x) -> str:
    return repr(x)

@pipeline
def main():
    x, k, d = one(), keys(), derived(4)
    return [
        say([x, (x, 2), {"a": {"b": x}, 3: 4}]),
        say(Config(x, ["n"])),
        say(Pair(x, [x])),
        say(k), say(k["auc"]),
        say(d), say(d.b),
        Pair(x, [x, 5]),
        {"k": k},
    ]
""",
    )
    found = module.main.options(jobs=1).run().result
    assert found == [
        "[1, (1, 2), {'a': {'b': 1}, 3: 4}]",
        "Config(model=1, names=['n'])",
        "Pair(a=1, b=[1])",
        "{'auc': 0.5, 'n': 3}",
        "0.5",
        "Derived(a=4, b=5)",
        "5",
        module.Pair(1, [1, 5]),
        {"k": {"auc": 0.5, "n": 3}},
    ]
    assert type(found[7]) is module.Pair


def test_what_a_body_does_to_a_constant_afterwards_reaches_no_step(program, project, capfd):
    module = program(
        "mutates",
        """
@step
def size(x: list[int]) -> int:
    return len(x)

@pipeline
def main() -> tuple[int, int]:
    x = [1]
    one = size(x)
    x.append(2)
    return one, size(x)
""",
    )
    assert module.main.options(jobs=1).run().result == (1, 2)


def test_when_a_process_began():
    code = "import time; a = time.time(); time.sleep(0.3); from stepwell.author.live import _born; print(_born() - a)"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert -61 < float(answer.stdout) < 0.02
