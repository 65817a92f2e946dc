"""Stepwell: a pipeline, with its data and models, is a software distribution.

    from stepwell import log, pipeline, source, step

Importing this package does nothing: no file is read or written, and no other module is imported
until one of these names is used.
"""

from __future__ import annotations

TYPE_CHECKING = False  # as type checkers know it; importing `typing` would cost more than all the rest
if TYPE_CHECKING:
    from stepwell import log as log
    from stepwell.author.checks import Check as Check
    from stepwell.author.checks import check as check
    from stepwell.author.dynamic import when as when
    from stepwell.author.inputs import Source as Source
    from stepwell.author.inputs import source as source
    from stepwell.author.kinds.notebook import notebook as notebook
    from stepwell.author.kinds.script import script as script
    from stepwell.author.kinds.shell import shell as shell
    from stepwell.author.kinds.sql import sql as sql
    from stepwell.author.pipelines import Pipeline as Pipeline
    from stepwell.author.pipelines import pipeline as pipeline
    from stepwell.author.runs import ArtifactView as ArtifactView
    from stepwell.author.runs import PlannedSource as PlannedSource
    from stepwell.author.runs import PlannedStep as PlannedStep
    from stepwell.author.runs import PlanView as PlanView
    from stepwell.author.runs import Run as Run
    from stepwell.author.sections import Endpoint as Endpoint
    from stepwell.author.sections import endpoint as endpoint
    from stepwell.author.services import Service as Service
    from stepwell.author.services import service as service
    from stepwell.author.steps import Step as Step
    from stepwell.author.steps import step as step
    from stepwell.author.using import use as use
    from stepwell.codecs.columns import Columns as Columns
    from stepwell.codecs.public import codec as codec
    from stepwell.codecs.public import register_codec as register_codec
    from stepwell.codecs.ranges import Range as Range
    from stepwell.dist import interface as interface
    from stepwell.errors import StepwellError as StepwellError
    from stepwell.kernel.ports import FailedStep as FailedStep
    from stepwell.log import current_step as current_step
    from stepwell.version import VERSION as __version__  # noqa: N811  what everybody asks a package for
    from stepwell.worker.secrets import Secret as Secret

_HOME = {
    "ArtifactView": "stepwell.author.runs:ArtifactView",
    "Check": "stepwell.author.checks:Check",
    "Columns": "stepwell.codecs.columns:Columns",
    "Endpoint": "stepwell.author.sections:Endpoint",
    "FailedStep": "stepwell.kernel.ports:FailedStep",
    "Pipeline": "stepwell.author.pipelines:Pipeline",
    "PlanView": "stepwell.author.runs:PlanView",
    "PlannedSource": "stepwell.author.runs:PlannedSource",
    "PlannedStep": "stepwell.author.runs:PlannedStep",
    "Range": "stepwell.codecs.ranges:Range",
    "Run": "stepwell.author.runs:Run",
    "Secret": "stepwell.worker.secrets:Secret",
    "Source": "stepwell.author.inputs:Source",
    "Step": "stepwell.author.steps:Step",
    "StepwellError": "stepwell.errors:StepwellError",
    "__version__": "stepwell.version:VERSION",
    "check": "stepwell.author.checks:check",
    "codec": "stepwell.codecs.public:codec",
    "current_step": "stepwell.log:current_step",
    "endpoint": "stepwell.author.sections:endpoint",
    "interface": "stepwell.dist.interface:",
    "log": "stepwell.log:",
    "notebook": "stepwell.author.kinds.notebook:notebook",
    "pipeline": "stepwell.author.pipelines:pipeline",
    "register_codec": "stepwell.codecs.public:register_codec",
    "script": "stepwell.author.kinds.script:script",
    "service": "stepwell.author.services:service",
    "shell": "stepwell.author.kinds.shell:shell",
    "source": "stepwell.author.inputs:source",
    "sql": "stepwell.author.kinds.sql:sql",
    "step": "stepwell.author.steps:step",
    "use": "stepwell.author.using:use",
    "when": "stepwell.author.dynamic:when",
}

__all__ = [
    "ArtifactView",
    "Check",
    "Columns",
    "Endpoint",
    "FailedStep",
    "Pipeline",
    "PlanView",
    "PlannedSource",
    "PlannedStep",
    "Range",
    "Run",
    "Secret",
    "Source",
    "Step",
    "StepwellError",
    "__version__",
    "check",
    "codec",
    "current_step",
    "endpoint",
    "interface",
    "log",
    "notebook",
    "pipeline",
    "register_codec",
    "script",
    "service",
    "shell",
    "source",
    "sql",
    "step",
    "use",
    "when",
]


def __getattr__(name: str) -> object:
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module 'stepwell' has no attribute {name!r}")
    from importlib import import_module

    module, _, attribute = home.partition(":")
    found = import_module(module)
    value: object = getattr(found, attribute) if attribute else found
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
