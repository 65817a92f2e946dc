"""What a pickle would need to be loaded, found without loading it."""

from __future__ import annotations

import pickletools
import sys
from collections.abc import Callable

_OLD_NAMES = ("stepwell", "__builtin__", "copy_reg")
"""Modules that are no library's, the names that old protocols have for Python's own among them."""


def foreign(data: bytes, is_own: Callable[[str], bool] = lambda _: False) -> list[str]:
    """The classes and functions in a pickle that are of libraries, as "module.name"; `is_own` says of a module that it is not.

    Python's own do not count: what they mean does not change from one environment to the next.
    """
    found: dict[str, None] = {}
    strings: list[str] = []
    memo: dict[int, str] = {}
    last, count = "", 0
    for opcode, value, _ in pickletools.genops(data):
        name = opcode.name
        if name == "STACK_GLOBAL":
            module, path = strings[-2:]
            _note(found, module, path, is_own)
        elif name == "GLOBAL":
            module, _, path = value.partition(" ")  # type: ignore[union-attr]
            _note(found, module, path, is_own)
        elif name in ("MEMOIZE", "BINPUT", "LONG_BINPUT", "PUT"):
            memo[count if name == "MEMOIZE" else int(value)] = last  # type: ignore[arg-type]
            count += 1
            continue
        elif name in ("BINGET", "LONG_BINGET", "GET"):
            strings.append(memo.get(int(value), ""))  # type: ignore[arg-type]
        last = value if isinstance(value, str) and "UNICODE" in name else ""
        if last:
            strings = [*strings[-1:], last]
    return list(found)


def _note(found: dict[str, None], module: str, path: str, is_own: Callable[[str], bool]) -> None:
    top = module.partition(".")[0]
    if top not in sys.stdlib_module_names and top not in _OLD_NAMES and not is_own(module):
        found[f"{module}.{path}"] = None
