"""Generated pipelines, random edits: the cached run gives what a run from nothing gives, and nothing more is run.

After each edit two fresh processes are asked: one plans and runs through the real store, the other
calls the steps as plain Python functions. What must run is known from the terrain, not from
Stepwell: a call must run exactly when nothing it depends on has had this combination before.

A failure names its seed and its edits. To see it again: `pytest tests/proof -k "[3]"`.
"""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path
from random import Random
from typing import Any

import pytest
import terrain as lands
from witness import Answer, Witness

Combination = tuple[object, ...]


class Story:
    """One project and what happened to it. `seen`: the digests of the results that each combination has had."""

    def __init__(self, seed: int, folder: Path, witness: Witness) -> None:
        self.random = Random(seed)
        self.witness = witness
        self.root, self.store, self.site = folder / "project-0", folder / "store-0", folder / "site-packages"
        self.land = lands.grown(self.random)
        self.past: list[lands.Terrain] = []
        self.seen: dict[Combination, set[str]] = {}
        self.damaged: set[str] = set()
        self.told: list[str] = [f"seed {seed}"]
        self.verbs: set[tuple[str, str]] = set()

    def edit(self) -> None:
        """One random edit, of the project or of its surroundings."""
        kinds: list[Any] = [None, "undo", "store", "project", "damage", "delete"]
        edits, weights = zip(*lands.EDITS, strict=True)
        kind = self.random.choices([*kinds[1:], *edits], [3, 1, 1, 1, 1, *weights])[0]
        if kind == "undo" and len(self.past) >= 2:
            self.land = self.past[-2].copy()
            self.told.append("two edits undone")
        elif kind == "store":
            self.store = lands.move(self.store)
            self.told.append("store moved")
        elif kind == "project":
            self.root = lands.move(self.root)
            self.told.append("project moved")
        elif kind in ("damage", "delete"):
            self.told.append(self.spoil(delete=kind == "delete"))
        else:
            self.past.append(self.land.copy())
            change = self.random.choices(edits, weights)[0] if kind == "undo" else kind
            self.told.append(change(self.land, self.random))

    def spoil(self, *, delete: bool) -> str:
        """Flip a byte of a blob, or take the blob away."""
        digests = sorted({digest for one in self.seen.values() for digest in one})
        digest = self.random.choice(digests)
        self.damaged.add(digest)
        file = self.store / "blobs" / digest[3:5] / digest[5:]
        if file.exists():
            data = bytearray(file.read_bytes())
            data[self.random.randrange(len(data))] ^= 1
            file.unlink()
            if not delete:
                file.write_bytes(data)
            return f"file blob {digest[:12]} {'deleted' if delete else 'damaged'}"
        with contextlib.closing(sqlite3.connect(self.store / "store.db")) as connection:
            if delete:
                connection.execute("DELETE FROM blobs WHERE digest = ?", (digest,))
            else:
                rows = connection.execute("SELECT data FROM blobs WHERE digest = ?", (digest,)).fetchall()
                changed = [(bytes([data[0] ^ 1]) + data[1:], digest) for (data,) in rows]
                connection.executemany("UPDATE blobs SET data = ? WHERE digest = ?", changed)
            connection.commit()
        return f"blob {digest[:12]} {'deleted' if delete else 'damaged'}"

    def check(self, *, workers: bool = False) -> None:
        """Plan and run what the project is now, and compare."""
        self.root.mkdir(exist_ok=True, parents=True)
        variables = lands.write(self.land, self.root, self.site)
        common: Answer = {
            "root": str(self.root), "site": str(self.site), "variables": variables, "params": self.land.params,
        }  # fmt: skip
        values = self.witness.ask(do="plain", calls=self.land.rows(), **common)["values"]
        answer = self.witness.ask(do="run", store=str(self.store), workers=workers, **common)
        try:
            self.compare(values, answer)
        except AssertionError as error:
            story = "\n".join(self.told[-12:])
            plan = "\n".join(
                f"{i} {name} {d['verb']} {d['texts']} -> {b and b['verb']} {b and b['texts']}"
                for i, (name, d, b) in enumerate(
                    zip(answer["ids"], answer["plan"], answer["became"], strict=True)
                )
            )
            raise AssertionError(f"{error}\n\n{story}\n\n{plan}\n\n{self.root}") from None

    def compare(self, values: list[str], answer: Answer) -> None:
        """What a run did against what plain Python gives, and against what had to be done."""
        assert (answer["status"], answer["failed"]) == ("succeeded", [])
        assert not answer["wrote"], "the plan wrote something"
        assert [(d["verb"], d["key"]) for d in answer["plan"]] == [
            (d["verb"], d["key"]) for d in answer["again"]
        ]
        combinations = self.combinations(values)
        self.values_agree(values, combinations, answer)
        self.nothing_ran_in_vain(combinations, answer)
        for node in range(len(values)):
            self.as_planned(node, combinations, answer)
        for node, combination in enumerate(combinations):
            self.seen.setdefault(combination, set()).add(answer["digests"][node])
        self.damaged -= {answer["digests"][node] for node in answer["ran"]}
        self.verbs |= {(p["verb"], b["verb"]) for p, b in zip(answer["plan"], answer["became"], strict=True)}

    def combinations(self, values: list[str]) -> list[Combination]:
        """All that each call depends on: two calls with one combination have one result."""
        out = []
        for i, call in enumerate(self.land.calls):
            inputs = []
            for name, (kind, what) in sorted(call.given.items()):
                value: object = what
                if kind == "node":
                    value = values[int(what)]
                elif kind == "param":
                    value = self.land.params[str(what)]
                elif kind == "source":
                    value = ("source", self.land.sources[str(what)])
                inputs.append((name, value))
            out.append((self.land.state(i), tuple(inputs)))
        return out

    def values_agree(self, values: list[str], combinations: list[Combination], answer: Answer) -> None:
        """Every value that can be read is right; only one whose blob was damaged cannot be read."""
        for node, value in enumerate(values):
            found = answer["values"][node]
            if found is None and node not in self.land.returned:
                assert answer["digests"][node] in self.damaged, f"the value of {node} is lost"
            else:
                assert found == value, f"{node} is stale: {found}, from nothing {value}"

    def nothing_ran_in_vain(self, combinations: list[Combination], answer: Answer) -> None:
        """What ran is what had to; and, where blobs were damaged, what gave those."""
        ran = [combinations[node] for node in answer["ran"]]
        assert len(ran) == len(set(ran)) or answer["repaired"], "one combination ran twice"
        needed = {one for one in combinations if one not in self.seen}
        assert needed <= set(ran), "something did not run that had to"
        lost = {one for one in combinations if self.seen.get(one, set()) & self.damaged}
        assert set(ran) <= needed | lost, (
            f"ran without need: {[combinations.index(c) for c in set(ran) - needed - lost]}"
        )

    def as_planned(self, node: int, combinations: list[Combination], answer: Answer) -> None:
        """What became of one call is what the plan said of it."""
        planned, became = answer["plan"][node], answer["became"][node]
        ran = node in answer["ran"]
        lost = bool(self.seen.get(combinations[node], set()) & self.damaged)
        twin = combinations.index(combinations[node]) < node or combinations.count(combinations[node]) > 1
        certain = all(answer["plan"][before]["kinds"] == ["cached"] for before in self.land.before(node))
        verb = planned["verb"]
        assert verb in ("run", "maybe", "cached")
        if verb == "cached":
            assert not ran or lost, f"{node} was planned as cached and ran"
        elif planned["key"] is not None:
            assert verb == "run"
            assert ran or twin, f"{node} was planned to run and did not"
            assert became["key"] == planned["key"]
        elif verb == "maybe":
            same = became["inputs"] == planned["inputs"]
            if not lost:
                assert ran != (same or combinations[node] in self.seen or (twin and not ran)), (
                    f"{node} maybe: {same}"
                )
            assert not (ran and same) or lost, f"{node} ran although what it waits for came out unchanged"
        elif not ran:
            assert combinations[node] in self.seen or twin, f"{node} was to run and turned out as cached"
        if certain:
            assert verb != "maybe", f"{node} waits for nothing and is maybe"
            assert verb == "cached" or planned["key"] is not None, f"{node} waits for nothing and has no key"


