"""What was found in another tool's files: stages, and what could not be understood. Facts only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


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

    `commands` are for a shell, with every value in its place but those of `settings`, which stand as
    `${name}`; those whose value stands there instead, or in paths or the loop, are `fixed`. Paths are relative to the project's root; `folder` is where the commands run ("" for the
    root). `reads` are settings that the command reads in their files by itself. `key` and `values` tell
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
    """A stage of a loop as it was written: `${item}` and the like stand in commands and paths."""

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
