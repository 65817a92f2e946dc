"""What moved in the data of runs: sources whose content is another, and outputs, as far as it can be told without running anything.

    rows = Movements(store, root).rows(runs, steps, about)      `DataRow`s of `page/src/api.ts`

Outputs are looked into through `app.previews`, which imports no code of the user's and unpickles nothing: of tables their
schema, rows and columns, of plain data the places that differ. The bytes of sources are not kept; of those it is said
what a lock said of them (the project's own, or that of the run's commit), and what the store remembers.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from stepwell.app.reasons import observed
from stepwell.errors import StepwellError
from stepwell.kernel.ports import Artifact
from stepwell.stores.history import RunRow
from stepwell.stores.local import LocalStore
from stepwell.stores.steprow import About, StepRow

if TYPE_CHECKING:
    from stepwell.dist.lock import Data

Document = dict[str, Any]

PATIENCE = 3.0
"""Seconds after which no further output is looked into."""

PAIRS = 40
"""Outputs that are looked into at most, two versions of each."""

LARGEST = 64 << 20
"""Bytes of an output that is looked into; PLAIN those of plain data and text."""
PLAIN = 2 << 20

COLUMNS = 12
"""Columns that are told one by one."""

LINES = 30
"""Lines that are told of one output."""


class Version(NamedTuple):
    """What a source or an output was in one run: the digest that names it, its size in bytes, and what it is."""

    digest: str
    size: int
    artifact: Artifact
    commit: str = ""


class Movements:
    """Looks into the data of runs, within bounds; `notes` say what was left out for these."""

    def __init__(self, store: LocalStore, root: Path, looking: bool = True) -> None:
        self._store, self._locks = store, Locks(root)
        self._looking = looking
        self._until = time.monotonic() + PATIENCE
        self._looked = self._left = 0

    @property
    def notes(self) -> list[str]:
        """What was left out."""
        if not self._left:
            return []
        told = "1 output that differs was" if self._left == 1 else f"{self._left:,} outputs that differ were"
        return [f"{told} not looked into: there are many, or it took too long"]

    def rows(
        self,
        runs: Sequence[RunRow],
        steps: Mapping[str, Sequence[StepRow]],
        about: Mapping[str, About],
        everything: bool = False,
    ) -> list[Document]:
        """Each source, what else steps were seen to read that differs, and each output that does (with `everything` the others too).

        With what changed since the first run.
        """
        commits = {row.run: row.commit for row in runs}
        sources: dict[str, dict[str, Version]] = {}
        for run, one in about.items():
            for source in one.sources:
                name = source.uri.rpartition("/")[2]
                file = Artifact(name, _FILE, source.digest, source.size)
                sources.setdefault(source.name, {})[run] = Version(
                    source.digest, source.size, file, commits[run]
                )
        out = [self._row(name, "source", found) for name, found in sources.items()]
        out += [_read_row(what, found) for what, found in _read(steps).items() if len({*found.values()}) > 1]
        for name, found in _outputs(steps).items():
            if everything or len({one.digest for one in found.values()}) > 1:
                out.append(self._row(name, "output", found))
        return out

    def _row(self, name: str, kind: str, found: Mapping[str, Version]) -> Document:
        (_, first), *others = found.items()
        told, changes = {first.digest}, []
        for run, one in others:
            if one.digest not in told:
                told.add(one.digest)
                changes.append({"run": run, "lines": self._lines(name, kind, first, one)})
        digests = {run: one.digest for run, one in found.items()}
        return {"name": name, "kind": kind, "differs": len(told) > 1, "digests": digests, "changes": changes}

    def _lines(self, name: str, kind: str, before: Version, after: Version) -> list[str]:
        """What changed, the most telling first; never empty."""
        found: list[str] = []
        if kind == "source":
            found = self._source(name, before, after)
        elif self._may(before, after):
            found = self._output(before, after)
        return [*found[:LINES], *([f"… and {len(found) - LINES:,} more"] if len(found) > LINES else [])] or [
            sizes(before.size, after.size)
        ]

    def _may(self, before: Version, after: Version) -> bool:
        """Whether an output is still to be looked into."""
        if not self._looking:
            return False
        if self._looked >= PAIRS or time.monotonic() > self._until:
            self._left += 1
            return False
        self._looked += 1
        return max(before.size, after.size) <= LARGEST

    # ------------------------------------------------------------------ sources

    def _source(self, name: str, before: Version, after: Version) -> list[str]:
        """What locks and the store know of two versions of a source."""
        old, new = (self._locks.data(name, one.digest, one.commit) for one in (before, after))
        if old is not None and new is not None:
            return list(_facts(old, new))
        if self._frozen(before) and self._frozen(after) and self._may(before, after):
            return self._output(before, after)
        rows = [self._rows(one.digest) for one in (before, after)]
        if None not in rows and rows[0] != rows[1]:
            return [f"{rows[0]:,} → {rows[1]:,} rows", sizes(before.size, after.size)]
        return []

    def _frozen(self, one: Version) -> bool:
        """Whether the store has the bytes of a source: those of one that was frozen."""
        known = one.digest.startswith("b3:") and one.size <= LARGEST
        return known and not self._store.blobs.check(one.digest)

    def _rows(self, digest: str) -> int | None:
        """The rows of a table that a lock was once made of, as the store remembers."""
        kept = self._store.memo.get(_CONTENT, digest)
        told = kept.decode("ascii", "replace") if isinstance(kept, bytes) else kept or ""
        rows = told.partition(" ")[2]
        return int(rows) if rows.isdecimal() else None

    # ------------------------------------------------------------------ outputs

    def _output(self, before: Version, after: Version) -> list[str]:
        old, new = before.artifact, after.artifact
        if old.codec != new.codec:
            return [f"it was kept as {old.codec}, it is kept as {new.codec}"]
        try:
            if old.codec in ("json", "text"):
                return self._values(old, new)
            from stepwell.app.previews import preview

            shown = [preview(self._store, one, 0) for one in (old, new)]
        except StepwellError as error:
            return [f"it cannot be looked into: {error.what}"]
        return list(_shown(shown[0], shown[1])) or _noted(old, new)

    def _values(self, old: Artifact, new: Artifact) -> list[str]:
        """Plain data by path, text by line: neither needs classes of the user's."""
        if max(old.size, new.size) > PLAIN:
            return _noted(old, new)
        from stepwell.app.differing import compare, kept, lines

        return lines(compare(kept(self._store, old), kept(self._store, new)))


