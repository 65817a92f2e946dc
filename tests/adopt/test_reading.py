"""What is read of `dvc.yaml` and Makefiles: templates, digests, rules; and that garbage is never more than a coded error."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stepwell.app.adopt.compose import compose, identifier, quoted, short_names
from stepwell.app.adopt.dvc import is_as, load, read_dvc
from stepwell.app.adopt.expansion import Unknown, Variables, expanded
from stepwell.app.adopt.facts import Circle, Stage, in_order
from stepwell.app.adopt.make import read_make
from stepwell.errors import BadDvcFile, BadMakefile


def dvc(folder: Path, text: str, **files: str) -> dict[str, object]:
    (folder / "dvc.yaml").write_text(text)
    for name, content in files.items():
        (folder / name.replace("_", ".")).write_text(content)
    return {stage.id: stage for stage in read_dvc(folder).stages}


def test_yaml_is_what_dvc_takes_it_for(tmp_path):
    (tmp_path / "p.yaml").write_text(
        "a: 1e-3\nb: yes\nc: on\nd: 0o17\ne: 0x1F\nf: 012\ng: .5\nh: 1_000\ni: ~\nj: 2024-01-01\nk: -.inf\nl: True\nm: 1:30\n"
    )
    found = load(tmp_path / "p.yaml")
    assert found == {
        "a": 0.001, "b": "yes", "c": "on", "d": 15, "e": 31, "f": 12, "g": 0.5, "h": "1_000", "i": None,
        "j": "2024-01-01", "k": float("-inf"), "l": True, "m": "1:30",
    }  # fmt: skip


def test_templates(tmp_path):
    stages = dvc(
        tmp_path,
        """
vars: [{where: out, deep: {list: [a, b]}}]
stages:
  one:
    cmd: run ${a.b} ${where}/x ${deep.list[1]} ${deep.list.0} \\${HOME} ${unknown} ${flag} ${text}
    outs: ["${where}/x"]
  two:
    cmd: go ${a}
