"""`stepwell plan`: the dry run, as a list, a table, a picture, or a document."""

from __future__ import annotations

import re
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from stepwell.app.checks import check_rows
from stepwell.app.documents import Document, Shown, TextOf
from stepwell.app.parameters import around
from stepwell.app.session import Work
from stepwell.author.project import Loaded
from stepwell.author.root import RUN_FILES
from stepwell.cli.dryrun import graph_text, plan_text, table_text
from stepwell.cli.options import Words, loaded, pipeline_arguments, planned, settings, stored, words
from stepwell.cli.sweep_words import add_points, plan_points, planned_sweep, refuse_beside, sweeps
from stepwell.cli.text import clean, print_json
from stepwell.cli.unchanged import keep_plan
from stepwell.errors import (
    BadReleaseName,
    NoChannels,
    NoSuchCommit,
    ReleaseNotFound,
    StepwellError,
    StoreReadOnly,
    UnknownChannel,
    UnknownRelease,
    UsageError,
)

if TYPE_CHECKING:
    from stepwell.dist.releases.opened import Opened

EXAMPLES = """examples:
  stepwell plan                   the only pipeline of pipeline.py
  stepwell plan depth=8           with a parameter
  stepwell plan etl.py:nightly    another file, another pipeline
  stepwell plan r12.yaml          what running that file again would do
  stepwell plan --dot | dot -Tsvg >plan.svg
  stepwell plan --exit-code       in CI: 0 nothing to do, 3 the plan cannot work, 8 work to do"""


def _dot(document: Document) -> str:
    from stepwell.app.pictures import dot

    return dot(document)


def _mermaid(document: Document) -> str:
    from stepwell.app.pictures import mermaid

    return mermaid(document)


SHAPES: dict[str, Callable[[Document], str]] = {
    "table": table_text,
    "graph": graph_text,
    "dot": _dot,
    "mermaid": _mermaid,
}
"""What the options of these names print, beside the list and `--json`."""

WORK_TO_DO = 8
INVALID = 3


def arguments(parser: ArgumentParser) -> None:
    """Add the verb's arguments."""
    pipeline_arguments(parser)
    parser.add_argument("--table", action="store_true", help="one row a step, none left out")
    parser.add_argument("--graph", action="store_true", help="as a graph in the terminal")
    parser.add_argument("--dot", action="store_true", help="as a graph for Graphviz")
    parser.add_argument("--mermaid", action="store_true", help="as a graph for Mermaid")
    parser.add_argument("--checks", action="store_true", help="which checks there are, and nothing else")
    parser.add_argument("--save", metavar="FILE", help="also write the plan to a file, for `run --plan FILE`")
    parser.add_argument(
        "--against",
        metavar="COMMIT|RUN|RELEASE",
        help="what would run if everything of that commit, run or release were up to date",
    )
    parser.add_argument("--junit", metavar="FILE", help="also write JUnit XML, one test case a step")
    parser.add_argument(
        "--exit-code", action="store_true", help="exit with 8 if there is work to do, 0 if there is none"
    )


def run(options: Namespace) -> int:
    """Plan and print, a pipeline or a run file."""
    shape = _shape(options)
    given = words(options.words)
    report = getattr(options, "junit", None)
    try:
        if any(word.endswith(RUN_FILES) for word in given.plain):
            shown, text = _of_file(options, given, shape)
        elif getattr(options, "checks", False):
            return _list_checks(loaded(given.plain, inside=True), options.json)
        else:
            shown, text = _of_pipeline(options, given, shape)
    except StepwellError as error:
        if report and error.exit_code == INVALID:
            from stepwell.app.pictures import junit_of_problems

            problems = [one.as_dict() for one in getattr(error, "problems", ()) or (error,)]
            _write(report, junit_of_problems(given.plain[0] if given.plain else "plan", problems))
        raise
    if report:
        from stepwell.app.pictures import junit

        _write(report, junit(shown.document()))
    if options.json:
        print_json(shown.document())
    else:
        print(SHAPES[shape](shown.document()) if shape else text)
        for line in plan_points(shown.whole) if not shape else ():
            print(line)
    counts = shown.whole["counts"]
    if counts.get("blocked"):
        return INVALID
    return WORK_TO_DO if getattr(options, "exit_code", False) and _has_work(counts) else 0


def _of_file(options: Namespace, given: Words, shape: str) -> tuple[Shown, str]:
    """What running a run file would do, and that as a list where no other shape is asked for. Raises as `rerun.opened`."""
    from stepwell.cli.rerun import opened  # few plans are of a file

    with opened(options, given, verb="plan", looking=True) as (_, _, work):
        shown = _shown(options, work, work.text_of)
        return shown, "" if options.json or shape else plan_text(shown)


