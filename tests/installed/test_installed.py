"""Releases where they are installed: outputs are loaded and verified, or it is said what is wrong."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from installed_by_hand import Output, blobs_digest, files_of, release, wheel
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LinearRegression

from stepwell.dist import depot
from stepwell.dist.installed import Installed
from stepwell.dist.installed.libraries import holds
from stepwell.dist.installed.loading import load
from stepwell.dist.interface.contents import contents_of
from stepwell.dist.interface.homes import Home
from stepwell.dist.releases.opened import open_wheel
from stepwell.errors import (
    BadLock,
    BadRelease,
    BlobDiffers,
    BlobNotFetched,
    CannotDecode,
    CannotPredict,
    FrozenGone,
    LibraryDiffers,
    NoCodec,
    NoSuchOutput,
    NotARelease,
)

TABLE = pd.DataFrame({"tenure": [1, 2, 30, 40], "mrr": [1.0, 2.0, 3.0, 4.0]})
SIGNATURE = {"takes": {"tenure": "int64", "mrr": "float64"}, "gives": {"prediction": "float64"}}


def regressor() -> LinearRegression:
    return LinearRegression().fit(TABLE, TABLE["mrr"] * 10)


def test_outputs_come_back_as_they_were(tmp_path: Path) -> None:
    (tmp_path / "report.txt").write_text("good")
    made = release(
        tmp_path,
        {
            "model": Output(regressor(), said=SIGNATURE),
            "scores": Output(TABLE),
            "frame": Output(pl.from_pandas(TABLE)),
            "weights": Output(np.arange(6.0).reshape(2, 3)),
            "metrics": Output({"auc": 0.83}),
            "note": Output("all good"),
            "report": Output(tmp_path / "report.txt"),
        },
    )
    assert np.allclose(made.load("model").predict(TABLE), TABLE["mrr"] * 10)
    pd.testing.assert_frame_equal(made.load("scores"), TABLE)
    assert made.load("frame").equals(pl.from_pandas(TABLE))
    assert np.array_equal(made.load("weights"), np.arange(6.0).reshape(2, 3))
    assert made.load("metrics") == {"auc": 0.83}
    assert made.load("note") == "all good"
    assert made.load("report").read_text() == "good"
    assert made.load("report").name == "report.txt"
    assert np.allclose(made.predict(TABLE)["prediction"], TABLE["mrr"] * 10)


def test_a_value_that_was_loaded_is_ones_own(tmp_path: Path) -> None:
    made = release(tmp_path, {"weights": Output(np.zeros(3))})
    made.load()[0] = 7
    assert made.load()[0] == 0


def test_the_only_output_needs_no_name_and_others_do(tmp_path: Path) -> None:
    made = release(tmp_path, {"metrics": Output({"auc": 1}), "model": Output(regressor())})
    with pytest.raises(NoSuchOutput) as caught:
        made.load("modle")
    assert "did you mean `model`?" in caught.value.fixes
    with pytest.raises(NoSuchOutput, match="2 outputs, and none was named"):
        made.load()


def test_the_output_that_predicts_is_found_or_asked_for(tmp_path: Path) -> None:
    two = {"a": Output(regressor(), said=SIGNATURE), "b": Output(regressor(), said=SIGNATURE)}
    made = release(tmp_path / "two", two)
    with pytest.raises(CannotPredict, match="2 outputs that predict"):
        made.predict(TABLE)
    assert np.allclose(made.predict(TABLE, "b")["prediction"], TABLE["mrr"] * 10)
    told = release(tmp_path / "told", two, predict="a")
    assert len(told.predict(TABLE)) == len(TABLE)
    with pytest.raises(CannotPredict, match="no output that predicts"):
        release(tmp_path / "none", {"metrics": Output({"auc": 1})}).predict(TABLE)


def test_a_release_is_used_in_its_wheel_as_well(tmp_path: Path) -> None:
    files = files_of(tmp_path / "made", {"model": Output(regressor(), said=SIGNATURE)})
    opened = open_wheel(wheel(tmp_path, files))
    assert np.allclose(load(opened, "model").predict(TABLE), TABLE["mrr"] * 10)


# --------------------------------------------------------------------------- what is elsewhere


def test_what_is_not_inside_is_fetched_by_its_digest(tmp_path: Path) -> None:
    made = release(
        tmp_path,
        {"model": Output(regressor(), said=SIGNATURE), "metrics": Output({"auc": 1})},
        store=str(tmp_path / "store"),
        outside=("model",),
    )
    assert not list(
        (tmp_path / "site" / "churn" / "_release" / "blobs").glob(made.opened.lock.output["model"].bytes[3:])
    )
    assert np.allclose(made.load("model").predict(TABLE), TABLE["mrr"] * 10)


def test_files_that_are_not_inside_are_fetched_with_their_parts(tmp_path: Path) -> None:
    folder = tmp_path / "plots"
    folder.mkdir()
    (folder / "a.png").write_bytes(b"a" * 100)
    (folder / "b.png").write_bytes(b"b" * 100)
    made = release(tmp_path, {"plots": Output(folder)}, store=str(tmp_path / "store"), outside=("plots",))
    assert sorted(path.name for path in made.load().iterdir()) == ["a.png", "b.png"]


def test_pull_fetches_all_and_then_nothing_is_needed(tmp_path: Path) -> None:
    made = release(
        tmp_path, {"model": Output(regressor())}, store=str(tmp_path / "store"), outside=("model",)
    )
    pulled = made.pull()
    assert pulled.count == 1
    assert pulled.size == made.opened.lock.output["model"].size
    (tmp_path / "store").rename(tmp_path / "gone")
    assert np.allclose(made.load().predict(TABLE), TABLE["mrr"] * 10)


def test_a_store_that_is_gone_is_named(tmp_path: Path) -> None:
    made = release(
        tmp_path, {"model": Output(regressor())}, store=str(tmp_path / "store"), outside=("model",)
    )
    (tmp_path / "store").rename(tmp_path / "gone")
    for ask in (made.load, made.pull):
        with pytest.raises(BlobNotFetched) as caught:
            ask()
        assert str(tmp_path / "store") in caught.value.why


def test_a_store_that_lies_is_refused(tmp_path: Path) -> None:
    made = release(
        tmp_path, {"model": Output(regressor())}, store=str(tmp_path / "store"), outside=("model",)
    )
    file = tmp_path / "store" / depot.name_of(made.opened.lock.output["model"].bytes)
    file.chmod(0o644)
    file.write_bytes(b"tampered")
    with pytest.raises(BlobDiffers):
        made.load()


# --------------------------------------------------------------------------- damage


def blob_file(made: Installed) -> Path:
    return next((made.opened.path or Path()).glob("blobs/*"))


def test_a_blob_is_verified_by_every_load(tmp_path: Path) -> None:
    made = release(tmp_path, {"model": Output(regressor(), said=SIGNATURE)})
    made.load()
    data = bytearray(blob_file(made).read_bytes())
    data[len(data) // 2] ^= 1
    blob_file(made).write_bytes(data)
    with pytest.raises(BadRelease, match="other bytes"):
        made.load()
    with pytest.raises(BadRelease, match="other bytes"):
        made.predict(TABLE)


def test_damaged_documents_are_told(tmp_path: Path) -> None:
    made = release(tmp_path, {"metrics": Output({"auc": 1})})
    folder = tmp_path / "site" / "churn" / "_release"
    text = (folder / "stepwell.lock").read_text()
    (folder / "stepwell.lock").write_text(text.replace("[output", "<<<<<<< HEAD\n[output"))
    with pytest.raises(BadLock):
        made.load()
    (folder / "release.json").write_text("{}")
    with pytest.raises(BadRelease):
        Installed(folder).info()
    (folder / "release.json").unlink()
    with pytest.raises(NotARelease):
        Installed(folder).info()


def test_pickles_are_not_loaded(tmp_path: Path) -> None:
    made = release(tmp_path, {"model": Output({"a"}, codec="pickle")})
    with pytest.raises(CannotDecode, match="executes what its bytes say"):
        made.load()


def test_a_codec_that_is_not_here_is_told(tmp_path: Path) -> None:
    made = release(tmp_path, {"model": Output({"a": 1})})
    path = tmp_path / "site" / "churn" / "_release" / "stepwell.lock"
    path.write_text(path.read_text().replace('codec = "json"', 'codec = "onnx"'))
    with pytest.raises(NoCodec):
        made.load()


SHAPES = """
from dataclasses import dataclass
from stepwell import codec

