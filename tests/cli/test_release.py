"""`stepwell release`: a wheel of what is locked, the same for the same facts, and none where something forbids it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest
from cli_projects import Project

from stepwell.dist.releases.opened import open_wheel
from stepwell.dist.wheels import read

PIPELINE = """
    # /// script
    # requires-python = ">=3.11"
    # dependencies = ["stepwell"]
    #
    # [tool.stepwell.outputs.weights]
    # step = "fit"
    # gates = ["error <= 0.5"]
    #
    # [tool.stepwell.outputs.report]
    # step = "told"
    #
    # [tool.stepwell.release]
    # name = "Little_Model"
    # embed_under = "64kB"
    # ///
    \"\"\"How much is it?

    By the line through all points.
    \"\"\"
    import helpers
    from stepwell import log, pipeline, source, step

    points = source("points.csv", str)

    @step
    def fit(text: str, times: int) -> dict[str, list[float]]:
        log.metric("error", 0.25)
        return {"weights": helpers.weights(text) * times}

    @step
    def told(weights: dict[str, list[float]]) -> str:
        return f"{len(weights['weights'])} weights"

    @pipeline
    def main(times: int = 1) -> str:
        return told(fit(points(), times))
"""

HELPERS = """
    def weights(text: str) -> list[float]:
        return [float(line.split(",")[1]) for line in text.splitlines()[1:]]
