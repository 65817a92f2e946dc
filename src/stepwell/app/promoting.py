"""Promoting a release: what it must have for a channel, whether it has that, and the entry that says so.

    here = indexed(Path.cwd(), "churn")
    what = located(here, "1.5.0")                                # in dist/, else in the pool
    judged(here, opened, "production").excuses                   # everything that is not so, in words
    promote(here, what, "production", Wish(by, why))             # raises NotPromoted with all of them

What must hold is said by the manifest of the project that the command is called in; for a release of another project, by
the gates that it was released with. Nobody can pass by them: a reason is recorded, and changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from stepwell.app.indexed import Indexed
from stepwell.app.recalling import digests_of
from stepwell.dist import names
from stepwell.dist.channels.entries import Entry
from stepwell.dist.channels.index import Named
from stepwell.dist.channels.state import projects, spans
from stepwell.dist.erased import Tombstone, found_in, read_erased
from stepwell.dist.gates import Gate, Verdict, gates_of, parse
from stepwell.dist.needs import Facts, Need, attestations, needs_of
from stepwell.dist.releases import metrics
from stepwell.dist.releases.document import FILE
from stepwell.dist.releases.found import built, pooled
from stepwell.dist.releases.opened import Opened, open_wheel
from stepwell.dist.verdicts import Evidence, read_evidence
from stepwell.dist.versions import parsed
from stepwell.errors import BadRelease, NotARelease, NotPromoted, UnknownRelease, UsageError


class Wish(NamedTuple):
    """What somebody asks for: who and why, what they attest, and what they saw as current (None: they did not look)."""

    by: str
    why: str
    attested: Mapping[str, str] = {}
    expect: str | None = None
    older: bool = False


class Asked(NamedTuple):
    """One thing that was asked of a release: `about` is an output, or "" of the release itself."""

    about: str
    verdict: Verdict

    def __str__(self) -> str:
        return f"{self.about}: {self.verdict.excuse}" if self.about else self.verdict.excuse


class Judged(NamedTuple):
    """All that was asked of a release for a channel, and what a log keeps of the answers."""

    asked: tuple[Asked, ...]
    evidence: dict[str, Any]

    @property
    def excuses(self) -> tuple[str, ...]:
        """What is not so, in words."""
        return tuple(str(one) for one in self.asked if not one.verdict.passed)


class Promoted(NamedTuple):
    """A promotion: its entry in the log, and what was asked and found to be so."""

    entry: Entry
    judged: Judged


def located(here: Indexed, word: str) -> Path | Named:
    """The wheel that a word means: a path, or a version that lies in `dist/` of the project, or in the pool.

    Raises `UnknownRelease`, `BadReleaseName`.
    """
    if word.endswith(".whl"):
        return Path(word)
    version = parsed(word).text
    path = built(here.place.root, here.project, version) if here.mine else None
    if path is not None:
        return path
    if not here.channels.pool.versions(here.project, version):
        raise UnknownRelease(
            f"there is no {here.project} {version} to promote",
            why=f"it is neither in `dist/` nor in the pool of {here.channels.files.where}",
            fixes=[f"stepwell release {version}", "give the path of the wheel", "stepwell channels"],
        )
    return Named(here.project, version)


def opened_of(here: Indexed, what: Path | Named) -> Opened:
    """The release that is to be promoted. Raises `NotARelease`, `BadWheel`, `UnknownRelease`, `BadRelease`."""
    if isinstance(what, Path):
        return _whole(open_wheel(what))
    version = parsed(what.version).text
    for file in here.channels.pool.versions(what.project, version):
        return _whole(pooled(here.channels, what.project, file))
    raise UnknownRelease(
        f"there is no {what.project} {version} in the pool", fixes=["give the path of the wheel"]
    )


def promote(here: Indexed, word: str, channel: str, wish: Wish) -> Promoted:
    """Promote the release that a word means, if all that the channel asks for is so.

    Raises `NotPromoted` with every excuse, `ChannelMoved` where somebody else changed the channel meanwhile, and what
    `dist.channels.index.Channels.promote` raises. Nothing was changed then.
    """
    what = located(here, word)
    opened = opened_of(here, what)
    here = here._replace(project=names.project(opened.document.project))
    channel = here.channels.channel(channel)
    known = projects(here.channels.log(channel)).get(here.project)
    seen = known.current if known is not None else ""
    expect = seen if wish.expect is None else wish.expect
    here.channels.ask(what, channel, expect=expect, older=wish.older)
    found = judged(here, opened, channel, wish.attested)
    if found.excuses:
        raise _refused(here.project, opened.document.version, channel, found)
    entry = here.channels.promote(
        what,
        channel,
        by=wish.by,
        why=wish.why,
        evidence=found.evidence,
        expect=expect,
        older=wish.older,
    )
    return Promoted(entry, found)


def judged(here: Indexed, opened: Opened, channel: str, attested: Mapping[str, str] | None = None) -> Judged:
    """All that a channel asks of a release, and whether it is so. Raises `BadGate`, `BadNeed`, `BadEvidence`, `LogDamaged`."""
    gates = [
        Asked(output, gate.evaluate(opened.metrics_of(output), _others(here, output, gate)))
        for output, wanted in _gates(here, opened).items()
        for gate in wanted
    ]
    evidence = _evidence(here, opened)
    facts = _facts(here, opened, channel, evidence, attested or {})
    needs = [Asked("", need.judge(facts)) for need in _needs(here, channel)]
    recalled = _recalled(here, opened)
    return Judged((*gates, *needs, *recalled), _kept(gates, needs, attested or {}, evidence))


def said(words: Sequence[str]) -> dict[str, str]:
    """What is attested, from words as `approved-by=risk`. Raises `UsageError`."""
    found: dict[str, str] = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not (equals and key.strip() and value.strip()):
            raise UsageError(f"`--attest {word}` says nothing", fixes=["--attest approved-by=risk"])
        found[names.said(key, "what is attested", longest=100)] = names.said(value, "what is attested")
    return found


def metrics_shown(opened: Opened) -> dict[str, float]:
    """The metrics by which a release is told: those that its gates ask for, or all of what leaves where there are none."""
    found: dict[str, float] = {}
    for output, texts in opened.document.gates.items():
        own = opened.metrics_of(output)
        wanted = [one.name for text in texts for one in parse(text).metrics]
        found |= {name: own[name] for name in wanted if name in own}
    if found:
        return found
    for own in opened.metrics.outputs.values():
        found |= {name: value for name, value in own.items() if "." not in name}
    return found


# --------------------------------------------------------------------------- what is asked


def _gates(here: Indexed, opened: Opened) -> Mapping[str, Sequence[Gate]]:
    """The gates of a project as it says them now, of another one as the release brought them."""
    if here.mine:
        return gates_of(here.place.root, here.place.file)
    return {name: [parse(text) for text in texts] for name, texts in opened.document.gates.items()}


def _needs(here: Indexed, channel: str) -> Sequence[Need]:
    return needs_of(here.place.root, here.place.file).get(channel, ()) if here.mine else ()


def _others(here: Indexed, output: str, gate: Gate) -> dict[str, Mapping[str, float] | None]:
    """By channel the metrics of what is in it, of those channels that a gate speaks of."""
    asked = {one.channel for one in gate.metrics}
    return {name: _metrics_in(here, name, output) if name in asked else None for name in here.channels.order}


def _metrics_in(here: Indexed, channel: str, output: str) -> Mapping[str, float] | None:
    project = projects(here.channels.log(channel)).get(here.project)
    if project is None or not project.current:
        return None
    file = project.listed[project.current].promoted.file
    return pooled(here.channels, here.project, file).metrics_of(output)


def _facts(
    here: Indexed, opened: Opened, channel: str, evidence: Evidence | None, attested: Mapping[str, str]
) -> Facts:
    """What needs are judged by: the logs about these very bytes, what was found out, and what is said now."""
    version, sha256 = parsed(opened.document.version).text, opened.wheel.sha256 if opened.wheel else ""
    logs = {name: here.channels.log(name) for name in here.channels.order if name != channel}
    entries = [entry for log in logs.values() for entry in log.entries if entry.wheel == sha256]
    recorded = [_grade(entry.evidence) for entry in entries]
    return Facts(
        f"{here.project}=={version}",
        here.channels.now(),
        {name: spans(log, here.project, version) for name, log in logs.items()},
        attestations([*(entry.evidence for entry in entries), {"attested": attested}]),
        evidence.grade if evidence is not None else next(filter(None, recorded), ""),
    )


def _grade(evidence: Mapping[str, Any]) -> str:
    found = evidence.get("reproduced")
    return str(found.get("grade", "")) if isinstance(found, Mapping) else ""


def _evidence(here: Indexed, opened: Opened) -> Evidence | None:
    """What was found out about this very wheel when it was made again here, the wheel itself as well as its steps."""
    if not here.mine or opened.wheel is None:
        return None
    found = read_evidence(here.place.root, here.project, opened.document.version, opened.wheel.sha256)
    return found if found is not None and found.package is not None else None


def _recalled(here: Indexed, opened: Opened) -> list[Asked]:
    """What speaks against a release that rests on what is not to be used any longer."""
    return [
        Asked("", Verdict("", False, f"{_of_it(place)} was {stone}"))
        for place, stone in recalled_in(here, opened).items()
    ]


THROUGH = "through "
"""What a place begins with that is not in the lock of the release itself, but of one that it was made with."""


def _of_it(place: str) -> str:
    return f"what it has {place}" if place.startswith(THROUGH) else f"its `{place}`"


def recalled_in(here: Indexed, opened: Opened) -> dict[str, Tombstone]:
    """What a release rests on and is not to be used any longer, by place: what its lock names ("data.customers"), and "through churn 1.0".

    Raises `LogDamaged`, and what `files` of the index raises.
    """
    stones = read_erased(here.channels.files)
    if not stones:
        return {}
    found: dict[str, Tombstone] = {}
    for digest, place in digests_of(opened.lock):
        stone = found_in([digest], stones)
        if stone is not None:
            found.setdefault(place, stone)
    name = f"{here.project} {parsed(opened.document.version).text}: "
    for stone in stones:
        places = [place.removeprefix(name) for place in stone.places if place.startswith(name + THROUGH)]
        found |= dict.fromkeys(places, stone)
    return found


def _kept(
    gates: Sequence[Asked], needs: Sequence[Asked], attested: Mapping[str, str], evidence: Evidence | None
) -> dict[str, Any]:
    """What the log keeps of a judgement: what was asked, and what the answer rested on."""
    by_output: dict[str, dict[str, str]] = {}
    for one in gates:
        by_output.setdefault(one.about, {})[one.verdict.gate] = one.verdict.excuse
    found: dict[str, Any] = {
        "gates": by_output,
        "needs": {one.verdict.gate: one.verdict.excuse for one in needs},
        "attested": dict(attested),
        "reproduced": {"grade": evidence.grade, "digest": evidence.digest} if evidence is not None else {},
    }
    return {name: value for name, value in found.items() if value}


# --------------------------------------------------------------------------- inside


def _whole(opened: Opened) -> Opened:
    """A release whose document is about the wheel that it is in. Raises `BadRelease`."""
    wheel, document = opened.wheel, opened.document
    if wheel is None:
        raise NotARelease(f"{opened.where} is installed, and no wheel", fixes=["give the path of the wheel"])
    if (names.project(document.project), parsed(document.version).text) != (wheel.project, wheel.version):
        raise BadRelease(
            f"`{wheel.file}` says that it is {document.project} {document.version}",
            why="its name and metadata are of another release: it was changed by hand",
            fixes=["stepwell release VERSION"],
        )
    for digest, blob in document.blobs.items():
        data = opened.blob(digest) if blob.inside else b""
        if blob.inside and (data is None or len(data) != blob.size):
            raise BadRelease(
                f"`{wheel.file}` does not have {digest[:15]}…, which its {FILE} says is inside",
                why="it was changed by hand, or cut",
                fixes=["stepwell release VERSION"],
            )
    if metrics.FILE in opened.names and opened.read(metrics.FILE) != metrics.encoded(opened.lock):
        raise BadRelease(
            f"`{wheel.file}` says other metrics in its {metrics.FILE} than in its lock",
            why="it was changed by hand: gates are judged by what was measured",
            fixes=["stepwell release VERSION"],
        )
    return opened


def _refused(project: str, version: str, channel: str, found: Judged) -> NotPromoted:
    excuses = found.excuses
    count = f"{len(excuses)} of {len(found.asked)} things" if len(found.asked) > 1 else "the one thing"
    verb = "are" if len(excuses) > 1 else "is"
    return NotPromoted(
        f"{project} {version} is not promoted to `{channel}`: {count} that it needs {verb} not so",
        why="; ".join(excuses),
        fixes=[*_ways(found), f"stepwell history {project} {channel}"],
    )


def _ways(found: Judged) -> list[str]:
    if any(one.about and not one.verdict.passed for one in found.asked):
        return ["mend what the excuses name, and release a higher version"]
    return ["promote it again when it is so"]
