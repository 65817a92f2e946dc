"""`stepwell completion SHELL`: completion of verbs, options, pipelines, steps, runs and parameters.

The scripts ask `stepwell __complete WORDS`, which imports no user code: parameters and pipelines
are read from the file's syntax, steps and runs from the store.
"""

from __future__ import annotations

import ast
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Literal

from stepwell.cli.text import clean
from stepwell.cli.verbs import VALUED, VERBS

DEFAULT_FILE = "pipeline.py"

Kind = Literal["run", "step", "pipeline", "metric"]

BASH = """_stepwell() {
  local line="${COMP_LINE:0:COMP_POINT}" words word
  read -ra words <<< "$line"
  [[ "$line" == *[[:space:]] ]] && words+=("")
  word="${words[${#words[@]}-1]}"
  local seen="${word%"${word##*[=:]}"}"
  COMPREPLY=()
  while IFS= read -r word; do
    [[ "$word" == *= ]] || word+=" "
    COMPREPLY+=("${word#"$seen"}")
  done < <("$1" __complete "${words[@]:1}" 2>/dev/null)
}
complete -o default -o nospace -F _stepwell stepwell"""
ZSH = """#compdef stepwell
_stepwell() {
  local -a found settings others
  found=("${(@f)$(stepwell __complete "${(@)words[2,CURRENT]}" 2>/dev/null)}")
  [[ -z "$found" ]] && { _files; return }
  settings=(${(M)found:#*=})
  others=(${found:#*=})
  compadd -S '' -- $settings
  compadd -- $others
}
compdef _stepwell stepwell"""
FISH = """complete -c stepwell -f -a '(stepwell __complete (commandline -opc)[2..] (commandline -ct) 2>/dev/null)'"""
SCRIPTS = {"bash": BASH, "zsh": ZSH, "fish": FISH}

EXAMPLES = """examples:
  eval "$(stepwell completion bash)"      in ~/.bashrc
  eval "$(stepwell completion zsh)"       in ~/.zshrc
  stepwell completion fish | source       in config.fish"""

RUNNING = [
    "--jobs",
    "--keep-going",
    "--in-process",
    "--force",
    "--refresh",
    "--frozen",
    "--depth",
    "--without",
]
CHOOSING = ["--from", "--until", "--only", "--skip", "--tag"]
OPTIONS = {
    "plan": [
        *RUNNING,
        *CHOOSING,
        "--checks",
        "--table",
        "--graph",
        "--dot",
        "--mermaid",
        "--junit",
        "--exit-code",
    ],
    "run": [*RUNNING, *CHOOSING, "--dry-run", "--twice"],
    "graph": [*CHOOSING, "--sections", "--dot", "--mermaid"],
    "debug": ["--pipeline", "--first-line", "--current", "--ipython", "--listen"],
    "replay": ["--pipeline", "--set", "--current"],
    "why": ["--pipeline"],
    "describe": ["--pipeline"],
    "runs": ["--limit", "--where", "--sort", "--tag", "--points", "--group"],
    "compare": [
        "--where",
        "--sort",
        "--best",
        "--lowest",
        "--pipeline",
        "--limit",
        "--metric",
        "--all",
        "--code",
        "--csv",
    ],
    "get": ["--output", "--overwrite"],
    "promote": ["--why", "--by", "--attest", "--expect", "--older", "--index"],
    "rollback": ["--why", "--by", "--expect", "--index"],
    "yank": ["--why", "--by", "--channel", "--index"],
    "unyank": ["--why", "--by", "--channel", "--index"],
    "channels": ["--create", "--rebuild", "--verify", "--index"],
    "history": ["--at", "--index"],
    "recall": ["--why", "--by", "--erase", "--index"],
    "verify": ["--quick", "--read-data", "--subset"],
    "gc": [
        "--dry-run",
        "--yes",
        "--keep",
        "--older-than",
        "--undo",
        "--empty-trash",
        "--trash-days",
        "--compact",
    ],
}

