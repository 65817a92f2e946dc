"""One task, from its inputs to its stored outputs: `execute(task, context) -> Done`.

Whatever goes wrong comes back as `Done` with a failure. The order is: load the code, make the
values, call, check that sources were left alone, judge what was returned, encode it, put the
process back as it was.
"""

from __future__ import annotations

import inspect
import io
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from contextvars import copy_context
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

from stepwell import log
from stepwell.codecs import choose
from stepwell.errors import InputChanged, InputUnreadable, ServiceFailed, StepwellError
from stepwell.kernel.graph import StepDef
from stepwell.kernel.ports import Artifact, Done, Failure, Made, Task
from stepwell.plugins.registry import registry
from stepwell.stores.blobs import Blobs, digest_of
from stepwell.worker import failures, judges, secrets
from stepwell.worker.bysteps import BySteps
from stepwell.worker.failures import secret_returned
from stepwell.worker.inputs import SHORT, Inputs
from stepwell.worker.kinds import is_made, spec_of
from stepwell.worker.meter import Meter
from stepwell.worker.modules import FirstParty
from stepwell.worker.observe import Observed, is_zoned
from stepwell.worker.outputs import Declared, claimed, keep, published
from stepwell.worker.patches import LONG, Core
from stepwell.worker.places import runs_command_in_image
from stepwell.worker.reckons import ATOMS, Proof, proof_of
from stepwell.worker.recording import Recording, Report
from stepwell.worker.seen import NOTHING
from stepwell.worker.state import Restorer
from stepwell.worker.watch import Watch
from stepwell.worker.world import World

if TYPE_CHECKING:
    from stepwell.worker.promises import Promises
    from stepwell.worker.roles import Playing


class Context:
    """What tasks of one process share: the project, the store, the code that is loaded, and the process's state.

    `spoiled` is set when a step changed the process in a way that cannot be undone; `then` says what that
    leads to. An exception of the class `stops` means that the task is to be given up; all others are
    the step's own. `lent` are environment variables that this process has and the driver has not. `alone`
    are steps ("module:qualname") whose code changes something of a library, with the names of that:
    after one of them the process is spoiled. `covered` are, by step, the source files that its fingerprint
    is taken of; steps that are not in it are not asked what else of the project they execute. `pinned` is that
    of `Inputs`. `contracts` are those of the manifest (`promises`). `live`: somebody hears what `report` is told
    while a step runs.
    """

    def __init__(
        self,
        root: Path,
        blobs: Blobs,
        importer: FirstParty,
        report: Report,
        stops: type[BaseException] | tuple[type[BaseException], ...],
        then: str,
        lent: Mapping[str, str] | None = None,
        alone: Mapping[str, tuple[str, ...]] | None = None,
        covered: Mapping[str, Sequence[str]] | None = None,
        pinned: Mapping[str, bytes] | None = None,
        contracts: Mapping[str, Mapping[str, str] | str] | None = None,
        live: bool = False,
    ) -> None:
        self.root = root
        self.blobs = blobs
        self.importer = importer
        self.report = report
        """What takes what steps record."""
        self.recording = Recording(report, lambda parts: self.keep(parts, self.blobs), live=live)
        self.stops = stops
        self.then = then
        self.inputs = Inputs(root, blobs, pinned)
        self.meter = Meter()
        self.state = Restorer(root)
        self.core = Core()
        self.alone = alone or {}
        self.contracts = contracts or {}
        self.patched: list[str] = []
        """What the step of the current task was found to have changed of Python's own libraries."""
        self.watch = Watch(importer.is_first_party)
        self.spoiled = False
        self.seen = NOTHING
        """What the step of the current task was seen to read and to write."""
        self.covered = covered or {}
        self.playing: Playing | None = None
        """What judges the current task, of a step with a role."""
        self.keep = keep
        """What encodes the outputs of a step."""
        self.silent = False
        """Whether the current task surely printed nothing: then its end need not be marked in the streams."""
        self._live = live
        self.peak = 0
        """Bytes that the process of a step with a place of its own (`worker.places`) had at its peak; 0 of others."""
        self.modules = 0
        """How many first-party modules there were when it was called."""
        importer.observer.settle(blobs.folder, lent)
        self._calls = BySteps[Call]()
        for module in importer.modules.values():
            self.watch.meet(module)
        importer.on_load = self.watch.meet

    def close(self) -> None:
        """Let go of the process."""
        self.importer.on_load = None
        self.state.close()

    def call_of(self, step: StepDef) -> Call:
        """The loaded code of a step. Raises whatever importing its module raises."""
        call = self._calls.get(step)
        if call is None:
            call = self._calls.of(step, lambda step: Call(step, self.importer, self.root))
            call.changes = self.changes_libraries(step)
            call.promises = _promises(call, self)
            files = self.covered.get(f"{step.module}:{step.qualname}")
            if files is not None:
                root = self.importer.observer.root
                call.covered = frozenset([os.path.join(root, file) for file in files])
                snapshot = self.importer.snapshot
                call.zoned = is_zoned(snapshot[file] for file in call.covered if file in snapshot)
            call.proof = call.proven() if self._live else None
            # What modules do when they are imported is meant to stay.
            self.state.settle()
            self.watch.settle()
            self.core.settle()
            self.recording.settle()
        return call

    def proven(self, task: Task) -> Call | None:
        """The loaded code of a task's step, where it surely only reckons (`reckons`) and nobody has to look at what it gives."""
        call = self._calls.get(task.step)
        if call is None or call.proof is None:
            return None
        free = not (task.out or secrets.forms or self.importer.moved) and self.keep is keep
        return call if free and call.proof.holds() else None

    def finished(self, step: StepDef) -> tuple[str, ...]:
        """Let a step that is no Python function remove what it worked in; notes of it for people."""
        call = self._calls.get(step)
        finish = getattr(call.function, "finish", None) if call is not None else None
        return tuple(f"step `{step.name}`: {note}" for note in finish()) if finish is not None else ()

    def changes_libraries(self, step: StepDef) -> tuple[str, ...]:
        """What the code of a step changes of libraries, as far as that was seen before it ran."""
        return self.alone.get(f"{step.module}:{step.qualname}", ()) if self.alone else ()


