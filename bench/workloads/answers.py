"""Whether Stepwell did what it was to do, asked of Stepwell itself through `--json`, unmeasured."""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from machine import STEPWELL
from measure import environment

from workloads.shape import Check, Verdict


def ran(result: object, *arguments: str, status: str, steps: int) -> Check:
    """Check that the newest run has so many steps, each of that status, and leads to that result.

    The facts of the verdict are the seconds that the run says for each of its steps, where these are few.
    """

    def check(folder: Path, _output: str) -> Verdict:
        runs = asked(folder, "runs", "--json")["runs"]
        run = asked(folder, "show", runs[0]["run"], "--json")
        right = sum(step["status"] == status for step in run["steps"])
        if run["status"] != "succeeded" or right != steps or len(run["steps"]) != steps:
            return Verdict(f"{run['status']}; {right:,} of {len(run['steps']):,} steps {status}")
        if asked(folder, "run", "--json", *arguments)["result"] != result:
            return Verdict("wrong result")
        return Verdict("", {step["id"]: step["seconds"] for step in run["steps"][:10]} if steps <= 10 else {})

    return check


def reran(result: object, *arguments: str, ran: int, steps: int) -> Check:
    """Check that the newest run succeeded, ran so many of its steps, reused all others, and leads to that result."""

    def check(folder: Path, _output: str) -> Verdict:
        runs = asked(folder, "runs", "--json")["runs"]
        run = asked(folder, "show", runs[0]["run"], "--json")
        done = Counter(step["status"] for step in run["steps"])
        if run["status"] != "succeeded" or done != Counter(succeeded=ran, cached=steps - ran):
            return Verdict(f"{run['status']}; " + ", ".join(f"{n:,} steps {how}" for how, n in done.items()))
        right = asked(folder, "run", "--json", *arguments)["result"] == result
        return Verdict("" if right else "wrong result")

    return check


def printed(values: Sequence[object]) -> Check:
    """Check that these were printed, and nothing else."""
    return lambda _folder, output: Verdict("" if output.split() == [*map(str, values)] else "wrong result")


def planned(*arguments: str, decision: str, steps: int) -> Check:
    """Check that a plan decides so for so many steps, all of them."""

    def check(folder: Path, _output: str) -> Verdict:
        plan = asked(folder, "plan", "--json", *arguments)
        right = sum(step["decision"] == decision for step in plan["steps"])
        all_right = right == steps == len(plan["steps"])
        return Verdict("" if all_right else f"{right:,} of {len(plan['steps']):,} steps {decision}")

    return check


def asked(folder: Path, *arguments: str) -> dict[str, Any]:
    """What a Stepwell command answers. Raises `ValueError` or `KeyError` where that is not what it should be."""
    answer = subprocess.run(
        [STEPWELL, *arguments], cwd=folder, env=environment(), capture_output=True, text=True, check=False
    )
    if answer.returncode != 0:
        raise ValueError(f"`stepwell {arguments[0]}` gave {answer.returncode}")
    document: dict[str, Any] = json.loads(answer.stdout)
    return document
