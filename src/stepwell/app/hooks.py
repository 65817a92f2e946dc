"""Telling others that a run has ended: commands and web addresses (`author.hooks`).

Hooks are told one after the other when the run is recorded, each in its own time. Whatever becomes of
them is a note: the run's status and exit code are those of the run.

A command gets the facts as JSON on its standard input and as variables (`STEPWELL_RUN`, ...); what it
prints goes to standard error. An address gets the same JSON in a POST. The facts are names, numbers and
what failed: no parameters, but those in the command to resume that are plain values, and nothing of
the environment.

One run, one call: where several runs are one piece of work, whoever carries them out calls `finish`
with `hooks=False` and `tell` once, with the facts of all.
"""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from json import dumps
from pathlib import Path
from typing import Any, NamedTuple

from stepwell.app.progress import Progress
from stepwell.app.saved import word_of
from stepwell.app.session import Settings, Work
from stepwell.author.hooks import Command, Hook, Hooks, Webhook, hooks_of
from stepwell.errors import StepwellError
from stepwell.sources.address import printable
from stepwell.sources.servers import NoAnswer, ask, guarded
from stepwell.version import VERSION

FORMAT = "stepwell run 1"
"""The first entry of what hooks are told, so that receivers can tell a later form apart."""


NONE = Hooks()
"""The hooks of a run that tells nobody."""


class Facts(NamedTuple):
    """What hooks are told of a run that has ended.

    `failed` are (id, code, what) of steps; `resume` is the command that goes on where the run stopped.
    """

    run: str
    pipeline: str
    status: str
    seconds: float
    failed: tuple[tuple[str, str, str], ...]
    resume: str

    def broken(self, error: StepwellError) -> Facts:
        """The same of a run that an error of the store has ended: no step failed, and still it did not succeed."""
        return self._replace(status="failed", failed=(*self.failed, ("", error.code, error.what)))

    def document(self) -> dict[str, Any]:
        """The facts as JSON: what a command reads and an address is sent."""
        failed = [{"step": step, "code": code, "what": what} for step, code, what in self.failed]
        seconds = round(self.seconds, 6)
        return {"format": FORMAT, **self._asdict(), "seconds": seconds, "failed": failed}

    def variables(self) -> dict[str, str]:
        """The facts as environment variables; a step's name a line in `STEPWELL_FAILED`."""
        return {
            "STEPWELL_RUN": self.run,
            "STEPWELL_PIPELINE": self.pipeline,
            "STEPWELL_STATUS": self.status,
            "STEPWELL_SECONDS": f"{self.seconds:.3f}",
            "STEPWELL_FAILED": "\n".join(step for step, _, _ in self.failed),
            "STEPWELL_RESUME": self.resume,
        }


def hooks_for(work: Work, settings: Settings) -> Hooks:
    """The hooks of a planned run, none of a ghost run. Raises `BadHook`, `BadSettings`: ask before it begins."""
    if work.ghost is not None:
        return NONE
    return hooks_of(
        work.root,
        dict(work.loaded.pipeline.run_options),
        settings.on_success,
        settings.on_failure,
        work.loaded.target.file,
    )


def facts_of(work: Work, run: str, progress: Progress) -> Facts:
    """What is told of a run that has ended."""
    graph = progress.plan.graph
    failed = tuple(
        (graph.nodes[node].id, outcome.failure.code, outcome.failure.what)
        for node, outcome in progress.ended("failed")
        if outcome.failure is not None
    )
    return Facts(run, graph.pipeline, progress.status, progress.seconds, failed, resume_of(work))


def resume_of(work: Work) -> str:
    """The command that runs a pipeline again with the same parameters; those that are no plain values are left out."""
    given = [
        shlex.quote(f"{name}={value if isinstance(value, str) else dumps(value)}")
        for name, value, _ in work.graph.params
        if type(value) in (str, int, float, bool)
    ]
    return " ".join(["stepwell run", shlex.quote(word_of(work)), *given])


def tell(hooks: Hooks, facts: Facts, root: Path) -> Iterator[str]:
    """Tell every hook of a run's status, in order; gives a note for each that came to nothing."""
    for hook in hooks.after(facts.status):
        name = printable(hook.words[0] if isinstance(hook, Command) else hook.place)
        try:
            problem = _told(hook, facts, root, hooks)
        except KeyboardInterrupt:  # the run has ended and is what it is
            yield f"hook `{name}`: interrupted"
            return
        if problem:
            yield f"hook `{name}`: {problem}"


def _told(hook: Hook, facts: Facts, root: Path, hooks: Hooks) -> str:
    """Tell one hook; gives what went wrong, or ""."""
    if isinstance(hook, Command):
        return _called(hook, facts, root)
    return bounded(lambda: _posted(hook, facts, hooks), hook.timeout)


def bounded(act: Callable[[], str], seconds: float) -> str:
    """What `act` gives, or that it did not come to an end: looking up a name cannot be given a time."""
    found: list[str] = []
    thread = threading.Thread(target=lambda: found.append(act()), daemon=True)
    thread.start()
    thread.join(seconds)
    return found[0] if found else f"no end after {seconds:g} s"


def _called(command: Command, facts: Facts, root: Path) -> str:
    """Run a command in the project's folder; it and all that it started end with its time."""
    try:
        process = subprocess.Popen(
            [_program(command.words[0], root), *command.words[1:]],
            cwd=root,
            env={**os.environ, **facts.variables()},
            stdin=subprocess.PIPE,
            stdout=2,  # standard output is for the run's own document
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        return printable(getattr(error, "strerror", None) or str(error))
    try:
        process.communicate(dumps(facts.document()).encode() + b"\n", timeout=command.timeout)
    except subprocess.TimeoutExpired:
        return f"stopped after {command.timeout:g} s"
    finally:
        _end(process)
    return f"exit code {process.returncode}" if process.returncode else ""


def _program(word: str, root: Path) -> str:
    """A program with a folder in its name lies below the root, where the command runs; others are on the path."""
    return str(root / word) if os.sep in word else word


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a command that is still there, with its group."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    if process.stdin is not None:
        process.stdin.close()


def _posted(hook: Webhook, facts: Facts, hooks: Hooks) -> str:
    """Send the facts to an address; gives what went wrong. The answer's body is not read."""
    from urllib.request import Request

    from stepwell.sources.address import without_user

    headers = {"Content-Type": "application/json", "User-Agent": f"stepwell/{VERSION}"}
    request = Request(
        without_user(hook.url)[0], dumps(facts.document()).encode(), headers=headers, method="POST"
    )
    try:
        with ask(request, hook.timeout, guarded(hooks.allowed)) as response:
            status = response.status
    except NoAnswer as none:
        if none.kind == "certificate":
            return f"its certificate is not trusted: {printable(str(none))}"
        return printable(getattr(none.cause, "strerror", None) or str(none) or type(none.cause).__name__)
    if 300 <= status < 400:
        return f"it redirects ({status}), and hooks are not led elsewhere"
    return "" if 200 <= status < 300 else f"it answered {status}"
