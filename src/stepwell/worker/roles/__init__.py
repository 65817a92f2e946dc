"""What a step with a role (`stepwell.ml`) must give, and what is recorded of it.

    playing = begin(task, values)          # before the call: facts of what it is given; None without a role
    failure = playing.judge(value)         # after it: None, or what is wrong with what it gave

A role is text in `StepDef.role`: its name, and behind a space its own options as JSON. Each has a module here with
two functions: `taken(given)` looks at the arguments before the step can change them, and `judged(taken, value)`
gives a `Found`, or raises the error of the role (`errors`, E532 to E537). What was found is recorded as metrics and
as one JSON document (`log.record_role`). Libraries are used only where a value is theirs.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, NamedTuple

from stepwell import log
from stepwell.errors import StepwellError, typed
from stepwell.kernel.graph import Pack
from stepwell.kernel.ports import Failure, Outside, Stored, Task
from stepwell.worker import failures

HOMES = {
    "splitter": "splits",
    "tokenizer": "tokens",
    "preprocessor": "prepared",
    "trainer": "models",
    "evaluator": "scores",
    "predictor": "predictions",
}
"""By role the module that judges what it gives."""


class Role(NamedTuple):
    """A role: its name, one of `HOMES`, and its own options as plain data ({"by": ["customer"]})."""

    name: str
    options: Mapping[str, Any]


class Given(NamedTuple):
    """What a step with a role is called with: its name, the role's options, the arguments and their digests by name."""

    step: str
    options: Mapping[str, Any]
    values: Mapping[str, Any]
    digests: Mapping[str, str] = {}


class Found(NamedTuple):
    """What a role found: a document (plain data) and metrics to record, and notes for people."""

    document: Mapping[str, Any]
    metrics: Mapping[str, float]
    notes: tuple[str, ...] = ()


def spelled(name: str, options: Mapping[str, Any]) -> str:
    """A role as `StepDef.role` has it; options that are empty or False are left out."""
    said = {key: value for key, value in options.items() if value}
    return f"{name} {json.dumps(said, sort_keys=True, ensure_ascii=False)}" if said else name


def role_of(text: str) -> Role:
    """The role that `spelled` wrote."""
    name, _, options = text.partition(" ")
    return Role(name, json.loads(options) if options else {})


def begin(task: Task, values: Mapping[str, Any]) -> Playing | None:
    """What will judge an execution of a step; None where the step has no role. Raises the error of its role."""
    if not task.step.role:
        return None
    role = role_of(task.step.role)
    digests = {name: digest for name, source in task.inputs if (digest := _digest(source))}
    given = Given(task.step.name, role.options, {name.lstrip("*"): v for name, v in values.items()}, digests)
    return Playing(task, role, given)


def _digest(source: object) -> str:
    """The digest of an argument that is a whole artifact or source; "" of what is neither."""
    if isinstance(source, Stored):
        return source.artifact.digest
    if isinstance(source, Outside):
        return source.digest
    if isinstance(source, Pack) and len(source.items) == 1:
        return _digest(source.items[0])
    return ""


class Playing:
    """One execution of a step in its role. `notes` are what a person should know of it, when it was judged."""

    def __init__(self, task: Task, role: Role, given: Given) -> None:
        self.notes: tuple[str, ...] = ()
        self._call, self._step, self._role = task.id, task.step, role
        self._home: Any = import_module(f"{__name__}.{HOMES[role.name]}")
        self._taken: Any = None
        try:
            self._taken = self._home.taken(given)
        except StepwellError:
            raise
        except Exception as error:  # values are asked by libraries, and by methods of the user's classes  # noqa: BLE001
            self.notes = (self._unjudged(error),)

    def called(self, call: Callable[[dict[str, Any]], Any], values: dict[str, Any]) -> None:
        """Let the role call the step's function again, right after the first call, where it asks for that."""
        again = getattr(self._home, "sliced", None)
        if again is not None and self._taken is not None:
            try:
                again(self._taken, call, values)
            except Exception as error:  # as above  # noqa: BLE001
                self.notes += (self._unjudged(error),)

    def judge(self, value: Any) -> Failure | None:
        """Record what the role finds in what the step returned; the failure where that breaks the role's contract."""
        if self._taken is None:
            return None
        try:
            found: Found = self._home.judged(self._taken, value)
        except StepwellError as error:
            outputs = self._step.outputs
            part = f".{outputs[0].name}" if len(outputs) > 1 else ""
            look = f"stepwell get last {typed(self._call + part)}   shows what was refused"
            return failures.failure(type(error)(error.what, why=error.why, fixes=[*error.fixes, look]))
        except Exception as error:  # as above  # noqa: BLE001
            self.notes += (self._unjudged(error),)
            return None
        self.notes += tuple(f"step `{self._step.name}`: {note}" for note in found.notes)
        for name, number in found.metrics.items():
            log.metric(name, number)
        told = {"notes": list(found.notes)} if found.notes else {}
        document = plain({"role": self._role.name, **found.document, **told})
        log.record_role(json.dumps(document, ensure_ascii=False))
        return None

    def _unjudged(self, error: Exception) -> str:
        """The note of a step whose role could not be judged."""
        return f"step `{self._step.name}`: what it is as a {self._role.name} could not be judged: {failures.say(error)}"


def plain(value: Any, depth: int = 6) -> Any:
    """A value as JSON can hold it: numbers that are not finite as text, others than plain data by their class."""
    if value is None or isinstance(value, bool | int | str):
        return value if not isinstance(value, str) else value[:200]
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else str(float(value))
    if isinstance(value, Mapping) and depth:
        return {str(key)[:200]: plain(one, depth - 1) for key, one in list(value.items())[:500]}
    if isinstance(value, list | tuple | set | frozenset) and depth:
        ordered = sorted(value, key=repr) if isinstance(value, set | frozenset) else value
        return [plain(one, depth - 1) for one in list(ordered)[:500]]
    if (
        type(value).__module__.partition(".")[0] == "numpy"
        and hasattr(value, "item")
        and not getattr(value, "ndim", 0)
    ):
        return plain(value.item(), 0)
    return getattr(value, "__qualname__", type(value).__qualname__)
