"""Secrets, end to end: a canary goes through every verb, and is then looked for in everything that was left behind."""

from __future__ import annotations

import base64
import contextlib
import html
import json
import os
import sqlite3
import subprocess
import sys
import threading
import zlib
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest
import zstandard

CANARY = 'cänary/+7f3a9"&q=zXk'
"""Has something in it that every encoding writes differently."""

STEPWELL = Path(sys.executable).with_name("stepwell")

IN_FILE = "fileCanary-0451-secondary"
IN_KEYRING = "keyringCanary-8812"

PIPELINE = """
import base64, ctypes, json, os, subprocess, sys, urllib.parse
from stepwell import Secret, log, pipeline, shell, step


@step(retries=1, backoff=0.01)
def fetch(token: Secret, mode: str, other: Secret = Secret.file("token.txt")) -> str:
    value = token.reveal()
    raw = value.encode()
    print("said", value, repr(value), [value], json.dumps(value), json.dumps({"a": value}, ensure_ascii=False))
    print(base64.b64encode(raw).decode(), base64.urlsafe_b64encode(b"user:" + raw).decode(), raw.hex(), raw)
    print(urllib.parse.quote(value, safe=""), urllib.parse.quote_plus(value), other.value, token, f"{token}", file=sys.stderr)
    for part in (value[:4], value[4:9], value[9:], "\\\\n"):
        sys.stdout.write(part)
        sys.stdout.flush()
    os.write(1, raw + b"\\\\n")
    ctypes.CDLL(None).puts(raw)
    subprocess.run([sys.executable, "-c", "import os; print(os.environ['API_TOKEN'])"], check=True)
    with open("token.txt") as file:
        file.read()
    os.environ["API_TOKEN"], os.environ["DERIVED"]
    log.metric(f"metric {value}", 1.0)
    if mode == "raise":
        raise ValueError(f"bad token {value}", raw)
    if mode == "key":
        return {}[value]
    if mode == "return":
        return f"<{value}>"
    if mode == "die":
        os.write(2, b"dying " + raw + b"\\\\n")
        os._exit(3)
    return "fine"


call = shell("printf '%s\\n' {token} >&2; printenv sw_token >&2; cat /proc/$$/cmdline | tr '\\0' ' '; sleep 0.3", stdout=str)
leak = shell("printf %s {token}", stdout=str)


@step
def entry(key: Secret) -> int:
    print(key.reveal())
    return len(key.value)


@pipeline
def main(token: Secret = Secret("API_TOKEN"), mode: str = "", shellish: bool = False, leaking: bool = False):
    got = fetch(token, mode)
    if leaking:
        return leak(token=token)
    return (got, call(token=token)) if shellish else got


@pipeline
def ring(key: Secret = Secret.keyring("service", "user")):
    return entry(key)


@pipeline
def early(token: Secret = Secret("API_TOKEN")):
    return fetch(Secret("OTHER"), token.reveal())
"""

BACKEND = """
import os

from keyring.backend import KeyringBackend

class Backend(KeyringBackend):
    priority = 1
    def get_password(self, service, username):
        return os.environ["RING"] if (service, username) == ("service", "user") else None

    def set_password(self, service, username, password):
        raise NotImplementedError
"""


def forms(value: str) -> set[bytes]:
    """The value in every encoding that is looked for; made here anew, and not by what is tested."""
    raw = value.encode()
    texts = {value, repr(value)[1:-1], ascii(value)[1:-1], json.dumps(value)[1:-1], html.escape(value)}
    texts |= {
        json.dumps(value, ensure_ascii=False)[1:-1],
        quote(value, safe=""),
        quote(value),
        quote_plus(value),
    }
    found = {text.encode() for text in texts}
    found |= {raw.hex().encode(), raw.hex().upper().encode(), repr(raw)[2:-1].encode(), value[::-1].encode()}
    for before in range(3):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            found.add(encode(b"\0" * before + raw)[4 if before else 0 : -4])
    return found


FORMS = frozenset().union(*map(forms, (CANARY, IN_FILE, IN_KEYRING)))


def leaks(data: bytes) -> list[bytes]:
    """The forms that are in some bytes, as they are or packed."""
    todo, found = [data], []
    with contextlib.suppress(zlib.error):
        todo.append(zlib.decompress(data))
    with contextlib.suppress(zstandard.ZstdError):
        todo.append(zstandard.ZstdDecompressor().decompressobj().decompress(data))
    for one in todo:
        found += [form for form in FORMS if form in one]
    return found


def rows(file: Path) -> Iterator[tuple[str, bytes]]:
    """Every value in a SQLite database."""
    with contextlib.closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as connection:
        for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            for row in connection.execute(f'SELECT * FROM "{table}"'):
                for value in row:
                    if isinstance(value, str | bytes):
                        yield (
                            f"{file}:{table}",
                            value.encode("utf-8", "surrogatepass") if isinstance(value, str) else value,
                        )


def left_behind(*folders: Path) -> list[tuple[str, list[bytes]]]:
    """Where in some folders a canary is."""
    found, looked = [], 0
    for file in (one for folder in folders for one in folder.rglob("*")):
        if not file.is_file() or file.name == "token.txt":
            continue
        data = file.read_bytes()
        looked += 1
        pieces = [(str(file), data)]
        if data.startswith(b"SQLite format 3"):
            pieces += rows(file)
        found += [(place, bad) for place, piece in pieces if (bad := leaks(piece))]
    assert looked > 3
    return found


