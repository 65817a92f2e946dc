"""Runs as files, and files as runs: `stepwell export yaml`, and `stepwell run FILE.yaml`.

    file = exported(store, "r12")                      # what the record says; nothing of the user's is imported
    with staged(file, root, store) as place:           # its code at its commit, its data as they were
        work = prepared(file, place, store, settings)  # the same plan, or an error that says what is not the same
        ...                                            # run it
    differences(file, exported(store, run))            # then and now

The code of a commit is put into a folder of its own, with the changes that the tree had; data that is as it was is
linked into it, other data comes from what the store keeps, through a lock that a frozen run reads. A file without a commit,
or with one that is not here, is run from the files that are here, if all of its code is what it was.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import subprocess
import tempfile
from base64 import b64decode
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from stepwell.app.git import CUT, Commit, in_repository
from stepwell.app.selecting import Choice
from stepwell.app.session import Settings, Work, prepare
from stepwell.errors import (
    BadParameter,
    BadRunFile,
    InputErased,
    InputGone,
    NoSuchCommit,
    NotExportable,
    RunCodeGone,
    RunDataGone,
    StepwellError,
)
from stepwell.export.runfile import RunFile, Source, Step, ordered, parsed, said_apart
from stepwell.stores.local import LocalStore
from stepwell.stores.steprow import About, StepRow

COMMIT = ["commit before runs that are to be made again"]
CLONE = ["git fetch   in a clone of its project", "stepwell run   runs what is here"]

STATUSES = {"succeeded": "", "cached": ""}
"""What is said of a step by its status in the record: nothing where it gave what it should."""

_FLOATS = {"NaN": "nan", "Infinity": "inf", "-Infinity": "-inf"}
"""How a record says what JSON has no number for."""


# --------------------------------------------------------------------------- from the record


def exported(store: LocalStore, run: str) -> RunFile:
    """A recorded run as a file. Raises `UnknownRun`, `NotExportable`, `StoreDamaged`."""
    row = store.runs.run(run)
    about = store.runs.about(row.run)
    if row.status == "running":
        raise NotExportable(f"{row.run} is still running", fixes=["export it when it has ended"])
    if not about.file:
        raise NotExportable(
            f"{row.run} is of no file of this project",
            why="its pipeline was made in a notebook or in an installed module, or an older Stepwell recorded it",
            fixes=[
                "stepwell new --from notebook.ipynb   makes a file of a notebook",
                "run it again, and export that",
            ],
        )
    rows = store.runs.steps(row.run)
    meant = [one for one in rows if one.status != "skipped"]
    nodes = {one.node: place for place, one in enumerate(meant)}
    edges = [[nodes[n] for n in _of(about.edges, one.node) if n in nodes] for one in meant]
    order = ordered([one.id for one in meant], edges)
    packages: dict[str, str] = {}
    places: dict[str, dict[str, str]] = {}
    code: dict[str, str] = {}
    for one in meant:
        spec = about.specs.get(one.node, {})
        there = places.setdefault(spec["place"], dict(spec["versions"])) if "place" in spec else packages
        if one.result is not None:
            _add(there, store.results.parts(one.result.environment))
            _add(code, _parts(one.step, store.results.parts(one.result.code)))
    packages.pop("python", None)
    return RunFile(
        f"{about.file}:{about.variable or row.pipeline}",
        row.status,
        row.commit,
        row.dirty,
        about.diff,
        {name: _param(value) for name, value in row.params.items()},
        tuple(_sources(about, meant)),
        tuple(_step(meant[place], [meant[n] for n in edges[place]], about) for place in order),
        dict(row.metrics),
        row.tags,
        code,
        about.python,
        about.platform,
        packages,
        len(meant) == len(rows),
        places,
        about.pylock,
    )


def _add(found: dict[str, str], more: Mapping[str, str]) -> None:
    """Take in what is not there yet; where two say something else of a name, the first in alphabetical order counts."""
    for name, text in more.items():
        found[name] = min(text, found.get(name, text))


def _parts(step: str, parts: Mapping[str, str]) -> dict[str, str]:
    """The digests of what a step's code is, by names that no other step has for something else ("command" of a shell)."""
    return {name if "." in name else f"{step} {name}": digest for name, digest in parts.items()}


