"""The tree of errors: each has a code, what happened, why, what to type next, and a page.

    StepwellError                      base of everything that Stepwell raises on purpose
    ├── UsageError          E1xx  exit 2   a name or a value was typed wrong
    ├── AuthoringError      E2xx  exit 3   the pipeline file cannot work as written
    ├── PlanError           E3xx  exit 3   the plan cannot work: inputs, parameters, types
    ├── StepError           E4xx  exit 1   a step ran and failed
    ├── StoreError          E5xx  exit 6   the store cannot be used or trusted
    ├── CodecError          E6xx  exit 3   a value has no way to bytes, or bytes no way back
    └── ReleaseError        E7xx  exit 3   a lock, release or channel does not hold, or may not be made so;
                            E8xx           what was made cannot be made again

One class per code. Raise one with what is special about the case; the class says the rest:

    raise NoPipelineFile("there is no `pipeline.py` in `demo`", fixes=["stepwell new"])

Nothing here prints: the command, the page and JSON all render the same fields. The class
docstrings are the reference page (`docs/reference/errors.md`), so they speak to users.
"""

from __future__ import annotations

TYPE_CHECKING = False  # as type checkers know it: this module imports nothing
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

DOCS = "docs/reference/errors.md"

_PACKAGE = __file__.removesuffix("errors.py")


class StepwellError(Exception):
    """Base of every error that Stepwell raises on purpose.

    Attributes: `code` (str, "E301"), `what` and `why` (one line each), `fixes` (commands or
    edits, most likely first), `where` ("file:line" of the user's code, or ""), `docs` (page).
    """

    code = "E000"
    exit_code = 1
    reason = ""
    """Why this kind of error happens, where the raiser has nothing more exact to say."""

    def __init__(self, what: str, *, why: str = "", fixes: Iterable[str] = (), where: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.why: str = why or self.reason
        self.fixes: tuple[str, ...] = tuple(fixes)
        self.where = where

    @property
    def docs(self) -> str:
        """The page that explains this code."""
        return f"{DOCS}#{self.code.lower()}"

    def as_dict(self) -> dict[str, object]:
        """The fields as plain data, as `--json` prints them."""
        out: dict[str, object] = {
            "code": self.code,
            "what": self.what,
            "why": self.why,
            "fixes": list(self.fixes),
            "docs": self.docs,
        }
        if self.where:
            out["where"] = self.where
        return out

    def __str__(self) -> str:
        lines = [f"error[{self.code}] {self.what}"]
        if self.where:
            lines.append(f"  at    {self.where}")
        if self.why:
            lines.append(f"  why   {self.why}")
        lines.extend(f"  {'fix ' if i == 0 else '    '}  {fix}" for i, fix in enumerate(self.fixes))
        lines.append(f"  docs  stepwell explain {self.code}")
        return "\n".join(lines)

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (type(self), self.what, self.why, self.fixes, self.where))

    def _render_traceback_(self) -> list[str]:
        """What IPython shows in place of a traceback: the lines of the program's own that led here, then the error."""
        from itertools import takewhile  # only notebooks ask
        from traceback import extract_tb, format_list

        led = takewhile(lambda frame: not frame.filename.startswith(_PACKAGE), extract_tb(self.__traceback__))
        own = [frame for frame in led if "/IPython/" not in frame.filename]
        lines = "".join(format_list(own)).splitlines()
        notes = "\n".join(getattr(self, "__notes__", ())).splitlines()
        return [*lines, *notes, *str(self).splitlines()]


def _rebuild(
    kind: type[StepwellError], what: str, why: str, fixes: tuple[str, ...], where: str
) -> StepwellError:
    return kind(what, why=why, fixes=fixes, where=where)


# --------------------------------------------------------------------------- E1xx: typed wrong


class UsageError(StepwellError):
    """The command line is off: an unknown option, or a missing word."""

    code = "E100"
    exit_code = 2


class NoPipelineFile(UsageError):
    """No pipeline file was found where the command looked for one."""

    code = "E101"


class SeveralPipelines(UsageError):
    """The file has several pipelines that no other calls, and none was named."""

    code = "E102"


class UnknownPipeline(UsageError):
    """No pipeline of that name is in the file."""

    code = "E103"


class UnknownParameter(UsageError):
    """The pipeline has no parameter of that name."""

    code = "E104"


class BadParameter(UsageError):
    """A parameter's value does not fit its type."""

    code = "E105"


class MissingParameter(UsageError):
    """A parameter without a default was given no value."""

    code = "E106"


class UnknownStep(UsageError):
    """No step of that name is in the pipeline or the run."""

    code = "E107"


class UnknownRun(UsageError):
    """The store has no run of that name."""

    code = "E108"


class UnknownOutput(UsageError):
    """The step has no output of that name."""

    code = "E109"


class FileInTheWay(UsageError):
    """A file that would be written is already there."""

    code = "E110"


class NothingToAccept(UsageError):
    """There is no edit of that step that could be accepted, or none that was."""

    code = "E111"


class SecretInTheOpen(UsageError):
    """A secret itself was given where only the place that holds it may stand: `token=env:API_TOKEN`, `token=file:PATH`."""

    code = "E112"


class BadParameterFile(UsageError):
    """A file of parameters (`--params`) cannot be read, or is not a table of names and values."""

    code = "E113"


