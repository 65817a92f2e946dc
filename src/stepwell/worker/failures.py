"""What a person is told when a step fails: first the line of their own code, then what would help.

The traceback holds the frames of the project's own files and the one in which the error was
raised; Stepwell's frames are left out, and those of libraries in between are counted. Nothing in
here may fail on a hostile exception (one whose `str()` raises, say): then less is told.
"""

from __future__ import annotations

import builtins
import re
import traceback
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

from stepwell.errors import (
    ReferenceReturned,
    SecretReturned,
    StepError,
    StepExited,
    StepNotLoaded,
    StepRaised,
    StepwellError,
    WrongOutput,
    nearest,
    typed,
)
from stepwell.kernel.ports import Failure, Task
from stepwell.worker.hiding import blamed
from stepwell.worker.secrets import masked, masked_failure

LONGEST = 300
"""Characters of an exception's own words that a one-line message repeats."""

LONGEST_TRACEBACK = 20_000

_LEFT_OUT = re.compile(r'^  File "(\d+ frames of libraries)", line 0, in …\n', re.MULTILINE)

_IN_CELL = re.compile(r"[^\n]+\.(ipynb|py) cell \d+:")
"""How a place in a notebook is told, Jupyter's or marimo's."""

_OURS = str(Path(__file__).parents[1])

IsOwn = Callable[[str], bool]
"""Whether a file is first-party code of the project."""


def failure(error: StepwellError, traceback: str = "") -> Failure:
    """The failure that an error of ours describes."""
    return masked_failure(Failure(error.code, error.what, error.why, error.fixes, error.docs, traceback))


def of_step(task: Task, error: BaseException, root: Path, is_own: IsOwn) -> Failure:
    """The failure of a task whose step's code raised `error` (a `SystemExit` too)."""
    name = task.step.name
    text = user_traceback(error, is_own)
    line = _own_line(error, root, is_own)
    if isinstance(error, SystemExit):
        said = (
            f" with the message {_one_line(error.code)!r}"
            if isinstance(error.code, str)
            else f" with {error.code}"
        )
        exited = StepExited(
            f"step `{name}` called `sys.exit`{said if error.code is not None else ''}",
            why=line or "the step ended its process instead of returning",
            fixes=["return a value, or raise an exception that says what is wrong"],
        )
        return failure(exited, text)
    if isinstance(error, StepwellError) and not isinstance(error, StepError) and not line:
        told = type(error)(error.what, why=error.why, fixes=error.fixes, where=error.where)
        return failure(told)._replace(what=f"step `{name}`: {error.what}")
    raised = StepRaised(
        f"step `{name}` raised {say(error)}",
        why=line or "the error was raised outside the project's own files",
        fixes=[*_remedies(error, is_own), _looked_into(task.id, line)],
    )
    return failure(raised, text)


def _looked_into(call: str, line: str) -> str:
    """How to look into a call that raised, by its id: commands cannot load the cells of a notebook."""
    cell = _IN_CELL.match(line)
    if cell is None:
        return f"stepwell debug {typed(call)}   opens a debugger at this line, with the same inputs"
    called = call.rpartition("/")[2].partition("[")[0]
    after = ", then %debug" if cell[1] == "ipynb" else ""
    return f'call `{called}` in a cell, with what other steps gave: run["STEP"].load(){after}'


def not_loaded(name: str, module: str, error: BaseException, root: Path, is_own: IsOwn) -> Failure:
    """The failure of a step whose module could not be imported, or does not hold it.

    An error of ours that importing raised (a run that is started there, say) keeps its code and fixes.
    """
    ours = error if isinstance(error, StepwellError) else error.__cause__
    if isinstance(ours, StepwellError) and not isinstance(ours, StepError):
        told = failure(ours, user_traceback(error, is_own))
        why = ours.why or _own_line(error, root, is_own)
        return told._replace(what=f"step `{name}` could not be loaded: {ours.what}", why=why)
    fixes = _remedies(error, is_own) or [f'python -c "import {module}"   from `{root}` shows the same error']
    why = _own_line(error, root, is_own) or f"importing `{module}` failed in the worker"
    missing = StepNotLoaded(f"step `{name}` could not be loaded: {say(error)}", why=why, fixes=fixes)
    return failure(missing, user_traceback(error, is_own))


def wrong_output(name: str, clause: str, *, fixes: Iterable[str] = ()) -> StepwellError:
    """The error of a step that returned something else than it declares; `clause` says what ("returned None, ...")."""
    return WrongOutput(
        f"step `{name}` {clause}",
        why="the step's annotation is a promise to the steps after it",
        fixes=[*fixes] or ["correct the annotation, or what the step returns"],
    )


def secret_returned(name: str, clause: str) -> StepwellError:
    """The error of a step in whose result a secret was found; `clause` says how ("returned the value of a secret")."""
    return SecretReturned(
        f"step `{name}` {clause}",
        why="results are kept in the store, and shown; secrets are neither",
        fixes=["return what was made with it", "or return the Secret itself, which only says where it is"],
    )


def reference_returned(name: str, where: str) -> StepwellError:
    """The error of a step that returned a reference; `where` names the output."""
    return ReferenceReturned(
        f"step `{name}` returned a reference{where} instead of a value",
        why="references exist only while a pipeline is traced; a step works with values",
        fixes=["give the value to the step as an argument, in the pipeline"],
    )


def say(error: BaseException) -> str:
    """An exception as one line: `KeyError: 'speceis'`."""
    try:
        words = _one_line(masked(str(error)))
    except Exception:  # a __str__ that raises must not hide the failure  # noqa: BLE001
        words = "(its message cannot be shown)"
    kind = type(error).__name__
    return f"{kind}: {words}" if words else kind


