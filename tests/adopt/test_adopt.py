"""`stepwell adopt` on projects that real DVC and make have made: what is written, taken over, and runs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "cli"))

from cli_projects import Project

HERE = Path(__file__).parent
OUTS = {
    "dvc": ["data/features.csv", "models", "metrics.json", "parts"],
    "dvc-loops": ["clean", "sub/models", "said", "unpacked.txt", "clock.txt", "after.txt"],
}


def project_of(name: str, folder: Path) -> Project:
    project = Project(folder)
    shutil.rmtree(project.root)
    shutil.copytree(HERE / name, project.root)
    return project


@pytest.fixture(params=["dvc", "dvc-loops"])
def adopted(request, tmp_path):
    """A project with its pipeline, and everything taken over."""
    project = project_of(request.param, tmp_path)
    project.name = request.param
    project.document = project("adopt", "--json").json
    return project


def remove(path: Path) -> None:
    shutil.rmtree(path) if path.is_dir() else path.unlink()


def files(folder: Path) -> dict[str, bytes]:
    found = folder.rglob("*") if folder.is_dir() else [folder]
    return {os.path.relpath(path, folder): path.read_bytes() for path in found if path.is_file()}


def test_everything_is_taken_over_and_nothing_runs(adopted):
    assert all(stage["taken"] for stage in adopted.document["stages"])
    assert {stage["why"] for stage in adopted.document["stages"]} == {"taken over from dvc.lock"}
    decisions = adopted("plan", "--json").decisions
    always = {"clock": "run", "after": "maybe"} if adopted.name == "dvc-loops" else {}
    assert decisions == {**dict.fromkeys(decisions, "cached"), **always}
    shown = adopted("show", "last", "--json").json
    assert all("taken over from dvc.lock" in step["notes"] for step in shown["steps"])
    assert adopted.document["text"] == (adopted.root / "pipeline.py").read_text()


def test_what_runs_gives_what_dvc_gave(adopted):
    for out in OUTS[adopted.name]:
        remove(adopted.root / out)
    done = adopted("run", "--json", "--force", "*").json
    assert done["status"] == "succeeded"
    assert done["counts"]["cached"] == 0
    for out in OUTS[adopted.name]:
        assert files(adopted.root / out) == files(HERE / adopted.name / out)


def test_files_that_are_gone_are_put_back(adopted):
    for out in OUTS[adopted.name]:
        remove(adopted.root / out)
    adopted("run")
    for out in OUTS[adopted.name]:
        assert files(adopted.root / out) == files(HERE / adopted.name / out)


def ran(project: Project) -> list[str]:
    return [name for name, verb in project("plan", "--json").decisions.items() if verb == "run"]


def test_edits_run_what_they_should(tmp_path):
    project = project_of("dvc", tmp_path)
    project("adopt")
    assert ran(project) == []
    project.edit("other: 1", "other: 2", "params.yaml")
    assert ran(project) == [], "no stage reads it"
    project.edit("rate: 0.5", "rate: 0.25", "params.yaml")
    assert ran(project) == ["train"]
    assert project("plan", "rounds=4", "--json").decisions["train"] == "run"
    project.edit("rate: 0.25", "rate: 0.5", "params.yaml")
    project.edit("import csv", "import csv  # rows", "src/featurize.py")
    assert ran(project) == []
    project.edit("** 2", "** 3", "src/featurize.py")
    assert ran(project) == ["featurize"]
    project("run")
    assert ",27.0" in (project.root / "data/features.csv").read_text()
    project.edit("** 3", "** 2", "src/featurize.py")
    project("run")  # all of it is in the store still
    assert (project.root / "models/model.json").read_bytes() == (HERE / "dvc/models/model.json").read_bytes()


@pytest.mark.parametrize(
    ("file", "old", "new", "left"),
    [
        ("data/raw.csv", "5,7", "5,8", {"featurize": "`data/raw.csv` is another"}),
        ("data/features.csv", "9.0", "9.1", {"featurize": "`data/features.csv` is another"}),
        ("params.yaml", "0.5", "0.6", {"train": "`train.rate` of params.yaml is another"}),
        ("params.yaml", "rounds: 3", "rounds: 4", {"train": "its command is another"}),
        ("models/model.json", "0.7", "0.8", {"train": "`models` is another"}),
        ("src/split.py", "* 4", "* 5", {f"split@{key}": "`src/split.py` is another" for key in ("small", "large")}),
        ("dvc.lock", "featurize:", "featurise:", {"featurize": "it is not in dvc.lock"}),
    ],
)  # fmt: skip
def test_what_does_not_hold_is_not_taken_over(file, old, new, left, tmp_path):
    project = project_of("dvc", tmp_path)
    project.edit(old, new, file)
    stages = {stage["stage"]: stage for stage in project("adopt", "--json").json["stages"]}
    for stage, why in left.items():
        assert (stages[stage]["taken"], stages[stage]["why"]) == (False, why)
    if "featurize" in left:  # all others take in what it gives
        assert not any(stage["taken"] for stage in stages.values())
    else:
        assert {name for name, stage in stages.items() if not stage["taken"]} == set(left)


def test_the_text_is_one_that_a_person_would_have_written(tmp_path):
    for name in ("dvc", "dvc-loops", "make"):
        folder = tmp_path / name
        folder.mkdir()
        project = project_of(name, folder)
        told = project("adopt", "--dry-run")
        assert told.out == (HERE / f"{name}.txt").read_text(), f"tests/adopt/{name}.txt is another"
        assert not (project.root / "pipeline.py").exists()
        assert not (project.root / ".stepwell").exists()


def test_nothing_is_overwritten(tmp_path):
    project = project_of("dvc", tmp_path)
    project.write("mine = 1\n")
    assert project.refused("adopt", code=2)["code"] == "E110"
    assert (project.root / "pipeline.py").read_text() == "mine = 1\n"
    told = project("adopt", "-o", "adopted.py").out
    assert told.startswith("wrote adopted.py: 4 steps from dvc.yaml\n")
    assert told.endswith("now: stepwell plan adopted.py\n")
    assert set(project("plan", "adopted.py", "--json").decisions.values()) == {"cached"}
    for wrong in ("not-a-name.py", "sub/x.py", "x.txt"):
        assert project.refused("adopt", "-o", wrong, code=2)["code"] == "E100"


def test_a_missing_source_is_told_and_the_pipeline_is_there(tmp_path):
    project = project_of("dvc", tmp_path)
    (project.root / "data/raw.csv").unlink()
    done = project("adopt")
    assert "E301" in done.err
    assert "kept by DVC and not here: dvc pull data/raw.csv" in (project.root / "pipeline.py").read_text()


def test_what_cannot_be_adopted(tmp_path):
    project = Project(tmp_path)
    assert project.refused("adopt", code=2)["code"] == "E127"
    assert project.refused("adopt", "nothing.mk", code=2)["code"] == "E127"
    project.write("stages: {a: {cmd: [", "dvc.yaml")
    refused = project.refused("adopt", code=3)
    assert refused["code"] == "E370"
    assert refused["where"] == "dvc.yaml:1"
    project.write("stages: {}", "dvc.yaml")
    assert project.refused("adopt", code=2)["code"] == "E127"
    project.write("what is this\n", "Makefile")
    assert project.refused("adopt", "Makefile", code=3)["code"] == "E371"
    project.write("a: b\n\ttouch a\nb: a\n\ttouch b\n", "Makefile")
    assert project.refused("adopt", "Makefile", code=3)["code"] == "E371"
    (project.root / "sub").mkdir()
    project.write("", "stepwell.toml")
    project.write("stages: {a: {cmd: x}}", "sub/dvc.yaml")
    refused = project.refused("adopt", code=2, cwd=project.root / "sub")
    assert "touch stepwell.toml" in refused["fixes"][0]


# ------------------------------------------------------------------ commands of all sorts

COMMANDS = {
    "quotes": """echo "a  b" 'c $X' it\\'s > quotes""",
    "braces": """echo {plain} {a,b} '{"x": 1}' ${{HOME:+home}} > braces""".replace("${{", "\\${").replace(
        "}}", "}"
    ),
    "awk": "printf '1 2\\n3 4\\n' | awk '{print $2} END {print NR}' > awk",
    "script": '|\n      for i in 1 2; do\n        echo "n $i"\n      done > script\n      cat <<END >> script\n      x $((1 + 2))\n      END',
    "substitution": "echo $(basename /a/b.c) `echo tick` > substitution",
    "names": "wc -c in/put.txt > names; md5sum in/put.txt >> names",
    "hash": "echo a#b # comment {x} > nothing\n",
    "glob": "cat in/*.txt > glob",
}


