"""Whether one type fits another: what the plan says about an edge is what type checkers say about the assignment.

Each row is a given type, a wanted type, and "yes", "no", or "own": type checkers refuse it because a list
that is shared could be changed through its other name, and a step gets a value of its own; or because
a dict need not have the keys of a typed one, which is seen when the value is there.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from stepwell.author.annotations import fits

HERE = Path(__file__).parent

TABLE = """
int | int | yes
int | float | yes
int | complex | yes
float | complex | yes
float | int | no
bool | int | yes
bool | float | yes
int | bool | no
str | int | no
int | str | no
str | bytes | no
bytes | str | no
str | object | yes
int | Any | yes
Any | int | yes
None | None | yes
None | int | no
int | None | no
None | Optional[int] | yes
int | Optional[int] | yes
Optional[int] | int | no
Optional[int] | Optional[int] | yes
Optional[int] | Optional[float] | yes
Optional[int] | Optional[str] | no
Optional[int] | int ¦ None | yes
int ¦ None | Optional[int] | yes
int ¦ str | Union[int, str] | yes
int ¦ str | Union[int, str, None] | yes
Union[int, str, None] | int ¦ str | no
int ¦ str | int | no
int ¦ str | float ¦ str | yes
int ¦ bool | int | yes
int | str ¦ float | yes
bytes | str ¦ float | no
Literal[1] | int | yes
Literal["a"] | str | yes
Literal["a"] | int | no
Literal["a"] | Literal["a", "b"] | yes
Literal["a", "b"] | Literal["a"] | no
Literal["a", "c"] | Literal["a", "b"] | no
Literal[1, 2] | float | yes
Literal[True] | bool | yes
Literal[True] | Literal[1] | no
Literal["a"] | str ¦ None | yes
str | Literal["a", "b"] | no
int | Literal[1] | no
None | Literal[None] | yes
list[int] | list[int] | yes
list[int] | list[str] | no
list[str] | list[int] | no
list[int] | list | yes
list | list[int] | yes
list[Any] | list[int] | yes
list[bool] | list[int] | own
list[int] | list[float] | own
list[int] | list[Optional[int]] | own
list[Optional[int]] | list[int] | no
list[list[int]] | list[list[int]] | yes
list[list[int]] | list[list[str]] | no
list[int] | tuple[int, ...] | no
tuple[int, ...] | list[int] | no
list[int] | set[int] | no
list[int] | abc.Sequence[int] | yes
list[int] | abc.Sequence[float] | yes
list[int] | abc.Sequence[str] | no
list[int] | abc.Iterable[int] | yes
list[int] | abc.Iterable[str] | no
list[int] | abc.Collection[int] | yes
list[int] | abc.Sized | yes
list[int] | abc.MutableSequence[int] | yes
list[int] | abc.Mapping[int, int] | no
tuple[int, ...] | abc.Sequence[int] | yes
tuple[int, str] | abc.Sequence[int] | no
tuple[int, str] | abc.Sequence[int ¦ str] | yes
tuple[int, ...] | abc.MutableSequence[int] | no
abc.Sequence[int] | list[int] | no
abc.Iterable[int] | abc.Sequence[int] | no
abc.Sequence[int] | abc.Iterable[int] | yes
abc.Sequence[int] | abc.Iterable[str] | no
str | abc.Sequence[str] | yes
str | abc.Sequence[int] | no
str | abc.Iterable[str] | yes
bytes | abc.Sequence[int] | yes
bytes | abc.Sequence[str] | no
range | abc.Sequence[int] | yes
range | abc.Sequence[str] | no
tuple[int, str] | tuple[int, str] | yes
tuple[int, str] | tuple[str, int] | no
tuple[int, str] | tuple[int, str, int] | no
tuple[int, str] | tuple[int] | no
tuple[bool, int] | tuple[int, float] | yes
tuple[int, int] | tuple[int, ...] | yes
tuple[int, str] | tuple[int, ...] | no
tuple[int, ...] | tuple[int, int] | no
tuple[int, ...] | tuple[float, ...] | yes
tuple[int, ...] | tuple[str, ...] | no
tuple[int, str] | tuple | yes
tuple[()] | tuple[int, ...] | yes
tuple[()] | tuple[int] | no
dict[str, float] | dict[str, float] | yes
dict[str, int] | dict[str, float] | own
dict[str, float] | dict[str, int] | no
dict[str, float] | dict[int, float] | no
dict[str, int] | dict | yes
dict[str, int] | abc.Mapping[str, float] | yes
dict[str, int] | abc.Mapping[str, str] | no
dict[str, int] | abc.Mapping[int, int] | no
dict[str, int] | abc.Iterable[str] | yes
dict[str, int] | abc.Iterable[int] | no
dict[str, int] | list[str] | no
abc.Mapping[str, int] | dict[str, int] | no
dict[str, list[int]] | dict[str, list[str]] | no
collections.OrderedDict[str, int] | dict[str, int] | yes
collections.OrderedDict[str, int] | dict[str, str] | no
collections.defaultdict[str, int] | abc.Mapping[str, int] | yes
collections.Counter[str] | dict[str, int] | yes
collections.Counter[str] | dict[str, str] | no
collections.Counter[str] | abc.Mapping[int, int] | no
set[int] | set[int] | yes
set[int] | set[str] | no
set[int] | frozenset[int] | no
set[int] | abc.Set[int] | yes
set[int] | abc.Set[str] | no
frozenset[int] | abc.Set[float] | yes
Dog | Animal | yes
Animal | Dog | no
Dog | Cat | no
Dog ¦ Cat | Animal | yes
list[Dog] | abc.Sequence[Animal] | yes
list[Dog] | abc.Sequence[Cat] | no
type[Dog] | type[Animal] | yes
type[Dog] | type[Cat] | no
Color | Color | yes
Color | int | no
Level | int | yes
int | Level | no
Literal[Color.RED] | Color | yes
Color | Literal[Color.RED] | no
UserId | int | yes
int | UserId | no
UserId | float | yes
UserId | Name | no
UserId | UserId | yes
UserId | str | no
list[UserId] | abc.Sequence[int] | yes
list[int] | abc.Sequence[UserId] | no
Annotated[int, "m"] | int | yes
int | Annotated[int, "m"] | yes
Annotated[int, "m"] | str | no
list[Annotated[int, "m"]] | list[int] | yes
list[Annotated[int, "m"]] | list[str] | no
Movie | Movie | yes
Rated | Movie | yes
Movie | Rated | no
Movie | Loose | own
Loose | Movie | no
Partial | Loose | yes
Loose | Partial | yes
Movie | abc.Mapping[str, object] | yes
Movie | dict[str, object] | own
Movie | abc.Mapping[str, int] | no
Movie | abc.Mapping[str, int ¦ str] | own
dict[str, object] | Movie | own
dict | Movie | own
Movie | list[str] | no
Point | Point | yes
Point | tuple[int, int] | yes
Point | tuple[str, int] | no
Point | tuple[int, int, int] | no
Point | tuple[int, ...] | yes
Point | abc.Sequence[int] | yes
Point | abc.Sequence[str] | no
tuple[int, int] | Point | no
Box[int] | Box[int] | yes
Box[int] | Box[str] | no
Box[int] | Box | yes
Box | Box[int] | yes
Labelled[int] | Box[int] | yes
Labelled[int] | Box[str] | no
Box[int] | Labelled[int] | no
list[Box[int]] | list[Box[str]] | no
Model | Fits | yes
NoModel | Fits | no
int | Fits | no
Model ¦ NoModel | Fits | no
Sized | abc.Sequence[int] | yes
Sized | abc.Sequence[str] | no
Sized | abc.Mapping[int, int] | no
pathlib.Path | pathlib.PurePath | yes
pathlib.PurePath | pathlib.Path | no
pathlib.Path | str | no
str | pathlib.Path | no
list[pathlib.Path] | list[str] | no
datetime.datetime | datetime.date | yes
datetime.date | datetime.datetime | no
Callable[[int], str] | Callable[[int], str] | yes
int | Callable[[int], str] | no
int | abc.Hashable | yes
"""


def rows() -> list[tuple[str, str, str]]:
    out = []
    for line in TABLE.strip().splitlines():
        given, wanted, verdict = (part.strip().replace("¦", "|") for part in line.split(" | "))
        out.append((given, wanted, verdict))
    return out


ROWS = rows()


@pytest.fixture(scope="module")
def kinds() -> dict[str, Any]:
    scope: dict[str, Any] = {"__name__": "sample_kinds"}
    module = type(sys)("sample_kinds")
    sys.modules["sample_kinds"] = module
    try:
        scope = module.__dict__
        exec(compile((HERE / "sample_kinds.py").read_text("utf-8"), "sample_kinds.py", "exec"), scope)
        yield scope
    finally:
        del sys.modules["sample_kinds"]


@pytest.mark.parametrize(("given", "wanted", "verdict"), ROWS, ids=[f"{a} -> {b}" for a, b, _ in ROWS])
def test_an_edge_fits_where_the_table_says_so(kinds, given, wanted, verdict):
    has, needs = (type(None) if kind == "None" else eval(kind, kinds) for kind in (given, wanted))
    assert fits(has, needs) is (verdict != "no")


def test_the_table_says_what_pyright_says(tmp_path):
    shutil.copy(HERE / "sample_kinds.py", tmp_path)
    lines = ["from sample_kinds import *", "from typing import Any", ""]
    for i, (given, wanted, _) in enumerate(ROWS):
        lines += [f"def f{i}(given: {given}) -> None:", f"    wanted: {wanted} = given"]
    (tmp_path / "edges.py").write_text("\n".join(lines) + "\n", "utf-8")
    command = [
        str(Path(sys.executable).parent / "pyright"),
        "--outputjson",
        "--pythonpath",
        sys.executable,
        "edges.py",
    ]
    answer = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=110)
    assert answer.stdout.strip().startswith("{"), answer.stdout + answer.stderr
    said = json.loads(answer.stdout)
    assert said["summary"]["filesAnalyzed"] >= 1
    wrong = {d["range"]["start"]["line"] for d in said["generalDiagnostics"] if d["severity"] == "error"}
    differ = []
    for i, row in enumerate(ROWS):
        refused = 4 + 2 * i in wrong
        if refused is (row[2] == "yes"):
            differ.append((*row, "pyright refuses" if refused else "pyright accepts"))
    assert not differ
