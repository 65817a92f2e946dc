"""Wheels: what honest ones say, and every way in which others deceive."""

from __future__ import annotations

import hashlib
import os
import random
import stat
import struct
import sysconfig
import zipfile
from pathlib import Path

import pytest
from wheels_by_hand import WHEEL, files_of, packed, record_of, wheel

from stepwell.dist.wheels import read
from stepwell.errors import BadWheel, StepwellError

NAME = "churn-1.4.0-py3-none-any.whl"
INFO = "churn-1.4.0.dist-info"


def test_a_wheel_says_what_it_is(tmp_path):
    path = wheel(tmp_path, "flights-delay", "1.4.0rc1")
    found = read(path)
    assert (found.project, found.name, found.version) == ("flights-delay", "flights-delay", "1.4.0rc1")
    assert found.file == "flights_delay-1.4.0rc1-py3-none-any.whl"
    assert found.requires_python == ">=3.9"
    assert found.sha256 == f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"
    assert found.size == path.stat().st_size
    assert b"Name: flights-delay\n" in found.metadata
    assert found.dist_info == "flights_delay-1.4.0rc1.dist-info"
    assert "flights_delay/__init__.py" in found.names


def test_wheels_that_others_built_are_read():
    """pip's own, which every Python brings: written by other programs than ours."""
    bundled = sorted(Path(sysconfig.get_path("stdlib"), "ensurepip", "_bundled").glob("*.whl"))
    assert bundled
    for path in bundled:
        assert read(path).project in {"pip", "setuptools"}


def refused(path) -> str:
    with pytest.raises(BadWheel) as caught:
        read(path)
    error = caught.value
    assert error.fixes
    assert all(line.isprintable() for line in str(error).splitlines())
    return f"{error.what} {error.why}"


def with_record(files):
    return [*files.items(), (f"{INFO}/RECORD", record_of(files, INFO))]


def made(tmp_path, change) -> Path:
    """A wheel whose files were changed before RECORD was made."""
    files = files_of()
    change(files)
    return packed(tmp_path / NAME, with_record(files))


def test_what_is_no_wheel(tmp_path):
    other = tmp_path / NAME
    assert "cannot be read" in refused(other)
    other.write_bytes(b"")
    assert "not a zip" in refused(other)
    other.write_bytes(b"PK\5\6" + bytes(18))
    assert ".dist-info" in refused(other)
    other.write_bytes(random.Random(1).randbytes(5000))
    assert "not a zip" in refused(other)
    other.unlink()
    other.mkdir()
    assert "not a file" in refused(other)
    other.rmdir()
    os.mkfifo(other)
    assert "not a file" in refused(other)


@pytest.mark.parametrize(
    "name",
    ["churn.whl", "churn-1.4.0.zip", "churn-x-py3-none-any.whl", "..-1-py3-none-any.whl", "churn-1.4.0-py3-none-any.whl\n",
     "chürn-1.4.0-py3-none-any.whl", "churn-1.4.0-py3-none.whl", "churn-1.4.0-x-py3-none-any.whl"],
)  # fmt: skip
def test_names_of_files_that_installers_would_not_understand(tmp_path, name):
    said = refused(wheel(tmp_path).rename(tmp_path / name))
    assert "the name of a wheel" in said or "is not a version" in said


@pytest.mark.parametrize("path", ["../../etc/cron.d/x", "/etc/passwd", "churn/../../x", "churn\\..\\x", "C:/x", "churn//x", "./x", "churn/\x1b[31m", "churn/\u202egnp.exe"])  # fmt: skip
def test_paths_that_leave_the_folder(tmp_path, path):
    said = refused(made(tmp_path, lambda files: files.update({path: b"x"})))
    assert "outside" in said or "differently" in said


def test_two_files_of_one_name(tmp_path):
    files = with_record(files_of())
    with pytest.warns(UserWarning, match="Duplicate"):
        path = packed(tmp_path / NAME, [("churn/__init__.py", b"import os"), *files])
    assert "twice" in refused(path)


def test_two_dist_infos_and_none(tmp_path):
    assert "2 .dist-info" in refused(made(tmp_path, lambda files: files.update({"evil-1.0.dist-info/METADATA": b"Name: evil"})))  # fmt: skip
    assert "0 .dist-info" in refused(packed(tmp_path / NAME, [("churn/__init__.py", b"")]))


