"""The guide to environments: its code runs, and its plan says what the text says."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "tests" / "cli"), str(ROOT / "tests" / "places")]

from cli_projects import Project  # noqa: E402  it lies in another folder
from conftest_places import cache, features, git, project, wheels  # noqa: E402, F401  fixtures

PAGE = (ROOT / "docs" / "guides" / "environments.md").read_text("utf-8")


@pytest.mark.usefixtures("cache", "wheels")
def test_the_guide(project: Project, features: Path) -> None:  # noqa: F811
    two, used = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
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
