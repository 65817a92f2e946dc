"""A `pipeline.py` for stages that were found, as a person would have written it.

A stage that calls one script with its files as words becomes `script(...)`, all others `shell(...)` in the
project's folder, so that outputs lie where they lay. What a command reads without having been given its name
stands in a line that begins with `:`, the shell's command that does nothing. Loops stay loops.
"""

from __future__ import annotations

import builtins
import json
import keyword
import os
import re
import shlex
import textwrap
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from itertools import groupby, islice
from pathlib import Path
from typing import NamedTuple

from stepwell.app.adopt import parameters
from stepwell.app.adopt.dvc import overlap
from stepwell.app.adopt.facts import OPEN, Found, Pattern, Setting, Stage, left_open
from stepwell.worker.kinds import template
from stepwell.worker.kinds.template import BadTemplate, mark

_TAKEN = frozenset(
    (
        "Path",
        "json",
        "main",
        "pipeline",
        "script",
        "setting",
        "settings",
        "shell",
        "source",
        "tomllib",
        "yaml",
        "out",
    )
)
_SHELL_SIGNS = re.compile(r"[|&;<>()$`\\*?\[\]{}#~!\n]")
_PLAIN = re.compile(r"[\w.+:@%,/=-]*")
_INTERPRETERS = re.compile(r"(?:\S*/)?(?:python[\d.]*|Rscript|node|julia|perl|ruby)$")
_PYTHON = re.compile(r"(?:\S*/)?python[\d.]*$")
_WIDTH = 100
_SHORT = 60
"""Characters up to which the items of a loop stand where it is written."""


class Text(NamedTuple):
    """The text of a pipeline file, the name of the step that each stage became, by the stage's id, and what is to be told."""

    text: str
    steps: Mapping[str, str]
    told: tuple[str, ...] = ()


def compose(found: Found, root: Path) -> Text:
    """The pipeline of what was found in a project."""
    return _Writer(found, root).text()


class _Group(NamedTuple):
    """Stages that are written as one: a single one, or the instances of a loop. `name` is the step's."""

    name: str
    stages: tuple[Stage, ...]
    pattern: Pattern | None = None

    @property
    def first(self) -> Stage:
        """The stage, or the first instance."""
        return self.stages[0]

    @property
    def commands(self) -> tuple[str, ...]:
        """The commands, with what the loop leaves open."""
        return self.pattern.commands if self.pattern else self.first.commands

    @property
    def outs(self) -> tuple[str, ...]:
        """The outputs, with what the loop leaves open."""
        return self.pattern.outs if self.pattern else self.first.outs

    @property
    def deps(self) -> tuple[str, ...]:
        """The dependencies, with what the loop leaves open."""
        return self.pattern.deps if self.pattern else self.first.deps


class _Input(NamedTuple):
    """An input of a step: the placeholder, what the call passes, the path that it stands for ("" for none).

    `fills` is the name of what it fills in where a stage leaves a value open: as the tool calls it.
    """

    name: str
    passed: str
    path: str = ""
    format: str = ""
    fills: str = ""


class _Written(NamedTuple):
    """A step's definition, and the inputs that calls pass: a script's own text is none."""

    definition: str
    inputs: Sequence[_Input]


class _Names:
    """Identifiers, each given once."""

    def __init__(self) -> None:
        self._given: set[str] = set(_TAKEN)

    def new(self, *candidates: str) -> str:
        """The first candidate that is free, as an identifier; else the last one with a number."""
        for text in candidates:
            name = identifier(text)
            if name not in self._given:
                self._given.add(name)
                return name
        number = 2
        while (name := f"{identifier(candidates[-1])}_{number}") in self._given:
            number += 1
        self._given.add(name)
        return name


def identifier(text: str) -> str:
    """A Python name for a text; none of Python's own."""
    name = re.sub(r"\W+", "_", text).strip("_").lower() or "made"
    if not name.isidentifier():
        name = f"n{name}" if f"n{name}".isidentifier() else "made"
    return (
        f"{name}_"
        if keyword.iskeyword(name) or keyword.issoftkeyword(name) or hasattr(builtins, name)
        else name
    )


