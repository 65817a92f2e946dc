"""Asking models: what is checked before the model sees a table, and what comes back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from pyarrow import parquet
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression

from stepwell.dist.installed.kinds import is_zoned, kind_of
from stepwell.dist.installed.predicting import predict
from stepwell.dist.lock import Leaving
from stepwell.errors import (
    CannotPredict,
    InputUnreadable,
    MissingSource,
    StepwellError,
    WrongColumns,
    WrongTypes,
    WrongUnits,
)


def training() -> pd.DataFrame:
    """Twelve months of customers."""
    random = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "tenure": random.integers(1, 72, 300),
            "mrr": random.gamma(2.0, 30.0, 300).round(2),
            "plan": pd.Categorical(random.choice(["basic", "plus", "pro"], 300)),
        }
    )


def signature(**more: Any) -> Leaving:
    facts: dict[str, Any] = {
        "takes": {"tenure": "int64", "mrr": "float64", "plan": "category"},
        "gives": {"prediction": "bool", "probability": "float64"},
        "categories": {"plan": ("basic", "plus", "pro")},
        "units": {"tenure": "month", "mrr": "EUR/month"},
    }
    return Leaving(
        pipeline="train", step="fit", codec="sklearn", size=1, bytes="b3:" + "0" * 64, **facts | more
    )


@pytest.fixture(scope="module")
def classifier() -> HistGradientBoostingClassifier:
    table = training()
    model = HistGradientBoostingClassifier(max_iter=20, categorical_features="from_dtype", random_state=0)
    return model.fit(table, (table["mrr"] > 60) & (table["plan"] != "pro"))


ROWS = {"tenure": [3, 40], "mrr": [200.0, 10.0], "plan": ["basic", "pro"]}


def test_a_frame_gives_a_frame_with_its_index(classifier: Any) -> None:
    table = pd.DataFrame(ROWS, index=["a", "b"])
    answer = predict(classifier, signature(), table)
    assert list(answer.columns) == ["prediction", "probability"]
    assert list(answer.index) == ["a", "b"]
    assert list(answer["prediction"]) == [True, False]
    whole = table.astype({"plan": pd.CategoricalDtype(["basic", "plus", "pro"])})
    assert np.array_equal(answer["probability"], classifier.predict_proba(whole)[:, 1])


def test_each_kind_of_table_gives_its_own_kind(classifier: Any) -> None:
    expected = predict(classifier, signature(), pd.DataFrame(ROWS))["probability"].tolist()
    frame = predict(classifier, signature(), pl.DataFrame(ROWS))
    assert isinstance(frame, pl.DataFrame)
    assert frame["probability"].to_list() == expected
    lazy = predict(classifier, signature(), pl.LazyFrame(ROWS))
    assert isinstance(lazy, pl.LazyFrame)
    assert lazy.collect().equals(frame)
    table = predict(classifier, signature(), pa.table(ROWS))
    assert isinstance(table, pa.Table)
    assert table["probability"].to_pylist() == expected
    batch = predict(classifier, signature(), pa.RecordBatch.from_pydict(ROWS))
    assert batch.equals(table)
    assert predict(classifier, signature(), ROWS) == {"prediction": [True, False], "probability": expected}
    row = {name: values[0] for name, values in ROWS.items()}
    assert predict(classifier, signature(), row) == {"prediction": True, "probability": expected[0]}


def test_files_are_tables(classifier: Any, tmp_path: Path) -> None:
    table = pd.DataFrame(ROWS)
    expected = predict(classifier, signature(), table)
    table.to_csv(tmp_path / "customers.csv", index=False)
    table.to_parquet(tmp_path / "customers.parquet")
    table.to_csv(tmp_path / "customers.csv.gz", index=False)
    for name in ("customers.csv", "customers.parquet", "customers.csv.gz"):
        assert predict(classifier, signature(), tmp_path / name).equals(expected)
        assert predict(classifier, signature(), str(tmp_path / name)).equals(expected)


def test_order_and_further_columns_do_not_matter(classifier: Any) -> None:
    table = pd.DataFrame(ROWS)
    other = table.assign(name=["x", "y"])[["plan", "name", "tenure", "mrr"]]
    assert predict(classifier, signature(), other).equals(predict(classifier, signature(), table))


@pytest.mark.parametrize(
    ("column", "kind"),
    [
        ("tenure", "int8"), ("tenure", "Int64"), ("tenure", "float64"), ("tenure", "int64[pyarrow]"),
        ("mrr", "float32"), ("mrr", "Float64"), ("mrr", "double[pyarrow]"),
        ("plan", "category"), ("plan", "string"), ("plan", "object"), ("plan", "string[pyarrow]"),
    ],
)  # fmt: skip
def test_types_that_say_the_same_are_the_same(classifier: Any, column: str, kind: str) -> None:
    table = pd.DataFrame(ROWS).astype({column: kind})
    answer = predict(classifier, signature(), table)
    assert answer["prediction"].tolist() == [True, False]


def test_integers_do_for_floats_and_missing_values_stay_missing(classifier: Any) -> None:
    table = pd.DataFrame({"tenure": [3, None], "mrr": [200, 10], "plan": ["basic", None]})
    whole = table.assign(
        mrr=table["mrr"].astype(float), plan=pd.Categorical(table["plan"], ["basic", "plus", "pro"])
    )
    answer = predict(classifier, signature(), table)
    assert np.array_equal(answer["probability"], classifier.predict_proba(whole)[:, 1])


def test_missing_columns_are_named_with_what_is_near() -> None:
    with pytest.raises(WrongColumns) as caught:
        predict(LinearRegression(), signature(), pd.DataFrame({"tenur": [1], "plan": ["pro"]}))
    assert "`tenure` (is `tenur` meant?), `mrr`" in caught.value.what
    assert 'table.rename(columns={"tenur": "tenure"})' in caught.value.fixes


def test_a_column_that_is_there_twice_is_refused(classifier: Any) -> None:
    table = pd.DataFrame([[1, 2, 3.0, "pro"]], columns=["tenure", "tenure", "mrr", "plan"])
    with pytest.raises(WrongColumns, match="`tenure` twice"):
        predict(classifier, signature(), table)


@pytest.mark.parametrize(
    ("column", "values", "said"),
    [
        ("tenure", ["3", "40"], "`tenure` holds text ('3' in row 1), and int64 is wanted"),
        ("tenure", [1.5, 2.0], "`tenure` holds 1.5, and int64 is wanted: whole numbers"),
        ("mrr", ["200 EUR", "10 EUR"], "`mrr` holds text ('200 EUR' in row 1), and float64 is wanted"),
        ("mrr", ["200", "hot"], "`mrr` holds text ('hot' in row 2), and float64 is wanted"),
        ("mrr", [1.5, "hot"], "`mrr` holds text ('hot' in row 2), and float64 is wanted"),
        ("mrr", pd.to_datetime(["2026-01-01", "2026-02-01"]), "`mrr` holds moments"),
        ("plan", [1, 2], "`plan` holds integers"),
        ("plan", pd.to_datetime(["2026-01-01", "2026-02-01"]), "`plan` holds moments"),
    ],
)
def test_wrong_types_are_told_before_the_model_is_asked(column: str, values: Any, said: str) -> None:
    asked = []
    with pytest.raises(WrongTypes) as caught:
        predict(asked.append, signature(), pd.DataFrame(ROWS).assign(**{column: values}))
    assert said in caught.value.what
    assert not asked


def test_all_wrong_columns_are_told_at_once() -> None:
    table = pd.DataFrame({"tenure": ["a"], "mrr": ["b"], "plan": [1]})
    with pytest.raises(WrongTypes, match="3 columns do not hold") as caught:
        predict(LinearRegression(), signature(), table)
    assert "`mrr`" in caught.value.why
    assert "`plan`" in caught.value.why


def test_a_category_that_the_model_does_not_know_is_missing_and_said(classifier: Any) -> None:
    table = pd.DataFrame({**ROWS, "plan": ["basic", "gold"]})
    with pytest.warns(
        UserWarning, match="`plan` holds 1 values that the model has not been trained on.*'gold'"
    ):
        answer = predict(classifier, signature(), table)
    whole = table.assign(plan=pd.Categorical(["basic", None], ["basic", "plus", "pro"]))
    assert np.array_equal(answer["probability"], classifier.predict_proba(whole)[:, 1])


def test_categories_that_were_numbers_are_numbers_again() -> None:
    zones = pd.Series(pd.Categorical([1, 2, 10] * 40))
    model = HistGradientBoostingRegressor(categorical_features="from_dtype", max_iter=10, min_samples_leaf=1)
    model.fit(pd.DataFrame({"zone": zones}), zones.astype(int) * 2.0)
    leaving = signature(
        takes={"zone": "category"}, categories={"zone": ("1", "2", "10")}, gives={"prediction": "float64"}
    )
    answer = predict(model, leaving, pd.DataFrame({"zone": [10, 1]}))
    assert np.array_equal(answer["prediction"], model.predict(pd.DataFrame({"zone": zones[[2, 0]]})))


def test_text_of_a_file_stays_text(tmp_path: Path) -> None:
    seen: list[pd.DataFrame] = []

    def model(table: pd.DataFrame) -> list[int]:
        seen.append(table)
        return [1] * len(table)

    (tmp_path / "t.csv").write_text("code,age\n007,3\n012,4\n")
    leaving = signature(takes={"code": "object", "age": "int64"}, categories={}, units={})
    assert predict(model, leaving, tmp_path / "t.csv")["prediction"].tolist() == [1, 1]
    assert seen[0]["code"].tolist() == ["007", "012"]


# --------------------------------------------------------------------------- units


def test_units_that_are_said_must_be_those_of_the_training(classifier: Any) -> None:
    table = pd.DataFrame(ROWS)
    predict(classifier, signature(), table, units={"mrr": "EUR/month", "name": "furlong"})
    with pytest.raises(WrongUnits) as caught:
        predict(classifier, signature(), table, units={"mrr": "cent/month"})
    assert caught.value.what == "`mrr` is in cent/month, and the model was trained on EUR/month"
    assert "convert `mrr` from cent/month to EUR/month before it is given" in caught.value.fixes


def test_units_are_found_in_frames_fields_and_files(classifier: Any, tmp_path: Path) -> None:
    table = pd.DataFrame(ROWS)
    table.attrs["units"] = {"tenure": "year"}
    with pytest.raises(WrongUnits, match="`tenure` is in year"):
        predict(classifier, signature(), table)
    predict(classifier, signature(), table, units={"tenure": "month"})  # what is said now wins
    fields = [
        pa.field("tenure", pa.int64(), metadata={"unit": "day"}),
        pa.field("mrr", pa.float64()),
        pa.field("plan", pa.string()),
    ]
    with pytest.raises(WrongUnits, match="`tenure` is in day"):
        predict(classifier, signature(), pa.table(ROWS, schema=pa.schema(fields)))
    parquet.write_table(pa.table(ROWS, schema=pa.schema(fields)), tmp_path / "fields.parquet")
    with pytest.raises(WrongUnits, match="`tenure` is in day"):
        predict(classifier, signature(), tmp_path / "fields.parquet")
    table.to_parquet(tmp_path / "frame.parquet")  # pandas keeps `attrs` in it
    with pytest.raises(WrongUnits, match="`tenure` is in year"):
        predict(classifier, signature(), tmp_path / "frame.parquet")


def test_one_unit_of_a_whole_table_is_that_of_each_column(classifier: Any) -> None:
    table = pd.DataFrame(ROWS)
    table.attrs["units"] = "year"
    with pytest.raises(WrongUnits, match=r"`tenure` is in year.*`mrr` is in year") as caught:
        predict(classifier, signature(), table)
    by_column = {"tenure": "month", "mrr": "EUR/month"}
    right = f"{by_column}".replace("'", '"')
    assert f"units={right}" in caught.value.fixes[1]
    assert caught.value.fixes[2].startswith(f'table.attrs["units"] = {right}, where one unit is not')
    table.attrs["units"] = by_column
    assert len(predict(classifier, signature(), table)) == 2
    table.attrs["units"] = ["year", "EUR"]
    with pytest.raises(WrongUnits, match="is a list"):
        predict(classifier, signature(), table)


def test_a_unit_that_cannot_be_compared_is_told(classifier: Any) -> None:
    leaving = signature(units={"tenure": "month"})
    with pytest.warns(UserWarning, match=r"not compared: `mrr` is in cent, .* does not say"):
        predict(
            classifier, leaving, pd.DataFrame(ROWS), units={"mrr": "cent", "tenure": "month", "plan": "word"}
        )


def test_a_column_without_any_value_is_told(recwarn: Any) -> None:
    model = HistGradientBoostingClassifier().fit(training()[["tenure", "mrr"]], training()["tenure"] > 5)
    leaving = signature(takes={"tenure": "int64", "mrr": "float64"}, categories={}, units={})
    table = pd.DataFrame({"tenure": [None, None], "mrr": [1.0, None]})
    assert len(predict(model, leaving, table)) == 2
    assert [str(one.message) for one in recwarn] == ["`tenure` holds no value in any of the 2 rows"]
    predict(model, leaving, {"tenure": None, "mrr": 1.0})
    assert len(recwarn) == 1, "of one row it is nothing special"


# --------------------------------------------------------------------------- models


def test_more_than_two_classes_have_a_probability_each() -> None:
    table = training()[["tenure", "mrr"]]
    model = LogisticRegression(max_iter=1000).fit(table, training()["plan"])
    leaving = signature(takes={"tenure": "int64", "mrr": "float64"}, categories={})
    answer = predict(model, leaving, table)
    assert list(answer.columns) == [
        "prediction",
        "probability_basic",
        "probability_plus",
        "probability_pro",
    ]
    assert np.array_equal(answer.iloc[:, 1:].to_numpy(), model.predict_proba(table))


def test_a_regressor_that_was_fitted_on_an_array_is_given_an_array(recwarn: Any) -> None:
    table = training()[["tenure", "mrr"]]
    model = LinearRegression().fit(table.to_numpy(), table["mrr"] * 2)
    leaving = signature(takes={"tenure": "int64", "mrr": "float64"}, categories={})
    answer = predict(model, leaving, table)
    assert np.allclose(answer["prediction"], table["mrr"] * 2)
    assert not [one for one in recwarn if "feature names" in str(one.message)]


def test_several_targets_are_several_columns() -> None:
    table = training()[["tenure", "mrr"]]
    model = LinearRegression().fit(table, table)
    leaving = signature(takes={"tenure": "int64", "mrr": "float64"}, categories={})
    assert list(predict(model, leaving, table).columns) == ["prediction_0", "prediction_1"]


def test_what_can_be_called_predicts() -> None:
    answer = predict(lambda table: table["mrr"] > 50, signature(), pd.DataFrame(ROWS))
    assert answer["prediction"].tolist() == [True, False]


def test_no_rows_give_no_rows(classifier: Any) -> None:
    answer = predict(classifier, signature(), pd.DataFrame(ROWS).head(0))
    assert answer.shape == (0, 2)
    assert predict(classifier, signature(), pl.DataFrame(ROWS).head(0)).shape == (0, 2)


def test_a_model_that_fails_is_told_as_one() -> None:
    table = pd.DataFrame({"tenure": [1, 2], "mrr": [1.0, None]})
    leaving = signature(takes={"tenure": "int64", "mrr": "float64"}, categories={})
    model = LinearRegression().fit(training()[["tenure", "mrr"]], training()["mrr"])
    with pytest.raises(CannotPredict, match="ValueError") as caught:
        predict(model, leaving, table)
    assert "NaN" in caught.value.why


def test_a_model_that_gives_something_else_is_told(classifier: Any) -> None:
    with pytest.raises(CannotPredict, match=r"shape \(3,\) for 2 rows"):
        predict(lambda _: [1, 2, 3], signature(), pd.DataFrame(ROWS))
    with pytest.raises(CannotPredict, match="does not predict"):
        predict({"auc": 1}, signature(), pd.DataFrame(ROWS))


@pytest.mark.parametrize("table", [[1, 2], 7, None, np.zeros((2, 2)), pd.Series([1]), pl.Series([1])])
def test_what_is_no_table_is_refused(classifier: Any, table: Any) -> None:
    with pytest.raises(WrongTypes, match="is no table"):
        predict(classifier, signature(), table)


def test_files_that_are_no_table_are_refused(classifier: Any, tmp_path: Path) -> None:
    with pytest.raises(MissingSource):
        predict(classifier, signature(), tmp_path / "nothing.csv")
    (tmp_path / "a.csv").write_bytes(b"")
    (tmp_path / "a.parquet").write_bytes(b"no parquet")
    (tmp_path / "a.exe").write_bytes(b"x")
    for name in ("a.csv", "a.parquet", "a.exe"):
        with pytest.raises(InputUnreadable):
            predict(classifier, signature(), tmp_path / name)
    with pytest.raises(StepwellError):
        predict(classifier, signature(), {"tenure": [1, 2], "mrr": [1.0], "plan": ["pro"]})


@pytest.mark.parametrize(
    ("names", "kind"),
    [
        (("int64", "Int32", "uint8", "int8", "UInt16", "integer"), "int"),
        (("float64", "Float32", "double", "halffloat", "float16", "decimal", "decimal128(5, 2)"), "float"),
        (("bool", "boolean", "Boolean"), "bool"),
        (("category", "Categorical", "Enum(categories=['a'])", "dictionary<values=string, indices=int8>"), "category"),
        (("object", "str", "string", "String", "large_string", "text", "string[pyarrow]", "Utf8"), "text"),
        (("datetime64[ns]", "datetime64[us, UTC]", "timestamp", "timestamp[tz=UTC]", "Datetime(time_unit='us')"), "moment"),
        (("date", "date32[day]", "Date"), "date"),
        (("timedelta64[ns]", "duration[ms]", "Duration"), "duration"),
        (("?", "list[int64]", "binary", "null", "struct", "time"), "other"),
    ],
)  # fmt: skip
def test_kinds_are_told_from_the_names_of_all_libraries(names: tuple[str, ...], kind: str) -> None:
    assert {name: kind_of(name) for name in names} == dict.fromkeys(names, kind)


@pytest.mark.parametrize(
    ("name", "zoned"),
    [
        ("datetime64[ns]", False), ("datetime64[ns, UTC]", True), ("timestamp[us]", False), ("timestamp", False),
        ("timestamp[us, tz=UTC]", True), ("timestamp[tz=Europe/Vienna]", True),
        ("Datetime(time_unit='us', time_zone=None)", False), ("Datetime(time_unit='us', time_zone='UTC')", True),
    ],
)  # fmt: skip
def test_zones_are_told_from_the_names_of_all_libraries(name: str, zoned: bool) -> None:
    assert is_zoned(name) is zoned


def seen(kinds: dict[str, str], table: Any, **more: Any) -> pd.DataFrame:
    """The table that a model is given."""
    given: list[pd.DataFrame] = []

    def model(frame: pd.DataFrame) -> list[int]:
        given.append(frame)
        return [0] * len(frame)

    predict(
        model,
        signature(takes=kinds, categories={}, units={}) if not more else signature(takes=kinds, **more),
        table,
    )
    return given[0]


def test_moments_dates_and_durations(tmp_path: Path) -> None:
    moments = pd.to_datetime(["2026-01-01 10:00", "2026-02-01 11:30"])
    for table in (
        {"at": moments},
        {"at": ["2026-01-01T10:00:00", "2026-02-01 11:30"]},
        {"at": list(moments.to_pydatetime())},
    ):
        assert list(seen({"at": "timestamp"}, table)["at"]) == list(moments)
    pd.DataFrame({"at": moments}).to_csv(tmp_path / "t.csv", index=False)
    assert list(seen({"at": "timestamp"}, tmp_path / "t.csv")["at"]) == list(moments)
    zoned = moments.tz_localize("UTC")
    assert list(seen({"at": "timestamp[tz=UTC]"}, {"at": zoned})["at"]) == list(zoned)
    for kind, values in (
        ("timestamp", zoned),
        ("timestamp[tz=UTC]", moments),
        ("timestamp", ["soon", "later"]),
    ):
        with pytest.raises(WrongTypes):
            seen({"at": kind}, {"at": values})
    days = [moment.date() for moment in moments]
    assert list(seen({"on": "date"}, {"on": days})["on"]) == days
    assert list(seen({"on": "date"}, {"on": ["2026-01-01", "2026-02-01"]})["on"]) == days
    assert seen({"for": "duration"}, {"for": moments - moments[0]})["for"].iloc[0] == pd.Timedelta(0)
    with pytest.raises(WrongTypes, match="durations are wanted"):
        seen({"for": "duration"}, {"for": [1, 2]})


def test_truth_values() -> None:
    assert seen({"late": "bool"}, {"late": [1, 0]})["late"].tolist() == [True, False]
    assert seen({"late": "bool"}, {"late": [True, False]})["late"].dtype == bool
    with pytest.raises(WrongTypes, match="`late` holds integers"):
        seen({"late": "bool"}, {"late": [2, 0]})
    assert seen({"count": "int64"}, {"count": [True, False]})["count"].tolist() == [1, 0]


def test_what_is_all_missing_is_missing() -> None:
    table = seen(
        {"a": "int64", "b": "float64", "c": "string"}, pd.DataFrame({"a": [None], "b": [None], "c": [None]})
    )
    assert table["a"].dtype == table["b"].dtype == "float64"
    assert table.isna().all(axis=None)


def test_types_that_are_not_known_are_not_checked() -> None:
    assert seen({"a": "?"}, {"a": [[1], [2]]})["a"].tolist() == [[1], [2]]


# --------------------------------------------------------------------------- files whose rows are not their header's


def mean(table: pd.DataFrame) -> list[float]:
    return [1.0] * len(table)


NUMBERS = {"takes": {"mrr": "int64", "age": "int64"}, "categories": {}, "units": {}}


@pytest.mark.parametrize(
    ("text", "line"),
    [("mrr,age\n50,30,7\n", 2), ("mrr,age\n\n0,50,30\n1,2,3\n", 3), ("mrr,age\n1,2\n50,30,7\n", 3)],
)
def test_a_row_with_more_fields_than_the_header_is_refused(text: str, line: int, tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_text(text)
    with pytest.raises(InputUnreadable) as caught:
        predict(mean, signature(**NUMBERS), tmp_path / "m.csv")
    assert f"line {line}" in caught.value.what + caught.value.why


@pytest.mark.parametrize("start", ["", "\ufeff"])
def test_a_header_with_a_name_twice_is_refused(start: str, tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_text(f"{start}mrr,age,mrr\n1,2,3\n", "utf-8")
    with pytest.raises(WrongColumns, match="has the column `mrr` twice"):
        predict(mean, signature(**NUMBERS), tmp_path / "m.csv")


def test_packed_quoted_and_empty_files_are_read_as_before(tmp_path: Path) -> None:
    import gzip

    (tmp_path / "m.csv.gz").write_bytes(gzip.compress(b'\n"mrr",age,"a,b"\n1,2,"x\ny"\n3,4,\n'))
    assert len(predict(mean, signature(**NUMBERS), tmp_path / "m.csv.gz")) == 2
    (tmp_path / "m.tsv").write_text("mrr\tage\n1\t2\n")
    assert len(predict(mean, signature(**NUMBERS), tmp_path / "m.tsv")) == 1
    (tmp_path / "m.csv").write_text("mrr,age\n")
    assert len(predict(mean, signature(**NUMBERS), tmp_path / "m.csv")) == 0


@pytest.mark.parametrize("value", ["99999999999999999999999", "-99999999999999999999999", "1e23", "9" * 400])
def test_a_number_that_does_not_fit_is_refused(value: str, tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_text(f"mrr,age\n50,{value}\n")
    with pytest.raises(WrongTypes, match="`age` holds"):
        predict(mean, signature(**NUMBERS), tmp_path / "m.csv")
    with pytest.raises(WrongTypes, match="`age` holds"):
        predict(
            mean,
            signature(**NUMBERS),
            {"mrr": [1], "age": [int(float(value)) if "e" in value else int(value)]},
        )


def test_large_numbers_are_floats_where_these_are_wanted() -> None:
    leaving = signature(takes={"mrr": "float64"}, categories={}, units={})
    assert predict(mean, leaving, {"mrr": [10**23, 1]})["prediction"] == [1.0, 1.0]
    with pytest.raises(WrongTypes, match="more than 300 digits"):
        predict(mean, leaving, {"mrr": [10**400]})
