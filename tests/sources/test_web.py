"""Web addresses against a real server: fetched once, refreshed when asked, never half, never leaking."""

from __future__ import annotations

import gzip
import os
import resource
import shutil
import socket
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from blake3 import blake3

from stepwell.errors import (
    DiskFull,
    EmptySource,
    InputChanged,
    Offline,
    PlanError,
    SourceRefused,
    StepwellError,
    StoreReadOnly,
)
from stepwell.sources import web
from stepwell.sources.memo import Memory
from stepwell.sources.pin import check, hold, pin
from stepwell.sources.read import load, load_now
from stepwell.sources.web import Shelf

DATA = b"a,b\n1,2\n"


LOCALHOST = Path(__file__).with_name("localhost.pem").read_text()
"""Signed by itself, for `localhost`, until 2126; the key is as public as the file."""


def digest(data: bytes) -> str:
    return "b3:" + blake3(data).hexdigest()


def leftovers(shelf: Shelf) -> list[Path]:
    folder = shelf.folder / "tmp"
    return list(folder.iterdir()) if folder.exists() else []


def test_fetched_once_and_kept_as_a_blob(site, tmp_path, memo, shelf):
    url = site.give("/x.csv?v=1", DATA)
    for _ in range(3):
        pinned = pin(url, root=tmp_path, memo=memo, shelf=shelf)
        assert pinned.digest == digest(DATA)
    assert len(site.asked) == 1
    blob = shelf.blob(pinned.digest)
    assert blob == shelf.folder / "blobs" / pinned.digest[3:5] / pinned.digest[5:]
    assert blob.read_bytes() == DATA
    assert stat.S_IMODE(blob.stat().st_mode) == 0o444
    assert Path(pinned.files[0]).name == "x.csv"
    assert Path(pinned.files[0]).read_bytes() == DATA
    assert not leftovers(shelf)


def test_a_worker_never_asks_the_network(site, tmp_path, memo, shelf):
    url = site.give("/x.csv", DATA)
    pinned = pin(url, root=tmp_path, memo=memo, shelf=shelf)
    site.close()
    shutil.rmtree(shelf.folder / "files")
    held = hold(url, pinned.digest, root=tmp_path, shelf=shelf)
    assert load(url, "str", {}, root=tmp_path, files=held.files) == DATA.decode()
    assert check(held, root=tmp_path, shelf=shelf)
    shelf.blob(pinned.digest).unlink()
    assert not check(held, root=tmp_path, shelf=shelf)
    with pytest.raises(InputChanged, match="no longer in the store"):
        hold(url, pinned.digest, root=tmp_path, shelf=shelf)


def test_changed_content_is_seen_on_refresh_only(site, tmp_path, memo, shelf):
    url = site.give("/x.csv", DATA)
    pin(url, root=tmp_path, memo=memo, shelf=shelf)
    site.give("/x.csv", b"new")
    assert pin(url, root=tmp_path, memo=memo, shelf=shelf).digest == digest(DATA)
    assert pin(url, root=tmp_path, memo=memo, shelf=shelf, refresh=True).digest == digest(b"new")
    assert pin(url, root=tmp_path, memo=memo, shelf=shelf).digest == digest(b"new")
    assert shelf.blob(digest(DATA)).exists()  # what old runs used is still there


