"""The other process of `app.elsewhere`: a pipeline is run in a staged folder, and what it gives compared with what it gave.

    order.json      what is to be run, and what came out of it before (`Order`)
    answer.json     what came of it (`Answer`); written last

It runs with the interpreter and the libraries of the lock, so that it is here that values are decoded: the process
that asks may not have what they need. The network is closed before anything of the project is imported.
"""

from __future__ import annotations

import contextlib
import platform
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct, structs

from stepwell.app.closeness import EQUAL, close
from stepwell.app.differing import Kept, is_model, kept, value_of
from stepwell.app.driving import VIEW
from stepwell.codecs.content.digest import digest_of
from stepwell.dist.lock import Leaving, Output
from stepwell.dist.lockfile import read, text_of
from stepwell.dist.releases.document import Golden
from stepwell.dist.releases.follows import Reading, readings_of
from stepwell.dist.verdicts import NOT_HERE, Compared, Grade
from stepwell.errors import (
    ArtifactGone,
    CannotResolve,
    InputGone,
    MissingLibrary,
    MissingSecret,
    NoKeyring,
    NoSuchProject,
    SecretGone,
    StepwellError,
)
from stepwell.kernel.graph import Graph
from stepwell.kernel.ports import Artifact
from stepwell.stores.blobs import Blobs
from stepwell.stores.local import LocalStore
from stepwell.stores.steprow import StepRow
from stepwell.worker import namespaces
from stepwell.worker.places import RESOLVED, place
from stepwell.worker.places.environments import Environment, is_made, made

ORDER, ANSWER = "order.json", "answer.json"


class Model(Struct, frozen=True, kw_only=True):
    """How a model is compared: by what it predicts on the table of `golden`. `leaving` has its signature."""

    golden: Golden
    leaving: Leaving


class Order(Struct, frozen=True, kw_only=True):
    """A pipeline to be run again. All folders are absolute.

    `target` is as commands take it, `params` are as the lock has them, `steps` what each step gave by output. `then` is a
    folder of blobs that holds what is known of these. `inputs` are the digests that sources must have, by name. `until`
    are the steps that are meant ("" all). `models` by step and output, `leaving` are the outputs by name.
    """

    root: str
    store: str
    then: str
    pipeline: str
    target: str
    params: dict[str, Any]
    steps: dict[str, dict[str, Output]]
    inputs: dict[str, str]
    tolerance: float
    until: tuple[str, ...] = ()
    leaves: dict[str, str] = {}
    models: dict[str, Model] = {}
    leaving: dict[str, Leaving] = {}
    quiet: bool = True
    locks: bool = False
    """Whether the lock is to be made again, too."""
    fetches: bool = False
    """Plan only, with the network open, and make the environments that steps have of their own."""


class Answer(Struct, frozen=True, kw_only=True):
    """What came of an order: whether the network was closed (or why not), where it ran, each output compared, or an error."""

    network: str = ""
    environment: dict[str, str] = {}
    direct: dict[str, str] = {}
    code: dict[str, str] = {}
    metrics: dict[str, float] = {}
    compared: tuple[Compared, ...] = ()
    lock: str = ""
    """The text of the lock that would be written now; "" where not every step has a result, or none was asked for."""
    unlocked: str = ""
    """Why there is no such lock."""
    readings: dict[str, Reading] = {}
    """What the codecs of outputs need to be read with."""
    error: dict[str, Any] | None = None
    lacks: bool = False
    """Whether environments that steps have of their own must be fetched first."""


def main(folder: str) -> None:
    """Carry out the order in a folder, and write the answer there."""
    here = Path(folder)
    order = msgspec.json.decode((here / ORDER).read_bytes(), type=Order)
    network = "open" if order.fetches else namespaces.close_network() or "closed"  # while there is one thread
    try:
        answer = _carried_out(order, network)
    except StepwellError as error:
        lacks = isinstance(error, CannotResolve | NoSuchProject) and not order.fetches
        answer = Answer(network=network, environment=_here(), error=error.as_dict(), lacks=lacks)
    beside = here / f".{ANSWER}"
    beside.write_bytes(msgspec.json.encode(answer))
    beside.rename(here / ANSWER)


def _here() -> dict[str, str]:
    return {
        "python": f"{sys.implementation.name} {sys.version_info.major}.{sys.version_info.minor}",
        "platform": f"{platform.system().lower()} {platform.machine().lower()}",
    }


