"""`stepwell report`: one file that needs nothing else, in which nothing runs, whatever a run recorded."""

from __future__ import annotations

import re
import subprocess
from html.parser import HTMLParser
from typing import Any

import pytest
from cli_projects import Project

from stepwell.app.pictures import Box
from stepwell.app.report import gather, markdown, page
from stepwell.app.svg import Series, bars, curves, graph, tick
from stepwell.stores.local import open_store

MODEL = """
    from stepwell import log, pipeline, source, step

    words = source("words.txt", str)

    @step
    def count(words: str, most: int) -> dict[str, int]:
        found = {}
        for word in words.split():
            found[word] = found.get(word, 0) + 1
        return dict(sorted(found.items())[:most])

    @step
    def fit(counts: dict[str, int], rate: float) -> list[float]:
        for i in range(500):
            log.metric("loss", 1.0 / (1 + i * rate), step=i)
        log.metric("auc", 0.8 + rate / 10)
        log.table("counts", [{"word": word, "count": n} for word, n in counts.items()])
        log.text("<b>told</b>", "</pre><script>alert(1)</script>")
        log.card("card", "<script>alert(2)</script><h1 title='&quot;'>Caf\\u00e9\\u00a0\\u200d\\u202e</h1>")
        log.figure("picture", PICTURE)
        log.tag("<i>tagged</i>")
        return [rate]

    PICTURE = bytes.fromhex("89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d4944415478"
        "9c6360f8cf50070004010180f0bd0b220000000049454e44ae426082")

    @step
    def check(model: list[float], strict: bool) -> bool:
        if strict:
            log.metric("checked <b>", len(model))
            raise ValueError("<img src=x onerror=alert(3)> `tick` | pipe")
        return True

    @pipeline
    def words_model(most: int = 10, rate: float = 0.5, strict: bool = False) -> bool:
        return check(fit(count(words(), most), rate), strict)
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Three runs: the first, one with another parameter, code and data, and one that failed."""
    made = Project(tmp_path_factory.mktemp("report"))
    made.write(MODEL)
    (made.root / "words.txt").write_text("a b a c")
    made("run")
    made.edit("0.8 + rate / 10", "0.82 + rate / 10")
    (made.root / "words.txt").write_text("a b a c d")
    made("run", "rate=0.7")
    made("run", "rate=0.7", "strict=true", code=1)
    return made


@pytest.fixture
def facts(project: Project) -> Any:
    def of(run: str) -> Any:
        with open_store(project.root / ".stepwell", readonly=True) as store:
            return gather(store, project.root, run)

    return of


