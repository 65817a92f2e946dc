"""Asks the steps that have a test of their own (`done=`) whether their work still counts: `kernel.ports.Tests`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stepwell.app.places import at
from stepwell.errors import StepwellError
from stepwell.kernel.graph import FromStep, Graph, leaves
from stepwell.stores.local import LocalStore
from stepwell.worker.modules import FirstParty

if TYPE_CHECKING:
    from stepwell.kernel.ports import Artifact, Outputs


class OwnTests:
    """Calls the tests in this process, with the project's root as working folder.

    `digests` are those of the graph's sources. A test that raises says no: the step then runs, and
    what the test raises after that is told as the step's failure.
    """

    def __init__(self, digests: Sequence[str], store: LocalStore, root: Path, importer: FirstParty) -> None:
        self._digests, self._store = digests, store
        self._root, self._importer = root, importer

    def hold(self, graph: Graph, node: int, outputs: Outputs) -> bool | None:
        """What the test of a node says of its inputs; None where one of them is not there."""
        from stepwell.app.values import resolved
        from stepwell.worker import judges
        from stepwell.worker.inputs import Inputs

        call = graph.nodes[node]
        inputs = Inputs(self._root, self._store.blobs)
        given: dict[int, Sequence[Artifact]] = {}
        for _, binding in call.inputs:
            for leaf in leaves(binding):
                if isinstance(leaf, FromStep):
                    made = outputs(leaf.node)
                    if made is None:
                        return None
                    given[leaf.node] = made
        with at(self._root):
            try:
                values: dict[str, Any] = {
                    name: inputs.value(resolved(binding, graph, given, self._digests, self._store))
                    for name, binding in call.inputs
                }
            except StepwellError:
                return None  # what is wrong with the input is told when the step wants it
            try:
                return judges.holds(graph.step_of(node).done, values, self._importer)
            except Exception:  # the test is the user's code; see the class  # noqa: BLE001
                return False
