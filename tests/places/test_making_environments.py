"""Environments as such: made by one of several processes at once, whole or not at all."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from cli_projects import Project, wait_for

from stepwell.errors import CannotResolve, EnvironmentFailed, NoPython
from stepwell.worker.places import environments
from stepwell.worker.places.environments import Environment, Wanted

MAKE = """
import sys
from stepwell.worker.places import environments as e
print(e.made(e.resolved(e.Wanted(("greet==1.0",)), e.python(""))))
"""


@pytest.fixture
def surrounded(project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """This process sees the folder of wheels and has a cache folder of its own, which is given."""
    for name in ("UV_FIND_LINKS", "UV_DEFAULT_INDEX", "UV_CACHE_DIR"):
        monkeypatch.setenv(name, project.env[name])
    cache = tmp_path / "a cache"  # scripts in it have no path with spaces in their first line
    monkeypatch.setenv("STEPWELL_CACHE", str(cache))
    return cache


def making(**more: str) -> subprocess.Popen[str]:
    """A process that makes an environment."""
    return subprocess.Popen(
        [sys.executable, "-c", MAKE], stdout=subprocess.PIPE, text=True, env={**os.environ, **more}
    )


def test_two_processes_at_once_make_one(surrounded: Path) -> None:
    both = [making(), making()]
    folders = [process.communicate(timeout=60)[0].strip() for process in both]
    assert folders[0] == folders[1]
    assert [path.name for path in surrounded.joinpath("environments").iterdir() if path.is_dir()] == [
        Path(folders[0]).name
    ]
    said = subprocess.run(
        [f"{folders[0]}/bin/python", "-c", "import greet; print(greet.VERSION)"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout == "1.0\n"


def test_who_is_killed_in_the_middle_leaves_nothing_that_counts(surrounded: Path, tmp_path: Path) -> None:
    real, slow = environments.uv(), tmp_path / "bin"
    slow.mkdir()
    (slow / "uv").write_text(
        f'#!/bin/sh\n"{real}" "$@" || exit\ncase "$2" in sync) echo > "{tmp_path}/there"; sleep 30;; esac\n'
    )
    (slow / "uv").chmod(0o755)
    process = making(PATH=f"{slow}:{os.environ['PATH']}")
    wait_for((tmp_path / "there").exists)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert [path.name[0] for path in surrounded.joinpath("environments").iterdir() if path.is_dir()] == ["."]
    folder = Path(making().communicate(timeout=60)[0].strip())
    assert (folder / "stepwell.json").is_file()
    assert [path for path in folder.parent.iterdir() if path.is_dir()] == [folder]


def test_a_folder_that_nobody_finished_is_made_anew(surrounded: Path) -> None:
    wanted = environments.resolved(Wanted(("greet==1.0",)), environments.python(""))
    folder = surrounded / "environments" / wanted.digest
    (folder / "bin").mkdir(parents=True)
    assert environments.made(wanted) == folder
    assert (folder / "bin" / "python").exists()


def test_what_cannot_be_installed_leaves_nothing(surrounded: Path) -> None:
    good = environments.resolved(Wanted(("greet==1.0",)), environments.python(""))
    bad = good._replace(lock=good.lock.replace("sha256:", "sha256:00")[:-3])
    with pytest.raises(EnvironmentFailed) as caught:
        environments.made(bad)
    assert caught.value.why
    assert not [path for path in surrounded.joinpath("environments").iterdir() if path.is_dir()]


def test_a_lock_has_hashes_and_versions_say_what_is_in_it(surrounded: Path) -> None:
    found = environments.resolved(Wanted(("polite",)), environments.python(""))
    assert found.lock.count("--hash=sha256:") == 2
    assert found.versions == {
        "python": f"{sys.version_info[0]}.{sys.version_info[1]}",
        "greet": "1.0",
        "polite": "1.0",
    }


def test_without_anything_to_install_it_is_an_empty_one(surrounded: Path) -> None:
    found = environments.resolved(Wanted(), environments.python(""))
    assert found.lock == ""
    folder = environments.made(found)
    listed = subprocess.run(
        [folder / "bin" / "python", "-s", "-c", "import sys; print(sys.prefix)"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert listed.stdout.strip() == str(folder)
    assert list(folder.glob("lib/python3.*/site-packages/*.dist-info")) == []


def test_uv_explains_on_one_line(surrounded: Path) -> None:
    with pytest.raises(CannotResolve) as caught:
        environments.resolved(Wanted(("polite", "greet==2.0")), environments.python(""))
    assert "polite" in caught.value.why
    assert "greet" in caught.value.why
    assert "\n" not in caught.value.why
    assert "×" not in caught.value.why


def test_which_python_is_taken(surrounded: Path) -> None:
    own = f"{sys.version_info[0]}.{sys.version_info[1]}"
    assert environments.python("").version.startswith(own)
    assert environments.python(own) == environments.python("")
    with pytest.raises(NoPython, match=r"3\.10 is too old"):
        environments.python("3.10")
    with pytest.raises(NoPython) as caught:
        environments.python("3.77")
    assert own in caught.value.why
    assert "uv python install 3.77" in caught.value.fixes


def test_an_environment_is_known_by_all_that_is_in_it() -> None:
    one = Environment("a==1\n", "3.12.1", "/usr/bin/python3.12")
    others = [
        one._replace(lock="a==2\n"),
        one._replace(version="3.12.2"),
        one._replace(program="/opt/python"),
    ]
    assert len({one.digest, *[other.digest for other in others]}) == 4
    assert one._replace(lock='a==1 ; python_version > "3"\nB_c[x]==2 \\\n    --hash=sha256:0\nd @ file:///d.whl\n').versions == {
        "python": "3.12", "a": "1", "b-c": "2", "d": "file:///d.whl",
    }  # fmt: skip
