"""`shell` and `script` as steps: planned, run, cached and explained like any other, and refused where they make no sense."""

from __future__ import annotations

import os
import signal
import sys
import time

import pytest

from stepwell import shell
from stepwell.errors import BadCommand, BadCommandOutput, StepwellError

TOOLS = """
    from pathlib import Path
    from stepwell import pipeline, shell, step

    hello = shell("echo hello {who} > {out}; echo told >&2", out="hello.txt")
    count = shell("wc -c < {file}", stdout=int)
    both = shell("sort {a} > {x}", "echo '{tag}' | cat - {x} > {y}", outputs={"x": "x.txt", "y": "sub/y.txt"}, defaults={"tag": "it's"})

    @step
    def up(file: Path) -> str:
        return file.read_text().upper()

    @pipeline
    def main(who: str = "you; $(touch pwned)"):
        first = hello(who=who)
        parts = both(a=first)
        second = shell("awk '{print $2}' {f}", stdout="col.txt")(f=parts["y"])
        return up(second), count(file=parts["x"])
"""


def test_commands_are_steps_like_others(project):
    project.write(TOOLS)
    assert project("plan", "--json").decisions == dict.fromkeys(
        ["hello", "both", "awk", "up", "count"], "run"
    )
    done = project("run", "--json")
    assert done.json["result"] == ["\nYOU;\n", 26]
    assert "told" in project("logs", "last", "hello").out
    assert not (project.root / "pwned").exists()
    assert set(project("run", "--json").decisions.values()) == {"cached"}


def test_an_edit_of_the_command_runs_that_step_and_shows_the_difference(project):
    project.write(TOOLS)
    project("run")
    project.edit("echo hello", "echo hullo")
    plan = project("plan", "--json")
    assert plan.decisions["hello"] == "run"
    assert plan.decisions["both"] in ("maybe", "wait")
    told = project("why", "hello").out
    assert "+echo hullo {who}" in told
    after = project("run", "--json").decisions
    assert (after["both"], after["up"]) == ("run", "cached")  # the second column is the same


def test_it_can_be_replayed_and_described_and_not_debugged(project):
    project.write(TOOLS)
    project("run")
    assert "same" in project("replay", "hello").out
    assert "echo hello {who}" in project("describe", "hello").out
    assert "awk" in project("describe", "awk").out
    told = project("debug", "hello", code=2).err
    assert "replay hello" in told
    assert "echo hello {who}" in told


def test_an_option_that_changes_what_is_done_counts_and_others_do_not(project):
    project.write(
        'from stepwell import pipeline, shell\na = shell("exit 0", ok=0)\n\n@pipeline\ndef p():\n    a()\n'
    )
    project("run")
    project.edit("ok=0", "ok=(0, 1)")
    assert project("plan", "--json").decisions == {"a": "run"}
    project.edit("ok=(0, 1)", "ok=0, cpus=2")
    assert project("plan", "-x", "resources", "--json").decisions == {"a": "cached"}


def test_problems_are_told_together_before_anything_runs(project):
    project.write("""
        import pandas as pd
        from stepwell import pipeline, script, shell, step

        a = shell("sortt {x} > {out}", out="o.txt")
        b = shell("echo hi > /srv/result.txt")
        c = script("nowhere.py")

        @step
        def table() -> pd.DataFrame:
            return pd.DataFrame()

        @pipeline
        def p():
            a(x="1"), b(), c()
    """)
    told = project("plan", code=None)
    assert told.code == 3
    text = told.err
    assert all(code in text for code in ("E340", "E341", "E342"))
    assert "pipeline.py:4" in text
    project.edit('a(x="1"), b(), c()', "a(x=table())")
    text = project("plan", code=None).err
    assert "E205" in text
    assert "{name:csv}" in text
    project.edit("a(x=table())", "a()")
    assert "{x}" in project("plan", code=None).err


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (lambda: shell("ls", out="/etc/x"), BadCommandOutput),
        (lambda: shell("ls", out="../x"), BadCommandOutput),
        (lambda: shell("ls", outputs={"a": "x", "b": "./x"}), BadCommandOutput),
        (lambda: shell("ls", outputs={"a b": "x"}), BadCommandOutput),
        (lambda: shell("ls", out="x", outputs={"y": "y"}), BadCommandOutput),
        (lambda: shell("ls", stdout=bytes), BadCommandOutput),
        (lambda: shell(), BadCommand),
        (lambda: shell(" "), BadCommand),
        (lambda: shell(["sort -u", "x"]), BadCommand),
        (lambda: shell("echo {x}", defaults={"y": 1}), BadCommand),
        (lambda: shell("ls", ok=256), BadCommand),
        (lambda: shell("ls", cwd="/x"), BadCommand),
    ],
)
def test_what_makes_no_sense_is_refused_at_its_line(make, kind):
    with pytest.raises(kind) as error:
        make()
    assert "test_commands.py:" in error.value.where
    assert error.value.fixes


