"""Where the steps of a graph are executed: what they ask for, resolved for this machine before anything runs.

    graph, versions = placed(graph, root, memo, refresh=False)

A step's place as traced has what the user wrote; here it gets what that comes to, exact versions by
hash, which is what counts in its key. What was resolved is remembered in the store until `--refresh`,
so that a plan stays what it is and needs no network.
"""

from __future__ import annotations

import json
import os
import re
import sys
from _blake2 import blake2b  # as `hashlib` has it, which loads OpenSSL first
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stepwell.author.fingerprint import Project
from stepwell.author.fingerprint.environment import Remembered
from stepwell.author.problems import together
from stepwell.author.settings import settings_of
from stepwell.errors import NoRequirements, PlaceRefused, StepwellError
from stepwell.kernel.graph import Graph, StepDef
from stepwell.kernel.identity import digest
from stepwell.named import NamedTuple
from stepwell.worker.places import RESOLVED, place, runs_command_in_image

if TYPE_CHECKING:
    from stepwell.worker.places.checkouts import Checkout
    from stepwell.worker.places.environments import Environment, Python, Wanted

MEMO = "environment"
"""The kind of what the store's memo remembers of places."""


class Forgetful:
    """A memory of nothing, where there is no store to remember in. Implements `Remembered`."""

    def get_many(self, kind: str, keys: Iterable[str]) -> dict[str, str | bytes]:
        """Nothing."""
        return {}

    def put_many(self, kind: str, values: Any) -> None:
        """Nothing."""


class Asked(NamedTuple):
    """What a place is resolved with: the project's root, what the store remembers, whether to look again."""

    root: Path
    memo: Remembered
    refresh: bool = False


Resolve = Callable[[Mapping[str, Any], Asked], dict[str, Any]]
"""What a place comes to: `versions` by name, which count in the key, and what its launch needs."""


def placed(
    graph: Graph, root: Path, memo: Remembered, *, refresh: bool = False, strict: bool = False
) -> tuple[Graph, dict[int, dict[str, str]]]:
    """The graph with its places resolved, and versions by name for each step that has one, by position.

    Places that are resolved already are only looked at: call it again when the graph has grown. Raises
    what is wrong with places, at the first call of each step; `SeveralProblems` if there are several.
    """
    if not any(step.place for step in graph.steps):
        return graph, {}
    problems: list[StepwellError] = []
    steps = list(graph.steps)
    versions: dict[int, dict[str, str]] = {}
    known: dict[str, StepwellError | dict[str, Any]] = {}
    for i, step in enumerate(steps):
        if not step.place:
            continue
        try:
            said = place(step.place)
            if strict and "image" not in said:
                raise _not_strict(step)
            if RESOLVED not in said:
                said = {**said, RESOLVED: _once(said, Asked(root, memo, refresh), step.place, known)}
                steps[i] = step._replace(place=json.dumps(said, sort_keys=True, ensure_ascii=False))
            versions[i] = said[RESOLVED]["versions"]
        except StepwellError as error:
            where = next((node.where for node in graph.nodes if node.step == i), "")
            what = error.what if "step `" in error.what else f"step `{step.name}`: {error.what}"
            problems.append(type(error)(what, why=error.why, fixes=error.fixes, where=error.where or where))
    if problems:
        raise together(problems)
    return graph._replace(steps=tuple(steps)), versions


def refuse_here(step: StepDef) -> None:
    """Raises `PlaceRefused` for a step whose function cannot be called in this process: it has other libraries."""
    if step.place and not runs_command_in_image(step):
        raise PlaceRefused(
            f"step `{step.name}` is executed in an environment of its own, and not in this process",
            why="this process has other libraries than those that the step asks for",
            fixes=[f"stepwell run --force {step.name}   executes it where it belongs"],
        )


def look_again() -> None:
    """Before a pipeline is traced with `--refresh`: what tags and branches of other projects mean is asked anew."""
    from stepwell.worker.places import checkouts  # most pipelines use no steps of others

    checkouts.look_again()


def _once(
    said: Mapping[str, Any], asked: Asked, text: str, known: dict[str, StepwellError | dict[str, Any]]
) -> dict[str, Any]:
    """What a place comes to, found out once for all steps that say the same; so are errors."""
    if text not in known:
        try:
            known[text] = _resolver(said)(said, asked)
        except StepwellError as error:
            known[text] = error
    found = known[text]
    if isinstance(found, StepwellError):
        raise found
    return found


