"""The manifest: where it is, what may stand in it, and what is said of everything else, at its line."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import tomlkit
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from stepwell.author import manifest, tables
from stepwell.author.manifest import Manifest, Output, manifest_of, why_no_name
from stepwell.author.settings import Settings, settings_of
from stepwell.author.tables import keys_of_lines, line_of
from stepwell.author.written import written_of
from stepwell.errors import BadHook, BadSettings, SeveralProblems, StepwellError

WHOLE = """
[project]
name = "churn"

[tool.stepwell]
environment = "strict"
checks = ["quality:no_small_models"]

[tool.stepwell.data.customers]
source = "s3://crm-exports/customers/*.parquet"
doc    = "One row per paying customer at month end"
key    = { customer_id = "crm.customer" }
units  = { mrr = "EUR/month", tenure = "month" }

[tool.stepwell.data.events]
source = "postgres://warehouse/app"
query  = "select * from events"
freeze = { from = "2026-07-01", until = 2026-08-01, by = "at" }
key    = ["event_id"]
references = { customer_id = "customers.customer_id" }
schema = { event_id = "int64", customer_id = "int64", at = "timestamp" }
read   = { parse_dates = ["at"] }
private = ["customer_id"]

[tool.stepwell.data.regions]
package = "geo-regions>=3,<4"

[tool.stepwell.params]
seed = 7

[tool.stepwell.outputs.model]
step   = "churn.train:fit"
format = "xgboost-json"
golden = { on = "customers", tolerance = 1e-6 }
gates  = ["auc >= 0.81", "auc >= production.auc - 0.005"]

[tool.stepwell.outputs.scores]
pipeline = "scoring"
schema = "churn.contracts:Scores"

[tool.stepwell.release]
embed_under = "1.5MB"
store = "s3://acme-artifacts/cas"
mirrors = ["https://mirror.example.org/cas"]
predict = "model"

