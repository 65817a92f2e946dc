"""A step with a role in an environment of its own is judged there, without any library of this one."""

from __future__ import annotations

from cli_projects import Project

PIPELINE = """
    from stepwell import pipeline
    from stepwell.ml import splitter

    @splitter(packages=["greet==1.0"])
    def split(count: int) -> tuple[list[int], list[int]]:
        import greet
        values = [n % 8 for n in range(count)]
        return values[:6], values[6:]

    @pipeline
    def parts(count: int = 8):
        return split(count)
"""


def test_a_role_is_judged_where_the_step_is(project: Project) -> None:
    project.write(PIPELINE)
    done = project("run", "--json").json
    assert done["metrics"] == {"rows[0]": 6, "rows[1]": 2}
    failed = project("run", "count=9", "--json", code=1).steps["split"]
    assert failed["error"]["code"] == "E532"
    assert "row 0 of `0` is row 2 of `1` (0)" in failed["error"]["what"]
