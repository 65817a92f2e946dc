"""Steps that are a command line, with a shell or without one.

The spec is that of `worker.kinds.command`, and:

`tools`    programs whose own bytes count for the result
`defaults` values of parameters that were not given
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import signal
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypedDict

from stepwell.errors import (
    CommandFailed,
    StepwellError,
    WritesElsewhere,
    WroteElsewhere,
    typed,
)
from stepwell.log import current_step
from stepwell.worker.kinds import template
from stepwell.worker.kinds.command import Command, Spec, collect, compose, environment, quoted
from stepwell.worker.kinds.process import Ended, Start, last_line, run
from stepwell.worker.kinds.programs import missing
from stepwell.worker.kinds.workplace import Project, Workplace

SCRATCH = ("/dev/", "/tmp/", "/var/tmp/", "/proc/self/")  # noqa: S108  places that belong to nobody's project
"""Where a command may write besides its own folder."""

_SCRIPT = re.compile(r"^\S*/command\.sh: (?:line \d+: )?")
"""How a shell begins what it says; the line is not the user's."""

_TYPES = {"str": str, "int": int, "float": float, "bool": bool, "list": list, "dict": dict, "json": Any}

_CLOSED = "the reader of a pipe ended first, as `head` does: `sed -n 1,10p` reads to the end, or ok=(0, 141)"
"""What to say of exit code 141: in a pipeline every part has to succeed."""


def code(spec: Spec, root: Path) -> dict[str, str]:
    """The command, the shell, and the options that change what is done."""
    how = {name: spec[name] for name in ("outputs", "stdout", "defaults", "cwd") if spec.get(name)}
    if spec.get("ok", [0]) != [0]:
        how["ok"] = spec["ok"]
    texts = {"command": text_of(spec)}
    if "text" in spec:
        texts["shell"] = quoted(spec["shell"])
    if how:
        texts["options"] = json.dumps(how, sort_keys=True, ensure_ascii=False, indent=1)
    return texts


def text_of(spec: Spec) -> str:
    """The command as it was written."""
    return str(spec["text"]) if "text" in spec else quoted(spec["argv"])


def versions(spec: Spec, root: Path) -> dict[str, str]:
    """The digests of the programs that were asked to count."""
    return {f"tool {name}": _digest(shutil.which(name)) for name in spec.get("tools", ())}


_digests: dict[tuple[str, int, int, int], str] = {}


def _digest(path: str | None) -> str:
    """The digest of a program's file; read again only when the file is another."""
    if path is None:
        return "absent"
    found = os.stat(path)
    place = (os.path.realpath(path), found.st_ino, found.st_size, found.st_mtime_ns)
    if place not in _digests:
        with open(path, "rb") as file:
            _digests[place] = hashlib.file_digest(file, "blake2b").hexdigest()[:32]
    return _digests[place]


def check(spec: Spec, root: Path) -> Iterator[StepwellError]:
    """Programs that are not installed; redirections to places that nobody would know of."""
    text = spec.get("text")
    if text is None:
        first = template.words(spec["argv"][0])
        called = [first[0]] if len(first) == 1 and isinstance(first[0], str) else []
    else:
        called = [os.path.basename(spec["shell"][0]), *template.programs(text)]
    for name in dict.fromkeys([*called, *spec.get("tools", ())]):
        if not _is_there(name, root, spec):
            yield missing(name)
    for path in template.written(text or ""):
        outside = os.path.isabs(path) or path.startswith("~") or os.path.normpath(path).startswith("..")
        if outside and not path.startswith(SCRATCH) and spec.get("cwd") != "project":
            yield WritesElsewhere(
                f"the command writes to `{path}`, outside of the folder that it runs in",
                why="what is written there is no output: nobody would know of it, and a cached step would not bring it back",
                fixes=[
                    "write to {out}, and declare it: out=...",
                    'to work in the project\'s folder: cwd="project"',
                ],
            )


def _is_there(name: str, root: Path, spec: Spec) -> bool:
    if "/" not in name:
        return shutil.which(name) is not None
    if os.path.isabs(name):
        return os.access(name, os.X_OK)
    # In a folder of its own, what is relative is made by the command itself.
    return spec.get("cwd") != "project" or (root / name).exists()


