"""What the commands read of earlier runs: runs, their steps, logs, points, and what can be expected.

Nothing here writes, imports user code or decodes artifacts. Lists are newest first where not said otherwise.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from json import loads

from stepwell import errors
from stepwell.errors import StoreDamaged, nearest, typed
from stepwell.stores.database import Database
from stepwell.stores.metrics import Metrics, Names, gathered
from stepwell.stores.runrow import DAMAGED, UNREADABLE, RunRow, checked, damaged, numbers, texts

TYPE_CHECKING = False  # as type checkers know it: lists of runs do without `typing`
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from stepwell.kernel.ports import Failure
    from stepwell.stores.recordings import Curve, Read, RecordedRow
    from stepwell.stores.results import Results
    from stepwell.stores.steprow import About, LogLine, StepRow


_RUN = (
    'SELECT id, pipeline, status, started, seconds, params, metrics, "commit", dirty, argv, driver, counts,'
    ' "group", point, origins, tags, named, lasted, nodes FROM runs'
)

_LINKED = (
    "SELECT CASE wiring WHEN '' THEN '' ELSE (SELECT text FROM texts WHERE digest = wiring) END,"
    " CASE about WHEN '' THEN '' ELSE (SELECT text FROM texts WHERE digest = about) END,"
    " CASE diff WHEN '' THEN '' ELSE (SELECT text FROM texts WHERE digest = diff) END FROM runs WHERE id = ?"
)
"""The texts that a run is linked to: "" where it has none, NULL where the digest of one leads nowhere."""

MANY = 100
"""Rows from which on their JSON is read as `briefs` read it."""

TOLD = 6
"""Runs that an error names."""


class Runs:
    """The runs of one store."""

    def __init__(self, database: Database, results: Callable[[], Results]) -> None:
        self._database, self._results = database, results
        self._names: dict[str, Names] = {}
        """What runs call their metrics, by digest: a pipeline's runs mostly share one."""
        self._graphs: set[str] = set()
        """The digests of graphs that were seen to be there."""

    # ------------------------------------------------------------------ runs

    def runs(
        self, limit: int | None = None, pipeline: str | None = None, group: str | None = None
    ) -> list[RunRow]:
        """The newest runs, at most `limit`, of one pipeline or of all, of one group ("g3") or of all. Raises `UnknownRun`.

        Here as in every list a run whose record cannot be read is a row of the status `runrow.DAMAGED`.
        """
        asked = [("pipeline", pipeline)] if pipeline is not None else []
        if group is not None:
            asked.append(('"group"', self._group(group)))  # type: ignore[arg-type]
        clause = " WHERE " + " AND ".join(f"{column} = ?" for column, _ in asked) if asked else ""
        parameters: tuple[object, ...] = tuple([value for _, value in asked])
        found = self._database.rows(
            f"{_RUN}{clause} ORDER BY id DESC LIMIT ?", (*parameters, -1 if limit is None else limit)
        )
        read = _reader(found)
        return [self._listed(row, read) for row in found]

    def run(self, name: str = "last", pipeline: str | None = None) -> RunRow:
        """The run of an id ("r12", or "12"), or the newest ("last", of `pipeline` if given). Raises `UnknownRun`, `StoreDamaged`."""
        if name == "last":
            newest = self.ids(pipeline, limit=1)
            if not newest:
                raise errors.UnknownRun("there is no run yet", fixes=["stepwell run"])
            name = newest[0]
        digits = name.removeprefix("r")
        row = None
        number = int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 19 else 0
        if number:
            row = self._database.row(f"{_RUN} WHERE id = ?", (number,))
        if row is None:
            raise self._removed(number) or self._unknown(name)
        return self._run(row)

    def _this(self, run: str | RunRow) -> RunRow:
        """A run; one that was just read is not read again. Raises as `run` does."""
        if isinstance(run, RunRow):
            return run if run.status != DAMAGED else self.run(run.run)
        return self.run(run)

    def _group(self, name: str) -> int:
        """The number of a group ("g3", or "last" for the newest one). Raises `UnknownRun`."""
        (newest,) = self._database.rows('SELECT max("group") FROM runs')[0]
        if name == "last" and newest:
            return int(newest)
        digits = name.removeprefix("g")
        number = int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 19 else 0
        if not number or self._database.row('SELECT 1 FROM runs WHERE "group" = ?', (number,)) is None:
            why = f"the newest is g{newest}" if newest else "there is no sweep yet"
            fixes = ["stepwell runs"] if newest else ["stepwell run --sweep NAME=VALUES"]
            raise errors.UnknownRun(f"there is no sweep `{name}`", why=why, fixes=fixes)
        return number

    def _removed(self, number: int) -> errors.UnknownRun | None:
        """The error for a run that `gc` took away, or None where it did not."""
        for when, runs, emptied in self._database.rows(
            "SELECT time, runs, emptied FROM trash ORDER BY batch DESC"
        ):
            if number in loads(runs):
                day = time.strftime("%Y-%m-%d", time.localtime(when))
                fix = "stepwell runs" if emptied else "stepwell gc --undo"
                why = (
                    "the trash was emptied since, so it cannot be brought back"
                    if emptied
                    else "it is in the trash"
                )
                return errors.UnknownRun(f"r{number} was removed by gc on {day}", why=why, fixes=[fix])
        return None

    def _unknown(self, name: str) -> errors.UnknownRun:
        known = [
            f"r{number}"
            for (number,) in self._database.rows("SELECT id FROM runs ORDER BY id DESC LIMIT 200")
        ]
        close = nearest(name, known)
        fixes = [f"did you mean {close}?"] if close else []
        why = f"the newest is {known[0]}" if known else "the store has no run yet"
        return errors.UnknownRun(f"there is no run `{name}`", why=why, fixes=[*fixes, "stepwell runs"])

    def _listed(self, row: tuple[Any, ...], read: Callable[[str], Any]) -> RunRow:
        """A run of a list, by its columns in `_RUN`; `read` reads JSON."""
        try:
            return self._run(row, read)
        except StoreDamaged:
            number, pipeline, _, started = row[:4]
            return damaged(number, pipeline, started, row[12])

    def _run(self, row: tuple[Any, ...], read: Callable[[str], Any] = loads) -> RunRow:
        """A run by its columns in `_RUN`; `read` reads JSON. Raises `StoreDamaged`."""
        number, pipeline, status, started, seconds, params, metrics, commit, dirty, argv, driver, counts = (
            row[:12]
        )
        group, point, origins, tags, named, lasted, nodes = row[12:]
        with _readable(number):
            self._look_for_graph(nodes)
            if status == "running" and not self._driven(driver):
                status = "interrupted"
            shown = (
                self._metrics_so_far(number, status)
                if metrics is None
                else self._named(named, numbers(read(metrics)))
            )
            tagged = self._tags_so_far(number, status) if tags is None else texts(read(tags))
            found = RunRow(
                f"r{number}", pipeline, status, started, seconds, dict(read(params)), shown,
                commit, bool(dirty), tuple(read(argv)), dict(read(counts)) if counts else {},
                f"g{group}" if group else "", dict(read(point)) if point else {}, dict(read(origins)), tuple(tagged), lasted,
            )  # fmt: skip
            return checked(found)

    def _driven(self, driver: int) -> bool:
        """Whether a run's driver still lives; one on another machine is believed."""
        from stepwell.stores.leases import Origin, here, is_alive  # few runs are still going on

        row = self._database.row("SELECT host, boot, pid, born FROM drivers WHERE id = ?", (driver,))
        return row is not None and is_alive(Origin(*row), here()) is not False

    def _look_for_graph(self, digest: str) -> None:
        """Raise `ValueError` where the digest of a run's graph leads nowhere."""
        if digest and digest not in self._graphs:
            if self._database.row("SELECT 1 FROM texts WHERE digest = ?", (digest,)) is None:
                raise ValueError("its graph is not there")
            self._graphs.add(digest)

    def _named(self, digest: str, shown: Mapping[str, float]) -> Metrics:
        """Metrics of a run that has ended, with the steps that logged them."""
        return Metrics(shown, self._names_of(digest) if digest else Names([("", name) for name in shown]))

    def _names_of(self, digest: str) -> Names:
        """The names of metrics whose text has this digest."""
        found = self._names.get(digest)
        if found is None:
            (text,) = self._database.row("SELECT text FROM texts WHERE digest = ?", (digest,)) or ("",)
            found = self._names[digest] = Names([(step, bare) for step, bare in loads(text)])
        return found

    def _metrics_so_far(self, number: int, status: str) -> Metrics:
        """The metrics of a run whose end was not written: those of its results and, while it runs, of the steps that do."""
        from stepwell.stores.rows import unpack_numbers  # few runs are still going on

        nodes, live, results = self._nodes(number), self._live(number, status), self._stand_ins(number)
        own = self._metrics_of_own(number) if live else {}
        last: dict[int, Mapping[str, float]] = {node: own[node] for node in live if node in own}
        for seq, text in self._database.many("SELECT seq, metrics FROM results WHERE seq IN (???)", results):
            last.update(dict.fromkeys(results[seq], numbers(dict(unpack_numbers(text)))))
        return gathered((nodes[node][0], last[node].items()) for node in sorted(last))

    def _tags_so_far(self, number: int, status: str) -> list[str]:
        """The tags of a run whose end was not written, by the same rule as its metrics."""
        return self._recorded.tags(number, self._stand_ins(number), self._live(number, status))

    def _live(self, number: int, status: str) -> list[int]:
        """The nodes that a run executes at this moment and that have recorded something."""
        return self._recorded.live(number) if status == "running" else []

    def _metrics_of_own(self, number: int) -> dict[int, dict[str, float]]:
        """The last values that the steps which a run executed have recorded, by node, also of those without a result."""
        last: dict[int, dict[str, float]] = {}
        rows = self._database.rows(
            "SELECT node, name, value FROM points WHERE run = ? ORDER BY node, seq", (number,)
        )
        for node, name, value in rows:  # of a run that an older Stepwell recorded
            last.setdefault(node, {})[name] = float("nan") if value is None else value
        for node, name, value in self._recorded.own(number):
            last.setdefault(node, {})[name] = value
        return last

    def about(self, run: str | RunRow) -> About:
        """What a run is linked to: edges, sources, interpreter, diff. Raises `UnknownRun`."""
        from stepwell.stores.steprow import About, SourceRow
        from stepwell.stores.wiring import sources_read  # lists of runs do without

        number = int(self._this(run).run[1:])
        wiring, about, diff = self._database.row(_LINKED, (number,)) or ("", "", "")
        with _readable(number):
            if None in (wiring, about, diff):
                raise ValueError("a text that it is linked to is not there")
            wired, told = loads(wiring or "{}"), loads(about or "{}")
            return About(
                tuple(map(tuple, wired.get("edges", ()))),
                tuple(map(tuple, wired.get("reads", ()))),
                tuple(SourceRow(*source) for source in sources_read(wired, told)),
                told.get("python", ""), told.get("platform", ""), told.get("file", ""), diff,
                told.get("variable", ""), told.get("pylock", ""),
                {node: spec for spec, nodes in wired.get("specs", ()) for node in nodes},
            )  # fmt: skip

    # ------------------------------------------------------------------ steps

    def steps(self, run: str | RunRow, only: str = "") -> list[StepRow]:
        """What a run did with each node, in execution order; `only` with those of this step, by its full name. Raises `UnknownRun`."""
        found = self._this(run)
        with _readable(int(found.run[1:])):
            return self._steps(found, only)

    def _steps(self, found: RunRow, only: str) -> list[StepRow]:
        from stepwell.kernel.plan import Reason  # lists of runs do without
        from stepwell.stores import steprow as rows
        from stepwell.stores.record import GONE

        number = int(found.run[1:])
        nodes = self._nodes(number)
        (skipped,) = self._database.rows("SELECT skipped FROM runs WHERE id = ?", (number,))[0]
        reused, made = self._reused(number), self._made(number)
        stopped = {row[0]: row[1:] for row in self._database.rows(_STOPPED, (number,))}
        numbers = {**reused, **{node: seq for node, (seq, _, _) in made.items()}}
        wanted = [node for node, named in enumerate(nodes) if tuple(named) != GONE and only in ("", named[2])]
        results = self._results().by_number({numbers[node] for node in wanted if node in numbers})
        left = set(loads(skipped))
        unreached = "running" if found.status == "running" else "interrupted"
        logged = self._metrics_of_own(number) if stopped or not found.counts else {}
        out = []
        for node in wanted:
            named = nodes[node]
            if node in made:  # it comes first: a step whose result was found lost was reused before it ran
                seq, reasons, notes = made[node]
                told = tuple(Reason(*reason) for reason in reasons)
                ways = ("cached", "cached") if told and told[0].kind == "kept" else ("succeeded", "run")
                out.append(rows.of_result(node, named, *ways, told, results.get(seq), tuple(notes)))
            elif node in stopped:
                out.append(rows.stopped(node, named, stopped[node])._replace(metrics=logged.get(node, {})))
            elif node in reused:
                result = results.get(reused[node])
                since = f" since run {result.run}" if result is not None and result.run else ""
                told = (Reason("cached", f"up to date{since}"),)
                out.append(rows.of_result(node, named, "cached", "cached", told, result))
            else:
                row = rows.unreached(node, named, "skipped" if node in left else unreached)
                out.append(row._replace(metrics=logged[node]) if node in logged else row)
        return out

    def failures(self, pipeline: str) -> dict[str, tuple[str, Failure, Mapping[str, str]]]:
        """What failed in the newest run of a pipeline, by the step's id: the run's id, the failure, definitions that were new to it.

        These are digests by name, of what its decision says that it changed.
        """
        rows = self._database.rows(
            "SELECT run, node, error, reasons FROM stopped WHERE status = 'failed' AND error != ''"
            " AND run = (SELECT max(id) FROM runs WHERE pipeline = ?)",
            (pipeline,),
        )
        if not rows:
            return {}
        from stepwell.stores.steprow import failure  # most runs have none

        number = rows[0][0]
        with _readable(number):
            ids = self._nodes(number)
            return {
                ids[node][0]: (f"r{number}", failure(error), _definitions(loads(reasons)))
                for _, node, error, reasons in rows
            }

    def step(self, run: str, name: str) -> StepRow:
        """The step of an id, or of a bare name that only one node has. Raises `UnknownRun`, `UnknownStep`."""
        run = self.run(run).run  # "last" is not what was meant when it is read later
        steps = self.steps(run)
        found = [step for step in steps if step.id == name] or [step for step in steps if step.name == name]
        if not found:
            close = nearest(name, [text for step in steps for text in (step.id, step.name)])
            fixes = [f"did you mean `{close}`?"] if close else []
            raise errors.UnknownStep(
                f"run {run} has no step `{name}`", fixes=[*fixes, f"stepwell show {run}"]
            )
        if len(found) > 1:
            raise errors.UnknownStep(
                f"run {run} calls `{name}` {len(found)} times", fixes=[typed(step.id) for step in found[:5]]
            )
        return found[0]

    def numbers(self, run: int) -> list[int]:
        """The numbers of the results that a run made or reused, oldest first."""
        with _readable(run):
            found = set(self._reused(run).values())
            for (text,) in self._database.rows("SELECT text FROM made WHERE run = ?", (run,)):
                found.update(loads(text)["steps"][1::4])
            return sorted(found)

    def last_numbers(self, pipeline: str) -> list[int]:
        """The numbers of the results of a pipeline's last run, and of its last complete one where that differs."""
        last = self._database.row("SELECT max(id) FROM runs WHERE pipeline = ?", (pipeline,))
        whole = self._database.row(
            "SELECT id FROM runs WHERE pipeline = ? AND status = 'succeeded' ORDER BY id DESC LIMIT 1",
            (pipeline,),
        )
        runs = sorted({row[0] for row in (last, whole) if row is not None and row[0] is not None})
        return sorted({number for run in runs for number in self.numbers(run)})

    def _made(self, run: int) -> dict[int, tuple[int, list[list[Any]], list[str]]]:
        """For each node that a run executed with success: the number of its result, reasons, notes."""
        found: dict[int, tuple[int, list[list[Any]], list[str]]] = {}
        for (text,) in self._database.rows("SELECT text FROM made WHERE run = ? ORDER BY part", (run,)):
            pack = loads(text)
            reasons, flat = pack["reasons"], pack["steps"]
            for node, seq, why, notes in zip(*[iter(flat)] * 4, strict=True):
                found[node] = (seq, reasons[why], notes)
        return found

    def _reused(self, run: int) -> dict[int, int]:
        """For each node that a run reused, the number of its result."""
        found: dict[int, int] = {}
        for (text,) in self._database.rows(
            "SELECT texts.text FROM reused LEFT JOIN texts ON texts.digest = reused.text WHERE run = ? ORDER BY part",
            (run,),
        ):
            flat = loads(text)
            found.update(zip(flat[::2], flat[1::2], strict=True))
        return found

    def _nodes(self, number: int) -> list[list[str]]:
        row = self._database.row(
            "SELECT text FROM texts WHERE digest = (SELECT nodes FROM runs WHERE id = ?)", (number,)
        )
        return [] if row is None else loads(row[0])

    # ------------------------------------------------------------------ what steps recorded

    def recorded(self, run: str) -> list[RecordedRow]:
        """The figures, tables, texts, cards, tags and roles of a run's steps, also of reused ones, by node. Raises `UnknownRun`."""
        number = int(self.run(run).run[1:])
        with _readable(number):
            return self._recorded.things(self._recorded.of_run(number, self._stand_ins(number)))

    def curves(self, run: str, names: Collection[str] | None = None, node: int | None = None) -> list[Curve]:
        """The series of numbers that a run's steps recorded, also those of reused ones, by node and name.

        With `names` only those, with `node` only of that one. Numbers without a place in a series are metrics only.
        Raises `UnknownRun`.
        """
        number = int(self.run(run).run[1:])
        with _readable(number):
            shown = self._recorded.of_run(number, self._stand_ins(number), node)
            return self._recorded.curves(shown, names) + self._recorded.points(number, names, node)

    def curve_names(self, run: str) -> list[tuple[int, str, int, float]]:
        """Of each series of a run, also of reused results: node, name, how many numbers, the last one. Raises `UnknownRun`."""
        number = int(self.run(run).run[1:])
        with _readable(number):
            shown = self._recorded.of_run(number, self._stand_ins(number))
            heads = self._recorded.heads(shown)
            found = [
                (node, name, count, last) for one, name, count, last in heads if count for node in shown[one]
            ]
            before = [
                (old.node, old.name, len(old.values), old.values[-1])
                for old in self._recorded.points(number, None, None)
            ]
            return sorted([*found, *before], key=lambda curve: curve[0])

    def progress_of(self, run: str) -> dict[int, tuple[float, float | None, str]]:
        """How far each step is that runs now and told (`log.progress`): done, of how much (None: unknown), and a text.

        Raises `UnknownRun`.
        """
        found = self.run(run)
        number = int(found.run[1:])
        if found.status != "running":
            return {}
        ended = {node for (node,) in self._database.rows("SELECT node FROM stopped WHERE run = ?", (number,))}
        with _readable(number):
            told = self._recorded.progress(number)
            return {node: progress for node, progress in told.items() if node not in ended}

    def begun(self, run: str) -> dict[int, float]:
        """When each step began that runs, or that ended without a result: seconds since 1970. Raises `UnknownRun`."""
        number = int(self.run(run).run[1:])
        with _readable(number):
            return dict(loads(self._database.rows("SELECT begun FROM runs WHERE id = ?", (number,))[0][0]))

    def tags(self, run: str) -> tuple[str, ...]:
        """What the steps of a run tagged it with, as `RunRow.tags`. Raises `UnknownRun`."""
        return self.run(run).tags

    def _stand_ins(self, number: int) -> dict[int, list[int]]:
        """For the number of each result that a run made or reused: the nodes that have it."""
        nodes: dict[int, list[int]] = {}
        for node, seq in {
            **self._reused(number),
            **{node: made[0] for node, made in self._made(number).items()},
        }.items():
            nodes.setdefault(seq, []).append(node)
        return nodes

    @property
    def _recorded(self) -> Read:
        from stepwell.stores.recordings import Read  # plans do without

        return Read(self._database)

    # ------------------------------------------------------------------ logs, expectations

    def logs(self, run: str, node: int | None = None) -> list[LogLine]:
        """What a run's steps wrote, or one of them, in the order in which it came. Raises `UnknownRun`."""
        from stepwell.stores.steprow import LogLine

        sql = (
            "SELECT node, time, stream, text FROM logs WHERE run = ? AND (? IS NULL OR node = ?) ORDER BY seq"
        )
        return [LogLine(*row) for row in self._database.rows(sql, (int(self.run(run).run[1:]), node, node))]

    def history(self, step: str, limit: int = 5) -> list[float]:
        """Seconds that the newest executions of a step took, by its full name; at most 32."""
        return [result.seconds for result in self._results().recent(step)[:limit]]

    def complete(self, kind: str, prefix: str = "", run: str = "last") -> list[str]:
        """Names that begin with `prefix`, for a shell: kind "run", "step" or "metric" (of a run), or "pipeline"."""
        if kind == "run":
            names = [
                "last",
                *(
                    f"r{number}"
                    for (number,) in self._database.rows("SELECT id FROM runs ORDER BY id DESC LIMIT 200")
                ),
            ]
        elif kind == "pipeline":
            names = [
                name
                for (name,) in self._database.rows("SELECT DISTINCT pipeline FROM runs ORDER BY pipeline")
            ]
        else:
            try:
                row = self.run(run)
                names = (
                    [*row.metrics]
                    if kind == "metric"
                    else [node[0] for node in self._nodes(int(row.run[1:]))]
                )
            except errors.UnknownRun:
                names = []
        return [name for name in names if name.startswith(prefix)]

    # ------------------------------------------------------------------ many runs

    def briefs(
        self, metrics: Collection[str] = (), pipeline: str | None = None, group: str | None = None
    ) -> list[RunRow]:
        """All runs, newest first, each with only these of its metrics: for conditions and orders. Raises `UnknownRun`.

        They have no `argv`, `counts`, `point` and `origins`.
        """
        from stepwell.stores.briefs import Asking, briefs

        where: dict[str, object] = {} if pipeline is None else {"pipeline": pipeline}
        if group is not None:
            where["group"] = self._group(group)
        so_far = self._metrics_so_far, self._tags_so_far
        asking = Asking(self._driven, *so_far, self._names_of, self._look_for_graph)
        return briefs(self._database, metrics, asking, where)

    def some(self, runs: Sequence[str]) -> list[RunRow]:
        """Runs by their ids ("r12"), in this order; those that are gone are left out."""
        found = {
            row[0]: row
            for row in self._database.many(f"{_RUN} WHERE id IN (???)", [int(run[1:]) for run in runs])
        }
        read = _reader(found)
        return [self._listed(found[int(run[1:])], read) for run in runs if int(run[1:]) in found]

    def tops(self, limit: int | None = None, pipeline: str | None = None) -> list[RunRow]:
        """The newest runs, at most `limit`, of each sweep only the newest point; of one pipeline or of all."""
        of, most = "AND pipeline = ?" if pipeline else "", -1 if limit is None else limit
        values = (*([pipeline] if pipeline else []), most)
        single = f'SELECT id FROM runs WHERE "group" IS NULL {of} ORDER BY id DESC LIMIT ?'  # noqa: S608 - our own
        swept = f'SELECT max(id) FROM runs WHERE "group" IS NOT NULL {of} GROUP BY "group" ORDER BY 1 DESC LIMIT ?'  # noqa: S608 - our own
        found = [number for sql in (single, swept) for (number,) in self._database.rows(sql, values)]
        return self.some([f"r{number}" for number in sorted(found, reverse=True)[:limit]])

    def ids(
        self,
        pipeline: str | None = None,
        *,
        least: int = 1,
        most: int = 1 << 62,
        limit: int = -1,
        skip: int = 0,
    ) -> list[str]:
        """Ids of runs, newest first: of one pipeline or of all, from number `least` to `most`, `limit` after the first `skip`."""
        of = "AND pipeline = ?5" if pipeline is not None else ""
        sql = f"SELECT id FROM runs WHERE id BETWEEN ?1 AND ?2 {of} ORDER BY id DESC LIMIT ?3 OFFSET ?4"  # noqa: S608 - our own
        values = (least, most, limit, skip, *([pipeline] if pipeline is not None else []))
        return [f"r{number}" for (number,) in self._database.rows(sql, values)]

    def count(self, pipeline: str | None = None) -> int:
        """How many runs the store has, of one pipeline or of all."""
        sql, values = ("", ()) if pipeline is None else (" WHERE pipeline = ?", (pipeline,))
        return int(self._database.rows(f"SELECT count(*) FROM runs{sql}", values)[0][0])  # noqa: S608 - our own


