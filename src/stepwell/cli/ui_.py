"""`stepwell ui`: the page that shows runs, steps, data and releases, in a browser."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from importlib import import_module
from typing import Any

from stepwell.cli.looking import project_root, stored
from stepwell.cli.text import clean, paint, print_json

EXAMPLES = """examples:
  stepwell ui                     print the address of the page, and open it where there is a display
  stepwell ui --port 8800         the same port each time
  stepwell ui --no-open           from a terminal on another machine: ssh -L 8800:127.0.0.1:8800 MACHINE"""


def arguments(parser: ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument("--port", type=_port, default=0, metavar="N", help="the port (else any that is free)")
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        metavar="HOST",
        help="where to listen (127.0.0.1: only this machine can reach it)",
    )
    parser.add_argument("--no-open", action="store_true", help="only print the address")


def run(options: Namespace) -> int:
    """Serve until Ctrl-C."""
    root = project_root()
    with stored(
        root, looking=True, create=False
    ) as store:  # one of an earlier Stepwell is brought up to date
        folder, notes = store.folder, list(store.notes)
    for note in notes:
        print(f"note: {clean(note)}", file=sys.stderr)
    serving: Any = import_module("stepwell.ui.serving")  # beside this layer: neither knows the other
    wanted = serving.Wanted(options.host, options.port)
    try:
        serving.serve(root, folder, wanted, lambda gate: _tell(gate, options, serving))
    except KeyboardInterrupt:
        if not options.json:
            print("stopped", file=sys.stderr)
    return 0


def _tell(gate: Any, options: Namespace, serving: Any) -> None:
    """Print where the page is, and open it for a person."""
    address = f"{gate.address}?t={gate.token}"
    if options.json:
        print_json({"address": address, "host": gate.host, "port": gate.port})
        sys.stdout.flush()
        return
    print(address, flush=True)
    if not gate.local:
        print(
            f"note: `{clean(gate.host)}` can be reached from other machines; whoever has this address can read"
            " everything in the store, and it is not encrypted",
            file=sys.stderr,
        )
    person = sys.stdout.isatty()
    if person and not options.no_open:
        serving.open_browser(gate)
    if person:
        print(paint("Ctrl-C ends it", "dim"), file=sys.stderr)


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 6 and int(text) < 65536):
        raise ArgumentTypeError(f"`{text[:40]}` is no port: 0 to 65535")
    return int(text)
