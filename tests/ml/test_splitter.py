"""Splitters: disjoint by content, key and group, in every library; never empty; what is missing is told."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import polars as pl
import pytest
from playing import LIBRARIES, ask, table
from scipy import sparse
from sklearn.model_selection import KFold, train_test_split

from stepwell.errors import SplitBroken

ROWS = [(i, "abcdefg"[i % 7] * (i % 3 + 1)) for i in range(40)]


class Split(NamedTuple):
    train: Any
    test: Any


@dataclass
class Parts:
    train: Any
    test: Any


@pytest.mark.parametrize("library", LIBRARIES)
def test_disjoint_parts(library):
    found = ask(
        "splitter", Split(table(library, ROWS[:30]), table(library, ROWS[30:])), table=table(library, ROWS)
    )
    assert found.metrics == {"rows[train]": 30.0, "rows[test]": 10.0}
    assert found.notes == ()
    assert found.document["lost"] == 0


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_row_in_both_parts(library):
    both = Split(table(library, ROWS[:31]), table(library, ROWS[30:]))
    with pytest.raises(
        SplitBroken, match=r"1 row in more than one part: row 30 of `train` is row 0 of `test`"
    ):
        ask("splitter", both, table=table(library, ROWS))


@pytest.mark.parametrize("library", LIBRARIES)
def test_rows_that_were_equal_before_are_only_noted(library):
    doubled = [*ROWS, ROWS[3]]
    found = ask(
        "splitter",
        (table(library, doubled[:20]), table(library, doubled[20:])),
        table=table(library, doubled),
    )
    assert found.notes == ("1 row of `0` and `1` are equal, as they were in what it was given",)


@pytest.mark.parametrize("library", LIBRARIES)
def test_rows_that_are_lost(library):
    found = ask(
        "splitter", (table(library, ROWS[:20]), table(library, ROWS[25:])), table=table(library, ROWS)
    )
    assert found.notes == ("5 rows of what it was given are in no part",)
    assert found.document["lost"] == 5


@pytest.mark.parametrize("library", ["pandas", "polars", "lazy", "arrow"])
def test_groups_that_straddle(library):
    parts = {"train": table(library, [(1, "a"), (2, "b")]), "test": table(library, [(3, "b"), (4, "c")])}
    with pytest.raises(
        SplitBroken, match=r"1 group in more than one part: word='b' is in `train` and `test`"
    ):
        ask("splitter", parts, {"by": ["word"]})
    assert ask("splitter", parts, {"key": ["id"]}).document["disjoint"] == ["key id"]


@pytest.mark.parametrize("library", ["pandas", "polars", "arrow"])
def test_a_missing_group_is_no_group(library):
    parts = (table(library, [(1, None), (2, "b")]), table(library, [(3, None), (4, "c")]))
    assert ask("splitter", parts, {"by": ["word"]}).metrics == {"rows[0]": 2.0, "rows[1]": 2.0}


def test_a_key_that_is_not_there():
    parts = (table("pandas", ROWS[:3]), table("pandas", ROWS[3:]))
    with pytest.raises(SplitBroken, match="without the column `ids`") as raised:
        ask("splitter", parts, {"key": ["ids"]})
    assert raised.value.fixes == ("did you mean `id`?",)


@pytest.mark.parametrize("library", LIBRARIES)
def test_an_empty_part(library):
    with pytest.raises(SplitBroken, match="left the part `test` empty"):
        ask("splitter", Parts(table(library, ROWS), table(library, ROWS)[:0] if library != "lazy" else table(library, ROWS).head(0)))  # fmt: skip


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (None, "what it returned is None"),
        (3, "what it returned is an int"),
        (table("pandas", ROWS), "is a DataFrame"),
        ((table("pandas", ROWS),), "has 1 part"),
        ((table("pandas", ROWS), 0.5), "`1` is a float"),
        ({"train": [1], "test": [2], "seed": "x"}, "`seed` is a str"),
        (([1, 2], ([3], [4, 5])), "whose tables have 1, 2 rows"),
    ],
)
def test_what_is_no_split(value, told):
    with pytest.raises(SplitBroken, match=told):
        ask("splitter", value)


def test_features_and_labels_as_scikit_learn_splits_them():
    x, y = np.random.default_rng(0).normal(size=(60, 3)), np.arange(60) % 2
    parts = train_test_split(x, y, random_state=0)
    assert ask("splitter", tuple(parts), x=x, y=y).document["lost"] == 0
    frame = pd.DataFrame(x, columns=["a", "b", "c"]).assign(y=y)
    parts = train_test_split(frame.drop(columns="y"), frame["y"], random_state=0)
    assert ask("splitter", tuple(parts), table=frame).document["lost"] == 0


def test_pairs_that_lie_side_by_side():
    x, y = np.array([[1.0], [2.0], [3.0]]), np.array([0, 0, 1])
    assert ask("splitter", ((x[:2], y[:2]), (x[2:], y[2:])), x=x, y=y).metrics == {
        "rows[0]": 2.0,
        "rows[1]": 1.0,
    }
    with pytest.raises(SplitBroken, match="row 1 of `0` is row 0 of `1`"):
        ask("splitter", ((x[:2], y[:2]), (x[1:], y[1:])), x=x, y=y)


def test_folds():
    x = np.arange(20.0).reshape(10, 2)
    folds = [(train, test) for train, test in KFold(5).split(x)]
    with pytest.raises(SplitBroken, match="whose tables have 8, 2 rows"):
        ask("splitter", folds, x=x)
    found = ask("splitter", folds, {"folds": True}, x=x)
    assert found.metrics["rows[4/0]"] == 8
    with pytest.raises(SplitBroken, match="in more than one part"):
        ask("splitter", [(np.arange(3), np.arange(2, 5))], {"folds": True}, x=x)


def test_equal_rows_of_new_columns_may_be_said_to_be_different():
    given, parts = table("pandas", ROWS), (pd.DataFrame({"size": [1, 2]}), pd.DataFrame({"size": [2, 3]}))
    with pytest.raises(SplitBroken) as raised:
        ask("splitter", parts, table=given)
    assert "duplicates=True" in raised.value.fixes[-1]
    assert ask("splitter", parts, {"duplicates": True}, table=given).document["disjoint"] == []


def test_an_index_tells_rows_apart():
    given = pd.DataFrame({"x": [1.0, 1.0, 1.0, 2.0]}, index=list("abcd"))
    scaled = given / given.max()
    found = ask("splitter", (scaled.loc[["a", "b"]], scaled.loc[["c", "d"]]), table=given)
    assert (found.document["disjoint"], found.notes) == (["index"], ())
    with pytest.raises(SplitBroken):
        ask("splitter", (scaled.loc[["a", "b"]], scaled.loc[["b", "d"]]), table=given)


def test_parts_of_which_one_lacks_the_label():
    given = table("pandas", ROWS)
    with pytest.raises(SplitBroken, match="1 row in more than one part"):
        ask("splitter", (given[:30], given[29:].drop(columns="word").reset_index(drop=True)), table=given)


def test_cells_of_every_kind_are_compared():
    odd = pd.DataFrame({"cell": [[1], [2], {"a": 1}, None], "when": pd.date_range("2026", periods=4), "kind": pd.Categorical(["a", "b", "a", "b"])})  # fmt: skip
    assert ask("splitter", (odd[:2], odd[2:]), table=odd).document["disjoint"] == ["index"]
    one, two = odd[:2].reset_index(drop=True), odd[1:].reset_index(drop=True)
    with pytest.raises(SplitBroken, match="1 row in more than one part"):
        ask("splitter", (one, two), table=odd)
    words = np.array(["a", "abc", "abcdefgh"])
    with pytest.raises(SplitBroken, match="row 1 of `0` is row 0 of `1`"):
        ask("splitter", (words[:2].astype("U3"), words[1:]), words=words)
    matrix = sparse.random(20, 5, 0.9, random_state=0, format="csr")
    assert ask("splitter", (matrix[:10], matrix[10:]), matrix=matrix).notes == ()
    with pytest.raises(SplitBroken, match="row 9 of `0` is row 0 of `1`"):
        ask("splitter", (matrix[:10], matrix[9:]), matrix=matrix)
    kinds = pl.DataFrame({"a": ["x", "y", "z"]}, schema={"a": pl.Categorical})
    with pytest.raises(SplitBroken, match="a='y'"):
        ask("splitter", (kinds[:2], kinds[1:]), kinds=kinds)


def test_numbers_with_few_digits_do_not_collide():
    grid = np.array([(a, b, c) for a in (0.0, 1, 2, 4) for b in (0.0, 0.5, 1, 2) for c in (0.0, 1, -1, 8)])
    assert ask("splitter", (grid[::2], grid[1::2]), grid=grid).notes == ()
    signed = np.arange(-4, 5)
    assert ask("splitter", (signed[:4].tolist(), signed[4:].tolist()), numbers=signed.tolist()).notes == ()


def test_without_numpy():
    program = """
import sys
sys.modules["numpy"] = None
import importlib.util
real = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name == "numpy" else real(name, *rest)
from stepwell.errors import SplitBroken
from stepwell.worker.roles import Given, splits
taken = splits.taken(Given("it", {}, {"rows": [1, 2, 2, 3]}))
assert splits.judged(taken, ([1, 2], [2, 3])).notes
try:
    splits.judged(taken, ([1, 2], [1, 3]))
except SplitBroken as error:
    print(error.what)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.stdout == "step `it` has 1 row in more than one part: row 0 of `0` is row 0 of `1` (1)\n", (
        done.stderr
    )
