"""A report as one page of HTML, which needs nothing else and in which nothing runs.

Pictures are in it as `data:`; a step's own card is a frame without any rights, below the rule of the page that no
script is run and nothing is fetched. What comes from data reaches the page through `markup.el`, which escapes it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

from stepwell.app import svg
from stepwell.app.pictures import boxes
from stepwell.app.report.changes import code, data, environment, lock
from stepwell.app.report.facts import BEGIN, Facts, Metric
from stepwell.app.report.gave import cards, curves, figures, tables, texts
from stepwell.app.report.layout import section, short, table
from stepwell.app.report.markup import Markup, el
from stepwell.app.report.words import MARKS, TOLD, delta, figure, heavy, lasting, moment, status_told
from stepwell.errors import counted
from stepwell.stores.metrics import left_out
from stepwell.stores.steprow import StepRow
from stepwell.version import VERSION

POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
"""No script, no request: not of the page, and not of a card in it, which inherits the rule."""

DOCTYPE = "<!doctype html>\n"

STEPS = 100
"""Steps that are listed one by one; of more, those that failed, ran and took longest first."""

METRICS = 40
"""Metrics that are shown large."""

BOXES = 60
"""Boxes of the graph; of a larger one, all calls of a step are one box."""

KINDS = {
    "succeeded": "run", "failed": "blocked", "blocked": "blocked", "interrupted": "blocked", "cached": "cached",
    "skipped": "skip", "running": "maybe",
}  # fmt: skip


def page(facts: Facts) -> str:
    """The page."""
    title = f"{facts.run.pipeline} {facts.run.run}: {facts.run.status}"
    head = el(
        "head",
        el("meta", charset="utf-8"),
        el("meta", http_equiv="Content-Security-Policy", content=POLICY),
        el("meta", name="viewport", content="width=device-width, initial-scale=1"),
        el("meta", name="referrer", content="no-referrer"),
        el("title", title),
        Markup(f"<style>{_style()}</style>"),
    )
    parts = [
        _header(facts), _failures(facts), _metrics(facts), curves(facts.curves), figures(facts.things),
        _graph(facts), tables(facts.things), cards(facts.things), texts(facts.things), _steps(facts), data(facts),
        code(facts), environment(facts), lock(facts), _left(facts.left), _footer(facts),
    ]  # fmt: skip
    body = el("body", el("main", [part for part in parts if part]))
    return f"{DOCTYPE}{BEGIN}{el('html', head, body, lang='en')}\n"


@cache
def _style() -> str:
    return Path(__file__).with_name("style.css").read_text("utf-8")


def _header(facts: Facts) -> Markup:
    run, since = facts.run, facts.since
    counts = ", ".join(f"{count:,} {TOLD.get(name, name)}" for name, count in run.counts.items() if count)
    dirty = " with other changes" if run.dirty else ""
    line = [
        el("span", f"{MARKS.get(run.status, '')} {run.status}", class_=f"badge {run.status}"),
        el("span", moment(run.started)),
        el("span", "took ", lasting(run.seconds)) if run.seconds is not None else None,
        el("span", counts) if counts else None,
        el("span", "commit ", el("code", run.commit[:12]), dirty) if run.commit else None,
        el("span", f"compared with {since.run}", class_="faint") if since.run else None,
    ]
    tags = [el("span", tag, class_="tag") for tag in run.tags]
    moved = {one.name: one.before or "–" for one in since.params}
    params = [
        (name, el("code", short(value)), el("code", moved.get(name, "")))
        for name, value in run.params.items()
    ]
    listed = table(("parameter", "value", f"in {since.run}" if since.run else ""), params) if params else None
    return el(
        "header",
        el("h1", f"{run.pipeline} ", el("span", run.run, class_="faint")),
        el("p", line, class_="line"),
        el("p", tags, class_="line") if tags else None,
        listed,
    )


def _failures(facts: Facts) -> Markup | None:
    """What went wrong, as a command prints it, and what was logged before."""
    failed = facts.failed
    if not failed:
        return None
    found = []
    for step in failed[:20]:
        error = step.error
        assert error is not None
        trace = (
            el("details", el("summary", "traceback"), el("pre", error.traceback, tabindex="0"))
            if error.traceback
            else None
        )
        found.append(
            el(
                "div",
                el("h3", step.id, " ", el("span", error.code, class_="faint")),
                el("pre", error.what, class_="wrapped"),
                el("p", error.why) if error.why else None,
                el("ul", [el("li", fix) for fix in error.fixes], class_="plain") if error.fixes else None,
                _logged(facts, step),
                trace,
                class_="error",
            )
        )
    more = el("p", f"and {len(failed) - 20:,} more") if len(failed) > 20 else None
    return section("What failed", found, more)


def _logged(facts: Facts, step: StepRow) -> Markup | None:
    """The metrics of a step that failed, which are none of the run's."""
    found = left_out(facts.run.metrics, step.id, step.metrics)
    rows = [(name, figure(value)) for name, value in list(found.items())[:METRICS]]
    return table(("logged before", "value"), rows, numeric=(1,)) if rows else None


