"""Hooks: what a command and a real server are told of a run, and where nobody is told anything."""

from __future__ import annotations

import json
import os
import socket
import ssl
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from stepwell.app.hooks import Facts, tell
from stepwell.author.hooks import Command, Hooks, Webhook, checked, hooks_of
from stepwell.errors import BadHook
from stepwell.sources import servers
from stepwell.sources.servers import Host, NoAnswer, NotPublic, ask, guarded, is_public

FACTS = Facts(
    "r7",
    "delays",
    "failed",
    2.5,
    (("train", "E401", "step `train` raised KeyError: 'x'"), ("score[2]", "E413", "too slow")),
    "stepwell run pipeline.py:delays depth=8",
)
PEM = Path(__file__).parents[1] / "sources" / "localhost.pem"


class Listener:
    """A web server that notes what it is sent, and answers as it is told."""

    def __init__(
        self, status: int = 200, headers: dict[str, str] | None = None, *, tls: bool = False
    ) -> None:
        self.heard: list[tuple[str, dict[str, str], dict[str, object]]] = []
        listener = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                listener.heard.append((self.path, dict(self.headers), json.loads(body)))
                self.send_response(status)
                for name, value in (headers or {}).items():
                    self.send_header(name, value)
                self.end_headers()

            def log_message(self, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(PEM)
            context.sni_callback = lambda _, name, __: self.names.append(name)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.names: list[str | None] = []
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def __enter__(self) -> Listener:
        return self

    def __exit__(self, *exc: object) -> None:
        self.server.shutdown()
        self.server.server_close()


def told(hook: Command | Webhook, root: Path, *allowed: Host) -> list[str]:
    return list(tell(Hooks(failure=(hook,), allowed=frozenset(allowed)), FACTS, root))


# ------------------------------------------------------------------ commands


def test_a_command_is_told_by_input_and_by_variables(tmp_path):
    script = tmp_path / "tell.sh"
    script.write_text('#!/bin/sh\ncat > got.json\nenv | grep ^STEPWELL_ > got.env\nprintf "%s" "$1" > word\n')
    script.chmod(0o755)
    assert told(Command(("./tell.sh", "a b$(touch hacked);x")), tmp_path) == []
    assert json.loads((tmp_path / "got.json").read_text()) == {
        "format": "stepwell run 1",
        "run": "r7",
        "pipeline": "delays",
        "status": "failed",
        "seconds": 2.5,
        "failed": [
            {"step": "train", "code": "E401", "what": "step `train` raised KeyError: 'x'"},
            {"step": "score[2]", "code": "E413", "what": "too slow"},
        ],
        "resume": "stepwell run pipeline.py:delays depth=8",
    }
    variables = (tmp_path / "got.env").read_text()
    assert "STEPWELL_RUN=r7\n" in variables
    assert "STEPWELL_STATUS=failed\n" in variables
    assert (tmp_path / "word").read_text() == "a b$(touch hacked);x"
    assert not (tmp_path / "hacked").exists()


@pytest.mark.parametrize(
    ("words", "note"),
    [
        (("false",), "hook `false`: exit code 1"),
        (("no-such-program",), "hook `no-such-program`: No such file or directory"),
        (("true",), None),
        (("sh", "-c", "kill -9 $$"), "hook `sh`: exit code -9"),
    ],
)
def test_what_fails_is_a_note(words, note, tmp_path):
    assert told(Command(words), tmp_path) == ([note] if note else [])


def test_a_command_ends_with_its_time_and_all_that_it_started(tmp_path):
    begun = time.monotonic()
    slow = Command(("sh", "-c", "sleep 60 & echo $! > pid; wait"), 0.5)
    assert told(slow, tmp_path) == ["hook `sh`: stopped after 0.5 s"]
    assert time.monotonic() - begun < 30
    pid = int((tmp_path / "pid").read_text())
    for _ in range(100):  # it is reaped by whoever reaps orphans
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return
        if state == "Z":
            return
        time.sleep(0.02)
    pytest.fail(f"{pid} is {state}")


def test_each_status_has_its_hooks():
    one, two, three = (Command((name,)) for name in ("a", "b", "c"))
    hooks = Hooks((one,), (two,), (three,))
    assert hooks.after("succeeded") == (one, three)
    assert hooks.after("failed") == hooks.after("interrupted") == (two, three)


# ------------------------------------------------------------------ addresses


def test_an_address_is_told_over_https_under_its_own_name(tmp_path, monkeypatch):
    with Listener(tls=True) as server:
        hook = Webhook(f"https://localhost:{server.port}/hooks/T0KEN?x=1", 5)
        allowed = Host("localhost", server.port)
        (note,) = told(hook, tmp_path, allowed)
        assert "certificate is not trusted" in note
        assert "T0KEN" not in note
        monkeypatch.setenv("SSL_CERT_FILE", str(PEM))
        monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")  # is not asked
        assert told(hook, tmp_path, allowed) == []
        ((path, headers, body),) = server.heard
        assert path == "/hooks/T0KEN?x=1"
        assert headers["Host"] == f"localhost:{server.port}"
        assert headers["Content-Type"] == "application/json"
        assert set(server.names) == {"localhost"}
        assert body == FACTS.document()
        (note,) = told(hook, tmp_path, Host("other.example", server.port))
        assert "not an address of the public internet" in note
        assert len(server.heard) == 1


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_redirects_are_not_followed(status, tmp_path):
    with Listener() as inside, Listener(status, {"Location": f"http://localhost:{inside.port}/"}) as server:
        hook = Webhook(f"http://localhost:{server.port}/x", 5)
        allowed = (Host("localhost", server.port), Host("localhost", inside.port))
        (note,) = told(hook, tmp_path, *allowed)
        assert f"redirects ({status})" in note
        assert len(server.heard) == 1
        assert inside.heard == []


def test_what_a_server_answers_is_a_note(tmp_path):
    with Listener(500) as server:
        (note,) = told(Webhook(f"http://localhost:{server.port}/s3cret", 5), tmp_path, Host("localhost"))
    assert note == f"hook `http://localhost:{server.port}/…`: it answered 500"
    (note,) = told(Webhook(f"http://localhost:{server.port}/s3cret", 5), tmp_path, Host("localhost"))
    assert "refused" in note.lower()


def test_a_server_that_says_nothing_or_drips_has_its_time(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as quiet:
        port = quiet.getsockname()[1]

        def drip() -> None:
            connection, _ = quiet.accept()
            with connection:
                try:
                    for _ in range(400):
                        connection.sendall(b"H")
                        time.sleep(0.05)
                except OSError:
                    return

        threading.Thread(target=drip, daemon=True).start()
        begun = time.monotonic()
        (note,) = told(Webhook(f"http://localhost:{port}/", 0.6), tmp_path, Host("localhost", port))
        assert note.endswith("no end after 0.6 s")
        assert time.monotonic() - begun < 10


INSIDE = """
    127.0.0.1 127.8.8.8 10.0.0.1 172.16.0.1 172.31.255.255 192.168.1.1 169.254.169.254 100.64.0.1 0.0.0.0 0.1.2.3
    224.0.0.1 255.255.255.255 240.0.0.1 192.0.2.1 198.18.0.1 198.51.100.7 203.0.113.9 192.0.0.8
    :: ::1 fe80::1 fe80::1%eth0 fc00::1 fd12:3456::1 ff02::1 ::ffff:127.0.0.1 ::ffff:8.8.8.8 ::127.0.0.1
    ::ffff:0:10.0.0.1 64:ff9b::a00:1 64:ff9b::808:808 64:ff9b:1::1 2002:7f00:1:: 2001:0:1:2:3:4:5:6 2001:db8::1
    fec0::1 100::1 nonsense
"""


def test_only_the_public_internet_is_public():
    assert [text for text in INSIDE.split() if is_public(text)] == []
    assert all(
        is_public(text) for text in ("8.8.8.8", "1.1.1.1", "172.32.0.1", "2606:4700::1111", "2a00:1450::1")
    )


def test_one_address_inside_spoils_a_name(monkeypatch):
    """A name may lead to a public and to an inner address at once; which one answers must not be chance."""
    asked: list[str] = []
    answers = [("93.184.216.34", 443), ("10.0.0.5", 443)]

    def lookup(host: str, port: int, **_: object) -> list[object]:
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", address) for address in answers]

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    with pytest.raises(NotPublic, match=r"10\.0\.0\.5"):
        guarded()("two.example", 443, 1.0)
    assert asked == ["two.example"]


def test_the_address_that_was_checked_is_connected_to(monkeypatch):
    """A name that means something else when it is looked up again (rebinding) gains nothing."""
    with Listener() as server:
        looked: list[str] = []

        def lookup(host: str, port: int, **_: object) -> list[object]:
            looked.append(host)
            if len(looked) > 1:
                pytest.fail("the name was looked up twice")
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

        monkeypatch.setattr(socket, "getaddrinfo", lookup)
        monkeypatch.setattr(servers, "is_public", lambda text: text == "127.0.0.1")
        from urllib.request import Request

        request = Request(f"http://elsewhere.example:{server.port}/", b"{}", method="POST")
        with ask(request, 5.0, guarded()) as response:
            assert response.status == 200
        assert looked == ["elsewhere.example"]
        assert server.heard[0][1]["Host"] == f"elsewhere.example:{server.port}"


def test_numbers_in_all_spellings_meet_the_same_guard():
    from urllib.request import Request

    for host in ("127.0.0.1", "127.1", "2130706433", "0x7f.1", "[::1]", "[::ffff:127.0.0.1]"):
        with pytest.raises(NoAnswer) as caught:
            ask(Request(f"http://{host}:9/", b"{}"), 2.0, guarded())
        assert caught.value.kind == "refused", host


# ------------------------------------------------------------------ as people write them


def hooks(tmp_path: Path, text: str, options: dict[str, object] | None = None, **words: list[str]) -> Hooks:
    (tmp_path / "stepwell.toml").write_text(text)
    return hooks_of(tmp_path, options or {}, **words)


def test_all_three_places_add_up(tmp_path, monkeypatch):
    monkeypatch.setenv("TEAM_HOOK", "https://chat.example/T/1")
    found = hooks(
        tmp_path,
        """
        [hooks]
        success = "notify-send 'all done'"
        failure = ["./tell.sh -q", ["mail", "a b"], {url = "$TEAM_HOOK", timeout = "1min"}, "http://in.example:8080/x"]
        always = {command = "logger x", timeout = 5}
        allow = ["in.example:8080", "Hooks.Internal"]
        """,
        {"on_success": ["true"], "on_failure": "https://pager.example/1"},
        failure=["sh -c 'echo $X'"],
    )
    assert found.success == (Command(("notify-send", "all done")), Command(("true",)))
    assert found.failure == (
        Command(("./tell.sh", "-q")),
        Command(("mail", "a b")),
        Webhook("https://chat.example/T/1", 60),
        Webhook("http://in.example:8080/x"),
        Webhook("https://pager.example/1"),
        Command(("sh", "-c", "echo $X")),
    )
    assert found.always == (Command(("logger", "x"), 5),)
    assert found.allowed == {Host("in.example", 8080), Host("hooks.internal")}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("succes = 'x'", "did you mean `success`?"),
        ("success = 3", "neither a command nor an address"),
        ("success = ''", "needs a program"),
        ('success = "echo \'x"', "cannot be split"),
        ("success = {url = 'https://a.example', command = 'x'}", "has a hook with command, url"),
        ("success = {url = 'ftp://a.example'}", "is none"),
        ("success = {command = 'x', timeout = 'soon'}", "timeout"),
        ("success = {command = 'x', timeout = 0}", "more than no time"),
        ("success = 'http://a.example/x'", "is not https"),
        ("success = 'https://user:pw@a.example/x'", "has a user in it"),
        ("success = 'https:///x'", "has no host"),
        ("success = 'https://a.example:99999/x'", "makes no sense"),
        ("success = 'https://localhost/x'", "not on the public internet"),
        ("success = 'https://169.254.169.254/latest'", "not on the public internet"),
        ("success = 'https://2130706433/'", "not on the public internet"),
        ("success = 'https://[::ffff:10.0.0.1]/'", "not on the public internet"),
        ("success = 'https://metadata.google.internal/'", "not on the public internet"),
        ("success = '$NOT_SET_ANYWHERE'", "the variable is not set"),
        ("allow = 'x'", "not a list of hosts"),
        ("allow = ['http://x']", "is no host"),
        ("allow = ['x:port']", "is no host"),
    ],
)
def test_what_cannot_be_a_hook_is_said_before_anything_runs(text, message, tmp_path):
    os.environ.pop("NOT_SET_ANYWHERE", None)
    with pytest.raises(BadHook) as caught:
        hooks(tmp_path, f"[hooks]\n{text}\n")
    assert message in str(caught.value)


def test_a_program_that_is_not_there_is_refused_where_somebody_typed_it(tmp_path):
    with pytest.raises(BadHook, match="no program `nosuch`"):
        hooks(tmp_path, "", success=["nosuch --x"])
    assert checked("nosuch --x", (), "x") == (Command(("nosuch", "--x")),)
