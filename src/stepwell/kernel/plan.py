"""What to do with each step, and why: `decide(graph, known, wanted) -> Plan`. Pure.

The same judgement (`Judge`) serves before and during a run. Before, some inputs are only predicted:
a step that will run again is assumed to give what it gave last time. A step whose predicted key has
a result is `maybe`: it is cached if the prediction comes true. During the run `drive` asks again
with what the steps before it really gave, and every `maybe` becomes `cached` or `run`.

Nothing is matched by a step's id, which changes when a call is inserted before it. The result
that a miss is compared with is the newest one of the same step with the same inputs; or else of the
same call as it was before what all its calls share changed; or else the recent one that agrees in
most inputs, of these one whose code is the same. It is never one that another call of this plan has: that would be a new call.

A plan is exact: `cached` is reused, `maybe` is reused exactly if what it waits for comes out as it
was (or, where nobody can foresee that, as it was for some earlier result), `run` runs. Only a `run` that waits for something can still turn out to need no work: when that
comes out equal to what an older result rested on, or to what another call is given.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Literal, Protocol

from stepwell.kernel.graph import (
    DYNAMIC,
    Binding,
    Constant,
    FromSource,
    FromStep,
    Graph,
    Node,
    Pack,
    Piece,
    dependencies,
    grow,
    leaves,
    ordered,
)
from stepwell.kernel.identity import LONGEST, MOVING, Naming, Tokens, call_text, digest, site_of
from stepwell.kernel.ports import Artifact, Made, Outputs, Past, Result, Tests, World
from stepwell.named import NamedTuple

Verb = Literal["run", "maybe", "cached", "skip", "blocked", "dynamic"]


_shared = lru_cache(1024)(str)
"""A text, or an equal one that was given of late: whoever takes the same value soon after has the same text."""

_NOTHING = {"blocked": "has no result", "skip": "was left out"}
"""Decisions from which nothing comes, and what is said of the step then."""

VERSION = "version"
"""The name among a code's parts of a version that stands for it (`version=`)."""


class Identity(NamedTuple):
    """What a step's code and environment come to now.

    `code` and `environment` are digests; `parts` and `versions` say what of (a definition's name
    to its digest, a distribution's name to its version). `variables` are the declared environment
    variables with their tokens. `notes` name what could not be seen through. `standing` says why
    the code counts as something else than it is ("version 2", "edit accepted by ...").
    """

    code: str
    environment: str
    parts: Mapping[str, str]
    versions: Mapping[str, str]
    variables: Tokens = ()
    notes: tuple[str, ...] = ()
    standing: str = ""


class Pin(NamedTuple):
    """A source, pinned to the digest of its content. `changed`: it is not what it was when last used."""

    digest: str
    changed: bool = False
    size: int = 0


class Reason(NamedTuple):
    """One reason for a decision. `kind` is a tag, `text` a clause for people.

    Kinds of `run`: "new", "code", "param", "input", "environment", "observed" (something that it was
    seen to rest on), "missing" (its result is lost), "expired" (`ttl=`), "uncached" (`cache=False`),
    "done" (its own test), "forced"; of `maybe`, and of a `run` whose inputs may still change:
    "upstream". Of `cached`: "cached", "same" (another call does it), "done", "kept" (it was not to be
    run). Of `skip`: "unwanted", "upstream". Of `blocked`: "upstream", "stopped", "kept". Of `dynamic`:
    "dynamic". `name` is what it is about (a definition, an input, a
    distribution), `before` and `after` are the two tokens, digests or versions where there are two.
    """

    kind: str
    text: str
    name: str = ""
    before: str | None = None
    after: str | None = None


class Explain(Protocol):
    """Says in what a result differs from what is wanted now. It is asked about misses only."""

    def differences(
        self, graph: Graph, call: Node, known: Known, result: Result, inputs: Tokens, pending: Collection[int]
    ) -> tuple[Reason, ...]:
        """The reasons for which a call is not the one of a result; inputs from `pending` nodes may still turn out the same."""

    def observed(self, what: str, was: str, now: str) -> Reason:
        """The reason that speaks of something which a step was seen to rest on."""


