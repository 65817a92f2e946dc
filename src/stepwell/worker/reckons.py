"""Whether a step only reckons: a proof that calling it touches nothing but the values that it is given.

    proof = proof_of(function)        # None where that cannot be shown
    proof.holds()                     # what the proof rests on is still the same

Of such a step there is nothing to observe, to record or to put back, no chance to seed, and nothing that it could have
printed: `execute` does without all that, a half of what a short task costs. Whoever calls sees to it that all arguments are
atoms (`ATOMS`), so that no operator is a method of somebody's class.

What is shown is shown of the byte code that will run, and of all functions that it reaches:

- no instruction imports, defines a class, binds a global or an attribute, or enters a `with` (`_STEADY` lists those that are fine);
- each global name stands for an atom, for a function of the same kind, for a class or function of Python that only
  reckons (`_BUILTINS`, most of `math`), or for a module of which such a thing is taken;
- each other attribute that is taken has a name that only plain values have (`_ATTRIBUTES`): no frame, no dictionary of globals.
  The functions that it goes through have no attributes of their own, which could have such names.

`author.steady` asks something else, whether a trace would be the same again, and so has other lists: a trace may import, print
nothing, and read files, which is observed; here nothing may be touched at all.

An instruction that is not known proves nothing, so that another version of Python makes this slower, never wrong.
"""

from __future__ import annotations

import builtins
import dis
import inspect
import math
import sys
from collections.abc import Callable, Iterator, Mapping
from types import BuiltinFunctionType, CodeType, FunctionType, ModuleType
from typing import Any, NamedTuple

ATOMS = frozenset((type(None), bool, int, float, complex, str, bytes))
"""Classes of values that cannot be changed, and whose operators only reckon."""

_MOST = 50
"""Functions that a proof may go through."""

_STEADY = frozenset(
    [
        "BINARY_OP", "BINARY_SLICE", "BINARY_SUBSCR", "BUILD_CONST_KEY_MAP", "BUILD_LIST", "BUILD_MAP", "BUILD_SET",
        "BUILD_SLICE", "BUILD_STRING", "BUILD_TUPLE", "CALL", "CALL_FUNCTION_EX", "CALL_KW", "COMPARE_OP", "CONTAINS_OP",
        "CONVERT_VALUE", "COPY", "COPY_FREE_VARS", "DELETE_DEREF", "DELETE_FAST", "DELETE_SUBSCR", "DICT_MERGE",
        "DICT_UPDATE", "END_FOR", "EXTENDED_ARG", "FORMAT_SIMPLE", "FORMAT_VALUE", "FORMAT_WITH_SPEC", "FOR_ITER",
        "GET_ITER", "GET_LEN", "IS_OP", "JUMP_BACKWARD", "JUMP_BACKWARD_NO_INTERRUPT", "JUMP_FORWARD", "KW_NAMES",
        "LIST_APPEND", "LIST_EXTEND", "LIST_TO_TUPLE", "LOAD_ASSERTION_ERROR", "LOAD_ATTR", "LOAD_CLOSURE", "LOAD_CONST",
        "LOAD_DEREF", "LOAD_FAST", "LOAD_FAST_AND_CLEAR", "LOAD_FAST_CHECK", "LOAD_FAST_LOAD_FAST", "LOAD_GLOBAL",
        "LOAD_METHOD", "MAKE_CELL", "MAKE_FUNCTION", "MAP_ADD", "NOP", "POP_EXCEPT", "POP_JUMP_BACKWARD_IF_FALSE",
        "POP_JUMP_BACKWARD_IF_NONE", "POP_JUMP_BACKWARD_IF_NOT_NONE", "POP_JUMP_BACKWARD_IF_TRUE",
        "POP_JUMP_FORWARD_IF_FALSE", "POP_JUMP_FORWARD_IF_NONE", "POP_JUMP_FORWARD_IF_NOT_NONE",
        "POP_JUMP_FORWARD_IF_TRUE", "POP_JUMP_IF_FALSE", "POP_JUMP_IF_NONE", "POP_JUMP_IF_NOT_NONE", "POP_JUMP_IF_TRUE",
        "JUMP_IF_FALSE_OR_POP", "JUMP_IF_TRUE_OR_POP", "POP_TOP", "PRECALL", "PUSH_EXC_INFO", "PUSH_NULL",
        "RAISE_VARARGS", "RERAISE", "RESUME", "RETURN_CONST", "RETURN_GENERATOR", "RETURN_VALUE", "SET_ADD",
        "SET_FUNCTION_ATTRIBUTE", "SET_UPDATE", "STORE_DEREF", "STORE_FAST", "STORE_FAST_LOAD_FAST",
        "STORE_FAST_STORE_FAST", "STORE_SLICE", "STORE_SUBSCR", "SWAP", "TO_BOOL", "UNARY_NEGATIVE", "UNARY_NOT",
        "UNARY_POSITIVE", "UNPACK_EX", "UNPACK_SEQUENCE", "YIELD_VALUE", "CHECK_EXC_MATCH",
    ]
)  # fmt: skip
"""Instructions that touch nothing but the values on the stack and in local variables. (`~` of a bool warns.)"""

