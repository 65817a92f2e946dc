"""The doors to the world. The kernel knows these shapes and nothing of what stands behind them.

`Past` answers questions about earlier results, `Store` keeps new ones, `Engine` executes tasks,
`Clock` tells the time. Each has one real implementation or more (`stepwell.stores`,
`stepwell.engines`) and one fake in `stepwell.testing`, with a public contract suite that any
other implementation can run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, Protocol

from stepwell.named import NamedTuple

if TYPE_CHECKING:
    from stepwell.kernel.graph import Graph, StepDef
    from stepwell.kernel.identity import Tokens


Digest = str
"""`b3:` and the BLAKE3 of bytes, 64 hexadecimal digits."""


class Artifact(NamedTuple):
    """One output value in the store: its name in the step, its codec, its blob, its size in bytes.

    `parts` are further blobs that the blob refers to (the files of a folder). `note` is what a
    person sees of it without opening it: "(336776, 19) DataFrame", "12.5".
    """

    name: str
    codec: str
    digest: Digest
    size: int
    parts: tuple[Digest, ...] = ()
    note: str = ""

    @property
    def token(self) -> str:
        """What the artifact comes to in the key of a step that takes it."""
        return f"{self.codec}:{self.digest}"


class Result(NamedTuple):
    """What a step once gave, and everything that its key was made of, so that a later miss can be explained.

    `inputs` are (name, token). `lost` says why the result cannot be used ("blob b3:… is gone"),
    and is empty where it can. `code` and `environment` are digests that `Past.parts` explains.
    `metrics` are the last values that the step logged. Times in seconds, memory in bytes.
    `observed` are the things beyond its key that the step was seen to rest on, with what they
    came to (see `World`); `made` is when, in seconds since 1970.
    """

    key: str
    step: str
    site: str
    code: str
    environment: str
    inputs: Tokens
    outputs: tuple[Artifact, ...]
    run: str = ""
    seconds: float = 0.0
    cpu: float = 0.0
    memory: int = 0
    metrics: tuple[tuple[str, float], ...] = ()
    lost: str = ""
    variables: Tokens = ()
    observed: Tokens = ()
    made: float = 0.0


Outputs = Callable[[int], Sequence[Artifact] | None]
"""Tells what a node of a graph gives; None where nothing is there (yet)."""


class Past(Protocol):
    """What is known of earlier results. Reading it changes nothing.

    >>> past.result(key)               # the newest result of exactly this key, or None
    >>> past.results(key)              # all of them: they differ in what they were seen to rest on
    >>> past.at_site(site)             # the newest result of this step with these inputs, whatever its code was
    >>> past.recent("pipeline:train")  # some of the newest results of this step, newest first
    >>> past.parts(result.code)        # {"pipeline.train": "9f…", "helpers.fit": "03…"}
    """

    def result(self, key: str) -> Result | None:
        """The newest result of a key, `lost` set where its blobs are gone or damaged; None if there is none."""

    def results(self, key: str) -> Sequence[Result]:
        """At most 32 of the newest results of a key, newest first."""

    def at_site(self, site: str) -> Result | None:
        """The newest result with this site (`identity.site_of`), usable or not."""

    def recent(self, step: str) -> Sequence[Result]:
        """At most 32 of the newest results of a step, by its full name, newest first."""

    def parts(self, digest: str) -> Mapping[str, str]:
        """What a code or environment digest was made of; empty where that is not known.

        A definition's name to its digest, or a distribution's name to its version.
        """


class World(Protocol):
    """What lies outside of every key, as it is now. Reading it changes nothing.

    What a step was seen to rest on is told by short texts: `file PATH` (a file's content), `kind
    PATH` (whether it is there, and what it is), `list PATH` (the names in a folder), `$NAME` (an
    environment variable); `ran PROGRAM` and `net HOST` are only noted, their token is "".
    """

    def token(self, what: str) -> str:
        """What an observed thing comes to now; `MOVING` for one that cannot be said to be anything."""

    def forget(self, paths: Iterable[str]) -> None:
        """Look again at these paths, which a step has written to, and at the folders that hold them."""


class Tests(Protocol):
    """The users' own tests of whether a step's work still counts (`done=`)."""

    def hold(self, graph: Graph, node: int, outputs: Outputs) -> bool | None:
        """What the test of a node says of its inputs; None if it cannot be asked, because one is not there yet."""


class Stored(NamedTuple):
    """An input that is in the store: the artifact, its bytes where they are few, and the part that is wanted."""

    artifact: Artifact
    data: bytes | None = None
    path: tuple[int | str, ...] = ()


class Outside(NamedTuple):
    """An input that is read from a source, with the digest that its content must have."""

    name: str
    uri: str
    type: str
    options: tuple[tuple[str, object], ...]
    digest: str


class Task(NamedTuple):
    """One execution of a step, complete in itself: an engine needs nothing else.

    `inputs` are (name, value), where a value is a `graph.Constant`, `Stored`, `Outside`, or a
    `graph.Pack` of these. `attempt` counts from 1.
    """

    node: int
    id: str
    key: str
    step: StepDef
    inputs: tuple[tuple[str, object], ...]
    run: str = ""
    out: str = ""
    attempt: int = 1


class Failure(NamedTuple):
    """Why a step failed, in the fields of `stepwell.errors`, with the user's own traceback if there is one."""

    code: str
    what: str
    why: str = ""
    fixes: tuple[str, ...] = ()
    docs: str = ""
    traceback: str = ""


class FailedStep(NamedTuple):
    """A step that failed, as `always` steps are told of it: its id, the error's code, what happened and why."""

    id: str
    code: str
    what: str
    why: str = ""


class Made(NamedTuple):
    """An output that a worker made: the artifact, and its bytes where they are few (else the blob is a file already)."""

    artifact: Artifact
    data: bytes | None = None


class Started(NamedTuple):
    """Report of an engine: a task began, in the process `pid`."""

    node: int
    pid: int = 0


class Said(NamedTuple):
    """Report of an engine: a step wrote to its standard output or error."""

    node: int
    stream: Literal["stdout", "stderr"]
    text: str


class Logged(NamedTuple):
    """Report of an engine: a step recorded a number with `log.metric`, or many of one name.

    `value` is the last one. Those of several that have a place in a series are packed in `series` (`stores.curves`).
    """

    node: int
    name: str
    value: float
    step: int | None = None
    series: bytes = b""


class Recorded(NamedTuple):
    """Report of an engine: a step recorded something else, which is passed on as it is (`stores.recordings.Thing`)."""

    node: int
    thing: Any


class Done(NamedTuple):
    """Report of an engine: a task ended. `failure` is None exactly when it succeeded.

    Seconds are wall and processor time of the step, `memory` its peak in bytes. `notes` are
    things a person should know that are not failures. `observed` is what the step was seen to
    rest on (see `World`), `wrote` the paths that it was seen to change. What a failed judge
    (`validate=`) refused comes as outputs and failure together.
    """

    node: int
    outputs: tuple[Made, ...] = ()
    failure: Failure | None = None
    seconds: float = 0.0
    cpu: float = 0.0
    memory: int = 0
    notes: tuple[str, ...] = ()
    observed: Tokens = ()
    wrote: tuple[str, ...] = ()


class Interrupt(NamedTuple):
    """Report of an engine: somebody asked the run to stop (`Engine.interrupt`)."""

    why: str = "interrupted"


Told = Said | Logged | Recorded
Report = Started | Told | Done | Interrupt


class Engine(Protocol):
    """Where tasks are executed. It is pulled: it never calls back and knows no graph.

    >>> engine.submit(task)
    >>> engine.wait(timeout=1.0)
    [Started(node=0, pid=4711), Done(node=0, outputs=(...), seconds=0.2, ...)]

    A task that dies, whatever the cause, is reported as `Done` with a failure, and concerns no other task.
    """

    def room(self) -> int:
        """How many more tasks it is worth handing over now; 0 when it is busy."""

    def submit(self, task: Task) -> None:
        """Take a task over. Returns at once; what becomes of it is told by `wait`."""

    def withdraw(self) -> Sequence[int]:
        """Give back what was not begun, by nodes: nothing more is told of these tasks."""

    def wait(self, timeout: float | None) -> Sequence[Report]:
        """What happened since the last call, in order; waits up to `timeout` seconds for something."""

    def interrupt(self, why: str = "interrupted") -> None:
        """Make `wait` return an `Interrupt` soon. Safe to call from a signal handler."""

    def close(self) -> None:
        """End everything that was started, with all descendants, within two seconds."""


class Store(Past, Protocol):
    """Keeps results. What `commit` has written is durable and seen by every other process.

    >>> store.claim(["key"])          # True where this run should compute it, False where another run is at it
    [True]
    >>> store.keep(result, made)      # remembered; visible to others after the next commit
    >>> store.commit()                # one transaction for everything kept since the last
    """

    def claim(self, keys: Sequence[str]) -> Sequence[bool]:
        """For each key, whether this run is to compute it; False while another living run does."""

    def news(self) -> int:
        """A number that changes when other runs may have kept results or ended claims. Cheap, to be asked all the time."""

    def keep(self, result: Result, made: Iterable[Made]) -> None:
        """Take a new result; its large blobs are already in place. Also ends the claim on its key."""

    def shelve(self, made: Iterable[Made]) -> None:
        """Take what a judge refused, for people to look at: its blobs, no result."""

    def release(self, key: str) -> None:
        """End the claim on a key that came to nothing."""

    def data(self, artifact: Artifact) -> bytes | None:
        """The verified bytes of a small artifact, or None where the blob is a file that workers open themselves.

        Raises `stepwell.errors.ArtifactGone` where the bytes are missing or not what was written.
        """

    def commit(self, *, now: bool = False, waiting: bool = False) -> None:
        """Write what was kept, if it is time (or `now`): some tens of milliseconds of results in one transaction.

        `waiting`: this run has nothing in flight, and may wait for one that waits for its results. They are written now.
        """


class Clock(Protocol):
    """The time, so that tests can do without."""

    def now(self) -> float:
        """Seconds since 1970, as people mean them."""

    def monotonic(self) -> float:
        """Seconds since some moment, never going back."""
