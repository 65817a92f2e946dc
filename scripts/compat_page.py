"""The page of the rules of compatibility: every rule as it is written, in the order of their ids."""

from __future__ import annotations

from stepwell.dist.compat.rules import RULES

GROUPS = {
    "D": "Data that comes in",
    "O": "What leaves",
    "P": "Pipelines and their parameters",
    "G": "Predictions and gates",
    "V": "Versions of what the steps ran with",
}

HEAD = """\
# Rules of compatibility

What `stepwell compat` and `stepwell release` look at, and which step of the version each finding asks for: the
largest that is not silenced. `blocked` means that no version makes it right. How to read and to silence them is in
[the guide](../guides/compat.md).
"""


def page() -> str:
    """The whole page."""
    lines = [HEAD]
    for letter, about in GROUPS.items():
        lines += [f"## {about}", ""]
        for rule in RULES:
            if rule.id.startswith(letter):
                firm = " It cannot be silenced." if rule.firm else ""
                lines += [f"### {rule.id} {rule.name}", ""]
                lines += [f"**{rule.bump}**: {rule.when}. {_sentence(rule.why)}{firm}", ""]
    return "\n".join(lines)


def _sentence(clause: str) -> str:
    return f"{clause[0].upper()}{clause[1:]}."
