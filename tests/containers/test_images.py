"""Engines, images and containers by themselves: a real podman, and the words that it is given."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import container_images
import pytest
from container_images import TOOLS, Machine

from stepwell.errors import (
    BadEngine,
    ContainerNotStarted,
    EngineUnusable,
    ImageNotHere,
    ImageVanished,
    NoContainerEngine,
    StepOutOfMemory,
)
from stepwell.worker.places import images
from stepwell.worker.places.images import Box, Image, Mount


@pytest.fixture
def image(here: Machine) -> Image:
    """The image with tools, as it is planned."""
    return images.resolved_image(TOOLS, "podman")


def run(image: Image, script: str, **more: Any) -> tuple[int, str]:
    """Exit code of a script in a container, and what it printed, on both."""
    with images.contained(Box(image, ("sh", "-c", script), **more)) as container:
        done = subprocess.run(
            container.argv, env=container.environment, capture_output=True, text=True, check=False, timeout=60
        )
    return done.returncode, done.stdout + done.stderr


def eventually(holds: Any, seconds: float = 15) -> bool:
    """Whether something comes to hold."""
    until = time.monotonic() + seconds
    while not (held := holds()) and time.monotonic() < until:
        time.sleep(0.05)
    return bool(held)


# --------------------------------------------------------------------------- engines and images


def test_an_image_is_known_by_its_content(here: Machine, image: Image) -> None:
    assert image.engine == "podman"
    assert image.id == f"sha256:{here('image', 'inspect', '--format', '{{.Id}}', TOOLS).strip()}"
    for name in (image.id, image.id.removeprefix("sha256:")[:12], TOOLS.removeprefix("localhost/")):
        assert images.resolved_image(name).id == image.id


def test_an_image_that_is_not_here_is_not_fetched(here: Machine) -> None:
    with pytest.raises(ImageNotHere) as caught:
        images.resolved_image("docker.io/library/nothing-such:7")
    assert "podman pull docker.io/library/nothing-such:7" in caught.value.fixes
    with pytest.raises(ImageNotHere) as caught:
        images.resolved_image("localhost/mine:7")
    assert not any("pull" in fix for fix in caught.value.fixes)
    assert any("build" in fix for fix in caught.value.fixes)


def test_no_engine_is_told_with_both_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NoContainerEngine) as caught:
        images.resolved_image("busybox")
    assert "podman and docker" in caught.value.what
    assert any("apt-get install podman" in fix for fix in caught.value.fixes)


def test_an_engine_that_is_installed_may_not_work(
    here: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "containers.conf"
    broken.write_text("[containers\n", "utf-8")
    monkeypatch.setenv("CONTAINERS_CONF", str(broken))
    with pytest.raises(EngineUnusable) as caught:
        images.resolved_image(TOOLS, "podman")
    assert "podman: " in caught.value.why
    assert str(broken) in caught.value.why


def test_the_next_engine_is_asked(here: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where `docker` is podman under another name, as a package of Debian's makes it, it gets podman's words."""
    shim = tmp_path / "docker"
    shim.write_text(f'#!/bin/sh\nexec "{here.folder}/bin/podman" "$@"\n', "utf-8")
    shim.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}/nowhere")
    found = images.resolved_image(TOOLS)
    assert found.engine == "docker"
    engine = images.engine_named("docker")
    assert engine is not None
    assert engine.is_podman
    assert run(found, "cat /version") == (0, "1\n")


def test_who_chooses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(images.VARIABLE, raising=False)
    assert images.chosen({}) == ""
    assert images.chosen({"containers": "docker"}) == "docker"
    monkeypatch.setenv(images.VARIABLE, "podman")
    assert images.chosen({"containers": "docker"}) == "podman"
    monkeypatch.setenv(images.VARIABLE, "containerd")
    with pytest.raises(BadEngine, match=r"\$STEPWELL_CONTAINERS"):
        images.chosen({})


def test_what_docker_is_told(tmp_path: Path) -> None:
    """Words that only one of both knows go to that one."""
    box = Box(Image("busybox", f"sha256:{'0' * 64}", "docker"), ("sh", "-c", "true"), memory=10**9, cpus=1)
    docker = images.argv(images.Engine("docker", "/usr/bin/docker", is_podman=False), box, "one")
    podman = images.argv(images.Engine("podman", "/usr/bin/podman", is_podman=True), box, "one")
    assert set(podman) - set(docker) == {"/usr/bin/podman", "--http-proxy=false"}
    assert set(docker) - set(podman) == {"/usr/bin/docker"}
    assert docker[-4:] == ("sh", f"sha256:{'0' * 64}", "-c", "true")


