"""`plan --against COMMIT|RUN|RELEASE`: what would run, if everything of that commit, run or release were up to date.

Of a **run**, the past is what that run used and made, and nothing else. Of a **commit**, the past is
imagined: its files are taken out of git into a folder of their own, its pipeline is traced and
identified there by another process (its modules have the same names as ours), and each of its steps
is given a result that stands for whatever it would give. The plan of now is then decided with this
past, by the same function as ever; so what a merge would run again, and why, are its reasons.

A **release** carries its project's files, and is taken as a commit is; its data is what its lock says.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

from stepwell.author.identities import Source
from stepwell.author.layers import Outside
from stepwell.dist.releases.opened import PROJECT, Opened
from stepwell.errors import NoPipelineFile, NoSuchCommit, StepwellError, UnknownPipeline
from stepwell.kernel.graph import Binding, Constant, Graph, Pack
from stepwell.kernel.identity import digest, site_of
from stepwell.kernel.plan import Foreseen, Identity, Judge, Known, Pin, Plan, decide
from stepwell.kernel.ports import Artifact, Past, Result
from stepwell.stores.local import LocalStore
from stepwell.worker.world import World


class Imagined:
    """A `kernel.ports.Past` made of given results, the newest last."""

    def __init__(self, parts: Mapping[str, Mapping[str, str]] | None = None) -> None:
        self._by_key: dict[str, Result] = {}
        self._by_site: dict[str, Result] = {}
        self._by_step: dict[str, list[Result]] = {}
        self._parts = dict(parts or {})

    def add(self, result: Result) -> None:
        """One more result."""
        self._by_key[result.key] = self._by_site[result.site] = result
        self._by_step.setdefault(result.step, []).insert(0, result)

    def result(self, key: str) -> Result | None:
        """The result of a key."""
        return self._by_key.get(key)

    def results(self, key: str) -> Sequence[Result]:
        """The one result of a key."""
        found = self._by_key.get(key)
        return [] if found is None else [found]

    def at_site(self, site: str) -> Result | None:
        """The last result of a site."""
        return self._by_site.get(site)

    def recent(self, step: str) -> Sequence[Result]:
        """The last results of a step, newest first."""
        return self._by_step.get(step, [])[:32]

    def parts(self, digest: str) -> Mapping[str, str]:
        """What a code or environment digest is made of."""
        return self._parts.get(digest, {})


class _OfRun(Imagined):
    """What one run used and made; what digests are made of is asked of the store."""

    def __init__(self, store: LocalStore) -> None:
        super().__init__()
        self._store = store

    def parts(self, digest: str) -> Mapping[str, str]:
        """What a code or environment digest is made of."""
        return self._store.results.parts(digest)


Observed = Mapping[str, tuple[tuple[str, str], ...]]
"""By the full name of a step, what it was seen to rest on and what that comes to."""


class Side(NamedTuple):
    """A pipeline as it is elsewhere: its graph without payloads, identities, pins, and the texts of definitions.

    `observed` is what its steps were seen to rest on, as it is there.
    """

    graph: Graph
    identities: tuple[Identity, ...]
    pins: tuple[Pin, ...]
    sources: Mapping[str, Source]
    observed: Observed


def imagined(side: Side, here: Past) -> Imagined:
    """A past in which every step of a pipeline has been run; how long that took is what it took `here`."""
    parts: dict[str, Mapping[str, str]] = {}
    for identity in side.identities:
        parts[identity.code], parts[identity.environment] = identity.parts, identity.versions
    past = Imagined(parts)
    judge = Judge(side.graph, Known(side.identities, side.pins, past))
    given: list[Foreseen | None] = []
    for node, call in enumerate(side.graph.nodes):
        decision, step = judge.decide(node, given), side.graph.steps[call.step]
        identity, key = side.identities[call.step], str(decision.key)
        outputs = tuple(
            [Artifact(one.name, "imagined", f"b3:{digest(key + one.name)}", 0) for one in step.outputs]
        )
        last = next(iter(here.recent(step.full_name)), None)
        past.add(
            Result(
                key=key,
                step=step.full_name,
                site=site_of(step.full_name, decision.inputs),
                code=identity.code,
                environment=identity.environment,
                inputs=decision.inputs,
                outputs=outputs,
                variables=identity.variables,
                observed=side.observed.get(step.full_name, ()),
                seconds=last.seconds if last is not None else 0.0,
                memory=last.memory if last is not None else 0,
                made=time.time(),
            )
        )
        given.append(Foreseen(outputs, True, "cached"))
    return past


def against_run(plan: Plan, store: LocalStore, run: str) -> Plan:
    """The plan, decided with what one run used and made as the only past. Raises `UnknownRun`."""
    row = store.runs.run(run)
    numbers = store.runs.numbers(int(row.run[1:]))
    past = _OfRun(store)
    for _, result in sorted(store.results.by_number(numbers).items()):
        past.add(result)
    return decide(plan.graph, plan.known._replace(past=past), plan.wanted)


def against_commit(plan: Plan, side: Side) -> Plan:
    """The plan, decided as if everything of a commit were up to date."""
    past = imagined(side, plan.known.past)
    return decide(plan.graph, plan.known._replace(past=past, tests=None), plan.wanted)


# --------------------------------------------------------------------------- another commit


_NOTHING = Outside()


def side_of(
    commit: str, root: Path, pipeline: str, words: Sequence[str], plan: Plan, around: Outside = _NOTHING
) -> Side:
    """The pipeline of a commit; `plan` is the one of now. Raises `NoSuchCommit`, and what planning it there raises.

    Files that git does not keep (large data) are taken as they are now.
    """
    with tempfile.TemporaryDirectory(prefix="stepwell-") as folder:
        there = Path(folder).resolve()
        take_out(commit, root, there)
        return _asked(commit, there, root, pipeline, words, around, _seen(plan, root), {})


def side_of_release(
    release: Opened, root: Path, pipeline: str, words: Sequence[str], plan: Plan, around: Outside = _NOTHING
) -> Side:
    """The pipeline of a release, with the data of its lock; `plan` is the one of now.

    Raises `NoSuchCommit` where the pipeline is not in it, `BadRelease`, `BadLock`, and what planning it there raises.
    """
    called = f"{release.document.project} {release.document.version}"
    inside = {name.partition("/")[2] for name in release.names if name.startswith(f"{PROJECT}/")}
    with tempfile.TemporaryDirectory(prefix="stepwell-") as folder:
        there = Path(folder).resolve()
        for name in inside:
            (there / name).parent.mkdir(parents=True, exist_ok=True)
            (there / name).write_bytes(release.read(f"{PROJECT}/{name}"))
        seen = {
            step: [what for what in whats if what.partition(" ")[2].partition("\x1f")[0] in inside]
            for step, whats in _read(plan).items()
        }
        locked = {name: (data.bytes, data.size) for name, data in release.lock.data.items()}
        return _asked(called, there, root, pipeline, words, around, seen, locked)


def is_commit(word: str, root: Path) -> bool:
    """Whether git knows a commit by this word."""
    try:
        _git(word, root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{word}^{{commit}}")
    except NoSuchCommit:
        return False
    return True


Locked = Mapping[str, tuple[str, int]]
"""By the name of a source, its digest and size in bytes."""


def _asked(
    called: str,
    there: Path,
    root: Path,
    pipeline: str,
    words: Sequence[str],
    around: Outside,
    seen: Mapping[str, list[str]],
    locked: Locked,
) -> Side:
    """What another process says of the pipeline in the folder `there`, which errors call `called`. Raises as `side_of`."""
    command = [sys.executable, "-P", "-c", "from stepwell.app.against import tell; tell()"]
    asked = subprocess.run(
        command,
        input=pickle.dumps(
            (sys.path, str(there), str(root), pipeline, list(words), tuple(around), seen, locked)
        ),
        capture_output=True,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    try:
        answer: Any = pickle.loads(asked.stdout)  # of our own process  # noqa: S301
    except (EOFError, pickle.UnpicklingError):
        said = asked.stderr.decode("utf-8", "replace").strip().splitlines()
        raise NoSuchCommit(
            f"the pipeline of {called} could not be planned",
            why=said[-1] if said else "its process ended",
        ) from None
    if isinstance(answer, NoPipelineFile | UnknownPipeline):
        raise NoSuchCommit(
            f"the pipeline `{pipeline}` is not in {called}",
            why="it has another name or place there, or was made later",
            fixes=["another commit or release", f"git log --oneline -- {pipeline.partition(':')[0]}"],
        )
    if isinstance(answer, StepwellError):
        answer.what = f"in {called}: {answer.what}"
        raise answer
    return Side(*answer)


def _seen(plan: Plan, root: Path) -> dict[str, list[str]]:
    """What the steps were seen to read in the project, as far as git keeps it: the rest is as it is now."""
    found = _read(plan)
    places: dict[str, list[str]] = {}
    for what in {what for whats in found.values() for what in whats}:
        kind, _, rest = what.partition(" ")
        path = rest.partition("\x1f")[0]
        below = os.listdir(root / path) if kind in ("list", "all") and (root / path).is_dir() else []
        places[what] = [path, *[os.path.join(path, name) for name in below]]
    asked = "\0".join([path for paths in places.values() for path in paths]).encode()
    command = ["git", "check-ignore", "-z", "--stdin"]
    answer = subprocess.run(command, cwd=root, input=asked, capture_output=True, check=False).stdout
    ignored = set(answer.decode().split("\0"))
    return {step: [w for w in whats if not ignored & set(places[w])] for step, whats in found.items()}


def _read(plan: Plan) -> dict[str, list[str]]:
    """By the full name of a step, what it was seen to read in the project when it last ran."""
    found: dict[str, list[str]] = {}
    for step in plan.graph.steps:
        for result in plan.known.past.recent(step.full_name)[:1]:
            found[step.full_name] = [
                what
                for what, token in result.observed
                if token and " " in what and not os.path.isabs(what.partition(" ")[2])
            ]
    return found


def take_out(commit: str, root: Path, there: Path) -> str:
    """The files of a commit below the project's root, into a folder; gives the commit's id. Raises `NoSuchCommit`.

    Links that lead out of the project are left out: what they mean there is no file of the commit.
    """
    found = _git(commit, root, "rev-parse", "--verify", "--end-of-options", f"{commit}^{{commit}}")
    packed = _git(
        commit, root, "archive", "--format=tar", found.decode().strip()
    )  # of the working folder alone
    with tarfile.open(fileobj=BytesIO(packed)) as archive:
        archive.extractall(there, filter=_within)
    return found.decode().strip()


def _within(member: tarfile.TarInfo, folder: str) -> tarfile.TarInfo | None:
    try:
        return tarfile.data_filter(member, folder)
    except (tarfile.AbsoluteLinkError, tarfile.LinkOutsideDestinationError):
        return None


def _git(commit: str, root: Path, *words: str) -> bytes:
    """What git answers in the project's root. Raises `NoSuchCommit`."""
    try:
        asked = subprocess.run(["git", *words], cwd=root, capture_output=True, check=False)
    except OSError as error:
        raise NoSuchCommit("git is not here to ask", why=str(error), fixes=["install git"]) from None
    if asked.returncode:
        said = asked.stderr.decode("utf-8", "replace").strip().splitlines()
        raise NoSuchCommit(
            f"there is no commit `{commit}` here that holds this project",
            why=said[-1] if said else "",
            fixes=["git log --oneline", "stepwell runs   for the names of runs"],
        )
    return asked.stdout


