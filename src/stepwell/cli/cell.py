"""The live view of a run in a notebook: one display below the cell, drawn anew as the run goes on.

When the run has ended, its summary stays, and what was told meanwhile is folded up; it is open where something failed, or
where steps printed. Front ends that show text only are sent the same as text. What a front end needs is to know
`update_display`, which is part of Jupyter's protocol; there are no widgets.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from contextvars import copy_context
from html import escape
from io import StringIO
from types import TracebackType
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.text import Text

from stepwell.app.pace import Pace
from stepwell.app.progress import Progress
from stepwell.cli.live import Rows
from stepwell.kernel.events import Event
from stepwell.kernel.plan import Plan
from stepwell.kernel.ports import Said

if TYPE_CHECKING:
    from typing import Self

    from stepwell.stores.local import LocalStore

ROOM = (110, 24)
"""Columns and lines that the rows may take."""

NEWEST = 16
"""Lines that are shown while the run goes on; KEPT those that can be unfolded when it has ended."""
KEPT = 400

PAUSE = 0.25
"""Seconds between two drawings; LATER from a minute on, so that a long run does not fill the notebook's connection."""
LATER = 1.0

PRE = (
    "margin:0;padding:0;border:0;background:none;color:inherit;font-size:.92em;line-height:1.45;"
    "white-space:pre-wrap;overflow-wrap:anywhere;max-height:30em;overflow-y:auto"
)

HUES = {1: "#d84339", 2: "#1c9a54", 3: "#b07d12", 4: "#3f7fd6", 6: "#0e8fa8"}
"""The terminal's colours by their numbers, in shades that can be read on light and on dark ground."""


class InCell(Rows):
    """The rows and lines of a run, in one display of the cell that is being executed."""

    def __init__(self, plan: Plan, pace: Pace, *, store: LocalStore | None = None) -> None:
        super().__init__(plan, _Sheet(), pace, store=store)
        self._body: deque[str] = deque(maxlen=KEPT)
        self._dropped = 0
        self._title = ""
        self._summary: list[str] | None = None
        self._printed = self._went_wrong = False
        self._display: Any = None
        self._shown = ""
        self._halt = threading.Event()
        # What is sent from another thread must still belong to this cell.
        self._thread = threading.Thread(
            target=copy_context().run, args=(self._keep_drawing,), name="stepwell-cell", daemon=True
        )

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, where)
        self._draw()

    def room(self) -> tuple[int, int]:
        """As much as a cell's output shows well."""
        return ROOM

    def see(self, event: Event, progress: Progress) -> None:
        """Keep lines and rows up to date; they are drawn a little later."""
        self._printed = self._printed or isinstance(event, Said)
        super().see(event, progress)

    def end(self, run: str, progress: Progress, result: Any) -> None:
        """Let the summary stand, and fold up what was told before."""
        self.stop()
        self._summary = []
        self._went_wrong = progress.status != "succeeded"
        super().end(run, progress, result)

    def stop(self) -> None:
        """No more is drawn from now on but once, at the end."""
        super().stop()
        self._halt.set()
        self._thread.join()

    def write(self, line: str) -> None:
        """Keep a line: the first is the title, those behind the end are the summary."""
        if not self._title:
            self._title = line
        elif self._summary is not None:
            self._summary.append(line)
        else:
            self._dropped += len(self._body) == KEPT
            self._body.append(line)

    # ------------------------------------------------------------------ drawing

    def _keep_drawing(self) -> None:
        while not self._halt.wait(PAUSE if time.monotonic() - self.since < 60 else LATER):
            self._draw()

    def _draw(self) -> None:
        """Send what there is to show, if it is another than what is shown."""
        if not self._title:
            return
        parts = self._when_over() if self._summary is not None else self._while_running()
        html = f'<div style="font-variant-numeric:tabular-nums">{"".join(parts)}</div>'
        if html == self._shown:
            return
        self._shown = html
        data = {"text/html": html, "text/plain": self._plain()}
        if self._display is None:
            from IPython.display import display  # it is what runs this cell

            self._display = display(data, raw=True, display_id=True)
        else:
            self._display.update(data, raw=True)

    def _while_running(self) -> list[str]:
        said = list(self._body)
        earlier = self._dropped + len(said) - NEWEST
        above = [f"  … {earlier:,} earlier lines"] if earlier > 0 else []
        lines = [self._title, *above, *said[-NEWEST:]]
        return [_pre(Text("\n").join([*map(Text.from_ansi, lines), *filter(None, [self.draw()])]))]

    def _when_over(self) -> list[str]:
        told = [f"  … {self._dropped:,} earlier lines: stepwell logs"] if self._dropped else []
        told += self._body
        title, summary = _spans(Text.from_ansi(self._title)), _lines(self._summary or ())
        if not told:
            return [f"<div>{title}</div>", summary]
        is_open = " open" if self._printed or self._went_wrong else ""
        return [f"<details{is_open}><summary>{title}</summary>{_lines(told)}</details>", summary]

    def _plain(self) -> str:
        lines = [self._title, *self._body, *(self._summary or ())]
        return "\n".join(
            [*(Text.from_ansi(line).plain for line in lines), *filter(None, [self.draw().plain])]
        )


class _Sheet(StringIO):
    """Takes colours, as a terminal does; what is drawn is kept elsewhere."""

    def isatty(self) -> bool:
        """Yes: lines are painted."""
        return True


def _lines(lines: Any) -> str:
    return _pre(Text("\n").join(map(Text.from_ansi, lines)))


def _pre(text: Text) -> str:
    return f'<pre style="{PRE}">{_spans(text)}</pre>'


_PALETTE = Console(file=StringIO(), width=10_000)


def _spans(text: Text) -> str:
    """Painted text as HTML in which everything is escaped."""
    return "".join(_span(segment.text, segment.style) for segment in text.render(_PALETTE))


def _span(text: str, style: Any) -> str:
    css = []
    if style is not None:
        hue = HUES.get(style.color.number) if style.color is not None else None
        css += ["opacity:.65"] if style.dim else []
        css += ["font-weight:600"] if style.bold else []
        css += [f"color:{hue}"] if hue else []
    return f'<span style="{";".join(css)}">{escape(text)}</span>' if css else escape(text)