def _of_pipeline(options: Namespace, given: Words, shape: str) -> tuple[Shown, str]:
    """The plan of a pipeline or of its sweep, and the same as a list where no other shape is asked for; both may be kept."""
    found = loaded(given.plain, inside=True)
    with stored(found.target.root, looking=True) as store:
        swept = None
        if sweeps(options):
            refuse_beside(options, "save", "against")
            swept = planned_sweep(options, found, given.settings, store, settings(options))
        work = (
            planned(
                found,
                given.settings,
                store,
                settings(options),
                files=options.params,
                sets=options.set,
                watched=options.asked is not None,
            )
            if swept is None
            else swept.work
        )
        text_of: TextOf = work.text_of
        against = getattr(options, "against", None)
        if getattr(options, "save", None):
            _save(options, work, [*given.settings, *(f"--set={text}" for text in options.set)])
        if against is not None:
            work, text_of = _against(work, against, given.settings, options.params, text_of)
        shown = _shown(options, work, text_of)
        if against is not None:
            shown.whole["against"] = against
        if swept is not None:
            add_points(shown.whole, swept)
        text = "" if options.json or shape else plan_text(shown)
        keep_plan(options.asked, work, settings(options), text)
        return shown, text


def _shown(options: Namespace, work: Work, text_of: TextOf) -> Shown:
    """A plan as it is shown, with the notes of its checks."""
    shown = Shown(
        work.plan,
        jobs=options.jobs,
        text_of=text_of,
        failures=work.last_failures(),
        learnt=work.learnt(),
        origins=work.origins,
    )
    shown.whole["notes"].extend(work.notes)
    return shown


def _save(options: Namespace, work: Work, given: Sequence[str]) -> None:
    from stepwell.app.saved import save  # other plans do without

    if options.against is not None:
        raise UsageError(
            "`--save` and `--against` exclude each other",
            why="what is saved is what a run would do here",
            fixes=["leave one of them out"],
        )
    save(Path(options.save), work, given, settings(options), options.params)


def _against(
    work: Work, other: str, given: Sequence[str], files: Sequence[str], text_of: TextOf
) -> tuple[Work, TextOf]:
    """The plan of now with another commit, run or release as its past; the texts of definitions of both."""
    from stepwell.app.against import (
        against_commit,
        against_run,
        side_of,
        side_of_release,
    )  # others do without
    from stepwell.app.saved import word_of

    if re.fullmatch(r"r\d+|last", other):
        return work._replace(plan=against_run(work.plan, work.store, other)), text_of
    around_it = around(work.loaded, files)._replace(others={})
    release = _release(other, work)
    if release is None:
        side = side_of(other, work.root, word_of(work), given, work.plan, around_it)
    else:
        side = side_of_release(release, work.root, word_of(work), given, work.plan, around_it)
    texts = {digest: one.source for digest, one in side.sources.items()}
    return work._replace(
        plan=against_commit(work.plan, side)
    ), lambda digest: text_of(digest) or texts.get(digest)


def _release(word: str, work: Work) -> Opened | None:
    """The release that a word means; None where it is a commit, or nothing that is known. Raises what `found` raises."""
    from stepwell.app.against import is_commit
    from stepwell.dist.releases.found import found

    file = work.loaded.target.file
    if word.endswith(".whl") or "==" in word:
        return found(word, work.root, file)
    if is_commit(word, work.root):
        return None
    try:
        return found(word, work.root, file)
    except (NoChannels, ReleaseNotFound, BadReleaseName, UnknownChannel, UnknownRelease) as error:
        raise NoSuchCommit(
            f"`{word}` is no release, no commit and no run that is known here",
            why=error.what,
            fixes=["git log --oneline", "stepwell channels", "stepwell runs", "give the path of a wheel"],
        ) from None


def _list_checks(found: Loaded, json: bool) -> int:
    """Print the checks that a plan of this pipeline must pass."""
    rows = check_rows(found)
    if json:
        print_json({"checks": rows})
    else:
        width = max(len(row["name"]) for row in rows)
        for row in rows:
            print(clean(f"{row['name']:{width}}  {row['depth']:5}  {row['about']}".rstrip()))
    return 0


def _shape(options: Namespace) -> str:
    """The shape that was asked for, "" for the list. Raises `UsageError` where two were."""
    asked = [name for name in SHAPES if getattr(options, name, False)]
    named = [f"--{name}" for name in asked] + (["--json"] if options.json else [])
    if len(named) > 1:
        raise UsageError(
            f"a plan is printed in one shape, and {' and '.join(named)} are asked for",
            fixes=[f"stepwell plan {name}" for name in named],
        )
    return asked[0] if asked else ""


def _has_work(counts: Mapping[str, int]) -> bool:
    return any(count and verb not in ("cached", "skip") for verb, count in counts.items())


def _write(file: str, text: str) -> None:
    try:
        Path(file).write_text(text, "utf-8")
    except OSError as error:
        raise StoreReadOnly(
            clean(f"cannot write `{file}`: {error.strerror or error}"), fixes=["another place after --junit"]
        ) from None
