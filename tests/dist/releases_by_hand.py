"""A release of a small model, without a pipeline that made it: what `dist.releases.made` is given."""

from __future__ import annotations

from pathlib import Path

from blake3 import blake3

from stepwell.dist.lock import Data, Environment, Leaving, Lock, Output, Pipeline, Step
from stepwell.dist.releases.archive import packed
from stepwell.dist.releases.document import Release
from stepwell.dist.releases.made import Base, Content, Made, Project, bare, released
from stepwell.dist.releases.pieces import divided, held_piece

MODEL = b'{"weights":[1,2,3]}'
DIGEST = f"b3:{blake3(MODEL).hexdigest()}"
OTHER = f"b3:{blake3(b'a,b').hexdigest()}"


def lock_by_hand() -> Lock:
    return Lock(
        environment=Environment(python="cpython 3.11", platform="linux x86_64", direct={"pandas": "3.1.1"}),
        data={"people": Data(source="people.csv", size=3, rows=0, bytes=OTHER, columns={"a": "int64", "b": "int64"})},
        pipeline={
            "main": Pipeline(
                params={"depth": 3},
                metrics={"fit.auc": 0.83},
                step={
                    "clean": Step(code="c0de", uses=("data.people",), output={"result": Output(codec="json", size=2, bytes=OTHER)}),
                    "fit": Step(code="c0fe", uses=("step.clean",), output={"result": Output(codec="json", size=len(MODEL), bytes=DIGEST)}),
                },
            )
        },
        output={
            "model": Leaving(
                pipeline="main", step="fit", codec="json", size=len(MODEL), bytes=DIGEST, takes={"a": "int64"},
                gives={"prediction": "float64"}, units={"a": "minute"}, needs=("scikit-learn==1.9.1",),
            )
        },
    )  # fmt: skip


def content_by_hand(version: str = "1.4.0", package: str = "churn", **parts) -> Content:
    lock = lock_by_hand()
    piece = held_piece(DIGEST, MODEL)
    document = Release(
        project=package.replace("_", "-"), package=package, version=version, commit="0" * 40, pipelines={"main": "pipeline.py:main"},
        predict="model", blobs=divided([piece], 1000, (), store="").blobs, gates={"model": ("auc >= 0.8",)},
    )  # fmt: skip
    given = {
        "project": {"pipeline.py": b"pass\n"},
        "requires": ("stepwell>=0.1.0", "scikit-learn==1.9.1"),
    } | parts
    return Content(document, lock, blobs={DIGEST: MODEL}, **given)


def made_by_hand(base: Base | None = None, version: str = "1.4.0", **parts) -> Made:
    about = Project("churn", "churn", summary="Who leaves?", page="# churn\n", requires=("pandas>=2",))
    return released(base or bare(about, version, "0.1.0"), content_by_hand(version, **parts), "0.1.0")


def released_wheel(folder: Path, version: str = "1.4.0") -> Path:
    """The wheel of a release, on the disk."""
    made = made_by_hand(version=version)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / made.file
    path.write_bytes(packed(made.files, made.dist_info))
    return path
