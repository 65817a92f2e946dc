"""Contracts: what a value must hold, as people write it, and whether one does.

    columns     {"customer_id": "int64 not null", "mrr": "float64"}: columns by name, as in the manifest
    pandera     a `DataFrameModel` or a schema: `DataFrame[Customers]`, `Annotated[pd.DataFrame, schema]`
    rows        a pydantic model or a dataclass: `list[Customer]`, `Annotated[pd.DataFrame, Customer]`

A step that declares one of its arguments so is not called with anything else, and what it gives is not kept if it is
not what it declares. The whole value is looked at. Nothing of it is changed: a contract that would coerce only
judges. Columns that a contract does not name may be there.

    judge = judge_of(annotation)      # None where the annotation is no contract
    judge.broken(value)               # "" or a clause: "column `mrr` breaks `ge(0)`: -3.0 in row 17, …"
"""

from __future__ import annotations

import typing
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple, Protocol

from stepwell.codecs.annotations import unwrapped
from stepwell.codecs.columns import NOT_NULL, columns_in, kind_of, kinds_fit, listed
from stepwell.codecs.fit import fits

SHOWN = 3
"""Rows, and broken rules, that a message names."""

_LISTS = (list, tuple, Sequence, Iterable)


class Judge(Protocol):
    """Says whether a value keeps a contract."""

    @property
    def said(self) -> str:
        """What messages call it."""
        ...

    def broken(self, value: Any) -> str:
        """A clause that says what is broken, with the first rows that break it; "" where nothing is."""
        ...


# --------------------------------------------------------------------------- finding them


def judge_of(annotation: Any) -> Judge | None:
    """The contract that an annotation declares; None where it declares none."""
    for said in getattr(annotation, "__metadata__", ()):
        found = contract(said)
        if found is not None:
            return found
    bare = unwrapped(annotation)
    origin, given = typing.get_origin(bare), typing.get_args(bare)
    if _is_of(origin, "pandera") and given:
        return contract(given[0])
    if origin in _LISTS and given and (origin is not tuple or given[1:] == (...,)):
        return _rows(given[0])
    if isinstance(bare, type) and (_is_of(bare, "pandera") or _is_model(bare)):
        return contract(bare)
    return None


def contract(said: Any) -> Judge | None:
    """The contract that something is, for a table or for rows: columns by name, a pandera schema, a model, a dataclass."""
    if isinstance(said, dict) and all(isinstance(one, str) for pair in said.items() for one in pair):
        return ColumnsJudge("the schema", said)
    if hasattr(said, "validate") and _is_of(said if isinstance(said, type) else type(said), "pandera"):
        return PanderaJudge(_name(said), said)
    return _rows(said)


def _rows(kind: Any) -> Judge | None:
    if not isinstance(kind, type):
        return None
    if _is_model(kind):
        return ModelJudge(kind.__qualname__, kind)
    if "__dataclass_fields__" in kind.__dict__:
        return DataclassJudge(kind.__qualname__, kind)
    return None


def _is_model(kind: type) -> bool:
    return hasattr(kind, "__pydantic_validator__") and hasattr(kind, "model_fields")


def _is_of(kind: Any, library: str) -> bool:
    """Whether a class, or one that it inherits from, is of a library."""
    return any(base.__module__.partition(".")[0] == library for base in getattr(kind, "__mro__", ()))


def _name(said: Any) -> str:
    name = said.__qualname__ if isinstance(said, type) else getattr(said, "name", None)
    return str(name or "the schema")


# --------------------------------------------------------------------------- judging


class ColumnsJudge(NamedTuple):
    """Columns by name, with what they hold."""

    said: str
    columns: Mapping[str, str]

    def broken(self, value: Any) -> str:
        """See `Judge`; what is no table breaks nothing."""
        has = columns_in(value)
        if has is None:
            return ""
        missing = [name for name in self.columns if name not in has]
        if missing:
            return f"there is no column `{missing[0]}`; there is {listed(has)}"
        for name, told in self.columns.items():
            if not kinds_fit(has[name], kind_of(told)):
                return f"column `{name}` must hold {told}, and holds {has[name]}"
            if told.lower().endswith(NOT_NULL) and (rows := _missing(value, name)):
                return f"column `{name}` must not have values missing, and has in row {_listed(rows)}"
        return ""


class PanderaJudge(NamedTuple):
    """A model or schema of pandera."""

    said: str
    schema: Any

    def broken(self, value: Any) -> str:
        """See `Judge`."""
        try:
            self.schema.validate(value, lazy=True)
        except Exception as error:  # of pandera, whose classes differ by its backends  # noqa: BLE001
            cases = getattr(error, "failure_cases", None)
            told = list(_cases(cases)) if cases is not None else []
            return "; ".join(told[:SHOWN]) or " ".join(str(error).split())[:300]
        return ""


class ModelJudge(NamedTuple):
    """A model of pydantic, for each row of a table or item of a list, or for one object."""

    said: str
    model: Any

    def broken(self, value: Any) -> str:
        """See `Judge`."""
        told: list[str] = []
        for number, row in _rows_of(value):
            told += [f"{clause}{_in_row(number)}" for clause in self._row(row)]
            if len(told) >= SHOWN:
                break
        return "; ".join(told[:SHOWN])

    def _row(self, row: Any) -> Iterator[str]:
        given = dict(row) if isinstance(row, self.model) else row
        try:
            self.model.model_validate(given)
        except ValueError as error:  # pydantic.ValidationError, and what validators raise
            for one in getattr(error, "errors", list)():
                field = ".".join(map(str, one["loc"])) or self.said
                yield f"`{field}`: {one['msg']} (got {_short(one.get('input'))})"