def test_commands_do_what_they_did(tmp_path):
    project = Project(tmp_path)
    project.write("one\ntwo\n", "in/put.txt")
    stages = []
    for name, command in COMMANDS.items():
        written = command if command.startswith("|") else "|\n      " + command
        stages.append(
            f"  {name}:\n    cmd: {written}\n    deps: [in]\n    outs: [{name if name != 'hash' else 'hashed'}]\n"
        )
    text = "stages:\n" + "".join(stages)
    text = text.replace("> nothing", "").replace("echo a#b #", "echo a#b > hashed #")
    project.write(text, "dvc.yaml")
    import yaml

    other = tmp_path / "other"
    shutil.copytree(project.root, other)
    for stage in yaml.safe_load(text)["stages"].values():
        command = stage["cmd"].replace("\\${", "${")
        subprocess.run(["bash", "-c", command], cwd=other, env=project.env, check=True)
    project("adopt")
    project("run")
    made = {name: data for name, data in files(other).items() if name != "dvc.yaml"}
    assert len(made) == len(COMMANDS) + 1
    for name, data in made.items():
        assert (project.root / name).read_bytes() == data, name


# ------------------------------------------------------------------ what was written works


def test_a_module_that_a_script_covers_stays_a_source_of_others(tmp_path):
    project = Project(tmp_path)
    project.write("def read(path):\n    return open(path).read()\n", "src/common.py")
    for name, out in (("a", "'a.txt'"), ("b", "sys.argv[2]")):
        project.write(
            f"import sys\nfrom common import read\nopen({out}, 'w').write(read(sys.argv[1]))\n",
            f"src/{name}.py",
        )
    project.write("1\n", "data/raw.csv")
    project.write("k: 2\n", "params.yaml")
    project.write(
        """
stages:
  a:
    cmd: python src/a.py data/raw.csv
    deps: [src/a.py, src/common.py, data/raw.csv]
    params: [k]
    outs: [a.txt]
  b:
    cmd: python src/b.py a.txt b.txt
    deps: [src/b.py, src/common.py, a.txt]
    outs: [b.txt]
""",
        "dvc.yaml",
    )
    assert "now: stepwell plan" in project("adopt").out
    assert 'common_py = source("src/common.py", Path)' in (project.root / "pipeline.py").read_text()
    assert project("run", "--json").json["status"] == "succeeded"
    assert (project.root / "b.txt").read_text() == "1\n"


