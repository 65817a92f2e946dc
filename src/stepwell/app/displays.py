"""Plans, runs, sweeps and artifacts as notebooks show them: pieces of HTML in which nothing runs and nothing is fetched.

    plan_html(document)                         what `pipeline.plan()` gives, as the value of a cell
    run_html(document, store, root)             a run that has ended, with what its steps recorded and gave
    sweep_html(title, runs, seconds, said)      a row for each point of a sweep
    artifact_html(run, step, artifact, store)   what one step gave: rows of a table, a picture, a model in words

All text comes through `markup.el`, which escapes it. Cards, which are HTML of the user's own, are only
named: a frame in a page without a rule against it could ask the net. The colours are those of the
notebook around: its ink, and shades of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from stepwell.app import svg
from stepwell.app.directions import by_interest
from stepwell.app.finding import best_of
from stepwell.app.pictures import boxes
from stepwell.app.report.facts import Facts, Metric, gather, thing_of
from stepwell.app.report.gave import curves, figures, held, tables, texts
from stepwell.app.report.layout import short, table
from stepwell.app.report.markup import Markup, el
from stepwell.app.report.words import MARKS, TOLD, delta, figure, heavy, lasting, status_told
from stepwell.author.runs import Run
from stepwell.errors import StepwellError, counted
from stepwell.kernel.ports import Artifact
from stepwell.stores.local import LocalStore
from stepwell.stores.metrics import shared

ROWS = 60
"""Steps that are listed; of more, what matters first."""

BOXES = 40
"""Boxes of a graph; of a larger one, all calls of a step are one box."""

METRICS = 40

SWEPT = 8
"""Metrics of a sweep that have a column."""

COLUMNS = 100
"""Columns of a table of which it is told what they hold."""

SIGNS = {"run": "●", "maybe": "◐", "dynamic": "◐", "cached": "○", "skip": "·", "blocked": "✗"}
"""A sign for each decision, the graph's."""

URGENT = ("blocked", "failed", "interrupted", "run", "succeeded", "maybe", "dynamic")
"""Decisions and statuses of which steps are listed first where there are too many."""

DRAWN = {
    "succeeded": "run", "failed": "blocked", "blocked": "blocked", "interrupted": "blocked", "cached": "cached",
    "skipped": "skip",
}  # fmt: skip
"""How a step of a run that has ended is drawn."""

INK = (
    "--ink:currentColor;--faint:color-mix(in srgb,currentColor 68%,transparent);"
    "--edge:color-mix(in srgb,currentColor 45%,transparent);--rule:color-mix(in srgb,currentColor 18%,transparent);"
    "--paper:var(--jp-layout-color0,var(--vscode-editor-background,transparent))"
)

STYLE = (
    ".stepwell{font-variant-numeric:tabular-nums;line-height:1.45}.stepwell h2{font-size:1em;margin:.9em 0 .3em}"
    ".stepwell h3{font-size:.95em;margin:.5em 0 .2em}.stepwell table{border-collapse:collapse;color:inherit;font-size:inherit}"
    ".stepwell th,.stepwell td{text-align:left;padding:2px 18px 2px 0;vertical-align:top;"
    "border-bottom:1px solid var(--rule);max-width:60ch;overflow-wrap:anywhere}"
    ".stepwell .num{text-align:right}.stepwell .scroll{overflow-x:auto}.stepwell caption{text-align:left;white-space:nowrap}"
    ".stepwell .faint,.stepwell th,.stepwell caption{color:var(--faint)}.stepwell .small{font-size:.88em}"
    ".stepwell pre{white-space:pre-wrap;overflow-wrap:anywhere;max-height:20em;overflow:auto}"
    ".stepwell figure{margin:0 0 .8em}.stepwell img{max-width:100%;height:auto;background:#fff}"
    ".stepwell .key{display:inline-block;width:.7em;height:.7em;margin-right:.3em}"
    ".stepwell .line span{margin-right:1em}.stepwell .error{border-left:3px solid #b3261e;padding-left:.8em}"
)


def plan_html(document: Mapping[str, Any]) -> str:
    """A plan by its document (`stepwell plan --json`): what would run and why, and the graph."""
    steps = document["steps"]
    counts = ", ".join(f"{count:,} {verb}" for verb, count in document["counts"].items() if count)
    rows = [
        (f"{SIGNS.get(one['decision'], '')} {one['decision']}", one["id"], _reasons(one))
        for one in _listed(steps, "decision")
    ]
    seconds = document.get("expected", {}).get("seconds", 0.0)
    expected = f"; about {lasting(seconds)}" if seconds >= 0.1 else ""
    return _whole(
        el("strong", document["pipeline"]),
        f"  {_params(document)}",
        table(("", "step", "why"), rows),
        _more(steps),
        el("p", f"{_count(steps)}: {counts or 'nothing to do'}{expected}"),
        _graph(document, steps),
        _notes(document.get("notes", ())),
    )


