"""Channels: what each operation does to log, pages and answers, and what it refuses."""

from __future__ import annotations

import hashlib
import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from wheels_by_hand import ORDER, contents, new_index, wheel

from stepwell.dist.channels.index import Channels, Named
from stepwell.dist.channels.local import LocalFiles
from stepwell.dist.channels.verify import verify
from stepwell.errors import (
    AlreadyThere,
    BadReason,
    BadReleaseName,
    BadWheel,
    ChannelMoved,
    ChannelsTooNew,
    NoChannels,
    NothingBefore,
    PoolDamaged,
    ReleaseChanged,
    ReleaseYanked,
    UnknownChannel,
    UnknownRelease,
    VersionNotUp,
)

WHO = {"by": "ana@acme", "why": "Q3 retrain"}


@pytest.fixture
def channels(tmp_path):
    return new_index(tmp_path / "index")


@pytest.fixture
def wheels(tmp_path):
    return lambda version, project="churn", **options: wheel(tmp_path / "dist", project, version, **options)


@pytest.fixture
def moved_on(channels, wheels):
    """Production had 1.3.2, and has 1.4.0."""
    for version in ("1.3.2", "1.4.0"):
        channels.promote(wheels(version), "production", **WHO)
    return channels


def page(channels, channel="production", project="churn"):
    """The links of a page: version, and the attributes."""
    text = (channels.files.folder / channel / "simple" / project / "index.html").read_text("utf-8")
    return {
        re.search(r"-([^-]+)-py3", name)[1]: dict(re.findall(r'([a-z-]+)="([^"]*)"', attributes))
        for attributes, name in re.findall(r"<a (.*?)>(.*?)</a>", text)
    }


def refused(kind, call, *words, **options):
    """The error that a call ends with: of that class, with a way out, and nothing was changed."""
    channels = next(word for word in (*words, call.__self__) if isinstance(word, Channels))
    before = contents(channels.files.folder)
    with pytest.raises(kind) as caught:
        call(*words, **options)
    assert contents(channels.files.folder) == before
    assert caught.value.fixes
    return caught.value


# ---------------------------------------------------------------------- promoting


def test_what_was_promoted_is_what_clients_see(channels, wheels):
    path = wheels("1.4.0")
    entry = channels.promote(path, "production", evidence={"auc": 0.83, "gates": ["ok"]}, **WHO)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert (entry.n, entry.action, entry.version, entry.before) == (1, "promote", "1.4.0", "")
    assert (entry.by, entry.why, entry.evidence) == ("ana@acme", "Q3 retrain", {"auc": 0.83, "gates": ["ok"]})
    assert entry.wheel == f"sha256:{digest}"
    link = page(channels)["1.4.0"]
    assert link["href"] == f"../../../pool/churn/{path.name}#sha256={digest}"
    assert link["data-requires-python"] == "&gt;=3.9"
    assert "data-yanked" not in link
    folder = channels.files.folder
    assert (folder / "pool" / "churn" / path.name).read_bytes() == path.read_bytes()
    metadata = (folder / "pool" / "churn" / f"{path.name}.metadata").read_bytes()
    assert link["data-core-metadata"] == f"sha256={hashlib.sha256(metadata).hexdigest()}"
    assert verify(channels) == ()


def test_a_line_of_the_log_is_what_it_is_documented_to_be(moved_on):
    lines = (moved_on.files.folder / "production.log").read_bytes().splitlines()
    first, second = map(json.loads, lines)
    assert list(second) == [
        "n", "channel", "action", "project", "version", "wheel", "file", "size", "metadata", "requires_python",
        "from", "by", "at", "why", "evidence", "prev",
    ]  # fmt: skip
    page = (
        (Path(__file__).parents[2] / "docs/internals/channels.md")
        .read_text("utf-8")
        .split("## The log")[1]
        .split("\n\n")
    )
    assert set(
        re.findall(r"`([a-z_]+)`", " ".join(row.split(" | ")[0] for row in page[2].splitlines()))
    ) == set(second)
    assert (first["prev"], second["prev"]) == ("", f"sha256:{hashlib.sha256(lines[0]).hexdigest()}")
    assert (first["from"], second["from"], second["n"]) == ("", "1.3.2", 2)
    assert re.fullmatch(r"2026-09-02T09:\d\d:00Z", second["at"])


