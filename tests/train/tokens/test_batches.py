import random
from pathlib import Path

import pytest
import torch
from datasets import Dataset
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerBase

from model.song import HEADER_FIELDS, Header, Song
from train.songs.table_on_disk import Songs
from train.tokens.batches import (
    IGNORED,
    Draw,
    DrawnSongs,
    HeaderDropper,
    Share,
    StepSampler,
    pack,
    pad,
    real_tokens,
    validation_batches,
)
from train.tokens.cutting import tokenize

LENGTHS = [3 + index * 7 % 50 for index in range(45)]


@pytest.fixture(scope="module")
def tokenizer(tiny_checkpoint: Path) -> PreTrainedTokenizerBase:
    return AutoTokenizer.from_pretrained(tiny_checkpoint)


def batches(share: Share, *, epoch: int = 0, grouped: bool = True) -> list[list[Draw]]:
    sampler = StepSampler(LENGTHS, 4, share, seed=1, grouped=grouped)
    sampler.epoch = epoch
    drawn = list(sampler)
    assert len(drawn) == len(sampler)
    return drawn


@pytest.mark.parametrize("grouped", [True, False])
def test_every_song_is_drawn_once_an_epoch_and_each_epoch_differs(grouped: bool) -> None:  # noqa: FBT001
    first, second = batches(Share(), grouped=grouped), batches(Share(), epoch=1, grouped=grouped)
    assert sorted(draw.index for batch in first for draw in batch) == list(range(45))
    assert first == batches(Share(), grouped=grouped)
    assert [[draw.index for draw in batch] for batch in first] != [[draw.index for draw in batch] for batch in second]


def test_songs_of_a_step_are_of_like_length() -> None:
    spread = [
        max(lengths) - min(lengths) for lengths in ([LENGTHS[draw.index] for draw in b] for b in batches(Share()))
    ]
    assert sum(spread) / len(spread) < 6


@pytest.mark.parametrize(("passes", "world"), [(2, 1), (1, 2), (2, 2)])
def test_processes_and_passes_share_the_same_steps(passes: int, world: int) -> None:
    steps = [set(batch) for batch in batches(Share())]
    parts = [batches(Share(passes, rank, world)) for rank in range(world)]
    for number, step in enumerate(steps):
        shared = [draw for part in parts for batch in part[number * passes : (number + 1) * passes] for draw in batch]
        assert {draw for draw in shared if draw.counts} == step
        assert len(shared) == max(len(step), passes * world)


def test_a_song_that_does_not_count_has_no_labels() -> None:
    assert real_tokens(pad([([1, 2, 3], False)])) == 0
    assert real_tokens(pad([([1, 2, 3], True), ([1, 2], True)])) == 3


def test_padding_and_first_tokens_are_no_labels() -> None:
    batch = pad([([5, 6, 7], True), ([8, 9], True)])
    assert batch["labels"].tolist() == [[IGNORED, 6, 7], [IGNORED, 9, IGNORED]]
    packed = pack([([5, 6, 7], True), ([8, 9], True)], 8)
    assert packed["labels"].tolist() == [[IGNORED, 6, 7, IGNORED, 9]]
    assert packed["position_ids"].tolist() == [[0, 1, 2, 0, 1]]


def test_rows_are_packed_up_to_the_context() -> None:
    songs = [([1] * length, True) for length in (6, 5, 4, 3, 2)]
    assert pack(songs, 10)["input_ids"].shape == (2, 10)
    assert pack(songs, 6)["input_ids"].shape == (4, 6)
    assert real_tokens(pack(songs, 10)) == sum(length - 1 for length in (6, 5, 4, 3, 2))


