"""The command that a release installs: `churn predict customers.csv`, `churn info`, `churn pull`, `churn data NAME -o FILE`.

Data goes to standard output, everything that is said to standard error. Errors have their code, and end with the
exit code that they have everywhere.
"""

from __future__ import annotations

import json
import os
import sys
import warnings
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from stepwell.errors import (
    DiskFull,
    FileInTheWay,
    InputUnreadable,
    Interrupted,
    StepwellError,
    UsageError,
    WrongColumns,
    WrongTypes,
    WrongUnits,
    counted,
)
from stepwell.sources.address import printable

if TYPE_CHECKING:
    from stepwell.dist.installed import Installed
    from stepwell.dist.installed.given import Given

EXAMPLES = """examples:
  {name} predict customers.csv -o scored.csv
  zcat customers.csv.gz | {name} predict -
  {name} info --json
  {name} data customers -o customers.csv"""


def main(release: Installed, argv: Sequence[str] | None = None) -> int:
    """Carry out a command line (without the program's name); gives the exit code. Prints errors."""
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        with _said():
            options = _parser(release).parse_args(words)
            carry_out: Callable[[Installed, Namespace], None] = options.carry_out
            carry_out(release, options)
        sys.stdout.flush()
    except StepwellError as error:
        return _told(error, "--json" in words)
    except KeyboardInterrupt:
        return _told(Interrupted("interrupted", why="Ctrl-C was pressed"), "--json" in words)
    except BrokenPipeError:  # whoever reads has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def _told(error: StepwellError, as_json: bool) -> int:
    if as_json:
        _write(sys.stdout, json.dumps({"error": error.as_dict()}, indent=2))
    else:
        _write(sys.stderr, "\n".join(printable(line) for line in str(error).splitlines()))
    return error.exit_code


def _write(stream: TextIO, text: str) -> None:
    stream.write(f"{text}\n")


