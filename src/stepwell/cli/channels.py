"""`stepwell channels`: which release is in which channel, since when, made of what, how good; and whether the index is whole."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Any

from stepwell.app.indexed import created
from stepwell.app.overview import Line, overview
from stepwell.cli.moves import here_of, index_argument, moment
from stepwell.cli.text import clean, number, paint, print_json, table
from stepwell.dist.channels.index import Channels
from stepwell.dist.channels.verify import verify
from stepwell.errors import UsageError

EXAMPLES = """examples:
  stepwell channels                                  what is in production, since when, trained on what
  stepwell channels --create staging production      make an index, or add channels to it
  stepwell channels --verify                         exit code 6 where a log, page or wheel is not as it must be
  stepwell channels --rebuild                        write the pages anew from the logs"""


def arguments(parser: ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument(
        "project", nargs="?", default="", metavar="PROJECT", help="one project (else this one)"
    )
    parser.add_argument(
        "--create",
        nargs="*",
        metavar="CHANNEL",
        help="make the index with these channels, from where a release is tried to where it is used",
    )
    parser.add_argument(
        "--rebuild", action="store_true", help="write every page that is not what its log gives"
    )
    parser.add_argument("--verify", action="store_true", help="look at every log, page and wheel")
    index_argument(parser)


def run(options: Namespace) -> int:
    """Look, or make, or mend."""
    wanted = [name for name in ("create", "rebuild", "verify") if getattr(options, name) not in (None, False)]
    if len(wanted) > 1:
        raise UsageError(
            f"`--{wanted[0]}` and `--{wanted[1]}` are two things", fixes=["leave out one of them"]
        )
    if options.create is not None:
        return _create(options)
    here = here_of(options, options.project, needed=False)
    if options.rebuild:
        return _rebuild(here.channels, options)
    if options.verify:
        return _verify(here.channels, options)
    lines = overview(here, bool(options.project))
    if options.json:
        print_json({**_index(here.channels), "projects": _projects(lines)})
    else:
        _print(lines)
    return 0


def _index(channels: Channels) -> dict[str, Any]:
    return {"index": channels.files.where, "order": list(channels.order)}


def _create(options: Namespace) -> int:
    channels = created(Path.cwd(), options.create, options.index)
    if options.json:
        print_json(_index(channels))
    else:
        print(clean(f"{channels.files.where} has the channels {', '.join(channels.order)}"))
        print(f"uv pip install --index {_address(channels, channels.order[-1])} PROJECT")
    return 0


def _address(channels: Channels, channel: str) -> str:
    """Where clients find a channel."""
    where = channels.files.where
    return f"{where if '://' in where else Path(where).as_uri()}/{channel}/simple"


def _rebuild(channels: Channels, options: Namespace) -> int:
    changed = channels.rebuild()
    if options.json:
        print_json({**_index(channels), "rebuilt": list(changed)})
    else:
        print("\n".join(changed) if changed else "every page is what its log gives")
    return 0


def _verify(channels: Channels, options: Namespace) -> int:
    findings = verify(channels)
    if options.json:
        print_json({**_index(channels), "findings": [finding.as_dict() for finding in findings]})
    else:
        for finding in findings:
            print(clean(str(finding)), file=sys.stderr)
        if not findings:
            print("every log, page and wheel is as it must be")
    return 6 if findings else 0


# --------------------------------------------------------------------------- what is where


def _projects(lines: list[Line]) -> list[dict[str, Any]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for line in lines:
        found.setdefault(line.project, []).append(_row(line))
    return [{"project": name, "channels": rows} for name, rows in found.items()]


def _row(line: Line) -> dict[str, Any]:
    now = line.standing
    wheel = now.promoted if now is not None else None
    return {
        "channel": line.channel,
        "version": (now.version or None) if now is not None else None,
        "since": now.since.at if now is not None else None,
        "by": now.since.by if now is not None else None,
        "why": now.since.why if now is not None else None,
        "wheel": wheel.wheel if wheel is not None else None,
        "file": wheel.file if wheel is not None else None,
        "needs_pre": now is not None and now.needs_pre,
        "data": [used._asdict() for used in line.data],
        "metrics": dict(line.metrics),
        "commit": line.commit or None,
        "reproduced": line.reproduced or None,
        "recalled": [
            {"place": place, "at": stone.at, "by": stone.by, "why": stone.why}
            for place, stone in line.recalled
        ],
        "withdrawn": [
            {"version": version, "at": entry.at, "by": entry.by, "why": entry.why}
            for version, entry in line.withdrawn
        ],
        "next": None if line.next is None else {**line.next._asdict(), "excuses": list(line.next.excuses)},
    }


def _print(lines: list[Line]) -> None:
    by_project: dict[str, list[list[str]]] = {}
    for line in reversed(lines):  # what is used comes first
        by_project.setdefault(line.project, []).extend(_cells(line))
    for project in sorted(by_project):
        print(paint(project, "bold"))
        print("\n".join(table(by_project[project])))


def _cells(line: Line) -> list[list[str]]:
    """A channel: what is in it, and below that what is known of it."""
    now = line.standing
    if now is None:
        head = paint("nothing", "dim")
        since = ""
    else:
        head = now.version or paint("nothing", "dim")
        since = clean(f"since {moment(now.since.at)} UTC by {now.since.by}: {now.since.why}")
    about = {
        "data": ", ".join(map(str, line.data)),
        "recalled": "; ".join(f'{place}, "{stone.why}"' for place, stone in line.recalled),
        "metrics": "  ".join(f"{name} {number(value)}" for name, value in line.metrics),
        "reproduced": line.reproduced,
        "note": line.note or ("clients get it if they ask for pre-releases" if now and now.needs_pre else ""),
        "withdrawn": "; ".join(f"{version} ({entry.why})" for version, entry in line.withdrawn),
        "next": _waiting(line),
    }
    rows = [[f"  {paint(line.channel, 'bold')}", head, since]]
    return rows + [["", paint(name, "dim"), clean(text)] for name, text in about.items() if text]


def _waiting(line: Line) -> str:
    if line.next is None:
        return ""
    of = f"{line.next.version} of {line.next.channel}"
    return f"{of} is blocked: {'; '.join(line.next.excuses)}" if line.next.excuses else f"{of} may come"
