"""`stepwell why`: the reasons of one step's decision, with diffs."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Callable

from stepwell.app.documents import Document, why_document
from stepwell.app.names import step_named
from stepwell.cli.looking import project_root, stored
from stepwell.cli.options import loaded, planned, words
from stepwell.cli.text import clean, paint, print_json
from stepwell.errors import UsageError
from stepwell.stores.local import LocalStore

EXAMPLES = """examples:
  stepwell why train              why it would run now
  stepwell why train depth=8      ... with a parameter
  stepwell why train r3           why it ran in run r3"""


def arguments(parser: ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument(
        "words", nargs="+", metavar="STEP [RUN] [name=value ...]", help="a step's id or name; a run"
    )
    parser.add_argument("-p", "--pipeline", default="", help="the pipeline, where it is not the default one")


def run(options: Namespace) -> int:
    """Explain and print."""
    given = words(options.words)
    if not given.plain:
        raise UsageError("no step is named", fixes=["stepwell why STEP"])
    if len(given.plain) > 2:
        raise UsageError(
            f"`why` takes one step and one run, and got {', '.join(given.plain)}",
            fixes=["stepwell why STEP [RUN]"],
        )
    if len(given.plain) == 2:
        found = _then(*given.plain)
    else:
        found = _now(given.plain[0], options.pipeline, given.settings)
    if options.json:
        print_json(found[0])
    else:
        print("\n".join(line for document in found for line in _lines(document)))
    return 0


def _now(name: str, pipeline: str, settings: list[str]) -> list[Document]:
    found = loaded([pipeline] if pipeline else [])
    with stored(found.target.root, looking=True) as store:
        work = planned(found, settings, store)
        sources = work.identified.sources

        def text_of(digest: str) -> str | None:
            return sources[digest].source if digest in sources else store.results.definition(digest)

        nodes = step_named(work.graph, name)
        busy = [node for node in nodes if work.plan.decisions[node].verb not in ("cached", "skip")]
        out = []
        for node in [*busy, *(node for node in nodes if node not in busy)]:
            decision = work.plan.decisions[node]
            out.append(why_document(work.graph.nodes[node].id, decision.verb, decision.reasons, text_of))
        return out


def _then(name: str, run: str) -> list[Document]:
    with stored(project_root(), looking=True, create=False) as store:
        if name != "last" and run != "last" and not _is_run(store, run) and _is_run(store, name):
            name, run = run, name
        step = store.runs.step(run, name)
        text_of: Callable[[str], str | None] = store.results.definition
        return [why_document(step.id, step.decision or step.status, step.reasons, text_of)]


def _is_run(store: LocalStore, name: str) -> bool:
    return name in store.runs.complete("run", name)


def _lines(document: Document) -> list[str]:
    lines = [f"{paint(clean(document['step']), 'bold')}  {document['decision']}"]
    for reason in document["reasons"]:
        lines.append(f"  {clean(reason['text'])}")
        for line in (reason["diff"] or "").splitlines():
            colour = {"+": "green", "-": "red", "@": "cyan"}.get(line[:1])
            lines.append("    " + (paint(clean(line), colour) if colour else clean(line)))
    return lines
