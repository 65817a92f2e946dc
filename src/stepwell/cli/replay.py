"""`stepwell replay`: one step on the inputs of a past run, with the code as it is now; what comes out is compared."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from stepwell.app.again import Ready, Session, Wish, ready
from stepwell.app.differing import document, lines
from stepwell.app.documents import failure_document
from stepwell.app.replay import Output, Replayed, replayed
from stepwell.cli.looking import RUN_WORD, stored
from stepwell.cli.screen import failure_lines
from stepwell.cli.text import clean, number, paint, print_json, size
from stepwell.cli.words import like_a_worker, project_root_of, step_and_run
from stepwell.errors import StepwellError
from stepwell.kernel.ports import Failure
from stepwell.kernel.run import failure_of
from stepwell.stores.local import LocalStore

EXAMPLES = """examples:
  stepwell replay train              on the inputs of the newest run that has it
  stepwell replay train r3           ... of run r3
  stepwell replay train --set depth=8   with another argument
exit code: 0 what comes out is the same, 1 it differs or the step fails"""


def arguments(parser: ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument("words", nargs="+", metavar="STEP [RUN]", help=f"a step's id or name; {RUN_WORD}")
    parser.add_argument("-p", "--pipeline", default="", help="the pipeline, where it is not the default one")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="name=value",
        help="another value for an argument of the step",
    )
    parser.add_argument(
        "--current", action="store_true", help="take sources as they are now, where they changed since"
    )


def run(options: Namespace) -> int:
    """Call, compare and print."""
    like_a_worker(options.folder)
    given = step_and_run("replay", options.words)
    wish = Wish(
        given.step, given.run, options.pipeline, Path.cwd(), outputs=True, current=options.current,
        replaced=tuple(options.set),
    )  # fmt: skip
    with stored(project_root_of(options.pipeline), looking=True, create=False) as store:
        found = ready(store, wish)
        for note in found.notes:
            print(f"note: {clean(note)}", file=sys.stderr)
        outcome = _carried_out(found, store)
    if options.json:
        print_json(_document(found, outcome))
    else:
        print("\n".join(_lines(found, outcome)))
    return 0 if isinstance(outcome, Replayed) and outcome.same else 1


def _carried_out(found: Ready, store: LocalStore) -> Replayed | Failure:
    """What came of it; whatever the step's code raises is a failure."""
    with Session(found, store, _tell) as session:
        try:
            return replayed(session, store)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # whatever a step raises, `sys.exit` too  # noqa: BLE001
            if isinstance(error, StepwellError) and not _is_of_user(session, error):
                return failure_of(error)
            return session.failure(error)


def _is_of_user(session: Session, error: BaseException) -> bool:
    """Whether an error of ours came out of the step's own code."""
    own, place = session.found.loaded.importer.is_first_party, error.__traceback__
    while place is not None:
        if own(place.tb_frame.f_code.co_filename):
            return True
        place = place.tb_next
    return False


def _tell(name: str, value: float, step: int | None) -> None:
    place = "" if step is None else f" at {step}"
    print(clean(f"  {name} = {number(value)}{place}"), file=sys.stderr)


def _document(found: Ready, outcome: Replayed | Failure) -> dict[str, Any]:
    then = found.then
    out: dict[str, Any] = {"step": found.task.id, "run": then.run, "same": False, "outputs": []}
    if isinstance(outcome, Replayed):
        out["same"] = outcome.same
        out["outputs"] = [_output(one) for one in outcome.outputs]
    failure = outcome.refused if isinstance(outcome, Replayed) else outcome
    if failure is not None:
        out["error"] = failure_document(failure)
    if found.notes:
        out["notes"] = list(found.notes)
    return out


def _output(one: Output) -> dict[str, Any]:
    return {
        "name": one.name,
        "same": one.same,
        "then": None if one.then is None else one.then.digest,
        "now": None if one.now is None else one.now.digest,
        "differences": document(one.differences),
    }


def _lines(found: Ready, outcome: Replayed | Failure) -> Sequence[str]:
    head = f"{paint(clean(found.task.id), 'bold')}  with the inputs of {found.then.name}, and the code as it is now"
    if isinstance(outcome, Failure):
        return [head, *(f"  {line}" for line in failure_lines(outcome))]
    out = [head]
    for one in outcome.outputs:
        artifact = one.now or one.then
        told = clean((artifact.note or size(artifact.size)) if artifact is not None else "")
        if one.same:
            out.append(f"  {paint('=', 'green')} {clean(one.name)}  same  {told}".rstrip())
            continue
        out.append(f"  {paint('≠', 'red')} {clean(one.name)}  differs")
        out += [f"      {_painted(line)}" for line in lines(one.differences)]
    if outcome.refused is not None:
        out += [f"  {line}" for line in failure_lines(outcome.refused)]
    return out


def _painted(line: str) -> str:
    """A line of a difference; those of a text's diff in colours."""
    text = clean(line)
    colour = {"  +": "green", "  -": "red", "  @": "cyan"}.get(text[:3])
    return paint(text, colour) if colour else text