def told(seed: int, edits: int, folder: Path, witness: Witness, *, workers: bool = False) -> None:
    """A whole story: a project, then edits, each followed by a check."""
    story = Story(seed, folder, witness)
    story.check(workers=workers)
    for _ in range(edits):
        story.edit()
        story.check(workers=workers)


SHORT = range(12)
EDITS = 17
"""Stories of the normal suite, and edits in each: 204 in all."""


@pytest.mark.slow
@pytest.mark.parametrize("seed", SHORT)
def test_edits_one_after_another(seed, tmp_path, witness):
    told(seed, EDITS, tmp_path, witness)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 103))
def test_edits_one_after_another_with_workers(seed, tmp_path, witness):
    told(seed, 4, tmp_path, witness, workers=True)


@pytest.mark.deep
@pytest.mark.parametrize("seed", range(1000, 1100))
def test_thousands_of_edits(seed, tmp_path, witness):
    told(seed, 40, tmp_path, witness, workers=seed % 10 == 0)


# ---------------------------------------------------------------------- the test itself is tested


def tampered(store: Path, sql: str) -> None:
    with contextlib.closing(sqlite3.connect(store / "store.db")) as connection:
        assert connection.execute(sql).rowcount > 0
        connection.commit()


def test_a_stale_result_is_noticed(tmp_path, witness):
    story = Story(1, tmp_path, witness)
    story.check()
    tampered(story.store, "UPDATE results SET outputs = (SELECT outputs FROM results ORDER BY seq LIMIT 1)")
    with pytest.raises(AssertionError, match="is stale"):
        story.check()


def test_work_that_is_done_in_vain_is_noticed(tmp_path, witness):
    story = Story(1, tmp_path, witness)
    story.check()
    tampered(story.store, "DELETE FROM results WHERE seq = 1")
    with pytest.raises(AssertionError, match="ran without need"):
        story.check()


def test_work_that_is_left_out_is_noticed(tmp_path, witness):
    story = Story(1, tmp_path, witness)
    story.check()
    story.seen.popitem()
    with pytest.raises(AssertionError, match="did not run that had to"):
        story.check()


def test_the_stories_are_about_all_that_a_step_can_reach():
    lands_of_stories = [lands.grown(Random(seed)) for seed in SHORT]
    kinds = {
        land.ingredients[i].kind for land in lands_of_stories for step in land.steps for i in step.reaches
    }
    assert kinds == set(lands.KINDS)


@pytest.mark.slow
def test_the_stories_are_about_all_that_a_plan_can_say(tmp_path, witness):
    verbs = set()
    for seed in SHORT[2:4]:
        story = Story(seed, tmp_path / str(seed), witness)
        story.check()
        for _ in range(EDITS):
            story.edit()
            story.check()
        verbs |= story.verbs
    assert verbs >= {("run", "run"), ("cached", "cached"), ("maybe", "cached"), ("maybe", "run")}