class Grown(NamedTuple):
    """What a dynamic call became: its piece, what is known of the piece's own steps and sources.

    `made` describes it for people, in an artifact that is kept with the run.
    """

    piece: Piece
    identities: tuple[Identity, ...] = ()
    pins: tuple[Pin, ...] = ()
    made: Made | None = None


class Growth(Protocol):
    """What traces dynamic calls when their inputs are known."""

    def grown(self, graph: Graph, node: int, outputs: Outputs) -> Grown:
        """The piece that a dynamic call becomes; `outputs` tells what a node gives.

        Raises `StepwellError` for what is wrong in its body.
        """

    def moved(self, places: Mapping[int, int]) -> None:
        """Told that the graph was put in order: by old position the new one."""


class Known(NamedTuple):
    """Everything that a decision rests on: identities by step, pins by source, and the past.

    `world` tells what observed things come to now (without it they are taken to be as they were),
    `now` is the time in seconds since 1970, `tests` ask the steps that have a test of their own.
    `growth` traces dynamic calls (without it they stay what they are), `explain` says what differs.
    """

    identities: Sequence[Identity]
    pins: Sequence[Pin]
    past: Past
    world: World | None = None
    now: float = 0.0
    tests: Tests | None = None
    growth: Growth | None = None
    explain: Explain | None = None

    def more(self, grown: Grown) -> Known:
        """The same, with what is known of a piece."""
        identities = (*self.identities, *grown.identities)
        return self._replace(identities=identities, pins=(*self.pins, *grown.pins))


class Wanted(NamedTuple):
    """What was asked for: the results of these nodes (None: all), and nodes that must run in any case.

    `kept` nodes are not run: their newest result is taken as it is. `skipped` ones are left out, with
    all that needs them.
    """

    targets: Collection[int] | None = None
    forced: Collection[int] = ()
    kept: Collection[int] = ()
    skipped: Collection[int] = ()

    def more(self, node: int, nodes: Iterable[int]) -> Wanted:
        """The same, with the nodes that a dynamic one became wanted as it was."""
        sets = [None if one is None else set(one) | (set(nodes) if node in one else set()) for one in self]
        return Wanted(*sets)  # type: ignore[arg-type]

    def moved(self, places: Mapping[int, int]) -> Wanted:
        """The same, for a graph in another order: by old position the new one; others are gone."""
        sets = [None if one is None else {places[node] for node in one if node in places} for one in self]
        return Wanted(*sets)  # type: ignore[arg-type]


EVERYTHING = Wanted()
"""All results, each from wherever it can be had."""


class Decision(NamedTuple):
    """What is to be done with one node. `reasons` is never empty.

    `key` is None while an input is not known for certain. `result` is the result that is used
    ("cached"; None where another call of the plan is to make it first), that would be used ("maybe"),
    or that this one was compared with ("run"). `inputs` and `site` are as `identity` defines them, of
    predicted inputs where some are; the site is empty while not even a prediction can be made.
    """

    node: int
    verb: Verb
    reasons: tuple[Reason, ...]
    key: str | None = None
    result: Result | None = None
    inputs: Tokens = ()
    site: str = ""


class Plan(NamedTuple):
    """A graph and, for each of its nodes, a decision: what a dry run prints and a run drives."""

    graph: Graph
    known: Known
    wanted: Wanted
    decisions: tuple[Decision, ...]

    def counts(self) -> dict[str, int]:
        """How many steps have which decision, `run` and `cached` always among them."""
        out = {"run": 0, "cached": 0}
        for decision in self.decisions:
            out[decision.verb] = out.get(decision.verb, 0) + 1
        return out


class Foreseen(NamedTuple):
    """What a node will give: `outputs` is None if nobody can say; `certain` if it is not a prediction."""

    outputs: tuple[Artifact, ...] | None
    certain: bool
    verb: Verb


class Glance(Protocol):
    """How a judgement sees the nodes before: by position."""

    def __getitem__(self, node: int, /) -> Foreseen | None:
        """What is foreseen of a node; None where it has not been judged."""


