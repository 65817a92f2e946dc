"""Edits of a manifest: they say what was meant, and leave every other byte as it was."""

from __future__ import annotations

import os
import stat
import textwrap
import tomllib
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import tomlkit
from hypothesis import given, settings
from hypothesis import strategies as st

from stepwell.author.manifest import manifest_of
from stepwell.dist.edits import Home, home_of, with_data
from stepwell.errors import BadSettings, CannotEdit, SeveralProblems, StepwellError

GIVEN = {"source": "s3://x/*.parquet", "key": ["id"], "units": {"mrr": "EUR/month"}}


def edited(folder: Path, name: str, text: str, values: dict[str, Any], data: str = "customers") -> str:
    """The text of a file after an edit; the line ends are those of the text."""
    file = folder / name
    file.write_bytes(text.encode())
    home = home_of(folder, file if name.endswith(".py") else None)
    assert home.file == file
    edit = with_data(home, data, values)
    assert file.read_bytes() == text.encode(), "nothing is written yet"
    assert edit.apply() is edit.changes
    return file.read_bytes().decode()


CASES = {
    "a first table, after the others of ours": (
        """
        [project]
        name = "x"  # a comment

        [tool.stepwell]
        environment = "strict"

        # about ruff
        [tool.ruff]
        line-length = 100
        """,
        """
        [project]
        name = "x"  # a comment

        [tool.stepwell]
        environment = "strict"

        [tool.stepwell.data.customers]
        source = "s3://x/*.parquet"
        key = ["id"]
        units = { mrr = "EUR/month" }

        # about ruff
        [tool.ruff]
        line-length = 100
        """,
    ),
    "after the other data": (
        """
        [tool.stepwell.data.a]
        source = "a"
        # key = "later"
        [tool.stepwell.data.a.units]
        x = "m"
        # about releases
        [tool.stepwell.release]
        """,
        """
        [tool.stepwell.data.a]
        source = "a"
        # key = "later"
        [tool.stepwell.data.a.units]
        x = "m"

        [tool.stepwell.data.customers]
        source = "s3://x/*.parquet"
        key = ["id"]
        units = { mrr = "EUR/month" }

        # about releases
        [tool.stepwell.release]
        """,
    ),
    "nothing of ours yet": (
        """
        [project]
        name = "x"

        """,
        """
        [project]
        name = "x"

        [tool.stepwell.data.customers]
        source = "s3://x/*.parquet"
        key = ["id"]
        units = { mrr = "EUR/month" }

        """,
    ),
    "a table that is there: its comments stay": (
        """
        [tool.stepwell.data.customers]
          source = "old"   # where it is
          # one by one
          units = { a = "m", mrr = "USD" }  # units

        # about z
        [tool.stepwell.data.z]
        source = "z"
        """,
        """
        [tool.stepwell.data.customers]
          source = "s3://x/*.parquet"   # where it is
          # one by one
          units = { mrr = "EUR/month" }  # units
          key = ["id"]

        # about z
        [tool.stepwell.data.z]
        source = "z"
        """,
    ),
    "a table on one line": (
        """
        [tool.stepwell.data]
        customers = { source = "old", doc = "it's 1_000" }  # small
        z = { source = "z" }
        """,
        """
        [tool.stepwell.data]
        customers = { source = "s3://x/*.parquet", doc = "it's 1_000", key = ["id"], units = { mrr = "EUR/month" } }  # small
        z = { source = "z" }
        """,
    ),
    "dotted keys": (
        """
        [tool.stepwell]
        data.customers.source = "old"
        data.z.source = "z"
        """,
        """
        [tool.stepwell]
        data.customers.source = "s3://x/*.parquet"
        data.customers.key = ["id"]
        data.customers.units = { mrr = "EUR/month" }
        data.z.source = "z"
        """,
    ),
    "a table of its own for units": (
        """
        [tool.stepwell.data.customers]
        source = "old"

        [tool.stepwell.data.customers.units]
        a = "m"
        mrr = "USD" # money
        """,
        """
        [tool.stepwell.data.customers]
        source = "s3://x/*.parquet"
        key = ["id"]

        [tool.stepwell.data.customers.units]
        mrr = "EUR/month" # money
        """,
    ),
    "values of several lines": (
        '''
        [tool.stepwell.data.customers]
        source = "old"
        query = """
        select [a]
        [tool.stepwell.data.z]
        """
        key = [
          "a", # first
          "b",
        ]
        [tool.other]
        ''',
        '''
        [tool.stepwell.data.customers]
        source = "s3://x/*.parquet"
        query = """
        select [a]
        [tool.stepwell.data.z]
        """
        key = ["id"]
        units = { mrr = "EUR/month" }
        [tool.other]
        ''',
    ),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("last", [True, False], ids=["ended", "unended"])
@pytest.mark.parametrize("bom", ["", "\ufeff"], ids=["", "bom"])
def test_pyproject(tmp_path, case, end, last, bom):
    before, after = (textwrap.dedent(text).removeprefix("\n") for text in CASES[case])
    if not last:
        before, after = before.rstrip("\n"), after.rstrip("\n")
    before, after = (bom + text.replace("\n", end) for text in (before, after))
    assert edited(tmp_path, "pyproject.toml", before, GIVEN) == after
    assert not with_data(home_of(tmp_path), "customers", GIVEN).changes, "it is so already"
    assert manifest_of(tmp_path).data["customers"].source == GIVEN["source"]


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_the_header_of_a_single_file(tmp_path, case, end):
    before, after = (
        "#!/usr/bin/env python\n# /// script\n"
        + "".join(f"# {line}\n" if line else "#\n" for line in textwrap.dedent(text).strip().split("\n"))
        + "# ///\n\nx = '# ///'  # no end"
        for text in CASES[case]
    )
    before, after = before.replace("\n", end), after.replace("\n", end)
    assert edited(tmp_path, "pipeline.py", before, GIVEN) == after
    assert manifest_of(tmp_path, tmp_path / "pipeline.py").data["customers"].keys == {"id": ""}


def test_lines_of_a_header_that_are_oddly_blank_stay(tmp_path):
    before = "# /// script\n# \n#\n#   [tool.stepwell]\n#   checks = []\n#  \n# [other]\n# ///\n"
    after = edited(tmp_path, "pipeline.py", before, {"source": "x"})
    rest = iter(after.split("\n"))
    assert all(line in rest for line in before.split("\n"))


def test_stepwell_toml(tmp_path):
    assert edited(tmp_path, "stepwell.toml", "", {"source": "x"}) == '[data.customers]\nsource = "x"\n'
    assert (
        edited(tmp_path, "stepwell.toml", "# ours", {"source": "x"})
        == '# ours\n\n[data.customers]\nsource = "x"'
    )
    (tmp_path / "stepwell.toml").unlink()
    home = home_of(tmp_path)
    assert home == Home("stepwell", tmp_path / "stepwell.toml")
    with_data(home, "customers", {"source": "x"}).apply()
    assert home.file.read_text() == '[data.customers]\nsource = "x"\n'


def test_where_a_manifest_would_be(tmp_path):
    script = tmp_path / "pipeline.py"
    script.write_text("x = 1\n")
    assert home_of(tmp_path, script).kind == "stepwell"
    (tmp_path / "pyproject.toml").write_text("[project]\n")
    assert home_of(tmp_path, script).kind == "pyproject"
    script.write_text("# /// script\n# dependencies = []\n# ///\n")
    assert home_of(tmp_path, script) == Home("script", script)
    assert home_of(tmp_path).kind == "pyproject"
    (tmp_path / "stepwell.toml").write_text("")
    assert home_of(tmp_path, script).kind == "stepwell", "the manifest that there is"


def test_values_of_all_kinds(tmp_path):
    values = {
        "source": 'a "b" \\ \t\x7f\u2028 ü\n\r',
        "read": {"parse_dates": ["a"], "n": 3, "x y": {"deep": [1.5, True, {}]}, "": []},
        "sample": False,
    }
    edited(tmp_path, "stepwell.toml", "", values)
    found = manifest_of(tmp_path).data["customers"]
    assert (found.source, found.read, found.sample) == tuple(values.values())
    (tmp_path / "stepwell.toml").unlink()
    text = edited(tmp_path, "pipeline.py", "# /// script\n#\n# ///\n", values)
    assert manifest_of(tmp_path, tmp_path / "pipeline.py").data["customers"] == found
    assert [line for line in text.split("\n") if line and not line.startswith("#")] == []


def test_keys_that_are_taken_away(tmp_path):
    text = '[data.customers]\nsource = "x" # a\ndoc = "d" # b\n# c\n[data.z]\nsource = "z"\n'
    after = edited(tmp_path, "stepwell.toml", text, {"doc": None, "units": None})
    assert after == text.replace('doc = "d" # b\n', "")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            "[tool.stepwell]\ndata = {} # d\nchecks = []\n",
            '[tool.stepwell]\ndata = {customers = { source = "x" }} # d\nchecks = []\n',
        ),
        ("tool = { stepwell = { checks = [] } }\na = 1\n", None),
        ("[tool]\nstepwell.checks = [] # c\n\n[b]\nc = 1\n", None),
        ("[tool]\nstepwell = { checks = [] } # c\n\n[b]\nc = 1\n", None),
        ("[[a]]\n[tool.stepwell]\n[[a]]\n", None),
        ("[tool.a]\n[b]\n[tool.stepwell]\n[tool.c]\n", None),
        ("[a]\nx = 1\n\n\n\n", None),
        ("\n\n# nothing\n", None),
        ('[tool.stepwell.data.z]\nsource = "z"\n\n\n\n[tool.z]\n', None),
    ],
)
def test_odd_ways_to_write_it(tmp_path, before, after):
    found = edited(tmp_path, "pyproject.toml", before, {"source": "x"})
    assert after is None or found == after
    new, old = tomllib.loads(found), tomllib.loads(before)
    assert new["tool"]["stepwell"]["data"].pop("customers") == {"source": "x"}
    assert _pruned(new) == _pruned(old)
    if "{" not in before:
        rest = iter(found.splitlines())
        assert all(line in rest for line in before.splitlines())


