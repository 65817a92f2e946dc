"""A plan as pictures, from the document that `plan --json` prints. Pure: document in, text out.

dot(document)        Graphviz
mermaid(document)    Mermaid, which many places that show Markdown draw
lanes(document)      the graph as lines of text, as `git log --graph` draws history
junit(document)      JUnit XML, one test case a step
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from stepwell.app.causes import tally

Document = Mapping[str, Any]

MOST = 60
"""Boxes of a picture for people; of larger graphs, all calls of a step are one box."""

FILL = {
    "run": "#ffe8a3",
    "maybe": "#cdeefd",
    "dynamic": "#cdeefd",
    "cached": "#e4e4e4",
    "skip": "#f7f7f7",
    "blocked": "#ffc9c9",
    "source": "#d9f2d9",
    "step": "#ffffff",
}
"""Background by decision; the text on it is black, so that it can be read whatever the page is."""


class Box(NamedTuple):
    """A step, all calls of a step, or a source. `needs` are the boxes before it, by position.

    `kind` is a decision, "source", "step" where nothing is decided, or of several calls the most telling
    decision; `told` says it in words; `path` are the pipelines around it; `flows` what flows by `needs`.
    """

    name: str
    kind: str
    told: str
    needs: tuple[int, ...]
    path: tuple[str, ...] = ()
    flows: tuple[str, ...] = ()


# ---------------------------------------------------------------------------- boxes


def boxes(document: Document, most: int = 0) -> list[Box]:
    """The sources and steps of a plan or run in execution order; calls of one step together if there are more than `most`.

    With `most` 0, each call has its own. The steps may come in any order, as those of a run do that grew: what a
    dynamic call became is recorded behind all that was there.
    """
    steps = document["steps"]
    sources = [source["name"] for source in document["sources"]]
    if most and len(steps) + len(sources) > most:
        return _collapsed(sources, steps)
    number = {step["id"]: i for i, step in enumerate(steps)}
    before = [[number[name] for name in step["needs"]] for step in steps]
    steps = [steps[i] for found in _visited(range(len(steps)), before, set()) for i in found]
    place = {("source", name): i for i, name in enumerate(sources)}
    place.update((("step", step["id"]), len(sources) + i) for i, step in enumerate(steps))
    out = [Box(name, "source", "source", ()) for name in sources]
    for step in steps:
        needs = [place["source", name] for name in step["sources"]]
        needs += [place["step", name] for name in step["needs"]]
        path = tuple(step["id"].split("/")[:-1])
        told_of = step.get("flows") or {}
        flows = [*[""] * len(step["sources"]), *(", ".join(told_of.get(name, ())) for name in step["needs"])]
        told = step.get("told", step["decision"])
        out.append(Box(step["id"], step["decision"], told, tuple(needs), path, tuple(flows)))
    return out


_WORST = ("blocked", "run", "maybe", "dynamic", "cached", "skip", "step")


def _collapsed(sources: Sequence[str], steps: Sequence[Document]) -> list[Box]:
    """One box for all calls of a step in one pipeline; steps that wait for each other's calls are one box too."""
    group_of: dict[str, int] = {}
    groups: dict[tuple[str, str], int] = {}
    members: list[list[Document]] = []
    for step in steps:
        place = (step["id"].rpartition("/")[0], step["step"])
        group = groups.setdefault(place, len(groups))
        if group == len(members):
            members.append([])
        members[group].append(step)
        group_of[step["id"]] = group
    before = [
        {group_of[need] for step in found for need in step["needs"]} - {group}
        for group, found in enumerate(members)
    ]
    names = [f"{path}/{name}" if path else name for path, name in groups]
    number = {name: i for i, name in enumerate(sources)}
    out = [Box(name, "source", "source", ()) for name in sources]
    place_of: dict[int, int] = {}
    for circle in in_order(before):
        place_of.update(dict.fromkeys(circle, len(out)))
        together = [step for group in circle for step in members[group]]
        needs = {place_of[one] for group in circle for one in before[group]} - {len(out)}
        needs |= {number[name] for step in together for name in step["sources"]}
        decisions = [step["decision"] for step in together]
        count = f" ×{len(together):,}" if len(together) > 1 else ""
        alone = together[0]["id"] if len(together) == 1 else " + ".join(names[group] for group in circle)
        kind = next(word for word in _WORST if word in decisions)
        path = tuple(together[0]["id"].split("/")[:-1])
        told = together[0]["told"] if kind == "step" else tally(decisions)
        out.append(Box(alone + count, kind, told, tuple(sorted(needs)), path))
    return out