[tool.stepwell.channels]
order = ["candidate", "pre-prod", "production"]
index = "s3://acme-artifacts/index"
production = { needs = ["reproduced", "2 days in staging", "approved-by: risk"] }
"""


def read(folder: Path, text: str, name: str = "stepwell.toml") -> Manifest:
    (folder / name).write_text(text, "utf-8")
    return manifest_of(folder)


def refused(folder: Path, text: str, name: str = "stepwell.toml") -> StepwellError:
    with pytest.raises(StepwellError) as caught:
        read(folder, text, name)
    return caught.value


def test_all_that_can_be_said(tmp_path):
    found = read(tmp_path, WHOLE, "pyproject.toml")
    assert found.data["customers"].keys == {"customer_id": "crm.customer"}
    assert found.data["customers"].units == {"mrr": "EUR/month", "tenure": "month"}
    events = found.data["events"]
    assert events.keys == {"event_id": ""}
    assert events.freeze == manifest.Freeze(start="2026-07-01", until="2026-08-01", by="at")
    assert events.read == {"parse_dates": ["at"]}
    assert events.private == ("customer_id",)
    assert found.data["regions"].package == "geo-regions>=3,<4"
    assert found.outputs["model"].golden == manifest.Golden(on="customers", tolerance=1e-6)
    assert found.outputs["model"].gates == ("auc >= 0.81", "auc >= production.auc - 0.005")
    assert found.outputs["scores"] == Output(pipeline="scoring", schema="churn.contracts:Scores")
    assert found.release.limit == 1_500_000
    assert found.channels.order == ("candidate", "pre-prod", "production")
    assert found.channels.channels["production"].needs[1] == "2 days in staging"
    settings = settings_of(tmp_path)
    assert settings.environment == "strict"
    assert settings.params == {"seed": 7}
    assert settings.file == "pyproject.toml"


def test_what_is_not_said_is_the_same_with_and_without_a_manifest(tmp_path):
    nothing = settings_of(tmp_path)
    assert nothing == Settings()
    assert manifest_of(tmp_path) == Manifest()
    (tmp_path / "stepwell.toml").write_text("[release]\n")
    assert settings_of(tmp_path) == Settings(file="stepwell.toml")
    (tmp_path / "stepwell.toml").write_text("")
    assert settings_of(tmp_path) == Settings(file="stepwell.toml")
    assert manifest_of(tmp_path).release.limit == 20_000_000


WRONG = [
    # the text, the line, what is said, and a part of the first thing to type
    ("[data.customers]\nsorce = 'x'", 2, "there is no `sorce` in `[data.customers]`", "did you mean `source`?"),
    ("enviroment = 'strict'", 1, "there is no `enviroment` in `stepwell.toml`", "did you mean `environment`?"),
    ("zzzz = 1", 1, "there is no `zzzz` in `stepwell.toml`", "there are: channels, checks"),
    ("\nenvironment = 'strikt'", 2, "is not one of loose, default, strict", "did you mean `strict`?"),
    ("environment = 3", 1, "`environment = 3` in `stepwell.toml` is not one of loose", 'environment = "strict"'),
    ("checks = 'a:b'", 1, '`checks = "a:b"` in `stepwell.toml` is not a list of texts', 'checks = ["'),
    ("checks = [1]", 1, "`checks = [1]`", 'checks = ["'),
    ("plan = 3", 1, "`plan = 3` in `stepwell.toml` is not a table", None),
    ("[plan]\ndepth = 'deep'", 2, "in `[plan]` is not one of", "there are: data, names, types"),
    ("data = 3", 1, "is not a table of tables", None),
    ("data.customers = 3", 1, "`customers = 3` in `[data]` is not a table", None),
    ("[data.customers]\ndoc = 'x'", 1, "`[data]` has neither `source` nor `package`", "source ="),
    ("[data.a]\nsource = 'x'\npackage = 'y'", 1, "both `source` and `package`", "source ="),
    ("[data.a]\nsource = ''", 2, '`source = ""` in `[data.a]` is not a text', "source ="),
    ("[data.a]\npackage = 'x'\nquery = 'select'", 3, "has a `query`", None),
    ("[data.a]\nsource = 'x'\nkey = 3", 3, "`key = 3` in `[data.a]` is not a table of texts or a list of", "key ="),
    ("[data.a]\nsource = 'x'\nkey = { id = 3 }", 3, "`key = { id = 3 }`", 'customer_id = "crm.customer"'),
    ("[data.a]\nsource = 'x'\n[data.a.units]\nmrr = 3", 3, "`units = { mrr = 3 }`", "units ="),
    ("[data.a]\nsource = 'x'\nschema = 'Customers'", 3, "names no contract", "churn.contracts:"),
    ("[data.a]\nsource = 'x'\nschema = 'a:b-c'", 3, "names no contract", "schema ="),
    ("[data.a]\nsource = 'x'\nschema = { mrr = 'float64' }\nunits = { mr = 'EUR' }", 4, "speaks of `mr`", "`mrr`"),
    ("[data.a]\nsource = 'x'\nschema = { mrr = 'float64' }\nkey = ['id']", 4, "speaks of `id`", "there are: mrr"),
    ("[data.a]\nsource = 'x'\nreferences = { id = 'b.id' }", 3, "there is no data `b`", "there are: a"),
    ("[data.a]\nsource = 'x'\nreferences = { id = 'id' }", 3, "is no column of other data", "customers.customer_id"),
    ("[data.a]\nsource = 'x'\nsample = 'no'", 3, "is not true or false", None),
    ("[data.a]\nsource = 'x'\ntype = 'a b'", 3, '`type = "a b"`', "pandas.DataFrame"),
    ("[data.a]\nsource = 'x'\nfreeze = { from = 'monday' }", 3, "is no date", "2026-07-01"),
    ("[data.a]\nsource = 'x'\nfreeze = { frm = '2026-07-01' }", 3, "no `frm` in `[data.a.freeze]`", "`from`"),
    ("[data.a]\nsource = 'x'\nfreeze = { from = 2026-07-01, until = 2026-07-01 }", 3, "not after `from`", None),
    ("[data.a]\nsource = 'x'\nfreeze = true", 3, "`freeze = true` in `[data.a]` is not a table", None),
    ("[data.class]\nsource = 'x'", 1, "data cannot be called `class`", "for example"),
    ("[data.'a b']\nsource = 'x'", 1, "data cannot be called `a b`", "a_b"),
    ("[data.calendar]\nsource = 'x'", 1, "data cannot be called `calendar`", "calendar_data"),
    ("[data._x]\nsource = 'x'", 1, "data cannot be called `_x`", "x"),
    ("[outputs.'my model']\nstep = 'fit'", 1, "an output cannot be called `my model`", None),
    ("[outputs.model]\nformat = 'pickle'", 1, "needs `step` or `pipeline`", 'step = "fit"'),
    ("[outputs.model]\nstep = 'a fit'", 2, '`step = "a fit"`', 'step = "fit"'),
    ("[outputs.model]\nstep = 'f'\ngolden = { tolerance = 1 }", 3, "`[outputs.model.golden]` needs `on`", "on ="),
    ("[outputs.model]\nstep = 'f'\n[outputs.model.golden]\non = 'gold'", 4, "neither data nor an output", "add gold ADDRESS"),
    ("[outputs.m]\nstep = 'f'\ngolden = { on = 'm', tolerance = -1 }", 3, "`tolerance = -1`", "tolerance ="),
    ("[outputs.m]\nstep = 'f'\ngolden = { on = 'm', tolerance = inf }", 3, "`tolerance = inf`", None),
    ("[outputs.m]\nstep = 'f'\ngolden = { on = 'm', tolerance = nan }", 3, "tolerance = nan", None),
    ("[outputs.m]\nstep = 'f'\ngates = 'auc > 1'", 3, "is not a list of texts", "gates ="),
    ("[release]\nembed_under = 'many'", 2, '`embed_under = "many"` in `[release]` is no size', "20MB"),
    ("[release]\nembed_under = -1", 2, "`embed_under = -1`", "20MB"),
    ("[release]\nname = '-x'", 2, '`name = "-x"`', "churn"),
    ("[release]\npredict = 'modl'\n[outputs.model]\nstep = 'f'", 2, "which is no output", "did you mean `model`?"),
    ("[release]\npredict = 'model'", 2, "which is no output", "outputs.model"),
    ("[channels]\norder = ['Produce']", 2, 'has "Produce", which no channel can be called', None),
    ("[channels]\norder = ['a', 'a']", 2, "has a channel twice", None),
    ("[channels]\nprodction = { needs = [] }", 2, "no `prodction` in `[channels]`", "did you mean `production`?"),
    ("[channels]\nproduction = { need = [] }", 2, "`need` in `[channels.production]`", "did you mean `needs`?"),
    ("[channels]\nproduction = ['x']", 2, "is not a table", None),
    ("[hooks]\nsucces = 'x'", 2, "there is no `succes` in `[hooks]`", "did you mean `success`?"),
    ("params = 3", 1, "`params = 3` in `stepwell.toml` is not a table", "params ="),
    ("workspace = '..'", 1, "is not a list of texts", "workspace ="),
    ("containers = 3", 1, "is not a text", "podman"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "line", "what", "fix"), WRONG, ids=[case[0][:40] for case in WRONG])
def test_what_is_wrong_is_told_at_its_line(text, line, what, fix, tmp_path):
    error = refused(tmp_path, text)
    assert type(error) is (BadHook if "hooks" in text else BadSettings), error
    assert what in error.what
    assert error.where.endswith(f"stepwell.toml:{line}"), error.where
    assert "{at}" not in str(error)
    assert fix is None or fix in (error.fixes[0] if error.fixes else ""), error.fixes


@pytest.mark.parametrize(("text", "line", "what", "fix"), WRONG, ids=[case[0][:40] for case in WRONG])
def test_the_published_schema_refuses_no_less_of_what_it_can_see(text, line, what, fix):
    """What only a reader of the whole can see is beyond a schema; a type, a name of a key or a word is not."""
    beyond = (
        "speaks of",
        "no data",
        "is no date",
        "not after",
        "cannot be called",
        "neither data",
        "no contract",
    )
    more = (
        "no size",
        "no output",
        "twice",
        "which no channel",
        "no column",
        "`query`",
        "prodction",
        "= inf",
        "nan",
    )
    if not any(word in what for word in (*beyond, *more)) and "2026" not in text and "-1" not in what:
        assert not SCHEMA.is_valid(tomllib.loads(text)), text


SCHEMA = Draft202012Validator(manifest.schema())


def test_the_published_schema_takes_what_is_right(tmp_path):
    table = tomllib.loads(WHOLE.replace("2026-08-01,", '"2026-08-01",'))["tool"]["stepwell"]
    SCHEMA.validate(table)
    SCHEMA.validate({})
    SCHEMA.check_schema(manifest.schema())


def test_every_key_has_words_and_its_examples_are_right():
    for kind in vars(manifest).values():
        if isinstance(kind, type) and issubclass(kind, manifest.Table):
            for one in tables.fields_of(kind).values():
                assert one.meta.description, (kind, one.name)
                for example in one.meta.examples or () if one.name != "channels" else ():
                    mistakes: list[Any] = []
                    tables._value(one, example, (one.name,), mistakes)
                    assert not mistakes, (kind, one.name)


def test_the_page_shows_what_is_right(tmp_path):
    page = (Path(__file__).parents[2] / "docs" / "reference" / "manifest.md").read_text("utf-8")
    examples = dict(re.findall(r"```(toml|python)\n(.*?)```", page, re.DOTALL))
    assert {*read(tmp_path, examples["toml"], "pyproject.toml").data} == {"customers", "orders"}
    file = tmp_path / "pipeline.py"
    file.write_text(examples["python"])
    assert {*manifest_of(tmp_path, file).data} == {"orders"}


def test_all_mistakes_are_told_at_once(tmp_path):
    error = refused(tmp_path, "[data.a]\nsorce = 'x'\n[data.b]\nsource = 3\n[release]\nstore = 1\n")
    assert isinstance(error, SeveralProblems)
    assert [one.where.rpartition(":")[2] for one in error.problems] == ["2", "4", "6"]


# ------------------------------------------------------------------ where it is


def test_stepwell_toml_goes_before_pyproject(tmp_path):
    (tmp_path / "pyproject.toml").write_text("[tool.stepwell]\nenvironment = 'loose'\n")
    assert settings_of(tmp_path).environment == "loose"
    (tmp_path / "stepwell.toml").write_text("environment = 'strict'\n")
    assert settings_of(tmp_path).environment == "strict"


@pytest.mark.parametrize(
    "text",
    [
        "[tool.stepwell]\nenvironment = 'loose'",
        "tool.stepwell.environment = 'loose'",
        "tool = { stepwell = { environment = 'loose' } }",
        "[tool]\nstepwell.environment = 'loose'",
        "[tool]\nother = 1\nstepwell = { environment = 'loose' }",
        "[tool.'stepwell']\nenvironment = 'loose'",
        "[ tool . stepwell ]\nenvironment = 'loose'",
        "[project]\ndependencies = [\n  'stepwell==1',\n]\n[tool.stepwell]\nenvironment = 'loose'",
    ],
)
def test_all_ways_to_write_the_table(tmp_path, text):
    (tmp_path / "pyproject.toml").write_text(text)
    assert settings_of(tmp_path).environment == "loose"
    assert settings_of(tmp_path).file == "pyproject.toml"


@pytest.mark.parametrize(
    "text",
    ["[project]\ndependencies = ['stepwell[pandas]>=1', 'stepwell']\n", "[tool.stepwells]\na = 1\n", ""],
)
def test_a_pyproject_of_others(tmp_path, text):
    (tmp_path / "pyproject.toml").write_text(text)
    assert written_of(tmp_path) is None


def test_files_that_cannot_be_read(tmp_path):
    file = tmp_path / "pyproject.toml"
    file.write_text("[tool.stepwell]\na = \n")
    with pytest.raises(BadSettings) as caught:
        settings_of(tmp_path)
    assert caught.value.where.endswith("pyproject.toml:2")
    file.write_bytes("[tool.stepwell]\n# é".encode("latin-1"))
    assert "cannot be read" in refused_of(tmp_path)
    file.write_text("[tool]\nstepwell = 3\n")
    assert "is not a table" in refused_of(tmp_path)
    file.write_text("[[tool.stepwell]]\na = 1\n")
    assert "is not a table" in refused_of(tmp_path)
    file.write_bytes(b"\xef\xbb\xbf[tool.stepwell]\r\nenvironment = 'loose'\r\n")
    assert settings_of(tmp_path).environment == "loose"


def refused_of(root: Path, file: Path | None = None) -> str:
    with pytest.raises(BadSettings) as caught:
        settings_of(root, file)
    return str(caught.value)


HEADER = """#!/usr/bin/env python
{coding}# /// script
# dependencies = ["stepwell"]
#
# [tool.stepwell.data.flights]
# source = "flights.csv"  # größer
# {more}
# ///
'''A pipeline.'''
"""


def script(folder: Path, more: str = "", coding: str = "", end: str = "\n", encoding: str = "utf-8") -> Path:
    file = folder / "pipeline.py"
    text = HEADER.replace("{coding}", coding).replace("{more}", more)
    file.write_bytes(text.replace("\n", end).encode(encoding))
    return file


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize(
    ("encoding", "coding"),
    [
        ("utf-8", ""),
        ("utf-8-sig", ""),
        ("latin-1", "# -*- coding: latin-1 -*-\n"),
        ("cp1252", "# coding=cp1252\n"),
    ],
)
def test_the_header_of_a_single_file(tmp_path, end, encoding, coding):
    (tmp_path / "stepwell.toml").write_text("environment = 'loose'\n")
    file = script(tmp_path, "doc = 'größer'", coding, end, encoding)
    assert manifest_of(tmp_path, file).data["flights"].doc == "größer"
    assert settings_of(tmp_path, file).environment == "default", "a file with a manifest stands alone"
    assert settings_of(tmp_path).environment == "loose"


def test_mistakes_in_a_header_are_told_at_the_line_of_the_file(tmp_path):
    with pytest.raises(BadSettings) as caught:
        settings_of(tmp_path, script(tmp_path, "sorce = 'x'"))
    assert caught.value.where.endswith("pipeline.py:7")
    assert "did you mean" not in caught.value.what
    with pytest.raises(BadSettings) as caught:
        settings_of(tmp_path, script(tmp_path, "sorce = "))
    assert caught.value.where.endswith("pipeline.py:7")
    assert "the header of `pipeline.py` cannot be read" in caught.value.what


@pytest.mark.parametrize("setting", ["workspace = ['..']", "containers = 'podman'"])
def test_what_a_single_file_cannot_set(tmp_path, setting):
    file = script(tmp_path)
    file.write_text(f"# /// script\n# [tool.stepwell]\n# {setting}\n# ///\n")
    assert "cannot be set in the header of a file" in refused_of(tmp_path, file)


def test_two_headers(tmp_path):
    file = script(tmp_path)
    file.write_text(file.read_text() + "\n# /// script\n# dependencies = []\n# ///\n")
    said = refused_of(tmp_path, file)
    assert "has 2 headers" in said
    assert "pipeline.py:11" in said
    file.write_text("# /// script\n# ///\n# x\n\n# /// script\n# a = 1\n# ///\n")
    assert settings_of(tmp_path, file) == Settings(), "they are none of ours"


@pytest.mark.parametrize(
    "text",
    [
        "# /// script\n# [tool.stepwell]\n# environment = 'loose'\n",  # no end
        "# /// pipeline\n# [tool.stepwell]\n# environment = 'loose'\n# ///\n",
        "# /// script\n# [tool.other]\n# stepwell = 'loose'\n# ///\n",
        "  # /// script\n  # [tool.stepwell]\n  # ///\n",
        "# coding: nothing-at-all\n# /// script\n# [tool.stepwell]\n# ///\n",
    ],
)
def test_files_without_a_header_of_ours(tmp_path, text):
    file = tmp_path / "pipeline.py"
    file.write_text(text)
    assert settings_of(tmp_path, file) == Settings()
    assert settings_of(tmp_path, tmp_path / "nothing.py") == Settings()


def test_a_manifest_that_was_changed_is_read_again(tmp_path):
    for level in ("loose", "strict", "loose"):
        (tmp_path / "stepwell.toml").write_text(f"environment = {level!r}\n")
        assert settings_of(tmp_path).environment == level


# ------------------------------------------------------------------ what it costs


@pytest.mark.parametrize(
    ("pyproject", "heavy"),
    [
        ("[project]\nname = 'x'\ndependencies = ['stepwell>=1']\n", False),
        ("[tool.stepwell]\nchecks = []\n", True),
    ],
)
def test_a_project_without_a_manifest_does_not_pay_for_one(tmp_path, pyproject, heavy):
    (tmp_path / "pyproject.toml").write_text(pyproject)
    asking = (
        "import sys; from pathlib import Path; from stepwell.author.settings import settings_of\n"
        "settings_of(Path('.'), Path('pipeline.py')); print('msgspec' in sys.modules, 'tomllib' in sys.modules)"
    )
    said = subprocess.run(
        [sys.executable, "-c", asking], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert said.stdout.split() == [str(heavy)] * 2


# ------------------------------------------------------------------ names


@pytest.mark.parametrize(
    "name", ["customers", "größe", "match", "type", "data", "x1", "Customers", "id", "list", "顧客"]
)
def test_names_that_data_can_have(name):
    assert why_no_name(name) is None


@pytest.mark.parametrize(
    "name", ["", "1x", "a-b", "a.b", "class", "None", "True", "json", "sys", "_x", "__init__", "stepwell", "ﬁ", "a b", "x\n"]
)  # fmt: skip
def test_names_that_data_cannot_have(name):
    reason = why_no_name(name)
    assert reason is not None
    offered = reason[1][0].removeprefix("for example: ")
    assert why_no_name(offered) is None


# ------------------------------------------------------------------ lines


def test_lines_of_keys():
    text = '[a]\nb = """\n[c]\nd = 1\n"""\n["x.y".z]\n q . "r s" = [\n [1],\n "]",\n]\n[e]\n'
    assert list(keys_of_lines(text.split("\n"))) == [
        (0, ("a",), True),
        (1, ("a", "b"), False),
        (5, ("x.y", "z"), True),
        (6, ("x.y", "z", "q", "r s"), False),
        (10, ("e",), True),
    ]
    assert line_of(text, ("x.y", "z", "q", "r s")) == 7
    assert line_of(text, ("a", "zzz")) == 1
    assert line_of(text, ("nothing",)) == 0


TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=12)


@st.composite
def values(draw: st.DrawFn) -> str:
    """A value as TOML, on one line or several: with quotes, brackets and marks of comments in it."""
    text = draw(TEXTS | st.sampled_from(["[", "# x", '"', "'", "]", "x = 1", "[a]"]))
    kind = draw(st.sampled_from(["text", "long", "literal", "list", "table"]))
    if kind == "text":
        return tomlkit.string(text).as_string()
    if kind == "long":
        return '"""' + tomlkit.string(text).as_string()[1:-1] + '\n[x]\na = 1\n"""'
    if kind == "literal":
        return "'''" + text.replace("'", "") + "\n[x]\ny = \"\n'''"
    if kind == "list":
        return "[\n " + "\n, ".join(draw(st.lists(values(), max_size=3))) + "\n]  # it's ["
    return "{ a = " + tomlkit.string(text).as_string() + " }"


@given(st.dictionaries(TEXTS, values(), min_size=1, max_size=6))
def test_the_line_of_whatever_is_written(document):
    text, lines = "", {}
    for key, value in document.items():
        lines[key] = text.count("\n")
        text += f"{tomlkit.string(key).as_string()} = {value}\n"
    tomllib.loads(text)
    assert list(keys_of_lines(text.split("\n"))) == [(line, (key,), False) for key, line in lines.items()]
