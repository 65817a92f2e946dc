"""Death at any instant: whatever is visible afterwards is whole, and nothing needs to be repaired.

A child process does some work on a store and kills itself (SIGKILL) at the n-th line of the store's
own code that it executes, for many n: so it dies between any two system calls, in the middle of
writing, linking, committing. `test-deep` takes every n, and every system call inside SQLite too.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from stepwell.errors import StepwellError
from stepwell.kernel.events import RunFinished, StepFinished, StepReused
from stepwell.kernel.plan import Decision, Reason
from stepwell.kernel.ports import Artifact, Logged, Made, Said
from stepwell.stores import blobs as blobs_module
from stepwell.stores import results as results_module
from stepwell.stores import trash as trash_module
from stepwell.stores.blobs import INLINE
from stepwell.stores.collect import DAY, Policy, decide, look, look_at_rows
from stepwell.stores.local import open_store
from stepwell.stores.record import Facts
from stepwell.stores.trash import empty, remove, undo
from stepwell.stores.verify import verify
from stepwell.testing.contracts import made, result_of

STEPS = 6
FACTS = Facts("p", {"depth": 6}, [(f"s{i}", f"s{i}", f"p:s{i}") for i in range(STEPS)], 0.0)


def content(i):
    """What step i gives: bytes that are few, many, or a folder's index with a part."""
    return (b"few %d", b"many %d" * INLINE, b"index %d")[i % 3] % ((i,) * (1 if i % 3 != 1 else INLINE))


def work(folder, careless=False):
    """A run of six steps, committed in three transactions. Reuses what is there, as any run does."""
    with open_store(folder) as store:
        store.memo.put("stat", "a", "1")
        store.commit(now=True)
        record = store.begin(FACTS)
        for i in range(STEPS):
            record.add(Said(i, "stdout", f"step {i}\n"))
            record.add(Logged(i, "loss", i / 2))
            key = result_of(f"k{i}").key
            found = store.results.result(key)
            if found is None or found.lost:
                store.results.claim([key])
                output = careless_output(store, i) if careless else output_of(store, i)
                result = result_of(f"k{i}", [output], step=f"p:s{i}", run=record.run)
                store.results.keep(result, [output])
                record.add(StepFinished(i, Decision(i, "run", (Reason("new", ""),), key), result))
            if i % 2:
                store.commit(now=True)
            if careless and i % 3 == 1:
                put(store, content(i))
        record.add(RunFinished("succeeded", 1.0))


def put(store, data):
    with store.blobs.sink() as sink:
        sink.write(data)
        return sink.finish()


def output_of(store, i):
    if i % 3 < 2:
        digest, size, data = put(store, content(i))
        return Made(Artifact("result", "bytes", digest, size), data)
    source = store.folder.parent / f"part{i}"
    source.write_bytes(b"part %d" % i)
    with store.blobs.sink() as sink:
        part, _ = sink.take(source)
        sink.write(content(i))
        digest, size, data = sink.finish()
    return Made(Artifact("result", "folder", digest, size, (part,)), data)


def careless_output(store, i):
    """As above, but the large file comes only after the result: what must never be."""
    if i % 3 == 1:
        store.results._blobs.check = lambda _: ""
        return made(content(i))._replace(data=None)
    return output_of(store, i)


def wrong(folder):
    """Everything that is not as it must be after a death: the oracle."""
    found = []
    try:
        with open_store(folder) as store:
            found += store.database.check(quick=False)
            found += [str(finding) for finding in verify(store) if finding.kind != "leftover"]
            visible = []
            for i in range(STEPS):
                result = store.results.result(result_of(f"k{i}").key)
                visible.append(result is not None)
                if result is not None:
                    data = store.results.data(result.outputs[0])
                    whole = store.blobs.open(result.outputs[0].digest).data if data is None else data
                    if bytes(whole) != content(i):
                        found.append(f"step {i} has other bytes")
            if visible != sorted(visible, reverse=True):
                found.append(f"later results are visible without earlier ones: {visible}")
            for run in store.runs.runs():
                steps = store.runs.steps(run.run)
                if run.status == "running":
                    found.append(f"{run.run} is dead and shown as running")
                found += [
                    f"{step.id}: a step without its result"
                    for step in steps
                    if step.status == "succeeded" and not step.result
                ]
        work(folder)  # and again, to the end, with whatever was left behind
        with open_store(folder) as store:
            if store.runs.run().status != "succeeded":
                found.append("the next run did not succeed")
            found += [str(finding) for finding in verify(store) if finding.kind != "leftover"]
    except StepwellError as error:
        found.append(f"an error reached the user: {error.what}")
    return found


