"""Generated projects, and edits of them, whose consequences are known.

A `Terrain` is a project as data: steps, the things that they reach (`Ingredient`), how calls are
wired, and all values that an edit can change. `write` makes files of it. Since it knows what each
step reaches, it knows which calls an edit concerns: `state` is everything that a call's result
depends on besides its inputs. Two terrains with equal states differ in comments and layout only.

Everything that is random comes from the `random.Random` that is handed in.
"""

from __future__ import annotations

import copy
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import NamedTuple


class Kind(NamedTuple):
    """A kind of thing that a step can reach. `{i}` is its number, `{s}` its state, `{d}` and `{c}` are cosmetic.

    `module` is the file that holds `code`, `use` turns `x` into another number.
    """

    module: str
    code: str
    use: str
    observed: bool = False


KINDS: dict[str, Kind] = {
    "helper": Kind("pipeline", "def near_{i}(x{a}):{d}\n    return x + {s}{c}\n", "near_{i}(x)"),
    "imported helper": Kind(
        "rules", "def scale_{i}(x{a}):{d}\n    return x * 3 + {s}{c}\n", "rules.scale_{i}(x)"
    ),
    "helper behind a helper": Kind(
        "deep", "def down_{i}(x{a}):{d}\n{c}\n    return x - {s}\n", "rules.through_{i}(x)"
    ),
    "constant": Kind("pipeline", "{c}\nOFFSET_{i} = {s}\n", "x + OFFSET_{i}"),
    "nested constant": Kind(
        "limits",
        'CONFIG_{i} = {{\n    "a": {{"b": [1, {s}]}},{c}\n    "c": ("x", None, 2.5),\n}}\n',
        'x + limits.CONFIG_{i}["a"]["b"][1]',
    ),
    "computed constant": Kind(
        "limits", "TABLE_{i} = [n * n for n in range(2{s})]{c}\n", "x + len(limits.TABLE_{i})"
    ),
    "method of a base class": Kind(
        "shapes",
        "class Base_{i}:{d}\n    def value(self):\n        return self.n + {s}{c}\n\n\n"
        "class Model_{i}(Base_{i}):\n    def __init__(self, n):\n        self.n = n\n",
        "shapes.Model_{i}(x).value()",
    ),
    "closure": Kind(
        "pipeline",
        "def adder_{i}(n):{d}\n    def add(x):\n        return x + n{c}\n\n    return add\n\n\nplus_{i} = adder_{i}({s})\n",
        "plus_{i}(x)",
    ),
    "decorator": Kind(
        "pipeline",
        "def logged_{i}(function):{d}\n    @functools.wraps(function)\n    def wrapper(*args):\n"
        "        return function(*args) + {s}{c}\n\n    return wrapper\n\n\n"
        "@logged_{i}\ndef decorated_{i}(x{a}):\n    return x * 2\n",
        "decorated_{i}(x)",
    ),
    "partial": Kind(
        "pipeline",
        "def power_{i}(n, x{a}):{d}\n    return n * 2 + x{c}\n\n\nraised_{i} = functools.partial(power_{i}, {s})\n",
        "raised_{i}(x)",
    ),
    "import inside": Kind("lazily", "def late_{i}():{d}\n    return {s}{c}\n", "inside_{i}(x)"),
    "default argument": Kind(
        "rules", "def given_{i}(x, k={s}):{d}\n    return x + k{c}\n", "rules.given_{i}(x)"
    ),
    "declared variable": Kind("", "", 'x + int(os.environ.get("PROOF_{i}", "0"))'),
    "dependency": Kind("", "", "fakedist.shift(x)"),
    "file": Kind(
        "pipeline",
        'def noted_{i}(x{a}):{d}\n    with open("data/noted_{i}.txt") as file:{c}\n        return x + int(file.read())\n',
        "noted_{i}(x)",
        observed=True,
    ),
    "file read at import": Kind(
        "prefs_{i}",
        'from pathlib import Path\n\n\nVALUE = int(Path("data/prefs_{i}.txt").read_text()){c}\n',
        "x + prefs_{i}.VALUE",
        observed=True,
    ),
    "folder": Kind(
        "rules",
        'def counted_{i}(x{a}):{d}\n    return x + len(os.listdir("data/folder_{i}")){c}\n',
        "rules.counted_{i}(x)",
        observed=True,
    ),
    "absent path": Kind(
        "rules",
        'def probed_{i}(x{a}):{d}\n    return x + (7 if os.path.exists("data/maybe_{i}") else 0){c}\n',
        "rules.probed_{i}(x)",
        observed=True,
    ),
    "undeclared variable": Kind("", "", 'x + int(os.environ.get("LOOSE_{i}", "0"))', observed=True),
}
COMPANIONS = {
    "helper behind a helper": ("rules", "def through_{i}(x):\n    return deep.down_{i}(x)\n"),
    "import inside": (
        "pipeline",
        "def inside_{i}(x):\n    import lazily\n\n    return x + lazily.late_{i}()\n",
    ),
}
HEADS = {
    "pipeline": "import functools\nimport os\nfrom pathlib import Path\n\nimport fakedist\nimport limits\nimport rules\n"
    "import shapes\n{more}from stepwell import pipeline, source, step\n",
    "rules": "import os\n\nimport deep\n",
}


