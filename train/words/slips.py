"""What a reader stumbles over: lines that turn in circles, words that nobody knows, subjects that do not come back."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from train.words.rhyme import is_known
from train.words.sung import sung_lines, words_of
from train.words.wording import share

CIRCLES = 3
"""How often a line says the same two words until it turns in circles."""

_BRACKETS = (("(", ")"), ("[", "]"), ("{", "}"), ("\N{LEFT DOUBLE QUOTATION MARK}", "\N{RIGHT DOUBLE QUOTATION MARK}"))

_FUNCTION_WORDS = frozenset(
    """
    a about above across after again against ain't all almost along already also always am among an and another any
    anybody anyone anything are aren't around as at away back be because been before behind being below between both
    but by can can't cannot cause come comes coming could couldn't did didn't do does doesn't doing don't done down
    each either else even ever every everybody everyone everything few for from get gets getting go goes going gone
    gonna got gotta had has hasn't have haven't having he he'd he'll he's her here here's hers herself him himself his
    how i i'd i'll i'm i've if in into is isn't it it'd it'll it's its itself just know let let's like make me might
    mine more most much must my myself near never no nobody none nor not nothing now of off oh on once one only onto
    or other our ours out over own part past put quite really said same say says see she she'd she'll she's should
    shouldn't since so some somebody someone something soon still such take than that that'll that's the their theirs
    them then there there's these they they'd they'll they're they've thing things this those though three through til
    till to too toward two under until up upon us used very wanna was wasn't way we we'd we'll we're we've well went
    were weren't what what's when when's where where's which while who who'll who's whose why will with within without
    won't would wouldn't yeah yes yet you you'd you'll you're you've your yours yourself
    """.split()  # noqa: SIM905 - a list of it would fill pages
)
"""Words that say nothing of what a song is about; they come back in any."""


@dataclass(frozen=True, slots=True)
class Slips:
    """Measurements of lyrics; each is a share between 0 and 1."""

    subject_returns: float
    """Songs in which a content word of the first line or the title comes back later, among those that have one."""
    circling: float
    """Songs with a line that says the same two words ``CIRCLES`` times or more."""
    unknown_words: float
    """Words that neither the dictionary nor a training song has."""
    unbalanced: float
    """Songs with a quote or a bracket that is opened and not closed, or closed and not opened."""


@dataclass(frozen=True, slots=True)
class Lyric:
    """What is measured of a song: its words and its title, if it has one."""

    text: str
    title: str | None = None


def measure_slips(lyrics: Sequence[Lyric], learnt: Iterable[str] = ()) -> Slips:
    """Measure lyrics all together.

    Args:
        lyrics: Songs, with or without section tags.
        learnt: Words of the training songs, in lower case, which count as known.
    """
    known = frozenset(learnt)
    spoken = Counter(word for lyric in lyrics for word in words_of(lyric.text))
    returning = [found for lyric in lyrics if (found := subject_returns(lyric)) is not None]
    return Slips(
        subject_returns=share(sum(returning), len(returning)),
        circling=share(sum(map(_circles, lyrics)), len(lyrics)),
        unknown_words=share(
            sum(count for word, count in spoken.items() if word not in known and not is_known(word)), spoken.total()
        ),
        unbalanced=share(sum(not is_balanced(lyric.text) for lyric in lyrics), len(lyrics)),
    )


def subject_returns(lyric: Lyric) -> bool | None:
    """Return whether a content word of the first line or the title comes back; none where neither has one."""
    first, *later = sung_lines(lyric.text) or [""]
    subject = _content(first) | _content(lyric.title or "")
    return not subject.isdisjoint(_content("\n".join(later))) if subject else None


def is_balanced(text: str) -> bool:
    """Return whether every bracket and every double quote has its partner."""
    return text.count('"') % 2 == 0 and all(_nests(text, *pair) for pair in _BRACKETS)


def _nests(text: str, opening: str, closing: str) -> bool:
    depth = 0
    for mark in re.findall(f"[{re.escape(opening + closing)}]", text):
        depth += 1 if mark == opening else -1
        if depth < 0:
            return False
    return depth == 0


def _content(text: str) -> set[str]:
    return {word.removesuffix("'s") for word in words_of(text)} - _FUNCTION_WORDS


def _circles(lyric: Lyric) -> bool:
    return any(max(Counter(pairwise(words_of(line))).values(), default=0) >= CIRCLES for line in sung_lines(lyric.text))
