"""E7xx: a lock, release or channel does not hold, or may not be made so; E8xx: what was made cannot be made again."""

from __future__ import annotations

from stepwell.errors.base import ReleaseError

# --------------------------------------------------------------------------- E6xx: values and bytes


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
    """A lock was asked for, of steps that have not run with what is there now, or that are never up to date, since they run every time or failed as they may: it would say what nobody has seen."""

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
