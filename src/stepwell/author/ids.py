"""The ids of calls: "training/train", and "training/train[2]" where it is called again.

    ids = Ids()
    ids.next(("training",), "train")
    claimed = ids.claim(node, (), "train")    # a dynamic call will make calls of `train` here
    ids.place(node, claimed, "train.map")     # when it does: where they stand

Which dynamic call becomes steps first is chance, and no id may depend on that: parameters, metrics and tags are addressed to
ids. So what is numbered at one place is either written down there, or made by one dynamic call; the others' calls stand below
themselves ("train.map[2]/train"). All that is written down is numbered before anything becomes steps.
"""

from __future__ import annotations

from typing import NamedTuple

Path = tuple[str, ...]


class Claim(NamedTuple):
    """That a dynamic call will make calls of a name at a path; of any name, where that is empty."""

    path: Path
    name: str


class Ids:
    """The ids that are taken, and where dynamic calls will take more."""

    def __init__(self) -> None:
        self._taken: dict[str | tuple[str, bool], int] = {}  # how many calls; labels count apart
        self._labelled: set[tuple[str, int]] = set()
        self._claims: dict[Claim, int] = {}  # by the first dynamic call of each
        self._within: set[Path] = set()  # paths with something dynamic below
        self._recursions: dict[Path, int] = {}  # by the call whose rounds are numbered there: the first

    def __copy__(self) -> Ids:
        """Another one that knows the same."""
        out = Ids()
        for name, table in vars(self).items():
            setattr(out, name, table.copy())
        return out

    def next(self, path: Path, name: str, label: str = "", visit: int = 0) -> str:
        """The id of the next call. A label is one call's own; only where its pipeline is called again, in another `visit`, it is numbered."""
        stem = "/".join((*path, label or name)) if path else label or name
        if label:
            if (stem, visit) in self._labelled:
                return stem  # which `claims.doubles` refuses
            self._labelled.add((stem, visit))
        place = (stem, True) if label else stem
        count = self._taken[place] = self._taken.get(place, 0) + 1
        return stem if count == 1 else f"{stem}[{count}]"

    def claim(self, node: int, path: Path, makes: str) -> Claim:
        """Note that a dynamic call will make others at a path, all of this name if one is given."""
        claim = Claim(path, makes)
        self._claims.setdefault(claim, node)
        self._enter((*path, makes) if makes else path)
        return claim

    def place(self, node: int, claim: Claim, tail: str) -> Path:
        """The path of what a dynamic call makes: that of its claim if nobody else numbers anything there, or below its own `tail`."""
        path, name = claim
        whole = (*path, name) if name else path
        others = whole in self._within or (
            name and (whole in self._recursions or Claim(whole, "") in self._claims)
        )
        return path if self._claims[claim] == node and not others else (*path, tail)

    def recurs(self, node: int, path: Path, name: str) -> None:
        """Note a call of a dynamic pipeline, whose steps stand below it."""
        self._recursions.setdefault((*path, name), node)
        self._enter((*path, name))

    def beside(self, path: Path, name: str, began: int) -> bool:
        """Whether a round of the recursion that `began` with a call may be numbered here: no other recursion is, and no map."""
        return (
            Claim(path, name) not in self._claims
            and self._recursions.setdefault((*path, name), began) == began
        )

    def _enter(self, whole: Path) -> None:
        self._within.update(whole[:end] for end in range(len(whole)))