def _of(table: Sequence[Sequence[int]], node: int) -> Sequence[int]:
    return table[node] if node < len(table) else ()


def _param(value: Any) -> Any:
    """A parameter as the file has it: what JSON has no number for is one again."""
    if isinstance(value, str):
        return float(_FLOATS[value]) if value in _FLOATS else value
    if isinstance(value, Mapping):
        return {name: _param(one) for name, one in value.items()}
    return [_param(one) for one in value] if isinstance(value, list) else value


def _sources(about: About, rows: Sequence[StepRow]) -> Iterator[Source]:
    read = {place for row in rows for place in _of(about.reads, row.node)}
    for place in sorted(read):
        if place < len(about.sources):
            one = about.sources[place]
            yield Source(one.name, one.uri, one.digest, one.size)


def _step(row: StepRow, before: Sequence[StepRow], about: About) -> Step:
    made = {
        artifact.token: (one.id, f"step {one.id}.{artifact.name} {artifact.token}")
        for one in sorted(before, key=lambda one: one.id, reverse=True)
        for artifact in one.outputs
    }
    read = [about.sources[n] for n in _of(about.reads, row.node) if n < len(about.sources)]
    digests = {one.digest: one.name for one in read}
    gives = {one.name: f"{one.codec} {one.digest} {one.size}" for one in row.outputs}
    takes = {name: _taken(token, made, digests) for name, token in row.inputs}
    named = {made[token][0] for _, token in row.inputs if token in made}
    told = " ".join(text for text in takes.values() if text.startswith("source "))
    rest = [
        *(f"step {one.id}" for one in before if one.id not in named),
        *(f"source {one.name}" for one in read if f"source {one.name} " not in told),
    ]
    return Step(
        row.id,
        row.step,
        row.result.code if row.result is not None else "",
        takes,
        gives if row.status in STATUSES else {},
        STATUSES.get(row.status, row.status),
        after=tuple(rest),
        **_said(about.specs.get(row.node, {})),
    )


