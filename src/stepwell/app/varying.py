"""`reproduce --vary`: one step with its recorded inputs under other circumstances, one at a time, to see which one matters.

    found = varied(Asked("train", "r3", "", here, root))

Each circumstance is a process of its own, which differs from the first one in exactly one thing: the seed of Python's hashes,
the number of threads, the time zone, the language, the folder that the project lies in, the mask of new files. The first one
changes nothing: a step that already gives something else then depends on more than these (the clock, chance, the network).
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from stepwell.app.closeness import EQUAL, close
from stepwell.app.differing import Kept, kept, value_of
from stepwell.app.rebuilt import content
from stepwell.app.retold import error_of
from stepwell.dist.verdicts import Grade, worst
from stepwell.errors import NotVaried, StepwellError, typed
from stepwell.stores.blobs import Blobs
from stepwell.stores.local import LocalStore

if TYPE_CHECKING:
    from stepwell.app.again import Session

THREADS = (
    "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS", "POLARS_MAX_THREADS",
    "RAYON_NUM_THREADS", "VECLIB_MAXIMUM_THREADS", "LOKY_MAX_CPU_COUNT",
)  # fmt: skip
"""Variables by which libraries are told how many threads to start."""

AT_ONCE = 3
"""Processes at once."""

START = "import sys; sys.path[:] = {path!r}; from stepwell.app.varying import inside; inside(sys.argv[1])"

_LEFT_OUT = frozenset((".git", ".hg", ".stepwell", ".venv", "__pycache__", "node_modules"))
"""Folders of a project that no step is given."""

_COPIED = frozenset((".py", ".toml", ".ipynb", ".pyi"))
"""Suffixes of files that are copied, since those that are found by a link are known by where they really lie."""


class Asked(NamedTuple):
    """A step by name or id, the run whose inputs it gets ("" the newest that has it), the pipeline ("" the default), where the command was called, the project's root."""

    step: str
    run: str
    pipeline: str
    here: Path
    root: Path


class Circumstance(NamedTuple):
    """What one process differs in: its `name`, what is said of it, variables, whether the project lies elsewhere, the mask of new files."""

    name: str
    told: str
    variables: Mapping[str, str] = {}
    elsewhere: bool = False
    umask: int | None = None


class Outcome(NamedTuple):
    """What came out under a circumstance: the grade beside what is recorded, in words. F also where the step failed, or could not be called."""

    circumstance: Circumstance
    grade: Grade
    how: str
    failed: bool = False


class Varied(NamedTuple):
    """A step under all circumstances. `first` is the one in which nothing is changed; `run` has the inputs."""

    step: str
    run: str
    first: Outcome
    outcomes: tuple[Outcome, ...]

    @property
    def matters(self) -> tuple[Outcome, ...]:
        """Those under which something else came out than without them; bytes count where the first had the same bytes.

        None under which it failed: an error may have any cause.
        """
        if self.first.failed:
            return ()
        return tuple(
            one
            for one in self.outcomes
            if not one.failed and one.grade != self.first.grade and one.grade != "A"
        )


