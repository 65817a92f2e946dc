"""Steps that start processes and threads of their own: pools of `multiprocessing`, executors, asyncio."""

import pytest

from stepwell.kernel.ports import Logged
from stepwell.stores.curves import unpack

POOLS = """
    import asyncio, multiprocessing, os, sys, threading
    from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
    from stepwell import log

    def square(n):
        print(f"square {n}\\n", end="", flush=True)  # a pool ends its processes without waiting for their buffers
        return n * n

    def pool(method):
        with multiprocessing.get_context(method).Pool(2) as pool:
            return pool.map(square, range(6))

    def executor():
        with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
            return list(pool.map(square, range(6)))

    def threads():
        with ThreadPoolExecutor(4) as pool:
            for i, n in enumerate(pool.map(square, range(6))):
                log.metric("n", n, step=i)
        return 1

    def forked_metric():
        pid = os.fork()
        if not pid:
            log.metric("from_child", 1)
            os._exit(0)
        os.waitpid(pid, 0)

    async def concurrent():
        async def one(n):
            await asyncio.sleep(0.01)
            return n
        return await asyncio.gather(*map(one, range(3)))
"""

SQUARES = [0, 1, 4, 9, 16, 25]


@pytest.fixture
def pools(project):
    project.write(POOLS)
    return project


@pytest.mark.serial  # starts interpreters of its own: slow where others run beside it
@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_pools(pools, method):
    task = pools.task("pool", method=method)
    reports = pools.reports(pools.engine(), task)
    assert pools.value(reports[-1]) == SQUARES
    assert sorted(pools.said(reports, task.node).split("\n"))[1:] == [f"square {n}" for n in range(6)]


def test_executors(pools):
    assert pools.value(pools.one(pools.engine(), "executor")) == SQUARES


def test_metrics_of_threads_and_children(pools):
    engine = pools.engine()
    reports = [
        r
        for r in pools.reports(engine, pools.task("threads"), pools.task("forked_metric"))
        if isinstance(r, Logged)
    ]
    names = [r.name for r in reports for _ in range(len(unpack(r.series).values) if r.series else 1)]
    assert names.count("n") == 6
    assert names.count("from_child") == 1


def test_coroutines(pools):
    assert pools.value(pools.one(pools.engine(), "concurrent")) == [0, 1, 2]