# --------------------------------------------------------------------------- what a container sees


def test_a_container_is_shut_off(image: Image, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_KEY", "hidden")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    code, said = run(
        image,
        "ls /sys/class/net; grep -E 'CapEff|NoNewPrivs' /proc/self/status; id -u; "
        "touch /made; touch /tmp/made && echo 'tmp is there'; echo \"[$API_KEY$http_proxy$GIVEN]\"",
        variables={"GIVEN": "a b\nc"},
    )
    assert code == 0
    lines = said.splitlines()
    assert lines[0] == "lo"
    assert "CapEff:\t0000000000000000" in lines
    assert "NoNewPrivs:\t1" in lines
    assert str(os.getuid()) in lines
    assert "Read-only file system" in said
    assert "tmp is there" in lines
    assert "[a b\nc]" in said


def test_the_network_is_there_where_it_is_asked_for(image: Image) -> None:
    code, said = run(image, "ls /sys/class/net | wc -l", network=True)
    assert (code, said.strip().splitlines()[-1]) == (0, "2")


NAMES = (
    "plain", "with space", "a,b", 'quo"te', "a:b", "x=y", "new\nline", ",readonly=false", "back\\slash", "ünï", "-dash",
    "type=tmpfs,target=out",
)  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_what_is_mounted_has_the_name_that_it_has(image: Image, tmp_path: Path, name: str) -> None:
    source, work = tmp_path / name, tmp_path / "work"
    source.mkdir()
    work.mkdir()
    (source / "file").write_text("it is here\n", "utf-8")
    mounts = (Mount(str(source), str(source)), Mount(str(work), f"/{name}", writable=True))
    code, said = run(
        image, 'cat "$SOURCE/file"; pwd; touch "$SOURCE/file" 2>&1 || cp "$SOURCE/file" result',
        folder=f"/{name}", mounts=mounts, variables={"SOURCE": str(source)},
    )  # fmt: skip
    assert code == 0, said
    assert said.startswith(f"it is here\n/{name}\n")
    assert "Read-only" in said
    assert (work / "result").read_text("utf-8") == "it is here\n"
    assert (work / "result").stat().st_uid == os.getuid()


def test_limits_hold(image: Image) -> None:
    first, second = "cpu.cfs_quota_us /sys/fs/cgroup/cpu/cpu.cfs_period_us", "memory/memory.limit_in_bytes"
    script = f"cd /sys/fs/cgroup; cat cpu.max memory.max || cat cpu/{first} {second}"  # of both generations
    code, said = run(image, f"({script}) 2>/dev/null", cpus=0.5, memory=64_000_000)
    assert code == 0
    quota, period, memory = said.split()
    assert int(quota) / int(period) == 0.5
    assert 63_900_000 < int(memory) <= 64_000_000  # whole pages


def test_more_processors_than_there_are_is_no_reason_to_refuse(image: Image) -> None:
    assert run(image, "true", cpus=10_000) == (0, "")


# --------------------------------------------------------------------------- what went wrong


def refused(image: Image, *command: str, **more: Any) -> Any:
    """What is told of a command that does not start."""
    # conmon leaves a file `oom` where it is started.
    with TemporaryDirectory() as folder, images.contained(Box(image, command, **more)) as container:
        done = subprocess.run(
            container.argv, env=container.environment, capture_output=True, text=True, check=False, timeout=60,
            cwd=folder,
        )  # fmt: skip
    began = not images.spoke(done.stderr)
    return images.refusal(container, "train", done.returncode, began=began, said=done.stderr)


def test_what_is_wrong_is_told_in_words(here: Machine, image: Image) -> None:
    missing = refused(image, "no-such-tool")
    assert isinstance(missing, ContainerNotStarted)
    assert f"the image `{TOOLS}` has no `no-such-tool`" in missing.what
    assert "cannot execute its `/version`" in refused(image, "/version").what
    nowhere = refused(image, "true", mounts=(Mount("/nowhere/at/all", "/in"),))
    assert isinstance(nowhere, ContainerNotStarted)
    assert "/nowhere/at/all" in nowhere.why
    gone = refused(Image(TOOLS, f"sha256:{'1' * 64}", "podman"), "true")
    assert isinstance(gone, ImageVanished)
    assert "podman pull" in " ".join(gone.fixes)


