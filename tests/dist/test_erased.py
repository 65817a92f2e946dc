"""Tombstones of an index: what was recalled stays so, and whoever changes what is written is found."""

from __future__ import annotations

import os

import pytest
from channel_releases import b3
from wheels_by_hand import in_child

from stepwell.dist.channels.index import Channels
from stepwell.dist.channels.local import LocalFiles
from stepwell.dist.channels.verify import verify
from stepwell.dist.erased import NAME, Stone, bury, found_in, read_erased
from stepwell.errors import LogDamaged


@pytest.fixture
def files(tmp_path) -> LocalFiles:
    return Channels.create(LocalFiles(tmp_path / "index"), ["production"]).files  # type: ignore[return-value]


def stone(text: str) -> Stone:
    return Stone(
        (b3(text),), ("churn 1.4.0: data.customers",), "ana", "2026-10-01T00:00:00Z", "wrong currency"
    )


def test_what_was_recalled_is_found_by_any_of_its_digests(files) -> None:
    assert read_erased(files) == ()
    bury(files, stone("one")._replace(digests=(b3("one"), b3("content of one"))))
    second = bury(files, stone("two"))
    found = read_erased(files)
    assert [one.n for one in found] == [1, 2]
    assert second == found[1]
    assert found[1].prev.startswith("sha256:")
    assert found_in([b3("content of one")], found) == found[0]
    assert found_in([b3("three")], found) is None
    assert str(found[0]) == "recalled at 2026-10-01T00:00:00Z by ana: wrong currency"


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("wrong currency", "good currency", 1),
        lambda text: text.split("\n", 1)[1],
        lambda text: text[:-1],
        lambda text: text + "{}\n",
        lambda text: text + "nonsense\n",
        lambda text: text.replace('"digests":["b3:', '"digests":["b9:'),
        lambda text: text.replace('"n":1', '"n":"1"'),
        lambda text: "\n".join(reversed(text.splitlines())) + "\n",
    ],
    ids=["edited", "first gone", "cut", "foreign", "no JSON", "no digest", "no number", "order"],
)
def test_a_change_is_found(files, change) -> None:
    for text in ("one", "two"):
        bury(files, stone(text))
    path = files.folder / NAME
    path.write_text(change(path.read_text("utf-8")), "utf-8")
    for look in (read_erased, lambda files: bury(files, stone("three"))):
        with pytest.raises(LogDamaged, match=r"erased\.jsonl"):
            look(files)
    assert [error.code for error in verify(Channels.open(files))] == ["E753"]


def test_all_of_several_who_recall_at_once_are_kept(files) -> None:
    def job() -> int:
        other = os.fork()
        for each in range(5):
            bury(files, stone(f"{other} {each}"))
        return os.waitstatus_to_exitcode(os.waitpid(other, 0)[1]) if other else 0

    assert in_child(job) == 0
    assert len({one.digests for one in read_erased(files)}) == 10
