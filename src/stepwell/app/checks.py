"""What a plan is verified for before anything runs: a table of checks, those of the user's own, and which of them are asked.

checking = Checking(loaded, Selection(depth="types"), memo)
attempt = checking.trace(params)                  # glue code, arguments, types: found by tracing
pinned = checking.pin(lambda source: pin(...))    # sources that are not there
checking.refuse()                                 # raises, if something is wrong so far
notes = checking.judge(plan, room)                # the rest; raises, or gives what is worth a look

Everything that is found is raised as one error (`stepwell.author.problems`). A check is a function
of `Facts` that yields errors, and texts for what is only worth a look; a kind of step or source
that needs a check of its own adds a row to `BUILT_IN`.
"""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stepwell.app.contracts import contracts_for, references_for
from stepwell.app.selecting import matching
from stepwell.author.checks import Check, ask, checks_of
from stepwell.author.problems import Problems, together
from stepwell.author.project import Loaded
from stepwell.author.settings import Rules, settings_of
from stepwell.author.trace import Attempt, Trace, attempt
from stepwell.errors import (
    AmbiguousName,
    MissingSource,
    OutputOutside,
    SameOutputFile,
    StepwellError,
    TooFewResources,
    UsageError,
    nearest,
)
from stepwell.kernel.graph import Constant, Graph, Node, SourceDef, StepDef, leaves
from stepwell.kernel.plan import Growth, Plan, Wanted
from stepwell.named import NamedTuple
from stepwell.plugins.registry import registry
from stepwell.worker.kinds import claims, is_made, spec_of
from stepwell.worker.secrets import Secret, any_made, check, inside

if TYPE_CHECKING:
    from stepwell.app.learning import Learning, Learns
    from stepwell.author.runs import PlanView
    from stepwell.sources.memo import Memo
    from stepwell.sources.pin import Pinned

DEPTHS = ("names", "types", "data")
"""How deep: the body runs and arguments bind; their types, parameters, paths; what is in the data, and users' checks."""

OWN = "checks"
"""The name that stands for all of the user's own checks."""


class Selection(NamedTuple):
    """Which checks are asked: none deeper than `depth` ("": all), only the named ones (none: all), without some."""

    depth: str = ""
    only: tuple[str, ...] = ()
    without: tuple[str, ...] = ()

    def takes(self, name: str, depth: str, also: str = "") -> bool:
        """Whether a check is asked; it may be named by `also`, too."""
        names = {name, also}
        deep = DEPTHS.index(depth) <= DEPTHS.index(self.depth or "data")
        return deep and (not self.only or bool(names & set(self.only))) and not names & set(self.without)


ALL = Selection()


class Facts(NamedTuple):
    """What a check looks at. `plan` is None where there is none because something is wrong already.

    `pinned` are the sources, None where one could not be pinned; `outside` the folders outside of the
    project where steps may write; `room` is where the store lies, None where that does not matter; `contracts` are those of
    the manifest (`app.contracts`).
    """

    traced: Attempt
    root: Path
    pinned: tuple[Pinned | None, ...]
    memo: Memo
    outside: tuple[str, ...] = ()
    plan: Plan | None = None
    room: Path | None = None
    contracts: Mapping[str, Mapping[str, str] | str] = {}

    def line_of(self, step: int) -> str:
        """The line that defines a step; "" of one that came into the graph later."""
        return self.traced.steps[step].where if step < len(self.traced.steps) else ""

    def due(self) -> Iterator[int]:
        """The nodes that may run: all where there is no plan."""
        if self.plan is None:
            yield from range(len(self.traced.graph.nodes))
        else:
            yield from (d.node for d in self.plan.decisions if d.verb not in ("cached", "skip"))


Finding = StepwellError | str
"""What is wrong, or (a text) what is worth a look."""


class BuiltIn(NamedTuple):
    """A check of Stepwell's own: its name, how deep it goes, what it is about, and its function."""

    name: str
    depth: str
    about: str
    look: Callable[[Facts], Iterable[Finding]]


# --------------------------------------------------------------------------- the checks


def _by_tracing(facts: Facts) -> Iterable[Finding]:
    """What tracing and pinning find; a row of the table, so that it can be named and left out."""
    return ()


