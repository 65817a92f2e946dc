"""Stock pip and uv as clients of a channel, over `file://` and over a server of static files."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
from static_server import serving
from wheels_by_hand import new_index, wheel

from stepwell.dist.channels.index import Named

pytestmark = pytest.mark.slow

WHO = {"by": "ana@acme", "why": "Q3 retrain"}


@pytest.fixture(scope="module")
def venv(tmp_path_factory):
    """An environment with the pip that this Python brings."""
    folder = tmp_path_factory.mktemp("venv")
    subprocess.run([sys.executable, "-m", "venv", folder], check=True, capture_output=True, timeout=100)
    return folder


@pytest.fixture
def channels(tmp_path):
    """1.3.2 and 1.4.0 in production, and a candidate for 1.5.0 in staging."""
    channels = new_index(tmp_path / "an index")
    for version in ("1.3.2", "1.4.0"):
        channels.promote(wheel(tmp_path / "dist", version=version), "production", **WHO)
    channels.promote(Named("churn", "1.4.0"), "staging", **WHO)
    channels.promote(wheel(tmp_path / "dist", version="1.5.0rc1"), "staging", **WHO)
    return channels


@pytest.fixture
def served(channels):
    """The address at which a server of Python's own serves the index."""
    with serving(channels.files.where) as address:
        yield address


def surroundings(tmp_path):
    """Nothing of the caller's settings for pip and uv, and caches of their own."""
    kept = {name: value for name, value in os.environ.items() if not name.upper().startswith(("PIP_", "UV_", "PYTHON")) and "proxy" not in name.lower()}  # fmt: skip
    own = {
        "PIP_CONFIG_FILE": os.devnull,
        "UV_NO_CONFIG": "1",
        "UV_CACHE_DIR": str(tmp_path / "uv"),
        "UV_TOOL_DIR": str(tmp_path / "tools"),
    }
    return {**kept, **own, "UV_PYTHON_DOWNLOADS": "never", "NO_COLOR": "1"}


class Client:
    """pip or uv, which installs into the environment; `run` is what it said, and the version that is there then."""

    def __init__(self, venv, tmp_path, address):
        self.python, self.address = venv / "bin" / "python", address
        self.environment = surroundings(tmp_path)

    def index(self, channel="production"):
        return f"{self.address}/{channel}/simple"

    def run(self, *words, good=True, channel="production"):
        done = subprocess.run(
            [*self.command(channel), *words], capture_output=True, text=True, env=self.environment, timeout=60
        )
        assert (done.returncode == 0) == good, done.stdout + done.stderr
        return done.stdout + done.stderr

    def installed(self):
        program = "import churn; print(churn.__version__)"
        return subprocess.run([self.python, "-c", program], capture_output=True, text=True).stdout.strip()


class Pip(Client):
    pre = ("--pre",)

    def command(self, channel):
        return [self.python, "-m", "pip", "--disable-pip-version-check", "install", "--no-cache-dir", "--no-deps", "--force-reinstall", "--index-url", self.index(channel)]  # fmt: skip


class Uv(Client):
    pre = ("--prerelease", "allow")

    def command(self, channel):
        found = os.path.join(sysconfig.get_path("scripts"), "uv")
        return [found, "pip", "install", "--python", self.python, "--no-deps", "--reinstall", "--default-index", self.index(channel)]  # fmt: skip


@pytest.fixture(params=["pip, file", "pip, http", "uv, file", "uv, http"])
def client(request, venv, tmp_path, channels):
    kind, how = request.param.split(", ")
    address = Path(channels.files.where).as_uri() if how == "file" else request.getfixturevalue("served")
    return {"pip": Pip, "uv": Uv}[kind](venv, tmp_path, address)


def test_a_client_follows_a_channel(client, channels):
    client.run("churn")
    assert client.installed() == "1.4.0"
    client.run("churn", *client.pre, channel="staging")
    assert client.installed() == "1.5.0rc1"

    channels.rollback("churn", "production", by="bo", why="calibration drift")
    client.run("churn")
    assert client.installed() == "1.3.2"
    assert "calibration drift" in client.run("churn==1.4.0")
    assert client.installed() == "1.4.0"

    channels.unyank("churn", "1.4.0", by="bo", why="it was the dashboard")
    assert "calibration drift" not in client.run("churn")
    assert client.installed() == "1.4.0"


def test_a_wheel_that_was_tampered_with_is_refused_by_every_client(client, channels):
    client.run("churn==1.3.2")
    path = channels.files.folder / "pool/churn/churn-1.4.0-py3-none-any.whl"
    path.chmod(0o644)
    data = path.read_bytes()
    shutil.copy(channels.files.folder / "pool/churn/churn-1.3.2-py3-none-any.whl", path)
    said = client.run("churn", good=False)
    assert re.search("hash", said, re.IGNORECASE)
    assert client.installed() == "1.3.2"
    path.write_bytes(data)
    client.run("churn")
    assert client.installed() == "1.4.0"


def test_what_a_channel_does_not_have_is_not_installed(client, channels, tmp_path):
    channels.add(wheel(tmp_path / "dist", version="2.0"))
    client.run("churn==1.5.0rc1", good=False)
    client.run("churn==2.0", good=False)
    client.run("numpy", good=False)


def test_a_release_runs_without_being_installed(channels, served, tmp_path):
    uvx = [os.path.join(sysconfig.get_path("scripts"), "uv"), "tool", "run", "--python", sys.executable, "--default-index", f"{served}/production/simple"]  # fmt: skip
    done = subprocess.run(
        [*uvx, "churn"], capture_output=True, text=True, env=surroundings(tmp_path), timeout=60
    )
    assert done.stdout == "churn 1.4.0\n", done.stderr


def test_what_is_asked_for_on_another_python_is_passed_over(client, channels, tmp_path):
    channels.promote(wheel(tmp_path / "dist", version="1.6.0", requires=">=3.99"), "production", **WHO)
    client.run("churn")
    assert client.installed() == "1.4.0"


def test_clients_that_read_json_get_the_same(channels, venv, tmp_path):
    """A server that gives `index.json` to those who ask for it, as PEP 691 has it."""
    server = subprocess.Popen(
        [sys.executable, "-u", "-c", NEGOTIATING, channels.files.where], stdout=subprocess.PIPE, text=True
    )
    try:
        address = f"http://127.0.0.1:{server.stdout.readline().strip()}"
        channels.rollback("churn", "production", by="bo", why="calibration drift")
        for kind in (Pip, Uv):
            client = kind(venv, tmp_path, address)
            client.run("churn")
            assert client.installed() == "1.3.2"
            assert "calibration drift" in client.run("churn==1.4.0")
    finally:
        server.terminate()
        asked = server.stdout.read()
        server.wait(10)
        server.stdout.close()
    assert asked.count("/production/simple/churn/index.json") >= 2


NEGOTIATING = """
import functools, http.server, sys
JSON = "application/vnd.pypi.simple.v1+json"
class Handler(http.server.SimpleHTTPRequestHandler):
    extensions_map = {**http.server.SimpleHTTPRequestHandler.extensions_map, ".json": JSON}
    def do_GET(self):
        if self.path.endswith("/") and JSON in self.headers.get("Accept", ""):
            self.path += "index.json"
            print(self.path, flush=True)
        super().do_GET()
    def log_message(self, *words): pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=sys.argv[1]))
print(server.server_port, flush=True)
server.serve_forever()
"""
