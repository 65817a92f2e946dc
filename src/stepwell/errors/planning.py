"""E3xx: the plan cannot work: inputs, parameters, types."""

from __future__ import annotations

from stepwell.errors.base import PlanError, StepwellError

TYPE_CHECKING = False  # as type checkers know it
if TYPE_CHECKING:
    from collections.abc import Iterable


# --------------------------------------------------------------------------- E3xx: the plan cannot work


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


# --------------------------------------------------------------------------- E77x: compatibility and contracts


class BadContract(PlanError):
    """A contract cannot be found, or is none that Stepwell knows: a pandera schema, a pydantic model, a dataclass, columns by name."""

    code = "E774"