class BadSweep(UsageError):
    """An axis of a sweep cannot be read, or it names a parameter that has a value already."""

    code = "E116"


class TooManyPoints(UsageError):
    """A sweep has more points than one command runs. `--sample N` takes some of them, `--where` leaves some out."""

    code = "E117"


class BadCondition(UsageError):
    """The condition of a sweep (`--where`) cannot be read, or cannot be asked of a point."""

    code = "E118"


class UnknownTarget(UsageError):
    """`--set` or `--sweep` names a step, a section or an argument that the pipeline does not call."""

    code = "E119"


class NothingSelected(UsageError):
    """A name, tag or pattern of steps that was typed means nothing in this pipeline."""

    code = "E120"
    name = ""
    """What was typed."""


class AmbiguousName(UsageError):
    """A name that was typed means both a check and a step."""

    code = "E121"


class NothingKept(UsageError):
    """A step is to run with the newest results of others, which are not to run, and one of these has none."""

    code = "E122"


class BadHook(UsageError):
    """What is to be told of a run's end cannot be: no command, no program, no https address, or not a public one."""

    code = "E126"


class NothingToAdopt(UsageError):
    """There is no `dvc.yaml` and no Makefile to read a pipeline from, or nothing in it that could be a step."""

    code = "E127"


# --------------------------------------------------------------------------- E2xx: the file as written


class AuthoringError(StepwellError):
    """The pipeline file cannot work as written; the error names the line."""

    code = "E200"
    exit_code = 3


class CannotImport(AuthoringError):
    """The pipeline file raised an error when it was imported, or is not valid Python."""

    code = "E201"


class BadStep(AuthoringError):
    """`@step` stands on something that cannot be a step (a method, a class, a generator)."""

    code = "E202"


class BadPipeline(AuthoringError):
    """The body of a pipeline failed while it was traced."""

    code = "E203"


class BadArguments(AuthoringError):
    """A step is called with arguments that its signature does not take."""

    code = "E204"


class EdgeType(AuthoringError):
    """A step's output has a type that the next step's input does not accept."""

    code = "E205"


class BadReference(AuthoringError):
    """A reference was used as if it already were the value it stands for."""

    code = "E206"
    reason = "the body of a pipeline says which step gets what; no step has run yet, so there are no results"


class NotTaken(AuthoringError):
    """The result of a step in a branch of `when(...)` is used outside of that branch, which may not be taken."""

    code = "E260"


class EndlessPipeline(AuthoringError):
    """A dynamic pipeline calls itself again and again, or becomes more steps than can be meant."""

    code = "E261"


class BadMap(AuthoringError):
    """`.map`, `.product` or `when` was given something that it cannot work on."""

    code = "E262"


class SameOutputFile(AuthoringError):
    """Two steps claim one output file."""

    code = "E207"


class PipelineCycle(AuthoringError):
    """Steps or pipelines depend on each other in a circle."""

    code = "E208"


class SameName(AuthoringError):
    """Two things of one pipeline were given the same name."""

    code = "E209"


class BadOption(AuthoringError):
    """An option of a step or a pipeline is unknown or has a value that it cannot have."""

    code = "E210"


class BadSection(AuthoringError):
    """Something that is no pipeline, step or endpoint was joined with `|` or `>>`, or an endpoint names nothing."""

    code = "E250"


class NothingFits(AuthoringError):
    """A section needs something that no section before it gives, by name or by type."""

    code = "E251"


class SeveralFit(AuthoringError):
    """A section needs something that several outputs of the sections before it could be."""

    code = "E252"


class ParameterClash(AuthoringError):
    """Two sections share a parameter by its name, and annotate it in ways that exclude each other."""

    code = "E253"


class SameSection(AuthoringError):
    """Two sections of one pipeline have the same name."""

    code = "E254"


class EndpointTwice(AuthoringError):
    """Two endpoints of one pipeline have the same name."""

    code = "E255"


class NothingReplaced(AuthoringError):
    """A step or pipeline is to be replaced that the pipeline does not call."""

    code = "E256"


class BadReplacement(AuthoringError):
    """What stands in for a step or pipeline is none, or does not take what it is called with."""

    code = "E257"


class SameModule(AuthoringError):
    """Two projects of a workspace have a module of the same name, so that importing it would mean either."""

    code = "E258"


class BadCommand(AuthoringError):
    """A command line (`shell`, `script`, `service`) makes no sense: its braces, its quotes, a name that nothing gives."""

    code = "E220"


class BadCommandOutput(AuthoringError):
    """A command's declared output cannot be one: an absolute path, a path that leads out, a name that is there twice."""

    code = "E221"


class BadService(AuthoringError):
    """A service makes no sense: its command, how it is known to be ready, or what it needs."""

    code = "E222"


class RunInsideRun(AuthoringError):
    """A pipeline file starts a run while it is being imported by a run."""

    code = "E211"


class NotInAFile(AuthoringError):
    """A step's code is neither in a file nor in a notebook's cell, so that no worker can load it."""

    code = "E212"


class NotInACell(AuthoringError):
    """A pipeline in a notebook uses a name that no executed cell defines, or one that comes from a run."""

    code = "E213"


class SecretRevealed(AuthoringError):
    """The value of a secret is asked for outside of a running step: it would become a part of the plan."""

    code = "E245"


class BadSecret(AuthoringError):
    """A `Secret` does not say where its value is: no name of an environment variable, no path, no service and user."""

    code = "E246"


