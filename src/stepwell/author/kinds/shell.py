"""Steps that are command lines: `shell`.

    align = shell("bwa mem {ref} {reads} > {out}", out="aligned.bam")
    count = shell("wc -l < {table}", stdout=int)
    sort = shell(["sort", "-u", "{table}", "-o", "{out}"], out="sorted.txt")

Placeholders that are no outputs are parameters. Values are never interpreted by the shell.
"""

from __future__ import annotations

import datetime as dt
import enum
import os
import re
import shutil
import textwrap
from abc import ABC
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, get_args, get_origin
from uuid import UUID

from stepwell.author.kinds.making import made_step, parameter
from stepwell.author.steps import Step
from stepwell.author.where import user_line
from stepwell.errors import BadCommand, BadCommandOutput, nearest
from stepwell.worker.kinds import shell as kind
from stepwell.worker.kinds import template
from stepwell.worker.kinds.template import BadTemplate, Hole
from stepwell.worker.secrets import Secret


class Word(ABC):  # noqa: B024  only what it is said of
    """What a command line can be given as a word of its own, or as several (a list)."""


for _kind_of_word in (
    str,
    int,
    float,
    Path,
    Decimal,
    UUID,
    dt.date,
    dt.time,
    enum.Enum,
    Secret,
    list,
    tuple,
):
    Word.register(_kind_of_word)

"""What a command line can be given as words of its own."""

OUT = "out"

_STDOUT = {str: "str", int: "int", float: "float", bool: "bool", list: "json", dict: "json"}

FLAGS = {"bash": ["-euo", "pipefail"], "zsh": ["-euo", "pipefail"]}
"""Options with which a shell ends at the first command that fails; of all others `-eu`."""


def shell(
    *command: str | Sequence[str],
    out: str = "",
    outputs: Mapping[str, str] | None = None,
    stdout: Any = None,
    defaults: Mapping[str, Any] | None = None,
    ok: int | Sequence[int] = (0,),
    cwd: str = "",
    shell: str = "",
    tools: Sequence[str] = (),
    name: str = "",
    **options: Any,
) -> Step[..., Any]:
    """A step that runs a command line: text for a shell (several are one after another), or a list of words without one.

    `{name}` in it is an input; `{out}` and the names of `outputs` are files, or with a slash at the end
    folders, that it writes; relative to the empty folder that it runs in. `stdout` is a file's name, or
    the type of the value that it prints (`str`, `int`, `float`, `bool`; `list`, `dict` as JSON). `ok` are
    the exit codes of success. With `cwd="project"` it runs in the project's folder. `tools` are programs
    whose own files count. `options` are those of `@step`. Raises `BadCommand`, `BadCommandOutput`, `BadOption`.
    """
    spec: dict[str, Any] = _command(command, shell, is_elsewhere="image" in options)
    spec |= common(out, outputs, stdout, ok, cwd, tools)
    pieces = pieces_of(spec)
    return finished("shell", spec, pieces, defaults, name, _proposed(spec), options)


def common(
    out: str,
    outputs: Mapping[str, str] | None,
    stdout: Any,
    ok: int | Sequence[int],
    cwd: str,
    tools: Sequence[str],
) -> dict[str, Any]:
    """The part of a spec that all commands have. Raises `BadCommand`, `BadCommandOutput`."""
    if cwd not in ("", "own", "project"):
        raise BadCommand(
            f'`cwd={cwd!r}` is neither "own" nor "project"',
            why="a command runs in an empty folder of its own, or in the project's",
            fixes=['cwd="project", or leave it out; `cd` in the command goes further'],
            where=user_line(),
        )
    codes = [ok] if isinstance(ok, int) else list(ok)
    if not codes or not all(type(one) is int and 0 <= one <= 255 for one in codes):
        raise BadCommand(
            f"`ok={ok!r}` is no exit code, and no list of some",
            fixes=["for example: ok=(0, 1)"],
            where=user_line(),
        )
    spec: dict[str, Any] = {"outputs": _outputs(out, outputs), "ok": sorted(set(codes))}
    spec["single"] = outputs is None
    if cwd == "project":
        spec["cwd"] = cwd
    if tools:
        spec["tools"] = [tools] if isinstance(tools, str) else list(tools)
    if stdout is not None:
        spec["stdout"] = _stdout(stdout, spec["outputs"])
    return spec


