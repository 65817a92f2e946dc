"""Layers of parameters: which of several values counts, where it came from, and everything that is wrong at once."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, TypedDict
from uuid import UUID

import attrs
import pydantic
import pytest

from stepwell import Range, Secret, pipeline
from stepwell.author.layers import Origin, Table, layered, outside, read
from stepwell.author.params import from_call, parse
from stepwell.errors import (
    BadParameter,
    BadParameterFile,
    SecretInTheOpen,
    SeveralProblems,
    StepwellError,
    UnknownParameter,
)


@dataclass(frozen=True)
class Inner:
    rate: float = 0.1
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Options:
    lr: float = 0.5
    depth: int = 3
    inner: Inner = Inner()

    def __post_init__(self) -> None:
        if self.depth < 0:
            raise ValueError("depth cannot be negative")


class Model(pydantic.BaseModel):
    lr: float
    depth: int = pydantic.Field(default=3, ge=1)


@attrs.frozen
class Shape:
    width: int
    height: int = 2


class Span(NamedTuple):
    start: date
    days: int = 7


class Keys(TypedDict):
    a: int


@pipeline
def delays(
    opt: Options = Options(lr=0.25),
    n: Annotated[int, Range(1, 20)] = 2,
    wait: timedelta = timedelta(minutes=1),
    mode: Literal["a", "b"] = "a",
    maybe: Options | None = None,
    free: dict[str, Any] = {"a": 1},  # noqa: B006  is never changed
    span: Span = Span(date(2026, 1, 1)),
    price: Decimal = Decimal(1),
    when: datetime | None = None,
    keys: Keys = {"a": 1},  # noqa: B006
    who: UUID | None = None,
) -> None: ...


@pipeline
def other(zoom: int = 1) -> None: ...


def test_stronger_layers_win_and_say_so():
    settings = Table("pyproject.toml", {"n": 3, "mode": "b", "delays": {"n": 4, "wait": "1h"}})
    files = [Table("a.toml", {"n": 5, "price": "1.5"}), Table("b.json", {"delays": {"n": 6}})]
    environ = {"STEPWELL_PARAM_N": "7", "UNRELATED": "x"}
    at_last = [
        (layered(delays), 2, Origin("default")),
        (layered(delays, settings=settings), 4, Origin("project", "pyproject.toml")),
        (layered(delays, files=files[:1], settings=settings), 5, Origin("file", "a.toml")),
        (layered(delays, files=files, settings=settings), 6, Origin("file", "b.json")),
        (layered(delays, [], files, environ, settings), 7, Origin("environment", "$STEPWELL_PARAM_N")),
        (layered(delays, ["n=8"], files, environ, settings), 8, Origin("command line")),
    ]
    for found, n, origin in at_last:
        assert found.values["n"] == n
        assert found.origins["n"] == origin
        assert list(found.values) == list(delays.signature.parameters)
        assert set(found.origins) >= set(found.values)
    last = at_last[-1][0]
    assert last.values["mode"] == "b"
    assert last.values["wait"] == timedelta(hours=1)
    assert last.values["price"] == Decimal("1.5")
    assert last.origins["price"].text == "a.toml"


def test_records_are_put_together_field_by_field():
    files = [Table("p.toml", {"opt": {"depth": 7, "inner": {"rate": 2}}})]
    environ = {"STEPWELL_PARAM_OPT__INNER__NAMES": '["x"]', "STEPWELL_PARAM_MAYBE__LR": "0.9"}
    found = layered(delays, ["opt.lr=0.1"], files, environ)
    assert found.values["opt"] == Options(0.1, 7, Inner(2.0, ("x",)))
    assert found.values["maybe"] == Options(0.9)
    assert found.origins["opt"] == Origin("command line")
    assert found.origins["opt.depth"] == Origin("file", "p.toml")
    assert found.origins["opt.inner.names"] == Origin("environment", "$STEPWELL_PARAM_OPT__INNER__NAMES")
    assert layered(delays, ["opt.depth=9"]).values["opt"] == Options(0.25, 9), (
        "the default's other fields stay"
    )
    assert layered(delays, ["opt={depth = 9}"], files).values["opt"] == Options(0.25, 9, Inner(2.0))
    assert layered(delays, ["maybe=none"], [], {"STEPWELL_PARAM_MAYBE__LR": "1"}).values["maybe"] is None
    assert layered(delays, ["span.days=1"]).values["span"] == Span(date(2026, 1, 1), 1)
    assert layered(delays, ["span=[2026-02-02, 3]"]).values["span"] == Span(date(2026, 2, 2), 3)
    assert layered(delays, ["keys.a=5"]).values["keys"] == {"a": 5}


def test_a_dict_is_one_value_but_for_single_keys_on_the_command_line():
    assert layered(delays, [], [Table("p.toml", {"free": {"b": 2}})]).values["free"] == {"b": 2}
    assert layered(delays, ["free.b=2"]).values["free"] == {"a": 1, "b": 2}
    assert layered(delays, ["free.b.c=x"], [Table("p.toml", {"free": {"d": 3}})]).values["free"] == {
        "d": 3,
        "b": {"c": "x"},
    }


def test_models_of_other_libraries():
    @pipeline
    def main(model: Model, shape: Shape = Shape(1)) -> None: ...

    found = layered(main, ["model.lr=0.5", "shape.height=4"], [Table("p.yaml", {"model": {"depth": 2}})])
    assert found.values == {"model": Model(lr=0.5, depth=2), "shape": Shape(1, 4)}
    with pytest.raises(BadParameter, match=r"p\.yaml") as caught:
        layered(main, ["model.lr=1"], [Table("p.yaml", {"model": {"depth": 0}})])
    assert "greater than or equal to 1" in caught.value.why


def test_everything_that_is_wrong_is_told_at_once_with_where_it_came_from():
    with pytest.raises(SeveralProblems) as caught:
        layered(
            delays,
            ["n=99", "opt.l=3", "opt.lr=k"],
            [Table("p.toml", {"mode": "z", "wat": 1, "delays": {"prise": 2}, "opt": {"depth": "x"}})],
            {"STEPWELL_PARAM_WAIT": "soon", "STEPWELL_PARAM_M": "1"},
            Table("pyproject.toml", {"price": "x"}),
        )
    told = [error.what for error in caught.value.problems]
    for what in (
        "`n=99`: 99 is not at most 20",
        "`opt.l=3` is not an Options",
        "`opt.lr=k` is not a float",
        "`p.toml: mode = 'z'` is not a Literal['a', 'b']",
        "p.toml: `delays` has no parameter `wat`",
        "p.toml: `delays` has no parameter `delays.prise`",
        "`p.toml: opt = {'depth': 'x'}` is not an int",
        "`$STEPWELL_PARAM_WAIT=soon` is not a timedelta",
        "`$STEPWELL_PARAM_M` sets no parameter of `delays`",
        "`pyproject.toml: price = 'x'` is not a Decimal",
    ):
        assert any(one.startswith(what) for one in told), (what, told)
    assert len(told) == 10
    fixes = " ".join(fix for error in caught.value.problems for fix in error.fixes)
    assert "did you mean `price`?" in fixes
    assert "did you mean `STEPWELL_PARAM_N`?" in fixes


def test_a_weaker_value_that_is_wrong_and_covered_does_no_harm():
    assert layered(delays, ["n=3"], [Table("p.toml", {"n": "x"})]).values["n"] == 3


def test_what_a_class_itself_refuses_is_told_with_all_origins():
    with pytest.raises(BadParameter, match="is not an Options") as caught:
        layered(delays, ["opt.depth=-1"], [Table("p.toml", {"opt": {"lr": 1}})])
    assert caught.value.why == "depth cannot be negative"
    assert "opt.depth=-1" in caught.value.what
    assert "p.toml" in caught.value.what


def test_names_of_other_pipelines_of_the_file():
    others = {"other": other, "delays": delays}
    settings = Table("pyproject.toml", {"zoom": 4, "other": {"zoom": 5}, "somewhere_else": {"x": 1}})
    assert layered(delays, (), (), {"STEPWELL_PARAM_ZOOM": "2"}, settings, others).values["n"] == 2
    assert layered(other, (), (), {"STEPWELL_PARAM_N": "2"}, settings, others).values["zoom"] == 5
    for table in ({"zom": 1}, {"delay": {"n": 1}}, {"delays": {"zoom": 1}}):
        with pytest.raises(UnknownParameter, match=r"pyproject\.toml"):
            layered(delays, (), (), {}, Table("pyproject.toml", table), others)
    with pytest.raises(UnknownParameter, match=r"p\.toml"):
        layered(delays, (), [Table("p.toml", {"zoom": 1})], {}, None, others)
    assert layered(delays, (), [Table("p.toml", {"other": {"zoom": 1}})], {}, None, others).values["n"] == 2


def test_variables_are_matched_exactly_before_they_are_matched_in_capitals():
    @pipeline
    def main(depth: int = 1, Depth: int = 2, a__b: int = 3) -> None: ...

    environ = {"STEPWELL_PARAM_depth": "5", "STEPWELL_PARAM_Depth": "6", "STEPWELL_PARAM_A__B": "7"}
    assert layered(main, environ=environ).values == {"depth": 5, "Depth": 6, "a__b": 7}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("p.toml", 'n = 5\nwait = "2m"\n[opt]\nlr = 1\n'),
        ("p.json", json.dumps({"n": 5, "wait": "2m", "opt": {"lr": 1}})),
        ("p.yaml", "n: 5\nwait: 2m\nopt:\n  lr: 1\n"),
        ("p.yml", "\ufeffn: 5\nwait: 2m\nopt: {lr: 1}\n"),
    ],
)
def test_files(name, text, tmp_path):
    file = tmp_path / name
    file.write_text(text, "utf-8")
    found = layered(delays, files=[read(str(file))]).values
    assert (found["n"], found["wait"], found["opt"]) == (5, timedelta(minutes=2), Options(1.0))


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("p.toml", "n = ", "is not TOML"),
        ("p.json", "{", "is not JSON"),
        ("p.yaml", "a: [", "is not YAML"),
        ("p.json", "[1]", "holds a list"),
        ("p.yaml", "1: 2", "holds a dict"),
        ("p.ini", "n=1", "is no file of parameters"),
        ("p.yaml", "!!python/object/apply:os.getcwd []", "is not YAML"),
    ],
)
def test_files_that_are_none(name, text, says, tmp_path):
    (tmp_path / name).write_text(text, "utf-8")
    with pytest.raises(BadParameterFile, match=says):
        read(str(tmp_path / name))


def test_a_file_that_is_not_there_is_looked_for_by_a_near_name(tmp_path):
    (tmp_path / "params.toml").touch()
    with pytest.raises(BadParameterFile) as caught:
        read(str(tmp_path / "param.toml"))
    assert "did you mean `params.toml`?" in caught.value.fixes


def test_the_settings_of_a_project(tmp_path):
    (tmp_path / "pyproject.toml").write_text("[tool.stepwell.params]\nn = 3\n", "utf-8")
    found = outside(tmp_path, [], {"STEPWELL_PARAM_N": "4", "PATH": "x"}, {})
    assert found.settings == Table("pyproject.toml", {"n": 3})
    assert found.environ == {"STEPWELL_PARAM_N": "4"}
    (tmp_path / "stepwell.toml").write_text("[params.delays]\nn = 5\n", "utf-8")
    assert layered(delays, (), *outside(tmp_path, [], {}, {})).values["n"] == 5


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 90),
        ("1.5h", 5400),
        ("1d 12h", 129600),
        ("2m30s", 150),
        ("PT15M", 900),
        ("P1DT1H", 90000),
        ("-5ms", -0.005),
    ],
)
def test_durations(text, seconds):
    assert parse(text, timedelta) == timedelta(seconds=seconds)


# --------------------------------------------------------------------------- secrets


TOKEN = Secret("API_TOKEN")


@dataclass(frozen=True)
class Login:
    user: str = "me"
    token: Secret = TOKEN


@pipeline
def fetch(
    token: Secret = Secret("API_TOKEN"), login: Login = Login(), spare: Secret | None = None
) -> None: ...


def test_secrets_are_given_by_where_they_are(tmp_path):
    found = layered(
        fetch,
        ["token=file:/run/x", "login.token=keyring:service/user"],
        environ={"STEPWELL_PARAM_SPARE": "env:OTHER"},
    ).values
    assert found["token"] == Secret.file("/run/x")
    assert found["login"] == Login("me", Secret.keyring("service", "user"))
    assert found["spare"] == Secret("OTHER")


CANARY = "canary-7f3a9"


@pytest.mark.parametrize(
    ("words", "environ", "files"),
    [
        ([f"token={CANARY}"], {}, []),
        ([f"spare={CANARY}"], {}, []),
        ([f"login.token={CANARY}"], {}, []),
        ([f"login={{token = '{CANARY}'}}"], {}, []),
        ([f"login={{token = '{CANARY}', user = 3}}"], {}, []),
        ([f"login={{tokken = '{CANARY}'}}"], {}, []),
        ([f"login={{token = '{CANARY}"], {}, []),
        ([f"login={CANARY}"], {}, []),
        ([f"token={CANARY}", f"token={CANARY}"], {}, []),
        ([f"token=env:{CANARY}"], {}, []),
        ([], {"STEPWELL_PARAM_TOKEN": CANARY}, []),
        ([], {"STEPWELL_PARAM_LOGIN__TOKEN": CANARY}, []),
        ([], {}, [Table("p.toml", {"token": CANARY})]),
        ([], {}, [Table("p.toml", {"token": [CANARY]})]),
        ([], {}, [Table("p.toml", {"login": {"token": CANARY}})]),
        ([], {}, [Table("p.toml", {"login": {"token": {"a": CANARY}}})]),
    ],
)
def test_a_secret_in_the_open_is_refused_and_not_repeated(words, environ, files):
    with pytest.raises(StepwellError) as caught:
        layered(fetch, words, files, environ)
    errors = getattr(caught.value, "problems", None) or [caught.value]
    assert CANARY not in "".join(f"{error} {error.as_dict()}" for error in errors)


def test_a_call_with_the_secret_itself_is_refused():
    with pytest.raises(SecretInTheOpen) as caught:
        from_call(fetch, (), {"token": CANARY})
    assert CANARY not in str(caught.value)


def test_a_file_of_parameters_can_be_anywhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("p.toml").write_text("n = 3\n", "utf-8")
    assert read("p.toml") == Table("p.toml", {"n": 3})
