"""Declared columns, compared before anything runs: what a step takes with the file of a source, or with what another step declares."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args, get_origin

from stepwell.app.queries import Queries
from stepwell.author.annotations import plain, shape_of
from stepwell.author.trace import Attempt
from stepwell.codecs.columns import Columns, declared, kinds_fit, listed
from stepwell.errors import MissingColumn, StepwellError, WrongColumn, nearest
from stepwell.kernel.graph import Binding, FromSource, FromStep, Node, Pack
from stepwell.named import NamedTuple
from stepwell.sources.memo import Memo

if TYPE_CHECKING:
    from stepwell.sources.pin import Pinned
    from stepwell.sources.schema import Schema


Contracts = Mapping[str, Mapping[str, str] | str]
"""Contracts of the manifest, as `app.contracts` gives them."""

NO_CONTRACTS: Contracts = {}


class Given(NamedTuple):
    """A table that comes in: who gives it, in words, its columns, and whether it can have no others."""

    who: str
    columns: Columns
    complete: bool = True
    promised: bool = False


def compared(
    traced: Attempt, pinned: Sequence[Pinned | None], memo: Memo, contracts: Contracts = NO_CONTRACTS
) -> Iterator[StepwellError | str]:
    """What is wrong with the columns of a traced pipeline, once for each step and table; `contracts` are the manifest's."""
    tables = _Tables(traced, pinned, memo)
    yield from _of_references(traced, tables, contracts) if contracts else ()
    for place, source in enumerate(traced.graph.sources) if contracts else ():
        said = contracts.get(f"data {source.name}")
        given = tables.of_source(place) if isinstance(said, Mapping) else None
        if isinstance(said, Mapping) and given is not None:
            wanted = Columns.of(said)
            yield from _findings(f"the schema of `data.{source.name}`", wanted, given, source.where)
    declaring = [_declaring(known.types) for known in traced.steps]
    for place, gives in enumerate(traced.gives):
        wanted = declared(gives)
        found = tables.of_source(place) if wanted is not None else None
        if wanted is not None and found is not None:
            source = traced.graph.sources[place]
            yield from _findings(f"the source `{source.name}`", wanted, found, source.where)
    for node in traced.graph.nodes if any(declaring) else ():
        if declaring[node.step]:
            yield from _of_call(traced, tables, node, declaring[node.step])


def _of_references(traced: Attempt, tables: _Tables, contracts: Contracts) -> Iterator[StepwellError | str]:
    """Columns that the manifest says refer to others, where one of the two is not there: what `lock` would find."""
    places = {source.name: place for place, source in enumerate(traced.graph.sources)}
    for name, place in places.items():
        said = contracts.get(f"refers {name}")
        for column, target in said.items() if isinstance(said, Mapping) else ():
            who = f"`references.{column}` of data `{name}`"
            other, _, its = target.partition(".")
            for which, wanted in ((place, column), (places.get(other), its)):
                given = tables.of_source(which) if which is not None else None
                if given is not None:
                    where = traced.graph.sources[place].where
                    yield from _findings(who, Columns(wanted), given, where)


def queried(
    traced: Attempt, pinned: Sequence[Pinned | None], memo: Memo, nodes: Iterable[int], root: Path
) -> Iterator[StepwellError | str]:
    """What is wrong with the queries of these nodes (`app.queries`)."""
    if any(step.kind == "sql" for step in traced.graph.steps):
        yield from _Tables(traced, pinned, memo).queries.findings(nodes, root)


def _of_call(
    traced: Attempt, tables: _Tables, node: Node, declaring: dict[str, object]
) -> Iterator[StepwellError | str]:
    known, step = traced.steps[node.step], traced.graph.steps[node.step]
    for name, binding in node.inputs:
        if name.lstrip("*") in declaring:
            for leaf, wanted in _leaves(binding, declaring[name.lstrip("*")]):
                found = tables.given(leaf)
                if found is not None:
                    yield from _findings(f"`{step.name}({name}=...)`", wanted, found, known.where)


def _declaring(types: Any) -> dict[str, object]:
    """The parameters whose annotations declare columns."""
    return {name: wanted for name, wanted in types.items() if name != "return" and _declares(wanted)}


def _declares(annotation: object) -> bool:
    return declared(annotation) is not None or any(map(_declares, get_args(annotation)))


