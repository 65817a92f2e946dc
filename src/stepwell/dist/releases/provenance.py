"""How a release came to be, as other tools read it: an in-toto statement with SLSA provenance, version 1.

statement(document, lock, version)       # the bytes of `_release/provenance.json`

Subjects are the outputs. What was chosen are external parameters; what was found are resolved dependencies: the commit, every
step's code, all data, the environment. There is no time and no machine in it, so the same release has the same bytes;
who built it where says an attestation of the wheel, which covers this through RECORD.

The specifications are in-toto Statement v1 and SLSA provenance v1 (slsa.dev/spec/v1.0/provenance).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from stepwell.dist.lock import Leaving, Lock
from stepwell.dist.releases.document import Release

BUILD = "urn:stepwell:release:1"
"""What kind of build it is: a lock in which everything was up to date, put into a wheel by `stepwell release`."""

BUILDER = "urn:stepwell"

Part = dict[str, Any]


def statement(document: Release, lock: Lock, version: str) -> bytes:
    """The statement about a release; `version` is Stepwell's."""
    subjects = [part for name, one in sorted(lock.output.items()) for part in _subjects(name, one, document)]
    body = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": subjects,
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {
            "buildDefinition": {
                "buildType": BUILD,
                "externalParameters": _chosen(document, lock),
                "internalParameters": {
                    "python": lock.environment.python,
                    "platform": lock.environment.platform,
                },
                "resolvedDependencies": list(_found(document, lock)),
            },
            "runDetails": {
                "builder": {"id": BUILDER, "version": {"stepwell": version}},
                "byproducts": list(_byproducts(lock)),
            },
        },
    }
    return json.dumps(body, indent=1, sort_keys=True).encode() + b"\n"


def _subjects(name: str, one: Leaving, document: Release) -> Iterator[Part]:
    for number, digest in enumerate((one.bytes, *one.parts)):
        blob = document.blobs[digest]
        yield {
            "name": f"{name}/{number}" if number else name,
            "digest": {"sha256": blob.sha256, **_digest(digest)},
        }


def _chosen(document: Release, lock: Lock) -> Part:
    return {
        "project": document.project,
        "version": document.version,
        "pipelines": {
            name: {
                "from": document.pipelines.get(name, ""),
                "params": json.loads(json.dumps(one.params, default=str)),
            }
            for name, one in sorted(lock.pipeline.items())
        },
    }


def _found(document: Release, lock: Lock) -> Iterator[Part]:
    if document.commit:
        yield {"name": "project", "digest": {"gitCommit": document.commit}}
    if lock.environment.pylock:
        yield {"name": "pylock.toml", "digest": {"sha256": lock.environment.pylock.removeprefix("sha256:")}}
    for name, data in sorted(lock.data.items()):
        yield {
            "name": f"data/{name}",
            "uri": data.source,
            "digest": {**_digest(data.bytes), **_digest(data.content)},
        }
    for pipeline, one in sorted(lock.pipeline.items()):
        for step, call in sorted(one.step.items()):
            yield {"name": f"code/{pipeline}/{step}", "digest": _digest(call.code)}


def _byproducts(lock: Lock) -> Iterator[Part]:
    """What every step gave, also what does not leave."""
    for pipeline, one in sorted(lock.pipeline.items()):
        for step, call in sorted(one.step.items()):
            for part, output in sorted(call.output.items()):
                yield {
                    "name": f"{pipeline}/{step}/{part}",
                    "digest": {**_digest(output.bytes), **_digest(output.content)},
                }


def _digest(text: str) -> dict[str, str]:
    """A digest under the name of its algorithm: `b3` is BLAKE3, any other prefix is Stepwell's own."""
    kind, _, value = text.rpartition(":")
    return {"blake3" if kind == "b3" else kind or "stepwell": value} if value else {}
