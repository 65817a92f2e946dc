"""What every implementation of a port must do, as test classes to inherit from.

    class TestMyStore(StoreContract):
        def make(self): return MyStore()
        def beside(self, store): return MyStore(store.address)
        def lose(self, store, digest): store.delete(digest)

Each method `test_...` is one promise, runs under pytest, and needs nothing else than the methods above.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from stepwell.errors import ArtifactGone
from stepwell.kernel.identity import digest
from stepwell.kernel.ports import Artifact, Made, Result, Store


def made(data: bytes, name: str = "result", codec: str = "bytes") -> Made:
    """An output with its bytes."""
    from blake3 import blake3

    return Made(
        Artifact(name, codec, f"b3:{blake3(data).hexdigest()}", len(data), (), f"{len(data)} bytes"), data
    )


def result_of(
    key: str,
    outputs: Sequence[Made] = (),
    *,
    step: str = "pipeline:train",
    inputs: tuple[tuple[str, str], ...] = (("depth", "6"),),
    **fields: Any,
) -> Result:
    """A result as a run would keep it; `key` may be any word."""
    defaults: dict[str, Any] = {"code": digest("code"), "environment": digest("environment"), "run": "r1"}
    return Result(
        key=digest(key), step=step, site=digest(repr((step, inputs)))[:32], inputs=inputs,
        outputs=tuple(output.artifact for output in outputs), **{**defaults, **fields},
    )  # fmt: skip


class StoreContract:
    """The promises of `kernel.ports.Store`."""

    def make(self) -> Store:
        """A new, empty store."""
        raise NotImplementedError

    def beside(self, store: Any) -> Store:
        """A second run on the data of `store`."""
        raise NotImplementedError

    def lose(self, store: Any, digest: str) -> None:
        """Make a small blob that was committed disappear, as an accident would."""
        raise NotImplementedError

    def keep(self, store: Store, key: str, data: bytes = b"42", **fields: Any) -> tuple[Result, Made]:
        """Keep a result with one output, uncommitted."""
        output = made(data)
        result = result_of(key, [output], **fields)
        store.keep(result, [output])
        return result, output

    # ------------------------------------------------------------------ the past

    def test_an_empty_store_knows_nothing(self) -> None:
        """No question is an error."""
        store = self.make()
        assert store.result(digest("k")) is None
        assert store.at_site("0" * 32) is None
        assert list(store.recent("pipeline:train")) == []
        assert dict(store.parts("0" * 64)) == {}

    def test_what_is_kept_is_known_at_once(self) -> None:
        """Before any commit, to the run that kept it."""
        store = self.make()
        result, output = self.keep(store, "k")
        assert store.result(result.key) == result
        assert store.at_site(result.site) == result
        assert list(store.recent(result.step)) == [result]
        assert store.data(output.artifact) == b"42"

    def test_what_is_committed_is_known_to_others_unchanged(self) -> None:
        """Every field comes back as it was."""
        store = self.make()
        plain = made(b"x")
        odd = made(b"\x00" * 100, name="a b", codec="j son")
        odd = odd._replace(artifact=odd.artifact._replace(note='two\nlines "é" [\udcff]'))
        inputs = (("depth", "6"), ("=odd[", 'a="b"\nc'), ("table", "arrow:b3:" + "0" * 64), ("", ""))
        result = result_of(
            "k", [plain, odd], inputs=inputs, run="r7", seconds=1.25, cpu=0.5, memory=1 << 33,
            metrics=(("auc", 0.9), ("loss", float("inf"))), variables=(("HOME", '"/root"'), ("EMPTY", "None")),
        )  # fmt: skip
        store.keep(result, [plain, odd])
        store.commit(now=True)
        other = self.beside(store)
        assert other.result(result.key) == result
        assert other.at_site(result.site) == result
        assert list(other.recent(result.step)) == [result]
        assert other.data(odd.artifact) == odd.data

    def test_what_is_not_committed_is_not_known_to_others(self) -> None:
        """Nor any part of it."""
        store = self.make()
        other = self.beside(store)
        result, _ = self.keep(store, "k")
        assert other.result(result.key) is None
        assert other.at_site(result.site) is None
        assert list(other.recent(result.step)) == []
        store.commit(now=True)
        self.wait_to_notice(other)
        assert other.result(result.key) == result

    def wait_to_notice(self, store: Store) -> None:
        """Let a store notice what another one wrote."""

    def test_the_newest_result_of_a_key_counts(self) -> None:
        """Also across commits."""
        store = self.make()
        self.keep(store, "k", b"old", run="r1")
        store.commit(now=True)
        newer, _ = self.keep(store, "k", b"new", run="r2")
        assert store.result(newer.key) == newer
        store.commit(now=True)
        assert self.beside(store).result(newer.key) == newer

    def test_the_newest_result_of_a_site_counts_whatever_its_code(self) -> None:
        """One site, two codes."""
        store = self.make()
        self.keep(store, "a", code=digest("old"))
        store.commit(now=True)
        newer, _ = self.keep(store, "b", code=digest("new"))
        store.commit(now=True)
        assert self.beside(store).at_site(newer.site) == newer

    def test_recent_gives_the_newest_first_and_at_most_32(self) -> None:
        """Of one step, whatever their code."""
        store = self.make()
        kept = [
            self.keep(store, f"k{i}", inputs=(("i", str(i)),), code=digest(str(i % 3)))[0] for i in range(40)
        ]
        self.keep(store, "other", step="pipeline:clean")
        newest = kept[:-33:-1]
        assert list(store.recent("pipeline:train")) == newest
        store.commit(now=True)
        assert list(self.beside(store).recent("pipeline:train")) == newest

    # ------------------------------------------------------------------ bytes

    def test_small_blobs_come_back_whole(self) -> None:
        """Empty, one byte, all bytes, 64 KiB."""
        store = self.make()
        for data in (b"", b"\n", bytes(range(256)), b"\xff" * 65536):
            _, output = self.keep(store, f"k{len(data)}", data)
            store.commit(now=True)
            assert self.beside(store).data(output.artifact) == data

    def test_two_results_may_share_a_blob(self) -> None:
        """Content has one place."""
        store = self.make()
        self.keep(store, "a", b"same")
        _, output = self.keep(store, "b", b"same")
        store.commit(now=True)
        assert self.beside(store).data(output.artifact) == b"same"

    def test_a_missing_blob_is_said_and_then_known(self) -> None:
        """`data` raises, and from then on the result says that it is lost; keeping it again heals it."""
        store = self.make()
        result, output = self.keep(store, "k", b"precious")
        store.commit(now=True)
        self.lose(store, output.artifact.digest)
        other = self.beside(store)
        gone = None
        try:
            other.data(output.artifact)
        except ArtifactGone as error:
            gone = error
        assert gone is not None, "the loss went unnoticed"
        assert "gone" in gone.what
        found = other.result(result.key)
        assert found is not None
        assert found.lost
        other.keep(result, [output])
        assert other.result(result.key) == result
        assert other.data(output.artifact) == b"precious"
        other.commit(now=True)
        last = self.beside(store)
        assert last.result(result.key) == result
        assert last.data(output.artifact) == b"precious"

    # ------------------------------------------------------------------ claims

    def test_a_run_that_is_alone_gets_every_claim(self) -> None:
        """In the order of the question."""
        store = self.make()
        assert list(store.claim(["a", "b"])) == [True, True]
        assert list(store.claim([])) == []

    def test_two_runs_share_the_work(self) -> None:
        """What one has claimed the other does not get, until it is released."""
        store = self.make()
        other = self.beside(store)
        assert list(store.claim(["a", "b"])) == [True, True]
        store.commit(now=True)
        assert list(other.claim(["b", "c"])) == [False, True]
        store.release("b")
        store.commit(now=True)
        self.wait_to_notice(other)
        assert list(other.claim(["b"])) == [True]
        other.commit(now=True)
        self.wait_to_notice(store)
        assert list(store.claim(["a", "b", "c"])) == [True, False, False]

    def test_what_other_runs_do_is_news(self) -> None:
        """Results and ended claims of another run change the number; nothing else need."""
        store = self.make()
        other = self.beside(store)
        store.claim(["a", result_of("k").key])
        store.commit(now=True)
        self.wait_to_notice(other)
        before = other.news()
        assert other.news() == before
        store.release("a")
        store.commit(now=True)
        self.wait_to_notice(other)
        ended = other.news()
        assert ended != before
        self.keep(store, "k")
        store.commit(now=True)
        self.wait_to_notice(other)
        assert other.news() != ended

    def test_a_run_that_waits_shows_what_it_has(self) -> None:
        """At once, since another one may wait for that."""
        store = self.make()
        other = self.beside(store)
        result, _ = self.keep(store, "k")
        store.commit(waiting=True)
        self.wait_to_notice(other)
        assert other.result(result.key) is not None

    def test_a_result_that_has_just_come_ends_the_wish_to_compute_it(self) -> None:
        """A claim on it is refused until it has been looked at, and then given to whoever still wants it."""
        store = self.make()
        other = self.beside(store)
        result = result_of("k")
        store.claim([result.key])
        store.commit(now=True)
        assert list(other.claim([result.key])) == [False]
        self.keep(store, "k")
        store.commit(now=True)
        self.wait_to_notice(other)
        assert list(other.claim([result.key])) == [False]
        assert other.result(result.key) is not None
        self.wait_to_notice(other)
        assert list(other.claim([result.key])) == [True]
