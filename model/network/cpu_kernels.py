"""What the CPU's network does between two matrix products, each in one pass over the rows.

Numba compiles these functions when they are first called, and keeps the result beside this file or in the user's
cache. PyTorch would start an operator for every addition, and at a few rows starting takes longer than computing.
They run without the GIL, so that the event loop goes on meanwhile.

Rows come out of a matrix product in units of their own scale and without the bias, and go into the next one behind a
scale of their own: see ``model.network.cpu_linear``. All arrays are C-contiguous and, where no other type is named,
float32.
"""

import math
from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar

import numba
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Indices = NDArray[np.int64]
Function = TypeVar("Function", bound=Callable[..., Any])

_F = np.float32  # Numba computes in float64 where a plain Python number stands among float32.
_I = np.int32

# Sums may be reordered, so that vector instructions can add them up; NaN and infinity stay what they are.
_FAST = {"reassoc", "contract", "arcp", "nsz"}

GELU_TANH, GELU, RELU = 0, 1, 2
"""Activation functions: GELU (Hendrycks and Gimpel, 2016) by its approximation and by its definition, and ReLU."""


def compiled(function: Function) -> Function:
    """Return the function compiled, from the cache where it was compiled before."""
    options: dict[str, Any] = {"nogil": True, "fastmath": _FAST, "error_model": "numpy"}
    try:
        return numba.njit(cache=True, **options)(function)  # type: ignore[no-any-return]
    except RuntimeError:  # Neither this folder nor the user's cache can be written to: compiled at every start.
        return numba.njit(**options)(function)  # type: ignore[no-any-return]


@compiled
def exp(x: np.float32) -> np.float32:
    """Return e to the power of ``x``, in operations that vectorize; at most 1e-6 of it off for |x| up to 20.

    2^t is split into 2^n, which is bits of the exponent, and 2^f with f in [-0.5, 0.5], a polynomial of degree 6
    (coefficients as in Cephes' ``exp2f``). Below the smallest normal number it stays there.
    """
    t = x * _F(1.4426950408889634)
    t = max(t, _F(-126))  # A NaN passes both comparisons.
    t = min(t, _F(127.4))
    exponent = _I(t + _F(127.5))  # n + 127, rounded down, as it is positive
    f = t - _F(exponent - _I(127))
    power = _F(1.535336188319500e-4)
    power = power * f + _F(1.339887440266574e-3)
    power = power * f + _F(9.618437357674640e-3)
    power = power * f + _F(5.550332471162809e-2)
    power = power * f + _F(2.402264791363012e-1)
    power = power * f + _F(6.931472028550421e-1)
    power = power * f + _F(1)
    return power * _I(exponent << _I(23)).view(np.float32)


@compiled
def _scale(row: Array, is_scaled: bool) -> np.float32:  # noqa: FBT001 - Numba has no keyword-only arguments
    """Bring a row to [-1, 1], in place, and return what it was divided by; 1 where nothing is to be scaled.

    A row with NaN or infinity becomes zeros and its scale NaN: the rows beside it share a quantization with it.
    """
    if not is_scaled:
        return _F(1)
    # The bits of positive floats are in the order of the floats, and integers have a maximum that vectorizes.
    bits = row.view(np.int32)
    greatest = _I(0x00800000)  # the smallest normal number
    for i in range(len(row)):
        greatest = max(greatest, bits[i] & _I(0x7FFFFFFF))
    if greatest >= _I(0x7F800000):  # infinity, or NaN
        row[:] = _F(0)
        return _F(np.nan)
    scale = _I(greatest).view(np.float32)
    inverse = _F(1) / scale  # Rounded to the nearest, so that its product with the scale is never above 1.
    for i in range(len(row)):
        row[i] *= inverse
    return scale


@compiled
def normalize(
    hidden: Array,
    weight: Array,
    bias: Array,
    epsilon: np.float32,
    out: Array,
    scales: Array,
    is_scaled: bool,  # noqa: FBT001
) -> None:
    """Write the layer normalization (Ba et al., 2016) of ``hidden`` to ``out``, both (rows, size)."""
    rows, size = hidden.shape
    for row in range(rows):
        read, written = hidden[row], out[row]
        total = _F(0)
        for i in range(size):
            total += read[i]
        mean = total / _F(size)
        squares = _F(0)
        for i in range(size):
            squares += (read[i] - mean) * (read[i] - mean)
        inverse = _F(1) / np.sqrt(squares / _F(size) + epsilon)
        for i in range(size):
            written[i] = (read[i] - mean) * inverse * weight[i] + bias[i]
        scales[row] = _scale(written, is_scaled)


