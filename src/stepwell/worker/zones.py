"""What counts of what a process does: whose code it is, where a path lies, which variables are the machine's.

Three questions of `worker.observe`, each answered by a table:

    `KINDS`              by the file of a function on the stack; what is not in it is first-party or a library's
    `zones`              by folder: the project's, Python's and the system's, temporary
    `is_plumbing_name`   by the name of a variable
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from types import CodeType

OTHERS, OWN, PLUMBING, MIXED = range(4)
"""Kinds of files on the stack: of libraries, first-party, never counting, depending on the function."""

_IMPORT = "<frozen importlib._bootstrap_external>"
_STDLIB = os.path.dirname(os.__file__)
_HERE = os.path.dirname(os.path.abspath(__file__))

IMPORTER = f"{_HERE}/modules.py"
"""The file of the importer of first-party modules."""

STDLIB = _STDLIB + os.sep
"""The folder of the standard library, with a separator."""

PACKAGE = os.path.dirname(_HERE) + os.sep
"""The folder of Stepwell's own code, with a separator."""

KINDS = {
    "<frozen importlib._bootstrap>": PLUMBING,
    "<frozen zipimport>": PLUMBING,
    _IMPORT: MIXED,
    f"{_STDLIB}/linecache.py": MIXED,
    f"{_STDLIB}/pdb.py": PLUMBING,
    f"{_STDLIB}/bdb.py": PLUMBING,
    f"{_STDLIB}/shutil.py": MIXED,
    **{f"{_HERE}/{name}.py": PLUMBING for name in ("hooks", "observe", "seen", "world", "zones")},
    f"{_HERE}/modules.py": MIXED,
}

PLUMBING_PARTS: tuple[str, ...] = ("/importlib/metadata/", "/debugpy/", "/pydevd")
"""Parts of paths of further files that are plumbing."""


def is_plumbing(code: CodeType) -> bool:
    """Whether a function of a `MIXED` file never counts: all of importing but reading a package's data; a few by name."""
    if code.co_filename in (_IMPORT, IMPORTER):
        return code.co_name != "get_data"
    return code.co_name in ("which", "checkcache")


LINECACHE = f"{_STDLIB}/linecache.py"
"""The file of the module that shows lines of sources."""

MAPPING = frozenset(
    ("<frozen _collections_abc>", "<frozen os>", os.__file__, f"{_STDLIB}/_collections_abc.py")
)
"""Files of the functions between `os.environ[name]` and whoever asks."""

_PLUMBING_NAMES = frozenset((
    "BROWSER", "COLORTERM", "COLUMNS", "DISPLAY", "EDITOR", "FORCE_COLOR", "GOTO_NUM_THREADS", "HOME", "HOSTNAME",
    "LANG", "LANGUAGE", "LINES", "LOGNAME", "MPLBACKEND", "NO_COLOR", "OLDPWD", "PAGER", "PATH",
    "POLARS_MAX_THREADS", "PS1", "PWD", "RAYON_NUM_THREADS", "SHELL", "SHLVL", "TEMP", "TERM", "TMP", "TMPDIR",
    "USER", "USERNAME", "VIRTUAL_ENV", "VISUAL", "WAYLAND_DISPLAY",
))  # fmt: skip

_PLUMBING_PREFIXES = (
    "BLIS_", "CONDA_", "IPYTHON", "JOBLIB_", "JPY_", "KMP_", "LC_", "LOKY_", "MALLOC_", "MKL_", "NUMEXPR_", "OMP_",
    "OPENBLAS_", "PYTHON", "SSH_", "STEPWELL_", "TERM_", "TQDM_", "VECLIB_", "XDG_",
)  # fmt: skip


def is_plumbing_name(name: str) -> bool:
    """Whether a variable does not count when a library reads it: terminals, folders, threads, Python, Stepwell."""
    return name in _PLUMBING_NAMES or name.startswith(_PLUMBING_PREFIXES)


COUNTS, NEVER, TEMPORARY = range(3)
"""What lies in a folder counts, never counts, or counts if it was there when the step began."""

_SHARED = frozenset(("/", "/usr", "/usr/local", "/opt/homebrew"))
"""Prefixes that Python shares with everything else."""

NEVER_PARTS = frozenset(("__pycache__", "site-packages", "dist-packages", ".stepwell"))
"""Names of folders that never count, wherever they lie."""


def zones(roots: Iterable[str]) -> dict[str, int]:
    """Folders by what is below them: of Python and the system, caches, temporary files, the project."""
    found = dict.fromkeys(("/proc", "/sys", "/dev"), NEVER)
    prefixes = {sys.prefix, sys.base_prefix, sys.exec_prefix, sys.base_exec_prefix}
    if "/usr" in prefixes:
        prefixes.add("/usr/local")  # where Debian's Python has libraries and programs, too
    for prefix in prefixes:
        shared = ("lib", "lib64", "bin", "include", "share") if prefix in _SHARED else ("",)
        found.update((os.path.join(prefix, part).rstrip("/"), NEVER) for part in shared)
    found[os.path.dirname(os.__file__)] = NEVER  # `sysconfig` knows of more, and takes 4 ms to say so
    home = os.path.expanduser("~")
    found[os.environ.get("XDG_CACHE_HOME") or f"{home}/.cache"] = NEVER
    for folder in ("/tmp", "/var/tmp", *map(os.environ.get, ("TMPDIR", "TEMP", "TMP"))):  # noqa: S108
        if folder and os.path.isabs(folder):
            found[folder.rstrip("/")] = TEMPORARY
    for zone, kind in list(found.items()):
        found.setdefault(os.path.realpath(zone), kind)
    found.update(dict.fromkeys(roots, COUNTS))
    found.pop("", None)
    return found
