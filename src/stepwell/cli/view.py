"""Which view shows a run: live on a terminal and in a notebook, lines elsewhere. What `app` asks for by name (`app.driving.VIEW`)."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from stepwell.author.shell import in_kernel
from stepwell.cli.dryrun import plan_text
from stepwell.cli.screen import Lines, View
from stepwell.cli.text import clean
from stepwell.kernel.plan import Plan

if TYPE_CHECKING:
    from stepwell.app.session import Work

__all__ = ["note", "plan_text", "view"]


def note(text: str) -> None:
    """Tell something about a run that is not part of it, on standard error."""
    print(f"note: {clean(text)}", file=sys.stderr)


@contextmanager
def view(
    plan: Plan, *, json: bool = False, plain: bool = False, work: Work | None = None, jobs: int = 0
) -> Iterator[View]:
    """The view that fits where output goes: live on a terminal and in a cell, lines elsewhere; on stderr with `json`.

    `plain`: lines in any case, because steps run in this process and may ask something on the terminal. `work` is what is
    run, with which the run before it and what steps usually take are known; `jobs` how many steps run at once (0: one a
    processor).
    """
    stream = sys.stderr if json else sys.stdout
    lively = (
        stream.isatty()
        and not plain
        and not any(os.environ.get(name) for name in ("CI", "NO_COLOR"))
        and os.environ.get("TERM") != "dumb"
    )
    store = work.store if work is not None else None
    within = not (json or plain) and in_kernel()
    if not lively and not within:
        with closing(Lines(plan, stream, quiet=json, store=store, beating=not plain)) as lines:
            yield lines
        return
    from stepwell.app.pace import Pace

    pace = Pace(plan, jobs, work.learnt() if work is not None else None)
    if within:
        from stepwell.cli.cell import InCell

        with InCell(plan, pace, store=store) as cell:
            yield cell
        return
    from stepwell.cli.live import Live  # draws with rich, which costs 100 ms: only where somebody looks

    with Live(plan, stream, pace, quiet=json, store=store) as live:
        yield live
