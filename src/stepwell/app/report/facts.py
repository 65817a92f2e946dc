"""What a report tells: one run, what its steps recorded and gave, and what changed since the run before."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from stepwell.app.comparing import compare_runs, said_directions
from stepwell.app.directions import by_interest, change
from stepwell.app.plaindata import plain
from stepwell.app.previews import preview, raw
from stepwell.errors import BadLock, LockMissing, StepwellError
from stepwell.kernel.ports import Artifact
from stepwell.stores.curves import Thinned, thinned
from stepwell.stores.history import RunRow
from stepwell.stores.local import LocalStore
from stepwell.stores.metrics import shared
from stepwell.stores.runrow import split
from stepwell.stores.steprow import About, StepRow

BEGIN = "<!-- stepwell report -->\n"
"""How every report begins, behind the word that says what it is: such a file may be replaced by a newer one."""

BYTES = 3_500_000
"""Bytes of pictures, texts and cards that a report holds: a third more as text of a page."""

ONE = 1_500_000
"""Bytes of one of them; a larger one is left out."""

ROWS = 8
"""Rows of a table that are shown."""

GIVEN = 12
"""Outputs of last steps that are shown."""

POINTS = 300
"""Points of a curve that are drawn."""

CURVES = 60
"""Curves that are drawn."""

DIFF = 100_000
"""Characters of the diff of a tree that are shown."""


class Metric(NamedTuple):
    """A metric with what it was in the run before (None: it had none), and whether that is "better", "worse" or ""."""

    name: str
    value: float
    before: float | None
    change: str


class Thing(NamedTuple):
    """Something that a step recorded or gave: its preview, and its bytes where a page shows them as they are.

    `left` says why it is not shown, where it is not.
    """

    step: str
    kind: str
    name: str
    preview: Mapping[str, Any]
    type: str = ""
    data: bytes = b""
    text: str = ""
    left: str = ""
    place: int | None = None


class Line(NamedTuple):
    """A curve of one step, thinned."""

    step: str
    name: str
    points: Thinned


class Edit(NamedTuple):
    """What changed in a definition that steps ran since the run before: its name, a unified diff."""

    name: str
    diff: str


class Moved(NamedTuple):
    """What is another than in the run before; "" where one of both does not have it.

    Of data, `kind` is "source", "read" (by steps, besides their inputs) or "output", the texts are digests, and `lines` say what is another in it.
    """

    name: str
    before: str
    now: str
    kind: str = ""
    lines: Sequence[str] = ()


class Since(NamedTuple):
    """What is another than in the run before, `run`; `notes` are what could not be told. Empty where there is none."""

    run: str = ""
    params: Sequence[Moved] = ()
    data: Sequence[Moved] = ()
    code: Sequence[Edit] = ()
    environment: Sequence[Moved] = ()
    notes: Sequence[str] = ()


class Facts(NamedTuple):
    """Everything that a report tells. `lock` says in lines how the run stands to the project's lock; none without one."""

    run: RunRow
    about: About
    steps: Sequence[StepRow]
    metrics: Sequence[Metric]
    things: Sequence[Thing]
    curves: Sequence[Line]
    since: Since
    distributions: Mapping[str, str]
    lock: Sequence[str]
    left: Sequence[str]

    @property
    def failed(self) -> list[StepRow]:
        """The steps that failed."""
        return [step for step in self.steps if step.error is not None]


def gather(store: LocalStore, root: Path, name: str = "last", *, brief: bool = False) -> Facts:
    """Read all of it. Raises `UnknownRun`, `StoreDamaged`; what else is missing is told in the report.

    `brief`: without what is another since the run before but metrics, and without environment and lock.
    """
    run = store.runs.run(name)
    about, steps = store.runs.about(run.run), store.runs.steps(run.run)
    before = _before(store, run)
    things, left = _fitted(_things(store, run, about, steps))
    curves = _curves(store, run, {step.node: step.id for step in steps})
    if len(curves) > CURVES:
        left.append(f"{len(curves) - CURVES:,} curves: `stepwell ui` shows all")
    if brief:
        since = Since(before.run if before is not None else "")
        return Facts(
            run, about, steps, _metrics(store, run, before), things, curves[:CURVES], since, {}, (), left
        )
    return Facts(
        run, about, steps, _metrics(store, run, before), things, curves[:CURVES], _since(store, root, run, before),
        _distributions(store, steps), _locked(root, run, about), left,
    )  # fmt: skip


def _before(store: LocalStore, run: RunRow) -> RunRow | None:
    """The newest run of the same pipeline before this one that succeeded; None if there is none."""
    number = int(run.run[1:])
    found = store.database.row(
        "SELECT id FROM runs WHERE pipeline = ? AND id < ? AND status = 'succeeded' ORDER BY id DESC LIMIT 1",
        (run.pipeline, number),
    )
    rows, _ = split(store.runs.some([f"r{found[0]}"])) if found is not None else ([], [])
    return rows[0] if rows else None


def _metrics(store: LocalStore, run: RunRow, before: RunRow | None) -> list[Metric]:
    said = said_directions(store, [run])
    was = before.metrics if before is not None else {}
    names = [name for name in shared([run.metrics, was]) if name in run.metrics]
    return [
        Metric(name, value, was.get(name), change(name, was[name], value, said) if name in was else "")
        for name, value in [(name, run.metrics[name]) for name in by_interest(names, said)]
    ]


# ---------------------------------------------------------------------------- things


