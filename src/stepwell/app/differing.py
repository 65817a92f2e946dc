"""What differs between two values of one output: for people, and as plain data for JSON.

    found = compare(kept(store, artifact), Kept(made.artifact, blobs, made.data))
    lines(found)        ["['auc']  0.91 → 0.92"]
    document(found)     [{"where": "['auc']", "kind": "value", "text": "0.91 → 0.92"}]

Two artifacts with one codec and one digest are the same. Else the values are looked at: plain data by
path, tables by column, arrays by element, text by line, files by content, models by their parameters.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import fields, is_dataclass
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from stepwell.codecs import choose
from stepwell.codecs import plain as plain_data
from stepwell.errors import StepwellError, counted
from stepwell.kernel.ports import Artifact
from stepwell.stores.blobs import Blobs
from stepwell.stores.local import LocalStore

MOST = 50
"""Differences of one output that are told one by one."""

SHOWN = 60
"""Characters of a value that are shown."""

SERIES = 20
"""Numbers from which on a list is compared like an array, not item by item."""

DEEPEST = 50
"""Levels of containers that are looked into."""

INDEX = "(index)"
"""Under which name the row index of a table is compared."""

SORTED = 200_000
"""Rows up to which it is found out whether a table holds the same rows in another order."""


class Difference(NamedTuple):
    """One place in which two values differ.

    `where` is the path to it ("" the whole; `['auc']`, `.name`, `[3]`), `kind` one of `value`, `type`,
    `missing`, `added`, `text`, `array`, `table`, `column`, `file`, `folder`, `model`, `codec`, `bytes`,
    `more`. `text` says it in a clause, `lines` in more (a unified diff), `facts` in numbers.
    """

    where: str
    kind: str
    text: str
    lines: tuple[str, ...] = ()
    facts: Mapping[str, object] = {}


class Kept(NamedTuple):
    """An artifact and where its bytes are: in `data` where they are few, else a blob of `blobs`."""

    artifact: Artifact
    blobs: Blobs
    data: bytes | None

    def blob(self) -> Any:
        """The blob. Raises `ArtifactGone`."""
        return self.blobs.open(self.artifact.digest) if self.data is None else self.blobs.held(self.data)


def kept(store: LocalStore, artifact: Artifact) -> Kept:
    """A recorded artifact. Raises `ArtifactGone`."""
    return Kept(artifact, store.blobs, store.results.data(artifact))


def compare(then: Kept, now: Kept) -> list[Difference]:
    """What differs; empty exactly where codec and digest are the same. Never fails because of what a value is."""
    before, after = then.artifact, now.artifact
    if before.token == after.token:
        return []
    if before.codec != after.codec:
        return [
            Difference("", "codec", f"it was kept as `{before.codec}`, it is kept as `{after.codec}` now")
        ]
    try:
        found = _differences(value_of(then), value_of(now), "", 0)
        told = list(islice(found, MOST))
        rest = sum(1 for _ in islice(found, 100 * MOST))
    except Exception as error:  # methods of the user's classes are called, and libraries  # noqa: BLE001
        clause = error.what if isinstance(error, StepwellError) else f"{type(error).__name__}: {error}"
        return [_bytes(before, after, f"the values cannot be compared ({clause[:200]})")]
    if rest:
        told.append(Difference("", "more", f"and {rest:,} more", facts={"count": rest}))
    return told or [_bytes(before, after, "the content differs in a way that the values do not show")]


def value_of(one: Kept) -> Any:
    """What is compared: plain data without the user's classes, which may have changed; other values as they are."""
    if one.artifact.codec == "json":
        return plain_data.preview(one.blob().data)
    return choose.load(one.blob(), one.artifact.codec)


def _bytes(before: Artifact, after: Artifact, text: str) -> Difference:
    facts = {"before": before.digest, "after": after.digest, "sizes": [before.size, after.size]}
    sizes = (
        f"{before.size:,} bytes" if before.size == after.size else f"{before.size:,} → {after.size:,} bytes"
    )
    return Difference("", "bytes", f"{text}; {sizes}", facts=facts)


