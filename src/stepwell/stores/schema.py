"""The tables, as numbered migrations: the database's `user_version` counts those it has had.

A migration is never changed once released; a new one is added at the end. Texts of several items
(inputs, outputs) are lines, see `rows`. Indexes of digests hold only the first digits: that finds the
row as well, and halves their pages; they are written late, see `index`.
"""

from __future__ import annotations

APPLICATION = 0x53574C4C
"""SQLite's `application_id` of a store: the letters SWLL."""

MIGRATIONS: tuple[str, ...] = (
    """
    -- What was given out so far: the last number of a result, a run, a driver.
    CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
    INSERT INTO counters VALUES ('result', 0), ('run', 0), ('driver', 0);

    -- What the results of one version of a step share. `variables`: lines `name=token`.
    CREATE TABLE identities (
        id INTEGER PRIMARY KEY, step TEXT NOT NULL, code TEXT NOT NULL, environment TEXT NOT NULL,
        variables TEXT NOT NULL, UNIQUE (step, code, environment, variables));

    -- What a step gave. Never changed; of several with one key the newest (largest seq) counts.
    CREATE TABLE results (
        seq INTEGER PRIMARY KEY, identity INTEGER NOT NULL, key TEXT NOT NULL, site TEXT NOT NULL,
        inputs TEXT NOT NULL, outputs TEXT NOT NULL, run TEXT NOT NULL,
        seconds REAL NOT NULL, cpu REAL NOT NULL, memory INTEGER NOT NULL, metrics TEXT NOT NULL);
    CREATE INDEX results_by_key ON results (substr(key, 1, 12));
    CREATE INDEX results_by_site ON results (substr(site, 1, 12));
    CREATE INDEX results_by_identity ON results (identity);

    -- Blobs of at most 64 KiB. Larger ones are files.
    CREATE TABLE blobs (digest TEXT NOT NULL, data BLOB NOT NULL);
    CREATE UNIQUE INDEX blobs_by_digest ON blobs (substr(digest, 1, 27));

    -- Blobs that were found missing or damaged, until somebody makes them again.
    CREATE TABLE gone (digest TEXT PRIMARY KEY, why TEXT NOT NULL) WITHOUT ROWID;

    -- What a code digest (definition -> its digest) or an environment digest (distribution -> version)
    -- was made of, as JSON; and the source text of each definition.
    CREATE TABLE parts (digest TEXT PRIMARY KEY, parts TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE definitions (
        digest TEXT PRIMARY KEY, name TEXT NOT NULL, source TEXT NOT NULL, file TEXT NOT NULL,
        line INTEGER NOT NULL);

    -- Long texts that many runs share (the ids of a graph, what an unchanged run reused), by digest.
    CREATE TABLE texts (digest TEXT PRIMARY KEY, text TEXT NOT NULL);

    -- One row a run; `rN` is the run with id N. `status` is 'running' until its driver ends it.
    CREATE TABLE runs (
        id INTEGER PRIMARY KEY, pipeline TEXT NOT NULL, status TEXT NOT NULL, started REAL NOT NULL,
        seconds REAL, params TEXT NOT NULL, metrics TEXT, "commit" TEXT NOT NULL, dirty INTEGER NOT NULL,
        argv TEXT NOT NULL, driver INTEGER NOT NULL, nodes TEXT NOT NULL, skipped TEXT NOT NULL,
        counts TEXT);
    CREATE INDEX runs_by_pipeline ON runs (pipeline);

    -- Steps that a run executed with success, as many a row as one commit had. JSON: {"reasons":
    -- [reasons, ...], "steps": [node, seq of its result, index into reasons, notes, node, ...]}.
    CREATE TABLE made (
        run INTEGER NOT NULL, part INTEGER NOT NULL, text TEXT NOT NULL, PRIMARY KEY (run, part)) WITHOUT ROWID;

    -- Steps that a run reused, packed: a JSON list node, seq, node, seq, ... in `texts`.
    CREATE TABLE reused (
        run INTEGER NOT NULL, part INTEGER NOT NULL, text TEXT NOT NULL, PRIMARY KEY (run, part)) WITHOUT ROWID;

    -- Steps that failed, were blocked or interrupted. `inputs`: lines `name=token`; `reasons`, `error` (code, what,
    -- why, fixes, docs, traceback): JSON.
    CREATE TABLE stopped (
        run INTEGER NOT NULL, node INTEGER NOT NULL, status TEXT NOT NULL, verb TEXT NOT NULL,
        reasons TEXT NOT NULL, key TEXT, inputs TEXT NOT NULL, seconds REAL, cpu REAL, memory INTEGER,
        error TEXT, PRIMARY KEY (run, node)) WITHOUT ROWID;

    CREATE TABLE logs (
        run INTEGER NOT NULL, node INTEGER NOT NULL, seq INTEGER NOT NULL, time REAL NOT NULL,
        stream TEXT NOT NULL, text TEXT NOT NULL, PRIMARY KEY (run, node, seq)) WITHOUT ROWID;

    -- Numbers recorded with `log.metric`. NULL is NaN, which SQLite does not have. Now they are in `curves`.
    CREATE TABLE points (
        run INTEGER NOT NULL, node INTEGER NOT NULL, seq INTEGER NOT NULL, time REAL NOT NULL,
        name TEXT NOT NULL, value REAL, step INTEGER, PRIMARY KEY (run, node, seq)) WITHOUT ROWID;

    -- Runs that are being driven now, and the keys that they compute.
    CREATE TABLE drivers (
        id INTEGER PRIMARY KEY, run INTEGER NOT NULL, host TEXT NOT NULL, boot TEXT NOT NULL,
        pid INTEGER NOT NULL, born TEXT NOT NULL, beat INTEGER NOT NULL);
    CREATE TABLE leases (key TEXT PRIMARY KEY, driver INTEGER NOT NULL) WITHOUT ROWID;

    -- Caches. Losing them costs time only.
    CREATE TABLE memo (kind TEXT NOT NULL, key TEXT NOT NULL, value BLOB NOT NULL, PRIMARY KEY (kind, key));
    """,
    """
    -- What a step was seen to rest on beyond its key (as outputs and inputs are packed), and when it was made.
    ALTER TABLE results ADD COLUMN observed TEXT NOT NULL DEFAULT '';
    ALTER TABLE results ADD COLUMN made REAL NOT NULL DEFAULT 0;

    -- What a judge refused, packed as outputs are.
    ALTER TABLE stopped ADD COLUMN refused TEXT NOT NULL DEFAULT '';

    -- Edits of which somebody said that they do not change results: the code `after` counts as `before`.
    -- The newest row of a step and `after` counts; one with `before` = `after` takes the word back.
    CREATE TABLE accepted (
        id INTEGER PRIMARY KEY, step TEXT NOT NULL, before TEXT NOT NULL, after TEXT NOT NULL,
        who TEXT NOT NULL, time REAL NOT NULL, why TEXT NOT NULL);
    """,
    """
    -- What `gc` took away, a row each time. `runs`: their numbers as JSON, also when it was `emptied`. The rows
    -- themselves are in tables `trash_...`, made when first needed, and the files in the folder `trash/`.
    CREATE TABLE trash (
        batch INTEGER PRIMARY KEY, time REAL NOT NULL, runs TEXT NOT NULL, results INTEGER NOT NULL,
        blobs INTEGER NOT NULL, bytes INTEGER NOT NULL, emptied INTEGER NOT NULL DEFAULT 0);
    CREATE TABLE trash_files (
        batch INTEGER NOT NULL, digest TEXT NOT NULL, size INTEGER NOT NULL, PRIMARY KEY (batch, digest)) WITHOUT ROWID;

    -- How often something was taken away: who knew something before has to ask again.
    INSERT INTO counters VALUES ('gc', 0);
    """,
    """
    -- Of a step that failed: what is told of the attempts before, as JSON.
    ALTER TABLE stopped ADD COLUMN notes TEXT NOT NULL DEFAULT '[]';
    """,
    """
    -- Runs that are points of one sweep share the number of a group (`gN`). `point`: the values that vary, as JSON.
    ALTER TABLE runs ADD COLUMN "group" INTEGER;
    ALTER TABLE runs ADD COLUMN point TEXT;
    CREATE INDEX runs_by_group ON runs ("group") WHERE "group" IS NOT NULL;
    INSERT INTO counters VALUES ('group', 0);
    """,
    """
    -- Where each parameter of a run came from, as JSON: {name: {"layer": ..., "where": ...}}.
    ALTER TABLE runs ADD COLUMN origins TEXT NOT NULL DEFAULT '{}';
    """,
    """
    -- Entries of indexes that are written late (`index`): `row` is the number of a row that may have the name, whose
    -- first characters they hold. Rows up to the one in `settled` have their entries.
    DROP INDEX results_by_key;
    DROP INDEX results_by_site;
    DROP INDEX blobs_by_digest;
    CREATE TABLE results_by_key (name TEXT NOT NULL, row INTEGER NOT NULL, PRIMARY KEY (name, row)) WITHOUT ROWID;
    CREATE TABLE results_by_site (name TEXT NOT NULL, row INTEGER NOT NULL, PRIMARY KEY (name, row)) WITHOUT ROWID;
    CREATE TABLE blobs_by_digest (name TEXT NOT NULL, row INTEGER NOT NULL, PRIMARY KEY (name, row)) WITHOUT ROWID;
    CREATE TABLE settled (rows_of TEXT PRIMARY KEY, row INTEGER NOT NULL) WITHOUT ROWID;

    -- A blob has a number of its own now; of several rows with one digest the newest counts.
    ALTER TABLE blobs RENAME TO blobs_before;
    CREATE TABLE blobs (id INTEGER PRIMARY KEY, digest TEXT NOT NULL, data BLOB NOT NULL);
    INSERT INTO blobs (id, digest, data) SELECT rowid, digest, data FROM blobs_before;
    DROP TABLE blobs_before;
    INSERT INTO counters VALUES ('blob', (SELECT coalesce(max(id), 0) FROM blobs));
    INSERT INTO results_by_key SELECT substr(key, 1, 12), seq FROM results ORDER BY 1, 2;
    INSERT INTO results_by_site SELECT substr(site, 1, 12), seq FROM results ORDER BY 1, 2;
    INSERT INTO blobs_by_digest SELECT substr(digest, 1, 27), id FROM blobs ORDER BY 1, 2;
    INSERT INTO settled VALUES ('results', (SELECT coalesce(max(seq), 0) FROM results));
    INSERT INTO settled VALUES ('blobs', (SELECT coalesce(max(id), 0) FROM blobs));
    """,
    """
    -- What a run is linked to: digests in `texts`, "" where nothing was kept. `wiring`: JSON {"edges": [[nodes that a
    -- node waits for], ...], "reads": [[sources that it reads], ...], "sources": [[name, address, digest, size], ...],
    -- "specs": [[what a step is, [nodes that call it]], ...]}; `about`: JSON {"python": ..., "platform": ..., "file": ...,
    -- "pylock": ...}; `diff`: what the tree had beyond its commit.
    ALTER TABLE runs ADD COLUMN wiring TEXT NOT NULL DEFAULT '';
    ALTER TABLE runs ADD COLUMN about TEXT NOT NULL DEFAULT '';
    ALTER TABLE runs ADD COLUMN diff TEXT NOT NULL DEFAULT '';

    -- When the steps began that run, or ended without a result: JSON [[node, seconds since 1970], ...].
    ALTER TABLE runs ADD COLUMN begun TEXT NOT NULL DEFAULT '[]';

    -- What the run's steps tagged it with, as a JSON list of texts, those of reused results too; NULL until it ends.
    ALTER TABLE runs ADD COLUMN tags TEXT;
    UPDATE runs SET tags = '[]' WHERE metrics IS NOT NULL;

    -- The executions of steps that recorded anything. `id` is the number of the run times 2^24 plus that of the node;
    -- `result` the number of the result that was made, NULL while the step runs, and where it failed. What was recorded
    -- stays as long as that result, and goes with the run where there is none.
    CREATE TABLE recordings (id INTEGER PRIMARY KEY, result INTEGER);
    CREATE INDEX recordings_by_result ON recordings (result) WHERE result IS NOT NULL;

    -- Numbers of `log.metric`. Part -1 of a name says how many have a place in a series, and the last one of all (NULL
    -- is NaN); the parts from 0 on are those in a series, packed by `curves`, thousands in a row.
    CREATE TABLE curves (
        recording INTEGER NOT NULL, name TEXT NOT NULL, part INTEGER NOT NULL, count INTEGER NOT NULL, last REAL,
        data BLOB, PRIMARY KEY (recording, name, part));

    -- Figures, tables, texts, cards, tags, what roles found, how far a step is. `artifact`: as outputs are packed, ""
    -- where `text` has all; one thing of a kind, name and place (`step`) each.
    CREATE TABLE recorded (
        recording INTEGER NOT NULL, seq INTEGER NOT NULL, kind TEXT NOT NULL, name TEXT NOT NULL, step INTEGER,
        time REAL NOT NULL, artifact TEXT NOT NULL, text TEXT NOT NULL, PRIMARY KEY (recording, seq)) WITHOUT ROWID;
    CREATE INDEX recorded_tags ON recorded (recording) WHERE kind = 'tag';
    """,
    """
    -- Which steps logged the metrics of a run, in their order: the digest in `texts` of JSON [[id of a step, bare name],
    -- ...]; "" where nobody knows any more (`upgrade.name_metrics` looks), and until the run ends.
    ALTER TABLE runs ADD COLUMN named TEXT NOT NULL DEFAULT '';

    -- Of a point of a sweep: seconds that the command took which ran it, from the first of its points to the last.
    ALTER TABLE runs ADD COLUMN lasted REAL;
    """,
)
"""Migration number n brings a store from version n-1 to n."""

VERSION = len(MIGRATIONS)
"""The version that this Stepwell reads and writes."""

NAMED = 9
"""The version from which on runs say which steps logged their metrics."""
