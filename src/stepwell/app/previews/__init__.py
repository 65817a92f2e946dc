"""What of an artifact can be shown without running anything: no code of the user's is imported, nothing is unpickled.

    preview(store, artifact)                        {"kind": "table", "rows": 336776, "columns": [...], "head": [...]}
    preview(store, artifact, rows=100, offset=200)  the same, with other rows of it
    raw(store, artifact)                            Raw("image/png", <bytes>), for what is shown as it is

The shapes are those of `Preview` in `page/src/api.ts`. What an artifact is follows from its codec, and of files
from their first bytes and their names. Whatever the bytes are, the answer comes in bounded time and memory: what
is too large, cut off or no such thing at all is `{"kind": "none", "why": ...}`.

tables.py   Arrow tables               records.py  CSV, lists of records   plaindata.py  JSON, text, Vega-Lite
arrays.py   NumPy                      models.py   skops, safetensors      bundles.py    containers of these
files.py    files and folders          apart.py    compressed formats (Parquet), in a process of their own with little memory
"""

from __future__ import annotations

from typing import Any

from stepwell.app.previews.held import FILE, Held, Raw, address, held, nothing
from stepwell.errors import StepwellError
from stepwell.kernel.ports import Artifact
from stepwell.stores.local import LocalStore

__all__ = ["FILE", "Raw", "address", "preview", "raw"]

MOST_ROWS = 1000
"""Rows of a table that one answer holds at most."""


def preview(store: LocalStore, artifact: Artifact, rows: int = 50, offset: int = 0) -> dict[str, Any]:
    """What can be shown of an artifact, as JSON: a `Preview` of `page/src/api.ts`. Raises nothing of the artifact's.

    `rows` and `offset` choose the rows of a table. An artifact of the codec `FILE` is one file of a folder: its
    name is the file's.
    """
    from stepwell.app.previews.kinds import shown

    rows, offset = max(0, min(rows, MOST_ROWS)), max(0, offset)
    try:
        return shown(held(store, artifact), rows, offset)
    except StepwellError as error:
        return nothing(f"{error.what}: {error.why}" if error.why else error.what)
    except (MemoryError, RecursionError):
        return nothing("it is too large, or nested too deeply, to be shown")
    except Exception as error:  # noqa: BLE001  libraries are given bytes that may be anything
        return nothing(f"it cannot be read: {type(error).__name__}: {error}"[:300])


def raw(store: LocalStore, artifact: Artifact) -> Raw | None:
    """The bytes of an artifact and their media type, where a browser shows them as they are; None for all else.

    HTML and SVG are among them: whoever serves them must see to it that nothing in them runs.
    Raises `ArtifactGone`, `CannotDecode`.
    """
    from stepwell.app.previews.kinds import as_it_is

    found: Held = held(store, artifact)
    return as_it_is(found)
