"""`stepwell version`: the version, also as JSON."""

from __future__ import annotations

import platform
from argparse import ArgumentParser, Namespace

from stepwell.cli.text import print_json
from stepwell.version import VERSION


def arguments(parser: ArgumentParser) -> None:
    """There are none."""


def run(options: Namespace) -> int:
    """Print."""
    if options.json:
        print_json({"version": VERSION, "python": platform.python_version()})
    else:
        print(VERSION)
    return 0
