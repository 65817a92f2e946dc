"""`plan` and `run` of a pipeline of which nothing changed: answered from what the last such command found.

The front door of both verbs. A command without options that an answer could depend on is looked up
(`app.standing`); what is proven is printed, and for `run` recorded as any other run in which nothing
was to be done. Everything else goes the whole way, and leaves an answer behind if it can. Of this
module only what a hit needs is imported at the top.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stepwell.app.places import store_folder
from stepwell.app.standing import Standing, keep, question, recall, renew
from stepwell.author.root import root_of
from stepwell.cli.text import coloured, columns, first_line, last_line
from stepwell.errors import StepwellError
from stepwell.named import NamedTuple

if TYPE_CHECKING:
    from stepwell.app.progress import Progress
    from stepwell.app.session import Settings, Work
    from stepwell.kernel.ports import Result
    from stepwell.stores.database import Database
    from stepwell.stores.local import LocalStore
    from stepwell.stores.memo import Memo

VERBS = ("plan", "run")
BEGAN = time.time_ns()
"""When this process began, near enough, in nanoseconds since 1970: what changed later was perhaps read before."""

ASKED = time.monotonic()
"""The same moment, by the clock that never goes back: what a run takes is counted from here."""

DEFAULT_FILE = "pipeline.py"


class Asked(NamedTuple):
    """A command that may be answered so: its verb, and the key of its question."""

    verb: str
    key: str


def asked(verb: str, words: Sequence[str]) -> Asked | None:
    """The question of a verb and the words behind it, in the present folder; None for one that depends on options."""
    plain = [word for word in words if not word.startswith("-")]
    if verb not in VERBS or len(plain) != len(words) or os.environ.get("STEPWELL_RECALL") == "0":
        return None
    shape = (columns(), coloured(sys.stdout)) if verb == "plan" else ()
    file = _file(plain)
    return Asked(verb, question(verb, plain, (*shape, os.path.realpath(file) if file is not None else "")))


def answered(asking: Asked, words: Sequence[str]) -> int | None:
    """Answer it, if that can be proven; gives the exit code, None where it has to be planned."""
    root = _root(words)
    if root is None:
        return None
    folder = store_folder(root)
    if not (folder / "store.db").exists():
        return None
    from stepwell.stores.blobs import Blobs
    from stepwell.stores.database import connect
    from stepwell.stores.memo import Memo

    try:
        database = connect(folder, create=False, readonly=None)
    except StepwellError:  # which the whole way tells
        return None
    try:
        memo = Memo(database)
        found = recall(asking.key, root, database, memo, Blobs(folder, readonly=database.readonly))
        if found is None or database.notes or (asking.verb == "run" and database.readonly):
            return None
        if asking.verb == "plan":
            print(found.shown["text"])
            return 0
        return _run_again(asking, root, found, database, memo)
    except (StepwellError, LookupError, TypeError, ValueError):  # memo and record may hold anything
        return None
    finally:
        database.close()


def _file(words: Sequence[str]) -> str | None:
    """The file that the words name, or that is taken without a name; None for a module."""
    name = next((word for word in words if "=" not in word), "")
    place = name.partition(":")[0] if name.partition(":")[0].endswith(".py") else ""
    return None if ":" in name and not place else place or DEFAULT_FILE


def _root(words: Sequence[str]) -> Path | None:
    """The root of the project that the words mean, None where there is no such file."""
    named = _file(words)
    if named is None:
        return root_of(Path.cwd())
    file = Path(named).resolve()
    return root_of(file) if file.is_file() else None


def _run_again(asking: Asked, root: Path, found: Standing, database: Database, memo: Memo) -> int | None:
    """Record one more run in which nothing was to be done, and say so."""
    from stepwell.app.git import Question
    from stepwell.stores.standing import repeat

    database.writers.append(memo)
    question = Question(root)
    shown, painted = found.shown, coloured(sys.stdout)
    title, body, tail = shown["title"][painted], shown["body"][painted], shown["tail"]
    commit, took = question.answer(), time.monotonic() - ASKED
    run, made = repeat(
        database,
        found.run,
        started=BEGAN / 1e9,
        seconds=took,
        commit=commit.id,
        dirty=commit.dirty,
        argv=sys.argv[1:],
    )
    if not run:
        return None
    if made:  # the next one repeats this run, which is simpler
        renew(asking.key, found._replace(run=int(run.removeprefix("r"))), memo)
        database.commit(now=True)
    for note in shown["notes"]:
        print(note, file=sys.stderr)
    lines = [first_line(title, run, sys.stdout), *body, last_line(run, "succeeded", took, tail, sys.stdout)]
    print("\n".join(lines))
    return 0


# --------------------------------------------------------------------------- after the whole way


def keep_plan(asking: Asked | None, work: Work, settings: Settings, text: str) -> None:
    """Keep what a plan printed, for as long as it stays true."""
    if asking is None:
        return
    from stepwell.app.lasting import found

    results = found(work.plan)
    if results is not None:
        _keep(asking, work, results, settings, {"text": text})


def keep_run(
    asking: Asked | None,
    work: Work,
    settings: Settings,
    run: str,
    progress: Progress,
    result: Any,
    notes: Sequence[str],
) -> None:
    """Keep what the same command will show now that nothing is to be done any more. Nothing of one that tells hooks."""
    if asking is None or progress.status != "succeeded":
        return
    from stepwell.app.hooks import NONE, hooks_for
    from stepwell.app.lasting import settled
    from stepwell.app.progress import AllReused
    from stepwell.cli.screen import title, unchanged_lines

    if hooks_for(work, settings)._replace(allowed=frozenset()) != NONE:
        return
    results = settled(work, progress)
    if results is None:
        return
    reused = AllReused(work.plan, results)
    streams = (io.StringIO(), _Terminal())
    shown = {
        "title": [title(work.plan, stream) for stream in streams],
        "body": [unchanged_lines(work.plan, run, reused, result, stream) for stream in streams],
        "tail": f"0 ran, {len(work.plan.decisions):,} cached",
        "notes": list(notes),
    }
    _keep(asking, work, results, settings, shown, int(run.removeprefix("r")))


class _Terminal(io.StringIO):
    """What is painted for a terminal."""

    def isatty(self) -> bool:
        """It is one."""
        return True


def _keep(
    asking: Asked,
    work: Work,
    results: Sequence[Result],
    settings: Settings,
    shown: dict[str, Any],
    run: int = 0,
) -> None:
    from stepwell.app.lasting import standing_of

    store: LocalStore = work.store
    with contextlib.suppress(StepwellError):  # a full disk, say: what was asked for is done
        standing = standing_of(work, results, settings, BEGAN, shown, run)
        if standing is not None:
            keep(asking.key, standing, [result.key for result in results], store.memo)
            store.commit(now=True)
