"""The wheel of a release: what is in it, and that it is the same bytes for the same facts, whatever it was built from."""

from __future__ import annotations

import ast
import io
import json
import os
import sys
import time
import zipfile

import pytest
from releases_by_hand import DIGEST, MODEL, content_by_hand, made_by_hand, released_wheel
from wheels_by_hand import wheel

from stepwell.dist.releases import face, metadata
from stepwell.dist.releases.archive import Entry, packed, unpacked
from stepwell.dist.releases.made import Project, bare, opened, package_in, package_name
from stepwell.dist.releases.opened import open_wheel
from stepwell.dist.wheels import read
from stepwell.errors import NoPackage


def test_a_release_opens_as_what_was_put_in(tmp_path) -> None:
    path = released_wheel(tmp_path)
    assert path.name == "churn-1.4.0-py3-none-any.whl"
    release = open_wheel(path)
    expected = content_by_hand()
    assert release.document == expected.document
    assert release.lock == expected.lock
    assert release.blob(DIGEST) == MODEL
    assert release.read("project/pipeline.py") == b"pass\n"


def test_the_same_facts_give_the_same_bytes(tmp_path, monkeypatch) -> None:
    first = released_wheel(tmp_path / "one").read_bytes()
    monkeypatch.setenv("TZ", "Asia/Kathmandu")
    time.tzset()
    before = os.umask(0o077)
    try:
        assert released_wheel(tmp_path / "two").read_bytes() == first
    finally:
        os.umask(before)
        monkeypatch.undo()
        time.tzset()


def test_the_archive_says_one_time_and_two_modes(tmp_path) -> None:
    files = {"churn/__init__.py": Entry(b""), "churn-1.0.data/scripts/go": Entry(b"#!/bin/sh", program=True)}
    with zipfile.ZipFile(io.BytesIO(packed(files, "churn-1.0.dist-info"))) as archive:
        infos = archive.infolist()
    assert {info.date_time for info in infos} == {(1980, 1, 1, 0, 0, 0)}
    assert [oct(info.external_attr >> 16) for info in infos] == ["0o100755", "0o100644", "0o100644"]
    assert infos[-1].filename == "churn-1.0.dist-info/RECORD"


def test_what_is_unpacked_and_packed_stays_what_it_was(tmp_path) -> None:
    files = {
        "churn/a,b.txt": Entry(b"1"),
        'churn/"c".txt': Entry(b"2"),
        "churn/\u00fc.txt": Entry(b"3", program=True),
    }
    base = bare(Project("churn", "churn"), "1.0", "0.1.0")
    path = tmp_path / "churn-1.0-py3-none-any.whl"
    path.write_bytes(packed({**base.files, **files}, base.dist_info))
    assert read(path).version == "1.0"
    assert unpacked(path) == {**base.files, **files}


# --------------------------------------------------------------------------- what a backend built


@pytest.fixture
def built(tmp_path):
    """A wheel that some backend built."""
    return wheel(tmp_path, "churn", "1.3.0")


def test_a_built_wheel_gets_the_version_that_is_released(built, tmp_path) -> None:
    made = made_by_hand(opened(built))
    path = tmp_path / made.file
    path.write_bytes(packed(made.files, made.dist_info))
    found = read(path)
    assert (found.file, found.version, found.dist_info) == (
        "churn-1.4.0-py3-none-any.whl",
        "1.4.0",
        "churn-1.4.0.dist-info",
    )
    assert not [name for name in found.names if "1.3.0" in name]
    assert metadata.requirements_of(found.metadata) == ("stepwell>=0.1.0", "scikit-learn==1.9.1")
    assert found.requires_python == ">=3.9"


