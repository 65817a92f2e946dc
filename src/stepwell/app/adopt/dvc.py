"""Reading `dvc.yaml` with what belongs to it: `dvc.lock`, files of parameters, `.dvc` files. DVC itself is not needed.

Templates (`${...}`) are resolved as DVC does: of `vars`, of `params.yaml`, of the item of a loop. Whether a
stage's outputs still hold is said by the digests of `dvc.lock`, of the files as they are now.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple, cast

from stepwell.app.adopt.facts import (
    OPEN,
    SIGNS,
    Circle,
    Found,
    Pattern,
    Proof,
    Setting,
    Stage,
    in_order,
    left_open,
)
from stepwell.errors import BadDvcFile, MissingLibrary

PARAMS = "params.yaml"
LOCK = "dvc.lock"

_TEMPLATE = re.compile(r"\\?\$\{([^{}]*)\}")
_SIMPLE = re.compile(r"[\w.+:@%,/=-]*")
_KNOWN = frozenset(
    [
        "cmd",
        "wdir",
        "deps",
        "params",
        "outs",
        "metrics",
        "plots",
        "frozen",
        "always_changed",
        "desc",
        "meta",
        "foreach",
        "do",
        "matrix",
        "vars",
    ]
)
_REMOTE = re.compile(r"[a-z][a-z0-9+.-]*://")


class Scope(NamedTuple):
    """The values that templates of a stage can name. `files` say in which file a name is.

    `loop` are names of the loop, which are left as they are where the pattern of a stage is read; `fixed` are
    settings whose values stand in a path or a loop somewhere, and then everywhere.
    """

    values: Mapping[str, Any]
    files: Mapping[str, str]
    loop: frozenset[str] = frozenset()
    fixed: frozenset[str] = frozenset()


def read_dvc(root: Path, file: str = "dvc.yaml") -> Found:
    """The stages of a project. Raises `BadDvcFile`, `MissingLibrary`."""
    document = _mapping(load(root / file), file)
    stages = _mapping(document.get("stages") or {}, f"`stages` of {file}")
    scope = _scope(root, document.get("vars"), file)
    locked = _locks(root)
    bodies = {str(name): _mapping(body, f"stage `{name}` of {file}") for name, body in stages.items()}
    found = _all(root, bodies, scope)
    if names := frozenset(one.name for stage in found for one in stage.fixed):
        found = _all(root, bodies, scope._replace(fixed=names))
    proven = [one._replace(proof=_proof(root, one, locked.get(one.id))) for one in found]
    try:
        ordered = in_order(proven)
    except Circle as circle:
        raise BadDvcFile(f"the stages of `{file}` wait for each other: {circle}") from None
    return Found(file, tuple(ordered), tuple(_notes(root, document)), _tracked(root, found))


def _all(root: Path, bodies: Mapping[str, Mapping[str, Any]], scope: Scope) -> list[Stage]:
    return [stage for name, body in bodies.items() for stage in _expanded(root, name, body, scope)]


def _notes(root: Path, document: Mapping[str, Any]) -> Iterator[str]:
    """What a `dvc.yaml` has besides stages."""
    for name in ("artifacts", "datasets", "plots"):
        if document.get(name):
            yield f"`{name}` of dvc.yaml was not carried over"
    others = [path for path in sorted(root.glob("*/**/dvc.yaml")) if ".dvc" not in path.parts]
    for path in others[:20]:
        yield f"{path.relative_to(root)} is a file of its own: stepwell -C {path.parent.relative_to(root)} adopt"


# --------------------------------------------------------------------------- YAML as DVC reads it


def load(path: Path) -> Any:
    """A YAML, TOML or JSON file as plain data. Raises `BadDvcFile`, `MissingLibrary`."""
    return _load(path, _loader)


def as_texts(path: Path) -> Any:
    """A YAML file with every value as the text that stands there. Raises as `load`."""
    return _load(path, _text_loader)


def _load(path: Path, loader: Callable[[Any], Any]) -> Any:
    name = path.name
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise BadDvcFile(f"`{name}` cannot be read", why=why) from None
    if path.suffix in (".toml", ".json"):
        import tomllib  # few projects have such files

        try:
            return tomllib.loads(text) if path.suffix == ".toml" else json.loads(text)
        except ValueError as error:
            raise BadDvcFile(f"`{name}` is not what its suffix says", why=str(error)) from None
    try:
        import yaml  # an extra, and of no use for anything else here
    except ImportError:
        raise MissingLibrary(
            f"`{name}` is YAML, and PyYAML is not installed", fixes=['pip install "stepwell[adopt]"']
        ) from None
    try:
        return yaml.load(text, loader(yaml))
    except (yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{name}:{mark.line + 1}" if mark is not None else ""
        why = getattr(error, "problem", None) or "it is nested too deeply"
        raise BadDvcFile(f"`{name}` is not valid YAML", why=why, where=where) from None


def _loader(yaml: Any) -> Any:
    """A safe loader of YAML 1.2, in which `yes` is a word and `1e-3` a number."""

    class Loader(yaml.SafeLoader):
        pass

    kept = ("tag:yaml.org,2002:null", "tag:yaml.org,2002:merge")
    Loader.yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in rules if tag in kept]
        for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    signs = list("-+0123456789.")
    numbers = r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"
    for tag, pattern, first in (
        ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
        ("int", r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", signs),
        ("float", numbers, signs),
    ):
        Loader.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(f"(?:{pattern})$"), first)
    Loader.add_constructor(
        "tag:yaml.org,2002:int",
        lambda loader, node: (
            int(loader.construct_scalar(node), 0)
            if loader.construct_scalar(node).lstrip("+-")[:2] in ("0o", "0x")
            else int(loader.construct_scalar(node))
        ),
    )
    return Loader


def _text_loader(yaml: Any) -> Any:
    """A safe loader to which every value is a text."""

    class Loader(yaml.SafeLoader):
        yaml_implicit_resolvers = {"<": yaml.SafeLoader.yaml_implicit_resolvers["<"]}  # noqa: RUF012 - read once

    return Loader


def _mapping(value: object, what: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise BadDvcFile(f"{what} is not a mapping", why="it is made of names with something behind a colon")
    return cast("Mapping[str, Any]", value)


def _list(value: object) -> list[Any]:
    return [] if value is None else list(value) if isinstance(value, list) else [value]


# --------------------------------------------------------------------------- values, and templates


def _scope(root: Path, given: object, file: str) -> Scope:
    """What templates can name: `params.yaml`, where it is, then `vars`, files or values."""
    values: dict[str, Any] = {}
    files: dict[str, str] = {}
    if given is not None and not _SHAPES["vars"](given):
        raise BadDvcFile(f"`vars` of {file} is not what it should be: {str(given)[:60]!r}")
    if (root / PARAMS).is_file():
        _add(values, files, load(root / PARAMS) or {}, PARAMS)
    for one in _list(given):
        if isinstance(one, str):
            path, _, names = one.partition(":")
            loaded = _mapping(load(root / path) or {}, f"`{path}`")
            chosen = {name: loaded[name] for name in names.split(",") if name in loaded} if names else loaded
            _add(values, files, chosen, path)
        else:
            values.update(_mapping(one, f"an entry of `vars` of {file}"))
            for name in one:
                files.pop(str(name), None)
    return Scope(values, files)


def _add(values: dict[str, Any], files: dict[str, str], more: object, file: str) -> None:
    for name, value in _mapping(more, f"`{file}`").items():
        values[str(name)] = value
        files[str(name)] = file


def dotted(values: object, name: str) -> Any:
    """The value of a dotted name (`train.depth`, `layers[0]`, `layers.0`). Raises `KeyError`."""
    at = values
    for part in re.findall(r"[^.\[\]]+", name):
        if isinstance(at, dict) and part in at:
            at = at[part]
        elif isinstance(at, list) and part.isdecimal() and int(part) < len(at):
            at = at[int(part)]
        else:
            raise KeyError(name)
    return at


class _Reader:
    """Fills templates in, and notes what it met: settings that stay, names that nobody knows."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.settings: dict[str, Setting] = {}
        self.fixed: dict[str, Setting] = {}
        self.notes: list[str] = []

    def text(self, text: object, *, keep_settings: bool = False) -> str:
        """A text with its templates filled in; with `keep_settings` simple values of parameters are left open."""

        def fill(match: re.Match[str]) -> str:
            name = match[1].strip()
            if match[0].startswith("\\"):
                return match[0][1:]
            top = re.split(r"[.\[]", name)[0]
            if top in self.scope.loop:
                return left_open(name)
            try:
                value = dotted(self.scope.values, name)
            except KeyError:
                self.notes.append(f"`${{{name}}}` is not known, and stands as it is")
                return match[0]
            file = self.scope.files.get(top)
            plain = isinstance(value, bool | int | float | str)
            simple = plain and bool(written(value)) and _SIMPLE.fullmatch(written(value))
            if keep_settings and file == PARAMS and simple and name not in self.scope.fixed:
                self.settings[name] = Setting(name, value, PARAMS)
                return left_open(name)
            if file is not None and not isinstance(value, list):
                self.fixed[name] = Setting(name, value, file)
            return written(value) if plain or value is None else self._several(name, value)

        return _TEMPLATE.sub(fill, str(text))

    def _several(self, name: str, value: object) -> str:
        """A mapping as options of a command, as DVC writes it."""
        if isinstance(value, dict):
            return " ".join(_options(cast("Mapping[str, Any]", value)))
        self.notes.append(f"`${{{name}}}` is a list, which no command line has; it stands as it is")
        return f"${{{name}}}"


