"""The wiring: the one layer that knows everyone, and the facade that commands, page and programs use.

    calls        what `pipeline.plan()` and `pipeline.run()` do
    places       where a project's store is
    session      plan and run a pipeline of a project, on its store and an engine
    documents    plans, runs and reasons as plain data: what `--json` prints and all else draws
    values       what a pipeline returned
    names        from names that people type to what they mean
    git          the commit that a run was made from

Nothing is imported here: whoever only looks at earlier runs needs little of it.
"""