POSITIONS: dict[str, tuple[Kind, ...]] = {
    "debug": ("step", "run"),
    "replay": ("step", "run"),
    "why": ("step", "run"),
    "describe": ("step",),
    "runs": ("pipeline",),
    "show": ("run",),
    "compare": ("run",) * 8,
    "logs": ("run", "step"),
    "get": ("run", "step"),
}
"""What stands where, for the verbs whose words are names of the store."""


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
    found = [word for word in dict.fromkeys(_candidates(before, prefix)) if word.startswith(prefix)]
    if found:
        print("\n".join(clean(word) for word in found))
    return 0


def _candidates(before: list[str], prefix: str) -> list[str]:
    plain, values = [], {}
    option = ""
    for word in before:
        if option in VALUED:
            values[option] = word
            option = ""
        else:
            option = word
            if not word.startswith("-"):
                plain.append(word)
    here = Path.cwd() / values.get("-C", values.get("--directory", ""))
    if option in ("-C", "--directory", "-o", "--output", "-j", "--jobs", "--limit", "--junit", "--where"):
        return []
    if option in ("--force", "--twice", *CHOOSING[:4]):
        return _stored("step", here, [])
    if option in ("--sort", "--best", "--metric"):
        return _stored("metric", here, [])
    if option in ("-p", "--pipeline"):
        return list(_pipelines(here / DEFAULT_FILE))
    if not plain:
        return ["--help", "--json", "--version", "-C"] if prefix.startswith("-") else list(VERBS)
    verb = plain.pop(0)
    if prefix.startswith("-"):
        return [*OPTIONS.get(verb, []), "--json", "--help", "-C"]
    if verb in ("plan", "run", "graph"):
        return _runnable(here, plain, prefix)
    if verb == "completion":
        return sorted(SCRIPTS)
    names = [word for word in plain if "=" not in word]
    kinds = POSITIONS.get(verb, ())
    found = _stored(kinds[len(names)], here, names) if len(names) < len(kinds) else []
    parameters = (verb == "why" and names) or verb == "describe"
    return [*found, *_settings(_pipelines(here / DEFAULT_FILE), plain)] if parameters else found


def _runnable(here: Path, plain: list[str], prefix: str) -> list[str]:
    """Pipelines, where none is named yet, and parameters."""
    named = next((word for word in plain if "=" not in word), "")
    place, _, name = (prefix if ":" in prefix and not named else named).rpartition(":")
    file, name = (name, "") if name.endswith(".py") else (place, name)
    pipelines = _pipelines(here / (file or DEFAULT_FILE))
    if place and not named:
        return [f"{place}:{pipeline}" for pipeline in pipelines]
    chosen = {name: pipelines[name]} if name in pipelines else pipelines
    names = list(pipelines) if not named and len(pipelines) > 1 else []
    return [*_settings(chosen, plain), *names]


def _settings(pipelines: dict[str, list[str]], plain: list[str]) -> list[str]:
    used = {word.partition("=")[0] for word in plain if "=" in word}
    return [f"{name}=" for names in pipelines.values() for name in names if name not in used]


def _stored(kind: Kind, here: Path, plain: list[str]) -> list[str]:
    from stepwell.app.places import stored
    from stepwell.author.root import root_of

    with stored(root_of(here), looking=True, create=False) as store:
        run = plain[0] if plain and kind == "step" else "last"
        return store.runs.complete(kind, "", run)


def _pipelines(file: Path) -> dict[str, list[str]]:
    """The pipelines of a file and their parameters, from its syntax alone."""
    try:
        tree = ast.parse(file.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return {}
    found: dict[str, list[str]] = {}
    known: dict[str, list[str]] = {}
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            marks = [ast.unparse(mark) for mark in node.decorator_list]
            names = [arg.arg for arg in (*node.args.args, *node.args.kwonlyargs)]
            known.update({node.name: names} if marks else {})
            found.update({node.name: names} if any("pipeline" in mark for mark in marks) else {})
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            parts = _joined(node.value, known)
            if parts:
                names = list(dict.fromkeys(name for part in parts for name in known[part]))
                known[node.targets[0].id] = found[node.targets[0].id] = names
    return found


def _joined(value: ast.expr, known: dict[str, list[str]]) -> list[str]:
    """The steps and pipelines that an expression joins with `|` or `>>`; none for any other expression."""
    if not isinstance(value, ast.BinOp) or not isinstance(value.op, ast.BitOr | ast.RShift):
        return []
    return [one.id for one in ast.walk(value) if isinstance(one, ast.Name) and one.id in known]
