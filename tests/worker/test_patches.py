"""Replaced parts of Python's own libraries are seen and put back."""

from __future__ import annotations

import builtins
import collections
import decimal
import importlib
import json
import math
import os
import random

import pytest

from stepwell.worker.patches import Core


@pytest.fixture
def core():
    core = Core()
    yield core
    core.restore(whole=True)


def wrong(*_: object) -> int:
    return 7


@pytest.mark.parametrize(
    ("owner", "name", "told"),
    [
        (os, "getcwd", "os.getcwd"),
        (os.path, "getsize", "os.path.getsize"),
        (math, "pi", "math.pi"),
        (json, "loads", "json.loads"),
        (json.JSONEncoder, "default", "json.JSONEncoder.default"),
        (random.Random, "random", "random.Random.random"),
        (os.environ, "get", "os.environ.get"),
        (collections, "Counter", "collections.Counter"),
        (collections.Counter, "most_common", "collections.Counter.most_common"),
        (builtins, "print", "builtins.print"),
    ],
)
def test_a_replaced_name_is_put_back(core, owner, name, told):
    own, before = name in vars(owner), getattr(owner, name)
    setattr(owner, name, wrong)
    assert core.restore(whole=True) == [told]
    assert getattr(owner, name) == before
    assert (name in vars(owner)) == own
    assert core.restore(whole=True) == []


def test_settings_of_decimal(core):
    decimal.DefaultContext.prec = 3
    assert core.restore(whole=True) == ["decimal.DefaultContext.prec"]
    assert decimal.DefaultContext.prec == 28


def test_added_and_removed_names(core):
    builtins.answer, pi = 42, math.pi
    del math.pi
    assert core.restore(whole=True) == ["builtins.answer", "math.pi"]
    assert not hasattr(builtins, "answer")
    assert math.pi == pi


def test_only_builtins_are_looked_at_after_short_tasks(core):
    loads = json.loads
    json.loads, builtins.print = wrong, wrong
    assert core.restore(whole=False) == ["builtins.print"]
    assert json.loads is wrong
    assert core.restore(whole=True) == ["json.loads"]
    assert json.loads is loads


def test_builtins_that_the_comparison_itself_uses(core):
    names = (
        "len",
        "isinstance",
        "setattr",
        "sorted",
        "bool",
        "list",
        "dict",
        "getattr",
        "zip",
        "set",
        "delattr",
    )
    before = [getattr(builtins, name) for name in names]
    vars(builtins).update(dict.fromkeys(names, wrong))
    found = core.restore(whole=True)
    assert found == sorted(f"builtins.{name}" for name in names)
    assert [getattr(builtins, name) for name in names] == before


def test_what_refuses_to_be_compared(core):
    class Stubborn:
        def __eq__(self, other: object) -> bool:
            raise RuntimeError

        __hash__ = None

    json.loads, builtins.print = Stubborn(), Stubborn()
    assert core.restore(whole=True) == ["builtins.print", "json.loads"]


def test_what_was_settled_stays(core):
    before, json.loads = json.loads, wrong
    core.settle()
    assert core.restore(whole=True) == []
    json.loads = before
    core.settle()


def test_what_python_sets_itself_does_not_count(core):
    importlib.import_module("json.tool")
    os.path.expandvars("$HOME")
    assert core.restore(whole=True) == []