def test_a_pipeline_that_does_not_load_is_said_so(tmp_path, monkeypatch):
    from stepwell.app.adopt import adopting

    project = project_of("dvc", tmp_path)
    real = adopting.compose
    monkeypatch.setattr(
        adopting, "compose", lambda *given: (one := real(*given))._replace(text=one.text + "\nnowhere()\n")
    )
    done = adopting.adopt(project.root)
    assert done.problem is not None
    assert done.problem.code == "E201"
    assert not done.loads

    from argparse import Namespace

    from stepwell.cli import adopt as verb

    monkeypatch.setattr(verb, "adopt", lambda *_, **__: done)
    plain = Namespace(file="", output="pipeline.py", trust_times=False, dry_run=False, json=False)
    assert verb.run(plain) == done.problem.exit_code != 0
    assert not any("now:" in line for line in verb._told(done))


# ------------------------------------------------------------------ files of parameters

HEAD = """
vars: [{base: out}]
stages:
  head:
    cmd: python st.py raw.txt ${base}/h.txt ${n} ${rate} ${flag} ${word} ${day}
    deps: [st.py, raw.txt]
    %s
    outs: ["${base}/h.txt"]
"""
ST = """
import os, sys
os.makedirs(os.path.dirname(sys.argv[2]), exist_ok=True)
with open(sys.argv[2], "w") as out:
    out.writelines(open(sys.argv[1]).readlines()[: int(sys.argv[3])])
    print(*sys.argv[4:], file=out)
"""


