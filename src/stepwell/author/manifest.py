"""The manifest: what comes into a project's pipelines, what leaves them, and what must hold. All that can be said in it.

    manifest = manifest_of(root)             # or `manifest_of(root, file)` of a single file with a header
    manifest.data["customers"].source

It is written in `[tool.stepwell]` of `pyproject.toml`, in `stepwell.toml`, or in a script's header
(`author.written` finds it). These classes are its one definition: they check it, they are its JSON Schema, and they
are its page in the reference (`docs/reference/manifest.md`). Steps and how they are wired stay in Python.

Every plan asks `author.settings` instead, which imports this only for projects that have a manifest.
"""

from __future__ import annotations

import keyword
import math
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal
from unicodedata import normalize

from msgspec import Meta, field

from stepwell.author.options import bytes_of
from stepwell.author.tables import Mistake, Table, error_of, filled, shown, unknown
from stepwell.author.written import Written, written_of
from stepwell.errors import BadHook, StepwellError

Texts = tuple[str, ...]
ByColumn = dict[str, str]


# --------------------------------------------------------------------------- what columns hold

_KEY = Meta(
    description="The columns that tell one row from another, and what their values are: "
    "tables whose keys are the same thing can be joined, others cannot. A list, where nobody has said yet what they are.",
    examples=[{"customer_id": "crm.customer"}, ["customer_id"]],
)
_UNITS = Meta(
    description="The unit of each column that has one.", examples=[{"mrr": "EUR/month", "tenure": "month"}]
)
_SCHEMA = Meta(
    description="What each column holds, by name; or a contract in Python: a pandera schema, a pydantic model "
    'or a dataclass, as "module:Name".',
    examples=[{"customer_id": "int64", "mrr": "float64"}, "churn.contracts:Customers"],
)
_DOC = Meta(description="One line for people.", examples=["One row per paying customer at month end"])


class Freeze(Table, frozen=True, kw_only=True):
    """Which part of data that moves is frozen, for queries and folders that grow."""

    start: Annotated[
        str,
        Meta(
            description="From when on: a date, or a date with a time. Included.",
            examples=["2026-07-01"],
            extra={"dates": True},
        ),
    ] = field(default="", name="from")
    until: Annotated[
        str,
        Meta(description="Until when. Not included.", examples=["2026-08-01"], extra={"dates": True}),
    ] = ""
    by: Annotated[
        str, Meta(description="The column that says when, where the data is a table.", examples=["seen_at"])
    ] = ""

    def mistakes(self) -> Iterator[Mistake]:
        """What is no date, and a span that ends before it begins."""
        moments: list[datetime] = []
        for name, text in (("from", self.start), ("until", self.until)):
            if text and (moment := _moment(text)) is not None:
                moments.append(moment)
            elif text:
                fix = 'for example: 2026-07-01, or "2026-07-01T12:00:00Z"'
                yield Mistake((name,), f"`{name} = {shown(text)}` in {{at}} is no date", fixes=(fix,))
        if len(moments) == 2 and moments[0] >= moments[1]:
            yield Mistake(("until",), "`until` in {at} is not after `from`: nothing would be frozen")


