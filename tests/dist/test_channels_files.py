"""The door to the files of an index, as whatever implements it must keep it; here for a folder."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from stepwell.dist.channels.files import ABSENT, Change
from stepwell.dist.channels.local import LocalFiles, _linked
from stepwell.errors import ChannelsUnusable, NoChannels


@pytest.fixture
def files(tmp_path):
    files = LocalFiles(tmp_path / "index")
    files.make()
    return files


def test_a_file_is_created_once(files):
    assert files.create("a/b/c.whl", [b"one ", b"two"])
    assert not files.create("a/b/c.whl", [b"other"])
    assert files.read("a/b/c.whl").data == b"one two"
    assert b"".join(files.blocks("a/b/c.whl")) == b"one two"
    assert not os.access(files.folder / "a/b/c.whl", os.W_OK) or os.geteuid() == 0
    assert (files.folder / "a/b/c.whl").stat().st_mode & 0o777 == 0o444


def test_a_name_that_a_file_got_although_the_answer_was_lost_is_its_own(files):
    """A server of files that did what it was asked, and is asked again, says that the name is taken."""
    (files.folder / "temporary").write_bytes(b"1")
    os.link(files.folder / "temporary", files.folder / "a.whl")
    assert _linked(str(files.folder / "temporary"), str(files.folder / "a.whl"))
    (files.folder / "another").write_bytes(b"1")
    assert not _linked(str(files.folder / "another"), str(files.folder / "a.whl"))


def test_what_fails_while_it_is_created_leaves_nothing(files):
    def blocks():
        yield b"half"
        raise ValueError("no more")

    with pytest.raises(ValueError, match="no more"):
        files.create("a.whl", blocks())
    assert files.read("a.whl") is None
    assert os.listdir(files.folder / ".tmp") == []


def test_a_file_is_replaced_only_if_it_is_the_one_that_was_read(files):
    assert files.replace([Change("a.log", b"1", ABSENT)]) == frozenset()
    assert files.replace([Change("a.log", b"2", ABSENT)]) == {"a.log"}
    first = files.read("a.log")
    assert files.replace([Change("a.log", b"12", first.token)]) == frozenset()
    assert files.replace([Change("a.log", b"13", first.token)]) == {"a.log"}
    assert files.read("a.log").data == b"12"
    assert files.read("a.log").token != first.token


def test_of_several_changes_the_first_decides(files):
    files.replace([Change("a.log", b"1", ABSENT)])
    token = files.read("a.log").token
    assert files.replace([Change("a.log", b"x", ABSENT), Change("b", b"x", ABSENT)]) == {"a.log", "b"}
    assert files.read("b") is None
    files.replace([Change("c", b"somebody's", ABSENT)])
    assert files.replace(
        [Change("a.log", b"2", token), Change("b", b"2", ABSENT), Change("c", b"2", ABSENT)]
    ) == {"c"}
    assert [files.read(name).data for name in ("a.log", "b", "c")] == [b"2", b"2", b"somebody's"]


def test_a_file_is_deleted_only_if_it_is_the_one_that_was_read(files):
    files.replace([Change("a/b/c", b"1", ABSENT)])
    assert not files.delete("a/b/c", ABSENT)
    assert not files.delete("a/b/c", "sha256:0")
    assert not files.delete("nothing", "sha256:0")
    assert files.delete("a/b/c", files.read("a/b/c").token)
    assert files.read("a/b/c") is None
    assert os.listdir(files.folder) in (
        ["." + name for name in order] for order in (("lock", "tmp"), ("tmp", "lock"))
    )


def test_names_are_those_of_files_below_a_folder(files):
    for name in ("b/2", "b/1/x", "a/1", "c"):
        files.create(name, [b""])
    (files.folder / "b" / ".hidden").write_text("")
    assert files.names("b") == ["b/1/x", "b/2"]
    assert files.names("") == ["a/1", "b/1/x", "b/2", "c"]
    assert files.names("nowhere") == []
    assert files.names("c") == []


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "a//b", "a/./b", "a/../../x", "a\0b", "a\\b", ""])
def test_no_name_leads_out(files, name):
    for call in (files.read, files.blocks, lambda name: files.create(name, [b""]), lambda name: files.delete(name, "x"), lambda name: files.replace([Change(name, b"", ABSENT)])):  # fmt: skip
        with pytest.raises(ChannelsUnusable):
            call(name)


def test_what_is_no_file_is_not_waited_for(files):
    os.mkfifo(files.folder / "a.log")
    (files.folder / "b.log").mkdir()
    (files.folder / "c.log").symlink_to("c.log")
    for name in ("a.log", "b.log", "c.log"):
        with pytest.raises(ChannelsUnusable, match="cannot be used"):
            files.read(name)


def test_a_folder_that_is_none(tmp_path):
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "nowhere", tmp_path / "file"):
        for call in (
            lambda files: files.read("x"),
            lambda files: files.names(""),
            lambda files: files.create("x", []),
        ):
            with pytest.raises(NoChannels):
                call(LocalFiles(folder))
    with pytest.raises(ChannelsUnusable):
        LocalFiles(tmp_path / "file" / "deeper").make()


COUNTS = """
import sys
from pathlib import Path
from stepwell.dist.channels.files import Change
from stepwell.dist.channels.local import LocalFiles
files = LocalFiles(Path(sys.argv[1]))
for _ in range(40):
    while True:
        held = files.read("count")
        if not files.replace([Change("count", b"%d" % (int(held.data) + 1), held.token)]):
            break
"""


def test_no_change_is_lost_among_processes(files):
    files.replace([Change("count", b"0", ABSENT)])
    command = [sys.executable, "-c", COUNTS, files.where]
    children = [subprocess.Popen(command) for _ in range(3)]
    assert [child.wait(60) for child in children] == [0, 0, 0]
    assert files.read("count").data == b"120"
