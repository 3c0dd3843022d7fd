"""Songs that tests write in the shapes that people have them, and what was read of them."""

import csv
import io
from collections.abc import Iterable, Sequence

from model.song import Header, Song
from train.songs.reading import Reading

SONGS = (
    Song(
        Header(title="Paper Ferry", genre="folk", artist="The Slow Oars"),
        "[Verse 1]\nI folded a ferry from yesterday's news\nAnd set it to sail in the rain\n"
        'It carried a button, a stamp and the blues\nIt never came home again\n\n[Chorus]\n"Row," said the river, '
        '"row"\nI don\'t know where the paper boats go',
    ),
    Song(
        Header(title="Grandmother's Toaster", genre="pop", artist="Nine Crumbs"),
        "[Verse 1]\nThe toaster is older than both of my knees\nIt burns what it loves, and it loves what I eat\n\n"
        "[Chorus]\nPop up, pop up, little sun\nBreakfast is over before it's begun\nPop up, pop up, one by one",
    ),
    Song(
        Header(title="Night Shift, Bay Four", genre="country", artist="Nine Crumbs"),
        "[Verse 1]\nThe forklift is humming a song in the cold\nI lift what they tell me, I hold what I hold\n"
        "The moon has a lunch break at quarter to three\nShe sits on the roof and she's smoking like me\n\n"
        "[Bridge]\nMorning, morning, take your time",
    ),
    Song(
        Header(title="Eleven Umbrellas", genre="folk", artist="The Slow Oars"),
        "[Verse 1]\nEleven umbrellas went down to the shore\nTen of them open, one broken before\n\n[Verse 2]\n"
        "The wind had a party and nobody came\nBut every umbrella remembers its name\n\n[Chorus]\nTurn me inside out",
    ),
)
LYRICS = [song.lyric for song in SONGS]
TITLES = [song.header.title for song in SONGS]

ACCENTED = (
    Song(
        Header(title="Café Mañana"),
        "Señor, el café está muy frío\nMañana será otro día\nLa niña corrió detrás del río\n"
        "Y el corazón también sabía\n¿Quién guardó la canción?\n¡Qué pequeña decisión!",
    ),
    Song(
        Header(title="Über den Dächern"),
        "Über den Dächern schläft müde der Föhn\nIch weiß, daß die Träume am schönsten vergehn\n"
        "Größer als Häuser und süßer als Öl\nKäme die Nacht, wär's mir schöner zu zweit",
    ),
    Song(
        Header(title="L'été dernier"),
        "Où es-tu passé, mon été dernier?\nLà-bas près des forêts, à côté du passé\n"
        "J'ai rêvé d'être âgé, j'ai pleuré ça et là\nVoilà le garçon et sa guitare fêlée",
    ),
)


def plain(songs: Iterable[Song]) -> list[Song]:
    """Return the songs with what is empty taken out of their headers."""
    return [Song(Header(**dict(song.header.items())), song.lyric) for song in songs]


def lyrics(reading: Reading) -> list[str]:
    return [song.lyric for song in reading.songs]


def titles(reading: Reading) -> list[str | None]:
    return [song.header.title for song in reading.songs]


def keep(songs: Iterable[Song], *fields: str) -> list[Song]:
    """Return the songs with these header fields alone."""
    return [Song(song.header.keep(frozenset(fields)), song.lyric) for song in songs]


def as_csv(head: Sequence[str], rows: Iterable[Sequence[object]], line_end: str = "\n") -> str:
    file = io.StringIO(newline="")
    csv.writer(file, lineterminator=line_end).writerows([head, *rows])
    return file.getvalue()


def found(reading: Reading) -> dict[str, int]:
    return {each.kind: each.songs for each in reading.report.residue}
