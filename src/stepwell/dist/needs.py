"""What a release must have before it comes to a channel, beside its metrics: `[channels.X] needs` of the manifest.

    need = parse("2 days in staging", order=("staging", "production"))
    verdict = need.judge(facts)
    verdict.passed, verdict.excuse      # False, "1.2 of 2 days in staging, enough at 2026-09-04 09:11 UTC"
    needs_of(root)["production"]        # those of a channel of the manifest

There are three kinds:

    reproduced                      `stepwell reproduce` made it again; `reproduced: content` asks for at least that grade
    2 days in staging               it was current there for so long, all times taken together; also hours and weeks
    approved-by: risk               somebody says so: `--attest approved-by=risk`, or "risk/#812" with where it is written

Pure: facts in, verdicts out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from stepwell.author.manifest import checked
from stepwell.author.problems import together
from stepwell.author.tables import line_of
from stepwell.author.written import written_of
from stepwell.dist.channels.state import Span
from stepwell.dist.gates import Verdict
from stepwell.dist.verdicts import WORDS
from stepwell.errors import BadNeed, StepwellError, nearest

GRADES = ("bytes", "content", "tolerance")
"""How well a release can be reproduced, the best first, by the words that a need has for the grades A, B and C."""

_LETTERS: Mapping[str, str] = dict(zip("ABC", GRADES, strict=True))
_WORDS: Mapping[str, str] = {**WORDS}
_UNITS = {"hour": timedelta(hours=1), "day": timedelta(days=1), "week": timedelta(weeks=1)}
_SPAN = re.compile(r"(?P<count>[0-9]{1,4}(?:\.[0-9]{1,2})?) +(?P<unit>hour|day|week)s? +in +(?P<channel>[A-Za-z][A-Za-z0-9_-]*)")  # fmt: skip
_SAID = re.compile(r"(?P<key>[a-z][a-z0-9_-]*) *: *(?P<value>\S(?:.*\S)?)")
_EXAMPLE = 'for example: needs = ["reproduced", "2 days in staging", "approved-by: risk"]'


class Facts(NamedTuple):
    """What needs are judged by.

    `version` is what is judged, `now` the time as logs have it, `current` when it was current by channel, `attested` what was
    said of it by key, each of several times. `reproduced` is the grade of its evidence (`dist.verdicts`), or "" where nobody
    made it again.
    """

    version: str
    now: str
    current: Mapping[str, Sequence[Span]]
    attested: Mapping[str, Sequence[str]]
    reproduced: str = ""


class Reproduced(NamedTuple):
    """That the release was made again; `grade` is the least that is enough, as in `GRADES`."""

    text: str
    grade: str

    def judge(self, facts: Facts) -> Verdict:
        """Whether it is so, and in words why."""
        if not facts.reproduced:
            return Verdict(self.text, False, f"nobody has reproduced it: stepwell reproduce {facts.version}")
        excuse = f"made again: {_WORDS.get(facts.reproduced, 'no grade that there is')}"
        reached = _LETTERS.get(facts.reproduced, "")
        passed = bool(reached) and GRADES.index(reached) <= GRADES.index(self.grade)
        asked = next(letter for letter, grade in _LETTERS.items() if grade == self.grade)
        return Verdict(self.text, passed, excuse if passed else f"{excuse} (asked is {_WORDS[asked]})")


class Stayed(NamedTuple):
    """That the release was current in another channel for a time."""

    text: str
    count: float
    unit: str
    channel: str

    def judge(self, facts: Facts) -> Verdict:
        """Whether it is so, and in words why."""
        spans = facts.current.get(self.channel, ())
        if not spans:
            return Verdict(self.text, False, f"it was never current in {self.channel}")
        unit, now = _UNITS[self.unit], _moment(facts.now)
        ends = [_moment(span.until) if span.until else now for span in spans]
        total = sum((max(end - _moment(span.since), timedelta()) for span, end in zip(spans, ends, strict=True)), timedelta())  # fmt: skip
        plural = "" if self.count == 1 else "s"
        excuse = f"{_floor(total / unit)} of {self.count:g} {self.unit}{plural} in {self.channel}"
        if total >= self.count * unit:
            return Verdict(self.text, True, f"{total / unit:.1f} {self.unit}s in {self.channel}")
        if spans[-1].until:
            return Verdict(self.text, False, f"{excuse}, where it is no longer current")
        enough = now + self.count * unit - total
        return Verdict(self.text, False, f"{excuse}, enough at {enough:%Y-%m-%d %H:%M} UTC")


class Attested(NamedTuple):
    """That somebody says something of the release; a value may go on behind a `/`: "risk/#812" is "risk"."""

    text: str
    key: str
    value: str

    def judge(self, facts: Facts) -> Verdict:
        """Whether it is so, and in words why."""
        said = facts.attested.get(self.key, ())
        found = next((one for one in said if one == self.value or one.startswith(f"{self.value}/")), None)
        if found is not None:
            return Verdict(self.text, True, f"{self.key}: {found}")
        other = f", only {', '.join(said)}" if said else ""
        return Verdict(
            self.text,
            False,
            f"nobody says {self.key}: {self.value}{other} (--attest {self.key}={self.value})",
        )


Need = Reproduced | Stayed | Attested


def parse(text: str, *, order: Sequence[str], where: str = "") -> Need:
    """A need. `order` are the channels that there are, `where` is the line it stands in. Raises `BadNeed`."""
    clean = " ".join(text.split())
    if (found := _SPAN.fullmatch(clean)) is not None:
        channel = found["channel"].lower().replace("_", "-")
        if channel not in order:
            hint = nearest(channel, order)
            fixes = [*([f"did you mean `{hint}`?"] if hint else []), f"there are: {', '.join(order)}"]
            raise BadNeed(f"`{clean}` names a channel that there is not", fixes=fixes, where=where)
        return Stayed(clean, float(found["count"]), found["unit"], channel)
    if clean == "reproduced":
        return Reproduced(clean, GRADES[-1])
    said = _SAID.fullmatch(clean)
    if said is not None and said["key"] == "reproduced":
        if said["value"] in GRADES:
            return Reproduced(clean, said["value"])
        raise BadNeed(
            f"`{clean}` has no grade", fixes=[f"grades are, the best first: {', '.join(GRADES)}"], where=where
        )
    if said is not None:
        return Attested(clean, said["key"], said["value"])
    raise BadNeed(
        f"`{clean}` is nothing that a release can need",
        why="it may need to be reproduced, to have been in a channel for a time, or that somebody says something",
        fixes=[_EXAMPLE, 'metrics are asked for by gates of an output: gates = ["auc >= 0.81"]'],
        where=where,
    )


def needs_of(root: Path, file: Path | None = None) -> dict[str, tuple[Need, ...]]:
    """The needs of each channel of a manifest that has some.

    Raises `BadNeed` at its line for what is none (`SeveralProblems` for more than one), `BadSettings` for a manifest that is wrong.
    """
    written = written_of(root, file)
    if written is None:
        return {}
    manifest = checked(written)
    wrong: list[StepwellError] = []
    found: dict[str, list[Need]] = {}
    for name, channel in manifest.channels.channels.items():
        line = line_of(written.text, (*written.prefix, "channels", name, "needs"))
        where = f"{written.name}:{written.above + line}"
        for text in channel.needs:
            try:
                found.setdefault(name, []).append(parse(text, order=manifest.channels.order, where=where))
            except BadNeed as error:
                wrong.append(error)
    if wrong:
        raise together(wrong)
    return {name: tuple(needs) for name, needs in found.items()}


def attestations(evidence: Sequence[Mapping[str, Any]]) -> dict[str, tuple[str, ...]]:
    """What is attested in the evidence of some entries of a log, by key, each once."""
    found: dict[str, dict[str, None]] = {}
    for one in evidence:
        said = one.get("attested")
        for key, value in said.items() if isinstance(said, Mapping) else ():
            found.setdefault(str(key), {})[str(value)] = None
    return {key: tuple(values) for key, values in found.items()}


def _moment(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)


def _floor(value: float) -> str:
    """A number with one digit, never rounded up: nobody has been anywhere for 2 of 2 days too short."""
    return f"{int(value * 10) / 10:.1f}"