# ------------------------------------------------------------------ refused


def refused(home: Home, values: dict[str, Any], name: str = "customers") -> StepwellError:
    before = home.file.read_bytes() if home.file.exists() else None
    with pytest.raises(StepwellError) as caught:
        with_data(home, name, values).apply()
    assert (home.file.read_bytes() if home.file.exists() else None) == before
    return caught.value


@pytest.mark.parametrize(
    ("name", "values", "what"),
    [
        ("class", {"source": "x"}, "data cannot be called `class`"),
        ("json", {"source": "x"}, "data cannot be called `json`"),
        ("a-b", {"source": "x"}, "data cannot be called `a-b`"),
        ("customers", {"sorce": "x"}, "there is no `sorce`"),
        ("customers", {"source": None}, "neither `source` nor `package`"),
        ("customers", {"source": 3}, "`source = 3`"),
    ],
)
def test_what_would_be_wrong_is_not_written(tmp_path, name, values, what):
    error = refused(Home("stepwell", tmp_path / "stepwell.toml"), values, name)
    problems = error.problems if isinstance(error, SeveralProblems) else [error]
    assert what in problems[0].what
    assert all(isinstance(one, BadSettings) for one in problems)


def test_mistakes_that_were_there_before_are_told_first(tmp_path):
    (tmp_path / "stepwell.toml").write_text("\nenviroment = 'strict'\n")
    error = refused(home_of(tmp_path), {"source": "x"})
    assert type(error) is BadSettings
    assert error.where.endswith("stepwell.toml:2")


