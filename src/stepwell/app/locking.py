"""The lock of a plan in which everything is up to date; and whether a lock says what is there now.

work = prepare(...)
now = lock_of(work)              # raises NotUpToDate where a step would run
merged(before, now)              # what is written: other pipelines stay as they were locked
refuse_if_stale(lock, work)      # `run --locked`: before anything runs
"""

from __future__ import annotations

import platform
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any, NamedTuple, cast

from msgspec import structs

from stepwell.app.datafacts import Facts, others, readings
from stepwell.app.fleeting import Hindrance, fleeting, hindrances
from stepwell.app.leaving import content_of_artifact, leaving
from stepwell.app.plaindata import plain
from stepwell.app.session import Work
from stepwell.author.manifest import Manifest, manifest_of
from stepwell.author.written import written_of
from stepwell.codecs.lookup import by_name
from stepwell.dist.lock import (
    Data,
    Difference,
    Environment,
    Lock,
    Output,
    Pipeline,
    Step,
    data_of,
    differences,
)
from stepwell.dist.lockfile import lock_path, read
from stepwell.dist.pins import frozen_data
from stepwell.dist.pylock import differences_of, digest_of_pylock, lacking, pylock_of, pylock_path, said_by
from stepwell.dist.tables import ARROW
from stepwell.errors import LockStale, NotUpToDate, PylockNotMade, counted, typed
from stepwell.kernel.graph import DYNAMIC, Constant, FromSource, FromStep, Graph, Node, leaves
from stepwell.kernel.identity import digest
from stepwell.kernel.plan import Decision
from stepwell.sources.address import name_of, parse
from stepwell.sources.memo import Memo
from stepwell.sources.read import reader_for
from stepwell.stores.durable import replace

_ELSEWHERE = re.compile(r" \((files|git) ").search
"""Whether a version is of a distribution that came from no index (`author.fingerprint.installed`)."""

LONGEST = 80
"""Characters of an argument that is written out."""

_PYLOCK = "environment.pylock"

TOLD = 12
"""Differences that an error names."""

_GOOD = ("cached", "skip")


def path_of(work: Work) -> Path:
    """Where the lock of a pipeline is: the project's, or that of a single file which says itself what it needs."""
    file = work.loaded.target.file
    own = written_of(work.root, file)
    return lock_path(work.root, file if own is not None and own.kind == "script" else None)


def locked_of(work: Work) -> Lock:
    """What is locked of a pipeline's project. Raises `LockMissing`, `BadLock`, which say how this pipeline is locked."""
    return read(path_of(work), work.loaded.target.command("lock"))


NOTHING = Manifest()


class Stated(NamedTuple):
    """What a lock is to say of a plan in which everything is up to date, and what is to be said to the person.

    `absent` is that of outputs that this pipeline does not make, by name, in case that no other does.
    """

    lock: Lock
    notes: tuple[str, ...] = ()
    absent: Mapping[str, str] = {}


class Pylock(NamedTuple):
    """The `pylock.toml` that is to be beside a lock, not written yet."""

    path: Path
    data: bytes

    @property
    def digest(self) -> str:
        """What the lock says of it."""
        return f"sha256:{sha256(self.data).hexdigest()}"

    def write(self) -> None:
        """Write it, whole or not at all. Raises `PylockNotMade`."""
        try:
            replace(self.path, self.data)
        except OSError as error:
            raise PylockNotMade(
                f"`{self.path.name}` cannot be written: {error.strerror or error}",
                fixes=["make room, or let the folder be written to, and lock again"],
            ) from None


