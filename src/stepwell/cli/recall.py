"""`stepwell recall`: every release that was made of a blob; with a reason, the blob is not to be used any longer."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from stepwell.app.erasing import Removed, erase
from stepwell.app.recalling import Recall, Recalled, bury_what, recall
from stepwell.cli.moves import here_of, index_argument, moment, reason, who
from stepwell.cli.text import clean, paint, print_json, table
from stepwell.dist.erased import Tombstone

EXAMPLES = """examples:
  stepwell recall 9f2c7712                     every release that was made of it, by the first digits of its digest
  stepwell recall data/2026-07.parquet         or by the file
  stepwell recall customers@9f2c7712 --why "wrong currency"
                                               record that it is not to be used: what was made of it is no longer promoted
  stepwell recall 9f2c7712 --why "erased on request" --erase
                                               and remove the copies in stores and in the cache"""


def arguments(parser: ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument(
        "digest", metavar="DIGEST|FILE", help="a digest or its first digits, NAME@DIGITS, or a file"
    )
    parser.add_argument(
        "--why", default="", metavar="TEXT", help="record that it is not to be used any longer, and why"
    )
    parser.add_argument("--by", default="", metavar="WHO", help="who says so (git's user, or the account)")
    parser.add_argument(
        "--erase", action="store_true", help="also remove the copies that Stepwell keeps; needs --why"
    )
    index_argument(parser)


def run(options: Namespace) -> int:
    """Look, and record where a reason is given."""
    if options.erase:
        reason(options, "recall --erase")
    here = here_of(options, needed=False)
    found = recall(here, options.digest, Path.cwd())
    stone = bury_what(here, found, who(options, here), options.why) if options.why else found.stone
    removed = erase(here.place, found.digests, stone.why, stone.at) if options.erase and stone else ()
    if options.json:
        print_json(_document(found, stone, removed))
    else:
        for text in found.unread:
            print(clean(f"note: not looked into: {text}"), file=sys.stderr)
        _print(found, stone, here.channels.order)
        for one in removed:
            print(clean(f"{one.where}: {one.told}"), file=sys.stdout if one.done else sys.stderr)
    return 0 if all(one.done for one in removed) else 1


def _document(found: Recall, stone: Tombstone | None, removed: Sequence[Removed]) -> dict[str, Any]:
    return {
        "erased": [one._asdict() for one in removed],
        "digests": list(found.digests),
        "recalled": None if stone is None else {"at": stone.at, "by": stone.by, "why": stone.why},
        "releases": [_row(one) for one in found.releases],
        "unread": list(found.unread),
    }


def _row(one: Recalled) -> dict[str, Any]:
    where = [{"channel": channel, "how": how} for channel, how in one.channels]
    return {**one._asdict(), "places": list(one.places), "through": list(one.through), "channels": where}


def _print(found: Recall, stone: Tombstone | None, order: tuple[str, ...]) -> None:
    count = len(found.releases)
    said = f"{count} release{'s' if count != 1 else ''} rest{'s' if count == 1 else ''} on it"
    print(
        f"{', '.join(f'{one[:19]}…' for one in found.digests)}: {said if count else 'no release rests on it'}"
    )
    for channel in reversed(order):
        rows = [_cells(one, how) for one in found.releases for name, how in one.channels if name == channel]
        if rows:
            print(paint(channel, "bold"))
            print("\n".join(table(rows)))
    rows = [_cells(one, one.file) for one in found.releases if not one.channels]
    if rows:
        print(paint("in no channel", "bold"))
        print("\n".join(table(rows)))
    if stone is not None:
        print(clean(f"recalled at {moment(stone.at)} UTC by {stone.by}: {stone.why}"))
        for one in found.releases:
            if any(how != "withdrawn" for _, how in one.channels):
                print(f'  stepwell yank {one.project} {one.version} --why "…"    clients no longer get it')


def _cells(one: Recalled, how: str) -> list[str]:
    places = ", ".join(one.places) or f"through {', '.join(one.through)}"
    return [f"  {one.project} {one.version}", how, clean(places)]