@pytest.mark.parametrize(
    ("name", "data", "error"),
    [
        ("stepwell.toml", b"\xff\xfe", CannotEdit),
        ("stepwell.toml", b"a = \n", BadSettings),
        ("stepwell.toml", b"# a\rb = 2\r", BadSettings),
        ("pyproject.toml", b"tool = 3\n", CannotEdit),
        ("pyproject.toml", b"[[tool.stepwell.data]]\nx = 1\n", StepwellError),
        ("pipeline.py", b"x = 1\n", CannotEdit),
        ("pipeline.py", b"# coding: nothing\n# /// script\n# ///\n", CannotEdit),
        (
            "pipeline.py",
            b"# /// script\n# [tool.stepwell]\n# ///\n\n# /// script\n# a = 1\n# ///\n",
            BadSettings,
        ),
        ("pipeline.py", b"# \xff\n# /// script\n# ///\n", CannotEdit),
    ],
)
def test_files_that_cannot_be_edited(tmp_path, name, data, error):
    kind = {"stepwell.toml": "stepwell", "pyproject.toml": "pyproject", "pipeline.py": "script"}[name]
    (tmp_path / name).write_bytes(data)
    found = refused(Home(kind, tmp_path / name), {"source": "x"})
    assert isinstance(found, error), found


