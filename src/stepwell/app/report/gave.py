"""What the steps of a run recorded and gave, as parts of a page: curves, figures, tables, cards, texts."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from stepwell.app import svg
from stepwell.app.report.facts import Line, Thing
from stepwell.app.report.layout import section, short, table
from stepwell.app.report.markup import Markup, el, joined
from stepwell.app.report.words import figure, heavy
from stepwell.errors import counted

LOW = 1500
"""Bytes of HTML below which a card has a low frame."""


def curves(lines: Sequence[Line]) -> Markup | None:
    """A frame for each name, a line in it for each step that recorded it."""
    found = []
    for name, group in groupby(lines, key=lambda line: line.name):
        each = list(group)
        series = [
            svg.Series(one.step, one.points.steps, one.points.values, one.points.low, one.points.high)
            for one in each
        ]
        drawn = svg.curves(series, name)
        if drawn:
            legend = [
                el(
                    "span",
                    el("span", class_="key", style=f"background:{svg.LINES[i % len(svg.LINES)]}"),
                    one.step,
                )
                for i, one in enumerate(each)
            ]
            found.append(
                el(
                    "figure",
                    el("figcaption", el("strong", name)),
                    Markup(drawn),
                    el("p", legend, class_="line small faint"),
                )
            )
    return section("Curves", el("div", found, class_="figures")) if found else None


def figures(things: Sequence[Thing]) -> Markup | None:
    """Pictures, as `data:`; charts that only a script could draw are named."""
    found = [el("figure", el("figcaption", _named(one)), held(one)) for one in _shown(things, "image")]
    found += [_thing(one, held(one)) for one in _shown(things, "vega")]
    return section("Figures", el("div", found, class_="figures")) if found else None


def tables(things: Sequence[Thing]) -> Markup | None:
    """The heads of tables."""
    found = [_thing(one, held(one)) for one in _shown(things, "table")]
    return section("Tables", found) if found else None


def held(one: Thing) -> Markup:
    """What is in a thing, of whatever kind it is: a picture, the head of a table, a text, a model in words.

    HTML of the user's own is only named, since what shows it must keep it from running and asking the net.
    """
    if one.left:
        return el("p", one.left, class_="faint")
    match one.preview.get("kind"):
        case "image":
            address = f"data:{one.type};base64,{base64.b64encode(one.data).decode('ascii')}"
            return el("img", src=address, alt=f"{one.name or 'picture'} of {one.step}")
        case "vega":
            return el("p", "an interactive chart, which `stepwell ui` draws", class_="faint")
        case "html":
            return el("p", "HTML of its own, which `stepwell ui` and `stepwell report` show", class_="faint")
        case "table":
            return _grid(one.preview)
        case "text" | "json" | "array" | "model" | "files":
            return _told(one.preview)
    return el("p", one.preview.get("why") or f"{one.preview.get('size', 0):,} bytes", class_="faint")


def _grid(table: Mapping[str, Any]) -> Markup:
    """The head of a table: names, types, a histogram each, some rows."""
    columns, shown = table["columns"][:40], table["head"]
    numbers = [[row[i] for row in shown if row[i] is not None] for i in range(len(columns))]
    right = {i for i, each in enumerate(numbers) if each and all(type(one) in (int, float) for one in each)}
    names = [
        el(
            "th",
            column["name"],
            el("br"),
            el("span", column["type"], class_="faint small"),
            scope="col",
            class_="num" if i in right else None,
        )
        for i, column in enumerate(columns)
    ]
    drawn = [
        el(
            "td",
            Markup(svg.bars((column["histogram"] or {}).get("counts", ()))),
            class_="num" if i in right else None,
        )
        for i, column in enumerate(columns)
    ]
    rows = [
        el(
            "tr",
            [el("td", _cell(cell), class_="num" if i in right else None) for i, cell in enumerate(row[:40])],
        )
        for row in shown
    ]
    more = f", the first {len(columns)} columns" if len(columns) < len(table["columns"]) else ""
    caption = f"{counted(table['rows'], 'row')} × {counted(len(table['columns']), 'column')}; the first {counted(len(shown), 'row')}{more}"
    inner = el(
        "table",
        el("caption", caption),
        el("thead", el("tr", names)),
        el("tbody", el("tr", drawn), rows),
        class_="grid",
    )
    return el("div", inner, class_="scroll", tabindex="0", role="group", aria_label=caption)


def _cell(value: Any) -> object:
    if value is None:
        return el("span", "–", class_="faint")
    if type(value) is float:
        return figure(value)
    return short(value, 80)


def cards(things: Sequence[Thing]) -> Markup | None:
    """What steps wrote as HTML, each in a frame without any rights."""
    found = [
        _thing(
            one,
            el(
                "iframe",
                sandbox="",
                srcdoc=Markup(one.data.decode("utf-8", "replace")),
                title=f"{one.name or one.kind} of {one.step}",
                loading="lazy",
                class_="low" if len(one.data) < LOW else None,
            ),
        )
        for one in _shown(things, "html")
    ]
    return section("Cards", found) if found else None


def texts(things: Sequence[Thing]) -> Markup | None:
    """Texts, values, models, arrays: what is told in words."""
    found = [
        _thing(one, el("pre", one.text, class_="wrapped", tabindex="0"))
        for one in things
        if one.text and not one.left
    ]
    found += [_thing(one, held(one)) for one in _shown(things, "text", "json", "array", "model", "files")]
    return section("Texts and values", found) if found else None


def _told(shown: Mapping[str, Any]) -> Markup:
    """A preview in words."""
    from json import dumps

    match shown["kind"]:
        case "text":
            return el("pre", shown["text"][:20_000], class_="wrapped", tabindex="0")
        case "json":
            return el(
                "pre",
                dumps(shown["value"], indent=1, ensure_ascii=False)[:20_000],
                class_="wrapped",
                tabindex="0",
            )
        case "model":
            facts = [(name, value) for name, value in [*shown["facts"], *shown["params"][:40]]]
            return joined(
                [
                    el("p", el("strong", shown["title"])),
                    table(("what", "value"), facts, caption=shown["title"]),
                ]
            )
        case "files":
            files = [(one["name"], heavy(one["size"])) for one in shown["files"][:50]]
            return table(("file", "size"), files, numeric=(1,))
    stats = [(name, figure(value)) for name, value in shown["stats"].items()]
    told = el("p", f"{shown['dtype']} {' × '.join(map(str, shown['shape'])) or 'alone'}")
    return joined([told, table(("what", "value"), stats, numeric=(1,), caption="values")]) if stats else told


def _named(thing: Thing) -> list[object]:
    """What stands above a thing: its name and place, the step that it is from."""
    place = f" {thing.place}" if thing.place is not None else ""
    name = f"{thing.name}{place}".strip()
    return (
        [el("strong", name), " ", el("span", thing.step, class_="faint")]
        if name
        else [el("strong", thing.step)]
    )


def _shown(things: Sequence[Thing], *kinds: str) -> list[Thing]:
    return [one for one in things if not one.left and one.preview.get("kind") in kinds]


def _thing(one: Thing, *children: object) -> Markup:
    return el("div", el("h3", _named(one)), *children, class_="thing")
