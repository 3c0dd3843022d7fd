import pytest

from train.words.slips import Lyric, Slips, is_balanced, measure_slips, subject_returns

RIVER = """[Verse 1]
The river came up in the night
And nobody turned on a light

[Chorus]
Oh river, river, let me go"""


def test_songs_are_measured_as_by_hand() -> None:
    circling = "I've got a I've got a I've got a plan\nfor the blorfing man ("
    assert measure_slips([Lyric(RIVER), Lyric(circling)]) == Slips(
        subject_returns=1 / 2, circling=1 / 2, unknown_words=1 / 33, unbalanced=1 / 2
    )


def test_what_was_learnt_is_known() -> None:
    assert measure_slips([Lyric("blorfing")], learnt=["blorfing"]).unknown_words == 0


@pytest.mark.parametrize("word", ["singin'", "kid's", "1999", "I'm", "o'clock"])
def test_words_are_known_as_they_are_sung(word: str) -> None:
    assert measure_slips([Lyric(word)]).unknown_words == 0


def test_nothing_written_measures_as_nothing() -> None:
    assert measure_slips([]) == Slips(0, 0, 0, 0)


@pytest.mark.parametrize(
    ("lyric", "expected"),
    [
        (Lyric(RIVER), True),
        (Lyric("The river came up\nand left"), False),
        (Lyric("The river's end\nis where the river starts"), True),
        (Lyric("We came and left\nby way of rain", title="Rain"), True),
        (Lyric("And so are we\nand so are you"), None),
        (Lyric(""), None),
        (Lyric("river river"), False),
    ],
)
def test_a_subject_comes_back_after_the_first_line(lyric: Lyric, expected: bool | None) -> None:  # noqa: FBT001
    assert subject_returns(lyric) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('He said, "Go (and (do) it)"', True),
        ('He said, "Go', False),
        (") first (", False),
        ("(left", False),
        ("[Verse 1", False),
        ("it's the boys' own", True),
        ("\N{LEFT DOUBLE QUOTATION MARK}Go", False),
    ],
)
def test_quotes_and_brackets_have_partners_or_not(text: str, expected: bool) -> None:  # noqa: FBT001
    assert is_balanced(text) is expected
