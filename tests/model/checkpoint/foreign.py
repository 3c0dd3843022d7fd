"""Checkpoints as people have them: tokenizers of every make, and a model that knows one verse by heart."""

import functools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import GPT2Config, GPT2LMHeadModel

VERSE = "two lanterns on the water line\none lantern on the shore\nthe tide came up at midnight"
START, END = "<s>", "</s>"
SPECIAL = ["<unk>", START, END]
BYTES = [f"<0x{byte:02X}>" for byte in range(256)]


def byte_level() -> Tokenizer:
    """GPT-2's kind."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return _learn(tokenizer, trainers.BpeTrainer, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), vocab_size=300)


def metaspace() -> Tokenizer:
    """BPE whose first word has its space taken off."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))  # noqa: S106
    tokenizer.normalizer = normalizers.Replace("\n", " \n")
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first")
    tokenizer.decoder = decoders.Metaspace(prepend_scheme="first")
    return _learn(tokenizer, trainers.BpeTrainer, vocab_size=120)


def unigram() -> Tokenizer:
    """T5's and many others' kind; its control tokens are words of its vocabulary."""
    pieces = [*((token, 0.0) for token in SPECIAL), *((f"▁{word}", -3.0) for word in sorted(set(VERSE.split())))]
    pieces += [(letter, -9.0) for letter in ["▁", "\n", *sorted(set("".join(VERSE.split())))]]
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=0, byte_fallback=False))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    return tokenizer


def byte_fallback() -> Tokenizer:
    """Llama's kind: what the vocabulary lacks is spelt in bytes."""
    words = [f"▁{word}" for word in sorted(set(VERSE.split()))]
    letters = ["▁", "\n", *sorted(set("".join(VERSE.split())))]
    pieces = [*((token, 0.0) for token in SPECIAL), *((byte, -20.0) for byte in BYTES)]
    pieces += [*((word, -3.0) for word in words), *((letter, -9.0) for letter in letters)]
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=0, byte_fallback=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    return tokenizer


def word_level() -> Tokenizer:
    """Whole words and no decoder, which joins tokens by spaces."""
    words = [*SPECIAL, *sorted(set(VERSE.split()))]
    tokenizer = Tokenizer(models.WordLevel({word: number for number, word in enumerate(words)}, unk_token="<unk>"))  # noqa: S106
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return tokenizer


KINDS: dict[str, Callable[[], Tokenizer]] = {
    "byte level": byte_level,
    "metaspace": metaspace,
    "unigram": unigram,
    "byte fallback": byte_fallback,
    "word level": word_level,
}


def save(
    folder: Path,
    tokenizer: Tokenizer,
    *,
    config: dict[str, Any] | None = None,
    model: dict[str, Any] | None = None,
    padding: int = 0,
) -> Path:
    """Write a checkpoint whose model knows ``VERSE`` by heart, between ``<s>`` and ``</s>``.

    Args:
        folder: Where to.
        tokenizer: Splits the verse.
        config: Of ``tokenizer_config.json``; none names both tokens.
        model: Fields of ``config.json`` beside the shape.
        padding: Ids of the model that the tokenizer lacks.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    named = {"bos_token": START, "eos_token": END} if config is None else config
    text = json.dumps({"tokenizer_class": "PreTrainedTokenizerFast"} | named)
    (folder / "tokenizer_config.json").write_text(text)
    verse = json.dumps(tokenizer.encode(VERSE, add_special_tokens=False).ids)
    _teach(verse, _ids(tokenizer), _size(tokenizer) + padding).save_pretrained(folder)
    (folder / "generation_config.json").unlink(missing_ok=True)
    shape = json.loads((folder / "config.json").read_text())
    for name in ("bos_token_id", "eos_token_id", "pad_token_id"):
        shape.pop(name, None)
    (folder / "config.json").write_text(json.dumps(shape | (model or {})))
    return folder


def _learn(tokenizer: Tokenizer, trainer: Any, **settings: Any) -> Tokenizer:
    special = [AddedToken(token, special=True) for token in SPECIAL]
    tokenizer.train_from_iterator([VERSE] * 3, trainer(special_tokens=special, show_progress=False, **settings))
    return tokenizer


def id_of(tokenizer: Tokenizer, token: str) -> int:
    """Return the id of a token that is there."""
    number = tokenizer.token_to_id(token)
    assert number is not None, token
    return number


def _ids(tokenizer: Tokenizer) -> tuple[int, int]:
    return id_of(tokenizer, START), id_of(tokenizer, END)


def _size(tokenizer: Tokenizer) -> int:
    return max(tokenizer.get_vocab().values()) + 1


@functools.cache
def _teach(verse: str, ends: tuple[int, int], size: int) -> GPT2LMHeadModel:
    torch.manual_seed(0)
    config = GPT2Config(
        vocab_size=size, n_positions=128, n_embd=32, n_layer=1, n_head=2, bos_token_id=None, eos_token_id=None
    )
    model = GPT2LMHeadModel(config)
    model.train()
    ids = torch.tensor([[ends[0], *json.loads(verse), ends[1], *[ends[1]] * 3]])
    optimizer = torch.optim.AdamW(model.parameters(), 2e-2)
    for _ in range(80):
        loss = model(input_ids=ids, labels=ids).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.2
    model.eval()
    return model
