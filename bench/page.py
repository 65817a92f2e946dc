"""How fast the page of `stepwell ui` is: a store of 10,000 runs and a graph of 1,000 steps, a real server, a real Chromium.

    python bench/page.py                 two minutes; prints the figures beside their targets
    python bench/page.py --quick         a store of 1,000 runs, few samples: whether it works

The stores are those of the tests (`tests/stores/many_runs.py`, `tests/browser/shown.py`), the browser is driven as there.
Each question is asked over HTTP as the page asks it, one after the other, with another place, condition or run each time;
what counts is the whole answer, compressed. The times of the page are the browser's own clock, but for what begins outside of
it: a start of the command, a line that a step prints. What does not come to be
seen ends it with an error.
"""

from __future__ import annotations

import argparse
import http.client
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit

from machine import ROOT, describe, versions
from measure import adopt_orphans, await_orphans, busy_seconds, children_seconds
from report import about, figures, markdown, targets

for folder in ("browser", "stores"):
    sys.path.insert(0, str(ROOT / "tests" / folder))

from chromium import Served, Window, chromium, serving, window  # noqa: E402  # it lies beside the tests
from many_runs import build  # noqa: E402
from playwright.sync_api import Browser, expect  # noqa: E402
from shown import running, thousand, waiting  # noqa: E402

TOGETHER = 50
"""Runs that are compared at once."""

MOVES = 40
"""Moves of the mouse or of the list over which frames are counted."""


class Target(NamedTuple):
    """What was promised: a share of the samples is at most `limit`; 0 where nothing was. `share` 0.5 is the median."""

    limit: float = 0.0
    unit: str = "ms"
    share: float = 0.5


class Seen(NamedTuple):
    """What was measured, in the target's unit; `cpu` is the server's, in ms an answer."""

    what: str
    values: list[float]
    target: Target = Target()
    cpu: float | None = None

    @property
    def value(self) -> float:
        """The sample that the target is about."""
        if self.target.share == 0.5:
            return median(self.values)
        return sorted(self.values)[math.ceil(self.target.share * len(self.values)) - 1]


ANSWER = Target(100, share=0.95)
PAINT = Target(1000)
LIVE = Target(1000)
SENT = Target(350, "kB")
USABLE = Target(100, share=0.95)
"""Between two frames while something is moved: ten frames a second are the least that one can work with."""


def main() -> None:
    """Make the stores, measure, print."""
    quick = arguments().quick
    adopt_orphans()
    with tempfile.TemporaryDirectory(prefix="stepwell-page-") as temporary:
        folder = Path(temporary)
        began, busy = time.monotonic(), busy_seconds()
        with chromium() as browser:
            seen = [
                *of_many_runs(folder / "many", browser, quick),
                *of_steps(folder / "wide", browser),
                *of_a_run(folder / "live", browser),
            ]
        await_orphans()
        own = time.process_time() + children_seconds()
        others = max(0.0, (busy_seconds() - busy - own) / (time.monotonic() - began))
        print(table(seen, folder, others))


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument(
        "--quick", action="store_true", help="a small store, few samples: only whether it works"
    )
    return parser.parse_args()


# --------------------------------------------------------------------------- ten thousand runs


def of_many_runs(root: Path, browser: Browser, quick: bool) -> Iterator[Seen]:
    """The list of runs: its answers, its first paint, scrolling and filtering it."""
    runs, points = (1_000, 100_000) if quick else (10_000, 1_000_000)
    times = 8 if quick else 60
    root.mkdir()
    say(f"a store of {runs:,} runs with {points:,} points")
    build(root / ".stepwell", runs=runs, metrics=20 if quick else 100, points=points)
    yield from starts(root, browser, 2 if quick else 7)
    with serving(root) as served:
        say("answers")
        yield from answers(served, runs, times)
        say("the list in the browser")
        with window(browser, served) as page:
            yield from listed(page, runs)


