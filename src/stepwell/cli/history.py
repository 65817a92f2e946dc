"""`stepwell history`: what was changed in the channels of a project, when, by whom and why; and what was current then."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from datetime import UTC, datetime, timedelta

from stepwell.app.indexed import Indexed
from stepwell.app.overview import known
from stepwell.cli.moves import counted, entry_row, here_of, index_argument, is_channel, left, moment
from stepwell.cli.text import clean, paint, print_json, table
from stepwell.dist.channels.entries import Entry
from stepwell.dist.channels.state import projects, until
from stepwell.errors import UnknownRelease, UsageError, nearest

USAGE = "[PROJECT] [CHANNEL]"

EXAMPLES = """examples:
  stepwell history                                    every change, newest first
  stepwell history production --at 2026-07-14         what production had when that day ended
  stepwell history churn --at 2026-07-14T09:00:00Z"""


def arguments(parser: ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument("words", nargs="*", metavar="[PROJECT] [CHANNEL]", help="whose, and where")
    parser.add_argument(
        "--at", default="", metavar="DATE", help="until then; a day counts to its end, in UTC like the logs"
    )
    index_argument(parser)


def run(options: Namespace) -> int:
    """Look and print."""
    words = counted(options.words, 0, 2, "history", USAGE)
    found = here_of(options, words[0] if words else "", needed=False).channels
    channels = list(found.order)
    if words and (len(words) == 2 or is_channel(words[-1], channels)):
        channels = [found.channel(words.pop())]
    here = here_of(options, words[0] if words else "")
    at = _until(options.at) if options.at else ""
    entries, current = _found(here, channels, at)
    if options.json:
        rows = [entry_row(entry) for entry in entries]
        print_json({"project": here.project, "at": at or None, "current": current, "entries": rows})
        return 0
    _print(entries, current, at)
    return 0


def _found(here: Indexed, channels: list[str], at: str) -> tuple[list[Entry], dict[str, str | None]]:
    """The changes, newest first, and by channel what was current after them (None: nothing)."""
    entries: list[Entry] = []
    current: dict[str, str | None] = {}
    for channel in channels:
        log = here.channels.log(channel)
        log = until(log, at) if at else log
        project = projects(log).get(here.project)
        current[channel] = project.current or None if project is not None else None
        entries += [entry for entry in log.entries if entry.project == here.project]
    if not entries and here.project not in (there := known(here.channels)):
        hint = nearest(here.project, [*there, *here.channels.order])
        raise UnknownRelease(
            f"no channel has had `{here.project}`",
            why=f"there is: {', '.join(there)}" if there else "nothing was promoted yet",
            fixes=[*([f"did you mean `{hint}`?"] if hint else []), "stepwell channels"],
        )
    return sorted(entries, key=lambda entry: (entry.at, entry.channel, entry.n), reverse=True), current


def _print(entries: list[Entry], current: dict[str, str | None], at: str) -> None:
    if at:
        for channel, version in current.items():
            print(f"{channel} had {version or 'nothing'} at {moment(at)} UTC")
    rows = [
        [moment(entry.at), entry.channel, entry.action, entry.version, left(entry) and f"from {left(entry)}", clean(entry.by), clean(entry.why)]
        for entry in entries
    ]  # fmt: skip
    if at and rows:
        print()
    for line in table(rows):
        print(line)
    if not rows and not at:
        print(paint("nothing was changed yet", "dim"))


def _until(text: str) -> str:
    """A date as the logs write times: the end of a day, or the very time. Raises `UsageError`."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(
            f"`--at {text[:40]}` is no date", fixes=["--at 2026-07-14", "--at 2026-07-14T09:00:00Z"]
        ) from None
    if len(text) <= 10:
        found += timedelta(days=1, seconds=-1)
    aware = found if found.tzinfo is not None else found.replace(tzinfo=UTC)
    return f"{aware.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
