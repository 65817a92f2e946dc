"""The verbs of the command, by name. Each has a file of its own; `run_.py` and `new_.py` where the name is taken."""

from __future__ import annotations

VERBS = {
    "new": "write a pipeline.py to start from",
    "plan": "what a run would do, and why; nothing is run",
    "run": "run a pipeline: what is up to date is reused",
    "why": "why a step runs, or ran: what changed, as a diff",
    "runs": "the runs so far, newest first",
    "show": "one run: its steps, reasons, metrics, outputs",
    "logs": "what the steps of a run printed",
    "get": "print or write what a step gave",
    "verify": "check every byte of the store",
    "completion": "a script that completes names in your shell",
    "version": "the version of Stepwell",
}
"""Every verb and what it does, in the order of the help."""

VALUED = ("-C", "--directory", "-j", "--jobs", "--force", "-p", "--pipeline", "--limit", "-o", "--output")
"""Options whose next word is their value, of all verbs; and `-n`, where a number follows."""
