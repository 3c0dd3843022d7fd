"""Linear layers over packed weights: what a layer computes with, and how that is chosen.

The result of a row does not depend on the rows beside it, bit by bit, in any of the three precisions, so that a seed
gives the same song in any batch:

- float32: matrix products of fewer than ``_LEAST_ROWS`` rows take another kernel, so rows are added.
- float16 weights: FBGEMM sums every output in one order, whatever the number of rows.
- int8: FBGEMM takes the scale of the inputs from all rows at once, so each row is brought to [-1, 1] beforehand; sums
  of integers then have no rounding at all.
"""

import warnings
from typing import Literal, Protocol

import torch
from torch.nn import functional

Precision = Literal["int8", "bfloat16", "float16", "float32"]
"""Of the weights; bfloat16 is for GPUs alone, int8 for CPUs alone."""

_LEAST_ROWS = 4
_TINY = torch.finfo(torch.float32).tiny


class Linear(Protocol):
    """Computes ``inputs @ weight.T + bias``."""

    def __call__(self, inputs: torch.Tensor) -> torch.Tensor:
        """Map float32 of shape (rows, in) to (rows, out)."""


def fastest_precision(device: torch.device) -> Precision:
    """Return the fastest precision that a device has kernels for."""
    if device.type == "cuda":
        return "bfloat16" if torch.cuda.is_bf16_supported(including_emulation=False) else "float16"
    return "int8" if "fbgemm" in torch.backends.quantized.supported_engines else "float32"


def linear_of(precision: Precision) -> "type[Int8Linear | Float16Linear | Float32Linear]":
    """Return the layers of a precision on the CPU, made of float32 weights of shape (out, in) and a bias or none."""
    kinds: dict[str, type[Int8Linear | Float16Linear | Float32Linear]] = {
        "int8": Int8Linear,
        "float16": Float16Linear,
        "float32": Float32Linear,
    }
    return kinds[precision]


class PlainLinear:
    """The layer in whatever its tensors are, on whatever device they are."""

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor | None) -> None:
        self._weight = weight.contiguous()
        self._bias = bias

    def __call__(self, inputs: torch.Tensor) -> torch.Tensor:
        """Map (rows, in) to (rows, out)."""
        return functional.linear(inputs, self._weight, self._bias)


class Float32Linear(PlainLinear):
    """The layer as it was trained, on the CPU."""

    def __call__(self, inputs: torch.Tensor) -> torch.Tensor:
        """Map (rows, in) to (rows, out)."""
        rows = len(inputs)
        if rows >= _LEAST_ROWS:
            return super().__call__(inputs)
        return super().__call__(functional.pad(inputs, (0, 0, 0, _LEAST_ROWS - rows)))[:rows]


class Float16Linear:
    """Weights in float16, which halves what a step reads; inputs and sums stay float32."""

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor | None) -> None:
        self._packed = torch.ops.quantized.linear_prepack_fp16(weight.contiguous(), bias)

    def __call__(self, inputs: torch.Tensor) -> torch.Tensor:
        """Map (rows, in) to (rows, out)."""
        result: torch.Tensor = torch.ops.quantized.linear_dynamic_fp16(inputs, self._packed)
        return result


class Int8Linear:
    """Weights in int8 with a scale for each output, inputs in 8 bits with a scale for each row."""

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor | None) -> None:
        size = weight.shape[1]
        scale = weight.abs().amax(1).clamp(min=_TINY).double() / 127
        torch.backends.quantized.engine = "fbgemm"
        with warnings.catch_warnings():
            # Quantized tensors are to leave PyTorch one day; there is nothing yet that is as fast.
            warnings.simplefilter("ignore")
            quantized = torch.quantize_per_channel(
                weight, scale, torch.zeros(len(weight), dtype=torch.int64), 0, torch.qint8
            )
        self._packed = torch.ops.quantized.linear_prepack(quantized, None)
        self._bias = bias
        # Without VNNI, sums of two products saturate at 16 bits unless the inputs spare one of theirs.
        self._reduce_range = not _has_vnni()
        self._inputs = _anchored(1, size)

    def __call__(self, inputs: torch.Tensor) -> torch.Tensor:
        """Map (rows, in) to (rows, out)."""
        rows = len(inputs)
        if len(self._inputs) <= rows:
            self._inputs = _anchored(rows + 1, inputs.shape[1])
        scale = inputs.abs().amax(1, keepdim=True).clamp_(min=_TINY)
        anchored = self._inputs[: rows + 1]
        torch.div(inputs, scale, out=anchored[1:])
        result: torch.Tensor = torch.ops.quantized.linear_dynamic(anchored, self._packed, self._reduce_range)[1:]
        return result.mul_(scale) if self._bias is None else torch.addcmul(self._bias, result, scale)


def _anchored(rows: int, size: int) -> torch.Tensor:
    """Return space for inputs behind a first row that goes from -1 to 1.

    That row keeps the scale of the inputs, which FBGEMM takes from all rows, the same for ever.
    """
    inputs = torch.zeros(rows, size)
    inputs[0, 0], inputs[0, -1] = -1.0, 1.0
    return inputs


def _has_vnni() -> bool:
    # Where a PyTorch does not say, the careful answer is right on any processor.
    return bool(getattr(torch.cpu, "_is_vnni_supported", bool)())
