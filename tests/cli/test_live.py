"""The live view, as it stands on the screen of a terminal of some size while a run goes on, and after it."""

from __future__ import annotations

import re
import time

import pexpect
import pyte
import pytest
from cli_projects import STEPWELL

pytestmark = pytest.mark.slow

SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"

TOLD = """
    import os
    import time
    from pathlib import Path
    from stepwell import log, pipeline, step

    def until(name):
        end = time.monotonic() + 60
        while not Path(name).exists() and time.monotonic() < end:
            time.sleep(0.01)

    @step
    def quick(n: int) -> int:
        return n

    @step
    def train(n: int) -> int:
        log.progress(1, 4, "epoch \\x1b[31m1")
        log.metric("loss", 0.25)
        print("a line of the step", flush=True)
        Path(f"at{n}").touch()
        until(f"go{n}")
        log.metric("auc", 0.9 + n / 100)
        return n

    @pipeline
    def trains(count: int = 1, first: int = 0):
        return [train(quick(first + n)) for n in range(count)]
"""


class Screen:
    """The command on a terminal that remembers what stands on it."""

    def __init__(self, project, *words, rows=24, columns=80):
        self.child = pexpect.spawn(
            str(STEPWELL), list(words), cwd=str(project.root), env={**project.env, "TERM": "xterm-256color"},
            dimensions=(rows, columns), encoding="utf-8", timeout=30,
        )  # fmt: skip
        self.screen = pyte.Screen(columns, rows)
        self.stream = pyte.Stream(self.screen)

    @property
    def lines(self):
        return [line.rstrip() for line in self.screen.display]

    def resize(self, rows, columns):
        self.screen.resize(rows, columns)
        self.child.setwinsize(rows, columns)

    def until(self, pattern):
        """Wait until one line of the screen matches; gives that line."""
        end = time.monotonic() + 30
        while time.monotonic() < end:
            self._take(0.1)
            for line in self.lines:
                if re.search(pattern, line):
                    return line
        raise AssertionError(f"no {pattern!r} on\n" + "\n".join(self.lines))

    def close(self):
        """Wait for its end; gives the exit code and the lines."""
        while self._take(0.5):
            pass
        self.child.close()
        assert not any(mark in line for line in self.lines for mark in SPINNER), self.lines
        assert not self.screen.cursor.hidden
        return self.child.exitstatus, [line for line in self.lines if line]

    def _take(self, seconds):
        try:
            self.stream.feed(self.child.read_nonblocking(65536, timeout=seconds))
        except pexpect.TIMEOUT:
            return True
        except pexpect.EOF:
            return False
        return True


def release(project, *numbers):
    """Let the steps of these numbers end, or all."""
    for number in numbers or range(12):
        (project.root / f"go{number}").touch()


@pytest.mark.parametrize(("rows", "columns"), [(24, 80), (50, 200)])
def test_a_row_for_each_step(project, rows, columns):
    project.write(TOLD)
    screen = Screen(project, "run", "count=2", "-j", "2", rows=rows, columns=columns)
    row = screen.until(r"train\[2\].*25%.*loss=0.25")
    assert re.match(rf"  [{SPINNER}] train\[2\]  [\d.]+ s ━+╸?━* 25%  [\d.]+ s left  loss=0.25  epoch", row)
    assert "\x1b" not in row
    if columns > 100:
        assert row.endswith("epoch \\x1b[31m1  a line of the step")
    whole = screen.until(r"2 of 4 steps")
    assert "2 of 2 busy" in whole
    assert any("train │ a line of the step" in line for line in screen.lines)
    release(project)
    code, lines = screen.close()
    assert code == 0
    assert not any("of 4 steps" in line for line in lines)
    assert lines[-1].startswith("r1 succeeded in")


def test_never_more_rows_than_the_terminal_has(project):
    """Ten steps on a terminal of eight lines and forty columns, which then becomes even smaller, and larger again.

    What the terminal itself pushed up while it shrank stays there: it is out of reach.
    """
    project.write(TOLD)
    screen = Screen(project, "run", "count=10", "-j", "10", rows=8, columns=40)
    screen.until(r"… and [78] more")
    screen.until(r"10 of 20 steps")
    rows = [line for line in screen.lines if any(mark in line for mark in SPINNER)]
    assert 2 <= len(rows) <= 3
    screen.resize(5, 30)
    screen.until(r"… and 10 more|10 of 20 steps")
    time.sleep(0.5)
    screen.resize(24, 80)
    screen.until(r"10 of 20 steps .* 10 of 10 busy")
    wait = time.monotonic() + 10
    while sum(any(mark in line for mark in SPINNER) for line in screen.lines) < 10:
        screen._take(0.1)
        assert time.monotonic() < wait, screen.lines
    release(project)
    while screen._take(0.5):
        pass
    assert any(line.startswith("r1 succeeded in") for line in screen.lines)
    assert not any("of 20 steps" in line for line in screen.lines[-5:])


def test_points_of_a_sweep(project):
    project.write(TOLD)
    release(project, 1)
    screen = Screen(project, "run", "--sweep", "first=1,2,3", "-j", "3", columns=100)
    screen.until(r"1 of 3 points  best loss 0.25: first=1")
    release(project)
    code, lines = screen.close()
    assert code == 0
    assert not any("of 3 points" in line for line in lines)
    assert re.search(r"best .*stepwell compare g1", lines[-1])


@pytest.mark.serial
@pytest.mark.parametrize("times", [1, 2])
def test_ctrl_c_leaves_the_screen_clean(project, times):
    project.write(TOLD)
    screen = Screen(project, "run", "count=2", "-j", "2", columns=100)
    screen.until(r"loss=0.25")
    for _ in range(times):
        screen.child.sendintr()
        time.sleep(0.01)
    code, lines = screen.close()
    assert code == 130
    assert not any("of 4 steps" in line for line in lines)
    if times == 1:
        assert lines[-1] == "resume with the same command: what is done is kept"
    else:  # at once, so that there is no summary
        assert lines[-1].endswith("explain E410") or lines[-1].startswith("resume")
