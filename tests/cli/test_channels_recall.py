"""`recall`: which releases were made of a blob, whoever lists them, and that it is not to be used any longer."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "dist"))

from channel_releases import b3, c1, lock_of, release
from wheels_by_hand import contents, wheel

from stepwell.dist.channels.index import Channels
from stepwell.dist.channels.local import LocalFiles
from stepwell.dist.lock import Data, Lock

WHO = {"by": "ana", "why": "Q3"}
AUGUST, SEPTEMBER = "customers of August", "customers of September"


@pytest.fixture
def churn(project):
    """Releases of two projects: 1.0 of August, 1.1 of September, both with the same regions; scores made with 1.0's model."""
    project.write('[release]\nname = "churn"\n[channels]\nindex = "index"\n', "stepwell.toml")
    project("channels", "--create")
    channels = Channels.open(LocalFiles(project.root / "index"))
    built = project.root.parent / "built"
    first = release(
        built, "1.0", lock_of({"customers": AUGUST, "regions": "regions"}, gives="model of August")
    )
    second = release(
        built,
        "1.1",
        lock_of(
            {"customers": SEPTEMBER, "regions": "regions"},
            gives="model of September",
            files={"07.csv": "july"},
        ),
    )
    scores = release(built, "3.0", lock_of({"churn_model": "model of August"}, gives="scores"), "scores")
    letters = release(built, "5.0", lock_of({"scores": "scores"}, gives="letters"), "letters")
    for path in (first, second, scores):
        channels.promote(path, "staging", **WHO)
    channels.promote(first, "production", **WHO)
    channels.add(letters)
    channels.add(wheel(built, "plain", "1.0"))
    project.channels = channels
    return project


def rest(project, *words: str) -> dict[str, dict]:
    """The releases that rest on something, by name."""
    return {
        f"{one['project']} {one['version']}": one
        for one in project("recall", *words, "--json").json["releases"]
    }


def test_every_release_is_found_also_through_others_and_those_that_nothing_lists(churn) -> None:
    found = rest(churn, b3(AUGUST))
    assert list(found) == ["churn 1.0", "letters 5.0", "scores 3.0"]
    assert found["churn 1.0"]["places"] == ["data.customers"]
    assert found["churn 1.0"]["channels"] == [
        {"channel": "staging", "how": "listed"},
        {"channel": "production", "how": "current"},
    ]
    assert (found["scores 3.0"]["places"], found["scores 3.0"]["through"]) == ([], ["churn 1.0"])
    assert (found["letters 5.0"]["through"], found["letters 5.0"]["channels"]) == (["scores 3.0"], [])
    text = churn("recall", b3(AUGUST)).out
    assert text.index("production") < text.index("staging") < text.index("in no channel")
    assert "churn 1.0" in text
    assert "through churn 1.0" in text


def test_a_release_that_took_its_data_from_another_one_is_found_by_that(churn) -> None:
    """Also where that data has other digests by now: it says which release it is of."""
    for project, source in (
        ("maps", "release://churn==1.0/model"),
        ("plans", "release://churn==1.0.1/model"),
    ):
        data = {"model": Data(source=source, size=1, bytes=b3(project))}
        release(churn.root / "dist", "2.0", Lock(data=data), project)
    found = rest(churn, b3(AUGUST))
    assert "plans 2.0" not in found
    assert found["maps 2.0"]["through"] == ["churn 1.0"]


@pytest.mark.parametrize(
    ("word", "releases"),
    [
        (b3(SEPTEMBER)[:15], ["churn 1.1"]),
        (b3(SEPTEMBER)[3:11], ["churn 1.1"]),
        (b3(SEPTEMBER)[3:11].upper(), ["churn 1.1"]),
        (c1(SEPTEMBER), ["churn 1.1"]),
        (f"customers@{c1(SEPTEMBER)[3:11]}", ["churn 1.1"]),
        (b3("regions"), ["churn 1.0", "churn 1.1", "letters 5.0", "scores 3.0"]),
        (b3("july"), ["churn 1.1"]),
        (b3("model of August"), ["churn 1.0", "letters 5.0", "scores 3.0"]),
        (b3("letters"), ["letters 5.0"]),
        (b3("nobody's"), []),
    ],
    ids=["prefix", "digits", "capitals", "content", "name", "of all", "a file of a folder", "an output", "last", "nothing"],
)  # fmt: skip
def test_a_blob_is_named_in_many_ways(churn, word: str, releases: list[str]) -> None:
    assert list(rest(churn, word)) == releases


