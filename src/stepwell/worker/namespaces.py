"""Linux namespaces by the C library: a process that leaves the machine's files and network for private ones.

    why = unavailable()         # "" where it can be done; tried in a process of its own
    world = leave()             # from here on `/` is an empty tmpfs, the old root is at OUTSIDE
    world.show("/usr")          # the same folder of the machine, read-only
    world.seal()                # the old root is gone but for a descriptor
    world.exists("/etc/hosts")  # outside

Everything is undone by the kernel when the last process in the namespaces ends. The superuser needs
no user namespace, anyone else gets one in which their own id is the only one. `ctypes` throughout,
since `os.unshare` exists from Python 3.12 on and the others not at all. Needs Linux 5.12
(`mount_setattr`, which makes whole trees read-only at once).
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import socket
import struct
import subprocess
import sys
from functools import cache
from typing import Any

from stepwell.worker.boot import reason_in

OUTSIDE = "/.outside"
"""Where the machine's root is while the private one is furnished."""

_NEWNS, _NEWIPC, _NEWUSER, _NEWNET = 0x20000, 0x8000000, 0x10000000, 0x40000000
_NOSUID, _NODEV, _BIND, _REC, _PRIVATE = 2, 4, 4096, 16384, 1 << 18
_DETACH = 2
_OPEN_TREE, _OPENAT2, _MOUNT_SETATTR = 428, 437, 442  # the same on every processor
_AT_FDCWD, _RECURSIVE, _CLONE_TREE, _RDONLY = -100, 0x8000, 1, 1
_IN_ROOT = 0x10
_O_PATH = 0o10000000
_CAPABILITIES = 0x20080522

COUNTERS = (
    "IpOutNoRoutes",
    "Ip6OutNoRoutes",
    "UdpNoPorts",
    "Udp6NoPorts",
    "TcpAttemptFails",
    "TcpPassiveOpens",
)
"""What the kernel counts of attempts to reach somebody who is not there, and of connections taken inside."""


class World:
    """A private root that is being furnished, and the descriptor by which the machine's own is still known."""

    def __init__(self) -> None:
        self._outside = -1

    def scratch(self, path: str, mode: int) -> None:
        """An empty folder that can be written and is gone with the process."""
        make_place(path, folder=True)
        _mount("tmpfs", path, "tmpfs", _NOSUID | _NODEV, f"mode={mode:o}")

    def show(self, path: str, *, writable: bool = False) -> None:
        """A file or folder of the machine, with everything below it, at the same path."""
        source = OUTSIDE + path
        make_place(path, folder=os.path.isdir(source))
        _mount(source, path, None, _BIND | _REC)
        if not writable:
            _make_readonly(path, _RECURSIVE)

    def cover(self, path: str) -> None:
        """An empty file in place of a file."""
        _mount(f"{OUTSIDE}/dev/null", path, None, _BIND)

    def seal(self, *, writable: bool = False) -> None:
        """Let go of the machine's root, but for a descriptor, and of every privilege that this took.

        Unless `writable`, nothing can be made from now on but in scratch folders and those shown as writable.
        """
        flags = _CLONE_TREE | os.O_CLOEXEC | _RECURSIVE
        self._outside = _system(_OPEN_TREE, _AT_FDCWD, os.fsencode(OUTSIDE), flags)
        _call("umount2", os.fsencode(OUTSIDE), _DETACH)
        os.rmdir(OUTSIDE)
        if not writable:
            _make_readonly("/", 0)
        if os.geteuid() != 0:
            _drop_capabilities()

    def at(self, path: str) -> str:
        """A name by which this process can reach a path of the machine. Absolute links in it are not followed."""
        return f"/proc/self/fd/{self._outside}{path}"

    def exists(self, path: str) -> bool:
        """Whether an absolute path is there on the machine."""
        fd = self._open(path, _O_PATH)
        if fd >= 0:
            os.close(fd)
        return fd >= 0

    def names(self, path: str) -> list[str] | None:
        """The sorted names in a folder of the machine; None where it is none, or cannot be read."""
        fd = self._open(path, os.O_RDONLY | os.O_DIRECTORY)
        if fd < 0:
            return None
        try:
            return sorted(os.listdir(fd))
        finally:
            os.close(fd)

    def _open(self, path: str, flags: int) -> int:
        how = struct.pack("QQQ", flags | os.O_CLOEXEC, 0, _IN_ROOT)
        try:
            return _system(_OPENAT2, self._outside, os.fsencode(path), how, len(how))
        except OSError:  # absent, forbidden, a loop of links, or a step closed the descriptor
            return -1


def leave() -> World:
    """Move this process, which must have one thread, to namespaces of its own. Raises `OSError`.

    Mounts, network and System V memory are its own from now on; of the network there is only
    loopback. `/` is empty but for OUTSIDE.
    """
    _unshare(_NEWNS | _NEWNET | _NEWIPC)
    _mount(None, "/", None, _REC | _PRIVATE)
    place = next(folder for folder in ("/tmp", "/mnt", "/proc") if os.path.isdir(folder))  # noqa: S108
    _mount("tmpfs", place, "tmpfs", _NOSUID | _NODEV, "mode=755")
    os.mkdir(place + OUTSIDE)
    _call("pivot_root", os.fsencode(place), os.fsencode(place + OUTSIDE))
    os.chdir("/")
    _raise_loopback()
    return World()


