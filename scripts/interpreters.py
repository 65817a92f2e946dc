"""Find the machine's other Pythons that Stepwell supports: one line `MINOR PATH` for each.

    .venv/bin/python scripts/interpreters.py

Looks where interpreters are usually put (PATH, pyenv, uv), runs each to see that it works, and
keeps the first of each minor version other than the one that runs this file. Downloads nothing.
What was found but cannot be used is named on stderr.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

OLDEST = (3, 11)
NAME = re.compile(r"python3\.(\d+)")

# A Python that was built without one of these libraries' headers imports only in part; a shim of
# pyenv for a version that is not switched on just fails. So each is asked to introduce itself.
INTRODUCTION = """
import bz2, ctypes, lzma, sqlite3, ssl, sys, sysconfig, zlib
assert sys.implementation.name == "cpython", "not CPython"
assert sys.version_info.releaselevel == "final", "a pre-release"
assert not sysconfig.get_config_var("Py_GIL_DISABLED"), "free-threaded"
print(sys.version_info.minor)
"""


def folders() -> Iterator[Path]:
    """Give the folders in which interpreters are found, most wanted first."""
    yield from (Path(part) for part in os.environ.get("PATH", "").split(os.pathsep) if part)
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    data = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    for versions in (pyenv / "versions", data / "uv" / "python"):
        yield from sorted(versions.glob("*/bin"), reverse=True)


def main() -> None:
    """Print what was found, oldest first."""
    found: dict[int, Path] = {}
    useless: list[tuple[int, str]] = []
    for folder in folders():
        for path in sorted(folder.glob("python3.*")):
            named = NAME.fullmatch(path.name)
            if named is None or not os.access(path, os.X_OK):
                continue
            minor = int(named[1])
            if (3, minor) < OLDEST or minor == sys.version_info.minor or minor in found:
                continue
            answer = subprocess.run([path, "-c", INTRODUCTION], capture_output=True, text=True, check=False)
            if answer.returncode == 0 and answer.stdout.strip() == str(minor):
                found[minor] = path
            else:
                why = (answer.stderr.strip() or "no answer").splitlines()
                useless.append((minor, f"left out {path}: {why[0] if 'pyenv' in why[0] else why[-1]}"))
    for minor, line in useless:
        if minor not in found:
            print(line, file=sys.stderr)
    for minor, path in sorted(found.items()):
        print(f"3.{minor} {path}")


if __name__ == "__main__":
    main()