class Call:
    """The code of one step, ready to be called; steps run in the folder `root`."""

    def __init__(self, step: StepDef, importer: FirstParty, root: Path) -> None:
        self.step = step
        self.is_made = is_made(step)
        self.changes: tuple[str, ...] = ()
        """What it changes of libraries (`Context.changes_libraries`)."""
        self.covered: frozenset[str] | None = None
        """The source files that its fingerprint is taken of; None where that is not known."""
        self.promises: Promises | None = None
        """What its arguments and outputs must keep."""
        self.zoned = False
        """Whether one of them may reckon with local time."""
        self.proof: Proof | None = None
        """That it only reckons (`reckons`), where that was shown and nothing else is to be done around it."""
        function: Any
        if runs_command_in_image(step):
            from stepwell.worker.places.boxes import Command  # most steps are executed here

            function = Command(step, root)
        elif is_made(step):
            function = registry.kind(step.kind).call(spec_of(step.spec), root)
        else:
            found: Any = importer.load(step.module)
            for part in step.qualname.split("."):
                found = getattr(found, part)
            function = getattr(found, "function", found)
        self.function: Callable[..., Any] = function
        self.declared = Declared(step, function)
        self.scalars = self.declared.scalars()
        self._run: Callable[[Any], Any] | None = None
        if inspect.iscoroutinefunction(function):
            import asyncio  # 20 ms, and few steps are asynchronous

            self._run = asyncio.run
        try:
            parameters = inspect.signature(function).parameters.values()
        except (TypeError, ValueError):
            parameters = ()
        by_name = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
        self._has_places = not parameters or any(p.kind not in by_name for p in parameters)
        """Whether there may be arguments that are not handed over by name alone."""
        self._positional = [p.name for p in parameters if p.kind is p.POSITIONAL_ONLY]
        self._before_stars = [p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]

    def proven(self) -> Proof | None:
        """The proof that it only reckons, looked for where it gives one number and asks for nothing around its call."""
        step = self.step
        asks = step.place or step.services or step.role or step.validate or step.done
        judged = self.is_made or self.changes or self.promises is not None or self.zoned
        if asks or judged or self._has_places or self._run is not None or not self.scalars:
            return None
        return proof_of(self.function)

    def __call__(self, values: dict[str, Any]) -> Any:
        """Call the function with its arguments by name; `*rest` and `**options` come under these names."""
        args: list[Any] = []
        if self._has_places:
            args, values = self._arguments(values)
        if self._run is not None:
            return self._run(self.function(*args, **values))
        return self.function(*args, **values)

    def _arguments(self, values: dict[str, Any]) -> tuple[list[Any], dict[str, Any]]:
        rest = dict(values)
        args = [rest.pop(name) for name in self._positional if name in rest]
        for name in [name for name in rest if name.startswith("*") and not name.startswith("**")]:
            args += [rest.pop(before) for before in self._before_stars if before in rest]
            args += rest.pop(name)
        for name in [name for name in rest if name.startswith("**")]:
            rest.update(rest.pop(name))
        return args, rest


