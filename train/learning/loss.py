"""The loss of a model whose logits are to stay log probabilities."""

from typing import Any

import torch

from train.tokens.batches import IGNORED


def z_loss(
    logits: torch.Tensor,
    labels: torch.Tensor,
    vocab_size: int,  # noqa: ARG001 - transformers names it
    num_items_in_batch: torch.Tensor | int | None = None,
    *,
    weight: float,
    **_: Any,
) -> torch.Tensor:
    """Return the cross entropy plus, while training, ``weight`` times the square of the logits' log-sum-exp.

    A model's logits may all lie as high or as low as they like, for the softmax does not mind; but the repetition
    penalty divides what is above zero and multiplies what is below, so it is the harsher the further they are from it.
    With this term (PaLM, `Chowdhery et al. 2022 <https://arxiv.org/abs/2204.02311>`_, section 5) logits become log
    probabilities: a likely word is held back a little when it comes again, and an unlikely one much.

    Args:
        logits: Of shape (rows, positions, vocabulary).
        labels: Of shape (rows, positions), not shifted; ``IGNORED`` where nothing is to be learnt.
        vocab_size: Known from the logits.
        num_items_in_batch: Tokens of the whole step, where it is computed in passes.
        weight: Of the additional term.
    """
    logits = logits[:, :-1].float()
    targets = labels[:, 1:].to(logits.device)
    counted = targets != IGNORED
    normalizer = torch.logsumexp(logits, dim=-1)  # (rows, positions - 1)
    chosen = logits.gather(-1, targets.clamp_min(0).unsqueeze(-1)).squeeze(-1)
    losses = normalizer - chosen
    if torch.is_grad_enabled():
        losses = losses + weight * normalizer.square()
    total = torch.where(counted, losses, 0.0).sum()
    return total / (counted.sum() if num_items_in_batch is None else num_items_in_batch)
