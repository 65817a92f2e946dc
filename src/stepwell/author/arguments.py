"""Arguments against a signature: what does not fit, said in the words of the function's own parameters."""

from __future__ import annotations

import inspect
from collections.abc import Mapping

from stepwell.author.where import user_line
from stepwell.errors import BadArguments, nearest

LONGEST = 60
"""Characters of a value that an error shows."""


def fitted(
    who: str, signature: inspect.Signature, args: tuple[object, ...], kwargs: Mapping[str, object]
) -> inspect.BoundArguments:
    """The arguments of a call by name. Raises `BadArguments`, saying of `who` ("the step `train`") what is wrong."""
    try:
        return signature.bind(*args, **kwargs)
    except TypeError as error:
        what, fix = _misfit(signature, args, kwargs, str(error))
        name = who.rpartition(" ")[2].strip("`")
        raise BadArguments(
            f"{who} {what}",
            why=f"it is {name}{spelled(signature)}",
            fixes=[fix] if fix else [],
            where=user_line(),
        ) from None


def _misfit(
    signature: inspect.Signature, args: tuple[object, ...], kwargs: Mapping[str, object], problem: str
) -> tuple[str, str]:
    """What is wrong with arguments that do not fit, and what might have been meant."""
    parameters = signature.parameters
    takes_any = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    for name in kwargs if not takes_any else ():
        if name not in parameters or parameters[name].kind is inspect.Parameter.VAR_POSITIONAL:
            hint = nearest(name, parameters)
            named = f"its parameters are: {', '.join(parameters)}" if parameters else "it takes no arguments"
            return f"has no parameter `{name}`", f"did you mean `{hint}`?" if hint else named
    alone = [name for name in kwargs if name in parameters and _by_place(parameters[name])]
    if alone and not takes_any:
        return f"takes `{alone[0]}` by place only", f"write its value without `{alone[0]}=`"
    places = [p for p in parameters.values() if _by_place(p) or p.kind is p.POSITIONAL_OR_KEYWORD]
    if len(args) > len(places) and not any(p.kind is p.VAR_POSITIONAL for p in parameters.values()):
        keywords = [p.name for p in parameters.values() if p.kind is p.KEYWORD_ONLY]
        fix = f"write these by name: {', '.join(keywords)}" if keywords else "leave out what is too much"
        return f"takes {len(places)} arguments by place, and gets {len(args)}", fix
    if problem.startswith("missing a required"):
        filled = {p.name for p in places[: len(args)]} | set(kwargs)
        missing = [
            p for p in parameters.values() if p.default is p.empty and not stars(p) and p.name not in filled
        ]
        names = " and ".join(f"`{p.name}`" for p in missing)
        return (
            f"is called without {names}",
            f"add {', '.join(p.name + ('' if _by_place(p) else '=...') for p in missing)}",
        )
    twice = [p.name for p in places[: len(args)] if p.name in kwargs]
    if twice:
        return f"gets `{twice[0]}` twice", "write it by place or by name"
    return f"cannot be called like this: {problem}", ""


def _by_place(parameter: inspect.Parameter) -> bool:
    return parameter.kind is parameter.POSITIONAL_ONLY


def spelled(signature: inspect.Signature) -> str:
    """A signature without annotations, short enough to read."""
    parts: list[str] = []
    slash = star = False
    for parameter in signature.parameters.values():
        if slash and not _by_place(parameter):
            parts.append("/")
        slash = _by_place(parameter)
        if parameter.kind is parameter.KEYWORD_ONLY and not star:
            parts.append("*")
        star = star or parameter.kind in (parameter.VAR_POSITIONAL, parameter.KEYWORD_ONLY)
        default = "" if parameter.default is parameter.empty else f"={brief(parameter.default)}"
        parts.append(f"{stars(parameter)}{parameter.name}{default}")
    return f"({', '.join([*parts, '/'] if slash else parts)})"


def stars(parameter: inspect.Parameter) -> str:
    """What stands before the name of a parameter that takes any number of arguments."""
    if parameter.kind is parameter.VAR_POSITIONAL:
        return "*"
    return "**" if parameter.kind is parameter.VAR_KEYWORD else ""


def brief(value: object) -> str:
    """A value on one short line, for errors."""
    if inspect.isroutine(value) or inspect.isclass(value):
        return f"`{value.__qualname__}`"
    text = " ".join(repr(value).split())
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."