@pytest.mark.parametrize(
    ("make", "code", "told"),
    [
        (lambda: shell("false; echo on")(), "E420", "exit code 1"),
        (lambda: shell("false | cat")(), "E420", "exit code 1"),
        (lambda: shell("echo because >&2; exit 3")(), "E420", "because"),
        (lambda: shell("kill -9 $$")(), "E420", "signal 9"),
        (lambda: shell("touch a b", out="c")(), "E421", "`a`, `b`"),
        (lambda: shell("echo {x}")(x=None), "E422", "None"),
        (lambda: shell("echo {x}")(x="a\0b"), "E422", "NUL"),
        (lambda: shell("echo a{x}")(x=["a"]), "E422", "list"),
        (lambda: shell("echo many", stdout=int)(), "E405", "whole number"),
        (lambda: shell(["no-such-program"])(), "E340", "no-such-program"),
    ],
)
def test_what_goes_wrong_has_a_code_and_a_reason(make, code, told):
    with pytest.raises(StepwellError) as error:
        make()
    assert error.value.code == code
    assert told in str(error.value)


def test_exit_codes_of_success_and_values_that_are_printed():
    assert shell("exit 1", ok=(0, 1))() is None
    assert shell("echo '[1, 2]'", stdout=list[int])() == [1, 2]
    assert shell("echo 1.5", stdout=float)() == 1.5
    assert shell("printf 'a\\n\\n'", stdout=str)() == "a"
    found = shell("echo x > {a}; echo y", outputs={"a": "a.txt"}, stdout=str)()
    assert (found["a"].read_text(), found["stdout"]) == ("x\n", "y")
    folder = shell("touch {out}/one", out="many/")()
    assert [path.name for path in folder.iterdir()] == ["one"]


def test_tables_are_written_in_the_format_that_is_asked_for():
    import pandas as pd

    table = pd.DataFrame({"a": [1, 2]})
    assert shell("cat {t:csv}", stdout=str)(t=table) == "a\n1\n2"
    assert shell("cat {t:json}", stdout=list)(t=table) == [{"a": 1}, {"a": 2}]
    assert pd.read_parquet(shell("cp {t:parquet} {out}", out="t.parquet")(t=table)).equals(table)
    assert shell("cat {t:text}", stdout=str)(t="$(x)") == "$(x)"
    with pytest.raises(StepwellError) as error:
        shell("cat {t}")(t=table)
    assert "{t:csv}" in str(error.value)


def test_a_command_that_writes_into_the_project_is_told(project):
    project.write(f"""
        from stepwell import pipeline, shell
        bad = shell('d={project.root}; echo x > "$d/notes.txt"')

        @pipeline
        def p():
            bad()
    """)
    assert "E423" in project("run", code=1).out


def test_in_the_project_outputs_are_its_files_and_are_put_back(project):
    project.write("""
        from stepwell import pipeline, shell
        make = shell("mkdir -p out; echo a > out/a.txt; echo b > out/b.txt", outputs={"a": "out/a.txt", "b": "out/b.txt"}, cwd="project")

        @pipeline
        def p():
            return make()["a"]
    """)
    project("run")
    (project.root / "out" / "b.txt").write_text("other")
    (project.root / "out" / "a.txt").unlink()
    assert project("run", "--json").decisions == {"make": "cached"}
    assert (project.root / "out" / "a.txt").read_text() == "a\n"
    assert (project.root / "out" / "b.txt").read_text() == "b\n"


def test_what_lies_where_an_output_was_is_nobody_elses_to_remove(project):
    project.write("""
        from pathlib import Path
        from stepwell import pipeline, step

        @step(out="page.html")
        def page() -> Path:
            Path("page.html").write_text("made")
            return Path("page.html")

        @step(out="site")
        def site() -> Path:
            Path("site").mkdir(exist_ok=True)
            Path("site/index.html").write_text("made")
            return Path("site")

        @pipeline
        def p():
            page(), site()
    """)
    project("run")
    (project.root / "page.html").unlink()
    (project.root / "page.html").mkdir()
    (project.root / "page.html" / "mine.txt").write_text("mine")
    (project.root / "site" / "mine.txt").write_text("mine")
    (project.root / "site" / "index.html").write_text("edited")
    assert "`page.html` of `page` is a folder now, which is left as it is" in project("plan").out
    assert project("run", "--json").decisions == {"page": "cached", "site": "cached"}
    assert (project.root / "page.html" / "mine.txt").read_text() == "mine"
    assert (project.root / "site" / "mine.txt").read_text() == "mine"
    assert (project.root / "site" / "index.html").read_text() == "made"
    assert sorted(path.name for path in project.root.iterdir() if path.name.startswith(".page")) == []


def test_a_timeout_leaves_no_process(project):
    project.write("""
        from stepwell import pipeline, shell
        slow = shell("sleep 61.7 & sleep 61.7", timeout=0.5)

        @pipeline
        def p():
            slow()
    """)
    assert "E413" in project("run", code=1).out
    assert not running("61.7")
    assert "E413" in project("run", "--in-process", code=1).out
    assert not running("61.7")


