"""The fingerprint of a step's code: what it reaches, what it leaves out, and what it admits not to see.

Each case is a small project in a temporary folder: files by name, with dedented text.
"""

from __future__ import annotations

import ast
import os
import py_compile
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from textwrap import dedent

import pytest

from stepwell.author.fingerprint import Fingerprint, Project
from stepwell.author.fingerprint.canonical import Rules, canonical
from stepwell.author.fingerprint.installed import Installed
from stepwell.errors import BadStep, CannotImport, NotInAFile

RULES = Rules(strip=lambda node: False, typed=lambda node: False)


def written(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text), encoding="utf-8")
    return folder


def taken(folder: Path, files: dict[str, str], name: str = "pipeline:train") -> Fingerprint:
    module, _, qualname = name.partition(":")
    return Project(written(folder, files)).fingerprint(module, qualname)


def names(fingerprint: Fingerprint) -> set[str]:
    return {definition.name for definition in fingerprint.definitions}


class Case:
    """A project, edits of it that must change the fingerprint, and edits that must not."""

    def __init__(self, files, changed=(), same=(), reached=(), unreached=(), opaque=()):
        self.files, self.changed, self.same = files, changed, same
        self.reached, self.unreached, self.opaque = set(reached), set(unreached), opaque


CASES = {
    "nested attribute chain": Case(
        {
            "pipeline.py": "import lab.models.linear\n\ndef train(x):\n    return lab.models.linear.fit(x)\n",
            "lab/__init__.py": "",
            "lab/models/__init__.py": "",
            "lab/models/linear.py": "def fit(x):\n    return x\n\ndef other(x):\n    return x + 5\n",
        },
        changed=[("lab/models/linear.py", "return x\n", "return -x\n")],
        same=[("lab/models/linear.py", "x + 5", "x + 6"), ("lab/models/__init__.py", "", "A = 1")],
        reached=["lab.models.linear.fit"],
        unreached=["lab.models.linear.other"],
    ),
    "objects of libraries": Case(
        {
            "pipeline.py": "import shop\nimport shown\n\ndef train(x):\n    return x\n",
            "shop.py": "import pandas as pd\nfrom flask import Flask\n\napp = Flask(__name__)\napp.secret_key = 'k1'\n"
            "df = pd.read_csv('a.csv')\ndf['n'] = df['m'] + 1\nFRAME = pd.DataFrame({'a': [1]})\n\n"
            "@app.route('/one')\ndef page():\n    return 1\n",
            "shown.py": "import pandas as pd\n\nopt = pd.options.display\nopt.precision = 3\n"
            "style = pd.get_style()\nstyle.rows = 4\n",
        },
        changed=[("shown.py", "precision = 3", "precision = 5"), ("shown.py", "rows = 4", "rows = 5")],
        same=[
            ("shop.py", "Flask(__name__)", "Flask('x')"),
            ("shop.py", "'k1'", "'k2'"),
            ("shop.py", "+ 1", "+ 2"),
            ("shop.py", "[1]", "[2]"),
            ("shop.py", "/one", "/two"),
        ],
        unreached=["shop.app", "shop.df"],
    ),
    "other steps do not count changes that are not theirs": Case(
        {
            "pipeline.py": "import altering\nimport m\n\ndef train(x):\n    return m.OTHER, m.free(x)\n",
            "altering.py": "import m\nx = m.CFG['a']\nx['b'] = 1\nhold = [m.CFG]\nhold[0]['c'] = 2\n"
            "COPY = dict(m.OTHER)\nCOPY['d'] = 3\nN = m.count(4)\nMADE = m.Model(m.OTHER)\nMADE.size = 5\n",
            "m.py": "import logging\nlog = logging.getLogger(__name__)\nCFG = {'a': {}}\nOTHER = {'a': 1}\n\n"
            "def count(n):\n    log.info('counted')\n    return n\n\ndef free(x):\n    log.info('free')\n    return x\n\n"
            "class Model:\n    def __init__(self, rows):\n        self.rows = rows\n",
        },
        same=[("altering.py", f"{n}", f"{n}0") for n in ("= 1", "= 2", "= 3", "count(4", "= 5")],
    ),
    "module under another name": Case(
        {
            "pipeline.py": "import lab.linear as l\n\ndef train(x):\n    return l.fit(x)\n",
            "lab/__init__.py": "",
            "lab/linear.py": "def fit(x):\n    return x\n",
        },
        changed=[("lab/linear.py", "return x", "return -x")],
        reached=["lab.linear.fit"],
    ),
    "star import": Case(
        {
            "pipeline.py": "from tools import *\n\ndef train(x):\n    return fit(x)\n",
            "tools.py": "from deeper import *\n\ndef unused(x):\n    return 1\n",
            "deeper.py": "def fit(x):\n    return x\n",
        },
        changed=[("deeper.py", "return x", "return -x")],
        same=[("tools.py", "return 1", "return 2")],
        reached=["deeper.fit"],
    ),
    "relative import": Case(
        {
            "lab/__init__.py": "",
            "lab/pipeline.py": "from .sub import fit\nfrom . import sub\nfrom .. import nothing\n\n"
            "def train(x):\n    return fit(x) + sub.more(x)\n",
            "lab/sub.py": "from .deep.far import far\n\ndef fit(x):\n    return far(x)\n\ndef more(x):\n    return 2\n",
            "lab/deep/__init__.py": "",
            "lab/deep/far.py": "from ..sub import more\n\ndef far(x):\n    return more(x) + 7\n",
        },
        changed=[("lab/deep/far.py", "+ 7", "+ 8"), ("lab/sub.py", "return 2", "return 3")],
        same=[("lab/pipeline.py", "from .sub import fit", "from lab.sub import fit")],
        reached=["lab.deep.far.far", "lab.sub.more"],
    ),
    "re-export": Case(
        {
            "pipeline.py": "import lab\nfrom lab import fit\n\ndef train(x):\n    return fit(x) + lab.score(x)\n",
            "lab/__init__.py": "from .linear import fit as fit, other\nfrom lab.scores import score\n",
            "lab/linear.py": "def fit(x):\n    return x\n\ndef other(x):\n    return 5\n",
            "lab/scores/__init__.py": "from .plain import score\n",
            "lab/scores/plain.py": "def score(x):\n    return 9\n",
        },
        changed=[
            ("lab/linear.py", "return x\n", "return -x\n"),
            ("lab/scores/plain.py", "9", "8"),
            ("lab/__init__.py", "fit as fit", "other as fit"),
        ],
        same=[("lab/linear.py", "return 5", "return 6"), ("lab/__init__.py", ", other", "")],
        reached=["lab.linear.fit", "lab.scores.plain.score"],
    ),
    "a function with the name of its module": Case(
        {
            "pipeline.py": "from lab import fit\n\ndef train(x):\n    return fit(x)\n",
            "lab/__init__.py": "from lab.fit import fit\n",
            "lab/fit.py": "def fit(x):\n    return x\n\ndef other():\n    return 5\n",
        },
        changed=[("lab/fit.py", "return x", "return -x")],
        same=[("lab/fit.py", "return 5", "return 6")],
    ),
    "class hierarchy": Case(
        {
            "pipeline.py": "from models import Tree\n\ndef train(x):\n    return Tree().fit(x)\n",
            "models.py": "from base import Base\n\nclass Tree(Base):\n    depth = 3\n    def fit(self, x):\n        return self.go(x)\n",
            "base.py": "class Root:\n    def go(self, x):\n        return deep(x)\n\nclass Base(Root):\n    pass\n\n"
            "def deep(x):\n    return 11\n\nclass Other(Root):\n    z = 1\n",
        },
        changed=[
            ("models.py", "depth = 3", "depth = 4"),
            ("base.py", "return deep(x)", "return -deep(x)"),
            ("base.py", "return 11", "return 12"),
        ],
        same=[("base.py", "z = 1", "z = 2")],
        reached=["base.Root", "base.deep"],
        unreached=["base.Other"],
    ),
    "class of an annotated argument": Case(
        {
            "pipeline.py": "from __future__ import annotations\nfrom typing import TYPE_CHECKING\n"
            "if TYPE_CHECKING:\n    from models import Model\n\n"
            "def train(m: Model, ms: 'list[Other] | None' = None):\n    return m.predict()\n\n"
            "class Other:\n    def p(self):\n        return 5\n",
            "models.py": "class Model:\n    def predict(self):\n        return 1\n",
        },
        changed=[("models.py", "return 1", "return 2"), ("pipeline.py", "return 5", "return 6")],
        reached=["models.Model", "pipeline.Other"],
    ),
    "class in a helper's annotation": Case(
        {
            "pipeline.py": "import pickle\nfrom models import Model, Models\n\n"
            "def load(p) -> Models:\n    m: Model = pickle.load(p)\n    return [m]\n\n"
            "def train(p):\n    return load(p)[0].predict()\n",
            "models.py": "class Model:\n    def predict(self):\n        return 1\n\n"
            "class Old:\n    pass\n\nModels = list[Old]\n",
        },
        changed=[("models.py", "return 1", "return 2"), ("models.py", "class Old:\n    pass", "class Old:\n    a = 1")],
        reached=["models.Model", "models.Old"],
        unreached=["models.Models"],
    ),
    "dataclass fields": Case(
        {
            "pipeline.py": "from dataclasses import dataclass\n\n@dataclass\nclass Row:\n    a: int = 1\n    b: int = 2\n\n"
            "    def total(self) -> int:\n        s: int = self.a\n        return s\n\n"
            "def train(x):\n    return Row(x)\n",
        },
        changed=[
            ("pipeline.py", "    a: int = 1\n    b: int = 2\n", "    b: int = 2\n    a: int = 1\n"),
            ("pipeline.py", "b: int", "b: float"),
        ],
        same=[("pipeline.py", "def total(self) -> int", "def total(self) -> float"), ("pipeline.py", "s: int =", "s =")],
    ),
    "typed dictionary and named tuple": Case(
        {
            "pipeline.py": "import typing\nfrom typing import NamedTuple\n\nclass A(typing.TypedDict):\n    x: int\n\n"
            "class B(NamedTuple):\n    y: int\n\ndef train(x):\n    return A(x=1), B(2)\n",
        },
        changed=[("pipeline.py", "x: int", "x: float"), ("pipeline.py", "y: int", "y: float")],
    ),
    "annotations of a plain class": Case(
        {
            "pipeline.py": "class Base:\n    pass\n\nclass A(Base):\n    x: int = 1\n    y: int\n\ndef train(x):\n    return A()\n",
        },
        changed=[("pipeline.py", "x: int = 1", "x: int = 2")],
        same=[("pipeline.py", "x: int", "x: float"), ("pipeline.py", "    y: int\n", "")],
    ),
    "enum": Case(
        {
            "pipeline.py": "import enum\n\nclass C(enum.Enum):\n    RED = 1\n    BLUE = 2\n\ndef train(x):\n    return C(x)\n",
        },
        changed=[
            ("pipeline.py", "BLUE = 2", "BLUE = 3"),
            ("pipeline.py", "    RED = 1\n    BLUE = 2", "    BLUE = 2\n    RED = 1"),
        ],
    ),
    "match": Case(
        {
            "pipeline.py": "from kinds import A, LIMIT, kinds\n\ndef train(x):\n    match x:\n        case A(y) if y > LIMIT:\n"
            "            return y\n        case kinds.Z:\n            return 0\n        case {'k': v, **rest}:\n"
            "            return rest\n        case [first, *fit]:\n            return fit\n    return None\n\n"
            "def fit():\n    return 1\n\ndef rest():\n    return 1\n",
            "kinds.py": "class A:\n    __match_args__ = ('y',)\n\nLIMIT = 3\n\nclass kinds:\n    Z = 4\n",
        },
        changed=[("kinds.py", "'y'", "'z'"), ("kinds.py", "LIMIT = 3", "LIMIT = 4"), ("kinds.py", "Z = 4", "Z = 5")],
        unreached=["pipeline.fit", "pipeline.rest"],
    ),
    "partial and functions as values": Case(
        {
            "pipeline.py": "import functools\n\ndef power(x, n):\n    return x ** n\n\ndef key(x):\n    return -x\n\n"
            "square = functools.partial(power, n=2)\nALL = {'k': key}\n\n"
            "def train(x):\n    return sorted(map(square, x), key=ALL['k'])\n",
        },
        changed=[
            ("pipeline.py", "n=2", "n=3"),
            ("pipeline.py", "x ** n", "x * n"),
            ("pipeline.py", "return -x", "return x"),
        ],
    ),
    "lambdas and comprehensions": Case(
        {
            "pipeline.py": "A = 1\nB = 2\nC = 3\nx = 4\ny = 5\nz = 6\nf = lambda v: v * A\n\n"
            "def train(x):\n    g = lambda y, k=B: y + k\n    return [f(g(y)) + z for y in x for z in range(C)]\n",
        },
        changed=[("pipeline.py", c, c[:4] + "9") for c in ("A = 1", "B = 2", "C = 3")]
        + [("pipeline.py", "v * A", "v + A")],
        same=[("pipeline.py", c, c[:4] + "9") for c in ("x = 4", "y = 5", "z = 6")],
    ),
    "defaults and keyword defaults": Case(
        {
            "pipeline.py": "A = 1\nB = 2\n\ndef low():\n    return 3\n\ndef train(x, a=A, *, b=[B, low()]):\n    return x\n",
        },
        changed=[("pipeline.py", "A = 1", "A = 9"), ("pipeline.py", "B = 2", "B = 9"), ("pipeline.py", "return 3", "return 4")],
    ),
    "shadowed names": Case(
        {
            "pipeline.py": "def fit(x):\n    return 1\n\ndef score():\n    return 2\n\nG = 1\n\n"
            "def train(fit, x):\n    def inner(score):\n        nonlocal x\n        x = score\n        return fit(x)\n"
            "    import json as G\n    for _ in x:\n        pass\n    return inner(G)\n",
        },
        same=[("pipeline.py", "return 1", "return 9"), ("pipeline.py", "return 2", "return 9"), ("pipeline.py", "G = 1", "G = 9")],
        unreached=["pipeline.fit", "pipeline.score", "pipeline.G"],
    ),
    "names of a class body are not those of its methods": Case(
        {
            "pipeline.py": "def fit(x):\n    return 1\n\nclass A:\n    def fit(self):\n        return fit(self)\n\n"
            "def train(x):\n    return A().fit()\n",
        },
        changed=[("pipeline.py", "return 1", "return 2")],
        reached=["pipeline.fit"],
    ),
    "global statement": Case(
        {
            "pipeline.py": "STATE = 1\n\ndef bump():\n    global STATE, LATE\n    STATE += 1\n    LATE = 5\n\n"
            "def train(x):\n    bump()\n    return LATE\n",
        },
        changed=[("pipeline.py", "STATE = 1", "STATE = 2"), ("pipeline.py", "LATE = 5", "LATE = 6")],
    ),
    "a global that only a function binds": Case(
        {
            "pipeline.py": "import state\n\ndef train(x):\n    return state.LATE\n",
            "state.py": "def setup():\n    global LATE\n    LATE = 5\n\nsetup()\n",
        },
        changed=[("state.py", "LATE = 5", "LATE = 6")],
    ),
    "imports inside functions": Case(
        {
            "pipeline.py": "def train(x):\n    import tools.sub\n    from tools import other as o\n"
            "    def inner():\n        return o.score(x)\n    return tools.sub.fit(x) + inner()\n",
            "tools/__init__.py": "",
            "tools/sub.py": "def fit(x):\n    return 1\n\ndef unused():\n    return 5\n",
            "tools/other.py": "def score(x):\n    return 2\n\ndef unused():\n    return 5\n",
        },
        changed=[("tools/sub.py", "return 1", "return 3"), ("tools/other.py", "return 2", "return 3")],
        same=[("tools/sub.py", "return 5", "return 6"), ("tools/other.py", "return 5", "return 6")],
    ),
    "conditional definitions": Case(
        {
            "pipeline.py": "import sys\nFAST = False\nif FAST:\n    def fit(x):\n        return 1\n    A = 1\n"
            "elif sys.flags.debug:\n    raise RuntimeError\nelse:\n    def fit(x):\n        return 2\n\n"
            "def train(x):\n    return fit(x)\n",
        },
        changed=[
            ("pipeline.py", "FAST = False", "FAST = True"),
            ("pipeline.py", "return 1", "return 3"),
            ("pipeline.py", "return 2", "return 3"),
        ],
        same=[("pipeline.py", "A = 1", "A = 2")],
    ),
    "alternatives": Case(
        {
            "pipeline.py": "try:\n    from fast import fit\n    SPEED = 1\nexcept ImportError:\n    from slow import fit\n\n"
            "def train(x):\n    return fit(x)\n",
            "fast.py": "def fit(x):\n    return 1\n",
            "slow.py": "def fit(x):\n    return 2\n",
        },
        changed=[("fast.py", "return 1", "return 3"), ("slow.py", "return 2", "return 3")],
        same=[("pipeline.py", "SPEED = 1", "SPEED = 2")],
    ),
    "with, for, walrus, unpacking, del": Case(
        {
            "pipeline.py": "import json\nwith open('c.json') as file:\n    CFG = json.load(file)\n    Z = 1\n"
            "T = 0\nfor k in (1, 2):\n    T += k\n(A, B), *C = [(1, 2), 3]\nif (n := 3) > 2:\n    pass\nD = 1\ndel D\n\n"
            "def train(x):\n    return CFG, T, B, n, D\n",
        },
        changed=[
            ("pipeline.py", "c.json", "d.json"),
            ("pipeline.py", "(1, 2):", "(1, 3):"),
            ("pipeline.py", "(n := 3)", "(n := 4)"),
            ("pipeline.py", "[(1, 2)", "[(1, 4)"),
            ("pipeline.py", "del D\n", ""),
        ],
        same=[("pipeline.py", "Z = 1", "Z = 2")],
    ),
    "constants, nested and computed": Case(
        {
            "pipeline.py": "BASE = 2\nSIZES = {'a': [BASE, 3], 'b': {'c': (4,)}}\nBIG = SIZES['a'][0] ** 2\nX = 1\n\n"
            "def train(x):\n    return BIG\n",
        },
        changed=[("pipeline.py", "BASE = 2", "BASE = 3"), ("pipeline.py", "(4,)", "(5,)"), ("pipeline.py", "** 2", "** 3")],
        same=[("pipeline.py", "X = 1", "X = 2")],
    ),
    "changes in place": Case(
        {
            "pipeline.py": "import settings\nCFG = {}\nOTHER = {}\nNAMES = []\nCFG['a'] = 1\nOTHER['a'] = 1\n"
            "NAMES.append('x')\nNAMES.append('y')\nsettings.DEPTH = 3\nsetattr(settings, 'WIDTH', 4)\nsettings.UNUSED = 5\n\n"
            "def train(x):\n    return CFG, NAMES, settings.DEPTH, settings.WIDTH\n",
            "settings.py": "DEPTH = 1\nWIDTH = 1\nUNUSED = 1\n",
        },
        changed=[
            ("pipeline.py", "CFG['a'] = 1", "CFG['a'] = 2"),
            ("pipeline.py", "append('x')\nNAMES.append('y')", "append('y')\nNAMES.append('x')"),
            ("pipeline.py", "DEPTH = 3", "DEPTH = 4"),
            ("pipeline.py", "'WIDTH', 4", "'WIDTH', 5"),
            ("settings.py", "DEPTH = 1", "DEPTH = 2"),
        ],
        same=[("pipeline.py", "OTHER['a'] = 1", "OTHER['a'] = 2"), ("settings.py", "UNUSED = 1", "UNUSED = 2")],
    ),
    "single dispatch": Case(
        {
            "pipeline.py": "import functools\nimport kinds\nfrom shapes import size\n\ndef train(x):\n    return size(x)\n",
            "shapes.py": "import functools\n\n@functools.singledispatch\ndef size(x):\n    return 0\n\n"
            "@size.register\ndef _(x: int):\n    return 1\n\n@size.register(list)\ndef _(x):\n    return 2\n",
            "kinds.py": "from shapes import size\n\n@size.register\ndef _(x: str):\n    return 3\n\ndef free():\n    return 4\n",
        },
        changed=[
            ("shapes.py", "return 1", "return 9"),
            ("shapes.py", "return 2", "return 9"),
            ("shapes.py", "x: int", "x: float"),
            ("kinds.py", "return 3", "return 9"),
            ("kinds.py", "x: str", "x: bytes"),
        ],
        same=[("kinds.py", "return 4", "return 9")],
    ),
    "registry by decorator": Case(
        {
            "pipeline.py": "import plugins.a\nfrom registry import get\n\ndef train(x):\n    return get('a')(x)\n\n"
            "def other():\n    return 1\n",
            "registry.py": "MODELS = {}\n\ndef register(name):\n    def deco(f):\n        MODELS[name] = f\n        return f\n"
            "    return deco\n\ndef get(name):\n    return MODELS[name]\n",
            "plugins/a.py": "from registry import register\nimport plugins.b\n\n@register('a')\ndef fit(x):\n    return deep(x)\n\n"
            "def deep(x):\n    return 1\n\ndef free():\n    return 5\n",
            "plugins/b.py": "import registry\n\n@registry.register('b')\nclass B:\n    z = 2\n\nregistry.MODELS['c'] = 7\n",
            "plugins/c.py": "import registry\n\n@registry.register('c')\nclass C:\n    z = 3\n",
        },
        changed=[
            ("plugins/a.py", "return 1", "return 9"),
            ("plugins/b.py", "z = 2", "z = 9"),
            ("plugins/b.py", "= 7", "= 8"),
        ],
        same=[("plugins/a.py", "return 5", "return 9"), ("plugins/c.py", "z = 3", "z = 9")],
    ),
    "a cache that a decorator fills is no registry": Case(
        {
            "pipeline.py": "CACHE = {}\n\ndef memo(f):\n    def wrapper(x):\n        CACHE[x] = f(x)\n        return CACHE[x]\n"
            "    return wrapper\n\n@memo\ndef fit(x):\n    return 1\n\n@memo\ndef other(x):\n    return 2\n\n"
            "def train(x):\n    return fit(x)\n",
        },
        changed=[("pipeline.py", "return 1", "return 9")],
        same=[("pipeline.py", "return 2", "return 9")],
    ),
    "registry by subclass": Case(
        {
            "pipeline.py": "import shapes\nfrom base import make, Plain\n\ndef train(x):\n    return make('a')(Plain)\n",
            "base.py": "ALL = []\n\nclass Base:\n    def __init_subclass__(cls):\n        ALL.append(cls)\n\n"
            "def make(n):\n    return ALL\n\nclass Plain:\n    pass\n",
            "shapes.py": "from base import Base, Plain\n\nclass A(Base):\n    z = 1\n\nclass B(A):\n    z = 2\n\nclass C(Plain):\n    z = 3\n",
        },
        changed=[("shapes.py", "z = 1", "z = 9"), ("shapes.py", "z = 2", "z = 9")],
        same=[("shapes.py", "z = 3", "z = 9")],
    ),
    "subclasses that are looked up": Case(
        {
            "pipeline.py": "import shapes\nfrom base import Base\n\ndef train(x):\n    return Base.__subclasses__()\n",
            "base.py": "class Base:\n    pass\n",
            "shapes.py": "from base import Base\n\nclass A(Base):\n    z = 1\n\nclass B:\n    z = 2\n",
        },
        changed=[("shapes.py", "z = 1", "z = 9")],
        same=[("shapes.py", "z = 2", "z = 9")],
    ),
    "effects of imports": Case(
        {
            "pipeline.py": "import os\nimport random\nimport warnings\nimport other\nrandom.seed(3)\n"
            "os.environ['X'] = '1'\nif other.DEBUG:\n    warnings.simplefilter('error')\n    Y = 1\nprint('hello')\n\n"
            "def train(x):\n    return x\n",
            "other.py": "DEBUG = False\n\ndef configure():\n    return 1\n\ndef free():\n    return 2\n\nconfigure()\n",
        },
        changed=[
            ("pipeline.py", "seed(3)", "seed(4)"),
            ("pipeline.py", "= '1'", "= '2'"),
            ("pipeline.py", "'error'", "'ignore'"),
            ("other.py", "return 1", "return 9"),
            ("other.py", "DEBUG = False", "DEBUG = True"),
        ],
        same=[
            ("pipeline.py", "hello", "bye"),
            ("pipeline.py", "Y = 1", "Y = 2"),
            ("other.py", "return 2", "return 9"),
        ],
        reached=["pipeline (effects of importing it)", "other (effects of importing it)"],
    ),
    "decorators of our own": Case(
        {
            "pipeline.py": "from stepwell import step\nimport deco\n\n@step\n@deco.times(3)\ndef train(x):\n    return x\n",
            "deco.py": "def times(n):\n    def outer(f):\n        def inner(*a):\n            return f(*a) * n\n"
            "        return inner\n    return outer\n",
        },
        changed=[("pipeline.py", "times(3)", "times(4)"), ("deco.py", "* n", "+ n"), ("pipeline.py", "return x", "return -x")],
        same=[("pipeline.py", "@step", "@step(cpus=4)")],
    ),
    "Stepwell's own objects": Case(
        {
            "pipeline.py": "import stepwell as sw\nfrom stepwell import step, log\nfrom stepwell.ml import trainer\n\n"
            "CPUS = 2\nbig = step(cpus=CPUS)\n\n@big\ndef helped(x):\n    return 1\n\n"
            "@sw.step(cpus=CPUS)\n@trainer\ndef train(x):\n    log.metric('a', 1)\n    return helped(x)\n\ntrain.check(x=1)\n",
        },
        changed=[("pipeline.py", "return 1", "return 2"), ("pipeline.py", "'a', 1", "'a', 2")],
        same=[
            ("pipeline.py", "CPUS = 2", "CPUS = 3"),
            ("pipeline.py", "cpus=CPUS)\n\n@big", "cpus=4)\n\n@big"),
            ("pipeline.py", "@sw.step(cpus=CPUS)\n", ""),
            ("pipeline.py", "train.check(x=1)", "train.check(x=2)"),
        ],
        unreached=["pipeline.step", "pipeline.log", "pipeline.big", "pipeline.CPUS"],
    ),
    "a step made by a call": Case(
        {
            "pipeline.py": "from stepwell import step\n\ndef fit(x):\n    return 1\n\ntrain = step(fit, cpus=2)\n",
        },
        changed=[("pipeline.py", "return 1", "return 2")],
        same=[("pipeline.py", "cpus=2", "cpus=3")],
    ),
    "namespace package": Case(
        {
            "pipeline.py": "import space.inner.tools as t\nfrom space.inner import more\n\n"
            "def train(x):\n    return t.fit(x) + more.fit(x)\n",
            "space/inner/tools.py": "def fit(x):\n    return 1\n",
            "src/space/inner/more.py": "def fit(x):\n    return 2\n",
        },
        changed=[("space/inner/tools.py", "return 1", "return 3"), ("src/space/inner/more.py", "return 2", "return 3")],
    ),
    "registry by call": Case(
        {
            "pipeline.py": "import registry\nfrom plugins import fit\nregistry.register(fit)\nfit.register = 1\n\n"
            "def train(x):\n    return registry.MODELS\n",
            "registry.py": "MODELS = []\n\ndef register(f):\n    MODELS.append(f)\n",
            "plugins.py": "def fit(x):\n    return 1\n",
        },
        changed=[("plugins.py", "return 1", "return 9"), ("pipeline.py", "registry.register(fit)\n", "")],
    ),
    "a name that is bound here and by a star": Case(
        {
            "pipeline.py": "def fit(x):\n    return 1\n\nfrom tools import *\n\ndef train(x):\n    return fit(x)\n",
            "tools.py": "def fit(x):\n    return 2\n",
        },
        changed=[("tools.py", "return 2", "return 9"), ("pipeline.py", "return 1", "return 9")],
    ),
    "alias of a registry": Case(
        {
            "pipeline.py": "from registry import ALIAS, MODELS\nALIAS['a'] = 1\n\ndef train(x):\n    return MODELS\n",
            "registry.py": "MODELS = {}\nALIAS = MODELS\n",
        },
        changed=[("pipeline.py", "= 1", "= 2")],
    ),
    "validators read annotations": Case(
        {
            "pipeline.py": "try:\n    from checker import validate\nexcept ImportError:\n    raise\n\n@validate\ndef fit(x: int): ...\n\n"
            "def plain(x: int): ...\n\ndef train(x):\n    return fit(x), plain(x)\n",
        },
        changed=[("pipeline.py", "fit(x: int)", "fit(x: str)")],
        same=[("pipeline.py", "plain(x: int)", "plain(x: str)")],
    ),
    "circular imports and calls": Case(
        {
            "pipeline.py": "import other\n\ndef train(x):\n    return even(x)\n\ndef even(x):\n    return other.odd(x) or train(x)\n",
            "other.py": "import pipeline\n\ndef odd(x):\n    return pipeline.even(x - 1)\n\nALIAS = odd\n",
        },
        changed=[("other.py", "x - 1", "x - 2")],
    ),
    "import in a circle": Case(
        {
            "pipeline.py": "from a import f\n\ndef train(x):\n    return f(x)\n",
            "a.py": "from b import f\n",
            "b.py": "from a import f\n",
        },
    ),
    "unicode names": Case(
        {
            "pipeline.py": "from größe import маса\n\ndef train(x):\n    ﬁt = маса(x)\n    return fit\n",
            "größe.py": "# -*- coding: utf-8 -*-\ndef маса(x):\n    return 'ü\\ud800'\n",
        },
        changed=[("größe.py", "ü", "ä")],
        reached=["größe.маса"],
    ),
    "async and generators": Case(
        {
            "pipeline.py": "import contextlib\nA = 1\nB = 2\nC = 3\n\n@contextlib.asynccontextmanager\nasync def cm():\n    yield A\n\n"
            "async def gen():\n    for i in range(B):\n        yield i\n\n"
            "async def train(x):\n    async with cm() as a:\n        return [i + a + C async for i in gen()]\n",
        },
        changed=[("pipeline.py", c, c[:4] + "9") for c in ("A = 1", "B = 2", "C = 3")],
    ),
    "constant attribute names": Case(
        {
            "pipeline.py": "import tools\nE = 1\n\ndef train(x):\n    return getattr(tools, 'fit')(x) + globals()['E']\n",
            "tools.py": "def fit(x):\n    return 1\n\ndef other():\n    return 2\n",
        },
        changed=[("tools.py", "return 1", "return 9"), ("pipeline.py", "E = 1", "E = 2")],
        same=[("tools.py", "return 2", "return 9")],
    ),
    "computed attribute": Case(
        {
            "pipeline.py": "import tools\n\ndef train(x, n):\n    return getattr(tools, n)(x)\n",
            "tools.py": "import deep\n\ndef fit(x):\n    return 1\n\ndef other():\n    return deep.far()\n",
            "deep.py": "def far():\n    return 2\n\ndef free():\n    return 3\n",
        },
        changed=[("tools.py", "return 1", "return 9"), ("tools.py", "deep.far()", "-deep.far()"), ("deep.py", "return 2", "return 9")],
        same=[("tools.py", "def fit", "# hi\ndef fit"), ("deep.py", "return 3", "return 4")],
        reached=["tools (whole module)"],
        opaque=["tools: getattr with a computed name; the whole module counts"],
    ),
    "module as a value": Case(
        {
            "pipeline.py": "import tools\n\ndef use(m):\n    return m.fit\n\ndef train(x):\n    return use(tools)\n",
            "tools.py": "def fit(x):\n    return 1\n",
        },
        changed=[("tools.py", "return 1", "return 9")],
        opaque=["tools: used as a value; the whole module counts"],
    ),
    "eval": Case(
        {
            "pipeline.py": "def hidden():\n    return 1\n\ndef train(x):\n    return eval(x)\n",
        },
        changed=[("pipeline.py", "return 1", "return 9")],
        opaque=["pipeline: eval; the whole module counts"],
    ),
    "import by a constant": Case(
        {
            "pipeline.py": "import importlib\n\ndef train(x):\n    m = importlib.import_module('tools.a')\n    return m.fit(x)\n",
            "tools/a.py": "def fit(x):\n    return 1\n",
            "tools/b.py": "def fit(x):\n    return 2\n",
        },
        changed=[("tools/a.py", "return 1", "return 9")],
        same=[("tools/b.py", "return 2", "return 9")],
        opaque=["tools.a: used as a value; the whole module counts"],
    ),
    "import by a computed name": Case(
        {
            "pipeline.py": "from importlib import import_module\n\ndef train(x, n):\n    return import_module(f'tools.{n}').fit(x)\n",
            "tools/a.py": "def fit(x):\n    return 1\n",
            "tools/b.py": "def fit(x):\n    return 2\n",
            "free.py": "def fit(x):\n    return 3\n",
        },
        changed=[("tools/a.py", "return 1", "return 9"), ("tools/b.py", "return 2", "return 9")],
        same=[("free.py", "return 3", "return 9")],
        opaque=["tools.a: one of `tools` is imported by a computed name; the whole module counts"],
    ),
    "lazy module attribute": Case(
        {
            "pipeline.py": "import tools\n\ndef train(x):\n    return tools.fit(x)\n",
            "tools.py": "def __getattr__(name):\n    return make(name)\n\ndef make(n):\n    return 1\n",
        },
        changed=[("tools.py", "return 1", "return 9")],
    ),
    "a name that no statement binds": Case(
        {
            "pipeline.py": "import tools\n\ndef train(x):\n    return tools.fit(x)\n",
            "tools.py": "for n in ('fit',):\n    globals()[n] = lambda x: 1\n",
        },
        changed=[("tools.py", "x: 1", "x: 2")],
        opaque=["tools: no statement binds `fit`; the whole module counts"],
    ),
    "docstrings that are read": Case(
        {
            "pipeline.py": "import tools\n\ndef train(x):\n    '''T.'''\n    return tools.fit.__doc__\n",
            "tools.py": "'''M.'''\n\ndef fit(x):\n    '''Fit.'''\n",
        },
        changed=[("tools.py", "'''Fit.'''", "'''Fits.'''")],
        same=[("tools.py", "'''M.'''", "'''N.'''")],
    ),
    "docstring of the module": Case(
        {"pipeline.py": "'''M.'''\n\ndef train(x):\n    return __doc__\n"},
        changed=[("pipeline.py", "'''M.'''", "'''N.'''")],
    ),
    "annotations that are read": Case(
        {"pipeline.py": "from typing import get_type_hints\n\ndef fit(x: int): ...\n\ndef train(x):\n    return get_type_hints(fit)\n"},
        changed=[("pipeline.py", "x: int", "x: float")],
    ),
    "two statements on a line": Case(
        {"pipeline.py": "A = 1; B = 2\n\ndef train(x): return A\n"},
        changed=[("pipeline.py", "A = 1", "A = 2")],
        same=[("pipeline.py", "B = 2", "B = 3")],
    ),
    "imports of one root": Case(
        {"pipeline.py": "import xml.dom\nimport xml.sax\n\ndef train(x):\n    return xml.dom.Node\n"},
        same=[("pipeline.py", "import xml.sax\n", "import xml.etree\n")],
    ),
    "swapped imports": Case(
        {
            "pipeline.py": "from tools import a as f, b as g\n\ndef train(x):\n    return f(x) - g(x)\n",
            "tools.py": "def a(x):\n    return 1\n\ndef b(x):\n    return 2\n",
        },
        changed=[("pipeline.py", "a as f, b as g", "b as f, a as g"), ("pipeline.py", "a as f", "b as f")],
        same=[("pipeline.py", "a as f, b as g", "b as g, a as f")],
    ),
    "resolved names of types": Case(
        {
            "pipeline.py": "import decimal as d\nfrom decimal import Decimal\nfrom typing import Literal\n\n"
            "Row = list[int]\n\ndef train(x: d.Decimal, y: 'Row', z: Literal['a'] = 'a') -> None:\n    return None\n",
        },
        changed=[
            ("pipeline.py", "x: d.Decimal", "x: int"),
            ("pipeline.py", "Row = list[int]", "Row = list[str]"),
            ("pipeline.py", "Literal['a']", "Literal['b']"),
        ],
        same=[("pipeline.py", "x: d.Decimal", "x: Decimal"), ("pipeline.py", "y: 'Row'", "y: Row")],
    ),
    "pattern of strings and numbers": Case(
        {"pipeline.py": "def train(x):\n    return f'{x:>{3}}' 'b', 1, 'a' 'c', b'z', 2j, ..., -0.0\n"},
        changed=[
            ("pipeline.py", ", 1,", ", 1.0,"),
            ("pipeline.py", ", 1,", ", True,"),
            ("pipeline.py", "{3}", "{4}"),
            ("pipeline.py", "-0.0", "0.0"),
            ("pipeline.py", "2j", "2.0"),
            ("pipeline.py", "b'z'", "'z'"),
        ],
        same=[("pipeline.py", "'a' 'c'", "'ac'"), ("pipeline.py", "' 'b'", "b'"), ("pipeline.py", "..., ", "..., \\\n")],
    ),
}  # fmt: skip

