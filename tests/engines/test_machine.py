"""What a machine has, with containers' limits."""

import os

import pytest

from stepwell.engines import machine


@pytest.fixture
def system(tmp_path, monkeypatch):
    monkeypatch.setattr(machine, "ROOT", tmp_path)
    monkeypatch.setattr("sys.platform", "linux")
    if hasattr(os, "sched_getaffinity"):
        monkeypatch.setattr("os.sched_getaffinity", lambda pid: set(range(8)))
    else:
        monkeypatch.setattr("os.cpu_count", lambda: 8)

    def write(path, text):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text + "\n")

    return write


def test_without_limits(system):
    assert machine.processors() == 8
    assert machine.memory() > 1 << 28
    assert machine.oom_kills() == 0


@pytest.mark.parametrize(
    ("quota", "count"), [("max 100000", 8), ("200000 100000", 2), ("150000 100000", 2), ("50000 100000", 1)]
)
def test_processors_of_a_container(system, quota, count):
    system("proc/self/cgroup", "0::/box")
    system("sys/fs/cgroup/box/cpu.max", quota)
    assert machine.processors() == count


def test_processors_of_an_older_container(system):
    system("proc/self/cgroup", "4:cpu,cpuacct:/box\n0::/")
    system("sys/fs/cgroup/cpu,cpuacct/box/cpu.cfs_quota_us", "300000")
    system("sys/fs/cgroup/cpu,cpuacct/box/cpu.cfs_period_us", "100000")
    assert machine.processors() == 3
    system("sys/fs/cgroup/cpu,cpuacct/box/cpu.cfs_quota_us", "-1")
    assert machine.processors() == 8


def test_memory_of_a_container(system):
    system("proc/self/cgroup", "0::/box")
    system("sys/fs/cgroup/box/memory.max", "268435456")
    assert machine.memory() == 268435456
    system("sys/fs/cgroup/box/memory.max", "max")
    assert machine.memory() > 268435456


def test_kills_for_memory_are_counted(system):
    system("proc/vmstat", "nr_free_pages 1\noom_kill 42")
    assert machine.oom_kills() == 42
