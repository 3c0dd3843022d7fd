"""CSV and TSV: the dialect that a file happens to be in, and its rows; a broken one costs no other."""

import csv
import itertools
import re
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from train.songs.formats.columns import KNOWN_COLUMNS, normal
from train.songs.formats.encoding import detect_encoding, read_lines
from train.songs.formats.layout import Line
from train.songs.formats.rows import Row
from train.songs.problems import Notes, UnreadableError

MAX_CELL = 1 << 20
"""Characters in a row of a CSV; a quote that is never closed ends here."""

_SAMPLE_LINES = 2_000
_ONE_COLUMN = "\x1f"
_SEPARATOR_LINE = re.compile(r"\"?sep=(?P<delimiter>.|\\t)\"?", re.IGNORECASE)
_ESCAPED = re.compile(r"\\([\\\"])")
_MAX_NAME = 60
_WHOLE = 0.99
_KNOWN = {name for names in KNOWN_COLUMNS.values() for name in names}


@dataclass(frozen=True, slots=True)
class Dialect:
    """How cells are told apart."""

    delimiter: str
    quoted: bool = True
    """Whether quotes hold cells together."""
    escaped: bool = False
    r"""Whether a quote inside a cell is written \", not "" ."""

    def __str__(self) -> str:
        name = {"\t": "TSV", _ONE_COLUMN: "a column of text"}.get(self.delimiter, "CSV")
        return f"{name}{'' if self.quoted else ' without quotes'}"


@dataclass(frozen=True, slots=True)
class Record:
    """A row, or the line where one is broken."""

    line: int
    cells: list[str]
    quoted: bool
    """Whether a cell of it is in quotes."""
    error: str = ""


def open_csv(
    path: Path, label: str, told: str | None, notes: Notes, delimiters: str = ",;\t|"
) -> tuple[Iterator[Row], str]:
    """Return the rows of a CSV and how it was read.

    Raises:
        UnreadableError: As ``detect_encoding`` does, and where it has nothing but one line.
    """
    encoding = detect_encoding(path, told)
    encoding.note(label, notes)
    lines = _lines(read_lines(path, encoding, lone_cr=False))
    sample = list(itertools.islice(lines, _SAMPLE_LINES))
    first = next(((number, line) for number, line in sample if line.strip()), None)
    if first is None:
        raise UnreadableError("has no rows that can be read: leave it out or mend it")
    begin = 0
    if given := _SEPARATOR_LINE.fullmatch(first[1]):
        delimiters = "\t" if given["delimiter"] == "\\t" else given["delimiter"]
        begin = first[0]
    sample = [line for line in sample if line[0] > begin]
    dialect = _find_dialect(sample, delimiters)
    head = next((record.cells for record in records(sample, dialect) if any(record.cells)), [])
    named = _has_names(head)
    quoted = _mostly_quoted(sample, dialect)
    found = records(itertools.chain(sample, lines), dialect, columns=len(head), all_quoted=quoted)
    how = f"{dialect}, {encoding}{'' if named else ', no line of column names'}"
    return _rows(found, head if named else _numbered(head), named=named, label=label, notes=notes), how


def records(lines: Iterable[Line], dialect: Dialect, *, columns: int = 0, all_quoted: bool = False) -> Iterator[Record]:
    """Yield the rows of a CSV.

    Where one is broken, it is left out up to the next line that begins a whole one: of as many cells as there are
    columns, and quoted where all are.
    """
    source, lost = _Source(lines), False
    while source.any():
        record = _next_record(source, dialect)
        fits = not record.error and (not columns or len(record.cells) == columns) and (record.quoted or not all_quoted)
        if record.error or (lost and not fits):
            if not lost or (columns and len(record.cells) > columns):
                yield record
            lost = True
            source.give_back_all_but_first()
        elif record.cells:
            lost = False
            yield record


class _Source:
    """Lines that can be given back."""

    def __init__(self, lines: Iterable[Line]) -> None:
        self._lines = iter(lines)
        self._waiting: deque[Line] = deque()
        self.taken: list[Line] = []

    def any(self) -> bool:
        """Return whether there is another line."""
        if not self._waiting and (line := next(self._lines, None)):
            self._waiting.append(line)
        return bool(self._waiting)

    def begin(self) -> Iterator[str]:
        """Yield lines for one record, which may take them all."""
        self.taken, size = [], 0
        while size < MAX_CELL and self.any():
            self.taken.append(self._waiting.popleft())
            text = self.taken[-1][1]
            size += len(text)
            yield f"{text}\n"

    def give_back_all_but_first(self) -> None:
        """Take back what the last record took, but for its first line."""
        self._waiting.extendleft(reversed(self.taken[1:]))


