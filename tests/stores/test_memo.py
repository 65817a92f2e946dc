"""Caches: seen at once, written with the next commit, lost without harm."""

import pytest

from stepwell.stores.local import open_store


def test_values_come_back(folder, store):
    store.memo.put("stat", "a", "text é")
    store.memo.put("stat", "b", b"\x00bytes")
    store.memo.put("graph", "a", "other kind")
    assert store.memo.get("stat", "a") == "text é"
    with open_store(folder) as other:
        assert other.memo.get("stat", "a") is None
        store.commit(now=True)
        assert other.memo.get("stat", "a") == "text é"
        assert other.memo.get_many("stat", ["a", "b", "c"]) == {"a": "text é", "b": b"\x00bytes"}
        assert other.memo.get_all("stat") == {"a": "text é", "b": b"\x00bytes"}


def test_the_last_put_counts_and_what_is_forgotten_is_gone(folder, store):
    store.memo.put("k", "a", "1")
    store.commit(now=True)
    store.memo.put("k", "a", "2")
    store.memo.put_many("k", {"b": "3", "c": "4"})
    store.memo.put_many("k", {})
    store.memo.forget("k", ["c"])
    for _ in range(2):
        assert store.memo.get_all("k") == {"a": "2", "b": "3"}
        assert store.memo.get("k", "c") is None
        store.commit(now=True)
    with open_store(folder) as other:
        assert other.memo.get_all("k") == {"a": "2", "b": "3"}
        other.memo.forget("k", ["a"])
        other.commit(now=True)
    with open_store(folder) as other:
        assert other.memo.get_all("k") == {"b": "3"}


def test_many_at_once(store):
    values = {f"key{i}": str(i) for i in range(2500)}
    store.memo.put_many("k", values)
    store.commit(now=True)
    store.memo._session.clear()
    assert store.memo.get_many("k", values) == values


@pytest.mark.parametrize("options", [{"readonly": True}, {"create": False}])
def test_where_nothing_can_be_written_it_lasts_as_long_as_the_process(folder, options):
    with open_store(folder, **options) as store:
        store.memo.put("k", "a", "1")
        store.commit(now=True)
        assert store.memo.get("k", "a") == "1"