def run_html(document: Mapping[str, Any], store: LocalStore | None, root: Path) -> str:
    """A run by its document (`stepwell run --json`), with the store that holds it; None where that is gone."""
    facts, told = _facts(document, store, root)
    steps, status = document["steps"], document["status"]
    rows = [
        (status_told(one["status"]), one["id"], lasting(one.get("seconds")), _reasons(one), _logged(one))
        for one in _listed(steps, "status")
    ]
    parts: list[object] = [_metrics(facts)] if facts is not None else []
    parts += [el("div", _failure(one), class_="error") for one in steps if one.get("error")][:5]
    parts += [table(("", "step", "took", "why", "metrics"), rows, numeric=(2,)), _more(steps)]
    if facts is not None:
        parts += [_run_graph(facts), curves(facts.curves), figures(facts.things), tables(facts.things)]
        parts += [texts(facts.things), _elsewhere(facts)]
    return _whole(
        el("strong", f"{document['run']}  {MARKS.get(status, '')} {status}"),
        f"  {document['pipeline']} {_params(document)}",
        el("span", f" {_count(steps)} in {lasting(document['seconds'])}", class_="faint"),
        parts,
        el("p", told, class_="faint") if told else None,
    )


def sweep_html(title: str, runs: Sequence[Run[Any]], seconds: float, said: Mapping[str, str]) -> str:
    """The points of a sweep: what varies, metrics that differ, the best of each with ★ where `said` or its name tells what is better."""
    points = list(dict.fromkeys(name for run in runs for name in run.point))
    known = by_interest(shared([run.metrics for run in runs]), said)
    differing = [name for name in known if len({repr(run.metrics.get(name)) for run in runs}) > 1]
    metrics = (differing or known)[:SWEPT]
    best = {name: best_of(runs, name, said) for name in metrics}
    rows = [
        (
            run.id,
            *(short(run.point.get(name, ""), 40) for name in points),
            status_told(run.status),
            *(_valued(run, name, best[name]) for name in metrics),
            lasting(run.seconds),
        )
        for run in runs[:ROWS]
    ]
    head = ("run", *points, "", *metrics, "took")
    left = [counted(len(runs) - ROWS, "more point")] if len(runs) > ROWS else []
    left += [counted(len(known) - len(metrics), "more metric")] if len(known) > len(metrics) else []
    told = el("p", f"and {' and '.join(left)}: stepwell compare", class_="faint") if left else None
    numeric = range(len(points) + 2, len(head))
    count = el("span", f"  {counted(len(runs), 'point')} in {lasting(seconds)}", class_="faint")
    return _whole(el("strong", title), count, table(head, rows, numeric), told)


def _valued(run: Run[Any], name: str, best: Run[Any] | None) -> str:
    value = run.metrics.get(name)
    return "" if value is None else f"{'★ ' if run is best else ''}{figure(value)}"


def artifact_html(run: str, step: str, artifact: Artifact, store: LocalStore) -> str:
    """What a step gave in a run. Bytes that are damaged or gone are told, not raised."""
    name = step if artifact.name == "result" else f"{step}.{artifact.name}"
    thing = thing_of(store, step, "output", artifact.name, artifact)
    told = f"  {artifact.note}" if artifact.note else ""
    about = el("span", f" {heavy(artifact.size)} of {run}", class_="faint")
    columns = _columns(thing.preview) if thing.preview.get("kind") == "table" else None
    return _whole(el("p", el("strong", name), told, about), held(thing), columns)


def _columns(shown: Mapping[str, Any]) -> Markup:
    """What the columns of a table hold, folded up."""
    rows = []
    for one in shown["columns"][:COLUMNS]:
        low, _, middle, _, high = one["quantiles"] or (None,) * 5
        frequent = ", ".join(f"{short(value, 24)} ({count:,})" for value, count in (one["top"] or ())[:3])
        spread = [figure(value) if value is not None else "" for value in (low, middle, high, one["mean"])]
        rows.append(
            (one["name"], one["type"], f"{one['nulls']:.1%}" if one["nulls"] else "", *spread, frequent)
        )
    sampled = f", of {shown['sampled']:,} rows" if shown.get("sampled") else ""
    left = len(shown["columns"]) - COLUMNS
    head = ("column", "type", "missing", "least", "median", "most", "mean", "most frequent")
    return el(
        "details",
        el("summary", f"what the columns hold{sampled}"),
        table(head, rows, numeric=(2, 3, 4, 5, 6)),
        el("p", f"and {left:,} more columns", class_="faint") if left > 0 else None,
    )


def _whole(*children: object) -> str:
    found = el("div", Markup(f"<style>{STYLE}</style>"), *children, class_="stepwell", style=INK)
    return str(found)  # marimo sends other kinds of text as nothing