def in_order(before: Sequence[set[int]]) -> list[list[int]]:
    """Groups with those that they need before them; those that need each other come together (Kosaraju)."""
    behind: list[list[int]] = [[] for _ in before]
    for group, earlier in enumerate(before):
        for one in earlier:
            behind[one].append(group)
    finished = _visited(range(len(before)), behind, set())
    order = [one for found in finished for one in found][::-1]
    return [sorted(found) for found in _visited(order, [sorted(one) for one in before], set())]


def _visited(starts: Iterable[int], ways: Sequence[Sequence[int]], seen: set[int]) -> list[list[int]]:
    """From each start what is reached and not `seen`, in the order in which it is left for good."""
    out = []
    for start in starts:
        if start in seen:
            continue
        seen.add(start)
        found: list[int] = []
        path = [(start, iter(ways[start]))]
        while path:
            at, rest = path[-1]
            further = next((one for one in rest if one not in seen), None)
            if further is None:
                found.append(at)
                path.pop()
            else:
                seen.add(further)
                path.append((further, iter(ways[further])))
        out.append(found)
    return out


# ---------------------------------------------------------------------------- Graphviz


def dot(document: Document) -> str:
    """A plan in the language of Graphviz, each inner pipeline a cluster."""
    found = boxes(document)
    lines = [
        f"digraph {_quoted(document['pipeline'])} {{",
        "  rankdir=LR;",
        '  node [shape=box, style="rounded,filled", fontname="Helvetica"];',
    ]
    lines += _clusters(
        found, _dot_box, lambda number, name: f"subgraph cluster_{number} {{ label={_quoted(name)};", "}"
    )
    lines += [
        f"  n{before} -> n{i}{f' [label={_quoted(flow)}]' if flow else ''};"
        for i, box in enumerate(found)
        for before, flow in _flows(box)
    ]
    return "\n".join([*lines, "}"])


def _flows(box: Box) -> list[tuple[int, str]]:
    """The boxes before, each with what flows from it, where that is known."""
    return list(zip(box.needs, box.flows or ("",) * len(box.needs), strict=True))


def _dot_box(number: int, box: Box) -> str:
    shape = ", shape=cylinder, style=filled" if box.kind == "source" else ""
    label = _quoted(box.name if box.kind == "source" else f"{leaf(box)}\n{box.told}")
    return f'n{number} [label={label}, tooltip={_quoted(box.name)}, fillcolor="{FILL[box.kind]}"{shape}];'


def _quoted(text: str) -> str:
    r"""A string of Graphviz: quotes and backslashes escaped, line breaks as `\n`."""
    escaped = _visible(text).replace("\\", "\\\\").replace('"', '\\"')
    return '"' + escaped.replace("\n", "\\n") + '"'


def leaf(box: Box) -> str:
    """A box's name without the pipelines that are drawn around it."""
    return box.name[len("/".join(box.path)) + 1 :] if box.path else box.name


def _clusters(found: Sequence[Box], draw: Any, opened: Any, closed: str) -> list[str]:
    """Boxes inside the pipelines that they belong to, each pipeline once, where its first box is."""
    tree: dict[object, Any] = {}
    for number, box in enumerate(found):
        place: dict[object, Any] = tree
        for name in box.path:
            place = place.setdefault(("pipeline", name), {})
        place[number] = box
    lines: list[str] = []
    count = 0
    path: list[tuple[Any, str]] = [(iter(tree.items()), "  ")]
    while path:
        rest, margin = path[-1]
        item = next(rest, None)
        if item is None:
            path.pop()
            if path:
                lines.append(path[-1][1] + closed)
        elif isinstance(item[1], Box):
            lines.append(margin + draw(*item))
        else:
            count += 1
            lines.append(margin + opened(count, item[0][1]))
            path.append((iter(item[1].items()), margin + "  "))
    return lines