def outputs(facts: Facts) -> Iterator[Finding]:
    """Files that a link leads out of the project; sources that are files which a step writes."""
    graph = facts.traced.graph
    root = os.path.realpath(facts.root)
    allowed = (
        root,
        *(os.path.realpath(os.path.join(root, os.path.expanduser(folder))) for folder in facts.outside),
    )
    writers: dict[str, str] = {}
    for node in graph.nodes:
        if node.out:
            writers[node.out] = node.id
            real = os.path.realpath(os.path.join(root, node.out))
            if not any(
                real == folder or real.startswith(folder.rstrip(os.sep) + os.sep) for folder in allowed
            ):
                yield OutputOutside(
                    f"`{node.id}` writes `{node.out}`, which is `{real}`, outside of the project",
                    fixes=[
                        'write it inside: .options(out="...")',
                        f'or say that it may, in the manifest: plan = {{outside = ["{os.path.dirname(real)}"]}}',
                    ],
                    where=node.where,
                )
    for source in graph.sources:
        writer = writers.get(_path_of(source))
        if writer is not None:
            yield (
                f"the source `{source.name}` is the file that `{writer}` writes: "
                f"take what `{writer}` returns, so that the order is known"
            )


def _written(path: str, writers: Mapping[str, str]) -> Iterator[str]:
    """What may help where a file is missing that a step writes, or once wrote under another name."""
    meant = path if path in writers else nearest(path, writers)
    if meant is not None:
        what = "it writes that file" if meant == path else f"it writes `{meant}`"
        yield f"take what `{writers[meant]}` returns: {what}"


def _path_of(source: SourceDef) -> str:
    from stepwell.sources.address import parse

    try:
        address = parse(source.uri)
    except StepwellError:
        return ""
    return os.path.normpath(address.path) if address.kind == "path" else ""


def resources(facts: Facts) -> Iterator[Finding]:
    """Processors and memory that steps ask for, against what this machine has."""
    graph = facts.traced.graph
    large = {i for i, step in enumerate(graph.steps) if step.cpus > 1 or step.memory}
    asking: dict[int, int] = {}
    for node in facts.due() if large else ():
        if graph.nodes[node].step in large:
            asking.setdefault(graph.nodes[node].step, node)
    if not asking:
        return
    from stepwell.engines import machine  # asks the system, which costs where nothing is asked for

    cpus, memory = machine.processors(), machine.memory()
    for node in asking.values():
        step, call = graph.step_of(node), graph.nodes[node]
        for what, asked, there, unit in (
            ("processors", step.cpus, cpus, 1),
            ("GB of memory", step.memory, memory, 10**9),
        ):
            if there and asked > there:
                yield TooFewResources(
                    f"the step `{step.name}` asks for {asked / unit:.4g} {what}, and this machine has {there / unit:.4g}",
                    why="it would run alone, on less than it needs",
                    fixes=[
                        "ask for less, or run where there is more",
                        "to run it nevertheless: -x resources",
                    ],
                    where=call.where,
                )


def environment(facts: Facts) -> Iterator[Finding]:
    """Environment variables that steps declare and that are not set."""
    users: dict[str, dict[str, None]] = {}
    for step in facts.traced.graph.steps:
        for name in step.env:
            if name not in os.environ:
                users.setdefault(name, {})[f"`{step.name}`"] = None
    for name, steps in users.items():
        yield f"${name} is not set, and {', '.join(steps)} declare{'s' if len(steps) == 1 else ''} to read it"


def columns(facts: Facts) -> Iterable[Finding]:
    """Columns that steps declare, against the files of sources and against what other steps declare."""
    from stepwell.app.columns import compared

    return compared(facts.traced, facts.pinned, facts.memo, facts.contracts)


def kinds(facts: Facts) -> Iterator[Finding]:
    """What steps that are no Python functions need: programs, files. What runs elsewhere is not asked here."""
    for i, step in enumerate(facts.traced.graph.steps):
        if is_made(step) and not step.place:
            for error in registry.kind(step.kind).check(spec_of(step.spec), facts.root):
                error.where = error.where or facts.line_of(i)
                yield error
    for i, step in enumerate(facts.traced.graph.steps):
        for definition in step.services:
            from stepwell.worker import services  # few pipelines have any

            for error in services.check(definition):
                error.where = error.where or facts.line_of(i)
                yield error
    yield from _claimed_twice(facts)


