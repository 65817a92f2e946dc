"""`pylock.toml` (PEP 751) beside a lock: every distribution of the environment, by exact version and hash.

    data = pylock_of(root, file, direct)     # what the project says it needs, in the versions that are installed here
    differences_of(data)                     # where the environment has become another since
    requirements_of(data)                    # the same for `uv pip sync`, whatever index there is

Its words are uv's, its bytes ours: the same distributions give the same file, whichever version of uv was
asked, and nothing of the machine is in it. Where a file is of an index that only this machine knows, its name and hash
are there and its address is not. Stepwell itself is not in it, what it needs is.
"""

from __future__ import annotations

import importlib.metadata
import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Collection, Iterable, Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

from stepwell.author.written import decoded, header_of
from stepwell.dist.lockfile import NAME as LOCK
from stepwell.dist.lockfile import toml_text
from stepwell.errors import BadLock, NoUv, PylockNotMade
from stepwell.worker.places import environments

OWN = "stepwell"

_HOSTED = re.compile(r"/packages/(?P<place>[0-9a-f]{2}/[0-9a-f]{2}/[0-9a-f]{60}/[^/]+)$")
"""How addresses of PyPI's files end, on its mirrors, too."""

_PYPI = "files.pythonhosted.org"

_NAME = re.compile(r"^\s*([A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)\s*(?:\[([^]]*)\])?")

_EXTRA = re.compile(r"""\s*(?:;|\band\b)\s*\(?\s*extra\s*==\s*['"]([^'"]+)['"]\s*\)?""")

LONGEST = 800
"""Characters of what uv said that an error repeats."""


def pylock_path(lock: Path) -> Path:
    """Where the `pylock.toml` of a lock is: beside it; `pylock.churn.toml` for `churn.stepwell.lock`."""
    own = lock.name.removesuffix(LOCK).rstrip(".").replace(".", "-")
    return lock.with_name(f"pylock.{own}.toml" if own else "pylock.toml")


def digest_of_pylock(lock: Path) -> str:
    """The SHA-256 of the `pylock.toml` beside a lock, as "sha256:…"; "" where there is none. Raises `BadLock`."""
    path = pylock_path(lock)
    try:
        return f"sha256:{sha256(path.read_bytes()).hexdigest()}"
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise BadLock(f"`{path.name}` cannot be read: {error.strerror or error}") from None


def normalized(name: str) -> str:
    """The one spelling of a distribution's name (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


# --------------------------------------------------------------------------- making


class Said(NamedTuple):
    """What a project says it needs: its requirements, or that it has a `uv.lock`; the text in which it names indexes of its own."""

    locked: bool
    requirements: tuple[str, ...]
    text: str


def said_by(root: Path, file: Path | None = None) -> Said:
    """What the project with this root says, or a single `file` with a header of its own (PEP 723)."""
    header = _header(file)
    if header is not None:
        return Said(False, tuple(map(str, _toml(header).get("dependencies", ()))), header)
    try:
        text = (root / "pyproject.toml").read_text("utf-8")
    except (OSError, ValueError):
        text = ""
    project = _toml(text).get("project", {})
    wanted = project.get("dependencies", ()) if isinstance(project, dict) else ()
    return Said((root / "uv.lock").is_file() and bool(text), tuple(map(str, wanted)), text)


def _header(file: Path | None) -> str | None:
    if file is None or file.suffix != ".py":
        return None
    try:
        found = header_of(decoded("script", file.read_bytes()), file)
    except (OSError, ValueError, SyntaxError):
        return None
    return None if found is None else found.text


def _toml(text: str) -> Mapping[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return {}


def pylock_of(root: Path, file: Path | None = None, direct: Iterable[str] = ()) -> bytes:
    """The `pylock.toml` of a project, or of a single `file` with a header: what it says it needs, as it is installed here.

    `direct` are names of distributions that its code needs, whether it says so or not. A project with `uv.lock`
    has what is in that. Raises `PylockNotMade`: uv is not here, an index cannot be asked, or what is
    installed is not what the project says.
    """
    said = said_by(root, file)
    made = _exported(root) if said.locked else _compiled(root, said, direct)
    packages = [one for one in _packages(made, said.text) if one["name"] != OWN]
    text = _text(made.get("requires-python", ""), packages)
    data = text.encode()
    if missing := lacking(data, direct):
        raise PylockNotMade(
            f"the pipeline needs {', '.join(missing)}, which `uv.lock` has not",
            why="the environment would lack what the pipeline was run with",
            fixes=[f"uv add {' '.join(missing)}"],
        )
    if differ := differences_of(data):
        raise PylockNotMade(
            f"what is installed is not what the project says: {'; '.join(differ[:6])}",
            why="the lock would name an environment that nothing has run in",
            fixes=["uv sync, then stepwell run --lock"] if said.locked else ["install what the project says"],
        )
    return data


def _exported(root: Path) -> Mapping[str, Any]:
    """What `uv.lock` says, which needs no network."""
    words = ["export", "--frozen", "--offline", "--format", "pylock.toml", "--no-header", "--no-emit-local"]
    return _asked([*words, "--color", "never"], root, "`uv.lock`")


def _compiled(root: Path, said: Said, direct: Iterable[str]) -> Mapping[str, Any]:
    """Requirements resolved to what is installed."""
    wanted = [*_without_own(said.requirements), *direct]
    with tempfile.TemporaryDirectory(prefix="stepwell-") as aside:
        given, known = Path(aside, "requirements.in"), Path(aside, "installed.txt")
        given.write_text("\n".join([*wanted, *of_own(()), ""]), "utf-8")
        known.write_text("".join(f"{name}=={version}\n" for name, version in _installed().items()), "utf-8")
        words = ["pip", "compile", "--format", "pylock.toml", "--no-header", "--no-annotate", "--quiet"]
        words += ["--python-version", f"{sys.version_info.major}.{sys.version_info.minor}"]
        words += ["--python", sys.executable, "--no-python-downloads", "--color", "never"]
        return _asked([*words, "-c", str(known), "--", str(given)], root, "what the project needs")


def _without_own(requirements: Iterable[str]) -> Iterator[str]:
    """The requirements with what Stepwell's extras mean in place of Stepwell, which an index may not have."""
    for one in requirements:
        found = _NAME.match(one)
        if found is not None and normalized(found[1]) == OWN:
            yield from of_own({extra.strip() for extra in (found[2] or "").split(",") if extra.strip()})
        else:
            yield one


