"""A table with a column of every usual kind, and a summary that uses all of them.

Its names are of the dtype that is asked for: "str", which pandas gives text by itself (from version 3 on, backed by
Arrow where that is installed), or "object", which it gave before: Python objects, of which rows with the same name
share one, as they do after `read_csv` and `read_parquet`.
"""

import math

import numpy as np
import pandas as pd


def make(count: int, text: str) -> pd.DataFrame:
    number = np.arange(count)
    names = np.array([f"customer {i:06d}" for i in range(100_000)], dtype=object)
    places = pd.array([f"{i % 977} Broadway" for i in range(9_770)], dtype="string")
    return pd.DataFrame(
        {
            "id": number,
            "amount": np.sqrt(number),
            "time": np.datetime64("2020-01-01", "us") + number.astype("m8[s]"),
            "name": pd.Series(names[number * 7919 % len(names)], dtype=text),
            "place": places.take(number * 31 % len(places)),
            "kind": pd.Categorical.from_codes(number % 5, ["a", "b", "c", "d", "e"]),
        }
    )


def summary(table: pd.DataFrame) -> list[str]:
    if not math.isclose(table["amount"].pow(2).sum(), table["id"].sum(), rel_tol=1e-9):
        raise ValueError("the column amount is wrong")
    return [
        str(len(table)),
        str(table["id"].sum()),
        table["time"].iloc[-1].isoformat(),
        table["name"].iloc[-1].replace(" ", "_"),
        table["place"].iloc[-1].replace(" ", "_"),
        str((table["kind"] == "c").sum()),
    ]
