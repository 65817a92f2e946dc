"""A plan as people see it, from the document that `plan --json` prints: a list, a table, a graph in the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby
from typing import Any

from stepwell.app.causes import named, tally
from stepwell.app.documents import Shown
from stepwell.app.parameters import origins_line
from stepwell.cli.text import clean, columns, cut, given, paint, seconds, size, table, wide, wrapped
from stepwell.errors import counted, typed

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


def plan_text(shown: Shown) -> str:
    """A plan as a list in the order of execution, then what caused it, with short diffs, then the sums."""
    found, width = shown.whole, columns()
    rows, hidden = _rows(shown)
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


Group = list[int]
"""Steps that are one row, by their places in the plan."""


def _rows(shown: Shown) -> tuple[list[list[str]], int]:
    """The rows of the list, and how many steps are on none of them."""
    decisions, nodes = shown.plan.decisions, shown.plan.graph.nodes
    ids = [nodes[decision.node].id for decision in decisions]
    around = [one[: one.rfind("/") + 1] for one in ids]
    groups: list[Group] = []
    for _, found in groupby(range(len(ids)), key=around.__getitem__):
        groups += _groups(shown, list(found))
    if len(groups) > MANY:
        busy = [group for group in groups if any(decisions[one].verb not in QUIET for one in group)]
        groups = busy[:MANY] if busy else groups[:5]
    rows: list[list[str]] = []
    path: list[str] = []
    for group in groups:
        *outer, _ = ids[group[0]].split("/")
        common = 0
        while common < min(len(path), len(outer)) and path[common] == outer[common]:
            common += 1
        rows += [[f"{'  ' * depth}{clean(outer[depth])}/", *[""] * 4] for depth in range(common, len(outer))]
        path = outer
        rows.append(_row(shown, group, "  " * len(outer)))
    return rows, len(ids) - sum(map(len, groups))


def _groups(shown: Shown, steps: Group) -> list[Group]:
    """The steps of one pipeline: where one is called often, all its calls in place of the first, else each alone."""
    graph, decisions = shown.plan.graph, shown.plan.decisions
    names = [step.name for step in graph.steps]
    calls: dict[str, Group] = {}
    for one in steps:
        calls.setdefault(names[graph.nodes[decisions[one].node].step], []).append(one)
    groups = [alike for alike in calls.values() if len(alike) >= ALIKE]
    groups += [[one] for alike in calls.values() if len(alike) < ALIKE for one in alike]
    return sorted(groups)  # by the first of each


def _row(shown: Shown, group: Group, margin: str) -> list[str]:
    """A row: id or name, decision, seconds, bytes read, reasons."""
    first = shown.step(group[0])
    if len(group) == 1:
        verb, name = first["decision"], first["id"].rpartition("/")[2]
        return [margin + clean(name), paint(verb, COLOUR[verb]), took(first), reads(first), _why(first)]
    decisions, costs = (
        [shown.plan.decisions[one] for one in group],
        [shown.expected.steps[one] for one in group],
    )
    verbs = tally([decision.verb for decision in decisions])
    busy = [one for one in group if shown.plan.decisions[one].verb not in QUIET] or group[:1]
    times = [cost.seconds for cost in costs if cost.seconds is not None]
    sizes = [cost.reads for cost in costs if cost.reads is not None]
    told = _told(shown, busy)
    why = (
        _why(shown.step(busy[0]))
        if len(told) == 1 and any(told)
        else _waits(shown, busy)
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


def _told(shown: Shown, group: Group) -> set[tuple[str, ...]]:
    """What is said of the steps of a group, each way once; that they wait for others does not count."""
    said = {
        tuple([reason.text for reason in shown.plan.decisions[one].reasons if reason.kind != "upstream"])
        for one in group
    }
    return {tuple(dict.fromkeys(texts)) for texts in said}


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


def _why(step: Document) -> str:
    """The reasons of a step on one line."""
    texts = [clean(text) for text in dict.fromkeys(reason["text"] for reason in step["reasons"])]
    if step.get("last_failure"):
        texts.insert(0, paint(clean(step["last_failure"]), "red"))
    told = "; ".join(texts[:3]) + (f"; and {len(texts) - 3} more" if len(texts) > 3 else "")
    return paint(told, "dim") if step["decision"] in QUIET else told


def _waits(shown: Shown, group: Group) -> str:
    """What the calls of one step wait for, together; their reasons where they wait for nothing."""
    reasons = [reason for one in group for reason in shown.plan.decisions[one].reasons]
    names = dict.fromkeys(reason.name for reason in reasons if reason.name)
    return f"waits for {clean(named(names))}" if names else _why(shown.step(group[0]))


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
        lines.append(paint(f"    … stepwell why {typed(step)}", "dim"))
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
    total = sum(counts.values())
    parts = [f"{counts[verb]:,} {WORDS.get(verb, verb)}" for verb in ORDER if counts.get(verb)]
    line = counted(total, "step") + (f": {', '.join(parts)}" if parts else "")
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
        parts.append(f"{counted(expected['untimed'], 'step')} not timed yet")
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
    from stepwell.app.pictures import MARKS, lanes

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
