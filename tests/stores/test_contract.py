"""The public contract suite, run by the store in memory and the one on disk."""

import time

import pytest

from stepwell.kernel.ports import Store
from stepwell.stores.local import open_store
from stepwell.testing.contracts import StoreContract
from stepwell.testing.memory import MemoryStore


class TestMemoryStore(StoreContract):
    def make(self) -> Store:
        return MemoryStore()

    def beside(self, store: MemoryStore) -> Store:
        return store.beside()

    def lose(self, store: MemoryStore, digest: str) -> None:
        store.lose(digest)


class TestLocalStore(StoreContract):
    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path):
        self.folder = tmp_path / ".stepwell"
        self.opened = []
        yield
        for store in self.opened:
            store.close()

    def make(self) -> Store:
        store = open_store(self.folder)
        self.opened.append(store)
        return store.results

    def beside(self, store) -> Store:
        return self.make()

    def lose(self, store, digest: str) -> None:
        self.opened[0].database.write(lambda c: c.execute("DELETE FROM blobs WHERE digest = ?", (digest,)))

    def wait_to_notice(self, store) -> None:
        time.sleep(0.06)
