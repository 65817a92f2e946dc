"""Where a step is executed, if not in a worker itself: in a process of its own, with other libraries.

    exchange.py       the folder through which a worker and that process speak
    launch.py         the worker's side: inputs out, start, outputs in
    inside.py         the other side; needs nothing but Python and Stepwell's own sources
    environments.py   environments that uv makes, by digest
    starts.py         what is needed to start one, and what both sides know
    images.py         images and containers, by podman or docker
    boxes.py          steps in containers
    checkouts.py      projects of others, by commit

`StepDef.place` is a JSON object. As traced it has what the user wrote (`author.options.PLACE`);
`app.placing` adds what that comes to, under `RESOLVED`.
"""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

from stepwell.kernel.graph import StepDef

RESOLVED = "resolved"
"""What of a place is known after planning: `environment` (`environments.Environment`), `versions` (by name)."""


COMMANDS = ("shell", "script")
"""The kinds of step that start a program, which can be one of an image."""


def runs_command_in_image(step: StepDef) -> bool:
    """Whether a step runs a program of an image: that needs no Python there, as other steps with a place do."""
    return bool(step.place) and step.kind in COMMANDS and "image" in place(step.place)


@lru_cache(maxsize=512)
def place(text: str) -> dict[str, Any]:
    """A step's place as plain data; empty where it has none. Not to be changed: it is shared."""
    return json.loads(text) if text else {}  # type: ignore[no-any-return]
