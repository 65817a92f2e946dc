"""Locks: the same facts give the same bytes, bytes give the facts back, and nothing else is taken for a lock."""

from __future__ import annotations

import math
import os
import subprocess
import tomllib
from datetime import UTC, date, datetime, time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from stepwell.dist.lock import Data, Environment, Lock, Output, Pipeline, Step, differences, facts
from stepwell.dist.lockfile import lock_of, lock_path, read, text_of, write
from stepwell.errors import BadLock, LockMissing

B3, C1 = f"b3:{'a' * 64}", f"c1:{'c' * 64}"


def example(**pipelines: Pipeline) -> Lock:
    """A lock with a bit of everything."""
    model = Output(codec="sklearn", bytes=B3, size=1234, content=C1, shows="LogisticRegression()")
    table = Output(codec="parquet", bytes=B3, size=99, content=C1)
    delays = Pipeline(
        params={"depth": 4, "since": date(2013, 1, 1), "names": ["a", "b"], "nothing": None},
        metrics={"train.auc": 0.689},
        step={
            "clean": Step(code="1f", uses=("data.flights",), output={"result": table}),
            "train[2]": Step(
                code="2e", uses=("param.depth", "step.clean"), output={"model": model, "report": model}
            ),
        },
    )
    flights = Data(
        source="data/flights.csv",
        size=1 << 40,
        rows=3,
        bytes=B3,
        content=C1,
        columns={"id": "int64", "arr_delay": "float64, null 2.8 %"},
        key={"id": "faa.flight"},
        units={"arr_delay": "min"},
    )
    photos = Data(source="photos", bytes=B3, size=5, files={"b/ü.jpg": f"3 {B3}", "a.jpg": f"2 {B3}"})
    where = Environment(
        python="cpython 3.11", platform="linux x86_64", pylock="sha256:0", direct={"pandas": "2.3.1"}
    )
    return Lock(
        environment=where,
        data={"photos": photos, "flights": flights},
        pipeline={"delays": delays, **pipelines},
    )


def but(lock: Lock, **data: dict[str, object]) -> Lock:
    """A lock with other facts of some of its data."""
    changed = {name: structs.replace(lock.data[name], **facts) for name, facts in data.items()}
    return structs.replace(lock, data={**lock.data, **changed})


def test_it_reads_well() -> None:
    lock = example()
    assert text_of(lock).startswith(
        "# What this project was built from. Written by `stepwell lock`; not to be edited.\n"
        "lock = 1\n"
        "\n"
        "[environment]\n"
        'python = "cpython 3.11"\n'
        'platform = "linux x86_64"\n'
        'pylock = "sha256:0"\n'
        "\n"
        "[environment.direct]\n"
        'pandas = "2.3.1"\n'
        "\n"
        "[data.flights]\n"
        'source = "data/flights.csv"\n'
        "size = 1099511627776\n"
        "rows = 3\n"
        f'bytes = "{B3}"\n'
    )
    assert (
        '[pipeline.delays.step."train[2]"]\ncode = "2e"\nuses = [\n  "param.depth",\n  "step.clean",\n]\n'
        in text_of(lock)
    )
    assert 'nothing = { python = "None" }' in text_of(lock)


def test_columns_keep_their_order() -> None:
    assert list(lock_of(text_of(example())).data["flights"].columns) == ["id", "arr_delay"]