def starts(root: Path, browser: Browser, times: int) -> Iterator[Seen]:
    """From the command to the first paint, each time with a new server and an empty cache of the browser."""
    found: dict[str, list[float]] = {"start": [], "paint": [], "rows": [], "bytes": []}
    for _ in range(times):
        began = time.monotonic()
        with serving(root) as served:
            found["start"].append(1000 * (time.monotonic() - began))
            with window(browser, served) as page:
                page.tab.locator(".grid-body .grid-row").first.wait_for()
                # The address with the token sends on to the one without: the browser counts from the second.
                for name, value in page.tab.evaluate(_FIRST).items():
                    found[name].append(value)
    both = [start + paint for start, paint in zip(found["start"], found["paint"], strict=True)]
    yield Seen("`stepwell ui`, until it says its address", found["start"])
    yield Seen("the address opened, until the first paint", found["paint"])
    yield Seen("`stepwell ui` and the first paint", both, PAINT)
    yield Seen("the address opened, until the first runs are there", found["rows"])
    yield Seen("sent for that, compressed", found["bytes"], SENT)


_FIRST = """() => {
  const entries = [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")];
  return {
    paint: performance.getEntriesByName("first-contentful-paint")[0].startTime,
    rows: performance.now(),
    bytes: entries.reduce((sum, one) => sum + one.encodedBodySize, 0) / 1000,
  };
}"""


def answers(served: Served, runs: int, times: int) -> Iterator[Seen]:
    """What the page asks of a store of many runs, each question `times` times; the first page with all metrics, as there."""
    names = [f"r{1 + at * 7919 % runs}" for at in range(times)]
    newest = [f"r{runs - at % 50}" for at in range(times)]
    train, shown = quote("pipeline:train", safe=""), "&metric=auc&metric=loss"
    questions: dict[str, Callable[[int], str]] = {
        "the first hundred rows, sweeps grouped": lambda at: f"/runs?sort=-started&grouped=1&limit={100 + at}",
        "a hundred in the middle": lambda at: f"/runs?sort=-started&limit=100&offset={at * runs // times}{shown}",
        "sorted by a metric": lambda at: f"/runs?sort=-metrics.m{10 + at % 10}&limit=100{shown}",
        "`depth > 4 and auc > 0.8`": lambda at: "/runs?limit=100&where=" + quote(f"depth > 4 and auc > {0.8 + at / 1e3}") + shown,
        "searched for a word": lambda at: f"/runs?limit=100&q=lr+{at % 10}{shown}",
        "what the project has": lambda _: "/project",
        "a run": lambda at: f"/runs/{names[at]}",
        "its lines": lambda at: f"/runs/{names[at]}/logs?limit=1000",
        "its ten curves of a thousand points": lambda at: f"/runs/{newest[at]}/curves?most=1500",
        f"{TOGETHER} runs compared": lambda at: "/compare?" + "&".join(f"run=r{runs - at - one}" for one in range(TOGETHER)),
        "the history of a step": lambda at: f"/steps/{train}?limit={200 - at % 50}",
        "data and its versions": lambda _: "/data",
    }  # fmt: skip
    cookie = cookie_of(served)
    for what, question in questions.items():
        yield answered(served, cookie, what, [question(at) for at in range(times)])


def answered(served: Served, cookie: str, what: str, questions: list[str]) -> Seen:
    """What some questions of one kind take; the first is asked once before, as the server keeps things from then on."""
    asked(served, cookie, questions[0])
    before, taken = busy_of(served), []
    for question in questions:
        began = time.perf_counter()
        asked(served, cookie, question)
        taken.append(1000 * (time.perf_counter() - began))
    return Seen(f"answer: {what}", taken, ANSWER, 1000 * (busy_of(served) - before) / len(questions))


def asked(served: Served, cookie: str, path: str) -> Any:
    """The server's answer to a question below `/api`. Raises `RuntimeError` where it is refused."""
    with closing(http.client.HTTPConnection(urlsplit(served.origin).netloc, timeout=60)) as line:
        line.request("GET", f"/api{path}", headers={"Cookie": cookie, "Accept-Encoding": "gzip"})
        answer = line.getresponse()
        body = answer.read()
    if answer.status != 200:
        raise RuntimeError(f"{answer.status} for {path}: {body[:200]!r}")
    return body


