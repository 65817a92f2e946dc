"""Why the steps of a plan are to be run, told once for all the steps that a cause is behind.

for cause in causes(plan): print(cause.reason.text, named(ids of cause.nodes))
"""

from __future__ import annotations

from collections.abc import Iterable

from stepwell.kernel.plan import Plan, Reason
from stepwell.named import NamedTuple

PASSED_ON = frozenset(("cached", "same", "upstream", "unwanted"))
"""Kinds of reasons that start nothing: they say that nothing is to be done, or that another step has a cause."""


class Cause(NamedTuple):
    """A reason, and the nodes of the plan that have it, in execution order."""

    reason: Reason
    nodes: tuple[int, ...]


def causes(plan: Plan) -> list[Cause]:
    """What starts the work of a plan, in the order in which it is met; lost results are one cause together."""
    found: dict[object, tuple[Reason, list[int]]] = {}
    for decision in plan.decisions:
        for reason in decision.reasons:
            if reason.kind not in PASSED_ON:
                place: object = "missing" if reason.kind == "missing" else reason
                entry = found.get(place)
                if entry is None:
                    entry = found[place] = (reason, [])
                nodes = entry[1]
                if not nodes or nodes[-1] != decision.node:
                    nodes.append(decision.node)
    return [Cause(_together(reason, len(nodes)), tuple(nodes)) for reason, nodes in found.values()]


def _together(reason: Reason, count: int) -> Reason:
    if reason.kind != "missing" or count == 1:
        return reason
    return reason._replace(text=f"{count:,} results are lost: {reason.text}, …")


def named(ids: Iterable[str], most: int = 4) -> str:
    """Ids of steps in few words: `train[2..9], score`; above `most` groups, the first and how many more steps."""
    groups: dict[str, list[int]] = {}
    for one in ids:
        stem, _, number = one[:-1].rpartition("[") if one[-1:] == "]" else ("", "", "")
        if stem and number.isdecimal():
            groups.setdefault(stem, []).append(int(number))
        else:
            groups.setdefault(one, []).append(1)
    words: list[tuple[str, int]] = []
    for stem, numbers in groups.items():
        words += _ranges(stem, sorted(numbers))
    told = ", ".join(word for word, _ in words[:most])
    rest = sum(count for _, count in words[most:])
    return f"{told} and {rest:,} more" if rest else told


def _ranges(stem: str, numbers: list[int]) -> list[tuple[str, int]]:
    """Numbers as ranges, each with how many steps it stands for; the first call of a step has no number of its own."""
    out: list[tuple[str, int]] = []
    first = last = numbers[0]
    for number in [*numbers[1:], -1]:
        if number == last + 1:
            last = number
            continue
        out += _range(stem, first, last)
        first = last = number
    return out


def _range(stem: str, first: int, last: int) -> list[tuple[str, int]]:
    if last - first < 2:
        return [(stem if number == 1 else f"{stem}[{number}]", 1) for number in range(first, last + 1)]
    return [(f"{stem}[{first}..{last}]", last - first + 1)]


def tally(decisions: Iterable[str]) -> str:
    """Decisions of several steps in words: "9,998 cached, 2 run"; of equal ones the word alone."""
    counts: dict[str, int] = {}
    for decision in decisions:
        counts[decision] = counts.get(decision, 0) + 1
    if len(counts) == 1:
        return next(iter(counts))
    return ", ".join(f"{counts[word]:,} {word}" for word in _TELLING if word in counts)


_TELLING = ("cached", "run", "maybe", "dynamic", "blocked", "skip", "step")
