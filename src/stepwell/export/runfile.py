"""A run as a file that a person reads and `stepwell run FILE` runs again: its shape, its text, and how two of them differ.

    text_of(file)                   # the same run gives the same bytes: no times, hosts or ids of runs are in it
    parsed(text, "r12.yaml")        # raises BadRunFile with the line or the place
    differences(then, now)          # what a person should know

The order of the steps is that of what waits for what, and among those that could come next by id: whether a
dynamic call became steps before the run or in it cannot be seen.
"""

from __future__ import annotations

import heapq
import re
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple, TypeVar

from stepwell.errors import BadRunFile
from stepwell.export.yaml import NotRead, read, written

T = TypeVar("T")

FORMAT = 1
"""The version of the format; a higher one is not read."""

ALWAYS = ("pipeline", "commit", "params", "sources", "steps", "metrics", "environment", "code")
"""What every run file says, `code` behind all others but the diff: so a file that was cut off is noticed."""

INTERRUPTED = "interrupted"

HEAD = "# A run, as Stepwell wrote it down. `stepwell run FILE` runs it again.\n"

Texts = Mapping[str, str]

NOTHING: Texts = MappingProxyType({})

WORDS = ("kind", "role", "place", "status", "code")
"""What is said of a step in a word, where there is anything to say."""


class Source(NamedTuple):
    """Data that the run read: its name, its address without secrets, the `b3:` digest of its content, its size in bytes."""

    name: str
    address: str
    digest: str
    size: int


class Step(NamedTuple):
    """A call of a step: its id, the function ("module:name"), the digest of its code, what it took and gave.

    `kind` is what it is if no function, `role` what it is to a model, `place` where it is executed if not with the
    libraries of the project, `options` those that are not the default, as plain data. `takes` by argument: "source rows b3:…", "step load.result json:b3:…", or what the value came to in the key. `gives` by
    output: "json b3:… 12". `after`: what else it waits for or reads, "step load", "source rows". `status` is empty where it succeeded (or was up to date).
    """

    id: str
    step: str
    code: str = ""
    takes: Texts = NOTHING
    gives: Texts = NOTHING
    status: str = ""
    kind: str = ""
    role: str = ""
    place: str = ""
    options: Mapping[str, Any] = NOTHING
    after: Sequence[str] = ()


class RunFile(NamedTuple):
    """A run. `pipeline` is as commands take it; `dirty` whether the tree had more than its `commit`, `diff` what of that is known.

    `whole` is false where steps were left out on purpose; these are not listed. `code` has the digest of each
    definition that the steps rest on. `packages` are versions by distribution; `places` by the place of a step what is
    there instead. `pylock` is the digest of the `pylock.toml` beside the lock ("": none).
    """

    pipeline: str
    status: str
    commit: str
    dirty: bool
    diff: str
    params: Mapping[str, Any]
    sources: Sequence[Source]
    steps: Sequence[Step]
    metrics: Mapping[str, float]
    tags: Sequence[str]
    code: Texts
    python: str
    platform: str
    packages: Texts
    whole: bool = True
    places: Mapping[str, Texts] = MappingProxyType({})
    pylock: str = ""


# --------------------------------------------------------------------------- writing


def text_of(file: RunFile) -> str:
    """The file's text."""
    head: dict[str, Any] = {"stepwell": FORMAT, "pipeline": file.pipeline}
    if file.status != "succeeded":
        head["status"] = file.status
    if not file.whole:
        head["whole"] = False
    found = {
        **head,
        "commit": file.commit,
        **({"dirty": True} if file.dirty else {}),
        "params": {name: file.params[name] for name in sorted(file.params)},
        "sources": {
            one.name: {"address": one.address, "digest": one.digest, "size": one.size}
            for one in sorted(file.sources)
        },
        "steps": [_step(one) for one in file.steps],
        "metrics": dict(sorted(file.metrics.items())),
        **({"tags": sorted(file.tags)} if file.tags else {}),
        "environment": {
            "python": file.python,
            "platform": file.platform,
            **({"pylock": file.pylock} if file.pylock else {}),
            "packages": dict(sorted(file.packages.items())),
            **(
                {"places": {name: dict(sorted(file.places[name].items())) for name in sorted(file.places)}}
                if file.places
                else {}
            ),
        },
        "code": dict(sorted(file.code.items())),
        **({"diff": file.diff} if file.diff else {}),
    }
    return HEAD + written(found)


