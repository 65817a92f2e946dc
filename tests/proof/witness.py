"""Fresh processes by the hundred: a server that has Stepwell imported, and forks for each question.

Each answer comes from a process of its own, so that nothing that one run loaded is there for the
next. Two questions: `planned_and_run`, through the real store, the real loading of code and a real
engine; and `plain`, the same calls as ordinary Python functions, with nothing of Stepwell's but the
decorators: what a run from nothing must give.

Run as a program (`python -P witness.py`) it is the server; imported, it holds the client, `Witness`.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import json
import os
import sqlite3
import subprocess
import sys
import traceback
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

CACHES = {"memo", "gone"}
"""Tables of the store that may be written by who only looks: what they hold can be found out again."""

Answer = dict[str, Any]


class Witness:
    """The client. `ask` raises `AssertionError` with the traceback of a question that failed."""

    def __init__(self) -> None:
        environment = {name: v for name, v in os.environ.items() if not name.startswith("STEPWELL")}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)  # byte code must not matter
        self._server = subprocess.Popen(
            [sys.executable, "-P", __file__],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment,
        )  # fmt: skip

    def ask(self, **question: Any) -> Answer:
        """The answer to one question, from a fresh process."""
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        self._server.stdin.write(json.dumps(question) + "\n")
        self._server.stdin.flush()
        answer = json.loads(self._server.stdout.readline() or '{"error": "the server died"}')
        if "error" in answer:
            raise AssertionError(answer["error"])
        return answer

    def __enter__(self) -> Witness:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        self._server.stdin.close()
        self._server.wait(10)
        self._server.stdout.close()


# ---------------------------------------------------------------------- the server


def serve() -> None:
    """Answer one question a line, until there are no more."""
    import stepwell.app.session
    import stepwell.app.values
    import stepwell.engines.inprocess
    import stepwell.engines.local  # noqa: F401  # imported once for all questions
    from stepwell import pipeline, source, step  # noqa: F401

    for line in sys.stdin:
        print(_in_a_child(json.loads(line)), flush=True)


def _in_a_child(question: Answer) -> str:
    ours, theirs = os.pipe()
    child = os.fork()
    if not child:
        os.close(ours)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(2, 1)
        try:
            answer = {"plain": plain, "run": planned_and_run}[question.pop("do")](**question)
        except BaseException:  # whatever it is, the test is to show it
            answer = {"error": traceback.format_exc()}
        with os.fdopen(theirs, "w") as stream:
            stream.write(json.dumps(answer))
        os._exit(0)
    os.close(theirs)
    with os.fdopen(ours) as stream:
        text = stream.read()
    os.waitpid(child, 0)
    return text or '{"error": "the process died"}'


def _settle(root: str, site: str, variables: dict[str, str]) -> None:
    os.environ.update(variables)
    os.chdir(root)
    if site:
        sys.path.append(site)


def plain(
    root: str, site: str, variables: dict[str, str], calls: list[list[Any]], params: dict[str, Any]
) -> Answer:
    """The value of each call, in order: `calls` are rows of a step's name and its arguments by name.

    An argument is `["node", i]`, `["param", name]`, `["value", v]` or `["source", path]`.
    """
    _settle(root, site, variables)
    sys.dont_write_bytecode = True
    sys.path.insert(0, root)
    module = importlib.import_module("pipeline")
    values: list[Any] = []
    for step, given in calls:
        arguments = {}
        for name, (kind, what) in given.items():
            if kind == "node":
                arguments[name] = values[what]
            elif kind == "param":
                arguments[name] = params[what]
            else:
                arguments[name] = Path(what).read_text() if kind == "source" else what
        values.append(getattr(module, step).function(**arguments))
    return {"values": [short(value) for value in values]}


def short(value: Any) -> str:
    """A value as text to compare; a long one by its digest."""
    text = repr(value)
    return text if len(text) < 100 else hashlib.sha256(text.encode()).hexdigest()


def planned_and_run(
    root: str,
    site: str,
    variables: dict[str, str],
    params: dict[str, Any],
    store: str,
    between: dict[str, str] | None = None,
    workers: bool = False,
) -> Answer:
    """Plan, look whether that wrote anything, then run; `between` are files written between the two, by path.

    With `between` the run is driven with the plan that was made before the files were written.
    """
    _settle(root, site, variables)
    os.environ["STEPWELL_STORE"] = store
    from stepwell.app.places import stored
    from stepwell.app.session import Settings, execute, prepare
    from stepwell.author.project import find, load
    from stepwell.kernel import events as e

    loaded = load(find("", Path(root)))
    before = record_of(store)
    with stored(Path(root), looking=True) as opened:
        plan = prepare(loaded, params, opened).plan
    answer: Answer = {
        "ids": [node.id for node in plan.graph.nodes],
        "plan": [_decision(decision) for decision in plan.decisions],
        "wrote": wrote_more(before, record_of(store)) if before is not None else False,
    }
    with stored(Path(root)) as opened:
        work = prepare(loaded, params, opened)
        answer["again"] = [_decision(decision) for decision in work.plan.decisions]
        for path, text in (between or {}).items():
            Path(path).write_text(text)
        count = len(plan.decisions)
        became: list[Any] = [None] * count
        ran, failed, digests, repaired = [], [], [None] * count, []
        outputs: dict[int, Any] = {}
        settings = Settings(jobs=2, in_process=not workers)
        for event in execute(work, settings):
            if isinstance(event, e.StepReused | e.StepFinished):
                became[event.node] = _decision(event.decision)
                outputs[event.node] = event.result.outputs
                digests[event.node] = event.result.outputs[0].digest
                if isinstance(event, e.StepFinished):
                    ran.append(event.node)
            elif isinstance(event, e.StepRepaired):
                repaired.append(event.node)
            elif isinstance(event, e.StepFailed):
                failed.append([event.node, event.failure.what])
            elif isinstance(event, e.RunFinished):
                answer["status"] = event.status
    with stored(Path(root), looking=True) as opened:
        answer["values"] = [_value(opened, outputs.get(node)) for node in range(count)]
    return answer | {
        "became": became, "ran": ran, "repaired": repaired, "failed": failed, "digests": digests,
    }  # fmt: skip


def _decision(decision: Any) -> Answer:
    return {
        "verb": decision.verb,
        "key": decision.key,
        "kinds": [reason.kind for reason in decision.reasons],
        "texts": [reason.text for reason in decision.reasons],
        "inputs": [list(pair) for pair in decision.inputs],
    }


def _value(store: Any, outputs: Any) -> str | None:
    """A node's value; None where it has none, or where its blob is lost."""
    from stepwell.app.values import load
    from stepwell.errors import ArtifactGone

    if outputs is None:
        return None
    try:
        return short(load(store, outputs[0]))
    except ArtifactGone:
        return None