def tell() -> None:
    """The other process: trace and identify, and write the answer to standard output, pickled."""
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what the pipeline's modules print is no answer
    told = pickle.loads(sys.stdin.buffer.read())  # from our parent  # noqa: S301
    path, there, root, pipeline, words, around, seen, locked = told
    sys.path[:] = path
    try:
        world = World(there)
        observed = {step: tuple((what, world.token(what)) for what in whats) for step, whats in seen.items()}
        answer: Any = (*_side(Path(there), Path(root), pipeline, words, Outside(*around), locked), observed)
    except StepwellError as error:
        answer = error
    out.write(pickle.dumps(answer))
    out.close()


def _side(
    there: Path, root: Path, pipeline: str, words: Sequence[str], around: Outside, locked: Locked
) -> tuple[Any, ...]:
    from stepwell.app.places import at
    from stepwell.app.placing import Forgetful, placed
    from stepwell.author.fingerprint import Project
    from stepwell.author.identities import identify
    from stepwell.author.layers import layered
    from stepwell.author.project import find, load, pipelines_of
    from stepwell.author.settings import settings_of
    from stepwell.author.trace import trace
    from stepwell.dist.pins import frozen_data
    from stepwell.sources.memo import Memory
    from stepwell.sources.pin import pin
    from stepwell.sources.web import Shelf

    os.chdir(there)
    loaded = load(find(pipeline, there))
    with at(there):
        around = around._replace(others=pipelines_of(loaded.module))
        graph = trace(loaded.pipeline, layered(loaded.pipeline, words, *around).values)
        shelf = Shelf(there / ".stepwell")
        pins = []
        frozen = frozen_data(there, loaded.target.file)
        locked = {**{name: (one.bytes, one.size) for name, one in frozen.items()}, **locked}
        for source in graph.sources:
            if source.name in locked:
                known, size = locked[source.name]
                pins.append(Pin(known, size=size))
                continue
            _borrow(source.uri, there, root)
            found = pin(source.uri, root=there, memo=Memory(), shelf=shelf)
            pins.append(Pin(found.digest, size=found.size))
        graph, _ = placed(graph, there, Forgetful())
        identified = identify(
            graph,
            Project(there, read=loaded.importer.snapshot.read),
            level=settings_of(there, loaded.target.file).environment,
            reads=loaded.importer.reads,
        )
    bare = graph._replace(
        nodes=tuple(
            node._replace(inputs=tuple((name, _bare(binding)) for name, binding in node.inputs))
            for node in graph.nodes
        ),
        params=tuple((name, None, token) for name, _, token in graph.params),
        result=_bare(graph.result),
    )
    return bare, identified.identities, tuple(pins), dict(identified.sources)


def _borrow(uri: str, there: Path, root: Path) -> None:
    """A file that the commit does not hold, as a link to what is there now."""
    place = uri.split("*", 1)[0].rstrip("/") if "*" in uri else uri
    if "://" in place or os.path.isabs(place):
        return
    ours, theirs = root / place, there / place
    if ours.exists() and not theirs.exists():
        theirs.parent.mkdir(parents=True, exist_ok=True)
        theirs.symlink_to(ours)


def _bare(binding: Binding) -> Binding:
    """A binding without values, which may be of classes that are others here."""
    if isinstance(binding, Constant):
        return Constant(None, binding.token, binding.codec)
    if isinstance(binding, Pack):
        items = tuple(_bare(item) for item in binding.items)
        return binding._replace(items=items, keys=())
    return binding
