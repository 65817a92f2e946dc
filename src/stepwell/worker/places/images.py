"""Containers: which engine there is, which image a reference means, and how something is started in one.

    image = resolved_image("busybox:1.36", chosen(settings))      at plan time: by content, nothing is fetched
    box   = Box(image, ("sh", "-c", "sort in > out"), ...)         at run time, in a worker
    with contained(box) as container:
        status = subprocess.Popen(container.argv, ...).wait()
        error = refusal(container, status)                         why it did not start, if it did not

podman and docker are used by their commands, which take the same words. What is in a container sees
the mounts that its box names, nothing else of the machine: no network unless the box says so, a root that
cannot be written to, no privileges, and only the variables that are named.

**Nothing is left behind.** An engine removes a container when what runs in it ends. Whatever ends the
waiting instead (a timeout, Ctrl-C, `kill -9` of the worker) is noticed by a caretaker: a shell that waits
for the end of a pipe which only the worker holds open, and then removes the container. Should the
caretaker be killed, too, the next worker that needs a container finds what was left by its label.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import shutil
import subprocess
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from stepwell.errors import (
    BadEngine,
    ContainerNotStarted,
    EngineUnusable,
    ImageNotHere,
    ImageVanished,
    NoContainerEngine,
    StepOutOfMemory,
    StepwellError,
)
from stepwell.worker import family

ENGINES = ("podman", "docker")
"""The engines that are tried, in this order."""

VARIABLE = "STEPWELL_CONTAINERS"
"""The environment variable that chooses one; `containers` of `[tool.stepwell]` does so for a project."""

OWNER = "stepwell.owner"
"""The label of every container of ours: which process it belongs to (`_owner`)."""

PATIENCE = 60.0
"""Seconds that an engine may take for an answer."""

NO_ENGINE, CANNOT_EXECUTE, NOT_FOUND, KILLED = 125, 126, 127, 137
"""Exit codes of both engines' `run`: the engine failed; the command is no program; there is none; SIGKILL."""

LEAST_MEMORY = 8 * 2**20
"""Bytes: engines refuse to give a container less."""

_INSTALL = (
    "Debian, Ubuntu: sudo apt-get install podman",
    "Fedora: sudo dnf install podman",
    "macOS: brew install podman && podman machine init && podman machine start",
)


class Image(NamedTuple):
    """An image that is on this machine: as the user names it, its content as "sha256:…", and the engine that has it."""

    reference: str
    id: str
    engine: str


class Mount(NamedTuple):
    """A file or folder of this machine that a container sees, at `target`, which is an absolute path."""

    source: str
    target: str
    writable: bool = False


class Box(NamedTuple):
    """What is to run in a container.

    `command` is looked up in the image; `folder` is where it starts. `variables` are its environment, by
    name, besides those of the image. `cpus` counts processors, `memory` bytes; 0 means no limit. `title`
    is for people who list containers.
    """

    image: Image
    command: tuple[str, ...]
    folder: str = "/"
    mounts: tuple[Mount, ...] = ()
    variables: Mapping[str, str] = {}
    network: bool = False
    cpus: float = 0.0
    memory: int = 0
    title: str = "step"


# --------------------------------------------------------------------------- engines


class Engine(NamedTuple):
    """An engine's command: its name, where it is, and whether it takes podman's words (a `docker` may be podman)."""

    name: str
    program: str
    is_podman: bool


def chosen(settings: Mapping[str, Any]) -> str:
    """The engine that the user wants: by environment variable, else by the project's settings; "" for any.

    Raises `BadEngine`.
    """
    name, where = os.environ.get(VARIABLE, ""), f"${VARIABLE}"
    if not name:
        name, where = settings.get("containers", ""), "`containers` of the manifest"
    if name not in ("", *ENGINES):
        raise BadEngine(
            f"{where} is `{name}`, which is no engine for containers",
            fixes=[f"one of: {', '.join(ENGINES)}", "leave it out: what is there is used"],
        )
    return str(name)


def engine_named(name: str) -> Engine | None:
    """The engine of this name, if its command is installed; whether it works is another question."""
    program = shutil.which(name)
    if program is None:
        return None
    return Engine(name, program, name == "podman" or "podman" in _said(program, "--version").stdout.lower())


