"""Secrets: objects that say where a value is, text without the values, and streams that are written in pieces."""

from __future__ import annotations

import copy
import json
import os
import pickle
import subprocess
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path

import pytest

from stepwell import Secret, pipeline
from stepwell.app.values import plain
from stepwell.errors import BadSecret, SecretGone, SecretInTheOpen, SecretRevealed
from stepwell.kernel.identity import token
from stepwell.worker import secrets
from stepwell.worker.masking import Sieve
from stepwell.worker.secrets import Forms, at, forms_of, inside, mentions_secret, sealed

VALUE = 'tøken/+"7&f3a9'


@pytest.fixture
def known(monkeypatch):
    """A process that knows one secret."""
    monkeypatch.setenv("A_TOKEN", VALUE)
    monkeypatch.setattr(secrets, "forms", Forms())
    assert Secret("A_TOKEN").reveal() == VALUE
    return secrets.forms


def test_nothing_but_reveal_shows_the_value(known):
    secret = Secret("A_TOKEN")
    shown = [repr(secret), str(secret), f"{secret:>40}", f"{secret!r}", repr(vars(secret)), token(secret)]
    shown += [
        repr(copy.copy(secret)),
        repr(copy.deepcopy([secret])),
        plain(secret),
        repr(pickle.dumps(secret)),
    ]
    assert not [one for one in shown if known.found_in(one.encode())]
    assert pickle.loads(pickle.dumps(secret)) == secret
    for refused in (lambda: json.dumps(secret), lambda: list(secret)):
        with pytest.raises(TypeError):
            refused()
    assert secret.value == VALUE
    assert "A_TOKEN" in token(secret)
    assert token(secret) != token(Secret("OTHER"))


def test_places(tmp_path, monkeypatch):
    file = tmp_path / "x"
    file.write_bytes(b"abcdef\r\n")
    assert Secret.file(file).reveal() == "abcdef"
    file.write_bytes(b"line one\nline two\n")
    assert Secret.file(file).reveal() == "line one\nline two"
    for content in (b"", b"\n", b"\xff\xfe\xff", b"abc"):
        file.write_bytes(content)
        with pytest.raises(SecretGone):
            Secret.file(file).reveal()
    monkeypatch.delenv("NO_TOKEN", raising=False)
    with pytest.raises(SecretGone, match="not set"):
        Secret("NO_TOKEN").reveal()


@pytest.mark.parametrize("name", ["", "has space", "a-b", "1a", "ghp_x/y", "a=b"])
def test_what_is_no_name_is_refused_and_not_repeated(name):
    with pytest.raises(BadSecret) as caught:
        Secret(name)
    assert not name or name not in str(caught.value)
    with pytest.raises(SecretInTheOpen):
        at(f"env:{name}")


def test_secrets_are_not_revealed_while_a_pipeline_is_traced(monkeypatch):
    monkeypatch.setenv("A_TOKEN", VALUE)

    @pipeline
    def main(secret: Secret = Secret("A_TOKEN")) -> None:
        secret.reveal()

    from stepwell.author.trace import trace

    with pytest.raises(SecretRevealed, match="the body of the pipeline `main`") as caught:
        trace(main, {})
    assert "test_secrets.py" in caught.value.where
    with sealed("x"), pytest.raises(SecretRevealed):
        Secret("A_TOKEN").reveal()
    assert Secret("A_TOKEN").reveal() == VALUE


@dataclass
class Login:
    token: Secret | None = None


@pytest.mark.parametrize(
    ("kind", "mentions"),
    [
        (Secret, True),
        (Secret | None, True),
        (list[Secret], True),
        (Login, True),
        (dict[str, Login], True),
        (str, False),
    ],
)
def test_types_that_have_a_secret_in_them(kind, mentions):
    assert mentions_secret(kind) is mentions


def test_secrets_inside_of_values():
    one, two = Secret("A_TOKEN"), Secret("B_TOKEN")
    assert set(inside({"a": [one, (1, Login(two))], "b": "text"})) == {one, two}


def test_text_without_them(known):
    for form in forms_of(VALUE):
        text = form.decode()
        assert text not in known.masked(f"a {text} b"), text
    assert known.masked(f"<{VALUE}>") == "<***>"
    assert known.masked("nothing of it") == "nothing of it"
    assert Forms().masked(VALUE) == VALUE


def test_several_lines_are_masked_line_by_line():
    known = Forms()
    known.learn("-----BEGIN KEY-----\nMIIEvQIBADANBg\nkqhkiG9w0BAQEF\n-----END KEY-----")
    assert known.masked("log: MIIEvQIBADANBg\nlog: kqhkiG9w0BAQEF") == "log: ***\nlog: ***"


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_a_stream_in_pieces(size, known):
    end = os.urandom(16)
    stream = f"a{VALUE}b{VALUE[:5]}".encode() + end + f"{VALUE[5:]} {VALUE}{VALUE}".encode() + end + b"rest"
    sieve, out, ends = Sieve(known.texts, end), b"", 0
    for at_ in range(0, len(stream), size):
        text, found = sieve.feed(stream[at_ : at_ + size])
        out, ends = out + text, ends + found
    out += sieve.rest()
    expected = f"a***b{VALUE[:5]}".encode() + end + f"{VALUE[5:]} ******".encode() + end + b"rest"
    assert (out, ends) == (expected, 2)


def test_what_is_surely_none_is_not_held_back(known):
    sieve = Sieve(known.texts)
    assert sieve.feed(b"working 3 of 9\n") == (b"working 3 of 9\n", 0)


@pytest.mark.parametrize(
    "value",
    [
        VALUE,
        f"x{VALUE}",
        VALUE.encode(),
        [VALUE],
        {"a": {VALUE: 1}},
        {VALUE},
        ("a", Path(VALUE)),
        VALUE.encode().hex(),
    ],
)
def test_results_with_a_secret_are_seen(value, known):
    assert "secret" in secrets.returned(value, ())
    assert not secrets.returned([Secret("A_TOKEN"), "other", 1.5, None], ())


def test_a_file_with_a_secret_is_seen(known, tmp_path):
    (tmp_path / "x").write_text(f"token = {VALUE}", "utf-8")
    (tmp_path / "y").write_text("token = none", "utf-8")
    assert "file" in secrets.returned(tmp_path / "x", ())
    assert not secrets.returned(tmp_path / "y", ())


def test_a_process_without_secrets_masks_nothing_and_loads_nothing():
    program = """
        import sys, stepwell.worker.serve, stepwell.worker.execute
        from stepwell.worker import secrets
        secrets.prepare({"a": 1})
        print(bool(secrets.forms), "html" in sys.modules, "stepwell.worker.masking" in sys.modules)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["False", "False", "False"]
