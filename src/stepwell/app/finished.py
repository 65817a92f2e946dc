"""A run that has ended, as Python programs see it."""

from __future__ import annotations

from functools import partial
from typing import Any

from stepwell.app.artifacts import artifact_named
from stepwell.app.documents import run_document
from stepwell.app.places import stored
from stepwell.app.progress import Progress
from stepwell.app.session import Work
from stepwell.app.values import returned
from stepwell.author.notebook import own_classes, own_constants
from stepwell.author.project import Loaded
from stepwell.author.runs import Run, StepView
from stepwell.errors import StepError, StepwellError
from stepwell.kernel.ports import Failure


def finished_run(loaded: Loaded, work: Work, run: str, progress: Progress, result: Any) -> Run[Any]:
    """A run that has ended, as Python programs see it."""
    graph, digests = progress.plan.graph, [pin.digest for pin in progress.plan.known.pins]
    steps = {}
    for node, outcome in progress.outcomes.items():
        call = graph.nodes[node]
        steps[call.id] = StepView(
            call.id,
            graph.steps[call.step].name,
            outcome.decision.verb,
            outcome.status,
            tuple(reason.text for reason in outcome.decision.reasons),
            outcome.decision.key,
            outcome.seconds,
            {artifact.name: artifact.digest for artifact in outcome.outputs},
            dict(outcome.metrics),
        )

    def load() -> Any:
        looking = stored(loaded.target.root, looking=True)
        with loaded.importer.present(), looking as store:
            mine = graph._replace(result=own_constants(loaded.module, graph.result))
            with own_classes(loaded.module):
                return returned(mine, progress.outputs, digests, store, loaded.target.root)

    failures = [outcome.failure for _, outcome in progress.ended("failed") if outcome.failure is not None]
    document = run_document(progress, run, result, work.origins)
    error = error_of(failures[0]) if failures else None

    def html() -> str:
        from stepwell.app.displays import run_html  # only notebooks draw this

        root = loaded.target.root
        try:
            with stored(root, looking=True) as store:
                return run_html(document, store, root)
        except StepwellError:  # the store was removed or cannot be read any more: the run itself is known
            return run_html(document, None, root)

    return Run(
        run, progress.status, progress.seconds, steps, progress.metrics, document, load, error, html,
        partial(artifact_named, loaded, progress, run),
    )  # fmt: skip


def error_of(failure: Failure) -> StepwellError:
    """The error that a step's failure describes; the user's traceback is its note."""
    error = StepError(failure.what, why=failure.why, fixes=failure.fixes)
    error.code = failure.code
    if failure.traceback:
        error.add_note(failure.traceback)
    return error