class BadPlace(AuthoringError):
    """What a step says about where it is run (`packages=`, `requirements=`, `group=`, `python=`) makes no sense."""

    code = "E235"


class BadContainer(AuthoringError):
    """What a step says about its container (`image=`, `network=`) makes no sense, or cannot be had together."""

    code = "E240"


class BadUse(AuthoringError):
    """What `use(...)` was given names no project, or no step in it."""

    code = "E236"


class CannotCarry(AuthoringError):
    """A pipeline of a release cannot be called here: it does something that only its own project can, or there is none of that name."""

    code = "E766"


class BadQuery(AuthoringError):
    """`sql(...)` is given a text, a type or an option that cannot work."""

    code = "E230"


class BadDatabase(AuthoringError):
    """The address of a database (`sql(..., database=...)`) makes no sense, or has a password in it."""

    code = "E231"


class BadNotebook(AuthoringError):
    """`notebook(...)` is given a file, a parameter or an output that cannot work."""

    code = "E232"


# --------------------------------------------------------------------------- E3xx: the plan cannot work


class PlanError(StepwellError):
    """The plan cannot work; nothing was run."""

    code = "E300"
    exit_code = 3


class MissingSource(PlanError):
    """A source's file, folder, package or address is not there."""

    code = "E301"


class UnreadableSource(PlanError):
    """A source is there but cannot be read."""

    code = "E302"


class EmptySource(PlanError):
    """A source is there but holds nothing."""

    code = "E303"


class BadSource(PlanError):
    """A source's address, type or reader options make no sense together."""

    code = "E304"


class TooFewResources(PlanError):
    """A step asks for more processors or memory than this machine has."""

    code = "E305"


class SourceRefused(PlanError):
    """An address answered, but not with the data."""

    code = "E306"


class Offline(PlanError):
    """An address could not be reached, and no copy of it is in the store."""

    code = "E307"
    exit_code = 7


class StrictUnavailable(PlanError):
    """Strict mode was asked for on a machine that does not let steps have namespaces of their own."""

    code = "E311"


class SeveralProblems(PlanError):
    """Checking the plan found several problems; each is listed with its own code, and nothing was run."""

    code = "E312"

    def __init__(
        self,
        what: str,
        *,
        why: str = "",
        fixes: Iterable[str] = (),
        where: str = "",
        problems: Iterable[StepwellError] = (),
    ) -> None:
        super().__init__(what, why=why, fixes=fixes, where=where)
        self.problems: tuple[StepwellError, ...] = tuple(problems)
        codes = {problem.exit_code for problem in self.problems}
        if len(codes) == 1:  # 2: all of them were typed wrong
            self.exit_code = codes.pop()

    def as_dict(self) -> dict[str, object]:
        """The fields as plain data, the problems among them."""
        return {**super().as_dict(), "problems": [problem.as_dict() for problem in self.problems]}

    def __str__(self) -> str:
        return "\n\n".join([*map(str, self.problems), super().__str__()])

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild_several, (self.what, self.why, self.fixes, self.where, self.problems))


def _rebuild_several(
    what: str, why: str, fixes: tuple[str, ...], where: str, problems: tuple[StepwellError, ...]
) -> SeveralProblems:
    return SeveralProblems(what, why=why, fixes=fixes, where=where, problems=problems)


class CheckFailed(PlanError):
    """A check of your own (`@check`) refused the plan, or failed itself."""

    code = "E313"


class OutputOutside(PlanError):
    """A step's file would be written outside of the project, through a link."""

    code = "E314"
    reason = "what lies outside of the project is neither kept nor cleared with it"


class MissingColumn(PlanError):
    """A step declares a column (`Columns`) that the table it gets does not have."""

    code = "E315"


class WrongColumn(PlanError):
    """A column of a table holds something else than a step declares (`Columns(delay=float)`)."""

    code = "E316"


class BadCheck(PlanError):
    """A check cannot be used: it is not found, or takes other arguments than a check is given."""

    code = "E317"


class BadSettings(PlanError):
    """The `[tool.stepwell]` table of the project has a setting that makes no sense."""

    code = "E318"


class NotRecorded(PlanError):
    """The store has no record of the step's inputs: it never ran, or the run did not come to it."""

    code = "E320"


class MissingSecret(PlanError):
    """A secret that a step needs is not where it is said to be: a variable that is not set, a file that is not there."""

    code = "E363"


class SecretTooShort(PlanError):
    """A secret has fewer than four characters: what is that short is everywhere, and cannot be kept out of texts."""

    code = "E364"


class NoKeyring(PlanError):
    """A secret is in the keyring, and the package `keyring` is not installed or finds no keyring here."""

    code = "E365"


class SourceMoved(PlanError):
    """A source no longer holds what the run read, so the step cannot be given its inputs of then."""

    code = "E321"


class InputForgotten(PlanError):
    """An input of the run cannot be had again: only its digest was recorded, or what made it is gone."""

    code = "E322"


class CallGone(PlanError):
    """The pipeline no longer calls the step that a run had."""

    code = "E323"


class NoDebugger(PlanError):
    """The debugger that was asked for is not installed, or cannot be used here."""

    code = "E324"


class EmptySweep(PlanError):
    """A sweep has no point: an axis has no value, or `--where` leaves none."""

    code = "E367"


