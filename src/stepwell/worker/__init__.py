"""Executing one task: load its code and its inputs, call it, judge what it gave, store the outputs.

    modules    first-party code, from exactly the bytes that were fingerprinted
    inputs     a task's inputs as values
    execute    `execute(task, context) -> Done`
    reckons    the proof that a step touches nothing but numbers, and needs nothing of what follows
    observe    what a step is seen to read and to write; hooks, zones and seen belong to it
    world      what an observed thing comes to now
    failures   what a person is told when a step fails
    state      what a step may have changed of its process, put back for the next one
    patches    what it may have replaced of Python's own libraries
    meter      wall and processor time, peak memory
    wire       tasks and reports as bytes
    main       a process of workers: the template that forks them, the loop that serves tasks
    family     all descendants of a process, and their end

Nothing here knows the scheduler or an engine; an engine decides where `execute` is called.
"""
