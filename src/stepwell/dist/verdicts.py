"""Verdicts: how much of what was made again came out as it was, for each step, and for the whole. Facts and rules, pure.

    found = settled(compared, uses)                  # what differs because of something before it says so
    whole = verdict(found, leaves)                   # the worst of them, and where it began
    path = write_evidence(root, Evidence(...))       # .stepwell/evidence/churn-1.4.0-3f2a91c04b77.json
    read_evidence(root, "churn", "1.4.0", "sha256:…")

A   the same bytes
B   the same content in other bytes (its `c1:` digest)
C   the same within the declared tolerance
?   could not be compared: there is nothing to compare with, or it was not made
F   something else, or a step that failed

A step that differs after one that differs follows from it: the first is where to look. What could not be compared,
and follows only from what is within its tolerance, does not count: nobody expects it to be the same.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec
from msgspec import Struct, structs

from stepwell.errors import BadEvidence
from stepwell.stores.durable import replace

Grade = Literal["A", "B", "C", "?", "F"]

WORDS: Mapping[Grade, str] = {
    "A": "the same bytes",
    "B": "the same content",
    "C": "the same within tolerance",
    "?": "not all of it could be compared",
    "F": "something else",
}
"""What each grade says of a whole."""

ORDER: tuple[Grade, ...] = ("A", "B", "C", "?", "F")
"""From the best to the worst."""

GOOD: tuple[Grade, ...] = ("A", "B", "C")
"""What counts as made again."""

NOT_HERE = "it cannot be made here: "
"""How the `how` of a step begins that lacks something which is not in a release, and is not to be: a secret."""

FORMAT = 1

SHORT = 12
"""Digits of a wheel's SHA-256 in the name of a file."""

FOLDER = Path(".stepwell", "evidence")
"""Where evidence lies, in the project's root."""


