"""What a source's text means, and that secrets in it are never shown."""

from __future__ import annotations

import pytest

from stepwell.errors import BadSource
from stepwell.sources.address import file_in, name_of, parse, printable, shown, without_user


def test_plain_text_is_a_path():
    assert parse("data/x.csv").path == "data/x.csv"
    assert parse("/mnt/x.csv").kind == "path"


def test_a_tilde_is_the_home_folder(monkeypatch):
    monkeypatch.setenv("HOME", "/home/ada")
    assert parse("~/big/x.csv").path == "/home/ada/big/x.csv"
    assert parse("a~/x.csv").path == "a~/x.csv"


@pytest.mark.parametrize(
    "uri", ["file:///mnt/a%20b.csv", "file://localhost/mnt/a%20b.csv", "FILE:///mnt/a%20b.csv"]
)
def test_file_urls_are_decoded(uri):
    assert parse(uri).path == "/mnt/a b.csv"


def test_a_file_url_on_another_machine_is_refused():
    with pytest.raises(BadSource) as caught:
        parse("file://data/x.csv")
    assert "file:///data/x.csv" in caught.value.fixes[1]


@pytest.mark.parametrize("uri", ["gs://b/x", "mysql://u:p@h/db", "ftp://h/x"])
def test_other_schemes_are_refused_with_what_works(uri):
    with pytest.raises(BadSource) as caught:
        parse(uri)
    assert "package://" in str(caught.value)
    assert "https://" in str(caught.value)


def test_a_mistyped_scheme_is_named():
    with pytest.raises(BadSource) as caught:
        parse("htps://example.org/x")
    assert caught.value.fixes[0] == "did you mean `https://`?"


@pytest.mark.parametrize(
    "uri",
    ["", "  ", "a\0b", "file:///a%00b", "package://", "package://x", "package://x/", "package://a-b/c",
     "package://x/../../etc/passwd", "https://", "https:///x", "https://host:port/x", "https://[::1/x", "http://a b/x"],
)  # fmt: skip
def test_addresses_that_make_no_sense_are_refused(uri):
    with pytest.raises(BadSource) as caught:
        parse(uri)
    assert "\0" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    ["https://h/x#access_token=geheim", "https://h/x?a=1#id_token=geheim", "HTTP://u:geheim@h/x#geheim"],
)
def test_what_stands_behind_a_hash_is_never_shown(text: str) -> None:
    assert "geheim" not in shown(text)
    assert shown(text).startswith(text[:7])


def test_credentials_are_never_shown():
    uri = "https://ada:s3cr%40t@example.org/x.csv?user=1&api_key=abc&X-Amz-Signature=def&b"
    assert shown(uri) == "https://example.org/x.csv?user=1&api_key=…&X-Amz-Signature=…&b"
    assert without_user(uri)[1] == "ada:s3cr@t"
    assert "s3cr" not in without_user(uri)[0]


def test_a_broken_address_does_not_show_its_password():
    with pytest.raises(BadSource) as caught:
        parse("https://ada:secret@host:99999999/x")
    assert "secret" not in str(caught.value)


def test_addresses_are_sent_in_ascii():
    assert without_user("https://bücher.example/a b/é.csv?q=ü#frag")[0] == (
        "https://xn--bcher-kva.example/a%20b/%C3%A9.csv?q=%C3%BC"
    )


def test_printable_escapes_what_a_terminal_would_obey():
    assert printable("a\x1b[31m\nb\udcff") == "a\\x1b[31m\\nb\\udcff"
    assert printable("größe ✓") == "größe ✓"


@pytest.mark.parametrize(
    ("uri", "name"),
    [
        ("https://h/a/flights.csv.zip?x=1", "flights.csv.zip"),
        ("https://h/", "download"),
        ("https://h/..", "download"),
        ("https://h/a%2F..%2Fb.csv", "a_.._b.csv"),
        ("https://h/%00%1b.csv", "__.csv"),
        ("https://h/" + "x" * 300 + ".csv", "x" * 96 + ".csv"),
    ],
)
def test_names_of_web_addresses_are_safe(uri, name):
    assert name_of(parse(uri)) == name


@pytest.mark.parametrize(
    ("uri", "name", "folder", "is_at"),
    [
        ("data", "a.csv", True, "data/a.csv"),
        ("data/", "x/a.csv", True, "data/x/a.csv"),
        ("data/*.csv", "a.csv", False, "data/a.csv"),
        ("data/**/x/*.csv", "y/x/a.csv", False, "data/y/x/a.csv"),
        ("*.csv", "a.csv", False, "a.csv"),
        ("/", "a.csv", True, "/a.csv"),
        ("/*.csv", "a.csv", False, "/a.csv"),
        ("~/big/*.csv", "a[1].csv", False, "~/big/a[1].csv"),
        ("data[1]", "a.csv", True, "data[1]/a.csv"),
        ("file:///mnt/a%20b/*.csv", "c d.csv", False, "file:///mnt/a%20b/c%20d.csv"),
        ("file:///mnt/%2A.csv", "a.csv", False, "file:///mnt/a.csv"),
        ("package://numbers/data/*.csv", "a.csv", False, "package://numbers/data/a.csv"),
        ("s3://bucket/exports/", "a.csv", True, "s3://bucket/exports/a.csv"),
        ("s3://bucket/exports/*/*.csv", "x/a.csv", False, "s3://bucket/exports/x/a.csv"),
        ("release://geo[all]>=3/tiles", "a.csv", True, "release://geo[all]>=3/tiles/a.csv"),
    ],
)
def test_files_of_listings_have_addresses_of_their_own(uri, name, folder, is_at):
    assert file_in(uri, name, folder=folder) == is_at
    assert parse(is_at).kind == parse(uri).kind
    assert name_of(parse(is_at)) == name.rpartition("/")[2]
