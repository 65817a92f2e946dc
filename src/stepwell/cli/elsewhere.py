"""Words that people know from other tools, each with ours: what is told where a verb or an option is not known.

Loaded only then. What follows `stepwell` is to be typed as it stands, up to three spaces; behind them is what it does.
"""

from __future__ import annotations

VERBS = {
    # DVC
    "repro": "run",
    "exp": "run --sweep NAME=VALUES   a run for each value; `stepwell runs` lists them",
    "dag": "graph",
    "status": "plan",
    "init": "new",
    "metrics": "compare",
    "params": "compare",
    "plots": "report",
    "diff": "compare",
    "import": "add",
    "import-url": "add",
    "fetch": "run   brings what its sources name",
    "pull": "run   brings what its sources name, and makes what is not there",
    "push": "release   makes a wheel of what is locked, which `stepwell promote` gives to others",
    "checkout": "get last STEP -o FILE",
    "unprotect": "get last STEP -o FILE",
    # Snakemake, make
    "dry-run": "plan",
    "dryrun": "plan",
    "make": "run",
    "build": "run",
    "clean": "gc",
    "lint": "plan",
    # Airflow, Kedro, MLflow
    "dags": "graph",
    "tasks": "describe",
    "trigger": "run",
    "backfill": "run --sweep NAME=VALUES",
    "webserver": "ui",
    "standalone": "ui",
    "server": "ui",
    "viz": "ui",
    "experiments": "runs",
    "models": "channels",
}
"""Verbs."""

OPTIONS = {
    "-c": "-j N",
    "--cores": "-j N",
    "--workers": "-j N",
    "--max-workers": "-j N",
    "--processes": "-j N",
    "--forceall": "--force '*'",
    "--force-all": "--force '*'",
    "--forcerun": "--force STEP",
    "--no-cache": "--force '*'",
    "--dry": "-n",
    "--dryrun": "-n",
    "--configfile": "--params FILE",
    "--config": "NAME=VALUE",
    "--set-param": "NAME=VALUE",
    "--single-item": "--only STEP",
    "--downstream": "--from STEP",
    "--target": "--until STEP",
    "--targets": "--until STEP",
    "--omit-from": "--skip STEP",
}
"""Options of `run`, and of those verbs that have its options."""

PIPELINE = ("-p", "--pipeline")
"""How a verb that begins with a step is told the pipeline. Where the pipeline comes first, it is a word by itself."""
