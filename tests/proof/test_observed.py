"""What no source code shows: files that are read, folders listed, paths probed, variables. Each counts once it was seen."""

from __future__ import annotations

from pathlib import Path

import pytest
from projects import HEAD, Case

PIPELINE = HEAD + (
    "import os\n\nimport rules\n\n\n@step\ndef work(x: int) -> str:\n    return rules.seen()\n\n\n"
    "@step\ndef apart(x: int) -> int:\n    return x + 1\n\n\n"
    "@pipeline\ndef main(x: int = 4) -> list:\n    return [work(x), apart(x)]\n"
)
RULES = "import glob\nimport json\nimport os\nfrom pathlib import Path\n\n{0}\n\ndef seen():\n    return str({1})\n"
FILE, FOLDER, VARIABLE = "data/note.txt", "data/many", "PROOF_SEEN"

READ = {
    "open": ("", 'open("data/note.txt").read()'),
    "pathlib": ("", 'Path("data/note.txt").read_text()'),
    "an absolute path": ("", 'Path("data/note.txt").resolve().read_bytes()'),
    "numpy": ("", '__import__("numpy").fromfile("data/note.txt", "u1").tolist()'),
    "at import": ('NOTE = open("data/note.txt").read()', "NOTE"),
    "at import, through a function": (
        'def load():\n    return open("data/note.txt").read()\n\n\nNOTE = load()',
        "NOTE",
    ),
    "size": ("", 'os.path.getsize("data/note.txt")'),
}
LISTED = {
    "listdir": "sorted(os.listdir('data/many'))",
    "glob": "sorted(glob.glob('data/many/*'))",
    "pathlib": "sorted(p.name for p in Path('data/many').iterdir())",
    "rglob": "sorted(p.name for p in Path('data').rglob('*.txt'))",
    "walk": "sorted(n for _, _, names in os.walk('data/many') for n in names)",
    "scandir": "sorted(e.name for e in os.scandir('data/many'))",
}
PROBED = {
    "exists": "os.path.exists('data/maybe.txt')",
    "pathlib": "Path('data/maybe.txt').is_file()",
    "open": "open('data/maybe.txt').read() if os.access('data/maybe.txt', os.R_OK) else 'none'",
}
VARIABLES = {
    "get": ("", 'os.environ.get("PROOF_SEEN", "none")'),
    "getenv": ("", 'os.getenv("PROOF_SEEN", "none")'),
    "item": ("", 'os.environ["PROOF_SEEN"] if "PROOF_SEEN" in os.environ else "none"'),
    "expandvars": ("", 'os.path.expandvars("${PROOF_SEEN}")'),
    "at import": ('SEEN = os.environ.get("PROOF_SEEN", "none")', "SEEN"),
}


def ways(table: dict[str, object], *workers: str) -> pytest.MarkDecorator:
    """Each way in this process, and some in workers."""
    rows = [(way, False) for way in table] + [(way, True) for way in workers]
    return pytest.mark.parametrize(("way", "workers"), rows)


@pytest.fixture
def case(tmp_path: Path, witness) -> Case:
    made = Case(tmp_path, witness)
    made.write(pipeline_py=PIPELINE, data__note_txt="a1")
    (made.root / FOLDER).mkdir()
    return made


def told(case: Case, workers: bool) -> tuple[list[str], str]:
    """What ran, and what the step saw; compared with a run from nothing."""
    answer = case.both(workers=workers)
    return sorted(case.ran(answer)), answer["values"][0]


def holds(case: Case, workers: bool, edit, undo) -> None:
    """The edit makes the one step run again and no other; undone, the earlier result counts again."""
    first = told(case, workers)
    assert first[0] == ["apart", "work"]
    assert told(case, workers) == ([], first[1])
    edit()
    second = told(case, workers)
    assert second[0] == ["work"]
    assert second[1] != first[1]
    assert told(case, workers) == ([], second[1])
    undo()
    assert told(case, workers) == ([], first[1])


@ways(READ, "open", "at import")
def test_a_file_that_is_read(case, way, workers):
    head, use = READ[way]
    case.write(rules_py=RULES.format(head, use))
    new = "b11" if way == "size" else "b1"
    holds(case, workers, lambda: case.write(data__note_txt=new), lambda: case.write(data__note_txt="a1"))


@ways(LISTED, "listdir")
def test_a_folder_that_is_listed(case, way, workers):
    case.write(rules_py=RULES.format("", LISTED[way]), data__many__one_txt="1")
    more = case.root / FOLDER / "two.txt"
    holds(case, workers, lambda: more.write_text("2"), more.unlink)


@ways(PROBED, "exists")
def test_a_path_that_is_absent(case, way, workers):
    case.write(rules_py=RULES.format("", PROBED[way]))
    path = case.root / "data" / "maybe.txt"
    holds(case, workers, lambda: path.write_text("1"), path.unlink)


@ways(VARIABLES, "get", "at import")
def test_a_variable_that_is_read(case, way, workers):
    head, use = VARIABLES[way]
    case.write(rules_py=RULES.format(head, use))
    case.variables = {VARIABLE: "a1"}
    holds(
        case,
        workers,
        lambda: case.variables.update({VARIABLE: "b1"}),
        lambda: case.variables.update({VARIABLE: "a1"}),
    )


@pytest.mark.parametrize("workers", [False, True])
def test_a_file_that_only_another_step_reads_does_not_count(case, workers):
    case.write(rules_py=RULES.format("", "7"), data__other_txt="1")
    told(case, workers)
    case.write(data__note_txt="b1", data__other_txt="2")
    assert told(case, workers)[0] == []


def test_the_content_of_a_file_changes_whose_path_is_passed_as_text(case):
    case.write(
        pipeline_py=HEAD + "@step\ndef read(path: str) -> str:\n    return Path(path).read_text()\n\n\n"
        '@pipeline\ndef main() -> str:\n    return read("data/table.txt")\n',
        data__table_txt="a1",
    )
    assert case.both()["values"] == ["'a1'"]
    assert case.ran(case.both()) == []
    case.write(data__table_txt="b1")
    answer = case.both()
    assert (case.ran(answer), answer["values"]) == (["read"], ["'b1'"])
    case.write(data__table_txt="a1")
    assert case.ran(case.both()) == []
