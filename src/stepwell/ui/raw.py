"""The bytes of artifacts: `GET /raw/:digest?codec=&name=`, for images and frames; with `save=1` to be saved.

An artifact is whatever a step gave, and a browser would run some of that. So the type is one of a short list, and every
answer is a document of its own that may do nothing: no scripts, no forms, no requests, no origin (`sandbox`). What is of no
known type is something to be saved.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from typing import NamedTuple

from stepwell.errors import ArtifactGone, CannotDecode, NothingThere
from stepwell.kernel.ports import Artifact
from stepwell.stores.blobs import digest_of
from stepwell.stores.local import LocalStore
from stepwell.ui.asked import Asked

POLICY = "sandbox; default-src 'none'; img-src data:; style-src 'unsafe-inline'; frame-ancestors 'self'"
"""What a browser may do with such a document: show it."""

TYPES = {
    "image/png": "png",
    "image/jpeg": "jpg",
    "image/gif": "gif",
    "image/webp": "webp",
    "image/svg+xml": "svg",
    "text/html": "html",
    "text/plain": "txt",
    "text/csv": "csv",
    "application/json": "json",
    "application/pdf": "pdf",
}
"""Types that are shown, with the suffix of a name that has none."""

BYTES = "application/octet-stream"

CHUNK = 1 << 18


class Raw(NamedTuple):
    """What is sent: bytes, perhaps those of a file that is mapped, and the headers that say how."""

    data: memoryview
    headers: dict[str, str]

    def chunks(self) -> Iterator[bytes]:
        """The bytes, some at a time."""
        for start in range(0, len(self.data), CHUNK):
            yield bytes(self.data[start : start + CHUNK])


def raw(store: LocalStore, asked: Asked) -> Raw:
    """The verified bytes of an artifact, or of one file of it. Raises `BadQuestion`, `NothingThere`."""
    from stepwell.app.previews import raw as as_it_is

    artifact = artifact_of(store, asked)
    try:
        found = as_it_is(store, artifact)
        kind, name, data = found if found is not None else (BYTES, artifact.name, _bytes(store, artifact))
    except (ArtifactGone, CannotDecode) as error:
        raise NothingThere(
            f"{artifact.digest[:15]}… cannot be shown", why=error.what, fixes=["stepwell verify"]
        ) from None
    kind = kind.partition(";")[0].strip().lower()
    if asked.flag("save") or kind not in TYPES:
        kind = BYTES
    headers = {
        "content-type": f"{kind}; charset=utf-8" if kind.startswith("text/") else kind,
        "content-length": str(len(data)),
        "content-disposition": disposition(name, artifact.digest, kind),
        "content-security-policy": POLICY,
        "cache-control": "private, max-age=31536000, immutable",
        "etag": f'"{artifact.digest}-{hashlib.sha256(f"{kind} {name}".encode()).hexdigest()[:8]}"',
    }
    return Raw(data, headers)


def artifact_of(store: LocalStore, asked: Asked) -> Artifact:
    """The artifact that an address names by its digest, codec and name. Raises `BadQuestion`, `NothingThere`."""
    from stepwell.app.lineage import held

    digest = asked.digest()
    found = held(store, digest, asked.word("codec"), asked.word("name"))
    if found is None:
        raise NothingThere(
            f"the store has no {digest[:15]}…",
            why="nobody made it here, or `stepwell gc` took it away",
            fixes=["stepwell run"],
        )
    return found


def _bytes(store: LocalStore, artifact: Artifact) -> memoryview:
    data = store.results.bytes_of(artifact.digest)
    if isinstance(data, bytes) and digest_of(data) == artifact.digest:
        return memoryview(data)
    return store.blobs.open(artifact.digest).data


def disposition(name: str, digest: str, kind: str) -> str:
    """Whether a browser shows it or saves it, and under which name: letters, digits, and few signs."""
    last = name.replace("\\", "/").rpartition("/")[2]
    safe = (
        re.sub(r"[^\w.()+ -]|^[. ]+", "_", last, flags=re.ASCII).strip()[-100:]
        or digest.removeprefix("b3:")[:12]
    )
    if "." not in safe:
        safe = f"{safe}.{TYPES.get(kind, 'bin')}"
    word = "attachment" if kind == BYTES else "inline"
    return f'{word}; filename="{safe}"'