EDITS = [
    pytest.param(name, edit, changes, id=f"{name}-{'changed' if changes else 'same'}-{number}")
    for name, case in CASES.items()
    for changes, edits in ((True, case.changed), (False, case.same))
    for number, edit in enumerate(edits)
]


def where(case: Case) -> str:
    return "lab.pipeline:train" if "lab/pipeline.py" in case.files else "pipeline:train"


@pytest.mark.parametrize(("name", "edit", "changes"), EDITS)
def test_edits(tmp_path, name, edit, changes):
    case = CASES[name]
    file, old, new = edit
    assert old in case.files[file]
    edited = case.files | {file: case.files[file].replace(old, new, 1)}
    before, after = taken(tmp_path / "a", case.files, where(case)), taken(tmp_path / "b", edited, where(case))
    assert (before.digest != after.digest) is changes


@pytest.mark.parametrize("name", CASES)
def test_what_is_reached_is_told(tmp_path, name):
    case = CASES[name]
    found = taken(tmp_path, case.files, where(case))
    assert case.reached <= names(found)
    assert not case.unreached & names(found)
    assert set(case.opaque) <= set(found.opaque) if case.opaque else not found.opaque, found.opaque
    assert [d.name for d in found.definitions] == sorted(names(found)), "sorted, each once"
    for definition in found.definitions:
        assert definition.file in found.files
        assert not definition.source or definition.line >= 1