def short_names(path: str) -> list[str]:
    """Names for a file, the best first: of `data/raw.csv` it is `raw`, then `raw_csv`; of a loop its folder comes first."""
    parts = [part for part in OPEN.sub("", path).split("/") if part.strip("._-")]
    last = parts[-1] if parts else "made"
    if last.startswith(".") and len(parts) > 1:  # the loop's own value was all of its name
        return [identifier(parts[-2]), identifier(parts[-2] + last)]
    names = [identifier(Path(last).stem.strip("_-")), identifier(last)]
    return sorted(names, key=lambda name: name.endswith("_"))


class _Writer:
    """Writes the parts of the file: sources, steps, the pipeline."""

    def __init__(self, found: Found, root: Path) -> None:
        self._found, self._root = found, root
        self._names = _Names()
        self._steps: dict[str, str] = {}
        self._groups = list(self._grouped())
        self._makers = {out: stage for stage in found.stages for out in stage.outs}
        self._group_of = {
            out: group for group in self._groups for stage in group.stages for out in stage.outs
        }
        self._results = {group.name: self._result_name(group) for group in self._groups}
        self._sources: dict[str, str] = {}
        self._varying: dict[str, tuple[str, _Group]] = {}
        self._params: dict[str, tuple[str, Setting]] = {}
        self._kinds: set[str] = set()
        self._helper: set[str] = set()
        """Suffixes of the files whose values steps read by themselves."""
        self._fixed = parameters.fixed(found.stages, root)
        self._told = (*found.told, *parameters.told(self._fixed))
        self._used: set[str] = set()
        self._reached: set[str] = set()
        """Sources that a call passes; others are covered by the text of a script."""
        self._constants: dict[str, tuple[str, str]] = {}

    def text(self) -> Text:
        """The file."""
        steps, calls = [], []
        for group in self._groups:
            step, call = self._step(group)
            steps.append(step)
            calls.append(call)
        body = [*calls, *self._returned()]
        source_lines = list(self._source_lines())
        suffixes = self._suffixes()
        parts = [
            self._head(),
            self._imports(reads=bool(source_lines)),
            *([parameters.helpers(suffixes, several=bool(self._helper))] if suffixes else []),
            *([parameters.guard(self._fixed)] if self._fixed else []),
            "\n".join(text for _, text in self._constants.values()),
            "\n".join(source_lines),
            "\n\n".join(steps),
            self._pipeline(body),
        ]
        return Text("\n\n".join(part for part in parts if part) + "\n", self._steps, self._told)

    def _suffixes(self) -> set[str]:
        """The suffixes of all files of parameters that are read."""
        files = [*self._fixed, *(setting.file for _, setting in self._params.values())]
        return {*self._helper, *(Path(file).suffix for file in files)}

    # ------------------------------------------------------------------ what belongs together

    def _grouped(self) -> Iterator[_Group]:
        """Loops that can be written as loops, and every other stage by itself."""
        outs = {out: stage for stage in self._found.stages for out in stage.outs}
        for (name, pattern), several in groupby(
            self._found.stages, key=lambda stage: (stage.name, stage.pattern)
        ):
            stages = tuple(several)
            if pattern is not None and len(stages) > 1 and self._is_loop(stages, pattern, outs):
                step = self._names.new(name)
                self._steps.update((stage.id, f"{step}-{stage.key}") for stage in stages)
                yield _Group(step, stages, pattern)
                continue
            for stage in stages:
                step = self._names.new(f"{name}_{stage.key}" if stage.key else name)
                self._steps[stage.id] = step
                yield _Group(step, (stage,))

    def _is_loop(self, stages: Sequence[Stage], pattern: Pattern, outs: Mapping[str, Stage]) -> bool:
        """Whether instances differ in nothing but the values of the loop, and what they take in can be written so."""
        keys = [stage.key for stage in stages]
        same = all(
            stage.settings == stages[0].settings
            and stage.reads == stages[0].reads
            and len(stage.deps) == len(pattern.deps)
            for stage in stages
        )
        if (
            not same
            or len(set(keys)) < len(keys)
            or not all(re.fullmatch(r"\w+(?:[-.]\w+)*", key) for key in keys)
            or _trouble("\n".join(OPEN.sub(mark("x"), one) for one in pattern.commands))
        ):
            return False
        for place, dep in enumerate(pattern.deps):
            if not OPEN.search(dep):
                continue
            makers = [outs.get(stage.deps[place]) for stage in stages]
            below = [any(overlap(out, stage.deps[place]) for out in outs) for stage in stages]
            loops = {maker.name if maker else "" for maker in makers}
            if any(below) and (
                None in makers or len(loops) > 1 or [maker.key for maker in makers if maker] != keys
            ):
                return False
        return all(OPEN.search(out) for out in pattern.outs)

    def _result_name(self, group: _Group) -> str:
        """The variable that holds what a step gave."""
        if len(group.outs) == 1:
            return self._names.new(*short_names(group.outs[0]), f"{group.name}_made")
        return self._names.new(f"{group.name}_made")

    # ------------------------------------------------------------------ one step

    def _step(self, group: _Group) -> tuple[str, str]:
        """The text of a step's definition, and that of its call."""
        outputs = self._outputs(group)
        inputs = list(self._inputs(group, {*outputs, "out", "stdout"}))
        written = self._as_script(group, inputs, outputs) or self._as_shell(group, inputs, outputs)
        self._reached.update(re.split(r"[\[(]", one.passed)[0] for one in written.inputs)
        comments = [*textwrap.wrap(group.first.about, _WIDTH - 2), *group.first.notes]
        if not group.first.commands or not group.outs:
            comments.append(
                "it makes nothing that is declared: what it does is done once, and again when something changes"
            )
        lines = [f"# {comment}" for comment in comments]
        return "\n".join([*lines, written.definition]), self._call(group, written.inputs)

    def _outputs(self, group: _Group) -> dict[str, str]:
        """The outputs by the names of their placeholders."""
        if len(group.outs) == 1:
            return {"out": group.outs[0]}
        names: dict[str, str] = {}
        for path in group.outs:
            stem = short_names(path)[0]
            name, number = stem, 2
            while name in names or name in ("out", "stdout"):
                name, number = f"{stem}_{number}", number + 1
            names[name] = path
        return names

    def _inputs(self, group: _Group, taken: set[str]) -> Iterator[_Input]:
        """What a step takes in, each with what its call passes. `taken` are names of its placeholders."""
        for place, dep in enumerate(group.deps):
            for name, passed, path in self._given(group, place, dep):
                yield _Input(_free(taken, name), passed, path)
        for setting in group.first.settings:
            name = self._param(setting)
            yield _Input(_free(taken, name), name, fills=setting.name)
        files = dict.fromkeys(one.file for one in group.first.reads)
        for file in files:
            names = [one.name for one in group.first.reads if one.file == file]
            if "" in names:
                name = self._source(file)
                yield _Input(_free(taken, name), f"{name}()")
                continue
            name = "values" if len(files) == 1 else identifier(f"values_{Path(file).stem}")
            self._helper.add(Path(file).suffix)
            passed = f"settings({', '.join(map(quoted, (file, *names)))})"
            yield _Input(_free(taken, name), passed, format="json")
        text = "\n".join(group.commands)
        for name, column in self._columns(group).items():
            if left_open(name) in text:
                passed = "item" if self._is_list(group) else f"row[{quoted(column)}]"
                yield _Input(_free(taken, column, identifier(name)), passed, fills=name)

    def _given(self, group: _Group, place: int, dep: str) -> Iterator[tuple[str, str, str]]:
        """Name, what is passed and the path, for each thing that a dependency comes to."""
        own = group.first.deps[place] if place < len(group.first.deps) else dep
        makers = [out for out in self._makers if overlap(out, own)]
        if group.pattern is not None and OPEN.search(dep):
            if makers:
                other = self._group_of[own]
                result = self._results[other.name]
                item = f"{result}[{self._key(group)}]"
                yield result, self._part(other, item, own), dep
            else:
                name = self._varying_source(group, dep)
                yield identifier(name), f"{name}[{self._key(group)}]()", dep
            return
        if not makers:
            name = self._source(own)
            yield name, f"{name}()", own
            return
        seen = set()
        for out in makers:
            other = self._group_of[out]
            result = self._results[other.name]
            self._used.add(out)
            if other.pattern is not None:
                key = self._makers[out].key
                passed = self._part(other, f"{result}[{quoted(key)}]", out)
                name = identifier(f"{result}_{key}")
            else:
                passed, name = self._part(other, result, out), result
            if len(other.outs) > 1:
                name = next((one for one, path in self._outputs(other).items() if path == out), name)
            if passed not in seen:
                seen.add(passed)
                yield name, passed, own if out == own else ""

    def _part(self, other: _Group, result: str, out: str) -> str:
        """The part of what a step gave that is one of its files."""
        self._used.add(out)
        if len(other.outs) == 1:
            return result
        maker = self._makers[out]
        place = maker.outs.index(out)
        return f"{result}[{quoted(list(self._outputs(other))[place])}]"

    def _columns(self, group: _Group) -> dict[str, str]:
        """What the values of a loop are called where it is written, by their names."""
        taken: set[str] = set()
        names = [name for name, _ in group.first.values] if group.pattern is not None else []
        return {name: _free(taken, identifier(name.rpartition(".")[2]), identifier(name)) for name in names}

    def _is_list(self, group: _Group) -> bool:
        """Whether a loop goes over texts that are its keys."""
        return len(group.first.values) == 1 and all(stage.values[0][1] == stage.key for stage in group.stages)

    def _key(self, group: _Group) -> str:
        return "item" if self._is_list(group) else "key"

    def _source(self, path: str) -> str:
        """The variable of a source."""
        if path not in self._sources:
            names = [Path(path).name] if path.endswith(".py") else short_names(path)
            self._sources[path] = self._names.new(*names, path)
        return self._sources[path]

    def _varying_source(self, group: _Group, dep: str) -> str:
        if dep not in self._varying:
            stem = OPEN.sub("", dep)
            folder = os.path.basename(os.path.dirname(stem)) or Path(stem).suffix.strip(".") or group.name
            self._varying[dep] = (self._names.new(folder, f"{group.name}_{folder}"), group)
        return self._varying[dep][0]

    def _param(self, setting: Setting) -> str:
        """The pipeline's parameter for a setting."""
        known = f"{setting.file}:{setting.name}"
        if known not in self._params:
            name = self._names.new(setting.name.rpartition(".")[2], setting.name)
            self._params[known] = (name, setting)
        return self._params[known][0]

    # ------------------------------------------------------------------ commands

    def _as_script(
        self, group: _Group, inputs: Sequence[_Input], outputs: Mapping[str, str]
    ) -> _Written | None:
        """The step as `script(...)`, where it calls one Python script of the project with all its files as words."""
        stage = group.first
        folders = not stage.kept and any(self._is_folder(path) for one in group.stages for path in one.outs)
        if len(group.commands) != 1 or stage.folder or stage.reads or folders:
            return None
        bare = OPEN.sub("", group.commands[0])
        if _SHELL_SIGNS.search(bare) or "'" in bare or '"' in bare:
            return None
        words = group.commands[0].split()
        if len(words) < 2 or not _PYTHON.fullmatch(words[0]) or not words[1].endswith(".py"):
            return None
        covered = self._modules(words[1])
        if not (self._root / words[1]).is_file() or words[1] not in group.deps:
            return None
        left = [one for one in inputs if one.path not in covered or not one.passed.endswith("()")]
        args = [template.unmarked(self._words(group, word, left, outputs)) for word in words[2:]]
        named = {hole.name for arg in args for hole in template.holes(template.words(arg))}
        if not all(one.name in named or one.fills for one in left):
            return None
        self._kinds.add("script")
        given = [quoted(words[1]), *map(quoted, args)]
        return _Written(self._called(group, "script", given, outputs, in_project=False), _passed(left, named))

    def _modules(self, path: str) -> set[str]:
        """The files of the project whose text counts where a script does: itself, and what it imports."""
        from stepwell.worker.kinds.script import modules  # imports nothing heavy; needed by few

        try:
            files = modules(self._root / path, self._root)[0]
        except (OSError, SyntaxError, ValueError):
            return {path}
        return {path, *(os.path.relpath(file, self._root) for file in files)}

    def _as_shell(self, group: _Group, inputs: Sequence[_Input], outputs: Mapping[str, str]) -> _Written:
        """The step as `shell(...)` in the project's folder."""
        self._kinds.add("shell")
        stage = group.first
        lines = [self._line(group, one, inputs, outputs) for one in group.commands]
        trouble = _trouble("\n".join(lines))
        if trouble:
            self._told = (*self._told, f"the command of `{group.name}` cannot be written as it is: {trouble}")
        named = _named("\n".join(lines))
        unnamed = [one for one in inputs if one.name not in named and not one.fills]
        before = []
        if unnamed:
            before.append(": " + " ".join(mark(one.name, one.format) for one in unnamed))
        folders = [
            name for name, path in outputs.items()
            if not stage.kept and any(self._is_folder(self._path(group, one, path)) for one in group.stages)
        ]  # fmt: skip
        if folders:
            before.append("rm -rf " + " ".join(map(mark, folders)))
        if stage.folder:
            before.append(f"cd {shlex.quote(stage.folder)}")
        given = [quoted(one) for one in _unmarked([*before, *lines])]
        definition = self._called(group, "shell", given, outputs, in_project=True)
        return _Written(definition, _passed(inputs, named))

    def _path(self, group: _Group, stage: Stage, path: str) -> str:
        return stage.outs[group.outs.index(path)]

    def _is_folder(self, path: str) -> bool:
        return (self._root / path).is_dir() or any(path in stage.folders for stage in self._found.stages)

    def _line(self, group: _Group, command: str, inputs: Sequence[_Input], outputs: Mapping[str, str]) -> str:
        """A command with marks for its placeholders, as far as that cannot change what it does."""
        filled = self._filled(group, inputs)
        line = placed = filled(command)
        if not group.first.folder:
            for name, path in sorted(outputs.items(), key=lambda pair: -len(pair[1])):
                placed = _in_place(placed, filled(path), mark(name))
            program = command.split(maxsplit=1)[0] if command.split() else ""
            is_call = bool(_INTERPRETERS.fullmatch(program)) and not _SHELL_SIGNS.search(
                OPEN.sub("", command)
            )
            for one in sorted(inputs, key=lambda one: -len(one.path)):
                if not one.path or one.path.endswith((".py", ".R", ".sh")):
                    continue
                path = filled(one.path)
                read = rf"(<\s*){re.escape(path)}(?![\w./-])"
                if is_call:
                    placed = _in_place(placed, path, mark(one.name))
                elif len(re.findall(re.escape(path), placed)) == len(re.findall(read, placed)):
                    placed = re.sub(read, lambda found, one=one: found[1] + mark(one.name), placed)
        return line if _trouble(placed) else placed

    def _words(self, group: _Group, word: str, inputs: Sequence[_Input], outputs: Mapping[str, str]) -> str:
        """A word of a script's command line with marks for its placeholders."""
        filled = self._filled(group, inputs)
        made = filled(word)
        for name, path in [*outputs.items(), *[(one.name, one.path) for one in inputs if one.path]]:
            made = _in_place(made, filled(path), mark(name))
        return made

    def _filled(self, group: _Group, inputs: Sequence[_Input]) -> Callable[[str], str]:
        """How a text gets marks for what is left open: the value as it is where it may need the quotes around it."""
        raw = {
            name for stage in group.stages for name, value in stage.values
            if group.pattern is not None and not _PLAIN.fullmatch(value)
        }  # fmt: skip
        marks = {one.fills: mark(one.name, "raw" if one.fills in raw else "") for one in inputs if one.fills}
        return lambda text: OPEN.sub(lambda found: marks.get(found[1], found[0]), text)

    # ------------------------------------------------------------------ text

    def _called(
        self, group: _Group, kind: str, given: Sequence[str], outputs: Mapping[str, str], *, in_project: bool
    ) -> str:
        """`name = shell(...)`, or a dict of them for a loop."""
        arguments = list(given)
        if in_project:
            arguments.append('cwd="project"')
        paths = {name: self._loop_text(group, path) for name, path in outputs.items()}
        if list(paths) == ["out"]:
            arguments.append(f"out={paths['out']}")
        elif paths:
            arguments.append(
                "outputs={" + ", ".join(f"{quoted(name)}: {path}" for name, path in paths.items()) + "}"
            )
        if group.first.always:
            arguments.append("cache=False")
        if group.pattern is None:
            return _wrapped(f"{group.name} = {kind}(", arguments, ")")
        arguments.append(f'name=f"{group.name}-{{{self._key(group)}}}"')
        inner = textwrap.indent(_wrapped(f"{self._key(group)}: {kind}(", arguments, ")", narrow=True), "    ")
        return f"{group.name} = {{\n{inner}\n    for {self._over(group)}\n}}"

    def _over(self, group: _Group) -> str:
        """What stands behind `for` where a loop is defined. What is long is written once, as a constant."""
        if self._is_list(group):
            items = f"[{', '.join(quoted(stage.key) for stage in group.stages)}]"
            if len(items) <= _SHORT:
                return f"item in {items}"
            rows = [quoted(stage.key) for stage in group.stages]
            return f"item in {self._constant(group, '[', rows, ']')}"
        rows = [f"{quoted(stage.key)}: {self._row(group, stage)}" for stage in group.stages]
        return f"key, row in {self._constant(group, '{', rows, '}')}.items()"

    def _constant(self, group: _Group, head: str, rows: Sequence[str], tail: str) -> str:
        """The name of the constant that holds what a loop goes over."""
        if group.name not in self._constants:
            name = f"{group.name}s".upper()
            self._constants[group.name] = (name, _wrapped(f"{name} = {head}", rows, tail))
        return self._constants[group.name][0]

    def _row(self, group: _Group, stage: Stage) -> str:
        columns = self._columns(group)
        return (
            "{" + ", ".join(f"{quoted(columns[name])}: {quoted(value)}" for name, value in stage.values) + "}"
        )

    def _loop_text(self, group: _Group, text: str) -> str:
        """A path with what the loop fills in, as a Python text."""
        if group.pattern is None or not OPEN.search(text):
            return quoted(text)
        is_list = self._is_list(group)
        values = {name: "item" if is_list else f"row['{one}']" for name, one in self._columns(group).items()}
        parts = [
            f"{{{values[part]}}}"
            if place % 2
            else json.dumps(part, ensure_ascii=False)[1:-1].replace("{", "{{").replace("}", "}}")
            for place, part in enumerate(OPEN.split(text))
        ]
        return f'f"{"".join(parts)}"'

    def _call(self, group: _Group, inputs: Sequence[_Input]) -> str:
        """The line of the pipeline that calls a step, or all of a loop."""
        arguments = [f"{one.name}={one.passed}" for one in inputs]
        result = self._results[group.name]
        if group.pattern is None:
            return _wrapped(f"{result} = {group.name}(", arguments, ")")
        head = f"{self._key(group)}: {group.name}[{self._key(group)}]("
        inner = textwrap.indent(_wrapped(head, arguments, ")"), "    ")
        return f"{result} = {{\n{inner}\n    for {self._over_again(group, inputs)}\n}}"

    def _over_again(self, group: _Group, inputs: Sequence[_Input]) -> str:
        """What stands behind `for` where a loop is called."""
        if any(one.passed.startswith("row[") for one in inputs):
            return self._over(group)
        return f"{self._key(group)} in {group.name}"

    def _returned(self) -> Iterator[str]:
        """What the pipeline gives: every file that no step takes."""
        entries = []
        for group in self._groups:
            result = self._results[group.name]
            if group.pattern is not None:
                if not all(out in self._used for stage in group.stages for out in stage.outs):
                    entries.append(f"{quoted(result)}: {result}")
                continue
            left = [out for out in group.outs if out not in self._used]
            entries += [f"{quoted(out)}: {self._part(group, result, out)}" for out in left]
        if entries:
            yield _wrapped("return {", entries, "}")

    def _pipeline(self, body: Sequence[str]) -> str:
        params = [
            f"{name}: {type(setting.value).__name__} = {self._default(setting)}"
            for name, setting in self._params.values()
        ]
        lines = textwrap.indent("\n".join(body) or "return None", "    ")
        head = _wrapped("def main(", params, "):")
        return f"\n@pipeline\n{head}\n{lines}"

    def _default(self, setting: Setting) -> str:
        """What a parameter is if nobody says otherwise: what its file has, or had."""
        had = quoted(setting.value) if isinstance(setting.value, str) else repr(setting.value)
        return parameters.default(setting, self._root) or had

    def _source_lines(self) -> Iterator[str]:
        for path, name in self._sources.items():
            if name not in self._reached:
                continue
            told = self._found.tracked.get(path)
            yield f"{name} = source({quoted(path)}, Path)" + (f"  # {told}" if told else "")
        for dep, (name, group) in self._varying.items():
            inner = f"{self._key(group)}: source({self._loop_text(group, dep)}, Path)"
            yield f"{name} = {{{inner} for {self._over(group)}}}"

    def _imports(self, *, reads: bool) -> str:
        from_path = ["from pathlib import Path", ""] if reads or self._suffixes() else []
        names = sorted({"pipeline", *self._kinds, *(["source"] if reads else [])})
        plain = {".toml": "tomllib", ".json": "json"}
        own = sorted({plain[suffix] for suffix in self._suffixes() if suffix in plain})
        yaml = ["import yaml"] if self._suffixes() & set(parameters.YAML) else []
        return "\n".join(
            [*[f"import {one}" for one in own], *from_path, *yaml, f"from stepwell import {', '.join(names)}"]
        )

    def _head(self) -> str:
        """The docstring, and what could not be carried over."""
        origin = self._found.origin
        lines = [
            f'"""Adopted from {origin} by `stepwell adopt`. From now on this file says what is done.',
            "",
        ]
        lines += [
            "`stepwell plan` shows what would run, `stepwell run` runs it. Files are written where they were written before."
        ]
        if "shell" in self._kinds:
            lines += [
                "A line `: {name}` does nothing: it says what the command reads without being given its name."
            ]
        lines.append('"""')
        notes = []
        if self._params:
            names = ", ".join(f"`{setting.name}`" for _, setting in self._params.values())
            files = ", ".join(sorted({setting.file for _, setting in self._params.values()}))
            notes.append(
                f"now parameters of the pipeline, which default to what the file has: {names} of {files}"
            )
        notes += [*self._told, *self._found.notes]
        if notes:
            lines += ["", *[f"# {note}".rstrip() for note in notes]]
        return "\n".join(lines)


