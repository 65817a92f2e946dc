"""What this machine has: processors, memory, and the signs that memory ran out. Containers' limits count."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path


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
        text = Path("/proc/vmstat").read_text()
    except OSError:
        return 0
    found = re.search(r"^oom_kill (\d+)$", text, re.MULTILINE)
    return int(found[1]) if found else 0


def _cgroup(v2: str, v1: str) -> str:
    """A limit of this process's control group, "" where there is none (of version 2, or else 1)."""
    if sys.platform != "linux":
        return ""
    try:
        groups = [line.split(":", 2) for line in Path("/proc/self/cgroup").read_text().splitlines()]
    except OSError:
        return ""
    places = [Path("/sys/fs/cgroup") / path.lstrip("/") / v2 for _, names, path in groups if not names and v2]
    for _, names, path in groups:
        if names and v1.split(".")[0] in names.split(","):
            controller = v1.split(".")[0]
            top = next((t for t in (names, controller) if Path("/sys/fs/cgroup", t).is_dir()), controller)
            places += [Path("/sys/fs/cgroup", top) / path.lstrip("/") / v1, Path("/sys/fs/cgroup", top) / v1]
    for place in places:
        try:
            return place.read_text().strip()
        except OSError:
            continue
    return ""