class PlanMoved(PlanError):
    """A saved plan (`run --plan`) is not what would be done now: something moved since."""

    code = "E330"


class BadSavedPlan(PlanError):
    """The file that `run --plan` was given is no plan that `plan --save` wrote."""

    code = "E331"


class NoSuchCommit(PlanError):
    """`plan --against` names a commit that is not here, or whose pipeline cannot be planned."""

    code = "E332"


class EnvironmentMoved(PlanError):
    """A distribution that a step uses was upgraded or removed while the run went on. What the step gave is not kept."""

    code = "E333"


class BadDvcFile(PlanError):
    """A `dvc.yaml`, `dvc.lock` or parameter file cannot be read as what it is said to be."""

    code = "E370"
    reason = "the file is read as DVC reads it, and DVC would not take it either"


class BadMakefile(PlanError):
    """A Makefile cannot be read as rules."""

    code = "E371"
    reason = "the file is read as make reads it, and make would not take it either"


class NoUv(PlanError):
    """A step asks for an environment of its own, and uv, which makes it, is not installed."""

    code = "E350"


class CannotResolve(PlanError):
    """No versions of the distributions that a step asks for (`packages=`) can be found, or none that fit together."""

    code = "E351"


class NoPython(PlanError):
    """The version of Python that a step asks for (`python=`) is not on this machine, or is too old for Stepwell."""

    code = "E352"


class NoRequirements(PlanError):
    """The file or the dependency group that lists what a step needs is not there, or makes no sense."""

    code = "E353"


class NoSuchProject(PlanError):
    """`use(...)` names a repository, a folder, a tag or a commit that is not there or cannot be reached."""

    code = "E354"


class NoSuchStep(PlanError):
    """`use(...)` names a module or a step that the project, at that commit, does not have."""

    code = "E355"


class NoContainerEngine(PlanError):
    """A step runs in an image, and neither podman nor docker is installed, or not the one that was chosen."""

    code = "E357"


class EngineUnusable(PlanError):
    """A step runs in an image, and the engines for containers that are installed do not work: what each answered is told."""

    code = "E358"


class ImageNotHere(PlanError):
    """The image that a step runs in is not on this machine. Stepwell fetches none by itself."""

    code = "E359"


class BadEngine(PlanError):
    """What chooses the engine for containers (`$STEPWELL_CONTAINERS`, or `containers` of `[tool.stepwell]`) names none."""

    code = "E360"


class PlaceRefused(PlanError):
    """A step cannot be executed where it says together with what was asked for (`--strict`, `stepwell debug`)."""

    code = "E356"


class MissingProgram(PlanError):
    """A command names a program that is not installed, or not on the path."""

    code = "E340"


class MissingScript(PlanError):
    """A script is not there, cannot be executed, or is not Python although it is named so."""

    code = "E341"


class WritesElsewhere(PlanError):
    """A command writes to a place outside of the folder that it runs in, where nobody would know of it."""

    code = "E342"


class QueryRefused(PlanError):
    """The database would not take a query: its syntax, or a column, table or function that there is not."""

    code = "E345"


class NoDatabase(PlanError):
    """A database is not there: its file, the variable that holds its address, or the server."""

    code = "E346"


class NotebookUnusable(PlanError):
    """A notebook cannot be a step: it is not there, is no notebook, is not in Python, or lacks what it is asked for."""

    code = "E347"


class MissingExtra(PlanError):
    """A kind of step needs a library that is not installed."""

    code = "E348"


# --------------------------------------------------------------------------- E4xx: a step failed


class StepError(StepwellError):
    """A step ran and failed; other steps are not affected."""

    code = "E400"


class StepRaised(StepError):
    """The step's code raised an exception."""

    code = "E401"


class StepExited(StepError):
    """The step ended its process (`sys.exit`, `os._exit`)."""

    code = "E402"


class StepKilled(StepError):
    """The step's process was killed or crashed."""

    code = "E403"


class StepOutOfMemory(StepError):
    """The step's process was killed because memory ran out."""

    code = "E404"


class WrongOutput(StepError):
    """The step returned something else than its annotation says."""

    code = "E405"


class ReferenceReturned(StepError):
    """The step returned a reference instead of a value."""

    code = "E406"


class InputChanged(StepError):
    """An input, or what a module reads when it is imported, changed since the run was planned or while the step ran."""

    code = "E407"


class StepNotLoaded(StepError):
    """A worker could not load the step's code."""

    code = "E408"


class InputUnreadable(StepError):
    """A step's input could not be read by the worker."""

    code = "E409"


class Interrupted(StepError):
    """The run was interrupted before the step ended."""

    code = "E410"
    exit_code = 130


class UndeclaredRead(StepError):
    """In strict mode, the step reached for a file, a folder or an address that it does not declare."""

    code = "E411"


class StepTimeout(StepError):
    """The step took longer than its `timeout=` and was stopped."""

    code = "E413"


class StepRefused(StepError):
    """One of the step's own judges (`validate=`) did not accept what it gave. That is kept for a look."""

    code = "E414"


class StepNotDone(StepError):
    """The step ended well, and its own test (`done=`) says that its work is not done."""

    code = "E415"


class SecretGone(StepError):
    """A secret was there when the run was planned, and is not where the step runs."""

    code = "E445"


class SecretReturned(StepError):
    """A step returned the value of a secret. Nothing of it was kept."""

    code = "E446"


