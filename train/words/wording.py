"""What can be told of lyrics from their words and section tags alone."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, pairwise

from model.song import is_tag
from train.words.rhyme import rhyming_lines
from train.words.sung import words_of

ARCHAIC = frozenset(
    """
    alas betwixt canst cometh couldst didst dost doth e'en e'er ere forsooth gainst giveth goeth hadst hast hath
    hither knoweth lo maketh mayst methinks ne'er neath o'er oft prithee quoth saith shalt shouldst spake taketh
    thee thence thine thither thou thy thyself tis twas twere twould verily wert whence wherefore whither
    wouldst ye yon yonder
    """.split()  # noqa: SIM905 - a list of it would fill the page
)
"""Words that songs of today do without; none of them has a modern meaning beside the old one."""

_TAG = re.compile(r"\[(?P<name>\D+?) ?(?P<number>\d+)?\]")
_REFRAINS = ("chorus", "hook", "refrain")


@dataclass(frozen=True, slots=True)
class Wording:
    """Measurements of lyrics; each is a share between 0 and 1, but for ``words_per_song``."""

    words_per_song: float
    distinct_1: float
    """Different words among all words (Li et al. 2016, "A Diversity-Promoting Objective Function…", section 5)."""
    distinct_2: float
    """The same for pairs of neighbouring words."""
    repeated_lines: float
    """Lines outside choruses that stood outside choruses of their song before."""
    tags_in_order: float | None
    """Songs whose section tags are in order, among those with tags; none where no song has any."""
    archaic: float
    """Words in ``ARCHAIC``."""
    rhyming_lines: float
    """Lines that rhyme with a line one or two away in their stanza."""
    rhyme_adjacent: float
    """Pairs of lines that follow each other and rhyme."""
    rhyme_alternate: float
    """Pairs of lines with one line between them that rhyme."""


@dataclass(frozen=True, slots=True)
class _Stanza:
    is_refrain: bool
    lines: tuple[str, ...]


def measure_wording(lyrics: Sequence[str]) -> Wording:
    """Measure lyrics all together: long songs weigh more than short ones."""
    songs = [words_of(lyric) for lyric in lyrics]
    spoken = list(chain.from_iterable(songs))
    pairs = list(chain.from_iterable(map(pairwise, songs)))
    stanzas = [_stanzas(lyric) for lyric in lyrics]
    rhymes = _count_rhymes_of(chain.from_iterable(stanzas))
    outside = [
        _words_of_lines(line for stanza in song if not stanza.is_refrain for line in stanza.lines) for song in stanzas
    ]
    tagged = [tags for lyric in lyrics if (tags := [line for line in lyric.splitlines() if is_tag(line)])]
    return Wording(
        words_per_song=share(len(spoken), len(lyrics)),
        distinct_1=share(len(set(spoken)), len(spoken)),
        distinct_2=share(len(set(pairs)), len(pairs)),
        repeated_lines=share(sum(len(song) - len(set(song)) for song in outside), sum(map(len, outside))),
        tags_in_order=share(sum(map(tags_in_order, tagged)), len(tagged)) if tagged else None,
        archaic=share(sum(word in ARCHAIC for word in spoken), len(spoken)),
        rhyming_lines=share(rhymes["rhyming"], rhymes["lines"]),
        rhyme_adjacent=share(rhymes["adjacent"], rhymes["adjacent pairs"]),
        rhyme_alternate=share(rhymes["alternate"], rhymes["alternate pairs"]),
    )


def rhyming_share(lyrics: Iterable[str]) -> float:
    """Return the share of the lines that rhyme with a line one or two away in their stanza."""
    rhymes = _count_rhymes_of(chain.from_iterable(map(_stanzas, lyrics)))
    return share(rhymes["rhyming"], rhymes["lines"])


def tags_in_order(tags: Iterable[str]) -> bool:
    """Return whether the section tags of a song stand in an order that makes sense.

    Numbers count up from 1 for each name, an intro stands first only, an outro last only, and no song opens with a
    bridge.
    """
    parsed = [(match["name"].lower(), match["number"]) for tag in tags if (match := _TAG.fullmatch(tag.strip()))]
    counts = Counter[str]()
    for position, (name, number) in enumerate(parsed):
        if number is not None:
            counts[name] += 1
            if int(number) != counts[name]:
                return False
        if (name == "intro" and position > 0) or (name == "outro" and position < len(parsed) - 1):
            return False
    return not parsed or parsed[0][0] != "bridge"


def share(part: float, whole: float) -> float:
    """Return ``part / whole``, 0 of nothing."""
    return part / whole if whole else 0.0


def _stanzas(lyric: str) -> list[_Stanza]:
    """Split a lyric at blank lines and section tags; a tag holds for every stanza up to the next one."""
    return list(_each_stanza(lyric))


def _each_stanza(lyric: str) -> Iterator[_Stanza]:
    is_refrain = False
    lines: list[str] = []
    for line in [*lyric.splitlines(), ""]:
        if line.strip() and not is_tag(line):
            lines.append(line)
            continue
        if lines:
            yield _Stanza(is_refrain, tuple(lines))
            lines = []
        if line.strip():
            is_refrain = any(name in line.lower() for name in _REFRAINS)


def _words_of_lines(lines: Iterable[str]) -> list[tuple[str, ...]]:
    return [tuple(words_of(line)) for line in lines]


def _count_rhymes_of(stanzas: Iterable[_Stanza]) -> Counter[str]:
    rhymes = Counter[str]()
    for stanza in stanzas:
        rhymes.update(_count_rhymes(stanza.lines))
    return rhymes


def _count_rhymes(lines: Sequence[str]) -> dict[str, int]:
    pairs = rhyming_lines(lines)
    rhyming = {line for distance, firsts in pairs.items() for first in firsts for line in (first, first + distance)}
    return {
        "lines": len(lines),
        "rhyming": len(rhyming),
        "adjacent": len(pairs[1]),
        "adjacent pairs": max(0, len(lines) - 1),
        "alternate": len(pairs[2]),
        "alternate pairs": max(0, len(lines) - 2),
    }
