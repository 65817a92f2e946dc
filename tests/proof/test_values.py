"""Equal inputs have one digest whatever made them; unequal ones differ.

What a step gets is named in its key by the digest of its bytes, so two values that are equal must
have the same bytes, and two values that a step could tell apart must not. Each row of `EQUAL` makes
one value in several ways; in `UNEQUAL` no two values of a row may have one token. Constants of a
pipeline go through `kernel.identity.token`, all others through a codec: a row is tried with both
where both take it.
"""

from __future__ import annotations

import collections
import datetime as dt
import decimal
import enum
import fractions
import os
import subprocess
import sys
import uuid
import zoneinfo
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from stepwell.codecs import choose
from stepwell.codecs.memory import MemorySink
from stepwell.kernel.identity import NotPlain, token


@dataclass
class Leaf:
    size: int
    tags: frozenset[str] = frozenset()


@dataclass
class Tree:
    leaves: list[Leaf]
    by_name: dict[str, Leaf] = field(default_factory=dict)
    label: str = ""


class Pair(NamedTuple):
    a: Any
    b: Any


class Color(enum.Enum):
    RED = 1
    CRIMSON = 1  # noqa: PIE796  an alias
    BLUE = 2


class Level(enum.IntEnum):
    RED = 1


def stored(value: Any) -> bytes:
    """What a value comes to in the key of a step that takes it: its codec and its bytes."""
    sink = MemorySink()
    codec, _ = choose.dump(value, "", sink)
    return codec.encode() + b"\n" + bytes(sink.data)


def shuffled(pairs: dict[Any, Any], seed: int) -> dict[Any, Any]:
    keys = list(pairs)
    Random(seed).shuffle(keys)
    return {key: pairs[key] for key in keys}


def grown_and_shrunk(items: Any) -> set[Any]:
    """A set with another history, and so with another order inside."""
    made = set(range(1000, 3000))
    made.update(items)
    made.difference_update(range(1000, 3000))
    return made


WORDS = {f"w{i}": i for i in range(40)}
ARRAY = np.arange(24, dtype="f8").reshape(4, 6)
FRAME = pd.DataFrame({"n": [1, 2, 3], "x": [0.5, np.nan, -0.0], "w": ["a", None, "c"]})
NOON = dt.datetime(2026, 3, 1, 12, tzinfo=zoneinfo.ZoneInfo("Europe/Berlin"))


def strided() -> np.ndarray:
    wide = np.full((8, 12), 99.0)
    wide[::2, ::2] = ARRAY
    return wide[::2, ::2]


def blocks() -> pd.DataFrame:
    made = pd.DataFrame({"n": [1, 2, 3]})
    made["x"] = [0.5, np.nan, -0.0]
    made["w"] = ["a", None, "c"]
    return made


def through_arrow(text: pa.DataType) -> pa.Table:
    return pa.table({"w": pa.array(["a", None, "a longer word than twelve"], text)})


