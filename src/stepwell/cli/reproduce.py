"""`stepwell reproduce`: make a release, a commit or a run once more, elsewhere, and say how much of it is the same."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from stepwell.app.places import stored
from stepwell.author.root import root_of
from stepwell.cli.arguments import which_pipeline
from stepwell.cli.text import clean, paint, print_json
from stepwell.dist.verdicts import GOOD, WORDS, Compared, Evidence, Grade
from stepwell.errors import BadEvidence, UsageError

EXAMPLES = """examples:
  stepwell reproduce 1.4.0            a release of this project: from its own files, environment and data
  stepwell reproduce churn==1.4.0     ... also dist/churn-1.4.0-py3-none-any.whl, or production
  stepwell reproduce r3               a run, from what is recorded of it
  stepwell reproduce HEAD~2           a commit, compared with the lock that is in it
  stepwell reproduce --vary train     a step under other hash seeds, threads, time zones, languages, folders
exit code: 0 it is the same (A bytes, B content, C within tolerance), 1 it differs or cannot be said"""

COLOURS: dict[Grade, str] = {"A": "green", "B": "green", "C": "cyan", "?": "yellow", "F": "red"}


def arguments(parser: ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument(
        "words",
        nargs="*",
        metavar="RELEASE|RUN|COMMIT",
        help="a version, churn==1.4.0, a wheel, a channel; r3; a commit",
    )
    which_pipeline(parser)
    parser.add_argument(
        "--tolerance",
        type=_tolerance,
        default=None,
        metavar="X",
        help="how far numbers may be apart (as declared)",
    )
    parser.add_argument(
        "--step", action="append", default=[], metavar="STEP", help="only this step, with what it needs"
    )
    parser.add_argument(
        "--keep-folder",
        action="store_true",
        help="leave the folder in which it was made, and say where it is",
    )
    parser.add_argument(
        "--vary",
        metavar="STEP",
        help="run a step with its recorded inputs under other circumstances, one at a time",
    )


def run(options: Namespace) -> int:
    """Make it again, compare, keep the evidence, print."""
    if options.vary:
        from stepwell.cli.vary import vary

        return vary(options)
    if len(options.words) != 1:
        told = f"got {', '.join(options.words)}" if options.words else "nothing is named"
        raise UsageError(
            f"`reproduce` takes one release, run or commit, and {told}",
            fixes=["stepwell reproduce 1.4.0", "stepwell reproduce last", "stepwell reproduce HEAD"],
        )
    from stepwell.app.provisions import Around
    from stepwell.app.reproducing import Asked, reproduced
    from stepwell.app.subjects import erased_of, subject_of

    here = Path.cwd()
    root = root_of(here)
    with stored(root, looking=True, create=False) as store:
        subject = subject_of(options.words[0], here, store, options.pipeline)
        around = Around(root, store, subject.places, erased_of(here))
        asked = Asked(options.tolerance, tuple(options.step), quiet=True, keep=options.keep_folder)
        done = reproduced(subject, asked, around, _tell)
    lenient = subject.kind == "release" and (options.tolerance or 0.0) > subject.tolerance
    path = _kept(root, done.evidence, counts=not options.step and not lenient)
    if options.json:
        print_json(_document(done.evidence, path, done.folder))
    else:
        print("\n".join(_lines(done.evidence)))
        if path is not None:
            print(f"evidence  {clean(str(path.relative_to(root)))}  {done.evidence.digest[:23]}…")
        if done.folder is not None:
            print(f"folder    {clean(str(done.folder))}")
    return 0 if done.evidence.grade in GOOD else 1


def _tolerance(text: str) -> float:
    try:
        found = float(text)
    except ValueError:
        found = -1.0
    if not 0 <= found < float("inf"):
        raise ArgumentTypeError(f"`{text[:40]}` is no number, 0 or more")
    return found


def _tell(text: str) -> None:
    """Say to whoever waits what is being done."""
    if sys.stderr.isatty():
        print(clean(text), file=sys.stderr)


def _kept(root: Path, evidence: Evidence, *, counts: bool) -> Path | None:
    """The file of the evidence. None is kept of a part, nor of a release with more tolerance than it declares: nobody is to rest on it."""
    from stepwell.dist.verdicts import write_evidence

    if not counts:
        return None
    try:
        return write_evidence(root, evidence)
    except BadEvidence as error:  # what came out is told all the same
        print(clean(f"note: {error.what}"), file=sys.stderr)
        return None


def _document(evidence: Evidence, path: Path | None, folder: Path | None) -> dict[str, Any]:
    out: dict[str, Any] = {
        "reproduced": evidence.grade in GOOD,
        "evidence": msgspec.to_builtins(evidence),
        "digest": evidence.digest,
        "file": None if path is None else str(path),
    }
    return out if folder is None else {**out, "folder": str(folder)}


def _lines(evidence: Evidence) -> Iterator[str]:
    where = (
        "in the locked environment"
        if evidence.environment.get("locked") != "no"
        else "with the libraries of here"
    )
    network = "without network" if evidence.network == "closed" else f"network not closed: {evidence.network}"
    name = evidence.version[:12] if evidence.kind == "commit" else evidence.version
    yield clean(f"{evidence.project} {name}, made again {where}, {network}")
    width = max((len(_name(one)) for one in evidence.steps), default=0)
    for one in evidence.steps:
        yield f"  {paint(one.grade, COLOURS[one.grade])}  {clean(_name(one)):<{width}}  {clean(_told(one))}"
    yield from _of_package(evidence)
    what = "not made" if evidence.grade == "?" and not _was_made(evidence) else "difference"
    first = f"; first {what}: {evidence.first}" if evidence.first else ""
    tolerance = f" ({evidence.tolerance:g})" if evidence.grade == "C" else ""
    yield f"verdict   {paint(evidence.grade, COLOURS[evidence.grade])}  {WORDS[evidence.grade]}{tolerance}{clean(first)}"
    for hint in evidence.hints:
        yield clean(f"hint      {hint}")


def _was_made(evidence: Evidence) -> bool:
    """Whether the step that is named first gave something."""
    return any(one.is_made for one in evidence.steps if one.step == evidence.first)


def _of_package(evidence: Evidence) -> Iterator[str]:
    """What is said of the wheel that was made again."""
    package = evidence.package
    if package is None:
        return
    what = (
        f"{package.files} files, the same"
        if package.grade == "A"
        else "is not what its project and lock give"
    )
    if package.committed:
        what += f"; compared with commit {package.committed[:12]}"
    else:
        what += "; not compared with its commit, which is not to be had here"
    yield f"package   {paint(package.grade, COLOURS[package.grade])}  the wheel {what}"
    for one in package.differ:
        yield f"  {paint(one.grade, COLOURS[one.grade])}  {clean(one.file)}  {clean(one.how)}"


def _name(one: Compared) -> str:
    return one.place + (f" ({one.leaves})" if one.leaves and one.leaves != one.place else "")


def _told(one: Compared) -> str:
    return one.how + (f"; follows from {one.follows}" if one.follows else "")
