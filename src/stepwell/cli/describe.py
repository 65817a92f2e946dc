"""`stepwell describe`: what a pipeline, or one of its steps, takes in, gives, and promises."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from itertools import zip_longest

from stepwell.app.causes import named
from stepwell.app.contract import describe
from stepwell.app.documents import Document
from stepwell.app.names import calls_named, step_named
from stepwell.app.parameters import given as parameters
from stepwell.app.parameters import origins_document
from stepwell.app.places import at
from stepwell.app.values import plain
from stepwell.author.project import Loaded
from stepwell.author.trace import trace
from stepwell.cli.options import loaded, params_argument, stored, words
from stepwell.cli.text import clean, columns, cut, paint, print_json, seconds, short, size, table, wrapped
from stepwell.errors import StepwellError, UsageError
from stepwell.kernel.graph import DYNAMIC, Graph
from stepwell.kernel.ports import Result
from stepwell.stores.local import LocalStore

EXAMPLES = """examples:
  stepwell describe               the whole pipeline
  stepwell describe train         one step: inputs, outputs, checks, who reads what it gives"""


MANY = 12
"""Things that a step was seen to read, of which the text tells."""


def arguments(parser: ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument("words", nargs="*", metavar="[STEP] [name=value ...]", help="a step's id or name")
    params_argument(parser)
    parser.add_argument("-p", "--pipeline", default="", help="the pipeline, where it is not the default one")


def run(options: Namespace) -> int:
    """Trace and print; nothing is read from sources, and no earlier run is needed.

    Only a step that nothing traced has is looked for in the plan, where dynamic calls are steps if these are known.
    """
    given = words(options.words)
    if len(given.plain) > 1:
        raise UsageError(
            f"`describe` takes one step, and got {', '.join(given.plain)}",
            fixes=["stepwell describe STEP", "another pipeline: -p etl.py:nightly"],
        )
    found = loaded([options.pipeline] if options.pipeline else [])
    with at(found.target.root):
        values, origins = parameters(found, given.settings, options.params)
        graph = trace(found.pipeline, values)
    with stored(found.target.root, looking=True, create=False) as store:
        if given.plain and not calls_named(graph, given.plain[0]):
            graph = _grown(graph, found, values, store)
        nodes = step_named(graph, given.plain[0]) if given.plain else None

        def last(step: str) -> Result | None:
            return next(iter(store.results.recent(step)), None)

        document = describe(found, graph, nodes, last)
        document["params_from"] = origins_document(origins)
        document["values"] = {name: plain(value) for name, value in values.items()}
    if options.json:
        print_json(document)
    else:
        blocks = [_step(step) for step in document["steps"]]
        if nodes is None:
            blocks.insert(0, _pipeline(document))
        print("\n\n".join("\n".join(block) for block in blocks))
    return 0


def _grown(graph: Graph, found: Loaded, values: Mapping[str, object], store: LocalStore) -> Graph:
    """The graph in which dynamic calls are the steps that they become, as far as that is known; as it was where it cannot be planned."""
    if all(step.kind != DYNAMIC for step in graph.steps):
        return graph
    from stepwell.app.session import prepare  # which most descriptions do without

    with suppress(StepwellError):  # the name may be one that nothing has: that is the first thing to say
        return prepare(found, values, store).graph
    return graph


def _pipeline(document: Document) -> list[str]:
    lines = [_title(document["pipeline"], document["where"]), *_about(document)]
    lines += _section(
        "parameters",
        [
            [one["name"], _typed(one), _default(one), _now(one["name"], document)]
            for one in document["params"]
        ],
    )
    sources = [
        [one["name"], one["type"], one["uri"], f"→ {_readers(one)}" if one["read_by"] else ""]
        for one in document["sources"]
    ]
    lines += _section("sources", sources)
    result = document["result"]
    if result["from"] or result["type"]:
        lines += _section(
            "result", [["", result["type"], f"from {_some(result['from'])}" if result["from"] else ""]]
        )
    return lines


def _step(step: Document) -> list[str]:
    calls = named(step["calls"])
    lines = [_title(step["step"], step["where"]), *_about(step)]
    if calls != step["step"]:
        lines.append(f"  called as {clean(calls)}")
    lines += _section(
        "inputs",
        [[one["name"], _typed(one), _origin(one)] for one in step["inputs"]],
        map(_columns, step["inputs"]),
    )
    outputs = [
        [
            one["name"],
            _typed(one),
            f"as {one['codec']}" if one["codec"] else "",
            f"last {short(one['last'], 40)}" if one["last"] else "",
            f"→ {_readers(one)}" if one["read_by"] else "→ nobody",
        ]
        for one in step["outputs"]
    ]
    lines += _section("outputs", outputs, map(_columns, step["outputs"]))
    lines += _section("writes", [[file] for file in step["out"]])
    lines += _told("last seen to read", step["observed"])
    lines += _section("checks", _checks(step))
    lines += _section("needs", _needs(step))
    lines += _section("trust", [[text] for text in step["trust"]])
    return lines


def _title(name: str, where: str) -> str:
    return f"{paint(clean(name), 'bold')}  {paint(clean(where), 'dim')}".rstrip()


def _about(document: Document) -> list[str]:
    return [f"  {clean(document['about'])}"] if document["about"] else []


def _section(name: str, rows: Sequence[Sequence[str]], details: Iterable[str] = ()) -> list[str]:
    """A heading and its rows, their columns aligned and empty ones left out; nothing without rows.

    `details` are for each row what is told below it, "" for nothing.
    """
    if not rows:
        return []
    kept = [i for i in range(len(rows[0])) if any(row[i] for row in rows)]
    width = columns()
    lines = table([[clean(row[i]) for i in kept] for row in rows], width=max(width - 4, 0))
    out = [f"  {paint(name, 'cyan')}"]
    for line, detail in zip_longest(lines, details, fillvalue=""):
        out.append(f"    {cut(line, width - 4) if width else line}")
        out += wrapped(clean(detail), width, " " * 8, "  ") if detail else []
    return out


def _told(name: str, texts: Sequence[str]) -> list[str]:
    """A heading and some texts behind each other, at most `MANY`; nothing without texts."""
    if not texts:
        return []
    rest = f" and {len(texts) - MANY:,} more: --json" if len(texts) > MANY else ""
    told = clean(", ".join(texts[:MANY]) + rest)
    return [f"  {paint(name, 'cyan')}", *wrapped(told, columns(), "    ")]


def _columns(one: Document) -> str:
    """The columns that a table is declared to have: `columns carrier, delay: float`."""
    told = [f"{name}: {kind}" if kind else name for name, kind in one.get("columns", {}).items()]
    return f"columns {', '.join(told)}" if told else ""


def _typed(one: Document) -> str:
    """A type with its units: `float [USD]`."""
    units = f" [{', '.join(one['units'])}]" if one["units"] else ""
    return (one["type"] or "any") + units


def _default(one: Document) -> str:
    return f"= {short(one['default'])}" if "default" in one else "must be given"


def _now(name: str, document: Document) -> str:
    """The value that a parameter has now, and from where, if neither the signature nor the command says it."""
    came = document["params_from"].get(name, {"layer": "default"})
    if came["layer"] in ("default", "command line"):
        return ""
    return f"now {short(document['values'][name])}, from {came['where'] or came['layer']}"


def _origin(one: Document) -> str:
    """Where an input comes from, and its default where that is used or could be."""
    default = f"default {short(one['default'], 30)}" if "default" in one else ""
    if not one["from"]:
        return default
    if one["from"] == [str(one.get("default"))]:
        return f"= {short(one['from'][0], 40)}, the default"
    return f"from {_some(one['from'])}" + (f"  ({default})" if default else "")


def _some(texts: Sequence[str], most: int = 4) -> str:
    """Origins or readers in few words: numbered calls as ranges."""
    return named([short(text, 40) for text in texts], most)


def _readers(one: Document) -> str:
    return _some(one["read_by"])


def _checks(step: Document) -> list[list[str]]:
    checks = step["checks"]
    rows = [["validate", place.rpartition(":")[2], "judges what it gives"] for place in checks["validate"]]
    if "role" in checks:
        options = ", ".join(f"{name}={value}" for name, value in checks["role"]["options"].items())
        rows.insert(0, ["role", checks["role"]["name"], options])
    if checks["done"]:
        rows.append(["done", checks["done"].rpartition(":")[2], "says whether it still counts"])
    return rows


def _needs(step: Document) -> list[list[str]]:
    """What a step asks of the machine, and how often it is tried; only what is not usual."""
    needs, rows = step["needs"], []
    if needs["cpus"] != 1:
        rows.append(["processors", f"{needs['cpus']:g}"])
    if needs["memory"]:
        rows.append(["memory", size(needs["memory"])])
    if needs["env"]:
        rows.append(["environment", ", ".join(f"${name}" for name in needs["env"])])
    if step["retries"]:
        rows.append(["retries", f"{step['retries']}, the first after {seconds(step['backoff'])}"])
    if step["timeout"]:
        rows.append(["timeout", seconds(step["timeout"])])
    return rows
