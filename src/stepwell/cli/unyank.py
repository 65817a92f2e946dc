"""`stepwell unyank`: a withdrawal is taken back."""

from __future__ import annotations

from argparse import Namespace

from stepwell.cli.yank import arguments, change

__all__ = ["EXAMPLES", "arguments", "run"]

EXAMPLES = """examples:
  stepwell unyank 1.4.0 --why "it was not the currency"          in every channel where it was withdrawn
  stepwell unyank churn 1.4.0 --channel staging --why "checked again\""""


def run(options: Namespace) -> int:
    """Take it back."""
    return change(options, "unyank")
