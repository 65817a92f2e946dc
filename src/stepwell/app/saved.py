"""A plan as a file: `plan --save FILE` writes it, `run --plan FILE` carries out exactly that, or refuses.

The file holds what was asked for (pipeline, parameters, settings that choose steps) and what was
decided, with everything that the decisions rest on as digests. To run it the plan is made again
and compared: if a decision, a key, a step's code or an input is another, something moved since, and
nothing runs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from json import dumps, loads
from pathlib import Path
from typing import Any, NamedTuple

from stepwell.app.documents import plan_document
from stepwell.app.selecting import EVERYTHING, Choice
from stepwell.app.session import Settings, Work
from stepwell.errors import BadSavedPlan, PlanMoved, StoreReadOnly
from stepwell.kernel.plan import Plan

FORMAT = "stepwell plan 1"


SET = "--set="
"""What stands before the words of a saved plan that are arguments of steps."""


class Saved(NamedTuple):
    """A plan that was saved. `pipeline` is a word as the command takes it, `words` are `name=value`, `files` those of `--params`."""

    pipeline: str
    words: tuple[str, ...]
    files: tuple[str, ...]
    force: tuple[str, ...]
    facts: Mapping[str, Any]
    selection: Choice = EVERYTHING

    @property
    def settings(self) -> list[str]:
        """The words that are parameters of the pipeline."""
        return [word for word in self.words if not word.startswith(SET)]

    @property
    def sets(self) -> list[str]:
        """The words that are arguments of steps, as they stand behind `--set`."""
        return [word.removeprefix(SET) for word in self.words if word.startswith(SET)]


def save(file: Path, work: Work, words: Sequence[str], settings: Settings, files: Sequence[str] = ()) -> None:
    """Write a plan to a file. Raises `StoreReadOnly` where that cannot be written."""
    document = {
        "format": FORMAT,
        "pipeline": word_of(work),
        "words": list(words),
        "files": list(files),
        "force": list(settings.force),
        "selection": settings.selection._asdict(),
        "facts": facts(work.plan),
        "plan": plan_document(work.plan, origins=work.origins),
    }
    try:
        file.write_text(dumps(document, indent=1, ensure_ascii=False) + "\n", "utf-8")
    except OSError as error:
        raise StoreReadOnly(
            f"cannot write `{file}`: {error.strerror or error}", fixes=["another place after --save"]
        ) from None


def word_of(work: Work) -> str:
    """The word by which a command in the project's root finds a pipeline."""
    target, name = work.loaded.target, work.loaded.pipeline.__name__
    place = target.module if target.file is None else str(target.file.relative_to(target.root))
    return f"{place}:{name}"


def load_saved(file: Path) -> Saved:
    """Read a plan that was saved. Raises `BadSavedPlan` for anything else."""
    try:
        found = loads(file.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        why = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise BadSavedPlan(
            f"`{file}` is not a saved plan", why=why, fixes=["stepwell plan --save FILE"]
        ) from None
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise BadSavedPlan(
            f"`{file}` is not a saved plan of this format",
            why=f"its first entry should be `{FORMAT}`",
            fixes=["stepwell plan --save FILE"],
        )
    pipeline, known = found.get("pipeline"), found.get("facts")
    lists = [found.get(name, None if name != "files" else []) for name in ("words", "force", "files")]
    sound = isinstance(pipeline, str) and isinstance(known, dict)
    if (
        not sound
        or not all(isinstance(fact, dict) for fact in known.values())
        or not all(isinstance(one, list) and all(isinstance(word, str) for word in one) for one in lists)
    ):
        raise BadSavedPlan(
            f"`{file}` is damaged",
            why="entries of a saved plan are missing, or are not what they should be",
            fixes=["stepwell plan --save FILE"],
        )
    return Saved(
        pipeline,
        tuple(found["words"]),
        tuple(found.get("files", ())),
        tuple(found["force"]),
        known,
        _choice(found),
    )


def _choice(found: Mapping[str, Any]) -> Choice:
    """Which steps were meant when a plan was saved; all where it does not say."""
    said = found.get("selection")
    said = said if isinstance(said, dict) else {}
    lists = [said.get(name, []) for name in Choice._fields[:4]]
    return Choice(
        *[tuple(map(str, one)) for one in lists if isinstance(one, list)], aim=str(said.get("aim", ""))
    )


def facts(plan: Plan) -> dict[str, Any]:
    """What a plan comes to, by step id: its decision, and what that rests on, as texts."""
    out = {}
    for decision in plan.decisions:
        node = plan.graph.nodes[decision.node]
        identity = plan.known.identities[node.step]
        out[node.id] = {
            "decision": decision.verb,
            "key": decision.key,
            "code": identity.code,
            "environment": identity.environment,
            "inputs": [list(pair) for pair in decision.inputs],
            "variables": [list(pair) for pair in identity.variables],
            "result": decision.result.key if decision.result is not None else None,
        }
    return out


WORDS = {
    "decision": "its decision is another",
    "code": "its code changed",
    "environment": "its environment changed",
    "inputs": "its inputs changed",
    "variables": "what it reads around it changed",
    "result": "the result that it counts on is another",
    "key": "its key is another",
}
"""What is said of a fact that moved, the most telling first."""


def refuse_if_moved(saved: Saved, plan: Plan, file: Path) -> None:
    """Raises `PlanMoved` where the plan of now is not the one that was saved."""
    now = loads(dumps(facts(plan)))
    moved = []
    for name in dict.fromkeys([*saved.facts, *now]):
        was, is_now = saved.facts.get(name), now.get(name)
        if was is None or is_now is None:
            moved.append(f"`{name}` is {'new' if was is None else 'gone'}")
        elif was != is_now:
            causes = [text for field, text in WORDS.items() if was.get(field) != is_now.get(field)]
            told = [text for text in causes if text not in (WORDS["key"], WORDS["decision"])] or causes
            decisions = (was.get("decision"), is_now.get("decision"))
            change = f" ({decisions[0]} → {decisions[1]})" if decisions[0] != decisions[1] else ""
            moved.append(f"`{name}`: {told[0]}{change}")
    if moved:
        more = f" and {len(moved) - 3} more" if len(moved) > 3 else ""
        raise PlanMoved(
            f"something moved since `{file}` was saved: {'; '.join(moved[:3])}{more}",
            why="a saved plan is carried out exactly as it was shown, or not at all",
            fixes=["stepwell plan   shows what would be done now", f"stepwell plan --save {file}"],
        )
