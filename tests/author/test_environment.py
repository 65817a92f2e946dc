"""How much of the interpreter and of what is installed counts: levels, requirements, builds, caches.

Distributions are made by hand in a folder that is called like the one that Python installs into.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from stepwell.author.fingerprint import Project
from stepwell.author.fingerprint.environment import Environment, environment_token
from stepwell.author.fingerprint.installed import Installed
from stepwell.author.fingerprint.markers import holds, parsed
from stepwell.author.identities import identify
from stepwell.errors import BadOption
from stepwell.kernel.graph import FromStep, Graph, Node, StepDef
from stepwell.stores.local import open_store

PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
LINUX = (
    "Root-Is-Purelib: false\nTag: cp311-cp311-manylinux_2_28_x86_64\nTag: cp311-cp311-manylinux_2_17_x86_64\n"
)


class Site:
    """A folder of installed distributions."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True)

    def install(self, name: str, version: str = "1", *requires: str, wheel: str = "", **files: str) -> Path:
        """Make a distribution with one module of its own name; `files` are more of its metadata."""
        for old in self.folder.glob(f"{name}-*.dist-info"):
            for file in old.iterdir():
                file.unlink()
            old.rmdir()
        info = self.folder / f"{name}-{version}.dist-info"
        info.mkdir()
        (self.folder / f"{name}.py").write_text("raise SystemExit('imported')\n")
        head = [f"Name: {name}", f"Version: {version}", *(f"Requires-Dist: {text}" for text in requires)]
        (info / "METADATA").write_text("\n".join(head) + "\n\nRequires-Dist: not-a-header\n")
        (info / "RECORD").write_text(f"{name}.py,,\n{info.name}/METADATA,,\n")
        (info / "WHEEL").write_text(f"Wheel-Version: 1.0\n{wheel or 'Root-Is-Purelib: true'}\n")
        for file, text in files.items():
            (info / file.replace("__", ".")).write_text(text)
        return info

    def closure(self, *names: str) -> dict[str, str]:
        return Environment(Installed([str(self.folder)])).closure(names)


@pytest.fixture
def site(tmp_path, monkeypatch) -> Site:
    made = Site(tmp_path / "env/lib/python3/site-packages")
    monkeypatch.setattr(sys, "path", [*sys.path, str(made.folder)])
    return made


