"""The command line itself: where words may stand, what goes where, exit codes, names that are nearly right."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys

import pytest
from cli_projects import SCHEMAS, STEPWELL, VERBS, check_document, validator

from stepwell.cli import elsewhere


def test_schemas_are_schemas():
    for path in SCHEMAS.glob("*.json"):
        type(validator("plan")).check_schema(json.loads(path.read_text("utf-8")))
    assert set(VERBS) - {"debug"} <= {path.stem for path in SCHEMAS.glob("*.json")}  # which talks to a person


def test_hello_world_is_short(project):
    assert project("new").out == "wrote pipeline.py; now: stepwell plan\n"
    first = project("run")
    assert len(first.out.splitlines()) <= 8
    assert first.err == ""
    assert "result  285" in first.out
    assert "2 ran, 0 cached" in first.out
    second = project("run")
    assert "0 ran, 2 cached" in second.out
    assert len(second.out.splitlines()) <= 8
    assert project.refused("new", code=2)["code"] == "E110"


def test_what_modules_say_at_the_very_end_is_told_and_what_is_said_while_python_goes_is_not(project):
    project.write("""
        import atexit
        import os
        from stepwell import pipeline, step

        class Leaky:
            def __del__(self):
                os.write(2, b"leaked!")

        LEAKY = Leaky()
        atexit.register(lambda: os.write(2, b"goodbye"))

        @step
        def one() -> int:
            return 1

        @pipeline
        def ones() -> int:
            return one()
    """)
    assert project("plan").err == "goodbye"


def test_help_without_a_verb(project):
    assert project("--help").out.startswith("usage: stepwell VERB")
    assert project(code=2).out.startswith("usage: stepwell VERB")
    for words in ([], ["--help"]):
        assert all(f"  {verb} " in project(*words, code=None).out for verb in VERBS)


@pytest.mark.parametrize(
    "words", [(), ("-h",), ("--help",), ("plan", "-h"), ("version", "--help"), ("runs", "-h")]
)
def test_help_is_a_document_too(project, words):
    text = project(*words, code=None).out
    answer = project(*words, "--json")
    assert answer.json == {"help": text.rstrip("\n")}
    assert answer.err == ""


def test_new_makes_one_folder_and_no_tree(project):
    assert project("new", "a").out == "wrote a/pipeline.py; now: stepwell plan a/pipeline.py\n"
    assert project("new", "a/b.py", "--json").json == {"file": "a/b.py"}
    assert project("new", "c/d.py").code == 0
    error = project.refused("new", "x y/b/c", code=2)
    assert (error["what"], error["fixes"]) == ("there is no folder `x y/b`", ["mkdir -p 'x y/b'"])
    assert project.refused("new", "x/b/c.py", code=2)["fixes"] == ["mkdir -p x"]
    assert project.refused("new", "n" * 300, code=3)["code"] == "E503"
    assert sorted(path.name for path in project.root.iterdir()) == ["a", "c"]


@pytest.mark.parametrize("words", [("--version",), ("-V",), ("version",)])
def test_the_version_is_a_document_too(project, words):
    answer = subprocess.run([STEPWELL, "--json", *words], capture_output=True, text=True, check=True)
    check_document("version", answer.stdout)
    assert json.loads(answer.stdout)["version"] == project(*words).out.strip()


def test_any_number_of_runs_can_be_asked_for(hello):
    hello("run")
    assert len(hello("runs", "-n", "5000", "--json").json["runs"]) == 1
    assert len(hello("runs", "-n", "1" + "0" * 30, "--json").json["runs"]) == 1
    for wrong in ("0", "-1", "x", "\u0663", "1.5"):
        assert hello.refused("runs", "--limit=" + wrong, code=2)["code"] == "E100"


def test_every_verb_has_help():
    from stepwell.cli import main

    assert tuple(main.VERBS) == VERBS
    for verb in VERBS:
        done = subprocess.run(
            [sys.executable, "-c", f"from stepwell.cli.main import main; main(['{verb}', '-h'])"],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert f"usage: stepwell {verb}" in done.stdout
        assert "--json" in done.stdout


def test_options_stand_anywhere(hello):
    elsewhere = hello.root.parent
    lines = [
        ("run", "squares", "count=3", "-C", "demo", "--json", "-j", "1"),
        ("-C", "demo", "--json", "run", "squares", "count=3", "-j1"),
        ("--json", "-j", "1", "run", "-C", "demo", "count=3", "squares"),
        ("-j", "1", "--directory", "demo", "run", "count=3", "--json", "squares"),
    ]
    documents = [hello(*words, cwd=elsewhere).json for words in lines]
    assert [document["params"] for document in documents] == [{"count": 3}] * 4
    assert [document["counts"] for document in documents] == [{"run": 2, "cached": 0}] + [
        {"run": 0, "cached": 2}
    ] * 3
    assert len(hello("-n", "1", "runs", "--json", "-C", "demo", cwd=elsewhere).json["runs"]) == 1
    assert hello("-n", "run", "--json").json["counts"] == {"run": 1, "maybe": 1, "cached": 0}


def test_every_verb_once(hello):
    """Each verb as text and as JSON (checked against its schema), on one run."""
    assert "2 steps: 2 run" in hello("plan").out
    hello("plan", "--json")
    run = hello("run", "--json").json
    assert (run["status"], run["result"], run["metrics"]) == ("succeeded", 285, {"values": 10})
    assert list(run["steps"][0]["outputs"]) == ["result"]
    assert "numbers  cached" in hello("why", "numbers").out
    hello("why", "numbers", "--json")
    assert "numbers  run\n  no earlier result" in hello("why", "numbers", "r1").out
    hello("why", "numbers", "r1", "--json")
    assert (
        "result  list[int]  as json  last [0,1,4,9,16,25,36,49,64,81]  → total"
        in hello("describe", "numbers").out
    )
    assert hello("describe", "--json").json["pipeline"] == "squares"
    (row,) = hello("runs", "--json").json["runs"]
    assert {name: row[name] for name in ("run", "pipeline", "status", "params", "metrics", "commit", "dirty")} == {
        "run": "r1", "pipeline": "squares", "status": "succeeded", "params": {"count": 10},
        "metrics": {"values": 10}, "commit": None, "dirty": False,
    }  # fmt: skip
    assert "r1   squares   succeeded" in hello("runs").out
    shown = hello("show", "r1", "--json")
    assert shown.steps["total"]["metrics"] == {"values": 10}
    assert shown.steps["total"]["outputs"] == run["steps"][1]["outputs"]
    assert "count=10" in hello("show").out
    assert hello("logs", "--json").json["logs"][0]["text"] == "adding 10\n"
    assert hello("logs", "last", "total").out == "adding 10\n"
    assert hello("logs").out == "total │ adding 10\n"
    assert hello("get", "last", "total").out == "285\n"
    assert hello("get", "last", "total", "--json").json["value"] == 285
    assert hello("verify").out == "the store is sound\n"
    assert hello("verify", "--json").json == {"sound": True, "read": "1/1", "findings": []}
    assert hello("version", "--json").json["version"] == hello("version").out.strip()
    assert hello("completion", "bash", "--json").json["script"] + "\n" == hello("completion", "bash").out
    assert hello("new", "other.py", "--json").json == {"file": "other.py"}


TYPED_WRONG = {
    "rnu": (2, "E100", "did you mean `stepwell run`?"),
    "run --forse x": (2, "E100", "did you mean `--force`?"),
    "--nonsense": (2, "E100", "stepwell --help"),
    "run -j many": (2, "E100", "stepwell run --help"),
    "run -j 0": (2, "E100", "stepwell run --help"),
    "run squares other": (2, "E100", "parameters are written name=value"),
    "why": (2, "E100", "stepwell why --help"),
    "why a b c": (2, "E100", "stepwell why STEP [RUN]"),
    "get last": (2, "E100", "stepwell get --help"),
    "-C nowhere run": (2, "E100", "check the folder after -C"),
    "completion tcsh": (2, "E100", "stepwell completion --help"),
    "run squars": (2, "E103", "did you mean `squares`?"),
    "run pipelin.py": (2, "E101", "did you mean `pipeline.py`?"),
    "run no.such:thing": (3, "E201", "check the spelling"),
    "run cuont=3": (2, "E104", "did you mean `count`?"),
    "run count=ten": (2, "E105", "for example: count=3"),
    "run --force totl": (2, "E107", "did you mean `total`?"),
    "why totl": (2, "E107", "did you mean `total`?"),
    "show": (2, "E108", "stepwell run"),
    "logs r9": (2, "E108", "stepwell runs"),
    "runs --limit -1": (2, "E100", "stepwell runs --help"),
}


@pytest.mark.parametrize("line", TYPED_WRONG)
def test_typed_wrong(hello, line):
    code, error, told = TYPED_WRONG[line]
    found = hello(*line.split(), "--json", code=code).json["error"]
    assert found["code"] == error
    assert any(told in fix for fix in found["fixes"]), found


def test_names_of_runs_and_their_steps(hello):
    hello("run")
    cases = {
        ("why", "totl", "r1"): ("E107", "did you mean `total`?"),
        ("why", "total", "r2"): ("E108", "stepwell runs"),
        ("show", "r2"): ("E108", "stepwell runs"),
        ("logs", "r1", "nubers"): ("E107", "did you mean `numbers`?"),
        ("get", "r1", "nubers"): ("E107", "did you mean `numbers`?"),
        ("get", "r1", "total.reslt"): ("E109", "did you mean `total.result`?"),
        ("runs", "squars"): ("E103", "did you mean `squares`?"),
    }
    for words, (code, hint) in cases.items():
        found = hello(*words, "--json", code=2).json["error"]
        assert (found["code"], found["fixes"][0]) == (code, hint)


# ---------------------------------------------------------------------------- streams


NOISY = """
    import os
    import sys
    from stepwell import pipeline, step

    print("noise of the file")
    os.system("echo noise of a child")

    @step
    def quiet() -> float:
        print("noise of a step")
        return float("inf")

    @pipeline
    def loud():
        print("noise of the pipeline")
        return {"value": quiet()}