@pytest.mark.parametrize("params", ["params: [n]", ""])
def test_a_parameter_is_what_its_file_says(params, tmp_path):
    project = Project(tmp_path)
    project.write(HEAD % params, "dvc.yaml")
    project.write(ST, "st.py")
    project.write("".join(f"{i}\n" for i in range(9)), "raw.txt")
    project.write("n: 2\nrate: 1e-3\nflag: true\nword: yes\nday: 2024-01-01\n", "params.yaml")
    project("adopt")
    project("run")
    made = project.root / "out/h.txt"
    assert made.read_text() == "0\n1\n0.001 true yes 2024-01-01\n"
    assert set(project("plan", "--json").decisions.values()) == {"cached"}
    project.write("n: 3\nrate: 1\nflag: false\nword: on\nday: 2024-02-01\n", "params.yaml")
    planned = project("plan", "--json")
    assert planned.decisions == {"head": "run"}
    assert planned.json["params"]["n"] == 3
    project("run")
    assert made.read_text() == "0\n1\n2\n1.0 false on 2024-02-01\n"
    project("run", "n=1")
    assert made.read_text() == "0\n1.0 false on 2024-02-01\n"


def test_what_cannot_follow_its_file_is_told_and_refused(tmp_path):
    project = Project(tmp_path)
    project.write(
        """
vars: [paths.json]
stages:
  one:
    foreach: ${langs}
    do:
      cmd: mkdir -p ${base} ${where.in} && echo ${n} ${base} > ${base}/${item}.txt
      outs: ["${base}/${item}.txt"]
""",
        "dvc.yaml",
    )
    project.write("base: out\nn: 2\nlangs: [de, fr]\n", "params.yaml")
    project.write('{"where": {"in": "x"}}', "paths.json")
    told = project("adopt").out
    assert "note: `langs`, `base` of params.yaml: what stands there now is written into steps" in told
    assert "`where.in` of paths.json" in told
    project("run")
    assert (project.root / "out/fr.txt").read_text() == "2 out\n"
    project.edit("n: 2", "n: 3", "params.yaml")
    assert set(ran(project)) == {"one-de", "one-fr"}
    project("run")
    project.edit("fr", "it", "params.yaml")
    refused = project.refused("plan", code=3)
    assert refused["code"] == "E201"
    assert "`langs` of params.yaml is another than in the steps" in refused["what"]
    project.edit("it", "fr", "params.yaml")
    assert ran(project) == []
    project.edit("x", "y", "paths.json")
    assert "`where.in` of paths.json" in project.refused("plan", code=3)["what"]


# ------------------------------------------------------------------ git


def test_what_git_would_take_for_new_is_told(tmp_path):
    project = project_of("dvc", tmp_path)
    assert "git does not" not in project("adopt").out, "there is no repository"
    (project.root / "pipeline.py").unlink()
    subprocess.run(["git", "init", "-q"], cwd=project.root, env=project.env, check=True)
    project.write("/models/\n*.csv\n", ".gitignore")
    line = next(line for line in project("adopt").out.splitlines() if "git does not" in line)
    command = line.partition(": printf ")[2]
    assert "/parts/small /parts/large" in command
    assert "models" not in command
    assert "features" not in command
    (project.root / "pipeline.py").unlink()
    subprocess.run(["bash", "-c", f"printf {command}"], cwd=project.root, env=project.env, check=True)
    assert (project.root / ".gitignore").read_text().endswith("/parts/large\n")
    assert "git does not" not in project("adopt").out


# ------------------------------------------------------------------ Makefiles


def make(project: Project, *words: str) -> None:
    subprocess.run(["make", *words], cwd=project.root, env=project.env, check=True, capture_output=True)


