"""Long texts that several runs share, kept once: a graph's nodes, what an unchanged run reused. Alone, and light."""

from __future__ import annotations

import sqlite3

from stepwell.kernel.identity import digest


def put_text(connection: sqlite3.Connection, text: str) -> str:
    """Keep a text, inside a transaction; its digest."""
    name = digest(text)
    connection.execute("INSERT OR IGNORE INTO texts (digest, text) VALUES (?, ?)", (name, text))
    return name