class Project:
    """A folder with a pipeline, and all that its commands said."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.said = folder / "project", b""
        self.temporary = folder / "tmp"
        for one in (self.folder, self.temporary):
            one.mkdir()
        (self.folder / "pipeline.py").write_text(PIPELINE.replace("\\\\", "\\"), "utf-8")
        (self.folder / "backend_for_tests.py").write_text(BACKEND, "utf-8")
        (self.folder / "token.txt").write_text(IN_FILE + "\n", "utf-8")
        self.env = {
            **os.environ,
            "API_TOKEN": CANARY,
            "DERIVED": f"https://user:{CANARY}@host",
            "OTHER": "another one",
            "RING": IN_KEYRING,
            "TMPDIR": str(self.temporary),
            "PYTHON_KEYRING_BACKEND": "backend_for_tests.Backend",
            "PYTHONPATH": str(self.folder),
        }
        self.seen: set[bytes] = set()

    def __call__(self, *words: str, code: int | None = None, **env: str) -> str:
        """Run a command; what it said."""
        done = subprocess.run(
            [str(STEPWELL), *words],
            cwd=self.folder, env={**self.env, **env}, capture_output=True, check=False,
        )  # fmt: skip
        said = done.stdout + done.stderr
        self.said += said
        assert code is None or done.returncode == code, said.decode()
        assert not (bad := leaks(said)), (words, bad, said.decode())
        return said.decode()


@contextlib.contextmanager
def command_lines(seen: set[bytes]) -> Iterator[None]:
    """The command lines of all processes, while the block lasts."""
    over = threading.Event()

    def look() -> None:
        while not over.wait(0.02):
            for place in Path("/proc").glob("[0-9]*"):
                with contextlib.suppress(OSError):
                    seen.add((place / "cmdline").read_bytes())

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


@pytest.mark.slow
def test_the_canary_is_nowhere(project: Project, tmp_path: Path) -> None:
    assert "env:API_TOKEN" in project("plan", "main", code=0)
    project("plan", "main", "--save", "saved.json", "--json", code=0)
    project("describe", "-p", "main", code=0)
    with command_lines(project.seen):
        said = project("run", "main", "shellish=true", "--json", code=0)
    assert '"fine"' not in said or "***" in said
    assert any(b"sleep" in line for line in project.seen), "the shell step was seen while it ran"
    assert not [line for line in project.seen if leaks(line)]
    for mode in ("raise", "key", "return", "die"):
        said = project("run", "main", f"mode={mode}", code=1)
        assert "***" in said
    project("run", "main", "mode=raise", "--in-process", code=1)
    project("run", "main", "mode=x", "--in-process", code=0)
    project("run", "main", "mode=y", "--ghost", code=0)
    project("run", "main", "mode=z", "--strict")
    said = project("run", "main", "leaking=true", code=1)
    assert "E446" in said
    assert "E446" in project("run", "main", "mode=return", code=1)
    assert "E245" in project("plan", "early", code=3)
    project("run", "ring", code=0)
    assert "***" in project("logs", "last", code=0)
    for words in (
        ["show"],
        ["show", "--json"],
        ["runs", "--json"],
        ["why", "fetch", "-p", "main"],
        ["describe", "fetch", "-p", "main", "--json"],
    ):
        project(*words)
    project("run", "--plan", "saved.json")
    project("replay", "fetch", "r1")
    project("logs", "r1", "fetch", "--json")
    project("get", "fetch")
    assert not left_behind(project.folder, project.temporary)
    assert (project.folder / ".stepwell").is_dir()


def test_what_is_reused_does_not_depend_on_the_value(project: Project) -> None:
    project("run", "main", code=0)
    assert "1 run" in project("plan", "main", code=0, DERIVED="other")
    rotated = {"API_TOKEN": "another-token", "DERIVED": "https://user:another-token@host"}
    assert "1 cached" in project("plan", "main", code=0, **rotated)
    assert "1 run" in project("plan", "main", "token=env:OTHER", code=0)


def test_a_sweep_over_secrets_names_its_points_by_where_they_are(project: Project) -> None:
    sweep, values = ("--sweep", "token=env:FIRST,env:SECOND"), {"FIRST": IN_KEYRING, "SECOND": IN_FILE}
    for words in (["plan"], ["run"], ["run"], ["run", "--json"], ["plan", "--json"], ["runs", "--json"]):
        assert "E000" not in project(
            *words, *(() if words[0] == "runs" else ("main", *sweep)), code=0, **values
        )
    assert not left_behind(project.folder, project.temporary)
    assert "2 cached" in project("plan", "main", *sweep, code=0), "what is up to date needs none"
    assert "0 ran, 2 cached" in project("run", "main", *sweep, code=0)


@pytest.mark.parametrize(
    ("words", "env", "says"),
    [
        (["main"], {"API_TOKEN": ""}, "E363"),
        (["main"], {"API_TOKEN": "abc"}, "E364"),
        (["main", "token=file:nowhere"], {}, "E363"),
        (["main", "token=keyring:service/nobody"], {}, "E363"),
        (["main", f"token={CANARY}"], {}, "E112"),
        (["main"], {"STEPWELL_PARAM_TOKEN": CANARY}, "E112"),
    ],
)
def test_places_are_checked_when_it_is_planned(project, words, env, says):
    said = project("plan", *words, **env)
    assert says in said
    assert not (project.folder / ".stepwell").exists() or not left_behind(project.folder)
