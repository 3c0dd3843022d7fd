"""What a run starts from: its precision, its settings, and the rows of new tokens."""

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import PreTrainedModel

from model import Checkpoint, CheckpointError
from model.checkpoint.pretrained import load_pretrained
from model.errors import LyricsError
from model.song import BOS_TOKEN, EOS_TOKEN
from tests.conftest import Family, make_tiny_model, save_tiny_checkpoint
from train.config import FitConfig
from train.learning.loop import choose_precision
from train.learning.start import add_special_tokens, settle
from train.tokens.vocabulary import learn_tokenizer, name_special_tokens


def embeddings(model: PreTrainedModel) -> torch.Tensor:
    weight = model.get_input_embeddings().weight
    assert isinstance(weight, torch.Tensor)
    return weight.detach()


def test_new_tokens_start_at_the_mean_of_the_old(tmp_path: Path) -> None:
    model, tokenizer = load_pretrained(Checkpoint.open(save_tiny_checkpoint(tmp_path / "base", start_token=None)))
    with torch.no_grad():
        embeddings(model).add_(torch.randn(model.config.n_embd))
    old = embeddings(model).clone()
    (new,) = add_special_tokens(model, tokenizer)
    assert tokenizer.convert_ids_to_tokens(new) == BOS_TOKEN
    assert tokenizer.eos_token == EOS_TOKEN
    rows = embeddings(model)
    torch.testing.assert_close(rows[:new], old)
    torch.testing.assert_close(rows[new], old.mean(0))
    head = model.get_output_embeddings()
    assert head is not None
    assert head.weight is model.get_input_embeddings().weight


def test_a_token_that_finds_a_spare_row_of_a_padded_model_is_new_and_starts_at_the_mean(tmp_path: Path) -> None:
    model, tokenizer = load_pretrained(Checkpoint.open(save_tiny_checkpoint(tmp_path / "base", start_token=None)))
    known = len(tokenizer)
    model.resize_token_embeddings(384, mean_resizing=False)
    old = embeddings(model).clone()
    assert add_special_tokens(model, tokenizer) == [known]
    assert tokenizer.bos_token_id == known
    rows = embeddings(model)
    assert len(rows) == 384
    torch.testing.assert_close(rows[known], old[:known].mean(0))
    torch.testing.assert_close(rows[known + 1 :], old[known + 1 :])
    torch.testing.assert_close(rows[:known], old[:known])


def test_added_tokens_that_the_base_has_no_rows_for_are_new(tmp_path: Path) -> None:
    model, tokenizer = load_pretrained(Checkpoint.open(save_tiny_checkpoint(tmp_path / "base", start_token=None)))
    known = len(tokenizer)
    tokenizer.add_tokens(["guitarra"])
    assert add_special_tokens(model, tokenizer) == [known, known + 1]
    torch.testing.assert_close(embeddings(model)[known:], embeddings(model)[:known].mean(0).expand(2, -1))


def test_a_tokenizer_of_another_model_is_no_base(tmp_path: Path) -> None:
    folder = save_tiny_checkpoint(tmp_path / "base")
    model = load_pretrained(Checkpoint.open(folder))[0]
    model.resize_token_embeddings(100)
    model.save_pretrained(folder)
    with pytest.raises(CheckpointError, match="another model's: it has 320 tokens, and the model knows 100"):
        load_pretrained(Checkpoint.open(folder))


@pytest.mark.parametrize(
    ("gpu", "bf16", "chosen"), [(False, False, "fp32"), (True, False, "fp16"), (True, True, "bf16")]
)
def test_precision_is_the_best_that_there_is(
    gpu: bool,  # noqa: FBT001
    bf16: bool,  # noqa: FBT001
    chosen: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: gpu)
    monkeypatch.setattr("torch.cuda.is_bf16_supported", lambda **_: bf16)
    assert choose_precision("auto") == chosen
    if not gpu:
        assert choose_precision("bf16") == "bf16"
    elif not bf16:
        with pytest.raises(LyricsError, match="not for this GPU"):
            choose_precision("bf16")


def test_settings_that_do_not_go_together_are_named_together(tmp_path: Path) -> None:
    bad = {"warmup_steps": 5, "warmup_ratio": 0.1, "lora_rank": 4, "from_scratch": True, "n_embd": 30, "n_head": 4}
    with pytest.raises(ValueError, match=r"--n-head .*--warmup-ratio, not both; LoRA adapts"):
        FitConfig.model_validate({"data": "x", "output": tmp_path / "out"} | bad)


@pytest.mark.parametrize(
    ("family", "changes", "rank", "rate"),
    [
        ("gpt2", {}, 0, 5e-5),
        ("gpt2", {"keep_adapter": True}, 32, 5e-4),
        ("llama", {}, 32, 5e-4),
        ("llama", {"lora_rank": 0}, 0, 5e-5),
        ("qwen2", {"lora_rank": 8, "learning_rate": 1e-3}, 8, 1e-3),
    ],
)
def test_a_llama_learns_by_adapters_on_a_cpu_unless_told_otherwise(
    family: Family,
    changes: dict[str, Any],
    rank: int,
    rate: float,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    config = FitConfig.model_validate({"data": "x", "output": tmp_path / "out"} | changes)

    settled = settle(config, make_tiny_model(family, vocab_size=320))

    assert (settled.lora_rank, settled.learning_rate) == (rank, rate)


def test_tokens_that_a_base_declares_open_and_close_its_songs() -> None:
    tokenizer = learn_tokenizer(["one song"], 300)
    tokenizer.add_special_tokens({"bos_token": "<s>", "eos_token": "</s>"})

    name_special_tokens(tokenizer)

    assert (tokenizer.bos_token, tokenizer.eos_token, tokenizer.pad_token) == ("<s>", "</s>", "</s>")


@pytest.mark.parametrize(("may_add", "start"), [(True, "<|startoftext|>"), (False, "<|endoftext|>")])
def test_one_token_for_both_is_not_enough_unless_no_token_may_be_added(may_add: bool, start: str) -> None:  # noqa: FBT001
    tokenizer = learn_tokenizer(["one song"], 300)
    tokenizer.add_special_tokens({"bos_token": "<|endoftext|>", "eos_token": "<|endoftext|>"})

    name_special_tokens(tokenizer, may_add=may_add)

    assert (tokenizer.bos_token, tokenizer.eos_token) == (start, "<|endoftext|>")
