from typing import Any

import numba
import numpy as np
import pytest
import torch

from model.network import cpu_kernels as kernels
from model.network.cpu_kernels import GELU, GELU_TANH, RELU, SILU, activate, add, compiled, exp, make_attend, normalize

ROWS, SIZE = 5, 24


def array(*shape: int, seed: int = 0) -> kernels.Array:
    return np.random.default_rng(seed).standard_normal(shape, np.float32)


def test_exp_is_near_enough() -> None:
    for x in np.linspace(-80, 80, 3001, dtype=np.float32):
        assert abs(exp(x) / np.exp(np.float64(x)) - 1) <= (1e-6 if abs(x) <= 20 else 1e-5), x
    assert np.isnan(exp(np.float32(np.nan)))
    assert exp(np.float32(-np.inf)) < 1e-37


@pytest.mark.parametrize(
    ("kind", "function"),
    [
        (GELU_TANH, torch.nn.GELU(approximate="tanh")),
        (GELU, torch.nn.GELU()),
        (RELU, torch.nn.ReLU()),
        (SILU, torch.nn.SiLU()),
    ],
)
def test_activations_are_those_of_torch_and_their_scales_bring_them_back(kind: int, function: torch.nn.Module) -> None:
    projected, bias, scales = array(ROWS, SIZE) * 3, array(SIZE, seed=1), np.full(ROWS, 2, np.float32)
    expected = function(torch.from_numpy(projected * 2 + bias)).numpy()
    out, scaled = np.empty_like(projected), np.empty_like(projected)
    activate(projected, bias, kind, out, scales.copy(), is_scaled=False)
    assert np.allclose(out, expected, atol=1e-6)
    activate(projected, bias, kind, scaled, scales, is_scaled=True)
    assert np.allclose(np.abs(scaled).max(1), 1)
    assert np.allclose(scaled * scales[:, None], expected, atol=1e-6)


def test_a_gate_is_activated_and_multiplies_what_goes_through_it() -> None:
    projected, bias, scales = array(ROWS, 2 * SIZE), array(2 * SIZE, seed=1), np.full(ROWS, 2, np.float32)
    gate, gated = torch.from_numpy(projected * 2 + bias).chunk(2, 1)
    out = np.empty((ROWS, SIZE), np.float32)
    activate(projected, bias, SILU, out, scales, is_scaled=False)
    assert np.allclose(out, (torch.nn.functional.silu(gate) * gated).numpy(), atol=1e-6)


def test_normalize_is_that_of_torch() -> None:
    hidden, weight, bias = array(ROWS, SIZE) * 9 + 4, array(SIZE, seed=1), array(SIZE, seed=2)
    out, scales = np.empty_like(hidden), np.empty(ROWS, np.float32)
    normalize(hidden, weight, bias, np.float32(1e-5), is_centred=True, out=out, scales=scales, is_scaled=False)
    arguments = (torch.from_numpy(hidden), (SIZE,), torch.from_numpy(weight), torch.from_numpy(bias))
    assert np.allclose(out, torch.nn.functional.layer_norm(*arguments).numpy(), atol=1e-5)
    assert (scales == 1).all()
    unmoved = np.zeros_like(bias)
    normalize(hidden, weight, unmoved, np.float32(1e-5), is_centred=False, out=out, scales=scales, is_scaled=False)
    assert np.allclose(out, torch.nn.functional.rms_norm(*arguments[:3], eps=1e-5).numpy(), atol=1e-5)


def test_no_row_leaves_the_range_that_all_rows_share_by_a_last_bit() -> None:
    projected = array(20_000, 2) * np.float32(10) ** array(20_000, 1, seed=1)
    out, scales = np.empty_like(projected), np.ones(20_000, np.float32)
    activate(projected, np.zeros(2, np.float32), RELU, out, scales, is_scaled=True)
    assert out.max() == 1
    assert len(np.unique(scales)) > 10_000


def test_a_spoilt_row_is_emptied_and_its_scale_says_so() -> None:
    hidden = array(3, SIZE)
    hidden[1, 7] = np.nan
    out, scales = np.empty_like(hidden), np.empty(3, np.float32)
    ones, zeros = np.ones(SIZE, np.float32), np.zeros(SIZE, np.float32)
    normalize(hidden, ones, zeros, np.float32(1e-5), is_centred=True, out=out, scales=scales, is_scaled=True)
    assert np.isnan(scales).tolist() == [False, True, False]
    assert not out[1].any()
    assert 0.999 < np.abs(out[0]).max() <= 1
    add(hidden, out, np.zeros(SIZE, np.float32), scales)
    assert np.isnan(hidden).all(1).tolist() == [False, True, False]


@pytest.mark.parametrize("kv_heads", [4, 2, 1])
def test_attention_is_that_of_torch_over_what_stands_before(kv_heads: int) -> None:
    heads, head_size, tokens = 4, 6, 6
    key_size = kv_heads * head_size
    projected, bias = array(tokens, SIZE + 2 * key_size), array(SIZE + 2 * key_size, seed=1)
    keys, values = np.zeros((2, 9, key_size), np.float32), np.zeros((2, 9, key_size), np.float32)
    out, ones = np.empty((tokens, SIZE), np.float32), np.ones(tokens, np.float32)
    slots, positions, still = np.ones(tokens, np.int64), np.arange(tokens), np.empty((2, 0, 3), np.float32)
    attend = make_attend(head_size, heads // kv_heads)
    attend(projected, bias, still, keys, values, slots, positions, np.float32(0.3), out, ones, is_scaled=False)
    whole = torch.from_numpy(projected + bias)
    queries, key, value = (
        part.view(tokens, -1, head_size).transpose(0, 1) for part in torch.split(whole, [SIZE, key_size, key_size], 1)
    )
    expected = torch.nn.functional.scaled_dot_product_attention(
        queries, key, value, is_causal=True, scale=0.3, enable_gqa=True
    )
    assert np.allclose(out, expected.transpose(0, 1).reshape(tokens, SIZE).numpy(), atol=1e-6)
    assert np.allclose(keys[1, :tokens], (projected + bias)[:, SIZE : SIZE + key_size])
    assert not keys[0].any()


def test_without_a_folder_for_the_cache_kernels_are_compiled_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    njit: Any = numba.njit

    def without_cache(**options: Any) -> Any:
        if options.get("cache"):
            raise RuntimeError("cannot cache function: no locator available")
        return njit(**options)

    monkeypatch.setattr(numba, "njit", without_cache)

    def double(x: int) -> int:
        return 2 * x

    function = compiled(double)
    assert function is not double
    assert function(4) == 8
