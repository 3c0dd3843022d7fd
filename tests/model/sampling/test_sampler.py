import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from transformers import LogitsProcessorList, RepetitionPenaltyLogitsProcessor
from transformers.generation.logits_process import TemperatureLogitsWarper, TopKLogitsWarper, TopPLogitsWarper

from model import SamplingParams
from model.sampling.cpu_sampler import choose
from model.sampling.sampler import RowParams, filter_sorted, penalize, penalize_scattered, sample, sample_sorted

Mask = Callable[[torch.Tensor, SamplingParams], torch.Tensor]
Sample = Callable[[torch.Tensor, RowParams, torch.Tensor], torch.Tensor]

both_ways = pytest.mark.parametrize("sample", [sample, sample_sorted])

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


def cpu_mask(logits: torch.Tensor, params: SamplingParams) -> torch.Tensor:
    """Return which tokens of its one row the CPU chooses among."""
    size = logits.shape[1]
    ids, scores, weights = np.empty(size, np.int64), np.empty(size, np.float32), np.empty(size, np.float32)
    temperature = np.float32(params.temperature)
    count = choose(logits[0].numpy(), temperature, params.top_k or size, params.top_p, ids, scores, weights)
    return torch.zeros_like(logits, dtype=torch.bool).index_fill_(
        1, torch.from_numpy(ids[:count][weights[:count] > 0]), value=True
    )


def gpu_mask(logits: torch.Tensor, params: SamplingParams) -> torch.Tensor:
    """Return which tokens a GPU chooses among."""
    scores, ids = filter_sorted(logits, RowParams.of([params], logits.shape[1]))
    return torch.zeros_like(logits, dtype=torch.bool).scatter(1, ids, scores > -torch.inf)


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
        "extremes": torch.where(normal > 2, 3e37, -3e37),
        "most impossible": torch.where(normal > 1, normal, -torch.inf),
    }


@pytest.mark.parametrize("mask", [cpu_mask, gpu_mask])
@pytest.mark.parametrize("vocabulary", [5, 130, 3000])
@pytest.mark.parametrize("name", list(kinds_of_logits(5)))
def test_the_masks_are_those_of_transformers(vocabulary: int, name: str, mask: Mask) -> None:
    logits = kinds_of_logits(vocabulary)[name].unsqueeze(0)
    if not (logits > -torch.inf).any():
        logits[0, 0] = 0.0
    for temperature, top_k, top_p in itertools.product(TEMPERATURES, TOP_KS, TOP_PS):
        sampling = SamplingParams(temperature=temperature, top_k=min(top_k, vocabulary), top_p=top_p)
        expected, found = transformers_mask(logits, sampling), mask(logits, sampling)
        # Which of several equal tokens falls to top-p is left to the sort, which is not a stable one there.
        assert torch.equal(logits[found].sort().values, logits[expected].sort().values), sampling


@pytest.mark.parametrize("mask", [cpu_mask, gpu_mask])
def test_the_masks_hold_for_a_real_vocabulary(mask: Mask) -> None:
    torch.manual_seed(0)
    logits = torch.randn(1, 50_257) * 3
    for top_k, top_p in ((50, 0.95), (0, 0.9), (0, 0.3), (50_257, 1.0), (1000, 0.5)):
        sampling = SamplingParams(top_k=top_k, top_p=top_p)
        assert torch.equal(mask(logits, sampling), transformers_mask(logits, sampling))


@pytest.mark.parametrize("top_k", [1, 20, 80, 2567])
def test_the_likeliest_are_found_wherever_they_stand(top_k: int) -> None:
    torch.manual_seed(0)
    logits = torch.randn(4, 64 * 40 + 7)
    logits[1, -7:] += 9
    logits[2, :64] += 9
    for row in logits.unsqueeze(1):
        likeliest = torch.zeros_like(row, dtype=torch.bool).scatter(1, row.topk(top_k).indices, value=True)
        assert torch.equal(cpu_mask(row, SamplingParams(top_k=top_k, top_p=1.0)), likeliest)


@pytest.mark.parametrize("penalty", [1.0, 1.2, 2.0])
def test_the_penalty_is_that_of_transformers(penalty: float) -> None:
    torch.manual_seed(0)
    logits, seen = torch.randn(3, 50), torch.randint(50, (3, 20))
    seen[:, 5] = seen[:, 6]
    expected = RepetitionPenaltyLogitsProcessor(penalty)(seen, logits.clone())
    penalize(logits, seen, torch.full((3, 1), penalty))
    assert torch.equal(logits, expected)


