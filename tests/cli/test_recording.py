"""What steps record, by the real command: in each engine the same, with retries, reuse and repetition; and the tree's changes."""

import subprocess
import time

from cli_projects import Project

from stepwell.stores.local import open_store

STEPS = """
    from pathlib import Path
    from stepwell import log, pipeline, step
    from stepwell.log import current_step

    @step(retries=1)
    def train(depth: int) -> float:
        attempt = current_step().attempt
        for epoch in range(5):
            log.metric("loss", attempt / (epoch + 1), step=epoch)
        log.text(f"note {attempt}", "x" * 5000)
        log.card("<img onerror=1>", "<b>card</b>")
        log.tag("tried", attempt=attempt)
        log.figure("\\x1b[31mmissing", Path("none.png"))
        if attempt == 1:
            raise ValueError("not yet")
        return 0.5

    @step
    def score(model: float) -> float:
        log.metrics({"auc": model, "worst": float("nan")})
        return model

    @pipeline
    def main(depth: int = 3) -> float:
        return score(train(depth))
"""


def rows(project, run):
    """What a run shows of what was recorded, without times and numbers of runs."""
    with open_store(project.root / ".stepwell", readonly=True) as store:
        things = [
            (one.node, one.kind, one.name, one.step, one.artifact, one.text)
            for one in store.runs.recorded(run)
        ]
        curves = [
            (one.node, one.name, one.steps.tolist(), one.values.tolist()) for one in store.runs.curves(run)
        ]
        notes = [note for step in store.runs.steps(run) for note in step.notes]
        return things, curves, notes, store.runs.run(run).tags


def test_every_engine_records_the_same_and_a_reused_step_shows_it_again(project: Project):
    project.write(STEPS)
    project("run")
    first = rows(project, "r1")
    things, curves, notes, tags = first
    assert [(one[1], one[2]) for one in things] == [
        ("text", "note 2"), ("card", "<img onerror=1>"), ("tag", "tried"), ("tag", "attempt"),
    ]  # fmt: skip
    assert curves == [(0, "loss", [0, 1, 2, 3, 4], [2 / n for n in range(1, 6)])]
    assert tags == ("attempt=2", "tried")
    assert notes[0] == "attempt 1 failed: step `train` raised ValueError: not yet"
    assert "E522: figure `\x1b[31mmissing` was not recorded: FileNotFoundError" in notes[1]
    project("run", "--in-process", "--force", "*")
    assert rows(project, "r2") == first
    project("run", "--force", "score")
    again = rows(project, "r3")
    assert (again[0], again[1], again[3]) == (things, curves, tags)
    shown = project("show")
    assert "\x1b" not in shown.out
    assert "train: card <img onerror=1>" in shown.out
    assert "attempt=2  tried" in shown.out
    document = project("show", "--json").json
    assert document["metrics"] == {"loss": 0.4, "auc": 0.5, "worst": "NaN"}
    assert document["curves"] == [{"id": "train", "name": "loss", "count": 5, "last": 0.4}]
    listed = project("runs", "--json").json["runs"]
    assert [row["tags"] for row in listed] == [["attempt=2", "tried"]] * 3


def test_a_repeated_step_records_nothing(project: Project):
    project.write(STEPS)
    project("run")
    before = rows(project, "r1")
    with open_store(project.root / ".stepwell", readonly=True) as store:
        count = store.database.rows("SELECT (SELECT count(*) FROM recorded), (SELECT count(*) FROM curves)")
    project("replay", "score")
    with open_store(project.root / ".stepwell", readonly=True) as store:
        assert (
            store.database.rows("SELECT (SELECT count(*) FROM recorded), (SELECT count(*) FROM curves)")
            == count
        )
    assert rows(project, "r1") == before


