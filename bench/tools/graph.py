"""The layered graph that every tool does: √N layers of √N steps, each adding two of the layer before.

The step in the middle has a function of its own, and the later half of the layers calls a helper
from a module (or reads it from a file) next to the steps: so that one step's code can be changed,
and a helper that half of the steps use. Both add 0 until they are edited, and `ADDED` then.

Sums are taken modulo a prime that keeps values small and repeats no pair of inputs, which a tool
that knows steps by content would do only once.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from workloads.shape import Check, Phase, Verdict

PRIME = 1_000_000_007
ADDED = 11  # two digits: Python takes byte code for fresh where size and second of its source are the same

STEP_CHANGED = "one step changed"
HELPER_CHANGED = "helper changed"
PHASES = ("plan of nothing", "cold", "unchanged", "plan", STEP_CHANGED, HELPER_CHANGED)
NOT_NOTICED = "! change not noticed"

Read = Callable[[Path, str], list[int]]
"""Gets the last layer's values from a folder and what was printed; raises `ValueError` or `OSError`."""


class Node(NamedTuple):
    """One step: `kind` is its function (start, add, middle, helped), `inputs` the places in the layer before."""

    layer: int
    place: int
    kind: str
    inputs: tuple[int, ...]


class Graph(NamedTuple):
    """A graph of `depth` layers of `width` steps."""

    width: int
    depth: int

    @classmethod
    def of(cls, steps: int) -> Graph:
        """The square graph of about so many steps."""
        side = round(math.sqrt(steps))
        return cls(side, side)

    @property
    def steps(self) -> int:
        """How many there are."""
        return self.width * self.depth

    @property
    def half(self) -> int:
        """The first layer that uses the helper; it also has the step in the middle."""
        return self.depth // 2

    @property
    def middle(self) -> int:
        """The place in that layer of the step in the middle."""
        return self.width // 2

    def nodes(self) -> Iterator[Node]:
        """Every step, inputs first."""
        for layer in range(self.depth):
            for place in range(self.width):
                inputs = (place, (place + 1) % self.width) if layer else ()
                yield Node(layer, place, self.kind(layer, place), inputs)

    def kind(self, layer: int, place: int) -> str:
        """The function of one step."""
        if layer == 0:
            return "start"
        if layer < self.half:
            return "add"
        return "middle" if (layer, place) == (self.half, self.middle) else "helped"

    def last(self, *, step: int = 0, helper: int = 0) -> list[int]:
        """The values of the last layer where the step in the middle adds `step`, and the helper `helper`."""
        row = list(range(self.width))
        for layer in range(1, self.depth):
            more = helper if layer >= self.half else 0
            new = [(row[i] + row[(i + 1) % self.width] + more) % PRIME for i in range(self.width)]
            if layer == self.half:
                new[self.middle] = (new[self.middle] - more + step) % PRIME
            row = new
        return row

    def touched(self, edit: str) -> int:
        """How many steps an edit ("step", "helper", or "" for none) makes run again, and what follows from it."""
        if edit == "step":
            return sum(min(self.width, count) for count in range(1, self.depth - self.half + 1))
        return self.width * (self.depth - self.half) - 1 if edit == "helper" else 0


def phases(
    graph: Graph,
    read: Read,
    run: tuple[str, ...],
    *,
    times: int,
    step: Callable[[Path], None] | None = None,
    helper: Callable[[Path], None] | None = None,
) -> tuple[Phase, ...]:
    """The phases of a tool that has one command; those of an edit only where the edit is given."""
    edits = ((STEP_CHANGED, "step", step), (HELPER_CHANGED, "helper", helper))
    return (
        Phase("cold", run, right(graph, read, ran=graph.steps), fresh=True),
        Phase("unchanged", run, right(graph, read), times=times),
        *(
            Phase(name, run, right(graph, read, edit), before=before, once=True)
            for name, edit, before in edits
            if before is not None
        ),
    )


def right(graph: Graph, read: Read, edit: str = "", *, ran: int | None = None) -> Check:
    """Check the last layer, after the edits up to this one ("", "step", "helper"); note what was not noticed.

    An earlier edit that went unnoticed is no fault of this phase. Where the command prints "ran N",
    N is noted unless it is `ran`, or what the edit must make run.
    """
    before = graph.last()
    stepped = graph.last(step=ADDED)
    helped = graph.last(helper=ADDED)
    both = graph.last(step=ADDED, helper=ADDED)
    good, old = {"": ([before], []), "step": ([stepped], [before])}.get(
        edit, ([both, helped], [stepped, before])
    )
    expected = graph.touched(edit) if ran is None else ran

    def check(folder: Path, output: str) -> Verdict:
        row = read(folder, output)
        if row in old:
            return Verdict(note=NOT_NOTICED)
        if row not in good:
            return Verdict("wrong result")
        return Verdict(note=counted(output, expected, graph.steps))

    return check


def counted(output: str, expected: int, steps: int) -> str:
    """What is to be said about the number of steps that ran, where the command printed it and it is not expected."""
    found = re.findall(r"^ran (\d+)$", output, re.MULTILINE)
    if not found or int(found[-1]) == expected:
        return ""
    return "runs all again" if int(found[-1]) == steps else f"ran {int(found[-1]):,} steps"


def printed(_folder: Path, output: str) -> list[int]:
    """The values of the last line "row: ..." that was printed. Raises `ValueError` where there is none."""
    found = re.findall(r"\brow: ([\d ]+)$", output, re.MULTILINE)
    if not found:
        raise ValueError("no row was printed")
    return [int(word) for word in found[-1].split()]


def in_files(graph: Graph, name: str = "v/{layer}_{place}") -> Read:
    """Reads the values of the last layer from the files that a tool has made, and sees that all are there."""

    def read(folder: Path, _output: str) -> list[int]:
        made = sum(
            (folder / name.format(layer=node.layer, place=node.place)).exists() for node in graph.nodes()
        )
        if made != graph.steps:
            raise ValueError(f"{made:,} of {graph.steps:,} files")
        last = graph.depth - 1
        return [
            int((folder / name.format(layer=last, place=place)).read_text()) for place in range(graph.width)
        ]

    return read


def edited(name: str, old: str = "a + b + 0", new: str = f"a + b + {ADDED}") -> Callable[[Path], None]:
    """An edit of one file: the only `old` in it becomes `new`."""

    def edit(folder: Path) -> None:
        file = folder / name
        text = file.read_text()
        if text.count(old) != 1:
            raise ValueError(f"{name} has {text.count(old)} times {old!r}")
        file.write_text(text.replace(old, new))

    return edit