def test_other_encodings(tmp_path):
    file = tmp_path / "pipeline.py"
    text = "# -*- coding: latin-1 -*-\n# /// script\n# dependencies = []\n# ///\nx = 'größe'\n"
    file.write_bytes(text.encode("latin-1"))
    home = Home("script", file)
    with_data(home, "customers", {"source": "x", "doc": "Größe"}).apply()
    after = file.read_bytes().decode("latin-1")
    assert '# doc = "Größe"\n' in after
    assert after.endswith("x = 'größe'\n")
    assert "does not have all of its characters" in refused(home, {"doc": "顧客"}).why


def test_somebody_else_was_there_first(tmp_path):
    file = tmp_path / "stepwell.toml"
    file.write_text("")
    edit = with_data(home_of(tmp_path), "customers", {"source": "x"})
    file.write_text("# mine\n")
    with pytest.raises(CannotEdit, match="changed by somebody else"):
        edit.apply()
    assert file.read_text() == "# mine\n"
    file.unlink()
    with pytest.raises(CannotEdit):
        edit.apply()
    assert not file.exists()


def test_mode_and_links_stay(tmp_path):
    real = tmp_path / "real.toml"
    real.write_text("")
    real.chmod(0o640)
    (tmp_path / "stepwell.toml").symlink_to(real)
    with_data(home_of(tmp_path), "customers", {"source": "x"}).apply()
    assert (tmp_path / "stepwell.toml").is_symlink()
    assert stat.S_IMODE(os.stat(real).st_mode) == 0o640
    assert "customers" in real.read_text()
    assert sorted(one.name for one in tmp_path.iterdir()) == ["real.toml", "stepwell.toml"]


def test_a_file_that_may_not_be_written():
    with TemporaryDirectory() as name:
        file, user = Path(name, "stepwell.toml"), os.geteuid()
        file.write_text("")
        file.chmod(0o444)
        if user == 0:  # who may write everywhere
            Path(name).chmod(0o755)
            os.seteuid(65534)
        try:
            assert isinstance(refused(home_of(Path(name)), {"source": "x"}), CannotEdit)
        finally:
            os.seteuid(user)


def test_a_folder_in_its_place(tmp_path):
    (tmp_path / "stepwell.toml").mkdir()
    with pytest.raises(CannotEdit):
        with_data(Home("stepwell", tmp_path / "stepwell.toml"), "customers", {"source": "x"})


# ------------------------------------------------------------------ whatever people write

WORDS = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=8)
BLANK = st.sampled_from(
    ["", "", "\n", "\n\n", "# a comment\n", "  # [tool.stepwell.data.customers]\n", "\n# x = 1\n\n"]
)
SPACE = st.sampled_from(["", " ", "  "])


@st.composite
def value(draw: st.DrawFn) -> str:
    text = tomlkit.string(draw(WORDS)).as_string()
    return draw(
        st.sampled_from([
            text, "1_000", "0x1F", "1e3", "1979-05-27T07:32:00Z", "[ ]", "{ }", f"[{text},\n  {text}, # ]\n]",
            f'"""{text[1:-1]}\n[tool.stepwell.data.customers]\nsource = "x"\n"""', "'''\n[x]\n'''", "'\"'", f"{{ a = {text} }}",
        ])
    )  # fmt: skip


