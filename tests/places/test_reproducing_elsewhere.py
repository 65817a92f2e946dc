"""`stepwell reproduce` in the environment that a lock names: uv makes it, and what it cannot make is said."""

from __future__ import annotations

import os
import sys
from hashlib import sha256
from pathlib import Path

import pytest
from cli_projects import Project
from msgspec import structs

from stepwell.dist.lock import Environment
from stepwell.dist.lockfile import read, text_of
from stepwell.dist.releases.document import Release, encoded

sys.path.insert(0, str(Path(__file__).parents[1] / "dist"))

from wheels_by_hand import files_of, packed, record_of

PIPELINE = """
    from stepwell import pipeline, step

    @step
    def word() -> str:
        try:
            from greet import hello
        except ImportError:
            return "1.0 hello you"
        return hello("you")

    @step
    def libraries() -> list[str]:
        import importlib.util
        return [name for name in ("greet", "polite", "pytest") if importlib.util.find_spec(name)]

    @pipeline
    def demo() -> tuple[str, list[str]]:
        return word(), libraries()
"""

PYLOCK = """lock-version = "1.0"
created-by = "uv"

[[packages]]
name = "greet"
version = "{version}"
wheels = [{{ name = "greet-{version}-py3-none-any.whl", hashes = {{ sha256 = "{digest}" }} }}]
"""


def pylock(wheels: Path, version: str) -> bytes:
    """A `pylock.toml` of `greet`, whose wheel has no address: the settings of uv say where it is."""
    data = (wheels / f"greet-{version.removesuffix('!')}-py3-none-any.whl").read_bytes()
    digest = "0" * 64 if version.endswith("!") else sha256(data).hexdigest()
    return PYLOCK.format(version=version.removesuffix("!"), digest=digest).encode()


def released(project: Project, pylock: bytes, python: str = "") -> None:
    """A release of what has run in the project, as if in the environment of a `pylock.toml`."""
    lock = read(project.root / "stepwell.lock")
    here = lock.environment
    environment = Environment(
        python=python or here.python, platform=here.platform, pylock=f"sha256:{sha256(pylock).hexdigest()}"
    )
    document = Release(
        project="demo", package="demo", version="1.0.0", pipelines={"demo": "pipeline.py:demo"}
    )
    inside = {
        "release.json": encoded(document),
        "stepwell.lock": text_of(structs.replace(lock, environment=environment)).encode(),
        "pylock.toml": pylock,
        "project/pipeline.py": (project.root / "pipeline.py").read_bytes(),
    }
    files = files_of("demo", "1.0.0") | {f"demo/_release/{name}": data for name, data in inside.items()}
    files["demo-1.0.0.dist-info/RECORD"] = record_of(files, "demo-1.0.0.dist-info")
    (project.root / "dist").mkdir()
    packed(project.root / "dist" / "demo-1.0.0-py3-none-any.whl", list(files.items()))


@pytest.fixture
def demo(project: Project) -> Project:
    project.write(PIPELINE)
    project("run", "--lock")
    return project


def graded(project: Project, code: int) -> dict[str, tuple[str, str]]:
    steps = project("reproduce", "1.0.0", "--json", code=code).json["evidence"]["steps"]
    return {one["step"]: (one["grade"], one["how"]) for one in steps}


def test_the_libraries_are_those_of_the_lock_and_no_others(demo: Project, wheels: Path) -> None:
    released(demo, pylock(wheels, "1.0"))
    found = graded(demo, 1)
    assert found["word"] == ("A", "the same bytes")
    assert found["libraries"] == ("F", "[0]: 'pytest' is now 'greet'"), "nothing of this environment is there"


def test_another_version_gives_something_else(demo: Project, wheels: Path) -> None:
    released(demo, pylock(wheels, "2.0"))
    assert graded(demo, 1)["word"] == ("F", "the value: '1.0 hello you' is now '2.0 hello you'")
    found = demo("reproduce", "1.0.0", code=1)
    assert "made again in the locked environment, without network" in found.out


def test_what_cannot_be_installed_is_said(demo: Project, wheels: Path) -> None:
    released(demo, pylock(wheels, "1.0!"))
    error = demo.refused("reproduce", "1.0.0", code=4)
    assert error["code"] == "E803"
    assert "ash mismatch" in error["why"] or "hash" in error["why"].lower()


def test_a_python_that_is_not_here_is_said(demo: Project, wheels: Path) -> None:
    released(demo, pylock(wheels, "1.0"), python="cpython 3.99")
    error = demo.refused("reproduce", "1.0.0", code=4)
    assert (error["code"], error["what"]) == (
        "E804",
        "it was made with Python 3.99, and there is none on this machine",
    )
    assert error["fixes"] == ["uv python install 3.99"]


@pytest.mark.parametrize("data", [b"", b"lock-version = 1", b"\xff", b"[[packages]]\nname = 3\n"])
def test_what_is_no_pylock_is_said(demo: Project, data: bytes) -> None:
    released(demo, data)
    assert demo.refused("reproduce", "1.0.0", code=6)["code"] == "E702"


@pytest.mark.slow
def test_another_python_gets_what_stepwell_needs(demo: Project, wheels: Path) -> None:
    """Where the machine has one; where it has none, that is said."""
    other = "3.12" if sys.version_info[:2] != (3, 12) else "3.13"
    del demo.env["UV_DEFAULT_INDEX"]  # what Stepwell needs is on the index that the machine has
    own = {name: value for name, value in os.environ.items() if not name.startswith(("STEPWELL_", "PYTHON"))}
    demo.env = {**own, **demo.env, "HOME": str(Path.home())}
    released(demo, pylock(wheels, "1.0"), python=f"cpython {other}")
    done = demo("reproduce", "1.0.0", "--json", code=None)
    if done.code == 4:
        assert done.json["error"]["code"] == "E804", done.out
        return
    evidence = done.json["evidence"]
    assert evidence["environment"]["python"] == f"cpython {other}"
    assert {one["step"]: one["grade"] for one in evidence["steps"]} == {"word": "A", "libraries": "F"}


def test_steps_with_environments_of_their_own_get_them(project: Project) -> None:
    project.write(
        """
        from stepwell import pipeline, step

        @step(packages=["greet==1.0"])
        def word() -> str:
            from greet import hello
            return hello("you")

        @pipeline
        def demo() -> str:
            return word()
        """
    )
    project("run")
    project.env["STEPWELL_CACHE"] = str(project.root / "another cache")
    found = project("reproduce", "last", "--json").json["evidence"]
    assert (found["grade"], found["network"]) == ("A", "closed")
