"""How a pipeline of a release is wired: its body is traced in the environment of that release, and remembered.

    wired(project, order, root)          # the calls of its steps as plain data, for `author.carried.replay`

Where it is traced. The body of a pipeline may do what it likes with its parameters, so it has to be executed; its module
imports what the release imports, in the versions of then, and has a name (`pipeline`) that the project which uses it is
likely to have, too. So it is never imported into the process that plans: a child is started with the release's own
environment and files, and tells the graph as JSON. What comes of the same release and arguments is the same, and kept in
the user's cache: planning again starts nothing.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stepwell.app.placing import Asked, Forgetful, environment_of, required
from stepwell.app.retold import error_of
from stepwell.author.carried import ORDER, WIRED
from stepwell.errors import CannotCarry
from stepwell.version import VERSION
from stepwell.worker.places import environments
from stepwell.worker.places.checkouts import Checkout
from stepwell.worker.places.launch import PACKAGE
from stepwell.worker.places.launch import environment_of as variables

START = (
    "import os, sys\n"
    "sys.path.insert(0, os.path.join(sys.argv[1], 'lib'))\n"
    "import stepwell\n"
    "stepwell.__path__[:] = map(os.path.realpath, stepwell.__path__)\n"
    "from stepwell.author.carried import main\n"
    "main(sys.argv[1])\n"
)
"""What the process executes: Stepwell is found in a folder that holds nothing else, and known by its real path."""

PATIENCE = 300
"""Seconds that a body may take."""


def wired(project: Checkout, order: Mapping[str, Any], root: Path) -> dict[str, Any]:
    """The calls of a pipeline of a release with these arguments. Raises `CannotCarry`, what its body raises, and as environments do."""
    text = json.dumps([VERSION, order], sort_keys=True)
    kept = (
        project.folder.parent
        / f"{project.commit}.wired"
        / f"{hashlib.sha256(text.encode()).hexdigest()[:40]}.json"
    )
    try:
        found: dict[str, Any] = json.loads(kept.read_text("utf-8"))
    except (OSError, ValueError):
        found = _traced(project, order, root)
        if "error" not in found:
            _keep(kept, found)
    if "error" in found:
        raise error_of(found["error"])
    return found


def _keep(path: Path, found: Mapping[str, Any]) -> None:
    """Write it whole; where it cannot be written it is traced again."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        aside = path.with_suffix(f".{os.getpid()}")
        aside.write_text(json.dumps(found, sort_keys=True), "utf-8")
        aside.rename(path)
    except OSError:  # a cache that is full or read-only
        return


def _traced(project: Checkout, order: Mapping[str, Any], root: Path) -> dict[str, Any]:
    wanted = required(project)._replace(folder=str(root))
    made = environments.made(environment_of(wanted, Asked(root, Forgetful())), str(root))
    folder = Path(tempfile.mkdtemp(prefix="stepwell-")).resolve()
    try:
        (folder / "lib").mkdir()
        (folder / "lib" / "stepwell").symlink_to(PACKAGE)
        (folder / ORDER).write_text(json.dumps({**order, "project": str(project.folder)}), "utf-8")
        more = {"VIRTUAL_ENV": str(made), "PYTHONDONTWRITEBYTECODE": "1"}
        done = subprocess.run(
            [str(made / "bin" / "python"), "-s", "-P", "-c", START, str(folder)],
            cwd=project.folder, env=variables(project.folder, folder, more), stdin=subprocess.DEVNULL, capture_output=True,
            timeout=PATIENCE, check=False,
        )  # fmt: skip
        told = folder / WIRED
        if not told.is_file():
            lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
            raise CannotCarry(
                f"the pipeline `{order['pipeline']}` of {project.name} {project.ref} cannot be traced",
                why=lines[-1][:300] if lines else f"the process ended with code {done.returncode}",
                fixes=["ask who released it", "use its steps one by one: use(ADDRESS, MODULE:STEP)"],
            )
        found: dict[str, Any] = json.loads(told.read_text("utf-8"))
        return found
    except subprocess.TimeoutExpired:
        raise CannotCarry(
            f"the pipeline `{order['pipeline']}` of {project.name} {project.ref} was not traced after {PATIENCE} s",
            fixes=["ask who released it"],
        ) from None
    finally:
        shutil.rmtree(folder, ignore_errors=True)
