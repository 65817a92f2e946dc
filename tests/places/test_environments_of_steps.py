"""Steps with `packages=`, `requirements=`, `group=` and `python=`, by the real command and a real uv."""

from __future__ import annotations

import json
import shutil
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from cli_projects import Project, wait_for

TWO = """
    import sys
    from pathlib import Path

    from stepwell import log, pipeline, step

    @step
    def names(count: int = 2) -> list[str]:
        return [f"n{i}" for i in range(count)]

    @step(packages=["greet==1.0"])
    def old(names: list[str]) -> list[str]:
        import greet
        print("said by the step")
        print("and to stderr", file=sys.stderr)
        for n in range(1000):
            log.metric("count", len(names), step=n)
        log.text("greeting", "hello " * 2000)
        log.card("card", "<b>hello</b>")
        log.figure("bad", Path("none.png"))
        log.tag(version=1)
        return [greet.hello(name) for name in names]

    @step(packages=["greet==2.0"])
    def new(names: list[str]) -> dict[str, Path]:
        import greet
        Path("made").mkdir(exist_ok=True)
        Path("made/a.txt").write_text(greet.hello(names[0]))
        return {"a": Path("made/a.txt")}

    @step
    def report(a: list[str], b: dict[str, Path]) -> str:
        return f"{a} and {b['a'].read_text()}"

    @pipeline
    def main(count: int = 2) -> str:
        found = names(count)
        return report(old(found), new(found))
"""


def test_two_versions_of_a_library_side_by_side_and_values_cross(project: Project) -> None:
    project.write(TWO)
    done = project("run", "--json")
    assert done.json["result"] == "['1.0 hello n0', '1.0 hello n1'] and 2.0 hello n0"
    assert done.steps["old"]["metrics"] == {"count": 2.0}
    shown = project("show", "last", "--json").json
    assert [(one["kind"], one["name"], one["codec"], one["size"]) for one in shown["recorded"]] == [
        ("text", "greeting", "text", 12_000), ("card", "card", "html", 12), ("tag", "version", None, None),
    ]  # fmt: skip
    assert shown["curves"] == [{"id": "old", "name": "count", "count": 1000, "last": 2.0}]
    assert shown["tags"] == ["version=1"]
    assert [note for step in shown["steps"] for note in step.get("notes", ()) if "figure `bad`" in note]
    logs = project("logs", "last", "old")
    assert "said by the step" in logs.out
    assert "and to stderr" in logs.out
    assert project("run", "--json").decisions == dict.fromkeys(("names", "old", "new", "report"), "cached")
    assert list((project.root / ".stepwell" / "tmp").iterdir()) == []


def test_the_version_counts_and_the_plan_says_so(project: Project) -> None:
    project.write(TWO)
    project("run")
    project.edit("greet==1.0", "greet==2.0")
    plan = project("plan")
    assert "greet 1.0 → 2.0" in plan.out
    assert "greet 1.0 → 2.0" in project("why", "old").out
    decisions = project("plan", "--json").decisions
    assert decisions == {"names": "cached", "new": "cached", "old": "run", "report": "maybe"}


def test_planning_makes_no_environment_and_later_needs_no_index(
    project: Project, tmp_path: Path, wheels: Path
) -> None:
    project.write(TWO)
    mine = tmp_path / "cache"
    project.env["STEPWELL_CACHE"] = str(mine)
    project("plan")
    assert not (mine / "environments").exists()
    project("run")
    nowhere = {"UV_FIND_LINKS": str(tmp_path), "UV_CACHE_DIR": str(tmp_path / "nothing")}
    project.edit("n{i}", "m{i}")
    assert project("run", "--json", env=nowhere).decisions["old"] == "run"
    error = project("plan", "--refresh", "--json", env=nowhere, code=3).json["error"]
    assert {one["code"] for one in error["problems"]} == {"E351"}


