"""Images made from nothing but what this machine has, and a podman with a store of its own.

`machine(folder)` gives a podman that touches nothing of the machine's: its command is a script that says
where everything lies. Everything in it is real: containers are started by runc, in namespaces of their own.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

PODMAN = shutil.which("podman") or ""
BUSYBOX = Path("/bin/busybox")

TOOLS, PYTHON = "localhost/stepwell-tools:1", "localhost/stepwell-python:1"
"""Images that there always are: one with busybox, one with Python besides."""

SETTINGS = """
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]
[engine]
runtime = "runc"
"""

LEFT_OUT = (
    "test", "tests", "__pycache__", "site-packages", "dist-packages", "idlelib", "tkinter", "turtledemo",
    "ensurepip", "lib2to3", "config-*", "*.a",
)  # fmt: skip


class Machine:
    """A podman with a store of its own. `env` is what a process needs to find it; call it to run it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        bin_, settings = folder / "bin", folder / "containers.conf"
        bin_.mkdir()
        settings.write_text(SETTINGS, "utf-8")
        places = [f'--{name} "{folder / name}"' for name in ("root", "runroot", "tmpdir")]
        script = bin_ / "podman"
        script.write_text(f'#!/bin/sh\nexec "{PODMAN}" {" ".join(places)} "$@"\n', "utf-8")
        script.chmod(0o755)
        self.env = {
            "CONTAINERS_CONF": str(settings),
            "PATH": f"{bin_}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
            "STEPWELL_CONTAINERS": "podman",
        }

    def __call__(self, *words: str | Path) -> str:
        """What podman prints; it must succeed."""
        done = subprocess.run(
            [self.folder / "bin" / "podman", *words], env={**os.environ, **self.env}, capture_output=True,
            text=True, check=False, timeout=120,
        )  # fmt: skip
        assert done.returncode == 0, f"podman {words}: {done.stderr}"
        return done.stdout

    def containers(self) -> list[str]:
        """The names of all containers that there are, running or not."""
        return self("ps", "--all", "--format", "{{.Names}}").split()

    def build(self, name: str, rootfs: Path, *lines: str) -> str:
        """An image of a folder; its id."""
        recipe = rootfs.with_suffix(".recipe")
        recipe.write_text("\n".join(["FROM scratch", f"COPY {rootfs.name} /", *lines]) + "\n", "utf-8")
        built = self("build", "--quiet", "--tag", name, "--file", recipe, rootfs.parent)
        return f"sha256:{built.strip().splitlines()[-1]}"

    def close(self) -> None:
        """Remove everything, mounts too."""
        self("rm", "--all", "--force", "--time", "0")
        self("rmi", "--all", "--force")
        shutil.rmtree(self.folder, ignore_errors=True)


def tools(folder: Path, version: str = "1") -> Path:
    """The files of an image with busybox; `/version` says which it is."""
    root = folder / f"tools-{version}"
    (root / "bin").mkdir(parents=True)
    shutil.copy2(BUSYBOX, root / "bin")
    listed = subprocess.run([BUSYBOX, "--list"], capture_output=True, text=True, check=True)
    for name in listed.stdout.split():
        if name != "busybox":
            (root / "bin" / name).symlink_to("busybox")
    (root / "version").write_text(f"{version}\n", "utf-8")
    return root


def python(folder: Path) -> Path:
    """The files of an image with the Python that runs these tests, its standard library, the libraries that these need, and a shell."""
    root = tools(folder, "python")
    base = Path(sys.base_prefix)
    name = f"python{sys.version_info.major}.{sys.version_info.minor}"
    home = root / "opt" / "python"
    (home / "bin").mkdir(parents=True)
    shutil.copy2(os.path.realpath(base / "bin" / name), home / "bin" / name)
    (home / "bin" / "python3").symlink_to(name)
    library = Path(sysconfig.get_path("stdlib", vars={"installed_base": str(base)}))
    shutil.copytree(library, home / "lib" / name, ignore=shutil.ignore_patterns(*LEFT_OUT))
    programs = [home / "bin" / name, *(home / "lib" / name / "lib-dynload").glob("*.so")]
    asked = [subprocess.run(["ldd", each], capture_output=True, text=True, check=False) for each in programs]
    for needed in {path for one in asked for path in re.findall(r"(/\S+)", one.stdout)}:
        if os.path.isfile(needed) and not needed.startswith(str(root)):
            target = root / needed.lstrip("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(needed, target)
    return root
