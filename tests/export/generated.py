"""Generated pipelines: projects of random steps, wiring, parameters and data, and what runs and exports them in this process."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from random import Random
from typing import Any

from stepwell.app.driving import finish
from stepwell.app.places import stored
from stepwell.app.runfile import exported, prepared, staged
from stepwell.app.session import Settings, prepare
from stepwell.author.params import from_call
from stepwell.author.project import find, load
from stepwell.export.runfile import RunFile, differences, parsed, text_of

HOW = Settings(in_process=True)

VALUES: dict[str, list[Any]] = {
    "int": [0, -7, 2**70, 10**40],
    "float": [0.1, -0.0, 1e400, float("nan"), float("-inf"), 1e16, 5e-324, 3],
    "str": [
        "",
        "yes",
        "a: b",
        "NaN",
        "two\nlines\n",
        "ключ 😀 \u2028",
        " - x #y",
        "0x10",
        "~",
        "2001-01-01",
        "'\"\\",
    ],
    "bool": [True, False],
    "int | None": [None, 4],
    "list[float]": [[], [1.5, float("inf")], [float("nan")]],
    "dict[str, int]": [{}, {"yes": 1, "a: b": 2, "": 3}],
    "tuple[int, ...]": [(), (1, 2)],
    "": [1, "x", None, 2.5, float("nan")],
}

BODIES = ["return repr(xs)[:400]", "return [repr(x)[:80] for x in xs]", "return {'n': len(xs), 'odd key: ': repr(xs)[:50]}",
          "return helpers.worked(xs)", "return float('nan') if len(xs) > 2 else len(xs) / 3"]  # fmt: skip

OPTIONS = ["", "", "(retries=1)", "(version='2')", "(cpus=1, tags=['a'])", "(environment='loose')"]


class Generated:
    """A project in a folder with a git repository, made of a seed."""

    def __init__(self, seed: int, folder: Path) -> None:
        self.random = Random(seed)
        self.folder, self.root = folder, folder / "project"
        self.root.mkdir(parents=True)
        self.params = {f"p{n}": self.random.choice(list(VALUES)) for n in range(self.random.randint(0, 4))}
        self.data = self.random.randint(0, 2)
        self._write()
        self.git("init", "-q")
        self.git("add", "-A")
        self.git("commit", "-qm", "first")
        helpers = self.root / "helpers.py"
        if self.random.random() < 0.4:  # what nobody committed
            helpers.write_text(helpers.read_text("utf-8").replace("worked:", "worked anew, ключ:"), "utf-8")
        if self.random.random() < 0.3:  # nor even told git of
            (self.root / "more.py").write_text("SIGN = 'ß'\n", "utf-8")
            text = (
                helpers.read_text("utf-8")
                .replace("worked", "worked{more.SIGN}", 2)
                .replace("{more.SIGN}", "", 1)
            )
            helpers.write_text(f"import more\n{text}", "utf-8")

    def git(self, *words: str) -> None:
        """A git command in the project."""
        who = ["-c", "user.name=a", "-c", "user.email=a@localhost", "-c", "commit.gpgsign=false"]
        subprocess.run(["git", *who, *words], cwd=self.root, check=True, capture_output=True)

    def _write(self) -> None:
        pick = self.random
        (self.root / "stepwell.toml").write_text("")
        (self.root / ".gitignore").write_text(".stepwell\n" + ("data*\n" if pick.random() < 0.5 else ""))
        for n in range(self.data):
            (self.root / f"data {n}.txt").write_text(f"{pick.random()}\n", "utf-8")
        (self.root / "helpers.py").write_text("def worked(xs):\n    return f'worked: {len(xs)}'\n", "utf-8")
        lines = ["import helpers", "from stepwell import log, pipeline, source, step, when", ""]
        lines += [f"d{n} = source('data {n}.txt', str)" for n in range(self.data)]
        count = pick.randint(1, 6)
        for n in range(count):
            recorded = (
                f"log.metric('m{pick.randint(0, 2)}', float({pick.choice(['nan', 'inf', '1', '-0.0'])!r}))"
            )
            metric = f"    {recorded}\n" if pick.random() < 0.4 else ""
            lines += ["", f"@step{pick.choice(OPTIONS)}\ndef s{n}(*xs):\n{metric}    {pick.choice(BODIES)}"]
        lines += ["", "@step\ndef several(x) -> list[str]:\n    return ['a', 'b: c', repr(x)[:9]]"]
        lines += ["", "@step\ndef one(item: str, k=1) -> str:\n    return item * 2 + str(k)"]
        written = ", ".join(
            f"{name}{': ' + kind if kind else ''} = {self._source(pick.choice(VALUES[kind]))}"
            for name, kind in self.params.items()
        )
        lines += ["", f"@pipeline\ndef made({written}):", *self._body(count), "    return last"]
        (self.root / "pipeline.py").write_text("\n".join(lines) + "\n", "utf-8")

    @staticmethod
    def _source(value: Any) -> str:
        return repr(value).replace("nan", "float('nan')").replace("inf", "float('inf')")

    def _body(self, count: int) -> list[str]:
        pick, lines = self.random, []
        there = [*self.params, *[f"d{n}()" for n in range(self.data)], "7", "'x: y'"]
        for n in range(pick.randint(1, 9)):
            taken = ", ".join(pick.sample(there, min(len(there), pick.randint(0, 3))))
            kind = pick.random()
            if kind < 0.15:
                call = f"one.map(several({taken.partition(', ')[0] or 1}), k={n})"
            elif kind < 0.3:
                call = f"s{pick.randrange(count)}([{taken}])"
            else:
                call = f"s{pick.randrange(count)}({taken})"
            lines.append(f"    v{n} = {call}")
            there.append(f"v{n}")
        return [*lines, f"    last = {there[-1]}"]

    def asked(self) -> dict[str, Any]:
        """Parameters that a person gives: some of them."""
        return {
            n: self.random.choice(VALUES[kind])
            for n, kind in self.params.items()
            if self.random.random() < 0.6
        }

    def first(self) -> str:
        """The first run, exported."""
        loaded = load(find("pipeline.py:made", self.root))
        with stored(self.root) as store:
            work = prepare(loaded, from_call(loaded.pipeline, (), self.asked()), store, HOW)
            run, _, _ = finish(work, HOW, Quiet())
            return text_of(exported(store, run))

    def forget(self) -> None:
        """The store is gone."""
        shutil.rmtree(self.root / ".stepwell")

    def clone(self) -> None:
        """Go on in a fresh clone, with the data that git does not know beside it."""
        there = self.folder / "clone"
        subprocess.run(["git", "clone", "-q", str(self.root), str(there)], check=True, capture_output=True)
        for path in self.root.glob("data*"):
            shutil.copy(path, there)
        self.root = there


def again(text: str, root: Path) -> tuple[RunFile, str, list[str]]:
    """A file run again in a project: the file, what the new run is exported as, how they differ."""
    file = parsed(text, "run.yaml")
    before = os.getcwd()
    with stored(root) as store, staged(file, root, store) as place:
        run, _, _ = finish(prepared(file, place, store, HOW), HOW, Quiet())
        now = exported(store, run)
    assert os.getcwd() == before
    return file, text_of(now), differences(file, now)


class Quiet:
    """Shows nothing."""

    def points(self, *_: Any) -> None:
        """Nothing."""

    def begin(self, name: str) -> None:
        """Nothing."""

    def see(self, event: Any, progress: Any) -> None:
        """Nothing."""

    def end(self, run: str, progress: Any, result: Any) -> None:
        """Nothing."""