def new_pylock(work: Work, *, asked: bool = False) -> Pylock | None:
    """The `pylock.toml` that is to stand beside the lock; None where the one that is there is right, or none is wanted.

    It is made where it is `asked` for, and where the project has a `uv.lock`, which needs no network; one that is there is
    made anew when what is installed has become something else. Raises `PylockNotMade`, `BadLock`.
    """
    own = written_of(work.root, work.loaded.target.file)
    file = own.file if own is not None and own.kind == "script" else None
    path = pylock_path(path_of(work))
    there = path.read_bytes() if path.is_file() else None
    locked = said_by(work.root, file).locked
    if not asked and not locked and there is None:
        return None
    needed = sorted(_needed(work))
    if not asked and not locked and there is not None and _fits(there, needed):
        return None
    data = pylock_of(work.root, file, needed)
    return Pylock(path, data) if data != there else None


def _needed(work: Work) -> set[str]:
    """The distributions that the pipeline needs, as far as they are of an index.

    What first-party code imports, what its sources are read with, what it is told with what is in them where they are
    tables, and what its outputs are stored with: skops for an estimator, which no code of the user's imports.
    """
    direct = work.identified.direct
    found = {name for name, version in direct.items() if not _ELSEWHERE(version)}
    for source in work.graph.sources:
        reader = reader_for(source.uri, source.type, dict(source.options))
        needs = getattr(reader, "needs", None)
        found |= set(needs(name_of(parse(source.uri)).lower()) if needs else ())
    facts, _ = _facts(work, manifest_for(work))
    if any(map(facts.token, facts.readings)):
        found.add(ARROW)
    codecs = {one.codec for decision in _facts_in(work) if decision.result for one in decision.result.outputs}
    modules = {module for codec in codecs for module in getattr(by_name(codec), "needs", ())}
    owners = packages_distributions() if modules else {}
    return found | {owner for module in modules for owner in owners.get(module, ())}


def _fits(data: bytes, needed: Sequence[str]) -> bool:
    """Whether a `pylock.toml` is of what is installed and has what is needed."""
    return not differences_of(data) and not lacking(data, needed)


def _versions(work: Work) -> dict[str, str]:
    """The distributions that first-party code imports, with their versions."""
    return {name: version.partition(" ")[0] for name, version in work.identified.direct.items()}


def lock_of(work: Work) -> Lock:
    """The facts of a plan. Raises what `stated` raises."""
    return stated(work).lock


def stated(work: Work, pylock: Pylock | None = None) -> Stated:
    """The facts of a plan, with what is in its data and what leaves it; `pylock` is to be written together with them.

    Raises `NotUpToDate` where a step would run, `DataNotAsSaid` and `OutputNotMade` where the manifest says otherwise.
    """
    refuse_unready(work)
    manifest = manifest_for(work)
    facts, notes = _facts(work, manifest)
    left = leaving(work, facts, manifest)
    environment = _environment(work)
    found = Lock(
        environment=structs.replace(environment, pylock=pylock.digest) if pylock else environment,
        data={name: facts.whole(name) for name in facts.readings},
        pipeline={work.graph.pipeline: _pipeline(work)},
        output=left.outputs,
    )
    work.store.commit(now=True)  # what was looked at is remembered
    return Stated(found, notes, left.absent)


def refuse_unready(work: Work) -> None:
    """Raises `NotUpToDate` where a step would run whose result a lock says; what no run would change is named."""
    todo = _todo(work)
    if todo:
        no_run = _hindrances(work, todo)
        what = f"{len(todo)} of {counted(len(work.plan.decisions), 'step')} would run: {_named(work, todo)}"
        if no_run:
            raise _never(work, what, no_run)
        raise NotUpToDate(
            what,
            why="a lock says what came out of the data and code that are there now, and nobody has run that",
            fixes=[work.loaded.target.command(words) for words in ("run --lock", "plan")],
        )


def refuse_unlockable(work: Work) -> None:
    """Raises `NotUpToDate` where no run could make everything up to date, as far as the plan says that before one."""
    steps = [(node, work.graph.step_of(node)) for node in _todo(work)]
    every_time = [node for node, step in steps if not step.cache and not step.done]
    if every_time:
        what = f"no lock could be written after this run: {_named(work, every_time)} would run again"
        raise _never(work, what, _hindrances(work, every_time))


