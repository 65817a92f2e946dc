"""The hot paths execute no more instructions than when their ceilings were written; what counts is `bench/gates.py`."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

BENCH = Path(__file__).parents[2] / "bench"


def python(*words: str) -> str:
    """What Python prints in the folder of the benchmark, whose modules are none of the tests'."""
    done = subprocess.run([sys.executable, *words], cwd=BENCH, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_no_more_instructions_than_the_ceilings():
    if shutil.which("valgrind") is None:
        pytest.skip("there is no valgrind")
    gates = json.loads(python("gates.py", "--json"))
    assert len(gates) == 7
    unknown = [name for name, gate in gates.items() if gate["ceiling"] is None]
    assert not unknown, f"no ceilings for this Python: {sys.executable} bench/gates.py --write"
    above = [
        f"{name}: {gate['count']:,} instructions, {gate['count'] / gate['ceiling'] - 1:.0%} above the ceiling"
        for name, gate in gates.items()
        if gate["exceeded"]
    ]
    assert not above, "\n".join([*above, "where that is wanted: bench/gates.py --write"])


def test_a_gate_closes_above_the_margin():
    asked = (
        "from gates import *; print(exceeded({'a': %d, 'b': %d}, {'a': 1_000_000, 'b': 1_000_000, 'c': 1}))"
    )
    assert python("-c", asked % (1_000_000 * 1.099, 1_000_000 * 1.101)) == "['b']\n"


def test_a_gate_without_a_ceiling_is_closed():
    assert python("-c", "from gates import *; print(exceeded({'a': 1}, {}))") == "['a']\n"


def test_instructions_of_more_work_are_more(tmp_path):
    if shutil.which("valgrind") is None:
        pytest.skip("there is no valgrind")
    code = (
        "from gates import *\n"
        "count = lambda code: instructions((PYTHON, '-c', code), Path('{0}'), Path('{0}'))\n"
        "bare = count('pass')\n"
        "print(count('sum(range(100_000))') - bare, count('sum(range(1_000_000))') - bare)"
    )
    some, many = map(int, python("-c", code.format(tmp_path)).split())
    assert 8 < many / some < 12
