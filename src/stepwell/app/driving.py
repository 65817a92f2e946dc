"""A plan is run to its end: shown while it lasts, its hooks told afterwards. For the command line and for Python alike."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from typing import Any

from stepwell.app.hooks import NONE, facts_of, hooks_for, tell
from stepwell.app.progress import Progress
from stepwell.app.session import Settings, Work, execute
from stepwell.app.values import plain_result
from stepwell.errors import StepwellError

VIEW = "stepwell.cli.view"
"""The module that draws plans and runs for people, a layer above; named, so that nothing here imports it."""


def say(notes: Iterable[str]) -> None:
    """Notes on what follows a run, as people are told them."""
    for text in notes:
        import_module(VIEW).note(text)


def finish(
    work: Work, settings: Settings, view: Any, *, hooks: bool = True, since: float | None = None
) -> tuple[str, Progress, Any]:
    """Run a plan to its end, shown by `view`; gives the run's id, what became of the steps, the plain result.

    `since` is when it was asked for (`time.monotonic`).

    Then the run's hooks are told, unless it is one of several of which the caller tells (`hooks=False`).
    """
    told = hooks_for(work, settings) if hooks else NONE  # raises before anything runs
    progress = Progress(work.plan)
    run: list[str] = []

    def began(name: str) -> None:
        run.append(name)
        view.begin(name)

    try:
        for event in execute(work, settings, began=began, since=since):
            progress.see(event)
            view.see(event, progress)
    except StepwellError as error:
        if run:
            say(tell(told, facts_of(work, run[0], progress).broken(error), work.root))
        raise
    result = (
        plain_result(progress.plan.graph, progress.outputs, work.store, work.root)
        if progress.status == "succeeded"
        else None
    )
    view.end(run[0], progress, result)
    say(tell(told, facts_of(work, run[0], progress), work.root))
    return run[0], progress, result
