"""What kind of file system it is, and what the system's errors come to."""

import errno
import os

import pytest

from stepwell.errors import DiskFull, StoreError, StoreReadOnly, TooManyFiles
from stepwell.stores import filesystem
from stepwell.stores.filesystem import is_local, kind_of, refusal

TABLE = r"""
sysfs /sys sysfs rw 0 0
/dev/sda1 / ext4 rw 0 0
server:/home /home nfs4 rw 0 0
tmpfs /home/me/fast tmpfs rw 0 0
//nas/data /mnt/my\040data cifs rw 0 0
sshfs#host: /mnt/ssh fuse.sshfs rw 0 0
/dev/sdb1 /mnt/ssh ext4 rw 0 0
broken
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/", "ext4"),
        ("/usr/x", "ext4"),
        ("/home", "nfs4"),
        ("/home/you", "nfs4"),
        ("/homes", "ext4"),
        ("/home/me/fast/.stepwell", "tmpfs"),
        ("/mnt/my data/x", "cifs"),
        ("/mnt/ssh/x", "ext4"),  # mounted over
    ],
)
def test_the_longest_and_latest_mount_point_counts(path, kind):
    assert filesystem._longest(path, TABLE) == kind


def test_this_machine_can_be_asked(tmp_path):
    assert is_local(kind_of(tmp_path))
    assert kind_of("/proc/self") == "proc" or os.uname().sysname == "Darwin"


@pytest.mark.parametrize(
    "kind",
    ["nfs", "nfs4", "cifs", "smb3", "fuse.sshfs", "fuseblk", "lustre", "gpfs", "9p", "virtiofs", "", "new"],
)
def test_only_what_is_known_to_be_local_is_local(kind):
    assert not is_local(kind)


@pytest.mark.parametrize(
    ("number", "error"),
    [
        (errno.ENOSPC, DiskFull),
        (errno.EDQUOT, DiskFull),
        (errno.EFBIG, DiskFull),
        (errno.EROFS, StoreReadOnly),
        (errno.EACCES, StoreReadOnly),
        (errno.EIO, StoreError),
    ],
)
def test_errors_say_what_to_do(number, error):
    found = refusal(OSError(number, os.strerror(number)), "/somewhere")
    assert type(found) is error
    assert "/somewhere" in found.what
    assert found.fixes


def test_where_no_more_files_are_opened(monkeypatch):
    for number, what in ((errno.EMFILE, "the limit of open files"), (errno.ENFILE, "the system has no room")):
        error = refusal(OSError(number, os.strerror(number)), "/store")
        assert isinstance(error, TooManyFiles)
        assert error.what.startswith(what)
    monkeypatch.setattr(os, "sysconf", lambda name: 4096)  # all of them in use
    assert refusal(OSError(errno.EMFILE, ""), "/store").fixes[0].startswith("ulimit -n 8192 ")