# ---------------------------------------------------------------------------- Mermaid


def mermaid(document: Document) -> str:
    """A plan as a Mermaid flowchart; calls of one step together where it would be more than Mermaid draws."""
    found = boxes(document, 400)
    lines = ["flowchart LR"]
    lines += _clusters(
        found, _mermaid_box, lambda number, name: f'subgraph p{number}["{_entities(name)}"]', "end"
    )
    lines += [
        f"  n{before} -->{f'|{chr(34)}{_entities(flow)}{chr(34)}|' if flow else ''} n{i}"
        for i, box in enumerate(found)
        for before, flow in _flows(box)
    ]
    used = dict.fromkeys(box.kind for box in found)
    lines += [f"  classDef {_class(kind)} fill:{FILL[kind]},color:#000,stroke:#777" for kind in used]
    return "\n".join(lines)


def _mermaid_box(number: int, box: Box) -> str:
    if box.kind == "source":
        return f'n{number}[("{_entities(box.name)}")]:::{_class(box.kind)}'
    return f'n{number}["{_entities(leaf(box))}<br/>{_entities(box.told)}"]:::{_class(box.kind)}'


def _class(kind: str) -> str:
    return f"is-{kind}"


def _entities(text: str) -> str:
    """Text as Mermaid takes it between quotes: everything that means something to it as a numbered entity."""
    return re.sub(r"[^\w ,.:/\[\]()×+=-]", lambda found: f"#{ord(found[0])};", _visible(text))


# ---------------------------------------------------------------------------- lanes

_UP, _DOWN, _LEFT, _RIGHT = 1, 2, 4, 8
_LINES = {
    0: " ", _UP: "│", _DOWN: "│", _UP | _DOWN: "│", _LEFT: "─", _RIGHT: "─", _LEFT | _RIGHT: "─",
    _UP | _RIGHT: "╰", _UP | _LEFT: "╯", _DOWN | _RIGHT: "╭", _DOWN | _LEFT: "╮",
    _UP | _DOWN | _RIGHT: "├", _UP | _DOWN | _LEFT: "┤",
    _UP | _LEFT | _RIGHT: "┴", _DOWN | _LEFT | _RIGHT: "┬", _UP | _DOWN | _LEFT | _RIGHT: "┼",
}  # fmt: skip

MARKS = {
    "run": "●",
    "maybe": "◐",
    "dynamic": "◐",
    "cached": "○",
    "skip": "·",
    "blocked": "✗",
    "source": "◇",
    "step": "●",
}


class Line(NamedTuple):
    """A line of a graph drawn as text; `box` is the one whose mark is on it, None between two boxes."""

    drawn: str
    box: Box | None = None


def lanes(document: Document, most: int = MOST) -> list[Line]:
    """A plan as lines from the first step down to the last: a lane for each result that something below needs.

    A corner or a tee joins a lane; lanes that merely cross a joining line stay whole. A box that needs
    nothing never stands right below one that it has nothing to do with.
    """
    found = boxes(document, most)
    left = [0] * len(found)
    for box in found:
        for before in box.needs:
            left[before] += 1
    open_lanes: list[int | None] = []
    lines: list[Line] = []
    own = -1
    for number, box in enumerate(found):
        joined = {lane for lane, holder in enumerate(open_lanes) if holder in box.needs}
        for before in box.needs:
            left[before] -= 1
        ending = {lane for lane in joined if not left[open_lanes[lane] or 0]}
        own = min(ending) if ending else _free(open_lanes, own)
        if joined - {own}:
            lines.append(Line(_joint(open_lanes, joined, ending, own)))
        for lane in ending:
            open_lanes[lane] = None
        open_lanes += [None] * (own + 1 - len(open_lanes))
        open_lanes[own] = number
        cells = [
            MARKS[box.kind] if lane == own else " " if at is None else "│"
            for lane, at in enumerate(open_lanes)
        ]
        lines.append(Line(" ".join(cells).rstrip(), box))
        if not left[number]:
            open_lanes[own] = None
        while open_lanes and open_lanes[-1] is None:
            open_lanes.pop()
    return lines


