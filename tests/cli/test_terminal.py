"""On a terminal: the live view, Ctrl-C, colours, and nothing raw from what steps say. A pipe gets plain lines."""

from __future__ import annotations

import re
import signal
import subprocess
import time

import pexpect
import pytest
from cli_projects import STEPWELL, bare, check_document, wait_for

SLOW = """
    import os
    import subprocess
    import sys
    import time
    from pathlib import Path
    from stepwell import pipeline, step

    @step
    def quick(n: int) -> int:
        print("quick is done", flush=True)
        return n

    @step
    def slow(n: int) -> int:
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(100)"])
        Path("pids").write_text(f"{os.getpid()} {child.pid}")
        print("working on it", flush=True)
        until = time.monotonic() + 60
        while not Path("go").exists() and time.monotonic() < until:
            time.sleep(0.01)
        child.kill()
        return n + 1

    @step
    def last(n: int) -> int:
        return n * 2

    @pipeline
    def waits():
        return last(slow(quick(1)))
"""


pytestmark = pytest.mark.slow


def terminal(project, *words, rows=24, columns=80, **env):
    """The command on a terminal of its own."""
    return pexpect.spawn(
        str(STEPWELL), list(words), cwd=str(project.root), env={**project.env, **env}, dimensions=(rows, columns),
        encoding="utf-8", timeout=30,
    )  # fmt: skip


def rest(child):
    """All that still comes, and the exit code."""
    text = child.read()
    child.close()
    return text, child.exitstatus


