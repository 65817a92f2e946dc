"""Secrets: where a value is to be had, the value itself only inside a step, and text from which it is taken out.

    token: Secret = Secret("API_TOKEN")     the environment variable
    Secret.file("/run/secrets/token")       the content of a file, without the line's end
    Secret.keyring("service", "user")       the system's keyring

A `Secret` holds nothing but its place, so it may go through plans, keys, records and pipes. Its value
is read by `reveal()`, in the process of the step. From then on that process knows the forms in
which the value could appear in text, and `masked` replaces them by `***`. All of this costs nothing
where there is no secret: `forms` is empty.
"""

from __future__ import annotations

import os
import re
import sys
import typing
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stepwell.errors import (
    BadSecret,
    MissingSecret,
    NoKeyring,
    SecretGone,
    SecretInTheOpen,
    SecretRevealed,
    SecretTooShort,
    StepwellError,
)
from stepwell.kernel.ports import Failure, Made

SHORTEST = 4
"""Characters that a secret has at least: shorter ones are in too many texts by chance."""

MASK = "***"

SET = '"***"'
"""What a variable that holds a secret comes to in records: that it is set."""

KINDS = ("env", "file", "keyring")

_named: set[str] = set()
"""Environment variables that some `Secret` of this process names."""

_sealed: list[str] = []
"""What forbids secrets to be revealed in this process now, in words; innermost last."""

_made: dict[Secret, None] = {}
"""Every secret that this process has heard of."""


@dataclass(frozen=True, repr=False)
class Secret:
    """Where a secret value is: never the value.

    `Secret("API_TOKEN")` is an environment variable, `Secret.file(path)` the content of a file,
    `Secret.keyring(service, user)` an entry of the system's keyring. Inside a step `.reveal()` gives
    the value as text. Nothing else shows it: not `repr`, `str`, `format`, `pickle`, `json` or `copy`.
    """

    name: str
    kind: str = "env"

    __stepwell__: typing.ClassVar[str] = "secret"

    def __post_init__(self) -> None:
        problem = _unfit(self.kind, self.name)
        if problem:
            raise BadSecret(
                problem,
                why="a secret is declared by where it is, never by its value",
                fixes=['Secret("API_TOKEN")', 'Secret.file("/run/secrets/token")'],
            )
        if self not in _made:
            _made[self] = None
            if self.kind == "env":
                _named.add(self.name)

    @classmethod
    def file(cls, path: str | os.PathLike[str]) -> Secret:
        """The content of a file, without the end of its last line. A path that is relative starts at the project's root."""
        return cls(os.fspath(path), "file")

    @classmethod
    def keyring(cls, service: str, user: str) -> Secret:
        """An entry of the system's keyring, by the package `keyring`."""
        return cls(f"{service}/{user}", "keyring")

    @property
    def place(self) -> str:
        """Where it is, as the command line takes it: "env:API_TOKEN", "file:PATH", "keyring:SERVICE/USER"."""
        return f"{self.kind}:{self.name}"

    def reveal(self) -> str:
        """The value. Only in a step that runs; raises `SecretRevealed` elsewhere, `SecretGone` where there is none."""
        _refuse_outside(self)
        try:
            value = read(self)
        except StepwellError as error:
            raise SecretGone(error.what, why=error.why, fixes=error.fixes) from None
        forms.learn(value)
        return value

    @property
    def value(self) -> str:
        """The same as `reveal()`."""
        return self.reveal()

    def __repr__(self) -> str:
        return f"Secret({self.place})"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return format(repr(self), spec)

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: object) -> Secret:
        return self

    def __reduce__(self) -> tuple[object, ...]:
        return Secret, (self.name, self.kind)

    def __iter__(self) -> Iterator[str]:
        raise TypeError(f"{self!r} has no parts: its value is secret.reveal()")


Secret.__module__ = "stepwell"  # where users know it from; the name is a part of keys


def _unfit(kind: object, name: object) -> str:
    if kind not in KINDS or not isinstance(name, str):
        return f"a Secret of the kind {kind!r} is none"
    if kind == "env" and not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        return "this is no name of an environment variable"  # and so may be the secret itself
    if not name or "\0" in name or (kind == "keyring" and not all(name.partition("/"))):
        return f"a Secret of the kind `{kind}` names no place"
    return ""


