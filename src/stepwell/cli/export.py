"""`stepwell export`: a run in the words of another file."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

from stepwell.app.runfile import exported
from stepwell.cli.looking import project_root, stored
from stepwell.cli.text import clean, print_json
from stepwell.errors import FileInTheWay, RunFileUnwritable
from stepwell.export.runfile import HEAD, text_of
from stepwell.stores.durable import replace

EXAMPLES = """examples:
  stepwell export yaml                   the last run, on stdout
  stepwell export yaml r12 -o r12.yaml
  stepwell run r12.yaml                  runs it again: its code, its data, its parameters"""


def arguments(parser: ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument("format", choices=["yaml"], help="yaml: the run file")
    parser.add_argument("run", nargs="?", default="last", metavar="RUN", help="r1, r2, ... or last")
    parser.add_argument("-o", "--output", default="-", metavar="FILE", help="write it there; - for stdout")
    parser.add_argument("-f", "--overwrite", action="store_true", help="replace FILE whatever it is")


def run(options: Namespace) -> int:
    """Write the file."""
    with stored(project_root(), looking=True, create=False) as store:
        row, folder = store.runs.run(options.run), store.folder
        text = text_of(exported(store, row.run))
    target = (
        None if options.output == "-" else _target(Path(options.output), folder, overwrite=options.overwrite)
    )
    data = text.encode("utf-8")
    if target is not None:
        try:
            replace(target, data)
        except OSError as error:
            raise _unwritable(target, error.strerror or str(error)) from None
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


def _target(target: Path, store: Path, *, overwrite: bool) -> Path:
    """The file to write: an earlier run file is replaced, anything else only if that is said. Raises `FileInTheWay`, `RunFileUnwritable`."""
    if target.is_dir() or target.resolve().is_relative_to(store.resolve()):
        why = (
            "it is a folder"
            if target.is_dir()
            else "what is written into the store by hand is taken for damage"
        )
        raise _unwritable(target, why)
    if overwrite or not target.exists():
        return target
    try:
        with target.open("rb") as file:
            ours = target.is_file() and file.read(len(HEAD)) == HEAD.encode()
    except OSError as error:
        raise _unwritable(target, error.strerror or str(error)) from None
    if not ours:
        raise FileInTheWay(
            f"`{target}` is there already, and is no run file",
            fixes=["another name after -o", "-f replaces it"],
        )
    return target


def _unwritable(target: Path, why: str) -> RunFileUnwritable:
    return RunFileUnwritable(f"`{target}` cannot be written", why=why, fixes=["another place after -o"])
