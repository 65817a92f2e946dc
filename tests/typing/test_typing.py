"""What editors and type checkers see: pyright and pyrefly, as a user runs them on a pipeline file.

Right wiring is clean and has the functions' own types; wrong wiring is underlined on exactly the
lines that say `# error`, before anything runs.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
BIN = Path(sys.executable).parent
SAMPLES = ("sample_right.py", "sample_wrong.py")

Found = dict[str, dict[int, str]]
"""What a checker says, by file and line."""


def ran(command: list[Any], folder: Path) -> Any:
    answer = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=110)
    assert answer.stdout.strip().startswith("{"), answer.stdout + answer.stderr
    return json.loads(answer.stdout)


def pyright(folder: Path) -> Found:
    said = ran([BIN / "pyright", "--outputjson", "--pythonpath", sys.executable, *SAMPLES], folder)
    found: Found = {name: {} for name in SAMPLES}
    for each in said["generalDiagnostics"]:
        if each["severity"] == "error":
            found[Path(each["file"]).name][each["range"]["start"]["line"] + 1] = each["message"]
    assert said["summary"]["filesAnalyzed"] == len(SAMPLES)
    return found


def pyrefly(folder: Path) -> Found:
    (folder / "pyrefly.toml").write_text(f'python-interpreter-path = "{sys.executable}"\n')
    said = ran([BIN / "pyrefly", "check", "--output-format", "json", *SAMPLES], folder)
    found: Found = {name: {} for name in SAMPLES}
    for each in said["errors"]:
        if each.get("severity", "error") == "error":
            found[Path(each["path"]).name][each["line"]] = each["description"]
    return found


@pytest.fixture(scope="module", params=[pyright, pyrefly], ids=["pyright", "pyrefly"])
def found(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Found:
    folder = tmp_path_factory.mktemp(request.param.__name__)
    for name in SAMPLES:
        shutil.copy(HERE / name, folder)
    check: Callable[[Path], Found] = request.param
    return check(folder)


@pytest.mark.slow
def test_right_wiring_is_clean(found):
    assert found["sample_right.py"] == {}


@pytest.mark.slow
def test_wrong_wiring_is_underlined_and_nothing_else(found):
    lines = (HERE / "sample_wrong.py").read_text().splitlines()
    marked = {number for number, line in enumerate(lines, 1) if "# error" in line and number > 1}
    said = found["sample_wrong.py"]
    missed = {number: lines[number - 1] for number in marked - said.keys()}
    surplus = {number: said[number] for number in said.keys() - marked}
    assert (missed, surplus) == ({}, {})


@pytest.mark.slow
def test_the_public_names_are_typed_completely(tmp_path, monkeypatch):
    import stepwell

    (tmp_path / "stepwell").symlink_to(Path(stepwell.__file__).parent)
    monkeypatch.setenv(
        "PYTHONPATH", str(tmp_path)
    )  # as if it were installed; editable ones are not looked at
    said = ran(
        [
            BIN / "pyright",
            "--pythonpath",
            sys.executable,
            "--verifytypes",
            "stepwell",
            "--ignoreexternal",
            "--outputjson",
        ],
        tmp_path,
    )
    public = {home.strip(":").replace(":", ".") for home in stepwell._HOME.values()}
    # `--verifytypes` does not look into msgspec, whose classes say what a lock has of data; checkers do.
    datasets = "stepwell.dist.interface.datasets."
    external = {
        f"{datasets}Dataset.lock",
        f"{datasets}Dataset",
        f"{datasets}dataset",
        f"{datasets}ColumnNames.__init__",
    }
    external |= {
        f"{datasets}ColumnNames",
        *(f"stepwell.dist.interface{name}" for name in ("", ".Dataset", ".dataset")),
    }
    external |= {"stepwell.dist.interface.ColumnNames"}
    inner = tuple(
        f"stepwell.dist.interface.{name}." for name in ("contents", "homes", "kinds", "modules", "writing")
    )
    symbols = {symbol["name"]: symbol for symbol in said["typeCompleteness"]["symbols"]}
    assert public <= symbols.keys()
    partly = {
        name: [each["message"] for each in symbol["diagnostics"]]
        for name, symbol in symbols.items()
        if not symbol["isTypeKnown"] and any(f"{name}.".startswith(f"{home}.") for home in public)
        if name not in external and not name.startswith(inner)
    }
    assert partly == {}


def test_right_wiring_can_be_traced(tmp_path, monkeypatch):
    from stepwell.author.params import from_call
    from stepwell.author.trace import trace

    monkeypatch.syspath_prepend(str(HERE))
    monkeypatch.delitem(sys.modules, "sample_right", raising=False)
    import sample_right

    graph = trace(sample_right.delays, from_call(sample_right.delays, (), {"depth": 3}))
    assert graph.nodes[0].id == "split"
    assert [source.name for source in graph.sources] == ["text", "folder", "untyped", "numbers"]
    monkeypatch.delitem(sys.modules, "sample_right")


def test_the_face_names_what_it_has():
    import stepwell

    assert sorted(stepwell.__all__) == stepwell.__all__ == dir(stepwell) == sorted(stepwell._HOME)
    for name in stepwell.__all__:
        assert getattr(stepwell, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        stepwell.nothing
