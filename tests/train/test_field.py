"""Songs in the shapes that people really have them, each with what a person expects to be learnt of it."""

import json
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import openpyxl
import pytest

from model.song import Header, Song
from tests.train.known_songs import ACCENTED, LYRICS, SONGS, TITLES, as_csv, found, keep, lyrics, plain
from train.config import DataConfig
from train.songs.formats import files
from train.songs.problems import DataError
from train.songs.reading import Reading, read_songs

Read = Callable[..., Reading]

DASHED = "\n---\n".join(LYRICS) + "\n"
PAIRS = list(zip(TITLES, LYRICS, strict=True))


def read_folder(folder: Path, contents: dict[str, str], **settings: object) -> Reading:
    for name, content in contents.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    return read_songs(DataConfig.model_validate({"data": str(folder)} | settings))


def messages(reading: Reading) -> str:
    return "\n".join(map(str, reading.problems))


# Line ends, encodings and NULs


def test_cr_cr_lf_is_one_line_end_in_a_text_and_in_a_table(read: Read) -> None:
    text = ("\n\n\n".join(LYRICS) + "\n").replace("\n", "\r\r\n")
    assert lyrics(read("doubled.txt", text)) == LYRICS
    rows = [(f"\n        {title}\n    ", f"\n{lyric}\n") for title, lyric in PAIRS]
    table = as_csv(["Title", "Poem"], rows).replace("\n", "\r\r\n")
    assert plain(read("poems.csv", table).songs) == keep(SONGS, "title")


def test_a_cr_inside_a_row_is_no_end_of_it(read: Read) -> None:
    table = "title,lyrics\nOne,la la\rlo lo\nTwo,hey ho\n"
    assert lyrics(read("s.csv", table)) == ["la la\nlo lo", "hey ho"]


@pytest.mark.parametrize(
    ("encoding", "said"),
    [
        ("mac_roman", "Mac Roman (assumed"),
        ("cp1252", "CP1252"),
        ("utf-32", "UTF-32"),
        ("utf-16", "UTF-16"),
        ("utf-16-le", "UTF-16-LE"),
        ("utf-8-sig", "UTF-8"),
    ],
)
def test_old_and_wide_encodings_are_told_apart(read: Read, encoding: str, said: str) -> None:
    text = "\n<|endoftext|>\n".join(f"{song.header}\n{song.lyric}" for song in ACCENTED)
    reading = read("songs.txt", text.encode(encoding))
    assert list(reading.songs) == list(ACCENTED)
    assert reading.report.sources[0].how.startswith(said)


def test_typographic_quotes_of_a_mac_are_quotes(read: Read) -> None:
    text = "It’s “the” end of the pier\nDon’t you cry… my dear\n---\nWe’re “fine” – or so they’d say\nEvery other day"  # noqa: RUF001
    assert "\n---\n".join(lyrics(read("mac.txt", text.encode("mac_roman")))) == text


@pytest.mark.parametrize("encoding", ["shift_jis", "euc_jp", "iso2022_jp"])
def test_japanese_is_read_in_its_three_old_encodings(read: Read, encoding: str) -> None:
    songs = [
        "きみがゆめをみるよる\n風がうたう歌を聞いた\n古いギターの音がする",
        "雨の橋の上で待っている\n遠くの窓に灯がともる\nさよならは言わない",
    ]
    reading = read("songs.txt", "\n---\n".join(songs).encode(encoding))
    assert lyrics(reading) == songs
    assert "assumed" in reading.report.sources[0].how


def test_an_encoding_that_is_told_is_taken(read: Read) -> None:
    text = "\n---\n".join(song.lyric for song in ACCENTED)
    assert lyrics(read("dos.txt", text.encode("cp850"), encoding="cp850")) == [song.lyric for song in ACCENTED]
    assert lyrics(read("utf.txt", text, encoding="cp850")) == [song.lyric for song in ACCENTED]
    with pytest.raises(ValueError, match="there is no encoding 'klingon'"):
        DataConfig(data=("x",), encoding="klingon")


def test_what_may_be_two_encodings_is_refused(read: Read) -> None:
    content = b"s\x97o p\x94o\n---\nla la la\n"
    with pytest.raises(DataError, match=r"may be MAC-ROMAN or CP437: say which with --encoding"):
        read("s.txt", content)
    assert lyrics(read("s.txt", content, encoding="mac_roman")) == ["sóo pîo", "la la la"]


