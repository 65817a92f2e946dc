"""The parameters of a pipeline as a command gets them: its words, over the environment, files and the project's settings.

A call from Python (`delays.run(depth=8)`) says all of its parameters itself: nothing of this is asked there.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from stepwell.author.layers import Layered, Origin, Outside, layered, outside
from stepwell.author.overrides import Plain
from stepwell.author.params import from_call, shaped
from stepwell.author.pipelines import Pipeline
from stepwell.author.project import Loaded, pipelines_of

NO_ORIGINS: Mapping[str, Origin] = {}


def around(loaded: Loaded, files: Sequence[str] = ()) -> Outside:
    """All that may set parameters beside the command's words; `files` are those after `--params`, as they were written.

    Raises `BadParameterFile`, `BadSettings`.
    """
    target = loaded.target
    return outside(target.root, files, os.environ, pipelines_of(loaded.module), target.file)


def given(loaded: Loaded, words: Sequence[str] = (), files: Sequence[str] = ()) -> Layered:
    """The parameters that a command with these words and files means. Raises as `author.layers.layered` and `around`."""
    return layered(loaded.pipeline, words, *around(loaded, files))


def given_again(
    pipeline: Pipeline[Any, Any], said: Mapping[str, object], unread: Callable[[str, str], None]
) -> dict[str, object]:
    """The parameters that a record or a lock has, as values, with what was set inside of the pipeline (`train.depth`).

    `unread` is told the name of each that cannot be given, and why; "" of one that the pipeline does not have any more.
    Raises as `author.params.from_call`.
    """
    own: dict[str, object] = {}
    inside: dict[str, object] = {}
    for name, value in said.items():
        if name in pipeline.signature.parameters:
            try:
                own[name] = shaped(value, pipeline.hints.get(name))
            except ValueError as error:
                unread(name, str(error))
        elif "." in name:
            inside[name] = Plain(value, lenient=True)
        else:
            unread(name, "")
    return {**from_call(pipeline, (), own), **inside}


def origins_document(origins: Mapping[str, Origin]) -> dict[str, dict[str, str]]:
    """Where parameters came from, as `--json` has it: by parameter, and by field (`opt.lr`) where these differ."""
    return {name: {"layer": one.layer, "where": one.where} for name, one in origins.items()}


def origins_line(document: Mapping[str, Mapping[str, Any]]) -> str:
    """The same for people, without what the command line and the signature say: "depth from p.toml"; empty if that is all."""
    told: dict[str, list[str]] = {}
    for name, one in document.items():
        whole = not any(other.startswith(f"{name}.") for other in document)
        if whole and one["layer"] not in ("command line", "default", "call"):
            told.setdefault(one["where"] or one["layer"], []).append(name)
    return "; ".join(f"{', '.join(names)} from {where}" for where, names in told.items())