@pytest.mark.parametrize("penalize", [penalize, penalize_scattered])
def test_what_is_no_token_is_held_back_by_nobody(penalize: Callable[..., None]) -> None:
    logits = torch.tensor([[2.0, -2.0, 1.0]] * 4)
    penalize(logits, torch.tensor([[-1, 1, -1], [0, -1, 0], [-1, -1, -1], [-1, 0, 1]]), torch.full((4, 1), 2.0))
    assert logits.tolist() == [[2, -4, 1], [1, -2, 1], [2, -2, 1], [1, -4, 1]]


MIXED: tuple[dict[str, Any], ...] = (
    {"temperature": 0.1, "top_k": 1},
    {},
    {"top_k": 0, "top_p": 1.0, "temperature": 2.0},
    {"top_k": 0, "top_p": 0.9},
    {"top_k": 3000, "top_p": 0.0},
    {"top_k": 200, "top_p": 1.0},
)


@both_ways
def test_a_row_draws_the_same_alone_as_in_any_crowd(sample: Sample) -> None:
    torch.manual_seed(0)
    logits = torch.randn(len(MIXED), 5000) * 3
    uniform = torch.rand(len(MIXED), 1, dtype=torch.float64)
    samplings = [SamplingParams(**sampling) for sampling in MIXED]
    together = sample(logits, RowParams.of(samplings, 5000), uniform)
    for row, sampling in enumerate(samplings):
        alone = sample(logits[row : row + 1], RowParams.of([sampling], 5000), uniform[row : row + 1])
        assert alone.item() == together[row].item()
    assert together[0] == logits[0].argmax()


@pytest.mark.parametrize("vocabulary", [33, 5000])
def test_a_number_draws_the_same_token_on_a_cpu_as_where_it_is_sorted(vocabulary: int) -> None:
    torch.manual_seed(1)
    rows = 40 * len(MIXED)
    logits = torch.randn(rows, vocabulary) * 3
    logits[::2] = (logits[::2] * 2).round()  # Where tokens are equal, the same of them are left.
    uniform = torch.rand(rows, 1, dtype=torch.float64)
    params = RowParams.of([SamplingParams(**sampling) for sampling in MIXED] * 40, vocabulary)
    same = sample(logits, params, uniform) == sample_sorted(logits, params, uniform)
    assert same.float().mean() >= 0.99  # A number that falls on the edge of two tokens may go to either.


@both_ways
def test_tokens_are_drawn_as_often_as_their_probability_says(sample: Sample) -> None:
    logits = torch.tensor([0.5, 0.25, 0.125, 0.125]).log().expand(4000, 4)
    uniform = torch.linspace(0, 1, 4001, dtype=torch.float64)[:-1, None]
    params = RowParams.of([SamplingParams(temperature=1.0, top_k=0, top_p=1.0)] * 4000, 4)
    counts = sample(logits, params, uniform).bincount() / 4000
    assert torch.allclose(counts, torch.tensor([0.5, 0.25, 0.125, 0.125]), atol=1e-3)


@both_ways
@pytest.mark.parametrize("uniform", [0.0, 1 - 2**-53])
def test_the_ends_of_the_scale_draw_tokens_that_are_left(uniform: float, sample: Sample) -> None:
    logits = torch.tensor([[-torch.inf, -1.0, 2.0, -torch.inf, -30.0]])
    params = RowParams.of([SamplingParams(top_k=2, top_p=1.0)], 5)
    assert sample(logits, params, torch.tensor([[uniform]], dtype=torch.float64)).item() == (1 if uniform == 0 else 2)


@both_ways
@pytest.mark.parametrize("vocabulary", [10, 5000])
@pytest.mark.parametrize("spoilt", [float("nan"), float("inf"), -float("inf")])
def test_a_row_whose_logits_are_spoilt_draws_nothing_and_the_others_do(
    spoilt: float, vocabulary: int, sample: Sample
) -> None:
    torch.manual_seed(0)
    logits = torch.randn(3, vocabulary)
    logits[1] = spoilt
    for sampling in MIXED:
        params = RowParams.of([SamplingParams(**sampling)] * 3, vocabulary)
        tokens = sample(logits, params, torch.full((3, 1), 0.5, dtype=torch.float64))
        assert (tokens >= 0).tolist() == [True, False, True]
