"""A tokenizer: it gives a vocabulary, alone or as one part of what it gives, that means the same whenever it is used.

A vocabulary is a dict (token to id, or id to token), a list of tokens, or an object that has one. Each id stands for
one token. An object that encodes text is asked twice for some of the texts that the step was given, and must
answer alike.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple

from stepwell.errors import TokenizerBroken
from stepwell.worker.roles import Found, Given
from stepwell.worker.roles.rows import rows_in
from stepwell.worker.roles.values import kind, parts_of, tables_in

TEXTS = 20
"""Texts that are encoded twice."""

LONGEST = 2_000
"""Characters of such a text."""

SIZES = ("get_vocab_size", "vocab_size", "n_vocab", "get_piece_size", "piece_size")
ENCODERS = ("encode", "transform", "tokenize", "encode_as_ids")


class Taken(NamedTuple):
    """What a tokenizer was given: its name, and some of the texts."""

    step: str
    texts: Sequence[str]


class Vocabulary(NamedTuple):
    """A vocabulary that was found: in which part, whose it is, and how large it is; `broken` says what is wrong with it."""

    name: str
    value: Any
    size: int
    broken: str = ""


def taken(given: Given) -> Taken:
    """See `worker.roles`."""
    texts: list[str] = []
    for table in tables_in(given.values).values():
        for row in islice(rows_in(table), 200):
            cells = row if isinstance(row, tuple) else (row,)
            texts += [cell[:LONGEST] for cell in cells if isinstance(cell, str) and cell.strip()]
            if len(texts) >= TEXTS:
                return Taken(given.step, texts[:TEXTS])
    texts += [one[:LONGEST] for one in given.values.values() if isinstance(one, str) and one.strip()]
    return Taken(given.step, texts[:TEXTS])


def judged(before: Taken, value: Any) -> Found:
    """See `worker.roles`. Raises `TokenizerBroken`."""
    places = [("", value), *(parts_of(value) if not isinstance(value, Mapping | list) else [])]
    if isinstance(value, Mapping) and vocabulary("", value) is None:
        places += parts_of(value)
    found = [one for name, part in places if (one := vocabulary(name, part)) is not None]
    if not found:
        raise _broken(before.step, f"gave no vocabulary: what it returned is {kind(value)}", 'return a dict of tokens and their ids, a list of tokens, or the tokenizer itself')  # fmt: skip
    first = found[0]
    if first.broken:
        raise _broken(before.step, f"gave a vocabulary {first.broken}", "give each token one id, in an order that is the same in every run: sorted, or by count and then by text")  # fmt: skip
    asked = _asked_twice(before, first.value)
    document = {"vocabulary": first.size, "class": type(first.value).__qualname__, "encoded_twice": asked}
    return Found(
        {**document, **({"part": first.name} if first.name else {})}, {"vocabulary": float(first.size)}
    )


def vocabulary(name: str, value: Any) -> Vocabulary | None:
    """The vocabulary that a value is, or has; None where there is none."""
    if isinstance(value, set | frozenset):
        return Vocabulary(name, value, len(value), "in a set, whose order is another in every process")
    if isinstance(value, Mapping):
        return _of_mapping(name, value)
    if isinstance(value, list | tuple) and value and all(isinstance(one, str | bytes) for one in value):
        again = len(value) - len(set(value))
        return Vocabulary(name, value, len(value), f"in which {again:,} tokens come twice" if again else "")
    own = getattr(value, "vocabulary_", None)
    if isinstance(own, Mapping) and own:
        return _of_mapping(name, own, value)
    for ask in SIZES:
        size = getattr(value, ask, None)
        size = size() if callable(size) and not isinstance(value, type) else size
        if isinstance(size, int) and not isinstance(size, bool):
            return Vocabulary(name, value, size, "" if size else "that is empty")
    return None


def _of_mapping(name: str, value: Mapping[Any, Any], owner: Any = None) -> Vocabulary | None:
    """A dict of tokens and ids, whichever way around; None for other dicts."""
    if not value:
        return Vocabulary(name, value, 0, "that is empty")
    tokens, ids = list(value), list(value.values())
    if not all(isinstance(one, str | bytes) for one in tokens):
        tokens, ids = ids, tokens
    plain = [int(one) for one in ids if hasattr(one, "__index__") and not isinstance(one, bool)]
    if len(plain) != len(ids) or not all(isinstance(one, str | bytes) for one in tokens):
        return None
    twice = len(plain) - len(set(plain))
    again = len(tokens) - len(set(tokens))
    broken = f"in which {twice:,} ids stand for more than one token" if twice else ""
    broken = broken or (f"in which {again:,} tokens have more than one id" if again else "")
    return Vocabulary(name, value if owner is None else owner, len(ids), broken)


def _asked_twice(before: Taken, tokenizer: Any) -> int:
    """How many texts were encoded twice, and alike. Raises `TokenizerBroken` where one was not."""
    encode = _encoder(tokenizer)
    if encode is None:
        return 0
    for number, text in enumerate(before.texts):
        try:
            first, second = encode(text), encode(text)
        except Exception:  # it takes something else than text; whose codes it is, is not known  # noqa: BLE001
            return number
        if _text_of(first) != _text_of(second):
            raise _broken(before.step, f"gave a tokenizer that encodes {text[:40]!r} in two ways", "switch off what is drawn at random when it encodes (dropout, sampling)")  # fmt: skip
    return len(before.texts)


def _encoder(tokenizer: Any) -> Callable[[str], Any] | None:
    """What encodes one text; None where a vocabulary does not encode."""
    if hasattr(tokenizer, "vocabulary_") and hasattr(tokenizer, "transform"):
        return lambda text: tokenizer.transform([text]).toarray()
    for name in ENCODERS:
        found = getattr(tokenizer, name, None)
        if callable(found):
            return lambda text, call=found: call(text)  # type: ignore[misc]
    return None


def _text_of(encoded: Any) -> str:
    ids = getattr(encoded, "ids", encoded)
    return repr(ids.tolist() if hasattr(ids, "tolist") else ids)


def _broken(step: str, clause: str, fix: str) -> TokenizerBroken:
    return TokenizerBroken(
        f"step `{step}` {clause}",
        why="ids mean nothing without the one vocabulary that they were made with",
        fixes=[fix],
    )
