"""Every engine keeps the contract."""

import sys

import pytest

from stepwell.engines.inprocess import InProcessEngine
from stepwell.engines.local import LocalEngine
from stepwell.testing.engine import CONTRACT_STEPS, EngineContract, FakeEngine


class TestLocal(EngineContract):
    def make(self, root, store):
        return LocalEngine(root, store, {}, 2, preload=["contract_steps"])


class TestLocalWithoutFork(EngineContract):
    """As on macOS."""

    def make(self, root, store):
        return LocalEngine(root, store, {}, 2, preload=["contract_steps"], fork=False)


class TestLocalWithOneJob(EngineContract):
    def make(self, root, store):
        return LocalEngine(root, store, {}, 1)


class TestInProcess(EngineContract):
    captures = parallel = False

    def make(self, root, store):
        return InProcessEngine(root, store, {})

    @pytest.fixture(autouse=True)
    def _forget(self):
        yield
        sys.modules.pop("contract_steps", None)


class TestFake(EngineContract):
    captures = parallel = False

    def make(self, root, store):
        space = {}
        exec(CONTRACT_STEPS, space)
        return FakeEngine(space)
