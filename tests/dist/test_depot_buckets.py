"""Bytes by their digests in buckets, asked of a server of the S3 API over HTTP."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from blake3 import blake3

sys.path.insert(0, str(Path(__file__).parents[1] / "sources"))

import s3_servers

from stepwell.dist import depot
from stepwell.errors import BlobDiffers, BlobErased, BlobNotFetched, BucketRefused
from stepwell.sources.buckets import Bucket

DATA = b"what was released " * 100_000
DIGEST = f"b3:{blake3(DATA).hexdigest()}"


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with s3_servers.rclone(tmp_path_factory.mktemp("s3")) as found:
        yield found


@pytest.fixture
def place(
    endpoint: str, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> str:
    """A prefix of its own."""
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_DEFAULT_REGION", "http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    for name, value in s3_servers.environment(endpoint).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("STEPWELL_CACHE", str(tmp_path / "cache"))
    (tmp_path / "made").write_bytes(DATA)
    return f"s3://{s3_servers.BUCKET}/{request.node.originalname or request.node.name}"


def test_what_is_put_into_a_bucket_is_fetched_from_it(place: str, tmp_path: Path) -> None:
    depot.put(tmp_path / "made", DIGEST, place)
    depot.put(tmp_path / "made", DIGEST, place)
    assert [one.name for one in Bucket(place).list()] == [depot.name_of(DIGEST)]
    path = depot.fetch(DIGEST, len(DATA), [place])
    assert path.read_bytes() == DATA
    assert path.is_relative_to(tmp_path / "cache")


def test_other_bytes_are_neither_put_nor_taken(place: str, tmp_path: Path) -> None:
    (tmp_path / "made").write_bytes(b"changed since")
    with pytest.raises(BlobDiffers):
        depot.put(tmp_path / "made", DIGEST, place)
    assert not list(Bucket(place).list())
    Bucket(place).put(depot.name_of(DIGEST), b"tampered")
    with pytest.raises(BlobDiffers, match=place):
        depot.fetch(DIGEST, len(DATA), [place])
    assert depot.cached(DIGEST) is None
    assert not list((tmp_path / "cache" / "tmp").iterdir())


def test_what_is_not_there_is_told_with_the_place(place: str) -> None:
    with pytest.raises(BlobNotFetched) as caught:
        depot.fetch(DIGEST, len(DATA), [place, "s3://no-such-bucket-here/x"])
    assert place in caught.value.why
    assert "s3://no-such-bucket-here/x" in caught.value.why


def test_wrong_credentials_are_told(place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hunter2")
    with pytest.raises(BucketRefused):
        depot.put(tmp_path / "made", DIGEST, place)
    with pytest.raises(BlobNotFetched) as caught:
        depot.fetch(DIGEST, len(DATA), [place])
    assert "hunter2" not in str(caught.value)


def test_what_was_erased_says_so(place: str, tmp_path: Path) -> None:
    depot.put(tmp_path / "made", DIGEST, place)
    assert depot.erase(DIGEST, place, depot.Erased("2026-10-01", "asked for by the person"))
    with pytest.raises(BlobErased, match="erased on 2026-10-01"):
        depot.fetch(DIGEST, len(DATA), [place])
    assert not depot.erase(DIGEST, place, depot.Erased("2026-10-02", "again"))
