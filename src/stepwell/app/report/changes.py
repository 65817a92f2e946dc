"""What a run rests on and what of it moved since the run before, as parts of a page: data, code, environment, lock."""

from __future__ import annotations

from collections.abc import Mapping

from stepwell.app.report.facts import Facts, Moved
from stepwell.app.report.layout import section, table
from stepwell.app.report.markup import Markup, el, joined
from stepwell.app.report.words import heavy
from stepwell.errors import counted


def data(facts: Facts) -> Markup | None:
    """The sources, with what moved in them; and what moved in what the steps gave."""
    since = facts.since
    moved = {one.name: one for one in since.data if one.kind == "source"}
    rows = [
        (one.name, el("code", one.uri), heavy(one.size), el("code", one.digest[:15]), _against(moved, one.name, since.run))
        for one in facts.about.sources
    ]  # fmt: skip
    gone = [
        el("li", el("code", one.name), f" was read in {since.run}") for one in moved.values() if not one.now
    ]
    outputs = [_change(one) for one in since.data if one.kind == "output" and one.lines][:40]
    read = [one for one in since.data if one.kind == "read"]
    if not rows and not gone and not outputs and not read:
        return None
    head = ("source", "where", "size", "digest", f"since {since.run}" if since.run else "")
    told = (
        el("details", el("summary", f"what the steps gave, against {since.run}"), outputs)
        if outputs
        else None
    )
    return section(
        "Data",
        table(head, rows, numeric=(2,)) if rows else None,
        [_change(one) for one in (*moved.values(), *read) if one.lines],
        el("ul", gone, class_="plain") if gone else None,
        told,
    )


def _change(one: Moved) -> Markup:
    """What is another in a source or an output, in lines."""
    return el(
        "div",
        el("h3", one.name),
        el("pre", "\n".join(one.lines), class_="wrapped", tabindex="0"),
        class_="thing",
    )


def _against(moved: Mapping[str, Moved], name: str, run: str) -> str:
    if not run:
        return ""
    return ("other data" if moved[name].before else "new") if name in moved else "the same"


def code(facts: Facts) -> Markup | None:
    """The diffs of what the steps run, and of the tree against its commit."""
    edits = [
        el("details", el("summary", edit.name), _diff(edit.diff), open=i < 3)
        for i, edit in enumerate(facts.since.code)
    ]
    told = el("p", f"What the steps run, against {facts.since.run}.", class_="faint") if edits else None
    tree = None
    if facts.about.diff:
        label = f"what the tree had beyond commit {facts.run.commit[:12]}"
        tree = el("details", el("summary", label), _diff(facts.about.diff[:100_000]))
    same = (
        el("p", f"The same as in {facts.since.run}.", class_="faint")
        if facts.since.run and not edits
        else None
    )
    notes = (
        el("ul", [el("li", note) for note in facts.since.notes], class_="plain small faint")
        if facts.since.notes
        else None
    )
    if same is None and told is None and tree is None:
        return None
    return section("Code", told, same, edits, tree, notes)


def _diff(text: str) -> Markup:
    """A unified diff, what is new and what is gone told apart by signs and by ground."""
    out = []
    for line in text.splitlines():
        kind = (
            "hunk" if line.startswith(("@@", "+++", "---")) else {"+": "added", "-": "gone"}.get(line[:1], "")
        )
        out.append(el("span", line, class_=kind) if kind else joined([el("span", line), Markup("\n")]))
    return el("pre", out, tabindex="0")


def environment(facts: Facts) -> Markup | None:
    """Interpreter, platform and distributions, with those that are another."""
    about, since = facts.about, facts.since
    if not (about.python or facts.distributions):
        return None
    line = [
        el("span", f"Python {about.python}") if about.python else None,
        el("span", about.platform),
        el("span", el("code", about.file)) if about.file else None,
    ]
    moved = (
        table(
            ("what", f"in {since.run}", "now"),
            [(one.name, one.before or "–", one.now or "–") for one in since.environment],
        )
        if since.environment
        else None
    )
    each = [(name, version) for name, version in facts.distributions.items()]
    listed = (
        el(
            "details",
            el("summary", f"{counted(len(each), 'distribution')} that the steps rest on"),
            table(("distribution", "version"), each),
        )
        if each
        else None
    )
    return section("Environment", el("p", line, class_="line"), moved, listed)


def lock(facts: Facts) -> Markup | None:
    """How the run stands to the lock, where there is one."""
    return (
        section("Lock", el("ul", [el("li", line) for line in facts.lock], class_="plain"))
        if facts.lock
        else None
    )
