"""What pipelines and steps have in common: they are mapped over lists, and joined to others by `|` and `>>`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, TypeVar, overload

if TYPE_CHECKING:
    from stepwell.author.pipelines import Pipeline
    from stepwell.author.sections import Endpoint, Sections

P = ParamSpec("P")
Q = ParamSpec("Q")
R = TypeVar("R")
S = TypeVar("S")


class Composable(Generic[P, R]):
    """A pipeline or step: what takes `P` and gives `R`."""

    def map(
        self: Callable[Concatenate[Any, Q], S], items: Iterable[Any], /, *args: Q.args, **kwargs: Q.kwargs
    ) -> list[S]:
        """What it gives for each item of a list, whose length may not be known yet: `evaluate.map(slices(), model)`.

        Each call gets one item as its first argument, and all the other arguments. With
        `.options(share=0.9)` of a step nine of ten calls must succeed; the list then holds what these
        gave. Raises `BadMap` for what is no list.
        """
        from stepwell.author.dynamic import mapped  # most do without

        return mapped(self, items, args, kwargs)

    @overload
    def __or__(self, other: Endpoint, /) -> Pipeline[..., R]: ...
    @overload
    def __or__(self, other: Composable[..., S], /) -> Pipeline[..., S]: ...
    def __or__(self, other: Any, /) -> Any:
        """`etl | training`: a pipeline in which the one's outputs are the other's parameters (`author.sections`)."""
        return self._joined("|", self, other)

    def __ror__(self, other: Any, /) -> Any:
        """Refuses what is no section: raises `BadSection`."""
        return self._joined("|", other, self)

    def __rshift__(self, other: Composable[..., Any] | Endpoint, /) -> Pipeline[..., tuple[Any, ...]]:
        """`backup >> clean`: a pipeline of both, in which every step of the one comes before every step of the other."""
        return self._joined(">>", self, other)

    def __rrshift__(self, other: Any, /) -> Any:
        """Refuses what is no section: raises `BadSection`."""
        return self._joined(">>", other, self)

    def _joined(self, how: str, left: object, right: object) -> Pipeline[..., Any]:
        from stepwell.author.sections import joined  # most pipelines and steps do without

        return self._pipeline_of(*joined(how, left, right))

    def _pipeline_of(self, function: Callable[..., Any], sections: Sections) -> Pipeline[..., Any]:
        """The pipeline of joined sections."""
        raise NotImplementedError
