"""`stepwell compat RELEASE` in real projects: what changed since a release, and which version that asks for."""

from __future__ import annotations

import random
import re
import shlex
import shutil
from pathlib import Path

import pandas as pd
import pytest

from stepwell.app.places import stored
from stepwell.app.values import load
from stepwell.codecs import choose
from stepwell.dist.installed.predicting import predict
from stepwell.dist.lockfile import read
from stepwell.dist.releases.archive import packed
from stepwell.dist.releases.document import Golden, Release
from stepwell.dist.releases.made import Content, Project, bare, released
from stepwell.dist.releases.pieces import divided, held_piece, pieces_of
from stepwell.kernel.ports import Artifact

pytestmark = pytest.mark.slow  # a model is trained, and libraries of models take seconds to import

PIPELINE = """
    import polars as pl
    from stepwell import log, pipeline, source, step

    customers = source("customers.csv", pl.DataFrame)
    events = source("events.csv", pl.DataFrame)

    @step
    def fit(customers: pl.DataFrame, events: pl.DataFrame, strength: float):
        from sklearn.linear_model import LogisticRegression

        table = customers.select(pl.col("tenure", "mrr").cast(float)).to_pandas()
        model = LogisticRegression(C=strength, max_iter=500).fit(table, customers["churned"].to_numpy())
        log.metric("auc", 0.5 + min(strength, 1.0) * 0.3)
        return model

    @step
    def scores(model, customers: pl.DataFrame) -> pl.DataFrame:
        table = customers.select(pl.col("tenure", "mrr").cast(float)).to_pandas()
        return customers.select("customer_id").with_columns(p=pl.Series(model.predict_proba(table)[:, 1]))

    @pipeline
    def train(strength: float = 1.0):
        return scores(fit(customers(), events(), strength), customers())
"""
MANIFEST = """
    [release]
    name = "churn"

    [data.customers]
    source = "customers.csv"
    key = { customer_id = "crm.customer" }
    units = { tenure = "month", mrr = "EUR/month" }

    [data.events]
    source = "events.csv"
    references = { customer_id = "customers.customer_id" }

    [outputs.model]
    step = "fit"
    golden = { on = "customers", tolerance = 1e-6 }
    gates = ["auc >= 0.6"]

    [outputs.scores]
    step = "scores"
"""


def customers(seed: int = 1, first: int = 10_000, rows: int = 400, scale: float = 1.0) -> str:
    draw = random.Random(seed)
    lines = ["customer_id,tenure,mrr,churned"]
    for i in range(rows):
        tenure, mrr = draw.randint(1, 72), round(scale * draw.lognormvariate(3.6, 1.0), 2)
        lines.append(f"{first + i},{tenure},{mrr},{int(draw.random() < 12 / (12 + tenure))}")
    return "\n".join(lines) + "\n"


def events(seed: int = 2, first: int = 10_000, rows: int = 400) -> str:
    draw = random.Random(seed)
    lines = [f"{i},{first + draw.randrange(rows)},{draw.uniform(1, 90):.2f}" for i in range(1000)]
    return "\n".join(["event_id,customer_id,amount", *lines]) + "\n"


def release(project, version: str) -> Path:
    """The wheel of what is locked, as `stepwell release` packs it, with golden predictions."""
    lock = read(project.root / "stepwell.lock")
    with stored(project.root, looking=True) as store:
        content = content_of(project, lock, store, version)
    made = released(bare(Project("churn", "churn"), version, "0.1.0"), content, "0.1.0")
    (project.root / "dist").mkdir(exist_ok=True)
    path = project.root / "dist" / made.file
    path.write_bytes(packed(made.files, made.dist_info))
    return path


def content_of(project, lock, store, version: str) -> Content:
    """What a release adds to a wheel."""
    pieces = pieces_of(lock, store)
    leaving = lock.output["model"]
    model = load(store, Artifact("model", leaving.codec, leaving.bytes, leaving.size, leaving.parts))
    table = pd.read_csv(project.root / "customers.csv")
    golden = [held_piece(*kept(store, one)) for one in (table, predict(model, leaving, table))]
    document = Release(
        project="churn", package="churn", version=version, pipelines={"train": "pipeline.py:train"},
        predict="model", blobs=divided([*pieces, *golden], 10**9, (), store="").blobs,
        golden={"model": Golden(on=golden[0].digest, predictions=golden[1].digest, codec="arrow:pandas", tolerance=1e-6)},
        gates={"model": ("auc >= 0.6",)},
    )  # fmt: skip
    files = {name: (project.root / name).read_bytes() for name in ("pipeline.py", "stepwell.toml")}
    return Content(
        document, lock, blobs={one.digest: one.data() for one in (*pieces, *golden)}, project=files
    )


