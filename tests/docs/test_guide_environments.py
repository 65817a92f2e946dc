"""The guide to environments: its code runs, and its plan says what the text says."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from stepwell.author.manifest import manifest_of

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "tests" / name) for name in ("cli", "places", "installed")]

from cli_projects import Project  # noqa: E402  it lies in another folder
from conftest_places import cache, features, git, project, wheels  # noqa: E402, F401  fixtures
from installed_by_hand import Output, files_of, wheel  # noqa: E402

PAGE = (ROOT / "docs" / "guides" / "environments.md").read_text("utf-8")


DELAYS = """
from steps import sizes
from stepwell import pipeline

@pipeline
def delays(depth: int):
    return sizes(["a" * depth])
"""


@pytest.mark.usefixtures("cache", "wheels")
def test_the_guide(project: Project, features: Path, tmp_path: Path) -> None:  # noqa: F811
    two, used, released, whole = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    (command,) = re.findall(r"```console\n\$ stepwell (.*?)\n```", PAGE)
    (shown,) = re.findall(r"```text\n(.*?)```", PAGE, re.DOTALL)
    project.write(two)
    result = project("run", "--json").json["result"]
    assert result == [["1.0 hello Ada", "1.0 hello Grace"], ["2.0 hello Ada", "2.0 hello Grace"]]
    project.edit("greet==1.0", "greet==2.0")
    line = next(line for line in project(command).out.splitlines() if line.split()[:1] == ["old"])
    assert re.sub(r" +\d.* s +\d+ B +", "  ", line).split() == shown.split()
    address = "git+https://example.org/team/features@v1.2"
    assert address in used
    git(features, "tag", "v1.2", "v2^{commit}")
    own = used.replace(address, f"git+file://{features}@v1.2").replace("features.core:sizes", "steps:sizes")
    project.write(
        own
        + "\n\nfrom stepwell import pipeline\n\n\n@pipeline\ndef main() -> object:\n    return sizes(['a'])\n"
    )
    assert project("run", "--json").json["result"] == {"a": 10, "greet": 2}

    outputs = {"metrics": Output({"auc": 1})}
    files = files_of(tmp_path / "made", outputs, version="1.0.0", pipelines={"delays": "delays.py:delays"})
    files["churn/_release/project/delays.py"] = DELAYS.encode()
    for name in ("steps.py", "helper.py", "pyproject.toml"):
        files[f"churn/_release/project/{name}"] = (features / name).read_bytes()
    (project.root / "dist").mkdir()
    wheel(project.root / "dist", files, "1.0.0")
    own = released.replace("flights-delay==1.0.0", "churn==1.0.0").replace("pipeline:train", "steps:sizes")
    project.write(
        f"{own}\n\nfrom stepwell import pipeline\n\n\n@pipeline\ndef main() -> object:\n    return train(['a'])\n"
    )
    assert project("run", "--json").json["result"] == {"a": 10, "greet": 2}
    project.write(whole.replace("flights-delay==1.0.0", "churn==1.0.0"))
    assert project("run", "fleet", "--json").json["result"] == {"a" * 6: 60, "greet": 2}
    (told,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    (project.root / "stepwell.toml").write_text(told)
    assert f'source("{manifest_of(project.root).data["regions"].address("regions")}", pd.DataFrame)' in PAGE
