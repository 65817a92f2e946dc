"""A comparison for people: two runs with their differences, more as a table; and as CSV for other programs."""

from __future__ import annotations

import csv
import io
import json
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from stepwell.app.comparing import metric_names
from stepwell.app.directions import change
from stepwell.app.plaindata import number as number_json
from stepwell.app.plaindata import plain
from stepwell.cli.text import clean, columns, cut, named, number, paint, seconds, short, table, typed, wide
from stepwell.stores.history import RunRow

Document = Mapping[str, Any]

WIDTH = 80
"""Columns where no terminal says how many there are."""

DIFF_LINES = 40
"""Lines of diffs that are shown without `--code`."""

DATA_LINES = 8
"""Lines that are shown of what changed in one source or output."""

METRICS = 20
"""Metrics of two runs that are shown without `--all`."""

TIMES = 8
"""Steps whose times are shown."""

VALUE = 24
"""Columns of a parameter's value."""

COLOUR = {"better": "green", "worse": "red", "": "dim"}
STATUS = {"succeeded": "green", "failed": "red", "interrupted": "yellow", "running": "cyan"}


def lines(document: Document, *, everything: bool = False, code: bool = False) -> Iterator[str]:
    """The comparison as lines: of two runs all that differs (`everything`: also what is equal), of more a table."""
    runs = document["runs"]
    if len(runs) == 2:
        yield from _pair(document, everything, code)
    else:
        yield from _many(document, everything)
        if code:
            yield from _code(document, code=True)
    for note in document["notes"]:
        yield paint(f"note: {clean(note)}", "dim")


# --------------------------------------------------------------------------- two runs


def _pair(document: Document, everything: bool, code: bool) -> Iterator[str]:
    yield from table([_head(run) for run in document["runs"]])
    params = [_values(row, document) for row in _told(document["params"], everything)]
    metrics = [_metric(row, document) for row in _ranked(document, everything)]
    most = len(metrics) if everything else METRICS
    environment = [_values(row, document) for row in document["environment"]]
    said = [
        *_titled("parameters", params, document),
        *_titled("metrics", metrics[:most], document),
        *([paint(f"  … and {len(metrics) - most:,} more: --all", "dim")] if len(metrics) > most else []),
        *_section("code", list(_code(document, code))),
        *_section("data", list(_data(document))),
        *_titled("environment", environment, document),
    ]
    yield from said or ["no parameter, metric, code, data or environment differs"]
    yield from _titled("times", _times(document, everything), document)


def _titled(title: str, rows: Sequence[Sequence[str]], document: Document) -> list[str]:
    """Rows below the names of the two runs; nothing where there are no rows."""
    if not rows:
        return []
    runs = [paint(run["run"], "dim") for run in document["runs"]]
    head = [paint(title, "bold"), *runs, *[""] * (len(rows[0]) - 3)]
    return table([head, *([f"  {row[0]}", *row[1:]] for row in rows)])


def _section(title: str, body: Sequence[str]) -> Iterator[str]:
    if body:
        yield paint(title, "bold")
        yield from (f"  {line}" for line in body)


def _head(run: Document) -> list[str]:
    when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(run["started"]))
    commit = f"{run['commit'][:7]}{'+' if run['dirty'] else ''}" if run["commit"] else ""
    tags = " ".join(clean(tag) for tag in run["tags"])
    status = paint(run["status"], STATUS[run["status"]])
    return [
        paint(run["run"], "bold"),
        clean(run["pipeline"]),
        status,
        when,
        seconds(run["seconds"]),
        commit,
        tags,
    ]


def _told(rows: Iterable[Document], everything: bool) -> list[Document]:
    return [row for row in rows if everything or row["differs"]]


def _shown(value: Any) -> str:
    return (
        paint("–", "dim")
        if value is None
        else short(value, VALUE)
        if isinstance(value, str)
        else typed(value)
    )


def _values(row: Document, document: Document) -> list[str]:
    return [clean(row["name"]), *(_shown(row["values"][run["run"]]) for run in document["runs"])]


def _metric(row: Document, document: Document) -> list[str]:
    first, second = (run["run"] for run in document["runs"])
    before, after = row["values"][first], row["values"][second]
    delta = row["deltas"][second]
    verdict = ""
    if before is not None and after is not None:  # "NaN" and "Infinity" are texts
        said = {row["name"]: row["direction"]} if row["direction"] else {}
        verdict = change(row["name"], float(before), float(after), said)
    told = paint(
        " ".join(part for part in (_signed(delta) if delta else "", verdict) if part), COLOUR[verdict]
    )
    return [clean(row["name"]), _number(before), _number(after), told]


def _number(value: Any) -> str:
    return (
        paint("–", "dim")
        if value is None
        else number(value)
        if isinstance(value, int | float)
        else str(value)
    )


