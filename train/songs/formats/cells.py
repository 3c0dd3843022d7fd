"""What stands in a cell of a table, as text: lists and objects opened, printed ones too; NaN and its like are empty."""

import ast
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

_NOTHING = frozenset(("", "nan", "null", "none", "<na>", "#n/a", "n/a", "nat", "\\n", "[]", "{}"))
_PRINTED = re.compile(r"\s*(?:\[\s*[\[{'\"].*[\]}'\"]\s*\]|\{\s*(?:['\"]|\d+\s*:).*\})\s*", re.DOTALL)
_NO_COMMA = re.compile(r"(?<=['\"])\s+(?=['\"])")
_MAX_PRINTED = 200_000
_WORDS = ("lyrics", "lyric", "text", "plain", "lines", "words", "body")
_NAMES = ("name", "title", "label", "value")


def plain(value: object) -> str:
    """Return a value as text, empty where it stands for nothing."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    # JSON can spell half a character, which no encoding can write.
    text = str(value).encode("utf-8", "replace").decode().strip()
    return "" if text.casefold() in _NOTHING else text


def lyric_of(value: object) -> str:
    """Return what a cell of lyrics says, a line of text for each item of a list."""
    return _joined(_opened(value), "\n", _WORDS)


def field_of(value: object) -> str:
    """Return what a cell of a header says, a comma between the items of a list, and the name of an object."""
    return _joined(_opened(value), ", ", _NAMES)


def _opened(value: object) -> object:
    """Return the list or object that a cell has in print, else the cell."""
    if not isinstance(value, str) or len(value) > _MAX_PRINTED or not _PRINTED.fullmatch(value):
        return value
    for text in (value, _NO_COMMA.sub(", ", value)):  # NumPy prints no commas.
        try:
            printed = ast.literal_eval(text.strip())
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            return value
        if isinstance(printed, list) and len(printed) == 1 and text is value and _NO_COMMA.search(value):
            continue
        return printed if _is_text(printed) else value
    return value


def _is_text(value: object) -> bool:
    if isinstance(value, Mapping):
        return all(isinstance(name, str | int) for name in value)
    return isinstance(value, list) and all(isinstance(item, str | list | dict) for item in value)


def _joined(value: object, between: str, names: Sequence[str]) -> str:
    if isinstance(value, Mapping):
        return _of_object(value, between, names)
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        # A list of lists is stanzas of lines.
        nested = any(isinstance(item, list | tuple) for item in value) and between == "\n"
        items = [_joined(item, between, names) for item in value]
        return ("\n\n" if nested else between).join(items if between == "\n" else filter(None, items))
    return plain(value)


def _of_object(value: Mapping[str, Any], between: str, names: Sequence[str]) -> str:
    for name in names:
        if name in value:
            return _joined(value[name], between, names)
    texts = [plain(item) for item in value.values() if isinstance(item, str)]
    return between.join(texts if between == "\n" else filter(None, texts)) if len(texts) == len(value) else ""
