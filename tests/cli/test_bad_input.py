"""Bad input: each is refused, or fails, with a code, what happened, why, and what to type next."""

from __future__ import annotations

import json
import os
import resource
import shutil
import sqlite3
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest
from cli_projects import STEPWELL, as_a_mortal, check_document

ONE = """
    from stepwell import pipeline, source, step

    @step
    def use(value{of}) -> {gives}:
        {body}

    {before}

    @pipeline
    def one({parameters}):
        return use({given})
"""


def one(body="return value", gives="object", parameters="n: int = 1", given="n", before="", of=": object"):
    return ONE.format(body=body, gives=gives, parameters=parameters, given=given, before=before, of=of)


def test_no_pipeline_file(project):
    error = project.refused("run", code=2)
    assert error["code"] == "E101"
    assert error["what"] == "there is no `pipeline.py` in `demo`"
    assert error["fixes"] == ["stepwell new     (writes a pipeline.py to start from)"]
    project.write(name="squares.py")
    (project.root / "folder.py").mkdir()
    assert project.refused("plan", code=2)["fixes"][0] == "stepwell plan squares.py"
    assert project.refused("run", "sqares.py", code=2)["fixes"][0] == "did you mean `squares.py`?"
    assert not (project.root / ".stepwell").exists()


def test_a_file_without_a_pipeline(project):
    project.write("x = 1")
    error = project.refused("run", code=2)
    assert (error["code"], error["what"]) == ("E103", "`pipeline.py` has no pipeline")


def test_a_name_that_no_worker_can_import(project):
    project.write(name="my pipeline.py")
    error = project.refused("run", "my pipeline.py", code=2)
    assert error["fixes"] == ["rename it to my_pipeline.py"]


def test_a_syntax_error(project):
    project.write("def clean(:\n    pass\n")
    error = project.refused("run", code=3)
    assert error["code"] == "E201"
    assert error["where"] == "pipeline.py:1"
    assert error["what"].startswith("`pipeline.py` is not valid Python: ")
    assert error["why"] == "in the line `def clean(:`"


@pytest.mark.parametrize(
    "text", [b"\xff\xfe\x00nonsense", b"x = '\xff'\n", b"x = 1\x00\n"], ids=["utf-16", "latin-1", "a null"]
)
def test_a_file_that_is_no_text(project, text):
    (project.root / "pipeline.py").write_bytes(text)
    assert project.refused("plan", code=3)["code"] == "E201"


def test_a_file_that_raises(project):
    project.write("import nothing_like_it\n")
    error = project.refused("run", code=3)
    assert (error["code"], error["where"]) == ("E201", "pipeline.py:1")
    assert "pip install nothing-like-it" in error["fixes"][0]
    project.write("import sys\nsys.exit('bye')\n")
    assert "SystemExit: bye" in project.refused("run", code=3)["what"]
    project.write("raise KeyboardInterrupt\n")
    assert project.refused("run", code=130)["code"] == "E410"


def test_two_pipelines_and_none_named(hello):
    hello.edit(
        "@pipeline", "@pipeline\ndef cubes(n: int = 2) -> list[int]:\n    return numbers(n)\n\n\n@pipeline"
    )
    error = hello.refused("run", code=2)
    assert error["code"] == "E102"
    assert error["fixes"] == ["name it: cubes", "name it: squares"]
    assert hello("run", "cubes", "--json").json["pipeline"] == "cubes"


def test_parameters(project):
    project.write(one(parameters="n: int, scale: float = 1.0, *, names: list[str] = []"))
    unknown = project.refused("run", "n=1", "skale=2", code=2)
    assert (unknown["code"], unknown["fixes"][0]) == ("E104", "did you mean `scale`?")
    wrong = project.refused("run", "n=1.5", code=2)
    assert (wrong["code"], wrong["what"]) == ("E105", "`n=1.5` is not an int")
    assert (wrong["why"], wrong["fixes"]) == ("it is not a whole number", ["for example: n=3"])
    assert project.refused("run", "n=1", "names=[1", code=2)["code"] == "E105"
    missing = project.refused("run", code=2)
    assert (missing["code"], missing["what"]) == ("E106", "`one` needs a value for `n`")
    assert missing["fixes"] == ["for example: n=3"]
    assert project("plan", "n=0x10", "names=['a', 'b']", "scale=2", "--json").json["params"] == {
        "n": 16, "scale": 2.0, "names": ["a", "b"],
    }  # fmt: skip