class Data(Table, frozen=True, kw_only=True):
    """Named data that comes in; pipelines and notebooks import it by its name."""

    source: Annotated[
        str,
        Meta(
            description="Where it is: a file, folder or glob relative to the project's root, "
            "or an address (https, s3, package, sqlite, postgres, …).",
            examples=["s3://crm-exports/customers/*.parquet"],
            min_length=1,
        ),
    ] = ""
    package: Annotated[
        str,
        Meta(
            description="Another release that it comes from, as a requirement; in place of `source`.",
            examples=["geo-regions>=3,<4"],
            min_length=1,
        ),
    ] = ""
    query: Annotated[
        str,
        Meta(
            description="What is asked of the database that `source` names.",
            examples=["select * from customers"],
        ),
    ] = ""
    doc: Annotated[str, _DOC] = ""
    key: Annotated[ByColumn | Texts, _KEY] = ()
    references: Annotated[
        ByColumn,
        Meta(
            description="Columns whose values are those of another table's column; each must be found there.",
            examples=[{"customer_id": "customers.customer_id"}],
        ),
    ] = field(default_factory=dict)
    units: Annotated[ByColumn, _UNITS] = field(default_factory=dict)
    schema: Annotated[ByColumn | str, _SCHEMA] = field(default_factory=dict)
    private: Annotated[
        Texts,
        Meta(
            description="Columns of whose values nothing is recorded: no quantiles, no sample of keys.",
            examples=[["email"]],
        ),
    ] = ()
    type: Annotated[
        str,
        Meta(
            description="What a step is given; by the kind of data where it is not said.",
            examples=["pandas.DataFrame"],
            pattern=r"^[A-Za-z_][\w.]*$",
        ),
    ] = ""
    read: Annotated[
        dict[str, Any],
        Meta(
            description="Options for the reader. They count in the key of each step that is given the data.",
            examples=[{"parse_dates": ["time_hour"]}],
        ),
    ] = field(default_factory=dict)
    sample: Annotated[
        bool, Meta(description="Whether a ghost run may take a sample of it; it is read whole otherwise.")
    ] = True
    freeze: Annotated[Freeze | None, Meta(description="Which part is frozen, where the data moves.")] = None

    @property
    def keys(self) -> dict[str, str]:
        """What each column of the key is; "" where nobody has said."""
        return _keys(self.key)

    def address(self, name: str) -> str:
        """Where the data is that has this name: its `source`, or the output of that name of the release that it comes from."""
        return self.source or f"release://{self.package.replace(' ', '')}/{name}"

    def mistakes(self) -> Iterator[Mistake]:
        """What cannot stand together in one table of data."""
        if bool(self.source) == bool(self.package):
            both = "both `source` and `package`" if self.source else "neither `source` nor `package`"
            fix = 'source = "data/customers.parquet"'
            yield Mistake((), f"{{at}} has {both}", "data comes from one place", (f"for example: {fix}",))
        if self.query and self.package:
            yield Mistake(("query",), "{at} has a `query`, and its data comes from a `package`")
        for column, target in self.references.items():
            if len(target.split(".")) != 2 or not all(target.split(".")):
                what = f"`references.{column} = {shown(target)}` in {{at}} is no column of other data"
                yield Mistake(("references", column), what, fixes=('for example: "customers.customer_id"',))
        yield from _columns_agree(
            self.schema, key=self.keys, units=self.units, references=self.references, private=self.private
        )


class Golden(Table, frozen=True, kw_only=True):
    """A small set of data on which what leaves is compared between two releases."""

    on: Annotated[
        str,
        Meta(
            description="The data or the output that is predicted on.",
            examples=["golden_customers"],
            min_length=1,
        ),
    ]
    tolerance: Annotated[
        float,
        Meta(
            description="How far a prediction may be from what it was and still count as the same.",
            examples=[1e-6],
            ge=0,
        ),
    ] = 0.0

    def mistakes(self) -> Iterator[Mistake]:
        """A tolerance within which everything is the same."""
        if not math.isfinite(self.tolerance):
            yield Mistake(("tolerance",), f"`tolerance = {self.tolerance}` in {{at}} is no number")