@dataclass
class Ingredient:
    """Something that steps reach, and its state: the one number that an edit changes."""

    kind: str
    number: int
    state: int

    @property
    def seen(self) -> int:
        """What a step can see of the state: of a path, only whether it is there."""
        return self.state % 2 if self.kind == "absent path" else self.state


@dataclass
class StepPart:
    """A step: what it reaches, a number in its own body, what it does at the end, whether it gives much."""

    name: str
    inputs: tuple[str, ...]
    reaches: tuple[int, ...]
    own: int
    loses: str
    bulky: bool


@dataclass
class Call:
    """One call in the pipeline: inputs are `("node", i)`, `("param", name)`, `("value", v)`, `("source", path)`."""

    step: int
    given: dict[str, tuple[str, int | str]]


@dataclass
class Cosmetics:
    """What an edit can change without changing what is computed."""

    comment: int = 0
    docstring: int = 0
    annotated: bool = False
    order: int = 0
    spare: int = 0


@dataclass
class Terrain:
    """A project as data."""

    ingredients: list[Ingredient]
    steps: list[StepPart]
    calls: list[Call]
    params: dict[str, int]
    sources: dict[str, int]
    returned: list[int]
    cosmetics: Cosmetics = field(default_factory=Cosmetics)

    def state(self, call: int) -> tuple[object, ...]:
        """All that the result of a call depends on, besides its inputs."""
        step = self.steps[self.calls[call].step]
        reached = tuple((i, self.ingredients[i].seen) for i in step.reaches)
        return (step.name, step.own, step.loses, reached)

    def rows(self) -> list[list[object]]:
        """The calls as `witness.plain` wants them."""
        return [
            [self.steps[call.step].name, {name: list(given) for name, given in call.given.items()}]
            for call in self.calls
        ]

    def before(self, call: int) -> list[int]:
        """The calls whose results a call takes."""
        return [int(what) for kind, what in self.calls[call].given.values() if kind == "node"]

    def copy(self) -> Terrain:
        """A terrain of its own."""
        return copy.deepcopy(self)


