"""What a run shows as done is done, whenever it is killed: kept, in its record, and found by the next run."""

from __future__ import annotations

import os
import re
import signal
import subprocess

import pytest
from cli_projects import STEPWELL

PIPELINE = """
    import time
    from stepwell import log, pipeline, step

    @step
    def work(n: int, salt: int) -> bytes:
        time.sleep(0.01)
        log.metric("n", n)
        return bytes([n]) * (1_300_000 if n % 5 == 0 else 9)

    @pipeline
    def main(salt: int = 0) -> list[bytes]:
        return [work(n, salt) for n in range(30)]
"""


@pytest.mark.parametrize("count", [1, 7, 12, 19, 25])
def test_a_step_that_was_shown_as_done_is_recorded_as_done(project, count):
    project.write(PIPELINE)
    words = [STEPWELL, "run", f"salt={count}", "-j", "2"]
    with subprocess.Popen(words, cwd=project.root, env=project.env, stdout=subprocess.PIPE, text=True) as run:
        shown = ""
        while shown.count("✓") < count and (line := run.stdout.readline()):
            shown += line
        os.kill(run.pid, signal.SIGKILL)
        shown += run.stdout.read()
    done = set(re.findall(r"✓ (\S+)", shown))
    assert len(done) >= count
    recorded = {one["id"]: one["status"] for one in project("show", "last", "--json").json["steps"]}
    assert {recorded[name] for name in done} == {"succeeded"}
    plan = project("plan", f"salt={count}", "--json").decisions
    assert {plan[name] for name in done} == {"cached"}
