"""What a lock says: what data, code and environment are, and what came out of them. Facts only.

A lock is a function of these facts and of nothing else: no time, no host, no version of a release or of Stepwell
is in it, so that the same facts give the same bytes on every machine (`dist.lockfile` has the text).

    Lock
      environment    interpreter, platform, what the steps import directly, the digest of all of it
      data           by name: where it comes from, its digests, rows and columns
      pipeline       by name: parameters; by step its code, what it uses, what it gave; metrics
      output         by name: what leaves, with its signature
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime, time
from typing import Any, NamedTuple

from msgspec import Struct, to_builtins


class Environment(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Where the steps ran.

    `python` is the interpreter and its minor version ("cpython 3.11"), `platform` system and machine
    ("linux x86_64"), `direct` the versions of the distributions that first-party code imports, and
    `pylock` the SHA-256 of the `pylock.toml` that has all of them with their hashes ("" where there is none).
    """

    python: str = ""
    platform: str = ""
    pylock: str = ""
    direct: dict[str, str] = {}


class Data(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One named input, pinned.

    `source` is where it is fetched from, `size` in bytes, `rows` None for what is no table, `bytes` the
    `b3:` digest of its bytes, `content` the `c1:` digest of what it says ("" where there is no canonical form).
    `columns` are what each column holds, in order; `key` what the columns that identify a row stand for; `units`
    the unit by column; `references` the share of a column's values that are found in the column that it refers to, as
    "customers.customer_id 1.0"; `quantiles` the 19 twentieths of each numeric column; `sketch` a sample of the values of each column of the
    key (`dist.sketches`). `files`, of a folder, are "SIZE b3:DIGEST" by relative name. `position` is where data
    that moves was when it was frozen, and empty of what is not: provenance, never identity.
    """

    source: str
    size: int
    rows: int | None = None
    bytes: str
    content: str = ""
    columns: dict[str, str] = {}
    key: dict[str, str] = {}
    units: dict[str, str] = {}
    references: dict[str, str] = {}
    quantiles: dict[str, tuple[float, ...]] = {}
    sketch: dict[str, str] = {}
    position: dict[str, str] = {}
    files: dict[str, str] = {}


class Output(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One value that a step gave: its codec, what a person sees of it, its size in bytes, its blob, its canonical digest."""

    codec: str
    shows: str = ""
    size: int
    bytes: str
    content: str = ""


class Step(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One call of a step: the digest of its code, what it takes ("data.NAME", "step.ID"), what else it is given, what it gave.

    `args` are the values by argument that are written in the pipeline or given as its parameters, as they
    count in the key: the text of a short one, else its digest.
    """

    code: str
    uses: tuple[str, ...] = ()
    args: dict[str, str] = {}
    output: dict[str, Output] = {}


class Pipeline(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One pipeline. `params` are plain data by name; `metrics` the last values logged, by "STEP.METRIC".

    `uses` ("data.NAME") is what it takes apart from its steps, as a listing whose files become a call each: nobody can tell
    without it which steps there are.
    """

    uses: tuple[str, ...] = ()
    params: dict[str, Any] = {}
    metrics: dict[str, float] = {}
    step: dict[str, Step] = {}


def data_of(pipeline: Pipeline) -> set[str]:
    """All data that a pipeline rests on, by name: what its steps take, and what says which steps there are."""
    return data_in([pipeline.uses, *[step.uses for step in pipeline.step.values()]])


def data_in(uses: Iterable[Iterable[str]]) -> set[str]:
    """The data among what steps take, by name."""
    return {use.removeprefix("data.") for some in uses for use in some if use.startswith("data.")}


def entry_of(data: Mapping[str, Data], name: str, source: str) -> Data | None:
    """What a lock says of data by its name. Of a file of a listing ("parts/a.csv") at `source` without an entry the listing's has it."""
    listing, _, file = name.partition("/")
    if name in data or listing not in data or file not in data[listing].files:
        return data.get(name)
    size, _, digest = data[listing].files[file].rpartition(" ")
    return Data(source=source, size=int(size), bytes=digest)


class Leaving(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What leaves under a name: an `[outputs.NAME]` of the manifest, as it came out.

    `pipeline` and `step` say where, by their names in this lock, `part` which of the step's outputs; `codec`, `size`, `bytes`,
    `content` are as of `Output`, `parts` further blobs that it refers to. `needs` are the requirements without which its bytes cannot be read
    ("scikit-learn==1.9.0"). The signature: `takes` is what a model wants, by column, `gives` what leaves by column, `units` the unit of
    each of both that has one, `categories` the values of each column of categories, `key` what identifies a row.
    """

    pipeline: str
    step: str
    part: str = ""
    codec: str
    size: int
    bytes: str
    content: str = ""
    parts: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    takes: dict[str, str] = {}
    gives: dict[str, str] = {}
    units: dict[str, str] = {}
    key: dict[str, str] = {}
    categories: dict[str, tuple[str, ...]] = {}


class Lock(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """All that is locked of a project."""

    environment: Environment = Environment()
    data: dict[str, Data] = {}
    pipeline: dict[str, Pipeline] = {}
    output: dict[str, Leaving] = {}


class Difference(NamedTuple):
    """One fact in which two locks differ: where it stands ("data.flights.rows"), and its two values, None where it is not there."""

    place: str
    before: object
    after: object

    def __str__(self) -> str:
        if self.before is None:
            return f"{self.place} is new: {_brief(self.after)}"
        if self.after is None:
            return f"{self.place} is gone: {_brief(self.before)}"
        return f"{self.place}: {_brief(self.before)} is now {_brief(self.after)}"


def differences(before: Lock, after: Lock) -> Iterator[Difference]:
    """What two locks say differently, in the order in which a lock is written; a whole block is told once."""
    return _compared("", facts(before), facts(after))


def _compared(place: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Difference]:
    for name in [*before, *[name for name in after if name not in before]]:
        one, other, at = before.get(name), after.get(name), f"{place}{name}"
        if isinstance(one, Mapping) and isinstance(other, Mapping):
            yield from _compared(f"{at}.", one, other)
        elif one != other and not (one != one and other != other):  # "not a number" is no other fact
            yield Difference(at, one, other)


def facts(lock: Lock) -> dict[str, Any]:
    """A lock as nested plain data, in the order in which it is written; what is empty is left out."""
    found: dict[str, Any] = to_builtins(lock, builtin_types=(datetime, date, time))
    parts = {"environment": _block(found.get("environment", {}))}
    parts |= {name: _by_name(found.get(name, {})) for name in ("data", "pipeline", "output")}
    return {name: value for name, value in parts.items() if value}


def _by_name(found: Mapping[str, Any]) -> dict[str, Any]:
    """Blocks, or facts that the user has named, in the order of their names."""
    parts = {name: _block(found[name]) for name in sorted(found)}
    return {name: value for name, value in parts.items() if value != {}}


def _block(found: Any) -> Any:
    """A block keeps the order of its fields, and of its columns; the tables in it go by name."""
    if not isinstance(found, dict):
        return list(found) if isinstance(found, tuple) else found
    parts = {name: _fact(name, value) for name, value in found.items()}
    return {name: value for name, value in parts.items() if value != {}}


def _fact(name: str, value: Any) -> Any:
    if name == "params":
        return {key: _value(value[key]) for key in sorted(value)}
    if isinstance(value, tuple):
        return list(value)
    return _by_name(value) if isinstance(value, dict) and name not in ("columns", "takes", "gives") else value


_INTEGERS = range(-(2**63), 2**63)
"""What TOML promises to bear."""


def _value(value: Any) -> Any:
    """A parameter's value, where TOML has no word for it as `{ python = "…" }`."""
    if isinstance(value, dict):
        return {str(name): _value(value[name]) for name in sorted(value, key=str)}
    if isinstance(value, list | tuple):
        return [_value(item) for item in value]
    if isinstance(value, str | float | bool | datetime | date | time):
        return value
    return value if isinstance(value, int) and value in _INTEGERS else {"python": repr(value)}


def _brief(value: object) -> str:
    text = ", ".join(value) if isinstance(value, Mapping) else str(value)
    return text if len(text) <= 60 else f"{text[:57]}…"