def returns(spec: Spec) -> object:
    """The type of what such a step gives: nothing, one value, or a dict of them."""
    kinds: dict[str, Any] = dict.fromkeys(spec["outputs"], Path)
    if printed := spec.get("stdout"):
        kinds["stdout"] = Path if "file" in printed else _TYPES[printed.get("shape", printed["type"])]
    if not kinds:
        return type(None)
    if len(kinds) == 1 and spec.get("single", True):
        return next(iter(kinds.values()))
    return TypedDict("Outputs", kinds)  # type: ignore[operator]


def call(spec: Spec, root: Path) -> Shell:
    """What executes the command."""
    return Shell(spec, root)


class Shell:
    """A command that is called with its inputs by name. `finish` is called when what it gave was stored."""

    def __init__(self, spec: Spec, root: Path, start: Start = run) -> None:
        self._spec, self._root, self.start = spec, root, start
        self._place: Workplace | None = None
        self.__annotations__ = {"return": returns(spec)}
        self.__name__ = "shell"

    def __call__(self, **values: Any) -> Any:
        """Run the command. Raises `NotOneWord`, `CommandFailed`, `CommandOutputMissing`, `WroteElsewhere`, `WrongOutput`."""
        self.finish()
        self._place = Workplace()
        command = self.composed(values, self._place.path)
        private = self._spec.get("cwd") != "project"
        project = Project(self._root) if private else None
        ended = self.started(command)
        self.judge(command, ended)
        for path in project.changed() if project is not None else ():
            self._wrote(path, command)
        return collect(self._spec, command)

    def told(self) -> str:
        """The command as it was written, for people."""
        return text_of(self._spec)

    def composed(self, values: Mapping[str, Any], base: Path) -> Command:
        """The command with its inputs, staged in a folder."""
        return compose(self._spec, values, self._root, base)

    def started(self, command: Command) -> Ended:
        """Run the command to its end. Raises `MissingProgram`."""
        from stepwell.worker.services import variables  # most commands need none

        services = environment(variables(current_step().services))
        try:
            return self.start(command.argv, command.cwd, {**services, **command.env}, command.stdout)
        except FileNotFoundError as error:
            raise missing(os.fsdecode(error.filename or command.argv[0])) from None
        except OSError as error:
            raise CommandFailed(
                f"the command could not be started: {error.strerror}", why=command.text[:300]
            ) from error

    def judge(self, command: Command, ended: Ended) -> None:
        """Raises `CommandFailed` where the exit code is not one of success."""
        if ended.code in self._spec.get("ok", [0]):
            return
        told = f"ended with exit code {ended.code}"
        if ended.code < 0:
            told = f"was killed by signal {-ended.code}"
        step = current_step().id
        raise CommandFailed(
            f"the command {told}: {_first_line(self.told())}",
            why=_SCRIPT.sub("", last_line(ended.said)) or "it said nothing on its standard error",
            fixes=[
                *(
                    [f"stepwell logs last {typed(step)}   has all that it said"]
                    if step and ended.said.strip()
                    else []
                ),
                *(["a program that it calls was not found: is it installed?"] if ended.code == 127 else []),
                *([_CLOSED] if ended.code == 128 + signal.SIGPIPE else []),
                *([f"if {ended.code} is no failure: ok=(0, {ended.code})"] if 0 < ended.code < 126 else []),
            ],
        )

    def _wrote(self, path: str, command: Command) -> None:
        """A file of the project changed meanwhile: an error if the command names it, or a folder that it is in.

        Else somebody else may have written it, and nothing is said.
        """
        full = os.path.join(self._root, path)
        named = (full, *map(os.fspath, Path(full).parents))
        if full in command.reads or not any(_names(command.text, one) for one in named if one != "/"):
            return
        raise WroteElsewhere(
            f"the command wrote `{path}` of the project, which it does not declare",
            why="it would not be there when the step is cached, and who reads it would not know of it",
            fixes=[
                "write to {out}, and declare it: out=...",
                'to work in the project\'s folder: cwd="project"',
            ],
        )

    def finish(self) -> tuple[str, ...]:
        """Remove what it worked in. There is nothing that a person should know."""
        if self._place is not None:
            self._place.close()
            self._place = None
        return ()


def _names(text: str, path: str) -> bool:
    """Whether a path stands in a text, as a whole."""
    return path in text and re.search(rf"(?<![\w./-]){re.escape(path)}/?(?![\w./-])", text) is not None


def _first_line(text: str) -> str:
    first, *rest = text.strip().splitlines() or [""]
    first = first if len(first) <= 120 else f"{first[:120]}…"
    return f"`{first}`" + (" …" if rest else "")