@contextmanager
def _said() -> Iterator[None]:
    """What is warned of, as notes on standard error."""

    def show(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        _write(sys.stderr, f"note: {printable(str(message))}")

    with warnings.catch_warnings():
        warnings.simplefilter("always", UserWarning)
        warnings.showwarning = show
        yield


# --------------------------------------------------------------------------- words


class _Parser(ArgumentParser):
    def error(self, message: str) -> Any:
        raise UsageError(f"{self.prog}: {message}", fixes=[f"{self.prog} --help"])


def _parser(release: Installed) -> ArgumentParser:
    document = release.opened.document
    name = os.path.basename(sys.argv[0]) or document.project
    parser = _Parser(
        prog=name,
        description=f"{document.project} {document.version}, a release",
        epilog=EXAMPLES.format(name=name),
        formatter_class=RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"{document.project} {document.version}")
    verbs = parser.add_subparsers(required=True, metavar="VERB", parser_class=_Parser)

    predict = verbs.add_parser("predict", help="ask the model about the rows of a file")
    predict.add_argument("table", metavar="FILE", help="a CSV or Parquet file; - for one on standard input")
    predict.add_argument(
        "-o", "--out", metavar="FILE", help="write there, as CSV or Parquet; else CSV to stdout"
    )
    predict.add_argument("-f", "--overwrite", action="store_true", help="replace the file if it is there")
    predict.add_argument("--output", metavar="NAME", default="", help="which output predicts")
    predict.add_argument("--only", action="store_true", help="leave the columns of FILE out of the answer")
    predict.add_argument(
        "--unit", metavar="COLUMN=UNIT", action="append", default=[], help="the unit of a column of FILE"
    )
    predict.set_defaults(carry_out=_predict)

    info = verbs.add_parser("info", help="what the release is made of, and how good it is")
    info.add_argument("--json", action="store_true", help="one JSON document")
    info.set_defaults(carry_out=_info)

    pull = verbs.add_parser("pull", help="fetch all that is not in the package")
    pull.set_defaults(carry_out=_pull)

    data = verbs.add_parser("data", help="the very data that it was made of")
    data.add_argument("name", metavar="NAME", help="one of those that `info` names")
    data.add_argument("-o", "--out", metavar="FILE", required=True, help="where it is written to")
    data.add_argument("-f", "--overwrite", action="store_true", help="replace the file if it is there")
    data.set_defaults(carry_out=_data)
    return parser


def _info(release: Installed, options: Namespace) -> None:
    info = release.info()
    _write(sys.stdout, json.dumps(info.as_dict(), indent=2) if options.json else repr(info))


def _pull(release: Installed, _: Namespace) -> None:
    pulled = release.pull()
    told = f"{counted(pulled.count, 'blob')}, {counted(pulled.size, 'byte')} are here now"
    if pulled.lacking:
        blobs, verb = ("blob", "is") if pulled.lacking == 1 else ("blobs", "are")
        told += (
            f"; all outputs are there, and {pulled.lacking:,} {blobs} of data {verb} not to be had, "
            "because the release names no store"
        )
    _write(sys.stderr, told)


def _data(release: Installed, options: Namespace) -> None:
    from stepwell.dist.installed.loading import data_of

    with _file_errors(Path(options.out)):
        target = data_of(release.opened, options.name, Path(options.out), overwrite=options.overwrite)
    _write(sys.stderr, f"{target}")


# --------------------------------------------------------------------------- predict


def _predict(release: Installed, options: Namespace) -> None:
    from stepwell.dist.installed.predicting import predicts, text_columns

    units = dict(_unit(word) for word in options.unit)
    target = Path(options.out) if options.out not in (None, "-") else None
    if target is not None:
        _check_target(target, options.overwrite)
    leaving = release.opened.lock.output[predicts(release.opened, options.output)]
    given = _table(options.table, text_columns(leaving))
    table = given.frame
    try:
        answer = release.predict(table, options.output, units={**given.units, **units})
    except (WrongColumns, WrongTypes, WrongUnits) as error:  # what is typed in Python is no help here
        own = [fix for fix in error.fixes if not fix.startswith(("table.", "predict("))]
        if isinstance(error, WrongTypes):
            rows = (
                " (row 1 is the first below the header)" if " in row " in f"{error.what} {error.why}" else ""
            )
            own = [f"change the column in {'standard input' if options.table == '-' else f'`{options.table}`'}{rows}, then the same again"]
        if isinstance(error, WrongUnits):
            own.append("--unit COLUMN=UNIT for each of them, if only what the file says is wrong")
        error.fixes = tuple(own)
        raise
    if not options.only:
        answer = table.drop(columns=[name for name in answer.columns if name in table.columns]).join(answer)
    if target is None:
        answer.to_csv(sys.stdout, index=False)
        return
    with _file_errors(target):
        _save(answer, target)
    _write(sys.stderr, f"{target}  {counted(len(answer), 'row')}")


def _table(word: str, text: Collection[str]) -> Given:
    """The table of a file, or of standard input for "-", which is told by how it begins. Raises as `taken`."""
    from tempfile import TemporaryDirectory

    from stepwell.dist.installed.given import taken

    if word != "-":
        return taken(Path(word), text)
    data = sys.stdin.buffer.read()
    if not data.strip():
        raise InputUnreadable("standard input is empty", fixes=["name a CSV or Parquet file"])
    form = ".parquet" if data.startswith(b"PAR1") else ".csv"
    if form == ".csv" and not _is_text(data):
        raise InputUnreadable(
            "standard input is no table that can be read",
            why="it holds neither the text of a CSV file nor a Parquet file",
            fixes=["unpack or convert it first", "name the file: what it is, is told by its suffix"],
        )
    with TemporaryDirectory(prefix="stepwell-") as folder:
        file = Path(folder, f"input{form}")
        file.write_bytes(data)
        try:
            return taken(file, text)
        except StepwellError as error:
            error.what = _of_input(error.what, file)
            error.why = _of_input(error.why, file)
            error.fixes = tuple(fix for fix in error.fixes if folder not in fix)
            raise


def _of_input(told: str, file: Path) -> str:
    """A message that names standard input, and not the file that it was put into."""
    return told.replace(f"`{file}`", "standard input").replace(str(file), "standard input")


def _is_text(data: bytes) -> bool:
    try:
        return "\0" not in data.decode("utf-8")
    except UnicodeDecodeError:
        return False


def _unit(word: str) -> tuple[str, str]:
    column, equals, unit = word.partition("=")
    if not equals or not column:
        raise UsageError(f"`--unit {word}` names no column and unit", fixes=["--unit distance=km"])
    return column, unit


def _check_target(target: Path, overwrite: bool) -> None:
    if target.suffix.lower() not in (".csv", ".parquet"):
        raise UsageError(
            f"`{target}` is neither a CSV nor a Parquet file", fixes=[f"-o {target.stem or 'out'}.csv"]
        )
    if target.exists() and (not overwrite or target.is_dir()):
        raise FileInTheWay(f"`{target}` is there already", fixes=["-f replaces a file", "-o another name"])


def _save(table: Any, target: Path) -> None:
    """Write a table, whole or not at all."""
    beside = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        if target.suffix.lower() == ".csv":
            table.to_csv(beside, index=False)
        else:
            table.to_parquet(beside, index=False)
        beside.replace(target)
    finally:
        beside.unlink(missing_ok=True)


@contextmanager
def _file_errors(target: Path) -> Iterator[None]:
    from stepwell.stores.filesystem import refusal

    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        if isinstance(refusal(error, target), DiskFull):
            raise DiskFull(f"no room left for `{target}`", fixes=["make room, then the same again"]) from None
        raise UsageError(
            f"`{target}` cannot be written: {error.strerror or error}", fixes=["-o another place"]
        ) from None
