"""The verbs of the command, by name. Each has a file of its own; `run_.py` and `new_.py` where the name is taken."""

from __future__ import annotations

VERBS = {
    "new": "write a pipeline.py to start from",
    "plan": "what a run would do, and why; nothing is run",
    "run": "run a pipeline: what is up to date is reused",
    "debug": "a step again with its recorded inputs, in a debugger",
    "replay": "a step again with its recorded inputs, its output compared",
    "why": "why a step runs, or ran: what changed, as a diff",
    "describe": "what a pipeline or step takes in, gives and promises",
    "runs": "the runs so far, newest first",
    "show": "one run: its steps, reasons, metrics, outputs",
    "logs": "what the steps of a run printed",
    "accept": "say that an edit of a step does not change its results",
    "get": "print or write what a step gave",
    "verify": "check every byte of the store",
    "gc": "remove what the store can do without; shows it first",
    "explain": "what an error's code means",
    "completion": "a script that completes names in your shell",
    "version": "the version of Stepwell",
}
"""Every verb and what it does, in the order of the help."""

VALUED = (
    "-C",
    "--directory",
    "--depth",
    "--only",
    "-x",
    "--without",
    "-j",
    "--jobs",
    "--force",
    "-p",
    "--pipeline",
    "--limit",
    "-o",
    "--output",
    "--junit",
    "--keep",
    "--older-than",
    "--trash-days",
    "--subset",
    "--set",
    "--listen",
    "--save",
    "--against",
    "--plan",
    "--rows",
    "-m",
    "--message",
)
"""Options whose next word is their value, of all verbs; and `-n`, where a number follows."""
