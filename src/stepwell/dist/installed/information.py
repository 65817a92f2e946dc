"""What a release was made of and how good it is, for people: the value of `info()`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from stepwell.errors import counted
from stepwell.sources.address import printable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stepwell.dist.releases.opened import Opened


class DataInfo(NamedTuple):
    """Data that a release was made of: where it came from, its rows (None of what is no table), bytes, and digests."""

    source: str
    rows: int | None
    size: int
    bytes: str
    content: str


class OutputInfo(NamedTuple):
    """What leaves under a name: how it is written, its bytes, what must be installed to read it, and its signature."""

    codec: str
    size: int
    needs: tuple[str, ...]
    takes: dict[str, str]
    gives: dict[str, str]
    units: dict[str, str]


class Info(NamedTuple):
    """A release. `commit` is "" outside of git, `dirty` are files that were not in it; `metrics` are by "STEP.METRIC"."""

    project: str
    version: str
    commit: str
    dirty: tuple[str, ...]
    data: dict[str, DataInfo]
    metrics: dict[str, float]
    outputs: dict[str, OutputInfo]
    needs: tuple[str, ...]
    environment: dict[str, str]
    note: str

    def as_dict(self) -> dict[str, Any]:
        """All of it as plain data, as `info --json` prints it."""
        nested = {name: {key: one._asdict() for key, one in getattr(self, name).items()} for name in _NESTED}
        return {**self._asdict(), **nested, "dirty": list(self.dirty), "needs": list(self.needs)}

    def __repr__(self) -> str:
        return "\n".join(_lines(self))


_NESTED = ("data", "outputs")


def info_of(opened: Opened) -> Info:
    """What a release says of itself. Raises `BadRelease`, `BadLock`."""
    document, lock = opened.document, opened.lock
    outputs = {
        name: OutputInfo(one.codec, one.size, one.needs, one.takes, one.gives, one.units)
        for name, one in lock.output.items()
    }
    return Info(
        project=document.project,
        version=document.version,
        commit=document.commit,
        dirty=document.dirty,
        data={
            name: DataInfo(one.source, one.rows, one.size, one.bytes, one.content)
            for name, one in lock.data.items()
        },
        metrics=_metrics(opened.metrics.pipelines),
        outputs=outputs,
        needs=tuple(sorted({need for one in outputs.values() for need in one.needs})),
        environment={"python": lock.environment.python, **lock.environment.direct},
        note=document.note,
    )


def _metrics(pipelines: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """Metrics by "STEP.METRIC", with their pipeline before them where several have one of that name."""
    names = [name for metrics in pipelines.values() for name in metrics]
    return {
        name if names.count(name) == 1 else f"{which}.{name}": value
        for which, metrics in pipelines.items()
        for name, value in metrics.items()
    }


def _lines(info: Info) -> list[str]:
    dirty = f", with {len(info.dirty)} changed files" if info.dirty else ""
    commit = f"  commit {info.commit[:12]}{dirty}" if info.commit else ""
    rows = [f"{info.project} {info.version}{commit}"]
    if info.note:
        rows.append(f"  {printable(info.note)}")
    table = [("data", name, _of_data(one)) for name, one in info.data.items()]
    table += [("metric", name, f"{value:.6g}") for name, value in info.metrics.items()]
    table += [("output", name, _of_output(one)) for name, one in info.outputs.items()]
    widths = [max((len(row[i]) for row in table), default=0) for i in (0, 1)]
    return rows + [f"  {a:{widths[0]}}  {printable(b):{widths[1]}}  {printable(c)}" for a, b, c in table]


def _of_data(one: DataInfo) -> str:
    rows = f"{counted(one.rows, 'row')}, " if one.rows is not None else ""
    return f"{rows}{_size(one.size)}  {(one.content or one.bytes)[:15]}…"


def _of_output(one: OutputInfo) -> str:
    takes = f"  takes {counted(len(one.takes), 'column')}" if one.takes else ""
    return f"{one.codec}, {_size(one.size)}{takes}" + (f"  needs {', '.join(one.needs)}" if one.needs else "")


def _size(count: int) -> str:
    if count < 1000:
        return f"{count:,} bytes"
    power = min(len(str(count)) // 3 - (len(str(count)) % 3 == 0), 3)
    return f"{count / 1000**power:.1f} {('kB', 'MB', 'GB')[power - 1]}"
