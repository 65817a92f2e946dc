"""Reading a Makefile's simple rules: explicit ones, pattern rules over the files that are there, variables.

What is not understood (`$(shell ...)`, conditionals, included files, recursive make, ...) becomes a note, with the
rule that has it, and whoever adopts is told which files that are needed no step makes. A Makefile knows no digests, only times: whether outputs are what they would be made
anew is believed only where somebody says so (`trust_times`).
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from stepwell.app.adopt.dvc import overlap
from stepwell.app.adopt.expansion import Unknown, expanded, globbed, split, stem_of, wildcards
from stepwell.app.adopt.facts import Found, Pattern, Proof, Stage
from stepwell.errors import BadMakefile

NAMES = ("GNUmakefile", "makefile", "Makefile")

BUILT_IN = {"CC": "cc", "CXX": "g++", "AR": "ar", "RM": "rm -f", "SHELL": "/bin/sh"}
"""Variables that make itself has, as far as simple rules use them."""

_VARIABLE = re.compile(r"(?:(?:export|override)\s+)*([\w.-]+)\s*(::?=|\?=|\+=|=)\s*(.*)")
_CONDITIONAL = re.compile(r"(ifeq|ifneq|ifdef|ifndef|else|endif)\b")
_DIRECTIVE = re.compile(r"-?(s?include|load|vpath|unexport|undefine|define|endef)\b")
_ALONE = re.compile(r"(^|[;&|(]\s*)(cd|export|set|source|\.)\s|^\s*\w+=")
_MKDIR = re.compile(r"[@+-]*\s*(mkdir|install -d)\s[^;&|]*$")
_MAKE = re.compile(r"(^|[;&|(\s])(make|\$\(MAKE\)|\$\{MAKE\})(\s|$)")
STEM = "item"
"""What the part of a name that `%` stands for is called in a pattern."""


class Rule(NamedTuple):
    """A rule as it was written, its variables not filled in. `pattern` is the middle of a static pattern rule."""

    targets: str
    deps: str
    recipe: tuple[str, ...]
    line: int
    grouped: bool = False
    pattern: str = ""


class Makefile(NamedTuple):
    """What a Makefile says, as far as it was understood."""

    rules: tuple[Rule, ...]
    variables: Mapping[str, str]
    notes: tuple[str, ...]
    one_shell: bool
    wildcards: tuple[str, ...] = ()


def makefile_of(root: Path) -> Path | None:
    """The Makefile that make would take in a folder, or None."""
    return next((root / name for name in NAMES if (root / name).is_file()), None)


def read_make(path: Path, *, trust_times: bool = False) -> Found:
    """The rules of a Makefile as stages. Raises `BadMakefile`."""
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise BadMakefile(f"`{path.name}` cannot be read", why=why) from None
    made = parsed(text, path.name, path.parent)
    return _Stages(path.parent, path.name, made, trust_times=trust_times).found()


# --------------------------------------------------------------------------- lines


def parsed(text: str, name: str, root: Path) -> Makefile:
    """A Makefile's rules and variables; `root` is where it looks for files. Raises `BadMakefile`."""
    rules: list[Rule] = []
    variables = dict(BUILT_IN)
    notes: list[str] = []
    there: dict[str, None] = {}
    depth = 0
    inside_define = False
    for number, line in _lines(text):
        stripped = line.strip()
        if inside_define or stripped.startswith(("define ", "endef")):
            if not inside_define:
                notes.append(
                    f"line {number}: `{stripped}` (several lines as one variable) was not carried over"
                )
            inside_define = not stripped.startswith("endef")
            continue
        if found := _CONDITIONAL.match(stripped):
            if depth == 0:
                notes.append(f"line {number}: what stands under `{stripped}` was not carried over")
            depth += {"endif": -1, "else": 0}.get(found[1], 1)
            continue
        if depth:
            continue
        there.update(dict.fromkeys(wildcards(_without_comment(stripped))))
        if line.startswith("\t") and rules:
            rules[-1] = rules[-1]._replace(
                recipe=(*rules[-1].recipe, line[1:].rstrip().replace("\n\t", "\n"))
            )
            continue
        code = _without_comment(stripped)
        if not code:
            continue
        if _DIRECTIVE.match(code) or (code.startswith("$(") and len(split(code, ":", 1)) == 1):
            notes.append(f"line {number}: `{code}` was not carried over")
        elif (variable := _VARIABLE.fullmatch(code)) is not None:
            _assign(variables, variable[1], variable[2], variable[3], root)
        elif ":" in code:
            rules += _rule(code, number, notes)
        elif not code.startswith("export"):
            raise BadMakefile(
                f"line {number} of `{name}` is no rule and no variable: `{code[:60]}`",
                why="make would say `missing separator`: lines of a recipe begin with a tab",
                where=f"{name}:{number}",
            )
    one_shell = any(rule.targets.strip() == ".ONESHELL" for rule in rules)
    return Makefile(tuple(rules), variables, tuple(notes), one_shell, tuple(there))


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """Lines with those that go on in the next one joined; in recipes they stay as they are."""
    held, first = "", 0
    for number, line in enumerate(text.splitlines(), 1):
        first = first or number
        if line.endswith("\\") and not line.endswith("\\\\"):
            held += line + "\n" if (held or line).startswith("\t") else line[:-1].rstrip() + " "
            continue
        whole = held + (line if not held or held.startswith("\t") else line.strip())
        yield first, whole
        held, first = "", 0
    if held:
        yield first, held.rstrip("\\\n ")