class Output(Table, frozen=True, kw_only=True):
    """What leaves: the result of a step or of a pipeline, under a name."""

    step: Annotated[
        str,
        Meta(
            description="The step that makes it, by its name, or with its module.",
            examples=["fit", "churn.train:fit"],
            pattern=r"^([A-Za-z_][\w.]*:)?[A-Za-z_][\w.\[\]-]*$",
        ),
    ] = ""
    pipeline: Annotated[
        str,
        Meta(
            description="The pipeline that the step is in, where there are several; "
            "without a step, the one whose result it is.",
            examples=["training"],
            pattern=r"^([A-Za-z_][\w.]*:)?[A-Za-z_][\w.-]*$",
        ),
    ] = ""
    format: Annotated[
        str,
        Meta(
            description="How it is written; by the codec of its type where it is not said.",
            examples=["xgboost-json"],
        ),
    ] = ""
    doc: Annotated[str, _DOC] = ""
    key: Annotated[ByColumn | Texts, _KEY] = ()
    units: Annotated[ByColumn, _UNITS] = field(default_factory=dict)
    schema: Annotated[ByColumn | str, _SCHEMA] = field(default_factory=dict)
    golden: Annotated[
        Golden | None, Meta(description="What its predictions are compared on between two releases.")
    ] = None
    gates: Annotated[
        Texts,
        Meta(
            description="What its metrics must satisfy before it is released or promoted: comparisons of metrics, "
            "numbers, and metrics of the release that is in a channel now.",
            examples=[["auc >= 0.81", "auc >= production.auc - 0.005"]],
        ),
    ] = ()

    @property
    def keys(self) -> dict[str, str]:
        """What each column of the key is; "" where nobody has said."""
        return _keys(self.key)

    def mistakes(self) -> Iterator[Mistake]:
        """An output that nothing makes, and columns that its schema has not."""
        if not self.step and not self.pipeline:
            yield Mistake((), "{at} needs `step` or `pipeline`", fixes=('for example: step = "fit"',))
        yield from _columns_agree(self.schema, key=self.keys, units=self.units)


class Release(Table, frozen=True, kw_only=True):
    """How a release is made, and where what is too large for it goes."""

    name: Annotated[
        str,
        Meta(
            description="The name of the package; that of the project, or of the single file, where it is not said.",
            examples=["churn"],
            pattern=r"^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$",
        ),
    ] = ""
    predict: Annotated[
        str,
        Meta(
            description="The output that `predict` asks; the only one that can, where it is not said.",
            examples=["model"],
        ),
    ] = ""
    embed_under: Annotated[
        str | int,
        Meta(
            description="Artifacts of this size and above are not put into the wheel, but referred to by digest. "
            "Bytes, or a text with a unit.",
            examples=["20MB"],
        ),
    ] = "20MB"
    store: Annotated[
        str,
        Meta(
            description="Where large artifacts are put, by their digests.",
            examples=["s3://acme-artifacts/cas"],
        ),
    ] = ""
    mirrors: Annotated[
        Texts,
        Meta(
            description="Where else they may be fetched from, tried in this order.",
            examples=[["https://mirror.example.org/cas"]],
        ),
    ] = ()

    @property
    def limit(self) -> int:
        """`embed_under` in bytes."""
        return bytes_of(self.embed_under) or 0

    def mistakes(self) -> Iterator[Mistake]:
        """A limit that is no size."""
        if bytes_of(self.embed_under) is None:
            what = f"`embed_under = {shown(self.embed_under)}` in {{at}} is no size"
            yield Mistake(("embed_under",), what, fixes=('for example: embed_under = "20MB"',))


class Channel(Table, frozen=True, kw_only=True):
    """What a release must have before it is promoted to a channel."""

    needs: Annotated[
        Texts,
        Meta(
            description="What must be so. A refused promotion says which of them is not.",
            examples=[["reproduced", "2 days in staging", "approved-by: risk"]],
        ),
    ] = ()


