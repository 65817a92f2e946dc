"""The environment in a lock: `pylock.toml` beside it, written when it is asked for, and kept up to date from then on."""

from __future__ import annotations

import importlib.metadata
import sys
import tomllib
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "dist"))

from cli_projects import HELLO, Project
from wheels_by_hand import of_stepwell, wheel

HEADER = '# /// script\n# dependencies = ["stepwell"]\n# [tool.stepwell]\n# environment = "default"\n# ///\n'


@pytest.fixture
def offline(project: Project, tmp_path: Path) -> Project:
    """A project whose uv can ask a folder of wheels, and nothing else."""
    for name in (*of_stepwell(), "numpy", "pandas", "pyarrow"):
        wheel(tmp_path / "index", name, importlib.metadata.version(name))
    project.env |= {
        "UV_OFFLINE": "1",
        "UV_FIND_LINKS": str(tmp_path / "index"),
        "UV_CACHE_DIR": str(tmp_path / "cache"),
    }
    project.write(HELLO)
    return project


def lock(project: Project, name: str = "stepwell.lock") -> dict:
    return tomllib.loads((project.root / name).read_text("utf-8"))


def test_it_is_written_when_it_is_asked_for_and_kept(offline: Project) -> None:
    offline("run", "--lock")
    assert not (offline.root / "pylock.toml").exists()
    assert "pylock" not in lock(offline)["environment"]
    told = offline("lock", "--pylock")
    assert "note: `pylock.toml` was written" in told.err
    assert lock(offline)["environment"]["pylock"].startswith("sha256:")
    assert {one["name"] for one in tomllib.loads((offline.root / "pylock.toml").read_text())["packages"]} >= {
        "msgspec"
    }
    assert offline("lock").out == "stepwell.lock says so already\n"
    offline("lock", "--check")
    offline("run", "--locked")


def test_one_that_was_edited_or_is_gone_is_seen_without_a_network(offline: Project) -> None:
    offline("run", "--lock")
    offline("lock", "--pylock")
    path = offline.root / "pylock.toml"
    text = path.read_text()
    offline.env["PATH"] = "/usr/bin:/bin"
    path.write_text(text + "# mine\n")
    for words in (["lock", "--check"], ["run", "--locked"]):
        assert "environment.pylock: sha256:" in offline(*words, code=3).err
    path.unlink()
    told = offline("lock", "--check", code=3).err
    assert "environment.pylock is gone" in told
    assert "stepwell lock --pylock" in told
    path.write_text(text)
    offline("lock", "--check")


def test_another_version_than_is_installed_is_seen_and_made_anew(offline: Project) -> None:
    offline("run", "--lock")
    offline("lock", "--pylock")
    path = offline.root / "pylock.toml"
    text, version = path.read_text(), importlib.metadata.version("msgspec")
    path.write_text(text.replace(f'version = "{version}"', 'version = "0.0.1"'))
    offline("lock", env={"PATH": offline.env["PATH"]})
    assert path.read_text() == text
    offline("lock", "--check")


def test_where_it_cannot_be_made_nothing_is_written(offline: Project) -> None:
    offline("run", "--lock")
    before = (offline.root / "stepwell.lock").read_bytes()
    refused = offline("lock", "--pylock", code=3, env={"UV_FIND_LINKS": ""})
    assert "error[E707] `pylock.toml` cannot be made of what the project needs" in refused.err
    assert (offline.root / "stepwell.lock").read_bytes() == before
    assert not (offline.root / "pylock.toml").exists()


def test_a_single_file_has_its_own(offline: Project) -> None:
    offline.write(HEADER + (offline.root / "pipeline.py").read_text(), "churn.py")
    offline("run", "churn.py", "--lock")
    offline("lock", "churn.py", "--pylock")
    assert (offline.root / "pylock.churn.toml").is_file()
    assert lock(offline, "churn.stepwell.lock")["environment"]["pylock"].startswith("sha256:")


def test_what_an_output_is_stored_with_is_in_it(offline: Project) -> None:
    """Nothing of the project imports NumPy by name; its arrays are stored with it."""
    offline.edit(
        "return [n * n for n in range(count)]",
        'return __import__("importlib").import_module("numpy").arange(count)',
    )
    offline.edit("-> list[int]", "")
    offline.edit("values: list[int]", "values")
    offline("run", "--lock")
    assert "numpy" not in lock(offline)["environment"].get("direct", {})
    offline("lock", "--pylock")
    assert "numpy" in {
        one["name"] for one in tomllib.loads((offline.root / "pylock.toml").read_text())["packages"]
    }


def test_what_says_what_is_in_a_table_is_in_it(offline: Project) -> None:
    """Nothing of the project needs Arrow; its lock does, wherever it is made again."""
    offline.write(
        """
        import pandas as pd
        from stepwell import pipeline, source, step

        rows = source("rows.csv", pd.DataFrame)

        @step
        def count(rows: pd.DataFrame) -> int:
            return len(rows)

        @pipeline
        def main() -> int:
            return count(rows())
        """
    )
    offline.write("n\n1\n", "rows.csv")
    offline("run", "--lock")
    assert lock(offline)["data"]["rows"]["columns"] == {"n": "int64"}
    offline("lock", "--pylock")
    found = tomllib.loads((offline.root / "pylock.toml").read_text())["packages"]
    assert {"pandas", "pyarrow"} <= {one["name"] for one in found}
