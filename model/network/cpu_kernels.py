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

GELU_TANH, GELU, RELU, SILU = 0, 1, 2, 3
"""Activation functions: GELU (Hendrycks and Gimpel, 2016) by its approximation and by its definition, ReLU, and SiLU
(Elfwing et al., 2017)."""


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
def _greatest(row: Array) -> np.float32:
    """Return the greatest magnitude of a row, at least the smallest normal number; NaN or infinity where it has one."""
    # The bits of positive floats are in the order of the floats, and integers have a maximum that vectorizes.
    bits = row.view(np.int32)
    greatest = _I(0x00800000)
    for i in range(len(row)):
        greatest = max(greatest, bits[i] & _I(0x7FFFFFFF))
    return _I(greatest).view(np.float32)


@compiled
def _scale(row: Array, is_scaled: bool) -> np.float32:  # noqa: FBT001 - Numba has no keyword-only arguments
    """Bring a row to [-1, 1], in place, and return what it was divided by; 1 where nothing is to be scaled.

    A row with NaN or infinity becomes zeros and its scale NaN: the rows beside it share a quantization with it.
    """
    if not is_scaled:
        return _F(1)
    scale = _greatest(row)
    if not np.isfinite(scale):
        row[:] = _F(0)
        return _F(np.nan)
    inverse = _F(1) / scale  # Rounded to the nearest, so that its product with the scale is never above 1.
    for i in range(len(row)):
        row[i] *= inverse
    return scale


@compiled
def quantize(weight: Array, out: NDArray[np.int8], scales: NDArray[np.float64]) -> None:
    """Write weights, (out, in), to ``out`` in units of a scale for each output, from -127 to 127."""
    for row in range(len(weight)):
        read, written = weight[row], out[row]
        greatest = _greatest(read)
        scales[row] = np.float64(greatest) / 127
        inverse = _F(127) / greatest
        for i in range(len(read)):
            written[i] = np.int8(np.rint(read[i] * inverse))


@compiled
def normalize(
    hidden: Array,
    weight: Array,
    bias: Array,
    epsilon: np.float32,
    is_centred: bool,  # noqa: FBT001
    out: Array,
    scales: Array,
    is_scaled: bool,  # noqa: FBT001
) -> None:
    """Write the normalization of ``hidden`` to ``out``, both (rows, size).

    Centred, that is layer normalization (Ba et al., 2016), else RMSNorm (Zhang and Sennrich, 2019).
    """
    rows, size = hidden.shape
    for row in range(rows):
        read, written = hidden[row], out[row]
        mean = _F(0)
        if is_centred:
            for i in range(size):
                mean += read[i]
            mean /= _F(size)
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
    """Write an activation function of what a matrix product gave to ``out``, (rows, size).

    ``projected`` is (rows, size), or (rows, 2 * size) where its first half is a gate for its second.
    """
    rows, size = out.shape
    for row in range(rows):
        read, written, scale = projected[row], out[row], scales[row]
        for i in range(size):
            written[i] = read[i] * scale + bias[i]
        _activate_row(written, function)
        if len(read) > size:
            for i in range(size):
                written[i] *= read[size + i] * scale + bias[size + i]
        scales[row] = _scale(written, is_scaled)


@compiled
def _activate_row(row: Array, function: int) -> None:
    """Replace numbers, in place, by what an activation function gives for them."""
    if function == GELU_TANH:
        for i in range(len(row)):
            x = row[i]
            # 0.5 (1 + tanh(y)) is 1 / (1 + exp(-2y))
            row[i] = x / (_F(1) + exp(_F(-1.5957691216057308) * (x + _F(0.044715) * x * x * x)))
    elif function == GELU:
        for i in range(len(row)):
            row[i] *= _F(0.5) * (_F(1) + _F(math.erf(row[i] * _F(0.7071067811865476))))
    elif function == SILU:
        for i in range(len(row)):
            row[i] /= _F(1) + exp(-row[i])
    else:
        for i in range(len(row)):
            row[i] = max(row[i], _F(0))


@compiled
def _turn(row: Array, cosines: Array, sines: Array) -> None:
    """Turn each head of a row, in place, by the angles of a position (Su et al., 2021), each (head size / 2,)."""
    half = len(cosines)
    for begin in range(0, len(row), 2 * half):
        for i in range(begin, begin + half):
            x, y = row[i], row[half + i]
            row[i] = x * cosines[i - begin] - y * sines[i - begin]
            row[half + i] = y * cosines[i - begin] + x * sines[i - begin]


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


@compiled
def _split(
    read: Array, scale: np.float32, bias: Array, factor: np.float32, query: Array, key: Array, value: Array
) -> None:
    """Write the query of a token, times the factor, its key and its value, which lie one after another."""
    size, key_size = len(query), len(key)
    for i in range(size):
        query[i] = (read[i] * scale + bias[i]) * factor
    for i in range(key_size):
        key[i] = read[size + i] * scale + bias[size + i]
        value[i] = read[size + key_size + i] * scale + bias[size + key_size + i]


@cache
def make_attend(head_size: int, group: int) -> Callable[..., None]:  # noqa: C901 - loops that belong together
    """Return the attention (Vaswani et al., 2017) of tokens to what stands before them.

    The sizes are built into the function: loops of known length are unrolled, which makes it five times as fast.

    Args:
        head_size: Numbers in a query, a key or a value.
        group: Heads of queries that share a head of keys and values.
    """

    @compiled
    def attend(
        projected: Array,
        bias: Array,
        turns: Array,
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
            projected: Queries, keys and values, shape (tokens, size + 2 * key size); a prompt's tokens are in their
                order.
            bias: Shape (size + 2 * key size,).
            turns: Cosines and sines, shape (2, context, head size / 2); context 0 where positions turn nothing.
            keys: Of one layer, shape (slots, context, key size).
            values: Likewise.
            slots: Where each token's song has its keys and values, shape (tokens,).
            positions: The place of each token in its song, shape (tokens,).
            factor: What products of queries and keys are multiplied by.
            out: Shape (tokens, size).
            scales: Shape (tokens,); of ``projected``, afterwards of ``out``.
            is_scaled: Whether ``out`` is to be scaled.
        """
        tokens, size = out.shape
        shares = np.empty((size // head_size, keys.shape[1]), np.float32)
        query = np.empty(size, np.float32)
        for token in range(tokens):
            read, written, scale = projected[token], out[token], scales[token]
            of_song, values_of_song, position = keys[slots[token]], values[slots[token]], positions[token]
            key, value = of_song[position], values_of_song[position]
            _split(read, scale, bias, factor, query, key, value)
            if turns.shape[1] > 0:
                _turn(query, turns[0, position], turns[1, position])
                _turn(key, turns[0, position], turns[1, position])
            # Memory is read from front to back: the keys of all heads at one position lie side by side.
            for place in range(position + 1):
                key = of_song[place]
                for head in range(size // head_size):
                    begin = head // group * head_size
                    score = _F(0)
                    for i in range(head_size):
                        score += query[head * head_size + i] * key[begin + i]
                    shares[head, place] = score
            for head in range(size // head_size):
                _softmax(shares[head, : position + 1])
            written[:] = _F(0)
            for place in range(position + 1):
                value = values_of_song[place]
                for head in range(size // head_size):
                    begin, share = head // group * head_size, shares[head, place]
                    for i in range(head_size):
                        written[head * head_size + i] += share * value[begin + i]
            scales[token] = _scale(written, is_scaled)

    return attend
