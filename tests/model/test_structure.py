import pytest

from model.song import without_open_end
from model.structure import count_choruses, may_end, returning_lines

SONG = """[Verse 1]
The road is long
I sing a song

[Chorus]
Oh river, river
Let me go

[Verse 2]
The road is dark
I cross the park
"""


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ("\n[Chorus]\n", "Oh river, river\nLet me go"),
        ("\n[Chorus]", None),
        ("\n[Chorus]\nOh", None),
        ("\n[Chorus 2]\n", None),
        ("\n[Verse 1]\n", None),
        ("\n", None),
        ("", None),
    ],
)
def test_a_chorus_that_opens_again_brings_the_lines_of_the_first(more: str, expected: str | None) -> None:
    assert returning_lines(SONG + more) == expected


@pytest.mark.parametrize(
    ("lyric", "expected"),
    [
        ("[Chorus]\n", None),
        ("[Chorus]\n\n[Chorus]\n", None),
        ("[Hook]\nGo\n[Verse]\nNo\n[Hook]\n", "Go"),
        ("[Chorus]\nGo\n\nOn\n\n[Chorus]\n", "Go"),
        ("", None),
        ("\n", None),
    ],
)
def test_only_lines_that_are_there_come_back(lyric: str, expected: str | None) -> None:
    assert returning_lines(lyric) == expected


STANZA = "[Verse 1]\naaaa\nbbbb\ncccc\ndddd\n"  # 30 characters with its tag


@pytest.mark.parametrize(
    ("lyric", "room", "expected"),
    [
        (STANZA + "\n", 29, False),  # The stanza is 29 long without its last break.
        (STANZA + "\n", 28, True),
        (STANZA, 9, False),  # Two lines of 4, and a tenth to spare.
        (STANZA, 8, True),
        ("[Verse 1]\naaaa\n", 5, False),
        ("[Verse 1]\naaaa\n", 4, True),
        (STANZA + "\n[Chorus]\n", 9, False),
        (STANZA + "\n[Chorus]\n", 8, True),
        (STANZA + "eee", 0, False),
        ("[Verse 1]\n", 1, False),
        ("", 0, False),
    ],
)
def test_a_lyric_ends_where_its_next_part_does_not_fit(lyric: str, room: float, expected: bool) -> None:  # noqa: FBT001
    assert may_end(lyric, room) is expected


def test_choruses_are_counted() -> None:
    chorus = "\n\n[Chorus]\nGo\nOn"
    assert count_choruses(f"[Verse 1]\nA{chorus}\n\n[Verse 2]\nB{chorus}{chorus}ward\n\n[Hook]\nC") == (2, 1)


@pytest.mark.parametrize(
    ("lyric", "expected"),
    [("A\nB\n\n[Chorus]\n", "A\nB"), ("A\n\n", "A"), ("A\n[Chorus]\nB", "A\n[Chorus]\nB"), ("[Chorus]\n", "")],
)
def test_nothing_is_left_open_at_the_end(lyric: str, expected: str) -> None:
    assert without_open_end(lyric) == expected
