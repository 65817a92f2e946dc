"""Data that comes from a release: `package = "geo-regions>=3,<4"` in the manifest."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from cli_projects import Project

sys.path.insert(0, str(Path(__file__).parents[1] / "installed"))

from installed_by_hand import Output, files_of

from stepwell.dist.lockfile import read

REGIONS = pd.DataFrame({"region": ["north", "south"], "people": [10, 20]})

MANIFEST = """
[data.regions]
package = "churn>=1.4,<2"
"""

PIPELINE = """
    import pandas as pd
    from stepwell import pipeline, source, step

    regions = source("release://churn>=1.4,<2/regions", pd.DataFrame)

    @step
    def total(table: pd.DataFrame) -> int:
        return int(table["people"].sum())

    @pipeline
    def main() -> int:
        return total(regions())
"""


def install(
    project: Project, tmp_path: Path, table: pd.DataFrame, version: str = "1.4.0", **how: object
) -> Path:
    """Put a release with the output `regions` where the project's Python finds it."""
    site = tmp_path / f"site-{version}"
    outputs = {"regions": Output(table), "metrics": Output({"auc": 1})}
    for name, data in files_of(tmp_path / "made", outputs, version=version, **how).items():
        (site / name).parent.mkdir(parents=True, exist_ok=True)
        (site / name).write_bytes(data)
    info = site / f"churn-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: churn\nVersion: {version}\n")
    (info / "RECORD").write_text(
        "".join(f"{file.relative_to(site)},,\n" for file in site.rglob("*") if file.is_file())
    )
    project.env["PYTHONPATH"] = str(site)
    return site


def test_an_output_of_an_installed_release_is_data(project: Project, tmp_path: Path) -> None:
    install(project, tmp_path, REGIONS)
    project.write(PIPELINE)
    (project.root / "stepwell.toml").write_text(MANIFEST)
    assert project("run", "--lock", "--json").json["result"] == 30
    assert project("plan", "--json").decisions["total"] == "cached"
    data = read(project.root / "stepwell.lock").data["regions"]
    assert data.source == "release://churn>=1.4,<2/regions"
    blob = next(tmp_path.glob("site-1.4.0/churn/_release/blobs/*"), None)
    assert blob is not None
    assert any(data.bytes == f"b3:{path.name}" for path in blob.parent.iterdir())

    install(project, tmp_path, REGIONS.assign(people=[1, 2]), "1.5.0")
    assert project("plan", "--json").decisions["total"] == "run"
    assert project("run", "--json").json["result"] == 3
    assert project("run", "--frozen", "--json").json["result"] == 30


def test_data_by_its_name_is_what_the_release_has(project: Project, tmp_path: Path) -> None:
    install(project, tmp_path, REGIONS)
    (project.root / "stepwell.toml").write_text(MANIFEST)
    project.write("""
        import pandas as pd
        from data import regions
        from stepwell import pipeline, step

        @step
        def total(table: pd.DataFrame) -> int:
            return int(table["people"].sum())

        @pipeline
        def main() -> int:
            return total(regions())
    """)
    (project.root / "data.py").write_text(
        "from stepwell import interface as _interface\n"
        'regions = _interface.dataset("regions", "release://churn>=1.4,<2/regions", "pandas.DataFrame")\n'
    )
    assert project("run", "--json").json["result"] == 30


def test_blobs_that_are_elsewhere_are_fetched(project: Project, tmp_path: Path) -> None:
    site = install(project, tmp_path, REGIONS, store=str(tmp_path / "depot"), outside=("regions",))
    project.env["STEPWELL_CACHE"] = str(tmp_path / "own")
    assert len(list((site / "churn" / "_release" / "blobs").iterdir())) == 1
    project.write(PIPELINE)
    assert project("run", "--json").json["result"] == 30


@pytest.mark.parametrize(
    ("address", "code", "said"),
    [
        ("release://nothing>=1/regions", "E712", "`nothing>=1`, where the data `regions` comes from"),
        ("release://churn>=2/regions", "E733", "churn>=2, and 1.4.0 is"),
        ("release://churn>=1/region", "E734", "has no output `region`"),
        ("release://churn", "E304", "names no output"),
        ("release:///regions", "E304", "names no output"),
        ("release://churn>=1/../regions", "E304", "names no output"),
    ],
)
def test_what_is_not_there_is_told(
    project: Project, tmp_path: Path, address: str, code: str, said: str
) -> None:
    install(project, tmp_path, REGIONS)
    project.write(PIPELINE.replace("release://churn>=1.4,<2/regions", address))
    error = project("plan", "--json", code=None).json["error"]
    assert error["code"] == code
    assert said in error["what"]


def test_a_damaged_release_is_refused(project: Project, tmp_path: Path) -> None:
    site = install(project, tmp_path, REGIONS)
    project.env["STEPWELL_CACHE"] = str(tmp_path / "own")
    for path in (site / "churn" / "_release" / "blobs").iterdir():
        path.write_bytes(b"tampered")
    project.write(PIPELINE)
    error = project("plan", "--json", code=None).json["error"]
    assert "other bytes" in error["what"] + error["why"]


def test_outside_of_a_pipeline_it_is_loaded(project: Project, tmp_path: Path) -> None:
    install(project, tmp_path, REGIONS)
    code = 'import pandas as pd, stepwell; print(stepwell.source("release://churn/regions", pd.DataFrame)()["people"].sum())'
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=project.env,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout == "30\n", done.stderr
