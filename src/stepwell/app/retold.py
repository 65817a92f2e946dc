"""Errors that another process has told of, as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stepwell.errors import StepwellError, catalogue


def error_of(told: Mapping[str, Any]) -> StepwellError:
    """An error of another process from its fields (`StepwellError.as_dict`): nothing that it sends is executed here."""
    kind = {one.code: one for one in catalogue()}.get(str(told["code"]), StepwellError)
    more = {"problems": [error_of(one) for one in told["problems"]]} if "problems" in told else {}
    fixes = [str(fix) for fix in told["fixes"]]
    return kind(
        str(told["what"]), why=str(told["why"]), fixes=fixes, where=str(told.get("where", "")), **more
    )
