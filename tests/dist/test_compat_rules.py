"""Every rule of compatibility: that it speaks where it should, with its bump, and is quiet where it should be."""

from __future__ import annotations

import random
from typing import Any

import pytest
from msgspec import structs

from stepwell.author.manifest import Data as Declared
from stepwell.author.manifest import Manifest
from stepwell.author.manifest import Output as Promised
from stepwell.dist.compat.rules import RULES, checked, findings, judge
from stepwell.dist.compat.sides import Predicted, Side, Sides
from stepwell.dist.gates import Verdict as Judged
from stepwell.dist.lock import Data, Environment, Leaving, Lock, Pipeline, Step
from stepwell.dist.sketches import sketch_of
from stepwell.errors import BadLock, UnknownRule

DRAW = random.Random(11)
MRR = tuple(sorted(round(DRAW.lognormvariate(3.6, 1.1), 2) for _ in range(19)))
TENURE = tuple(float(n) for n in (1, 2, 3, 5, 6, 8, 10, 12, 14, 17, 20, 23, 26, 30, 35, 42, 50, 58, 71))
IDS = range(10_000, 15_000)

CUSTOMERS = Data(
    source="data/customers.parquet",
    size=1_000,
    rows=5_000,
    bytes="b3:01",
    content="c1:01",
    columns={"customer_id": "int64", "mrr": "float64, null 0.2 %", "tenure": "int16", "since": "timestamp"},
    key={"customer_id": "crm.customer"},
    units={"mrr": "EUR/month", "tenure": "month"},
    quantiles={"mrr": MRR, "tenure": TENURE},
    sketch={"customer_id": sketch_of(IDS, "crm.customer")},
)
EVENTS = Data(
    source="data/events.parquet",
    size=9_000,
    rows=90_000,
    bytes="b3:02",
    content="c1:02",
    columns={"event_id": "int64", "customer_id": "int64", "at": "timestamp[UTC]", "amount": "float64"},
    key={"event_id": "app.event"},
    references={"customer_id": "customers.customer_id 1.0"},
    quantiles={"amount": MRR},
)
MODEL = Leaving(
    pipeline="train", step="fit", codec="sklearn", size=10, bytes="b3:03", needs=("scikit-learn==1.6.1",),
    takes={"tenure": "int16", "mrr": "float64", "country": "category"}, gives={"prediction": "int64", "probability": "float64"},
    units={"mrr": "EUR/month"}, categories={"country": ("AT", "CH", "DE")},
)  # fmt: skip
SCORES = Leaving(
    pipeline="train", step="score", codec="arrow", size=10, bytes="b3:04", content="c1:04",
    gives={"customer_id": "int64", "p": "float64"}, units={"p": "1"}, key={"customer_id": "crm.customer"},
)  # fmt: skip
TRAIN = Pipeline(
    params={"seed": 7, "horizon": 30, "name": "a", "limit": None},
    metrics={"score.auc": 0.8347},
    step={"fit": Step(code="aa"), "score": Step(code="bb")},
)
LOCK = Lock(
    environment=Environment(
        python="cpython 3.11", platform="linux x86_64", direct={"pandas": "2.2.3", "scikit-learn": "1.6.1"}
    ),
    data={"customers": CUSTOMERS, "events": EVENTS},
    pipeline={"train": TRAIN},
    output={"model": MODEL, "scores": SCORES},
)
MANIFEST = Manifest(
    data={
        "customers": Declared(source="data/customers.parquet", schema={"tenure": "int16 not null"}),
        "events": Declared(source="data/events.parquet"),
    },
    outputs={"scores": Promised(step="score", schema={"p": "float64 not null"}), "model": Promised(step="fit")},
)  # fmt: skip


def data(name: str, **changes: Any) -> Lock:
    return structs.replace(LOCK, data={**LOCK.data, name: structs.replace(LOCK.data[name], **changes)})


