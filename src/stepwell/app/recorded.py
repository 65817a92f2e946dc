"""A run of this project as something to be made again: what its record says, in the words of a lock.

A record keeps the digests of code, not the code. So a run is made again from the files that are there now, if
its steps are what they were, else from the commit that it was made at, if nothing differed from that.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from stepwell.app.again import Wish, pipeline_of, then_of
from stepwell.app.against import take_out
from stepwell.app.finding import one
from stepwell.app.locking import own_uses_of, uses_of
from stepwell.app.parameters import given_again
from stepwell.app.plaindata import plain
from stepwell.app.session import Work, prepare
from stepwell.app.subject import Subject, in_store
from stepwell.author.project import Loaded
from stepwell.dist.lock import Data, Environment, Lock, Output, Pipeline, Step
from stepwell.dist.releases.tree import tree_of
from stepwell.errors import BadParameter, CannotReproduce, CodeGone, typed
from stepwell.kernel.graph import FromSource, Graph
from stepwell.sources.address import shown
from stepwell.stores.history import RunRow
from stepwell.stores.local import LocalStore
from stepwell.stores.steprow import StepRow

LARGEST = 1 << 20
"""Bytes of a file that is taken for code, or for what code reads beside itself."""

GAVE = ("succeeded", "cached")


def of_run(word: str, here: Path, store: LocalStore, pipeline: str = "") -> Subject:
    """A run by its name ("r3", "last"). Raises `UnknownRun`, `NotOneRun`, `CannotReproduce`, `CodeGone`, and what loading the pipeline raises."""
    row = store.runs.run(one(store, word, "what is made again", "stepwell reproduce"))
    steps = store.runs.steps(row.run)
    gave = [step for step in steps if step.status in GAVE and step.outputs]
    if not gave:
        raise CannotReproduce(
            f"nothing came out of {row.run}",
            why=f"it is {row.status}",
            fixes=["name a run that succeeded: stepwell runs"],
        )
    loaded = pipeline_of(then_of(store, row, gave[0]), Wish("", row.run, pipeline, here))
    work = prepare(loaded, _params(loaded, row), store)
    put = _files_now(work) if _is_same_code(work, gave) else _files_then(work, row, gave)
    target = _target(loaded)
    name = work.graph.pipeline
    lock = Lock(
        environment=_environment(store, gave),
        data=dict(_data(work, steps)),
        pipeline={
            name: Pipeline(
                uses=own_uses_of(work),
                params={k: plain(v) for k, v in row.params.items()},
                metrics=_metrics(steps),
                step=dict(_steps(work.graph, gave)),
            )
        },
    )
    return Subject(
        "run",
        loaded.target.root.name,
        row.run,
        lock,
        {name: target},
        put,
        lambda digest, size: in_store(digest, store),
    )


def _target(loaded: Loaded) -> str:
    """How commands in the project's root call the pipeline."""
    root, file = loaded.target.root, loaded.target.file
    place = file.relative_to(root).as_posix() if file is not None else loaded.target.module
    return f"{place}:{loaded.pipeline.__name__}"


def _params(loaded: Loaded, row: RunRow) -> dict[str, object]:
    """The parameters of a run as values. Raises `BadParameter`."""

    def unread(name: str, why: str) -> None:
        if why:
            raise BadParameter(f"parameter `{name}` of {row.run} cannot be given again", why=why)

    return given_again(loaded.pipeline, row.params, unread)


# --------------------------------------------------------------------------- code


def _is_same_code(work: Work, gave: Sequence[StepRow]) -> bool:
    """Whether the steps of a run are what they are now. One that is not in the plan yet is one of a dynamic call, whose code is."""
    nodes = {node.id: node.step for node in work.graph.nodes}
    codes = work.plan.known.identities
    return all(
        step.result is None or step.id not in nodes or codes[nodes[step.id]].code == step.result.code
        for step in gave
    )


def _files_now(work: Work) -> Any:
    """What writes the files of the project as they are now: those that git knows, and those that were imported."""
    root = work.root
    imported = [Path(path) for path in work.loaded.importer.snapshot]
    names = {path.relative_to(root).as_posix() for path in imported if path.is_relative_to(root)}
    tree = tree_of(root)
    names |= {name for name in tree.files if _is_small(root / name)}
    names |= {name for name in ("stepwell.toml", "pyproject.toml") if (root / name).is_file()}

    def put(folder: Path) -> None:
        for name in sorted(names):
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes((root / name).read_bytes())

    return put


def _is_small(path: Path) -> bool:
    return path.is_file() and path.stat().st_size <= LARGEST


def _files_then(work: Work, row: RunRow, gave: Sequence[StepRow]) -> Any:
    """What writes the files of the commit that a run was made at. Raises `CodeGone`."""
    if not row.commit or row.dirty:
        nodes = {node.id: node.step for node in work.graph.nodes}
        codes = work.plan.known.identities
        other = [
            s.id for s in gave if s.result and s.id in nodes and codes[nodes[s.id]].code != s.result.code
        ]
        raise CodeGone(
            f"the code of {row.run} is not to be had any more: `{other[0]}` is something else now",
            why=f"it was made at {row.commit[:12]} with changes that nobody committed"
            if row.commit
            else "it was made outside of git",
            fixes=[
                f"stepwell why {typed(other[0])}   says what changed: undo that",
                "commit before runs that are to be made again",
            ],
        )
    return lambda folder: take_out(row.commit, work.root, folder)


# --------------------------------------------------------------------------- what it was made of, and gave


def _environment(store: LocalStore, gave: Sequence[StepRow]) -> Environment:
    versions: dict[str, str] = {}
    for step in gave:
        if step.result is not None:
            versions |= store.results.parts(step.result.environment)
    minor = versions.pop("python", "").partition(" ")[0]
    python = f"{sys.implementation.name} {'.'.join(minor.split('.')[:2])}" if minor else ""
    return Environment(
        python=python, direct={name: text.partition(" ")[0] for name, text in sorted(versions.items())}
    )


def _data(work: Work, steps: Sequence[StepRow]) -> Iterator[tuple[str, Data]]:
    """Each source of the pipeline with the digest that the run read, as far as a step's record says so."""
    then = _digests(work.graph, {step.id: dict(step.inputs) for step in steps})
    for place, (source, pinned) in enumerate(zip(work.graph.sources, work.pinned, strict=True)):
        yield (
            source.name,
            Data(source=shown(source.uri), size=pinned.size, bytes=then.get(place, pinned.digest)),
        )


def _digests(graph: Graph, inputs: Mapping[str, Mapping[str, str]]) -> dict[int, str]:
    found: dict[int, str] = {}
    for node in graph.nodes:
        tokens = inputs.get(node.id, {})
        for name, binding in node.inputs:
            kind, _, rest = tokens.get(name, "").partition(":")
            if isinstance(binding, FromSource) and kind == "source":
                found.setdefault(binding.source, ":".join(rest.split(":")[:2]))
    return found


def _steps(graph: Graph, gave: Sequence[StepRow]) -> Iterator[tuple[str, Step]]:
    nodes = {node.id: node for node in graph.nodes}
    for step in gave:
        outputs = {
            one.name: Output(codec=one.codec, shows=one.note, size=one.size, bytes=one.digest)
            for one in step.outputs
        }
        uses = uses_of(graph, nodes[step.id]) if step.id in nodes else ()
        yield (
            step.id,
            Step(code=step.result.code if step.result is not None else "", uses=uses, output=outputs),
        )


def _metrics(steps: Sequence[StepRow]) -> dict[str, float]:
    return {f"{step.id}.{name}": value for step in steps for name, value in step.metrics.items()}