def _next_record(source: _Source, dialect: Dialect) -> Record:
    texts: Iterator[str] = source.begin()
    if dialect.escaped:
        texts = (_ESCAPED.sub(lambda match: '""' if match[1] == '"' else "\\", text) for text in texts)
    csv.field_size_limit(2 * MAX_CELL)
    reader = (
        csv.reader(texts, delimiter=dialect.delimiter, strict=True)
        if dialect.quoted
        else csv.reader(texts, delimiter=dialect.delimiter, quoting=csv.QUOTE_NONE, strict=True)
    )
    cells, error = list[str](), ""
    try:
        cells = next(reader, [])
    except csv.Error as caught:
        error = str(caught)
    line = source.taken[0][0]
    opening = f'"{dialect.delimiter}'
    quoted = dialect.quoted and any(
        text.startswith('"') or f'{dialect.delimiter}"' in text or opening in text for _, text in source.taken
    )
    return Record(line, cells, quoted, error)


def _find_dialect(sample: Sequence[Line], delimiters: str) -> Dialect:
    """Return the dialect in which most of the sample is rows as long as the first one."""
    escapes = any('\\"' in line for _, line in sample)
    kinds = [(True, False), *([(True, True)] if escapes else []), (False, False)]
    best, best_score = Dialect(_ONE_COLUMN), 0.0
    for delimiter in delimiters:
        for quoted, escaped in kinds:
            dialect = Dialect(delimiter, quoted, escaped)
            columns, share = _fit(sample, dialect)
            # Quotes are the text's own only where every row is whole without them.
            if columns > 1 and share > best_score + 0.01 and (quoted or share > _WHOLE):
                best, best_score = dialect, share
    if best_score:
        return best
    # Without a row over several lines, quotes belong to the text.
    one_column = Dialect(_ONE_COLUMN)
    wide = any(size > 1 and not record.error for record, size in _with_sizes(sample, one_column))
    return one_column if wide else Dialect(_ONE_COLUMN, quoted=False)


def _fit(sample: Sequence[Line], dialect: Dialect) -> tuple[int, float]:
    """Return the columns of the first row, and the share of lines in rows of that many cells that are not broken."""
    columns, good, lines = 0, 0, 0
    for record, size in _with_sizes(sample, dialect):
        columns = columns or len(record.cells)
        lines += size
        good += size if not record.error and len(record.cells) == columns else 0
    return columns, good / max(lines, 1)


def _has_names(cells: Sequence[str]) -> bool:
    """Return whether the first row has the names of columns, not a song."""
    if any(normal(cell) in _KNOWN for cell in cells):
        return True
    short = all("\n" not in cell and len(cell) <= _MAX_NAME for cell in cells)
    return short and (len(cells) > 1 or len(cells[0].split()) <= 3)  # noqa: PLR2004 - words in a name


def _numbered(cells: Sequence[str]) -> list[str]:
    return ["lyrics"] if len(cells) == 1 else [f"column {number}" for number in range(1, len(cells) + 1)]


def _mostly_quoted(sample: Sequence[Line], dialect: Dialect) -> bool:
    """Return whether most of the lines are in rows with quotes, so that one without them is no row."""
    quoted, lines = 0, 0
    for record, size in _with_sizes(sample, dialect):
        quoted += size if record.quoted and not record.error else 0
        lines += size if not record.error else 0
    return quoted > 0.6 * lines


def _with_sizes(sample: Sequence[Line], dialect: Dialect) -> Iterator[tuple[Record, int]]:
    """Yield the rows of a sample, and how many lines each has."""
    found = list(records(sample, dialect))
    ends = [record.line for record in found[1:]] + [sample[-1][0] + 1 if sample else 0]
    return ((record, end - record.line) for record, end in zip(found, ends, strict=bool(found)))


def _rows(found: Iterable[Record], columns: Sequence[str], *, named: bool, label: str, notes: Notes) -> Iterator[Row]:
    head = list(columns)
    for record in found:
        if named and not record.error:
            named = False
        elif record.error:
            message = f"no row of a CSV ({record.error}): a quote that is never closed, or doubled wrongly?"
            notes.skip(label, record.line, message)
        elif record.cells == head:
            notes.skip(label, record.line, "the line of column names again: left out")
        elif len(record.cells) > len(head):
            notes.skip(
                label,
                record.line,
                f"{len(record.cells)} cells under {len(head)} columns: put the lyrics in quotes",
            )
        elif any(record.cells):
            yield record.line, dict(zip(head, record.cells, strict=False))


def _lines(lines: Iterable[Line]) -> Iterator[Line]:
    """Yield lines as csv takes them: a CR inside one is no end of a row, and becomes a line's end in the end."""
    return ((number, line.replace("\r", "\v")) for number, line in lines)