def written(value: object) -> str:
    """A value as DVC writes it into a command."""
    return str(value).lower() if isinstance(value, bool) else "" if value is None else str(value)


def _options(values: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    for name, value in values.items():
        full = f"{prefix}{name}"
        if isinstance(value, dict):
            yield from _options(value, f"{full}.")
        elif isinstance(value, bool):
            yield from [f"--{full}"] if value else []
        elif isinstance(value, list):
            yield " ".join([f"--{full}", *map(written, value)])
        else:
            text = written(value)
            yield f"--{full} {text}" if _SIMPLE.fullmatch(text) else f'--{full} "{text}"'


# --------------------------------------------------------------------------- stages


def _expanded(root: Path, name: str, body: Mapping[str, Any], scope: Scope) -> Iterator[Stage]:
    """A stage, or every instance of one that is a loop."""
    _check(name, body)
    if "foreach" in body:
        inner = _mapping(body.get("do") or {}, f"`do` of stage `{name}`")
        _check(name, inner)
        over = tuple(_settings_in(body["foreach"], scope))
        yield from _loop(root, name, inner, scope, list(_items(body["foreach"], scope)), over)
    elif "matrix" in body:
        inner = {key: value for key, value in body.items() if key != "matrix"}
        axes = _mapping(body["matrix"], f"`matrix` of stage `{name}`")
        yield from _loop(root, name, inner, scope, list(_grid(axes, scope)), tuple(_settings_in(axes, scope)))
    else:
        yield _stage(root, name, body, scope)


def _check(name: str, body: Mapping[str, Any]) -> None:
    """Raises `BadDvcFile` where an entry of a stage has not the shape that DVC takes."""
    for section, is_right in _SHAPES.items():
        value = body.get(section)
        if value is not None and not is_right(value):
            raise BadDvcFile(f"`{section}` of stage `{name}` is not what it should be: {str(value)[:60]!r}")


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip()) and not SIGNS & set(value)


