"""`pylock.toml`: what the project says it needs, as it is installed, by hash; nothing of this machine in it.

uv is real; the index is a folder with wheels made here, so that no network is asked.
"""

from __future__ import annotations

import importlib.metadata
import re
import subprocess
import tomllib
from hashlib import sha256
from pathlib import Path

import pytest
from wheels_by_hand import of_stepwell, wheel

from stepwell.dist import pylock
from stepwell.dist.pylock import differences_of, lacking, pylock_of, pylock_path, requirements_of, said_by
from stepwell.errors import BadLock, PylockNotMade
from stepwell.worker.places import environments

HOSTED = f"packages/ab/cd/{'e' * 60}/thing-1.0-py3-none-any.whl"


def installed(name: str) -> str:
    return importlib.metadata.version(name)


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is all that uv can ask: what Stepwell itself needs, and pandas in two versions."""
    folder = tmp_path / "index"
    for name in (*of_stepwell(), "pandas", "pyarrow"):
        try:
            wheel(folder, name, installed(name))
        except importlib.metadata.PackageNotFoundError:
            wheel(folder, name, "99.0")
    wheel(folder, "pandas", "99.0")
    monkeypatch.setenv("UV_FIND_LINKS", str(folder))
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    return folder


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "churn"
    folder.mkdir()
    return folder


def script(root: Path, *needs: str) -> Path:
    file = root / "churn.py"
    listed = ", ".join(f'"{one}"' for one in needs)
    file.write_text(f"# /// script\n# dependencies = [{listed}]\n# [tool.stepwell]\n# ///\n")
    return file


def versions(data: bytes) -> dict[str, str]:
    return {one["name"]: one["version"] for one in tomllib.loads(data.decode())["packages"]}


def test_a_script_has_what_is_installed(index: Path, root: Path) -> None:
    data = pylock_of(root, script(root, "pandas>=2"))
    found = versions(data)
    assert found["pandas"] == installed("pandas")
    assert "stepwell" not in found
    assert found["msgspec"] == installed("msgspec")
    assert data == pylock_of(root, root / "churn.py")
    assert differences_of(data) == []


def test_the_extras_of_stepwell_are_what_they_mean(index: Path, root: Path) -> None:
    assert {"pandas", "pyarrow"} <= versions(pylock_of(root, script(root, "stepwell[pandas]"))).keys()
    assert "pandas" not in versions(pylock_of(root, script(root, "stepwell")))


def test_what_the_code_imports_is_in_it_in_any_case(index: Path, root: Path) -> None:
    data = pylock_of(root, script(root), ["pandas"])
    assert "pandas" in versions(data)
    assert lacking(data, ["pandas", "PyArrow"]) == ["pyarrow"]


def test_nothing_of_this_machine_is_in_it(index: Path, root: Path) -> None:
    text = pylock_of(root, script(root, "pandas")).decode()
    assert str(index.parent) not in text
    assert "file:" not in text
    assert "upload-time" not in text
    (one,) = [one for one in tomllib.loads(text)["packages"] if one["name"] == "pandas"]
    (its,) = one["wheels"]
    assert its["path"] == its["name"] == f"pandas-{installed('pandas')}-py3-none-any.whl"
    assert its["hashes"]["sha256"] == sha256((index / its["name"]).read_bytes()).hexdigest()


@pytest.mark.parametrize(
    ("url", "becomes"),
    [
        (f"https://files.pythonhosted.org/{HOSTED}", {"url": f"https://files.pythonhosted.org/{HOSTED}"}),
        (f"https://mirror.corp.lan:8443/pypi/{HOSTED}", {"url": f"https://files.pythonhosted.org/{HOSTED}"}),
        ("https://me:secret@wheels.acme.example/a/thing-1.0-py3-none-any.whl?token=1", {"url": "https://wheels.acme.example/a/thing-1.0-py3-none-any.whl"}),
        ("https://wheels.corp.lan/a/thing-1.0-py3-none-any.whl", {"path": "thing-1.0-py3-none-any.whl"}),
        ("file:///home/me/thing-1.0-py3-none-any.whl", {"path": "thing-1.0-py3-none-any.whl"}),
    ],
    ids=["PyPI", "a mirror", "the project's own", "a private one", "a file"],
)  # fmt: skip
def test_addresses_are_those_that_everybody_knows(url: str, becomes: dict[str, str]) -> None:
    """The project names the index `wheels.acme.example` itself."""
    made = {
        "packages": [{"name": "thing", "version": "1.0", "wheels": [{"url": url, "hashes": {"sha256": "0"}}]}]
    }
    own = '[[tool.uv.index]]\nurl = "https://wheels.acme.example/simple"\n'
    (one,) = pylock._packages(made, own)
    assert one["wheels"] == [{"name": "thing-1.0-py3-none-any.whl", **becomes, "hashes": {"sha256": "0"}}]


def test_a_project_with_uv_lock_has_what_is_in_it(index: Path, root: Path) -> None:
    version = installed("pandas")
    (root / "pyproject.toml").write_text(
        f'[project]\nname = "churn"\nversion = "0"\nrequires-python = ">=3.11"\ndependencies = ["pandas=={version}"]\n'
    )
    subprocess.run([environments.uv(), "lock", "--quiet"], cwd=root, check=True)
    assert said_by(root).locked
    data = pylock_of(root, None, ["pandas"])
    assert versions(data) == {"pandas": version}
    with pytest.raises(PylockNotMade, match=r"needs pyarrow, which `uv\.lock` has not") as told:
        pylock_of(root, None, ["pandas", "pyarrow"])
    assert told.value.fixes == ("uv add pyarrow",)


def test_another_version_than_is_installed_is_refused(index: Path, root: Path) -> None:
    (root / "pyproject.toml").write_text(
        '[project]\nname = "churn"\nversion = "0"\nrequires-python = ">=3.11"\ndependencies = ["pandas==99.0"]\n'
    )
    subprocess.run([environments.uv(), "lock", "--quiet"], cwd=root, check=True)
    with pytest.raises(PylockNotMade, match=f"pandas is {re.escape(installed('pandas'))}, not 99.0"):
        pylock_of(root)


def test_what_cannot_be_resolved_is_told(index: Path, root: Path) -> None:
    with pytest.raises(PylockNotMade, match="cannot be made of what the project needs") as told:
        pylock_of(root, script(root, "no-such-thing"))
    assert "no-such-thing" in told.value.why


def test_it_becomes_requirements_that_uv_installs(index: Path, root: Path, tmp_path: Path) -> None:
    data = pylock_of(root, script(root, "pandas"))
    file = tmp_path / "requirements.txt"
    file.write_text(requirements_of(data))
    assert f"pandas=={installed('pandas')} \\\n    --hash=sha256:" in file.read_text()
    uv = environments.uv()
    subprocess.run([uv, "venv", "--quiet", str(tmp_path / "venv")], check=True)
    words = [uv, "pip", "sync", "--quiet", "--require-hashes", "--python", str(tmp_path / "venv"), str(file)]
    subprocess.run(words, check=True)
    assert list((tmp_path / "venv").rglob("pandas-*.dist-info"))


@pytest.mark.parametrize(
    "text", [b"\xff", b"x =", b"packages = []", b'lock-version = "1.0"\npackages = [1]\n']
)
def test_what_is_no_pylock_is_refused(text: bytes) -> None:
    with pytest.raises(BadLock, match=r"no pylock\.toml"):
        differences_of(text)


def test_its_name_is_that_of_the_lock() -> None:
    assert pylock_path(Path("a/stepwell.lock")) == Path("a/pylock.toml")
    assert pylock_path(Path("a/churn.stepwell.lock")) == Path("a/pylock.churn.toml")