# --------------------------------------------------------------------------- what is told


def test_definitions_carry_their_source_as_written(tmp_path):
    text = """\
        from stepwell import step
        A = [
            1,  # one
        ]; B = 2


        if B:
            @decorated
            # why
            def helper(x):
                '''Doc.'''
                return A

        decorated = print

        @step(
            cpus=2,
        )
        def train(x: int):
            return helper(x)  # call
        """
    found = {d.name: d for d in taken(tmp_path, {"pipeline.py": text}).definitions}
    assert found["pipeline.A"].source == "A = [\n    1,  # one\n]"
    assert found["pipeline.A"].line == 2
    assert found["pipeline.train"].source == (
        "@step(\n    cpus=2,\n)\ndef train(x: int):\n    return helper(x)  # call"
    )
    assert found["pipeline.train"].line == 16
    assert found["pipeline.train"].file == "pipeline.py"
    assert found["pipeline.helper"].source.startswith("if B:\n    @decorated\n    # why\n    def helper")


def test_windows_line_ends_and_byte_order_marks(tmp_path):
    text = "A = 1\ndef train(x):\n    return A\n"
    first = taken(tmp_path / "a", {"pipeline.py": text})
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "pipeline.py").write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
    assert Project(tmp_path / "b").fingerprint("pipeline", "train") == first


