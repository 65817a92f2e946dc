"""Rules about what leaves: O2xx."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from stepwell.dist.compat import coming
from stepwell.dist.compat.finding import Rule, Told
from stepwell.dist.compat.kinds import accepts, becomes_nullable, change, column, measured
from stepwell.dist.compat.sides import Side, Sides
from stepwell.dist.lock import Leaving


def _only_in(one: Leaving, other: Leaving, name: str, told: str) -> Iterator[Told]:
    """Columns that the one gives and the other, which is as much a model or a table as that, does not."""
    for key in one.gives if other.gives and _role(one) == _role(other) else ():
        if key not in other.gives:
            yield Told(f"output.{name}.{key}", told)


def column_gone(sides: Sides) -> Iterator[Told]:
    """Columns that do not leave any more."""
    for name, old, new in sides.outputs:
        yield from _only_in(old, new, name, "the column is gone")


def retyped(sides: Sides) -> Iterator[Told]:
    """Columns that leave as something else."""
    for name, old, new in sides.outputs:
        for key, said in old.gives.items():
            was, now = column(said), column(new.gives.get(key, ""))
            found = change(was, now)
            if found in ("other", "narrower"):
                bump = None if found == "other" else "minor"
                yield Told(f"output.{name}.{key}", f"held {was.text}, and holds {now.text}", bump)
            elif found == "wider":
                what = f"held {was.text}, and holds {now.text}: all of it"
                yield Told(f"output.{name}.{key}", what, "minor")


def nullable(sides: Sides) -> Iterator[Told]:
    """Columns that leave with values missing."""
    for name, old, new in sides.outputs:
        was, now = _declared(sides.before, name), _declared(sides.after, name)
        for key, said in old.gives.items():
            if key not in new.gives:
                continue
            if key in was and becomes_nullable(column(was[key]), column(now.get(key, ""))):
                yield Told(
                    f"output.{name}.{key}", "was declared to have no value missing, and is not any more"
                )
            elif measured(said) is False and measured(new.gives[key]):
                yield Told(f"output.{name}.{key}", f"no value was missing, and now: {new.gives[key]}")


def _declared(side: Side, name: str) -> Mapping[str, str]:
    """What the manifest says of columns."""
    declared = side.manifest.outputs[name].schema if name in side.manifest.outputs else {}
    return declared if isinstance(declared, dict) else {}


def input_needed(sides: Sides) -> Iterator[Told]:
    """Columns that a model wants and did not want before."""
    for name, old, new in sides.outputs:
        for key in new.takes if old.takes else ():
            if key not in old.takes:
                yield Told(f"output.{name}.{key}", f"predictions need the column ({new.takes[key]})")


def input_narrower(sides: Sides) -> Iterator[Told]:
    """Columns that a model takes less of."""
    for name, old, new in sides.outputs:
        for key, said in old.takes.items():
            was, now = column(said), column(new.takes.get(key, ""))
            found = accepts(was, now)
            if found in ("narrower", "other"):
                yield Told(f"output.{name}.{key}", f"predictions took {was.text}, and take {now.text}")
            elif was.nulls and now.nulls is False:
                yield Told(f"output.{name}.{key}", "a value could be missing, and may not any more")


def categories_fewer(sides: Sides) -> Iterator[Told]:
    """Categories that a model does not know any more."""
    for name, old, new in sides.outputs:
        for key, values in old.categories.items():
            known = {*new.categories.get(key, values)}
            lost = [value for value in values if value not in known]
            if lost:
                more = f" and {len(lost) - 4} more" if len(lost) > 4 else ""
                what = f"{len(lost)} of {len(values)} categories are gone: {', '.join(lost[:4])}{more}"
                yield Told(f"output.{name}.{key}", what)


def other_kind(sides: Sides) -> Iterator[Told]:
    """A model that is a table now, and so on."""
    for name, old, new in sides.outputs:
        was, now = _role(old), _role(new)
        if was != now:
            yield Told(f"output.{name}", f"was {was}, and is {now}")
        elif old.codec != new.codec and not _same(old, new):
            yield Told(f"output.{name}", f"was written as {old.codec}, and is as {new.codec}", "minor")


def key_identity(sides: Sides) -> Iterator[Told]:
    """Keys of tables that leave, which are declared to be something else."""
    for name, old, new in sides.outputs:
        if old.key and new.key and {*old.key} != {*new.key}:
            what = f"a row was identified by {', '.join(old.key)}, and is by {', '.join(new.key)}"
            yield Told(f"output.{name}.key", what)
            continue
        for key, was in old.key.items():
            now = new.key.get(key, "")
            if was and now and was != now:
                yield Told(f"output.{name}.{key}", f"the key was {was}, and is {now}")


def unit_changed(sides: Sides) -> Iterator[Told]:
    """Units of what a model takes, or of what leaves, that are others."""
    for name, old, new in sides.outputs:
        for key, was in old.units.items():
            now = new.units.get(key, was)
            if now != was and (key in new.takes or key in new.gives):
                side = "taken" if key in new.takes else "given"
                yield Told(f"output.{name}.{key}", f"was {side} in {was}, and is in {now}")


def column_added(sides: Sides) -> Iterator[Told]:
    """Columns that leave and did not before."""
    for name, old, new in sides.outputs:
        yield from _only_in(new, old, name, "the column is new")


def input_wider(sides: Sides) -> Iterator[Told]:
    """What a model takes that it did not take before, and what it does not need any more."""
    for name, old, new in sides.outputs:
        for key, said in old.takes.items() if new.takes else ():
            if key not in new.takes:
                yield Told(f"output.{name}.{key}", "predictions do not need the column any more")
                continue
            was, now = column(said), column(new.takes[key])
            if accepts(was, now) == "wider":
                yield Told(f"output.{name}.{key}", f"predictions took {was.text}, and take {now.text}")
        for key, values in new.categories.items():
            if key in old.categories and (more := {*values} - {*old.categories[key]}):
                yield Told(f"output.{name}.{key}", f"{len(more)} categories are new")


def retrained(sides: Sides) -> Iterator[Told]:
    """Models with other bytes, of which nothing was predicted to compare."""
    compared = {one.output for one in sides.predicted}
    for name, old, new in sides.outputs:
        if _role(new) == "a model" and name not in compared and not _same(old, new):
            yield Told(f"output.{name}", "was trained again, and there is no golden data to compare it on")


def values(sides: Sides) -> Iterator[Told]:
    """Tables and other values that say something else."""
    for name, old, new in sides.outputs:
        if _role(new) != "a model" and _role(old) == _role(new) and not _same(old, new):
            yield Told(f"output.{name}", "holds other values")


def encoded(sides: Sides) -> Iterator[Told]:
    """The same values in other bytes."""
    for name, old, new in sides.outputs:
        if old.bytes != new.bytes and _same(old, new):
            yield Told(f"output.{name}", "the same values, written otherwise")


def _same(old: Leaving, new: Leaving) -> bool:
    if old.content and new.content:
        return old.content == new.content
    return (old.bytes, old.parts) == (new.bytes, new.parts)


def _role(leaving: Leaving) -> str:
    if leaving.takes:
        return "a model"
    return "a table" if leaving.gives else "a value"


RULES = (
    Rule("O201", "output-gone", "major", "an output is not there any more", "whoever loads it by its name cannot any more", coming.gone("output")),
    Rule("O202", "output-new", "minor", "an output is new", "more can be loaded, and nothing else changed", coming.added("output")),
    Rule("O203", "output-column-gone", "major", "a column of an output is not there any more",
         "whoever reads it by its name cannot any more", column_gone),
    Rule("O204", "output-retyped", "major", "a column of an output holds something else; minor where it holds less or more of the same",
         "whoever reads it gets what the code was not written for", retyped),
    Rule("O205", "output-nullable", "major", "values of a column of an output that had none missing may be missing",
         "code that never met a missing value meets one", nullable),
    Rule("O206", "input-needed", "major", "predictions need a column that they did not need", "whoever predicts does not give it yet", input_needed),
    Rule("O207", "input-narrower", "major", "predictions do not take any more what they took", "whoever predicts gives what is refused now", input_narrower),
    Rule("O208", "categories-fewer", "major", "a model knows fewer categories of a column", "rows that were understood are unknown to it", categories_fewer),
    Rule("O209", "output-kind", "major", "an output is a model, a table or a value, and was something else; minor where it is only written in another format",
         "what is loaded is of another class", other_kind),
    Rule("O210", "output-key", "major", "the key of an output is declared to be something else, or other columns",
         "tables that were joined by it match other things now, or nothing", key_identity),
    Rule("O211", "output-unit", "major", "the unit of what a model takes or of what leaves is another",
         "numbers that were right are wrong by the factor between the units", unit_changed),
    Rule("O212", "output-column-new", "minor", "a column of an output is new", "columns are taken by name, so nobody is in the way of it", column_added),
    Rule("O213", "input-wider", "minor", "predictions take more than they took, or need less", "what was given is still taken", input_wider),
    Rule("O214", "retrained", "minor", "a model is another, and there is no golden data to compare it on", "its predictions may be others", retrained),
    Rule("O215", "output-changed", "minor", "a table or value that leaves is another", "whoever loads it gets other values", values),
    Rule("O216", "output-encoded", "patch", "the bytes of an output are others, and the values the same", "nothing that is loaded changes", encoded),
)  # fmt: skip
