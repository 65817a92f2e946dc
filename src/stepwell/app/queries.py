"""Steps in SQL before anything runs: their queries are bound to the columns of what they get, as far as these are known.

queries = Queries(traced, pinned, memo, tables)
queries.findings(nodes)       # unknown columns, functions, tables; what a database has against a query
queries.columns(node)         # the columns that the query of a node gives, None where that is open
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stepwell.author.annotations import plain
from stepwell.author.trace import Attempt
from stepwell.codecs.columns import Columns
from stepwell.errors import StepwellError
from stepwell.kernel.graph import Binding, Constant, FromSource, FromStep, Node
from stepwell.named import NamedTuple
from stepwell.worker.kinds import spec_of

if TYPE_CHECKING:
    from stepwell.sources.pin import Pinned
    from stepwell.worker.kinds.sqltext import Template

TYPES: Mapping[str, str] = {
    "bool": "BOOLEAN",
    "int": "BIGINT",
    "float": "DOUBLE",
    "text": "VARCHAR",
    "bytes": "BLOB",
    "date": "DATE",
    "datetime": "TIMESTAMP",
    "duration": "INTERVAL",
    "category": "VARCHAR",
}
"""Types of the embedded engine for what a column can be said to hold (`codecs.columns.KINDS`)."""

GivenColumns = Callable[[FromStep | FromSource], "tuple[Columns, bool, bool] | None"]
"""What is known of a table: its columns, whether it can have no others, and whether a step merely promises them."""


class Inputs(NamedTuple):
    """What is known of the inputs of a query. `relations` are those that are tables; None where not all is known."""

    relations: Mapping[str, Any] | None
    values: Mapping[str, Any]
    identifiers: Mapping[str, str]
    promised: bool = False


class Queries:
    """The queries of a traced pipeline, each bound once for the same columns. `given` says what tables have."""

    def __init__(self, traced: Attempt, pinned: Sequence[Pinned | None], given: GivenColumns) -> None:
        self._traced, self._pinned, self._given = traced, pinned, given
        self._bound: dict[object, Any] = {}

    def findings(self, nodes: Iterable[int], root: Path) -> Iterator[StepwellError | str]:
        """What is wrong with the queries of these nodes, and (texts) what may be."""
        asked: set[object] = set()
        for i in nodes:
            node = self._traced.graph.nodes[i]
            step = self._traced.graph.steps[node.step]
            if step.kind != "sql" or step.place or (node.step, self._key(node)) in asked:
                continue
            asked.add((node.step, self._key(node)))
            spec = spec_of(step.spec)
            if spec["database"]:
                error, doubt = self._by_database(node, spec, root), None
            else:
                error, doubt = self._by_engine(node)
            for one in (error, doubt):
                if one is not None:
                    one.what = f"`{node.id}`: {one.what}"
                    one.where = one.where or spec["where"]
            if error is not None:
                yield error
            if doubt is not None:
                yield f"{doubt.what}; not all columns of its inputs are known"

    def columns(self, node: int) -> Columns | None:
        """The columns that the query of a node gives; None where that is not known."""
        call = self._traced.graph.nodes[node]
        step = self._traced.graph.steps[call.step]
        if step.kind != "sql" or spec_of(step.spec)["database"]:
            return None
        try:
            bound = self._bind(call)
        except StepwellError:  # `findings` tells it
            return None
        inputs = self._inputs(call)
        is_open = inputs.promised and "*" in _template(spec_of(step.spec)).normal()
        if bound is None or bound.columns is None or is_open:
            return None
        frame = spec_of(step.spec)["returns"] == "pandas.DataFrame"
        return Columns.of({name: _kind_for(kind, frame=frame) for name, kind in bound.columns.items()})

    def _by_engine(self, node: Node) -> tuple[StepwellError | None, StepwellError | None]:
        try:
            bound = self._bind(node)
        except StepwellError as error:
            return error, None
        return (None, None) if bound is None else (bound.error, bound.doubt)

    def _bind(self, node: Node) -> Any:
        """What binding a node's query comes to, None where too little is known. Raises `StepwellError`s."""
        key = (node.step, self._key(node))
        if key not in self._bound:
            self._bound[key] = self._ask(node)
        return self._bound[key]

    def _ask(self, node: Node) -> Any:
        from stepwell.worker.kinds import duck

        spec = spec_of(self._traced.graph.steps[node.step].spec)
        inputs = self._inputs(node)
        if inputs.relations is None:
            return None
        template = _template(spec)
        if duck.parsed(spec, template) is not None:  # which the kind's own check tells
            return None
        return duck.bind(spec, template, inputs.relations, inputs.values, inputs.identifiers)

    def _by_database(self, node: Node, spec: Mapping[str, Any], root: Path) -> StepwellError | None:
        from stepwell.worker.kinds import databases, duck

        relations = self._inputs(node).relations
        known = {
            name: list(one.columns) for name, one in (relations or {}).items() if isinstance(one, duck.Known)
        }
        whole = relations is not None and len(known) == len(relations)
        try:
            address = databases.resolved(spec["database"], root, os.environ)
        except StepwellError:  # which the kind's own check tells
            return None
        try:
            return databases.prepared(spec, _template(spec), known if whole else None, address)
        except StepwellError as error:
            return error

    # ------------------------------------------------------------------ inputs

    def _key(self, node: Node) -> object:
        """What a query is bound to: two calls with the same need to be looked at once."""
        return tuple((name, _kind_of(binding)) for name, binding in node.inputs)

    def _inputs(self, node: Node) -> Inputs:
        from stepwell.worker.kinds.duck import Known

        spec = spec_of(self._traced.graph.steps[node.step].spec)
        template = _template(spec)
        relations: dict[str, Any] = {}
        values: dict[str, Any] = {}
        identifiers: dict[str, str] = {}
        unknown = {name for name, _ in node.inputs} != set(template.names)
        promised = False
        for name, binding in node.inputs:
            if name in template.identifiers:
                said = binding.payload if isinstance(binding, Constant) else None
                unknown = unknown or not isinstance(said, str) or not said
                identifiers[name] = str(said)
                if name not in template.slots:
                    continue
            if self._is_value(name, binding, spec):
                values[name] = binding.payload if isinstance(binding, Constant) else None
                continue
            found, is_promised = self._relation(binding)
            promised = promised or is_promised
            unknown = unknown or found is None
            relations[name] = found or Known({})
        return Inputs(None if unknown else relations, values, identifiers, promised)

    def _is_value(self, name: str, binding: Binding, spec: Mapping[str, Any]) -> bool:
        from stepwell.author.inputs import type_name
        from stepwell.worker.kinds.sqlvalues import SCALARS

        if spec["kinds"].get(name) == "value":
            return True
        if isinstance(binding, Constant):
            return not binding.codec and not _is_rows(binding.payload)
        if isinstance(binding, FromStep):
            return type_name(plain(self._type_of(binding))) in SCALARS
        return False

    def _type_of(self, leaf: FromStep) -> Any:
        known = self._traced.steps[self._traced.graph.nodes[leaf.node].step]
        if known.shape is None or leaf.path:
            return None if leaf.path else known.returns
        return known.shape.types[known.shape.names.index(leaf.output)]

    def _relation(self, binding: Binding) -> tuple[Any, bool]:
        """What is known of a table, None where nothing is; and whether a step merely promises it."""
        from stepwell.worker.kinds.duck import Known

        if isinstance(binding, FromSource):
            files = self._files(binding.source)
            if files is not None:
                return files, False
        if isinstance(binding, FromSource | FromStep):
            found = self._given(binding)
            if found is not None:
                columns, complete, promised = found
                return Known(
                    {name: TYPES.get(kind, "") for name, kind in columns.items()}, complete
                ), promised
        if isinstance(binding, Constant) and _is_rows(binding.payload):
            rows: Any = binding.payload
            return Known(dict.fromkeys([name for row in rows for name in row], "")), False
        return None, False

    def _files(self, place: int) -> Any:
        """The files of a source that is read as paths, None where that cannot be asked."""
        from stepwell.worker.kinds.duck import Files
        from stepwell.worker.kinds.sqlvalues import PATH, format_of

        source = self._traced.graph.sources[place]
        pinned = self._pinned[place] if place < len(self._pinned) else None
        if pinned is None or source.type not in ("", PATH, "list[pathlib.Path]"):
            return None
        paths = [Path(path) for path in getattr(pinned, "files", ())]
        forms = {format_of(path) for path in paths}
        if len(forms) != 1 or "" in forms or not all(path.is_file() for path in paths):
            return None
        return Files(forms.pop(), tuple(paths[:20]))


