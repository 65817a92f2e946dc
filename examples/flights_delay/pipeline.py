# /// script
# requires-python = ">=3.11"
# dependencies = ["pandas>=2.2.3", "scikit-learn>=1.6", "stepwell[pandas,sklearn]"]
#
# [tool.stepwell.data.flights]
# source = "months/*.csv"
# doc = "One row for each flight out of New York that arrived"
# type = "pandas.DataFrame"
# key = { flight_id = "nyc.flight" }
# references = { carrier = "airlines.carrier" }
# units = { distance = "mile", arr_delay = "minute" }
#
# [tool.stepwell.data.airlines]
# source = "airlines.csv"
# doc = "The names of the airlines"
# type = "pandas.DataFrame"
# key = { carrier = "iata.airline" }
#
# [tool.stepwell.data.golden]
# source = "golden.csv"
# doc = "Four hundred flights of January on which two models are compared"
# type = "pandas.DataFrame"
# key = { flight_id = "nyc.flight" }
# units = { distance = "mile", arr_delay = "minute" }
#
# [tool.stepwell.outputs.model]
# step = "train"
# doc = "How likely a flight is to arrive a quarter of an hour late, or later"
# golden = { on = "golden", tolerance = 1e-6 }
# gates = ["auc >= 0.6", "auc >= production.auc - 0.02"]
#
# [tool.stepwell.outputs.airports]
# step = "airports"
# doc = "How many flights to each airport were late"
#
# [tool.stepwell.release]
# name = "flights_delay"
#
# [tool.stepwell.channels]
# order = ["staging", "production"]
# index = "index"
# production = { needs = ["reproduced"] }
# ///
"""Will this flight be late? A model that is made to be released: its data are named, and so is what leaves."""

from typing import NamedTuple

import pandas as pd
from data import airlines, flights
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score

from stepwell import log, pipeline, step

FEATURES = ["carrier", "origin", "distance", "hour", "weekday"]


class Split(NamedTuple):
    """What is learned from, and what is judged by."""

    train: pd.DataFrame
    held_out: pd.DataFrame


@step
def prepare(flights: pd.DataFrame, airlines: pd.DataFrame) -> pd.DataFrame:
    """Flights of known airlines, with what is to be predicted: whether one is late by 15 minutes or more."""
    table = flights[flights["carrier"].isin(airlines["carrier"])].reset_index(drop=True)
    late = table["arr_delay"] >= 15
    return table.assign(late=late).astype({"carrier": "category", "origin": "category"})


@step
def split(table: pd.DataFrame, held_out_days: int) -> Split:
    """The last days are held out."""
    days = sorted(table["date"].unique())
    later = table["date"] >= days[-held_out_days]
    return Split(table[~later].reset_index(drop=True), table[later].reset_index(drop=True))


@step
def train(table: pd.DataFrame, depth: int) -> HistGradientBoostingClassifier:
    """A small model, on what is known before a flight leaves."""
    model = HistGradientBoostingClassifier(
        max_depth=depth, max_iter=40, categorical_features="from_dtype", early_stopping=False, random_state=0
    )
    return model.fit(table[FEATURES], table["late"])


@step
def score(model: HistGradientBoostingClassifier, held_out: pd.DataFrame) -> dict[str, float]:
    """How well late flights are told from others."""
    chance = model.predict_proba(held_out[FEATURES])[:, 1]
    found = {"auc": float(roc_auc_score(held_out["late"], chance))}
    for name, value in found.items():
        log.metric(name, value)
    return found


@step
def airports(table: pd.DataFrame) -> pd.DataFrame:
    """Flights, and the late ones among them, by airport of destination."""
    return table.groupby("dest", as_index=False)["late"].agg(flights="size", late="sum")


@pipeline
def delays(depth: int = 4, held_out_days: int = 14) -> dict[str, float]:
    """From the months that are there to a model and how good it is."""
    table = prepare(flights(), airlines())
    parts = split(table, held_out_days)
    airports(table)
    return score(train(parts.train, depth), parts.held_out)
