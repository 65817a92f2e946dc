"""`stepwell promote`: list a release in a channel, if it has what the channel asks for."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

from stepwell.app.promoting import Promoted, Wish, promote, said
from stepwell.cli.moves import counted, entry_row, here_of, index_argument, reason, told, who, why_arguments
from stepwell.cli.text import clean, print_json
from stepwell.dist.wheels import file_name

USAGE = '[PROJECT] VERSION|WHEEL CHANNEL --why "…"'

EXAMPLES = """examples:
  stepwell promote 1.5.0 staging --why "Q3 retrain"
  stepwell promote 1.5.0 production --why "two days in staging" --attest approved-by=risk/#812
  stepwell promote dist/churn-1.5.0-py3-none-any.whl staging --index /srv/index --why "Q3 retrain"

Gates of the outputs and `needs` of the channel must hold; all that do not are named, and nothing is changed."""


def arguments(parser: ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument(
        "words", nargs="+", metavar="[PROJECT] VERSION|WHEEL CHANNEL", help="what, and where to"
    )
    why_arguments(parser)
    parser.add_argument(
        "--attest",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="say what a channel needs somebody to say",
    )
    parser.add_argument(
        "--expect",
        metavar="VERSION",
        help='refuse if something else is current in the channel ("" for nothing)',
    )
    parser.add_argument(
        "--older", action="store_true", help="list a version below the current one, for those who ask for it"
    )
    index_argument(parser)


def run(options: Namespace) -> int:
    """Judge, then promote."""
    words = counted(options.words, 2, 3, "promote", USAGE)
    project, (word, channel) = (words[0] if len(words) == 3 else ""), words[-2:]
    if not project and "==" in word:
        project, _, word = word.partition("==")
    elif not project and word.endswith(".whl"):
        project = file_name(Path(word).name).project
    why = reason(options, "promote")
    here = here_of(options, project)
    wish = Wish(who(options, here), why, said(options.attest), options.expect, options.older)
    done = promote(here, word, channel, wish)
    if options.json:
        print_json(_document(done))
        return 0
    print(told(here, done.entry))
    for one in done.judged.asked:
        print(clean(f"  {one}"))
    return 0


def _document(done: Promoted) -> dict[str, object]:
    asked = [
        {
            "output": one.about or None,
            "asked": one.verdict.gate,
            "passed": one.verdict.passed,
            "text": one.verdict.excuse,
        }
        for one in done.judged.asked
    ]
    return {"entry": entry_row(done.entry), "asked": asked}
