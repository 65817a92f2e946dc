"""Finding the verb, reading its options, and rendering what goes wrong."""

from __future__ import annotations

import atexit
import gc
import os
import sys

from stepwell.cli.verbs import SIGNED, VALUED, VERBS

TYPE_CHECKING = False  # as type checkers know it; importing `typing` would take as long as the help
if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Sequence
    from types import SimpleNamespace
    from typing import Any

    from stepwell.cli.plainly import Plainly
    from stepwell.errors import StepwellError, UsageError

USAGE = """\
usage: stepwell VERB [-C DIR] [--json] ...

{verbs}

  -C DIR    work in another folder
  --json    one JSON document on stdout, nothing else there
  -h        help; after a verb, help on the verb

Pipelines live in pipeline.py: `stepwell new` writes one."""

_WITH_PARAMETERS = ("plan", "run", "why")
"""Verbs that are given parameters of a pipeline, as name=value."""

_WIDTH = 80
"""Columns of a verb's help where no terminal says how many there are."""


_GATHER = (1_000_000, 30, 30)
"""When the garbage collector looks (`gc.set_threshold`): graphs and plans have no cycles, and it would walk them often."""


def command() -> int:
    """The program `stepwell`: `main` in a process of its own, which ends with it; gives the exit code."""
    gc.set_threshold(*_GATHER)
    atexit.register(_leave)  # the first that is registered is the last that is called
    return main()


def _leave() -> None:
    """Spare Python to look through all that is left, three times, before it lets go of it: half a second with pandas."""
    gc.freeze()
    # Some libraries then say on standard error that they leak, by which they would mean this.
    if "stepwell.author.project" in sys.modules:
        sys.stderr.flush()
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)


def main(argv: Sequence[str] | None = None) -> int:
    """Carry out a command line; gives the exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    json = "--json" in (words[: words.index("--")] if "--" in words else words)
    _open_streams()
    if not json:
        return _carry_out(words, json=False)
    from stepwell.cli.text import only_documents

    with only_documents():
        return _carry_out(words, json=True)


def _carry_out(words: list[str], *, json: bool) -> int:
    try:
        code = _dispatch(words)
        sys.stdout.flush()
        return code
    except BrokenPipeError:  # the reader of our output went away: not an error of ours
        _silence()
        return 0
    except KeyboardInterrupt:
        from stepwell.errors import Interrupted

        error = Interrupted("interrupted", why="Ctrl-C was pressed", fixes=["the same command again"])
        return _told(error, json)
    except Exception as error:  # the last line of defence: nobody is shown Python's own words
        from stepwell.errors import StepwellError

        if isinstance(error, StepwellError):
            return _told(error, json)
        if os.environ.get("STEPWELL_TRACEBACK"):
            raise
        return _told(_unforeseen(error), json)


def _open_streams() -> None:
    """Streams that bear any character, and that are there: else the next file would take a closed one's number."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        stream = getattr(sys, name)
        if stream is None:
            file = os.open(os.devnull, os.O_RDWR)
            if file != number:
                os.dup2(file, number)
                os.close(file)
            os.set_inheritable(number, True)
            setattr(sys, name, open(number, "r" if number == 0 else "w", encoding="utf-8", closefd=False))  # noqa: SIM115
        elif number and hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def _told(error: StepwellError, json: bool) -> int:
    """Render an error, also where even that cannot be written."""
    try:
        code = fail(error, json)
        sys.stdout.flush()
    except OSError:
        _silence()
        return error.exit_code
    return code


def _silence() -> None:
    from stepwell.cli.text import silence

    silence(sys.stdout)


def _unforeseen(error: Exception) -> StepwellError:
    """What a person is told of an exception that nothing expected."""
    from errno import EDQUOT, EMFILE, ENFILE, ENOSPC

    from stepwell.errors import DiskFull, StepwellError

    text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    if isinstance(error, OSError) and error.errno in (ENOSPC, EDQUOT):
        place = f" for `{error.filename}`" if error.filename else " for the output"
        return DiskFull(f"no space is left{place}", fixes=["make room, then the same command again"])
    if isinstance(error, ImportError) and os.strerror(EMFILE) in str(error):  # of a library in machine code
        error = OSError(EMFILE, os.strerror(EMFILE))
    if isinstance(error, OSError) and error.errno in (EMFILE, ENFILE):
        from stepwell.stores.filesystem import too_many_files

        return too_many_files(error)
    return StepwellError(
        f"something failed that should not: {text}",
        why="this is a mistake in Stepwell, not in your pipeline",
        fixes=["STEPWELL_TRACEBACK=1 before the command shows where; please report it with that"],
    )


