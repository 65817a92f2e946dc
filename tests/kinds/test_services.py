"""Services: there while a step runs, reached by name, and gone whatever happens."""

from __future__ import annotations

import json
import os
import signal
import sys
import time

import pytest

from stepwell import service
from stepwell.author.services import definitions
from stepwell.errors import BadService, ServiceFailed
from stepwell.worker.services import running, variables

# An option that Python ignores: other tests start servers of the same module at the same time.
OURS = f"services-of-{os.getpid()}"
HTTP = f"{sys.executable} -X {OURS} -m http.server {{port}} --bind 127.0.0.1"

SERVED = f"""
    import urllib.request
    from stepwell import current_step, pipeline, service, shell, step

    web = service("{HTTP}", ready="http:/")
    other = service(["{sys.executable}", "-X", "{OURS}", "-m", "http.server", "{{port}}", "--bind", "127.0.0.1"], needs=web)

    fetch = shell(
        'echo hi > "$WEB_FOLDER/x.txt"',
        'python -c "import urllib.request as u; print(u.urlopen(\\\\"http://$WEB_ADDRESS/x.txt\\\\").read().decode())"',
        stdout=str, services=[web],
    )

    @step(services=[other])
    def ask() -> list[str]:
        found = current_step().services
        assert all(urllib.request.urlopen(one.url).status == 200 for one in found.values())
        return sorted(found)

    @pipeline
    def main():
        return fetch(), ask()
"""


def processes(word: str = OURS) -> list[int]:
    found = []
    for pid in filter(str.isdecimal, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file, open(f"/proc/{pid}/stat", "rb") as stat:
                dead = stat.read().rpartition(b")")[2].split()[0] in (b"Z", b"X")
                if word.encode() in file.read() and not dead:
                    found.append(int(pid))
        except OSError:
            continue
    return [pid for pid in found if pid != os.getpid()]


def test_services_are_reached_by_name_and_gone_afterwards(project):
    project.write(SERVED)
    assert project("run", "--json").json["result"] == ["hi", ["other", "web"]]
    assert not processes()
    assert set(project("plan", "--json").decisions.values()) == {"cached"}
    assert "same" in project("replay", "ask").out
    project.edit('ready="http:/"', 'ready="port", timeout=9')
    assert set(project("plan", "--json").decisions.values()) == {"cached"}
    project.edit('--bind 127.0.0.1", ready', '--bind localhost", ready')
    assert project("plan", "--json").decisions == {"fetch": "run", "ask": "run"}
    assert "service" in project("why", "ask").out


@pytest.mark.parametrize(
    ("command", "options", "told"),
    [
        ("echo no luck {port}; exit 7", {}, ("exit code 7", "no luck")),
        ("echo starting {port}; sleep 60", {"timeout": 0.3}, ("not ready after 0.3 s", "starting")),
        (["no-such-program", "{port}"], {}, ("could not be started", "no-such-program")),
        ("sleep 60", {"ready": "log:Ready", "timeout": 0.2}, ("not ready", "said nothing")),
    ],
)
def test_a_service_that_does_not_come_up_says_why(command, options, told):
    one = service(command, name="db", **options)
    with pytest.raises(ServiceFailed) as error, running([one.definition()]):
        pytest.fail("it is not running")
    assert "`db`" in error.value.what
    assert all(words in str(error.value) for words in told)


def test_it_is_gone_after_a_failure_and_had_an_empty_folder():
    one = service(HTTP, name="web-1", ready="http:/")
    reached = []

    def fail():
        with running([one.definition()]) as found:
            reached.append(found["web-1"])
            assert os.listdir(reached[0].folder) == []
            assert variables(found)["WEB_1_ADDRESS"] == f"127.0.0.1:{reached[0].port}" == reached[0].address
            assert processes(f"http.server\0{reached[0].port}")
            _ = 1 / 0

    with pytest.raises(ZeroDivisionError):
        fail()
    assert not processes(f"http.server\0{reached[0].port}")
    assert not reached[0].folder.exists()


def test_it_is_ready_when_it_says_so():
    one = service("sleep 0.2; echo Ready to serve; exec sleep 60", ready="log:Ready", name="slow")
    since = time.monotonic()
    with running([one.definition()]):
        assert time.monotonic() - since >= 0.2


@pytest.mark.parametrize("how", ["worker", "timeout", "driver"])
def test_it_is_gone_when_the_process_that_started_it_is_killed(project, how):
    project.write(f"""
        import os, time
        from pathlib import Path
        from stepwell import pipeline, service, step

        web = service("{HTTP}", ready="http:/")

        @step(services=[web]{", timeout=1.5" if how == "timeout" else ""})
        def wait() -> None:
            Path("pid").write_text(str(os.getpid()))
            time.sleep(60)

        @pipeline
        def main():
            wait()
    """)
    run = project.start("run")
    pid = project.root / "pid"
    limit = time.monotonic() + 20
    while not (pid.exists() and pid.read_text()) and time.monotonic() < limit:
        time.sleep(0.05)
    assert processes()
    if how != "timeout":
        os.kill(int(pid.read_text()) if how == "worker" else run.pid, signal.SIGKILL)
    run.wait(20)
    limit = time.monotonic() + 10
    while processes() and time.monotonic() < limit:
        time.sleep(0.05)
    assert not processes()


@pytest.mark.parametrize(
    "make",
    [
        lambda: service("redis-server", ready="port"),
        lambda: service("x {port}", ready="soon"),
        lambda: service("x {port} {name}"),
        lambda: service(""),
        lambda: service("x {port}", name="a b"),
        lambda: service("x {port}", needs="web"),
        lambda: definitions([service("x {port}", name="a"), service("y {port}", name="a")]),
    ],
)
def test_what_makes_no_sense_is_refused_at_its_line(make):
    with pytest.raises(BadService) as error:
        make()
    assert "test_services.py:" in error.value.where
    assert error.value.fixes


def test_a_missing_program_is_told_by_the_plan(project):
    project.write("""
        from stepwell import pipeline, service, step

        @step(services=[service("redis-serverr --port {port}", name="db")])
        def use() -> int:
            return 1

        @pipeline
        def main():
            return use()
    """)
    text = project("plan", code=3).err
    assert "E340" in text
    assert "redis-serverr" in text


def test_what_is_needed_comes_first_and_each_once():
    a = service("x {port}", name="a")
    b = service("y {port}", name="b", needs=[a])
    assert [json.loads(one)["name"] for one in definitions([b, a])] == ["a", "b"]
