"""What this machine has: processors, memory, and the signs that memory ran out. Containers' limits count."""

from __future__ import annotations

import os
import re
import resource
import sys
from contextlib import suppress
from pathlib import Path

ROOT = Path("/")
"""Where `proc` and `sys` are."""


def processors() -> int:
    """Processors that this process may use: its affinity, or a container's quota where that is less."""
    if hasattr(os, "sched_getaffinity"):
        count = len(os.sched_getaffinity(0))
    else:
        count = os.cpu_count() or 1
    quota = _cgroup("cpu.max", "cpu.cfs_quota_us")
    if quota:
        fields = quota.split()
        if len(fields) == 1:
            fields.append(_cgroup("", "cpu.cfs_period_us") or "100000")
        if fields[0].isdecimal() and int(fields[1]) > 0:
            count = min(count, max(1, -(-int(fields[0]) // int(fields[1]))))
    return count


def threads(jobs: int) -> int:
    """Threads that a library may use in each of so many workers; 0: as many as it likes, which few processors bear."""
    count = processors()
    return max(4, count // jobs) if count > 4 and jobs > 1 else 0


def memory() -> int:
    """Bytes of memory that there are, or that this container may use; 0 where that cannot be found out."""
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError):
        return 0
    limit = _cgroup("memory.max", "memory.limit_in_bytes") or ""
    return min(total, int(limit)) if limit.isdecimal() else total


def oom_kills() -> int:
    """How often the system has killed a process because memory ran out, since it started (Linux)."""
    try:
        text = (ROOT / "proc/vmstat").read_text()
    except OSError:
        return 0
    found = re.search(r"^oom_kill (\d+)$", text, re.MULTILINE)
    return int(found[1]) if found else 0


def allow_files(count: int) -> None:
    """Let this process have that many more files open, as far as it may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = count + 256
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(ValueError, OSError):
            highest = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
            resource.setrlimit(resource.RLIMIT_NOFILE, (highest, hard))


def _cgroup(v2: str, v1: str) -> str:
    """A limit of this process's control group, "" where there is none (of version 2, or else 1)."""
    if sys.platform != "linux":
        return ""
    try:
        groups = [line.split(":", 2) for line in (ROOT / "proc/self/cgroup").read_text().splitlines()]
    except OSError:
        return ""
    places = [ROOT / "sys/fs/cgroup" / path.lstrip("/") / v2 for _, names, path in groups if not names and v2]
    controller = v1.partition(".")[0]
    for _, names, path in groups:
        if names and controller in names.split(","):
            top = next((t for t in (names, controller) if (ROOT / "sys/fs/cgroup" / t).is_dir()), controller)
            places += [
                (ROOT / "sys/fs/cgroup" / top) / path.lstrip("/") / v1,
                (ROOT / "sys/fs/cgroup" / top) / v1,
            ]
    for place in places:
        try:
            return place.read_text().strip()
        except OSError:
            continue
    return ""
