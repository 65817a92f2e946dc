"""The operations on an index of channels: each reads, decides (`deciding`), and writes log and pages together.

Order of writing: the wheel and its METADATA, the log, the pages. The log is replaced only if it is the one that was
read, which is when the change is made; of two people who change a channel at once, one is first, and the other is
told if it was the same project (`ChannelMoved`), or decides again if it was another.

Pages are read before the log and replaced only if they are what was read: so a page is never replaced by an older
one. A process that dies between the log and a page leaves a page that is behind, which clients can use; whoever
changes the channel next, or `rebuild`, writes it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, Self

from stepwell.dist import names
from stepwell.dist.channels import deciding
from stepwell.dist.channels.deciding import Asked, Release, Said, moved
from stepwell.dist.channels.entries import Entry, Log, damaged, digest, line, read_log
from stepwell.dist.channels.files import ABSENT, Change, Content, Files
from stepwell.dist.channels.pages import folder, pages, witness
from stepwell.dist.channels.pool import Pool, metadata_place, release_of
from stepwell.dist.channels.state import Standing, projects, standing, until
from stepwell.dist.versions import parsed
from stepwell.dist.wheels import read
from stepwell.errors import (
    AlreadyThere,
    BadReason,
    BadReleaseName,
    ChannelsBusy,
    ChannelsTooNew,
    NoChannels,
    UnknownChannel,
    UnknownRelease,
    nearest,
)

SETTINGS = "channels.json"

FORMAT = 1
"""The format of everything in an index, in `channels.json`."""

TRIES = 50
"""How often something is decided again because others were first."""


class Named(NamedTuple):
    """A version that is in the pool already."""

    project: str
    version: str


class Held(NamedTuple):
    """A channel as it was read: its log with the bytes and their token, and its pages from before."""

    log: Log
    data: bytes
    token: str
    pages: dict[str, Content]


class Channels:
    """An index of channels. `order` is that of `channels.json`, from the first a release comes to, to the last.

    All methods raise `LogDamaged` where the log of a channel that they need is not what was written, and what
    `files.Files` raises. Times are UTC; `at` is an aware `datetime`.
    """

    def __init__(self, files: Files, order: Sequence[str], clock: Callable[[], float] = time.time) -> None:
        self.files = files
        self.order = tuple(order)
        self.pool = Pool(files)
        self._clock = clock

    # ------------------------------------------------------------------ opening

    @classmethod
    def open(cls, files: Files, clock: Callable[[], float] = time.time) -> Self:
        """The index that is there. Raises `NoChannels`, `ChannelsTooNew`."""
        held = files.read(SETTINGS)
        if held is None:
            raise NoChannels(
                f"there are no channels in `{files.where}`",
                why=f"it has no {SETTINGS}",
                fixes=["give the folder that has it", "stepwell channels --create"],
            )
        return cls(files, _order(files.where, held.data), clock)

    @classmethod
    def create(cls, files: Files, order: Sequence[str], clock: Callable[[], float] = time.time) -> Self:
        """A new index, or the one that is there if it has these channels in this order; more may be added.

        Raises `BadReleaseName`, `AlreadyThere` where channels would be taken away or change their order.
        """
        wanted = [names.channel(name) for name in order]
        if not wanted or len(set(wanted)) != len(wanted):
            raise BadReleaseName(
                f"`{' '.join(order)}` is no list of channels",
                why="an index has one at least, and each once",
                fixes=["candidate staging production"],
            )
        files.make()
        held = files.read(SETTINGS)
        if held is not None:
            there = _order(files.where, held.data)
            if [name for name in wanted if name in there] != list(there):
                raise AlreadyThere(
                    f"`{files.where}` has the channels {', '.join(there)}",
                    why=f"{', '.join(wanted)} would take one away, or put it elsewhere",
                    fixes=[f"name them in this order, with new ones between: {', '.join(there)}"],
                )
        data = json.dumps({"format": FORMAT, "order": wanted}, indent=1).encode() + b"\n"
        changed = held is None or held.data != data
        if changed and files.replace([Change(SETTINGS, data, held.token if held else ABSENT)]):
            raise ChannelsBusy(
                f"somebody else is making the channels of `{files.where}`", fixes=["try again"]
            )
        found = cls(files, wanted, clock)
        found.rebuild()
        return found

    # ------------------------------------------------------------------ changing

    def add(self, path: Path) -> Release:
        """Put a wheel into the pool, where no client sees it that no channel lists. Raises `BadWheel`, `ReleaseChanged`.

        A wheel of the pool that was lost is put back so.
        """
        wheel = read(path)
        release = release_of(wheel)
        for channel in self.order:
            deciding.must_be_free(self.log(channel), release)
        self.pool.keep(path, wheel)
        return release

    def promote(
        self,
        what: Path | Named,
        channel: str,
        *,
        by: str,
        why: str,
        evidence: Mapping[str, Any] | None = None,
        expect: str | None = None,
        older: bool = False,
    ) -> Entry:
        """List a version in a channel: a wheel, which goes into the pool first, or one that is in the pool.

        `expect` is the version that the caller saw as current ("" for none) when it judged. A version that is not higher than
        the current one is refused, or with `older` listed below it. Raises `BadWheel`, `UnknownRelease`, `ReleaseChanged`,
        `ReleaseYanked`, `AlreadyThere`, `VersionNotUp`, `ChannelMoved`, `PoolDamaged`.
        """
        channel = self.channel(channel)
        said = self._said(by, why, evidence)
        release, keep = self._wheel(what)

        def decide(log: Log) -> Entry:
            return self._listing(log, release, said, Asked(expect, older))

        seen = self.log(channel)
        line(decide(seen))  # a refusal comes before anything is written
        if keep is not None:
            keep()
        for damage in self.pool.damage(release):
            raise damage
        return self._commit(channel, release.project, decide, seen)

    def ask(
        self, what: Path | Named, channel: str, *, expect: str | None = None, older: bool = False
    ) -> Release:
        """The wheel that `promote` would list in a channel. Raises what it would, and changes nothing."""
        release, _ = self._wheel(what)
        self._listing(self.log(self.channel(channel)), release, Said("", "", "", {}), Asked(expect, older))
        return release

    def rollback(
        self,
        project: str,
        channel: str,
        *,
        by: str,
        why: str,
        to: str | None = None,
        evidence: Mapping[str, Any] | None = None,
        expect: str | None = None,
    ) -> Entry:
        """Go back to a version, or to the one below the current one; all higher ones are withdrawn with the reason.

        Raises `UnknownRelease`, `NothingBefore`, `ReleaseYanked`, `AlreadyThere`, `ChannelMoved`, and `PoolDamaged` where the
        version to go back to could not be installed.
        """
        name, channel = names.project(project), self.channel(channel)
        said = self._said(by, why, evidence)

        def decide(log: Log) -> Entry:
            entry = deciding.rollback(log, name, to, said._replace(at=self.now()), Asked(expect))
            for damage in self.pool.damage(Release(*(getattr(entry, field) for field in Release._fields))):
                raise damage
            return entry

        return self._commit(channel, name, decide)

    def yank(
        self,
        project: str,
        version: str,
        *,
        by: str,
        why: str,
        channel: str | None = None,
        evidence: Mapping[str, Any] | None = None,
    ) -> tuple[Entry, ...]:
        """Withdraw a version from one channel, or from all that list it (one entry each).

        Where it is withdrawn, clients take it only if they ask for exactly this version. Raises `UnknownRelease`, `AlreadyThere`,
        `ChannelMoved`.
        """
        return self._everywhere(
            deciding.yank, Named(project, version), channel, self._said(by, why, evidence)
        )

    def unyank(
        self,
        project: str,
        version: str,
        *,
        by: str,
        why: str,
        channel: str | None = None,
        evidence: Mapping[str, Any] | None = None,
    ) -> tuple[Entry, ...]:
        """Take back what `yank` or `rollback` withdrew. Raises as `yank` does."""
        return self._everywhere(
            deciding.unyank, Named(project, version), channel, self._said(by, why, evidence)
        )

    def rebuild(self, channel: str | None = None) -> tuple[str, ...]:
        """Write every page that is not what its log gives, and remove what is no page; the names that changed.

        METADATA beside wheels is written anew as well. Raises `LogDamaged`: nothing is made from a log that was changed.
        """
        wanted = self.order if channel is None else (self.channel(channel),)
        changed = [name for each in wanted for name in self._heal(each)]
        releases = dict.fromkeys(release for each in wanted for release in self.releases(each))
        healed = [release for release in releases if self.pool.heal(release)]
        return (*changed, *(metadata_place(release.project, release.file) for release in healed))

    # ------------------------------------------------------------------ looking

    def channel(self, name: str) -> str:
        """The one spelling of a channel that is there. Raises `UnknownChannel`, `BadReleaseName`."""
        found = names.channel(name)
        if found in self.order:
            return found
        close = nearest(found, self.order)
        raise UnknownChannel(
            f"there is no channel `{found}`" + (f"; there is `{close}`" if close else ""),
            why=f"`{self.files.where}` has {', '.join(self.order)}",
            fixes=[close or self.order[-1]],
        )

    def log(self, channel: str) -> Log:
        """The log of a channel, proven to be a chain that reaches as far as the channel's first page says."""
        return self._held(channel, [f"{folder(channel)}/index.html"]).log

    def status(self) -> tuple[Standing, ...]:
        """What every channel gives to clients, by project, in the order of the channels."""
        logs = [self.log(channel) for channel in self.order]
        return tuple(
            standing(log, name, project) for log in logs for name, project in sorted(projects(log).items())
        )

    def current(self, project: str, channel: str, at: datetime | None = None) -> Standing:
        """What a channel gives of a project, now or at a time. Raises `UnknownRelease` where it has, or had, none."""
        name, log = names.project(project), self._at(channel, at)
        found = projects(log)
        if name in found:
            return standing(log, name, found[name])
        close = nearest(name, found)
        raise UnknownRelease(
            f"`{log.channel}` has no project `{name}`"
            + (f" at {_stamp(at.timestamp())}" if at else "")
            + (f"; there is `{close}`" if close else ""),
            fixes=["stepwell channels"],
        )

    def history(self, project: str, channel: str, at: datetime | None = None) -> tuple[Entry, ...]:
        """The changes of a project in a channel, oldest first, all or until a time. Raises `UnknownRelease`."""
        name = self.current(project, channel, at).project
        return tuple(entry for entry in self._at(channel, at).entries if entry.project == name)

    def releases(self, channel: str) -> tuple[Release, ...]:
        """The wheels that a channel lists, withdrawn or not."""
        listed = [one for project in projects(self.log(channel)).values() for one in project.listed.values()]
        return tuple(Release(*(getattr(one.promoted, field) for field in Release._fields)) for one in listed)

    def heads(self) -> dict[str, str]:
        """The digest of each channel's last entry, to be kept elsewhere: `verify(channels, known=heads)` later."""
        return {channel: self.log(channel).head for channel in self.order}

    def now(self) -> str:
        """The time as logs write it."""
        return _stamp(self._clock())

    # ------------------------------------------------------------------ inside

    def held(self, channel: str) -> Held:
        """A channel as it is: its log and all its pages, each of which the log must reach. Raises `LogDamaged`."""
        return self._held(channel, self.files.names(folder(channel)))

    def _held(self, channel: str, page_names: Sequence[str]) -> Held:
        """The pages are read before the log, so that none can be newer."""
        there: dict[str, Content] = {}
        for name in page_names:
            content = self.files.read(name)
            if content is not None:
                there[name] = content
        content = self.files.read(f"{channel}.log")
        data, token = (content.data, content.token) if content else (b"", ABSENT)
        log = read_log(channel, data)
        for name, page in there.items():
            _must_reach(log, name, page.data)
        return Held(log, data, token, there)

    def _commit(
        self, channel: str, project: str, decide: Callable[[Log], Entry], seen: Log | None = None
    ) -> Entry:
        """Append what `decide` says to a log, and write the pages. Raises `ChannelMoved`, `ChannelsBusy`.

        `seen` is the log that the caller has decided by already: the project must not have been changed since.
        """
        for _ in range(TRIES):
            held = self.held(channel)
            if seen is not None:
                _must_be_others(seen, held.log, project)
            entry = decide(held.log)
            data = line(entry)
            log = Log(channel, (*held.log.entries, entry), (*held.log.digests, digest(data[:-1])))
            first = f"{folder(channel)}/{project}/"
            changes = sorted(_changes(held, log), key=lambda change: not change.name.startswith(first))
            lost = self.files.replace([Change(f"{channel}.log", held.data + data, held.token), *changes])
            if f"{channel}.log" not in lost:
                if lost:
                    self._heal(channel)
                return entry
            seen = held.log
        raise self._busy(channel)

    def _heal(self, channel: str) -> list[str]:
        """Make the pages what the log gives; the names that changed."""
        changed: list[str] = []
        for _ in range(TRIES):
            held = self.held(channel)
            lost = False
            for change in _changes(held, held.log):
                done = not self.files.replace([change])
                changed += [change.name] * done
                lost = lost or not done
            wanted = pages(held.log)
            for name in held.pages.keys() - wanted.keys():
                changed += [name] * self.files.delete(name, held.pages[name].token)
            if not lost:
                return changed
        raise self._busy(channel)

    def _busy(self, channel: str) -> ChannelsBusy:
        return ChannelsBusy(
            f"`{channel}` was changed by others {TRIES} times meanwhile",
            fixes=["try again when they are done"],
        )

    def _everywhere(
        self, decide: Callable[[Log, str, str, Said], Entry], what: Named, channel: str | None, said: Said
    ) -> tuple[Entry, ...]:
        """Yank or unyank in one channel, or in all where that changes something."""
        name, version = names.project(what.project), parsed(what.version).text

        def act(log: Log) -> Entry:
            return decide(log, name, version, said._replace(at=self.now()))

        if channel is not None:
            return (self._commit(self.channel(channel), name, act),)
        wanted, refused = [], []
        for each in self.order:
            try:
                act(self.log(each))
                wanted.append(each)
            except (UnknownRelease, AlreadyThere) as error:
                refused.append(error)
        if not wanted:
            # That it is withdrawn already says more than that another channel never had it.
            raise next((error for error in refused if isinstance(error, AlreadyThere)), refused[-1])
        return tuple(self._commit(each, name, act) for each in wanted)

    def _wheel(self, what: Path | Named) -> tuple[Release, Callable[[], None] | None]:
        """A wheel as logs need it, and what puts it into the pool where it may not be there."""
        if isinstance(what, Named):
            return self._known(what), None
        wheel = read(what)
        return release_of(wheel), partial(self.pool.keep, what, wheel)

    def _listing(self, log: Log, release: Release, said: Said, asked: Asked) -> Entry:
        """The entry that lists a wheel in the channel of a log."""
        others = [self.log(other) for other in self.order if other != log.channel]
        return deciding.promote(log, others, release, said._replace(at=self.now()), asked)

    def _known(self, what: Named) -> Release:
        """The wheel of a version that is in a channel, or in the pool. Raises `UnknownRelease`."""
        name, version = names.project(what.project), parsed(what.version).text
        for channel in self.order:
            for release in self.releases(channel):
                if (release.project, release.version) == (name, version):
                    return release
        wheel = self.pool.find(name, version)
        self.pool.keep_metadata(wheel)
        return release_of(wheel)

    def _at(self, channel: str, at: datetime | None) -> Log:
        log = self.log(self.channel(channel))
        if at is None:
            return log
        if at.tzinfo is None:
            raise BadReason(f"{at.isoformat()} has no time zone", fixes=[f"{at.isoformat()}Z"])
        return until(log, _stamp(at.timestamp()))

    def _said(self, by: str, why: str, evidence: Mapping[str, Any] | None) -> Said:
        by, why = names.said(by, "who does it", longest=200), names.said(why, "the reason")
        return Said(by, why, self.now(), dict(evidence or {}))


