"""Tasks in supervised worker processes on this machine.

    engine = LocalEngine(root, store, snapshot, jobs=4, preload=["pipeline"])
    engine.submit(task)
    for report in engine.wait(1.0): ...
    engine.close()

One template process (`worker.main`) makes workers; each worker has a queue of its own (`link`), into
which small tasks are sent ahead, so that it never waits for the driver. How many are sent ahead
follows from how long tasks take, some milliseconds' worth; and what a busy worker has not begun is
taken back from its queue and given to an idle one. Up to `MOST` tasks go in one message, which is a third
of the work of sending each. A worker that dies fails the task that it was at
and nothing else: what it had not begun goes to others.

**Threads.** OpenMP, BLAS and polars start as many threads as the machine has processors. With up to
four processors, or with one job, that stays so, and numbers come out as in plain Python. On larger
machines each worker gets `processors / jobs` threads, at least four, unless the environment says
something else (`OMP_NUM_THREADS`, ...): sums of floats may then differ in their last digits.
"""

from __future__ import annotations

import os
import selectors
import sys
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from time import monotonic, sleep

from stepwell.engines import deaths, machine
from stepwell.engines.admission import Admission
from stepwell.engines.ahead import Ahead
from stepwell.engines.link import Link
from stepwell.engines.supervisor import Exit, Supervisor
from stepwell.kernel.graph import StepDef
from stepwell.kernel.ports import Done, Interrupt, Report, Task
from stepwell.worker import family
from stepwell.worker.boot import END
from stepwell.worker.bysteps import BySteps
from stepwell.worker.modules import Snapshot
from stepwell.worker.wire import MESSAGE, pack_step, pack_tasks

AHEAD = 0.005
"""Seconds of work that are sent to a worker ahead."""

SHORT = 0.0005
"""Seconds below which tasks come so thick that their reports are heard together."""

LONG = 0.25
"""Seconds from which on a task is long: it is worth more not to begin one in vain than to lose no moment between two."""

DEEPEST = 64
"""Tasks that are sent to a worker ahead at most."""

MOST = 16
"""Tasks in one message at most."""

LOOK = 0.05
"""Seconds between looks at what steps print, for those that do not print much."""

RESTARTS = 3
"""How often the template is started again after it was killed."""


class _Kind:
    """A step as it is sent: its packed definition, and how many of its tasks fit in one message (as found so far)."""

    def __init__(self, step: StepDef) -> None:
        self.packed = pack_step(step)
        self.most = MOST


