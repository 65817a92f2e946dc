"""`stepwell debug`: the real inputs, the present code, nothing recorded; by a pipe and on a terminal."""

from __future__ import annotations

import json
import socket
import subprocess

import pexpect
import pytest
from cli_projects import STEPWELL, bare, kept

FAILS = """
    import functools
    import random
    from pathlib import Path
    import helpers
    from stepwell import log, pipeline, source, step

    DATA = source("data.txt", Path)

    @step
    def load(n: int, text: Path) -> list[float]:
        return [random.random() for _ in range(n)]

    @step
    def train(values: list[float], depth: int = 2, bad: bool = False) -> dict[str, float]:
        total = helpers.mean(values) * depth
        noise = random.random()
        log.metric("total", total)
        if bad:
            raise KeyError("speceis")
        return {"total": total, "noise": noise}

    @step
    def report(fitted: dict[str, float]) -> str:
        return str(sorted(fitted))

    @pipeline
    def demo(n: int = 3, depth: int = 2, bad: bool = False) -> str:
        return report(train(load(n, DATA()), depth, bad))
"""

HELPERS = """
    FACTOR = 1

    def mean(values):
        return FACTOR * sum(values) / len(values)
"""


@pytest.fixture
def demo(project):
    project.write(FAILS)
    project.write(HELPERS, "helpers.py")
    project.write("text", "data.txt")
    return project


def debug(project, *words, commands, code=0):
    """The command with commands for the debugger on its stdin."""
    text = "\n".join(commands).encode()
    done = subprocess.run(
        [STEPWELL, "debug", *words], cwd=project.root, env=project.env, input=text, capture_output=True,
        timeout=60, check=False,
    )  # fmt: skip
    told = done.stdout.decode() + done.stderr.decode()
    assert done.returncode == code, told
    assert "E000" not in told
    assert "stepwell/app" not in told, "a frame of ours is shown"
    return told


def test_a_step_that_failed_is_entered_where_it_failed(demo):
    demo("run", code=0)
    demo("run", "bad=true", code=1)
    before = kept(demo)
    told = debug(demo, "train", commands=["p depth", "p len(values)", "w", "p noise"], code=1)
    assert "with the inputs of r2, to the exception that it raised there" in told
    assert "raised KeyError: 'speceis'" in told
    assert "(Pdb) 2\n(Pdb) 3\n" in told
    assert '-> raise KeyError("speceis")' in told
    assert "  total = " in told  # what it logs is printed
    assert kept(demo) == before
    assert [row["run"] for row in demo("runs", "--json").json["runs"]] == ["r2", "r1"]


def test_a_step_that_succeeded_is_stopped_at_its_first_line_and_sees_what_it_saw(demo):
    demo("run")
    then = json.loads(demo("get", "last", "train").out)
    commands = [
        "import os",
        "p os.getcwd()",
        "p [round(v, 6) for v in values]",
        "n",
        "n",
        "p f'{noise:.17g}'",
        "w",
        "c",
    ]
    told = debug(demo, "train", commands=commands)
    values = [round(v, 6) for v in json.loads(demo("get", "last", "load").out)]
    assert "-> total = helpers.mean(values) * depth" in told.split("(Pdb)")[0]
    assert f"'{demo.root}'" in told
    assert str(values) in told
    assert f"'{then['noise']:.17g}'" in told
    assert f"'total': {then['total']}" in told.split("train returned")[1]


def test_the_first_line_of_a_step_that_failed_and_the_other_order_of_words(demo):
    demo("run", "bad=true", code=1)
    told = debug(demo, "r1", "train", "--first-line", commands=["p bad", "c"], code=1)
    assert "from its first line" in told
    assert "(Pdb) True" in told
    assert "raised KeyError" in told


def test_edits_are_picked_up_also_by_again(demo):
    demo("run", "bad=true", code=1)
    demo.edit("if bad:", "if bad and depth > 2:")
    told = debug(demo, "train", commands=[])
    assert "train returned {'total'" in told
    edit = "p __import__('pathlib').Path('helpers.py').write_text('def mean(values): return 1000\\n')"
    told = debug(demo, "train", "--first-line", commands=[edit, "again", "n", "p total", "c"])
    assert told.count("from its first line") == 2
    assert "(Pdb) 2000" in told
    assert "train returned {'total': 2000," in told


def test_an_edit_that_cannot_be_loaded_is_an_error_like_any(demo):
    demo("run")
    edit = "p __import__('pathlib').Path('helpers.py').write_text('def mean(\\n')"
    told = debug(demo, "train", commands=[edit, "again"], code=3)
    assert "error[E201]" in told
    assert "helpers.py" in told


