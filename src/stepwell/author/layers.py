"""Where the values of a pipeline's parameters come from, and which of several counts.

    layered(delays, ["depth=8"], files, os.environ, settings)  ->  Layered(values, origins)

From strong to weak: words of the command line, the environment (`STEPWELL_PARAM_DEPTH`), files after
`--params` (the later ones first), the project's settings (`[tool.stepwell.params]`), the defaults of
the signature. Parameters with named fields (dataclasses and the like) are put together field by
field, each from the strongest layer that has it; anything else is taken whole. What is wrong with any
layer is raised together, and each value that is wrong is told with where it came from.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, get_args

from stepwell.author.annotations import plain, show
from stepwell.author.arguments import brief
from stepwell.author.params import (
    UNKNOWN,
    Wrong,
    article,
    complete,
    example,
    in_range,
    known,
    listed,
    no_field,
    parse,
    shaped,
    toml_value,
    type_of,
)
from stepwell.author.settings import settings_of
from stepwell.errors import BadParameter, BadParameterFile, SecretInTheOpen, UnknownParameter, nearest
from stepwell.named import NamedTuple
from stepwell.worker.secrets import mentions_secret

if TYPE_CHECKING:
    from stepwell.author.pipelines import Pipeline

PREFIX = "STEPWELL_PARAM_"
"""What the name of an environment variable that sets a parameter begins with."""

EMPTY: Mapping[str, Any] = MappingProxyType({})

LAYERS = ("command line", "environment", "file", "project", "call", "default")


class Origin(NamedTuple):
    """Where a value came from: one of `LAYERS`, and which file or variable."""

    layer: str
    where: str = ""

    @property
    def text(self) -> str:
        """For people: "p.toml", "$STEPWELL_PARAM_DEPTH", "command line", "default"."""
        return self.where or self.layer


DEFAULT, CALL, COMMAND = Origin("default"), Origin("call"), Origin("command line")


class Table(NamedTuple):
    """Parameters out of a file: its name as the user wrote it, and the table that it holds."""

    name: str
    values: Mapping[str, Any]


class Outside(NamedTuple):
    """All that may set parameters beside the command line. `others` are the pipelines of the same file, by name."""

    files: tuple[Table, ...] = ()
    environ: Mapping[str, str] = EMPTY
    settings: Table | None = None
    others: Mapping[str, Pipeline[Any, Any]] = EMPTY


class Layered(NamedTuple):
    """The parameters of a pipeline, all of them in their order, and where each came from.

    Of a parameter whose fields came from several places `origins` has also each field (`opt.lr`).
    """

    values: dict[str, object]
    origins: dict[str, Origin]


class _Piece(NamedTuple):
    """A value for a parameter, or for a field of one. `text`: it is to be read as text. `said`: as errors show it."""

    path: tuple[str, ...]
    value: Any
    text: bool
    origin: Origin
    said: str


class _Fields(dict[str, "_Piece | _Fields"]):
    """What is given for the fields of a record, or the keys of a dict. `alone`: what is not given is not in the dict."""

    alone = False


def from_words(pipeline: Pipeline[Any, Any], words: Sequence[str]) -> dict[str, object]:
    """The parameters that words of a command line alone give; see `layered`."""
    return layered(pipeline, words).values


def layered(
    pipeline: Pipeline[Any, Any],
    words: Sequence[str] = (),
    files: Sequence[Table] = (),
    environ: Mapping[str, str] = EMPTY,
    settings: Table | None = None,
    others: Mapping[str, Pipeline[Any, Any]] = EMPTY,
) -> Layered:
    """Typed parameters from all layers.

    Raises `UnknownParameter`, `BadParameter`, `MissingParameter`, `SecretInTheOpen`; `SeveralProblems`
    where several are wrong.
    """
    from stepwell.author.records import ABSENT

    wrong = Wrong()
    trees: dict[str, _Piece | _Fields] = {}
    names = {*others, pipeline.__name__}
    pieces: list[_Piece] = []
    if settings is not None:
        pieces += _of_table(pipeline, settings, "project", names, others, wrong)
    for file in files:
        pieces += _of_table(pipeline, file, "file", names, EMPTY, wrong)
    pieces += _of_environment(pipeline, environ, others, wrong)
    pieces += _of_words(pipeline, words, wrong)
    for piece in pieces:
        with wrong:
            name, *path = piece.path
            placed = piece._replace(path=tuple(path))
            if mentions_secret(type_of(pipeline, name)):
                placed = placed._replace(said=_without_value(piece))
            trees[name] = _put(trees.get(name), type_of(pipeline, name), placed)
    values: dict[str, object] = {}
    origins: dict[str, Origin] = {}
    for name, tree in trees.items():
        default = pipeline.signature.parameters[name].default
        base = ABSENT if default is pipeline.signature.empty else default
        values[name] = UNKNOWN
        with wrong:
            values[name] = _settled(tree, type_of(pipeline, name), base, name, wrong)
        origins.update(_origins(tree, name))
    for name in _unplaced(pipeline, pieces, words, wrong):
        values[name] = UNKNOWN
    values = complete(pipeline, values, wrong)
    return Layered(values, {**dict.fromkeys(pipeline.signature.parameters, DEFAULT), **origins})


def called(values: Mapping[str, object], given: Collection[str]) -> dict[str, Origin]:
    """The origins of the parameters of a call from Python that named the `given` ones."""
    return {name: CALL if name in given else DEFAULT for name in values}


def _unplaced(
    pipeline: Pipeline[Any, Any], pieces: Iterable[_Piece], words: Iterable[str], wrong: Wrong
) -> Iterator[str]:
    """Parameters that something was said of, though wrongly: they are not missing, too."""
    said = {piece.path[0] for piece in pieces} | {_path(word.partition("=")[0])[0] for word in words}
    for name in said if wrong.errors else ():
        if name in pipeline.signature.parameters:
            yield name


# --------------------------------------------------------------------------- the layers


def _of_words(pipeline: Pipeline[Any, Any], words: Sequence[str], wrong: Wrong) -> Iterator[_Piece]:
    seen: set[str] = set()
    for word in words:
        with wrong:
            name, _, text = word.partition("=")
            path = _path(name)
            known(pipeline, path[0])
            if name in seen:
                raise BadParameter(
                    f"`{name}` is given twice", fixes=[f"leave out one of them: {_hushed(pipeline, word)}"]
                )
            seen.add(name)
            yield _Piece(path, text, True, COMMAND, word)


def _path(name: str) -> tuple[str, ...]:
    return tuple(name.split("."))


def _hushed(pipeline: Pipeline[Any, Any], word: str) -> str:
    """A word as an error may repeat it: without what may be a secret."""
    name = word.partition("=")[0]
    return f"{name}=***" if mentions_secret(type_of(pipeline, _path(name)[0])) else word


def _of_environment(
    pipeline: Pipeline[Any, Any],
    environ: Mapping[str, str],
    others: Mapping[str, Pipeline[Any, Any]],
    wrong: Wrong,
) -> Iterator[_Piece]:
    """The variables `STEPWELL_PARAM_NAME`, and `STEPWELL_PARAM_NAME__FIELD` for fields."""
    found: dict[tuple[str, ...], str] = {}
    for variable in sorted(environ):
        if not variable.startswith(PREFIX):
            continue
        path = _path_of_variable(pipeline, variable.removeprefix(PREFIX))
        if path is None:
            if not any(_path_of_variable(p, variable.removeprefix(PREFIX)) for p in others.values()):
                with wrong:
                    raise _unknown_variable(pipeline, variable)
            continue
        exact = variable == PREFIX + "__".join(path)
        if path not in found or exact:
            found[path] = variable
    for path, variable in found.items():
        text = environ[variable]
        yield _Piece(path, text, True, Origin("environment", f"${variable}"), f"${variable}={text}")


def _path_of_variable(pipeline: Pipeline[Any, Any], rest: str) -> tuple[str, ...] | None:
    """The parameter, or the field of one, that a variable's name (without the prefix) means; the longest name first."""
    names = sorted(pipeline.signature.parameters, key=len, reverse=True)
    for spelled in (str, str.upper):
        for name in names:
            head, tail = spelled(name), rest[len(name) :]
            if rest == head:
                return (name,)
            if rest.startswith(head) and tail.startswith("__"):
                path = _fields_of_variable(type_of(pipeline, name), tail[2:])
                if path is not None:
                    return (name, *path)
    return None