def _claimed_twice(facts: Facts) -> Iterator[Finding]:
    """Files of the project that two calls write, where one of them is a command with several outputs."""
    graph = facts.traced.graph
    writers: dict[str, Node] = {}
    made = [is_made(step) for step in graph.steps]
    for node in graph.nodes:
        if not node.out and not made[node.step]:
            continue
        found = claims(graph.steps[node.step], node.out)
        for _, path in found:
            other = writers.setdefault(path.casefold(), node)
            if other is not node and (path != node.out or path != other.out):
                yield SameOutputFile(
                    f"`{other.id}` and `{node.id}` both write `{path}`",
                    why="the file would hold the result of whichever ran last",
                    fixes=["let one of them write to another place"],
                    where=node.where,
                )


def _defaults(step: StepDef, given: Collection[str]) -> list[object]:
    """The defaults of a step's parameters, of those that are not `given`."""
    found: Any = sys.modules.get(step.module)
    for part in step.qualname.split("."):
        found = getattr(found, part, None)
    function = inspect.unwrap(getattr(found, "function", None) or len)
    if not inspect.isfunction(function):
        return []
    parameters = inspect.signature(function).parameters.values()
    return [p.default for p in parameters if p.default is not p.empty and p.name not in given]


def secrets(facts: Facts) -> Iterator[Finding]:
    """Secrets that steps get, against where they are said to be; those of steps that need not run are not asked for."""
    graph, asked = facts.traced.graph, set[Secret]()
    for node in facts.due() if any_made() else ():
        call = graph.nodes[node]
        held = [
            leaf.payload for _, binding in call.inputs for leaf in leaves(binding) if type(leaf) is Constant
        ]
        for secret in inside([held, _defaults(graph.step_of(node), dict(call.inputs))]):
            error = None if secret in asked else check(secret)
            asked.add(secret)
            if error is not None:
                error.where = error.where or call.where
                yield error


def roles(facts: Facts) -> Iterator[Finding]:
    """Roles (`stepwell.ml`) of steps, against what their annotations say that they give."""
    if not any(step.role for step in facts.traced.graph.steps):
        return
    from stepwell.ml import misfits  # most pipelines have none

    for step, known in zip(facts.traced.graph.steps, facts.traced.steps, strict=False):
        yield from misfits(step.role, step.name, known.returns, known.where) if step.role else ()


def queries(facts: Facts) -> Iterable[Finding]:
    """Queries of steps in SQL, against the columns of what they get."""
    from stepwell.app.columns import queried

    return queried(facts.traced, facts.pinned, facts.memo, facts.due(), facts.root)


LEAST_ROOM = 10**8
"""Bytes that should be free on the disk of the store in any case."""


def disk(facts: Facts) -> Iterator[Finding]:
    """Whether what the steps gave last time finds room on the store's disk."""
    if facts.plan is None or facts.room is None:
        return
    decisions = [facts.plan.decisions[node] for node in facts.due()]
    if not decisions:
        return
    needed = sum(a.size for d in decisions if d.result is not None for a in d.result.outputs)
    try:
        room = os.statvfs(facts.room)
    except OSError:
        return
    free = room.f_bavail * room.f_frsize
    if free < max(needed, LEAST_ROOM):
        told = f"; the steps gave {needed / 10**6:,.0f} MB last time" if needed else ""
        yield f"only {free / 10**6:,.0f} MB are free where the store is{told}"


BUILT_IN = (
    BuiltIn("types", "types", "types and ranges of what is passed to steps", _by_tracing),
    BuiltIn("outputs", "types", "files that steps write", outputs),
    BuiltIn("resources", "types", "processors and memory", resources),
    BuiltIn("environment", "types", "environment variables", environment),
    BuiltIn("kinds", "types", "programs and files that steps in other languages need", kinds),
    BuiltIn("secrets", "types", "secrets that steps need", secrets),
    BuiltIn("roles", "types", "what steps with a role must give", roles),
    BuiltIn("columns", "data", "columns of tables", columns),
    BuiltIn("queries", "data", "queries of steps in SQL", queries),
    BuiltIn("disk", "data", "room on the disk", disk),
)
"""Every check of Stepwell's own. That the body runs, arguments bind and sources are there is always verified."""


# --------------------------------------------------------------------------- asking them


MakesGrowth = Callable[[Trace, Graph, Callable[["Learning"], "Learns"]], Growth]
"""Makes what traces the dynamic calls of a trace; the last argument makes `app.learning.Learning` number sources as the trace does."""


