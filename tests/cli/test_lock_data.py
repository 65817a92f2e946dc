"""What a lock says of data: what is in it, what it means, and where the manifest says otherwise."""

from __future__ import annotations

import gzip
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from stepwell.app import datafacts
from stepwell.app.datafacts import Facts, Reading, others, readings
from stepwell.author.manifest import Data, Manifest, Output
from stepwell.dist import tables
from stepwell.dist.sketches import overlap
from stepwell.errors import DataNotAsSaid
from stepwell.kernel.graph import SourceDef
from stepwell.sources.memo import Memory
from stepwell.sources.pin import pin

COUNT = 300


def customers() -> pd.DataFrame:
    draw = np.random.default_rng(3)
    return pd.DataFrame(
        {
            "customer_id": np.arange(5000, 5000 + COUNT),
            "mrr": draw.lognormal(3, 1, COUNT).round(2),
            "tenure": draw.integers(1, 90, COUNT),
            "email": [f"{n}@example.org" for n in range(COUNT)],
        }
    )


MEANT = Data(
    source="customers.csv",
    key={"customer_id": "crm.customer"},
    units={"mrr": "EUR/month"},
    private=("email",),
)


class Inputs:
    """Data in a folder, with what a manifest says of it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.memo = Memory()
        self.found: dict[str, Reading] = {}

    def add(
        self,
        name: str,
        uri: str,
        kind: str = "pandas.DataFrame",
        meant: Data = datafacts.NOTHING,
        **options: Any,
    ) -> None:
        now = pin(uri, root=self.root, memo=self.memo)
        self.found[name] = Reading(uri, kind, options, meant, now)

    def facts(self) -> Facts:
        return Facts(self.root, self.memo, self.found)


@pytest.fixture
def inputs(tmp_path: Path) -> Inputs:
    customers().to_csv(tmp_path / "customers.csv", index=False)
    return Inputs(tmp_path)


def test_what_is_given_costs_nothing(inputs: Inputs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datafacts.read, "load", None)
    monkeypatch.setattr(datafacts, "content_of_files", None)
    inputs.add("customers", "customers.csv", meant=MEANT)
    found = inputs.facts().given("customers")
    assert (found.source, found.key, found.units) == ("customers.csv", MEANT.key, MEANT.units)
    assert (found.rows, found.content, found.columns, found.quantiles) == (None, "", {}, {})


def test_what_is_in_it_is_looked_at_once(inputs: Inputs, monkeypatch: pytest.MonkeyPatch) -> None:
    inputs.add("customers", "customers.csv", meant=MEANT)
    found = inputs.facts().whole("customers")
    assert found.rows == COUNT
    assert found.content.startswith("c1:")
    assert found.columns == {"customer_id": "int64", "mrr": "float64", "tenure": "int64", "email": "string"}
    assert set(found.quantiles) == {"mrr", "tenure"}
    assert set(found.sketch) == {"customer_id"}
    monkeypatch.setattr(datafacts.read, "load", None)
    monkeypatch.setattr(datafacts, "content_of_files", None)
    assert inputs.facts().whole("customers") == found


def test_nothing_is_recorded_of_what_is_private(inputs: Inputs) -> None:
    meant = Data(source="customers.csv", key={"customer_id": "crm.customer"}, private=("customer_id", "mrr"))
    inputs.add("customers", "customers.csv", meant=meant)
    found = inputs.facts().whole("customers")
    assert set(found.quantiles) == {"tenure"}
    assert found.sketch == {}


def test_the_library_that_reads_it_does_not_count(inputs: Inputs) -> None:
    for name, kind in (
        ("a", "pandas.DataFrame"),
        ("b", "polars.DataFrame"),
        ("c", "pyarrow.Table"),
        ("d", "polars.LazyFrame"),
    ):
        inputs.add(name, "customers.csv", kind, MEANT)
    facts = inputs.facts()
    first = facts.whole("a")
    assert [facts.whole(name) for name in "bcd"] == [first] * 3


def test_nor_does_the_format(inputs: Inputs) -> None:
    table = customers()
    table.to_parquet(inputs.root / "customers.parquet")
    pl.from_pandas(table).write_ipc(inputs.root / "customers.arrow")
    plain = (inputs.root / "customers.csv").read_bytes()
    (inputs.root / "customers.csv.gz").write_bytes(gzip.compress(plain))
    with zipfile.ZipFile(inputs.root / "customers.csv.zip", "w") as archive:
        archive.writestr("customers.csv", plain)
    (inputs.root / "parts").mkdir()
    for number, start in enumerate(range(0, COUNT, 100)):
        table.iloc[start : start + 100].to_parquet(inputs.root / f"parts/{number}.parquet")
        table.iloc[start : start + 100].to_csv(inputs.root / f"parts/{number}.csv", index=False)
    names = ["customers.csv", "customers.parquet", "customers.arrow", "customers.csv.gz", "customers.csv.zip", "parts/*.parquet", "parts/*.csv"]  # fmt: skip
    for name in names:
        kind = "polars.DataFrame" if name.endswith(".arrow") else "pandas.DataFrame"
        inputs.add(name, name, kind, MEANT)
    facts = inputs.facts()
    found = [facts.whole(name) for name in names]
    assert {(one.content, one.rows, *one.columns, str(one.quantiles), str(one.sketch)) for one in found} == {
        (found[0].content, COUNT, *found[0].columns, str(found[0].quantiles), str(found[0].sketch))
    }
    assert list(found[-1].files) == ["0.csv", "1.csv", "2.csv"]


def test_files_with_other_columns_have_no_content(inputs: Inputs) -> None:
    (inputs.root / "parts").mkdir()
    pd.DataFrame({"a": [1]}).to_parquet(inputs.root / "parts/0.parquet")
    pd.DataFrame({"a": [1], "b": [2]}).to_parquet(inputs.root / "parts/1.parquet")
    inputs.add("parts", "parts/")
    found = inputs.facts().whole("parts")
    assert (found.content, found.rows, set(found.columns)) == ("", 2, {"a", "b"})


def test_what_is_no_table_has_its_digests(inputs: Inputs) -> None:
    (inputs.root / "note.txt").write_text("hello")
    inputs.add("note", "note.txt", "str")
    found = inputs.facts().whole("note")
    assert (found.size, found.rows, found.columns, found.content) == (5, None, {}, "")


def test_references_say_how_much_is_found(inputs: Inputs) -> None:
    orders = pd.DataFrame({"customer_id": [5000, 5001, 5001, 1], "amount": [1.0, 2.0, 3.0, 4.0]})
    orders.to_parquet(inputs.root / "orders.parquet")
    refers = Data(source="orders.parquet", references={"customer_id": "customers.customer_id"})
    inputs.add("orders", "orders.parquet", meant=refers)
    assert inputs.facts().whole("orders").references == {}, "there is nothing to look in"
    inputs.add("customers", "customers.csv", meant=MEANT)
    assert inputs.facts().whole("orders").references == {"customer_id": "customers.customer_id 0.75"}


def test_a_reference_to_a_column_that_is_not_there(inputs: Inputs) -> None:
    refers = Data(source="customers.csv", references={"customer_id": "customers.id"})
    inputs.add("customers", "customers.csv", meant=refers)
    with pytest.raises(DataNotAsSaid, match="speaks of the column `id`, which is not there"):
        inputs.facts().whole("customers")


@pytest.mark.parametrize(
    ("said", "says"),
    [
        ({"schema": {"customer_id": "string"}}, "column `customer_id` of data `customers` holds int64, and its schema says string"),
        ({"schema": {"customer_id": "int64", "plan": "string"}}, "`schema` of data `customers` speaks of the column `plan`, which is not there"),
        ({"units": {"mmr": "EUR"}}, "`units` of data `customers` speaks of the column `mmr`"),
        ({"key": ("customer",)}, "`key` of data `customers` speaks of the column `customer`"),
        ({"private": ("mail",)}, "`private` of data `customers` speaks of the column `mail`"),
    ],
)  # fmt: skip
def test_a_manifest_that_says_otherwise_is_refused(inputs: Inputs, said: dict[str, Any], says: str) -> None:
    inputs.add("customers", "customers.csv", meant=Data(source="customers.csv", **said))
    with pytest.raises(DataNotAsSaid, match=says) as told:
        inputs.facts().whole("customers")
    assert told.value.fixes


def test_a_schema_may_say_less_and_wider(inputs: Inputs) -> None:
    said = {"customer_id": "int32", "mrr": "float64", "tenure": "float64", "email": "str"}
    inputs.add("customers", "customers.csv", meant=Data(source="customers.csv", schema=said))
    assert inputs.facts().whole("customers").rows == COUNT


def test_a_path_whose_columns_are_spoken_of_is_read_by_arrow(inputs: Inputs) -> None:
    inputs.add("plain", "customers.csv", "pathlib.Path")
    inputs.add("meant", "customers.csv", "pathlib.Path", MEANT)
    assert inputs.facts().whole("plain").columns == {}
    assert inputs.facts().whole("meant").quantiles.keys() == {"mrr", "tenure"}


def test_what_the_manifest_says_goes_by_name_and_address(inputs: Inputs) -> None:
    now = pin("customers.csv", root=inputs.root, memo=inputs.memo)
    manifest = Manifest(data={"customers": MEANT})
    named = SourceDef("customers", "customers.csv", "pandas.DataFrame")
    assert readings([named], [now], manifest)["customers"].meant is MEANT
    assert readings([named._replace(name="TABLE")], [now], manifest)["TABLE"].meant is MEANT
    assert (
        readings([named._replace(name="x", uri="other.csv")], [now], manifest)["x"].meant is datafacts.NOTHING
    )
    with pytest.raises(
        DataNotAsSaid, match=r"`customers` is `customers.csv` in the manifest, and the pipeline reads `b.csv`"
    ):
        readings([named._replace(uri="b.csv")], [now], manifest)


def test_data_that_only_the_manifest_names_is_locked_too(inputs: Inputs) -> None:
    data = {
        "customers": MEANT,
        "gone": Data(source="gone.csv"),
        "asked": Data(source="sqlite:///x.db", query="select 1"),
    }
    found, notes = others(Manifest(data=data), (), inputs.root, inputs.memo)
    assert list(found) == ["customers"]
    assert len(notes) == 1
    assert "data `gone` of the manifest is not locked" in notes[0]
    assert others(Manifest(data=data), data, inputs.root, inputs.memo) == ({}, [])


def test_keys_that_were_written_anew_are_seen(inputs: Inputs) -> None:
    table = customers()
    table["customer_id"] = table["customer_id"].astype(str)
    table.to_parquet(inputs.root / "anew.parquet")
    inputs.add("old", "customers.csv", meant=MEANT)
    inputs.add("new", "anew.parquet", meant=MEANT)
    old, new = (inputs.facts().whole(name).sketch["customer_id"] for name in ("old", "new"))
    assert overlap(old, old) == 1.0
    assert overlap(old, new) == 0.0


def test_outputs_are_held_to_what_is_said_of_them() -> None:
    columns = tables.columns_of(tables.table_of(customers()))
    datafacts.refuse_unlike("output `scores`", columns, Output(step="fit", units={"mrr": "EUR"}))
    with pytest.raises(
        DataNotAsSaid, match="column `email` of output `scores` holds string, and its schema says int64"
    ):
        datafacts.refuse_unlike("output `scores`", columns, Output(step="fit", schema={"email": "int64"}))


@pytest.mark.parametrize("key", ["parts", "note"])
def test_what_can_be_no_key_is_refused(inputs: Inputs, key: str) -> None:
    table = pl.DataFrame({"parts": [[1], [2]], "note": [{"a": 1}, {"a": 2}], "n": [1, 2]})
    table.write_parquet(inputs.root / "odd.parquet")
    inputs.add("odd", "odd.parquet", "polars.DataFrame", Data(source="odd.parquet", key=(key,)))
    with pytest.raises(DataNotAsSaid, match=f"column `{key}` of data `odd` holds .*, which can be no key"):
        inputs.facts().whole("odd")
