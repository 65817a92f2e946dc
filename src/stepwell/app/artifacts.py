"""What the steps of a run gave, as programs and notebooks get at it: `run["train"]`, `run["split.held_out"]`."""

from __future__ import annotations

from typing import Any

from stepwell.app.names import apart, gave_nothing, output_named, step_named
from stepwell.app.places import stored
from stepwell.app.progress import Progress
from stepwell.app.values import load
from stepwell.author.notebook import own_classes
from stepwell.author.project import Loaded
from stepwell.author.runs import ArtifactView
from stepwell.errors import UnknownOutput, typed


def artifact_named(loaded: Loaded, progress: Progress, run: str, word: str) -> ArtifactView:
    """What a step of a run that has ended gave. Raises `UnknownStep`, `UnknownOutput`."""
    graph = progress.plan.graph
    name, output = apart(word, {node.id for node in graph.nodes})
    node, *others = step_named(graph, name)
    if others or node in progress.grown:
        ids = [graph.nodes[one].id for one in progress.grown.get(node) or (node, *others)]
        raise UnknownOutput(
            f"`{name}` is {len(ids):,} calls in {run}", fixes=[f"name one: {typed(call)}" for call in ids[:6]]
        )
    outcome, step = progress.outcomes.get(node), graph.nodes[node].id
    if outcome is None or not outcome.outputs:
        raise gave_nothing(step, run, outcome.status if outcome is not None else "interrupted")
    artifact = output_named(outcome.outputs, output, step)

    def value() -> Any:
        looking = stored(loaded.target.root, looking=True)
        with loaded.importer.present(), looking as store, own_classes(loaded.module):
            return load(store, artifact)

    def html() -> str:
        from stepwell.app.displays import artifact_html  # only notebooks draw this

        with stored(loaded.target.root, looking=True) as store:
            return artifact_html(run, step, artifact, store)

    return ArtifactView(run, step, artifact, value, html)
