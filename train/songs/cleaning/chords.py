"""Chords above, beside and between the words, tablature and ChordPro."""

import re

from model.song import Header, Song
from train.songs.formats.headers import field_of, merge

_CHORD = (
    r"[A-G][#b♯♭]?(?:maj|min|dim|aug|sus|add|m|M|ø|°|\+)*\d{0,2}(?:(?:sus|add|maj|[#b+-])\d{1,2})*(?:/[A-G][#b♯♭]?)?"
)
_ONLY_CHORDS = re.compile(rf"\s*(?:(?:\|+|-|%|x\d|N\.?C\.?|\(?{_CHORD}\)?|\[{_CHORD}\])(?:\s+|$|(?=\|)))+")
_TELLING = re.compile(r"(?:^|[\s|])[A-G](?:[#b♯♭]|m\b|m(?=\d|aj)|maj|dim|aug|sus|add|\d)|\S {2,}\S|\|")
_INLINE = re.compile(rf"\[{_CHORD}\]")
_TABLATURE = re.compile(r"\s*[eEBGDAd]?\s*\|[-\dhpbrx/\\~|()\s]*-{3,}[-\dhpbrx/\\~|()\s]*\s*")
_DIRECTIVE = re.compile(r"\s*\{(?P<name>[a-zA-Z_]+)\s*(?::\s*(?P<value>[^{}]*?)\s*)?\}\s*")
_SECTIONS = {
    **dict.fromkeys(("soc", "start_of_chorus", "chorus"), "[Chorus]"),
    **dict.fromkeys(("sov", "start_of_verse"), "[Verse]"),
    **dict.fromkeys(("sob", "start_of_bridge"), "[Bridge]"),
}
_COMMENTS = frozenset(("c", "comment", "ci", "comment_italic", "cb", "comment_box"))
_SILENT = frozenset(
    [
        "eoc",
        "end_of_chorus",
        "eov",
        "end_of_verse",
        "eob",
        "end_of_bridge",
        "sot",
        "start_of_tab",
        "eot",
        "end_of_tab",
        "st",
        "subtitle",
        "key",
        "capo",
        "tempo",
        "time",
        "album",
        "year",
        "composer",
        "lyricist",
        "copyright",
        "duration",
        "meta",
        "define",
        "chord",
        "new_song",
        "ns",
        "column_break",
        "colb",
        "new_page",
        "np",
        "x_pad",
        "sorttitle",
        "transpose",
        "textfont",
        "textsize",
        "chordfont",
        "chordsize",
    ]
)
_SECTION_WORD = re.compile(
    r"(?:verse|chorus|bridge|intro|outro|pre-chorus|refrain|hook|interlude)[ \d]*", re.IGNORECASE
)
_MIN_CHORDS = 2


def drop_chords(song: Song) -> Song:
    """Return a song without chords, tablature and the directives of ChordPro, whose title is its header's.

    Lines of chords are taken for such where there are two or more with something that words have not: a sign, a number
    or wide spaces. A chord in brackets counts beside words, so that a section that is called ``[A]`` stays.
    """
    lyric, header = song.lyric, song.header
    if "{" in lyric:
        header, lyric = _drop_directives(header, lyric)
    lines = lyric.split("\n")
    above = {number for number, line in enumerate(lines) if line.strip() and _ONLY_CHORDS.fullmatch(line)}
    if len(above) < _MIN_CHORDS or not any(_TELLING.search(lines[number]) for number in above):
        above = set()
    above |= {number for number, line in enumerate(lines) if "|" in line and _TABLATURE.fullmatch(line)}
    inline = sum(len(_INLINE.findall(line)) for line in lines if "[" in line and not _INLINE.fullmatch(line.strip()))
    if not above and inline < _MIN_CHORDS and header is song.header and lyric == song.lyric:
        return song
    kept = (line for number, line in enumerate(lines) if number not in above)
    if inline >= _MIN_CHORDS:
        kept = (line if _INLINE.fullmatch(line.strip()) else _without_inline(line) for line in kept)
    return Song(header, "\n".join(kept))


def _without_inline(line: str) -> str:
    bare = _INLINE.sub("", line)
    return re.sub(r"[ \t]{2,}", " ", bare).strip() if bare != line else line


def _drop_directives(header: Header, lyric: str) -> tuple[Header, str]:
    kept = []
    for line in lyric.split("\n"):
        match = _DIRECTIVE.fullmatch(line)
        name = match["name"].casefold() if match else ""
        value = (match["value"] or "") if match else ""
        if name in _SECTIONS:
            kept.append(_SECTIONS[name])
        elif name in _COMMENTS:
            kept.append(f"[{value}]" if _SECTION_WORD.fullmatch(value) else value)
        elif field := field_of(name):
            header = merge(header, Header(**{field: value}))
        elif name not in _SILENT:
            kept.append(line)
    return header, "\n".join(kept)
