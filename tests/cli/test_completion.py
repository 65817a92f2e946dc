"""Completion in a real bash: by its function with a line, and by pressing Tab."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pexpect
import pytest
from cli_projects import STEPWELL

LINES = {
    "stepwell ": {"run ", "plan ", "why ", "completion ", "version "},
    "stepwell ru": {"run ", "runs "},
    "stepwell why ": {"numbers ", "total "},
    "stepwell why to": {"total "},
    "stepwell why -p squares to": {"total "},
    "stepwell why total ": {"last ", "r2 ", "r1 ", "count=", "scale="},
    "stepwell show r": {"r1 ", "r2 "},
    "stepwell describe t": {"total "},
    "stepwell plan --ju": {"--junit "},
    "stepwell logs last ": {"numbers ", "total "},
    "stepwell get last n": {"numbers "},
    "stepwell run ": {"count=", "scale="},
    "stepwell run co": {"count="},
    "stepwell run count=3 ": {"scale="},
    "stepwell run --jobs 2 sc": {"scale="},
    "stepwell run --force n": {"numbers "},
    "stepwell run --dr": {"--dry-run "},
    "stepwell --js": {"--json "},
    "stepwell run other.py:": {"first ", "second "},
    "stepwell run other.py:first ": {"a="},
    "stepwell -C .. run ": set(),
    "stepwell -C ../demo run c": {"count="},
    "stepwell runs ": {"squares "},
    "stepwell completion ": {"bash ", "fish ", "zsh "},
}
OTHER = """
    from stepwell import pipeline

    @pipeline
    def first(a: int = 1):
        return a

    @pipeline
    def second(b: int = 1):
        return b
"""
ASK = """
eval "$(stepwell completion bash)"
while IFS= read -r line; do
  COMP_LINE="$line" COMP_POINT=${#line} COMPREPLY=()
  read -ra COMP_WORDS <<< "$line"
  COMP_CWORD=$(( ${#COMP_WORDS[@]} - 1 ))
  _stepwell stepwell
  printf '%s\\n' "${COMPREPLY[@]}" ---
done
"""

pytestmark = pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")


@pytest.fixture
def hello(hello):
    hello.edit("count: int = 10", "count: int = 10, scale: float = 1.0")
    hello.write(OTHER, "other.py")
    hello("run")
    hello("run")
    (hello.root / "pipeline.py").write_text(
        (hello.root / "pipeline.py").read_text() + "\nopen('imported', 'w')\n"
    )
    return hello


def test_what_a_line_could_become(hello):
    done = subprocess.run(
        ["bash", "-c", ASK], cwd=hello.root, env=hello.env, input="".join(f"{line}\n" for line in LINES),
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    assert done.stderr == ""
    answers = done.stdout.split("---\n")
    for (line, wanted), answer in zip(LINES.items(), answers, strict=False):
        found = {word for word in answer.split("\n") if word}
        assert wanted <= found if line == "stepwell " else wanted == found, line
    assert not (hello.root / "imported").exists()  # no user code is imported for it


def test_pressing_tab(hello):
    child = pexpect.spawn(
        "bash", ["--norc", "--noprofile"], cwd=str(hello.root), env={**hello.env, "PS1": "$ ", "TERM": "dumb"}, encoding="utf-8",
        timeout=20, dimensions=(24, 120),
    )  # fmt: skip
    child.sendline(
        "bind 'set enable-bracketed-paste off'; eval \"$(stepwell completion bash)\"; echo rea''dy"
    )
    child.expect("ready")
    child.send("stepwell ru\t")
    child.expect("stepwell ru\x07*n")
    child.send("\t\t")
    child.expect("run +runs")
    child.send(" cou\t")
    child.expect("count=")
    child.send("4 sc\t")
    child.expect("scale=")
    child.sendline("2 --json > done.json; echo fini''shed")
    child.expect("finished")
    child.sendline("exit")
    assert '"params": {"count": 4, "scale": 2.0}' in (hello.root / "done.json").read_text()


@pytest.mark.parametrize("broken", ["no store", "damaged store", "bad syntax"])
def test_completion_never_complains(hello, broken):
    if broken == "no store":
        shutil.rmtree(hello.root / ".stepwell")
    elif broken == "damaged store":
        (hello.root / ".stepwell" / "store.db").write_bytes(b"nonsense" * 1000)
    else:
        hello.write("def (:\n")
    for words in (["run", ""], ["why", ""], ["show", "r"], ["-C"], [], ["-C", "/nowhere", "run", ""]):
        done = subprocess.run(
            [STEPWELL, "__complete", *words],
            cwd=hello.root,
            env=hello.env,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert "Traceback" not in done.stderr
        assert "E000" not in done.stderr
        assert done.returncode in (0, 6), done.stderr


def test_completion_is_light():
    heavy = {"numpy", "pandas", "rich", "msgspec", "inspect"}
    code = "import sys; from stepwell.cli.main import main; main(['__complete', 'ru']); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not heavy & set(done.stdout.split())
