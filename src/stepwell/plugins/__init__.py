"""The doors for extensions: what can be registered (`hookspecs`), and where it is kept (`registry`).

Built-ins come in by the same doors (`builtin`), named there by module and loaded at first use.
"""
