"""A real podman, with images that are made here, and projects to run the command in."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "cli"))

import container_images  # it lies beside this file
from cli_projects import Project  # it lies beside the tests of the command
from container_images import BUSYBOX, PODMAN, PYTHON, TOOLS, Machine


@pytest.fixture(scope="session")
def machine() -> Iterator[Machine]:
    """A podman with the images `TOOLS` and `PYTHON`; it keeps them for all tests of a process."""
    if not PODMAN or not BUSYBOX.exists() or os.geteuid():
        pytest.skip(
            "CONTAINERS ARE NOT TESTED: they need a superuser, and "
            "apt-get install --no-install-recommends podman runc netavark iptables busybox-static"
        )
    folder = Path(tempfile.mkdtemp(prefix="sw pod", dir="/tmp"))  # podman takes no long paths
    found = Machine(folder)
    found.build(TOOLS, container_images.tools(folder / "files"), "ENV PATH=/bin")
    found.build(PYTHON, container_images.python(folder / "files"), "ENV PATH=/opt/python/bin:/bin")
    yield found
    found.close()


@pytest.fixture
def project(tmp_path: Path, machine: Machine) -> Project:
    """An empty project; call it to run the command there, with this podman."""
    folder = tmp_path / 'a "folder", with: all'
    folder.mkdir()
    found = Project(folder)
    found.env |= {
        **machine.env,
        "PATH": f"{machine.env['PATH'].split(os.pathsep)[0]}{os.pathsep}{found.env['PATH']}",
    }
    return found


@pytest.fixture
def here(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """This podman, in this process."""
    for name, value in machine.env.items():
        monkeypatch.setenv(name, value)
    return machine