_FILE = "file"
"""`app.previews.FILE`, which is imported only where something is looked into."""

_CONTENT = "source-content 2"
"""`app.datafacts.CONTENT`, whose module reads tables and takes long to import."""


def _outputs(steps: Mapping[str, Sequence[StepRow]]) -> dict[str, dict[str, Version]]:
    """Each output of each step, by its name ("train", or "split.test" of one of several), in each run."""
    found: dict[str, dict[str, Version]] = {}
    for run, rows in steps.items():
        for step in rows:
            if step.result is None:
                continue
            for one in step.outputs:
                name = step.id if one.name == "result" else f"{step.id}.{one.name}"
                found.setdefault(name, {})[run] = Version(one.digest, one.size, one)
    return found


def _read(steps: Mapping[str, Sequence[StepRow]]) -> dict[str, dict[str, str]]:
    """What steps were seen to read besides their inputs, as `Result.observed` names it, and what it came to in each run."""
    found: dict[str, dict[str, str]] = {}
    for run, rows in steps.items():
        for step in rows:
            if step.result is None:
                continue
            variables = [
                (name if " " in name else f"${name}", token) for name, token in step.result.variables
            ]
            for what, token in (*step.result.observed, *variables):
                found.setdefault(what, {}).setdefault(run, token)
    return found


