from functools import partial
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM
from transformers.loss.loss_utils import ForCausalLMLoss

from train.learning.loss import z_loss
from train.tokens.batches import IGNORED


@pytest.fixture
def batch() -> tuple[torch.Tensor, torch.Tensor]:
    """Logits of shape (2, 6, 11) and labels with padding."""
    generator = torch.Generator().manual_seed(5)
    logits = torch.randn(2, 6, 11, generator=generator) * 3
    labels = torch.randint(0, 11, (2, 6), generator=generator)
    labels[1, 4:] = IGNORED
    return logits.requires_grad_(), labels


def test_without_its_term_it_is_the_cross_entropy(batch: tuple[torch.Tensor, torch.Tensor]) -> None:
    logits, labels = batch
    for items in (None, torch.tensor(20)):
        own = z_loss(logits, labels, 11, items, weight=0.0)
        torch.testing.assert_close(own, ForCausalLMLoss(logits, labels, 11, items))


def test_the_term_counts_while_training_only(batch: tuple[torch.Tensor, torch.Tensor]) -> None:
    logits, labels = batch
    plain = z_loss(logits, labels, 11, weight=0.0)
    normalizers = torch.logsumexp(logits[:, :-1], -1)[labels[:, 1:] != IGNORED]
    torch.testing.assert_close(z_loss(logits, labels, 11, weight=0.5), plain + 0.5 * normalizers.square().mean())
    with torch.no_grad():
        torch.testing.assert_close(z_loss(logits, labels, 11, weight=0.5), plain)


def test_logits_become_log_probabilities(tiny_checkpoint: Path) -> None:
    model = AutoModelForCausalLM.from_pretrained(tiny_checkpoint)
    ids = torch.randint(0, 300, (4, 16), generator=torch.Generator().manual_seed(1))

    def off() -> float:
        with torch.no_grad():
            return float(torch.logsumexp(model(input_ids=ids).logits, -1).square().mean())

    before = off()
    model.loss_function = partial(z_loss, weight=0.1)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    for _ in range(60):
        model(input_ids=ids, labels=ids).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    assert off() < before / 10
