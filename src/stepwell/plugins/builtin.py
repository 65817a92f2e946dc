"""The built-in extensions, by name only: modules whose `register(registry)` is called at first use."""

from __future__ import annotations

CODECS = ("stepwell.codecs.builtin",)
READERS = ("stepwell.sources.readers",)
ENGINES = ("stepwell.engines.builtin",)
KINDS = ("stepwell.worker.kinds",)
RUNNER = "stepwell.app.calls"
RELEASES = "stepwell.dist.releases.used"
