"""``--where``: which rows of a table are learnt."""

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self

_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "!=": operator.ne,
    "==": operator.eq,
    "=": operator.eq,
    "<": operator.lt,
    ">": operator.gt,
}
"""The longer ones first, so that "<=" is not read as "<"."""

_CONDITION = re.compile(rf"\s*(?P<column>.+?)\s*(?P<operator>{'|'.join(_OPERATORS)})\s*(?P<value>.*?)\s*")


@dataclass(frozen=True, slots=True)
class Condition:
    """A comparison of a column with a value: as numbers where both are, else as text, capitals apart."""

    column: str
    operator: str
    value: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``language = en`` or ``views>=1000``.

        Raises:
            ValueError: Where it is none.
        """
        match = _CONDITION.fullmatch(text)
        if match is None:
            raise ValueError(f"'{text}' is no condition: write COLUMN=VALUE, with =, !=, <, <=, > or >=")
        return cls(**match.groupdict())

    def holds(self, row: Mapping[str, Any]) -> bool:
        """Return whether a row meets it; one without a value in the column does not."""
        cell = row.get(self.column)
        if cell is None or str(cell).strip() == "":
            return False
        compare = _OPERATORS[self.operator]
        try:
            return compare(float(cell), float(self.value))
        except (TypeError, ValueError):
            return compare(str(cell).strip().casefold(), self.value.casefold())

    def __str__(self) -> str:
        return f"{self.column}{self.operator}{self.value}"
