"""Where artifacts and records live: a folder with a SQLite database and a file for each large blob.

Importing this package does nothing (workers take `stepwell.stores.blobs` alone, without SQLite).
How an application uses a store:

    from stepwell.stores.local import open_store

    with open_store(root / ".stepwell") as store:     # readonly=True for commands that only look
        store.prefetch("delays")                      # results of the last run, in one query: optional, fast
        plan = decide(graph, Known(identities, pins, store.results), wanted)
        store.commit(now=True)                        # what planning cached (store.memo), nothing else
        record = store.begin(plan, started=clock.now(), commit="9f3c1e…", dirty=False)
        for identity in identities:
            store.results.add_identity(identity, sources)     # what `why` explains codes with
        for event in drive(plan, engine=engine, store=store.results, clock=clock, run=record.run):
            record.add(event)                         # RunFinished ends the record and gives up all leases

`drive` calls `store.results.commit()`, which writes everything that any part has buffered, results and
records alike, in one transaction. If the loop above is left early, call `record.abandon()`.

    store.results   kernel.ports.Store (and so Past), plus `definition`, `add_identity`
    store.runs      what the commands read: runs, steps, logs, points, expected durations, completions
    store.memo      small caches: `get`, `get_many`, `put`
    store.blobs     files under their digests, also made in workers: `Blobs(folder)`
    store.notes     things a person should be told once

Read on: `blobs` (files), `durable` (syncing), `schema` (tables), `database` (one connection, one transaction), `results`,
`leases`, `record`, `history`, `memo`, `verify`. Format and trade-offs: `docs/internals/store.md`.
"""