def _signed(value: float) -> str:
    return f"{'+' if value > 0 else '−'}{number(abs(value))}"


def _times(document: Document, everything: bool) -> list[list[str]]:
    """Steps whose times differ most, of those that were executed in one of the runs."""
    first, second = (run["run"] for run in document["runs"])
    rows = []
    for step in document["steps"]:
        before, after = step["seconds"][first], step["seconds"][second]
        ran = "succeeded" in step["status"].values() or "failed" in step["status"].values()
        if not ran and not everything:
            continue
        gap = (after or 0.0) - (before or 0.0)
        told = f"{'+' if gap > 0 else '−'}{seconds(abs(gap))}" if None not in (before, after) and gap else ""
        cells = [clean(step["step"]), *(_time(step, run) for run in (first, second)), paint(told, "dim")]
        rows.append((abs(gap), cells))
    if not everything:
        kept = sorted(sorted(rows, key=lambda row: -row[0])[:TIMES], key=rows.index)
        return [cells for gap, cells in kept if gap >= 0.005]
    return [cells for _, cells in rows]


def _time(step: Document, run: str) -> str:
    took, status = step["seconds"][run], step["status"][run]
    if not status:
        return paint("–", "dim")
    return seconds(took) if status == "succeeded" and took is not None else status


def _code(document: Document, code: bool) -> Iterator[str]:
    """What each step ran, as diffs: whole, or the first lines of them."""
    left = 10**9 if code else DIFF_LINES
    for step in document["code"]:
        if not step["changed"]:
            continue
        yield f"{clean(step['step'].rpartition(':')[2])}  {paint(_editions(step['digests']), 'dim')}".rstrip()
        for one in step["diffs"]:
            if not one["diff"]:
                yield f"  {clean(one['name'])} changed; its text is not kept"
            found = one["diff"].split("\n") if one["diff"] else []
            for line in found[:left]:
                colour = {"+": "green", "-": "red", "@": "cyan"}.get(line[:1])
                yield f"  {paint(clean(line), colour) if colour else clean(line)}"
            if len(found) > left:
                yield paint(f"  … {len(found) - left:,} more lines: stepwell compare --code", "dim")
            left = max(left - len(found), 0)


def _editions(digests: Mapping[str, str]) -> str:
    """Which runs had the same code, where there are more than two: "r3 r4 | r5"."""
    if len(digests) < 3:
        return ""
    same: dict[str, list[str]] = {}
    for run, digest in digests.items():
        same.setdefault(digest, []).append(run)
    return " | ".join(_runs(runs) for runs in same.values())


def _runs(runs: Sequence[str], most: int = 4) -> str:
    return " ".join(runs[:most]) + (f" and {len(runs) - most:,} more" if len(runs) > most else "")


def _data(document: Document) -> Iterator[str]:
    """Sources, then what else steps read, then outputs, with what changed in each."""
    marks = {"source": "  (source)", "read": "  (read by steps)", "output": ""}
    for kind, mark in marks.items():
        for row in document["data"]:
            if row["kind"] != kind or not row["differs"]:
                continue
            title = clean(row["name"]) + (paint(mark, "dim") if mark else "")
            found = [line for one in row["changes"] for line in one["lines"]]
            if len(found) == 1:
                yield f"{title}  {clean(found[0])}"
                continue
            yield title
            yield from (f"  {clean(line)}" for line in found[:DATA_LINES])
            if len(found) > DATA_LINES:
                yield paint(f"  … {len(found) - DATA_LINES:,} more lines in --json", "dim")


# --------------------------------------------------------------------------- many runs


def _many(document: Document, everything: bool) -> Iterator[str]:
    """A row a run: what varies, then as many metrics as there is room for; ★ at the best value."""
    runs = document["runs"]
    shared, rows = _shared(document)
    if shared:
        yield shared
    columns_ = [["run", *(run["run"] for run in runs)]]
    if len({run["pipeline"] for run in runs}) > 1:
        columns_.append(["pipeline", *(clean(run["pipeline"]) for run in runs)])
    if any(run["status"] != "succeeded" for run in runs):
        columns_.append(["status", *(paint(run["status"], STATUS[run["status"]]) for run in runs)])
    last = ["took", *(seconds(run["seconds"]) for run in runs)]
    params = [
        [named(row["name"]), *(_cell(row, run) for run in runs)]
        for row in rows
        if everything or row["differs"]
    ]
    metrics = [
        [named(row["name"]), *(_best(row, run) for run in runs)] for row in _ranked(document, everything)
    ]
    shown = _fitting(columns_, params, metrics, last)
    hidden = len(columns_) + len(params) + len(metrics) + 1 - len(shown)
    yield from table(
        list(zip(*(column[1:] for column in shown), strict=True)), [column[0] for column in shown]
    )
    if hidden:
        yield paint(f"… and {hidden:,} more columns: --metric GLOB, --csv, --json", "dim")
    yield from _also(document)


