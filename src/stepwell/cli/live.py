"""The live view of a run on a terminal: one row for each active step, with elapsed and expected time.

What ends is printed above, as `screen.Lines` prints it; what steps print passes by there too.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from types import TracebackType
from typing import Any, TextIO

from rich.console import Console
from rich.live import Live as RichLive
from rich.table import Table
from rich.text import Text

from stepwell.app.progress import Progress
from stepwell.cli.screen import Lines
from stepwell.cli.text import clean, seconds, short
from stepwell.kernel.events import Event, StepStarted
from stepwell.kernel.plan import Plan
from stepwell.kernel.ports import Said

SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"


class Live(Lines):
    """`screen.Lines`, with the active steps below them."""

    def __init__(
        self, plan: Plan, stream: TextIO, expected: dict[str, float], *, quiet: bool = False
    ) -> None:
        super().__init__(plan, stream, quiet=quiet)
        self.expected = expected
        self.active: dict[int, float] = {}
        self.last: dict[int, str] = {}
        self.done, self.total = 0, len(plan.decisions)
        self.console = Console(file=stream, highlight=False, markup=False, soft_wrap=True)
        self.drawing = RichLive(
            get_renderable=self.draw,
            console=self.console,
            refresh_per_second=8,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )

    def __enter__(self) -> Live:
        self.drawing.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.drawing.stop()

    def see(self, event: Event, progress: Progress) -> None:
        """Keep the rows of active steps up to date, and print what the event is worth."""
        if isinstance(event, StepStarted):
            self.active[event.node] = time.monotonic()
        elif isinstance(event, Said) and event.text.strip():
            self.last[event.node] = event.text.strip().rpartition("\n")[2]
        if getattr(event, "node", None) not in progress.running:
            self.active.pop(getattr(event, "node", -1), None)
        self.done, self.total = len(progress.outcomes), progress.total
        super().see(event, progress)

    def end(self, run: str, progress: Progress, result: Any) -> None:
        """Take the rows away, and print the summary."""
        self.active.clear()
        self.drawing.stop()
        super().end(run, progress, result)

    def write(self, line: str) -> None:
        """Print a line above the rows."""
        self.console.print(Text.from_ansi(line))

    def draw(self) -> Table:
        """The rows."""
        grid = Table.grid(padding=(0, 1))
        now = time.monotonic()
        room = max(1, self.console.height - 4)
        for node, began in list(self.active.items())[:room]:
            grid.add_row(*self._row(node, now - began))
        if len(self.active) > room:
            grid.add_row("", f"… and {len(self.active) - room} more")
        if self.total > 1:
            grid.add_row("", Text(f"{self.done:,} of {self.total:,} steps", style="dim"))
        return grid

    def _row(self, node: int, elapsed: float) -> Iterator[Any]:
        step = self.plan.graph.step_of(node)
        usual = self.expected.get(step.full_name)
        yield Text(f"  {SPINNER[int(elapsed * 8) % len(SPINNER)]}", style="cyan")
        yield Text(short(clean(self.id(node)), 32).ljust(self.width))
        yield Text(seconds(elapsed) + (f" of about {seconds(usual)}" if usual else ""))
        yield Text(short(self.last.get(node, ""), 60), style="dim")