def _reader(rows: Collection[object]) -> Callable[[str], Any]:
    """What reads the JSON of rows: of many, what is loaded for that has soon paid for itself."""
    if len(rows) < MANY:
        return loads
    from stepwell.stores.briefs import decoder

    return decoder()


@contextlib.contextmanager
def _readable(run: int) -> Iterator[None]:
    """Raise `StoreDamaged` where the record of a run turns out to be no record."""
    try:
        yield
    except UNREADABLE as error:
        raise runs_damaged([f"r{run}"], f": {type(error).__name__}: {error}") from error


def _definitions(reasons: Iterable[Sequence[Any]]) -> dict[str, str]:
    """Of packed reasons the digests of changed definitions, by name; "" for those that went."""
    return {name: after or "" for kind, _, name, _, after in reasons if kind == "code"}


def runs_damaged(runs: Sequence[str], cause: str = "") -> StoreDamaged:
    """What is said of runs whose records cannot be read."""
    some = ", ".join(runs[:TOLD]) + (f" and {len(runs) - TOLD:,} more" if len(runs) > TOLD else "")
    one = len(runs) == 1
    return StoreDamaged(
        f"the record of {some} is damaged in the store"
        if one
        else f"the records of {some} are damaged in the store",
        why=f"{'its' if one else 'their'} rows cannot be read{cause}",
        fixes=[f"stepwell verify    takes {'it' if one else 'them'} out", "stepwell run"],
    )


_STOPPED = (
    "SELECT node, status, verb, reasons, key, inputs, seconds, cpu, memory, error, refused, notes FROM stopped"
    " WHERE run = ?"
)