def cookie_of(served: Served) -> str:
    """What the server gives for the token of its address."""
    parts = urlsplit(served.address)
    with closing(http.client.HTTPConnection(parts.netloc, timeout=60)) as line:
        line.request("GET", f"{parts.path}?{parts.query}")
        given = line.getresponse().headers["Set-Cookie"]
    return given.split(";")[0]


def busy_of(served: Served) -> float:
    """Processor seconds of the server so far; 0 where there is no `/proc`."""
    try:
        words = Path(f"/proc/{served.process.pid}/stat").read_text().rpartition(")")[2].split()
    except FileNotFoundError:
        return 0.0
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def listed(page: Window, runs: int) -> Iterator[Seen]:
    """The list scrolled through, jumped in and filtered."""
    page.open("/?flat=1")
    grid = page.tab.get_by_role("table", name="runs")
    expect(grid).to_have_attribute("aria-rowcount", str(runs + 1))
    frames = page.tab.evaluate(_SCROLL, MOVES)
    yield Seen(f"a frame while {runs:,} runs are scrolled", frames, USABLE)
    jumps = [page.tab.evaluate(_JUMP, (at * 7 % 10 + 0.5) / 10) for at in range(10)]
    yield Seen("a jump in them, until its runs are there", jumps)
    page.open("/?flat=1")
    began = time.perf_counter()
    page.tab.get_by_label("where", exact=True).fill("auc > 0.85 and depth == 8")
    page.tab.get_by_text("run").and_(page.tab.get_by_text(" of ")).first.wait_for()
    yield Seen(
        "a condition typed, until what fits is there (a pause of 250 ms in it)",
        [1000 * (time.perf_counter() - began)],
    )
    page.check()


_FRAMES = """
const frames = [];
let last = await new Promise(requestAnimationFrame);
const next = async () => {
  const now = await new Promise(requestAnimationFrame);
  frames.push(now - last);
  last = now;
};"""

_SCROLL = f"""async (moves) => {{
  const box = document.querySelector(".runs-grid");{_FRAMES}
  for (let at = 1; at <= moves; at += 1) {{
    box.scrollTop = (at / moves) * box.scrollHeight;
    await next();
  }}
  return frames;
}}"""

_JUMP = """async (share) => {
  const box = document.querySelector(".runs-grid");
  const began = performance.now();
  box.scrollTop = share * box.scrollHeight;
  for (;;) {
    await new Promise(requestAnimationFrame);
    const middle = box.getBoundingClientRect();
    const seen = document.elementFromPoint(middle.left + 200, middle.top + middle.height / 2)?.closest(".grid-row");
    if (seen && !seen.classList.contains("waiting") && box.querySelector(".waiting") === null) return performance.now() - began;
    if (performance.now() - began > 20_000) throw new Error("the rows did not come");
  }
}"""


# --------------------------------------------------------------------------- a thousand steps


def of_steps(root: Path, browser: Browser) -> Iterator[Seen]:
    """The graph of a run of 998 steps: drawn with its calls as groups, drawn whole, moved."""
    say("a run of a thousand steps")
    thousand(root)
    with serving(root) as served, window(browser, served) as page:
        yield answered(served, cookie_of(served), "a run of 998 steps", 20 * ["/runs/r1"])
        boxes = page.tab.locator(".box")
        opened = []
        for _ in range(3):
            page.open("/runs")
            began = time.perf_counter()
            page.tab.get_by_role("link", name="r1", exact=True).click()
            expect(boxes).to_have_count(4)
            opened.append(1000 * (time.perf_counter() - began))
        yield Seen("its graph, calls of a step as one box, until it is drawn", opened)
        began = time.perf_counter()
        page.tab.get_by_role("button", name="each call by itself").click()
        expect(boxes).to_have_count(998, timeout=60_000)
        yield Seen(
            "each of the 998 steps as a box, until they are drawn", [1000 * (time.perf_counter() - began)]
        )
        yield Seen("a frame while they are moved", moved(page), USABLE)
        yield Seen("a frame while they are made larger", wheeled(page), USABLE)
        page.check()


def moved(page: Window) -> list[float]:
    """Milliseconds of each frame while the graph is dragged to and fro."""
    page.tab.get_by_role("button", name="fit", exact=True).click()
    x, y = middle_of(page)
    with counting(page) as frames:
        page.tab.mouse.move(x, y)
        page.tab.mouse.down()
        for at in range(MOVES):
            page.tab.mouse.move(x + 120 * math.sin(at / 4), y + 2 * at)
        page.tab.mouse.up()
    return frames