def test_on_a_terminal_it_asks_whether_to_go_again(demo):
    demo("run", "bad=true", code=1)
    child = pexpect.spawn(
        str(STEPWELL), ["debug", "train"], cwd=str(demo.root), env=demo.env, encoding="utf-8", timeout=30
    )
    child.expect(r"\(Pdb\) ")
    child.sendline("q")
    child.expect(r"again\? \[y/n\] ")
    demo.edit("raise KeyError", "return {'depth': float(depth)}  #")
    child.sendline("y")
    child.expect(r"train returned \{'depth': 2.0\}")
    child.expect(r"again\? \[y/n\] ")
    child.sendline("n")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0
    assert "Traceback" not in bare(child.before)


def test_a_source_that_changed_is_refused_unless_asked_for(demo):
    demo("run")
    (demo.root / "data.txt").write_text("other")
    error = demo.refused("replay", "load", code=3)
    assert error["code"] == "E321"
    assert "data.txt" in error["what"]
    told = debug(demo, "load", "--current", commands=["p text.read_text()", "c"])
    assert "is NOT what r1 read" in told
    assert "(Pdb) 'other'" in told
    told = debug(demo, "train", commands=["c"])  # it reads no source
    assert "note" not in told


def test_an_edited_pipeline_does_not_change_what_the_step_is_given(demo):
    demo("run", "depth=5")
    demo.edit("report(train(load(n, DATA()), depth, bad))", "report(train(load(n + 1, DATA()), 7, bad))")
    told = debug(demo, "train", commands=["p depth, len(values)", "c"])
    assert "(Pdb) (5, 3)" in told
    assert "the pipeline passes another `depth` now; it is 5, as in r1" in told
    demo.edit("report(train(load(n + 1, DATA()), 7, bad))", "report({'a': 1.0})")
    error = demo("debug", "train", code=3).err
    assert "error[E323] the pipeline `demo` no longer calls `train` of r1" in error


def test_what_no_run_has_is_taken_from_the_plan(demo):
    demo.edit("return report(train(load(n, DATA()), depth, bad))", "return load(n, DATA())")
    demo("run")
    demo.edit("return load(n, DATA())", "return report(train(load(n, DATA()), depth, bad))")
    told = debug(demo, "train", "depth=9", commands=["p depth, len(values)", "c"])
    assert "with the inputs of the present plan" in told
    assert "(Pdb) (9, 3)" in told
    assert "error[E320]" in demo("debug", "report", code=3).err  # `train` has not run


def test_a_run_that_did_not_come_to_the_step(demo):
    demo("run", "bad=true", code=1)
    assert "error[E320] `report` has no recorded inputs in r1" in demo("debug", "report", "r1", code=3).err
    assert "error[E108]" in demo("debug", "report", "r7", code=2).err
    assert "did you mean `train`" in demo("debug", "trian", code=2).err


KINDS = """
    import asyncio
    import functools
    from stepwell import pipeline, step

    def timed(function):
        @functools.wraps(function)
        def wrapper(*args, **kwargs):
            return function(*args, **kwargs)
        return wrapper

    @step
    @timed
    def wrapped(n: int) -> int:
        inner = n + 1
        return inner

    @step
    async def waits(n: int) -> int:
        await asyncio.sleep(0)
        return n * 2

    @step
    def stars(*values: int, **named: int) -> int:
        return sum(values) + sum(named.values())

    @step
    def swallows(n: int) -> int:
        try:
            return 1 // n
        except Exception:
            return -1

    @pipeline
    def kinds():
        both = [wrapped.named("a")(1), waits(wrapped.named("b")(2))]
        return [*both, stars(1, 2, a=3), swallows(0)]
"""


def test_decorated_async_and_starred_steps(project):
    project.write(KINDS)
    project("run")
    told = debug(project, "b", commands=["p n", "n", "p inner", "c"])
    assert "-> inner = n + 1" in told.split("(Pdb)")[0]
    assert "(Pdb) 2\n" in told
    assert "b returned 3" in told
    told = debug(project, "waits", commands=["p n", "n", "c"])
    assert "-> await asyncio.sleep(0)" in told.split("(Pdb)")[0]
    assert "waits returned 6" in told
    assert "(Pdb) ((1, 2), {'a': 3})" in debug(project, "stars", commands=["p values, named"])
    assert "swallows returned -1" in debug(project, "swallows", commands=["c"])
    told = project("debug", "wrapped", code=2).err  # which one?
    assert "r1 calls `wrapped` 2 times" in told


