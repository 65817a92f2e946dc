"""E1xx: a name or a value was typed wrong."""

from __future__ import annotations

from stepwell.errors.base import UsageError

# --------------------------------------------------------------------------- E1xx: typed wrong


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
    step = ""
    """The step that is meant, where what was typed is one, or a file that one makes."""


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


# --------------------------------------------------------------------------- E5xx: the store


class NotOneRun(UsageError):
    """Something of one run was asked for (a report, a log, an artifact), and a sweep or a range of runs was named."""

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


class BadFilter(UsageError):
    """A condition on runs (`--where`), or an order of them, cannot be read."""

    code = "E541"


class UnknownField(UsageError):
    """A condition on runs, an order or a column asks for a name that is no parameter or metric of any run."""

    code = "E542"


class NothingToCompare(UsageError):
    """There are no two runs to compare, or a name means no run."""

    code = "E543"


class AmbiguousMetric(UsageError):
    """A bare name of a metric means the only one of that name, and a run that is asked about has several."""

    code = "E544"
