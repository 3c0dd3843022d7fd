"""Lean steps are the general ones: the same loss and the same gradients, for less work."""

from typing import Any

import pytest
import torch
from torch.testing import assert_close

from tests.conftest import Family, make_tiny_model
from train.learning import lean
from train.learning.lean import lean_steps
from train.learning.lora import add_adapters
from train.tokens.batches import Batch, pack, pad

SONGS = [([1, *range(5 + number, 30 + 3 * number)], True) for number in range(4)]


def learner(family: Family) -> Any:
    torch.manual_seed(0)
    model = add_adapters(make_tiny_model(family, vocab_size=320), rank=4, alpha=8, new_tokens=[])
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.1)
    model.config.use_cache = False
    return model.train()


def learn(model: Any, batch: Batch) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    model.zero_grad()
    loss = model(**batch).loss
    loss.backward()
    return loss.detach(), {name: each.grad.clone() for name, each in model.named_parameters() if each.grad is not None}


@pytest.mark.parametrize("batch", [pad(SONGS), pack(SONGS, 90)], ids=["padded", "packed"])
@pytest.mark.parametrize("family", lean.LEAN_FAMILIES)
def test_loss_and_gradients_are_those_of_transformers(
    family: Family, batch: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = learner(family)
    loss, gradients = learn(model, batch)

    # In float32, where rounding hides no mistake.
    monkeypatch.setattr(torch.Tensor, "bfloat16", torch.Tensor.float)
    monkeypatch.setattr(lean, "_LOGIT_ROWS", 7)
    with lean_steps(model):
        lean_loss, lean_gradients = learn(model, batch)

    assert_close(lean_loss, loss)
    assert gradients
    assert_close(lean_gradients, gradients, atol=1e-5, rtol=1e-4)


def test_bfloat16_is_near() -> None:
    model, batch = learner("llama"), pad(SONGS)
    loss, _ = learn(model, batch)

    with lean_steps(model):
        assert model.get_base_model().lm_head.weight.dtype is torch.bfloat16
        lean_loss, _ = learn(model, batch)

    assert_close(lean_loss, loss, atol=0.02, rtol=0)


def test_the_model_is_as_it_was_afterwards() -> None:
    model = learner("llama")
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    ids = torch.arange(9)[None]
    expected = model(ids).logits

    with lean_steps(model):
        assert_close(model(ids).logits.float(), expected, atol=0.05, rtol=0)

    assert_close(dict(model.named_parameters()), before, atol=0, rtol=0)
    assert_close(model(ids).logits, expected, atol=0, rtol=0)
