"""Files, globs and folders: which files they are, in which order, and what is said where there are none."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stepwell.errors import BadSource, EmptySource, MissingSource, UnreadableSource
from stepwell.sources.memo import Memory
from stepwell.sources.pin import check, hold, pin


def write(path: Path, data: bytes | str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return path


def names(uri: str, root: Path) -> list[str]:
    return [os.path.relpath(file, root) for file in pin(uri, root=root, memo=Memory()).files]


def fails(kind: type, uri: str, root: Path) -> str:
    with pytest.raises(kind) as caught:
        pin(uri, root=root, memo=Memory())
    text = str(caught.value)
    assert type(caught.value) is kind
    assert "Traceback" not in text
    return text


# ------------------------------------------------------------------ one file


def test_a_file_has_the_digest_of_its_bytes(tmp_path):
    from blake3 import blake3

    write(tmp_path / "a.csv", "x\n1\n")
    pinned = pin("a.csv", root=tmp_path, memo=Memory())
    assert pinned.digest == "b3:" + blake3(b"x\n1\n").hexdigest()
    assert pinned.files == (str(tmp_path / "a.csv"),)
    assert pinned.size == 4
    assert not pinned.changed


def test_absolute_paths_links_and_file_urls_are_the_same_file(tmp_path):
    write(tmp_path / "a b.csv", "1")
    (tmp_path / "link.csv").symlink_to("a b.csv")
    texts = ["a b.csv", str(tmp_path / "a b.csv"), "link.csv", "./a b.csv", f"file://{tmp_path}/a%20b.csv"]
    assert len({pin(uri, root=tmp_path, memo=Memory()).digest for uri in texts}) == 1


def test_the_root_may_be_relative_and_have_wildcards_in_its_name(tmp_path, monkeypatch):
    root = tmp_path / "proj [old]*"
    write(root / "data" / "a.csv", "1")
    assert names("data/*.csv", root) == ["data/a.csv"]
    monkeypatch.chdir(root)
    assert pin("data/a.csv", root=".", memo=Memory()).files == (str(root / "data" / "a.csv"),)


def test_a_missing_file_names_what_is_near(tmp_path):
    write(tmp_path / "data" / "flights.csv", "1")
    text = fails(MissingSource, "data/flihgts.csv", tmp_path)
    assert "did you mean `data/flights.csv`?" in text
    text = fails(MissingSource, "dta/flights.csv", tmp_path)
    assert "did you mean `data/flights.csv`?" in text
    assert str(tmp_path) in text
    write(tmp_path / "raw.py", "")
    assert "did you mean" not in fails(MissingSource, "raw/by_*.parquet", tmp_path)  # which is no folder
    fails(MissingSource, "nothing/like/it", tmp_path)


def test_a_file_is_no_folder(tmp_path):
    write(tmp_path / "a.csv", "1")
    assert "is a file, not a folder" in fails(MissingSource, "a.csv/", tmp_path)
    assert "is a file, not a folder" in fails(MissingSource, "a.csv/b.csv", tmp_path)


def test_a_link_to_nothing_says_so(tmp_path):
    (tmp_path / "a.csv").symlink_to("gone.csv")
    assert "is a link to `gone.csv`" in fails(MissingSource, "a.csv", tmp_path)


def test_a_link_to_itself_is_unreadable(tmp_path):
    (tmp_path / "a.csv").symlink_to("a.csv")
    fails(UnreadableSource, "a.csv", tmp_path)


@pytest.mark.parametrize("name", ["a.csv", "data/", "data/*.csv"])
def test_empty_sources_are_refused(tmp_path, name):
    (tmp_path / "data").mkdir()
    write(tmp_path / "a.csv", "")
    if "*" in name:
        write(tmp_path / "data" / "a.csv", "")
        write(tmp_path / "data" / "b.csv", "")
    assert "empty" in fails(EmptySource, name, tmp_path)


def test_one_empty_file_among_others_is_no_mistake(tmp_path):
    write(tmp_path / "d" / "_SUCCESS", "")
    write(tmp_path / "d" / "a.csv", "1")
    assert names("d", tmp_path) == ["d/_SUCCESS", "d/a.csv"]


def test_pipes_sockets_and_devices_are_refused_without_waiting(tmp_path):
    (tmp_path / "d").mkdir()
    os.mkfifo(tmp_path / "d" / "pipe")
    assert "is a pipe" in fails(UnreadableSource, "d/pipe", tmp_path)
    assert "is a pipe" in fails(UnreadableSource, "d/", tmp_path)
    assert "is a device" in fails(UnreadableSource, "/dev/zero", tmp_path)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "s"))
        assert "is a socket" in fails(UnreadableSource, "s", tmp_path)


def test_a_name_that_is_too_long_is_an_error_like_others(tmp_path):
    fails(UnreadableSource, "x" * 5000, tmp_path)


UNREADABLE = """
import blake3, difflib, encodings.unicode_escape, fnmatch, re, shlex  # later the interpreter may be out of reach
import os, sys
from pathlib import Path
from stepwell.errors import StepwellError
from stepwell.sources.memo import Memory
from stepwell.sources.pin import pin
root = Path(sys.argv[1])
memo = Memory()
for uri in ["open.csv"]:
    pin(uri, root=root, memo=memo)