def test_sources(project):
    project.write(one(before='data = source("data/in.csv", str)', parameters="", given="data()"))
    missing = project.refused("run", code=3)
    assert missing["code"] == "E301"
    assert "data/in.csv" in missing["what"]
    path = project.write("", "data/inn.csv")
    assert "inn.csv" in " ".join(project.refused("plan", code=3)["fixes"])
    path.rename(project.root / "data" / "in.csv")
    empty = project.refused("run", code=3)
    assert empty["code"] == "E303"
    assert "data/in.csv" in empty["what"]
    assert json.loads(project("runs", "--json").out) == {"runs": []}


def test_a_source_that_cannot_be_read(project):
    project.write(one(before='data = source("in.csv", str)', parameters="", given="data()"))
    project.write("a,b\n1,2\n", "in.csv").chmod(0)
    done = subprocess.run(
        as_a_mortal(STEPWELL, "run", "--json"), cwd=project.root, env=project.env, capture_output=True, text=True,
        check=False, timeout=60,
    )  # fmt: skip
    check_document("run", done.stdout)
    error = json.loads(done.stdout)["error"]
    assert (done.returncode, error["code"]) == (3, "E302")
    assert "in.csv" in error["what"]
    assert error["fixes"]


FAILURES = {
    "raises": ("raise ValueError('no luck')", "E401", "step `use` raised ValueError: no luck"),
    "exits": ("import sys; sys.exit(3)", "E402", "step `use` called `sys.exit` with 3"),
    "exits at once": ("import os; os._exit(3)", "E402", ""),
    "is killed": ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "E403", ""),
    "crashes": ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "E403", ""),
    "gives another type": ("return 'text'", "E405", "step `use` returned"),
    "gives a reference": ("return kept[0]", "E406", "step `use` returned a reference"),
    "gives a generator": ("return (n for n in range(3))", "E405", ""),
}


@pytest.mark.parametrize("name", FAILURES)
def test_a_step_that(project, name):
    body, code, what = FAILURES[name]
    project.write(one(body=body, gives="int", before="kept = []"))
    if name == "gives a reference":
        project.edit("kept = []", "class Kept:\n    __stepwell_reference__ = True\n\n\nkept = [Kept()]")
    run = project("run", "--json", code=1)
    error = run.steps["use"]["error"]
    assert error["code"] == code
    assert error["what"].startswith(what or "step `use`")
    assert error["why"] or error["fixes"]
    assert run.json["status"] == run.steps["use"]["status"] == "failed"
    lines = project("run", code=1).out
    told = error["what"].partition("; at its peak")[0]  # which differs from run to run
    assert f"error[{code}] {told}" in lines
    assert f"docs  stepwell explain {code}" in lines
    assert project("runs", "--json").json["runs"][0]["status"] == "failed"


def test_a_wrong_edge(project):
    project.write("""
        from stepwell import pipeline, step

        @step
        def text() -> str:
            return "1"

        @step
        def number(value: int) -> int:
            return value

        @pipeline
        def both():
            return number(text())
    """)
    error = project.refused("plan", code=3)
    assert (error["code"], error["where"]) == ("E205", "pipeline.py:13")


# ---------------------------------------------------------------------------- the store


def test_a_store_of_a_newer_version(hello):
    hello("run")
    database = sqlite3.connect(hello.root / ".stepwell" / "store.db")
    database.execute("PRAGMA user_version = 99")
    database.close()
    for words in (["run"], ["plan"], ["runs"], ["verify"], ["get", "last", "total"]):
        error = hello(*words, "--json", code=6).json["error"]
        assert error["code"] == "E501"
    hello.refused("show", code=6)
    assert sqlite3.connect(hello.root / ".stepwell" / "store.db").execute(
        "SELECT count(*) FROM runs"
    ).fetchone() == (1,)


def test_a_store_that_is_none(hello):
    hello.write(
        "this is not a database, and longer than a page header needs to be " * 20, ".stepwell/store.db"
    )
    assert hello.refused("run", code=6)["code"] == "E502"
    shutil.rmtree(hello.root / ".stepwell")
    hello.write("a file", ".stepwell")
    assert hello.refused("run", code=6)["code"] == "E502"


