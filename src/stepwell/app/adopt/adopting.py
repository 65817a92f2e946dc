"""`stepwell adopt` as a whole: find what there is to read, write the pipeline, take over what was made."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import Any, NamedTuple

from stepwell.app.adopt.compose import Text, compose
from stepwell.app.adopt.dvc import read_dvc
from stepwell.app.adopt.facts import Found
from stepwell.app.adopt.make import makefile_of, read_make
from stepwell.app.adopt.takeover import Taken, loaded_of, take_over
from stepwell.app.git import unignored
from stepwell.author.root import root_of
from stepwell.errors import FileInTheWay, NothingToAdopt, StepwellError, StoreReadOnly, UsageError

DVC = "dvc.yaml"

_SHOWN = 12


class Adopted(NamedTuple):
    """What was read, the text of the pipeline, where it was written (None: nowhere), and what was taken over.

    `problem` is what kept existing outputs from being taken over, where something did; `loads` whether what was
    written can be imported and traced at all. `unignored` are outputs that git would take for new files.
    """

    found: Found
    text: Text
    file: Path | None
    taken: Taken
    problem: StepwellError | None = None
    loads: bool = True
    unignored: tuple[str, ...] = ()

    @property
    def told(self) -> list[str]:
        """What whoever adopts has to know, whether or not they read the comments."""
        if not self.unignored:
            return [*self.text.told]
        shown = " ".join(shlex.quote(f"/{name}") for name in self.unignored[:_SHOWN])
        more = f"     (and {len(self.unignored) - _SHOWN} more)" if len(self.unignored) > _SHOWN else ""
        return [
            *self.text.told,
            f"git does not ignore all that is made: printf '%s\\n' {shown} >> .gitignore{more}",
        ]

    def document(self) -> dict[str, Any]:
        """As `adopt --json` prints it."""
        return {
            "origin": self.found.origin,
            "file": None if self.file is None else self.file.name,
            "text": self.text.text,
            "stages": [
                {
                    "stage": stage.id,
                    "step": self.text.steps[stage.id],
                    "taken": stage.id in self.taken.stages,
                    "why": self.taken.left.get(stage.id) or stage.proof.note or "",
                    "notes": list(stage.notes),
                }
                for stage in self.found.stages
            ],
            "run": self.taken.run or None,
            "notes": [*self.told, *self.found.notes],
            "problem": None if self.problem is None else self.problem.as_dict(),
        }


def read(folder: Path, origin: str = "", *, trust_times: bool = False) -> Found:
    """What is to be adopted: the file that is named, else `dvc.yaml`, else the Makefile.

    Raises `NothingToAdopt`, `BadDvcFile`, `BadMakefile`, `MissingLibrary`.
    """
    file = folder / origin if origin else folder / DVC
    if not origin and not file.is_file():
        file = makefile_of(folder) or file
    if not file.is_file():
        raise NothingToAdopt(
            f"there is no `{origin}` here" if origin else "there is no dvc.yaml and no Makefile here",
            why="what is adopted is a file that says how other files are made",
            fixes=["stepwell -C DIR adopt", "stepwell new    for a pipeline to start from"],
        )
    if file.resolve().parent != folder.resolve():
        place = os.path.relpath(file.parent, folder)
        raise UsageError(
            f"`{origin}` does not lie in this folder", fixes=[f"stepwell -C {place} adopt {file.name}"]
        )
    found = (
        read_dvc(folder, file.name)
        if file.suffix in (".yaml", ".yml")
        else read_make(file, trust_times=trust_times)
    )
    if not found.stages:
        raise NothingToAdopt(
            f"`{file.name}` has nothing that could be a step", why="; ".join(found.notes[:3]) or "it is empty"
        )
    return found


def adopt(
    folder: Path,
    origin: str = "",
    output: str = "pipeline.py",
    *,
    trust_times: bool = False,
    write: bool = True,
) -> Adopted:
    """Read, compose, write (if `write`), take over. What exists is never overwritten.

    Raises as `read` does, and `FileInTheWay`, `UsageError`, `StoreReadOnly`.
    """
    file = folder / output
    _refuse(folder, file)
    if write and os.path.lexists(file):
        raise _in_the_way(file)
    found = read(folder, origin, trust_times=trust_times)
    text = compose(found, folder)
    if not write:
        left = {stage.id: stage.proof.why for stage in found.stages if not stage.proof.holds}
        return Adopted(found, text, None, Taken("", (), left))
    try:
        with file.open("x", encoding="utf-8") as out:
            out.write(text.text)
    except FileExistsError:
        raise _in_the_way(file) from None
    except OSError as error:
        raise StoreReadOnly(f"cannot write `{file.name}`: {error.strerror}") from None
    done = Adopted(found, text, file, Taken("", (), {}), unignored=_unignored(found, folder))
    try:
        loaded = loaded_of(file)
    except StepwellError as error:
        return done._replace(problem=error, loads=False)
    try:
        return done._replace(taken=take_over(found, loaded))
    except StepwellError as error:  # the pipeline is written; what it lacks is told, and a plan says it again
        return done._replace(problem=error)


def _unignored(found: Found, folder: Path) -> tuple[str, ...]:
    outs = [out for stage in found.stages for out in stage.outs if out not in stage.committed]
    return tuple(unignored(folder, outs))


def _in_the_way(file: Path) -> FileInTheWay:
    return FileInTheWay(
        f"`{file.name}` is there already",
        why="nothing that somebody wrote is overwritten",
        fixes=["stepwell adopt -o adopted.py", "stepwell adopt --dry-run   prints what would be written"],
    )


def _refuse(folder: Path, file: Path) -> None:
    """Raises `UsageError` where the pipeline could not be imported, or would have another folder as its root."""
    if file.suffix != ".py" or not file.stem.isidentifier() or file.parent != folder:
        raise UsageError(
            f"`{file.name}` cannot be a pipeline file here",
            fixes=["a Python name in this folder, ending in .py"],
        )
    root = root_of(folder)
    if root != folder.resolve():
        raise UsageError(
            f"this folder belongs to the project in `{root}`",
            why="steps run in the root of their project, and paths of this folder would mean other files there",
            fixes=["touch stepwell.toml   makes this folder a project of its own"],
        )
