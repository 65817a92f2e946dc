"""The plan of a run as it is at the moment: dynamic calls make it larger while it is carried out."""

from __future__ import annotations

from stepwell.kernel.plan import Plan


class Latest:
    """Holds the plan for those who look things up in it by a node's position, which never changes."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
