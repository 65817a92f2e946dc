"""How a run is named, everywhere: `r3`, `3`, `last`, `last~1`; a sweep or a range is several, and the error names them."""

import pytest
from cli_projects import Project

SWEPT = """
    from stepwell import log, pipeline, step

    @step
    def fit(depth: int) -> float:
        print("fitting", depth)
        log.metric("auc", depth / 10)
        return depth / 10

    @pipeline
    def train(depth: int = 2):
        return fit(depth)
"""


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    """A project with a sweep of three points, r1 to r3."""
    project = Project(tmp_path_factory.mktemp("swept"))
    project.write(SWEPT)
    project("run", "--sweep", "depth=1,2,3")
    return project


WORDS = [
    ("logs", "RUN"),
    ("logs", "RUN", "fit"),
    ("get", "RUN", "fit"),
    ("why", "fit", "RUN"),
    ("replay", "fit", "RUN"),
    ("replay", "RUN", "fit"),
    ("export", "yaml", "RUN"),
]


@pytest.mark.parametrize("words", WORDS)
def test_one_run(swept, words):
    said = [swept(*(run if word == "RUN" else word for word in words)).out for run in ("r2", "2", "last~1")]
    assert said[0]
    assert said[0] == said[1] == said[2]


@pytest.mark.parametrize("words", [*WORDS, ("report", "RUN"), ("reproduce", "RUN")])
def test_several_runs(swept, words):
    told = swept.refused(*("g1" if word == "RUN" else word for word in words), code=2)
    assert told["code"] == "E561"
    assert told["what"].endswith("is of one run, and `g1` is 3 runs")
    assert told["why"] == "they are r1, r2, r3"
    assert told["fixes"][0].endswith("r3   the best auc")


def test_a_range_of_runs_is_shown_by_none(swept):
    assert swept.refused("show", "r1..r2", code=2)["code"] == "E561"
    assert "3 points" in swept("show", "g1").out
    assert swept.refused("logs", "r9", code=2)["what"] == "there is no run `r9`"
