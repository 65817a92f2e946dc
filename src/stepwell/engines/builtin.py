"""Registers the engines that come with Stepwell; called at first use (`plugins.builtin`)."""

from __future__ import annotations

from typing import Any

from stepwell.plugins.registry import Registry


def register(registry: Registry) -> None:
    """Add `local` and `in-process`."""
    registry.register_engine("local", _local)
    registry.register_engine("in-process", _in_process)


def _local(*args: Any, **options: Any) -> Any:
    from stepwell.engines.local import LocalEngine  # what is not used is not imported

    return LocalEngine(*args, **options)


def _in_process(*args: Any, **options: Any) -> Any:
    from stepwell.engines.inprocess import InProcessEngine  # what is not used is not imported

    return InProcessEngine(*args, **options)
