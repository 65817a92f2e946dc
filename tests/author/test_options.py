"""Options of steps and of runs, and names of calls: each good and bad, refused where they are written."""

from __future__ import annotations

from pathlib import Path

import pytest

from stepwell.author.options import DEFAULTS, checked
from stepwell.errors import BadOption, MissingLibrary, NoCodec, StepwellError
from stepwell.kernel.graph import FromStep


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ({"cpus": 2}, 2.0),
        ({"cpus": 0.5}, 0.5),
        ({"memory": 0}, 0),
        ({"memory": 1024}, 1024),
        ({"memory": "512"}, 512),
        ({"memory": "4GB"}, 4 * 10**9),
        ({"memory": "1.5 GiB"}, 3 * 2**29),
        ({"memory": " 500mb "}, 500 * 10**6),
        ({"env": "TZ"}, ("TZ",)),
        ({"env": ["TZ", "LANG", "TZ"]}, ("LANG", "TZ")),
        ({"env": {"B", "A"}}, ("A", "B")),
        ({"env": ()}, ()),
        ({"codec": "pickle"}, "pickle"),
        ({"codec": {"b": "npy", "a": "json"}}, (("a", "json"), ("b", "npy"))),
        ({"out": "a.html"}, "a.html"),
        ({"out": "./reports//x/../a.html"}, "reports/a.html"),
        ({"out": Path("reports") / "a.html"}, "reports/a.html"),
    ],
)
def test_good_options(given, kept):
    (name,) = given
    options = checked(given)
    assert getattr(options, name) == kept
    assert options._replace(**{name: getattr(DEFAULTS, name)}) == DEFAULTS
    hash(options)


@pytest.mark.parametrize(
    "given",
    [
        {"cpus": 0},
        {"cpus": -1},
        {"cpus": "2"},
        {"cpus": True},
        {"cpus": float("nan")},
        {"cpus": float("inf")},
        {"cpus": None},
        {"memory": -1},
        {"memory": 4e9},
        {"memory": True},
        {"memory": ""},
        {"memory": "GB"},
        {"memory": "4 apples"},
        {"memory": "-4GB"},
        {"memory": "²GB"},
        {"memory": "1.2.3GB"},
        {"env": [""]},
        {"env": ["A=B"]},
        {"env": ["A\0"]},
        {"env": [3]},
        {"env": 3},
        {"codec": 3},
        {"codec": {"a": 3}},
        {"codec": ["json"]},
        {"out": ""},
        {"out": "."},
        {"out": ".."},
        {"out": "../a"},
        {"out": "a/../../b"},
        {"out": "/etc/x"},
        {"out": "a\0b"},
        {"out": 3},
        {"out": b"a"},
    ],
)
def test_bad_values(given):
    (name,) = given
    with pytest.raises(BadOption) as caught:
        checked(given)
    assert caught.value.what.startswith(f"`{name}=")
    assert caught.value.fixes[0].startswith(f"for example: @step({name}=")
    assert "test_options.py:" in caught.value.where


