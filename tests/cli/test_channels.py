"""`promote`, `rollback`, `yank`, `channels`, `history`: the real command on a small project and its index."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from msgspec import structs

sys.path.insert(0, str(Path(__file__).parents[1] / "dist"))

from channel_releases import lock_of, release
from wheels_by_hand import contents, wheel

from stepwell.dist.channels.index import Channels, Named
from stepwell.dist.channels.local import LocalFiles
from stepwell.dist.verdicts import Evidence, Package, write_evidence

MANIFEST = """
    [release]
    name = "churn"
    [outputs.model]
    step = "fit"
    gates = ["auc >= 0.81", "auc >= production.auc - 0.005"]
    [channels]
    index = "index"
    order = ["staging", "production"]
"""

NEEDS = """
    [channels.production]
    needs = ["reproduced", "2 days in staging", "approved-by: risk"]
"""


@pytest.fixture
def churn(project):
    """A project with an index, and 1.4.0 and 1.5.0 in `dist/`."""
    project.write(MANIFEST, "stepwell.toml")
    for version, auc in (("1.4.0", 0.8347), ("1.5.0", 0.84)):
        release(project.root / "dist", version, lock_of(metrics={"auc": auc}), commit="c" * 40)
    project("channels", "--create")
    return project


def api(project, days_ago: float = 0) -> Channels:
    """The index as the library has it, with a clock that is behind."""
    return Channels.open(LocalFiles(project.root / "index"), lambda: time.time() - days_ago * 86400)


def promoted(project, version: str, channel: str) -> None:
    project("promote", version, channel, "--why", "Q3 retrain", "--by", "ana@acme")


def refused(project, *words: str, code: int = 3) -> dict:
    """The error of a command, which has changed nothing in the index."""
    before = contents(project.root / "index")
    error = project.refused(*words, code=code)
    assert contents(project.root / "index") == before
    return error


# ---------------------------------------------------------------------- promoting


def test_a_version_in_dist_comes_to_a_channel_and_into_the_pool(churn) -> None:
    found = churn("promote", "1.4.0", "staging", "--why", "Q3 retrain", "--by", "ana@acme", "--json").json
    entry = found["entry"]
    assert (entry["action"], entry["version"], entry["by"], entry["from"]) == (
        "promote",
        "1.4.0",
        "ana@acme",
        "",
    )
    assert [one["text"] for one in found["asked"]] == [
        "auc is 0.8347, at least 0.81",
        "nothing is in production yet: nothing to compare with",
    ]
    assert entry["evidence"]["gates"]["model"]["auc >= 0.81"] == "auc is 0.8347, at least 0.81"
    assert [path.name for path in (churn.root / "index" / "pool" / "churn").glob("*.whl")] == ["churn-1.4.0-py3-none-any.whl"]  # fmt: skip
    (churn.root / "dist" / "churn-1.4.0-py3-none-any.whl").unlink()
    said = churn("promote", "churn", "1.4.0", "production", "--why", "as good as before").out
    assert said.startswith("churn 1.4.0 promoted to production\n")
    assert churn("promote", "churn==1.5.0", "staging", "--why", "Q4").out.startswith("churn 1.5.0 promoted to staging, which had 1.4.0")  # fmt: skip


def test_channels_says_what_is_where_since_when_and_made_of_what(churn) -> None:
    promoted(churn, "1.4.0", "staging")
    promoted(churn, "1.4.0", "production")
    promoted(churn, "1.5.0", "staging")
    found = churn("channels", "--json").json
    assert found["order"] == ["staging", "production"]
    (project,) = found["projects"]
    staging, production = project["channels"]
    assert (staging["version"], production["version"]) == ("1.5.0", "1.4.0")
    assert production["by"] == "ana@acme"
    assert production["metrics"] == {"auc": 0.8347}
    assert production["commit"] == "c" * 40
    (data,) = production["data"]
    assert (data["name"], data["rows"]) == ("customers", 19)
    assert production["next"] == {"version": "1.5.0", "channel": "staging", "excuses": []}
    text = churn("channels").out
    assert text.index("production") < text.index("staging")
    assert f"customers@{data['digest'][3:11]} (19 rows)" in text
    assert "auc 0.8347" in text
    assert "1.5.0 of staging may come" in text


def test_all_that_is_not_so_is_told_at_once_and_nothing_is_changed(churn) -> None:
    churn.write(MANIFEST.replace("auc >= 0.81", "auc >= 0.9") + NEEDS, "stepwell.toml")
    error = refused(churn, "promote", "1.4.0", "production", "--why", "the boss wants it")
    assert error["code"] == "E763"
    assert (
        error["what"] == "churn 1.4.0 is not promoted to `production`: 4 of 5 things that it needs are not so"
    )
    assert error["why"] == (
        "model: auc is 0.8347, must be at least 0.9; nobody has reproduced it: stepwell reproduce churn==1.4.0; "
        "it was never current in staging; nobody says approved-by: risk (--attest approved-by=risk)"
    )
    assert "--force" not in churn("promote", "--help").out


def test_what_the_channel_needs_can_be_had(churn) -> None:
    churn.write(MANIFEST + NEEDS, "stepwell.toml")
    path = churn.root / "dist" / "churn-1.4.0-py3-none-any.whl"
    entry = api(churn, days_ago=2.5).promote(path, "staging", by="ana", why="try")
    blocked = churn("channels", "--json").json["projects"][0]["channels"][1]["next"]
    assert blocked["excuses"] == [
        "nobody has reproduced it: stepwell reproduce churn==1.4.0",
        "nobody says approved-by: risk (--attest approved-by=risk)",
    ]
    evidence = Evidence(kind="release", project="churn", version="1.4.0", grade="B", wheel_sha256=entry.wheel)
    write_evidence(churn.root, evidence)  # of the steps alone
    assert (
        "nobody has reproduced it" in refused(churn, "promote", "1.4.0", "production", "--why", "good")["why"]
    )
    evidence = structs.replace(evidence, package=Package(grade="A", files=9))
    write_evidence(churn.root, evidence)
    words = ("promote", "1.4.0", "production", "--why", "good", "--attest", "approved-by=risk/#812")
    found = churn(*words, "--json").json["entry"]["evidence"]
    assert found["attested"] == {"approved-by": "risk/#812"}
    assert found["reproduced"] == {"grade": "B", "digest": evidence.digest}
    assert found["needs"]["2 days in staging"] == "2.5 days in staging"
    assert "the same content" in churn("channels").out


def test_evidence_is_about_these_very_bytes(churn) -> None:
    churn.write(MANIFEST + '\n    [channels.staging]\n    needs = ["reproduced"]\n', "stepwell.toml")
    evidence = Evidence(
        kind="release", project="churn", version="1.4.0", grade="A", wheel_sha256="sha256:" + "0" * 64
    )
    write_evidence(churn.root, evidence)
    assert "nobody has reproduced it" in refused(churn, "promote", "1.4.0", "staging", "--why", "good")["why"]


def test_what_is_in_production_is_what_gates_compare_with(churn) -> None:
    promoted(churn, "1.4.0", "production")
    release(churn.root / "dist", "1.6.0", lock_of(metrics={"auc": 0.82}))
    error = refused(churn, "promote", "1.6.0", "staging", "--why", "Q4")
    assert error["why"] == "model: auc is 0.82, must be at least 0.8297 (production.auc - 0.005)"
    release(churn.root / "dist", "1.7.0", lock_of(metrics={}))
    assert "nobody recorded auc" in refused(churn, "promote", "1.7.0", "staging", "--why", "Q4")["why"]


def test_a_release_of_another_project_brings_its_own_gates(churn, tmp_path) -> None:
    lock = lock_of(metrics={"auc": 0.5})
    path = release(tmp_path / "elsewhere", "2.0.0", lock, "other", gates={"model": ("auc >= 0.6",)})
    assert (
        refused(churn, "promote", str(path), "staging", "--why", "x")["why"]
        == "model: auc is 0.5, must be at least 0.6"
    )
    path = release(tmp_path / "elsewhere", "2.0.1", lock, "other")
    churn("promote", str(path), "staging", "--why", "x", "--index", "index", cwd=churn.root)
    projects = churn("channels", "--json", cwd=churn.root).json["projects"]
    assert [one["project"] for one in projects] == ["other"]
    churn("promote", "other", "2.0.1", "production", "--why", "x")
    assert churn("channels", "other", "--json").json["projects"][0]["channels"][1]["version"] == "2.0.1"


def test_of_two_people_at_once_one_is_first_and_the_other_is_told(churn) -> None:
    promoted(churn, "1.4.0", "production")
    release(churn.root / "dist", "1.6.0", lock_of(metrics={"auc": 0.84}))
    words = ("production", "--expect", "1.4.0", "--why", "Q4", "--json")
    both = [
        churn.start("promote", version, *words, "--by", who)
        for version, who in (("1.5.0", "ana"), ("1.6.0", "bo"))
    ]
    said = [(process.communicate(timeout=60)[0], process.returncode) for process in both]
    assert sorted(code for _, code in said) == [0, 5]
    first, second = (json.loads(out) for out, _ in sorted(said, key=lambda one: one[1]))
    assert second["error"]["code"] == "E750"
    assert f"the last change is by {first['entry']['by']}" in second["error"]["why"]
    (project,) = churn("channels", "--json").json["projects"]
    assert project["channels"][1]["version"] == first["entry"]["version"]
    assert churn("channels", "--verify").out == "every log, page and wheel is as it must be\n"


def test_an_older_version_is_listed_only_if_that_is_said(churn) -> None:
    promoted(churn, "1.5.0", "staging")
    error = refused(churn, "promote", "1.4.0", "staging", "--why", "x")
    assert error["code"] == "E746"
    churn("promote", "1.4.0", "staging", "--older", "--why", "for those who pin")
    assert churn("channels", "--json").json["projects"][0]["channels"][0]["version"] == "1.5.0"
    assert refused(churn, "promote", "1.4.0", "staging", "--why", "again")["code"] == "E748"


def test_a_single_file_has_channels_too(project) -> None:
    header = textwrap_header(
        '[tool.stepwell.channels]\nindex = "index"\n[tool.stepwell.outputs.model]\nstep = "fit"\ngates = ["auc > 0.9"]'
    )
    project.write(f"{header}\nfrom stepwell import step\n", "churn.py")
    release(project.root / "dist", "1.0.0", lock_of(metrics={"auc": 0.8}))
    project("channels", "--create", "--index", "index")
    error = project.refused("promote", "churn.py", "1.0.0", "staging", "--why", "x", code=3)
    assert error["why"] == "model: auc is 0.8, must be more than 0.9"
    assert (
        project.refused("promote", "churn", "1.0.0", "staging", "--why", "x", code=3)["why"] == error["why"]
    )
    project.edit("> 0.9", "> 0.7", "churn.py")
    project("promote", "churn", "1.0.0", "staging", "--why", "x")
    assert project("history", "churn.py", "staging", "--json").json["current"] == {"staging": "1.0.0"}
    assert project("history", "churn", "--json").json["current"] == {"staging": "1.0.0", "production": None}
    assert project.refused("rollback", "churn", "staging", "--why", "x", code=3)["code"] == "E749"
    assert project.refused("rollback", "churn.py", "staging", "0.9", "--why", "x", code=2)["code"] == "E744"
    assert project("channels", "churn.py", "--json").json["projects"][0]["channels"][0]["version"] == "1.0.0"


def textwrap_header(text: str) -> str:
    lines = [
        "# /// script",
        '# requires-python = ">=3.11"',
        *(f"# {line}" for line in text.splitlines()),
        "# ///",
    ]
    return "\n".join(lines)


# ---------------------------------------------------------------------- going back


@pytest.fixture
def both(churn):
    """1.4.0 and then 1.5.0 in both channels."""
    for version in ("1.4.0", "1.5.0"):
        for channel in ("staging", "production"):
            api(churn, days_ago=3).promote(
                churn.root / "dist" / f"churn-{version}-py3-none-any.whl", channel, by="ana", why="Q3"
            )
    return churn


def versions(project) -> list[str | None]:
    (found,) = project("channels", "--json").json["projects"]
    return [channel["version"] for channel in found["channels"]]


def test_a_channel_goes_back(both) -> None:
    entry = both("rollback", "production", "--why", "calibration drift", "--by", "bo", "--json").json["entry"]
    assert (entry["action"], entry["version"], entry["from"]) == ("rollback", "1.4.0", "1.5.0")
    assert versions(both) == ["1.5.0", "1.4.0"]
    assert "1.5.0 (calibration drift)" in both("channels").out
    assert refused(both, "rollback", "production", "--why", "more")["code"] == "E749"
    assert refused(both, "promote", "1.5.0", "production", "--why", "again")["code"] == "E747"
    both("unyank", "1.5.0", "--why", "it was the thermometer")
    assert versions(both) == ["1.5.0", "1.5.0"]
    assert both("rollback", "churn", "production", "1.4.0", "--why", "no, it was not").out == (
        "churn 1.4.0 is what is left in production, which had 1.5.0\n"
    )
    assert both("rollback", "churn", "staging", "--why", "here too", "--expect", "1.5.0").out.startswith(
        "churn 1.4.0"
    )
    assert refused(both, "rollback", "staging", "--why", "x", "--expect", "1.5.0", code=5)["code"] == "E750"


def test_a_release_is_withdrawn_wherever_it_is(both) -> None:
    entries = both("yank", "1.5.0", "--why", "leaks labels", "--json").json["entries"]
    assert [entry["channel"] for entry in entries] == ["staging", "production"]
    assert versions(both) == ["1.4.0", "1.4.0"]
    assert refused(both, "yank", "churn==1.5.0", "--why", "again")["code"] == "E748"
    both("unyank", "churn", "1.5.0", "--channel", "staging", "--why", "no leak")
    assert versions(both) == ["1.5.0", "1.4.0"]


def test_what_is_told_of_a_withdrawal_is_what_the_channel_has_then(both) -> None:
    still = ", which still has 1.5.0\n"
    reason = ("--channel", "production", "--why", "leaks labels")
    assert both("yank", "1.4.0", *reason).out == f"churn 1.4.0 withdrawn from production{still}"
    assert both("unyank", "1.4.0", *reason).out == f"churn 1.4.0 back in production{still}"
    withdrawn = both("yank", "1.5.0", *reason).out
    assert withdrawn == "churn 1.5.0 withdrawn from production, which has 1.4.0 now\n"
    assert both("unyank", "1.5.0", *reason).out == "churn 1.5.0 back in production, which had 1.4.0\n"
    rows = both("history", "production").out.splitlines()[:4]
    assert "unyank   1.5.0  from 1.4.0" in rows[0]
    assert all("from" not in row for row in rows[1:])


def test_what_was_withdrawn_from_a_channel_is_not_said_to_come_there(both) -> None:
    both("yank", "1.5.0", "--channel", "production", "--why", "leaks labels")
    production = both("channels", "--json").json["projects"][0]["channels"][1]
    assert production["next"]["version"] == "1.5.0"
    assert "1.5.0" in "; ".join(production["next"]["excuses"])
    assert "may come" not in both("channels").out


def test_history_says_who_did_what_and_what_was_current_then(both) -> None:
    now = both("rollback", "production", "--why", "calibration drift", "--by", "bo", "--json").json["entry"][
        "at"
    ]
    found = both("history", "--json").json
    assert found["current"] == {"staging": "1.5.0", "production": "1.4.0"}
    assert [entry["action"] for entry in found["entries"]] == ["rollback", *["promote"] * 4]
    yesterday = time.strftime("%Y-%m-%d", time.gmtime(time.time() - 86400))
    then = both("history", "production", "--at", yesterday, "--json").json
    assert (then["current"], len(then["entries"])) == ({"production": "1.5.0"}, 2)
    assert then["at"] == f"{yesterday}T23:59:59Z"
    assert both("history", "churn", "production", "--at", now, "--json").json["current"] == {
        "production": "1.4.0"
    }
    long_ago = both("history", "production", "--at", "2001-01-01", "--json").json
    assert (long_ago["current"], long_ago["entries"]) == ({"production": None}, [])
    text = both("history", "production", "--at", yesterday).out
    assert text.startswith(f"production had 1.5.0 at {yesterday} 23:59 UTC\n\n")
    assert "calibration drift" in both("history").out
    assert both.refused("history", "--at", "last week", code=2)["code"] == "E100"


# ---------------------------------------------------------------------- what is wrong


def test_an_index_that_was_tampered_with_is_found(both) -> None:
    page = both.root / "index" / "production" / "simple" / "churn" / "index.html"
    page.write_text(page.read_text("utf-8").replace("1.5.0", "6.6.6"), "utf-8")
    assert [one["code"] for one in both("channels", "--verify", "--json", code=6).json["findings"]] == [
        "E755"
    ]
    assert both("channels", "--rebuild").out == "production/simple/churn/index.html\n"
    assert both("channels", "--rebuild", "--json").json["rebuilt"] == []
    log = both.root / "index" / "production.log"
    log.write_text(log.read_text("utf-8").replace("Q3", "Q4"), "utf-8")
    assert "E753" in both("channels", "--verify", code=6).err
    assert refused(both, "rollback", "production", "--why", "x", code=6)["code"] == "E753"
    assert both.refused("channels", code=6)["code"] == "E753"


def test_a_lost_wheel_is_nothing_to_go_back_to(both) -> None:
    (both.root / "index" / "pool" / "churn" / "churn-1.4.0-py3-none-any.whl").unlink()
    assert refused(both, "rollback", "production", "--why", "x", code=6)["code"] == "E754"
    (both.root / "index" / "pool" / "churn" / "churn-1.5.0-py3-none-any.whl").unlink()
    assert "cannot be read" in both("channels").out
    assert [one["code"] for one in both("channels", "--verify", "--json", code=6).json["findings"]] == [
        "E754",
        "E754",
    ]


@pytest.mark.parametrize(
    ("words", "code", "error"),
    [
        (("promote", "1.4.0", "prodction", "--why", "x"), 2, "E743"),
        (("promote", "9.9.9", "staging", "--why", "x"), 2, "E744"),
        (("promote", "churm", "1.4.0", "staging", "--why", "x"), 2, "E744"),
        (("promote", "new", "staging", "--why", "x"), 2, "E741"),
        (("promote", "1.4.0", "staging"), 2, "E100"),
        (("promote", "1.4.0", "--why", "x"), 2, "E100"),
        (("promote", "a", "b", "c", "d", "--why", "x"), 2, "E100"),
        (("promote", "1.4.0", "staging", "--why", "x", "--attest", "risk"), 2, "E100"),
        (("promote", "1.4.0", "staging", "--why", "two\nlines"), 2, "E757"),
        (("promote", "1.4.0", "staging", "--why", "x", "--by", "  "), 2, "E757"),
        (("promote", "dist/nothing.whl", "staging", "--why", "x"), 3, "E740"),
        (("promote", "plain", "staging", "--why", "x"), 3, "E711"),
        (("promote", "renamed", "staging", "--why", "x"), 6, "E710"),
        (("promote", "torn", "staging", "--why", "x"), 3, "E740"),
        (("promote", "1.4.0", "staging", "--why", "x", "--index", "nowhere"), 2, "E742"),
        (("promote", "1.4.0", "staging", "--why", "x", "--index", "https://files.example/index"), 2, "E742"),
        (("rollback", "production", "--why", "x"), 2, "E744"),
        (("yank", "1.4.0", "--why", "x"), 2, "E744"),
        (("yank", "1.4.0"), 2, "E100"),
        (("history", "chum"), 2, "E744"),
        (("channels", "--verify", "--rebuild"), 2, "E100"),
        (("channels", "--create", "production", "staging"), 3, "E748"),
        (("channels", "--create", "pool"), 2, "E741"),
        (("channels", "nowhere.py"), 2, "E101"),
    ],
)  # fmt: skip
def test_bad_input_is_told_and_changes_nothing(churn, words: tuple[str, ...], code: int, error: str) -> None:
    dist = churn.root / "dist"
    paths = {
        "plain": lambda: wheel(dist, "churn", "3.0.0"),
        "renamed": lambda: release(dist, "3.0.1", says="1.0.0"),
        "torn": lambda: torn(dist / "churn-1.4.0-py3-none-any.whl", dist / "churn-3.0.2-py3-none-any.whl"),
    }
    words = tuple(str(paths[word]()) if word in paths else word for word in words)
    assert refused(churn, *words, code=code)["code"] == error


def torn(good: Path, path: Path) -> Path:
    path.write_bytes(good.read_bytes()[:-40])
    return path


def test_without_an_index_the_way_to_one_is_told(project) -> None:
    error = project.refused("channels", code=2)
    assert (error["code"], error["fixes"][0]) == (
        "E742",
        'in `stepwell.toml`: [channels] index = "index"',
    )
    assert project.refused("channels", "--create", code=2)["code"] == "E742"
    found = project("channels", "--create", "test", "live", "--index", "there", "--json").json
    assert found["order"] == ["test", "live"]
    assert project("channels", "--index", "there").out.splitlines()[0] == "demo"


def test_gates_and_needs_that_are_none_are_told_at_their_lines(churn) -> None:
    churn.write(MANIFEST + '\n    [channels.staging]\n    needs = ["two days"]\n', "stepwell.toml")
    error = refused(churn, "promote", "1.4.0", "staging", "--why", "x")
    assert (error["code"], error["where"]) == ("E762", "stepwell.toml:11")


def test_outside_of_a_project_a_wheel_says_which_one_it_is(churn, tmp_path) -> None:
    folder = tmp_path / "not a name!"
    folder.mkdir()
    path, index = (
        str(churn.root / "dist" / "churn-1.4.0-py3-none-any.whl"),
        ("--index", str(churn.root / "index")),
    )
    assert churn("promote", path, "staging", "--why", "x", *index, cwd=folder).out.startswith(
        "churn 1.4.0 promoted"
    )
    assert "1.4.0" in churn("channels", *index, cwd=folder).out
    assert churn("recall", "0" * 64, *index, cwd=folder, code=4).err.startswith("error[E764]")
    assert churn("history", "churn", *index, cwd=folder).out
    for words in (("history",), ("rollback", "staging", "--why", "x"), ("yank", "1.4.0", "--why", "x")):
        assert churn(*words, *index, cwd=folder, code=2).err.startswith(
            "error[E741] `not a name!` is not a name"
        )


def test_who_it_was_is_gits_user(churn) -> None:
    subprocess.run(["git", "init", "-q"], cwd=churn.root, env=churn.env, check=True)
    for name, value in (("user.name", "Ana"), ("user.email", "ana@acme")):
        subprocess.run(["git", "config", name, value], cwd=churn.root, env=churn.env, check=True)
    entry = churn("promote", "1.4.0", "staging", "--why", "x", "--json").json["entry"]
    assert entry["by"] == "Ana <ana@acme>"


def test_a_version_that_is_only_in_the_pool_is_promoted(churn) -> None:
    api(churn).add(churn.root / "dist" / "churn-1.4.0-py3-none-any.whl")
    (churn.root / "dist" / "churn-1.4.0-py3-none-any.whl").unlink()
    promoted(churn, "1.4.0", "staging")
    assert api(churn).current("churn", "staging").version == Named("churn", "1.4.0").version
