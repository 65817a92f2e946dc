"""What the verbs that change a channel, or look at one, share: their words, who asks, and an entry of a log as text and JSON."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from stepwell.app.indexed import Indexed, indexed
from stepwell.cli.text import clean
from stepwell.dist.channels.entries import Entry
from stepwell.dist.names import channel as spelled
from stepwell.dist.versions import parsed
from stepwell.errors import BadReleaseName, UsageError

DONE = {
    "promote": "promoted to",
    "rollback": "is what is left in",
    "yank": "withdrawn from",
    "unyank": "back in",
}


def index_argument(parser: ArgumentParser) -> None:
    """The option `--index`, of every verb about channels."""
    parser.add_argument(
        "--index",
        default="",
        metavar="PLACE",
        help="the folder or bucket that has the channels, where the manifest does not say it",
    )


def why_arguments(parser: ArgumentParser) -> None:
    """The options that say who does something and why."""
    parser.add_argument(
        "--why", default="", metavar="TEXT", help="needed: the reason, one line; the log keeps it"
    )
    parser.add_argument("--by", default="", metavar="WHO", help="who does it (git's user, or the account)")


def here_of(options: Namespace, word: str = "", *, needed: bool = True) -> Indexed:
    """The project and the index that a command is about; `word` is the project where one is named, which may be `needed`."""
    return indexed(Path.cwd(), word, options.index, needed=needed)


def is_channel(word: str, order: Sequence[str]) -> bool:
    """Whether a word is one of these channels, in any of its spellings."""
    try:
        return spelled(word) in order
    except BadReleaseName:
        return False


def who(options: Namespace, here: Indexed) -> str:
    """Who asks: what `--by` says, else git's user or the account."""
    if options.by:
        return str(options.by)
    from stepwell.app.accepting import person  # a quarter of what a command costs that needs it not

    return person(here.place.root)


def counted(words: Sequence[str], fewest: int, most: int, verb: str, usage: str) -> list[str]:
    """The words of a verb that takes some number of them. Raises `UsageError`."""
    if fewest <= len(words) <= most:
        return list(words)
    what = "too few words" if len(words) < fewest else f"one word too many: `{words[most]}`"
    raise UsageError(f"`{verb}` has {what}", fixes=[f"stepwell {verb} {usage}", f"stepwell {verb} --help"])


def reason(options: Namespace, verb: str) -> str:
    """The reason that a change needs. Raises `UsageError`."""
    if options.why:
        return str(options.why)
    raise UsageError(
        f"`{verb}` needs a reason",
        why="the log says of every change who made it and why",
        fixes=[f'stepwell {verb} … --why "two days in staging"'],
    )


def entry_row(entry: Entry) -> dict[str, Any]:
    """An entry of a log as `--json` gives it."""
    fields = {("from" if name == "before" else name): value for name, value in entry._asdict().items()}
    return {name: fields[name] for name in fields if name not in ("metadata", "requires_python", "prev")}


def told(here: Indexed, entry: Entry) -> str:
    """What a change was, and what its channel has now, as a line."""
    now = here.channels.current(entry.project, entry.channel).version
    line = f"{entry.project} {entry.version} {DONE[entry.action]} {entry.channel}"
    if left(entry):
        line += f", which had {entry.before}"
    elif now != entry.version:
        line += (
            f", which still has {now}"
            if now == entry.before
            else f", which has {now or f'no {entry.project}'} now"
        )
    return clean(line)


def left(entry: Entry) -> str:
    """The version that a channel had until this change put another one in its place; "" where it did not."""
    if entry.action == "yank" or not entry.before or entry.before == entry.version:
        return ""
    lower = parsed(entry.version).key < parsed(entry.before).key
    return "" if lower and entry.action != "rollback" else entry.before


def moment(text: str) -> str:
    """A time of a log for people: 2026-09-02 09:11."""
    return text[:16].replace("T", " ")
