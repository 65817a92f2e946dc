"""Steps in images, with the real command: what goes in and out, what counts in the key, and every end there is."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import container_images
from cli_projects import STEPWELL, Project
from container_images import PYTHON, TOOLS, Machine

CHAIN = f"""
    from pathlib import Path
    from stepwell import log, pipeline, shell, source, step
    from scale import scaled

    table = source("data/my table, 1.csv")

    @step(image="{PYTHON}")
    def numbers(table: Path, factor: int) -> list[int]:
        log.metric("factor", factor)
        print("reading", table.name)
        return scaled([int(line) for line in table.read_text().split()], factor)

    @step
    def written(values: list[int]) -> Path:
        Path("numbers.txt").write_text("".join(f"{{value}}\\n" for value in values))
        return Path("numbers.txt")

    order = shell("sort -n {{values}} > {{out}}; echo sorted with $(cat /version) >&2", out="sorted.txt", image="{TOOLS}")

    @step(image="{PYTHON}", out="reports/sum.txt")
    def total(values: Path) -> Path:
        Path("reports").mkdir(exist_ok=True)
        Path("reports/sum.txt").write_text(str(sum(map(int, values.read_text().split()))))
        return Path("reports/sum.txt")

    @pipeline
    def sums(factor: int = 2) -> Path:
        return total(order(written(numbers(table(), factor))))
"""


def chain(project: Project) -> None:
    """The pipeline `sums`, with its data."""
    project.write(CHAIN)
    project.write(
        "def scaled(values, factor):\n    return [value * factor for value in values]\n", "scale.py"
    )
    project.write("3\n1\n2\n", "data/my table, 1.csv")
    (project.root / "pyproject.toml").touch()


def test_values_and_files_go_in_and_out(project: Project, machine: Machine) -> None:
    chain(project)
    assert set(project("plan", "--json").decisions.values()) == {"run"}
    first = project("run", "--json").steps
    assert {step["status"] for step in first.values()} == {"succeeded"}
    assert (project.root / "reports" / "sum.txt").read_text() == "12"
    assert "reading my table, 1.csv" in project("logs", "last", "numbers").out
    assert "sorted with 1" in project("logs", "last", "order").out
    assert machine.containers() == []
    assert not list((project.root / ".stepwell" / "tmp").iterdir())
    assert set(project("plan", "--json").decisions.values()) == {"cached"}
    text = project("export", "yaml", "-o", "r1.yaml", "--json").json["text"]
    assert f"    kind: shell\n    place: image {TOOLS}\n" in text
    assert f"    image {PYTHON}:\n      container image: sha256:" in text
    assert "r2 gave what r1.yaml says" in project("run", "r1.yaml", "--force", "*").err
    assert project("export", "yaml").out == text
    # What belongs to the project counts, as it does in any step.
    project.write(
        "def scaled(values, factor):\n    return [value * -factor for value in values]\n", "scale.py"
    )
    project("run")
    assert (project.root / "reports" / "sum.txt").read_text() == "-12"


def test_strict_runs_have_containers_too(project: Project) -> None:
    chain(project)
    project("run", "--strict")
    assert (project.root / "reports" / "sum.txt").read_text() == "12"


def test_in_process_runs_have_containers_too(project: Project) -> None:
    chain(project)
    project("run", "--in-process", "factor=3")
    assert (project.root / "reports" / "sum.txt").read_text() == "18"


SHUT_OFF = f"""
    import os, socket
    from pathlib import Path
    from stepwell import pipeline, shell, source, step

    data = source("data")

    @step(image="{PYTHON}", env=["TOLD"])
    def looked(data: Path) -> dict[str, object]:
        def tried(do):
            try:
                do()
            except OSError as error:
                return type(error).__name__
            return "done"
        return {{
            "write": tried(lambda: (data / "new").write_text("x")),
            "change": tried(lambda: (data / "a.txt").write_text("x")),
            "secret": os.path.exists("secret.txt"),
            "machine": os.path.exists({__file__!r}),
            "network": tried(lambda: socket.create_connection(("192.0.2.1", 80), 2)),
            "told": os.environ.get("TOLD"),
            "hidden": os.environ.get("HIDDEN"),
            "inode": (data / "a.txt").stat().st_ino,
        }}

    seen = shell("stat -c %i {{data}}/a.txt; (echo x > {{data}}/a.txt) 2>/dev/null || echo refused", stdout=str, image="{TOOLS}")

    @pipeline
    def look():
        return looked(data()), seen(data())