def test_numbers_are_there_while_the_step_goes_on(project: Project):
    project.write("""
        import time
        from pathlib import Path
        from stepwell import log, pipeline, step

        @step
        def slow() -> int:
            for epoch in range(1000):
                log.metric("loss", 1.0, step=epoch)
                log.progress(epoch, 1000, "training")
            while not Path("enough").exists():
                time.sleep(0.02)
            return 1

        @pipeline
        def main() -> int:
            return slow()
    """)
    going = project.start("run")
    try:
        until = time.monotonic() + 30
        found, told = [], {}
        while time.monotonic() < until and not (found and found[0][2] == 1000 and told):
            time.sleep(0.05)
            if (project.root / ".stepwell" / "store.db").exists():
                with open_store(project.root / ".stepwell", readonly=True) as store:
                    if store.runs.runs(1):
                        found, told = store.runs.curve_names("last"), store.runs.progress_of("last")
        assert found == [(0, "loss", 1000, 1.0)]
        assert told == {0: (999.0, 1000.0, "training")}
    finally:
        (project.root / "enough").touch()
        going.communicate(timeout=30)


def test_a_killed_run_has_the_metrics_of_what_was_done(project: Project):
    project.write("""
        import time
        from stepwell import log, pipeline, step

        @step
        def done() -> int:
            log.metric("auc", 40)
            return 1

        @step
        def slow(x: int) -> int:
            for epoch in range(100000):
                log.metric("loss", 3.0, step=epoch)
                time.sleep(0.02)
            return x

        @pipeline
        def main() -> int:
            return slow(done())
    """)
    going = project.start("run")
    try:
        until, found = time.monotonic() + 30, {}
        while time.monotonic() < until and len(found) < 2:
            time.sleep(0.05)
            if (project.root / ".stepwell" / "store.db").exists():
                with open_store(project.root / ".stepwell", readonly=True) as store:
                    found = {**store.runs.run().metrics} if store.runs.ids() else {}
        assert found == {"auc": 40.0, "loss": 3.0}  # live, while it runs
    finally:
        going.kill()
        going.communicate(timeout=30)
    (run,) = project("runs", "--where", "auc == 40", "--json").json["runs"]
    assert (run["status"], run["metrics"]) == ("interrupted", {"auc": 40.0})
    assert "which no run has" in project("runs", "--where", "loss < 10", code=2).err
    shown = project("show").out.splitlines()
    assert [line for line in shown if "logged" in line] == ["slow: logged before it was stopped: loss=3"]


def git(project, *words):
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    subprocess.run(["git", *identity, *words], cwd=project.root, check=True, capture_output=True)


def test_a_run_has_the_changes_of_the_tree_without_secrets(project: Project):
    project.write()
    project.write("token = old\n", "conf/settings.txt")
    project.write(".stepwell\n__pycache__\n", ".gitignore")
    project.write("""
        from stepwell import Secret, pipeline, step

        @step
        def one(token: Secret) -> int:
            return len(token.value)

        @pipeline
        def main(token: Secret = Secret("API_TOKEN")) -> int:
            return one(token)
    """)
    git(project, "init", "-q")
    git(project, "add", "-A")
    git(project, "commit", "-qm", "first")
    project.env["API_TOKEN"] = "hunter2-hunter2"
    project("run")
    project.write("token = hunter2-hunter2\n", "conf/settings.txt")
    (project.root / ".gitattributes").write_text("*.txt diff=evil\n")
    evil = project.root / "evil.sh"
    evil.write_text("#!/bin/sh\ntouch " + str(project.root / "ran") + "\n")
    evil.chmod(0o755)
    git(project, "config", "diff.evil.command", str(evil))
    git(project, "config", "diff.evil.textconv", str(evil))
    git(project, "config", "diff.external", str(evil))
    project("run", "--force", "*")
    with open_store(project.root / ".stepwell", readonly=True) as store:
        assert store.runs.about("r1").diff == ""
        diff = store.runs.about("r2").diff
    assert "--- a/conf/settings.txt\n+++ b/conf/settings.txt\n" in diff
    assert "-token = old\n+token = ***\n" in diff
    assert not (project.root / "ran").exists()
