"""The lock of a plan in which everything is up to date; and whether a lock says what is there now.

work = prepare(...)
now = lock_of(work)              # raises NotUpToDate where a step would run
merged(before, now)              # what is written: other pipelines stay as they were locked
refuse_if_stale(lock, work)      # `run --locked`: before anything runs
"""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from msgspec import structs

from stepwell.app.plaindata import plain
from stepwell.app.session import Work
from stepwell.author.written import written_of
from stepwell.codecs.content.digest import content_of_file
from stepwell.codecs.content.tables import Content
from stepwell.dist.lock import Data, Difference, Environment, Lock, Output, Pipeline, Step, differences
from stepwell.dist.lockfile import lock_path
from stepwell.errors import LockStale, MissingLibrary, NotUpToDate
from stepwell.kernel.graph import Constant, FromSource, FromStep, Graph, Node, leaves
from stepwell.kernel.identity import digest
from stepwell.kernel.plan import Decision
from stepwell.sources.address import shown
from stepwell.sources.content import files_of, listed
from stepwell.sources.memo import Memo
from stepwell.sources.pin import Pinned
from stepwell.sources.schema import schema

MOST_FILES = 1000
"""Files of one folder that are listed one by one; of more, the digest of the whole says it alone."""

LONGEST = 80
"""Characters of an argument that is written out."""

TOLD = 12
"""Differences that an error names."""

CONTENT = "source-content 1"
"""The kind of memo of canonical digests, by digest of the bytes; to be counted up with the specification."""

_GOOD = ("cached", "skip")


def path_of(work: Work) -> Path:
    """Where the lock of a pipeline is: the project's, or that of a single file which says itself what it needs."""
    file = work.loaded.target.file
    own = written_of(work.root, file)
    return lock_path(work.root, file if own is not None and own.kind == "script" else None)


def lock_of(work: Work) -> Lock:
    """The facts of a plan. Raises `NotUpToDate` where a step would run."""
    todo = [
        d for d in work.plan.decisions if d.verb not in _GOOD or (d.verb == "cached" and d.result is None)
    ]
    if todo:
        names = [work.graph.nodes[decision.node].id for decision in todo]
        more = f" and {len(names) - 6} more" if len(names) > 6 else ""
        raise NotUpToDate(
            f"{len(names)} of {len(work.plan.decisions)} steps would run: {', '.join(names[:6])}{more}",
            why="a lock says what came out of the data and code that are there now, and nobody has run that",
            fixes=["stepwell run --lock", "stepwell plan"],
        )
    return structs.replace(_given(work), pipeline={work.graph.pipeline: _pipeline(work)})


def merged(before: Lock, now: Lock) -> Lock:
    """A lock with what is known now; pipelines that were not asked for, and the data that only they use, stay as they were."""
    others = {name: one for name, one in before.pipeline.items() if name not in now.pipeline}
    used = {name for one in others.values() for name in _data_of(one)}
    kept = {name: data for name, data in before.data.items() if name in used and name not in now.data}
    direct = now.environment.direct if not others else {**before.environment.direct, **now.environment.direct}
    return Lock(
        environment=structs.replace(now.environment, direct=direct, pylock=before.environment.pylock),
        data={**kept, **now.data},
        pipeline={**others, **now.pipeline},
    )


def left_behind(before: Lock, now: Lock) -> dict[str, list[str]]:
    """By pipeline that was not asked for the data that it was locked with, and that is something else now."""
    changed = {name for name, data in now.data.items() if name in before.data and before.data[name] != data}
    others = {name: one for name, one in before.pipeline.items() if name not in now.pipeline}
    found = {name: sorted(changed.intersection(_data_of(one))) for name, one in others.items()}
    return {name: data for name, data in found.items() if data}


def _data_of(pipeline: Pipeline) -> set[str]:
    uses = [use for step in pipeline.step.values() for use in step.uses]
    return {use.removeprefix("data.") for use in uses if use.startswith("data.")}


def refuse_if_stale(lock: Lock, work: Work) -> None:
    """Raises `LockStale` where data, code, parameters or environment are not what the lock says; what came out is not asked."""
    refuse_different(stale(lock, work), work)


def refuse_different(found: Sequence[Difference], work: Work) -> None:
    """Raises `LockStale` where there are differences."""
    if found:
        told = [str(one) for one in found[:TOLD]]
        more = f"; and {len(found) - TOLD} more" if len(found) > TOLD else ""
        raise LockStale(
            f"`{path_of(work).name}` says something else than what is there now: {'; '.join(told)}{more}",
            fixes=["stepwell run --lock", "stepwell plan", "git diff"],
        )


