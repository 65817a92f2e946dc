"""What was found in another tool's files: stages, and what could not be understood. Facts only."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

OPEN = re.compile("\1([^\1\2]*)\2")
"""What stands in a text in place of a value that is left open; a reader refuses files that have such signs."""
SIGNS = frozenset("\0\1\2")


def left_open(name: str) -> str:
    """How the name of a value stands in a text; `${name}` is the shell's own, and means something else."""
    return f"\1{name}\2"


class Proof(NamedTuple):
    """What says that a stage's outputs are what it would make now.

    `holds` is whether it does, `why` what is not as it was where it does not; `note` is what is recorded
    with outputs that are taken over.
    """

    holds: bool
    why: str = ""
    note: str = ""


class Setting(NamedTuple):
    """A value of a file of parameters: its dotted name there, its value, and the file."""

    name: str
    value: object
    file: str


class Stage(NamedTuple):
    """One piece of work.

    `commands` are for a shell, with every value in its place but those of `settings`, which are left open
    (`left_open`); those whose value stands there instead, or in paths or the loop, are `fixed`. Paths are
    relative to the project's root; `folder` is where the commands run ("" for the root). `reads` are settings that the command reads in their files by itself. `key` and `values` tell
    instances of a loop apart: `name` is then shared, and `pattern` the stage as it was written.
    `always`: it runs every time. `kept`: its outputs are not removed before it runs. `committed` are
    outputs that belong into git. `about` and `notes`
    are for the reader: what it is, and what could not be carried over.
    """

    name: str
    commands: tuple[str, ...]
    deps: tuple[str, ...] = ()
    outs: tuple[str, ...] = ()
    settings: tuple[Setting, ...] = ()
    reads: tuple[Setting, ...] = ()
    fixed: tuple[Setting, ...] = ()
    folder: str = ""
    key: str = ""
    values: tuple[tuple[str, str], ...] = ()
    pattern: Pattern | None = None
    always: bool = False
    kept: bool = False
    committed: frozenset[str] = frozenset()
    folders: frozenset[str] = frozenset()
    about: str = ""
    notes: tuple[str, ...] = ()
    proof: Proof = Proof(False, "nothing says so")

    @property
    def id(self) -> str:
        """The stage's name among all, as the tool calls it."""
        return f"{self.name}@{self.key}" if self.key else self.name


class Pattern(NamedTuple):
    """A stage of a loop as it was written: the values of the loop are left open in commands and paths."""

    commands: tuple[str, ...]
    deps: tuple[str, ...]
    outs: tuple[str, ...]


class Found(NamedTuple):
    """Everything that was read: `origin` is the file ("dvc.yaml"), `stages` in an order in which they can run.

    `notes` could not be carried over; what of it makes the pipeline less than the file was is `told`, not
    only written down. `targets` are pipelines of their own by name, the stages each.
    """

    origin: str
    stages: tuple[Stage, ...]
    notes: tuple[str, ...] = ()
    tracked: Mapping[str, str] = {}
    """What a person is told of source files, by path."""
    targets: tuple[tuple[str, tuple[str, ...]], ...] = ()
    told: tuple[str, ...] = ()


class Circle(Exception):
    """Stages wait for each other; `ids` are theirs, the first one also last."""

    def __init__(self, ids: Sequence[str]) -> None:
        super().__init__(" -> ".join(ids))
        self.ids = tuple(ids)


def in_order(stages: Sequence[Stage]) -> list[Stage]:
    """Stages, each behind those whose outputs it takes, and the instances of a loop together where that can be.

    Otherwise in the order in which they come. Raises `Circle`.
    """
    makers: dict[str, set[int]] = {}
    inside: dict[str, set[int]] = {}
    for i, stage in enumerate(stages):
        for out in stage.outs:
            makers.setdefault(out, set()).add(i)
            for at in _upwards(out):
                inside.setdefault(at, set()).add(i)
    behind = [
        set[int]().union(
            *(inside.get(dep, ()) for dep in stage.deps),
            *(makers.get(at, ()) for dep in stage.deps for at in _upwards(dep)),
        )
        - {i}
        for i, stage in enumerate(stages)
    ]
    left = dict.fromkeys(range(len(stages)))
    order: list[Stage] = []
    while left:
        ready = [i for i in left if not behind[i] & left.keys()]
        if not ready:
            raise Circle([stages[i].id for i in _circle(behind, left)])
        split = {stages[i].name for i in left.keys() - ready}
        name = next((stages[i].name for i in ready if stages[i].name not in split), stages[ready[0]].name)
        for i in ready:
            if stages[i].name == name:
                order.append(stages[i])
                del left[i]
    return order


def _upwards(path: str) -> Iterator[str]:
    """A path, and the folders that it lies in."""
    while path:
        yield path
        path = path.rpartition("/")[0]


def _circle(behind: Sequence[Collection[int]], left: Collection[int]) -> list[int]:
    """Some that wait for each other, the first one also last."""
    walked = [next(iter(left))]
    while walked[-1] not in walked[:-1]:
        walked.append(next(i for i in left if i in behind[walked[-1]]))
    return walked[walked.index(walked[-1]) :]
