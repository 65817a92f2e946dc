"""Which view shows a run: live on a terminal, lines elsewhere. What `app` asks for by name (`app.calls.VIEW`)."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from stepwell.cli.dryrun import plan_text
from stepwell.cli.screen import Lines, View
from stepwell.cli.text import clean
from stepwell.kernel.plan import Plan

__all__ = ["note", "plan_text", "view"]


def note(text: str) -> None:
    """Tell something about a run that is not part of it, on standard error."""
    print(f"note: {clean(text)}", file=sys.stderr)


@contextmanager
def view(
    plan: Plan, *, json: bool = False, expected: dict[str, float] | None = None, plain: bool = False
) -> Iterator[View]:
    """The view that fits where output goes: live on a terminal, lines elsewhere; on stderr with `json`.

    `plain`: lines in any case, because steps run in this process and may ask something on the terminal.
    """
    stream = sys.stderr if json else sys.stdout
    lively = (
        stream.isatty()
        and not plain
        and not any(os.environ.get(name) for name in ("CI", "NO_COLOR"))
        and os.environ.get("TERM") != "dumb"
    )
    if not lively:
        yield Lines(plan, stream, quiet=json)
        return
    from stepwell.cli.live import Live  # draws with rich, which costs 100 ms: only where somebody looks

    with Live(plan, stream, expected or {}, quiet=json) as live:
        yield live
