"""`stepwell reproduce`: runs, commits and releases made once more elsewhere, and what is said of how they compare."""

from __future__ import annotations

import socket
import subprocess
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from cli_projects import Project
from msgspec import structs

from stepwell.codecs.content.digest import digest_of
from stepwell.dist.channels.local import LocalFiles
from stepwell.dist.erased import Stone, bury
from stepwell.dist.lock import Lock, Output
from stepwell.dist.lockfile import read, text_of, write
from stepwell.dist.releases.about import about
from stepwell.dist.releases.archive import packed
from stepwell.dist.releases.document import Release
from stepwell.dist.releases.made import Content, bare
from stepwell.dist.releases.made import released as made_of
from stepwell.dist.verdicts import read_evidence
from stepwell.version import VERSION

DRIFT = """
    import os
    from stepwell import log, pipeline, source, step

    rows = source("data/rows.json", list[float])
    words = source("data/words.txt", str)

    @step
    def clean(rows: list[float]) -> list[float]:
        return [row for row in rows if row > 0]

    @step
    def fit(rows: list[float], factor: float) -> dict[str, float]:
        mean = sum(rows) / len(rows)
        log.metric("mean", mean)
        return {"mean": mean * factor + float(os.environ.get("DRIFT", "0"))}

    @step
    def scores(rows: list[float], model: dict[str, float]) -> list[float]:
        return [row * model["mean"] for row in rows]

    @step
    def shout(words: str) -> str:
        return words.upper()

    @pipeline
    def demo(factor: float = 2.0) -> tuple[list[float], str]:
        table = clean(rows())
        return scores(table, fit(table, factor)), shout(words())
"""


@pytest.fixture
def demo(project: Project) -> Project:
    """A project with two files of data that has run, with another parameter than the default, and is locked."""
    project.write(DRIFT)
    project.write("[2.5, 3.5, -1]", "data/rows.json")
    project.write("so be it", "data/words.txt")
    project("run", "--lock", "factor=3")
    return project