def test_the_page_in_json_says_the_same(moved_on):
    moved_on.rollback("churn", "production", by="bo", why='drift "<&>"')
    page = json.loads((moved_on.files.folder / "production/simple/churn/index.json").read_bytes())
    assert (page["name"], page["versions"], page["meta"]["api-version"]) == (
        "churn",
        ["1.3.2", "1.4.0"],
        "1.1",
    )
    assert [file["yanked"] for file in page["files"]] == [False, 'drift "<&>"']
    newest = page["files"][1]
    path = (moved_on.files.folder / "production/simple/churn" / newest["url"]).resolve()
    data = path.read_bytes()
    assert (newest["size"], newest["hashes"]["sha256"]) == (len(data), hashlib.sha256(data).hexdigest())
    assert (
        newest["core-metadata"]["sha256"]
        == hashlib.sha256(path.with_name(f"{path.name}.metadata").read_bytes()).hexdigest()
    )
    assert newest["requires-python"] == ">=3.9"
    root = json.loads((moved_on.files.folder / "production/simple/index.json").read_bytes())
    assert root["projects"] == [{"name": "churn"}]


def test_one_version_in_several_channels_is_one_wheel(channels, wheels):
    channels.promote(wheels("1.4.0"), "staging", **WHO)
    channels.promote(Named("Churn", "1.4.0"), "Production", **WHO)
    assert [(one.channel, one.version) for one in channels.status()] == [
        ("staging", "1.4.0"),
        ("production", "1.4.0"),
    ]
    assert len(list((channels.files.folder / "pool").rglob("*.whl"))) == 1
    assert page(channels, "staging") == page(channels, "production")


def test_a_wheel_that_was_only_added_is_seen_by_nobody_and_can_be_promoted(channels, wheels):
    channels.add(wheels("1.4.0"))
    assert channels.status() == ()
    (channels.files.folder / "pool/churn/churn-1.4.0-py3-none-any.whl.metadata").unlink()
    channels.promote(Named("churn", "1.4.0"), "staging", **WHO)
    assert channels.current("churn", "staging").version == "1.4.0"
    assert verify(channels) == ()


def test_the_same_version_with_other_bytes_is_refused_everywhere(channels, wheels):
    channels.promote(wheels("1.4.0"), "staging", **WHO)
    other = wheels("1.4.0", body="X = 1\n", requires=">=3.11")
    for channel in ("staging", "production"):
        assert "another wheel" in refused(ReleaseChanged, channels.promote, other, channel, **WHO).what
    refused(ReleaseChanged, channels.promote, wheels("1.4.0", tag="py2.py3-none-any"), "candidate", **WHO)
    refused(ReleaseChanged, channels.promote, wheels("1.4"), "candidate", **WHO)  # equal by PEP 440
    refused(ReleaseChanged, channels.add, other)
    refused(ReleaseChanged, channels.add, wheels("1.4.0", tag="py2.py3-none-any"))


def test_a_version_that_does_not_go_up_is_refused_unless_asked(moved_on, wheels):
    error = refused(VersionNotUp, moved_on.promote, wheels("1.3.9"), "production", **WHO)
    assert "rollback" in error.fixes[0]
    refused(VersionNotUp, moved_on.promote, wheels("1.4.0rc3"), "production", **WHO)
    moved_on.promote(wheels("1.3.9"), "production", older=True, **WHO)
    assert list(page(moved_on)) == ["1.3.2", "1.3.9", "1.4.0"]
    assert moved_on.current("churn", "production").version == "1.4.0"
    assert verify(moved_on) == ()


def test_what_the_channel_has_already_is_told(moved_on, wheels):
    error = refused(AlreadyThere, moved_on.promote, wheels("1.4.0"), "production", **WHO)
    assert "ana@acme promoted it at 2026-09-02T09:" in error.why
    refused(AlreadyThere, moved_on.promote, Named("churn", "1.3.2"), "production", **WHO)


def test_a_judgement_that_rests_on_another_version_is_refused(moved_on, wheels):
    error = refused(ChannelMoved, moved_on.promote, wheels("1.5.0"), "production", expect="1.3.2", **WHO)
    assert "has churn 1.4.0 by now, not 1.3.2" in error.what
    assert "ana@acme (promote of 1.4.0" in error.why
    refused(ChannelMoved, moved_on.promote, wheels("1.5.0"), "production", expect="", **WHO)
    refused(ChannelMoved, moved_on.rollback, "churn", "production", expect="1.5.0", **WHO)
    assert moved_on.promote(wheels("1.5.0"), "production", expect="1.4.0", **WHO).before == "1.4.0"
    assert moved_on.promote(wheels("1.0", "other"), "production", expect="", **WHO).before == ""


