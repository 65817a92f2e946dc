"""What is said where files are not there, or cannot be read: with the path, the reason, and what was likely meant."""

from __future__ import annotations

import os
import stat

from stepwell.errors import MissingSource, UnreadableSource, nearest
from stepwell.sources.address import printable


def unreadable(text: str, path: str, error: OSError) -> UnreadableSource:
    """The error for a file or folder that the system does not let us read."""
    about = "" if printable(path) == text or path.endswith("/" + text) else f" of `{text}`"
    fixes = [f"ls -ld {_quoted(path)}"]
    if isinstance(error, PermissionError):
        fixes.insert(0, f"chmod u+r {_quoted(path)}")
    why = (error.strerror or str(error)).lower()
    return UnreadableSource(f"`{printable(path)}`{about} cannot be read", why=why, fixes=fixes)


def lost(text: str, path: str, error: OSError) -> UnreadableSource:
    """The error for an entry without a file: a link to nothing, or one that was just removed."""
    if isinstance(error, FileNotFoundError):
        if os.path.islink(path):
            return UnreadableSource(
                f"`{printable(path)}` of `{text}` is a link to `{printable(os.readlink(path))}`, which does not exist",
                fixes=[
                    "make its target available (a mount, `dvc pull`, `git annex get`)",
                    f"rm {_quoted(path)}",
                ],
            )
        return UnreadableSource(
            f"`{printable(path)}` of `{text}` disappeared while the files were listed",
            why="something is changing the source",
            fixes=["try again when it is finished"],
        )
    return unreadable(text, path, error)


def missing(base: str, path: str, text: str) -> MissingSource:
    """The error for a path that is not there, with what it was most likely meant to be."""
    if os.path.islink(os.path.join(base, path).rstrip("/")):
        target = printable(os.readlink(os.path.join(base, path).rstrip("/")))
        return MissingSource(
            f"source `{text}` is a link to `{target}`, which does not exist",
            fixes=["make its target available (a mount, `dvc pull`, `git annex get`)"],
        )
    folder, wanted, rest = _first_missing(base, path)
    if not os.path.isdir(folder):
        return MissingSource(
            f"source `{text}` is not there",
            why=f"`{printable(folder)}` is a file, not a folder",
            fixes=[f"`{text.rstrip('/')}`, without the slash"] if not wanted.strip("/") else [],
        )
    names = _listed(folder)
    if rest.strip("/"):  # something in it is wanted
        names = [name for name in names if os.path.isdir(os.path.join(folder, name))]
    close = nearest(wanted, names)
    fixes = []
    if close is not None:
        written = text[: len(text) - len(printable(wanted + rest))] + printable(close + rest)
        fixes.append(f"did you mean `{written}`?")
    fixes.append(f"ls {_quoted(folder)}")
    what = "folder" if rest.strip("/") else "file or folder"
    return MissingSource(
        f"source `{text}` is not there",
        why=f"`{printable(folder)}` has no {what} `{printable(wanted)}`",
        fixes=fixes,
    )


def _first_missing(base: str, path: str) -> tuple[str, str, str]:
    """The deepest folder of a path that exists, the name that is not in it, and what follows that."""
    folder, rest = base, path.lstrip("/")
    while True:
        name, slash, rest = rest.partition("/")
        path = os.path.join(folder, name)
        if not os.path.lexists(path) or not os.path.isdir(path):
            if slash and os.path.lexists(path) and not os.path.isdir(path):
                return path, rest, ""
            return folder, name, slash + rest
        folder = path
        if not rest:
            return folder, rest, ""


def _listed(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []


def _quoted(path: str) -> str:
    from shlex import quote

    return quote(printable(path))


def only_files(text: str, path: str, info: os.stat_result) -> None:
    """Refuse pipes, sockets and devices, which have no content that stays."""
    if not stat.S_ISREG(info.st_mode):
        kinds = {
            stat.S_IFIFO: "a pipe",
            stat.S_IFSOCK: "a socket",
            stat.S_IFCHR: "a device",
            stat.S_IFBLK: "a device",
        }
        kind = kinds.get(stat.S_IFMT(info.st_mode), "not a file")
        about = "" if path.endswith(text) else f" in `{text}`"
        raise UnreadableSource(
            f"`{printable(path)}`{about} is {kind}",
            why="a source must have content that can be read again",
            fixes=["write its content to a file first"],
        )


def no_match(text: str, base: str, last: str) -> MissingSource:
    """The error for a pattern without matches: what is there, and a suffix that was likely meant."""
    names = sorted(_listed(base))
    fixes = []
    stem, dot, suffix = last.rpartition(".")
    close = (
        nearest(suffix, {name.rpartition(".")[2] for name in names if "." in name}) if dot and stem else None
    )
    if close is not None and close != suffix:
        fixes.append(f"did you mean `{text.removesuffix(printable(suffix))}{printable(close)}`?")
    if names and all(os.path.isdir(os.path.join(base, name)) for name in names) and "**" not in text:
        fixes.append(f"`{text.removesuffix(printable(last))}**/{printable(last)}` looks into folders, too")
    some = ", ".join(printable(name) for name in names[:5]) + (
        f" and {len(names) - 5} more" if len(names) > 5 else ""
    )
    return MissingSource(
        f"no file matches `{text}`",
        why=f"`{printable(base)}` holds {some}" if names else f"`{printable(base)}` is empty",
        fixes=[*fixes, f"ls {_quoted(base)}"],
    )