def _resolver(said: Mapping[str, Any]) -> Resolve:
    """What resolves a place of this kind."""
    return _container if "image" in said else _project if "project" in said else _environment


def _not_strict(step: StepDef) -> PlaceRefused:
    return PlaceRefused(
        f"step `{step.name}` is executed in an environment of its own, which `--strict` cannot do",
        why="strict mode shows a step the libraries of this project, and nothing else",
        fixes=["leave `--strict` out"],
    )


# --------------------------------------------------------------------------- containers


def _container(said: Mapping[str, Any], asked: Asked) -> dict[str, Any]:
    """The image that a place means now: engines are asked each time, since names move. Raises `PlanError`s."""
    from stepwell.worker.places import images

    found = images.resolved_image(said["image"], images.chosen(settings_of(asked.root)._asdict()))
    return {"image": found._asdict(), "versions": {"container image": found.id}}


# --------------------------------------------------------------------------- environments


def _environment(said: Mapping[str, Any], asked: Asked) -> dict[str, Any]:
    """The environment that a place comes to. Raises `PlanError`s."""
    found = environment_of(_wanted(said, asked.root), asked)
    return {"environment": found._asdict(), "versions": found.versions}


def environment_of(wanted: Wanted, asked: Asked) -> Environment:
    """What is wanted, resolved: as the store remembers it, else now. Raises `PlanError`s."""
    from stepwell.worker.places import environments
    from stepwell.worker.places.environments import Environment

    key = _key(wanted)
    kept = asked.memo.get_many(MEMO, [key]).get(key)
    if kept is not None and not asked.refresh:
        found = Environment(*json.loads(kept))
        if os.path.exists(found.program):
            return found
    interpreter: Python = environments.python(wanted.python)
    found = environments.resolved(wanted, interpreter, fresh=asked.refresh)
    environments.uv()  # it will have to make it
    asked.memo.put_many(MEMO, {key: json.dumps(found)})
    return found


def _wanted(said: Mapping[str, Any], root: Path) -> Wanted:
    """What a place asks for. Raises `NoRequirements`."""
    from stepwell.worker.places.environments import Wanted

    files: tuple[str, ...] = ()
    if said.get("requirements"):
        file = root / said["requirements"]
        if not file.is_file():
            raise NoRequirements(
                f"there is no file `{said['requirements']}`, which `requirements=` names",
                why="it is looked for in the project's root",
                fixes=["write it: one distribution a line"],
            )
        files = (str(file),)
    group = str(said.get("group", ""))
    if group:
        _refuse_unknown(group, root)
    return Wanted(tuple(said.get("packages", ())), files, group, "", str(said.get("python", "")), str(root))


# --------------------------------------------------------------------------- projects of others


def _project(said: Mapping[str, Any], asked: Asked) -> dict[str, Any]:
    """What a step of another project comes to: the files of a commit, or of a folder, and an environment for them.

    `code` are the parts of its code by name, which count in its key; `files` those of a folder that somebody
    works in, with digests, so that a worker notices an edit.
    """
    from stepwell.author.using import declared, source_of  # most pipelines use no steps of others
    from stepwell.worker.places.checkouts import checkout

    address, step = json.loads(said["project"])
    found = checkout(address, asked.root)
    source = source_of(found, step.partition(":")[0])
    declared(found, step)
    wanted = required(found)._replace(python=str(said.get("python", "")), folder=str(asked.root))
    environment = environment_of(wanted, asked)
    versions = dict(environment.versions)
    resolved = {"environment": environment._asdict(), "folder": str(found.folder), "step": step, "files": {}}
    if found.commit:
        versions[f"project {found.name}"] = (
            f"{found.ref} ({found.commit[:12]})" if found.ref else found.commit[:12]
        )
        return {**resolved, "versions": versions, "code": {step: digest(f"{step} {found.commit}")}}
    module, _, name = step.partition(":")
    fingerprint = Project(found.folder).fingerprint(module, name, [])
    code = {one.name: one.digest for one in fingerprint.definitions}
    paths = {*fingerprint.files, os.path.relpath(source, found.folder)}
    files = {path: _digest(found.folder / path) for path in sorted(paths)}
    return {**resolved, "versions": versions, "code": code, "files": files}


