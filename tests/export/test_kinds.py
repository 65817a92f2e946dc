"""What pipelines can be made of, each as a run file and back: sections, branches, shell, SQL, sweeps, secrets, cards, failures, parts of runs."""

from __future__ import annotations

import contextlib
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from generated import HOW, Quiet, again  # it lies beside this file

from stepwell.app.asked import Asked, points_of_words
from stepwell.app.calls import finish
from stepwell.app.parameters import given
from stepwell.app.places import stored
from stepwell.app.runfile import exported
from stepwell.app.selecting import Choice
from stepwell.app.session import Settings, prepare
from stepwell.app.sweeps import run_points
from stepwell.author.project import find, load
from stepwell.export.runfile import text_of

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