def _one_line(words: str) -> str:
    lines = words.strip().splitlines()
    if not lines:
        return ""
    first = lines[0] if len(lines) == 1 else f"{lines[0]} …"
    return first if len(first) <= LONGEST else first[:LONGEST] + "…"


# ---------------------------------------------------------------------------- where


def _frames(tb: TracebackType | None) -> Iterator[tuple[FrameType, int]]:
    while tb is not None:
        yield tb.tb_frame, tb.tb_lineno
        tb = tb.tb_next


def _own_line(error: BaseException, root: Path, is_own: IsOwn) -> str:
    """The innermost line of the project's own code on the way of an error: `pipeline.py:12 in train: x = df["a"]`."""
    import linecache

    if isinstance(error, SyntaxError) and error.filename and is_own(error.filename):
        line = (error.text or "").strip()
        return f"{_short(error.filename, root)}:{error.lineno}: {line}"
    own = [(frame, line) for frame, line in _frames(error.__traceback__) if is_own(frame.f_code.co_filename)]
    if not own:
        return ""
    frame, number = own[-1]
    code = frame.f_code
    line = linecache.getline(code.co_filename, number).strip()
    place = "" if code.co_name == "<module>" else f" in {code.co_name}"
    return f"{_short(code.co_filename, root)}:{number}{place}" + (f": {line}" if line else "")


def _short(path: str, root: Path) -> str:
    return path.removeprefix(f"{root}/")


def user_traceback(error: BaseException, is_own: IsOwn) -> str:
    """The traceback, as Python prints it, of the project's own frames and the one that raised."""
    try:
        told = traceback.TracebackException.from_exception(error, limit=None, lookup_lines=True)
        _strip(told, is_own, set())
        text = masked(_LEFT_OUT.sub(r"  … \1\n", "".join(told.format())))
    except Exception:  # see the top: a hostile exception  # noqa: BLE001
        text = f"{say(error)}\n"
    if len(text) > LONGEST_TRACEBACK:
        half = LONGEST_TRACEBACK // 2
        text = f"{text[:half]}\n  …\n{text[-half:]}"
    return text


def _strip(told: traceback.TracebackException, is_own: IsOwn, seen: set[int]) -> None:
    if id(told) in seen:
        return
    seen.add(id(told))
    kept: list[traceback.FrameSummary] = []
    left_out = 0
    last = len(told.stack) - 1
    for i, frame in enumerate(told.stack):
        ours = frame.filename.startswith(_OURS) or frame.filename.startswith("<frozen")
        if is_own(frame.filename) or (i == last and not ours):
            if left_out and kept:
                kept.append(
                    traceback.FrameSummary(
                        f"{left_out} frames of libraries", 0, "…", lookup_line=False, line=""
                    )
                )
            kept.append(frame)
            left_out = 0
        elif not ours:
            left_out += 1
    told.stack = traceback.StackSummary.from_list(kept)
    for other in (told.__cause__, told.__context__, *(getattr(told, "exceptions", None) or ())):
        if other is not None:
            _strip(other, is_own, seen)


# ---------------------------------------------------------------------------- remedies


def _remedies(error: BaseException, is_own: IsOwn) -> list[str]:
    """What may help, where it can be found out cheaply and safely."""
    try:
        if isinstance(error, KeyError) and error.args and isinstance(error.args[0], str):
            return _missing_key(error.args[0], error, is_own)
        if told := blamed(error, is_own):
            return told
        if isinstance(error, ModuleNotFoundError) and error.name:
            return [
                f"uv add {error.name.partition('.')[0]}   (or pip install, in the environment that runs Stepwell)"
            ]
        if isinstance(error, AttributeError) and error.name is not None:
            return _did_you_mean(error.name, dir(error.obj))
        if isinstance(error, NameError) and error.name is not None:
            own = [frame for frame, _ in _frames(error.__traceback__)]
            return (
                _did_you_mean(error.name, [*own[-1].f_locals, *own[-1].f_globals, *dir(builtins)])
                if own
                else []
            )
        if isinstance(error, FileNotFoundError):
            return ["steps run with the project's root as working folder: write paths from there"]
        if isinstance(error, MemoryError):
            return ["work on less at a time, or run fewer steps at once: stepwell run --jobs 1"]
    except Exception:  # objects of the user are asked for their names; any of them may raise  # noqa: BLE001
        return []
    return []


def _missing_key(key: str, error: BaseException, is_own: IsOwn) -> list[str]:
    """For a key that is not there: the columns or keys that the function at hand has in its variables."""
    own = [frame for frame, _ in _frames(error.__traceback__) if is_own(frame.f_code.co_filename)]
    if not own:
        return []
    best: list[str] = []
    for name, value in list(own[-1].f_locals.items()):
        names = _names_in(value)
        if names and (near := nearest(key, names)):
            return [f"did you mean {near!r}? `{name}` has {_few(names)}"]
        if names and not best:
            best = [f"`{name}` has {_few(names)}"]
    return best


def _names_in(value: Any) -> list[str]:
    columns = value.keys() if isinstance(value, dict) else getattr(value, "columns", None)
    if columns is None or len(columns) > 10_000:
        return []
    return [name for name in columns if isinstance(name, str)]


def _few(names: list[str]) -> str:
    shown = ", ".join(repr(name) for name in names[:12])
    return shown if len(names) <= 12 else f"{shown} and {len(names) - 12} more"


def _did_you_mean(word: str, names: Iterable[str]) -> list[str]:
    near = nearest(word, names)
    return [f"did you mean `{near}`?"] if near else []
