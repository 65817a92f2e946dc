"""`stepwell compat`: what changed since a release, what it means for those who use it, and which version it asks for."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from typing import Any

from stepwell.app.compat import judged, refuse_too_small
from stepwell.app.locking import locked_of, path_of, stale
from stepwell.cli.options import loaded, planned, stored, words
from stepwell.cli.text import clean, print_json
from stepwell.dist.compat.finding import BUMPS, Finding
from stepwell.dist.compat.rules import RULES, Verdict, words_of
from stepwell.dist.releases.found import found
from stepwell.dist.versions import parsed
from stepwell.errors import NotCompatible, StepwellError, UsageError, VersionTooSmall

EXAMPLES = """examples:
  stepwell compat 1.4.0                     the lock against this release of the project
  stepwell compat production                against what is in a channel
  stepwell compat dist/churn-1.4.0-py3-none-any.whl
  stepwell compat 1.4.0 --check 1.5.0       exit code 1 where 1.5.0 is too small a step
  stepwell compat 1.4.0 --silence D103="ids were given anew, see the notes"
  stepwell compat --rules                   every rule, and the step that it asks for"""


def arguments(parser: ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument(
        "release",
        nargs="?",
        default="",
        metavar="RELEASE",
        help="a version, a channel, a wheel, NAME==VERSION",
    )
    parser.add_argument(
        "words", nargs="*", metavar="[PIPELINE]", help="a name, path.py, path.py:name or package.module:name"
    )
    parser.add_argument(
        "--check", default="", metavar="VERSION", help="fail where this version is too small a step"
    )
    parser.add_argument(
        "--silence",
        action="append",
        default=[],
        metavar="RULE=REASON",
        help="a rule that does not count, and why; RULE:PLACE for one place",
    )
    parser.add_argument("--rules", action="store_true", help="list the rules, and do nothing else")


def run(options: Namespace) -> int:
    """Compare and print. Exits with 0 whatever was found, unless `--check` says otherwise."""
    if options.rules:
        return _list(options.json)
    if not options.release:
        raise UsageError(
            "`stepwell compat` needs a release to compare with",
            fixes=["stepwell compat 1.4.0", "stepwell compat production"],
        )
    silenced = words_of(options.silence)
    if options.check:
        parsed(options.check)
    given = words(options.words)
    pipeline = loaded(given.plain)
    file = pipeline.target.file
    with stored(pipeline.target.root, looking=True) as store:
        work = planned(pipeline, given.settings, store)
        lock = locked_of(work)
        before = found(options.release, work.root, file)
        verdict = judged(before, lock, work.root, file, store=store, silenced=silenced)
        differs = stale(lock, work)
    notes = list(verdict.notes)
    if differs:
        notes.append(
            f"`{path_of(work).name}` says something else than what is there now ({differs[0]}): {pipeline.target.command('run --lock')}"
        )
    for note in notes:
        print(f"note: {clean(note)}", file=sys.stderr)
    called = f"{before.document.project} {before.document.version}"
    if not options.json:
        print("\n".join(map(clean, told(verdict, called))))
    wrong = _too_small(verdict, options.check)
    if options.json:
        refusal = None if wrong is None else wrong.as_dict()
        print_json({"release": called, **document(verdict), "stale": bool(differs), "refused": refusal})
    elif wrong is not None:
        raise wrong
    return 0 if wrong is None else wrong.exit_code


def _too_small(verdict: Verdict, version: str) -> StepwellError | None:
    """Why a version is not enough; None where it is, or none was asked about. Raises `BadReleaseName`."""
    try:
        if version:
            refuse_too_small(verdict, version)
    except (NotCompatible, VersionTooSmall) as error:
        return error
    return None


def document(verdict: Verdict) -> dict[str, Any]:
    """A verdict as `--json` prints it."""
    return {
        "bump": verdict.bump,
        "blocked": verdict.blocked,
        "next": verdict.next_version or None,
        "findings": [one._asdict() for one in verdict.findings],
        "notes": list(verdict.notes),
    }


def told(verdict: Verdict, release: str) -> list[str]:
    """A verdict as a person reads it: findings by the bump that they ask for, then what follows."""
    lines: list[str] = []
    for bump in reversed(BUMPS):
        here = [one for one in verdict.findings if one.bump == bump and not one.silenced]
        lines += [*(["", bump] if here else []), *_rows(here)]
    quiet = [one for one in verdict.findings if one.silenced]
    lines += [*(["", "silenced"] if quiet else []), *_rows(quiet)]
    head = f"since {release}:" if verdict.findings else f"since {release}: nothing changed"
    return [head, *lines, "", _conclusion(verdict)]


def _rows(found: list[Finding]) -> list[str]:
    width = min(44, max((len(one.place) for one in found), default=0))
    return [
        f"  {one.rule}  {one.place:{width}}  {one.what}" + (f" (silenced: {one.silenced})" if one.silenced else "")
        for one in found
    ]  # fmt: skip


def _conclusion(verdict: Verdict) -> str:
    if verdict.blocked:
        return "=> blocked: no version makes this right"
    if verdict.bump == "none":
        return f"=> no release is needed after {verdict.before}"
    return f"=> {verdict.bump}: the next version is {verdict.next_version}"


def _list(json: bool) -> int:
    if json:
        print_json({"rules": [{"id": r.id, "name": r.name, "bump": r.bump, "when": r.when, "why": r.why} for r in RULES]})  # fmt: skip
        return 0
    for rule in RULES:
        print(clean(f"{rule.id}  {rule.bump:7}  {rule.name:20}  {rule.when}"))
    return 0
