"""The types of `page/src/api.ts` as JSON Schema, so that real answers can be held to them.

    schema("RunList")       the schema of one type; nothing but what it names may be there

It reads the part of TypeScript that a contract of plain data needs: interfaces (with `extends` and parameters), unions,
intersections, literals, tuples, arrays, `Record`, and `Type["field"]`. Whatever else is written there is an error here.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

FILE = Path(__file__).parents[2] / "page" / "src" / "api.ts"

_TOKEN = re.compile(r'\s*(?:("(?:[^"\\]|\\.)*")|(-?\d+(?:\.\d+)?)|([A-Za-z_$][\w$]*)|(.))', re.DOTALL)
_COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)

Schema = dict[str, Any]

_NAMES: dict[str, Schema] = {
    "string": {"type": "string"},
    "number": {"type": "number"},
    "boolean": {"type": "boolean"},
    "null": {"type": "null"},
    "true": {"const": True},
    "false": {"const": False},
}


class Types:
    """The declarations of one file: each name with its parameters and what it stands for."""

    def __init__(self, text: str) -> None:
        self._tokens = [
            next(group for group in found if group)
            for found in _TOKEN.findall(_COMMENT.sub(" ", text))
            if any(found)
        ]
        self._tokens = [token for token in self._tokens if token.strip()]
        self._at = 0
        self.types: dict[str, tuple[list[str], Any]] = {}
        while self._at < len(self._tokens):
            self._declaration()

    def _peek(self, ahead: int = 0) -> str:
        return self._tokens[self._at + ahead] if self._at + ahead < len(self._tokens) else ""

    def _take(self, *wanted: str) -> str:
        token = self._peek()
        assert not wanted or token in wanted, (
            f"{token!r}, not one of {wanted}, before {self._tokens[self._at : self._at + 8]}"
        )
        self._at += 1
        return token

    def _try(self, wanted: str) -> bool:
        if self._peek() == wanted:
            self._at += 1
            return True
        return False

    def _declaration(self) -> None:
        self._take("export")
        kind, name = self._take("interface", "type"), self._take()
        names = []
        if self._try("<"):
            names = [self._take()]
            while self._try(","):
                names.append(self._take())
            self._take(">")
        if kind == "type":
            self._take("=")
            self.types[name] = names, self._union()
            self._take(";")
            return
        parents = []
        if self._try("extends"):
            parents = [self._postfix()]
            while self._try(","):
                parents.append(self._postfix())
        body = self._object()
        self.types[name] = names, ("and", [*parents, body]) if parents else body

    def _union(self) -> Any:
        self._try("|")
        parts = [self._both()]
        while self._try("|"):
            parts.append(self._both())
        return parts[0] if len(parts) == 1 else ("or", parts)

    def _both(self) -> Any:
        parts = [self._postfix()]
        while self._try("&"):
            parts.append(self._postfix())
        return parts[0] if len(parts) == 1 else ("and", parts)

    def _postfix(self) -> Any:
        found = self._primary()
        while self._peek() == "[":
            self._take("[")
            if self._try("]"):
                found = ("array", found)
            else:
                found = ("field", found, self._take()[1:-1])
                self._take("]")
        return found

    def _primary(self) -> Any:
        token = self._peek()
        if token == "{":
            return self._object()
        if self._try("("):
            found = self._union()
            self._take(")")
            return found
        if self._try("["):
            items = [self._union()]
            while self._try(","):
                items.append(self._union())
            self._take("]")
            return ("tuple", items)
        self._take()
        if token.startswith('"'):
            return ("is", {"const": token[1:-1]})
        if re.fullmatch(r"-?[\d.]+", token):
            return ("is", {"const": float(token) if "." in token else int(token)})
        assert re.fullmatch(r"[A-Za-z_]\w*", token), token
        given = []
        if self._try("<"):
            given = [self._union()]
            while self._try(","):
                given.append(self._union())
            self._take(">")
        return ("name", token, given)

    def _object(self) -> Any:
        self._take("{")
        fields: dict[str, tuple[bool, Any]] = {}
        others = None
        while not self._try("}"):
            if self._try("["):
                self._take()
                self._take(":")
                self._union()
                self._take("]")
                self._take(":")
                others = self._union()
            else:
                name = self._take().strip('"')
                needed = not self._try("?")
                self._take(":")
                fields[name] = needed, self._union()
            while self._peek() in (";", ","):
                self._take()
        return ("object", fields, others)

    # ------------------------------------------------------------------ as a schema

    def schema(self, what: Any, bound: dict[str, Any]) -> Schema:
        kind = what[0]
        if kind == "is":
            return what[1]
        if kind == "or":
            return {"anyOf": [self.schema(part, bound) for part in what[1]]}
        if kind == "and":
            return self.schema(self._merged(what[1], bound), bound)
        if kind == "array":
            return {"type": "array", "items": self.schema(what[1], bound)}
        if kind == "tuple":
            items = [self.schema(item, bound) for item in what[1]]
            return {"type": "array", "prefixItems": items, "minItems": len(items), "maxItems": len(items)}
        if kind == "object":
            return self._of_object(what, bound)
        if kind == "field":
            return self.schema(self._fields(what[1], bound)[what[2]][1], bound)
        return self._of_name(what[1], what[2], bound)

    def _of_object(self, what: Any, bound: dict[str, Any]) -> Schema:
        _, fields, others = what
        return {
            "type": "object",
            "properties": {name: self.schema(one, bound) for name, (_, one) in fields.items()},
            "required": [name for name, (needed, _) in fields.items() if needed],
            "additionalProperties": False if others is None else self.schema(others, bound),
        }

    def _of_name(self, name: str, given: list[Any], bound: dict[str, Any]) -> Schema:
        if name in bound:
            return bound[name]
        if name in _NAMES:
            return _NAMES[name]
        if name == "Record":
            return {"type": "object", "additionalProperties": self.schema(given[1], bound)}
        names, body = self.types[name]
        if names:
            return self.schema(
                body, {one: self.schema(it, bound) for one, it in zip(names, given, strict=True)}
            )
        return {"$ref": f"#/$defs/{name}"}

    def _fields(self, what: Any, bound: dict[str, Any]) -> dict[str, tuple[bool, Any]]:
        """The fields of an object type, whichever way it is written."""
        if what[0] == "object":
            return what[1]
        if what[0] == "and":
            return self._merged(what[1], bound)[1]
        if what[0] == "field":
            return self._fields(self._fields(what[1], bound)[what[2]][1], bound)
        assert what[0] == "name", what
        return self._fields(self.types[what[1]][1], bound)

    def _merged(self, parts: list[Any], bound: dict[str, Any]) -> Any:
        fields: dict[str, tuple[bool, Any]] = {}
        for part in parts:
            if part[0] == "name" and part[2]:  # its parameters are known here only
                names = self.types[part[1]][0]
                bound.update({one: self.schema(it, bound) for one, it in zip(names, part[2], strict=True)})
            fields.update(self._fields(part, bound))
        return ("object", fields, None)


@cache
def schema(name: str) -> Schema:
    """The JSON Schema of a type of the page."""
    types = Types(FILE.read_text("utf-8"))
    defs = {one: types.schema(body, {}) for one, (names, body) in types.types.items() if not names}
    assert name in defs, f"api.ts has no type {name}"
    return {"$ref": f"#/$defs/{name}", "$defs": defs}
