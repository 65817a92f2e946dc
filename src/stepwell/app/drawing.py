"""A traced pipeline as a document, nothing decided: what `stepwell graph --json` prints and pictures are drawn from.

    document = graph_document(graph, nodes)        # the calls, what they give, what they need
    by_section(document)                           # each inner pipeline as one call, with the names that flow

Each has what `app.pictures` asks of a plan's document; in place of a decision every step is a "step".
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from stepwell.app.pictures import in_order
from stepwell.app.values import plain
from stepwell.errors import counted
from stepwell.kernel.graph import RESULT, FromSource, FromStep, Graph, StepDef, dependencies, leaves
from stepwell.kernel.plan import Wanted
from stepwell.sources.address import shown

Document = dict[str, Any]


def drawn(graph: Graph, wanted: Wanted) -> list[int]:
    """The nodes to draw: those that were asked for, without what is only kept or left out."""
    if wanted.targets is None:
        needed = set(range(len(graph.nodes)))
    else:
        needed = set(wanted.targets)
        for node in range(len(graph.nodes) - 1, -1, -1):
            if node in needed:
                needed.update(dependencies(graph.nodes[node]))
    out: list[int] = []
    gone = set(wanted.skipped)
    for node, call in enumerate(graph.nodes):
        if gone & {before for before in dependencies(call) if before not in call.after}:
            gone.add(node)
        if node in needed and node not in gone and node not in wanted.kept:
            out.append(node)
    return out


def graph_document(graph: Graph, nodes: Collection[int] | None = None) -> Document:
    """The calls of a pipeline (or these of them) in execution order, with their sources and endpoints."""
    chosen = range(len(graph.nodes)) if nodes is None else sorted(nodes)
    steps = [_step(graph, node, set(chosen)) for node in chosen]
    read = {name for step in steps for name in step["sources"]}
    return {
        "pipeline": graph.pipeline,
        "params": {name: plain(value) for name, value, _ in graph.params},
        "sources": [
            {"name": one.name, "uri": shown(one.uri), "type": one.type}
            for one in graph.sources
            if one.name in read
        ],
        "steps": steps,
        "endpoints": {name: _ids(graph, binding) for name, binding in graph.endpoints},
        "result": _ids(graph, graph.result),
    }


def _ids(graph: Graph, binding: Any) -> list[str]:
    found = [graph.nodes[leaf.node].id for leaf in leaves(binding) if isinstance(leaf, FromStep)]
    return list(dict.fromkeys(found))


def _step(graph: Graph, node: int, chosen: Collection[int]) -> Document:
    call, step = graph.nodes[node], graph.step_of(node)
    flows: dict[str, dict[str, None]] = {}
    sources: dict[str, None] = {}
    for _, binding in call.inputs:
        for leaf in leaves(binding):
            if isinstance(leaf, FromSource):
                sources[graph.sources[leaf.source].name] = None
            elif isinstance(leaf, FromStep) and leaf.node in chosen:
                flows.setdefault(graph.nodes[leaf.node].id, {})[_flowing(graph, leaf)] = None
    for before in call.after:
        if before in chosen:
            flows.setdefault(graph.nodes[before].id, {})
    ends = [name for name, binding in graph.endpoints if call.id in _ids(graph, binding)]
    gives = {one.name: "" if one.type == "unknown" else one.type for one in step.outputs}
    return {
        "id": call.id,
        "step": step.name,
        "kind": step.kind,
        "decision": "step",
        "told": _told(step, gives, ends),
        "needs": list(flows),
        "flows": {name: list(names) for name, names in flows.items()},
        "sources": list(sources),
        "gives": gives,
        "tags": list(step.tags),
        "where": call.where,
    }


def _told(step: StepDef, gives: Mapping[str, str], ends: Sequence[str]) -> str:
    """What is said of a step beside its name: what it gives, its kind, its tags, its endpoints."""
    parts = [kind if name == RESULT else f"{name}: {kind}" if kind else name for name, kind in gives.items()]
    extra = [*([] if step.kind == "python" else [step.kind]), *(f"#{tag}" for tag in step.tags)]
    said = [", ".join(part for part in parts if part), *extra, *(f"⇒ {name}" for name in ends)]
    return "  ".join(one for one in said if one)


def _flowing(graph: Graph, leaf: FromStep) -> str:
    """The name of what flows: an output's or a field's, else the name of the step that gives it."""
    names = [part for part in (leaf.output, *leaf.path) if isinstance(part, str) and part != RESULT]
    return names[-1] if names and not names[-1].isdigit() else graph.step_of(leaf.node).name


# ---------------------------------------------------------------------------- sections


def by_section(document: Document) -> Document:
    """A document with one step for each pipeline inside, and what flows between them; other steps stay.

    Pipelines inside that need each other's steps in turn are one.
    """
    steps = {step["id"]: step for step in document["steps"]}
    group = {name: name.split("/")[0] if "/" in name else name for name in steps}
    names = list(dict.fromkeys(group.values()))
    place = {name: i for i, name in enumerate(names)}
    before = [{place[other] for other in _needed(steps, group, name)} - {place[name]} for name in names]
    merged = {i: " + ".join(names[one] for one in circle) for circle in in_order(before) for i in circle}
    group = {name: merged[place[one]] for name, one in group.items()}
    order = list(dict.fromkeys(merged[i] for circle in in_order(before) for i in circle))
    found = [_section(steps, group, name) for name in order]
    ends = {
        name: list(dict.fromkeys(group[one] for one in ids if one in group))
        for name, ids in document["endpoints"].items()
    }
    result = list(dict.fromkeys(group[one] for one in document["result"] if one in group))
    return {**document, "steps": found, "endpoints": ends, "result": result}


def _needed(steps: Mapping[str, Document], group: Mapping[str, str], section: str) -> Iterator[str]:
    for name, step in steps.items():
        if group[name] == section:
            yield from (group[need] for need in step["needs"])


def _section(steps: Mapping[str, Document], group: Mapping[str, str], section: str) -> Document:
    own = [step for name, step in steps.items() if group[name] == section]
    if len(own) == 1 and own[0]["id"] == section:
        moved = {group[need]: own[0]["flows"][need] for need in own[0]["needs"]}
        return {**own[0], "needs": list(moved), "flows": moved}
    flows: dict[str, dict[str, None]] = {}
    for step in own:
        for need in step["needs"]:
            if group[need] != section:
                flows.setdefault(group[need], {}).update(dict.fromkeys(step["flows"][need]))
    gives: dict[str, str] = {}
    for step in steps.values():
        for need in step["needs"]:
            if group[need] == section and group[step["id"]] != section:
                gives.update(dict.fromkeys(step["flows"][need], ""))
    count = counted(len(own), "step")
    takes = "; ".join(f"{', '.join(names)} from {name}" for name, names in flows.items() if names)
    return {
        "id": section,
        "step": section,
        "kind": "section",
        "decision": "step",
        "told": f"{count}  {f'takes {takes}' if takes else ''}".rstrip(),
        "needs": list(flows),
        "flows": {name: list(names) for name, names in flows.items()},
        "sources": list(dict.fromkeys(name for step in own for name in step["sources"])),
        "gives": gives,
        "tags": sorted({tag for step in own for tag in step["tags"]}),
        "where": own[0]["where"],
    }
