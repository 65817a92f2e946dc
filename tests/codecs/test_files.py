"""Files and folders that a step made."""

import json
import os
import threading
from pathlib import Path

import pytest

from stepwell.codecs import choose, files
from stepwell.errors import CannotDecode, CannotEncode


@pytest.fixture
def made(tmp_path):
    """A folder with all that a folder may have."""
    top = tmp_path / "out"
    (top / "a" / "b").mkdir(parents=True)
    (top / "hollow").mkdir()
    (top / "a" / "one.csv").write_text("x\n1\n")
    (top / "a" / "b" / "zwei é.txt").write_bytes(b"\x00\x01")
    (top / "empty").touch()
    (top / "run.sh").write_text("#!/bin/sh\n")
    (top / "run.sh").chmod(0o755)
    (top / "latest.csv").symlink_to("a/one.csv")
    return top


def test_a_file_keeps_its_name_and_content(box, tmp_path):
    path = tmp_path / "model.v1.onnx"
    path.write_bytes(b"weights")
    dumped = box.dump(path)
    assert dumped.codec == "path"
    assert dumped.note == "model.v1.onnx, 7 bytes"
    back = box.load(dumped.data, "path")
    assert isinstance(back, Path)
    assert back.name == "model.v1.onnx"
    assert back.read_bytes() == b"weights"
    assert back.is_relative_to(box.folder / "files")
    assert back.stat().st_mode & 0o222 == 0
    path.unlink()
    assert box.trip(back) == back


def test_the_manifest_is_readable_and_tells_no_place_nor_time(box, tmp_path):
    for folder in ("x", "y"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.txt").write_text("same")
        os.utime(tmp_path / folder / "a.txt", (len(folder) * 5, 7))
    one, other = box.dump(tmp_path / "x" / "a.txt"), box.dump(tmp_path / "y" / "a.txt")
    assert one.data == other.data
    found = json.loads(one.data)
    assert found["file"] == "a.txt"
    assert found["part"].startswith("b3:")
    assert len(found["part"]) == 67


def test_a_folder(box, made):
    dumped = box.dump(made)
    assert dumped.note == "out/, 5 files, 20 bytes"
    back = box.load(dumped.data, "path")
    assert back.name == "out"
    found = {path.relative_to(back).as_posix() for path in back.rglob("*")}
    assert found == {path.relative_to(made).as_posix() for path in made.rglob("*")}
    assert (back / "a" / "b" / "zwei é.txt").read_bytes() == b"\x00\x01"
    assert (back / "latest.csv").read_text() == "x\n1\n"
    assert not (back / "latest.csv").is_symlink()
    assert os.access(back / "run.sh", os.X_OK)
    assert not (back / "a" / "one.csv").stat().st_mode & 0o100
    assert box.load(dumped.data, "path") == back


def test_an_empty_folder(box, tmp_path):
    (tmp_path / "nothing").mkdir()
    back = box.trip(tmp_path / "nothing")
    assert back.is_dir()
    assert list(back.iterdir()) == []


def test_names_that_are_not_utf8(box, tmp_path):
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.bin"))
    try:
        path.write_bytes(b"1")
    except OSError:
        pytest.skip("this file system has only UTF-8 names")
    assert box.trip(path).read_bytes() == b"1"


def test_a_link_to_a_file_is_that_file(box, tmp_path):
    (tmp_path / "real.txt").write_text("r")
    (tmp_path / "link.txt").symlink_to("real.txt")
    assert box.trip(tmp_path / "link.txt").name == "link.txt"


def test_a_relative_path(box, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("rel.txt").write_text("r")
    assert box.trip(Path("rel.txt")).read_text() == "r"
    assert box.trip(Path()).name == tmp_path.name


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda top: top / "nowhere", "does not exist"),
        (lambda top: (top / "l").symlink_to("nowhere") or top / "l", "link to nothing"),
        (lambda top: (top / "d" / "l").symlink_to("nowhere") or top / "d", "link to nothing"),
        (lambda top: (top / "d" / "l").symlink_to("/etc/passwd") or top / "d", "out of the folder"),
        (lambda top: (top / "d" / "l").symlink_to(top / "d") or top / "d", "link to a folder"),
        (lambda top: (top / "d" / "l").symlink_to("l") or top / "d", "l"),
        (lambda top: os.mkfifo(top / "p") or top / "p", "neither"),
        (lambda top: os.mkfifo(top / "d" / "p") or top / "d", "not a plain file"),
        (lambda top: (top / "d" / ".stepwell").mkdir() or top / "d", "store"),
    ],
    ids=[
        "missing",
        "dangling",
        "dangling inside",
        "outside",
        "folder link",
        "loop",
        "pipe",
        "pipe inside",
        "store",
    ],
)
def test_refused(box, tmp_path, make, text):
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "ok").touch()
    with pytest.raises(CannotEncode) as caught:
        box.dump(make(tmp_path))
    assert text in caught.value.what
    assert caught.value.fixes


