"""Tampering: whatever is changed behind the back of an index is found, named, and not built upon."""

from __future__ import annotations

import hashlib
import json
import random
import shutil

import pytest
from wheels_by_hand import contents, new_index, wheel

from stepwell.dist.channels.index import Channels, Named
from stepwell.dist.channels.local import LocalFiles
from stepwell.dist.channels.verify import verify
from stepwell.errors import (
    AlreadyThere,
    IndexDiffers,
    LogDamaged,
    PoolDamaged,
    ReleaseChanged,
    ReleaseError,
    StepwellError,
)

WHO = {"by": "ana@acme", "why": "Q3 retrain"}


@pytest.fixture
def channels(tmp_path):
    """Five entries in production, by every action."""
    channels = new_index(tmp_path / "index")
    for version in ("1.3.2", "1.4.0"):
        channels.promote(wheel(tmp_path / "dist", version=version), "production", **WHO)
    channels.rollback("churn", "production", by="bo", why="drift")
    channels.unyank("churn", "1.4.0", by="bo", why="it was the dashboard")
    channels.yank("churn", "1.3.2", by="bo", why="wrong currency")
    assert verify(channels) == ()
    return channels


def found(channels, known=None):
    """What verify says, which is the same after it is asked again; nothing is changed by asking."""
    before = contents(channels.files.folder)
    findings = verify(channels, known, pause=lambda _: None)
    assert contents(channels.files.folder) == before
    assert all(finding.fixes and finding.why for finding in findings)
    return [(type(finding), finding.what) for finding in findings]


def log(channels):
    return channels.files.folder / "production.log"


def nothing_is_written(channels):
    """No operation builds upon a log that was changed, and `rebuild` makes nothing from it."""
    before = contents(channels.files.folder)
    for call in (
        lambda: channels.promote(Named("churn", "1.4.0"), "production", **WHO),
        lambda: channels.rollback("churn", "production", **WHO),
        lambda: channels.yank("churn", "1.4.0", **WHO),
        channels.rebuild,
    ):
        with pytest.raises(LogDamaged):
            call()
    assert contents(channels.files.folder) == before


def edited(lines, number, **fields):
    entry = json.loads(lines[number - 1]) | fields
    return [*lines[: number - 1], written(entry), *lines[number:]]


