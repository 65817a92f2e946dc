"""The part of an adopted pipeline that reads files of parameters, so that a value in a file stays the only one.

What a command names becomes a parameter of the pipeline whose default is read from the file whenever the pipeline
is. What stands in paths and loops cannot follow its file: the pipeline refuses to be planned with another value.
YAML is read there as texts: PyYAML takes `1e-3` for a word and `yes` for a boolean, and DVC does not.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from math import isfinite
from pathlib import Path
from typing import Any

from stepwell.app.adopt.dvc import as_texts, dotted, load
from stepwell.app.adopt.facts import Setting, Stage

YAML = (".yaml", ".yml")

_BY_TYPE: Mapping[type, tuple[tuple[str, Callable[[str], object]], ...]] = {
    bool: (('{}.lower() == "true"', lambda text: text.lower() == "true"),),
    int: (("int({})", int), ("int({}, 0)", lambda text: int(text, 0))),
    float: (("float({})", float),),
    str: (("{}", str),),
}
"""How a text becomes a value, by the value's type: as Python has it, and as it is done here."""


def default(setting: Setting, root: Path) -> str | None:
    """The expression that reads a setting from its file; None where none gives the value that it has."""
    try:
        text = dotted(_read(root / setting.file), setting.name)
    except KeyError:
        return None
    call = f"setting({_literal(setting.file)}, {_literal(setting.name)})"
    for form, convert in _BY_TYPE.get(type(setting.value), ()):
        try:
            if convert(text) == setting.value:
                return form.format(call)
        except ValueError:
            continue
    return None


def fixed(stages: Sequence[Stage], root: Path) -> dict[str, dict[str, Any]]:
    """What stands in stages as it was, by file and name, as the pipeline would read it."""
    found: dict[str, dict[str, Any]] = {}
    for one in (setting for stage in stages for setting in stage.fixed):
        try:
            value = dotted(_read(root / one.file), one.name)
        except KeyError:
            continue
        if _is_plain(value):
            found.setdefault(one.file, {})[one.name] = value
    return found


def told(found: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """What whoever adopts has to know of what cannot follow its file."""
    for file, values in found.items():
        names = ", ".join(f"`{name}`" for name in values)
        yield (
            f"{names} of {file}: what stands there now is written into steps (paths, loops); "
            "with another value a plan refuses until they were edited"
        )


def helpers(suffixes: Collection[str], *, several: bool) -> str:
    """The functions that read values: `setting`, and with `several` also `settings`."""
    ways = {suffix: _LOADERS.get(suffix, "yaml.load({}, Texts)") for suffix in sorted(suffixes)}
    lines = _TEXTS.splitlines() if set(YAML) & set(suffixes) else []
    lines += ["", "def setting(file, name):", '    """A value as its file has it now; of YAML its text."""']
    if len(set(ways.values())) == 1:
        lines.append(f"    value = {next(iter(ways.values())).format('Path(file).read_text()')}")
    else:
        table = ", ".join(f"{_literal(one)}: lambda text: {way.format('text')}" for one, way in ways.items())
        lines += [f"    load = {{{table}}}", "    value = load[Path(file).suffix](Path(file).read_text())"]
    lines += [
        '    for part in name.replace("[", ".").replace("]", "").split("."):',
        "        value = value[int(part) if isinstance(value, list) else part]",
        "    return value",
        "",
    ]
    if several:
        lines += [
            "",
            "def settings(file, *names):",
            '    """Values of a file of parameters: a step that gets them runs again when one of these changes."""',
            "    return {name: setting(file, name) for name in names}",
            "",
        ]
    return "\n".join(lines)


def guard(found: Mapping[str, Mapping[str, Any]]) -> str:
    """The lines that refuse other values than those that stand in steps."""
    rows = [
        f"    {_literal(file)}: {{\n"
        + "".join(f"        {_literal(name)}: {_literal(value)},\n" for name, value in values.items())
        + "    },"
        for file, values in found.items()
    ]
    return "\n".join(
        [
            "# What the steps below have of these files as it was: they cannot follow.",
            "FIXED = {",
            *rows,
            "}",
            _GUARD,
        ]
    )


_LOADERS = {".toml": "tomllib.loads({})", ".json": "json.loads({})"}

_TEXTS = '''
class Texts(yaml.SafeLoader):
    """Reads YAML with every value as the text that stands there."""

    yaml_implicit_resolvers = {"<": yaml.SafeLoader.yaml_implicit_resolvers["<"]}

'''

_GUARD = """for file, values in FIXED.items():
    for name, value in values.items():
        if setting(file, name) != value:
            raise ValueError(f"`{name}` of {file} is another than in the steps: edit them, then FIXED")
del file, values, name, value"""


def _read(path: Path) -> Any:
    return as_texts(path) if path.suffix in YAML else load(path)


def _is_plain(value: object) -> bool:
    """Whether a value can be written down as it is, and compared."""
    if isinstance(value, dict):
        return all(isinstance(name, str) and _is_plain(one) for name, one in value.items())
    if isinstance(value, list):
        return all(map(_is_plain, value))
    return isinstance(value, str | int) or (isinstance(value, float) and isfinite(value))


def _literal(value: Any) -> str:
    """A plain value as Python writes it."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_literal(name)}: {_literal(one)}" for name, one in value.items()) + "}"
    if isinstance(value, list):
        return f"[{', '.join(map(_literal, value))}]"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)
