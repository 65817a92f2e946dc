"""What notebooks show of plans and runs: escaped, without scripts, and with what the run recorded."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

from stepwell.app.displays import METRICS, ROWS, plan_html, run_html
from stepwell.errors import StepwellError

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>\x1b[31m\u202e\"'"
CODE = """
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from sklearn.dummy import DummyClassifier

from stepwell import log, pipeline, step

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010806000000"
    "1f15c4890000000a49444154789c63000100000500010d0a2db40000000049454e44ae426082"
)

@step
def make(n: int, text: str) -> list[int]:
    for at in range(5):
        log.metric("loss", 1 / (at + n), step=at)
    log.table("rows <b>", [{"<i>": text, "a": 1}])
    log.text("<u>told", text)
    log.figure("<figure>", PNG)
    log.card("card", f"<p>{text}</p>")
    return list(range(n))

@step
def total(values: list[int]) -> int:
    log.metric("accuracy", sum(values))
    return sum(values)

@pipeline
def delays(n: int = 3, text: str = "") -> int:
    return total(make(n, text))

@step
def double(x: int) -> int:
    return 2 * x

@pipeline
def mapped(n: int = 3) -> int:
    return total(double.map(make(n, "")))

class Given(NamedTuple):
    table: pa.Table
    figure: bytes
    text: str
    data: dict[str, str]
    model: DummyClassifier
    array: np.ndarray

@step
def gives(text: str) -> Given:
    table = pa.table({text: [1.0, None, 3.0], "<u>": [text, "b", "b"]})
    return Given(table, PNG, text, {text: text}, DummyClassifier(constant=text).fit([[0]], [1]), np.arange(4.0))

@step
def page(text: str) -> str:
    return f"<!doctype html><title>{text}</title><p onclick='alert(1)'>words</p>"

@pipeline
def given(text: str) -> tuple[Given, str]:
    return gives(text), page(text)

@step
def metered(n: int) -> int:
    for at in range(n):
        log.metric(f"metric-{at}", at)
    return n

@pipeline
def measured(n: int) -> int:
    return metered(n)

@step
def bad(value: int, text: str) -> int:
    raise ValueError(text)

@pipeline
def fails(text: str = "") -> int:
    return bad(delays(3, text), text)
"""


class Seen(HTMLParser):
    """The tags and attributes of a piece of HTML; everything that is opened is closed."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.addresses: list[str] = []
        self.open: list[str] = []
        self.feed(html)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes.update(name for name, _ in attrs)
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href")]
        if tag not in ("br", "img", "col"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes.update(name for name, _ in attrs)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def harmless(html: str) -> Seen:
    """What a piece of HTML is made of, having looked that nothing in it runs, asks the net or commands a terminal."""
    seen = Seen(html)
    assert not seen.tags & {"script", "iframe", "object", "embed", "link", "form", "a", "base", "meta"}
    assert not {name for name in seen.attributes if name.startswith("on")}
    assert all(address.startswith("data:image/") for address in seen.addresses)
    assert not {"\x1b", "\u202e"} & set(html)
    return seen


@pytest.fixture
def pipes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """A module of pipelines in a project of its own."""
    (tmp_path / "displayed.py").write_text(CODE)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)
    yield import_module("displayed")
    sys.modules.pop("displayed", None)


def test_a_plan_and_its_run(pipes: ModuleType) -> None:
    quick = pipes.delays.options(in_process=True)
    plan = quick.plan(3, HOSTILE)._repr_html_()
    assert "svg" in harmless(plan).tags
    assert "2 steps: 2 run" in plan
    run = quick.run(3, HOSTILE)
    html = run._repr_html_()
    seen = harmless(html)
    assert {"svg", "img", "table"} <= seen.tags
    for word in ("&lt;figure&gt;", "rows &lt;b&gt;", "&lt;u&gt;told", "accuracy", "1 card", "alert(1)"):
        assert word in html
    again = quick.run(4, HOSTILE)._repr_html_()
    harmless(again)
    assert "since r1" in again
    assert "▲ 3, better" in again
    cached = quick.run(4, HOSTILE)._repr_html_()
    assert "&lt;figure&gt;" in cached  # what a reused result recorded is there too
    assert "reused" in cached


