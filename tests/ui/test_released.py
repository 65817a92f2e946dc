"""The lock, data by name, releases and channels, as the page gets them from a project that has them."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from asking import Page
from cli_projects import Project
from test_server import of

sys.path.insert(0, str(Path(__file__).parents[1] / "dist"))

from channel_releases import lock_of, release

MANIFEST = """
    [release]
    name = "churn"
    [data.counted]
    source = "counted.txt"
    doc = "What is counted."
    [outputs.model]
    step = "fit"
    gates = ["auc >= 0.81"]
    [channels]
    index = "index"
    order = ["staging", "production"]
"""

PIPELINE = """
    from stepwell import log, pipeline, step

    from data import counted

    @step
    def fit(text: str, depth: int) -> int:
        log.metric("auc", 0.9)
        return len(text) * depth

    @pipeline
    def churn(depth: int = 2) -> int:
        return fit(counted(), depth)
"""


@pytest.fixture(scope="module")
def churn(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project that is locked, and then changed; with two releases, one of them in both channels."""
    made = Project(tmp_path_factory.mktemp("churn"))
    made.write(MANIFEST, "stepwell.toml")
    made.write(PIPELINE)
    made.write("1\n2\n", "counted.txt")
    made("run", "--lock")
    for version, auc in (("1.4.0", 0.8347), ("1.5.0", 0.5)):
        release(made.root / "dist", version, lock_of(metrics={"auc": auc}), commit="c" * 40)
    made("channels", "--create")
    for channel in ("staging", "production"):
        made("promote", "1.4.0", channel, "--why", "<b>Q3</b> retrain", "--by", "ana@acme")
    return made


@pytest.fixture
def page(churn: Project) -> Iterator[Page]:
    with Page(churn.root) as made:
        yield made


def test_the_lock_and_what_differs_from_it(churn: Project, page: Page, tmp_path: Path):
    found = of("LockPage", page.get("/api/lock"))
    assert (found["file"], found["exists"], found["stale"]) == ("stepwell.lock", True, [])
    assert found["text"] == (churn.root / "stepwell.lock").read_text("utf-8")
    assert found["lock"]["pipeline"]["churn"]["params"] == {"depth": 2}
    assert of("Project", page.get("/api/project"))["locked"]
    copy = shutil.copytree(churn.root, tmp_path / "copy")
    (copy / "stepwell.lock").write_text(found["text"].replace("depth = 2", "depth =  3"))
    with Page(copy) as other:
        spoilt = of("LockPage", other.get("/api/lock"))
        assert "edited" in spoilt["stale"][0]
        assert "r1 had depth=2; locked is 3" in spoilt["stale"]
        (copy / "stepwell.lock").write_bytes(b"\xff\xfe<<<<<<< x\n")
        assert of("LockPage", other.get("/api/lock"))["lock"] is None
        assert of("DataList", other.get("/api/data"))["data"][0]["locked"] == ""


def test_data_by_name(page: Page):
    [row] = of("DataList", page.get("/api/data"))["data"]
    assert (row["name"], row["versions"], row["size"]) == ("counted", 1, 4)
    assert row["locked"] == row["digest"]
    found = of("DataPage", page.get("/api/data/counted"))
    assert found["doc"] == "What is counted."
    assert found["lock"]["size"] == 4


def test_releases_and_channels(page: Page):
    assert of("Project", page.get("/api/project"))["released"]
    found = of("Channels", page.get("/api/channels"))
    assert [(one["name"], one["version"], one["who"], one["why"]) for one in found["channels"]] == [
        ("staging", "1.4.0", "ana@acme", "<b>Q3</b> retrain"),
        ("production", "1.4.0", "ana@acme", "<b>Q3</b> retrain"),
    ]
    assert found["channels"][0]["metrics"] == {"auc": 0.8347}
    assert [(one["version"], one["channels"]) for one in found["releases"]] == [
        ("1.5.0", []),
        ("1.4.0", ["staging", "production"]),
    ]
    assert {(one["verb"], one["channel"]) for one in found["history"]} == {
        ("promote", "staging"),
        ("promote", "production"),
    }
    assert all(one["time"] > 1_700_000_000 for one in found["history"])


def test_channels_that_cannot_be_read_are_told(churn: Project, tmp_path: Path):
    copy = shutil.copytree(churn.root, tmp_path / "copy")
    log = next((copy / "index").rglob("*.jsonl"), None) or next(
        path for path in (copy / "index").rglob("*") if "log" in path.name and path.is_file()
    )
    log.write_bytes(log.read_bytes()[:50] + b"\n{}\n")
    with Page(copy) as page:
        answer = page.get("/api/channels")
        assert answer.status == 500
        assert answer.json["error"]["code"].startswith("E7")