def test_pre_releases_are_current_and_said_to_need_an_option(channels, wheels):
    channels.promote(wheels("1.5.0rc1"), "staging", **WHO)
    assert not channels.current("churn", "staging").needs_pre  # nothing else is there, so clients take it
    channels.promote(wheels("1.4.0"), "staging", older=True, **WHO)
    found = channels.current("churn", "staging")
    assert (found.version, found.needs_pre) == ("1.5.0rc1", True)


def test_versions_with_a_local_part_and_an_epoch_have_links_that_work(channels, wheels):
    path = wheels("1!1.4.0+gpu.2")
    channels.promote(path, "staging", **WHO)
    text = (channels.files.folder / "staging/simple/churn/index.html").read_text()
    assert "pool/churn/churn-1%211.4.0%2Bgpu.2-py3-none-any.whl#" in text
    assert verify(channels) == ()


def test_unknown_names_are_refused_with_the_nearest(moved_on, wheels):
    assert refused(UnknownChannel, moved_on.promote, wheels("2.0"), "prodction", **WHO).fixes == (
        "production",
    )
    assert "`churn`" in refused(UnknownRelease, moved_on.rollback, "chrun", "production", **WHO).what
    assert refused(UnknownRelease, moved_on.promote, Named("churn", "9.0"), "production", **WHO).fixes
    assert (
        "1.4.0, 1.3.2"
        in refused(UnknownRelease, moved_on.rollback, "churn", "production", to="1.0", **WHO).why
    )
    assert refused(UnknownRelease, moved_on.current, "chrun", "production").fixes
    refused(UnknownRelease, moved_on.yank, "churn", "3.0", **WHO)


@pytest.mark.parametrize("hostile", ["../x", "a/b", "x\n", "x\0", "pool", "", "é", ".."])
def test_hostile_names_are_refused_by_every_operation(moved_on, wheels, hostile):
    path = wheels("2.0")
    refused(BadReleaseName, moved_on.promote, path, hostile, **WHO)
    if hostile != "pool":
        for call, words in [
            (moved_on.promote, (Named(hostile, "1.4.0"), "production")),
            (moved_on.promote, (Named("churn", hostile), "production")),
            (moved_on.rollback, (hostile, "production")),
            (moved_on.yank, (hostile, "1.4.0")),
            (moved_on.unyank, ("churn", hostile)),
        ]:
            refused(BadReleaseName, call, *words, **WHO)
        refused(BadReleaseName, moved_on.history, hostile, "production")


def test_what_cannot_stand_in_a_log_is_refused(channels, wheels):
    path = wheels("1.4.0")
    for wrong in ({"by": ""}, {"why": "two\nlines"}, {"why": "\x1b[2J"}, {"by": "x" * 300}):
        refused(BadReason, channels.promote, path, "staging", **{**WHO, **wrong})
    for evidence in (
        {"x": float("nan")},
        {"x": {1: 2}},
        {"x": object()},
        {"x": "\ud800"},
        {"x": "y" * (2 << 20)},
    ):
        refused(BadReason, channels.promote, path, "staging", evidence=evidence, **WHO)


def test_a_wheel_that_is_none_is_refused(channels, tmp_path):
    path = tmp_path / "churn-1.4.0-py3-none-any.whl"
    path.write_bytes(b"no")
    refused(BadWheel, channels.promote, path, "staging", **WHO)
    refused(BadWheel, channels.promote, tmp_path / "gone-1.0-py3-none-any.whl", "staging", **WHO)


def test_a_damaged_wheel_of_the_pool_is_not_promoted(channels, wheels):
    channels.promote(wheels("1.3.2"), "staging", **WHO)
    path = channels.files.folder / "pool/churn/churn-1.3.2-py3-none-any.whl"
    path.unlink()
    assert (
        "is gone" in refused(PoolDamaged, channels.promote, Named("churn", "1.3.2"), "production", **WHO).what
    )
    path.write_bytes(b"other")
    assert (
        "not what"
        in refused(PoolDamaged, channels.promote, Named("churn", "1.3.2"), "production", **WHO).what
    )


