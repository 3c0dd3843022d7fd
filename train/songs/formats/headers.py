"""Headers as people write them: lines of names and values, front matter, and tags of LRC and ChordPro."""

import re
from collections.abc import Iterator

from model.song import BOS_TOKEN, EOS_TOKEN, Header, Song

NAMES: dict[str, str] = {
    **dict.fromkeys(("title", "song", "song_title", "song_name", "track", "ti", "t"), "title"),
    **dict.fromkeys(("genre", "genres", "style"), "genre"),
    **dict.fromkeys(("mood", "moods"), "mood"),
    **dict.fromkeys(("theme", "themes", "topic", "subject"), "theme"),
    **dict.fromkeys(("artist", "artists", "band", "singer", "author", "performer", "by", "ar"), "artist"),
}
"""What a header line may be called, in any case, and the field that it is."""

_LINE = re.compile(r"(?P<name>[^\W\d_][\w &/-]{0,30}?)[ \t]*:[ \t]*(?P<value>.*)")
_ITEM = re.compile(r"\s*-\s+(?P<value>.*)")
_FOOTER_LINE = re.compile(r"(?P<name>[A-Z]\w*(?: \w+)?)(?:[ \t]{2,}|\t)(?P<value>\S.*)")
_FRONT_MATTER = re.compile(r"-{3,}[ \t]*\n(?P<inside>.*?\n)(?:-{3,}|\.{3})[ \t]*(?:\n|$)", re.DOTALL)
_HEADING = re.compile(r"#[ \t]+(?P<title>\S.*?)[ \t]*#*\n+(?=\S)")
_TOKENS = re.compile("|".join(map(re.escape, (BOS_TOKEN, EOS_TOKEN))))


def field_of(name: str) -> str | None:
    """Return the header field that a name stands for, if it stands for one."""
    return NAMES.get(re.sub(r"[ -]", "_", name.strip().casefold()))


def read_header(lines: list[str], *, yaml: bool = False) -> tuple[Header, list[str]] | None:
    """Read lines that are all ``name: value``, one of them at least a field that is known.

    Args:
        lines: The lines, none of them empty.
        yaml: Whether quotes and brackets around a value are no part of it.

    Returns:
        The header and the names that are no fields of it; None where the lines are something else.
    """
    values: dict[str, list[str]] = {}
    for line in lines:
        item = _ITEM.fullmatch(line)
        if item and values:
            values[list(values)[-1]].append(item["value"])
        elif match := _LINE.fullmatch(line.rstrip()):
            values[match["name"]] = _values(match["value"]) if yaml else [match["value"]]
        else:
            return None
    header = {field: ", ".join(filter(None, values[name])) for name in values if (field := field_of(name))}
    if not header:
        return None
    return Header(**header), [name for name in values if not field_of(name)]


def read_footer(lines: list[str]) -> Header | None:
    """Read lines that are all a name and a value in two columns, as some archives put under a song."""
    matches = [_FOOTER_LINE.fullmatch(line.rstrip()) for line in lines]
    values = {match["name"].casefold(): match["value"] for match in matches if match}
    header = {
        field: value for name, value in values.items() if (field := "title" if name == "name" else field_of(name))
    }
    return Header(**header) if header and all(matches) else None


def _values(value: str) -> list[str]:
    """Return the items of a list as YAML has it, or the one value."""
    inside = value.strip()
    items = inside[1:-1].split(",") if inside.startswith("[") and inside.endswith("]") else [inside]
    return [item.strip().strip("'\"").strip() for item in items]


def read_song(text: str, *, markdown: bool = False) -> tuple[Song, list[str]]:
    """Read a song with a header or without one, and return the names in the header that are no fields, too.

    A header stands between two lines of dashes, or is lines with a blank one after them, so that a lyric that happens
    to begin with "title: …" stays whole. In Markdown, a heading before the words is the title.
    """
    text = _TOKENS.sub("", text).strip()
    front = _FRONT_MATTER.match(text)
    if front and (read := read_header([line for line in front["inside"].splitlines() if line.strip()], yaml=True)):
        header, unknown = read
        return Song(header, text[front.end() :].strip()), unknown
    heading = _HEADING.match(text) if markdown else None
    if heading:
        return Song(Header(title=heading["title"]), text[heading.end() :].strip()), []
    head, _, rest = text.partition("\n\n")
    read = read_header(head.splitlines()) if rest else None
    if read is None:
        return Song(Header(), text), []
    header, unknown = read
    return Song(header, rest.strip()), unknown


def merge(header: Header, other: Header) -> Header:
    """Return a header with what it has, and what only the other one has."""
    return Header(**{**dict(other.items()), **dict(header.items())})


def opening_front_matter(lines: Iterator[str]) -> bool:
    """Return whether a text begins with front matter, without a dash between its songs."""
    begun, inside = False, list[str]()
    for line in lines:
        if not begun:
            if not line.strip():
                continue
            if not re.fullmatch(r"-{3,}\s*", line):
                return False
            begun = True
        elif re.fullmatch(r"(?:-{3,}|\.{3})\s*", line):
            return read_header(inside, yaml=True) is not None
        elif line.strip():
            inside.append(line)
        if len(inside) > 50:  # noqa: PLR2004 - no header has so many
            return False
    return False