def grown(random: Random) -> Terrain:
    """A new project: 3 to 12 steps, called once or twice each."""
    count = random.randint(3, 12)
    kinds = list(KINDS)
    random.shuffle(kinds)
    chosen = kinds[: random.randint(6, len(kinds))] + random.choices(kinds, k=count)
    ingredients = [Ingredient(kind, i, random.randint(1, 9)) for i, kind in enumerate(chosen)]
    dist = [i for i, one in enumerate(ingredients) if one.kind == "dependency"]
    steps = []
    for number in range(count):
        reached = set(random.sample(range(len(ingredients)), random.randint(1, 4)))
        reached = {dist[0] if i in dist else i for i in reached}  # there is one, and it has one version
        inputs = ("a", "b")[: random.randint(1, 2)]
        loses = random.choice(["x", "x", "x // 10", "x % 3", "x // 100", "x // 100"])
        steps.append(
            StepPart(
                f"s{number}",
                inputs,
                tuple(sorted(reached)),
                random.randint(1, 9),
                loses,
                random.random() < 0.2,
            )
        )
    terrain = Terrain(
        ingredients,
        steps,
        [],
        {"p": random.randint(1, 9), "q": random.randint(1, 9)},
        {f"data/input_{i}.txt": random.randint(1, 9) for i in range(2)},
        [],
    )
    order = list(range(count)) + random.choices(range(count), k=count // 3)
    for step in order:
        terrain.calls.append(Call(step, {name: _given(terrain, random) for name in steps[step].inputs}))
    used = {n for i in range(len(terrain.calls)) for n in terrain.before(i)}
    ends = [i for i in range(len(terrain.calls)) if i not in used]
    terrain.returned = ends + random.sample(range(len(terrain.calls)), 1)
    return terrain


def _given(terrain: Terrain, random: Random) -> tuple[str, int | str]:
    count = len(terrain.calls)
    if count and random.random() < 0.75:
        return ("node", max(0, count - 1 - int(random.expovariate(0.7))))
    return random.choice(
        [
            ("param", random.choice("pq")),
            ("value", random.randint(1, 9)),
            ("source", random.choice(list(terrain.sources))),
        ]
    )


# ---------------------------------------------------------------------- files


def write(terrain: Terrain, root: Path, site: Path) -> dict[str, str]:
    """Make the files of a terrain, only those whose content changed; the environment variables that go with it."""
    files = {**dict(_code(terrain)), **{path: str(number) for path, number in terrain.sources.items()}}
    empty = {name for one in terrain.ingredients for name in _empty_files(one)}
    for one in terrain.ingredients:
        if one.kind in FILES:
            files[FILES[one.kind].format(one.number)] = str(one.state)
        elif one.kind == "folder":
            (root / f"data/folder_{one.number}").mkdir(parents=True, exist_ok=True)
    for name, text in {**files, **dict.fromkeys(empty, "")}.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or path.read_text() != text:
            path.write_text(text)
    for path in [*root.glob("data/folder_*/*"), *root.glob("data/maybe_*")]:
        if str(path.relative_to(root)) not in empty:
            path.unlink()
    _install(terrain, site)
    return {
        VARIABLES[one.kind].format(one.number): str(one.state)
        for one in terrain.ingredients
        if one.kind in VARIABLES
    }


FILES = {"file": "data/noted_{}.txt", "file read at import": "data/prefs_{}.txt"}
"""Files that hold a state, by kind."""

VARIABLES = {"declared variable": "PROOF_{}", "undeclared variable": "LOOSE_{}"}
"""Environment variables that hold a state, by kind."""


def _empty_files(one: Ingredient) -> list[str]:
    """The files whose mere presence is the state."""
    if one.kind == "folder":
        return [f"data/folder_{one.number}/{n}" for n in range(one.state)]
    return [f"data/maybe_{one.number}"] if one.kind == "absent path" and one.seen else []


def _install(terrain: Terrain, site: Path) -> None:
    """The distribution `fakedist`, its version and its code, as an installer leaves them."""
    state = next((one.state for one in terrain.ingredients if one.kind == "dependency"), 0)
    package = site / "fakedist"
    info = site / f"fakedist-1.{state}.dist-info"
    if info.exists():
        return
    for old in site.glob("fakedist*"):
        shutil.rmtree(old)
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(f"def shift(x):\n    return x + {state}\n")
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: fakedist\nVersion: 1.{state}\n")
    (info / "RECORD").write_text("fakedist/__init__.py,,\n")


def _code(terrain: Terrain) -> Iterator[tuple[str, str]]:
    chunks: dict[str, list[str]] = {
        "pipeline": [],
        "rules": [],
        "deep": [],
        "limits": [],
        "shapes": [],
        "lazily": [],
    }
    look = terrain.cosmetics
    for one in terrain.ingredients:
        kind = KINDS[one.kind]
        words = {
            "i": one.number,
            "s": one.state,
            "c": f"  # note {look.comment}" if look.comment else "",
            "d": f'\n    """Text {look.docstring}."""' if look.docstring else "",
            "a": ": int" if look.annotated else "",
        }
        if kind.module:
            chunks.setdefault(kind.module.format(**words), []).append(kind.code.format(**words))
        module, code = COMPANIONS.get(one.kind, ("", ""))
        if module:
            chunks[module].append(code.format(**words))
    chunks["pipeline"] += [_step(terrain, step) for step in terrain.steps]
    for parts in chunks.values():
        if look.spare:
            parts.append(f"def spare_{look.spare}(x):\n    return x + {look.spare}\n")
        Random(look.order).shuffle(parts)
    chunks["pipeline"].append(_body(terrain))
    more = "".join(f"import {name}\n" for name in sorted(chunks) if name.startswith("prefs_"))
    for name, parts in chunks.items():
        head = HEADS.get(name, "").replace("{more}", more)
        yield f"{name}.py", "\n\n".join([part for part in [head, *parts] if part]) + "\n" * look.comment


def _step(terrain: Terrain, step: StepPart) -> str:
    reached = [terrain.ingredients[i] for i in step.reaches]
    env = [f"PROOF_{one.number}" for one in reached if one.kind == "declared variable"]
    look = terrain.cosmetics
    lines = [f"@step(env={env})" if env else "@step"]
    lines += [f"def {step.name}({', '.join(step.inputs)}) -> {'list' if step.bulky else 'int'}:"]
    lines += [f'    """Step, text {look.docstring}."""'] if look.docstring else []
    lines += [f"    x = {' + 2 * '.join(f'number({name})' for name in step.inputs)}"]
    lines += [f"    x = {KINDS[one.kind].use.format(i=one.number)}" for one in reached]
    lines += [f"    x = x + {step.own}", f"    x = {step.loses}"]
    lines += ["    return [x] * 70000" if step.bulky else "    return x"]
    return "\n".join(lines) + "\n"


NUMBER = '''\
def number(value):
    """A whole number of whatever a step is given."""
    return value[0] if isinstance(value, list) else int(value)
'''


def _body(terrain: Terrain) -> str:
    paths = list(terrain.sources)
    lines = [NUMBER, "", *(f'input_{i} = source("{path}", str)' for i, path in enumerate(paths)), "", ""]
    lines += ["@pipeline", f"def main({', '.join(f'{name}: int = 0' for name in terrain.params)}) -> dict:"]
    for i, call in enumerate(terrain.calls):
        words = []
        for name, (kind, what) in call.given.items():
            text = {
                "node": f"n{what}",
                "source": f"input_{paths.index(str(what)) if kind == 'source' else 0}()",
            }
            words.append(f"{name}={text.get(kind, what)}")
        lines.append(f"    n{i} = {terrain.steps[call.step].name}({', '.join(words)})")
    lines.append("    return {" + ", ".join(f'"n{i}": n{i}' for i in terrain.returned) + "}")
    return "\n".join(lines) + "\n"


# ---------------------------------------------------------------------- edits


def other(number: int, random: Random) -> int:
    """Another digit."""
    return random.choice([n for n in range(1, 10) if n != number])


def change_ingredient(terrain: Terrain, random: Random) -> str:
    """Something that steps reach (or that none does)."""
    one = random.choice(terrain.ingredients)
    one.state = other(one.state, random)
    if one.kind == "dependency":
        for same in terrain.ingredients:
            if same.kind == "dependency":
                same.state = one.state
    return f"{one.kind} {one.number}"


def change_step(terrain: Terrain, random: Random) -> str:
    """The body of a step."""
    step = random.choice(terrain.steps)
    step.own = other(step.own, random)
    return f"body of {step.name}"


def change_ending(terrain: Terrain, random: Random) -> str:
    """The last line of a step."""
    step = random.choice(terrain.steps)
    step.loses = random.choice([text for text in ("x", "x // 10", "x % 3") if text != step.loses])
    return f"last line of {step.name}"


def change_param(terrain: Terrain, random: Random) -> str:
    """A parameter of the run."""
    name = random.choice(list(terrain.params))
    terrain.params[name] = other(terrain.params[name], random)
    return f"parameter {name}"


def change_source(terrain: Terrain, random: Random) -> str:
    """An input file."""
    name = random.choice(list(terrain.sources))
    terrain.sources[name] = other(terrain.sources[name], random)
    return f"input {name}"


def change_argument(terrain: Terrain, random: Random) -> str:
    """A number in the pipeline's body, where there is one."""
    places = [(c, n) for c in terrain.calls for n, (kind, _) in c.given.items() if kind == "value"]
    if not places:
        return change_param(terrain, random)
    call, name = random.choice(places)
    call.given[name] = ("value", other(int(call.given[name][1]), random))
    return f"argument {name}"


def change_looks(terrain: Terrain, random: Random) -> str:
    """Nothing that counts."""
    look = terrain.cosmetics
    name = random.choice(["comment", "docstring", "order", "spare", "annotated"])
    setattr(look, name, not look.annotated if name == "annotated" else other(getattr(look, name), random))
    return f"looks: {name}"


EDITS: list[tuple[Callable[[Terrain, Random], str], int]] = [
    (change_ingredient, 9),
    (change_step, 2),
    (change_ending, 1),
    (change_param, 2),
    (change_source, 2),
    (change_argument, 1),
    (change_looks, 4),
]
"""Edits of a project, each with how often it comes."""


def move(path: Path) -> Path:
    """Give a folder another name, beside the old one."""
    number = int(path.name.rpartition("-")[2] or 0)
    new = path.with_name(f"{path.name.rpartition('-')[0]}-{number + 1}")
    os.rename(path, new)
    return new