def output(name: str, **changes: Any) -> Lock:
    return structs.replace(LOCK, output={**LOCK.output, name: structs.replace(LOCK.output[name], **changes)})


def train(**changes: Any) -> Lock:
    return structs.replace(LOCK, pipeline={"train": structs.replace(TRAIN, **changes)})


def without(block: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in block.items() if key != name}


def environment(**changes: Any) -> Lock:
    return structs.replace(LOCK, environment=structs.replace(LOCK.environment, **changes))


def said(after: Lock, before: Lock = LOCK, **more: Any) -> dict[str, tuple[str, str]]:
    """What is found: by rule the bump and the place."""
    sides = Sides(Side(before, MANIFEST), Side(after, more.pop("manifest", MANIFEST)), **more)
    return {one.rule: (one.bump, one.place) for one in findings(sides)}


COLUMNS = CUSTOMERS.columns
MONTH = {"rows": 5_100, "bytes": "b3:11", "content": "c1:11"}
"""The same table a month later."""

FIRES = {
    "D101": ("major", "data.customers", structs.replace(LOCK, data={"events": EVENTS})),
    "D102": ("major", "data.customers.customer_id", data("customers", key={"customer_id": "billing.account"})),
    "D103": ("major", "data.customers.customer_id", data("customers", sketch={"customer_id": sketch_of(range(70_000, 75_000), "crm.customer")})),
    "D104": ("major", "data.customers.mrr", data("customers", units={"mrr": "USD/month", "tenure": "month"})),
    "D105": ("major", "data.customers.tenure", data("customers", columns=without(COLUMNS, "tenure"))),
    "D106": ("major", "data.customers.customer_id", data("customers", columns={**COLUMNS, "customer_id": "string"})),
    "D107": ("major", "data.customers.mrr", data("customers", quantiles={"mrr": tuple(100 * one for one in MRR), "tenure": TENURE})),
    "D108": ("blocked", "data.events.customer_id", data("events", references={"customer_id": "customers.customer_id 0.97"})),
    "D109": ("major", "data.events.customer_id", data("events", references={"customer_id": "accounts.id 1.0"})),
    "D110": ("minor", "data.customers.tenure", data("customers", columns={**COLUMNS, "tenure": "int16, null 1 %"})),
    "D111": ("minor", "data.regions", structs.replace(LOCK, data={**LOCK.data, "regions": CUSTOMERS})),
    "D112": ("minor", "data.customers.email", data("customers", columns={**COLUMNS, "email": "string"})),
    "D113": ("minor", "data.customers", data("customers", **MONTH)),
    "D114": ("patch", "data.customers", data("customers", bytes="b3:11")),
    "D115": ("none", "data.customers", data("customers", source="s3://crm/customers.parquet")),
    "D116": ("patch", "data.events.amount", data("events", units={"amount": "EUR"})),
    "O201": ("major", "output.scores", structs.replace(LOCK, output={"model": MODEL})),
    "O202": ("minor", "output.plot", structs.replace(LOCK, output={**LOCK.output, "plot": SCORES})),
    "O203": ("major", "output.scores.p", output("scores", gives={"customer_id": "int64"})),
    "O204": ("major", "output.scores.p", output("scores", gives={"customer_id": "int64", "p": "string"})),
    "O205": ("major", "output.scores.p", output("scores", gives={"customer_id": "int64", "p": "float64, null 2 %"})),
    "O206": ("major", "output.model.age", output("model", takes={**MODEL.takes, "age": "int64"})),
    "O207": ("major", "output.model.mrr", output("model", takes={**MODEL.takes, "mrr": "int64"})),
    "O208": ("major", "output.model.country", output("model", categories={"country": ("AT", "DE")})),
    "O209": ("major", "output.model", output("model", takes={}, bytes="b3:13")),
    "O210": ("major", "output.scores.customer_id", output("scores", key={"customer_id": "billing.account"})),
    "O211": ("major", "output.model.mrr", output("model", units={"mrr": "cent/month"})),
    "O212": ("minor", "output.scores.label", output("scores", gives={**SCORES.gives, "label": "int64"})),
    "O213": ("minor", "output.model.tenure", output("model", takes=without(MODEL.takes, "tenure"))),
    "O214": ("minor", "output.model", output("model", bytes="b3:13")),
    "O215": ("minor", "output.scores", output("scores", bytes="b3:14", content="c1:14")),
    "O216": ("patch", "output.scores", output("scores", bytes="b3:14")),
    "P301": ("major", "pipeline.train.horizon", train(params=without(TRAIN.params, "horizon"))),
    "P302": ("major", "pipeline.train.horizon", train(params={**TRAIN.params, "horizon": "30d"})),
    "P303": ("minor", "pipeline.train.depth", train(params={**TRAIN.params, "depth": 8})),
    "P304": ("patch", "pipeline.train.seed", train(params={**TRAIN.params, "seed": 8})),
    "P305": ("major", "pipeline.train", structs.replace(LOCK, pipeline={"other": TRAIN})),
    "P306": ("minor", "pipeline.other", structs.replace(LOCK, pipeline={"train": TRAIN, "other": TRAIN})),
    "P307": ("patch", "pipeline.train", train(step={"fit": Step(code="cc"), "score": Step(code="bb")})),
    "V501": ("patch", "environment.scikit-learn", environment(direct={"pandas": "2.2.3", "scikit-learn": "1.9.1"})),
    "V502": ("minor", "environment.python", environment(python="cpython 3.12")),
    "V503": ("patch", "environment.platform", environment(platform="darwin arm64")),
    "V504": ("minor", "output.model.needs", output("model", needs=("scikit-learn==1.9.1",))),
}  # fmt: skip