def decide(graph: Graph, known: Known, wanted: Wanted = EVERYTHING) -> Plan:
    """A decision for each node of the graph, from facts alone; nothing is changed by it.

    Dynamic calls whose inputs are up to date are replaced by what they become, so the plan's graph may
    be a larger one.
    """
    decisions, growth = _decided(graph, known, wanted), known.growth
    while growth is not None and (ripe := [d.node for d in decisions if d.verb == "dynamic" and d.key]):
        given = [foresee(decision).outputs for decision in decisions]
        became: dict[int, range] = {}
        for node in ripe:
            grown = growth.grown(graph, node, given.__getitem__)
            became[node] = range(len(graph.nodes), len(graph.nodes) + len(grown.piece.nodes))
            wanted = wanted.more(node, became[node])
            graph, known = grow(graph, node, grown.piece), known.more(grown)
        graph, places = ordered(graph, became)
        wanted = wanted.moved(places)
        growth.moved(places)
        decisions = _decided(graph, known, wanted)
    return Plan(graph, known, wanted, tuple(decisions))


def grown_plan(plan: Plan, node: int, grown: Grown, past: Past, given: Sequence[Foreseen | None]) -> Plan:
    """The plan in the course of a run, with what a dynamic call became behind all others; `given` as far as known."""
    first = len(plan.graph.nodes)
    graph, known = grow(plan.graph, node, grown.piece), plan.known.more(grown)
    wanted = plan.wanted.more(node, range(first, len(graph.nodes)))

    def decided(taken: Mapping[str, int]) -> list[Decision]:
        judge = Judge(graph, known._replace(past=past), wanted.forced, taken=taken)
        foreseen, decisions = [*given, *[None] * (first - len(given))], list(plan.decisions)
        for new in range(first, len(graph.nodes)):
            decisions.append(judge.decide(new, foreseen))
            foreseen.append(foresee(decisions[-1]))
        return decisions

    return Plan(graph, known, wanted, tuple(_none_borrowed(decided)))


def _decided(graph: Graph, known: Known, wanted: Wanted) -> list[Decision]:
    return _none_borrowed(lambda taken: _decide_all(Judge(graph, known, wanted.forced, taken=taken), wanted))


def _none_borrowed(decided: Callable[[Mapping[str, int]], list[Decision]]) -> list[Decision]:
    """Decisions of which none is compared with a result of another call: taken again where the first ones were."""
    decisions = decided({})
    guesses = {d.result.site for d in decisions if d.result is not None and d.result.site != d.site}
    if not guesses:
        return decisions
    taken = {d.site: d.node for d in reversed(decisions) if d.result is not None and d.result.site == d.site}
    return decisions if taken.keys().isdisjoint(guesses) else decided(taken)


def _decide_all(judge: Judge, wanted: Wanted) -> list[Decision]:
    foreseen: list[Foreseen | None] = []
    decisions: list[Decision] = []
    makers: dict[object, int] = {}
    twins: dict[int, int] = {}
    left_out = _left_out(judge.graph, wanted)
    for node in range(len(judge.graph.nodes)):
        if node in left_out:
            decision = Decision(node, "skip", (left_out[node],))
        else:
            decision = judge.decide(node, foreseen)
            if node in wanted.kept and decision.verb not in ("cached", "dynamic"):
                decision = judge.kept(decision)
        promise = foresee(decision)
        if decision.verb == "run" and judge.graph.step_of(node).cache:
            maker = makers.setdefault(decision.key or judge.shape(node, foreseen, twins), node)
            # It is done once; what it gives is as open as what the other gives. One that is forced runs in any case,
            # which the other may not have to.
            if maker != node and (maker in judge.forced or node not in judge.forced):
                decision = judge.same(decision, maker)._replace(result=None)
                promise = foreseen[maker] or promise
                twins[node] = maker
        decisions.append(decision)
        foreseen.append(promise)
    return decisions


def foresee(decision: Decision) -> Foreseen:
    """What a decision promises to the nodes behind it."""
    outputs = decision.result.outputs if decision.result is not None else None
    return Foreseen(outputs, decision.verb == "cached", decision.verb)