NAMES = st.text(min_size=1, max_size=12)
FACTS = st.text(max_size=20)
VALUES = st.recursive(
    st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | FACTS | st.dates(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=6,
)
TABLE = st.dictionaries(NAMES, NAMES, max_size=3)
SIZES = st.integers(0, 2**60)
OUTPUTS = st.builds(Output, codec=NAMES, bytes=NAMES, size=SIZES, content=FACTS, shows=FACTS)
STEPS = st.builds(
    Step,
    code=NAMES,
    uses=st.lists(NAMES, max_size=3).map(tuple),
    output=st.dictionaries(NAMES, OUTPUTS, max_size=2),
)
PIPELINES = st.builds(
    Pipeline,
    uses=st.lists(NAMES, max_size=2).map(tuple),
    params=st.dictionaries(NAMES, VALUES, max_size=3),
    step=st.dictionaries(NAMES, STEPS, max_size=3),
    metrics=st.dictionaries(NAMES, st.floats(allow_nan=False), max_size=3),
)
DATA = st.builds(
    Data,
    source=NAMES,
    bytes=NAMES,
    size=SIZES,
    content=FACTS,
    rows=st.none() | st.integers(0, 2**40),
    files=TABLE,
    columns=TABLE,
    key=TABLE,
    units=TABLE,
)
LOCKS = st.builds(
    Lock,
    environment=st.builds(Environment, python=FACTS, platform=FACTS, pylock=FACTS, direct=TABLE),
    data=st.dictionaries(NAMES, DATA, max_size=3),
    pipeline=st.dictionaries(NAMES, PIPELINES, max_size=2),
)


@given(LOCKS)
def test_what_is_written_is_read_and_written_the_same(lock: Lock) -> None:
    text = text_of(lock)
    again = lock_of(text)
    assert facts(again) == facts(lock)
    assert text_of(again) == text
    assert not list(differences(lock, again))


@given(LOCKS)
def test_the_order_of_facts_does_not_count(lock: Lock) -> None:
    other = structs.replace(
        lock, data=dict(reversed(lock.data.items())), pipeline=dict(reversed(lock.pipeline.items()))
    )
    assert text_of(other) == text_of(lock)


@pytest.mark.parametrize(
    "value", [math.inf, -math.inf, -0.0, 1e300, time(1, 2), datetime(2020, 1, 1, tzinfo=UTC)]
)
def test_odd_values_are_toml(value: object) -> None:
    lock = Lock(pipeline={"p": Pipeline(params={"x": value})})
    assert lock_of(text_of(lock)).pipeline["p"].params["x"] == value


def test_no_number_is_toml() -> None:
    found = lock_of(
        text_of(Lock(pipeline={"p": Pipeline(params={"x": math.nan}, metrics={"auc": math.nan})}))
    )
    assert math.isnan(found.pipeline["p"].params["x"])
    assert math.isnan(found.pipeline["p"].metrics["auc"])


def test_numbers_beyond_toml_are_text() -> None:
    found = tomllib.loads(text_of(Lock(pipeline={"p": Pipeline(params={"x": 2**64})})))
    assert found["pipeline"]["p"]["params"]["x"] == {"python": str(2**64)}


def test_it_is_written_once(tmp_path: Path) -> None:
    path = lock_path(tmp_path)
    assert path.name == "stepwell.lock"
    assert lock_path(tmp_path, tmp_path / "churn.py").name == "churn.stepwell.lock"
    assert write(path, example())
    assert not write(path, example())
    assert facts(read(path)) == facts(example())
    assert os.listdir(tmp_path) == ["stepwell.lock"]


def test_a_folder_that_cannot_be_written_to(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BadLock, match="cannot be written"):
        write(tmp_path / "file" / "stepwell.lock", example())


def test_there_is_none(tmp_path: Path) -> None:
    with pytest.raises(LockMissing) as told:
        read(lock_path(tmp_path))
    assert told.value.fixes == ("stepwell lock",)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("size = 99\n", "size = 98 \n", "edited or merged by hand"),
        ("lock = 1\n", "lock = 1\n\n# mine\n", "edited or merged by hand"),
        ("[data.photos]", "[data.flights]", "cannot be understood"),
        ("size = 99\n", "size = 99\nmore = 1\n", "cannot be understood"),
        ("size = 99\n", "", "cannot be understood"),
        ("lock = 1\n", "lock = 2\n", "no lock of this format"),
        ("lock = 1\n", "", "no lock of this format"),
        ("[environment]", "[environment", "cannot be understood"),
        ("[environment]", "environment = 3\n[other]", "cannot be understood"),
        ("size = 99\n", "<<<<<<< ours\nsize = 99\n=======\nsize = 98\n>>>>>>> theirs\n", "a merge that was not resolved"),
        ("size = 99\n", "size = 99\r\n", "edited or merged by hand"),
    ],
)  # fmt: skip
def test_what_was_not_written_so_is_refused(tmp_path: Path, old: str, new: str, says: str) -> None:
    path = lock_path(tmp_path)
    text = text_of(example())
    assert old in text
    path.write_bytes(text.replace(old, new, 1).encode())
    with pytest.raises(BadLock, match=says) as told:
        read(path)
    assert "rm stepwell.lock && stepwell lock" in told.value.fixes


def test_line_ends_of_another_system_are_no_edit(tmp_path: Path) -> None:
    path = lock_path(tmp_path)
    path.write_bytes(text_of(example()).replace("\n", "\r\n").encode())
    assert text_of(read(path)) == text_of(example())


@pytest.mark.parametrize("data", [b"\xff\xfe", b"", b"\0" * 10, b"[]"])
def test_what_is_no_text_is_refused(tmp_path: Path, data: bytes) -> None:
    lock_path(tmp_path).write_bytes(data)
    with pytest.raises(BadLock):
        read(lock_path(tmp_path))


def test_differences_are_told_fact_by_fact() -> None:
    before, after = example(), example(other=Pipeline(params={"a": 1}))
    told = [str(one) for one in differences(before, but(after, flights={"rows": 4, "units": {}}))]
    assert told == [
        "data.flights.rows: 3 is now 4",
        "data.flights.units is gone: arr_delay",
        "pipeline.other is new: params",
    ]


def git(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Git, without any settings of the machine."""
    alone = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull, "PATH": os.environ["PATH"]}
    who = ("-c", "user.name=A", "-c", "user.email=a@example.org")
    return subprocess.run(["git", *who, *words], cwd=folder, env=alone, capture_output=True, text=True)


def merged(folder: Path, ours: Lock, theirs: Lock) -> subprocess.CompletedProcess[str]:
    """What git makes of two branches that lock different things."""
    path = lock_path(folder)
    git(folder, "init", "-b", "main")
    for branch, lock in (("main", example()), ("theirs", theirs), ("ours", ours)):
        git(folder, "checkout", "-q", "-B", branch, *(["main"] if branch != "main" else []))
        write(path, lock)
        git(folder, "add", "-A")
        assert git(folder, "commit", "-qm", branch).returncode == 0
    return git(folder, "merge", "--no-edit", "theirs")


def test_branches_that_lock_different_things_merge(tmp_path: Path) -> None:
    start = example()
    done = merged(tmp_path, but(start, photos={"size": 6}), but(start, flights={"rows": 4}))
    assert done.returncode == 0, done.stdout
    found = read(lock_path(tmp_path))
    assert (found.data["photos"].size, found.data["flights"].rows) == (6, 4)


def test_branches_that_lock_one_thing_differently_are_refused_until_locked_anew(tmp_path: Path) -> None:
    start = example()
    ours, theirs = (but(start, photos={"size": size}) for size in (6, 7))
    assert merged(tmp_path, ours, theirs).returncode != 0
    with pytest.raises(BadLock, match="a merge that was not resolved"):
        read(lock_path(tmp_path))
