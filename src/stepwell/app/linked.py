"""What a run is linked to: sources with their digests, what its steps are, interpreter, platform, file, changes of the tree."""

from __future__ import annotations

import contextlib
import json
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stepwell.author.options import PLACE
from stepwell.kernel.graph import Graph, StepDef
from stepwell.sources.address import shown
from stepwell.worker.kinds import is_made
from stepwell.worker.kinds import spec_of as kind_spec
from stepwell.worker.places import RESOLVED, place

if TYPE_CHECKING:
    from stepwell.app.session import Recording, Work
    from stepwell.kernel.plan import Plan

OPTIONS = ("cpus", "memory", "env", "version", "ignore", "environment", "ttl", "cache", "done", "retries", "backoff",
           "timeout", "validate", "tags", "optional", "always")  # fmt: skip
"""The options of a step that are told as they are, where they are not the default."""

KIND_FILES = ("file", "script", "notebook")
"""Where the specs of kinds of steps (`StepDef.spec`) name files of the project that are their code."""

_USER = re.compile(r"(?<=://)[^/@\s]*@")
_PLAIN = StepDef("", "", "")

PATIENCE = 2.0
"""Seconds that a run waits at its end to know what the tree had beyond its commit."""


class Changes:
    """What the tree has beyond its commit, found out beside a run and handed to its record, without secrets."""

    def __init__(self, work: Work, record: Recording) -> None:
        from stepwell.app.git import Difference

        self._difference, self._record = Difference(work.root, code_of(work)), record

    def look(self, *, at_end: bool = False) -> None:
        """Hand it over where it is there; at the end of the run, wait for it."""
        text = self._difference.text(PATIENCE if at_end else 0.0)
        if text:
            from stepwell.worker.secrets import masked_of_all

            self._record.changed(masked_of_all(text))

    def close(self) -> None:
        """Give up what was not found out yet."""
        self._difference.close()


def code_of(work: Work) -> dict[str, bytes]:
    """The first-party files that a plan's steps are made of, by their names below the project's root."""
    files = dict(work.loaded.importer.snapshot)
    named = [
        kind_spec(step.spec).get(name) for step in work.graph.steps if is_made(step) for name in KIND_FILES
    ]
    for path in (work.root / name for name in named if name):
        with contextlib.suppress(OSError):
            files.setdefault(os.fspath(path), path.read_bytes())
    return {name: data for path, data in files.items() if (name := _below(path, work.root))}


def about_of(work: Work) -> dict[str, object]:
    """As plain JSON, for `stores.record.Facts.about`; read again by `stores.history.Runs.about`."""
    return {
        "python": ".".join(map(str, sys.version_info[:3])),
        "platform": f"{sys.platform} {os.uname().machine}",
        "file": _below(getattr(work.loaded.module, "__file__", None), work.root),
        **_variable(work),
        **_pylock(work),
    }


def described(plan: Plan) -> dict[str, object]:
    """The sources and the steps of a plan as plain JSON, for `stores.record.Facts.described`; read again by `Runs.about`."""
    graph = plan.graph
    pinned = zip(graph.sources, plan.known.pins, strict=True)
    found: dict[tuple[int, str], list[int]] = {}
    for number, node in enumerate(graph.nodes):
        found.setdefault((node.step, node.out), []).append(number)
    specs = [(spec_of(graph.steps[step], out), nodes) for (step, out), nodes in found.items()]
    return {
        "sources": [[source.name, shown(source.uri), pin.digest, pin.size] for source, pin in pinned],
        "specs": [[spec, nodes] for spec, nodes in specs if spec],
    }


def specs_of(graph: Graph) -> dict[str, dict[str, Any]]:
    """What each step of a graph is (`spec_of`), by the ids of its calls."""
    return {node.id: spec_of(graph.steps[node.step], node.out) for node in graph.nodes}


def spec_of(step: StepDef, out: str = "") -> dict[str, Any]:
    """What a step is, as plain JSON and without secrets; empty where it is a function with default options.

    `kind`, `role` and `place` are texts, `versions` what the place came to, and `options` the others by name.
    """
    options = {
        name: _json(value) for name in OPTIONS if (value := getattr(step, name)) != getattr(_PLAIN, name)
    }
    if step.services:
        options["services"] = [json.loads(one)["name"] for one in step.services]
    if out:
        options["out"] = out
    said = place(step.place)
    found = {
        "kind": step.kind if step.kind != _PLAIN.kind else "",
        "role": step.role,
        "place": _place_text(said),
        "versions": said.get(RESOLVED, {}).get("versions", {}),
        "options": options,
    }
    return {name: value for name, value in found.items() if value}


def _json(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _place_text(said: Mapping[str, Any]) -> str:
    """A place as a person reads it: "packages xgboost==2.1, python 3.12"."""
    parts = []
    for name in PLACE:
        value = said.get(name)
        if value is True:
            parts.append(name)
        elif name == "project" and value:
            parts.append(f"use {' '.join(json.loads(value))}")
        elif value:
            parts.append(f"{name} {value if isinstance(value, str) else ' '.join(value)}")
    return _USER.sub("", ", ".join(parts))


def _pylock(work: Work) -> dict[str, object]:
    """The digest of the `pylock.toml` beside the lock, where there is one."""
    file = work.loaded.target.file
    folders = {work.root, file.parent if file is not None else work.root}
    if not any(name.startswith("pylock.") for folder in folders for name in os.listdir(folder)):
        return {}
    from stepwell.dist.pins import lock_of_project  # most projects have none
    from stepwell.dist.pylock import digest_of_pylock

    digest = digest_of_pylock(lock_of_project(work.root, file))
    return {"pylock": digest} if digest else {}


def _variable(work: Work) -> dict[str, object]:
    """The variable that holds the pipeline, where that is not its name: what `replace` gave, or `first | second`."""
    found = [
        name
        for name, value in getattr(work.loaded.module, "__dict__", {}).items()
        if value is work.loaded.pipeline
    ]
    return {} if not found or work.graph.pipeline in found else {"variable": found[0]}


def _below(file: str | None, root: Path) -> str:
    """A file's name relative to the project, "" where there is none (cells of a notebook) or it lies elsewhere."""
    path = Path(file) if file else root.parent
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else ""
