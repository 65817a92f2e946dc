"""Bytes by their digests in folders and behind web servers: what arrives is what was asked for, or nothing does."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from blake3 import blake3

from stepwell.dist import depot
from stepwell.errors import BadDepot, BlobDiffers, BlobErased, BlobNotFetched, StoreReadOnly

DATA = b"what was released " * 10_000


def digest_of(data: bytes) -> str:
    return f"b3:{blake3(data).hexdigest()}"


DIGEST = digest_of(DATA)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("STEPWELL_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder that has `DATA`."""
    made = tmp_path / "made.bin"
    made.write_bytes(DATA)
    depot.put(made, DIGEST, str(tmp_path / "place"))
    return tmp_path / "place"


class Server(ThreadingHTTPServer):
    """Gives the files of a folder; `torn` answers break off in the middle, `busy` ones are 503."""

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.folder, self.torn, self.busy, self.asked = folder, 0, 0, list[str]()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        path = self.server.folder / self.path.partition("?")[0].lstrip("/")
        self.server.asked.append(self.path)
        if self.server.busy:
            self.server.busy -= 1
            self.send_error(503)
            return
        if not path.is_file():
            self.send_error(404)
            return
        data = path.read_bytes()
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.server.torn:
            self.server.torn -= 1
            data = data[: len(data) // 2]
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server(place: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    made = Server(place)
    thread = threading.Thread(target=made.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield made
    made.shutdown()
    made.server_close()
    thread.join()


# --------------------------------------------------------------------------- folders


def test_what_is_put_into_a_folder_is_fetched_from_it(place: Path, cache: Path) -> None:
    path = depot.fetch(DIGEST, len(DATA), [str(place)])
    assert path == cache / "blobs" / DIGEST[3:5] / DIGEST[5:]
    assert path.read_bytes() == DATA
    assert path.stat().st_mode & 0o777 == 0o444
    assert (place / "b3" / DIGEST[3:5] / DIGEST[5:]).read_bytes() == DATA


def test_a_relative_folder_is_below_the_root(place: Path) -> None:
    assert depot.fetch(DIGEST, len(DATA), [place.name], place.parent).read_bytes() == DATA


def test_a_folder_may_be_said_as_an_address(place: Path) -> None:
    assert depot.fetch(DIGEST, len(DATA), [place.as_uri()]).read_bytes() == DATA


def test_what_is_in_the_cache_needs_no_place(place: Path) -> None:
    depot.fetch(DIGEST, len(DATA), [str(place)])
    assert depot.fetch(DIGEST, len(DATA), []).read_bytes() == DATA


def test_damage_in_the_cache_is_seen_and_mended(place: Path) -> None:
    path = depot.fetch(DIGEST, len(DATA), [str(place)])
    status = path.stat()
    path.chmod(0o644)
    path.write_bytes(DATA[:-1] + b"x")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert depot.fetch(DIGEST, len(DATA), [str(place)]).read_bytes() == DATA


def test_what_is_nowhere_names_every_place(tmp_path: Path, server: Server) -> None:
    other = digest_of(b"other")
    with pytest.raises(BlobNotFetched) as caught:
        depot.fetch(other, 5, [str(tmp_path / "a"), server.address, "http://127.0.0.1:9"])
    for place in (str(tmp_path / "a"), server.address, "http://127.0.0.1:9"):
        assert place in caught.value.why
    assert "404" in caught.value.why


def test_without_a_place_it_is_said_that_there_is_none() -> None:
    with pytest.raises(BlobNotFetched, match="nowhere") as caught:
        depot.fetch(DIGEST, len(DATA), [])
    assert "it is not said where" in caught.value.why


def test_other_bytes_in_a_folder_are_refused_with_both_digests(place: Path, cache: Path) -> None:
    file = place / depot.name_of(DIGEST)
    file.chmod(0o644)
    file.write_bytes(b"tampered")
    with pytest.raises(BlobDiffers) as caught:
        depot.fetch(DIGEST, len(DATA), [str(place)])
    assert DIGEST in caught.value.why
    assert digest_of(b"tampered") in caught.value.why
    assert str(place) in caught.value.what
    assert not [path for path in (cache / "blobs").rglob("*") if path.is_file()]
    assert not list((cache / "tmp").iterdir())


def test_a_place_that_lies_is_passed_over_and_told(place: Path, tmp_path: Path) -> None:
    liar = tmp_path / "liar" / depot.name_of(DIGEST)
    liar.parent.mkdir(parents=True)
    liar.write_bytes(b"tampered")
    with pytest.warns(UserWarning, match="has other bytes"):
        path = depot.fetch(DIGEST, len(DATA), [str(tmp_path / "liar"), str(place)])
    assert path.read_bytes() == DATA


def test_put_twice_is_put_once_and_mends_what_is_damaged(place: Path, tmp_path: Path) -> None:
    file = place / depot.name_of(DIGEST)
    before = file.stat().st_ino
    depot.put(tmp_path / "made.bin", DIGEST, str(place))
    assert file.stat().st_ino == before
    file.chmod(0o644)
    file.write_bytes(b"tampered")
    depot.put(tmp_path / "made.bin", DIGEST, str(place))
    assert file.read_bytes() == DATA


def test_a_file_of_another_digest_is_not_put(tmp_path: Path) -> None:
    made = tmp_path / "made.bin"
    made.write_bytes(b"changed since")
    with pytest.raises(BlobDiffers):
        depot.put(made, DIGEST, str(tmp_path / "place"))
    assert not [path for path in (tmp_path / "place").rglob("*") if path.is_file()]


@pytest.mark.parametrize("place", ["ftp://example.org/x", "oci://ghcr.io/acme", "", "http:"])
def test_what_is_no_place_is_refused(place: str, tmp_path: Path) -> None:
    if place == "http:":
        place = "http://example.org/cas"  # a server takes nothing
    made = tmp_path / "made.bin"
    made.write_bytes(DATA)
    with pytest.raises(BadDepot):
        depot.put(made, DIGEST, place)


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    made = tmp_path / "made.bin"
    made.write_bytes(DATA)
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(BadDepot, match="nothing can be put"):
        depot.put(made, DIGEST, str(tmp_path / "file"))


@pytest.mark.parametrize("digest", ["b3:ab", "sha256:" + "a" * 64, "b3:" + "../" * 21 + "a"])
def test_what_is_no_digest_is_no_path(digest: str, place: Path) -> None:
    with pytest.raises(BadDepot):
        depot.fetch(digest, 1, [str(place)])


# --------------------------------------------------------------------------- web servers


def test_a_web_server_gives_by_digest(server: Server) -> None:
    assert depot.fetch(DIGEST, len(DATA), [f"{server.address}/"]).read_bytes() == DATA
    assert server.asked == [f"/{depot.name_of(DIGEST)}"]


def test_a_token_in_an_address_is_sent_and_not_shown(server: Server) -> None:
    depot.fetch(DIGEST, len(DATA), [f"{server.address}?token=hunter2"])
    assert server.asked == [f"/{depot.name_of(DIGEST)}?token=hunter2"]
    with pytest.raises(BlobNotFetched) as caught:
        depot.fetch(digest_of(b"other"), 5, [f"{server.address}?token=hunter2"])
    assert "hunter2" not in str(caught.value)


def test_an_answer_that_breaks_off_is_asked_for_again(server: Server, cache: Path) -> None:
    server.torn = 1
    assert depot.fetch(DIGEST, len(DATA), [server.address]).read_bytes() == DATA
    assert not list((cache / "tmp").iterdir())


def test_a_server_that_is_busy_is_asked_again(server: Server) -> None:
    server.busy = 1
    assert depot.fetch(DIGEST, len(DATA), [server.address]).read_bytes() == DATA


def test_a_server_with_other_bytes_is_refused(server: Server, cache: Path) -> None:
    file = server.folder / depot.name_of(DIGEST)
    file.chmod(0o644)
    file.write_bytes(b"tampered")
    with pytest.raises(BlobDiffers, match=server.address):
        depot.fetch(DIGEST, len(DATA), [server.address])
    assert not [path for path in (cache / "blobs").rglob("*") if path.is_file()]
    assert not list((cache / "tmp").iterdir())


def test_a_mirror_serves_where_the_first_place_is_down(server: Server) -> None:
    assert depot.fetch(DIGEST, len(DATA), ["http://127.0.0.1:9", server.address]).read_bytes() == DATA


def test_whoever_fetches_has_mirrors_of_their_own(place: Path, tmp_path: Path, monkeypatch) -> None:
    with pytest.raises(BlobNotFetched) as caught:
        depot.fetch(DIGEST, len(DATA), [])
    assert any(fix.startswith("STEPWELL_MIRRORS=") for fix in caught.value.fixes)
    monkeypatch.setenv("STEPWELL_MIRRORS", f"{tmp_path / 'nothing'}, {place},")
    assert depot.fetch(DIGEST, len(DATA), []).read_bytes() == DATA


FETCH = """
import sys
from stepwell.dist import depot
from stepwell.errors import StepwellError

if len(sys.argv) > 4:  # the limit of the size of files stands in for a disk that is full
    import resource, signal

    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[4]), int(sys.argv[4])))
try:
    print(depot.fetch(sys.argv[1], int(sys.argv[2]), [sys.argv[3]]))
except StepwellError as error:
    print(error)
"""


def fetching(where: str, *more: str) -> subprocess.Popen[str]:
    """Another process that fetches `DATA`, and prints its path or what is wrong."""
    words = [sys.executable, "-c", FETCH, DIGEST, str(len(DATA)), where, *more]
    return subprocess.Popen(words, stdout=subprocess.PIPE, text=True)


def test_several_at_once_fetch_the_same(server: Server, cache: Path) -> None:
    said = {child.communicate(timeout=60)[0] for child in [fetching(server.address) for _ in range(3)]}
    assert said == {f"{depot.cached(DIGEST)}\n"}
    assert not list((cache / "tmp").iterdir())


# --------------------------------------------------------------------------- erased, and no room


def test_what_was_erased_says_when_and_why(place: Path, server: Server) -> None:
    note = depot.Erased("2026-10-01", "asked for by the person")
    assert depot.erase(DIGEST, str(place), note)
    assert not depot.erase(DIGEST, str(place), note)
    for where in (str(place), server.address):
        with pytest.raises(BlobErased, match="erased on 2026-10-01: asked for by the person"):
            depot.fetch(DIGEST, len(DATA), [where])


def test_a_page_that_is_no_note_is_none(place: Path) -> None:
    file = place / depot.name_of(DIGEST)
    file.unlink()
    file.with_name(file.name + depot.ERASED).write_text("<html>not found, but 200</html>")
    with pytest.raises(BlobNotFetched):
        depot.fetch(DIGEST, len(DATA), [str(place)])


def test_a_full_disk_leaves_nothing_behind(place: Path, server: Server, cache: Path) -> None:
    for where in (str(place), server.address):
        said = fetching(where, str(len(DATA) // 2)).communicate(timeout=60)[0]
        assert said.startswith("error[E5")
        assert "STEPWELL_CACHE" in said
        assert not list((cache / "tmp").iterdir())
        assert depot.cached(DIGEST) is None


def test_a_cache_that_cannot_be_written_is_told(place: Path, cache: Path) -> None:
    cache.parent.mkdir(exist_ok=True)
    cache.write_text("a file")
    with pytest.raises(Exception, match="cannot be") as caught:
        depot.fetch(DIGEST, len(DATA), [str(place)])
    assert "Traceback" not in str(caught.value)
    if os.geteuid():
        cache.unlink()
        cache.mkdir(mode=0o500)
        with pytest.raises(StoreReadOnly, match="cannot be written"):
            depot.fetch(DIGEST, len(DATA), [str(place)])


def test_a_place_on_a_disk_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    made = tmp_path / "made.bin"
    made.write_bytes(DATA)
    with pytest.raises(BadDepot, match="there is no folder") as caught:
        depot.put(made, DIGEST, str(tmp_path / "disk" / "cas"))
    assert caught.value.fixes[0] == "mount the disk"
    assert not (tmp_path / "disk").exists()
    (tmp_path / "disk").mkdir()
    depot.put(made, DIGEST, str(tmp_path / "disk" / "cas"))
    assert (tmp_path / "disk" / "cas" / depot.name_of(DIGEST)).read_bytes() == DATA
