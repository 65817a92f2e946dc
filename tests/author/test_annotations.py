"""What types promise: how values come apart, and which edges cannot work."""

from __future__ import annotations

import collections.abc as abc
import typing
from collections import OrderedDict, defaultdict
from dataclasses import InitVar, dataclass, field
from datetime import date, datetime
from enum import Enum
from pathlib import Path, PosixPath
from typing import (
    Annotated,
    Any,
    Generic,
    Literal,
    NamedTuple,
    NewType,
    NotRequired,
    Optional,
    Protocol,
    TypedDict,
    TypeVar,
    Union,
)

import pytest

from stepwell.author.annotations import fits, hints_of, plain, shape_of, show

T = TypeVar("T")
UserId = NewType("UserId", int)
OrderId = NewType("OrderId", int)


class Base: ...


class Sub(Base): ...


class Box(Generic[T]): ...


class Color(Enum):
    RED = 1


class Sized_(Protocol):
    def size(self) -> int: ...


class Score(TypedDict):
    auc: float


class More(Score):
    loss: float


class Loose(TypedDict):
    auc: float
    note: NotRequired[str]


class Pair(NamedTuple):
    a: int
    b: str


@dataclass
class Plain:
    x: int
    y: Annotated[str, "doc"] = ""


@dataclass(kw_only=True)
class Keyword:
    x: int


@dataclass
class Derived:
    x: int
    y: int = field(init=False)


@dataclass
class Fed:
    x: int
    seed: InitVar[int]


@dataclass(init=False)
class Own:
    x: int

    def __init__(self, text: str) -> None:
        self.x = int(text)


@dataclass
class Holder(Generic[T]):
    item: T


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (int, int),
        (bool, int),
        (int, float),
        (int, complex),
        (Sub, Base),
        (int, Any),
        (Any, int),
        (int, object),
        (None, int),
        (int, None),
        (int, int | None),
        (int, Optional[int]),
        (int | str, str | int | None),
        (Literal[1], int),
        (Literal[1, 2], Literal[1, 2, 3]),
        (Literal["a"], Literal["a"] | None),
        (Literal["a", 1], Literal["a"] | int),
        (UserId, int),
        (list[int], list),
        (list, list[int]),
        (list[int], list[float]),
        (list[bool], abc.Sequence[int]),
        (list[int], abc.Iterable[int]),
        (dict[str, int], abc.Mapping[str, float]),
        (dict[str, int], abc.Iterable[str]),
        (OrderedDict[str, int], dict[str, int]),
        (defaultdict, dict[str, int]),
        (tuple[int, str], tuple[int, str]),
        (tuple[int, int], tuple[int, ...]),
        (tuple[int, int], abc.Sequence[int]),
        (tuple[()], tuple[()]),
        (Pair, tuple),
        (Pair, tuple[int, str]),
        (Box[int], Box[int]),
        (Box[int], Box[T]),
        (T, int),
        (int, T),
        (Sized_, int),
        (Score, dict),
        (Score, dict[str, float]),
        (Score, abc.Mapping[str, float]),
        (dict, Score),
        (dict[str, float], Score),
        (More, Score),
        (Score, Loose),
        (Annotated[int, "doc"], int),
        (int, Annotated[float, "doc"]),
        (PosixPath, Path),
        (datetime, date),
        ("NotKnown", int),
        (int, typing.ForwardRef("NotKnown")),
        (type(None), None),
        (type(None), int | None),
        (abc.Callable[[int], int], abc.Callable[[int], int]),
        (type[Sub], type[Base]),
    ],
)
def test_edges_that_can_work(given, wanted):
    assert fits(given, wanted)


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (str, int),
        (float, int),
        (Base, Sub),
        (int | None, int),
        (int | str, int),
        (int, str | None),
        (Literal["a"], int),
        (Literal["a"], Literal["b"]),
        (Literal[1], Literal[True]),
        (Literal["a", "b"], Literal["a"]),
        (int, Literal["a"]),
        (str, Literal["a"]),
        (int, UserId),
        (tuple[int, ...], tuple[int, int]),
        (int, Sized_),
        (UserId, str),
        (str, UserId),
        (list[str], list[int]),
        (list[str], abc.Sequence[int]),
        (list[list[str]], list[list[int]]),
        (dict[str, str], dict[str, int]),
        (dict[int, str], abc.Iterable[str]),
        (list[int], tuple[int, ...]),
        (tuple[int, str], tuple[int, ...]),
        (tuple[int, str], tuple[int, str, int]),
        (tuple[int, str], tuple[str, int]),
        (list[int], dict[str, int]),
        (Box[str], Box[int]),
        (Box[int], Base),
        (Score, int),
        (Score, list),
        (int, Score),
        (list[int], Score),
        (Score, More),
        (Plain, Score),
        (date, datetime),
        (str, Path),
        (type(None), int),
        (int, type(None)),
        (Color, int),
        (Annotated[str, "doc"], int),
        (Union[list[str], None], list[int] | None),
    ],
)
def test_edges_that_cannot_work(given, wanted):
    assert not fits(given, wanted)