def test_a_run_that_grew(pipes: ModuleType) -> None:
    quick = pipes.mapped.options(in_process=True)
    for html in (quick.run(3)._repr_html_(), quick.plan(3)._repr_html_(), quick.run(3)._repr_html_()):
        assert "svg" in harmless(html).tags
        assert "double[3]" in html


ARTIFACTS = {
    "gives.table": ("3 rows × 2 columns", "33.3%", "<td>string</td>", "b (2)"),
    "gives.figure": ('src="data:image/png;base64,',),
    "gives.text": ("&lt;script&gt;alert(1)",),
    "gives.data": ("&lt;script&gt;alert(1)",),
    "gives.model": ("<strong>DummyClassifier</strong>", "<td>strategy</td>", "&lt;script&gt;"),
    "gives.array": ("float64 4", "<td>mean</td>", "1.5"),
    "page": ("HTML of its own", "stepwell ui"),
}


def test_what_a_step_gave(pipes: ModuleType, tmp_path: Path) -> None:
    run = pipes.given.options(in_process=True).run(HOSTILE)
    assert run.status == "succeeded"
    for name, words in ARTIFACTS.items():
        html = run[name]._repr_html_()
        harmless(html)
        assert all(word in html for word in (*words, f"<strong>{name}</strong>", "of r1")), (name, html)
    assert run["gives.array"].load().tolist() == [0, 1, 2, 3]
    assert repr(run["gives.array"]) == "<gives.array of r1: (4,) float64, 160 bytes>"
    for name, told in {
        "gives": "name one: gives.table",
        "gives.tabel": "did you mean `gives.table`",
        "giv": "did you mean `gives`",
    }.items():
        with pytest.raises(StepwellError) as refused:
            run[name]
        assert told in " ".join(refused.value.fixes)
    failed = pipes.fails.options(in_process=True).run("x")
    assert failed["total"].load() == 3  # what was done before is there
    with pytest.raises(StepwellError, match="gave nothing"):
        failed["bad"]
    (tmp_path / ".stepwell").rename(tmp_path / "gone")
    harmless(run["page"]._repr_html_())


def test_a_run_that_failed(pipes: ModuleType, tmp_path: Path) -> None:
    run = pipes.fails.options(in_process=True).run(HOSTILE)
    html = run._repr_html_()
    assert "details" in harmless(html).tags
    assert "E401" in html
    (tmp_path / ".stepwell").rename(tmp_path / "gone")
    told = run._repr_html_()
    harmless(told)
    assert "is not shown" in told or "there is no run" in told
    assert "bad" in told


@pytest.mark.parametrize(("left", "told"), [(1, "and 1 more metric<"), (2, "and 2 more metrics<")])
def test_many_metrics_are_cut_short(pipes: ModuleType, left: int, told: str) -> None:
    assert told in pipes.measured.options(in_process=True).run(METRICS + left)._repr_html_()


def test_many_steps_are_cut_short() -> None:
    steps = [
        {"id": f"s{at}", "step": "s", "decision": "blocked" if at == 900 else "cached", "told": "", "needs": [],
         "sources": [], "reasons": [{"text": HOSTILE}]}
        for at in range(1000)
    ]  # fmt: skip
    document = {"pipeline": "p", "params": {"x": HOSTILE * 100}, "steps": steps, "sources": []}
    document |= {"counts": {"cached": 999, "blocked": 1}, "notes": [HOSTILE]}
    html = plan_html(document)
    harmless(html)
    assert f"and {1000 - ROWS} more steps" in html
    assert "s900" in html
    assert len(html) < 60_000
    ended = [{**step, "status": "succeeded", "seconds": 0.1, "metrics": {}} for step in steps]
    run = {**document, "run": "r1", "status": "succeeded", "seconds": 1.0, "steps": ended}
    assert "is not shown" in run_html(run, None, Path())