class EnvironmentFailed(StepError):
    """The environment of a step (`packages=`) could not be made; steps of other environments are not affected."""

    code = "E430"


class PlaceDied(StepError):
    """The process that ran a step in an environment of its own did not start, or ended without saying what came of it."""

    code = "E431"


class ImageVanished(StepError):
    """The image that a step was planned to run in is no longer on this machine."""

    code = "E435"


class ContainerNotStarted(StepError):
    """The container of a step could not be started: the engine refused, or the image has no such program."""

    code = "E436"


class NoPythonInImage(StepError):
    """The image that a Python step runs in has no `python3`, or one that is older than 3.11."""

    code = "E437"


class NotByPickle(StepError):
    """A value of a library's class would go into or out of an environment of its own as a pickle."""

    code = "E432"
    reason = "a pickle holds the insides of a library's objects, which another version of it may read as something else"


class LibraryMissing(StepError):
    """The environment of a step lacks a library that one of its values, or the project's code, needs."""

    code = "E433"


class CommandFailed(StepError):
    """A command ended with an exit code that is not among those of success (`ok=`)."""

    code = "E420"


class CommandOutputMissing(StepError):
    """A command ended well and did not write an output that it declares."""

    code = "E421"


class NotOneWord(StepError):
    """A value cannot be put into a command line: it is a table, a dict, None, or has a NUL character in it."""

    code = "E422"


class WroteElsewhere(StepError):
    """A command wrote a file of the project that it does not declare."""

    code = "E423"


class ServiceFailed(StepError):
    """A service that a step needs ended, or was not ready in time."""

    code = "E424"


class QueryFailed(StepError):
    """The database began to execute a query, and it failed."""

    code = "E425"


class SqlInput(StepError):
    """An input of a query is neither a table that can be read nor a value that can be bound."""

    code = "E426"


class SqlResult(StepError):
    """What a query gave does not fit the type that its step declares."""

    code = "E427"


class UndeclaredTable(StepError):
    """A query reached for a file, an address or an extension that is no input of its step."""

    code = "E428"


class NotebookFailed(StepError):
    """A cell of a notebook raised an exception, or its kernel died."""

    code = "E429"


class BadRole(AuthoringError):
    """A role of `stepwell.ml` stands on a function that cannot play it, or its options contradict each other."""

    code = "E531"


class SplitBroken(StepError):
    """A splitter gave parts that share rows, keys or groups, an empty part, or no parts. That is kept for a look."""

    code = "E532"


class TokenizerBroken(StepError):
    """A tokenizer gave no vocabulary, or one that does not mean the same whenever it is used. That is kept for a look."""

    code = "E533"


class PreprocessorBroken(StepError):
    """A preprocessor gave no table, a table without rows, or a transformer that is not fitted. That is kept for a look."""

    code = "E534"


class TrainerBroken(StepError):
    """A trainer gave no model, or one that is not fitted. That is kept for a look."""

    code = "E535"


class EvaluatorBroken(StepError):
    """An evaluator gave something else than named, finite numbers. That is kept for a look."""

    code = "E536"


class PredictorBroken(StepError):
    """A predictor gave more or fewer rows than it was given, or gaps. That is kept for a look."""

    code = "E537"


# --------------------------------------------------------------------------- E5xx: the store


class StoreError(StepwellError):
    """The store cannot be used or trusted."""

    code = "E500"
    exit_code = 6


class StoreTooNew(StoreError):
    """The store was written by a newer Stepwell."""

    code = "E501"


class StoreDamaged(StoreError):
    """The store's database or a blob is damaged."""

    code = "E502"


class StoreReadOnly(StoreError):
    """The store's folder cannot be written."""

    code = "E503"
    exit_code = 3


class DiskFull(StoreError):
    """The disk is full (or a quota or file-size limit is reached)."""

    code = "E504"


class StoreBusy(StoreError):
    """Another process held the store for too long."""

    code = "E505"
    exit_code = 5


class ArtifactGone(StoreError):
    """A recorded artifact is no longer in the store, or is damaged."""

    code = "E506"
    exit_code = 4


class StoreOnNetwork(StoreError):
    """The store lies on a file system on which SQLite cannot work safely."""

    code = "E507"


class StoreRemoved(StoreError):
    """The store was removed, or moved away, while a run went on. What the run had computed is lost with it."""

    code = "E508"
    reason = "something deleted or moved its folder; results, and what steps still need, were in it"


class NotFromThePage(StoreError):
    """A request to the server of the page did not come from the page itself, or without the token that `stepwell ui` printed."""

    code = "E551"
    exit_code = 3


class BadQuestion(StoreError):
    """An address of the page was asked for something that it cannot answer."""

    code = "E552"
    exit_code = 2


class NothingThere(StoreError):
    """The page has no such address, or the store no longer has what it shows."""

    code = "E553"
    exit_code = 4


class CannotListen(StoreError):
    """The server of the page cannot listen at the host or port that was asked for."""

    code = "E554"
    exit_code = 3


class NotOneRun(UsageError):
    """A report is of one run, and a sweep or a range of runs was named."""

    code = "E561"


class ReportUnwritable(UsageError):
    """A report cannot be written to the place that was asked for."""

    code = "E562"


class BadRunFile(UsageError):
    """A run file cannot be read: it is not the strict part of YAML that Stepwell writes, or says something that no run file says."""

    code = "E571"


