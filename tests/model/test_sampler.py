import itertools
from typing import Any

import pytest
import torch
from transformers import LogitsProcessorList, RepetitionPenaltyLogitsProcessor
from transformers.generation.logits_process import TemperatureLogitsWarper, TopKLogitsWarper, TopPLogitsWarper

from model import SamplingParams
from model.sampler import (
    UNIFORMS,
    Pool,
    RowParams,
    draw,
    draw_by_rejection,
    filter_pool,
    find_pool,
    penalize,
    sample,
)

TEMPERATURES = (0.1, 0.7, 1.0, 2.0)
TOP_KS = (0, 1, 2, 50, 120, 5000, 50_257)
TOP_PS = (0.0, 0.1, 0.5, 0.95, 1.0)


def transformers_mask(logits: torch.Tensor, params: SamplingParams) -> torch.Tensor:
    """Return which tokens ``generate`` would choose among; ``logits`` is (rows, vocabulary)."""
    warpers = LogitsProcessorList([TemperatureLogitsWarper(params.temperature)])
    if params.top_k:
        warpers.append(TopKLogitsWarper(params.top_k))
    if params.top_p < 1:
        warpers.append(TopPLogitsWarper(params.top_p))
    return warpers(torch.zeros(len(logits), 1, dtype=torch.long), logits.clone()) > -torch.inf  # type: ignore[arg-type]


