"""`stepwell report`: a run as one file that anybody can open."""

from __future__ import annotations

import os
import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

from stepwell.app.finding import one
from stepwell.app.report import BEGIN, Facts, gather, markdown, page
from stepwell.cli.looking import RUN_WORD, project_root, stored
from stepwell.cli.placed import Kind
from stepwell.cli.text import clean, print_json, size
from stepwell.errors import ReportUnwritable

EXAMPLES = """examples:
  stepwell report                    report-r12.html, of the last run
  stepwell report r3 -o r3.html --open
  stepwell report --markdown         in short, for a comment on a pull request
  stepwell report --markdown | gh pr comment --body-file -"""


REPORT = Kind("report", BEGIN, ReportUnwritable)


def arguments(parser: ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument("run", nargs="?", default="last", metavar="RUN", help=RUN_WORD)
    parser.add_argument(
        "-o", "--output", metavar="FILE", help="write it there, in a folder as report-RUN.html; - for stdout"
    )
    parser.add_argument("-f", "--overwrite", action="store_true", help="replace FILE whatever it is")
    parser.add_argument("--open", action="store_true", help="show it in a browser")
    parser.add_argument("--markdown", action="store_true", help="in short, as Markdown, on stdout")


def run(options: Namespace) -> int:
    """Gather, write, and say where."""
    root = project_root()
    with stored(root, looking=True, create=False) as store:
        facts = gather(store, root, one(store, options.run, "a report", "stepwell report"))
        folder = store.folder
    text = markdown(facts) if options.markdown else page(facts)
    if options.output == "-" or (options.markdown and options.output is None):
        return _printed(facts, text, as_document=options.json)
    target = REPORT.target(_target(options.output, facts.run.run), folder, overwrite=options.overwrite)
    REPORT.write(target, text.encode("utf-8"))
    if options.json:
        print_json(_document(facts, str(target), len(text.encode("utf-8"))))
    else:
        print(clean(f"{target}  {size(len(text.encode('utf-8')))}"))
        for line in facts.left[:10]:
            print(clean(f"left out: {line}"), file=sys.stderr)
    if options.open:
        _open(target)
    return 0


def _printed(facts: Facts, text: str, *, as_document: bool) -> int:
    """The report on stdout, or with `--json` in the document."""
    if as_document:
        print_json({**_document(facts, None, len(text.encode("utf-8"))), "text": text})
    else:
        sys.stdout.flush()
        sys.stdout.buffer.write(text.encode("utf-8"))
        sys.stdout.buffer.flush()
    return 0


def _document(facts: Facts, file: str | None, count: int) -> dict[str, object]:
    return {
        "run": facts.run.run,
        "pipeline": facts.run.pipeline,
        "status": facts.run.status,
        "compared_with": facts.since.run or None,
        "file": file,
        "size": count,
        "left_out": list(facts.left),
    }


def _target(word: str | None, run: str) -> Path:
    """The file that is meant: in a folder, one that is called after the run."""
    target = Path(word if word is not None else ".")
    return target / f"report-{run}.html" if target.is_dir() else target


def _open(target: Path) -> None:
    """Show a file in a browser, where there is a display for one; else say that there is none."""
    import webbrowser

    shown = sys.platform != "linux" or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    if not shown or not webbrowser.open(target.resolve().as_uri()):
        print("note: there is no browser here to show it in", file=sys.stderr)
