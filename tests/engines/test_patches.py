"""Steps that change what the steps after them would rely on: libraries, builtins, the worker's own files."""

import pytest

from stepwell.kernel.ports import Started

STEPS = """
    import builtins, json, math, os, time

    def size():
        return [os.path.getsize(__file__) > 100, json.loads("3"), round(math.pi, 2), len([1, 2])]

    def library(n):
        os.path.getsize = lambda path: 1
        json.loads = None
        math.pi = 3
        return n

    def elsewhere(n):
        import textwrap
        textwrap.dedent = None
        return n

    def dedented():
        import textwrap
        return textwrap.dedent("  a")

    def hidden(name):
        time.sleep(0.01)
        vars()["builtins" if name == "len" else "m"] = m = __import__("builtins" if name == "len" else "json")
        setattr(m, name, lambda *_: 7)
        return name

    def broken(name):
        setattr(__import__("builtins"), name, lambda *_: 7)
        return name

    def restores():
        before, json.loads = json.loads, None
        time.sleep(0.01)
        json.loads = before

    def closes():
        os.closerange(3, 4096)

    def garbles(words):
        for fd in range(3, 60):
            try:
                if not os.isatty(fd) and os.readlink(f"/proc/self/fd/{fd}").startswith("pipe:"):
                    os.write(fd, words)
            except OSError:
                continue
        time.sleep(60 if len(words) > 7 else 0)  # a few bytes are noticed with the next report
"""

SOUND = [True, 3, 3.14, 2]


@pytest.fixture
def patching(project):
    project.write(STEPS)
    return project


def workers(reports):
    return [report.pid for report in reports if isinstance(report, Started)]


@pytest.mark.parametrize("step", ["library", "elsewhere"])
def test_the_worker_of_a_step_that_changes_a_library_is_replaced(patching, step):
    engine = patching.engine(1, alone={f"steps:{step}": ("textwrap.dedent",)})
    tasks = [patching.task(step, n=n) if n % 2 else patching.task("dedented") for n in range(8)]
    reports = patching.reports(engine, *tasks, patching.task("size"))
    done = {report.node: report for report in reports if hasattr(report, "failure")}
    assert all(one.failure is None for one in done.values())
    assert [patching.value(done[n]) for n in range(8)] == ["a", 1, "a", 3, "a", 5, "a", 7]
    assert patching.value(done[8]) == SOUND
    assert done[0].notes == ()
    assert done[1].notes[-1].endswith("of a library; its process was replaced")
    assert "`textwrap.dedent`" in done[1].notes[-1]
    assert len(set(workers(reports))) == 5


@pytest.mark.parametrize("name", ["loads", "len"])
def test_what_was_not_seen_before_is_seen_after_the_step(patching, name):
    engine = patching.engine(1)
    first, second = patching.task("hidden", name=name), patching.task("size")
    done = patching.run(engine, first, second)
    assert patching.value(done[first.node]) == name
    assert (
        done[first.node]
        .notes[-1]
        .startswith(f"step `hidden` changes `{'json' if name == 'loads' else 'builtins'}.{name}`")
    )
    assert patching.value(done[second.node]) == SOUND


@pytest.mark.parametrize(
    "name", ["len", "isinstance", "tuple", "Exception", "print", "open", "setattr", "__import__"]
)
def test_builtins_that_the_worker_needs(patching, name):
    engine = patching.engine(1)
    first, second = patching.task("broken", name=name), patching.task("size")
    done = patching.run(engine, first, second)
    assert patching.value(done[first.node]) == name
    assert patching.value(done[second.node]) == SOUND


def test_what_a_step_puts_back_itself_is_no_change(patching):
    assert patching.one(patching.engine(1), "restores").notes == ()


def test_closed_descriptors(patching):
    engine = patching.engine(1)
    first, second = patching.task("closes"), patching.task("size")
    reports = patching.reports(engine, first, second)
    done = {report.node: report for report in reports if hasattr(report, "failure")}
    assert done[first.node].failure.code == "E402"
    assert patching.said(reports, first.node, "stderr") == (
        "this process cannot go on: the step closed files that it did not open\n"
    )
    assert patching.value(done[second.node]) == SOUND


@pytest.mark.parametrize(
    "words", [b"hello world" * 10, b"\x00\x00\x00\x01text", b"\x05\x00\x00\x00\xff", b"\x01"], ids=repr
)
def test_a_pipe_that_a_step_wrote_to(patching, words):
    engine = patching.engine(1)
    first, second = patching.task("garbles", words=words), patching.task("size")
    done = patching.run(engine, first, second)
    assert done[first.node].failure.code == "E403"
    assert "broke the process that it ran in" in done[first.node].failure.what
    assert patching.value(done[second.node]) == SOUND