def test_a_declared_encoding(tmp_path):
    (tmp_path / "pipeline.py").write_bytes(
        "# coding: latin-1\ndef train():\n    return 'ü'\n".encode("latin-1")
    )
    found = Project(tmp_path).fingerprint("pipeline", "train")
    assert found.digest == taken(tmp_path / "b", {"pipeline.py": "def train():\n    return 'ü'\n"}).digest
    assert "ü" in found.definitions[0].source


def test_files_that_were_consulted(tmp_path):
    files = {
        "pipeline.py": "import a\nimport unused\n\ndef train(x):\n    from lab import b\n    return a.f(x)\n",
        "a.py": "def f(x):\n    return x\n",
        "unused.py": "",
        "lab/__init__.py": "",
        "lab/b.py": "",
        "far.py": "",
    }
    found = taken(tmp_path, files)
    assert found.files == ("a.py", "lab/__init__.py", "lab/b.py", "pipeline.py", "unused.py")


def test_each_file_is_read_once_and_through_the_given_reader(tmp_path):
    root = written(tmp_path, CASES["re-export"].files)
    seen: list[Path] = []

    def read(path: Path) -> bytes:
        seen.append(path)
        return path.read_bytes()

    project = Project(root, read=read)
    first = project.fingerprint("pipeline", "train")
    assert project.fingerprint("pipeline", "train") is first
    assert len(seen) == len(set(seen)) == 5