@st.composite
def keys(draw: st.DrawFn, names: str) -> str:
    """Lines that set some of these one-letter names."""
    chosen = draw(st.lists(st.sampled_from(names), unique=True, max_size=3))
    return "".join(
        f"{draw(BLANK)}{draw(SPACE)}{name}{draw(SPACE)}={draw(SPACE)}{draw(value())}{draw(st.sampled_from(['', ' # why']))}\n"
        for name in chosen
    )


@st.composite
def foreign(draw: st.DrawFn, number: int) -> str:
    """A table of others."""
    head = draw(st.sampled_from(["tool.x{}", "y{}", "tool . 'z{}'", "tool.stepwell-{}"])).format(number)
    array = draw(st.booleans())
    head = f"[[{head}]]" if array else f"[{head}]"
    return f"{draw(BLANK)}{head}{draw(SPACE)}\n{draw(keys('abcdef'))}"


@st.composite
def documents(draw: st.DrawFn) -> tuple[str, str, str]:
    """What is above the table, the table or nothing, and what is below it."""
    above = draw(keys("ghijkl")) + "".join(draw(foreign(number)) for number in range(draw(st.integers(0, 2))))
    if draw(st.booleans()):
        above += f"{draw(BLANK)}[tool.stepwell.data.other]\nsource = {draw(value().filter(lambda one: one[0] == chr(34) and len(one) > 2))}\n"
    own = draw(
        st.sampled_from([
            "",
            '[tool.stepwell.data.customers]\nsource = "old" # where\n',
            "[ tool.stepwell.data . 'customers' ] # ours\n\n  doc = 'd'\n  source='old'\n  units = {a = 'm'}\n",
            "[tool.stepwell.data.customers]\nsource = '''\n[x]\n'''\nkey = [\n 'a', # a\n]\n",
        ])
    )  # fmt: skip
    below = "".join(draw(foreign(number + 5)) for number in range(draw(st.integers(0, 2))))
    return above, own, below


@settings(max_examples=150, deadline=None)
@given(documents(), st.sampled_from(["\n", "\r\n"]), st.booleans(), WORDS)
def test_everything_else_stays_byte_for_byte(tmp_path_factory, document, end, ended, word):
    above, own, below = (text.replace("\n", end) for text in document)
    before = above + own + below
    before = before if ended else before.removesuffix(end)
    end = end if end in before else "\n"
    folder = tmp_path_factory.mktemp("edit")
    file = folder / "pyproject.toml"
    file.write_bytes(before.encode())
    old = tomllib.loads(before)
    values = {"source": "s3://" + word, "key": ["id"], "units": {"a": word}}
    home = Home("pyproject", file)
    with_data(home, "customers", values).apply()
    after = file.read_bytes().decode()
    new = tomllib.loads(after)
    table = new["tool"]["stepwell"]["data"].pop("customers")
    assert values.items() <= table.items()
    before_table = old.get("tool", {}).get("stepwell", {}).get("data", {}).pop("customers", {})
    assert {key: one for key, one in table.items() if key not in values} == {
        key: one for key, one in before_table.items() if key not in values
    }
    assert _pruned(new) == _pruned(old)
    rest = iter(after.split(end))
    kept = [*above.split(end), *below.split(end)] if own else before.split(end)
    assert all(line in rest for line in kept if line), "all lines, in their order"
    assert "\n" not in after.replace(end, ""), "one kind of line end"
    if own:
        assert after.startswith(above)
        assert after.endswith(below if ended else below.removesuffix("\n").removesuffix("\r"))
    assert not with_data(home, "customers", values).changes


def _pruned(table: dict[str, Any]) -> dict[str, Any]:
    """Without tables that are empty: those around a new one were not there before."""
    stepwell = table.get("tool", {}).get("stepwell", {})
    if not stepwell.get("data", True):
        del stepwell["data"]
    if "stepwell" in table.get("tool", {}) and not stepwell:
        del table["tool"]["stepwell"]
    if not table.get("tool", True):
        del table["tool"]
    return table
