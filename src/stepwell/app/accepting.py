"""`stepwell accept`: "this edit does not change results", said by a person, recorded, and undoable.

An accepted edit makes the code of a step count as the code that it was before: its key, and so its
results, stay. Everything else (inputs, parameters, versions) still counts as ever.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from stepwell.errors import NothingToAccept
from stepwell.kernel.graph import Graph
from stepwell.kernel.plan import Identity, Plan, Reason
from stepwell.stores.accepted import Acceptance
from stepwell.stores.local import LocalStore


def applied(
    identities: Sequence[Identity], graph: Graph, words: Mapping[tuple[str, str], Acceptance]
) -> tuple[Identity, ...]:
    """Identities in which code counts as what it was accepted as."""
    if not words:
        return tuple(identities)
    out = []
    for step, identity in zip(graph.steps, identities, strict=True):
        word = words.get((step.full_name, identity.code))
        if word is not None:
            identity = identity._replace(code=word.before, standing=told(word))
        out.append(identity)
    return tuple(out)


def told(word: Acceptance) -> str:
    """A word as a clause: "edit accepted by Ann <ann@example.org> on 2026-03-01"."""
    return f"edit accepted by {word.who} on {day(word)}" + (f": {word.why}" if word.why else "")


def day(word: Acceptance) -> str:
    """When a word was given, "2026-03-01" of the local time."""
    return datetime.fromtimestamp(word.time).astimezone().date().isoformat()


def accept(
    plan: Plan, nodes: Sequence[int], store: LocalStore, root: Path, why: str = ""
) -> list[Acceptance]:
    """Record that the edits of these calls' steps do not change results.

    Raises `NothingToAccept` where the code of none of them differs from that of an earlier result.
    """
    who, given = person(root), []
    for step in dict.fromkeys(plan.graph.nodes[node].step for node in nodes):
        identity, name = plan.known.identities[step], plan.graph.steps[step].full_name
        before = next(
            (
                decision.result.code
                for decision in plan.decisions
                if plan.graph.nodes[decision.node].step == step
                and decision.node in nodes
                and decision.result is not None
                and decision.result.code != identity.code
            ),
            None,
        )
        if before is not None:
            given.append(store.accepted.add(name, before, identity.code, who, why))
    if not given:
        names = ", ".join(f"`{plan.graph.nodes[node].id}`" for node in nodes[:3])
        none = all(plan.decisions[node].result is None for node in nodes)
        raise NothingToAccept(
            f"there is no edit of {names} that could be accepted",
            why="there is no earlier result" if none else "its code is what its last result was made with",
            fixes=["stepwell plan   shows what would run, and why"],
        )
    return given


def accepted_edits(plan: Plan, node: int, store: LocalStore) -> list[Reason]:
    """What the code of a call differs in from the code that it counts as, because somebody accepted the edit.

    A reason of the kind "code" for each definition; empty where no accepted edit is in force.
    """
    step = plan.graph.nodes[node].step
    identity, name = plan.known.identities[step], plan.graph.steps[step].full_name
    for word in store.accepted.in_force().values():
        if word.step == name and word.before == identity.code and told(word) == identity.standing:
            was, now = store.results.parts(word.before), identity.parts
            return [
                Reason("code", f"{told(word)}: `{one}`", one, was.get(one), now.get(one))
                for one in sorted({*was, *now})
                if was.get(one) != now.get(one)
            ]
    return []


def take_back(plan: Plan, nodes: Sequence[int], store: LocalStore, root: Path) -> list[Acceptance]:
    """Record that accepted edits of these calls' steps count again. Raises `NothingToAccept`."""
    names = {plan.graph.step_of(node).full_name for node in nodes}
    words = [word for word in store.accepted.in_force().values() if word.step in names]
    if not words:
        raise NothingToAccept(
            f"no edit of {', '.join(sorted(names))} was accepted", fixes=["stepwell accept STEP"]
        )
    who = person(root)
    return [store.accepted.take_back(word, who) for word in words]


def person(root: Path) -> str:
    """Who is at the keyboard: git's name and address, else the account."""
    import getpass
    import subprocess

    found = []
    for field in ("user.name", "user.email"):
        try:
            asked = subprocess.run(
                ["git", "config", field], cwd=root, capture_output=True, text=True, timeout=5, check=False
            )
        except (OSError, subprocess.TimeoutExpired):
            break
        found.append(asked.stdout.strip())
    if found and found[0]:
        return f"{found[0]} <{found[1]}>" if len(found) > 1 and found[1] else found[0]
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # an account without a name, as in containers
        return "unknown"
