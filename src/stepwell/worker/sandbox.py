"""Strict mode: a task in a staged folder that holds only what it declares, without network.

    sandbox = enter(task, settings, importer)     # in a worker with one thread, before the project's code runs
    done = execute(task, context)
    done = sandbox.judged(done)                   # E411 where the step reached for something else

A worker does one task and ends, since the next one declares something else; its mounts end with it.
`staging` says what is seen and why, `namespaces` how. That is a proof about accidents, not a prison: a
step that wants out (by `/proc`, as superuser by `mount`) gets out.

**How a reach is noticed.** What is not declared does not exist, so most steps fail by themselves, and
the words of their error name a path that is outside and not here. A step may also take absence for an
answer. So the trace of what its code opened, probed and listed is compared with what is really there,
and so are the words of the commands that it started. Of the network, the kernel counts, in this
namespace, packets that found no way and connections that nobody took: native code and child
processes are in these numbers. A loopback connection that was refused counts unless something inside took others.

Not noticed: a native reader or a child process whose failure the step swallows, with the path neither in
the command nor in a message. It did not get the data either.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from stepwell.errors import StrictUnavailable, UndeclaredRead
from stepwell.kernel.ports import Done, Task
from stepwell.worker import namespaces
from stepwell.worker.copying import put
from stepwell.worker.failures import failure, wrong_output
from stepwell.worker.modules import FirstParty
from stepwell.worker.namespaces import World
from stepwell.worker.staging import scene_of

_QUOTED = re.compile(r"""(["'`])(.+?)\1""")
_WORD = re.compile(r"""[^\s"'`,;()\[\]{}<>|&=]+""")
_ABSENT = re.compile(r"(?i)no such|not found|no files|exist|errno|\b(open|read|load)")
_WILD = re.compile(r"[*?\[]")
_COMMANDS = frozenset(("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.spawn"))
_NEAR = ("127.", "::1", "localhost", "0.0.0.0", "::ffff:127.", "None:", ":")
"""How addresses of this machine begin."""


def require() -> None:
    """Raise `StrictUnavailable` where namespaces cannot be had."""
    why = namespaces.unavailable()
    if why:
        raise refusal(why)


def refusal(why: str) -> StrictUnavailable:
    """The error of a machine that has no namespaces for us; `why` is what the trial said."""
    return StrictUnavailable(
        "`--strict` cannot be had here: steps cannot be shut off from files and network",
        why=why,
        fixes=[
            "allow user namespaces: sysctl user.max_user_namespaces, kernel.apparmor_restrict_unprivileged_userns",
            "in a container: docker run --security-opt seccomp=unconfined --cap-add SYS_ADMIN",
            "stepwell run   without it",
        ],
    )


def enter(task: Task, root: Path, store: Path, importer: FirstParty) -> Sandbox:
    """Move this process into the staged world of a task. Raises `StrictUnavailable`."""
    try:
        scene = scene_of(task, root, store, importer)
        world = namespaces.leave()
        scene.furnish(world)
        world.seal(writable=str(root) == "/")
        os.chdir(root)
        return Sandbox(task, root, world)
    except OSError as error:
        raise refusal(f"`{error.filename}` was refused: {error.strerror}") from error


class Sandbox:
    """The staged world that this process is in, and what its task was seen to reach for."""

    def __init__(self, task: Task, root: Path, world: World) -> None:
        self._task = task
        self._root = root
        self._world = world
        self._before = namespaces.traffic()
        self._out = os.path.abspath(os.path.join(root, task.out)) if task.out else ""
        self._asked: list[str] = []
        """Words of commands that were started."""
        self._called: list[str] = []
        """Addresses that were called, as text."""
        self._databases: list[str] = []
        """Database files that are outside and were not here; SQLite makes an empty one in their place."""
        sys.addaudithook(self._note)

    def judged(self, done: Done) -> Done:
        """The report of the task, or that of its reach for something undeclared; brings its output file home.

        A failure keeps its traceback.
        """
        error = self._undeclared(done)
        if error is None and done.failure is None:
            return self._kept(done)
        if error is None:
            return done
        told = failure(error, "" if done.failure is None else done.failure.traceback)
        return done._replace(outputs=(), failure=told)

    # ------------------------------------------------------------------ what was reached for

    def _undeclared(self, done: Done) -> UndeclaredRead | None:
        said = ""
        if done.failure is not None:
            said = f"{done.failure.what}\n{_messages(done.failure.traceback)}"
        path = next(self._missed(done, said), "")
        if path:
            return self._read(path)
        if self._reached(done, said):
            return self._network(done)
        return None

    def _missed(self, done: Done, said: str) -> Iterator[str]:
        """Paths that the task reached for, that exist outside and not here."""
        yield from self._hidden(_paths(said))
        for what, _ in done.observed:
            kind, _, rest = what.partition(" ")
            path = rest.partition("\x1f")[0]
            if kind in ("file", "kind", "link", "list", "all"):
                yield from self._hidden([path])
            if kind in ("list", "all"):
                yield from self._hidden_in(path)
        for words in self._asked:
            yield from self._hidden(_paths(words))
        yield from self._databases
        yield from self._hidden(path for path in self._called if path.startswith("/"))
        yield from self._modules(said)

    def _hidden(self, paths: Iterable[str]) -> Iterator[str]:
        for path in paths:
            whole = os.path.abspath(os.path.join(self._root, path))
            if _WILD.search(whole) and not self._world.exists(whole):
                whole = os.path.dirname(whole[: _WILD.search(whole).start()])  # type: ignore[union-attr]
            is_output = self._out and f"{self._out}/".startswith(f"{whole}/")
            if not is_output and not os.path.lexists(whole) and self._world.exists(whole):
                yield whole

    def _hidden_in(self, path: str) -> Iterator[str]:
        """The folder, if it has other names outside than the step has seen."""
        whole = os.path.abspath(os.path.join(self._root, path))
        names = self._world.names(whole)
        if names is not None and os.path.isdir(whole):
            seen = {*os.listdir(whole)}
            outputs = {name for name in names if f"{self._out}/".startswith(f"{whole}/{name}/")}
            if not seen.issuperset(set(names) - outputs):
                yield whole

    def _modules(self, said: str) -> Iterator[str]:
        """Modules of the project that are not there, since the fingerprint does not reach them."""
        for name in re.findall(r"No module named '([\w.]+)'", said):
            stem = name.replace(".", "/")
            for folder in (self._root, self._root / "src"):
                yield from self._hidden(
                    [f"{folder}/{stem}.py", f"{folder}/{stem}/__init__.py", f"{folder}/{stem}"]
                )

    def _reached(self, done: Done, said: str) -> bool:
        now = namespaces.traffic()
        more = {name: count - self._before[name] for name, count in now.items()}
        if more["IpOutNoRoutes"] or more["Ip6OutNoRoutes"] or more["UdpNoPorts"] or more["Udp6NoPorts"]:
            return True
        near = (*_NEAR, "/", "\0", f"{os.uname().nodename}:")
        if not all(address.startswith(near) for address in self._called):
            return True
        refused = "onnection refused" in said or "ConnectionRefused" in said
        return bool(more["TcpAttemptFails"]) and (refused or not more["TcpPassiveOpens"])

    # ------------------------------------------------------------------ what is told

    def _read(self, path: str) -> UndeclaredRead:
        name = self._task.step.name
        short = os.path.relpath(path, self._root) if f"{path}/".startswith(f"{self._root}/") else path
        if path.endswith(".py"):
            fixes = [f"import `{short}` by its name, where the step is defined, so that its code counts"]
        else:
            fixes = [
                f'give it to the step as an argument: `{name}(source("{short}")())`',
                f'if the step writes it: `{name}.options(out="{short}")`',
            ]
        return UndeclaredRead(
            f"step `{name}` reached for `{short}`, which it does not declare",
            why="`--strict` lets a step have its arguments, its code, and what modules read when they are imported",
            fixes=fixes,
        )

    def _network(self, done: Done) -> UndeclaredRead:
        name = self._task.step.name
        seen = [what.partition(" ")[2] for what, _ in done.observed if what.startswith("net ")]
        where = next((f" ({address})" for address in (*self._called, *seen)), "")
        return UndeclaredRead(
            f"step `{name}` reached for the network{where}, which it does not declare",
            why="what an address answers is not part of the result's key",
            fixes=[f'give what it fetches to the step as an argument: `{name}(source("https://…")())`'],
        )

    # ------------------------------------------------------------------ hooks and outputs

    def _note(self, event: str, arguments: tuple[Any, ...]) -> None:
        """What Python tells of every command and every address (`sys.addaudithook`)."""
        if event in _COMMANDS:
            for words in arguments[:2]:
                listed = words if isinstance(words, list | tuple) else [words]
                self._asked += [os.fsdecode(word) for word in listed if isinstance(word, str | bytes | Path)]
        elif event in ("socket.connect", "socket.sendto"):
            address = arguments[1]
            if isinstance(address, tuple) and len(address) >= 2:
                self._called.append(f"{address[0]}:{address[1]}")
            elif isinstance(address, str | bytes) and address:
                self._called.append(os.fsdecode(address))
        elif event == "sqlite3.connect" and isinstance(arguments[0], str | bytes):
            self._databases += self._hidden([os.fsdecode(arguments[0])])
        elif event == "socket.getaddrinfo" and isinstance(arguments[0], str | bytes):
            self._called.append(f"{os.fsdecode(arguments[0])}:{arguments[1]}")

    def _kept(self, done: Done) -> Done:
        """The report of a success, its output file put where it belongs outside; tells what is not kept."""
        name = self._task.step.name
        try:
            if self._out and os.path.lexists(self._out):
                put(self._out, self._world.at(self._out))
        except OSError as error:
            clause = f"wrote `{self._task.out}`, which could not be put into the project: {error.strerror}"
            return done._replace(failure=failure(wrong_output(name, clause)))
        if any(made.artifact.codec == "path" for made in done.outputs):
            return done  # what it wrote is in the store
        lost = [path for path in done.wrote if self._is_lost(path)]
        notes = [
            f"step `{name}` wrote `{path}`, which it does not declare: strict runs keep no such files"
            for path in lost
        ]
        return done._replace(notes=(*done.notes, *notes))

    def _is_lost(self, path: str) -> bool:
        whole = os.path.abspath(os.path.join(self._root, path))
        inside = whole.startswith(f"{self._root}/") and os.path.isfile(whole)
        return inside and not f"{whole}/".startswith(f"{self._out}/")


def _messages(traceback: str) -> str:
    """The lines of a traceback that are errors' own words, and no frames."""
    return "\n".join(line for line in traceback.splitlines() if not line.startswith("  "))


def _paths(text: str) -> Iterator[str]:
    """What may be a path in a message or a command: quoted text, words with a `/` or a `.`, what follows a colon."""
    for line in text.splitlines():
        speaks_of_files = _ABSENT.search(line) is not None
        for found in _QUOTED.finditer(line):
            if speaks_of_files or "/" in found[2] or "." in found[2]:  # else a key, a column
                yield found[2]
        for found in _WORD.finditer(line):
            word = found[0].strip(".:") if not found[0].startswith(".") else found[0].rstrip(":")
            if "/" in word or "." in word.strip("."):
                yield word
        tail = line.rpartition(": ")[2].strip()
        if "/" in tail or "." in tail:
            yield tail