def _facts(document: Mapping[str, Any], store: LocalStore | None, root: Path) -> tuple[Facts | None, str]:
    """What the store knows of the run, or why nothing of it is shown."""
    if store is None:
        return None, "its store is gone: what its steps recorded is not shown"
    try:
        return gather(store, root, document["run"], brief=True), ""
    except StepwellError as error:
        return None, error.what


def _params(document: Mapping[str, Any]) -> str:
    params: Mapping[str, Any] = document.get("params", {})
    return ", ".join(f"{name}={short(value, 80)}" for name, value in params.items())


def _reasons(step: Mapping[str, Any]) -> str:
    return "; ".join(reason["text"] for reason in step.get("reasons", ())[:3])


def _logged(step: Mapping[str, Any]) -> str:
    metrics: Mapping[str, Any] = step.get("metrics") or {}
    return ", ".join(f"{name} {figure(value)}" for name, value in list(metrics.items())[:6])


def _count(steps: Sequence[object]) -> str:
    return counted(len(steps), "step")


def _listed(steps: Sequence[Mapping[str, Any]], word: str) -> Sequence[Mapping[str, Any]]:
    """The steps that are listed: all in their order, of too many those that are to be seen first."""
    if len(steps) <= ROWS:
        return steps
    order = {name: place for place, name in enumerate(URGENT)}
    return sorted(steps, key=lambda one: order.get(one[word], len(order)))[:ROWS]


def _more(steps: Sequence[object]) -> Markup | None:
    left = len(steps) - ROWS
    return el("p", f"and {left:,} more steps", class_="faint") if left > 0 else None


def _notes(notes: Sequence[str]) -> Markup | None:
    return el("ul", [el("li", short(note)) for note in notes[:10]]) if notes else None


def _graph(document: Mapping[str, Any], steps: Sequence[Mapping[str, Any]]) -> Markup | None:
    """The graph of a plan; none of one or two steps, which the table tells."""
    if len(steps) < 2:
        return None
    drawn = svg.graph(boxes(dict(document), BOXES), f"the graph of {document['pipeline']}")
    return el("div", Markup(drawn), class_="scroll")


def _run_graph(facts: Facts) -> Markup | None:
    """The graph of a run, as its record tells it."""
    ids = {step.node: step.id for step in facts.steps}
    edges, reads = facts.about.edges, facts.about.reads
    if len(ids) < 2 or not edges:
        return None
    document = {
        "sources": [{"name": source.name} for source in facts.about.sources],
        "steps": [
            {
                "id": step.id,
                "step": step.name,
                "decision": DRAWN.get(step.status, "step"),
                "told": TOLD.get(step.status, step.status),
                "needs": [ids[node] for node in edges[step.node] if node in ids]
                if step.node < len(edges)
                else [],
                "sources": list(dict.fromkeys(facts.about.sources[place].name for place in reads[step.node]))
                if step.node < len(reads)
                else [],
            }
            for step in facts.steps
        ],
    }
    drawn = svg.graph(boxes(document, BOXES), f"the graph of {facts.run.pipeline}")
    return el("div", Markup(drawn), class_="scroll")


def _metrics(facts: Facts) -> Markup | None:
    """The metrics, each with how it moved since the run before."""
    if not facts.metrics:
        return None
    rows = [(one.name, figure(one.value), _moved(one)) for one in facts.metrics[:METRICS]]
    left = len(facts.metrics) - METRICS
    more = el("p", f"and {counted(left, 'more metric')}", class_="faint") if left > 0 else None
    since = f"since {facts.since.run}" if facts.since.run else "change"
    return el("div", table(("metric", "value", since), rows, numeric=(1,)), more)


def _moved(one: Metric) -> str:
    if one.before is None:
        return ""
    return f"{delta(one.value, one.before)}{f', {one.change}' if one.change else ''}"


def _failure(step: Mapping[str, Any]) -> list[object]:
    """What went wrong in a step, with the user's own traceback folded."""
    error = step["error"]
    folded = error.get("traceback") or ""
    return [
        el("div", el("strong", f"{step['id']}: {error['what']}"), f" {error['code']}"),
        el("div", error["why"]) if error.get("why") else None,
        el("ul", [el("li", fix) for fix in error["fixes"]]) if error.get("fixes") else None,
        el("details", el("summary", "traceback"), el("pre", folded)) if folded else None,
    ]


def _elsewhere(facts: Facts) -> Markup:
    """What is not shown here, and where it is."""
    cards = sum(one.preview.get("kind") == "html" for one in facts.things)
    hidden = f"{counted(cards, 'card')} and " if cards else ""
    run = facts.run.run
    told = f"{hidden}more: stepwell show {run}, stepwell report {run}, stepwell ui"
    return el("p", told, *[f"; {line}" for line in facts.left[:3]], class_="faint small")