def test_a_wheel_that_was_lost_is_put_back_and_no_other_takes_its_place(channels, wheels):
    path = wheels("1.3.2")
    data = path.read_bytes()
    channels.promote(path, "staging", **WHO)
    (channels.files.folder / "pool/churn/churn-1.3.2-py3-none-any.whl").unlink()
    refused(ReleaseChanged, channels.add, wheels("1.3.2", body="X = 1\n"))
    path.write_bytes(data)
    channels.add(path)
    assert verify(channels) == ()


# ---------------------------------------------------------------------- rolling back, withdrawing


def test_rolling_back_gives_the_version_before_and_says_why(moved_on):
    entry = moved_on.rollback("churn", "production", by="bo", why="calibration drift")
    assert (entry.action, entry.version, entry.before) == ("rollback", "1.3.2", "1.4.0")
    assert page(moved_on)["1.4.0"]["data-yanked"] == "calibration drift"
    assert "data-yanked" not in page(moved_on)["1.3.2"]
    found = moved_on.current("churn", "production")
    assert (found.version, found.since, found.yanked) == ("1.3.2", entry, ("1.4.0",))
    assert found.promoted.version == "1.3.2"
    assert (
        "1.4.0 was withdrawn" in refused(NothingBefore, moved_on.rollback, "churn", "production", **WHO).why
    )
    assert verify(moved_on) == ()


def test_rolling_back_to_a_version_withdraws_all_that_are_higher(moved_on, wheels):
    for version in ("1.4.1", "1.5.0"):
        moved_on.promote(wheels(version), "production", **WHO)
    moved_on.rollback("churn", "production", to="1.3.2", by="bo", why="drift")
    assert [version for version, link in page(moved_on).items() if "data-yanked" not in link] == ["1.3.2"]
    refused(ReleaseYanked, moved_on.rollback, "churn", "production", to="1.4.1", **WHO)
    refused(AlreadyThere, moved_on.rollback, "churn", "production", to="1.3.2", **WHO)
    moved_on.unyank("churn", "1.4.1", **WHO)
    assert moved_on.current("churn", "production").version == "1.4.1"
    assert verify(moved_on) == ()


def test_after_a_rollback_a_higher_version_is_promoted_and_the_same_one_only_if_unyanked(moved_on, wheels):
    moved_on.rollback("churn", "production", by="bo", why="drift")
    assert (
        "unyank"
        in refused(ReleaseYanked, moved_on.promote, Named("churn", "1.4.0"), "production", **WHO).fixes[0]
    )
    assert "drift" in refused(ReleaseYanked, moved_on.promote, Named("churn", "1.4.0"), "staging", **WHO).what
    moved_on.promote(wheels("1.4.1"), "production", **WHO)
    assert moved_on.current("churn", "production").version == "1.4.1"
    moved_on.rollback("churn", "production", by="bo", why="again")
    assert moved_on.current("churn", "production").version == "1.3.2"


def test_a_version_is_not_rolled_back_to_where_its_wheel_is_gone(moved_on):
    (moved_on.files.folder / "pool/churn/churn-1.3.2-py3-none-any.whl").unlink()
    refused(PoolDamaged, moved_on.rollback, "churn", "production", **WHO)


def test_yanking_is_done_in_all_channels_or_in_one(moved_on):
    moved_on.promote(Named("churn", "1.4.0"), "staging", **WHO)
    assert [entry.channel for entry in moved_on.yank("churn", "1.4.0", by="bo", why="wrong currency")] == [
        "staging",
        "production",
    ]
    assert page(moved_on, "staging")["1.4.0"]["data-yanked"] == "wrong currency"
    assert moved_on.current("churn", "staging").version == ""
    assert moved_on.current("churn", "production").version == "1.3.2"
    refused(AlreadyThere, moved_on.yank, "churn", "1.4.0", **WHO)
    assert [entry.channel for entry in moved_on.unyank("churn", "1.4.0", channel="production", **WHO)] == [
        "production"
    ]
    assert moved_on.current("churn", "staging").version == ""
    refused(AlreadyThere, moved_on.unyank, "churn", "1.4.0", channel="production", **WHO)
    refused(UnknownRelease, moved_on.yank, "churn", "1.3.2", channel="staging", **WHO)
    assert verify(moved_on) == ()