def lines(found: Iterable[Difference]) -> list[str]:
    """Differences for people, one a line; what belongs to one is indented below it."""
    out = []
    for one in found:
        out.append(f"{one.where}  {one.text}" if one.where else one.text)
        out += [f"  {line}" for line in one.lines]
    return out


def document(found: Iterable[Difference]) -> list[dict[str, object]]:
    """Differences as plain data; what says nothing is left out."""
    out = []
    for one in found:
        shown: dict[str, object] = {"where": one.where, "kind": one.kind, "text": one.text}
        if one.lines:
            shown["lines"] = list(one.lines)
        out.append({**shown, **one.facts})
    return out


def sentence(name: str, found: Sequence[Difference]) -> str:
    """Differences of one output in half a line, for a note."""
    told = [f"{one.where} {one.text}".strip() for one in found[:3]]
    rest = f", and {len(found) - 3} more" if len(found) > 3 else ""
    return f"`{name}`: {'; '.join(told)}{rest}"


# ---------------------------------------------------------------------------- values


def _differences(a: Any, b: Any, where: str, depth: int) -> Iterator[Difference]:
    """The places in which two values differ, depth first."""
    if a is b or depth > DEEPEST:
        return
    for kind, compared in _KINDS:
        if kind(a) and kind(b):
            yield from compared(a, b, where, depth)
            return
    if type(a) is not type(b):
        text = f"{_kind(a)} → {_kind(b)}: {short(a)} → {short(b)}"
        yield Difference(where, "type", text, facts={"before": _kind(a), "after": _kind(b)})
    elif isinstance(a, str):
        yield from _text(a, b, where)
    elif is_dataclass(a):
        for field in fields(a):
            yield from _differences(
                getattr(a, field.name, None), getattr(b, field.name, None), f"{where}.{field.name}", depth + 1
            )
    elif not same(a, b):
        yield _changed(where, a, b)


def _changed(where: str, a: Any, b: Any) -> Difference:
    facts: dict[str, object] = {"before": short(a, 200), "after": short(b, 200)}
    return Difference(where, "value", f"{short(a)} → {short(b)}", facts=facts)


def same(a: Any, b: Any) -> bool:
    """Whether two values are equal, one that is not equal to itself (NaN, NaT) counted as equal to another such."""
    if a is b:
        return True
    try:
        if isinstance(a, bool) is not isinstance(b, bool):
            return False
        equal = a == b
        if isinstance(equal, bool):
            return equal or bool(a != a and b != b)
        return bool(getattr(equal, "all", lambda: equal)()) or bool(a != a and b != b)
    except (TypeError, ValueError):  # pd.NA, arrays of two lengths: no truth value
        return repr(a) == repr(b)


def _mapping(a: Mapping[Any, Any], b: Mapping[Any, Any], where: str, depth: int) -> Iterator[Difference]:
    for key in a:
        if key not in b:
            yield Difference(f"{where}[{key!r}]", "missing", f"is gone: it was {short(a[key])}")
    for key, value in b.items():
        if key not in a:
            yield Difference(f"{where}[{key!r}]", "added", f"is new: {short(value)}")
        else:
            yield from _differences(a[key], value, f"{where}[{key!r}]", depth + 1)


def _sequence(a: Sequence[Any], b: Sequence[Any], where: str, depth: int) -> Iterator[Difference]:
    if type(a) is not type(b):
        yield Difference(where, "type", f"{_kind(a)} → {_kind(b)}")
    if len(a) != len(b):
        yield Difference(
            where, "value", f"{len(a):,} → {counted(len(b), 'item')}", facts={"items": [len(a), len(b)]}
        )
    elif len(a) >= SERIES and all(type(x) in (int, float) for x in (*a, *b)):
        yield from _numbers(a, b, where)
        return
    names = getattr(type(a), "_fields", None)
    for i, (x, y) in enumerate(zip(a, b)):  # noqa: B905  two lengths were told
        yield from _differences(x, y, f"{where}.{names[i]}" if names else f"{where}[{i}]", depth + 1)


