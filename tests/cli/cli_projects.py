"""The real command on small projects: `project.write(...)`, then `project("run", "count=2")`.

With `--json` every answer is checked against its published schema; and whatever happens, nobody is
shown a traceback that is not of the user's own code.
"""

from __future__ import annotations

import json
import os
import re
import sqlite3
import subprocess
import sys
import textwrap
import time
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from jsonschema import Draft202012Validator
from referencing import Registry, Resource

SCHEMAS = Path(__file__).parents[2] / "docs" / "reference" / "schemas"
STEPWELL = Path(sys.executable).with_name("stepwell")

HELLO = """
    from stepwell import log, pipeline, step

    @step
    def numbers(count: int) -> list[int]:
        return [n * n for n in range(count)]

    @step
    def total(values: list[int]) -> int:
        log.metric("values", len(values))
        print("adding", len(values))
        return sum(values)

    @pipeline
    def squares(count: int = 10) -> int:
        return total(numbers(count))
"""


class Result(NamedTuple):
    """What a command gave."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one document on stdout."""
        return json.loads(self.out)

    @property
    def steps(self) -> dict[str, Any]:
        """The steps of the document, by id."""
        return {step["id"]: step for step in self.json["steps"]}

    @property
    def decisions(self) -> dict[str, str]:
        """Each step's decision."""
        return {name: step["decision"] for name, step in self.steps.items()}


@cache
def validator(name: str) -> Draft202012Validator:
    found = {path.stem: json.loads(path.read_text("utf-8")) for path in SCHEMAS.glob("*.json")}
    resources = [(f"{key}.json", Resource.from_contents(schema)) for key, schema in found.items()]
    return Draft202012Validator({"$ref": f"{name}.json"}, registry=Registry().with_resources(resources))


def check_document(verb: str, text: str) -> None:
    """That the output is one document, on one line, of the verb's schema."""
    assert text.endswith("\n"), text
    assert text.count("\n") == 1, text
    document = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    alone = next(iter(document)) if len(document) == 1 else ""
    validator(alone if alone in ("error", "help") else verb).validate(document)


def surroundings(folder: Path, **more: str) -> dict[str, str]:
    """An environment in which nothing of the caller's settings counts."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ}
    home = folder / "home"
    home.mkdir(exist_ok=True)
    return {
        **kept,
        "HOME": str(home),
        "PATH": f"{STEPWELL.parent}{os.pathsep}{kept.get('PATH', '')}",
        "GIT_CEILING_DIRECTORIES": str(folder),
        "GIT_CONFIG_NOSYSTEM": "1",
        "TERM": "xterm-256color",
        **more,
    }


class Project:
    """A project's folder; call it to run the command there."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "demo"
        self.root.mkdir()
        self.env = surroundings(folder)

    def write(self, text: str = HELLO, name: str = "pipeline.py") -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text).lstrip("\n"), "utf-8")
        return path

    def edit(self, old: str, new: str, name: str = "pipeline.py") -> None:
        path = self.root / name
        text = path.read_text("utf-8")
        assert old in text
        path.write_text(text.replace(old, new), "utf-8")

    def __call__(
        self,
        *words: str,
        code: int | None = 0,
        cwd: Path | None = None,
        env: dict[str, str] | None = None,
        **how: Any,
    ) -> Result:
        """Run `stepwell WORDS`; its exit code must be `code` (None: any)."""
        how.setdefault("stdin", subprocess.DEVNULL)
        done = subprocess.run(
            [STEPWELL, *words], cwd=cwd or self.root, env={**self.env, **(env or {})}, check=False,
            capture_output=True, timeout=60, **how,
        )  # fmt: skip
        result = Result(done.returncode, done.stdout.decode(), done.stderr.decode())
        told = f"stepwell {' '.join(words)}\n{result.out}\n{result.err}"
        assert code is None or result.code == code, f"exit {result.code}, not {code}: {told}"
        if result.code not in (0, 1):
            assert "Traceback" not in result.out + result.err, told
        assert "E000" not in result.out + result.err, told
        if "--json" in words:
            verb = next(word for word in words if word in VERBS or word == words[-1])
            check_document("plan" if verb == "run" and {"-n", "--dry-run"} & {*words} else verb, result.out)
        return result

    def start(self, *words: str, **how: Any) -> subprocess.Popen[bytes]:
        """The command, started and not waited for."""
        return subprocess.Popen(
            [STEPWELL, *words], cwd=self.root, env=self.env, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, **how,
        )  # fmt: skip

    def refused(self, *words: str, code: int, **how: Any) -> dict[str, Any]:
        """An error, asked for as text and as JSON: both must say the same; gives its fields."""
        text = self(*words, code=code, **how)
        assert text.out == ""
        error = self(*words, "--json", code=code, **how).json["error"]
        lines = text.err.splitlines()
        assert lines[0] == f"error[{error['code']}] {error['what']}"
        assert error["why"] or error["fixes"], "neither why nor what to do"
        assert not error["why"] or f"  why   {error['why']}" in lines
        assert all(fix in text.err for fix in error["fixes"])
        assert f"  docs  stepwell explain {error['code']}" in lines
        return error


VERBS = (
    "new",
    "adopt",
    "plan",
    "graph",
    "run",
    "debug",
    "replay",
    "why",
    "describe",
    "runs",
    "show",
    "compare",
    "ui",
    "report",
    "export",
    "logs",
    "add",
    "freeze",
    "lock",
    "release",
    "compat",
    "promote",
    "rollback",
    "yank",
    "unyank",
    "channels",
    "history",
    "recall",
    "reproduce",
    "accept",
    "get",
    "verify",
    "gc",
    "explain",
    "completion",
    "version",
)


def kept(project: Any) -> tuple[dict[str, list[Any]], list[Path]]:
    """Everything that the store of a project holds but its caches: rows by table, and the files of blobs."""
    store = project.root / ".stepwell"
    database = sqlite3.connect(f"file:{store / 'store.db'}?mode=ro", uri=True)
    tables = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    rows = {name: database.execute(f"SELECT * FROM {name}").fetchall() for name in tables if name != "memo"}
    database.close()
    return rows, sorted(path for path in (store / "blobs").rglob("*") if path.is_file())


def wait_for(truth: Any, seconds: float = 20.0) -> Any:
    """Wait until `truth()` is true; gives what it gave."""
    until = time.monotonic() + seconds
    while not (found := truth()):
        assert time.monotonic() < until, "it did not come to pass"
        time.sleep(0.01)
    return found


def bare(text: str) -> str:
    """Text without escape sequences."""
    return re.sub(r"\x1b(\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)|[@-_])", "", text)


def as_a_mortal(*command: object) -> list[str]:
    """A command for which the modes of files count, also where root runs the tests."""
    words = [str(word) for word in command]
    if os.geteuid() != 0:
        return words
    return ["setpriv", "--bounding-set=-dac_override,-dac_read_search", *words]
