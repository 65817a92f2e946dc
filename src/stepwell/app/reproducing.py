"""`reproduce`: a release, commit or run made once more elsewhere, and every output compared with what it was.

    evidence, kept = reproduced(subject, asked, around)

The files go to a stage (`app.elsewhere`) with the inputs that the lock names (`app.provisions`), the environment is made of
its `pylock.toml`, each pipeline runs in a process without network, and what comes out is compared there; then the wheel of a
release is made again (`app.remade`). `dist.verdicts` has the rules.
"""

from __future__ import annotations

import math
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from msgspec import structs

from stepwell.app.elsewhere import Interpreter, Stage, interpreter, lend, rebuilt, stage
from stepwell.app.provisions import Around, needed, provide, without
from stepwell.app.rebuilt import Answer, Model, Order
from stepwell.app.remade import remade
from stepwell.app.retold import error_of
from stepwell.app.subject import Subject
from stepwell.dist.gates import metrics_of, parse
from stepwell.dist.lock import Lock, Pipeline
from stepwell.dist.lockfile import write
from stepwell.dist.pins import lock_of_project
from stepwell.dist.verdicts import NOT_HERE, Compared, Evidence, Package, first_of, settled, verdict, worst
from stepwell.errors import CannotReproduce, NotLocked, UnknownStep, counted, nearest

SMALL = 1e-3
"""Differences of numbers below this, in data that were the same, come from the order of sums: threads, processors, libraries of them."""


class Asked(NamedTuple):
    """How it is to be made again: another `tolerance` than is declared (None: as declared), only what these `steps` need, quietly, keeping the stage."""

    tolerance: float | None = None
    steps: tuple[str, ...] = ()
    quiet: bool = True
    keep: bool = False


class Reproduced(NamedTuple):
    """What came of it, and the stage's folder where that was kept."""

    evidence: Evidence
    folder: Path | None


def reproduced(
    subject: Subject, asked: Asked, around: Around, say: Callable[[str], None] = lambda text: None
) -> Reproduced:
    """Make something again and compare. `say` is told what is being done.

    Raises `CannotReproduce`, `InputGone`, `InputErased`, `NotInstallable`, `PythonMissing`, `RebuildDied`, and what a
    pipeline's file raises where it cannot be loaded.
    """
    lock = subject.lock
    meant = list(_meant(subject, asked.steps))
    with stage(keep=asked.keep) as place:
        subject.put(place.project)
        names = sorted({name for one in meant for name in one.data})
        provide(lock, names, place, around)
        _write_lock(subject, without(lock, names, place) if asked.steps else lock, place)
        how = interpreter(lock.environment, subject.pylock, around.root)
        lend(place, how, lock.environment.python.rpartition(" ")[2])
        answers: dict[str, Answer] = {}
        for one in meant:
            say(f"{one.pipeline}: {counted(len(one.steps), 'step')}, {_told(how)}")
            _shelve(subject, one, place)
            answers[one.pipeline] = _rebuilt(place, how, _order(subject, one, asked, place))
        package = None
        if subject.opened is not None and not asked.steps:
            say("the wheel, from what is in it")
            package = remade(subject.opened, subject.put, place, how, answers, around.root)
        evidence = _evidence(subject, meant, answers, asked, how, package)
    return Reproduced(evidence, place.folder if asked.keep else None)


def _rebuilt(place: Stage, how: Interpreter, order: Order) -> Answer:
    """What comes of an order. Environments that steps have of their own are fetched first, where there are some. Raises what it is refused with."""
    answer = rebuilt(place, how, order)
    if answer.lacks:
        _raise_if_refused(rebuilt(place, how, structs.replace(order, fetches=True)))
        answer = rebuilt(place, how, order)
    _raise_if_refused(answer)
    return answer


def _write_lock(subject: Subject, lock: Lock, place: Stage) -> None:
    """Put the lock where a frozen run looks for it."""
    target = next(iter(subject.targets.values()), "")
    file = place.project / target.rpartition(":")[0]
    write(lock_of_project(place.project, file if file.is_file() else None), lock)


def _told(how: Interpreter) -> str:
    return (
        "in the locked environment"
        if how.locked
        else "with the libraries that are installed here: no environment is locked"
    )


# --------------------------------------------------------------------------- what is meant


class _Meant(NamedTuple):
    """A pipeline, those of its steps that are compared, the data that they read, and the steps that were named."""

    pipeline: str
    steps: tuple[str, ...]
    data: tuple[str, ...]
    until: tuple[str, ...]


