"""A splitter: it gives at least two parts, none is empty, and no row is in more than one of them.

Where `key` or `by` name columns, rows with the same values there must be in one part. Otherwise rows are compared by
all that is in them: those that are in several parts, and more often than in what the step was given, were used
twice. Rows of a table whose index says which is which are not compared (`_by_index`). What was equal in the data
already is no fault of the splitter's; a note says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from stepwell.errors import SplitBroken, nearest
from stepwell.worker.roles import Found, Given
from stepwell.worker.roles.rows import Crossing, Rows, crossing, joined, numbered, shown
from stepwell.worker.roles.values import Table, collected, kind, missing, parts_of, table_of, tables_in, take

TWICE = "what is judged on the one was learned from the other, and the figures would be too good"


class Part(NamedTuple):
    """One part of a split: its name, and the tables in it, which lie side by side (features and labels)."""

    name: str
    tables: tuple[Table, ...]

    @property
    def rows(self) -> int:
        """How many rows it has."""
        return self.tables[0].rows

    @property
    def form(self) -> tuple[object, ...]:
        """What parts that can be compared have in common."""
        return tuple((one.library, one.columns or one.width) for one in self.tables)


class Taken(NamedTuple):
    """What a splitter was given: its name, options, and the tables among its arguments."""

    step: str
    options: Mapping[str, Any]
    tables: Mapping[str, Table]


def taken(given: Given) -> Taken:
    """See `worker.roles`. The tables themselves are kept: whether rows were there twice is asked only when needed."""
    return Taken(given.step, given.options, tables_in(given.values))


def judged(before: Taken, value: Any) -> Found:
    """See `worker.roles`. Raises `SplitBroken`."""
    splits = list(_splits(before, value))
    notes: dict[str, None] = {}
    sizes: dict[str, int] = {}
    lost = 0
    how: dict[str, None] = {}
    for parts in splits:
        for part in parts:
            sizes[part.name] = part.rows
        for told in _compared(before, parts):
            how[told.how] = None
            notes.update(dict.fromkeys(told.notes))
        lost = max(lost, _lost(before, parts))
    if lost:
        notes[f"{lost:,} rows of what it was given are in no part"] = None
    given = {name: table.rows for name, table in before.tables.items()}
    document = {"parts": sizes, "given": given, "lost": lost, "disjoint": list(how)}
    metrics = {f"rows[{name}]": float(rows) for name, rows in sizes.items()}
    return Found({**document, **before.options}, metrics, tuple(notes))


# --------------------------------------------------------------------------- the parts


def _splits(before: Taken, value: Any) -> Iterator[list[Part]]:
    """The splits in what was returned: one, or with `folds` one a fold."""
    if not before.options.get("folds"):
        yield _parts(before.step, value, "")
        return
    folds = parts_of(value)
    if not folds:
        raise _broken(before.step, f"returned {kind(value)}, and says that it returns folds", "return a list of folds, each a tuple of parts")  # fmt: skip
    for name, fold in folds:
        yield _parts(before.step, fold, f"{name}/")


def _parts(step: str, value: Any, path: str) -> list[Part]:
    found = parts_of(value)
    what = f"fold {path.rstrip('/')}" if path else "what it returned"
    if len(found) < 2:
        told = f"has {len(found)} part" if found else f"is {kind(value)}"
        raise _broken(step, f"gave no split: {what} {told}", "return at least two parts: a tuple, a named tuple or a dict of tables")  # fmt: skip
    parts = [Part(f"{path}{name}", _tables(step, f"{path}{name}", part)) for name, part in found]
    empty = [part.name for part in parts if not part.rows]
    if empty:
        raise _broken(step, f"left the part `{empty[0]}` empty", "look at the sizes asked for, and at the rows it is given")  # fmt: skip
    return parts


def _tables(step: str, name: str, value: Any) -> tuple[Table, ...]:
    """The tables of one part. Raises `SplitBroken`."""
    table = table_of(value)
    if table is not None:
        return (table,)
    inner = [(one, table_of(part)) for one, part in parts_of(value)]
    found = tuple(table for _, table in inner if table is not None)
    wrong = [one for one, table in inner if table is None]
    if not found or wrong:
        what = f"`{name}` is {kind(value)}" if not found else f"`{wrong[0]}` in the part `{name}` has no rows"
        raise _broken(step, f"gave a part that is no table and no array: {what}", "return nothing but the parts; record what else there is to say with `log`")  # fmt: skip
    if len({table.rows for table in found}) > 1:
        sizes = ", ".join(f"{table.rows:,}" for table in found)
        raise _broken(step, f"gave the part `{name}` whose tables have {sizes} rows", "if each part is a fold with parts of its own, say so: @splitter(folds=True)")  # fmt: skip
    return found


# --------------------------------------------------------------------------- comparing


class Compared(NamedTuple):
    """What came of comparing parts: how they were compared, and notes."""

    how: str
    notes: tuple[str, ...] = ()


def _compared(before: Taken, parts: Sequence[Part]) -> Iterator[Compared]:
    """Compare the parts, in each way that was asked for. Raises `SplitBroken` where a row is in two of them."""
    named = [(way, before.options[way]) for way in ("key", "by") if before.options.get(way)]
    for way, columns in named:
        _by_columns(before.step, parts, way, columns)
        yield Compared(f"{way} {', '.join(columns)}")
    if named or before.options.get("duplicates"):
        return
    for lane in _lanes(parts):
        yield _by_content(before, lane)


def _by_columns(step: str, parts: Sequence[Part], way: str, columns: Sequence[str]) -> None:
    """Refuse parts that share a key or a group; rows in which it is missing are in no group."""
    found = []
    for part in parts:
        table = next((one for one in part.tables if set(columns) <= set(one.columns)), None)
        if table is None:
            has = [name for one in part.tables for name in one.columns]
            wrong = next((name for name in columns if name not in has), columns[0])
            near = nearest(wrong, has)
            fix = f"did you mean `{near}`?" if near else f"return it in every part, or leave `{way}=` out"
            raise _broken(step, f"gave the part `{part.name}` without the column `{wrong}`", fix, why=f"@splitter({way}={wrong!r}) is judged by it")  # fmt: skip
        found.append(_there(table, columns))
    rows = numbered(found, columns)
    shared = crossing(rows, None) if rows is not None else None
    if shared is None:
        return
    text = shown(found[shared.part], shared.row, columns)
    two = f"`{parts[shared.part].name}` and `{parts[shared.other].name}`"
    what = "keys" if way == "key" else "groups"
    fix = "split the values of the column, and take the rows of each side" if way == "by" else "draw rows without putting them back"  # fmt: skip
    raise _broken(step, f"has {_count(shared.count, what)} in more than one part: {text} is in {two}", fix)


def _there(table: Table, columns: Sequence[str]) -> Table:
    """The rows of a table in which none of the columns is missing a value."""
    table = collected(table)
    if not set(columns) & missing(table).keys():
        return table
    if table.library == "pandas":
        places = [table.columns.index(name) for name in columns]
        there = table.value.iloc[:, places].notna().all(axis=1).to_numpy().nonzero()[0]
        kept = take(table, there)
    elif table.library == "polars":
        kept = table.value.drop_nulls(list(columns))
    elif table.library == "arrow":
        places = [table.value.column(table.columns.index(name)).is_valid().to_pylist() for name in columns]
        kept = take(table, [row for row, each in enumerate(zip(*places, strict=True)) if all(each)])
    else:
        return table
    return table._replace(value=kept, rows=len(kept))


def _lanes(parts: Sequence[Part]) -> Iterator[list[Part]]:
    """Parts that can be compared with each other: those of one form; of named tables what they have in common."""
    lanes: dict[object, list[Part]] = {}
    for part in parts:
        lanes.setdefault(part.form, []).append(part)
    several = [lane for lane in lanes.values() if len(lane) > 1]
    yield from several
    rest = [lane[0] for lane in lanes.values() if len(lane) == 1]
    if len(rest) == len(parts) and all(len(part.tables) == 1 and part.tables[0].columns for part in rest):
        yield rest


def _by_content(before: Taken, lane: Sequence[Part]) -> Compared:
    """Compare parts by all that their rows hold. Raises `SplitBroken`."""
    if _by_index(before, lane):
        return Compared("index")
    columns = _common(lane)
    source = _source(before, lane, columns)
    rows, given = _numbers(lane, source, columns)
    shared = crossing(rows, given) if rows else None
    if shared is None:
        return Compared("content" if rows else "nothing: their rows cannot be compared")
    one, other = lane[shared.part], lane[shared.other]
    if shared.more:
        raise _used_twice(before.step, shared, one, other, columns, known=given is not None)
    told = f"{_count(shared.count, 'rows')} of `{one.name}` and `{other.name}` are equal, as they were in what it was given"  # fmt: skip
    return Compared("content", (told,))


def _used_twice(
    step: str, shared: Crossing, one: Part, other: Part, columns: Sequence[str], *, known: bool
) -> SplitBroken:
    text = shown(one.tables[0], shared.row, columns)
    where = f"row {shared.row} of `{one.name}` is row {shared.other_row} of `{other.name}`"
    fixes = ["draw rows without putting them back: each goes into one part"]
    if not known:
        fixes.append('say what tells rows apart: @splitter(key="id"), or that equal rows are different ones: @splitter(duplicates=True)')  # fmt: skip
    what = f"has {_count(shared.more, 'rows')} in more than one part: {where} ({text})"
    return _broken(step, what, *fixes)


def _common(lane: Sequence[Part]) -> tuple[str, ...]:
    """The columns that all parts have, in the order of the first; none for parts that are compared as they are."""
    first = lane[0].tables[0]
    if len(lane[0].tables) > 1 or not first.columns:
        return ()
    shared = set(first.columns).intersection(*(part.tables[0].columns for part in lane[1:]))
    return tuple(name for name in first.columns if name in shared)


def _source(before: Taken, lane: Sequence[Part], columns: Sequence[str]) -> tuple[Table, ...] | None:
    """The tables that the parts were taken from, for each of theirs one; None where that cannot be told."""
    found = []
    for mine in lane[0].tables:
        wanted = columns or mine.columns
        for table in before.tables.values():
            fits = set(wanted) <= set(table.columns) if wanted else table.width == mine.width
            if table.library == mine.library and fits and table.rows >= mine.rows:
                found.append(table)
                break
    return tuple(found) if len(found) == len(lane[0].tables) and len({t.rows for t in found}) == 1 else None


def _numbers(
    lane: Sequence[Part], source: tuple[Table, ...] | None, columns: Sequence[str]
) -> tuple[list[Rows], Rows | None]:
    """The rows of the parts, and of what they were taken from, as numbers; none where they cannot be compared."""
    by_place = []
    for place, mine in enumerate(lane[0].tables):
        tables = [part.tables[place] for part in lane]
        found = numbered([*tables, *([source[place]] if source else [])], columns or mine.columns)
        if found is None:
            return [], None
        by_place.append(found)
    rows = [joined(each) for each in zip(*by_place, strict=True)]
    return (rows[:-1], rows[-1]) if source else (rows, None)


def _by_index(before: Taken, lane: Sequence[Part]) -> bool:
    """Whether the labels of pandas tell that no row is in two parts: each row of what was given has one of its own."""
    tables = [part.tables[0] for part in lane]
    if any(table.library != "pandas" or not hasattr(table.value, "index") for table in tables):
        return False
    import pandas as pd

    whole = pd.Index([])
    indexes = [table.value.index for table in tables]
    for given in before.tables.values():
        if (
            given.library == "pandas"
            and hasattr(given.value, "index")
            and given.rows >= max(map(len, indexes))
        ):
            whole = given.value.index
            break
    if not len(whole) or not whole.is_unique or len({index.nlevels for index in (*indexes, whole)}) > 1:
        return False
    together = indexes[0].append(indexes[1:])
    return bool(together.is_unique and together.isin(whole).all())


def _lost(before: Taken, parts: Sequence[Part]) -> int:
    """How many rows of what was given are in no part."""
    lost = 0
    for lane in _lanes(parts):
        source = _source(before, lane, _common(lane))
        if source is not None:
            lost = max(lost, source[0].rows - sum(part.rows for part in lane))
    return lost


def _count(count: int, what: str) -> str:
    return f"{count:,} {what if count != 1 else what.removesuffix('s')}"


def _broken(step: str, clause: str, *fixes: str, why: str = "") -> SplitBroken:
    return SplitBroken(
        f"step `{step}` {clause}", why=why or (TWICE if "more than one" in clause else ""), fixes=fixes
    )