def test_a_yank_that_was_cut_off_between_two_channels_is_finished_by_the_next_one(moved_on):
    moved_on.promote(Named("churn", "1.4.0"), "staging", **WHO)
    moved_on.yank("churn", "1.4.0", channel="staging", by="bo", why="wrong currency")
    assert [entry.channel for entry in moved_on.yank("churn", "1.4.0", by="bo", why="wrong currency")] == [
        "production"
    ]


# ---------------------------------------------------------------------- looking


def test_history_and_what_was_current_at_a_time(moved_on, wheels):
    moved_on.promote(wheels("1.0", "other"), "production", **WHO)
    moved_on.rollback("churn", "production", by="bo", why="drift")
    history = moved_on.history("churn", "production")
    assert [(entry.n, entry.action) for entry in history] == [(1, "promote"), (2, "promote"), (4, "rollback")]
    times = [datetime.strptime(entry.at, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC) for entry in history]
    assert [moved_on.current("churn", "production", at=time).version for time in times] == [
        "1.3.2",
        "1.4.0",
        "1.3.2",
    ]
    assert len(moved_on.history("churn", "production", at=times[1])) == 2
    with pytest.raises(UnknownRelease, match="at 2020"):
        moved_on.current("churn", "production", at=datetime(2020, 1, 1, tzinfo=UTC))
    with pytest.raises(BadReason, match="time zone"):
        moved_on.history("churn", "production", at=datetime(2026, 10, 1))


def test_status_names_each_channels_version_since_when_by_whom_and_with_what_evidence(channels, wheels):
    channels.promote(wheels("1.4.0"), "production", evidence={"auc": 0.8}, **WHO)
    channels.promote(wheels("2.0", "other"), "candidate", **WHO)
    one, other = channels.status()
    assert (one.channel, one.project, one.version) == ("candidate", "other", "2.0")
    assert (other.since.by, other.since.at[:10], other.promoted.evidence) == (
        "ana@acme",
        "2026-09-02",
        {"auc": 0.8},
    )
    assert other.head == channels.heads()["production"]


# ---------------------------------------------------------------------- the index itself


def test_an_index_opens_with_its_order_and_takes_new_channels(channels):
    files = LocalFiles(channels.files.folder)
    assert Channels.open(files).order == tuple(ORDER)
    assert Channels.create(files, ORDER).order == tuple(ORDER)
    assert Channels.create(files, ["candidate", "qa", "staging", "production"]).order[1] == "qa"
    assert (files.folder / "qa/simple/index.html").exists()
    for order in (ORDER, ["production", "qa", "staging", "candidate"], ["production"]):
        with pytest.raises(AlreadyThere):
            Channels.create(files, order)


@pytest.mark.parametrize("order", [[], ["a", "A"], ["../x"], ["pool"]])
def test_channels_that_cannot_be(tmp_path, order):
    with pytest.raises(BadReleaseName):
        Channels.create(LocalFiles(tmp_path / "new"), order)
    assert not (tmp_path / "new").exists()


def test_what_is_no_index_is_told(tmp_path, channels):
    for folder in (tmp_path / "nowhere", tmp_path):
        with pytest.raises(NoChannels):
            Channels.open(LocalFiles(folder))
    settings = channels.files.folder / "channels.json"
    for text in (
        "",
        "[]",
        "{",
        '{"format": 1, "order": ["../x"]}',
        '{"format": 1, "order": []}',
        '{"format": "1", "order": ["a"]}',
        "[" * 100_000,
    ):
        settings.write_text(text)
        with pytest.raises((NoChannels, BadReleaseName)):
            Channels.open(channels.files)
    settings.write_text('{"format": 2, "order": ["a"]}')
    with pytest.raises(ChannelsTooNew):
        Channels.open(channels.files)


def test_every_page_can_be_made_again_from_the_logs(moved_on):
    moved_on.promote(Named("churn", "1.4.0"), "staging", **WHO)
    before = contents(moved_on.files.folder)
    for path in list(moved_on.files.folder.rglob("index.*")) + list(
        moved_on.files.folder.rglob("*.metadata")
    ):
        path.unlink()
    stray = moved_on.files.folder / "production/simple/evil/evil-1.0-py3-none-any.whl"
    stray.parent.mkdir()
    stray.write_bytes(b"")
    changed = moved_on.rebuild()
    assert contents(moved_on.files.folder) == before
    assert len(changed) == 13
    assert moved_on.rebuild() == ()