EQUAL: dict[str, list[Callable[[], Any]]] = {
    "dict order": [lambda seed=seed: shuffled(WORDS, seed) for seed in range(3)],
    "nested dict order": [lambda: {"a": {"x": 1, "y": 2}, "b": 3}, lambda: {"b": 3, "a": {"y": 2, "x": 1}}],
    "keys of several types": [lambda: {1: "i", "1": "s", (1,): "t"}, lambda: {(1,): "t", "1": "s", 1: "i"}],
    "set history": [lambda: set(WORDS), lambda: grown_and_shrunk(WORDS), lambda: set(WORDS)],
    "nested sets": [lambda: {"k": frozenset(WORDS)}, lambda: {"k": frozenset(grown_and_shrunk(WORDS))}],
    "NaN": [lambda: float("nan"), lambda: -float("nan"), lambda: float("inf") - float("inf")],
    "dataclass": [
        lambda: Tree([Leaf(1, frozenset({"a", "b"}))], {"x": Leaf(2), "y": Leaf(3)}),
        lambda: Tree(label="", by_name={"y": Leaf(3), "x": Leaf(2)}, leaves=[Leaf(size=1, tags=frozenset({"b", "a"}))]),
    ],
    "strings": [lambda: "naïve", lambda: "naïve"],
    "decimal": [lambda: decimal.Decimal("1.50"), lambda: decimal.Decimal((0, (1, 5, 0), -2))],
    "fraction": [lambda: fractions.Fraction(2, 4), lambda: fractions.Fraction(1, 2)],
    "enum alias": [lambda: Color.RED, lambda: Color.CRIMSON, lambda: Color(1)],
    "uuid": [lambda: uuid.UUID(int=7), lambda: uuid.UUID("00000000-0000-0000-0000-000000000007")],
    "zone": [lambda: NOON, lambda: NOON.replace(tzinfo=zoneinfo.ZoneInfo.no_cache("Europe/Berlin"))],
    "memory layout": [
        lambda: ARRAY, lambda: np.asfortranarray(ARRAY), strided, lambda: ARRAY[::-1][::-1], lambda: ARRAY.T.copy().T,
    ],
    # Arrays come out of the store in the machine's own byte order, so no step can tell.
    "byte order": [lambda: np.arange(3, dtype="<i4"), lambda: np.arange(3, dtype=">i4")],
    "0-d array": [lambda: np.array(3.0), lambda: np.full((2, 2), 3.0)[0, :1].reshape(())],
    "read-only array": [lambda: ARRAY, lambda: np.frombuffer(ARRAY.tobytes()).reshape(4, 6)],
    "frame blocks": [lambda: FRAME, blocks, lambda: pd.concat([FRAME[["n"]], FRAME[["x", "w"]]], axis=1)],
    "frame slices": [lambda: FRAME, lambda: pd.concat([FRAME, FRAME], ignore_index=True)[:3]],
    "nullable": [
        lambda: pd.Series([1, None, 3], dtype="Int64"),
        lambda: pd.Series(pd.arrays.IntegerArray(np.array([1, 77, 3]), np.array([False, True, False]))),
    ],
    "pandas zones": [
        lambda: pd.Series(pd.to_datetime(["2026-01-01"]).tz_localize("Europe/Berlin")),
        lambda: pd.Series([pd.Timestamp("2025-12-31 23:00", tz="UTC").tz_convert("Europe/Berlin")]).dt.as_unit(
            pd.to_datetime(["2026-01-01"]).unit
        ),
    ],
    "categories": [
        lambda: pd.Series(pd.Categorical(["b", "a"], categories=["a", "b"])),
        lambda: pd.Series(pd.Categorical.from_codes([1, 0], ["a", "b"])),
    ],
    "multi-index levels": [
        lambda: pd.Series([1, 2], index=pd.MultiIndex.from_tuples([("a", 1), ("b", 2)])),
        lambda: pd.Series([0, 1, 2], index=pd.MultiIndex.from_tuples([("Z", 0), ("a", 1), ("b", 2)]))[1:],
    ],
    "arrow chunks": [
        lambda: pa.table({"x": pa.chunked_array([[1, 2], [3]])}),
        lambda: pa.table({"x": pa.chunked_array([[1], [], [2, 3]])}),
        lambda: pa.table({"x": [0, 1, 2, 3]}).slice(1),
    ],
    "arrow under nulls": [
        lambda: pa.table({"x": pa.array([1, None])}),
        lambda: pa.table({"x": pa.Array.from_buffers(
            pa.int64(), 2, [pa.py_buffer(b"\x01"), pa.py_buffer(np.array([1, 55]).tobytes())])}),
    ],
    "string views of different buffers": [
        lambda: through_arrow(pa.string_view()),
        lambda: pa.concat_tables([through_arrow(pa.string_view()).slice(0, 1), through_arrow(pa.string_view()).slice(1)]),
    ],
    "polars chunks": [
        lambda: pl.DataFrame({"x": [1, 2, 3], "w": ["a", None, "a longer word than twelve"]}),
        lambda: pl.concat(
            [pl.DataFrame({"x": [1], "w": ["a"]}), pl.DataFrame({"x": [2, 3], "w": [None, "a longer word than twelve"]})],
            rechunk=False,
        ),
        lambda: pl.DataFrame({"x": [0, 1, 2, 3], "w": ["zzz", "a", None, "a longer word than twelve"]})[1:],
    ],
    "polars categories": [
        lambda: pl.DataFrame({"c": pl.Series(["a", "b"], dtype=pl.Categorical)}),
        lambda: pl.DataFrame({"c": pl.Series(["z", "b", "a", "b"], dtype=pl.Categorical)})[2:],
    ],
    "bundle": [lambda: {"x": ARRAY, "f": FRAME}, lambda: {"f": FRAME.copy(), "x": np.asfortranarray(ARRAY)}],
}  # fmt: skip
"""Ways to make one value."""

