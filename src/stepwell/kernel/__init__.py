"""The kernel: what a pipeline is, what must run and why, and how a run goes. Standard library only, no I/O.

Read in this order:

1. `graph`     the traced pipeline: steps, inputs, sources. Facts only.
2. `identity`  same meaning, same digest: canonical text, tokens, keys.
3. `ports`     the doors to the world: `Past`, `Store`, `Engine`, `Clock`, each with one fake in `stepwell.testing`.
4. `plan`      `decide(graph, known, wanted) -> Plan`: what to do with each step, and why. Pure.
5. `events`    what happens during a run, as frozen facts.
6. `run`       `drive(plan, engine=..., store=..., clock=...) -> Iterator[Event]`: doing it.

Kernel data are `NamedTuple`s: immutable, cheap to make by the hundred thousand, and without the
20 ms that importing `dataclasses` costs every command.
"""
