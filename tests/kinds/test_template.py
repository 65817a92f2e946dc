"""Command lines with placeholders: whatever a value is, the program gets it as one word, and the shell never reads it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from stepwell.errors import NotOneWord
from stepwell.worker.kinds import template
from stepwell.worker.kinds.command import compose
from stepwell.worker.kinds.template import BadTemplate, Hole

SHOW = f"{sys.executable} -ISc 'import os, sys; print(*(\"x\" + os.fsencode(word).hex() for word in sys.argv[1:]))'"
"""A program that writes the words that it is given, each in hexadecimal digits, on one line."""

HOSTILE = st.text(st.characters(exclude_characters="\0", exclude_categories=()), max_size=30).filter(
    lambda text: _can_be_named(text)
) | st.sampled_from(["", " ", "$(touch pwned)", "`touch pwned`", "'; touch pwned; '", '"; touch pwned; "', "-n", "*", "~", "a\nb", "\\", "$HOME", "{x}", "!!", "\udcff"])  # fmt: skip


def _can_be_named(text: str) -> bool:
    try:
        os.fsencode(text)
    except UnicodeEncodeError:
        return False
    return True


def executed(tmp_path: Path, text: str, shell: str, **values: object) -> list[list[bytes]]:
    """The words that a command hands to each of its programs."""
    flags = ["-euo", "pipefail"] if shell == "bash" else ["-eu"]
    spec = {"text": text, "shell": [shell, *flags], "outputs": {}}
    command = compose(spec, values, tmp_path, tmp_path / "base")
    done = subprocess.run(command.argv, cwd=command.cwd, capture_output=True, check=True)
    assert sorted(os.listdir(command.cwd)) == []
    return [
        [bytes.fromhex(word.removeprefix("x")) for word in line.split()]
        for line in done.stdout.decode().splitlines()
    ]


@pytest.mark.parametrize("shell", ["bash", "sh"])
@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=HOSTILE)
@example(value="x'y\"z $(touch pwned) `touch pwned`\n; touch pwned \\")
def test_a_value_is_one_word_wherever_it_stands(tmp_path, shell, value):
    text = f'{SHOW} {{v}} a{{v}}b "c{{v}}d" \'e{{v}}f\' --in={{v}} "$({SHOW} {{v}})"; {SHOW} {{v}}'
    word = os.fsencode(value)
    inner = b"x" + word.hex().encode()
    expected = [word, b"a" + word + b"b", b"c" + word + b"d", b"e" + word + b"f", b"--in=" + word, inner]
    assert executed(tmp_path, text, shell, v=value) == [expected, [word]]


@settings(deadline=None, max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(values=st.lists(HOSTILE, max_size=5))
def test_a_list_is_one_word_for_each_item(tmp_path, values):
    assert executed(tmp_path, f"{SHOW} begin {{v}} end", "bash", v=values) == [
        [b"begin", *map(os.fsencode, values), b"end"]
    ]
    assert executed(tmp_path, f"{SHOW} begin {{v}} end", "sh", v=values) == [
        [b"begin", *map(os.fsencode, values), b"end"]
    ]


@settings(deadline=None, max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=HOSTILE)
@example(value="END\nEND\n$(touch pwned)")
def test_a_value_in_a_here_document_is_what_it_is(tmp_path, value):
    text = f'{SHOW} "$(cat <<END\nbegin {{v}} $((1 + 1))\nEND\n)"'
    assert executed(tmp_path, text, "bash", v=value) == [[b"begin " + os.fsencode(value) + b" 2"]]


def test_arithmetic_takes_numbers_only(tmp_path):
    assert executed(tmp_path, f"{SHOW} $(( {{n}} + 1 ))", "bash", n=2) == [[b"3"]]
    with pytest.raises(NotOneWord, match="arithmetic"):
        executed(tmp_path, f"{SHOW} $(( {{n}} + 1 ))", "bash", n="a[$(touch pwned)]")


@pytest.mark.parametrize(
    "text",
    [
        "awk '{print $1}' f",
        "find . -exec ls {} +",
        "echo {1..3} {a,b}",
        "echo ${HOME} ${x:-{y}}",
        "if(a){b++}}",
        "echo \\{x}",
        "ls # {x}",
    ],
)
def test_braces_that_are_no_placeholders_stay(text):
    pieces = template.pieces(text)
    assert not list(template.holes(pieces))
    assert "".join(map(str, pieces)) == text


def test_doubled_braces_are_single_ones():
    assert template.pieces("awk '{{print}}' {t}") == ["awk '{print}' ", Hole("t", "", "bare", whole=True)]


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("awk '{print $1}' <t>", "awk '{print $1}' {t}"),
        ("awk '{print}' <t>", "awk '{{print}}' {t}"),
        ("echo '${x}' ${x} \"${x}\" {x} <x>", "echo '${{x}}' ${x} \"${x}\" {{x}} {x}"),
        ("echo {<x>} {{x}} '{<x>:raw}' # <x> {", "echo {{{x}}} {{{{x}}}} '{{{x}:raw}}' # {x} {{"),
        ("cat <<END\n{ <x>\nEND\necho {y}", "cat <<END\n{ {x}\nEND\necho {{y}}"),
    ],
)
def test_a_text_with_marks_is_written_with_braces(text, written):
    marked = text.replace("<x>", template.mark("x")).replace("<t>", template.mark("t"))
    assert template.unmarked(marked) == written
    assert template.pieces(written) == template.of_marked(marked)


@pytest.mark.parametrize(
    "text", ["echo $<x>", "echo ${y:-<x>}", "echo \\<x>", "echo `<x>`", "echo '<x>", "cat <<END\n{y}\nEND"]
)
def test_where_no_placeholder_can_stand_no_mark_can(text):
    with pytest.raises(BadTemplate):
        template.unmarked(text.replace("<x>", template.mark("x")))


@given(
    st.text(st.sampled_from("ax {}$'\"\\`#(\n<:"), max_size=12),
    st.text(st.sampled_from("ax {}$'\"\\"), max_size=6),
)
def test_what_is_written_is_read_as_it_was_meant(before, after):
    text = before + template.mark("x") + after
    try:
        written = template.unmarked(text)
    except BadTemplate:
        return
    assert template.pieces(written) == template.of_marked(text)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("awk '{{print}} {y' {t}", "single `{`"),
        ("echo `ls {x}`", r"\$\("),
        ("echo $'{x}'", "stands in"),
        ("echo 'a", "not closed"),
        ("cat <<'END'\n{x}\nEND", "here-document"),
        ("echo {x:xml}", "format `xml`"),
        ("echo {x!r}", "quoted always"),
    ],
)
def test_what_makes_no_sense_is_refused(text, told):
    with pytest.raises(BadTemplate) as error:
        template.pieces(text)
    assert re.search(told, f"{error.value} {error.value.fix}")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("bwa mem {ref} | samtools sort -o {out} -", ["bwa", "samtools"]),
        ("if grep -q x f; then FOO=1 foo; else ! bar; fi && (baz)", ["grep", "foo", "bar", "baz"]),
        ("for x in a b; do run $x; done", ["run"]),
        ("f() { echo; }\nf", []),
        ("cd /x; export A=1; $TOOL y; {tool:raw} z", []),
        ("sort a > b 2> c", ["sort"]),
        ("cat <<END\nnotaprogram here\nEND\nwc", ["cat", "wc"]),
        ("case x in a) foo;; esac", []),
    ],
)
def test_the_programs_that_a_text_calls(text, found):
    assert template.programs(text) == found


def test_the_variables_that_a_text_takes():
    assert template.variables("echo $A ${B:-1} '$C' $HOME; D=1; echo $D; for e in x; do echo $e; done") == [
        "A",
        "B",
    ]