def of_own(extras: Iterable[str]) -> Iterator[str]:
    """What Stepwell needs, with these extras."""
    asked = {*extras}
    for one in importlib.metadata.requires(OWN) or ():
        extra = _EXTRA.search(one)
        if extra is not None and extra[1] not in asked:
            continue
        plain = _EXTRA.sub("", one).strip()
        found = _NAME.match(plain)
        if found is not None and normalized(found[1]) == OWN:  # an extra that is several others
            yield from of_own({word.strip() for word in (found[2] or "").split(",")} - asked)
        else:
            yield plain


def _installed() -> dict[str, str]:
    """Versions of what is installed, by name."""
    found = {}
    for one in importlib.metadata.distributions():
        name = one.metadata["Name"]
        if name and normalized(name) not in found:
            found[normalized(name)] = one.version
    found.pop(OWN, None)
    return found


def _asked(words: list[str], root: Path, what: str) -> Mapping[str, Any]:
    """What uv answers. Raises `PylockNotMade`."""
    try:
        uv = environments.uv()
    except NoUv as error:
        raise PylockNotMade(
            "`pylock.toml` cannot be made: uv is not installed", why="uv resolves it", fixes=error.fixes
        ) from None
    done = subprocess.run(
        [uv, *words], cwd=root, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", check=False
    )  # fmt: skip
    if done.returncode:
        said = " ".join(re.sub(r"^[\s×╰─▶├│·]+|^(?:error|warning): ", "", line).strip() for line in done.stderr.splitlines())  # fmt: skip
        raise PylockNotMade(
            f"`pylock.toml` cannot be made of {what}",
            why=said if len(said) <= LONGEST else f"{said[:LONGEST]}…",
            fixes=["check the network, or the index that uv is told to ask", "uv sync"],
        )
    return tomllib.loads(done.stdout)


# --------------------------------------------------------------------------- writing


def _packages(made: Mapping[str, Any], text: str) -> list[dict[str, Any]]:
    """What is kept of each package, by name; `text` may name indexes of the project's own."""
    hosts = {urlsplit(url).hostname or "" for url in re.findall(r"https?://[^\s\"'\],}]+", text)} | {_PYPI}
    found = []
    for one in made.get("packages", ()):
        kept: dict[str, Any] = {
            name: one[name] for name in ("name", "version", "marker", "requires-python") if name in one
        }
        for kind in ("sdist", "archive"):
            if kind in one:
                kept[kind] = _file(one[kind], hosts)
        if "vcs" in one:
            kept["vcs"] = {name: one["vcs"][name] for name in ("type", "url", "commit-id", "subdirectory") if name in one["vcs"]}  # fmt: skip
        if "wheels" in one:
            kept["wheels"] = sorted(
                (_file(wheel, hosts) for wheel in one["wheels"]), key=lambda wheel: wheel["name"]
            )
        if kept.keys() & {"sdist", "archive", "vcs", "wheels"}:
            found.append(kept)
    return sorted(found, key=lambda one: (one["name"], one.get("version", ""), one.get("marker", "")))


