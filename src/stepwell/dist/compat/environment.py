"""Rules about where steps ran: V5xx."""

from __future__ import annotations

from collections.abc import Iterator

from stepwell.dist.compat.finding import Rule, Told
from stepwell.dist.compat.predictions import said
from stepwell.dist.compat.sides import Sides


def versions(sides: Sides) -> Iterator[Told]:
    """Libraries of other versions, with what that did to golden predictions."""
    old, new = sides.before.lock.environment, sides.after.lock.environment
    flips = "; ".join(said(one) for one in sides.predicted if one.beyond or one.flips)
    for name in sorted({*old.direct, *new.direct}):
        was, now = old.direct.get(name), new.direct.get(name)
        if was == now:
            continue
        what = f"{was} -> {now}" if was and now else f"{now} is new" if now else f"{was} is not used any more"
        changed = bool(was and now and flips)
        yield Told(f"environment.{name}", what + (f": {flips}" if changed else ""), "minor" if changed else None)  # fmt: skip


def interpreter(sides: Sides) -> Iterator[Told]:
    """Another Python."""
    was, now = sides.before.lock.environment.python, sides.after.lock.environment.python
    if was and now and was != now:
        yield Told("environment.python", f"{was} -> {now}")


def platform(sides: Sides) -> Iterator[Told]:
    """Another system or machine."""
    was, now = sides.before.lock.environment.platform, sides.after.lock.environment.platform
    if was and now and was != now:
        yield Told("environment.platform", f"{was} -> {now}")


def needs(sides: Sides) -> Iterator[Told]:
    """Outputs that cannot be read without another version of a library."""
    for name, old, new in sides.outputs:
        if {*old.needs} != {*new.needs}:
            was, now = ", ".join(old.needs) or "nothing", ", ".join(new.needs) or "nothing"
            yield Told(f"output.{name}.needs", f"{was} -> {now}")


RULES = (
    Rule("V501", "version-changed", "patch", "a library that steps import has another version; minor where golden predictions changed with it",
         "the same code and data can give something else with it", versions),
    Rule("V502", "python-changed", "minor", "the steps ran with another Python", "the same code can give something else with it", interpreter),
    Rule("V503", "platform-changed", "patch", "the steps ran on another system or machine", "numbers can differ in their last digits", platform),
    Rule("V504", "needs-changed", "minor", "an output needs another version of a library to be loaded",
         "whoever installs the release gets that version, beside everything else that is installed", needs),
)  # fmt: skip