def damage_content(path):
    path.chmod(0o644)
    path.write_bytes(b"W" * path.stat().st_size)


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.unlink(),
        lambda path: (path.unlink(), path.write_bytes(b"same s!")),
        lambda path: (path.unlink(), path.mkdir()),
        lambda path: (path.unlink(), path.symlink_to("/etc/passwd")),
        lambda path: (path.unlink(), path.write_bytes(b"longer than it was")),
    ],
    ids=["gone", "same size", "folder", "link", "longer"],
)
def test_what_was_damaged_is_made_again(box, tmp_path, damage):
    path = tmp_path / "data.bin"
    path.write_bytes(b"content")
    data = box.dump(path).data
    back = box.load(data, "path")
    damage(back)
    assert box.load(data, "path") == back
    assert back.read_bytes() == b"content"
    assert not [p for p in (box.folder / "files").iterdir() if p.name.startswith(".")]


def test_a_folder_that_was_added_to_is_made_again(box, made):
    data = box.dump(made).data
    back = box.load(data, "path")
    (back / "more").touch()
    box.load(data, "path")
    assert not (back / "more").exists()


def test_a_copy_where_links_are_impossible(box, tmp_path, monkeypatch):
    def refuse(*_args, **_kwargs):
        raise OSError(18, "cross-device")

    monkeypatch.setattr(files.os, "link", refuse)
    path = tmp_path / "copied.bin"
    path.write_bytes(b"copied")
    data = box.dump(path).data
    back = box.load(data, "path")
    assert back.stat().st_mtime == files.STAMP
    inode = back.stat().st_ino
    assert box.load(data, "path").stat().st_ino == inode
    damage_content(back)
    assert box.load(data, "path").read_bytes() == b"copied"


def test_many_at_once(box, made):
    data = box.dump(made).data
    import shutil

    home = box.load(data, "path").parent
    shutil.rmtree(home)
    found, failed = [], []

    def load():
        try:
            found.append(choose.load(box.blob(data), "path"))
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=load) for _ in range(8)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert not failed
    assert len(set(found)) == 1
    assert (found[0] / "a" / "one.csv").read_text() == "x\n1\n"
    assert not [p for p in (box.folder / "files").iterdir() if p.name.startswith(".")]


part = "b3:" + "0" * 64


@pytest.mark.parametrize(
    "manifest",
    [
        5, {}, {"file": "../x", "part": part, "size": 1, "exec": False}, {"file": "a/b", "part": part, "size": 1, "exec": False},
        {"file": "", "part": part, "size": 1, "exec": False}, {"file": "..", "part": part, "size": 1, "exec": False},
        {"file": "a\0b", "part": part, "size": 1, "exec": False}, {"file": 5, "part": part, "size": 1, "exec": False},
        {"file": "a", "part": 5, "size": 1, "exec": False}, {"folder": "a", "files": [["../b", part, 1, False]], "empty": []},
        {"folder": "a", "files": [["/etc/b", part, 1, False]], "empty": []}, {"folder": "a", "files": [["x", part]], "empty": []},
        {"folder": "a", "files": [], "empty": ["../../x"]}, {"folder": "a", "files": 5, "empty": []},
    ],
    ids=range(14),
)  # fmt: skip
def test_malformed(box, manifest):
    with pytest.raises(CannotDecode):
        box.load(json.dumps(manifest).encode(), "path")
