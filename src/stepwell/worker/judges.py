"""A step's own judges: `validate=` of what it gave, `done=` of whether its work is done.

Both are functions of the project, found by "module:qualname". A judge accepts by returning anything
but False, and refuses by returning False or by raising; a `done=` must return something true.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from stepwell.errors import StepNotDone, StepRefused, StepwellError, typed
from stepwell.kernel.graph import StepDef
from stepwell.kernel.ports import Failure, Task
from stepwell.worker import failures
from stepwell.worker.modules import FirstParty


def function_of(name: str, importer: FirstParty) -> Callable[..., Any]:
    """The function "module:qualname". Raises what importing its module raises, or `AttributeError`."""
    module, _, qualname = name.partition(":")
    found: Any = importer.load(module)
    for part in qualname.split("."):
        found = getattr(found, part)
    return found  # type: ignore[no-any-return]


def refused(task: Task, value: Any, importer: FirstParty) -> Failure | None:
    """The failure of the first judge that does not accept what a step returned; None where all do."""
    for name in task.step.validate:
        short = name.rpartition(":")[2]
        try:
            verdict = function_of(name, importer)(value)
        except Exception as error:  # a judge refuses by raising, whatever it raises  # noqa: BLE001
            why = failures.say(error)
            return _refusal(task, short, why, failures.user_traceback(error, importer.is_first_party))
        if verdict is False:
            return _refusal(task, short, f"`{short}` returned False", "")
    return None


def _refusal(task: Task, judge: str, why: str, traceback: str) -> Failure:
    call = typed(task.id)
    error = StepRefused(
        f"`{judge}` refused what step `{task.step.name}` gave",
        why=why,
        fixes=[f"stepwell get last {call}   shows what was refused", f"stepwell debug {call}"],
    )
    return failures.failure(error, traceback)


def holds(name: str, values: Mapping[str, Any], importer: FirstParty) -> bool:
    """Whether a step's own test says that its work is done, asked with the step's inputs by name.

    Arguments that the test does not take are left out. Raises what the test raises.
    """
    import inspect

    test = function_of(name, importer)
    parameters = inspect.signature(test).parameters.values()
    if not any(p.kind is p.VAR_KEYWORD for p in parameters):
        values = {p.name: values[p.name] for p in parameters if p.name in values}
    return bool(test(**values))


def not_done(step: StepDef, values: Mapping[str, Any], importer: FirstParty) -> Failure | None:
    """The failure of a step that ran and whose own test does not hold now; None where it does, or there is none."""
    short = step.done.rpartition(":")[2]
    try:
        if holds(step.done, values, importer):
            return None
        why, traceback = f"`{short}` returned something false", ""
    except Exception as error:  # the test is the user's code  # noqa: BLE001
        why, traceback = failures.say(error), failures.user_traceback(error, importer.is_first_party)
    problem: StepwellError = StepNotDone(
        f"step `{step.name}` ended, and its own test `{short}` does not hold",
        why=why,
        fixes=["do in the step what the test looks for, or correct the test"],
    )
    return failures.failure(problem, traceback)
