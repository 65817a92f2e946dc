"""Install the peers of bench/peers.toml, each into an environment of its own below bench/.peers.

    make bench-peers
    python bench/peers.py joblib dask        only these

What is installed already, as the file says, is left alone. One that cannot be installed does not
keep the others from it; the exit code is 1 then, and the last line names it.
"""

from __future__ import annotations

import argparse
import json
import platform
import shutil
import subprocess
import sys
from collections.abc import Sequence

from machine import PEERS, PYTHON, ROOT, pinned

UV = ROOT / ".tools" / "bin" / "uv"


def main() -> int:
    """Install what is missing; 1 where something could not be."""
    wanted = pinned()
    parser = argparse.ArgumentParser(description="Install the peers of the benchmark.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"only these of: {', '.join(wanted)}")
    names = parser.parse_args().names or list(wanted)
    unknown = [name for name in names if name not in wanted]
    if unknown:
        parser.error(f"not in bench/peers.toml: {', '.join(unknown)}")
    failed = [name for name in names if not installed(name, wanted[name])]
    if failed:
        print(f"bench: could not install {', '.join(failed)}; the others are there", file=sys.stderr)
    return 1 if failed else 0


def installed(name: str, packages: Sequence[str]) -> bool:
    """Whether the peer is there, after installing it where it was not. Says what it did."""
    folder = PEERS / name
    stamp, content = (
        folder / "bench.json",
        json.dumps({"python": platform.python_version(), "packages": packages}),
    )
    if stamp.exists() and stamp.read_text() == content:
        return True
    print(f"{name}: {' '.join(packages)}", flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    commands = (
        (UV, "venv", "--quiet", "--python", PYTHON, folder),
        (
            UV,
            "pip",
            "install",
            "--quiet",
            "--compile-bytecode",
            "--python",
            folder / "bin" / "python",
            *packages,
        ),
    )
    for command in commands:
        if subprocess.run(command, cwd=ROOT, check=False).returncode != 0:
            return False
    stamp.write_text(content)  # last: a broken one is repeated
    return True


if __name__ == "__main__":
    sys.exit(main())