class RunCodeGone(UsageError):
    """The code of a run file is not to be had: its commit is not here, or what is here is something else."""

    code = "E572"
    exit_code = 4


class RunDataGone(UsageError):
    """Data of a run file is something else now, and nobody has kept what it was."""

    code = "E573"
    exit_code = 4


class RunDiffers(UsageError):
    """A run from a run file gave something else than the file says."""

    code = "E574"
    exit_code = 1


class NotExportable(UsageError):
    """A run cannot be written as a run file: it still runs, or nothing is known of how it is wired."""

    code = "E575"


class RunFileUnwritable(UsageError):
    """A run file cannot be written to the place that was asked for."""

    code = "E576"


class CannotRecord(StepError, TypeError):
    """`log` was given something that it cannot record: a name that is no text, or a value of another kind."""

    code = "E521"
    reason = "nothing was recorded; what a step records is numbers, pictures, tables, texts and cards, each under a name"


class RecordRefused(StepError):
    """Something that a step recorded was not kept, and the step went on: it is a note of the step."""

    code = "E522"


class BadFilter(UsageError):
    """A condition on runs (`--where`), or an order of them, cannot be read."""

    code = "E541"


class UnknownField(UsageError):
    """A condition on runs, an order or a column asks for a name that is no parameter or metric of any run."""

    code = "E542"


class NothingToCompare(UsageError):
    """There are no two runs to compare, or a name means no run."""

    code = "E543"


# --------------------------------------------------------------------------- E6xx: values and bytes


class CodecError(StepwellError):
    """A value has no way to bytes, or bytes no way back."""

    code = "E600"
    exit_code = 3


class NoCodec(CodecError):
    """No codec is known for a type."""

    code = "E601"


class MissingLibrary(CodecError):
    """A codec or reader needs a library that is not installed."""

    code = "E602"


class CannotEncode(CodecError):
    """A value does not fit the codec of its type."""

    code = "E603"
    exit_code = 1


class CannotDecode(CodecError):
    """The bytes of an artifact are not what its codec wrote."""

    code = "E604"
    exit_code = 6


class ReleaseError(StepwellError):
    """A lock, a release or a channel does not hold, or may not be made so."""

    code = "E700"
    exit_code = 3


class LockMissing(ReleaseError):
    """There is no lock where one is needed."""

    code = "E701"
    exit_code = 4


class BadLock(ReleaseError):
    """A lock is not what Stepwell writes: it was edited or merged by hand, or cannot be read or written."""

    code = "E702"
    exit_code = 6


class LockStale(ReleaseError):
    """The lock says something else than what is there now."""

    code = "E703"


class NotUpToDate(ReleaseError):
    """A lock was asked for, of steps that have not run with what is there now: it would say what nobody has seen."""

    code = "E704"


class DataNotAsSaid(ReleaseError):
    """The manifest says something of data or of an output that they are not: a column, a type, a place."""

    code = "E705"


class OutputNotMade(ReleaseError):
    """An output of the manifest that no step makes, or that could be one of several."""

    code = "E706"
    exit_code = 2


class PylockNotMade(ReleaseError):
    """The exact versions of an environment cannot be written down."""

    code = "E707"


# --------------------------------------------------------------------------- E71x: releases


class BadRelease(ReleaseError):
    """A release does not hold what it says: a file of it is missing, was changed, or is of a later format."""

    code = "E710"
    exit_code = 6


class NotARelease(ReleaseError):
    """A wheel or an installed package that Stepwell did not release."""

    code = "E711"


class ReleaseNotFound(ReleaseError):
    """There is no such release where releases are looked for."""

    code = "E712"
    exit_code = 4


# --------------------------------------------------------------------------- E73x: using a release


class BlobNotFetched(ReleaseError):
    """Bytes of a release, or of its data, are at none of the places where they may be fetched from."""

    code = "E730"
    exit_code = 4


class BlobDiffers(ReleaseError):
    """A place gave other bytes than were asked for by their digest. They were not used."""

    code = "E731"
    exit_code = 6


class BadDepot(ReleaseError):
    """A place for bytes by their digests is none, or nothing can be put there."""

    code = "E732"


class LibraryDiffers(ReleaseError):
    """An output of a release can only be read with a library that is not installed, or is there in another version."""

    code = "E733"


class NoSuchOutput(ReleaseError):
    """The release has no output, or no data, of that name."""

    code = "E734"
    exit_code = 2


class WrongColumns(ReleaseError):
    """A table that is to be predicted on has not the columns that the model was trained on."""

    code = "E735"


class WrongTypes(ReleaseError):
    """A column of a table that is to be predicted on holds something else than what the model was trained on."""

    code = "E736"


class WrongUnits(ReleaseError):
    """A column of a table that is to be predicted on is in another unit than what the model was trained on."""

    code = "E737"


class CannotPredict(ReleaseError):
    """An output of a release does not predict, or fails on a table that has what it was trained on."""

    code = "E738"


class BlobErased(ReleaseError):
    """Bytes were erased on purpose, and the place where they were says when and why."""

    code = "E739"
    exit_code = 4


class NothingToRelease(ReleaseError):
    """A release was asked for, and the manifest names nothing that leaves the project."""

    code = "E713"


class DirtyTree(ReleaseError):
    """A release was asked for, and files of the project differ from the commit that it would be of."""

    code = "E714"


