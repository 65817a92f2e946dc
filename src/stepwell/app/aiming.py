"""A word that names no pipeline of its own: an endpoint, or a section that needs what others give.

`stepwell run experiment` and `stepwell run training` then mean the default pipeline of the file, as far as
that endpoint or section needs it. What is up to date is taken from the store, what is missing is made.
"""

from __future__ import annotations

from stepwell.app.session import Work
from stepwell.author.project import Aim, Loaded, Target, load
from stepwell.errors import (
    MissingParameter,
    NothingSelected,
    SeveralProblems,
    StepwellError,
    UnknownPipeline,
    typed,
)


def load_inside(target: Target) -> Loaded:
    """The pipeline of a target; where no pipeline has its name, the default one with that name to be looked for in it.

    Raises what `project.load` raises.
    """
    try:
        return load(target)
    except UnknownPipeline as error:
        if not target.pipeline:
            raise
        return _default(target, Aim(target.pipeline, error))


def around(found: Loaded, error: StepwellError) -> Loaded | None:
    """The default pipeline in place of one of its sections, where this one lacks but values that others give.

    `error` is what is wrong with the section's parameters; None where that is more, or no other pipeline is there.
    """
    problems = error.problems if isinstance(error, SeveralProblems) else (error,)
    if not found.target.pipeline or not all(isinstance(one, MissingParameter) for one in problems):
        return None
    name = found.pipeline.label or found.pipeline.__name__
    try:
        default = _default(found.target, Aim(name, error))
    except StepwellError:
        return None
    return default if default.pipeline is not found.pipeline else None


def _default(target: Target, aim: Aim) -> Loaded:
    try:
        return load(target._replace(pipeline=""))._replace(aim=aim)
    except StepwellError:
        raise aim.error from None


def missed(found: Loaded, error: NothingSelected) -> StepwellError:
    """The error of a selection that means nothing; of the word that named the pipeline the one that it first gave."""
    if found.aim is None or error.name != found.aim.name:
        return error
    first = found.aim.error
    if error.step:
        what = "a step" if error.step == error.name else f"a file that the step `{error.step}` writes"
        first.why = f"`{error.name}` is {what} in `{found.pipeline.__name__}`, and no pipeline"
        file = found.target.word.rpartition(":")[0]
        words = [*([typed(file)] if file else []), "--until", typed(error.step)]
        first.fixes = (f"stepwell run {' '.join(words)}", first.fixes[-1])
        return first
    hints = [fix for fix in error.fixes if fix.startswith("did you mean") and fix not in first.fixes]
    inside = f"`{found.pipeline.__name__}` has no section and no endpoint of that name"
    first.why = "; ".join(filter(None, (first.why, inside)))
    first.fixes = (*hints, *first.fixes)
    return first


def narrowed(work: Work) -> Work:
    """A plan whose result is that of the endpoint that it is about, where it is about one."""
    aim, graph = work.loaded.aim, work.plan.graph
    for name, binding in graph.endpoints:
        if aim is not None and name == aim.name:
            return work._replace(plan=work.plan._replace(graph=graph._replace(result=binding)))
    return work
