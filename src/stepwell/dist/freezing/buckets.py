"""Objects of a bucket, frozen: one by its key, those that a pattern matches, or all below a prefix that ends with `/`.

The position has the version of each object where the bucket keeps versions, else its ETag.
"""

from __future__ import annotations

from stepwell.dist.freezing import Frozen, Wanted
from stepwell.dist.freezing.files import is_within, refuse_none, refuse_undated
from stepwell.errors import CannotFreeze, InputChanged, NotThere
from stepwell.sources.address import is_glob, parse, shown
from stepwell.sources.buckets import Bucket, Entry, pattern
from stepwell.sources.content import listing
from stepwell.sources.kept import Shelf, receive

MOST = 1000
"""Objects whose versions a position lists."""


class Objects:
    """Objects of a bucket, as they are now."""

    def __init__(self, wanted: Wanted) -> None:
        self._wanted = wanted
        self._address = parse(wanted.uri)
        self._bucket = Bucket(f"s3://{self._address.package}")
        if wanted.by:
            raise CannotFreeze(
                f"rows of `{shown(wanted.uri)}` cannot be chosen by `{wanted.by}`",
                why="of a bucket whole objects are meant, by the dates in their names",
                fixes=[f"remove `by` from [data.{wanted.name}.freeze]"],
            )

    def materialise(self, shelf: Shelf) -> Frozen:
        """Fetch them. Raises `BucketRefused`, `NotThere`, `InputChanged`, `CannotFreeze`, and what goes wrong with the store."""
        path = self._address.path
        if not is_glob(path) and not path.endswith("/"):
            token, digest, size = self._fetched(path, shelf)
            refuse_none(size, self._wanted)
            return Frozen(digest, size, {"kind": "bucket", "object": token, **self._wanted.span})
        return self._many(path, shelf)

    def _many(self, path: str, shelf: Shelf) -> Frozen:
        wanted = self._wanted
        start = _fixed(path)
        matches = pattern(path).fullmatch
        found = [one for one in self._bucket.list(start) if matches(one.name)]
        if not found:
            raise NotThere(
                f"no object matches `{shown(wanted.uri)}`",
                why=f"the bucket has none that begins with `{start}` and fits",
                fixes=["`*` stays within a folder, `**/` goes down any number of them"],
            )
        names = {one.name: one.name[len(start) :] for one in found}
        if wanted.span:
            refuse_undated(list(names.values()), shown(wanted.uri))
            found = [one for one in found if is_within(names[one.name], wanted)]
        return self._kept(found, names, shelf)

    def _kept(self, found: list[Entry], names: dict[str, str], shelf: Shelf) -> Frozen:
        files, tokens, total = {}, {}, 0
        for one in found:
            token, files[names[one.name]], size = self._fetched(one.name, shelf)
            tokens[names[one.name]] = token
            total += size
        refuse_none(total, self._wanted)
        order = sorted(files)
        digest, _ = receive([listing(order, [bytes.fromhex(files[name][3:]) for name in order])], shelf)
        listed = {f"object {name}": tokens[name] for name in order} if len(order) <= MOST else {}
        position = {"kind": "bucket", **self._wanted.span, **listed}
        return Frozen(digest, total, position, files)

    def _fetched(self, key: str, shelf: Shelf) -> tuple[str, str, int]:
        """The version of an object, its digest and its bytes, once they are in the store."""
        found = self._bucket.read(key)
        digest, size = receive(found.blocks, shelf)
        if size != found.size:
            raise InputChanged(f"`{self._bucket.address}/{key}` changed while it was read")
        return found.version or found.etag.strip('"'), digest, size


def _fixed(path: str) -> str:
    """The folders at the beginning of a pattern that have no wildcards, with the slash at their end; of a prefix itself."""
    if path.endswith("/") and not is_glob(path):
        return path
    parts = path.split("/")
    first = next(i for i, part in enumerate(parts) if is_glob(part))
    return "".join(f"{part}/" for part in parts[:first])
