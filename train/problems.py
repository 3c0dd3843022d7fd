"""What is wrong with the data: each thing with its place, all of them at once."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from model.errors import LyricsError


@dataclass(frozen=True, slots=True)
class Problem:
    """Something in the data that is not learnt, or that keeps all of it from being learnt."""

    path: str
    line: int | None
    """The line in the file, from 1; the row of a Parquet file or hub dataset; None where it is the whole file."""
    message: str

    def __str__(self) -> str:
        return f"{self.path}{f':{self.line}' if self.line else ''}: {self.message}"


class DataError(LyricsError):
    """The training data cannot be used as it is; ``problems`` has every reason, the message lists them."""

    def __init__(self, problems: Sequence[Problem], skipped: Sequence[Problem] = ()) -> None:
        self.problems = (*problems, *skipped)
        lines = ["These songs cannot be learnt:", *(f"  {problem}" for problem in problems)]
        if skipped:
            lines += ["Skipped:", *(f"  {problem}" for problem in skipped)]
        super().__init__("\n".join([*lines, "Mend or leave out what is listed and start again; nothing was written."]))


class UnreadableError(Exception):
    """A file that gives no songs; the message says why and what to do. Never leaves ``train``."""


@dataclass(slots=True)
class Notes:
    """Collects problems while the data is read: what was skipped, and what cannot be."""

    skipped: list[Problem] = field(default_factory=list)
    fatal: list[Problem] = field(default_factory=list)

    def skip(self, path: str, line: int | None, message: str) -> None:
        """Note something that the rest can be learnt without."""
        self.skipped.append(Problem(path, line, message))

    def fail(self, path: str, line: int | None, message: str) -> None:
        """Note something that nothing is learnt without, since the person named it."""
        self.fatal.append(Problem(path, line, message))
