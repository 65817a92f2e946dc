"""What pipelines can be made of, each as a run file and back: sections, branches, shell, SQL, sweeps, secrets, cards, failures, parts of runs."""

from __future__ import annotations

import contextlib
import ssl
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from generated import HOW, Quiet, again  # it lies beside this file

from stepwell.app.asked import Asked, points_of_words
from stepwell.app.driving import finish
from stepwell.app.parameters import given
from stepwell.app.places import stored
from stepwell.app.runfile import exported
from stepwell.app.selecting import Choice
from stepwell.app.session import Settings, prepare
from stepwell.app.sweeps import run_points
from stepwell.author.project import find, load
from stepwell.errors import RunDataGone
from stepwell.export.runfile import text_of

PEM = Path(__file__).parents[1] / "sources" / "localhost.pem"

BEGIN = """
from dataclasses import dataclass
from datetime import date
from enum import Enum
from pathlib import Path
from stepwell import Secret, endpoint, log, pipeline, shell, source, sql, step, when

@step
def numbers(n: int = 3) -> list[int]:
    return list(range(n))

@step
def total(numbers: list[int], k: float = 1.0) -> float:
    log.tag("kept", dataset="v2")
    return sum(numbers) * k

"""

MADE = {
    "sections": """
        @pipeline
        def first(n: int = 3):
            return numbers(n)

        @step
        def shown(result: list[int]) -> str:
            return str(result)

        made = first | shown
    """,
    "replaced": """
        @step
        def other(n: int = 3) -> list[int]:
            return [n] * n

        @pipeline
        def before():
            return total(numbers(4))

        made = before.replace(numbers=other)
    """,
    "branch": """
        @step
        def many(numbers: list[int]) -> bool:
            return len(numbers) > 2

        @pipeline
        def made():
            found = numbers()
            return when(many(found), lambda: total(found, 2.0), lambda: total(found))
    """,
    "map of maps": """
        @step
        def upto(n: int) -> list[int]:
            return list(range(n))

        @step
        def twice(n: int, k: int = 2) -> int:
            return n * k

        @pipeline
        def made():
            return total(twice.map(numbers(12), k=3)), twice.product(n=upto(3), k=[1, 2])()
    """,
    "shell": """
        loud = shell("tr a-z A-Z < {words} > {out}", out="loud.txt")
        words = source("words.txt", Path)

        @pipeline
        def made():
            return loud(words=words())
    """,
    "sql": """
        worst = sql("select n from {table} order by n desc limit 1", int)
        table = source("table.csv")

        @pipeline
        def made():
            return worst(table=table())
    """,
    "values": """
        class Colour(Enum):
            RED = "red"

        @dataclass(frozen=True)
        class Setting:
            rate: float = 0.1
            names: tuple[str, ...] = ("a", "b")

        @step
        def told(*values) -> str:
            return repr(values)

        @pipeline
        def made(day: date = date(2026, 1, 2), colour: Colour = Colour.RED, setting: Setting = Setting(), path: Path = Path("x y"),
                 some: frozenset[int] = frozenset({3, 1}), raw: bytes = b"abc"):
            return told(day, colour, setting.rate, setting.names, path, some)
    """,
    "secret": """
        call = shell("printf %s {token} | wc -c", stdout=int)

        @pipeline
        def made(token: Secret = Secret("EXPORT_TEST_TOKEN")):
            return call(token=token)
    """,
    "odd names": """
        @step
        def größe(ключ: str = "ß") -> dict[str, str]:
            log.metric("a: b #c", 1.0)
            log.tag("- [x]: {y}")
            return {"yes: no": ключ}

        @pipeline
        def made(名前: str = "\\x1b[31m\\u202e"):
            return größe(名前)
    """,
    "options and roles": """
        from stepwell.ml import evaluator

        @step(retries=2, backoff=0, cpus=2, memory="200MB", env=["EXPORT_TEST_NOTHING"], tags=["slow"], version="7")
        def tried(n: int) -> int:
            return n

        @evaluator
        def score(n: int) -> dict[str, float]:
            return {"auc": n / 10}

        @step(out="reports/all.txt", cache=False, timeout="5min", optional=True)
        def report(values: list[int], score: dict[str, float]) -> Path:
            Path("reports").mkdir(exist_ok=True)
            Path("reports/all.txt").write_text(repr((values, score)))
            return Path("reports/all.txt")

        @pipeline
        def made():
            found = tried(7)
            return report([found, tried(8)], score(found))
    """,
    "source in a loop": """
        words = source("words.txt", str)
        table = source("table.csv", str)

        @step
        def both(texts: list[str], n: float) -> str:
            return " ".join(texts) + str(n)

        @pipeline(dynamic=True)
        def inner(n: float):
            return both([words(), table()], n)

        @pipeline
        def made():
            return inner(total(numbers()))
    """,
    "several outputs": """
        from typing import NamedTuple

        class Parts(NamedTuple):
            train: list
            test: list

        @step
        def split(n: int) -> Parts:
            return Parts([n], [n, n])

        @pipeline
        def made():
            parts = split(2)
            return total(parts.train), total(parts.test)
    """,
}  # fmt: skip


