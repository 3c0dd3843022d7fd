"""Draws the next token of every row at once, each row by parameters of its own.

The filters are those of transformers' ``generate``, in its order: repetition penalty, temperature, top-k, top-p.
A row's draw depends on that row alone, not on those it shares the tensors with.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import torch

from model.sampling import cpu_sampler
from model.sampling.params import SamplingParams

_NEVER = -1.0
"""Below any sum of probabilities."""


@dataclass(frozen=True, slots=True)
class RowParams:
    """Sampling parameters of the rows, each of shape (rows, 1)."""

    temperature: torch.Tensor
    top_k: torch.Tensor
    """Int64; the size of the vocabulary where the limit is off."""
    top_p: torch.Tensor
    """Float64, since a limit that equal tokens just reach is not to be missed by a rounding."""
    repetition_penalty: torch.Tensor

    @classmethod
    def of(cls, rows: Sequence[SamplingParams], vocabulary: int, device: torch.device | None = None) -> Self:
        """Return the parameters of rows of a vocabulary of this size."""

        def column(values: list[float], dtype: torch.dtype = torch.float32) -> torch.Tensor:
            return torch.tensor(values, dtype=dtype).unsqueeze(1).to(device, non_blocking=True)

        return cls(
            column([row.temperature for row in rows]),
            column([min(row.top_k or vocabulary, vocabulary) for row in rows], torch.int64),
            column([row.top_p for row in rows], torch.float64),
            column([row.repetition_penalty for row in rows]),
        )

    def select(self, rows: torch.Tensor) -> Self:
        """Return the parameters of the rows at these indices."""
        return type(self)(self.temperature[rows], self.top_k[rows], self.top_p[rows], self.repetition_penalty[rows])


def penalize(logits: torch.Tensor, seen: torch.Tensor, penalty: torch.Tensor) -> None:
    """Hold back, in place, the tokens that a row has seen (Keskar et al., "CTRL", 2019).

    Args:
        logits: Shape (rows, vocabulary).
        seen: Ids in prompt and song, shape (rows, any); repeats do no harm, and below 0 stands nothing.
        penalty: Shape (rows, 1); 1 changes nothing.
    """
    if logits.device.type == "cpu":
        cpu_sampler.penalize(logits.numpy(), seen.contiguous().numpy(), penalty.numpy())
    else:
        penalize_scattered(logits, seen, penalty)


def penalize_scattered(logits: torch.Tensor, seen: torch.Tensor, penalty: torch.Tensor) -> None:
    """Hold back as ``penalize`` does, on any device."""
    # All writes to one place have to be the same, so nothing is written as some token that was seen, if one was.
    seen = torch.where(seen < 0, seen.amax(1, keepdim=True), seen)
    penalty = torch.where(seen[:, :1] < 0, 1.0, penalty)
    seen = seen.clamp(min=0)
    scores = logits.gather(1, seen)
    logits.scatter_(1, seen, torch.where(scores < 0, scores * penalty, scores / penalty))


def sample(logits: torch.Tensor, params: RowParams, uniform: torch.Tensor) -> torch.Tensor:
    """Draw a token for each row.

    Args:
        logits: After the penalty, shape (rows, vocabulary), float32.
        params: The parameters of the rows.
        uniform: A number in [0, 1) for each row, shape (rows, 1), float64.

    Returns:
        Ids of shape (rows,); -1 where the logits have a NaN or leave nothing to choose.
    """
    if logits.device.type == "cpu":
        columns = (params.temperature, params.top_k, params.top_p, uniform)
        return torch.from_numpy(cpu_sampler.sample(logits.numpy(), *(column.numpy() for column in columns)))
    return sample_sorted(logits, params, uniform)


def sample_sorted(logits: torch.Tensor, params: RowParams, uniform: torch.Tensor) -> torch.Tensor:
    """Draw as ``sample`` does, on any device: a GPU sorts whole vocabularies sooner than it answers in between.

    What is left is laid out by id, so that a number draws the token that it draws on the CPU.
    """
    scores, ids = filter_sorted(logits, params)
    weights = torch.zeros_like(scores).scatter_(1, ids, scores.softmax(1))
    running = weights.cumsum(1, dtype=torch.float64)
    place = (running <= uniform * running[:, -1:]).sum(1).clamp(max=running.shape[1] - 1)
    return torch.where(scores[:, -1].isfinite(), place, -1)


def filter_sorted(logits: torch.Tensor, params: RowParams) -> tuple[torch.Tensor, torch.Tensor]:
    """Apply temperature, top-k (Fan et al., 2018) and top-p (Holtzman et al., 2020).

    Returns:
        The scores, least likely first, minus infinity where a token is filtered out; and their ids; both of the
        logits' shape (rows, vocabulary).
    """
    scores, ids = logits.sort(stable=True)
    scores = scores / params.temperature
    kth = scores.gather(1, scores.shape[1] - params.top_k)
    scores = torch.where(scores < kth, -torch.inf, scores)
    is_cut = scores.softmax(1).cumsum(1) <= torch.where(params.top_p < 1, 1 - params.top_p, _NEVER).float()
    is_cut[:, -1] = False  # The likeliest stays, whatever the limit.
    return torch.where(is_cut, -torch.inf, scores), ids