def kept(store, table) -> tuple[str, bytes]:
    """A table as the codec of tables writes it."""
    sink = store.blobs.sink()
    choose.dump(table, "arrow:pandas", sink)
    digest, _, data = sink.finish()
    return digest, data if data is not None else store.blobs.part(digest).read_bytes()


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    """A project that was run, locked and released as 1.4.0."""
    from cli_projects import Project as Folder

    project = Folder(tmp_path_factory.mktemp("released"))
    project.write(PIPELINE)
    project.write(MANIFEST, "stepwell.toml")
    project.write(customers(), "customers.csv")
    project.write(events(), "events.csv")
    project("run", "--lock")
    release(project, "1.4.0")
    return project


@pytest.fixture
def churn(first, project):
    """That project, to change it."""
    shutil.copytree(first.root, project.root, dirs_exist_ok=True)
    return project


def rules(result) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for one in result.json["findings"]:
        found.setdefault(one["rule"], []).append(one["place"])
    return found


def test_nothing_changed(churn) -> None:
    assert churn("compat", "1.4.0").out == (
        "since churn 1.4.0: nothing changed\n\n=> no release is needed after 1.4.0\n"
    )
    for word in ("churn==1.4.0", "dist/churn-1.4.0-py3-none-any.whl"):
        assert churn("compat", word, "--json").json["bump"] == "none"


def test_a_unit_that_changed_is_refused(churn) -> None:
    churn.write(customers(scale=100.0), "customers.csv")
    churn("run", "--lock")
    told = churn("compat", "1.4.0", "--json").json
    (unit,) = [one for one in told["findings"] if one["rule"] == "D107"]
    assert unit["place"] == "data.customers.mrr"
    assert "quantiles x100 " in unit["what"]
    assert "the manifest says EUR/month" in unit["what"]
    assert (told["bump"], told["next"], told["stale"]) == ("major", "2.0.0", False)
    refused = churn("compat", "1.4.0", "--check", "1.5.0", code=1)
    assert "error[E771] 1.5.0 is too small after 1.4.0: it needs 2.0.0" in refused.err
    assert "D107 data.customers.mrr" in refused.err
    assert churn("compat", "1.4.0", "--check", "1.5.0", "--json", code=1).json["refused"]["code"] == "E771"
    churn("compat", "1.4.0", "--check", "2.0.0")


def test_ids_given_anew_are_refused(churn) -> None:
    churn.write(customers(first=70_000), "customers.csv")
    churn.write(events(first=70_000), "events.csv")
    churn("run", "--lock")
    told = churn("compat", "1.4.0", "--json")
    assert rules(told)["D103"] == ["data.customers.customer_id"]
    assert told.json["bump"] == "major"
    quiet = churn("compat", "1.4.0", "--json", "--silence", "D103=ids were given anew, see the notes").json
    assert quiet["bump"] == "minor"
    assert [one["silenced"] for one in quiet["findings"] if one["rule"] == "D103"] == [
        "ids were given anew, see the notes"
    ]


def test_a_reference_that_broke_is_blocked(churn) -> None:
    churn.write(events(rows=500), "events.csv")
    churn("run", "--lock")
    told = churn("compat", "1.4.0", "--json")
    assert rules(told)["D108"] == ["data.events.customer_id"]
    assert told.json["blocked"]
    assert told.json["next"] is None
    assert "error[E772]" in churn("compat", "1.4.0", "--check", "9.0.0", code=1).err
    assert "=> blocked: no version makes this right" in churn("compat", "1.4.0").out


def test_another_month_is_minor(churn) -> None:
    """Other rows with the same customers: a model that was trained again, and golden predictions that moved."""
    churn.write(customers(seed=7, rows=390), "customers.csv")
    churn.write(events(rows=390, seed=8), "events.csv")
    churn("run", "--lock")
    told = churn("compat", "1.4.0", "--json")
    found = rules(told)
    assert set(found) == {"D113", "G401", "O215"}
    assert found["D113"] == ["data.customers", "data.events"]
    assert (told.json["bump"], told.json["next"]) == ("minor", "1.5.0")
    assert "golden labels change" in next(
        one["what"] for one in told.json["findings"] if one["rule"] == "G401"
    )


