"""`stepwell release`: a wheel of what is locked, that pip and uv install and that says all it was made of."""

from __future__ import annotations

import re
import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Any

from stepwell.app.releasable import Asked, facts_of, words_of
from stepwell.app.releasing import Done, made_of, published
from stepwell.app.session import Work
from stepwell.author.manifest import manifest_of
from stepwell.author.project import Loaded
from stepwell.cli.options import Words, loaded, params_argument, planned, set_argument, stored, words
from stepwell.cli.text import clean, print_json
from stepwell.dist.compat.rules import words_of as words_of_rules
from stepwell.errors import UsageError
from stepwell.stores.local import LocalStore

EXAMPLES = """examples:
  stepwell release 1.0.0                          dist/NAME-1.0.0-py3-none-any.whl, from what is locked
  stepwell release --bump                         the version that what changed asks for
  stepwell release flights.py 1.0.0               of a single file
  stepwell release 1.1.0 --note "with September"  a line about it, for people
  stepwell release 2.0.0 --silence "D103=the keys moved to the new CRM, as agreed" """

MOST = 10
"""Findings that are shown."""

_VERSION = re.compile(r"v?[0-9]+(!|\.|$)[0-9a-zA-Z.+!_-]*")


def arguments(parser: ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument(
        "words",
        nargs="*",
        metavar="[PIPELINE] [VERSION] [name=value ...]",
        help="the version; a name, path.py, path.py:name or package.module:name; parameters as they were locked",
    )
    params_argument(parser)
    set_argument(parser)
    parser.add_argument(
        "--bump",
        nargs="?",
        const="",
        default=None,
        choices=("", "major", "minor", "patch"),
        metavar="PART",
        help="the version after the newest release: the next major, minor or patch one, or what is needed",
    )
    parser.add_argument(
        "--allow-dirty",
        action="store_true",
        help="also where files differ from the commit; their names are recorded",
    )
    parser.add_argument("--note", default="", metavar="TEXT", help="a line about the release")
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="where the wheel is written (dist)")
    parser.add_argument(
        "--silence",
        action="append",
        default=[],
        metavar="RULE=REASON",
        help="a rule that does not hold this time, and why",
    )


def run(options: Namespace) -> int:
    """Look, judge, build; the wheel appears as the last act."""
    given = words(options.words)
    version, plain = _told_apart(given.plain, options.bump)
    asked = Asked(
        version,
        options.bump,
        options.allow_dirty,
        options.note,
        options.out.resolve() if options.out else None,
        words_of_rules(options.silence),
    )
    found = loaded(plain)
    with stored(found.target.root) as store:
        works = _works(found, plain, given, store, options)
        facts = facts_of(works, asked)
        done = published(made_of(facts, asked), facts)
    _print(options, done)
    return 0


def _told_apart(plain: list[str], bump: str | None) -> tuple[str, list[str]]:
    """The version among the words, and the other words."""
    versions = [word for word in plain if _VERSION.fullmatch(word)]
    others = [word for word in plain if word not in versions]
    if len(versions) > 1 or (bump is not None and versions):
        raise UsageError(
            f"{' and '.join([*versions, *(['--bump'] if bump is not None else [])])}: a release has one version",
            fixes=["stepwell release 1.4.0", "stepwell release --bump"],
        )
    if not versions and bump is None:
        raise UsageError(
            "a release needs a version", fixes=["stepwell release 1.0.0", "stepwell release --bump"]
        )
    return (versions[0] if versions else ""), others


def _works(
    first: Loaded, plain: list[str], given: Words, store: LocalStore, options: Namespace
) -> list[Work]:
    """The plan of every pipeline that outputs come from; parameters are those of the one that is named."""
    manifest = manifest_of(first.target.root, first.target.file)
    word = plain[0] if plain else ""
    found = []
    for each in words_of(manifest, word):
        if each == word:
            found.append(planned(first, given.settings, store, files=options.params, sets=options.set))
        else:
            found.append(planned(loaded([each]), [], store))
    return list({work.graph.pipeline: work for work in found}.values())


def _print(options: Namespace, done: Done) -> None:
    document = done.document
    if options.json:
        row: dict[str, Any] = {
            "wheel": str(done.path),
            "new": done.new,
            "project": document.project,
            "version": document.version,
            "sha256": done.sha256,
            "size": done.size,
            "commit": document.commit,
            "dirty": list(document.dirty),
            "outputs": list(done.outputs),
            "since": done.verdict.before if done.verdict else None,
            "bump": done.verdict.bump if done.verdict else None,
            "findings": [f"{one.rule} {one.place} {one.what}" for one in done.verdict.findings]
            if done.verdict
            else [],
            "put": done.put,
            "notes": list(done.notes),
        }
        print_json(row)
        return
    for note in done.notes:
        print(f"note: {clean(note)}", file=sys.stderr)
    head = f"{document.project} {document.version}"
    there = "" if done.new else " is there already, with the same bytes"
    print(f"{head}{there}: {_near(done.path)}")
    print(f"  sha256 {done.sha256}, {done.size:,} bytes")
    if done.verdict is not None:
        found = [one for one in done.verdict.findings if not one.silenced]
        print(f"  since {done.verdict.before}: {done.verdict.bump}" + (", for" if found else ""))
        for one in found[:MOST]:
            print(f"    {one.rule} {clean(one.place)} {clean(one.what)}")
        if len(found) > MOST:
            print(f"    … and {len(found) - MOST:,} more: stepwell compat {done.verdict.before}")
    if done.put:
        print(f"  {done.put:,} blobs are in the store of releases")


def _near(path: Path) -> str:
    """A path as one would type it here."""
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)