def _numbers(a: Sequence[Any], b: Sequence[Any], where: str) -> Iterator[Difference]:
    """Two long lists of numbers."""
    places = [i for i, (x, y) in enumerate(zip(a, b, strict=True)) if not same(x, y)]
    if not places:
        return
    far = max((abs(a[i] - b[i]) for i in places if same(a[i] - b[i], a[i] - b[i])), default=None)
    facts: dict[str, object] = {"differing": len(places), "of": len(a), "max_difference": _number(far)}
    order = "; the same numbers in another order" if sorted(map(repr, a)) == sorted(map(repr, b)) else ""
    at = f"first at [{places[0]}]: {short(a[places[0]])} → {short(b[places[0]])}"
    text = f"{len(places):,} of {len(a):,} numbers differ{_at_most(far)}{order}; {at}"
    yield Difference(where, "array", text, facts=facts)


def _set(a: Any, b: Any, where: str, depth: int) -> Iterator[Difference]:
    for item in sorted(a - b, key=repr):
        yield Difference(where, "missing", f"{short(item)} is gone")
    for item in sorted(b - a, key=repr):
        yield Difference(where, "added", f"{short(item)} is new")


def _text(a: str, b: str, where: str) -> Iterator[Difference]:
    if a == b:
        return
    if "\n" not in a + b and len(a) + len(b) < 4 * SHOWN:
        yield _changed(where, a, b)
        return
    found = list(
        islice(
            difflib.unified_diff(a.splitlines(), b.splitlines(), "then", "now", lineterm="", n=1), 2 * MOST
        )
    )
    text = f"{len(a):,} → {counted(len(b), 'character')}" if found else "line ends differ"
    yield Difference(where, "text", text, tuple(found))


# ---------------------------------------------------------------------------- arrays and tables


def _array(a: Any, b: Any, where: str, depth: int) -> Iterator[Difference]:
    """Two NumPy arrays."""
    facts: dict[str, object] = {
        "shape": [list(a.shape), list(b.shape)],
        "dtype": [str(a.dtype), str(b.dtype)],
    }
    if a.shape != b.shape or a.dtype != b.dtype:
        parts = [f"shape {a.shape} → {b.shape}"] if a.shape != b.shape else []
        parts += [f"dtype {a.dtype} → {b.dtype}"] if a.dtype != b.dtype else []
        yield Difference(where, "array", ", ".join(parts), facts=facts)
        return
    cells = _cells(a.reshape(-1), b.reshape(-1))
    if cells.differing:
        text = f"{cells.differing:,} of {a.size:,} elements differ{_at_most(cells.far)}"
        yield Difference(where, "array", text, facts={**facts, **cells.facts(a.size)})


class _Cells(NamedTuple):
    """How many cells differ, and by how much at most (None where they are no numbers)."""

    differing: int
    far: float | None
    first: int | None = None

    def facts(self, count: int) -> dict[str, object]:
        """The same for JSON."""
        return {"differing": self.differing, "of": count, "max_difference": _number(self.far)}


def _cells(a: Any, b: Any) -> _Cells:
    """Two arrays of one dimension and one length, cell by cell."""
    import numpy as np

    if a.dtype.kind in "biufcmMSU" and a.dtype.kind == b.dtype.kind:
        differ = (a != b) & ~((a != a) & (b != b))
    else:
        differ = np.fromiter(
            (not same(x, y) for x, y in zip(a.tolist(), b.tolist(), strict=True)), bool, len(a)
        )
    count = int(differ.sum())
    far = None
    if count and a.dtype.kind in "iufc" and b.dtype.kind in "iufc":
        kind = complex if "c" in (a.dtype.kind, b.dtype.kind) else float
        gaps = np.abs(a[differ].astype(kind) - b[differ].astype(kind))
        gaps = gaps[~np.isnan(gaps)]
        far = float(gaps.max()) if len(gaps) else None
    return _Cells(count, far, int(differ.argmax()) if count else None)


