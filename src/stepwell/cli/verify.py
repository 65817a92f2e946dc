"""`stepwell verify`: the integrity of the store."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from stepwell.cli.looking import project_root, stored
from stepwell.cli.text import clean, print_json
from stepwell.stores.verify import verify

INTEGRITY = 6


def arguments(parser: ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument(
        "--quick", action="store_true", help="only look whether blobs are there; do not read them"
    )


def run(options: Namespace) -> int:
    """Check and print; 6 if something is wrong."""
    with stored(project_root(), looking=True, create=False) as store:
        found = verify(store, read_data=not options.quick)
    wrong = [finding for finding in found if finding.kind != "leftover"]
    if options.json:
        rows = [{**finding._asdict(), "steps": list(finding.steps)} for finding in found]
        print_json({"sound": not wrong, "findings": rows})
    else:
        for finding in found:
            print(f"{finding.kind}: {clean(finding.what)}\n  next  {clean(finding.next)}")
        many = f"{len(wrong)} problem{'s' if len(wrong) > 1 else ''}"
        print(many if wrong else "the store is sound")
    return INTEGRITY if wrong else 0
