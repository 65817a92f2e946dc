"""What people are told when their step fails: their own line first, then what would help."""

import pytest

FAILS = """
    import json

    def key():
        df = {"species": 1, "island": 2}
        return df["speceis"]

    def helper(x):
        return 1 / x

    def nested():
        return helper(0)

    def library():
        return json.loads("{nonsense")

    def attribute(): return [].apend(1)
    length = 1
    def name(): return lenght
    def chained():
        try:
            helper(0)
        except ZeroDivisionError as error:
            raise RuntimeError("the second") from error

    class Hostile(Exception):
        def __str__(self): raise ValueError("no")

    def hostile(): raise Hostile
    def multiline(): raise ValueError("first line\\nsecond line")
    def endless(): raise ValueError("x" * 1_000_000)
    def deep(n=0): return deep(n + 1)
    def group(): raise ExceptionGroup("several", [ValueError("one"), KeyError("two")])
    def missing_file(): return open("nowhere.csv")
    def exits(): raise SystemExit(2)
    def generator(): raise GeneratorExit
    def own():
        from stepwell.errors import StepError
        raise StepError("mine")
    def unpicklable():
        import threading
        return threading.Lock()
"""


@pytest.fixture
def failure(bench):
    bench.write(FAILS)
    return lambda name: bench.execute(name).failure


def test_a_missing_column(failure):
    told = failure("key")
    assert told.code == "E401"
    assert told.what == "step `key` raised KeyError: 'speceis'"
    assert told.why == 'steps.py:6 in key: return df["speceis"]'
    assert told.fixes[0] == "did you mean 'species'? `df` has 'species', 'island'"
    assert told.docs == "docs/reference/errors.md#e401"


def test_the_innermost_own_line(failure):
    assert failure("nested").why == "steps.py:9 in helper: return 1 / x"


def test_the_traceback_is_the_users(failure):
    text = failure("library").traceback
    assert "steps.py" in text
    assert "stepwell" not in text
    assert " frames of libraries\n" in text
    assert "line 0" not in text
    assert "json.decoder.JSONDecodeError" in text
    assert 'return json.loads("{nonsense")' in text
    assert failure("library").why.startswith("steps.py:")


def test_near_misses(failure):
    assert failure("attribute").fixes[0] == "did you mean `append`?"
    assert failure("name").fixes[0] == "did you mean `length`?"
    assert "raised NameError: name 'lenght'" in failure("name").what


def test_causes_are_told(failure):
    text = failure("chained").traceback
    assert "ZeroDivisionError" in text
    assert "RuntimeError: the second" in text
    assert "direct cause" in text


@pytest.mark.parametrize("name", ["hostile", "deep", "group", "generator"])
def test_whatever_is_raised(failure, name):
    told = failure(name)
    assert told.code == "E401"
    assert f"`{name}`" in told.what
    assert "steps.py" in told.why


def test_a_message_stays_one_line(failure):
    assert failure("multiline").what == "step `multiline` raised ValueError: first line …"
    assert "second line" in failure("multiline").traceback


def test_endless_messages_are_cut(failure):
    told = failure("endless")
    assert len(told.what) < 400
    assert len(told.traceback) < 21_000


def test_groups_show_their_members(failure):
    assert "ValueError: one" in failure("group").traceback


def test_a_missing_file(failure):
    assert any("working folder" in fix for fix in failure("missing_file").fixes)


def test_system_exit(failure):
    assert failure("exits").code == "E402"
    assert "with 2" in failure("exits").what


def test_errors_of_ours_that_a_step_raises(failure):
    told = failure("own")
    assert told.code == "E401"
    assert "mine" in told.what


def test_a_value_without_a_codec(failure):
    told = failure("unpicklable")
    assert told.code.startswith("E6")
    assert "`unpicklable`" in told.what