# --------------------------------------------------------------------------- small texts


def quoted(text: str) -> str:
    """A text as Python writes it, in double quotes; of several lines in three."""
    if "\n" in text and '"""' not in text and "\\" not in text and not text.endswith('"'):
        return '"""\n' + textwrap.indent(text, "    ") + '\n"""'
    if '"' in text and "'" not in text and "\\" not in text and text.isprintable():
        return f"'{text}'"
    return json.dumps(text, ensure_ascii=False)


def _wrapped(head: str, arguments: Sequence[str], tail: str, *, narrow: bool = False) -> str:
    """A call on one line, or with a line for each argument."""
    line = f"{head}{', '.join(arguments)}{tail}"
    if len(line) <= _WIDTH - (4 if narrow else 0) and "\n" not in line:
        return line
    inner = ",\n".join(textwrap.indent(one, "    ") if "\n" not in one else _deeper(one) for one in arguments)
    return f"{head}\n{inner},\n{tail}"


def _deeper(text: str) -> str:
    """A text of several lines as an argument; `shell` takes the common indentation away."""
    return textwrap.indent(text, "    ")


def _in_place(text: str, path: str, hole: str) -> str:
    """A path replaced where it is a word, or behind a `=`."""
    return re.sub(rf"(?<![\w./~$-]){re.escape(path)}(?![\w./-])", lambda _: hole, text) if path else text