def _step(one: Step) -> dict[str, Any]:
    found: dict[str, Any] = {"id": one.id, "step": one.step}
    for name in WORDS:
        if getattr(one, name):
            found[name] = getattr(one, name)
    if one.options:
        found["options"] = {name: one.options[name] for name in sorted(one.options)}
    if one.takes:
        found["takes"] = dict(one.takes)
    if one.after:
        found["after"] = sorted(one.after, key=_natural)
    if one.gives:
        found["gives"] = dict(one.gives)
    return found


_DIGITS = re.compile(r"[0-9]+")


def _natural(name: str) -> tuple[str, str]:
    """What names are sorted by: with numbers in them as numbers."""
    return _DIGITS.sub(lambda number: number[0].zfill(20), name), name


def ordered(ids: Sequence[str], edges: Sequence[Sequence[int]]) -> list[int]:
    """The places of steps, each behind those that it waits for, and else by id, with numbers in it as numbers.

    `edges` has for each step the places of those that it waits for; places that are not there do not count.
    """
    rank = {place: i for i, place in enumerate(sorted(range(len(ids)), key=lambda i: _natural(ids[i])))}
    open_edges = [
        {one for one in edges[i] if one < len(ids)} if i < len(edges) else set() for i in range(len(ids))
    ]
    behind: list[list[int]] = [[] for _ in ids]
    for place, before in enumerate(open_edges):
        for one in before:
            behind[one].append(place)
    ready = [(rank[place], place) for place, before in enumerate(open_edges) if not before]
    heapq.heapify(ready)
    found = []
    while ready:
        _, place = heapq.heappop(ready)
        found.append(place)
        for later in behind[place]:
            open_edges[later].discard(place)
            if not open_edges[later]:
                heapq.heappush(ready, (rank[later], later))
    return found


# --------------------------------------------------------------------------- reading


def parsed(text: str, name: str) -> RunFile:
    """The run of a file's text; `name` is for errors. Raises `BadRunFile`."""
    try:
        found = read(text)
    except NotRead as error:
        raise BadRunFile(
            f"`{name}` is no run file: line {error.line}: {error}",
            why="a run file is a small, strict part of YAML",
            fixes=["stepwell export yaml RUN -o FILE   writes one"],
        ) from None
    version = found.get("stepwell")
    if version != FORMAT or isinstance(version, bool):
        raise BadRunFile(
            f"`{name}` is no run file of a format that is known here",
            why=f"it should say `stepwell: {FORMAT}`"
            + ("" if version is None else f", and says {version!r}"),
            fixes=["stepwell export yaml RUN -o FILE", "use the Stepwell that wrote it"],
        )
    return _Shape(name).run(found)