def _fields_of_variable(wanted: object, rest: str) -> tuple[str, ...] | None:
    from stepwell.author.records import is_mapping, record_of

    record = record_of(wanted)
    if record is None:
        return tuple(rest.lower().split("__")) if is_mapping(wanted) else None
    for name in sorted(record.fields, key=len, reverse=True):
        for head in (name, name.upper()):
            if rest == head:
                return (name,)
            if rest.startswith(f"{head}__"):
                path = _fields_of_variable(record.fields[name].type, rest[len(head) + 2 :])
                if path is not None:
                    return (name, *path)
    return None


def _unknown_variable(pipeline: Pipeline[Any, Any], variable: str) -> UnknownParameter:
    names = [PREFIX + name.upper() for name in pipeline.signature.parameters]
    hint = nearest(variable, names)
    return UnknownParameter(
        f"`${variable}` sets no parameter of `{pipeline.__name__}`",
        why=f"variables that begin with {PREFIX} are parameters",
        fixes=[*([f"did you mean `{hint}`?"] if hint else []), f"unset {variable}", listed(pipeline)],
    )


def _of_table(
    pipeline: Pipeline[Any, Any],
    table: Table,
    layer: str,
    pipelines: Collection[str],
    others: Mapping[str, Pipeline[Any, Any]],
    wrong: Wrong,
) -> Iterator[_Piece]:
    """The parameters of a file: those at its top, then, stronger, those in the table of the pipeline's name."""
    origin, parameters = Origin(layer, table.name), pipeline.signature.parameters
    own: Mapping[str, Any] = EMPTY
    for name, value in table.values.items():
        if name in parameters:
            yield _Piece((name,), value, False, origin, _said(table, (name,), value))
        elif isinstance(value, Mapping) and name in pipelines:
            own = value if name == pipeline.__name__ else own
        elif not any(name in other.signature.parameters for other in others.values()):
            with wrong:
                _refuse_unknown(pipeline, table, name, value, layer, pipelines)
    for name, value in own.items():
        if name in parameters:
            yield _Piece((name,), value, False, origin, _said(table, (pipeline.__name__, name), value))
        else:
            with wrong:
                raise _unknown_in(pipeline, table, f"{pipeline.__name__}.{name}", name, ())


