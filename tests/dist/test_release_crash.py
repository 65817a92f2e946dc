"""A wheel gets its name as a whole: after a death, on a full disk, where two write it at once, and where nobody may."""

from __future__ import annotations

import fcntl
import os
import resource
import signal
import sys
from functools import partial

import pytest
from releases_by_hand import made_by_hand
from wheels_by_hand import in_child

from stepwell.dist.releases import archive
from stepwell.dist.releases.archive import packed, placed
from stepwell.dist.wheels import read
from stepwell.errors import BadWheel, CannotRelease, DiskFull
from stepwell.stores import durable

NAME = "churn-1.4.0-py3-none-any.whl"


@pytest.fixture(scope="module")
def data() -> bytes:
    made = made_by_hand()
    return packed(made.files, made.dist_info)


def dies(job, lines: int) -> bool:
    """Whether a child that is killed after so many lines of the code that writes did not come to the end."""
    homes = {archive.__file__, durable.__file__}

    def child() -> None:
        left = lines

        def line(_, event, __):
            nonlocal left
            left -= event == "line"
            if left <= 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return line

        sys.settrace(lambda frame, _, __: line if frame.f_code.co_filename in homes else None)
        job()

    ended = in_child(child)
    assert ended in (0, -signal.SIGKILL)
    return ended != 0


def test_after_a_death_there_is_all_of_it_or_nothing(tmp_path, data) -> None:
    found = []
    for lines in range(1, 1000):
        path = tmp_path / str(lines) / NAME
        if not dies(partial(placed, path, data), lines):
            break
        there = path.exists()
        assert not there or path.read_bytes() == data
        assert placed(path, data) is not there
        assert read(path).version == "1.4.0"
        found.append(there)
    assert sorted(found) == found, "once it has its name it keeps it"
    assert found.count(False) > 5
    assert True in found


def test_what_a_killed_process_left_is_removed_by_the_next_one(tmp_path, data) -> None:
    left, used, young = (tmp_path / f".stepwell-{name}" for name in ("left", "used", "young"))
    for folder in (left, used, young):
        folder.mkdir()
        (folder / NAME).write_bytes(b"half")
    for folder in (left, used):
        os.utime(folder, (1, 1))
    held = os.open(used, os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_EX)
    assert placed(tmp_path / NAME, data)
    os.close(held)
    assert {path.name for path in tmp_path.iterdir()} == {NAME, used.name, young.name}


@pytest.mark.parametrize("room", [0, 1, 1000])
def test_on_a_full_disk_there_is_nothing(tmp_path, data, room: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, hard))
    try:
        with pytest.raises(DiskFull):
            placed(tmp_path / "dist" / NAME, data)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list((tmp_path / "dist").iterdir()) == []
    assert placed(tmp_path / "dist" / NAME, data)


def test_a_name_that_is_taken_stays_what_it_is(tmp_path, data) -> None:
    (tmp_path / NAME).write_bytes(b"another")
    assert not placed(tmp_path / NAME, data)
    assert (tmp_path / NAME).read_bytes() == b"another"
    assert [path.name for path in tmp_path.iterdir()] == [NAME]


def test_where_there_can_be_no_folder_it_is_told(tmp_path, data) -> None:
    (tmp_path / "dist").write_text("a file", "utf-8")
    with pytest.raises(CannotRelease, match="cannot be written"):
        placed(tmp_path / "dist" / NAME, data)


def test_what_is_no_sound_wheel_gets_no_name(tmp_path, data) -> None:
    with pytest.raises(BadWheel):
        placed(tmp_path / NAME, data[:-1])
    assert list(tmp_path.iterdir()) == []


def test_of_many_who_write_it_at_once_one_has(tmp_path, data) -> None:
    children = []
    for _ in range(6):
        if (child := os.fork()) == 0:
            try:
                os._exit(10 + placed(tmp_path / NAME, data))
            except BaseException:
                os._exit(99)
        children.append(child)
    ends = sorted(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children)
    assert ends == [10, 10, 10, 10, 10, 11]
    assert (tmp_path / NAME).read_bytes() == data
    assert [path.name for path in tmp_path.iterdir()] == [NAME]
