"""`run --twice [STEP]`: the option, and the line that says what came of it."""

from __future__ import annotations

from argparse import Action, ArgumentParser, Namespace
from collections.abc import Collection, Sequence
from typing import Any

from stepwell.app.progress import Progress
from stepwell.app.selecting import named
from stepwell.app.twice import DIFFERS, INTERRUPTED
from stepwell.cli.text import clean
from stepwell.errors import counted


class Doubled(Action):
    """Collects the steps of `--twice`; a parameter that stands behind it is refused, not taken for a step."""

    def __call__(
        self,
        parser: ArgumentParser,
        namespace: Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        """Take the option once more."""
        named: list[str] = list(getattr(namespace, self.dest) or [])
        if isinstance(values, str) and "=" in values:
            parser.error(f"`{values}` stands where --twice takes a step: write it before --twice")
        setattr(namespace, self.dest, [*named, values if isinstance(values, str) else "*"])


def twice_line(nodes: Collection[int], names: Sequence[str], progress: Progress) -> str:
    """What executing these nodes twice showed, and which of the `names` that mean them nothing has."""
    graph = progress.plan.graph
    outcomes = {node: progress.outcomes[node] for node in sorted(nodes) if node in progress.outcomes}
    ran = [
        node
        for node, outcome in outcomes.items()
        if outcome.status == "succeeded" and INTERRUPTED not in outcome.notes
    ]
    moved = [node for node in ran if any(note.startswith(DIFFERS) for note in outcomes[node].notes)]
    absent = ", ".join(f"`{clean(name)}`" for name in names if not named(graph, [name]))
    without = f"; there is no step {absent}" if absent else ""
    if not ran:
        fix = without or "; --force runs what is up to date"
        return f"twice: nothing ran twice, so nothing was compared{fix}"
    steps = counted(len(ran), "step was", "steps were")
    if not moved:
        return f"twice: {steps} executed twice and gave the same both times{without}"
    told = ", ".join(f"`{clean(graph.nodes[node].id)}`" for node in moved[:5])
    rest = f" and {len(moved) - 5:,} more" if len(moved) > 5 else ""
    return f"twice: {steps} executed twice; NOT the same both times: {told}{rest}{without}"