class _Shape:
    """Turns what was read into a run, telling what is not as it should be by its place."""

    def __init__(self, name: str) -> None:
        self._name = name

    def run(self, found: Mapping[str, Any]) -> RunFile:
        """The run. Raises `BadRunFile`."""
        self._only(found, {"stepwell", *ALWAYS, "status", "whole", "dirty", "tags", "diff"}, "")
        for name in ALWAYS:
            if name not in found:
                raise BadRunFile(
                    f"`{self._name}` does not say `{name}`",
                    why="every run file does: this one was cut off, or something was taken out",
                    fixes=["stepwell export yaml RUN -o FILE   writes one"],
                )
        around = self._table(found, "environment")
        self._only(around, {"python", "platform", "pylock", "packages", "places"}, "environment.")
        places = self._table(around, "places", "environment.")
        file = RunFile(
            self._text(found, "pipeline"),
            self._text(found, "status", "succeeded"),
            self._text(found, "commit", ""),
            self._flag(found, "dirty", False),
            self._text(found, "diff", ""),
            self._table(found, "params"),
            tuple(self._source(name, one) for name, one in self._table(found, "sources").items()),
            tuple(self._steps(found)),
            self._numbers(found),
            self._list(found, "tags"),
            self._texts(found, "code"),
            self._text(around, "python", ""),
            self._text(around, "platform", ""),
            self._texts(around, "packages"),
            self._flag(found, "whole", True),
            {name: self._texts(places, name, "environment.places.") for name in places},
            self._text(around, "pylock", ""),
        )
        place, _, function = file.pipeline.rpartition(":")
        parts = place.split("/")
        if not place or not function or "\0" in place or parts[0] == "" or ".." in parts:
            raise self._wrong("pipeline", "FILE:NAME, the file below the project's root")
        if file.commit and not re.fullmatch("[0-9a-f]{7,64}", file.commit):
            raise self._wrong("commit", "the id of a commit, in hexadecimal")
        return file

    def _wrong(self, place: str, wanted: str) -> BadRunFile:
        return BadRunFile(
            f"`{place}` in `{self._name}` is not as it should be",
            why=f"it should be {wanted}",
            fixes=["stepwell export yaml RUN -o FILE   writes one"],
        )

    def _only(self, found: Mapping[str, Any], known: set[str], place: str) -> None:
        for name in found:
            if name not in known:
                raise BadRunFile(
                    f"`{place}{name}` in `{self._name}` is nothing that a run file says",
                    why="what is not understood is not left out silently",
                    fixes=["take it out, or use the Stepwell that wrote it"],
                )

    def _is(self, value: Any, kind: type[T], wanted: str, place: str) -> T:
        if not isinstance(value, kind):
            raise self._wrong(place, wanted)
        return value

    def _text(self, found: Mapping[str, Any], name: str, default: str | None = None, place: str = "") -> str:
        return self._is(found.get(name, default), str, "text", place + name)

    def _flag(self, found: Mapping[str, Any], name: str, default: bool) -> bool:
        return self._is(found.get(name, default), bool, "true or false", name)

    def _table(self, found: Mapping[str, Any], name: str, place: str = "") -> dict[str, Any]:
        return self._is(found.get(name, {}), dict, "a mapping of names", place + name)

    def _texts(self, found: Mapping[str, Any], name: str, place: str = "") -> dict[str, str]:
        value = self._table(found, name, place)
        return {key: self._text(value, key, None, f"{place}{name}.") for key in value}

    def _numbers(self, found: Mapping[str, Any]) -> dict[str, float]:
        value = self._table(found, "metrics")
        for key, one in value.items():
            if isinstance(one, bool) or not isinstance(one, int | float):
                raise self._wrong(f"metrics.{key}", "a number")
        return {key: float(one) for key, one in value.items()}

    def _list(self, found: Mapping[str, Any], name: str, place: str = "") -> tuple[str, ...]:
        value = found.get(name, [])
        if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
            raise self._wrong(place + name, "a list of texts")
        return tuple(value)

    def _source(self, name: str, found: Any) -> Source:
        place = f"sources.{name}."
        found = self._is(found, dict, "a mapping", f"sources.{name}")
        self._only(found, {"address", "digest", "size"}, place)
        size = found.get("size", 0)
        if isinstance(size, bool) or not isinstance(size, int) or size < 0:
            raise self._wrong(f"{place}size", "a number of bytes")
        digest = self._text(found, "digest", None, place)
        if not re.fullmatch("b3:[0-9a-f]{64}", digest):
            raise self._wrong(f"{place}digest", "`b3:` and 64 hexadecimal digits")
        return Source(name, self._text(found, "address", None, place), digest, size)

    def _steps(self, found: Mapping[str, Any]) -> Iterator[Step]:
        seen: set[str] = set()
        for number, value in enumerate(self._is(found.get("steps", []), list, "a list", "steps"), 1):
            place = f"steps[{number}]"
            one = self._is(value, dict, "a mapping", place)
            self._only(one, set(Step._fields), f"{place}.")
            step = Step(
                self._text(one, "id", None, f"{place}."),
                self._text(one, "step", None, f"{place}."),
                takes=self._texts(one, "takes", f"{place}."),
                gives=self._texts(one, "gives", f"{place}."),
                options=self._table(one, "options", f"{place}."),
                after=self._list(one, "after", f"{place}."),
                **{name: self._text(one, name, "", f"{place}.") for name in WORDS},
            )
            if step.id in seen:
                raise self._wrong(f"{place}.id", "another than that of a step before")
            seen.add(step.id)
            yield step


# --------------------------------------------------------------------------- comparing


