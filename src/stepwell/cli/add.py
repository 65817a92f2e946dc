"""`stepwell add`: give data a name in the manifest, lock it, and write the module that it is imported from."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from stepwell.app.adding import Found, Project, Said, add, from_root, looked, project_at, refuse_name
from stepwell.app.places import at, stored
from stepwell.author.root import root_of
from stepwell.author.where import short
from stepwell.cli.text import clean, print_json, size
from stepwell.dist.interface.modules import is_attribute
from stepwell.errors import NoPipelineFile, UsageError, counted
from stepwell.sources.address import shown

EXAMPLES = """examples:
  stepwell add customers data/customers.parquet
  stepwell add customers s3://crm-exports/customers/*.parquet --key customer_id=crm.customer
  stepwell add sales data/sales.csv --unit amount=EUR --unit weight=kg --doc "One row a sale"
  stepwell add people sqlite:///crm.db --query "select * from people"
  stepwell add prices prices.csv --read sep=";"     options of the reader"""

MOST = 30
"""Columns that are shown."""


def arguments(parser: ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument("name", metavar="NAME", help="what Python imports it as: from data import NAME")
    parser.add_argument("uri", metavar="URI", help="a file, folder or glob, or an address")
    for flag, kind, does in (
        (
            "--key",
            "COLUMN[=WHAT]",
            "a column that tells rows apart, and what its values are: customer_id=crm.customer",
        ),
        ("--unit", "COLUMN=UNIT", "the unit of a column: mrr=EUR/month"),
        ("--read", "OPTION=VALUE", "an option of the reader: sep=;"),
    ):
        parser.add_argument(flag, action="append", default=[], metavar=kind, help=does)
    parser.add_argument("--doc", default="", metavar="TEXT", help="one line for people")
    parser.add_argument("--query", default="", metavar="SQL", help="what is asked of a database")
    parser.add_argument("--type", default="", metavar="TYPE", help="what steps are given: polars.DataFrame")
    parser.add_argument(
        *("-p", "--pipeline"), default="", metavar="FILE", help="a single file whose header is the manifest"
    )


def run(options: Namespace) -> int:
    """Look, ask where somebody is there to answer, and write."""
    here = Path.cwd()
    file = _file(options.pipeline, here)
    root = root_of(file or here)
    project = project_at(root, file)
    said = said_by(options, root, here)
    refuse_name(said, project)
    with stored(root) as store, at(root):
        found = looked(said, project, store)
        asked = said if options.json or not _answers() else _asked(said, found)
        if asked != said:
            said, found = asked, looked(asked, project, store)
        changed = add(said, found, project)
    if options.json:
        print_json(document(said, found, changed))
    else:
        _tell(said, found, changed, project)
    return 0


def said_by(options: Namespace, root: Path, here: Path) -> Said:
    """What the words say. Raises `UsageError`."""
    keys = dict(_pair(text, "--key", "") for text in options.key)
    units = dict(_pair(text, "--unit", None) for text in options.unit)
    read = {name: _value(text) for name, text in (_pair(one, "--read", None) for one in options.read)}
    uri = from_root(options.uri, root, here)
    return Said(options.name, uri, options.doc, options.query, options.type, keys, units, read)


def _file(word: str, here: Path) -> Path | None:
    """The pipeline file that is meant: the one that is named, else `pipeline.py`, if it is there. Raises `NoPipelineFile`."""
    file = (here / (word or "pipeline.py")).resolve()
    if file.is_file():
        return file
    if word:
        raise NoPipelineFile(f"there is no file `{word}`", fixes=["leave --pipeline out"])
    return None


def _pair(text: str, option: str, default: str | None) -> tuple[str, str]:
    name, mark, value = text.partition("=")
    if not name.strip() or (not mark and default is None) or (mark and not value.strip()):
        form = "COLUMN[=WHAT]" if default is not None else "NAME=VALUE"
        raise UsageError(
            f"`{option} {text}` is not {form}",
            fixes=[f"{option} mrr=EUR/month" if option == "--unit" else "stepwell add --help"],
        )
    return name.strip(), value.strip()


def _value(text: str) -> Any:
    """A value as TOML writes it; what is none is text."""
    import tomllib

    try:
        return tomllib.loads(f"value = {text}")["value"]
    except ValueError:  # a text without quotes, as one types it
        return text


# --------------------------------------------------------------------------- asking


def _answers() -> bool:
    """Whether somebody sits before it."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def _asked(said: Said, found: Found, ask: Callable[[str], str] | None = None) -> Said:
    """What a person adds when asked: the key, what it is, and the units. Nothing is guessed; an empty answer leaves it out."""
    ask = ask or _ask
    if found.candidates and not said.key:
        for one in found.candidates:
            print(clean(f"{', '.join(one.columns)} could be the key: {one.why}"), file=sys.stderr)
        names = [name.strip() for name in ask("the key (columns, or nothing): ").split(",") if name.strip()]
        said = said._replace(
            key={name: ask(f"what `{name}` is (for example crm.customer, or nothing): ") for name in names}
        )
    units = dict(said.units)
    for name in found.without_unit if not units else ():
        if name in said.key:
            continue
        unit = ask(f"the unit of `{name}` (nothing for none, . to stop): ")
        if unit == ".":
            break
        units |= {name: unit} if unit else {}
    return said._replace(units=units)


def _ask(question: str) -> str:
    print(clean(question), end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip()


# --------------------------------------------------------------------------- telling


def document(said: Said, found: Found, changed: Sequence[Path]) -> dict[str, Any]:
    """What `--json` prints."""
    data = found.lock
    return {
        "name": said.name,
        "source": shown(said.uri),
        "rows": data.rows,
        "size": data.size,
        "bytes": data.bytes,
        "content": data.content,
        "columns": dict(data.columns),
        "key": dict(said.key),
        "units": dict(said.units),
        "candidates": [{"columns": list(one.columns), "why": one.why} for one in found.candidates],
        "without_unit": list(found.without_unit),
        "changed": [short(str(file)) for file in changed],
    }


def _tell(said: Said, found: Found, changed: Sequence[Path], project: Project) -> None:
    data = found.lock
    facts = [
        counted(data.rows, "row") if data.rows is not None else "",
        counted(len(data.columns), "column") if data.columns else "",
    ]
    head = ", ".join(filter(None, (*facts, size(data.size))))
    print(clean(f"{said.name}  {shown(said.uri)}  {head}"))
    wide = max(map(len, list(data.columns)[:MOST]), default=0)
    for name in list(data.columns)[:MOST]:
        more = said.units.get(name, "")
        key = f"key {said.key[name]}".strip() if name in said.key else ""
        print(clean(f"  {name:<{wide}}  {'  '.join(filter(None, (data.columns[name], more, key)))}").rstrip())
    if len(data.columns) > MOST:
        print(f"  … and {len(data.columns) - MOST:,} more")
    for one in found.candidates:
        print(clean(f"could be the key: {', '.join(one.columns)} ({one.why})"))
    print(clean(f"written: {', '.join(short(str(file)) for file in changed)}"))
    table = ".".join((*project.home.prefix, "data", said.name))
    if found.candidates:
        column = found.candidates[0].columns[0]
        print(clean(f'say what the key is: [{table}] key = {{ {column} = "…" }}'))
    if found.without_unit:
        key = found.candidates[0].columns if found.candidates else ()
        told = [f'{name} = "…"' for name in found.without_unit if is_attribute(name) and name not in key][:3]
        print(clean(f"units are never guessed: [{table}] units = {{ {', '.join(told)} }}"))