class Compared(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One output of a step beside what it was: `part` is its name, `how` a clause that says what the comparison found.

    `then` and `now` are `b3:` digests ("" where there is none). `follows` is the step before it in which the difference began,
    or "". `leaves` is the name under which it leaves the project, or "". `largest` is the largest difference of two numbers in it.
    """

    pipeline: str
    step: str
    part: str = "result"
    grade: Grade
    how: str = ""
    then: str = ""
    now: str = ""
    leaves: str = ""
    follows: str = ""
    largest: float | None = None

    @property
    def place(self) -> str:
        """The step, and which of its outputs where it has several names."""
        return self.step if self.part == "result" else f"{self.step}.{self.part}"

    @property
    def is_made(self) -> bool:
        """Whether there is something now that was compared, or could not be."""
        return self.grade != "?" or bool(self.now)


class Verdict(NamedTuple):
    """The grade of a whole, and the step in which it first differed, else that could not be compared first ("" where there is none)."""

    grade: Grade
    first: str


class Packed(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One file of a wheel, or a fact of its lock, that is not what it is when the wheel is made again; `how` is a clause."""

    file: str
    grade: Grade
    how: str


class Package(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A wheel beside the one that is made again from what is in it: how many files were compared, and those that differ.

    `committed` is the commit whose files those of the project in it were compared with, "" where it could not be had.
    """

    grade: Grade
    files: int = 0
    differ: tuple[Packed, ...] = ()
    committed: str = ""


class Evidence(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What came of making something again; no time and no host is in it, so that the same outcome gives the same bytes.

    `kind` is "release", "run" or "commit"; `version` the release's, the run ("r3") or the commit. `wheel_sha256` is of the
    release's wheel, "sha256:…", or "". `lock` is the SHA-256 of the lock that was compared with. `network` is "closed", or
    why it was not; `environment` where it was made: python, platform, and `locked`: the SHA-256 of the `pylock.toml`, or why there was none. `inputs` are
    the digests by name. `hints` are what may be to blame. `package` is the wheel of a release, None where only steps were made again.
    """

    format: int = FORMAT
    kind: Literal["release", "run", "commit"]
    project: str
    version: str
    wheel_sha256: str = ""
    lock: str = ""
    grade: Grade
    first: str = ""
    tolerance: float = 0.0
    network: str = "closed"
    environment: dict[str, str] = {}
    inputs: dict[str, str] = {}
    steps: tuple[Compared, ...] = ()
    hints: tuple[str, ...] = ()
    package: Package | None = None

    @property
    def digest(self) -> str:
        """What a log of channels says of it."""
        return f"sha256:{hashlib.sha256(encoded(self)).hexdigest()}"


# --------------------------------------------------------------------------- the rules


def worst(grades: Sequence[Grade]) -> Grade:
    """The worst of some; "?" of none."""
    return max(grades, key=ORDER.index, default="?")


def settled(
    compared: Sequence[Compared], uses: Mapping[tuple[str, str], Sequence[str]]
) -> tuple[Compared, ...]:
    """What was compared, in the order in which the steps run; what differs after something that differs says so in `follows`.

    `uses` are the steps that each step takes from, by pipeline and step.
    """
    differs = {(one.pipeline, one.step) for one in compared if one.grade not in ("A", "B")}
    began: dict[tuple[str, str], str] = {}
    out: list[Compared] = []
    for one in compared:
        here = (one.pipeline, one.step)
        if here in differs and here not in began:
            before = [name for name in uses.get(here, ()) if (one.pipeline, name) in differs]
            began[here] = began.get((one.pipeline, before[0]), before[0]) or before[0] if before else ""
        follows = began.get(here, "") if one.grade not in ("A", "B") else ""
        out.append(structs.replace(one, follows=follows))
    return tuple(out)


def verdict(compared: Sequence[Compared]) -> Verdict:
    """The grade of what `settled` gave."""
    by_step: dict[tuple[str, str], list[Grade]] = {}
    for one in compared:
        by_step.setdefault((one.pipeline, one.step), []).append(one.grade)
    close = {step for step, grades in by_step.items() if worst(grades) == "C"}
    counted = [one for one in compared if not (one.grade == "?" and (one.pipeline, one.follows) in close)]
    grade = worst([one.grade for one in counted])
    began = first_of(compared)
    first = began.step if began is not None else ""
    return Verdict(grade, first or next((one.step for one in compared if one.grade == "B"), ""))


def first_of(compared: Sequence[Compared]) -> Compared | None:
    """Of what `settled` gave where it began: with what differs, else with what was not made; None where all of it is as it was."""
    began = [one for one in compared if one.grade not in ("A", "B") and not one.follows]
    return next((one for one in began if one.is_made), began[0] if began else None)


# --------------------------------------------------------------------------- as a file


def encoded(evidence: Evidence) -> bytes:
    """The bytes of a file of evidence: the same facts give the same."""
    return msgspec.json.format(msgspec.json.encode(evidence), indent=1) + b"\n"


def evidence_path(root: Path, project: str, version: str, sha256: str = "") -> Path:
    """Where evidence of a version of a project lies, however its name is spelled (`flights_delay`, `Flights-Delay`).

    That of a release is of one wheel, by its `sha256`: another one of the same version has its own.
    """
    name = re.sub(r"[-_.]+", "-", project).lower()
    wheel = sha256.removeprefix("sha256:")[:SHORT]
    return root / FOLDER / f"{_plain(name)}-{_plain(version)}{f'-{_plain(wheel)}' if wheel else ''}.json"


def write_evidence(root: Path, evidence: Evidence) -> Path:
    """Write it, whole; gives the file. Raises `BadEvidence` where it cannot be written."""
    path = evidence_path(root, evidence.project, evidence.version, evidence.wheel_sha256)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace(path, encoded(evidence))
    except OSError as error:
        raise BadEvidence(
            f"`{FOLDER / path.name}` cannot be written: {error.strerror or error}",
            why="what came out is told all the same; without the file `promote` does not know of it",
            fixes=["make room, or let the folder be written to"],
        ) from None
    return path


def read_evidence(root: Path, project: str, version: str, sha256: str = "") -> Evidence | None:
    """What was found out about a version of a project; None where nothing was, or about a wheel with other bytes.

    `sha256` is the wheel's, with or without `sha256:`; "" of a run or commit. Raises `BadEvidence` for a file that is none.
    """
    path = evidence_path(root, project, version, sha256)
    try:
        found = msgspec.json.decode(path.read_bytes(), type=Evidence)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError, ValueError) as error:
        raise BadEvidence(
            f"`{FOLDER / path.name}` cannot be read: {error}",
            fixes=[f"stepwell reproduce {project}=={version}"],
        ) from None
    wanted = sha256.removeprefix("sha256:")
    return found if found.wheel_sha256.removeprefix("sha256:") == wanted else None


def _plain(text: str) -> str:
    """A name that is one of a file, whatever it says."""
    return re.sub(r"[^A-Za-z0-9.+_-]", "_", text).lstrip(".") or "_"