class Channels(Table, frozen=True, kw_only=True):
    """The channels that releases are promoted through. Every other key is a channel, with what it needs."""

    OTHERS: ClassVar[str] = "channels"

    order: Annotated[
        Texts,
        Meta(
            description="Their names, from where a release is tried to where it is used.",
            examples=[["candidate", "staging", "production"]],
        ),
    ] = ("staging", "production")
    index: Annotated[
        str,
        Meta(
            description="The folder or bucket that holds them, each a package index of its own.",
            examples=["s3://acme-artifacts/index"],
        ),
    ] = ""
    channels: Annotated[
        dict[str, Channel],
        Meta(description="By name of a channel: what it needs.", examples=[{"needs": ["reproduced"]}]),
    ] = field(default_factory=dict)

    def mistakes(self) -> Iterator[Mistake]:
        """Names that no channel can have, and channels that are not in the order."""
        for name in self.order:
            if not is_channel(name):
                yield Mistake(
                    ("order",),
                    f"`order` in {{at}} has {shown(name)}, which no channel can be called",
                    "it is a folder and part of addresses: small letters and digits, `-` between them",
                )
        if len({*self.order}) < len(self.order):
            yield Mistake(("order",), "`order` in {at} has a channel twice")
        for name in self.channels:
            if name not in self.order:
                why = "it is neither a setting of channels nor one of them"
                yield unknown(
                    name, (*self.order, "order", "index"), f"there is no `{name}` in {{at}}"
                )._replace(why=why)


def is_channel(name: str) -> bool:
    """Whether a channel can have this name: it is a folder, a part of addresses, and a word in gates."""
    plain = re.fullmatch(r"[a-z](?:[a-z0-9-]*[a-z0-9])?", name) is not None
    return plain and len(name) <= 40 and name not in ("order", "index", "pool")


# --------------------------------------------------------------------------- what plans ask


class Plan(Table, frozen=True, kw_only=True):
    """What `plan` and `run` check where the command line does not say."""

    depth: Annotated[
        Literal["", "names", "types", "data"], Meta(description="How deep checks look.", examples=["types"])
    ] = ""
    only: Annotated[Texts, Meta(description="The checks that are asked, alone.", examples=[["edges"]])] = ()
    without: Annotated[Texts, Meta(description="Checks that are not asked.", examples=[["disk"]])] = ()
    outside: Annotated[
        Texts,
        Meta(
            description="Folders outside of the project that steps may write to.", examples=[["/srv/reports"]]
        ),
    ] = ()


_ONE_HOOK: dict[str, Any] = {
    "anyOf": [
        {"type": "string"},
        {"type": "array", "items": {"type": "string"}},
        {
            "type": "object",
            "properties": {
                "command": {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]},
                "url": {"type": "string"},
                "timeout": {"type": ["string", "number"]},
            },
            "additionalProperties": False,
        },
    ]
}
_WORDS = {"words": "a hook, or a list of them"}
_HOOK = {"anyOf": [_ONE_HOOK, {"type": "array", "items": _ONE_HOOK}]}


class Hooks(Table, frozen=True, kw_only=True):
    """What is told when a run ends: commands and web addresses."""

    # What one may be is said by `author.hooks` when a run begins, so that options and settings are told the same.
    ERROR: ClassVar[type[StepwellError]] = BadHook

    success: Annotated[
        Any,
        Meta(
            description="After a run that succeeded.",
            examples=["notify-send done"],
            extra_json_schema=_HOOK,
            extra=_WORDS,
        ),
    ] = ()
    failure: Annotated[
        Any,
        Meta(
            description="After one that did not.",
            examples=[["./tell.sh", {"url": "$TEAM_HOOK"}]],
            extra_json_schema=_HOOK,
            extra=_WORDS,
        ),
    ] = ()
    always: Annotated[
        Any,
        Meta(
            description="After each.",
            examples=[{"command": ["logger", "-t", "stepwell"], "timeout": "1min"}],
            extra_json_schema=_HOOK,
            extra=_WORDS,
        ),
    ] = ()
    allow: Annotated[
        Any,
        Meta(
            description="Hosts that may be inside, and may speak http.",
            examples=[["hooks.internal:8443"]],
            extra_json_schema={"type": "array", "items": {"type": "string"}},
            extra={"words": "a list of texts"},
        ),
    ] = ()


