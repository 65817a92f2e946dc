"""`stepwell freeze`: the content of data that moves, into the store and into the lock."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

from stepwell.app.freezing import Done, freeze
from stepwell.app.places import at, stored
from stepwell.author.root import root_of
from stepwell.cli.text import clean, print_json, size
from stepwell.errors import NoPipelineFile, counted

EXAMPLES = """examples:
  stepwell freeze customers       what the query of [data.customers] gives now, from now on
  stepwell freeze events prices   a folder that grows, a web address, a bucket"""


def arguments(parser: ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument("names", nargs="+", metavar="NAME", help="data of the manifest, [data.NAME]")
    parser.add_argument(
        *("-p", "--pipeline"), default="", metavar="FILE", help="a single file whose header is the manifest"
    )


def run(options: Namespace) -> int:
    """Freeze one after the other; what was frozen before one fails stays."""
    file = _file(options.pipeline)
    root = root_of(file or Path.cwd())
    done = []
    with stored(root) as store, at(root):
        for name in dict.fromkeys(options.names):
            done.append(freeze(name, root, file, store))
            store.commit(now=True)
            if not options.json:
                print("\n".join(map(clean, told(done[-1]))))
    if options.json:
        print_json({"frozen": [document(one) for one in done]})
    return 0


def _file(word: str) -> Path | None:
    """The pipeline file that is meant: the one that is named, else `pipeline.py`, if it is there. Raises `NoPipelineFile`."""
    file = (Path.cwd() / (word or "pipeline.py")).resolve()
    if word and not file.is_file():
        raise NoPipelineFile(f"there is no file `{word}`", fixes=["leave --pipeline out"])
    return file if file.is_file() else None


def told(done: Done) -> list[str]:
    """What a person hears of data that was frozen."""
    data = done.data
    rows = "" if data.rows is None else f"{counted(data.rows, 'row')}, "
    files = f" in {counted(len(data.files), 'file')}" if data.files else ""
    if not done.changed:
        return [f"{done.name} is frozen as it is: {rows}{size(data.size)}{files}, {data.bytes[:15]}…"]
    lines = [
        f"{done.name}: {rows}{size(data.size)}{files}, {data.bytes[:15]}…, written into {done.path.name}"
    ]
    lines += [f"  {word} {text}" for word, text in sorted(data.position.items())]
    if done.stale:
        more = f" and {len(done.stale) - 3} more" if len(done.stale) > 3 else ""
        lines.append(f"  what came of it before is locked no more: {', '.join(done.stale[:3])}{more}")
        lines.append("  next: stepwell run --lock")
    return lines


def document(done: Done) -> dict[str, object]:
    """What `--json` says of data that was frozen."""
    data = done.data
    return {
        "name": done.name,
        "source": data.source,
        "rows": data.rows,
        "size": data.size,
        "bytes": data.bytes,
        "content": data.content,
        "files": len(data.files),
        "position": dict(data.position),
        "lock": str(done.path),
        "changed": done.changed,
        "stale": list(done.stale),
    }


__all__ = ["EXAMPLES", "arguments", "run", "told"]
