"""One step again: its recorded inputs as values, and the code as it is now, called in this process.

    found = ready(store, Wish("train", run="r3"))      # which call, with which inputs
    with Session(found, store, logged) as session:
        value = session.call()                         # nothing of it is recorded

Which inputs these are, and how they are had: `app.given`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextvars import copy_context
from pathlib import Path
from typing import Any, NamedTuple

from stepwell import log
from stepwell.app.finding import one
from stepwell.app.finished import error_of
from stepwell.app.given import Given, Recorded, Then
from stepwell.app.names import step_named
from stepwell.app.parameters import given as parameters
from stepwell.app.parameters import given_again
from stepwell.app.places import at
from stepwell.app.placing import refuse_here
from stepwell.app.session import prepare
from stepwell.author.params import parse
from stepwell.author.project import Loaded, find, load
from stepwell.author.trace import trace
from stepwell.errors import (
    BadParameter,
    InputUnreadable,
    NoPipelineFile,
    NotRecorded,
    SeveralPipelines,
    SourceMoved,
    StepwellError,
    UnknownParameter,
    UnknownPipeline,
    UnknownStep,
    nearest,
    typed,
)
from stepwell.kernel.graph import DYNAMIC, Constant, Graph
from stepwell.kernel.identity import token
from stepwell.kernel.ports import Failure, Made, Task
from stepwell.stores.blobs import Blobs
from stepwell.stores.history import RunRow
from stepwell.stores.local import LocalStore
from stepwell.stores.runrow import split
from stepwell.stores.steprow import StepRow
from stepwell.worker import failures, judges, secrets
from stepwell.worker.execute import Call, Context
from stepwell.worker.masking import in_this_process
from stepwell.worker.outputs import claimed, keep
from stepwell.worker.services import running

LOOKED_THROUGH = 200
"""Runs, newest first, in which a step is looked for when no run is named."""

Logged = Callable[[str, float, int | None], None]
"""What takes a metric: its name, its value, its place in a series."""


class Wish(NamedTuple):
    """What is to be done again: a step by id or name, and where its inputs come from.

    `run` is "r3", "last", or "" for: a run in which it failed if `failed`, one that has it, the
    present plan. `params` are `name=value` words and mean the present plan with these. `pipeline`
    is as commands take it, `here` the folder to look from. With `outputs`, only executions
    that gave something count. `current` takes sources as they are now, `replaced` are `name=value`
    words for arguments of the step.
    """

    step: str
    run: str = ""
    pipeline: str = ""
    here: Path = Path()
    params: tuple[str, ...] = ()
    failed: bool = False
    outputs: bool = False
    current: bool = False
    replaced: tuple[str, ...] = ()


class Ready(NamedTuple):
    """A step that can be called: the project as it is now, the task with the inputs of then, and what to tell."""

    loaded: Loaded
    task: Task
    then: Then
    notes: tuple[str, ...]


def ready(store: LocalStore, wish: Wish) -> Ready:
    """Find what is wished for.

    Raises `UnknownRun`, `UnknownStep`, `NotRecorded`, `CallGone`, `SourceMoved`, `InputForgotten`,
    `ArtifactGone`, `PlaceRefused`, and what loading and tracing the pipeline raise.
    """
    then = None if wish.params else _recorded(store, wish)
    if then is None:
        loaded, graph, then = _planned(store, wish)
        notes: list[str] = []
    else:
        loaded = pipeline_of(then, wish)
        graph, notes = _traced(loaded, then, store)
    inputs = Given(store, loaded.target.root, graph, then)
    node = inputs.node()
    call = graph.nodes[node]
    refuse_here(graph.steps[call.step])
    given = inputs.of(node)
    with at(loaded.target.root):
        given = _replaced(loaded, graph, node, given, wish.replaced)
        settled = tuple((name, inputs.settled(value, current=wish.current)) for name, value in given)
    if inputs.moved:
        raise _moved(inputs.moved, then)
    task = Task(node, call.id, str(then.wanted.key), graph.steps[call.step], settled, out=call.out)
    return Ready(loaded, task, then, (*notes, *inputs.notes))


# ---------------------------------------------------------------------------- which execution


def _recorded(store: LocalStore, wish: Wish) -> Then | None:
    """The execution that is meant; None where no run is named and the present plan may do, since none has the step.

    Raises `NotRecorded` where what is recorded of the step is not enough, and the present plan cannot be.
    """
    if wish.run:
        row = store.runs.run(one(store, wish.run, "an execution of a step", "stepwell replay STEP"))
        step = store.runs.step(row.run, wish.step)
        if step.key is None or not _counts(step, wish):
            raise _without_inputs(row, step)
        return then_of(store, row, step)
    pipeline = wish.pipeline.rpartition(":")[2] if not wish.pipeline.endswith(".py") else ""
    rows, _ = split(store.runs.runs(LOOKED_THROUGH, pipeline or None))
    failed = [row for row in rows if row.counts.get("failed")] if wish.failed else []
    short: NotRecorded | None = None
    for row, only_failed in [*((row, True) for row in failed), *((row, False) for row in rows)]:
        there = _named(store.runs.steps(row.run), wish.step)
        found = [
            step for step in there if _counts(step, wish) and (step.status == "failed" or not only_failed)
        ]
        if len(found) > 1:
            raise UnknownStep(
                f"{row.run} calls `{wish.step}` {len(found)} times",
                fixes=[typed(step.id) for step in found[:5]],
            )
        if found:
            return then_of(store, row, found[0])
        if there and short is None:
            short = _without_inputs(row, there[0])
    if short is not None and wish.outputs:  # which nothing that is only planned has
        raise short
    return None


def _named(steps: Sequence[StepRow], name: str) -> list[StepRow]:
    """The steps of an id, or of a bare name."""
    return [step for step in steps if step.id == name] or [step for step in steps if step.name == name]


def _counts(step: StepRow, wish: Wish) -> bool:
    """Whether what is recorded of a step is enough: its inputs, and where that is wanted what it gave."""
    gave = bool(step.outputs) and step.status != "failed"  # a judge may have refused what is kept
    return step.key is not None and (gave or not wish.outputs)


def _without_inputs(row: RunRow, step: StepRow) -> NotRecorded:
    if step.key is not None:
        return NotRecorded(
            f"`{step.id}` gave nothing in {row.run}",
            why=f"it is {step.status} there, so there is nothing to compare with",
            fixes=[
                f"stepwell debug {typed(step.id)} {row.run}",
                "name a run in which it succeeded: stepwell runs",
            ],
        )
    return NotRecorded(
        f"`{step.id}` has no recorded inputs in {row.run}",
        why=f"it is {step.status} there: the run did not come to it",
        fixes=[f"stepwell show {row.run}", "name another run: stepwell runs"],
    )


def then_of(store: LocalStore, row: RunRow, wanted: StepRow) -> Then:
    """A step of a run as what inputs come from, with all steps of that run."""
    steps = {step.id: _step(step) for step in store.runs.steps(row.run)}
    return Then(row.run, row.pipeline, row.params, steps[wanted.id], steps)


def _step(row: StepRow) -> Recorded:
    return Recorded(row.id, row.name, row.step, row.status, row.key, row.inputs, row.outputs, row.error)


def _planned(store: LocalStore, wish: Wish) -> tuple[Loaded, Graph, Then]:
    """The present plan as what inputs come from. Raises `NotRecorded` where an input has not been made yet."""
    loaded = load(find(wish.pipeline, wish.here))
    work = prepare(loaded, parameters(loaded, wish.params).values, store)
    graph = work.graph
    nodes = step_named(graph, wish.step)
    if len(nodes) > 1:
        raise UnknownStep(
            f"the pipeline calls `{wish.step}` {len(nodes)} times",
            fixes=[typed(graph.nodes[node].id) for node in nodes[:5]],
        )
    steps = {}
    for decision in work.plan.decisions:
        call = graph.nodes[decision.node]
        held = decision.verb == "cached" and decision.result is not None
        outputs = decision.result.outputs if held and decision.result is not None else ()
        step = graph.steps[call.step]
        steps[call.id] = Recorded(
            call.id, step.name, step.full_name, decision.verb, decision.key, decision.inputs, outputs
        )
    wanted = steps[graph.nodes[nodes[0]].id]
    if wanted.key is None or wish.outputs:
        lacking = "has not run with these parameters" if wish.outputs else "waits for steps that have not run"
        raise NotRecorded(
            f"no run has `{wanted.id}`, and it {lacking}",
            why="its inputs are taken from the record of a run, or from what is up to date",
            fixes=["stepwell run"],
        )
    params = {name: value for name, value, _ in graph.params}
    return loaded, graph, Then("", graph.pipeline, params, wanted, steps)


# ---------------------------------------------------------------------------- the pipeline as it is now


def pipeline_of(then: Then, wish: Wish) -> Loaded:
    """The pipeline of a run as it is now. Raises `UnknownPipeline`, and what importing its file raises."""
    module = then.wanted.step.partition(":")[0]
    words = [wish.pipeline] if wish.pipeline else ["", then.pipeline, f"{module}:{then.pipeline}"]
    for word in words:
        try:
            loaded = load(find(word, wish.here))
        except (NoPipelineFile, SeveralPipelines, UnknownPipeline):
            if wish.pipeline:
                raise
            continue
        if loaded.pipeline.__name__ == then.pipeline:
            return loaded
    raise UnknownPipeline(
        f"{then.run} is a run of `{then.pipeline}`, which was not found",
        why=f"looked in {', '.join(f'`{word}`' if word else 'pipeline.py' for word in words)}",
        fixes=[f"name its file: -p path.py:{then.pipeline}"],
    )


def _traced(loaded: Loaded, then: Then, store: LocalStore) -> tuple[Graph, list[str]]:
    """The pipeline traced with the parameters of a run, and what could not be restored of them.

    Dynamic calls are the steps that they become, as far as that is known now.
    """
    pipeline = loaded.pipeline
    notes: list[str] = []

    def unread(name: str, why: str) -> None:
        if why:  # it is of a type that a record keeps as text; what it led to is compared below
            notes.append(f"parameter `{name}` of {then.run} cannot be read back; its default stands for it")
        else:
            notes.append(f"the pipeline has no parameter `{name}` any more")

    given = given_again(pipeline, then.params, unread)
    with at(loaded.target.root):
        graph = trace(pipeline, given)
    if any(step.kind == DYNAMIC for step in graph.steps):
        graph = prepare(loaded, given, store).graph
    return graph, notes


def _moved(moved: Sequence[str], then: Then) -> SourceMoved:
    return SourceMoved(
        f"what `{then.wanted.id}` read in {then.name} is no longer there: {moved[0]}",
        why="; ".join(moved[1:]) or "the step would be given something else than it was given then",
        fixes=["put the old content back", "--current takes sources as they are now"],
    )


def _replaced(
    loaded: Loaded, graph: Graph, node: int, given: list[tuple[str, object]], words: Sequence[str]
) -> list[tuple[str, object]]:
    """Inputs with `name=value` words in place of some. Raises `UnknownParameter`, `BadParameter`."""
    if not words:
        return given
    step = graph.step_of(node)
    hints = getattr(Call(step, loaded.importer, loaded.target.root).function, "__annotations__", {})
    out = dict(given)
    for word in words:
        name, _, text = word.partition("=")
        if name not in out:
            hint = nearest(name, out)
            fixes = [f"did you mean `{hint}`?"] if hint else []
            raise UnknownParameter(
                f"`{step.name}` is given no argument `{name}`",
                fixes=[*fixes, f"its arguments are: {', '.join(out) or 'none'}"],
            )
        old = out[name]
        kind = type(old.payload) if isinstance(old, Constant) and old.payload is not None else None
        wanted = hints.get(name)
        try:
            value = parse(text, kind if wanted is None or isinstance(wanted, str) else wanted)
            out[name] = Constant(value, token(value))
        except ValueError as error:
            raise BadParameter(f"`{word}` cannot be given to `{step.name}`", why=str(error)) from None
    return list(out.items())


# ---------------------------------------------------------------------------- calling


class Session:
    """The process made ready as a worker's: root as working folder, code and values loaded, random streams seeded.

    `logged` takes what the step records with `log.metric`. Leaving puts the process back.
    """

    def __init__(self, found: Ready, store: LocalStore, logged: Logged) -> None:
        self.found = found
        self._store, self._logged = store, logged
        self._home = ""
        self._context: Context | None = None

    def __enter__(self) -> Session:
        loaded = self.found.loaded
        self._home = os.getcwd()
        self._context = Context(
            loaded.target.root,
            self._store.blobs,
            loaded.importer,
            lambda _: None,
            KeyboardInterrupt,
            then="this process keeps that",
        )
        return self

    def __exit__(self, *_: object) -> None:
        context, self._context = self._context, None
        if context is not None:
            context.inputs.forget()
            context.state.restore()
            context.close()
        os.chdir(self._home)

    @property
    def context(self) -> Context:
        """What the task is executed with."""
        if self._context is None:
            raise RuntimeError("a session is used in a `with` block")
        return self._context

    def load(self) -> Call:
        """The step's code. Raises `StepNotLoaded`."""
        step, importer = self.found.task.step, self.found.loaded.importer
        try:
            return self.context.call_of(step)
        except Exception as error:  # importing runs the user's code
            root = self.found.loaded.target.root
            told = failures.not_loaded(step.name, step.module, error, root, importer.is_first_party)
            raise error_of(told) from error

    def values(self) -> dict[str, Any]:
        """The inputs, made anew. Raises `ArtifactGone`, `CodecError`, `InputChanged`, `InputUnreadable`."""
        out: dict[str, Any] = {}
        for name, source in self.found.task.inputs:
            try:
                out[name] = self.context.inputs.value(source)
            except StepwellError:
                raise
            except Exception as error:  # a reader or a codec is a library, and may raise anything
                raise InputUnreadable(
                    f"input `{name}` of `{self.found.task.id}` could not be read: {failures.say(error)}",
                    why="it is there, but it is not what its reader expects",
                ) from error
        secrets.prepare(out)
        return out

    def call(self, through: Callable[[Callable[..., Any], Callable[[], Any]], Any] | None = None) -> Any:
        """Call the step; gives what it returns, and raises what it raises.

        `through(function, call)` may carry the call out in its own way (in a debugger): it is given
        the step's function, and what calls it with its arguments.
        """
        call, values = self.load(), self.values()
        told = log.Told(lambda name, value, place: self._logged(secrets.masked(name), value, place))
        before = log.record_with(told)
        self.context.state.seed(self.found.task.key)
        task = self.found.task
        try:
            masked = in_this_process(whole=through is None)
            with masked, running(task.step.services) as services:
                log.enter(log.CurrentStep(task.id, task.key, self.found.then.run, services=services))
                if through is None:
                    return copy_context().run(call, values)
                return copy_context().run(through, call.function, lambda: call(values))
        finally:
            log.enter(log.OUTSIDE)
            log.record_with(before)

    def keep(self, value: Any, blobs: Blobs) -> tuple[Made, ...]:
        """What the step returned as artifacts in `blobs`, judged as in a run. Raises `StepError`, `CodecError`."""
        task = self.found.task
        self.context.inputs.held_are_unchanged()
        parts = self.load().declared.split(value)
        wrong = claimed(task.step.name, task.out, value, self.context.root) if task.out else None
        if wrong is not None:
            raise wrong
        if clause := secrets.returned(value, ()):
            raise failures.secret_returned(task.step.name, clause)
        return keep(parts, blobs)

    def refused(self, value: Any) -> Failure | None:
        """What the step's own judges (`validate=`) say against what it returned, if anything."""
        return judges.refused(self.found.task, value, self.found.loaded.importer)

    def failure(self, error: BaseException) -> Failure:
        """What a run would tell of an error that the step raised."""
        loaded = self.found.loaded
        return failures.of_step(self.found.task, error, loaded.target.root, loaded.importer.is_first_party)