def circumstances() -> Iterator[Circumstance]:
    """What is varied, beside what this process has."""
    seed = os.environ.get("PYTHONHASHSEED", "0")
    other = "1" if seed != "1" else "2"
    yield Circumstance("hash seed", f"PYTHONHASHSEED={other}", {"PYTHONHASHSEED": other})
    now = os.environ.get("OMP_NUM_THREADS") or str(os.cpu_count() or 1)
    count = "1" if now != "1" else "2"
    yield Circumstance("threads", f"{count} in place of {now}", dict.fromkeys(THREADS, count))
    zone = "<+1345>-13:45" if os.environ.get("TZ") != "<+1345>-13:45" else "UTC"
    yield Circumstance("time zone", f"TZ={zone}", {"TZ": zone})
    language = _language()
    bare = {"PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    yield Circumstance("language", f"LC_ALL={language}", {"LC_ALL": language, "LANG": language, **bare})
    yield Circumstance("folder", "the project lies elsewhere", elsewhere=True)
    yield Circumstance("file mask", "umask 077", umask=0o077)


@cache
def _language() -> str:
    """A locale of this machine that is unlike most: one with other letters and numbers, else none at all."""
    try:
        said = subprocess.run(
            ["locale", "-a"], capture_output=True, text=True, errors="replace", check=False
        ).stdout
    except OSError:  # a system without the command
        said = ""
    there = {line.strip() for line in said.splitlines()}
    now = os.environ.get("LC_ALL") or os.environ.get("LANG", "")
    unlike = ("tr_TR.utf8", "tr_TR.UTF-8", "de_DE.utf8", "de_DE.UTF-8", "fr_FR.utf8", "fr_FR.UTF-8")
    return next((name for name in unlike if name in there and name != now), "C")


def varied(asked: Asked) -> Varied:
    """Call the step under each circumstance.

    Raises `NotVaried` where its process ends without a word or the project's code changes meanwhile, and what finding the step and its inputs raises (`app.again.ready`).
    """
    first = Circumstance("as it is", "nothing changed")
    before = dict(_code(asked.root))
    answer = _called(asked, first)
    base = Outcome(first, answer["grade"], answer["how"], failed=answer.get("failed", False))
    with ThreadPoolExecutor(AT_ONCE) as pool:
        outcomes = tuple(pool.map(partial(_outcome, asked), circumstances()))
    after = dict(_code(asked.root))
    changed = sorted({name for name, _ in before.items() ^ after.items()})
    if changed:
        more = f" and {len(changed) - 3} more" if len(changed) > 3 else ""
        raise NotVaried(
            f"the project's code changed while `{asked.step}` was called: {', '.join(changed[:3])}{more}",
            why="what came out is not of the same code, so it says nothing of what was varied",
            fixes=[f"stepwell reproduce --vary {asked.step}   again"],
        )
    return Varied(answer["step"], answer["run"], base, outcomes)


def _outcome(asked: Asked, one: Circumstance) -> Outcome:
    try:
        answer = _called(asked, one)
    except StepwellError as error:  # what did not stand in the way before
        return Outcome(one, "F", f"it cannot be called: {error.what}", failed=True)
    return Outcome(one, answer["grade"], answer["how"], failed=answer.get("failed", False))


def _code(root: Path) -> Iterator[tuple[str, tuple[int, int]]]:
    """The project's files of code by name, each with its size and the time of its last change."""
    for folder, folders, names in os.walk(root):
        folders[:] = [name for name in folders if name not in _LEFT_OUT]
        for name in names:
            path = Path(folder, name)
            if path.suffix not in _COPIED:
                continue
            try:
                found = path.stat()
            except OSError:  # gone meanwhile, which is seen when the two are compared
                continue
            yield path.relative_to(root).as_posix(), (found.st_size, found.st_mtime_ns)


def _called(asked: Asked, one: Circumstance) -> dict[str, Any]:
    """What a process of its own says of the step. Raises what it was refused with."""
    with tempfile.TemporaryDirectory(prefix="stepwell-vary-", ignore_cleanup_errors=True) as folder:
        place = Path(folder).resolve()
        here = asked.here
        if one.elsewhere:
            twin = place / "another folder"
            _twin(asked.root, twin)
            here = (
                twin / asked.here.relative_to(asked.root) if asked.here.is_relative_to(asked.root) else twin
            )
        order = {**asked._asdict(), "here": str(here), "root": str(asked.root), "umask": one.umask}
        (place / "order.json").write_text(json.dumps(order), "utf-8")
        program = START.format(path=[entry for entry in sys.path if entry])
        environment = {"PYTHONHASHSEED": "0", **os.environ, **one.variables, "PWD": str(here)}
        done = subprocess.run(
            [sys.executable, "-P", "-c", program, str(place)], cwd=here, env=environment, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False,
        )  # fmt: skip
        try:
            answer: dict[str, Any] = json.loads((place / "answer.json").read_bytes())
        except (OSError, ValueError):
            said = done.stderr.decode("utf-8", "replace").strip().splitlines()
            raise NotVaried(
                f"the process of `{asked.step}` ended without a word (exit code {done.returncode})",
                why=said[-1][:300] if said else "",
                fixes=[f"stepwell replay {typed(asked.step)}   calls it in this process"],
            ) from None
    if "how" in answer:
        answer["how"] = answer["how"].replace(str(place), "…")
    if "error" in answer:
        raise error_of(answer["error"])
    return answer


def _twin(root: Path, folder: Path) -> None:
    """The project's folder at another place: folders anew, code copied, everything else as links."""
    folder.mkdir()
    for entry in sorted(os.scandir(root), key=lambda entry: entry.name):
        target = folder / entry.name
        if entry.name in _LEFT_OUT:
            continue
        if entry.is_dir(follow_symlinks=False):
            _twin(Path(entry.path), target)
        elif entry.is_file() and target.suffix in _COPIED:
            shutil.copyfile(entry.path, target)
        else:
            target.symlink_to(Path(entry.path).resolve())


# --------------------------------------------------------------------------- the other process


def inside(folder: str) -> None:
    """Call the step that an order names, and write what came of it into the folder."""
    place = Path(folder)
    order = json.loads((place / "order.json").read_text("utf-8"))
    if order["umask"] is not None:
        os.umask(order["umask"])
    try:
        answer = _answer(order)
    except StepwellError as error:
        answer = {"error": error.as_dict()}
    beside = place / ".answer.json"
    beside.write_text(json.dumps(answer), "utf-8")
    beside.rename(place / "answer.json")


def _answer(order: Mapping[str, Any]) -> dict[str, Any]:
    from stepwell.app.again import Session, Wish, ready
    from stepwell.app.places import stored

    wish = Wish(order["step"], order["run"], order["pipeline"], Path(order["here"]), outputs=True)
    with stored(Path(order["root"]), looking=True, create=False) as store:
        found = ready(store, wish)
        about = {"step": found.task.id, "run": found.then.name}
        with Session(found, store, lambda name, value, place: None) as session:
            try:
                graded = list(_graded(session, store))
            except KeyboardInterrupt:
                raise
            except BaseException as error:  # whatever a step raises, `sys.exit` too  # noqa: BLE001
                how = f"it fails: {session.failure(error).what}"[:300]
                return {**about, "grade": "F", "how": how, "failed": True}
        told = [how for grade, how in graded if grade != "A"]
        return {
            **about,
            "grade": worst([grade for grade, _ in graded]),
            "how": "; ".join(told) or "the same bytes",
        }


def _graded(session: Session, store: LocalStore) -> Iterator[tuple[Grade, str]]:
    """Each output of the step beside the recorded one. Raises what the step raises."""
    from stepwell.app.differing import sentence
    from stepwell.app.replay import compared

    value = session.call()
    with tempfile.TemporaryDirectory(prefix="stepwell-", ignore_cleanup_errors=True) as folder:
        blobs = Blobs(Path(folder))
        blobs.make()
        made = session.keep(value, blobs)
        data = {one.artifact.name: one.data for one in made}
        for one in compared(store, session.found.then.wanted.outputs, blobs, made):
            if one.same:
                yield "A", ""
            elif (
                one.then is not None
                and one.now is not None
                and _is_same_content(kept(store, one.then), Kept(one.now, blobs, data[one.name]))
            ):
                yield "B", f"`{one.name}`: the same content, in other bytes"
            else:
                yield "F", sentence(one.name, one.differences)


def _is_same_content(then: Kept, now: Kept) -> bool:
    try:
        before, after = value_of(then), value_of(now)
        digest = content(before)
        return digest == content(after) if digest else close(before, after, 0.0) == EQUAL
    except Exception:  # methods of the user's classes are called, and libraries: then nobody knows  # noqa: BLE001
        return False