def test_a_packed_song_has_the_logits_that_it_has_alone(tiny_checkpoint: Path) -> None:
    model = AutoModelForCausalLM.from_pretrained(tiny_checkpoint).eval()
    rng = random.Random(0)  # noqa: S311
    songs = [[rng.randrange(300) for _ in range(length)] for length in (20, 13, 9, 5)]
    packed = pack([(ids, True) for ids in songs], 64)
    assert packed["input_ids"].shape == (1, 47)
    with torch.no_grad():
        logits = model(**packed, use_cache=False).logits[0]
        padded = model(input_ids=pad([(ids, True) for ids in songs])["input_ids"]).logits
        start = 0
        for row, ids in enumerate(songs):
            alone = model(input_ids=torch.tensor([ids])).logits[0]
            torch.testing.assert_close(logits[start : start + len(ids)], alone, rtol=1e-4, atol=1e-5)
            torch.testing.assert_close(padded[row, : len(ids)], alone, rtol=1e-4, atol=1e-5)
            start += len(ids)


def test_packed_and_padded_songs_have_the_same_loss(tiny_checkpoint: Path) -> None:
    model = AutoModelForCausalLM.from_pretrained(tiny_checkpoint).eval()
    songs = [(list(range(3, 3 + length)), True) for length in (30, 7, 12)]
    with torch.no_grad():
        torch.testing.assert_close(
            model(**pack(songs, 40), use_cache=False).loss, model(**pad(songs)).loss, rtol=1e-5, atol=1e-5
        )


SONG = Song(
    Header("Night Boat", "folk", "calm", "rain at sea", "The Ferry Girls"), "[Verse 1]\ntitle: it says\n\ntwo lanterns"
)


def test_dropping_tokens_is_dropping_lines(tokenizer: PreTrainedTokenizerBase) -> None:
    (ids,) = tokenize(Songs.of([SONG]), tokenizer, 256)["input_ids"]
    dropper = HeaderDropper(tokenizer)
    seen = set()
    for seed in range(200):
        text = str(tokenizer.decode(dropper.drop(ids, random.Random(seed))))  # noqa: S311
        header = SONG.header.keep(
            frozenset(name for name in HEADER_FIELDS if f"{name}: " in text.split("[Verse", maxsplit=1)[0])
        )
        shorter = Song(header, SONG.lyric)
        assert text == str(shorter)
        (anew,) = tokenize(Songs.of([shorter]), tokenizer, 256)["input_ids"]
        assert dropper.drop(ids, random.Random(seed)) == anew  # noqa: S311
        seen.add(len(list(shorter.header.items())))
    assert seen == set(range(len(HEADER_FIELDS) + 1))


@pytest.mark.parametrize(
    "text", ["two lanterns", "title: no blank line\nla", "[Verse 1]\ntitle: later\n\nla", "genre: x\ntitle: y\n\nla"]
)
def test_a_song_without_a_header_stays_whole(tokenizer: PreTrainedTokenizerBase, text: str) -> None:
    (ids,) = tokenize(Songs.of([Song(Header(), text)]), tokenizer, 256)["input_ids"]
    assert all(HeaderDropper(tokenizer).drop(ids, random.Random(seed)) == ids for seed in range(20))  # noqa: S311


def test_headers_differ_from_epoch_to_epoch(tokenizer: PreTrainedTokenizerBase) -> None:
    songs = DrawnSongs(tokenize(Songs.of([SONG] * 4), tokenizer, 256), HeaderDropper(tokenizer), seed=1)
    epochs = [str(songs.__getitems__([Draw(epoch, index) for index in range(4)])) for epoch in range(6)]
    assert len(set(epochs)) == 6
    assert str(songs.__getitems__([Draw(3, index) for index in range(4)])) == epochs[3]


@pytest.mark.parametrize("world", [1, 2])
def test_validation_sees_every_token_once(world: int) -> None:
    rows = Dataset.from_dict({"input_ids": [[1] * length for length in LENGTHS], "length": LENGTHS})
    parts = [list(validation_batches(rows, 64, Share(rank=rank, world=world))) for rank in range(world)]
    assert sum(real_tokens(batch) for part in parts for batch in part) == sum(length - 1 for length in LENGTHS)
    assert all(batch["input_ids"].numel() <= 64 for part in parts for batch in part)
