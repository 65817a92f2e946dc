"""Finding the verb, reading its options, and rendering what goes wrong."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from stepwell.errors import StepwellError, UsageError, nearest

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

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

USAGE = """\
usage: stepwell VERB [-C DIR] [--json] ...

{verbs}

  -C DIR    work in another folder
  --json    one JSON document on stdout, nothing else there
  -h        help; after a verb, help on the verb

Pipelines live in pipeline.py: `stepwell new` writes one."""


def main(argv: Sequence[str] | None = None) -> int:
    """Carry out a command line; gives the exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    json = "--json" in words[: words.index("--")] if "--" in words else "--json" in words
    try:
        return _dispatch(words)
    except StepwellError as error:
        return fail(error, json)
    except BrokenPipeError:  # the reader of our output went away: not an error of ours
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130


def _dispatch(words: list[str]) -> int:
    place = _verb_at(words)
    if place is None:
        return _without_verb(words)
    verb = words.pop(place)
    if verb == "__complete":
        from stepwell.cli.completion import complete

        return complete(words)
    if verb not in VERBS:
        hint = nearest(verb, VERBS)
        fixes = [f"did you mean `stepwell {hint}`?"] if hint else []
        raise UsageError(f"there is no verb `{verb}`", fixes=[*fixes, f"verbs are: {', '.join(VERBS)}"])
    if verb == "version" and not words:
        return _version()
    from importlib import import_module

    module = import_module(f"stepwell.cli.{_MODULES.get(verb, verb)}")
    options = _parse(verb, module, words)
    if options.folder:
        _enter(options.folder)
    code: int = module.run(options)
    return code


_MODULES = {"run": "run_", "new": "new_"}


def _verb_at(words: list[str]) -> int | None:
    """Where the verb is: the first word that is no option and no option's value."""
    skip = False
    for i, word in enumerate(words):
        if skip:
            skip = False
        elif word in ("-C", "--directory"):
            skip = True
        elif not word.startswith("-"):
            return i
    return None


def _without_verb(words: list[str]) -> int:
    if "--version" in words or "-V" in words:
        return _version()
    wrong = [word for word in words if word not in ("-h", "--help", "--json")]
    if wrong:
        raise UsageError(f"there is no option `{wrong[0]}` without a verb", fixes=["stepwell --help"])
    width = max(map(len, VERBS))
    print(USAGE.format(verbs="\n".join(f"  {verb:{width}}  {text}" for verb, text in VERBS.items())))
    return 0 if words else 2


def _version() -> int:
    from stepwell.version import VERSION

    print(VERSION)
    return 0


def _parse(verb: str, module: Any, words: list[str]) -> Namespace:
    from argparse import ArgumentParser, HelpFormatter

    class Parser(ArgumentParser):
        def error(self, message: str) -> Any:
            raise _usage(self, verb, message)

    parser = Parser(
        prog=f"stepwell {verb}",
        description=VERBS[verb],
        epilog=getattr(module, "EXAMPLES", None),
        formatter_class=lambda prog: _formatter(HelpFormatter, prog),
        allow_abbrev=False,
    )
    parser.add_argument("-C", "--directory", dest="folder", metavar="DIR", help="work in another folder")
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")
    module.arguments(parser)
    return parser.parse_intermixed_args(words)


def _formatter(base: type, prog: str) -> Any:
    """Help that keeps the line breaks of the examples."""
    from argparse import RawDescriptionHelpFormatter

    return RawDescriptionHelpFormatter(prog, max_help_position=26)


def _usage(parser: ArgumentParser, verb: str, message: str) -> UsageError:
    known = [option for action in parser._actions for option in action.option_strings]
    fixes = [f"stepwell {verb} --help"]
    if message.startswith("unrecognized arguments: "):
        word = message.partition(": ")[2].split()[0]
        hint = nearest(word.partition("=")[0], known) if word.startswith("-") else None
        if hint:
            fixes.insert(0, f"did you mean `{hint}`?")
        kind = "option" if word.startswith("-") else "word"
        message = f"`{verb}` does not take the {kind} `{word}`"
    return UsageError(message, fixes=fixes)


def _enter(folder: str) -> None:
    try:
        os.chdir(folder)
    except OSError as error:
        raise UsageError(f"cannot work in `{folder}`: {error.strerror}", fixes=["check the folder after -C"]) from None


def fail(error: StepwellError, json: bool) -> int:
    """Render an error, as JSON on stdout or as text on stderr; gives its exit code."""
    if json:
        from json import dumps

        print(dumps({"error": error.as_dict()}, ensure_ascii=False))
    else:
        from stepwell.cli.text import clean

        print(clean(str(error)), file=sys.stderr)
    return error.exit_code


if __name__ == "__main__":
    sys.exit(main())
