"""A release: a wheel that holds, beside the project's code, all that is needed to use it, to judge it, and to make it again.

    churn/_release/release.json     what the release says of itself (`document.Release`)
    churn/_release/stepwell.lock    what data, code and environment it was made of, and what came out
    churn/_release/pylock.toml      the environment, every distribution with its hashes (PEP 751)
    churn/_release/metrics.json     how good it is, by pipeline and by output (`metrics`)
    churn/_release/blobs/HEX        artifacts under a size, by the hexadecimal digits of their `b3:` digest
    churn/_release/project/         the files that the steps are made of, as they lie in the project
    churn/_release/provenance.json  an in-toto statement with SLSA provenance
    churn/_release/mlbom.cdx.json   models and data as a CycloneDX bill of materials
    churn/_release/__init__.py      load(), predict(), info(), pull()

document    what `release.json` says, as types
opened      the door to all of it, in a wheel or where one is installed
found       a release by the words that a person has for it: a path, churn==1.4.0, production

Importing this package does nothing.
"""