def test_refresh_asks_whether_it_changed(site, tmp_path, memo, shelf):
    def page(headers: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
        if headers.get("if-none-match") == '"one"':
            return 304, {"Content-Length": ""}, b""
        return 200, {"ETag": '"one"'}, DATA

    site.pages["/x.csv"] = page
    for refresh in (False, True, True):
        assert pin(
            site.url("/x.csv"), root=tmp_path, memo=memo, shelf=shelf, refresh=refresh
        ).digest == digest(DATA)
    assert [asked[1].get("if-none-match") for asked in site.asked] == [None, '"one"', '"one"']


def test_a_lost_or_damaged_copy_is_fetched_again(site, tmp_path, memo, shelf):
    url = site.give("/x.csv", DATA, ETag='"one"')
    blob = shelf.blob(digest(DATA))
    pin(url, root=tmp_path, memo=memo, shelf=shelf)
    blob.unlink()
    assert pin(url, root=tmp_path, memo=memo, shelf=shelf).digest == digest(DATA)
    assert "if-none-match" not in site.asked[-1][1]
    for damage in (b"a,b\n1,3\n", b""):
        blob.chmod(0o644)
        blob.write_bytes(damage)
        assert pin(url, root=tmp_path, memo=memo, shelf=shelf).digest == digest(DATA)
        assert blob.read_bytes() == DATA
    pin(url, root=tmp_path, memo=Memory(), shelf=shelf)
    assert len(site.asked) == 5


@pytest.mark.parametrize(
    "junk", [b"", b"x", b"\xff\n\n", b"b3:" + b"0" * 64 + b"\n\n", b"b3:" + b"../" * 21 + b"a\n\n"]
)
def test_a_damaged_memo_leads_to_a_new_copy(site, tmp_path, memo, shelf, junk):
    url = site.give("/x.csv", DATA)
    pin(url, root=tmp_path, memo=memo, shelf=shelf)
    for kind, key in list(memo._kept):
        if kind == "source-web":
            memo._kept[kind, key] = junk
    assert pin(url, root=tmp_path, memo=memo, shelf=shelf).digest == digest(DATA)


# ------------------------------------------------------------------ answers without data


@pytest.mark.parametrize(
    ("status", "asked"), [(404, 1), (403, 1), (401, 1), (410, 1), (204, 1), (206, 1), (500, 3), (503, 3)]
)
def test_other_answers_are_refused_with_their_status(site, tmp_path, memo, shelf, status, asked):
    url = site.give("/x.csv", b"" if status == 204 else b"<html>", status)
    with pytest.raises(SourceRefused, match=str(status)):
        pin(url, root=tmp_path, memo=memo, shelf=shelf)
    assert len(site.asked) == asked
    assert not leftovers(shelf)


def test_a_server_that_is_busy_for_a_moment_is_asked_again(site, tmp_path, memo, shelf):
    answers = iter([(503, {}, b""), (429, {}, b""), (200, {}, DATA)])
    site.pages["/x.csv"] = lambda _: next(answers)
    assert pin(site.url("/x.csv"), root=tmp_path, memo=memo, shelf=shelf).digest == digest(DATA)


def test_nothing_is_an_empty_source(site, tmp_path, memo, shelf):
    with pytest.raises(EmptySource):
        pin(site.give("/x.csv", b""), root=tmp_path, memo=memo, shelf=shelf)
    assert not leftovers(shelf)


def test_a_failed_refresh_leaves_the_copy(site, tmp_path, memo, shelf):
    url = site.give("/x.csv", DATA)
    pin(url, root=tmp_path, memo=memo, shelf=shelf)
    site.give("/x.csv", b"", 404)
    with pytest.raises(SourceRefused):
        pin(url, root=tmp_path, memo=memo, shelf=shelf, refresh=True)
    assert pin(url, root=tmp_path, memo=memo, shelf=shelf).digest == digest(DATA)


# ------------------------------------------------------------------ redirects


def test_redirects_are_followed(site, tmp_path, memo, shelf):
    site.give("/b/x.csv", DATA)
    site.give("/a", b"", 302, Location="/b")
    site.give("/b", b"", 308, Location=site.url("/b/x.csv"))
    pinned = pin(site.url("/a"), root=tmp_path, memo=memo, shelf=shelf)
    assert pinned.digest == digest(DATA)
    assert [path for path, _ in site.asked] == ["/a", "/b", "/b/x.csv"]


@pytest.mark.parametrize(
    "location",
    ["file:///etc/passwd", "ftp://127.0.0.1/x", "data:text/plain,x", "package://x/y", "FILE:/etc/passwd"],
)
def test_redirects_do_not_leave_the_web(site, tmp_path, memo, shelf, location):
    url = site.give("/x.csv", b"", 302, Location=location)
    with pytest.raises(SourceRefused, match="must not leave the web"):
        pin(url, root=tmp_path, memo=memo, shelf=shelf)


def test_redirects_from_https_to_http_are_refused():
    with pytest.raises(SourceRefused, match="from `https:` to `http:`"):
        web._redirected("text", "https://h/x", "http://h/y")
    assert web._redirected("text", "http://h/x", "https://u:p@h/y") == "https://h/y"


def test_redirects_end(site, tmp_path, memo, shelf):
    url = site.give("/x.csv", b"", 302, Location="/x.csv")
    with pytest.raises(SourceRefused, match="more than 10 times"):
        pin(url, root=tmp_path, memo=memo, shelf=shelf)
    assert len(site.asked) == 11


def test_a_redirect_to_nonsense(site, tmp_path, memo, shelf):
    url = site.give("/x.csv", b"", 302, Location="http://[::1")
    with pytest.raises(SourceRefused, match="makes no sense"):
        pin(url, root=tmp_path, memo=memo, shelf=shelf)
    with pytest.raises(SourceRefused, match="302"):
        pin(site.give("/y.csv", b"", 302), root=tmp_path, memo=memo, shelf=shelf)


# ------------------------------------------------------------------ broken connections


class Raw:
    """A server that answers every connection with the same bytes and hangs up."""

    def __init__(self, *answers: bytes) -> None:
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.count = 0

        def serve() -> None:
            while True:
                try:
                    connection, _ = self.listening.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(65536)
                    connection.sendall(answers[min(self.count, len(answers) - 1)])
                    self.count += 1

        threading.Thread(target=serve, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.listening.getsockname()[1]}/x.csv"


CUT = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nonly this"
CUT_CHUNKS = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nonly \r\n64\r\nthis"
WHOLE = b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n" + DATA


@pytest.mark.parametrize("answer", [CUT, CUT_CHUNKS])
def test_a_cut_connection_never_gives_half_a_file(site, tmp_path, memo, shelf, answer):
    server = Raw(answer)
    with pytest.raises(Offline, match="the connection broke after") as caught:
        pin(server.url, root=tmp_path, memo=memo, shelf=shelf)
    assert caught.value.exit_code == 7
    assert server.count == 3
    assert not leftovers(shelf)
    assert not (shelf.folder / "blobs").exists()


def test_a_connection_that_breaks_once_is_no_failure(site, tmp_path, memo, shelf):
    server = Raw(CUT, b"", WHOLE)
    assert pin(server.url, root=tmp_path, memo=memo, shelf=shelf).digest == digest(DATA)


@pytest.mark.parametrize(
    "answer", [b"", b"not http at all\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"]
)
def test_servers_that_make_no_sense(site, tmp_path, memo, shelf, answer):
    with pytest.raises((Offline, SourceRefused, EmptySource)):
        pin(Raw(answer).url, root=tmp_path, memo=memo, shelf=shelf)


def test_a_server_that_says_nothing_is_given_up(site, tmp_path, memo, shelf, monkeypatch):
    monkeypatch.setattr(web, "TIMEOUT", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as listening, pytest.raises(Offline, match="timed out"):
        pin(f"http://127.0.0.1:{listening.getsockname()[1]}/x", root=tmp_path, memo=memo, shelf=shelf)


def test_offline_without_and_with_a_copy(site, tmp_path, memo, shelf):
    url = site.give("/x.csv", DATA)
    other = site.url("/never.csv")
    pin(url, root=tmp_path, memo=memo, shelf=shelf)
    site.close()
    assert pin(url, root=tmp_path, memo=memo, shelf=shelf).digest == digest(DATA)
    with pytest.raises(Offline, match="no copy of it is in the store"):
        pin(other, root=tmp_path, memo=memo, shelf=shelf)
    with pytest.raises(Offline, match="without --refresh uses the copy"):
        pin(url, root=tmp_path, memo=memo, shelf=shelf, refresh=True)
    with pytest.raises(Offline, match="could not be reached"):
        pin("https://nobody.invalid/x.csv", root=tmp_path, memo=memo, shelf=shelf)


def test_a_certificate_that_nobody_signed_is_refused(site, tmp_path, memo, shelf):
    import ssl

    certificate = tmp_path / "localhost.pem"
    certificate.write_text(LOCALHOST)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    site.server.socket = context.wrap_socket(site.server.socket, server_side=True)
    site.give("/x.csv", DATA)
    url = f"https://localhost:{site.port}/x.csv"
    with pytest.raises(SourceRefused, match="is not trusted"):
        pin(url, root=tmp_path, memo=memo, shelf=shelf)
    os.environ["SSL_CERT_FILE"] = str(certificate)
    try:
        assert pin(url, root=tmp_path, memo=memo, shelf=shelf).digest == digest(DATA)
    finally:
        del os.environ["SSL_CERT_FILE"]


# ------------------------------------------------------------------ credentials


def test_credentials_are_sent_to_their_host_only_and_shown_nowhere(site, tmp_path, memo, shelf):
    site.give("/x.csv", b"", 302, Location=f"http://localhost:{site.port}/y.csv")
    url = site.url("/x.csv?token=t0psecret").replace("//", "//ada:s3cret%21@")
    site.pages["/x.csv?token=t0psecret"] = site.pages["/x.csv"]
    with pytest.raises(SourceRefused) as caught:
        pin(url, root=tmp_path, memo=memo, shelf=shelf)
    text = (
        str(caught.value)
        + repr(caught.value)
        + str(caught.value.__context__ if not caught.value.__suppress_context__ else "")
    )
    assert "404" in text
    sent = [headers.get("authorization") for _, headers in site.asked]
    assert sent == ["Basic YWRhOnMzY3JldCE=", None]
    site.give("/x.csv?token=t0psecret", DATA)
    pinned = pin(url, root=tmp_path, memo=memo, shelf=shelf)
    kept = repr(memo._kept) + "".join(str(path) for path in shelf.folder.rglob("*")) + "".join(pinned.files)
    site.close()
    with pytest.raises(Offline) as caught:
        pin(url, root=tmp_path, memo=memo, shelf=shelf, refresh=True)
    for secret in ("s3cret", "t0psecret", "ada:"):
        assert secret not in text + kept + str(caught.value)


# ------------------------------------------------------------------ encodings, names, formats


def test_packed_answers_are_unpacked_but_packed_files_are_not(site, tmp_path, memo, shelf):
    packed = gzip.compress(DATA)
    assert pin(
        site.give("/x.csv", packed, Content_Encoding="gzip"), root=tmp_path, memo=memo, shelf=shelf
    ).digest == (digest(DATA))
    url = site.give("/x.csv.gz", packed, Content_Encoding="gzip")
    assert pin(url, root=tmp_path, memo=memo, shelf=shelf).digest == digest(packed)
    with pytest.raises(SourceRefused, match="cannot be unpacked"):
        pin(site.give("/y.csv", DATA, Content_Encoding="gzip"), root=tmp_path, memo=memo, shelf=shelf)
    with pytest.raises(Offline):
        pin(site.give("/z.csv", packed[:-5], Content_Encoding="gzip"), root=tmp_path, memo=memo, shelf=shelf)


def test_addresses_read_as_tables_paths_and_text(site, tmp_path, memo, shelf):
    url = site.give("/a%20b.csv.gz?x=1", gzip.compress(DATA))
    files = pin(url, root=tmp_path, memo=memo, shelf=shelf).files
    assert load(url, "pandas.DataFrame", {}, root=tmp_path, files=files)["b"].tolist() == [2]
    assert load(url, "pathlib.Path", {}, root=tmp_path, files=files).name == "a b.csv.gz"
    url = site.give("/download?id=7", DATA)
    files = pin(url, root=tmp_path, memo=memo, shelf=shelf).files
    assert load(url, "polars.DataFrame", {"format": "csv"}, root=tmp_path, files=files)["b"].to_list() == [2]
    assert load_now(url, "str", {}, root=tmp_path) == DATA.decode()
    assert load_now(url, "str", {}, root=tmp_path) == DATA.decode()
    assert len(site.asked) == 3


# ------------------------------------------------------------------ our own side


def test_the_caller_may_put_blobs_itself(site, tmp_path, memo):
    put: list[tuple[Path, str]] = []

    def take(path: Path, of: str) -> Path:
        put.append((path, of))
        assert stat.S_IMODE(path.stat().st_mode) == 0o444
        target = Shelf(tmp_path / "s").blob(of)
        target.parent.mkdir(parents=True)
        return path.rename(target)

    pin(site.give("/x.csv", DATA), root=tmp_path, memo=memo, shelf=Shelf(tmp_path / "s", take))
    assert [of for _, of in put] == [digest(DATA)]


def test_a_full_disk_is_said(site, tmp_path, memo, shelf):
    url = site.give("/x.csv", b"x" * 100_000)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        with pytest.raises(DiskFull):
            pin(url, root=tmp_path, memo=memo, shelf=shelf)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not leftovers(shelf)


def test_a_store_that_cannot_be_written_is_said(site, tmp_path, memo):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreReadOnly):
        pin(site.give("/x.csv", DATA), root=tmp_path, memo=memo, shelf=Shelf(tmp_path / "file" / "store"))


def test_many_at_once_agree(site, tmp_path, shelf):
    url = site.give("/x.csv", DATA * 1000)
    found: list[str] = []
    threads = [
        threading.Thread(
            target=lambda: found.append(pin(url, root=tmp_path, memo=Memory(), shelf=shelf).files[0])
        )
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1
    assert not leftovers(shelf)


def test_every_failure_is_one_of_ours(site, tmp_path, memo, shelf):
    for url in [
        "http://127.0.0.1:1/x",
        "http://0.0.0.0:1/",
        "https://127.0.0.1:1/x",
        "http://256.1.1.1/x",
        site.url("/nope"),
    ]:
        with pytest.raises(StepwellError) as caught:
            pin(url, root=tmp_path, memo=memo, shelf=shelf)
        assert isinstance(caught.value, PlanError)
        assert caught.value.why


def test_importing_sources_imports_no_network():
    code = """
import sys
import stepwell.sources.pin, stepwell.sources.read
bad = {"urllib.request", "ssl", "http.client", "blake3", "pandas", "numpy", "tempfile",
       "dataclasses", "inspect", "importlib.metadata", "zipfile"} & set(sys.modules)
assert not bad, bad
"""
    subprocess.run([sys.executable, "-c", code], check=True)