def _things(store: LocalStore, run: RunRow, about: About, steps: Sequence[StepRow]) -> Iterable[Thing]:
    """What steps recorded, then what the last steps gave (those that no other step waited for)."""
    ids = {step.node: step.id for step in steps}
    for one in store.runs.recorded(run.run):
        if one.kind in ("tag", "role", "progress"):
            continue
        step = ids.get(one.node, "")
        if one.artifact is None:
            yield Thing(
                step,
                one.kind,
                one.name,
                {},
                "text/plain",
                one.text.encode("utf-8", "replace"),
                one.text,
                place=one.step,
            )
        else:
            yield thing_of(store, step, one.kind, one.name, one.artifact)._replace(place=one.step)
    needed = {before for nodes in about.edges for before in nodes}
    last = [step for step in steps if step.node not in needed and step.error is None]
    for step in last[:GIVEN]:
        for output in step.outputs[:4]:
            yield thing_of(store, step.id, "output", output.name if len(step.outputs) > 1 else "", output)


def thing_of(store: LocalStore, step: str, kind: str, name: str, artifact: Artifact) -> Thing:
    """One artifact, with its bytes where a page shows them as they are."""
    shown = preview(store, artifact, rows=ROWS)
    if shown["kind"] not in ("image", "html"):
        return Thing(step, kind, name, shown)
    try:
        found = raw(store, artifact)
    except StepwellError as error:
        return Thing(step, kind, name, shown, left=error.what)
    if found is None:
        return Thing(step, kind, name, shown, left="it is nothing that a page shows")
    if len(found.data) > ONE:
        return Thing(step, kind, name, shown, left=f"it has {len(found.data):,} bytes")
    return Thing(step, kind, name, shown, found.type, bytes(found.data))


def _fitted(things: Iterable[Thing]) -> tuple[list[Thing], list[str]]:
    """As many things as fit, and what is said of those that do not."""
    out, left, room = [], [], BYTES
    for one in things:
        weight = len(one.data) + len(repr(one.preview)) // 2
        if not one.left and weight > room:
            one = one._replace(left="the report would be too large", data=b"", preview={})
        if one.left:
            left.append(f"{one.kind} {one.name} of {one.step}: {one.left}".replace("  ", " "))
        else:
            room -= weight
        out.append(one)
    return out, left


def _curves(store: LocalStore, run: RunRow, ids: Mapping[int, str]) -> list[Line]:
    found = store.runs.curves(run.run)
    shown = [
        Line(ids.get(one.node, ""), one.name, thinned(one.steps, one.values, one.times, POINTS))
        for one in found
        if len(one.values) > 1
    ]
    return sorted(shown, key=lambda line: line.name)


# ---------------------------------------------------------------------------- since the run before


def _since(store: LocalStore, root: Path, run: RunRow, before: RunRow | None) -> Since:
    """What `stepwell compare` tells of the two runs, as far as it is another."""
    if before is None:
        return Since()
    found = compare_runs(store, root, [before.run, run.run])
    edits = {edit["name"]: edit["diff"] for step in found["code"] for edit in step["diffs"]}
    return Since(
        before.run,
        [_moved(row, before.run, run.run) for row in found["params"] if row["differs"]],
        [_data(row, before.run, run.run) for row in found["data"] if row["differs"]],
        [Edit(name, text[:DIFF]) for name, text in edits.items()],
        [_moved(row, before.run, run.run) for row in found["environment"] if row["differs"]],
        found["notes"],
    )


def _moved(row: Mapping[str, Any], then: str, now: str) -> Moved:
    """A row of a comparison as texts, "" where a run has no such thing."""
    was, is_now = (row["values"].get(one) for one in (then, now))
    return Moved(row["name"], "" if was is None else _word(was), "" if is_now is None else _word(is_now))


def _data(row: Mapping[str, Any], then: str, now: str) -> Moved:
    digests = row["digests"]
    lines = [line for change in row["changes"] for line in change["lines"]]
    return Moved(row["name"], digests.get(then, ""), digests.get(now, ""), row["kind"], lines[:20])


def _word(value: object) -> str:
    found = plain(value)
    return found if isinstance(found, str) else repr(found)


def _distributions(store: LocalStore, steps: Iterable[StepRow]) -> dict[str, str]:
    """The distributions that steps rest on, with their versions."""
    digests = sorted({step.result.environment for step in steps if step.result is not None})
    found = {name: version for digest in digests for name, version in store.results.parts(digest).items()}
    return dict(sorted(found.items()))


def _locked(root: Path, run: RunRow, about: About) -> list[str]:
    """How the run stands to the project's lock, in lines; none where there is no lock."""
    from stepwell.dist.lockfile import lock_path, read

    path = lock_path(root)
    try:
        lock = read(path)
    except LockMissing:
        return []
    except BadLock as error:
        return [error.what]
    pipeline = lock.pipeline.get(run.pipeline)
    if pipeline is None:
        return [f"`{path.name}` does not have the pipeline `{run.pipeline}`"]
    told = []
    for source in about.sources:
        data = lock.data.get(source.name)
        if data is not None and data.bytes and source.digest != data.bytes:
            told.append(f"`{source.name}` is other data than is locked")
    for name, value in pipeline.params.items():
        if name in run.params and plain(run.params[name]) != plain(value):
            told.append(f"{name}={_word(run.params[name])}, and {_word(value)} is locked")
    return told or [f"data and parameters are those of `{path.name}`"]
