# ruff: noqa: RUF001, RUF003 - the phonetic alphabet looks like the Latin one
"""Which words rhyme in American English, after ISLEX, a pronouncing dictionary of 250,000 words with stress."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files

_STRESS = "ˈˌ"
_VOWELS = frozenset("ɑ ɛ æ ɪ i ʊ u ʌ ɔ ə ɚ ɝ oʊ ei ɑɪ aʊ ɔi n̩ l̩".split())  # noqa: SIM905
_SAME_SOUND = (("ə ɹ", "ɚ"), ("ɝ", "ɚ"), ("ʌ", "ə"), ("oʊ ɹ", "ɔ ɹ"), ("n̩", "ə n"), ("l̩", "ə l"), ("ɾ", "t"))
"""Spellings of one sound that ISLEX uses side by side, often for a single word."""


def rhyme(first: str, second: str) -> bool:
    """Return whether two words rhyme: both sound alike from their last stressed vowel on, in any of their readings.

    A word does not rhyme with itself, nor with a word that the dictionary lacks. Case and quotes around do not matter.
    """
    first, second = _bare(first), _bare(second)
    return first != second and not _endings(first).isdisjoint(_endings(second))


def is_known(word: str) -> bool:
    """Return whether the dictionary has a word of lower case as it is, without a genitive's ending, or with its last g.

    Numbers in figures are words, too.
    """
    return any(form in _dictionary() for form in (word, word.removesuffix("'s"), f"{word}g")) or word.isdecimal()


def rhyming_lines(stanza: Sequence[str]) -> dict[int, set[int]]:
    """Return, for distances 1 and 2, the lines whose last word rhymes with that of the line so far below.

    Args:
        stanza: Lines without section tags.
    """
    ends = [line.split()[-1] if line.split() else "" for line in stanza]
    return {
        distance: {index for index in range(len(ends) - distance) if rhyme(ends[index], ends[index + distance])}
        for distance in (1, 2)
    }


def _bare(word: str) -> str:
    return word.replace("’", "'").lower().strip(".,;:!?\"'()[]…—-–*_").rpartition("-")[2]


@cache
def _endings(word: str) -> frozenset[str]:
    """Return how ``word`` may sound from its last stressed vowel on; nothing where it is unknown."""
    readings = _dictionary().get(word, ())
    # A weak form ("the" as in "the end") is not how a word sounds at the end of a line.
    strong = [reading for reading in readings if "ə" not in reading or any(mark in reading for mark in _STRESS)]
    return frozenset(_ending(reading) for reading in strong or readings)


def _ending(reading: str) -> str:
    phones = reading.replace(".", " ").split()
    stressed = [index for index, phone in enumerate(phones) if phone[0] in _STRESS]
    vowels = [index for index, phone in enumerate(phones) if phone.lstrip(_STRESS) in _VOWELS]
    start = max(stressed or vowels[:1] or [0])
    ending = " ".join(phone.lstrip(_STRESS) for phone in phones[start:])
    for sound, spelling in _SAME_SOUND:
        ending = ending.replace(sound, spelling)
    return ending


@cache
def _dictionary() -> Mapping[str, Sequence[str]]:
    """Return every word's readings in IPA, phones apart by spaces, read in half a second.

    pysle carries ISLEX (Mark Hasegawa-Johnson, MIT licence). Its file is read here, since pysle's own reader needs
    pkg_resources, which setuptools has dropped.
    """
    readings: dict[str, list[str]] = defaultdict(list)
    for line in (files("pysle") / "data" / "ISLEdict.txt").read_text(encoding="utf-8").splitlines():
        word, _, rest = line.partition("(")  # moonlight(nn) # m ˈu n . l ˌɑɪ t #
        readings[word].append(rest.partition("#")[2].strip(" #"))
    return dict(readings)
