"""What `pipeline.plan()` and `pipeline.run()` do, resolved by name through `plugins.registry.runner`."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from time import monotonic
from typing import Any

from stepwell.app.documents import Shown
from stepwell.app.finished import VIEW, finished_run, say
from stepwell.app.hooks import NONE, facts_of, hooks_for, tell
from stepwell.app.places import stored
from stepwell.app.progress import Progress
from stepwell.app.session import Settings, Work, execute, prepare
from stepwell.app.values import plain_result
from stepwell.author.layers import Origin, called
from stepwell.author.live import live
from stepwell.author.notebook import handed
from stepwell.author.params import from_call
from stepwell.author.pipelines import Pipeline
from stepwell.author.project import Loaded
from stepwell.author.runs import PlanView, Run
from stepwell.errors import StepwellError


def plan_pipeline(
    pipeline: Pipeline[Any, Any], args: tuple[object, ...], kwargs: Mapping[str, object]
) -> PlanView:
    """What `pipeline.plan(...)` gives."""
    with live(pipeline) as loaded:
        params, origins = _called(loaded, args, kwargs)
        with stored(loaded.target.root, looking=True) as store:
            work = prepare(loaded, params, store)
            shown = Shown(
                work.plan,
                text_of=work.text_of,
                failures=work.last_failures(),
                learnt=work.learnt(),
                origins=origins,
            )
            shown.whole["notes"].extend(work.notes)
            text = import_module(VIEW).plan_text(shown)
            return PlanView(work.plan, shown.document, lambda: text)


def plan_html(document: Mapping[str, Any]) -> str:
    """A plan as notebooks show it."""
    from stepwell.app.displays import plan_html as shown  # only notebooks draw this

    return shown(document)


def run_pipeline(
    pipeline: Pipeline[Any, Any], args: tuple[object, ...], kwargs: Mapping[str, object]
) -> Run[Any]:
    """What `pipeline.run(...)` gives; shows the run as the command does."""
    since, options = monotonic(), pipeline.run_options
    settings = Settings(
        jobs=options.get("jobs", 0),
        keep_going=options.get("keep_going", False),
        in_process=options.get("in_process", False),
        force=("*",) if options.get("force") else (),
    )
    with live(pipeline, again=settings.in_process) as loaded:
        params, origins = _called(loaded, args, kwargs)
        with stored(loaded.target.root) as store:
            work = prepare(loaded, params, store, settings)._replace(origins=origins)
            shown = import_module(VIEW).view(
                work.plan, plain=settings.in_process, work=work, jobs=settings.jobs
            )
            with shown as view:
                finished = finish(work, settings, view, since=since)
        return finished_run(loaded, work, *finished)


def sweep_pipeline(pipeline: Pipeline[Any, Any], *asked: Any) -> Any:
    """What `pipeline.sweep(...)` gives; shows the runs as the command does."""
    from stepwell.app.sweeps import sweep_pipeline as swept  # other runs do without

    return swept(pipeline, *asked)


def _called(
    loaded: Loaded, args: tuple[object, ...], kwargs: Mapping[str, object]
) -> tuple[dict[str, object], dict[str, Origin]]:
    """The parameters of a call, and where they came from: a call from Python says all of them itself."""
    args, kwargs = handed(loaded.module, args, kwargs)
    params = from_call(loaded.pipeline, args, kwargs)
    return params, called(params, {*list(loaded.pipeline.signature.parameters)[: len(args)], *kwargs})


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


def wired(project: Any, order: Mapping[str, Any], root: Path) -> dict[str, Any]:
    """How a pipeline of a release is wired, for `use("churn==1.4.0")`. Raises as `app.wired`."""
    from stepwell.app.wired import wired as found  # few pipelines are of releases

    return found(project, order, root)