class Shape:
    def __init__(self, sides): self.sides = sides

@codec(Shape)
class Shapes:
    name = "shapes"
    def dump(self, value, sink): sink.write(bytes([value.sides]))
    def load(self, blob): return Shape(blob.data[0])
"""


def test_a_codec_of_the_packages_own_is_found_where_its_pipeline_is(tmp_path: Path) -> None:
    made = release(tmp_path, {"shape": Output(bytes([5]))}, pipelines={"main": "src/churn/shapes.py:main"})
    folder = tmp_path / "site" / "churn"
    lock = folder / "_release" / "stepwell.lock"
    lock.write_text(lock.read_text().replace('codec = "bytes"', 'codec = "shapes"'))
    (folder / "shapes.py").write_text(SHAPES)
    code = "import churn; print(churn.load().sides)"
    done = python(tmp_path / "site", code)
    assert (done.returncode, done.stdout) == (0, "5\n"), done.stderr
    (folder / "shapes.py").write_text("import nothing_like_it")
    assert (
        "error[E604] `churn.shapes`, which has the codec `shapes`" in python(tmp_path / "site", code).stderr
    )
    assert made.opened.document.version == "1.4.0"


def python(folder: Path, code: str) -> subprocess.CompletedProcess[str]:
    """What a program says that is run in a folder."""
    words = [sys.executable, "-c", code]
    return subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=60, check=False)


# --------------------------------------------------------------------------- what must be installed


def test_a_library_of_another_version_is_refused_with_what_to_type(tmp_path: Path) -> None:
    said = {**SIGNATURE, "needs": ("scikit-learn==1.0.2", "nothing-like-it>=3")}
    made = release(tmp_path, {"model": Output(regressor(), said=said)})
    with pytest.raises(LibraryDiffers) as caught:
        made.load()
    assert "nothing-like-it>=3, and it is not installed" in caught.value.what
    assert caught.value.fixes == ('pip install "scikit-learn==1.0.2" "nothing-like-it>=3"',)
    with pytest.raises(LibraryDiffers):
        made.predict(TABLE)


def test_the_right_version_is_no_reason(tmp_path: Path) -> None:
    import sklearn

    said = {"needs": (f"scikit-learn=={sklearn.__version__}",)}
    assert release(tmp_path, {"model": Output(regressor(), said=said)}).load() is not None


@pytest.mark.parametrize(
    ("said", "version", "is_so"),
    [
        ("==1.9.0", "1.9.0", True), ("==1.9.0", "1.9", True), ("==1.9.0", "1.9.1", False),
        ("==1.9.*", "1.9.7", True), ("==1.9.*", "1.10.0", False), ("==1.*", "1.9.7", True),
        ("!=1.9.2", "1.9.2", False), ("!=1.9.*", "1.8", True),
        (">=1.6,<2", "1.9.0", True), (">=1.6,<2", "2.0", False), (">=1.6,<2", "1.5.9", False),
        ("~=1.6.1", "1.6.9", True), ("~=1.6.1", "1.7", False), ("~=1.6", "1.9", True),
        ("==2.0", "2.0+cu121", True), ("==2.0+cu121", "2.0+cpu", False), ("", "1", True),
        ("==1.9.0", "nonsense", False), ("===1.9", "1.9.0", False),
    ],
)  # fmt: skip
def test_comparisons_of_versions_are_those_of_installers(said: str, version: str, is_so: bool) -> None:
    from packaging.specifiers import SpecifierSet
    from packaging.version import InvalidVersion

    assert holds(said, version) is is_so
    try:
        assert SpecifierSet(said).contains(version, prereleases=True) is is_so
    except InvalidVersion:
        assert not is_so


# --------------------------------------------------------------------------- info and the command

DATA = b"customer_id,mrr\n1,20\n2,30\n"


def command(made: Installed, capsys: Any, *words: str) -> tuple[int, str, str]:
    code = made.main(words)
    out, err = capsys.readouterr()
    return code, out, err


@pytest.fixture
def churn(tmp_path: Path) -> Installed:
    model = HistGradientBoostingClassifier(max_iter=5, min_samples_leaf=1).fit(TABLE, [0, 0, 1, 1])
    said = {
        **SIGNATURE,
        "gives": {"prediction": "int64", "probability": "float64"},
        "units": {"mrr": "EUR/month"},
    }
    return release(
        tmp_path,
        {"model": Output(model, said=said), "metrics": Output({"auc": 0.83})},
        store=str(tmp_path / "store"),
        data={"customers": DATA},
        metrics={"score.auc": 0.8347},
        commit="1a2b3c4d5e6f7890",
        note="Q3 retrain",
        predict="model",
    )


def test_info_says_what_a_release_is_made_of(churn: Installed, capsys: Any) -> None:
    info = churn.info()
    assert (info.project, info.version, info.commit) == ("churn", "1.4.0", "1a2b3c4d5e6f7890")
    assert info.data["customers"].rows == 2
    assert info.data["customers"].bytes == f"b3:{blobs_digest(DATA)}"
    assert info.metrics == {"score.auc": 0.8347}
    assert info.outputs["model"].takes == SIGNATURE["takes"]
    for text in (
        "churn 1.4.0  commit 1a2b3c4d5e6f",
        "Q3 retrain",
        "customers",
        "2 rows",
        "0.8347",
        "sklearn",
    ):
        assert text in repr(info)
    code, out, _ = command(churn, capsys, "info")
    assert code == 0
    assert out == f"{info!r}\n"
    code, out, _ = command(churn, capsys, "info", "--json")
    assert json.loads(out) == json.loads(json.dumps(info.as_dict()))
    assert json.loads(out)["data"]["customers"]["rows"] == 2


class Piped:
    """Standard input that holds some bytes."""

    def __init__(self, data: bytes) -> None:
        self.buffer = io.BytesIO(data)


def test_the_command_predicts_standard_input(churn: Installed, capsys: Any, monkeypatch: Any) -> None:
    def asked(data: bytes) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.stdin", Piped(data))
        return command(churn, capsys, "predict", "-")

    text = TABLE.to_csv(index=False).encode()
    code, out, err = asked(text)
    assert (code, err, len(out.splitlines())) == (0, "", 5)
    assert asked(TABLE.to_parquet()) == (0, out, "")
    for data, says in (
        (b" \n", "standard input is empty"),
        (b"\x1f\x8b\x08\x00\xff", "neither the text of a CSV file nor a Parquet file"),
        (b"a,a\n1,2\n", "standard input has the column `a` twice"),
        (b"PAR1 and no more", "standard input cannot be read as a table"),
    ):
        code, out, err = asked(data)
        assert (code, out) != (0, "")
        assert says in err
        assert "/input." not in err


def test_the_command_predicts_a_file(churn: Installed, capsys: Any, tmp_path: Path) -> None:
    TABLE.assign(name=["a", "b", "c", "d"]).to_csv(tmp_path / "t.csv", index=False)
    code, out, err = command(churn, capsys, "predict", str(tmp_path / "t.csv"))
    assert (code, err) == (0, "")
    assert out.splitlines()[0] == "tenure,mrr,name,prediction,probability"
    assert [line.split(",")[2] for line in out.splitlines()[1:]] == ["a", "b", "c", "d"]
    target = tmp_path / "out.parquet"
    code, out, err = command(churn, capsys, "predict", str(tmp_path / "t.csv"), "-o", str(target), "--only")
    assert (code, out) == (0, "")
    assert "4 rows" in err
    answer = pd.read_parquet(target)
    assert list(answer.columns) == ["prediction", "probability"]
    assert answer.equals(churn.predict(TABLE))
    code, _, err = command(churn, capsys, "predict", str(tmp_path / "t.csv"), "-o", str(target))
    assert code == 2
    assert "E110" in err
    assert command(churn, capsys, "predict", str(tmp_path / "t.csv"), "-fo", str(target))[0] == 0


def test_the_command_says_what_is_wrong_without_a_traceback(
    churn: Installed, capsys: Any, tmp_path: Path
) -> None:
    table = tmp_path / "t.csv"
    TABLE.to_csv(table, index=False)
    for words, exit_code, text in (
        (("predict", str(tmp_path / "no.csv")), 3, "E301"),
        (("predict", str(table), "--unit", "mrr=cent/month"), 3, "error[E737] `mrr` is in cent/month"),
        (("predict", str(table), "--unit", "mrr=cent/month"), 3, "--unit COLUMN=UNIT for each of them"),
        (("predict", str(table), "--unit", "mrr"), 2, "E100"),
        (("predict", str(table), "--output", "modle"), 2, "E734"),
        (("predict", str(table), "--output", "metrics"), 3, "E738"),
        (("predict", str(table), "-o", str(tmp_path / "x.exe")), 2, "neither a CSV nor a Parquet"),
        (("predict", str(table), "-o", str(tmp_path / "no" / "x.csv")), 2, "cannot be written"),
        (("data", "custmers", "-o", str(tmp_path / "c.csv")), 2, "did you mean `customers`?"),
        (("nonsense",), 2, "E100"),
        ((), 2, "E100"),
    ):
        code, out, err = command(churn, capsys, *words)
        assert (code, out) == (exit_code, ""), err
        assert text in err
        assert "Traceback" not in err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["made", "site", "store", "t.csv"]
    code, out, _ = command(churn, capsys, "info", "--jsonn")
    assert code == 2


def test_the_command_says_unknown_values_as_a_note(tmp_path: Path, capsys: Any) -> None:
    table = pd.DataFrame({"plan": pd.Categorical(["a", "b"] * 20)})
    model = HistGradientBoostingClassifier(categorical_features="from_dtype", max_iter=2)
    said = {"takes": {"plan": "category"}, "categories": {"plan": ("a", "b")}}
    made = release(tmp_path, {"model": Output(model.fit(table, [0, 1] * 20), said=said)})
    (tmp_path / "t.csv").write_text("plan\na\nzzz\n")
    code, out, err = command(made, capsys, "predict", str(tmp_path / "t.csv"))
    assert code == 0
    assert len(out.splitlines()) == 3
    assert err.startswith("note: `plan` holds 1 values")


def test_the_command_writes_the_very_data(churn: Installed, capsys: Any, tmp_path: Path) -> None:
    target = tmp_path / "customers.csv"
    assert command(churn, capsys, "data", "customers", "-o", str(target))[0] == 0
    assert target.read_bytes() == DATA
    code, _, err = command(churn, capsys, "data", "customers", "-o", str(target))
    assert (code, "E110" in err) == (2, True)
    code, _, err = command(churn, capsys, "pull")
    assert (code, err) == (0, f"1 blob, {len(DATA)} bytes are here now\n")


def test_text_in_a_number_column_of_a_file_is_quoted_with_its_row(
    churn: Installed, capsys: Any, tmp_path: Path
) -> None:
    table = tmp_path / "text.csv"
    table.write_text("tenure,mrr\n1,2.5\n2,hot\n3,4\n")
    code, out, err = command(churn, capsys, "predict", str(table))
    assert (code, out) == (3, "")
    assert "`mrr` holds text ('hot' in row 2), and float64 is wanted" in err
    assert f"change the column in `{table}` (row 1 is the first below the header), then the same again" in err
    assert "table.assign" not in err
    table.write_text("tenur,mrr\n1,2.5\n")
    _, _, err = command(churn, capsys, "predict", str(table))
    assert "is `tenur` meant?" in err
    assert "table.rename" not in err


def without_store(folder: Path, **options: Any) -> Installed:
    """A release that names no store for its data."""
    return release(folder, {"metrics": Output({"auc": 0.83})}, data={"customers": DATA}, **options)


def test_data_that_no_store_has_is_told_by_pull(tmp_path: Path, capsys: Any) -> None:
    made = without_store(tmp_path)
    told = "0 blobs, 0 bytes are here now; all outputs are there, and 1 blob of data is not to be had, "
    assert command(made, capsys, "pull") == (0, "", f"{told}because the release names no store\n")
    assert made.pull().lacking == 1
    lost = release(tmp_path / "lost", {"metrics": Output({"auc": 1})}, outside=("metrics",))
    code, _, err = command(lost, capsys, "pull")
    assert (code != 0, "1 of 1 blobs cannot be fetched" in err) == (True, True)


def test_what_can_be_done_about_data_that_is_gone_can_be_done_by_who_installed_it(
    tmp_path: Path, capsys: Any
) -> None:
    made = without_store(tmp_path)
    code, _, err = command(made, capsys, "data", "customers", "-o", str(tmp_path / "c.csv"))
    assert code == 4
    assert "E782" in err
    assert "ask who released churn 1.4.0 for a release whose manifest has `release.store`" in err
    assert "stepwell lock" not in err
    folder = tmp_path / "site" / "churn"
    home = Home(folder, folder / "_release" / "stepwell.lock", folder / "_release")
    with pytest.raises(FrozenGone) as caught:
        contents_of("customers", made.opened.lock.data["customers"], home)
    assert caught.value.fixes == (
        "STEPWELL_MIRRORS=ADDRESS[,ADDRESS] names other places that have it: a folder, a bucket, https://…",
        "ask who released churn 1.4.0 for a release whose manifest has `release.store`",
    )


def test_the_package_has_the_names_and_imports_little(churn: Installed, tmp_path: Path) -> None:
    code = (
        "import sys, churn; assert not {'pandas', 'sklearn', 'pyarrow', 'numpy'} & set(sys.modules); "
        "print(churn.info().version, churn.load('metrics'), churn.predict({'tenure': 1, 'mrr': 2.0})['prediction'])"
    )
    done = python(tmp_path / "site", code)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "1.4.0 {'auc': 0.83} 0\n"


HIDDEN = """
import sys

