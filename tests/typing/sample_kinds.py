"""Types that the table of `test_fits.py` is about; read by Python and by type checkers alike."""

from __future__ import annotations

import collections as collections
import collections.abc as abc
import datetime as datetime  # noqa: ICN001  the table says it in full
import enum
import pathlib as pathlib
from collections.abc import Callable as Callable
from dataclasses import dataclass
from typing import (
    Annotated as Annotated,
)
from typing import (
    Any as Any,
)
from typing import (
    Generic,
    NamedTuple,
    NewType,
    NotRequired,
    Protocol,
    Required,
    TypedDict,
    TypeVar,
)
from typing import (
    Literal as Literal,
)
from typing import (
    Optional as Optional,
)
from typing import (
    Union as Union,
)

T = TypeVar("T")
UserId = NewType("UserId", int)
Name = NewType("Name", str)


class Animal: ...


class Dog(Animal): ...


class Cat(Animal): ...


class Color(enum.Enum):
    RED = 1
    BLUE = 2


class Level(enum.IntEnum):
    LOW = 1


class Movie(TypedDict):
    title: str
    year: int


class Rated(Movie):
    stars: int


class Loose(TypedDict):
    title: str
    year: NotRequired[int]


class Partial(TypedDict, total=False):
    title: Required[str]
    year: int


class Point(NamedTuple):
    x: int
    y: int


@dataclass
class Box(Generic[T]):
    item: T


@dataclass
class Labelled(Box[T]):
    label: str


class Fits(Protocol):
    def predict(self, rows: list[float]) -> list[float]: ...


class Model:
    def predict(self, rows: list[float]) -> list[float]:
        return rows


class NoModel:
    def transform(self, rows: list[float]) -> list[float]:
        return rows


class Sized(abc.Sequence[int]):
    def __getitem__(self, index: Any) -> Any:
        return index

    def __len__(self) -> int:
        return 0
