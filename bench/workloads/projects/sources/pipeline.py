from pathlib import Path

from stepwell import pipeline, source, step

big = source("big.bin", Path)
many = source("data", Path)


@step
def size(path: Path) -> int:
    return path.stat().st_size


@step
def count(path: Path) -> int:
    return sum(1 for found in path.rglob("*") if found.is_file())


@pipeline
def large() -> int:
    return size(big())


@pipeline
def small() -> int:
    return count(many())
