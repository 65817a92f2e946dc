"""A traced pipeline as plain data: out of the process that traced it, into the trace of another project.

    main(folder)                          # in the environment of a release: order.json in, wired.json out
    replay(wired, bound, calls, data)     # in the trace of whoever uses the pipeline: the same calls, of steps of that release

The order names a pipeline and its arguments; those that are results of steps, which nobody has yet, are `given` by name. What
comes back is JSON, so nothing that the other process says is executed here:

    {"name": ..., "sources": [...], "steps": [...], "calls": [...], "result": BINDING}
    BINDING   {"step": [call, output, path]}  {"source": 0}  {"given": "name"}  {"value": ...}  {"pack": kind, "items": [...], ...}

It needs the standard library and Stepwell's own sources, as everything that runs in such an environment.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stdout
from datetime import date, datetime, time, timedelta
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

from stepwell.author.bindings import Mapped
from stepwell.author.inputs import Source
from stepwell.author.options import Options
from stepwell.author.pipelines import Pipeline
from stepwell.author.trace import Attempt, Trace, attempt
from stepwell.errors import CannotCarry, StepwellError
from stepwell.kernel import graph as g

ORDER, WIRED = "order.json", "wired.json"

GIVEN = "given:"
"""What the address of an argument begins with that is a result of a step."""

OPTIONS = (
    "cpus", "memory", "env", "version", "environment", "ttl", "cache", "retries", "backoff", "timeout", "tags", "optional",
    "always", "role",
)  # fmt: skip
"""Options of a step that are plain data, and mean the same wherever it is called."""


# --------------------------------------------------------------------------- values

_MOMENTS: Mapping[str, Any] = {"datetime": datetime, "date": date, "time": time}


def packed(value: Any) -> Any:
    """Plain data as JSON that `unpacked` reads. Raises `CannotCarry` for what is none."""
    if value is None or isinstance(value, bool) or type(value) is str:
        return value
    if type(value) is int:
        return value if abs(value) < 1 << 53 else {"int": hex(value)}
    if type(value) is float:
        return {"float": value.hex()}
    if type(value) in (list, tuple, set, frozenset):
        return {type(value).__name__: [packed(item) for item in value]}
    if type(value) is dict:
        return {"dict": [[packed(key), packed(item)] for key, item in value.items()]}
    if type(value) is bytes:
        return {"bytes": value.hex()}
    if type(value) in (datetime, date, time):
        return {type(value).__name__: value.isoformat()}
    if type(value) is timedelta:
        return {"timedelta": [value.days, value.seconds, value.microseconds]}
    if isinstance(value, Path):
        return {"path": os.fspath(value)}
    raise CannotCarry(
        f"a value of type `{type(value).__qualname__}` cannot be handed between two projects",
        why="they have libraries of their own, so only plain data goes from one to the other",
        fixes=["pass numbers, text, lists, tuples, dicts, dates, or the result of a step"],
    )


def unpacked(told: Any) -> Any:
    """The value that `packed` wrote down."""
    if not isinstance(told, dict):
        return told
    ((kind, said),) = told.items()
    match kind:
        case "int":
            return int(said, 16)
        case "float":
            return float.fromhex(said)
        case "list" | "tuple" | "set" | "frozenset":
            make = {"list": list, "tuple": tuple, "set": set, "frozenset": frozenset}[kind]
            return make(map(unpacked, said))
        case "dict":
            return {unpacked(key): unpacked(item) for key, item in said}
        case "bytes":
            return bytes.fromhex(said)
        case "timedelta":
            return timedelta(*said)
        case "path":
            return Path(said)
    return _MOMENTS[kind].fromisoformat(said)


# --------------------------------------------------------------------------- there


class _Given(Source[Any]):
    """An argument that nobody has yet: a source that is never read."""

    def __init__(self, name: str, hint: object) -> None:
        super().__init__(f"{GIVEN}{name}", hint, {})
        self._called = name

    @property
    def name(self) -> str:
        """The argument's."""
        return self._called

    @property
    def gives(self) -> object:
        """What the pipeline says that it is."""
        return self.kind if self.kind is not None else Any

    def definition(self) -> g.SourceDef:
        """What stands for it in the graph."""
        return g.SourceDef(self._called, self.uri)


def main(folder: str) -> None:
    """Trace the pipeline of the order in a folder, and write there what came of it, or the error."""
    here = Path(folder)
    order = json.loads((here / ORDER).read_text("utf-8"))
    try:
        with redirect_stdout(sys.stderr):
            found = _wired(order)
    except StepwellError as error:
        found = {"error": error.as_dict()}
    beside = here / f".{WIRED}"
    beside.write_text(json.dumps(found, sort_keys=True, allow_nan=False), "utf-8")
    beside.rename(here / WIRED)