"""


def test_a_step_sees_its_inputs_and_nothing_else(project: Project) -> None:
    """And these are read where they are: nothing is copied, however large it is."""
    project.write(SHUT_OFF)
    project.write("content\n", "data/a.txt")
    project.write("hidden\n", "secret.txt")
    project("run", env={"TOLD": "yes", "HIDDEN": "no"})
    looked, seen = (project("get", "last", name, "--json").json["value"] for name in ("looked", "seen"))
    inode = (project.root / "data" / "a.txt").stat().st_ino
    refused = "OSError"  # EROFS
    assert looked == {
        "write": refused, "change": refused, "secret": False, "machine": False, "network": refused, "told": "yes",
        "hidden": None, "inode": inode,
    }  # fmt: skip
    assert seen.split() == [str(inode), "refused"]
    assert (project.root / "data" / "a.txt").read_text() == "content\n"


FILES = f"""
    import os
    from pathlib import Path
    from stepwell import pipeline, shell, step

    @step
    def made() -> Path:
        Path("made/deep").mkdir(parents=True)
        for name in ("a.txt", "deep/b.txt"):
            Path("made", name).write_text(name)
        return Path("made")

    @step
    def listed() -> list[Path]:
        for name in ("x.txt", "y.txt"):
            Path(name).write_text(name)
        return [Path("x.txt"), Path("y.txt")]

    @step(image="{PYTHON}")
    def spoilt(folder: Path, files: list[Path]) -> list[str]:
        given = [*folder.rglob("*.txt"), *files]
        told = sorted(path.read_text() for path in given)
        for path in given:
            try:
                path.chmod(0o644)
                path.write_text("spoilt")
            except OSError:
                pass
        return told

    walked = shell("cd {{folder}}; cat a.txt deep/b.txt; (chmod 644 a.txt; echo > a.txt) 2>/dev/null || true", stdout=str, image="{TOOLS}")

    @pipeline
    def p():
        folder = made()
        return spoilt(folder, listed()), walked(folder)
"""


def test_files_of_other_steps_go_in_and_cannot_be_spoilt(project: Project) -> None:
    project.write(FILES)
    project("run")
    assert project("get", "last", "spoilt", "--json").json["value"] == [
        "a.txt",
        "deep/b.txt",
        "x.txt",
        "y.txt",
    ]
    assert project("get", "last", "walked", "--json").json["value"] == "a.txtdeep/b.txt"
    project("verify")
    assert set(project("plan", "--json").decisions.values()) == {"cached"}


SCRIPTS = f"""
    from stepwell import pipeline, script

    squares = script("scripts/squares.py", "{{count}}", stdout=list, image="{PYTHON}")
    version = script("scripts/version.sh", stdout=str, image="{TOOLS}")

    @pipeline
    def p():
        return squares(3), version()
"""


def test_scripts_run_in_images(project: Project) -> None:
    project.write(SCRIPTS)
    project.write(
        "import sys, json, helper\nprint(json.dumps(helper.squares(int(sys.argv[1]))))\n",
        "scripts/squares.py",
    )
    project.write("def squares(n):\n    return [i * i for i in range(n)]\n", "scripts/helper.py")
    project.write("#!/bin/sh\ncat /version\n", "scripts/version.sh").chmod(0o755)
    project("run")
    assert project("get", "last", "squares", "--json").json["value"] == [0, 1, 4]
    assert project("get", "last", "version", "--json").json["value"] == "1"


MOVING = """
    from stepwell import pipeline, shell

    version = shell("cat /version", stdout=str, image="localhost/moving:1")

    @pipeline
    def look() -> str:
        return version()
"""


def test_a_name_that_means_something_else_runs_again(
    project: Project, machine: Machine, tmp_path: Path
) -> None:
    name = "localhost/moving:1"
    old = machine.build(name, container_images.tools(tmp_path, "old"), "ENV PATH=/bin")
    project.write(MOVING)
    project("run")
    assert project("get", "last", "version").out.strip() == "old"
    new = machine.build(name, container_images.tools(tmp_path, "new"), "ENV PATH=/bin")
    assert project("plan", "--json").decisions == {"version": "run"}
    told = project("why", "version").out
    assert old[7:15] in told or new[7:15] in told
    project("run")
    assert project("get", "last", "version").out.strip() == "new"
    machine("tag", old, name)
    assert project("plan", "--json").decisions == {"version": "cached"}
    project("run")
    assert project("get", "last", "version").out.strip() == "old"


MEANWHILE = """
    from pathlib import Path
    import subprocess
    from stepwell import pipeline, shell, step

    @step(cache=False)
    def meanwhile(command: list[str]) -> str:
        subprocess.run(command, check=True)
        return "done"

    version = shell("echo {word}; cat /version", stdout=str, image="localhost/moving:2")

    @pipeline
    def look(command: list[str] = ["true"]) -> str:
        return version(meanwhile(command))