def _dispatch(words: list[str]) -> int:
    place = _verb_at(words)
    if place is None:
        return _without_verb(words)
    verb = words.pop(place)
    if verb == "__complete":
        from stepwell.cli.completion import complete

        return complete(words)
    if verb not in VERBS:
        from stepwell.cli import elsewhere
        from stepwell.errors import UsageError, nearest

        hint, known = nearest(verb, VERBS), elsewhere.VERBS.get(verb)
        fixes = [f"stepwell {known}"] if known else [f"did you mean `stepwell {hint}`?"] if hint else []
        fixes += [f"verbs are: {', '.join(VERBS)}", "stepwell --help"]
        raise UsageError(f"there is no verb `{verb}`", fixes=fixes)
    if verb == "version" and not words:
        return _version(words)
    asking = None
    if verb in ("plan", "run"):
        asking, code = _recalled(verb, words)
        if code is not None:
            return code
    module = __import__(f"stepwell.cli.{_MODULES.get(verb, verb)}", fromlist=("run",))  # without `importlib`
    options = _parse(verb, module, words)
    _enter(options.folder)
    options.asked = asking
    done: int = module.run(options)
    return done


def _recalled(verb: str, words: list[str]) -> tuple[Any, int | None]:
    """The question that a command asks, and its exit code where the answer is known already (`cli.unchanged`)."""
    from stepwell.cli import unchanged

    rest, before = list(words), ""
    _enter(None)
    if len(rest) > 1 and rest[0] == "-C":
        before = os.getcwd()
        _enter(rest[1])
        del rest[:2]
    try:
        asking = unchanged.asked(verb, rest)
        return asking, None if asking is None else unchanged.answered(asking, rest)
    finally:
        if before:
            os.chdir(before)


_MODULES = {"run": "run_", "graph": "graph_", "new": "new_", "ui": "ui_"}


def _verb_at(words: list[str]) -> int | None:
    """Where the verb is: the first word that is no option and no option's value."""
    before = ""
    for i, word in enumerate(words):
        value = before in VALUED or (before == "-n" and word.isdigit())
        before = "" if value else word
        if not value and not word.startswith("-"):
            return i
    return None


def _without_verb(words: list[str]) -> int:
    if "--version" in words or "-V" in words:
        return _version(words)
    wrong = [word for word in words if word not in ("-h", "--help", "--json")]
    if wrong:
        from stepwell.errors import UsageError

        raise UsageError(f"there is no option `{wrong[0]}` without a verb", fixes=["stepwell --help"])
    width = max(map(len, VERBS))
    _show_help(
        USAGE.format(verbs="\n".join(f"  {verb:{width}}  {text}" for verb, text in VERBS.items())), words
    )
    return 0 if words else 2


def _show_help(text: str, words: Sequence[str]) -> None:
    """Print help; as a document where the words ask for one."""
    if "--json" not in words:
        print(text)
        return
    from stepwell.cli.text import print_json

    print_json({"help": text})


def _version(words: Sequence[str]) -> int:
    if "--json" in words:
        from argparse import Namespace

        from stepwell.cli import version

        return version.run(Namespace(json=True))
    from stepwell.version import VERSION

    print(VERSION)
    return 0


def _parse(verb: str, module: Any, words: list[str]) -> Namespace | SimpleNamespace:
    words = _joined(words)
    if "argparse" not in sys.modules:  # a verb that does without
        from stepwell.cli.plainly import Plainly

        plain = Plainly()
        _declare(plain, module)
        found = plain.read(words)
        if found is not None:
            return found
    from argparse import ArgumentParser

    class Parser(ArgumentParser):
        def error(self, message: str) -> Any:
            raise _usage(self, verb, message)

        def print_help(self, file: Any = None) -> None:
            _show_help(self.format_help().rstrip("\n"), words)

    parser = Parser(
        prog=f"stepwell {verb}",
        description=VERBS[verb],
        epilog=getattr(module, "EXAMPLES", None),
        formatter_class=_formatter,
        allow_abbrev=False,
    )
    _declare(parser, module)
    return parser.parse_intermixed_args(words)