TOLD = {
    "shell": ["""
        kind: shell
        """],
    "sql": ["""
        kind: sql
        """],
    "options and roles": ["""
        options:
          backoff: 0.0
          cpus: 2.0
          env:
            - EXPORT_TEST_NOTHING
          memory: 200000000
          retries: 2
          tags:
            - slow
          version: "7"
        """, """
        options:
          cache: false
          optional: true
          out: reports/all.txt
          timeout: 300.0
        """, """
        after:
          - step tried
          - step tried[2]
        gives:
        """, """
        step: pipeline:score
        role: evaluator
        """],
    "source in a loop": ["""
        after:
          - source table
          - source words
        """, """
        address: table.csv
        """],
}  # fmt: skip
"""What a person reads of it in the file."""


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EXPORT_TEST_TOKEN", "hunter2-hunter2")
    (tmp_path / "stepwell.toml").write_text("")
    (tmp_path / "words.txt").write_text("some words\n")
    (tmp_path / "table.csv").write_text("n\n1\n5\n3\n")
    return tmp_path


def write(root: Path, body: str) -> None:
    (root / "pipeline.py").write_text(BEGIN + textwrap.dedent(body), "utf-8")


def first(root: Path, words: list[str] | None = None, how: Settings = HOW) -> str:
    loaded = load(find("pipeline.py:made", root))
    with stored(root) as store:
        params, origins = given(loaded, words or [])
        run, _, _ = finish(prepare(loaded, params, store, how)._replace(origins=origins), how, Quiet())
        return text_of(exported(store, run))


@pytest.mark.parametrize("kind", MADE)
def test_a_run_of_each_kind_comes_back(kind: str, root: Path) -> None:
    write(root, MADE[kind])
    text = first(root)
    assert "hunter2" not in text
    assert "steps:\n  - id: " in text
    for told in TOLD.get(kind, ()):
        assert textwrap.indent(textwrap.dedent(told), "    ").lstrip("\n") in text, text
    cached = again(text, root)
    (root / ".stepwell").rename(root / ".earlier")
    really = again(text, root)
    assert (cached[1:], really[1:]) == ((text, []), (text, []))


def test_a_dynamic_call_that_is_known_before_the_run_or_in_it_is_written_the_same(root: Path) -> None:
    write(root, MADE["map of maps"])
    text = first(root)
    assert text == first(root)
    assert text.index("twice[2]") < text.index("twice[10]")


def test_points_of_a_sweep_are_files_like_others(root: Path) -> None:
    write(root, "@pipeline\ndef made(k: float = 1.0, n: int = 3):\n    return total(numbers(n), k)\n")
    loaded = load(find("pipeline.py:made", root))
    with stored(root) as store:
        ended = run_points(
            loaded, points_of_words(loaded, Asked(("k=1,2", "numbers.n=3,4"))), store, HOW, quiet
        )
        texts = [text_of(exported(store, one.run)) for one in ended.points]
    assert len(set(texts)) == 4
    for text in texts:
        assert again(text, root)[1:] == (text, [])


def test_points_of_a_sweep_name_the_sources_that_they_read(root: Path) -> None:
    write(
        root,
        """
        @step
        def size(text: str) -> int:
            return len(text)

        @pipeline
        def made(name: str = "words.txt"):
            return size(source(name, str)())
        """,
    )
    loaded = load(find("pipeline.py:made", root))
    with stored(root) as store:
        points = points_of_words(loaded, Asked(("name=words.txt,table.csv",)))
        ended = run_points(loaded, points, store, HOW, quiet)
        files = [exported(store, one.run) for one in ended.points]
    assert [[one.address for one in file.sources] for file in files] == [["words.txt"], ["table.csv"]]


def test_the_locked_environment_is_told(root: Path) -> None:
    write(root, "@pipeline\ndef made():\n    return numbers()\n")
    (root / ".gitignore").write_text(".stepwell\npylock.toml\n")  # it is in no commit, and is here
    commit(root)
    (root / "pylock.toml").write_text("lock-version = '1.0'\n")
    text = first(root)
    digest = sha256(b"lock-version = '1.0'\n").hexdigest()
    assert f"  pylock: sha256:{digest}\n" in text
    assert again(text, root)[1:] == (text, [])
    (root / "pylock.toml").write_text("lock-version = '1.0'  # another\n")
    (difference,) = again(text, root)[2]
    assert difference.startswith("pylock: sha256:")


