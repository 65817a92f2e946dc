"""The last lines of a run: what it gave, what changed since the last run, what took long, what failed, where to look next."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from heapq import nlargest
from typing import TYPE_CHECKING, Any, TextIO

from stepwell.app.progress import Progress
from stepwell.cli.text import clean, last_line, number, paint, seconds, short, table, typed
from stepwell.errors import StepwellError

if TYPE_CHECKING:
    from stepwell.app.sincelast import Moved, Since
    from stepwell.stores.local import LocalStore

MOST_MOVED = 5
"""Metrics whose change is told."""

MANY_RAN = 8
"""Steps above which it is told which of them took longest, and which failed: of fewer, it stands right above (where one failed)."""

LONG = 5.0
"""Seconds from which on it is of interest what a run took."""


def summary(
    run: str,
    progress: Progress,
    result: Any,
    stream: TextIO | None = None,
    *,
    quiet: bool = False,
    store: LocalStore | None = None,
) -> list[str]:
    """The last lines of a run: result, counts, what to do next. With `store` also how it differs from the run before."""
    statuses = progress.counts
    ran = statuses.get("succeeded", 0) + statuses.get("failed", 0)
    lines = []
    if result is not None and not quiet:
        lines += _result_lines(_noted(progress, result))
    hints: list[str] = []
    if not quiet and ran:
        lines += _beside(run, progress, store, stream, hints)
        if ran > MANY_RAN:
            lines += _slowest(progress)
        if ran > MANY_RAN or statuses.get("failed", 0) > 1:
            lines += _failed(run, progress, hints)
    parts = [f"{statuses.get('succeeded', 0):,} ran", f"{statuses.get('cached', 0):,} cached"]
    parts += [
        f"{statuses[word]:,} {word}"
        for word in ("failed", "blocked", "interrupted", "skipped")
        if statuses.get(word)
    ]
    if hints:
        lines.append(paint(f"look further: {'   '.join([*hints, 'stepwell ui'])}", "dim", stream))
    lines.append(last_line(run, progress.status, progress.seconds, ", ".join(parts), stream))
    if progress.status == "interrupted":
        lines.append("resume with the same command: what is done is kept")
    return lines


# --------------------------------------------------------------------------- the result


def _noted(progress: Progress, result: Any) -> Any:
    """The result with words in place of what is no plain data and stands in a list."""
    if not isinstance(result, list | dict):
        return result
    from stepwell.app.values import noted  # most results are of one value

    return noted(progress.plan.graph.result, result, progress.outputs)


def _result_lines(result: Any) -> list[str]:
    if not isinstance(result, dict):
        return [f"result  {_shown(result, 200)}"]
    lines = []
    for name, value in result.items():
        if isinstance(value, dict):
            rows = table([[clean(str(key)), _shown(item)] for key, item in value.items()])
            lines += [clean(str(name)), *(f"  {row}" for row in rows)]
        elif value is not None:
            lines.append(f"{clean(str(name))}  {_shown(value)}")
    return lines if len(lines) <= 30 else [*lines[:30], f"… {len(lines) - 30} more"]


def _shown(value: object, width: int = 60) -> str:
    return number(value) if isinstance(value, int | float) else short(value, width)


# --------------------------------------------------------------------------- beside the last run


def _beside(
    run: str, progress: Progress, store: LocalStore | None, stream: TextIO | None, hints: list[str]
) -> list[str]:
    """Tags, and metrics with their change since the last run. A store that cannot be read any more says nothing here."""
    if store is None or not run.startswith("r"):
        return []
    from stepwell.app.plaindata import plain

    metrics, params = progress.metrics, {name: plain(value) for name, value, _ in progress.plan.graph.params}
    try:
        tags = store.runs.tags(run)
        found = None
        if metrics:
            from stepwell.app.sincelast import since_last  # runs without metrics do without

            found = since_last(store, run, params, metrics)
    except StepwellError as error:
        return [paint(f"note: how it differs from the run before cannot be told: {clean(error.what)}", "dim", stream)]  # fmt: skip
    lines = [f"tags  {paint('  '.join(map(clean, tags)), 'cyan', stream)}"] if tags else []
    if found is not None and (found.moved or progress.status == "succeeded"):
        hints.append("stepwell compare")
        lines += since_lines(found, stream, _changed(progress))
    return lines


def _changed(progress: Progress) -> list[str]:
    """What the steps that ran had run anew for beside parameters: definitions, files and variables that they read, versions."""
    told: dict[str, None] = {}
    for outcome in progress.outcomes.values():
        if outcome.status in ("succeeded", "failed"):
            told.update(
                (one.name, None)
                for one in outcome.decision.reasons
                if one.kind in ("code", "observed", "environment") and one.name
            )
    return [*told]


def since_lines(found: Since, stream: TextIO | None = None, changed: Sequence[str] = ()) -> list[str]:
    """What changed since the last run: parameters and what else `changed` on a line, and a line each for the metrics of most interest."""
    differ = [
        f"{clean(name)} {typed(before)} → {typed(now)}"
        for name, (before, now) in list(found.params.items())[:3]
    ]
    differ += [f"{len(found.params) - 3} more"] if len(found.params) > 3 else []
    changed = [*found.data, *(name for name in changed if name not in found.data)]
    differ += [f"{short(clean(name), 40)} changed" for name in changed[:3]]
    differ += [f"{len(changed) - 3} more changed"] if len(changed) > 3 else []
    told = f": {', '.join(differ)}" if differ else ""
    if not found.moved:
        return [f"metrics as in {found.before}{told}"]
    rows = [_moved(one, stream) for one in found.moved[:MOST_MOVED]]
    lines = [f"since {found.before}{told}", *(f"  {row}" for row in table(rows))]
    further = [f"{len(found.moved) - MOST_MOVED:,} more changed"] if len(found.moved) > MOST_MOVED else []
    further += (
        [f"{found.same:,} {'metric' if found.same == 1 else 'metrics'} as before"] if found.same else []
    )
    return [*lines, f"  {', '.join(further)}"] if further else lines


def _moved(one: Moved, stream: TextIO | None) -> list[str]:
    """A row: the metric, its value, its change, and whether that is better."""
    if one.before is None:
        return [clean(one.name), number(one.value), "new", ""]
    difference = one.value - one.before
    if difference == difference and abs(difference) != float("inf"):
        told = f"{'+' if difference > 0 else ''}{number(float(f'{difference:.3g}'))}"
    else:
        told = f"was {number(one.before)}"
    return [
        clean(one.name),
        number(one.value),
        told,
        paint(one.way, "green" if one.way == "better" else "red", stream),
    ]


# --------------------------------------------------------------------------- many steps


def _slowest(progress: Progress) -> Iterator[str]:
    """What took longest, where the run took long."""
    if progress.seconds < LONG:
        return
    ran = ((one.seconds, node) for node, one in progress.outcomes.items() if one.status in ("succeeded", "failed"))  # fmt: skip
    nodes = progress.plan.graph.nodes
    longest = nlargest(3, ran)
    told = [
        f"{short(clean(nodes[node].id), 40)} {seconds(took)}"
        for took, node in longest
        if took * 10 >= longest[0][0]
    ]
    yield f"slowest  {'   '.join(told)}"


def _failed(run: str, progress: Progress, hints: list[str]) -> Iterator[str]:
    """What failed, by name, and where to read what it wrote."""
    nodes = progress.plan.graph.nodes
    failed = [nodes[node].id for node, _ in progress.ended("failed")]
    if failed:
        more = f" and {len(failed) - 4:,} more" if len(failed) > 4 else ""
        yield f"failed  {', '.join(short(clean(name), 40) for name in failed[:4])}{more}"
        hints += [f"stepwell show {run}", f"stepwell logs {run}"]