def _carried_out(order: Order, network: str) -> Answer:
    from stepwell.app.checks import Selection
    from stepwell.app.driving import finish
    from stepwell.app.places import stored
    from stepwell.app.selecting import Choice
    from stepwell.app.session import Settings, prepare
    from stepwell.author.project import find, load

    root = Path(order.root)
    loaded = load(find(order.target, root))
    checks = Selection("names" if order.until else "")  # what is not needed may not be there to be looked at
    settings = Settings(keep_going=True, frozen=True, checks=checks, selection=Choice(until=order.until))
    with stored(root) as store:
        work = prepare(loaded, _params(loaded.pipeline, order.params), store, settings)
        _refuse_others(
            order, {s.name: p.digest for s, p in zip(work.graph.sources, work.pinned, strict=True)}
        )
        lacking = [one for one in _environments(work.graph) if not is_made(one)]
        if order.fetches:
            for one in lacking:
                made(one, str(root))
            store.commit(now=True)
        if order.fetches or lacking:
            return Answer(network=network, lacks=bool(lacking) and not order.fetches)
        with _shown(work.plan, quiet=order.quiet) as view:
            run, _, _ = finish(work, settings, view, hooks=False)
        rows = store.runs.steps(run)
        compared = tuple(_compared(order, store, rows))
        text, why = _locked(order, loaded, store, settings) if order.locks else ("", "")
        return Answer(
            network=network,
            environment=_here(),
            direct={name: one.partition(" ")[0] for name, one in work.identified.direct.items()},
            code={row.id: row.result.code for row in rows if row.result is not None},
            metrics={f"{row.id}.{name}": value for row in rows for name, value in row.metrics.items()},
            compared=compared,
            lock=text,
            unlocked=why,
            readings=readings_of({one.codec for one in order.leaving.values()}) if order.locks else {},
        )


def _locked(order: Order, loaded: Any, store: LocalStore, settings: Any) -> tuple[str, str]:
    """The text of the lock as it would be written now over the one that is there; or "" and why it would not be."""
    from stepwell.app.locking import lock_of, manifest_for, merged, path_of
    from stepwell.app.session import prepare

    try:
        work = prepare(loaded, _params(loaded.pipeline, order.params), store, settings)
        before = read(path_of(work))
        return text_of(merged(before, lock_of(work), manifest_for(work))), ""
    except StepwellError as error:
        return "", error.what


def _environments(graph: Graph) -> Iterator[Environment]:
    """The environments that steps have of their own."""
    for step in graph.steps:
        resolved = place(step.place).get(RESOLVED, {})
        if "environment" in resolved:
            yield Environment(**resolved["environment"])


def _params(pipeline: Any, said: Mapping[str, Any]) -> dict[str, object]:
    """Parameters as a lock or a record has them, as values. Raises `BadParameter`, `UnknownParameter`."""
    from stepwell.app.parameters import given_again
    from stepwell.author.params import known
    from stepwell.errors import BadParameter

    def unread(name: str, why: str) -> None:
        known(pipeline, name)
        raise BadParameter(
            f"parameter `{name}` cannot be given again as it was", why=why,
            fixes=["give it a type that can be written: numbers, text, lists, tables"],
        )  # fmt: skip

    return given_again(pipeline, said, unread)


def _refuse_others(order: Order, found: Mapping[str, str]) -> None:
    """Raises `InputGone` where a source holds something else than it held."""
    other = [name for name, digest in order.inputs.items() if name in found and found[name] != digest]
    if other:
        name = other[0]
        raise InputGone(
            f"input `{name}` is not what it was: {found[name][:15]}… in place of {order.inputs[name][:15]}…",
            why="what comes out of other data says nothing about what came out of these",
            fixes=[
                "put the old content back",
                f"stepwell freeze {name}   keeps data that change, from then on",
            ],
        )


@contextlib.contextmanager
def _shown(plan: Any, *, quiet: bool) -> Iterator[Any]:
    if quiet:
        yield _Quiet()
        return
    with import_module(VIEW).view(plan) as view:
        yield view


class _Quiet:
    """Shows nothing of a run."""

    def begin(self, name: str) -> None:
        """Nothing."""

    def see(self, event: Any, progress: Any) -> None:
        """Nothing."""

    def end(self, run: str, progress: Any, result: Any) -> None:
        """Nothing."""


# --------------------------------------------------------------------------- comparing


def _compared(order: Order, store: LocalStore, rows: Sequence[StepRow]) -> Iterator[Compared]:
    """Every output of then beside that of now, in the order in which steps run."""
    known = {row.id: row for row in sorted(rows, key=lambda row: row.node)}
    for name in [
        *[one for one in known if one in order.steps],
        *[one for one in order.steps if one not in known],
    ]:
        yield from _step(order, store, name, known.get(name))


