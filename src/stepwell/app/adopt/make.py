"""What a Makefile makes, as stages: explicit rules, and pattern rules for what is needed.

What is not understood (`$(shell ...)`, recursive make, ...) becomes a note, with the rule that has it or uses what it
sets, and whoever adopts is told which files that are needed no step makes. A Makefile knows no digests, only times:
whether outputs are what they would be made anew is believed only where somebody says so (`trust_times`).
`makefile` reads the lines.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from stepwell.app.adopt.dvc import overlap
from stepwell.app.adopt.expansion import Unknown, Variables, expanded, stem_of
from stepwell.app.adopt.facts import Circle, Found, Pattern, Proof, Stage, in_order, left_open
from stepwell.app.adopt.makefile import Makefile, Rule, clean, parsed, text_of
from stepwell.errors import BadMakefile

NAMES = ("GNUmakefile", "makefile", "Makefile")

_ALONE = re.compile(r"(^|[;&|(]\s*)(cd|export|set|source|\.)\s|^\s*\w+=")
_MKDIR = re.compile(r"[@+-]*\s*(mkdir|install -d)\s[^;&|]*$")
_MAKE = re.compile(r"(^|[;&|(\s])(make|\$\(MAKE\)|\$\{MAKE\})(\s|$)")
STEM = "item"
"""What the part of a name that `%` stands for is called in a pattern."""
_HOLE = left_open(STEM)


def makefile_of(root: Path) -> Path | None:
    """The Makefile that make would take in a folder, or None."""
    return next((root / name for name in NAMES if (root / name).is_file()), None)


def read_make(path: Path, *, trust_times: bool = False) -> Found:
    """The rules of a Makefile as stages. Raises `BadMakefile`."""
    made = parsed(text_of(path, path.name), path.name, path.parent)
    return _Stages(path.parent, path.name, made, trust_times=trust_times).found()


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
    """A file that a rule makes: with what, of what, and the stem where a pattern made the rule.

    `shape` is then the target and its dependencies with `%`; `folder` stands before the stem in `$*`.
    """

    rule: Rule
    outs: tuple[str, ...]
    deps: tuple[str, ...]
    stem: str = ""
    shape: tuple[str, tuple[str, ...]] | None = None
    folder: str = ""


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
        self._patterns: list[Rule] = []
        self._goal = ""
        self._folders: set[str] = set()
        """Targets that hold what others make, and that are made with it."""
        self._lost: dict[str, str] = {}
        """Why nothing makes a file for which there is a rule."""
        self._lost_patterns: dict[str, str] = {}
        self._globs: dict[str, set[str]] = {}
        """The patterns of files that went into what makes a file."""
        self._inherited: dict[str, dict[str, str]] = {}
        """Variables that a target may get of what needs it, and the lines that set them."""

    def found(self) -> Found:
        """Everything."""
        self._explicit()
        # Of two rules for a file one was not understood: half of what it needs is worse than nothing.
        self._targets = {
            name: one for name, one in self._targets.items() if not self._lost.keys() & set(one.outs)
        }
        self._from_patterns()
        for folder in [one for one in self._targets if self._is_only_a_folder(one)]:
            del self._targets[folder]
            self._folders.add(folder)
        needed = self._needed_by(clean(self._goal))
        self._inherit(needed)
        stages: dict[str, Stage] = {}
        for target in dict.fromkeys(self._targets.values()):
            stage = self._stage(target)
            if stage is not None:
                stages[stage.outs[0]] = stage
        wanted = {name for name, stage in stages.items() if needed.intersection(stage.outs)} or set(stages)
        try:
            ordered = in_order(list(stages.values()))
        except Circle as circle:
            raise BadMakefile(f"rules wait for each other: {circle}") from None
        unmade = {one: self._lost[one] for one in sorted(needed) if one in self._lost}
        left = [stage.outs[0] for stage in ordered if stage.outs[0] not in wanted]
        if left:
            shown = ", ".join(f"`{out}`" for out in left[:8]) + (", ..." if len(left) > 8 else "")
            blind = [one for one in unmade if one not in self._targets]
            self._notes.append(
                f"not carried over, as it is not known what {_list(blind)} needs: {shown}"
                if blind
                else f"the default goal `{self._goal}` does not need {shown}: not carried over"
            )
        if not self._goal:
            self._notes.append("no rule names a file, so make alone makes nothing")
        chosen = tuple(stage for stage in ordered if stage.outs[0] in wanted)
        used = {*needed, *wanted}
        globs = dict.fromkeys(
            glob for name, some in self._globs.items() if name in used for glob in sorted(some)
        )
        return Found(self._name, chosen, tuple(self._notes), told=tuple(self._told(chosen, unmade, globs)))

    def _told(
        self, chosen: Sequence[Stage], unmade: Mapping[str, str], globs: Collection[str]
    ) -> Iterator[str]:
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
        if globs:
            yield f"{_list(globs)} stands for the files that are here now: a new one is not taken up by itself"

    # ------------------------------------------------------------------ rules

    def _explicit(self) -> None:
        """Take explicit rules, and set those of patterns aside."""
        for rule in self._made.rules:
            targets = rule.targets
            if targets and all(one.startswith(".") and "/" not in one for one in targets):
                self._phony.update(rule.deps if targets == (".PHONY",) else ())
                continue
            if not (targets and "%" in targets[0]) and (targets or rule.unknown):
                self._goal = self._goal or (targets[0] if targets else rule.written.partition(":")[0])
            if rule.unknown:
                self._lose(rule, rule.unknown)
            elif rule.pattern:
                self._static(rule)
            elif not any("%" in one for one in targets):
                self._take(rule)
            elif len(targets) > 1:
                self._lose(rule, "a pattern of several files at once")
            elif rule.recipe:
                self._patterns.append(rule)
        self._goal = self._made.variables.values.get(".DEFAULT_GOAL", self._goal)

    def _is_only_a_folder(self, name: str) -> bool:
        """Whether a rule does nothing but make the folder of what others make: an output's folder is there anyway."""
        recipe = self._targets[name].rule.recipe
        inside = any(one.startswith(f"{name}/") for one in self._targets)
        return inside and bool(recipe) and all(_MKDIR.match(line) for line in recipe)

    def _lose(self, rule: Rule, what: str) -> None:
        """Note that a rule was not carried over."""
        self._notes.append(f"{rule.line}: {what} is not understood, so the rule was not carried over")
        self._quote(rule)
        why = f"{what} of its rule in {rule.line} is not understood"
        for target in rule.targets:
            (self._lost_patterns if "%" in target else self._lost).setdefault(clean(target), why)

    def _take(self, rule: Rule) -> None:
        for target in map(clean, rule.targets):
            self._globs.setdefault(target, set()).update(rule.globs)
            self._before.setdefault(target, []).extend(rule.before)
            if not rule.recipe:
                self._extra.setdefault(target, []).extend(rule.deps)
            else:
                if target in self._targets:
                    self._extra.setdefault(target, []).extend(self._targets[target].deps)
                    self._notes.append(
                        f"{rule.line}: of two recipes for `{target}` this one counts, as in make"
                    )
                outs = tuple(map(clean, rule.targets)) if rule.grouped else (target,)
                self._targets[target] = _Target(rule, outs, rule.deps)

    def _static(self, rule: Rule) -> None:
        """A rule `a.o b.o: %.o: %.c`."""
        for target in map(clean, rule.targets):
            stem = stem_of(target, rule.pattern)
            if not stem:
                self._lost[target] = f"it is not of the pattern `{rule.pattern}` of its rule in {rule.line}"
            else:
                self._put(_of_pattern(rule, rule.pattern, stem))

    def _put(self, target: _Target) -> None:
        """Take what a pattern comes to."""
        name = target.outs[0]
        self._targets[name] = target
        self._globs.setdefault(name, set()).update(target.rule.globs)
        self._before.setdefault(name, []).extend(_filled(target.rule.before, target.stem, target.folder))

    # ------------------------------------------------------------------ what patterns make

    def _from_patterns(self) -> None:
        """Find rules for what is needed and has no recipe, as make does: from a file back to what it is made of."""
        known = {clean(self._goal): None} | {
            name: None for one in self._targets for name in (one, *self._deps(one))
        }
        for name, deps in self._extra.items():
            known |= dict.fromkeys((name, *deps))
        todo = list(known)
        for name in todo:
            if name not in self._targets and name not in self._phony and name not in self._lost:
                for target in self._by_pattern(name, known, ()):
                    self._put(target)
                    todo += self._deps(target.outs[0])

    def _by_pattern(self, name: str, known: Collection[str], above: tuple[Rule, ...]) -> list[_Target]:
        """What pattern rules make a file of, itself last; nothing where none can. `known` are files that rules name.

        Make takes the shortest stem, then the first rule, and one that needs no further pattern before any
        other; a rule is used once in a chain, and `%` alone only for what is asked for.
        """
        found = [
            target for rule in self._patterns
            if rule not in above and (target := _matched(rule, name)) is not None and name not in target.deps
        ]  # fmt: skip
        special = [target for target in found if target.rule.targets != ("%",)]
        found = sorted(special or ([] if above else found), key=lambda target: len(target.stem))
        missing = [
            [dep for dep in target.deps if dep not in known and not (self._root / dep).exists()]
            for target in found
        ]
        for target, needs in sorted(zip(found, missing, strict=True), key=lambda pair: bool(pair[1])):
            chains = [self._by_pattern(dep, known, (*above, target.rule)) for dep in needs]
            if all(chains):
                return [*(one for chain in chains for one in chain), target]
        return []

    # ------------------------------------------------------------------ stages

    def _deps(self, name: str) -> list[str]:
        """What has to be there before a file is made."""
        own = self._targets[name].deps if name in self._targets else ()
        return [*own, *self._extra.get(name, ()), *self._before.get(name, ())]

    def _needed_by(self, goal: str) -> set[str]:
        """The files that a file needs, and itself, as far as that is known."""
        outs = {out: name for name, target in self._targets.items() for out in target.outs}
        todo, seen = [goal], set[str]()
        while todo:
            name = todo.pop()
            if name not in seen:
                seen.add(name)
                deps = self._deps(outs.get(name, name))
                todo += [*deps, *(out for dep in deps for out in outs if overlap(out, dep))]
        return seen

    def _inherit(self, needed: Collection[str]) -> None:
        """Find out for which targets a variable of one target may be another: those that it needs."""
        for own in self._made.own:
            for name in [one for one in needed if _fits(own.target, one)]:
                for dep in self._needed_by(name) - {name}:
                    self._inherited.setdefault(dep, {})[own.name] = own.line

    def _variables(self, name: str) -> Variables:
        """What names stand for in the recipe of a target."""
        own = [one for one in self._made.own if _fits(one.target, name)]
        variables = self._made.variables
        if own or name in self._inherited:
            variables = variables.copy()
            variables.unread.update(self._inherited.get(name, {}))
        for one in own:
            if one.how == "perhaps":
                variables.unread[one.name] = one.line
            else:
                variables.assign(one.name, one.how, one.value)
        return variables

    def _quote(self, rule: Rule) -> None:
        self._notes += [f"    {rule.written}", *[f"        {line}" for line in rule.recipe]]

    def _stage(self, target: _Target) -> Stage | None:
        """The stage that makes a target; None, and a note, where there is none."""
        name, rule = target.outs[0], target.rule
        deps = tuple(dict.fromkeys((*target.deps, *self._extra.get(name, ()))))
        if name in self._phony:
            self._notes.append(f"`{name}` makes no file (.PHONY), so it is no step:")
            self._quote(rule)
            return None
        try:
            commands = self._commands(name, rule, _automatic(name, deps, target.folder + target.stem))
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
        base = os.path.basename(name)
        alone = sum(os.path.basename(one) == base for one in self._targets) == 1
        stage = Stage(
            _loop_name(target) if target.stem else base if alone else name,
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
        out, *inputs = (clean(one.replace("%", _HOLE)) for one in (shape[0], *shape[1]))
        try:
            automatic = _automatic(out, inputs, target.folder + _HOLE)
            commands = self._commands(target.outs[0], target.rule, automatic)
        except Unknown:
            return None
        if tuple(text.replace(_HOLE, target.stem) for text in commands) != own:
            return None  # a function made something else of this name than of others
        return Pattern(commands, tuple(inputs), (out,))

    def _commands(self, name: str, rule: Rule, automatic: Mapping[str, str]) -> tuple[str, ...]:
        """The lines of a recipe for one shell; in make each has a shell of its own. Raises `Unknown`."""
        lines = []
        variables, globs = self._variables(name), self._globs.setdefault(name, set())
        for line in rule.recipe:
            flags, code = re.match(r"([@+-]*)\s*(.*)", line, re.DOTALL).groups()  # type: ignore[union-attr]
            if _MAKE.search(code):
                raise Unknown("make that calls make")
            code = expanded(code, variables, automatic, recipe=True, globs=globs)
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


def _of_pattern(rule: Rule, pattern: str, stem: str, folder: str = "") -> _Target:
    """What a pattern comes to for a stem: `folder` stands before all names that have the stem."""
    shape = (folder + pattern, tuple(f"{folder}{dep}" if "%" in dep else dep for dep in rule.deps))
    own, *deps = _filled((pattern, *rule.deps), stem, folder)
    return _Target(rule, (own,), tuple(deps), stem, shape, folder)


def _filled(words: Sequence[str], stem: str, folder: str) -> list[str]:
    return [clean(f"{folder}{one.replace('%', stem, 1)}") if "%" in one else one for one in words]


def _matched(rule: Rule, name: str) -> _Target | None:
    """What a pattern rule comes to for a file; None where it does not make it.

    A pattern without a slash is one of the name alone: its folder comes before what the rule needs, too.
    """
    pattern = rule.targets[0]
    folder = "" if "/" in pattern else name[: name.rfind("/") + 1]
    stem = stem_of(name.removeprefix(folder), pattern)
    return _of_pattern(rule, pattern, stem, folder) if stem else None


def _fits(target: str, name: str) -> bool:
    """Whether a name is a target, or of its pattern."""
    return bool(stem_of(name, target)) if "%" in target else target == name


def _list(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _loop_name(target: _Target) -> str:
    """A name for what a pattern rule makes: of its folder, or of its suffix."""
    pattern = target.shape[0] if target.shape else target.outs[0]
    parts = (os.path.basename(os.path.dirname(pattern)), os.path.basename(pattern))
    return "_".join(filter(None, (part.replace("%", "").strip("._-") for part in parts))) or "made"


def _time(path: Path) -> float | None:
    """When a file was last written, of a folder what is newest in it; None where it is not there."""
    try:
        own = path.stat().st_mtime
    except OSError:
        return None
    return max([own, *[one.stat().st_mtime for one in path.rglob("*")]]) if path.is_dir() else own
