"""The door to wherever an index lies: a folder now, a bucket with conditional writes the same way.

Names are relative paths with `/` between their parts ("pool/churn/churn-1.0-py3-none-any.whl"). Whatever implements
`Files` raises `NoChannels` where the place itself is gone, `ChannelsUnusable`, `ChannelsBusy` or `DiskFull` where
it cannot be used, and never leaves half of a file under a name.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, Protocol

ABSENT = ""
"""The token of a file that is not there."""


class Content(NamedTuple):
    """What a file holds, and a token that another content of the same name does not have."""

    data: bytes
    token: str


class Change(NamedTuple):
    """A file is to hold `data`, if it is still the one with the token `unchanged` (`ABSENT`: none)."""

    name: str
    data: bytes
    unchanged: str


class Files(Protocol):
    """The files of an index."""

    @property
    def where(self) -> str:
        """The place as a person would write it."""
        ...

    def make(self) -> None:
        """Make the place itself where it is not there and can be made."""
        ...

    def read(self, name: str) -> Content | None:
        """A whole file, or None where there is none."""
        ...

    def blocks(self, name: str) -> Iterator[bytes] | None:
        """A file piece by piece, or None where there is none."""
        ...

    def names(self, below: str) -> list[str]:
        """All files below a folder ("": everywhere), sorted; none where there is no such folder."""
        ...

    def create(self, name: str, blocks: Iterable[bytes]) -> bool:
        """Make a file that is not there. False, and nothing done, where one is. What `blocks` raises ends it."""
        ...

    def replace(self, changes: Sequence[Change]) -> frozenset[str]:
        """Make changes in their order: the names of those that were not made, because another content was there.

        The first one decides: where it is not made, none is. Everything that can fail for want of room or of
        permission fails before the first one is made.
        """
        ...

    def delete(self, name: str, unchanged: str) -> bool:
        """Remove a file if it is still the one with this token; whether it was removed."""
        ...
