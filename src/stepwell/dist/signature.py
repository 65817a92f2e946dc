"""The signature of what leaves: what a model wants and gives by column, and what must be installed to read it.

    found = signature_of(model, [training_table])
    found.takes          # {"carrier": "category", "distance": "int64"}
    found.gives          # {"prediction": "bool", "probability": "float64"}

What is not known is left out, or is "?": a signature never guesses.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from stepwell.dist.tables import Table, type_text

PREDICTION = "prediction"
PROBABILITY = "probability"


class Signature(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is wanted and given by column, the values of columns of categories, and requirements with exact versions."""

    takes: dict[str, str] = {}
    gives: dict[str, str] = {}
    categories: dict[str, tuple[str, ...]] = {}
    needs: tuple[str, ...] = ()


def signature_of(model: Any, learned: Iterable[Table | None]) -> Signature:
    """The signature of a model; of what cannot predict it is empty.

    `learned` are tables that it may have learned from, the likeliest first: the first that has all of its columns
    says what they hold. A model that does not know its columns takes all of the first table, if their number is right.
    """
    if not callable(getattr(model, "predict", None)) and not callable(model):
        return Signature()
    names = [str(name) for name in _listed(getattr(model, "feature_names_in_", None))]
    first: Table | None = None
    for table in learned:
        if table is None:
            continue
        if names and all(name in table.columns for name in names):
            return _with(model, names, table)
        if not names and getattr(model, "n_features_in_", len(table.columns)) == len(table.columns):
            return _with(model, list(table.columns), table)
        first = first or table
    return _with(model, names, first or Table(0, {}))


def _with(model: Any, names: Sequence[str], table: Table) -> Signature:
    """The signature of a model that takes these columns, as they are in a table that may not have all of them."""
    import pyarrow as pa

    takes, categories = {}, {}
    for name in names:
        column = table.columns.get(name)
        takes[name] = "?" if column is None else type_text(column.type)
        if column is not None and pa.types.is_dictionary(column.type):
            categories[name] = _categories(column)
    return Signature(takes=takes, gives=gives_of(model), categories=categories)


def _categories(column: Any) -> tuple[str, ...]:
    import pyarrow as pa

    if isinstance(column, pa.ChunkedArray):
        column = column.unify_dictionaries()
        column = column.chunk(0) if column.num_chunks else None
    return () if column is None else tuple(map(str, column.dictionary.to_pylist()))


def gives_of(model: Any) -> dict[str, str]:
    """The columns of a model's predictions: `prediction`, and what is likely where it says so.

    `probability` is that of the second of two classes; of more there is one column for each, `probability_CLASS`.
    """
    kind = getattr(model, "_estimator_type", None) or _tagged(model)
    classes = _listed(getattr(model, "classes_", None))
    if classes:
        gives = {PREDICTION: _type_of(classes)}
        if callable(getattr(model, "predict_proba", None)):
            gives |= dict.fromkeys(probabilities(classes), "float64")
        return gives
    return {PREDICTION: "float64" if kind == "regressor" else "?"}


def probabilities(classes: Sequence[object]) -> list[str]:
    """The names of the columns of probabilities of these classes, in their order; one of two classes: that of the second."""
    return [PROBABILITY] if len(classes) == 2 else [f"{PROBABILITY}_{one}" for one in classes]


def _tagged(model: Any) -> str:
    """What scikit-learn says an estimator is: "classifier", "regressor", ""."""
    tags = getattr(model, "__sklearn_tags__", None)
    if not callable(tags):
        return ""
    return str(getattr(tags(), "estimator_type", "") or "")


def _listed(values: Any) -> list[Any]:
    """An array, or a list of them for several targets, which nobody can name, as a list."""
    if values is None or isinstance(values, list):
        return []
    return list(values.tolist()) if hasattr(values, "tolist") else list(values)


def _type_of(classes: Sequence[object]) -> str:
    kinds = {type(one) for one in classes}
    words: dict[type, str] = {bool: "bool", int: "int64", float: "float64", str: "string"}
    return words.get(next(iter(kinds)), "?") if len(kinds) == 1 else "?"


# --------------------------------------------------------------------------- what must be installed


def needs_of(codec: str, value: Any) -> tuple[str, ...]:
    """The requirements with exact versions without which the bytes of a codec mean nothing; none of a portable one.

    `value` is what was read, by the versions that are installed: no other version could have.
    """
    if codec == "sklearn":
        return (f"scikit-learn=={importlib.metadata.version('scikit-learn')}",)
    if codec == "pickle":
        return _distribution_of(type(value).__module__)
    if codec == "bundle":
        return tuple(sorted({need for part in _parts(value) for need in needs_of(_codec(part), part)}))
    return ()


def _codec(value: Any) -> str:
    from stepwell.codecs.lookup import registered

    return registered(type(value))


def _parts(value: Any) -> list[Any]:
    """What lies in plain data, to any depth."""
    todo, found, seen = [value], [], set()
    while todo:
        one = todo.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        if isinstance(one, dict):
            todo += one.values()
        elif isinstance(one, list | tuple | set | frozenset):
            todo += one
        elif hasattr(one, "__dataclass_fields__"):
            todo += [getattr(one, name) for name in one.__dataclass_fields__]
        else:
            found.append(one)
    return found


def _distribution_of(module: str) -> tuple[str, ...]:
    """The distribution that a module is of, with its version; none of Python's own and the project's."""
    names = importlib.metadata.packages_distributions().get(module.partition(".")[0], [])
    return tuple(f"{name}=={importlib.metadata.version(name)}" for name in sorted(set(names)))
