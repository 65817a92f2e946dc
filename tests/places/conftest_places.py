"""Projects whose steps have environments of their own: two tiny distributions, `greet` 1.0 and 2.0, served from a folder."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "cli"))

from cli_projects import Project


def wheel(folder: Path, name: str, version: str, text: str, requires: tuple[str, ...] = ()) -> Path:
    """A wheel with one module."""
    info = f"{name}-{version}.dist-info"
    head = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    files = {
        f"{name}.py": text,
        f"{info}/METADATA": head + "".join(f"Requires-Dist: {one}\n" for one in requires),
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    files[f"{info}/RECORD"] = "".join(f"{each},,\n" for each in (*files, f"{info}/RECORD"))
    path = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for each, content in files.items():
            archive.writestr(each, content)
    return path


GREET = """
VERSION = "{version}"

class Card:
    def __init__(self, name):
        self.name = name

def hello(name):
    return f"{version} hello " + name
"""


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of wheels."""
    folder = tmp_path_factory.mktemp("wheels")
    for version in ("1.0", "2.0"):
        wheel(folder, "greet", version, GREET.format(version=version))
    (folder / "none").mkdir()  # an index that has nothing
    wheel(folder, "polite", "1.0", "WORD = 'please'\n", ("greet<2",))
    return folder


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache folder that all tests share, so that an environment is made once."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def project(tmp_path: Path, wheels: Path, cache: Path) -> Project:
    """A project's folder with the command; package indexes are the folder of wheels."""
    made = Project(tmp_path)
    made.env |= {
        "UV_FIND_LINKS": str(wheels),
        "UV_DEFAULT_INDEX": (wheels / "none").as_uri(),
        "UV_CACHE_DIR": str(cache / "uv"),
        "STEPWELL_CACHE": str(cache / "stepwell"),
    }
    return made


def git(folder: Path, *words: str) -> str:
    """Run git in a folder."""
    author = ("-c", "user.name=n", "-c", "user.email=n@example.org", "-c", "commit.gpgsign=false")
    done = subprocess.run(["git", *author, *words], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def features(tmp_path: Path) -> Path:
    """A repository of steps of others, with the tags v1 and v2."""
    folder = tmp_path / "features"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    (folder / "steps.py").write_text(FEATURES, "utf-8")
    (folder / "helper.py").write_text("FACTOR = 1\n", "utf-8")
    requires = '[project]\nname = "features"\nversion = "1"\ndependencies = ["greet<2", "stepwell>=0.0.1"]\n'
    (folder / "pyproject.toml").write_text(requires, "utf-8")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "one")
    git(folder, "tag", "v1")
    (folder / "helper.py").write_text("FACTOR = 10\n", "utf-8")
    (folder / "pyproject.toml").write_text(requires.replace("<2", ">=2"), "utf-8")
    git(folder, "commit", "-qam", "two")
    git(folder, "tag", "-a", "-m", "two", "v2")
    return folder


FEATURES = '''
"""Steps that others may use."""
import helper
from stepwell import step


@step
def sizes(words: list[str], least: int = 0) -> dict[str, int]:
    """How long words are."""
    import greet

    found = {word: len(word) * helper.FACTOR for word in words if len(word) >= least}
    return found | {"greet": int(greet.VERSION[0])}


def no_step():
    pass
'''