class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "sklearn":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Hidden())
from pathlib import Path
from stepwell.dist.installed import Installed
from stepwell.errors import StepwellError

made = Installed(Path(sys.argv[1]))
for ask in (lambda: made.load("model"), lambda: made.predict({"tenure": [1], "mrr": [2.0]}, "model"), lambda: made.load("both")):
    try:
        ask()
    except StepwellError as error:
        print(error.code, error.what, error.fixes[0], sep=" | ")
"""


def test_a_library_that_is_hidden_is_told_with_what_to_type(tmp_path: Path) -> None:
    import sklearn

    said = {**SIGNATURE, "needs": (f"scikit-learn=={sklearn.__version__}",)}
    release(
        tmp_path, {"model": Output(regressor(), said=said), "both": Output({"a": regressor()}, said=said)}
    )
    place = str(tmp_path / "site" / "churn" / "_release")
    done = subprocess.run(
        [sys.executable, "-c", HIDDEN, place], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    fix = f'pip install "scikit-learn=={sklearn.__version__}"'
    one = f"churn 1.4.0 needs `sklearn`, which cannot be imported | {fix}"
    assert done.stdout.splitlines() == [
        f"E733 | `model` of {one}",
        f"E733 | `model` of {one}",
        f"E733 | `both` of {one}",
    ]
