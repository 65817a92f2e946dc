"""Reasons as the page gets them, `Reason` of `page/src/api.ts`, and JSON that the store keeps."""

from __future__ import annotations

from collections.abc import Iterable
from json import loads
from typing import Any

from stepwell.app.documents import diff, reason_document
from stepwell.errors import StoreDamaged
from stepwell.kernel.plan import Reason
from stepwell.ui.asked import Here

Document = dict[str, Any]

SHOWN_DIFF = 200_000
"""Characters of a diff that are shown."""

DIFFS = 2_000_000
"""Characters of all diffs of one answer."""


class Reasons:
    """Reasons as the page gets them, those about code with their diffs; many steps may have one and the same.

    Diffs are told as long as they are not `DIFFS` characters together.
    """

    def __init__(self, here: Here) -> None:
        self._text_of = here.store.results.definition
        self._diffs: dict[Reason, str | None] = {}
        self._left = DIFFS

    def shown(self, reasons: Iterable[Reason]) -> list[Document]:
        """The reasons of one step."""
        return [self._one(one) for one in reasons]

    def _one(self, one: Reason) -> Document:
        out = reason_document(one)
        if one.kind == "code":
            if one not in self._diffs:
                self._diffs[one] = (diff(one, self._text_of) or "")[:SHOWN_DIFF] or None
            told = self._diffs[one]
            self._left -= len(told or "")
            out["diff"] = told if self._left >= 0 else None
        return out


def kept(text: str, what: str) -> Any:
    """JSON that the store keeps, as plain data. Raises `StoreDamaged` where it is none; `what` says what it is of."""
    try:
        return loads(text)
    except (ValueError, TypeError) as error:
        raise StoreDamaged(
            f"{what} is damaged in the store", why=f"it is no JSON: {error}", fixes=["stepwell verify"]
        ) from None


def ids(here: Here, run: str) -> list[str]:
    """The ids of the steps of a run, by node. Raises `StoreDamaged`."""
    found = here.store.database.row(
        "SELECT text FROM texts WHERE digest = (SELECT nodes FROM runs WHERE id = ?)", (int(run[1:]),)
    )
    return [node[0] for node in kept(found[0], f"the graph of {run}")] if found is not None else []
