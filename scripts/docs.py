"""Write the generated pages of docs/reference: errors from their classes, commands from their `--help`, the manifest, rules.

python scripts/docs.py            write them
python scripts/docs.py --check    exit 1 if one of them is not what it would write
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import compat_page
import manifest_page

from stepwell.cli.verbs import VERBS
from stepwell.errors import StepwellError, catalogue

REFERENCE = Path(__file__).resolve().parents[1] / "docs" / "reference"

FAMILIES = {
    "E0": "The base",
    "E1": "Typed wrong",
    "E2": "The pipeline file as written",
    "E3": "The plan cannot work",
    "E4": "A step failed",
    "E5": "The store",
    "E6": "Values and bytes",
    "E7": "Locks, releases and channels",
    "E8": "Making it again",
}


def errors() -> str:
    """The page of all errors."""
    lines = [
        "# Errors",
        "",
        "Every error has a code, says what happened and why, and what to type next. With `--json` the same",
        "fields are in `error`. Exit codes: 0 success, 1 a step failed, 2 typed wrong, 3 the plan cannot work,",
        "4 a thing is gone, 5 the store is busy, 6 integrity, 7 an address cannot be reached, 130 interrupted.",
    ]
    family = ""
    for kind in catalogue():
        if kind.code[:2] != family:
            family = kind.code[:2]
            lines += ["", f"## {FAMILIES[family]}"]
        lines += ["", f"### {kind.code}", "", _about(kind)]
    return "\n".join(lines) + "\n"


def _about(kind: type[StepwellError]) -> str:
    text = " ".join((kind.__doc__ or "").split("\n\n")[0].split())
    reason = f" {kind.reason[0].upper()}{kind.reason[1:]}." if kind.reason else ""
    return f"**{kind.__name__}**, exit code {kind.exit_code}. {text}{reason}"


def commands() -> str:
    """The page of all commands."""
    lines = ["# Commands", "", "What `stepwell --help` and `stepwell VERB --help` print.", "", *_help()]
    for verb in VERBS:
        lines += ["", f"## {verb}", "", *_help(verb)]
    return "\n".join(lines) + "\n"


def _help(*words: str) -> list[str]:
    surroundings = {**os.environ, "COLUMNS": "100", "NO_COLOR": "1"}
    command = [sys.executable, "-m", "stepwell.cli.main", *words, "--help"]
    text = subprocess.run(command, capture_output=True, text=True, check=True, env=surroundings).stdout
    return ["```", *text.rstrip().splitlines(), "```"]


PAGES = {
    "errors.md": errors,
    "commands.md": commands,
    "manifest.md": manifest_page.page,
    "compat.md": compat_page.page,
    "schemas/manifest.json": manifest_page.schema,
}


def main() -> int:
    """Write or check; 1 if a page is not up to date."""
    stale = []
    for name, page in PAGES.items():
        path, text = REFERENCE / name, page()
        if path.exists() and path.read_text("utf-8") == text:
            continue
        stale.append(name)
        if "--check" not in sys.argv:
            REFERENCE.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
    print(", ".join(stale) + " not up to date" if stale else "all pages are up to date")
    return 1 if stale and "--check" in sys.argv else 0


if __name__ == "__main__":
    sys.exit(main())
