"""Every address of the page, asked of real stores: what it answers is of the type that `page/src/api.ts` says."""

from __future__ import annotations

import json
import math
import shutil
import sqlite3
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from asking import Answer, Page
from cli_projects import Project
from jsonschema import Draft202012Validator
from page_types import schema

from stepwell.stores.local import open_store
from stepwell.ui.application import ADDRESSES
from stepwell.ui.live import state_of

PIPELINE = """
    import sys
    from pathlib import Path

    from stepwell import log, pipeline, source, step

    numbers = source("numbers.csv")

    @step
    def read(path: Path) -> list[int]:
        print("reading")
        print("\\033[31mred\\033[0m <b>bold</b>", file=sys.stderr)
        return [int(line) for line in Path(path).read_text().split()]

    @step
    def fit(values: list[int], depth: int) -> dict[str, float]:
        for i in range(30):
            log.metric("loss", 1 / (i + depth), step=i)
        log.metric("odd", float("nan"))
        log.text("note", "<script>alert(1)</script>")
        log.tag("baseline")
        log.card("card", "<h1>card</h1><script>alert(1)</script>")
        if depth > 8:
            raise ValueError("too deep")
        return {"sum": float(sum(values) * depth)}

    @pipeline
    def sums(depth: int = 2) -> dict[str, float]:
        return fit(read(numbers()), depth)
"""


def of(name: str, answer: Answer) -> Any:
    """The document of an answer, which is of a type of the page."""
    assert answer.status == 200, answer.body
    assert answer.headers["content-type"] == "application/json"
    errors = [
        f"{list(e.absolute_path)}: {e.message[:300]}"
        for e in Draft202012Validator(schema(name)).iter_errors(answer.json)
    ]
    assert not errors, errors
    return answer.json


