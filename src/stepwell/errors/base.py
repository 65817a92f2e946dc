"""What all errors have, and their families. The errors themselves are beside this: a module a family."""

from __future__ import annotations

TYPE_CHECKING = False  # as type checkers know it: this module imports nothing
if TYPE_CHECKING:
    from collections.abc import Iterable

DOCS = "docs/reference/errors.md"

_PACKAGE = __file__.removesuffix("errors/base.py")


def counted(count: int, noun: str, several: str = "") -> str:
    """A number of things, as people say it: "1 step", "1,234 steps"; `several` where that is not `noun` with an s."""
    return f"{count:,} {noun if count == 1 else several or f'{noun}s'}"


class StepwellError(Exception):
    """Base of every error that Stepwell raises on purpose.

    Attributes: `code` (str, "E301"), `what` and `why` (one line each), `fixes` (commands or
    edits, most likely first), `where` ("file:line" of the user's code, or ""), `docs` (page).
    """

    code = "E000"
    exit_code = 1
    reason = ""
    """Why this kind of error happens, where the raiser has nothing more exact to say."""

    def __init__(self, what: str, *, why: str = "", fixes: Iterable[str] = (), where: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.why: str = why or self.reason
        self.fixes: tuple[str, ...] = tuple(fixes)
        self.where = where

    @property
    def docs(self) -> str:
        """The page that explains this code."""
        return f"{DOCS}#{self.code.lower()}"

    def as_dict(self) -> dict[str, object]:
        """The fields as plain data, as `--json` prints them."""
        out: dict[str, object] = {
            "code": self.code,
            "what": self.what,
            "why": self.why,
            "fixes": list(self.fixes),
            "docs": self.docs,
        }
        if self.where:
            out["where"] = self.where
        return out

    def __str__(self) -> str:
        lines = [f"error[{self.code}] {self.what}"]
        if self.where:
            lines.append(f"  at    {self.where}")
        if self.why:
            lines.append(f"  why   {self.why}")
        lines.extend(f"  {'fix ' if i == 0 else '    '}  {fix}" for i, fix in enumerate(self.fixes))
        lines.append(f"  docs  stepwell explain {self.code}")
        return "\n".join(lines)

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (type(self), self.what, self.why, self.fixes, self.where))

    def _render_traceback_(self) -> list[str]:
        """What IPython shows in place of a traceback: the lines of the program's own that led here, then the error."""
        from itertools import takewhile  # only notebooks ask
        from traceback import extract_tb, format_list

        led = takewhile(lambda frame: not frame.filename.startswith(_PACKAGE), extract_tb(self.__traceback__))
        own = [frame for frame in led if "/IPython/" not in frame.filename]
        lines = "".join(format_list(own)).splitlines()
        notes = "\n".join(getattr(self, "__notes__", ())).splitlines()
        return [*lines, *notes, *str(self).splitlines()]


def _rebuild(
    kind: type[StepwellError], what: str, why: str, fixes: tuple[str, ...], where: str
) -> StepwellError:
    return kind(what, why=why, fixes=fixes, where=where)


class UsageError(StepwellError):
    """The command line is off: an unknown option, or a missing word."""

    code = "E100"
    exit_code = 2


class AuthoringError(StepwellError):
    """The pipeline file cannot work as written; the error names the line."""

    code = "E200"
    exit_code = 3


class PlanError(StepwellError):
    """The plan cannot work; nothing was run."""

    code = "E300"
    exit_code = 3


class StepError(StepwellError):
    """A step ran and failed; other steps are not affected."""

    code = "E400"


class StoreError(StepwellError):
    """The store cannot be used or trusted."""

    code = "E500"
    exit_code = 6


class CodecError(StepwellError):
    """A value has no way to bytes, or bytes no way back."""

    code = "E600"
    exit_code = 3


class ReleaseError(StepwellError):
    """A lock, a release or a channel does not hold, or may not be made so."""

    code = "E700"
    exit_code = 3
