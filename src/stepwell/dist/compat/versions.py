"""The version that a bump gives, and whether a version is large enough.

>>> following("1.4.2", "minor")
'1.5.0'
>>> following("0.4.2", "major")        # below 1.0.0 nothing is promised, and the second number says what breaks
'0.5.0'
>>> following("1!2.0.0", "patch")
'1!2.0.1'
>>> following("2.0.0rc1", "major")     # a candidate becomes what it is a candidate of
'2.0.0'
"""

from __future__ import annotations

from stepwell.dist.compat.finding import Bump
from stepwell.dist.versions import Version, parsed


def following(before: str, bump: Bump) -> str:
    """The least version after `before` that a bump asks for; "" where none would do. Raises `BadReleaseName`."""
    if bump in ("none", "blocked"):
        return before if bump == "none" else ""
    version = parsed(before)
    major, minor, patch = _numbers(version)
    if major == 0:
        bump = "minor" if bump == "major" else "patch"
    if bump == "major":
        numbers = (major, 0, 0) if version.pre and minor == patch == 0 else (major + 1, 0, 0)
    elif bump == "minor":
        numbers = (major, minor, 0) if version.pre and patch == 0 else (major, minor + 1, 0)
    else:
        numbers = (major, minor, patch) if version.pre else (major, minor, patch + 1)
    epoch = f"{version.key[0]}!" if version.key[0] else ""
    return epoch + ".".join(map(str, numbers))


def suffices(version: str, before: str, bump: Bump) -> bool:
    """Whether a version is higher than `before` by what a bump asks for; candidates count as what they are of.

    Raises `BadReleaseName`.
    """
    wanted, given = following(before, bump), parsed(version)
    if not wanted or (bump != "none" and given.key <= parsed(before).key):
        return False
    return bump == "none" or _numbers(given) >= _numbers(parsed(wanted))


def _numbers(version: Version) -> tuple[int, int, int]:
    """The first three numbers of a version."""
    parts = [*version.key[1], 0, 0, 0]
    return parts[0], parts[1], parts[2]
