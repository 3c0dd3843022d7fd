from collections.abc import Callable
from pathlib import Path

import pytest

from tests.train.words.test_duplicates import make_lyric, vary
from train.config import DataConfig
from train.songs.reading import Reading, read_songs
from train.songs.split import Split, split_songs

Read = Callable[..., Reading]

SONGS = [f"title: Song {seed}\n\n{make_lyric(seed, 60)}" for seed in range(40)]


def text_of(*songs: str) -> str:
    return "\n<|endoftext|>\n".join(songs)


def sides(split: Split) -> tuple[set[str], set[str]]:
    return {song.lyric for song in split.train}, {song.lyric for song in split.validation}


def test_the_split_keeps_every_song_on_one_side_and_repeats_itself(read: Read) -> None:
    reading = read("songs.txt", text_of(*SONGS))
    split = split_songs(reading, 0.1, seed=1)
    assert len(split.validation) == 4
    assert sorted(map(str, [*split.train, *split.validation])) == sorted(map(str, reading.songs))
    again = split_songs(reading, 0.1, seed=1)
    assert again.fingerprint == split.fingerprint
    assert again.train.key == split.train.key
    assert split_songs(reading, 0.1, seed=2).fingerprint != split.fingerprint
    assert split_songs(read("songs.txt", text_of(*SONGS[1:])), 0.1, seed=1).fingerprint != split.fingerprint


def test_what_is_held_out_depends_on_the_words_and_not_on_the_order(read: Read, tmp_path: Path) -> None:
    split = split_songs(read("songs.txt", text_of(*SONGS)), 0.1, seed=1)
    (tmp_path / "b.txt").write_text(text_of(*SONGS[:15]), encoding="utf-8")
    (tmp_path / "a.txt").write_text(text_of(*reversed(SONGS[15:])), encoding="utf-8")
    parts = DataConfig(data=(str(tmp_path / "a.txt"), str(tmp_path / "b.txt")))
    assert sides(split_songs(read_songs(parts), 0.1, seed=1)) == sides(split)


@pytest.mark.parametrize("seed", range(8))
def test_near_duplicates_never_cross_the_split(read: Read, seed: int) -> None:
    originals = [make_lyric(number) for number in range(40)]
    versions = [f"{vary(lyric, 0.05, number)}\nagain" for number, lyric in enumerate(originals)]
    reading = read("songs.txt", text_of(*originals, *versions, *(lyric.upper() for lyric in originals)))
    assert len(reading.songs) == 80
    assert (reading.report.exact_duplicates, reading.report.near_duplicates) == (40, 40)
    learnt, held_out = sides(split_songs(reading, 0.2, seed=seed))
    assert len(held_out) == 16
    for original, version in zip(originals, versions, strict=True):
        assert (original in learnt) == (version in learnt)


def test_parts_of_a_song_never_cross_the_split(read: Read) -> None:
    songs = ["\n\n".join(make_lyric(10 * n + part, 30) for part in range(4)) for n in range(20)]
    for unit in ("stanza", "line"):
        reading = read("songs.txt", text_of(*songs), unit=unit)
        _, held_out = sides(split_songs(reading, 0.1, seed=1))
        touched = [song for song in songs if any(part in song for part in held_out)]
        assert len(touched) == 2


@pytest.mark.parametrize("fraction", [0.001, 0.999])
def test_both_sides_of_a_split_have_a_song(read: Read, fraction: float) -> None:
    for songs in (SONGS, [*[vary(SONGS[0], 0.03, n) for n in range(9)], SONGS[1]], SONGS[:2]):
        split = split_songs(read("songs.txt", text_of(*songs)), fraction, seed=1)
        assert len(split.train)
        assert len(split.validation)


def test_the_opening_tag_is_the_one_that_most_songs_have(read: Read) -> None:
    tagged = [f"[Verse 1]\n{make_lyric(seed, 60)}" for seed in range(100, 130)]
    assert split_songs(read("a.txt", text_of(*tagged, *SONGS[:20])), 0.1, seed=1).opening_tag == "[Verse 1]"
    split = split_songs(read("b.txt", text_of(*tagged[:10], *SONGS)), 0.1, seed=1)
    assert split.opening_tag is None
    assert split.header_fields == ("title",)
    assert split.header_values == {}


def test_the_most_common_values_of_a_header_come_first(read: Read) -> None:
    heads = [f"mood: {mood}\ntheme: {'x' * 101}" for mood in "abbccc" * 3]
    songs = [f"{head}\n\n{make_lyric(seed, 60)}" for seed, head in enumerate(heads)]
    values = split_songs(read("songs.txt", text_of(*songs)), 0.01, seed=1).header_values
    assert values == {"mood": ("c", "b", "a"), "theme": ()}


def test_a_checkpoint_learns_whether_choruses_return(read: Read) -> None:
    def song(seed: int, *choruses: str) -> str:
        return make_lyric(seed, 60) + "".join(f"\n\n[Chorus]\n{chorus}" for chorus in choruses)

    songs = [song(seed, "Oh, once", "Oh, once" if seed < 40 else "Oh, twice") for seed in range(60)]
    assert split_songs(read("a.txt", text_of(*songs)), 0.1, seed=1).choruses_return
    assert not split_songs(read("b.txt", text_of(*songs[30:])), 0.1, seed=1).choruses_return
    assert not split_songs(read("c.txt", text_of(*SONGS)), 0.1, seed=1).choruses_return


def test_songs_of_one_line_have_no_stanzas(read: Read) -> None:
    assert split_songs(read("a.txt", text_of(*SONGS)), 0.1, seed=1).has_stanzas
    assert not split_songs(read("b.txt", text_of(*SONGS), unit="line"), 0.1, seed=1).has_stanzas


def test_data_of_a_line_a_sample_are_single_lines(read: Read) -> None:
    recipe = "\n".join(f"<|startoftext|>{line}<|endoftext|>" for line in make_lyric(1, 360).splitlines())
    assert split_songs(read("recipe.txt", recipe), 0.1, seed=1).has_single_lines
    assert not split_songs(read("songs.txt", text_of(*SONGS)), 0.1, seed=1).has_single_lines
