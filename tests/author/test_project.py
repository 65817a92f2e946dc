"""Which file and pipeline are meant, and what is said where they cannot be loaded."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from stepwell.author.project import below, find, load, root_of, target_of
from stepwell.errors import (
    BadStep,
    CannotImport,
    NoPipelineFile,
    RunInsideRun,
    SeveralPipelines,
    UnknownPipeline,
)

ONE = "@pipeline\ndef main(): ...\n"


def test_the_root_is_the_files_folder_or_a_marked_one_above(tmp_path):
    deep = tmp_path / "a/b"
    deep.mkdir(parents=True)
    file = deep / "pipeline.py"
    file.touch()
    assert root_of(file) == root_of(deep) == deep
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'x'\n")
    assert root_of(file) == deep
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'x'\n  [tool.stepwell]\n")
    assert root_of(file) == tmp_path
    (tmp_path / "a/stepwell.toml").touch()
    assert root_of(file) == tmp_path / "a"


def test_words_to_targets(project):
    root = project.root
    project.write(ONE)
    project.write(ONE, "flows/train.py")
    project.write(ONE, "src/pack/__init__.py")
    (root / "stepwell.toml").touch()
    words = ("", "squares", "pipeline.py", "pipeline.py:squares")
    assert [find(word, root)[1:] for word in words] == [
        ("pipeline", "", root / "pipeline.py", ""),
        ("pipeline", "squares", root / "pipeline.py", "squares"),
        ("pipeline", "", root / "pipeline.py", "pipeline.py"),
        ("pipeline", "squares", root / "pipeline.py", "pipeline.py:squares"),
    ]
    train = "flows/train.py"
    assert find(train, root) == (root, "flows.train", "", root / train, train)
    assert find("train.py:main", root / "flows").module == "flows.train"
    assert find(str(root / "flows/train.py"), Path("/")).root == root
    assert find("src/pack/__init__.py", root).module == "pack"
    assert find("pack:main", root) == (root, "pack", "main", None, "pack:main")


def test_modules_and_packages_can_be_named(project):
    project.write(ONE, "flows/__init__.py")
    project.write("from . import main\n\n@pipeline\ndef other():\n    main()\n", "flows/train.py")
    assert project.load("flows:main").pipeline.__name__ == "main"
    loaded = project.load("flows.train:other")
    assert loaded.module.__name__ == "flows.train"
    assert project.load("flows/__init__.py").pipeline.__name__ == "main"


@pytest.mark.parametrize(
    ("word", "says", "fix"),
    [
        ("", "there is no `pipeline.py` in `project`", "stepwell plan train.py"),
        ("", "there is no `pipeline.py` in `project`", "stepwell plan flows/deep.py"),
        ("trian.py", "there is no file `trian.py`", "did you mean `train.py`?"),
        ("flow/deep.py", "there is no file `flow/deep.py`", "did you mean `flows/deep.py`?"),
        ("my-flow.py", "`my-flow` is not a Python name", "rename it to my_flow"),
    ],
)
def test_files_that_are_not_there(project, word, says, fix):
    project.write(ONE, "train.py")
    project.write(ONE, "flows/deep.py")
    project.write(ONE, "my-flow.py")
    (project.root / "odd.py").mkdir()
    with pytest.raises(NoPipelineFile) as caught:
        project.load(word)
    assert says in caught.value.what
    assert fix in "\n".join(caught.value.fixes)


@pytest.mark.parametrize(
    ("text", "word", "kind", "says", "fix"),
    [
        ("x = 1", "", UnknownPipeline, "has no pipeline", "write one"),
        (ONE, "mian", UnknownPipeline, "has no pipeline `mian`", "did you mean `main`?"),
        (ONE, "pipeline.py:zzz", UnknownPipeline, "has no pipeline `zzz`", "`pipeline.py` has: main"),
        (ONE, "r1.yaml", UnknownPipeline, "has no pipeline `r1.yaml`", "stepwell run r1.yaml"),
        ("x = 1", "main", UnknownPipeline, "has no pipeline `main`", "@pipeline"),
        (
            "@pipeline\ndef a(): ...\n@pipeline\ndef b(): ...\n",
            "",
            SeveralPipelines,
            "2 pipelines that could be meant: a, b",
            "name it: a",
        ),
        ("import nowhere_at_all", "", CannotImport, "No module named", "pip install nowhere-at-all"),
        ("from . import x", "", CannotImport, "relative import", "[tool.stepwell]"),
        ("from stepwell import nothing", "", CannotImport, "ImportError", ""),
        ("valeu = 1\nvalue", "", CannotImport, "NameError", "did you mean `valeu`?"),
        ("raise SystemExit(3)", "", CannotImport, "raised SystemExit: 3", ""),
        ("raise ValueError", "", CannotImport, "raised ValueError", ""),
        ("import json\njson.loads('')", "", CannotImport, "JSONDecodeError", ""),
    ],
)
def test_what_cannot_be_loaded(project, text, word, kind, says, fix):
    project.write(text)
    with pytest.raises(kind) as caught:
        project.load(word)
    error = caught.value
    assert says in error.what
    assert not error.what.endswith(":")
    assert fix in "\n".join(error.fixes)
    if kind is CannotImport:
        last = len((project.root / "pipeline.py").read_text().splitlines())
        assert error.where == f"pipeline.py:{last}"
        assert error.why == f"in the line `{text.splitlines()[-1]}`"


@pytest.mark.parametrize(
    ("word", "names"),
    [
        ("", ["a", "b"]),
        ("src/flows/train.py", ["src/flows/train.py:a", "src/flows/train.py:b"]),
        ("my flows/train.py", ["'my flows/train.py:a'", "'my flows/train.py:b'"]),
    ],
)
def test_one_of_several_is_named_as_it_can_be_typed(project, word, names):
    project.write("@pipeline\ndef a(): ...\n@pipeline\ndef b(): ...\n", word or "pipeline.py")
    with pytest.raises(SeveralPipelines) as caught:
        project.load(word)
    assert list(caught.value.fixes) == [f"name it: {name}" for name in names]
    for name in names:
        assert project.load(name.strip("'")).pipeline.__name__ == name.strip("'")[-1]


@pytest.mark.parametrize("name", ["pipeline.py", "helper.py"])
def test_a_syntax_error_names_its_file_and_line(project, name):
    project.write("import helper\n" + ONE)
    project.write(ONE, "helper.py")
    project.write("def f(:\n", name, head="")
    with pytest.raises(CannotImport) as caught:
        project.load()
    assert f"`{name}` is not valid Python" in caught.value.what
    assert caught.value.where == f"{name}:1"
    assert "def f(:" in caught.value.why


@pytest.mark.parametrize("word", ["nowhere:main", "flows.nowhere:main"])
def test_modules_that_are_not_there(project, word):
    project.write(ONE, "flows/__init__.py")
    with pytest.raises(CannotImport, match="there is no module"):
        project.load(word)


def test_a_file_whose_name_is_taken(project):
    project.write(ONE, "json.py")
    with pytest.raises(CannotImport) as caught:
        project.load("json.py")
    assert "the name `json` is taken" in caught.value.what
    assert "json" in sys.modules


def test_the_default_pipeline_is_the_one_that_no_other_calls(project):
    project.write("@pipeline\ndef elsewhere(): ...\n", "other.py")
    project.write(
        """
