"""An error as what is sent: JSON for programs, a page of plain HTML for a person who opened the address.

    kind, body = written(error, accept)     # accept: the header of that name, "text/html,application/xhtml+xml,…"

The HTML needs nothing else from the server, neither a script nor a style: who is refused may load neither.
"""

from __future__ import annotations

from html import escape

from stepwell.errors import StepwellError

JSON = "application/json"

HTML = "text/html; charset=utf-8"

_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<title>{code} · Stepwell</title>
<h1>{what}</h1>
{rest}
<p><small>{code}: <code>stepwell explain {code}</code></small></p>
</html>
"""


def written(error: StepwellError, accept: str) -> tuple[str, bytes]:
    """An error as a media type and bytes of it: HTML where that is accepted by name, as browsers do, else JSON."""
    if "text/html" in accept:
        return HTML, page(error).encode()
    from msgspec import json  # what refuses most requests does without

    return JSON, json.encode({"error": error.as_dict()})


def page(error: StepwellError) -> str:
    """An error as a page: what happened, why, and what to type."""
    rest = [f"<p>{_sentence(error.why)}</p>"] if error.why else []
    if error.fixes:
        fixes = "\n".join(f"<li>{_typed(fix)}</li>" for fix in error.fixes)
        rest.append(f"<p>What to type:</p>\n<ul>\n{fixes}\n</ul>")
    return _PAGE.format(code=error.code, what=_sentence(error.what), rest="\n".join(rest))


def _sentence(text: str) -> str:
    return escape(f"{text[:1].upper()}{text[1:]}.")


def _typed(fix: str) -> str:
    """A fix: the command, and what is said behind it after some blanks."""
    command, _, said = fix.partition("    ")
    return f"<code>{escape(command)}</code> {escape(said.strip())}".rstrip()
