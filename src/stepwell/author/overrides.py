"""`--set train.depth=4`: a value for one argument of a step, or of a pipeline inside, over what the call says.

    overrides = Overrides({"train.depth": Written("4"), "training/train[2].depth": 6})

A target is what stands before the last dot: a step's name (all its calls), the id of one call (`train[2]`,
`training/train`; `train[1]` is the first call alone), or the path of a pipeline inside (`training`). While a
pipeline is traced each call is shown to the overrides; what none was shown for is told by `missed`. A dynamic
call announces what it will call.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from stepwell.author.annotations import show
from stepwell.author.arguments import brief
from stepwell.author.params import article, parse, settled, shaped
from stepwell.author.problems import Problems
from stepwell.author.references import Reference
from stepwell.errors import BadParameter, UnknownTarget, nearest

if TYPE_CHECKING:
    from stepwell.author.pipelines import Pipeline
    from stepwell.author.steps import Step


_BAD = object()


class Written(str):
    """A value as a person wrote it, to be read by the annotation of the argument that it is for."""

    __slots__ = ()


class Plain(NamedTuple):
    """A value as a record, a lock or a run file has it, plain data, to be shaped as the annotation of the argument that it is for.

    If it is `lenient`, that nothing takes it any more is worth a note, and no mistake of the person's.
    """

    data: object
    lenient: bool = False


def parted(
    arguments: Mapping[str, object], parameters: Mapping[str, object]
) -> tuple[dict[str, object], Overrides]:
    """The arguments of a pipeline, and the overrides among them: names with a dot that are no parameter of it."""
    own = {name: value for name, value in arguments.items() if name in parameters or "." not in name}
    return own, Overrides({name: value for name, value in arguments.items() if name not in own})


class Overrides:
    """Values by name (`train.depth`); true if there are any. Used for one trace."""

    def __init__(self, values: Mapping[str, object]) -> None:
        self._wanted: dict[str, dict[str, str]] = {}
        """By target the arguments, each with the whole name."""
        for name in values:
            target, _, argument = name.rpartition(".")
            self._wanted.setdefault(target, {})[argument] = name
        self._values = dict(values)
        self._read: dict[str, object] = {}
        self._seen: dict[str, dict[str, None]] = {}
        self._announced: dict[str, dict[str, None]] = {}
        """By name what will be called when its number is known, and its arguments."""

    def __bool__(self) -> bool:
        return bool(self._wanted)

    @property
    def values(self) -> dict[str, object]:
        """The values by name, those that were used as they were read."""
        found = {name: self._read.get(name, value) for name, value in self._values.items()}
        return {name: _unread(value) for name, value in found.items()}

    def of_step(
        self,
        step: Step[Any, Any],
        call: str,
        named: list[tuple[str, object]],
        problems: Problems,
    ) -> list[tuple[str, object]]:
        """The arguments of a call, by name and sorted, with those that are overridden. What is wrong goes to `problems`."""
        parameters = step.signature.parameters
        wanted = self._for((step.__name__, call, f"{call}[1]"), parameters)
        if not wanted:
            return named
        out = dict(named)
        for argument, name in wanted.items():
            value = self._value(name, _type(parameters[argument], step.hints.get(argument)), problems)
            if value is _BAD:
                continue
            if isinstance(out.get(argument), Reference):
                gives = out[argument]._stepwell_name  # type: ignore[attr-defined]
                problems.note(
                    f"`{call}` gets {argument}={brief(value)} in place of what `{gives}` gives (--set)"
                )
            out[argument] = value
        return sorted(out.items())

    def of_section(
        self,
        pipeline: Pipeline[Any, Any],
        path: str,
        args: tuple[object, ...],
        kwargs: dict[str, object],
        problems: Problems,
    ) -> tuple[tuple[object, ...], dict[str, object]]:
        """The arguments of a call of an inner pipeline, with those that are overridden."""
        parameters = pipeline.signature.parameters
        wanted = self._for((pipeline.__name__, path), parameters)
        if not wanted:
            return args, kwargs
        try:
            bound = pipeline.signature.bind_partial(*args, **kwargs)
        except TypeError:
            return args, kwargs  # which is told when it is called
        for argument, name in wanted.items():
            value = self._value(name, _type(parameters[argument], pipeline.hints.get(argument)), problems)
            if value is not _BAD:
                bound.arguments[argument] = value
        return bound.args, dict(bound.kwargs)

    def announce(self, call: Step[Any, Any] | Pipeline[Any, Any]) -> None:
        """Take note of what will be called, as often as nobody knows yet."""
        if self:
            names = dict.fromkeys(_settable(call.signature.parameters))
            self._seen.setdefault(call.__name__, {}).update(names)
            for name in (call.__name__, call.label or call.__name__):
                self._announced.setdefault(name, {}).update(names)

    def missed(self, *, later: bool = False) -> Iterator[tuple[UnknownTarget, bool]]:
        """An error for each override that no call was there for, and whether it is only worth a note.

        Calls that are announced count while some come `later`.
        """
        for target, arguments in self._wanted.items():
            bare = target.rpartition("/")[2].partition("[")[0]
            coming = self._announced.get(bare, {}) if later else {}
            for argument, name in arguments.items():
                if name not in self._read and argument not in coming:
                    value = self._values[name]
                    yield self._unknown(target, argument, name), isinstance(value, Plain) and value.lenient

    def _for(self, targets: tuple[str, ...], parameters: Mapping[str, inspect.Parameter]) -> dict[str, str]:
        """The arguments that are wanted of any of these targets; the exact ones count most."""
        out: dict[str, str] = {}
        for target in dict.fromkeys(targets):
            plain = _settable(parameters)
            self._seen.setdefault(target, {}).update(dict.fromkeys(plain))
            for argument, name in self._wanted.get(target, {}).items():
                if argument in plain:
                    out[argument] = name
                    self._read.setdefault(name, self._values[name])
        return out

    def _value(self, name: str, wanted: object, problems: Problems) -> object:
        """The value of an override, read as `wanted`; `_BAD` where it is not that, which goes to `problems`."""
        value = self._values[name]
        if isinstance(value, Written | Plain):
            try:
                value = parse(value, wanted) if isinstance(value, Written) else shaped(value.data, wanted)
            except ValueError as error:
                what = f"`{name}={_unread(value)}` is not {article(show(wanted))}"
                problems.add(BadParameter(what, why=str(error), fixes=[f"--set {name}=..."]))
                return _BAD
        value = self._read[name] = settled(value, wanted)
        return value

    def _unknown(self, target: str, argument: str, name: str) -> UnknownTarget:
        if target in self._seen and argument not in self._seen[target]:
            known = list(self._seen[target])
            hint = nearest(argument, known)
            told = f"its arguments are: {', '.join(known)}" if known else "it takes none"
            fixes = [f"did you mean `{target}.{hint}`?"] if hint else [told]
            return UnknownTarget(f"`{target}` has no argument `{argument}` (`{name}`)", fixes=fixes)
        known = [one for one in self._seen if one != target and not one.endswith("[1]")]
        hint = nearest(target, known)
        fixes = [f"did you mean `{hint}.{argument}`?"] if hint else []
        takers = [one for one in known if argument in self._seen[one]]
        fixes += [f"`{takers[0]}` has an argument `{argument}`"] if takers and not hint else []
        return UnknownTarget(
            f"nothing named `{target}` is called here, whose `{argument}` could be set (`{name}`)",
            why="a step is named by its name or id, a pipeline inside by its path",
            fixes=fixes or ["stepwell plan   shows the ids"],
        )


def _settable(parameters: Mapping[str, inspect.Parameter]) -> list[str]:
    """The arguments that have a name of their own."""
    return [name for name, p in parameters.items() if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]


def _unread(value: object) -> object:
    """A value that is still to be read as it stands."""
    if isinstance(value, Plain):
        return value.data
    return str(value) if isinstance(value, Written) else value


def _type(parameter: inspect.Parameter, hint: object) -> object:
    """The type of an argument: its annotation, or else that of its default; None if neither says."""
    default = parameter.default
    if hint is None and default is not None and default is not parameter.empty:
        return type(default)
    return hint
