"""What a hostile world brings, with the real command: defined, and told in words.

Source that cannot be read, calls in circles, constants of a gigabyte, clocks that jump back, and an
environment that changes while a run goes on.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import time
import zipfile
from pathlib import Path

import pytest
from cli_projects import Project, as_a_mortal, wait_for

PIPELINE = """
    from stepwell import pipeline, step
    {top}

    @step
    def work(n: int) -> int:
        return {call}

    @pipeline
    def main(n: int = 4) -> int:
        return work(n)
"""


def pipeline(top: str, call: str) -> str:
    return PIPELINE.format(top=top, call=call)


def result(project: Project, *words: str) -> tuple[int, str]:
    """(what a run gives, what it did with the step)."""
    run = project("run", "--json", *words)
    return run.json["result"], run.decisions["work"]


def causes(project: Project) -> list[tuple[str, str]]:
    return [(reason["kind"], reason["name"]) for reason in project("plan", "--json").steps["work"]["reasons"]]


# --------------------------------------------------------------------------- source that cannot be read

NATIVE = """
    #include <Python.h>
    static PyObject *scaled(PyObject *self, PyObject *arg) {
        return PyLong_FromLong(FACTOR * PyLong_AsLong(arg));
    }
    static PyMethodDef methods[] = {{"scaled", scaled, METH_O, ""}, {NULL, NULL, 0, NULL}};
    static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "native", NULL, -1, methods};
    PyMODINIT_FUNC PyInit_native(void) { return PyModule_Create(&module); }