class NotHigher(ReleaseError):
    """A version that is to be released is not higher than what was released, or is there with other bytes."""

    code = "E715"


class GatesFailed(ReleaseError):
    """A release was asked for, and its metrics do not satisfy the gates of the manifest."""

    code = "E716"


class BuildFailed(ReleaseError):
    """The project's own build backend made no wheel, or one that nothing can be added to."""

    code = "E718"


class GitFailed(ReleaseError):
    """Git could not say which commit a release is of, and what differs from it."""

    code = "E719"


class NoPackage(ReleaseError):
    """A wheel has no package, or several, so that nothing says where a release belongs in it."""

    code = "E722"


class NoReleaseStore(ReleaseError):
    """An artifact is too large for a wheel, and the manifest names no place for it that others can reach."""

    code = "E723"


class CannotRelease(ReleaseError):
    """A release could not be written: the folder, the disk, or what it is made of cannot be used."""

    code = "E724"


class GoldenFailed(ReleaseError):
    """The golden predictions of a release could not be made: there is no such table, or the model refuses it."""

    code = "E725"


# --------------------------------------------------------------------------- E74x: wheels and channels


class BadWheel(ReleaseError):
    """A file is not a wheel that can be released: not an archive, damaged, ambiguous, hostile, or named otherwise."""

    code = "E740"
    exit_code = 3


class BadReleaseName(ReleaseError):
    """A name of a project, a version or a channel cannot be one."""

    code = "E741"
    exit_code = 2


class NoChannels(ReleaseError):
    """There is no index of channels where one was looked for."""

    code = "E742"
    exit_code = 2


class UnknownChannel(ReleaseError):
    """The index has no channel of that name."""

    code = "E743"
    exit_code = 2


class UnknownRelease(ReleaseError):
    """The channel, or the index, has no such project or version."""

    code = "E744"
    exit_code = 2


class ReleaseChanged(ReleaseError):
    """The version is there already with other bytes. What was released once never changes."""

    code = "E745"
    exit_code = 3


class VersionNotUp(ReleaseError):
    """A version that is promoted is not higher than the one that the channel has."""

    code = "E746"
    exit_code = 3


class ReleaseYanked(ReleaseError):
    """The version was withdrawn, so it is not what a channel may be moved to."""

    code = "E747"
    exit_code = 3


class AlreadyThere(ReleaseError):
    """The channel is as it was asked to be already: there is nothing to do."""

    code = "E748"
    exit_code = 3


class NothingBefore(ReleaseError):
    """There is no version that a channel could be rolled back to."""

    code = "E749"
    exit_code = 3


class ChannelMoved(ReleaseError):
    """Somebody else changed the channel first, so that what was decided here rests on what is no longer so."""

    code = "E750"
    exit_code = 5


class ChannelsBusy(ReleaseError):
    """Another process held the index of channels for too long."""

    code = "E751"
    exit_code = 5


class ChannelsUnusable(ReleaseError):
    """The folder of an index of channels cannot be read or written."""

    code = "E752"
    exit_code = 3


class LogDamaged(ReleaseError):
    """The log of a channel is not what was written: edited, cut short, put in another order, or with foreign entries."""

    code = "E753"
    exit_code = 6


class PoolDamaged(ReleaseError):
    """A wheel of the pool is gone, or is not what the log of a channel says."""

    code = "E754"
    exit_code = 6


class IndexDiffers(ReleaseError):
    """A page that pip and uv read is not what the log of its channel gives."""

    code = "E755"
    exit_code = 6


class ChannelsTooNew(ReleaseError):
    """The index of channels was written by a newer Stepwell."""

    code = "E756"
    exit_code = 6


class BadReason(ReleaseError):
    """What is said in a log cannot stand there: a reason, a person or evidence."""

    code = "E757"
    exit_code = 2


# --------------------------------------------------------------------------- E76x: gates, and edits of the manifest


class BadGate(ReleaseError):
    """A gate is no comparison of metrics, numbers and metrics of what is in a channel."""

    code = "E760"


class CannotEdit(ReleaseError):
    """A manifest cannot be changed without the risk of changing what is not meant, so it was left as it is."""

    code = "E761"


# --------------------------------------------------------------------------- E76x: promotion and recall


class BadNeed(ReleaseError):
    """What a channel asks for in the manifest is nothing that a release can have."""

    code = "E762"


class NotPromoted(ReleaseError):
    """A release does not have what its gates, or the channel, ask for. Nothing was changed."""

    code = "E763"


class UnknownDigest(ReleaseError):
    """No release names a digest that begins so."""

    code = "E764"
    exit_code = 4


class SeveralDigests(ReleaseError):
    """The beginning of a digest is that of several."""

    code = "E765"
    exit_code = 2


# --------------------------------------------------------------------------- E78x: frozen data


class NotFrozen(ReleaseError):
    """A source is a database or a bucket, which moves, or the manifest says which part of it to freeze, and nothing of it has been frozen yet."""

    code = "E780"


class NotLocked(ReleaseError):
    """`--frozen` takes data from the lock, and the lock does not have it, or has it from another place."""

    code = "E781"


class FrozenGone(ReleaseError):
    """What the lock says of data is no longer in place, and no place that keeps content by digest has it."""

    code = "E782"
    exit_code = 4