def test_a_few_nuls_are_dropped_and_told(read: Read) -> None:
    reading = read("nul.csv", as_csv(["title", "lyrics"], PAIRS).replace("stamp", "st\0amp\0"))
    assert lyrics(reading) == LYRICS
    assert "nul.csv:5: 2 NUL characters" in messages(reading)
    late = DASHED + "---\n" + "la la la lo\n" * 100 + "one\0more\n"
    assert "\0" not in "".join(lyrics(read("late.txt", late)))


# Tables


def test_lists_in_cells_are_lines_and_names(read: Read) -> None:
    rows = [{"title": song.header.title, "genres": ["folk", "pop"], "lyrics": song.lyric.split("\n")} for song in SONGS]
    reading = read("s.jsonl", "\n".join(map(json.dumps, rows)))
    assert plain(reading.songs) == [Song(Header(song.header.title, "folk, pop"), song.lyric) for song in SONGS]


def test_nan_is_nothing(read: Read) -> None:
    lines = [json.dumps({"title": title, "genre": float("nan"), "lyrics": lyric}) for title, lyric in PAIRS]
    reading = read("s.jsonl", "\n".join([*lines, '{"title": "Lost", "lyrics": NaN}', '{"lyrics": "nan"}']))
    assert plain(reading.songs) == keep(SONGS, "title")
    assert "s.jsonl:5: no lyrics in 'lyrics'" in messages(reading)


@pytest.mark.parametrize("column", ["lines", "song_words_of_it", "lyrics"])
def test_a_column_of_titles_called_song_is_no_column_of_lyrics(read: Read, column: str) -> None:
    rows = [(song.header.artist, song.header.title, song.lyric) for song in SONGS]
    reading = read("s.csv", as_csv(["artist", "song", column], rows))
    assert plain(reading.songs) == keep(SONGS, "artist", "title")


def test_a_column_of_links_is_no_column_of_lyrics(read: Read) -> None:
    rows = [(title, f"/a/{number}/{title}.html", lyric) for number, (title, lyric) in enumerate(PAIRS)]
    assert plain(read("s.csv", as_csv(["song", "lyrics", "text"], rows)).songs) == keep(SONGS, "title")


def test_the_line_of_names_again_is_no_song(read: Read) -> None:
    head = ["ARTIST_NAME", "SONG_NAME", "LYRICS"]
    rows: list[Sequence[object]] = [(song.header.artist, song.header.title, song.lyric) for song in SONGS]
    reading = read("s.csv", as_csv(head, [*rows[:2], head, *rows[2:]]))
    assert plain(reading.songs) == keep(SONGS, "artist", "title")
    assert "the line of column names again" in messages(reading)


def test_one_column_needs_neither_names_nor_quotes(read: Read) -> None:
    column = [[lyric] for lyric in LYRICS]
    unnamed = read("s.csv", as_csv(column[0], column[1:]))
    assert lyrics(unnamed) == LYRICS
    assert "no line of column names" in unnamed.report.sources[0].how
    assert lyrics(read("t.csv", 'lyrics\nOh, the ferry is, at last, home\n"Row," said the river, "row"\n')) == [
        "Oh, the ferry is, at last, home",
        '"Row," said the river, "row"',
    ]


@pytest.mark.parametrize(
    "table",
    [
        "sep=;\n" + as_csv(["title", "lyrics"], PAIRS).replace('","', '";"'),
        "title,lyrics\n"
        + "".join(f'"{title}","{lyric.replace(chr(34), chr(92) + chr(34))}"\n' for title, lyric in PAIRS),
        "title;lyrics\n" + "".join(f'{title};"{lyric.replace(chr(34), chr(34) * 2)}"\n' for title, lyric in PAIRS),
    ],
)
def test_the_dialect_of_a_csv_is_found(read: Read, table: str) -> None:
    if table.startswith("sep=;"):
        table = "sep=;\ntitle;lyrics\n" + "".join(f'{t};"{x.replace(chr(34), chr(34) * 2)}"\n' for t, x in PAIRS)
    assert plain(read("s.csv", table).songs) == keep(SONGS, "title")


def test_a_broken_row_costs_no_other(read: Read) -> None:
    rows = [f'{number},"{lyric.replace(chr(34), chr(34) * 2)}"\n' for number, lyric in enumerate(LYRICS)]
    broken = ['8,"never closed\nand so, it goes\nla, la\n', '9,"closed "twice" over\nla, la"\n']
    reading = read("s.csv", "".join(["title,lyrics\n", rows[0], broken[0], rows[1], broken[1], *rows[2:]]))
    assert lyrics(reading) == LYRICS
    assert [problem.line for problem in reading.problems] == [2 + LYRICS[0].count("\n") + 1, 15 + LYRICS[1].count("\n")]


