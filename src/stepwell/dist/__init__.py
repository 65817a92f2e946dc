"""The pipeline as a distribution: what was used is locked, what was made is released, and channels say what is in use.

lock         the facts of a lock, and their comparison
lockfile     the lock as a file
names        what a project, a channel, a person and a reason may be called
versions     versions of releases: which are valid, how they are written, which one is higher (PEP 440)
gates        what metrics must satisfy: a tiny language of comparisons, and verdicts in words
interface/   named data as a module: `from data import customers`; its stub, and what it gives
edits        changes of a manifest that keep comments, order, spacing and line ends
wheels       what a wheel says about itself, read with care for hostile archives
channels/    static package indexes with a log each: promote, roll back, yank, verify

Importing this package does nothing.
"""