class DataclassJudge(NamedTuple):
    """A dataclass, for each row of a table or item of a list."""

    said: str
    kind: Any

    def broken(self, value: Any) -> str:
        """See `Judge`."""
        hints = _hints(self.kind)
        if columns_in(value) is not None:
            return ColumnsJudge(self.said, {name: _column(hint) for name, hint in hints.items()}).broken(
                value
            )
        told: list[str] = []
        for number, row in _rows_of(value):
            told += [f"{clause}{_in_row(number)}" for clause in self._row(row, hints)]
            if len(told) >= SHOWN:
                break
        return "; ".join(told[:SHOWN])

    def _row(self, row: Any, hints: Mapping[str, Any]) -> Iterator[str]:
        for name, hint in hints.items():
            has = row.get(name, _NOTHING) if isinstance(row, Mapping) else getattr(row, name, _NOTHING)
            if has is _NOTHING:
                yield f"there is no `{name}`"
            elif fits(has, hint):
                yield f"`{name}` must be {_spelled(hint)}, and is {_short(has)}"


_NOTHING = object()


def _hints(kind: Any) -> dict[str, Any]:
    fields = kind.__dataclass_fields__
    try:
        hints = typing.get_type_hints(kind)
    except Exception:  # names for type checkers alone; what cannot be resolved is not judged  # noqa: BLE001
        hints = {}
    return {name: hints.get(name, Any) for name in fields}


def _column(hint: Any) -> str:
    """A field's type as the schema of a column: one that may be None may be missing."""
    given = [one for one in typing.get_args(hint) if one is not type(None)]
    if type(None) in typing.get_args(hint):
        return _spelled(given[0]) if len(given) == 1 else ""
    return _spelled(hint) + NOT_NULL


def _spelled(hint: Any) -> str:
    return hint.__name__ if isinstance(hint, type) else str(hint).replace("typing.", "")


# --------------------------------------------------------------------------- rows


def _rows_of(value: Any) -> Iterator[tuple[int | None, Any]]:
    """The rows of a table, or the items of a list, with their numbers from 0; of one object itself."""
    if hasattr(value, "collect_schema") and hasattr(value, "collect"):
        value = value.collect()
    if hasattr(value, "iter_rows"):  # polars
        yield from enumerate(value.iter_rows(named=True))
    elif hasattr(value, "to_pylist"):  # Arrow
        yield from enumerate(value.to_pylist())
    elif hasattr(value, "itertuples"):  # pandas
        names = [str(name) for name in value.columns]
        for number, row in enumerate(value.itertuples(index=False, name=None)):
            yield number, {name: None if one is None or one != one else one for name, one in zip(names, row, strict=True)}  # fmt: skip
    elif isinstance(value, list | tuple):
        yield from enumerate(value)
    else:
        yield None, value


def _missing(table: Any, name: str) -> list[int]:
    """The first rows in which a column has no value."""
    column = table.select(name).collect()[name] if hasattr(table, "collect_schema") and hasattr(table, "collect") else table[name]  # fmt: skip
    if hasattr(column, "is_nan") and str(getattr(column, "dtype", "")).startswith(
        "Float"
    ):  # polars tells both apart
        gone = (column.is_null() | column.is_nan()).to_list()
    elif hasattr(column, "isna"):  # pandas
        gone = column.isna().tolist()
    else:  # polars, Arrow
        found = column.is_null()
        gone = found.to_list() if hasattr(found, "to_list") else found.to_pylist()
    return list(islice((number for number, is_gone in enumerate(gone) if is_gone), SHOWN + 1))


def _cases(cases: Any) -> Iterator[str]:
    """What pandera found, a clause for each column and rule, with the first rows."""
    rows = cases.to_dicts() if hasattr(cases, "to_dicts") else cases.to_dict("records")
    grouped: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for row in rows:
        grouped.setdefault((str(row.get("column")), str(row.get("check"))), []).append(row)
    for (column, check), found in grouped.items():
        where = [row["index"] for row in found if _is_there(row.get("index"))]
        values = [_short(row.get("failure_case")) for row in found[:SHOWN]]
        if check == "column_in_dataframe":
            yield f"there is no column `{found[0].get('failure_case')}`"
        elif where:
            pairs = [f"{value} in row {row}" for value, row in zip(values, where, strict=False)]
            more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
            yield f"column `{column}` breaks `{check}`: {', '.join(pairs)}{more}"
        else:
            yield f"column `{column}` breaks `{check}`: {', '.join(values)}"


def _is_there(value: Any) -> bool:
    return value is not None and value == value  # NaN is not


def _listed(rows: Sequence[int]) -> str:
    return ", ".join(map(str, rows[:SHOWN])) + (", …" if len(rows) > SHOWN else "")


def _in_row(number: int | None) -> str:
    return "" if number is None else f" in row {number}"


def _short(value: Any) -> str:
    text = repr(value.item() if hasattr(value, "item") else value)
    return text if len(text) <= 40 else f"{text[:37]}…"