@pytest.mark.parametrize(
    ("options", "package"), [(["--listen", "5678"], "debugpy"), (["--ipython"], "IPython")]
)
def test_a_debugger_that_is_not_there(demo, monkeypatch, options, package):
    demo("run")
    hidden = demo.root / "hidden"
    hidden.mkdir()
    (hidden / f"{package}.py").write_text(f"raise ImportError('{package} is hidden by a test')\n")
    told = demo("debug", "train", *options, code=3, env={"PYTHONPATH": str(hidden)}).err
    assert f"error[E324] {package} is not installed" in told
    assert package.lower() in told.split("fix")[1]


def test_what_debug_cannot_do(demo):
    demo("run")
    assert demo("debug", "train", "--json", code=2).json["error"]["code"] == "E100"
    assert "is not a port" in demo("debug", "train", "--listen", "here", code=2).err


def test_the_debugger_of_ipython(demo):
    demo("run")
    told = debug(demo, "train", "--ipython", commands=["p depth", "c"])
    assert "2" in told
    assert "train returned {" in told


class Editor:
    """The few words of the Debug Adapter Protocol that an editor says to attach, look and go on."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self.file = self.socket.makefile("rb")
        self.count = 0

    def ask(self, command, **arguments):
        self.count += 1
        body = json.dumps(
            {"seq": self.count, "type": "request", "command": command, "arguments": arguments}
        ).encode()
        self.socket.sendall(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))

    def hear(self, name):
        """The next answer or event of this name."""
        while True:
            length = 0
            while (line := self.file.readline().strip()) or not length:
                if line.lower().startswith(b"content-length:"):
                    length = int(line.split(b":")[1])
            said = json.loads(self.file.read(length))
            if name in (said.get("event"), said.get("command")):
                return said.get("body", {})


def test_an_editor_attaches_and_finds_the_step_at_its_first_line(demo):
    demo("run")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = demo.start("debug", "train", "--listen", str(port))
    try:
        for line in process.stdout:
            if b"waiting for an editor" in line:
                break
        editor = Editor(port)
        editor.ask("initialize", adapterID="test", clientID="test")
        editor.ask("attach", justMyCode=False)
        editor.hear("initialized")
        editor.ask("configurationDone")
        thread = editor.hear("stopped")["threadId"]
        editor.ask("stackTrace", threadId=thread, levels=1)
        frame = editor.hear("stackTrace")["stackFrames"][0]
        assert (frame["name"], frame["source"]["path"]) == ("train", str(demo.root / "pipeline.py"))
        editor.ask("evaluate", expression="depth", frameId=frame["id"])
        assert editor.hear("evaluate")["result"] == "2"
        editor.ask("continue", threadId=thread)
        editor.hear("terminated")
        editor.ask("disconnect")
        editor.socket.close()
        editor.file.close()
        out, _ = process.communicate(timeout=60)
        assert b"train returned {" in out
        assert process.returncode == 0
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
        process.stderr.close()


JUDGED = """
    import os
    from stepwell import pipeline, step

    def small(value):
        return value < 10

    @step(validate=[small])
    def count(n: int) -> int:
        return n * 2

    @step
    def dies(n: int) -> int:
        if n > 5:
            os._exit(3)
        return n

    @pipeline
    def judged(n: int = 20):
        return count(n), dies(n)
"""


def test_a_step_that_was_refused_or_killed_is_stopped_at_its_first_line(project):
    project.write(JUDGED)
    project("run", "-k", code=1)
    told = debug(project, "count", commands=["p n", "c"], code=1)
    assert "from its first line" in told
    assert "count returned 40" in told
    assert "`small` refused what step `count` gave" in told
    told = debug(project, "dies", commands=["!n = 1", "c"])
    assert "dies returned 1" in told


MAPPED = """
    from stepwell import pipeline, step

    def small(value: float) -> bool:
        return value < 3

    @step(validate=small)
    def work(i: int) -> float:
        return 6 / i

    @pipeline
    def main(items: list[int] = [3, 6, 0]) -> list[float]:
        return work.map(items)
"""


def test_what_is_told_of_a_call_names_it_as_it_is_typed(project):
    project.write(MAPPED)
    told = project("run", "-k", code=1).out
    assert "stepwell debug 'work[3]'   opens a debugger at this line" in told
    told = debug(project, "work[3]", commands=["p i", "q"], code=1)
    assert "ZeroDivisionError" in told
    assert "stepwell debug 'work[3]'" in debug(
        project, "work[3]", "--first-line", commands=["c", "q"], code=1
    )
    (refused,) = (
        step["error"]
        for step in project("run", "items=[3, 1]", "--json", code=1).json["steps"]
        if "error" in step
    )
    assert refused["fixes"] == [
        "stepwell get last 'work[2]'   shows what was refused",
        "stepwell debug 'work[2]'",
    ]