def _file(said: Mapping[str, Any], hosts: Collection[str]) -> dict[str, Any]:
    """A file of a package: its name, its address where everybody may know that, its hashes."""
    url = str(said.get("url", ""))
    parts = urlsplit(url)
    name = said.get("name") or unquote(parts.path or str(said.get("path", ""))).rpartition("/")[2]
    hosted = _HOSTED.search(parts.path)
    if hosted is not None:
        place = {"url": f"https://{_PYPI}/packages/{hosted['place']}"}
    elif parts.scheme in ("http", "https") and (parts.hostname or "") in hosts:
        place = {"url": f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"}
    else:
        place = {"path": name}  # as if it lay beside: the hash says whether it is it
    return {"name": name, **place, "hashes": dict(sorted(said.get("hashes", {}).items()))}


def _text(python: str, packages: Iterable[Mapping[str, Any]]) -> str:
    lines = ['lock-version = "1.0"', f'created-by = "{OWN}"']
    lines += [f"requires-python = {toml_text(python)}"] if python else []
    for one in packages:
        lines += ["", "[[packages]]"]
        for name, value in one.items():
            if name == "wheels":
                lines += ["wheels = [", *[f"  {_inline(wheel)}," for wheel in value], "]"]
            else:
                lines.append(f"{name} = {_inline(value) if isinstance(value, Mapping) else toml_text(value)}")
    return "\n".join(lines) + "\n"


def _inline(table: Mapping[str, Any]) -> str:
    parts = [
        f"{name} = {_inline(value) if isinstance(value, Mapping) else toml_text(value)}"
        for name, value in table.items()
    ]
    return f"{{ {', '.join(parts)} }}"


# --------------------------------------------------------------------------- reading


def read(data: bytes, name: str = "pylock.toml") -> list[dict[str, Any]]:
    """The packages of a `pylock.toml`. Raises `BadLock` for what is none."""
    try:
        found = tomllib.loads(data.decode("utf-8"))
        packages: list[dict[str, Any]] = found.get("packages", [])
        if not str(found.get("lock-version", "")).startswith("1.") or not all(map(_is_package, packages)):
            raise ValueError("it has not what such a file has")
    except ValueError as error:
        raise BadLock(
            f"`{name}` is no pylock.toml: {error}", fixes=[f"rm {name} && stepwell lock --pylock"]
        ) from None
    return packages


def _is_package(one: Any) -> bool:
    return isinstance(one, dict) and isinstance(one.get("name"), str)


def differences_of(data: bytes) -> list[str]:
    """In what the environment of this process is another than a `pylock.toml` says: "pandas is 3.1.1, not 2.3.0".

    Of what it has for several platforms, and of what is not installed here, nothing is said. Raises `BadLock`.
    """
    here = _installed()
    versions: dict[str, set[str]] = {}
    for one in read(data):
        versions.setdefault(normalized(one["name"]), set()).add(one.get("version", ""))
    return [
        f"{name} is {here[name]}, not {' or '.join(sorted(wanted))}"
        for name, wanted in versions.items()
        if name in here and "" not in wanted and here[name] not in wanted
    ]


def lacking(data: bytes, direct: Iterable[str]) -> list[str]:
    """The distributions among `direct` that a `pylock.toml` has not. Raises `BadLock`."""
    there = {normalized(one["name"]) for one in read(data)}
    return sorted({normalized(name) for name in direct} - there - {OWN})


def requirements_of(data: bytes) -> str:
    """The text of a requirements file with exact versions and hashes, for `uv pip sync`. Raises `BadLock`."""
    lines = []
    for one in read(data):
        name, marker = one["name"], f" ; {one['marker']}" if "marker" in one else ""
        files = [*one.get("wheels", ()), *([one["sdist"]] if "sdist" in one else [])]
        if "vcs" in one:
            vcs = one["vcs"]
            lines.append(f"{name} @ {vcs['type']}+{vcs['url']}@{vcs['commit-id']}{marker}")
            continue
        if "archive" in one:
            head, files = f"{name} @ {one['archive'].get('url', '')}{marker}", [one["archive"]]
        else:
            head = f"{name}=={one.get('version', '')}{marker}"
        hashes = [
            f"--hash={kind}:{value}" for file in files for kind, value in file.get("hashes", {}).items()
        ]
        lines.append(" \\\n    ".join([head, *hashes]))
    return "".join(f"{line}\n" for line in lines)