"""


def compiled(project: Project, factor: int) -> None:
    """Build the extension `native` into the project."""
    if shutil.which("gcc") is None:
        assert not os.environ.get("CI"), "the tests of compiled code need gcc"
        pytest.skip("no gcc")
    source = project.write(NATIVE, "native.c")
    built = project.root / ("native" + sysconfig.get_config_var("EXT_SUFFIX"))
    include = f"-I{sysconfig.get_path('include')}"
    words = ["gcc", "-shared", "-fPIC", f"-DFACTOR={factor}", include, source, "-o", f"{built}.new"]
    subprocess.run(words, check=True)
    os.replace(f"{built}.new", built)


def test_a_compiled_extension_counts_as_a_whole(project):
    compiled(project, 2)
    project.write(pipeline("from native import scaled", "scaled(n)"))
    assert result(project) == (8, "run")
    assert result(project) == (8, "cached")
    compiled(project, 3)
    assert causes(project) == [("code", "native (compiled)")]
    assert result(project) == (12, "run")


def test_a_compiled_function_is_no_step(project):
    compiled(project, 2)
    project.write(pipeline("from native import scaled; other = step(scaled)", "n"))
    error = project.refused("plan", code=3)
    assert error["code"] == "E202"
    assert "`scaled`, which is not a Python function" in error["what"]
    assert error["where"] == "pipeline.py:2"


def test_a_helper_made_by_exec_counts_with_its_module(project):
    made = 'space = {}; exec("def helper(n): return n + 1", space); helper = space["helper"]'
    project.write(pipeline(made, "helper(n)"))
    assert result(project) == (5, "run")
    plan = project("plan", "--json")
    assert plan.decisions == {"work": "cached"}
    assert plan.json["notes"] == ["pipeline: exec; the whole module counts"]
    project.edit("n + 1", "n + 2")
    assert ("code", "pipeline (whole module)") in causes(project)
    assert result(project) == (6, "run")


def test_a_step_made_by_exec_is_refused(project):
    project.write("""
        from stepwell import pipeline, step
        exec("@step\\ndef made(n: int) -> int:\\n    return n + 1\\n")

        @pipeline
        def main(n: int = 4) -> int:
            return made(n)
    """)
    error = project.refused("plan", code=3)
    assert error["code"] == "E212"
    assert "binds `made`" in error["what"]


def archive(project: Project, factor: int) -> None:
    with zipfile.ZipFile(project.root / "lib.zip", "w") as file:
        file.writestr("zipped.py", f"def scaled(n):\n    return n * {factor}\n")


def test_a_module_in_a_zip_file_counts_with_the_file(project):
    archive(project, 3)
    on_path = "import sys; sys.path.insert(0, __file__.replace('pipeline.py', 'lib.zip'))"
    project.write(pipeline(on_path + "\n    from zipped import scaled", "scaled(n)"))
    assert result(project) == (12, "run")
    assert result(project) == (12, "cached")
    archive(project, 4)
    assert causes(project) == [("code", "zipped (compiled)")]
    assert result(project) == (16, "run")


def test_a_helper_that_was_deleted(project):
    project.write(pipeline("from helper import add", "add(n)"))
    helper = project.write("def add(n): return n + 1\n", "helper.py")
    assert result(project) == (5, "run")
    helper.unlink()
    error = project.refused("plan", code=3)
    assert (error["code"], error["where"]) == ("E201", "pipeline.py:2")
    assert "No module named 'helper'" in error["what"]


def test_a_helper_that_goes_while_the_pipeline_is_loaded(project):
    """It was read, and what was read is what counts and runs."""
    project.write("def add(n): return n + 1\n", "helper.py")
    project.write(pipeline("import os, helper; os.system(f'rm -f {helper.__file__}')", "helper.add(n)"))
    assert result(project) == (5, "run")


def test_the_pipeline_file_goes_while_it_is_loaded(project):
    project.write(pipeline("import os; os.system(f'rm -f {__file__}')", "n + 1"))
    assert result(project) == (5, "run")


def test_a_helper_that_goes_between_plan_and_run(project):
    """The first step deletes it; the worker of the second has the bytes that were planned."""
    project.write("def add(n): return n + 1\n", "helper.py")
    project.write("""
        from pathlib import Path
        from stepwell import pipeline, step

        @step
        def first(n: int) -> int:
            Path("helper.py").unlink()
            return n

        @step
        def work(n: int) -> int:
            import helper
            return helper.add(n)

        @pipeline
        def main(n: int = 4) -> int:
            return work(first(n))
    """)
    assert result(project) == (5, "run")


@pytest.mark.parametrize("name", ["pipeline.py", "helper.py", "helper"])
def test_code_that_may_not_be_read(project, name):
    project.write(pipeline("from helper import add", "add(n)"))
    project.write("def add(n): return n + 1\n", "helper/__init__.py" if name == "helper" else "helper.py")
    place = project.root / name
    mode = place.stat().st_mode
    place.chmod(0)
    try:
        words = as_a_mortal(Path(sys.executable).with_name("stepwell"), "plan")
        done = subprocess.run(words, cwd=project.root, env=project.env, capture_output=True, text=True)
    finally:
        place.chmod(mode)
    assert done.returncode == 3
    assert done.stderr.startswith("error[E201] importing `pipeline.py` raised "), done.stderr
    assert "Traceback" not in done.stderr
    assert "Permission denied" in done.stderr if name != "helper" else "helper" in done.stderr


# --------------------------------------------------------------------------- shapes of code and values


def test_helpers_that_call_each_other_in_circles(project):
    """Functions across two modules, a function and itself, and methods of two classes."""
    project.write(
        """
        import pipeline

        def odd(n):
            return n != 0 and pipeline.even(n - 1)
        """,
        "other.py",
    )
    top = """import other

    def even(n): return n == 0 or other.odd(n - 1)
    def down(n): return down(n - 1) if n else 0

    class Left:
        def go(self, n): return Right().go(n - 1) if n else 0

    class Right:
        def go(self, n): return Left().go(n - 1) if n else 0
    """
    project.write(pipeline(top, "even(n) + down(n) + Left().go(n)"))
    assert result(project) == (1, "run")
    assert result(project) == (1, "cached")
    project.edit("n != 0", "bool(n)", "other.py")
    assert causes(project) == [("code", "other.odd")]
    project.edit("Left().go(n - 1) if n else 0", "Left().go(n - 1) if n > 0 else 0")
    assert causes(project) == [("code", "other.odd"), ("code", "pipeline.Right")]


def peak(project: Project, *words: str) -> tuple[int, int, str]:
    """(exit code, peak memory of the command's largest process in bytes, stderr)."""
    measure = (
        "import resource, subprocess, sys; code = subprocess.call(sys.argv[1:], stdout=subprocess.DEVNULL); "
        "print(code, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    command = [sys.executable, "-c", measure, Path(sys.executable).with_name("stepwell"), *words]
    done = subprocess.run(command, cwd=project.root, env=project.env, capture_output=True, text=True)
    code, kilobytes = map(int, done.stdout.split())
    return code, kilobytes << 10, done.stderr


def test_a_constant_of_a_gigabyte_in_a_module(project):
    """It counts by the expression that makes it: nobody reads its elements."""
    top = "import numpy as np\n    A = np.zeros((128, 1024, 1024))"
    project.write(pipeline(top, "int(A[0, 0, n]) + n"))
    code, memory, err = peak(project, "plan")
    assert code == 0, err
    assert memory < 300 << 20
    assert result(project) == (4, "run")
    assert result(project) == (4, "cached")
    project.edit("np.zeros", "np.ones")
    assert causes(project) == [("code", "pipeline.A")]


@pytest.mark.parametrize("value", ["np.zeros((128, 1024, 1024))", "[np.zeros(1 << 27)]", "bytes(1 << 30)"])
def test_a_constant_of_a_gigabyte_as_an_argument(project, value):
    """It would be made, hashed and sent with each plan and run: refused, at the line that passes it."""
    project.write(f"""
        import numpy as np
        from stepwell import pipeline, step

        @step
        def work(a: object) -> int:
            return 1

        @pipeline
        def main() -> int:
            return work({value})
    """)
    error = project.refused("plan", code=3)
    assert (error["code"], error["where"]) == ("E204", "pipeline.py:10")
    assert "comes to more than 256 MB" in error["what"]
    assert "make it inside a step" in error["fixes"]


# --------------------------------------------------------------------------- clocks

SHIFTED = """
import sys, time
real, real_ns = time.time, time.time_ns
time.time = lambda: real() + {shift}
time.time_ns = lambda: real_ns() + {shift} * 1_000_000_000
from stepwell.cli.main import main
sys.argv = ["stepwell", *sys.argv[1:]]
raise SystemExit(main())
"""


def shifted(project: Project, shift: int, *words: str) -> dict[str, str]:
    """The command in a process whose clock is off by so many seconds; gives the decisions."""
    import json

    command = [sys.executable, "-c", SHIFTED.format(shift=shift), *words, "--json"]
    done = subprocess.run(command, cwd=project.root, env=project.env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return {step["id"]: step["decision"] for step in json.loads(done.stdout)["steps"]}


DAY = 86_400

READS = """
    from pathlib import Path
    from stepwell import pipeline, source, step
    text = source("data.txt", str)

    @step
    def declared(text: str) -> str:
        return text

    @step
    def observed() -> str:
        return open("data.txt").read()

    @pipeline
    def main() -> list[str]:
        return [declared(text()), observed()]
"""


@pytest.mark.parametrize("shift", [DAY, -DAY])
def test_files_are_believed_by_their_content_whatever_the_clock_says(project, shift):
    """Same size, same time of change; runs before and after a jump of the clock."""
    project.write(READS)
    file = project.write("one\n", "data.txt")
    stamp = time.time_ns() + 3 * DAY * 1_000_000_000
    os.utime(file, ns=(stamp, stamp))
    assert set(shifted(project, shift, "run", "--in-process").values()) == {"run"}
    assert set(project("plan", "--json").decisions.values()) == {"cached"}
    assert set(shifted(project, -shift, "plan").values()) == {"cached"}
    for text in ("two\n", "six\n"):
        file.write_text(text)
        os.utime(file, ns=(stamp, stamp))
        assert set(shifted(project, shift, "plan").values()) == {"run"}
        run = project("run", "--json")
        assert run.json["result"] == [text.strip(), text] or run.json["result"] == [text, text]


TIMED = """
    from stepwell import pipeline, step

    @step(ttl=3600)
    def work(n: int) -> int:
        return n

    @pipeline
    def main(n: int = 4) -> int:
        return work(n)
"""


def test_a_time_to_live_survives_small_jumps(project):
    project.write(TIMED)
    assert shifted(project, 60, "run", "--in-process") == {"work": "run"}
    assert project("plan", "--json").decisions == {"work": "cached"}, "made in the near future"
    assert shifted(project, 2 * 3600, "plan") == {"work": "run"}


def test_a_result_from_the_far_future_has_expired(project):
    """The clock was a year ahead when it was made: nobody can say how old it is."""
    project.write(TIMED)
    assert shifted(project, 365 * DAY, "run", "--in-process") == {"work": "run"}
    assert project("plan", "--json").decisions == {"work": "run"}


def test_a_clock_that_jumps_back_during_a_run(project):
    """Durations come from a clock that does not; the run is recorded, and its results are found."""
    project.write(pipeline("", "n + 1"))
    jumping = SHIFTED.replace(
        "time.time = lambda: real() + {shift}", "begun = real()\ntime.time = lambda: 2 * begun - real()"
    ).replace("time.time_ns = lambda: real_ns() + {shift} * 1_000_000_000", "")
    command = [sys.executable, "-c", jumping, "run", "--in-process", "--json"]
    done = subprocess.run(command, cwd=project.root, env=project.env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert result(project) == (5, "cached")
    first = project("show", "r1", "--json").json
    assert first["status"] == "succeeded"


# --------------------------------------------------------------------------- an environment that moves


def installed(project: Project, version: str) -> Path:
    """A distribution `gadget` in a folder like `site-packages`; an earlier version is removed."""
    packages = project.root.parent / "site-packages"
    for old in packages.glob("gadget-*.dist-info"):
        shutil.rmtree(old)
    # Python takes byte code of one size and second for that of the new version, as installers know.
    shutil.rmtree(packages / "__pycache__", ignore_errors=True)
    info = packages / f"gadget-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: gadget\nVersion: {version}\n")
    (info / "RECORD").write_text("gadget.py,,\n")
    (packages / "gadget.py").write_text(f"VERSION = {version!r}\n")
    project.env["PYTHONPATH"] = str(packages)
    return packages


MOVING = """
    import time
    from pathlib import Path
    from stepwell import pipeline, step

    @step
    def before(n: int) -> int:
        import gadget
        return n + int(gadget.VERSION[0])

    @step
    def during(n: int) -> int:
        import gadget
        Path("started").touch()
        while not Path("go").exists():
            time.sleep(0.01)
        return n + int(gadget.VERSION[0])

    @step
    def apart(n: int) -> int:
        return n

    @pipeline
    def main(n: int = 4) -> list[int]:
        first = before(n)
        return [during(first), apart(n)]
"""


@pytest.mark.parametrize("mode", [[], ["--in-process"]])
@pytest.mark.parametrize("removed", [False, True])
def test_a_distribution_that_is_upgraded_while_a_step_runs(project, mode, removed):
    """What the step gives is not kept under the version that was planned; what does not use it is."""
    project.write(MOVING)
    packages = installed(project, "1.0")
    running = project.start("run", "--json", "--keep-going", "-j1", *mode)
    wait_for(lambda: (project.root / "started").exists() or running.poll() is not None)
    if removed:
        shutil.rmtree(packages / "gadget-1.0.dist-info")
    else:
        installed(project, "2.0")
    (project.root / "go").touch()
    out, err = running.communicate(timeout=60)
    assert running.returncode == 1, (out, err)
    import json

    steps = {step["id"]: step for step in json.loads(out)["steps"]}
    assert steps["before"]["status"] == "succeeded"
    assert steps["apart"]["status"] == "succeeded"
    error = steps["during"]["error"]
    assert error["code"] == "E333"
    now = "is not installed any more" if removed else "is 2.0 now"
    assert error["what"] == f"step `during`: `gadget` was 1.0 when the run was planned, and {now}"

    installed(project, "2.0")
    again = project("run", "--json")
    assert again.decisions == {"before": "run", "during": "run", "apart": "cached"}
    assert again.json["result"] == [8, 4]
    installed(project, "1.0")
    back = project("plan", "--json").decisions
    assert back["before"] == "cached", "it was made with 1.0, as was planned"
    assert back["during"] == "run", "with 1.0 it was never made"