def test_the_given_bytes_count_and_not_those_on_disk(tmp_path):
    root = written(tmp_path, {"pipeline.py": "def train():\n    return 1\n"})
    on_disk = Project(root).fingerprint("pipeline", "train")
    given = Project(root, read=lambda path: path.read_bytes().replace(b"1", b"2")).fingerprint(
        "pipeline", "train"
    )
    assert on_disk.digest != given.digest


def test_nothing_of_the_user_is_imported_or_run(tmp_path):
    files = {
        "pipeline.py": "import lab.sub\nopen('ran', 'w')\n\ndef train():\n    return lab.sub.x\n",
        "lab/__init__.py": "open('ran', 'w')\n",
        "lab/sub.py": "x = open('ran', 'w')\n",
    }
    before = set(sys.modules)
    taken(tmp_path, files)
    assert not {"pipeline", "lab", "lab.sub"} & (set(sys.modules) - before)
    assert not (tmp_path / "ran").exists()
    assert not Path("ran").exists()


def test_the_project_may_move(tmp_path):
    files = CASES["class hierarchy"].files
    assert taken(tmp_path / "a", files) == taken(tmp_path / "deep" / "b", files)


def test_source_layout(tmp_path):
    files = {"src/lab/__init__.py": "", "src/lab/steps.py": "def train():\n    return 1\n"}
    project = Project(written(tmp_path, files))
    assert project.module_file("lab.steps") == tmp_path / "src/lab/steps.py"
    assert project.module_file("lab") == tmp_path / "src/lab/__init__.py"
    assert project.fingerprint("lab.steps", "train").files == ("src/lab/__init__.py", "src/lab/steps.py")


def test_module_files(tmp_path):
    files = {
        "space/a.py": "",
        "json.py": "",
        "data/x.csv": "",
        "stepwell.py": "",
        "email/x.txt": "",
        "my-file.py": "",
    }
    project = Project(written(tmp_path, files))
    assert project.module_file("space.a") == tmp_path / "space/a.py"
    assert project.module_file("json") == tmp_path / "json.py", (
        "the project's file wins over the standard library"
    )
    assert project.module_file("my-file") == tmp_path / "my-file.py"
    for name in (
        "space",
        "data",
        "stepwell",
        "email",
        "email.message",
        "pytest",
        "space.b",
        "nothing",
        "json.x",
    ):
        assert project.module_file(name) is None, name


# --------------------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("module", "qualname", "kind", "text"),
    [
        ("nowhere", "train", NotInAFile, "`nowhere` is no source file"),
        ("json", "dumps", NotInAFile, "`json` is no source file"),
        ("__main__", "train", NotInAFile, "`__main__`"),
        ("pipeline", "missing", NotInAFile, "binds `missing`"),
        ("pipeline", "<lambda>", BadStep, "lambda"),
        ("broken", "train", CannotImport, "`broken.py` is not valid Python"),
        ("uses", "train", CannotImport, "`broken.py` is not valid Python"),
        ("nulls", "train", CannotImport, "nulls.py"),
        ("badly", "train", CannotImport, "badly.py"),
    ],
)
def test_errors(tmp_path, module, qualname, kind, text):
    files = {
        "pipeline.py": "def train(): ...\n",
        "broken.py": "def train():\n    return (\n",
        "uses.py": "import broken\n\ndef train():\n    return broken.f()\n",
        "nulls.py": "x = 1\0\n",
    }
    root = written(tmp_path, files)
    (root / "badly.py").write_bytes(b"x = '\xff'\n")
    with pytest.raises(kind) as caught:
        Project(root).fingerprint(module, qualname)
    assert text in str(caught.value)
    assert caught.value.fixes