def _todo(work: Work) -> list[int]:
    """The nodes that would run and whose results a lock would say."""
    return [
        one.node
        for one in _facts_in(work)
        if one.verb not in _GOOD or (one.verb == "cached" and one.result is None)
    ]


def _facts_in(work: Work) -> Iterator[Decision]:
    """The decisions of steps whose results are facts: not of those that run every time and on which nothing rests."""
    aside = fleeting(work, manifest_for(work)).passing
    return (one for one in work.plan.decisions if one.node not in aside)


def _hindrances(work: Work, nodes: Sequence[int]) -> list[Hindrance]:
    return list(hindrances(work, nodes, fleeting(work, manifest_for(work)).needed))


def _never(work: Work, what: str, no_run: Sequence[Hindrance]) -> NotUpToDate:
    """The error that steps are never up to date, with what can be done about those that are named."""
    fixes = [one.fix for one in no_run[:3]]
    return NotUpToDate(
        what, why="; ".join(one.why for one in no_run[:3]), fixes=[*fixes, work.loaded.target.command("plan")]
    )


def _named(work: Work, nodes: Sequence[int]) -> str:
    more = f" and {len(nodes) - 6} more" if len(nodes) > 6 else ""
    return ", ".join(work.graph.nodes[node].id for node in nodes[:6]) + more


def manifest_for(work: Work) -> Manifest:
    """The manifest of a pipeline's project, or of its single file. Raises `BadSettings`."""
    return manifest_of(work.root, work.loaded.target.file)


def merged(before: Lock, now: Lock, manifest: Manifest = NOTHING) -> Lock:
    """A lock with what is known now; pipelines that were not asked for stay as they were, with the data and outputs that only they have.

    So does data that only the manifest speaks of, and that was not looked at, and an output that was locked with another
    pipeline where the manifest does not say which. Where frozen data came from is kept as long as it is the same data.
    """
    rest = {name: one for name, one in before.pipeline.items() if name not in now.pipeline}
    used = {name for one in rest.values() for name in data_of(one)}.union(manifest.data)
    kept = {name: data for name, data in before.data.items() if name in used and name not in now.data}
    read = {name for one in now.pipeline.values() for name in data_of(one)}
    direct = now.environment.direct if not rest else {**before.environment.direct, **now.environment.direct}
    outputs = {name: one for name, one in before.output.items() if one.pipeline in rest}
    own = {name: one for name, one in now.output.items() if name not in outputs or _said(manifest, name)}
    return Lock(
        environment=structs.replace(now.environment, direct=direct),
        data={
            **kept,
            **{name: _moved(before.data.get(name), data, name in read) for name, data in now.data.items()},
        },
        pipeline={**rest, **now.pipeline},
        output={**outputs, **own},
    )


def _said(manifest: Manifest, output: str) -> bool:
    """Whether the manifest says which pipeline an output is of."""
    found = manifest.outputs.get(output)
    return found is not None and bool(found.pipeline)


def _moved(before: Data | None, now: Data, is_read: bool) -> Data:
    """Data with what cannot be seen of it: where it was when it was frozen, which files it was.

    Frozen data that the pipeline does not read stays frozen: what is there now was only looked at.
    """
    if before is not None and before.position and not is_read:
        return before
    if before is None or before.bytes != now.bytes:
        return now
    return structs.replace(now, position=now.position or before.position, files=now.files or before.files)


def shared(now: Lock, after: Lock) -> Iterator[str]:
    """What to say of outputs that stayed those of another pipeline, though this one makes them, too."""
    for name, one in now.output.items():
        if after.output[name].pipeline != one.pipeline:
            yield (
                f"output `{name}` stays that of `{after.output[name].pipeline}`, and `{one.pipeline}` makes it, too:"
                f' [outputs.{name}] pipeline = "{one.pipeline}"'
            )


