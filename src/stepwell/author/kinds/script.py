"""Steps that are existing scripts: `script`.

featurize = script("featurize.py", "--in", "{table}", "--out", "{out}", out="features.csv")
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from stepwell.author.kinds.shell import common, finished
from stepwell.author.steps import Step
from stepwell.author.where import user_line
from stepwell.errors import BadCommand
from stepwell.worker.kinds import script as kind
from stepwell.worker.kinds.template import BadTemplate


def script(
    path: str | Path,
    /,
    *args: str | int | float | Path,
    out: str = "",
    outputs: Mapping[str, str] | None = None,
    stdout: Any = None,
    defaults: Mapping[str, Any] | None = None,
    ok: int | Sequence[int] = (0,),
    cwd: str = "project",
    tools: Sequence[str] = (),
    name: str = "",
    **options: Any,
) -> Step[..., Any]:
    """A step that is an existing script, which need not know of that: a Python file, or any that can be executed.

    `args` are the words after its name; `{name}` in them are inputs, `{out}` and the names of `outputs`
    files that it writes, relative to the project's root, where it runs; with `cwd="own"` to an empty folder.
    Its text counts, and that of the project's modules that it imports, and what is installed of what it
    imports. All else is as for `shell`. Raises `BadCommand`, `BadCommandOutput`, `BadOption`.
    """
    file = os.fspath(path)
    clean = os.path.normpath(file)
    if not file.strip() or os.path.isabs(file) or clean.startswith(".."):
        raise BadCommand(
            f"the script is {file!r}, which does not lie in the project",
            why="paths of scripts are relative to the project's root",
            fixes=['script("featurize.py", ...)', "what is installed is called with shell([...])"],
            where=user_line(),
        )
    if not all(isinstance(one, str | int | float | Path) for one in args):
        raise BadCommand(
            "the arguments of a script are words",
            fixes=['script("train.py", "--depth", "{depth}")'],
            where=user_line(),
        )
    spec: dict[str, Any] = {"script": clean, "args": [str(one) for one in args]}
    spec |= common(out, outputs, stdout, ok, cwd, tools)
    try:
        pieces = kind.pieces(spec)
    except BadTemplate as error:
        raise BadCommand(str(error), fixes=[error.fix], where=user_line()) from None
    return finished("script", spec, pieces, defaults, name, Path(clean).stem, options)
