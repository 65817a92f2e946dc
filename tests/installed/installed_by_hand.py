"""Releases without a project: values as outputs, in a package as it lies where a wheel is installed."""

from __future__ import annotations

import base64
import hashlib
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from stepwell.codecs import choose
from stepwell.dist import depot
from stepwell.dist.installed import Installed
from stepwell.dist.lock import Data, Environment, Leaving, Lock, Pipeline
from stepwell.dist.lockfile import text_of
from stepwell.dist.releases.document import Blob, Release, encoded
from stepwell.stores.blobs import Blobs

RELEASE = """from stepwell.dist.installed import installed

release = installed(__file__)
load, predict, info, pull, main = release.load, release.predict, release.info, release.pull, release.main
"""
PACKAGE = "from ._release import info, load, predict, pull\n"


class Output(NamedTuple):
    """A value that leaves, the codec that it is given ("": its own), and the rest of its `Leaving`."""

    value: Any
    codec: str = ""
    said: Mapping[str, Any] = {}


def release(folder: Path, outputs: Mapping[str, Output], **options: Any) -> Installed:
    """A package `churn` below a folder, with these outputs."""
    for name, data in files_of(folder / "made", outputs, **options).items():
        path = folder / "site" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return Installed(folder / "site" / "churn" / "_release")


def files_of(
    made: Path,
    outputs: Mapping[str, Output],
    *,
    store: str = "",
    outside: tuple[str, ...] = (),
    data: Mapping[str, bytes] | None = None,
    metrics: Mapping[str, float] | None = None,
    version: str = "1.4.0",
    direct: Mapping[str, str] | None = None,
    **document: Any,
) -> dict[str, bytes]:
    """The files of the package. Outputs that are `outside`, and all `data`, are put into `store` instead."""
    made.mkdir(parents=True, exist_ok=True)
    blobs = Blobs(made)
    blobs.make()
    files = {"churn/__init__.py": PACKAGE.encode(), "churn/_release/__init__.py": RELEASE.encode()}
    leaving: dict[str, Leaving] = {}
    known: dict[str, Blob] = {}

    def add(raw: bytes, digest: str, inside: bool) -> None:
        known[digest] = Blob(size=len(raw), sha256=hashlib.sha256(raw).hexdigest(), inside=inside)
        if inside:
            files[f"churn/_release/blobs/{digest[3:]}"] = raw
        elif store:
            (made / "raw").write_bytes(raw)
            depot.put(made / "raw", digest, store)

    for name, output in outputs.items():
        with blobs.sink() as sink:
            codec, _ = choose.dump(output.value, output.codec, sink)
            parts = tuple(dict.fromkeys(sink.parts))
            digest, size, raw = sink.finish()
        add(blobs.path(digest).read_bytes() if raw is None else raw, digest, name not in outside)
        for part in parts:
            add(blobs.path(part).read_bytes(), part, name not in outside)
        leaving[name] = Leaving(
            pipeline="train", step="fit", codec=codec, size=size, bytes=digest, parts=parts, **output.said
        )
    inputs: dict[str, Data] = {}
    for name, raw in (data or {}).items():
        digest = f"b3:{blobs_digest(raw)}"
        add(raw, digest, False)
        inputs[name] = Data(source=f"data/{name}.csv", size=len(raw), rows=raw.count(b"\n") - 1, bytes=digest)
    lock = Lock(
        environment=Environment(python="cpython 3.11", platform="linux x86_64", direct=dict(direct or {})),
        data=inputs,
        pipeline={"train": Pipeline(metrics=dict(metrics or {}))},
        output=leaving,
    )
    facts = Release(
        project="churn",
        package="churn",
        version=version,
        blobs=known,
        stores=(store,) if store else (),
        **document,
    )
    files["churn/_release/release.json"] = encoded(facts)
    files["churn/_release/stepwell.lock"] = text_of(lock).encode()
    return files


def blobs_digest(raw: bytes) -> str:
    """The hexadecimal digits of the digest of bytes."""
    from blake3 import blake3

    return blake3(raw).hexdigest()


def wheel(path: Path, files: Mapping[str, bytes], version: str = "1.4.0") -> Path:
    """A wheel of these files, with a command `churn`."""
    info = f"churn-{version}.dist-info"
    every = {
        **files,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: churn\nVersion: {version}\n".encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: by hand\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": b"[console_scripts]\nchurn = churn._release:main\n",
    }
    lines = [
        f"{name},sha256={base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b'=').decode()},{len(data)}"
        for name, data in every.items()
    ]
    every[f"{info}/RECORD"] = ("\n".join([*lines, f"{info}/RECORD,,"]) + "\n").encode()
    target = path / f"churn-{version}-py3-none-any.whl"
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in every.items():
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), data)
    return target