"""


def command(*words: str) -> str:
    """A list as a parameter."""
    return "command=[" + ",".join(f'"{word}"' for word in words) + "]"


def test_a_name_that_moves_in_a_run_changes_nothing(
    project: Project, machine: Machine, tmp_path: Path
) -> None:
    name = "localhost/moving:2"
    new = machine.build(name, container_images.tools(tmp_path, "new"), "ENV PATH=/bin")
    machine.build(name, container_images.tools(tmp_path, "old"), "ENV PATH=/bin")
    project.write(MEANWHILE)
    project("run", command("podman", "tag", new, name))
    assert project("get", "last", "version").out.split() == ["done", "old"]


def test_an_image_that_vanishes_in_a_run_is_told(project: Project, machine: Machine, tmp_path: Path) -> None:
    name = "localhost/moving:2"
    machine.build(name, container_images.tools(tmp_path, "gone"), "ENV PATH=/bin")
    project.write(MEANWHILE)
    result = project("run", command("podman", "rmi", "--force", name), code=1)
    assert "E435" in result.out + result.err
    assert f"the image `{name}` is gone" in result.out + result.err


def refusals(project: Project, text: str, **how: Any) -> str:
    """What is said of a pipeline that cannot be planned."""
    project.write(text)
    result = project("plan", code=3, **how)
    return result.out + result.err


BAD = """
    from stepwell import pipeline, shell, step

    @step({options})
    def one() -> int:
        return 1

    @pipeline
    def p():
        return one()
"""


def test_what_makes_no_sense_is_refused_early(project: Project) -> None:
    for options in ('image="--privileged"', 'image="two words"', 'image=""', "image=7", "network=True",
                    'image="a", packages=["six"]', 'image="a", python="3.12"'):  # fmt: skip
        assert "E240" in refusals(project, BAD.replace("{options}", options)), options
    assert "E359" in refusals(project, BAD.replace("{options}", 'image="docker.io/library/nothing:1"'))
    usual = BAD.replace("{options}", f'image="{TOOLS}"')
    said = refusals(project, usual, env={"PATH": str(project.root), "STEPWELL_CONTAINERS": ""})
    assert "E357" in said
    assert "podman and docker are not installed" in said
    assert "pipeline.py:" in said
    assert "E360" in refusals(project, usual, env={"STEPWELL_CONTAINERS": "kubernetes"})
    project.write('[tool.stepwell]\ncontainers = "kubernetes"\n', "pyproject.toml")
    assert "E360" in refusals(project, usual, env={"STEPWELL_CONTAINERS": ""})


FAILING = f"""
    from stepwell import pipeline, shell, step
    import os, sys

    @step(image="{TOOLS}")
    def no_python() -> int:
        return 1

    @step(image="{PYTHON}", memory="40MB")
    def greedy() -> int:
        print("it begins", flush=True)
        return len(bytearray(b"x" * 200_000_000))

    @step(image="{PYTHON}")
    def raising() -> int:
        raise KeyError("what")

    @step(image="{PYTHON}")
    def ending() -> int:
        os._exit(5)

    absent = shell(["no-such-tool", "-x"], image="{TOOLS}")
    within = shell("no-such-tool -x", image="{TOOLS}")
    code = shell("echo why >&2; exit 125", image="{TOOLS}")

    @pipeline
    def p():
        return no_python(), greedy(), raising(), ending(), absent(), within(), code()