def resolved_image(reference: str, choice: str = "") -> Image:
    """What a reference means on this machine now. Nothing is fetched and nothing is started.

    `choice` is what `chosen` gives. Engines are asked in turn, until one has the image. Raises
    `NoContainerEngine`, `EngineUnusable`, `ImageNotHere`.
    """
    names = (choice,) if choice else ENGINES
    answers: dict[str, str] = {}
    without: list[Engine] = []
    for name in names:
        engine = engine_named(name)
        if engine is None:
            continue
        found = identity(engine, reference)
        if found:
            return Image(reference, found, name)
        why = trouble(engine)
        if why:
            answers[name] = why
        else:
            without.append(engine)
    if without:
        raise _not_here(reference, without[0], answers)
    if answers:
        raise _unusable(answers, names)
    raise NoContainerEngine(
        f"{' and '.join(names)} {'is' if len(names) == 1 else 'are'} not installed, and a step runs in an image",
        why="containers are run by one of them",
        fixes=_INSTALL,
    )


def identity(engine: Engine, reference: str) -> str:
    """The content of an image that the engine has, as "sha256:…"; "" where it has none, or does not answer."""
    said = _said(engine.program, "image", "inspect", "--format", "{{.Id}}", "--", reference)
    found = said.stdout.strip().lower()
    if said.returncode or not re.fullmatch(r"(sha256:)?[0-9a-f]{64}", found):
        return ""
    return found if found.startswith("sha256:") else f"sha256:{found}"


def trouble(engine: Engine) -> str:
    """Why an installed engine cannot be used, in its own words; "" where it can. That its command exists says nothing."""
    what = "{{.Host.OS}}" if engine.is_podman else "{{.ServerVersion}}"
    said = _said(engine.program, "info", "--format", what)
    if not said.returncode and said.stdout.strip():
        return ""
    lines = [line.strip() for line in said.stderr.splitlines() if line.strip()]
    lines = [line for line in lines if "level=warning" not in line] or lines
    return lines[-1] if lines else f"`{engine.name} info` ended with exit code {said.returncode}"


def _said(*command: str) -> subprocess.CompletedProcess[str]:
    """What a command prints; exit code 125 where it cannot be started, or does not come to an end."""
    try:
        return subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=PATIENCE,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(command, NO_ENGINE, "", f"no answer within {PATIENCE:.0f} s")
    except OSError as error:
        return subprocess.CompletedProcess(command, NO_ENGINE, "", f"{command[0]}: {error.strerror}")


def _unusable(answers: Mapping[str, str], names: Iterable[str]) -> EngineUnusable:
    told = "; ".join(f"{name}: {why}" for name, why in answers.items())
    fixes = []
    if "podman" in answers:
        fixes.append("podman info   says what is wrong; macOS: podman machine start")
    if "docker" in answers:
        fixes.append("start its daemon (sudo systemctl start docker), and be in its group (docker)")
        if "podman" in names and "podman" not in answers:
            fixes.append("or install podman, which needs no daemon: sudo apt-get install podman")
    return EngineUnusable(
        f"{' and '.join(answers)} cannot be used, and a step runs in an image", why=told, fixes=fixes
    )


def _not_here(reference: str, engine: Engine, answers: Mapping[str, str]) -> ImageNotHere:
    others = "".join(f"; {name} cannot be used: {why}" for name, why in answers.items())
    local = reference.startswith("localhost/") or re.fullmatch(r"(sha256:)?[0-9a-f]{12,64}", reference)
    fetch = [] if local else [f"{engine.name} pull {reference}"]
    return ImageNotHere(
        f"the image `{reference}` is not on this machine",
        why=f"{engine.name} does not have it, and images are not fetched without being asked{others}",
        fixes=[
            *fetch,
            f"{engine.name} build -t {reference} FOLDER",
            f"{engine.name} images   lists what is here",
        ],
    )


# --------------------------------------------------------------------------- containers


class Container(NamedTuple):
    """A container that may be started: the command for it, the environment of that command, and its own name."""

    box: Box
    name: str
    argv: tuple[str, ...]
    environment: Mapping[str, str]
    kills: int
    """How often the system had killed a process for want of memory before."""


@contextlib.contextmanager
def contained(box: Box) -> Iterator[Container]:
    """A container for as long as the block lasts; afterwards it is gone, whatever runs in it.

    Raises `ContainerNotStarted` where the engine is no longer installed.
    """
    container, end = begun(box)
    over = False
    try:
        yield container
        over = True
    finally:
        end(over)


def begun(box: Box) -> tuple[Container, Callable[[bool], None]]:
    """A container, and what must be called in the end: with True where what ran in it has ended by itself.

    Raises `ContainerNotStarted` where the engine is no longer installed.
    """
    engine = engine_named(box.image.engine)
    if engine is None:
        raise ContainerNotStarted(f"{box.image.engine} is no longer installed", fixes=_INSTALL)
    sweep(engine)
    title = re.sub(r"[^A-Za-z0-9_.-]+", "-", box.title).strip("-._") or "step"
    name = f"stepwell-{title[:80]}-{secrets.token_hex(6)}"
    end = _caretaker(engine, name)
    # Values go by the environment of the engine's command: its arguments can be read by everybody.
    environment = {**os.environ, **box.variables}
    return Container(box, name, argv(engine, box, name), environment, _kills()), end