_BUILTINS = frozenset(
    [
        "abs", "all", "any", "bin", "bool", "chr", "complex", "dict", "divmod", "enumerate", "filter", "float",
        "format", "frozenset", "hex", "int", "isinstance", "iter", "len", "list", "map", "max", "min", "next", "oct",
        "ord", "pow", "range", "repr", "reversed", "round", "set", "slice", "sorted", "sum", "tuple", "zip",
        "ArithmeticError", "AssertionError", "Exception", "IndexError", "KeyError", "LookupError", "OverflowError",
        "StopIteration", "TypeError", "ValueError", "ZeroDivisionError",
    ]
)  # fmt: skip
"""What a step may use of Python itself: it says nothing, reads nothing and keeps nothing. (`str` and `bytes` find codecs.)"""

_ATTRIBUTES = frozenset(
    name
    for kind in (int, float, complex, str, bytes, list, tuple, dict, set, frozenset, range)
    for name in dir(kind)
    if not name.startswith("_") and name not in ("encode", "decode")
)

_INTRINSICS = frozenset(
    ("INTRINSIC_STOPITERATION_ERROR", "INTRINSIC_UNARY_POSITIVE", "INTRINSIC_LIST_TO_TUPLE")
)


class Proof(NamedTuple):
    """That a function only reckons, as long as these names stand for what they did: a namespace, a name in it, its value.

    And as long as the functions that it goes through, each with its code and defaults, have those.
    """

    rests_on: tuple[tuple[Mapping[str, Any], str, Any], ...]
    functions: tuple[tuple[FunctionType, CodeType, Any, Any], ...]

    def holds(self) -> bool:
        """Whether all names stand for the same things, and all functions do."""
        for space, name, value in self.rests_on:  # before every task: no generator
            if space.get(name, _ABSENT) is not value:
                return False
        for function, code, defaults, by_name in self.functions:
            if (
                function.__code__ is not code
                or function.__defaults__ is not defaults
                or function.__kwdefaults__ is not by_name
                or function.__dict__
            ):
                return False
        return True


_ABSENT = object()

_LATER = inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR | inspect.CO_GENERATOR
"""What is never awaited, or does not let itself be closed, says so on standard error."""


class _Unproven(Exception):
    """Something may touch more than values."""


def proof_of(function: Callable[..., Any]) -> Proof | None:
    """The proof that a function only reckons, called with atoms; None where there is none."""
    if sys.flags.bytes_warning:  # comparing text with bytes prints then
        return None
    walk = _Walk()
    try:
        walk.value(function)
        return walk.proof()
    except _Unproven:
        return None