def close_network() -> str:
    """Move this process, which must have one thread, to a network of its own, of which there is only loopback.

    What it starts is there, too. Files stay as they are. Gives why that was refused, or "".
    """
    if sys.platform != "linux":
        return f"it needs the namespaces of Linux, and this is {sys.platform}"
    try:
        _unshare(_NEWNET)
        _raise_loopback()
    except OSError as error:
        return f"`{error.filename or 'the C library'}` was refused: {error.strerror}"
    return ""


def make_place(path: str, *, folder: bool) -> None:
    """Make the file or folder onto which something is mounted, unless it is there."""
    if os.path.lexists(path):
        return
    os.makedirs(path if folder else os.path.dirname(path), exist_ok=True)
    if not folder:
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o644))


def traffic() -> dict[str, int]:
    """The kernel's `COUNTERS` of this network namespace."""
    found: dict[str, int] = {}
    with open("/proc/self/net/snmp", encoding="utf-8") as file:
        lines = file.read().splitlines()
    for names, numbers in zip(lines[::2], lines[1::2], strict=True):
        kind, _, rest = names.partition(":")
        values = numbers.split()[1:]
        found.update(zip((kind + name for name in rest.split()), map(int, values), strict=True))
    with contextlib.suppress(FileNotFoundError), open("/proc/self/net/snmp6", encoding="utf-8") as file:
        found.update((name, int(number)) for name, number in map(str.split, file))
    return {name: found.get(name, 0) for name in COUNTERS}


@cache
def unavailable() -> str:
    """Why steps cannot run in namespaces on this machine, or "". Tried once, in a process of its own."""
    if sys.platform != "linux":
        return f"it needs the namespaces of Linux, and this is {sys.platform}"
    path = [entry for entry in sys.path if entry]
    program = f"import sys; sys.path[:] = {path!r}; from stepwell.worker.namespaces import probe; probe()"
    done = subprocess.run(
        [sys.executable, "-P", "-c", program], capture_output=True, text=True, errors="replace", check=False
    )
    if done.returncode == 0:
        return ""
    return done.stdout.strip() or reason_in(done.stderr) or "the trial ended without a word"


def probe() -> None:
    """The trial: does all that a worker does. Exit code 0, or 1 with the reason on standard output."""
    try:
        world = leave()
        for path in ("/usr", "/proc"):
            world.show(path, writable=path == "/proc")
        world.scratch("/tmp", 0o1777)  # noqa: S108
        world.seal()
        traffic()
        if not world.exists("/usr"):
            raise OSError(0, "the machine's files cannot be looked at", "openat2")
    except OSError as error:
        sys.stdout.write(f"`{error.filename or 'the C library'}` was refused: {error.strerror}\n")
        sys.stdout.flush()
        os._exit(1)


# ---------------------------------------------------------------------------- calls


def _unshare(flags: int) -> None:
    uid, gid = os.geteuid(), os.getegid()
    if uid == 0:
        try:
            _call("unshare", flags)
        except PermissionError:  # the superuser of a container that was given few rights
            flags |= _NEWUSER
        else:
            return
    _call("unshare", flags | _NEWUSER)
    for name, text in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
        with open(f"/proc/self/{name}", "w", encoding="utf-8") as file:
            file.write(text)


def _raise_loopback() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as link:
        fcntl.ioctl(link, 0x8914, struct.pack("16sh22x", b"lo", 1))  # SIOCSIFFLAGS, IFF_UP


def _drop_capabilities() -> None:
    """Those of the user namespace: else a step could open its own files whatever their modes say."""
    _call("capset", struct.pack("Ii", _CAPABILITIES, 0), struct.pack("6I", *[0] * 6))


def _mount(source: str | None, target: str, kind: str | None, flags: int, data: str = "") -> None:
    words = [None if word is None else os.fsencode(word) for word in (source, target, kind)]
    _call("mount", *words, ctypes.c_ulong(flags), os.fsencode(data))


def _make_readonly(path: str, flags: int) -> None:
    attributes = struct.pack("QQQQ", _RDONLY, 0, 0, 0)
    _system(_MOUNT_SETATTR, _AT_FDCWD, os.fsencode(path), flags, attributes, len(attributes))


def _call(name: str, *arguments: Any) -> int:
    """A function of the C library. Raises `OSError`, its `filename` the function's name."""
    function = getattr(_libc(), name)
    return _checked(name, function(*arguments))


def _system(number: int, *arguments: Any) -> int:
    """A call that the C library may have no function for."""
    names = {_OPEN_TREE: "open_tree", _OPENAT2: "openat2", _MOUNT_SETATTR: "mount_setattr"}
    words = [ctypes.c_long(word) if isinstance(word, int) else word for word in arguments]
    return _checked(names[number], _libc().syscall(ctypes.c_long(number), *words))


def _checked(name: str, result: int) -> int:
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error), name)
    return result


@cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)