class Checking:
    """The verification of one plan; collects what is wrong until it is raised."""

    single = True
    """Whether the plan is that of one run: the files that it claims are put back where its steps are up to date."""

    def __init__(self, loaded: Loaded, selection: Selection, memo: Memo, only: Sequence[str] = ()) -> None:
        self.loaded = loaded
        self.memo = memo
        self.root = loaded.target.root
        self.problems = Problems()
        settings = settings_of(self.root, loaded.target.file)
        self._own_names = settings.checks
        self._rules = settings.plan
        early = [one.__name__ for one in checks_of(loaded.module.__name__, (), self._own_names)]
        self.names: tuple[str, ...] = (*(one.name for one in BUILT_IN), *early, OWN)
        """What checks are named."""
        self._only = tuple(only)
        named = (*selection.only, *_checks_among(only, self.names))
        self.selection = selected(selection._replace(only=named), self._rules)
        self.steps: tuple[str, ...] = ()
        """What was asked for alone and is no check: steps."""
        self._pinned: tuple[Pinned | None, ...] = ()

    def trace(self, params: Mapping[str, object]) -> Attempt:
        """Trace the pipeline. Raises `UsageError` where a check is named that does not exist."""
        self.traced = self.attempt(params)
        for error in self.traced.problems.errors:
            self.problems.add(error)
        for note in self.traced.problems.notes:
            self.problems.note(note)
        steps = self.traced.graph.steps
        self.own = checks_of(self.loaded.module.__name__, (step.module for step in steps), self._own_names)
        self.names = tuple(dict.fromkeys([*self.names, *(one.__name__ for one in self.own)]))
        self._tell_apart()
        refuse_unknown(self.selection, self.own)
        return self.traced

    def _tell_apart(self) -> None:
        """Names that were asked for alone: checks or steps. Raises `AmbiguousName` for one that is both."""
        named = _checks_among(self._only, self.names)
        for name in self._only:
            if name in self.names and matching(self.traced.graph, name):
                raise AmbiguousName(
                    f"`{name}` is a check and a step",
                    why="`--only` takes both: checks to verify, and steps to run",
                    fixes=[f"--only check:{name}", f"--only step:{name}"],
                )
        more = tuple(name for name in named if name not in self.selection.only)
        self.selection = self.selection._replace(only=(*self.selection.only, *more))
        self.steps = tuple(n for n in self._only if n not in self.names and not n.startswith("check:"))

    def attempt(self, params: Mapping[str, object]) -> Attempt:
        """What tracing with these parameters comes to."""
        return attempt(self.loaded.pipeline, params, types=self.selection.takes("types", "types"))

    def growing(self, graph: Graph, make: MakesGrowth) -> Growth | None:
        """What traces the dynamic calls of the graph that was traced; None where they stay what they are."""
        return (
            make(self.traced.tracing, graph, lambda known: known) if self.traced.tracing is not None else None
        )

    def wanted(self, graph: Graph, choose: Callable[[Graph], Wanted]) -> Wanted:
        """What is asked for of the graph that was traced, by names that mean steps of one pipeline."""
        return choose(graph)

    def pin(self, pin: Callable[[SourceDef], Pinned]) -> tuple[Pinned, ...]:
        """Pin the sources; those that were pinned, all of them if nothing is wrong."""
        graph = self.traced.graph
        writers = {node.out: node.id for node in graph.nodes if node.out}
        found: list[Pinned | None] = []
        for i, source in enumerate(graph.sources):
            found.append(None)
            if i in self.traced.broken:
                continue
            try:
                found[-1] = pin(source)
            except StepwellError as error:
                error.where = error.where or source.where
                if isinstance(error, MissingSource):
                    error.fixes = (*_written(_path_of(source), writers), *error.fixes)
                self.problems.add(error)
        self._pinned = tuple(found)
        return tuple(one for one in found if one is not None)

    def refuse(self) -> None:
        """Raise if something is wrong so far, with what the checks find that need no plan."""
        if self.problems:
            self._look(self._facts())
            raise self.problems.error()

    def judge(
        self, plan: Plan, room: Path | None = None, pinned: Sequence[Pinned] | None = None
    ) -> tuple[str, ...]:
        """Ask every check; gives the notes. Raises what they find. `room` is where the store lies.

        `pinned` are the sources of the plan's graph, which is larger than what was traced at first
        where dynamic calls have become steps.
        """
        tracing = self.traced.tracing
        if tracing is not None and plan.graph is not self.traced.graph:
            known = {"steps": tuple(tracing.known), "gives": tuple(tracing.gives)}
            self.traced = self.traced._replace(graph=plan.graph, **known)
            self._pinned = self._pinned if pinned is None else tuple(pinned)
        self._look(self._facts()._replace(plan=plan, room=room))
        view = view_of(plan)
        for one in self.own:
            if self.selection.takes(one.__name__, "data", OWN):
                for error in _asked(one, plan, view):
                    self.problems.add(error)
        if self.problems:
            raise self.problems.error()
        for each in self.traces():
            for told in each.missed():
                self.problems.note(told)
        return tuple(self.problems.notes)

    def traces(self) -> Iterator[Trace]:
        """What traced the pipeline, and its dynamic calls since."""
        if self.traced.tracing is not None:
            yield self.traced.tracing

    def _facts(self) -> Facts:
        about = self.traced.graph, self.root, self.loaded.target.file
        contracts = {**contracts_for(*about), **references_for(*about)}
        return Facts(
            self.traced, self.root, self._pinned, self.memo, self._rules.outside, contracts=contracts
        )

    def _look(self, facts: Facts) -> None:
        for one in BUILT_IN:
            if self.selection.takes(one.name, one.depth):
                for finding in one.look(facts):
                    if isinstance(finding, str):
                        self.problems.note(finding)
                    else:
                        self.problems.add(finding)