def _wired(order: Mapping[str, Any]) -> dict[str, Any]:
    sys.path[:0] = [order["project"], os.path.join(order["project"], "src")]
    os.chdir(order["project"])
    module, _, name = order["pipeline"].partition(":")
    found = getattr(import_module(module), name, None)
    if not isinstance(found, Pipeline):
        raise CannotCarry(f"`{order['pipeline']}` is no pipeline", fixes=["name one of the release"])
    values = {key: unpacked(said) for key, said in order["values"].items()}

    def carried() -> Any:
        given = {key: _Given(key, found.hints.get(key))() for key in order["given"]}
        return found(**values, **given)

    made = attempt(Pipeline(carried), {})
    if made.problems:
        raise made.problems.error()
    return _told(made, name)


def _told(made: Attempt, name: str) -> dict[str, Any]:
    """A graph as plain data. Raises `CannotCarry` for what another project cannot call."""
    graph = made.graph
    tell = _Telling(graph.sources)
    return {
        "name": name,
        "sources": [
            {
                "name": one.name,
                "uri": one.uri,
                "type": one.type,
                "options": packed(dict(one.options)),
            }
            for one in graph.sources
        ],
        "steps": [_step(one) for one in graph.steps],
        "calls": [
            {
                "id": node.id.partition("/")[2],
                "step": node.step,
                "inputs": {name: tell(binding) for name, binding in node.inputs},
                "after": list(node.after),
                "out": node.out,
                "where": node.where,
            }
            for node in graph.nodes
        ],
        "result": tell(graph.result),
    }


def _step(step: g.StepDef) -> dict[str, Any]:
    """A step: where it is, what it gives, its options. Raises `CannotCarry`."""
    wrong = {
        f"is a step of kind `{step.kind}`": step.kind != "python",
        "has an environment or image of its own": bool(step.place),
        "needs services": bool(step.services),
        "has `validate=`": bool(step.validate),
        "has `done=`": bool(step.done),
        "ignores functions": any(":" in one for one in step.ignore),
    }
    why = next((why for why, is_so in wrong.items() if is_so), "")
    if why:
        dynamic = " (it becomes others while the pipeline runs)" if step.kind == g.DYNAMIC else ""
        raise CannotCarry(
            f"`{step.name}` {why}{dynamic}, which cannot be called from another project",
            why="a pipeline of a release is used by calling its steps in the environment of that release",
            fixes=["use its steps one by one: use(ADDRESS, MODULE:STEP)", "load what the release gave"],
        )
    return {
        "place": f"{step.module}:{step.qualname}",
        "name": step.name,
        "shape": step.shape,
        "record": step.record,
        "outputs": [[one.name, one.type, one.codec] for one in step.outputs],
        "ignore": list(step.ignore),
        "options": {name: packed(getattr(step, name)) for name in OPTIONS},
    }


class _Telling(NamedTuple):
    """Tells bindings, of which some are arguments that were given."""

    sources: tuple[g.SourceDef, ...]

    def __call__(self, binding: g.Binding) -> dict[str, Any]:
        """A binding as plain data. Raises `CannotCarry`."""
        match binding:
            case g.FromStep(node=node, output=output, path=path):
                return {"step": [node, output, list(path)]}
            case g.FromSource(source=place):
                uri = self.sources[place].uri
                return {"given": uri.removeprefix(GIVEN)} if uri.startswith(GIVEN) else {"source": place}
            case g.Pack():
                return {
                    "pack": binding.kind,
                    "items": [self(item) for item in binding.items],
                    "names": list(binding.names),
                    "keys": [packed(key) for key in binding.keys],
                    "least": binding.least,
                }
            case g.Constant(codec=""):
                return {"value": packed(binding.payload)}
        raise CannotCarry(
            "a value that is written in its body is no plain data",
            why="only plain data goes from one project to another",
            fixes=["make it in a step"],
        )


# --------------------------------------------------------------------------- here


class Steps(NamedTuple):
    """How the steps and sources of a release are made here, by what was told of them."""

    step: Callable[[Mapping[str, Any], Options], Any]
    source: Callable[[Mapping[str, Any]], Any]


def replay(wired: Mapping[str, Any], bound: Mapping[str, Any], make: Steps, trace: Trace) -> Any:
    """Make the calls of a pipeline that was traced elsewhere in a trace; gives what it gives. `bound` are its arguments by name."""
    return _Replay(wired, bound, make, trace).result()


