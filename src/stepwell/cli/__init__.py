"""The command `stepwell`: one file a verb, each with `arguments(parser)` and `run(options) -> int`.

`main` finds the verb and imports only its file, so that `stepwell --help` and `stepwell version`
cost little more than starting Python. stdout is data, stderr is talk; with `--json`, stdout is one
document. Exit codes are those of `stepwell.errors`, and 1 for a run that failed, 130 for one that
was interrupted.
"""