def test_its_own_command_and_names_stay_its_own(built) -> None:
    base = opened(built)
    init = Entry(base.files["churn/__init__.py"].data + b"\ndef load(): return 'mine'\n")
    made = made_by_hand(
        base._replace(files={**base.files, "churn/__init__.py": init, "churn/predict.py": Entry(b"")})
    )
    text = made.files["churn/__init__.py"].data.decode()
    assert "from ._release import info as info, pull as pull\n" in text
    assert made.files["churn-1.4.0.dist-info/entry_points.txt"].data.decode() == (
        "[console_scripts]\nchurn = churn:main\n\n[stepwell.releases]\nchurn = churn._release\n\n"
    )
    assert made.notes == (
        "`churn` has its own load, predict: those of the release are in `churn._release`",
        "the command `churn` is the project's own",
    )


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("load = 1", {"load"}),
        ("def f():\n    load = 1\nclass C:\n    info = 2", {"f", "C"}),
        ("if x:\n    import os.path\nelse:\n    from a import b as pull", {"os", "pull"}),
        ("try:\n    a = b = 1\nexcept E:\n    (c, [d, *e]) = 2", {"a", "b", "c", "d", "e"}),
        ("for load in x:\n    info: int = 1", {"load", "info"}),
        ("with open(p) as pull: pass", {"pull"}),
        ("x.load = 1; x['info'] = 2", set()),
    ],
)
def test_the_names_that_a_module_binds(text: str, names: set[str]) -> None:
    assert face.bound(text) == names


def test_what_is_added_to_a_module_is_added_once_and_is_python() -> None:
    init, own = face.added("x = 1", (), data=True)
    assert own == ()
    assert init.startswith("x = 1\n\n# What this release gives besides.")
    assert face.bound(init) == {"x", "info", "load", "predict", "pull", "data"}
    assert face.added(init, (), data=True)[0] == init
    ast.parse(face.RELEASE)


@pytest.mark.parametrize(
    ("files", "name", "package"),
    [
        (["churn/__init__.py"], "churn", "churn"),
        (["Churn/__init__.py", "other/__init__.py"], "churn", "Churn"),
        (["acme/__init__.py"], "churn", "acme"),
        (["my_churn/__init__.py", "tests/__init__.py"], "my-churn", "my_churn"),
    ],
)
def test_the_package_that_a_release_belongs_to(files: list[str], name: str, package: str) -> None:
    assert package_in({file: Entry(b"") for file in files}, name) == package


@pytest.mark.parametrize(
    "files", [["churn.py"], ["acme/__init__.py", "other/__init__.py"], ["acme/churn/__init__.py"]]
)
def test_where_no_package_is_the_one_it_is_refused(files: list[str]) -> None:
    with pytest.raises(NoPackage, match="has no package `churn`"):
        package_in({file: Entry(b"") for file in files}, "churn")


@pytest.mark.parametrize("name", ["json", "class", "4you"])
def test_a_name_that_nobody_can_import_is_refused(name: str) -> None:
    with pytest.raises(NoPackage, match="cannot be called"):
        package_name(name)


def test_a_package_that_is_no_python_is_refused(built) -> None:
    base = opened(built)
    broken = base._replace(files={**base.files, "churn/__init__.py": Entry(b"def (")})
    with pytest.raises(NoPackage, match="is no Python"):
        made_by_hand(broken)


def test_data_py_of_the_package_is_not_replaced(built) -> None:
    base = opened(built)
    base = base._replace(files={**base.files, "churn/data.py": Entry(b"mine = 1\n")})
    made = made_by_hand(base, interface={"data.py": b"theirs = 1\n", "data.pyi": b"theirs: int\n"})
    assert made.files["churn/data.py"].data == b"mine = 1\n"
    assert "churn/data.pyi" not in made.files


# --------------------------------------------------------------------------- METADATA


@pytest.mark.parametrize(
    "before",
    [
        "Metadata-Version: 2.1\nName: churn\nVersion: 1.0\n",
        "Metadata-Version: 2.1\nName: churn\nVersion: 1.0",
        "Metadata-Version: 2.1\r\nName: churn\r\nVersion: 1.0\r\n\r\nVersion: of this text\r\n",
        "Metadata-Version: 2.1\nName: churn\nVersion: 1.0\n\nVersion: of this text\n",
    ],
    ids=["no body", "no end", "CRLF", "a body"],
)
def test_fields_are_changed_above_the_body_alone(before: str) -> None:
    after = metadata.with_fields(
        before.encode(), {"Version": "2.0"}, requires=["a==1", "a == 1", "b"]
    ).decode()
    head, _, body = after.partition("\n\n")
    assert head.rstrip("\n").split("\n") == [
        "Metadata-Version: 2.1",
        "Name: churn",
        "Version: 2.0",
        "Requires-Dist: a==1",
        "Requires-Dist: b",
    ]
    assert body == ("Version: of this text\n" if "text" in before else "")


