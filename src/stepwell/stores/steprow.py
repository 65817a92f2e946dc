"""What is known of each step of a run, and of what a run is linked to: rows that lists of runs do without.

`stores.history` loads this where it is asked for one.
"""

from __future__ import annotations

from collections.abc import Mapping
from json import loads
from typing import Any, NamedTuple

from stepwell.kernel.plan import Reason
from stepwell.kernel.ports import Artifact, Failure, Result
from stepwell.stores.rows import unpack_outputs, unpack_pairs


class StepRow(NamedTuple):
    """What a run did with one node of its graph.

    `status`: succeeded, failed, cached, skipped, blocked, interrupted or running; `decision`: the verb
    of the plan ("" where the run did not come to it). `name` is the step's bare name, `step` its full one.
    `seconds`, `cpu`, `memory` (bytes) are those of the execution that made the result, also of a reused
    one; `made_by` is the run that made it. `outputs` of a failed step are what its judges refused.
    """

    node: int
    id: str
    name: str
    step: str
    status: str
    decision: str
    reasons: tuple[Reason, ...]
    key: str | None
    inputs: tuple[tuple[str, str], ...]
    outputs: tuple[Artifact, ...]
    metrics: Mapping[str, float]
    seconds: float | None
    cpu: float | None
    memory: int | None
    error: Failure | None
    notes: tuple[str, ...]
    made_by: str
    result: Result | None


class SourceRow(NamedTuple):
    """A source that a run read: its name, its address without secrets, the digest that it was pinned to, its size in bytes."""

    name: str
    uri: str
    digest: str
    size: int


class About(NamedTuple):
    """What a run is linked to beyond its steps; empty where an older Stepwell recorded it.

    `edges`: for each node (by number, as in `StepRow.node`) the nodes that it waits for; `reads`: for each node the
    sources that it reads, as places in `sources`. `python`: "3.11.7"; `platform`: "linux x86_64"; `file`: the pipeline
    file, relative to the project's root; `diff`: what the tree had beyond its commit; `variable`: what holds the pipeline
    in that file, where it is not called as the pipeline is; `pylock`: the SHA-256 of the `pylock.toml` beside the lock
    ("sha256:…"); `specs`: by node what its step is, where that is more than a function and defaults (`app.linked.spec_of`).
    """

    edges: tuple[tuple[int, ...], ...] = ()
    reads: tuple[tuple[int, ...], ...] = ()
    sources: tuple[SourceRow, ...] = ()
    python: str = ""
    platform: str = ""
    file: str = ""
    diff: str = ""
    variable: str = ""
    pylock: str = ""
    specs: Mapping[int, Mapping[str, Any]] = {}


class LogLine(NamedTuple):
    """A piece of text that a step wrote. `time` in seconds since 1970; `stream`: stdout or stderr."""

    node: int
    time: float
    stream: str
    text: str


def failure(text: str) -> Failure:
    """The failure that a row tells of."""
    code, what, why, fixes, docs, traceback = loads(text)
    return Failure(code, what, why, tuple(fixes), docs, traceback)


def stopped(node: int, named: list[str], row: tuple[Any, ...]) -> StepRow:
    """A step without a result: it failed, or did not come to an end. `named` are its id, its bare and its full name."""
    status, verb, reasons, key, inputs, seconds, cpu, memory, error, refused, notes = row
    why = failure(error) if error else None
    told = tuple(Reason(*reason) for reason in loads(reasons))
    return StepRow(
        node, named[0], named[1], named[2], status, verb, told, key, unpack_pairs(inputs),
        unpack_outputs(refused), {}, seconds, cpu, memory, why, tuple(loads(notes)), "", None,
    )  # fmt: skip


def of_result(
    node: int, named: list[str], status: str, verb: str, reasons: tuple[Reason, ...], result: Result | None,
    notes: tuple[str, ...] = (),
) -> StepRow:  # fmt: skip
    """A step with a result, made or reused; None where that was removed since."""
    if result is None:  # removed since
        return unreached(node, named, status)._replace(decision=verb, reasons=reasons, notes=notes)
    return StepRow(
        node, named[0], named[1], named[2], status, verb, reasons, result.key, result.inputs, result.outputs,
        dict(result.metrics), result.seconds, result.cpu, result.memory, None, notes, result.run, result,
    )  # fmt: skip


def unreached(node: int, named: list[str], status: str) -> StepRow:
    """A step of which nothing but its status is known."""
    verb = "skip" if status == "skipped" else ""
    return StepRow(
        node, named[0], named[1], named[2], status, verb, (), None, (), (), {}, None, None, None, None, (), "", None,
    )  # fmt: skip
