"""Graphs and curves as SVG: pure, one text each, to be put into a page as it is. Everything in it is escaped.

    graph(boxes(document))           a plan or a run, from the first step to the last
    curves([Series("train", xs, ys)])     numbers in a series, one line each
    bars([3, 8, 2])                  a histogram as small as a word

Colours are CSS variables with the colours of a light page behind them, so that a page can have its own.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape
from math import floor, isfinite, log10
from typing import NamedTuple

from stepwell.app.pictures import MARKS, Box, leaf

ACROSS = 7
"""Columns of steps up to which a graph goes from left to right; a longer one goes from top to bottom."""

LETTERS = 24
"""Characters of a name that are drawn; the whole one is shown where the pointer rests."""

WIDE, HIGH, BETWEEN, APART = 178, 40, 46, 14
"""Of a box its width and height, the room between columns of boxes, and that between boxes of one column."""

ROOM = 12

INK = {
    "run": "var(--ran, #2f7d4f)",
    "maybe": "var(--runs, #2864a8)",
    "dynamic": "var(--runs, #2864a8)",
    "cached": "var(--reused, #6b7280)",
    "skip": "var(--reused, #6b7280)",
    "blocked": "var(--failed, #b3261e)",
    "source": "var(--source, #7a5c00)",
    "step": "var(--ink, #1f2328)",
}
"""The colour of a box's mark and edge by its kind; the mark itself says the same without colour."""

LINES = (
    "var(--line-1, #2864a8)", "var(--line-2, #b45309)", "var(--line-3, #2f7d4f)", "var(--line-4, #9333a8)",
    "var(--line-5, #b3261e)", "var(--line-6, #0f766e)", "var(--line-7, #6d5b00)", "var(--line-8, #6b7280)",
)  # fmt: skip
"""The colours of curves, in their order."""


_HIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")


class Series(NamedTuple):
    """A curve: its name, where its points are, how far down and up what they stand for goes."""

    name: str
    xs: Sequence[float]
    ys: Sequence[float]
    low: Sequence[float] = ()
    high: Sequence[float] = ()


class _Spot(NamedTuple):
    """Where a box is: its layer, its place in it."""

    layer: int
    place: float


# ---------------------------------------------------------------------------- graphs


def graph(found: Sequence[Box], title: str = "") -> str:
    """Boxes (`pictures.boxes`) in layers, each behind what it needs; "" where there are none."""
    if not found:
        return ""
    layers = _layers(found)
    spots = _spots(found, layers)
    across = len(layers) <= ACROSS
    step = (WIDE + BETWEEN, HIGH + APART) if across else (WIDE + APART, HIGH + BETWEEN)
    corners = [
        (ROOM + spot.layer * step[0], ROOM + spot.place * step[1])
        if across
        else (ROOM + spot.place * step[0], ROOM + spot.layer * step[1])
        for spot in spots
    ]
    width = max(x for x, _ in corners) + WIDE + ROOM
    height = max(y for _, y in corners) + HIGH + ROOM
    lines = [
        _edge(corners[before], corners[i], across) for i, box in enumerate(found) for before in box.needs
    ]
    told = title or f"{len(found)} steps and sources"
    head = f'<svg viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" height="{height:.0f}" role="img" aria-label="{_text(told)}"'
    style = 'style="max-width:100%;height:auto;font:12px system-ui,sans-serif"'
    return "".join(
        [f'{head} xmlns="http://www.w3.org/2000/svg" {style}>', *lines, *map(_box, found, corners), "</svg>"]
    )


def _layers(found: Sequence[Box]) -> list[list[int]]:
    """Boxes by how many others are before them at most."""
    depth: list[int] = []
    for box in found:  # in execution order: what a box needs is known
        depth.append(1 + max((depth[before] for before in box.needs), default=-1))
    # A source stands right before the first that reads it, not far away at the beginning.
    for i, box in enumerate(found):
        if box.kind == "source":
            readers = [depth[j] for j, other in enumerate(found) if i in other.needs]
            depth[i] = max(min(readers, default=1) - 1, 0)
    layers: list[list[int]] = [[] for _ in range(max(depth) + 1)]
    for i, layer in enumerate(depth):
        layers[layer].append(i)
    return [layer for layer in layers if layer]