def test_a_requirement_that_is_there_is_not_repeated() -> None:
    before = b"Metadata-Version: 2.1\nName: churn\nVersion: 1.0\nRequires-Dist: Pandas >=2\n"
    assert metadata.requirements_of(metadata.with_fields(before, {}, requires=["pandas>=2", "numpy"])) == (
        "Pandas >=2",
        "numpy",
    )


def test_a_requirement_that_says_less_than_one_of_the_release_is_left_out() -> None:
    """`scikit_learn` beside `scikit-learn==1.9.1` says nothing; with a version, a marker or an address of its own it does."""
    own = ["scikit_learn", "stepwell", "numpy>=2", 'pandas; python_version < "4"', "numpy-financial"]
    before = "".join(f"Requires-Dist: {one}\n" for one in own).encode()
    wanted = ["stepwell[pandas]>=0.1", "scikit-learn==1.9.1", "numpy==2.4", "pandas==3.1", "numpy"]
    assert metadata.requirements_of(metadata.with_fields(before, {}, requires=wanted)) == (
        "numpy>=2", 'pandas; python_version < "4"', "numpy-financial",
        "stepwell[pandas]>=0.1", "scikit-learn==1.9.1", "numpy==2.4", "pandas==3.1", "numpy",
    )  # fmt: skip


# --------------------------------------------------------------------------- what others read


def test_the_statement_is_about_the_outputs_and_names_what_they_are_of(tmp_path) -> None:
    release = open_wheel(released_wheel(tmp_path))
    found = json.loads(release.read("provenance.json"))
    assert found["_type"] == "https://in-toto.io/Statement/v1"
    assert found["predicateType"] == "https://slsa.dev/provenance/v1"
    assert found["subject"] == [
        {"name": "model", "digest": {"sha256": release.document.blobs[DIGEST].sha256, "blake3": DIGEST[3:]}}
    ]
    build = found["predicate"]["buildDefinition"]
    assert build["externalParameters"]["pipelines"] == {
        "main": {"from": "pipeline.py:main", "params": {"depth": 3}}
    }
    assert [one["name"] for one in build["resolvedDependencies"]] == [
        "project",
        "data/people",
        "code/main/clean",
        "code/main/fit",
    ]
    assert [one["name"] for one in found["predicate"]["runDetails"]["byproducts"]] == [
        "main/clean/result",
        "main/fit/result",
    ]


def test_the_bill_of_materials_says_what_the_model_saw_and_how_good_it_is(tmp_path) -> None:
    found = json.loads(open_wheel(released_wheel(tmp_path)).read("mlbom.cdx.json"))
    model = next(part for part in found["components"] if part["type"] == "machine-learning-model")
    card = model["modelCard"]
    assert card["modelParameters"]["datasets"] == [{"ref": "data:people"}]
    assert card["modelParameters"]["inputs"] == [{"format": "a: int64 [minute]"}]
    assert {"type": "auc", "value": "0.83"} in card["quantitativeAnalysis"]["performanceMetrics"]
    assert {"name": "stepwell:needs", "value": "scikit-learn==1.9.1"} in model["properties"]
    assert next(one for one in found["dependencies"] if one["ref"] == "output:model")["dependsOn"] == [
        "data:people",
        "pkg:pypi/pandas@3.1.1",
    ]


def test_bills_of_materials_hold_to_their_schema(tmp_path) -> None:
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    path = released_wheel(tmp_path)
    with zipfile.ZipFile(path) as archive:
        texts = [archive.read(name).decode() for name in archive.namelist() if name.endswith(".cdx.json")]
    assert len(texts) == 2
    for text in texts:
        assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
        assert not {"timestamp", "hostname"} & {*json.loads(text)["metadata"]}


def test_twine_and_check_wheel_contents_take_it(tmp_path) -> None:
    import subprocess

    path = released_wheel(tmp_path)
    for words in (["twine", "check", "--strict"], ["check_wheel_contents"]):
        done = subprocess.run(
            [sys.executable, "-m", *words, str(path)], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_nothing_of_the_wheel_is_in_a_folder_that_installers_reserve(tmp_path) -> None:
    with zipfile.ZipFile(released_wheel(tmp_path)) as archive:
        inside = {name.partition("/")[2] for name in archive.namelist() if ".dist-info/" in name}
    assert inside == {"METADATA", "RECORD", "WHEEL", "entry_points.txt", "sboms/churn.cdx.json"}
