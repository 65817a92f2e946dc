"""What the tests of the store share: a folder, a store in it, and results to keep."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from stepwell.kernel.ports import Artifact, Made
from stepwell.stores.blobs import INLINE
from stepwell.stores.local import open_store


@pytest.fixture
def folder(tmp_path):
    return tmp_path / ".stepwell"


@pytest.fixture
def store(folder):
    with open_store(folder) as opened:
        yield opened


def _python(code, *arguments, before=()):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run(
        [*before, sys.executable, "-c", code, *map(str, arguments)],
        capture_output=True, text=True, env=environment, check=False, timeout=100,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def python():
    """Run a program in a new interpreter that sees this Stepwell; what it prints."""
    return _python


@pytest.fixture
def in_own_mounts():
    """Run a program that may mount what it likes without anybody else seeing it. Needs root.

    `mount("-t", "tmpfs", ...)` is there for it.
    """
    prelude = (
        "import subprocess\ndef mount(*words): subprocess.run(['mount', *map(str, words)], check=True)\n"
    )
    return lambda code, *arguments: _python(
        prelude + code, *arguments, before=["unshare", "-m", "--propagation", "private"]
    )


@pytest.fixture
def large():
    """Make an output that is a file in a store."""

    def make(store, data=b"x" * (INLINE + 1), name="result"):
        with store.blobs.sink() as sink:
            sink.write(data)
            digest, size, inline = sink.finish()
        assert inline is None
        return Made(Artifact(name, "bytes", digest, size), None)

    return make