@compiled
def add(hidden: Array, projected: Array, bias: Array, scales: Array) -> None:
    """Add what a matrix product gave, (rows, size), to ``hidden``."""
    rows, size = hidden.shape
    for row in range(rows):
        written, read, scale = hidden[row], projected[row], scales[row]
        for i in range(size):
            written[i] += read[i] * scale + bias[i]


@compiled
def activate(
    projected: Array,
    bias: Array,
    function: int,
    out: Array,
    scales: Array,
    is_scaled: bool,  # noqa: FBT001
) -> None:
    """Write an activation function of what a matrix product gave to ``out``, both (rows, size)."""
    rows, size = projected.shape
    for row in range(rows):
        read, written, scale = projected[row], out[row], scales[row]
        for i in range(size):
            written[i] = read[i] * scale + bias[i]
        if function == GELU_TANH:
            for i in range(size):
                x = written[i]
                # 0.5 (1 + tanh(y)) is 1 / (1 + exp(-2y))
                written[i] = x / (_F(1) + exp(_F(-1.5957691216057308) * (x + _F(0.044715) * x * x * x)))
        elif function == GELU:
            for i in range(size):
                written[i] *= _F(0.5) * (_F(1) + _F(math.erf(written[i] * _F(0.7071067811865476))))
        else:
            for i in range(size):
                written[i] = max(written[i], _F(0))
        scales[row] = _scale(written, is_scaled)


@compiled
def _softmax(scores: Array) -> None:
    """Turn scores into shares that add up to 1, in place."""
    greatest = scores[0]
    for place in range(len(scores)):
        greatest = max(greatest, scores[place])
    total = _F(0)
    for place in range(len(scores)):
        share = exp(scores[place] - greatest)
        scores[place] = share
        total += share
    inverse = _F(1) / total
    for place in range(len(scores)):
        scores[place] *= inverse


@cache
def make_attend(head_size: int) -> Callable[..., None]:  # noqa: C901 - loops of which nothing can be left out
    """Return the attention (Vaswani et al., 2017) of tokens to what stands before them, for heads of this size.

    The size is built into the function: loops of known length are unrolled, which makes it five times as fast.
    """

    @compiled
    def attend(
        projected: Array,
        bias: Array,
        keys: Array,
        values: Array,
        slots: Indices,
        positions: Indices,
        factor: np.float32,
        out: Array,
        scales: Array,
        is_scaled: bool,  # noqa: FBT001
    ) -> None:
        """Write each token's key and value to its place, and what it attends to to ``out``.

        Args:
            projected: Queries, keys and values, shape (tokens, 3 * size); a prompt's tokens are in their order.
            bias: Shape (3 * size,).
            keys: Of one layer, shape (slots, context, size).
            values: Likewise.
            slots: Where each token's song has its keys and values, shape (tokens,).
            positions: The place of each token in its song, shape (tokens,).
            factor: What products of queries and keys are multiplied by.
            out: Shape (tokens, size).
            scales: Shape (tokens,); of ``projected``, afterwards of ``out``.
            is_scaled: Whether ``out`` is to be scaled.
        """
        tokens, size = out.shape
        heads = size // head_size
        shares = np.empty((heads, keys.shape[1]), np.float32)
        query = np.empty(size, np.float32)
        for token in range(tokens):
            read, written, scale = projected[token], out[token], scales[token]
            of_song, values_of_song, position = keys[slots[token]], values[slots[token]], positions[token]
            key, value = of_song[position], values_of_song[position]
            for i in range(size):
                query[i] = (read[i] * scale + bias[i]) * factor
                key[i] = read[size + i] * scale + bias[size + i]
                value[i] = read[2 * size + i] * scale + bias[2 * size + i]
            # Memory is read from front to back: the keys of all heads at one position lie side by side.
            for place in range(position + 1):
                key = of_song[place]
                for head in range(heads):
                    score = _F(0)
                    for i in range(head_size):
                        score += query[head * head_size + i] * key[head * head_size + i]
                    shares[head, place] = score
            for head in range(heads):
                _softmax(shares[head, : position + 1])
            written[:] = _F(0)
            for place in range(position + 1):
                value = values_of_song[place]
                for head in range(heads):
                    share = shares[head, place]
                    for i in range(head_size):
                        written[head * head_size + i] += share * value[head * head_size + i]
            scales[token] = _scale(written, is_scaled)

    return attend