UNEQUAL: dict[str, list[Any]] = {
    "numbers": [0, 0.0, -0.0, False, 0j, "0", None, decimal.Decimal(0), fractions.Fraction(0), np.float64(0), np.int64(0), b"0"],
    "special floats": [float("nan"), float("inf"), -float("inf"), "nan", 1e308],
    "large and close": [2**53, 2**53 + 1, float(2**53), 1.0, 1.0 + 2**-52],
    "containers": [[1], (1,), {1}, frozenset({1}), {1: None}, "1", [[1]], [1, 1], range(1, 2), Pair(1, 1)],
    "empty": [[], (), {}, set(), frozenset(), "", b"", None, range(0)],
    "list order": [[1, 2], [2, 1]],
    "ordered dict": [collections.OrderedDict(a=1, b=2), collections.OrderedDict(b=2, a=1), {"a": 1, "b": 2}],
    "text that imitates": ["[1,2]", [1, 2], "[1", "1,2]", ["1,2"], ["1", "2"], '["1","2"]', "a\nb", "a\\nb"],
    "unicode forms": ["na\u00efve", "nai\u0308ve"],
    "enums": [Color.RED, Color.BLUE, Level.RED, 1, "RED"],
    "decimals": [decimal.Decimal("1.5"), decimal.Decimal("1.50"), decimal.Decimal("-0"), decimal.Decimal(0), 1.5],
    "fold": [
        dt.datetime(2026, 10, 25, 2, 30, tzinfo=zoneinfo.ZoneInfo("Europe/Berlin")),
        dt.datetime(2026, 10, 25, 2, 30, fold=1, tzinfo=zoneinfo.ZoneInfo("Europe/Berlin")),
    ],
    "zones": [
        dt.datetime(2026, 3, 1, 12), NOON, NOON.replace(tzinfo=dt.timezone(dt.timedelta(hours=1))),
        NOON.replace(tzinfo=zoneinfo.ZoneInfo("Europe/Paris")), NOON.replace(tzinfo=dt.UTC), NOON.timetz(), NOON.date(),
    ],
    "dataclasses": [Leaf(1), Leaf(2), Leaf(1, frozenset({"a"})), Tree([Leaf(1)]), Tree([Leaf(1)], label="x"), {"size": 1}],
    # Python calls these two equal, but their ends differ, as the types of 1 and 1.0 do.
    "ranges": [range(0, 10, 3), range(0, 12, 3), range(0, 13, 3), range(10), [0, 3, 6, 9]],
    "array types": [np.arange(3).astype(t) for t in ("i4", "i8", "u8", "f4", "f8", "c16", "M8[s]", "M8[ns]", "m8[s]")],
    "array shapes": [ARRAY, ARRAY.T, ARRAY.ravel(), ARRAY[None], ARRAY + 0j, np.array(3.0), np.array([3.0]), np.zeros((0, 3)), np.zeros((3, 0))],
    "array signs": [np.array([0.0]), np.array([-0.0]), np.array([np.nan])],
    "index kinds": [
        FRAME, FRAME.set_axis([0, 1, 3]), FRAME.set_axis(["0", "1", "2"]), FRAME.rename_axis("i"), FRAME[::-1],
        FRAME.set_axis([0.0, 1.0, 2.0]),
    ],
    "column order": [FRAME, FRAME[["x", "n", "w"]], FRAME.rename(columns={"n": "m"}), FRAME[["n", "x"]]],
    "frame or series": [FRAME[["n"]], FRAME["n"], FRAME["n"].to_numpy(), FRAME["n"].tolist()],
    "nullable types": [pd.Series([1, 2, 3], dtype=t) for t in ("Int64", "int64", "Float64", "float64", "int64[pyarrow]", "object")],
    "missing": [pd.Series(v, dtype="object") for v in (["a", None], ["a", np.nan], ["a", pd.NA], ["a", ""])],
    "pandas zones": [
        pd.Series(pd.to_datetime(["2026-01-01"]).tz_localize(z)) for z in (None, "UTC", "Europe/Berlin", "Europe/Paris")
    ],
    "pandas units": [pd.Series(pd.to_datetime(["2026-01-01"])).dt.as_unit(u) for u in ("s", "ms", "us", "ns")],
    # The order of categories is what `cat.codes` gives, and how an ordered column sorts: it counts.
    "categories": [
        pd.Series(pd.Categorical(["a"], categories=c, ordered=o))
        for c in (["a", "b"], ["b", "a"], ["a"]) for o in (False, True)
    ],
    "arrow types": [
        pa.table({"w": pa.array(["a"], t)}) for t in (pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), pa.string()))
    ],
    "polars types": [pl.DataFrame({"x": pl.Series([1]).cast(t)}) for t in (pl.Int64, pl.Int32, pl.Float64, pl.String)],
    "libraries": [pd.DataFrame({"x": [1]}), pl.DataFrame({"x": [1]}), pa.table({"x": [1]}), {"x": [1]}],
}  # fmt: skip
"""Values that a step can tell apart."""


