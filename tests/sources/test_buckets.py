"""Buckets, asked of two servers of the S3 API over HTTP (`s3_servers` says what they are, and are not)."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import s3_servers

from stepwell.errors import BadSource, BucketRefused, NotThere, ObjectChanged
from stepwell.sources.address import parse, shown
from stepwell.sources.buckets import Bucket, pattern

HERE = f"s3://{s3_servers.BUCKET}"


@pytest.fixture(scope="module")
def moto():
    with s3_servers.moto() as endpoint:
        yield endpoint


@pytest.fixture(scope="module")
def rclone(tmp_path_factory):
    with s3_servers.rclone(tmp_path_factory.mktemp("s3")) as endpoint:
        yield endpoint


@pytest.fixture
def reach(monkeypatch):
    """Makes a server the one that buckets mean."""
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_DEFAULT_REGION", "http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)

    def reach(endpoint: str) -> None:
        for name, value in s3_servers.environment(endpoint).items():
            monkeypatch.setenv(name, value)

    return reach


@pytest.fixture(params=["moto", "rclone"])
def bucket(request, reach) -> Bucket:
    """A prefix of its own in the bucket of each server."""
    reach(request.getfixturevalue(request.param))
    return Bucket(f"{HERE}/{request.node.originalname}")


def test_what_is_written_is_read(bucket, tmp_path):
    bucket.put("a/x.txt", b"hello")
    found = bucket.read("a/x.txt")
    assert (found.whole(), found.size) == (b"hello", 5)
    assert found.etag
    large = tmp_path / "large"
    large.write_bytes(b"0123456789" * 2_000_000)
    bucket.put("a/large", large)
    found = bucket.read("a/large")
    blocks = list(found.blocks)
    assert len(blocks) > 1, "it is not held in memory whole"
    assert b"".join(blocks) == large.read_bytes()
    bucket.put("a/x.txt", b"")
    assert bucket.read("a/x.txt").whole() == b""


def test_a_listing_goes_by_name_and_stays_below_its_prefix(bucket):
    for name in ("b/2.csv", "b/10.csv", "b/deep/3.csv", "bother.csv", "a é+%.csv"):
        bucket.put(name, name.encode())
    assert [one.name for one in bucket.list()] == sorted(
        ["a é+%.csv", "b/10.csv", "b/2.csv", "b/deep/3.csv", "bother.csv"]
    )
    assert [one.name for one in bucket.list("b/")] == ["b/10.csv", "b/2.csv", "b/deep/3.csv"]
    assert [one.name for one in bucket.list("b/2")] == ["b/2.csv"]
    assert bucket.read("a é+%.csv").whole() == "a é+%.csv".encode()
    assert [one.size for one in bucket.list("b/2")] == [7]
    bucket.delete("b/2.csv")
    bucket.delete("b/2.csv")
    assert list(bucket.list("b/2")) == []


def test_what_is_not_there_is_said(bucket):
    with pytest.raises(NotThere, match="nothing"):
        bucket.read("nothing.csv")


def test_a_bucket_that_is_not_there_is_said(moto, reach):
    reach(moto)
    with pytest.raises(BucketRefused, match="NoSuchBucket"):
        list(Bucket("s3://no-such-bucket").list())


def test_wrong_credentials_are_refused_and_not_shown(rclone, reach, monkeypatch):
    reach(rclone)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another-secret")
    with pytest.raises(BucketRefused) as caught:
        Bucket(HERE).read("x")
    assert "SignatureDoesNotMatch" in str(caught.value)
    assert "another-secret" not in str(caught.value)
    assert s3_servers.KEY not in str(caught.value)


def test_nobody_there_is_said(reach):
    reach("http://127.0.0.1:1")
    with pytest.raises(BucketRefused, match="crm-exports"):
        Bucket(HERE).read("x")


def test_a_conditional_write_is_made_once(moto, reach):
    reach(moto)
    bucket = Bucket(f"{HERE}/conditions")
    first = bucket.put_if("log", b"1", None)
    with pytest.raises(ObjectChanged):
        bucket.put_if("log", b"other", None)
    second = bucket.put_if("log", b"2", first)
    with pytest.raises(ObjectChanged):
        bucket.put_if("log", b"3", first)
    assert bucket.read("log").token == second
    bucket.delete("log")
    with pytest.raises(ObjectChanged):
        bucket.put_if("log", b"3", second)
    assert [one.name for one in bucket.list()] == [], "what the server was tried with is gone"


def test_of_many_who_write_at_once_one_wins(moto, reach):
    reach(moto)
    bucket = Bucket(f"{HERE}/many")
    token = bucket.put_if("log", b"start", None)
    won, lost = [], []

    def write(number: int) -> None:
        try:
            won.append(Bucket(f"{HERE}/many").put_if("log", str(number).encode(), token))
        except ObjectChanged:
            lost.append(number)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert len(lost) == 5


def test_a_server_that_ignores_conditions_is_refused(rclone, reach):
    reach(rclone)
    bucket = Bucket(f"{HERE}/ignoring")
    with pytest.raises(BucketRefused, match="conditional writes"):
        bucket.put_if("log", b"1", None)
    assert list(bucket.list()) == []


def test_a_version_can_be_read_again(moto, reach):
    reach(moto)
    s3_servers.versioned(moto)
    bucket = Bucket(f"{HERE}/versions")
    bucket.put("x", b"old")
    old = bucket.read("x").version
    bucket.put("x", b"new")
    assert old
    assert bucket.read("x", version=old).whole() == b"old"
    assert bucket.read("x").whole() == b"new"


@pytest.mark.parametrize(
    ("path", "key", "matches"),
    [
        ("a/x.csv", "a/x.csv", True),
        ("a/x.csv", "a/xxcsv", False),
        ("a/*.csv", "a/x.csv", True),
        ("a/*.csv", "a/b/x.csv", False),
        ("a/**/*.csv", "a/b/c/x.csv", True),
        ("a/**/*.csv", "a/x.csv", True),
        ("a/2026-*/part-?.csv", "a/2026-07/part-1.csv", True),
        ("a/", "a/b/x.csv", True),
        ("a/", "ab", False),
    ],
)
def test_patterns_are_those_of_files(path, key, matches):
    assert bool(pattern(path).fullmatch(key)) is matches


@pytest.mark.parametrize(
    "uri", ["s3://", "s3://bucket", "s3://bucket/", "s3://A_B/x", "s3://key:secret@bucket/x", "s3:///x"]
)
def test_addresses_that_make_no_sense_are_refused(uri):
    with pytest.raises(BadSource) as caught:
        parse(uri)
    assert "secret" not in str(caught.value)


def test_credentials_of_databases_are_never_shown():
    assert shown("postgresql://ada:s3cret@db/crm") == "postgresql://db/crm"
    assert shown("postgresql://ada@db/crm?password=x&sslmode=require") == (
        "postgresql://ada@db/crm?password=…&sslmode=require"
    )
