"""Death, other processes, full disks, folders of others: clients can always use an index, and its logs are right.

Children kill themselves (SIGKILL) at the n-th line that they execute of the code that writes, so between any two
system calls. `test-deep` takes every line.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from wheels_by_hand import contents, in_child, new_index, wheel

from stepwell.dist.channels import local
from stepwell.dist.channels.index import Channels, Named
from stepwell.dist.channels.local import LocalFiles
from stepwell.dist.channels.verify import verify
from stepwell.errors import (
    AlreadyThere,
    ChannelMoved,
    ChannelsBusy,
    ChannelsUnusable,
    DiskFull,
    IndexDiffers,
    NoChannels,
    ReleaseChanged,
    StepwellError,
)
from stepwell.stores import durable

WHO = {"by": "ana@acme", "why": "Q3 retrain"}


def opened(folder):
    return Channels.open(LocalFiles(folder))


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    """An index with 1.3.2 in staging and production, and the wheel of 1.4.0 beside it."""
    folder = tmp_path_factory.mktemp("start")
    channels = new_index(folder / "index")
    channels.promote(wheel(folder / "dist", version="1.3.1"), "production", **WHO)
    for channel in ("staging", "production"):
        channels.promote(wheel(folder / "dist", version="1.3.2"), channel, **WHO)
    wheel(folder / "dist", version="1.4.0")
    return folder


WHEEL = "dist/churn-1.4.0-py3-none-any.whl"


def promote(folder):
    opened(folder / "index").promote(folder / WHEEL, "production", **WHO)


def rollback(folder):
    opened(folder / "index").rollback("churn", "production", expect="1.3.2", **WHO)


def yank(folder):
    opened(folder / "index").yank("churn", "1.3.2", **WHO)


def create(folder):
    new_index(folder / "new").promote(folder / WHEEL, "production", **WHO)


JOBS = {"promote": (promote, "1.4.0"), "rollback": (rollback, "1.3.1"), "yank": (yank, "1.3.1")}


WRITING = {"make", "create", "replace", "delete", "_make_folder", "_temporary", "_sweep", "_locked", "_write", "_linked", "link", "sync_folder"}  # fmt: skip
"""The functions of `local` and `durable` that change something."""


def dying(job, n):
    """Run a job in a child that dies at the n-th line of the code that writes; whether it came to that."""
    homes = {local.__file__, durable.__file__}

    def child():
        left = n

        def line(frame, event, _):
            nonlocal left
            left -= event == "line"
            if left <= 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return line

        def called(frame, event, _):
            code = frame.f_code
            return line if code.co_filename in homes and code.co_name in WRITING else None

        sys.settrace(called)
        job()

    ended = in_child(child)
    assert ended in (0, -signal.SIGKILL), "the work failed by itself"
    return ended != 0


def clients_get(folder, channel="production"):
    """What a client that follows a channel gets; every link leads to the wheel that it promises."""
    page = folder / channel / "simple" / "churn" / "index.html"
    good = []
    for link in re.findall(r"<a .*", page.read_text("utf-8")):
        target, digest, version = re.search(r'href="(.*?)#sha256=(.*?)".*?>churn-(.*?)-py3', link).groups()
        assert hashlib.sha256((page.parent / target).read_bytes()).hexdigest() == digest
        metadata = (page.parent / f"{target}.metadata").read_bytes()
        assert f'data-core-metadata="sha256={hashlib.sha256(metadata).hexdigest()}"' in link
        good += [version] * ("data-yanked" not in link)
    return max(good)


def after_death(folder, job, wanted):
    """An index after a death: usable, provable, and what was begun can be done again to the end."""
    index = folder / "index"
    assert clients_get(index) in ("1.3.2", wanted)
    assert {type(finding) for finding in verify(opened(index), pause=lambda _: None)} <= {IndexDiffers}
    said = opened(index).current("churn", "production").version
    assert said in ("1.3.2", wanted)
    try:
        job(folder)
    except (AlreadyThere, ChannelMoved):
        assert said == wanted
    opened(index).rebuild()
    assert verify(opened(index)) == ()
    assert (
        clients_get(index)
        == clients_get(index, "production")
        == opened(index).current("churn", "production").version
        == wanted
    )
    assert not [name for name in os.listdir(index / ".tmp") if name.startswith("swap-")]


def sweep(start, tmp_path, name, step):
    job, wanted = JOBS[name]
    n, died = 1, 0
    while True:
        folder = tmp_path / str(n)
        shutil.copytree(start, folder)
        reached = dying(lambda folder=folder: job(folder), n)
        after_death(folder, job, wanted)
        shutil.rmtree(folder)
        if not reached:
            return died
        died += 1
        n += step


@pytest.mark.slow
@pytest.mark.parametrize("name", JOBS)
def test_death_at_some_lines(start, tmp_path, name):
    assert sweep(start, tmp_path, name, 13) > 8


@pytest.mark.deep
@pytest.mark.parametrize("name", JOBS)
def test_death_at_every_line(start, tmp_path, name):
    assert sweep(start, tmp_path, name, 1) > 100


@pytest.mark.slow
def test_death_while_an_index_is_made(start, tmp_path):
    for n in range(1, 10_000, 29):
        folder = tmp_path / str(n)
        folder.mkdir()
        shutil.copytree(start / "dist", folder / "dist")
        reached = dying(lambda folder=folder: create(folder), n)
        try:
            create(folder)
        except AlreadyThere:
            opened(folder / "new").rebuild()
        assert verify(opened(folder / "new")) == ()
        assert clients_get(folder / "new") == "1.4.0"
        if not reached:
            return
        assert n < 9_000


def test_what_the_dead_left_is_removed(start, tmp_path):
    folder = tmp_path / "i"
    shutil.copytree(start, folder)
    temporary = folder / "index" / ".tmp"
    for name in ("swap-1", "new-1", "new-2"):
        (temporary / name).write_bytes(b"half")
    os.utime(temporary / "new-1", (0, 0))
    promote(folder)
    assert os.listdir(temporary) == ["new-2"]  # which somebody may be writing


# ---------------------------------------------------------------------- several at once


class Together(LocalFiles):
    """The real files; before the first log is replaced, it is waited until all others have decided too."""

    def __init__(self, folder, mark, count):
        super().__init__(folder)
        self.mark, self.count, self.met = mark, count, False

    def replace(self, changes):
        if changes[0].name.endswith(".log") and not self.met:
            self.met = True
            (self.mark / str(os.getpid())).touch()
            until = time.monotonic() + 30
            while len(os.listdir(self.mark)) < self.count and time.monotonic() < until:
                time.sleep(0.001)
        return super().replace(changes)


EXITS = {ChannelMoved: 51, AlreadyThere: 48, ReleaseChanged: 45, ChannelsBusy: 52}


def at_once(tmp_path, folder, jobs):
    """Run jobs in processes of their own, which all decide before any of them writes: how each ended."""
    mark = tmp_path / "mark"
    mark.mkdir()
    children = []
    for job in jobs:
        child = os.fork()
        if child == 0:
            code = 99
            try:
                job(Channels.open(Together(folder, mark, len(jobs))))
                code = 0
            except StepwellError as error:
                code = EXITS.get(type(error), 98)
                if code == 98:
                    print(error, file=sys.stderr)
            finally:
                os._exit(code)
        children.append(child)
    ends = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    assert len(os.listdir(mark)) == len(jobs), "they did not meet"
    shutil.rmtree(mark)
    return sorted(ends)


def test_of_several_who_promote_at_once_one_wins_and_the_others_are_told(tmp_path):
    folder = tmp_path / "index"
    new_index(folder)
    for turn in range(5):
        paths = [wheel(tmp_path / "dist", version=f"{turn + 1}.{k}") for k in range(4)]
        jobs = [lambda channels, path=path: channels.promote(path, "production", **WHO) for path in paths]
        assert at_once(tmp_path, folder, jobs) == [0, 51, 51, 51]
        assert len(opened(folder).log("production").entries) == turn + 1
    assert verify(opened(folder)) == ()


def test_who_promotes_the_same_at_once_is_told_too(tmp_path):
    folder, path = tmp_path / "index", wheel(tmp_path / "dist")
    new_index(folder)
    assert at_once(tmp_path, folder, [lambda channels: channels.promote(path, "staging", **WHO)] * 2) == [
        0,
        51,
    ]
    assert len(opened(folder).log("staging").entries) == 1


def test_who_changes_other_projects_at_once_is_not_in_the_way(tmp_path):
    folder = tmp_path / "index"
    new_index(folder)
    paths = [wheel(tmp_path / "dist", project) for project in ("churn", "flights", "prices", "weather")]
    jobs = [lambda channels, path=path: channels.promote(path, "production", **WHO) for path in paths]
    assert at_once(tmp_path, folder, jobs) == [0, 0, 0, 0]
    assert [one.project for one in opened(folder).status()] == ["churn", "flights", "prices", "weather"]
    assert verify(opened(folder)) == ()


def test_a_promotion_and_a_rollback_at_once(tmp_path, start):
    folder = tmp_path / "i"
    shutil.copytree(start, folder)
    jobs = [
        lambda channels: channels.promote(folder / WHEEL, "production", **WHO),
        lambda channels: channels.rollback("churn", "production", **WHO),
    ]
    assert at_once(tmp_path, folder / "index", jobs) == [0, 51]
    assert verify(opened(folder / "index")) == ()
    assert clients_get(folder / "index") == opened(folder / "index").current("churn", "production").version


class Bucket(LocalFiles):
    """The same files as a bucket has them: no lock over several, and others may come between any two writes."""

    def __init__(self, folder, between):
        super().__init__(folder)
        self.between, self.writes = between, 0

    def replace(self, changes):
        lost = set()
        for change in changes:
            self.writes += 1
            self.between(self.writes)
            lost |= super().replace([change])
            if changes[0].name in lost:
                return frozenset(each.name for each in changes)
        return frozenset(lost)


@pytest.mark.parametrize("other", ["churn", "flights"])
def test_where_nothing_locks_others_may_come_between_any_two_writes(tmp_path, other):
    """Whoever comes between, the log has every change that was not refused, and no page ends as an older one."""
    first, second = wheel(tmp_path / "dist", version="2.0"), wheel(tmp_path / "dist", other, "3.0")
    for n in range(1, 10):
        folder = tmp_path / str(n)
        new_index(folder).promote(wheel(tmp_path / "dist", version="1.0"), "production", **WHO)

        def between(writes, n=n, folder=folder):
            if writes == n:
                opened(folder).promote(second, "production", **WHO)

        bucket = Bucket(folder, between)
        try:
            Channels.open(bucket).promote(first, "production", **WHO)
            refused = False
        except ChannelMoved:
            refused = True
        assert refused == (other == "churn" and n <= 2)  # the METADATA is the first write, the log the second
        assert verify(opened(folder)) == ()
        assert len(opened(folder).log("production").entries) == (2 if refused or bucket.writes < n else 3)
    assert bucket.writes < n, "not every write was reached"


def test_two_wheels_of_one_version_at_once(tmp_path):
    """Both are read and judged before either is in the pool: the pool takes one."""
    folder = tmp_path / "index"
    new_index(folder)
    one, other = wheel(tmp_path / "a"), wheel(tmp_path / "b", body="X = 1\n")
    children = [
        os.fork() or os._exit(_code(lambda path=path: opened(folder).promote(path, "production", **WHO)))
        for path in (one, other)
    ]
    ends = sorted(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children)
    assert ends == [0, 45]
    assert verify(opened(folder)) == ()


def _code(job):
    try:
        job()
    except StepwellError as error:
        return EXITS.get(type(error), 98)
    except BaseException:
        return 99
    return 0


def test_a_lock_that_is_held_for_too_long_is_told(start, tmp_path, monkeypatch):
    folder = tmp_path / "i"
    shutil.copytree(start, folder)
    monkeypatch.setattr(local, "PATIENCE", 0.05)
    before = contents(folder / "index" / "production")
    with open(folder / "index/.lock", "r+b") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(ChannelsBusy, match="fuser"):
            rollback(folder)
        assert opened(folder / "index").current("churn", "production").version == "1.3.2"
    assert contents(folder / "index" / "production") == before
    rollback(folder)


# ---------------------------------------------------------------------- full, forbidden, gone


def seen_by_clients(folder):
    """Everything but wheels that no log names yet."""
    return {
        name: data for name, data in contents(folder).items() if not name.startswith("pool/churn/churn-1.4.0")
    }


def test_a_limit_on_files_that_is_met_anywhere_leaves_nothing_half_done(start, tmp_path):
    folder = tmp_path / "i"
    shutil.copytree(start, folder)
    before = seen_by_clients(folder / "index")
    largest = 2 * max(len(data) for data in before.values())
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    refused, done = 0, False
    for limit in range(0, largest, 97):
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
        try:
            promote(folder)
            done = True
        except DiskFull:
            refused += 1
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        if done:
            break
        assert seen_by_clients(folder / "index") == before
        assert verify(opened(folder / "index")) == ()
    assert refused > 10
    assert verify(opened(folder / "index")) == ()
    assert clients_get(folder / "index") == "1.4.0"


FILLS = """
import os, sys, shutil
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from test_channels_crash import promote, seen_by_clients, opened, verify
from stepwell.errors import DiskFull
folder = Path(sys.argv[2])
before, refused = seen_by_clients(folder / "index"), 0
filler = os.open(folder / "filler", os.O_RDWR | os.O_CREAT)
for free in range(60):
    size = os.lseek(filler, 0, os.SEEK_END)
    try:
        while True:
            size += os.write(filler, bytes(4096))
    except OSError:
        os.truncate(filler, max(0, size // 4096 - free) * 4096)
    try:
        promote(folder)
        break
    except DiskFull:
        refused += 1
    assert seen_by_clients(folder / "index") == before, free
    assert verify(opened(folder / "index")) == (), free
assert verify(opened(folder / "index")) == ()
assert opened(folder / "index").current("churn", "production").version == "1.4.0"
assert refused > 2, refused
"""


def test_a_disk_that_is_full_at_any_block_leaves_nothing_half_done(start, tmp_path):
    how = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--map-root-user", "--mount"]
    if shutil.which("unshare") is None or subprocess.run([*how, "true"], capture_output=True).returncode:
        pytest.skip("needs a mount namespace; the limit on the size of files stands in for it")
    (tmp_path / "fills.py").write_text(FILLS)
    small = tmp_path / "small"
    small.mkdir()
    script = f"mount -t tmpfs -o size=1m tmpfs '{small}' && cp -r '{start}/.' '{small}' && exec '{sys.executable}' '{tmp_path}/fills.py' '{Path(__file__).parent}' '{small}'"
    done = subprocess.run([*how, "sh", "-c", script], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_a_folder_of_somebody_else_is_read_and_not_written(start, tmp_path):
    """As root nobody can be refused, so a child becomes nobody."""
    folder = tmp_path / "i"
    shutil.copytree(start, folder)
    for above in (folder, *folder.parents):
        if str(above).startswith("/tmp/") and os.geteuid() == 0:
            above.chmod(above.stat().st_mode | 0o055)
    if os.geteuid() != 0:
        for path in (folder / "index", *(folder / "index").rglob("*")):
            path.chmod(path.stat().st_mode & ~0o222)
    before = contents(folder / "index")

    def job():
        if os.geteuid() == 0:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
        channels = opened(folder / "index")
        assert channels.current("churn", "production").version == "1.3.2"
        assert verify(channels) == ()
        for call in (promote, rollback, yank):
            with pytest.raises(ChannelsUnusable, match="belongs to somebody else"):
                call(folder)
        return 0

    assert in_child(job) == 0
    assert contents(folder / "index") == before


def test_a_folder_that_goes_away_is_not_made_again(start, tmp_path):
    folder = tmp_path / "i"
    shutil.copytree(start, folder)
    channels = opened(folder / "index")
    (folder / "index").rename(folder / "elsewhere")
    for call in (
        channels.status,
        lambda: verify(channels),
        channels.rebuild,
        lambda: channels.promote(folder / WHEEL, "production", **WHO),
        lambda: channels.promote(Named("churn", "1.3.2"), "candidate", **WHO),
        lambda: channels.rollback("churn", "production", **WHO),
    ):
        with pytest.raises(NoChannels, match="there is no folder"):
            call()
    assert not (folder / "index").exists()
