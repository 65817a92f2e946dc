"""`stepwell get`: print an artifact, or write it to a file. Nothing that an artifact names is imported or executed."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import stat
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from stepwell.app.names import apart, gave_nothing, output_named
from stepwell.app.values import load, preview
from stepwell.cli.looking import RUN_WORD, one_run, project_root, stored
from stepwell.cli.text import as_json, clean, print_json, size
from stepwell.errors import (
    CannotEncode,
    DiskFull,
    FileInTheWay,
    StepwellError,
    StoreReadOnly,
    UnknownOutput,
    UsageError,
)
from stepwell.kernel.ports import Artifact
from stepwell.stores.local import LocalStore

EXAMPLES = """what is written: plain values as JSON, a table as the name of FILE says (.csv, .parquet, else Arrow), all else as
it is kept. Into a pipe or after > a table goes as Arrow, as no name says otherwise; a terminal shows it.

examples:
  stepwell get last score                  print the metrics that `score` gave
  stepwell get last clean -o clean.csv     a table as CSV; clean.parquet as Parquet
  stepwell get r3 split.0 -o fit.arrow
  stepwell get last plot -o plot.png"""

TABLES = ("arrow", "arrow:pandas", "arrow:polars")
CONVERTED = (".csv", ".parquet")
"""Suffixes for which a table is converted; under any other name its bytes are written as they are."""


def arguments(parser: ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument("run", metavar="RUN", help=RUN_WORD)
    parser.add_argument("step", metavar="STEP[.OUTPUT]", help="a step, and which of its outputs")
    parser.add_argument(
        "-o", "--output", metavar="FILE", help="write it there, a table as FILE's name says; - for stdout"
    )
    parser.add_argument("-f", "--overwrite", action="store_true", help="replace FILE if it is there")


def run(options: Namespace) -> int:
    """Look up, then print or write."""
    with stored(project_root(), looking=True, create=False) as store:
        artifact = _find(store, options.run, options.step)
        if options.output is not None and options.output != "-":
            _refuse_place(options.output, store.folder)
            target = _write(store, artifact, Path(options.output), options.overwrite)
            kind = size(target.stat().st_size) if target.is_file() else "folder" if target.is_dir() else ""
            print(clean(f"{target}  {kind}".rstrip()), file=sys.stderr)
        elif not options.json:
            name = options.step.rpartition("/")[2].partition("[")[0].partition(".")[0]
            _print(store, artifact, name, asked=options.output == "-")
        if options.json:
            print_json(_document(store, artifact))
    return 0


def _find(store: LocalStore, run: str, word: str) -> Artifact:
    row = one_run(store, run, "an artifact", "stepwell get")
    ids = [step.id for step in store.runs.steps(row.run)]
    name, output = apart(word, ids)
    step = store.runs.step(row.run, name)
    if not step.outputs:
        raise gave_nothing(step.id, row.run, step.status)
    return output_named(step.outputs, output, step.id)


def _document(store: LocalStore, artifact: Artifact) -> dict[str, Any]:
    value = preview(store, artifact) if artifact.codec in ("json", "text") else None
    return {**artifact._asdict(), "parts": list(artifact.parts), "value": value}


def _bytes(store: LocalStore, artifact: Artifact) -> bytes | memoryview:
    data = store.results.data(artifact)
    return store.blobs.open(artifact.digest).data if data is None else data


def _print(store: LocalStore, artifact: Artifact, name: str, *, asked: bool) -> None:
    """Print what can be read; the bytes as they are where stdout is a file or a pipe, or they were `asked` for.

    `name` is of the step, for who would rather have a file.
    """
    codec = artifact.codec
    raw = asked or (not sys.stdout.isatty() and codec != "path")
    if codec == "json":
        print(as_json(preview(store, artifact), indent=2))
    elif raw and codec == "path":
        file = Path(load(store, artifact))
        if file.is_dir():
            raise UnknownOutput(f"`{file.name}` is a folder", fixes=["-o FOLDER copies it"])
        _pour(file.read_bytes())
    elif raw:
        if codec in TABLES and not asked:
            told = f"writing Arrow bytes ({size(artifact.size)}); -o {name}.csv converts"
            print(clean(told), file=sys.stderr)
        _pour(_bytes(store, artifact))
    elif codec == "text":
        print(clean(str(_bytes(store, artifact), "utf-8", "replace")))
    elif codec == "path" or codec in TABLES:
        print(clean(str(load(store, artifact))))
    else:
        print(f"{clean(artifact.note) or codec}, {size(artifact.size)}; -o FILE writes it")


def _pour(data: bytes | memoryview) -> None:
    sys.stdout.flush()
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


# ---------------------------------------------------------------------------- into a file


def _refuse_place(word: str, store: Path) -> None:
    """Refuse what nobody can mean as a place to write to. Raises `UsageError`."""
    fixes = ["-o FILE, or -o . for this folder"]
    place = Path(os.path.abspath(word))
    if not word.strip():
        raise UsageError("`-o` names no file", fixes=fixes)
    if place == Path(place.anchor):
        raise UsageError(f"`{word}` is the root of the file system, not a place for a result", fixes=fixes)
    if place.resolve().is_relative_to(store.resolve()):
        raise UsageError(
            f"`{word}` is in the store",
            why="what is written there by hand is taken for damage, or removed",
            fixes=fixes,
        )
    if word.endswith(("/", os.sep)) and not os.path.isdir(place):
        raise UsageError(
            f"there is no folder `{word}`", fixes=[f"mkdir -p {shlex.quote(word)}", f"-o {word.rstrip('/')}"]
        )


def _write(store: LocalStore, artifact: Artifact, target: Path, overwrite: bool) -> Path:
    """Write an artifact to a file or folder; gives its place."""
    made = Path(load(store, artifact)) if artifact.codec == "path" else None
    if os.path.isdir(target) and not (made is not None and made.is_dir()):
        target = target / (made.name if made is not None else f"{artifact.name}{_suffix(artifact)}")
    _refuse_suffix(artifact, target)
    if (os.path.isfile(target) or os.path.isdir(target)) and not overwrite:
        raise FileInTheWay(f"`{target}` is there already", fixes=["another name after -o", "-f replaces it"])
    try:
        if made is not None and made.is_dir():
            shutil.copytree(made, target, copy_function=_copy, dirs_exist_ok=True)
            return target
        with _written(target) as out:
            if made is not None:
                with made.open("rb") as file:
                    shutil.copyfileobj(file, out, 1 << 20)
            elif artifact.codec == "json":
                out.write(as_json(preview(store, artifact), indent=2).encode() + b"\n")
            elif artifact.codec in TABLES and target.suffix in CONVERTED:
                _convert(load(store, artifact), target.suffix, out)
            else:
                out.write(_bytes(store, artifact))
        if made is not None and target.is_file() and os.access(made, os.X_OK):
            target.chmod(target.stat().st_mode | 0o111)
    except (OSError, shutil.Error) as error:
        raise _unwritable(target, error) from error
    return target


KEPT_AS = {
    "json": (".json",),
    "npy": (".npy",),
    "png": (".png",),
    "sklearn": (".skops",),
    "pickle": (".pkl", ".pickle"),
    **dict.fromkeys(TABLES, (".arrow", ".feather", ".ipc", *CONVERTED)),
}
"""The suffixes under which an artifact can be written; those of other codecs can have any."""


def _refuse_suffix(artifact: Artifact, target: Path) -> None:
    """A file must not promise by its name what its bytes are not. Raises `UsageError`."""
    known = KEPT_AS.get(artifact.codec, ())
    if known and target.suffix and target.suffix.lower() not in known and not os.path.exists(target):
        raise UsageError(
            f"`{artifact.name}` is kept as `{artifact.codec}` and cannot be written as `{target.suffix}`",
            fixes=[f"-o {target.with_suffix(suffix)}" for suffix in known[:3]],
        )


def _suffix(artifact: Artifact) -> str:
    known = {"json": ".json", "text": ".txt", "png": ".png", "npy": ".npy"}
    return ".arrow" if artifact.codec in TABLES else known.get(artifact.codec, "")


def _copy(source: str, target: str) -> None:
    shutil.copyfile(source, target)
    if os.access(source, os.X_OK):
        os.chmod(target, os.stat(target).st_mode | 0o111)


@contextlib.contextmanager
def _written(target: Path) -> Iterator[BinaryIO]:
    """A file to write to that appears whole; what is no regular file (a device, a pipe) is written to as it is."""
    if target.exists() and not stat.S_ISREG(target.stat().st_mode):
        with target.open("wb") as out:
            yield out
        return
    target = target.resolve()  # a link keeps leading where it leads
    beside = target.with_name(f".{target.name[:100]}.{os.getpid()}.part")
    try:
        with beside.open("xb") as out:
            yield out
        if target.exists():
            beside.chmod(stat.S_IMODE(target.stat().st_mode))
        beside.replace(target)
    finally:
        beside.unlink(missing_ok=True)


def _convert(frame: Any, suffix: str, out: BinaryIO) -> None:
    """A table as CSV or Parquet, by the library that it is of."""
    kind = f"{type(frame).__module__.partition('.')[0]}{suffix}"
    try:
        if kind == "pandas.csv":
            out.write(frame.to_csv(index=type(frame.index).__name__ != "RangeIndex").encode())
        elif kind == "pandas.parquet":
            frame.to_parquet(out)
        elif kind == "polars.csv":
            frame.write_csv(out)
        elif kind == "polars.parquet":
            frame.write_parquet(out)
        elif suffix == ".csv":
            import pyarrow.csv

            pyarrow.csv.write_csv(frame, out)
        else:
            import pyarrow.parquet

            pyarrow.parquet.write_table(frame, out)
    except (OSError, StepwellError):
        raise
    except Exception as error:  # a library's refusal
        raise CannotEncode(
            f"this {type(frame).__name__} cannot be written as {suffix[1:]}",
            why=f"{type(error).__name__}: {error}"[:300],
            fixes=["-o NAME.arrow writes it as it is"],
        ) from error


def _unwritable(target: Path, error: OSError) -> StepwellError:
    from errno import EDQUOT, ENOSPC

    told = error.strerror or str(error)
    if error.errno in (ENOSPC, EDQUOT):
        return DiskFull(f"cannot write `{target}`: {told}", fixes=["make room, or another place after -o"])
    return StoreReadOnly(f"cannot write `{target}`: {told}", fixes=["another place after -o"])