def differences(then: RunFile, now: RunFile) -> list[str]:
    """What is something else in a run than in the file that it was run from, the causes first; empty where their texts are the same.

    Of a file of an interrupted run, what had been done then counts.
    """
    if then.status == INTERRUPTED:
        now = _as_far(then, now)
    found = [
        *_fields(then, now),
        *_entries("package", then.packages, now.packages),
        *_places(then.places, now.places),
        *_entries("parameter", _told(then.params), _told(now.params)),
        *_entries(
            "source", {s.name: s.digest for s in then.sources}, {s.name: s.digest for s in now.sources}
        ),
        *_steps_apart(then.steps, now.steps),
        *_entries("metric", _told(then.metrics), _told(now.metrics)),
    ]
    if not found and then.status != INTERRUPTED and text_of(then) != text_of(now):
        found.append("what it is written with differs; no step gave anything else")
    return found


def _as_far(then: RunFile, now: RunFile) -> RunFile:
    """Of a run what an interrupted one had come to."""
    reached = {one.id for one in then.steps if one.status != INTERRUPTED}
    return now._replace(
        status=then.status,
        steps=[one for one in now.steps if one.id in reached]
        + [one for one in then.steps if one.id not in reached],
        metrics={name: value for name, value in now.metrics.items() if name in then.metrics},
        tags=[tag for tag in now.tags if tag in then.tags],
        packages={name: text for name, text in now.packages.items() if name in then.packages},
        places={name: found for name, found in now.places.items() if name in then.places},
    )


def _fields(then: RunFile, now: RunFile) -> Iterator[str]:
    for name in ("status", "commit", "python", "platform", "pylock"):
        was, value = getattr(then, name), getattr(now, name)
        if was != value:
            yield f"{name}: {was or 'none'} in the file, {value or 'none'} here"
    if then.diff != now.diff or then.dirty != now.dirty:
        yield "the changes beyond the commit are others"
    if sorted(then.tags) != sorted(now.tags):
        yield f"tags: {', '.join(then.tags) or 'none'} in the file, {', '.join(now.tags) or 'none'} here"


def _told(values: Mapping[str, Any]) -> dict[str, str]:
    return {name: repr(value) for name, value in values.items()}


def _entries(what: str, then: Texts, now: Texts) -> Iterator[str]:
    for name in dict.fromkeys((*then, *now)):
        was, value = then.get(name), now.get(name)
        if was is None:
            yield f"{what} `{name}` is not in the file"
        elif value is None:
            yield f"{what} `{name}` is not there here"
        elif was != value:
            yield f"{what} `{name}`: {was[:40]} in the file, {value[:40]} here"


def _places(then: Mapping[str, Texts], now: Mapping[str, Texts]) -> Iterator[str]:
    for name in dict.fromkeys((*then, *now)):
        yield from _entries(f"`{name}`:", then.get(name, NOTHING), now.get(name, NOTHING))


def said_apart(then: Step, now: Step) -> Iterator[str]:
    """In which of what their authors say of them two steps differ: "`retries`: 2 in the file, 0 here"."""
    for name in ("kind", "role", "place"):
        was, value = getattr(then, name), getattr(now, name)
        if was != value:
            yield f"`{name}`: {was or 'none'} in the file, {value or 'none'} here"
    for name in dict.fromkeys((*then.options, *now.options)):
        was, value = then.options.get(name), now.options.get(name)
        if was != value:
            yield f"`{name}`: {_or_default(was)} in the file, {_or_default(value)} here"


def _or_default(value: object) -> str:
    return "the default" if value is None else repr(value)


def _steps_apart(then: Sequence[Step], now: Sequence[Step]) -> Iterator[str]:
    before, after = {one.id: one for one in then}, {one.id: one for one in now}
    for name in dict.fromkeys((*before, *after)):
        was, one = before.get(name), after.get(name)
        if was is None or one is None:
            yield f"step `{name}` is not {'in the file' if was is None else 'there here'}"
            continue
        if was.status != one.status:
            yield f"step `{name}`: {was.status or 'succeeded'} in the file, {one.status or 'succeeded'} here"
        if was.code != one.code:
            yield f"step `{name}`: its code is something else"
        yield from (f"step `{name}`: {text}" for text in said_apart(was, one))
        if was.gives != one.gives and not one.status:
            other = [
                part for part in {**was.gives, **one.gives} if was.gives.get(part) != one.gives.get(part)
            ]
            cause = "" if was.takes == one.takes else ", and so does what it takes"
            yield f"step `{name}`: `{'`, `'.join(other)}` differs{cause}"
        elif was.takes != one.takes or sorted(was.after) != sorted(one.after):
            yield f"step `{name}`: what it takes differs"
