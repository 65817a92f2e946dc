"""`stepwell graph`: the pipeline as it is wired, drawn; nothing is decided, no store is needed."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from stepwell.app import pictures
from stepwell.app.aiming import around, missed
from stepwell.app.drawing import by_section, drawn, graph_document
from stepwell.app.parameters import given as parameters
from stepwell.app.places import at
from stepwell.app.selecting import chosen
from stepwell.author.project import Loaded
from stepwell.author.trace import trace
from stepwell.cli.dryrun import COLOUR
from stepwell.cli.options import loaded, selection, selection_arguments, words, words_arguments
from stepwell.cli.text import clean, columns, cut, given, paint, print_json, wide
from stepwell.errors import NothingSelected, StepwellError, UsageError, counted
from stepwell.kernel.graph import Graph

Document = Mapping[str, Any]

EXAMPLES = """examples:
  stepwell graph                  the only pipeline of pipeline.py
  stepwell graph --sections       each pipeline inside as one, and what flows between them
  stepwell graph --until train    only what that needs
  stepwell graph --dot | dot -Tsvg >pipeline.svg"""


def arguments(parser: ArgumentParser) -> None:
    """Add the verb's arguments."""
    words_arguments(parser)
    selection_arguments(parser)
    parser.add_argument("--sections", action="store_true", help="each pipeline inside as one")
    parser.add_argument("--dot", action="store_true", help="for Graphviz")
    parser.add_argument("--mermaid", action="store_true", help="for Mermaid")


def run(options: Namespace) -> int:
    """Trace and draw."""
    shapes = [name for name in ("dot", "mermaid", "json") if getattr(options, name)]
    if len(shapes) > 1:
        raise UsageError(
            f"a graph is printed in one shape, and --{shapes[0]} and --{shapes[1]} are asked for",
            fixes=[f"stepwell graph --{name}" for name in shapes],
        )
    said = words(options.words)
    graph, nodes = _traced(loaded(said.plain, inside=True), said.settings, options)
    document = graph_document(graph, nodes)
    if options.sections:
        document = by_section(document)
    if options.json:
        print_json(document)
    elif shapes:
        print(getattr(pictures, shapes[0])(document))
    else:
        print(text(document))
    return 0


def _traced(found: Loaded, settings: Sequence[str], options: Namespace) -> tuple[Graph, list[int]]:
    """The graph, and the nodes of it to draw."""
    try:
        values, _ = parameters(found, settings, options.params)
    except StepwellError as error:
        if found.aim is not None:
            raise found.aim.error from None
        if (other := around(found, error)) is not None:
            return _traced(other, settings, options)
        raise
    choice = selection(options)
    if found.aim is not None:
        choice = choice._replace(aim=found.aim.name)
    with at(found.target.root):
        graph = trace(found.pipeline, values)
    try:
        return graph, drawn(graph, chosen(graph, choice))
    except NothingSelected as error:
        raise missed(found, error) from None


def text(document: Document) -> str:
    """A graph for the terminal: one line a step below the pipelines that it is in, its inputs joining from above."""
    width = columns()
    lines = pictures.lanes(document)
    room = max((wide(line.drawn) for line in lines), default=0)
    params = given(document["params"])
    out = [paint(clean(document["pipeline"]), "bold") + (f"  {params}" if params else "")]
    path: tuple[str, ...] = ()
    for line in lines:
        if line.box is None:
            out.append(line.drawn)
            continue
        mark = pictures.MARKS[line.box.kind]
        before, _, behind = line.drawn.partition(mark)
        common = _common(path, line.box.path)
        if path[common:] or line.box.path[common:]:
            bar = "│" if line.box.needs else " "
            out += _headings(f"{before}{bar}{behind}", room, line.box.path, common)
        path = line.box.path
        name = clean(pictures.leaf(line.box))
        gap = " " * (room - wide(line.drawn) + 2 + 2 * len(path))
        told = paint(clean(line.box.told), "dim") if line.box.kind != "source" else ""
        out.append(f"{before}{paint(mark, COLOUR[line.box.kind])}{behind}{gap}{name}  {told}".rstrip())
    steps, sections = len(document["steps"]), {step["id"].rpartition("/")[0] for step in document["steps"]}
    inside = len(sections - {""})
    out.append(counted(steps, "step") + (f" in {inside:,} sections" if inside > 1 else ""))
    return "\n".join(cut(line, width) if width else line for line in out)


def _common(one: Sequence[str], other: Sequence[str]) -> int:
    count = 0
    while count < min(len(one), len(other)) and one[count] == other[count]:
        count += 1
    return count


def _headings(lane: str, room: int, path: Sequence[str], common: int) -> Iterable[str]:
    """A line for each pipeline that begins here."""
    for depth in range(common, len(path)):
        yield f"{lane}{' ' * (room - wide(lane) + 2 + 2 * depth)}{paint(clean(path[depth]) + '/', 'bold')}"
