"""Data from outside: one large file, and 50,000 small ones, seen for the first time and again.

The data are random bytes, made once a benchmark beside the folder of the work and hard-linked into it; a tool
that changes what it adds gets a copy. They are in the page cache, and older than the few seconds for
which a careful tool does not trust a time stamp.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from machine import PEERS, PYTHON, STEPWELL
from measure import environment

from workloads.answers import asked
from workloads.shape import Budget, Check, Contender, Phase, Row, Verdict, Workload, project

HASH = "BLAKE3"
SMALLEST = 1_000
"""Bytes of the file that shows what a command costs without its data."""

UP_TO_DATE = "plan, up to date"
AGE = 6
"""Seconds that the data are left alone before a tool sees them: git and Stepwell read younger files again."""

Rows = Mapping[tuple[str, str], Row]


class Data(NamedTuple):
    """What is added. `name` is the file or folder, `files` of them with `size` bytes each; `pipeline` takes it in."""

    name: str
    pipeline: str
    files: int
    size: int


def large(*, quick: bool) -> Workload:
    """One file of 2 GB (200 MB where quick)."""
    data = Data("big.bin", "large", 1, 200_000_000 if quick else 2_000_000_000)
    against = f"rate of hashing against BLAKE3 on all processors, {{}}: each without its time for {SMALLEST:,} bytes"
    rough = "the same, {}: without an unchanged plan, against all of the script in its better phase"
    speed = tuple(
        Budget(text.format(what), 0.9, lambda rows, rate=rate, what=what: rate(rows, what), least=True)
        for text, rate in ((against, rate_of_data), (rough, rate_of_plan))
        for what in ("wall", "cpu")
    )
    found = sources(data, f"One file of {data.size / 1e9:g} GB as a source", speed, quick=quick)
    tiny, told = data._replace(size=SMALLEST), list[str]()
    smallest = (
        one._replace(name=without(one.name), phases=one.phases[:1])
        for one in (hashed(tiny, told), stepwell(tiny, told, 1))
    )
    return found._replace(contenders=(*found.contenders, *smallest))


def without(name: str) -> str:
    """The contender that does as another with a tiny file: what that other's command costs without its data."""
    return f"{name}, {SMALLEST:,} bytes"


def rate_of_data(rows: Rows, what: str) -> float:
    """What the data cost (`what`: wall or cpu) when first met, like with like: imports and a first plan are in both figures."""
    floor, ours = (
        getattr(rows[name, "first time"], what) - getattr(rows[without(name), "first time"], what)
        for name in (HASH, "stepwell")
    )
    return floor / ours


def rate_of_plan(rows: Rows, what: str) -> float:
    """The same without the contenders with a tiny file: making a store and its first plan counts as hashing."""
    floor = min(getattr(rows[HASH, phase], what) for phase in ("first time", "unchanged"))
    ours = getattr(rows["stepwell", "first time"], what) - getattr(rows["stepwell", "unchanged"], what)
    return floor / ours


def small(*, quick: bool) -> Workload:
    """50,000 files of 1,000 bytes (5,000 where quick), a hundred in a folder."""
    data = Data("data", "small", 5_000 if quick else 50_000, 1_000)
    again = tuple(
        Budget(
            f"{what} against `git status`, CPU",
            2,
            lambda rows, phase=phase: rows["stepwell", phase].cpu / rows["git", "unchanged"].cpu,
        )
        for what, phase in (
            ("plan of a pipeline that is up to date", UP_TO_DATE),
            ("plan of one that never ran, of unchanged files", "unchanged"),
        )
    )
    return sources(data, f"{data.files:,} files of {data.size:,} bytes as a source", again, quick=quick)


def sources(data: Data, title: str, budgets: tuple[Budget, ...], *, quick: bool) -> Workload:
    """The contenders of both."""
    contenders = []
    told: list[str] = []
    times = 2 if quick else 5
    if importlib.util.find_spec("blake3"):
        contenders.append(hashed(data, told))
    contenders.append(copied(data))
    if shutil.which("git"):
        contenders.append(git(data, times))
    if (PEERS / "dvc").exists():
        contenders.append(dvc(data, times))
    contenders.append(stepwell(data, told, times))
    return Workload(
        name=f"sources-{data.pipeline}",
        title=title,
        baseline=HASH,
        contenders=tuple(contenders),
        rounds=1 if quick else 3,
        budgets=budgets,
    )


def stepwell(data: Data, told: list[str], times: int) -> Contender:
    """A plan pins the source; a run hands it to a step that looks at its size, or counts its files.

    Before it ran, each plan is made the whole way; after it, it is recalled where nothing changed, files included.
    """
    plan, run = (STEPWELL, "plan", data.pipeline), (STEPWELL, "run", data.pipeline)
    result = data.size if data.files == 1 else data.files
    return Contender(
        "stepwell",
        (
            Phase("first time", plan, pinned(data, told), once=True),
            Phase("unchanged", plan, pinned(data, told), times=times),
            Phase("run, first time", run, executed(data, result, "succeeded"), once=True),
            Phase("run, unchanged", run, executed(data, result, "cached"), times=times),
            Phase(UP_TO_DATE, plan, pinned(data, told), times=times),
        ),
        lambda folder: in_project(data, folder),
    )


def pinned(data: Data, told: list[str]) -> Check:
    """Check the size and digest that a plan says of its source; of one file, against that which BLAKE3 printed."""

    def check(folder: Path, _output: str) -> Verdict:
        (source,) = asked(folder, "plan", data.pipeline, "--json")["sources"]
        if source["size"] != data.files * data.size or source["changed"]:
            return Verdict("wrong size, or changed")
        if data.files == 1 and told and source["digest"] != f"b3:{told[0]}":
            return Verdict("wrong digest")
        return Verdict()

    return check


