"""The page and the JSON Schema of the manifest, both made of its one definition, `stepwell.author.manifest`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from stepwell.author import manifest
from stepwell.author.manifest import Manifest
from stepwell.author.tables import Field, Table, example, fields_of, shown, wanted

HEAD = """# The manifest

What comes into a project's pipelines, what leaves them, and what must hold. Steps, and how they are wired, stay in
Python. It is one of these, the first that is there, alone:

| file | its tables | for |
|---|---|---|
| the pipeline's own file | `[tool.stepwell]` in its header `# /// script` ([PEP 723](https://peps.python.org/pep-0723/)) | a single file |
| `stepwell.toml` in the project's root | as on this page | a project that is no package |
| `pyproject.toml` in the project's root | the same with `tool.stepwell.` in front | a package |

All of it may be left out: a project needs no manifest to run. Where there is one, it is checked whole before
anything runs, and each mistake is told with its line. `workspace` and `containers` are about more than one file, so
they are always the project's. Editors that know JSON Schema check it while it is written, with
[schemas/manifest.json](schemas/manifest.json): `#:schema` in the first line of a `stepwell.toml` names it to many of them.

```toml
[tool.stepwell.data.customers]
source = "s3://crm-exports/customers/*.parquet"
doc = "One row per paying customer at month end"
key = { customer_id = "crm.customer" }
units = { mrr = "EUR/month", tenure = "month" }

[tool.stepwell.data.orders]
source = "data/orders.csv"
key = ["order_id"]
references = { customer_id = "customers.customer_id" }
read = { parse_dates = ["ordered_at"] }

[tool.stepwell.params]
seed = 7

[tool.stepwell.outputs.model]
step = "churn.train:fit"
golden = { on = "customers", tolerance = 1e-6 }
gates = ["auc >= 0.81", "auc >= production.auc - 0.005"]

[tool.stepwell.release]
embed_under = "20MB"

[tool.stepwell.channels]
order = ["candidate", "staging", "production"]
index = "channels"
production = { needs = ["reproduced"] }
```

The same of a single file:

```python
# /// script
# dependencies = ["stepwell[pandas]"]
#
# [tool.stepwell.data.orders]
# source = "data/orders.csv"
# ///
```

A file has one such header: with two of them nobody could say which counts, and neither does.
"""

NAMES = """### Names

The name of data is that of a variable in Python, since it is imported with it: no keyword, nothing that begins with
`_`, and not the name of a module of Python, which it would hide (`calendar`, `statistics`).
"""

GATES = """### Gates

A gate compares (`>=`, `>`, `<=`, `<`, `==`) two sums, differences or products of

| | |
|---|---|
| `auc` | a metric of the release that is looked at, in quotes where it is no word: `"val/auc"`. It is the one of the step that the output comes from, else of the only step that logs it |
| `"score.auc"` | the one of the step `score` |
| `0.81` | a number |
| `production.auc` | that metric of the release which is in a channel now; `production["val/auc"]`. A `-` in the name of a channel is written `_` |

Numbers are compared as they are written in decimal. What cannot be known does not pass, and says so: a metric that
nobody recorded or that is no number, a channel that there is not. A channel that nothing is in yet has nothing to
compare with, and lets through.
"""

PLACES = {
    "Data": ("data.NAME", NAMES),
    "Freeze": ("data.NAME.freeze", ""),
    "Output": ("outputs.NAME", GATES),
    "Golden": ("outputs.NAME.golden", ""),
    "Release": ("release", ""),
    "Channels": ("channels", ""),
    "Channel": ("channels.NAME", ""),
    "Plan": ("plan", ""),
    "Hooks": ("hooks", "[Hooks](../guides/hooks.md) says what one may be."),
}


def schema() -> str:
    """The JSON Schema, as it is published."""
    return json.dumps(manifest.schema(), indent=2, ensure_ascii=False) + "\n"


def page() -> str:
    """The reference page: what a manifest is, and every key of every table."""
    lines = [HEAD, "## Settings of the project", "", *_keys(Manifest)]
    for name, (place, more) in PLACES.items():
        kind: type[Table] = getattr(manifest, name)
        about = " ".join((kind.__doc__ or "").split())
        lines += ["", f"## `[{place}]`", "", about, "", *_keys(kind), *(["", more.strip()] if more else [])]
    return "\n".join(lines) + "\n"


def _keys(kind: type[Table]) -> Iterator[str]:
    yield "| key | type | default | meaning |"
    yield "|---|---|---|---|"
    for one in fields_of(kind).values():
        name = "NAME" if one.name == kind.OTHERS else one.name
        words = "a table" if name == "NAME" else (one.meta.extra or {}).get("words") or wanted(one.type)
        said = example(one, name).replace("for example: ", "")
        meaning = f"{one.meta.description} {f'`{said}`' if said else ''}".strip()
        yield " | ".join((f"| `{name}`", words, _default(kind, one), f"{meaning} |")).replace("  ", " ")


def _default(kind: type[Table], field: Field) -> str:
    if field.required:
        return "required"
    default: Any = getattr(kind(**_least(kind)), field.attribute)
    if isinstance(default, Table) or default in ("", (), {}, None):
        return ""
    return f"`{shown(default)}`"


def _least(kind: type[Table]) -> dict[str, Any]:
    return {one.attribute: "x" for one in fields_of(kind).values() if one.required}
