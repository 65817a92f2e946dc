"""Rules about what models say, and about gates: G4xx."""

from __future__ import annotations

from collections.abc import Iterator

from stepwell.dist.compat.finding import Rule, Told
from stepwell.dist.compat.sides import Predicted, Sides


def beyond(sides: Sides) -> Iterator[Told]:
    """Models whose answers to the same rows are others."""
    for one in sides.predicted:
        if one.beyond or one.flips:
            yield Told(f"output.{one.output}", said(one))


def within(sides: Sides) -> Iterator[Told]:
    """Models with other bytes whose answers are the same."""
    same = {
        name
        for name, old, new in sides.outputs
        if (old.bytes, old.parts, old.content) == (new.bytes, new.parts, new.content)
    }
    for one in sides.predicted:
        if not one.beyond and not one.flips and not one.refused and one.output not in same:
            told = f"all {one.rows:,} golden predictions within {one.tolerance:g} (at most {one.worst:.3g})"
            yield Told(f"output.{one.output}", told)


def refused(sides: Sides) -> Iterator[Told]:
    """Models that do not answer what was answered before."""
    for one in sides.predicted:
        if one.refused:
            yield Told(f"output.{one.output}", f"cannot predict on the golden data: {one.refused}")


def gates(sides: Sides) -> Iterator[Told]:
    """Gates that do not let what is there now through."""
    for name, verdicts in sides.gates.items():
        for one in verdicts:
            if not one.passed:
                yield Told(f"output.{name}", f"gate `{one.gate}`: {one.excuse}")


def said(one: Predicted) -> str:
    """Differences of predictions in words."""
    if one.flips is not None:
        labels = f"{one.flips:,} of {one.rows:,} golden labels change"
        return labels + (f", probabilities by up to {one.worst:.3g}" if one.worst else "")
    return (
        f"{one.beyond:,} of {one.rows:,} golden predictions are further away than {one.tolerance:g}"
        f" (at most {one.worst:.3g})"
    )


RULES = (
    Rule("G401", "golden-beyond", "minor", "predictions on the golden data are further away than the tolerance",
         "whoever predicts gets other answers to the same questions", beyond),
    Rule("G402", "golden-within", "patch", "a model was trained again, and its golden predictions are within the tolerance",
         "nobody can tell it from the one before", within),
    Rule("G403", "golden-refused", "major", "the model cannot predict any more on the golden data of the release",
         "whoever predicts as before is refused", refused),
    Rule("G404", "gate-failed", "blocked", "a gate of the manifest is not satisfied", "the gate was put there to stop exactly this", gates, firm=True),
)  # fmt: skip
