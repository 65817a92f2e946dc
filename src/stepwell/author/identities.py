"""The identity of each step of a graph: its code, and the environment that the code reaches.

How much of what is installed counts is said by a level, of all steps or of one: `loose`, `default`
or `strict` (`fingerprint.environment`).
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from stepwell.author.fingerprint import Fingerprint, Project
from stepwell.author.fingerprint.environment import LEVELS, Environment, Remembered, environment_token
from stepwell.author.fingerprint.project import NOT_HERE
from stepwell.errors import BadOption, nearest
from stepwell.kernel.graph import DYNAMIC, Graph, StepDef
from stepwell.kernel.identity import digest, variable_token
from stepwell.kernel.plan import VERSION, Identity
from stepwell.named import NamedTuple
from stepwell.plugins.registry import registry
from stepwell.worker import secrets
from stepwell.worker.kinds import is_made, spec_of
from stepwell.worker.observe import ImportRead
from stepwell.worker.places import RESOLVED, place

NOBODY = Identity("", "", {}, {})
"""Of a dynamic call: what it becomes is found out anew each time, and has identities of its own."""


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
    patches: Mapping[str, tuple[str, ...]] = {}
    """By "module:qualname" of a step, what its code and that of its judges changes of libraries."""
    files: Mapping[str, tuple[str, ...]] = {}
    """By "module:qualname" of a step, the first-party files that its fingerprint is taken of."""
    direct: Mapping[str, str] = {}
    """The versions of the distributions that the code of steps and judges imports itself."""
    absent: tuple[str, ...] = ()
    """Absolute paths where there is no file, in which modules that the code of steps names were looked for before they were found, or in vain."""


def identify(
    graph: Graph,
    project: Project,
    *,
    level: str = "default",
    memo: Remembered | None = None,
    reads: Sequence[ImportRead] = (),
) -> Identified:
    """Identities of all steps of a graph.

    `level` says how much of the environment counts for steps that do not say it themselves. `memo`
    keeps what was read of installed distributions for other processes. `reads` are what first-party
    modules read while they were imported: it counts for the steps that reach the statement which read
    it. Raises `BadOption` for an unknown level, and what `Project.fingerprint` raises.
    """
    _refuse_unknown(level, "")
    project.installed.recall(memo)
    environment = Environment(project.installed)
    sources: dict[str, Source] = {}
    out: list[Identity] = []
    notes: dict[str, None] = {}
    patches: dict[str, tuple[str, ...]] = {}
    files: dict[str, tuple[str, ...]] = {}
    direct: dict[str, str] = {}
    for step in graph.steps:
        _refuse_unknown(step.environment, step.name)
        if step.kind == DYNAMIC:
            out.append(NOBODY)
            continue
        if is_made(step) or "project" in place(step.place):
            found = NO_FUNCTION
        else:
            helpers = [name for name in step.ignore if ":" in name]  # the others are arguments
            found = project.fingerprint(step.module, step.qualname, helpers)
        judges = [project.fingerprint(*name.split(":")) for name in step.validate]
        for one in [each for some in (found, *judges) for each in some.definitions]:
            sources[one.digest] = Source(one.name, one.source, one.file, one.line)
        direct.update(named for each in (found, *judges) for named in each.distributions)
        if changed := {name for each in (found, *judges) for name in each.patches}:
            patches[f"{step.module}:{step.qualname}"] = tuple(sorted(changed))
        seen = _read_at_import((found, *judges), reads)
        if not is_made(step):
            files[f"{step.module}:{step.qualname}"] = found.files
        made = _identity(found, judges, step, environment, step.environment or level, seen)
        if is_made(step):
            made = _of_kind(made, step, project, environment, sources, step.environment or level)
        if step.services:
            made = _served(made, step, sources)
        if step.place:
            made = _elsewhere(made, step)
        if step.role:
            made = _in_role(made, step, sources)
        notes.update(dict.fromkeys(made.notes))
        out.append(made)
    project.installed.remember()
    return Identified(tuple(out), sources, tuple(notes), patches, files, direct, project.probed)


def _refuse_unknown(level: str, step: str) -> None:
    """Raises `BadOption` for a level that there is not; an empty one of a step means the project's."""
    if level in LEVELS or (step and not level):
        return
    hint = nearest(level, LEVELS)
    raise BadOption(
        f"`{level}` is no level of environment" + (f" (step `{step}`)" if step else ""),
        why="it says how much of what is installed counts for a result",
        fixes=[*([f"did you mean `{hint}`?"] if hint else []), f"one of: {', '.join(LEVELS)}"],
    )


