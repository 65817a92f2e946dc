"""Whether a source is surely what it was, by the status of its files alone."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from stepwell.sources import content
from stepwell.sources import pin as pins
from stepwell.sources.memo import Memory
from stepwell.sources.pin import Pinned, check, hold, pin, unmoved

URIS = ["d/a.csv", "d", "d/", "./d", "d/*.csv", "d/**"]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "d" / "s").mkdir(parents=True)
    for name in ("a.csv", "b.csv", "s/c.csv"):
        (tmp_path / "d" / name).write_text(name)
    return tmp_path


def still(found: Pinned, root: Path) -> bool:
    return unmoved(found.uri, (found.digest, found.facts), root=root)


def edit(path: Path) -> None:
    path.write_text("1.csv")


def edit_and_put_the_mtime_back(path: Path) -> None:
    info = path.stat()
    edit(path)
    os.utime(path, ns=(info.st_atime_ns, info.st_mtime_ns))


def replace(path: Path) -> None:
    other = path.with_name("other")
    other.write_text("1.csv")
    os.replace(other, path)


def remove(path: Path) -> None:
    path.unlink()


def shut(path: Path) -> None:
    path.unlink()
    path.symlink_to("a.csv")


CHANGES = [edit, edit_and_put_the_mtime_back, replace, remove, shut]


@pytest.mark.usefixtures("later")
@pytest.mark.parametrize("uri", URIS)
@pytest.mark.parametrize("change", CHANGES)
def test_what_was_left_alone_has_not_moved_and_every_change_is_seen(project, memo, reads, uri, change):
    found = pin(uri, root=project, memo=memo)
    reads.clear()
    assert still(found, project)
    assert still(pin(uri, root=project, memo=memo), project), "also of what was not read again"
    assert not reads
    time.sleep(0.02)  # the file system's clock ticks every 4 ms or so
    change(project / "d" / "a.csv")
    assert not still(found, project)
    assert not reads


@pytest.mark.usefixtures("later")
@pytest.mark.parametrize("uri", ["d", "d/", "d/**"])
def test_more_files_and_other_names_are_seen(project, memo, uri):
    folder = project / "d"
    found = pin(uri, root=project, memo=memo)
    (folder / "new.csv").write_text("1")
    assert not still(found, project)
    for old, new in (("new.csv", "other.csv"), ("other.csv", "s/other.csv"), ("s", "t")):
        found = pin(uri, root=project, memo=memo)
        assert still(found, project)
        (folder / old).rename(folder / new)
        assert not still(found, project)
    found = pin(uri, root=project, memo=memo)
    (folder / "nothing").mkdir()
    assert still(found, project) == (uri == "d/**"), (
        "an empty folder is part of a folder, and matches nothing"
    )


@pytest.mark.parametrize("uri", URIS)
def test_files_that_changed_just_now_prove_nothing(project, memo, uri):
    found = pin(uri, root=project, memo=memo)
    assert found.facts == b""
    assert not still(found, project)


def test_one_recent_file_among_old_ones_is_enough_to_prove_nothing(project, memo, monkeypatch):
    now = pins.time_ns
    monkeypatch.setattr(content, "MARGIN", 50_000_000)
    time.sleep(0.1)
    (project / "d" / "b.csv").write_text("bee")
    moment = now()
    monkeypatch.setattr(pins, "time_ns", lambda: moment)
    assert pin("d/a.csv", root=project, memo=memo).facts
    assert not pin("d", root=project, memo=memo).facts
    monkeypatch.setattr(pins, "time_ns", lambda: moment + 100_000_000)
    assert still(pin("d", root=project, memo=memo), project)


def test_edits_of_one_size_within_a_tick_are_all_seen(tmp_path, memo):
    path = tmp_path / "a.csv"
    for i in range(300):
        path.write_text(f"{i:03d}")
        found = pin("a.csv", root=tmp_path, memo=memo)
        path.write_text(f"{i + 500:03d}")
        assert not still(found, tmp_path)


@pytest.mark.usefixtures("later")
def test_another_order_of_the_same_files_is_no_change_of_the_source(project, memo, monkeypatch, reads):
    found = pin("d", root=project, memo=memo)
    reads.clear()
    real = os.scandir

    class Reversed:
        def __init__(self, at: int) -> None:
            self.inner = real(at)

        def __enter__(self) -> object:
            return reversed(list(self.inner))

        def __exit__(self, *_: object) -> None:
            self.inner.close()

    monkeypatch.setattr(os, "scandir", Reversed)
    again = pin("d", root=project, memo=memo)
    assert (again.digest, again.files, again.names) == (found.digest, found.files, found.names)
    assert not reads
    assert still(again, project)
    assert check(found, root=project, memo=Memory())


@pytest.mark.usefixtures("later")
def test_what_is_not_there_or_cannot_be_is_a_no(project, memo):
    facts = pin("d", root=project, memo=memo).facts
    for uri in ("gone", "gone/*.csv", "s3://x/y", "", "package://nothing_like_it/x", "https://example.org/x"):
        assert not unmoved(uri, ("b3:" + "0" * 64, facts), root=project)


@pytest.mark.usefixtures("later")
@pytest.mark.parametrize("uri", URIS)
def test_a_worker_with_facts_reads_nothing_again(project, memo, reads, uri):
    planned = pin(uri, root=project, memo=memo)
    reads.clear()
    held = hold(uri, planned.digest, root=project, memo=Memory(), facts=planned.facts)
    assert (held.files, held.size, held.digest) == (planned.files, planned.size, planned.digest)
    assert check(held, root=project, memo=Memory())
    assert not reads
    time.sleep(0.02)
    (project / "d" / "a.csv").touch()
    assert (
        hold(uri, planned.digest, root=project, memo=Memory(), facts=planned.facts).digest == planned.digest
    )
    assert reads, "what looks different is read"
    assert not check(held, root=project, memo=Memory())


@pytest.mark.usefixtures("later")
def test_a_web_address_is_unmoved_while_the_store_has_the_copy_that_a_plan_would_use(
    tmp_path, memo, shelf, site
):
    url = site.give("/x.csv", b"1")
    pin(url, root=tmp_path, memo=memo, shelf=shelf)
    found = pin(url, root=tmp_path, memo=memo, shelf=shelf)
    asked = len(site.asked)

    def is_still() -> bool:
        return unmoved(url, (found.digest, found.facts), root=tmp_path, memo=memo, shelf=shelf)

    assert found.facts
    assert is_still()
    assert not unmoved(url, (found.digest, found.facts), root=tmp_path, memo=Memory(), shelf=shelf)
    assert len(site.asked) == asked
    site.give("/x.csv", b"2")
    pin(url, root=tmp_path, memo=memo, shelf=shelf, refresh=True)
    assert not is_still()


def test_a_folder_is_told_without_what_its_address_has_too_much(project, memo):
    for uri in ("d", "d/", "./d", ".//d/./"):
        found = pin(uri, root=project, memo=memo)
        assert found.folder == str(project / "d")
        assert found.files[0] == str(project / "d" / "a.csv")
    assert pin("./d//a.csv", root=project, memo=memo).files == (str(project / "d" / "a.csv"),)


@pytest.mark.usefixtures("later")
def test_a_large_file_that_is_replaced_while_it_is_read_is_not_mistaken_for_the_new_one(
    tmp_path, memo, monkeypatch
):
    path = tmp_path / "a.bin"
    path.write_bytes(b"1" * content.LARGE)
    (tmp_path / "b.bin").write_bytes(b"2" * content.LARGE)
    real = content._hash

    def hashed(*args):
        if path.exists():
            os.replace(tmp_path / "b.bin", path) if (tmp_path / "b.bin").exists() else None
        return real(*args)

    monkeypatch.setattr(content, "_hash", hashed)
    pin("a.bin", root=tmp_path, memo=memo)
    monkeypatch.undo()
    assert pin("a.bin", root=tmp_path, memo=memo).digest == pin("a.bin", root=tmp_path, memo=Memory()).digest


def test_a_folder_with_more_files_than_are_looked_at_together(tmp_path, memo):
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "link").symlink_to("0.csv")
    for i in range(700):
        (tmp_path / "d" / f"{i}.csv").write_text(str(i))
        if i % 100 == 0:
            (tmp_path / "d" / f"s{i}").mkdir()
    found = pin("d", root=tmp_path, memo=memo)
    assert len(found.files) == 701
    assert found.names[-7:] == tuple(sorted(f"s{i}/" for i in range(0, 700, 100)))
    assert found.size == sum(len(str(i)) for i in range(700)) + 1
    assert len(pin("d/*.csv", root=tmp_path, memo=memo).files) == 700


def test_looking_at_files_imports_next_to_nothing():
    code = "import sys, stepwell.sources.pin; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-S", "-c", code], capture_output=True, text=True, check=True,
                          env={**os.environ, "PYTHONPATH": str(Path(pins.__file__).parents[2])})  # fmt: skip
    loaded = set(done.stdout.split())
    assert not loaded & {
        "pathlib",
        "urllib.parse",
        "http",
        "blake3",
        "sqlite3",
        "pandas",
        "stepwell.sources.web",
    }
