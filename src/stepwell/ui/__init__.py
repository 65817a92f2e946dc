"""The page: `stepwell ui` serves it, to one person on one machine, and it only reads.

    site = Site(root, folder)                 # the project and its store
    gate = Gate.new("127.0.0.1", port)        # who may ask, and the token that says so
    app = application(site, gate, readers, watch)

Reading order: `guard` (who is answered), `application` (every address), `readers` (threads with a connection each),
`asked` (what was asked, checked), `answers/` (one function an address: a store in, plain data out), `known` (the list of
runs in memory), `live` (what changed, as server-sent events), `raw` (bytes of artifacts), `files` (the page itself),
`serving` (the process). What the answers look like is in `page/src/api.ts`.

Nothing here writes, imports user code or unpickles, and no address runs anything.
"""