def _digest(file: Path) -> str:
    return blake2b(file.read_bytes(), digest_size=16).hexdigest()


def required(found: Checkout) -> Wanted:
    """What a project depends on, by its `pylock.toml`, else by its `pyproject.toml`. Raises `NoRequirements`."""
    import tomllib

    from stepwell.worker.places.environments import Wanted

    texts: list[str] = []
    for name, read in (("pylock.toml", _locked), ("pyproject.toml", _declared)):
        file = found.folder / name
        if file.is_file():
            try:
                texts = read(tomllib.loads(file.read_text("utf-8")))
            except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
                raise NoRequirements(
                    f"`{name}` of the project `{found.name}` makes no sense: {error}", fixes=["mend it there"]
                ) from error
            break
    kept = [one for text in texts for one in _without_own(text)]
    return Wanted(requirements="\n".join(dict.fromkeys(kept)))


_OWN = re.compile(r"stepwell\b(?![-.\w])\s*(?:\[([^\]]*)\])?", re.IGNORECASE)


def _without_own(text: str) -> Iterable[str]:
    """A requirement; of Stepwell only what its extras mean, since the Stepwell that runs here runs the step, too."""
    own = _OWN.match(text)
    if own is None:
        return [text]
    from stepwell.dist.pylock import of_own  # few projects name it with extras

    extras = {extra.strip() for extra in (own[1] or "").split(",")} - {""}
    always = {*of_own(())} if extras else set()
    return [one for one in of_own(extras) if one not in always] if extras else []


def _locked(table: Mapping[str, Any]) -> list[str]:
    """The distributions of a `pylock.toml` with exact versions, and the markers of each."""
    return [
        f"{one['name']}=={one['version']}" + (f" ; {one['marker']}" if "marker" in one else "")
        for one in table["packages"]
        if "version" in one
    ]


def _declared(table: Mapping[str, Any]) -> list[str]:
    found = table.get("project", {}).get("dependencies", [])
    return [str(one) for one in found]


def _refuse_unknown(group: str, root: Path) -> None:
    """Raises `NoRequirements` where the project has no dependency group of that name."""
    import tomllib

    file = root / "pyproject.toml"
    try:
        groups = tomllib.loads(file.read_text("utf-8")).get("dependency-groups", {})
    except FileNotFoundError:
        groups = {}
    except (OSError, ValueError) as error:
        raise NoRequirements(f"`{file.name}` cannot be read: {error}", fixes=["mend it"]) from error
    names = list(groups) if isinstance(groups, dict) else []
    if group not in names:
        raise NoRequirements(
            f"the project has no dependency group `{group}`",
            why=f"its groups are: {', '.join(names)}" if names else "its `pyproject.toml` has none",
            fixes=[f"uv add --group {group} ..."],
        )


def _key(wanted: Wanted) -> str:
    """What is wanted, with the content of the files that it names, and for which machine."""
    import platform
    import tomllib

    files = [text for file in wanted.files for text in _texts(Path(file), set())]
    groups: object = None
    if wanted.group:
        groups = tomllib.loads(Path(wanted.folder, "pyproject.toml").read_text("utf-8"))["dependency-groups"]
    python = wanted.python or platform.python_version()
    said = [wanted.packages, wanted.requirements, wanted.group, groups, files, python]
    machine = [sys.platform, platform.machine(), *platform.libc_ver()]
    return blake2b(json.dumps([said, machine]).encode(), digest_size=16).hexdigest()


def _texts(file: Path, seen: set[Path]) -> list[str]:
    """A requirements file, and those that it refers to (`-r`, `-c`)."""
    if file in seen:
        return []
    seen.add(file)
    try:
        text = file.read_text("utf-8", "replace")
    except OSError as error:
        raise NoRequirements(
            f"`{file.name}` cannot be read: {error.strerror}", why="a requirements file refers to it"
        ) from error
    found = [text]
    for line in text.splitlines():
        words = line.replace("=", " ", 1).split() if line.startswith("--") else line.split()
        if len(words) > 1 and words[0] in ("-r", "-c", "--requirement", "--constraint"):
            found += _texts(file.parent / words[1], seen)
    return found
