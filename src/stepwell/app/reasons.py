"""Why a result is not the one that is wanted: what differs between then and now, in facts and in words.

The kernel decides whether a step runs; what this says of it is what `plan` prints, `why` shows as a
diff, and the record keeps. Implements `kernel.plan.Explain`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from stepwell.kernel.graph import Binding, FromSource, FromStep, Graph, Node, leaves
from stepwell.kernel.identity import MOVING, Tokens
from stepwell.kernel.plan import VERSION, Identity, Known, Reason, is_stored
from stepwell.kernel.ports import Result


class Differences:
    """Compares results with what their steps are and get now; remembers what all calls of a step share."""

    def __init__(self) -> None:
        self._codes: dict[tuple[str, str], tuple[Reason, ...]] = {}
        self._environments: dict[tuple[str, str], tuple[Reason, ...]] = {}

    def differences(
        self, graph: Graph, call: Node, known: Known, result: Result, inputs: Tokens, pending: Collection[int]
    ) -> tuple[Reason, ...]:
        """Everything in which a result differs from a call; inputs from `pending` nodes may still turn out the same."""
        identity = known.identities[call.step]
        return (
            *self._code(known, result, identity),
            *_inputs(graph, call, known, result.inputs, inputs, pending),
            *self._environment(known, result, identity),
            *_variables(result, identity),
        )

    def observed(self, what: str, was: str, now: str) -> Reason:
        """The reason that speaks of something which a step was seen to rest on."""
        return observed(what, was, now)

    def _code(self, known: Known, result: Result, identity: Identity) -> tuple[Reason, ...]:
        """What changed in the code since a result was made."""
        if result.code == identity.code:
            return ()
        pair = (result.code, identity.code)
        found = self._codes.get(pair)
        if found is None:
            reasons = []
            old = known.past.parts(result.code)
            if VERSION in old or VERSION in identity.parts:
                was, now = old.get(VERSION), identity.parts.get(VERSION)
                if was != now:
                    text = f"version {was or '(none)'} → {now or '(none)'}"
                    found = self._codes[pair] = (Reason("code", text, VERSION, was, now),)
                    return found
            for name, was, now in _differences(old, identity.parts) if old else ():
                word = "is new" if was is None else "is gone" if now is None else "changed"
                reasons.append(Reason("code", f"code of `{name}` {word}", name, was, now))
            found = self._codes[pair] = tuple(reasons) or (Reason("code", "its code changed", "", *pair),)
        return found

    def _environment(self, known: Known, result: Result, identity: Identity) -> tuple[Reason, ...]:
        """What changed in what is installed."""
        if result.environment == identity.environment:
            return ()
        pair = (result.environment, identity.environment)
        found = self._environments.get(pair)
        if found is None:
            old = known.past.parts(result.environment)
            reasons = [
                Reason("environment", f"{name} {_versions(was, now)}", name, was, now)
                for name, was, now in (_differences(old, identity.versions) if old else ())
            ]
            found = tuple(reasons) or (Reason("environment", "the environment changed", "", *pair),)
            self._environments[pair] = found
        return found


def _inputs(
    graph: Graph,
    call: Node,
    known: Known,
    old: Tokens,
    new: Tokens,
    pending: Collection[int],
) -> list[Reason]:
    """What differs in the inputs, but for those that may still turn out as they were."""
    bindings, open_nodes = dict(call.inputs), set(pending)
    reasons = []
    for name, was, now in _differences(dict(old), dict(new)):
        origins = list(leaves(bindings[name])) if name in bindings else []
        if any(isinstance(leaf, FromStep) and leaf.node in open_nodes for leaf in origins):
            continue
        kind = "input" if is_stored(was) or is_stored(now) else "param"
        text = f"`{name}` {_change(was, now)}"
        if kind == "input":
            text = _changed_input(graph, known, name, was, now, origins[0] if len(origins) == 1 else None)
        reasons.append(Reason(kind, text, name, was, now))
    return reasons


def _changed_input(
    graph: Graph, known: Known, name: str, was: str | None, now: str | None, origin: Binding | None
) -> str:
    if was is None or now is None:
        return f"input `{name}` is {'new' if was is None else 'gone'}"
    if isinstance(origin, FromStep) and is_stored(was):
        return f"input `{name}` changed: `{graph.nodes[origin.node].id}` gave something else"
    if isinstance(origin, FromSource) and was.startswith("source:"):
        same = was.startswith(f"source:{known.pins[origin.source].digest}:")
        word = "is read in another way" if same else "changed"
        return f"input `{name}` changed: source `{graph.sources[origin.source].name}` {word}"
    return f"input `{name}` changed"


def _change(was: str | None, now: str | None) -> str:
    """Two tokens of a parameter, for people."""
    shown = ["unset" if token is None else token if len(token) <= 60 else "" for token in (was, now)]
    return f"{shown[0]} → {shown[1]}" if all(shown) else "changed"


def _versions(was: str | None, now: str | None) -> str:
    """Two versions of a distribution, without what they were built for where they differ without that."""
    bare = [(version or "absent").partition(" (")[0] for version in (was, now)]
    return " → ".join(bare if bare[0] != bare[1] else [was or "absent", now or "absent"])


def _set(token: str | None) -> str | None:
    """The token of a variable; None where it stands for one that is not set."""
    return None if token in (None, "", "None") else token


def _variables(result: Result, identity: Identity) -> list[Reason]:
    """What changed in environment variables, and in what modules read while they were imported."""
    if result.variables == identity.variables:
        return []
    return [
        Reason("environment", f"${name} {_change(_set(old), _set(new))}", f"${name}", old, new)
        if " " not in name
        else observed(name, old or "", new or "")
        for name, old, new in _differences(dict(result.variables), dict(identity.variables))
    ]


def observed(what: str, was: str, now: str) -> Reason:
    """Why a result does not count whose step was seen to rest on something that moved."""
    kind, _, name = what.partition(" ")
    shown = name.partition("\x1f")[0]
    if what.startswith("$"):
        return Reason("observed", f"{what}, which it reads: {_change(_set(was), _set(now))}", what, was, now)
    if MOVING in (was, now):
        text = f"`{shown}` changed while the step read it"
    elif now == "absent":
        text = f"`{shown}`, which it read, is gone"
    elif was == "absent":
        text = f"`{shown}`, which it looked for, is there now"
    elif kind in ("list", "all"):
        text = f"`{shown}`, which it listed, holds other files now"
    else:
        text = f"`{shown}`, which it read, changed"
    return Reason("observed", text, shown, was, now)


def _differences(old: Mapping[str, str], new: Mapping[str, str]) -> list[tuple[str, str | None, str | None]]:
    names = [*new, *(name for name in old if name not in new)]
    return [(name, old.get(name), new.get(name)) for name in names if old.get(name) != new.get(name)]