def test_a_file_of_a_folder_says_which(churn) -> None:
    assert rest(churn, b3("july"))["churn 1.1"]["places"] == ["data.parts: 07.csv"]
    churn.write("july", "raw/july.csv").write_bytes(b"july")
    assert rest(churn, "raw/july.csv")["churn 1.1"]["places"] == ["data.parts: 07.csv"]


def test_the_same_table_in_another_file_is_found_by_its_content(churn) -> None:
    from stepwell.codecs.content.digest import content_of_file

    path = churn.root / "table.csv"
    path.write_text("a,b\n1,2\n", "utf-8")
    content = content_of_file(path).digest
    pinned = Data(source="t.parquet", size=9, rows=1, bytes=b3("another file"), content=content)
    lock = lock_of()
    lock = Lock(
        environment=lock.environment, data={"table": pinned}, pipeline=lock.pipeline, output=lock.output
    )
    release(churn.root / "dist", "9.0", lock, "tables")
    found = rest(churn, "table.csv")
    assert list(found) == ["tables 9.0"]
    assert found["tables 9.0"]["channels"] == []


def test_what_was_recalled_is_promoted_no_more_and_says_why(churn) -> None:
    word = f"customers@{b3(AUGUST)[3:11]}"
    said = churn("recall", word, "--why", "wrong currency", "--by", "bo").out
    assert "by bo: wrong currency" in said
    assert 'stepwell yank churn 1.0 --why "…"' in said
    assert churn("recall", word, "--json").json["recalled"]["why"] == "wrong currency"
    before = contents(churn.root / "index")
    release(churn.root / "dist", "1.2", lock_of({"customers": AUGUST}))
    error = churn.refused("promote", "1.2", "staging", "--why", "x", code=3)
    assert error["code"] == "E763"
    assert error["why"].startswith("its `data.customers` was recalled at 20")
    assert error["why"].endswith("by bo: wrong currency")
    error = churn.refused("promote", "scores", "3.0", "production", "--why", "x", code=3)
    assert error["why"].startswith("what it has through churn 1.0 was recalled at 20")
    assert contents(churn.root / "index") == before
    churn("promote", "1.1", "production", "--why", "made of September")
    assert churn("channels", "--verify").out == "every log, page and wheel is as it must be\n"


@pytest.mark.slow
def test_what_is_erased_is_gone_from_every_place_that_stepwell_keeps(churn) -> None:
    """Small and large blobs of the store, its trash, the release's store and the cache; the user's own file stays."""
    churn.write(
        """
        from stepwell import pipeline, source, step

        CUSTOMERS = source("customers.txt", str)

        @step
        def copied(text: str) -> list[str]:
            return ["x" * 99, text]

        @pipeline
        def main() -> list[str]:
            return copied(CUSTOMERS())
        """
    )
    own = churn.write("x", "customers.txt")
    cas = churn.root / "cas"
    for text in ("secret of a customer", "secret of a customer" * 9_999):
        own.write_text(text, "utf-8")
        churn("run", "--lock")
        lock = tomllib.loads((churn.root / "stepwell.lock").read_text("utf-8"))
        kept = lock["pipeline"]["main"]["step"]["copied"]["output"]["result"]["bytes"]
        manifest = f'[release]\nname = "churn"\nstore = "{cas}"\n[channels]\nindex = "index"\n'
        churn.write(manifest, "stepwell.toml")
        blob = churn.write("bytes", f"cas/b3/{kept[3:5]}/{kept[5:]}")
        release(
            churn.root / "dist",
            f"7.{len(text)}",
            Lock(data={"copied": Data(source="x", size=1, bytes=kept)}),
            "copies",
        )
        found = churn("recall", kept, "--why", "erased on request", "--erase", "--json").json
        assert [one["done"] for one in found["erased"]] == [True, True, True]
        assert [one["told"] for one in found["erased"]][:2] == ["1 erased", "1 erased"]
        assert not blob.exists()
        assert "erased on request" in blob.with_name(f"{blob.name}.erased").read_text("utf-8")
        assert churn.root.joinpath("customers.txt").read_text("utf-8") == text
        held = [path for path in (churn.root / ".stepwell").rglob("*") if path.is_file()]
        assert [path.name for path in held if b"secret of a customer" in path.read_bytes()] == []
        assert churn("plan", "--json").decisions["copied"] == "run"
    again = churn("recall", kept, "--why", "again", "--erase").out
    assert "the project's store: it is not there" in again
    assert churn.refused("recall", kept, "--erase", code=2)["code"] == "E100"


