"""What must be installed, in which versions, before an output of a release is read.

    check(("scikit-learn==1.9.0",), "`model` of churn 1.4.0")        # raises LibraryDiffers

A requirement is a name and comparisons of versions, as in `Requires-Dist`; marks after `;` and extras do not count.
"""

from __future__ import annotations

import importlib.util
import re
import sys
from collections.abc import Iterable
from typing import NamedTuple

from stepwell.dist.versions import Version, parsed
from stepwell.errors import BadReleaseName, LibraryDiffers
from stepwell.sources.versions import normal, version_of

_REQUIREMENT = re.compile(
    r"\s*(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[[^\]]*\])?\s*\(?(?P<said>[^;)]*)\)?.*", re.DOTALL
)
_ONE = re.compile(r"(===|==|!=|~=|>=|<=|>|<)\s*([^\s,]+)")


_DISTRIBUTIONS = {"sklearn": "scikit-learn", "skops": "skops"}
"""Distributions of modules that codecs need."""


class Unmet(NamedTuple):
    """A requirement that does not hold: its text, and the version that is here, None where none is."""

    requirement: str
    here: str | None


def check(needs: Iterable[str], who: str) -> None:
    """Raise `LibraryDiffers` where a requirement does not hold here; `who` needs it. Imports nothing."""
    found = unmet(needs)
    if not found:
        return
    told = [
        f"{each.requirement}, and {'it is not installed' if each.here is None else f'{each.here} is'}"
        for each in found
    ]
    raise LibraryDiffers(
        f"{who} needs {'; '.join(told)}",
        why="its bytes mean what the library that wrote them means by them",
        fixes=["pip install " + " ".join(f'"{each.requirement}"' for each in found)],
    )


def check_modules(modules: Iterable[str], needs: Iterable[str], who: str) -> None:
    """Raise `LibraryDiffers` where one of these modules cannot be found, though its distribution may be there. Imports nothing."""
    missing = [module for module in modules if not _is_found(module)]
    if missing:
        raise gone(missing, needs, who)


def gone(missing: Iterable[str], needs: Iterable[str], who: str) -> LibraryDiffers:
    """The error for modules that cannot be imported; `needs` say which versions of their distributions are meant."""
    names = list(dict.fromkeys(module.partition(".")[0] for module in missing))
    said = {normal(match["name"]): text for text in needs if (match := _REQUIREMENT.fullmatch(text))}
    wanted = [_DISTRIBUTIONS.get(name, name) for name in names]
    asked = " ".join(f'"{said.get(normal(name), name).partition(";")[0].strip()}"' for name in wanted)
    here = any(version_of(name) for name in wanted)
    return LibraryDiffers(
        f"{who} needs {' and '.join(f'`{name}`' for name in names)}, which cannot be imported",
        why="it is among what is installed, and its files are damaged or hidden" if here else "",
        fixes=[f"pip install {asked}", *([f"pip install --force-reinstall {asked}"] if here else [])],
    )


def modules_of(needs: Iterable[str]) -> list[str]:
    """The modules of requirements whose name is not that of what is imported: `sklearn` of scikit-learn."""
    matches = [match for text in needs if (match := _REQUIREMENT.fullmatch(text))]
    names = {normal(match["name"]) for match in matches}
    return [module for module, name in _DISTRIBUTIONS.items() if normal(name) in names]


def _is_found(module: str) -> bool:
    try:
        return module in sys.modules or importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):  # ValueError: a module without a spec was put in `sys.modules`
        return False


def unmet(needs: Iterable[str]) -> list[Unmet]:
    """The requirements that do not hold in this environment."""
    found = []
    for text in needs:
        match = _REQUIREMENT.fullmatch(text)
        name = match["name"] if match else text
        here = version_of(name)
        if match is None or here is None or not holds(match["said"], here):
            found.append(Unmet(text.partition(";")[0].strip(), here))
    return found


def holds(said: str, version: str) -> bool:
    """Whether a version is what comparisons ask for ("==1.9.*, !=1.9.2"); what cannot be understood does not hold."""
    try:
        return all(_holds(operator, wanted, version) for operator, wanted in _ONE.findall(said))
    except BadReleaseName:
        return False


def _holds(operator: str, wanted: str, version: str) -> bool:
    if operator == "===":
        return wanted == version
    here = parsed(version)
    if wanted.endswith(".*"):
        same = _begins(here, parsed(wanted[:-2]))
        return same if operator == "==" else not same
    there = parsed(wanted)
    if operator in ("==", "!="):
        public = here if "+" in wanted else parsed(here.text.partition("+")[0])
        return (public.key == there.key) is (operator == "==")
    if operator == "~=":
        return here.key >= there.key and _begins(here, parsed(there.text.rpartition(".")[0]))
    return {
        ">=": here.key >= there.key,
        "<=": here.key <= there.key,
        ">": here.key > there.key,
        "<": here.key < there.key,
    }[operator]


def _begins(version: Version, with_: Version) -> bool:
    """Whether a version is one of a series: 1.9.2 of 1.9."""
    release = version.text.partition("+")[0].split(".")
    series = with_.text.split(".")
    return [re.split(r"[a-z]", part)[0] for part in (*release, *["0"] * len(series))][: len(series)] == series
