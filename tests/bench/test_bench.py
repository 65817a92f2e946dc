"""The parts of the benchmark that do not measure: the graph, medians, ratios, targets, tables, the picture."""

import importlib
import sys
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from xml.etree import ElementTree as ET

import pytest

BENCH = Path(__file__).resolve().parents[2] / "bench"


@pytest.fixture(scope="module")
def bench():
    """The modules of bench/, which is no package: its scripts run with it as their folder."""
    before = set(sys.modules)
    sys.path.insert(0, str(BENCH))
    try:
        yield SimpleNamespace(
            **{
                name.split(".")[-1]: importlib.import_module(name)
                for name in (
                    "machine",
                    "measure",
                    "report",
                    "plot",
                    "run",
                    "workloads.shape",
                    "workloads.layered",
                )
            },
            graph=importlib.import_module("tools.graph"),
            tools=importlib.import_module("tools"),
        )
    finally:
        sys.path.remove(str(BENCH))
        for name in set(sys.modules) - before:
            if str(getattr(sys.modules[name], "__file__", "")).startswith(str(BENCH)):
                del sys.modules[name]


def sample(bench, wall, cpu, memory=0, driver=0):
    return bench.measure.Sample(wall, cpu, memory, driver, 0.5, 0, "", "")


def measured(bench, contender, phase, *cpus, note="", problem=""):
    samples = [sample(bench, 2 * cpu, cpu, 5_000_000, 3_000_000) for cpu in cpus]
    return bench.report.Measured(contender, phase, samples, [{} for _ in cpus], problem, note, 100)


def workload(bench, **changed):
    ninja = bench.shape.Contender("ninja", (), tool="ninja")
    one = bench.shape.Workload("layered-100", "A graph", "ninja", (ninja,), 1, steps=100)
    return one._replace(**changed)


def document(bench, rows, **changed):
    place = {"machine": {"processor": "one"}, "versions": {"Python": "3"}}
    return bench.report.document(workload(bench, **changed), rows, place, datetime(2026, 1, 2, tzinfo=UTC))


# ---- the graph


@pytest.mark.parametrize("steps", [2, 100, 1_000, 10_000])
def test_no_two_steps_are_the_same_work_before_and_after_the_edits(bench, steps):
    graph = bench.graph.Graph(1, 2) if steps == 2 else bench.graph.Graph.of(steps)
    for step, helper in ((0, 0), (11, 0), (11, 11), (0, 11)):
        values, seen = {}, set()
        for node in graph.nodes():
            inputs = tuple(values[node.layer - 1, place] for place in node.inputs)
            work = (node.kind, inputs or node.place)
            assert work not in seen
            seen.add(work)
            more = {"middle": step, "helped": helper}.get(node.kind, 0)
            values[node.layer, node.place] = (
                (sum(inputs) + more) % bench.graph.PRIME if inputs else node.place
            )
        last = [values[graph.depth - 1, place] for place in range(graph.width)]
        assert last == graph.last(step=step, helper=helper)


@pytest.mark.parametrize("steps", [100, 1_000])
def test_the_number_of_steps_that_an_edit_touches_is_that_of_the_steps_with_another_input_or_function(
    bench, steps
):
    graph = bench.graph.Graph.of(steps)
    for edit, kind in (("step", "middle"), ("helper", "helped")):
        touched = set()
        for node in graph.nodes():
            if node.kind == kind or any((node.layer - 1, place) in touched for place in node.inputs):
                touched.add((node.layer, node.place))
        assert len(touched) == graph.touched(edit)
    assert abs(graph.touched("helper") - graph.steps / 2) <= graph.width


