"""What was never sung is taken out of songs, or shown."""

from collections.abc import Callable

import pytest

from model.song import Header, Song
from tests.train.known_songs import ACCENTED, LYRICS, SONGS, TITLES, as_csv, found, keep, lyrics, plain
from train.songs.reading import Reading

Read = Callable[..., Reading]

PAIRS = list(zip(TITLES, LYRICS, strict=True))


def genius(title: str | None, lyric: str) -> str:
    return (
        f"12 Contributors{title} Lyrics{lyric.replace(chr(10) * 2, f'{chr(10)}You might also like{chr(10) * 2}')}7Embed"
    )


def html(lyric: str) -> str:
    return lyric.replace("&", "&amp;").replace("'", "&#x27;").replace('"', "&quot;").replace("\n", "<br />\n")


def chords(lyric: str) -> str:
    return "\n".join(f"G     C   D7\n{line}" if line and line[0] != "[" else line for line in lyric.split("\n"))


def chordpro(lyric: str) -> str:
    return "\n".join(f"[Am]{line[:5]}[G7]{line[5:]}" if line and line[0] != "[" else line for line in lyric.split("\n"))


def mojibake(lyric: str) -> str:
    return lyric.replace("'", "’").encode().decode("cp1252")  # noqa: RUF001


def homoglyphs(lyric: str) -> str:
    return lyric.replace("the ", "thе ").replace("The ", "Thе\u2005")  # noqa: RUF001


@pytest.mark.parametrize(
    ("spoilt", "kind"),
    [
        ([genius(*pair) for pair in PAIRS], "words of the site it is from"),
        ([html(lyric) for lyric in LYRICS], "HTML"),
        ([chords(lyric) for lyric in LYRICS], "chords"),
        ([chordpro(lyric) for lyric in LYRICS], "chords"),
        ([homoglyphs(lyric) for lyric in LYRICS], "look-alike letters of another alphabet"),
        ([lyric.replace(" ", "\u00a0") for lyric in LYRICS], "odd spaces and invisible characters"),
        (["\n".join(f"[01:{n:02}]{x}" for n, x in enumerate(t.split("\n"))) for t in LYRICS], "times of lines"),
    ],
    ids=["genius", "html", "chords", "chordpro", "homoglyphs", "spaces", "times"],
)
def test_residue_is_taken_out_and_told(read: Read, spoilt: list[str], kind: str) -> None:
    table = as_csv(["title", "lyrics"], zip(TITLES, spoilt, strict=True))
    reading = read("s.csv", table)
    assert plain(reading.songs) == keep(SONGS, "title")
    residue = next(each for each in reading.report.residue if each.kind == kind)
    assert residue.songs >= 3
    assert residue.places[0].endswith("s.csv:2")
    assert residue.after is not None
    kept = read("s.csv", table, clean=False)
    assert lyrics(kept) == [text.strip() for text in spoilt]
    assert {each.kind: each.after for each in kept.report.residue}[kind] is None


def test_mojibake_is_mended(read: Read) -> None:
    reading = read("s.txt", "\n---\n".join(map(mojibake, LYRICS)))
    assert lyrics(reading) == [lyric.replace("'", "’") for lyric in LYRICS]  # noqa: RUF001
    assert "text in a wrong encoding (mojibake)" in found(reading)


def test_chordpro_directives_are_the_header_and_the_sections(read: Read) -> None:
    song = "{title: Paper Ferry}\n{artist: The Slow Oars}\n{soc}\n[C]Row, said the [G]river\n[C]Row\n{eoc}"
    reading = read("s.cho", f"{song}\n---\n{LYRICS[1]}")
    expected = Song(Header(title="Paper Ferry", artist="The Slow Oars"), "[Chorus]\nRow, said the river\nRow")
    assert reading.songs[0] == expected


def test_what_may_be_meant_is_shown_and_stays(read: Read) -> None:
    text = "\n---\n".join(f"{lyric}\nAnd that is all (x4)" for lyric in LYRICS)
    reading = read("s.txt", text)
    assert lyrics(reading) == text.split("\n---\n")
    assert found(reading) == {"how often a line is sung, as (x4)": 4}


def test_the_same_last_words_in_many_songs_and_another_language_are_shown(read: Read) -> None:
    pairs = ["old river", "long city", "cold mountain", "lost station", "last garden", "warm harbour", "wide window"]
    english = [
        f"I walked along the {a} road and thought about the {b}\nAnd every {a} morning I was waiting for the {b}\n"
        f"There is nothing in the {b} that I would never give to you\nThe {a} sky above the house and the {b} is blue\n"
        "Printed by the people of songsforall"
        for a, b in map(str.split, [*pairs, "dark letter", "slow summer", "small table"])
    ]
    more = "El viento canta en la noche y la casa se duerme contigo\nNo quiero volver a la calle"
    reading = read("s.txt", "\n---\n".join([*english, f"{ACCENTED[0].lyric}\n{more}"]))
    kinds = found(reading)
    assert kinds["the same first or last words in many songs"] == 10
    assert kinds["in another language than the rest (es, not en)"] == 1


CLEAN = [
    "I <3 you, R&B and rock & roll; you & me\nA < B, C > D",
    "[A]\nA B C D E F G\nH I J K L M N O P\n\n[B]\nAm I the one? Go, Dad, Go",
    "{Don't know} what {to say}\nC:\\new folder",
    "Все люди имеют право на песню\nи песня моя",  # noqa: RUF001
    "Η αγάπη μου είναι εδώ\nτραγούδι της καρδιάς",  # noqa: RUF001
    "You might also like me\nEmbed yourself\nIt's 10:30 and I'm late",
    "naïve café — “oh”, she said… ¿qué?\nÀ la façon d'été",
    "|: repeat this :|\n- one\n- two",
]


def test_what_is_clean_stays_as_it_is(read: Read) -> None:
    text = "\n<|endoftext|>\n".join(CLEAN)
    reading = read("s.txt", text)
    assert "\n<|endoftext|>\n".join(lyrics(reading)) == text
    assert found(reading) == {}
