"""`stepwell why`: the story of one step: what started it, as a chain of causes with diffs."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterable, Sequence

from stepwell.app.accepting import accepted_edits
from stepwell.app.causes import named
from stepwell.app.documents import Document, reason_with_diff, why_document
from stepwell.app.names import step_named
from stepwell.app.story import Story
from stepwell.cli.looking import one_run, project_root, stored
from stepwell.cli.options import loaded, params_argument, planned, words
from stepwell.cli.text import clean, columns, paint, print_json, wrapped
from stepwell.errors import UnknownRun, UsageError
from stepwell.stores.local import LocalStore
from stepwell.stores.steprow import StepRow

EXAMPLES = """examples:
  stepwell why train              why it would run now
  stepwell why train depth=8      ... with a parameter
  stepwell why train r3           why it ran in run r3"""

MANY = 8
"""Stories that are told where a name means several calls, each with its own reasons."""


def arguments(parser: ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument(
        "words", nargs="+", metavar="STEP [RUN] [name=value ...]", help="a step's id or name; a run"
    )
    params_argument(parser)
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
        found, left = _then(*given.plain), 0
    else:
        found, left = _now(given.plain[0], options.pipeline, given.settings, options.params)
    if options.json:
        print_json({name: value for name, value in found[0].items() if name != "also"})
    else:
        print("\n".join(line for document in found for line in _lines(document)))
        if left:
            print(paint(f"… and {left:,} more calls of `{clean(given.plain[0])}`: name one by its id", "dim"))
    return 0


def _now(name: str, pipeline: str, settings: list[str], files: list[str]) -> tuple[list[Document], int]:
    """The stories of the calls that a name means, those with work to do first, and how many are not told.

    Calls for which the same is to be said have one story; its `also` are the further ids.
    """
    found = loaded([pipeline] if pipeline else [])
    with stored(found.target.root, looking=True) as store:
        work = planned(found, settings, store, files=files)
        text_of = work.text_of
        story = Story(work.plan, text_of, _rows_of(store))
        decisions = work.plan.decisions
        nodes = step_named(work.graph, name)
        alike: dict[object, list[int]] = {}
        for node in nodes:
            own = tuple(reason for reason in decisions[node].reasons if reason.kind != "upstream")
            alike.setdefault((decisions[node].verb, own), []).append(node)
        failures = work.last_failures()
        groups = sorted(alike.values(), key=lambda group: decisions[group[0]].verb in ("cached", "skip"))
        out = []
        for group in groups[:MANY]:
            node, decision = work.graph.nodes[group[0]], decisions[group[0]]
            chain = story.of_plan(group[0])
            document = why_document(node.id, decision.verb, decision.reasons, text_of, chain)
            if edits := accepted_edits(work.plan, group[0], store):
                document["accepted"] = [reason_with_diff(reason, text_of) for reason in edits]
            if node.id in failures:
                document["last_failure"] = failures[node.id]
            out.append({**document, "also": [work.graph.nodes[one].id for one in group[1:]]})
        return out, sum(map(len, groups[MANY:]))


def _then(name: str, run: str) -> list[Document]:
    with stored(project_root(), looking=True, create=False) as store:
        if name != "last" and run != "last" and not _is_run(store, run) and _is_run(store, name):
            name, run = run, name
        run = one_run(store, run, "why something was done", "stepwell why STEP").run
        step = store.runs.step(run, name)
        text_of: Callable[[str], str | None] = store.results.definition
        chain = Story(None, text_of, _rows_of(store)).of_run(run, step.id)
        return [why_document(step.id, step.decision or step.status, step.reasons, text_of, chain)]


def _rows_of(store: LocalStore) -> Callable[[str], Sequence[StepRow]]:
    """The steps of a run; none where the store does not have it any more."""

    def rows(run: str) -> Sequence[StepRow]:
        try:
            return store.runs.steps(run)
        except UnknownRun:
            return ()

    return rows


def _is_run(store: LocalStore, name: str) -> bool:
    return name in store.runs.complete("run", name)


def _lines(document: Document) -> list[str]:
    """A story as lines: the step with its reasons, then what is behind it, each link further to the right."""
    lines = [
        f"{paint(_names(document), 'bold')}  {document['decision']}",
        *_reasons(document["reasons"], "  "),
    ]
    lines += _reasons(document.get("accepted", ()), "  ")
    if document.get("last_failure"):
        lines.insert(1, f"  {paint(clean(document['last_failure']), 'red')}")
    for link in document["chain"]:
        margin = "  " * link["depth"]
        lines.append(f"{margin}← {paint(_names(link), 'bold')}  {_done(link)}")
        lines += _reasons(link["reasons"], margin + "    ")
    return lines


def _names(document: Document) -> str:
    return clean(named([document["step"], *document.get("also", ())]))


def _done(link: Document) -> str:
    """What was, or is to be, done with a step."""
    if not link["run"]:
        return str(link["decision"])
    word = {"run": "ran", "cached": "was reused"}.get(link["decision"], link["decision"])
    return f"{word} in {link['run']}"


def _reasons(reasons: Iterable[Document], margin: str) -> Iterable[str]:
    width = columns()
    for reason in reasons:
        yield from wrapped(clean(reason["text"]), width, margin, "  ")
        for line in (reason["diff"] or "").splitlines():
            colour = {"+": "green", "-": "red", "@": "cyan"}.get(line[:1])
            yield f"{margin}  " + (paint(clean(line), colour) if colour else clean(line))
