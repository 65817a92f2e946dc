"""What steps print: all of it, of the right step, soon, and by whatever means."""

import time

import pytest

from stepwell.kernel.ports import Done, Said

LOUD = """
    import ctypes, os, subprocess, sys, time

    def long_line(count):
        print("x" * count)

    def binary():
        os.write(1, bytes(range(256)) * 4)
        sys.stdout.buffer.write(b"\\xff\\xfe")

    def everything():
        print("print")
        sys.stdout.write("write")
        os.write(1, b"<os>")
        os.system("echo shell")
        subprocess.run([sys.executable, "-c", "print('python')"])
        ctypes.CDLL(None).puts(b"puts")
        print("to err", file=sys.stderr)
        os.system("echo err of shell >&2")

    def slowly():
        print("begin")
        sys.stderr.write("50%\\r")
        time.sleep(1.5)
        print("end")

    def interleaved(word, count):
        for i in range(count):
            print(word, i)
            sys.stderr.write(f"{word} err {i}\\n")
            if i % 10 == 0:
                time.sleep(0.001)

    def closes():
        sys.stdout.close()

    def redirects():
        os.dup2(os.open("elsewhere", os.O_CREAT | os.O_WRONLY), 1)
        sys.stdout = open("elsewhere-2", "w")
        print("not heard")

    def quiet():
        return 1

    def number(n) -> int:
        return n

    def word(text):
        print(text)

    def unfinished():
        print("no newline", end="")

    def half(first):
        os.write(1, "é".encode()[:1] if first else "é".encode()[1:])

    def reads():
        return sys.stdin.read()

    def tee():
        subprocess.run("echo both | tee /dev/stderr; echo again > /dev/stdout", shell=True, check=True)

    def warns(text):
        import warnings
        warnings.warn(text)

    def flood_from_c(count):
        "Holds Python's lock while it prints, so nothing else of this process could read."
        ctypes.PyDLL(None).printf(b"%*s\\n", count, b"x")
        ctypes.PyDLL(None).fflush(None)

    def unprintable():
        print("\\udcff")
"""


@pytest.fixture
def loud(project):
    project.write(LOUD)
    return project


@pytest.fixture
def engine(loud):
    return loud.engine()


def printed(project, engine, step, **inputs):
    task = project.task(step, **inputs)
    reports = project.reports(engine, task)
    assert reports[-1].failure is None
    assert isinstance(reports[-1], Done)
    return project.said(reports, task.node), project.said(reports, task.node, "stderr"), reports


def test_ten_megabytes_in_a_line(loud, engine):
    out, _, reports = printed(loud, engine, "long_line", count=10_000_000)
    assert len(out) == 10_000_001
    assert max(len(r.text) for r in reports if isinstance(r, Said)) <= 1 << 16


def test_bytes_that_are_not_text(loud, engine):
    out, _, _ = printed(loud, engine, "binary")
    assert out == (bytes(range(256)) * 4 + b"\xff\xfe").decode("utf-8", "replace")


def test_every_way_to_print(loud, engine):
    out, err, _ = printed(loud, engine, "everything")
    for word in ("print\n", "write", "<os>", "shell\n", "python\n", "puts\n"):
        assert out.count(word) == 1, word
    assert err == "to err\nerr of shell\n"


def test_it_is_heard_while_the_step_runs(loud, engine):
    loud.one(engine, "quiet")
    engine.submit(loud.task("slowly"))
    begun, heard = time.monotonic(), ""
    reports = []
    while "begin" not in heard or "50%" not in heard:
        reports += engine.wait(1.0)
        heard = "".join(r.text for r in reports if isinstance(r, Said))
        assert not any(isinstance(r, Done) for r in reports)
    assert time.monotonic() - begun < 1.4


def test_steps_side_by_side(loud):
    engine = loud.engine(jobs=3)
    tasks = [loud.task("interleaved", word=f"w{i}", count=200) for i in range(12)]
    reports = loud.reports(engine, *tasks)
    for i, task in enumerate(tasks):
        assert loud.said(reports, task.node) == "".join(f"w{i} {k}\n" for k in range(200))
        assert loud.said(reports, task.node, "stderr") == "".join(f"w{i} err {k}\n" for k in range(200))


def test_nothing_comes_after_the_end(loud, engine):
    tasks = [loud.task("word", text=f"t{i}") for i in range(300)]
    reports = loud.reports(engine, *tasks)
    over = set()
    for report in reports:
        if isinstance(report, Said):
            assert report.node not in over
        elif isinstance(report, Done):
            over.add(report.node)
    for i, task in enumerate(tasks):
        assert loud.said(reports, task.node) == f"t{i}\n"


def test_what_is_printed_between_steps_that_cannot_print(loud):
    engine = loud.engine(jobs=1)
    tasks = [loud.task("word", text=f"t{i}") if i % 3 else loud.task("number", n=i) for i in range(120)]
    reports = loud.reports(engine, *tasks)
    for i, task in enumerate(tasks):
        assert loud.said(reports, task.node) == (f"t{i}\n" if i % 3 else "")


@pytest.mark.parametrize("step", ["closes", "redirects"])
def test_streams_are_repaired(loud, step):
    engine = loud.engine(jobs=1)
    loud.one(engine, step)
    for _ in range(3):
        assert printed(loud, engine, "word", text="heard")[0] == "heard\n"


def test_silence_says_nothing(loud, engine):
    reports = loud.reports(engine, *[loud.task("quiet") for _ in range(50)])
    assert not [r for r in reports if isinstance(r, Said)]


def test_an_unfinished_line(loud):
    engine = loud.engine(jobs=1)
    assert printed(loud, engine, "unfinished")[0] == "no newline"
    assert printed(loud, engine, "word", text="next")[0] == "next\n"


def test_a_character_is_not_put_together_from_two_steps(loud):
    engine = loud.engine(jobs=1)
    assert printed(loud, engine, "half", first=True)[0] == "\ufffd"
    assert printed(loud, engine, "half", first=False)[0] == "\ufffd"


def test_there_is_no_standard_input(loud, engine):
    assert loud.value(loud.one(engine, "reads")) == ""


def test_shells_may_open_the_streams_again(loud, engine):
    out, err, _ = printed(loud, engine, "tee")
    assert out == "both\nagain\n"
    assert err == "both\n"


def test_a_warning_is_shown_in_each_step(loud):
    engine = loud.engine(jobs=1)
    for _ in range(3):
        assert "UserWarning: look here" in printed(loud, engine, "warns", text="look here")[1]


def test_much_from_c_code(loud, engine):
    out, _, _ = printed(loud, engine, "flood_from_c", count=3_000_000)
    assert len(out) == 3_000_001


def test_what_cannot_be_printed(loud, engine):
    assert printed(loud, engine, "unprintable")[0] == "\\udcff\n"


def test_half_a_character_that_was_already_heard():
    """Read while the task ran; its end alone comes after."""
    import os

    from stepwell.engines.link import Speech

    speech = Speech("stdout", b"E" * 16, large=False)
    os.write(speech.writer, b"\xc3")
    assert list(speech.live()) == []
    os.write(speech.writer, b"E" * 16 + b"\xa9" + b"E" * 16)
    assert not speech.was_silent()
    assert list(speech.finish()) == ["\ufffd"]
    assert not speech.was_silent()
    assert list(speech.finish()) == ["\ufffd"]
    assert not list(speech.live())
    os.close(speech.writer)
    os.close(speech.reader)
