"""Values to bytes and back, chosen by type.

    choose    the door: which codec for an annotation or a value, `dump`, `load`, `fits`
    public    how users register their own: `register_codec`, `@codec`
    builtin   the table of what there is; each codec's module tells its format and its choices
    plain     plain data, the form that everything else leans on: read it first

Three promises hold for every codec but `pickle`: equal values have equal bytes, in every process;
a value comes back equal in type and content, or it is refused when it is written; and reading executes
nothing that the bytes say. Which codec wrote an artifact is recorded with it, never guessed from bytes.

Importing this package imports nothing; libraries for data are imported when a value of theirs is met.
"""
