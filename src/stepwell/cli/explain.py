"""`stepwell explain`: what an error's code means."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from inspect import cleandoc

from stepwell.cli.text import paint, print_json
from stepwell.errors import StepwellError, UsageError, catalogue, nearest

EXAMPLES = """examples:
  stepwell explain E301           what that code means
  stepwell explain                all of them, a line each"""


def arguments(parser: ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument("code", nargs="?", default="", metavar="CODE", help="an error's code, such as E301")


def run(options: Namespace) -> int:
    """Look up and print."""
    kinds = {kind.code: kind for kind in catalogue()}
    code = options.code.upper()
    if code and code not in kinds:
        hint = nearest(code, kinds)
        raise UsageError(
            f"there is no error `{options.code}`",
            fixes=[*([f"did you mean `{hint}`?"] if hint else []), "stepwell explain   lists them all"],
        )
    chosen = [kinds[code]] if code else [kind for kind in kinds.values() if kind is not StepwellError]
    if options.json:
        print_json({"errors": [_document(kind) for kind in chosen]})
    elif code:
        print(_whole(kinds[code]))
    else:
        for kind in chosen:
            print(f"{kind.code}  {_text(kind).splitlines()[0]}")
    return 0


def _document(kind: type[StepwellError]) -> dict[str, object]:
    return {
        "code": kind.code,
        "name": kind.__name__,
        "exit_code": kind.exit_code,
        "text": _text(kind),
        "why": kind.reason,
    }


def _whole(kind: type[StepwellError]) -> str:
    lines = [f"{paint(kind.code, 'bold')}  {kind.__name__}, exit code {kind.exit_code}", "", _text(kind)]
    return "\n".join([*lines, *([f"why   {kind.reason}"] if kind.reason else [])])


def _text(kind: type[StepwellError]) -> str:
    return cleandoc(kind.__doc__ or "")
