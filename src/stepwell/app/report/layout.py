"""The pieces that every part of a report is made of."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from stepwell.app.plaindata import plain
from stepwell.app.report.markup import Markup, el


def section(name: str, *children: object) -> Markup:
    """A part of the report under its heading."""
    return el("section", el("h2", name), *children)


def table(
    head: Sequence[str], rows: Iterable[Sequence[object]], numeric: Iterable[int] = (), caption: str = ""
) -> Markup:
    """A table; the columns in `numeric` are set to the right."""
    right = {*numeric}
    top = [el("th", name, scope="col", class_="num" if i in right else None) for i, name in enumerate(head)]
    body = [
        el("tr", [el("td", cell, class_="num" if i in right else None) for i, cell in enumerate(row)])
        for row in rows
    ]
    told = el("caption", caption) if caption else None
    inner = el("table", told, el("thead", el("tr", top)), el("tbody", body))
    return el(
        "div", inner, class_="scroll", tabindex="0", role="group", aria_label=caption or ", ".join(head)
    )


def short(value: object, most: int = 300) -> str:
    """A value on one line, cut."""
    found = plain(value)
    text = found if isinstance(found, str) else repr(found)
    return text if len(text) <= most else text[: most - 1] + "…"