def _step(order: Order, store: LocalStore, name: str, row: StepRow | None) -> Iterator[Compared]:
    now = {one.name: one for one in row.outputs} if row is not None else {}
    for part, then in order.steps[name].items():
        found = partial(
            Compared, pipeline=order.pipeline, step=name, part=part, then=then.bytes,
            leaves=order.leaves.get(f"{name}.{part}", ""),
        )  # fmt: skip
        if row is None:
            yield found(grade="F", how="the pipeline has no such step")
        elif row.status not in ("succeeded", "cached"):
            grade, how = _unmade(row)
            yield found(grade=grade, how=how)
        elif part not in now:
            yield found(grade="F", how="the step gives no such output")
        else:
            place = f"{name}.{part}"
            grade, how, largest = _output(order, store, place, then, now[part])
            yield found(grade=grade, how=how, now=now[part].digest, largest=largest)
            if grade in ("A", "B") and place in order.models:
                yield from _golden(order, store, place, now[part], found(part=f"{part} golden", grade="?"))


def _golden(
    order: Order, store: LocalStore, place: str, model: Artifact, about: Compared
) -> Iterator[Compared]:
    """What a model that is the same says of golden data, where that is not what the release says that it said."""
    try:
        grade, how, largest = _predictions(order, place, value_of(kept(store, model)))
    except StepwellError as error:
        yield structs.replace(about, how=f"golden predictions cannot be compared: {error.what}"[:300])
        return
    if grade == "F":
        yield structs.replace(about, grade=grade, how=how, largest=largest)


_SECRETS = {error.code for error in (SecretGone, MissingSecret, NoKeyring)}


def _unmade(row: StepRow) -> tuple[Grade, str]:
    if row.error is not None and row.status == "failed":
        if row.error.code in _SECRETS:  # which says nothing of what it would have given
            return "?", f"{NOT_HERE}{row.error.what}"[:300]
        return "F", f"it failed: {row.error.what}"[:300]
    return "?", f"it was not made: {row.status or 'the run did not come to it'}"


def _output(
    order: Order, store: LocalStore, place: str, then: Output, now: Artifact
) -> tuple[Grade, str, float | None]:
    """The grade of an output, what was found, and the largest difference of two numbers."""
    if then.bytes == now.digest and then.codec == now.codec:
        return "A", "the same bytes", None
    fresh, lost = value_of(kept(store, now)), ""
    try:
        old = _then(order, then)
    except (ArtifactGone, MissingLibrary) as error:
        old, lost = None, error.what
    before = then.content or ("" if lost else content(old))
    if before and before == content(fresh):
        return "B", "the same content, in other bytes", None
    try:
        if is_model(fresh) or place in order.models:
            return _predictions(order, place, fresh)
        if lost:
            return _unknown(order, before)
        found = close(old, fresh, order.tolerance)
    except StepwellError as error:
        return "?", f"it cannot be compared: {error.what}"[:300], None
    except Exception as error:  # methods of the user's classes are called, and libraries  # noqa: BLE001
        return "?", f"the values cannot be compared ({type(error).__name__}: {error})"[:300], None
    if found == EQUAL:
        return "B", "equal values, in other bytes", None
    return ("C" if found.within else "F"), found.told, found.largest


def _unknown(order: Order, before: str) -> tuple[Grade, str, float | None]:
    if before and not order.tolerance:
        return "F", "the content is something else", None
    what = "the content is something else" if before else "the bytes are others"
    return "?", f"{what}, and what it was is not here to compare with", None


def _then(order: Order, then: Output) -> Any:
    blobs = Blobs(Path(order.then), readonly=True)
    return value_of(Kept(Artifact("", then.codec, then.bytes, then.size), blobs, None))


def content(value: Any) -> str:
    """The canonical digest of a table or array; "" where there is none."""
    try:
        return digest_of(value) or ""
    except MissingLibrary:
        return ""


def _predictions(order: Order, place: str, model: Any) -> tuple[Grade, str, float | None]:
    """How far a model's predictions on golden data are from those of then."""
    how = order.models.get(place)
    if how is None:
        what = "the model is something else, and there are no golden data to compare its predictions on"
        return "?", what, None
    from stepwell.dist.installed.predicting import predict

    golden = how.golden
    table, wanted = (
        _then(order, Output(codec=golden.codec, size=0, bytes=one)) for one in (golden.on, golden.predictions)
    )
    found = close(wanted, predict(model, how.leaving, table), max(golden.tolerance, order.tolerance))
    return ("C" if found.within else "F"), f"predictions on golden data: {found.told}", found.largest