def _shared(document: Document) -> tuple[str, list[Document]]:
    """What all runs have in common, as a line, and the parameters."""
    runs, rows = document["runs"], document["params"]
    name = clean(runs[0]["pipeline"]) if len({run["pipeline"] for run in runs}) == 1 else ""
    groups = {run["group"] for run in runs}
    group = f"  {paint(next(iter(groups)), 'dim')}" if len(groups) == 1 and "" not in groups else ""
    same = "  ".join(
        f"{clean(row['name'])}={_shown(row['values'][runs[0]['run']])}" for row in rows if not row["differs"]
    )
    line = f"{len(runs):,} run{'s' if len(runs) > 1 else ''}  {name}{group}  {paint(same, 'dim')}".rstrip()
    return cut(line, columns() or WIDTH), rows


def _ranked(document: Document, everything: bool) -> list[Document]:
    """Metrics that differ, those of which it is known what is better first."""
    told = [row for row in document["metrics"] if everything or row["differs"] or len(document["runs"]) == 1]
    return sorted(told, key=lambda row: not row["direction"])


def _cell(row: Document, run: Document) -> str:
    return _shown(row["values"][run["run"]])


def _best(row: Document, run: Document) -> str:
    value = row["values"][run["run"]]
    return _number(value) + (paint(" ★", "green") if run["run"] in row["best"] else "")


def _fitting(
    first: list[list[str]], params: list[list[str]], metrics: list[list[str]], last: list[str]
) -> list[list[str]]:
    """The columns that fit the terminal: two metrics have room before the parameters take all of it."""
    room = (columns() or WIDTH) - _width(last) - sum(_width(one) + 2 for one in first)
    kept = _taken(metrics[:2], room // 2)
    room -= sum(_width(one) + 2 for one in kept)
    shown = _taken(params, room)
    room -= sum(_width(one) + 2 for one in shown)
    return [*first, *shown, *kept, *_taken(metrics[len(kept) :], room), last]


def _taken(found: Sequence[list[str]], room: int) -> list[list[str]]:
    out = []
    for one in found:
        room -= _width(one) + 2
        if room < 0:
            break
        out.append(one)
    return out


def _width(column: Sequence[str]) -> int:
    return max(wide(cell) for cell in column)


def _also(document: Document) -> Iterator[str]:
    """What else differs between the runs, by name."""
    code = [clean(one["step"].rpartition(":")[2]) for one in document["code"] if one["changed"]]
    sources = [clean(one["name"]) for one in document["data"] if one["differs"] and one["kind"] != "output"]
    environment = [clean(row["name"]) for row in document["environment"] if row["differs"]]
    for title, names in (("code of", code), ("data", sources), ("environment", environment)):
        if names:
            more = f" and {len(names) - 6} more" if len(names) > 6 else ""
            yield f"{paint('also differs:', 'dim')} {title} {', '.join(names[:6])}{more}"


# --------------------------------------------------------------------------- CSV


def csv_text(runs: Sequence[RunRow], glob: str = "") -> str:
    """A row a run with all its parameters and metrics (those that a glob matches), and a head.

    No cell can be taken for a formula by a spreadsheet: a text that begins like one has an apostrophe before it.
    """
    params = dict.fromkeys(name for row in runs for name in row.params)
    metrics = metric_names(runs, glob)
    head = ["run", "pipeline", "status", "started", "seconds", "commit", "dirty", "group", "tags"]
    out = io.StringIO()
    write = csv.writer(out, lineterminator="\n").writerow
    write(
        [
            *head,
            *map(_safe, (f"params.{name}" for name in params)),
            *map(_safe, (f"metrics.{name}" for name in metrics)),
        ]
    )
    for row in runs:
        started = time.strftime("%Y-%m-%dT%H:%M:%S%z", time.localtime(row.started))
        facts: list[Any] = [
            row.run,
            row.pipeline,
            row.status,
            started,
            row.seconds,
            row.commit,
            row.dirty,
            row.group,
        ]
        values = [*facts, " ".join(row.tags), *(row.params.get(name) for name in params)]
        numbers = [number_json(row.metrics[name]) if name in row.metrics else None for name in metrics]
        write([_safe(value) for value in (*values, *numbers)])
    return out.getvalue()


def _safe(value: Any) -> Any:
    """A cell: a number as it is, lists and records as JSON, and text that is no formula."""
    value = plain(value)
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return value
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    text = clean(text)
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") and text != "-Infinity" else text
