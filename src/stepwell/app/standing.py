"""A plan in which everything was up to date, recalled instead of made again: proven by digest, not assumed.

Planning an unchanged project means importing its libraries, tracing, and asking for every result, to
hear that nothing changed. So such a plan, and a run that has brought all up to date, leave a `Standing` in the
store's memo: what was asked, everything that the answer rested on with what each thing came to, and the answer. As
long as all of it comes to the same, the answer is the same.

    what it rests on                               how that is proven
    the command's words, the folder, all of the    part of the question, under which it is kept
      environment, Python, Stepwell
    files of first-party modules, settings         digest of their bytes, read anew
    what importing and tracing were seen to read   `worker.world`, as for steps
    what else importing might find                 names in the folders of first-party modules
    what is installed                              names in the folders of `sys.path`, times of files and metadata
    sources                                        pinned anew, by the time stamps of their files; as the last run had them
    what steps were seen to rest on                `worker.world`
    results, accepted edits                        the store's counters (`stores.standing`)
    files of large results                         verified, as by every plan
    how old a result may be (`ttl=`)               the first moment at which one has expired

What cannot be proven so leaves none (`app.lasting`). This module is light: nothing that a hit does not
need is imported. Losing a standing costs time only.
"""

from __future__ import annotations

import os
import sys
import time
from _blake2 import blake2b  # as `hashlib` has it, which loads OpenSSL first
from collections.abc import Iterable, Mapping, Sequence
from json import dumps, loads  # bound before any code of a project runs, which may replace them
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stepwell.named import NamedTuple
from stepwell.stores.standing import Footing, footing, stands
from stepwell.version import VERSION

if TYPE_CHECKING:
    from stepwell.stores.blobs import Blobs
    from stepwell.stores.database import Database
    from stepwell.stores.memo import Memo

KIND, KEYS = "standing", "standing keys"
"""Kinds of memo: standings, and the keys of the results that each rests on."""

FORMAT = 1

WIDTH = 8
"""Bytes of each key that are kept."""

PASSING = frozenset(
    [
        "PWD",
        "OLDPWD",
        "SHLVL",
        "_",
        "COLUMNS",
        "LINES",
        "WINDOWID",
        "TERM_SESSION_ID",
        "TMUX_PANE",
        "STY",
        "SSH_TTY",
        "SSH_CONNECTION",
        "SSH_CLIENT",
    ]
)
"""Environment variables that a shell or terminal changes by itself; all others are part of the question."""

PACKAGE = Path(__file__).parent.parent


class Standing(NamedTuple):
    """An answer, and what it rests on.

    `facts` are (what, token), in the words of `worker.world`, and `bytes PATH`; `sources` (address,
    digest, what `sources.pin.unmoved` compares as hexadecimal digits); `until` in seconds since 1970 (0: it does not pass); `files` and `held` the digests of large
    and of small blobs that the answer shows or counts on; `run` the number of a run in which
    nothing ran (0: there is none). `shown` is the answer, plain data that is for whoever made it.
    """

    root: str
    facts: tuple[tuple[str, str], ...]
    sources: tuple[tuple[str, str, str], ...]
    until: float
    footing: Footing
    files: tuple[str, ...]
    held: tuple[str, ...]
    run: int
    shown: Mapping[str, Any]