def git(folder: Path, *words: str) -> str:
    who = ("-c", "user.name=n", "-c", "user.email=n@example.org", "-c", "commit.gpgsign=false")
    done = subprocess.run(["git", *who, *words], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def committed(project: Project, *names: str) -> str:
    """A commit of some files; its id."""
    if not (project.root / ".git").exists():
        git(project.root, "init", "--quiet")
    git(project.root, "add", "--force", "--", *names)
    git(project.root, "commit", "--quiet", "--message", "more")
    return git(project.root, "rev-parse", "HEAD")


def grades(found: Any) -> dict[str, str]:
    return {one["step"]: one["grade"] for one in found["evidence"]["steps"]}


def released(project: Project, lock: Lock | None = None, version: str = "1.0.0", code: bytes = b"") -> Path:
    """A release of a project, in its `dist/`."""
    lock = lock or read(project.root / "stepwell.lock")
    document = Release(
        project="demo", package="demo", version=version, pipelines={"demo": "pipeline.py:demo"}
    )
    files = {
        "pipeline.py": code or (project.root / "pipeline.py").read_bytes(),
        "stepwell.lock": text_of(lock).encode(),
    }
    content = Content(document, lock, project=files, requires=(f"stepwell>={VERSION}",))
    made = made_of(bare(about("demo", project.root, None), version, VERSION), content, VERSION)
    folder = project.root / "dist"
    folder.mkdir(exist_ok=True)
    (folder / made.file).write_bytes(packed(made.files, made.dist_info))
    return folder / made.file


# --------------------------------------------------------------------------- the same


def test_a_run_is_made_again(demo):
    done = demo("reproduce", "last")
    assert done.out.splitlines()[-2:][0] == "verdict   A  the same bytes"
    assert "without network" in done.out
    found = demo("reproduce", "r1", "--json").json
    assert (found["reproduced"], found["evidence"]["kind"], found["evidence"]["version"]) == (
        True,
        "run",
        "r1",
    )
    assert grades(found) == dict.fromkeys(("clean", "fit", "scores", "shout"), "A")
    assert found["evidence"]["network"] == "closed"
    assert set(found["evidence"]["inputs"]) == {"rows", "words"}
    kept = read_evidence(demo.root, "demo", "r1")
    assert kept is not None
    assert kept.digest == found["digest"]
    assert Path(found["file"]).is_file()
    assert len(demo("runs", "--json").json["runs"]) == 1, "nothing is recorded in the project's own store"


@pytest.mark.slow
def test_a_commit_is_made_again_whatever_is_there_now(demo):
    commit = committed(demo, "pipeline.py", "stepwell.lock")
    demo.edit("row > 0", "row > 3")
    found = demo("reproduce", "HEAD", "--json").json
    assert (found["evidence"]["version"], found["evidence"]["grade"]) == (commit, "A")
    assert demo("reproduce", commit[:10], "--json").json["digest"] == found["digest"], "the same outcome"


@pytest.mark.slow
def test_a_release_is_made_again_from_its_wheel_alone(demo, tmp_path):
    path = released(demo)
    demo.edit("row > 0", "row > 3")
    found = demo("reproduce", "1.0.0", "--json").json
    assert (found["evidence"]["kind"], found["evidence"]["grade"]) == ("release", "A")
    wheel = found["evidence"]["wheel_sha256"]
    assert read_evidence(demo.root, "demo", "1.0.0", wheel) is not None
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (demo.root / "data").rename(elsewhere / "data")
    again = demo("reproduce", str(path), "--json", cwd=elsewhere).json
    assert again["digest"] == found["digest"], "the same outcome anywhere"


def test_what_a_run_needs_beside_its_modules_comes_along(project):
    project.write(
        """
        from pathlib import Path
        from helper import FACTOR
        from stepwell import pipeline, step

        WORDS = Path("words.txt").read_text()

        @step
        def words() -> list[str]:
            return WORDS.split() * FACTOR

        @pipeline
        def demo() -> list[str]:
            return words()
        """
    )
    project.write("FACTOR = 2\n", "helper.py")
    project.write("so be it\n", "words.txt")
    committed(project, "pipeline.py", "helper.py", "words.txt")
    project("run")
    assert project("reproduce", "last", "--json").json["evidence"]["grade"] == "A"


@pytest.mark.slow
def test_several_pipelines_of_a_lock_are_all_made_again(project):
    project.write()
    project.write(
        """
        from stepwell import pipeline, step

        @step
        def half(n: int) -> float:
            return n / 2

        @pipeline
        def halves(n: int = 4) -> float:
            return half(n)
        """,
        "other.py",
    )
    project("run", "--lock", "count=4")
    project("run", "--lock", "other.py")
    committed(project, "pipeline.py", "other.py", "stepwell.lock")
    steps = project("reproduce", "HEAD", "--json").json["evidence"]["steps"]
    assert [(one["pipeline"], one["step"], one["grade"]) for one in steps] == [
        ("halves", "half", "A"), ("squares", "numbers", "A"), ("squares", "total", "A"),
    ]  # fmt: skip


# --------------------------------------------------------------------------- differs


@pytest.mark.slow
def test_numbers_within_a_tolerance_count_and_others_do_not(demo):
    drift = {"DRIFT": "1e-9"}
    found = demo("reproduce", "r1", "--json", "--tolerance", "1e-6", env=drift).json
    assert grades(found) == {"clean": "A", "fit": "C", "scores": "C", "shout": "A"}
    fit, scores = found["evidence"]["steps"][1:3]
    assert 0 < fit["largest"] < 2e-9
    assert (fit.get("follows"), scores["follows"]) == (None, "fit")
    assert (found["reproduced"], found["evidence"]["first"]) == (True, "fit")
    far = demo("reproduce", "r1", "--json", "--tolerance", "1e-12", code=1, env=drift).json
    assert (grades(far)["fit"], far["evidence"]["grade"], far["reproduced"]) == ("F", "F", False)
    told = demo("reproduce", "r1", code=1, env={"DRIFT": "1"})
    assert "verdict   F  something else; first difference: fit" in told.out
    assert "follows from fit" in told.out
    assert "stepwell reproduce --vary fit" in told.out


TABLES = """
    import os
    import pandas as pd
    from stepwell import pipeline, step

    @step
    def table(n: int) -> pd.DataFrame:
        return pd.DataFrame({"x": [float(i) for i in range(n)]}) + float(os.environ.get("DRIFT", "0"))

    @step
    def text(n: int) -> str:
        return "x" * n

    @pipeline
    def demo(n: int = 3) -> tuple[pd.DataFrame, str]:
        return table(n), text(n)
"""


def with_outputs(lock: Lock, **outputs: Output) -> Lock:
    """A lock that says something else of what steps gave."""
    demo = lock.pipeline["demo"]
    changed = {
        name: structs.replace(demo.step[name], output={"result": one}) for name, one in outputs.items()
    }
    return structs.replace(lock, pipeline={"demo": structs.replace(demo, step={**demo.step, **changed})})


@pytest.mark.slow
def test_other_bytes_with_the_same_content_are_told_from_other_content(project):
    project.write(TABLES)
    project("run", "--lock")
    lock = read(project.root / "stepwell.lock")
    steps = lock.pipeline["demo"].step
    table, text = (steps[name].output["result"] for name in ("table", "text"))
    reencoded = structs.replace(table, bytes=f"b3:{'0' * 64}", content=content_of(3))
    lost = structs.replace(text, bytes=f"b3:{'1' * 64}")
    released(project, with_outputs(lock, table=reencoded, text=lost))
    found = project("reproduce", "1.0.0", "--json", code=1).json
    assert grades(found) == {"table": "B", "text": "?"}
    assert (found["evidence"]["grade"], found["evidence"]["first"]) == ("?", "text")
    released(project, with_outputs(lock, table=structs.replace(reencoded, content=content_of(4))), "1.0.1")
    assert grades(project("reproduce", "1.0.1", "--json", code=1).json) == {"table": "F", "text": "A"}


def content_of(rows: int) -> str:
    import pandas as pd

    return digest_of(pd.DataFrame({"x": [float(i) for i in range(rows)]})) or ""


@pytest.mark.slow
def test_tables_are_compared_number_by_number_and_other_libraries_are_named(project):
    project.write(TABLES)
    project("run", "--lock")
    lock = read(project.root / "stepwell.lock")
    direct = {**lock.environment.direct, "pandas": "0.1"}
    environment = structs.replace(lock.environment, direct=direct)
    write(project.root / "stepwell.lock", structs.replace(lock, environment=environment))
    committed(project, "pipeline.py", "stepwell.lock")
    found = project("reproduce", "HEAD", "--json", "--tolerance", "1e-6", env={"DRIFT": "1e-9"}).json
    assert grades(found) == {"table": "C", "text": "A"}
    hints = found["evidence"]["hints"]
    assert any(hint.startswith("pandas 0.1 then, ") for hint in hints), hints
    assert any("sums in another order" in hint for hint in hints), hints


@pytest.mark.slow
def test_a_release_that_is_judged_more_leniently_than_it_declares_is_no_evidence(demo):
    released(demo)
    found = demo("reproduce", "1.0.0", "--json", "--tolerance", "1", env={"DRIFT": "1e-9"}).json
    assert (found["evidence"]["grade"], found["file"]) == ("C", None)
    assert read_evidence(demo.root, "demo", "1.0.0") is None


def test_a_step_that_fails_there_stops_only_what_needs_it(demo):
    demo.edit('float(os.environ.get("DRIFT", "0"))', '(1 / (os.environ.get("DRIFT") is None))')
    demo("run", "--lock", "factor=3")
    found = demo("reproduce", "last", "--json", code=1, env={"DRIFT": "x"}).json
    assert grades(found) == {"clean": "A", "fit": "F", "scores": "?", "shout": "A"}
    assert "ZeroDivisionError" in found["evidence"]["steps"][1]["how"]
    assert found["evidence"]["steps"][2]["follows"] == "fit"


def test_there_is_no_network(project):
    with socket.create_server(("127.0.0.1", 0)) as server:
        Thread(target=_answer, args=(server,), daemon=True).start()
        project.write(
            f"""
            import socket
            from stepwell import pipeline, step

            @step
            def call() -> str:
                try:
                    with socket.create_connection(("127.0.0.1", {server.getsockname()[1]}), 5):
                        return "reached"
                except OSError:
                    return "refused"

            @pipeline
            def demo() -> str:
                return call()
            """
        )
        assert project("run", "--json").json["result"] == "reached"
        found = project("reproduce", "last", "--json", code=1).json
    assert found["evidence"]["network"] == "closed"
    assert found["evidence"]["steps"][0]["how"] == "the value: 'reached' is now 'refused'"


def _answer(server: socket.socket) -> None:
    try:
        while True:
            server.accept()[0].close()
    except OSError:  # the test is over
        return


# --------------------------------------------------------------------------- what is gone


def test_data_that_are_gone_are_named_and_the_rest_can_be_made(demo):
    released(demo)
    (demo.root / "data" / "rows.json").unlink()
    error = demo.refused("reproduce", "1.0.0", code=4)
    assert (error["code"], error["what"]) == (
        "E801", "not reproducible: input `rows` is nowhere any more with the bytes that it had",
    )  # fmt: skip
    assert "1 of 4 steps does not need it" in error["why"]
    assert any("--step shout" in fix for fix in error["fixes"])
    found = demo("reproduce", "1.0.0", "--step", "shout", "--json").json
    assert (grades(found), found["file"]) == ({"shout": "A"}, None)


def test_data_that_changed_are_not_taken_instead(demo):
    released(demo)
    demo.write("[2.5]", "data/rows.json")
    error = demo.refused("reproduce", "1.0.0", code=4)
    assert error["code"] == "E801"
    assert "in place: it is b3:" in error["why"]


@pytest.mark.slow
def test_erased_data_are_said_to_be_erased(demo):
    released(demo)
    demo.write('[tool.stepwell.channels]\nindex = "index"\n', "pyproject.toml")
    (demo.root / "index").mkdir()
    digest = read(demo.root / "stepwell.lock").data["rows"].bytes
    bury(
        LocalFiles(demo.root / "index"),
        Stone((digest,), ("demo 1.0.0: data.rows",), "ana", "2026-10-01T00:00:00Z", "GDPR"),
    )
    assert demo("reproduce", "1.0.0", "--json").json["reproduced"], "what is still there can be used"
    (demo.root / "data" / "rows.json").unlink()
    error = demo.refused("reproduce", "1.0.0", code=4)
    assert error["code"] == "E802"
    assert "recalled at 2026-10-01T00:00:00Z by ana: GDPR" in error["why"]


@pytest.mark.slow
def test_code_that_nobody_committed_is_gone_and_committed_code_is_not(demo):
    demo.edit("row > 0", "row >= 0")
    error = demo.refused("reproduce", "r1", code=4)
    assert (error["code"], error["why"]) == ("E805", "it was made outside of git")
    commit = committed(demo, "pipeline.py", "data", "stepwell.lock")
    (demo.root / ".gitignore").write_text(".stepwell\n.gitignore\n")
    demo("run", "factor=3")
    demo.edit("row >= 0", "row > 3")
    assert demo("reproduce", "r2", "--json").json["evidence"]["grade"] == "A", commit


@pytest.mark.parametrize(
    ("word", "code", "told"),
    [
        ("nonsense", "E800", "is no release, no channel, no run and no commit"),
        ("r77", "E108", "there is no run `r77`"),
        ("9.9.9", "E712", "there is no release 9.9.9"),
        ("HEAD", "E318", ""),
        ("missing-1.0-py3-none-any.whl", "E740", ""),
    ],
)
def test_what_nobody_knows_is_refused(demo, word, code, told):
    found = demo("reproduce", word, "--json", code=None).json["error"]
    assert found["code"] == code or not told, found
    assert told in found["what"]


def test_a_commit_without_a_lock_has_nothing_to_compare_with(hello):
    committed(hello, "pipeline.py")
    error = hello.refused("reproduce", "HEAD", code=4)
    assert (error["code"], error["what"]) == ("E800", "there is no lock in HEAD")


def test_a_step_that_there_is_not_is_told_with_the_nearest(demo):
    error = demo.refused("reproduce", "r1", "--step", "score", code=2)
    assert error["fixes"] == ["did you mean `scores`?"]


def test_a_process_that_ends_without_a_word_is_told(demo):
    path = released(demo, code=b"import os\nos._exit(7)\n")
    error = demo.refused("reproduce", str(path), code=1)
    assert (error["code"], error["what"]) == (
        "E806", "the process that makes it again ended without a word (exit code 7)",
    )  # fmt: skip


def test_a_pipeline_that_cannot_be_loaded_is_told_as_ever(demo):
    path = released(demo, code=b"import nowhere\n")
    error = demo.refused("reproduce", str(path), code=3)
    assert "nowhere" in error["what"]


def test_the_folder_is_left_on_demand_and_removed_otherwise(demo):
    found = demo("reproduce", "r1", "--json", "--keep-folder").json
    folder = Path(found["folder"])
    assert (folder / "project" / "pipeline.py").is_file()
    assert (folder / "project" / "data" / "rows.json").resolve() == demo.root / "data" / "rows.json"
    subprocess.run(["rm", "-rf", folder], check=True)
    before = set(Path(folder.parent).glob("stepwell-reproduce-*"))
    demo("reproduce", "r1")
    assert set(Path(folder.parent).glob("stepwell-reproduce-*")) <= before


def test_words_that_say_nothing_are_refused(demo):
    assert "nothing is named" in demo.refused("reproduce", code=2)["what"]
    assert "got r1, r2" in demo.refused("reproduce", "r1", "r2", code=2)["what"]
    assert demo("reproduce", "r1", "--tolerance", "-1", code=2).err


INSIDE = """
    from dataclasses import dataclass
    from datetime import date
    from stepwell import pipeline, step

    @dataclass
    class Opt:
        rate: float
        sizes: tuple[int, ...]

    @step
    def items(n: int) -> list[int]:
        return list(range(n))

    @step
    def each(x: int, k: int = 1) -> int:
        return x * k

    @step
    def told(values: list[int], day: date = date(2020, 1, 1), opt: Opt = Opt(1.0, (1,)), by: float = 1.0) -> str:
        return f"{values} {day!r} {opt} {by}"

    @pipeline
    def main(n: int = 3) -> str:
        return told(each.map(items(n)))
"""


def test_a_run_with_arguments_that_were_set_inside_is_made_again(project):
    """What `--set` and a sweep set belongs to the run's parameters, also of types that a record has as plain data."""
    project.write(INSIDE)
    sets = ("each.k=5", "told.day=2021-03-04", "told.opt={rate = 2, sizes = [1, 2]}", "told.by=3")
    project("run", *(word for text in sets for word in ("--set", text)))
    project("run", "--sweep", "each.k=7,8")
    for run in ("r1", "r3"):
        found = project("reproduce", run, "--json").json
        assert set(grades(found).values()) == {"A"}
        assert "told" in grades(found)
        assert "notes" not in project("replay", "told", run, "--json").json
    project.write(project("export", "yaml", "r1").out, "r1.yaml")
    assert "5 cached" in project("run", "r1.yaml").out
    project("lock", "--set", "each.k=8")
    committed(project, "pipeline.py", "stepwell.lock")
    assert set(grades(project("reproduce", "HEAD", "--json").json).values()) == {"A"}


def test_what_runs_every_time_and_gives_nothing_on_is_run_again_and_not_compared(project):
    project.write("""
        import time
        from stepwell import pipeline, step

        @step
        def one(n: int) -> int:
            return n

        @step(always=True)
        def clean() -> float:
            return time.time()

        @pipeline
        def main(n: int = 3) -> int:
            clean()
            return one(n)
    """)
    project("run", "--lock")
    committed(project, "pipeline.py", "stepwell.lock")
    assert grades(project("reproduce", "HEAD", "--json").json) == {"one": "A"}
