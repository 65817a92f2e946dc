"""Sources as a worker takes them: what the driver has read is not read again."""

from __future__ import annotations

import pytest

from stepwell.errors import InputChanged
from stepwell.kernel.ports import Outside
from stepwell.sources import content
from stepwell.sources import pin as pins
from stepwell.sources.memo import Memory
from stepwell.stores.blobs import Blobs
from stepwell.worker.inputs import Inputs


def test_a_source_that_the_driver_has_pinned_is_not_hashed_again(tmp_path, monkeypatch):
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "a.csv").write_text("1")
    now, hashed, real = pins.time_ns, [], content.hash_file
    monkeypatch.setattr(pins, "time_ns", lambda: now() + 10_000_000_000)  # the files have settled
    monkeypatch.setattr(content, "hash_file", lambda path, *rest: hashed.append(path) or real(path, *rest))
    planned = pins.pin("d", root=tmp_path, memo=Memory())
    assert len(hashed) == 1
    outside = Outside("d", "d", "pathlib.Path", (), planned.digest)
    inputs = Inputs(tmp_path, Blobs(tmp_path / ".stepwell"), {planned.digest: planned.facts})
    assert inputs.value(outside) == tmp_path / "d"
    inputs.held_are_unchanged()
    assert len(hashed) == 1
    (tmp_path / "d" / "a.csv").write_text("2")
    with pytest.raises(InputChanged):
        inputs.value(outside)
    assert len(hashed) == 2