_NUMBERS = {
    "int": ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT"),
    "float": ("FLOAT", "DOUBLE", "DECIMAL"),
}


def _kind_for(type: str, *, frame: bool) -> str:  # noqa: A002  the natural word
    """What a column of a type of the embedded engine holds, one of `codecs.columns.KINDS`; `frame`: in one of pandas."""
    if type.endswith("]"):
        return "list"
    bare = type.partition("(")[0].removeprefix("U")
    for kind, names in _NUMBERS.items():
        if bare in names:
            return kind
    if frame and bare == "DATE":
        return "datetime"
    if bare.startswith("TIMESTAMP"):
        return "datetime"
    return next((kind for kind, name in TYPES.items() if name == bare), "")


def _template(spec: Mapping[str, Any]) -> Template:
    from stepwell.worker.kinds.sql import template_of

    return template_of(spec["text"])


def _is_rows(value: object) -> bool:
    return isinstance(value, list | tuple) and bool(value) and all(type(item) is dict for item in value)


def _kind_of(binding: Binding) -> object:
    """What of a binding decides how a query is bound: of a constant its type, of a table which one it is."""
    if not isinstance(binding, Constant):
        return binding
    value = binding.payload
    if isinstance(value, str) and len(value) < 100 and value.isidentifier():
        return value  # perhaps the name of a column
    return ("rows", tuple(value[0])) if _is_rows(value) else type(value).__name__  # type: ignore[index]
