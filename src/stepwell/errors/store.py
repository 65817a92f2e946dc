"""E5xx: the store cannot be used or trusted."""

from __future__ import annotations

from stepwell.errors.base import StoreError

# --------------------------------------------------------------------------- E5xx: the store


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


class TooManyFiles(StoreError):
    """The system opens no more files for this process: its limit of open files (`ulimit -n`) is too low for what it does."""

    code = "E509"


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