def _read_at_import(found: Sequence[Fingerprint], reads: Sequence[ImportRead]) -> dict[str, str]:
    """What was read by the module-level statements that these fingerprints cover, with what it came to."""
    return {
        read.what: read.token
        for read in reads
        if read.token and any(each.covers(read.file, read.line) for each in found)
        if not (read.ran and any(read.what.removeprefix("file ") in each.files for each in found))
    }


def _identity(
    found: Fingerprint,
    judges: Sequence[Fingerprint],
    step: StepDef,
    environment: Environment,
    level: str,
    seen: Mapping[str, str],
) -> Identity:
    """The identity of a step: its code (or the version that stands for it) and that of its judges, and the rest."""
    reached = [name for each in (found, *judges) for name, _ in each.distributions]
    versions = environment.versions(level, reached)
    left_out = tuple(f"{name}: left out of the code of `{step.name}` (ignore)" for name in found.ignored)
    code, parts = found.digest, {one.name: one.digest for one in found.definitions}
    if step.version:
        code, parts = digest(f"stepwell version {step.version}"), {VERSION: step.version}
    if judges:
        code = digest(" ".join([code, *[each.digest for each in judges]]))
        parts |= {one.name: one.digest for each in judges for one in each.definitions}
    variables = {
        name: secrets.variable_token(name, variable_token(name, os.environ.get(name))) for name in step.env
    }
    return Identity(
        code=code,
        environment=environment_token(versions),
        parts=parts,
        versions=versions,
        variables=tuple({**{what.removeprefix("$"): now for what, now in seen.items()}, **variables}.items()),
        notes=(*found.opaque, *left_out),
        standing=f"version {step.version} stands for its code" if step.version else "",
    )


def _elsewhere(found: Identity, step: StepDef) -> Identity:
    """The identity of a step that is not executed with the libraries of this project: what its place comes to counts instead."""
    resolved = place(step.place).get(RESOLVED, {})
    versions = dict(resolved.get("versions", {}))
    if "code" in resolved and not step.version:  # a step of another project
        code = digest(" ".join([found.code, *sorted(resolved["code"].values())]))
        found = found._replace(code=code, parts={**resolved["code"], **found.parts})
    notes = tuple(note for note in found.notes if NOT_HERE not in note)
    return found._replace(versions=versions, environment=environment_token(versions), notes=notes)


NO_FUNCTION = Fingerprint(digest("stepwell no function"), (), (), (), ())
"""The fingerprint of a step that is no Python function."""


def _served(found: Identity, step: StepDef, sources: dict[str, Source]) -> Identity:
    """The identity of a step that needs services: their commands count."""
    from stepwell.worker import services

    texts = {f"service {i + 1}": services.counted(one) for i, one in enumerate(step.services)}
    own = {name: digest(text) for name, text in texts.items()}
    sources.update({own[name]: Source(name, text, "", 0) for name, text in texts.items()})
    code = digest(" ".join([found.code, *own.values()]))
    return found._replace(code=code, parts={**found.parts, **own})


def _in_role(found: Identity, step: StepDef, sources: dict[str, Source]) -> Identity:
    """The identity of a step with a role: a result that was not judged so does not count."""
    own = digest(f"role {step.role}")
    sources[own] = Source("role", step.role, "", 0)
    return found._replace(code=digest(f"{found.code} {own}"), parts={**found.parts, "role": own})


def _of_kind(
    found: Identity,
    step: StepDef,
    project: Project,
    environment: Environment,
    sources: dict[str, Source],
    level: str,
) -> Identity:
    """The identity of a step that is no Python function; `found` is that of its judges and options.

    Its code is its kind and the texts that the kind names, which are added to `sources`. The version of
    Python counts only where the kind says so, or where all that is installed does. Raises what the kind raises.
    """
    kind, spec, root = registry.kind(step.kind), spec_of(step.spec), project.root
    own = {}
    for name, text in kind.code(spec, root).items():
        own[name] = digest(f"{step.kind} {name}\n{text}")
        sources[own[name]] = Source(name, text, "", 0)
    code, parts = found.code, found.parts
    if not step.version:
        code = digest(" ".join([step.kind, code, *sorted(own.values())]))
        parts = {**own, **parts}
    imports = getattr(kind, "imports", None)
    modules = imports(spec, root) if imports is not None else ()
    reached = [name for module in modules for name, _ in project.installed.providers(module)]
    versions = {**found.versions, **environment.versions(level, reached)}
    if level != "strict":
        versions.pop("python")
    versions |= kind.versions(spec, root)
    return found._replace(code=code, parts=parts, versions=versions, environment=environment_token(versions))
