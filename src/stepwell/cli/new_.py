"""`stepwell new`: a pipeline file to start from, or the one that a notebook amounts to."""

from __future__ import annotations

import os.path
import shlex
import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

from stepwell.cli.text import clean, print_json
from stepwell.errors import FileInTheWay, StoreReadOnly, UsageError

TEMPLATE = '''"""A pipeline to start from: two steps. Try

    stepwell plan
    stepwell run
    stepwell run             (nothing to do)
    stepwell run count=20
"""

from stepwell import log, pipeline, step


@step
def numbers(count: int) -> list[int]:
    return [n * n for n in range(count)]


@step
def total(values: list[int]) -> int:
    log.metric("values", len(values))
    return sum(values)


@pipeline
def squares(count: int = 10) -> int:
    return total(numbers(count))


if __name__ == "__main__":
    raise SystemExit(squares.run().exit_code)
'''


def arguments(parser: ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument(
        "file", nargs="?", default="pipeline.py", metavar="FILE", help="the file to write (pipeline.py)"
    )
    parser.add_argument(
        "--from",
        dest="notebook",
        metavar="NOTEBOOK",
        default="",
        help="make it of a notebook's cells, Jupyter's (.ipynb) or marimo's (.py)",
    )
    parser.add_argument("-o", "--output", dest="output", metavar="FILE", default="", help="the same as FILE")


def run(options: Namespace) -> int:
    """Write the file, unless one is there."""
    file = _file(options.output or options.file)
    if file.suffix != ".py" or not file.stem.isidentifier():
        raise UsageError(
            f"`{file.name}` cannot be a pipeline file",
            fixes=["a Python name ending in .py, for example pipeline.py"],
        )
    text, notes = _text(options.notebook, file)
    try:
        file.parent.mkdir(exist_ok=True)
        with file.open("x", encoding="utf-8", errors="surrogateescape") as out:
            out.write(text)
    except FileExistsError:
        raise FileInTheWay(
            f"`{file}` is there already", fixes=["stepwell new other.py", f"stepwell plan {file}"]
        ) from None
    except FileNotFoundError:
        above = file.parent.parent
        raise UsageError(
            f"there is no folder `{above}`",
            why="one folder is made, not those above it: a misspelt path would make a tree",
            fixes=[f"mkdir -p {shlex.quote(str(above))}"],
        ) from None
    except OSError as error:
        raise StoreReadOnly(
            f"cannot write `{file}`: {error.strerror}", fixes=["another folder: stepwell new DIR"]
        ) from None
    if options.json:
        print_json({"file": str(file), "notes": notes} if options.notebook else {"file": str(file)})
    else:
        for note in notes:
            print(f"note: {clean(note)}", file=sys.stderr)
        print(
            f"wrote {file}; now: stepwell plan{'' if file.name == 'pipeline.py' and file.parent == Path() else f' {file}'}"
        )
    return 0


def _text(notebook: str, file: Path) -> tuple[str, list[str]]:
    """What is written: the template, or what a notebook gives, with notes on it. Raises as `converted`."""
    if not notebook:
        return TEMPLATE, []
    from stepwell.app.notebooks import converted  # the template needs nothing of it

    path = Path(notebook)
    found = converted(path)
    notes = list(found.notes)
    if os.path.abspath(path.parent) != os.path.abspath(file.parent):
        notes.append(f"files are looked for from `{file.parent}`, not from the notebook's folder")
    return found.text, notes


def _file(word: str) -> Path:
    """The file that is meant: a folder's `pipeline.py` unless the word ends like a file's name."""
    file = Path(word)
    return file if file.suffix and not os.path.isdir(file) else file / "pipeline.py"