def our_mask(logits: torch.Tensor, params: RowParams, size: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return which tokens we would choose among, and for which rows that is the whole choice."""
    pool, is_whole = filter_pool(find_pool(logits, size), logits, params)
    return torch.zeros_like(logits, dtype=torch.bool).scatter(1, pool.ids, pool.scores > -torch.inf), is_whole


def kinds_of_logits(vocabulary: int) -> dict[str, torch.Tensor]:
    torch.manual_seed(3)
    normal = torch.randn(vocabulary)
    return {
        "like a model's": normal * 4 - 30,
        "flat": normal * 0.01,
        "sharp": normal * 100,
        "many ties": (normal * 2).round(),
        "all equal": torch.zeros(vocabulary),
        "two stand out": torch.where(torch.arange(vocabulary) < 2, 5.0, 0.0),
        "extremes": torch.where(normal > 2, 3e38, -3e38),
        "most impossible": torch.where(normal > 1, normal, -torch.inf),
    }


@pytest.mark.parametrize("vocabulary", [5, 130, 3000])
@pytest.mark.parametrize("name", list(kinds_of_logits(5)))
def test_the_masks_are_those_of_transformers_in_every_pool(vocabulary: int, name: str) -> None:
    logits = kinds_of_logits(vocabulary)[name].unsqueeze(0)
    if not (logits > -torch.inf).any():
        logits[0, 0] = 0.0
    found = 0
    for temperature, top_k, top_p in itertools.product(TEMPERATURES, TOP_KS, TOP_PS):
        sampling = SamplingParams(temperature=temperature, top_k=top_k, top_p=top_p)
        expected = transformers_mask(logits, sampling)
        for size in {min(size, vocabulary) for size in (4, 128, 2048, vocabulary)}:
            mask, is_whole = our_mask(logits, RowParams.of([sampling], vocabulary), size)
            if is_whole.item():
                # Which of several equal tokens falls to top-p is left to the sort, which is not a stable one there.
                assert torch.equal(logits[mask].sort().values, logits[expected].sort().values), (sampling, size)
                found += 1
    # The last pool is the vocabulary, which is always whole.
    assert found >= len(TEMPERATURES) * len(TOP_KS) * len(TOP_PS)


def test_the_masks_hold_for_a_real_vocabulary() -> None:
    torch.manual_seed(0)
    logits = torch.randn(1, 50_257) * 3
    for top_k, top_p in ((50, 0.95), (0, 0.9), (0, 0.3), (50_257, 1.0), (1000, 0.5)):
        sampling = SamplingParams(top_k=top_k, top_p=top_p)
        params = RowParams.of([sampling], 50_257)
        masks = [our_mask(logits, params, size) for size in (64, 4096, 50_257)]
        whole = [mask for mask, is_whole in masks if is_whole.item()]
        assert whole
        assert all(torch.equal(mask, transformers_mask(logits, sampling)) for mask in whole)
    assert our_mask(logits, RowParams.of([SamplingParams()], 50_257), 64)[1].item()


def test_the_pool_has_the_likeliest_tokens_of_every_group_and_behind_the_last() -> None:
    torch.manual_seed(0)
    logits = torch.randn(4, 32 * 80 + 7)
    logits[1, -7:] += 9
    logits[2, :64] += 9
    pool = find_pool(logits, 20)
    assert torch.equal(pool.scores, logits.topk(20).values.flip(1))
    assert torch.equal(logits.gather(1, pool.ids), pool.scores)


@pytest.mark.parametrize("penalty", [1.0, 1.2, 2.0])
def test_the_penalty_is_that_of_transformers(penalty: float) -> None:
    torch.manual_seed(0)
    logits, seen = torch.randn(3, 50), torch.randint(50, (3, 20))
    seen[:, 5] = seen[:, 6]
    expected = RepetitionPenaltyLogitsProcessor(penalty)(seen, logits.clone())
    penalize(logits, seen, torch.full((3, 1), penalty))
    assert torch.equal(logits, expected)


MIXED: tuple[dict[str, Any], ...] = (
    {"temperature": 0.1, "top_k": 1},
    {},
    {"top_k": 0, "top_p": 1.0, "temperature": 2.0},
    {"top_k": 0, "top_p": 0.9},
    {"top_k": 3000, "top_p": 0.0},
    {"top_k": 200, "top_p": 1.0},
)


def test_a_row_draws_the_same_alone_as_in_any_crowd() -> None:
    torch.manual_seed(0)
    logits = torch.randn(len(MIXED), 5000) * 3
    uniform = torch.rand(len(MIXED), UNIFORMS, dtype=torch.float64)
    samplings = [SamplingParams(**sampling) for sampling in MIXED]
    together = sample(logits, RowParams.of(samplings, 5000), uniform)
    for row, sampling in enumerate(samplings):
        alone = sample(logits[row : row + 1], RowParams.of([sampling], 5000), uniform[row : row + 1])
        assert alone.item() == together[row].item()
    assert together[0] == logits[0].argmax()


def test_tokens_are_drawn_as_often_as_their_probability_says() -> None:
    logits = torch.tensor([0.5, 0.25, 0.125, 0.125]).log().expand(4000, 4)
    uniform = torch.linspace(0, 1, 4001, dtype=torch.float64)[:-1, None].expand(-1, UNIFORMS)
    params = RowParams.of([SamplingParams(temperature=1.0, top_k=0, top_p=1.0)] * 4000, 4)
    counts = sample(logits, params, uniform).bincount() / 4000
    assert torch.allclose(counts, torch.tensor([0.5, 0.25, 0.125, 0.125]), atol=1e-3)


@pytest.mark.parametrize("uniform", [0.0, 1 - 2**-53])
def test_the_ends_of_the_scale_draw_the_faintest_and_the_likeliest_that_is_left(uniform: float) -> None:
    pool = Pool(torch.tensor([[-torch.inf, -1.0, 2.0]]), torch.tensor([[7, 8, 9]]))
    assert draw(pool, torch.tensor([[uniform]], dtype=torch.float64)).item() == (8 if uniform == 0 else 9)


@pytest.mark.parametrize("vocabulary", [10, 5000])
@pytest.mark.parametrize("spoilt", [float("nan"), float("inf"), -float("inf")])
def test_a_row_whose_logits_are_spoilt_draws_nothing_and_the_others_do(spoilt: float, vocabulary: int) -> None:
    torch.manual_seed(0)
    logits = torch.randn(3, vocabulary)
    logits[1] = spoilt
    for sampling in MIXED:
        params = RowParams.of([SamplingParams(**sampling)] * 3, vocabulary)
        tokens = sample(logits, params, torch.full((3, UNIFORMS), 0.5, dtype=torch.float64))
        assert (tokens >= 0).tolist() == [True, False, True]


@pytest.mark.parametrize("name", ["like a model's", "flat", "many ties", "all equal"])
@pytest.mark.parametrize("top_p", [0.5, 0.9, 1.0])
def test_rejection_draws_what_top_p_leaves_and_as_often(name: str, top_p: float) -> None:
    draws = 4000
    torch.manual_seed(0)
    logits = kinds_of_logits(130)[name].expand(draws, -1)
    params = RowParams.of([SamplingParams(temperature=1.0, top_k=0, top_p=top_p)], 130)
    kept, _ = filter_pool(find_pool(logits[:1], 130), logits[:1], params)
    expected = torch.zeros(1, 130).scatter(1, kept.ids, kept.scores.softmax(1)).squeeze(0)
    many = params.select(torch.zeros(draws, dtype=torch.int64))
    tokens, is_hit = draw_by_rejection(logits, many, torch.rand(draws, UNIFORMS, dtype=torch.float64))
    assert is_hit.float().mean() > 1 - (1 - top_p) ** (UNIFORMS - 1) - 0.05
    found = tokens[is_hit].bincount(minlength=130) / is_hit.sum()
    assert (found[expected == 0] == 0).all()
    assert (found - expected).abs().max() < 5 * (expected.max() / draws).sqrt() + 1e-3