def test_an_environment_is_read_only_and_complete(project: Project, tmp_path: Path) -> None:
    project.write(TWO)
    project.env["STEPWELL_CACHE"] = str(tmp_path / "cache")
    project("run")
    made = [path for path in (tmp_path / "cache" / "environments").iterdir() if path.is_dir()]
    assert len(made) == 2
    for folder in made:
        about = json.loads((folder / "stepwell.json").read_text())
        (module,) = folder.glob("lib/python3.*/site-packages/greet.py")
        assert about["versions"]["greet"] in module.read_text()
        assert not stat.S_IMODE(module.stat().st_mode) & 0o222
    assert not [path for path in (tmp_path / "cache" / "environments").iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize(
    ("options", "files"),
    [
        ('requirements="old.txt"', {"old.txt": "-r more.txt\n", "more.txt": "greet < 2\n"}),
        ('group="train"', {"pyproject.toml": '[dependency-groups]\ntrain = ["polite"]\n'}),
    ],
)
def test_requirements_and_groups(project: Project, options: str, files: dict[str, str]) -> None:
    for name, text in files.items():
        project.write(text, name)
    project.write(f"""
        from stepwell import pipeline, step

        @step({options})
        def old() -> str:
            import greet
            return greet.VERSION

        @pipeline
        def main() -> str:
            return old()
    """)
    assert project("run", "--json").json["result"] == "1.0"
    assert project("plan", "--json").decisions == {"old": "cached"}
    if "more.txt" in files:
        project.write("greet\n", "more.txt")
        assert "greet 1.0 → 2.0" in project("plan").out


def test_what_is_wrong_is_told_together_and_at_its_line(project: Project) -> None:
    project.write("""
        from stepwell import pipeline, step

        @step(packages=["greet==7"])
        def no_version() -> int:
            return 1

        @step(packages=["greet>=2", "polite"])
        def no_fit() -> int:
            return 1

        @step(requirements="gone.txt")
        def no_file() -> int:
            return 1

        @step(group="gone")
        def no_group() -> int:
            return 1

        @step(packages=["greet"], python="3.99")
        def no_python() -> int:
            return 1

        @step(packages=["greet"], python="3.8")
        def too_old() -> int:
            return 1

        @pipeline
        def main() -> list[int]:
            return [no_version(), no_fit(), no_file(), no_group(), no_python(), too_old()]
    """)
    error = project("run", "--json", code=3).json["error"]
    told = {one["what"].split("`")[1]: one for one in error["problems"]}
    codes = {name: one["code"] for name, one in told.items()}
    assert codes == {
        "no_version": "E351", "no_fit": "E351", "no_file": "E353",
        "no_group": "E353", "no_python": "E352", "too_old": "E352",
    }  # fmt: skip
    assert all(one["where"] == "pipeline.py:29" for one in told.values())
    assert "greet==7" in told["no_version"]["why"].replace(" ", "")
    assert "polite" in told["no_fit"]["why"]
    assert "\n" not in told["no_fit"]["why"]


@pytest.mark.parametrize(
    "option",
    ['packages=["-e ."]', "packages=[]", "packages=7", 'python="three"', 'group="-x"', 'requirements=""'],
)
def test_bad_options_are_refused_where_they_stand(project: Project, option: str) -> None:
    project.write(f"""
        from stepwell import pipeline, step

        @step({option})
        def one() -> int:
            return 1

        @pipeline
        def main() -> int:
            return one()
    """)
    error = project("plan", "--json", code=3).json["error"]
    assert error["code"] == "E235"
    assert error["where"] == "pipeline.py:3"


def test_without_uv_the_plan_says_so(project: Project) -> None:
    project.write(TWO)
    # The environment of the tests has a uv; the folder of its programs is asked for by `sysconfig`.
    main = (
        "import sysconfig, sys; real = sysconfig.get_path\n"
        "sysconfig.get_path = lambda name, *more: '/nowhere' if name == 'scripts' else real(name, *more)\n"
        "from stepwell.cli.main import main; sys.exit(main())"
    )
    done = subprocess.run(
        [sys.executable, "-c", main, "plan", "--json"], cwd=project.root, capture_output=True, text=True,
        env={**project.env, "PATH": "/usr/bin:/bin"}, check=False,
    )  # fmt: skip
    assert done.returncode == 3, done.stdout + done.stderr
    assert {one["code"] for one in json.loads(done.stdout)["error"]["problems"]} == {"E350"}


FAILING = """
    from dataclasses import dataclass
    from stepwell import pipeline, step

    @step
    def fine() -> int:
        return 1

    @step(packages=["greet"])
    def fails(x: int) -> int:
        import greet
        table = {"species": x}
        return table["speceis"]

    @pipeline
    def main() -> int:
        return fails(fine())
"""


def test_an_error_there_looks_like_one_here(project: Project) -> None:
    project.write(FAILING)
    there = project("run", "--json", code=1).steps["fails"]
    project.edit('@step(packages=["greet"])', "@step")
    project.edit("        import greet\n".replace("        ", "    "), "    import json\n")
    here = project("run", "--json", code=1).steps["fails"]
    here["error"]["fixes"] = [one for one in here["error"]["fixes"] if "stepwell debug" not in one]
    assert there["error"] == here["error"]
    assert "speceis" in there["error"]["traceback"]


@pytest.mark.parametrize(
    ("body", "code", "said"),
    [
        ("import os; os._exit(3)", "E402", "exit code 3"),
        ("import os; os.kill(os.getpid(), 11)", "E403", "SIGSEGV"),
        ("import sys; sys.exit('no')", "E402", "'no'"),
        ("import greet; return greet.Card('x')", "E432", "greet.Card"),
        ("import pandas", "E401", "pandas"),
        ("return 'text'", "E405", "declares"),
    ],
)
def test_how_a_step_there_can_end(project: Project, body: str, code: str, said: str) -> None:
    returns = "int" if "text" in body else "object"
    project.write(f"""
        from stepwell import pipeline, step

        @step(packages=["greet"])
        def ends() -> {returns}:
            {body}

        @pipeline
        def main() -> object:
            return ends()
    """)
    failure = project("run", "--json", code=1).steps["ends"]["error"]
    assert failure["code"] == code
    assert said in failure["what"]


def test_the_top_of_the_file_needs_what_the_environment_lacks(project: Project) -> None:
    project.write("""
        import msgspec
        from stepwell import pipeline, step

        @step(packages=["greet"])
        def one() -> int:
            return 1

        @pipeline
        def main() -> int:
            return one()
    """)
    failure = project("run", "--json", code=1).steps["one"]["error"]
    assert failure["code"] == "E433"
    assert "packages" in failure["fixes"][0]


def test_a_value_that_needs_a_library_which_is_not_there(project: Project) -> None:
    project.write("""
        import stepwell
        from stepwell import pipeline, step

        @step
        def table() -> object:
            import pandas
            return pandas.DataFrame({"x": [1, 2]})

        @step(packages=["greet"])
        def one(table: object) -> int:
            return 1

        @pipeline
        def main() -> int:
            return one(table())
    """)
    failure = project("run", "--json", code=1).steps["one"]["error"]
    assert failure["code"] == "E433"
    assert "packages" in failure["fixes"][0]


def test_pickles_of_foreign_classes_do_not_go_in(project: Project) -> None:
    project.write("""
        from stepwell import pipeline, step

        class Own:
            def __init__(self):
                self.x = 1

        @step(codec="pickle")
        def foreign() -> object:
            import numpy
            return numpy.random.default_rng(1)

        @step(codec="pickle")
        def own() -> object:
            return Own()

        @step(packages=["greet"])
        def takes(x: object) -> int:
            return x.x

        @pipeline
        def main() -> list[int]:
            return [takes(foreign()), takes.named("second")(own())]
    """)
    steps = project("run", "--json", "-k", code=1).steps
    assert steps["takes"]["error"]["code"] == "E432"
    assert steps["second"]["status"] == "succeeded"


def test_one_environment_that_cannot_be_made_fails_its_steps_only(
    project: Project, wheels: Path, tmp_path: Path
) -> None:
    mine = tmp_path / "links"
    shutil.copytree(wheels, mine)
    project.write(TWO)
    project.env |= {
        "UV_FIND_LINKS": str(mine),
        "UV_CACHE_DIR": str(tmp_path / "uv"),
        "STEPWELL_CACHE": str(tmp_path / "c"),
    }
    project("plan")
    (mine / "greet-2.0-py3-none-any.whl").unlink()
    shutil.rmtree(tmp_path / "uv")
    steps = project("run", "--json", "-k", code=1).steps
    assert steps["old"]["status"] == "succeeded"
    assert steps["new"]["error"]["code"] == "E430"
    assert steps["report"]["status"] == "blocked"


SLOW = """
    import subprocess, time
    from pathlib import Path
    from stepwell import pipeline, step

    @step(packages=["greet"], timeout={timeout})
    def slow() -> int:
        child = subprocess.Popen(["sleep", "77.25"])
        Path("pids").write_text(str(child.pid))
        time.sleep(60)
        return 1

    @pipeline
    def main() -> int:
        return slow()
"""


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except OSError:
        return True


@pytest.mark.parametrize("words", [(), ("--in-process",)])
def test_a_timeout_ends_it_with_all_that_it_started(project: Project, words: tuple[str, ...]) -> None:
    project.write(SLOW.format(timeout=2.5))
    steps = project("run", "--json", *words, code=1).steps
    assert steps["slow"]["error"]["code"] == "E413"
    pid = int((project.root / "pids").read_text())
    wait_for(lambda: gone(pid))


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_the_end_of_the_run_ends_it(project: Project, how: signal.Signals) -> None:
    project.write(SLOW.format(timeout=0))
    running = project.start("run")
    pids = project.root / "pids"
    wait_for(lambda: pids.exists() and pids.read_text())
    running.send_signal(how)
    running.communicate(timeout=20)
    wait_for(lambda: gone(int(pids.read_text())))


def test_what_is_read_there_without_being_declared_counts(project: Project) -> None:
    project.write("""
        import os
        from pathlib import Path
        from stepwell import pipeline, step

        @step(packages=["greet"])
        def reads() -> str:
            return Path("config.txt").read_text() + os.environ.get("MODE", "")

        @pipeline
        def main() -> str:
            return reads()
    """)
    project.write("one\n", "config.txt")
    project("run")
    assert project("plan", "--json").decisions == {"reads": "cached"}
    project.write("two\n", "config.txt")
    assert "config.txt" in project("plan").out
    assert project("plan", "--json").decisions == {"reads": "run"}
    project("run")
    assert project("plan", "--json", env={"MODE": "x"}).decisions == {"reads": "run"}


def test_sources_records_judges_and_constants(project: Project) -> None:
    project.write("a,b\n1,2\n", "data.csv")
    project.write('[{"b": 2}]', "rows.json")
    project.write("""
        import datetime
        from dataclasses import dataclass
        from enum import Enum
        from pathlib import Path
        from typing import NamedTuple
        from stepwell import pipeline, source, step

        class Kind(Enum):
            GOOD = "good"

        class Both(NamedTuple):
            left: int
            right: str

        def positive(value: Both) -> bool:
            return value.left > 0

        data = source("data.csv", Path)
        rows = source("rows.json", list)

        @step(packages=["greet"], validate=positive)
        def split(data: Path, rows: list, kind: Kind, when: datetime.date, more: list[int]) -> Both:
            return Both(len(data.read_text()) + sum(more), f"{kind.name} {when.year} {rows[0]['b']}")

        @step(packages=["greet"])
        def join(both: Both, *rest: int, **named: int) -> str:
            return f"{both.left} {both.right} {rest} {sorted(named)}"

        @pipeline
        def main() -> str:
            both = split(data(), rows(), Kind.GOOD, datetime.date(2026, 1, 1), [1, 2])
            return join(both, both.left, 5, x=both.left)
    """)
    assert project("run", "--json").json["result"] == "11 GOOD 2026 2 (11, 5) ['x']"


def test_large_values_and_folders_cross_both_ways(project: Project) -> None:
    project.write("""
        from pathlib import Path
        from stepwell import pipeline, step

        @step(packages=["greet"])
        def make() -> tuple[bytes, Path]:
            folder = Path("made")
            (folder / "below").mkdir(parents=True, exist_ok=True)
            for name in ("a.bin", "below/b.bin", "below/same.bin"):
                (folder / name).write_bytes(name[:1].encode() * 200_000)
            (folder / "empty").mkdir(exist_ok=True)
            return bytes(range(256)) * 1000, folder

        @step(packages=["greet"])
        def look(data: bytes, folder: Path) -> list[str]:
            files = sorted(f"{one.relative_to(folder)} {one.stat().st_size}" for one in folder.rglob("*.bin"))
            return [str(data == bytes(range(256)) * 1000), folder.name, str((folder / "empty").is_dir()), *files]

        @step
        def look_here(data: bytes, folder: Path) -> list[str]:
            return look.function(data, folder)

        @pipeline
        def main() -> list[list[str]]:
            data, folder = make()
            return [look(data, folder), look_here(data, folder)]
    """)
    there, here = project("run", "--json").json["result"]
    assert there == here
    assert there == ["True", "made", "True", "a.bin 200000", "below/b.bin 200000", "below/same.bin 200000"]
    project("verify")


def test_a_dynamic_call_that_grows_places(project: Project) -> None:
    project.write("""
        from stepwell import pipeline, step

        @step
        def numbers() -> list[int]:
            return [1, 2]

        @step(packages=["greet==2.0"])
        def one(x: int) -> str:
            import greet
            return greet.hello(str(x))

        @pipeline(dynamic=True)
        def each(xs: list[int]) -> list[str]:
            return [one(x) for x in xs]

        @pipeline
        def main() -> list[str]:
            return each(numbers())
    """)
    assert project("run", "--json").json["result"] == ["2.0 hello 1", "2.0 hello 2"]
    assert set(project("plan", "--json").decisions.values()) == {"cached"}


def test_a_shell_step_finds_the_programs_of_its_environment(project: Project) -> None:
    project.write("""
        from pathlib import Path
        from stepwell import pipeline, shell, step

        version = shell("python -c 'import greet; print(greet.VERSION)' > {out}", out="v.txt", packages=["greet==1.0"])

        @step
        def read(file: Path) -> str:
            return file.read_text()

        @pipeline
        def main() -> str:
            return read(version())
    """)
    assert project("run", "--json").json["result"] == "1.0\n"


def test_a_debugger_is_refused_here(project: Project) -> None:
    project.write(FAILING)
    project("run", code=1)
    assert "E356" in project("debug", "fails", code=3).err


def test_strict_is_refused_with_a_reason(project: Project) -> None:
    project.write(TWO)
    done = project("run", "--strict", "--json", code=3)
    assert "E356" in done.out or "E311" in done.out


def test_another_python_does_the_same(project: Project) -> None:
    other = "3.12" if sys.version_info[:2] != (3, 12) else "3.13"
    project.write(TWO)
    project.edit('packages=["greet==1.0"]', f'packages=["greet==1.0"], python="{other}"')
    done = project("run", "--json", code=None)
    if done.code:  # a machine with only one Python: then that is what it says
        assert done.json["error"]["code"] == "E352"
        assert f"there is no Python {other}" in done.json["error"]["what"]
    else:
        assert done.json["result"] == "['1.0 hello n0', '1.0 hello n1'] and 2.0 hello n0"


def test_settings_of_uv_in_the_project_count_for_both(project: Project, wheels: Path, tmp_path: Path) -> None:
    del project.env["UV_FIND_LINKS"]
    project.env |= {"STEPWELL_CACHE": str(tmp_path / "cache"), "UV_CACHE_DIR": str(tmp_path / "uv")}
    project.write(f'[tool.uv]\nfind-links = ["{wheels}"]\n[tool.stepwell]\n', "pyproject.toml")
    project.write(TWO)
    project("run")


def test_a_second_plan_starts_no_uv(project: Project) -> None:
    project.write(TWO)
    project("plan")
    liar = project.root / "bin"
    liar.mkdir()
    (liar / "uv").write_text("#!/bin/sh\nexit 9\n")
    (liar / "uv").chmod(0o755)
    path = {"PATH": f"{liar}:{project.env['PATH']}"}
    assert project("plan", "--json", env=path).decisions["old"] == "run"
    assert project("plan", "--refresh", env=path, code=3).code == 3