@pytest.mark.parametrize("name", EQUAL)
def test_one_value_has_one_digest_whatever_made_it(name):
    assert len({stored(make()) for make in EQUAL[name]}) == 1
    if is_plain(EQUAL[name][0]()):
        assert len({token(make()) for make in EQUAL[name]}) == 1


@pytest.mark.parametrize("name", UNEQUAL)
def test_values_that_differ_have_different_digests(name):
    for one, other in combinations(UNEQUAL[name], 2):
        assert stored(one) != stored(other), f"{one!r} and {other!r}"
        if is_plain(one) and is_plain(other):
            assert token(one) != token(other), f"{one!r} and {other!r}"


def test_paths_are_constants_by_their_text():
    assert token(Path("a/b")) == token(Path("a") / "b") == token(Path("a//b"))
    tokens = [token(value) for value in (Path("a/b"), Path("/a/b"), "a/b", Path("a/b/c"), Path())]
    assert len(set(tokens)) == len(tokens)


def is_plain(value: Any) -> bool:
    try:
        token(value)
    except NotPlain:
        return False
    return True


MODELS = """\
import hashlib, sys
import numpy as np, pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
sys.path.insert(0, {here!r})
from test_values import stored

random = np.random.default_rng(3)
X = random.normal(size=(200, 3)); y = (X[:, 0] + X[:, 1] > 0).astype(int)
frame = pd.DataFrame(dict(a=X[:, 0], w=random.choice(["u", "v", "w"], 200)))
columns = ColumnTransformer([("n", StandardScaler(), ["a"]), ("w", OneHotEncoder(), ["w"])])
texts = [" ".join(random.choice(["red", "green", "blue", "grey"], 5)) for _ in range(50)]
for more in (0.0, 0.25):
    values = dict(
        ridge=Ridge().fit(X, X[:, 2] + more * X[:, 1]),
        forest=RandomForestClassifier(5, random_state=0).fit(X, (X[:, 0] > more).astype(int)),
        boosted=GradientBoostingClassifier(n_estimators=3, random_state=0).fit(X, (X[:, 0] > more).astype(int)),
        chain=make_pipeline(columns, LogisticRegression(C=1 + more)).fit(frame, y),
        words=CountVectorizer(ngram_range=(1, 2 if more else 1)).fit(texts),
    )
    for name, value in values.items():
        print(name, more, hashlib.sha256(stored(value)).hexdigest())
"""


@pytest.mark.slow
def test_one_fit_has_one_digest_in_every_process_and_another_fit_another():
    told = []
    for seed in ("1", "99"):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        told.append(subprocess.run(
            [sys.executable, "-c", MODELS.format(here=str(Path(__file__).parent))],
            env=environment, capture_output=True, text=True, timeout=100,
        ))  # fmt: skip
    assert [done.returncode for done in told] == [0, 0], told[0].stderr
    assert told[0].stdout == told[1].stdout
    rows = [line.split() for line in told[0].stdout.splitlines()]
    assert len(rows) == len({digest for *_, digest in rows}) == 10