def _asked(one: Check[Any, Any], plan: Plan, view: PlanView) -> Iterator[StepwellError]:
    if one.step is None:
        yield from ask(one, view)
        return
    full_name = "{}:{}".format(*one.step.place())
    ids = [node.id for node in plan.graph.nodes if plan.graph.steps[node.step].full_name == full_name]
    for each in ids:
        yield from ask(one, view.steps[each], view)


def view_of(plan: Plan) -> PlanView:
    """A plan as checks see it."""
    from stepwell.app.documents import plan_document  # only where a check asks for it
    from stepwell.author.runs import PlanView

    def text() -> str:
        return "\n".join(f"{step.decision:8} {step.id}" for step in view.steps.values())

    view = PlanView(plan, lambda: plan_document(plan), text)
    return view


def _checks_among(names: Iterable[str], known: Collection[str]) -> tuple[str, ...]:
    """Those of the names that are checks', `check:` in front of them taken away."""
    return tuple(n.removeprefix("check:") for n in names if n in known or n.startswith("check:"))


def selected(asked: Selection, rules: Rules) -> Selection:
    """What was asked for, completed by the project's default. Raises `UsageError`."""
    if asked.depth and asked.depth not in DEPTHS:
        hint = nearest(asked.depth, DEPTHS)
        fixes = [f"did you mean `{hint}`?"] if hint else []
        raise UsageError(
            f"there is no depth `{asked.depth}`", fixes=[*fixes, f"depths are: {', '.join(DEPTHS)}"]
        )
    return Selection(asked.depth or rules.depth, asked.only or rules.only, (*asked.without, *rules.without))


def check_rows(loaded: Loaded) -> list[dict[str, str]]:
    """Every check of a project, as `plan --checks` prints it: its name, depth, what it is about, its line."""
    named = settings_of(loaded.target.root, loaded.target.file).checks
    rows = [{"name": one.name, "depth": one.depth, "about": one.about, "where": ""} for one in BUILT_IN]
    for one in checks_of(loaded.module.__name__, (), named):
        about = (one.__doc__ or "").strip().partition("\n")[0] or f"your own, {one.where}"
        rows.append({"name": one.__name__, "depth": "data", "about": about, "where": one.where})
    return rows


def refuse_unknown(selection: Selection, own: Iterable[Check[Any, Any]]) -> None:
    """Refuse names that no check has. Raises `UsageError`, of several `SeveralProblems`."""
    known = [*(one.name for one in BUILT_IN), *(one.__name__ for one in own), OWN]
    wrong = []
    for name in dict.fromkeys((*selection.only, *selection.without)):
        if name not in known:
            hint = nearest(name, known)
            fixes = [f"did you mean `{hint}`?"] if hint else []
            wrong.append(
                UsageError(f"there is no check `{name}`", fixes=[*fixes, f"checks are: {', '.join(known)}"])
            )
    if wrong:
        raise together(wrong)


__all__ = ["ALL", "BUILT_IN", "DEPTHS", "Checking", "Facts", "Selection", "check_rows", "selected"]