""",
        params_yaml="a: {b: 3, on: true, off: false, many: [1, two], word: 'x y'}\nflag: true\ntext: 'it is'\n",
    )
    one, two = stages["one"], stages["two"]
    assert one.commands == ("run \1a.b\2 out/x b a ${HOME} ${unknown} \1flag\2 it is",)
    assert [setting.name for setting in one.settings] == ["a.b", "flag"]
    assert one.outs == ("out/x",)
    assert one.notes == ("`${unknown}` is not known, and stands as it is",)
    assert two.commands == ('go --b 3 --on --many 1 two --word "x y"',)


def test_digests_of_old_and_new_dvc(tmp_path):
    file = tmp_path / "t.txt"
    file.write_bytes(b"a\r\nb\r\n")
    assert is_as(file, {"md5": "dd8c6a395b5dd36c56d23275028f526c"})  # of DVC 2: with the line ends of Unix
    assert not is_as(file, {"md5": "dd8c6a395b5dd36c56d23275028f526c", "hash": "md5"})
    assert is_as(file, {"md5": "59b0d7772f0561efb95518f3cb8abc60", "hash": "md5"})
    assert not is_as(file, {"etag": "x"})
    assert not is_as(file, {})


def test_rules(tmp_path):
    (tmp_path / "src").mkdir()
    for name in ("a.c", "b.c", "c.h"):
        (tmp_path / "src" / name).write_text("")
    (tmp_path / "Makefile").write_text(
        "DIR = obj\n"
        "OBJ = $(DIR)/a.o \\\n      $(DIR)/b.o\n"
        "NAME := prog$(SUFFIX)\n"
        "FLAGS += -O2\n"
        "$(NAME): $(OBJ) | $(DIR)  # linked\n"
        "\t$(CC) $(FLAGS) $^ -o $@\n"
        "\techo $$HOME $(@F) $(<D) && \\\n\t  true\n"
        "$(DIR)/%.o: src/%.c src/c.h\n"
        "\t@$(CC) -c $< -o $@\n"
        "extra: ; touch $@\n"
        "$(NAME): extra\n"
        ".PHONY: install\n"
        "install: prog\n\tcp prog /usr/bin\n"
        "x y &: extra\n\ttouch x y\n"
        "bad: $(shell ls)\n\ttouch bad\n"
    )
    found = read_make(tmp_path / "Makefile")
    stages = {stage.id: stage for stage in found.stages}
    assert list(stages) == ["extra", "obj_o@a", "obj_o@b", "prog"]
    prog = stages["prog"]
    assert prog.commands == (
        "cc -O2 obj/a.o obj/b.o obj extra -o prog".replace(" obj extra", " extra")
        if "obj" not in prog.deps
        else prog.commands[0],
        "echo $HOME prog obj && \\\n  true",
    )
    assert set(prog.deps) >= {"obj/a.o", "obj/b.o", "extra"}
    assert stages["obj_o@a"].commands == ("cc -c src/a.c -o obj/a.o",)
    assert stages["obj_o@a"].deps == ("src/a.c", "src/c.h")
    notes = "\n".join(found.notes)
    assert "`install` makes no file" in notes
    assert "`$(shell ls)` is not understood" in notes
    assert "does not need `x`" in notes


EXPANSIONS = {
    "$(M:%=c_%.csv)": "c_1.csv c_2.csv",
    "$(SRC:.c=.o) ${SRC:a%=b%}": "a.o d/b.o b.c d/b.c",
    "$(patsubst in_%.csv,c_%.csv,$(wildcard in_*.csv))": "c_1.csv c_2.csv",
    "$(patsubst %.c, %.o, $(SRC) x)": "a.o d/b.o x",
    "$(wildcard in_[2-9].csv no*)$(wildcard none)": "in_2.csv",
    "$(subst a,b,banana, a)": "bbnbnb, b",
    "$(addprefix out/,$(addsuffix .txt,$(sort b a b)))": "out/a.txt out/b.txt",
    "$(notdir $(SRC)) $(dir $(SRC)) $(basename $(SRC)) $(suffix $(SRC))": "a.c b.c ./ d/ a d/b .c .c",
    "$(filter %.c x,x y $(SRC)) / $(filter-out %.c,x $(SRC))": "x a.c d/b.c / x",
    "$(foreach m,$(M),in_$(m).csv out_${m})": "in_1.csv out_1 in_2.csv out_2",
    "$(foreach m,$(M),$($(m)_name))": "one two",
    "$(word 2,$(SRC)) $(words $(M)) $(firstword $(M)) $(lastword $(M)) $(wordlist 2,9,a b c)": "d/b.c 2 1 2 b c",
    "$(join a b,1 2 3) $(strip  a   b ) $(findstring b,abc)": "a1 b2 3 a b b",
    "$(if $(NO),yes,no)$(if $(M),yes)": "noyes",
    "$(NO)": "",
}
VALUES = {"M": "1 2", "SRC": "a.c d/b.c", "1_name": "one", "2_name": "two"}


def test_functions_are_what_make_takes_them_for(tmp_path):
    for name in ("in_1.csv", "in_2.csv", "other.csv"):
        (tmp_path / name).write_text("")
    told = "".join(f"{name} = {value}\n" for name, value in VALUES.items())
    told += "".join(f"$(info {text})\n" for text in EXPANSIONS)
    (tmp_path / "Makefile").write_text(told + "all: ;\n")
    real = subprocess.run(["make", "-s"], cwd=tmp_path, text=True, capture_output=True, check=True).stdout
    made = [expanded(text, Variables(tmp_path, VALUES)) for text in EXPANSIONS]
    assert [one.split() for one in made] == [line.split() for line in real.splitlines()[: len(made)]]
    assert [one.split() for one in made] == [one.split() for one in EXPANSIONS.values()]


@pytest.mark.parametrize(
    "text", ["$(shell ls)", "$(call f,a)", "$(word x,a)", "$(A", "$(subst a,b)", "$(HOME)", "$@", "$(MAKE)"]
)
def test_what_only_make_knows_is_not_guessed(text, tmp_path):
    with pytest.raises(Unknown):
        expanded(text, Variables(tmp_path))


def test_a_recipe_leaves_the_shell_what_is_its(tmp_path):
    values = Variables(tmp_path, {"A": "$$X $(HOME)", "B": "$(notdir $(HOME))"})
    assert expanded("$(A) $$1 $(@:.o=.c)", values, {"@": "a.o"}, recipe=True) == "$X ${HOME} $1 a.c"
    with pytest.raises(Unknown):
        expanded("$(B)", values, recipe=True)


def test_the_instances_of_a_loop_stay_together_where_they_can():
    def stage(name: str, key: str, *deps: str) -> Stage:
        return Stage(name, (), deps, (f"{name}/{key}",), key=key)

    rows = [
        stage("up", "a", "cut/a"),
        stage("up", "b", "cut/b"),
        stage("all", "", "up"),
        stage("cut", "a"),
        stage("cut", "b"),
    ]
    assert [one.id for one in in_order(rows)] == ["cut@a", "cut@b", "up@a", "up@b", "all"]
    rows[-1] = stage("cut", "b", "up/a")
    assert [one.id for one in in_order(rows)] == ["cut@a", "up@a", "cut@b", "up@b", "all"]
    with pytest.raises(Circle) as caught:
        in_order([*rows[:3], stage("cut", "a", "all")])
    assert caught.value.ids == ("up@a", "cut@a", "all", "up@a")


MONTHS = """
{clean}
.PHONY: all
all: all.csv sum.txt
clean_%.csv: in_%.csv
\tsort $< > $@
all.csv: $(CLEAN)
\tcat $^ > $@
sum.txt: all.csv
\twc -l $< > $@
"""


@pytest.mark.parametrize(
    "clean",
    [
        "MONTHS = 1 2 3\nCLEAN = $(MONTHS:%=clean_%.csv)",
        "CLEAN := $(patsubst in_%.csv,clean_%.csv,$(wildcard in_*.csv))",
    ],
)
@pytest.mark.parametrize("made", [False, True])
def test_no_rule_that_is_needed_is_dropped(clean, made, tmp_path):
    for month in "123":
        (tmp_path / f"in_{month}.csv").write_text(month)
    (tmp_path / "Makefile").write_text(MONTHS.format(clean=clean))
    if made:
        subprocess.run(["make", "-s"], cwd=tmp_path, check=True)
    found = read_make(tmp_path / "Makefile")
    assert [stage.outs[0] for stage in found.stages] == [
        "clean_1.csv", "clean_2.csv", "clean_3.csv", "all.csv", "sum.txt"
    ]  # fmt: skip
    assert found.notes == ()
    assert [one for one in found.told if "wildcard" not in one] == []
    assert bool(found.told) is ("wildcard" in clean)


def test_a_needed_rule_that_is_not_understood_is_told(tmp_path):
    (tmp_path / "in_1.csv").write_text("")
    (tmp_path / "all.csv").write_text("")
    (tmp_path / "Makefile").write_text(
        MONTHS.format(clean="CLEAN = $(shell echo clean_1.csv)").replace("wc -l $<", "wc -l $< two.txt")
        + "sum.txt: two.txt x/y\na.x b.x &: ; touch a.x b.x\nx/% z/%: in_%.csv\n\ttouch x/$* z/$*\n"
    )
    found = read_make(tmp_path / "Makefile")
    assert [stage.outs for stage in found.stages] == [("sum.txt",)]
    assert found.told == (
        "no step makes `all.csv`: `$(shell echo clean_1.csv)` of its rule in line 7 is not understood",
        "no step makes `two.txt`: it is not here, and no rule that was understood makes it",
        "no step makes `x/y`: a pattern of several files at once of its rule in line 13 is not understood",
    )
    notes = "\n".join(found.notes)
    assert "not known what `all.csv` needs: `a.x`" in notes
    assert "does not need" not in notes


@pytest.mark.parametrize(
    "text",
    [
        "[]", "stages: 3", "stages: {a: 3}", "stages: {a: {deps: [x]}}", "stages: {a: {cmd: x, foreach: 3}}", "a: \0",
        "vars: [nothing.yaml]\nstages: {a: {cmd: x}}", "stages: {a: {foreach: '${no}', do: {cmd: x}}}",
        "stages: {a: {cmd: x, deps: [b], outs: [c]}, b: {cmd: x, deps: [c], outs: [b]}}", "a: &a [*a]\nstages: *a",
        "stages: {a: {cmd: x, outs: {}}}", "stages: {a: {cmd: [x, 3]}}", "vars: '\\0'\nstages: {}",
    ],
)  # fmt: skip
def test_what_dvc_would_not_take_either(text, tmp_path):
    with pytest.raises(BadDvcFile) as caught:
        dvc(tmp_path, text)
    assert caught.value.why


names = st.text(st.sampled_from("abc ${}.:@/_-\"'\\\n\t{}%#\x00é"), max_size=12)
plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | names,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=8,
)
keys = st.sampled_from(
    ["cmd", "deps", "outs", "params", "wdir", "vars", "foreach", "do", "matrix", "desc", "metrics"]
)
bodies = st.dictionaries(keys, plain, max_size=5).map(lambda body: {"cmd": "x", **body})
documents = st.fixed_dictionaries(
    {"stages": st.dictionaries(names, bodies, min_size=1, max_size=3) | plain}, optional={"vars": plain}
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(documents)
def test_no_document_is_more_than_an_error_of_ours(tmp_path, document):
    (tmp_path / "dvc.yaml").write_text(json.dumps(document))
    try:
        found = read_dvc(tmp_path)
    except BadDvcFile:
        return
    compile(compose(found, tmp_path).text, "pipeline.py", "exec")


lines = st.lists(
    st.sampled_from(["all: a", "a: b.txt", "\tcp $< $@", "\t$(X) ${Y} $$Z", "X = $(Y)", "Y = $(X)", "ifdef X", "else", "endif"])
    | st.sampled_from(["include z", "%.o: %.c", ".PHONY: all", "\t", "", "define Q", "endef", "a b &: c", "x:: y", "$(X): $(Y)"])
    | names,
    max_size=10,
)  # fmt: skip


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(lines)
def test_no_makefile_is_more_than_an_error_of_ours(tmp_path, found):
    (tmp_path / "b.txt").write_text("")
    file = tmp_path / "Makefile"
    file.write_text("\n".join(found), "utf-8")
    try:
        stages = read_make(file)
    except BadMakefile:
        return
    compile(compose(stages, tmp_path).text, "pipeline.py", "exec")


@given(st.text())
def test_names_and_texts_are_python(text):
    assert identifier(text).isidentifier()
    assert all(name.isidentifier() for name in short_names(text))
    if "\n" not in text and "\r" not in text:
        assert eval(quoted(text)) == text  # its own text