def written(entry):
    return json.dumps(entry, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def chained(lines):
    """Lines with their digests made anew, as somebody who knows the format would do it."""
    out, prev = [], ""
    for number, line in enumerate(lines, 1):
        out.append(written(json.loads(line) | {"n": number, "prev": prev}))
        prev = f"sha256:{hashlib.sha256(out[-1][:-1]).hexdigest()}"
    return out


TAMPERED = {
    "edited": (lambda lines: edited(lines, 2, why="harmless"), "entry 3 does not follow entry 2"),
    "the last one edited": (lambda lines: edited(lines, 5, why="harmless"), "was written anew"),
    "cut at the end": (lambda lines: lines[:4], "ends with entry 4"),
    "emptied": (lambda lines: [], "ends with entry 0"),
    "cut at the beginning": (lambda lines: lines[1:], "line 1 has entry 2"),
    "cut in a line": (lambda lines: [*lines[:4], lines[4][:-9]], "line 5 is not complete"),
    "one taken out": (lambda lines: [*lines[:2], *lines[3:]], "line 3 has entry 4"),
    "reordered": (lambda lines: [lines[0], lines[2], lines[1], *lines[3:]], "line 2 has entry 3"),
    "renumbered": (lambda lines: [*lines[:2], *(written(json.loads(line) | {"n": n}) for n, line in enumerate(lines[3:], 3))], "entry 3 does not follow"),
    "one repeated": (lambda lines: [*lines, lines[-1]], "line 6 has entry 5"),
    "spliced in": (lambda lines: [*lines, written(json.loads(lines[-1]) | {"n": 6})], "entry 6 does not follow entry 5"),
    "written anew": (lambda lines: chained(edited(lines, 1, by="eve")), "was written anew"),
    "written anew and shorter": (lambda lines: chained(lines[:4]), "ends with entry 4"),
    "of another channel": (lambda lines: chained([line.replace(b'"production"', b'"staging"') for line in lines]), "entry 1 is one of the channel `staging`"),
    "an action of its own": (lambda lines: chained(edited(lines, 5, action="destroy")), "its action is `destroy`"),
    "a field too many": (lambda lines: chained(edited(lines, 5, extra=1)), "line 5 is not an entry"),
    "a field of another kind": (lambda lines: chained(edited(lines, 5, size="1")), "a number is something else"),
    "a hostile project": (lambda lines: chained(edited(lines, 1, project="../../etc")), "not a name of a project"),
    "a hostile file": (lambda lines: chained(edited(lines, 1, file="../../../x.whl")), "its file is not a wheel"),
    "a version out of nowhere": (lambda lines: chained(edited(lines, 5, version="9.9")), "was written anew"),
    "no JSON": (lambda lines: [*lines, b"promote everything\n"], "line 6 is not an entry"),
    "no text": (lambda lines: [*lines, b"\xff\xfe\n"], "line 6 is not an entry"),
    "deep": (lambda lines: [*lines, b"[" * 100_000 + b"\n"], "line 6 is not an entry"),
    "a name twice": (lambda lines: [lines[0].replace(b'"n":1', b'"n":1,"n":1'), *lines[1:]], "a name stands in it twice"),
    "blank lines": (lambda lines: [*lines, b"\n"], "line 6 is not an entry"),
    "line breaks of Windows": (lambda lines: [line[:-1] + b"\r\n" for line in lines], "entry 2 does not follow"),
}  # fmt: skip


@pytest.mark.parametrize("how", TAMPERED)
def test_a_log_that_was_tampered_with(channels, how):
    change, says = TAMPERED[how]
    log(channels).write_bytes(b"".join(change(log(channels).read_bytes().splitlines(keepends=True))))
    [(kind, what)] = found(channels)
    assert kind is LogDamaged
    assert says in what
    nothing_is_written(channels)


@pytest.mark.parametrize(
    "fields",
    [{"version": "9.9"}, {"action": "unyank"}, {"action": "promote"}, {"from": "1.3.2"}, {"wheel": f"sha256:{'0' * 64}"}, {"action": "rollback", "version": "1.3.1"}],
)  # fmt: skip
def test_a_log_that_nobody_can_have_written_is_seen_even_where_no_page_is_left(channels, fields):
    lines = log(channels).read_bytes().splitlines(keepends=True)
    log(channels).write_bytes(b"".join(chained(edited(lines, 5, **fields))))
    shutil.rmtree(channels.files.folder / "production")
    [(kind, what)] = found(channels)
    assert kind is LogDamaged
    assert "entry 5" in what
    nothing_is_written(channels)


def test_who_looks_is_not_given_what_a_log_that_was_cut_short_says(channels):
    log(channels).write_bytes(b"".join(log(channels).read_bytes().splitlines(keepends=True)[:2]))
    for look in (channels.status, channels.heads, lambda: channels.current("churn", "production")):
        with pytest.raises(LogDamaged, match="cut short"):
            look()


def test_a_log_that_is_gone(channels):
    log(channels).unlink()
    [(kind, what)] = found(channels)
    assert (kind, "ends with entry 0" in what) == (LogDamaged, True)
    nothing_is_written(channels)


def test_logs_that_were_exchanged(channels, tmp_path):
    channels.promote(Named("churn", "1.4.0"), "staging", **WHO)
    staging = channels.files.folder / "staging.log"
    shutil.copy(staging, tmp_path / "held")
    shutil.copy(log(channels), staging)
    shutil.copy(tmp_path / "held", log(channels))
    assert [kind for kind, _ in found(channels)] == [LogDamaged, LogDamaged]


def test_any_byte_of_a_log_that_is_flipped_is_seen(channels):
    data = log(channels).read_bytes()
    for at in random.Random(7).sample(range(len(data)), 150):
        log(channels).write_bytes(
            data[:at] + bytes([data[at] ^ 1 << random.Random(at).randrange(8)]) + data[at + 1 :]
        )
        assert {kind for kind, _ in found(channels)} == {LogDamaged}, at


def test_a_log_and_its_pages_written_anew_are_seen_by_who_kept_a_digest(channels):
    """Somebody who may write to everything can lie in all of it; a digest that was kept elsewhere tells."""
    known = channels.heads()
    folder = channels.files.folder
    log(channels).write_bytes(
        b"".join(chained(edited(log(channels).read_bytes().splitlines(keepends=True), 1, by="eve")))
    )
    shutil.rmtree(folder / "production")
    Channels.open(LocalFiles(folder)).rebuild()
    assert found(channels) == []
    [(kind, what)] = found(channels, known)
    assert (kind, "which it had when that was noted" in what) == (LogDamaged, True)


def test_a_digest_that_was_kept_holds_while_the_log_grows(channels, tmp_path):
    known = channels.heads()
    channels.promote(wheel(tmp_path / "dist", version="2.0"), "production", **WHO)
    assert found(channels, known) == []


# ---------------------------------------------------------------------- the pool


def test_a_wheel_that_was_tampered_with_or_is_gone(channels):
    first, second = sorted((channels.files.folder / "pool/churn").glob("*.whl"))
    first.chmod(0o644)
    first.write_bytes(first.read_bytes().replace(b"1.3.2", b"6.6.6"))
    second.unlink()
    assert found(channels) == [
        (PoolDamaged, f"the wheel `{first}` is not what was promoted"),
        (PoolDamaged, f"the wheel `{second}` is gone"),
    ]


def test_metadata_that_was_tampered_with_is_made_again_from_its_wheel(channels):
    first, second = sorted((channels.files.folder / "pool/churn").glob("*.metadata"))
    before = contents(channels.files.folder)
    first.write_bytes(first.read_bytes() + b"Requires-Dist: evil\n")
    second.unlink()
    assert found(channels) == [
        (PoolDamaged, f"the metadata `{path}` is not that of its wheel") for path in (first, second)
    ]
    assert len(channels.rebuild()) == 2
    assert contents(channels.files.folder) == before


def test_one_version_with_two_wheels_in_two_channels(channels, tmp_path):
    """Two people who promote at the same moment to two channels: no single log can prevent it."""
    other = new_index(tmp_path / "other")
    other.promote(wheel(tmp_path / "elsewhere", version="1.4.0", tag="py311-none-any"), "staging", **WHO)
    for path in (
        "staging.log",
        "staging/simple/churn",
        "staging/simple/index.html",
        "staging/simple/index.json",
    ):
        source, target = other.files.folder / path, channels.files.folder / path
        shutil.copytree(source, target) if source.is_dir() else shutil.copy(source, target)
    shutil.copytree(other.files.folder / "pool", channels.files.folder / "pool", dirs_exist_ok=True)
    [(kind, what)] = found(channels)
    assert (kind, what) == (
        ReleaseChanged,
        "churn 1.4.0 is one wheel in `staging` and another in `production`",
    )


# ---------------------------------------------------------------------- pages


def test_a_page_that_was_edited_is_found_and_made_again(channels):
    before = contents(channels.files.folder)
    page = channels.files.folder / "production/simple/churn/index.html"
    page.write_text(page.read_text().replace(' data-yanked="wrong currency"', ""))
    [(kind, what)] = found(channels)
    assert (kind, what) == (
        IndexDiffers,
        "the page `production/simple/churn/index.html` is not what the log gives",
    )
    assert channels.rebuild() == ("production/simple/churn/index.html",)
    assert contents(channels.files.folder) == before


def test_a_page_without_a_word_about_its_origin_is_edited_too(channels):
    page = channels.files.folder / "production/simple/churn/index.html"
    page.write_text(
        "<a href='https://evil.example/churn-9.9-py3-none-any.whl'>churn-9.9-py3-none-any.whl</a>"
    )
    (channels.files.folder / "production/simple/index.json").unlink()
    assert [what for _, what in found(channels)] == [
        "the page `production/simple/churn/index.html` is not what the log gives",
        "the page `production/simple/index.json` is missing",
    ]


def test_what_somebody_put_beside_the_pages_is_found(channels):
    evil = channels.files.folder / "production/simple/numpy/index.html"
    evil.parent.mkdir()
    evil.write_text("<a href='evil.whl'>evil</a>")
    [(kind, what)] = found(channels)
    assert (kind, what) == (IndexDiffers, "`production/simple/numpy/index.html` is no page of this channel")
    assert channels.rebuild() == ("production/simple/numpy/index.html",)
    assert not evil.parent.exists()
    assert found(channels) == []


def test_a_page_that_is_behind_is_told_from_one_that_was_edited(channels, tmp_path):
    folder = channels.files.folder
    shutil.copytree(folder / "production", tmp_path / "held")
    channels.promote(wheel(tmp_path / "dist", version="2.0"), "production", **WHO)
    after = contents(folder)
    shutil.rmtree(folder / "production")
    shutil.copytree(tmp_path / "held", folder / "production")
    assert {what.partition(":")[2] for _, what in found(channels)} == {" it is that of entry 5 of 6"}
    with pytest.raises(AlreadyThere):
        channels.promote(Named("churn", "2.0"), "production", **WHO)
    channels.rebuild()
    assert contents(folder) == after


def test_the_next_change_writes_what_was_behind(channels, tmp_path):
    folder = channels.files.folder
    channels.promote(wheel(tmp_path / "dist", "other", "1.0"), "production", **WHO)
    shutil.copytree(folder / "production", tmp_path / "held")
    channels.promote(wheel(tmp_path / "dist", version="2.0"), "production", **WHO)
    shutil.rmtree(folder / "production")
    shutil.copytree(tmp_path / "held", folder / "production")
    channels.promote(wheel(tmp_path / "dist", "other", "1.1"), "production", **WHO)
    assert found(channels) == []


def test_a_log_that_belongs_to_no_channel(channels):
    shutil.copy(log(channels), channels.files.folder / "secret.log")
    [(kind, what)] = found(channels)
    assert (kind, what) == (IndexDiffers, "`secret.log` is the log of no channel of this index")


def test_all_findings_are_given_at_once(channels):
    channels.promote(Named("churn", "1.4.0"), "staging", **WHO)
    log(channels).write_bytes(b"x")
    (channels.files.folder / "staging/simple/churn/index.json").unlink()
    (channels.files.folder / "pool/churn/churn-1.4.0-py3-none-any.whl").unlink()
    assert [kind for kind, _ in found(channels)] == [IndexDiffers, LogDamaged, PoolDamaged]


def test_what_is_no_file_is_told(channels):
    page = channels.files.folder / "production/simple/churn/index.html"
    page.unlink()
    page.mkdir()
    (page / "deeper").write_text("")
    with pytest.raises(ReleaseError):
        channels.rebuild()
    log(channels).unlink()
    log(channels).mkdir()
    with pytest.raises(StepwellError):
        channels.status()