def test_what_was_printed_into_cells_is_undone(read: Read) -> None:
    printed = [(title, str(lyric.split("\n"))) for title, lyric in PAIRS]
    assert plain(read("lists.csv", as_csv(["song", "lyrics"], printed)).songs) == keep(SONGS, "title")
    dicts = [(title, str(dict(enumerate(lyric.split("\n"))))) for title, lyric in PAIRS]
    assert plain(read("dicts.csv", as_csv(["song", "lyrics"], dicts)).songs) == keep(SONGS, "title")
    escaped = [(title, lyric.replace("\n", "\\n")) for title, lyric in PAIRS]
    reading = read("escaped.csv", as_csv(["song", "lyrics"], escaped))
    assert plain(reading.songs) == keep(SONGS, "title")
    assert found(reading) == {"line ends written out as \\n": 4}


def test_a_row_a_line_is_joined_by_title(read: Read) -> None:
    head = ["artist", "track_title", "lyric", "line"]
    rows = [
        (song.header.artist, song.header.title, line, number)
        for song in SONGS
        for number, line in enumerate([line for line in song.lyric.split("\n") if line], 1)
    ]
    reading = read("s.csv", as_csv(head, rows))
    assert plain(reading.songs) == keep(SONGS, "artist", "title")
    assert "a line of a song a row" in reading.report.sources[0].how
    shuffled = sorted(rows, key=lambda row: (TITLES.index(row[1]), -row[3]))
    assert plain(read("t.csv", as_csv(head, shuffled)).songs) == keep(SONGS, "artist", "title")