class Manifest(Table, frozen=True, kw_only=True):
    """All that a project says to Stepwell beside its pipelines."""

    data: Annotated[dict[str, Data], Meta(description="What comes in, by names that Python can import.")] = (
        field(default_factory=dict)
    )
    outputs: Annotated[dict[str, Output], Meta(description="What leaves, by name.")] = field(
        default_factory=dict
    )
    release: Annotated[Release, Meta(description="How releases are made.")] = Release()
    channels: Annotated[Channels, Meta(description="Where releases are promoted.")] = Channels()
    params: Annotated[
        dict[str, Any],
        Meta(
            description="Values of parameters: of every pipeline that has one of that name, or, "
            "in a table with a pipeline's name, of that one.",
            examples=[{"seed": 7, "horizon_days": 30}],
        ),
    ] = field(default_factory=dict)
    environment: Annotated[
        Literal["loose", "default", "strict"],
        Meta(description="How much of what is installed counts for a result.", examples=["strict"]),
    ] = "default"
    interface: Annotated[
        str,
        Meta(
            description="The module that named data is imported from, relative to the project's root; where it is "
            "not said `data.py`, in the project's package if it has one, else beside the pipeline.",
            examples=["src/churn/inputs.py"],
            pattern=r"^(\w+/)*[A-Za-z_]\w*\.py$",
        ),
    ] = ""
    checks: Annotated[
        Texts,
        Meta(description="Functions that judge every plan.", examples=[["quality:no_small_models"]]),
    ] = ()
    plan: Annotated[Plan, Meta(description="What is checked before a run.")] = Plan()
    hooks: Annotated[Hooks, Meta(description="What is told when a run ends.")] = Hooks()
    workspace: Annotated[
        Texts,
        Meta(
            description="Projects whose modules count as this one's own. Not in the header of a single file.",
            examples=[["../etl-project", "packages/*"]],
        ),
    ] = ()
    containers: Annotated[
        str,
        Meta(
            description="The engine for containers, where this machine has both. Not in the header of a single file.",
            examples=["podman"],
            extra_json_schema={"enum": ["", "podman", "docker"]},
        ),
    ] = ""

    def mistakes(self) -> Iterator[Mistake]:
        """Names that cannot be, and names of what is not there."""
        for name in self.data:
            if reason := why_no_name(name):
                yield Mistake(("data", name), f"data cannot be called `{name}`", *reason)
        for name in self.outputs:
            if not _is_word(name):
                why = "an output has a name as a variable in Python has one"
                yield Mistake(("outputs", name), f"an output cannot be called `{name}`", why)
        yield from self._references()

    def _references(self) -> Iterator[Mistake]:
        for name, one in self.data.items():
            for column, target in one.references.items():
                if (other := target.split(".")[0]) not in self.data:
                    what = f"`{column}` refers to `{target}`, and there is no data `{other}`"
                    yield _unnamed(other, self.data, what, ("data", name, "references", column))
        for name, output in self.outputs.items():
            known = {**self.data, **self.outputs}
            if output.golden is not None and output.golden.on not in known:
                what = f"output `{name}` is compared on `{output.golden.on}`, which is neither data nor an output"
                del known[name]
                yield _unnamed(output.golden.on, known, what, ("outputs", name, "golden", "on"))
        wanted = self.release.predict
        if wanted and wanted not in self.outputs:
            hint = 'for example: outputs.model = { step = "fit" }'
            wrong = unknown(wanted, self.outputs, f"`predict` is to ask `{wanted}`, which is no output", hint)
            yield wrong._replace(path=("release", "predict"))


def manifest_of(root: Path, file: Path | None = None) -> Manifest:
    """The manifest of the project with this root, or of a single `file` that has one in its header; empty if there is none.

    Raises `BadSettings` (`BadHook` for a hook that there is not), `SeveralProblems` if there is more than one mistake.
    """
    written = written_of(root, file)
    return Manifest() if written is None else checked(written)


_checked: dict[Path, tuple[Written, Manifest]] = {}
"""By file, what was checked last: several parts of one command ask for the same."""


def checked(written: Written) -> Manifest:
    """A manifest as it is written, checked whole. Raises as `manifest_of`."""
    last = _checked.get(written.file)
    if last is None or last[0] is not written:
        last = _checked[written.file] = (written, filled(Manifest, _for_file(written)))
    return last[1]


def schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of the manifest: of `stepwell.toml`, and of the table `[tool.stepwell]`."""
    import msgspec.json

    (whole,), parts = msgspec.json.schema_components([Manifest], ref_template="#/$defs/{name}")
    channels = parts["Channels"]["properties"].pop(Channels.OTHERS)
    parts["Channels"]["additionalProperties"] = channels["additionalProperties"]
    for name, table in parts.items():
        required = {"Data": ("source", "package"), "Output": ("step", "pipeline")}.get(name, ())
        if required:
            table["oneOf" if name == "Data" else "anyOf"] = [{"required": [one]} for one in required]
    parts["Manifest"]["properties"]["data"]["propertyNames"] = {"pattern": r"^[^\s\d_.-][^\s.-]*$"}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "The manifest of a project: `stepwell.toml`, or `[tool.stepwell]` of `pyproject.toml`",
        **whole,
        "$defs": parts,
    }


# --------------------------------------------------------------------------- names


def why_no_name(name: str) -> tuple[str, tuple[str, ...]] | None:
    """Why data cannot have this name, and what to do; None where it can."""
    if not _is_word(name):
        other = "".join(one if one.isidentifier() or one.isdigit() else "_" for one in name).strip("_")
        other = other if _is_word(other) and why_no_name(other) is None else "customers"
        return "its name is that of a variable in Python, with which it is imported", (
            f"for example: {other}",
        )
    if name.startswith("_"):
        return "names that begin with `_` are not imported", (
            f"for example: {name.strip('_') or 'customers'}",
        )
    if name in sys.stdlib_module_names or name == "stepwell":
        whose = "this package" if name == "stepwell" else "a module of Python"
        return f"it would hide {whose} of that name", (f"for example: {name}_data",)
    return None


def _is_word(name: str) -> bool:
    """Whether Python takes it for a name, as it is written."""
    return name.isidentifier() and not keyword.iskeyword(name) and normalize("NFKC", name) == name


# --------------------------------------------------------------------------- parts of rules


def _unnamed(name: str, known: Iterable[str], what: str, path: tuple[str, ...]) -> Mistake:
    """The mistake that there is no data of a name, which can be had."""
    wrong = unknown(name, known, what)
    way = f'stepwell add {name} ADDRESS     (or in the manifest: data.{name} = {{ source = "…" }})'
    fixes = (*wrong.fixes, way) if why_no_name(name) is None else wrong.fixes
    return wrong._replace(path=path, fixes=fixes)


def _for_file(written: Written) -> Written:
    """Refuse in a header what is about more than a file. Raises `BadSettings`."""
    for name in ("workspace", "containers") if written.kind == "script" else ():
        if name in written.table:
            why = "a file with a header stands alone; this is about a project, or a machine"
            fix = f"[tool.stepwell] {name} = {shown(written.table[name])} in a pyproject.toml"
            mistake = Mistake((name,), f"`{name}` cannot be set in the header of a file", why, (fix,))
            raise error_of(mistake, written)
    return written


def _keys(key: Mapping[str, str] | Iterable[str]) -> dict[str, str]:
    return dict(key) if isinstance(key, Mapping) else dict.fromkeys(key, "")


def _columns_agree(schema: Mapping[str, str] | str, **spoken: Iterable[str]) -> Iterator[Mistake]:
    """Columns that are spoken of and that the schema, where it is written out, has not."""
    if isinstance(schema, str):
        module, colon, name = schema.partition(":")
        if not (colon and name.isidentifier() and all(map(str.isidentifier, module.split(".")))):
            what = f"`schema = {shown(schema)}` in {{at}} names no contract"
            yield Mistake(("schema",), what, fixes=('for example: schema = "churn.contracts:Customers"',))
        return
    for name, columns in spoken.items() if schema else ():
        for column in columns:
            if column not in schema:
                what = f"`{name}` in {{at}} speaks of `{column}`, which its `schema` has not"
                yield unknown(column, schema, what)._replace(path=(name, column))


def _moment(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
