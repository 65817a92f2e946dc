"""The metrics of a run, and what a name of one means: `STEP.METRIC` is always one, `METRIC` the only one of that name.

    metrics = gathered([("train", [("loss", 0.3)]), ("score", [("auc", 0.9), ("loss", 0.4)])])
    dict(metrics)                  {"train.loss": 0.3, "score.loss": 0.4, "auc": 0.9}, as they are shown
    metrics["score.auc"]           0.9: a full name is always there
    metrics.meant("loss")          ("train.loss", "score.loss"), so `metrics["loss"]` is none of them

A run shows a metric by its bare name where only one step logged it. Runs beside each other have one name for what is
one thing (`shared`): the bare one, if none of them has several.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import ItemsView, Iterable, Iterator, Mapping, Sequence, ValuesView
from itertools import chain

from stepwell import errors

TYPE_CHECKING = False  # as type checkers know it: lists of runs do without `typing`
if TYPE_CHECKING:
    from typing import Any

Pair = tuple[str, str]
"""The id of a step ("" where nobody knows any more), and what it called the metric."""

LISTED = 6
"""Full names that are told of a bare one."""


class Names:
    """The names of a run's metrics: `pairs` of steps and bare names, `keys` as they are shown. Runs alike share one."""

    __slots__ = ("_bare", "_full", "_hash", "keys", "pairs")

    def __init__(self, pairs: Iterable[Pair]) -> None:
        self.pairs = tuple(pairs)
        self._hash = hash(self.pairs)
        full = [full_name(*pair) for pair in self.pairs]
        several = _several([self.pairs])
        self.keys = tuple(
            [name if bare in several else bare for name, (_, bare) in zip(full, self.pairs, strict=True)]
        )
        self._full = dict(zip(full, self.keys, strict=True))
        of: dict[str, list[str]] = {}
        for key, (_, bare) in zip(self.keys, self.pairs, strict=True):
            of.setdefault(bare, []).append(key)
        self._bare = {bare: tuple(keys) for bare, keys in of.items()}

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Names) and self.pairs == other.pairs)

    def __hash__(self) -> int:
        return self._hash

    def meant(self, name: str) -> tuple[str, ...]:
        """What is shown of the metrics that a name can mean: the one with that full name, else all of that bare name."""
        full = self._full.get(name)
        return self._bare.get(name, ()) if full is None else (full,)


class Metrics(Mapping[str, float]):
    """Names to last values: those that are shown, in their order; found by their full names, too.

    `shown` may have fewer than there are `names` of, where not all were asked for.
    """

    __slots__ = ("names", "shown")

    def __init__(self, shown: Mapping[str, float], names: Names) -> None:
        self.shown, self.names = shown, names

    def meant(self, name: str) -> tuple[str, ...]:
        """The metrics that a name can mean, as they are shown: none, one, or several of one bare name."""
        return self.names.meant(name)

    def __getitem__(self, name: str) -> float:
        found = self.names.meant(name)
        return self.shown[found[0] if len(found) == 1 else name]

    def get(self, name: str, otherwise: Any = None) -> Any:
        """The metric of a name, or something else."""
        found = self.names.meant(name)
        return self.shown.get(found[0] if len(found) == 1 else name, otherwise)

    def values(self) -> ValuesView[float]:
        """What is shown, in its order: a name that is shown means itself, so none is looked up."""
        return self.shown.values()

    def items(self) -> ItemsView[str, float]:
        """The names that are shown, with their values."""
        return self.shown.items()

    def __iter__(self) -> Iterator[str]:
        return iter(self.shown)

    def __len__(self) -> int:
        return len(self.shown)

    def __repr__(self) -> str:
        return repr(dict(self.shown))


def full_name(step: str, bare: str) -> str:
    """The full name of a metric."""
    return f"{step}.{bare}" if step else bare


def _several(shapes: Iterable[Sequence[Pair]]) -> set[str]:
    """The bare names of which a run has several, or that are also the full name of something else."""
    found: set[str] = set()
    full: set[str] = set()
    for pairs in shapes:
        count = Counter([bare for _, bare in pairs])
        found.update([bare for bare in count if count[bare] > 1])
        full.update([full_name(*pair) for pair in pairs if pair[0]])
    found.update([bare for pairs in shapes for _, bare in pairs if bare in full])
    return found


def gathered(steps: Iterable[tuple[str, Iterable[tuple[str, float]]]]) -> Metrics:
    """The metrics of a run: those of its steps, by their ids; what has one bare name stands together."""
    same: dict[str, list[tuple[Pair, float]]] = {}
    for step, pairs in steps:
        for bare, value in pairs:
            same.setdefault(bare, []).append(((step, bare), value))
    each = list(chain.from_iterable(same.values()))
    names = Names(pair for pair, _ in each)
    return Metrics({key: value for key, (_, value) in zip(names.keys, each, strict=True)}, names)


def meant(metrics: Mapping[str, float], name: str) -> tuple[str, ...]:
    """The metrics that a name can mean; of a plain mapping the one that is called so."""
    if isinstance(metrics, Metrics):
        return metrics.meant(name)
    return (name,) if name in metrics else ()


def the_one(metrics: Mapping[str, float], name: str, run: str) -> float | None:
    """The metric that a name means, None where there is none. Raises `AmbiguousMetric`; `run` says whose they are."""
    found = meant(metrics, name)
    if len(found) > 1:
        some = ", ".join(found[:LISTED]) + (
            f" and {len(found) - LISTED:,} more" if len(found) > LISTED else ""
        )
        raise errors.AmbiguousMetric(
            f"`{name}` may be several metrics of {run}: {some}",
            why="several steps of it logged one, and a bare name means the only one",
            fixes=[
                f"say which, for example `{found[0]}`: it is found so in every run, also where only one step logged it",
                "or ask only runs in which it is clear: of one pipeline, of a sweep, with a tag",
            ],
        )
    if not found:
        return None
    return metrics.shown.get(found[0]) if isinstance(metrics, Metrics) else metrics.get(name)


def shared(runs: Iterable[Mapping[str, float]]) -> list[str]:
    """Names for the metrics of runs beside each other, as they are first met: each finds the same thing in all of them.

    A bare name stands for whatever step logged it, as long as no run has several of that name, or something else
    whose full name it is; else there are full names.
    """
    shapes = list(dict.fromkeys(map(_pairs, runs)))
    several = _several(shapes)
    same: dict[str, dict[str, None]] = {}
    for pairs in shapes:
        for step, bare in pairs:
            same.setdefault(bare, {})[full_name(step, bare) if bare in several else bare] = None
    return [name for names in same.values() for name in names]


def _pairs(metrics: Mapping[str, float]) -> tuple[Pair, ...]:
    if not isinstance(metrics, Metrics):
        return tuple([("", name) for name in metrics])
    pairs = metrics.names.pairs
    if len(metrics) == len(pairs):
        return pairs
    return tuple([pair for pair, key in zip(pairs, metrics.names.keys, strict=True) if key in metrics.shown])


def left_out(run: Metrics, step: str, logged: Mapping[str, float]) -> dict[str, float]:
    """What a step logged that is none of its run's metrics, since it failed or was stopped."""
    return {name: value for name, value in logged.items() if full_name(step, name) not in run}


def also_called(runs: Iterable[Mapping[str, float]], name: str) -> set[str]:
    """All that the metric of a (shared) name is called in these runs: that, and its full names."""
    found = {name}
    for pairs in dict.fromkeys(map(_pairs, runs)):
        found.update(full_name(*pair) for pair in pairs if name in (pair[1], full_name(*pair)))
    return found
