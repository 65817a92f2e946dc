"""The page itself: the built files of `page/`, in `static/`. They are read once, and nothing else is ever sent from there."""

from __future__ import annotations

import hashlib
import mimetypes
from pathlib import Path
from typing import NamedTuple

FOLDER = Path(__file__).parent / "static"

INDEX = "index.html"

TYPES = {
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".svg": "image/svg+xml",
    ".json": "application/json",
    ".map": "application/json",
    ".txt": "text/plain; charset=utf-8",
    ".woff2": "font/woff2",
    ".ico": "image/x-icon",
}


class File(NamedTuple):
    """A file of the page: its bytes, and what is said of it."""

    data: bytes
    kind: str
    tag: str
    fixed: bool
    """Its name has its content's digest, so it never changes."""


def files(folder: Path = FOLDER) -> dict[str, File]:
    """Every file of the page by its path, "assets/index-3f2a.js"; empty where it was not built."""
    found = {}
    for path in sorted(folder.rglob("*")) if folder.is_dir() else ():
        if path.is_file():
            data = path.read_bytes()
            name = path.relative_to(folder).as_posix()
            kind = TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
            tag = hashlib.sha256(data).hexdigest()[:32]
            found[name] = File(data, kind, f'"{tag}"', name.startswith("assets/"))
    return found


MISSING = b"""<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Stepwell</title>
<h1>The page was not built</h1>
<p>This is a copy of the sources without the built page. <code>make page</code> builds it; an installed Stepwell has it.</p>
</html>
"""
"""What is shown where the page was not built."""
