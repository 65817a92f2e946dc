"""`stepwell export`: a run in the words of another file."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

from stepwell.app.finding import one
from stepwell.app.runfile import exported
from stepwell.cli.looking import RUN_WORD, project_root, stored
from stepwell.cli.placed import Kind
from stepwell.cli.text import clean, print_json
from stepwell.errors import RunFileUnwritable
from stepwell.export.runfile import HEAD, text_of

EXAMPLES = """examples:
  stepwell export yaml                   the last run, on stdout
  stepwell export yaml r12 -o r12.yaml
  stepwell run r12.yaml                  runs it again: its code, its data, its parameters"""


RUN_FILE = Kind("run file", HEAD, RunFileUnwritable)


def arguments(parser: ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument("format", choices=["yaml"], help="yaml: the run file")
    parser.add_argument("run", nargs="?", default="last", metavar="RUN", help=RUN_WORD)
    parser.add_argument("-o", "--output", default="-", metavar="FILE", help="write it there; - for stdout")
    parser.add_argument("-f", "--overwrite", action="store_true", help="replace FILE whatever it is")


def run(options: Namespace) -> int:
    """Write the file."""
    with stored(project_root(), looking=True, create=False) as store:
        run = one(store, options.run, "a run file", "stepwell export yaml")
        row, folder = store.runs.run(run), store.folder
        text = text_of(exported(store, row.run))
    target = (
        None
        if options.output == "-"
        else RUN_FILE.target(Path(options.output), folder, overwrite=options.overwrite)
    )
    data = text.encode("utf-8")
    if target is not None:
        RUN_FILE.write(target, data)
    if options.json:
        place = None if target is None else str(target)
        print_json({"run": row.run, "pipeline": row.pipeline, "format": "yaml", "file": place, "text": text})
    elif target is None:
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    else:
        print(clean(f"{target}  of {row.run}"))
    return 0
