"""`stepwell adopt`: a `pipeline.py` from `dvc.yaml` or a Makefile, with what was made already."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

from stepwell.app.adopt.adopting import Adopted, adopt
from stepwell.cli.text import clean, print_json
from stepwell.errors import counted

EXAMPLES = """examples:
  stepwell adopt                 dvc.yaml, else the Makefile
  stepwell adopt --dry-run       print the pipeline only
  stepwell adopt Makefile -o made.py --trust-times"""


_LEFT = {
    True: "nothing was taken over; the pipeline is written",
    False: "the pipeline is written, but cannot be planned as it is: mend it, or report this with what was adopted",
}


def arguments(parser: ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument(
        "file", nargs="?", default="", metavar="FILE", help="what to read (dvc.yaml, else the Makefile)"
    )
    parser.add_argument(
        "-o", "--output", default="pipeline.py", metavar="FILE", help="what to write (pipeline.py)"
    )
    parser.add_argument("-n", "--dry-run", action="store_true", help="print the pipeline; write nothing")
    parser.add_argument(
        "--trust-times",
        action="store_true",
        help="take over what is newer than what it is made of: a Makefile knows no hashes",
    )


def run(options: Namespace) -> int:
    """Adopt, and say what became of it."""
    done = adopt(
        Path.cwd(), options.file, options.output, trust_times=options.trust_times, write=not options.dry_run
    )
    if options.json:
        print_json(done.document())
    elif done.file is None:
        print(done.text.text, end="")
    else:
        for line in _told(done):
            print(clean(line))
    if done.problem is not None and not options.json:
        print(clean(str(done.problem)), file=sys.stderr)
        print(f"note: {_LEFT[done.loads]}", file=sys.stderr)
    return 0 if done.problem is None or done.loads else done.problem.exit_code


def _told(done: Adopted) -> list[str]:
    """What a person is told."""
    assert done.file is not None
    name, stages = done.file.name, done.found.stages
    word = "" if name == "pipeline.py" else f" {name}"
    lines = [f"wrote {name}: {counted(len(stages), 'step')} from {done.found.origin}"]
    if done.taken.stages:
        lines.append(
            f"taken over without running: {', '.join(done.taken.stages)}  ({done.taken.run}: stepwell show)"
        )
    lines += [f"  {stage}: runs, {why}" for stage, why in done.taken.left.items()]
    lines += [f"note: {one}" for one in done.told]
    if done.found.notes or any(stage.notes for stage in stages):
        lines.append("what could not be carried over is said in comments")
    if done.loads:
        lines.append(f"now: stepwell plan{word}")
    return lines
