"""What the tests of single cases share: a small project of given files, run with a store and from nothing."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from witness import Answer, Witness

HEAD = "from pathlib import Path\n\nfrom stepwell import pipeline, source, step\n\n\n"


class Case:
    """A project in a folder, whose runs are each made by a fresh process."""

    def __init__(self, folder: Path, witness: Witness) -> None:
        self.folder = folder
        self.root = folder / "project"
        self.root.mkdir()
        self.store = folder / "store"
        self.witness = witness
        self.variables: dict[str, str] = {}
        self.params: dict[str, Any] = {}
        self._nothing = 0

    def write(self, **files: str) -> None:
        """Write files below the root; `rules_py` is `rules.py`, `data__x_txt` is `data/x.txt`. Times stay as they were."""
        for name, text in files.items():
            stem, _, suffix = name.rpartition("_")
            path = self.root / f"{stem.replace('__', '/')}.{suffix}"
            path.parent.mkdir(parents=True, exist_ok=True)
            before = path.stat() if path.exists() else None
            path.write_text(text)
            if before is not None:
                os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))

    def run(self, *, nothing: bool = False, **options: Any) -> Answer:
        """Plan and run; with `nothing`, on a store that is empty."""
        store = self.store
        if nothing:
            self._nothing += 1
            store = self.folder / f"nothing-{self._nothing}"
        return self.witness.ask(
            do="run", root=str(self.root), site="", variables=self.variables, params=self.params,
            store=str(store), **options,
        )  # fmt: skip

    def both(self, **options: Any) -> Answer:
        """A run with the store; its values are compared with those of a run from nothing."""
        answer = self.run(**options)
        fresh = self.run(nothing=True)
        assert (answer["status"], fresh["status"]) == ("succeeded", "succeeded"), answer["failed"]
        assert answer["values"] == fresh["values"]
        return answer

    def ran(self, answer: Answer) -> list[str]:
        """The ids of the steps that were executed."""
        return [answer["ids"][node] for node in answer["ran"]]
