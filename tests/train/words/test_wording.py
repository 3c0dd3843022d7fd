import pytest

from train.words.sung import words_of
from train.words.wording import measure_wording, tags_in_order

SONG = """[Verse 1]
The road is long
I sing a song
Thou art the road

[Chorus]
La la la la
La la la la

[Verse 2]
The road is LONG,
O'er and out"""


def test_words_leave_out_tags_case_and_punctuation() -> None:
    assert words_of("[Verse 1]\nO\N{RIGHT SINGLE QUOTATION MARK}er the 'Hill', don't!") == [
        "o'er",
        "the",
        "hill",
        "don't",
    ]


def test_a_song_is_measured_as_by_hand() -> None:
    wording = measure_wording([SONG])
    assert wording.words_per_song == 27
    assert wording.distinct_1 == 14 / 27
    assert wording.distinct_2 == 16 / 26
    assert wording.repeated_lines == 1 / 5
    assert wording.archaic == 2 / 27
    assert wording.rhyming_lines == 2 / 7
    assert (wording.rhyme_adjacent, wording.rhyme_alternate) == (1 / 4, 0)
    assert wording.tags_in_order == 1


def test_nothing_written_measures_as_nothing() -> None:
    wording = measure_wording([])
    assert wording.tags_in_order is None
    assert wording.distinct_1 == wording.rhyming_lines == wording.words_per_song == 0


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ("[Verse 1] [Chorus] [Verse 2] [Chorus] [Bridge] [Chorus] [Outro]", True),
        ("[Intro] [Verse]", True),
        ("[Verse 2] [Verse 1]", False),
        ("[Verse 1] [Verse 1]", False),
        ("[Verse 1] [Verse 3]", False),
        ("[Outro] [Verse 1]", False),
        ("[Verse 1] [Intro]", False),
        ("[Bridge] [Verse 1]", False),
    ],
)
def test_tags_are_in_order_or_not(tags: str, expected: bool) -> None:  # noqa: FBT001
    assert tags_in_order(tags.replace("] [", "]\n[").splitlines()) is expected
