"""What a user writes: steps, pipelines, sources; how they are traced, and how their code is identified.

steps.py        @step            a plain function outside of tracing, a reference inside
pipelines.py    @pipeline        its body is ordinary Python, run on references
inputs.py       source(...)      a named external input
references.py   Reference        what a call gives while a pipeline is traced
trace.py        trace(...)       pipeline and parameters -> kernel Graph
annotations.py                   what types promise: outputs of a step, and whether an edge fits
params.py                        text and values -> typed parameters
options.py                       cpus, memory, env, codec, out
project.py                       where a project begins, and which pipeline is meant
fingerprint                      the identity of a step's code
"""
