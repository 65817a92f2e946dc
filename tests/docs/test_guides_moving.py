"""The guides to hooks and to moving in: their code runs, and their commands do what the text says."""

from __future__ import annotations

import json
import re
import shlex
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests" / "cli"))

from cli_projects import Project  # noqa: E402  it lies in another folder


def blocks(page: str, kind: str) -> list[str]:
    text = (ROOT / "docs" / "guides" / page).read_text("utf-8")
    return re.findall(rf"```{kind}\n(.*?)```", text, re.DOTALL)


def commands(page: str) -> list[list[str]]:
    lines = [line for block in blocks(page, "console") for line in block.splitlines()]
    return [shlex.split(line.removeprefix("$ stepwell ")) for line in lines if line.startswith("$ stepwell ")]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def test_hooks(project):
    (settings,) = blocks("hooks.md", "toml")
    project.write(settings, "stepwell.toml")
    project.write("\n\n".join(blocks("hooks.md", "python")))
    good, bad = commands("hooks.md")
    assert project(*good).err == ""
    assert (project.root / "told.txt").read_text() == "r1 went well\n"
    assert (project.root / "done").exists()
    (project.root / "ended").unlink()
    project.write(
        settings.replace("https://hooks.example.org/team", "https://hooks.invalid/team"), "stepwell.toml"
    )
    failed = project(*bad, code=1)
    assert "note: hook `https://hooks.invalid/…`: " in failed.err
    (documented,) = blocks("hooks.md", "json")
    told = json.loads((project.root / "failed.json").read_text())
    expected = json.loads(documented)
    assert told == {**expected, "run": "r2", "seconds": told["seconds"]}
    assert (project.root / "who.txt").read_text() == "half\n"
    assert (project.root / "not-done").exists()
    assert (project.root / "ended").exists()
    assert not (project.root / "told.txt").read_text().count("r2")
    document = project(*bad, "--json", code=1)
    assert document.json["status"] == "failed"
    refused = project.refused("run", "--on-success", "http://hooks.example.org/x", code=2)
    assert refused["code"] == "E126"
    assert project("runs", "--json").json["runs"][0]["run"] == "r3"  # nothing ran


SCRIPTS = {
    "featurize.py": "import sys\nopen(sys.argv[2], 'w').write(open(sys.argv[1]).read().upper())\n",
    "train.py": "import sys\nopen('model.json', 'w').write(open('features.csv').read() + sys.argv[2])\n",
    "params.yaml": "train:\n  rounds: 3\n  rate: 0.5\n",
    "raw.csv": "a,b\n",
    "Makefile": "copy.csv: raw.csv\n\tcp $< $@\n",
}


def test_adopt(project):
    for name, text in SCRIPTS.items():
        project.write(text, name)
    (stages,) = blocks("adopt.md", "yaml")
    project.write(stages, "dvc.yaml")
    (promised,) = blocks("adopt.md", "python")
    printed, *others = commands("adopt.md")
    text = project(*printed).out
    for part in promised.split("\n\n"):
        assert part.strip("\n") in text
    for words in others:
        project(*words)
    assert project("run", "--json").json["status"] == "succeeded"
    assert (project.root / "model.json").read_text() == "A,B\n3"
    (project.root / "model.json").unlink()
    project("run", "rounds=3")
    assert (project.root / "model.json").read_text() == "A,B\n3"
    assert "copy_csv = shell(" in (project.root / "made.py").read_text()
