"""`stepwell get`: print an artifact, or write it to a file. Never executes what an artifact says."""

from __future__ import annotations

import shutil
import sys
from argparse import ArgumentParser, Namespace
from json import dumps
from pathlib import Path
from typing import Any

from stepwell.app.names import output_named
from stepwell.app.values import load, plain
from stepwell.cli.options import project_root, stored
from stepwell.cli.text import clean, print_json, size
from stepwell.errors import FileInTheWay, StoreReadOnly
from stepwell.kernel.ports import Artifact
from stepwell.stores.local import LocalStore

EXAMPLES = """examples:
  stepwell get last score            print the metrics that `score` gave
  stepwell get r3 split.0 -o fit.arrow
  stepwell get last plot -o plot.png"""

READ = ("json", "text", "file", "folder")
"""Codecs whose artifacts are read for being shown; of all others the bytes are written as they are."""


def arguments(parser: ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument("run", metavar="RUN", help="r1, r2, ... or last")
    parser.add_argument("step", metavar="STEP[.OUTPUT]", help="a step, and which of its outputs")
    parser.add_argument("-o", "--output", metavar="FILE", help="write it there; - for stdout")
    parser.add_argument("-f", "--overwrite", action="store_true", help="replace FILE if it is there")


def run(options: Namespace) -> int:
    """Look up, then print or write."""
    with stored(project_root(), looking=True, create=False) as store:
        artifact = _find(store, options.run, options.step)
        if options.json:
            print_json({**artifact._asdict(), "parts": list(artifact.parts), "value": _value(store, artifact)})
        elif options.output and options.output != "-":
            _write(store, artifact, Path(options.output), options.overwrite)
        else:
            _print(store, artifact, raw=options.output == "-" or not sys.stdout.isatty())
    return 0


def _find(store: LocalStore, run: str, word: str) -> Artifact:
    row = store.runs.run(run)
    ids = [step.id for step in store.runs.steps(row.run)]
    name, _, output = (word, "", "") if word in ids else word.rpartition(".") if "." in word else (word, "", "")
    step = store.runs.step(row.run, name)
    return output_named(step.outputs, output, step.id)


def _value(store: LocalStore, artifact: Artifact) -> Any:
    return plain(load(store, artifact)) if artifact.codec in ("json", "text") else None


def _bytes(store: LocalStore, artifact: Artifact) -> bytes | memoryview:
    data = store.results.data(artifact)
    return store.blobs.open(artifact.digest).data if data is None else data


def _print(store: LocalStore, artifact: Artifact, *, raw: bool) -> None:
    if artifact.codec == "text":
        text = load(store, artifact)
        sys.stdout.write(text if raw else clean(text) + "\n")
    elif artifact.codec == "json":
        print(dumps(plain(load(store, artifact)), indent=2, ensure_ascii=False))
    elif artifact.codec in ("file", "folder"):
        print(load(store, artifact))
    elif raw:
        sys.stdout.buffer.write(_bytes(store, artifact))
    elif "arrow" in artifact.codec:
        print(load(store, artifact))
    else:
        print(f"{clean(artifact.note) or artifact.codec}, {size(artifact.size)}; -o FILE writes it")


def _write(store: LocalStore, artifact: Artifact, target: Path, overwrite: bool) -> None:
    if target.exists() and not overwrite:
        raise FileInTheWay(f"`{target}` is there already", fixes=["another name after -o, or -f to replace it"])
    try:
        if artifact.codec in ("file", "folder"):
            _copy(Path(load(store, artifact)), target)
        elif artifact.codec == "json":
            target.write_text(dumps(plain(load(store, artifact)), indent=2, ensure_ascii=False) + "\n", "utf-8")
        elif target.suffix in (".csv", ".parquet") and artifact.codec == "arrow:pandas":
            frame = load(store, artifact)
            frame.to_csv(target, index=False) if target.suffix == ".csv" else frame.to_parquet(target)
        else:
            target.write_bytes(_bytes(store, artifact))
    except OSError as error:
        raise StoreReadOnly(f"cannot write `{target}`: {error.strerror}", fixes=["another place after -o"]) from error
    print(f"{target}  {size(target.stat().st_size) if target.is_file() else 'folder'}")


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, dirs_exist_ok=True)
    else:
        shutil.copyfile(source, target)