def _free(taken: set[str], *candidates: str) -> str:
    """The first name that is not taken, which it is then; else the last one with `_in` behind it."""
    name = next((one for one in candidates if one not in taken), candidates[-1])
    while name in taken:
        name = f"{name}_in"
    taken.add(name)
    return name


def _passed(inputs: Sequence[_Input], named: Collection[str]) -> list[_Input]:
    """Without the values that a command has no more, as a path that they were part of became a placeholder."""
    return [one for one in inputs if one.name in named or not one.fills]


def _trouble(text: str) -> str:
    """Why a text with marks cannot be written with placeholders; "" where it can."""
    try:
        template.unmarked(text)
    except BadTemplate as error:
        return f"{error}: {error.fix}"
    return ""


def _named(text: str) -> set[str]:
    """The placeholders of a text with marks."""
    try:
        return {hole.name for hole in template.holes(template.of_marked(text))}
    except BadTemplate:
        return set(OPEN.findall(text))


def _unmarked(commands: Sequence[str]) -> list[str]:
    """Commands with placeholders in place of marks; where that cannot be, as they are."""
    text = "\n".join(commands)
    try:
        lines = iter(template.unmarked(text).split("\n"))
    except BadTemplate:
        lines = iter(OPEN.sub(r"{\1}", text).split("\n"))
    return ["\n".join(islice(lines, one.count("\n") + 1)) for one in commands]
