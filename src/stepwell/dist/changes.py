"""What changed between two locks, in the few lines that a person reads; every fact of it is in a diff of the files.

    told(differences(before, after))
    # ["data.flights.rows: 160678 is now 188971", "data.flights: 2013-07.csv is new", "pipeline.delays: other results of prepare, split"]

Facts that people have said, and numbers, are told one by one. Of digests, and of what follows from them, only whose they are.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from stepwell.dist.lock import Difference

FOLLOWING = frozenset({"size", "bytes", "content", "parts", "shows", "quantiles", "sketch", "pylock"})
"""Facts that say that something is different, and not what."""

NAMED = 6
"""Names in a line."""


class _Line(NamedTuple):
    """Whose line it is, and its words; lines that are alike are one, with all their names."""

    entity: str
    words: str
    named: bool = True


OTHER = "other content"


def told(found: Iterable[Difference]) -> list[str]:
    """The lines, in the order of the lock."""
    lines: dict[_Line, dict[str, None]] = {}
    for one in found:
        line, name = _line(one)
        lines.setdefault(line, {}).update({name: None} if name else {})
    spoken = {line.entity for line in lines if line.words != OTHER}
    # Other rows and other files are other content.
    return [
        _text(line, list(names))
        for line, names in lines.items()
        if line.words != OTHER or line.entity not in spoken
    ]


def _line(one: Difference) -> tuple[_Line, str]:
    """The line of a difference, and the name that stands in it."""
    parts = one.place.split(".")
    entity = ".".join(parts[:2]) if parts[0] != "environment" else parts[0]
    rest = one.place.removeprefix(f"{entity}.")
    if parts[0] == "data" and rest.startswith("files."):
        what = "new" if one.before is None else "gone" if one.after is None else "changed"
        return _Line(entity, f"{what}:"), rest.removeprefix("files.")
    if parts[0] == "pipeline" and rest.startswith("step."):
        step, output, _ = rest.removeprefix("step.").partition(".output")
        if output:
            return _Line(entity, "other results of"), step
        if step.endswith(".code"):
            return _Line(entity, "other code of"), step.removesuffix(".code")
    elif rest == "pylock":
        return _Line(entity, "`pylock.toml` is new" if one.before is None else "another `pylock.toml`"), ""
    elif rest.startswith(("quantiles.", "sketch.")):
        return _Line(entity, "other values of"), rest.partition(".")[2]
    elif parts[0] != "pipeline" and FOLLOWING.intersection(parts[1:]):
        return _Line(entity, OTHER), ""
    return _Line(entity, str(one), named=False), ""


def _text(line: _Line, names: list[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return (
        f"{line.entity}: {line.words} {', '.join(names[:NAMED])}{more}".rstrip() if line.named else line.words
    )
