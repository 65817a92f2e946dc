"""`stepwell yank`: a release is withdrawn; whoever asks for exactly this version still gets it, with the reason."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from stepwell.cli.moves import counted, entry_row, here_of, index_argument, reason, told, who, why_arguments
from stepwell.cli.text import print_json

USAGE = '[PROJECT] VERSION --why "…"'

EXAMPLES = """examples:
  stepwell yank 1.4.0 --why "trained on the wrong currency"      from every channel that lists it
  stepwell yank churn 1.4.0 --channel staging --why "superseded"
  stepwell unyank 1.4.0 --why "it was not the currency"          takes it back"""


def arguments(parser: ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument("words", nargs="+", metavar="[PROJECT] VERSION", help="which release")
    parser.add_argument(
        "--channel", metavar="CHANNEL", help="only there; else in every channel that lists it"
    )
    why_arguments(parser)
    index_argument(parser)


def run(options: Namespace) -> int:
    """Withdraw."""
    return change(options, "yank")


def change(options: Namespace, verb: str) -> int:
    """Withdraw a version, or take that back."""
    words = counted(options.words, 1, 2, verb, USAGE)
    if len(words) == 1 and "==" in words[0]:
        words = words[0].split("==", 1)
    why = reason(options, verb)
    here = here_of(options, words[0] if len(words) == 2 else "")
    act = here.channels.yank if verb == "yank" else here.channels.unyank
    entries = act(here.project, words[-1], by=who(options, here), why=why, channel=options.channel)
    if options.json:
        print_json({"entries": [entry_row(entry) for entry in entries]})
    else:
        print("\n".join(told(here, entry) for entry in entries))
    return 0