import functools
from other import elsewhere

def loud(f):
    @functools.wraps(f)
    def inner(*args): return f(*args)
    return inner

@pipeline
def a(deep=False):
    return a(True) if deep else None

@pipeline
@loud
def main():
    elsewhere()
    return [a() for _ in range(3)]
"""
    )
    assert project.load().pipeline.__name__ == "main"
    project.write("from other import elsewhere\n")
    assert project.load().pipeline.__name__ == "elsewhere"


def test_a_project_is_imported_in_its_root(project):
    (project.root / "sizes.txt").write_text("3")
    project.write("SIZE = int(open('sizes.txt').read())\n" + ONE)
    assert project.load().module.SIZE == 3


def test_an_error_of_ours_inside_an_import_is_not_wrapped(project):
    project.write("@step\nclass Model: ...  # here\n" + ONE)
    with pytest.raises(BadStep) as caught:
        project.load()
    assert caught.value.where.startswith("pipeline.py:")


@pytest.mark.parametrize("call", ["main.run()", "main.plan()", "main.options(in_process=True).run()"])
def test_a_run_inside_an_import_is_refused(project, call):
    text = f"\n@step\ndef f() -> int: ...\n\n@pipeline\ndef main():\n    return f()\n\n{call}  # here\n"
    project.write(text)
    with pytest.raises(RunInsideRun) as caught:
        project.load()
    assert caught.value.where == f"pipeline.py:{project.line('# here')}"
    assert "__main__" in caught.value.fixes[0]
    assert not (project.root / ".stepwell").exists()


def test_a_run_inside_the_import_of_a_helper_is_refused(project):
    project.write(
        "\n@pipeline\ndef other():\n    return 1\n\nVALUE = other.run().result  # here\n", "helper.py"
    )
    project.write("import helper\n" + ONE)
    with pytest.raises(RunInsideRun) as caught:
        project.load()
    assert caught.value.where == f"helper.py:{project.line('# here', 'helper.py')}"


def test_a_run_inside_pythons_own_import_is_refused(project, monkeypatch):
    import importlib

    project.write("\n@pipeline\ndef main():\n    return 1\n\nmain.run()\n", "runs_at_once.py")
    monkeypatch.syspath_prepend(str(project.root))
    with pytest.raises(RunInsideRun):
        importlib.import_module("runs_at_once")


def test_a_pipeline_without_a_file():
    from stepwell import pipeline

    namespace = {}
    exec(compile("def main(): ...", "<typed>", "exec"), namespace)
    with pytest.raises(CannotImport, match="is not in a file"):
        target_of(pipeline(namespace["main"]))


def test_edited_files_are_loaded_anew(project):
    project.write("VALUE = 1\n" + ONE)
    first = project.load()
    assert project.load().module is first.module
    project.write("VALUE = 2\n" + ONE)
    assert project.load().module.VALUE == 2


def test_two_projects_with_modules_of_one_name(another):
    one, two = another("one"), another("two")
    for n, place in enumerate((one, two)):
        place.write(f"VALUE = {n}\n", "helper.py")
        place.write("import helper\n" + ONE)
    loaded = [place.load() for place in (one, two, one)]
    assert [each.module.helper.VALUE for each in loaded] == [0, 1, 0]
    assert loaded[2].target.root == one.root
    assert load(find("", two.root)).module.helper.VALUE == 1


def test_a_package_below_src_is_named_by_its_module(tmp_path, monkeypatch):
    inside = tmp_path / "src" / "fraud"
    inside.mkdir(parents=True)
    (inside / "__init__.py").touch()
    (inside / "flow.py").write_text("import fraud\n" + ONE)
    with pytest.raises(NoPipelineFile) as caught:
        find("", tmp_path)
    assert "stepwell plan fraud.flow:main" in caught.value.fixes
    monkeypatch.setitem(sys.modules, "fraud", None)
    with pytest.raises(CannotImport) as wrong:
        load(find("src/fraud/flow.py", tmp_path))
    told = " ".join(wrong.value.fixes)
    assert "[tool.stepwell]" in told
    assert "stepwell plan fraud.flow:NAME" in told
    assert "pip install" not in told  # that would be a stranger's


def test_a_file_below_a_known_root(tmp_path):
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "flow.py").write_text(ONE)
    target = below(tmp_path, "src/flow.py:main")
    assert (target.root, target.module, target.pipeline) == (tmp_path, "flow", "main")
    with pytest.raises(NoPipelineFile):
        below(tmp_path, "src/other.py:main")