@pytest.mark.parametrize(
    ("annotation", "kind", "names", "ordered", "whole"),
    [
        (tuple[int, str], "tuple", ("0", "1"), True, True),
        (Annotated[tuple[int, str], "doc"], "tuple", ("0", "1"), True, True),
        (Pair, "record", ("a", "b"), True, True),
        (Plain, "record", ("x", "y"), False, True),
        (Keyword, "record", ("x",), False, True),
        (Holder[int], "record", ("item",), False, True),
        (Derived, "record", ("x", "y"), False, False),
        (Fed, "record", ("x",), False, False),
        (Own, "record", ("x",), False, False),
        (Score, "dict", ("auc",), False, True),
        (More, "dict", ("auc", "loss"), False, True),
        (Loose, "dict", ("auc", "note"), False, False),
    ],
)
def test_values_that_come_apart(annotation, kind, names, ordered, whole):
    shape = shape_of(annotation)
    assert shape is not None
    assert (shape.kind, shape.names, shape.ordered, shape.whole) == (kind, names, ordered, whole)


@pytest.mark.parametrize(
    "annotation",
    [
        None,
        int,
        list[int],
        tuple,
        tuple[()],
        tuple[int, ...],
        Pair | None,
        dict[str, int],
        Any,
        "text",
        Base,
        3,
        [1],
    ],
)
def test_values_that_do_not(annotation):
    assert shape_of(annotation) is None


def test_types_are_shown_as_they_were_written():
    assert show(None) == "unknown"
    assert show(type(None)) == "None"
    assert show(int) == "int"
    assert show(int | None) == "int | None"
    assert show(typing.List[int]) == "List[int]"  # noqa: UP006
    assert show(abc.Sequence[int]) == "Sequence[int]"


def test_annotations_are_resolved_one_by_one():
    namespace: dict[str, Any] = {}
    code = "def f(a: 'int', b: 'Nowhere', c: Annotated[int, 3], d, e: 'not a type') -> None: ..."
    exec(code, {"Annotated": Annotated}, namespace)
    assert hints_of(namespace["f"]) == {"a": int, "c": Annotated[int, 3], "return": type(None)}


def test_annotations_of_a_wrapped_function_are_those_of_its_own_module():
    import functools

    def wrapper() -> None: ...

    elsewhere: dict[str, Any] = {"Table": dict}
    exec("def f(a: 'Table') -> 'Table': ...", elsewhere)
    functools.update_wrapper(wrapper, elsewhere["f"])
    assert hints_of(wrapper) == {"a": dict, "return": dict}


def test_plain_takes_wrappers_off():
    assert plain(Annotated[int, 3]) is int
    assert plain(typing.Required[Annotated[int, 3]]) is int
    assert plain(typing.Final[int]) is int