def at(place: str) -> Secret:
    """The secret of "env:NAME", "file:PATH", "keyring:SERVICE/USER". Raises `SecretInTheOpen` for any other text."""
    kind, colon, name = place.partition(":")
    if colon and kind in KINDS and not _unfit(kind, name):
        return Secret(name, kind)
    raise SecretInTheOpen(
        "is a secret, and is given as a value",
        why="command lines are seen by every process, and kept in the shell's history; files are committed",
        fixes=["env:API_TOKEN", "file:/run/secrets/token", "keyring:service/user"],
    )


def mentions_secret(annotation: object) -> bool:
    """Whether an annotation is `Secret`, or has it inside (unions, containers, fields)."""
    return _mentions(annotation, frozenset())


def _mentions(annotation: Any, seen: frozenset[int]) -> bool:
    if annotation is Secret:
        return True
    if id(annotation) in seen:
        return False
    seen |= {id(annotation)}
    inner = [*typing.get_args(annotation), getattr(annotation, "__supertype__", None)]
    if isinstance(annotation, type) and _has_fields(annotation):
        try:
            inner += typing.get_type_hints(annotation).values()
        except Exception:  # names for type checkers alone; what cannot be resolved holds none  # noqa: BLE001
            return False
    return any(_mentions(one, seen) for one in inner if one is not None)


def _has_fields(kind: type) -> bool:
    marks = ("__dataclass_fields__", "__attrs_attrs__", "model_fields", "_fields", "__required_keys__")
    return any(hasattr(kind, mark) for mark in marks)


def inside(value: object, most: int = 100_000) -> list[Secret]:
    """The secrets in a value and its containers, each once."""
    found: dict[Secret, None] = {}
    todo, seen = [value], set[int]()
    while todo and len(seen) < most:
        item = todo.pop()
        if isinstance(item, Secret):
            found[item] = None
        elif item.__class__ not in _ATOMS and id(item) not in seen:
            seen.add(id(item))
            todo += parts_of(item)
    return list(found)


_ATOMS = (str, bytes, int, float, bool, type(None))


def parts_of(value: object) -> list[object]:
    """What is directly inside a container or record of plain data."""
    if isinstance(value, list | tuple | set | frozenset):
        return list(value)
    if isinstance(value, Mapping):
        return [*value.keys(), *value.values()]
    names = getattr(type(value), "__dataclass_fields__", ())
    held = [getattr(value, name, None) for name in names]
    return held or (
        list(vars(value).values()) if _has_fields(type(value)) and hasattr(value, "__dict__") else []
    )


# --------------------------------------------------------------------------- values


def read(secret: Secret) -> str:
    """The value of a secret, read now. Raises `MissingSecret`, `SecretTooShort`, `NoKeyring`; no text of it is in them."""
    return _sound(secret, _READERS[secret.kind](secret))


def prepare(values: object) -> None:
    """Before a step runs with these values: know the secrets among them, and all others that lie in variables and files.

    Raises `SecretGone` for one among the values that cannot be read.
    """
    if not _made:
        return
    for secret in inside(values):
        try:
            forms.learn(read(secret))
        except StepwellError as error:
            raise SecretGone(error.what, why=error.why, fixes=error.fixes) from None
    for secret in list(_made):
        if secret.kind != "keyring":  # which may ask a person for a password
            with suppress(StepwellError):
                forms.learn(read(secret))


def any_made() -> bool:
    """Whether this process has heard of any secret."""
    return bool(_made)


def check(secret: Secret) -> StepwellError | None:
    """What is wrong with the place of a secret, if anything is; nothing of its value is kept."""
    try:
        read(secret)
    except StepwellError as error:
        return error
    return None


def _sound(secret: Secret, value: str) -> str:
    if len(value) < SHORTEST:
        raise SecretTooShort(
            f"the secret {secret.place} has fewer than {SHORTEST} characters",
            why="what is that short is in many texts by chance, and could not be taken out of what steps print",
            fixes=["check that it is the secret that you mean, and whole"],
        )
    return value


def _from_environment(secret: Secret) -> str:
    raw = os.environ._data.get(os.fsencode(secret.name))  # type: ignore[attr-defined]  # no read to be observed
    if not raw:
        state = "is empty" if raw is not None else "is not set"
        raise MissingSecret(
            f"the secret {secret.place} is not there: ${secret.name} {state}",
            why="a step needs it",
            fixes=[f"export {secret.name}=...", "or name another place: env:NAME, file:PATH"],
        )
    return os.fsdecode(raw)


