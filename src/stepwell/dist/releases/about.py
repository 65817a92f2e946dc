"""What a project without a build backend says about itself: in the header of its single file, or in `[project]`."""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stepwell.author.written import decoded, header_of
from stepwell.dist.releases.made import Project, package_name

PYTHON = ">=3.11"
"""What Stepwell itself runs on."""


def about(name: str, root: Path, file: Path | None) -> Project:
    """The project at `root`, or that of the single `file` which has a header. Raises `NoPackage` for a name that nobody can import.

    `name` is what its releases are called. What it requires is told by its `dependencies`; an environment that is locked
    goes with the release as it is, and is not repeated.
    """
    package = package_name(name)
    if file is not None:
        text = decoded("script", file.read_bytes())
        header = header_of(text, file)
        said: Mapping[str, Any] = tomllib.loads(header.text) if header is not None else {}
        doc = ast.get_docstring(ast.parse(text)) or ""
        return _project(name, package, said, doc)
    toml = root / "pyproject.toml"
    said = tomllib.loads(toml.read_text("utf-8")).get("project", {}) if toml.is_file() else {}
    return _project(name, package, said, str(said.get("description", "")))


def _project(name: str, package: str, said: Mapping[str, Any], doc: str) -> Project:
    first, _, rest = doc.strip().partition("\n")
    return Project(
        name,
        package,
        summary=first.strip(),
        page=f"# {name}\n\n{doc.strip()}\n" if rest.strip() else "",
        requires_python=str(said.get("requires-python", PYTHON)),
        requires=tuple(map(str, said.get("dependencies", ()))),
    )