def argv(engine: Engine, box: Box, name: str) -> tuple[str, ...]:
    """The words that start a container."""
    out = [engine.program, "run", "--rm", "--name", name, "--label", f"{OWNER}={_owner(os.getpid())}"]
    out += ["--pull", "never", "--log-driver", "none", "--no-healthcheck"]
    out += ["--read-only", "--tmpfs", "/tmp:rw,exec,nosuid,nodev"]  # of the container  # noqa: S108
    out += ["--cap-drop", "all", "--security-opt", "no-new-privileges", "--security-opt", "label=disable"]
    out += _user(engine)
    if engine.is_podman:
        out.append("--http-proxy=false")
    if not box.network:
        out += ["--network", "none"]
    if box.cpus:
        out += ["--cpus", f"{max(0.01, min(box.cpus, float(os.cpu_count() or 1))):.2f}"]
    if box.memory:
        limit = str(max(box.memory, LEAST_MEMORY))
        out += ["--memory", limit, "--memory-swap", limit]
    for variable in box.variables:
        out += ["--env", variable]
    for mount in box.mounts:
        out += ["--mount", mounted(mount)]
    program, *rest = box.command
    return (*out, "--workdir", box.folder, "--entrypoint", program, box.image.id, *rest)


def mounted(mount: Mount) -> str:
    """A mount as engines read it: a line of CSV, so that paths may have commas, quotes and colons in them."""
    fields = ["type=bind", f"source={mount.source}", f"target={mount.target}"]
    fields += [] if mount.writable else ["readonly"]
    return ",".join(
        '"' + field.replace('"', '""') + '"' if re.search(r'[",\n\r]', field) else field for field in fields
    )


def _user(engine: Engine) -> list[str]:
    """Who it runs as, such that the files that it leaves belong to who runs this process."""
    me = f"{os.getuid()}:{os.getgid()}"
    if engine.is_podman:
        return ["--user", me] if os.geteuid() == 0 else ["--userns", "keep-id", "--user", me]
    if (
        os.geteuid()
        and "rootless" in _said(engine.program, "info", "--format", "{{.SecurityOptions}}").stdout
    ):
        return ["--user", "0:0"]  # its superuser is who started the daemon
    return ["--user", me]


# --------------------------------------------------------------------------- what came of it


def spoke(said: str) -> bool:
    """Whether it was an engine that said this on standard error, of a container that it could not start."""
    return (
        re.search(r"^(Error: |docker: Error|docker: unknown|unknown flag: )", said, re.MULTILINE) is not None
    )


def refusal(
    container: Container, step: str, status: int, *, began: bool, said: str = ""
) -> StepwellError | None:
    """Why nothing came of a container, as far as the container is the reason; None where it is not.

    `status` is the exit code of the engine's command; `began` says whether what was to run in it ran; `said`
    is the end of the standard error, where that is known.
    """
    box, engine = container.box, container.box.image.engine
    program = box.command[0]
    if status == KILLED and _kills() > container.kills:
        return _out_of_memory(step, box.memory)
    if began:
        return None
    if status == NO_ENGINE:
        installed = engine_named(engine)
        if installed is not None and not identity(installed, box.image.id) and not trouble(installed):
            return vanished(step, box.image)
        return ContainerNotStarted(
            f"step `{step}`: {engine} could not start a container of `{box.image.reference}`",
            why=next((line for line in said.splitlines() if spoke(line)), "what it printed says why"),
            fixes=["stepwell logs last", f"{engine} info"],
        )
    if status in (NOT_FOUND, CANNOT_EXECUTE):
        how = "has no" if status == NOT_FOUND else "cannot execute its"
        return ContainerNotStarted(
            f"step `{step}`: the image `{box.image.reference}` {how} `{program}`",
            why="what the step does is done by it, inside of the image",
            fixes=[f"use an image that has `{program}`", f"{engine} run --rm -it {box.image.reference}"],
        )
    return None


def vanished(step: str, image: Image) -> ImageVanished:
    """The error of an image that was here when the run was planned."""
    return ImageVanished(
        f"step `{step}`: the image `{image.reference}` is gone ({image.id[:19]}…)",
        why="it was here when the run was planned; somebody removed it since, or built it anew and removed what was there",
        fixes=["run again: what the name means now is asked anew", f"{image.engine} pull {image.reference}"],
    )