def stale(lock: Lock, work: Work) -> list[Difference]:
    """In what a lock differs from what a run would rest on: everything but what came out."""
    name = work.graph.pipeline
    now = structs.replace(
        _given(work), pipeline={name: Pipeline(params=_params(work), step=dict(_calls(work)))}
    )
    locked = lock.pipeline.get(name, Pipeline())
    same = {"pylock": "", "platform": now.environment.platform}  # a lock serves on other machines, too
    before = Lock(
        environment=structs.replace(lock.environment, **same, direct=_common(lock, now)),
        data={name: data for name, data in lock.data.items() if name in now.data},
        pipeline={
            name: Pipeline(params=locked.params, step={n: _unrun(step) for n, step in locked.step.items()})
        },
    )
    return list(differences(before, now))


def _common(lock: Lock, now: Lock) -> dict[str, str]:
    """Of the locked distributions those that this pipeline imports: others may import more."""
    return {
        name: version for name, version in lock.environment.direct.items() if name in now.environment.direct
    }


def _unrun(step: Step) -> Step:
    return structs.replace(step, output={})


# --------------------------------------------------------------------------- what is given


def _given(work: Work) -> Lock:
    where = Environment(
        python=f"{sys.implementation.name} {sys.version_info.major}.{sys.version_info.minor}",
        platform=f"{platform.system().lower()} {platform.machine().lower()}",
        direct={name: version.partition(" ")[0] for name, version in work.identified.direct.items()},
    )
    memo = cast("Memo", work.store.memo)
    data = {
        source.name: _data(source.uri, source.type, dict(source.options), pinned, memo)
        for source, pinned in zip(work.graph.sources, work.pinned, strict=True)
    }
    return Lock(environment=where, data=data)


def _data(uri: str, kind: str, options: Mapping[str, Any], pinned: Pinned, memo: Memo) -> Data:
    seen = pinned.seen
    files = (
        {} if seen.one else {name: f"{size} {one}" for name, size, one in files_of(listed(seen.place, memo))}
    )
    columns = schema(uri, kind, options, pinned, memo).columns or {}
    content, rows = _content(pinned, memo) if seen.one and columns else ("", None)
    return Data(
        source=shown(uri),
        size=pinned.size,
        rows=rows,
        bytes=pinned.digest,
        content=content,
        columns={name: what or "?" for name, what in columns.items()},
        files=files if len(files) <= MOST_FILES else {},
    )


def _content(pinned: Pinned, memo: Memo) -> tuple[str, int | None]:
    """The canonical digest of a table in one file and its rows, which the memo keeps; "" and None where it has none."""
    kept = memo.get(CONTENT, pinned.digest)
    if kept is None:
        try:
            found = content_of_file(Path(pinned.files[0]))
        except (OSError, MissingLibrary):
            return "", None
        kept = f"{found.digest} {found.shape[0]}".encode() if isinstance(found, Content) else b" "
        memo.put(CONTENT, pinned.digest, kept)
    digest, _, rows = kept.decode().partition(" ")
    return digest, int(rows) if rows else None


def _params(work: Work) -> dict[str, Any]:
    return {name: plain(value) for name, value, _ in work.graph.params}


def _calls(work: Work) -> Iterator[tuple[str, Step]]:
    """Every call of a step by its id, without what it gave."""
    graph, identities = work.graph, work.plan.known.identities
    for node in graph.nodes:
        yield node.id, Step(code=identities[node.step].code, uses=_uses(graph, node), args=_args(node))


def _uses(graph: Graph, node: Node) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for _, binding in node.inputs:
        for leaf in leaves(binding):
            if isinstance(leaf, FromStep):
                found[f"step.{graph.nodes[leaf.node].id}"] = None
            elif isinstance(leaf, FromSource):
                found[f"data.{graph.sources[leaf.source].name}"] = None
    return tuple(sorted(found))


def _args(node: Node) -> dict[str, str]:
    given = {name: binding.token for name, binding in node.inputs if isinstance(binding, Constant)}
    return {name: token if len(token) <= LONGEST else digest(token) for name, token in given.items()}


# --------------------------------------------------------------------------- what came out


def _pipeline(work: Work) -> Pipeline:
    outputs = {work.graph.nodes[one.node].id: _outputs(one) for one in work.plan.decisions}
    metrics = {
        f"{work.graph.nodes[one.node].id}.{name}": value
        for one in work.plan.decisions
        if one.result is not None
        for name, value in one.result.metrics
    }
    steps = {name: structs.replace(step, output=outputs.get(name, {})) for name, step in _calls(work)}
    return Pipeline(params=_params(work), metrics=metrics, step=steps)


def _outputs(decision: Decision) -> dict[str, Output]:
    if decision.result is None:
        return {}
    return {
        one.name: Output(codec=one.codec, shows=one.note, size=one.size, bytes=one.digest)
        for one in decision.result.outputs
    }
