"""Channels that are far greater than the rest, and how int8 bears them.

Inputs of a product share one scale in a row, so that one great channel leaves the others few of its 256 steps. Where a
layer's inputs come from a norm, from values or through a gate, they can be divided channel by channel and the weights
that read them multiplied likewise: it costs nothing in a step (Xiao et al., "SmoothQuant", 2023).
Scales are powers of two, so that no other number of the model changes in its digits.
"""

from dataclasses import replace

import torch

from model.checkpoint.architecture import Architecture
from model.checkpoint.weights import Dense
from model.network.base import Block, Norm
from model.network.cpu_linear import Float32Linear


class RecordingLinear(Float32Linear):
    """A layer that keeps the inputs that it last read, shape (rows, in)."""

    inputs: torch.Tensor

    def __call__(self, inputs: torch.Tensor) -> torch.Tensor:
        """Map (1 + rows, in) to (rows, out)."""
        self.inputs = inputs[1:].clone()
        return super().__call__(inputs)


def fold_block(block: Block[Dense], inputs: Block[torch.Tensor], model: Architecture) -> Block[Dense]:
    """Return the same block with outliers of its products' inputs folded into weights.

    Args:
        block: As it is stored.
        inputs: What each linear layer read of a text, shape (tokens, in).
        model: What it is a block of.
    """
    before_attention, attention_in = fold_norm(block.before_attention, block.attention_in, inputs.attention_in)
    before_mlp, mlp_in = fold_norm(block.before_mlp, block.mlp_in, inputs.mlp_in)
    attention_in, attention_out = _fold_values(attention_in, block.attention_out, inputs.attention_out, model)
    mlp_out = block.mlp_out
    if model.is_gated:
        scales = _scales(inputs.mlp_out, mlp_out.weight)
        mlp_in, mlp_out = _divide_last(mlp_in, scales), _multiply(mlp_out, scales)
    return replace(
        block,
        before_attention=before_attention,
        attention_in=attention_in,
        attention_out=attention_out,
        before_mlp=before_mlp,
        mlp_in=mlp_in,
        mlp_out=mlp_out,
    )


def fold_norm(norm: Norm, reader: Dense, inputs: torch.Tensor) -> tuple[Norm, Dense]:
    """Return a norm and the layer that reads it with outliers folded; ``inputs`` are of shape (tokens, in)."""
    scales = _scales(inputs, reader.weight)
    bias = None if norm.bias is None else norm.bias / scales
    return replace(norm, weight=norm.weight / scales, bias=bias), _multiply(reader, scales)


def _fold_values(values: Dense, reader: Dense, inputs: torch.Tensor, model: Architecture) -> tuple[Dense, Dense]:
    """Fold the outliers of what is attended to; heads of queries that share values share their scales."""
    shape = (-1, model.kv_heads, model.heads // model.kv_heads, model.head_size)
    shared = [each.view(shape).transpose(1, 2).flatten(0, 1).flatten(1) for each in (inputs, reader.weight)]
    scales = _scales(*shared)
    every = scales.view(model.kv_heads, 1, -1).expand(shape[1:]).flatten()
    return _divide_last(values, scales), _multiply(reader, every)


def _scales(inputs: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Return what the inputs of a layer are divided by, (in,): powers of two, 1 for what never showed.

    By the root of the mean square, SmolLM2 lost a quarter less to int8 than by the greatest magnitude of the paper.
    """
    written, read = torch.linalg.vector_norm(inputs, dim=0), torch.linalg.vector_norm(weight, dim=0)
    ratio = (written / read).sqrt()
    is_used = (ratio > 0) & ratio.isfinite()
    if not is_used.any():
        return torch.ones_like(ratio)
    return torch.where(is_used, ratio / ratio[is_used].median(), 1.0).log2().round().exp2()


def _multiply(reader: Dense, scales: torch.Tensor) -> Dense:
    return replace(reader, weight=reader.weight * scales)


def _divide_last(layer: Dense, scales: torch.Tensor) -> Dense:
    """Divide the last outputs of a layer."""
    divisors = torch.cat([torch.ones(len(layer.weight) - len(scales)), scales])
    bias = None if layer.bias is None else layer.bias / divisors
    return Dense(layer.weight / divisors.unsqueeze(1), bias)
