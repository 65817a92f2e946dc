"""The documentation tells the truth: generated pages are fresh, links lead somewhere, README's story is what happens."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from stepwell.errors import catalogue

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").rglob("*.md")])


def run(*words: str, cwd: Path) -> str:
    """The command's output with what differs from run to run replaced."""
    done = subprocess.run(
        [sys.executable, "-m", "stepwell.cli.main", *words],
        cwd=cwd, capture_output=True, text=True, check=True, env={**os.environ, "NO_COLOR": "1"}, timeout=60,
    )  # fmt: skip
    return plain(done.stdout)


def plain(text: str) -> str:
    """Text without times and sums of memory, and with single spaces."""
    lines = [re.sub(r"[ \t]+", " ", line).rstrip() for line in text.strip().splitlines()]
    text = re.sub(r"\d+(\.\d+)? (s|min)\b", "T", "\n".join(lines))
    return re.sub(r"peak \d+(\.\d+)? MB\b", "peak M", text)


@pytest.mark.skipif(
    sys.version_info[:2] != (3, 11), reason="argparse words its help differently from version to version"
)
def test_generated_pages_are_up_to_date():
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "docs.py", "--check"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr + "\nfix: make docs"


def test_every_error_has_its_section():
    page = (ROOT / "docs" / "reference" / "errors.md").read_text("utf-8")
    codes = [kind.code for kind in catalogue()]
    assert len(codes) == len(set(codes))
    assert all(f"### {code}\n" in page for code in codes)


def test_each_error_class_has_a_code_of_its_own():
    kinds = list(catalogue())
    assert len({kind.code for kind in kinds}) == len(kinds)

    def count(kind):
        return 1 + sum(map(count, kind.__subclasses__()))

    from stepwell.errors import StepwellError

    assert count(StepwellError) == len(kinds)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#\s]+)", page.read_text("utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def blocks(kind: str) -> list[str]:
    return re.findall(rf"```{kind}\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.DOTALL)


def shown(after: str) -> str:
    """What README shows behind a `$ command`."""
    story = "\n".join(blocks("console"))
    return plain(story.split(f"$ {after}\n", 1)[1].split("\n\n$ ")[0].split("\n$ ")[0])


def test_the_sixty_seconds_are_what_happens(tmp_path):
    (tmp_path / "pipeline.py").write_text(blocks("python")[0])
    assert run("plan", cwd=tmp_path) == shown("stepwell plan")
    first, second = ("\n".join(blocks("console"))).split("$ stepwell run\n")[1:3]
    assert run("run", cwd=tmp_path) == plain(first.split("\n\n")[0])
    assert run("run", cwd=tmp_path) == plain(second.split("\n\n")[0].split("\n$")[0])
    code = (tmp_path / "pipeline.py").read_text()
    (tmp_path / "pipeline.py").write_text(code.replace("n * n", "n * n * n"))
    after = ("\n".join(blocks("console"))).split("$ stepwell plan\n")[2]
    assert run("plan", cwd=tmp_path) == plain(after.split("\n\n$ ")[0])
    assert run("why", "numbers", cwd=tmp_path) == plain(after.split("$ stepwell why numbers\n")[1])
    (tmp_path / "pipeline.py").write_text(code)
    assert "2 steps: 2 cached" in run("plan", cwd=tmp_path)


def test_the_template_is_the_readme(tmp_path):
    run("new", cwd=tmp_path)
    written = (tmp_path / "pipeline.py").read_text()
    for part in blocks("python")[0].strip().split("\n\n")[1:]:
        assert part in written