def _table(a: Any, b: Any, where: str, depth: int) -> Iterator[Difference]:
    """Two tables of any library: schema, rows, then the cells of the columns that both have."""
    old, new = _columns(a), _columns(b)
    kinds = ({name: one.kind for name, one in old.items()}, {name: one.kind for name, one in new.items()})
    for name in old:
        if name not in new:
            yield Difference(f"{where}[{name!r}]", "column", "the column is gone")
    for name in new:
        if name not in old:
            yield Difference(f"{where}[{name!r}]", "column", f"the column is new: {kinds[1][name]}")
    if list(old) != list(new) and sorted(map(str, old)) == sorted(map(str, new)):
        yield Difference(where, "table", "the columns are in another order")
    common = [name for name in old if name in new]
    for name in common:
        if kinds[0][name] != kinds[1][name]:
            facts: dict[str, object] = {"type": [kinds[0][name], kinds[1][name]]}
            text = f"type {kinds[0][name]} → {kinds[1][name]}"
            yield Difference(f"{where}[{name!r}]", "column", text, facts=facts)
    rows = _rows(a), _rows(b)
    if rows[0] != rows[1]:
        yield Difference(where, "table", f"{rows[0]:,} → {rows[1]:,} rows", facts={"rows": list(rows)})
        return
    found, moved = [], False
    for name in common:
        cells = _cells(old[name].array, new[name].array)
        if cells.differing:
            told = f"{cells.differing:,} of {rows[0]:,} cells differ{_at_most(cells.far)}"
            found.append(Difference(f"{where}[{name!r}]", "column", told, facts=cells.facts(rows[0])))
            moved = moved or name != INDEX
    if moved and _reordered(old, new, rows[0]):
        yield Difference(where, "table", "the same rows in another order")
    yield from found


class _Column(NamedTuple):
    """A column: its type as its library calls it, its cells."""

    kind: str
    array: Any


def _columns(table: Any) -> dict[Any, _Column]:
    """The columns of a table by name; those of one name are told apart by their place. The row index comes last."""
    out: dict[Any, _Column] = {}

    def add(name: Any, kind: object, array: Any) -> None:
        out[name if name not in out else f"{name} ({len(out)})"] = _Column(str(kind), array)

    library = type(table).__module__.partition(".")[0]
    if library == "pandas":
        frame = table.to_frame(name="values") if hasattr(table, "to_frame") else table
        for i, name in enumerate(frame.columns):
            add(name, frame.dtypes.iloc[i], frame.iloc[:, i].to_numpy())
        add(INDEX, frame.index.dtype, frame.index.to_numpy())
    elif library == "polars":
        for column in [table] if hasattr(table, "to_frame") else table.get_columns():
            add(column.name or "values", column.dtype, column.to_numpy())
    else:
        for name, column in zip(table.column_names, table.columns, strict=True):
            add(
                name,
                column.type,
                column.to_numpy(zero_copy_only=False) if hasattr(column, "chunks") else column,
            )
    return out


def table_columns(table: Any) -> dict[Any, Any]:
    """The cells of each column of a table by name, the row index last."""
    return {name: column.array for name, column in _columns(table).items()}


def _rows(table: Any) -> int:
    return int(table.num_rows) if hasattr(table, "num_rows") else len(table)


def _reordered(old: Mapping[Any, _Column], new: Mapping[Any, _Column], rows: int) -> bool:
    """Whether two tables hold the same rows, their index left aside, as far as finding out is quick."""
    if rows > SORTED or list(old) != list(new):
        return False
    names = [name for name in old if name != INDEX]
    before, after = (
        sorted(map(repr, zip(*(side[n].array.tolist() for n in names), strict=True))) for side in (old, new)
    )
    return before == after


# ---------------------------------------------------------------------------- files and models


def _path(a: Path, b: Path, where: str, depth: int) -> Iterator[Difference]:
    """Two files or folders, as they were kept."""
    if a.is_dir() or b.is_dir():
        if not (a.is_dir() and b.is_dir()):
            yield Difference(
                where, "type", "a folder became a file" if a.is_dir() else "a file became a folder"
            )
            return
        yield from _folder(a, b, where)
        return
    if a.name != b.name:
        yield Difference(where, "file", f"its name is `{b.name}`, it was `{a.name}`")
    yield from _file(a, b, where)