def _out_of_memory(step: str, memory: int) -> StepOutOfMemory:
    limit = f"it may have {memory / 1e6:,.0f} MB (memory=)" if memory else "the machine had no more"
    return StepOutOfMemory(
        f"step `{step}` was killed in its container when memory ran out",
        why=limit,
        fixes=[
            f'give it more: memory="{max(1, -(-2 * memory // 10**9))}GB"'
            if memory
            else "stepwell run --jobs 1",
            "work on less at a time: fewer columns, smaller types, chunks",
        ],
    )


def _kills() -> int:
    """How many processes the system has killed for memory since it started, in containers too (Linux; elsewhere 0)."""
    try:
        text = Path("/proc/vmstat").read_text("ascii")
    except OSError:
        return 0
    found = re.search(r"^oom_kill (\d+)$", text, re.MULTILINE)
    return int(found[1]) if found is not None else 0


# --------------------------------------------------------------------------- nothing is left

_CARETAKER = (
    'exec 3<&0; ( trap "" HUP INT TERM; over=""; while read -r word <&3; do over=$word; done; '
    'if [ -z "$over" ]; then for pause in 0.3 0; do "$@"; sleep $pause; done; fi ) >/dev/null 2>&1 &'
)
"""A shell that waits for the end of what it reads. Without a word before it, it removes the container: more than
once, since an engine may still be at making it. It is in a session of its own and nobody's child. (What a shell
starts in the background has no standard input, so it reads from another descriptor.)"""


def _caretaker(engine: Engine, name: str) -> Callable[[bool], None]:
    """Have a container removed when this process ends, however it does, or calls what is given with False."""
    theirs, ours = os.pipe()
    try:
        subprocess.run(
            ["/bin/sh", "-c", _CARETAKER, "stepwell-caretaker", *_removal(engine, [name])],
            stdin=theirs,
            start_new_session=True,
            check=True,
            cwd="/",
            env={**{k: v for k, v in os.environ.items() if k != family.MARK}, family.CARETAKER: "1"},
        )
    except BaseException:
        os.close(ours)
        raise
    finally:
        os.close(theirs)

    def end(over: bool) -> None:
        if not over:  # now, and once more by the caretaker
            _said(*_removal(engine, [name]))
        with contextlib.suppress(OSError):
            os.write(ours, b"over\n" if over else b"")
        os.close(ours)

    return end


def _removal(engine: Engine, names: Iterable[str]) -> list[str]:
    more = ["--time", "0", "--ignore"] if engine.is_podman else []
    return [engine.program, "rm", "--force", "--volumes", *more, *names]


_swept: set[str] = set()
"""The engines that this process has looked at."""


def sweep(engine: Engine) -> tuple[str, ...]:
    """Remove the containers of processes of ours that are gone, once a process; their names."""
    key = f"{os.getpid()} {engine.program}"
    if key in _swept:
        return ()
    _swept.add(key)
    words = ["ps", "--all", "--filter", f"label={OWNER}", "--format"]
    said = _said(
        engine.program, *words, "json" if engine.is_podman else f'{{{{.Names}}}}\t{{{{.Label "{OWNER}"}}}}'
    )
    if said.returncode:
        return ()
    if engine.is_podman:
        listed = [(one["Names"][0], one["Labels"][OWNER]) for one in json.loads(said.stdout or "[]")]
    else:
        listed = [tuple(line.split("\t", 1)) for line in said.stdout.splitlines() if "\t" in line]
    left = tuple(name for name, owner in listed if _is_gone(owner))
    if left:
        _said(*_removal(engine, left))
    return left


def _owner(pid: int) -> str:
    """A process, such that it is not mistaken for another one: machine, boot, space of ids, id, start."""
    return f"{_here()}/{pid}/{_started(pid)}"


def _is_gone(owner: str) -> bool:
    """Whether a process has ended; False where that cannot be known, since it is another machine's."""
    try:
        node, boot, space, pid, started = owner.split("/")
    except ValueError:
        return False  # made by another version of Stepwell
    here = _here().split("/")
    if [node, boot] != here[:2]:
        return node == here[0] and bool(boot)  # this machine was started anew, or it is another one
    return space == here[2] and pid.isdecimal() and _started(int(pid)) != started


def _here() -> str:
    boot, space = "", ""
    with contextlib.suppress(OSError):
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
        space = re.sub(r"\D", "", os.readlink("/proc/self/ns/pid"))
    return f"{os.uname().nodename}/{boot}/{space}"


def _started(pid: int) -> str:
    """When a process started, in the system's own count; "" where there is no such process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text("ascii", "replace").rpartition(")")[2].split()[19]
    except OSError:
        with contextlib.suppress(OSError):
            os.kill(pid, 0)
            return "" if os.path.isdir("/proc/self") else "there"
        return ""
