"""A failure ends a run soon: what had not begun by then is not executed, however much was handed over."""

import pytest

LONG = """
    import time
    from stepwell import pipeline, step

    @step
    def one(i: int) -> int:
        time.sleep(0.4)
        if i == 1:
            raise ValueError("no")
        return i

    @pipeline
    def main(n: int = 9) -> list[int]:
        return [one(i) for i in range(n)]
"""


@pytest.mark.parametrize("how", [(), ("--in-process",), ("--twice",)])
def test_nothing_long_is_begun_after_a_failure(project, how):
    project.write(LONG)
    run = project("run", "-j", "1", *how, "--json", code=1)
    assert [step["status"] for step in run.json["steps"]] == ["succeeded", "failed", *["blocked"] * 7]
    going_on = project("run", "-j", "1", "--keep-going", "--json", code=1)
    assert [step["status"] for step in going_on.json["steps"]] == ["cached", "failed", *["succeeded"] * 7]


SEVERAL = """
    from stepwell import pipeline, step

    @step
    def one(i: int) -> int:
        print("doing", i)
        if i % 2:
            raise ValueError("no")
        return i

    @pipeline
    def main(n: int = 4) -> list[int]:
        return [one(i) for i in range(n)]
"""


def test_what_failed_is_named_at_the_end_and_beside_what_was_printed(project):
    project.write(SEVERAL)
    assert "failed  one[2], one[4]\n" in project("run", "-k", code=1).out
    whole = project("logs")
    assert "one[2] │ doing 1\n" in whole.out
    assert "one[2] failed: step `one` raised ValueError: no\none[4] failed: " in whole.err
    assert "stepwell show r1   stepwell debug 'one[2]' r1" in whole.err
    assert project("logs", "r1", "one[4]").err.startswith("one[4] failed: ")
    assert project("logs", "r1", "one[3]").err == ""
