import gzip
import random
import time
from collections.abc import Callable
from itertools import pairwise

import pytest

from train.songs.reading import Reading
from train.words.duplicates import NEAR, NearDuplicates, digest_of, group
from train.words.sung import words_of

Read = Callable[..., Reading]

RNG = random.Random(3)  # noqa: S311
WORDS = ["".join(RNG.choices("abcdefghijklmnop", k=5)) for _ in range(2_000)]


def make_lyric(seed: int, words: int = 120) -> str:
    rng = random.Random(seed)  # noqa: S311
    return "\n".join(" ".join(rng.choices(WORDS, k=6)) for _ in range(words // 6))


def vary(lyric: str, share: float, seed: int) -> str:
    rng = random.Random(seed)  # noqa: S311
    return "\n".join(
        " ".join(rng.choice(WORDS) if rng.random() < share else word for word in line.split())
        for line in lyric.splitlines()
    )


def jaccard(one: list[str], two: list[str]) -> float:
    left, right = set(pairwise(one)), set(pairwise(two))
    return len(left & right) / len(left | right)


def test_songs_are_the_same_whatever_their_case_marks_and_tags() -> None:
    one, two = "[Verse 1]\nDon't go, my LOVE!\nStay", "don’t go — my love\nstay…"  # noqa: RUF001
    assert digest_of(words_of(one), one) == digest_of(words_of(two), two)
    assert digest_of([], "♪♪") != digest_of([], "♪")


def test_near_duplicates_are_found_and_others_are_not() -> None:
    songs = [words_of(make_lyric(seed)) for seed in range(300)]
    near = [words_of(vary(make_lyric(seed), 0.1, seed)) for seed in range(300)]
    collector = NearDuplicates()
    for song in songs + near:
        collector.add(song)
    groups = group(600, collector.pairs())
    clear = [n for n in range(300) if jaccard(songs[n], near[n]) >= NEAR + 0.15]
    assert len(clear) > 100
    assert all(groups[n] == groups[n + 300] for n in clear)
    assert len(set(groups[:300].tolist())) == 300


def test_groups_are_linked_through_others() -> None:
    assert group(6, iter([(4, 5), (1, 4), (2, 3)])).tolist() == [0, 1, 2, 2, 1, 1]
    assert group(0, iter([])).tolist() == []


@pytest.mark.parametrize("words", [0, 1, 2])
def test_the_shortest_songs_do_no_harm(words: int) -> None:
    collector = NearDuplicates()
    for _ in range(3):
        collector.add(["la"] * words)
    assert group(3, collector.pairs()).tolist() == [0, 0, 0]


def test_the_same_song_is_learnt_once_and_reported(read: Read) -> None:
    reading = read("songs.txt", "title: A\n\nla la\n---\nother\n---\ntitle: B\n\nLa, la!\n")
    assert [song.lyric for song in reading.songs] == ["la la", "other"]
    assert reading.report.exact_duplicates == 1
    (duplicate,) = reading.report.duplicates
    assert (duplicate.place.rpartition(":")[2], duplicate.of.rpartition(":")[2]) == ("7", "1")


def test_a_large_collection_takes_seconds(read: Read) -> None:
    text = "\n---\n".join(make_lyric(seed, 60) for seed in range(5_000))
    start = time.monotonic()
    reading = read("songs.txt.gz", gzip.compress(text.encode(), 1))
    assert len(reading.songs) == 5_000
    assert time.monotonic() - start < 15