"""


def test_each_way_to_fail_has_its_words(project: Project, machine: Machine) -> None:
    project.write(FAILING)
    steps = project("run", "--json", "--keep-going", code=1).steps
    codes = {name: step["error"]["code"] for name, step in steps.items()}
    assert codes == {
        "no_python": "E437", "greedy": "E404", "raising": "E401", "ending": "E402", "absent": "E436",
        "within": "E420", "code": "E420",
    }  # fmt: skip
    assert "has no `no-such-tool`" in steps["absent"]["error"]["what"]
    assert machine.containers() == []
    assert not (project.root / "oom").exists()  # conmon's note of memory that ran out


SLOW = f"""
    import time
    from pathlib import Path
    from stepwell import pipeline, shell, step

    @step(image="{PYTHON}")
    def python(n: int) -> int:
        print("it begins", flush=True)
        time.sleep(600)
        return n

    program = shell("echo it begins {{n}}; sleep 600", image="{TOOLS}")
    overdue = shell("echo it begins; sleep 600", image="{TOOLS}", timeout=1)

    @pipeline
    def both():
        return python(1), program(2)

    @pipeline
    def late():
        return overdue()
"""


def eventually(holds: Any, seconds: float = 20) -> bool:
    """Whether something comes to hold."""
    until = time.monotonic() + seconds
    while not (held := holds()) and time.monotonic() < until:
        time.sleep(0.05)
    return bool(held)


def started(project: Project, machine: Machine, *words: str) -> subprocess.Popen[bytes]:
    """A run of `both`, with both containers running."""
    project.write(SLOW)
    process = subprocess.Popen(
        [STEPWELL, "run", "both", "--jobs", "2", *words], cwd=project.root, env=project.env,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
    )  # fmt: skip
    running = ("ps", "--filter", "status=running", "--format", "{{.Names}}")
    assert eventually(lambda: len(machine(*running).split()) == 2)
    return process


def test_a_step_that_takes_too_long_leaves_no_container(project: Project, machine: Machine) -> None:
    project.write(SLOW)
    result = project("run", "late", "--json", code=1)
    assert result.steps["overdue"]["error"]["code"] == "E413"
    assert eventually(lambda: machine.containers() == [])


def test_ctrl_c_leaves_no_container(project: Project, machine: Machine) -> None:
    process = started(project, machine)
    os.kill(process.pid, signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode == 130
    assert eventually(lambda: machine.containers() == [])


def test_kill_leaves_no_container(project: Project, machine: Machine) -> None:
    """Of the command itself; and of a worker."""
    process = started(project, machine)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate(timeout=30)
    assert eventually(lambda: machine.containers() == [])
    process = started(project, machine, "--keep-going")
    for pid in owners(machine):
        os.kill(pid, signal.SIGKILL)
    process.communicate(timeout=60)
    assert process.returncode == 1
    assert eventually(lambda: machine.containers() == [])


def owners(machine: Machine) -> list[int]:
    """The processes that wait for the containers which there are."""
    label = '{{index .Config.Labels "stepwell.owner"}}'
    said = machine("inspect", "--format", label, *machine.containers())
    return [int(line.split("/")[3]) for line in said.split()]


MANY = f"""
    from stepwell import pipeline, shell

    square = shell("echo $(({{n}} * {{n}}))", stdout=int, image="{TOOLS}")

    @pipeline
    def squares():
        return [square(n) for n in range(8)]
"""


def test_containers_run_side_by_side(project: Project, machine: Machine) -> None:
    project.write(MANY)
    project("run", "--jobs", "4")
    names = ["square", *(f"square[{n}]" for n in range(2, 9))]
    assert [project("get", "last", name, "--json").json["value"] for name in names] == [
        n * n for n in range(8)
    ]
    assert machine.containers() == []


HOSTILE = f"""
    from pathlib import Path
    import os
    from stepwell import pipeline, shell, step

    @step(image="{PYTHON}", out="report.txt")
    def linked(target: str) -> Path:
        Path("report.txt").symlink_to(target)
        return Path("report.txt")

    taken = shell("ln -s {{target}} {{out}}", out="report.txt", image="{TOOLS}")

    @pipeline
    def python(target: str):
        return linked(target)

    @pipeline
    def program(target: str):
        return taken(target)
"""


def test_a_link_does_not_bring_out_what_only_the_worker_can_read(project: Project) -> None:
    project.write(HOSTILE)
    secret = project.write("hidden words\n", "secret.txt")
    for name in ("python", "program"):
        project("run", name, f"target={secret}", code=1)
        assert not (project.root / "report.txt").exists()
    found = [path for path in (project.root / ".stepwell").rglob("*") if path.is_file()]
    assert not [path for path in found if b"hidden words" in path.read_bytes()]
