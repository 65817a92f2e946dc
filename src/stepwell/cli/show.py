"""`stepwell show`: one run, whole."""

from __future__ import annotations

import re
from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING, Any

from stepwell.app.plaindata import number
from stepwell.cli.looking import RUN_WORD, one_run, project_root, stored
from stepwell.cli.runs import run_row
from stepwell.cli.statuses import COLOUR, say_damaged
from stepwell.cli.text import (
    clean,
    columns,
    cut,
    given,
    named,
    paint,
    pairs,
    print_json,
    seconds,
    size,
    table,
    wide,
)
from stepwell.errors import counted
from stepwell.stores.history import RunRow, runs_damaged
from stepwell.stores.metrics import left_out
from stepwell.stores.runrow import split
from stepwell.stores.steprow import StepRow

if TYPE_CHECKING:
    from stepwell.stores.recordings import RecordedRow

SHOWN = ("figure", "table", "text", "card")
"""What is listed of what steps recorded."""

_STOPPED = {"failed": "failed", "interrupted": "was stopped"}


def arguments(parser: ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument(
        "run", nargs="?", default="last", metavar="RUN", help=f"{RUN_WORD}; g1, ... of a sweep"
    )


def run(options: Namespace) -> int:
    """Look up and print."""
    if re.fullmatch(r"g\d+", options.run):
        return _show_group(options)
    with stored(project_root(), looking=True, create=False) as store:
        row = one_run(store, options.run, "what is shown", "stepwell show")
        steps = store.runs.steps(row.run)
        recorded = store.runs.recorded(row.run)
        curves = store.runs.curve_names(row.run) if options.json else []
    ids = {step.node: step.id for step in steps}
    if options.json:
        print_json(
            {
                **run_row(row),
                "counts": dict(row.counts),
                "params_from": {name: dict(one) for name, one in row.origins.items()},
                "steps": [_document(step) for step in steps],
                "recorded": [_recorded_document(one, ids) for one in recorded if one.node in ids],
                "curves": [
                    {"id": ids[node], "name": name, "count": count, "last": number(last)}
                    for node, name, count, last in curves
                    if node in ids
                ],
            }
        )
        return 0
    print("\n".join(_head(row)))
    head = ("step", "status", "took", "memory", "gave", "why")
    width = columns()
    rows = _fitted([_cells(step) for step in steps], width)
    lines = table(rows, head if steps else (), max(width - 2, 0), whole=True)
    print("\n".join(f"  {line}" for line in lines))
    for step in steps:
        if step.error is not None:
            from stepwell.cli.screen import failure_lines  # rarely wanted

            print("\n".join([f"{clean(step.id)}:", *(f"  {line}" for line in failure_lines(step.error))]))
        if told := left_out(row.metrics, step.id, step.metrics):
            print(f"{clean(step.id)}: logged before it {_STOPPED.get(step.status, 'ended')}: {pairs(told)}")
        for note in step.notes:
            print(f"{clean(step.id)}: note: {clean(note)}")
    for line in _recorded_lines(recorded, ids):
        print(line)
    return 0


def _show_group(options: Namespace) -> int:
    """A sweep: a row a point."""
    from stepwell.app.finding import said_directions  # as the table
    from stepwell.cli.sweep_words import (  # they know how sweeps are planned; a run does without
        Row,
        points_table,
    )

    with stored(project_root(), looking=True, create=False) as store:
        rows, damaged = split(store.runs.runs(group=options.run)[::-1])
        if not rows:
            raise runs_damaged(damaged)
        said = said_directions(store, rows[-1:])
    if options.json:
        print_json(
            {"group": options.run, "pipeline": rows[0].pipeline, "runs": [run_row(row) for row in rows]}
        )
        return say_damaged(damaged)
    print(f"{paint(options.run, 'bold')}  {clean(rows[0].pipeline)}  {counted(len(rows), 'point')}")
    for line in points_table(
        [Row(r.run, r.point, r.status, r.metrics, r.seconds) for r in rows], options.run, said
    ):
        print(line)
    return say_damaged(damaged)


def _document(step: StepRow) -> dict[str, Any]:
    from stepwell.app.documents import failure_document, reason_document  # of plans, too: text does without

    out: dict[str, Any] = {
        "id": step.id,
        "step": step.name,
        "decision": step.decision,
        "status": step.status,
        "reasons": [reason_document(reason) for reason in step.reasons],
        "key": step.key,
        "inputs": dict(step.inputs),
        "seconds": step.seconds,
        "cpu": step.cpu,
        "memory": step.memory,
        "outputs": {artifact.name: artifact.digest for artifact in step.outputs},
        "metrics": {name: number(value) for name, value in step.metrics.items()},
        "made_by": step.made_by or None,
    }
    if step.notes:
        out["notes"] = list(step.notes)
    if step.error is not None:
        out["error"] = failure_document(step.error)
    return out


def _recorded_document(one: RecordedRow, ids: dict[int, str]) -> dict[str, Any]:
    artifact = one.artifact
    return {
        "id": ids[one.node],
        "kind": one.kind,
        "name": one.name,
        "place": one.step,
        "digest": artifact.digest if artifact is not None else None,
        "codec": artifact.codec if artifact is not None else None,
        "size": artifact.size if artifact is not None else None,
        "text": one.text,
    }


def _recorded_lines(recorded: list[RecordedRow], ids: dict[int, str]) -> list[str]:
    """What each step recorded besides numbers and tags, by kind: names, the first few of them."""
    found: dict[tuple[int, str], list[str]] = {}
    for one in recorded:
        if one.kind in SHOWN and one.node in ids:
            names = found.setdefault((one.node, one.kind), [])
            if one.name not in names:
                names.append(one.name)
    lines = []
    for (node, kind), names in found.items():
        more = f" and {len(names) - 5:,} more" if len(names) > 5 else ""
        told = ", ".join(named(name) for name in names[:5])
        lines.append(paint(f"{clean(ids[node])}: {kind}{'s' if len(names) > 1 else ''} {told}{more}", "dim"))
    return lines


def _head(row: RunRow) -> list[str]:
    commit = f"  commit {row.commit[:12]}{' and other changes' if row.dirty else ''}" if row.commit else ""
    lines = [
        f"{paint(row.run, 'bold')}  {clean(row.pipeline)}  {paint(row.status, COLOUR[row.status])}  {seconds(row.seconds)}{commit}"
    ]
    if row.params:
        lines.append(f"  {given(row.params)}")
    if row.origins:
        from stepwell.app.parameters import origins_line  # most runs have none from afar

        if came := origins_line(row.origins):
            lines.append(paint(f"  {clean(came)}", "dim"))
    if row.metrics:
        lines.append(f"  {pairs(row.metrics)}")
    if row.tags:
        lines.append(f"  {paint('tags', 'dim')} {paint('  '.join(map(named, row.tags)), 'cyan')}")
    return lines


def _fitted(rows: list[list[str]], width: int) -> list[list[str]]:
    """Rows for a terminal of `width` columns (0: any): what steps gave leaves room for the reasons that need little.

    Of what names and numbers leave, reasons get half, or more where what was given needs less; those
    that do not fit there are for lines of their own.
    """
    if not width or not rows:
        return rows
    taken = sum(max(6, *(wide(row[i]) for row in rows)) + 2 for i in range(4))
    room = max(width - 4 - taken, 16)
    most = max(room - max(wide(row[4]) for row in rows), room // 2)
    reasons = max((wide(row[5]) for row in rows if wide(row[5]) <= most), default=0)
    return [[*row[:4], cut(row[4], max(room - reasons, 8)), row[5]] for row in rows]


def _cells(step: StepRow) -> list[str]:
    took = "" if step.seconds is None else seconds(step.seconds)
    memory = size(step.memory) if step.memory else ""
    reasons = "; ".join(dict.fromkeys(clean(reason.text) for reason in step.reasons[:3]))
    gave = ", ".join(
        f"{'' if a.name == 'result' else a.name + ': '}{a.note or size(a.size)}" for a in step.outputs[:3]
    )
    return [clean(step.id), step.status, took, memory, " ".join(clean(gave).split()), paint(reasons, "dim")]