def _stamp(seconds: float) -> str:
    """A time as logs have it: UTC, whole seconds."""
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _order(where: str, data: bytes) -> tuple[str, ...]:
    """The channels of `channels.json`. Raises `NoChannels`, `ChannelsTooNew`, `BadReleaseName`."""
    try:
        found = json.loads(data)
        number, order = found["format"], tuple(found["order"])
        valid = bool(order) and len(set(order)) == len(order) and isinstance(number, int)
    except (ValueError, TypeError, KeyError, RecursionError):
        number, order, valid = 0, (), False
    if not valid or not all(isinstance(name, str) and names.channel(name) == name for name in order):
        raise NoChannels(
            f"`{where}/{SETTINGS}` is not what Stepwell writes",
            why="it was edited by hand, or is another program's",
            fixes=[f'write it anew: {{"format": {FORMAT}, "order": ["candidate", "staging", "production"]}}'],
        )
    if number > FORMAT:
        raise ChannelsTooNew(
            f"the channels in `{where}` have format {number}, this Stepwell knows {FORMAT}",
            why="a newer Stepwell wrote them",
            fixes=["uv add --upgrade stepwell"],
        )
    return order


def _must_reach(log: Log, name: str, page: bytes) -> None:
    """That a page was made from an entry that the log has. Raises `LogDamaged`: the log is no longer what it was."""
    made = witness(name, page)
    if made is None or made.n == 0:
        return
    if made.n > len(log.entries):
        raise damaged(
            log.channel,
            f"it ends with entry {len(log.entries)}, and `{name}` was made from entry {made.n}: it was cut short",
        )
    if log.digests[made.n - 1] != made.digest:
        raise damaged(
            log.channel, f"entry {made.n} is not the one that `{name}` was made from: it was written anew"
        )


def _must_be_others(seen: Log, log: Log, project: str) -> None:
    """That whoever was first changed another project. Raises `ChannelMoved`."""
    last = next(
        (entry for entry in reversed(log.entries[len(seen.entries) :]) if entry.project == project), None
    )
    if last is not None:
        before, after = projects(seen).get(project), projects(log)[project]
        raise moved(log.channel, project, last, before.current if before else "", after.current)


def _changes(held: Held, log: Log) -> list[Change]:
    """The pages that are not what a log gives."""
    return [
        Change(name, data, held.pages[name].token if name in held.pages else ABSENT)
        for name, data in pages(log).items()
        if name not in held.pages or held.pages[name].data != data
    ]
