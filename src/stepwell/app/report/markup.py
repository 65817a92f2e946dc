"""HTML that cannot be written unescaped: texts become markup only through `el`, which escapes them."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from stepwell.app.svg import visible

_EMPTY = frozenset(("br", "hr", "img", "meta", "col"))


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


def el(tag: str, /, *children: object, **attributes: object) -> Markup:
    """An element with its children: texts are escaped, markup is not, None is left out, lists are taken apart.

    Attributes of Python's own names have a line behind (`class_`), a dash is one too (`aria_label`); one that is True
    stands without a value, one that is None or False is left out. Markup is a whole page of its own there (`srcdoc`),
    and only escaped.
    """
    given = "".join(
        _attribute(key, value)
        for key, value in attributes.items()
        if value is not None and value is not False
    )
    if tag in _EMPTY:
        return Markup(f"<{tag}{given}>")
    return Markup(f"<{tag}{given}>{''.join(_flat(children))}</{tag}>")


def _attribute(key: str, value: object) -> str:
    name = key.rstrip("_").replace("_", "-")
    text = value if isinstance(value, Markup) else visible(str(value))
    return f" {name}" if value is True else f' {name}="{escape(text, quote=True)}"'


def _flat(children: Iterable[object]) -> Iterable[str]:
    for child in children:
        if isinstance(child, Markup):
            yield child
        elif isinstance(child, str):
            yield escape(visible(child), quote=False)
        elif isinstance(child, Iterable):
            yield from _flat(child)
        elif child is not None:
            yield escape(str(child), quote=False)


def joined(parts: Iterable[Markup]) -> Markup:
    """Several pieces of markup as one."""
    return Markup("".join(parts))
