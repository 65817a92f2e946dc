"""Plans as pictures: what is drawn says what the document says, whatever the names are."""

from __future__ import annotations

import re
import shutil
import subprocess
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepwell.app.pictures import MARKS, boxes, dot, junit, junit_of_problems, lanes, mermaid

VERBS = ["run", "maybe", "cached", "skip", "blocked"]
HOSTILE = [
    'a"b',
    "a\\b",
    "`x`",
    "<b>&amp;",
    "end",
    "a]b[c",
    "a;b%%c",
    "é中",
    "tab\there",
    "\x1b[31m",
    "#quot;",
    "line\nbreak",
]


def document(steps, sources=(), pipeline="p"):
    """A plan document of steps (id, decision, needs, sources)."""
    return {
        "pipeline": pipeline,
        "sources": [{"name": name} for name in sources],
        "steps": [
            {"id": id, "step": id.rpartition("/")[2].partition("[")[0], "decision": verb, "needs": list(needs),
             "sources": list(reads), "reasons": [{"kind": "new", "text": f"because of {id}"}]}
            for id, verb, needs, reads in steps
        ],
    }  # fmt: skip


@st.composite
def documents(draw):
    count = draw(st.integers(1, 14))
    names = [f"{draw(st.sampled_from(['', 'in/', 'in/deep/']))}s{i}" for i in range(count)]
    steps = []
    for i, name in enumerate(names):
        needs = sorted(draw(st.sets(st.sampled_from(names[:i]), max_size=4))) if i else []
        reads = ["src"] if draw(st.booleans()) else []
        steps.append((name, draw(st.sampled_from(VERBS)), needs, reads))
    return document(steps, ["src"])


@given(documents(), st.randoms(use_true_random=False))
def test_boxes_stand_behind_what_they_need_whatever_the_order(plan, random):
    """A run that grew is recorded with the steps that it became behind all others."""
    needs = {step["id"]: {*step["needs"], *step["sources"]} for step in plan["steps"]}
    steps = plan["steps"]
    ids = [step["id"] for step in steps]
    assert [box.name for box in boxes(plan)[1:]] == ids  # which are in order already
    found = boxes({**plan, "steps": random.sample(steps, len(steps))})
    assert {box.name: {found[i].name for i in box.needs} for box in found[1:]} == needs
    assert all(before < i for i, box in enumerate(found) for before in box.needs)


# ---------------------------------------------------------------------------- lanes

DOWN, ACROSS = "│├┤╭╮┬┼", "├┤╭╮╰╯┬┴┼─"


def read_lanes(lines):
    """The edges that somebody sees who follows the lines with a finger: box to the boxes above that it joins."""
    holders: dict[int, str] = {}
    above: dict[int, str] = {}
    joined: dict[int, str] | None = None
    edges = {}
    for line in lines:
        cells = dict(enumerate(line.drawn[::2]))
        if line.box is None:
            low = min(i for i, cell in cells.items() if cell in ACROSS)
            high = max(i for i, cell in cells.items() if cell in ACROSS)
            touched = [i for i in range(low, high + 1) if cells[i] not in "│─"]
            assert all(line.drawn[2 * i + 1] == "─" for i in range(low, high)), line.drawn
            joined = {i: above[i] for i in touched if i in above and cells[i] not in "╭╮┬"}
            above = {i: holder for i, holder in above.items() if cells.get(i, " ") in DOWN}
            continue
        (own,) = [i for i, cell in cells.items() if cell in MARKS.values()]
        needs = set(joined.values()) if joined is not None else {above[own]} if own in above else set()
        edges[line.box.name] = needs
        holders = {i: above[i] for i, cell in cells.items() if cell == "│"}
        holders[own] = line.box.name
        above = dict(holders)
        joined = None
    return edges


@given(documents())
def test_lanes_show_the_edges(plan):
    """Each line is followed down; what a box joins is what it needs."""
    found = boxes(plan)
    lines = lanes(plan)
    assert [line.box for line in lines if line.box is not None] == found
    assert read_lanes(lines) == {box.name: {found[i].name for i in box.needs} for box in found}


def test_lanes_of_a_diamond():
    plan = document([("load", "cached", [], ["f"]), ("a", "run", ["load"], []), ("b", "run", ["load"], []),
                     ("join", "maybe", ["a", "b"], []), ("alone", "run", [], [])], ["f"])  # fmt: skip
    drawn = [(line.drawn, line.box.name if line.box else "") for line in lanes(plan)]
    assert drawn == [
        ("◇", "f"),
        ("○", "load"),
        ("├─╮", ""),
        ("│ ●", "a"),
        ("● │", "b"),
        ("├─╯", ""),
        ("◐", "join"),
        ("  ●", "alone"),
    ]


def test_large_graphs_are_collapsed():
    steps = [(f"sq[{i}]" if i > 1 else "sq", "cached" if i > 2 else "run", [], ["f"]) for i in range(1, 101)]
    plan = document([*steps, ("total", "maybe", [s[0] for s in steps], [])], ["f"])
    assert [(box.name, box.told, box.needs) for box in boxes(plan, 60)] == [
        ("f", "source", ()), ("sq ×100", "98 cached, 2 run", (0,)), ("total", "maybe", (1,)),
    ]  # fmt: skip
    assert len(boxes(plan)) == 102


