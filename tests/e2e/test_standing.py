"""Plans that are recalled: answered without loading the pipeline as long as nothing changed, and never when anything did.

Whether a command recalled is seen from outside: one that did has not imported `stepwell.app.session`.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import pytest

ASK = """
import sys
from stepwell.cli.main import main
code = main(sys.argv[1:])
print("\\nrecalled" if "stepwell.app.session" not in sys.modules else "\\nplanned")
sys.exit(code)
"""

PIPELINE = """
import json
import os
from pathlib import Path

import helpers
from stepwell import pipeline, source, step

TABLE = source("table.csv", str)
SCALE = json.loads(Path("scale.json").read_text())["scale"]


@step
def read(table: str) -> int:
    return len(table)


@step
def scaled(number: int, by: int) -> int:
    Path("seen.txt").read_text()
    return helpers.times(number, by)


@step(ttl=3600)
def large(number: int) -> bytes:
    return bytes(number % 251 for _ in range(100_000))


@pipeline
def counted(by: int = 2) -> int:
    names = sorted(p.name for p in Path("parts").glob("*.txt"))
    mood = os.environ.get("MOOD", "")
    read_one = read(TABLE())
    large(read_one)
    return scaled(read_one, by * SCALE + len(names) + len(mood))
"""


class Answer(NamedTuple):
    """What a command said, and whether it recalled it."""

    recalled: bool
    text: str
    notes: str
    code: int


def environment() -> dict[str, str]:
    """The environment of commands: pytest's own variable says where it is, and would make each a new question."""
    return {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"}


class Project:
    """A pipeline that rests on everything that one can rest on."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.extra: dict[str, str] = {}
        self.write("pipeline.py", PIPELINE)
        self.write("helpers.py", "def times(a, b):\n    return a * b\n")
        self.write("table.csv", "a,b\n1,2\n")
        self.write("scale.json", '{"scale": 3}')
        self.write("seen.txt", "seen")
        self.write("parts/one.txt", "")

    def write(self, name: str, text: str) -> None:
        """Write a file of the project."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def ask(self, *words: str) -> Answer:
        """Carry out a command."""
        done = subprocess.run(
            [sys.executable, "-c", ASK, *words],
            cwd=self.root,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            env={**environment(), **self.extra},
        )
        *text, mark = done.stdout.rstrip().split("\n")
        return Answer(mark == "recalled", "\n".join(text).rstrip(), done.stderr, done.returncode)

    def settle(self, *words: str) -> Answer:
        """Ask until it is recalled: the run that works, one that finds nothing to do where that left no answer, one that knows it."""
        for _ in range(3):
            time.sleep(0.05)  # what was written just now is not older than the process
            answer = self.ask(*words)
            assert answer.code == 0, answer
            if answer.recalled:
                return answer
        raise AssertionError(f"never recalled: {answer}")

    def runs(self) -> list[dict[str, object]]:
        """The runs of the store, newest first."""
        done = self.ask("runs", "--json")
        return list(json.loads(done.text)["runs"])


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project whose unchanged run is recalled."""
    made = Project(tmp_path)
    assert not made.ask("run").recalled
    assert made.settle("run").recalled
    return made


def aged(root: Path) -> Project:
    """A project whose files are older than the first command."""
    made = Project(root)
    time.sleep(0.05)
    return made


def recorded(project: Project, run: str) -> dict[str, object]:
    """What a run's record says, without moments, durations and paths."""
    shown = json.loads(project.ask("show", run, "--json").text)
    listed = next(row for row in project.runs() if row["run"] == run)
    text = json.dumps({**shown, "listed": listed}).replace(str(project.root), "")
    passing = re.compile(r'"(started|seconds|cpu|memory|made|at)": [^,}]*')
    return dict(json.loads(passing.sub(r'"\1": 0', text)))


def test_the_command_after_a_run_that_worked_is_recalled(tmp_path: Path) -> None:
    """It says and records what it would if it went the whole way, which the other project has it do."""
    recalled, planned = aged(tmp_path / "one"), aged(tmp_path / "two")
    planned.extra["STEPWELL_RECALL"] = "0"
    first = [one.ask("run") for one in (recalled, planned)]
    assert [one.recalled for one in first] == [False, False]
    for project in (recalled, planned):  # part of what there is was made before, part of it is made now
        project.write("helpers.py", "def times(a, b):\n    return b * a\n")
    time.sleep(0.05)
    assert [one.ask("run").text.splitlines()[-1][-14:] for one in (recalled, planned)] == [
        "1 ran, 2 cached"[-14:]
    ] * 2
    second = [one.ask("run") for one in (recalled, planned)]
    assert [one.recalled for one in second] == [True, False]
    said = [one.text.splitlines()[:-1] for one in second]
    assert said[0] == said[1]
    assert recorded(recalled, "r3") == recorded(planned, "r3")
    again = recalled.ask("run")
    assert again.recalled
    assert recorded(recalled, "r4")["steps"] == recorded(recalled, "r3")["steps"]
    for run in ("r1", "r2"):  # of which nothing is used any more
        recalled.ask("gc", "--run", run, "--yes")


WRITES = {
    "a file that may be imported": 'Path("json.py").write_text("import os")',
    "a file that the body lists": 'Path("parts/new.txt").write_text("")',
    "the pipeline": 'Path("pipeline.py").write_text(Path("pipeline.py").read_text() + "#")',
    "what it has read": 'Path("seen.txt").write_text("other")',
}


@pytest.mark.parametrize("written", WRITES)
def test_a_run_that_changes_what_counts_leaves_no_answer(tmp_path: Path, written: str) -> None:
    made = Project(tmp_path)
    made.write(
        "pipeline.py", PIPELINE.replace("    return helpers", f"    {WRITES[written]}\n    return helpers")
    )
    time.sleep(0.05)
    assert made.ask("run").code == 0
    assert not made.ask("run").recalled


def test_a_recalled_run_says_and_records_what_the_one_before_did(project: Project) -> None:
    before, after = project.ask("run", "by=2"), project.ask("run")
    assert not before.recalled  # another question, although it means the same
    assert after.recalled
    said = [line.replace(" (r1)", "") for line in before.text.splitlines()[1:-1]]
    assert [line.replace(" (r1)", "") for line in after.text.splitlines()[1:-1]] == said
    assert after.text.splitlines()[-1].endswith("0 ran, 3 cached")
    newest, older = project.runs()[:2]
    assert int(str(newest["run"])[1:]) == int(str(older["run"])[1:]) + 1
    same = ("pipeline", "status", "params", "metrics", "commit")
    assert [newest[name] for name in same] == [older[name] for name in same]
    shown = json.loads(project.ask("show", str(newest["run"]), "--json").text)
    assert [step["status"] for step in shown["steps"]] == ["cached"] * 3


def test_a_recalled_plan_prints_the_same(project: Project) -> None:
    planned = project.ask("plan")
    recalled = project.ask("plan")
    assert (planned.recalled, recalled.recalled) == (False, True)
    assert planned[1:] == recalled[1:]


CHANGES = {
    "the code of a step": lambda p: p.write("pipeline.py", PIPELINE.replace("len(table)", "len(table) + 1")),
    "a helper": lambda p: p.write("helpers.py", "def times(a, b):\n    return b * a + 0\n"),
    "a source": lambda p: p.write("table.csv", "a,b\n1,2\n3,4\n"),
    "what a module reads when it is imported": lambda p: p.write("scale.json", '{"scale": 4}'),
    "what a step was seen to read": lambda p: p.write("seen.txt", "seen again"),
    "what the body lists": lambda p: p.write("parts/two.txt", ""),
    "a variable that the body reads": lambda p: p.extra.update(MOOD="x"),
    "settings": lambda p: p.write("pyproject.toml", "[tool.stepwell.params]\nby = 5\n"),
    "a result by force": lambda p: p.ask("run", "--force", "read"),
    "a large blob": lambda p: next((p.root / ".stepwell/blobs").glob("*/*")).unlink(),
    "all results": lambda p: p.ask("gc", "--keep", "1", "--older-than", "0", "--yes"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_changes_is_seen_at_once(project: Project, change: str) -> None:
    CHANGES[change](project)
    answer = project.ask("run")
    assert not answer.recalled
    assert answer.code == 0
    assert project.settle("run").code == 0  # and is as firm as before


def test_a_module_that_comes_to_stand_before_another_is_seen(project: Project) -> None:
    project.write("src/helpers.py", "def times(a, b):\n    return 0\n")
    assert not project.ask(
        "run"
    ).recalled  # the root comes first: it changes nothing, but that had to be found out
    project.write("json.py", "raise RuntimeError('the wrong json')\n")
    assert not project.ask("plan").recalled


HIDING = {
    "a package beside a module": ("from mod import value", "mod.py", "mod/data.csv", "mod/__init__.py"),
    "a package in the place of an installed one": (
        "from yaml import value",
        "site/yaml.py",
        "yaml/data.csv",
        "yaml/__init__.py",
    ),
    "a folder that is searched first": ("from ns.a import value", "src/ns/a.py", "ns/other.py", "ns/a.py"),
    "a package in a package": (
        "from pkg.sub import value",
        "pkg/sub.py",
        "pkg/sub/weights.txt",
        "pkg/sub/__init__.py",
    ),
    "a module that was looked for in vain": (
        "try:\n        from models.best import value\n    except ImportError:\n        value = 1",
        "models/__init__.txt",
        "models/weights.json",
        "models/best.py",
    ),
}
"""An import of a step, the module that it finds, a file in a folder of that name, and one that comes to be found instead."""


@pytest.mark.parametrize("case", HIDING)
def test_a_module_that_appears_in_a_folder_of_data_is_seen(tmp_path: Path, case: str) -> None:
    wanted, found, data, hiding = HIDING[case]
    made = Project(tmp_path)
    made.extra["PYTHONPATH"] = str(tmp_path / "site")
    head = "from stepwell import pipeline, step\n\n@step\ndef one(x: int) -> int:\n    "
    body = "\n    return x * value\n\n@pipeline\ndef main(x: int = 3) -> int:\n    return one(x)\n"
    made.write("pipeline.py", f"{head}{wanted}{body}")
    for name in ("pkg/__init__.py", data):
        made.write(name, "")
    made.write(found, "value = 1\n")
    assert "result  3" in made.settle("run").text
    assert made.settle("plan").recalled
    made.write(hiding, "value = 9\n")
    assert not made.ask("plan").recalled
    assert "result  27" in made.ask("run").text


@pytest.mark.parametrize("how", ["sys.stdin", "open(0)"])
def test_standard_input_is_no_input_that_is_known(tmp_path: Path, how: str) -> None:
    made = Project(tmp_path)
    made.write(
        "pipeline.py",
        PIPELINE.replace("import os\n", "import os\nimport sys\n").replace(MOOD, f"{how}.read()"),
    )
    for _ in range(3):
        time.sleep(0.05)
        answer = made.ask("run")
        assert answer.code == 0, answer
    assert not answer.recalled


def test_what_is_installed_is_seen(project: Project, tmp_path_factory: pytest.TempPathFactory) -> None:
    place = tmp_path_factory.mktemp("packages")
    project.extra["PYTHONPATH"] = str(place)
    project.settle("run")
    (place / "other-1.0.dist-info").mkdir()
    assert not project.ask("run").recalled


def test_a_source_of_the_same_size_and_time_is_read_where_its_time_is_fresh(project: Project) -> None:
    path = project.root / "table.csv"
    before = path.stat()
    path.write_text("a,b\n9,9\n")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert not project.ask("run").recalled


def test_a_variable_of_the_terminal_does_not_count(project: Project) -> None:
    project.extra["WINDOWID"] = "77"
    assert project.ask("run").recalled


MOOD = 'os.environ.get("MOOD", "")'


@pytest.mark.parametrize(
    "mood",
    [
        "str(__import__('datetime').date.today())",
        "helpers.stamp()",
        "yaml.safe_dump({})",
        "max(Path('parts').glob('*'), key=lambda p: p.stat().st_mtime).name",
    ],
)
def test_a_body_that_asks_for_more_than_is_observed_is_planned_anew(tmp_path: Path, mood: str) -> None:
    """All that `author.steady` knows of is in its own tests."""
    made = Project(tmp_path)
    made.write(
        "helpers.py",
        "import time\n\ndef times(a, b):\n    return a * b\n\ndef stamp():\n    return str(time.time())[:1]\n",
    )
    made.write("pipeline.py", PIPELINE.replace("import os\n", "import os\nimport yaml\n").replace(MOOD, mood))
    for _ in range(3):
        time.sleep(0.05)
        answer = made.ask("run")
        assert answer.code == 0, answer
    assert not answer.recalled


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (
            "return len(table)\n",
            "return len(table)\n\n@step(cache=False)\ndef always() -> int:\n    return 1\n",
        ),
        ("read_one = read(TABLE())", "read_one = read(TABLE())\n    read.options(done=lambda table: True)"),
    ],
    ids=["a step that is never reused, not called", "options"],
)
def test_what_is_not_called_does_not_count(tmp_path: Path, old: str, new: str) -> None:
    made = Project(tmp_path)
    made.write("pipeline.py", PIPELINE.replace(old, new))
    made.settle("run")


def test_a_pipeline_file_that_is_a_link_may_lead_elsewhere(tmp_path: Path) -> None:
    made = Project(tmp_path)
    (tmp_path / "pipeline.py").rename(tmp_path / "one.py")
    made.write("two.py", PIPELINE.replace("by: int = 2", "by: int = 5"))
    (tmp_path / "pipeline.py").symlink_to("one.py")
    first = made.settle("run").text
    (tmp_path / "pipeline.py").unlink()
    (tmp_path / "pipeline.py").symlink_to("two.py")
    answer = made.ask("run")
    assert not answer.recalled
    assert answer.text != first


def test_a_folder_that_is_gone_is_told(tmp_path: Path) -> None:
    code = f"import os; os.chdir({str(tmp_path)!r}); os.rmdir({str(tmp_path)!r})\n{ASK}"
    for words in (["run"], ["plan"], ["run", "-C", "."]):
        tmp_path.mkdir(exist_ok=True)
        done = subprocess.run(
            [sys.executable, "-c", code, *words], capture_output=True, text=True, env=environment()
        )
        assert "error[E100] the working folder is gone" in done.stderr, done


def test_a_source_that_is_again_what_it_was_is_told_once(project: Project) -> None:
    """A run that finds an older state again uses it: the plan after it does not speak of a change."""
    folder = PIPELINE.replace('source("table.csv", str)', 'source("parts", Path)')
    project.write(
        "pipeline.py",
        folder.replace("table: str", "table: Path").replace("len(table)", "len(list(table.iterdir()))"),
    )
    project.write("parts/one.txt", "1")
    project.settle("run")
    project.write("parts/two.txt", "2")
    assert project.ask("run").code == 0
    (project.root / "parts/two.txt").unlink()
    assert "`TABLE` changed" in project.ask("plan").text
    assert project.ask("run").code == 0
    assert "`TABLE` changed" not in project.ask("plan").text


def test_a_clock_in_a_step_does_not_count(tmp_path: Path) -> None:
    made = Project(tmp_path)
    made.write("helpers.py", "import time\n\ndef times(a, b):\n    time.time()\n    return a * b\n")
    assert made.settle("run").recalled


def test_a_damaged_memo_costs_time_only(project: Project) -> None:
    import sqlite3

    with sqlite3.connect(project.root / ".stepwell/store.db") as connection:
        connection.execute("UPDATE memo SET value = '[1, 2' WHERE kind = 'standing'")
    answer = project.ask("run")
    assert (answer.recalled, answer.code) == (False, 0)
    assert project.settle("run").recalled


@pytest.mark.parametrize("column", ["tags", "metrics", "params", "skipped", "named"])
def test_a_damaged_record_is_not_repeated(project: Project, column: str) -> None:
    import sqlite3

    with sqlite3.connect(project.root / ".stepwell/store.db") as connection:
        connection.execute(f"UPDATE runs SET {column} = 'zz'")
    answer = project.ask("run")
    assert (answer.recalled, answer.code) == (False, 0)
    assert project.runs()[0]["status"] == "succeeded"


def test_runs_at_once_have_numbers_of_their_own(project: Project) -> None:
    words = [sys.executable, "-c", ASK, "run"]
    many = [
        subprocess.Popen(words, cwd=project.root, env=environment(), stdout=subprocess.PIPE, text=True)
        for _ in range(6)
    ]
    said = [process.communicate()[0] for process in many]
    assert all(text.rstrip().endswith("recalled") for text in said), said
    assert len({text.split()[2] for text in said}) == 6


def test_a_run_that_is_recalled_has_the_changes_of_the_tree(project: Project) -> None:
    def git(*words: str) -> None:
        who = ["-c", "user.name=a", "-c", "user.email=a@localhost", "-c", "commit.gpgsign=false"]
        subprocess.run(["git", *who, *words], cwd=project.root, check=True, capture_output=True)

    project.write(".gitignore", ".stepwell\n__pycache__\n")
    for words in (("init", "-q"), ("add", "-A"), ("commit", "-qm", "first")):
        git(*words)
    project.write("helpers.py", "def times(a, b):\n    return b * a\n")
    project.settle("run")
    texts = [project.ask("export", "yaml", row["run"]).text for row in project.runs()[:2]]
    assert "+    return b * a" in texts[0]
    assert texts[0] == texts[1]
    git("commit", "-qam", "second")
    project.write("note.txt", "no code")
    assert not project.ask("run").recalled  # the changes are others, of another commit
    assert "diff:" not in project.ask("export", "yaml").text
