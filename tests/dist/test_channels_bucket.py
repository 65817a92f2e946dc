"""An index of channels in a bucket: the same promises as in a folder, with conditional writes in place of a lock.

The server is moto's, which speaks the S3 API over HTTP and keeps everything in memory. It is not a bucket that anybody uses,
but it decides conditional writes as the API says.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from channel_releases import lock_of, release
from wheels_by_hand import ORDER, wheel

from stepwell.dist.channels.bucket import BucketFiles
from stepwell.dist.channels.files import ABSENT, Change
from stepwell.dist.channels.index import Channels, Named
from stepwell.dist.channels.verify import verify
from stepwell.dist.erased import Stone, bury, read_erased
from stepwell.dist.releases.found import files_of, pooled
from stepwell.errors import BadWheel, ChannelMoved, NoChannels, PoolDamaged

WHO = {"by": "ana@acme", "why": "Q3 retrain"}


@pytest.fixture(scope="module")
def server():
    """The address of a server with the S3 API on this machine."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    address, until = f"http://127.0.0.1:{port}", time.monotonic() + 60
    try:
        while True:
            try:
                urllib.request.urlopen(address, timeout=5).close()
                break
            except OSError:
                assert process.poll() is None, "the server has ended"
                assert time.monotonic() < until, "the server does not answer"
                time.sleep(0.1)
        yield address
    finally:
        process.terminate()
        process.wait(10)


def asked(address: str, method: str = "GET"):
    """The server's answer to somebody whom it knows."""
    scope = "test/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0"
    headers = {"Authorization": f"AWS4-HMAC-SHA256 Credential={scope}"}
    return urllib.request.urlopen(urllib.request.Request(address, method=method, headers=headers), timeout=10)


@pytest.fixture
def address(server, monkeypatch, request) -> str:
    """An empty place in a bucket."""
    for name, value in (
        ("ENDPOINT_URL", server),
        ("ACCESS_KEY_ID", "test"),
        ("SECRET_ACCESS_KEY", "test"),
        ("REGION", "us-east-1"),
    ):
        monkeypatch.setenv(f"AWS_{name}", value)
    asked(f"{server}/acme", "PUT").close()
    return f"s3://acme/{abs(hash(request.node.name)):x}"


@pytest.fixture
def channels(address) -> Channels:
    return Channels.create(files_of(address, Path()), ORDER)


def test_the_door_keeps_its_promises(address) -> None:
    files = BucketFiles(address)
    assert (files.read("a.log"), files.blocks("a.log"), files.names("")) == (None, None, [])
    assert files.replace([Change("a.log", b"1", ABSENT)]) == frozenset()
    assert files.replace([Change("a.log", b"2", ABSENT), Change("b", b"2", ABSENT)]) == {"a.log", "b"}
    first = files.read("a.log")
    assert (
        files.replace([Change("a.log", b"12", first.token), Change("pages/b", b"b", ABSENT)]) == frozenset()
    )
    assert files.replace([Change("a.log", b"13", first.token)]) == {"a.log"}
    assert files.read("a.log").data == b"12"
    assert files.create("pool/c.whl", [b"one ", b"two"])
    assert not files.create("pool/c.whl", [b"other"])
    assert b"".join(files.blocks("pool/c.whl")) == b"one two"
    assert files.names("") == ["a.log", "pages/b", "pool/c.whl"]
    assert files.names("pages") == ["pages/b"]
    assert files.names("page") == []
    assert not files.delete("pages/b", first.token)
    assert files.delete("pages/b", files.read("pages/b").token)
    assert not files.delete("pages/b", ABSENT)
    assert files.names("pages") == []


def test_what_fails_while_it_is_created_leaves_nothing(address) -> None:
    def blocks():
        yield b"half"
        raise ValueError("no more")

    with pytest.raises(ValueError, match="no more"):
        BucketFiles(address).create("a.whl", blocks())
    assert BucketFiles(address).read("a.whl") is None