def test_steps_that_wait_for_each_others_calls_are_one_box():
    steps, before = [], []
    for i in range(1, 41):
        for name in ("a", "b"):
            id = f"{name}[{i}]" if i > 1 else name
            steps.append((id, "run", before, []))
            before = [id]
    plan = document([*steps, ("end", "run", before, [])])
    assert [(box.name, box.needs) for box in boxes(plan, 60)] == [("a + b ×80", ()), ("end", (0,))]


# ---------------------------------------------------------------------------- Graphviz, Mermaid

DOT = re.compile(r"""
    digraph\ "S"\ \{ | \}
    | rankdir=LR; | node\ \[shape=box,\ style="S",\ fontname="S"\];
    | subgraph\ cluster_\d+\ \{\ label="S";
    | n\d+\ \[label="S",\ tooltip="S",\ fillcolor="S"(,\ shape=cylinder,\ style=filled)?\];
    | n\d+\ ->\ n\d+;
""".replace('"S"', r'"(?:[^"\\\n\x00-\x1f]|\\.)*"'), re.VERBOSE)  # fmt: skip

MERMAID = re.compile(r"""
    flowchart\ LR | end
    | subgraph\ p\d+\["L"\]
    | n\d+(\["L(<br/>L)?"\]|\[\("L"\)\]):::is-\w+
    | n\d+\ -->\ n\d+
    | classDef\ is-\w+\ fill:\#\w{6},color:\#\w{3},stroke:\#\w{3}
""".replace("L", r'(?:[^"<>&;`\#%\n\x00-\x1f]|\#\d+;)*'), re.VERBOSE)  # fmt: skip


@given(documents())
def test_both_languages_draw_the_same_graph(plan):
    found = boxes(plan)
    edges = sorted((before, i) for i, box in enumerate(found) for before in box.needs)
    for text, arrow, grammar in ((dot(plan), "->", DOT), (mermaid(plan), "-->", MERMAID)):
        for line in text.splitlines():
            assert grammar.fullmatch(line.strip()), line
        drawn = re.findall(rf"n(\d+) {arrow} n(\d+)", text)
        assert sorted((int(a), int(b)) for a, b in drawn) == edges
        assert len(re.findall(r"^ +n\d+ ?[\[(]", text, re.MULTILINE)) == len(found)
        opened = len(re.findall(r"^ *subgraph", text, re.MULTILINE))
        assert opened == len(re.findall(r"^ +(?:\}|end)$", text, re.MULTILINE))


@pytest.mark.parametrize("name", HOSTILE)
def test_names_are_escaped(name):
    plan = document([(name, "run", [], [name])], [name], pipeline=name)
    assert all(DOT.fullmatch(line.strip()) for line in dot(plan).splitlines()), dot(plan)
    assert all(MERMAID.fullmatch(line.strip()) for line in mermaid(plan).splitlines()), mermaid(plan)


@pytest.mark.skipif(shutil.which("dot") is None, reason="there is no Graphviz")
def test_graphviz_draws_it():
    plan = document([(name, "run", [], []) for name in HOSTILE])
    done = subprocess.run(["dot", "-Tsvg"], input=dot(plan).encode(), capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count(b'class="node"') == len(HOSTILE)


# ---------------------------------------------------------------------------- JUnit


def test_junit():
    plan = document([("a", "run", [], []), ("in/b", "blocked", ["a"], []), ("c", "skip", [], [])])
    root = ET.fromstring(junit(plan).encode())
    (suite,) = root
    assert {name: suite.get(name) for name in ("tests", "failures", "errors", "skipped")} == {
        "tests": "3", "failures": "1", "errors": "0", "skipped": "1",
    }  # fmt: skip
    assert [(case.get("classname"), case.get("name"), [child.tag for child in case]) for case in suite] == [
        ("p", "a", ["system-out"]), ("p.in", "in/b", ["failure", "system-out"]), ("p", "c", ["skipped", "system-out"]),
    ]  # fmt: skip
    assert suite[0][0].text == "run: because of a"
    assert suite[1][0].get("message") == "because of in/b"


@given(st.text())
def test_junit_is_xml_whatever_the_names_are(name):
    root = ET.fromstring(junit(document([(name, "blocked", [], [])], pipeline=name)).encode("utf-8"))
    if re.fullmatch(r"[ -~]*", name):
        assert root[0][0].get("name") == name
        assert root[0][0][0].get("message") == f"because of {name}"


def test_junit_of_problems():
    problem = {"code": "E303", "what": "no <file>", "why": "", "fixes": ["look"], "where": "pipeline.py:3"}
    (suite,) = ET.fromstring(junit_of_problems("p", [problem, problem]).encode())
    assert (suite.get("tests"), suite.get("failures")) == ("2", "2")
    failure = suite[0][0]
    assert (failure.tag, failure.get("type"), failure.get("message")) == ("failure", "E303", "no <file>")
    assert failure.text == "no <file>\npipeline.py:3\nfix: look"
