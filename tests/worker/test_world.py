"""What observed things come to: every kind of path has a token, equal exactly while the thing is as it was."""

import contextlib
import os
import socket
import tempfile
from pathlib import Path

import pytest
from blake3 import blake3

from stepwell.kernel import identity
from stepwell.kernel.identity import MOVING
from stepwell.sources import content
from stepwell.sources.memo import Memory
from stepwell.worker.world import EMPTY, World


@contextlib.contextmanager
def ordinary_user():
    """Be a user whom permissions concern: root is `nobody` for a while."""
    if os.geteuid():
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def root(tmp_path):
    root = tmp_path / "project"
    root.mkdir()
    return root


def now(root, what):
    return World(root).token(what)


def b3(data: bytes) -> str:
    return f"b3:{blake3(data).hexdigest()}"


def test_a_file_comes_to_the_digest_of_its_content(root):
    (root / "a.csv").write_bytes(b"1,2\n")
    assert now(root, "file a.csv") == b3(b"1,2\n")
    assert now(root, f"file {root}/a.csv") == b3(b"1,2\n")
    (root / "empty").touch()
    assert now(root, "file empty") == EMPTY == b3(b"")


def test_what_is_no_file_has_a_token_too(root):
    os.mkfifo(root / "fifo")
    (root / "loop").symlink_to("loop")
    (root / "nowhere").symlink_to("gone")
    (root / "folder").mkdir()
    (root / "file").write_text("text")
    with socket.socket(socket.AF_UNIX) as listener:
        os.chdir(root)
        listener.bind("socket")
    for kind in ("file", "kind"):
        assert now(root, f"{kind} fifo") == "other"
        assert now(root, f"{kind} socket") == "other"
        assert now(root, f"{kind} loop") == "other"
        assert now(root, f"{kind} nowhere") == "absent"
        assert now(root, f"{kind} gone") == "absent"
        assert now(root, f"{kind} file/below") == "absent"
        assert now(root, f"{kind} folder") == "folder"
        assert now(root, f"{kind} {'x' * 300}") == "other"
    assert now(root, "kind file") == "file 4"
    assert now(root, "list fifo") == now(root, "list loop") == "other"
    assert now(root, "list gone") == "absent"
    assert now(root, "list file") == "file"


def test_what_may_not_be_read_is_unreadable():
    with (
        ordinary_user(),
        tempfile.TemporaryDirectory(dir="/tmp") as folder,
    ):  # pytest's own are closed to others
        root = Path(folder)
        (root / "secret").write_text("x")
        (root / "secret").chmod(0)
        (root / "closed").mkdir(mode=0)
        assert now(root, "file secret") == "unreadable"
        assert now(root, "kind secret") == "file 1"
        assert now(root, "list closed") == now(root, "file closed/x") == "unreadable"
        (root / "closed").chmod(0o700)


def test_a_listing_is_its_names_and_which_are_folders(root):
    (root / "d").mkdir()
    empty = now(root, "list d")
    (root / "d/b").write_text("1")
    (root / "d/a").write_text("1")
    before = now(root, "list d")
    assert before.startswith("n:")
    assert before != empty
    (root / "d/a").write_text("another content")
    assert now(root, "list d") == before
    (root / "d/a").unlink()
    (root / "d/a").mkdir()
    assert now(root, "list d") != before
    (root / "d/a").rmdir()
    (root / "d/a").write_text("1")
    for name in ("__pycache__", ".stepwell", ".git"):
        (root / "d" / name).mkdir()
    assert now(root, "list d") == before
    (root / "d/own").write_text("1")
    (root / "d/self").write_text("1")
    assert now(root, "list d") != before
    assert now(root, "list d\x1fown\x1fself") == before


def test_a_folder_that_became_a_link_to_one_is_another_listing(root):
    (root / "d/sub").mkdir(parents=True)
    before = now(root, "list d")
    (root / "d/sub").rename(root / "big")
    (root / "d/sub").symlink_to(root / "big")
    assert now(root, "list d") not in (before, "unreadable")


