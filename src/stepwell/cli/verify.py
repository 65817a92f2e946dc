"""`stepwell verify`: the integrity of the store."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError, Namespace

from stepwell.cli.looking import project_root, stored
from stepwell.cli.text import clean, print_json
from stepwell.errors import UsageError
from stepwell.stores.verify import WHOLE, Subset, verify

INTEGRITY = 6

EXAMPLES = """examples:
  stepwell verify                             every byte
  stepwell verify --quick                     what is there, and its sizes; seconds also for large stores
  stepwell verify --read-data --subset 2/7    and the bytes of the second of seven parts: a part a day"""


def arguments(parser: ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument(
        "--quick", action="store_true", help="only look whether blobs are there; do not read them"
    )
    parser.add_argument(
        "--read-data",
        action="store_true",
        help="read and hash the blobs: what is done without --quick anyway",
    )
    parser.add_argument(
        "--subset", type=subset, default=None, metavar="N/T", help="read only part N of T of them, by digest"
    )


def subset(text: str) -> Subset:
    """A word of the command line as a part of all: "2/7"."""
    number, _, of = text.partition("/")
    if not (number.isdecimal() and of.isdecimal() and len(of) < 7 and 1 <= int(number) <= int(of)):
        raise ArgumentTypeError(f"`{text}` is not a part such as 2/7, the second of seven")
    return Subset(int(number), int(of))


def run(options: Namespace) -> int:
    """Check and print; 6 if something is wrong."""
    if options.quick and (options.read_data or options.subset):
        other = "--read-data" if options.read_data else "--subset"
        raise UsageError(
            f"--quick reads nothing, {other} does: only one of them", fixes=[f"stepwell verify {other}"]
        )
    part: Subset = options.subset or WHOLE
    with stored(project_root(), looking=True, create=False) as store:
        found = verify(store, read_data=not options.quick, subset=part)
    wrong = [finding for finding in found if finding.kind != "leftover"]
    if options.json:
        rows = [{**finding._asdict(), "steps": list(finding.steps)} for finding in found]
        read = None if options.quick else f"{part.number}/{part.of}"
        print_json({"sound": not wrong, "read": read, "findings": rows})
    else:
        for finding in found:
            print(f"{finding.kind}: {clean(finding.what)}\n  next  {clean(finding.next)}")
        print(_summary(len(wrong), part, quick=options.quick))
    return INTEGRITY if wrong else 0


def _summary(wrong: int, part: Subset, *, quick: bool) -> str:
    """The last line: what was found, in how much of the store."""
    if wrong:
        return f"{wrong} problem{'s' if wrong > 1 else ''}\nrepair: stepwell run"
    if quick:
        return "the store is sound, as far as can be seen without reading its blobs"
    return (
        "the store is sound"
        if part == WHOLE
        else f"sound; bytes were read of part {part.number} of {part.of}"
    )
