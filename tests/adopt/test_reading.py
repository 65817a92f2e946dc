"""What is read of `dvc.yaml` and Makefiles: templates, digests, rules; and that garbage is never more than a coded error."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stepwell.app.adopt.compose import compose, identifier, quoted, short_names
from stepwell.app.adopt.dvc import is_as, load, read_dvc
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
    assert one.commands == ("run ${a.b} out/x b a ${HOME} ${unknown} ${flag} it is",)
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
        "bad: $(wildcard *.c)\n\ttouch bad\n"
    )
    found = read_make(tmp_path / "Makefile")
    stages = {stage.id: stage for stage in found.stages}
    assert list(stages) == ["obj_o@a", "obj_o@b", "extra", "prog"]
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
    assert "`$(wildcard *.c)` is not understood" in notes
    assert "does not need `x`" in notes


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