@pytest.mark.parametrize("rule", FIRES)
def test_it_speaks_where_it_should(rule: str) -> None:
    bump, place, after = FIRES[rule]
    manifest = MANIFEST if rule != "D101" else Manifest(outputs=MANIFEST.outputs)
    found = said(after, manifest=manifest)
    assert found[rule] == (bump, place)
    by_id = {one.id: one for one in RULES}
    if rule != "D110":
        assert bump == by_id[rule].bump


def test_nothing_changed() -> None:
    assert said(LOCK) == {}
    verdict = judge(Sides(Side(LOCK, MANIFEST), Side(LOCK, MANIFEST)), "1.4.0")
    assert (verdict.bump, verdict.next_version, verdict.blocked) == ("none", "1.4.0", False)


def test_every_rule_is_tried() -> None:
    assert {one.id for one in RULES} == {*FIRES, "G401", "G402", "G403", "G404"}
    assert len({one.id for one in RULES}) == len({one.name for one in RULES}) == len(RULES)


QUIET = {
    "one change is one finding": (data("customers", units={"mrr": "cent/month", "tenure": "month"}, quantiles={"mrr": tuple(100 * one for one in MRR)}), {"D104"}),
    "a key that is another is told once": (data("customers", key={"customer_id": "billing.account"}, sketch={"customer_id": sketch_of(range(9), "billing.account")}), {"D102"}),
    "a month with churn and new customers": (data("customers", **MONTH, sketch={"customer_id": sketch_of(range(10_200, 15_300), "crm.customer")}, quantiles={"mrr": tuple(1.19 * one * (1 + i / 60) for i, one in enumerate(MRR)), "tenure": TENURE}), {"D113"}),
    "ids are no amounts": (data("customers", quantiles={"mrr": MRR, "tenure": TENURE, "customer_id": tuple(float(2 * n) for n in range(1, 20))}), set()),
    "libraries spell types each in its way": (data("customers", columns={"customer_id": "Int64", "mrr": "double, null 0.3 %", "tenure": "Int16", "since": "datetime64[ns]"}), set()),
    "nobody looked": (data("customers", columns=dict.fromkeys(COLUMNS, "?")), set()),
    "a reference that was broken so before": (data("events", references={"customer_id": "customers.customer_id 1.0"}), set()),
    "a parameter that had no value": (train(params={**TRAIN.params, "limit": 5}), {"P304"}),
    "a number is a number": (train(params={**TRAIN.params, "horizon": 30.5}), {"P304"}),
    "predictions take integers where they took fractions before": (output("model", takes={**MODEL.takes, "tenure": "float64"}), {"O213"}),
    "more categories": (output("model", categories={"country": ("AT", "CH", "DE", "FR")}), {"O213"}),
    "a model in other bytes with the same content": (output("model", bytes="b3:13", content="c1:1"), {"O214"}),
    "a unit of a column that is gone": (data("customers", units={"tenure": "month"}), {"D116"}),
    "a wider type": (data("customers", columns={**COLUMNS, "tenure": "int64"}), {"D106"}),
}  # fmt: skip