def _from_file(secret: Secret) -> str:
    try:
        text = Path(secret.name).expanduser().read_bytes().decode()
    except (OSError, ValueError, RuntimeError) as error:
        why = error.strerror if isinstance(error, OSError) else None
        raise MissingSecret(
            f"the secret {secret.place} cannot be read", why=why or "it is no text in UTF-8"
        ) from None
    value = text.removesuffix("\n").removesuffix("\r")
    if not value.strip():
        raise MissingSecret(f"the secret {secret.place} is not there: the file is empty")
    return value


def _from_keyring(secret: Secret) -> str:
    service, _, user = secret.name.rpartition("/")
    try:
        import keyring
    except ImportError:
        raise NoKeyring(
            f"the secret {secret.place} is in the keyring, and the package `keyring` is not installed",
            fixes=['pip install "stepwell[keyring]"'],
        ) from None
    try:
        value = keyring.get_password(service, user)
    except Exception as error:  # backends raise what they like  # noqa: BLE001
        raise NoKeyring(
            f"the keyring cannot be asked for {secret.place}",
            why=type(error).__name__,
            fixes=["unlock it, or name another place: env:NAME, file:PATH"],
        ) from None
    if not value:
        raise MissingSecret(
            f"the secret {secret.place} is not there", why="the keyring has no such entry",
            fixes=[f"keyring set {service} {user}"],
        )  # fmt: skip
    return str(value)


_READERS: Mapping[str, Callable[[Secret], str]] = {
    "env": _from_environment,
    "file": _from_file,
    "keyring": _from_keyring,
}


@contextmanager
def sealed(what: str) -> Iterator[None]:
    """Nothing may be revealed meanwhile; `what` says for errors what goes on ("the body of the pipeline `etl`")."""
    _sealed.append(what)
    try:
        yield
    finally:
        _sealed.remove(what)


def _refuse_outside(secret: Secret) -> None:
    """Raises `SecretRevealed` while a pipeline is traced, or a module of the project is imported."""
    what = _sealed[-1] if _sealed else ""
    frame = sys._getframe(2)
    while frame is not None and not what:
        if frame.f_code.co_name == "exec_module" and frame.f_globals.get("__name__") == _IMPORTER:
            what = "a module that is being imported"
        frame = frame.f_back  # type: ignore[assignment]
    if what:
        raise SecretRevealed(
            f"{secret!r} is revealed in {what}",
            why="its value would become a part of the plan, which is kept and shown",
            fixes=["pass the Secret itself to the step, and call .reveal() there"],
        )


_IMPORTER = "stepwell.worker.modules"


# --------------------------------------------------------------------------- text without them


class Forms:
    """The forms in which values that were revealed in this process can appear in text."""

    def __init__(self) -> None:
        self.values: set[str] = set()
        self.texts: tuple[bytes, ...] = ()
        """Longest first."""
        self.learned: list[Callable[[], None]] = []
        """Called when there is a new form: who filters a stream takes it in."""
        self._pattern: re.Pattern[bytes] | None = None

    def __bool__(self) -> bool:
        return self._pattern is not None

    def learn(self, value: str) -> None:
        """From now on this value is masked."""
        if value in self.values:
            return
        self.values.add(value)
        found = {form for one in self.values for form in forms_of(one)}
        self.texts = tuple(sorted(found, key=lambda form: (-len(form), form)))
        self._pattern = re.compile(b"|".join(map(re.escape, self.texts)))
        for tell in self.learned:
            tell()

    def found_in(self, data: bytes) -> bool:
        """Whether some form is in these bytes."""
        return self._pattern is not None and self._pattern.search(data) is not None

    def masked(self, text: str) -> str:
        """A text without the values."""
        if self._pattern is None:
            return text
        data = text.encode("utf-8", "surrogatepass")
        if self._pattern.search(data) is None:
            return text
        return self._pattern.sub(MASK.encode(), data).decode("utf-8", "surrogatepass")


forms = Forms()
"""Those of this process."""


def masked(text: str) -> str:
    """A text without the values of secrets that were revealed in this process."""
    return forms.masked(text)


def masked_of_all(text: str) -> str:
    """A text without the values of secrets that this process has heard of and can read; it does not remember these."""
    own = Forms()
    for secret in list(_made):
        if secret.kind != "keyring":  # which may ask a person for a password
            with suppress(StepwellError):
                own.learn(read(secret))
    return own.masked(text)


