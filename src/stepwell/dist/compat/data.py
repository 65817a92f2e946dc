"""Rules about data that comes in: D1xx."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from stepwell.dist.compat.finding import Rule, Told
from stepwell.dist.compat.kinds import becomes_nullable, change, column, measured
from stepwell.dist.compat.meaning import shifted
from stepwell.dist.compat.sides import Side, Sides
from stepwell.dist.lock import Data
from stepwell.dist.sketches import overlap
from stepwell.errors import BadLock

LEAST_OVERLAP = 0.2
"""The share of old keys below which the key is taken for another."""

MOVING = ("date", "datetime", "duration")
"""Kinds of columns of a key whose values are others each month."""


def gone(sides: Sides) -> Iterator[Told]:
    """Data of the manifest that is neither in it nor used any more."""
    after = sides.after
    for name in sides.before.lock.data:
        if name not in after.lock.data and name not in after.manifest.data:
            if name in sides.before.manifest.data:
                yield Told(f"data.{name}", "is gone")
            else:
                yield Told(f"data.{name}", "is not used any more; nobody could import it", "patch")


def key_identity(sides: Sides) -> Iterator[Told]:
    """Keys that are declared to be something else, or that are other columns."""
    for name, old, new in sides.data:
        if old.key and new.key and {*old.key} != {*new.key}:
            what = f"a row was identified by {_listed(old.key)}, and is by {_listed(new.key)}"
            yield Told(f"data.{name}.key", what)
            continue
        for key, meant in _renamed(old.key, new.key):
            yield Told(f"data.{name}.{key}", f"the key was {meant[0]}, and is {meant[1]}")


def key_overlap(sides: Sides) -> Iterator[Told]:
    """Keys whose values are nearly all gone, though they are said to be the same thing."""
    for name, old, new in sides.data:
        said = {key for key, _ in _renamed(old.key, new.key)}
        for key, sketch in old.sketch.items():
            if key in said or key not in new.sketch or _moves(old, key):
                continue
            still = _still(sketch, new.sketch[key])
            if still < LEAST_OVERLAP:
                what = f"{_percent(still)} of the old values are still there: ids were given anew, or written otherwise"
                yield Told(f"data.{name}.{key}", what)


def _moves(data: Data, key: str) -> bool:
    """Whether a column says when, so that new rows have new values."""
    return column(data.columns.get(key, "")).kind in MOVING


def unit_changed(sides: Sides) -> Iterator[Told]:
    """Units that are declared to be others."""
    for name, old, new in sides.data:
        for key, was in old.units.items():
            now = new.units.get(key, was)
            if now != was and key in new.columns:
                yield Told(f"data.{name}.{key}", f"the unit was {was}, and is {now}")


def unit_like(sides: Sides) -> Iterator[Told]:
    """Numbers that are all multiplied by one factor, though their unit is said to be the same."""
    for name, old, new in sides.data:
        same = old.units
        for key, quantiles in old.quantiles.items():
            if key not in new.quantiles or key in old.key or key in old.references:
                continue
            if new.units.get(key) != same.get(key) and key in same and key in new.units:
                continue  # that it is another unit is said already
            found = shifted(quantiles, new.quantiles[key], (old.rows, new.rows))
            if found is None:
                continue
            if found.how == "sign":
                what = "every quantile has the other sign"
            elif found.how == "affine":
                what = f"all {len(quantiles)} quantiles moved as from {found.guess}"
            else:
                what = f"all {len(quantiles)} quantiles x{found.factor:.4g} (spread {_percent(found.spread)})"
                what += f": looks like {found.guess}" if found.guess else ""
            unit = same.get(key) or new.units.get(key)
            yield Told(f"data.{name}.{key}", what + (f"; the manifest says {unit}" if unit else ""))


def column_gone(sides: Sides) -> Iterator[Told]:
    """Columns that are not there any more."""
    for name, old, new in sides.data:
        if new.columns:
            for key in old.columns:
                if key not in new.columns:
                    yield Told(f"data.{name}.{key}", "the column is gone")


def retyped(sides: Sides) -> Iterator[Told]:
    """Columns that hold something else, or less."""
    for name, old, new in sides.data:
        for key in old.columns:
            was, now = column(old.columns[key]), column(new.columns.get(key, ""))
            found = change(was, now)
            if found in ("other", "narrower"):
                what = f"held {was.text}, and holds {now.text}"
                yield Told(f"data.{name}.{key}", what, None if found == "other" else "minor")
            elif found == "wider":
                yield Told(f"data.{name}.{key}", f"held {was.text}, and holds {now.text}: all of it", "minor")


def nullable(sides: Sides) -> Iterator[Told]:
    """Columns in which values may be missing now."""
    for name, old, new in sides.data:
        was, now = _declared(sides.before, name), _declared(sides.after, name)
        for key, said in old.columns.items():
            if key not in new.columns:
                continue
            if key in was and becomes_nullable(column(was[key]), column(now.get(key, ""))):
                yield Told(f"data.{name}.{key}", "was declared to have no value missing, and is not any more")
            elif measured(said) is False and measured(new.columns[key]):
                yield Told(
                    f"data.{name}.{key}", f"no value was missing, and now: {new.columns[key]}", "minor"
                )


def _declared(side: Side, name: str) -> Mapping[str, str]:
    """What the manifest says of columns."""
    declared = side.manifest.data[name].schema if name in side.manifest.data else {}
    return declared if isinstance(declared, dict) else {}


def reference_broken(sides: Sides) -> Iterator[Told]:
    """References whose values are not all found, of which more were, or that are new."""
    for name, new in sides.after.lock.data.items():
        old = sides.before.lock.data.get(name)
        for key, said in new.references.items():
            target, share = _reference(said)
            was = _reference(old.references[key])[1] if old is not None and key in old.references else 1.0
            if share < 1 and share < was:
                what = f"{_percent(1 - share)} of its values are not in {target}"
                what += f" ({_percent(1 - was)} in the release)" if was < 1 else ""
                yield Told(f"data.{name}.{key}", what)


def reference_meaning(sides: Sides) -> Iterator[Told]:
    """References to another column, or between keys that are declared to be different things."""
    for name, old, new in sides.data:
        for key, said in old.references.items():
            was, now = _reference(said)[0], _reference(new.references.get(key, said))[0]
            if was != now:
                yield Told(f"data.{name}.{key}", f"referred to {was}, and refers to {now}")
    data = sides.after.lock.data
    for name, new in data.items():
        for key, said in new.references.items():
            other, _, there = _reference(said)[0].partition(".")
            here, meant = new.key.get(key, ""), data[other].key.get(there, "") if other in data else ""
            if here and meant and here != meant:
                what = (
                    f"is {here}, and refers to {other}.{there}, which is {meant}: they do not mean the same"
                )
                yield Told(f"data.{name}.{key}", what, "blocked")


def added(sides: Sides) -> Iterator[Told]:
    """Data that is new."""
    keys = {meant for data in sides.before.lock.data.values() for meant in data.key.values() if meant}
    for name, new in sides.after.lock.data.items():
        if name not in sides.before.lock.data:
            shared = sorted(keys.intersection(new.key.values()))
            yield Told(f"data.{name}", "is new" + (f", with the key {', '.join(shared)}" if shared else ""))


def column_added(sides: Sides) -> Iterator[Told]:
    """Columns that are new."""
    for name, old, new in sides.data:
        for key in new.columns if old.columns else ():
            if key not in old.columns:
                yield Told(f"data.{name}.{key}", "the column is new")


def rows(sides: Sides) -> Iterator[Told]:
    """Tables and files that say something else."""
    for name, old, new in sides.data:
        if not _differs(old, new):
            continue
        if old.rows is None or new.rows is None:
            yield Told(f"data.{name}", "holds something else")
            continue
        more = new.rows - old.rows
        what = f"{more:+,} rows ({_percent(abs(more) / old.rows)})" if more and old.rows else "other values"
        shares = [
            f"{_percent(_still(sketch, new.sketch[key]))} of the previous {key} still there"
            for key, sketch in old.sketch.items()
            if key in new.sketch
        ]
        yield Told(f"data.{name}", ", ".join([what, *shares]))


def encoded(sides: Sides) -> Iterator[Told]:
    """The same values in other bytes."""
    for name, old, new in sides.data:
        if old.bytes != new.bytes and not _differs(old, new):
            yield Told(f"data.{name}", "the same values, written otherwise")


def described(sides: Sides) -> Iterator[Told]:
    """Units and keys that are said now, or not any more."""
    for name, old, new in sides.data:
        for kind, was, now in (("unit", old.units, new.units), ("key", old.key, new.key)):
            for key in dict.fromkeys((*was, *now)):
                before, after = was.get(key, ""), now.get(key, "")
                if bool(before) != bool(after) and (kind == "unit" or {*was} == {*now} or not was or not now):
                    what = f"its {kind} is said: {after}" if after else f"its {kind} is not said any more"
                    yield Told(f"data.{name}.{key}", what)


def moved(sides: Sides) -> Iterator[Told]:
    """The same data at another place."""
    for name, old, new in sides.data:
        if old.source != new.source and not _differs(old, new):
            yield Told(f"data.{name}", f"was at {old.source}, and is at {new.source}")


def _differs(old: Data, new: Data) -> bool:
    """Whether two tables say something else, as far as can be told; of what is no table the bytes say it."""
    if old.content and new.content:
        return old.content != new.content
    return old.bytes != new.bytes


def _renamed(old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[tuple[str, tuple[str, str]]]:
    """Columns of a key that are said to be something else."""
    for key, was in old.items():
        now = new.get(key, "")
        if was and now and was != now:
            yield key, (was, now)


def _reference(said: str) -> tuple[str, float]:
    """The column that is referred to, and the share of values that are found there."""
    target, _, share = said.partition(" ")
    try:
        return target, float(share) if share else 1.0
    except ValueError:
        raise _bad(f"`{said}` is no reference") from None


def _still(before: str, after: str) -> float:
    """The share of old keys that are still there, by two sketches. Raises `BadLock`."""
    try:
        return overlap(before, after)
    except ValueError as error:
        raise _bad(f"a sample of keys in it cannot be read: {error}") from None


def _bad(what: str) -> BadLock:
    why = "Stepwell wrote no such lock: somebody changed it"
    return BadLock(what, why=why, fixes=["stepwell lock", "install the release again"])


def _listed(names: Mapping[str, str]) -> str:
    return ", ".join(names)


def _percent(share: float) -> str:
    """A share in percent, with a digit where it is not whole: "0.4 %"; never 0 or 100 of what is not."""
    text = f"{100 * share:.1f}".removesuffix(".0")
    if share > 0 and text == "0":
        return "less than 0.1 %"
    return "more than 99.9 %" if share < 1 and text == "100" else f"{text} %"


RULES = (
    Rule("D101", "data-gone", "major", "data of the manifest is not there any more",
         "whoever imports it by its name cannot any more", gone),
    Rule("D102", "key-identity", "major", "the key is declared to be something else, or other columns",
         "tables that were joined by it match other things now, or nothing", key_identity),
    Rule("D103", "key-overlap", "major", "of the values of a key less than a fifth are still there, and nobody said that it is another key",
         "an id that was given anew, padded or turned into text joins with nothing, and no type shows it; "
         "where new rows have new keys, silence it with that reason", key_overlap),
    Rule("D104", "unit-changed", "major", "the declared unit of a column is another",
         "numbers that were right are wrong by the factor between the units", unit_changed),
    Rule("D105", "column-gone", "major", "a column is not there any more", "whoever reads it by its name cannot any more", column_gone),
    Rule("D106", "column-retyped", "major", "a column holds something else; minor where it holds less or more of the same",
         "comparisons and joins with it fail, or silently give nothing", retyped),
    Rule("D107", "unit-like", "major", "all quantiles of a column are multiplied by one factor (or its sign, or its degrees are others), and its unit is declared the same",
         "data that drifts does not do that; a unit that was changed does", unit_like),
    Rule("D108", "reference-broken", "blocked", "values of a declared reference are not found in the other table, and more were",
         "rows that refer to nothing are lost in a join, or made up", reference_broken),
    Rule("D109", "reference-meaning", "major", "a reference is to another column; blocked where the keys on its two sides are declared to be different things",
         "an index must mean the same in both tables", reference_meaning),
    Rule("D110", "column-nullable", "major", "a column was declared to have no value missing, and is not any more; minor where values are missing and none was", "code that never met a missing value meets one", nullable),
    Rule("D111", "data-new", "minor", "data is new", "more can be imported, and nothing else changed", added),
    Rule("D112", "column-new", "minor", "a column is new", "columns are taken by name, so nobody is in the way of it", column_added),
    Rule("D113", "data-changed", "minor", "a table has other rows or values", "results rest on other data", rows),
    Rule("D114", "data-encoded", "patch", "the bytes are others, and the values the same", "nothing that is read changes", encoded),
    Rule("D115", "data-moved", "none", "the same data is at another place", "its content is what counts", moved),
    Rule("D116", "data-described", "patch", "a unit or what a key is was said, or is not said any more", "people and later checks know more, or less", described),
)  # fmt: skip