def question(verb: str, words: Sequence[str], shape: Sequence[object] = ()) -> str:
    """The key of what is asked here and now: `shape` is what else the answer depends on, such as its width."""
    environment = sorted((name, value) for name, value in os.environ.items() if name not in PASSING)
    asked = (FORMAT, verb, tuple(words), tuple(shape), os.getcwd(), environment, _python(), _ours())
    return blake2b(repr(asked).encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def _python() -> tuple[object, ...]:
    return (sys.version, sys.executable, sys.prefix, tuple(sys.path), tuple(sys.flags), os.uname())


def _ours() -> tuple[object, ...]:
    """This Stepwell: its version; in a checkout, where that stays the same, when its files were changed."""
    if "site-packages" in PACKAGE.parts:
        return (VERSION,)
    times = [os.stat(os.path.join(at, name)).st_mtime_ns for at, _, names in os.walk(PACKAGE) for name in names
             if name.endswith(".py")]  # fmt: skip
    return (VERSION, len(times), max(times))


def recall(key: str, root: Path, database: Database, memo: Memo, blobs: Blobs) -> Standing | None:
    """The standing of a question, if all that it rests on is as it was."""
    text = memo.get(KIND, key)
    found = _unpacked(text) if text is not None else None
    if found is None or found.root != os.fspath(root) or 0 < found.until <= time.time():
        return None
    now = footing(database)
    keys = _Keys(memo.get(KEYS, key) if now.last != found.footing.last else None)
    if now.last != found.footing.last and not keys:
        return None
    proven = (
        stands(database, found.footing, now, keys)
        and all(bytes_token(what[6:]) == token for what, token in found.facts if what.startswith("bytes "))
        and _as_seen(root, memo, [fact for fact in found.facts if not fact[0].startswith("bytes ")])
        and _as_pinned(root, memo, found.sources)
        and not any(blobs.check(digest) for digest in found.files)
        and _held(database, found.held)
    )
    return found if proven else None


def bytes_token(path: str) -> str:
    """The token of a small file's bytes: a digest, or "absent" where none can be read."""
    try:
        with open(path, "rb") as file:
            return blake2b(file.read(), digest_size=20).hexdigest()
    except (OSError, ValueError):
        return "absent"


def _as_seen(root: Path, memo: Memo, facts: Sequence[tuple[str, str]]) -> bool:
    from stepwell.worker.world import World

    world = World(root, memo)  # type: ignore[arg-type]  # what goes in as bytes comes out as bytes
    return all(world.token(what) == token for what, token in facts)


def _as_pinned(root: Path, memo: Memo, sources: Sequence[tuple[str, str, str]]) -> bool:
    if not sources:
        return True
    from stepwell.errors import StepwellError
    from stepwell.sources.pin import last_used, pin, unmoved

    try:
        return all(
            last_used(uri, root=root, memo=memo) in ("", digest)  # type: ignore[arg-type]
            and (
                unmoved(uri, (digest, bytes.fromhex(facts)), root=root)
                or pin(uri, root=root, memo=memo).digest == digest  # type: ignore[arg-type]
            )
            for uri, digest, facts in sources
        )
    except StepwellError:  # it is gone, or cannot be read: the whole plan says so
        return False


def _held(database: Database, digests: Sequence[str]) -> bool:
    """Whether the small blobs that the answer shows are in the store, and are what they were."""
    if not digests:
        return True
    from stepwell.stores.blobs import digest_of

    found = dict(database.many("SELECT digest, data FROM blobs WHERE digest IN (???)", digests))
    return all(digest in found and digest_of(found[digest]) == digest for digest in digests)


def keep(key: str, standing: Standing, keys: Iterable[str], memo: Memo) -> None:
    """Put a standing into the memo, with the keys of the results that it rests on."""
    renew(key, standing, memo)
    memo.put(KEYS, key, bytes.fromhex("".join([digits[: 2 * WIDTH] for digits in keys])))


def renew(key: str, standing: Standing, memo: Memo) -> None:
    """Put a standing that holds as it did in place of the one before."""
    memo.put(KIND, key, dumps([FORMAT, *standing]))


class _Keys:
    """The keys that were kept. Of each its first bytes are: one that only looks like it costs a plan, and nothing else."""

    def __init__(self, packed: object) -> None:
        found = packed if isinstance(packed, bytes) else b""
        self._marks = frozenset([found[at : at + WIDTH] for at in range(0, len(found), WIDTH)])

    def __len__(self) -> int:
        return len(self._marks)

    def __contains__(self, key: object) -> bool:
        return bytes.fromhex(str(key)[: 2 * WIDTH]) in self._marks


def _unpacked(text: str | bytes) -> Standing | None:
    try:
        mark, root, facts, sources, until, on, files, held, run, shown = loads(text)
        if mark != FORMAT:
            return None
        seen, pinned = (
            tuple([(what, token) for what, token in facts]),
            tuple([(u, d, f) for u, d, f in sources]),
        )
        return Standing(root, seen, pinned, until, Footing(*on), tuple(files), tuple(held), run, shown)
    except (ValueError, TypeError):  # a memo may hold anything
        return None
