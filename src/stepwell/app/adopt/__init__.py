"""Moving in: what another tool's file says, as a `pipeline.py` that a person would have written.

Three parts, each of which needs only the one before: `dvc` and `make` read what is there into `Found`
(`facts`), `compose` makes a text of that, and `takeover` keeps what was already made as results of the
new pipeline, so that nothing runs that need not.
"""
