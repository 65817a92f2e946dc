"""A release against what is there now: `judged` brings together what the rules of `dist.compat` look at.

before = found("1.4.0", root)                                # dist.releases
verdict = judged(before, lock, root, store=store)            # a dist.compat.rules.Verdict
refuse_too_small(verdict, "1.4.1")                           # raises VersionTooSmall, NotCompatible
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from stepwell.app.values import load
from stepwell.author.manifest import Manifest, manifest_of
from stepwell.codecs import choose
from stepwell.dist.compat.answers import predicted
from stepwell.dist.compat.rules import Verdict, judge
from stepwell.dist.compat.sides import Predicted, Side, Sides
from stepwell.dist.compat.versions import suffices
from stepwell.dist.gates import Verdict as GateVerdict
from stepwell.dist.gates import gates_of, metrics_of
from stepwell.dist.installed import loading
from stepwell.dist.lock import Lock
from stepwell.dist.releases.opened import PROJECT, Opened
from stepwell.dist.versions import parsed
from stepwell.errors import CannotDecode, NotCompatible, StepwellError, VersionTooSmall
from stepwell.kernel.ports import Artifact

if TYPE_CHECKING:
    from stepwell.stores.local import LocalStore

TOLD = 5
"""Findings that an error names."""


def judged(
    before: Opened,
    now: Lock,
    root: Path,
    file: Path | None = None,
    *,
    store: LocalStore | None = None,
    silenced: Mapping[str, str] | None = None,
) -> Verdict:
    """What the rules say of a lock, of the project at `root` (or the single `file`), against a release.

    With a `store` that holds what leaves now, its models predict on the golden data of the release. Gates that ask
    for a channel are judged when something is promoted to it. Raises `UnknownRule`, `BadRelease`, `BadLock`, `BadSettings`, `BadGate`.
    """
    asked = _predicted(before, now, store) if store is not None else _Asked((), ())
    sides = Sides(
        Side(before.lock, manifest_in(before)),
        Side(now, manifest_of(root, file)),
        asked.predicted,
        _gates(now, root, file),
    )
    return judge(sides, before.document.version, silenced)._replace(notes=asked.notes)


def manifest_in(release: Opened) -> Manifest:
    """The manifest that a release was made with; an empty one where it carries none. Raises `BadSettings`."""
    files = {one.partition(":")[0] for one in release.document.pipelines.values()}
    wanted = [name for name in ("stepwell.toml", "pyproject.toml", *sorted(files)) if name]
    with tempfile.TemporaryDirectory(prefix="stepwell-") as folder:
        there = Path(folder)
        for name in wanted:
            if f"{PROJECT}/{name}" in release.names:
                (there / name).parent.mkdir(parents=True, exist_ok=True)
                (there / name).write_bytes(release.read(f"{PROJECT}/{name}"))
        scripts = [there / name for name in sorted(files) if (there / name).is_file()]
        return manifest_of(there, scripts[0] if scripts else None)


def refuse_too_small(verdict: Verdict, version: str) -> None:
    """Raises `NotCompatible` where no version would do, `VersionTooSmall` where this one is not enough, `BadReleaseName`."""
    if verdict.blocked:
        raise NotCompatible(
            f"what is there now is blocked: {_told(verdict, 'blocked')}",
            fixes=["correct it, and run again", "stepwell compat RELEASE   for all that was found"],
        )
    if not suffices(version, verdict.before, verdict.bump):
        wanted = verdict.next_version
        if verdict.bump == "none":  # the same again, or less
            wanted = f"higher than {verdict.before}"
        raise VersionTooSmall(
            f"{parsed(version).text} is too small after {verdict.before}: it needs {wanted}",
            why=_told(verdict, verdict.bump),
            fixes=[
                f"stepwell release {verdict.next_version}",
                '--silence RULE="reason"   where a rule is mistaken',
            ],
        )


def _told(verdict: Verdict, bump: str) -> str:
    found = [one for one in verdict.findings if one.bump == bump and not one.silenced]
    more = f"; and {len(found) - TOLD} more" if len(found) > TOLD else ""
    return "; ".join([f"{one.rule} {one.place} {one.what}" for one in found[:TOLD]]) + more


# --------------------------------------------------------------------------- gates and predictions


def _gates(now: Lock, root: Path, file: Path | None) -> dict[str, tuple[GateVerdict, ...]]:
    found: dict[str, tuple[GateVerdict, ...]] = {}
    for name, gates in gates_of(root, file).items():
        metrics = metrics_of(now, name)
        here = [gate for gate in gates if not any(one.channel for one in gate.metrics)]
        found[name] = tuple(gate.evaluate(metrics, {}) for gate in here)
    return found


class _Asked(NamedTuple):
    """What models said of the golden data of a release, and what could not be asked."""

    predicted: tuple[Predicted, ...]
    notes: tuple[str, ...]


def _predicted(before: Opened, now: Lock, store: LocalStore) -> _Asked:
    """What the models of now say of the golden data of a release; those that are the same are not asked."""
    found: list[Predicted] = []
    notes: list[str] = []
    for name, golden in before.document.golden.items():
        old, new = before.lock.output.get(name), now.output.get(name)
        if old is None or new is None or (old.bytes, old.parts) == (new.bytes, new.parts):
            continue
        try:
            table, said = (
                _value(before, digest, golden.codec, store) for digest in (golden.on, golden.predictions)
            )
            model = load(store, Artifact(name, new.codec, new.bytes, new.size, new.parts))
        except StepwellError as error:  # what cannot be had is no change of the model
            notes.append(f"`{name}` was not asked about the golden data of the release: {error.what}")
            continue
        found.append(predicted(name, model, new, table, said, golden.tolerance))
    return _Asked(tuple(found), tuple(notes))


def _value(release: Opened, digest: str, codec: str, store: LocalStore) -> Any:
    """A blob of a release as a value. Raises what `loading.bytes_of` raises, and `CodecError`."""
    if getattr(choose.by_name(codec), "executes", False):
        raise CannotDecode(f"the golden data is written as {codec}, which executes what its bytes say")
    return choose.load(store.blobs.held(bytes(loading.bytes_of(release, digest))), codec)
