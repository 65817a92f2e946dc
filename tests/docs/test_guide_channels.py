"""`docs/guides/channels.md` is what happens: its manifest is used, and its commands are carried out in its order."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest
from pages import blocks, commands

for folder in ("cli", "dist"):
    sys.path.insert(0, str(Path(__file__).parents[1] / folder))

from channel_releases import b3, lock_of, release  # noqa: E402  it lies in another folder
from cli_projects import Project  # noqa: E402

from stepwell.dist.channels.index import Channels  # noqa: E402
from stepwell.dist.channels.local import LocalFiles  # noqa: E402

CUSTOMERS = "customers of August"


@pytest.fixture
def guide(tmp_path):
    """The guide's project, with what its commands speak of in `dist/` and `data/`."""
    project = Project(tmp_path)
    (manifest,) = blocks("channels.md", "toml")
    project.write('[release]\nname = "churn"\n' + manifest, "stepwell.toml")
    for version, auc in (("1.4.0", 0.8347), ("1.5.0", 0.841)):
        release(project.root / "dist", version, lock_of({"customers": CUSTOMERS}, {"auc": auc}))
    project.write("x", "data/customers.csv").write_text(CUSTOMERS, "utf-8")
    return project


@pytest.mark.slow
def test_the_commands_do_what_the_guide_says(guide) -> None:
    said: dict[str, str] = {}
    for words in commands("channels.md"):
        words = [word.replace("9f2c7712", b3(CUSTOMERS)[3:11]) for word in words]
        if words[:2] == ["promote", "1.4.0"] and words[2] == "production":
            assert "0.0 of 2 hours in staging" in guide(*words, code=3).err
            wait(guide)
        if words[0] == "rollback":
            guide("promote", "1.5.0", "production", "--attest", "approved-by=risk", "--why", "with events")
        if words[0] == "yank":
            guide("unyank", "1.5.0", "--why", "only here")
        said[" ".join(words[:2])] = guide(*words).out
    assert said["promote 1.4.0"].startswith("churn 1.4.0 promoted to production")
    assert "churn 1.4.0 is what is left in production, which had 1.5.0" in said["rollback production"]
    assert said["yank 1.5.0"].count("withdrawn from") == 2
    assert "recalled at" in said["recall data/customers.csv"]
    assert said["channels --verify"] == "every log, page and wheel is as it must be\n"


def wait(guide: Project) -> None:
    """Two hours in staging, as if they had passed: the promotion is made again, by a clock that is behind."""
    folder = guide.root / "index"
    for path in sorted(folder.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    for version, hours in (("1.4.0", 5), ("1.5.0", 2.5)):
        behind = hours * 3600
        channels = Channels.create(
            LocalFiles(folder), ["staging", "production"], lambda behind=behind: time.time() - behind
        )
        channels.promote(
            guide.root / "dist" / f"churn-{version}-py3-none-any.whl", "staging", by="Ana", why="Q3"
        )