if os.getuid() == 0:
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
for uri in sys.argv[2:]:
    try:
        pin(uri, root=root, memo=memo)
        print("READ", uri)
    except StepwellError as error:
        print(error.code, uri, "|", error)
"""


def test_files_without_permission_are_named(tmp_path):
    """Root may read everything, so the reading is done by a process that gave its privileges up."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:  # pytest's own folders are closed to others
        root = Path(folder)
        root.chmod(0o755)
        write(root / "open.csv", "1")
        write(root / "shut.csv", "1").chmod(0)
        write(root / "d" / "a.csv", "1")
        write(root / "d" / "b.csv", "1").chmod(0)
        write(root / "e" / "inner" / "a.csv", "1")
        (root / "e" / "inner").chmod(0)
        command = [
            sys.executable,
            "-c",
            UNREADABLE,
            folder,
            "shut.csv",
            "d",
            "d/*.csv",
            "e",
            "e/inner/a.csv",
            "e/**/*.csv",
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        (root / "e" / "inner").chmod(0o755)
    assert done.returncode == 0, done.stderr
    assert "READ" not in done.stdout
    assert done.stdout.count("E302") >= 6
    assert "d/b.csv` of `d` cannot be read" in done.stdout
    assert "permission denied" in done.stdout
    assert "chmod u+r" in done.stdout


# ------------------------------------------------------------------ folders


def test_a_folder_is_everything_below_it_sorted(tmp_path):
    for name in ["b.csv", "a/z.csv", "a/.hidden", "a-b.csv", ".dot/x", "a.csv"]:
        write(tmp_path / "d" / name, name)
    expected = [".dot/x", "a-b.csv", "a.csv", "a/.hidden", "a/z.csv", "b.csv"]
    assert names("d", tmp_path) == names("d/", tmp_path) == [f"d/{name}" for name in expected]


def test_the_store_and_byte_code_are_left_out(tmp_path):
    write(tmp_path / "d" / "a.csv", "1")
    before = pin("d", root=tmp_path, memo=Memory()).digest
    write(tmp_path / "d" / ".stepwell" / "store.db", "1")
    write(tmp_path / "d" / "sub" / "__pycache__" / "x.pyc", "1")
    assert pin("d", root=tmp_path, memo=Memory()).digest == before


@pytest.mark.parametrize("change", ["rename", "add", "remove", "edit", "move"])
def test_every_change_in_a_folder_is_a_change_of_it(tmp_path, change):
    write(tmp_path / "d" / "a.csv", "1")
    write(tmp_path / "d" / "b.csv", "2")
    before = pin("d", root=tmp_path, memo=Memory()).digest
    if change == "rename":
        (tmp_path / "d" / "a.csv").rename(tmp_path / "d" / "aa.csv")
    elif change == "add":
        write(tmp_path / "d" / "c.csv", "")
    elif change == "remove":
        (tmp_path / "d" / "b.csv").unlink()
    elif change == "edit":
        write(tmp_path / "d" / "b.csv", "3")
    else:
        (tmp_path / "d" / "s").mkdir()
        (tmp_path / "d" / "b.csv").rename(tmp_path / "d" / "s" / "b.csv")
    assert pin("d", root=tmp_path, memo=Memory()).digest != before


def test_empty_folders_count_by_name(tmp_path, memo):
    write(tmp_path / "d/a.csv", "1")
    seen = [pin("d", root=tmp_path, memo=memo).digest]
    for name in ("d/x", "d/y", "d/x/deep"):
        (tmp_path / name).mkdir()
        seen.append(pin("d", root=tmp_path, memo=memo).digest)
    (tmp_path / "d/x/deep").rmdir()
    assert pin("d", root=tmp_path, memo=memo).digest == seen[2]
    (tmp_path / "d/y").rename(tmp_path / "d/z")
    seen.append(pin("d", root=tmp_path, memo=memo).digest)
    assert len(set(seen)) == 5
    held = hold("d", seen[-1], root=tmp_path, memo=memo)
    assert check(held, root=tmp_path, memo=memo)
    (tmp_path / "d/made").mkdir()
    assert not check(held, root=tmp_path, memo=memo)


def test_a_folder_that_was_moved_is_the_same(tmp_path):
    write(tmp_path / "d" / "a.csv", "1")
    before = pin("d", root=tmp_path, memo=Memory()).digest
    (tmp_path / "d").rename(tmp_path / "e")
    assert pin("e", root=tmp_path, memo=Memory()).digest == before
    assert pin("e/*.csv", root=tmp_path, memo=Memory()).digest == before


def test_the_digest_of_a_listing_is_fixed(tmp_path):
    """Golden: a change here makes every cached result of a folder or a glob unknown."""
    write(tmp_path / "d" / "a.csv", "1")
    write(tmp_path / "d" / "b" / "ü.csv", "2")
    (tmp_path / "d" / "b" / "up").symlink_to("..")
    assert pin("d", root=tmp_path, memo=Memory()).digest == GOLDEN


def test_links_to_folders_are_followed_and_loops_end(tmp_path):
    write(tmp_path / "other" / "x.csv", "1")
    write(tmp_path / "d" / "a.csv", "1")
    (tmp_path / "d" / "there").symlink_to("../other")
    (tmp_path / "other" / "back").symlink_to("../d")
    (tmp_path / "d" / "self").symlink_to(".")
    (tmp_path / "d" / "up").symlink_to("..")
    assert names("d", tmp_path) == ["d/a.csv", "d/there/x.csv"]
    assert names("d/**/*.csv", tmp_path) == ["d/a.csv", "d/there/x.csv"]
    assert names("d/**/there/*.csv", tmp_path) == ["d/there/x.csv"]


def test_a_loop_counts_by_where_it_leads(tmp_path):
    write(tmp_path / "d" / "s" / "a.csv", "1")
    (tmp_path / "d" / "s" / "loop").symlink_to("..")
    before = pin("d", root=tmp_path, memo=Memory()).digest
    (tmp_path / "d" / "s" / "loop").unlink()
    (tmp_path / "d" / "s" / "loop").symlink_to(".")
    assert pin("d", root=tmp_path, memo=Memory()).digest != before


def test_a_link_to_nothing_in_a_folder_is_named(tmp_path):
    write(tmp_path / "d" / "a.csv", "1")
    (tmp_path / "d" / "b.csv").symlink_to("gone")
    assert "d/b.csv` of `d` is a link to `gone`" in fails(UnreadableSource, "d", tmp_path)


def test_deep_folders_are_no_problem(tmp_path):
    deep = tmp_path / "d" / "/".join("x" * 200)
    write(deep / "a.csv", "1")
    assert len(names("d", tmp_path)) == len(names("d/**/*.csv", tmp_path)) == 1


# ------------------------------------------------------------------ globs


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in ["data/b.csv", "data/a.csv", "data/x.txt", "data/sub/c.csv", "data/sub/deep/d.csv", "data/.h.csv",
                 "data/.hid/e.csv", "data/sub/.f.csv", "data/[odd].csv", "data/d.csv/inside.csv"]:  # fmt: skip
        write(tmp_path / name, name)
    return tmp_path


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("data/*.csv", ["[odd].csv", "a.csv", "b.csv"]),
        ("data/?.csv", ["a.csv", "b.csv"]),
        ("data/[a]*.csv", ["a.csv"]),
        ("data/[!a].csv", ["b.csv"]),
        ("data/[odd].csv", ["[odd].csv"]),
        ("data/.*.csv", [".h.csv"]),
        ("data/*/*.csv", ["d.csv/inside.csv", "sub/c.csv"]),
        ("data/**/*.csv", ["[odd].csv", "a.csv", "b.csv", "d.csv/inside.csv", "sub/c.csv", "sub/deep/d.csv"]),
        ("data/**/.*.csv", [".h.csv", "sub/.f.csv"]),
        ("data/**/**/c.csv", ["sub/c.csv"]),
        (
            "data/**",
            ["[odd].csv", "a.csv", "b.csv", "d.csv/inside.csv", "sub/c.csv", "sub/deep/d.csv", "x.txt"],
        ),
        ("data/**/deep/*", ["sub/deep/d.csv"]),
        ("da*/sub/*.csv", ["sub/c.csv"]),
        ("data/.hid/*", [".hid/e.csv"]),
    ],
)
def test_globs_match_files_as_a_shell_does(tree, pattern, expected):
    assert names(pattern, tree) == [f"data/{name}" for name in expected]