def left_behind(before: Lock, now: Lock) -> dict[str, list[str]]:
    """By pipeline that was not asked for the data that it was locked with, and that is something else now."""
    changed = {name for name, data in now.data.items() if name in before.data and before.data[name] != data}
    rest = {name: one for name, one in before.pipeline.items() if name not in now.pipeline}
    found = {name: sorted(changed.intersection(data_of(one))) for name, one in rest.items()}
    return {name: data for name, data in found.items() if data}


def refuse_if_stale(lock: Lock, work: Work) -> None:
    """Raises `LockStale` where data, code, parameters or environment are not what the lock says; what came out is not asked."""
    refuse_different(stale(lock, work), work)


def refuse_different(found: Sequence[Difference], work: Work) -> None:
    """Raises `LockStale` where there are differences."""
    if found:
        told = [str(one) for one in found[:TOLD]]
        more = f"; and {len(found) - TOLD} more" if len(found) > TOLD else ""
        ways = ["lock --pylock"] if any(one.place == _PYLOCK for one in found) else []
        ways += ["run --lock", "plan"]
        raise LockStale(
            f"`{path_of(work).name}` says something else than what is there now: {'; '.join(told)}{more}",
            fixes=[*_as_locked(found, work), *map(work.loaded.target.command, ways), "git diff"],
        )


def _as_locked(found: Sequence[Difference], work: Work) -> list[str]:
    """How a person gives the parameters that a lock has otherwise, as far as a word says them."""
    place = f"pipeline.{work.graph.pipeline}.params."
    own = work.loaded.pipeline.signature.parameters
    words = []
    for one in found:
        name = one.place.removeprefix(place)
        if name != one.place and isinstance(one.before, str | int | float):
            word = typed(f"{name}={one.before}")
            words.append(word if name.partition(".")[0] in own else f"--set {word}")
    return [f"give them as they are locked: {' '.join(words)}"] if words else []


def refuse_other_environment(work: Work) -> None:
    """Raises `LockStale` where something is installed in another version than the `pylock.toml` beside the lock says."""
    path = pylock_path(path_of(work))
    differ = differences_of(path.read_bytes()) if path.is_file() else []
    if differ:
        more = f"; and {len(differ) - TOLD} more" if len(differ) > TOLD else ""
        raise LockStale(
            f"`{path.name}` says something else than what is installed: {'; '.join(differ[:TOLD])}{more}",
            fixes=["uv sync", f"uv pip sync {path.name}", work.loaded.target.command("run --lock")],
        )


def stale(lock: Lock, work: Work) -> list[Difference]:
    """In what a lock differs from what a run would rest on: everything but what came out."""
    name = work.graph.pipeline
    facts, _ = _facts(work, manifest_for(work))
    now = Lock(
        environment=_environment(work),
        data={name: facts.given(name) for name in facts.readings},
        pipeline={name: Pipeline(uses=own_uses_of(work), params=_params(work), step=dict(_calls(work)))},
    )
    locked = lock.pipeline.get(name, Pipeline())
    own = {source.name for source in work.graph.sources}
    there = {
        name: data
        for name, data in now.data.items()
        if name in own or (name in lock.data and not lock.data[name].position)
    }
    before = Lock(
        environment=structs.replace(
            lock.environment, platform=now.environment.platform, direct=_common(lock, now)
        ),  # a lock serves on other machines, too
        data={
            name: _only_given(data, now.data[name]) for name, data in lock.data.items() if name in now.data
        },
        pipeline={
            name: structs.replace(
                locked, metrics={}, step={n: _unrun(step) for n, step in locked.step.items()}
            )
        },
    )
    return list(differences(before, structs.replace(now, data=there)))


def _only_given(locked: Data, now: Data) -> Data:
    """Of what is locked of data what can be compared without looking into it."""
    files = locked.files if now.files else {}
    return Data(
        source=locked.source,
        size=locked.size,
        bytes=locked.bytes,
        key=locked.key,
        units=locked.units,
        files=files,
    )


def _common(lock: Lock, now: Lock) -> dict[str, str]:
    """Of the locked distributions those that this pipeline imports: others may import more."""
    return {
        name: version for name, version in lock.environment.direct.items() if name in now.environment.direct
    }


