"""What `pipeline.plan()` and `pipeline.run()` do, resolved by name through `plugins.registry.runner`."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from stepwell.app.documents import Progress, plan_document, run_document
from stepwell.app.places import stored
from stepwell.app.session import Settings, Work, execute, prepare
from stepwell.app.values import plain_result, returned
from stepwell.author.live import live
from stepwell.author.notebook import handed, own_classes, own_constants
from stepwell.author.params import from_call
from stepwell.author.pipelines import Pipeline
from stepwell.author.project import Loaded
from stepwell.author.runs import PlanView, Run, StepView
from stepwell.errors import StepError, StepwellError
from stepwell.kernel.ports import Failure

VIEW = "stepwell.cli.view"
"""The module that draws plans and runs for people, a layer above; named, so that nothing here imports it."""


def plan_pipeline(
    pipeline: Pipeline[Any, Any], args: tuple[object, ...], kwargs: Mapping[str, object]
) -> PlanView:
    """What `pipeline.plan(...)` gives."""
    with live(pipeline) as loaded:
        params = from_call(loaded.pipeline, *handed(loaded.module, args, kwargs))
        with stored(loaded.target.root, looking=True) as store:
            work = prepare(loaded, params, store)
            document = plan_document(work.plan, text_of=work.text_of, failures=work.last_failures())
            document["notes"].extend(work.notes)
            text = import_module(VIEW).plan_text(work.plan, document)
            return PlanView(work.plan, lambda: document, lambda: text)


def run_pipeline(
    pipeline: Pipeline[Any, Any], args: tuple[object, ...], kwargs: Mapping[str, object]
) -> Run[Any]:
    """What `pipeline.run(...)` gives; shows the run as the command does."""
    options = pipeline.run_options
    settings = Settings(
        jobs=options.get("jobs", 0),
        keep_going=options.get("keep_going", False),
        in_process=options.get("in_process", False),
        force=("*",) if options.get("force") else (),
    )
    with live(pipeline, again=settings.in_process) as loaded:
        params = from_call(loaded.pipeline, *handed(loaded.module, args, kwargs))
        with stored(loaded.target.root) as store:
            work = prepare(loaded, params, store, settings)
            with import_module(VIEW).view(work.plan, plain=settings.in_process) as view:
                finished = finish(work, settings, view)
        return finished_run(loaded, work, *finished)


def finish(work: Work, settings: Settings, view: Any) -> tuple[str, Progress, Any]:
    """Run a plan to its end, shown by `view`; gives the run's id, what became of the steps, the plain result."""
    progress = Progress(work.plan)
    run: list[str] = []

    def began(name: str) -> None:
        run.append(name)
        view.begin(name)

    for event in execute(work, settings, began=began):
        progress.see(event)
        view.see(event, progress)
    result = (
        plain_result(work.graph, progress.outputs, work.store, work.root)
        if progress.status == "succeeded"
        else None
    )
    view.end(run[0], progress, result)
    return run[0], progress, result


def finished_run(loaded: Loaded, work: Work, run: str, progress: Progress, result: Any) -> Run[Any]:
    """A run that has ended, as Python programs see it."""
    graph, digests = work.graph, [pin.digest for pin in work.plan.known.pins]
    steps = {}
    for node, outcome in sorted(progress.outcomes.items()):
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

    failures = [outcome.failure for outcome in progress.outcomes.values() if outcome.failure is not None]
    document = run_document(progress, run, result)
    error = error_of(failures[0]) if failures else None
    return Run(run, progress.status, progress.seconds, steps, progress.metrics, document, load, error)


def error_of(failure: Failure) -> StepwellError:
    """The error that a step's failure describes; the user's traceback is its note."""
    error = StepError(failure.what, why=failure.why, fixes=failure.fixes)
    error.code = failure.code
    if failure.traceback:
        error.add_note(failure.traceback)
    return error