def test_a_result_is_right_old_or_wrong(bench, tmp_path):
    graph, make = bench.graph.Graph.of(100), bench.graph.right
    said = {
        name: "row: " + " ".join(map(str, graph.last(**added))) + "\n"
        for name, added in {
            "old": {},
            "step": {"step": 11},
            "helper": {"helper": 11},
            "both": {"step": 11, "helper": 11},
        }.items()
    }
    read = bench.graph.printed
    note = bench.graph.NOT_NOTICED
    for edit, right, old, wrong in (
        ("", ["old"], [], ["step", "both"]),
        ("step", ["step"], ["old"], ["helper", "both"]),
        ("helper", ["helper", "both"], ["old", "step"], []),
    ):
        check = make(graph, read, edit)
        assert [check(tmp_path, said[name]) for name in right] == [("", {}, "")] * len(right)
        assert [check(tmp_path, said[name]).note for name in old] == [note] * len(old)
        assert [check(tmp_path, said[name]).problem for name in wrong] == ["wrong result"] * len(wrong)
    again = make(graph, read)
    assert again(tmp_path, said["old"] + "ran 0\n").note == ""
    assert again(tmp_path, said["old"] + "ran 100\n").note == "runs all again"
    assert make(graph, read, "step")(tmp_path, said["step"] + "ran 15\n").note == ""
    assert make(graph, read, "step")(tmp_path, said["step"] + "ran 16\n").note == "ran 16 steps"
    with pytest.raises(ValueError, match="no row"):
        again(tmp_path, "Traceback")


def test_an_edit_changes_one_place_or_nothing(bench, tmp_path):
    edit = bench.graph.edited("code.py")
    (tmp_path / "code.py").write_text("return a + b + 0\n")
    edit(tmp_path)
    assert (tmp_path / "code.py").read_text() == "return a + b + 11\n"
    with pytest.raises(ValueError, match="0 times"):
        edit(tmp_path)


def test_every_project_has_one_place_for_each_edit(bench, tmp_path):
    for tool in bench.tools.TOOLS:
        for contender in tool.layered(bench.graph.Graph.of(100), 1):
            edits = [phase for phase in contender.phases if phase.once]
            if not edits or tool.name in ("dvc", "zenml"):  # these prepare their folder by the tool itself
                continue
            folder = tmp_path / contender.name
            folder.mkdir()
            contender.prepare(folder)
            for phase in edits:
                before = {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()}
                phase.before(folder)
                assert sum(file.read_bytes() != text for file, text in before.items()) == 1


def test_every_peer_that_can_be_installed_is_a_tool_and_the_other_way_round(bench):
    names = {tool.name for tool in bench.tools.TOOLS}
    assert names - {"stepwell", "ninja", "make"} == set(bench.machine.pinned())
    assert all("==" in package for packages in bench.machine.pinned().values() for package in packages)


# ---- medians, ratios, targets


def test_ratios_are_of_medians_against_the_baseline_of_the_same_phase(bench):
    rows = [
        measured(bench, "stepwell", "cold", 1.0, 9.0, 2.0),
        measured(bench, "ninja", "cold", 4.0, 4.0, 5.0),
        measured(bench, "stepwell", "plan", 3.0),
    ]
    done = document(bench, rows)
    cold, ninja, plan = done["rows"]
    assert (cold["contender"], cold["cpu"], cold["cpu_ratio"], cold["wall_ratio"]) == (
        "stepwell",
        {"median": 2.0, "lowest": 1.0, "highest": 9.0},
        0.5,
        0.5,
    )
    assert (ninja["cpu_ratio"], plan["cpu_ratio"]) == (1, None)
    assert (cold["memory"], cold["driver"]) == (5_000_000, 3_000_000)
    assert document(bench, rows, base_phase="cold")["rows"][2]["cpu_ratio"] == 0.75


def test_ratios_between_graphs_of_different_sizes_are_those_of_a_step(bench):
    large = measured(bench, "stepwell", "cold", 8.0)
    large.steps = 1_000
    done = document(bench, [measured(bench, "ninja", "cold", 4.0), large])
    assert [row["cpu_ratio"] for row in done["rows"]] == [1, 0.2]


