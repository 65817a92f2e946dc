"""Channels: static package indexes that stock pip and uv read, each with a log of who moved it, when and why.

    from stepwell.dist.channels.index import Channels, Named
    from stepwell.dist.channels.local import LocalFiles

    channels = Channels.create(LocalFiles(Path("index")), ["candidate", "staging", "production"])
    channels.promote(Path("dist/churn-1.4.0-py3-none-any.whl"), "staging", by="ana@acme", why="Q3 retrain")
    channels.promote(Named("churn", "1.4.0"), "production", by="ana@acme", why="two days in staging", expect="1.3.2")
    channels.current("churn", "production").version                # "1.4.0"
    channels.rollback("churn", "production", by="bo@acme", why="calibration drift")
    findings = verify(channels)                                    # stepwell.dist.channels.verify

On the disk (`docs/internals/channels.md` has the reasons):

    channels.json                             the format, and the order of the channels
    erased.jsonl                              what is not to be used any longer (`stepwell.dist.erased`)
    pool/PROJECT/FILE.whl                     wheels, never changed; beside each its METADATA
    CHANNEL.log                               one line of JSON a change; each has the SHA-256 of the line before
    CHANNEL/simple/PROJECT/index.html, .json  what pip and uv read (PEP 503, PEP 691)

The logs are the truth. Pages are made from them, can be made again at any time (`Channels.rebuild`), and say
which entry they are made from, so that a log that was cut short is told from a page that is behind.

files       the door to wherever an index lies: read, list, create, replace if unchanged, delete
local       that door for a folder of this machine or a network disk
bucket      that door for a bucket that speaks the S3 API
entries     lines of a log: writing, reading, and whether they are a chain
state       what a log says is listed, withdrawn and current: pure
deciding    whether a change may be made, and the entry that it becomes: pure
pages       a state as pages for pip and uv: pure
pool        wheels by project and file name
index       reading, deciding and writing, in this order: the operations
verify      everything that is not as it must be

Importing this package does nothing.
"""
