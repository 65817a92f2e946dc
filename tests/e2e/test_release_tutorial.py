"""From one file to a release and back: `docs/guides/release.md`, command by command, with the real pip, uv and server.

What the page shows below a command must come out of it, in any order; `…` stands for what differs from machine to
machine, and more may come out than is shown.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "examples"))

from example_pages import copied, plain, shown

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "guides" / "release.md").read_text("utf-8")
SERVER = "python -m http.server --directory index 8000 &"


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with this Stepwell as a wheel, for those who install what depends on it."""
    folder = tmp_path_factory.mktemp("wheels")
    uv = Path(sys.executable).with_name("uv")
    subprocess.run([uv, "build", "--quiet", "--wheel", "--out-dir", folder, ROOT], check=True, timeout=300)
    return folder


class Terminal:
    """A person at a prompt, in a folder, with the tools of this project's environment and a home of their own."""

    def __init__(self, folder: Path, home: Path, wheels: Path) -> None:
        self.folder = folder
        self.port = _free_port()
        self.servers: list[subprocess.Popen[bytes]] = []
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("STEPWELL_", "VIRTUAL_ENV"))
        }
        caches = Path(os.environ.get("HOME", "/nonexistent")) / ".cache"
        self.env = {
            **kept,
            "HOME": str(home),
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            # Nothing is downloaded twice.
            "UV_CACHE_DIR": os.environ.get("UV_CACHE_DIR", str(caches / "uv")),
            "PIP_CACHE_DIR": os.environ.get("PIP_CACHE_DIR", str(caches / "pip")),
            "UV_FIND_LINKS": str(wheels),
            "PIP_FIND_LINKS": str(wheels),
            "UV_PYTHON_DOWNLOADS": "never",
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "NO_COLOR": "1",
            "COLUMNS": "120",
            "LC_ALL": "C.UTF-8",
        }

    def __call__(self, command: str) -> tuple[int, str]:
        """The exit code of a command and all that it printed."""
        words = command.replace("localhost:8000", f"localhost:{self.port}")
        if command == SERVER:
            self._serve()
            return 0, ""
        done = subprocess.run(
            ["bash", "-c", words], cwd=self.folder, env=self.env, text=True, check=False, timeout=900,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        return done.returncode, done.stdout

    def _serve(self) -> None:
        words = [
            sys.executable,
            "-m",
            "http.server",
            "--bind",
            "localhost",
            "--directory",
            "index",
            str(self.port),
        ]
        quiet = subprocess.DEVNULL
        self.servers.append(subprocess.Popen(words, cwd=self.folder, stdout=quiet, stderr=quiet))
        for _ in range(200):
            with socket.socket() as door:
                door.settimeout(0.2)
                if door.connect_ex(("localhost", self.port)) == 0:
                    return
            if self.servers[-1].poll() is not None:
                break
            time.sleep(0.05)
        raise AssertionError("the server did not start")

    def close(self) -> None:
        """End the servers."""
        for server in self.servers:
            server.terminate()
            server.wait(10)


def _free_port() -> int:
    with socket.socket() as door:
        door.bind(("localhost", 0))
        return int(door.getsockname()[1])


@pytest.fixture
def terminal(tmp_path: Path, wheels: Path) -> Iterator[Terminal]:
    """A terminal in a copy of the example, which is a git repository of its own."""
    folder = copied("flights_delay", tmp_path)
    home = tmp_path / "home"
    home.mkdir()
    (home / ".gitconfig").write_text(
        "[user]\nname = Ana\nemail = ana@example.org\n[init]\ndefaultBranch = main\n", "utf-8"
    )
    found = Terminal(folder, home, wheels)
    yield found
    found.close()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_the_page_is_what_happens(terminal: Terminal) -> None:
    commands = shown(PAGE)
    assert len(commands) > 20
    for command, lines in commands:
        code, output = terminal(command)
        told = f"$ {command}   (exit code {code})\n{output}"
        assert "Traceback" not in output, told
        refused = any(line.startswith("error") for line in lines)
        assert (code != 0) == refused, told
        got = [plain(line) for line in output.splitlines()]
        for line in filter(None, map(plain, lines)):
            pattern = ".*".join(map(re.escape, line.split("…")))
            assert line == "..." or any(re.fullmatch(pattern, each) for each in got), (
                f"wanted: {line}\n{told}"
            )
