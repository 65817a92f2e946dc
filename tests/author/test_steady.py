"""What makes a trace unsteady: whatever a body, or a module as it is imported, may ask that nobody observes."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

from stepwell.author.steady import unsteady

HEAD = """
from stepwell import pipeline, source, step
import helpers

@step
def made(value: str) -> str:
    import time
    return value + str(time.time())
"""

BODY = """
@pipeline
def whole(by: int = 2) -> str:
    return made({mood})
"""

HELPERS = """
import functools, time
from time import strftime as spell

TABLE = {"now": time.time}

def stamp():
    return str(time.time())[:1]

def spelled():
    return spell("%H")

def decorated(function):
    @functools.lru_cache
    def inner():
        return function()
    return inner

@decorated
def wrapped():
    return stamp()

class Day:
    def __call__(self):
        return stamp()

    @property
    def name(self):
        return stamp()

    @classmethod
    def first(cls):
        return stamp()

    @staticmethod
    def second():
        return stamp()

STAMP = functools.partial(stamp)

def reads():
    import polars
    return str(polars.read_csv("a.csv"))
"""


@pytest.fixture
def look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Says what makes a pipeline unsteady, given the text before its body, an expression in it, and a module beside it."""

    def load(name: str, text: str) -> ModuleType:
        path = tmp_path / f"{name}.py"
        path.write_text(text)
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, name, module)
        spec.loader.exec_module(module)
        return module

    def found(before: str = "", mood: str = "''", helpers: str = HELPERS) -> str:
        monkeypatch.chdir(tmp_path)
        (tmp_path / "a.csv").write_text("x\n1\n")
        (tmp_path / "c.json").write_text("{}")
        modules = {"helpers": load("helpers", helpers)}
        modules["pipeline_file"] = load("pipeline_file", HEAD + before + BODY.format(mood=mood))
        sources = {
            str(module.__file__): Path(str(module.__file__)).read_bytes() for module in modules.values()
        }
        return unsteady(vars(modules["pipeline_file"])["whole"], modules, sources)

    return found


@pytest.mark.parametrize(
    "mood",
    [
        "helpers.stamp()",
        "helpers.spelled()",
        "helpers.wrapped()",
        "helpers.Day()()",
        "helpers.Day().name",
        "helpers.Day.first()",
        "helpers.Day.second()",
        "helpers.STAMP()",
        "str(helpers.TABLE['now']())",
        "helpers.reads()",
        "str(getattr(helpers, 'stamp')())",
        "str(eval('1'))",
        "str(__import__('time').asctime())",
        "(print('hello') or '')",
        "(lambda say: say('hello') or '')(print)",
        "str(hash('a'))",
    ],
)
def test_bodies_that_reach_further(look, mood: str) -> None:
    assert look("", mood)


@pytest.mark.parametrize(
    ("before", "mood"),
    [
        ("import datetime", "str(datetime.date.today())"),
        ("import datetime as d", "str(d.datetime.now())"),
        ("from datetime import datetime", "str(datetime.utcnow())"),
        ("from time import time as t", "str(t())"),
        ("import time", "time.asctime()"),
        ("import time", "str(time.clock_gettime(0))"),
        ("import email.utils", "email.utils.formatdate()"),
        ("import sqlite3", "str(sqlite3.connect(':memory:').execute('select 1'))"),
        ("import random", "str(random.sample([1], 1))"),
        ("import random\nCHANCE = random.Random(3)", "str(CHANCE.randbytes(0))"),
        ("import secrets", "str(secrets.randbelow(2))"),
        ("import os", "str(os.path.getmtime('a.csv'))"),
        ("from os.path import getmtime as when", "str(max(['a.csv'], key=when))"),
        ("from pathlib import Path", "str(Path('a.csv').stat().st_size)"),
        ("import os", "str([e.stat().st_size for e in os.scandir('.')])"),
        ("import os", "str(os.access('a.csv', os.X_OK))"),
        ("import os", "str(os.cpu_count())"),
        ("import os", "str(os.sched_getaffinity(0))"),
        ("import resource", "str(resource.getrlimit(resource.RLIMIT_NOFILE))"),
        ("import platform", "platform.node()"),
        ("import shutil", "str(shutil.disk_usage('.'))"),
        ("import shutil", "str(shutil.get_terminal_size())"),
        ("import subprocess", "subprocess.check_output(['true'], text=True)"),
        ("import urllib.request", "str(urllib.request.urlopen)"),
        ("import numpy", "str(numpy.datetime64('now', 'm'))"),
        ("import numpy\nkept = {'x': numpy.datetime64}", "str(kept['x']('now', 'm'))"),
        ("import numpy\nkept = numpy.float64(3)", "str(kept.item())"),
        ("import pandas as pd\nframe = pd.DataFrame", "str(frame())"),
        ("import duckdb\ncon = duckdb.connect()", "str(con.execute('select 1'))"),
        ("import sys", "sys.stdin.read()"),
        ("from sys import stdin as given", "given.read()"),
        ("import fileinput", "str(list(fileinput.input()))"),
        ("kept = open('a.csv')", "kept.read()"),
        ("from statistics import NormalDist", "str(NormalDist(0, 1).samples(1))"),
        ("from operator import methodcaller\nimport datetime", "str(methodcaller('now')(datetime.datetime))"),
        ("from operator import attrgetter\nimport datetime", "str(attrgetter('now')(datetime.datetime)())"),
        ("from pathlib import Path", "Path('a.csv').owner()"),
        ("import logging\nlog = logging.getLogger()", "str(log.info('hello'))"),
        ("def inner():\n    import numpy\n    return str(numpy.datetime64('now'))", "inner()"),
        ("def later(t=__import__('time').time):\n    return str(t())", "later()"),
    ],
)
def test_bodies_that_ask_libraries(look, before: str, mood: str) -> None:
    assert look(before, mood)


