"""The command itself: it prints the address, serves while runs go on, tells what changes, and ends at once."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cli_projects import Project, check_document

SLOW = """
    import os
    import time
    from pathlib import Path

    from stepwell import log, pipeline, step

    @step
    def first() -> int:
        return 1

    @step
    def waits(value: int) -> int:
        print("begun")
        log.progress(1, 4, "waiting")
        log.metric("loss", 0.5, step=0)
        Path("pid").write_text(str(os.getppid()))
        while not Path("go").exists():
            time.sleep(0.02)
        return value

    @step
    def last(value: int) -> int:
        return value

    @pipeline
    def slow() -> int:
        return last(waits(first()))
"""


class Client:
    """A browser, as it were: it has the cookie, and asks on one connection."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.host, self.port = document["host"], document["port"]
        answer = self.ask(document["address"].partition(str(self.port))[2])
        assert answer.status == 303
        self.cookie = answer.getheader("set-cookie").partition(";")[0]

    def ask(self, address: str) -> http.client.HTTPResponse:
        connection = http.client.HTTPConnection(self.host, self.port, timeout=20)
        connection.request("GET", address, headers={"cookie": getattr(self, "cookie", "")})
        return connection.getresponse()

    def get(self, address: str) -> Any:
        with self.ask(address) as answer:
            return json.loads(answer.read())

    def events(self, address: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """The events of an address, as they come."""
        with self.ask(address) as answer:
            assert answer.getheader("content-type").startswith("text/event-stream")
            kind = ""
            while line := answer.readline():
                name, _, value = line.decode().rstrip("\n").partition(": ")
                if name == "event":
                    kind = value
                elif name == "data":
                    yield kind, json.loads(value)


@contextlib.contextmanager
def serving(project: Project, *words: str) -> Iterator[tuple[Client, subprocess.Popen[bytes]]]:
    process = project.start("ui", "--json", *words)
    try:
        line = process.stdout.readline().decode()
        assert line, process.stderr.read().decode()
        check_document("ui", line)
        yield Client(json.loads(line)), process
    finally:
        process.kill()
        process.communicate()


def ended(process: subprocess.Popen[bytes], how: signal.Signals) -> tuple[int, str, str]:
    """Send a signal; its exit code and what it printed, within some seconds."""
    process.send_signal(how)
    out, err = process.communicate(timeout=10)
    return process.returncode, out.decode(), err.decode()


def wait_for(what: Any, seconds: float = 20) -> Any:
    end = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.05)
    return found


def test_a_run_is_seen_live_and_its_end_too(project: Project):
    project.write(SLOW)
    with serving(project) as (page, _):
        assert page.get("/api/runs")["runs"] == []
        listed = page.events("/api/events")
        assert next(listed)[0] == "change"
        run = project.start("run")
        assert next(listed)[0] == "change"  # the run began
        wait_for(lambda: (project.root / "pid").exists())
        found = wait_for(lambda: (one := page.get("/api/runs/r1"))["progress"] and one["curves"] and one)
        first, waits, last = found["steps"]
        assert (found["status"], first["status"], waits["status"], last["status"]) == ("running", "succeeded", "running", "waiting")  # fmt: skip
        assert found["started"] <= waits["started"] <= time.time()
        assert found["progress"]["1"] == {"done": 1, "total": 4, "text": "waiting"}
        assert wait_for(lambda: page.get("/api/runs/r1/logs")["lines"])[0]["text"] == "begun\n"
        events = page.events("/api/runs/r1/events")
        assert next(events)[1]["status"] == "running"
        (project.root / "go").touch()
        *changes, end = events
        assert end[0] == "end"
        assert end[1]["status"] == "succeeded"
        assert [kind for kind, _ in changes] == ["change"] * len(changes)
        assert [one["status"] for one in page.get("/api/runs/r1")["steps"]] == ["succeeded"] * 3
        assert run.wait(20) == 0
        run.communicate()


