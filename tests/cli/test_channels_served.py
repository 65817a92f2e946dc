"""What the commands do to a channel is what pip and uv do next, from any server of static files."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "dist"))

from channel_releases import lock_of, release
from cli_projects import surroundings
from static_server import serving

pytestmark = pytest.mark.slow

UV = os.path.join(sysconfig.get_path("scripts"), "uv")


@pytest.fixture
def served(project):
    """1.0.0 and then 1.1.0 in production, and the address of a server of the index."""
    project.write('[release]\nname = "churn"\n[channels]\nindex = "index"\n', "stepwell.toml")
    project("channels", "--create")
    for version in ("1.0.0", "1.1.0"):
        release(project.root / "dist", version, lock_of())
        project("promote", version, "production", "--why", "better")
    with serving(project.root / "index") as address:
        yield f"{address}/production/simple"


@pytest.fixture
def python(tmp_path) -> Path:
    """The interpreter of an environment with the pip that this Python brings."""
    subprocess.run(
        [sys.executable, "-m", "venv", tmp_path / "venv"], check=True, capture_output=True, timeout=100
    )
    return tmp_path / "venv" / "bin" / "python"


def said(tmp_path: Path, *words: object) -> str:
    """What a client printed, which has done what it was asked."""
    more = {
        "PIP_CONFIG_FILE": os.devnull,
        "UV_NO_CONFIG": "1",
        "UV_CACHE_DIR": str(tmp_path / "uv"),
        "NO_COLOR": "1",
    }
    environment = surroundings(
        tmp_path, UV_PYTHON_DOWNLOADS="never", UV_TOOL_DIR=str(tmp_path / "tools"), **more
    )
    done = subprocess.run(
        [str(word) for word in words],
        capture_output=True,
        text=True,
        env=environment,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_clients_follow_the_channel_and_those_who_pin_are_told(project, served, python, tmp_path) -> None:
    pip = (
        python,
        "-m",
        "pip",
        "--disable-pip-version-check",
        "install",
        "--no-cache-dir",
        "--no-deps",
        "--force-reinstall",
        "--index-url",
        served,
    )
    uv = (UV, "pip", "install", "--python", python, "--no-deps", "--reinstall", "--default-index", served)
    uvx = (UV, "tool", "run", "--python", python, "--default-index", served, "--refresh", "churn")

    def installed() -> str:
        return said(tmp_path, python, "-c", "import churn; print(churn.__version__)").strip()

    said(tmp_path, *pip, "churn")
    assert installed() == "1.1.0"
    project("rollback", "production", "--why", "calibration drift")
    said(tmp_path, *pip, "churn")
    assert installed() == "1.0.0"
    assert "calibration drift" in said(tmp_path, *pip, "churn==1.1.0")
    assert installed() == "1.1.0"
    said(tmp_path, *uv, "churn")
    assert installed() == "1.0.0"
    assert said(tmp_path, *uvx).startswith("churn 1.0.0\n")
    project("unyank", "1.1.0", "--why", "it was the thermometer")
    said(tmp_path, *uv, "--refresh", "churn")
    assert installed() == "1.1.0"