def test_what_was_wrong_or_not_noticed_is_not_compared(bench):
    rows = [
        measured(bench, "ninja", "cold", 4.0),
        measured(bench, "doit", "cold", 1.0, note="! change not noticed"),
        measured(bench, "make", "cold", 2.0, problem="wrong result"),
    ]
    missing = bench.report.Measured("dvc", "cold", problem="could not be prepared: it is not there")
    budgets = (bench.shape.Budget("of make", 1, lambda rows: rows["make", "cold"].cpu),)
    done = document(bench, [*rows, missing], budgets=budgets, left_out=("redun is not installed",))
    doit = next(row for row in done["rows"] if row["contender"] == "doit")
    assert doit["cpu_ratio"] is None
    assert done["budgets"][0]["met"] is None
    text = bench.report.table(done)
    assert "! change not noticed" in text
    assert "**wrong result**" in text
    assert "Not in it: redun is not installed; dvc, cold: could not be prepared: it is not there." in text
    assert "not measured" in text


def test_a_wrong_baseline_gives_no_ratio(bench):
    rows = [
        measured(bench, "ninja", "cold", 4.0, problem="exit code 1"),
        measured(bench, "doit", "cold", 1.0),
    ]
    assert [row["cpu_ratio"] for row in document(bench, rows)["rows"]] == [None, None]


@pytest.mark.parametrize(
    ("least", "value", "met"), [(False, 2, True), (False, 2.001, False), (True, 2, True), (True, 1.9, False)]
)
def test_a_target_is_at_most_or_at_least(bench, least, value, met):
    budget = bench.shape.Budget("it", 2, lambda _rows: value, least=least)
    assert bench.report.held(budget, {})["met"] is met


def test_the_targets_of_the_layered_graph(bench):
    row = bench.shape.Row
    rows = {
        ("loop", "cold"): row(0.1, 0.1, {}),
        ("ninja", "unchanged"): row(0.1, 0.1, {}),
        ("ninja", "plan"): row(0.1, 0.1, {}),
        ("doit, values", "cold"): row(5.0, 5.0, {}),
        ("stepwell", "cold"): row(0.5, 0.9, {}, 300_000_000, 100_000_000),
        ("stepwell", "unchanged"): row(0.2, 0.2, {}, 90_000_000, 110_000_000),
        ("stepwell", "plan"): row(0.2, 0.3, {}),
        ("stepwell", "one step changed"): row(0.3, 0.25, {}),
    }
    held = [bench.report.held(budget, rows) for budget in bench.layered.budgets(bench.graph.Graph.of(10_000))]
    assert [(one["value"], one["met"]) for one in held] == [
        (3.0, False),
        (2.0, True),
        (20_000, True),
        (10.0, True),
        (80.0, True),
        (0.794, True),
        (110.0, True),
    ]


def test_the_price_of_a_step_is_compared_between_sizes(bench):
    work = bench.layered.hundred_thousand(quick=False)
    small, large = (one.name for one in work.contenders)
    row = bench.shape.Row
    rows = {(small, "cold"): row(1, 1.0, {}, 0, 0), (large, "cold"): row(12, 13.0, {}, 0, 390_000_000)}
    held = {budget.what: bench.report.held(budget, rows) for budget in work.budgets}
    assert held["CPU a step against that of 10,000 steps: cold"]["met"] is False
    assert held["memory of the driver, the highest of all phases"]["met"] is True


# ---- tables and the picture


def test_phases_stand_together_with_the_cheapest_first(bench):
    rows = [
        measured(bench, tool, phase, cpu)
        for tool, cold, again in (("ninja", 2.0, 0.1), ("doit", 1.0, 0.5))
        for phase, cpu in (("cold", cold), ("unchanged", again))
    ]
    done = document(bench, rows)
    assert [(row["phase"], row["contender"]) for row in done["rows"]] == [
        ("cold", "doit"),
        ("cold", "ninja"),
        ("unchanged", "ninja"),
        ("unchanged", "doit"),
    ]
    assert bench.report.matrix(done) == [
        ["tool", "cold", "unchanged"],
        ["---", "---:", "---:"],
        ["doit", "1 (0.5)", "0.5 (5)"],
        ["ninja", "2 (1)", "0.1 (1)"],
    ]