def test_a_syntax_error_names_file_and_line(tmp_path):
    files = {
        "pipeline.py": "from lab import bad\n\ndef train():\n    return bad.f()\n",
        "lab/bad.py": "a = 1\nb = = 2\n",
    }
    with pytest.raises(CannotImport) as caught:
        taken(tmp_path, files)
    assert caught.value.where == "lab/bad.py:2"


def test_a_file_that_cannot_be_read(tmp_path):
    root = written(
        tmp_path, {"pipeline.py": "import other\n\ndef train():\n    return other.f()\n", "other.py": ""}
    )

    def read(path: Path) -> bytes:
        if path.name == "other.py":
            raise PermissionError(13, "Permission denied")
        return path.read_bytes()

    with pytest.raises(CannotImport, match=r"`other\.py` cannot be read: Permission denied"):
        Project(root, read=read).fingerprint("pipeline", "train")


def test_a_step_made_inside_a_function(tmp_path):
    text = "def make(k):\n    def train(x):\n        return x * k\n    return train\n"
    found = taken(tmp_path / "a", {"pipeline.py": text}, "pipeline:make.<locals>.train")
    other = taken(tmp_path / "b", {"pipeline.py": text.replace("* k", "+ k")}, "pipeline:make.<locals>.train")
    assert found.digest != other.digest
    assert found.opaque == (
        "pipeline.make.<locals>.train: values of the function that makes it are not seen",
    )


def test_a_method(tmp_path):
    text = "class Model:\n    def fit(self, x: int):\n        return x\n"
    digests = {
        taken(tmp_path / str(i), {"pipeline.py": text.replace(old, new)}, "pipeline:Model.fit").digest
        for i, (old, new) in enumerate([("", ""), ("x: int", "x: float"), ("return x", "return -x")])
    }
    assert len(digests) == 3


# --------------------------------------------------------------------------- what is installed


def install(site: Path, name: str, version: str, files: list[str], **extra: str) -> None:
    info = site / f"{name}-{version}.dist-info"
    info.mkdir(parents=True)
    for file in files:
        (site / file).parent.mkdir(parents=True, exist_ok=True)
        (site / file).write_text("raise SystemExit('imported')\n")
    (info / "METADATA").write_text(f"Name: {name}\nVersion: {version}\n")
    (info / "RECORD").write_text("".join(f"{f},,\n" for f in [*files, f"{info.name}/METADATA"]))
    for file, text in extra.items():
        (info / file.replace("__", ".")).write_text(text)


@pytest.fixture
def site(tmp_path, monkeypatch):
    folder = tmp_path / "env/lib/python3/site-packages"
    folder.mkdir(parents=True)
    monkeypatch.setattr(sys, "path", [*sys.path, str(folder)])
    return folder


def test_distributions(tmp_path, site):
    install(site, "numlib", "1.2", ["numlib/__init__.py"])
    install(site, "scikit_thing", "3.0.1+cpu", ["sthing/__init__.py", "sthing/tree.py"])
    install(site, "Old.Name", "0.1", ["oldname.py"], top_level__txt="oldname\n")
    install(site, "cloud_a", "1", ["cloud/a/__init__.py"])
    install(site, "cloud_b", "2", ["cloud/b/__init__.py"])
    install(site, "unused", "9", ["unused.py"])
    install(site, "typed", "4", ["typed.py"])
    install(site, "stars", "5", ["stars.py"])
    install(site, "stepwell", "0", ["stepwell/__init__.py"])
    files = {
        "pipeline.py": """\
            import numlib as nl, unused
            import json
            import stepwell
            from sthing.tree import fit
            from cloud import b
            import data
            import typed
            from stars import *

            def helper(x: typed.Frame):
                import oldname
                return nl.sum(x), b.go(), spark(x)

            def train(x):
                return fit(helper(x)), data.DEPTH, stepwell.log
            """,
        "data.py": "DEPTH = 3\n",
    }
    found = taken(tmp_path / "project", files)
    expected = [("cloud-b", "2"), ("numlib", "1.2"), ("old-name", "0.1"), ("scikit-thing", "3.0.1+cpu")]
    assert list(found.distributions) == [*expected, ("stars", "5"), ("typed", "4")]
    assert not found.opaque


def test_versions_are_beside_the_digest(tmp_path, site):
    files = {"pipeline.py": "import numlib\n\ndef train(x):\n    return numlib.f(x)\n"}
    install(site, "numlib", "1.2", ["numlib.py"])
    first = taken(tmp_path / "a", files)
    (site / "numlib-1.2.dist-info").rename(site / "numlib-1.3.dist-info")
    second = taken(tmp_path / "a", files)
    assert first.digest == second.digest
    assert (first.distributions, second.distributions) == ((("numlib", "1.2"),), (("numlib", "1.3"),))


def test_an_installed_package_beside_a_folder_of_that_name(tmp_path, site):
    install(site, "data", "1", ["data/__init__.py"])
    files = {
        "pipeline.py": "import data\n\ndef train(x):\n    return data.f(x)\n",
        "data/flights.csv": "a,b\n",
    }
    found = taken(tmp_path / "project", files)
    assert found.distributions == (("data", "1"),)


def test_what_did_not_come_from_an_index(tmp_path, site):
    files = {"pipeline.py": "import a, b\n\ndef train(x):\n    return a.f(x), b.f(x)\n"}
    install(
        site,
        "a",
        "1",
        ["a.py"],
        direct_url__json='{"url": "git+https://x", "vcs_info": {"commit_id": "%s"}}' % ("ab" * 20),
    )
    install(site, "b", "1", ["b.py"], direct_url__json='{"url": "file:///x", "dir_info": {}}')
    first = dict(taken(tmp_path / "project", files).distributions)
    assert first["a"] == "1 (git abababababab)"
    assert first["b"].startswith("1 (files ")
    with (site / "b-1.dist-info/RECORD").open("a") as record:
        record.write("b.py,sha256=changed,\n")
    assert dict(taken(tmp_path / "project", files).distributions)["b"] != first["b"]


@pytest.mark.parametrize("below", ["", "src"])
def test_editable_installs_are_first_party(tmp_path, site, below):
    other = tmp_path / "other project"
    written(
        other / below,
        {"lib/__init__.py": "from .core import f\n", "lib/core.py": "def f(x):\n    return 1\n"},
    )
    url = f'{{"url": "{other.as_uri()}", "dir_info": {{"editable": true}}}}'
    install(site, "lib", "1", [], direct_url__json=url)
    files = {"pipeline.py": "from lib import f\n\ndef train(x):\n    return f(x)\n"}
    first = taken(tmp_path / "project", files)
    assert first.distributions == ()
    assert "lib.core.f" in names(first)
    written(other / below, {"lib/core.py": "def f(x):\n    return 2\n"})
    assert taken(tmp_path / "project", files).digest != first.digest
    assert str(other / below / "lib/core.py") in first.files


def test_an_editable_install_that_maps_its_packages(tmp_path, site):
    place = written(tmp_path / "other/python/code", {"lib/__init__.py": "def f(x):\n    return 1\n"}) / "lib"
    url = f'{{"url": "{(tmp_path / "other").as_uri()}", "dir_info": {{"editable": true}}}}'
    install(site, "lib_dist", "1.0", [], direct_url__json=url)
    finder = f"MAPPING: dict[str, str] = {{'lib': {str(place)!r}}}\n"
    (site / "__editable___lib_dist_1_0_finder.py").write_text(finder)
    files = {"pipeline.py": "import lib\n\ndef train(x):\n    return lib.f(x)\n"}
    assert "lib.f" in names(taken(tmp_path / "project", files))


def test_what_is_found_nowhere_is_told(tmp_path):
    files = {
        "pipeline.py": "import gone_entirely\ntry:\n    import maybe_gone\nexcept ImportError:\n    maybe_gone = None\n\n"
        "def train(x):\n    return gone_entirely.f(x), maybe_gone\n",
    }
    assert taken(tmp_path, files).opaque == (
        "`gone_entirely` is provided by nothing that is installed; it does not count",
    )


def test_compiled_modules_of_the_project_count_as_bytes(tmp_path):
    files = {
        "pipeline.py": "from lab import native\n\ndef train(x):\n    return native.f(x)\n",
        "lab/__init__.py": "",
    }
    root = written(tmp_path, files)
    digests = set()
    for data in (b"\x7fELF1", b"\x7fELF2"):
        (root / "lab/native.so").write_bytes(data)
        found = Project(root).fingerprint("pipeline", "train")
        assert "lab.native (compiled)" in names(found)
        digests.add(found.digest)
    assert len(digests) == 2


def test_a_search_path_with_holes():
    installed = Installed(["/nowhere", __file__])
    assert installed.providers("numpy") == ()
    assert installed.editable == ()


# --------------------------------------------------------------------------- stability and size

