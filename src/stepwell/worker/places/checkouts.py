"""Projects of others, by commit: fetched once, kept in the user's cache folder, never changed.

    found = checkout("git+https://example.org/team/features@v1.2", root=Path("."))
    found = checkout("flights-delay==1.0.0", root=Path("."))          # a release: see `dist.releases.used`
    found.folder, found.commit, found.name

What a tag or a branch meant when it was first asked for is remembered by project (`root`), until
`look_again()`: what is fetched already needs no network. git is only ever told what to do by arguments;
nothing of the repository is executed (no hooks, no submodules, no filters), and only https, ssh and files
are spoken.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from stepwell.errors import BadUse, NoSuchProject
from stepwell.plugins.registry import releases
from stepwell.worker.places.environments import cache_folder, make_readonly

PROTOCOLS = ("https", "ssh", "file")
"""What may be spoken to fetch a repository."""

_ADDRESS = re.compile(
    r"git\+(?P<url>(?P<scheme>[a-z]+)://[^\s@]*(?:@[^\s@/]+/[^\s@]*)?)(?:@(?P<ref>[^\s@]+))?"
)
_PINNED = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]* ?== ?[A-Za-z0-9][A-Za-z0-9.!+_-]*")
_COMMIT = re.compile(r"[0-9a-f]{7,64}")
_LOCALE = {"LC_ALL": "C", "LANGUAGE": "C"}

_again: set[str] | None = None
"""What was looked up anew in this process; None where that is not asked for."""


class Checkout(NamedTuple):
    """A project of others: its folder, its commit ("" for a folder that somebody works in), what to call it, which version."""

    folder: Path
    commit: str
    name: str
    ref: str = ""


def look_again() -> None:
    """From now on, ask repositories once more what their tags and branches mean (`--refresh`)."""
    global _again  # one command, one process  # noqa: PLW0603
    _again = set()


def looks_again() -> bool:
    """Whether what was found before is to be looked for anew."""
    return _again is not None


def is_release(address: str) -> bool:
    """Whether an address means a release: the file of a wheel, or NAME==VERSION."""
    return address.endswith(".whl") or _PINNED.fullmatch(address) is not None


def checkout(address: str, root: Path) -> Checkout:
    """The project at an address: a folder or a wheel, relative to `root`, NAME==VERSION, or `git+URL@REF`.

    Raises `BadUse`, `NoSuchProject`, and of a release what `dist.releases.used.project_of` raises.
    """
    if is_release(address):
        found: Checkout = releases().project_of(address, root)
        return found
    if not address.startswith("git+"):
        folder = Path(os.path.normpath(root / os.path.expanduser(address)))
        if not folder.is_dir():
            raise NoSuchProject(
                f"there is no folder `{address}`, which `use(...)` names",
                why=f"it would be `{folder}`",
                fixes=['a repository is named with its protocol: "git+https://..."'],
            )
        return Checkout(folder, "", folder.name)
    url, ref = parsed(address)
    name = url.rstrip("/").rpartition("/")[2].removesuffix(".git") or "project"
    home = cache_folder() / "projects" / hashlib.blake2b(url.encode(), digest_size=16).hexdigest()
    try:
        home.mkdir(parents=True, exist_ok=True)
        with _alone(home):
            commit = _commit(home, url, ref, root)
            return Checkout(_tree(home, commit, address), commit, name, ref)
    except OSError as error:
        raise NoSuchProject(
            f"`{address}` cannot be kept in `{home}`: {error.strerror or error}",
            fixes=["make room there, or choose another folder: STEPWELL_CACHE=..."],
        ) from error


def parsed(address: str) -> tuple[str, str]:
    """URL and ref ("" where none is named) of `git+URL@REF`. Raises `BadUse`."""
    match = _ADDRESS.fullmatch(address)
    if match is None or match["scheme"] not in PROTOCOLS or (match["ref"] or "").startswith("-"):
        raise BadUse(
            f"`{address}` is no address of a project",
            why=f"it is a folder, or git+URL@VERSION by {', '.join(PROTOCOLS)}",
            fixes=['use("git+https://example.org/team/project@v1.2", "module:step")'],
        )
    return match["url"], match["ref"] or ""


@contextlib.contextmanager
def _alone(home: Path) -> Iterator[None]:
    with (home / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


# --------------------------------------------------------------------------- commits


def _commit(home: Path, url: str, ref: str, root: Path) -> str:
    """What a ref means to a project: as it was, or as the repository says now. Raises `NoSuchProject`."""
    remembered = home / f"{hashlib.blake2b(str(root).encode(), digest_size=8).hexdigest()}.json"
    try:
        known: dict[str, str] = json.loads(remembered.read_text("utf-8"))
    except (OSError, ValueError):
        known = {}
    asked = f"{home.name} {ref}"
    if ref in known and (_again is None or asked in _again):
        return known[ref]
    full = _found(home, ref) if len(ref) == 40 and _COMMIT.fullmatch(ref) else ""
    if not full:
        _fetch(home, url)
        full = _found(home, ref)
    if not full:
        raise NoSuchProject(
            f"`{url}` has no tag, branch or commit `{ref}`" if ref else f"`{url}` has no commit",
            why=_what_there_is(home),
            fixes=["name one that there is", "or make it: git tag, git push --tags"],
        )
    if _again is not None:
        _again.add(asked)
    _write(remembered, json.dumps({**known, ref: full}, sort_keys=True))
    return full


def _fetch(home: Path, url: str) -> None:
    """Take over all branches and tags. Raises `NoSuchProject`."""
    bare = home / "git"
    if not (bare / "HEAD").is_file():
        shutil.rmtree(bare, ignore_errors=True)
        _git("init", "--quiet", "--bare", "--template=", str(bare))
    refs = ("+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*", "+HEAD:refs/stepwell/head")
    done = _git(
        f"--git-dir={bare}", "fetch", "--quiet", "--prune", "--force", "--no-tags", "--no-recurse-submodules",
        "--no-auto-maintenance", "--no-write-fetch-head", "--end-of-options", url, *refs,
    )  # fmt: skip
    if done.returncode:
        said = [line for line in done.stderr.decode("utf-8", "replace").splitlines() if line.strip()]
        raise NoSuchProject(
            f"`{url}` cannot be fetched",
            why=" ".join(line.removeprefix("fatal: ") for line in said[:3])[:500],
            fixes=[f"git ls-remote {url}   says the same outside of Stepwell"],
        )


def _found(home: Path, ref: str) -> str:
    """The commit of a ref in what was fetched; "" where there is none."""
    bare = home / "git"
    if not (bare / "HEAD").is_file():
        return ""
    names = [f"refs/tags/{ref}", f"refs/heads/{ref}"] if ref else ["refs/stepwell/head"]
    names += [ref] if _COMMIT.fullmatch(ref) else []
    for name in names:
        words = ("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
        done = _git(f"--git-dir={bare}", *words)
        if not done.returncode:
            return done.stdout.decode("ascii").strip()
    return ""


def _what_there_is(home: Path) -> str:
    words = ("for-each-ref", "--format=%(refname:short)", "--sort=-creatordate", "refs/tags", "refs/heads")
    done = _git(f"--git-dir={home / 'git'}", *words)
    names = done.stdout.decode("utf-8", "replace").split()
    more = f" and {len(names) - 10} more" if len(names) > 10 else ""
    return f"there is {', '.join(names[:10])}{more}" if names else "the repository is empty"


def _tree(home: Path, commit: str, address: str) -> Path:
    """The files of a commit, in a folder of its own. Raises `NoSuchProject`, `OSError`."""
    folder = home / commit
    if folder.is_dir():
        return folder
    done = _git(f"--git-dir={home / 'git'}", "archive", "--format=tar", "--end-of-options", commit)
    if done.returncode:
        raise NoSuchProject(
            f"`{address}`: its commit {commit[:12]} cannot be read",
            why=done.stderr.decode("utf-8", "replace").strip()[:500],
            fixes=[f"remove `{home}`, and run again: it is fetched anew"],
        )
    aside = Path(tempfile.mkdtemp(prefix=".", dir=home))
    try:
        with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
            archive.extractall(aside, filter="data")
        make_readonly(aside)
        aside.rename(folder)
    except tarfile.TarError as error:
        raise NoSuchProject(
            f"`{address}`: its commit {commit[:12]} cannot be unpacked", why=str(error)[:500]
        ) from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return folder


def _write(file: Path, text: str) -> None:
    aside = file.with_suffix(f".{os.getpid()}")
    aside.write_text(text, "utf-8")
    aside.rename(file)


def _git(*words: str) -> subprocess.CompletedProcess[bytes]:
    """Run git without anything that the caller's shell, or a repository, might tell it to do besides. Raises `NoSuchProject`."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    # What the user configures by files (proxies, credentials) holds; these variables are the protocol's.
    kept = (
        "GIT_SSH",
        "GIT_SSH_COMMAND",
        "GIT_ASKPASS",
        "GIT_CONFIG_GLOBAL",
        "GIT_CONFIG_NOSYSTEM",
        "GIT_SSL_CAINFO",
    )
    environment |= {name: os.environ[name] for name in kept if name in os.environ}
    environment |= {
        **_LOCALE,
        "GIT_ALLOW_PROTOCOL": ":".join(PROTOCOLS),
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_LFS_SKIP_SMUDGE": "1",
    }
    safe = ("-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false", "-c", "safe.bareRepository=all")
    try:
        return subprocess.run(
            ["git", *safe, *words],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            cwd="/",
        )
    except FileNotFoundError:
        raise NoSuchProject(
            "git is not installed, and `use(...)` needs it to fetch a project", fixes=["install git"]
        ) from None