def test_globs_agree_with_the_standard_library(tree):
    import glob

    for pattern in ["data/*.csv", "data/**/*.csv", "**/*.csv", "data/*/*", "**/c.csv", "*/**/d*"]:
        expected = {p for p in glob.glob(str(tree / pattern), recursive=True) if os.path.isfile(p)}
        assert {str(tree / name) for name in names(pattern, tree)} == expected, pattern


def test_no_match_says_what_is_there_and_what_was_meant(tree):
    text = fails(MissingSource, "data/*.cvs", tree)
    assert "did you mean `data/*.csv`?" in text
    assert "a.csv" in text
    assert "did you mean `data/*.csv`?" in fails(MissingSource, "dat/*.csv", tree)
    assert "would match folders" in fails(BadSource, "data/*/", tree)
    (tree / "only" / "folders").mkdir(parents=True)
    write(tree / "only" / "folders" / "x.csv", "1")
    assert "`only/**/*.csv` looks into folders" in fails(MissingSource, "only/*.csv", tree)


# ------------------------------------------------------------------ names


ODD = [
    b"with space",
    b"new\nline",
    b"quote'\"",
    b"-rf",
    b"\xff\xfe",
    "größe".encode(),
    b"\x1b[31m",
    b"a\\b",
    b"*",
    b"~",
]