def _are_commands(value: object) -> bool:
    return bool(_list(value)) and all(_is_text(one) for one in _list(value))


def _are_paths(value: object) -> bool:
    return all(
        _is_text(one) or (isinstance(one, dict) and len(one) == 1 and _is_text(next(iter(one))))
        for one in _list(value)
    )


def _are_settings(value: object) -> bool:
    return all(
        _is_text(one)
        or (isinstance(one, dict) and all(_is_text(file) and all(map(_is_text, _list(names))) for file, names in one.items()))
        for one in _list(value)
    )  # fmt: skip


_SHAPES: Mapping[str, Callable[[object], bool]] = {
    "cmd": _are_commands,
    "deps": _are_paths,
    "outs": _are_paths,
    "metrics": _are_paths,
    "plots": _are_paths,
    "params": _are_settings,
    "wdir": _is_text,
    "vars": lambda value: all(_is_text(one) or isinstance(one, dict) for one in _list(value)),
    "foreach": lambda value: isinstance(value, list | dict) or _is_text(value),
    "matrix": lambda value: (
        isinstance(value, dict) and all(isinstance(one, list) or _is_text(one) for one in value.values())
    ),
}


Item = tuple[str, Mapping[str, Any]]
"""The key of an instance of a loop, and what it adds to the scope."""


