"""What to do with each step, and why: `decide(graph, known, wanted) -> Plan`. Pure.

The same judgement serves before and during a run. Before, some inputs are only predicted: a step
that will run again is assumed to give what it gave last time. A step whose predicted key has a
result is `maybe`: it is cached if the prediction comes true. During the run `drive` asks again
with what the steps before it really gave, and every `maybe` becomes `cached` or `run`.

Nothing is matched by a step's id, which changes when a call is inserted before it. The result
that a miss is compared with is the newest one of the same step with the same inputs, or else the
recent one that agrees in most inputs.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Literal, NamedTuple, Protocol

from stepwell.kernel.graph import Binding, Constant, FromSource, FromStep, Graph, Pack
from stepwell.kernel.identity import key_of, site_of
from stepwell.kernel.ports import Artifact, Past, Result

Verb = Literal["run", "maybe", "cached", "skip", "blocked", "dynamic"]


class Identity(NamedTuple):
    """What a step's code and environment come to now.

    `code` and `environment` are digests; `parts` and `versions` say what of (a definition's name
    to its digest, a distribution's name to its version). `variables` are the declared environment
    variables with their tokens. `notes` name what could not be seen through.
    """

    code: str
    environment: str
    parts: Mapping[str, str]
    versions: Mapping[str, str]
    variables: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()


class Pin(NamedTuple):
    """A source, pinned to the digest of its content. `changed`: it is not what it was when last used."""

    digest: str
    changed: bool = False
    size: int = 0


class Known(NamedTuple):
    """Everything that a decision rests on: identities by step, pins by source, and the past."""

    identities: Sequence[Identity]
    pins: Sequence[Pin]
    past: Past


class Wanted(NamedTuple):
    """What was asked for: the results of these nodes (None: all), and nodes that must run in any case."""

    targets: Collection[int] | None = None
    forced: Collection[int] = ()


class Reason(NamedTuple):
    """One reason for a decision. `kind` is a tag, `text` a clause for people.

    `name` is what it is about (a definition, an input, a distribution), `before` and `after` are
    the two tokens, digests or versions where there are two.
    """

    kind: str
    text: str
    name: str = ""
    before: str | None = None
    after: str | None = None


class Decision(NamedTuple):
    """What is to be done with one node. `reasons` is never empty.

    `key` is None while an input is not known. `result` is the result that is used ("cached"), that
    would be used ("maybe"), or that this one was compared with ("run"). `inputs` and `site` are as
    `identity` defines them, and empty while an input is not known.
    """

    node: int
    verb: Verb
    reasons: tuple[Reason, ...]
    key: str | None = None
    result: Result | None = None
    inputs: tuple[tuple[str, str], ...] = ()
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
        """What is foreseen of a node."""
        ...


def decide(graph: Graph, known: Known, wanted: Wanted = Wanted()) -> Plan:
    """A decision for each node of the graph, from facts alone; nothing is changed by it."""
    needed = _needed(graph, wanted)
    foreseen: list[Foreseen | None] = []
    decisions: list[Decision] = []
    for node in range(len(graph.nodes)):
        if needed is not None and node not in needed:
            decision = Decision(node, "skip", (Reason("unwanted", "nothing that was asked for needs it"),))
        else:
            decision = judge(graph, known, wanted, node, foreseen)
        decisions.append(decision)
        foreseen.append(foresee(decision))
    return Plan(graph, known, wanted, tuple(decisions))


def foresee(decision: Decision) -> Foreseen:
    """What a decision promises to the nodes behind it."""
    outputs = decision.result.outputs if decision.result is not None else None
    return Foreseen(outputs, decision.verb == "cached", decision.verb)


def judge(graph: Graph, known: Known, wanted: Wanted, node: int, before: Glance) -> Decision:
    """The decision for one node, given what is foreseen of those before it."""
    call = graph.nodes[node]
    identity = known.identities[call.step]
    step = graph.steps[call.step].full_name
    tokens: list[tuple[str, str]] = []
    waits: dict[int, None] = {}
    unknown = False
    for name, binding in call.inputs:
        text = _token(binding, graph, known, before, waits)
        if text is None:
            unknown = True
            text = ""
        tokens.append((name, text))
    for earlier in call.after:
        _wait_for(earlier, before, waits)
    blocked = _blocked(graph, waits, before)
    if blocked:
        return Decision(node, "blocked", blocked)
    inputs = tuple(tokens)
    if unknown:
        return _unknown(graph, known, node, inputs, waits)
    key = key_of(step, identity.code, identity.environment, inputs, identity.variables)
    result = known.past.result(key)
    site = site_of(step, inputs)
    forced = node in wanted.forced
    usable = result is not None and not result.lost and not forced
    if waits and not all(_certain(earlier, before) for earlier in waits):
        pending = _pending(graph, waits)
        if usable:
            return Decision(node, "maybe", (pending,), None, result, inputs, site)
        past, reasons = explain(known, step, identity, inputs, site, result, forced)
        return Decision(node, "run", (*reasons, pending), None, past, inputs, site)
    if usable and result is not None:
        since = f" since run {result.run}" if result.run else ""
        return Decision(node, "cached", (Reason("cached", f"up to date{since}"),), key, result, inputs, site)
    past, reasons = explain(known, step, identity, inputs, site, result, forced)
    return Decision(node, "run", reasons, key, past, inputs, site)


def explain(
    known: Known,
    step: str,
    identity: Identity,
    inputs: tuple[tuple[str, str], ...],
    site: str,
    exact: Result | None,
    forced: bool = False,
) -> tuple[Result | None, tuple[Reason, ...]]:
    """The earlier result that a miss is compared with, and what differs from it."""
    if forced:
        return exact or known.past.at_site(site), (Reason("forced", "asked to run again"),)
    if exact is not None and exact.lost:
        return exact, (Reason("missing", exact.lost, before=exact.key),)
    past = known.past.at_site(site) or _likest(known.past.recent(step), inputs)
    if past is None:
        return None, (Reason("new", "no earlier result"),)
    reasons = [
        *_code_reasons(known.past, past, identity),
        *_input_reasons(past.inputs, inputs),
        *_environment_reasons(known.past, past, identity),
        *_variable_reasons(past, identity),
    ]
    return past, tuple(reasons) or (Reason("new", "no earlier result for these inputs"),)


def _needed(graph: Graph, wanted: Wanted) -> set[int] | None:
    if wanted.targets is None:
        return None
    from_here = set(wanted.targets)
    for node in range(len(graph.nodes) - 1, -1, -1):
        if node in from_here:
            call = graph.nodes[node]
            from_here.update(call.after)
            for _, binding in call.inputs:
                from_here.update(_nodes_in(binding))
    return from_here


def _nodes_in(binding: Binding) -> Iterable[int]:
    if isinstance(binding, FromStep):
        return (binding.node,)
    if isinstance(binding, Pack):
        return tuple(node for item in binding.items for node in _nodes_in(item))
    return ()


def _token(
    binding: Binding, graph: Graph, known: Known, before: Glance, waits: dict[int, None]
) -> str | None:
    """What an input comes to in a key, or None if that is not known; notes the nodes that it waits for."""
    if isinstance(binding, Constant):
        return binding.token
    if isinstance(binding, FromStep):
        seen = before[binding.node]
        waits[binding.node] = None
        if seen is None or seen.outputs is None:
            return None
        for artifact in seen.outputs:
            if artifact.name == binding.output:
                return f"{artifact.token}{list(binding.path)}" if binding.path else artifact.token
        return None
    if isinstance(binding, FromSource):
        source = graph.sources[binding.source]
        return f"source:{known.pins[binding.source].digest}:{source.reader}"
    parts = [_token(item, graph, known, before, waits) for item in binding.items]
    if any(part is None for part in parts):
        return None
    named = [f"{n}:{p}" for n, p in zip(binding.names, parts, strict=True)] if binding.names else parts
    return f"{binding.record or binding.kind}({','.join(str(part) for part in named)})"


def _wait_for(node: int, before: Glance, waits: dict[int, None]) -> None:
    """A node that only comes first: it counts for being blocked, never for being uncertain."""
    seen = before[node]
    if seen is not None and seen.verb in ("blocked", "skip"):
        waits[node] = None


def _certain(node: int, before: Glance) -> bool:
    seen = before[node]
    return seen is not None and seen.certain


def _blocked(graph: Graph, waits: Iterable[int], before: Glance) -> tuple[Reason, ...]:
    reasons = []
    for node in waits:
        seen = before[node]
        if seen is not None and seen.verb in ("blocked", "skip"):
            name = graph.nodes[node].id
            word = "has no result" if seen.verb == "blocked" else "was left out"
            reasons.append(Reason("upstream", f"`{name}` {word}", name=name))
    return tuple(reasons)


def _pending(graph: Graph, waits: Iterable[int]) -> Reason:
    names = [graph.nodes[node].id for node in waits]
    shown = ", ".join(f"`{name}`" for name in names[:3]) + (" and others" if len(names) > 3 else "")
    return Reason("upstream", f"waits for {shown}", name=names[0])


def _unknown(
    graph: Graph, known: Known, node: int, inputs: tuple[tuple[str, str], ...], waits: Iterable[int]
) -> Decision:
    """The decision for a node with an input of which nothing is known: it cannot have a result yet."""
    step = graph.step_of(node).full_name
    settled = tuple((name, token) for name, token in inputs if token)
    past = _likest(known.past.recent(step), settled)
    reasons: tuple[Reason, ...] = (Reason("new", "no earlier result"),)
    if past is not None:
        identity = known.identities[graph.nodes[node].step]
        held = tuple(pair for pair in past.inputs if pair[0] in dict(settled))
        reasons = (*_code_reasons(known.past, past, identity), *_input_reasons(held, settled))
    return Decision(node, "run", (*reasons, _pending(graph, waits)), None, None)


def _likest(results: Sequence[Result], inputs: tuple[tuple[str, str], ...]) -> Result | None:
    """The result that agrees with most of the inputs, the newest of several."""
    best, most = None, -1
    for result in results:
        agreeing = sum(pair in result.inputs for pair in inputs)
        if agreeing > most:
            best, most = result, agreeing
    return best


def _code_reasons(past: Past, result: Result, identity: Identity) -> list[Reason]:
    if result.code == identity.code:
        return []
    reasons = []
    for name, old, new in _differences(past.parts(result.code), identity.parts):
        word = "is new" if old is None else "is gone" if new is None else "changed"
        reasons.append(Reason("code", f"code of `{name}` {word}", name, old, new))
    return reasons or [Reason("code", "its code changed", before=result.code, after=identity.code)]


def _input_reasons(old: Iterable[tuple[str, str]], new: Iterable[tuple[str, str]]) -> list[Reason]:
    reasons = []
    for name, was, now in _differences(dict(old), dict(new)):
        plain = not any(_stored(token) for token in (was, now))
        if plain:
            kind, text = "param", f"`{name}` {was if was is not None else 'unset'} → {now if now is not None else 'unset'}"
        else:
            kind, text = "input", f"input `{name}` changed" if was and now else f"input `{name}` is {'new' if now else 'gone'}"
        reasons.append(Reason(kind, text, name, was, now))
    return reasons


def _stored(token: str | None) -> bool:
    """Whether a token stands for stored or outside content rather than for a constant."""
    return token is not None and ("b3:" in token or token.startswith("source:"))


def _environment_reasons(past: Past, result: Result, identity: Identity) -> list[Reason]:
    if result.environment == identity.environment:
        return []
    reasons = [
        Reason("environment", f"{name} {old or 'absent'} → {new or 'absent'}", name, old, new)
        for name, old, new in _differences(past.parts(result.environment), identity.versions)
    ]
    return reasons or [Reason("environment", "the environment changed", "", result.environment, identity.environment)]


def _variable_reasons(result: Result, identity: Identity) -> list[Reason]:
    return [
        Reason("environment", f"${name} {old or 'unset'} → {new or 'unset'}", f"${name}", old, new)
        for name, old, new in _differences(dict(result.variables), dict(identity.variables))
    ]


def _differences(
    old: Mapping[str, str], new: Mapping[str, str]
) -> list[tuple[str, str | None, str | None]]:
    names = [*new, *(name for name in old if name not in new)]
    return [(name, old.get(name), new.get(name)) for name in names if old.get(name) != new.get(name)]
