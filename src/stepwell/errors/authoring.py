"""E2xx: the pipeline file cannot work as written."""

from __future__ import annotations

from stepwell.errors.base import AuthoringError

# --------------------------------------------------------------------------- E2xx: the file as written


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


class VariablesReplaced(AuthoringError):
    """The pipeline file puts something else in the place of `os.environ`, in place of setting variables in it."""

    code = "E214"


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


# --------------------------------------------------------------------------- E4xx: a step failed


class BadRole(AuthoringError):
    """A role of `stepwell.ml` stands on a function that cannot play it, or its options contradict each other."""

    code = "E531"


# --------------------------------------------------------------------------- E58x: notebooks


class NothingToConvert(AuthoringError):
    """A notebook has neither pipelines nor calls of functions of its own, so that no pipeline file can be made of it."""

    code = "E581"