def dying(folder, job, n):
    """Run `job(folder)` in a child that dies at the n-th line of the store's code; whether it came to that."""
    child = os.fork()
    if child == 0:
        left = n
        home = str(Path(blobs_module.__file__).parent)

        def line(frame, event, _):
            nonlocal left
            if event == "line":
                left -= 1
                if left <= 0:
                    os.kill(os.getpid(), signal.SIGKILL)
            return line

        sys.settrace(lambda frame, event, _: line if frame.f_code.co_filename.startswith(home) else None)
        try:
            job(folder)
            os._exit(0)
        except BaseException:
            import traceback

            traceback.print_exc()
            os._exit(1)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status in (0, -signal.SIGKILL), "the work failed by itself"
    return status != 0


def lines_of(tmp_path, job):
    """How many lines of the store's code the work executes."""
    low, high = 1, 2
    while dying(tmp_path / f"count{high}", job, high):
        low, high = high, high * 2
    while high - low > 20:
        middle = (low + high) // 2
        if dying(tmp_path / f"count{middle}", job, middle):
            low = middle
        else:
            high = middle
    return low


def sweep(tmp_path, job, points, enough=10):
    """The points at which something was wrong afterwards; `enough` of them at most."""
    bad = {}
    for n in points:
        folder = tmp_path / str(n) / ".stepwell"
        folder.parent.mkdir()
        dying(folder, job, n)
        found = wrong(folder)
        if found:
            bad[n] = found
        shutil.rmtree(folder.parent)
        if len(bad) >= enough:
            break
    return bad