def _folder(a: Path, b: Path, where: str) -> Iterator[Difference]:
    old, new = ({path.relative_to(top) for path in top.rglob("*") if path.is_file()} for top in (a, b))
    for name in sorted(old | new):
        if name not in new:
            yield Difference(f"{where}/{name}", "missing", "the file is gone")
        elif name not in old:
            yield Difference(f"{where}/{name}", "added", "the file is new")
        else:
            yield from _file(a / name, b / name, f"{where}/{name}")


def _file(a: Path, b: Path, where: str) -> Iterator[Difference]:
    sizes = a.stat().st_size, b.stat().st_size
    facts: dict[str, object] = {"sizes": list(sizes)}
    if max(sizes) < 1 << 20:
        old, new = a.read_bytes(), b.read_bytes()
        if old == new:
            return
        with suppress(UnicodeDecodeError):
            for one in _text(old.decode(), new.decode(), where):
                yield one._replace(kind="file", facts=facts)
            return
    place = _first_difference(a, b)
    if place is not None:
        told = f"{sizes[0]:,} bytes" if sizes[0] == sizes[1] else f"{sizes[0]:,} → {sizes[1]:,} bytes"
        yield Difference(where, "file", f"{told}, from byte {place:,} on", facts={**facts, "first": place})


def _first_difference(a: Path, b: Path) -> int | None:
    """The place of the first byte that differs, or None."""
    with a.open("rb") as old, b.open("rb") as new:
        place = 0
        while True:
            x, y = old.read(1 << 20), new.read(1 << 20)
            if x != y:
                shared = min(len(x), len(y))
                return place + next((i for i in range(shared) if x[i] != y[i]), shared)
            if not x:
                return None
            place += len(x)


def _model(a: Any, b: Any, where: str, depth: int) -> Iterator[Difference]:
    """Two estimators: their parameters, and that what they learned differs."""
    found = list(_mapping(a.get_params(), b.get_params(), where, depth)) if type(a) is type(b) else []
    if type(a) is not type(b):
        yield Difference(where, "type", f"{_kind(a)} → {_kind(b)}")
    elif found:
        yield from found
    else:
        yield Difference(
            where, "model", f"the {_kind(a)} learned something else; its parameters are the same"
        )


# ---------------------------------------------------------------------------- what is what


def _is(*names: str) -> Callable[[Any], bool]:
    """Whether a value is of one of these classes, by full name and without importing them."""
    return lambda value: any(_full(kind) in names for kind in type(value).__mro__)


def _full(kind: type) -> str:
    return f"{kind.__module__.partition('.')[0]}.{kind.__qualname__}"


is_array = _is("numpy.ndarray")
"""Whether a value is an array."""

is_table = _is(
    "pandas.DataFrame", "pandas.Series", "polars.DataFrame", "polars.Series", "pyarrow.Table",
    "pyarrow.RecordBatch",
)  # fmt: skip
"""Whether a value is a table, or a column of one, of any library."""


def is_model(value: Any) -> bool:
    """Whether a value is an estimator."""
    return hasattr(value, "get_params") and not isinstance(value, type)


_KINDS: Sequence[tuple[Callable[[Any], bool], Callable[[Any, Any, str, int], Iterator[Difference]]]] = (
    (lambda value: isinstance(value, Mapping), _mapping),
    (lambda value: isinstance(value, list | tuple), _sequence),
    (lambda value: isinstance(value, set | frozenset), _set),
    (lambda value: isinstance(value, Path), _path),
    (is_array, _array),
    (is_table, _table),
    (is_model, _model),
)  # fmt: skip
"""How values of which kind are compared; what is of none is compared by its fields, or by `==`."""


def _kind(value: Any) -> str:
    return type(value).__name__


def short(value: Any, width: int = SHOWN) -> str:
    """A value in so many characters, on one line."""
    try:
        text = " ".join(repr(value).split())
    except Exception:  # a __repr__ of the user's that raises  # noqa: BLE001
        text = f"a {_kind(value)}"
    return text if len(text) <= width else text[: width - 1] + "…"


def _number(value: float | None) -> float | str | None:
    """A float as JSON has it."""
    if value is None or (value == value and abs(value) != float("inf")):
        return value
    return str(value)


def _at_most(far: float | None) -> str:
    return "" if far is None else f", by at most {far:.6g}"
