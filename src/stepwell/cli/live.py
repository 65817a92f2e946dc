"""The live view of a run: a row for each active step, and below them how far the whole is.

What ends is printed above, as `screen.Lines` prints it; what steps print passes by there too. There are never more rows
than there is room for, nor longer ones than it is wide: what matters least is left out. `Live` draws on a terminal, and
`cell.InCell` in a notebook.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import cached_property
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TextIO

from rich.console import Console
from rich.live import Live as RichLive
from rich.text import Text

from stepwell.app.pace import Far, Pace, Points, rest_of
from stepwell.app.progress import ENDS, Progress
from stepwell.cli.screen import Lines
from stepwell.cli.text import clean, last_words, number, seconds, short
from stepwell.errors import counted
from stepwell.kernel.events import Event
from stepwell.kernel.plan import Plan
from stepwell.kernel.ports import Said

if TYPE_CHECKING:
    from stepwell.stores.local import LocalStore

SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"

RATE = 6
"""Times a second that the rows are drawn."""

SPARE = 3
"""Lines of the terminal that rows leave free, for the line of the whole and what is printed above."""

BAR = 16
"""Columns of a bar, where there is room."""

_WORDS = {"failed": ("failed", "red"), "blocked": ("blocked", "red"), "cached": ("reused", "dim")}


class Rows(Lines):
    """`screen.Lines`, with the active steps below them. `pace` follows the run."""

    def __init__(
        self,
        plan: Plan,
        stream: TextIO,
        pace: Pace,
        *,
        quiet: bool = False,
        store: LocalStore | None = None,
    ) -> None:
        super().__init__(plan, stream, quiet=quiet, store=store)
        self.pace = pace
        self.sweep: Points | None = None
        self.last: dict[int, str] = {}
        self.since = time.monotonic()
        self.over = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.stop()

    def room(self) -> tuple[int, int]:
        """The columns and lines that there are, now."""
        raise NotImplementedError

    def stop(self) -> None:
        """Take the rows away."""
        self.over = True

    def points(self, labels: Sequence[str]) -> None:
        """Follow the points of a sweep, too."""
        said = {}
        if self.store is not None:
            from stepwell.app.finding import said_directions

            said = said_directions(self.store, self.store.runs.runs(1, self.plan.graph.pipeline))
        self.sweep = Points(self.plan, labels, said)

    def see(self, event: Event, progress: Progress) -> None:
        """Keep the rows up to date, and print what the event is worth."""
        if isinstance(event, Said):
            if event.text.strip():
                self.last[event.node] = last_words(event.text.strip().rpartition("\n")[2])
        else:
            self.pace.see(event, progress, time.monotonic())
            if self.sweep is not None:
                self.sweep.see(event, progress)
            if isinstance(event, ENDS):
                self.last.pop(event.node, None)
        super().see(event, progress)

    def end(self, run: str, progress: Progress, result: Any) -> None:
        """Take the rows away, and print the summary."""
        self.stop()
        super().end(run, progress, result)

    def _so_far(self, progress: Progress) -> None:
        """It stands below the rows."""

    # ------------------------------------------------------------------ drawing

    def draw(self) -> Text:
        """The rows, for as much room as there is now."""
        if self.over:
            return Text()
        now, (columns, lines) = time.monotonic(), self.room()
        width = max(columns - 1, 1)
        active = list(self.pace.running.items())
        whole = self._whole(now, len(active), width)
        room = max(1, lines - SPARE - len(whole))
        shown = active if len(active) <= room else active[: max(room - 1, 0)]
        rows = [self._row(node, now - began, width) for node, began in shown]
        if len(shown) < len(active):
            rows.append(Text(f"    … and {len(active) - len(shown)} more", style="dim"))
        rows = [*rows, *whole][: max(lines - 1, 1)]
        for row in rows:
            row.truncate(width, overflow="ellipsis")
        return Text("\n", no_wrap=True).join(rows)

    def _row(self, node: int, elapsed: float, width: int) -> Text:
        """A step that runs: spinner, name, times, a bar if it tells how far it is, its newest number, its last words."""
        far, usual = self.pace.far.get(node), self.pace.usual(node)
        rest = rest_of(elapsed, far, usual)
        names = min(self.width, max(width // 3, 8))
        row = Text(f"  {SPINNER[int(elapsed * RATE) % len(SPINNER)]} ", style="cyan", no_wrap=True)
        row.append(short(clean(self.id(node)), names).ljust(names), style="not dim default")
        row.append(f"  {seconds(elapsed)}", style="not dim default")
        if far is not None and far.share is not None:
            row.append(" ")
            row.append(bar(far.share, min(BAR, max(width // 8, 4))))
            row.append(f" {far.share:.0%}", style="not dim default")
            row.append(f"  {seconds(rest)} left" if rest else "", style="dim default")
        elif usual:
            row.append(f" of about {seconds(usual)}", style="not dim default")
        told = self._told(node, far)
        row.append(f"  {told}" if told else "", style="dim default")
        return row

    def _told(self, node: int, far: Far | None) -> str:
        """What a step that runs said last: a number that it recorded, what it is at, its last line."""
        parts = []
        if (metric := self.pace.metric.get(node)) is not None:
            parts.append(f"{short(metric[0], 24)}={number(metric[1])}")
        if far is not None and (far.text or far.total is None):
            parts.append(clean(far.text) or f"{number(far.done)} done")
        if node in self.last:
            parts.append(short(self.last[node], 100))
        return "  ".join(parts)

    def _whole(self, now: float, active: int, width: int) -> list[Text]:
        """How far the run is: a bar, steps, how many of each, workers, the time that is left; and the points of a sweep."""
        if self.total <= 1:
            return []
        left = self.pace.left(now)
        elapsed = now - self.since
        share = self.done / self.total
        if left is not None and left.sure and elapsed + left.seconds > 0:
            share = elapsed / (elapsed + left.seconds)
        row = Text("  ", no_wrap=True)
        if width >= 60:
            row.append(bar(share, BAR if width >= 100 else BAR // 2)).append("  ")
        row.append(f"{self.done:,} of {counted(self.total, 'step')}", style="dim")
        self._count(row, "failed", "blocked")
        times = [seconds(elapsed)]
        if left is not None and left.seconds >= 0.5:
            times.append(f"{'about' if left.sure else 'at least'} {seconds(left.seconds)} left")
        row.append(f"  {', '.join(times)}", style="dim")
        if self.pace.workers > 1:
            row.append(f"  {min(active, self.pace.workers)} of {self.pace.workers} busy", style="dim")
        self._count(row, "cached")
        return [row, *self._points()]

    def _count(self, row: Text, *statuses: str) -> None:
        for status in statuses:
            if count := self.pace.counts.get(status, 0):
                word, style = _WORDS[status]
                row.append(f"  {count:,} {word}", style=style)

    def _points(self) -> list[Text]:
        if self.sweep is None:
            return []
        row = Text(
            f"  {self.sweep.done:,} of {counted(self.sweep.total, 'point')}", style="dim", no_wrap=True
        )
        if self.sweep.failed:
            row.append(f"  {self.sweep.failed:,} failed", style="red not dim")
        if (best := self.sweep.best) is not None:
            row.append(f"  best {short(best.metric, 24)} {number(best.value)}: {short(best.point, 60)}")
        return [row]


class Live(Rows):
    """The rows on a terminal."""

    @cached_property
    def console(self) -> Console:
        """What is drawn and printed on."""
        return Console(file=self.stream, highlight=False, markup=False, soft_wrap=True)

    @cached_property
    def drawing(self) -> RichLive:
        """What draws the rows again and again."""
        return RichLive(
            get_renderable=self.draw,
            console=self.console,
            refresh_per_second=RATE,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )

    def __enter__(self) -> Self:
        self.drawing.start()
        return self

    def room(self) -> tuple[int, int]:
        """The columns and lines of the terminal, which may change."""
        return self.console.size.width, self.console.size.height

    def write(self, line: str) -> None:
        """Print a line above the rows."""
        self.console.print(Text.from_ansi(line))

    def stop(self) -> None:
        """Take the rows away, whatever the terminal does."""
        super().stop()
        try:
            self.drawing.stop()
        except OSError:  # it is gone: what is said from now on finds that out, and tells it
            self.deaf = True


def bar(share: float, width: int) -> Text:
    """A bar of `width` columns, `share` (0 to 1) of it full."""
    full = int(min(max(share, 0.0), 1.0) * width * 2)
    done = "━" * (full // 2) + ("╸" if full % 2 else "")
    return Text(done, style="cyan").append("━" * (width - len(done)), style="dim default")