def middle_of(page: Window) -> tuple[float, float]:
    """Where the middle of the graph is in the window."""
    box = page.tab.locator(".graph").bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def wheeled(page: Window) -> list[float]:
    """Milliseconds of each frame while the graph grows to where its boxes have words."""
    page.tab.get_by_role("button", name="fit", exact=True).click()
    page.tab.mouse.move(*middle_of(page))
    with counting(page) as frames:
        for _ in range(MOVES):
            page.tab.mouse.wheel(0, -60)
    return frames


@contextmanager
def counting(page: Window) -> Iterator[list[float]]:
    """Give a list that holds, after the block, how long each of the browser's frames in it took, in milliseconds."""
    frames: list[float] = []
    page.tab.evaluate(
        """() => {
          window.frames_ = [];
          let last = performance.now();
          const next = (now) => { window.frames_.push(now - last); last = now; window.next_ = requestAnimationFrame(next); };
          window.next_ = requestAnimationFrame(next);
        }"""
    )
    yield frames
    frames += page.tab.evaluate(
        "() => { cancelAnimationFrame(window.next_); return window.frames_.slice(1); }"
    )


# --------------------------------------------------------------------------- a run that goes on


def of_a_run(root: Path, browser: Browser) -> Iterator[Seen]:
    """From a line that a step prints to its being read, three times anew."""
    say("a run that goes on")
    taken = []
    for turn in range(3):
        project = waiting(root / str(turn))
        with serving(project) as served, running(project) as run, window(browser, served) as page:
            page.tab.get_by_role("link", name="r1", exact=True).wait_for()
            page.open("/runs/r1?tab=logs")
            expect(page.tab.locator(".log-text")).to_have_text("the first words")
            began = time.perf_counter()
            (project / "one").touch()
            page.tab.get_by_text("the second words").wait_for()
            taken.append(1000 * (time.perf_counter() - began))
            (project / "two").touch()
            run.wait(60)
    yield Seen("a line that a step prints, until it is seen", taken, LIVE)


# --------------------------------------------------------------------------- what is printed


def say(what: str) -> None:
    """Tell whoever waits what is done now."""
    print(f"page  {what}", file=sys.stderr, flush=True)


def table(seen: list[Seen], folder: Path, others: float) -> str:
    """The figures as the other results have them: targets first, then everything."""
    place = {"machine": describe(folder), "versions": _own(versions()), "date": datetime.now(UTC).isoformat(), "others": round(others, 2)}  # fmt: skip
    budgets = [
        {
            "what": one.what + (", 95th of 100" if one.target.share > 0.5 else ""),
            "limit": one.target.limit,
            "least": False,
            "unit": one.target.unit,
            "value": round(one.value, 3),
            "met": one.value <= one.target.limit,
        }
        for one in seen
        if one.target.limit
    ]
    heads = [["target", "", "measured", ""], ["---", "---:", "---:", "---"]]
    every = [["what", "samples", "median", "lowest", "highest", "server CPU ms"], ["---", *["---:"] * 5]]
    for one in seen:
        middle, low, high = (
            f"{figures(value)} {one.target.unit}"
            for value in (median(one.values), min(one.values), max(one.values))
        )
        every.append(
            [one.what, str(len(one.values)), middle, low, high, "–" if one.cpu is None else figures(one.cpu)]
        )
    return "\n\n".join(
        [
            "## The page of `stepwell ui`",
            about(place),
            markdown([*heads, *targets({"budgets": budgets})]),
            markdown(every),
        ]
    )


def _own(found: dict[str, str]) -> dict[str, str]:
    """The versions of what takes part here."""
    told = subprocess.run(
        ["chromium", "--version"], capture_output=True, text=True, check=False
    ).stdout.split()
    return {
        **{name: found[name] for name in ("Python", "Stepwell", "SQLite")},
        **({"Chromium": told[1]} if len(told) > 1 else {}),
    }


if __name__ == "__main__":
    main()