def test_exit_codes_of_the_command_are_its_own(image: Image) -> None:
    for code in (1, 125, 126, 127, 137):
        assert refused(image, "sh", "-c", f"exit {code}") is None


def test_memory_that_runs_out_is_told_as_such(image: Image) -> None:
    error = refused(image, "sh", "-c", "x=a; while true; do x=$x$x; done", memory=32_000_000)
    assert isinstance(error, StepOutOfMemory)
    assert "32 MB" in error.why


# --------------------------------------------------------------------------- nothing is left


def test_nothing_is_left_of_what_ended(here: Machine, image: Image) -> None:
    run(image, "exit 3")
    assert here.containers() == []


def test_a_container_ends_with_who_waits_for_it(here: Machine, image: Image) -> None:
    clients = []

    def wait() -> None:
        with images.contained(Box(image, ("sleep", "600"))) as container:
            clients.append(subprocess.Popen(container.argv, env=container.environment))
            assert eventually(lambda: here.containers() == [container.name])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        wait()
    assert clients[0].wait(20) != 0
    assert here.containers() == []


HOLDER = """
import os, subprocess, sys, time
from stepwell.worker.places import images
image = images.resolved_image(sys.argv[1], "podman")
with images.contained(images.Box(image, ("sleep", "600"))) as container:
    subprocess.Popen(container.argv, env=container.environment)
    print(container.name, flush=True)
    time.sleep(600)
"""


def holder(here: Machine) -> tuple[subprocess.Popen[str], str]:
    """A process that holds a running container, and its name."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, TOOLS], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert process.stdout is not None
    name = process.stdout.readline().strip()
    running = ("ps", "--filter", "status=running", "--format", "{{.Names}}")
    assert eventually(lambda: name in here(*running).split())
    return process, name


def test_a_container_ends_with_a_killed_process(here: Machine) -> None:
    process, _ = holder(here)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert eventually(lambda: here.containers() == [])


def caretaker(name: str) -> int:
    """The shell that looks after a container."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if b"stepwell-caretaker" in words and name.encode() in words:
                return int(entry.name)
    raise AssertionError(f"nobody looks after {name}")


def test_what_was_left_is_removed_by_the_next_one(here: Machine, image: Image) -> None:
    """Of processes that are gone: those of others stay, and so does what is not ours."""
    first, left = holder(here)
    second, kept = holder(here)
    here(
        "run",
        "--detach",
        "--name",
        "somebody",
        "--label",
        "stepwell.owner=another/machine/1/2/3",
        TOOLS,
        "sleep",
        "600",
    )
    try:
        os.kill(caretaker(left), signal.SIGKILL)
        os.killpg(first.pid, signal.SIGKILL)
        first.wait()
        assert set(here.containers()) == {left, kept, "somebody"}
        images._swept.clear()
        engine = images.engine_named("podman")
        assert engine is not None
        assert images.sweep(engine) == (left,)
        assert set(here.containers()) == {kept, "somebody"}
        assert images.sweep(engine) == ()  # once a process
    finally:
        os.killpg(second.pid, signal.SIGKILL)
        second.wait()
        here("rm", "--force", "--time", "0", "somebody")
    assert eventually(lambda: here.containers() == [])


@pytest.mark.parametrize(
    ("owner", "gone"),
    [
        ("{node}/{boot}/{space}/{pid}/{start}", False),
        ("{node}/{boot}/{space}/{pid}/17", True),  # another process has its id now
        ("{node}/before/{space}/{pid}/{start}", True),  # the machine was started anew
        ("other/{boot}/{space}/{pid}/17", False),
        (
            "{node}/{boot}/7/{pid}/17",
            False,
        ),  # ids of another space: of a container that Stepwell itself is in
        ("1", False),
    ],
)
def test_who_is_gone(owner: str, gone: bool) -> None:
    node, boot, space, pid, start = images._owner(os.getpid()).split("/")
    known: Mapping[str, str] = {"node": node, "boot": boot, "space": space, "pid": pid, "start": start}
    assert images._is_gone(owner.format(**known)) is gone


def test_images_of_the_tests_differ(here: Machine, tmp_path: Path) -> None:
    """One name, two contents: what a name means is asked each time."""
    name = "localhost/moving:1"
    first = here.build(name, container_images.tools(tmp_path, "old"))
    assert images.resolved_image(name).id == first
    second = here.build(name, container_images.tools(tmp_path, "new"))
    assert first != second
    assert images.resolved_image(name).id == second
    assert run(Image(name, first, "podman"), "cat /version", variables={"PATH": "/bin"}) == (0, "old\n")
