"""Tiny wheels, valid or not as a test wants them, and an index of channels with some in it."""

from __future__ import annotations

import base64
import hashlib
import importlib.metadata
import os
import zipfile
from pathlib import Path

from packaging.requirements import Requirement

from stepwell.dist.channels.index import Channels
from stepwell.dist.channels.local import LocalFiles

ORDER = ["candidate", "staging", "production"]
WHEEL = "Wheel-Version: 1.0\nGenerator: by hand\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def files_of(
    project: str = "churn", version: str = "1.4.0", *, requires: str = ">=3.9", body: str = ""
) -> dict[str, bytes]:
    """What is in a wheel, without RECORD: a package that says its version, and a command that does."""
    package, info = project.replace("-", "_"), f"{project.replace('-', '_')}-{version}.dist-info"
    code = f"__version__ = {version!r}\n\n\ndef main():\n    print({project!r}, __version__)\n{body}"
    metadata = f"Metadata-Version: 2.1\nName: {project}\nVersion: {version}\n"
    metadata += f"Requires-Python: {requires}\n" if requires else ""
    texts = {
        f"{package}/__init__.py": code,
        f"{info}/METADATA": metadata,
        f"{info}/WHEEL": WHEEL,
        f"{info}/entry_points.txt": f"[console_scripts]\n{project} = {package}:main\n",
    }
    return {name: text.encode() for name, text in texts.items()}


def record_of(files: dict[str, bytes], info: str) -> bytes:
    lines = [
        f"{name},sha256={base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b'=').decode()},{len(data)}"
        for name, data in files.items()
    ]
    return ("\n".join([*lines, f"{info}/RECORD,,"]) + "\n").encode()


def packed(path: Path, files: list[tuple[str | zipfile.ZipInfo, bytes]]) -> Path:
    """An archive with these entries, in this order."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files:
            info = name if isinstance(name, zipfile.ZipInfo) else zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, data)
    return path


def wheel(
    folder: Path, project: str = "churn", version: str = "1.4.0", *, tag: str = "py3-none-any", **options: str
) -> Path:
    """A valid wheel."""
    files = files_of(project, version, **options)
    stem = f"{project.replace('-', '_')}-{version}"
    files[f"{stem}.dist-info/RECORD"] = record_of(files, f"{stem}.dist-info")
    folder.mkdir(parents=True, exist_ok=True)
    return packed(folder / f"{stem}-{tag}.whl", list(files.items()))


def new_index(folder: Path, clock=None) -> Channels:
    """An index of three channels; its clock moves on by a minute a look unless one is given."""
    ticks = iter(range(1_788_339_600, 1_800_000_000, 60))
    return Channels.create(LocalFiles(folder), ORDER, clock or (lambda: next(ticks)))


def contents(folder: Path) -> dict[str, bytes]:
    """All files of an index by name but what belongs to nobody."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not str(path.relative_to(folder)).startswith(".")
    }


def in_child(job) -> int:
    """Run something in a child of this process; its exit code, or minus the signal that ended it."""
    child = os.fork()
    if child == 0:
        try:
            os._exit(job() or 0)
        except BaseException:
            import traceback

            traceback.print_exc()
            os._exit(99)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def of_stepwell() -> list[str]:
    """The distributions that a bare install of Stepwell asks for."""
    asked = map(Requirement, importlib.metadata.requires("stepwell") or [])
    return [one.name for one in asked if one.marker is None or one.marker.evaluate({"extra": ""})]
