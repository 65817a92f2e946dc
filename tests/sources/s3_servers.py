"""Servers of the S3 API for the tests, on a free port of the loopback, stopped by their own process.

Neither is Amazon's. `rclone serve s3` is a gateway over a folder that people use: it checks signatures and
refuses wrong credentials, but takes no notice of conditions when writing. `moto_server` is a stand-in made for
tests, asked over real HTTP: it keeps to conditions and to versions, and checks no signature. What is true of
both is asked of both.
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.request import ProxyHandler, Request, build_opener

KEY, SECRET = "AKIATESTSTESTSTESTS1", "secret/secret+secret/secret"
BUCKET = "crm-exports"


def environment(endpoint: str) -> dict[str, str]:
    """The variables by which a server is reached."""
    return {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_REGION": "us-east-1",
    }


@contextlib.contextmanager
def rclone(folder: Path) -> Iterator[str]:
    """The endpoint of a gateway over a folder, which has one empty bucket."""
    (folder / BUCKET).mkdir(parents=True)
    port = _free()
    words = [
        "serve",
        "s3",
        "--addr",
        f"127.0.0.1:{port}",
        "--auth-key",
        f"{KEY},{SECRET}",
        "--config",
        os.devnull,
    ]
    with _running([_program("rclone"), *words, str(folder)], port):
        yield f"http://127.0.0.1:{port}"


@contextlib.contextmanager
def moto() -> Iterator[str]:
    """The endpoint of a server in memory, which has one empty bucket."""
    port = _free()
    with _running([_program("moto_server"), "-H", "127.0.0.1", "-p", str(port)], port):
        made = Request(f"http://127.0.0.1:{port}/{BUCKET}", method="PUT")
        build_opener(ProxyHandler({})).open(made, timeout=20).close()
        yield f"http://127.0.0.1:{port}"


def versioned(endpoint: str) -> None:
    """Make the bucket of `moto` keep versions."""
    import boto3  # which moto brings

    how = {"aws_access_key_id": KEY, "aws_secret_access_key": SECRET, "region_name": "us-east-1"}
    client = boto3.client("s3", endpoint_url=endpoint, **how)
    client.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})


def _program(name: str) -> str:
    return str(Path(sys.executable).with_name(name))


def _free() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def _running(words: list[str], port: int) -> Iterator[None]:
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(600):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            assert process.poll() is None, f"{words[0]} ended with {process.returncode}"
            time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait(30)
