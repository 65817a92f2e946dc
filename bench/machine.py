"""On what was measured: processor, memory, system and versions. No host name, no path."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import shutil
import sqlite3
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PEERS = Path(__file__).resolve().parent / ".peers"
PINS = Path(__file__).resolve().parent / "peers.toml"

PYTHON = sys.executable
STEPWELL = str(Path(sys.executable).with_name("stepwell"))
CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def describe(folder: Path) -> dict[str, str]:
    """The machine, as a reader of the results wants to know it; `folder` is where the work is done."""
    return {
        "processor": f"{CORES} × {processor()}",
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB",
        "system": f"{platform.system()} {platform.release()}, {filesystem(folder)}",
    }


def versions() -> dict[str, str]:
    """What took part, each with its version; what is not there is left out."""
    found = {
        "Python": platform.python_version(),
        "Stepwell": f"{package('stepwell')} ({commit()})",
        "SQLite": sqlite3.sqlite_version,
        "blake3": package("blake3"),
        "NumPy": package("numpy"),
        "ninja": first_line("ninja", "--version"),
        "make": first_line("make", "--version").removeprefix("GNU Make "),
    }
    found |= {name: peer_version(name, packages[0]) for name, packages in pinned().items()}
    return {name: version for name, version in found.items() if version}


def peer_version(name: str, requirement: str) -> str:
    """The version of a peer's package in its environment, or ""."""
    package = re.split(r"[^\w.-]", requirement)[0]
    places = [str(place) for place in (PEERS / name / "lib").glob("python*/site-packages")]
    found = importlib.metadata.distributions(name=package, path=places)
    return next((one.version for one in found), "")


def processor() -> str:
    """The processor's own name."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except FileNotFoundError:
        return first_line("sysctl", "-n", "machdep.cpu.brand_string") or platform.machine()
    return next(
        (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine()
    )


def filesystem(folder: Path) -> str:
    """The kind of file system that a folder is on."""
    try:
        mounts = [line.split() for line in Path("/proc/mounts").read_text().splitlines()]
    except FileNotFoundError:
        return "unknown file system"
    over = [mount for mount in mounts if folder.is_relative_to(mount[1])]
    return max(over, key=lambda mount: len(mount[1]))[2] if over else "unknown file system"


def package(name: str) -> str:
    """The version of an installed package, or ""."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return ""


def commit() -> str:
    """The commit that is measured, and whether anything differs from it."""
    git = ["git", "-C", str(ROOT)]
    head = first_line(*git, "rev-parse", "--short", "HEAD") or "no commit"
    return f"{head}, changed" if first_line(*git, "status", "--porcelain", "--", "src") else head


def first_line(*command: str) -> str:
    """The first line that a command prints; "" where it is missing or fails."""
    if shutil.which(command[0]) is None:
        return ""
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    lines = answer.stdout.splitlines() if answer.returncode == 0 else []
    return lines[0].strip() if lines else ""


def pinned() -> dict[str, list[str]]:
    """The packages of each peer, as bench/peers.toml pins them."""
    return {name: peer["packages"] for name, peer in tomllib.loads(PINS.read_text()).items()}
