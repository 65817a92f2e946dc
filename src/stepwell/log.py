"""Recording from inside a step: what `from stepwell import log` gives.

    @step
    def train(table: pd.DataFrame) -> Model:
        for epoch in range(10):
            ...
            log.metric("loss", loss, step=epoch)
            log.progress(epoch + 1, 10)
        log.figure("residuals", figure)
        log.tag("baseline")

What is recorded belongs to the result of the step: it is stored with the run, shown while the step
runs, compared between runs, and shown again by every run that reuses the result. It is no part of
that result: no key depends on it. Outside a step (in a unit test, or while a module is imported) recording
only checks what it is given, so that code which records can be called from anywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from stepwell.errors import CannotRecord

MANY = 3 * 8192
"""Items that wait at most before they are handed on, three for a number."""

LONGEST_NAME = 500
"""Characters of a name."""


class Recorder:
    """What takes everything that a step records.

    `points` are metrics that wait: name, value and place in a series (None: of none), name, value, place, ... in one list,
    which takes less than half of the time of a tuple each.
    """

    def __init__(self) -> None:
        self.points: list[Any] = []
        self.awake = False
        """Whether somebody will come for what waits; if not, `wake` is called for each."""

    def wake(self) -> None:
        """Something waits."""
        self.points.clear()

    def thing(self, kind: str, name: str, value: Any, step: int | None) -> None:
        """Take something else than a metric; `value` was found to be of its kind."""


class Told(Recorder):
    """Hands metrics on at once, to `told(name, value, step)`, and nothing else: for debuggers and tests."""

    def __init__(self, told: Callable[[str, float, int | None], None]) -> None:
        super().__init__()
        self._told = told

    def wake(self) -> None:
        """Hand on what waits."""
        while self.points:
            name, value, step = self.points[:3]
            del self.points[:3]
            self._told(name, value, step)


_recorder: Recorder | None = None


class RunningService(NamedTuple):
    """A service that runs while a step does: where it listens, and its own folder."""

    name: str
    host: str
    port: int
    folder: Path

    @property
    def address(self) -> str:
        """Host and port, "127.0.0.1:40913"."""
        return f"{self.host}:{self.port}"

    @property
    def url(self) -> str:
        """The address as that of a web server."""
        return f"http://{self.address}"


class CurrentStep(NamedTuple):
    """The execution that is going on: the call's id, its key, the run, and the attempt, counted from 1.

    `key` is the same in every attempt at the same work, in this run and in others, and differs as
    soon as code, inputs or parameters do: the idempotency key for whatever the step does outside.
    `services` are those that the step asks for (`services=[...]`), by name.
    """

    id: str = ""
    key: str = ""
    run: str = ""
    attempt: int = 1
    services: Mapping[str, RunningService] = MappingProxyType({})


OUTSIDE = CurrentStep()
"""No step is running: a unit test, a notebook."""

_step = OUTSIDE


def current_step() -> CurrentStep:
    """The step that is running, for effects that must happen once: `post(url, key=current_step().key)`.

    Outside of a step all of its texts are empty.
    """
    return _step


def enter(step: CurrentStep) -> None:
    """Say which step is running from now on. For workers."""
    global _step  # as `_recorder`  # noqa: PLW0603
    _step = step


def metric(name: str, value: Any, step: int | None = None) -> None:
    """Record a number under a name; `step` counts in a series (an epoch, a fold).

    `value` is anything that `float()` takes: an int, a NumPy scalar, a tensor of one element; also NaN
    and infinities. Without `step`, a later value of the same name replaces an earlier one. A call takes less than a
    microsecond: record every iteration. Raises `CannotRecord` where the name is not text on one line, the value not a number.
    """
    if type(value) is not float or type(step) is not int or type(name) is not str or name not in _sound:
        if type(name) is not str or name not in _sound:
            _named(name, "metric")
            if len(_sound) < MANY:
                _sound.add(name)
        value, step = _number(name, value), _place(name, step)
    recorder = _recorder
    if recorder is not None:
        points = recorder.points
        points += (name, value, step)
        if not recorder.awake or len(points) > MANY:
            recorder.wake()


def metrics(values: Mapping[str, Any], step: int | None = None) -> None:
    """Record several numbers by their names: `log.metrics({"loss": 0.3, "auc": 0.9}, step=epoch)`. See `metric`."""
    if not isinstance(values, Mapping):
        raise _refused(f"metrics are a dict of names and numbers, not {_kind(values)}")
    for name, value in values.items():
        metric(name, value, step)


def figure(name: str, figure: Any, step: int | None = None) -> None:
    """Record a picture under a name; `step` counts in a series of pictures.

    `figure` is a Matplotlib figure (or axes, or what has `savefig`), a Plotly figure, an Altair chart or another one that
    gives Vega-Lite, an image of Pillow, the bytes of a PNG, JPEG, GIF or WebP file, or the `Path` of one. It is drawn at
    once and stays open. One that cannot be drawn is noted with the step, which goes on. Raises `CannotRecord` for anything else.
    """
    _named(name, "figure")
    known = isinstance(figure, Path) or (isinstance(figure, bytes | bytearray) and image_type(figure) != "")
    drawn = ("savefig", "get_figure", "to_plotly_json", "_repr_png_")
    if (
        not known
        and not any(hasattr(figure, way) for way in drawn)
        and not _is_chart(figure)
        and not is_image(figure)
    ):
        raise _refused(
            f"figure `{name}` is {_kind(figure)}, which nothing here can draw",
            "a figure of Matplotlib, Plotly or Altair, an image of Pillow, the bytes of a picture, or the Path of its file",
        )
    _take("figure", name, figure, step)


def table(name: str, table: Any, step: int | None = None) -> None:
    """Record a table under a name: of pandas, Polars or Arrow, or a list of dicts, a row each. Raises `CannotRecord`."""
    _named(name, "table")
    if isinstance(table, list):
        known = all(isinstance(row, dict) and all(isinstance(key, str) for key in row) for row in table)
    else:
        from stepwell.codecs.lookup import registered  # few programs record tables

        known = registered(type(table)).startswith("arrow") or hasattr(table, "__arrow_c_stream__")
    if not known:
        raise _refused(
            f"table `{name}` is {_kind(table)}, which is no table",
            "a table of pandas, Polars or Arrow, or a list of dicts whose keys are text",
        )
    _take("table", name, table, step)


def text(name: str, text: str, step: int | None = None) -> None:
    """Record a text under a name: a report, a prompt, a summary of a model. Raises `CannotRecord` where it is none."""
    _named(name, "text")
    if not isinstance(text, str):
        raise _refused(f"text `{name}` is {_kind(text)}", "text: str(...) of it")
    _take("text", name, text, step)


def card(name: str, html: Any) -> None:
    """Record a piece of HTML, or an object that shows itself as such (`_repr_html_`), under a name.

    The page and the report show it in a frame of its own, in which no script runs. Raises `CannotRecord` for anything else.
    """
    _named(name, "card")
    if not isinstance(html, str) and not callable(getattr(html, "_repr_html_", None)):
        raise _refused(
            f"card `{name}` is {_kind(html)}", "text that is HTML, or an object with `_repr_html_`"
        )
    _take("card", name, html, None)


def progress(done: float, total: float | None = None, text: str = "") -> None:
    """Say how far the step is: `done` of `total` (None: nobody knows), and in a few words what it is at.

    Shown while the step runs, and not kept. As cheap as a metric. Raises `CannotRecord` where they are no numbers.
    """
    if not isinstance(text, str):
        raise _refused(f"what is told with progress is text, not {_kind(text)}")
    so_far = _number("progress", done)
    whole = None if total is None else _number("progress", total)
    if _recorder is not None:
        _recorder.thing("progress", "", (so_far, whole, text), None)


def tag(*names: str, **values: Any) -> None:
    """Tag the run: `log.tag("baseline")`, `log.tag(dataset="v2")`. Found again by `stepwell runs --where`.

    Raises `CannotRecord` where a tag is no text, or empty.
    """
    for name in names:
        _named(name, "tag")
    for name in names:
        _take("tag", name, "", None)
    for name, value in values.items():
        _take("tag", name, str(value), None)


def record_role(text: str) -> None:
    """Record what the role of a step found of it, as JSON. For workers."""
    _take("role", "role", text, None)


def _take(kind: str, name: str, value: Any, step: Any) -> None:
    place = _place(name, step)
    if _recorder is not None:
        _recorder.thing(kind, name, value, place)


_sound: set[str] = set()
"""Names of metrics that were looked at, and are well: a metric is recorded a million times."""


def _named(name: object, what: str) -> None:
    if not isinstance(name, str) or not name.strip():
        raise _refused(f"the name of a {what} is text, not {name!r:.80}")
    if len(name) > LONGEST_NAME and what != "metric":  # that is cut, with a note
        raise _refused(f"the name of a {what} has {len(name):,} characters", f"at most {LONGEST_NAME}")


def _number(name: str, value: Any) -> float:
    """The value as a float."""
    if isinstance(value, str | bytes):
        raise _refused(f"metric `{name}` is the text {value!r:.80}, not a number")
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise _refused(f"metric `{name}` is {_kind(value)}, not a number: {error}") from None


def _place(name: str, step: Any) -> int | None:
    """The place in a series as an int."""
    if step is None:
        return None
    try:
        place = int(step)
    except (TypeError, ValueError, OverflowError):
        raise _refused(f"the step of `{name}` is {step!r:.80}, not a whole number") from None
    if place != step or not -(1 << 62) < place < 1 << 62:
        raise _refused(f"the step of `{name}` is {step!r:.80}, not a whole number of reasonable size")
    return place


def _is_chart(value: Any) -> bool:
    """Whether a value gives Vega-Lite: an Altair chart, or the dict of one."""
    if isinstance(value, dict):
        return "vega" in str(value.get("$schema", ""))
    return callable(getattr(value, "to_dict", None)) and type(value).__module__.partition(".")[0] == "altair"


def is_image(value: Any) -> bool:
    """Whether a value is an image of Pillow."""
    return hasattr(value, "getbbox") and hasattr(value, "save")


_MAGIC = {b"\x89PNG\r\n\x1a\n": "png", b"\xff\xd8\xff": "jpeg", b"GIF87a": "gif", b"GIF89a": "gif"}


def image_type(data: bytes | bytearray) -> str:
    """What kind of picture a file is by its first bytes: png, jpeg, gif, webp, or "" for anything else."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "webp"
    return next((kind for magic, kind in _MAGIC.items() if data.startswith(magic)), "")


def _kind(value: object) -> str:
    name = type(value).__qualname__
    return f"an {name}" if name[:1].lower() in "aeio" else f"a {name}"


def _refused(what: str, wanted: str = "") -> CannotRecord:
    return CannotRecord(what, fixes=[f"give {wanted}"] if wanted else ())


def record_with(recorder: Recorder | None) -> Recorder | None:
    """Send what is recorded to `recorder` from now on (None: nowhere); returns where it went before. For workers."""
    global _recorder  # one task at a time in a process, and the threads of a step share it
    before, _recorder = _recorder, recorder
    return before
