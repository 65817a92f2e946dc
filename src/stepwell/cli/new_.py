"""`stepwell new`: a pipeline file to start from."""

from __future__ import annotations

import os.path
import shlex
from argparse import ArgumentParser, Namespace
from pathlib import Path

from stepwell.cli.text import print_json
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


def run(options: Namespace) -> int:
    """Write the file, unless one is there."""
    file = _file(options.file)
    if file.suffix != ".py" or not file.stem.isidentifier():
        raise UsageError(
            f"`{file.name}` cannot be a pipeline file",
            fixes=["a Python name ending in .py, for example pipeline.py"],
        )
    try:
        file.parent.mkdir(exist_ok=True)
        with file.open("x", encoding="utf-8") as out:
            out.write(TEMPLATE)
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
        print_json({"file": str(file)})
    else:
        print(
            f"wrote {file}; now: stepwell plan{'' if file.name == 'pipeline.py' and file.parent == Path() else f' {file}'}"
        )
    return 0


def _file(word: str) -> Path:
    """The file that is meant: a folder's `pipeline.py` unless the word ends like a file's name."""
    file = Path(word)
    return file if file.suffix and not os.path.isdir(file) else file / "pipeline.py"
