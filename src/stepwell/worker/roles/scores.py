"""An evaluator: it gives named numbers, all of them finite, which are the metrics of the run.

    {"auc": 0.91}                                     auc
    {"auc": {"AA": 0.9, "UA": 0.8}}                   auc[AA], auc[UA]
    {"carrier": {"AA": {"auc": 0.9, "f1": 0.8}}}      auc[carrier=AA], f1[carrier=AA]

With `@evaluator(slices="carrier")` the function is called again for the rows of each value of that column, and what
it gives there is recorded as `auc[carrier=AA]`. A value for which it fails, or gives no finite number, is left out
with a note.
"""

from __future__ import annotations

import contextlib
import io
import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from stepwell import log
from stepwell.errors import EvaluatorBroken, nearest
from stepwell.worker.roles import Found, Given
from stepwell.worker.roles.values import Table, collected, groups, kind, parts_of, table_of, take

SLICES = 50
"""Values of a column for which an evaluator is called; of more those with the most rows are taken."""


class Taken(NamedTuple):
    """What an evaluator was given: its name and options; `sliced` is filled while it is called."""

    step: str
    options: Mapping[str, Any]
    sliced: dict[str, float]
    notes: list[str]


def taken(given: Given) -> Taken:
    """See `worker.roles`. Raises `EvaluatorBroken` where no argument has a column of `slices`."""
    tables = [table for value in given.values.values() if (table := table_of(value)) is not None]
    for name in given.options.get("slices", ()):
        if not any(name in table.columns for table in tables):
            near = nearest(name, [each for table in tables for each in table.columns])
            raise EvaluatorBroken(
                f"step `{given.step}` is given no table with the column `{name}`",
                why=f"@evaluator(slices={name!r}) judges the rows of each of its values",
                fixes=[
                    f"did you mean `{near}`?"
                    if near
                    else "give it a table that has it, or leave `slices=` out"
                ],
            )
    return Taken(given.step, given.options, {}, [])


def judged(before: Taken, value: Any) -> Found:
    """See `worker.roles`. Raises `EvaluatorBroken`."""
    metrics = _metrics(before.step, value)
    said = {name: way for way in ("higher", "lower") for name in before.options.get(way, ())}
    everything = {**metrics, **before.sliced}
    directions = {name: way for name in everything if (way := said.get(name) or said.get(_bare(name)))}
    known = {*directions, *map(_bare, directions)}
    notes = [
        *before.notes,
        *(_unknown(name, way, metrics) for name, way in said.items() if name not in known),
    ]
    document: dict[str, Any] = {"metrics": list(everything), "directions": directions}
    if slices := before.options.get("slices"):
        document["slices"] = list(slices)
    return Found(document, everything, tuple(notes))


def _bare(name: str) -> str:
    """The name of a metric without its slice."""
    return name.partition("[")[0]


def _unknown(name: str, way: str, metrics: Collection[str]) -> str:
    near = nearest(name, metrics)
    return f"no metric is called `{name}`, as `{way}=` says" + (f": did you mean `{near}`?" if near else "")


def _metrics(step: str, value: Any) -> dict[str, float]:
    """The metrics in what an evaluator returned. Raises `EvaluatorBroken`."""
    named = isinstance(value, Mapping) or (
        parts_of(value) and not isinstance(value, list) and _has_names(value)
    )
    parts = parts_of(value) if named else []
    if not parts:
        what = "nothing" if value is None or named else kind(value)
        raise _broken(step, f"gave no named numbers: what it returned is {what}", 'return a dict, a named tuple or a dataclass: {"auc": 0.9}')  # fmt: skip
    metrics: dict[str, float] = {}
    for name, part in parts:
        metrics.update(_metric(step, name, part))
    return metrics


def _has_names(value: Any) -> bool:
    return hasattr(value, "_fields") or hasattr(value, "__dataclass_fields__")


def _metric(step: str, name: str, value: Any) -> Iterator[tuple[str, float]]:
    """One metric, or those of its slices. Raises `EvaluatorBroken`."""
    _check_name(step, name)
    if not isinstance(value, Mapping):
        yield name, _number(step, name, value)
        return
    for key, one in value.items():
        where = spoken(key)
        if isinstance(one, Mapping):
            for metric, number in one.items():
                _check_name(step, str(metric))
                full = f"{metric}[{name}={where}]"
                yield full, _number(step, full, number)
        else:
            full = f"{name}[{where}]"
            yield full, _number(step, full, one)


