"""What `pipeline.plan()` and `pipeline.run()` give."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any, Generic, TypeVar

from stepwell.errors import StepError, StepwellError
from stepwell.kernel.graph import Constant, FromSource, FromStep, leaves
from stepwell.kernel.plan import Decision, Plan
from stepwell.kernel.ports import Artifact
from stepwell.named import NamedTuple
from stepwell.plugins.registry import runner

R = TypeVar("R")


class StepView(NamedTuple):
    """One step of a run: `status` is "succeeded", "failed", "cached", "skipped", "blocked" or "interrupted".

    `outputs` are digests by name, `seconds` the wall time of its execution (of the earlier one where cached).
    """

    id: str
    step: str
    decision: str
    status: str
    reasons: tuple[str, ...]
    key: str | None
    seconds: float
    outputs: Mapping[str, str]
    metrics: Mapping[str, float]


class PlannedSource(NamedTuple):
    """A source of a plan: `size` in bytes, `changed` if it is not what it was when last used, `where` its line."""

    name: str
    uri: str
    type: str
    digest: str
    size: int
    changed: bool
    where: str


class PlannedStep(NamedTuple):
    """One call of a step in a plan.

    `arguments` are the constants that it is called with, by parameter; `needs` the ids of the calls
    that it waits for data from, `sources` the names of the sources that it reads. `reads` is the size
    of both in bytes, None where one is not known yet. `outputs` are types by name, as they are
    annotated. `cpus` processors, `memory` bytes (0: not stated), `env` names of variables, `out` the
    file that it claims, `where` the line of the call.
    """

    id: str
    step: str
    module: str
    decision: str
    reasons: tuple[str, ...]
    arguments: Mapping[str, Any]
    needs: tuple[str, ...]
    sources: tuple[str, ...]
    reads: int | None
    outputs: Mapping[str, str]
    cpus: float
    memory: int
    env: tuple[str, ...]
    out: str
    where: str


class PlanView:
    """A plan: what a run would do with each step, and why. Printing it shows the dry run.

    `decisions` maps a step's id to "run", "maybe", "cached", "skip", "blocked" or "dynamic";
    `document` is what `stepwell plan --json` prints. `steps` by id, in execution order, and
    `sources` by name are what checks look at.
    """

    def __init__(
        self, plan: Plan, document: Callable[[], Mapping[str, Any]], text: Callable[[], str]
    ) -> None:
        self.plan = plan
        self._document = document
        self._text = text

    @cached_property
    def document(self) -> Mapping[str, Any]:
        """What `stepwell plan --json` prints."""
        return self._document()

    @property
    def pipeline(self) -> str:
        """The pipeline's name."""
        return self.plan.graph.pipeline

    @property
    def params(self) -> dict[str, Any]:
        """The pipeline's parameters, by name."""
        return {name: value for name, value, _ in self.plan.graph.params}

    @cached_property
    def sources(self) -> dict[str, PlannedSource]:
        """The sources by name."""
        pairs = zip(self.plan.graph.sources, self.plan.known.pins, strict=True)
        return {
            s.name: PlannedSource(s.name, s.uri, s.type, pin.digest, pin.size, pin.changed, s.where)
            for s, pin in pairs
        }

    @cached_property
    def steps(self) -> dict[str, PlannedStep]:
        """The calls of steps by id, in execution order."""
        return {step.id: step for step in map(self._planned, self.plan.decisions)}

    def _planned(self, decision: Decision) -> PlannedStep:
        graph = self.plan.graph
        node, step = graph.nodes[decision.node], graph.step_of(decision.node)
        constants = {
            name: given.payload
            for name, given in node.inputs
            if isinstance(given, Constant) and not given.codec
        }
        found = [leaf for _, given in node.inputs for leaf in leaves(given)]
        before = dict.fromkeys(leaf.node for leaf in found if isinstance(leaf, FromStep))
        read = dict.fromkeys(leaf.source for leaf in found if isinstance(leaf, FromSource))
        sizes = [*map(self._size, before), *(self.plan.known.pins[place].size for place in read)]
        return PlannedStep(
            node.id,
            step.name,
            step.module,
            decision.verb,
            tuple(reason.text for reason in decision.reasons),
            constants,
            tuple(graph.nodes[i].id for i in before),
            tuple(graph.sources[i].name for i in read),
            None if None in sizes else sum(size for size in sizes if size is not None),
            {output.name: output.type for output in step.outputs},
            step.cpus,
            step.memory,
            step.env,
            node.out,
            node.where,
        )

    def _size(self, node: int) -> int | None:
        """Bytes of what a call gives, by its result that counts or was last made."""
        result = self.plan.decisions[node].result
        return sum(artifact.size for artifact in result.outputs) if result is not None else None

    @property
    def decisions(self) -> dict[str, str]:
        """Decision by step id, in execution order."""
        return {self.plan.graph.nodes[d.node].id: d.verb for d in self.plan.decisions}

    @property
    def counts(self) -> dict[str, int]:
        """How many steps have which decision."""
        return self.plan.counts()

    def __repr__(self) -> str:
        return self._text()

    def _repr_html_(self) -> str:
        """The plan as a table and a graph, for notebooks."""
        found: str = runner().plan_html(self.document)
        return found