def execute(task: Task, context: Context) -> Done:
    """Carry one task out. Raises nothing but what `context.stops`."""
    call = context.proven(task)
    if call is not None and (done := _reckoned(task, call, context)) is not None:
        context.silent = True
        return done
    context.silent = False
    outputs: tuple[Made, ...] = ()
    failed: Failure | None = None
    context.seen, context.patched, context.peak = NOTHING, [], 0
    context.recording.begin(task.node)
    before = log.record_with(context.recording)
    context.meter.start()
    try:
        outputs, failed = copy_context().run(_attempt, task, context)
    finally:
        cost = context.meter.stop()
        log.record_with(before)
        log.enter(log.OUTSIDE)
        context.inputs.forget()
        notes = context.recording.end()
        notes += context.finished(task.step) if is_made(task.step) else ()
        notes += _tidy(task.step, context)
        if context.playing is not None:
            notes += context.playing.notes
            context.playing = None
    seen = context.seen
    if seen is NOTHING and failed is None and not notes:
        return Done(task.node, outputs, None, cost.seconds, cost.cpu, context.peak or cost.memory)
    observed = seen.observed if failed is None else ()
    cost_of = (cost.seconds, cost.cpu, context.peak or cost.memory)
    notes, wrote = (*notes, *seen.notes), seen.wrote
    if secrets.forms:
        failed = None if failed is None else secrets.masked_failure(failed)
        notes, wrote = tuple(map(secrets.masked, notes)), tuple(map(secrets.masked, wrote))
        observed = secrets.masked_pairs(observed)
    return Done(task.node, outputs, failed, *cost_of, notes, observed, wrote)


def _reckoned(task: Task, call: Call, context: Context) -> Done | None:
    """Carry out a task whose step only reckons: nothing is observed, recorded, seeded or put back, since there is nothing.

    None where something turns up that is more than atoms: the task is then carried out as others are, which does no harm.
    """
    context.meter.start()
    made: tuple[Made, ...] = ()
    failed: Failure | None = None
    try:
        values = _atoms(task, context)
        if values is None:
            return None
        value = call.function(**values)
    except context.stops:
        raise
    except BaseException as error:  # whatever a step raises is its failure  # noqa: BLE001
        failed = _raised(task, error, context)
    else:
        made = _scalar(task.step, value, context) if type(value) in call.scalars else ()
        if not made:
            call.proof = None  # it gives something else, perhaps after long reckoning: not twice again
            return None
    finally:
        context.inputs.forget()
    return Done(task.node, made, failed, *context.meter.stop())


def _atoms(task: Task, context: Context) -> dict[str, Any] | None:
    """The arguments of a task, where all are atoms; what cannot be read is told by those who carry it out as others are."""
    try:
        values = {name: context.inputs.value(source) for name, source in task.inputs}
    except context.stops:
        raise
    except BaseException:  # decoding runs libraries  # noqa: BLE001
        return None
    return values if ATOMS.issuperset(map(type, values.values())) else None


def _attempt(task: Task, context: Context) -> tuple[tuple[Made, ...], Failure | None]:
    if not task.step.services:
        return _executed(task, context, {})
    from stepwell.worker import services  # few steps need one

    try:
        with services.running(task.step.services) as reached:
            if not task.step.place:
                return _executed(task, context, reached)
            with services.exported(reached):
                return _executed(task, context, reached)
    except (StepwellError, OSError) as error:
        return (), _raised(task, error, context)


