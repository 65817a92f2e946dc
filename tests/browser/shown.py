"""Projects for the page of a run: one that records of all kinds, one of a thousand steps, one that waits to be told.

recorded(folder)    # r1 all kinds of recordings and outputs, hostile ones too; r2 failed
thousand(folder)    # r1: load, 664 calls of `part`, 332 of `pair`, total
waiting(folder)     # `stepwell run` waits for the files `one` and `two`
running(folder)     # such a run, as long as the block lasts
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from chromium import STEPWELL, Window
from flights import command

RECORDED = r'''
"""All kinds of things to look at."""

import math
import struct
import sys
import zlib

import pyarrow as pa

from stepwell import log, pipeline, source, step

cities = source("cities.csv", str)

EVIL = """<img src=x onerror="window.owned='{}'"><script>window.owned='{}'</script>"""


def png(wide: int, high: int) -> bytes:
    """A picture."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + b"".join(bytes([x * 3, y * 5, 120]) for x in range(wide)) for y in range(high))
    head = struct.pack(">IIBBBBB", wide, high, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


@step
def load(cities: str) -> pa.Table:
    """Read the cities."""
    rows = [row.split(",") for row in cities.splitlines()[1:]]
    print("\x1b[32mloaded\x1b[0m", len(rows), "cities")
    print(EVIL.format("log", "log"))
    print("\x1b]0;owned\x07\x1b[2Ja title that was set", file=sys.stderr)
    print("10%\r50%\r100%")
    return pa.table(
        {
            "name": [row[0] for row in rows],
            "people": [int(row[1]) for row in rows],
            "share": [float(row[2]) if row[2] else None for row in rows],
            "odd": [math.nan] * len(rows),
            EVIL.format("column", "column"): ["<b>cell</b>"] * len(rows),
        }
    )


@step
def learn(table: pa.Table, depth: int) -> dict[str, object]:
    """Learn something of them."""
    for at in range(50):
        log.metric("loss", 1 / (1 + at * depth), step=at)
        log.metric(EVIL.format("metric", "metric"), float(at), step=at)
        log.metric("huge", 1e308 * math.sin(at / 5), step=at)
    log.metric("broken", math.nan)
    log.figure("picture", png(60, 40))
    log.table("the first", table.slice(0, 5))
    log.text("words", EVIL.format("text", "text"))
    log.card("card", "<h1 id=here>A card</h1>" + EVIL.format("card", "card") + "<script>parent.owned='card'</script>")
    log.tag("baseline")
    return {"depth": depth, "words": EVIL.format("json", "json"), "deep": [{"list": list(range(5))}]}


@step
def judge(model: dict[str, object], word: str) -> str:
    """Say how good it is."""
    log.metric("auc", 0.8 + len(str(model)) / 10_000)
    if word == "fail":
        raise ValueError(EVIL.format("error", "error"))
    return word


@pipeline
def shown(depth: int = 3, word: str = "<i>plain</i>") -> str:
    return judge(learn(load(cities()), depth), word)
'''


def recorded(root: Path) -> Path:
    """Make the project and its runs; give its folder."""
    root.mkdir(parents=True, exist_ok=True)
    (root / "pipeline.py").write_text(RECORDED, "utf-8")
    lines = [f"city {at % 37},{at * 7919 % 100_000},{'' if at % 9 == 0 else at / 500}" for at in range(500)]
    (root / "cities.csv").write_text("\n".join(["name,people,share", *lines]) + "\n", "utf-8")
    assert command(root, "run") == 0
    assert command(root, "run", "depth=5", "word=fail") == 1
    return root


THOUSAND = """
from stepwell import pipeline, step


@step
def load() -> list[int]:
    return list(range(664))


@step
def part(values: list[int], at: int) -> int:
    return values[at]


@step
def pair(one: int, other: int) -> int:
    return one + other


@step
def total(values: list[int]) -> int:
    return sum(values)


@pipeline
def wide() -> int:
    values = load()
    parts = [part(values, at) for at in range(664)]
    return total([pair(parts[2 * at], parts[2 * at + 1]) for at in range(332)])
"""


def thousand(root: Path) -> Path:
    """Make the project and its run; give its folder."""
    root.mkdir(parents=True, exist_ok=True)
    (root / "pipeline.py").write_text(THOUSAND, "utf-8")
    assert command(root, "run") == 0
    return root


WAITING = """
import time
from pathlib import Path

from stepwell import log, pipeline, step

HERE = Path(__file__).parent


def told(name: str) -> None:
    while not (HERE / name).exists():
        time.sleep(0.02)


@step
def quick() -> int:
    return 1


@step
def slow(one: int) -> int:
    print("the first words")
    log.progress(3, 10, "on the way")
    for at in range(20):
        log.metric("height", at * at, step=at)
    told("one")
    print("the second words")
    for at in range(20, 40):
        log.metric("height", at * at, step=at)
    told("two")
    return one + 1


@pipeline
def waits() -> int:
    return slow(quick())
"""


def waiting(root: Path) -> Path:
    """Write the project; give its folder."""
    root.mkdir(parents=True, exist_ok=True)
    (root / "pipeline.py").write_text(WAITING, "utf-8")
    return root


@contextmanager
def running(root: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Give a run that goes on, in a group of its own; what of it is left is killed."""
    process = subprocess.Popen(
        [STEPWELL, "run"],
        cwd=root,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(20)


def harmless(page: Window) -> None:
    """That nothing of what runs recorded became part of the page, or did anything."""
    scripts = [frame.evaluate("window.owned") for frame in page.tab.frames]
    assert not any(scripts)
    assert page.tab.locator("main script, main img[onerror]").count() == 0
    # What a frame is kept from is told: that is what the frame is for.
    kept_from = ("Blocked script execution in", "Loading the image")
    page.errors[:] = [one for one in page.errors if not (one.startswith(kept_from) and "/raw/" in one)]
    page.check()
