import pytest

from model.song import Header, Song
from train.songs.formats.headers import read_song


def test_what_was_written_is_read_back() -> None:
    song = Song(Header("One", "folk", "calm", "rain", "Us"), "[Verse 1]\nLine\n\n[Chorus]\nLine")
    assert read_song(str(song)) == (song, [])


@pytest.mark.parametrize(
    ("text", "header", "unknown"),
    [
        ("genre: folk \ntitle:One\n\nLine\n", Header(title="One", genre="folk"), []),
        ("TITLE: One\nAlbum: First\nBand: Us\n\nLine", Header(title="One", artist="Us"), ["Album"]),
        ("---\ntitle: 'One'\ntags: [a, b]\ngenre:\n  - folk\n  - country\n---\n\nLine", None, ["tags"]),
    ],
)
def test_names_are_read_in_any_case_and_unknown_ones_are_told(
    text: str, header: Header | None, unknown: list[str]
) -> None:
    assert read_song(text) == (Song(header or Header(title="One", genre="folk, country"), "Line"), unknown)


@pytest.mark.parametrize(
    "text",
    [
        "title: that is all she wrote\nand then she left",
        "title: no blank line\nla",
        "me: hello\nyou: goodbye\n\nand so it goes",
        "# no Markdown\n\nla",
    ],
)
def test_a_lyric_that_begins_like_a_header_stays_whole(text: str) -> None:
    assert read_song(text) == (Song(Header(), text), [])


def test_the_heading_of_markdown_is_the_title() -> None:
    assert read_song("# One #\n\nLine", markdown=True) == (Song(Header(title="One"), "Line"), [])