class Seen(HTMLParser):
    """The elements of a page: which there are, their attributes, their text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in ("meta", "br", "img", "hr"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def test_the_page_tells_what_the_run_did_and_what_changed(facts):
    text = page(facts("r2"))
    seen = " ".join(Seen(text).texts)
    for told in (
        "words_model",
        "compared with r1",
        "0.5",
        "fit.auc",
        "▲ 0.04, better",
        "other data",
        "pipeline.fit",
    ):
        assert told in seen or told.replace("fit.", "") in seen, told
    assert "+        log.metric" in seen.replace("+    log.metric", "+        log.metric")
    assert text.count("<svg") >= 3  # the graph, a curve, histograms
    assert "1.0 / (1 + i * rate)" in seen
    assert "stepwell report r2" in seen


def test_nothing_in_the_page_runs_or_is_fetched(facts):
    seen = Seen(page(facts("r2")))
    names = {name for name, _ in seen.elements}
    assert not names & {"script", "object", "embed", "link", "form", "base", "a"}
    policy = next(
        one["content"] for one in seen.of("meta") if one.get("http-equiv") == "Content-Security-Policy"
    )
    assert (
        policy
        == "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
    )
    (card,) = seen.of("iframe")
    assert card["sandbox"] == ""
    assert (
        card["srcdoc"] == "<script>alert(2)</script><h1 title='&quot;'>Caf\u00e9\u00a0\u200d\u202e</h1>"
    )  # as it was written
    assert all(one["src"].startswith("data:image/png;base64,") for one in seen.of("img"))
    assert all(one["alt"] for one in seen.of("img"))
    assert not [key for _, attributes in seen.elements for key in attributes if key.startswith("on")]
    assert "</pre><script>alert(1)</script>" in seen.texts  # as text
    assert "<i>tagged</i>" in seen.texts


def test_a_failure_is_told_first_with_what_to_do(facts):
    text = page(facts("r3"))
    seen = Seen(text)
    told = "".join(seen.texts)
    assert "What failed" in told
    assert "<img src=x onerror=alert(3)>" in told
    assert told.index("What failed") < told.index("checked <b>") < told.index("Graph")
    assert not [one for one in seen.of("img") if one.get("src") == "x"]


def test_the_same_run_gives_the_same_bytes(facts):
    assert page(facts("r2")) == page(facts("r2"))
    assert markdown(facts("r2")) == markdown(facts("r2"))


def test_the_first_run_is_compared_with_nothing(facts):
    found = facts("r1")
    assert found.since.run == ""
    assert [one.before for one in found.metrics] == [None, None]
    assert "compared with" not in page(found)
    assert "changed" not in markdown(found)


def test_markdown_is_short_and_holds_names_as_code(facts):
    text = markdown(facts("r2"))
    assert "| `auc` | 0.89 | ▲ 0.04, **better** |" in text
    assert "| parameter | `rate` | `0.5` | `0.7` |" in text
    assert "`‹i›tagged‹/i›`" in text
    assert len(text) < 6_000
    assert "logged" not in text
    failed = markdown(facts("r3"))
    assert "it had logged `checked ‹b›=1`" in failed
    assert "<img" not in failed
    assert "'tick' \\| pipe`" in failed


def test_what_is_too_large_is_left_out_and_that_is_said(facts, monkeypatch):
    monkeypatch.setattr("stepwell.app.report.facts.BYTES", 50)
    found = facts("r2")
    assert found.left
    text = page(found)
    assert "Left out" in text
    assert "the report would be too large" in text


def test_the_command_writes_a_file_and_replaces_only_its_own(project):
    answer = project("report", "r2")
    assert answer.out.startswith("report-r2.html  ")
    written = project.root / "report-r2.html"
    first = written.read_bytes()
    document = project("report", "r2", "--json").json
    assert (document["file"], document["compared_with"], document["left_out"]) == ("report-r2.html", "r1", [])
    assert written.read_bytes() == first
    assert len(first) == document["size"]
    error = project.refused("report", "r2", "-o", "words.txt", code=2)
    assert error["code"] == "E110"
    assert (project.root / "words.txt").read_text() == "a b a c d"


def test_reports_that_cannot_be_made_are_refused_in_words(project):
    assert project.refused("report", "r1..r2", code=2)["code"] == "E561"
    assert project.refused("report", "g1", code=2)["what"] == "there is no sweep `g1`"
    assert project.refused("report", "r99", code=2)["code"] == "E108"
    assert project.refused("report", "-o", "no/such/folder/x.html", code=2)["code"] == "E562"
    assert project.refused("report", "-o", ".stepwell/x.html", code=2)["code"] == "E562"
    assert not (project.root / ".stepwell" / "x.html").exists()


def test_markdown_goes_to_stdout_or_into_a_file(project):
    text = project("report", "r2", "--markdown").out
    assert text.startswith("<!-- stepwell report -->\n### ✓ `words_model` r2 succeeded")
    assert project("report", "r2", "--markdown", "--json").json["text"] == text
    assert project("report", "r2", "--markdown", "-o", "comment.md").out.startswith("comment.md")
    assert (project.root / "comment.md").read_text("utf-8") == text
    assert project("report", "r2", "-o", "-").out.startswith("<!doctype html>\n<!-- stepwell report -->")


def test_a_run_of_another_stepwell_without_a_graph_has_a_report(project, tmp_path):
    import sqlite3

    subprocess.run(["cp", "-r", project.root / ".stepwell", tmp_path / ".stepwell"], check=True)
    database = sqlite3.connect(tmp_path / ".stepwell" / "store.db")
    database.execute("UPDATE runs SET wiring = '', about = '', diff = ''")
    database.commit()
    database.close()
    with open_store(tmp_path / ".stepwell", readonly=True) as store:
        assert "succeeded" in page(gather(store, tmp_path, "r2"))


def test_a_run_that_grew_has_a_report(tmp_path):
    """What a dynamic call became is recorded behind the steps that take it."""
    made = Project(tmp_path)
    made.write("""
        from stepwell import pipeline, step, when

        @step
        def items(n: int) -> list[int]:
            return list(range(n))

        @step
        def double(x: int) -> int:
            return 2 * x

        @step
        def total(values: list[int]) -> int:
            return sum(values)

        @step
        def is_large(x: int) -> bool:
            return x > 2

        @pipeline
        def grown(n: int = 3) -> int:
            whole = total(double.map(items(n)))
            return total([when(is_large(whole), lambda: double(whole), lambda: 0)])
    """)
    made("run")
    made("report", "-o", "grown.html")
    found = re.findall(r'<rect x="([\d.]+)"', (made.root / "grown.html").read_text("utf-8"))
    names = re.findall(r"<title>([^:<]+): ran", (made.root / "grown.html").read_text("utf-8"))
    places = dict(zip(names, map(float, found), strict=True))
    assert places["double[3]"] < places["total"] < places["is_large"]
    (branch,) = [
        name for name in names if "double" in name and name not in ("double", "double[2]", "double[3]")
    ]
    assert places[branch] < places["total[2]"]


# ---------------------------------------------------------------------------- drawings


def test_graphs_place_each_box_behind_what_it_needs():
    chain = [Box(f"s{i}", "run", "ran", (i - 1,) if i else ()) for i in range(4)]
    places = [float(x) for x in re.findall(r'<rect x="([\d.]+)"', graph(chain))]
    assert places == sorted(places)
    assert len(set(places)) == 4
    down = [Box(f"s{i}", "run", "ran", (i - 1,) if i else ()) for i in range(20)]
    assert len(set(re.findall(r'<rect x="([\d.]+)"', graph(down)))) == 1
    assert graph([]) == ""


def test_drawings_hold_hostile_names_as_text():
    name = "</svg><script>alert(1)</script>\x1b[31m\u202e\"'&"
    for drawn in (graph([Box(name, "run", name, ())]), curves([Series(name, [0, 1], [1, 2])], name)):
        assert "<script" not in drawn
        assert "\x1b" not in drawn
        assert "\u202e" not in drawn
        Seen(drawn)


def test_curves_bear_numbers_that_are_not_finite_or_equal_or_alone():
    inf, nan = float("inf"), float("nan")
    assert curves([Series("a", [0, 1], [nan, inf])]) == ""
    assert curves([]) == ""
    for series in (
        Series("a", [0, 1, 2], [1.0, nan, 3.0]), Series("a", [5], [7.0]), Series("a", [0, 1], [2.0, 2.0]),
        Series("a", [0, 1], [1e308, -1e308]),
    ):  # fmt: skip
        drawn = curves([series])
        assert "nan" not in drawn
        assert "inf" not in drawn.replace("infinite", "")
    assert bars([]) == bars([0, 0]) == ""
    assert bars([1, 5]).count("<rect") == 2
    assert (tick(0.0), tick(1e-9), tick(123456.0)) == ("0", "1.00e-09", "123,456")
