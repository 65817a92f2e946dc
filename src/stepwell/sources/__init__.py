"""What is outside, pinned to a digest: files, globs, folders, data of installed packages, web addresses.

Read in this order:

1. `address`   what a source's text means, and how it may be shown.
2. `files`     which files that is now: one, the matches of a glob, a folder (`walk`); `absent`: if there are none.
3. `package`   the folder of an installed package, found without importing it.
4. `web`       files fetched once over http(s), kept in the store's blobs.
5. `content`   files to a digest; unchanged ones are not hashed twice (`memo` keeps what is known of them).
6. `pin`       all of it: `pin` when planning, `hold` and `check` around a step.
7. `frozen`    a source as a lock has it, whatever is there now; `kept` is how the store keeps and lays out content.
8. `read`      a source as a value: which reader, what of it counts in a key, `load`.
9. `readers`   the built-in readers; `tables` and `packing` do the reading.
10. `buckets`  objects of a bucket that speaks the S3 API; read, and written for whoever keeps things there.

Nothing here changes a source, and nothing but `kept` writes into the store.
"""
