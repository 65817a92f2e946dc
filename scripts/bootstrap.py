"""Make a small virtual environment that holds one pinned uv: all that `make setup` needs to start.

    python3 scripts/bootstrap.py .tools 0.13.8

Standard library only, any Python from 3.11. uv then makes the project's own environment from
`uv.lock`; it lives apart from that one because `uv sync` removes what the lock does not name.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tomllib
import urllib.request
import venv
from pathlib import Path

# Settings of the user's pip that would send uv somewhere else than into the environment.
ELSEWHERE = ("PIP_PREFIX", "PIP_REQUIRE_VIRTUALENV", "PIP_ROOT", "PIP_TARGET", "PIP_USER")


def main(folder: Path, version: str) -> None:
    """Make `folder` anew with `uv` of that version, and mark it as whole by a file `uv-VERSION`."""
    shutil.rmtree(folder, ignore_errors=True)
    has_pip = importlib.util.find_spec("ensurepip") is not None
    venv.create(folder, symlinks=True, with_pip=has_pip)
    pip = ["-m", "pip"] if has_pip else [str(download_pip(folder) / "pip")]
    install = [*pip, "install", "--quiet", "--disable-pip-version-check", "--only-binary=:all:"]
    environment = {name: value for name, value in os.environ.items() if name not in ELSEWHERE}
    subprocess.run([folder / "bin" / "python", *install, f"uv=={version}"], check=True, env=environment)
    (folder / f"uv-{version}").touch()


def download_pip(folder: Path) -> Path:
    """Put the wheel of pip that `uv.lock` names into `folder`, checked.

    Debian and Ubuntu ship Python without `ensurepip` (it is in python3-venv). A wheel of pip can be
    run as it is, so a machine with nothing but `python3` still gets going.
    """
    lock = tomllib.loads((Path(__file__).parents[1] / "uv.lock").read_text("utf-8"))
    wheel = next(package for package in lock["package"] if package["name"] == "pip")["wheels"][0]
    with urllib.request.urlopen(wheel["url"], timeout=60) as answer:
        data = answer.read()
    if f"sha256:{hashlib.sha256(data).hexdigest()}" != wheel["hash"]:
        sys.exit("setup: the wheel of pip is not the file that uv.lock names; nothing was installed")
    path = folder / wheel["url"].rpartition("/")[2]
    path.write_bytes(data)
    return path


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]), sys.argv[2])
    except (OSError, subprocess.CalledProcessError) as error:
        # pip has told its own story already; its command line adds nothing to it.
        why = "" if isinstance(error, subprocess.CalledProcessError) else f": {error}"
        sys.exit(
            f"setup: could not install uv {sys.argv[2]}{why}\n"
            "  why   the first setup fetches uv and the libraries of uv.lock from a package index\n"
            "  fix   check the network, or point pip and uv to a mirror, then: make setup"
        )
