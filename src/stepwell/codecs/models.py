"""scikit-learn estimators without pickle: the codec `sklearn`.

The form is that of skops: a zip file with the state of the estimator as JSON and its arrays as
`.npy`; `skops.io.load` opens the blob. Loading makes objects of named classes and sets their state,
it executes nothing that the bytes say. skops writes addresses, random names and times, so that no two
files are the same; here the same fit gives the same bytes, in every process:

- `__id__`, the address of an object, is left out where the object occurs once and where it cannot
  change (numbers, strings, types), and else is its number in order of appearance;
- members are named and sorted in order of appearance, stored, dated 1980;
- items of sets are sorted; the version of skops is left out;
- the gaps in the structures of trees are zero;
- the number of threads of the machine (`_BinMapper.n_threads`) is left out: it changes the speed
  of a prediction, never the prediction; so is the address of a list of stop words.

**Trusted** is what skops trusts, and beyond that classes of scikit-learn and SciPy, NumPy's types,
and functions of NumPy and scikit-learn that do not read or write files, also as `partial`. Whatever else an estimator
holds (a function of one's own, an estimator of another library) is refused when it is stored, not
when it is read.

The version of scikit-learn is a member of the file; another version does not load it, since the
state of an estimator means what the version that made it means by it.

Rejected: pickle with a list of allowed classes (needs `copyreg` and Cython's constructors, which
take arguments from the bytes; and its bytes differ from fit to fit), joblib (pickle), ONNX (predicts,
but is not the estimator).
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from stepwell.errors import CannotDecode, CannotEncode

if TYPE_CHECKING:
    from stepwell.plugins.hookspecs import Blob, Sink

VERSION = "stepwell.json"
"""The member that holds the version of scikit-learn."""

DATE = (1980, 1, 1, 0, 0, 0)

_FORBIDDEN = frozenset(
    {
        "tests", "testing", "_testing", "conftest", "f2py", "distutils", "datasets", "externals",
        "ctypeslib", "compat", "_datasource", "npyio", "_npyio_impl", "io", "_lib",
    }
)  # fmt: skip
"""Modules of the three libraries that run code, read files or carry other people's code."""

_FILES = frozenset(
    [
        "DataSource",
        "fromfile",
        "fromregex",
        "genfromtxt",
        "load",
        "loadtxt",
        "memmap",
        "save",
        "savetxt",
        "savez",
        "savez_compressed",
    ]
)
"""NumPy's functions that read and write files."""

_UNCHANGING = frozenset({"JsonNode", "TypeNode", "FunctionNode"})


class EstimatorCodec:
    """Estimators of scikit-learn, as the head of this module tells."""

    name = "sklearn"
    exact = False

    def dump(self, value: Any, sink: Sink) -> str:
        """Write the estimator."""
        import skops.io

        kind = type(value).__name__
        if not type(value).__module__.startswith("sklearn."):
            raise _refused(kind, "it is not one of scikit-learn's own estimators")
        try:
            data = skops.io.dumps(value)
        except Exception as error:
            # skops raises what the estimators' `__getstate__` and `__reduce__` raise.
            raise _refused(kind, f"{type(error).__name__}: {error}"[:300]) from error
        members = _members(data)
        schema = json.loads(members["schema.json"])
        unknown = _untrusted(data, schema)
        if unknown:
            raise _refused(kind, f"it holds {', '.join(f'`{name}`' for name in unknown[:5])}")
        sink.write(_canonical(schema, members))
        return f"{kind} of scikit-learn {_version()}"

    def load(self, blob: Blob) -> Any:
        """The estimator, if it was made by the version of scikit-learn that is here."""
        import skops.io

        data = bytes(blob.data)
        try:
            members = _members(data)
            made_by = json.loads(members[VERSION])["scikit-learn"]
            schema = json.loads(members["schema.json"])
            if type(schema["protocol"]) is not int:
                raise TypeError("its protocol is not a number")
        except Exception as error:
            raise _broken(error) from error
        if made_by != _version():
            raise CannotDecode(
                f"the model was made by scikit-learn {made_by}, and this is {_version()}",
                why="what an estimator's state means changes from version to version",
                fixes=["run the step that makes it again", f'pip install "scikit-learn=={made_by}"'],
            )
        try:
            unknown = _untrusted(data, schema)
            trusted = skops.io.get_untrusted_types(data=data)
            if not unknown:
                return skops.io.loads(data, trusted=trusted)
        except Exception as error:
            raise _broken(error) from error
        raise CannotDecode(
            "the model holds what is not of scikit-learn", why=f"it holds {', '.join(unknown[:5])}"
        )