def _leaves(binding: Binding, wanted: Any) -> Iterator[tuple[FromStep | FromSource, Columns]]:
    """The tables in a binding for which columns are declared."""
    columns = declared(wanted)
    if isinstance(binding, FromStep | FromSource):
        if columns is not None:
            yield binding, columns
        return
    if not isinstance(binding, Pack):
        return
    bare, args = get_origin(plain(wanted)), get_args(plain(wanted))
    if binding.kind == "dict" and bare is dict and len(args) == 2:
        wanted_each = [args[1]] * len(binding.items)
    elif len(args) == len(binding.items) and bare is tuple and Ellipsis not in args:
        wanted_each = list(args)
    elif args and bare is not dict:
        wanted_each = [args[0]] * len(binding.items)
    else:
        return
    for item, each in zip(binding.items, wanted_each, strict=True):
        yield from _leaves(item, each)


class _Tables:
    """The columns of what sources and steps give, each looked at once."""

    def __init__(self, traced: Attempt, pinned: Sequence[Pinned | None], memo: Memo) -> None:
        self._traced, self._pinned, self._memo = traced, pinned, memo
        self._sources: dict[int, Schema] = {}
        self.queries = Queries(traced, pinned, self._known)

    def given(self, leaf: FromStep | FromSource) -> Given | None:
        """What is known of a table; None where nothing is."""
        return self.of_source(leaf.source) if isinstance(leaf, FromSource) else self._of_step(leaf)

    def of_source(self, place: int) -> Given | None:
        """The columns of a source's file."""
        from stepwell.sources.schema import schema

        source = self._traced.graph.sources[place]
        pinned = self._pinned[place] if place < len(self._pinned) else None
        if pinned is None:
            return None
        if place not in self._sources:
            self._sources[place] = schema(source.uri, source.type, dict(source.options), pinned, self._memo)
        found = self._sources[place]
        if found.columns is None:
            return None
        return Given(f"the source `{source.name}`", Columns.of(found.columns), found.complete)

    def _of_step(self, leaf: FromStep) -> Given | None:
        node = self._traced.graph.nodes[leaf.node]
        known = self._traced.steps[node.step]
        annotation = known.returns
        if known.shape is not None:
            annotation = known.shape.types[known.shape.names.index(leaf.output)]
        for part in leaf.path:
            shape = shape_of(annotation)
            if shape is None or str(part) not in shape.names:
                return None
            annotation = shape.types[shape.names.index(str(part))]
        columns = declared(annotation)
        if columns is not None:
            return Given(f"`{node.id}`", columns, promised=True)
        found = self.queries.columns(leaf.node)
        return None if found is None else Given(f"`{node.id}`", found)

    def _known(self, leaf: FromStep | FromSource) -> tuple[Columns, bool, bool] | None:
        found = self.given(leaf)
        return None if found is None else (found.columns, found.complete, found.promised)


def _findings(who: str, wanted: Columns, given: Given, where: str) -> Iterator[StepwellError | str]:
    missing = [name for name in wanted if name not in given.columns]
    has = f"it {'declares' if given.promised else 'has'} {listed(given.columns)}"
    if missing and not given.complete:
        yield f"{who} declares `{missing[0]}`, which is not in the first rows of {given.who}"
    elif missing:
        names = ", ".join(f"`{name}`" for name in missing)
        hints = [hint for name in missing if (hint := nearest(name, given.columns))]
        fixes = [f"did you mean `{hint}`?" for hint in hints[:3]]
        fixes.append(
            f"declare it there: Columns({missing[0]!r}, ...)" if given.promised else "or do not declare it"
        )
        noun = "column" if len(missing) == 1 else "columns"
        verb = "does not declare" if given.promised else "does not have"
        yield MissingColumn(
            f"{who} declares the {noun} {names}, which {given.who} {verb}", why=has, fixes=fixes, where=where
        )
    for name, kind in wanted.items():
        if name in given.columns and not kinds_fit(given.columns[name], kind):
            yield WrongColumn(
                f"{who} declares that the column `{name}` holds {kind}, and in {given.who} it holds {given.columns[name]}",
                why="the step would fail on it, or compute something else than it means",
                fixes=[f"declare {name}={given.columns[name]!r}, or have it read as {kind}"],
                where=where,
            )