class ArtifactView:
    """What a step of a run gave. A notebook shows what it holds: rows of a table, a picture, a model in words.

    `run` and `step` are ids, `name` that of the output ("result" where the step has one), `digest` that of its content,
    `size` its bytes, `note` what it is in a few words: "(336776, 19) DataFrame".
    """

    def __init__(
        self, run: str, step: str, artifact: Artifact, load: Callable[[], Any], html: Callable[[], str]
    ) -> None:
        self.run: str = run
        self.step: str = step
        self.name: str = artifact.name
        self.digest: str = artifact.digest
        self.size: int = artifact.size
        self.note: str = artifact.note
        self._load = load
        self._html = html

    def load(self) -> Any:
        """The value. Raises `ArtifactGone`, `CannotDecode`."""
        return self._load()

    def __repr__(self) -> str:
        name = self.step if self.name == "result" else f"{self.step}.{self.name}"
        told = f": {self.note}" if self.note else ""
        return f"<{name} of {self.run}{told}, {self.size:,} bytes>"

    def _repr_html_(self) -> str:
        """What it holds, for notebooks; nothing in it is run."""
        return self._html()


class Run(Generic[R]):
    """A run that has ended: `status` is "succeeded", "failed" or "interrupted".

    `steps` by id, `metrics` as last logged, `document` as `stepwell run --json` prints it. `run["train"]` is what a step
    gave, `run["split.held_out"]` one of several outputs.
    """

    def __init__(
        self,
        run: str,
        status: str,
        seconds: float,
        steps: Mapping[str, StepView],
        metrics: Mapping[str, float],
        document: Mapping[str, Any],
        load: Callable[[], R],
        error: StepwellError | None,
        html: Callable[[], str],
        gave: Callable[[str], ArtifactView],
    ) -> None:
        self.id = run
        self._gave = gave
        self._html = html
        self.status = status
        self.seconds = seconds
        self.steps = steps
        self.metrics = metrics
        self.document = document
        self.point: Mapping[str, Any] = {}
        """Of a point of a sweep, the values that vary."""
        self.error = error
        self._load = load
        self._result: list[R] = []

    @property
    def exit_code(self) -> int:
        """What a script should exit with: 0 for a run that succeeded, 1 if it failed, 130 if it was interrupted."""
        return {"succeeded": 0, "failed": 1}.get(self.status, 130)

    @property
    def result(self) -> R:
        """What the pipeline returned, loaded at first use. Raises what failed, if the run did not succeed."""
        if self.status != "succeeded":
            raise self.error or StepError(
                f"the run {self.id} was {self.status}", fixes=["run again: what is done is kept"]
            )
        if not self._result:
            self._result.append(self._load())
        return self._result[0]

    def __getitem__(self, name: str) -> ArtifactView:
        """What a step gave, by its id or name, or "step.output". Raises `UnknownStep`, `UnknownOutput`."""
        return self._gave(str(name))

    # With `__getitem__` alone it could be iterated over, by numbers that no step has.
    __iter__: None = None

    def __repr__(self) -> str:
        return f"<run {self.id} {self.status}>"

    def _repr_html_(self) -> str:
        """The run for notebooks: its steps, metrics, figures and tables; of one that failed what failed."""
        return self._html()
