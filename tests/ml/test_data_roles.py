"""Tokenizers, preprocessors and predictors: what they must give, and what is recorded of it."""

from __future__ import annotations

import random

import duckdb
import numpy as np
import pandas as pd
import pytest
from playing import LIBRARIES, ask, table
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.preprocessing import StandardScaler

from stepwell.errors import PredictorBroken, PreprocessorBroken, TokenizerBroken
from stepwell.worker.roles.values import missing, numbers, table_of

ROWS = [(1, "a"), (2, "b"), (3, "c")]
TEXTS = ["the cat", "the dog"]


class Words:
    """A tokenizer of one's own; `drawn` makes it encode at random."""

    def __init__(self, size=3, *, drawn=False):
        self.vocab_size, self.drawn = size, drawn

    def encode(self, text):
        return [random.random() if self.drawn else len(word) for word in text.split()]


@pytest.mark.parametrize(
    ("value", "size"),
    [
        ({"the": 0, "cat": 1}, 2),
        ({0: "the", 1: "cat", 2: "dog"}, 3),
        (["the", "cat"], 2),
        (([[0, 1]], {"the": 0, "cat": 1}), 2),
        ({"ids": [[0, 1]], "vocabulary": ["the", "cat"]}, 2),
        (CountVectorizer().fit(TEXTS), 3),
        (Words(), 3),
    ],
)
def test_vocabularies(value, size):
    assert ask("tokenizer", value, texts=TEXTS).metrics == {"vocabulary": float(size)}


def test_texts_are_encoded_twice():
    assert ask("tokenizer", Words(), texts=TEXTS).document["encoded_twice"] == 2
    assert ask("tokenizer", CountVectorizer().fit(TEXTS), table=pd.DataFrame({"text": TEXTS, "n": 1})).document["encoded_twice"] == 2  # fmt: skip
    with pytest.raises(TokenizerBroken, match="encodes 'the cat' in two ways"):
        ask("tokenizer", Words(drawn=True), texts=TEXTS)


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ({"the", "cat"}, "in a set, whose order is another in every process"),
        ({}, "that is empty"),
        (Words(0), "that is empty"),
        ({"the": 0, "cat": 0}, "in which 1 ids stand for more than one token"),
        ({0: "the", 1: "the"}, "in which 1 tokens have more than one id"),
        (["the", "the"], "in which 1 tokens come twice"),
        ({"loss": 0.5}, "gave no vocabulary: what it returned is a dict"),
        (None, "gave no vocabulary: what it returned is None"),
        ([1, 2], "gave no vocabulary"),
    ],
)
def test_what_is_no_vocabulary(value, told):
    with pytest.raises(TokenizerBroken, match=told):
        ask("tokenizer", value)


# --------------------------------------------------------------------------- preprocessors


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_preprocessor(library):
    gaps = [*ROWS, (4, None)] if library not in ("array", "list") else ROWS
    found = ask("preprocessor", table(library, ROWS), table=table(library, gaps))
    assert (found.metrics["rows_before"], found.metrics["rows"]) == (len(gaps), 3)
    assert (found.metrics["missing_before"], found.metrics["missing"]) == (len(gaps) - 3, 0)


def test_what_a_preprocessor_changes():
    given = pd.DataFrame({"x": [1.0, None], "y": [1, 2]})
    scaler = StandardScaler().fit(given[["x"]])
    found = ask("preprocessor", (given.fillna(0).assign(z=1).drop(columns="y"), scaler), table=given)
    assert (found.document["new"], found.document["gone"]) == (["z"], ["y"])
    assert found.document["given"]["table"]["missing"] == {"x": 1}
    with pytest.raises(PreprocessorBroken, match=r"gave a StandardScaler \(`1`\) that is not fitted"):
        ask("preprocessor", (given, StandardScaler()))
    with pytest.raises(PreprocessorBroken, match="without rows"):
        ask("preprocessor", given[:0])
    with pytest.raises(PreprocessorBroken, match="what it returned is a float"):
        ask("preprocessor", 0.5)


# --------------------------------------------------------------------------- predictors


@pytest.mark.parametrize("library", LIBRARIES)
def test_predictions_for_each_row(library):
    found = ask("predictor", np.array([1.0, 2, 6]), model=object(), table=table(library, ROWS))
    assert found.metrics == {"predictions": 3.0, "mean": 3.0}
    with pytest.raises(
        PredictorBroken, match=r"gave 2 predictions \(what it returned\), and `table` has 3 rows"
    ):
        ask("predictor", np.array([1.0, 2]), table=table(library, ROWS))


def test_which_table_has_the_rows():
    counts, held_out = table("pandas", ROWS[:2]), table("pandas", ROWS)
    assert ask("predictor", [1, 2], counts=counts, held_out=held_out).metrics["predictions"] == 2
    with pytest.raises(PredictorBroken, match="`held_out` has 3 rows"):
        ask("predictor", [1, 2], {"rows": "held_out"}, counts=counts, held_out=held_out)
    with pytest.raises(PredictorBroken, match="is given no table as `held_out`: it is an int"):
        ask("predictor", [1, 2], {"rows": "held_out"}, held_out=3)


def test_gaps():
    given = pd.DataFrame({"x": [1.0, None]})
    assert ask("predictor", given.assign(p=[0.5, 0.7]), table=given).metrics["mean[p]"] == 0.6
    with pytest.raises(PredictorBroken, match="no value for 1 of 2 rows in `p`"):
        ask("predictor", given.assign(p=[0.5, None]), table=given)
    found = ask("predictor", given.assign(p=[0.5, None]), {"missing": True}, table=given)
    assert (found.metrics["mean[p]"], found.document["missing"]) == (0.5, {"p": 1})
    with pytest.raises(PredictorBroken, match="no value for 1 of 2 rows"):
        ask("predictor", [None, 0.5], table=given)


def test_labels_parts_and_what_is_none():
    given = table("polars", ROWS)
    assert ask("predictor", ["a", "b", "a"], table=given).document["labels"] == {"a": 2, "b": 1}
    found = ask("predictor", {"low": [1.0, 2, 3], "high": [2.0, 3, 4]}, table=given)
    assert found.metrics == {"predictions": 3.0, "mean[low]": 2.0, "mean[high]": 3.0}
    with pytest.raises(PredictorBroken, match="what it returned is a float"):
        ask("predictor", 0.5, table=given)


# --------------------------------------------------------------------------- what a table is


@pytest.mark.parametrize("library", ["pandas", "polars", "lazy", "arrow"])
def test_missing_values_and_means(library):
    nan = float("nan")
    found = table_of(table(library, [(1.0, "a"), (nan, None), (3.0, "c")]))
    assert missing(found) == {"id": 1, "word": 1}
    assert numbers(found) == {"id": (1, 2.0)}


def test_missing_values_of_arrays_and_lists():
    nan = float("nan")
    assert missing(table_of(np.array([1.0, nan]))) == {"": 1}
    assert missing(table_of(np.array(["2026-01-01", "nat"], "M8[D]"))) == {"": 1}
    assert missing(table_of([1, None, nan])) == {"": 2}
    assert numbers(table_of([1, None, nan, 3]))[""] == (2, 2.0)
    assert numbers(table_of(["a"])) == {}
    assert table_of(pd.Index([1, 2])).rows == 2
    relation = duckdb.sql("select 1 as a union all select null")
    assert (table_of(relation).columns, missing(table_of(relation))) == (("a",), {"a": 1})
    assert table_of((1, 2)) is None
    assert table_of(np.float64(3)) is None
