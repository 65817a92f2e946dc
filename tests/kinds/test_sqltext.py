"""The text of a query: placeholders, quotes, comments, and what of it counts."""

from __future__ import annotations

import pytest

from stepwell.worker.kinds.sqltext import BadText, parse, quoted


def composed(text):
    return parse(text).compose(lambda slot: f"<{slot.name}>", lambda name: f"[{name}]")


@pytest.mark.parametrize(
    ("text", "becomes"),
    [
        ("select {a} from {b:id}", "select <a> from [b]"),
        ("select '{a', '{1}', '{\"k\": {\"l\": 1}}'", "select '{a', '{1}', '{\"k\": {\"l\": 1}}'"),
        ("select '{{a}}', \"{{b:id}}\"", "select '{a}', \"{b:id}\""),
        ("select {{'a': {a}}}", "select {'a': <a>}"),
        ("select {'a': 1}, map {}", "select {'a': 1}, map {}"),
        ("-- {no}\nselect {a} /* {no} /* {nested} */ */", "-- {no}\nselect <a> /* {no} /* {nested} */ */"),
        ("select 'it''s', {a}, \"x\"\"y\"", "select 'it''s', <a>, \"x\"\"y\""),
        ("select $$ it's {{a}} $$, $tag$ ' $$ $tag$, {a}", "select $$ it's {a} $$, $tag$ ' $$ $tag$, <a>"),
        ("select e'it\\'s', {a}", "select e'it\\'s', <a>"),
    ],
)
def test_placeholders_stand_only_where_code_is(text, becomes):
    assert composed(text) == becomes


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("select\n'{a}'", 2, "between quotes"),
        ('select "{a:id}"', 1, "between quotes"),
        ("select\n\n'x\n{a}'", 4, "between quotes"),
        ("select {a.b}", 1, "no placeholder"),
        ("select\n{a!r}", 2, "no placeholder"),
        ("select 'a", 1, "not closed"),
        ("select 1\n/* a /* b */", 2, "not closed"),
    ],
)
def test_what_is_no_placeholder_is_refused_with_its_line(text, line, said):
    with pytest.raises(BadText, match=said) as found:
        parse(text)
    assert found.value.line == line


def test_comments_and_white_space_do_not_count_and_texts_do():
    same = parse("select  a,\n -- why\n 'x  y' /* no */ from\t{t} ;\n").normal()
    assert same == parse("select a, 'x  y' from {t}").normal()
    assert same != parse("select a, 'x y' from {t}").normal()
    assert same != parse("select A, 'x  y' from {t}").normal()
    assert same != parse("select a, 'x  y' from {{t}}").normal()
    assert parse("select '--x' from {t}").normal() == "select '--x' from {t}"
    assert parse("select 1--x\n+2").normal() == "select 1 +2"


def test_what_counts_is_parsed_to_itself():
    text = "select {a}, {b:id}, {{'k': 1}}, '{{z}}' from t -- end"
    normal = parse(text).normal()
    assert parse(normal).names == parse(text).names
    assert composed(normal) == "select <a>, [b], {'k': 1}, '{z}' from t"


def test_statements_are_split_at_semicolons_of_code_and_keep_their_lines():
    found = parse("create table a as select ';' ;\n-- ; \n\nselect {x}; ;").statements()
    assert [each.normal() for each in found] == ["create table a as select ';'", "select {x}"]
    assert [each.pieces[-1].line for each in found] == [1, 4]


def test_a_list_that_stands_alone_in_brackets_is_known():
    seen = []
    parse("a in ({x}) and b not in ( {x} ) and c in (1, {x}) and f({x})").compose(
        lambda s: seen.append(s[3:]) or "", str
    )
    assert seen == [(True, False), (True, True), (False, False), (False, False)]


def test_an_answer_with_a_space_takes_the_place_of_the_operator():
    text = parse("b not /* x */ in ({x}) or a in ({x})").compose(
        lambda s: " <> all(?)" if s.is_negated else " = any(?)", str
    )
    assert " ".join(text.split()) == "b /* x */ <> all(?) or a = any(?)"


def test_identifiers_are_quoted_and_impossible_ones_refused():
    assert quoted('a"; drop table b; --') == '"a""; drop table b; --"'
    for wrong in ("", "a\0b"):
        with pytest.raises(ValueError, match="identifier"):
            quoted(wrong)
