"""Classes that the tests store: they must be in a module, where another process finds them."""

from __future__ import annotations

import enum
from abc import ABC, abstractmethod
from collections import namedtuple
from dataclasses import InitVar, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Generic, NamedTuple, Protocol, TypedDict, TypeVar

T = TypeVar("T")


class Color(enum.Enum):
    RED = 1
    GREEN = "g"
    ROT = 1  # noqa: PIE796, an alias is what is tested


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Mode(enum.StrEnum):
    FAST = "fast"


class Right(enum.Flag):
    READ = 1
    WRITE = 2
    BOTH = 3


class Spot(NamedTuple):
    x: int
    y: float = 0.0


Old = namedtuple("Old", "a b")


@dataclass
class Point:
    x: int
    y: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Frozen:
    name: str
    tags: frozenset[str] = frozenset()


@dataclass
class Counted:
    """Its `__post_init__` has effects, which loading must not repeat."""

    made: ClassVar[int] = 0
    scale: InitVar[int]
    value: int
    doubled: int = field(init=False)

    def __post_init__(self, scale: int) -> None:
        type(self).made += 1
        self.doubled = 2 * self.value * scale
        self.extra = [self.value]

    @cached_property
    def heavy(self) -> int:
        return self.value * 100


@dataclass
class Node:
    value: int
    next: Node | None = None


@dataclass
class Box(Generic[T]):
    item: T


@dataclass
class Config:
    rate: float
    root: Path
    color: Color = Color.RED


@dataclass
class Fit:
    table: Any
    threshold: float


@dataclass
class Holder:
    """Named by a field that no codec takes."""

    thing: Plain
    size: int = 0


class Plain:
    """A class that only pickle takes."""

    def __init__(self, value: int = 0) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Plain) and other.value == self.value

    __hash__ = None


class Score(TypedDict):
    auc: float
    name: str


class Partial(TypedDict, total=False):
    auc: float


class Fancy(int):
    pass


class Shape(Protocol):
    def area(self) -> float: ...


class Base(ABC):
    @abstractmethod
    def go(self) -> None: ...


@dataclass
class DictData(dict):
    name: str = ""