GOLDEN = '''\
import functools, math
from dataclasses import dataclass

LIMITS = {"low": -1, "high": 0xFF, "π": 3.14, **{}}

@dataclass
class Row:
    """A row."""
    name: str
    value: float = 1e-3

def outer(n, /, *args, key=None, **rest):
    """Doc."""
    @functools.cache
    def inner(x: int) -> str:
        return f"a{x!r:>{n}}b" f"{x=}" "c" f"{x:%H:%M}" rf"\\d{{}}{x:}"
    try:
        with open("a") as f, open("b"):
            yield from (i for i in f if i)
    except* (ValueError, OSError) as error:
        raise RuntimeError from error
    finally:
        del f
    match args:
        case [1, *_, Row(name="x") as row] | {"k": None, **more} if (m := n) > 1:
            return lambda *a, b=...: a[1:, ::2] @ b
        case -1.5 | 2j | True | math.pi:
            global LIMITS
    return not n if n is not None and 1 < n <= 2 else {**rest}, [*args], {1, 2}, b"\\x00", "\\ud800"

async def train(x: "Row", n: int = 3) -> list[Row]:
    async with x as y:
        return [await z async for z in outer(n, *x, **y)]
'''  # fmt: skip

GOLDEN_DIGEST = "ca8455ba09e934caad41fee5c43660f3a9b3cb6ce25a91fe1eaa6454bbe26d81"


def test_golden_vector(tmp_path):
    """The same on every interpreter. A change to it makes every result of every user stale: raise FORMAT."""
    assert taken(tmp_path, {"pipeline.py": GOLDEN}).digest == GOLDEN_DIGEST


def test_canonical_text_can_be_read():
    tree = ast.parse("def f(a, b=1):\n    'doc'\n    x: int = a + 'é'\n    pass\n    return f'{x}' 'y'\n")
    assert canonical(tree.body, RULES) == (
        "[(FunctionDef args=(arguments args=[(arg arg=a) (arg arg=b)] defaults=[i0x1]) body=["
        "(Assign targets=[(Name id=x)] value=(BinOp left=(Name id=a) op=(Add) right=s1:é)) "
        "(Return value=(JoinedStr values=[(FormattedValue conversion=i-0x1 value=(Name id=x)) s1:y]))] name=f)]"
    )


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("f'{x}' 'y'", "f'{x}y'"),
        ("f'abc'", "'abc'"),
        ("f''", "''"),
        ("f'{x:}'", "f'{x}'"),
        ("f'a' f'{x}' f'b'", "'a' f'{x}b'"),
        ("(1)", "1"),
        ("0xff", "255"),
        ("1_000.0", "1e3"),
        ("u'a'", "'a'"),
        ("x if a else b", "(x if (a) else b)"),
    ],
)
def test_one_meaning_one_text(first, second):
    assert canonical([ast.parse(first, mode="eval").body], RULES) == canonical(
        [ast.parse(second, mode="eval").body], RULES
    )


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("1", "1.0"),
        ("'a', 'b'", "'a, b'"),
        ("f('a b')", "f('a', b)"),
        ("'s1:a'", "'a'"),
        ("{**a}", "{None: a}"),
        ("{a: b, **c}", "{**c, a: b}"),
        ("f(*a)", "f(a)"),
        ("f'{x}'", "f'{x!s}'"),
        ("f'{x:a}'", "f'{x}a'"),
        ("f'{{x}}'", "f'{x}'"),
        ("lambda: None", "lambda: ()"),
        ("a.b", "a.c"),
        ("a[1:]", "a[:1]"),
        ("None", "'None'"),
        ("1e999", "2e999j"),
    ],
)
def test_another_meaning_another_text(first, second):
    assert canonical([ast.parse(first, mode="eval").body], RULES) != canonical(
        [ast.parse(second, mode="eval").body], RULES
    )


def test_deep_expressions(tmp_path):
    terms = " + ".join(["x"] * 900)
    text = f"A = 1\n\ndef train(x):\n    return {terms} + A\n"
    assert names(taken(tmp_path, {"pipeline.py": text})) == {"pipeline.A", "pipeline.train"}


def test_a_huge_constant(tmp_path):
    text = f"BIG = {list(range(100_000))!r}\n\ndef train(x):\n    return BIG\n"
    first = taken(tmp_path / "a", {"pipeline.py": text}).digest
    assert first != taken(tmp_path / "b", {"pipeline.py": text.replace("99999", "99998")}).digest


def test_the_order_of_hashes_does_not_matter(tmp_path):
    """Sets of strings are ordered differently in each process."""
    case = CASES["registry by decorator"]
    root = written(tmp_path, case.files)
    program = (
        "import sys; from pathlib import Path; from stepwell.author.fingerprint import Project;"
        "print(Project(Path(sys.argv[1])).fingerprint('pipeline', 'train'))"
    )
    answers = set()
    for seed in ("1", "2", "3"):
        environment = {
            **os.environ,
            "PYTHONHASHSEED": seed,
            "PYTHONPATH": os.pathsep.join(p for p in sys.path if p),
        }
        command = [sys.executable, "-c", program, str(root)]
        answers.add(
            subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
        )
    assert len(answers) == 1


def test_many_steps_that_share_code_are_cheap(tmp_path):
    """Five thousand lines of shared code and a thousand steps: about a second on a slow machine."""
    shared = "".join(
        f"def f{i}(x):\n    y = [v * C{i} for v in x]\n    return f{(i * 7 + 1) % 1000}(y) if y else g(x)\n\n\nC{i} = {i}\n"
        for i in range(1000)
    )
    files = {
        "pipeline.py": "from shared import *\nimport shared\n\n"
        + "".join(f"def s{i}(x):\n    return shared.f{i % 10}(x)\n\n\n" for i in range(1000)),
        "shared.py": shared + "def g(x):\n    return x\n",
    }
    project = Project(written(tmp_path, files))
    started = time.process_time()
    first = project.fingerprint("pipeline", "s0")
    digests = {project.fingerprint("pipeline", f"s{i}").digest for i in range(0, 1000, 10)}
    assert time.process_time() - started < 10
    assert len(digests) == 100
    assert "shared.g" in names(first)


# --------------------------------------------------------------------------- left out, looked for, covered

HELPERS = {
    "pipeline.py": "from helpers import fit, show\n\ndef train(x):\n    show(x)\n    return fit(x)\n",
    "helpers.py": "import deep\n\ndef fit(x):\n    return x\n\ndef show(x):\n    print(deep.line(x))\n",
    "deep.py": "def line(x):\n    return 'a'\n",
}


def left_out(folder: Path, files: dict[str, str], *ignore: str) -> Fingerprint:
    return Project(written(folder, files)).fingerprint("pipeline", "train", ignore)


@pytest.mark.parametrize("name", ["helpers:show", "pipeline:show"])
def test_helpers_that_are_left_out(tmp_path, name):
    found = left_out(tmp_path / "a", HELPERS, name)
    assert found.ignored == ("helpers.show",)
    assert not {"helpers.show", "deep.line"} & names(found)
    for file, old, new in (("helpers.py", "print(", "print(1, "), ("deep.py", "'a'", "'b'")):
        edited = HELPERS | {file: HELPERS[file].replace(old, new)}
        assert left_out(tmp_path / new, edited, name).digest == found.digest
        assert left_out(tmp_path / new, edited).digest != left_out(tmp_path / "a", HELPERS).digest
    edited = HELPERS | {"helpers.py": HELPERS["helpers.py"].replace("return x", "return -x")}
    assert left_out(tmp_path / "c", edited, name).digest != found.digest


def test_what_is_left_out_still_counts_where_something_else_reaches_it(tmp_path):
    files = HELPERS | {"helpers.py": HELPERS["helpers.py"].replace("return x", "return deep.line(x)")}
    found = left_out(tmp_path, files, "helpers:show")
    assert "deep.line" in names(found)


def test_what_is_left_out_and_not_reached_is_not_told(tmp_path):
    found = left_out(tmp_path, HELPERS, "deep:line", "helpers:show")
    assert found.ignored == ("helpers.show",)
    assert left_out(tmp_path, HELPERS, "pipeline:train").ignored == ()


@pytest.mark.parametrize("name", ["helpers:shwo", "nowhere:show", "helpers", "helpers:Show.line"])
def test_what_cannot_be_left_out(tmp_path, name):
    with pytest.raises(BadStep, match="cannot be left out") as caught:
        left_out(tmp_path, HELPERS, name)
    assert caught.value.fixes


def test_absent_files_that_would_change_the_fingerprint_are_named(tmp_path):
    files = {
        "pipeline.py": "import numlib\nfrom lab import maybe\nfrom lab.tools import fit\n\ndef train(x):\n"
        "    import late\n    return fit(x), numlib, late.f(x), maybe\n",
        "lab/tools.py": "def fit(x):\n    return 1\n",
        "late.py": "def f(x):\n    return 2\n",
        "free.py": "import never_asked\n",
    }
    found = taken(tmp_path, files)
    assert {
        "numlib.py", "numlib/__init__.py", "lab/__init__.py", "lab.py", "lab/maybe.py", "late/__init__.py", "src",
        "lab/tools/__init__.py", "pipeline/__init__.py",
    } <= set(found.probed)  # fmt: skip
    assert not any(name.startswith("never_asked") for name in found.probed)
    assert not set(found.probed) & {"lab/tools.py", "late.py", "pipeline.py"}
    assert all(not (tmp_path / path).exists() for path in found.probed)
    project = Project(tmp_path)
    project.fingerprint("pipeline", "train")
    relative = {path.removeprefix(f"{tmp_path}/") for path in project.probed}
    assert set(found.probed) <= relative


