from collections.abc import Callable
from pathlib import Path

import pytest
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from model.song import BOS_TOKEN, EOS_TOKEN, Header, Song, format_prompt
from train.songs.reading import Reading
from train.songs.table_on_disk import Songs
from train.tokens import cutting as tokens
from train.tokens.cutting import cut, find_long_lines, tokenize

Read = Callable[..., Reading]

STANZA = "two lanterns on the water\none lantern on the shore"
LONG = Song(Header(title="Sea"), "\n\n".join(f"[Verse {n}]\n{STANZA}" for n in range(1, 9)))


@pytest.fixture(scope="module")
def tokenizer(tiny_checkpoint: Path) -> PreTrainedTokenizerBase:
    loaded: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(tiny_checkpoint)
    return loaded


def measure(texts: list[str]) -> list[int]:
    """A tokenizer that makes a token of every character; a special token is one."""
    return [len(text.replace(BOS_TOKEN, "<").replace(EOS_TOKEN, ">")) for text in texts]


def strip(text: str, song: Song) -> str:
    """Return a piece's own words."""
    text = text.removeprefix(BOS_TOKEN).removesuffix(EOS_TOKEN)
    head = format_prompt(song.header, "")
    assert text.startswith(head)
    return text.removeprefix(head)


def test_a_song_becomes_one_sample_with_its_start_and_end(tokenizer: PreTrainedTokenizerBase) -> None:
    (row,) = tokenize(Songs.of([Song(Header(), "two lanterns")]), tokenizer, context=64)
    assert tokenizer.decode(row["input_ids"]) == f"{BOS_TOKEN}two lanterns{EOS_TOKEN}"
    assert row["length"] == len(row["input_ids"])


def test_a_song_over_the_context_is_cut_between_stanzas_and_loses_nothing() -> None:
    pieces = cut(LONG, measure, 200)
    assert max(measure(list(pieces.texts))) <= 200
    assert "\n\n".join(strip(text, LONG) for text in pieces.texts) == LONG.lyric
    assert all(strip(text, LONG).startswith("[Verse") for text in pieces.texts)
    assert [text.startswith(BOS_TOKEN) for text in pieces.texts] == [True, *[False] * (len(pieces.texts) - 1)]
    assert [text.endswith(EOS_TOKEN) for text in pieces.texts] == [*[False] * (len(pieces.texts) - 1), True]
    assert not pieces.left_out


def test_a_stanza_over_the_context_is_cut_between_lines() -> None:
    song = Song(Header(mood="calm"), "\n".join(f"line {n} of a stanza" for n in range(30)))
    pieces = cut(song, measure, 100)
    assert max(measure(list(pieces.texts))) <= 100
    assert "\n".join(strip(text, song) for text in pieces.texts) == song.lyric
    assert len(pieces.texts) > 5


def test_a_line_over_the_context_is_left_out_alone() -> None:
    song = Song(Header(), f"short\n{'long ' * 40}\nshort too")
    pieces = cut(song, measure, 100)
    assert pieces.texts == (f"{BOS_TOKEN}short\nshort too{EOS_TOKEN}",)
    assert pieces.left_out == ("long " * 40,)
    assert cut(Song(Header(), "x" * 200), measure, 100).texts == ()


def test_a_header_that_leaves_no_room_is_left_out() -> None:
    pieces = cut(Song(Header(title="t" * 80), STANZA), measure, 70)
    assert pieces.texts == (f"{BOS_TOKEN}{STANZA}{EOS_TOKEN}",)


def test_a_tokenizer_that_makes_more_of_the_whole_still_fits() -> None:
    texts = cut(LONG, lambda texts: [size + size // 9 for size in measure(texts)], 200).texts
    assert "\n\n".join(strip(text, LONG) for text in texts) == LONG.lyric


def test_the_real_tokenizer_cuts_the_same_way(tokenizer: PreTrainedTokenizerBase) -> None:
    rows = tokenize(Songs.of([LONG, Song(Header(), "short")]), tokenizer, context=64)
    texts = [str(tokenizer.decode(row["input_ids"])) for row in rows]
    assert max(rows["length"]) <= 64
    assert "\n\n".join(strip(text, LONG) for text in texts[:-1]) == LONG.lyric
    assert texts[-1] == f"{BOS_TOKEN}short{EOS_TOKEN}"


def test_the_tokens_are_the_same_however_many_work(tokenizer: PreTrainedTokenizerBase) -> None:
    songs = Songs.of(Song(Header(f"Title {n}", "folk", "calm", "rain"), f"words {n}") for n in range(60))
    alone = tokenize(songs, tokenizer, 64, workers=1)["input_ids"][:]
    other_key = Songs(songs.rows, "of another cache")
    assert tokenize(other_key, tokenizer, 64, workers=2)["input_ids"][:] == alone


def test_the_second_time_comes_from_the_cache(
    tokenizer: PreTrainedTokenizerBase, monkeypatch: pytest.MonkeyPatch
) -> None:
    songs = Songs.of([Song(Header(), "kept for later"), LONG])
    first = tokenize(songs, tokenizer, 64)["input_ids"][:]
    monkeypatch.setattr(tokens, "_encode", None)
    tokenizer(["x"], truncation=True, max_length=4)  # What it did last is no part of what it is.
    assert tokenize(songs, tokenizer, 64)["input_ids"][:] == first
    with pytest.raises(TypeError):
        tokenize(songs, tokenizer, 32)


def test_long_lines_are_reported_with_their_place(read: Read, tokenizer: PreTrainedTokenizerBase) -> None:
    reading = read("songs.txt", f"fine\n---\nfine too\n{'water on the shore ' * 30}\n---\nand this\n")
    (problem,) = find_long_lines(reading, tokenizer, 128)
    assert problem.line == 3
    assert "does not fit in 128 tokens: 'water on the shore" in problem.message
    assert not find_long_lines(reading, tokenizer, 1024)