def mortal(project, *words, code=0):
    done = subprocess.run(
        as_a_mortal(STEPWELL, *words), cwd=project.root, env=project.env, capture_output=True, text=True,
        check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done


def test_a_folder_that_cannot_be_written(hello):
    """Planning and looking work; running is refused."""
    hello.root.chmod(0o555)
    try:
        assert "2 steps: 2 run" in mortal(hello, "plan").stdout
        assert "no runs yet" in mortal(hello, "runs").stdout
        refused = mortal(hello, "run", code=3)
        assert refused.stdout == ""
        assert refused.stderr.startswith("error[E503] ")
        assert "fix   STEPWELL_STORE=" in refused.stderr
        assert json.loads(mortal(hello, "run", "--json", code=3).stdout)["error"]["code"] == "E503"
        assert "error[E503]" in mortal(hello, "new", "other.py", code=3).stderr
    finally:
        hello.root.chmod(0o755)


def test_a_store_that_cannot_be_written(hello):
    hello("run")
    store = hello.root / ".stepwell"
    folders = [path for path in [store, *store.rglob("*")] if path.is_dir()]
    files = [path for path in store.rglob("*") if path.is_file()]
    for path, mode in [*((path, 0o444) for path in files), *((path, 0o555) for path in folders)]:
        path.chmod(mode)
    try:
        assert "2 cached" in mortal(hello, "plan").stdout
        assert "r1" in mortal(hello, "runs").stdout
        assert "succeeded" in mortal(hello, "show").stdout
        assert mortal(hello, "get", "last", "total").stdout == "285\n"
        assert mortal(hello, "logs", "last", "total").stdout == "adding 10\n"
        assert "r1" in mortal(hello, "__complete", "show", "").stdout
        assert "no earlier result" in mortal(hello, "why", "total", "r1").stdout
        assert mortal(hello, "verify").stdout == "the store is sound\n"
        assert "error[E503]" in mortal(hello, "run", code=3).stderr
    finally:
        for path in folders:
            path.chmod(0o755)


BIG = """
    from stepwell import pipeline, step

    @step
    def small() -> int:
        return 1

    @step
    def large(n: int) -> bytes:
        return bytes(range(256)) * (n << 14)

    @step
    def some(n: int) -> bytes:
        return n.to_bytes(4, "little") * (15 << 10)

    @step
    def count(parts: list[bytes]) -> int:
        return len(parts)

    @pipeline
    def many():
        return count([some(n) for n in range(30)])

    @pipeline
    def fills():
        return large(small())
"""


def on_a_small_disk(project, script, files=None):
    """Run a shell script with `$small` on a file system of 1 MB, which is gone with its mount namespace.

    `files` are further files of the project, by name; what the script writes to `answers` is returned.
    """
    for name, data in (files or {}).items():
        (project.root / name).write_bytes(data)
    small = project.root.parent / "small"
    small.mkdir()
    how = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--map-root-user", "--mount"]
    if (
        shutil.which("unshare") is None
        or subprocess.run([*how, "true"], check=False, capture_output=True).returncode
    ):
        pytest.skip("needs a mount namespace; the limit on the size of files stands in for it")
    script = f"mount -t tmpfs -o size=1m tmpfs '{small}' || exit 99\nmkdir answers\n{script}"
    env = {**project.env, "STEPWELL_STORE": f"{small}/store", "small": str(small)}
    done = subprocess.run(
        [*how, "sh", "-c", script],
        cwd=project.root,
        env=env,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert done.returncode == 0, done
    assert not list(small.iterdir())
    answers = {path.name: path.read_text("utf-8") for path in (project.root / "answers").iterdir()}
    assert not any("Traceback" in text for text in answers.values()), answers
    return answers


def test_a_full_disk(project):
    """A large blob fails its step; what came before is kept, and a run after room was made uses it."""
    project.write(BIG)
    got = on_a_small_disk(
        project,
        """
        cd answers
        stepwell -C .. run fills --json >run 2>talk; test $? = 1 || exit 1
        stepwell -C .. runs --json >runs; test $? = 0 || exit 2
        stepwell -C .. verify >verify; test $? = 0 || exit 3
        mount -o remount,size=9m "$small"
        stepwell -C .. run fills --json >again; test $? = 0 || exit 4
        """,
    )
    run = json.loads(got["run"])
    error = run["steps"][1]["error"]
    assert (run["steps"][0]["status"], run["steps"][1]["status"], error["code"]) == (
        "succeeded",
        "failed",
        "E504",
    )
    assert error["what"].startswith("step `large`: no room left on the disk")
    assert "fix   make room, then run again" in got["talk"]
    assert json.loads(got["runs"])["runs"][0]["status"] == "failed"
    assert got["verify"] == "the store is sound\n"
    assert json.loads(got["again"])["counts"] == {"run": 1, "cached": 1}


def test_a_disk_that_is_full_from_the_start_or_fills_up(project):
    """What cannot be recorded is refused, and nothing is left half done."""
    project.write(BIG)
    got = on_a_small_disk(
        project,
        """
        cd answers
        head -c 2000000 /dev/zero >"$small/ballast" 2>refused
        stepwell -C .. run fills --json >full 2>full.err; test $? = 6 || exit 1
        stepwell -C .. run fills >nothing 2>full.text; test $? = 6 || exit 2
        rm "$small/ballast"
        stepwell -C .. run many --json >filled 2>filled.err; test $? = 6 || exit 3
        stepwell -C .. runs --json >runs; test $? = 0 || exit 4
        mount -o remount,size=9m "$small"
        stepwell -C .. run many --json >again; test $? = 0 || exit 5
        stepwell -C .. verify >verify; test $? = 0 || exit 6
        """,
    )
    for name in ("full", "filled"):
        check_document("run", got[name])
        assert json.loads(got[name])["error"]["code"] == "E504"
    assert got["full.err"] == ""
    assert got["full.text"].startswith("error[E504] no room left on the disk")
    assert [run["status"] for run in json.loads(got["runs"])["runs"]] == ["interrupted"]
    assert json.loads(got["again"])["result"] == 30
    assert got["verify"] == "the store is sound\n"


SEVERAL = """
    from stepwell import pipeline, step

    @step
    def made(n: int) -> bytes:
        return bytes([n]) * 200_000

    @pipeline
    def one(n: int = 1):
        return made(n)
"""


def test_a_store_on_a_full_disk_is_read_and_collected(project):
    """Nothing fits any more, not even the index of the log: what is there can be looked at, and `gc` makes room."""
    project.write(SEVERAL)
    got = on_a_small_disk(
        project,
        """
        cd answers
        for n in 1 2 3; do stepwell -C .. run n=$n >before || exit 1; done
        cat /dev/zero >"$small/ballast" 2>refused
        stepwell -C .. runs --json >runs || exit 2
        stepwell -C .. plan n=1 >plan || exit 3
        stepwell -C .. get r2 made --output got >get || exit 4
        cmp ../got ../two || exit 5
        rm ../got
        stepwell -C .. run n=4 >nothing 2>refused; test $? = 6 || exit 6
        stepwell -C .. gc --undo >nothing 2>undone; test $? = 0 || exit 7
        stepwell -C .. gc --keep 1 --older-than 0 --yes >gc 2>said || exit 8
        stepwell -C .. verify >verify || exit 9
        stepwell -C .. gc --undo >back || exit 10
        stepwell -C .. verify >lost 2>nothing && exit 11
        stepwell -C .. run n=1 >again || exit 12
        stepwell -C .. gc --keep 1 --older-than 0 --yes >nothing || exit 13
        cat /dev/zero >>"$small/ballast" 2>nothing
        stepwell -C .. gc --empty-trash --yes >emptied 2>nothing || exit 14
        stepwell -C .. verify >verify || exit 15
        """,
        {"two": b"\2" * 200_000},
    )
    assert [run["status"] for run in json.loads(got["runs"])["runs"]] == ["succeeded"] * 3
    assert "1 step: 1 cached" in got["plan"]
    assert "error[E504]" in got["refused"]
    assert "stepwell gc    shows what the store can do without" in got["refused"]
    assert got["said"].startswith("note: there was no room left, so 2 files, 400 kB, went at once")
    assert "removed: 2 runs, 2 results" in got["gc"]
    assert "brings all but 2 files of it back" in got["gc"]
    assert "brought back: 2 runs, 2 results" in got["back"]
    assert "1 ran" in got["again"]
    assert "gone for good" in got["emptied"]
    assert got["verify"] == "the store is sound\n"


def test_a_limit_on_the_size_of_files(project):
    project.write(BIG)

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))

    run = project("run", "fills", "--json", code=1, preexec_fn=limit)
    assert run.steps["large"]["error"]["code"] == "E504"
    assert run.steps["small"]["status"] == "succeeded"
    assert project("run", "fills", "--json").json["counts"] == {"run": 1, "cached": 1}


