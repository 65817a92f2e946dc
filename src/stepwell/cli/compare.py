"""`stepwell compare`: runs beside each other."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace

from stepwell.app.comparing import MOST, Options, chosen, chosen_notes, comparison
from stepwell.app.finding import Wanted
from stepwell.cli.looking import positive, project_root, stored
from stepwell.cli.statuses import say_damaged
from stepwell.cli.text import clean, print_json
from stepwell.errors import UsageError
from stepwell.stores.runrow import split

EXAMPLES = """examples:
  stepwell compare                        the last two runs, or the points of the last sweep
  stepwell compare r11 r12                two runs, with the diff of what each step ran
  stepwell compare g3 --best auc          a sweep, the best points first
  stepwell compare --where "depth > 4 and auc > 0.8" --sort -auc
  stepwell compare r3..r9 last~1 last --csv > runs.csv

exit code: 0, or 6 where the record of a run is damaged: the others are compared, and it is said which one is"""


def arguments(parser: ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument(
        "runs",
        nargs="*",
        metavar="RUN",
        help="r12, r3..r9, a sweep g3, last, last~1; the first is compared with",
    )
    parser.add_argument(
        "--where", default="", metavar="CONDITION", help='only runs like "depth > 4 and auc > 0.8"'
    )
    parser.add_argument(
        "--sort",
        default="",
        metavar="NAME",
        help="in this order; -NAME: the largest first; a name with a dash before it: '`-n`'",
    )
    parser.add_argument("--best", default="", metavar="METRIC", help="the best of a metric first")
    parser.add_argument("--lowest", action="store_true", help="with --best: the lowest is the best")
    parser.add_argument("-p", "--pipeline", default="", help="only runs of this pipeline")
    parser.add_argument("--limit", type=positive, default=0, metavar="N", help=f"the first N ({MOST})")
    parser.add_argument("--metric", default="", metavar="GLOB", help="only metrics like val/*")
    parser.add_argument("--all", action="store_true", help="also what is equal in all of them")
    parser.add_argument("--code", action="store_true", help="the diffs of code whole")
    parser.add_argument("--csv", action="store_true", help="a table of all parameters and metrics")


def run(options: Namespace) -> int:
    """Choose, compare and print."""
    _refuse(options)
    wanted = Wanted(
        where=options.where, sort=options.sort, best=options.best, pipeline=options.pipeline,
        lowest=True if options.lowest else None,
    )  # fmt: skip
    limit = options.limit or (10**18 if options.csv else MOST)
    asked = Options(wanted, limit, options.metric, everything=options.all)
    root = project_root()
    with stored(root, looking=True, create=False) as store:
        found = chosen(store, options.runs, asked)
        document = {} if options.csv else comparison(store, root, found, asked)
        damaged = document["damaged"] if document else [*found.damaged, *split(found.runs)[1]]
    if options.csv:
        from stepwell.cli.side_by_side import csv_text  # beside the other words of a comparison

        print(csv_text(found.runs, options.metric), end="")
        for note in chosen_notes(found, options.metric):
            print(f"note: {clean(note)}", file=sys.stderr)
    elif options.json:
        print_json(document)
    else:
        from stepwell.cli.side_by_side import lines  # `--json` does without

        print("\n".join(lines(document, everything=options.all, code=options.code)))
    return say_damaged(damaged)


def _refuse(options: Namespace) -> None:
    """Raises `UsageError` for options that say nothing together."""
    if options.best and options.sort:
        raise UsageError(
            "`--best` and `--sort` exclude each other", why="both say an order", fixes=["leave one out"]
        )
    if options.lowest and not options.best:
        raise UsageError("`--lowest` is about `--best`", fixes=["stepwell compare --best loss --lowest"])
    if options.csv and options.json:
        raise UsageError("`--csv` and `--json` exclude each other", fixes=["leave one out"])