def finished(
    kind_name: str,
    spec: dict[str, Any],
    pieces: Sequence[template.Piece],
    defaults: Mapping[str, Any] | None,
    name: str,
    proposed: str,
    options: dict[str, Any],
) -> Step[..., Any]:
    """The step of a spec: its parameters are the placeholders that are no outputs. Raises `BadCommand`."""
    holes = [hole for hole in template.holes(pieces) if hole.name not in spec["outputs"]]
    given = dict(defaults or {})
    names = list(dict.fromkeys(hole.name for hole in holes))
    _refuse_unknown(given, names, spec)
    if given:
        spec["defaults"] = {key: _plain(key, value) for key, value in given.items()}
    if spec.get("cwd") == "project" and len(spec["outputs"]) == 1 and spec["single"]:
        options.setdefault("out", next(iter(spec["outputs"].values())).rstrip("/"))
    if "text" in spec:
        declared = options.get("env", ())
        named = [declared] if isinstance(declared, str) else list(declared)
        elsewhere = "image" in options  # $PATH is the image's there
        found = [] if elsewhere else [one for one in template.variables(spec["text"]) if one in os.environ]
        if named or found:
            options["env"] = [*named, *found]
    parameters = [
        parameter(
            one,
            _type([hole for hole in holes if hole.name == one]),
            **({"default": given[one]} if one in given else {}),
        )
        for one in names
    ]
    return made_step(
        kind_name,
        spec,
        parameters,
        _returns(spec),
        name=name,
        proposed=proposed,
        about=kind.text_of(spec)
        if "script" not in spec
        else f"{spec['script']} {' '.join(spec['args'])}".rstrip(),
        options=options,
        advice={
            "BadArguments": "its parameters are the placeholders of its command: "
            f"{', '.join(f'{{{one}}}' for one in names) or 'there are none'}; braces that are meant as such are doubled: "
            "awk '{{print}}'",
            "EdgeType": "ask for it as a file: {name:csv}, {name:parquet} or {name:json} in the command; "
            "a source is passed on as a file with source(..., Path)",
        },
    )


def _command(command: Sequence[Any], shell: str, *, is_elsewhere: bool) -> dict[str, Any]:
    """The command of a spec: `text` and `shell`, or `argv`. Raises `BadCommand`."""
    if len(command) == 1 and isinstance(command[0], list | tuple):
        return {"argv": _argv(command[0])}
    if not command or not all(isinstance(one, str) for one in command):
        wrong = next((one for one in command if not isinstance(one, str)), None)
        what = f"gets {wrong!r}" if command else "gets no command"
        raise BadCommand(
            f"`shell` {what}",
            fixes=[
                'text for a shell: shell("sort {table} > {out}", out="sorted.txt")',
                'or words: shell(["sort", "{table}"])',
            ],
            where=user_line(),
        )
    text = "\n".join(textwrap.dedent(one).strip("\n") for one in command).rstrip()
    if not text.strip():
        raise BadCommand("the command of `shell` is empty", fixes=["write one"], where=user_line())
    found = shell or ("bash" if shutil.which("bash") and not is_elsewhere else "sh")
    if not re.fullmatch(r"[\w./+-]+", found):
        raise BadCommand(
            f"`shell={shell!r}` is not the name of a shell", fixes=['shell="bash"'], where=user_line()
        )
    return {"text": text, "shell": [found, *FLAGS.get(os.path.basename(found), ["-eu"])]}


def _argv(words: Sequence[Any]) -> list[str]:
    if not words or not all(
        isinstance(word, str | int | float | Path) and not isinstance(word, bool) for word in words
    ):
        raise BadCommand(
            "a command without a shell is a list of words",
            fixes=['shell(["sort", "{table}"])'],
            where=user_line(),
        )
    first = str(words[0])
    if " " in first.strip() and not os.path.exists(first):
        raise BadCommand(
            f"a list is one command, word by word, and its first word is `{first}`",
            fixes=[
                'several commands are several texts: shell("sort a > b", "wc b")',
                'shell(["sort", "-u", "{table}"])',
            ],
            where=user_line(),
        )
    return [str(word) for word in words]


def pieces_of(spec: Mapping[str, Any]) -> list[template.Piece]:
    """The pieces of a spec's command. Raises `BadCommand` at the user's line."""
    try:
        if "text" in spec:
            return template.pieces(spec["text"])
        return [piece for word in spec["argv"] for piece in template.words(word)]
    except BadTemplate as error:
        raise BadCommand(str(error), fixes=[error.fix], where=user_line()) from None