def _read_row(what: str, found: Mapping[str, str]) -> Document:
    """A file, listing or variable that steps read, and that is not the same in all runs."""
    (_, first), *others = found.items()
    told, changes, name = {first}, [], what
    for run, token in others:
        if token not in told:
            told.add(token)
            reason = observed(what, first, token)
            name, said = reason.name, reason.text
            line = said.partition(": ")[2] if what.startswith("$") else said.rpartition(", ")[2]
            changes.append({"run": run, "lines": [line]})
    unset = {"", "None"} if what.startswith("$") else set()
    digests = {run: "unset" if token in unset else token for run, token in found.items()}
    return {"name": name, "kind": "read", "differs": True, "digests": digests, "changes": changes}


def sizes(before: int, after: int) -> str:
    """Two sizes in bytes, of different content."""
    return f"other content, {before:,} bytes" if before == after else f"{before:,} → {after:,} bytes"


def _noted(old: Artifact, new: Artifact) -> list[str]:
    """What is known of two values without their bytes."""
    if old.note and new.note and old.note != new.note:
        return [f"{old.note} → {new.note}"]
    return []


# --------------------------------------------------------------------------- previews beside each other


def _shown(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterable[str]:
    """What differs between two previews (`Preview` in `page/src/api.ts`)."""
    if old["kind"] != new["kind"]:
        for one, word in ((old, "then"), (new, "now")):
            if one["kind"] == "none":
                yield f"it cannot be looked into as it is {word}: {one['why']}"
                return
        yield f"it was shown as {old['kind']}, it is shown as {new['kind']}"
    elif old["kind"] == "table":
        yield from _tables(old, new)
    elif old["kind"] == "array":
        yield from _arrays(old, new)
    elif old["kind"] == "files":
        before, after = ({one["name"]: one["digest"] for one in side["files"]} for side in (old, new))
        yield from _named(before, after)
    elif old["kind"] == "model":
        yield from _pairs(old, new)
    elif old["kind"] == "none":
        yield f"it cannot be looked into: {old['why']}"


def _tables(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterable[str]:
    if old["rows"] != new["rows"]:
        yield f"{old['rows']:,} → {new['rows']:,} rows ({new['rows'] - old['rows']:+,})"
    before = {column["name"]: column for column in old["columns"]}
    after = {column["name"]: column for column in new["columns"]}
    yield from _schema(
        {name: one["type"] for name, one in before.items()},
        {name: one["type"] for name, one in after.items()},
    )
    moved = [(name, _moved(before[name], after[name])) for name in before if name in after]
    told = [(name, words) for name, words in moved if words]
    if told and (old.get("sampled") or new.get("sampled")):
        yield f"of a sample of {old.get('sampled') or new.get('sampled'):,} rows:"
    for name, words in told[:COLUMNS]:
        yield f"{name}: {'; '.join(words)}"
    if len(told) > COLUMNS:
        yield f"and {len(told) - COLUMNS:,} more columns moved"


def _schema(before: Mapping[str, str], after: Mapping[str, str]) -> Iterable[str]:
    """Columns that are gone, new, or of another type."""
    for name, kind in before.items():
        if name not in after:
            yield f"{name}: the column is gone"
        elif after[name] != kind:
            yield f"{name}: {kind} → {after[name]}"
    for name, kind in after.items():
        if name not in before:
            yield f"{name}: the column is new ({kind})"


def _moved(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """How the values of a column moved: what is missing, the mean, and its ends and middle."""
    out = []
    if old["nulls"] != new["nulls"]:
        out.append(f"missing {_percent(old['nulls'])} → {_percent(new['nulls'])}")
    if old["mean"] is not None and new["mean"] is not None and old["mean"] != new["mean"]:
        out.append(f"mean {_short(old['mean'])} → {_short(new['mean'])}")
    before, after = old["quantiles"], new["quantiles"]
    if before and after and before != after and len(before) == len(after):
        places = ((0, "least"), (len(before) // 2, "median"), (len(before) - 1, "greatest"))
        out += [
            f"{word} {_short(before[i])} → {_short(after[i])}" for i, word in places if before[i] != after[i]
        ]
    if not out and old["distinct"] != new["distinct"] and None not in (old["distinct"], new["distinct"]):
        out.append(f"{old['distinct']:,} → {new['distinct']:,} different values")
    if not out and old["top"] and new["top"] and old["top"] != new["top"]:
        out.append(
            "other values are frequent"
            if {v for v, _ in old["top"]} != {v for v, _ in new["top"]}
            else "frequencies moved"
        )
    return out


def _arrays(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterable[str]:
    for name in ("shape", "dtype"):
        if old[name] != new[name]:
            yield f"{name} {old[name]} → {new[name]}"
    stats = [
        f"{name} {_short(value)} → {_short(new['stats'][name])}"
        for name, value in old["stats"].items()
        if name in new["stats"] and new["stats"][name] != value
    ]
    if stats:
        yield "; ".join(stats)


def _pairs(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterable[str]:
    """Parameters and facts of models."""
    if old["title"] != new["title"]:
        yield f"{old['title']} → {new['title']}"
    for kind in ("params", "facts"):
        before, after = dict(map(tuple, old[kind])), dict(map(tuple, new[kind]))
        for name in dict.fromkeys((*before, *after)):
            if before.get(name) != after.get(name):
                yield f"{name}: {before.get(name, '(none)')} → {after.get(name, '(none)')}"


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"


def _short(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, int | float) else str(value)


# --------------------------------------------------------------------------- what locks say


class Locks:
    """What locks say of data, by the digest of its bytes: the lock that is there, and those of commits."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._known: dict[str, Mapping[str, Data]] = {}

    def data(self, name: str, digest: str, commit: str) -> Data | None:
        """What is said of the data of a name where it had this content; None where no lock at hand speaks of it."""
        for place in ("", commit) if commit else ("",):
            found = self._of(place).get(name)
            if found is not None and found.bytes == digest:
                return found
        return None

    def _of(self, commit: str) -> Mapping[str, Data]:
        if commit not in self._known:
            text = self._committed(commit) if commit else self._there()
            self._known[commit] = _data_of(text) if text else {}
        return self._known[commit]

    def _there(self) -> str:
        from stepwell.dist.lockfile import lock_path

        try:
            return lock_path(self._root).read_text("utf-8")
        except (
            OSError,
            UnicodeDecodeError,
            StepwellError,
        ):  # none, or none that can be read: nothing is known
            return ""

    def _committed(self, commit: str) -> str:
        from stepwell.app.git import blob_of

        return blob_of(self._root, commit, "stepwell.lock") if re.fullmatch(r"[0-9a-f]{7,64}", commit) else ""


def _data_of(text: str) -> Mapping[str, Data]:
    from stepwell.dist.lockfile import lock_of

    try:
        return lock_of(text).data
    except StepwellError:  # of another version, or cut off: nothing is known
        return {}


def _facts(old: Data, new: Data) -> Iterable[str]:
    """What differs between what two locks say of data."""
    if old.content and old.content == new.content:
        yield "the same content in other bytes"
        return
    if old.rows is not None and new.rows is not None and old.rows != new.rows:
        yield f"{old.rows:,} → {new.rows:,} rows ({new.rows - old.rows:+,})"
    yield from _schema(old.columns, new.columns)
    for name, before in old.quantiles.items():
        after = new.quantiles.get(name)
        if after and after != before:
            middle = len(before) // 2
            yield f"{name}: median {_short(before[middle])} → {_short(after[len(after) // 2])}"
    for name, key in old.sketch.items():
        if name in new.sketch and new.sketch[name] != key:
            from stepwell.dist.sketches import overlap

            yield f"{name}: {_percent(overlap(key, new.sketch[name]))} of the keys are still there"
    yield from _named(old.files, new.files)


def _named(before: Mapping[str, str], after: Mapping[str, str]) -> Iterable[str]:
    """Files that are new, gone, or of other content."""
    for name in dict.fromkeys((*before, *after)):
        if before.get(name) != after.get(name):
            yield f"{name} {'is new' if name not in before else 'is gone' if name not in after else 'changed'}"
