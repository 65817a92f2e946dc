"""E4xx: a step ran and failed."""

from __future__ import annotations

from stepwell.errors.base import StepError

# --------------------------------------------------------------------------- E4xx: a step failed


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


class CannotRecord(StepError, TypeError):
    """`log` was given something that it cannot record: a name that is no text, or a value of another kind."""

    code = "E521"
    reason = "nothing was recorded; what a step records is numbers, pictures, tables, texts and cards, each under a name"


class RecordRefused(StepError):
    """Something that a step recorded was not kept, and the step went on: it is a note of the step."""

    code = "E522"


# --------------------------------------------------------------------------- E77x: compatibility and contracts


class ContractBroken(StepError):
    """Data does not keep the contract that was declared for it: a column, a type or a value is not as promised."""

    code = "E773"
