"""The example in three languages: a real podman, and an environment that uv makes from the index that this machine has."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "containers"))

import container_images  # it lies beside the tests of containers
from container_images import BUSYBOX, PODMAN, Machine
from example_pages import EXAMPLES, check, copied, run, shown  # it lies beside this file

from stepwell.worker.places.environments import uv

EXAMPLE = EXAMPLES / "languages"


@pytest.fixture
def machine() -> Iterator[Machine]:
    """A podman with the image of the example: its Containerfile, on a busybox that is made here."""
    if not PODMAN or not BUSYBOX.exists() or os.geteuid():
        pytest.skip(
            "THE EXAMPLE `languages` IS NOT TESTED: it needs a superuser, and "
            "apt-get install --no-install-recommends podman runc netavark iptables busybox-static"
        )
    folder = Path(tempfile.mkdtemp(prefix="sw pod", dir="/tmp"))  # podman takes no long paths
    found = Machine(folder)
    files = container_images.tools(folder / "files")
    shutil.copy(EXAMPLE / "tally", files.parent)
    base, *lines = (EXAMPLE / "Containerfile").read_text("utf-8").splitlines()
    assert base == "FROM docker.io/library/busybox:1.36"
    found.build("localhost/tally:1", files, "ENV PATH=/bin", *lines)
    yield found
    found.close()


@pytest.fixture
def index(tmp_path: Path) -> None:
    """That uv finds the package of the example, in whatever index this machine is set up for."""
    asked = subprocess.run(
        [uv(), "pip", "compile", "-q", "--python", sys.executable, "-"],
        input="scikit-learn==1.5.2", capture_output=True, text=True, timeout=300, check=False, cwd=tmp_path,
    )  # fmt: skip
    if asked.returncode:
        pytest.skip(f"THE EXAMPLE `languages` IS NOT TESTED: no package index answers: {asked.stderr[-500:]}")


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.usefixtures("index")
def test_the_example_in_three_languages(machine: Machine, tmp_path: Path) -> None:
    folder = copied("languages", tmp_path)
    (build, _), *commands = shown((folder / "README.md").read_text("utf-8"))
    assert build == "podman build -t localhost/tally:1 ."  # which the fixture did
    env = {
        **os.environ,
        **machine.env,
        "STEPWELL_CACHE": str(machine.folder / "cache"),
    }  # it goes with podman's
    check(commands, folder, env)
    drawn = Path(run("stepwell get last figure", folder, env).strip())
    assert "</svg>" in drawn.read_text("utf-8")