@pytest.mark.slow
def test_nothing_half_done_is_ever_visible(tmp_path):
    lines = lines_of(tmp_path, work)
    assert lines > 500
    assert sweep(tmp_path, work, range(7, lines + 20, max(1, lines // 45))) == {}


@pytest.mark.slow
def test_a_second_run_may_die_too(tmp_path):
    """The first death leaves leases, a driver, temporary files; the second happens among them."""

    def twice(folder):
        work(folder)

    lines = lines_of(tmp_path, work)
    bad = {}
    for n in range(lines // 3, lines, lines // 12):
        folder = tmp_path / str(n) / ".stepwell"
        folder.parent.mkdir()
        dying(folder, work, n)
        dying(folder, twice, n)
        if found := wrong(folder):
            bad[n] = found
    assert bad == {}


@pytest.mark.slow
def test_this_sweep_would_notice(tmp_path):
    """The negative control: a store that makes results visible before their files are there."""

    def careless(folder):
        work(folder, careless=True)

    lines = lines_of(tmp_path, careless)
    assert sweep(tmp_path, careless, range(lines // 3, lines, max(1, lines // 60)), enough=1)


@pytest.mark.slow
def test_this_sweep_would_notice_a_commit_in_two_halves(tmp_path, monkeypatch):
    """Another: results and their small blobs in different transactions."""
    whole = results_module.Results.write

    def halves(self, connection):
        made, self._made = self._made, {}
        whole(self, connection)
        connection.execute("COMMIT")
        connection.execute("BEGIN IMMEDIATE")
        kept, self._kept, self._made = self._kept, [], made
        whole(self, connection)
        self._kept = kept

    def job(folder):
        monkeypatch.setattr(results_module.Results, "write", halves)
        work(folder)

    lines = lines_of(tmp_path, job)
    assert sweep(tmp_path, job, range(lines // 2, lines, max(1, lines // 150)), enough=1)


@pytest.mark.deep
def test_every_line(tmp_path):
    lines = lines_of(tmp_path, work)
    assert sweep(tmp_path, work, range(1, lines + 20)) == {}


# ---------------------------------------------------------------------- taking away, and bringing back

LATER = 400 * DAY


def lived_in(folder):
    """A store with four runs, of which the first three have results of their own and share others."""
    for number in range(4):
        with open_store(folder) as store:
            record = store.begin(FACTS)
            for i in range(STEPS):
                name = f"{min(number, 2) if i < 3 else 'all'}-{i}"
                result = store.results.result(result_of(name).key)
                if result is None:
                    output = output_of(store, i) if i >= 3 else output_with(store, number, i)
                    result = result_of(name, [output], step=f"p:s{i}", run=record.run)
                    store.results.keep(result, [output])
                    record.add(StepFinished(i, Decision(i, "run", (Reason("new", ""),), result.key), result))
                else:
                    record.add(StepReused(i, Decision(i, "cached", (Reason("cached", ""),)), result))
                record.add(Said(i, "stdout", f"step {i}\n"))
            record.add(RunFinished("succeeded", 1.0))


def output_with(store, number, i):
    """Bytes that are few or many, and those of one run alone."""
    digest, size, data = put(store, b"%d of run %d" % (i, number) * (INLINE if i == 1 else 1))
    return Made(Artifact("result", "bytes", digest, size), data)


def collect(folder):
    """Everything goes that only the first two runs used."""
    with open_store(folder) as store:
        facts = look(store, None, POLICY, LATER + time.time())
        remove(
            store,
            decide(facts, POLICY),
            lambda shown: decide(look_at_rows(store, facts._replace(shown=shown), POLICY), POLICY),
            now=1.0,
        )


POLICY = Policy(2, DAY)


def bring_back(folder):
    with open_store(folder) as store:
        undo(store)


def throw_away(folder):
    with open_store(folder) as store:
        empty(store)


def told(folder):
    """Every run with what its steps gave, to the byte; and what is wrong with the store."""
    with open_store(folder) as store:
        found = [str(finding) for finding in verify(store)]
        runs = {}
        for run in store.runs.runs():
            for step in store.runs.steps(run.run):
                if step.result is None or step.result.lost:
                    found.append(f"{run.run}: {step.id} has no result")
                    continue
                try:
                    runs[run.run, step.id] = content_of(store, run.run, step)
                except StepwellError as error:
                    found.append(f"{run.run}: {step.id}: {error.what}")
        return runs, found


def content_of(store, run, step):
    """What a step gave, its parts, and what it printed."""
    (artifact,) = step.outputs
    data = store.results.data(artifact)
    whole = bytes(store.blobs.open(artifact.digest).data) if data is None else data
    parts = [store.blobs.part(part).read_bytes() for part in artifact.parts]
    return whole, parts, [line.text for line in store.runs.logs(run, step.node)]


def bad_points(tmp_path, made, job, points, after):
    """The points of death in `job`, on a copy of the store `made`, after which `after(folder)` finds fault."""
    bad = {}
    for n in points:
        folder = tmp_path / f"die{n}" / ".stepwell"
        shutil.copytree(made, folder)
        dying(folder, job, n)
        if found := after(folder):
            bad[n] = found
        shutil.rmtree(folder.parent)
    return bad


def counted(tmp_path, made, job):
    """How many lines of the store's code a job on a copy of the store `made` executes, or a few less."""
    low, high = 1, 2
    while True:
        folder = tmp_path / f"count{high}" / ".stepwell"
        shutil.copytree(made, folder)
        if not dying(folder, job, high):
            return low
        low, high = high, high + max(1, high // 8)


def removed_or_not(whole, kept):
    """After a death in `collect`: all or nothing is gone, all comes back, and it can be done again."""

    def after(folder):
        runs, found = told(folder)
        if runs not in (whole, kept):
            found.append(f"neither all nor what was to stay: {sorted(runs)}")
        work(folder)  # a new run has no trouble
        collect_again = folder.parent / "again"
        shutil.copytree(folder, collect_again)
        bring_back(folder)
        again, wrong_then = told(folder)
        found += wrong_then
        if {name: again.get(name) for name in whole} != whole:
            found.append("not all came back")
        collect(collect_again)
        throw_away(collect_again)
        left, wrong_then = told(collect_again)
        found += wrong_then
        if any((collect_again / "trash").rglob("*/??*")) or ("r1", "s0") in left:
            found.append("something stayed")
        return found

    return after


def back_or_not(whole):
    """After a death in `bring_back`: once more, and everything is as it was."""

    def after(folder):
        found = told(folder)[1]
        bring_back(folder)
        runs, wrong_then = told(folder)
        return [*found, *wrong_then, *(["not all came back"] if runs != whole else [])]

    return after


def thrown_or_not(whole, kept):
    """After a death in `throw_away`: what stays is whole, and the rest comes back whole or is gone."""

    def after(folder):
        found = told(folder)[1]
        bring_back(folder)
        runs, wrong_then = told(folder)
        found += wrong_then
        if runs not in (whole, kept):
            found.append("half of it came back")
        throw_away(folder)
        if any((folder / "trash").rglob("*/??*")):
            found.append("files stayed in the trash")
        return found

    return after


def jobs(tmp_path):
    """Each job with the store that it is done on, and what must hold after a death in it."""
    full, cleared = tmp_path / "full" / ".stepwell", tmp_path / "cleared" / ".stepwell"
    lived_in(full)
    shutil.copytree(full, cleared)
    collect(cleared)
    whole, kept = told(full)[0], told(cleared)[0]
    assert set(kept) < set(whole)
    assert {run for run, _ in kept} == {"r3", "r4"}
    return {
        "collect": (full, collect, removed_or_not(whole, kept)),
        "bring_back": (cleared, bring_back, back_or_not(whole)),
        "throw_away": (cleared, throw_away, thrown_or_not(whole, kept)),
    }


@pytest.mark.slow
@pytest.mark.parametrize("name", ["collect", "bring_back", "throw_away"])
def test_removing_may_die_anywhere(tmp_path, name):
    made, job, after = jobs(tmp_path)[name]
    lines = counted(tmp_path, made, job)
    assert lines > 100
    assert bad_points(tmp_path, made, job, range(lines // 3, lines + 40, max(1, lines // 25)), after) == {}


@pytest.mark.slow
def test_this_sweep_would_notice_files_that_go_before_their_rows(tmp_path, monkeypatch):
    made, job, after = jobs(tmp_path)["collect"]
    rows = trash_module._move_rows

    def hasty(connection, going, now):
        with open_store(made, readonly=True) as other:
            folder = Path(connection.execute("PRAGMA database_list").fetchone()[2]).parent
            other.folder = folder
            other.blobs.path = lambda digest: folder / "blobs" / digest[3:5] / digest[5:]
            trash_module._move_files(other, going.files)
        return rows(connection, going, now)

    monkeypatch.setattr(trash_module, "_move_rows", hasty)
    lines = counted(tmp_path, made, job)
    assert bad_points(tmp_path, made, job, range(lines // 2, lines, max(1, lines // 40)), after)


@pytest.mark.deep
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", ["collect", "bring_back", "throw_away"])
def test_removing_may_die_at_every_line(tmp_path, name):
    made, job, after = jobs(tmp_path)[name]
    assert bad_points(tmp_path, made, job, range(1, counted(tmp_path, made, job) + 40), after) == {}


# ---------------------------------------------------------------------- inside SQLite

SHIM = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/types.h>
#include <unistd.h>
static long left = -1;
static void count(void) {
    if (left == -1) { const char *n = getenv("DIE_AT"); left = n ? atol(n) : 0; }
    if (left > 0 && --left == 0) kill(getpid(), SIGKILL);
}
#define WRAP(type, name, params, args) \
    type name params { static type (*real) params; \
        if (!real) real = dlsym(RTLD_NEXT, #name); count(); return real args; }
WRAP(ssize_t, write, (int f, const void *b, size_t n), (f, b, n))
WRAP(ssize_t, pwrite64, (int f, const void *b, size_t n, off_t o), (f, b, n, o))
WRAP(int, fsync, (int f), (f))
WRAP(int, fdatasync, (int f), (f))
WRAP(int, ftruncate64, (int f, off_t n), (f, n))
WRAP(int, unlink, (const char *p), (p))
WRAP(int, link, (const char *a, const char *b), (a, b))
WRAP(int, rename, (const char *a, const char *b), (a, b))
WRAP(int, mkdir, (const char *p, mode_t m), (p, m))
"""


@pytest.mark.deep
def test_every_system_call(tmp_path):
    (tmp_path / "shim.c").write_text(SHIM)
    shim = tmp_path / "shim.so"
    subprocess.run(["gcc", "-shared", "-fPIC", "-O1", "-o", shim, tmp_path / "shim.c", "-ldl"], check=True)
    code = (
        "import importlib.util, sys; from pathlib import Path\n"
        f"spec = importlib.util.spec_from_file_location('crash', {__file__!r})\n"
        "module = importlib.util.module_from_spec(spec); spec.loader.exec_module(module)\n"
        "module.work(Path(sys.argv[1]))"
    )
    bad, n = {}, 0
    while True:
        n += 1
        folder = tmp_path / str(n) / ".stepwell"
        folder.parent.mkdir()
        environment = {
            **os.environ, "LD_PRELOAD": str(shim), "DIE_AT": str(n), "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        }  # fmt: skip
        done = subprocess.run([sys.executable, "-c", code, str(folder)], env=environment, check=False)
        if found := wrong(folder):
            bad[n] = found
        shutil.rmtree(folder.parent)
        if done.returncode == 0:
            break
    assert n > 60
    assert bad == {}
