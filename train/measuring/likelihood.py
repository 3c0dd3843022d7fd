"""How well a model foresees songs that it never saw: loss and perplexity, per token and per word."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import torch
from torch.nn.functional import cross_entropy
from torch.nn.utils.rnn import pad_sequence
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from model.song import Song, format_prompt

_MAX_LOGITS = 2**27
"""Logits in a batch, half a gigabyte in float32."""

_UNSCORED = -100


@dataclass(frozen=True, slots=True)
class Likelihood:
    """The negative log likelihood of songs, in nats, and what it is spread over."""

    nats: float
    tokens: int
    """Tokens that count: those of the lyrics, and an end token for each song."""
    words: int
    """Words of the lyrics, apart by white space, whatever the tokenizer."""

    @property
    def loss(self) -> float:
        """Nats per token."""
        return self.nats / self.tokens

    @property
    def perplexity(self) -> float:
        """Perplexity per token, which compares models with the same tokenizer only."""
        return _exp(self.loss)

    @property
    def word_perplexity(self) -> float:
        """Perplexity per word, which compares models with any tokenizers."""
        return _exp(self.nats / self.words)


@dataclass(frozen=True, slots=True)
class _Window:
    """At most a context of a song's tokens; the first ``seen`` of them are only read, the rest count."""

    ids: list[int]
    seen: int


@torch.inference_mode()
def measure_likelihood(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    songs: Iterable[Song],
    header_fields: Iterable[str] = (),
) -> Likelihood:
    """Measure songs as the bot would prompt them: start token and header are read, lyric and end token count.

    A song over the context is read in windows that overlap by half a context, each token counted once.

    Args:
        model: A causal language model, on any device.
        tokenizer: Its tokenizer.
        songs: At least one song with a lyric.
        header_fields: The fields that the model learnt; others are left out.
    """
    kept = frozenset(header_fields)
    context: int = model.config.max_position_embeddings
    windows: list[_Window] = []
    words = 0
    for song in songs:
        windows += _windows(*_encode(tokenizer, song, kept), context)
        words += len(song.lyric.split())
    was_training = model.training
    model.eval()
    nats = sum(_nats(model, batch) for batch in _batches(windows, model.config.vocab_size))
    model.train(was_training)
    return Likelihood(nats, sum(len(window.ids) - window.seen for window in windows), words)


def _exp(nats: float) -> float:
    return math.exp(min(nats, 700.0))  # A float ends at e^709, and JSON has no infinity.


def _encode(tokenizer: PreTrainedTokenizerBase, song: Song, kept: frozenset[str]) -> tuple[list[int], int]:
    """Return a song's tokens and how many of them, at its start, do not count."""
    header = song.header.keep(kept)
    encoded = tokenizer(format_prompt(header, song.lyric), add_special_tokens=False, split_special_tokens=True)
    head = format_prompt(header, "")
    before = encoded.char_to_token(len(head)) or 0 if head else 0
    opening, closing = ([] if token is None else [token] for token in (tokenizer.bos_token_id, tokenizer.eos_token_id))
    # Nothing comes before the very first token, so that nobody can foresee it.
    return [*opening, *encoded["input_ids"], *closing], max(1, len(opening) + before)


def _windows(ids: list[int], prompt: int, context: int) -> Iterator[_Window]:
    done = prompt
    start = 0
    while done < len(ids):
        end = min(start + context, len(ids))
        if end > done:
            yield _Window(ids[start:end], done - start)
            done = end
        start = done - context // 2


def _batches(windows: list[_Window], vocab_size: int) -> Iterator[list[_Window]]:
    """Yield windows of like length together, as many as ``_MAX_LOGITS`` allow and at least one."""
    batch: list[_Window] = []
    for window in sorted(windows, key=lambda window: len(window.ids)):
        if batch and (len(batch) + 1) * len(window.ids) * vocab_size > _MAX_LOGITS:
            yield batch
            batch = []
        batch.append(window)
    if batch:
        yield batch


def _nats(model: PreTrainedModel, batch: list[_Window]) -> float:
    """Return the summed negative log likelihood of the tokens that count."""
    rows = [torch.tensor(window.ids) for window in batch]
    labels = [row.clone() for row in rows]
    for window, row in zip(batch, labels, strict=True):
        row[: window.seen] = _UNSCORED
    # Padding stands at the end, where a causal model has nothing left to read it.
    input_ids = pad_sequence(rows, batch_first=True).to(model.device)  # (windows, longest)
    mask = pad_sequence([torch.ones_like(row) for row in rows], batch_first=True).to(model.device)
    targets = pad_sequence(labels, batch_first=True, padding_value=_UNSCORED)[:, 1:].to(model.device)
    logits = model(input_ids=input_ids, attention_mask=mask).logits[:, :-1].float()  # (windows, longest - 1, vocab)
    loss = cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=_UNSCORED, reduction="sum")
    return float(loss)