@pytest.mark.parametrize(
    ("code", "says", "fix"),
    [
        ("@step(cpu=2)  # here\ndef f(): ...", "a step has no option `cpu`", "did you mean `cpus`?"),
        (
            "@step(zzz=2)  # here\ndef f(): ...",
            "a step has no option `zzz`",
            "options are: cpus, memory, env, codec, out",
        ),
        ("@step(memory='much')  # here\ndef f(): ...", "`memory='much'` is not bytes", "4GB"),
        ("@step\ndef f(): ...\nf.options(cpus=-1)  # here", "`cpus=-1`", "cpus=2"),
        ("@step\ndef f(): ...\nf.named('')  # here", "`` cannot be the name", "letters"),
        ("@step\ndef f(): ...\nf.named('a/b')  # here", "`a/b` cannot be the name", "letters"),
        ("@step\ndef f(): ...\nf.named('a[2]')  # here", "`a[2]` cannot be the name", "letters"),
        ("@step\ndef f(): ...\nf.named('-a')  # here", "`-a` cannot be the name", "letters"),
        ("@step\ndef f(): ...\nf.named(3)  # here", "`3` cannot be the name", "letters"),
        ("@pipeline(job=2)  # here\ndef p(): ...", "a run has no option `job`", "did you mean `jobs`?"),
        ("@pipeline(jobs=-1)  # here\ndef p(): ...", "`jobs=-1`", "jobs=4"),
        ("@pipeline(jobs='4')  # here\ndef p(): ...", "`jobs='4'`", "jobs=4"),
        ("@pipeline(jobs=True)  # here\ndef p(): ...", "`jobs=True`", "jobs=4"),
        (
            "@pipeline(keep_going=1)  # here\ndef p(): ...",
            "`keep_going=1` is not True or False",
            "keep_going=True",
        ),
        (
            "@pipeline\ndef p(): ...\np.options(zzz=1)  # here",
            "a run has no option `zzz`",
            "jobs, keep_going",
        ),
        ("@pipeline\ndef p(): ...\np.named('a b')  # here", "`a b` cannot be the name", "letters"),
    ],
)
def test_bad_options_are_refused_where_they_are_written(project, code, says, fix):
    project.write(f"{code}\n\n@pipeline\ndef main(): ...\n")
    with pytest.raises(BadOption) as caught:
        project.load("main")
    error = caught.value
    assert says in error.what
    assert fix in "\n".join(error.fixes)
    assert error.where == f"pipeline.py:{project.line('# here')}"


def test_options_of_runs_are_kept():
    from stepwell import pipeline

    @pipeline(jobs=2)
    def main() -> int:
        return 3

    changed = main.options(keep_going=True, force=True).named("other")
    assert main.run_options == {"jobs": 2}
    assert changed.run_options == {"jobs": 2, "keep_going": True, "force": True}
    assert changed.options(jobs=0).run_options["jobs"] == 0
    assert changed() == 3


def test_options_reach_the_graph_and_change_no_step_of_the_same_name(project):
    graph = project.graph(
        """
@step(cpus=2, memory="1GB", env=["TZ"])
def f(x: int) -> int: ...

@pipeline
def main():
    big = f.options(memory="2GB", cpus=4)
    return [f(1), big(2), big(3), f.options(cpus=4, memory=2_000_000_000)(4)]
"""
    )
    assert [(s.name, s.qualname, s.cpus, s.memory, s.env) for s in graph.steps] == [
        ("f", "f", 2.0, 10**9, ("TZ",)),
        ("f", "f", 4.0, 2 * 10**9, ("TZ",)),
    ]
    assert [node.step for node in graph.nodes] == [0, 1, 1, 1]
    assert [node.id for node in graph.nodes] == ["f", "f[2]", "f[3]", "f[4]"]


def test_codecs_of_outputs(project):
    text = """
@step(codec="pickle")
def whole() -> tuple[int, str]: ...

@step(codec={"1": "pickle"})
def second() -> tuple[int, str]: ...

@step
def plain() -> dict[str, int]: ...

@pipeline
def main():
    return whole(), second(), plain(), plain.options(codec="pickle")(), whole()[1]
"""
    graph = project.graph(text)
    assert [tuple((o.name, o.codec) for o in s.outputs) for s in graph.steps] == [
        (("result", "pickle"),),
        (("0", "json"), ("1", "pickle")),
        (("result", "json"),),
        (("result", "pickle"),),
    ]
    assert graph.result.items[4] == FromStep(4, "result", (1,))


@pytest.mark.parametrize(
    ("codec", "says"),
    [("'jsno'", "jsno"), ("{'2': 'json'}", "no output `2`"), ("{'0': 'nope'}", "nope")],
)
def test_codecs_that_are_not_there(project, codec, says):
    text = (
        f"@step(codec={codec})\ndef f() -> tuple[int, str]: ...\n\n@pipeline\ndef main():\n    f()  # here\n"
    )
    project.write(text)
    with pytest.raises(StepwellError, match=says) as caught:
        project.graph(text)
    assert isinstance(caught.value, BadOption | NoCodec | MissingLibrary)
    assert caught.value.where == f"pipeline.py:{project.line('# here')}"