def _said(table: Table, path: tuple[str, ...], value: object) -> str:
    return f"{table.name}: {'.'.join(path)} = {brief(value)}"


def _refuse_unknown(
    pipeline: Pipeline[Any, Any],
    table: Table,
    name: str,
    value: object,
    layer: str,
    pipelines: Collection[str],
) -> None:
    """Raises `UnknownParameter`, but for a table in the project's settings, which may be of a pipeline in another file."""
    near = nearest(name, [*pipelines, *pipeline.signature.parameters])
    if layer == "project" and isinstance(value, Mapping) and near is None:
        return
    raise _unknown_in(pipeline, table, name, name, pipelines)


def _unknown_in(
    pipeline: Pipeline[Any, Any], table: Table, shown: str, name: str, pipelines: Collection[str]
) -> UnknownParameter:
    hint = nearest(name, [*pipeline.signature.parameters, *pipelines])
    return UnknownParameter(
        f"{table.name}: `{pipeline.__name__}` has no parameter `{shown}`",
        fixes=[*([f"did you mean `{hint}`?"] if hint else []), listed(pipeline)],
    )


# --------------------------------------------------------------------------- putting them together


def _without_value(piece: _Piece) -> str:
    """A piece as errors show it where its value may be a secret."""
    name = ".".join(piece.path)
    where = piece.origin.where
    return f"{name}=***" if not where else f"{where}=***" if where[0] == "$" else f"{where}: {name} = ***"


