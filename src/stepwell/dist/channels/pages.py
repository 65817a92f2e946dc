"""The state of a channel as the pages that pip and uv read: PEP 503 in HTML, PEP 691 in JSON.

Links are relative, so that an index can be served from any address, or from no server at all. Each page says which
entry of the log it was made from (`witness`). Same log, same bytes. Pure.
"""

from __future__ import annotations

import html
import json
import re
from typing import Any, NamedTuple
from urllib.parse import quote

from stepwell.dist.channels.entries import Log
from stepwell.dist.channels.state import Listed, projects
from stepwell.dist.versions import parsed

_WITNESS_HTML = re.compile(rb'<meta name="stepwell:entry" content="([0-9]{1,9}) (sha256:[0-9a-f]{64}|)">')
_WITNESS_JSON = re.compile(rb'"_stepwell-entry": "([0-9]{1,9}) (sha256:[0-9a-f]{64}|)"')


class Witness(NamedTuple):
    """The entry that a page was made from: its number (0: none) and the digest of its line."""

    n: int
    digest: str


def folder(channel: str) -> str:
    """Where the pages of a channel lie."""
    return f"{channel}/simple"


def pages(log: Log) -> dict[str, bytes]:
    """All pages of a channel by name. Raises `LogDamaged`."""
    found = projects(log)
    root = folder(log.channel)
    last = Witness(len(log.entries), log.head)
    out = {
        f"{root}/index.html": _root_html(sorted(found), last),
        f"{root}/index.json": _root_json(sorted(found), last),
    }
    for name, project in found.items():
        of_project = Witness(project.last.n, log.digests[project.last.n - 1])
        listed = sorted(project.listed.values(), key=lambda one: parsed(one.promoted.version).key)
        out[f"{root}/{name}/index.html"] = _project_html(name, listed, of_project)
        out[f"{root}/{name}/index.json"] = _project_json(name, listed, of_project)
    return out


def witness(name: str, page: bytes) -> Witness | None:
    """The entry that a page says it was made from, or None where it says nothing."""
    found = (_WITNESS_JSON if name.endswith(".json") else _WITNESS_HTML).search(page)
    return None if found is None else Witness(int(found[1]), found[2].decode("ascii"))


def _html(title: str, links: list[str], entry: Witness) -> bytes:
    lines = [
        "<!DOCTYPE html>",
        '<html lang="en">',
        "<head>",
        '<meta charset="utf-8">',
        '<meta name="pypi:repository-version" content="1.1">',
        f'<meta name="stepwell:entry" content="{entry.n} {entry.digest}">',
        f"<title>{title}</title>",
        "</head>",
        "<body>",
        f"<h1>{title}</h1>",
        *links,
        "</body>",
        "</html>",
    ]
    return ("\n".join(lines) + "\n").encode("utf-8")


def _json(document: dict[str, Any], entry: Witness) -> bytes:
    meta = {"api-version": "1.1", "_stepwell-entry": f"{entry.n} {entry.digest}"}
    text = json.dumps({"meta": meta, **document}, ensure_ascii=False, indent=1, separators=(",", ": "))
    return text.encode("utf-8") + b"\n"


def _root_html(names: list[str], entry: Witness) -> bytes:
    return _html("Projects", [f'<a href="{name}/">{name}</a><br>' for name in names], entry)


def _root_json(names: list[str], entry: Witness) -> bytes:
    return _json({"projects": [{"name": name} for name in names]}, entry)


def address(project: str, file: str) -> str:
    """The link from a project's page to a wheel in the pool."""
    return f"../../../pool/{project}/{quote(file)}"


def _project_html(name: str, listed: list[Listed], entry: Witness) -> bytes:
    return _html(f"Links for {name}", [_link(one) for one in listed], entry)


def _link(one: Listed) -> str:
    wheel = one.promoted
    metadata = wheel.metadata.replace(":", "=")
    href = f"{address(wheel.project, wheel.file)}#{wheel.wheel.replace(':', '=')}"
    # Installers of before PEP 714 look for the second name, which its authors had not meant.
    attributes = [("data-core-metadata", metadata), ("data-dist-info-metadata", metadata)]
    if wheel.requires_python:
        attributes.append(("data-requires-python", wheel.requires_python))
    if one.yanked is not None:
        attributes.append(("data-yanked", one.yanked.why))
    text = "".join(f' {key}="{html.escape(value)}"' for key, value in attributes)
    return f'<a href="{html.escape(href)}"{text}>{html.escape(wheel.file)}</a><br>'


def _project_json(name: str, listed: list[Listed], entry: Witness) -> bytes:
    versions = [one.promoted.version for one in listed]
    return _json({"name": name, "versions": versions, "files": [_file(one) for one in listed]}, entry)


def _file(one: Listed) -> dict[str, Any]:
    wheel = one.promoted
    metadata = {"sha256": wheel.metadata.removeprefix("sha256:")}
    found: dict[str, Any] = {
        "filename": wheel.file,
        "url": address(wheel.project, wheel.file),
        "hashes": {"sha256": wheel.wheel.removeprefix("sha256:")},
        "size": wheel.size,
        "upload-time": wheel.at,
        "core-metadata": metadata,
        "dist-info-metadata": metadata,
        "yanked": False if one.yanked is None else one.yanked.why,
    }
    if wheel.requires_python:
        found["requires-python"] = wheel.requires_python
    return found
