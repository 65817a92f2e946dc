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