def test_the_same_predictions_are_a_patch(churn) -> None:
    """Rows in another order of columns: other bytes, the same model but for the last digits."""
    churn.edit("max_iter=500", "max_iter=501")
    churn("run", "--lock")
    told = churn("compat", "1.4.0", "--json")
    assert set(rules(told)) <= {"P307", "G402", "O216"}
    assert told.json["bump"] == "patch"
    assert told.json["next"] == "1.4.1"


def test_a_gate_that_fails_is_blocked(churn) -> None:
    churn("run", "train", "strength=0.1", "--lock")
    told = churn("compat", "1.4.0", "train", "strength=0.1", "--json")
    assert rules(told)["G404"] == ["output.model"]
    assert "auc is 0.53, must be at least 0.6" in next(
        one["what"] for one in told.json["findings"] if one["rule"] == "G404"
    )
    wrong = churn.refused("compat", "1.4.0", "--silence", "G404=we know", code=2)
    assert wrong["code"] == "E770"


def test_a_lock_that_is_stale_says_so(churn) -> None:
    churn.write(customers(scale=100.0), "customers.csv")
    told = churn("compat", "1.4.0")
    assert "says something else than what is there now (data.customers" in told.err
    assert "stepwell run --lock" in told.err
    assert "nothing changed" in told.out


def test_bad_input(churn) -> None:
    assert churn.refused("compat", "9.9.9", code=4)["code"] == "E712"
    assert churn.refused("compat", code=2)["what"].startswith("`stepwell compat` needs a release")
    assert (
        "did you mean `key-overlap`?"
        in churn.refused("compat", "1.4.0", "--silence", "key-overlp=because of", code=2)["fixes"]
    )
    assert churn.refused("compat", "1.4.0", "--silence", "D103", code=2)["code"] == "E770"
    assert churn.refused("compat", "1.4.0", "--check", "one", code=2)["code"] == "E741"
    (churn.root / "stepwell.lock").unlink()
    assert churn.refused("compat", "1.4.0", code=4)["code"] == "E701"


def test_the_rules_are_listed(churn) -> None:
    listed = churn("compat", "--rules").out
    assert re.search(r"^D107  major    unit-like ", listed, re.MULTILINE)
    assert len(churn("compat", "--rules", "--json").json["rules"]) == len(listed.splitlines())


def test_what_would_run_if_the_release_were_up_to_date(churn) -> None:
    """No store and no git: the past is the release alone, its code and the data of its lock."""
    shutil.rmtree(churn.root / ".stepwell")
    for word in ("1.4.0", "churn==1.4.0"):
        assert churn("plan", "--against", word, "--json").decisions == {"fit": "cached", "scores": "cached"}
    churn.edit("max_iter=500", "max_iter=900")
    plan = churn("plan", "--against", "1.4.0", "--json")
    assert plan.decisions["fit"] == "run"
    assert "max_iter=900" in plan.json["causes"][0]["diff"]
    churn.edit("max_iter=900", "max_iter=500")
    churn.write(events(seed=9), "events.csv")
    changed = churn("plan", "--against", "1.4.0", "--json")
    assert [reason["kind"] for reason in changed.steps["fit"]["reasons"]] == ["input"]
    assert churn("plan", "--against", "1.4.0", "strength=0.5", "--json").decisions["fit"] == "run"


def test_words_that_are_neither_a_commit_nor_a_release(churn) -> None:
    told = churn("plan", "--against", "9.9.9", code=None).err
    assert "`9.9.9` is no release, no commit and no run" in told
    assert "there is no release 9.9.9 of `churn`" in told
    assert churn.refused("plan", "--against", "churn==9.9.9", code=4)["code"] == "E712"


GUIDES = Path(__file__).parents[2] / "docs" / "guides"


def test_the_guide_shows_what_is_printed(churn) -> None:
    """Numbers of predictions differ by machine; all else is as the page has it."""
    page = (GUIDES / "compat.md").read_text("utf-8")
    shown = re.findall(r"```console\n(.*?)```", page, re.DOTALL)
    churn.write(customers(scale=100.0), "customers.csv")
    churn("run", "--lock")
    _, _, report = shown[0].partition("\n")
    said = churn("compat", "1.4.0").out
    assert without_numbers(said) == without_numbers(report)
    refused = churn("compat", "1.4.0", "--check", "1.5.0", code=1)
    assert shown[1].splitlines()[1] in refused.err
    words = shlex.split(shown[2].removeprefix("$ stepwell "))
    assert "silenced: sold in cents" in churn(*words).out


def without_numbers(text: str) -> list[str]:
    return re.sub(r"\d[\d.]* of 400|by up to [\d.]+", "…", text).split()