@pytest.mark.parametrize("case", QUIET)
def test_it_is_quiet_where_it_should_be(case: str) -> None:
    after, rules = QUIET[case]
    assert set(said(after)) == rules


def test_a_key_with_a_time_has_new_values_each_month() -> None:
    """Flights of another month: their times are all new, their carriers are not."""
    key = {"carrier": "iata.carrier", "hour": "flight.hour"}
    sketch = {"carrier": sketch_of(["UA", "AA", "DL"]), "hour": sketch_of(range(744))}
    flights = Data(source="f.csv", size=1, bytes="b3:1", columns={"carrier": "string", "hour": "timestamp"}, key=key, sketch=sketch)  # fmt: skip
    later = structs.replace(flights, bytes="b3:2", sketch={**sketch, "hour": sketch_of(range(744, 1416))})
    rekeyed = structs.replace(later, sketch={**sketch, "carrier": sketch_of(["1", "2", "3"])})
    before = Lock(data={"flights": flights})
    assert said(Lock(data={"flights": later}), before) == {"D113": ("minor", "data.flights")}
    assert said(Lock(data={"flights": rekeyed}), before)["D103"] == ("major", "data.flights.carrier")


@pytest.mark.parametrize(
    "rekeyed", [[f"{one:08}" for one in IDS], [str(one) for one in IDS], [f"{one}.0" for one in IDS]]
)
def test_ids_that_are_written_otherwise(rekeyed) -> None:
    now = data("customers", sketch={"customer_id": sketch_of(rekeyed, "crm.customer")})
    assert said(now) == {"D103": ("major", "data.customers.customer_id")}


def test_data_that_nobody_could_import_may_go() -> None:
    after = structs.replace(LOCK, data={"events": EVENTS})
    found = {one.rule: one.bump for one in findings(Sides(Side(LOCK), Side(after)))}
    assert found["D101"] == "patch"
    assert said(after) == {}  # the manifest still has it


def test_a_new_reference_that_is_broken_is_blocked() -> None:
    references = {"customer_id": "customers.customer_id 1.0", "event_id": "customers.customer_id 0.1"}
    assert said(data("events", references=references))["D108"] == ("blocked", "data.events.event_id")
    worse = Lock(
        data={"events": structs.replace(EVENTS, references={"customer_id": "customers.customer_id 0.98"})}
    )
    same = said(worse, worse)
    assert same == {}


def test_keys_of_a_reference_must_mean_the_same() -> None:
    after = data("events", key={"event_id": "app.event", "customer_id": "billing.account"})
    before = data("events", key={"event_id": "app.event", "customer_id": "crm.customer"})
    assert said(after, before)["D109"] == ("blocked", "data.events.customer_id")


def test_a_promise_that_is_withdrawn() -> None:
    manifest = Manifest(
        data=MANIFEST.data, outputs={"scores": Promised(step="score", schema={"p": "float64"})}
    )
    assert said(LOCK, manifest=manifest)["O205"] == ("major", "output.scores.p")


PREDICTED = Predicted("model", rows=20_000, tolerance=1e-6)
RETRAINED = output("model", bytes="b3:13")


