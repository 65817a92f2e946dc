"""Runs beside each other: parameters, metrics, code, data, environment and times, as one document.

    document = compare_runs(store, root, ["r11", "r12"])                        two runs, the first is what the other is compared with
    document = compare_runs(store, root, ["g3"], Options(best="auc", limit=5))  the best points of a sweep

It is what `stepwell compare --json` prints and the page shows: `Comparison` in `page/src/api.ts`. Nothing of the user's is
imported and nothing is unpickled; the work is bounded, and what was left out for that is said in its notes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from math import isfinite
from pathlib import Path
from typing import Any, NamedTuple

from stepwell.app.directions import direction_of
from stepwell.app.finding import Wanted, back_to, find, named, said_directions, unnamed
from stepwell.app.plaindata import number, numbers, plain
from stepwell.errors import NothingToCompare, StoreDamaged
from stepwell.kernel.identity import digest as text_digest
from stepwell.stores.history import RunRow, runs_damaged
from stepwell.stores.local import LocalStore
from stepwell.stores.metrics import also_called, shared
from stepwell.stores.runrow import LEFT
from stepwell.stores.steprow import About, StepRow

Document = dict[str, Any]

MOST = 200
"""Runs that are compared at once, where nobody says how many."""

FEW = 4
"""Runs up to which outputs are looked into; of more, it is told which outputs differ."""

MOST_STEPS = 300
"""Steps whose times are told: those that took longest."""

LONGEST_DIFF = 200_000
"""Characters of one diff."""

DEEPEST = 4
"""Records in one another that parameters are told apart by."""


class Options(NamedTuple):
    """What is compared: runs as `finding.Wanted` has them, at most `limit`; metrics whose names a glob matches.

    `everything`: also data and environment that are equal in all runs. `data`: outputs of few runs are looked into.
    """

    wanted: Wanted = Wanted()
    limit: int = MOST
    metrics: str = ""
    everything: bool = False
    data: bool = True


DEFAULTS = Options()


class Chosen(NamedTuple):
    """The runs that are compared, the first is what the others are compared with; and how many more were meant.

    Runs that are `damaged` could not be asked whether they are as it was wanted.
    """

    runs: list[RunRow]
    more: int = 0
    damaged: Sequence[str] = ()


def compare_runs(
    store: LocalStore, root: Path, words: Sequence[str] = (), options: Options = DEFAULTS
) -> Document:
    """The comparison of the runs that words name, or that nobody had to name. Raises as `chosen` and `comparison` do."""
    return comparison(store, root, chosen(store, words, options), options)


def chosen(store: LocalStore, words: Sequence[str], options: Options = DEFAULTS) -> Chosen:
    """The runs that are meant, in the order in which they are named, or in which they are wanted.

    Raises `UnknownRun`, `NothingToCompare`, and as `finding.find` does.
    """
    wanted = options.wanted
    picky = bool(wanted.where or wanted.sort or wanted.best or wanted.tag or wanted.pipeline or wanted.group)
    ids = _with_before(store, named(store, words)) if words else [] if picky else unnamed(store)
    damaged: Sequence[str] = ()
    if picky:
        found = find(store, wanted._replace(among=ids if words else None), limit=0)
        order = (
            found.ids
            if wanted.sort or wanted.best or not ids
            else [one for one in ids if one in set(found.ids)]
        )
        ids, damaged = order, found.damaged
    if not ids:
        if damaged:
            raise runs_damaged(damaged)
        what = "no run is as wanted" if store.runs.count() else "there is no run yet"
        raise NothingToCompare(what, fixes=["stepwell runs" if store.runs.count() else "stepwell run"])
    return Chosen(store.runs.some(ids[: options.limit]), max(len(ids) - options.limit, 0), damaged)


def _with_before(store: LocalStore, ids: list[str]) -> list[str]:
    """One run is compared with the run before it, of the same pipeline, if there is one."""
    if len(ids) != 1:
        return ids
    pipeline = store.runs.run(ids[0]).pipeline
    return [*back_to(store, pipeline, 1, int(ids[0][1:]) - 1), *ids]


# --------------------------------------------------------------------------- the document


class _Looked(NamedTuple):
    """What was read of the runs, in their order, without those that could not be read."""

    runs: list[RunRow]
    steps: dict[str, list[StepRow]]
    about: dict[str, About]
    damaged: list[str]


def _looked(store: LocalStore, found: Chosen) -> _Looked:
    """Raises `StoreDamaged` where fewer than two are left since others cannot be read."""
    looked = _Looked([], {}, {}, [*found.damaged])
    errors = []
    for row in found.runs:
        try:
            steps, about = store.runs.steps(row), store.runs.about(row)
        except StoreDamaged as error:
            looked.damaged.append(row.run)
            errors.append(error)
        else:
            looked.runs.append(row)
            looked.steps[row.run], looked.about[row.run] = steps, about
    if errors and len(looked.runs) < 2:
        raise errors[0]
    return looked


def comparison(store: LocalStore, root: Path, found: Chosen, options: Options) -> Document:
    """The document of runs that are chosen. Raises `StoreDamaged` where of those that can be read too few are left."""
    looked = _looked(store, found)
    runs = looked.runs
    from stepwell.app.movements import Movements

    movements = Movements(store, root, looking=options.data and len(runs) <= FEW)
    data = movements.rows(runs, looked.steps, looked.about, options.everything)
    steps, hidden = _steps(looked)
    return {
        "runs": [summary(row) for row in runs],
        "params": _params(runs),
        "metrics": _metrics(runs, said_directions(store, runs), options.metrics),
        "code": _code(looked, store.results.definition, store.results.parts),
        "data": data,
        "environment": _environment(looked, store.results.parts, options.everything),
        "steps": steps,
        "seconds": _row("seconds", {row.run: row.seconds for row in runs}, runs),
        "damaged": looked.damaged,
        "notes": [*chosen_notes(found, options.metrics), *_notes(looked), *hidden, *movements.notes],
    }


def summary(row: RunRow, metrics: Mapping[str, Any] | None = None) -> Document:
    """A run as the page lists it: `RunSummary` in `page/src/api.ts`; `metrics` are those that are wanted, as JSON has them, else all."""
    if metrics is None:
        metrics = numbers(row.metrics, row.metrics.values())
    return {
        "run": row.run, "pipeline": row.pipeline, "status": row.status, "started": row.started, "seconds": row.seconds,
        "params": plain(row.params), "metrics": metrics,
        "tags": list(row.tags), "commit": row.commit, "dirty": row.dirty, "counts": dict(row.counts),
        "group": row.group, "point": plain(row.point),
    }  # fmt: skip


# --------------------------------------------------------------------------- parameters, metrics


_MISSING = object()


def _row(name: str, values: Mapping[str, Any], runs: Sequence[RunRow]) -> Document:
    """A `Row`: a value for each run (None where it has none), whether they differ, and differences to the first."""
    names = [row.run for row in runs]
    found = [values.get(run, _MISSING) for run in names]
    first = found[0]
    return {
        "name": name,
        "values": {
            run: number(value) if type(value) is float else None if value is _MISSING else plain(value)
            for run, value in zip(names, found, strict=True)
        },
        "differs": any(not _same(first, value) for value in found),
        "deltas": {run: _delta(first, value) for run, value in zip(names[1:], found[1:], strict=True)},
    }


def _same(one: Any, other: Any) -> bool:
    if one is other:
        return True
    if one is _MISSING or other is _MISSING:
        return False
    if isinstance(one, bool) is not isinstance(other, bool):
        return False
    return bool(one == other) or (one != one and other != other)


def _delta(first: Any, value: Any) -> float | None:
    if type(first) is type(value) is float:  # most of what is compared
        return value - first if isfinite(value - first) else None
    for one in (first, value):
        if isinstance(one, bool) or not isinstance(one, int | float):
            return None
    try:
        found = float(value - first)
    except OverflowError:
        return None
    return found if isfinite(found) else None


def _params(runs: Sequence[RunRow]) -> list[Document]:
    flat = {row.run: dict(_flat(row.params)) for row in runs}
    names = dict.fromkeys(name for row in runs for name in flat[row.run])
    return [
        _row(name, {run: found[name] for run, found in flat.items() if name in found}, runs) for name in names
    ]


def _flat(params: Mapping[str, Any], before: str = "", depth: int = 0) -> Iterable[tuple[str, Any]]:
    """Parameters with the fields of records apart: `opt.lr`."""
    for name, value in params.items():
        if isinstance(value, Mapping) and value and depth < DEEPEST:
            yield from _flat(value, f"{before}{name}.", depth + 1)
        else:
            yield f"{before}{name}", value


def _metrics(runs: Sequence[RunRow], said: Mapping[str, str], glob: str) -> list[Document]:
    out = []
    for name in metric_names(runs, glob):
        found = [(row.run, row.metrics.get(name)) for row in runs]
        values = {run: value for run, value in found if value is not None}
        way = direction_of(name, said)
        out.append({**_row(name, values, runs), "direction": way, "best": _best(values, way)})
    return out


def metric_names(runs: Iterable[RunRow], glob: str = "") -> list[str]:
    """What the metrics of runs beside each other are called (`stores.metrics.shared`); with `glob`, which matches one of their names."""
    each = [row.metrics for row in runs]
    names = shared(each)
    if not glob:
        return names
    return [name for name in names if any(fnmatchcase(one, glob) for one in also_called(each, name))]


def _best(values: Mapping[str, float], way: str) -> list[str]:
    """The runs with the best value; none where all have the same, or nobody knows what is better."""
    sound = {run: value for run, value in values.items() if value == value}
    if not way or len(set(sound.values())) < 2:
        return []
    top = max(sound.values()) if way == "higher" else min(sound.values())
    return [run for run, value in sound.items() if value == top]


# --------------------------------------------------------------------------- code


def _code(
    looked: _Looked, text_of: Callable[[str], str | None], parts_of: Callable[[str], Mapping[str, str]]
) -> list[Document]:
    """Of each step the digest of its code in each run, and what changed; a change that several runs share is told once.

    Of a step that came to no result it is known which definitions were not what they had been (`_tried`).
    """
    digests: dict[str, dict[str, str]] = {}
    tried: dict[str, dict[str, StepRow]] = {}
    for row in looked.runs:
        for step in looked.steps[row.run]:
            if step.result is not None:
                digests.setdefault(step.step, {}).setdefault(row.run, step.result.code)
            elif any(reason.kind == "code" for reason in step.reasons):
                tried.setdefault(step.step, {}).setdefault(row.run, step)
    out = []
    for step in dict.fromkeys((*digests, *tried)):
        known = digests.get(step, {})
        usual = parts_of(next(iter(known.values()))) if known else {}
        found: dict[str, str] = {}
        parts: dict[str, Mapping[str, str]] = {}
        for row in looked.runs:
            if row.run in known:
                digest = known[row.run]
                parts[digest] = parts_of(digest)
            elif row.run in tried.get(step, {}):
                digest = _tried(tried[step][row.run], usual, parts)
            else:
                continue
            found[row.run] = digest
        diffs: list[Document] = []
        first, *others = found.items()
        told = {first[1]}
        for run, code in others:
            if code not in told:
                told.add(code)
                diffs += [{"run": run, **one} for one in _diffs(parts[first[1]], parts[code], text_of)]
        out.append({"step": step, "changed": len(told) > 1, "digests": found, "diffs": diffs})
    return out


def _tried(step: StepRow, usual: Mapping[str, str], parts: dict[str, Mapping[str, str]]) -> str:
    """A digest for the code of a step that came to no result: the usual definitions with those that its reasons name.

    It is that of a code in `parts` if these are its definitions, else a new one, which is put there.
    """
    mine = dict(usual)
    for reason in step.reasons:
        if reason.kind == "code":
            mine.pop(reason.name, None)
            if reason.after:
                mine[reason.name] = reason.after
    same = next((digest for digest, theirs in parts.items() if theirs == mine), "")
    if same:
        return same
    made = text_digest("\n".join(f"{name}={mine[name]}" for name in sorted(mine)))
    parts[made] = mine
    return made


def _diffs(
    before: Mapping[str, str], after: Mapping[str, str], text_of: Callable[[str], str | None]
) -> Iterable[Document]:
    """The definitions that differ, each with its diff; "" where its text is not kept."""
    from stepwell.app.documents import diff
    from stepwell.kernel.plan import Reason

    for name in dict.fromkeys((*before, *after)):
        was, now = before.get(name), after.get(name)
        if was != now:
            found = diff(Reason("code", name, name, was, now), text_of) or ""
            yield {"name": name, "diff": found[:LONGEST_DIFF]}


# --------------------------------------------------------------------------- environment, times, notes


def _environment(
    looked: _Looked, parts_of: Callable[[str], Mapping[str, str]], everything: bool
) -> list[Document]:
    """Python, platform, and the versions of distributions that steps rest on.

    A version that a run lacks in which some step came to no result is unknown, and no difference.
    """
    found: dict[str, dict[str, str]] = {}
    partial = {row.run for row in looked.runs if any(step.result is None for step in looked.steps[row.run])}
    for row in looked.runs:
        about = looked.about[row.run]
        for name, value in (("python", about.python), ("platform", about.platform)):
            if value:
                found.setdefault(name, {})[row.run] = value
        digests = dict.fromkeys(
            step.result.environment for step in looked.steps[row.run] if step.result is not None
        )
        for digest in digests:
            for name, version in parts_of(digest).items():
                if name != "python" or not about.python:  # which has all of its digits
                    found.setdefault(name, {})[row.run] = version
    rows: list[Document] = []
    for name, values in found.items():
        row = _row(name, values, looked.runs)
        lacking = any(run not in values and run not in partial for run in row["values"])
        rows.append({**row, "differs": lacking or len({*values.values()}) > 1})
    told = [row for row in rows if everything or row["differs"]]
    return [{**row, "deltas": dict.fromkeys(row["deltas"])} for row in told]


def _steps(looked: _Looked) -> tuple[list[Document], list[str]]:
    """Of each step, by its id, its seconds and status in each run; and a note where there are too many."""
    runs = [row.run for row in looked.runs]
    seconds: dict[str, dict[str, float | None]] = {}
    status: dict[str, dict[str, str]] = {}
    for run in runs:
        for step in looked.steps[run]:
            seconds.setdefault(step.id, dict.fromkeys(runs))[run] = step.seconds
            status.setdefault(step.id, dict.fromkeys(runs, ""))[run] = step.status
    names = list(seconds)
    if len(names) > MOST_STEPS:
        slowest = sorted(names, key=lambda name: -max(value or 0.0 for value in seconds[name].values()))
        kept = set(slowest[:MOST_STEPS])
        names = [name for name in names if name in kept]
    hidden = len(seconds) - len(names)
    notes = [f"the times of {hidden:,} more steps, which are shorter, are left out"] if hidden else []
    return [{"step": name, "seconds": seconds[name], "status": status[name]} for name in names], notes


_ENDS = {"failed": "failed", "interrupted": "interrupted", "running": "still going on"}


def _notes(looked: _Looked) -> Iterable[str]:
    """What a person should know before believing the comparison."""
    runs = looked.runs
    if looked.damaged:
        yield f"left out, since their records cannot be read: {_some(looked.damaged)} (`stepwell verify` takes them out)"
    pipelines = dict.fromkeys(row.pipeline for row in runs)
    if len(pipelines) > 1:
        yield f"the runs are of {len(pipelines)} pipelines: {', '.join(pipelines)}"
    for word, told in _ENDS.items():
        some = [row.run for row in runs if row.status == word]
        if some:
            yield f"{told}: {_some(some)}; what was not reached has no values"
    left = [row.run for row in runs if row.counts.get(LEFT)]
    if left:
        yield f"steps that were not up to date were left as they were in {_some(left)}; what these show need not come of their parameters"
    changed = [row.run for row in runs if row.dirty]
    if changed:
        yield f"the tree had changes beyond its commit in {_some(changed)}"
    unknown = [row.run for row in runs if not looked.about[row.run].python]
    if unknown:
        yield f"the interpreter and the sources of {_some(unknown)} were not recorded: an older Stepwell made the run"


def chosen_notes(found: Chosen, glob: str = "") -> Iterable[str]:
    """Notes on what was left out since nobody wanted it: runs beyond the limit, and all metrics where none is called as it is wanted."""
    if found.more:
        yield f"{len(found.runs):,} of {len(found.runs) + found.more:,} runs are compared: --limit N for more"
    if glob and not metric_names(found.runs, glob):
        yield f"no metric has a name like `{glob}`: there are {_some(metric_names(found.runs)) or 'none'}"


def _some(names: Sequence[str], most: int = 6) -> str:
    """Names in a line."""
    return ", ".join(names[:most]) + (f" and {len(names) - most:,} more" if len(names) > most else "")
