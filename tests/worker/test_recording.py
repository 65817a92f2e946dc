"""What `log` takes in a step, and how it travels: numbers in packs, pictures as artifacts, what cannot be kept as a note."""

import json
import math
import os
import sys
import threading

import pytest

from stepwell import log
from stepwell.errors import CannotRecord
from stepwell.kernel.ports import Logged, Recorded
from stepwell.stores.blobs import Blobs
from stepwell.stores.curves import unpack
from stepwell.worker import recording as module
from stepwell.worker import secrets
from stepwell.worker.outputs import keep
from stepwell.worker.recording import Recording

PNG = b"\x89PNG\r\n\x1a\n" + bytes(16) + b"IEND"
VEGA = {"$schema": "https://vega.github.io/schema/vega-lite/v5.json", "mark": "bar"}


class Ear:
    """A recording, what it reported, and the notes of the task when it has ended."""

    def __init__(self, blobs, *, live=False):
        self.reports = []
        self.blobs = blobs
        self.recording = Recording(self.reports.append, lambda parts: keep(parts, blobs), live=live)
        self.notes = ()

    def end(self):
        self.notes = self.recording.end()

    @property
    def points(self):
        out = []
        for one in self.reports:
            if isinstance(one, Logged) and one.series:
                chunk = unpack(one.series)
                out += [
                    (one.name, value, step) for value, step in zip(chunk.values, chunk.steps, strict=True)
                ]
            elif isinstance(one, Logged):
                out.append((one.name, one.value, one.step))
        return out

    @property
    def things(self):
        return [one.thing for one in self.reports if isinstance(one, Recorded)]

    def data(self, thing):
        return thing.data if thing.data is not None else self.blobs.path(thing.artifact.digest).read_bytes()


@pytest.fixture
def blobs(tmp_path):
    made = Blobs(tmp_path)
    made.make()
    return made


@pytest.fixture
def ear(blobs):
    made = Ear(blobs)
    made.recording.begin(7)
    before = log.record_with(made.recording)
    yield made
    log.record_with(before)


# ---------------------------------------------------------------------- numbers


def test_numbers_of_one_name_are_one_report(ear):
    for step in range(100):
        log.metric("loss", 1.0 / (step + 1), step)
        log.metric("auc", step / 100, step=step)
    log.metrics({"rows": 3, "auc": 0.5})
    ear.end()
    assert [(one.node, one.name, one.value) for one in ear.reports] == [
        (7, "loss", 0.01),
        (7, "auc", 0.5),
        (7, "rows", 3.0),
    ]
    assert ear.points[:2] == [("loss", 1.0, 0), ("loss", 0.5, 1)]
    assert ("auc", 0.99, 99) in ear.points
    assert len(ear.points) == 201


def test_more_numbers_than_wait_are_reported_while_the_step_runs(ear):
    for step in range(20_000):
        log.metric("loss", 0.5, step)
    assert len(ear.reports) == 2
    ear.end()
    assert [step for _, _, step in ear.points] == list(range(20_000))


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 10**300, True, "__float__"])
def test_numbers_of_all_kinds(ear, value):
    class Odd:
        def __float__(self):
            return 2.5

    log.metric("odd", Odd() if value == "__float__" else value, 1)
    ear.end()
    assert str(ear.points[0][1]) == ("2.5" if value == "__float__" else str(float(value)))


def test_places_beyond_64_bits_are_those_at_the_end(ear):
    log.metric("loss", 1.0, 2**70)
    log.metric("loss", 2.0, -(2**70))
    log.metric("loss", 3.0, 5)
    ear.end()
    assert [step for _, _, step in ear.points] == [2**62 - 1, -(2**62) + 1, 5]


def test_numbers_with_and_without_places_of_one_name(ear):
    log.metric("loss", 1.0, 1)
    log.metric("loss", 9.0)
    log.metric("loss", 2.0, 2)
    log.metric("loss", 8.0)
    ear.end()
    assert [(one.value, one.step) for one in ear.reports] == [(8.0, None)]
    assert ear.points == [("loss", 1.0, 1), ("loss", 2.0, 2)]