def test_every_line_of_a_table_has_as_many_cells(bench):
    rows = [measured(bench, f"tool {n}", "cold", n + 1.0) for n in range(9)]
    for steps in (0, 100):
        text = bench.report.table(document(bench, rows, steps=steps))
        lines = [line for line in text.splitlines() if line.startswith(("| cold", "| phase"))]
        assert len(lines) == 10
        assert len({line.count("|") for line in lines}) == 1
    assert "<details>" in text


@pytest.mark.parametrize(
    ("value", "shown"),
    [(1234.5, "1,234"), (12.345, "12.3"), (0.01234, "0.0123"), (0.00012, "0.0001"), (0.0, "0")],
)
def test_figures(bench, value, shown):
    assert bench.report.figures(value) == shown


def test_the_picture_has_a_dot_for_every_right_row(bench):
    rows = [
        measured(bench, "stepwell", "cold", 0.5),
        measured(bench, "a < b & c", "cold", 50.0),
        measured(bench, "make", "one step changed", 0.1, note="! change not noticed"),
        measured(bench, "wrong", "cold", 0.1, problem="wrong result"),
    ]
    picture = ET.fromstring(bench.plot.layered({"layered-100": document(bench, rows)}))
    circles = picture.findall(".//{*}circle[@r='5']")
    texts = [text.text for text in picture.findall(".//{*}text")]
    legend = 2
    assert len(circles) == 3 + legend
    assert [circle.get("fill") for circle in circles].count("none") == 2
    assert "a < b & c" in texts
    assert "wrong" not in texts
    _, _, width, height = map(float, picture.get("viewBox").split())
    assert all(
        0 < float(circle.get("cx")) < width and 0 < float(circle.get("cy")) < height for circle in circles
    )
    assert bench.plot.layered({}) == ""


def test_a_restricted_run_keeps_the_floors_and_the_baseline(bench):
    contender = bench.shape.Contender
    work = workload(
        bench, contenders=tuple(contender(name, (), tool=tool) for name, tool in
                                (("loop", ""), ("ninja", "ninja"), ("doit, files", "doit"), ("dvc", "dvc")))
    )  # fmt: skip
    kept = bench.run.only(frozenset({"doit"}), work)
    assert [one.name for one in kept.contenders] == ["loop", "ninja", "doit, files"]
    assert bench.run.only(None, work) is work


def test_files_are_replaced_as_a_whole(bench, tmp_path):
    file = tmp_path / "results.json"
    file.write_text("old")
    bench.report.replace(file, "new")
    assert [one.name for one in tmp_path.iterdir()] == ["results.json"]
    assert file.read_text() == "new"


def test_what_was_not_measured_here_keeps_its_section(bench, tmp_path, monkeypatch):
    for name, place in {"JSON": "results.json", "MARKDOWN": "RESULTS.md", "PLOT": "layered.svg"}.items():
        monkeypatch.setattr(bench.report, name, tmp_path / place)
    titles = ["First", "Second", "Third"]
    first = document(bench, [measured(bench, "ninja", "cold", 4.0)], title="First")
    third = document(bench, [measured(bench, "ninja", "cold", 3.0)], title="Third")
    old = document(bench, [measured(bench, "ninja", "cold", 2.0)], title="Gone")
    bench.report.write({"third": third, "first": first}, titles)
    bench.report.write({"gone": old}, [*titles, "Gone"])
    (tmp_path / "results.json").unlink()  # another checkout, which has what is in git
    assert bench.report.read() == {}
    before = bench.report.sections()
    second = document(bench, [measured(bench, "ninja", "cold", 1.0)], title="Second")
    bench.report.write({"second": second}, titles)
    assert bench.report.read() == {"second": second}
    after = bench.report.sections()
    assert list(after) == titles  # in their order, without what is no workload any more
    assert (after["First"], after["Third"]) == (before["First"], before["Third"])
    assert "1 (1–1)" in after["Second"]
