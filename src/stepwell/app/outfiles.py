"""Files that steps claim (`out="report.html"`): put back where a step is reused and its file is not there, or another.

Whoever asks for a report wants the report, also when it need not be made again. The store has the
file; the project's may have been removed, or be of another run with other parameters.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from stepwell.app.latest import Latest
from stepwell.errors import StepwellError
from stepwell.stores.local import LocalStore
from stepwell.worker.kinds import claims, is_made
from stepwell.worker.world import World

if TYPE_CHECKING:
    from stepwell.kernel.ports import Artifact, Result


class OutFiles:
    """The claimed files of a plan's steps. `root` is where they lie."""

    def __init__(self, latest: Latest, store: LocalStore, root: Path) -> None:
        self._latest = latest
        self._store, self._root = store, root

    def notes(self, world: World, results: Sequence[Result | None]) -> Iterator[str]:
        """What a person is told of files that a run would put back; `results` are those that steps are to reuse."""
        graph = self._latest.plan.graph
        made = [is_made(step) for step in graph.steps]
        for node, result in zip(graph.nodes, results, strict=True):
            if result is None or not (node.out or made[node.step]):
                continue
            for output, out in claims(graph.steps[node.step], node.out):
                artifact = _claimed(result, output)
                now = world.token(f"file {out}")
                if artifact is None or _is_same(now, artifact):
                    continue
                if now != "folder":
                    word = "is gone" if now == "absent" else "is not what it gave"
                    yield f"`{out}` of `{node.id}` {word}; a run puts it back"
                elif self._is_file(artifact):
                    yield f"`{out}` of `{node.id}` is a folder now, which is left as it is; move it, and a run puts the file back"

    def put_back(self, node: int, result: Result) -> None:
        """See that the files of a reused step are what it gave. What cannot be written is left as it is."""
        graph = self._latest.plan.graph
        for output, out in claims(graph.step_of(node), graph.nodes[node].out):
            artifact = _claimed(result, output)
            if artifact is not None:
                self._put_back(out, artifact)

    def _put_back(self, out: str, artifact: Artifact) -> None:
        import shutil

        from stepwell.app.values import load

        if _is_same(World(self._root).token(f"file {out}"), artifact):
            return
        target = self._root / out
        beside = target.with_name(f".{target.name[:100]}.{os.getpid()}")
        try:
            kept = load(self._store, artifact)
            target.parent.mkdir(parents=True, exist_ok=True)
            if kept.is_dir() and target.is_dir():
                _fill(kept, target)
            elif not target.is_dir():
                _copy(kept, beside)
                beside.replace(target)
        except (
            OSError,
            StepwellError,
        ):  # its result stands; the file is a convenience, and the plan names it again
            if beside.is_dir():
                shutil.rmtree(beside, ignore_errors=True)
            else:
                with suppress(OSError):
                    beside.unlink()

    def _is_file(self, artifact: Artifact) -> bool:
        from stepwell.app.values import preview

        try:
            return "file" in preview(self._store, artifact)
        except StepwellError:  # the plan has judged whether it is there
            return False


def _claimed(result: Result, output: str) -> Artifact | None:
    """The file among what a step gave: the output of that name, or where that is none, the first that is one."""
    files = [artifact for artifact in result.outputs if artifact.codec == "path"]
    return next((artifact for artifact in files if artifact.name == output), files[0] if files else None)


def _is_same(token: str, artifact: Artifact) -> bool:
    """Whether a file is the one of an artifact; of folders that is not known from a token."""
    return artifact.parts == (token,)


def _copy(kept: Path, beside: Path) -> None:
    """A copy that its owner may write to: what the store holds is read-only."""
    import shutil

    if kept.is_dir():
        shutil.copytree(kept, beside, copy_function=shutil.copy)
        for folder, _, files in os.walk(beside):
            os.chmod(folder, 0o755)
            for name in files:
                path = os.path.join(folder, name)
                os.chmod(path, os.stat(path).st_mode | 0o200)
        return
    shutil.copyfile(kept, beside)
    if os.access(kept, os.X_OK):
        os.chmod(beside, os.stat(beside).st_mode | 0o111)


def _fill(kept: Path, there: Path) -> None:
    """Put into a folder what another one holds and it has not, or has otherwise; all else in it is left: nobody knows whose it is."""
    import filecmp

    for folder, _, files in os.walk(kept):
        into = there / Path(folder).relative_to(kept)
        into.mkdir(exist_ok=True)
        for name in files:
            one, other = Path(folder, name), into / name
            if not other.is_file() or not filecmp.cmp(one, other, shallow=False):
                beside = into / f".{name[:100]}.{os.getpid()}"
                _copy(one, beside)
                beside.replace(other)