def _resolved(value: object, scope: Scope) -> object:
    """What a list or mapping of a loop is: itself, or what the one template that it consists of names."""
    match = _TEMPLATE.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        return value
    try:
        return dotted(scope.values, match[1].strip())
    except KeyError:
        raise BadDvcFile(f"`{value}` of a loop is not known") from None


def _items(given: object, scope: Scope) -> Iterator[Item]:
    found = _resolved(given, scope)
    if isinstance(found, dict):
        for key, value in found.items():
            yield str(key), {"item": value, "key": str(key)}
        return
    for i, value in enumerate(_list(found)):
        one = _resolved(value, scope)
        simple = not isinstance(one, dict | list)
        yield (written(one) if simple else str(i)), {"item": one}


def _grid(axes: Mapping[str, Any], scope: Scope) -> Iterator[Item]:
    names = list(axes)
    columns = [_list(_resolved(axes[name], scope)) for name in names]
    for row in product(*columns):
        parts = [
            written(value) if not isinstance(value, dict | list) else f"{name}{columns[i].index(value)}"
            for i, (name, value) in enumerate(zip(names, row, strict=True))
        ]
        yield "-".join(parts), {"item": dict(zip(names, row, strict=True)), "key": "-".join(parts)}


def _settings_in(given: object, scope: Scope) -> Iterator[Setting]:
    """The settings that a loop goes over."""
    if isinstance(given, dict | list):
        for one in given.values() if isinstance(given, dict) else given:
            yield from _settings_in(one, scope)
        return
    for name in map(str.strip, _TEMPLATE.findall(given) if isinstance(given, str) else ()):
        file = scope.files.get(re.split(r"[.\[]", name)[0])
        if file is not None:
            yield Setting(name, dotted(scope.values, name), file)


def _loop(
    root: Path,
    name: str,
    body: Mapping[str, Any],
    scope: Scope,
    items: Sequence[Item],
    over: tuple[Setting, ...],
) -> Iterator[Stage]:
    open_scope = scope._replace(loop=frozenset(("item", "key")))
    written_so = _stage(root, name, body, open_scope)
    pattern = Pattern(written_so.commands, written_so.deps, written_so.outs)
    everything = " ".join([*pattern.commands, *pattern.deps, *pattern.outs])
    settings = {one.name for one in written_so.settings}
    named = [one for one in dict.fromkeys(OPEN.findall(everything)) if one not in settings]
    for key, more in items:
        values = {**scope.values, **more}
        files = {top: file for top, file in scope.files.items() if top not in more}
        stage = _stage(root, name, body, scope._replace(values=values, files=files))
        row = []
        for one in named:
            try:
                row.append((one, written(dotted(values, one))))
            except KeyError:
                break
        whole = len(row) == len(named) and not OPEN.search(written_so.folder)
        fixed = tuple({one.name: one for one in (*over, *stage.fixed)}.values())
        yield stage._replace(key=key, values=tuple(row), pattern=pattern if whole else None, fixed=fixed)


