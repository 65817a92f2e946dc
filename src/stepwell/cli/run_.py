"""`stepwell run`: plan, run, record."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace

from stepwell.app.calls import finish
from stepwell.app.documents import run_document
from stepwell.cli import plan
from stepwell.cli.options import loaded, pipeline_arguments, planned, settings, stored, words
from stepwell.cli.text import clean, print_json
from stepwell.cli.view import view

EXAMPLES = """examples:
  stepwell run                    the only pipeline of pipeline.py
  stepwell run depth=8 -j 4       with a parameter, on four workers
  stepwell run --dry-run          the same as `stepwell plan`"""

EXIT = {"succeeded": 0, "failed": 1, "interrupted": 130}


def arguments(parser: ArgumentParser) -> None:
    """Add the verb's arguments."""
    pipeline_arguments(parser)
    parser.add_argument("-n", "--dry-run", action="store_true", help="plan only")


def run(options: Namespace) -> int:
    """Run and show."""
    if options.dry_run:
        return plan.run(options)
    given = words(options.words)
    found = loaded(given.plain)
    how = settings(options)
    with stored(found.target.root) as store:
        work = planned(found, given.settings, store, how)
        for note in store.notes:
            print(f"note: {clean(note)}", file=sys.stderr)
        watched = sys.stderr.isatty() or sys.stdout.isatty()
        expected = store.runs.expected(step.full_name for step in work.graph.steps) if watched else {}
        with view(work.plan, json=options.json, expected=expected, plain=how.in_process) as shown:
            run, progress, result = finish(work, how, shown)
        if options.json:
            print_json(run_document(progress, run, result))
    return EXIT[progress.status]
