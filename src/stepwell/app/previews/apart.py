"""Formats that are compressed, read in a process of their own: few bytes of them can ask for any amount of memory.

The process may have two gigabytes and ten seconds, holds no socket and nothing of the project's, and gives a preview
as JSON. What goes wrong with it, a crash of a library included, is `none` with what happened.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from stepwell.app.previews.held import Held, nothing

MEMORY = 2 << 30
SECONDS = 10

READ = 100_000_000
"""Cells of a compressed table that are unpacked at most, BYTES as many bytes as the file says that these take."""
BYTES = 256 << 20


def compressed(held: Held, form: str, rows: int, offset: int) -> dict[str, Any]:
    """The preview of a table that is a file: Parquet, or Arrow as others write it."""
    path = held.blobs.path(held.artifact.digest)
    asked = json.dumps([form, str(path), rows, offset])
    # Its own path to the modules, without the project's folder: a file there could be named like a library.
    home = Path(__file__).resolve().parents[3]
    libraries = [one for one in sys.path if "site-packages" in one or "dist-packages" in one]
    keep = [str(home), *libraries]
    start = f"import sys; sys.path[:0] = {keep!r}; from stepwell.app.previews.apart import main; main()"
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-c", start], input=asked.encode(), capture_output=True, timeout=2 * SECONDS,
            check=False, cwd="/", env={name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ},
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return nothing("it takes too long to be read")
    if done.returncode or not done.stdout:
        told = done.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2]
        return nothing(
            f"it cannot be read with {MEMORY >> 30} GB of memory in {SECONDS} seconds: {told}"[:300]
        )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def main() -> None:
    """In the process of its own: read what is asked on stdin, print the preview."""
    import resource

    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS + 1))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    sys.modules["pandas"] = None  # type: ignore[assignment]  # Arrow would import it, for nothing that is asked here
    form, path, rows, offset = json.load(sys.stdin)
    try:
        found = {"parquet": _parquet, "arrow": _arrow}[form](path, rows, offset)
    except MemoryError:
        found = nothing(f"it needs more than {MEMORY >> 30} GB of memory to be read")
    except Exception as error:  # noqa: BLE001  libraries are given bytes that may be anything
        found = nothing(f"it cannot be read: {type(error).__name__}: {error}"[:300])
    json.dump(found, sys.stdout, allow_nan=False)


def _parquet(path: str, rows: int, offset: int) -> dict[str, Any]:
    """Row groups from the beginning up to the rows that are asked for, as far as BYTES go."""
    import pyarrow.parquet as pq

    file = pq.ParquetFile(
        path, memory_map=True, thrift_string_size_limit=BYTES, thrift_container_size_limit=1 << 20
    )
    total, count = file.metadata.num_rows, file.metadata.num_columns
    most = max(min(100_000, READ // max(count, 1)), 1)
    batches, held, weight = [], 0, 0
    for batch in file.iter_batches(batch_size=8192, use_threads=False):
        batches.append(batch)
        held += batch.num_rows
        weight += batch.nbytes
        if weight > BYTES or held >= max(most, offset + rows):
            break
    return _shown(batches, file.schema_arrow, rows, offset, total)


def _arrow(path: str, rows: int, offset: int) -> dict[str, Any]:
    import pyarrow as pa

    batches, held, weight, total = [], 0, 0, -1
    with pa.memory_map(path) as file, pa.ipc.open_file(file) as reader:
        for i in range(reader.num_record_batches):
            batches.append(reader.get_batch(i))
            batches[-1].validate(full=True)
            held += batches[-1].num_rows
            weight += batches[-1].nbytes
            if weight > BYTES or held >= max(100_000, offset + rows):
                whole = i + 1 == reader.num_record_batches
                total = held if whole else held * reader.num_record_batches // (i + 1)
                break
        return _shown(batches, reader.schema, rows, offset, max(total, held))


def _shown(batches: list[Any], schema: Any, rows: int, offset: int, total: int) -> dict[str, Any]:
    import pyarrow as pa

    from stepwell.app.previews.tables import rows_shown

    table = pa.Table.from_batches(batches, schema).combine_chunks()
    found = table.to_batches()
    batch = found[0] if found else pa.RecordBatch.from_pylist([], schema)
    return rows_shown(batch, [[]] * batch.num_columns, rows, offset, total=total, lone=total)