@pytest.mark.parametrize("most", [5, 6, 8, 12, 16, 20, 24, 30, 40])
def test_a_limit_on_open_files(hello, most):
    """Whatever cannot be opened: the error says that the limit is too low. What works, works."""

    def limit():
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))

    told = hello("run", "--jobs", "8", "--json", code=None, preexec_fn=limit)
    if told.code == 0:
        assert most > 20
        return
    error = told.json["error"]
    assert (told.code, error["code"]) == (6, "E509")
    assert error["fixes"][0].startswith("ulimit -n 1024 ")
    assert f"{most} may be open at once" in error["why"]
    hello("run")


@pytest.mark.parametrize("verb", ["runs", "show", "plan", "why", "logs", "verify"])
def test_a_limit_on_open_files_of_what_only_reads(hello, verb):
    hello("run")

    def limit():
        resource.setrlimit(resource.RLIMIT_NOFILE, (6, 6))

    told = hello(verb, *(["squares"] if verb == "why" else []), code=None, preexec_fn=limit)
    assert told.code == 0 or told.err.startswith(("error[E509]", "error[E107]"))


def test_a_limit_that_may_be_raised_is_raised(hello):
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]

    def limit():
        resource.setrlimit(resource.RLIMIT_NOFILE, (20, hard))

    hello("run", "--jobs", "8", preexec_fn=limit)


