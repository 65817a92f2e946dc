"""Whether a table is what a model was trained on: columns, types and units. Asked before the model sees it.

    fitted = fit(given, leaving)           # a frame with exactly the columns of `leaving.takes`, in their order

Extra columns are left out. What loses nothing is changed: integers to floats, whole floats to integers, text to the
categories that the model knows. A value that is no such category is missing then, and a warning says so, as of a
column without any value: a model that cannot do with missing values says that itself. All that is wrong is told at once.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from stepwell.dist.installed.kinds import Kind, is_zoned, kind_of
from stepwell.errors import WrongColumns, WrongTypes, WrongUnits, nearest, counted

if TYPE_CHECKING:
    import pandas as pd

    from stepwell.dist.installed.given import Given
    from stepwell.dist.lock import Leaving

SHOWN = 3
"""Values that a message shows."""


class Misfit(Exception):
    """A column does not hold what it should; the text is a clause: "holds text"."""


def fit(given: Given, leaving: Leaving, units: Mapping[str, str] | None = None) -> pd.DataFrame:
    """The columns that a model takes, as it takes them. `units` win over those that the table says.

    Raises `WrongColumns`, `WrongUnits`, `WrongTypes`. A `leaving` that says nothing of what it takes takes everything.
    """
    import pandas as pd

    if not leaving.takes:
        return given.frame
    check_columns(list(given.frame.columns), list(leaving.takes))
    check_units({**given.units, **(units or {})}, leaving)
    _warn_of_nothing(given.frame, leaving)
    columns: dict[str, Any] = {}
    wrong: list[str] = []
    for name, kind in leaving.takes.items():
        try:
            columns[name] = fit_column(given.frame[name], kind, leaving.categories.get(name, ()))
        except Misfit as misfit:
            wrong.append(f"`{name}` {misfit}")
    if wrong:
        what = "a column does not hold" if len(wrong) == 1 else f"{len(wrong)} columns do not hold"
        raise WrongTypes(
            f"{what} what the model was trained on: {wrong[0]}",
            why="; ".join(wrong[1:6]) + (" …" if len(wrong) > 6 else ""),
            fixes=["change the column before it is given: table.assign(...)"],
        )
    return pd.DataFrame(columns, index=given.frame.index)


def check_columns(here: Sequence[Any], wanted: Sequence[str]) -> None:
    """Raise `WrongColumns` where a wanted column is not there, or twice."""
    missing = [name for name in wanted if name not in here]
    if missing:
        close = {name: nearest(name, [str(one) for one in here if one not in wanted]) for name in missing}
        said = [
            f"`{name}`" + (f" (is `{close[name]}` meant?)" if close[name] else "") for name in missing[:10]
        ]
        raise WrongColumns(
            f"the table has no column {', '.join(said)}{' …' if len(missing) > 10 else ''}",
            why=f"the model was trained on {', '.join(wanted[:20])}{' …' if len(wanted) > 20 else ''}",
            fixes=[
                *[f'table.rename(columns={{"{near}": "{name}"}})' for name, near in close.items() if near][
                    :3
                ],
                "give it a table with all of these columns; more do no harm",
            ],
        )
    twice = [name for name in wanted if list(here).count(name) > 1]
    if twice:
        raise WrongColumns(f"the table has the column `{twice[0]}` twice", fixes=["leave one of them out"])


def check_units(said: Mapping[str, str], leaving: Leaving) -> None:
    """Raise `WrongUnits` where a column that the model takes is said to be in another unit than it was trained in.

    Of one whose unit in the training nobody said a warning tells that it was not compared.
    """
    wrong = [
        (name, said[name].strip(), leaving.units[name].strip())
        for name in leaving.takes
        if name in said and name in leaving.units and said[name].strip() != leaving.units[name].strip()
    ]
    if wrong:
        name, here, there = wrong[0]
        by_column = ", ".join(f'"{n}": "{t}"' for n, _, t in wrong)
        right = f"{{{by_column}}}"
        fixes = [
            f"convert `{name}` from {here} to {there} before it is given",
            f"predict(..., units={right}), if only what the table says is wrong",
        ]
        if len({h for _, h, _ in wrong}) == 1 < len(wrong):
            fixes.append(f'table.attrs["units"] = {right}, where one unit is not that of all columns')
        raise WrongUnits(
            "; ".join(f"`{n}` is in {h}, and the model was trained on {t}" for n, h, t in wrong[:10]),
            why="the numbers would mean something else to the model than what they are",
            fixes=fixes,
        )
    alone = [
        name
        for name in leaving.takes
        if name in said and name not in leaving.units and _counts(name, leaving)
    ]
    if alone:
        warnings.warn(
            f"units were not compared: {', '.join(f'`{name}` is in {said[name]}' for name in alone[:SHOWN])}"
            f"{' …' if len(alone) > SHOWN else ''}, and the release does not say in what it was trained",
            stacklevel=2,
        )


def _counts(name: str, leaving: Leaving) -> bool:
    """Whether a column holds numbers, which a unit is of."""
    return kind_of(leaving.takes[name]) in ("int", "float", "duration")


def _warn_of_nothing(frame: pd.DataFrame, leaving: Leaving) -> None:
    """Warn of columns that hold no value in any of several rows: most models would answer all the same."""
    empty = [name for name in leaving.takes if len(frame) > 1 and not bool(frame[name].notna().any())]
    if empty:
        names = ", ".join(f"`{name}`" for name in empty[:SHOWN]) + (" …" if len(empty) > SHOWN else "")
        warnings.warn(
            f"{names} hold{'s' if len(empty) == 1 else ''} no value in any of the {counted(len(frame), 'row')}",
            stacklevel=2,
        )


# --------------------------------------------------------------------------- columns


def fit_column(column: pd.Series, wanted: str, categories: Sequence[str] = ()) -> Any:
    """A column as the type `wanted` ("int64", "category"), as any library calls it. Raises `Misfit`."""
    kind = kind_of(wanted)
    if kind == "category":
        return _category(column, categories)
    here = _kind_here(column)
    change = _CHANGES.get(kind)
    if change is None or here == "empty":
        return _missing(column, kind) if here == "empty" else column
    return change(column, here, wanted)


def _missing(column: pd.Series, kind: Kind) -> Any:
    """A column without any value, which numbers may be missing from."""
    return column.astype("float64") if kind in ("int", "float", "bool") else column


def _kind_here(column: pd.Series) -> str:
    """What a column holds: a `Kind`, or "empty" where all is missing."""
    import pandas as pd

    if not bool(column.notna().any()):
        return "empty"
    kind = kind_of(str(column.dtype)) if not isinstance(column.dtype, pd.ArrowDtype) else _arrow_kind(column)
    if str(column.dtype) != "object":
        return kind
    return _INFERRED.get(pd.api.types.infer_dtype(column, skipna=True), "mixed")


def _arrow_kind(column: pd.Series) -> Kind:
    return kind_of(str(column.dtype).removesuffix("[pyarrow]"))


_INFERRED = {
    "string": "text", "integer": "int", "floating": "float", "mixed-integer-float": "float", "decimal": "float",
    "boolean": "bool", "categorical": "category", "datetime64": "moment", "datetime": "moment", "date": "date",
    "timedelta64": "duration", "timedelta": "duration",
}  # fmt: skip


def _numbers(column: pd.Series) -> Any:
    """Numbers of any type as those of NumPy: 64 bits, and missing ones as NaN."""
    import numpy as np
    import pandas as pd

    if isinstance(column.dtype, np.dtype) and column.dtype != object:
        return column
    return pd.Series(column.to_numpy(dtype="float64", na_value=np.nan), index=column.index)


def _to_float(column: pd.Series, here: str, wanted: str) -> Any:
    if here not in ("int", "float", "bool"):
        raise Misfit(f"holds {_no_number(column, here)}, and {wanted} is wanted")
    return _numbers(column).astype("float32" if wanted.lower() == "float32" else "float64")


def _to_int(column: pd.Series, here: str, wanted: str) -> Any:
    if here == "bool" or (here == "int" and not bool(column.isna().any())):
        return column.astype("int64") if here == "bool" or str(column.dtype)[0] not in "iu" else column
    if here not in ("int", "float"):
        raise Misfit(f"holds {_no_number(column, here)}, and {wanted} is wanted")
    numbers = _numbers(column)
    present = numbers.dropna()
    broken = present[present % 1 != 0]
    if len(broken):
        raise Misfit(f"holds {float(broken.iloc[0])}, and {wanted} is wanted: whole numbers")
    return numbers.astype("int64") if len(present) == len(numbers) else numbers


def _to_bool(column: pd.Series, here: str, wanted: str) -> Any:
    if here in ("int", "float") and bool(column.dropna().isin([0, 1]).all()):
        here = "bool"
    if here != "bool":
        raise Misfit(f"holds {_no_number(column, here)}, and {wanted} is wanted")
    return column.astype("bool") if not bool(column.isna().any()) else _numbers(column)


def _to_text(column: pd.Series, here: str, wanted: str) -> Any:
    if here == "category":
        values = column.astype(column.cat.categories.dtype)
        return _to_text(values, _kind_here(values), wanted)
    if here != "text":
        raise Misfit(f"holds {_called(column, here)}, and text is wanted")
    return column


def _to_moment(column: pd.Series, here: str, wanted: str) -> Any:
    import pandas as pd

    if here in ("text", "date") or str(column.dtype) == "object":
        try:
            column = pd.to_datetime(column, format="ISO8601" if here == "text" else None)
        except (ValueError, TypeError) as error:
            raise Misfit(f"holds text that is no moment: {str(error)[:100]}") from None
    elif here != "moment":
        raise Misfit(f"holds {_called(column, here)}, and moments are wanted")
    zoned = getattr(column.dtype, "tz", None) is not None
    if zoned is not is_zoned(wanted):
        told = ("without", "with") if is_zoned(wanted) else ("with", "without")
        raise Misfit(f"holds moments {told[0]} a time zone, and moments {told[1]} one are wanted")
    return column


def _to_date(column: pd.Series, here: str, wanted: str) -> Any:
    if here == "text":
        return _to_moment(column, here, "datetime64[ns]").dt.date
    if here not in ("date", "moment"):
        raise Misfit(f"holds {_called(column, here)}, and dates are wanted")
    return column


def _to_duration(column: pd.Series, here: str, wanted: str) -> Any:
    if here != "duration":
        raise Misfit(f"holds {_called(column, here)}, and durations are wanted")
    return column


_CHANGES: Mapping[str, Callable[[Any, str, str], Any]] = {
    "float": _to_float,
    "int": _to_int,
    "bool": _to_bool,
    "text": _to_text,
    "moment": _to_moment,
    "date": _to_date,
    "duration": _to_duration,
}


def _called(column: pd.Series, here: str) -> str:
    """What a column holds, with its first value."""
    names = {"int": "integers", "bool": "true and false", "moment": "moments", "date": "dates", "other": ""}
    first = repr(column.dropna().iloc[0])[:40]
    return f"{names.get(here, here) or str(column.dtype)} ({first})"


def _no_number(column: pd.Series, here: str) -> str:
    """What a column holds that should be of numbers, with the first value that is none, and its row, counted from 1.

    Where each text could be read as a number, it is the first one.
    """
    if here not in ("text", "mixed"):
        return _called(column, here)
    present = [(row, value) for row, value in enumerate(column, 1) if isinstance(value, str)]
    if not present:
        return _called(column, here)
    row, value = next(((row, value) for row, value in present if not _reads(value)), present[0])
    return f"text ({repr(value)[:40]} in row {row:,})"


def _reads(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


# --------------------------------------------------------------------------- categories


def _category(column: pd.Series, categories: Sequence[str]) -> Any:
    """Values as the categories of the training, in their order; others are missing, which is said."""
    import pandas as pd

    values = column.astype(column.cat.categories.dtype) if str(column.dtype) == "category" else column
    here = _kind_here(values)
    if not categories:
        return values.astype("category")
    if here in ("moment", "date", "duration", "mixed", "other"):
        raise Misfit(f"holds {_called(values, here)}, and one of {_some(categories)} is wanted")
    typed = _typed(categories, here)
    if here in ("int", "float", "bool") and isinstance(typed[0], str):
        raise Misfit(f"holds {_called(values, here)}, and one of {_some(categories)} is wanted")
    if here in ("int", "float"):
        values = _numbers(values)
    known = values.isin(typed)
    found = pd.Series(pd.Categorical(values.where(known), categories=typed), index=column.index)
    unknown = values[values.notna() & ~known]
    if len(unknown):
        warnings.warn(
            f"`{column.name}` holds {len(unknown):,} values that the model has not been trained on, which count as "
            f"missing: {_some(list(unknown.unique()))}",
            stacklevel=2,
        )
    return found


def _typed(categories: Sequence[str], here: str) -> list[Any]:
    """Categories as what the column holds: they are written as text, and may have been numbers."""
    if here in ("int", "float"):
        try:
            return [int(text) if text.lstrip("-").isdigit() else float(text) for text in categories]
        except ValueError:
            return list(categories)
    if here == "bool" and set(categories) <= {"True", "False"}:
        return [text == "True" for text in categories]
    return list(categories)


def _some(values: Sequence[Any]) -> str:
    shown = ", ".join(repr(value.item() if hasattr(value, "item") else value) for value in values[:SHOWN])
    return shown + (" …" if len(values) > SHOWN else "")