def _stage(root: Path, name: str, body: Mapping[str, Any], scope: Scope) -> Stage:
    """One stage. What it has that nobody here understands is among its notes."""
    if body.get("vars"):
        more = _scope(root, body["vars"], f"stage `{name}`")
        scope = scope._replace(values={**scope.values, **more.values}, files={**scope.files, **more.files})
    reader = _Reader(scope)
    if not body.get("cmd"):
        raise BadDvcFile(f"stage `{name}` has no `cmd`", fixes=["dvc repro says what it lacks"])
    commands = [reader.text(one, keep_settings=True).strip("\n") for one in _list(body["cmd"])]
    folder = reader.text(body.get("wdir") or "").strip("/")
    folder = "" if folder == "." else folder
    paths = _Paths(folder, reader)
    deps = [path for one in _list(body.get("deps")) if (path := paths.of(one, "dependency"))]
    outs: dict[str, dict[str, Any]] = {}
    for section in ("outs", "metrics", "plots"):
        for one in _list(body.get(section)):
            path = paths.of(next(iter(one)) if isinstance(one, dict) else one, "output")
            more = next(iter(one.values())) if isinstance(one, dict) else None
            if path:
                outs[path] = more if isinstance(more, dict) else {}
    notes = [*reader.notes, *paths.notes]
    notes += [f"`{one}:` was not carried over" for one in body if one not in _KNOWN]
    if body.get("frozen"):
        notes.append("it was frozen: dvc never ran it; --skip does that here, for one run")
    reads = tuple(_read_settings(root, body.get("params"), folder, reader, notes))
    return Stage(
        name,
        tuple(commands),
        tuple(dict.fromkeys(deps)),
        tuple(outs),
        tuple(reader.settings.values()),
        reads,
        tuple(reader.fixed.values()),
        folder,
        always=bool(body.get("always_changed")),
        kept=any(options.get("persist") for options in outs.values()),
        committed=frozenset(path for path, options in outs.items() if options.get("cache") is False),
        about=str(body.get("desc") or "").strip(),
        notes=tuple(dict.fromkeys(notes)),
    )


class _Paths:
    """Paths of a stage, made relative to the root; what lies elsewhere becomes a note."""

    def __init__(self, folder: str, reader: _Reader) -> None:
        self._folder, self._reader = folder, reader
        self.notes: list[str] = []

    def of(self, given: object, what: str) -> str:
        """The path of an entry, "" where it is not a file of the project."""
        text = self._reader.text(next(iter(given)) if isinstance(given, dict) else given)
        if _REMOTE.match(text) or os.path.isabs(text) or text.startswith("~") or "\0" in text:
            self.notes.append(f"the {what} `{text}` does not lie in the project")
            return ""
        path = os.path.normpath(os.path.join(self._folder, text)).replace(os.sep, "/")
        if path.startswith("../"):
            self.notes.append(f"the {what} `{text}` does not lie in the project")
            return ""
        return path


def _read_settings(
    root: Path, given: object, folder: str, reader: _Reader, notes: list[str]
) -> Iterator[Setting]:
    """The settings that a stage's command reads by itself; "" names all of a file."""
    for one in _list(given):
        chosen = one if isinstance(one, dict) else {PARAMS: [one]}
        for file, names in chosen.items():
            path = os.path.normpath(os.path.join(folder, reader.text(file)))
            if not (root / path).is_file():
                notes.append(f"the file of parameters `{path}` is not there")
                continue
            if Path(path).suffix not in (".yaml", ".yml", ".toml", ".json"):
                notes.append(f"`{path}` is read as a whole: of such files no single values can be told")
                yield Setting("", None, path)
                continue
            values = load(root / path)
            for name in _list(names) or [""]:
                try:
                    yield Setting(str(name), dotted(values, str(name)), path)
                except KeyError:
                    notes.append(f"`{path}` has no `{name}`")


def overlap(one: str, other: str) -> bool:
    """Whether two paths are one, or one lies in the other."""
    return one == other or one.startswith(f"{other}/") or other.startswith(f"{one}/")


