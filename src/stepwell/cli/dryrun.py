"""A plan as people see it, from the document that `plan --json` prints: a list, a table, a graph in the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any

from stepwell.app.causes import named
from stepwell.app.documents import plan_document
from stepwell.app.parameters import origins_line
from stepwell.app.pictures import MARKS, lanes, tally
from stepwell.cli.text import clean, columns, cut, given, paint, seconds, size, table, wide, wrapped
from stepwell.kernel.plan import Plan

Document = Mapping[str, Any]

COLOUR = {
    "run": "yellow",
    "maybe": "cyan",
    "cached": "dim",
    "blocked": "red",
    "skip": "dim",
    "dynamic": "cyan",
    "source": "green",
    "step": "cyan",
}
MANY = 40
"""Lines of a list above which only those of interest are shown."""

ALIKE = 4
"""Calls of one step, one after the other, from which on they are one line of a list."""

CAUSES = 10
"""Causes that are told below a list."""

SHORT_DIFF = 12
"""Lines of a diff that are shown below its cause."""

QUIET = ("cached", "skip")
"""Decisions that need no attention where lines are many."""

ORDER = ("cached", "run", "maybe", "dynamic", "blocked", "skip")
WORDS = {"skip": "left out"}


def plan_text(plan: Plan, document: Document | None = None) -> str:
    """A plan as a list in the order of execution, then what caused it, with short diffs, then the sums."""
    found = plan_document(plan) if document is None else document
    width = columns()
    rows, hidden = _rows(found["steps"])
    drawn = table(_used(rows), width=max(width - 2, 0), whole=True)
    lines, told = [heading(found), *(f"  {line}" for line in drawn)], False
    if hidden:
        lines.append(paint(f"  … and {hidden:,} more: --table lists them all", "dim"))
    for block in ([*_sources(found), *_causes(found, width)], _notes(found, width)):
        lines += ["", *block] if block else []
        told = told or bool(block)
    lines += [""] if told else []
    return "\n".join([*lines, summary(found)])


def heading(document: Document) -> str:
    """The pipeline and its parameters on one line; on a second one where these came from, if that is not plain to see."""
    params, came = given(document["params"]), origins_line(document["params_from"])
    first = paint(clean(document["pipeline"]), "bold") + (f"  {params}" if params else "")
    return "\n".join([first, *([paint(f"  {clean(came)}", "dim")] if came else [])])


# ---------------------------------------------------------------------------- the list


def _rows(steps: Sequence[Document]) -> tuple[list[list[str]], int]:
    """The rows of the list, and how many steps are on none of them."""
    groups: list[list[Document]] = []
    for _, found in groupby(steps, key=lambda step: step["id"].rpartition("/")[0]):
        groups += _groups(list(found))
    if len(groups) > MANY:
        busy = [group for group in groups if any(step["decision"] not in QUIET for step in group)]
        groups = busy[:MANY] if busy else groups[:5]
    rows: list[list[str]] = []
    path: list[str] = []
    for group in groups:
        *around, _ = group[0]["id"].split("/")
        common = 0
        while common < min(len(path), len(around)) and path[common] == around[common]:
            common += 1
        rows += [
            [f"{'  ' * depth}{clean(around[depth])}/", *[""] * 4] for depth in range(common, len(around))
        ]
        path = around
        rows.append(_row(group, "  " * len(around)))
    return rows, len(steps) - sum(map(len, groups))


def _groups(steps: Sequence[Document]) -> list[list[Document]]:
    """The steps of one pipeline: where one is called often, all its calls in place of the first, else each alone."""
    calls: dict[str, list[Document]] = {}
    for step in steps:
        calls.setdefault(step["step"], []).append(step)
    out: list[list[Document]] = []
    for step in steps:
        alike = calls[step["step"]]
        if len(alike) < ALIKE:
            out.append([step])
        elif alike[0] is step:
            out.append(alike)
    return out


def _row(group: Sequence[Document], margin: str) -> list[str]:
    """A row: id or name, decision, seconds, bytes read, reasons."""
    first = group[0]
    if len(group) == 1:
        verb, name = first["decision"], first["id"].rpartition("/")[2]
        return [margin + clean(name), paint(verb, COLOUR[verb]), took(first), reads(first), _why(first)]
    verbs = tally(step["decision"] for step in group)
    busy = [step for step in group if step["decision"] not in QUIET] or [first]
    times = [step["seconds"] for step in group if step["seconds"] is not None]
    sizes = [step["reads"] for step in group if step["reads"] is not None]
    told = {tuple(_texts(step["reasons"], own=True)) for step in busy}
    why = (
        _why(busy[0])
        if len(told) == 1 and any(told)
        else _waits(busy)
        if len(told) == 1
        else "several reasons"
    )
    return [
        f"{margin}{clean(first['step'])} ×{len(group):,}",
        paint(verbs, COLOUR.get(verbs, "")) if verbs in COLOUR else verbs,
        f"{seconds(sum(times) / len(times))} each" if times else "",
        f"{size(sum(sizes) / len(sizes))} each" if sizes and max(sizes) else "",
        why,
    ]


def _used(rows: list[list[str]]) -> list[list[str]]:
    """Rows without the columns in which nothing stands."""
    kept = [i for i in range(len(rows[0]) if rows else 0) if i in (0, 4) or any(row[i] for row in rows)]
    return [[row[i] for i in kept] for row in rows]


def took(step: Document) -> str:
    """How long a step took last time."""
    return "" if step["seconds"] is None else seconds(step["seconds"])


def reads(step: Document) -> str:
    """About how much a step reads."""
    return size(step["reads"]) if step["reads"] else ""


def _texts(reasons: Iterable[Document], *, own: bool = False) -> list[str]:
    found = [reason["text"] for reason in reasons if not own or reason["kind"] != "upstream"]
    return list(dict.fromkeys(found))


def _why(step: Document) -> str:
    """The reasons of a step on one line."""
    texts = [clean(text) for text in _texts(step["reasons"])]
    if step.get("last_failure"):
        texts.insert(0, paint(clean(step["last_failure"]), "red"))
    told = "; ".join(texts[:3]) + (f"; and {len(texts) - 3} more" if len(texts) > 3 else "")
    return paint(told, "dim") if step["decision"] in QUIET else told


def _waits(group: Sequence[Document]) -> str:
    """What the calls of one step wait for, together; their reasons where they wait for nothing."""
    names = dict.fromkeys(reason["name"] for step in group for reason in step["reasons"] if "name" in reason)
    return f"waits for {clean(named(names))}" if names else _why(group[0])


# ---------------------------------------------------------------------------- below the list


def _sources(document: Document) -> list[str]:
    """Sources that are not what they were."""
    return [
        f"source `{clean(source['name'])}` changed: {clean(source['uri'])}, {size(source['size'])} now"
        for source in document["sources"]
        if source["changed"]
    ]


def _causes(document: Document, width: int) -> list[str]:
    """What is behind the work, once for all the steps that have it; an edit with its first changed lines."""
    telling = [cause for cause in document["causes"] if cause["diff"] or len(cause["steps"]) >= ALIKE]
    telling = [cause for cause in telling if cause["kind"] != "new" or len(document["causes"]) > 1]
    lines: list[str] = []
    for cause in telling[:CAUSES]:
        steps = cause["steps"]
        count = f"{len(steps):,} steps: " if len(steps) > 1 else ""
        line = f"{clean(cause['text'])}: {count}{clean(named(steps))}"
        lines.append(cut(line, width) if width else line)
        lines += _short_diff(cause["diff"] or "", steps[0], width)
    if len(telling) > CAUSES:
        lines.append(paint(f"… and {len(telling) - CAUSES:,} more causes: stepwell why STEP", "dim"))
    return lines


def _short_diff(diff: str, step: str, width: int) -> list[str]:
    """The changed lines of a diff with a line around them, without its head."""
    body = [line for line in diff.splitlines()[2:] if not line.startswith("@@")]
    shown = [
        line for i, line in enumerate(body) if any(near[:1] in "+-" for near in body[max(i - 1, 0) : i + 2])
    ]
    lines = [_diff_line(clean(line), width) for line in shown[:SHORT_DIFF]]
    if len(shown) > SHORT_DIFF:
        lines.append(paint(f"    … stepwell why {step}", "dim"))
    return lines


def _diff_line(line: str, width: int) -> str:
    text = f"    {line}"
    colour = {"+": "green", "-": "red"}.get(line[:1])
    text = cut(text, width) if width else text
    return paint(text, colour) if colour else text


def _notes(document: Document, width: int) -> list[str]:
    lines = []
    for note in document["notes"]:
        first, *rest = wrapped("note: " + clean(note), width, further="      ")
        lines += [paint("note: ", "yellow") + first.removeprefix("note: "), *rest]
    return lines


# ---------------------------------------------------------------------------- the sums


def summary(document: Document) -> str:
    """`45 steps: 20 cached, 9 run, 16 maybe   about 3 min 40 s, peak 6 GB`."""
    counts, expected = document["counts"], document["expected"]
    total = len(document["steps"])
    parts = [f"{counts[verb]:,} {WORDS.get(verb, verb)}" for verb in ORDER if counts.get(verb)]
    line = f"{total:,} step{'' if total == 1 else 's'}" + (f": {', '.join(parts)}" if parts else "")
    if not any(counts.get(verb) for verb in ORDER if verb not in QUIET):
        return f"{line}   {paint('nothing to do', 'green')}"
    cost = _cost(expected)
    room = columns()
    gap = "\n  " if room and wide(line) + 3 + wide(cost) > room else "   "
    return f"{line}{gap}{cost}" if cost else line


def _cost(expected: Document) -> str:
    """What a run is expected to cost, as far as history says."""
    parts = []
    least, most = expected["least"], expected["seconds"]
    if most:
        spread = most - least > max(1.0, 0.2 * most)
        parts.append(f"about {seconds(least)} to {seconds(most)}" if spread else f"about {seconds(most)}")
    if expected["memory"]:
        parts.append(f"peak {size(expected['memory'])}")
    if parts and expected["untimed"]:
        count = expected["untimed"]
        parts.append(f"{count:,} step{'' if count == 1 else 's'} not timed yet")
    return ", ".join(parts)


# ---------------------------------------------------------------------------- other shapes


def table_text(document: Document) -> str:
    """A plan as a table with one row a step; reasons that the terminal has no room for stand below theirs."""
    rows = [
        [
            clean(step["id"]),
            paint(step["decision"], COLOUR[step["decision"]]),
            took(step).rjust(9),
            (size(step["memory"]) if step["memory"] else "").rjust(6),
            reads(step).rjust(6),
            _why(step),
        ]
        for step in document["steps"]
    ]
    head = ("step", "decision", "last time".rjust(9), "memory", " reads", "why")
    return "\n".join([heading(document), *table(rows, head, columns(), whole=True), summary(document)])


def graph_text(document: Document) -> str:
    """A plan as a graph in the terminal: one line a step, its inputs joining from above."""
    width = columns()
    drawn = lanes(document)
    room = max((wide(line.drawn) for line in drawn), default=0)
    if room > (width or 120) // 2:
        drawn = lanes(document, 1)
        room = max(wide(line.drawn) for line in drawn)
    steps = {step["id"]: step for step in document["steps"]}
    lines = []
    for line in drawn:
        if line.box is None:
            lines.append(line.drawn)
            continue
        box = line.box
        step = steps.get(box.name)
        time = f"  {took(step)}" if step is not None and took(step) else ""
        told = f"{clean(box.name)}  {paint(box.told, COLOUR[box.kind])}{time}"
        mark = MARKS[box.kind]
        before, _, behind = line.drawn.partition(mark)
        text = f"{before}{paint(mark, COLOUR[box.kind])}{behind}{' ' * (room - wide(line.drawn))}  {told}"
        lines.append(cut(text, width) if width else text)
    return "\n".join([heading(document), *lines, summary(document)])