@pytest.mark.parametrize(
    "before",
    [
        "import subprocess\nREV = subprocess.run(['true'])",
        "import subprocess\nsubprocess.run(['true'])",
        "import polars as pl\nT = str(pl.read_csv('a.csv')['x'].to_list())",
        "import pandas as pd\nT = pd.Timestamp('now')",
        "import pandas as pd\ndef g(t=pd.Timestamp('now')): pass",
        "import pandas as pd\nclass C:\n    t = pd.Timestamp('now')",
        "import numpy as np\nT = [np.random.default_rng(3) for _ in range(2)]",
        "import threading\nthreading.Thread(target=len, args=('a.csv',)).start()",
        "import os\nT = os.path.getmtime('a.csv')",
        "from os.path import getmtime as w\nT = w('a.csv')",
        "import time\nT = time.asctime()",
        "from time import asctime as w\nT = w()",
        "print('hello')",
        "import sys\nsys.setrecursionlimit(1000)",
        "def own():\n    import polars\n    return polars.read_csv('a.csv')\nT = own()",
        "import helpers\nT = helpers.stamp()",
        "import duckdb\ncon = duckdb.connect()\nT = con.execute('select 1')",
        "T = getattr(__builtins__, 'len', None)",
        "if True:\n    import pandas as pd\n    for i in range(1):\n        T = pd.Timestamp('now')",
    ],
)
def test_modules_that_ask_when_they_are_imported(look, before: str) -> None:
    assert look(before)


@pytest.mark.parametrize(
    ("before", "mood"),
    [
        ("import os", "'-'.join(sorted(os.listdir('.')))"),
        ("import math", "str(math.floor(2.5) + sum(range(3)))"),
        ("import datetime", "datetime.date(2013, 1, 1).isoformat()"),
        ("import itertools, functools, json", "json.dumps([itertools.count, functools.reduce][:0])"),
        ("import os", "os.getenv('MOOD') or os.environ.get('MOOD') or os.path.join('a', 'b')"),
        ("import re", "re.match('a', 'a').group()"),
        ("from pathlib import Path", "Path('a.csv').read_text() + str(Path('.').exists())"),
        ("import json\nfrom pathlib import Path\nCONFIG = json.loads(Path('c.json').read_text())", "str(CONFIG)"),
        ("import tomllib, glob, csv, io\nROWS = list(csv.reader(io.StringIO('a,b')))", "str(ROWS + glob.glob('*'))"),
        ("from typing import NamedTuple\nclass Rule(NamedTuple):\n    name: str", "Rule('a').name"),
        ("from dataclasses import dataclass\n@dataclass\nclass Rule:\n    name: str = 'a'", "Rule().name"),
        ("from enum import Enum\nclass Kind(Enum):\n    A = 'a'", "Kind.A.value"),
        ("import logging\nlog = logging.getLogger(__name__)", "''"),
        ("import sys\nsys.path.insert(0, 'lib')", "sys.platform"),
        ("import pandas as pd\npd.set_option('display.width', 80)", "''"),
        ("import pandas as pd\ndef fit(t: pd.DataFrame) -> pd.DataFrame: ...", "''"),
        ("import functools\n@functools.cache\ndef two(): return 'b'", "two()"),
        ("import numpy as np\nBINS = np.linspace(0, 1, 3)\nONES = [float(x) for x in BINS]", "str(ONES)"),
        ("import pydantic\nclass Row(pydantic.BaseModel):\n    a: int = pydantic.Field(ge=0)", "''"),
        ("read = 3\nimport os\ndef own(read):\n    return os.path.join('a', str(read))", "own('b')"),
        ("@step\ndef now() -> str:\n    return ''", "now()"),
    ],
)  # fmt: skip
def test_what_only_reckons_is_steady(look, before: str, mood: str) -> None:
    assert look(before, mood) == ""


def test_the_first_thing_is_named_with_its_place(look) -> None:
    assert look("import datetime", "str(datetime.date.today())") == "today (pipeline_file.py:12)"
    assert look("import polars as pl\nT = pl.read_csv('a.csv')").startswith("read_csv of polars")