def _put(tree: _Piece | _Fields | None, wanted: object, piece: _Piece) -> _Piece | _Fields:
    """A parameter with a stronger value for it or for a part of it. Raises `BadParameter`."""
    from stepwell.author.records import is_mapping, record_of

    record = record_of(wanted)
    nested = (
        record is not None
        or is_mapping(wanted)
        or (bool(piece.path) and plain(wanted) in (None, Any, object))
    )
    if piece.path:
        if not nested:
            raise _wrong(piece, wanted, f"{article(show(wanted))} has no field `{piece.path[0]}`")
        fields = _begun(tree)
        _put_field(fields, wanted, piece.path[0], piece._replace(path=piece.path[1:]))
        return fields
    value = piece.value
    if piece.text and nested and value.lstrip().startswith("{"):
        try:
            value = toml_value(value)
        except ValueError as error:
            raise _wrong(piece, wanted, str(error)) from error
        piece = piece._replace(value=value, text=False)
    if record is None or not isinstance(value, Mapping):
        return piece
    fields = _begun(tree)
    for name, item in value.items():
        _put_field(fields, wanted, name, piece._replace(value=item))
    return fields


def _begun(tree: _Piece | _Fields | None) -> _Fields:
    """What is given so far, by field."""
    if isinstance(tree, _Fields):
        return tree
    fields = _Fields()
    if tree is not None and isinstance(tree.value, Mapping):
        fields.alone = True
        fields.update({name: tree._replace(value=item, text=False) for name, item in tree.value.items()})
    return fields


def _put_field(fields: _Fields, wanted: object, name: str, piece: _Piece) -> None:
    from stepwell.author.records import record_of

    record = record_of(wanted)
    if record is not None and name not in record.fields:
        raise _wrong(piece, record.kind, no_field(record, name))
    fields[name] = _put(fields.get(name), _inner(wanted, name), piece)


def _inner(wanted: object, name: str) -> object:
    """The type of a field of a record, or of the values of a dict; None where nothing is said."""
    from stepwell.author.records import record_of

    record = record_of(wanted)
    if record is not None:
        return record.fields[name].type
    args = get_args(plain(wanted))
    return args[1] if len(args) == 2 else None


def _settled(tree: _Piece | _Fields, wanted: object, base: object, name: str, wrong: Wrong) -> object:
    """The value of a parameter or field. Raises the errors of `layered`; those of its fields go to `wrong`."""
    from stepwell.author.records import ABSENT, record_of

    if isinstance(tree, _Piece):
        return _value(tree, wanted, name)
    record = record_of(wanted)
    before = len(wrong.errors)
    values: dict[str, object] = {}
    if record is None:
        held = dict(base) if isinstance(base, Mapping) and not tree.alone else {}
        values.update(held)
        for key, part in tree.items():
            values[key] = _settled(part, _inner(wanted, key), ABSENT, f"{name}.{key}", wrong)
        whole = next(_pieces(tree))._replace(value=values, text=False)
        return _value(whole, wanted, name)
    for field, spec in record.fields.items():
        if field not in tree:
            part = record.part(base, field)
            if part is not ABSENT and not (base is ABSENT or base is None):
                values[field] = part
            continue
        with wrong:
            values[field] = _settled(
                tree[field], spec.type, record.part(base, field), f"{name}.{field}", wrong
            )
    if len(wrong.errors) > before:
        return UNKNOWN
    piece = next(_pieces(tree))
    try:
        return record.made(values)
    except ValueError as error:
        said = ", ".join(dict.fromkeys(one.said for one in _pieces(tree)))
        raise _wrong(piece._replace(said=said), wanted, str(error)) from error


def _value(piece: _Piece, wanted: object, name: str) -> object:
    try:
        value = parse(piece.value, wanted) if piece.text else shaped(piece.value, wanted)
    except SecretInTheOpen as error:
        told = f"{piece.origin.text}: `{name}`" if piece.origin.where else f"`{name}`"
        raise SecretInTheOpen(f"{told} {error.what}", why=error.why, fixes=error.fixes) from None
    except ValueError as error:
        raise _wrong(piece, wanted, str(error), name) from error
    try:
        in_range(name, value, wanted)
    except BadParameter as error:
        if piece.origin.where:
            error.what = f"`{piece.said}`: {error.what.rpartition('`: ')[2]}"
        raise
    return value


