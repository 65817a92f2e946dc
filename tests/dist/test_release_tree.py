"""What git says of a project, and which releases of it are known."""

from __future__ import annotations

import subprocess
import time

import pytest
from wheels_by_hand import new_index, wheel

from stepwell.dist.releases.known import known_of
from stepwell.dist.releases.project import project_files
from stepwell.dist.releases.tree import Tree, tree_of
from stepwell.errors import CannotRelease, GitFailed


def git(folder, *words: str) -> str:
    settings = ["-c", "user.name=ana", "-c", "user.email=ana@acme.example", "-c", "init.defaultBranch=main"]
    return subprocess.run(
        ["git", *settings, *words], cwd=folder, check=True, capture_output=True, text=True
    ).stdout


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A project in a folder of a repository, committed and tagged."""
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    folder = tmp_path / "repository" / "models" / "churn"
    folder.mkdir(parents=True)
    (folder / "pipeline.py").write_text("1\n")
    (folder / "zu viel.txt").write_text("1\n")
    (folder / ".gitignore").write_text("dist/\n")
    (folder.parent / "other.py").write_text("1\n")
    git(tmp_path / "repository", "init", "--quiet")
    git(tmp_path / "repository", "add", "--all")
    git(tmp_path / "repository", "commit", "--quiet", "--message", "as it is")
    git(tmp_path / "repository", "tag", "v1.0.0")
    git(tmp_path / "repository", "tag", "--annotate", "churn-1.1.0", "--message", "x")
    return folder


def test_a_clean_tree_says_its_commit_its_files_and_its_tags(root) -> None:
    found = tree_of(root)
    head = git(root, "rev-parse", "HEAD").strip()
    assert found == Tree(
        head, (), (".gitignore", "pipeline.py", "zu viel.txt"), (("churn-1.1.0", head), ("v1.0.0", head))
    )


def test_what_differs_is_named_relative_to_the_project(root) -> None:
    (root / "pipeline.py").write_text("2\n")
    (root / "zu viel.txt").unlink()
    (root / "neu für.py").write_text("1\n")
    (root / "built").mkdir()
    (root / "built" / "a.whl").write_text("1\n")
    (root.parent / "other.py").write_text("2\n")
    found = tree_of(root, apart=[root / "built"])
    assert found.dirty == ("neu für.py", "pipeline.py", "zu viel.txt")
    assert "neu für.py" in found.files


def test_outside_of_git_nothing_is_known(tmp_path, root) -> None:
    (tmp_path / "plain").mkdir()
    assert tree_of(tmp_path / "plain") == Tree()
    (root / "dist" / "x").mkdir(parents=True)
    (root / "dist" / "x" / "pipeline.py").write_text("1\n")
    assert tree_of(root / "dist" / "x") == Tree()


def test_without_a_commit_everything_is_new(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    (tmp_path / "a.py").write_text("1\n")
    git(tmp_path, "init", "--quiet")
    found = tree_of(tmp_path)
    assert (found.commit, found.dirty, found.tags) == ("", ("a.py",), ())


@pytest.mark.parametrize("broken", ["models/churn/.git", ".git/HEAD"])
def test_a_repository_that_cannot_be_read_is_told(root, broken: str) -> None:
    (root.parent.parent / broken).write_text("gitdir: ../../nowhere\n")
    with pytest.raises(GitFailed):
        tree_of(root)


# --------------------------------------------------------------------------- files that go along


def test_files_are_those_of_git_and_modules_as_they_ran(root) -> None:
    (root / "data.csv").write_text("1\n")
    pipeline = str(root / "pipeline.py")
    tree = Tree("c0ffee", (), ("data.csv", "gone.py", "pipeline.py", "zu viel.txt"))
    found = project_files(
        root, tree, {pipeline: b"as it ran", "/elsewhere/x.py": b""}, [str(root / "data.csv")]
    )
    assert found.files == {"pipeline.py": b"as it ran", "zu viel.txt": b"1\n"}
    assert found.left == {"data.csv": "it is data"}


def test_outside_of_git_only_what_was_loaded_and_settings_go_along(tmp_path) -> None:
    (tmp_path / "stepwell.toml").write_text("")
    (tmp_path / "notes.txt").write_text("")
    found = project_files(tmp_path, Tree(), {str(tmp_path / "pipeline.py"): b"1"}, [])
    assert [*found.files] == ["pipeline.py", "stepwell.toml"]


def test_names_that_not_every_system_can_have_stay_at_home(tmp_path) -> None:
    (tmp_path / "a:b.txt").write_text("")
    assert [*project_files(tmp_path, Tree("c0ffee", (), ("a:b.txt",)), {}, []).left] == ["a:b.txt"]
    with pytest.raises(CannotRelease, match="not every system"):
        project_files(tmp_path, Tree(), {str(tmp_path / "a:b.py"): b""}, [])


# --------------------------------------------------------------------------- releases that are known


def test_releases_are_known_from_folders_channels_and_tags(tmp_path) -> None:
    channels = new_index(tmp_path / "index", clock=time.time)
    who = {"by": "ana@acme", "why": "Q3 retrain"}
    channels.promote(wheel(tmp_path / "built", version="1.4.0"), "production", **who)
    channels.add(wheel(tmp_path / "built", version="1.5.0"))
    channels.yank("churn", "1.4.0", **who)
    wheel(tmp_path / "dist", version="1.6.0rc1")
    wheel(tmp_path / "dist", project="other", version="9.0")
    (tmp_path / "dist" / "no wheel.whl").write_text("")
    tags = tuple(
        (name, "c0ffee")
        for name in ("v1.3.0", "churn-1.2.0", "other-3.0.0", "Churn/v1.1.0", "nightly", "2026-07")
    )
    known = known_of("churn", [tmp_path / "dist"], channels, Tree("c0ffee", (), ("a",), tags))
    assert [(one.version.text, one.where.replace(str(tmp_path), ""), one.yanked) for one in known] == [
        ("1.1.0", "the tag Churn/v1.1.0", False),
        ("1.2.0", "the tag churn-1.2.0", False),
        ("1.3.0", "the tag v1.3.0", False),
        ("1.4.0", "the channel production", True),
        ("1.4.0", "/index/pool/churn/churn-1.4.0-py3-none-any.whl", False),
        ("1.5.0", "/index/pool/churn/churn-1.5.0-py3-none-any.whl", False),
        ("1.6.0rc1", "dist/churn-1.6.0rc1-py3-none-any.whl", False),
    ]
