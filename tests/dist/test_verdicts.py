"""Verdicts: the worst counts, the first is where to look, and evidence is the same bytes for the same outcome."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from stepwell.dist.verdicts import (
    ORDER,
    Compared,
    Evidence,
    encoded,
    evidence_path,
    read_evidence,
    settled,
    verdict,
    worst,
    write_evidence,
)
from stepwell.errors import BadEvidence

WHEEL = f"sha256:{'a' * 64}"


def one(step: str, grade: str, **more: str) -> Compared:
    return Compared(pipeline="p", step=step, grade=grade, **more)


def uses(**steps: str) -> dict[tuple[str, str], list[str]]:
    return {("p", name): text.split() for name, text in steps.items()}


CHAIN = uses(clean="", features="clean", fit="features", scores="fit")


@pytest.mark.parametrize(
    ("grades", "whole", "first"),
    [
        ("AAAA", "A", ""),
        ("AABA", "B", "fit"),  # where nothing differs, the first with other bytes
        ("ABCA", "C", "fit"),
        ("AACF", "F", "fit"),
        ("AFAA", "F", "features"),
        ("A?AA", "?", "features"),
        ("AAC?", "C", "fit"),  # nobody expects what follows from a close result to be the same
        ("A?C?", "?", "features"),  # but what it began with could not be compared
        ("AAF?", "F", "fit"),
        ("AA??", "?", "fit"),
    ],
)
def test_the_worst_counts_and_the_first_is_named(grades, whole, first):
    names = ["clean", "features", "fit", "scores"]
    found = settled([one(name, grade) for name, grade in zip(names, grades, strict=True)], CHAIN)
    assert verdict(found) == (whole, first)


def test_what_differs_follows_from_the_first_before_it_that_differs():
    found = settled([one("clean", "B"), one("features", "F"), one("fit", "F"), one("scores", "?")], CHAIN)
    assert [item.follows for item in found] == ["", "", "features", "features"]
    beside = settled([one("a", "F"), one("b", "F"), one("c", "A")], uses(a="", b="", c="a b"))
    assert [item.follows for item in beside] == ["", "", ""], (
        "neither takes from the other, and the last is as it was"
    )


def test_what_was_merely_not_made_is_not_where_it_began():
    """A call that grew stands behind what takes from it."""
    blocked = [one("total", "?"), one("part", "?"), one("part[2]", "F", now="b3:1")]
    chain = uses(total="part part[2]", **{"part": "", "part[2]": ""})
    assert verdict(settled(blocked, chain)) == ("F", "part[2]")
    assert verdict(settled(blocked[:2], chain)) == ("?", "part")


def test_several_outputs_of_a_step_count_together():
    parts = [one("fit", "C", part="model"), one("fit", "F", part="report"), one("scores", "?")]
    assert verdict(settled(parts, CHAIN)) == ("F", "fit")
    assert parts[0].place == "fit.model"
    assert one("fit", "A").place == "fit"


def test_pipelines_do_not_follow_from_each_other():
    other = structs.replace(one("fit", "?"), pipeline="q")
    found = settled([one("features", "C"), other], {**CHAIN, ("q", "fit"): ["features"]})
    assert verdict(found) == ("?", "features")


@given(st.lists(st.sampled_from(ORDER)))
def test_nothing_is_better_than_its_worst(grades):
    assert worst(grades) == (max(grades, key=ORDER.index) if grades else "?")


# --------------------------------------------------------------------------- evidence


def evidence(**more: object) -> Evidence:
    facts = {
        "kind": "release",
        "project": "churn",
        "version": "1.4.0",
        "wheel_sha256": WHEEL,
        "grade": "B",
        "first": "fit",
    }
    return Evidence(**{**facts, "steps": (one("fit", "B", how="the same content"),), **more})


def test_evidence_is_found_by_version_and_wheel(tmp_path):
    path = write_evidence(tmp_path, evidence())
    assert path == tmp_path / ".stepwell" / "evidence" / "churn-1.4.0-aaaaaaaaaaaa.json"
    assert read_evidence(tmp_path, "churn", "1.4.0", WHEEL) == evidence()
    assert read_evidence(tmp_path, "churn", "1.4.0", "a" * 64) == evidence(), "with or without the prefix"
    assert read_evidence(tmp_path, "churn", "1.4.0", "b" * 64) is None, "another wheel of that version"
    other = evidence(wheel_sha256="sha256:" + "c" * 64, grade="F")
    write_evidence(tmp_path, other)
    assert read_evidence(tmp_path, "churn", "1.4.0", WHEEL) == evidence(), "each wheel has its own"
    assert read_evidence(tmp_path, "churn", "1.4.0", "c" * 64) == other
    run = evidence(kind="run", version="r3", wheel_sha256="")
    assert write_evidence(tmp_path, run).name == "churn-r3.json"
    assert read_evidence(tmp_path, "churn", "r3") == run
    assert read_evidence(tmp_path, "churn", "1.5.0") is None


def test_a_project_is_one_however_it_is_spelled(tmp_path):
    write_evidence(tmp_path, evidence(project="flights_delay"))
    found = read_evidence(tmp_path, "Flights-Delay", "1.4.0", WHEEL)
    assert found is not None
    assert found.project == "flights_delay"


def test_the_same_outcome_has_the_same_digest(tmp_path):
    write_evidence(tmp_path, evidence())
    again = read_evidence(tmp_path, "churn", "1.4.0", WHEEL)
    assert again is not None
    assert encoded(again) == encoded(evidence())
    assert again.digest == evidence().digest
    assert again.digest != evidence(grade="A").digest


@pytest.mark.parametrize("name", ["../../etc/passwd", "a/b", "", "..", ".hidden", "x" * 20 + "\0"])
def test_names_cannot_lead_out_of_the_folder(tmp_path, name):
    path = evidence_path(tmp_path, name, name)
    assert path.parent == tmp_path / ".stepwell" / "evidence"
    assert not path.name.startswith(".")
    assert "\0" not in path.name


@pytest.mark.parametrize("data", [b"", b"{}", b"[1]", b"\xff", b'{"kind": "release", "grade": "Z"}'])
def test_what_is_no_evidence_is_refused(tmp_path, data):
    path = evidence_path(tmp_path, "churn", "1.4.0")
    path.parent.mkdir(parents=True)
    path.write_bytes(data)
    with pytest.raises(BadEvidence) as refused:
        read_evidence(tmp_path, "churn", "1.4.0")
    assert "churn-1.4.0.json" in refused.value.what
    assert refused.value.fixes == ("stepwell reproduce churn==1.4.0",)


def test_evidence_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / ".stepwell").write_text("a file where a folder belongs")
    with pytest.raises(BadEvidence, match="cannot be written"):
        write_evidence(tmp_path, evidence())
