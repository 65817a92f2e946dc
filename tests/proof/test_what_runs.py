"""What runs is what was fingerprinted, whenever files are edited: told by the values."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from projects import HEAD, Case

RULES = "def scale(x):\n    return x * {0}\n"
ONE = HEAD + (
    "import rules\n\n\n@step\ndef work(x: int) -> int:\n    return rules.scale(x)\n\n\n"
    "@pipeline\ndef main(x: int = 4) -> int:\n    return work(x)\n"
)


@pytest.fixture
def case(tmp_path: Path, witness) -> Case:
    return Case(tmp_path, witness)


@pytest.mark.parametrize("workers", [False, True])
def test_edits_of_one_size_within_one_second_although_byte_code_is_written(case, workers):
    case.write(pipeline_py=ONE, rules_py=RULES.format(7))
    environment = {name: v for name, v in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    subprocess.run(
        [sys.executable, "-c", "import rules, pipeline"],
        cwd=case.root,
        env=environment,
        check=True,
        timeout=60,
    )
    assert list(case.root.glob("__pycache__/rules*.pyc"))
    values = []
    for factor in (7, 8, 9, 7):
        case.write(rules_py=RULES.format(factor))  # the file keeps its time stamp
        values += case.both(workers=workers)["values"]
    assert values == ["28", "32", "36", "28"]


EDITING = HEAD + (
    "import rules\n\n\n@step\ndef edit(name: str, text: str) -> int:\n    rules.scale(1)\n"
    "    if text:\n        Path(__file__).with_name(name).write_text(text)\n    return 4\n\n\n"
    "@step\ndef later(x: int) -> int:\n    return rules.scale(x)\n\n\n"
    "@step\ndef lazily(x: int) -> int:\n    import late\n\n    return late.scale(x)\n\n\n"
    '@pipeline\ndef main(name: str = "", text: str = "") -> int:\n    x = edit(name, text)\n'
    "    return [later(x), lazily(x)]\n"
)


@pytest.mark.parametrize("workers", [False, True])
@pytest.mark.parametrize("name", ["rules.py", "late.py", "pipeline.py"])
def test_a_step_that_edits_the_code_of_later_steps_changes_nothing_in_this_run(case, name, workers):
    files = {"pipeline.py": EDITING, "rules.py": RULES.format(7), "late.py": RULES.format(5)}
    case.write(pipeline_py=EDITING, rules_py=files["rules.py"], late_py=files["late.py"])
    new = files[name].replace("x * ", "10 + x * ").replace("return rules.scale(x)", "return -1")
    case.params = {"name": name, "text": new}
    answer = case.run(workers=workers)
    assert (answer["status"], answer["values"]) == ("succeeded", ["4", "28", "20"])
    assert (case.root / name).read_text() == new
    case.params = {"name": "", "text": ""}  # what was edited is now what counts
    again = case.both(workers=workers)
    assert again["values"] == {
        "rules.py": ["4", "38", "20"], "late.py": ["4", "28", "30"], "pipeline.py": ["4", "-1", "20"],
    }[name]  # fmt: skip


@pytest.mark.parametrize("workers", [False, True])
def test_an_edit_between_plan_and_run_is_not_in_the_run_of_that_plan(case, workers):
    case.write(pipeline_py=ONE, rules_py=RULES.format(7))
    edit = {str(case.root / "rules.py"): RULES.format(8)}
    answer = case.run(workers=workers, between=edit)
    assert (answer["status"], answer["values"]) == ("succeeded", ["28"])
    again = case.both(workers=workers)
    assert (case.ran(again), again["values"]) == (["work"], ["32"])


PROGRAM = """\
from pathlib import Path

import pipeline

rules = Path("rules.py")
print(pipeline.main.plan().decisions, flush=True)
print(pipeline.main.run().result, flush=True)
for factor in (8, 9, 7):
    planned = pipeline.main.plan().decisions
    rules.write_text(f"def scale(x):\\n    return x * {factor}\\n")
    run = pipeline.main.run()
    print(planned["work"], run.steps["work"].decision, run.result, flush=True)
"""


def test_edits_between_plan_and_run_of_a_program_that_lives_on(case):
    case.write(pipeline_py=ONE, rules_py=RULES.format(7), program_py=PROGRAM)
    environment = {name: v for name, v in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run(
        [sys.executable, "program.py"], cwd=case.root, env={**environment, "STEPWELL_STORE": str(case.store)},
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert [line for line in done.stdout.splitlines() if line.startswith("cached ")] == [
        "cached run 32", "cached run 36", "cached cached 28",
    ]  # fmt: skip