def test_releases_move_through_channels(channels, tmp_path) -> None:
    for version in ("1.3.2", "1.4.0"):
        channels.promote(release(tmp_path, version), "staging", **WHO)
        channels.promote(Named("churn", version), "production", **WHO)
    assert channels.current("churn", "production").version == "1.4.0"
    channels.rollback("churn", "production", by="bo", why="drift")
    opened = Channels.open(channels.files)
    assert opened.current("churn", "production").version == "1.3.2"
    assert pooled(opened, "churn", "churn-1.3.2-py3-none-any.whl").document.version == "1.3.2"
    assert verify(opened) == ()
    bucket = channels.files.where.removeprefix("s3://")
    with asked(f"{os.environ['AWS_ENDPOINT_URL']}/{bucket}/staging/simple/churn/index.html") as page:
        assert page.headers["Content-Type"] == "text/html; charset=utf-8"  # installers read no other
    bury(opened.files, Stone((f"b3:{'0' * 64}",), (), "bo", "2026-10-01T00:00:00Z", "wrong"))
    assert len(read_erased(opened.files)) == 1
    page = channels.files.read("production/simple/churn/index.html")
    channels.files.replace([Change("production/simple/churn/index.html", b"<a>", page.token)])
    assert [error.code for error in verify(opened)] == ["E755"]
    assert opened.rebuild() == ("production/simple/churn/index.html",)
    assert verify(opened) == ()


def test_of_two_writers_one_is_first(channels, tmp_path) -> None:
    """The second one decided by a log that is no longer the one that is there."""
    channels.promote(wheel(tmp_path, version="1.0"), "production", **WHO)
    other = Channels.open(channels.files)
    held = other.held("production")
    channels.promote(wheel(tmp_path, version="1.1"), "production", **WHO)
    assert channels.files.replace([Change("production.log", held.data, held.token)]) == {"production.log"}
    with pytest.raises(ChannelMoved, match=r"1\.1 by now"):
        other.promote(wheel(tmp_path, version="1.2"), "production", expect="1.0", **WHO)
    assert verify(channels) == ()


@pytest.mark.slow
def test_many_writers_at_once_leave_one_whole_log(channels, tmp_path, address) -> None:
    program = (
        "import sys; from pathlib import Path; from stepwell.dist.releases.found import files_of\n"
        "from stepwell.dist.channels.index import Channels\n"
        "channels = Channels.open(files_of(sys.argv[1], Path()))\n"
        "channels.promote(Path(sys.argv[2]), 'staging', by='me', why='at once')\n"
    )
    paths = [wheel(tmp_path, f"churn-{number}", "1.0") for number in range(6)]
    writers = [
        subprocess.Popen([sys.executable, "-c", program, address, path], env=os.environ) for path in paths
    ]
    assert [writer.wait(60) for writer in writers] == [0] * 6
    assert [entry.n for entry in channels.log("staging").entries] == [1, 2, 3, 4, 5, 6]
    channels.rebuild()
    assert verify(channels) == ()


def test_what_is_not_there_is_told(address, tmp_path) -> None:
    with pytest.raises(NoChannels, match="there are no channels"):
        Channels.open(files_of(address, Path()))
    found = Channels.create(files_of(address, Path()), ["production"])
    found.promote(release(tmp_path, "1.0"), "production", **WHO)
    content = found.files.read("pool/churn/churn-1.0-py3-none-any.whl")
    found.files.delete("pool/churn/churn-1.0-py3-none-any.whl", content.token)
    assert [type(error) for error in verify(found)] == [PoolDamaged]
    found.files.create("pool/churn/churn-1.0-py3-none-any.whl", [content.data[:-9]])
    with pytest.raises(BadWheel):
        pooled(found, "churn", "churn-1.0-py3-none-any.whl")


@pytest.mark.slow
def test_the_command_works_on_a_bucket(address, tmp_path) -> None:
    release(tmp_path / "dist", "1.4.0", lock_of(metrics={"auc": 0.83}))
    (tmp_path / "stepwell.toml").write_text(
        f'[release]\nname = "churn"\n[channels]\nindex = "{address}"\n', "utf-8"
    )
    command = Path(sys.executable).with_name("stepwell")
    for words, says in (
        (["channels", "--create"], "production/simple"),
        (["promote", "1.4.0", "staging", "--why", "Q3"], "churn 1.4.0 promoted to staging"),
        (["channels"], "auc 0.83"),
        (["recall", "customers@0", "--why", "x"], "too short"),
    ):
        done = subprocess.run(
            [command, *words], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
        )
        assert says in done.stdout + done.stderr
        assert "Traceback" not in done.stderr
