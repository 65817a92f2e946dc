"""What a project sets for itself: `[tool.stepwell]` of its `pyproject.toml`, or its `stepwell.toml`.

[tool.stepwell]
environment = "strict"                    how much of what is installed counts: loose, default, strict
checks = ["quality:no_small_models"]      functions that judge every plan
plan = {depth = "types", without = ["disk"]}
workspace = ["../etl-project"]            projects whose modules count as this one's own
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stepwell.errors import BadSettings


def settings_of(root: Path) -> Mapping[str, Any]:
    """The settings of the project with this root; empty where it has none. Raises `BadSettings`."""
    own = root / "stepwell.toml"
    if own.is_file():
        return _read(own)
    file = root / "pyproject.toml"
    if not file.is_file():
        return {}
    tool = _read(file).get("tool", {})
    found = tool.get("stepwell", {}) if isinstance(tool, dict) else {}
    return _table(found, "tool.stepwell", file)


def section(settings: Mapping[str, Any], name: str, root: Path) -> Mapping[str, Any]:
    """A table of the settings; empty where there is none. Raises `BadSettings` for what is no table."""
    return _table(settings.get(name, {}), name, root / "pyproject.toml")


def text(settings: Mapping[str, Any], name: str, default: str) -> str:
    """A setting that is a text. Raises `BadSettings`."""
    found = settings.get(name, default)
    if not isinstance(found, str):
        raise BadSettings(f"`{name} = {found!r}` is not a text", fixes=[f'for example: {name} = "{default}"'])
    return found


def texts(settings: Mapping[str, Any], name: str) -> tuple[str, ...]:
    """A setting that is a list of texts; empty where there is none. Raises `BadSettings`."""
    found = settings.get(name, [])
    if not isinstance(found, list) or not all(isinstance(item, str) for item in found):
        raise BadSettings(
            f"`{name} = {found!r}` is not a list of texts", fixes=[f'for example: {name} = ["..."]']
        )
    return tuple(found)


def _read(file: Path) -> Mapping[str, Any]:
    import tomllib  # many projects have no settings

    try:
        return tomllib.loads(file.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise BadSettings(f"`{file.name}` cannot be read", why=str(error)) from None


def _table(found: object, name: str, file: Path) -> Mapping[str, Any]:
    if not isinstance(found, dict):
        raise BadSettings(f"`{name}` of `{file.name}` is not a table", fixes=[f"[tool.stepwell.{name}]"])
    return found