def _executed(
    task: Task, context: Context, services: Mapping[str, log.RunningService]
) -> tuple[tuple[Made, ...], Failure | None]:
    step, root, is_own = task.step, context.root, context.importer.is_first_party
    if step.place and not runs_command_in_image(step):
        from stepwell.worker.places import launch  # most steps are executed here

        return _safely(launch.attempt, task, context)
    try:
        call = context.call_of(step)
    except context.stops:
        raise
    except BaseException as error:  # importing runs the user's code  # noqa: BLE001
        return (), failures.not_loaded(step.name, step.module, error, root, is_own)
    if context.importer.moved:
        return (), _moved(step.name, context)
    log.enter(log.CurrentStep(task.id, task.key, task.run, task.attempt, services))
    values, failed = _values(task, context, call.promises)
    if failed is not None:
        return (), failed
    context.state.seed(task.key)
    try:
        value = _observed(call, values, task.step, context)
    except context.stops:
        raise
    except BaseException as error:  # whatever a step raises is its failure, `sys.exit` too  # noqa: BLE001
        return (), _raised(task, error, context)
    del values
    if context.importer.moved:
        return (), _moved(step.name, context)
    try:
        context.inputs.held_are_unchanged()
        if type(value) in call.scalars and not task.out and (made := _scalar(step, value, context)):
            return made, _judged(task, value, context)
        value = _published(task, value, root)
        parts = call.declared.split(value)
        if task.out and (wrong := claimed(step.name, task.out, value, root)) is not None:
            raise wrong
        made = _kept(task, call, value, parts, context)
        return made, _judged(task, value, context)
    except StepwellError as error:
        return (), _named(step.name, error)
    except context.stops:
        raise
    except BaseException as error:  # encoding runs libraries, and methods of the user's classes  # noqa: BLE001
        return (), failures.of_step(task, error, root, is_own)


def _promises(call: Call, context: Context) -> Promises | None:
    """The contracts of a step, found when it is first called."""
    scope = getattr(call.function, "__globals__", {})
    known = context.contracts or "pandera" in sys.modules or "pydantic" in sys.modules
    if call.is_made or not (
        known
        or any("__dataclass_fields__" in value.__dict__ for value in scope.values() if type(value) is type)
    ):
        return None
    from stepwell.worker.promises import promises_of  # few steps have any

    return promises_of(call.function, call.declared.types, context.contracts, context.importer)


def _raised(task: Task, error: BaseException, context: Context) -> Failure:
    """The failure of a step that raised. What a kind of step, or a service, says of itself is told as it is."""
    if isinstance(error, StepwellError) and (is_made(task.step) or isinstance(error, ServiceFailed)):
        return _named(task.step.name, error)
    return failures.of_step(task, error, context.root, context.importer.is_first_party)


def _published(task: Task, value: Any, root: Path) -> Any:
    """What a step gave; a command that claims a file knows nothing of that, and gets a copy put there."""
    return published(value, root / task.out) if task.out and is_made(task.step) else value


ATTEMPT = _attempt.__code__
"""Whose frame is on the stack while what the user wrote is called: who interrupts a task does it only then."""


def _observed(call: Call, values: dict[str, Any], step: StepDef, context: Context) -> Any:
    """Call the step, and see what it reads and writes: nothing else of a task counts.

    What it replaced of Python's own libraries is put back at once: what follows needs them. A step that is
    no Python function is not looked at: what it does happens elsewhere, and what is done for it here is ours;
    it says itself what it has read.
    """
    if call.is_made:
        value = call(values)
        reads = getattr(call.function, "reads", None)
        if reads is not None:
            world = World(context.root, context.importer.observer.memory)
            context.seen = Observed(tuple((what, world.token(what)) for what in reads()))
        return value
    observer = context.importer.observer
    context.modules = len(context.importer.modules)
    returned, since = False, monotonic()
    observer.begin(*context.inputs.held(), covered=call.covered, zoned=call.zoned)
    try:
        value = call(values)
        if context.playing is not None:
            context.playing.called(call, values)
        returned = True
    finally:
        long = monotonic() - since > LONG
        context.patched = context.core.restore(whole=long or call.changes != ())
        context.seen = observer.end(tokens=returned)
    return value


def _moved(step: str, context: Context) -> Failure:
    """The failure of a step whose modules are not what the run was planned with; another process may still be in time."""
    context.spoiled = True
    what = context.importer.moved.removeprefix("file ").partition("\x1f")[0]
    error = InputChanged(
        f"step `{step}`: `{what}` changed since the run was planned",
        why="a module of the project reads it when it is imported, so the step would run with something else",
        fixes=["run again"],
    )
    return failures.failure(error)