def _check_name(step: str, name: str) -> None:
    """Raises `EvaluatorBroken` for what cannot be the name of a metric."""
    if not name.strip():
        raise _broken(step, "gave a number without a name", "name each metric")


def _number(step: str, name: str, value: Any) -> float:
    """A finite number. Raises `EvaluatorBroken`."""
    number = number_of(value)
    if number is None:
        raise _broken(step, f"gave {kind(value)} as `{name}`, which is no number", "return numbers only; `log.figure`, `log.table` and `log.text` take the rest")  # fmt: skip
    if not math.isfinite(number):
        why = "a figure that is not finite can be compared with nothing"
        raise _broken(step, f"gave {number} as `{name}`", "leave it out where it cannot be told, or correct how it is computed", why=why)  # fmt: skip
    return number


def number_of(value: Any) -> float | None:
    """A value as a number; None for what is none: text, truth values, tables and arrays of more than one."""
    if isinstance(value, str | bytes | bool) or value is None or type(value).__name__ in ("bool_", "bool"):
        return None
    if getattr(value, "size", 1) != 1 and not callable(getattr(value, "size", 1)):
        return None
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return None


def spoken(value: object) -> str:
    """The value of a slice in the name of a metric: one line, at most 60 characters."""
    text = str(getattr(value, "item", lambda: value)())
    text = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
    return text if len(text) <= 60 else f"{text[:59]}…"


def _broken(step: str, clause: str, fix: str, why: str = "") -> EvaluatorBroken:
    return EvaluatorBroken(
        f"step `{step}` {clause}",
        why=why or "what an evaluator gives are the metrics of the run",
        fixes=[fix],
    )


# --------------------------------------------------------------------------- slices


def sliced(before: Taken, call: Callable[[dict[str, Any]], Any], values: Mapping[str, Any]) -> None:
    """Call an evaluator for the rows of each value of the columns of `slices`, with nothing recorded or printed meanwhile."""
    tables = {name: collected(one) for name, value in values.items() if (one := table_of(value)) is not None}
    lazy = {name for name in tables if tables[name].library == "polars" and hasattr(values[name], "collect")}
    for column in before.options.get("slices", ()):
        rows = next(table.rows for table in tables.values() if column in table.columns)
        aligned = {name: table for name, table in tables.items() if table.rows == rows}
        owner = next(table for table in aligned.values() if column in table.columns)
        found = sorted(groups(owner, column), key=lambda pair: (-len(pair[1]), str(pair[0])))
        if len(found) > SLICES:
            before.notes.append(
                f"`{column}` has {len(found):,} values; the {SLICES} with the most rows are judged"
            )
        for value, places in sorted(found[:SLICES], key=lambda pair: str(pair[0])):
            _slice(
                before, f"{column}={spoken(value)}", call, {**values, **_taken_from(aligned, places, lazy)}
            )


def _taken_from(tables: Mapping[str, Table], places: Sequence[int], lazy: Collection[str]) -> dict[str, Any]:
    """The arguments of one slice: these rows of the tables."""
    found = {name: take(table, places) for name, table in tables.items()}
    return {name: one.lazy() if name in lazy else one for name, one in found.items()}


def _slice(before: Taken, name: str, call: Callable[[dict[str, Any]], Any], values: dict[str, Any]) -> None:
    """The metrics of one slice; a note where there are none."""
    recorder = log.record_with(None)
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            metrics = _metrics(before.step, call(values))
    except EvaluatorBroken as error:
        before.notes.append(f"{name} is left out: {error.what.partition('` ')[2]}")
        return
    except Exception as error:  # the function is the user's, and a slice may have one class only  # noqa: BLE001
        before.notes.append(f"{name} is left out: {type(error).__name__}: {str(error)[:100]}")
        return
    finally:
        log.record_with(recorder)
    for metric, number in metrics.items():
        full = f"{metric[:-1]}, {name}]" if metric.endswith("]") else f"{metric}[{name}]"
        before.sliced[full] = number
