"""`stepwell debug`: a step again, in this process, with its recorded inputs, in a debugger. Nothing is recorded."""

from __future__ import annotations

import os
import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Callable, Sequence
from inspect import unwrap
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

from stepwell.app.again import Ready, Session, Wish, ready
from stepwell.cli.arguments import which_pipeline
from stepwell.cli.debugger import Quit, debugger
from stepwell.cli.looking import RUN_WORD, stored
from stepwell.cli.options import words
from stepwell.cli.screen import failure_lines
from stepwell.cli.text import clean, number, paint, short
from stepwell.cli.words import like_a_worker, project_root_of, step_and_run
from stepwell.errors import NoDebugger, StepExited, StepRaised, StepwellError, UsageError, typed
from stepwell.plugins.registry import registry
from stepwell.stores.local import LocalStore
from stepwell.worker.kinds import is_made, spec_of

EXAMPLES = """examples:
  stepwell debug train             where it failed last, else at its first line
  stepwell debug train r3          with the inputs that it had in run r3
  stepwell debug train depth=8     with the inputs that the present plan has for it
in the debugger: `again` calls it again after an edit, `q` leaves it; then it is asked whether to call again"""

Through = Callable[[Callable[..., Any], Callable[[], Any]], Any]


def arguments(parser: ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument(
        "words",
        nargs="+",
        metavar="STEP [RUN] [name=value ...]",
        help=f"a step's id or name; {RUN_WORD}",
    )
    which_pipeline(parser)
    parser.add_argument(
        "--first-line", action="store_true", help="stop at the first line, also where it failed"
    )
    parser.add_argument(
        "--current", action="store_true", help="take sources as they are now, where they changed since"
    )
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--ipython", action="store_true", help="in IPython's debugger")
    how.add_argument(
        "--listen", type=_address, metavar="[HOST:]PORT", help="wait there for an editor (debugpy)"
    )


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not port.isdigit() or not 0 < int(port) < 65536:
        raise ArgumentTypeError(f"`{text}` is not a port from 1 to 65535")
    return host or "127.0.0.1", int(port)


class _End(NamedTuple):
    """How one call ended: the exit code that this means, and whether another one was asked for."""

    code: int
    again: bool = False


def run(options: Namespace) -> int:
    """Call, as often as the person wants; the exit code of the last call."""
    if options.json:
        raise UsageError("`debug` has no --json: it talks to a person", fixes=["stepwell replay STEP --json"])
    base = _library(options)
    like_a_worker(options.folder)
    given = words(options.words)
    named = step_and_run("debug", given.plain)
    if named.run and given.settings:
        raise UsageError(
            "a run and parameters are named: a run has parameters of its own", fixes=["leave out one of them"]
        )
    wish = Wish(
        named.step, named.run, options.pipeline, Path.cwd(), tuple(given.settings), failed=True,
        current=options.current,
    )  # fmt: skip
    with stored(project_root_of(options.pipeline), looking=True, create=False) as store:
        found = ready(store, wish)
        _refuse_commands(found)
        while True:
            end = _call(found, store, options, base)
            if not end.again and not _asked():
                return end.code
            if found.then.run:
                wish = wish._replace(run=found.then.run, step=found.then.wanted.id)
            found = _reloaded(store, wish, found)


def _refuse_commands(found: Ready) -> None:
    """Raises `UsageError` for a step that is no Python function: a debugger has nothing to show of it."""
    step = found.task.step
    if is_made(step):
        texts = registry.kind(step.kind).code(spec_of(step.spec), found.loaded.target.root)
        first = " · ".join(texts.get("command", step.kind).splitlines())
        raise UsageError(
            f"`{found.task.id}` is no Python function, and only these can be debugged",
            why=f"it is a step of the kind {step.kind}: {first[:300]}",
            fixes=[
                f"stepwell replay {typed(found.task.id)}   does it again with the same inputs",
                f"stepwell logs last {typed(found.task.id)}",
            ],
        )


def _reloaded(store: LocalStore, wish: Wish, before: Ready) -> Ready:
    """The step with the code as it is on disk now. Where that cannot be loaded, the person is told and asked."""
    while True:
        try:
            return ready(store, wish)
        except StepwellError as error:
            print(clean(str(error)), file=sys.stderr)
            if not _asked():
                raise


def _asked() -> bool:
    """Whether a person at a terminal wants it once more; nobody else is asked."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return False
    try:
        return input("again? [y/n] ").strip().lower() in ("y", "yes")
    except EOFError:
        print()
        return False


# ---------------------------------------------------------------------------- one call


def _call(found: Ready, store: LocalStore, options: Namespace, base: type[Any] | None) -> _End:
    """Call the step in the debugger and say what came of it."""
    failed = _raised(found) and not options.first_line and base is not None
    print("\n".join(_head(found, failed=failed)), flush=True)
    own = found.loaded.importer.is_first_party
    pdb = debugger(base, own) if base is not None else None
    through = None if failed else pdb.through if pdb is not None else _editor(options)
    with Session(found, store, _tell) as session:
        try:
            value = session.call(through)
        except Quit:
            return _End(0, pdb is not None and pdb.again)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # whatever a step raises, `sys.exit` too
            if isinstance(error, StepwellError) and not _in_step(error, own):
                raise
            print("\n".join(failure_lines(session.failure(error))), flush=True)
            if pdb is not None:
                pdb.post_mortem(error.__traceback__)
            return _End(1, pdb is not None and pdb.again)
        print(f"{clean(found.task.id)} returned {short(value, 200)}", flush=True)
        refused = session.refused(value)
        if refused is not None:
            print("\n".join(failure_lines(refused)), flush=True)
        return _End(int(refused is not None), pdb is not None and pdb.again)


def _raised(found: Ready) -> bool:
    """Whether the step's own code raised in that run: it was not killed, refused, or stopped."""
    error = found.then.wanted.error
    return error is not None and bool(error.traceback) and error.code in (StepRaised.code, StepExited.code)


def _in_step(error: BaseException, own: Callable[[str], bool]) -> bool:
    place = error.__traceback__
    while place is not None:
        if own(place.tb_frame.f_code.co_filename):
            return True
        place = place.tb_next
    return False


def _head(found: Ready, *, failed: bool) -> Sequence[str]:
    then = found.then
    how = "to the exception that it raised there" if failed else "from its first line"
    lines = [
        f"{paint(clean(found.task.id), 'bold')}  with the inputs of {then.name}, {how}; nothing is recorded"
    ]
    return [*lines, *(f"{paint('note', 'yellow')}: {clean(note)}" for note in found.notes)]


def _tell(name: str, value: float, step: int | None) -> None:
    place = "" if step is None else f" at {step}"
    print(clean(f"  {name} = {number(value)}{place}"), flush=True)


# ---------------------------------------------------------------------------- which debugger


def _library(options: Namespace) -> type[Any] | None:
    """The class of the debugger, or None for an editor. Raises `NoDebugger` before anything is loaded."""
    if options.listen:
        _debugpy()
        return None
    if not options.ipython:
        from pdb import Pdb  # 20 ms

        return Pdb
    try:
        from IPython.core.debugger import Pdb as IPythonPdb
    except ImportError as error:
        raise _missing("IPython", "ipython") from error
    return IPythonPdb


def _debugpy() -> Any:
    # Its processes are to be told of modules that have no file; nobody needs to read that.
    os.environ.setdefault("PYDEVD_DISABLE_FILE_VALIDATION", "1")
    try:
        import debugpy
    except ImportError as error:
        raise _missing("debugpy", "debugpy") from error
    return debugpy


def _missing(name: str, package: str) -> NoDebugger:
    return NoDebugger(
        f"{name} is not installed",
        why=f"in the environment of {sys.executable}",
        fixes=[
            f"uv add --dev {package}   (or pip install {package})",
            "without the option: Python's own pdb",
        ],
    )


def _editor(options: Namespace) -> Through:
    """Wait for an editor, then call the step, stopped at its first line."""

    def through(function: Callable[..., Any], call: Callable[[], Any]) -> Any:
        debugpy = _debugpy()
        host, port = options.listen
        if not debugpy.is_client_connected():
            try:
                debugpy.listen((host, port))
            except (RuntimeError, OSError) as error:
                raise NoDebugger(
                    f"cannot wait for an editor at {host}:{port}", why=str(error), fixes=["another port"]
                ) from error
            print(f"waiting for an editor at {host}:{port} (attach to it; Ctrl-C gives up)", flush=True)
            debugpy.wait_for_client()
        return _stopped(function, call)

    return through


def _stopped(function: Callable[..., Any], call: Callable[[], Any]) -> Any:
    """Carry `call` out; the editor stops at the first line of `function`, as at a breakpoint there."""
    import pydevd  # pyrefly: ignore

    goal = getattr(unwrap(function), "__code__", None)

    def watch(frame: FrameType, event: str, argument: object) -> None:
        if event == "call" and frame.f_code is goal:
            sys.setprofile(None)
            pydevd.settrace(
                suspend=True, trace_only_current_thread=True, patch_multiprocessing=False, stop_at_frame=frame
            )

    sys.setprofile(watch)  # not `settrace`, which may be the editor's own
    try:
        return call()
    finally:
        sys.setprofile(None)