def _refused(kind: str, why: str) -> CannotEncode:
    return CannotEncode(
        f"a {kind} cannot be stored without pickle",
        why=why,
        fixes=[
            "use only parts of scikit-learn, NumPy and SciPy in it (no lambdas, no functions of your own)",
            'or say `@step(codec="pickle")`: stored in this store only, and loading it can execute code',
        ],
    )


def _broken(error: Exception) -> CannotDecode:
    return CannotDecode(
        "the artifact is not a scikit-learn model", why=f"{type(error).__name__}: {error}"[:300]
    )


def _version() -> str:
    import sklearn

    found: str = sklearn.__version__
    return found


def _members(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


# --------------------------------------------------------------------------- what may be in it


def _untrusted(data: bytes, schema: Any) -> list[str]:
    """Names of what neither skops nor we trust."""
    import skops.io

    calls = {_name(node) for node in _nodes(schema) if node["__loader__"] == "ConstructorFromReduceNode"}
    return [
        name
        for name in skops.io.get_untrusted_types(data=data)
        if not _is_trusted(name, called=name in calls)
    ]


def _is_trusted(name: str, *, called: bool) -> bool:
    """Whether a name that skops does not know is harmless.

    `called`: the bytes give arguments to it, which only scikit-learn's own classes may be given.
    """
    if name == "functools.partial":
        return not called  # its function is another name, which is asked for by itself
    root, *path = name.split(".")
    if not path or _FORBIDDEN.intersection(path):
        return False
    if root == "sklearn":
        return True
    if root == "scipy":
        return not called
    if root == "numpy" and not called:
        return path[0] in ("dtype", "dtypes") or (
            len(path) == 1 and path[0] not in _FILES and _is_function(path[0])
        )
    return False


def _is_function(name: str) -> bool:
    import numpy as np

    return type(getattr(np, name, None)) is type(np.clip)


def _nodes(state: Any) -> Iterator[dict[str, Any]]:
    """Every node of a schema, in order of appearance."""
    todo = [state]
    while todo:
        found = todo.pop()
        if isinstance(found, dict):
            if isinstance(found.get("__loader__"), str):
                yield found
            todo.extend(reversed(list(found.values())))
        elif isinstance(found, list):
            todo.extend(reversed(found))


def _name(node: dict[str, Any]) -> str:
    return f"{node.get('__module__')}.{node.get('__class__')}"


# --------------------------------------------------------------------------- the same bytes


def _canonical(schema: dict[str, Any], members: dict[str, bytes]) -> bytes:
    """The zip file of a schema and its members, without what differs from time to time."""
    schema.pop("_skops_version", None)
    counts: dict[int, int] = {}
    for node in _nodes(schema):
        if node["__loader__"] in _UNCHANGING:
            node.pop("__id__", None)
        elif "__id__" in node:
            counts[node["__id__"]] = counts.get(node["__id__"], 0) + 1
        if node["__loader__"] == "ObjectNode":
            _forget(node)
    for node in _nodes(schema):
        if node["__loader__"] == "SetNode":
            node["content"].sort(key=json.dumps)
    numbers: dict[int, int] = {}
    files: dict[str, str] = {}
    for node in _nodes(schema):
        address = node.get("__id__")
        if address is not None:
            if counts[address] > 1:
                node["__id__"] = numbers.setdefault(address, len(numbers) + 1)
            else:
                del node["__id__"]
        file = node.get("file")
        if isinstance(file, str):
            node["file"] = files.setdefault(file, f"{len(files):06d}.{file.rpartition('.')[2]}")
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        for old, new in files.items():
            archive.writestr(_entry(new), _clean(members[old]) if new.endswith(".npy") else members[old])
        archive.writestr(_entry("schema.json"), json.dumps(schema, separators=(",", ":")))
        archive.writestr(_entry(VERSION), json.dumps({"scikit-learn": _version()}))
    return stream.getvalue()


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, DATE)
    entry.create_system = 3
    entry.external_attr = 0o444 << 16
    return entry


def _clean(data: bytes) -> bytes:
    """An array in NumPy's format, the gaps in its structures zero: in those of trees is what memory held before."""
    import numpy as np

    from stepwell.codecs.arrays import canonical

    array = np.load(io.BytesIO(data), allow_pickle=False)
    if array.dtype.names is None:
        return data
    stream = io.BytesIO()
    np.save(stream, canonical(array), allow_pickle=False)
    return stream.getvalue()


def _forget(node: dict[str, Any]) -> None:
    """Empty the attributes of an object that say something of the process and nothing of the model."""
    content = node.get("content")
    attributes = content.get("content") if isinstance(content, dict) else None
    if not isinstance(attributes, dict):
        return
    for name in ("_stop_words_id", "n_threads") if node["__class__"] == "_BinMapper" else ("_stop_words_id",):
        found = attributes.get(name)
        if isinstance(found, dict) and found.get("__loader__") == "JsonNode":
            found["content"] = "null"
