"""A step over runs: `GET /api/steps/:full`."""

from __future__ import annotations

import ast
import textwrap
from typing import Any

from stepwell.app.plaindata import number
from stepwell.errors import NothingThere
from stepwell.stores.runrow import DAMAGED
from stepwell.stores.steprow import StepRow
from stepwell.ui.answers.code import parts
from stepwell.ui.answers.rows import Reasons, kept
from stepwell.ui.answers.run import roles
from stepwell.ui.asked import Asked, Here

MOST = 500
"""Executions in one answer."""

TRIED = 5
"""Executions, the newest, that are asked for the step's role."""

VERSIONS = 20
"""Versions of its code in one answer."""


def step(here: Here, asked: Asked) -> dict[str, Any]:
    """What runs did with a step, or with one call of it (`id`), newest first, and its code. Raises `NothingThere`."""
    full, call = asked.path["full"], asked.word("id")
    limit = asked.number("limit", 50, least=1, most=MOST)
    found: list[tuple[str, float, StepRow]] = []
    runs, damaged = _runs(here, full)
    for run, started in runs:
        rows = [row for row in here.store.runs.steps(run, full) if call in ("", row.id)]
        found += [(run, started, row) for row in rows[: limit - len(found)]]
        if len(found) >= limit:
            break
    if not found:
        unread = f"the record of {', '.join(damaged[:TRIED])} cannot be read" if damaged else ""
        raise NothingThere(f"no run has a step `{full[:200]}`", why=unread, fixes=["stepwell runs"])
    code, reasons = _code(here, found), Reasons(here)
    return {
        "step": full,
        "role": next((role for run, _, row in found[:TRIED] if (role := roles(here, run).get(row.node))), ""),
        "doc": next((said for one in code if (said := _doc(full, one["parts"]))), ""),
        "rows": [_row(run, started, row, reasons) for run, started, row in found],
        "code": code,
        "damaged": damaged,
    }


def _code(here: Here, found: list[tuple[str, float, StepRow]]) -> list[dict[str, Any]]:
    """The versions of the code that these executions had, the newest first."""
    versions: dict[str, list[str]] = {}
    for run, _, row in found:
        if row.result is not None and row.result.code:
            versions.setdefault(row.result.code, []).append(run)
    return [
        {"digest": digest, "first": runs[-1], "last": runs[0], "parts": parts(here, digest)}
        for digest, runs in list(versions.items())[:VERSIONS]
    ]


def _doc(full: str, definitions: list[dict[str, Any]]) -> str:
    """What a step says of itself, read from its source; "" where it says nothing, or its source was not kept."""
    name = full.replace(":", ".")
    source = next((one["source"] for one in definitions if one["name"] == name), "")
    try:
        found = ast.parse(textwrap.dedent(source)).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # no Python, or none that this one reads
        return ""
    first = found[0] if found else None
    return ast.get_docstring(first) or "" if isinstance(first, _TELLING) else ""


_TELLING = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def _runs(here: Here, full: str) -> tuple[list[tuple[str, float]], list[str]]:
    """The runs whose graph has a step, newest first: those that can be read, with when they began, and the damaged ones.

    A damaged one counts unless its graph can be read and does not have the step.
    """
    entries = here.site.known.entries(here.store)
    graphs = {
        digest: any(node[2:] == [full] for node in kept(text, "the graph of a run"))
        for digest, text in here.store.database.many(
            "SELECT digest, text FROM texts WHERE digest IN (???)", {entry.nodes for entry in entries}
        )
    }
    damaged = [
        entry.row.run for entry in entries if entry.row.status == DAMAGED and graphs.get(entry.nodes, True)
    ]
    return [
        (entry.row.run, entry.row.started)
        for entry in entries
        if graphs.get(entry.nodes) and entry.row.status != DAMAGED
    ], damaged


def _row(run: str, started: float, row: StepRow, reasons: Reasons) -> dict[str, Any]:
    return {
        "run": run,
        "id": row.id,
        "started": started,
        "status": row.status,
        "decision": row.decision,
        "reasons": reasons.shown(row.reasons),
        "seconds": row.seconds,
        "memory": row.memory,
        "metrics": {name: number(value) for name, value in row.metrics.items()},
        "code": row.result.code if row.result is not None else "",
        "digest": row.outputs[0].digest if row.outputs else "",
    }