def wrote_more(before: Recorded | None, after: Recorded | None) -> bool:
    """Whether something was recorded between two looks; a damaged blob that was put aside is nothing recorded."""
    if before is None or after is None:
        return before is not after
    gone = {Path(path).name for path in before.files - after.files}
    aside = {Path(path).name for path in after.files if "quarantine" in path}
    new = {path for path in after.files - before.files if "quarantine" not in path}
    return before.rows != after.rows or bool(new) or len(gone) > len(aside)


class Recorded(NamedTuple):
    """All that a store has recorded, caches left out: a digest of its rows, and its files."""

    rows: str
    files: frozenset[str]


def record_of(store: str) -> Recorded | None:
    """What a store has recorded; None where there is no store yet."""
    file = Path(store) / "store.db"
    if not file.exists():
        return None
    seen = hashlib.sha256()
    with contextlib.closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as connection:
        tables = sorted(
            name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")
        )
        for table in tables:
            if table not in CACHES:
                rows = sorted(map(repr, connection.execute(f'SELECT * FROM "{table}"')))
                seen.update(f"{table}\n{rows}\n".encode())
    files = [path.relative_to(store) for path in Path(store).rglob("*") if path.is_file()]
    kept = frozenset(str(path) for path in files if not path.name.startswith(("store.db", "verified")))
    return Recorded(seen.hexdigest(), kept)


if __name__ == "__main__":
    serve()
