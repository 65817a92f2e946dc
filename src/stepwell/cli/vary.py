"""What `stepwell reproduce --vary STEP [RUN]` prints: under which circumstances a step gives something else."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from stepwell.app.varying import Asked, Outcome, Varied, varied
from stepwell.cli.text import clean, paint, print_json
from stepwell.cli.words import project_root_of
from stepwell.dist.verdicts import GOOD
from stepwell.errors import UsageError

ADVICE = {
    "hash seed": "a set, or `hash()`, decides: sort what comes out of sets",
    "threads": "sums of floats depend on the number of threads: set it in the step, or declare a tolerance",
    "time zone": "local time is read: take times in UTC, or name the zone",
    "language": "the language of the machine decides how text is read, sorted or written: name the encoding",
    "folder": "where the project lies gets into the result: write paths relative to it",
    "file mask": "the modes of new files get into the result",
}
"""What is usually to be done, by circumstance."""


def vary(options: Namespace) -> int:
    """Call the step, print; exit code 0 where it gives the same content in all cases."""
    if len(options.words) > 1:
        raise UsageError(
            f"`reproduce --vary {options.vary}` takes one run, and got {', '.join(options.words)}",
            fixes=[f"stepwell reproduce --vary {options.vary} last"],
        )
    run = options.words[0] if options.words else ""
    root = project_root_of(options.pipeline)
    found = varied(Asked(options.vary, run, options.pipeline, Path.cwd(), root))
    if options.json:
        print_json(_document(found))
    else:
        print("\n".join(_lines(found)))
    return 0 if all(one.grade in GOOD for one in (found.first, *found.outcomes)) else 1


def _document(found: Varied) -> dict[str, Any]:
    rows = [_row(one, found) for one in found.outcomes]
    return {"step": found.step, "run": found.run, "first": _row(found.first, found), "circumstances": rows}


def _row(one: Outcome, found: Varied) -> dict[str, Any]:
    return {
        "name": one.circumstance.name,
        "changed": one.circumstance.told,
        "grade": one.grade,
        "how": one.how,
        "matters": one in found.matters,
    }


def _lines(found: Varied) -> Iterator[str]:
    yield clean(f"{found.step}  with the inputs of {found.run}, beside what it gave then")
    for one in (found.first, *found.outcomes):
        mark = paint("≠", "red") if one in found.matters or one.grade == "F" else paint("=", "green")
        told = one.how if one.grade != "A" else "the same bytes"
        yield f"  {mark} {one.circumstance.name:<10} {clean(one.circumstance.told):<28} {clean(told)}"
    failed = [one.circumstance.name for one in found.outcomes if one.failed]
    if found.first.failed:
        yield "it fails already without a change, so nothing can be said of what matters"
    elif found.first.grade == "F":
        yield "it gives something else already without a change: the clock, chance, other libraries, or what it reads undeclared"
    elif failed:
        yield f"it failed with another {', '.join(failed)}: the error may have any cause, so nothing is said of that"
    elif not found.matters:
        yield "none of these matters"
    for one in found.matters:
        yield f"{one.circumstance.name} matters: {ADVICE[one.circumstance.name]}"