def test_ctrl_c_leaves_no_process(project):
    project.write("""
        from stepwell import pipeline, shell
        slow = shell("sleep 62.7 & sleep 62.7")

        @pipeline
        def p():
            slow()
    """)
    run = project.start("run")
    limit = time.monotonic() + 20
    while not running("62.7") and time.monotonic() < limit:
        time.sleep(0.05)
    assert running("62.7")
    run.send_signal(signal.SIGINT)
    assert run.wait(20) == 130
    assert not running("62.7")


def running(word: str) -> list[str]:
    """The processes with this word in their command line."""
    found = []
    for pid in filter(str.isdecimal, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                if word.encode() in file.read().split(b"\0"):
                    found.append(pid)
        except OSError:
            continue
    return found


SCRIPTS = """
    from pathlib import Path
    from stepwell import pipeline, script, source

    raw = source("raw.csv", Path)
    featurize = script("featurize.py", "--in", "{table}", "--out", "{out}", "--k={k}", out="data/features.csv", defaults={"k": 4})
    train = script("train.sh", "{features}", outputs={"model": "models/model.txt", "metrics": "metrics.txt"})

    @pipeline
    def main():
        return train(features=featurize(table=raw()))["model"]
"""


@pytest.fixture
def scripts(project):
    project.write(SCRIPTS)
    project.write(
        """
        import sys
        from helper import double
        from package import inner
        words = dict(zip(sys.argv[1::2], sys.argv[2::2]))
        print("featurizing")
        open(words["--out"], "w").write(open(words["--in"]).read() + str(double(4)) + inner.NAME)
        """,
        "featurize.py",
    )
    project.write("def double(x):\n    return 2 * x\n", "helper.py")
    project.write("", "package/__init__.py")
    project.write("from .other import NAME\n", "package/inner.py")
    project.write("NAME = 'n'\n", "package/other.py")
    project.write(
        '#!/bin/sh\nmkdir -p models\ncat "$1" > models/model.txt\necho 1 > metrics.txt\n', "train.sh"
    )
    project.write("1,2\n", "raw.csv")
    return project


def test_scripts_are_steps_and_their_imports_are_their_code(scripts):
    scripts("run")
    assert (scripts.root / "models" / "model.txt").read_text() == "1,2\n8n"
    assert set(scripts("plan", "--json").decisions.values()) == {"cached"}
    scripts.edit("return 2 * x", "return 2 * x  # twice", "helper.py")
    assert set(scripts("plan", "--json").decisions.values()) == {"cached"}
    scripts.edit("NAME = 'n'", "NAME = 'm'", "package/other.py")
    assert scripts("plan", "--json").decisions["featurize"] == "run"
    scripts("run")
    assert (scripts.root / "models" / "model.txt").read_text() == "1,2\n8m"
    scripts.edit("cat ", "head -1 ", "train.sh")
    assert scripts("plan", "--json").decisions == {"featurize": "cached", "train": "run"}


def test_code_that_was_edited_in_the_second_in_which_it_was_compiled_is_executed(scripts):
    """Python takes such byte code for up to date: it compares whole seconds, and sizes."""
    file, second = scripts.root / "package" / "other.py", (int(time.time()) + 100) * 10**9
    env = {"PYTHONDONTWRITEBYTECODE": ""}
    os.utime(file, ns=(second, second))
    scripts("run", env=env)
    assert list((file.parent / "__pycache__").glob("other.*"))
    scripts.edit("NAME = 'n'", "NAME = 'm'", "package/other.py")
    os.utime(file, ns=(second, second + 10**8))
    scripts("run", env=env)
    assert (scripts.root / "models" / "model.txt").read_text() == "1,2\n8m"


def test_a_script_that_fails_is_told_with_its_name_and_its_last_line(scripts):
    scripts.edit('print("featurizing")', 'raise ValueError("no such column")', "featurize.py")
    error = scripts("run", "--json", code=1).steps["featurize"]["error"]
    assert error["what"].startswith("step `featurize`: the command ended with exit code 1: `featurize.py ")
    assert error["why"] == "ValueError: no such column"
    assert error["fixes"] == [
        "stepwell logs last featurize   has all that it said",
        "if 1 is no failure: ok=(0, 1)",
    ]


def test_a_script_that_is_not_python_is_told_with_its_line(scripts):
    scripts.edit("print(", "print((", "featurize.py")
    text = scripts("plan", code=3).err
    assert "E341" in text
    assert "featurize.py:" in text


def test_an_output_that_was_there_before_must_be_written_anew(scripts):
    scripts("run")
    scripts.edit("echo 1 > metrics.txt", "true", "train.sh")
    text = scripts("run", code=1).out
    assert "E421" in text
    assert "metrics.txt" in text


def test_python_is_the_projects(project):
    project.write("import sys\nprint(sys.executable)\n", "which.py")
    project.write("""
        from stepwell import pipeline, script
        which = script("which.py", stdout=str)

        @pipeline
        def p():
            return which()
    """)
    assert project("run", "--json").json["result"] == sys.executable