def _tracked(root: Path, stages: Sequence[Stage]) -> dict[str, str]:
    """What is told of files that have a `.dvc` file: that DVC keeps them, and whether they are as it has them."""
    told = {}
    for dep in dict.fromkeys(dep for stage in stages for dep in stage.deps):
        beside = root / f"{dep}.dvc"
        if not beside.is_file():
            continue
        body = load(beside)
        out = next(
            (o for o in _list(body.get("outs") if isinstance(body, dict) else None) if isinstance(o, dict)),
            {},
        )
        if not (root / dep).exists():
            told[dep] = f"kept by DVC and not here: dvc pull {dep}"
        elif out.get("md5") and not is_as(root / dep, out):
            told[dep] = f"not what {dep}.dvc says: dvc status"
        else:
            told[dep] = f"kept by DVC ({dep}.dvc)"
    return told


# --------------------------------------------------------------------------- what dvc.lock says


def _locks(root: Path) -> Mapping[str, Any]:
    """The stages of `dvc.lock` by id; empty where there is none."""
    path = root / LOCK
    if not path.is_file():
        return {}
    document = _mapping(load(path) or {}, f"`{LOCK}`")
    stages = document.get("stages", document if "schema" not in document else {})
    return _mapping(stages or {}, f"`stages` of {LOCK}")


def _proof(root: Path, stage: Stage, lock: object) -> Proof:
    """Whether what `dvc.lock` says of a stage is so: command, parameters, dependencies and outputs."""
    if not isinstance(lock, dict):
        return Proof(False, f"it is not in {LOCK}")
    body = cast("Mapping[str, Any]", lock)
    was = [str(one).strip("\n") for one in _list(body.get("cmd"))]
    if was != [_filled(one, stage.settings) for one in stage.commands]:
        return Proof(False, "its command is another")
    params = _mapping(body.get("params") or {}, f"`params` of `{stage.id}` in {LOCK}")
    held = {os.path.normpath(os.path.join(stage.folder, file)): values for file, values in params.items()}
    for one in stage.reads:
        values = held.get(one.file)
        known = (
            values if not one.name else values.get(one.name, _ABSENT) if isinstance(values, dict) else _ABSENT
        )
        if one.name and known != one.value:
            return Proof(False, f"`{one.name}` of {one.file} is another")
    for section, paths in (("deps", stage.deps), ("outs", stage.outs)):
        entries = [one for one in _list(body.get(section)) if isinstance(one, dict)]
        known = {os.path.normpath(os.path.join(stage.folder, str(one.get("path")))): one for one in entries}
        for path in paths:
            if path not in known:
                return Proof(False, f"`{path}` is not in {LOCK}")
            if not (root / path).exists():
                return Proof(False, f"`{path}` is not there")
            if not is_as(root / path, known[path]):
                return Proof(False, f"`{path}` is another")
    return Proof(True, note=f"taken over from {LOCK}")


_ABSENT = object()


def _filled(text: str, settings: Sequence[Setting]) -> str:
    for one in settings:
        text = text.replace(left_open(one.name), written(one.value))
    return text


def is_as(path: Path, entry: Mapping[str, Any]) -> bool:
    """Whether a file or folder has the digest of an entry of `dvc.lock` or of a `.dvc` file."""
    wanted = str(entry.get("md5") or "")
    # Without `hash:` the entry is of DVC before 3.0, which took texts with the line ends of Unix.
    ways = (_md5,) if entry.get("hash") == "md5" else (_md5, _md5_of_text)
    digest = _of_folder if path.is_dir() else _of_file
    return bool(wanted) and any(digest(path, way) == wanted for way in ways)


def _of_file(path: Path, way: Callable[[Path], str]) -> str:
    return way(path)


def _of_folder(path: Path, way: Callable[[Path], str]) -> str:
    """The digest of a folder: that of the list of its files with their digests."""
    files = sorted(one for one in path.rglob("*") if one.is_file())
    found = [{"md5": way(one), "relpath": one.relative_to(path).as_posix()} for one in files]
    found.sort(key=lambda entry: entry["relpath"])
    return hashlib.md5(json.dumps(found, sort_keys=True).encode(), usedforsecurity=False).hexdigest() + ".dir"


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def _md5_of_text(path: Path) -> str:
    data = path.read_bytes()
    if b"\0" not in data[:512]:
        data = data.replace(b"\r\n", b"\n")
    return hashlib.md5(data, usedforsecurity=False).hexdigest()