def _spots(found: Sequence[Box], layers: list[list[int]]) -> list[_Spot]:
    """Each box's place: near the middle of what it is joined to (barycentres, swept down and up)."""
    behind: list[list[int]] = [[] for _ in found]
    for i, box in enumerate(found):
        for before in box.needs:
            behind[before].append(i)
    place = {i: float(at) for layer in layers for at, i in enumerate(layer)}
    for sweep in range(6):
        down = sweep % 2 == 0
        for layer in layers if down else layers[::-1]:
            joined = {i: (found[i].needs if down else behind[i]) or (i,) for i in layer}
            layer.sort(key=lambda i: sum(place[one] for one in joined[i]) / len(joined[i]))
            place.update((i, float(at)) for at, i in enumerate(layer))
    most = max(map(len, layers))
    spots = [_Spot(0, 0.0)] * len(found)
    for number, layer in enumerate(layers):
        for at, i in enumerate(layer):
            spots[i] = _Spot(number, at + (most - len(layer)) / 2)
    return spots


def _edge(start: tuple[float, float], end: tuple[float, float], across: bool) -> str:
    """A line from one box to another, leaving and arriving straight."""
    if across:
        x, y, u, v = start[0] + WIDE, start[1] + HIGH / 2, end[0], end[1] + HIGH / 2
        half = max((u - x) / 2, 16)
        path = f"M{x:g} {y:g}C{x + half:g} {y:g} {u - half:g} {v:g} {u:g} {v:g}"
    else:
        x, y, u, v = start[0] + WIDE / 2, start[1] + HIGH, end[0] + WIDE / 2, end[1]
        half = max((v - y) / 2, 16)
        path = f"M{x:g} {y:g}C{x:g} {y + half:g} {u:g} {v - half:g} {u:g} {v:g}"
    return f'<path d="{path}" fill="none" style="stroke:var(--edge, #9aa1ab)" stroke-width="1.3"/>'


def _box(box: Box, corner: tuple[float, float]) -> str:
    x, y = corner
    ink, name = INK[box.kind], leaf(box)
    dashed = ' stroke-dasharray="4 3"' if box.kind in ("skip", "maybe", "dynamic") else ""
    round_by = HIGH / 2 if box.kind == "source" else 6
    told = "" if box.kind == "source" else box.told
    line = y + (HIGH / 2 + 4 if not told else 17)
    parts = [
        f"<g><title>{_text(box.name)}{f': {_text(told)}' if told else ''}</title>",
        (
            f'<rect x="{x:g}" y="{y:g}" width="{WIDE}" height="{HIGH}" rx="{round_by:g}"{dashed} '
            f'style="fill:var(--paper, #fff);stroke:{ink}" stroke-width="1.4"/>'
        ),
        f'<text x="{x + 12:g}" y="{line:g}" style="fill:{ink}">{MARKS[box.kind]}</text>',
        f'<text x="{x + 28:g}" y="{line:g}" style="fill:var(--ink, #1f2328)">{_text(_cut(name))}</text>',
    ]
    if told:
        parts.append(
            f'<text x="{x + 28:g}" y="{y + 32:g}" style="fill:var(--faint, #59636e)" font-size="11">{_text(_cut(told, 26))}</text>'
        )
    return "".join([*parts, "</g>"])


# ---------------------------------------------------------------------------- curves


def curves(found: Sequence[Series], title: str = "", width: int = 420, height: int = 180) -> str:
    """Lines in one frame, with the least and greatest number on each side; "" where no number is finite."""
    points = [_finite(one) for one in found]
    xs = [x for one in points for x, *_ in one]
    ys = [y for one in points for _, *each in one for y in each]
    if not xs:
        return ""
    left, top, right, bottom = 58, 12, width - 10, height - 24
    x_from, x_to, y_from, y_to = min(xs), max(xs), *_padded(min(ys), max(ys))
    lines = []
    for i, one in enumerate(points):
        ink = LINES[i % len(LINES)]
        placed = [
            (
                _between(x, x_from, x_to, left, right),
                *(_between(value, y_from, y_to, bottom, top) for value in each),
            )
            for x, *each in one
        ]
        lines.append(_curve(placed, ink, found[i].name))
    names = " ".join([title, *(one.name for one in found)])
    labels = [
        _label(left - 6, top + 8, tick(y_to), "end"),
        _label(left - 6, bottom, tick(y_from), "end"),
        _label(left, height - 8, tick(x_from), "start"),
        _label(right, height - 8, tick(x_to), "end"),
    ]
    frame = f'<path d="M{left} {top}V{bottom}H{right}" fill="none" style="stroke:var(--edge, #9aa1ab)"/>'
    return (
        f'<svg viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" aria-label="{_text(names)}"'
        f' xmlns="http://www.w3.org/2000/svg" style="max-width:100%;height:auto;font:11px system-ui,sans-serif">'
        f"{frame}{''.join(labels)}{''.join(lines)}</svg>"
    )


