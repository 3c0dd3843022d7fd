"""What stands in songs and was never sung: found, counted, and taken out where that is sure."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from model.song import Header, Song
from train.songs.cleaning.chords import drop_chords
from train.songs.cleaning.fixes import (
    break_lines,
    drop_site_words,
    mend_mojibake,
    plain_spaces,
    replace_lookalikes,
    undo_html,
)
from train.songs.cleaning.suspicion import Suspicions
from train.songs.formats.headers import merge
from train.songs.formats.lrc import looks_stamped, read_lrc
from train.songs.formats.text import tidy

PLACES = 3
"""First places that are shown of a kind."""

_SHOWN = 60


@dataclass(frozen=True, slots=True)
class Residue:
    """One kind of what was found."""

    kind: str
    songs: int
    places: tuple[str, ...]
    """The first ones, as ``path:line``."""
    before: str
    """A line with it."""
    after: str | None
    """What becomes of that line; None where nothing is done about it."""


@dataclass(slots=True)
class _Kind:
    songs: int = 0
    places: list[str] = field(default_factory=list)
    before: str = ""
    after: str = ""


def _drop_times(song: Song) -> Song:
    if not looks_stamped(song.lyric):
        return song
    untimed = read_lrc(song.lyric)
    return Song(merge(song.header, untimed.header), untimed.lyric)


def _of_lyric(fix: Callable[[str], str]) -> Callable[[Song], Song]:
    def on_song(song: Song) -> Song:
        values = dict(song.header.items())
        fixed = {name: fix(value) for name, value in values.items()}
        lyric = fix(song.lyric)
        if lyric == song.lyric and fixed == values:
            return song
        return Song(Header(**fixed) if fixed != values else song.header, lyric)

    return on_song


FIXES: dict[str, Callable[[Song], Song]] = {
    "text in a wrong encoding (mojibake)": _of_lyric(mend_mojibake),
    "HTML": _of_lyric(undo_html),
    "line ends written out as \\n": lambda song: replace(song, lyric=break_lines(song.lyric)),
    "words of the site it is from": lambda song: replace(song, lyric=drop_site_words(song.lyric)),
    "times of lines": _drop_times,
    "chords": drop_chords,
    "look-alike letters of another alphabet": _of_lyric(replace_lookalikes),
    "odd spaces and invisible characters": _of_lyric(plain_spaces),
}
"""What is surely no part of a song, in the order in which it is taken out: what to call it, and how."""


class Cleaner:
    """Takes songs, one after the other, and gives them back cleaned, or as they were where only looking is wanted."""

    def __init__(self, *, clean: bool) -> None:
        self._clean = clean
        self._kinds: dict[str, _Kind] = {}
        self._suspicions = Suspicions()

    def clean(self, song: Song, place: str) -> Song:
        """Return a song without residue."""
        cleaned = song
        for kind, fix in FIXES.items():
            fixed = fix(cleaned)
            if fixed is not cleaned and fixed != cleaned:
                fixed = replace(fixed, lyric=tidy(fixed.lyric))
                self._count(kind, cleaned, fixed, place)
                cleaned = fixed
        result = cleaned if self._clean else song
        self._suspicions.add(result.lyric, place)
        return result

    def found(self) -> tuple[Residue, ...]:
        """Return all that was found, what is taken out first."""
        sure = (
            Residue(kind, each.songs, tuple(each.places), each.before, each.after if self._clean else None)
            for kind, each in self._kinds.items()
        )
        unsure = (
            Residue(each.kind, each.songs, each.places[:PLACES], each.example[:_SHOWN], None)
            for each in self._suspicions.found()
        )
        return (*sure, *unsure)

    def _count(self, kind: str, before: Song, after: Song, place: str) -> None:
        known = self._kinds.setdefault(kind, _Kind())
        known.songs += 1
        if len(known.places) < PLACES:
            known.places.append(place)
        if known.songs == 1:
            known.before, known.after = _first_difference(before, after)


def _first_difference(before: Song, after: Song) -> tuple[str, str]:
    """Return a line that was changed, and what became of it."""
    old, new = (f"{song.header}{song.lyric}".split("\n") for song in (before, after))
    kept = set(new)
    number = next((n for n, line in enumerate(old) if line not in kept and line.strip()), 0)
    was = old[number]
    following = old[number + 1] if number + 1 < len(old) else None
    candidate = new[number] if number < len(new) else ""
    became = "" if candidate == following else candidate
    return was[:_SHOWN], became[:_SHOWN]
