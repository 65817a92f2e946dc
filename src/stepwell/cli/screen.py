"""Runs as people see them: the lines of a run. A plan is shown by `dryrun`, the live view on a terminal is `live`.

A run is shown by a view: `begin(run)`, `see(event, progress)` for each event, `end(run, progress, result)`.
"""

from __future__ import annotations

import sys
import time
from io import StringIO
from typing import Any, Protocol, TextIO

from stepwell.app.plaindata import plain
from stepwell.app.progress import Outcome, Progress
from stepwell.cli.text import (
    clean,
    first_line,
    given,
    last_line,
    last_words,
    number,
    paint,
    pairs,
    seconds,
    short,
    silence,
    table,
)
from stepwell.kernel.events import (
    Event,
    StepBlocked,
    StepFailed,
    StepFinished,
    StepGrew,
    StepInterrupted,
    StepRepaired,
    StepRetried,
    StepReused,
)
from stepwell.kernel.graph import DYNAMIC
from stepwell.kernel.plan import Plan
from stepwell.kernel.ports import Failure, Said

MARK = {
    "succeeded": ("✓", "green"),
    "failed": ("✗", "red"),
    "cached": ("·", "dim"),
    "blocked": ("-", "red"),
    "skipped": ("-", "dim"),
    "interrupted": ("!", "yellow"),
}
_ENDS = (StepFinished, StepReused, StepFailed, StepBlocked, StepInterrupted)

MANY = 40
"""Steps above which a run shows only what is of interest."""


def title(plan: Plan, stream: TextIO | None = None) -> str:
    """The pipeline and its parameters on one line; painted if the stream (stdout) shows colours."""
    graph = plan.graph
    params = given({name: plain(value) for name, value, _ in graph.params})
    return paint(clean(graph.pipeline), "bold", stream) + (f"  {params}" if params else "")


class View(Protocol):
    """Shows a run."""

    def begin(self, run: str) -> None:
        """The run has an id now."""

    def see(self, event: Event, progress: Progress) -> None:
        """The next event; `progress` has seen it already."""

    def end(self, run: str, progress: Progress, result: Any) -> None:
        """The run has ended; `result` is what the pipeline returned, as plain data."""


class Lines:
    """A run as lines: one for each step that ended, and what steps print as it comes."""

    def __init__(self, plan: Plan, stream: TextIO, *, quiet: bool = False) -> None:
        self.plan = plan
        self.stream = stream
        self.quiet = quiet
        self.width = min(32, max((len(node.id) for node in plan.graph.nodes), default=0))
        self.partial: dict[tuple[int, str], str] = {}
        self.told = 0
        self.reused = 0
        self.shown_at = time.monotonic()
        self.deaf = False

    def begin(self, run: str) -> None:
        """Print the pipeline, its parameters and the run."""
        self.put(first_line(title(self.plan, self.stream), run, self.stream))

    def see(self, event: Event, progress: Progress) -> None:
        """Print what the event is worth."""
        if isinstance(event, StepReused) and progress.total > MANY:
            self.reused += 1
        elif isinstance(event, _ENDS):
            if self.partial:
                self._flush(event.node)
            self._ended(event.node, progress.outcomes[event.node], progress)
        elif isinstance(event, Said):
            self._said(event)
        elif isinstance(event, StepRepaired):
            self.put(f"  ! {clean(self.id(event.node))}: {clean(event.why)}; it runs again")
        elif isinstance(event, StepRetried):
            self._flush(event.node)
            self._retried(event)
        elif isinstance(event, StepGrew):
            self._grew(event)

    def end(self, run: str, progress: Progress, result: Any) -> None:
        """Print the summary."""
        if self.reused:
            self.put(f"  · {self.reused:,} {'step is' if self.reused == 1 else 'steps are'} up to date")
        for line in summary(run, progress, result, self.stream, quiet=self.quiet):
            self.put(line)

    def put(self, line: str) -> None:
        """Print a line. A run goes on when nobody reads what it says any more."""
        if self.deaf:
            return
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
        if progress.total > MANY and outcome.status in ("succeeded", "blocked", "interrupted"):
            self.told += 1
            if self.told > MANY:
                if time.monotonic() - self.shown_at > 2:
                    self.shown_at = time.monotonic()
                    self.put(f"  … {len(progress.outcomes):,} of {progress.total:,}")
                return
        self.put(step_line(self.id(node), outcome, self.width, self.stream))
        lost = [reason.text for reason in outcome.decision.reasons if reason.kind == "missing"]
        for note in [*(f"{text}, so it ran again" for text in lost), *outcome.notes]:
            self.put(f"      note: {clean(note)}")
        if outcome.failure is not None:
            for line in failure_lines(outcome.failure, self.stream):
                self.put(f"    {line}")

    def _grew(self, event: StepGrew) -> None:
        """A dynamic call became steps: how many, of which kinds."""
        name, self.plan = self.id(event.node), event.plan
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
        lines.reused = progress.total
    else:
        for node in sorted(progress.outcomes):
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


def summary(
    run: str, progress: Progress, result: Any, stream: TextIO | None = None, *, quiet: bool = False
) -> list[str]:
    """The last lines of a run: result, counts, what to do next."""
    statuses: dict[str, int] = {}
    for outcome in progress.outcomes.values():
        statuses[outcome.status] = statuses.get(outcome.status, 0) + 1
    ran = statuses.get("succeeded", 0) + statuses.get("failed", 0)
    lines = []
    if result is not None and not quiet:
        lines += _result_lines(result)
    parts = [f"{ran:,} ran", f"{statuses.get('cached', 0):,} cached"]
    parts += [
        f"{statuses[word]:,} {word}"
        for word in ("failed", "blocked", "interrupted", "skipped")
        if statuses.get(word)
    ]
    lines.append(last_line(run, progress.status, progress.seconds, ", ".join(parts), stream))
    if progress.status == "interrupted":
        lines.append("resume with the same command: what is done is kept")
    return lines


def _result_lines(result: Any) -> list[str]:
    if not isinstance(result, dict):
        return [f"result  {_shown(result, 200)}"]
    lines = []
    for name, value in result.items():
        if isinstance(value, dict):
            rows = table([[clean(str(key)), _shown(item)] for key, item in value.items()])
            lines += [clean(str(name)), *(f"  {row}" for row in rows)]
        elif value is not None:
            lines.append(f"{clean(str(name))}  {_shown(value)}")
    return lines if len(lines) <= 30 else [*lines[:30], f"… {len(lines) - 30} more"]


def _shown(value: object, width: int = 60) -> str:
    return number(value) if isinstance(value, int | float) else short(value, width)