class LocalEngine:
    """Implements `kernel.ports.Engine`.

    `root` is the project's, `store` the store's folder, `snapshot` the bytes of first-party files,
    `jobs` how many tasks run at once (0: as many as there are processors), `roots` those of editable
    installs, `preload` the modules of the steps that will run. Nothing is started before the first task.
    `folder` is where steps run, if that is not the root. After a step in `alone` ("module:qualname", with
    the names of what it changes of libraries) its worker is replaced. `covered` are by step the source
    files that its fingerprint is taken of, `pinned` by digest how the files of sources looked when planned,
    `contracts` those of the manifest (`worker.promises`).
    With `strict` each task has a worker of its own, which sees what the task declares and nothing else
    (`worker.sandbox`); raises `StrictUnavailable` where that cannot be had.
    `memory` is how many bytes tasks may need together (0: what the machine has), `expect` says what one
    that declares nothing can be expected to need (0: nobody knows). `ahead` may hold a template that was started
    before there was a plan.
    """

    def __init__(
        self,
        root: Path,
        store: Path,
        snapshot: Mapping[str, bytes],
        jobs: int = 0,
        roots: Sequence[Path] = (),
        preload: Sequence[str] = (),
        *,
        fork: bool = sys.platform == "linux",
        strict: bool = False,
        folder: Path | None = None,
        alone: Mapping[str, tuple[str, ...]] | None = None,
        covered: Mapping[str, Sequence[str]] | None = None,
        pinned: Mapping[str, bytes] | None = None,
        contracts: Mapping[str, object] | None = None,
        memory: int = 0,
        expect: Callable[[Task], int] | None = None,
        ahead: Ahead | None = None,
    ) -> None:
        if strict:
            from stepwell.worker import sandbox  # few runs are

            sandbox.require()
        self._strict = strict
        self._spent: set[int] = set()
        """Workers that have done their one task, in strict mode, and are about to end."""
        self.jobs = jobs or machine.processors()
        self._end = os.urandom(END)
        self._store = store
        self._settings = {
            "root": str(root),
            "store": str(store),
            "roots": [str(path) for path in roots],
            "preload": list(preload),
            "end": self._end,
            "fork": fork,
            "strict": strict,
            "folder": str(folder or root),
            "alone": dict(alone or {}),
            "covered": {name: list(files) for name, files in (covered or {}).items()},
            "pinned": dict(pinned or {}),
            "contracts": dict(contracts or {}),
        }
        self._snapshot = snapshot
        self._ahead = ahead
        self._memory = machine.memory()
        self._admission = Admission(self.jobs, memory or self._memory, expect)
        self._plain: deque[Task] = deque()
        self._special: deque[Task] = deque()
        self._kinds = BySteps[_Kind]()
        self._links: dict[int, Link] = {}
        self._numbers = 0
        self._supervisor: Supervisor | None = None
        self._starts = 0
        self._requeued: dict[int, int] = {}
        self._overdue: set[int] = set()
        self._pace = 0.0
        """Seconds that a task takes of late; 0 while nothing is known."""
        self._looked = 0.0
        self._reports: list[Report] = []
        self._selector = selectors.DefaultSelector()
        self._why = ""
        self._wake, self._waker = os.pipe()
        for fd in (self._wake, self._waker):
            os.set_blocking(fd, False)
        self._selector.register(self._wake, selectors.EVENT_READ)
        self._oom_kills = machine.oom_kills()
        self._owner = os.getpid()
        self._closed = False

    # ------------------------------------------------------------------ the protocol

    def room(self) -> int:
        """How many more tasks it is worth handing over now."""
        waiting = len(self._plain) + len(self._special)
        sent = sum([len(link.sent) for link in self._links.values()])
        return max(0, self.jobs * (self._depth() + 1) - waiting - sent)

    def submit(self, task: Task) -> None:
        """Take a task over."""
        self._admission.weigh(task)
        (self._plain if self._admission.is_plain(task) else self._special).append(task)

    def withdraw(self) -> Sequence[int]:
        """What was not begun: what waits here, and what waits at workers."""
        back = [*self._plain, *self._special]
        self._plain.clear()
        self._special.clear()
        for link in self._links.values():
            sent = link.take_back(len(link.sent)) if link.sent else []
            for task in sent:
                self._admission.give(task.node)
            back += sent
        return [task.node for task in back]

    def wait(self, timeout: float | None) -> Sequence[Report]:
        """What happened since the last call, in order."""
        until = None if timeout is None else monotonic() + timeout
        self._dispatch()
        while not self._reports:
            now = monotonic()
            left = None if until is None else until - now
            busy = bool(self._links)
            if self._pace < SHORT and busy:
                self._nap()
            events = self._selector.select(LOOK if busy and (left is None or left > LOOK) else left)
            self._take(events)
            if until is not None and monotonic() >= until:
                break
            if not self._reports:
                self._dispatch()
        reports, self._reports = self._reports, []
        return reports

    def _nap(self) -> None:
        """While all workers have enough to do, let reports gather: hearing each by itself costs three times as much."""
        least = min([len(link.sent) for link in self._links.values()])
        if least >= 4:
            sleep(min(0.5 * least * self._pace, AHEAD / 2))

    def interrupt(self, why: str = "interrupted") -> None:
        """Make `wait` return an `Interrupt` soon. Safe to call from a signal handler."""
        self._why = why
        try:
            os.write(self._waker, b"!")
        except OSError:  # full, so it is awake; or closed
            return

    def close(self) -> None:
        """End everything that was started, with all descendants, within two seconds."""
        if self._closed or os.getpid() != self._owner:
            return
        self._closed = True
        if self._supervisor is not None:
            self._supervisor.close()
        for link in self._links.values():
            link.close()
        self._links.clear()
        self._selector.close()
        os.close(self._wake)
        os.close(self._waker)

    # ------------------------------------------------------------------ sending

    def _depth(self) -> int:
        """How many tasks a worker has at a time: more than one only where they are short, as it goes on with them after a failure."""
        if self._strict or not 0 < self._pace < LONG:
            return 1
        return max(2, min(DEEPEST, int(AHEAD / self._pace)))

    def _dispatch(self) -> None:
        """Give workers what they can take."""
        if self._closed or not (self._plain or self._special or self._links):
            return
        self._admission.plain = sum([1 for link in self._links.values() if self._is_at_plain(link)])
        if not self._start_special():
            self._start_plain()
            if not self._plain:
                self._even_out()

    def _start_special(self) -> bool:
        """Start tasks with demands of their own; True if plain ones must hold back until one of these fits."""
        while self._special:
            task = self._special[0]
            if not self._admission.admits(task):
                return self._admission.would_admit(task)
            link = self._idle() or self._make_link(task.step.cpus < 1)
            if link is None or not self._send(link, [task]):
                return False
            self._admission.take(task)
            self._special.popleft()
        return False

    def _start_plain(self) -> None:
        """One task for each worker that may be busy, then as many to each as it should have ahead."""
        waiting = self._plain
        while waiting and self._admission.has_processor():
            link = self._idle() or self._make_link()
            if link is None or not self._send(link, [waiting[0]]):
                break
            waiting.popleft()
            self._admission.plain += 1
        if not waiting:
            return
        late = monotonic() - AHEAD  # what is at one task for longer gets no more to take back again
        links = [link for link in self._links.values() if self._is_at_plain(link)]
        busy = [link for link in links if len(link.sent) < 2 or link.current is None or link.since > late]
        if not busy:
            return
        work = len(waiting) + sum([len(link.sent) for link in busy])
        share = min(self._depth(), -(-work // len(busy)))
        for link in busy:
            while waiting and len(link.sent) < share:
                sent = self._send(link, self._next(share - len(link.sent)))
                for _ in range(sent):
                    waiting.popleft()
                if not sent:
                    break

    def _next(self, most: int) -> list[Task]:
        """The plain tasks that are sent next, in one message: as many as each of them allows."""
        tasks: list[Task] = []
        for task in self._plain:
            most = min(most, self._kinds.of(task.step, _Kind).most)
            if len(tasks) >= most:
                break
            tasks.append(task)
        return tasks

    def _even_out(self) -> None:
        """Take work that was not begun from a busy worker and give it to an idle one."""
        longest = max(self._links.values(), key=_queue, default=None)
        if longest is None or len(longest.sent) < 2 or not self._is_at_plain(longest):
            return
        stuck = longest.current is not None and monotonic() - longest.since > AHEAD
        if not stuck and len(longest.sent) * (self._pace or 1.0) < AHEAD:
            return
        if not self._admission.has_processor():
            return
        link = self._idle() or self._make_link()
        if link is None:
            return
        tasks = longest.take_back(max(1, (len(longest.sent) - 1) // 2))
        while tasks:
            sent = self._send(link, tasks[:MOST])
            tasks = tasks[sent:]
            if not sent:
                break
        self._plain.extendleft(reversed(tasks))

    def _is_at_plain(self, link: Link) -> bool:
        return bool(link.sent) and self._admission.is_plain(next(iter(link.sent.values())))

    def _idle(self) -> Link | None:
        return next(
            (link for link in self._links.values() if not link.sent and link.number not in self._spent), None
        )

    def _make_link(self, fraction: bool = False) -> Link | None:
        """A new worker, if there may be one more now: at first two at once, then as many as have proved to work."""
        proven = sum([1 for link in self._links.values() if link.pid])
        if len(self._links) - proven >= max(2, proven + 1):
            return None
        if len(self._links) - len(self._spent) >= self.jobs * (8 if fraction else 1):
            return None
        supervisor = self._supervisor or self._start()
        self._numbers += 1
        link = Link(self._numbers, self._end, self._store / "tmp")
        supervisor.make_worker(link.number, link.ends)
        link.handed_over()
        self._links[link.number] = link
        self._selector.register(link.reports, selectors.EVENT_READ, link)
        return link

    def _send(self, link: Link, tasks: Sequence[Task]) -> int:
        """Send tasks to a worker; how many it got: all, the first where they are too large together, or none."""
        message = pack_tasks([(task, self._kinds.of(task.step, _Kind).packed) for task in tasks])
        if len(message) > MESSAGE and len(tasks) > 1:
            kind = self._kinds.of(tasks[0].step, _Kind)
            kind.most = len(tasks) // 2
            return self._send(link, tasks[:1])
        return len(tasks) if link.send(tasks, message) else 0

    def _start(self) -> Supervisor:
        self._starts += 1
        expected = self._snapshot.expected() if isinstance(self._snapshot, Snapshot) else {}
        ahead = self._ahead.taken(self.jobs) if self._ahead is not None else None
        self._supervisor = ahead or Supervisor(self.jobs)
        self._supervisor.begin({**self._settings, "snapshot": dict(self._snapshot), "expected": expected})
        self._selector.register(self._supervisor.control, selectors.EVENT_READ, self._supervisor)
        return self._supervisor

    # ------------------------------------------------------------------ hearing

    def _take(self, events: Sequence[tuple[selectors.SelectorKey, int]]) -> None:
        now = monotonic()
        ended: list[Exit] = []
        for key, _ in events:
            source = key.data
            if isinstance(source, Link):
                if key.fd == source.reports:
                    self._hear(source, now)
                elif source.current is None:
                    self._selector.unregister(key.fd)
                else:
                    self._reports.extend(source.live())
            elif isinstance(source, Supervisor):
                ended.extend(source.exits())
            else:
                self._interrupted()
        for one in ended:
            self._bury(one)
        if self._supervisor is not None and self._supervisor.gone:
            self._start_over()
        if now - self._looked >= LOOK:
            self._looked = now
            self._look()

    def _hear(self, link: Link, now: float) -> None:
        for done in link.read(now, self._reports):
            self._admission.give(done.node)
            if self._strict:
                self._spent.add(link.number)
            if self._requeued:
                self._requeued.pop(done.node, None)
            self._pace = 0.9 * self._pace + 0.1 * done.seconds if self._pace else done.seconds + 1e-6
        if link.garbled and link.pid and link.number in self._links:  # `_bury` tells of it
            below = family.descendants(link.pid)
            family.kill_session(link.pid)
            family.kill(below)

    def _interrupted(self) -> None:
        try:
            os.read(self._wake, 4096)
        except BlockingIOError:
            return
        self._reports.append(Interrupt(self._why or "interrupted"))

    def _look(self) -> None:
        """Tell what steps have printed, and listen closely to those that print much or run long."""
        watched = self._selector.get_map()
        for link in self._links.values():
            self._stop_if_overdue(link)
            self._reports.extend(link.live())
            for speech in (link.out, link.err):
                listen = link.current is not None and (speech.heard or self._looked - link.since >= LOOK)
                if listen and speech.reader not in watched:
                    self._selector.register(speech.reader, selectors.EVENT_READ, link)
                elif not listen and speech.reader in watched:
                    self._selector.unregister(speech.reader)
                speech.heard = False

    def _stop_if_overdue(self, link: Link) -> None:
        """Kill the worker of a task that takes longer than it may; `_bury` tells of it."""
        task = link.current
        if task is None or not task.step.timeout or link.number in self._overdue:
            return
        if self._looked - link.since > task.step.timeout and link.pid:
            self._overdue.add(link.number)
            below = family.descendants(link.pid)  # also those in sessions of their own
            family.kill_session(link.pid)
            family.kill(below)

    # ------------------------------------------------------------------ deaths

    def _bury(self, ended: Exit) -> None:
        """A worker has ended: fail what it was at, give the rest to others."""
        link = self._links.pop(ended.number, None)
        if link is None:
            return
        now = monotonic()
        self._hear(link, now)
        self._spent.discard(ended.number)
        self._reports.extend(link.last_words())
        task = link.current
        if task is not None:
            kills = machine.oom_kills()
            ran_out, self._oom_kills = kills > self._oom_kills, kills
            del link.sent[task.node]
            if ended.number in self._overdue:
                self._overdue.discard(ended.number)
                self._fail(deaths.overdue(task, now - link.since, ended.memory))
                self._give_back(link)
                return
            if link.garbled:
                self._fail(deaths.garbled(task, now - link.since, ended.memory))
                self._give_back(link)
                return
            self._fail(
                deaths.died(
                    task, ended.status, ended.memory, now - link.since, ran_out=ran_out, total=self._memory
                )
            )
        self._give_back(link)

    def _give_back(self, link: Link, said: str = "") -> None:
        """Send what a dead worker had not begun to others; a task that was lost so again and again fails.

        `said` is what the template printed, where it is gone too: why there is no worker.

        That a worker was replaced when it had ended others is not held against a task.
        """
        for task in reversed(link.sent.values()):
            self._admission.give(task.node)
            count = self._requeued.get(task.node, 0) + (not link.ended)
            self._requeued[task.node] = count
            if count > RESTARTS:
                self._fail(deaths.not_started(task, said, self._places()))
            else:
                (self._plain if self._admission.is_plain(task) else self._special).appendleft(task)
        for fd in (link.reports, link.out.reader, link.err.reader):
            if fd in self._selector.get_map():
                self._selector.unregister(fd)
        link.close()

    def _fail(self, done: Done) -> None:
        self._admission.give(done.node)
        self._requeued.pop(done.node, None)
        self._reports.append(done)

    def _places(self) -> list[str]:
        """The folders that first-party modules are imported from."""
        roots = [self._settings["root"], *self._settings["roots"]]
        return [place for root in roots for place in (root, os.path.join(root, "src"))]

    def _start_over(self) -> None:
        """The template is gone, and all workers with it."""
        supervisor, self._supervisor = self._supervisor, None
        if supervisor is None:
            return
        self._selector.unregister(supervisor.control)
        said, was_ready = supervisor.said(), supervisor.ready
        supervisor.close()
        family.kill_marked(supervisor.mark)
        links, self._links = self._links, {}
        now = monotonic()
        for link in links.values():
            self._hear(link, now)
            self._reports.extend(link.last_words())
            if link.current is not None:
                task = link.sent.pop(link.current.node)
                self._fail(deaths.unsupervised(task, now - link.since))
            self._give_back(link, said)
        self._spent.clear()
        if not was_ready:
            self._settings["preload"] = []  # a library that ends the process when it is imported
        if self._starts > RESTARTS:
            for task in [*self._plain, *self._special]:
                self._fail(deaths.not_started(task, said, self._places()))
            self._plain.clear()
            self._special.clear()


def _queue(link: Link) -> int:
    return len(link.sent)
