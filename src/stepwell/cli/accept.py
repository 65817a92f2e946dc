"""`stepwell accept`: "this edit does not change results"."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from datetime import datetime

from stepwell.app.accepting import accept, day, take_back, told
from stepwell.app.names import step_named
from stepwell.cli.options import loaded, params_argument, planned, stored, words
from stepwell.cli.text import clean, print_json
from stepwell.errors import UsageError
from stepwell.stores.accepted import Acceptance

EXAMPLES = """examples:
  stepwell accept clean -m "only faster"    what `clean` gave before its edit still counts
  stepwell accept clean --undo              the edit counts again
  stepwell accept --list                    who accepted what, and when"""


def arguments(parser: ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument(
        "words", nargs="*", metavar="[STEP ...] [name=value ...]", help="ids or names of steps"
    )
    params_argument(parser)
    parser.add_argument("-p", "--pipeline", default="", help="the pipeline, where it is not the default one")
    parser.add_argument("-m", "--message", default="", metavar="TEXT", help="why it does not change results")
    parser.add_argument("--undo", action="store_true", help="take the word back")
    parser.add_argument("--list", action="store_true", help="every word that was given or taken back")


def run(options: Namespace) -> int:
    """Record and print."""
    given = words(options.words)
    if not given.plain and not options.list:
        raise UsageError("no step is named", fixes=["stepwell accept STEP", "stepwell accept --list"])
    _refuse_contradictions(options, given.plain)
    found = loaded([options.pipeline] if options.pipeline else [])
    root = found.target.root
    with stored(root, looking=options.list) as store:
        if options.list:
            made = store.accepted.all()
        else:
            work = planned(found, given.settings, store, files=options.params)
            nodes = [node for name in given.plain for node in step_named(work.graph, name)]
            plan = work.plan
            made = (
                take_back(plan, nodes, store, root)
                if options.undo
                else accept(plan, nodes, store, root, options.message)
            )
    if options.json:
        print_json({"accepted": [_document(one) for one in made]})
    else:
        for one in made:
            print(_line(one))
    return 0


def _refuse_contradictions(options: Namespace, steps: list[str]) -> None:
    """Raises `UsageError` where the options say two things."""
    if options.list and (steps or options.undo or options.message):
        beside = steps[0] if steps else "--undo" if options.undo else "-m"
        raise UsageError(
            f"`--list` shows every word, and `{beside}` asks for something else",
            fixes=["stepwell accept --list", "stepwell accept STEP"],
        )
    if options.undo and options.message:
        raise UsageError(
            "`-m` says why an edit is accepted, and `--undo` takes that back", fixes=["leave out one of them"]
        )


def _document(one: Acceptance) -> dict[str, object]:
    time = datetime.fromtimestamp(one.time).astimezone().isoformat(timespec="milliseconds")
    return {**one._asdict(), "time": time, "taken_back": one.before == one.after}


def _line(one: Acceptance) -> str:
    if one.before == one.after:
        return clean(f"{one.step}  edits count again; taken back by {one.who} on {day(one)}")
    return clean(f"{one.step}  {told(one)}")
