"""What channels ask of a release beside metrics: what is understood, what is judged, and what people are told."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from wheels_by_hand import new_index, wheel

from stepwell.dist.channels.index import Named
from stepwell.dist.channels.state import Span, spans
from stepwell.dist.needs import Facts, attestations, needs_of, parse
from stepwell.errors import BadNeed, SeveralProblems

ORDER = ("candidate", "staging", "pre-prod", "production")


@dataclass
class Said:
    """Facts, with what a test does not care about left out."""

    since: str = ""
    until: str = ""
    said: tuple[str, ...] = ()
    grade: str = ""

    @property
    def facts(self) -> Facts:
        current = {"staging": (Span(self.since, self.until),)} if self.since else {}
        return Facts("churn==1.5.0", "2026-09-10T12:00:00Z", current, {"approved-by": self.said}, self.grade)


@pytest.mark.parametrize(
    ("need", "said", "passed", "excuse"),
    [
        ("reproduced", Said(), False, "nobody has reproduced it: stepwell reproduce churn==1.5.0"),
        ("reproduced", Said(grade="A"), True, "made again: the same bytes"),
        ("reproduced", Said(grade="C"), True, "made again: the same within tolerance"),
        ("reproduced", Said(grade="F"), False, "made again: something else (asked is the same within tolerance)"),
        ("reproduced", Said(grade="?"), False, "made again: not all of it could be compared (asked is the same within tolerance)"),
        ("reproduced: content", Said(grade="A"), True, "made again: the same bytes"),
        ("reproduced: content", Said(grade="C"), False, "made again: the same within tolerance (asked is the same content)"),
        ("reproduced: bytes", Said(grade="B"), False, "made again: the same content (asked is the same bytes)"),
        ("2 days in staging", Said(), False, "it was never current in staging"),
        ("2 days in staging", Said("2026-09-09T00:00:00Z"), False, "1.5 of 2 days in staging, enough at 2026-09-11 00:00 UTC"),
        ("2 days in staging", Said("2026-09-08T12:00:01Z"), False, "1.9 of 2 days in staging, enough at 2026-09-10 12:00 UTC"),
        ("2 days in staging", Said("2026-09-08T12:00:00Z"), True, "2.0 days in staging"),
        ("2  days  in  Staging", Said("2026-09-01T12:00:00Z"), True, "9.0 days in staging"),
        ("1 week in staging", Said("2026-09-08T12:00:00Z"), False, "0.2 of 1 week in staging, enough at 2026-09-15 12:00 UTC"),
        ("12 hours in staging", Said("2026-09-10T00:00:00Z"), True, "12.0 hours in staging"),
        ("0.5 days in staging", Said("2026-09-10T00:00:00Z"), True, "0.5 days in staging"),
        ("2 days in staging", Said("2026-09-08T00:00:00Z", "2026-09-09T00:00:00Z"), False, "1.0 of 2 days in staging, where it is no longer current"),
        ("2 days in staging", Said("2026-09-01T00:00:00Z", "2026-09-09T00:00:00Z"), True, "8.0 days in staging"),
        ("2 days in staging", Said("2026-09-11T00:00:00Z"), False, "0.0 of 2 days in staging, enough at 2026-09-12 12:00 UTC"),
        ("approved-by: risk", Said(), False, "nobody says approved-by: risk (--attest approved-by=risk)"),
        ("approved-by: risk", Said(said=("law", "ops")), False, "nobody says approved-by: risk, only law, ops (--attest approved-by=risk)"),
        ("approved-by: risk", Said(said=("law", "risk")), True, "approved-by: risk"),
        ("approved-by: risk", Said(said=("risk/#812",)), True, "approved-by: risk/#812"),
        ("approved-by: risk", Said(said=("risky",)), False, "nobody says approved-by: risk, only risky (--attest approved-by=risk)"),
    ],
)  # fmt: skip
def test_verdicts(need: str, said: Said, passed: bool, excuse: str) -> None:
    verdict = parse(need, order=ORDER).judge(said.facts)
    assert (verdict.passed, verdict.excuse) == (passed, excuse)
    assert verdict.gate == " ".join(need.split())


@pytest.mark.parametrize(
    ("need", "fix"),
    [
        ("2 days in stagign", "did you mean `staging`?"),
        ("2 days in nowhere", "there are: candidate, staging, pre-prod, production"),
        ("reproduced: somehow", "grades are, the best first: bytes, content, tolerance"),
        ("two days in staging", "for example"),
        ("-2 days in staging", "for example"),
        ("", "for example"),
        ("auc >= 0.8", "metrics are asked for by gates of an output"),
        ("approved-by:", "for example"),
        ("Approved By: risk", "for example"),
    ],
)
def test_what_is_no_need_is_refused(need: str, fix: str) -> None:
    with pytest.raises(BadNeed) as caught:
        parse(need, order=ORDER)
    assert any(fix in one for one in caught.value.fixes)


def test_needs_of_a_manifest_stand_at_their_lines(tmp_path) -> None:
    text = '[channels]\norder = ["staging", "production"]\n[channels.production]\nneeds = ["reproduced", "1 day in staging"]\n'
    (tmp_path / "stepwell.toml").write_text(text)
    assert [one.text for one in needs_of(tmp_path)["production"]] == ["reproduced", "1 day in staging"]
    assert needs_of(tmp_path / "elsewhere") == {}
    (tmp_path / "stepwell.toml").write_text(text.replace("1 day in staging", "1 day in stage"))
    with pytest.raises(BadNeed) as caught:
        needs_of(tmp_path)
    assert caught.value.where.endswith("stepwell.toml:4")
    (tmp_path / "stepwell.toml").write_text(
        text.replace("1 day in staging", "a day").replace("reproduced", "made")
    )
    with pytest.raises(SeveralProblems):
        needs_of(tmp_path)


def test_what_was_attested_is_gathered_from_evidence() -> None:
    evidence = [
        {"attested": {"approved-by": "risk"}},
        {},
        {"attested": "nonsense"},
        {"attested": {"approved-by": "law"}},
    ]
    assert attestations([*evidence, {"attested": {"approved-by": "risk"}}]) == {
        "approved-by": ("risk", "law")
    }


def test_a_version_was_current_from_its_promotion_until_another_one_was(tmp_path) -> None:
    days = iter(range(1_788_220_800, 1_900_000_000, 86_400))  # from 2026-09-01 on, a day a look
    channels = new_index(tmp_path / "index", lambda: next(days))
    who = {"by": "ana", "why": "retrain"}

    def at(project: str, version: str) -> list[tuple[str, str]]:
        found = spans(channels.log("staging"), project, version)
        return [(one.since[8:10], one.until[8:10]) for one in found]

    stamps = []
    for project, version in (("churn", "1.0"), ("other", "1.0"), ("churn", "1.1"), ("churn", "1.2")):
        stamps.append(channels.promote(wheel(tmp_path / "dist", project, version), "staging", **who).at[8:10])
    assert at("churn", "1.0") == [(stamps[0], stamps[2])]
    assert at("churn", "1.1") == [(stamps[2], stamps[3])]
    assert at("churn", "1.2") == [(stamps[3], "")]
    assert at("churn", "9.9") == at("nobody", "1.0") == []
    back = channels.rollback("churn", "staging", **who).at[8:10]
    assert at("churn", "1.1") == [(stamps[2], stamps[3]), (back, "")]
    channels.promote(Named("churn", "1.1"), "production", **who)
    (yanked, *_) = channels.yank("churn", "1.0", channel="staging", **who)
    assert yanked.before == "1.1"
    assert at("churn", "1.1") == [(stamps[2], stamps[3]), (back, "")]