def test_a_makefile_runs_and_gives_what_make_gives(tmp_path):
    project = project_of("make", tmp_path)
    other = tmp_path / "other"
    shutil.copytree(project.root, other)
    subprocess.run(["make"], cwd=other, env=project.env, check=True, capture_output=True)
    project("adopt")
    assert project("run", "--json").json["status"] == "succeeded"
    assert files(project.root / "build") == files(other / "build")
    assert set(project("plan", "--json").decisions.values()) == {"cached"}
    project.edit("four", "four five", "src/b.txt")
    assert [name for name, verb in project("plan", "--json").decisions.items() if verb == "run"] == [
        "build_count-b"
    ]


def test_times_are_believed_only_where_somebody_says_so(tmp_path):
    project = project_of("make", tmp_path)
    make(project)
    assert not any(stage["taken"] for stage in project("adopt", "--json").json["stages"])
    (project.root / "pipeline.py").unlink()
    source = project.root / "src/a.txt"
    newer = (project.root / "build/total.txt").stat().st_mtime + 10
    os.utime(source, (newer, newer))
    stages = project("adopt", "--trust-times", "--json").json["stages"]
    told = {stage["stage"]: (stage["taken"], stage["why"]) for stage in stages}
    assert told["build_count@a"] == (False, "it is older than what it is made of")
    assert told["build_count@b"] == (True, "taken over by the times of its files (Makefile)")
    assert told["total.txt"] == (False, "what it takes in was not taken over")
    assert project("plan", "--json").decisions["build_count-b"] == "cached"


def test_a_rule_that_only_makes_the_folder_of_others_is_no_step(tmp_path):
    project = Project(tmp_path)
    for name in "ab":
        project.write(f"{name} {name}\n", f"src/{name}.txt")
    project.write(
        """
SRC := $(wildcard src/*.txt)
OUT = build
NAMES = $(notdir $(basename $(SRC)))
.PHONY: all
all: $(OUT)/report.txt $(foreach n,$(NAMES),stamp/$(n)) last
$(OUT):
\t@mkdir -p $@
$(OUT)/%.n: src/%.txt | $(OUT)
\twc -w < $< > $@
$(OUT)/report.txt: $(addprefix $(OUT)/,$(addsuffix .n,$(NAMES))) $(SRC:.txt=.md) | $(OUT)
\tcat $(filter %.n,$^) > $@; echo $(words $^) $(<F) >> $@
src/%.md: src/%.txt
\tcp $< $@
stamp/%:
\tmkdir -p $(@D); echo $* > $@
last: $(OUT)/report.txt | $(OUT)
\tcp $< $@
""",
        "Makefile",
    )
    other = tmp_path / "other"
    shutil.copytree(project.root, other)
    subprocess.run(["make"], cwd=other, env=project.env, check=True, capture_output=True)
    done = project("adopt")
    assert done.out.startswith("wrote pipeline.py: 8 steps from Makefile\n")
    assert not done.err
    assert project("run", "--json").json["status"] == "succeeded"
    for made in ("build", "stamp", "last"):
        assert files(project.root / made) == files(other / made)