def _finite(one: Series) -> list[tuple[float, ...]]:
    """The points of a curve whose numbers are finite: (x, y, low, high)."""
    low, high = one.low or one.ys, one.high or one.ys
    each = zip(map(float, one.xs), map(float, one.ys), map(float, low), map(float, high), strict=True)
    return [point for point in each if all(map(isfinite, point))]


def _curve(placed: Sequence[tuple[float, ...]], ink: str, name: str) -> str:
    if len(placed) == 1:
        x, y, *_ = placed[0]
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" style="fill:{ink}"><title>{_text(name)}</title></circle>'
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y, *_ in placed)
    band = ""
    if any(low != high for _, _, low, high in placed):
        around = [f"{x:.1f},{high:.1f}" for x, _, _, high in placed]
        around += [f"{x:.1f},{low:.1f}" for x, _, low, _ in reversed(placed)]
        band = f'<polygon points="{" ".join(around)}" style="fill:{ink}" opacity="0.18"/>'
    return (
        f'<g><title>{_text(name)}</title>{band}<polyline points="{line}" fill="none" style="stroke:{ink}"'
        ' stroke-width="1.6" stroke-linejoin="round"/></g>'
    )


def _padded(low: float, high: float) -> tuple[float, float]:
    """Numbers around some others, not equal."""
    if low == high:
        room = abs(low) * 0.1 or 1.0
        return low - room, high + room
    return low, high


def _between(value: float, low: float, high: float, start: float, end: float) -> float:
    share = (
        0.5 if high == low else (value / 2 - low / 2) / (high / 2 - low / 2)
    )  # their difference may be infinite
    return start + share * (end - start)


def _label(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}" style="fill:var(--faint, #59636e)">{_text(text)}</text>'


def tick(value: float) -> str:
    """A number in few characters: 0.0123, 1.2e-07, 35,000."""
    if not isfinite(value):
        return str(value)
    if value == floor(value) and abs(value) < 1e6:
        return f"{value:,.0f}"
    size = log10(abs(value))
    return f"{value:.3g}" if -4 < size < 6 else f"{value:.2e}"


def bars(counts: Sequence[float], width: int = 84, height: int = 18) -> str:
    """A histogram without a frame, for a line of text; "" where there is nothing to draw."""
    most = max(counts, default=0)
    if not most or len(counts) < 2:
        return ""
    wide = width / len(counts)
    parts = [
        f'<rect x="{i * wide:.1f}" y="{height - high:.1f}" width="{max(wide - 0.6, 0.4):.1f}" height="{high:.1f}"/>'
        for i, high in (
            (i, max(count / most * height, 1.0 if count else 0.0)) for i, count in enumerate(counts)
        )
    ]
    return (
        f'<svg viewBox="0 0 {width} {height}" width="{width}" height="{height}" aria-hidden="true"'
        f' xmlns="http://www.w3.org/2000/svg" style="fill:var(--bar, #8aa4c8)">{"".join(parts)}</svg>'
    )


def _cut(text: str, most: int = LETTERS) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def _text(text: str) -> str:
    """Text as XML holds it, also between quotes; characters that command or reorder shown as codes."""
    return escape(visible(text), quote=True)


def visible(text: str) -> str:
    """Text without characters that command a terminal, reorder a line or are not in XML: they are shown as codes."""
    return _HIDDEN.sub(lambda found: f"\\x{ord(found[0]):02x}", text.replace("\r\n", "\n"))
