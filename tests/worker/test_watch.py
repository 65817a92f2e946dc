"""What a step leaves behind in the project's modules is seen, wherever it hides; what it only uses is not."""

from __future__ import annotations

import pytest

MODULE = """
    import array, collections, enum, functools, random
    from dataclasses import dataclass, field
    import numpy as np
    import pandas as pd

    PLAIN = {"a": [1, 2]}
    NESTED = ("fixed", [object()], {"deep": [len]})
    TABLE = {"handlers": [print], "inner": {"more": [len]}}
    COUNTS = collections.Counter("aab")
    GROUPS = collections.defaultdict(list)
    QUEUE = collections.deque([print])
    NUMBERS = array.array("d", [1, 2, 3])
    BYTES = bytearray(5000)
    SMALL = np.arange(12.0).reshape(3, 4)
    TURNED = np.arange(12.0).reshape(3, 4)[::-1, ::2]
    LARGE = np.zeros(400_000)
    OBJECTS = np.array([[], {}], dtype=object)
    FRAME = pd.DataFrame({"a": [1, 2, 3], "b": ["x", "y", "z"], "c": pd.Categorical(["u", "v", "u"])})
    SERIES = pd.Series([1.0, 2.0])
    GENERATOR = np.random.default_rng(3)

    class Settings:
        level = 1
        names = []
        limits = {"most": 3}

        class Inner:
            depth = 0

        def add(self, one, into=[]):
            into.append(one)
            return len(into)

        @classmethod
        def make(cls, *, seen={}):
            seen[len(seen)] = 1
            return len(seen)

    @dataclass(slots=True)
    class Slotted:
        values: list = field(default_factory=list)
        count: int = 0

    class Registry(dict):
        pass

    class Color(enum.Flag):
        RED = enum.auto()
        BLUE = enum.auto()

    SETTINGS = [Settings()]
    SLOTTED = Slotted()
    REGISTRY = Registry(a=1)

    def collect(one, into=[]):
        into.append(one)
        return into

    def counts(one):
        counts.calls = getattr(counts, "calls", 0) + 1
        return counts.calls

    def counter():
        total = 0
        memory = {}
        def add(one):
            nonlocal total
            total += one
            return total
        def learn(one):
            memory[one] = print
            return len(memory)
        return add, learn

    add, learn = counter()

    def logged(function):
        @functools.wraps(function)
        def wrapper(*args): return function(*args)
        return wrapper

    @logged
    def wrapped(one, into=[]):
        into.append(one)

    @functools.cache
    def cached(one):
        CALLED.append(one)
        return [one]

    CALLED = collections.deque(maxlen=0)

    class Holder:
        @functools.lru_cache
        def method(self, one): return [one]

    holder = Holder()

    @functools.cache
    def only(): return {}

    @functools.cache
    def filled(one): return one

    only()["a"] = 1
    filled(1)
"""

CHANGES = {
    "PLAIN": "m.PLAIN['a'].append(3)",
    "NESTED": "m.NESTED[1].append(1)",
    "NESTED deep": "m.NESTED[2]['deep'].append(1)",
    "TABLE": "m.TABLE['inner']['more'].append(print)",
    "TABLE swapped": "m.TABLE['handlers'].pop(); m.TABLE['handlers'].append(id)",
    "COUNTS": "m.COUNTS['a'] += 1",
    "GROUPS": "m.GROUPS['a'].append(1)",
    "QUEUE": "m.QUEUE.append(1)",
    "NUMBERS": "m.NUMBERS[1] = 7",
    "BYTES": "m.BYTES[4000] = 7",
    "SMALL": "m.SMALL[1, 1] = 7",
    "SMALL shape": "m.SMALL.shape = (4, 3)",
    "TURNED": "m.TURNED[0, 1] = 70",
    "LARGE": "m.LARGE += 1",
    "OBJECTS": "m.OBJECTS[0] = 1",
    "FRAME": "m.FRAME.loc[1, 'a'] = 7",
    "FRAME text": "m.FRAME.loc[1, 'b'] = 'other'",
    "FRAME category": "m.FRAME.loc[1, 'c'] = 'u'",
    "FRAME column": "m.FRAME['d'] = 1",
    "FRAME order": "m.FRAME[:] = m.FRAME.iloc[::-1].to_numpy()",
    "SERIES": "m.SERIES.iloc[0] = 5",
    "GENERATOR": "m.GENERATOR.random()",
    "Settings.level": "m.Settings.level = 2",
    "Settings.new": "m.Settings.new = 2",
    "Settings.names": "m.Settings.names.append(1)",
    "Settings.limits": "m.Settings.limits['most'] = 4",
    "Settings.Inner.depth": "m.Settings.Inner.depth = 2",
    "Settings.add(into=)": "m.Settings().add(1)",
    "Settings.make(seen=)": "m.Settings.make()",
    "SETTINGS": "m.SETTINGS[0].own = 1",
    "SLOTTED": "m.SLOTTED.count += 1",
    "SLOTTED deep": "m.SLOTTED.values.append(1)",
    "REGISTRY": "m.REGISTRY['b'] = 1",
    "collect(into=)": "m.collect(1)",
    "counts.calls": "m.counts(1)",
    "add (total)": "m.add(1)",
    "learn (memory)": "m.learn(1)",
    "wrapped(into=)": "m.wrapped(1)",
    "filled": "m.filled(2)",
    "collect.__code__": "m.collect.__code__ = m.counts.__code__",
    "collect.__defaults__": "m.collect.__defaults__ = (9,)",
    "collect.__defaults__ gone": "del m.collect.__defaults__",
    "Settings.add.__defaults__": "m.Settings.add.__defaults__ = ([],)",
    "Settings.make.__kwdefaults__": "m.Settings.make.__func__.__kwdefaults__ = {'seen': {}}",
    "Settings.make.__kwdefaults__ in place": "m.Settings.make.__func__.__kwdefaults__['more'] = 1",
    "wrapped.__defaults__": "m.wrapped.__wrapped__.__defaults__ = None",
    "cached.__code__": "m.cached.__wrapped__.__code__ = (lambda one: one).__code__",
}