MAKEFILES = {
    "a variable of the shell": """
all: o/a.txt o/b.txt
o/%.txt: data/%.txt
\tmkdir -p o; for item in 1 2; do echo $*-$${item} >> $@; done; cat $< >> $@
""",
    "braces that are no placeholders": """
first.txt: data/a.txt
\techo '$${HOME}' "$${HOME}" {a} > $@ ; awk '{print $$1}' $< >> $@; echo {{a}} >> $@
""",
    "a stem where no placeholder can stand": """
all: a.txt b.txt
%.txt: data/%.txt
\tX=; echo `cat $<` $${X:-$*} > $@
""",
    "what is set later": """
X := a
one.txt: data/$(X).txt
\tcp $< $@; echo $(X) $(Y) >> $@
Y := $(X)
X := b
Y += $(X)
X := c
two.txt: data/b.txt one.txt
\tcat $^ > $@
.DEFAULT_GOAL := two.txt
""",
    "conditionals, included files, variables of one target": """
include config.mk
-include gone.mk
ifdef DEBUG
MODE = debug
else ifeq ($(CONF),yes)
MODE = fast
else
MODE = slow
endif
ifneq "$(MODE)" "fast"
out.txt: no.txt
endif
CC ?= gcc
out.txt: OPT = -n
%.txt: MORE := more
out.txt: data/a.txt
\tcat $(OPT) $< > $@; echo mode=$(MODE) conf=$(CONF) $(MORE) $(CC) $(LD) >> $@
ifdef NO
\techo no >> $@
endif
""",
    "chains of patterns": """
all: data/a.txt.gz data/b.txt.gz final.txt d/e.x
%.gz: %
\tgzip -n -k -f $<
raw/%.csv:
\tmkdir -p raw && echo $* > $@
.PRECIOUS: raw/%.csv
clean/%.csv: raw/%.csv
\tmkdir -p clean; sed s/^/c-/ $< > $@
final.txt: clean/2020.csv clean/2021.csv
\tcat $^ > $@
%.x: in/%.txt data/a.txt
\techo $^ $* > $@
e%x: data/b.txt
\techo wrong > $@
""",
    "the shortest stem": """
all: lib_a.o a.o
%.o: data/%.txt
\tcp $< $@
lib_%.o: data/%.txt
\tcat $< $< > $@
""",
    "names that come twice": """
c.txt: x/m.txt
\tfalse
c.txt: y/m.txt
\tcat $^ > $@
x/m.txt: data/a.txt
\tmkdir -p x; sleep 0.3; cp $< $@
y/m.txt: data/b.txt
\tmkdir -p y; cp $< $@
""",
}


def projects_of(makefile: str, folder: Path) -> tuple[Project, Path]:
    """A project with some files and a Makefile, and what make makes of a copy."""
    project = Project(folder)
    for name, text in (("a", "x\n"), ("b", "y\n")):
        project.write(text, f"data/{name}.txt")
    project.write("e\n", "d/in/e.txt")
    project.write("CONF = yes\n", "config.mk")
    project.write(makefile, "Makefile")
    other = folder / "other"
    shutil.copytree(project.root, other)
    subprocess.run(["make"], cwd=other, env=project.env, check=True, capture_output=True)
    return project, other


@pytest.mark.parametrize("makefile", MAKEFILES.values(), ids=list(MAKEFILES))
def test_what_is_made_is_what_make_makes(makefile, tmp_path):
    project, other = projects_of(makefile, tmp_path)
    done = project("adopt")
    assert "note: " not in done.out
    assert not done.err
    assert project("run", "--json").json["status"] == "succeeded"
    made = files(other)
    assert {name: data for name, data in files(project.root).items() if name in made} == made


NOT_KNOWN = {
    "`$(LATER)`, which line 1 of more.mk may set,": ("include more.mk", "$(LATER)"),
    "`$(LATER)`, which line 2 may set,": ("include gone.mk", "$(LATER)"),
    "`$(MODE)`, which line 2 (`ifeq ($(shell uname),Linux)`) may set,": (
        "ifeq ($(shell uname),Linux)\nMODE = on\nendif",
        "$(MODE)",
    ),
    "what stands under line 2 (`ifdef HOME`)": ("ifdef HOME\nout.txt: data/b.txt\nendif", ""),
    "`$(LINES)`, which line 2 may set,": ("define LINES\none\ntwo\nendef", "$(LINES)"),
    "`$(OPT)`, which line 2 may set,": ("all: OPT = -n", "$(OPT)"),
    "`$(shell date +%H:%M)` is": ("WHEN != date +%H:%M", "$(WHEN)"),
    "a rule with `::`": ("out.txt:: data/b.txt\n\ttouch $@", ""),
}


@pytest.mark.parametrize(("what", "lines", "used"), [(what, *row) for what, row in NOT_KNOWN.items()])
def test_what_may_be_another_is_never_left_empty(what, lines, used, tmp_path):
    project = Project(tmp_path)
    project.write("x\n", "data/a.txt")
    project.write("define LATER\nendef\n", "more.mk")
    project.write(
        f".DEFAULT_GOAL := all\n{lines}\nall: out.txt end.txt\n\ttrue\nend.txt: out.txt\n\tcp $< $@\n",
        "Makefile",
    )
    with (project.root / "Makefile").open("a") as file:
        file.write(f"ifneq (,)\nendif\nout.txt: data/a.txt\n\techo {used or 'x'} > $@\n")
    told = project("adopt").out
    assert f"no step makes `out.txt`: {what}" in told
    assert "out.txt: runs" not in told


