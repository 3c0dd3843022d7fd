"""What is wrong with the data: each thing with its place, all of them at once."""

from collections import Counter
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


MAX_OF_A_FILE = 100
"""Skipped places that are listed of one file; a gigabyte of the wrong format has millions."""


@dataclass(slots=True)
class Notes:
    """Collects problems while the data is read: what was skipped, and what cannot be."""

    fatal: list[Problem] = field(default_factory=list)
    _skipped: list[Problem] = field(default_factory=list)
    _counts: Counter[str] = field(default_factory=Counter)

    @property
    def skipped(self) -> list[Problem]:
        """What was skipped, by file and line; what is not listed is counted."""
        problems = sorted(self._skipped, key=lambda problem: (problem.path, problem.line or 0))
        return problems + [
            Problem(path, None, f"and {count - MAX_OF_A_FILE:,} more places in this file")
            for path, count in sorted(self._counts.items())
            if count > MAX_OF_A_FILE
        ]

    def skip(self, path: str, line: int | None, message: str) -> None:
        """Note something that the rest can be learnt without."""
        self._counts[path] += 1
        if self._counts[path] <= MAX_OF_A_FILE:
            self._skipped.append(Problem(path, line, message))

    def fail(self, path: str, line: int | None, message: str) -> None:
        """Note something that nothing is learnt without, since the person named it."""
        self.fatal.append(Problem(path, line, message))
