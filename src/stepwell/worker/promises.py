"""What a step's arguments and outputs must keep: contracts of its annotations, and of the manifest.

promises = promises_of(function, gives, said, importer)     # None where there are none
promises.refuse_given(task, values)                     # raises ContractBroken: the step is not called
promises.refuse_gave(task, parts)                       # raises ContractBroken: what it gave is not kept

The manifest's come with the run (`execute.Context.contracts`): by "data NAME" those of sources, by "gives ID OUTPUT"
those of what leaves; each a schema of columns by name, or "module:Name" of a contract in Python.
"""

from __future__ import annotations

import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from stepwell.errors import BadContract, ContractBroken, nearest
from stepwell.kernel.graph import Pack
from stepwell.kernel.ports import Outside, Task
from stepwell.worker.contracts import Judge, contract, judge_of
from stepwell.worker.judges import function_of
from stepwell.worker.modules import FirstParty

Spec = Mapping[str, str] | str
"""A contract as a manifest says it."""


class Promises(NamedTuple):
    """The contracts of one step: by argument and by output those of its annotations, and all that the manifest has."""

    takes: Mapping[str, Judge]
    gives: Mapping[str, Judge]
    said: Mapping[str, Spec]
    importer: FirstParty

    def refuse_given(self, task: Task, values: Mapping[str, Any]) -> None:
        """Raises `ContractBroken` for an argument that breaks its contract, `BadContract`."""
        for name, source in task.inputs:
            judge = self.takes.get(name.lstrip("*"))
            clause = judge.broken(values[name]) if judge is not None else ""
            if judge is not None and clause:
                raise _broken(f"`{task.step.name}({name}=...)`", judge, clause, "the step was not called")
            for outside, value in _sources(source, values[name]) if self.said else ():
                judge = self._of(f"data {outside.name}", f"data.{outside.name}")
                clause = judge.broken(value) if judge is not None else ""
                if judge is not None and clause:
                    raise _broken(f"data `{outside.name}`", judge, clause, "the step was not called")

    def refuse_gave(self, task: Task, parts: Sequence[tuple[str, str, Any]]) -> None:
        """Raises `ContractBroken` for an output that breaks its contract, `BadContract`."""
        for name, _, value in parts:
            for judge in (
                self.gives.get(name),
                self._of(f"gives {task.id} {name}", "outputs") if self.said else None,
            ):
                clause = judge.broken(value) if judge is not None else ""
                if judge is not None and clause:
                    raise _broken(f"what step `{task.step.name}` gave", judge, clause, "it was not kept")

    def _of(self, key: str, where: str) -> Judge | None:
        """The contract that the manifest has for something. Raises `BadContract`."""
        said = self.said.get(key)
        if said is None or not isinstance(said, str):
            return None if said is None else contract(dict(said))
        return _named(said, where, self.importer)


def promises_of(
    function: Any, gives: Mapping[str, Any], said: Mapping[str, Spec], importer: FirstParty
) -> Promises | None:
    """The contracts of a step; None where it has none. `gives` are the annotations of its outputs."""
    takes, given = dict(_judges(_hints(function))), dict(_judges(gives))
    takes.pop("return", None)
    return Promises(takes, given, said, importer) if takes or given or said else None


def _hints(function: Callable[..., Any]) -> dict[str, Any]:
    try:
        return typing.get_type_hints(function, include_extras=True)
    except Exception:  # names for type checkers alone; what cannot be resolved is not judged  # noqa: BLE001
        return {}


def _judges(annotations: Mapping[str, Any]) -> Iterator[tuple[str, Judge]]:
    for name, annotation in annotations.items():
        found = judge_of(annotation) if annotation is not None else None
        if found is not None:
            yield name, found


def _named(said: str, where: str, importer: FirstParty) -> Judge:
    """The contract "module:Name". Raises `BadContract`."""
    module, _, name = said.partition(":")
    try:
        thing = function_of(said, importer)
    except Exception as error:
        held = vars(importer.modules[module]) if module in importer.modules else {}
        hint = nearest(name, held)
        raise BadContract(
            f"the contract `{said}` of `{where}` cannot be loaded: {type(error).__name__}: {error}",
            fixes=[f"did you mean `{module}:{hint}`?"] if hint else [f"see `schema` of `{where}`"],
        ) from error
    found = contract(thing)
    if found is None:
        raise BadContract(
            f"`{said}` of `{where}` is no contract: {type(thing).__name__}",
            why="a contract is a pandera model or schema, a pydantic model, or a dataclass",
            fixes=[f'{where}.schema = {{ customer_id = "int64" }}'],
        )
    return found


def _sources(source: object, value: Any) -> Iterator[tuple[Outside, Any]]:
    """The sources in an argument, with their values."""
    if isinstance(source, Outside):
        yield source, value
    elif isinstance(source, Pack) and source.kind in ("list", "tuple", "dict"):
        values = value.values() if source.kind == "dict" else value
        for item, one in zip(source.items, values, strict=True):
            yield from _sources(item, one)


def _broken(what: str, judge: Judge, clause: str, then: str) -> ContractBroken:
    return ContractBroken(
        f"{what} breaks the contract `{judge.said}`: {clause}",
        why=f"it is declared so, and {then}",
        fixes=["correct the data where it comes from", "correct the contract, if the data is right"],
    )
