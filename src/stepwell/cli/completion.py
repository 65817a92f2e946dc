"""`stepwell completion SHELL`: completion of verbs, options, pipelines, steps, runs and parameters.

The scripts ask `stepwell __complete WORDS`, which imports no user code: parameters and pipelines
are read from the file's syntax, steps and runs from the store.
"""

from __future__ import annotations

import ast
from argparse import ArgumentParser, Namespace
from pathlib import Path

from stepwell.cli.main import VERBS

BASH = """_stepwell() {
  local IFS=$'\\n'
  COMP_WORDBREAKS=${COMP_WORDBREAKS//[=:]/}
  COMPREPLY=($(stepwell __complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
  [[ ${COMPREPLY[0]-} == *= ]] && compopt -o nospace
}
complete -o default -F _stepwell stepwell"""
ZSH = """#compdef stepwell
_stepwell() {
  local -a found
  found=("${(@f)$(stepwell __complete "${(@)words[2,CURRENT]}" 2>/dev/null)}")
  [[ -n "$found" ]] && compadd -S '' -- $found || _files
}
compdef _stepwell stepwell"""
FISH = """complete -c stepwell -f -a '(stepwell __complete (commandline -opc)[2..] (commandline -ct) 2>/dev/null)'"""
SCRIPTS = {"bash": BASH, "zsh": ZSH, "fish": FISH}

EXAMPLES = """examples:
  eval "$(stepwell completion bash)"      in ~/.bashrc
  eval "$(stepwell completion zsh)"       in ~/.zshrc
  stepwell completion fish | source       in config.fish"""

OPTIONS = {
    "plan": ["--jobs", "--keep-going", "--in-process", "--force", "--refresh"],
    "run": ["--jobs", "--keep-going", "--in-process", "--force", "--refresh", "--dry-run"],
    "why": ["--pipeline"],
    "runs": ["--limit"],
    "get": ["--output", "--overwrite"],
    "verify": ["--quick"],
}


def arguments(parser: ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument("shell", choices=sorted(SCRIPTS), help="the shell")


def run(options: Namespace) -> int:
    """Print the script."""
    if options.json:
        from stepwell.cli.text import print_json

        print_json({"shell": options.shell, "script": SCRIPTS[options.shell]})
    else:
        print(SCRIPTS[options.shell])
    return 0


def complete(words: list[str]) -> int:
    """Print what the last of the words could become, one a line."""
    *before, prefix = words or [""]
    here = Path.cwd()
    if "-C" in before[:-1]:
        here = here / before[before.index("-C") + 1]
    plain = [
        word
        for i, word in enumerate(before)
        if not word.startswith("-") and (i == 0 or before[i - 1] != "-C")
    ]
    verb = plain[0] if plain else ""
    if not verb:
        found = list(VERBS)
    elif prefix.startswith("-"):
        found = [*OPTIONS.get(verb, []), "--json", "--help", "-C"]
    else:
        found = _words(verb, plain[1:], here)
    for word in dict.fromkeys(found):
        if word.startswith(prefix):
            print(word)
    return 0


def _words(verb: str, plain: list[str], here: Path) -> list[str]:
    if verb in ("plan", "run"):
        pipelines = _pipelines(here / "pipeline.py")
        used = {word.partition("=")[0] for word in plain}
        named = next((pipelines[word] for word in plain if word in pipelines), None)
        params = named if named is not None else [name for names in pipelines.values() for name in names]
        settings = [f"{name}=" for name in params if name not in used]
        return [*settings, *(pipelines if named is None and len(pipelines) > 1 else ())]
    if verb == "completion":
        return sorted(SCRIPTS)
    kinds = {"why": ("step", "run"), "show": ("run",), "logs": ("run", "step"), "get": ("run", "step")}.get(
        verb, ()
    )
    return _stored(kinds[len(plain)], here, plain) if len(plain) < len(kinds) else []


def _stored(kind: str, here: Path, plain: list[str]) -> list[str]:
    from stepwell.app.session import stored
    from stepwell.author.project import root_of

    with stored(root_of(here), looking=True, create=False) as store:
        run = plain[0] if plain and kind == "step" else "last"
        return store.runs.complete(kind, "", run)


def _pipelines(file: Path) -> dict[str, list[str]]:
    """The pipelines of a file and their parameters, from its syntax alone."""
    try:
        tree = ast.parse(file.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return {}
    return {
        node.name: [arg.arg for arg in (*node.args.args, *node.args.kwonlyargs)]
        for node in tree.body
        if isinstance(node, ast.FunctionDef)
        and any("pipeline" in ast.unparse(mark) for mark in node.decorator_list)
    }
