"""Arguments that several verbs have. Alone, so that a verb which has them need not import what others do."""

from __future__ import annotations

from argparse import ArgumentParser


def which_pipeline(parser: ArgumentParser) -> None:
    """The option that names the pipeline of a step or run."""
    parser.add_argument("-p", "--pipeline", default="", help="the pipeline, where it is not the default one")
