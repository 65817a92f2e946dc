"""Generated pipelines: exported, run again from the file, exported again: the same bytes, here and in a fresh clone."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import yaml

sys.path.insert(0, str(Path(__file__).parent))

from generated import Generated, again  # it lies beside this file

from stepwell.export.runfile import parsed, text_of

DEEP = range(8, 208)


def round_trip(seed: int, folder: Path) -> None:
    project = Generated(seed, folder)
    text = project.first()
    told = f"seed {seed}\n{(project.root / 'pipeline.py').read_text('utf-8')}\n{text}"
    assert text_of(parsed(text, "run.yaml")) == text, told
    assert yaml.safe_load(text)["stepwell"] == 1
    if seed % 2:
        project.forget()  # everything is really run again
    if seed % 3 == 0:
        project.clone()
    _, now, differences = again(text, project.root)
    assert (differences, now) == ([], text), told


@pytest.mark.parametrize("seed", range(8))
def test_a_file_gives_the_run_that_gives_the_file(seed: int, tmp_path: Path) -> None:
    round_trip(seed, tmp_path)


@pytest.mark.deep
@pytest.mark.parametrize("seed", DEEP)
def test_two_hundred_files_give_the_runs_that_give_them(seed: int, tmp_path: Path) -> None:
    round_trip(seed, tmp_path)