"""

WHEEL = "dist/little_model-1.0.0-py3-none-any.whl"


def git(root: Path, *words: str) -> None:
    settings = ["-c", "user.name=ana", "-c", "user.email=ana@acme.example", "-c", "init.defaultBranch=main"]
    when = {"GIT_AUTHOR_DATE": "2026-07-01T00:00:00Z", "GIT_COMMITTER_DATE": "2026-07-01T00:00:00Z"}
    subprocess.run(
        ["git", *settings, *words], cwd=root, env={**os.environ, **when}, check=True, capture_output=True
    )


def commit(project) -> None:
    git(project.root, "add", "--all")
    git(project.root, "commit", "--quiet", "--message", "as it is")


def written(project) -> None:
    """The files of a single-file project, which is not run yet."""
    project.write(PIPELINE)
    project.write(HELPERS, "helpers.py")
    project.write("x,y\n1,2.5\n2,5.0\n", "points.csv")
    project.write("dist/\n__pycache__/\n", ".gitignore")


@pytest.fixture(scope="module")
def template(tmp_path_factory) -> Path:
    """The folder of a single file that was run, locked and committed."""
    made = Project(tmp_path_factory.mktemp("template"))
    written(made)
    git(made.root, "init", "--quiet")
    made("run", "--lock")
    commit(made)
    return made.root


@pytest.fixture
def locked(project, template):
    """A copy of it."""
    shutil.copytree(template, project.root, dirs_exist_ok=True)
    return project


def test_a_single_file_is_released(locked) -> None:
    done = locked("release", "1.0.0")
    assert done.out.startswith(f"Little_Model 1.0.0: {WHEEL}\n  sha256 ")
    release = open_wheel(locked.root / WHEEL)
    document = release.document
    head = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=locked.root, capture_output=True, text=True, check=True
    )
    assert (document.project, document.package, document.commit) == (
        "Little_Model",
        "little_model",
        head.stdout.strip(),
    )
    assert document.pipelines == {"main": "pipeline.py:main"}
    assert document.gates == {"weights": ("error <= 0.5",)}
    assert document.dirty == ()
    assert json.loads(release.blob(release.lock.output["weights"].bytes)) == {"weights": [2.5, 5.0]}
    names = {name.removeprefix("project/") for name in release.names if name.startswith("project/")}
    assert names == {"pipeline.py", "helpers.py", "pipeline.stepwell.lock", ".gitignore"}
    assert (
        release.read("project/pipeline.stepwell.lock")
        == (locked.root / "pipeline.stepwell.lock").read_bytes()
    )
    assert release.read("stepwell.lock") == release.read("project/pipeline.stepwell.lock")
    metadata = release.wheel.metadata.decode()
    assert "Summary: How much is it?\n" in metadata
    assert [line for line in metadata.splitlines() if line.startswith("Requires-Dist: ")] == [
        "Requires-Dist: stepwell>=0.1.0"
    ]


def test_it_says_that_the_data_do_not_go_along_without_a_store(locked) -> None:
    said = (
        "note: the data are not in the release; who installs it cannot have them "
        "unless `store` of [tool.stepwell.release] in `pipeline.py` names a place\n"
    )
    assert said in locked("release", "1.0.0").err
    path = locked.root / "pipeline.py"
    text = path.read_text("utf-8")
    line = '# name = "Little_Model"\n'
    assert line in text
    path.write_text(text.replace(line, f'{line}# store = "{locked.root.parent}/cas"\n'), "utf-8")
    locked("run", "--lock")
    commit(locked)
    assert said not in locked("release", "1.0.1").err


def test_it_says_so_to_programs(locked) -> None:
    found = locked("release", "1.0.0", "--json").json
    assert (found["project"], found["version"], found["new"]) == ("Little_Model", "1.0.0", True)
    assert (found["outputs"], found["since"], found["findings"]) == (["report", "weights"], None, [])
    assert read(locked.root / WHEEL).sha256 == f"sha256:{found['sha256']}"


def test_the_same_facts_give_the_same_bytes_anywhere(locked, tmp_path) -> None:
    first = locked("release", "1.0.0", "--json").json
    again = locked("release", "1.0.0", "--json").json
    assert (again["new"], again["sha256"]) == (False, first["sha256"])
    assert "is there already, with the same bytes" in locked("release", "v1.0.0").out
    elsewhere = tmp_path / "another folder"
    git(tmp_path, "clone", "--quiet", str(locked.root), str(elsewhere))
    surroundings = {"TZ": "Asia/Kathmandu", "LC_ALL": "C", "PYTHONHASHSEED": "7"}
    before = os.umask(0o077)
    try:
        locked("run", cwd=elsewhere, env=surroundings)
        other = locked("release", "1.0.0", "--json", cwd=elsewhere, env=surroundings).json
    finally:
        os.umask(before)
    assert other["sha256"] == first["sha256"]
    with zipfile.ZipFile(locked.root / WHEEL) as archive:
        everything = b"".join(archive.read(name) for name in archive.namelist())
    assert str(tmp_path).encode() not in everything


def refused(project, *words: str, code: int = 3):
    """A release that is refused, and that left nothing."""
    before = sorted(project.root.joinpath("dist").glob("**/*"))
    error = project("release", *words, "--json", code=code).json["error"]
    assert sorted(project.root.joinpath("dist").glob("**/*")) == before
    return error


def test_what_is_not_as_it_was_committed_is_refused_or_recorded(locked) -> None:
    locked.write("notes", "notes.txt")
    locked.write("def unused(): ...\n", "extra.py")
    error = locked.refused("release", "1.0.0", code=3)
    assert (error["code"], error["what"]) == (
        "E714",
        "2 files are not as they were committed: extra.py, notes.txt",
    )
    locked("release", "1.0.0", "--allow-dirty")
    release = open_wheel(locked.root / WHEEL)
    assert release.document.dirty == ("extra.py", "notes.txt")
    assert release.read("project/extra.py") == b"def unused(): ...\n"


def test_what_is_not_locked_is_not_released(locked) -> None:
    locked.edit(".25", ".125")
    commit(locked)
    assert refused(locked, "1.0.0")["code"] == "E703"
    locked("run")
    assert refused(locked, "1.0.0")["code"] == "E703"
    locked("lock")
    commit(locked)
    locked("release", "1.0.0")


def test_what_has_not_run_here_is_not_released(locked) -> None:
    shutil.rmtree(locked.root / ".stepwell")
    assert refused(locked, "1.0.0")["code"] == "E704"


def test_it_is_released_with_the_parameters_that_were_locked(locked) -> None:
    locked("run", "times=2", "--lock")
    commit(locked)
    assert refused(locked, "1.0.0")["code"] == "E703"
    locked("release", "1.0.0", "times=2")
    assert open_wheel(locked.root / WHEEL).lock.pipeline["main"].params == {"times": 2}


def test_everything_that_forbids_it_is_told_at_once(locked) -> None:
    locked("release", "1.0.0")
    locked.edit("error <= 0.5", "error <= 0.1")
    error = refused(locked, "0.9")
    codes = {problem["code"] for problem in error["problems"]}
    assert codes == {"E714", "E715", "E716"}


def test_gates_without_a_channel_must_hold(locked) -> None:
    locked.edit('gates = ["error <= 0.5"]', 'gates = ["error <= 0.1", "error <= production.error"]')
    commit(locked)
    error = refused(locked, "1.0.0")
    assert (error["code"], error["what"]) == (
        "E716",
        "`weights` does not pass its gates: error is 0.25, must be at most 0.1",
    )


def test_where_nothing_leaves_there_is_nothing_to_release(locked) -> None:
    text = (locked.root / "pipeline.py").read_text("utf-8")
    lines = [
        line for line in text.split("\n") if not any(word in line for word in ("outputs", "# step", "gates"))
    ]
    (locked.root / "pipeline.py").write_text("\n".join(lines), "utf-8")
    commit(locked)
    error = refused(locked, "1.0.0")
    assert error["code"] == "E713"
    assert error["fixes"] == ['in `pipeline.py`: [tool.stepwell.outputs.model] step = "train"']


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([], "a release needs a version"),
        (["1.0.0", "1.1.0"], "1.0.0 and 1.1.0: a release has one version"),
        (["1.0.0", "--bump"], "1.0.0 and --bump: a release has one version"),
        (["1.0.0", "--bump", "huge"], "huge"),
    ],
)
def test_one_version_is_asked_for(locked, words: list[str], says: str) -> None:
    assert says in locked.refused("release", *words, code=2)["what"]


# --------------------------------------------------------------------------- versions


def test_a_version_goes_up(locked) -> None:
    locked("release", "1.1.0")
    assert refused(locked, "1.0.9")["what"] == "1.0.9 is not higher than what was released"
    locked.write("more", "README.md")
    commit(locked)
    error = refused(locked, "1.1.0")
    assert (
        error["what"]
        == "1.1.0 was released already, and dist/little_model-1.1.0-py3-none-any.whl has other bytes"
    )
    assert error["why"].startswith("it is of commit ")
    locked("release", "1.1.1")


def test_a_tag_of_another_commit_has_its_version(locked) -> None:
    git(locked.root, "tag", "little-model-1.2.0")
    git(locked.root, "tag", "other-9.0.0")
    locked("release", "1.2.0")
    locked.write("more", "README.md")
    commit(locked)
    assert (
        "the tag little-model-1.2.0 is of another commit"
        in refused(locked, "1.2.0", "--out", "elsewhere")["why"]
    )
    assert "the tag little-model-1.2.0 is 1.2.0" in refused(locked, "1.1.9")["why"]


def test_bump_counts_on_from_the_newest(locked) -> None:
    assert "no release to go up from" in refused(locked, "--bump")["what"]
    locked("release", "1.0.0")
    assert locked("release", "--bump", "minor", "--json").json["version"] == "1.1.0"
    assert locked("release", "--bump", "--json").json["version"] == "1.1.1"
    locked.edit(
        '    # [tool.stepwell.outputs.report]\n    # step = "told"\n    #\n'.replace("    #", "#"), ""
    )
    locked("lock")
    commit(locked)
    assert locked("release", "--bump", "--json").json["version"] == "2.0.0"


def test_what_changed_asks_for_a_version(locked) -> None:
    locked("release", "1.0.0")
    locked.edit('# [tool.stepwell.outputs.report]\n# step = "told"\n#\n', "")
    locked("lock")
    commit(locked)
    error = refused(locked, "1.0.1", code=1)
    assert error["code"] == "E771"
    found = locked("release", "2.0.0", "--json").json
    assert (found["since"], found["bump"]) == ("1.0.0", "major")
    assert "since 1.0.0: major, for\n" in locked("release", "2.0.0").out


def test_a_rule_is_silenced_with_a_reason_that_goes_along(locked) -> None:
    locked("release", "1.0.0")
    locked.edit('# [tool.stepwell.outputs.report]\n# step = "told"\n#\n', "")
    locked("lock")
    commit(locked)
    rule = next(
        text.split()[0] for text in locked("release", "2.0.0", "--json", "--out", "aside").json["findings"]
    )
    shutil.rmtree(locked.root / "aside")
    locked("release", "1.0.1", "--silence", f"{rule}=nobody reads it", "--note", "without the report")
    document = open_wheel(locked.root / "dist/little_model-1.0.1-py3-none-any.whl").document
    assert document.silenced == {rule: "nobody reads it"}
    assert document.note == "without the report"


# --------------------------------------------------------------------------- what is too large


@pytest.fixture
def large(locked):
    """A project whose weights are too large for its wheel."""
    locked.write("x,y\n" + "".join(f"{i},{i}.5\n" for i in range(20_000)), "points.csv")
    locked("run", "--lock")
    commit(locked)
    return locked


def in_store(folder: Path) -> dict[str, int]:
    """What a store of releases has: sizes by digest."""
    return {f"b3:{path.parent.name}{path.name}": path.stat().st_size for path in folder.glob("b3/*/*")}


def test_what_is_too_large_wants_a_store(large) -> None:
    error = refused(large, "1.0.0")
    assert error["code"] == "E723"
    assert "bytes is too large for the wheel" in error["what"]
    large.edit('# embed_under = "64kB"', '# embed_under = "64kB"\n# store = "cas"')
    commit(large)
    assert "no place that can be reached from elsewhere" in refused(large, "1.0.0")["why"]
    assert not (large.root / "cas").exists()


def test_what_is_too_large_is_put_to_the_store_by_its_digest(large, tmp_path) -> None:
    store = tmp_path / "cas"
    large.edit('# embed_under = "64kB"', f'# embed_under = "64kB"\n# store = "{store}"')
    commit(large)
    assert large("release", "1.0.0", "--json").json["put"] == 2
    release = open_wheel(large.root / WHEEL)
    weights, points = release.lock.output["weights"].bytes, release.lock.data["points"].bytes
    assert {*in_store(store)} == {weights, points}
    assert release.document.stores == (str(store),)
    assert not release.document.blobs[weights].inside
    assert release.blob(weights) is None
    assert release.blob(release.lock.output["report"].bytes) == b"20000 weights"
    assert (large.root / WHEEL).stat().st_size < 64_000


def test_a_store_that_takes_nothing_leaves_no_release(large, tmp_path) -> None:
    (tmp_path / "cas").write_text("a file", "utf-8")
    large.edit('# embed_under = "64kB"', f'# embed_under = "64kB"\n# store = "{tmp_path / "cas"}"')
    commit(large)
    assert refused(large, "1.0.0", code=3)["code"].startswith("E7")


def test_a_value_that_only_pickle_holds_is_not_released(locked) -> None:
    locked.edit("-> str:\n    return f", "-> object:\n    return helpers.Told() if True else f")
    locked.write(HELPERS + "\n    class Told:\n        pass\n", "helpers.py")
    locked.edit("def main(times: int = 1) -> str:", "def main(times: int = 1) -> object:")
    locked("run", "--lock")
    commit(locked)
    error = refused(locked, "1.0.0")
    assert error["what"] == "`report` is kept as pickle, which executes what its bytes say when it is loaded"


def test_no_password_goes_along(locked) -> None:
    locked.edit(
        '# embed_under = "64kB"',
        '# embed_under = "64kB"\n# mirrors = ["https://ana:geheim@host.example/cas"]',
    )
    commit(locked)
    error = refused(locked, "1.0.0")
    assert (error["code"], "geheim" in json.dumps(error)) == ("E724", False)
    assert (
        error["what"]
        == "`release.mirrors[0]` of the manifest has credentials in its address: https://host.example/cas"
    )


def test_what_may_hold_secrets_or_is_large_stays_at_home(locked) -> None:
    locked.write("TOKEN=geheim", ".env")
    locked.write("x" * 1_000_001, "picture.svg")
    os.symlink("helpers.py", locked.root / "link.py")
    commit(locked)
    done = locked("release", "1.0.0")
    for line in (
        "note: `.env` does not go along: it may hold secrets",
        "note: `link.py` does not go along: it is a link",
        "note: `picture.svg` does not go along: it is larger than 1,000,000 bytes",
    ):
        assert line in done.err
    with zipfile.ZipFile(locked.root / WHEEL) as archive:
        assert not [name for name in archive.namelist() if name.endswith((".env", "link.py", ".svg"))]


def test_golden_data_must_be_locked(locked) -> None:
    far = '# golden = { on = "far" }\n#\n# [tool.stepwell.data.far]\n# source = "https://127.0.0.1:9/far.csv"'
    locked.edit('# gates = ["error <= 0.5"]', far)
    locked("lock")
    commit(locked)
    assert refused(locked, "1.0.0")["what"] == "there is no data and no output `far` to predict on"


def test_what_does_not_predict_has_no_golden_predictions(locked) -> None:
    locked.edit('# gates = ["error <= 0.5"]', '# golden = { on = "report" }')
    locked("lock")
    commit(locked)
    error = refused(locked, "1.0.0")
    assert error["code"] == "E725"
    assert error["what"].startswith("`weights` cannot be asked about its golden table: ")


def test_after_a_rollback_the_next_number_is_one_that_nobody_has(locked) -> None:
    channels = '# [tool.stepwell.channels]\n# index = "index"\n# order = ["production"]\n#\n'
    locked.edit("# [tool.stepwell.outputs.report]\n", f"{channels}# [tool.stepwell.outputs.report]\n")
    locked("lock")
    commit(locked)
    locked("release", "1.0.0")  # there are no channels yet
    locked("channels", "--create", "production")
    locked("promote", "1.0.0", "production", "--why", "first")
    assert refused(locked, "1.0")["why"].endswith("whl is 1.0.0")  # one version to clients
    locked("release", "--bump", "minor")  # what channels wrote is no edit
    locked("promote", "1.1.0", "production", "--why", "second")
    locked("rollback", "production", "--why", "worse")
    assert locked("release", "--bump", "minor", "--json").json["version"] == "1.2.0"


def test_what_was_recalled_is_not_released_again(locked) -> None:
    locked.edit(
        "# [tool.stepwell.outputs.report]\n",
        '# [tool.stepwell.channels]\n# index = "index"\n#\n# [tool.stepwell.outputs.report]\n',
    )
    locked("lock")
    commit(locked)
    locked("release", "1.0.0")
    locked("channels", "--create", "production")
    locked("recall", "points.csv", "--why", "wrong currency", "--by", "bo")
    error = refused(locked, "1.1.0")
    assert error["code"] == "E724"
    assert error["what"].startswith(
        "what it would be made of is not to be used any longer: `data.points` was recalled at 20"
    )
    assert error["what"].endswith("by bo: wrong currency")


def test_no_secret_goes_along_as_a_parameter_or_an_argument(locked) -> None:
    locked.edit(
        "def told(weights: dict[str, list[float]]) -> str:",
        "def told(weights: dict[str, list[float]], api_key: str, where: str, pad_token: str) -> str:",
    )
    locked.edit(
        "def main(times: int = 1) -> str:",
        "def main(times: int = 1, token: str = 'geheim-1', max_tokens: str = 'many words', "
        "options: dict[str, str] = {'url': 'https://ana:geheim-2@host.example/cas'}) -> str:",
    )
    locked.edit(
        "return told(fit(points(), times))",
        "return told(fit(points(), times), 'geheim-3', 'https://host.example/a?token=geheim-4', '<pad>')",
    )
    locked("run", "--lock")
    commit(locked)
    error = refused(locked, "1.0.0")
    told = json.dumps(error)
    assert "geheim" not in told
    for said in (
        "the parameter `token` of `main` is a secret by its name, and its value is in the lock",
        "the parameter `options.url` of `main` has credentials in its address: https://host.example/cas",
        "the argument `api_key` of `told` is a secret by its name, and its value is in the lock",
        "the argument `where` of `told` has credentials in its address: https://host.example/a?token=",
        'make it a `Secret`: token: Secret = Secret(\\"TOKEN\\")',
    ):
        assert said in told
    assert "max_tokens" not in told
    assert "pad_token" not in told


def test_a_secret_as_a_parameter_is_released(locked) -> None:
    locked.edit("import log, pipeline,", "import Secret, log, pipeline,")
    locked.edit(
        "def told(weights: dict[str, list[float]])",
        "def told(weights: dict[str, list[float]], token: Secret)",
    )
    locked.edit("def main(times: int = 1)", 'def main(times: int = 1, token: Secret = Secret("API_TOKEN"))')
    locked.edit("return told(fit(points(), times))", "return told(fit(points(), times), token)")
    locked("run", "--lock", env={"API_TOKEN": "geheim-1"})
    commit(locked)
    locked("release", "1.0.0", env={"API_TOKEN": "geheim-1"})
    assert open_wheel(locked.root / WHEEL).lock.pipeline["main"].params["token"] == "env:API_TOKEN"
