"""Bills of materials in CycloneDX (ECMA-424), made from what was measured: the lock, and the bytes of the release.

sbom(document, lock, blobs)      what is inside the wheel: `.dist-info/sboms/NAME.cdx.json` (PEP 770)
mlbom(document, lock)            models and data, how good they are and what they need: `_release/mlbom.cdx.json`

Nobody writes them, and nothing in them is a time or a name of a machine: the same release has the same bytes.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

from stepwell.dist.lock import Data, Leaving, Lock
from stepwell.dist.releases.document import Blob, Release

SPEC = "1.6"
"""The version of CycloneDX."""

Part = dict[str, Any]


def sbom(document: Release, version: str, blobs: Mapping[str, Blob]) -> bytes:
    """What is inside the archive beside the project's own code: each artifact with its SHA-256. `version` is Stepwell's."""
    inside = [
        {
            "type": "data",
            "bom-ref": digest,
            "name": f"{document.package}/_release/blobs/{digest.removeprefix('b3:')}",
            "hashes": _hashes(digest, blob),
        }
        for digest, blob in sorted(blobs.items())
        if blob.inside
    ]
    return _document(document, version, "sbom", {"components": inside})


def mlbom(document: Release, version: str, lock: Lock) -> bytes:
    """Every output and all data of a release, with their digests, and what came from what. `version` is Stepwell's."""
    outputs = [_output(name, one, document, lock) for name, one in sorted(lock.output.items())]
    data = [_data(name, one) for name, one in sorted(lock.data.items())]
    libraries = [
        {"type": "library", "bom-ref": f"pkg:pypi/{name}@{held}", "name": name, "version": held, "purl": f"pkg:pypi/{name}@{held}"}
        for name, held in sorted(lock.environment.direct.items())
    ]  # fmt: skip
    needed = [
        {
            "ref": f"output:{name}",
            "dependsOn": [
                *(f"data:{each}" for each in data_of(one, lock)),
                *(part["bom-ref"] for part in libraries),
            ],
        }
        for name, one in sorted(lock.output.items())
    ]
    return _document(
        document, version, "mlbom", {"components": [*outputs, *data, *libraries], "dependencies": needed}
    )


def data_of(output: Leaving, lock: Lock) -> tuple[str, ...]:
    """The data that an output was made from, through all steps before it, by name."""
    steps = lock.pipeline[output.pipeline].step if output.pipeline in lock.pipeline else {}
    found: set[str] = set()
    todo, seen = [output.step], set[str]()
    while todo:
        name = todo.pop()
        if name in seen or name not in steps:
            continue
        seen.add(name)
        for use in steps[name].uses:
            kind, _, rest = use.partition(".")
            (todo.append if kind == "step" else found.add)(rest)
    return tuple(sorted(found))


def _document(document: Release, version: str, kind: str, content: Part) -> bytes:
    purl = f"pkg:pypi/{document.project}@{document.version}"
    body: Part = {
        "bomFormat": "CycloneDX",
        "specVersion": SPEC,
        "version": 1,
        "metadata": {
            "tools": {"components": [{"type": "application", "name": "stepwell", "version": version}]},
            "component": {
                "type": "library", "bom-ref": purl, "name": document.project, "version": document.version, "purl": purl,
            },
        },
        **content,
    }  # fmt: skip
    text = json.dumps(body, sort_keys=True)
    serial = uuid.uuid5(uuid.NAMESPACE_URL, f"{kind} {text}")  # of the content, not of the moment
    body["serialNumber"] = f"urn:uuid:{serial}"
    return json.dumps(body, indent=1, sort_keys=True).encode() + b"\n"


def _output(name: str, one: Leaving, document: Release, lock: Lock) -> Part:
    model = bool(one.takes)
    part: Part = {
        "type": "machine-learning-model" if model else "data",
        "bom-ref": f"output:{name}",
        "name": name,
        "version": document.version,
        "hashes": _hashes(one.bytes, document.blobs.get(one.bytes)),
        "properties": [
            *_properties(codec=one.codec, content=one.content, pipeline=one.pipeline, step=one.step),
            *({"name": "stepwell:needs", "value": each} for each in one.needs),
        ],
    }
    if model:
        part["modelCard"] = _card(name, one, lock)
    return part


def _card(name: str, one: Leaving, lock: Lock) -> Part:
    """What is known of a model: the data that it saw, what it takes and gives, its metrics."""
    from stepwell.dist.gates import concerning

    metrics = [
        {"type": metric, "value": repr(value)} for metric, value in sorted(concerning(lock, name).items())
    ]
    parameters: Part = {
        "datasets": [{"ref": f"data:{each}"} for each in data_of(one, lock)],
        "inputs": [{"format": _column(column, kind, one)} for column, kind in one.takes.items()],
        "outputs": [{"format": _column(column, kind, one)} for column, kind in one.gives.items()],
    }
    return {
        "modelParameters": {key: value for key, value in parameters.items() if value},
        **({"quantitativeAnalysis": {"performanceMetrics": metrics}} if metrics else {}),
    }


def _column(column: str, kind: str, one: Leaving) -> str:
    return f"{column}: {kind} [{one.units[column]}]" if column in one.units else f"{column}: {kind}"


def _data(name: str, one: Data) -> Part:
    facts = {
        "source": one.source,
        "content": one.content,
        "rows": "" if one.rows is None else str(one.rows),
        "size": str(one.size),
        **{f"position:{key}": value for key, value in sorted(one.position.items())},
    }
    return {
        "type": "data",
        "bom-ref": f"data:{name}",
        "name": name,
        "hashes": _hashes(one.bytes, None),
        "properties": list(_properties(**facts)),
        "data": [{"type": "dataset", "name": name}],
    }


def _properties(**facts: str) -> Iterator[Part]:
    return ({"name": f"stepwell:{key}", "value": value} for key, value in facts.items() if value)


def _hashes(digest: str, blob: Blob | None) -> list[Part]:
    found = [{"alg": "BLAKE3", "content": digest.removeprefix("b3:")}]
    return [*found, {"alg": "SHA-256", "content": blob.sha256}] if blob is not None else found
