import gzip
from collections.abc import Callable

import pytest

from model.song import Header, Song
from train.songs.problems import DataError
from train.songs.reading import Reading

Read = Callable[..., Reading]


def lyrics(reading: Reading) -> list[str]:
    return [song.lyric for song in reading.songs]


ONE, TWO = "first song here\nwith two lines", "another one\n\nwith two stanzas"


@pytest.mark.parametrize(
    ("text", "how"),
    [
        (f"{ONE}\n<|endoftext|>\n{TWO}\n<|endoftext|>\n \n", "apart by <|endoftext|>"),
        (f"<|startoftext|>{ONE}<|endoftext|>\n<|startoftext|>{TWO}", "apart by <|endoftext|>"),
        (f"{ONE}\n<|endoftext|>\n{TWO}\n---\n", "apart by <|endoftext|>"),
        (f"{ONE}\n---\n{TWO}\n", "line of dashes"),
        (f"----\n{ONE}\n\n-----\n\n\n{TWO}\n", "line of dashes"),
        (f"{ONE}\n\n\n{TWO}\n\n\n\n", "two or more blank lines"),
        (f"\n\n{ONE}\n \n\t\n\n{TWO}", "two or more blank lines"),
    ],
)
def test_whatever_stands_between_songs_is_recognised(read: Read, text: str, how: str) -> None:
    reading = read("songs.txt", text)
    assert [each.replace("---", "").strip() for each in lyrics(reading)] == [ONE, TWO]
    assert how in reading.report.sources[0].how


def test_one_sample_a_line_is_the_users_own_recipe(read: Read) -> None:
    reading = read("recipe.txt", "".join(f"<|startoftext|>line number {n}<|endoftext|>\n" for n in range(3)))
    assert lyrics(reading) == [f"line number {n}" for n in range(3)]
    assert [reading.place(number)[1] for number in range(3)] == [1, 2, 3]


def test_headers_are_read_and_spaces_and_blank_lines_cleaned(read: Read) -> None:
    reading = read("songs.txt", "title: One\n\nla la  \n\n\n\nlo\n<|endoftext|>\nplain words<|endoftext|>")
    assert list(reading.songs) == [Song(Header(title="One"), "la la\n\nlo"), Song(Header(), "plain words")]


@pytest.mark.parametrize(
    ("encoding", "name"),
    [("utf-8", "UTF-8"), ("utf-8-sig", "UTF-8"), ("cp1252", "CP1252"), ("latin-1", "CP1252"), ("utf-16", "UTF-16")],
)
@pytest.mark.parametrize("line_break", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("packed", [False, True])
def test_every_encoding_and_line_break_reads_the_same(
    read: Read, encoding: str, name: str, line_break: str, *, packed: bool
) -> None:
    text = "title: Été\n\nDéjà vu, mon café\nà côté\n---\nSeñor, mañana\nich weiß es\n"
    content = text.replace("\n", line_break).encode(encoding)
    reading = read("songs.txt", gzip.compress(content) if packed else content)
    assert list(reading.songs) == [
        Song(Header(title="Été"), "Déjà vu, mon café\nà côté"),
        Song(Header(), "Señor, mañana\nich weiß es"),
    ]
    assert reading.report.sources[0].how.startswith(name)


def test_quotes_of_windows_and_other_alphabets_are_read(read: Read) -> None:
    assert lyrics(read("a.txt", "“Don’t go” – she said…\n---\nlo".encode("cp1252")))[0] == "“Don’t go” – she said…"  # noqa: RUF001
    russian = "Все люди имеют право на образование\nи песня моя\n---\nдругая песня"  # noqa: RUF001
    assert "\n---\n".join(lyrics(read("b.txt", russian.encode("cp1251")))) == russian


def test_mixed_encodings_are_read_line_by_line_and_reported(read: Read) -> None:
    content = "déjà vu\nla la\n---\n".encode() + "mon café\n".encode("latin-1")
    reading = read("mixed.txt", content)
    assert lyrics(reading) == ["déjà vu\nla la", "mon café"]
    (problem,) = reading.problems
    assert problem.line == 4
    assert "mixed encodings" in problem.message


def test_a_line_that_nobody_sings_leaves_its_song_out(read: Read) -> None:
    reading = read("songs.txt", f"one\n---\ntwo\n{'la ' * 100_000}\n---\nthree\n")
    assert lyrics(reading) == ["one", "three"]
    (problem,) = reading.problems
    assert (problem.line, "300,000 characters" in problem.message) == (4, True)


def test_a_long_text_without_separators_is_learnt_by_stanza_or_line(read: Read) -> None:
    stanzas = [f"line {n} of many\nand its end {n * 7}" for n in range(150)]
    reading = read("artist.txt", "\n\n".join(stanzas))
    assert lyrics(reading) == stanzas
    assert "stanza" in reading.report.sources[0].how
    assert "auto" in reading.report.unit
    lines = [f"line {n} of {n * 7}" for n in range(300)]
    assert lyrics(read("lines.txt", "\n".join(lines))) == lines


def test_units_are_cut_as_asked_and_stay_with_their_song(read: Read) -> None:
    text = "title: One\n\n[Verse]\nla one\nla two\n\n[Chorus]\nhey ho\n---\nother words\n\nand more"
    stanzas = read("a.txt", text, unit="stanza")
    assert lyrics(stanzas) == ["[Verse]\nla one\nla two", "[Chorus]\nhey ho", "other words", "and more"]
    assert {song.header.title for song in stanzas.songs} == {"One", None}
    assert stanzas.groups.tolist() == [0, 0, 1, 1]
    lines = read("a.txt", text, unit="line")
    assert lyrics(lines) == ["la one", "la two", "hey ho", "other words", "and more"]
    assert lyrics(read("b.txt", "one\ntwo\n\nthree", unit="line")) == ["one", "two", "three"]


def test_unit_song_keeps_a_long_text_whole(read: Read) -> None:
    with pytest.raises(DataError, match="only one song"):
        read("book.txt", "\n".join(f"line {n}" for n in range(300)), unit="song")
