"""What several verbs share: the words `[PIPELINE] [name=value...]`, and from them to a planned pipeline."""

from __future__ import annotations

import re
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from stepwell.app.checks import Selection
from stepwell.app.places import stored
from stepwell.app.session import DEFAULTS, Settings, Work, prepare, with_the_rest
from stepwell.author.params import from_words
from stepwell.author.project import Loaded, find, load
from stepwell.cli.looking import count
from stepwell.errors import StepwellError, UsageError
from stepwell.stores.local import LocalStore

_SETTING = re.compile(r"[^\W\d]\w*=", re.UNICODE)


class Words(NamedTuple):
    """The words behind a verb: those before the first `name=value`, and the settings."""

    plain: list[str]
    settings: list[str]


def words(given: Sequence[str]) -> Words:
    """Words told apart: `name=value` are settings, wherever they stand."""
    return Words([w for w in given if not _SETTING.match(w)], [w for w in given if _SETTING.match(w)])


def pipeline_arguments(parser: ArgumentParser) -> None:
    """The arguments of `plan` and `run`."""
    parser.add_argument(
        "words",
        nargs="*",
        metavar="[PIPELINE] [name=value ...]",
        help="a name, path.py, path.py:name or package.module:name; parameters of the pipeline",
    )
    parser.add_argument("-j", "--jobs", type=count, default=0, metavar="N", help="workers (one a processor)")
    parser.add_argument(
        "-k", "--keep-going", action="store_true", help="a failure stops only what depends on it"
    )
    parser.add_argument(
        "--in-process", action="store_true", help="run steps in this process, one at a time (for debuggers)"
    )
    parser.add_argument(
        "--force", action="append", default=[], metavar="STEP", help="run this step in any case (* for all)"
    )
    parser.add_argument("--refresh", action="store_true", help="ask https:// sources again")
    parser.add_argument(
        "--depth", default="", metavar="DEPTH", help="verify names, types or data (all of it)"
    )
    for flags, does in ((("--only",), "verify these alone"), (("-x", "--without"), "leave these checks out")):
        parser.add_argument(
            *flags, type=_names, action="extend", default=[], metavar="CHECK[,CHECK]", help=does
        )


def settings(options: Namespace) -> Settings:
    """The settings of a run."""
    return Settings(
        options.jobs,
        options.keep_going,
        options.in_process,
        tuple(options.force),
        options.refresh,
        getattr(options, "strict", False),
        Selection(options.depth, tuple(options.only), tuple(options.without)),
        tuple(getattr(options, "twice", ())),
        (getattr(options, "rows", None) or 100) if getattr(options, "ghost", False) else 0,
    )


def _names(text: str) -> list[str]:
    """Names with commas between them."""
    return [name.strip() for name in text.split(",") if name.strip()]


def loaded(plain: Sequence[str]) -> Loaded:
    """The pipeline that the words name, or the default one."""
    if len(plain) > 1:
        raise UsageError(
            f"two pipelines are named: {plain[0]} and {plain[1]}", fixes=["parameters are written name=value"]
        )
    return load(find(plain[0] if plain else "", Path.cwd()))


def planned(found: Loaded, given: Sequence[str], store: LocalStore, how: Settings = DEFAULTS) -> Work:
    """The plan of a pipeline with `name=value` words as parameters. What is wrong with these is told with all the rest."""
    try:
        params = from_words(found.pipeline, given)
    except StepwellError as error:
        raise with_the_rest(error, found, store, how) from None
    return prepare(found, params, store, how)


__all__ = [
    "Words",
    "loaded",
    "pipeline_arguments",
    "planned",
    "settings",
    "stored",
    "words",
]
