import pytest

from tests.conftest import VERSES
from train.words.legible import is_legible


@pytest.mark.parametrize(
    "lyric",
    [
        *VERSES,
        "[Verse 1]\nla la la la\nla la la la\nfor all of you\nand all of me\nto sing",
        "Über die Brücke (ja!)\nGehn wir zu zweit, für 100 Jahre",
        "月の光が水に揺れ\n夜の風が歌を運ぶ",
        "Луна над водой\nИ тихая дорога",
        "चाँद नदी पर\nऔर राह चुप है आज",
    ],
)
def test_lyrics_are_text_in_any_language(lyric: str) -> None:
    assert is_legible(lyric)


@pytest.mark.parametrize(
    "lyric",
    [
        "",
        "\n\n \n",
        "oh",
        "the " * 60,
        "1 2 3 4 5 6 7 8 9 10 11 12 13",
        "]]]]]) ; :: ((( -- -- ... !!! and",
        "two lanterns \ufffd\ufffd\ufffd on the water",
        "two lanterns on the water \x1b[31m\x1b[0m",
    ],
)
def test_what_nobody_could_read_is_none(lyric: str) -> None:
    assert not is_legible(lyric)