def _metrics(facts: Facts) -> Markup | None:
    """The first metrics large, the others in a table."""
    if not facts.metrics:
        return None
    before = facts.since.run
    each = list(facts.metrics)
    if len(each) > METRICS:  # what moved is more worth than what is first
        each.sort(key=lambda one: (one.change == "", one.before is None or one.before == one.value))
    shown, rest = each[:METRICS], each[METRICS:]
    rows = [(one.name, figure(one.value), _told(one, before)) for one in rest]
    more = el(
        "details",
        el("summary", f"{len(rest):,} more"),
        table(("metric", "value", "change"), rows, numeric=(1,)),
    )
    return section(
        "Metrics", el("ul", [_metric(one, before) for one in shown], class_="cards"), more if rest else None
    )


def _told(one: Metric, before: str) -> str:
    """How a metric moved since the run before, in a few words."""
    if one.before is None:
        return f"new since {before}" if before else ""
    return f"{delta(one.value, one.before)}{f', {one.change}' if one.change else ''}"


def _metric(one: Metric, before: str) -> Markup:
    told = _told(one, before)
    return el(
        "li",
        el("div", one.name, class_="name"),
        el("div", figure(one.value), class_="value"),
        el("div", told, class_=f"small {one.change or 'faint'}") if told else None,
    )


def _graph(facts: Facts) -> Markup | None:
    about, steps = facts.about, facts.steps
    ids = {step.node: step.id for step in steps}
    if not steps or not about.edges:
        return None
    document = {
        "sources": [{"name": source.name} for source in about.sources],
        "steps": [
            {
                "id": step.id,
                "step": step.name,
                "decision": KINDS.get(step.status, "step"),
                "told": " · ".join(part for part in (TOLD.get(step.status, step.status), lasting(step.seconds) if step.status == "succeeded" else "") if part),
                "needs": [ids[node] for node in _at(about.edges, step.node) if node in ids],
                "sources": list(dict.fromkeys(about.sources[place].name for place in _at(about.reads, step.node))),
            }
            for step in steps
        ],
    }  # fmt: skip
    drawn = svg.graph(
        boxes(document, BOXES), f"the graph of {facts.run.pipeline}: {counted(len(steps), 'step')}"
    )
    legend = "● ran  ○ reused  ✗ failed, blocked or interrupted  ◐ running  · left out  ◇ source"
    return section(
        "Graph",
        el("div", Markup(drawn), class_="scroll", tabindex="0", role="group", aria_label="graph"),
        el("p", legend, class_="small faint"),
    )


def _at(lists: Sequence[Sequence[int]], node: int) -> Sequence[int]:
    return lists[node] if node < len(lists) else ()


def _steps(facts: Facts) -> Markup | None:
    if not facts.steps:
        return None
    first = {"failed": 0, "blocked": 1, "interrupted": 1, "running": 2}
    chosen = facts.steps
    if len(chosen) > STEPS:
        chosen = sorted(chosen, key=lambda one: (first.get(one.status, 3), -(one.seconds or 0.0)))[:STEPS]
    rows = [
        (
            el("span", status_told(one.status), class_=one.status),
            one.id,
            lasting(one.seconds)
            if one.status != "cached"
            else el("span", lasting(one.seconds), class_="faint"),
            heavy(one.memory),
            "; ".join(reason.text for reason in one.reasons[:3]),
            ", ".join(output.note or output.codec for output in one.outputs[:4]),
        )
        for one in chosen
    ]
    more = (
        el("p", f"{len(facts.steps) - STEPS:,} more steps, which were shorter or reused", class_="faint")
        if len(facts.steps) > STEPS
        else None
    )
    notes = [el("li", el("code", one.id), ": ", note) for one in facts.steps for note in one.notes][:40]
    return section(
        "Steps",
        table(("status", "step", "took", "memory", "why", "gave"), rows, numeric=(2, 3)),
        more,
        el("ul", notes, class_="plain") if notes else None,
    )


def _left(left: Sequence[str]) -> Markup | None:
    """What is not in the report, and that it is not."""
    if not left:
        return None
    return section(
        "Left out",
        el("ul", [el("li", line) for line in left[:50]], class_="plain"),
        el("p", "`stepwell ui` shows all.", class_="faint"),
    )


def _footer(facts: Facts) -> Markup:
    return el("footer", f"Stepwell {VERSION} · stepwell report {facts.run.run}")
