"""What a step's code changes of libraries, read from its source."""

from __future__ import annotations

from textwrap import dedent, indent

import pytest

from stepwell.author.fingerprint import Project

HEAD = """
import json, os, math, random, decimal, sys, warnings
import unittest.mock
from json import JSONEncoder
from unittest import mock
from unittest.mock import patch
import pandas as pd
import matplotlib
import helpers
from helpers import os as theirs
from stepwell import step
"""


def patches(folder, body: str, more: str = "", above: str = "") -> tuple[str, ...]:
    (folder / "helpers.py").write_text("import os\nCFG = 1\nclass Own: pass\n")
    text = f"{HEAD}\n{dedent(more)}\n{above}\ndef train(x):\n{indent(dedent(body).strip(), '    ')}\n"
    (folder / "pipeline.py").write_text(text)
    return Project(folder).fingerprint("pipeline", "train").patches


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ("os.path.getsize = lambda p: 42", "os.path.getsize"),
        ("JSONEncoder.default = str", "json.JSONEncoder.default"),
        ("os.environ.get = print", "os.environ.get"),
        ("decimal.DefaultContext.prec = 3", "decimal.DefaultContext.prec"),
        ("import builtins\nbuiltins.len = str", "builtins.len"),
        ("from random import Random as R\nR.random = str", "random.Random.random"),
        ("del math.e", "math.e"),
        ("math.pi += 1", "math.pi"),
        ("math.pi, x = 3, 4", "math.pi"),
        ("for math.pi in range(3): pass", "math.pi"),
        ("setattr(json, 'loads', str)", "json.loads"),
        ("setattr(json, x, str)", "json.*"),
        ("delattr(json, 'loads')", "json.loads"),
        ("vars(json)['loads'] = str", "json.loads"),
        ("json.__dict__['loads'] = str", "json.loads"),
        ("vars(json).update(loads=str)", "json.*"),
        ("with mock.patch('os.getcwd'): pass", "os.getcwd"),
        ("with patch.object(os, 'getcwd'): pass", "os.getcwd"),
        ("with unittest.mock.patch.multiple(os, getcwd=str): pass", "os.getcwd"),
        ("theirs.stat = str", "os.stat"),
        ("pd.DataFrame.double = str", "pandas.DataFrame.double"),
        ("def inner():\n    math.pi = 3\ninner()", "math.pi"),
        ("[setattr(math, 'pi', n) for n in x]", "math.pi"),
        ("(lambda: setattr(math, 'pi', 3))()", "math.pi"),
    ],
)
def test_found(tmp_path, body, found):
    assert patches(tmp_path, body) == (found,)


def test_found_in_what_the_step_reaches(tmp_path):
    more = "def a(): b()\ndef b():\n    math.pi = 3\nclass C:\n    def __enter__(self):\n        math.e = 3\n"
    assert patches(tmp_path, "a()\nwith C(): pass", more) == ("math.e", "math.pi")
    assert patches(tmp_path, "return x", more) == ()


def test_found_in_a_decorator(tmp_path):
    assert patches(tmp_path, "return x", above="@patch('os.getcwd')") == ("os.getcwd",)


@pytest.mark.parametrize(
    "body",
    [
        "os.environ['A'] = '1'",
        "os.environ.update(A='1')",
        "matplotlib.rcParams['font.size'] = 3",
        "pd.options.display.precision = 3",
        "warnings.filterwarnings('ignore')",
        "warnings.showwarning = print",
        "sys.stdout = sys.stderr",
        "decimal.getcontext().prec = 3",
        "frame = pd.DataFrame()\nframe.title = 'x'\nframe['a'] = 1",
        "x.loads = 3\nsetattr(x, 'loads', 3)\nvars(x)['loads'] = 3",
        "json = x\njson.loads = 3",
        "helpers.CFG = 3\nhelpers.Own.x = 3",
        "def inner(math):\n    math.pi = 3\ninner(x)",
        "with mock.patch('helpers.CFG'): pass",
        "train.calls = 3",
        "random.shuffle(x)\nmath.floor(x)",
    ],
)
def test_not_found(tmp_path, body):
    assert patches(tmp_path, body) == ()


def test_what_a_module_does_when_it_is_imported_is_no_act_of_the_step(tmp_path):
    more = "math.pi = 3\njson.loads = str\nclass T:\n    math.e = 3\n"
    assert patches(tmp_path, "return T", more) == ()