class _Walk:
    """Goes through the code that a call may execute, each function once."""

    def __init__(self) -> None:
        self._todo: list[FunctionType] = []
        self._seen: dict[int, FunctionType] = {}
        self._rests_on: list[tuple[Mapping[str, Any], str, Any]] = []

    def proof(self) -> Proof:
        """What all of it rests on. Raises `_Unproven`."""
        while self._todo:
            function = self._todo.pop()
            kept = (*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values())
            scope = function.__globals__
            if function.__closure__ or not all(map(_is_fixed, kept)) or not _has_own_builtins(scope):
                raise _Unproven
            if function.__dict__:  # an attribute of a function may be anything, under the name of a list's
                raise _Unproven
            self._code(function.__code__, scope)
        functions = [(f, f.__code__, f.__defaults__, f.__kwdefaults__) for f in self._seen.values()]
        by_name = [(given, name, given[name]) for *_, given in functions if given for name in given]
        return Proof((*self._rests_on, *by_name), tuple(functions))

    def value(self, value: Any) -> None:
        """Something that is used. Raises `_Unproven` where using it may touch more than values."""
        if type(value) is FunctionType:
            if id(value) not in self._seen:
                if len(self._seen) >= _MOST:
                    raise _Unproven
                self._seen[id(value)] = value
                self._todo.append(value)
        elif not (_is_fixed(value) or _is_of_math(value)):
            raise _Unproven

    def _code(self, code: CodeType, scope: Mapping[str, Any]) -> None:
        if code.co_flags & _LATER and code.co_name != "<genexpr>":
            raise _Unproven
        module: ModuleType | None = None
        for one in _instructions(code):
            takes = one.opname in ("LOAD_ATTR", "LOAD_METHOD")
            if module is not None:
                if not takes or one.is_jump_target:
                    raise _Unproven
                module = self._named(vars(module), one.argval)
            elif one.opname == "LOAD_GLOBAL":
                module = self._global(scope, one.argval)
            elif takes and one.argval not in _ATTRIBUTES:
                raise _Unproven
        if module is not None:
            raise _Unproven
        for inner in code.co_consts:
            if isinstance(inner, CodeType):
                self._code(inner, scope)

    def _global(self, scope: Mapping[str, Any], name: str) -> ModuleType | None:
        if name in scope:
            return self._named(scope, name)
        if name not in _BUILTINS or getattr(builtins, name) is not _ORIGINALS[name]:
            raise _Unproven
        self._rests_on += [(scope, name, _ABSENT), (vars(builtins), name, _ORIGINALS[name])]
        return None

    def _named(self, space: Mapping[str, Any], name: str) -> ModuleType | None:
        """Note what a name stands for; a module is to be followed by the name of what is taken of it."""
        value = space.get(name, _ABSENT)
        self._rests_on.append((space, name, value))
        if type(value) is ModuleType:
            return value
        self.value(value)
        return None


_ORIGINALS = {name: getattr(builtins, name) for name in _BUILTINS}


def _instructions(code: CodeType) -> Iterator[dis.Instruction]:
    """The instructions of a piece of code. Raises `_Unproven` for one that is not known to be steady."""
    for one in dis.get_instructions(code):
        if one.opname not in _STEADY and not (
            one.opname == "CALL_INTRINSIC_1" and one.argrepr in _INTRINSICS
        ):
            raise _Unproven
        if one.opname != "EXTENDED_ARG":
            yield one


def _is_fixed(value: Any) -> bool:
    """Whether a value is an atom, or a tuple or frozen set of such."""
    kind = type(value)
    return kind in ATOMS or (kind in (tuple, frozenset) and all(map(_is_fixed, value)))


def _is_of_math(value: Any) -> bool:
    """Whether it is a function of `math`, as it was when this module was loaded."""
    return type(value) is BuiltinFunctionType and _MATH.get(value.__name__) is value


_MATH = {name: value for name, value in vars(math).items() if type(value) is BuiltinFunctionType}


def _has_own_builtins(scope: Mapping[str, Any]) -> bool:
    found = scope.get("__builtins__", builtins)
    return found is builtins or found is vars(builtins)