def _meant(subject: Subject, named: Sequence[str]) -> Iterator[_Meant]:
    """The pipelines that are run again. Raises `CannotReproduce`, `UnknownStep`."""
    lock = subject.lock
    there = {step for one in lock.pipeline.values() for step in one.step}
    known = there | {step.partition("[")[0] for step in there} | {step.rpartition("/")[2] for step in there}
    unknown = [name for name in named if name not in known]
    if unknown:
        hint = nearest(unknown[0], known)
        raise UnknownStep(
            f"the lock of {subject.project} {subject.version} has no step `{unknown[0]}`",
            fixes=[f"did you mean `{hint}`?"] if hint else [f"there is: {', '.join(sorted(there)[:6])}"],
        )
    if not there:
        raise CannotReproduce(
            f"the lock of {subject.project} {subject.version} has no steps", why="so there is nothing to compare with",
            fixes=["stepwell run --lock"],
        )  # fmt: skip
    for name, one in lock.pipeline.items():
        until = tuple(step for step in one.step if _is_named(step, named))
        if named and not until:
            continue
        if name not in subject.targets:
            raise CannotReproduce(
                f"it is not said which file has the pipeline `{name}`", fixes=[f"name it: -p path.py:{name}"]
            )
        steps, data = needed(lock, name, until)
        yield _Meant(name, tuple(steps), tuple(data), until if named else ())


def _is_named(step: str, named: Sequence[str]) -> bool:
    return step in named or step.partition("[")[0] in named or step.rpartition("/")[2] in named


def _order(subject: Subject, one: _Meant, asked: Asked, place: Stage) -> Order:
    pipeline: Pipeline = subject.lock.pipeline[one.pipeline]
    leaves = {
        f"{out.step}.{out.part or 'result'}": name
        for name, out in subject.lock.output.items()
        if out.pipeline == one.pipeline
    }
    return Order(
        root=str(place.project),
        store=str(place.store),
        then=str(place.then.folder),
        pipeline=one.pipeline,
        target=subject.targets[one.pipeline],
        params=dict(pipeline.params),
        steps={name: pipeline.step[name].output for name in one.steps},
        inputs={name: subject.lock.data[name].bytes for name in one.data},
        tolerance=subject.tolerance if asked.tolerance is None else asked.tolerance,
        until=one.until,
        leaves=leaves,
        models={
            place_of: Model(golden=subject.golden[name], leaving=subject.lock.output[name])
            for place_of, name in leaves.items()
            if name in subject.golden
        },
        quiet=asked.quiet,
        locks=subject.opened is not None and not asked.steps,
        leaving={name: out for name, out in subject.lock.output.items() if out.pipeline == one.pipeline},
    )


def _shelve(subject: Subject, one: _Meant, place: Stage) -> None:
    """Put what is known of what came out then where the process finds it. What nobody has is compared by its digests alone."""
    steps = subject.lock.pipeline[one.pipeline].step
    wanted: dict[str, int] = {
        out.bytes: out.size for name in one.steps for out in steps[name].output.values()
    }
    for name, golden in subject.golden.items():
        if subject.lock.output[name].pipeline == one.pipeline:
            wanted |= dict.fromkeys((golden.on, golden.predictions), 0)
    for leaving in subject.lock.output.values():
        wanted |= dict.fromkeys(leaving.parts, 0)
    for digest, size in wanted.items():
        data = subject.blob(digest, size)
        if data is not None:
            with tempfile.NamedTemporaryFile(dir=place.folder) as file, place.then.sink() as sink:
                file.write(data)
                file.flush()
                sink.take(Path(file.name))
                sink.finish()


def _raise_if_refused(answer: Answer) -> None:
    """Raises what the other process was refused with."""
    if answer.error is None:
        return
    error = error_of(answer.error)
    if isinstance(error, NotLocked):  # a lock that is made now is not the one that this was made of
        error.fixes = (
            "stepwell run --lock, and release that: what a lock does not have cannot be made again",
        )
    raise error


# --------------------------------------------------------------------------- what came of it


