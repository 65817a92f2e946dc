"""What `pipeline.plan()` and `pipeline.run()` do, resolved by name through `plugins.registry.runner`."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from time import monotonic
from typing import Any

from stepwell.app.documents import Shown
from stepwell.app.driving import VIEW, finish
from stepwell.app.finished import finished_run
from stepwell.app.places import stored
from stepwell.app.session import Settings, prepare
from stepwell.author.layers import Origin, called
from stepwell.author.live import live
from stepwell.author.notebook import handed
from stepwell.author.params import from_call
from stepwell.author.pipelines import Pipeline
from stepwell.author.project import Loaded
from stepwell.author.runs import PlanView, Run


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


def wired(project: Any, order: Mapping[str, Any], root: Path) -> dict[str, Any]:
    """How a pipeline of a release is wired, for `use("churn==1.4.0")`. Raises as `app.wired`."""
    from stepwell.app.wired import wired as found  # few pipelines are of releases

    return found(project, order, root)
