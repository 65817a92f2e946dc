"""A report in Markdown, short, for a comment on a pull request. What comes from data is code, in which nothing works."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from stepwell.app.report.facts import BEGIN, Facts, Metric
from stepwell.app.report.words import MARKS, TOLD, delta, figure, lasting, moment
from stepwell.app.svg import visible
from stepwell.stores.metrics import left_out

METRICS = 30
MOVED = 15
FAILED = 5

DIFF = 6_000
"""Characters of the diff of the code."""


def markdown(facts: Facts) -> str:
    """The whole comment."""
    run, since = facts.run, facts.since
    lines = [
        BEGIN.rstrip(),
        f"### {MARKS.get(run.status, '')} {_code(run.pipeline)} {run.run} {run.status}",
        "",
        _summary(facts),
        "",
    ]
    for step in facts.failed[:FAILED]:
        error = step.error
        assert error is not None
        lines += [f"- **{_code(step.id)} failed**: {_code(error.what.partition(chr(10))[0][:300])}"]
        if logged := left_out(run.metrics, step.id, step.metrics):
            told = (_code(f"{name}={figure(value)}") for name, value in list(logged.items())[:METRICS])
            lines[-1] += f"; it had logged {', '.join(told)}"
    if facts.failed:
        lines.append("")
    if facts.metrics:
        lines += _table(
            ("metric", "value", f"against {since.run}" if since.run else ""),
            map(_metric, facts.metrics[:METRICS]),
        )
    sources = [one for one in since.data if one.kind != "output"]
    groups = (("parameter", since.params), ("data", sources), ("environment", since.environment))
    moved = [(kind, one) for kind, group in groups for one in group]
    if moved:
        rows = [(kind, _code(one.name), _word(one.before), _word(one.now)) for kind, one in moved[:MOVED]]
        lines += _table(("changed", "", f"in {since.run}", "now"), rows)
    if since.code:
        names = ", ".join(_code(edit.name) for edit in since.code[:MOVED])
        text = "\n".join(edit.diff for edit in since.code)[:DIFF]
        fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", text)), default=0))
        lines += [
            f"<details><summary>code that changed</summary>\n\n{names}\n\n{fence}diff\n{_clean(text)}\n{fence}\n\n</details>",
            "",
        ]
    lines += [f"- {_code(line)}" for line in facts.lock]
    return "\n".join(lines).rstrip() + "\n"


def _summary(facts: Facts) -> str:
    run = facts.run
    told = [f"{count:,} {TOLD.get(name, name)}" for name, count in run.counts.items() if count]
    parts = [moment(run.started), lasting(run.seconds), ", ".join(told)]
    if run.commit:
        parts.append(f"commit {_code(run.commit[:12])}{' with other changes' if run.dirty else ''}")
    parts += [_code(tag) for tag in run.tags]
    params = " ".join(_code(f"{name}={value}"[:80]) for name, value in list(run.params.items())[:MOVED])
    return " · ".join(part for part in parts if part) + (f"\n\n{params}" if params else "")


def _metric(one: Metric) -> Sequence[str]:
    if one.before is None:
        return _code(one.name), figure(one.value), ""
    told = delta(one.value, one.before)
    return _code(one.name), figure(one.value), f"{told}, **{one.change}**" if one.change else told


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    listed = [f"| {' | '.join(row)} |" for row in rows]
    return [f"| {' | '.join(head)} |", f"|{' --- |' * len(head)}", *listed, ""]


def _word(text: str) -> str:
    """What something was: of a digest its beginning."""
    return _code(text[:15] if text.startswith("b3:") else text[:60])


def _code(text: str) -> str:
    """Text of data as code on one line: no link, mention, markup or cell begins in it."""
    found = (
        " ".join(_clean(text).split())
        .replace("`", "'")
        .replace("|", "\\|")
        .replace("<", "‹")
        .replace(">", "›")
    )
    return f"`{found}`" if found else ""


def _clean(text: str) -> str:
    """Text without characters that command or reorder."""
    return visible(text)
