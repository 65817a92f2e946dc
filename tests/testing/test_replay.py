"""`stepwell.testing.replay`: recorded runs as tests of one's own."""

from __future__ import annotations

import os
import sys
import textwrap

import pytest

from stepwell.errors import NotRecorded, UnknownRun, UnknownStep
from stepwell.testing import replay

STEPS = """
    import random
    from dataclasses import dataclass
    from typing import NamedTuple
    from stepwell import log, pipeline, step

    @dataclass
    class Fit:
        auc: float
        name: str

    class Two(NamedTuple):
        first: int
        second: int

    @step
    def load(n: int) -> list[float]:
        return [random.random() for _ in range(n)]

    @step
    def train(values: list[float], depth: int = 2) -> Fit:
        log.metric("depth", depth)
        return Fit(sum(values) * depth, "forest")

    @step
    def both(fit: Fit) -> Two:
        return Two(1, 2)

    @pipeline
    def replayed(n: int = 3) -> Two:
        return both(train(load(n)))
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project with a run, in the working folder."""
    file = tmp_path / "pipeline.py"
    file.write_text(textwrap.dedent(STEPS))
    monkeypatch.chdir(tmp_path)
    from stepwell.app.calls import run_pipeline
    from stepwell.author.project import find, load

    run = run_pipeline(load(find("", tmp_path)).pipeline.options(in_process=True), (), {})
    assert run.status == "succeeded"
    return tmp_path


def edit(folder, old, new):
    file = folder / "pipeline.py"
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new))


def test_unchanged_code_is_the_same(project):
    before = os.getcwd()
    found = replay("train")
    assert found.same, found.text
    assert (found.step, found.run, found.differences) == ("train", "r1", ())
    assert found.value == found.recorded
    assert type(found.value) is type(found.recorded) is sys.modules["pipeline"].Fit
    assert replay("load", run="r1").same  # its random numbers agree
    assert replay("both", root=project).recorded == (1, 2)
    assert os.getcwd() == before


def test_edited_code_tells_what_differs(project):
    edit(project, "* depth,", "* depth + 1,")
    found = replay("train")
    assert not found.same
    assert found.value.auc == pytest.approx(found.recorded.auc + 1)
    assert [one.where for one in found.differences] == ["auc"]
    assert found.text.startswith("`train` with the inputs of r1:\n  auc  ")
    edit(project, "Two(1, 2)", "Two(1, 3)")
    found = replay("both")
    assert [(one.where, one.text) for one in found.differences] == [("second", "2 → 3")]


def test_what_the_step_raises_the_test_sees(project):
    edit(project, 'return Fit(sum(values) * depth, "forest")', 'raise LookupError("in the step")')
    with pytest.raises(LookupError, match="in the step"):
        replay("train")


def test_without_a_recording_the_error_says_so(project, tmp_path_factory, monkeypatch):
    with pytest.raises(UnknownRun):
        replay("train", run="r9")
    with pytest.raises(UnknownStep):
        replay("trian")
    empty = tmp_path_factory.mktemp("empty")
    (empty / "pipeline.py").write_text(textwrap.dedent(STEPS))
    monkeypatch.chdir(empty)
    with pytest.raises(NotRecorded, match="no run has `train`"):
        replay("train")
    assert not (empty / ".stepwell").exists()
