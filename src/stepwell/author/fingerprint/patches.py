"""What a step's code changes of libraries: it would be there for every later step of the process.

`json.JSONEncoder.default = mine` in a step, `setattr(os.path, "getsize", ...)`, `mock.patch("os.stat")`:
such a step gets a process of its own, and the next one finds the library as it was. Found are
stores and deletions of attributes whose root is an import of something that is not the project's,
in every definition that the step reaches; what modules do when they are imported is not among
them (`effects`), and neither is what a worker puts back by itself (`worker.state`).
"""

from __future__ import annotations

import ast
from collections.abc import Callable

from stepwell.author.fingerprint.definitions import Node
from stepwell.author.fingerprint.resolve import EFFECTS, Key
from stepwell.author.fingerprint.scopes import COMPUTED, Use, _Reader, _Scope, root_chain

__all__ = ["patched"]

_PUT_BACK = (
    "matplotlib.rcParams", "pandas.options", "sys.argv", "sys.path", "sys.stderr", "sys.stdin",
    "sys.stdout", "warnings.filters", "warnings.showwarning",
)  # fmt: skip
"""What `worker.state` restores after each step."""

_FAKES = frozenset(
    f"{module}.{name}"
    for module in ("unittest.mock", "mock")
    for name in ("patch", "patch.object", "patch.multiple")
)
"""What replaces a thing that is named by text, or an attribute of its first argument."""

_HINTS = frozenset(("vars", "patch", "object", "multiple", "setattr", "delattr"))


def patched(
    own: Key, node_of: Callable[[Key], Node | None], known: dict[Key, tuple[str, ...]]
) -> tuple[str, ...]:
    """The dotted names of what a definition, with all that it reaches, changes of libraries; sorted.

    `known` keeps what was found by definition. A name that is computed ends in `*`.
    """
    found: set[str] = set()
    seen: set[Key] = set()
    todo = [own]
    while todo:
        key = todo.pop()
        if key in seen or key.name == EFFECTS:
            continue
        seen.add(key)
        node = node_of(key)
        if node is None:
            continue
        if key not in known:
            known[key] = tuple(sorted(_of(node)))
        found.update(known[key])
        todo += node.reach.keys
    return tuple(sorted(found))


def _of(node: Node) -> set[str]:
    if not _may(node):
        return set()
    reader = _Patches(node)
    reader.read(node.statements)
    return reader.names


def _may(node: Node) -> bool:
    """Whether a closer look is worth its time; most definitions change nothing in place."""
    reading = node.reading
    for use, depth in reading.changes:
        attribute = len(use.chain) > (
            use.origin is None
        )  # a bare call of `np.sort` may change `np`, for all one knows
        if depth and attribute and _text(node, use):
            return True
    return any((use.chain or ("",))[-1] in _HINTS or _is_fake(node, use) for use, _ in reading.calls)


def _is_fake(node: Node, use: Use) -> bool:
    return use.origin is not None and use.origin.module in ("unittest.mock", "mock")


def _text(node: Node, use: Use) -> str:
    """The dotted name of what a use stands for; empty if that is the project's, Stepwell's or local."""
    resolver, module = node.resolver, node.module
    if use.origin is not None:
        text = ".".join(filter(None, (use.origin.module, use.origin.name, *use.chain)))
    else:
        text, key = resolver.origin(module, use.chain)
        if key is not None or use.chain[0] not in module.imports:
            return ""
    top = text.partition(".")[0]
    return "" if top == "stepwell" or resolver.places.find(top) is not None else text


class _Patches(_Reader):
    """A walk over one definition that notes which attributes of libraries are set or deleted inside functions."""

    def __init__(self, node: Node) -> None:
        super().__init__(node.module.absolute, lambda _: False, walrus=node.module.walrus)
        self.node = node
        self.names: set[str] = set()

    def change(self, node: ast.expr, scope: _Scope | None) -> None:
        """A store or deletion; or the object of a call that may change it."""
        if isinstance(node, ast.Attribute) and not isinstance(node.ctx, ast.Load):
            self.note(_chain(node), scope)
        space = node.value if isinstance(node, ast.Subscript) else node
        if owner := _namespace_of(space):  # `vars(json)["loads"] = ...`, `json.__dict__.update(...)`
            key = node.slice if isinstance(node, ast.Subscript) else None
            name = key.value if isinstance(key, ast.Constant) and isinstance(key.value, str) else COMPUTED
            self.note((*owner, name), scope)

    def special(self, node: ast.Call, chain: tuple[str, ...], scope: _Scope | None) -> bool:
        """Calls that set an attribute, or have it replaced for a while."""
        if chain in (("setattr",), ("delattr",)) and len(node.args) > 1:
            self.note((*_chain(node.args[0]), _name(node.args[1])), scope)
        elif any(_text(self.node, use) in _FAKES for use in self.lookup(chain, scope)) and node.args:
            target = node.args[0]
            if isinstance(target, ast.Constant) and isinstance(target.value, str):
                self.named(target.value)
            elif _chain(target) and chain[-1] != "patch":
                names = [_name(each) for each in node.args[1:2]] or [k.arg or COMPUTED for k in node.keywords]
                for name in names:
                    self.note((*_chain(target), name), scope, anywhere=True)
        return False

    def note(self, chain: tuple[str, ...], scope: _Scope | None, *, anywhere: bool = False) -> None:
        """Remember a change of what a chain stands for, unless it is local, the project's, or put back anyway.

        Outside of functions it happens when the module is imported, but for decorators (`anywhere`).
        """
        if len(chain) < 2 or not (anywhere or (scope is not None and scope.depth)):
            return
        for use in self.lookup(chain, scope):
            self.named(_text(self.node, use))

    def named(self, text: str) -> None:
        """Remember a dotted name."""
        outside = "." in text and self.node.resolver.places.find(text.partition(".")[0]) is None
        if outside and not any(text == each or text.startswith(f"{each}.") for each in _PUT_BACK):
            self.names.add(text)


def _chain(node: ast.expr) -> tuple[str, ...]:
    """`a.b.c` as (a, b, c); nothing for anything else."""
    at = node
    while isinstance(at, ast.Attribute):
        at = at.value
    return root_chain(node) if isinstance(at, ast.Name) else ()


def _name(node: ast.expr) -> str:
    """The text of a constant; `*` for what is computed."""
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else COMPUTED


def _namespace_of(node: ast.expr) -> tuple[str, ...]:
    """The chain of what an expression is the namespace of: `vars(json)`, `json.__dict__`."""
    if (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "vars"
        and node.args
    ):
        return _chain(node.args[0])
    return _chain(node.value) if isinstance(node, ast.Attribute) and node.attr == "__dict__" else ()