def forms_of(value: str) -> set[bytes]:
    """The forms of a value: itself, escaped as JSON, Python, URLs and HTML do, in base64 and hex; of several lines each."""
    import html
    import json
    from urllib.parse import quote, quote_plus

    raw = value.encode("utf-8", "surrogateescape")
    texts = {value, value.strip(), repr(value)[1:-1], ascii(value)[1:-1], html.escape(value)}
    texts |= {json.dumps(value, ensure_ascii=ascii_)[1:-1] for ascii_ in (True, False)}
    texts |= {json.dumps(value)[1:-1].replace("/", "\\/"), repr(raw)[2:-1], repr([value])[2:-2]}
    quoted = {quote(raw, safe=""), quote(raw), quote_plus(raw)}
    texts |= quoted | {re.sub("%..", lambda found: found[0].lower(), one) for one in quoted}
    texts |= {line.strip() for line in value.splitlines() if len(line.strip()) >= 2 * SHORTEST}
    found = {text.encode("utf-8", "surrogateescape") for text in texts}
    found |= {raw.hex().encode(), raw.hex().upper().encode(), raw.hex(" ").encode(), raw.hex(":").encode()}
    found |= _in_base64(raw)
    return {form for form in found if len(form) >= SHORTEST}


def _in_base64(raw: bytes) -> set[bytes]:
    """Base64 of a value, and what of it is the same wherever it stands in something longer."""
    found = set()
    for encode in (b64encode, urlsafe_b64encode):
        found |= {encode(raw), encode(raw).rstrip(b"="), encode(raw + b"\n").rstrip(b"=")}
        for before in range(3):
            whole = encode(b"\0" * before + raw)
            first = -(-before * 8 // 6)
            last = (before + len(raw)) * 8 // 6
            if last - first >= 2 * SHORTEST:
                found.add(whole[first:last])
    return found


def variable_token(name: str, token: str) -> str:
    """The token of an environment variable as records may hold it: of one that a secret names only whether it is set.

    Of any other it is the token without the secrets that are in it (`postgres://user:***@host`).
    """
    if not _made:
        return token
    if name not in _named:
        prepare(())
        return masked(token)
    return token if token == "None" else SET


def is_named_file(path: str) -> bool:
    """Whether a secret is the content of the file with this absolute path."""
    return any(one.kind == "file" and os.path.abspath(os.path.expanduser(one.name)) == path for one in _made)


def returned(value: object, made: Sequence[Made]) -> str:
    """What is wrong with a step's result where a secret is in it, as a clause; "" where none is seen.

    Looked at are the texts and bytes in plain data, small files, and what was encoded into few bytes.
    """
    if not forms:
        return ""
    todo, seen = [value], set[int]()
    while todo and len(seen) < MOST:
        item = todo.pop()
        if isinstance(item, Secret) or id(item) in seen:
            continue
        seen.add(id(item))
        if isinstance(item, Path) and _in_file(item):
            return "returned a file that holds the value of a secret"
        if isinstance(item, str | bytes | bytearray | int | float | os.PathLike):
            if forms.found_in(_bytes(item)):
                return "returned the value of a secret"
        else:
            todo += parts_of(item)
    if any(
        forms.found_in(one.data or b"") or forms.found_in(one.artifact.note.encode("utf-8", "replace"))
        for one in made
    ):
        return "returned the value of a secret"
    return ""


MOST = 1_000_000
"""Parts of a value that are looked at."""

LARGEST_FILE = 16 << 20
"""Bytes of a file that is looked into."""


def _in_file(path: Path) -> bool:
    try:
        return path.is_file() and path.stat().st_size <= LARGEST_FILE and forms.found_in(path.read_bytes())
    except OSError:
        return False


def _bytes(item: object) -> bytes:
    if isinstance(item, bytes | bytearray):
        return bytes(item)
    text = os.fspath(item) if isinstance(item, os.PathLike) else str(item)
    return text.encode("utf-8", "surrogateescape") if isinstance(text, str) else text


def masked_failure(failure: Failure) -> Failure:
    """A failure without the values of secrets."""
    if not forms:
        return failure
    texts = {name: masked(getattr(failure, name)) for name in ("what", "why", "docs", "traceback")}
    return failure._replace(fixes=tuple(map(masked, failure.fixes)), **texts)


def masked_pairs(pairs: Sequence[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """What a step was seen to read, without the values of secrets."""
    return tuple((masked(what), masked(token)) for what, token in pairs)