def test_one_file_of_a_folder_is_recalled(churn) -> None:
    churn("recall", b3("july"), "--why", "a day is missing")
    error = churn.refused("promote", "1.1", "production", "--why", "x", code=3)
    assert error["why"].startswith("its `data.parts: 07.csv` was recalled at 20")


@pytest.mark.parametrize(
    ("word", "code", "error"),
    [
        ("123456", 4, "E764"),
        ("customers@123456", 4, "E764"),
        (f"orders@{b3(AUGUST)[3:11]}", 4, "E764"),
        ("12", 2, "E100"),
        ("no digest", 2, "E100"),
        ("data/nothing.csv", 2, "E100"),
    ],
)
def test_what_names_nothing_is_told(churn, word: str, code: int, error: str) -> None:
    assert churn.refused("recall", word, code=code)["code"] == error


def test_a_name_that_nothing_has_and_a_name_alone_are_told(churn) -> None:
    error = churn.refused("recall", "custmers@9f2c7712", code=4)
    assert (error["what"], error["fixes"][0]) == (
        "no release names anything `custmers`",
        "did you mean `customers`?",
    )
    error = churn.refused("recall", "customers", code=4)
    assert error["what"] == "`customers` is a name, and says not which content"
    (way,) = [fix for fix in error["fixes"] if b3(AUGUST)[3:11] in fix]
    assert way.startswith(f"stepwell recall customers@{b3(AUGUST)[3:11]}     (churn 1.")


def test_the_beginning_of_several_digests_is_told(churn) -> None:
    """Digests that begin alike, as two of a million would."""
    two = {
        "a": Data(source="a", size=1, bytes=f"b3:{'ab' * 32}"),
        "b": Data(source="b", size=1, bytes=f"b3:{'ab' * 31}00"),
    }
    release(churn.root / "dist", "9.0", Lock(data=two), "twins")
    error = churn.refused("recall", "abababab", code=2)
    assert error["code"] == "E765"
    assert "is the beginning of 2 digests" in error["what"]
    assert list(rest(churn, "ab" * 32)) == ["twins 9.0"]


def test_a_wheel_that_cannot_be_read_is_told_and_the_others_are_looked_through(churn) -> None:
    path = churn.root / "index" / "pool" / "churn" / "churn-1.1-py3-none-any.whl"
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:-30])
    found = churn("recall", b3("regions"), "--json").json
    assert "churn 1.1" not in {f"{one['project']} {one['version']}" for one in found["releases"]}
    assert [text.partition(":")[0] for text in found["unread"]] == ["pool/churn/churn-1.1-py3-none-any.whl"]
    assert "not looked into: pool/churn/churn-1.1" in churn("recall", b3("regions")).err


def test_channels_show_what_of_a_release_was_recalled(churn) -> None:
    assert "recalled" not in churn("channels").out
    churn("recall", b3("july"), "--why", "sensor was wet", "--by", "bo")
    lines = [" ".join(line.split()) for line in churn("channels").out.splitlines()]
    assert lines.count('recalled data.parts: 07.csv, "sensor was wet"') == 1
    rows = {one["channel"]: one for one in churn("channels", "--json").json["projects"][0]["channels"]}
    assert rows["production"]["recalled"] == []
    [told] = rows["staging"]["recalled"]
    assert (told["place"], told["by"], told["why"]) == ("data.parts: 07.csv", "bo", "sensor was wet")
    assert told["at"].startswith("20")
    churn("recall", b3(AUGUST), "--why", "wrong currency")
    assert 'through churn 1.0, "wrong currency"' in churn("channels", "scores").out
