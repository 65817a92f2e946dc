"""Command lines that are read without `argparse` mean what they mean to it."""

import ast
import inspect
import subprocess
import sys
from argparse import ArgumentParser
from importlib import import_module

import pytest

from stepwell.cli import runs
from stepwell.cli.main import _MODULES, _declare, _joined
from stepwell.cli.plainly import Plainly
from stepwell.cli.verbs import VERBS

PLAIN = (
    "", "delays", "-n 20", "--limit 20", "delays -n 7 --json", "-C over/there --points delays", "--directory x",
    "--group last --tag baseline", "--sort auc --where auc>0.8", "-n 3 -n 4", "--json --json", "--sort= --points",
)  # fmt: skip
OTHER = (
    "-h", "--help", "--limit=20", "-n20", "-n", "-n x", "-n 0", "-n -1", "--group", "--group --json", "--nothing", "--sort -auc",
    "two words", "-- delays", "--lim 20", "-", "-5", "--json=yes", "-jn 5",
)  # fmt: skip


def words(line):
    return _joined(["" if word == "''" else word for word in line.split()])


def read(line):
    plain = Plainly()
    _declare(plain, runs)
    return plain.read(words(line))


@pytest.mark.parametrize("line", [line for line in PLAIN if "=" not in line.split(" ")[0]])
def test_a_plain_line_means_what_it_means_to_argparse(line):
    parser = ArgumentParser(allow_abbrev=False)
    _declare(parser, runs)
    assert vars(read(line)) == vars(parser.parse_intermixed_args(words(line)))


@pytest.mark.parametrize("line", OTHER)
def test_what_is_not_plain_is_left_to_argparse(line):
    assert read(line) is None


@pytest.mark.parametrize(
    "how", [{"nargs": "*"}, {}, {"nargs": "?", "type": int}, {"nargs": "?", "choices": ["a"]}]
)
def test_a_declaration_that_is_not_understood_leaves_all_to_argparse(how):
    plain = Plainly()
    plain.add_argument("word", **how)
    assert plain.read(["a"]) is None


def test_a_list_of_runs_loads_neither_argparse_nor_typing_nor_pathlib(tmp_path):
    code = "import sys; from stepwell.cli.main import main; main(['runs', '-n', '20']); print(*sys.modules)"
    told = subprocess.run(
        [sys.executable, "-S", "-c", f"sys_path = {sys.path!r}; import sys; sys.path[:] = sys_path; {code}"],
        cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    loaded = set(told.stdout.splitlines()[-1].split())
    assert "stepwell.stores.database" in loaded
    assert not loaded & {"argparse", "typing", "pathlib", "urllib.parse", "inspect", "dataclasses", "locale"}


def without_argparse():
    """The modules of verbs that do not load `argparse` themselves: those that may be read plainly."""
    modules = [import_module(f"stepwell.cli.{_MODULES.get(verb, verb)}") for verb in VERBS]
    for module in modules:
        top = ast.parse(inspect.getsource(module)).body
        if not any(isinstance(one, ast.ImportFrom) and one.module == "argparse" for one in top):
            yield module


def test_verbs_that_are_read_plainly_declare_nothing_that_reads_otherwise():
    """No group of which one excludes the other (there is no such method here), and no default that a type changes."""
    modules = list(without_argparse())
    assert runs in modules
    for module in modules:
        plain, parser = Plainly(), ArgumentParser()
        _declare(plain, module)
        _declare(parser, module)
        assert not parser._mutually_exclusive_groups, module.__name__
        found = plain.read([])
        assert found is None or vars(found) == vars(parser.parse_intermixed_args([])), module.__name__