"""


@pytest.mark.parametrize("how", [[], ["--in-process"]], ids=["workers", "in-process"])
def test_one_document_whatever_user_code_prints(project, how):
    project.write(NOISY)
    result = project("run", "--json", *how)  # the schema is checked there
    assert result.json["result"] == {"value": "Infinity"}
    assert "noise of the pipeline" in result.err
    assert "noise of a step" in result.err
    assert "noise of a child" in result.err


def closed(*words, close, cwd, env):
    """The command with some of its streams closed; its exit code and stdout."""
    shut = " ".join(f"{number}>&-" if number else "<&-" for number in close)
    done = subprocess.run(
        ["sh", "-c", f'exec "$0" "$@" {shut}', STEPWELL, *words], cwd=cwd, env=env, capture_output=True,
        text=True, check=False, timeout=60,
    )  # fmt: skip
    return done.returncode, done.stdout


def test_streams_that_are_closed(hello):
    where = {"cwd": hello.root, "env": hello.env}
    code, out = closed("run", "--json", close=[0, 2], **where)
    assert code == 0
    check_document("run", out)
    code, out = closed("show", "r9", "--json", close=[2], **where)
    assert code == 2
    check_document("show", out)
    code, out = closed("run", close=[2], **where)
    assert (code, len(out.splitlines())) == (0, 5)
    code, out = closed("run", "count=2", "--in-process", close=[0, 1, 2], **where)
    assert (code, out) == (0, "")
    assert closed("show", "r9", close=[0, 1, 2], **where)[0] == 2
    assert hello("verify").out == "the store is sound\n"  # nobody wrote into a file that had taken the number


def test_nobody_reads_any_more(hello):
    """`stepwell run | head -1`: the run goes on to its end, and its exit code is that of the run."""
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [STEPWELL, "run"], cwd=hello.root, env=hello.env, stdout=writing, stderr=subprocess.PIPE, text=True,
        check=False, timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert hello("runs", "--json").json["runs"][0]["status"] == "succeeded"
    done = subprocess.run(
        [STEPWELL, "runs"], cwd=hello.root, env=hello.env, stdout=writing, stderr=subprocess.PIPE, text=True,
        check=False, timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    os.close(writing)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="a device of Linux")
def test_an_output_that_takes_nothing(hello):
    for words, code in {("run",): 0, ("runs",): 6, ("runs", "--json"): 6}.items():
        with open("/dev/full", "w") as full:
            done = subprocess.run(
                [STEPWELL, *words], cwd=hello.root, env=hello.env, stdout=full, stderr=subprocess.PIPE, text=True,
                check=False, timeout=60,
            )  # fmt: skip
        assert done.returncode == code
        assert "Traceback" not in done.stderr
        assert "Exception" not in done.stderr


def test_a_terminal_that_knows_only_ascii(hello):
    result = hello("run", env={"PYTHONIOENCODING": "ascii"})
    assert "\\u2713 numbers" in result.out
    assert hello("run", "--json", env={"PYTHONIOENCODING": "ascii"}).json["result"] == 285


def test_a_working_folder_that_is_gone(hello):
    gone = hello.root / "gone"
    gone.mkdir()
    done = subprocess.run(
        ["sh", "-c", f'rmdir "{gone}"; exec "$0" runs', STEPWELL], cwd=gone, env=hello.env, capture_output=True,
        text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.startswith("error[E100] the working folder is gone")


def test_what_a_code_means(hello):
    told = hello("explain", "e301").out
    assert told.startswith("E301  ")
    assert "exit code 3" in told
    assert hello("explain", "E301", "--json").json["errors"][0]["code"] == "E301"
    codes = [line.split()[0] for line in hello("explain").out.splitlines()]
    assert codes == [one["code"] for one in hello("explain", "--json").json["errors"]]
    assert {"E103", "E413"} <= set(codes)
    assert "did you mean" in hello.refused("explain", "E30", code=2)["fixes"][0]


@pytest.mark.parametrize("word", elsewhere.VERBS)
def test_verbs_of_other_tools_are_answered_with_ours(project, word):
    fix = project.refused(word, code=2)["fixes"][0]
    assert fix.removeprefix("stepwell ").split()[0] in VERBS
    assert word not in VERBS


@pytest.mark.parametrize("option", elsewhere.OPTIONS)
def test_options_of_other_tools_are_answered_with_ours(hello, option):
    fix = hello.refused("run", option, "4", code=2)["fixes"][0]
    assert fix == f"stepwell run {elsewhere.OPTIONS[option]}"
    filled = {"N": "1", "STEP": "total", "NAME=VALUE": "count=3", "FILE": "params.toml"}
    hello.write("count = 3\n", "params.toml")
    hello("run")  # what `--only` and `--from` take
    hello(*[filled.get(part, part) for part in shlex.split(fix)[1:]])


def test_what_is_not_alike_is_not_suggested(hello):
    for words in (["run", "--cors"], ["lmport"]):
        assert not any("did you mean" in fix for fix in hello.refused(*words, code=2)["fixes"])
    assert "did you mean `--jobs`?" in hello.refused("run", "--job", code=2)["fixes"]
    assert hello.refused("rnu", code=2)["fixes"][0] == "did you mean `stepwell run`?"


def test_a_verb_that_begins_with_the_pipeline_says_so(hello):
    for verb in ("plan", "run", "graph", "runs", "lock"):
        fix = hello.refused(verb, "-p", "squares", code=2)["fixes"][0]
        assert fix == f"stepwell {verb} PIPELINE   here the pipeline is a word by itself"
    hello("describe", "-p", "squares")