def test_loops_of_links_in_a_folder_are_listed(root):
    (root / "d").mkdir()
    (root / "d/loop").symlink_to("loop")
    (root / "d/up").symlink_to("..")
    assert now(root, "list d").startswith("n:")
    assert now(root, "all d").startswith("a:")


def test_all_of_a_folder_is_names_sizes_and_times(root):
    (root / "d").mkdir()
    (root / "d/a").write_text("1")
    before = now(root, "all d")
    os.utime(root / "d/a", ns=(1, 1))
    touched = now(root, "all d")
    (root / "d/a").write_text("22")
    os.utime(root / "d/a", ns=(1, 1))
    assert len({before, touched, now(root, "all d")}) == 3


def test_byte_code_of_an_installed_package_is_no_change_of_it_but_its_metadata_is(root: Path) -> None:
    package, metadata = root / "site/other", root / "site/other-1.0.dist-info"
    package.mkdir(parents=True)
    metadata.mkdir()
    before = now(root, "all site")
    (package / "__pycache__").mkdir()
    os.utime(package, ns=(1, 1))
    assert now(root, "all site") == before
    os.utime(metadata, ns=(1, 1))
    assert now(root, "all site") != before


def test_a_link_is_its_target(root):
    (root / "a").write_text("1")
    (root / "link").symlink_to("a")
    before = now(root, "link link")
    (root / "link").unlink()
    (root / "link").symlink_to("b")
    assert before.startswith("l:")
    assert now(root, "link link") not in (before, "absent")
    assert now(root, "link a") == "file"


def test_a_variable_is_its_value(root, monkeypatch):
    monkeypatch.setenv("SOME_NAME", "text")
    assert now(root, "$SOME_NAME") == identity.token("text")
    monkeypatch.delenv("SOME_NAME")
    assert now(root, "$SOME_NAME") == identity.token(None)


def test_what_is_noted_only_has_no_token(root):
    assert [now(root, what) for what in ("ran git", "net example.com:443", "$*")] == ["", "", ""]


def test_what_nobody_knows_is_never_up_to_date(root):
    assert now(root, "mood good") == now(root, "file a\0b") == MOVING


def test_tokens_are_found_out_once_until_they_are_forgotten(root):
    (root / "d/e").mkdir(parents=True)
    (root / "d/a").write_text("1")
    world = World(root)
    asked = ("file d/a", "kind d/a", "list d", "list .", "file d/e/new", f"file {root}/d/e/new")
    before = [world.token(what) for what in asked]
    (root / "d/a").write_text("22")
    (root / "d/new").write_text("1")
    assert [world.token(what) for what in asked] == before
    world.forget(["d/a"])
    assert world.token("file d/a") == b3(b"22")
    assert world.token("kind d/a") == "file 2"
    assert world.token("list d") != before[2]
    (root / "d/e/new").write_text("1")
    assert world.token("file d/e/new") == "absent"
    world.forget([f"{root}/d/e"])  # a folder: what is below it may have come with it
    assert world.token("file d/e/new") == world.token(f"file {root}/d/e/new") == b3(b"1")


def test_a_file_that_was_left_alone_is_not_read_again(root, monkeypatch):
    monkeypatch.setattr(content, "MARGIN", -(10**18))  # as if the files were old
    read = []
    real = content.hash_file
    monkeypatch.setattr(content, "hash_file", lambda path, *rest: read.append(path) or real(path, *rest))
    for i in range(10):
        (root / f"{i}").write_text(f"{i}")
    memo = Memory()
    first = [World(root, memo).token(f"file {i}") for i in range(10)]
    assert len(read) == 10
    assert [World(root, memo).token(f"file {i}") for i in range(10)] == first
    assert len(read) == 10
    (root / "3").write_text("other")
    assert World(root, memo).token("file 3") == b3(b"other")


def test_a_file_of_a_second_ago_is_read_again(root):
    memo = Memory()
    (root / "a").write_text("1")
    status = os.stat(root / "a")
    assert World(root, memo).token("file a") == b3(b"1")
    (root / "a").write_text("2")
    os.utime(root / "a", ns=(status.st_atime_ns, status.st_mtime_ns))
    assert World(root, memo).token("file a") == b3(b"2")