@pytest.mark.parametrize(
    "call",
    [
        lambda: log.metric("", 1), lambda: log.metric(" ", 1), lambda: log.metric(" ", 1.0, 1),
        lambda: log.metric([], 1.0, 1),
        lambda: log.metric(3, 1), lambda: log.metric("a", "high"),
        lambda: log.metric("a", None), lambda: log.metric("a", [1]), lambda: log.metric("a", 10**400),
        lambda: log.metric("a", 1, "x"), lambda: log.metric("a", 1, 1.5), lambda: log.metric("a", 1, math.nan),
        lambda: log.text("a" * 501, "b"), lambda: log.metrics([1]), lambda: log.metrics({1: 2}), lambda: log.text("a", b"x"),
        lambda: log.figure("a", 3), lambda: log.figure("a", b"GIF8"), lambda: log.figure("a", "file.png"),
        lambda: log.table("a", 3), lambda: log.table("a", [1]), lambda: log.table("a", [{1: 2}]), lambda: log.card("a", 3),
        lambda: log.tag(3), lambda: log.tag(""), lambda: log.progress("x"), lambda: log.progress(1, "x"),
        lambda: log.progress(1, 2, 3), lambda: log.figure("a", PNG, step="x"),
    ],
)  # fmt: skip
def test_what_cannot_be_recorded_is_told_at_once_in_a_step_and_outside(ear, call):
    with pytest.raises(CannotRecord) as caught:
        call()
    assert caught.value.code == "E521"
    assert isinstance(caught.value, TypeError)
    before = log.record_with(None)
    with pytest.raises(CannotRecord):
        call()
    log.record_with(before)
    ear.end()
    assert ear.reports == []


def test_outside_a_step_nothing_happens(tmp_path):
    log.metric("auc", 0.5)
    log.metrics({"a": 1}, step=2)
    log.progress(1, 2, "half")
    log.tag("a", b=1)
    log.text("a", "b")
    log.card("a", "<b>")
    log.table("a", [{"b": 1}])
    log.figure("a", tmp_path / "none.png")


def test_numbers_come_by_themselves_while_a_step_calculates(blobs):
    ear = Ear(blobs, live=True)
    came = threading.Event()
    ear.recording._report = lambda report: (ear.reports.append(report), came.set())
    ear.recording.begin(0)
    before = log.record_with(ear.recording)
    try:
        log.metric("loss", 1.0, 0)
        assert came.wait(10)
        assert ear.points == [("loss", 1.0, 0)]
        came.clear()
        log.progress(3, 10, "third")
        assert came.wait(10)
        assert ear.things[-1].text == '[3.0, 10.0, "third"]'
    finally:
        log.record_with(before)
        ear.end()


