"""The identity of each step of a graph: its code, and the environment that the code reaches.

The default level of environment counts the interpreter's minor version and the versions of the
distributions that a step's code reaches, nothing else of what is installed.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import NamedTuple

from stepwell.author.fingerprint import Fingerprint, Project
from stepwell.kernel.graph import Graph
from stepwell.kernel.identity import canonical, digest, token
from stepwell.kernel.plan import Identity


class Source(NamedTuple):
    """The text of a definition, and where it stands."""

    name: str
    source: str
    file: str
    line: int


class Identified(NamedTuple):
    """Identities by step of the graph, and the texts of all definitions, by digest."""

    identities: tuple[Identity, ...]
    sources: Mapping[str, Source]
    notes: tuple[str, ...]


def identify(graph: Graph, project: Project) -> Identified:
    """Identities of all steps of a graph. Raises what `Project.fingerprint` raises."""
    sources: dict[str, Source] = {}
    out: list[Identity] = []
    notes: dict[str, None] = {}
    for step in graph.steps:
        found = project.fingerprint(step.module, step.qualname)
        for one in found.definitions:
            sources[one.digest] = Source(one.name, one.source, one.file, one.line)
        notes.update(dict.fromkeys(found.opaque))
        out.append(_identity(found, step.env))
    return Identified(tuple(out), sources, tuple(notes))


def _identity(found: Fingerprint, env: tuple[str, ...]) -> Identity:
    versions = {"python": f"{sys.version_info.major}.{sys.version_info.minor}", **dict(found.distributions)}
    variables = tuple((name, token(os.environ.get(name))) for name in env)
    return Identity(
        code=found.digest,
        environment=digest(canonical(versions)),
        parts={one.name: one.digest for one in found.definitions},
        versions=versions,
        variables=variables,
        notes=found.opaque,
    )
