"""Runs as people see them: the lines of a run. A plan is shown by `dryrun`, the live view on a terminal is `live`.

A run is shown by a view: `begin(run)`, `see(event, progress)` for each event, `end(run, progress, result)`.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from io import StringIO
from typing import TYPE_CHECKING, Any, Protocol, TextIO

from stepwell.app.plaindata import plain
from stepwell.app.progress import ENDS, Outcome, Progress
from stepwell.cli.crowd import MANY, Crowd
from stepwell.cli.ending import summary
from stepwell.cli.text import (
    clean,
    first_line,
    given,
    last_words,
    paint,
    pairs,
    seconds,
    short,
    silence,
)
from stepwell.kernel.events import (
    Event,
    StepGrew,
    StepRepaired,
    StepRetried,
    StepStarted,
)
from stepwell.kernel.graph import DYNAMIC
from stepwell.kernel.plan import Plan
from stepwell.kernel.ports import Failure, Recorded, Said

if TYPE_CHECKING:
    from stepwell.app.pace import Far
    from stepwell.cli.beat import Beat
    from stepwell.stores.local import LocalStore

MARK = {
    "succeeded": ("✓", "green"),
    "failed": ("✗", "red"),
    "cached": ("·", "dim"),
    "blocked": ("-", "red"),
    "skipped": ("-", "dim"),
    "interrupted": ("!", "yellow"),
}


def title(plan: Plan, stream: TextIO | None = None) -> str:
    """The pipeline and its parameters on one line; painted if the stream (stdout) shows colours."""
    graph = plan.graph
    params = given({name: plain(value) for name, value, _ in graph.params})
    return paint(clean(graph.pipeline), "bold", stream) + (f"  {params}" if params else "")


class View(Protocol):
    """Shows a run."""

    def points(self, labels: Sequence[str]) -> None:
        """What is run are several points of a sweep; the ids of their steps begin with these labels. Told before `begin`."""

    def begin(self, run: str) -> None:
        """The run has an id now."""

    def see(self, event: Event, progress: Progress) -> None:
        """The next event; `progress` has seen it already."""

    def end(self, run: str, progress: Progress, result: Any) -> None:
        """The run has ended; `result` is what the pipeline returned, as plain data."""


class Lines:
    """A run as lines: one for each step that ended, and what steps print as it comes.

    With `store`, the summary says how the run differs from the one before. With `beating`, a line says what is going on
    where nothing else has been said for a while.
    """

    def __init__(
        self,
        plan: Plan,
        stream: TextIO,
        *,
        quiet: bool = False,
        store: LocalStore | None = None,
        beating: bool = False,
    ) -> None:
        self.plan = plan
        self.stream = stream
        self.quiet = quiet
        self.store = store
        self.beating = beating
        self.width = min(32, max((len(node.id) for node in plan.graph.nodes), default=0))
        self.partial: dict[tuple[int, str], str] = {}
        self.crowd: Crowd | None = None
        self.shown_at = self.spoke_at = time.monotonic()
        self.deaf = False
        self.done, self.total = 0, len(plan.decisions)
        self.began: dict[int, float] = {}
        self.told_far: dict[int, Far] = {}
        self.beat: Beat | None = None

    def close(self) -> None:
        """Nothing is said any more."""
        if self.beat is not None:
            self.beat.stop()
            self.beat = None

    def points(self, labels: Sequence[str]) -> None:
        """Points are told apart by the ids of their steps."""

    def begin(self, run: str) -> None:
        """Print the pipeline, its parameters and the run."""
        self.put(first_line(title(self.plan, self.stream), run, self.stream))
        if self.beating:
            from stepwell.cli.beat import Beat

            self.beat = Beat(self._alive, lambda: self.spoke_at)

    def see(self, event: Event, progress: Progress) -> None:
        """Print what the event is worth."""
        if isinstance(event, ENDS):
            self.began.pop(event.node, None)
            if self.partial:
                self._flush(event.node)
            self._ended(event.node, progress.outcomes[event.node], progress)
        elif isinstance(event, Said):
            self._said(event)
        elif isinstance(event, StepStarted):
            self.began[event.node] = time.monotonic()
        elif isinstance(event, StepRepaired):
            self.put(f"  ! {clean(self.id(event.node))}: {clean(event.why)}; it runs again")
        elif isinstance(event, StepRetried):
            self._flush(event.node)
            self._retried(event)
        elif isinstance(event, StepGrew):
            self._grew(event)
            self.total = progress.total
        elif isinstance(event, Recorded) and self.beat is not None:
            self._far(event)
        self.done = len(progress.outcomes)

    def end(self, run: str, progress: Progress, result: Any) -> None:
        """Print the summary."""
        self.close()
        summed = self.crowd.lines(self.stream) if self.crowd is not None else []
        told = summary(run, progress, result, self.stream, quiet=self.quiet, store=self.store)
        for line in (*summed, *told):
            self.put(line)

    def put(self, line: str) -> None:
        """Print a line. A run goes on when nobody reads what it says any more."""
        if self.deaf:
            return
        self.spoke_at = time.monotonic()
        try:
            self.write(line)
        except OSError as error:
            self.deaf = True
            silence(self.stream)
            if not isinstance(error, BrokenPipeError) and self.stream is not sys.stderr:
                print(
                    f"note: what this run says cannot be written ({error.strerror}); it goes on",
                    file=sys.stderr,
                )

    def write(self, line: str) -> None:
        """Write a line to the stream."""
        self.stream.write(line + "\n")
        self.stream.flush()

    def id(self, node: int) -> str:
        """The id of a node."""
        return self.plan.graph.nodes[node].id

    def _ended(self, node: int, outcome: Outcome, progress: Progress) -> None:
        briefly = False
        if progress.total > MANY:
            crowd = self.crowd = self.crowd or Crowd(self.plan)
            if outcome.status == "cached":
                crowd.reused += 1
                return
            if not crowd.tells(node, outcome):
                self._so_far(progress)
                return
            briefly = crowd.briefly
        self.put(step_line(self.id(node), outcome, self.width, self.stream))
        lost = [reason.text for reason in outcome.decision.reasons if reason.kind == "missing"]
        for note in [*(f"{text}, so it ran again" for text in lost), *outcome.notes]:
            self.put(f"      note: {clean(note)}")
        if outcome.failure is not None:
            lines = failure_lines(outcome.failure, self.stream)
            for line in lines[:1] if briefly else lines:
                self.put(f"    {line}")

    def _so_far(self, progress: Progress) -> None:
        """How many steps have ended, now and then."""
        if time.monotonic() - self.shown_at > 2:
            self.shown_at = time.monotonic()
            self.put(f"  … {len(progress.outcomes):,} of {progress.total:,}")

    def _alive(self) -> None:
        """What is going on, where nothing else has been said for a while."""
        from stepwell.cli.beat import beat_line

        now = time.monotonic()
        running = [
            (self.id(node), now - began, self.told_far.get(node)) for node, began in list(self.began.items())
        ]
        self.put(beat_line(self.done, self.total, running, time.strftime("%H:%M:%S")))

    def _far(self, event: Recorded) -> None:
        from stepwell.app.pace import far_of

        if (far := far_of(event)) is not None:
            self.told_far[event.node] = far

    def _grew(self, event: StepGrew) -> None:
        """A dynamic call became steps: how many, of which kinds."""
        name, self.plan = self.id(event.node), event.plan
        if self.crowd is not None:
            self.crowd.take(event.plan)
        graph = event.plan.graph
        kinds: dict[str, int] = {}
        for step in [graph.steps[node.step] for node in graph.nodes[event.first :]]:
            if step.kind != DYNAMIC:
                kinds[step.name] = kinds.get(step.name, 0) + 1
        told = ", ".join(f"{count} × {kind}" for kind, count in list(kinds.items())[:6]) or "nothing"
        told += f" and {len(kinds) - 6} more" if len(kinds) > 6 else ""
        self.put(f"  {paint('»', 'dim', self.stream)} {clean(name)} became {clean(told)}")

    def _retried(self, event: StepRetried) -> None:
        """An attempt failed, and there is another: what went wrong, and when it goes on."""
        mark = paint("↻", "yellow", self.stream)
        when = f" in {event.wait:g} s" if event.wait else ""
        told = short(clean(event.failure.what), 200)
        self.put(
            f"  {mark} {clean(self.id(event.node))}: attempt {event.attempt} failed: {told}; again{when}"
        )

    def _said(self, event: Said) -> None:
        key = (event.node, event.stream)
        *lines, rest = (self.partial.pop(key, "") + event.text).split("\n")
        if len(rest) > 8192:
            lines, rest = [*lines, rest], ""
        if rest:
            self.partial[key] = rest
        for line in lines:
            self._say(event.node, line)

    def _say(self, node: int, line: str) -> None:
        name = paint(f"{clean(self.id(node))} │", "dim", self.stream)
        self.put(f"  {name} {clean(last_words(line))[:2000]}")

    def _flush(self, node: int) -> None:
        for key in [key for key in self.partial if key[0] == node]:
            self._say(node, self.partial.pop(key))


def unchanged_lines(plan: Plan, run: str, progress: Progress, result: Any, stream: StringIO) -> list[str]:
    """What a run in which everything was reused shows between its first and its last line."""
    lines = Lines(plan, stream)
    if progress.total > MANY:
        lines.crowd = Crowd(plan)
        lines.crowd.reused = len(progress.outcomes)
    for node in progress.outcomes if lines.crowd is None else ():
        lines._ended(node, progress.outcomes[node], progress)
    lines.end(run, progress, result)
    return stream.getvalue().splitlines()[:-1]


def step_line(name: str, outcome: Outcome, width: int, stream: TextIO | None = None) -> str:
    """One line on a step that ended: mark, id, time or `cached`, metrics or what it gave."""
    mark, colour = MARK[outcome.status]
    padded = clean(name).ljust(width)
    if outcome.status == "cached":
        since = outcome.decision.result.run if outcome.decision.result is not None else ""
        word = "left as it is" if outcome.decision.reasons[0].kind == "kept" else "cached"
        when = f"{word}{f' ({since})' if since else ''}"
    elif outcome.status in ("succeeded", "failed"):
        when = seconds(outcome.seconds)
    else:
        when = outcome.status
    told = told_of(outcome)
    when = paint(when, "dim", stream) if outcome.status == "cached" else f"{when:<8}"
    line = f"  {paint(mark, colour, stream)} {padded}  {when}"
    return f"{line}  {told}".rstrip()


def told_of(outcome: Outcome) -> str:
    """What is worth telling of a step on its line."""
    if outcome.status in ("blocked", "interrupted"):
        return clean(outcome.decision.reasons[0].text) if outcome.status == "blocked" else ""
    if outcome.metrics:
        shown = list(outcome.metrics.items())
        return pairs(dict(shown[:6])) + (f"  … {len(shown) - 6} more" if len(shown) > 6 else "")
    notes = [a.note if a.name == "result" else f"{a.name}: {a.note}" for a in outcome.outputs if a.note]
    return short(", ".join(notes), 90)


def failure_lines(failure: Failure, stream: TextIO | None = None) -> list[str]:
    """A failure: what, why, the user's own traceback, what to type next."""
    lines = [paint(f"error[{failure.code}]", "red", stream) + f" {clean(failure.what)}"]
    if failure.why:
        lines.append(f"  why   {clean(failure.why)}")
    if failure.traceback:
        lines += [
            f"  {paint(clean(line), 'dim', stream)}" for line in failure.traceback.rstrip().splitlines()[-30:]
        ]
    lines += [f"  {'fix ' if i == 0 else '    '}  {clean(fix)}" for i, fix in enumerate(failure.fixes)]
    if failure.docs:
        lines.append(f"  docs  stepwell explain {failure.code}")
    return lines
