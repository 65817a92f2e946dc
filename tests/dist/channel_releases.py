"""Releases for channels: wheels that hold a document and a lock, made of exactly the facts that a test wants."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from blake3 import blake3
from wheels_by_hand import files_of, packed, record_of

from stepwell.dist.lock import Data, Environment, Leaving, Lock, Output, Pipeline, Step
from stepwell.dist.lockfile import text_of
from stepwell.dist.releases.document import Release, encoded


def b3(text: str) -> str:
    """The digest of a text."""
    return f"b3:{blake3(text.encode()).hexdigest()}"


def c1(text: str) -> str:
    """A digest that could be one of content."""
    return f"c1:{blake3(text.encode()).hexdigest()}"


def lock_of(
    data: dict[str, str] | None = None,
    metrics: dict[str, float] | None = None,
    gives: str = "model",
    files: dict[str, str] | None = None,
) -> Lock:
    """A pipeline `main` whose step `fit` makes a model of data, by name the text that it is; `score` logs metrics."""
    pinned = {
        name: Data(
            source=f"data/{name}.csv", size=len(text), rows=len(text), bytes=b3(text), content=c1(text)
        )
        for name, text in (data or {"customers": "customers of August"}).items()
    }
    if files is not None:
        listed = {name: f"{len(text)} {b3(text)}" for name, text in files.items()}
        pinned["parts"] = Data(source="parts", size=1, bytes=b3(repr(files)), files=listed)
    made = Output(codec="skops", size=9, bytes=b3(gives), content="")
    uses = tuple(f"data.{name}" for name in sorted(pinned))
    steps = {
        "fit": Step(code="f" * 64, uses=uses, output={"result": made}),
        "score": Step(code="e" * 64, uses=("step.fit",)),
    }
    named = {f"score.{name}": value for name, value in (metrics or {}).items()}
    return Lock(
        environment=Environment(python="cpython 3.11", platform="linux x86_64"),
        data=pinned,
        pipeline={"main": Pipeline(metrics=named, step=steps)},
        output={"model": Leaving(pipeline="main", step="fit", codec="skops", size=9, bytes=b3(gives))},
    )


def release(
    folder: Path,
    version: str,
    lock: Lock | None = None,
    project: str = "churn",
    *,
    says: str = "",
    **said: Any,
) -> Path:
    """A wheel that is a release; `said` are further fields of its document, `says` a version that is not its own."""
    package, stem = project.replace("-", "_"), f"{project.replace('-', '_')}-{version}"
    document = Release(project=project, package=package, version=says or version, **said)
    files = files_of(project, version)
    files[f"{package}/_release/release.json"] = encoded(document)
    files[f"{package}/_release/stepwell.lock"] = text_of(lock or lock_of()).encode()
    files[f"{stem}.dist-info/RECORD"] = record_of(files, f"{stem}.dist-info")
    folder.mkdir(parents=True, exist_ok=True)
    return packed(folder / f"{stem}-py3-none-any.whl", list(files.items()))