def _evidence(
    subject: Subject,
    meant: Sequence[_Meant],
    answers: Mapping[str, Answer],
    asked: Asked,
    how: Interpreter,
    package: Package | None,
) -> Evidence:
    lock = subject.lock
    uses = {
        (name, step): [use.removeprefix("step.") for use in one.uses if use.startswith("step.")]
        for name, pipeline in lock.pipeline.items()
        for step, one in pipeline.step.items()
    }
    outputs = [one for answer in answers.values() for one in answer.compared]
    # Steps that were named are not all that gates rest on.
    moved = [] if asked.steps else list(_gated(subject, answers, outputs))
    compared = settled([*outputs, *moved], uses)
    whole = verdict(compared)
    grade = whole.grade if package is None else worst([whole.grade, package.grade])
    last = list(answers.values())[-1]
    closed = next((answer.network for answer in answers.values() if answer.network != "closed"), "closed")
    names = sorted({name for one in meant for name in one.data})
    return Evidence(
        kind=subject.kind,
        project=subject.project,
        version=subject.version,
        wheel_sha256=subject.wheel,
        lock=subject.lock_sha256,
        grade=grade,
        first=whole.first,
        tolerance=subject.tolerance if asked.tolerance is None else asked.tolerance,
        network=closed,
        environment={**last.environment, "locked": how.locked or "no"},
        inputs={name: lock.data[name].bytes for name in names},
        steps=compared,
        hints=tuple(_hints(lock, answers, compared, how)) if whole.grade != "A" else (),
        package=package,
    )


def _hints(
    lock: Lock, answers: Mapping[str, Answer], compared: Sequence[Compared], how: Interpreter
) -> Iterator[str]:
    """What may be to blame, the likeliest first."""
    first = first_of(compared)
    lacking = dict.fromkeys(one.how for one in compared if one.how.startswith(NOT_HERE))
    yield from [how.removeprefix(NOT_HERE) for how in lacking]
    then = lock.environment
    here = {name: text for answer in answers.values() for name, text in answer.environment.items()}
    direct = {name: text for answer in answers.values() for name, text in answer.direct.items()}
    for name, now in (("python", here.get("python", "")), ("platform", here.get("platform", ""))):
        before = getattr(then, name)
        if before and now and before != now:
            yield f"{name}: {before} then, {now} here"
    other = [
        f"{name} {text} then, {direct[name]} here"
        for name, text in then.direct.items()
        if direct.get(name, text) != text
    ]
    yield from other[:8]
    if other and not how.locked:
        yield "no environment is locked: it was made with the libraries that are installed here"
    if first is None:
        return
    moved = [
        name
        for one in lock.pipeline.values()
        for name, step in one.step.items()
        if _has_other_code(name, step.code, answers)
    ]
    if first.step in moved:
        yield f"the code of `{first.step}` is identified differently here: another version of Stepwell or of Python"
    if first.largest is not None and 0 < first.largest < SMALL:
        yield f"the differences are small: sums in another order (threads: OMP_NUM_THREADS {_threads()} here, another processor)"
    if first.is_made:
        yield f"stepwell reproduce --vary {first.step}   says which circumstance the step depends on"
    yield from _moved_metrics(lock, answers)


def _has_other_code(name: str, code: str, answers: Mapping[str, Answer]) -> bool:
    return any(code and answer.code.get(name, code) != code for answer in answers.values())


def _gated(
    subject: Subject, answers: Mapping[str, Answer], outputs: Sequence[Compared]
) -> Iterator[Compared]:
    """Metrics that gates rest on, where they are not what the lock says: nothing that leaves would show it."""
    near = 1e-12 if all(one.grade in ("A", "B") for one in outputs) else SMALL
    for output, texts in subject.gates.items():
        leaving = subject.lock.output.get(output)
        if leaving is None or leaving.pipeline not in answers:
            continue
        pipeline, now = subject.lock.pipeline[leaving.pipeline], answers[leaving.pipeline].metrics
        again = structs.replace(pipeline, metrics=now)
        then = metrics_of(subject.lock, output)
        after = metrics_of(structs.replace(subject.lock, pipeline={leaving.pipeline: again}), output)
        asked = {one.name for text in texts for one in parse(text).metrics}
        for name in sorted(asked.intersection(then)):
            value = after.get(name)
            if value is None or not math.isclose(value, then[name], rel_tol=near, abs_tol=near):
                how = (
                    f"is {value:g}, and {then[name]:g} in the lock" if value is not None else "is not logged"
                )
                yield Compared(
                    pipeline=leaving.pipeline, step=leaving.step, part=f"metric {name}", grade="F", how=how
                )


def _threads() -> str:
    return os.environ.get("OMP_NUM_THREADS") or f"unset, {os.cpu_count()} processors"


def _moved_metrics(lock: Lock, answers: Mapping[str, Answer]) -> Iterator[str]:
    """Metrics that came out differently."""
    for name, answer in answers.items():
        for metric, value in lock.pipeline[name].metrics.items():
            now = answer.metrics.get(metric)
            if now is not None and now != value and not (now != now and value != value):
                yield f"metric {metric}: {value:.6g} then, {now:.6g} here"
