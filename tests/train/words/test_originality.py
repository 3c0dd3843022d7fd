import random

from model.song import Header, Song
from train.words.originality import measure_originality

TRAINING = [
    Song(Header(title="Rivers"), "[Verse 1]\none two three four five\nsix seven eight nine ten"),
    Song(Header(), "[Verse 1]\nUp the hill\nand down again we go"),
]


def test_copied_runs_and_the_longest_are_found_across_lines_case_and_punctuation() -> None:
    found = measure_originality(["Zero, ONE two three\n[Chorus]\nfour five six seven eight nine! and"], TRAINING)
    assert found.copied_runs == 2 / 4
    assert (found.longest_run, found.longest_source) == (9, "Rivers")
    assert found.longest_text == "one two three four five six seven eight nine"


def test_a_song_without_title_is_named_by_its_first_line() -> None:
    found = measure_originality(["we go down again we go"], TRAINING)
    assert (found.longest_text, found.longest_source) == ("down again we go", "Up the hill")
    assert found.copied_runs == 0


def test_a_run_crosses_neither_the_end_of_a_lyric_nor_of_a_song() -> None:
    assert measure_originality(["x one two", "three four y"], TRAINING).longest_run == 2
    assert measure_originality(["nine ten up the"], TRAINING).longest_run == 2
    assert measure_originality([], TRAINING).longest_run == 0


def test_the_longest_run_is_what_a_search_of_everything_finds() -> None:
    rng = random.Random(0)  # noqa: S311
    for _ in range(50):
        lyrics, songs = ([" ".join(rng.choices("abc", k=30)) for _ in range(4)] for _ in range(2))
        lengths = [
            end - start
            for lyric in lyrics
            for start in range(30)
            for end in range(start + 1, 31)
            if any(f" {' '.join(lyric.split()[start:end])} " in f" {song} " for song in songs)
        ]
        found = measure_originality(lyrics, [Song(Header(), song) for song in songs])
        assert found.longest_run == max(lengths)
        assert any(f" {found.longest_text} " in f" {lyric} " for lyric in lyrics)