@pytest.mark.parametrize(
    ("before", "line"),
    [
        ('os.environ = {"MODE": "fast"}', 4),
        ('os.environ = {**os.environ, "MODE": "fast"}', 4),
        ('os.environ: dict = {"MODE": "fast"}', 4),
        ('then, os.environ = os.environ, {"MODE": "fast"}', 4),
        ('if os.environ == {}: pass\n        mine = os.environ = {"MODE": "fast"}', 5),
    ],
)
def test_a_file_that_replaces_the_variables(project, before, line):
    project.write(f"""
        import os
        from stepwell import pipeline, step

        {before}

        @step
        def mode() -> str:
            return os.environ["MODE"]

        @pipeline
        def modes():
            return mode()
    """)
    for words in (("plan",), ("run",), ("run", "--in-process")):
        error = project.refused(*words, code=3)
        assert (error["code"], error["what"]) == ("E214", "`os.environ` was replaced by a dict")
        assert error["where"] == f"pipeline.py:{line}"
        assert error["why"].startswith(f"in the line `{before.splitlines()[-1].strip()}`")
        assert error["fixes"][0].startswith("os.environ.update({...})")


def test_a_pipeline_that_replaces_the_variables(project):
    project.write("""
        import os
        from stepwell import pipeline, step

        @step
        def mode() -> str:
            return os.environ["MODE"]

        @pipeline
        def modes():
            os.environ = dict(MODE="fast")
            return mode()
    """)
    error = project.refused("run", "--in-process", code=3)
    assert (error["code"], error["where"]) == ("E214", "pipeline.py:10")


def test_variables_that_no_python_starts_with(project):
    """What the worker's Python said is told: not that it ended."""
    project.write("""
        import os
        from stepwell import pipeline, step

        os.environ["PYTHONHASHSEED"] = "abc"

        @step
        def one() -> int:
            return 1

        @pipeline
        def ones():
            return one()
    """)
    error = project("run", "--json", code=1).steps["one"]["error"]
    assert error["code"] == "E408"
    assert error["why"].startswith("Fatal Python error: ")
    assert "PYTHONHASHSEED must be" in error["why"]


def test_two_runs_at_once(project):
    """Both succeed, and no step is executed twice."""
    project.write("""
        import time
        from pathlib import Path
        from stepwell import pipeline, step

        @step
        def work(n: int) -> int:
            with open("executed", "a") as file:
                file.write(f"{n}\\n")
            time.sleep(0.3)
            return n

        @step
        def total(values: list[int]) -> int:
            with open("executed", "a") as file:
                file.write("total\\n")
            return sum(values)

        @pipeline
        def shared():
            return total([work(n) for n in range(4)])
    """)
    with ThreadPoolExecutor() as pool:
        first, second = pool.map(lambda _: project("run", "--json", "-j2"), range(2))
    assert first.json["result"] == second.json["result"] == 6
    assert {first.json["run"], second.json["run"]} == {"r1", "r2"}
    executed = (project.root / "executed").read_text().split()
    assert sorted(executed) == ["0", "1", "2", "3", "total"]
    ran = [name for run in (first, second) for name, verb in run.decisions.items() if verb == "run"]
    assert len(ran) == 5
    assert {run["status"] for run in project("runs", "--json").json["runs"]} == {"succeeded"}