def alive(pid):
    """Whether a process is there, and not only as a zombie."""
    state = subprocess.run(
        ["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False
    ).stdout
    return bool(state.strip()) and not state.strip().startswith("Z")


def pids(project):
    text = wait_for(lambda: (project.root / "pids").exists() and (project.root / "pids").read_text())
    return [int(word) for word in text.split()]


def shown(text, columns=80):
    """What stands on a screen in the end: a terminal that knows the few sequences that we let pass."""
    lines, row, column = [""], 0, 0
    for part in re.findall(r"\x1b\[[0-9;?]*[A-Za-z]|\r|\n|[^\x1b\r\n]+", text):
        if part == "\r":
            column = 0
        elif part == "\n":
            row += 1
            lines += [""] * (row + 1 - len(lines))
        elif part.startswith("\x1b["):
            amount, kind = part[2:-1], part[-1]
            assert kind in "mKAhl", f"unexpected sequence {part!r}"
            if kind == "K":
                lines[row] = "" if amount == "2" else lines[row][:column]
            elif kind == "A":
                row = max(0, row - int(amount or 1))
        else:
            lines[row] = lines[row][:column].ljust(column) + part + lines[row][column + len(part) :]
            column += len(part)
    return [line.rstrip() for line in lines]


@pytest.mark.parametrize(("rows", "columns"), [(24, 80), (50, 200)])
def test_the_live_view(project, rows, columns):
    project.write(SLOW)
    child = terminal(project, "run", rows=rows, columns=columns)
    child.expect("⠋|⠙|⠹|⠸|⠼|⠴|⠦|⠧|⠇|⠏")
    child.expect("working on it")
    child.expect(r"1 of 3 steps")
    (project.root / "go").touch()
    text, code = rest(child)
    assert code == 0
    final = shown(child.before + text if child.before else text)
    assert "r1 succeeded in" in bare(text)
    assert "result  4" in bare(text)
    tail = [line for line in final if line]
    assert not any(mark in line for line in tail for mark in "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏")
    assert not any("steps" in line for line in tail)
    assert text.count("\x1b[?25l") <= text.count("\x1b[?25h")  # the cursor is there again


def test_the_whole_screen(hello):
    """A run on a terminal leaves exactly the lines that a pipe gets, times aside."""
    text, code = rest(terminal(hello, "run", columns=100))
    assert code == 0
    assert "\x1b[32m✓\x1b[0m" in text
    on_screen = [line for line in shown(text, 100) if line]
    hello.root.joinpath(".stepwell").rename(hello.root / "old")
    piped = [line for line in hello("run").out.splitlines() if line]

    def timeless(lines):
        return sorted(re.sub(r"[\d.]+ s\b", "T", line) for line in lines)

    assert timeless(on_screen) == timeless(piped)


def test_expected_times_come_from_history(project):
    project.write(SLOW)
    (project.root / "go").touch()
    project("run")
    (project.root / "go").unlink()
    child = terminal(project, "run", "--force", "slow", columns=100)
    child.expect(r"of about \d")
    (project.root / "go").touch()
    assert rest(child)[1] == 0


@pytest.mark.parametrize(
    "env", [{"NO_COLOR": "1"}, {"TERM": "dumb"}, {"CI": "true"}], ids=lambda env: next(iter(env))
)
def test_terminals_that_want_plain_lines(hello, env):
    text, code = rest(terminal(hello, "run", **env))
    assert code == 0
    assert "CI" in env or "\x1b" not in text
    assert "\x1b[?25l" not in text
    assert len(text.splitlines()) <= 8


def test_piped_output_has_no_escapes(hello):
    for words in (["plan"], ["run"], ["runs"], ["show"], ["logs"], ["why", "total"], ["verify"]):
        assert "\x1b" not in hello(*words).out


def test_json_on_a_terminal(project):
    """The document goes to stdout, the live view to stderr, where somebody looks."""
    project.write(SLOW)
    (project.root / "go").touch()
    child = pexpect.spawn(
        "sh",
        ["-c", f"'{STEPWELL}' run --json >out"],
        cwd=str(project.root),
        env=project.env,
        encoding="utf-8",
        timeout=30,
    )
    text, code = rest(child)
    assert code == 0, text
    document = (project.root / "out").read_text()
    assert document.startswith('{"pipeline": "waits"')
    assert document.count("\n") == 1
    assert "✓ slow" in bare(text)


@pytest.mark.serial
def test_ctrl_c(project):
    project.write(SLOW)
    child = terminal(project, "run")
    processes = pids(project)
    child.expect("working on it")
    began = time.monotonic()
    child.sendintr()
    text, code = rest(child)
    wait_for(lambda: not any(map(alive, processes)), 2 - (time.monotonic() - began))
    assert code == 130
    assert "r1 interrupted" in bare(text)
    assert "resume with the same command" in bare(text)
    assert "Traceback" not in text
    (row,) = project("runs", "--json").json["runs"]
    assert row["status"] == "interrupted"
    shown = project("show", "--json")
    assert {name: step["status"] for name, step in shown.steps.items()} == {
        "quick": "succeeded", "slow": "interrupted", "last": "interrupted",
    }  # fmt: skip
    (project.root / "go").touch()
    again = project("run", "--json")
    assert again.decisions == {"quick": "cached", "slow": "run", "last": "run"}


@pytest.mark.serial
@pytest.mark.parametrize(
    ("number", "times"),
    [(signal.SIGINT, 1), (signal.SIGTERM, 1), (signal.SIGINT, 2)],
    ids=["INT", "TERM", "INT twice"],
)
def test_signals_with_json(project, number, times):
    project.write(SLOW)
    process = project.start("run", "--json")
    processes = pids(project)
    for _ in range(times):
        process.send_signal(number)
        time.sleep(0.002)
    out, err = process.communicate(timeout=10)
    assert process.returncode == 130, err
    assert b"Traceback" not in err
    check_document("run", out.decode())
    wait_for(lambda: not any(map(alive, processes)), 2)
    assert project("runs", "--json").json["runs"][0]["status"] == "interrupted"


@pytest.mark.serial
def test_a_command_that_is_killed(project):
    """No process stays behind; the run is seen to have been interrupted, and what it had finished is used."""
    project.write(SLOW)
    process = project.start("run")
    processes = pids(project)
    time.sleep(0.1)
    process.kill()
    process.communicate(timeout=10)
    wait_for(lambda: not any(map(alive, processes)), 2)
    (row,) = project("runs", "--json").json["runs"]
    assert (row["status"], row["seconds"]) == ("interrupted", None)
    assert "r1" in project("show").out
    (project.root / "go").touch()
    assert project("run", "--json").json["result"] == 4


def test_in_process_with_a_debugger(project):
    """`breakpoint()` talks on the terminal, and `Ctrl-C` there ends the run too."""
    project.write("""
        from stepwell import pipeline, step

        @step
        def look() -> int:
            seen = 41
            breakpoint()
            return seen + 1

        @pipeline
        def one():
            return look()
    """)
    child = terminal(project, "run", "--in-process")
    child.expect(r"\(Pdb\) ")
    child.sendline("p seen * 1000")
    child.expect("41000")
    child.sendline("continue")
    text, code = rest(child)
    assert code == 0
    assert "result  42" in bare(text)


RUDE = """
    import sys
    from stepwell import log, pipeline, step

    @step
    def rude(text: str = "\\x1b[31m") -> dict[str, str]:
        print("\\x1b]0;owned\\x07\\x1b[2Jcleared \\x9b31m \\u202eback")
        print("10%\\r50%\\r100%")
        print("half a line", end="", file=sys.stderr)
        log.metric("a\\x1b[31mb", 1)
        return {"\\x1b[5m": "\\x1b[31mred"}

    @step
    def fails(given: dict[str, str]) -> int:
        raise ValueError("\\x1b]0;owned\\x07 and \\x9b31m")

    @pipeline
    def tests(name: str = "x\\x1b[31my"):
        return fails(rude(name))
"""


def test_what_steps_say_commands_no_terminal(project):
    project.write(RUDE)
    text, code = rest(terminal(project, "run", columns=200))
    assert code == 1
    piped = project("run", "--force", "rude", code=1).out
    for out in (text, piped):
        seen = bare(out)
        assert "\\x1b]0;owned\\x07\\x1b[2Jcleared \\x9b31m \\u202eback" in seen
        assert "rude │ 100%" in seen
        assert "rude │ half a line" in seen
        assert "ValueError: \\x1b]0;owned\\x07" in seen
        assert "\x07" not in out
        assert not re.search("[\x80-\x9f\u202e]", out)
    assert not re.search(r"\x1b(?!\[[0-9;?]*[mKAhl])", text)
    assert "\x1b" not in piped
    for words in (
        ["show"],
        ["logs"],
        ["runs"],
        ["get", "last", "rude"],
        ["plan", "name=\x1b[31m"],
        ["why", "fails"],
    ):
        text, code = rest(terminal(project, *words, columns=200))
        assert code == 0
        assert not re.search(r"\x1b(?!\[[0-9;]*m)|[\x07\x80-\x9f\u202e]", text), words
        assert "\x1b[31mred" not in text
        assert "\x1b[5m" not in text
    raw = project("logs", "last", "rude", "--json").json["logs"]
    assert "\x1b]0;owned\x07" in "".join(piece["text"] for piece in raw)
    assert "\x1b" not in project("run", "\x1b[31mrun", code=2).err
    assert "\\x1b[31m" in project("run", "\x1b[31mrun", code=2).err


def test_prints_are_shown_as_they_come_and_kept(project):
    project.write(SLOW)
    process = subprocess.Popen(
        [STEPWELL, "run"],
        cwd=project.root,
        env=project.env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    lines = []
    while "slow │ working on it" not in (lines[-1] if lines else ""):
        lines.append(process.stdout.readline())
        assert lines[-1], lines
    assert not (project.root / "go").exists()  # it is still at work
    (project.root / "go").touch()
    process.communicate(timeout=30)
    assert project("logs", "last").out.splitlines() == ["quick │ quick is done", "slow │ working on it"]
