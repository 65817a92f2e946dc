"""What a user writes: steps, pipelines, sources; how they are traced, and how their code is identified.

steps.py        @step            a plain function outside of tracing, a reference inside
pipelines.py    @pipeline        its body is ordinary Python, run on references
inputs.py       source(...)      a named external input
references.py   Reference        what a call gives while a pipeline is traced
trace.py        trace(...)       pipeline and parameters -> kernel Graph
bindings.py     bind(...)        where the value of an argument comes from; constants.py codes what is not plain
arguments.py                     what does not fit a signature
annotations.py                   what types promise: outputs of a step, and whether an edge fits
params.py                        text and values -> typed parameters
options.py                       cpus, memory, env, codec, out
root.py                          where a project begins
project.py                       which pipeline is meant, and loading it
live.py                          a pipeline object in a running program -> the project's own module
notebook.py                      a pipeline of a notebook; shell.py: what ran there; cells.py: the module it makes
runs.py         Run, PlanView    what run() and plan() give
where.py                         the line of the user's code
identities.py                    the identity of each step of a graph
fingerprint                      the identity of a step's code
"""
