"""What users write to make steps that are no Python functions, one module a kind.

    making.py      a step out of a kind and plain data: every kind ends there
    made.py        what such a step has in place of a function
    shell.py       shell("bwa mem {ref} {reads} > {out}", out="aligned.bam")
    script.py      script("featurize.py", "--out", "{out}", out="features.csv")

What such a step does is in `stepwell.worker.kinds`.
"""
