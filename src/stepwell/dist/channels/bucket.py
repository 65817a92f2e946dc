"""The files of an index in a bucket that speaks the S3 API (`sources.buckets`), with conditional writes in place of a lock.

- "Replace if unchanged" is a conditional write of one object, which the server decides: of two writers one is first. The token
  of a file is the server's own (ETag, and version where the bucket keeps versions).
- Changes that belong together are made one after the other. Where the connection breaks between them, the log is
  written and pages are behind, as after a crash: the next change of the channel, or `rebuild`, writes them.
- There is no conditional removal: only pages that no log gives are ever removed, by `rebuild`.
- A wheel is written in one piece, so that it is there whole or not at all.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Sequence

from stepwell.dist.channels.files import ABSENT, Change, Content
from stepwell.errors import NotThere, ObjectChanged
from stepwell.sources.buckets import Bucket

HELD = 16 << 20
"""Bytes of a wheel that are held in memory before the disk is used, until all of it is known to be right."""


class BucketFiles:
    """Implements `files.Files` for a bucket, or for what lies below a prefix of one."""

    def __init__(self, address: str) -> None:
        self._bucket = Bucket(address)

    @property
    def where(self) -> str:
        """The bucket's address."""
        return self._bucket.address

    def make(self) -> None:
        """Nothing: buckets are made where access to them is given."""

    def read(self, name: str) -> Content | None:
        """See `Files`."""
        try:
            found = self._bucket.read(name)
            return Content(found.whole(), found.token)
        except NotThere:
            return None

    def blocks(self, name: str) -> Iterator[bytes] | None:
        """See `Files`."""
        try:
            return self._bucket.read(name).blocks
        except NotThere:
            return None

    def names(self, below: str) -> list[str]:
        """See `Files`. What begins with a dot is nobody's business."""
        found = [one.name for one in self._bucket.list(f"{below}/" if below else "")]
        return sorted(name for name in found if not any(part.startswith(".") for part in name.split("/")))

    def create(self, name: str, blocks: Iterable[bytes]) -> bool:
        """See `Files`."""
        with tempfile.SpooledTemporaryFile(max_size=HELD) as spool:
            for block in blocks:
                spool.write(block)
            spool.seek(0)
            return self._written(name, spool.read(), ABSENT)

    def replace(self, changes: Sequence[Change]) -> frozenset[str]:
        """See `Files`; but what fails for want of permission may fail after the first change was made."""
        first, *rest = changes
        if not self._written(first.name, first.data, first.unchanged):
            return frozenset(change.name for change in changes)
        return frozenset(
            change.name for change in rest if not self._written(change.name, change.data, change.unchanged)
        )

    def delete(self, name: str, unchanged: str) -> bool:
        """See `Files`; somebody who writes it in the same moment may lose that."""
        found = self.read(name)
        if found is None or unchanged == ABSENT or found.token != unchanged:
            return False
        self._bucket.delete(name)
        return True

    def _written(self, name: str, data: bytes, unchanged: str) -> bool:
        try:
            self._bucket.put_if(name, data, unchanged or None)
        except ObjectChanged:
            return False
        return True