def _wrong(piece: _Piece, wanted: object, why: str, name: str = "") -> BadParameter:
    name = name or piece.said.partition("=")[0].strip()
    kind = show(wanted) if wanted is not None else "value"
    if mentions_secret(wanted):
        why = "a part of it is a secret, so that what was given is not repeated"
    fixes = [example(name, wanted)] if piece.origin == COMMAND else [f"correct it in {piece.origin.text}"]
    return BadParameter(f"`{piece.said}` is not {article(kind)}", why=why, fixes=fixes)


def _pieces(tree: _Piece | _Fields) -> Iterator[_Piece]:
    if isinstance(tree, _Piece):
        yield tree
        return
    for part in tree.values():
        yield from _pieces(part)


def _origins(tree: _Piece | _Fields, name: str) -> Iterator[tuple[str, Origin]]:
    """The strongest origin of a parameter, and of its fields where they came from several places."""
    found = dict.fromkeys(piece.origin for piece in _pieces(tree))
    yield name, min(found, key=lambda origin: LAYERS.index(origin.layer), default=DEFAULT)
    if isinstance(tree, _Fields):
        for field, part in tree.items():
            yield from _origins(part, f"{name}.{field}")


# --------------------------------------------------------------------------- reading them


def outside(
    root: Path,
    files: Iterable[str],
    environ: Mapping[str, str],
    others: Mapping[str, Any],
    pipeline: Path | None = None,
) -> Outside:
    """All layers beside the command line; `pipeline` is its file. Raises `BadParameterFile`, `BadSettings`."""
    settings = settings_of(root, pipeline)
    project = Table(settings.file, settings.params) if settings.params else None
    ours = {key: value for key, value in environ.items() if key.startswith(PREFIX)}
    return Outside(tuple(map(read, files)), ours, project, others)


def read(file: str) -> Table:
    """The parameters in a file: TOML, JSON or YAML by the end of its name. Raises `BadParameterFile`."""
    kind = Path(file).suffix.lower()
    readers = {".toml": _toml, ".json": _json, ".yaml": _yaml, ".yml": _yaml}
    if kind not in readers:
        raise BadParameterFile(
            f"`{file}` is no file of parameters",
            why="by its name it is neither TOML nor JSON nor YAML",
            fixes=["give it a name that ends with .toml, .json or .yaml"],
        )
    try:
        found = readers[kind](Path(file).read_text("utf-8-sig"))
    except OSError as error:
        near = nearest(Path(file).name, (one.name for one in Path(file).absolute().parent.glob("*.*")))
        fixes = [f"did you mean `{near}`?"] if near and isinstance(error, FileNotFoundError) else []
        raise BadParameterFile(
            f"`{file}` cannot be read", why=error.strerror or str(error), fixes=fixes
        ) from None
    except (ValueError, RecursionError) as error:
        raise BadParameterFile(
            f"`{file}` is not {kind[1:].upper()}", why=" ".join(str(error).split())
        ) from None
    if found is None:
        found = {}
    if not isinstance(found, Mapping) or not all(isinstance(name, str) for name in found):
        raise BadParameterFile(
            f"`{file}` holds {article(type(found).__name__)}, not a table of parameters",
            fixes=["write one a line, by name: depth = 8"],
        )
    return Table(file, found)


def _toml(text: str) -> object:
    import tomllib

    return tomllib.loads(text)


def _json(text: str) -> object:
    import json

    return json.loads(text)


def _yaml(text: str) -> object:
    try:
        import yaml
    except ImportError:
        raise BadParameterFile(
            "files of parameters in YAML need PyYAML",
            why="it is not installed",
            fixes=["pip install pyyaml", "or write them as TOML or JSON"],
        ) from None
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from None
