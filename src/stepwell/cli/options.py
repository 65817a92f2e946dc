"""What several verbs share: the words `[PIPELINE] [name=value...]`, and from them to a planned pipeline."""

from __future__ import annotations

import re
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path

from stepwell.app.aiming import around, load_inside, missed, narrowed
from stepwell.app.checks import Selection
from stepwell.app.parameters import given as parameters
from stepwell.app.places import stored
from stepwell.app.selecting import Choice
from stepwell.app.session import DEFAULTS, Settings, Work, prepare, with_the_rest
from stepwell.author.layers import COMMAND
from stepwell.author.project import Loaded, Target, find, load
from stepwell.cli.looking import count
from stepwell.cli.sweep_words import set_argument, sweep_arguments
from stepwell.errors import NothingSelected, StepwellError, UsageError
from stepwell.named import NamedTuple
from stepwell.stores.local import LocalStore

_SETTING = re.compile(r"[^\W\d]\w*(\.\w+)*=", re.UNICODE)


class Words(NamedTuple):
    """The words behind a verb: those before the first `name=value`, and the settings."""

    plain: list[str]
    settings: list[str]


def words(given: Sequence[str]) -> Words:
    """Words told apart: `name=value` are settings, wherever they stand."""
    return Words([w for w in given if not _SETTING.match(w)], [w for w in given if _SETTING.match(w)])


def params_argument(parser: ArgumentParser) -> None:
    """The option `--params`, of every verb that takes parameters."""
    parser.add_argument(
        "--params",
        action="append",
        default=[],
        metavar="FILE",
        help="parameters in a file (TOML, JSON, YAML); of several the last one counts",
    )


def words_arguments(parser: ArgumentParser) -> None:
    """The words that say which pipeline with which parameters, and `--params`."""
    parser.add_argument(
        "words",
        nargs="*",
        metavar="[PIPELINE] [name=value ...]",
        help="a name, path.py, path.py:name or package.module:name; parameters of the pipeline",
    )
    params_argument(parser)


def pipeline_arguments(parser: ArgumentParser) -> None:
    """The arguments of `plan` and `run`."""
    words_arguments(parser)
    sweep_arguments(parser)
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
        "--frozen", action="store_true", help="take all data from the lock, whatever is there now"
    )
    parser.add_argument(
        "--depth", default="", metavar="DEPTH", help="verify names, types or data (all of it)"
    )
    selection_arguments(parser)
    parser.add_argument(
        *("-x", "--without"),
        type=_names,
        action="extend",
        default=[],
        metavar="CHECK[,CHECK]",
        help="leave these checks out",
    )


def selection_arguments(parser: ArgumentParser) -> None:
    """The options that say which steps are meant (`app.selecting`)."""
    for flag, does in (
        ("--from", "these steps and what comes after; the rest is taken as it is"),
        ("--until", "these steps and what they need"),
        ("--only", "these steps alone (name, id, section/, endpoint, tag:NAME, pattern); or these checks"),
        ("--skip", "leave these steps out, and what needs them"),
    ):
        dest = "start" if flag == "--from" else flag[2:]
        parser.add_argument(
            flag, dest=dest, type=_names, action="extend", default=[], metavar="NAME[,NAME]", help=does
        )
    parser.add_argument(
        "--tag", type=_tags, action="extend", dest="only", metavar="TAG", help="short for --only tag:TAG"
    )


def selection(options: Namespace) -> Choice:
    """The steps that are meant."""
    return Choice(tuple(options.start), tuple(options.until), tuple(options.only), tuple(options.skip))


def settings(options: Namespace) -> Settings:
    """The settings of a run. Raises `UsageError` for two that contradict each other."""
    if options.refresh and getattr(options, "frozen", False):
        raise UsageError(
            "`--refresh` and `--frozen` exclude each other",
            why="one asks what is there now, the other takes what is locked",
            fixes=["leave one of them out"],
        )
    return Settings(
        options.jobs,
        options.keep_going,
        options.in_process,
        tuple(options.force),
        options.refresh,
        getattr(options, "strict", False),
        Selection(options.depth, (), tuple(options.without)),
        tuple(getattr(options, "twice", ())),
        (getattr(options, "rows", None) or 100) if getattr(options, "ghost", False) else 0,
        tuple(getattr(options, "on_success", ())),
        tuple(getattr(options, "on_failure", ())),
        memory=getattr(options, "memory", 0),
        frozen=getattr(options, "frozen", False),
        selection=selection(options),
    )


def _names(text: str) -> list[str]:
    """Names with commas between them."""
    return [name.strip() for name in text.split(",") if name.strip()]


def _tags(text: str) -> list[str]:
    return [f"tag:{name}" for name in _names(text)]


def aimed(plain: Sequence[str]) -> Target:
    """What the words that are no `name=value` mean. Raises `NoPipelineFile`, `UsageError`."""
    if len(plain) > 1:
        raise UsageError(
            f"two pipelines are named: {plain[0]} and {plain[1]}", fixes=["parameters are written name=value"]
        )
    return find(plain[0] if plain else "", Path.cwd())


def loaded(plain: Sequence[str], *, inside: bool = False) -> Loaded:
    """The pipeline that the words name, or the default one; with `inside` also a section or endpoint of that."""
    target = aimed(plain)
    return load_inside(target) if inside else load(target)


def planned(
    found: Loaded,
    given: Sequence[str],
    store: LocalStore,
    how: Settings = DEFAULTS,
    *,
    files: Sequence[str] = (),
    sets: Sequence[str] = (),
    watched: bool = False,
) -> Work:
    """The plan of a pipeline with `name=value` words, and files, as parameters. What is wrong with these is told with all the rest.

    `sets` are arguments of steps, as they stand behind `--set`. `watched`: so that it may be recalled later.
    """
    try:
        params, origins = parameters(found, given, files)
        if sets:
            from stepwell.app.asked import overrides_of

            over = overrides_of(sets)
            params, origins = {**params, **over}, {**origins, **dict.fromkeys(over, COMMAND)}
    except StepwellError as error:
        if found.aim is not None:
            raise found.aim.error from None
        if (other := around(found, error)) is not None:
            return planned(other, given, store, how, files=files, sets=sets, watched=watched)
        raise with_the_rest(error, found, store, how) from None
    if found.aim is not None:
        how = how._replace(selection=how.selection._replace(aim=found.aim.name))
    try:
        return narrowed(prepare(found, params, store, how, watched=watched)._replace(origins=origins))
    except NothingSelected as error:
        raise missed(found, error) from None


__all__ = [
    "Words",
    "aimed",
    "loaded",
    "params_argument",
    "pipeline_arguments",
    "planned",
    "selection",
    "selection_arguments",
    "set_argument",
    "settings",
    "stored",
    "words",
    "words_arguments",
]