class _Replay:
    """The calls of a pipeline, made once more."""

    def __init__(self, wired: Mapping[str, Any], bound: Mapping[str, Any], make: Steps, trace: Trace) -> None:
        self._wired, self._bound, self._trace = wired, bound, trace
        self._steps = [make.step(one, _options(one)) for one in wired["steps"]]
        self._sources = [
            None if one["uri"].startswith(GIVEN) else make.source(one) for one in wired["sources"]
        ]
        self._results: list[Any] = []
        self._own: list[int | None] = []
        """By call the node that it became; None where something else stands in for it."""

    def result(self) -> Any:
        """All calls, in their order; then what the pipeline returns."""
        for call in self._wired["calls"]:
            self._call(call)
        return self._value(self._wired["result"])

    def _call(self, call: Mapping[str, Any]) -> None:
        told, step = self._wired["steps"][call["step"]], self._steps[call["step"]]
        *path, last = call["id"].split("/")
        label = last.partition("[")[0]
        if label != told["name"]:
            step = step.named(label)
        always = bool(told["options"]["always"])
        if call["after"] and not always:  # what `always` steps wait for follows from the whole
            step = step.after(*[self._results[one] for one in call["after"]])
        told_later = {"pack": "failures", "items": []}
        inputs = {
            name: self._value(binding)
            for name, binding in call["inputs"].items()
            if (binding.get("pack"), binding.get("items")) != (told_later["pack"], told_later["items"])
        }
        positional = [inputs.pop(name) for name in list(inputs) if name.startswith("*") and name[1] != "*"]
        named = {name.lstrip("*"): value for name, value in inputs.items()}
        before = len(self._trace.nodes)
        with self._trace.below(tuple(path)):
            self._results.append(step(*positional, **named))
        now = self._trace.nodes
        same = len(now) == before + 1 and self._trace.steps[now[-1].step].place
        self._own.append(before if same else None)

    def _value(self, told: Mapping[str, Any]) -> Any:
        """What a binding stands for here: a reference, a value, or a container of such."""
        if "given" in told:
            return self._bound[told["given"]]
        if "value" in told:
            return unpacked(told["value"])
        if "source" in told:
            return self._sources[told["source"]]()
        if "step" in told:
            return self._part(*told["step"])
        return self._pack(told)

    def _part(self, call: int, output: str, path: Sequence[int | str]) -> Any:
        result, node = self._results[call], self._own[call]
        if output == g.RESULT and not path:
            return result
        if node is not None:
            name = (
                f"{self._trace.nodes[node].id}.{output}" if output != g.RESULT else self._trace.nodes[node].id
            )
            return self._trace.refer(g.FromStep(node, output, tuple(path)), None, name)
        told = self._wired["steps"][self._wired["calls"][call]["step"]]
        names = [one[0] for one in told["outputs"]]
        parts = ([names.index(output)] if told["shape"] == "tuple" else [output]) if output in names else []
        for place in [*parts, *path]:
            by_name = told["shape"] == "record" and place == output
            result = getattr(result, str(place)) if by_name else result[place]
        return result

    def _pack(self, told: Mapping[str, Any]) -> Any:
        whole = self._whole(told)
        if whole is not None:
            return whole
        items = [self._value(item) for item in told["items"]]
        match told["pack"]:
            case "optional":
                return items[0]
            case "tuple":
                return tuple(items)
            case "dict":
                return dict(zip(map(unpacked, told["keys"]), items, strict=True))
            case "list" if told["least"] < 1:
                found = Mapped(items)
                found.least = told["least"]
                return found
            case "list":
                return items
        raise CannotCarry(
            f"the pipeline `{self._wired['name']}` puts a {told['pack']} together in its body",
            why="its class is one of the release, which is not here",
            fixes=["let a step put it together"],
        )

    def _whole(self, told: Mapping[str, Any]) -> Any:
        """The result of a call, where a container is all of its outputs."""
        steps = [item["step"] for item in told["items"] if "step" in item]
        if (
            len(steps) != len(told["items"])
            or len({one[0] for one in steps}) != 1
            or any(one[2] for one in steps)
        ):
            return None
        call = steps[0][0]
        step = self._wired["steps"][self._wired["calls"][call]["step"]]
        same = step["shape"] == told["pack"] and [one[1] for one in steps] == [
            one[0] for one in step["outputs"]
        ]
        return self._results[call] if same else None


def _options(told: Mapping[str, Any]) -> Options:
    """The options of a step, and the codecs of its outputs."""
    codecs = tuple((name, codec) for name, _, codec in told["outputs"] if codec)
    alone = told["shape"] == "single"
    plain = {name: unpacked(value) for name, value in told["options"].items()}
    known = {name: value for name, value in plain.items() if name in Options._fields}
    return Options(
        **known,
        ignore=tuple(told["ignore"]),
        codec=codecs[0][1] if alone and codecs else "" if alone else codecs,
    )