def _safely(
    attempt: Callable[[Task, Context], tuple[tuple[Made, ...], Failure | None]], task: Task, context: Context
) -> tuple[tuple[Made, ...], Failure | None]:
    """An attempt in another process: what it prints is masked here, and a secret in what it gave refused."""
    try:
        secrets.prepare([given for _, given in task.inputs])
        made, failed = attempt(task, context)
        if failed is None and (clause := secrets.returned(None, made)):
            raise secret_returned(task.step.name, clause)
    except StepwellError as error:
        return (), _named(task.step.name, error)
    return made, failed


def _kept(
    task: Task, call: Call, value: object, parts: list[tuple[str, str, Any]], context: Context
) -> tuple[Made, ...]:
    """The outputs, encoded. Raises as `outputs.keep` does, `SecretReturned` and `ContractBroken`, before anything is kept."""
    step = task.step.name
    if call.promises is not None:
        call.promises.refuse_gave(task, parts)
    if clause := secrets.returned(value, ()):
        raise secret_returned(step, clause)
    made = context.keep(parts, context.blobs)
    if clause := secrets.returned(None, made):
        raise secret_returned(step, clause)
    return made


def _scalar(step: StepDef, value: float | None, context: Context) -> tuple[Made, ...]:
    """The output of a step that gave a number, as it declares; nothing where more has to be looked at than that."""
    if secrets.forms or context.keep is not keep:
        return ()
    sink = io.BytesIO()
    codec, note = choose.dump(value, "json", sink)  # type: ignore[arg-type]  # a number is only written
    data = sink.getvalue()
    if len(data) > SHORT:
        return ()
    context.inputs.know(data, value)
    return (Made(Artifact(step.outputs[0].name, codec, digest_of(data), len(data), (), note), data),)


def _judged(task: Task, value: Any, context: Context) -> Failure | None:
    """What the step's role and its own judges say of what it gave, if that speaks against it."""
    step, importer = task.step, context.importer
    failed = None if context.playing is None else context.playing.judge(value)
    failed = failed or (judges.refused(task, value, importer) if step.validate else None)
    if failed is None and step.done:
        values, failed = _values(task, context)  # anew: the step may have changed those that it got
        failed = failed or judges.not_done(step, values, importer)
        context.inputs.forget()
    return failed


def _values(
    task: Task, context: Context, promises: Promises | None = None
) -> tuple[dict[str, Any], Failure | None]:
    values: dict[str, Any] = {}
    for name, source in task.inputs:
        try:
            values[name] = context.inputs.value(source)
        except StepwellError as error:
            return {}, _named(f"{task.step.name}({name}=...)", error)
        except Exception as error:  # a reader or a codec is a library, and may raise anything  # noqa: BLE001
            unreadable = InputUnreadable(
                f"step `{task.step.name}` could not read its input `{name}`: {failures.say(error)}",
                why="the input is there, but it is not what its reader expects",
            )
            return {}, failures.failure(unreadable, failures.user_traceback(error, lambda _: True))
    try:
        if promises is not None:
            promises.refuse_given(task, values)
        secrets.prepare(values)
        if task.step.role and context.playing is None:
            from stepwell.worker import roles  # few steps have one

            context.playing = roles.begin(task, values)
    except StepwellError as error:
        return {}, _named(task.step.name, error)
    return values, None


def _named(step: str, error: StepwellError) -> Failure:
    """The failure of an error of ours, with the step's name where its text does not say it."""
    told = failures.failure(error)
    return told if "step `" in told.what else told._replace(what=f"step `{step}`: {told.what}")


def _tidy(step: StepDef, context: Context) -> tuple[str, ...]:
    """Put the process back; what a person should know of it."""
    if context.importer.anew or context.importer.observer.strays:
        context.importer.forget_since(context.modules)
    notes: list[str] = []
    context.watch.empty_caches()
    changed = context.watch.changed()
    if changed:
        names = ", ".join(f"`{name}`" for name in changed[:5])
        notes.append(f"step `{step.name}` changed {names}, which other steps would see; {context.then}")
    notes += [f"step `{step.name}` {clause}; {context.then}" for clause in context.state.restore()]
    if context.patched or context.alone:
        patched = sorted({*context.changes_libraries(step), *context.patched})
    else:
        patched = []
    if patched:
        names = ", ".join(f"`{name}`" for name in patched[:5])
        notes.append(f"step `{step.name}` changes {names} of a library; {context.then}")
    if not notes:
        return ()
    context.spoiled = True
    context.watch.settle()
    context.state.settle()
    return tuple(notes)