def _without_comment(line: str) -> str:
    return re.split(r"(?<!\\)#", line)[0].strip().replace("\\#", "#")


def _assign(variables: dict[str, str], name: str, how: str, value: str, root: Path) -> None:
    if how == "?=" and name in variables and name not in BUILT_IN:
        return
    if how == "+=":
        value = f"{variables.get(name, '')} {value}".strip()
    if how in (":=", "::="):
        # What is not understood stays as it is written, and is told with the rules that use it.
        with suppress(Unknown):
            value = expanded(value, variables, root).replace("$", "$$")
    variables[name] = value


def _rule(code: str, number: int, notes: list[str]) -> Iterator[Rule]:
    """The rule of a line; none where it is not understood."""
    head, *first = split(code, ";", 1)
    targets, *behind = split(head, ":", 1)
    deps = behind[0] if behind else ""
    grouped = targets.endswith("&")
    if deps.startswith(":"):
        notes.append(f"line {number}: rules with `::` were not carried over: `{code}`")
        return
    if _VARIABLE.fullmatch(deps.strip()) and "=" in deps:
        notes.append(f"line {number}: a variable for one target was not carried over: `{code}`")
        return
    pattern = ""
    if len(parts := split(deps, ":", 1)) > 1:
        pattern, deps = parts
    recipe = (first[0].strip(),) if first and first[0].strip() else ()
    yield Rule(targets.removesuffix("&").strip(), deps.strip(), recipe, number, grouped, pattern.strip())


def _automatic(target: str, deps: Sequence[str], stem: str) -> dict[str, str]:
    """The automatic variables of a recipe."""
    once = list(dict.fromkeys(deps))
    found = {"@": target, "<": deps[0] if deps else "", "^": " ".join(once), "+": " ".join(deps), "*": stem}
    for name, value in list(found.items()):
        parts = [one for one in value.split(" ") if one]
        found[f"{name}D"] = " ".join(os.path.dirname(one) or "." for one in parts)
        found[f"{name}F"] = " ".join(os.path.basename(one) for one in parts)
    return found


# --------------------------------------------------------------------------- stages


class _Target(NamedTuple):
    """A file that a rule makes: with what, of what, and the stem where a pattern made the rule."""

    rule: Rule
    outs: tuple[str, ...]
    deps: tuple[str, ...]
    stem: str = ""
    shape: tuple[str, tuple[str, ...]] | None = None
    """Target and dependencies with `%`, where a pattern rule made it."""


