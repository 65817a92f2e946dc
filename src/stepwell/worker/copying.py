"""What a step made somewhere else, put where it belongs."""

from __future__ import annotations

import os
import shutil


def put(here: str, there: str) -> None:
    """Copy a file, replacing what is there at once; or a folder, after removing what is there."""
    os.makedirs(os.path.dirname(there), exist_ok=True)
    if os.path.isdir(here):
        shutil.rmtree(there, ignore_errors=True)
        shutil.copytree(here, there, symlinks=True)
        return
    aside = f"{there}.{os.getpid()}.new"
    shutil.copy2(here, aside)
    os.replace(aside, there)