def executed(data: Data, result: int, status: str) -> Check:
    """Check the newest run's only step, and its result."""

    def check(folder: Path, _output: str) -> Verdict:
        run = asked(folder, "show", "last", "--json")
        found = asked(folder, "run", data.pipeline, "--json")["result"]
        right = [step["status"] for step in run["steps"]] == [status] and found == result
        return Verdict("" if right else "wrong result, or not what should have run")

    return check


def hashed(data: Data, told: list[str]) -> Contender:
    """The floor: a script that hashes and keeps nothing."""

    def check(_folder: Path, output: str) -> Verdict:
        told[:] = [output.strip()]
        return Verdict("" if len(told[0]) == 64 else "no digest")

    command = (PYTHON, "hashed.py", data.name)
    phases = (
        Phase("first time", command, check, once=True),
        Phase("unchanged", command, check, once=True),
    )
    return Contender(HASH, phases, lambda folder: in_project(data, folder), tool="")


def copied(data: Data) -> Contender:
    """What copying costs."""

    def check(folder: Path, _output: str) -> Verdict:
        files = [path for path in (folder / "copy").rglob("*") if path.is_file()]
        right = (
            len(files) == data.files and sum(path.stat().st_size for path in files) == data.files * data.size
        )
        return Verdict("" if right else "not all copied")

    def prepare(folder: Path) -> None:
        given(data, folder)
        (folder / "copy").mkdir()

    phases = (Phase("first time", ("cp", "-R", data.name, "copy/"), check, once=True),)
    return Contender("cp", phases, prepare, tool="")


def git(data: Data, times: int) -> Contender:
    """`git add`, which keeps compressed copies; after a commit, `git status`."""

    def prepare(folder: Path) -> None:
        quietly(folder, "git", "init", "--quiet")
        given(data, folder)

    def commit(folder: Path) -> None:
        name = ("-c", "user.name=bench", "-c", "user.email=bench@example.org", "-c", "gc.auto=0")
        if quietly(folder, "git", "diff", "--cached", "--name-only"):
            quietly(folder, "git", *name, "commit", "--quiet", "-m", "data")

    def added(folder: Path, _output: str) -> Verdict:
        count = len(quietly(folder, "git", "diff", "--cached", "--name-only").splitlines())
        return Verdict("" if count == data.files else f"{count:,} files added")

    phases = (
        Phase("first time", ("git", "add", data.name), added, once=True),
        Phase("unchanged", ("git", "status", "--porcelain"), silent, times=times, before=commit),
    )
    return Contender("git", phases, prepare, tool="git", rounds=1)


def dvc(data: Data, times: int) -> Contender:
    """`dvc add`, which keeps a copy in its cache; `dvc status`."""
    command = str(PEERS / "dvc" / "bin" / "dvc")

    def prepare(folder: Path) -> None:
        quietly(folder, command, "init", "--no-scm", "--quiet")
        quietly(folder, command, "config", "core.analytics", "false")
        quietly(folder, command, "config", "core.site_cache_dir", str(folder / ".dvc" / "site"))
        given(data, folder, copy=True)

    def added(folder: Path, _output: str) -> Verdict:
        said = (folder / f"{data.name}.dvc").read_text()
        sizes = [int(line.split()[1]) for line in said.splitlines() if line.strip().startswith("size:")]
        return Verdict("" if sizes == [data.files * data.size] else "not all added")

    def up_to_date(_folder: Path, output: str) -> Verdict:
        return Verdict("" if "up to date" in output else "did not find it unchanged")

    phases = (
        Phase("first time", (command, "add", data.name), added, once=True),
        Phase("unchanged", (command, "status"), up_to_date, times=times),
    )
    return Contender("dvc", phases, prepare, tool="dvc", rounds=1)


def silent(_folder: Path, output: str) -> Verdict:
    """Check that a command found nothing to say."""
    return Verdict("" if not output.strip() else "did not find it unchanged")


def in_project(data: Data, folder: Path) -> None:
    """The project, which has a pipeline for either source and the script of the floor, with the data in it."""
    project("sources", folder)
    given(data, folder)


def given(data: Data, folder: Path, *, copy: bool = False) -> None:
    """Put the data into a folder of work, by links or as a copy, and let them be older than `AGE`."""
    made = folder.parent / f"{data.pipeline}-{data.files}-{data.size}"
    if not made.exists():
        make(data, made)
    how: Callable[[str, str], object] = shutil.copyfile if copy else os.link
    if data.files == 1:
        how(str(made / data.name), str(folder / data.name))
    else:
        shutil.copytree(made / data.name, folder / data.name, copy_function=how)
    os.sync()
    time.sleep(AGE)


def make(data: Data, made: Path) -> None:
    """Write the data: random bytes, in folders of a hundred files where there are several."""
    made.mkdir()
    if data.files == 1:
        with (made / data.name).open("wb") as file:
            for start in range(0, data.size, 1 << 24):
                file.write(os.urandom(min(1 << 24, data.size - start)))
        return
    for number in range(data.files):
        path = made / data.name / f"{number // 100:03d}" / f"{number % 100:02d}.bin"
        if not number % 100:
            path.parent.mkdir(parents=True)
        path.write_bytes(os.urandom(data.size))


def quietly(folder: Path, *command: str) -> str:
    """What a command prints, unmeasured. Raises `CalledProcessError`."""
    done = subprocess.run(command, cwd=folder, env=environment(), capture_output=True, text=True, check=True)
    return done.stdout
