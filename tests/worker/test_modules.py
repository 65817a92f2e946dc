"""First-party code runs from the bytes that were read, and nothing else does."""

import importlib
import inspect
import os
import sys
import traceback

import pytest

from stepwell.worker.modules import FirstParty, Snapshot


@pytest.fixture
def importer(tmp_path):
    (tmp_path / "src").mkdir()
    importer = FirstParty([tmp_path], Snapshot())
    importer.install()
    return importer


def test_from_the_snapshot_and_not_from_the_file(tmp_path):
    path = tmp_path / "m_snap.py"
    path.write_text("X = 'b'\n")
    importer = FirstParty([tmp_path], Snapshot({str(path): b"X = 'a'\n"}))
    importer.install()
    assert importer.load("m_snap").X == "a"


def test_a_file_that_is_gone(tmp_path):
    importer = FirstParty([tmp_path], Snapshot({str(tmp_path / "m_gone.py"): b"X = 1\n"}))
    importer.install()
    assert importer.load("m_gone").X == 1


def test_bytes_are_kept_when_they_are_read(tmp_path, importer):
    path = tmp_path / "m_read.py"
    path.write_text("X = 1\n")
    importer.load("m_read")
    assert importer.snapshot[str(path)] == b"X = 1\n"
    path.write_text("X = 2\n")
    assert importer.snapshot.read(path) == b"X = 1\n"


def test_edits_of_one_size_in_one_second(tmp_path, importer):
    path = tmp_path / "m_edit.py"
    for value in ("1", "2", "3"):
        path.write_text(f"X = {value}\n")
        os.utime(path, (1_700_000_000, 1_700_000_000))
        importer.refresh()
        assert str(importer.load("m_edit").X) == value
    assert not (tmp_path / "__pycache__").exists()


def test_stale_byte_code_is_not_read(tmp_path, importer):
    path = tmp_path / "m_stale.py"
    path.write_text("X = 1\n")
    import py_compile

    py_compile.compile(str(path))
    stat = path.stat()
    path.write_text("X = 2\n")
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert importer.load("m_stale").X == 2


def test_a_helper_that_changed_changes_who_imports_it(tmp_path, importer):
    (tmp_path / "m_user.py").write_text("from m_helper import f\n")
    (tmp_path / "m_helper.py").write_text("def f(): return 1\n")
    assert importer.load("m_user").f() == 1
    (tmp_path / "m_helper.py").write_text("def f(): return 2\n")
    assert importer.refresh() == [str(tmp_path / "m_helper.py")]
    assert importer.load("m_user").f() == 2
    assert importer.refresh() == []


def test_packages_and_relative_imports(tmp_path, importer):
    package = tmp_path / "m_pkg"
    (package / "sub").mkdir(parents=True)
    (package / "__init__.py").write_text("from .one import X\n")
    (package / "one.py").write_text("X = 1\n")
    (package / "sub" / "__init__.py").write_text("")
    (package / "sub" / "two.py").write_text("from ..one import X\nfrom .. import one\n")
    assert importer.load("m_pkg.sub.two").X == 1
    assert importer.load("m_pkg").__path__ == [str(package)]
    assert len(importer.snapshot) == 4


def test_folders_without_init(tmp_path, importer):
    (tmp_path / "m_space" / "deep").mkdir(parents=True)
    (tmp_path / "m_space" / "deep" / "m.py").write_text("X = 1\n")
    assert importer.load("m_space.deep.m").X == 1
    assert str(tmp_path / "m_space" / "deep" / "m.py") in importer.snapshot


def test_a_folder_does_not_hide_a_library(tmp_path, importer):
    """A folder `blake3` of data in the project is no package while one of that name is installed."""
    (tmp_path / "blake3").mkdir()
    kept = {name: sys.modules.pop(name) for name in list(sys.modules) if name.split(".")[0] == "blake3"}
    try:
        assert hasattr(importlib.import_module("blake3"), "blake3")
    finally:
        sys.modules.update(kept)


def test_the_src_folder(tmp_path, importer):
    (tmp_path / "src" / "m_src.py").write_text("X = 1\n")
    assert importer.load("m_src").X == 1


def test_editable_installs(tmp_path):
    other = tmp_path / "other"
    (other / "src").mkdir(parents=True)
    (other / "src" / "m_other.py").write_text("X = 1\n")
    (tmp_path / "here").mkdir()
    importer = FirstParty([tmp_path / "here", other])
    importer.install()
    assert importer.load("m_other").X == 1
    assert str(other / "src" / "m_other.py") in importer.snapshot


def test_the_rest_is_left_to_python(tmp_path, importer):
    assert importer.find_spec("json") is None
    assert importer.find_spec("no_such_module_anywhere") is None
    installed = tmp_path / ".venv" / "lib" / "site-packages"
    installed.mkdir(parents=True)
    assert not importer.is_first_party(str(installed / "a.py"))
    assert importer.is_first_party(str(tmp_path / "a.py"))


def test_tracebacks_and_sources_show_what_runs(tmp_path):
    path = tmp_path / "m_lines.py"
    path.write_text("# something else by now\n\n\n")
    importer = FirstParty([tmp_path], Snapshot({str(path): b"def f():\n    return 1 / 0  # here\n"}))
    importer.install()
    module = importer.load("m_lines")
    assert "return 1 / 0  # here" in inspect.getsource(module.f)
    try:
        module.f()
    except ZeroDivisionError:
        assert "return 1 / 0  # here" in traceback.format_exc()


def test_a_syntax_error_names_the_file_and_line(tmp_path, importer):
    (tmp_path / "m_wrong.py").write_text("x = 1\ndef f(:\n")
    with pytest.raises(SyntaxError) as caught:
        importer.load("m_wrong")
    assert caught.value.filename == str(tmp_path / "m_wrong.py")
    assert caught.value.lineno == 2


def test_one_importer_for_a_root(tmp_path):
    assert FirstParty.for_root(tmp_path) is FirstParty.for_root(tmp_path)


def test_installing_another_forgets_the_first_ones_modules(tmp_path):
    for name, value in (("a", 1), ("b", 2)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "m_same.py").write_text(f"X = {value}\n")
        importer = FirstParty([tmp_path / name])
        importer.install()
        importer.install()
        assert value == importer.load("m_same").X
    assert sum(isinstance(finder, FirstParty) for finder in sys.meta_path) == 1
    assert str(tmp_path / "b") in sys.path
    assert str(tmp_path / "a") not in sys.path


def test_files_of_a_package_are_found(tmp_path, importer):
    package = tmp_path / "m_data"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "words.txt").write_text("one two")
    from importlib.resources import files

    importer.load("m_data")
    assert files("m_data").joinpath("words.txt").read_text() == "one two"


def test_where_a_module_is_without_importing_it(tmp_path, importer):
    (tmp_path / "m_pkg2").mkdir()
    (tmp_path / "m_pkg2" / "__init__.py").write_text("raise RuntimeError\n")
    (tmp_path / "m_pkg2" / "m.py").write_text("")
    assert importer.source_of("m_pkg2.m") == str(tmp_path / "m_pkg2" / "m.py")
    assert importer.source_of("m_pkg2") == str(tmp_path / "m_pkg2" / "__init__.py")
    assert importer.source_of("json.decoder") is None


def test_encodings(tmp_path, importer):
    (tmp_path / "m_latin.py").write_bytes(b"# -*- coding: latin-1 -*-\nX = '\xe9'\n")
    assert importer.load("m_latin").X == "é"
