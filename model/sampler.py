"""Draws the next token of every row at once, each row by parameters of its own.

The filters are those of transformers' ``generate``, in its order: repetition penalty, temperature, top-k, top-p.
A row's draw depends on that row alone, not on those it shares the tensors with.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import torch

from model.sampling import SamplingParams

POOLS = (64, 256, 2048)
"""Sizes of the pool of likeliest tokens in which a row is tried before all of them are sorted."""

_GROUP = 32
"""Tokens whose maximum stands for them while the pool is sought."""

UNIFORMS = 4
"""Random numbers that a row is given for each token: one for a pool, the rest for draws by rejection."""

_LEAST_TOP_P = 0.5
"""Below this, draws by rejection would miss too often."""

_NEVER = -1.0
"""Below any sum of probabilities."""


@dataclass(frozen=True, slots=True)
class RowParams:
    """Sampling parameters of the rows, each of shape (rows, 1)."""

    temperature: torch.Tensor
    top_k: torch.Tensor
    """Int64; the size of the vocabulary where the limit is off."""
    top_p: torch.Tensor
    repetition_penalty: torch.Tensor

    @classmethod
    def of(cls, rows: Sequence[SamplingParams], vocabulary: int, device: torch.device | None = None) -> Self:
        """Return the parameters of rows of a vocabulary of this size."""

        def column(values: list[float], dtype: torch.dtype = torch.float32) -> torch.Tensor:
            return torch.tensor(values, dtype=dtype).unsqueeze(1).to(device, non_blocking=True)

        return cls(
            column([row.temperature for row in rows]),
            column([min(row.top_k or vocabulary, vocabulary) for row in rows], torch.int64),
            column([row.top_p for row in rows]),
            column([row.repetition_penalty for row in rows]),
        )

    def select(self, rows: torch.Tensor) -> Self:
        """Return the parameters of the rows at these indices."""
        return type(self)(self.temperature[rows], self.top_k[rows], self.top_p[rows], self.repetition_penalty[rows])


@dataclass(frozen=True, slots=True)
class Pool:
    """The likeliest tokens of each row, least likely first, equal ones by id; both of shape (rows, size)."""

    scores: torch.Tensor
    ids: torch.Tensor


def penalize(logits: torch.Tensor, seen: torch.Tensor, penalty: torch.Tensor) -> None:
    """Hold back, in place, the tokens that a row has seen (Keskar et al., "CTRL", 2019).

    Args:
        logits: Shape (rows, vocabulary).
        seen: Ids in prompt and song, shape (rows, any); repeats do no harm.
        penalty: Shape (rows, 1); 1 changes nothing.
    """
    scores = logits.gather(1, seen)
    logits.scatter_(1, seen, torch.where(scores < 0, scores * penalty, scores / penalty))


def sample(
    logits: torch.Tensor, params: RowParams, uniform: torch.Tensor, pools: Sequence[int] = POOLS
) -> torch.Tensor:
    """Draw a token for each row.

    Most rows choose among few tokens, and finding those is ten times as fast as sorting all. A row whose choice may
    reach beyond the first pool is drawn by rejection where it has top-p alone, or else is tried in the next pool, and
    at last in the whole vocabulary.

    Args:
        logits: After the penalty, shape (rows, vocabulary), float32.
        params: The parameters of the rows.
        uniform: Numbers in [0, 1) for each row, shape (rows, ``UNIFORMS``), float64.
        pools: Sizes to try; with none, nothing waits for the device.

    Returns:
        Ids of shape (rows,); -1 where the logits have a NaN or leave nothing to choose.
    """
    vocabulary = logits.shape[1]
    pool = find_pool(logits, min(pools[0], vocabulary) if pools else vocabulary)
    kept, is_whole = filter_pool(pool, logits, params)
    tokens = draw(kept, uniform)
    is_sound = pool.scores[:, -1].isfinite()
    tokens = torch.where(is_sound, tokens, -1)
    if not pools or bool((is_whole := is_whole | ~is_sound).all()):
        return tokens
    is_wide = ((params.top_k == vocabulary) & (params.top_p >= _LEAST_TOP_P)).flatten() & ~is_whole
    if len(pools) == len(POOLS) and bool(is_wide.any()):
        wide = is_wide.nonzero().flatten()
        tokens[wide], is_whole[wide] = draw_by_rejection(logits[wide], params.select(wide), uniform[wide])
    left = (~is_whole).nonzero().flatten()
    if len(left):
        tokens[left] = sample(logits[left], params.select(left), uniform[left], pools[1:])
    return tokens


def draw_by_rejection(
    logits: torch.Tensor, params: RowParams, uniform: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Draw from all tokens until one is drawn that top-p leaves, which needs no sorting.

    Args:
        logits: Of rows without top-k, shape (rows, vocabulary).
        params: The parameters of the rows.
        uniform: As for ``sample``; the first number is not used.

    Returns:
        Ids of shape (rows,), and whether any of the draws hit.
    """
    shares = (logits / params.temperature).softmax(1)
    running = shares.cumsum(1, dtype=torch.float64)
    drawn = torch.searchsorted(running, uniform[:, 1:] * running[:, -1:], right=True).clamp_(max=logits.shape[1] - 1)
    tokens, is_hit = drawn[:, 0], torch.zeros(len(logits), dtype=torch.bool)
    for ids in drawn.unbind(1):
        share = shares.gather(1, ids.unsqueeze(1))
        # Of equal tokens, the one with the higher id goes first, as in a pool. A running sum is the same in any batch.
        is_before = shares > share
        is_before |= (shares == share) & (torch.arange(shares.shape[1]) > ids.unsqueeze(1))
        before = (shares * is_before).cumsum(1, dtype=torch.float64)[:, -1:]
        is_kept = ((before < params.top_p) | (params.top_p >= 1)).flatten()
        tokens = torch.where(is_kept & ~is_hit, ids, tokens)
        is_hit |= is_kept
        if bool(is_hit.all()):
            break
    return tokens, is_hit