class CannotFreeze(ReleaseError):
    """This data cannot be frozen as it is described: what it is, or which part of it is meant, does not fit."""

    code = "E783"


class UnknownData(ReleaseError):
    """The manifest, or the lock, names no such data."""

    code = "E784"
    exit_code = 2


class FrozenOtherwise(ReleaseError):
    """Data was frozen by another query or for another span than the manifest says now."""

    code = "E785"


class BucketRefused(ReleaseError):
    """A bucket cannot be reached, or refuses: wrong credentials, no such bucket, no such object."""

    code = "E786"


class ObjectChanged(ReleaseError):
    """Somebody else wrote an object of a bucket first."""

    code = "E787"
    exit_code = 5


class NotThere(ReleaseError):
    """A bucket has no such object."""

    code = "E788"
    exit_code = 4


# --------------------------------------------------------------------------- E79x: data by name


class DataNotLocked(ReleaseError):
    """Data is named in the manifest, and no lock says yet what it is."""

    code = "E790"


class NotInPipelines(ReleaseError):
    """The body of a pipeline, or a step, reads named data itself, which a pipeline passes to steps."""

    code = "E792"


class InterfaceTaken(ReleaseError):
    """The file that named data would be imported from is somebody's own, so it is not written over."""

    code = "E793"


class InterfaceUnwritable(ReleaseError):
    """The module from which named data is imported cannot be written."""

    code = "E794"


class DataExists(ReleaseError):
    """There is data of that name in the manifest already."""

    code = "E795"
    exit_code = 2


class NotAKey(ReleaseError):
    """Columns do not tell the rows of a table from one another, so they are no key of it."""

    code = "E796"


class UnknownColumn(ReleaseError):
    """A table has no column of that name."""

    code = "E797"


class NotATable(ReleaseError):
    """Data is no table, or not one file, and was asked for as if it were."""

    code = "E798"


class DataNotNamed(ReleaseError):
    """A module of named data has a name that the manifest does not have any more."""

    code = "E799"


# --------------------------------------------------------------------------- E80x: making again


class CannotReproduce(ReleaseError):
    """Something cannot be made again: what it was made of, or what came out of it, is not recorded."""

    code = "E800"
    exit_code = 4


class InputGone(ReleaseError):
    """An input of what is to be made again is nowhere any more with the bytes that it had."""

    code = "E801"
    exit_code = 4


class InputErased(ReleaseError):
    """An input of what is to be made again was erased on purpose, and it is recorded why."""

    code = "E802"
    exit_code = 4


class NotInstallable(ReleaseError):
    """The environment that a lock names cannot be made on this machine."""

    code = "E803"
    exit_code = 4


class PythonMissing(ReleaseError):
    """There is no interpreter of the version that a lock names."""

    code = "E804"
    exit_code = 4


class CodeGone(ReleaseError):
    """The code that a run was made with is not to be had any more: it was never committed, or its commit is gone."""

    code = "E805"
    exit_code = 4


class RebuildDied(ReleaseError):
    """The process that makes something again ended before it could say what came of it."""

    code = "E806"
    exit_code = 1


class BadEvidence(ReleaseError):
    """A file of evidence is none, or cannot be written."""

    code = "E807"
    exit_code = 6


class NotVaried(ReleaseError):
    """A step cannot be called under other circumstances from this process, or the project's code changed while it was."""

    code = "E808"
    exit_code = 2


# --------------------------------------------------------------------------- E58x: notebooks


class NothingToConvert(AuthoringError):
    """A notebook has neither pipelines nor calls of functions of its own, so that no pipeline file can be made of it."""

    code = "E581"


# --------------------------------------------------------------------------- E77x: compatibility and contracts


class UnknownRule(ReleaseError):
    """A rule of compatibility is to be silenced that there is not, that cannot be, or without a reason."""

    code = "E770"
    exit_code = 2


class VersionTooSmall(ReleaseError):
    """What changed since the last release asks for a larger step of the version."""

    code = "E771"
    exit_code = 1


class NotCompatible(ReleaseError):
    """Something changed that no version makes right: a reference that is broken, or a gate that is not satisfied."""

    code = "E772"
    exit_code = 1


class ContractBroken(StepError):
    """Data does not keep the contract that was declared for it: a column, a type or a value is not as promised."""

    code = "E773"


class BadContract(PlanError):
    """A contract cannot be found, or is none that Stepwell knows: a pandera schema, a pydantic model, a dataclass, columns by name."""

    code = "E774"


def catalogue() -> Iterator[type[StepwellError]]:
    """Every class of the tree, by code: what the reference page and the tests walk through."""
    seen: dict[str, type[StepwellError]] = {}
    todo: list[type[StepwellError]] = [StepwellError]
    while todo:
        kind = todo.pop()
        seen[kind.code] = kind
        todo.extend(kind.__subclasses__())
    yield from (seen[code] for code in sorted(seen))


def nearest(word: str, names: Iterable[str]) -> str | None:
    """The name that `word` was most likely meant to be, or None.

    Ratio of `difflib` (Ratcliff and Obershelp), at least 0.6, case ignored.
    """
    from difflib import get_close_matches  # 5 ms, needed only when something is already wrong

    by_lower: Mapping[str, str] = {name.lower(): name for name in names}
    found = get_close_matches(word.lower(), by_lower, n=1, cutoff=0.6)
    return by_lower[found[0]] if found else None
