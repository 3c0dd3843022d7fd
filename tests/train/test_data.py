import gzip
import json
from pathlib import Path

import pytest
from transformers import AutoTokenizer

from model.song import BOS_TOKEN, EOS_TOKEN, Header, Song
from train.data import DataError, read_songs, split_songs, tokenize

SONGS = [Song(Header(title=f"Song {number}"), f"line {number}\nand its end") for number in range(40)]


def test_songs_apart_by_the_end_token_are_read_with_their_headers(tmp_path: Path) -> None:
    file = tmp_path / "songs.txt"
    file.write_text(
        "\ufefftitle: One\n\nla la\nlo\n<|endoftext|>\n<|startoftext|>plain words<|endoftext|>\n \n", encoding="utf-8"
    )
    assert read_songs(file) == [Song(Header(title="One"), "la la\nlo"), Song(Header(), "plain words")]


def test_the_same_song_twice_is_learnt_once(tmp_path: Path) -> None:
    file = tmp_path / "songs.txt"
    file.write_text("one<|endoftext|>two<|endoftext|>one<|endoftext|>", encoding="utf-8")
    assert [song.lyric for song in read_songs(file)] == ["one", "two"]


@pytest.mark.parametrize("suffix", [".jsonl", ".jsonl.gz"])
def test_json_lines_are_read_packed_or_not(tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"songs{suffix}"
    rows = [{"title": "One", "text": "la\nla", "year": 1}, {"title": None, "text": "lo", "year": 2}]
    text = "".join(json.dumps(row) + "\n" for row in rows).encode()
    file.write_bytes(gzip.compress(text) if suffix.endswith(".gz") else text)
    assert read_songs(file) == [Song(Header(title="One"), "la\nla"), Song(Header(title=""), "lo")]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "0 distinct songs"),
        (b"one song alone", "1 distinct songs"),
        (b"\xff\xfe\x00caf\xe9", "not UTF-8"),
    ],
)
def test_a_file_that_cannot_be_used_says_why(tmp_path: Path, content: bytes, message: str) -> None:
    file = tmp_path / "songs.txt"
    file.write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_songs(file)


def test_a_missing_file_and_a_missing_field_say_so(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no file"):
        read_songs(tmp_path / "none.txt")
    file = tmp_path / "songs.jsonl"
    file.write_text('{"words": "la"}\n{"words": "lo"}\n', encoding="utf-8")
    with pytest.raises(DataError, match=r"no field 'text' \(it has words\)"):
        read_songs(file)


def test_a_file_that_is_not_json_lines_says_so(tmp_path: Path) -> None:
    file = tmp_path / "songs.jsonl"
    file.write_text("la la\nlo", encoding="utf-8")
    with pytest.raises(DataError, match="is not JSON Lines"):
        read_songs(file)


def test_the_split_keeps_every_song_on_one_side_and_repeats_itself() -> None:
    split = split_songs(SONGS, 0.1, seed=1)
    assert len(split.validation) == 4
    assert sorted(map(str, split.songs)) == sorted(map(str, SONGS))
    assert split == split_songs(SONGS, 0.1, seed=1)
    assert split.fingerprint != split_songs(SONGS[1:], 0.1, seed=1).fingerprint


@pytest.mark.parametrize("fraction", [0.001, 0.999])
def test_both_sides_of_a_split_have_a_song(fraction: float) -> None:
    split = split_songs(SONGS, fraction, seed=1)
    assert split.train
    assert split.validation


def test_the_opening_tag_is_the_one_that_most_songs_have() -> None:
    tagged = [Song(Header(), f"[Verse 1]\nline {number}") for number in range(30)]
    assert split_songs(tagged + SONGS[:20], 0.1, seed=1).opening_tag == "[Verse 1]"
    assert split_songs(tagged[:10] + SONGS, 0.1, seed=1).opening_tag is None


def test_a_song_becomes_one_sample_with_its_start_and_end(tiny_checkpoint: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tiny_checkpoint)
    (row,) = tokenize([Song(Header(), "two lanterns")], tokenizer, context=64)
    assert tokenizer.decode(row["input_ids"]) == f"{BOS_TOKEN}two lanterns{EOS_TOKEN}"
    assert row["labels"] == row["input_ids"]
    assert row["length"] == len(row["input_ids"])


def test_a_song_over_the_context_loses_no_token(tiny_checkpoint: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tiny_checkpoint)
    song = Song(Header(), "two lanterns on the water\n" * 20 + "the end")
    rows = tokenize([song], tokenizer, context=32)
    assert len(rows) > 1
    assert max(rows["length"]) <= 32
    assert "".join(str(tokenizer.decode(row["input_ids"])) for row in rows) == str(song)
