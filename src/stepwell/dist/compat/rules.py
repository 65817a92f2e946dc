"""All rules, and what they say together.

>>> verdict = judge(Sides(Side(before), Side(after)), "1.4.2", {})
>>> verdict.bump, verdict.next_version
('major', '2.0.0')
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from stepwell.dist.compat import data, environment, outputs, pipelines, predictions
from stepwell.dist.compat.finding import BUMPS, Bump, Finding, Rule, most
from stepwell.dist.compat.sides import Sides
from stepwell.dist.compat.versions import following
from stepwell.errors import UnknownRule, nearest

RULES: tuple[Rule, ...] = (
    *data.RULES,
    *outputs.RULES,
    *pipelines.RULES,
    *predictions.RULES,
    *environment.RULES,
)

ENOUGH = 3
"""Characters of a reason for silence, at least."""


class Verdict(NamedTuple):
    """What all rules say.

    `bump` is asked for ("blocked" where no version would do), `findings` are in the order of their bumps, the largest
    first, `next_version` follows from it ("" where it is blocked), `notes` say what could not be looked at.
    """

    bump: Bump
    findings: tuple[Finding, ...]
    before: str
    next_version: str
    notes: tuple[str, ...] = ()

    @property
    def blocked(self) -> bool:
        """Whether no version would do."""
        return self.bump == "blocked"


def findings(sides: Sides, silenced: Mapping[str, str] | None = None) -> tuple[Finding, ...]:
    """What the rules find, the largest bumps first; `silenced` are reasons by "RULE" or "RULE:PLACE". Raises `UnknownRule`."""
    quiet = checked(silenced or {})
    found = [one for rule in RULES for one in _of(rule, sides, quiet)]
    return tuple(sorted(found, key=lambda one: (bool(one.silenced), -BUMPS.index(one.bump))))


def judge(sides: Sides, before: str, silenced: Mapping[str, str] | None = None) -> Verdict:
    """What the rules say of what is there now against the release of version `before`. Raises `UnknownRule`."""
    found = findings(sides, silenced)
    bump = most(one.bump for one in found if not one.silenced)
    return Verdict(bump, found, before, following(before, bump))


def _of(rule: Rule, sides: Sides, quiet: Mapping[str, str]) -> Iterator[Finding]:
    for place, what, bump in rule.look(sides):
        reason = quiet.get(f"{rule.id}:{place}") or quiet.get(rule.id, "")
        yield Finding(rule.id, rule.name, place, what, rule.why, bump or rule.bump, reason)


def checked(silenced: Mapping[str, str]) -> dict[str, str]:
    """Reasons for silence by rule, whose names may be given in place of ids. Raises `UnknownRule`."""
    by_name = {name: rule for rule in RULES for name in (rule.id, rule.name)}
    quiet: dict[str, str] = {}
    for word, reason in silenced.items():
        said, colon, place = word.strip().partition(":")
        rule = by_name.get(said) or by_name.get(said.upper())
        if rule is None:
            hint = nearest(said, by_name)
            raise UnknownRule(
                f"there is no rule `{said}`",
                fixes=[*([f"did you mean `{hint}`?"] if hint else []), "stepwell compat --rules"],
            )
        if rule.firm:
            raise UnknownRule(
                f"`{rule.id}` ({rule.name}) cannot be silenced",
                why="it says what your own manifest asks for",
                fixes=["change it in the manifest, where everybody sees it"],
            )
        if len(reason.strip()) < ENOUGH:
            raise UnknownRule(
                f"`{rule.id}` is to be silent, and nobody says why",
                why="the reason goes into the release, where whoever wonders will look",
                fixes=[f'--silence {rule.id}="ids were given anew on purpose, see the notes"'],
            )
        quiet[f"{rule.id}{colon}{place}"] = " ".join(reason.split())
    return quiet


def words_of(given: Iterable[str]) -> dict[str, str]:
    """`RULE=reason` words as reasons by rule. Raises `UnknownRule` for one without `=`."""
    silenced: dict[str, str] = {}
    for word in given:
        rule, _, reason = word.partition("=")
        silenced[rule] = reason
    return checked(silenced)