def _left_out(graph: Graph, wanted: Wanted) -> dict[int, Reason]:
    """The nodes that are left out, with the reason: nothing wanted needs them, or they were to be skipped."""
    out: dict[int, Reason] = {}
    if wanted.targets is not None:
        needed = set(wanted.targets)
        for node in range(len(graph.nodes) - 1, -1, -1):
            if node in needed:
                needed.update(dependencies(graph.nodes[node]))
        unwanted = Reason("unwanted", "nothing that was asked for needs it")
        out = {node: unwanted for node in range(len(graph.nodes)) if node not in needed}
    for node, call in enumerate(graph.nodes) if wanted.skipped else ():
        if node in wanted.skipped:
            out[node] = Reason("unwanted", "asked to be left out")
        elif node not in wanted.kept and node not in out:
            before = [one for one in dependencies(call) if one in out and one not in call.after]
            if before:
                name = graph.nodes[before[0]].id
                out[node] = Reason("upstream", f"needs `{name}`, which is left out", name)
    return out


def standing(pack: Pack, before: Glance) -> tuple[Binding, ...]:
    """The items of a container that are there: of one that does without some, those that failed are left out.

    Where too few would be left, all of them: what waits for them is blocked then.
    """
    if pack.kind != "optional" and pack.least >= 1:
        return pack.items
    items = tuple([item for item in pack.items if not _failed(item, before)])
    enough = pack.kind == "optional" or len(items) >= pack.least * len(pack.items)
    return items if enough else pack.items


def falls_short(binding: Binding, before: Glance) -> bool:
    """Whether a list in a binding, which does without some of its items, has too few left."""
    if not isinstance(binding, Pack):
        return False
    short = binding.least < 1 and any(_failed(item, before) for item in standing(binding, before))
    return short or any(falls_short(item, before) for item in binding.items)


def _failed(binding: Binding, before: Glance) -> bool:
    seen = [before[leaf.node] for leaf in leaves(binding) if isinstance(leaf, FromStep)]
    return any(one is not None and one.verb in _NOTHING for one in seen)


@lru_cache(1024)
def _up_to_date(run: str, standing: str) -> tuple[Reason, ...]:
    """Why a call is up to date: the same for all whose results a run made."""
    since = f" since run {run}" if run else ""
    told = f" ({standing})" if standing else ""
    return (Reason("cached", f"up to date{since}{told}"),)


class _Alike(NamedTuple):
    """Results that a miss can be compared with, each with its inputs, and what these share.

    Beside each result: its inputs as a set, and the names of those that are not constants.
    """

    results: list[tuple[Result, frozenset[tuple[str, str]], set[str]]]
    shared: dict[str, str]