def _said(spec: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a `Step` for what is known of it (`app.linked.spec_of`)."""
    return {
        **{name: spec.get(name, "") for name in ("kind", "role", "place")},
        "options": spec.get("options", {}),
    }


def _taken(token: str, made: Mapping[str, tuple[str, str]], sources: Mapping[str, str]) -> str:
    """What an argument took, with the name of the step or source that it came from."""
    if token in made:
        return made[token][1]
    kind, _, rest = token.partition(":")
    digest = ":".join(rest.split(":")[:2])
    if kind == "source" and digest in sources:
        return f"source {sources[digest]} {rest}"
    return token


# --------------------------------------------------------------------------- from a file


class Taken(NamedTuple):
    """Stands for what git says of a tree, where its files were taken from a commit and its known changes."""

    commit: Commit
    diff: str = ""

    def answer(self) -> Commit:
        """The commit that the files are of."""
        return self.commit


class Place(NamedTuple):
    """Where a run file is run: the folder of its project, what is known of its commit, whether its data is read from a lock.

    `lost` says why the files of the commit cannot be had, where the folder is the project itself.
    """

    root: Path
    taken: Taken | None = None
    frozen: bool = False
    lost: str = ""


def read_file(path: Path) -> RunFile:
    """The run of a file. Raises `BadRunFile`."""
    fixes = ["stepwell export yaml RUN -o FILE   writes one"]
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise BadRunFile(f"`{path}` is no file", why="it is a folder, a pipe or a device", fixes=fixes)
        with path.open("rb") as file:
            text = file.read((16 << 20) + 1).decode("utf-8-sig")
    except OSError as error:
        why = error.strerror or str(error)
        raise BadRunFile(f"`{path}` cannot be read", why=why, fixes=fixes) from None
    except UnicodeDecodeError as error:
        raise BadRunFile(f"`{path}` is no text in UTF-8", why=str(error), fixes=fixes) from None
    return parsed(text, str(path))


@contextlib.contextmanager
def staged(file: RunFile, root: Path, store: LocalStore) -> Iterator[Place]:
    """A folder with the code of a file and the data that it reads, for a while. Raises `RunCodeGone`, `RunDataGone`."""
    folder = Path(tempfile.mkdtemp(prefix="stepwell-run-")).resolve()
    try:
        project = folder / "project"
        project.mkdir()
        lost = _code(file, root, project)
        if lost:
            yield Place(root, lost=lost)
            return
        _pylock(file, root, project)
        taken = Taken(Commit(file.commit, file.dirty), file.diff)
        yield Place(project, taken, frozen=_data(file, root, store, folder))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def prepared(file: RunFile, place: Place, store: LocalStore, settings: Settings) -> Work:
    """The plan of a file. Raises `RunCodeGone`, `RunDataGone`, `BadParameter`, and what loading and planning raise."""
    from stepwell.author.project import below, load

    if place.taken is None and not (place.root / file.pipeline.rpartition(":")[0]).is_file():
        raise RunCodeGone(
            f"neither the commit of the file nor its pipeline `{file.pipeline}` is here",
            why=place.lost,
            fixes=CLONE,
        )
    loaded = load(below(place.root, file.pipeline))
    ids = [
        one.id if one.id.endswith("]") else f"{one.id}[1]" for one in file.steps
    ]  # these calls, not all of the step
    choice = settings.selection if file.whole else Choice(until=tuple(ids))
    how = settings._replace(frozen=place.frozen, selection=choice)
    work = prepare(loaded, _params(file, loaded.pipeline), store, how)._replace(taken=place.taken)
    _refuse_other_code(file, work, place)
    _refuse_other_data(file, work)
    return work


# --------------------------------------------------------------------------- code


def _code(file: RunFile, root: Path, project: Path) -> str:
    """Put the files of the commit into a folder, with the changes of the tree; gives why that cannot be. Raises `RunCodeGone`."""
    from stepwell.app.against import take_out

    if not file.commit:
        return "the file has no commit"
    try:
        take_out(file.commit, root, project)
    except NoSuchCommit as error:
        if not in_repository(root):
            return f"there is no git repository here, to take the commit {file.commit[:12]} from"
        return (
            error.what
            if error.what.startswith("git ")
            else f"the commit {file.commit[:12]} is not in this clone"
        )
    if file.diff:
        _apply(file, root, project)
    return ""


def _pylock(file: RunFile, root: Path, project: Path) -> None:
    """Put the `pylock.toml` of the project beside the code, where no commit has it and it is that of the file."""
    if not file.pylock:
        return
    from stepwell.dist.pins import lock_of_project
    from stepwell.dist.pylock import digest_of_pylock, pylock_path

    lock = lock_of_project(project, project / file.pipeline.rpartition(":")[0])
    there, here = pylock_path(lock), root / lock.relative_to(project)
    if not there.exists() and digest_of_pylock(here) == file.pylock:
        shutil.copyfile(pylock_path(here), there)


def _apply(file: RunFile, root: Path, project: Path) -> None:
    """Change the files of a commit as the tree was changed. Raises `RunCodeGone`."""
    if file.diff.endswith(CUT):
        raise RunCodeGone(
            "the changes beyond the commit are not whole", why="only the first 1 MB of them was kept",
            fixes=COMMIT,
        )  # fmt: skip
    around = {**os.environ, "GIT_CEILING_DIRECTORIES": str(project.parent), "LC_ALL": "C"}
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        around.pop(name, None)
    prefix = subprocess.run(
        ["git", "rev-parse", "--show-prefix"], cwd=root, capture_output=True, check=False, text=True
    ).stdout.strip()
    words = ["git", "apply", f"-p{1 + prefix.count('/')}", "--whitespace=nowarn", "-"]
    done = subprocess.run(
        words,
        cwd=project,
        env=around,
        input=file.diff.encode("utf-8", "surrogatepass"),
        capture_output=True,
        check=False,
    )
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise RunCodeGone(
            f"the changes of the file cannot be made to the commit {file.commit[:12]}",
            why=said[0][:300] if said else "",
            fixes=COMMIT,
        )


def _refuse_other_code(file: RunFile, work: Work, place: Place) -> None:
    """Raises `RunCodeGone` where a step is there no more, or its code is something else."""
    nodes = {node.id: node.step for node in work.graph.nodes}
    codes, there = work.plan.known.identities, {one.id for one in file.steps}
    other = [s.id for s in file.steps if s.code and s.id in nodes and codes[nodes[s.id]].code != s.code]
    grows = any(step.kind == "dynamic" for step in work.graph.steps)
    gone = [] if grows else [s.id for s in file.steps if s.id not in nodes]
    new = [] if grows or not file.whole else [name for name in nodes if name not in there]
    kinds = (("is something else", other), ("is not there", gone), ("is not in the file", new))
    told = [f"`{name}` {word}" for word, names in kinds for name in names] or list(
        _said_otherwise(file, work)
    )
    if not told:
        return
    more = f" and {len(told) - 5} more" if len(told) > 5 else ""
    where = f"at commit {file.commit[:12]}" if place.taken is not None else "here"
    raise RunCodeGone(
        f"the code {where} is not that of the file: {', '.join(told[:5])}{more}",
        why=_cause(file, work, place),
        fixes=COMMIT if place.taken is not None else CLONE,
    )


def _said_otherwise(file: RunFile, work: Work) -> Iterator[str]:
    """In what the steps of a file, whose code is the same, are declared otherwise: their options count in no digest."""
    from stepwell.app.linked import specs_of

    specs = specs_of(work.graph)
    for step in file.steps:
        if step.id in specs:
            now = step._replace(**_said(specs[step.id]))
            yield from (f"`{step.id}` has {text}" for text in said_apart(step, now))


def _cause(file: RunFile, work: Work, place: Place) -> str:
    parts: dict[str, set[str]] = {}
    for step, identity in zip(work.graph.steps, work.plan.known.identities, strict=True):
        for name, digest in _parts(step.full_name, identity.parts).items():
            parts.setdefault(name, set()).add(digest)
    unknown = file.dirty and not file.diff
    known = place.lost or ("the tree had files that are in no commit" if unknown else "")
    gone = [name for name in file.code if name not in parts]
    moved = [name for name, digest in file.code.items() if digest not in parts.get(name, {digest})]
    told = [("definitions that are not there", gone), ("other definitions", moved)]
    causes = [known, *(f"{what}: {', '.join(names[:5])}" for what, names in told if names)]
    return "; ".join(filter(None, causes)) or "the file was edited, or another Stepwell wrote it"


# --------------------------------------------------------------------------- parameters


def _params(file: RunFile, pipeline: Any) -> dict[str, object]:
    """The parameters of a file as values, with what it sets inside of the pipeline. Raises `BadParameter`."""
    from stepwell.author.overrides import Plain
    from stepwell.author.params import from_call, shaped, type_of

    own: dict[str, object] = {}
    over: dict[str, object] = {}
    for name, value in file.params.items():
        if name not in pipeline.signature.parameters:  # of something inside
            over[name] = Plain(value)
            continue
        wanted, free = type_of(pipeline, name), pipeline.hints.get(name) is None
        if free and type(value) in (int, bool, float, type(None)) and wanted is not str:
            own[name] = value  # what was given where nobody says what it should be
            continue
        try:
            own[name] = (
                b64decode(value)
                if wanted is bytes
                else shaped(_back(value) if wanted is str else value, wanted)
            )
        except ValueError as error:
            if free:  # the type of the default is no promise
                own[name] = value
                continue
            raise BadParameter(
                f"parameter `{name}` of the file cannot be given", why=str(error), fixes=["look at the file"]
            ) from None
    return {**from_call(pipeline, (), own), **over}


def _back(value: Any) -> Any:
    """Text of a parameter that is text, and was taken for a number (`_param`)."""
    return next((text for text, number in _FLOATS.items() if repr(value) == number), value)


# --------------------------------------------------------------------------- data


def _data(file: RunFile, root: Path, store: LocalStore, folder: Path) -> bool:
    """Put data where a frozen run finds it; gives whether there is any. Raises `RunDataGone` naming all that is lacking."""
    if not file.sources:
        return False
    from stepwell.dist.lock import Data, Lock
    from stepwell.dist.lockfile import read, write
    from stepwell.dist.pins import lock_of_project

    project = folder / "project"
    (folder / "store").symlink_to(store.blobs.folder)
    code = project / file.pipeline.rpartition(":")[0]
    path = lock_of_project(project, code if code.is_file() else None)
    before = read(path) if path.is_file() else Lock()
    data = {}
    lacking = []
    for one in file.sources:
        locked = before.data.get(one.name)
        same = locked is not None and (locked.source, locked.bytes) == (one.address, one.digest)
        data[one.name] = (
            locked
            if locked is not None and same
            else Data(source=one.address, size=one.size, bytes=one.digest)
        )
        why = _lacks(one.name, data[one.name], root, store, folder)
        if why:
            lacking.append(f"`{one.name}` ({one.address}): {why}")
    if lacking:
        raise RunDataGone(
            f"data is not what the file says, and nobody kept what it was: {'; '.join(lacking)}",
            why="a run file is run with the data that it names, or not at all",
            fixes=["put the content back where it was", "stepwell run   runs with what is there now"],
        )
    write(path, Lock(data={**before.data, **data}))
    return True


def _lacks(name: str, data: Any, root: Path, store: LocalStore, folder: Path) -> str:
    """Why data with this digest is not to be had; "" where it is, on the stage or in the store."""
    from stepwell.app.elsewhere import Stage
    from stepwell.app.provisions import Around, provide
    from stepwell.dist.lock import Lock
    from stepwell.dist.pins import locked_of, places_of
    from stepwell.sources.address import parse
    from stepwell.sources.frozen import pin_locked
    from stepwell.sources.kept import Shelf
    from stepwell.sources.memo import Memory
    from stepwell.sources.pin import pin

    memo, shelf = Memory(), Shelf(store.blobs.folder)
    with contextlib.suppress(StepwellError):  # not at the commit, nor kept
        pin_locked(locked_of(data), root=folder / "project", memo=memo, shelf=shelf)
        return ""
    try:
        provide(Lock(data={name: data}), [name], Stage(folder), Around(root, store, places_of(root)))
    except InputErased as error:
        return str(error.why).partition(". ")[0].removeprefix(f"`{name}`: ")
    except InputGone:
        pass
    else:
        return ""
    kind = parse(data.source).kind
    try:  # asked last: the network may not be there
        now = pin(data.source, root=root, memo=memo, shelf=shelf, refresh=kind != "path")
    except StepwellError as error:
        return error.what
    found = now.digest == data.bytes and kind not in ("path", "package")
    return "" if found else f"its digest is {now.digest[:15]}… now, and was {data.bytes[:15]}…"


def _refuse_other_data(file: RunFile, work: Work) -> None:
    """Raises `RunDataGone` where what would be read is not what the file says."""
    then = {one.name: one.digest for one in file.sources}
    other = [
        f"`{source.name}` is {pinned.digest[:15]}… now, and was {then[source.name][:15]}…"
        for source, pinned in zip(work.graph.sources, work.pinned, strict=True)
        if source.name in then and pinned.digest != then[source.name]
    ]
    if other:
        raise RunDataGone(
            f"data is not what the file says: {'; '.join(other)}",
            why="a run file is run with the data that it names, or not at all",
            fixes=["put the content back where it was", "stepwell run   runs with what is there now"],
        )