def test_what_nobody_added_to_git_is_in_the_file(tmp_path: Path) -> None:
    """Code in a folder of a larger repository, with names that git quotes, and a link that leads out of it."""
    root = tmp_path / "repository" / "s b"
    root.mkdir(parents=True)
    (root / "pipeline.py").write_text("")
    (root / "stepwell.toml").write_text("")
    (root / ".gitignore").write_text(".stepwell\n")
    (tmp_path / "table.csv").write_text("n\n4\n")
    (root / "table.csv").symlink_to(tmp_path / "table.csv")
    commit(root.parent)
    write(
        root,
        """
        from stepwell import script
        from pk.hö import worked

        top = sql(Path("q/the q.sql"), int)
        seven = script("run.sh", stdout=int)
        table = source("table.csv")

        @step
        def all_of(n: int, m: int) -> int:
            return worked(n, m)

        @pipeline
        def made():
            return all_of(top(table=table()), seven())
        """,
    )
    for name, said in {"pk/__init__.py": "", "pk/hö.py": "def worked(n, m): return n * m\n# no end of line",
                       "q/the q.sql": "select max(n) from {table}\n", "run.sh": "#!/bin/sh\necho 7\n"}.items():  # fmt: skip
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text(said, "utf-8")
    (root / "run.sh").chmod(0o755)
    (root / "secret.py").write_text("PASSWORD = 'hunter2'\n")  # which no step reaches
    text = first(root)
    assert "hunter2" not in text
    git(tmp_path, "clone", "-q", str(root.parent), "clone")
    assert again(text, tmp_path / "clone" / "s b")[1:] == (text, [])
    assert (tmp_path / "table.csv").read_text() == "n\n4\n"


def commit(folder: Path) -> None:
    for words in (("init", "-q"), ("add", "-A"), ("commit", "-qm", "first")):
        git(folder, *words)


def git(folder: Path, *words: str) -> None:
    who = ["-c", "user.name=a", "-c", "user.email=a@localhost", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *who, *words], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def site(root: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, bytes]]:
    """A web server with a certificate: what it gives, by path, under the address "at"."""
    pages: dict[str, bytes] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            data = pages.get(self.path, b"")
            self.send_response(200 if data else 404)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *args: object) -> None:
            pass

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(PEM)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    monkeypatch.setenv("SSL_CERT_FILE", str(PEM))
    pages["at"] = f"https://localhost:{server.server_address[1]}".encode()
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield pages
    server.shutdown()
    server.server_close()


def test_what_is_on_the_web_is_fetched_again_where_nobody_kept_it(root: Path, site: dict[str, bytes]) -> None:
    site["/plain.txt"] = b"some rows"
    at = site["at"].decode()
    write(
        root,
        f"""
        plain = source("{at}/plain.txt", str)

        @step
        def size(text: str) -> int:
            return len(text)

        @pipeline
        def made():
            return size(plain())
        """,
    )
    commit(root)
    text = first(root)
    assert f"address: {at}/plain.txt\n" in text
    (root / ".stepwell").rename(root / ".earlier")
    assert again(text, root)[1:] == (text, [])
    site["/plain.txt"] = b"others"
    assert again(text, root)[1:] == (text, [])  # from the store
    (root / ".stepwell").rename(root / ".later")
    with pytest.raises(RunDataGone, match=r"`plain` \(https://localhost:.*its digest is b3:"):
        again(text, root)
    del site["/plain.txt"]
    with pytest.raises(RunDataGone, match="404"):
        again(text, root)


@contextlib.contextmanager
def quiet(work: Any) -> Iterator[Quiet]:
    """Shows nothing of a sweep."""
    yield Quiet()


def test_a_part_of_a_pipeline_stays_a_part(root: Path) -> None:
    write(root, "@pipeline\ndef made():\n    return total(numbers(4)), total(numbers(5), 2.0)\n")
    text = first(root, how=HOW._replace(selection=Choice(until=("total[1]",))))
    assert "whole: false\n" in text
    assert "numbers[2]" not in text
    assert again(text, root)[1:] == (text, [])


def test_a_run_that_failed_fails_again(root: Path) -> None:
    write(
        root,
        "@step\ndef bad(xs: list[int]):\n    raise ValueError(xs)\n\n@pipeline\ndef made():\n    return total(bad(numbers()))\n",
    )
    text = first(root)
    assert "status: failed\n" in text
    assert "status: blocked\n" in text
    assert again(text, root)[1:] == (text, [])