def find_pool(logits: torch.Tensor, size: int) -> Pool:
    """Return the ``size`` likeliest tokens of each row; of tokens that tie for the last place, any."""
    vocabulary = logits.shape[1]
    if size == vocabulary:
        return Pool(*logits.sort(stable=True))
    groups = vocabulary // _GROUP
    if size >= groups:
        scores, ids = logits.topk(size)
    else:
        # The best tokens all lie in the groups with the best maxima, or behind the last whole group. A group is of
        # tokens that lie ``groups`` apart, so that the maxima of neighbours are found side by side.
        body = logits[:, : groups * _GROUP].view(-1, _GROUP, groups)
        best = body.amax(1).topk(size, sorted=False).indices  # (rows, size)
        steps = torch.arange(_GROUP, device=logits.device).unsqueeze(1)
        inside = (steps * groups + best.unsqueeze(1)).flatten(1)  # (rows, _GROUP * size)
        behind = torch.arange(groups * _GROUP, vocabulary, device=logits.device).expand(len(logits), -1)
        candidates = torch.cat([inside, behind], 1)
        scores, places = logits.gather(1, candidates).topk(size)
        ids = candidates.gather(1, places)
    scores, ids = scores.flip(1), ids.flip(1)
    if bool((scores[:, 1:] == scores[:, :-1]).any()):
        ids, order = ids.sort()
        scores, order = scores.gather(1, order).sort(stable=True)
        ids = ids.gather(1, order)
    return Pool(scores, ids)


def filter_pool(pool: Pool, logits: torch.Tensor, params: RowParams) -> tuple[Pool, torch.Tensor]:
    """Apply temperature, top-k (Fan et al., 2018) and top-p (Holtzman et al., 2020) to the likeliest tokens.

    Args:
        pool: From ``find_pool``.
        logits: All that the pool is from, shape (rows, vocabulary).
        params: The parameters of the rows.

    Returns:
        The pool over the temperature, minus infinity where a token is filtered out; and of shape (rows,), whether
        that is all of the row's choice: no token outside of the pool would pass the filters, nor sway them.
    """
    size, vocabulary = pool.scores.shape[1], logits.shape[1]
    scores = pool.scores / params.temperature
    lowest = scores[:, :1]
    has_top_k = params.top_k <= size
    kth = scores.gather(1, size - params.top_k.clamp(max=size))
    scores = torch.where((scores < kth) & has_top_k, -torch.inf, scores)
    below = scores.softmax(1).cumsum(1)
    if size < vocabulary and bool((is_open := (params.top_k == vocabulary).flatten()).any()):
        rows = is_open.nonzero().flatten()
        whole = (logits[rows] / params.temperature[rows]).softmax(1).gather(1, pool.ids[rows])
        below[rows] = whole.cumsum(1) + (1 - whole.sum(1, keepdim=True))
    is_cut = below <= torch.where(params.top_p < 1, 1 - params.top_p, _NEVER)
    is_cut[:, -1] = False  # The likeliest stays, whatever the limit.
    scores = torch.where(is_cut, -torch.inf, scores)
    if size == vocabulary:
        return Pool(scores, pool.ids), torch.ones(len(scores), dtype=torch.bool, device=scores.device)
    faintest = torch.where(scores == -torch.inf, torch.inf, scores).amin(1, keepdim=True)
    is_whole = torch.where(has_top_k, kth > lowest, (params.top_k == vocabulary) & (faintest > lowest))
    return Pool(scores, pool.ids), is_whole.flatten()


def draw(pool: Pool, uniform: torch.Tensor) -> torch.Tensor:
    """Return a token of each row by its share of the probability: where the running sum passes the first number."""
    running = pool.scores.softmax(1).cumsum(1, dtype=torch.float64)
    place = (running <= uniform[:, :1] * running[:, -1:]).sum(1, keepdim=True).clamp(max=running.shape[1] - 1)
    return pool.ids.gather(1, place).squeeze(1)
