"""`_release/metrics.json`: how good a release is, as a document that says the same as its lock."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from msgspec import structs
from releases_by_hand import lock_by_hand, made_by_hand

from stepwell.app.promoting import opened_of
from stepwell.dist.installed.information import info_of
from stepwell.dist.releases import backend
from stepwell.dist.releases.archive import Entry, packed
from stepwell.dist.releases.metrics import decoded, encoded, measured
from stepwell.dist.releases.opened import open_wheel
from stepwell.errors import BadRelease

PLACE = "churn/_release/metrics.json"


def written(folder: Path, text: bytes | None) -> Path:
    """A release whose document says this; None: that has none."""
    made = made_by_hand()
    files = {name: entry for name, entry in made.files.items() if name != PLACE}
    path = folder / made.file
    path.write_bytes(packed(files if text is None else {**files, PLACE: Entry(text)}, made.dist_info))
    return path


def test_it_says_what_the_lock_says_by_pipeline_and_by_output() -> None:
    data = made_by_hand().files[PLACE].data
    assert json.loads(data) == {
        "format": 1,
        "outputs": {"model": {"auc": 0.83, "fit.auc": 0.83}},
        "pipelines": {"main": {"fit.auc": 0.83}},
    }
    assert data == encoded(lock_by_hand()) == made_by_hand().files[PLACE].data


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 0.1, -0.0, 1e300])
def test_every_number_comes_back(value: float) -> None:
    lock = lock_by_hand()
    main = structs.replace(lock.pipeline["main"], metrics={"fit.auc": value})
    data = encoded(structs.replace(lock, pipeline={"main": main}))
    json.loads(data, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    assert repr(decoded(data).pipelines["main"]["fit.auc"]) == repr(value)


def test_information_and_gates_are_of_it_and_an_older_release_has_its_lock(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    new, old = (
        open_wheel(written(tmp_path, encoded(lock_by_hand()))),
        open_wheel(written(tmp_path / "old", None)),
    )
    assert new.metrics == old.metrics == measured(lock_by_hand())
    assert info_of(new).metrics == info_of(old).metrics == {"fit.auc": 0.83}
    assert new.metrics_of("model")["auc"] == 0.83
    assert new.metrics_of("nothing") == old.metrics_of("nothing")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b"[]", "is no metrics.json"),
        (b'{"format":2}', "it has format 2"),
        (b'{"format":1,"more":1}', "is no metrics.json"),
        (b'{"format":1,"outputs":{"model":{"auc":"good"}}}', "'good' is no number"),
    ],
)
def test_what_is_no_such_document_is_refused(tmp_path: Path, text: bytes, says: str) -> None:
    with pytest.raises(BadRelease, match=says):
        _ = open_wheel(written(tmp_path, text)).metrics


def test_one_that_says_more_than_the_lock_is_not_promoted(tmp_path: Path) -> None:
    better = encoded(lock_by_hand()).replace(b"0.83", b"0.99")
    opened_of(None, written(tmp_path, encoded(lock_by_hand())))  # type: ignore[arg-type]  # a path needs no index
    with pytest.raises(BadRelease, match="says other metrics"):
        opened_of(None, written(tmp_path, better))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("generator", "pin"),
    [
        ("hatchling 1.27.0", "hatchling==1.27.0\n"),
        ("setuptools (80.9.0)", "setuptools==80.9.0\n"),
        ("bdist_wheel (0.43.0)", "wheel==0.43.0\n"),
        ("flit 3.12.0", "flit-core==3.12.0\n"),
        ("uv 0.9.1", "uv-build==0.9.1\n"),
        ("pdm-backend (2.4.5)", "pdm-backend==2.4.5\n"),
        ("somebody", ""),
        ("evil 1.0\nother==2", ""),
        ("", ""),
    ],
)
def test_the_backend_of_then_is_told_by_the_wheel(generator: str, pin: str) -> None:
    assert backend._pin(generator) == pin