def _outputs(out: str, outputs: Mapping[str, str] | None) -> dict[str, str]:
    """The declared outputs: paths by name. Raises `BadCommandOutput`."""
    if out and outputs is not None:
        raise _bad_output(
            "both `out=` and `outputs=` are given", 'name it among the others: outputs={"out": ...}'
        )
    if outputs is not None and not (isinstance(outputs, Mapping) and outputs):
        raise _bad_output("`outputs=` is not a dict of names and paths", 'outputs={"bam": "aligned.bam"}')
    found: dict[str, str] = {}
    for name, path in (outputs if outputs is not None else {OUT: out} if out else {}).items():
        if not isinstance(name, str) or not name.isidentifier() or name == "stdout":
            raise _bad_output(
                f"`{name}` cannot be the name of an output", "use letters, digits and `_`; `stdout` is taken"
            )
        text = os.fspath(path) if isinstance(path, str | os.PathLike) else None
        if not isinstance(text, str) or not text.strip():
            raise _bad_output(f"the path of the output `{name}` is {path!r}", 'for example: out="table.csv"')
        clean = os.path.normpath(text)
        if os.path.isabs(text) or clean.startswith("..") or clean == "." or "\0" in text or "\n" in text:
            raise _bad_output(
                f"the output `{name}` is `{text}`, which does not lie in the folder that the command runs in",
                f'give a path inside: out="{os.path.basename(clean) or "table.csv"}"',
            )
        found[name] = clean + ("/" if text.endswith("/") else "")
    places = {}
    for name, path in found.items():
        other = places.setdefault(path.rstrip("/"), name)
        if other != name:
            raise _bad_output(
                f"the outputs `{other}` and `{name}` are one file, `{path}`", "give each a file of its own"
            )
    return found


def _bad_output(what: str, fix: str) -> BadCommandOutput:
    return BadCommandOutput(what, fixes=[fix], where=user_line())


def _stdout(stdout: Any, outputs: Mapping[str, str]) -> dict[str, str]:
    if isinstance(stdout, str | os.PathLike):
        path = _outputs(os.fspath(stdout), None)[OUT]
        if path in outputs.values():
            raise _bad_output(f"`{path}` is an output, and what the command prints", "name another file")
        return {"file": path}
    plain = get_origin(stdout) or stdout
    if plain not in _STDOUT:
        raise _bad_output(
            f"`stdout={stdout!r}` is neither a file's name nor a type that a command can print",
            'stdout="counts.txt", or one of str, int, float, bool, list, dict (the last two as JSON)',
        )
    found = {"type": _STDOUT[plain]}
    if found["type"] == "json":
        found["shape"] = plain.__name__
    if get_args(stdout):
        found["annotation"] = str(stdout)
    return found


def _returns(spec: Mapping[str, Any]) -> object:
    return kind.returns(spec)


def _refuse_unknown(defaults: Mapping[str, Any], names: Sequence[str], spec: Mapping[str, Any]) -> None:
    for one in defaults:
        if one not in names:
            hint = nearest(str(one), names)
            raise BadCommand(
                f"`defaults` has `{one}`, and the command has no placeholder {{{one}}}",
                fixes=[
                    f"did you mean `{hint}`?" if hint else f"placeholders are: {', '.join(names) or 'none'}"
                ],
                where=user_line(),
            )
    taken = [one for one in names if one.startswith("_") or one == "self"]
    if taken:
        raise BadCommand(
            f"`{{{taken[0]}}}` cannot be the name of an input", fixes=["use another name"], where=user_line()
        )


def _plain(name: str, value: Any) -> Any:
    """A default, as it travels in a spec. Raises `BadCommand`."""
    if isinstance(value, str | int | float | bool):
        return value
    if isinstance(value, list | tuple):
        return [_plain(name, item) for item in value]
    if isinstance(value, Path):
        return os.fspath(value)
    raise BadCommand(
        f"the default of `{name}` is {value!r}, which is no text or number",
        fixes=["pass it where the step is called"],
        where=user_line(),
    )


def _type(holes: Sequence[Hole]) -> object:
    """The type of a parameter: a word wherever it is not asked for as a file."""
    formats = {hole.format for hole in holes}
    if formats <= {"", "raw"}:
        return Word
    return str | bytes if formats == {"text"} else Any


def _proposed(spec: Mapping[str, Any]) -> str:
    """The name of a step that is bound to none: its first program."""
    if "argv" in spec:
        return os.path.basename(spec["argv"][0]).partition(".")[0]
    found = template.programs(spec["text"])
    return os.path.basename(found[0]).partition(".")[0] if found else "shell"
