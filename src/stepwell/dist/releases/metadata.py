"""METADATA and entry points of a wheel, as a release changes them: what is there stays as it was written.

metadata = with_fields(metadata, {"Version": "1.4.0"}, requires=["scikit-learn==1.9.0"])
points = with_points(points, {"console_scripts": {"churn": "churn._release:main"}})

The formats are "Core metadata specifications" and "Entry points specification" (packaging.python.org).
"""

from __future__ import annotations

import configparser
import io
import re
from collections.abc import Iterable, Mapping

VERSION = "2.4"
"""The version of core metadata that is written where there was none."""

WHEEL = "Wheel-Version: 1.0\nGenerator: stepwell {generator}\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def metadata_of(
    name: str,
    version: str,
    *,
    summary: str = "",
    requires_python: str = "",
    requires: Iterable[str] = (),
    body: str = "",
) -> bytes:
    """METADATA of a project that has none. `summary` is one line, `body` Markdown."""
    lines = [f"Metadata-Version: {VERSION}", f"Name: {name}", f"Version: {version}"]
    lines += [f"Summary: {_one_line(summary)}"] if summary else []
    lines += [f"Requires-Python: {requires_python}"] if requires_python else []
    lines += [f"Requires-Dist: {each}" for each in requires]
    lines += ["Description-Content-Type: text/markdown"] if body else []
    return "\n".join([*lines, "", body]).encode()


def with_fields(metadata: bytes, fields: Mapping[str, str], *, requires: Iterable[str] = ()) -> bytes:
    """METADATA with other values of fields that it has once, and further requirements that it has not yet.

    A requirement of the project that only names what one of `requires` says more of (`pandas`, `pandas==2.3.1`) is left out.
    The headers end at the first empty line, or with the file: some backends write no body.
    """
    text = metadata.decode("utf-8").replace("\r\n", "\n")
    head, empty, body = text.partition("\n\n")
    head = head.rstrip("\n")
    for name, value in fields.items():
        head = re.sub(rf"(?im)^{re.escape(name)}:.*$", f"{name}: {value}", head, count=1)
    wanted = {_plain(each): f"Requires-Dist: {each}" for each in reversed([*requires])}
    lines = [line for line in head.split("\n") if not _is_said(line, wanted)]
    there = {_required(line) for line in lines if _is_requirement(line)}
    more = [line for plain, line in reversed(wanted.items()) if plain not in there]
    head = "\n".join(lines)
    return ("\n".join([head, *more]) + (empty + body if empty else "\n")).encode()


def requirements_of(metadata: bytes) -> tuple[str, ...]:
    """The requirements of METADATA, as they are written."""
    head = metadata.decode("utf-8").replace("\r\n", "\n").partition("\n\n")[0]
    return tuple(line.partition(":")[2].strip() for line in head.split("\n") if _is_requirement(line))


def with_points(text: str, points: Mapping[str, Mapping[str, str]]) -> tuple[str, tuple[str, ...]]:
    """`entry_points.txt` with further ones; and the names, as "GROUP.NAME", that were there already and stay what they are."""
    parser = configparser.ConfigParser(delimiters=("=",), interpolation=None, strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # names are as they are written
    parser.read_string(text)
    kept = []
    for group, names in points.items():
        if not parser.has_section(group):
            parser.add_section(group)
        for name, value in names.items():
            if parser.has_option(group, name) and parser.get(group, name) != value:
                kept.append(f"{group}.{name}")
            else:
                parser.set(group, name, value)
    out = io.StringIO()
    for group in sorted(parser.sections()):
        out.write(f"[{group}]\n")
        out.write("".join(f"{name} = {value}\n" for name, value in sorted(parser.items(group))))
        out.write("\n")
    return out.getvalue(), tuple(kept)


def _is_requirement(line: str) -> bool:
    return line.lower().startswith("requires-dist:")


def _required(line: str) -> str:
    return _plain(line.partition(":")[2])


def _is_said(line: str, wanted: Iterable[str]) -> bool:
    """Whether a line requires what one of `wanted` requires, too, which says more: extras or versions, always."""
    if not _is_requirement(line):
        return False
    more = re.compile(rf"{re.escape(_spelled(_required(line)))}(\[[^]]*\])?([<>=!~][^;@]*)?")
    return any(plain != _required(line) and more.fullmatch(_spelled(plain)) for plain in wanted)


def _spelled(requirement: str) -> str:
    """A requirement with the name as indexes spell it: `scikit_learn` is `scikit-learn`."""
    name = re.match(r"[a-z0-9._-]*[a-z0-9]", requirement)
    end = name.end() if name is not None else 0
    return re.sub(r"[-_.]+", "-", requirement[:end]) + requirement[end:]


def _plain(requirement: str) -> str:
    return re.sub(r"\s", "", requirement).lower()


def _one_line(text: str) -> str:
    return " ".join(text.split())[:512]