def test_a_workbook_is_read(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    for row in [("title", "lyrics"), *PAIRS]:
        book.active.append(row)
    book.save(tmp_path / "songs.xlsx")
    assert plain(read_songs(DataConfig(data=(str(tmp_path / "songs.xlsx"),))).songs) == keep(SONGS, "title")


# JSON


def as_rows() -> list[dict[str, str | None]]:
    return [{"title": title, "lyrics": lyric} for title, lyric in PAIRS]


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize(
    "document",
    [
        as_rows(),
        {"songs": [row | {"id": 1, "album": {"name": "First"}} for row in as_rows()]},
        dict(PAIRS),
        {title: {"lyrics": lyric, "year": 2001} for title, lyric in PAIRS},
        {"albums": [{"name": "First", "tracks": as_rows()[:2]}, {"name": "Second", "tracks": as_rows()[2:]}]},
        {name: {str(n): row[name] for n, row in enumerate(as_rows())} for name in ("title", "lyrics")},
    ],
    ids=["array", "songs", "titles", "objects", "albums", "pandas"],
)
def test_json_documents_are_read(read: Read, document: object, indent: int | None) -> None:
    assert plain(read("s.json", json.dumps(document, indent=indent)).songs) == keep(SONGS, "title")


def test_a_list_of_texts_and_an_artist_as_lyricsgenius_saves_one(read: Read) -> None:
    assert lyrics(read("s.json", json.dumps(LYRICS))) == LYRICS
    saved = {"name": "Nine Crumbs", "id": 1, "songs": as_rows()}
    assert {song.header.artist for song in read("a.json", json.dumps(saved)).songs} == {"Nine Crumbs"}


def test_json_that_is_broken_says_what_to_do(read: Read) -> None:
    with pytest.raises(DataError, match=r"is no JSON .*: mend it, or save it as JSON Lines"):
        read("s.json", json.dumps(as_rows(), indent=1)[:-20])
    with pytest.raises(DataError, match="JSON without songs that are recognised"):
        read("t.json", '{"settings": {"volume": 3}}')


# Text files and folders


def test_front_matter_is_a_header(tmp_path: Path) -> None:
    contents = {
        f"{n}.md": f"---\ntitle: {song.header.title}\nartist: {song.header.artist}\nyear: 2006\n---\n\n{song.lyric}\n"
        for n, song in enumerate(SONGS)
    }
    reading = read_folder(tmp_path, contents)
    assert plain(reading.songs) == keep(SONGS, "title", "artist")
    assert "no such field: year" in messages(reading)


def test_front_matter_of_many_songs_in_one_file(read: Read) -> None:
    text = "".join(f"---\nTitle: {song.header.title}\n---\n\n{song.lyric}\n" for song in SONGS)
    assert plain(read("s.txt", text).songs) == keep(SONGS, "title")


@pytest.mark.parametrize("rule", ["==========", "\n* * *\n", "***", "_____", "- - -", "~~~"])
def test_lines_of_signs_stand_between_songs(read: Read, rule: str) -> None:
    assert lyrics(read("s.txt", f"\n{rule}\n".join(LYRICS))) == LYRICS


def test_a_separator_can_be_named(read: Read) -> None:
    assert lyrics(read("s.txt", "\n** next **\n".join(LYRICS), separator="** next **")) == LYRICS


@pytest.mark.parametrize("line", ["{n}. {title}", "# {title}", "{n}) {title}"])
def test_numbered_titles_and_headings_stand_between_songs(read: Read, line: str) -> None:
    parts = [f"{line.format(n=n, title=title)}\n\n{lyric}" for n, (title, lyric) in enumerate(PAIRS, 1)]
    assert plain(read("s.txt", "\n\n".join(parts)).songs) == keep(SONGS, "title")


def test_files_without_an_ending_are_read_and_what_stands_under_them_is_their_header(tmp_path: Path) -> None:
    contents = {
        f"{song.header.artist}/{n} {song.header.title}": f"{song.lyric}\n\n{'_' * 20}\nName    {song.header.title}\n"
        f"Artist  {song.header.artist}\nAlbum   First\n"
        for n, song in enumerate(SONGS)
    }
    reading = read_folder(tmp_path, contents | {"St. James": "no, not this one\nbut still a song", "cover.jpg": "x"})
    expected = {*keep(SONGS, "title", "artist"), Song(Header(), "no, not this one\nbut still a song")}
    assert set(plain(reading.songs)) == expected
    assert "cover.jpg: not a kind of file" in messages(reading)


def test_a_folder_of_one_song_a_file_keeps_each_whole(tmp_path: Path) -> None:
    wide = LYRICS[3].replace("\n\n", "\n\n\n")
    long = "\n".join(f"line {n} of a very long ballad" for n in range(250))
    contents = {
        f"{n}.txt": text for n, text in enumerate([*LYRICS[:3], *(f"song {n}\nla" for n in range(6)), wide, long])
    }
    assert len(read_folder(tmp_path, contents).songs) == 11


def test_lrc_is_read_without_its_times(tmp_path: Path) -> None:
    def timed(lyric: str) -> str:
        return "".join(f"[00:{n:02}.50]{line}\n" for n, line in enumerate(lyric.split("\n")))

    contents = {
        f"{n}.lrc": f"[ar:{song.header.artist}]\n[ti:{song.header.title}]\n[by:somebody]\n{timed(song.lyric)}"
        for n, song in enumerate(SONGS)
    }
    assert plain(read_folder(tmp_path, contents).songs) == keep(SONGS, "artist", "title")


def test_lines_with_several_times_stand_at_each(tmp_path: Path) -> None:
    contents = {
        "a.lrc": "[00:01.00][00:03.00]Row, row\n[00:02.00]I don't <00:02.50>know\n",
        "b.lrc": "[00:01.00]la la\n",
    }
    assert lyrics(read_folder(tmp_path, contents)) == ["Row, row\nI don't know\nRow, row", "la la"]


def test_an_archive_is_read_as_a_folder_is(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "songs.zip", "w") as archive:
        for number, lyric in enumerate(LYRICS[:2]):
            archive.writestr(f"songs/{number}.txt", lyric)
        archive.writestr("__MACOSX/._1.txt", "x")
        archive.writestr("../../table.csv", as_csv(["title", "lyrics"], PAIRS[2:]))
    reading = read_songs(DataConfig(data=(str(tmp_path / "songs.zip"),)))
    assert set(lyrics(reading)) == set(LYRICS)
    assert {source.label.rpartition("/")[2] for source in reading.report.sources} == {"0.txt", "1.txt", "table.csv"}


# Bounds


def test_what_unpacks_to_too_much_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "ALWAYS_UNPACKED", 1000)
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.txt", "la\n" * 1_000_000)
    with pytest.raises(DataError, match="unpacks to more than 100 times its size"):
        read_songs(DataConfig(data=(str(tmp_path / "bomb.zip"),)))


def test_a_link_that_leads_out_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("a diary, not a song\nof mine", encoding="utf-8")
    (tmp_path / "songs").mkdir()
    (tmp_path / "songs" / "link.txt").symlink_to(tmp_path / "secret.txt")
    reading = read_folder(tmp_path / "songs", {"a.txt": DASHED})
    assert lyrics(reading) == LYRICS
    assert "leads out of the folder" in messages(reading)