class Judge:
    """Takes decisions for the nodes of one graph, each from what is foreseen of the nodes before it.

    `taken` says which node has the results of a site, whatever code made them: no other node is compared
    with those. With the decisions of a plan, misses are compared with the results that the plan compared
    them with, whatever has been added to the past since. `forced` may be changed between two decisions.
    """

    def __init__(
        self,
        graph: Graph,
        known: Known,
        forced: Iterable[int] = (),
        *,
        taken: Mapping[str, int] | None = None,
        planned: Sequence[Decision] | None = None,
    ) -> None:
        self.graph, self.known, self.past = graph, known, known.past
        self.forced = set(forced)
        self._taken = taken or {}
        self._planned = planned
        self._names = [step.full_name for step in graph.steps]
        self._outputs = [tuple([output.name for output in step.outputs]) for step in graph.steps]
        self._judged = [bool(step.ttl or step.done or not step.cache) for step in graph.steps]
        self._ignored = [frozenset(step.ignore) for step in graph.steps]
        self._naming = [
            Naming.of(name, identity.code, identity.environment, identity.variables)
            for name, identity in zip(self._names, known.identities, strict=False)
        ]
        self._history: dict[str, Sequence[Result]] = {}
        self._blank: dict[Tokens, Tokens] = {}
        self._recent: dict[tuple[str, frozenset[str]], _Alike] = {}

    def decide(self, node: int, before: Glance) -> Decision:
        """The decision for one node."""
        call = self.graph.nodes[node]
        step = call.step
        waits: list[int] = []
        inputs, unknown = self._inputs(call, before, waits)
        pending: list[int] = []
        stuck = bool(call.after)
        for earlier in waits:
            seen = before[earlier]
            if seen is None or not seen.certain:
                pending.append(earlier)
                stuck = stuck or (seen is not None and seen.verb in _NOTHING)
        if stuck:
            first = () if self.graph.steps[step].always else call.after
            blocked = self._short(call, before) or self._blocked((*pending, *first), before)
            if blocked:
                return Decision(node, "blocked", blocked)
        if self.graph.steps[step].kind == DYNAMIC:
            return self._dynamic(node, inputs, pending)
        if unknown:
            if not any(text for _, text in inputs):  # one tuple for all such calls: there may be very many
                inputs = self._blank.setdefault(inputs, inputs)
            return self._run(node, None, inputs, "", None, pending)
        asked = call_text(inputs)
        key = self._naming[step].key(asked)
        result = self.past.result(key)
        if result is not None and tuple([made.name for made in result.outputs]) != self._outputs[step]:
            result = result._replace(lost=result.lost or "the step declares other outputs now")
        against: tuple[Reason, ...] = ()
        by_test = False
        if node not in self.forced and ((result is not None and result.observed) or self._judged[step]):
            result, against, by_test = self._weigh(node, inputs, result, before)
        if result is None or result.lost or against or node in self.forced:
            return self._run(node, key, inputs, asked, result, pending, against=against)
        # There may be very many: one text for both.
        key, inputs = (result.key, result.inputs) if result.key == key else (key, inputs)
        if pending:
            return Decision(node, "maybe", (self._waits_for(pending),), None, result, inputs, result.site)
        reasons = _up_to_date(result.run, self.known.identities[step].standing)
        if by_test:
            reasons = (Reason("done", "its own test (`done=`) says that it still counts, whatever changed"),)
        return Decision(node, "cached", reasons, key, result, inputs, result.site)

    def _dynamic(self, node: int, inputs: Tokens, pending: list[int]) -> Decision:
        """The decision for a call that becomes steps; its key is given when that can be now."""
        name = self._names[self.graph.nodes[node].step]
        became = [made.note for old in self._results_of(name)[:8] for made in old.outputs if made.note]
        last = f"; last time it became {became[0]}" if became else ""
        if pending:
            text = f"known when {self._listed(pending)} {'is' if len(set(pending)) == 1 else 'are'}{last}"
            return Decision(node, "dynamic", (Reason("dynamic", text),), None, None, inputs)
        asked, naming = call_text(inputs), self._naming[self.graph.nodes[node].step]
        key, site = naming.key(asked), naming.site(asked)
        reasons = (Reason("dynamic", f"its inputs are known{last}"),)
        return Decision(node, "dynamic", reasons, key, None, inputs, site)

    def kept(self, decision: Decision) -> Decision:
        """The decision for a node that is not to be run: the newest result that it has, whatever changed."""
        past = decision.result or self._compared(
            decision.node, self.graph.step_of(decision.node).full_name, decision.inputs, decision.site
        )
        past = None if past is None else self.past.result(past.key)  # which looks at its blobs
        names = self._outputs[self.graph.nodes[decision.node].step]
        if past is None or past.lost or tuple([made.name for made in past.outputs]) != names:
            reason = Reason("kept", past.lost if past is not None and past.lost else "it was never run")
            return decision._replace(verb="blocked", reasons=(reason,), key=None)
        why = decision.reasons[0].text
        reason = Reason("kept", f"left as it is since run {past.run} ({why})")
        return decision._replace(verb="cached", reasons=(reason,), key=past.key, result=past)

    def same(self, decision: Decision, maker: int) -> Decision:
        """The decision for a call that another one, with the same key, does as well."""
        name = self.graph.nodes[maker].id
        reason = Reason("same", f"the same call as `{name}`", name)
        return decision._replace(verb="cached", reasons=(reason,))

    def shape(self, node: int, before: Glance, twins: Mapping[int, int]) -> tuple[object, ...]:
        """What a call whose inputs are not known yet is: two of one shape are one call. `twins` as found so far."""
        call = self.graph.nodes[node]
        return (call.step, *[(name, self._shape(binding, before, twins)) for name, binding in call.inputs])

    def _shape(self, binding: Binding, before: Glance, twins: Mapping[int, int]) -> object:
        if type(binding) is FromStep:
            node, output, path, _ = binding
            seen = before[node]
            if seen is not None and seen.certain:
                return self._token(binding, before, [])
            return (twins.get(node, node), output, path)
        if isinstance(binding, Pack):
            items = [self._shape(item, before, twins) for item in binding.items]
            return (binding.kind, binding.record, binding.names, *items)
        return self._token(binding, before, [])

    # ------------------------------------------------------------------ does a result count?

    def _weigh(
        self, node: int, inputs: Tokens, result: Result | None, before: Glance
    ) -> tuple[Result | None, tuple[Reason, ...], bool]:
        """A result that counts, or one that does not with what speaks against it; whether the user's own test decided.

        What a key cannot hold: what the step was seen to rest on, how old the result is, and the
        user's own test, which has the last word.
        """
        step = self.graph.step_of(node)
        against: tuple[Reason, ...] = ()
        if result is not None and result.observed:
            result, against = self._as_observed(result)
        if result is not None and not against:
            if not step.cache:
                against = (Reason("uncached", "`cache=False`: it is never reused"),)
            elif step.ttl and abs(self.known.now - result.made) >= step.ttl:  # a clock may have been wrong
                against = (Reason("expired", f"its result is older than `ttl={step.ttl:g}` seconds"),)
        tests = self.known.tests if step.done else None
        if tests is not None:
            holds = tests.hold(
                self.graph, node, lambda earlier: seen.outputs if (seen := before[earlier]) else None
            )
            if holds is False and result is not None and not result.lost:
                no = Reason("done", "its own test (`done=`) says that it does not count any more")
                return result, (no, *against), False
            if holds and (result is None or result.lost or against):
                kept = result or self._compared(node, step.full_name, inputs, "")
                kept = None if kept is None else self.past.result(kept.key)  # which looks at its blobs
                if kept is not None and not kept.lost:
                    return kept, (), True
        return result, against, False

    def _as_observed(self, newest: Result) -> tuple[Result, tuple[Reason, ...]]:
        """The newest result of a key whose observed things are as they were; else the newest, and what moved."""
        moved = self._moved(newest)
        if not moved or newest.lost:
            return newest, ()
        names = [made.name for made in newest.outputs]
        for older in self.past.results(newest.key):
            if not older.lost and [made.name for made in older.outputs] == names and not self._moved(older):
                return older, ()
        explain = self.known.explain
        plain = (Reason("observed", "something that it read is not as it was"),)
        return newest, plain if explain is None else tuple([explain.observed(*each) for each in moved])

    def _moved(self, result: Result) -> list[tuple[str, str, str]]:
        """What a result was seen to rest on that is not as it was: what, before, now."""
        world = self.known.world
        if world is None:
            return []
        pairs = [(what, was, world.token(what)) for what, was in result.observed if was]
        return [pair for pair in pairs if pair[1] != pair[2] or pair[1] == MOVING]

    # ------------------------------------------------------------------ inputs

    def _inputs(self, call: Node, before: Glance, waits: list[int]) -> tuple[Tokens, bool]:
        """What the inputs of a call come to, "" of those that nobody knows yet, and whether there are such."""
        tokens: list[tuple[str, str]] = []
        unknown = False
        ignored = self._ignored[call.step]
        for name, binding in call.inputs:
            text = binding.token if type(binding) is Constant else self._token(binding, before, waits)
            if name not in ignored:
                unknown = unknown or text is None
                tokens.append((name, text or ""))
        return tuple(tokens), unknown

    def _token(self, binding: Binding, before: Glance, waits: list[int]) -> str | None:
        """What an input comes to in a key, or None if that is not known; notes the nodes that it takes from."""
        if type(binding) is FromStep:
            node, output, path, own = binding
            waits.append(node)
            seen = before[node]
            for name, codec, content, *_ in (seen.outputs or ()) if seen is not None else ():
                if name == output:
                    return own or _shared(f"{codec}:{content}{list(path)}" if path else f"{codec}:{content}")
            return None
        if isinstance(binding, Pack):
            items = standing(binding, before)
            if binding.kind == "optional":
                return self._token(items[0], before, waits) if items else "None"
            parts = [self._token(item, before, waits) for item in items]
            if None in parts:
                return None
            if binding.names:
                parts = [f"{name}:{part}" for name, part in zip(binding.names, parts, strict=True)]
            text, label = ",".join(map(str, parts)), binding.record or binding.kind
            return f"{label}({text})" if len(text) <= LONGEST else f"{label}{{#{digest(text)}}}"
        if isinstance(binding, FromSource):
            place = binding.source
            return f"source:{self.known.pins[place].digest}:{self.graph.sources[place].reader}"
        return binding.token

    def _blocked(self, nodes: Iterable[int], before: Glance) -> tuple[Reason, ...]:
        reasons = []
        for node in dict.fromkeys(nodes):
            seen = before[node]
            if seen is not None and seen.verb in _NOTHING:
                name = self.graph.nodes[node].id
                reasons.append(Reason("upstream", f"`{name}` {_NOTHING[seen.verb]}", name))
        return tuple(reasons)

    def _short(self, call: Node, before: Glance) -> tuple[Reason, ...]:
        """Why a call is blocked that takes a list of which too much has failed."""
        reasons = []
        for name, binding in call.inputs:
            if isinstance(binding, Pack) and binding.least < 1 and falls_short(binding, before):
                failed, count = sum([_failed(item, before) for item in binding.items]), len(binding.items)
                text = f"{failed:,} of {count:,} calls for `{name}` failed, and a share of {binding.least:g} must succeed"
                reasons.append(Reason("upstream", text, name))
        return tuple(reasons)

    def _waits_for(self, nodes: Sequence[int]) -> Reason:
        return Reason("upstream", f"waits for {self._listed(nodes)}", self.graph.nodes[nodes[0]].id)

    def _listed(self, nodes: Iterable[int]) -> str:
        names = [self.graph.nodes[node].id for node in dict.fromkeys(nodes)]
        shown = ", ".join(f"`{name}`" for name in (names if len(names) < 5 else names[:3]))
        return shown + (f" and {len(names) - 3} more" if len(names) > 4 else "")

    # ------------------------------------------------------------------ misses

    def _run(
        self,
        node: int,
        key: str | None,
        inputs: Tokens,
        asked: str,
        exact: Result | None,
        pending: list[int],
        *,
        against: tuple[Reason, ...] = (),
    ) -> Decision:
        """The decision to run: `exact` is the result of the key, which is lost, or not wanted (`against`).

        There is no key while an input is unknown; `asked` is the `call_text` of the inputs.
        """
        call = self.graph.nodes[node]
        step, unknown = self._names[call.step], key is None
        site = "" if unknown else self._naming[call.step].site(asked)
        past = exact or self._compared(node, step, inputs, site)
        if past is not None and (past.inputs, past.site) == (inputs, site):  # very often: one text for both
            inputs, site = past.inputs, past.site
        if node in self.forced:
            reasons: tuple[Reason, ...] = (Reason("forced", "asked to run again"),)
        elif against:
            reasons = against
        elif exact is not None:
            reasons = (Reason("missing", exact.lost, before=exact.key),)
        elif past is None:
            reasons = self._new(node, step)
        else:
            reasons = self._differences(call, past, inputs, pending)
        waits = (self._waits_for(pending),) if pending else ()
        if pending and unknown and node not in self.forced and self._could_be_cached(call, inputs, pending):
            return Decision(node, "maybe", waits, None, past, inputs, site)
        key = None if pending else key
        return Decision(node, "run", reasons + waits or NEW_CALL, key, past, inputs, site)

    def _could_be_cached(self, call: Node, inputs: Tokens, pending: Sequence[int]) -> bool:
        """Whether a result is known that differs in nothing but inputs that nobody can foresee."""
        history = self._results_of(self._names[call.step])
        if not history or not self.graph.steps[call.step].cache:
            return False
        identity, open_nodes = self.known.identities[call.step], set(pending)
        now = (identity.code, identity.environment, identity.variables)
        open_names = {
            name
            for name, binding in call.inputs
            if any(isinstance(leaf, FromStep) and leaf.node in open_nodes for leaf in leaves(binding))
        }
        known = {pair for pair in inputs if pair[0] not in open_names}
        names = {name for name, _ in inputs}
        return any(
            (result.code, result.environment, result.variables) == now
            and {name for name, _ in result.inputs} == names
            and known <= set(result.inputs)
            for result in history
        )

    def _results_of(self, step: str) -> Sequence[Result]:
        """Some of the newest results of a step, asked for once."""
        found = self._history.get(step)
        if found is None:
            found = self._history[step] = self.past.recent(step)
        return found

    def _compared(self, node: int, step: str, inputs: Tokens, site: str) -> Result | None:
        """The earlier result that a miss is compared with; an unknown input has an empty token."""
        if self._planned is not None:
            return self._planned[node].result
        if not self._results_of(step):
            return None
        found = self.past.at_site(site) if site else None
        if found is not None:
            return found
        alike = self._alike(step, frozenset([name for name, _ in inputs]))
        if not alike.results:
            return None
        now = dict(inputs)
        earlier = [
            (name, alike.shared.get(name) or now.get(name, "")) for name, _ in alike.results[0][0].inputs
        ]
        found = self.past.at_site(site_of(step, earlier))
        if found is not None and self._taken.get(found.site, node) == node:
            return found
        best, most, wanted, content = None, -1, frozenset(inputs), content_of(inputs)
        code = self.known.identities[self.graph.nodes[node].step].code
        for result, pairs, theirs in alike.results:
            agreeing = 4 * len(wanted & pairs) + 2 * (content == theirs) + (result.code == code)
            if agreeing > most and self._taken.get(result.site, node) == node:
                best, most = result, agreeing
        return best

    def _alike(self, step: str, names: frozenset[str]) -> _Alike:
        """Recent results of a step with these inputs; where there are none, of calls that had some of them."""
        found = self._recent.get((step, names))
        if found is None:
            recent = self._results_of(step)
            called = [{name for name, _ in result.inputs} for result in recent]
            chosen = [result for result, theirs in zip(recent, called, strict=True) if theirs == names] or [
                result
                for result, theirs in zip(recent, called, strict=True)
                if theirs & names or not theirs or not names
            ]
            results = [(result, frozenset(result.inputs), content_of(result.inputs)) for result in chosen]
            shared = dict(frozenset.intersection(*[pairs for _, pairs, _ in results])) if results else {}
            found = self._recent[step, names] = _Alike(results, shared)
        return found

    # ------------------------------------------------------------------ reasons

    def _differences(
        self, call: Node, past: Result, inputs: Tokens, pending: Collection[int]
    ) -> tuple[Reason, ...]:
        if self.known.explain is None:
            return () if inputs == past.inputs and not pending else (Reason("input", "something changed"),)
        return self.known.explain.differences(self.graph, call, self.known, past, inputs, pending)

    def _new(self, node: int, step: str) -> tuple[Reason, ...]:
        planned = self._planned[node].reasons[0] if self._planned is not None else None
        if planned is not None and planned.kind == "new":
            return NEW_CALL if planned == NEW_CALL[0] else NEW_STEP
        return NEW_CALL if self._results_of(step) else NEW_STEP


NEW_STEP = (Reason("new", "no earlier result"),)
NEW_CALL = (Reason("new", "no earlier result for these inputs"),)


_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')
_CONTENT = re.compile(r":b3:|\bsource:|\{#")


def is_stored(token: str | None) -> bool:
    """Whether a token stands for stored or outside content rather than for a constant."""
    return token is not None and bool(_CONTENT.search(_QUOTED.sub("", token) if '"' in token else token))


def content_of(inputs: Iterable[tuple[str, str]]) -> set[str]:
    """The names of the inputs that are not constants; one that is not known yet is none."""
    return {name for name, token in inputs if not token or is_stored(token)}