def test_golden_predictions() -> None:
    within = said(RETRAINED, predicted=(PREDICTED._replace(worst=3e-9, flips=0),))
    assert within == {"G402": ("patch", "output.model")}
    beyond = said(RETRAINED, predicted=(PREDICTED._replace(beyond=300, worst=0.27, flips=216),))
    assert beyond == {"G401": ("minor", "output.model")}
    refused = said(RETRAINED, predicted=(PREDICTED._replace(refused="it has no column `age`"),))
    assert refused == {"G403": ("major", "output.model")}


def test_a_library_whose_version_changes_predictions() -> None:
    after = structs.replace(RETRAINED, environment=environment(direct={"pandas": "2.2.3", "scikit-learn": "1.9.1"}).environment)  # fmt: skip
    flips = PREDICTED._replace(beyond=300, worst=0.27, flips=216)
    sides = Sides(Side(LOCK), Side(after), (flips,))
    (found,) = [one for one in findings(sides) if one.rule == "V501"]
    assert found.bump == "minor"
    assert "216 of 20,000 golden labels change" in found.what
    assert said(after, predicted=(PREDICTED,))["V501"] == ("patch", "environment.scikit-learn")


def test_gates_block_and_cannot_be_silenced() -> None:
    gates = {"model": (Judged("auc >= 0.81", False, "auc is 0.79, must be at least 0.81"), Judged("brier <= 1", True, ""))}  # fmt: skip
    assert said(LOCK, gates=gates) == {"G404": ("blocked", "output.model")}
    verdict = judge(Sides(Side(LOCK), Side(LOCK), gates=gates), "1.4.0")
    assert (verdict.blocked, verdict.next_version) == (True, "")
    with pytest.raises(UnknownRule, match="cannot be silenced"):
        checked({"G404": "we want it"})


def test_silence_has_a_reason_and_a_place() -> None:
    sides = Sides(Side(LOCK, MANIFEST), Side(FIRES["D103"][2], MANIFEST))
    for word in ("D103", "key-overlap", "D103:data.customers.customer_id"):
        verdict = judge(sides, "1.4.0", {word: "ids were given anew on purpose"})
        assert verdict.bump == "none"
        assert [one.silenced for one in verdict.findings] == ["ids were given anew on purpose"]
    assert judge(sides, "1.4.0", {"D103:data.events.x": "another place"}).bump == "major"
    for words, says in (({"D103": ""}, "nobody says why"), ({"D999": "because"}, "no rule `D999`")):
        with pytest.raises(UnknownRule, match=says):
            judge(sides, "1.4.0", words)


def test_the_largest_first() -> None:
    both = structs.replace(FIRES["D108"][2], environment=environment(platform="darwin arm64").environment)
    verdict = judge(Sides(Side(LOCK, MANIFEST), Side(both, MANIFEST)), "1.4.0")
    assert [one.bump for one in verdict.findings] == ["blocked", "patch"]


@pytest.mark.parametrize(
    "after",
    [
        data("customers", sketch={"customer_id": "???"}),
        data("events", references={"customer_id": "customers.id much"}),
    ],
)
def test_a_lock_that_somebody_changed(after) -> None:
    with pytest.raises(BadLock, match=r"cannot be read|is no reference"):
        said(after)


@pytest.mark.parametrize(("names", "says"), [(("fit",), "1 step is"), (("fit", "score"), "2 steps is")])
def test_one_step_is_told_as_one(names: tuple[str, ...], says: str) -> None:
    steps = {name: structs.replace(one, code="other") if name in names else one for name, one in TRAIN.step.items()}
    after = structs.replace(LOCK, pipeline={**LOCK.pipeline, "train": structs.replace(TRAIN, step=steps)})
    told = [one.what for one in findings(Sides(Side(LOCK), Side(after))) if one.place == "pipeline.train"]
    assert any(f"the code of {says} another" in text for text in told)
