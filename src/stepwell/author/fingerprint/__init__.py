"""The identity of a step's code, read from its source: nothing is imported, nothing is run.

A step's result is good as long as its fingerprint is. The fingerprint covers the canonical syntax
tree of the step's function and of every first-party definition that it reaches.

**What counts**: functions, classes (whole, with their bases), module-level data with every
statement that binds or changes it (also from another module: registries), imports; reached through
names, attributes of modules, re-exports, star imports, decorators, defaults, closures, imports
inside functions, and the classes in annotations (their methods may be called). The annotations of
the step's own inputs and outputs, and of fields. Top-level statements that act on the world
(`np.random.seed(3)`) in every module that is loaded with the step.

**What does not**: comments, layout, docstrings, other annotations, the order of definitions, code
that is not reached, `if __name__ == "__main__":`, Stepwell's own decorators and their options.
Docstrings and annotations do where reached code reads them (`__doc__`, `get_type_hints`).

**What is not seen through** counts as a whole module, and is named in `opaque`: a module used as a
value, `getattr` with a computed name, `eval`, `exec`, `globals()`, computed imports. Compiled files
of the project count as bytes, and so do zip files. What is installed counts by version, beside the
digest: `environment.py` says how much of it.

    canonical.py    syntax tree -> text that is the same on every interpreter
    scopes.py       which outer names a piece of code uses
    modules.py      one file: which statements bind and change which names
    installed.py    which distributions provide a module; which are editable
    markers.py      which requirements of a distribution concern this interpreter
    environment.py  how much of what is installed counts
    places.py       where modules are
    resolve.py      what names stand for, across modules
    effects.py      what importing a module does besides binding names
    patches.py      what a step's code changes of libraries
    held.py         what a top-level statement may change, and where that may come from
    holdings.py     the same with names resolved: what is changed without being named
    order.py        in which order effects and changes happen
    definitions.py  one definition: text, digest, reach
    project.py      the closure of a step
"""

from __future__ import annotations

from stepwell.author.fingerprint.definitions import Definition
from stepwell.author.fingerprint.project import Fingerprint, Project

__all__ = ["Definition", "Fingerprint", "Project"]