def refused(answer: Answer, status: int, code: str) -> Any:
    """The problem that an answer tells."""
    assert answer.status == status, answer.body
    Draft202012Validator(schema("Problem")).validate(answer.json)
    assert answer.json["error"]["code"] == code
    return answer.json["error"]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Two runs that differ in data and a parameter, one that failed, a sweep of two."""
    made = Project(tmp_path_factory.mktemp("page"))
    (made.root / "stepwell.toml").touch()
    (made.root / "numbers.csv").write_text("1\n2\n3\n")
    made.write(PIPELINE)
    made("run")
    (made.root / "numbers.csv").write_text("1\n2\n3\n4\n")
    made("run", "depth=3")
    made("run", "depth=9", code=1)
    made("run", "--sweep", "depth=4,5")
    return made


@pytest.fixture(scope="module")
def page(project: Project) -> Iterator[Page]:
    with Page(project.root) as made:
        yield made


def test_the_project(page: Page):
    found = of("Project", page.get("/api/project"))
    assert found["name"] == "demo"
    assert (found["runs"], found["locked"], found["released"]) == (5, False, False)
    assert [(one["name"], one["runs"], one["last"]["run"]) for one in found["pipelines"]] == [
        ("sums", 5, "r5")
    ]


def test_the_list_of_runs(page: Page):
    found = of("RunList", page.get("/api/runs"))
    assert [run["run"] for run in found["runs"]] == ["r5", "r4", "r3", "r2", "r1"]
    assert (found["total"], found["all"], found["newest"]) == (5, 5, "r5")
    assert (found["params"], found["metrics"], found["tags"]) == (["depth"], ["loss", "odd"], ["baseline"])
    assert found["runs"][-1]["metrics"]["odd"] == "NaN"


@pytest.mark.parametrize(
    ("query", "runs"),
    [
        ("status=failed", "r3"),
        ("group=g1&sort=started", "r4 r5"),
        ("q=depth=3", "r2"),
        ("q=NOBODY", ""),
        ("tag=baseline&limit=2", "r5 r4"),
        ("tag=other", ""),
        ("where=depth%3E3%20and%20status==%22succeeded%22", "r5 r4"),
        ("sort=params.depth", "r1 r2 r4 r5 r3"),
        ("sort=-params.depth&limit=1", "r3"),
        ("sort=metrics.loss&limit=1", "r5"),
        ("sort=-metrics.none&limit=1", "r5"),
        ("limit=2&offset=1", "r4 r3"),
        ("limit=0", ""),
        ("since=r5", "r5 r4 r3 r2 r1"),  # all ended just now
        ("pipeline=sums&pipeline=other&limit=1", "r5"),
    ],
)  # fmt: skip
def test_runs_are_searched_filtered_sorted(page: Page, query: str, runs: str):
    assert [run["run"] for run in of("RunList", page.get(f"/api/runs?{query}"))["runs"]] == runs.split()


def test_a_sweep_is_one_row(page: Page):
    found = of("RunList", page.get("/api/runs?grouped=1&metric=loss"))
    assert [run["run"] for run in found["runs"]] == ["g1", "r3", "r2", "r1"]
    sweep = found["runs"][0]
    assert (sweep["group"], sweep["status"], sweep["params"]) == ("g1", "succeeded", {})
    assert [(point["run"], point["point"]) for point in sweep["points"]] == [
        ("r4", {"depth": 4}),
        ("r5", {"depth": 5}),
    ]
    assert all([*point["metrics"]] == ["loss"] for point in sweep["points"])


def test_a_run(page: Page):
    found = of("RunPage", page.get("/api/runs/r2"))
    read, fit = found["steps"]
    assert (found["file"], found["previous"], found["resume"]) == ("pipeline.py", "r1", "")
    assert (found["edges"], found["reads"]) == ([[0, 1]], [[0, 0]])
    assert [(one["name"], one["size"]) for one in found["sources"]] == [("numbers", 8)]
    assert read["inputs"][0]["source"] == 0
    values = next(one for one in fit["inputs"] if one["name"] == "values")
    assert (values["from"], values["digest"]) == (0, read["outputs"][0]["digest"])
    assert fit["status"] == "succeeded"
    assert {one["kind"] for one in fit["reasons"]} == {"input", "param"}
    assert {(one["kind"], one["name"]) for one in found["recorded"]} == {
        ("text", "note"),
        ("tag", "baseline"),
        ("card", "card"),
    }
    curve = next(one for one in found["curves"] if one["name"] == "loss")
    assert (curve["node"], curve["count"]) == (1, 30)
    assert (
        found["started"]
        <= fit["started"]
        <= fit["started"] + fit["seconds"]
        <= found["started"] + found["seconds"] + 1
    )


def test_a_failed_run_says_how_to_go_on(page: Page):
    found = of("RunPage", page.get("/api/runs/r3"))
    assert found["resume"] == "stepwell run depth=9"
    failed = found["steps"][1]
    assert failed["status"] == "failed"
    assert "too deep" in failed["error"]["why"] + failed["error"]["what"]
    assert "ValueError" in failed["error"]["traceback"]
    assert found["started"] <= failed["started"] <= found["started"] + found["seconds"]
    assert found["steps"][0]["status"] == "cached"
    assert found["steps"][0]["started"] is None


def test_what_steps_printed(page: Page):
    lines = of("Logs", page.get("/api/runs/r1/logs"))["lines"]
    assert "".join(line["text"] for line in lines if line["stream"] == "stdout") == "reading\n"
    assert "<b>bold</b>" in next(line["text"] for line in lines if line["stream"] == "stderr")
    first = of("Logs", page.get("/api/runs/r1/logs?limit=1"))
    assert first["more"]
    rest = of("Logs", page.get(f"/api/runs/r1/logs?after={first['next']}"))
    assert first["lines"] + rest["lines"] == lines
    assert not of("Logs", page.get(f"/api/runs/r1/logs?after={rest['next']}"))["lines"]
    assert len(of("Logs", page.get("/api/runs/r1/logs?q=%3Cb%3E"))["lines"]) == 1
    assert not of("Logs", page.get("/api/runs/r1/logs?q=%25"))["lines"]
    assert not of("Logs", page.get("/api/runs/r1/logs?node=1"))["lines"]


def test_curves(page: Page):
    [curve] = of("Curves", page.get("/api/runs/r1/curves?name=loss"))["curves"]
    assert (curve["id"], curve["count"], curve["steps"][:3], curve["values"][0]) == (
        "fit",
        30,
        [0, 1, 2],
        0.5,
    )
    [thin] = of("Curves", page.get("/api/runs/r1/curves?name=loss&most=5"))["curves"]
    assert len(thin["steps"]) == 5
    assert (max(thin["high"]), min(thin["low"])) == (max(curve["values"]), min(curve["values"]))
    assert not of("Curves", page.get("/api/runs/r1/curves?name=nothing"))["curves"]


def test_code_and_environment(page: Page):
    found = of("Code", page.get("/api/runs/r1/code?node=1"))
    assert found["step"] == "pipeline:fit"
    assert "def fit" in found["parts"][0]["source"]
    assert of("Environment", page.get("/api/runs/r1/environment"))["python"]
    refused(page.get("/api/runs/r1/code?node=7"), 404, "E553")


def test_compare(page: Page):
    found = of("Comparison", page.get("/api/compare?run=r1&run=r2"))
    assert [run["run"] for run in found["runs"]] == ["r1", "r2"]
    assert [row["name"] for row in found["params"]] == ["depth"]
    assert len(of("Comparison", page.get("/api/compare?run=g1"))["runs"]) == 2
    assert [run["run"] for run in of("Comparison", page.get("/api/compare?best=loss&limit=2"))["runs"]] == [
        "r5",
        "r4",
    ]


def test_the_history_of_a_step(page: Page):
    found = of("StepHistory", page.get("/api/steps/pipeline:fit"))
    assert [(row["run"], row["status"]) for row in found["rows"]] == [("r5", "succeeded"), ("r4", "succeeded"), ("r3", "failed"), ("r2", "succeeded"), ("r1", "succeeded")]  # fmt: skip
    assert "def fit" in found["code"][0]["parts"][0]["source"]
    assert (found["code"][0]["first"], found["code"][0]["last"]) == ("r1", "r5")
    assert len(of("StepHistory", page.get("/api/steps/pipeline:fit?limit=2"))["rows"]) == 2
    refused(page.get("/api/steps/pipeline:nothing"), 404, "E553")


def test_data(page: Page):
    [row] = of("DataList", page.get("/api/data"))["data"]
    assert (row["name"], row["versions"], row["size"], row["last"]) == ("numbers", 2, 8, "r5")
    found = of("DataPage", page.get("/api/data/numbers"))
    assert [(one["first"], one["last"], one["runs"]) for one in found["history"]] == [("r2", "r5", ["r5", "r4", "r3", "r2"]), ("r1", "r1", ["r1"])]  # fmt: skip
    refused(page.get("/api/data/nothing"), 404, "E553")


def test_an_artifact(page: Page):
    fit = of("RunPage", page.get("/api/runs/r1"))["steps"][1]
    digest = fit["outputs"][0]["digest"]
    found = of("ArtifactPage", page.get(f"/api/artifacts/{digest}"))
    assert (found["made"]["run"], found["made"]["id"], found["here"]) == ("r1", "fit", True)
    assert {one["kind"] for one in found["from"]} == {"artifact", "source"}
    assert found["preview"] == {"kind": "json", "value": {"sum": 12.0}, "cut": False}
    assert of("Preview", page.get(f"/api/artifacts/{digest}/preview")) == found["preview"]
    assert not found["into"]
    below = of("ArtifactPage", page.get(f"/api/artifacts/{found['from'][0]['digest']}"))
    assert digest in {one["digest"] for one in below["into"]}
    refused(page.get(f"/api/artifacts/b3:{'0' * 64}"), 404, "E553")
    for wrong in ("b3:12", "../../etc/passwd", "r1"):
        assert page.get(f"/api/artifacts/{wrong}").status in (400, 404)


def test_lock_and_channels_that_are_not_there(page: Page):
    assert of("LockPage", page.get("/api/lock")) == {
        "file": "stepwell.lock",
        "exists": False,
        "lock": None,
        "text": "",
        "stale": [],
    }
    assert of("Channels", page.get("/api/channels")) == {"channels": [], "releases": [], "history": []}


@pytest.mark.parametrize(
    ("address", "status", "code"),
    [
        ("/api/nothing", 404, "E553"),
        ("/api", 200, ""),  # the page's own: it has no such place, and says so
        ("/api/runs/r99", 404, "E108"),
        ("/api/runs/%3Cscript%3E", 404, "E108"),
        ("/api/runs/" + "9" * 400, 404, "E108"),
        ("/api/runs?limit=x", 400, "E552"),
        ("/api/runs?limit=-1", 400, "E552"),
        ("/api/runs?sort=__class__", 400, "E552"),
        ("/api/runs?since=x", 400, "E552"),
        ("/api/runs?where=depth%3E", 400, "E541"),
        ("/api/runs?where=dept%3E3", 400, "E542"),
        ("/api/runs?q=" + "x" * 5000, 400, "E552"),
        ("/api/runs/r1/logs?after=x", 400, "E552"),
        ("/api/runs/r99/curves", 404, "E108"),
        ("/api/compare?run=r99", 404, "E108"),
        ("/raw/b3:12", 400, "E552"),
        ("/raw/b3:" + "0" * 64, 404, "E553"),
        ("/assets/nothing.js", 404, "E553"),
        ("/assets/..%2f..%2fguard.py", 404, "E553"),
    ],
)
def test_what_is_not_there_or_wrong(page: Page, address: str, status: int, code: str):
    answer = page.get(address)
    if code:
        refused(answer, status, code)
    else:
        assert answer.headers["content-type"].startswith("text/html")


def test_every_address_has_a_test_and_a_type():
    own = Path(__file__).read_text("utf-8")
    assert all(f"/api{one.path.partition('/{')[0]}" in own for one in ADDRESSES)


def test_large_answers_are_compressed_and_asked_for_once(page: Page):
    assert page.get("/api/runs", accept_encoding="gzip").headers["content-encoding"] == "gzip"
    card = next(one for one in page.get("/api/runs/r1").json["recorded"] if one["kind"] == "card")
    raw = page.get(f"/raw/{card['digest']}?codec={card['codec']}")
    assert (
        page.get(f"/raw/{card['digest']}?codec={card['codec']}", if_none_match=raw.headers["etag"]).status
        == 304
    )


# --------------------------------------------------------------------------- stores that are not as they should be


def test_without_a_store(tmp_path: Path):
    (tmp_path / "stepwell.toml").touch()
    with Page(tmp_path) as page:
        assert of("RunList", page.get("/api/runs"))["runs"] == []
        assert of("Project", page.get("/api/project"))["pipelines"] == []
        assert of("DataList", page.get("/api/data"))["data"] == []
        assert not (tmp_path / ".stepwell").exists()
        refused(page.get("/api/runs/r1"), 404, "E108")
        refused(page.get("/api/compare"), 400, "E543")


def test_a_store_that_comes_goes_and_is_another(project: Project, tmp_path: Path):
    kept, other = project.root / ".stepwell", tmp_path / "store"
    with Page(tmp_path, other) as page:
        assert page.get("/api/runs").json["all"] == 0
        shutil.copytree(kept, other)
        assert page.get("/api/runs").json["all"] == 5
        shutil.rmtree(other)
        assert page.get("/api/runs").json["all"] == 0
        shutil.copytree(kept, other)
        with open_store(other) as store:
            store.database.write(lambda connection: connection.execute("DELETE FROM runs WHERE id = 5"))
        assert page.get("/api/runs").json["newest"] == "r4"
        refused(page.get("/api/runs/r5"), 404, "E108")


@pytest.fixture
def copy(project: Project, tmp_path: Path) -> Iterator[tuple[Page, sqlite3.Connection]]:
    """A page, and a connection with which its store can be spoilt."""
    shutil.copytree(project.root / ".stepwell", tmp_path / "store")
    connection = sqlite3.connect(tmp_path / "store" / "store.db", isolation_level=None)
    with Page(tmp_path, tmp_path / "store") as page:
        yield page, connection
    connection.close()


@pytest.mark.parametrize(
    "spoil",
    [
        "UPDATE texts SET text = '[1, 2'",
        "UPDATE made SET text = '{}'",
        "UPDATE results SET outputs = X'00ff'",
        "UPDATE recorded SET artifact = 'x'",
        "UPDATE curves SET data = X'00'",
        "UPDATE stopped SET error = '[]'",
        "DROP TABLE logs",
    ],
)
def test_damage_is_told_and_never_a_traceback(copy: tuple[Page, sqlite3.Connection], spoil: str):
    page, connection = copy
    connection.execute(spoil)
    addresses = [
        "/api/runs", "/api/runs/r1", "/api/runs/r3", "/api/runs/r1/logs", "/api/runs/r1/curves", "/api/data", "/api/compare?run=r1&run=r2",
        "/api/steps/pipeline:fit", "/api/project",
    ]  # fmt: skip
    answers = [page.get(address) for address in addresses]
    for answer in answers:
        assert answer.status in (200, 404, 500)
        assert b"Traceback (most" not in answer.body or b'"traceback"' in answer.body
        if answer.status == 500:
            assert answer.json["error"]["code"] in ("E500", "E502"), answer.body
    assert any(answer.status == 500 for answer in answers)


def test_no_answer_leads_to_a_run_that_is_gone(copy: tuple[Page, sqlite3.Connection]):
    page, connection = copy
    before = of("RunPage", page.get("/api/runs/r4"))
    assert before["previous"] == "r3"
    assert {step["id"]: step["made_by"] for step in before["steps"]} == {"read": "r2", "fit": "r4"}
    connection.execute("DELETE FROM runs WHERE id IN (2, 3)")
    after = of("RunPage", page.get("/api/runs/r4"))
    assert after["previous"] == "r1"
    assert {step["id"]: step["made_by"] for step in after["steps"]} == {"read": "", "fit": "r4"}
    assert after["steps"][0]["status"] == "cached"


@pytest.mark.parametrize(
    "spoil",
    [
        "params = 'x'",
        "metrics = '[[[['",
        'metrics = \'{"loss": "high"}\'',
        "tags = '[1]'",
        "status = 'lost'",
        "started = 'noon'",
        "params = CAST(X'7bff7d' AS TEXT)",  # no UTF-8
        "nodes = X'ff00', wiring = X'ff00'",
        "nodes = CAST(X'ff00' AS TEXT), about = CAST(X'ff00' AS TEXT)",
        "nodes = 'zz'",
    ],
)
def test_the_list_shows_every_run_that_can_be_read(copy: tuple[Page, sqlite3.Connection], spoil: str):
    page, connection = copy
    connection.execute(f"UPDATE runs SET {spoil} WHERE id IN (2, 4)")
    found = of("RunList", page.get("/api/runs"))
    shown = {run["run"]: run["status"] for run in found["runs"]}
    assert shown == {"r5": "succeeded", "r4": "damaged", "r3": "failed", "r2": "damaged", "r1": "succeeded"}
    assert [run["run"] for run in of("RunList", page.get("/api/runs?where=depth==5"))["runs"]] == ["r5"]
    (sweep, *_) = of("RunList", page.get("/api/runs?grouped=1"))["runs"]
    assert (sweep["status"], [one["status"] for one in sweep["points"]]) == (
        "damaged",
        ["damaged", "succeeded"],
    )
    of("Project", page.get("/api/project"))
    of("DataList", page.get("/api/data"))
    told = of("StepHistory", page.get("/api/steps/pipeline:fit"))
    assert ([row["run"] for row in told["rows"]], told["damaged"]) == (["r5", "r3", "r1"], ["r4", "r2"])
    compared = of("Comparison", page.get("/api/compare?run=r1..r5"))
    assert ([run["run"] for run in compared["runs"]], compared["damaged"]) == (
        ["r1", "r3", "r5"],
        ["r2", "r4"],
    )
    assert "r2, r4" in compared["notes"][0]
    for address in ("/api/runs/r2", "/api/compare?run=r1&run=r2"):
        assert "stepwell verify" in refused(page.get(address), 500, "E502")["fixes"][0]


def test_a_run_that_is_damaged_while_it_is_watched_hides_no_other(copy: tuple[Page, sqlite3.Connection]):
    page, connection = copy
    with open_store(page.folder, readonly=True) as store:
        assert state_of(store, "r4").status == "succeeded"
        connection.execute("UPDATE runs SET params = 'x', status = 'running', metrics = NULL WHERE id = 4")
        assert state_of(store, "r4").status == "damaged"
        assert state_of(store, "").status == ""


def test_a_line_of_ten_megabytes_and_bytes_that_are_no_text(copy: tuple[Page, sqlite3.Connection]):
    page, connection = copy
    connection.execute("UPDATE logs SET text = ? WHERE seq = 1", ("x" * 10_000_000,))
    connection.execute("UPDATE logs SET text = char(0) || char(27) || char(65533) WHERE seq = 2")
    answer = page.get("/api/runs/r1/logs")
    first, second = of("Logs", answer)["lines"][:2]
    assert len(answer.body) < 1_000_000
    assert first["text"].endswith("[9,500,000 more bytes are not shown]\n")
    assert second["text"] == "\0\x1b\ufffd"


def test_hostile_names_come_as_they_are(tmp_path: Path):
    name = "x\x1b[31m</script><img src=x onerror=alert(1)>"
    made = Project(tmp_path)
    made.write(
        textwrap.dedent(
            f"""
            from stepwell import log, pipeline, step

            @step
            def one() -> int:
                log.metric({name!r}, float("inf"))
                log.metric("big", 1e308 * 10)
                return 1

            @pipeline
            def all() -> int:
                return one()
            """
        )
    )
    made("run", code=None)
    with Page(made.root) as page:
        answer = page.get("/api/runs")
        of("RunList", answer)
        assert b"\x1b" not in answer.body
        assert all(value == "Infinity" for run in answer.json["runs"] for value in run["metrics"].values())
        assert json.loads(answer.body) is not None
        assert math.isfinite(answer.json["total"])