@pytest.mark.parametrize("path", ["numlib.py", "lab/maybe.py", "late/__init__.py"])
def test_a_file_that_appears_is_seen(tmp_path, path):
    files = {
        "pipeline.py": "import numlib\ntry:\n    from lab import maybe\nexcept ImportError:\n    maybe = 0\n\n"
        "def train(x):\n    import late\n    return numlib.f(x), late.f(x), maybe.f(x)\n",
        "lab/__init__.py": "",
        "late.py": "def f(x):\n    return 2\n",
    }
    before = taken(tmp_path, files)
    assert path in before.probed
    assert taken(tmp_path, {path: "def f(x):\n    return 3\n"}).digest != before.digest


def test_folders_of_packages_that_count_as_a_whole_are_listed(tmp_path):
    case = CASES["import by a computed name"]
    found = taken(tmp_path, case.files)
    assert found.listed == ("tools",)
    written(tmp_path, {"tools/new.py": "def fit(x):\n    return 5\n"})
    assert Project(tmp_path).fingerprint("pipeline", "train").digest != found.digest
    assert taken(tmp_path / "b", CASES["re-export"].files).listed == ()


def lines_covered(root: Path, file: str) -> list[str]:
    """The lines of a file that the fingerprint of `train` covers."""
    found = Project(root).fingerprint("pipeline", "train")
    lines = (root / file).read_text().splitlines()
    told = [line for number, line in enumerate(lines, 1) if found.covers(file, number)]
    absolute = [line for number, line in enumerate(lines, 1) if found.covers(str(root / file), number)]
    assert told == absolute
    return told


def test_the_lines_that_are_covered(tmp_path):
    files = {
        "pipeline.py": """\
            import json, os
            from other import X
            CFG = json.load(
                open("c.json")
            )
            UNUSED = json.load(open("d.json"))
            with open("e.json") as file:
                A = file.read()
                B = file.name

            def deco(f):
                return f

            @deco
            def helper(x):
                return CFG, A

            def unused(x):
                return 1

            os.environ["A"] = open("f").read()
            if X:
                random = 1
                os.chdir("/")

            def train(x):
                return helper(x)

            if __name__ == "__main__":
                train(1)
            """,
        "other.py": "X = open('x').read()\nY = open('y').read()\nprint(open('z').read())\n",
    }
    root = written(tmp_path, files)
    assert lines_covered(root, "pipeline.py") == [
        "import json, os",
        "from other import X",
        "CFG = json.load(", '    open("c.json")', ")",
        'with open("e.json") as file:', "    A = file.read()",
        "def deco(f):", "    return f",
        "@deco", "def helper(x):", "    return CFG, A",
        'os.environ["A"] = open("f").read()',
        "if X:", '    os.chdir("/")',
        "def train(x):", "    return helper(x)",
    ]  # fmt: skip
    assert lines_covered(root, "other.py") == ["X = open('x').read()", "print(open('z').read())"]
    found = Project(root).fingerprint("pipeline", "train")
    assert not found.covers("nowhere.py", 1)
    assert not found.covers("pipeline.py", 1000)


def test_the_order_of_effects_is_told(tmp_path):
    files = {
        "pipeline.py": "import first, second\n\ndef train(x):\n    return x\n",
        "first.py": "import os\nos.environ['A'] = '1'\n",
        "second.py": "import os\nos.environ['A'] = '2'\n",
    }
    found = taken(tmp_path, files)
    told = {d.name: d.source for d in found.definitions}
    assert told["pipeline (order of effects and changes)"].splitlines() == [
        "first (effects of importing it)",
        "second (effects of importing it)",
    ]
    alone = taken(tmp_path / "b", files | {"second.py": "A = 1\n"})
    assert "pipeline (order of effects and changes)" not in names(alone)


def test_a_module_that_counts_as_a_whole_is_covered_as_a_whole(tmp_path):
    case = CASES["module as a value"]
    root = written(tmp_path, case.files)
    assert lines_covered(root, "tools.py") == case.files["tools.py"].splitlines()


# --------------------------------------------------------------------------- sources that are hard to read


def test_an_array_of_a_gigabyte_counts_by_its_statement(tmp_path):
    text = "import numpy as np\nA = np.zeros(2 ** 27)\n\ndef train(x):\n    return A.sum() + x\n"
    before = set(sys.modules)
    found = taken(tmp_path / "a", {"pipeline.py": text})
    assert "pipeline" not in set(sys.modules) - before
    assert "pipeline.A" in names(found)
    assert max(len(d.source) for d in found.definitions) < 100
    assert found.digest != taken(tmp_path / "b", {"pipeline.py": text.replace("zeros", "ones")}).digest


def zipped(file: Path, files: dict[str, str]) -> None:
    with zipfile.ZipFile(file, "w") as archive:
        for name, text in files.items():
            archive.writestr(zipfile.ZipInfo(name), text)


@pytest.mark.parametrize(
    "imported", ["import packed.sub", "from packed import sub", "from packed.sub import f"]
)
def test_a_module_in_a_zip_file_counts_with_the_whole_file(tmp_path, monkeypatch, imported):
    archive = tmp_path / "lib.zip"
    monkeypatch.setattr(sys, "path", [*sys.path, str(archive)])
    use = {"import packed.sub": "packed.sub.f", "from packed import sub": "sub.f"}.get(imported, "f")
    files = {"pipeline.py": f"{imported}\n\ndef train(x):\n    return {use}(x)\n"}
    digests = set()
    for number in (1, 2):
        zipped(archive, {"packed/__init__.py": "", "packed/sub.py": f"def f(x):\n    return {number}\n"})
        found = taken(tmp_path / "project", files)
        assert "packed (compiled)" in names(found)
        assert not found.opaque
        digests.add(found.digest)
    assert len(digests) == 2


def test_a_module_whose_source_was_deleted(tmp_path):
    files = {
        "pipeline.py": "import gone\n\ndef train(x):\n    return gone.f(x)\n",
        "gone.py": "def f(x): ...\n",
    }
    before = taken(tmp_path, files)
    py_compile.compile(str(tmp_path / "gone.py"), cfile=str(tmp_path / "gone.pyc"), doraise=True)
    (tmp_path / "gone.py").unlink()
    compiled = Project(tmp_path).fingerprint("pipeline", "train")
    assert "gone (compiled)" in names(compiled)
    (tmp_path / "gone.pyc").unlink()
    without = Project(tmp_path).fingerprint("pipeline", "train")
    assert without.opaque == ("`gone` is provided by nothing that is installed; it does not count",)
    assert len({before.digest, compiled.digest, without.digest}) == 3


def test_a_project_on_the_path_through_a_pth_file(tmp_path):
    """What `site` makes of a `.pth` file of an editable install, in a process of its own."""
    other = written(tmp_path / "other/src", {"lib.py": "def f(x):\n    return 1\n"})
    place = tmp_path / "env/lib/python3/site-packages"
    install(place, "lib", "1", [], direct_url__json=f'{{"url": "{(tmp_path / "other").as_uri()}", "dir_info": {{"editable": true}}}}')  # fmt: skip
    (place / "__editable__.lib-1.pth").write_text(f"{other}\n")
    root = written(
        tmp_path / "project", {"pipeline.py": "import lib\n\ndef train(x):\n    return lib.f(x)\n"}
    )
    program = (
        "import site, sys; from pathlib import Path; site.addsitedir(sys.argv[2]);"
        "from stepwell.author.fingerprint import Project; import lib;"
        "found = Project(Path(sys.argv[1])).fingerprint('pipeline', 'train');"
        "print(lib.f(0), [d.name for d in found.definitions], found.distributions, found.digest)"
    )
    paths = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    paths["PYTHONDONTWRITEBYTECODE"] = "1"  # of one size and second: plain Python would import the old code
    command = [sys.executable, "-c", program, str(root), str(place)]
    first = subprocess.run(command, env=paths, capture_output=True, text=True, check=True).stdout
    assert first.startswith("1 ['lib.f', 'pipeline.lib', 'pipeline.train'] () ")
    written(other, {"lib.py": "def f(x):\n    return 2\n"})
    second = subprocess.run(command, env=paths, capture_output=True, text=True, check=True).stdout
    assert second.startswith("2 ")
    assert first[1:] != second[1:], "the digest"


def test_code_in_texts_is_named(tmp_path):
    files = {
        "pipeline.py": "import made\n\ndef train(x):\n    return made.f(x)\n",
        "made.py": "from pathlib import Path\nexec(Path('code.txt').read_text())\n",
    }
    assert taken(tmp_path, files).opaque == (
        "made: exec; the whole module counts",
        "made: no statement binds `f`; the whole module counts",
    )
