from pathlib import Path

import pytest
import torch

from model import Checkpoint, Header
from model.checkpoint.pretrained import load_pretrained
from model.song import Song
from tests.conftest import VERSES
from train.measuring import likelihood
from train.measuring.likelihood import measure_likelihood

SONGS = [
    Song(Header(title="Tide", mood="calm"), VERSES[0]),
    Song(Header(), "Two lanterns"),
    Song(Header(title="Bag"), f"[Verse 1]\n{VERSES[1]}"),
]


def by_hand(folder: Path, song: Song, first: int) -> tuple[float, int]:
    """Sum one song's loss token by token: everything from token ``first`` on."""
    model, tokenizer = load_pretrained(Checkpoint.open(folder))
    ids = tokenizer.encode(str(song), add_special_tokens=False)
    with torch.inference_mode():
        log_probs = model.eval()(torch.tensor([ids])).logits[0].log_softmax(-1)
    return -sum(float(log_probs[at - 1, ids[at]]) for at in range(first, len(ids))), len(ids) - first


@pytest.mark.parametrize("max_logits", [1, 2**27])
def test_padded_batches_measure_what_song_by_song_does(
    tiny_checkpoint: Path, monkeypatch: pytest.MonkeyPatch, max_logits: int
) -> None:
    monkeypatch.setattr(likelihood, "_MAX_LOGITS", max_logits)
    model, tokenizer = load_pretrained(Checkpoint.open(tiny_checkpoint))
    measured = measure_likelihood(model, tokenizer, SONGS)
    bare = [Song(Header(), song.lyric) for song in SONGS]
    single = [by_hand(tiny_checkpoint, song, 1) for song in bare]
    assert measured.nats == pytest.approx(sum(nats for nats, _ in single), rel=1e-4)
    assert measured.tokens == sum(tokens for _, tokens in single)
    assert measured.words == sum(len(song.lyric.split()) for song in SONGS)
    assert measured.perplexity == pytest.approx(torch.tensor(measured.nats / measured.tokens).exp().item())


def test_a_header_that_the_model_knows_is_read_and_does_not_count(tiny_checkpoint: Path) -> None:
    model, tokenizer = load_pretrained(Checkpoint.open(tiny_checkpoint))
    measured = measure_likelihood(model, tokenizer, [SONGS[2]], ("title",))
    head = len(tokenizer.encode("title: Bag\n", add_special_tokens=False)) + 1  # its blank line's token
    nats, tokens = by_hand(tiny_checkpoint, SONGS[2], head + 1)
    assert measured.tokens == tokens
    assert measured.nats == pytest.approx(nats, rel=1e-4)
    assert measured.tokens == measure_likelihood(model, tokenizer, [Song(Header(), SONGS[2].lyric)]).tokens


def test_every_token_of_a_song_over_the_context_counts_once(tiny_checkpoint: Path) -> None:
    model, tokenizer = load_pretrained(Checkpoint.open(tiny_checkpoint))
    long = Song(Header(), "\n".join([*VERSES] * 6))
    assert len(tokenizer.encode(long.lyric)) > 2 * model.config.max_position_embeddings
    measured = measure_likelihood(model, tokenizer, [long])
    assert measured.tokens == len(tokenizer.encode(long.lyric, add_special_tokens=False)) + 1
    assert 0 < measured.loss < 12