def test_odd_names_are_read_and_told_apart(tmp_path):
    folder = os.fsencode(tmp_path) + b"/d"
    os.mkdir(folder)
    for i, name in enumerate(ODD):
        with open(folder + b"/" + name, "wb") as file:
            file.write(str(i).encode())
    memo = Memory()
    pinned = pin("d", root=tmp_path, memo=memo)
    assert {os.path.basename(os.fsencode(file)) for file in pinned.files} == set(ODD)
    for file in pinned.files:
        assert pin(file, root=tmp_path, memo=memo).files == (file,)


def test_errors_never_print_control_characters(tmp_path):
    name = os.fsdecode(b"d/\x1b[31m\xff")
    os.mkdir(tmp_path / "d")
    os.symlink("\x1bgone", tmp_path / name)
    for uri in ("d", name, name + "x", "\x1b*"):
        with pytest.raises((MissingSource, UnreadableSource)) as caught:
            pin(uri, root=tmp_path, memo=Memory())
        assert "\x1b" not in str(caught.value)
        str(caught.value).encode()


@settings(max_examples=40, deadline=None)
@given(st.dictionaries(st.binary(min_size=1, max_size=12).filter(lambda n: not set(n) & {0, 47} and n not in (b".", b"..")),
                       st.binary(min_size=1, max_size=4), min_size=1, max_size=5))  # fmt: skip
def test_any_names_give_a_digest_that_depends_on_all_of_them(tmp_path_factory, files):
    root = tmp_path_factory.mktemp("any")
    folder = os.fsencode(root) + b"/d/"
    os.mkdir(folder)
    for name, data in files.items():
        with open(folder + name, "wb") as file:
            file.write(data)
    memo = Memory()
    first = pin("d", root=root, memo=memo)
    assert first.digest == pin("d", root=root, memo=memo).digest
    assert list(first.names) == sorted(first.names)
    name = next(iter(files))
    os.rename(folder + name, folder + name + b"x")
    if name + b"x" not in files:
        assert pin("d", root=root, memo=memo).digest != first.digest


GOLDEN = "b3:f9edb9a1460f016f747a099da1c5a39bb58b4d56292ebccaba0bc811f62ac826"