@pytest.fixture
def root(tmp_path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    text = "import numlib\n\ndef train(x):\n    return numlib.f(x)\n\ndef plain(x):\n    return x\n"
    (folder / "pipeline.py").write_text(text)
    return folder


def graph(*steps: StepDef) -> Graph:
    made = steps or (StepDef("train", "pipeline", "train"), StepDef("plain", "pipeline", "plain"))
    nodes = tuple(Node(id=step.name, step=number) for number, step in enumerate(made))
    return Graph("main", steps=tuple(made), nodes=nodes, result=FromStep(0))


def versions(root: Path, level: str = "default", *, step: str = "train", **options: str) -> dict[str, str]:
    made = graph(StepDef(step, "pipeline", step, **options))
    return dict(identify(made, Project(root), level=level).identities[0].versions)


# --------------------------------------------------------------------------- levels


def test_default_counts_what_is_reached_and_what_that_requires(site, root):
    site.install("numlib", "2.0", "corelib>=1", "optlib; extra == 'fast'")
    site.install("corelib", "1.5", "deeplib")
    site.install("deeplib", "0.1", "numlib")
    site.install("optlib")
    site.install("unrelated")
    expected = {"python": PYTHON, "numlib": "2.0", "corelib": "1.5", "deeplib": "0.1"}
    assert versions(root) == expected
    assert versions(root, step="plain") == {"python": PYTHON}


def test_an_upgrade_of_a_requirement_changes_the_environment_of_who_reaches_it(site, root):
    site.install("numlib", "2.0", "corelib")
    site.install("corelib", "1.5")
    site.install("unrelated", "1")
    before = identify(graph(), Project(root)).identities
    site.install("unrelated", "2")
    assert identify(graph(), Project(root)).identities == before
    site.install("corelib", "1.6")
    after = identify(graph(), Project(root)).identities
    assert after[0].environment != before[0].environment
    assert after[0].code == before[0].code
    assert after[1] == before[1]


def test_loose_counts_the_interpreter_only(site, root):
    site.install("numlib", "2.0")
    assert versions(root, "loose") == {"python": PYTHON}


def test_strict_counts_everything(site, root):
    site.install("numlib", "2.0")
    site.install("unrelated", "7")
    found = versions(root, "strict", step="plain")
    assert found["unrelated"] == "7"
    assert found["python"].startswith(".".join(map(str, sys.version_info[:3])))
    assert sys.implementation.name in found["python"]
    assert os.uname().machine in found["this machine"] if hasattr(os, "uname") else found["this machine"]
    before = found
    site.install("unrelated", "8")
    after = versions(root, "strict", step="plain")
    assert {name for name in after if after[name] != before[name]} == {"unrelated"}


def test_a_step_has_its_own_level(site, root):
    site.install("numlib", "2.0")
    assert versions(root, "strict", environment="loose") == {"python": PYTHON}
    assert "numlib" in versions(root, "loose", environment="default")


@pytest.mark.parametrize(("level", "hint"), [("strikt", "strict"), ("LOOSE", ""), ("", "")])
def test_unknown_levels(root, level, hint):
    with pytest.raises(BadOption) as caught:
        identify(graph(), Project(root), level=level)
    assert "loose, default, strict" in " ".join(caught.value.fixes)
    assert not hint or f"`{hint}`" in caught.value.fixes[0]


def test_an_unknown_level_of_a_step(root):
    with pytest.raises(BadOption, match="step `plain`"):
        identify(graph(StepDef("plain", "pipeline", "plain", environment="non")), Project(root))


def test_helpers_that_a_step_ignores_and_arguments_that_it_does(root):
    text = "def show(x):\n    print(x)\n\ndef train(x):\n    show(x)\n    return x\n"
    step = StepDef("train", "pipeline", "train", ignore=("x", "pipeline:show"))
    digests = set()
    for shown in ("print(x)", "print(x, x)"):
        (root / "pipeline.py").write_text(text.replace("print(x)", shown))
        found = identify(graph(step), Project(root))
        digests.add(found.identities[0].code)
        assert found.notes == ("pipeline.show: left out of the code of `train` (ignore)",)
    assert len(digests) == 1


# --------------------------------------------------------------------------- what a distribution requires


def test_requirements_that_concern_this_interpreter(site):
    site.install(
        "top",
        "1",
        f'always; python_version >= "{PYTHON}"',
        'never; python_version < "3.0"',
        "elsewhere; sys_platform == 'nowhere'",
        "unsure; platform_release >= '1'",
        "unknown; moon_phase == 'full'",
        "Odd_Name.here[fast, slow] (>=1.2,<3) ; (os_name == 'x' or python_version > '3') and extra != 'z'",
        "missing",
        "at @ https://nowhere.invalid/at.zip ; python_version > '3'",
        "not/a requirement",
    )
    for name in ("always", "never", "elsewhere", "unsure", "unknown", "odd_name.here", "at"):
        site.install(name)
    assert set(site.closure("top")) == {"top", "always", "unsure", "unknown", "odd-name-here", "at"}


def test_extras_count_where_a_requirement_asks_for_them(site):
    site.install("top", "1", "server[Standard]")
    site.install("server", "1", "loop; extra == 'standard'", "other; extra == 'other'")
    site.install("loop")
    site.install("other")
    assert set(site.closure("top")) == {"top", "server", "loop"}
    assert set(site.closure("server")) == {"server"}


def test_stepwell_and_editable_projects_do_not_count_by_version(site):
    origin = json.dumps({"url": "file:///somewhere", "dir_info": {"editable": True}})
    site.install("top", "1", "stepwell", "mine")
    site.install("mine", "1", "below", direct_url__json=origin)
    site.install("stepwell", "1", "brought")
    site.install("below")
    site.install("brought")
    assert set(site.closure("top")) == {"top", "below"}


def test_a_library_that_is_not_installed_and_then_is(site, root):
    before = versions(root)
    site.install("numlib", "1")
    assert (before, versions(root)) == ({"python": PYTHON}, {"python": PYTHON, "numlib": "1"})


@pytest.mark.parametrize(
    ("marker", "value"),
    [
        ("", True),
        ('python_version >= "3"', True),
        ('python_version < "3.9" or python_version >= "3.10"', True),
        ('python_version == "3.*"', True),
        ('python_version != "3.*"', False),
        ('python_version ~= "3.1"', True),
        ('python_version ~= "2.1"', False),
        ('python_version > "3.9"', True),  # as numbers: 3.11 is after 3.9
        ('"3.9" < python_version', True),
        ('python_full_version == "3.0.0"', False),
        (f'python_version == "{PYTHON}.0"', True),
        ('python_version > "3.9rc1"', None),
        ("python_version in '2.6 2.7'", False),
        ("python_version not in '2.6 2.7'", True),
        (f"os_name == '{os.name}' and sys_platform == '{sys.platform}'", True),
        ("os_name == 'x' and moon == 'full'", False),
        ("os_name != 'x' or moon == 'full'", True),
        ("os_name != 'x' and moon == 'full'", None),
        ("os_name == 'x' or moon == 'full'", None),
        ("platform_machine < 'x'", None),
        ("extra == 'Fast_Mode'", True),
        ("extra == 'slow'", False),
        ("extra != 'slow' and (extra == 'slow' or extra == 'fast-mode')", True),
        ("os_name == 'x' or os_name != 'x' and os_name == 'y'", False),
        ("(os_name == 'x'", None),
        ("os_name ==", None),
        ("os_name == 'x')", None),
        ("not os_name", None),
        ("%", None),
    ],
)
def test_markers(marker, value):
    assert holds(marker, {"fast-mode"}) is value


def test_markers_agree_with_the_library_that_defines_them():
    """Where ours has an answer it is that of `packaging`, for every requirement that is installed here."""
    packaging = pytest.importorskip("packaging.requirements")
    installed = Installed(sys.path)
    checked = 0
    for name in installed.names:
        facts = installed.facts(name)
        for text in facts.requires if facts else ():
            theirs, ours = packaging.Requirement(text), parsed(text)
            assert ours is not None
            assert ours.name == theirs.name.lower().replace("_", "-").replace(".", "-")
            assert ours.extras == {extra.lower().replace("_", "-") for extra in theirs.extras}
            if theirs.marker is not None:
                checked += 1
                answer = holds(ours.marker)
                assert answer is not None, ours.marker
                assert answer == theirs.marker.evaluate({"extra": ""}), ours.marker
    assert checked > 20


# --------------------------------------------------------------------------- builds


def test_a_build_with_compiled_parts_is_told_apart(site):
    site.install("numlib", "2.0", wheel=LINUX)
    assert site.closure("numlib") == {"numlib": "2.0 (cp311-manylinux_2_17_x86_64)"}
    site.install("numlib", "2.0", wheel=LINUX.replace("311-cp311", "39-abi3"))
    assert site.closure("numlib") == {"numlib": "2.0 (cp39-abi3-manylinux_2_17_x86_64)"}
    site.install("numlib", "2.0", wheel=LINUX + "Build: 2\n")
    assert site.closure("numlib") == {"numlib": "2.0 (cp311-manylinux_2_17_x86_64-build 2)"}
    site.install("numlib", "2.0")
    assert site.closure("numlib") == {"numlib": "2.0"}


def test_numpy_as_it_is_installed_here():
    numpy = pytest.importorskip("numpy")
    installed = Installed(sys.path)
    assert dict(installed.providers("numpy.linalg")) == {"numpy": installed.facts("numpy").version}
    assert installed.facts("numpy").version.startswith(f"{numpy.__version__} (")
    found = Environment(installed).closure(["pandas"])
    assert {"pandas", "numpy", "python-dateutil"} <= set(found)
    assert "pytest" not in found


# --------------------------------------------------------------------------- what is kept


def test_the_token_depends_on_names_and_versions_only():
    token = environment_token({"a": "1", "b": "2"})
    assert token == environment_token({"b": "2", "a": "1"})
    assert token != environment_token({"a": "2", "b": "1"})


def test_only_what_is_reached_is_read(site, root, monkeypatch):
    site.install("numlib", "2.0", "corelib")
    site.install("corelib")
    site.install("unrelated")
    (site.folder / "unrelated-1.dist-info/METADATA").unlink()
    (site.folder / "unrelated-1.dist-info/METADATA").mkdir()  # would fail loudly if it were opened
    seen = []
    real = Installed._facts
    monkeypatch.setattr(Installed, "_facts", lambda self, info: seen.append(info.name) or real(self, info))
    versions(root)
    assert set(seen) == {"numlib", "corelib"}


def test_what_was_read_is_kept_for_other_processes_until_the_files_change(site, root, tmp_path, monkeypatch):
    from stepwell.author.fingerprint import installed

    def taken() -> tuple[str, int]:
        """The environment's digest as a new process finds it, and how many distributions it had to read."""
        monkeypatch.setattr(installed, "_KNOWN", {})
        read = []
        real = installed._requires
        with monkeypatch.context() as patch, open_store(tmp_path / "store") as store:
            patch.setattr(installed, "_requires", lambda info: read.append(info) or real(info))
            found = identify(graph(), Project(root), memo=store.memo).identities[0].environment
            store.commit(now=True)
        return found, len(read)

    site.install("numlib", "2.0", "corelib")
    site.install("corelib")
    first, read = taken()
    assert read == 2
    assert taken() == (first, 0)
    info = site.install("corelib", "1", wheel=LINUX)
    os.utime(info / "RECORD", ns=(1, 1))
    changed, read = taken()
    assert (changed != first, read) == (True, 1)
    assert taken() == (changed, 0)


def test_a_memo_that_holds_nonsense(site, root):
    class Memo:
        def get_many(self, kind, keys):
            return dict(zip(keys, ["{", "3", "[]", "null"] * 99, strict=False))

        def put_many(self, kind, values):
            self.put = dict(values)

    site.install("numlib", "2.0")
    memo = Memo()
    found = identify(graph(), Project(root), memo=memo)
    assert found.identities == identify(graph(), Project(root)).identities