def test_a_killed_run_is_interrupted_and_says_how_to_go_on(project: Project):
    project.write(SLOW)
    with serving(project) as (page, _):
        run = project.start("run")
        wait_for(lambda: (project.root / "pid").exists())
        wait_for(lambda: page.get("/api/runs/r1")["status"] == "running")
        events = page.events("/api/runs/r1/events")
        next(events)
        run.kill()
        run.communicate()
        end = [*events][-1]
        assert (end[0], end[1]["status"]) == ("end", "interrupted")
        found = page.get("/api/runs/r1")
        assert [one["status"] for one in found["steps"]] == ["succeeded", "interrupted", "waiting"]
        assert found["resume"] == "stepwell run"
    (project.root / "go").touch()  # what is left of it ends


def test_a_run_that_is_removed_while_its_page_is_open(project: Project):
    project.write()
    project("run")
    with serving(project) as (page, _):
        assert page.get("/api/runs/r1")["status"] == "succeeded"
        project("run", "count=3")
        project("gc", "--keep", "1", "--older-than", "0d", "--yes", code=None)
        wait_for(lambda: page.ask("/api/runs/r1").status == 404)
        events = [*page.events("/api/runs/r1/events")]
        assert [(kind, data["status"]) for kind, data in events] == [
            ("change", "removed"),
            ("end", "removed"),
        ]


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_at_once_also_with_listeners(project: Project, how: signal.Signals):
    with serving(project) as (page, process):
        events = page.events("/api/events")
        next(events)
        began = time.monotonic()
        code, out, err = ended(process, how)
        assert time.monotonic() - began < 8
        assert code == (0 if how == signal.SIGINT else -signal.SIGTERM)
        assert (out, err) == ("", "")
        assert not [*events]
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((page.host, page.port), timeout=2)


def test_in_an_empty_folder_it_serves_and_makes_nothing(project: Project):
    with serving(project) as (page, _):
        assert page.ask("/").status in (200, 503)  # 503 in a copy of the sources without the built page
        assert page.get("/api/project")["runs"] == 0
    assert not [*project.root.iterdir()]


def test_what_cannot_be_listened_at(project: Project):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert project.refused("ui", "--port", str(port), code=3)["code"] == "E554"
    assert project.refused("ui", "--host", "no-such-host.invalid", code=3)["code"] == "E554"
    assert project.refused("ui", "--port", "99999", code=2)["code"] == "E100"
    assert project.refused("ui", "--prt", "1", code=2)["fixes"][0] == "did you mean `--port`?"


def test_text_has_the_address_alone_on_stdout(project: Project):
    process = project.start("ui", "--host", "0.0.0.0")
    address = process.stdout.readline().decode()
    assert address.startswith("http://127.0.0.1:")
    code, out, err = ended(process, signal.SIGINT)
    assert (code, out) == (0, "")
    assert "not encrypted" in err
    assert err.endswith("stopped\n")


def test_the_token_is_in_no_browsers_command_line(project: Project, tmp_path: Path):
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" > {tmp_path}/opened\n')
    browser.chmod(0o755)
    import pexpect

    child = pexpect.spawn(
        "stepwell",
        ["ui"],
        cwd=str(project.root),
        env={**project.env, "DISPLAY": ":0", "BROWSER": f"{browser} %s"},
        timeout=20,
    )
    child.expect(r"http://\S+\?t=([\w-]+)\s")
    token = child.match[1].decode()
    opened = wait_for(lambda: (tmp_path / "opened").exists() and (tmp_path / "opened").read_text())
    assert opened.startswith("http://127.0.0.1:")
    assert token not in opened
    child.sendintr()
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0


def test_many_write_while_it_is_read(project: Project):
    project.write()
    with serving(project) as (page, _):
        runs = [project.start("run", f"count={count}") for count in range(2, 6)]
        seen = 0
        while any(run.poll() is None for run in runs):
            found = page.get("/api/runs")
            assert found["all"] >= seen
            seen = found["all"]
            for one in found["runs"]:
                page.get(f"/api/runs/{one['run']}")
        for run in runs:
            assert run.communicate()[0] is not None
            assert run.returncode == 0
        assert page.get("/api/runs")["total"] == 4
        assert {one["status"] for one in page.get("/api/runs")["runs"]} == {"succeeded"}
        assert os.listdir(project.root / ".stepwell" / "tmp") == []