def _unrun(step: Step) -> Step:
    return structs.replace(step, output={})


# --------------------------------------------------------------------------- what is given


def _environment(work: Work) -> Environment:
    return Environment(
        python=f"{sys.implementation.name} {sys.version_info.major}.{sys.version_info.minor}",
        platform=f"{platform.system().lower()} {platform.machine().lower()}",
        pylock=digest_of_pylock(path_of(work)),
        direct=_versions(work),
    )


def _facts(work: Work, manifest: Manifest) -> tuple[Facts, tuple[str, ...]]:
    """What can be known of all data: of the sources of the graph, and of files that only the manifest names; and notes."""
    memo = cast("Memo", work.store.memo)
    own = readings(work.graph.sources, work.pinned, manifest)
    more, notes = others(manifest, own, work.root, memo)
    if any(manifest.data[name].freeze is not None for name in more):
        frozen = frozen_data(work.root, work.loaded.target.file)
        for name in [name for name in more if manifest.data[name].freeze is not None and name not in frozen]:
            del more[name]
            notes.append(
                f"data `{name}` of the manifest is not locked: it is not frozen yet (stepwell freeze {name})"
            )
    return Facts(work.root, memo, {**own, **more}), tuple(notes)


def _params(work: Work) -> dict[str, Any]:
    return {name: plain(value) for name, value, _ in work.graph.params}


def _calls(work: Work) -> Iterator[tuple[str, Step]]:
    """Every call of a step by its id, without what it gave."""
    graph, identities = work.graph, work.plan.known.identities
    for node in graph.nodes:
        yield node.id, Step(code=identities[node.step].code, uses=uses_of(graph, node), args=_args(node))


def uses_of(graph: Graph, node: Node) -> tuple[str, ...]:
    """What a call takes, as a lock has it: "data.NAME", "step.ID"."""
    found: dict[str, None] = {}
    for _, binding in node.inputs:
        for leaf in leaves(binding):
            if isinstance(leaf, FromStep):
                found[f"step.{graph.nodes[leaf.node].id}"] = None
            elif isinstance(leaf, FromSource):
                found[f"data.{graph.sources[leaf.source].name}"] = None
    return tuple(sorted(found))


def own_uses_of(work: Work) -> tuple[str, ...]:
    """What a pipeline takes apart from its steps, as a lock has it: for its dynamic calls, or for nothing at all.

    A dynamic call is gone once it became steps.
    """
    graph = work.graph
    steps = [node for node in graph.nodes if graph.steps[node.step].kind != DYNAMIC]
    taken = {use for node in steps for use in uses_of(graph, node)}
    sources = [source.name for source in graph.sources]
    return tuple(
        sorted(
            f"data.{name}" for name in sources if f"data.{name}" not in taken or name in work.learning.spread
        )
    )


def _args(node: Node) -> dict[str, str]:
    given = {name: binding.token for name, binding in node.inputs if isinstance(binding, Constant)}
    return {name: token if len(token) <= LONGEST else digest(token) for name, token in given.items()}


# --------------------------------------------------------------------------- what came out


def _pipeline(work: Work) -> Pipeline:
    seen = list(_facts_in(work))
    outputs = {work.graph.nodes[one.node].id: _outputs(work, one) for one in seen}
    metrics = {
        f"{work.graph.nodes[one.node].id}.{name}": value
        for one in seen
        if one.result is not None
        for name, value in one.result.metrics
    }
    steps = {name: structs.replace(step, output=outputs.get(name, {})) for name, step in _calls(work)}
    return Pipeline(uses=own_uses_of(work), params=_params(work), metrics=metrics, step=steps)


def _outputs(work: Work, decision: Decision) -> dict[str, Output]:
    if decision.result is None:
        return {}
    return {
        one.name: Output(
            codec=one.codec,
            shows=one.note,
            size=one.size,
            bytes=one.digest,
            content=content_of_artifact(work, one),
        )
        for one in decision.result.outputs
    }