def _free(open_lanes: Sequence[int | None], last: int) -> int:
    """The first lane that is free, but not the one that the box above stood on."""
    free = (lane for lane, holder in enumerate([*open_lanes, None, None]) if holder is None and lane != last)
    return next(free)


def _joint(open_lanes: Sequence[int | None], joined: set[int], ending: set[int], own: int) -> str:
    """The line above a box, on which the lanes that it takes from turn to its own lane."""
    ends = joined | {own}
    low, high = min(ends), max(ends)
    out = []
    for lane in range(max(len(open_lanes), own + 1)):
        holder = open_lanes[lane] if lane < len(open_lanes) else None
        cell = 0 if holder is None else _UP | (0 if lane in ending else _DOWN)
        between = low <= lane <= high
        if lane == own:
            cell |= _DOWN
        if between and (lane in ends or holder is None):
            cell |= (_LEFT if lane > low else 0) | (_RIGHT if lane < high else 0)
        out.append(_LINES[cell] + ("─" if low <= lane < high else " "))
    return "".join(out).rstrip()


# ---------------------------------------------------------------------------- JUnit

_NOT_IN_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff]")


def junit(document: Document) -> str:
    """A plan as JUnit XML: a step that is blocked has failed, one that is left out was skipped, the others pass."""
    cases = []
    for step in document["steps"]:
        reasons = "; ".join(reason["text"] for reason in step["reasons"])
        told = f"{step['decision']}: {reasons}"
        inside = ""
        if step["decision"] == "blocked":
            inside = f"<failure message={_attribute(reasons)}>{_content(told)}</failure>"
        elif step["decision"] == "skip":
            inside = f"<skipped message={_attribute(reasons)}/>"
        cases.append((step["id"], inside + f"<system-out>{_content(told)}</system-out>"))
    return _suite(document["pipeline"], cases)


def junit_of_problems(pipeline: str, problems: Sequence[Mapping[str, Any]]) -> str:
    """A plan that was refused as JUnit XML: one failed case for each problem, as `StepwellError.as_dict` gives it."""
    cases = []
    for problem in problems:
        lines = [
            problem["what"],
            problem["why"],
            problem["where"],
            *(f"fix: {fix}" for fix in problem["fixes"]),
        ]
        text = "\n".join(line for line in lines if line)
        message, kind = _attribute(problem["what"]), _attribute(problem["code"])
        name = f"{problem['code']} {problem['where']}".strip()
        cases.append((name, f"<failure type={kind} message={message}>{_content(text)}</failure>"))
    return _suite(pipeline, cases)


def _suite(pipeline: str, cases: Sequence[tuple[str, str]]) -> str:
    """One suite with a case for each (name, content)."""
    counts = f'tests="{len(cases)}" failures="{_having(cases, "<failure ")}" errors="0"'
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<testsuites {counts} time="0">',
        f'  <testsuite name={_attribute(f"stepwell plan {pipeline}")} {counts} skipped="{_having(cases, "<skipped ")}" time="0">',
    ]
    for name, inside in cases:
        place = ".".join([pipeline, *name.split("/")[:-1]])
        lines.append(
            f'    <testcase classname={_attribute(place)} name={_attribute(name)} time="0">{inside}</testcase>'
        )
    return "\n".join([*lines, "  </testsuite>", "</testsuites>", ""])


def _having(cases: Sequence[tuple[str, str]], tag: str) -> int:
    return sum(1 for _, inside in cases if inside.startswith(tag))


def _content(text: str) -> str:
    return _escaped(text).replace("\r", "&#13;")


def _attribute(text: str) -> str:
    escaped = _escaped(text).replace('"', "&quot;")
    for control in "\t\n\r":
        escaped = escaped.replace(control, f"&#{ord(control)};")
    return f'"{escaped}"'


def _escaped(text: str) -> str:
    """Text with XML's own characters escaped; characters that XML cannot hold are shown as codes."""
    seen = _NOT_IN_XML.sub(lambda found: f"\\x{ord(found[0]):02x}", text)
    return seen.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


_CONTROL = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def _visible(text: str) -> str:
    """Text without characters that command a terminal or reorder a line: they are shown as codes."""
    return _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", text)