USES = {
    "nothing": "",
    "reading": "m.PLAIN['a'], m.FRAME['a'].sum(), m.SMALL.sum(), m.LARGE[3], list(m.QUEUE), m.SERIES * 2",
    "copies": "c = m.FRAME.copy(); c.loc[1, 'a'] = 7; m.SMALL.copy()[0] = 1; dict(m.TABLE)['x'] = 1",
    "instances": "m.Settings().own = 1; m.Slotted().values.append(1)",
    "a combination of flags": "m.Color.RED | m.Color.BLUE",
    "defaults of a new function": "(lambda one: one).__defaults__ = (1,)",
    "the same code": "m.collect.__code__ = m.collect.__code__; m.wrapped.__defaults__ = m.wrapped.__defaults__",
    "a cache": "m.cached(1); m.holder.method(1)",
    "a cache that was filled before": "m.filled(1); m.only()",
}


@pytest.fixture
def watched(tmp_path):
    """A module of a project, and the watch that has met it."""
    import importlib.util
    import sys
    import textwrap

    from stepwell.worker.watch import Watch

    file = tmp_path / "watched_globals.py"
    file.write_text(textwrap.dedent(MODULE))
    spec = importlib.util.spec_from_file_location("watched_globals", file)
    module = importlib.util.module_from_spec(spec)
    sys.modules["watched_globals"] = module
    spec.loader.exec_module(module)
    watch = Watch(lambda path: path.startswith(str(tmp_path)))
    watch.meet(module)
    yield module, watch
    del sys.modules["watched_globals"]


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_is_seen_and_named(watched, name):
    module, watch = watched
    assert watch.changed() == []
    exec(CHANGES[name], {"m": module})
    watch.empty_caches()
    told = name if name.endswith(")") else name.split()[0]
    assert watch.changed() == [f"watched_globals.{told}"]
    assert watch.changed() == [f"watched_globals.{told}"], "until it is settled"
    watch.settle()
    assert watch.changed() == []


@pytest.mark.parametrize("name", USES)
def test_use_is_no_change(watched, name):
    module, watch = watched
    exec(USES[name], {"m": module})
    watch.empty_caches()
    assert watch.changed() == []


def test_caches_that_steps_filled_are_empty_again(watched):
    module, watch = watched
    first, only = module.cached(1), module.only()
    module.holder.method(1)
    watch.empty_caches()
    assert module.cached(1) is not first
    assert module.Holder.method.cache_info().currsize == 0
    assert module.only() is only, "it was filled when the module was imported"
    assert only == {"a": 1}


def test_what_later_imports_put_into_a_cache_stays(watched):
    """A module that is imported later registers something in an object that a cached function holds."""
    module, watch = watched
    held = module.cached("registry")
    held.append("handler")
    watch.settle()
    watch.empty_caches()
    assert module.cached("registry") is held


def test_no_address_is_used_twice(watched):
    """An object that takes the place of one that is gone is another one, also where it gets its address."""
    module, watch = watched
    for _ in range(50):
        module.QUEUE.clear()
        module.QUEUE.append(object())
        assert watch.changed() == ["watched_globals.QUEUE"]


def test_what_holds_itself_is_met(watched):
    module, watch = watched
    module.LOOP = loop = [print]
    loop.append(loop)
    watch.settle()
    assert watch.changed() == []
    loop.append(1)
    assert watch.changed() == ["watched_globals.LOOP"]