def test_threads_lose_no_numbers(blobs, monkeypatch):
    monkeypatch.setattr(module, "BEAT", 0.001)
    ear = Ear(blobs, live=True)
    ear.recording.begin(0)
    before = log.record_with(ear.recording)

    def many(name):
        for step in range(5000):
            log.metric(name, float(step), step)

    threads = [threading.Thread(target=many, args=(f"t{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    log.record_with(before)
    ear.end()
    for n in range(4):
        assert [step for name, _, step in ear.points if name == f"t{n}"] == list(range(5000))


def test_a_process_that_a_step_forked_reports_its_own_numbers_once(blobs):
    reader, writer = os.pipe()
    recording = Recording(
        lambda report: os.write(writer, f"{report.name} ".encode()), lambda _: (), live=True
    )
    recording.begin(0)
    before = log.record_with(recording)
    try:
        log.metric("parent", 1.0, 0)
        recording.awake = True  # as it is while the thread is there
        log.metric("waits", 1.0, 0)
        pid = os.fork()
        if not pid:
            log.metric("child", 1.0, 0)
            os._exit(0)
        os.waitpid(pid, 0)
        recording.end()
    finally:
        log.record_with(before)
        os.close(writer)
    with open(reader, "rb") as said:
        words = said.read().split()
    assert sorted(words) == [b"child", b"parent", b"waits"]


def test_names_without_end_are_cut_and_noted(ear, monkeypatch):
    monkeypatch.setattr(module, "MOST_NAMES", 3)
    for n in range(10):
        log.metric(f"m{n}", 1.0)
    ear.end()
    assert [one.name for one in ear.reports] == ["m0", "m1", "m2"]
    assert ear.notes == ("E522: metrics of more than 3 names were recorded: the rest is left out",)
    ear.recording.begin(8)
    log.metric("m9", 1.0)
    ear.end()
    assert (ear.reports[-1].node, ear.notes) == (8, ())
    ear.recording.begin(9)
    log.metric("x" * 10_000, 1.0, 1)
    ear.end()
    assert len(ear.reports[-1].name) == 500
    assert "was cut to 500 characters" in ear.notes[0]


# ---------------------------------------------------------------------- other things


def test_texts_tags_and_roles(ear):
    log.text("short", "hello \udcff")
    log.text("long", "x" * 5000)
    log.tag("baseline", "baseline", dataset="v2", depth=3)
    log.record_role('{"role":"trainer"}')
    ear.end()
    short, long, *tags, role = ear.things
    assert (short.kind, short.text, short.artifact) == ("text", "hello \\udcff", None)
    assert (long.text, long.artifact.codec, ear.data(long)) == ("", "text", b"x" * 5000)
    assert [(one.name, one.text) for one in tags] == [
        ("baseline", ""), ("baseline", ""), ("dataset", "v2"), ("depth", "3"),
    ]  # fmt: skip
    assert (role.kind, json.loads(role.text)) == ("role", {"role": "trainer"})


def test_figures_of_matplotlib_stay_open_while_the_step_runs_and_are_closed_after_it(ear):
    plt = pytest.importorskip("matplotlib.pyplot")
    plt.close("all")
    before = plt.figure()
    ear.recording.begin(7)
    figure, axes = plt.subplots()
    axes.plot([1, 2])
    log.figure("figure", figure, step=1)
    log.figure("axes", axes)
    log.figure("pyplot", plt)
    assert plt.fignum_exists(figure.number)
    ear.end()
    assert plt.get_fignums() == [before.number]
    plt.close("all")
    assert [(one.name, one.step, one.artifact.codec) for one in ear.things] == [
        ("figure", 1, "png"), ("axes", None, "png"), ("pyplot", None, "png"),
    ]  # fmt: skip
    assert len({one.artifact.digest for one in ear.things}) == 1
    assert ear.data(ear.things[0]).startswith(b"\x89PNG")


def test_pictures_and_charts(ear, tmp_path):
    class Plotly:
        def to_plotly_json(self):
            raise AssertionError

        def to_json(self):
            return '{"data": [], "layout": {}}'

    (tmp_path / "a.gif").write_bytes(b"GIF89a....")
    log.figure("bytes", PNG)
    log.figure("file", tmp_path / "a.gif")
    log.figure("chart", VEGA)
    log.figure("plotly", Plotly())
    ear.end()
    assert [(one.artifact.codec, one.artifact.note) for one in ear.things] == [
        ("png", "0 × 0 picture"), ("bytes", "GIF picture"), ("json", "Vega-Lite chart"), ("json", "Plotly chart"),
    ]  # fmt: skip
    assert ear.data(ear.things[0]) == PNG
    assert json.loads(ear.data(ear.things[2])) == VEGA


def test_what_cannot_be_drawn_is_a_note_and_the_step_goes_on(ear, tmp_path):
    class Broken:
        def savefig(self, *_, **__):
            raise RuntimeError("no\nbackend")

    class Card:
        def _repr_html_(self):
            return 3

    (tmp_path / "fake.png").write_text("<svg onload=alert(1)>")
    log.figure("broken", Broken())
    log.figure("missing", tmp_path / "none.png")
    log.figure("fake", tmp_path / "fake.png")
    log.figure("nan", {**VEGA, "value": math.nan})
    log.card("card", Card())
    log.table("odd", [{"a": object()}])
    ear.end()
    assert ear.things == []
    assert len(ear.notes) == 6
    assert all(note.startswith("E522: ") and "\n" not in note for note in ear.notes)
    assert "figure `broken` was not recorded" in ear.notes[0]
    assert "no PNG, JPEG, GIF or WebP picture" in ear.notes[2]


def test_too_many_and_too_large_things_are_noted(ear, monkeypatch):
    monkeypatch.setattr(module, "MOST_THINGS", 5)
    monkeypatch.setattr(sys.modules["stepwell.worker.pictures"], "LARGEST", 10_000)
    log.text("large", "x" * 10_001)
    for n in range(10):
        log.text(f"t{n}", "x")
    for _ in range(3):
        log.text("t0", "again")
    ear.end()
    assert [one.name for one in ear.things] == ["t0", "t1", "t2", "t3", "t0", "t0", "t0"]
    assert len(ear.notes) == 2


def test_tables_and_cards(ear):
    pd = pytest.importorskip("pandas")
    table = pd.DataFrame({"a": [1, 2]})
    log.table("rows", [{"a": 1, "b": "x"}])
    log.table("frame", table)
    log.table("empty", [])
    log.card("html", "<script>alert(1)</script>")
    log.card("object", table)
    ear.end()
    assert [(one.kind, one.artifact.codec) for one in ear.things] == [
        ("table", "json"), ("table", "arrow:pandas"), ("table", "json"), ("card", "html"), ("card", "html"),
    ]  # fmt: skip
    assert ear.data(ear.things[3]) == b"<script>alert(1)</script>"


def test_secrets_are_in_nothing_that_is_recorded(ear, monkeypatch):
    monkeypatch.setattr(secrets, "forms", secrets.Forms())
    secrets.forms.learn("hunter2-hunter2")
    log.metric("is hunter2-hunter2", 1.0)
    log.text("hunter2-hunter2", "it is hunter2-hunter2")
    log.text("long", "hunter2-hunter2 " * 1000)
    log.tag(token="hunter2-hunter2")
    log.card("card", "<b>hunter2-hunter2</b>")
    log.table("table", [{"a": "hunter2-hunter2"}])
    log.progress(1, 2, "hunter2-hunter2")
    ear.end()
    assert "hunter2" not in repr(ear.reports)
    assert all(b"hunter2" not in ear.data(one) for one in ear.things if one.artifact is not None)
    assert len(ear.notes) == 2
    assert "a secret is in it" in ear.notes[0]
