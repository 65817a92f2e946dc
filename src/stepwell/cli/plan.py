"""`stepwell plan`: the dry run."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from stepwell.app.documents import plan_document
from stepwell.cli.options import loaded, pipeline_arguments, planned, settings, stored, words
from stepwell.cli.screen import plan_text
from stepwell.cli.text import print_json

EXAMPLES = """examples:
  stepwell plan                   the only pipeline of pipeline.py
  stepwell plan depth=8           with a parameter
  stepwell plan etl.py:nightly    another file, another pipeline"""


def arguments(parser: ArgumentParser) -> None:
    """Add the verb's arguments."""
    pipeline_arguments(parser)


def run(options: Namespace) -> int:
    """Plan and print."""
    given = words(options.words)
    found = loaded(given.plain)
    with stored(found.target.root, looking=True) as store:
        work = planned(found, given.settings, store, settings(options))
        if options.json:
            print_json(plan_document(work.plan))
        else:
            print(plan_text(work.plan))
    return 0
