"""What a release is made of, and whether it may be made: nothing is written here.

facts = facts_of(works, asked)       # raises what forbids it, all of it at once
facts.lock, facts.version, facts.tree.commit, facts.verdict
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from msgspec import structs

from stepwell.app.compat import judged, refuse_too_small
from stepwell.app.exposed import exposed
from stepwell.app.locking import lock_of, locked_of, manifest_for, merged, path_of, refuse_different, stale
from stepwell.app.recalling import digests_of
from stepwell.app.session import Work
from stepwell.author.manifest import Manifest, manifest_of
from stepwell.author.problems import together
from stepwell.author.written import written_of
from stepwell.dist.channels.index import Channels
from stepwell.dist.compat.finding import Bump
from stepwell.dist.compat.rules import Verdict
from stepwell.dist.compat.versions import following
from stepwell.dist.edits import home_of
from stepwell.dist.erased import found_in, read_erased
from stepwell.dist.gates import gates_of, metrics_of
from stepwell.dist.interface.writing import interface_of
from stepwell.dist.lock import Lock, data_of, differences
from stepwell.dist.names import project as project_name
from stepwell.dist.releases.found import channels_of, has_channels, own_name
from stepwell.dist.releases.known import Known, known_of
from stepwell.dist.releases.opened import Opened, open_wheel
from stepwell.dist.releases.tree import Tree, tree_of
from stepwell.dist.versions import parsed
from stepwell.errors import (
    CannotRelease,
    DirtyTree,
    GatesFailed,
    LockStale,
    NotARelease,
    NotHigher,
    NothingToRelease,
    StepwellError,
)
from stepwell.sources.address import printable, shown

NAMED = 8
"""Files that an error names."""


class Asked(NamedTuple):
    """What the person wants: a version, or a `bump` ("major", "minor", "patch", "" for what compatibility asks) of the newest release.

    `out` is the folder for the wheel, `silenced` reasons by rule of compatibility.
    """

    version: str = ""
    bump: Literal["", "major", "minor", "patch"] | None = None
    dirty: bool = False
    note: str = ""
    out: Path | None = None
    silenced: Mapping[str, str] = {}


class Facts(NamedTuple):
    """What a release is made of.

    `file` is the single file that has the manifest in its header, `name` as metadata spells it, `lock` that of
    the pipelines that are released, `known` what was released before, `verdict` what changed since the newest of
    these that is lower (None where there is none), `out` the folder for the wheel.
    """

    works: tuple[Work, ...]
    root: Path
    file: Path | None
    manifest: Manifest
    name: str
    version: str
    lock: Lock
    tree: Tree
    known: tuple[Known, ...]
    verdict: Verdict | None
    out: Path


def words_of(manifest: Manifest, word: str) -> list[str]:
    """The pipelines that outputs come from, as commands name them; `word` names the one that is meant where an output names none."""
    file = word.rpartition(":")[0] if ":" in word else word
    beside = f"{file}:" if file.endswith(".py") else ""
    asked = [one.pipeline for one in manifest.outputs.values()]
    found = [word if not name else name if ":" in name else f"{beside}{name}" for name in asked]
    return list(dict.fromkeys(found or [word]))


# --------------------------------------------------------------------------- what it is made of


def facts_of(works: Sequence[Work], asked: Asked) -> Facts:
    """What a release is made of, and that it may be made.

    Raises `NothingToRelease`, `LockStale`, `NotUpToDate`, `DirtyTree`, `GatesFailed`, `NotHigher`, `VersionTooSmall`,
    `NotCompatible`, and what asking the lock, git and the index of channels raises; `SeveralProblems` where more than one
    thing forbids it.
    """
    first = works[0]
    root, target = first.root, first.loaded.target.file
    written = written_of(root, target)
    file = target if written is not None and written.kind == "script" else None
    manifest = manifest_of(root, file)
    if not manifest.outputs:
        raise NothingToRelease(
            "the manifest names nothing that leaves this project",
            why='a release gives outputs by their names: `load("model")`',
            fixes=[_named_output(root, file)],
        )
    lock = _locked(works, manifest)
    name = own_name(root, file, manifest)
    out = asked.out or root / "dist"
    tree = tree_of(root, apart=[out, *_index_of(root, manifest)])
    channels = channels_of(root, manifest) if has_channels(root, manifest) else None
    known = known_of(project_name(name), dict.fromkeys([root / "dist", out]), channels, tree)
    found = Facts(tuple(works), root, file, manifest, name, "", lock, tree, known, None, out)
    wrong = [*_dirt(tree, asked), *_secrets(manifest), *exposed(lock), *_failed_gates(root, file, lock)]
    wrong += _recalled(channels, lock) if channels is not None else ()
    try:
        found = _versioned(found, asked, blocked=bool(wrong))
    except StepwellError as error:
        wrong.append(error)
    if wrong:
        raise together(wrong)
    return found


def _named_output(root: Path, file: Path | None) -> str:
    """How the manifest, or the one that there would be, names what leaves."""
    home = home_of(root, file)
    return f'in `{home.file.name}`: {home.heading("outputs", "model")} step = "train"'


def _index_of(root: Path, manifest: Manifest) -> list[Path]:
    """The folder of the channels, if it lies in the project: what is promoted there is no edit."""
    index = manifest.channels.index
    return [root / index] if index and "://" not in index else []


def _versioned(facts: Facts, asked: Asked, *, blocked: bool) -> Facts:
    """The facts with the version, which is high enough for what changed.

    Raises `BadReleaseName`, `NotHigher`, and, unless it is `blocked` anyway, `VersionTooSmall` and `NotCompatible`.
    """
    version = parsed(asked.version).text if asked.bump is None else ""
    before = _before(facts.known, version)
    if before is None and not version:
        raise NotHigher(
            "there is no release to go up from",
            why="`--bump` counts on from the newest one",
            fixes=["stepwell release 1.0.0"],
        )
    verdict = None
    if before is not None:
        work = facts.works[0]
        verdict = judged(
            before, facts.lock, facts.root, facts.file, store=work.store, silenced=asked.silenced
        )
    if before is not None and verdict is not None and not version:
        wanted: Bump = asked.bump or ("patch" if verdict.bump == "none" else verdict.bump)
        version = following(before.document.version, wanted) or following(before.document.version, "patch")
        highest = facts.known[-1].version
        if highest.key >= parsed(version).key:  # one that was taken back: its number is not given twice
            version = following(highest.text, wanted) or following(highest.text, "patch")
    _refuse_lower(version, facts.known, facts.tree)
    if verdict is not None and not blocked:
        refuse_too_small(verdict, version)
    return facts._replace(version=version, verdict=verdict)


def _before(known: Sequence[Known], version: str) -> Opened | None:
    """The newest release whose wheel is here, and that was not withdrawn; with a `version`, of those below it.

    Wheels that the backend built and that are no releases are passed over. Raises `BadWheel`.
    """
    withdrawn = {one.version.text for one in known if one.yanked}
    for one in reversed(known):
        below = not version or one.version.key < parsed(version).key
        if one.path is None or one.version.text in withdrawn or not below:
            continue
        try:
            return open_wheel(one.path)
        except NotARelease:
            continue
    return None


def _locked(works: Sequence[Work], manifest: Manifest) -> Lock:
    """The lock, of the pipelines that are released alone. Raises `LockStale` where it is not of what is there now."""
    path = path_of(works[0])
    before = locked_of(works[0])
    for work in works:
        refuse_different(stale(before, work), work)
        refuse_different(list(differences(before, merged(before, lock_of(work), manifest_for(work)))), work)
    names = {work.graph.pipeline for work in works}
    face = interface_of(works[0].root, works[0].loaded.target.file, before)
    if face is not None:
        face.refuse_stale(works[0].loaded.target.command("lock"))
    missing = [name for name in manifest.outputs if name not in before.output]
    if missing:
        raise LockStale(
            f"`{path.name}` does not have the output{'s' * (len(missing) > 1)} {', '.join(f'`{name}`' for name in missing)}",
            fixes=[work.loaded.target.command("run --lock") for work in works],
        )
    pipelines = {name: one for name, one in before.pipeline.items() if name in names}
    used = {name for one in pipelines.values() for name in data_of(one)}
    return structs.replace(
        before,
        data={name: data for name, data in before.data.items() if name in used or name in manifest.data},
        pipeline=pipelines,
        output={name: one for name, one in before.output.items() if name in manifest.outputs},
    )


def _secrets(manifest: Manifest) -> Iterator[StepwellError]:
    """Addresses of the manifest that would publish a password or a token."""
    named = {f"data.{name}": data.source for name, data in manifest.data.items()}
    named |= {"release.store": manifest.release.store}
    named |= {f"release.mirrors[{i}]": one for i, one in enumerate(manifest.release.mirrors)}
    for place, uri in named.items():
        if shown(uri) != printable(uri):
            yield CannotRelease(
                f"`{place}` of the manifest has credentials in its address: {shown(uri)}",
                why="the manifest goes along with a release, to everybody who installs it",
                fixes=[
                    "let the environment say them: see docs/guides/freeze.md",
                    "name an address without them",
                ],
            )


def _recalled(channels: Channels, lock: Lock) -> Iterator[StepwellError]:
    """What it would be made of and is not to be used any longer, as the index of its channels says."""
    stones = read_erased(channels.files)
    told: dict[str, str] = {}
    for digest, place in digests_of(lock) if stones else ():
        stone = found_in([digest], stones)
        if stone is not None:
            told.setdefault(place, str(stone))
    if told:
        places = "; ".join(f"`{place}` was {stone}" for place, stone in list(told.items())[:NAMED])
        yield CannotRelease(
            f"what it would be made of is not to be used any longer: {places}",
            why="nobody could promote such a release",
            fixes=["take it out of the data, and run again", "stepwell run --lock"],
        )


def _files(count: int) -> str:
    return "1 file is not as it was" if count == 1 else f"{count} files are not as they were"


def _dirt(tree: Tree, asked: Asked) -> Iterator[StepwellError]:
    if tree.dirty and not asked.dirty:
        more = f" and {len(tree.dirty) - NAMED} more" if len(tree.dirty) > NAMED else ""
        yield DirtyTree(
            f"{_files(len(tree.dirty))} committed: {', '.join(tree.dirty[:NAMED])}{more}",
            why="a release says which commit it is of; nobody could find this code again",
            fixes=[
                "git commit",
                "stepwell release VERSION --allow-dirty   writes their names into the release",
            ],
        )


def _failed_gates(root: Path, file: Path | None, lock: Lock) -> Iterator[StepwellError]:
    """The gates that do not hold. Those that compare with a channel are asked by `promote`."""
    for name, gates in gates_of(root, file).items():
        verdicts = [
            gate.evaluate(metrics_of(lock, name), {})
            for gate in gates
            if not any(metric.channel for metric in gate.metrics)
        ]
        excuses = [one.excuse for one in verdicts if not one.passed]
        if excuses:
            yield GatesFailed(
                f"`{name}` does not pass its gates: {'; '.join(excuses)}",
                why=f"the manifest says of it: {', '.join(gate.text for gate in gates)}",
                fixes=[
                    "train it better, or on better data",
                    f"change the gate: {home_of(root, file).heading('outputs', name)} gates",
                ],
            )


def _refuse_lower(version: str, known: Sequence[Known], tree: Tree) -> None:
    """Raise `NotHigher` where something higher is known. The same version may be made again: its bytes are compared at the end."""
    wanted = parsed(version)
    above = [one for one in known if one.version.key > wanted.key]
    # 1.0 and 1.0.0 are one version to clients, and would be two files.
    above += [one for one in known if one.version.key == wanted.key and one.version.text != wanted.text]
    elsewhere = [
        one for one in known if one.tagged and one.version.key == wanted.key and one.tagged != tree.commit
    ]
    if not above and not elsewhere:
        return
    other = (above or elsewhere)[-1]
    raise NotHigher(
        f"{version} is not higher than what was released",
        why=f"{other.where} is {other.version.text if above else 'of another commit'}",
        fixes=[f"stepwell release {following(other.version.text, 'patch')}", "stepwell release --bump"],
    )