class _Stages:
    """Makes stages of rules."""

    def __init__(self, root: Path, name: str, made: Makefile, *, trust_times: bool) -> None:
        self._root, self._name, self._made, self._trust = root, name, made, trust_times
        self._notes = list(made.notes)
        self._phony: set[str] = set()
        self._extra: dict[str, list[str]] = {}
        self._before: dict[str, list[str]] = {}
        """What comes first although its time does not count (behind `|`)."""
        self._targets: dict[str, _Target] = {}
        self._goal = ""
        self._folders: set[str] = set()
        """Targets that hold what others make, and that are made with it."""
        self._lost: dict[str, str] = {}
        """Why nothing makes a file for which there is a rule."""
        self._lost_patterns: dict[str, str] = {}

    def found(self) -> Found:
        """Everything."""
        self._from_patterns(self._explicit())
        for folder in [one for one in self._targets if self._is_only_a_folder(one)]:
            del self._targets[folder]
            self._folders.add(folder)
        stages: dict[str, Stage] = {}
        for target in dict.fromkeys(self._targets.values()):
            stage = self._stage(target)
            if stage is not None:
                stages[stage.outs[0]] = stage
        needed = self._needed(stages)
        wanted = {name for name, stage in stages.items() if needed.intersection(stage.outs)} or set(stages)
        ordered = self._ordered(stages)
        unmade = {one: self._lost[one] for one in sorted(needed) if one in self._lost}
        left = [out for out in ordered if out not in wanted]
        if left:
            shown = ", ".join(f"`{out}`" for out in left[:8]) + (", ..." if len(left) > 8 else "")
            blind = [one for one in unmade if one not in self._targets]
            self._notes.append(
                f"not carried over, as it is not known what {_list(blind)} needs: {shown}"
                if blind
                else f"the default goal `{self._goal}` does not need {shown}: not carried over"
            )
        chosen = tuple(stages[out] for out in ordered if out in wanted)
        return Found(self._name, chosen, tuple(self._notes), told=tuple(self._told(chosen, unmade)))

    def _told(self, chosen: Sequence[Stage], unmade: Mapping[str, str]) -> Iterator[str]:
        """What makes the pipeline less than the Makefile is."""
        made = {out for stage in chosen for out in stage.outs}
        files = dict.fromkeys(dep for stage in chosen for dep in stage.deps)
        sources = [one for one in files if not any(overlap(out, one) for out in made)]
        known = dict(unmade)
        for one in sources:
            why = next((why for like, why in self._lost_patterns.items() if stem_of(one, like)), "")
            if one in self._lost or why:
                known.setdefault(one, self._lost.get(one, why))
            elif not (self._root / one).exists():
                known.setdefault(one, "it is not here, and no rule that was understood makes it")
        for one, why in known.items():
            yield f"no step makes `{one}`: {why}"
        if self._made.wildcards:
            shown = _list(f"$(wildcard {one})" for one in self._made.wildcards)
            yield f"{shown} stands for the files that are here now: a new one is not taken up by itself"

    def _words(self, text: str) -> list[str]:
        """The words of a part of a rule. Raises `Unknown`."""
        return expanded(text, self._made.variables, self._root).split()

    def _files(self, text: str) -> list[str]:
        """The files of a part of a rule, with those that its wildcards stand for. Raises `Unknown`."""
        return [_clean(file) for word in self._words(text) for file in globbed(word, self._root)]

    def _explicit(self) -> list[Rule]:
        """Take explicit rules; gives all pattern rules."""
        patterns = []
        for rule in self._made.rules:
            plain, _, first = rule.deps.partition("|")
            targets: list[str] = []
            try:
                targets = self._words(rule.targets)
                is_goal = bool(targets) and not (targets[0].startswith(".") and "/" not in targets[0])
                if is_goal and "%" not in targets[0]:
                    self._goal = self._goal or targets[0]
                deps, before = self._words(plain), self._files(first)
            except Unknown as unknown:
                self._lose(rule, targets, str(unknown))
                self._goal = self._goal or rule.targets
                continue
            for target in targets:
                self._before.setdefault(_clean(target), []).extend(before)
            if not targets:
                continue
            if targets == [".PHONY"]:
                self._phony.update(deps)
            elif all(one.startswith(".") and "/" not in one for one in targets):
                continue
            elif rule.pattern:
                self._static(rule, targets, deps)
            elif any("%" in one for one in targets):
                patterns.append(rule)
            else:
                self._take(rule, targets, self._files(plain))
        self._goal = self._made.variables.get(".DEFAULT_GOAL", self._goal)
        return patterns

    def _is_only_a_folder(self, name: str) -> bool:
        """Whether a rule does nothing but make the folder of what others make: an output's folder is there anyway."""
        recipe = self._targets[name].rule.recipe
        inside = any(one.startswith(f"{name}/") for one in self._targets)
        return inside and bool(recipe) and all(_MKDIR.match(line) for line in recipe)

    def _lose(self, rule: Rule, targets: Sequence[str], what: str) -> None:
        """Note that a rule was not carried over."""
        self._notes.append(f"line {rule.line}: {what} is not understood, so the rule was not carried over")
        self._quote(rule)
        why = f"{what} of its rule in line {rule.line} is not understood"
        for target in targets:
            (self._lost_patterns if "%" in target else self._lost).setdefault(_clean(target), why)

    def _take(self, rule: Rule, targets: Sequence[str], deps: Sequence[str]) -> None:
        for target in map(_clean, targets):
            if not rule.recipe:
                self._extra.setdefault(target, []).extend(deps)
            elif target in self._targets:
                self._notes.append(f"line {rule.line}: a second recipe for `{target}` was not carried over")
            else:
                outs = tuple(map(_clean, targets)) if rule.grouped else (target,)
                self._targets[target] = _Target(rule, outs, tuple(deps))

    def _static(self, rule: Rule, targets: Sequence[str], deps: Sequence[str]) -> None:
        """A rule `a.o b.o: %.o: %.c`."""
        try:
            pattern = (self._words(rule.pattern) or [""])[0]
        except Unknown as unknown:
            self._lose(rule, targets, str(unknown))
            return
        for target in map(_clean, targets):
            stem = stem_of(target, pattern)
            if not stem:
                self._lost[target] = f"it is not of the pattern `{pattern}` of its rule in line {rule.line}"
            else:
                own = tuple(_clean(dep.replace("%", stem)) for dep in deps)
                self._targets[target] = _Target(rule, (target,), own, stem, (pattern, tuple(deps)))

    def _from_patterns(self, rules: Sequence[Rule]) -> None:
        """Pattern rules, over the files that are there and over what these make."""
        there = {
            path.relative_to(self._root).as_posix()
            for path in self._root.rglob("*")
            if path.is_file() and not any(part.startswith(".") for part in path.relative_to(self._root).parts)
        }
        known = []
        for rule in rules:
            targets, deps = self._words(rule.targets), self._words(rule.deps.partition("|")[0])
            if len(targets) == 1:
                known.append((rule, targets[0], deps))
            else:
                self._lose(rule, targets, "a pattern of several files at once")
        for _ in range(4):  # chains of pattern rules
            before = len(self._targets)
            for rule, pattern, deps in known:
                for stem in self._stems(pattern, deps, there):
                    own = tuple(_clean(dep.replace("%", stem)) for dep in deps)
                    target = _clean(pattern.replace("%", stem))
                    makeable = all(dep in there or dep in self._targets for dep in own)
                    if makeable and target not in self._targets and target not in own:
                        shape = (pattern, tuple(deps))
                        self._targets[target] = _Target(rule, (target,), own, stem, shape)
            if len(self._targets) == before:
                break

    def _stems(self, pattern: str, deps: Sequence[str], there: Collection[str]) -> list[str]:
        """What `%` may stand for: of the files that a rule makes its target of, or that others need, where it takes none."""
        if deps:
            files, like = {*there, *self._targets}, deps[0]
        else:
            files, like = {dep for one in self._targets.values() for dep in one.deps}, pattern
            files.update(dep for several in self._extra.values() for dep in several)
        stems = [stem_of(file, like) for file in sorted(files)] if like != "%" else []
        return [stem for stem in stems if stem]

    def _quote(self, rule: Rule) -> None:
        self._notes += [f"    {rule.targets}: {rule.deps}", *[f"        {line}" for line in rule.recipe]]

    def _stage(self, target: _Target) -> Stage | None:
        """The stage that makes a target; None, and a note, where there is none."""
        name, rule = target.outs[0], target.rule
        deps = tuple(dict.fromkeys((*target.deps, *self._extra.get(name, ()))))
        if name in self._phony:
            self._notes.append(f"`{name}` makes no file (.PHONY), so it is no step:")
            self._quote(rule)
            self._extra.setdefault(name, []).extend(target.deps)
            return None
        try:
            commands = self._commands(rule, _automatic(name, deps, target.stem))
        except Unknown as unknown:
            self._notes.append(f"`{name}`: {unknown} is not understood, so it was not carried over:")
            self._lost.update(dict.fromkeys(target.outs, f"{unknown} is not understood"))
            self._quote(rule)
            return None
        first = [one for one in self._before.get(name, ()) if one in self._targets and one not in deps]
        files = tuple(
            dep
            for dep in (*deps, *first)
            if dep not in (*self._phony, *self._folders, *target.outs)
            and not (f"{name}/").startswith(f"{dep}/")
        )
        stage = Stage(
            os.path.basename(name) if not target.stem else _loop_name(target),
            commands, files, target.outs, kept=True, proof=self._proof(target.outs, files),
        )  # fmt: skip
        if not target.stem or target.shape is None:
            return stage
        return stage._replace(
            key=target.stem, values=((STEM, target.stem),), pattern=self._pattern(target, deps, commands)
        )

    def _pattern(self, target: _Target, deps: Sequence[str], own: Sequence[str]) -> Pattern | None:
        """The rule with the stem left open; None where this target has more than the rule says."""
        shape = target.shape
        if shape is None or len(deps) != len(target.deps):
            return None
        hole = f"${{{STEM}}}"
        out, inputs = (
            _clean(shape[0].replace("%", "\1")),
            [_clean(dep.replace("%", "\1")) for dep in shape[1]],
        )
        try:
            commands = self._commands(target.rule, _automatic(out, inputs, "\1"))
        except Unknown:
            return None
        if tuple(text.replace("\1", target.stem) for text in commands) != own:
            return None  # a function made something else of this name than of others
        opened = [text.replace("\1", hole) for text in (*commands, *inputs, out)]
        return Pattern(tuple(opened[: len(commands)]), tuple(opened[len(commands) : -1]), (opened[-1],))

    def _commands(self, rule: Rule, automatic: Mapping[str, str]) -> tuple[str, ...]:
        """The lines of a recipe for one shell; in make each has a shell of its own. Raises `Unknown`."""
        lines = []
        for line in rule.recipe:
            flags, code = re.match(r"([@+-]*)\s*(.*)", line, re.DOTALL).groups()  # type: ignore[union-attr]
            if _MAKE.search(code):
                raise Unknown("make that calls make")
            code = expanded(code, self._made.variables, self._root, automatic, recipe=True)
            if not code.strip() or code.lstrip().startswith("#"):
                continue
            several = len(rule.recipe) > 1 and not self._made.one_shell
            if several and _ALONE.search(code):
                code = f"({code})"
            lines.append(f"{code} || true" if "-" in flags else code)
        return tuple(lines)

    def _proof(self, outs: Sequence[str], deps: Sequence[str]) -> Proof:
        if not self._trust:
            return Proof(False, "a Makefile has no hashes; --trust-times believes in times")
        times = [_time(self._root / path) for path in (*outs, *deps)]
        missing = [path for path, time in zip((*outs, *deps), times, strict=True) if time is None]
        if missing:
            return Proof(False, f"`{missing[0]}` is not there")
        made, used = [t for t in times[: len(outs)] if t], [t for t in times[len(outs) :] if t]
        if used and min(made) < max(used):
            return Proof(False, "it is older than what it is made of")
        return Proof(True, note=f"taken over by the times of its files ({self._name})")

    def _needed(self, stages: Mapping[str, Stage]) -> set[str]:
        """The files that the default goal needs, as far as that is known."""
        owners = {out: stage for stage in stages.values() for out in stage.outs}
        todo, seen = [_clean(self._goal)], set()
        while todo:
            at = todo.pop()
            if at in seen:
                continue
            seen.add(at)
            rule = self._targets.get(at)
            deps = owners[at].deps if at in owners else rule.deps if rule else ()
            todo += [*deps, *self._extra.get(at, ())]
            todo += [out for dep in deps for out in owners if overlap(out, dep)]
        return seen

    def _ordered(self, stages: Mapping[str, Stage]) -> list[str]:
        owners = {out: name for name, stage in stages.items() for out in stage.outs}
        order: dict[str, None] = {}

        def visit(name: str, above: tuple[str, ...]) -> None:
            if name in above:
                raise BadMakefile(f"rules wait for each other: {' -> '.join((*above, name))}")
            for dep in stages[name].deps if name not in order else ():
                if dep in owners and owners[dep] != name:
                    visit(owners[dep], (*above, name))
            order[name] = None

        for name in stages:
            visit(name, ())
        return list(order)


def _clean(path: str) -> str:
    return os.path.normpath(path) if path else path


def _list(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _loop_name(target: _Target) -> str:
    """A name for what a pattern rule makes: of its folder, or of its suffix."""
    pattern = target.shape[0] if target.shape else target.outs[0]
    folder = os.path.basename(os.path.dirname(pattern))
    suffix = os.path.basename(pattern).replace("%", "").strip("._-")
    return "_".join(part for part in (folder, suffix) if part) or "made"


def _time(path: Path) -> float | None:
    """When a file was last written, of a folder what is newest in it; None where it is not there."""
    try:
        own = path.stat().st_mtime
    except OSError:
        return None
    return max([own, *[one.stat().st_mtime for one in path.rglob("*")]]) if path.is_dir() else own
