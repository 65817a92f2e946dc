"""Versions and names: the rules of PEP 440 and PEP 503, compared with the library `packaging`."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from stepwell.dist import names
from stepwell.dist.versions import parsed
from stepwell.errors import BadReason, BadReleaseName

ORDERED = (
    "1.dev0 1.0.dev456 1.0a1.dev1 1.0a1 1.0a2.dev456 1.0a12.dev456 1.0a12 1.0b1.dev456 1.0b2 1.0b2.post345.dev456 "
    "1.0b2.post345 1.0rc1.dev456 1.0rc1 1.0 1.0+abc.5 1.0+abc.7 1.0+5 1.0.post456.dev34 1.0.post456 1.0.15 1.1.dev1 1.10 "
    "1!0.1.dev1 1!0.1"
)


def test_versions_are_ordered_as_the_standard_says():
    keys = [parsed(text).key for text in ORDERED.split()]
    assert all(one < other for one, other in itertools.pairwise(keys))


part = st.integers(0, 120).map(str)
separated = st.sampled_from(["", ".", "-", "_"])
spelled = st.builds(
    lambda v, epoch, release, pre, post, dev, local: v + epoch + release + pre + post + dev + local,
    st.sampled_from(["", "v", "V"]),
    st.one_of(st.just(""), part.map(lambda n: f"{n}!")),
    st.lists(st.one_of(part, st.just("007")), min_size=1, max_size=4).map(".".join),
    st.one_of(
        st.just(""),
        st.tuples(separated, st.sampled_from(["a", "Alpha", "b", "beta", "c", "rc", "RC", "pre", "preview"]), separated, part).map("".join),
    ),
    st.one_of(st.just(""), part.map(lambda n: f"-{n}"), st.tuples(separated, st.sampled_from(["post", "rev", "r"]), separated, part).map("".join), st.just(".post")),
    st.one_of(st.just(""), st.tuples(separated, st.just("dev"), separated, part).map("".join), st.just("dev")),
    st.one_of(st.just(""), st.lists(st.sampled_from(["1", "01", "10", "abc", "a1", "ABC"]), min_size=1, max_size=3).map(lambda parts: "+" + "-".join(parts))),
)  # fmt: skip


def theirs(text):
    try:
        return Version(text)
    except InvalidVersion:
        return None


@given(spelled, spelled)
def test_any_two_versions_compare_and_read_as_in_packaging(one, other):
    versions = theirs(one), theirs(other)
    for text, version in zip((one, other), versions, strict=True):
        if version is None:
            with pytest.raises(BadReleaseName):
                parsed(text)
        else:
            assert parsed(text).text == str(version)
            assert parsed(text).pre == version.is_prerelease
            assert parsed(parsed(text).text) == parsed(text)
    if None not in versions:
        assert (parsed(one).key < parsed(other).key) == (versions[0] < versions[1])
        assert (parsed(one).key == parsed(other).key) == (versions[0] == versions[1])


@given(st.text(alphabet="0123456789.!+-_abcdevrpost \n٣\0/", max_size=12))
def test_what_packaging_does_not_take_is_no_version(text):
    try:
        version = parsed(text).text
    except BadReleaseName:
        assert theirs(text) is None or not text.isascii()
    else:
        assert version == str(Version(text))


@pytest.mark.parametrize(
    "text", ["", "..", "1/2", "../1.0", "1.0\n/x", "1" * 200, "1.0;rm", "latest", "1.0\x00", "１.0"]
)
def test_hostile_versions_are_refused(text):
    with pytest.raises(BadReleaseName) as refused:
        parsed(text)
    assert str(refused.value).isprintable() or "\n" in str(refused.value)
    assert "\x00" not in str(refused.value)


@given(st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,20}[A-Za-z0-9])?", fullmatch=True))
def test_names_of_projects_have_one_spelling(text):
    assert names.project(text) == canonicalize_name(text)


HOSTILE = ["", ".", "..", "../x", "a/b", "a\\b", "a b", "-a", "a-", "a\n", "a\0b", "caf\u00e9", "\u212aelvin", "a" * 101, "\u202eabc", "%2e%2e", "a?b", "a#b", "<b>"]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_names_are_refused(text):
    for name in (names.project, names.channel):
        with pytest.raises(BadReleaseName) as refused:
            name(text)
        assert refused.value.what.replace("…", "").isascii()
        assert refused.value.what.isprintable()


@pytest.mark.parametrize("text", ["pool", "Pool", "con", "NUL"])
def test_names_that_folders_have_are_no_channels(text):
    with pytest.raises(BadReleaseName):
        names.channel(text)


def test_channels_are_the_same_in_any_case():
    assert names.channel("Pre_Production") == "pre-production"


@pytest.mark.parametrize(
    "text", ["", "  ", "a\nb", "a\x1b[31mb", "\u202egood", "x" * 1001, "a\u2028b", "\ud800"]
)
def test_reasons_are_one_line_that_can_be_seen(text):
    with pytest.raises(BadReason):
        names.said(text, "the reason")


def test_reasons_may_be_in_any_language():
    assert names.said("  Kalibrierung driftet: 校准漂移 ", "the reason") == "Kalibrierung driftet: 校准漂移"
