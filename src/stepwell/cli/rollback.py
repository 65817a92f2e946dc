"""`stepwell rollback`: a channel goes back to an earlier release; the higher ones are withdrawn."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from stepwell.cli.moves import (
    counted,
    entry_row,
    here_of,
    index_argument,
    is_channel,
    reason,
    told,
    who,
    why_arguments,
)
from stepwell.cli.text import print_json

USAGE = '[PROJECT] CHANNEL [VERSION] --why "…"'

EXAMPLES = """examples:
  stepwell rollback production --why "calibration drift"          to the release before
  stepwell rollback churn production 1.3.2 --why "leaks labels"   to this one

pip and uv then install the earlier release; `==` still installs the later one, and prints the reason."""


def arguments(parser: ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument(
        "words", nargs="+", metavar="[PROJECT] CHANNEL [VERSION]", help="which channel, and back to what"
    )
    why_arguments(parser)
    parser.add_argument(
        "--expect", metavar="VERSION", help="refuse if something else is current in the channel"
    )
    index_argument(parser)


def run(options: Namespace) -> int:
    """Go back, once the release to go back to is seen to be whole."""
    words = counted(options.words, 1, 3, "rollback", USAGE)
    why = reason(options, "rollback")
    order = here_of(options, words[0], needed=False).channels.order
    named = len(words) == 3 or (len(words) == 2 and is_channel(words[1], order))
    here = here_of(options, words.pop(0) if named else "")
    entry = here.channels.rollback(
        here.project,
        words[0],
        to=words[1] if len(words) > 1 else None,
        by=who(options, here),
        why=why,
        expect=options.expect,
    )
    if options.json:
        print_json({"entry": entry_row(entry)})
    else:
        print(told(here, entry))
    return 0