def test_only_what_is_needed_is_told_of_files_that_are_here_now(tmp_path):
    project, _ = projects_of(
        """
all: r.txt sum.txt
LATE = $(wildcard data/b*)
ALL := $(wildcard data/a*)
sum.txt: $(ALL:data/%=%)
\tcat $^ $(LATE) > $@
%.txt: data/%.txt
\tcp $< $@
r.txt: data/*.txt
\tcat $^ > $@
clean:
\trm -f $(wildcard tmp/*)
""",
        tmp_path,
    )
    told = project("adopt").out
    shown = "`$(wildcard data/b*)`, `$(wildcard data/a*)`, `data/*.txt`"
    line = next(line for line in told.splitlines() if line.startswith("note: "))
    assert set(line.partition(" stands for")[0].removeprefix("note: ").split(", ")) == set(shown.split(", "))


def test_two_pattern_rules_in_a_row_are_two_loops(tmp_path):
    project, _ = projects_of(
        """
all: build/a.up build/b.up s/a/res.txt s/b/res.txt
build/%.cnt: data/%.txt
\tmkdir -p build; wc -c < $< > $@
build/%.up: build/%.cnt
\tcp $< $@
s/%/res.txt: data/%.txt
\tmkdir -p $(@D); cp $< $@
""",
        tmp_path,
    )
    project("adopt")
    text = (project.root / "pipeline.py").read_text()
    assert text.count("shell(") == 3
    assert 'name=f"res_txt-{item}"' in text
    assert project("run", "--json").json["status"] == "succeeded"


DVC_COMMANDS = """
stages:
  shells:
    cmd: seed=9; echo ${seed} \\${seed} > a.txt
    outs: [a.txt]
  loop:
    foreach: [p, q]
    do:
      cmd: for item in 1 2; do echo ${item} \\${item}; done > ${item}.txt; echo `cat data/${item}` >> ${item}.txt
      deps: ["data/${item}"]
      outs: ["${item}.txt"]
  both:
    foreach: ${models}
    do:
      cmd: echo ${item.depth} ${depth} ${key} ${item.out} > ${key}.txt
      outs: ["${key}.txt"]
  grid:
    matrix: {a: "${sizes}", b: "${sizes}"}
    cmd: echo ${item.a.depth} ${item.b.depth} > ${item.a.depth}${item.b.depth}.txt
    outs: ["${item.a.depth}${item.b.depth}.txt"]
  two:
    cmd: echo ${rate} > rate.txt; touch grid.txt
    outs: [rate.txt, grid.txt]
  reads:
    cmd: cat values.csv > b.txt; echo '\\${HOME}' >> b.txt; cat stdout.txt >> b.txt
    deps: [values.csv, stdout.txt]
    params: [rate]
    outs: [b.txt]
"""


def test_names_of_values_are_not_those_of_others(tmp_path):
    project = Project(tmp_path)
    project.write(DVC_COMMANDS, "dvc.yaml")
    project.write(
        "seed: 3\ndepth: 7\nrate: 0.5\nsizes: [{depth: 2}, {depth: 5}]\n"
        "models:\n  m1: {depth: 2, out: x}\n  m2: {depth: 5, out: y}\n",
        "params.yaml",
    )
    for name in ("data/p", "data/q", "values.csv", "stdout.txt"):
        project.write(f"{name}\n", name)
    assert not project("adopt").err
    assert project("run", "--json").json["status"] == "succeeded"
    wanted = {
        "a": "3 9\n", "p": "p 1\np 2\ndata/p\n", "q": "q 1\nq 2\ndata/q\n", "m1": "2 7 m1 x\n", "m2": "5 7 m2 y\n",
        "25": "2 5\n", "52": "5 2\n", "rate": "0.5\n", "b": "values.csv\n${HOME}\nstdout.txt\n",
    }  # fmt: skip
    assert {name: (project.root / f"{name}.txt").read_text() for name in wanted} == wanted