def _declare(parser: ArgumentParser | Plainly, module: Any) -> None:
    """The arguments of every verb, and those of this one."""
    parser.add_argument("-C", "--directory", dest="folder", metavar="DIR", help="work in another folder")
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")
    module.arguments(parser)


def _joined(words: Sequence[str]) -> list[str]:
    """Words with `--sort -auc` as one, `--sort=-auc`: argparse would take the second for an option."""
    out: list[str] = []
    for word in words:
        if out and out[-1] in SIGNED and word.startswith("-") and not word.startswith("--"):
            out[-1] = f"{out[-1]}={word}"
        else:
            out.append(word)
    return out


def _formatter(prog: str) -> Any:
    """Help that keeps the line breaks of the examples, as wide as the terminal."""
    from argparse import RawDescriptionHelpFormatter

    from stepwell.cli.text import columns

    # with no width argparse looks for one itself, even to read the words, and imports much for it
    said = os.environ.get("COLUMNS", "")
    width = int(said) if said.isdecimal() and int(said) else columns() or _WIDTH
    return RawDescriptionHelpFormatter(prog, max_help_position=26, width=width - 2)


def _usage(parser: ArgumentParser, verb: str, message: str) -> UsageError:
    from stepwell.errors import UsageError

    fixes = [f"stepwell {verb} --help"]
    if message.startswith("unrecognized arguments: "):
        word = message.partition(": ")[2].split()[0]
        if word.startswith("-"):
            fixes = [*_instead(parser, verb, word.partition("=")[0]), *fixes]
        kind = "option" if word.startswith("-") else "word"
        message = f"`{verb}` does not take the {kind} `{word}`"
    return UsageError(message, fixes=fixes)


def _instead(parser: ArgumentParser, verb: str, option: str) -> list[str]:
    """What was likely meant by an option that a verb does not have."""
    from stepwell.cli import elsewhere
    from stepwell.errors import nearest

    own = [name for action in parser._actions for name in action.option_strings]
    words = [action.metavar or action.dest for action in parser._actions if not action.option_strings]
    if option in elsewhere.PIPELINE and any("pipeline" in str(word).lower() for word in words):
        return [f"stepwell {verb} PIPELINE   here the pipeline is a word by itself"]
    known = elsewhere.OPTIONS.get(option, "")
    if known and (known.partition(" ")[0] in own or (verb in _WITH_PARAMETERS and "=" in known)):
        return [f"stepwell {verb} {known}"]
    bare = {name.lstrip("-"): name for name in own}  # the dashes are alike in all of them
    hint = nearest(option.lstrip("-"), bare)
    fixes = [f"did you mean `{bare[hint]}`?"] if hint else []
    if verb in _WITH_PARAMETERS and option.startswith("--"):
        fixes.insert(0, f"parameters of a pipeline are written name=value: {option.lstrip('-')}=...")
    return fixes


def _enter(folder: str | None) -> None:
    try:
        os.chdir(folder) if folder else os.getcwd()
    except (OSError, ValueError) as error:
        from stepwell.errors import UsageError

        if not folder:
            raise UsageError(
                "the working folder is gone", fixes=["cd to a folder that is there, or -C DIR"]
            ) from None
        told = getattr(error, "strerror", None) or str(error)
        raise UsageError(f"cannot work in `{folder}`: {told}", fixes=["check the folder after -C"]) from None


def fail(error: StepwellError, json: bool) -> int:
    """Render an error, as JSON on stdout or as text on stderr; gives its exit code."""
    from stepwell.cli.text import clean, print_json

    if json:
        print_json({"error": error.as_dict()})
    else:
        print(clean(str(error)), file=sys.stderr)
    return error.exit_code


if __name__ == "__main__":
    sys.exit(command())
