"""What a step returned, judged against what it declares, and as artifacts.

The declaration is the step's `StepDef` (how the value splits into outputs, and with which codecs)
and the function's own annotations.
"""

from __future__ import annotations

import os
import typing
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from stepwell.codecs import choose
from stepwell.codecs.annotations import unwrapped
from stepwell.codecs.columns import lacking
from stepwell.errors import StepwellError
from stepwell.kernel.graph import StepDef
from stepwell.kernel.ports import Artifact, Made
from stepwell.stores.blobs import Blobs
from stepwell.worker.failures import reference_returned, wrong_output

_ATOMS = frozenset((type(None), bool, int, float, complex, str, bytes))

_NUMBERS = frozenset((type(None), bool, int, float))


class Declared:
    """What one step promises to return."""

    def __init__(self, step: StepDef, function: Callable[..., Any]) -> None:
        self.step = step
        self._types = dict(
            zip((output.name for output in step.outputs), _annotations(step, function), strict=True)
        )

    @property
    def types(self) -> Mapping[str, Any]:
        """The annotation of each output, None where there is none."""
        return self._types

    def scalars(self) -> frozenset[type]:
        """The classes of numbers that are exactly what the only output declares: of such a value nothing has to be judged."""
        step, annotation = self.step, self._types[self.step.outputs[0].name] if self.step.outputs else Any
        if step.shape != "single" or step.outputs[0].codec not in ("", "json"):
            return frozenset()
        return frozenset([kind for kind in _NUMBERS if annotation is None or kind is annotation])

    def split(self, value: Any) -> list[tuple[str, str, Any]]:
        """The outputs in a returned value: name, codec, value. Raises `WrongOutput`, `ReferenceReturned`."""
        step = self.step
        if step.shape == "single":
            output = step.outputs[0]
            self._judge(output.name, value, "")
            return [(output.name, output.codec, value)]
        _no_reference(step.name, value, "")
        split = {"tuple": self._tuple, "record": self._record, "dict": self._dict}[step.shape]
        parts = split(value)
        for output, part in zip(step.outputs, parts, strict=True):
            self._judge(output.name, part, f" as `{output.name}`")
        return [(output.name, output.codec, part) for output, part in zip(step.outputs, parts, strict=True)]

    def _judge(self, name: str, value: Any, where: str) -> None:
        if type(value) not in _ATOMS:
            _no_reference(self.step.name, value, where)
        annotation = self._types[name]
        if annotation is not None:
            clause = choose.fits(value, annotation) or lacking(value, annotation)
            if clause:
                raise wrong_output(
                    self.step.name, f"returned{where} something else than it declares: {clause}"
                )

    def _tuple(self, value: Any) -> list[Any]:
        count = len(self.step.outputs)
        if not isinstance(value, tuple):
            raise wrong_output(self.step.name, f"returned {_kind(value)}, and declares {count} values")
        if len(value) != count:
            raise wrong_output(self.step.name, f"returned {len(value)} values, and declares {count}")
        return list(value)

    def _record(self, value: Any) -> list[Any]:
        missing = [output.name for output in self.step.outputs if not hasattr(value, output.name)]
        name = self.step.record.rpartition(":")[2] or "a record"
        if missing:
            raise wrong_output(
                self.step.name, f"returned {_kind(value)} without `{missing[0]}`, and declares {name}"
            )
        bases = [f"{base.__module__}:{base.__qualname__}" for base in type(value).__mro__[1:]]
        if self.step.record in bases:  # its parts would be put together as its base
            raise wrong_output(self.step.name, f"returned {_kind(value)}, and declares exactly {name}")
        return [getattr(value, output.name) for output in self.step.outputs]

    def _dict(self, value: Any) -> list[Any]:
        names = [output.name for output in self.step.outputs]
        if not isinstance(value, Mapping):
            raise wrong_output(
                self.step.name, f"returned {_kind(value)}, and declares a dict of {', '.join(names)}"
            )
        for name in names:
            if name not in value:
                raise wrong_output(
                    self.step.name, f"returned a dict without the key `{name}`, which it declares"
                )
        for name in value:
            if name not in names:
                raise wrong_output(
                    self.step.name, f"returned a dict with the key {name!r}, which it does not declare"
                )
        return [value[name] for name in names]


def keep(parts: list[tuple[str, str, Any]], blobs: Blobs) -> tuple[Made, ...]:
    """Encode outputs; large ones are durable files when this returns. Raises `CodecError`, `StoreError`."""
    made = []
    for name, codec, value in parts:
        sink = blobs.sink()
        try:
            chosen, note = choose.dump(value, codec, sink)
            digest, size, data = sink.finish()
        finally:
            sink.discard()
        made.append(Made(Artifact(name, chosen, digest, size, tuple(sink.parts), note or ""), data))
    return tuple(made)


def published(value: Any, target: Path) -> Any:
    """What a command gave, where a call claims a file: a copy of its own there, unless it lies there. Raises `OSError`."""
    if not isinstance(value, Path) or os.path.realpath(value) == os.path.realpath(target):
        return value
    import shutil  # few steps claim a file

    target.parent.mkdir(parents=True, exist_ok=True)
    beside = target.with_name(f".{target.name[:100]}.{os.getpid()}")
    if value.is_dir():
        shutil.copytree(value, beside, dirs_exist_ok=True)
        if target.is_dir() and not target.is_symlink():
            shutil.rmtree(target)
    else:
        shutil.copy(value, beside)
    beside.replace(target)
    return target


def claimed(step: str, out: str, value: Any, root: Path) -> StepwellError | None:
    """What is wrong with the file that a call claims (`options(out=...)`), if anything is."""
    wanted = os.path.join(root, out)
    if not isinstance(value, Path):
        clause = f"claims the file `{out}` and returned {_kind(value)}"
    elif os.path.realpath(value) != os.path.realpath(wanted):
        clause = f"claims the file `{out}` and returned `{value}`"
    elif not os.path.exists(wanted):
        clause = f"claims the file `{out}` and did not write it"
    else:
        return None
    return wrong_output(step, clause, fixes=[f'write the result to Path("{out}") and return that'])


def _no_reference(step: str, value: Any, where: str) -> None:
    """Refuse references, also one level inside a container."""
    for found in _inside(value):
        if hasattr(type(found), "__stepwell_reference__"):
            raise reference_returned(step, where)


def _inside(value: Any) -> Iterator[Any]:
    yield value
    if type(value) in (list, tuple, set):
        yield from value
    elif type(value) is dict:
        yield from value.values()


def _kind(value: Any) -> str:
    if value is None:
        return "None"
    name = type(value).__name__
    return f"an {name}" if name[:1].lower() in "aeio" else f"a {name}"


def _annotations(step: StepDef, function: Callable[..., Any]) -> list[Any]:
    """The type of each output as the function's annotations say it, None where they do not."""
    unknown: list[Any] = [None] * len(step.outputs)
    try:
        returns = typing.get_type_hints(function, include_extras=True).get("return")
        if step.shape == "single":
            return [type(None) if returns is None and "return" in function.__annotations__ else returns]
        if step.shape == "tuple":
            kinds = list(typing.get_args(unwrapped(returns)))
            return kinds if len(kinds) == len(unknown) and Ellipsis not in kinds else unknown
        fields = typing.get_type_hints(unwrapped(returns), include_extras=True)
        return [fields.get(output.name) for output in step.outputs]
    except Exception:  # names for type checkers alone; what cannot be resolved is not judged  # noqa: BLE001
        return unknown