@pytest.mark.parametrize(
    ("metadata", "said"),
    [
        ("Metadata-Version: 2.1\nName: other\nVersion: 1.4.0\n", "other 1.4.0"),
        ("Metadata-Version: 2.1\nName: churn\nVersion: 1.4.1\n", "churn 1.4.1"),
        ("Metadata-Version: 2.1\nName: churn\nName: evil\nVersion: 1.4.0\n", "2 fields Name"),
        ("Metadata-Version: 2.1\nName: churn\n", "0 fields Version"),
        ("Metadata-Version: 2.1\nName: ../x\nVersion: 1.4.0\n", "not a name"),
        (
            'Metadata-Version: 2.1\nName: churn\nVersion: 1.4.0\nRequires-Python: "><script>\n',
            "Requires-Python",
        ),
        ("", "0 fields"),
    ],
)
def test_metadata_that_does_not_agree(tmp_path, metadata, said):
    assert said in refused(
        made(tmp_path, lambda files: files.update({f"{INFO}/METADATA": metadata.encode()}))
    )


def test_metadata_that_is_missing_or_no_text(tmp_path):
    assert "no `churn-1.4.0.dist-info/METADATA`" in refused(
        made(tmp_path, lambda files: files.pop(f"{INFO}/METADATA"))
    )
    assert "UTF-8" in refused(made(tmp_path, lambda files: files.update({f"{INFO}/METADATA": b"\xff\xfe"})))
    assert "Wheel-Version" in refused(made(tmp_path, lambda files: files.update({f"{INFO}/WHEEL": WHEEL.replace("1.0", "2.0").encode()})))  # fmt: skip


def test_a_record_that_does_not_agree(tmp_path):
    files = files_of()
    changed = {**files, "churn/__init__.py": b"import os\n"}
    record = (f"{INFO}/RECORD", record_of(files, INFO))
    assert "changed after" in refused(packed(tmp_path / NAME, [*changed.items(), record]))
    assert "does not have" in refused(
        packed(tmp_path / NAME, [*files.items(), ("churn/more.py", b""), record])
    )
    fewer = [item for item in files.items() if item[0] != "churn/__init__.py"]
    assert "not there" in refused(packed(tmp_path / NAME, [*fewer, record]))
    assert "no `churn-1.4.0.dist-info/RECORD`" in refused(packed(tmp_path / NAME, list(files.items())))
    assert "three columns" in refused(packed(tmp_path / NAME, [*files.items(), (f"{INFO}/RECORD", b"a,b\n")]))


def test_a_bomb_is_not_unpacked(tmp_path):
    assert "would unpack" in refused(
        made(tmp_path, lambda files: files.update({"churn/zeros": bytes(70 << 20)}))
    )


def test_entries_that_share_their_bytes(tmp_path):
    """Fifield's bomb: many entries of the directory, one content."""
    path = packed(tmp_path / NAME, with_record(files_of()))
    data = bytearray(path.read_bytes())
    start = struct.unpack_from("<L", data, len(data) - 6)[0]
    first = struct.unpack_from("<L", data, start + 42)[0]
    second = start + 46 + struct.unpack_from("<H", data, start + 28)[0]
    struct.pack_into("<L", data, second + 42, first)
    path.write_bytes(data)
    assert "another file too" in refused(path) or "two ways" in refused(path)


def test_bytes_around_the_archive(tmp_path):
    good = packed(tmp_path / "good.zip", with_record(files_of())).read_bytes()
    path = tmp_path / NAME
    for data in (b"#!/bin/sh\n" + good, good + b"x", good + good, good[:-1], good[: len(good) // 2]):
        path.write_bytes(data)
        refused(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.comment = b"PK\5\6" + bytes(18)
    refused(path)


def test_what_is_said_twice_in_two_ways(tmp_path):
    path = packed(tmp_path / NAME, with_record(files_of()))
    data = bytearray(path.read_bytes())
    struct.pack_into("<L", data, 18, 1)  # the size that precedes the first file
    path.write_bytes(data)
    assert "two ways" in refused(path)


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR])
def test_links_and_devices(tmp_path, kind):
    files, info = files_of(), zipfile.ZipInfo("churn/link")
    info.external_attr = (kind | 0o777) << 16
    files["churn/link"] = b"/etc/passwd"
    entries = [(info if name == "churn/link" else name, data) for name, data in with_record(files)]
    assert "neither a file" in refused(packed(tmp_path / NAME, entries))


def test_any_flipped_byte_is_seen_or_harmless(tmp_path):
    """No byte of a wheel can be changed so that another content is read: an error of ours, or the same files."""
    good = wheel(tmp_path)
    data, before = good.read_bytes(), read(good)
    path = tmp_path / "flipped" / NAME
    path.parent.mkdir()
    seen = 0
    for at in range(0, len(data), 5):
        path.write_bytes(data[:at] + bytes([data[at] ^ 0x41]) + data[at + 1 :])
        try:
            found = read(path)
        except StepwellError:
            seen += 1
        else:
            assert (found.metadata, found.names) == (before.metadata, before.names)
    assert seen > len(data) // 5 // 2
