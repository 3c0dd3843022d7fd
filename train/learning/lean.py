"""A training step of a Llama with LoRA on a CPU, without the passes over memory that the general one makes.

The weights are frozen and in bfloat16, for which newer processors have matrix units (AMX); what then takes the time is
everything around the products: casts to and fro, attention that is made for GPUs, and logits of 49,152 words in
float32. The same numbers are computed here, to the precision of bfloat16, in less than half the time.
"""

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast

import torch
from torch import nn
from transformers import AttentionInterface, PreTrainedModel
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import AttentionMaskInterface, sdpa_mask
from transformers.modeling_outputs import CausalLMOutputWithPast

from train.tokens.batches import IGNORED

LEAN_FAMILIES = ("llama", "qwen2")
"""The architectures whose steps are known here."""

ATTENTION = "lean"
"""The name under which transformers knows the attention below."""

_LOGIT_ROWS = 512
"""Positions whose logits exist at a time."""


class _LoraProduct(torch.autograd.Function):
    """``x W' + bias + s (x A') B'`` with W and bias frozen; A and B are float32 and get their gradients in it."""

    @staticmethod
    def forward(
        ctx: Any,
        x: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor | None,
        a: torch.Tensor,
        b: torch.Tensor,
        scale: float,
    ) -> torch.Tensor:
        flat = x.flatten(0, -2)  # (tokens, in)
        small_a, small_b = a.to(x.dtype), (b * scale).to(x.dtype)
        inner = flat @ small_a.t()  # (tokens, rank)
        out = nn.functional.linear(flat, weight, bias)
        out.addmm_(inner, small_b.t())
        ctx.save_for_backward(flat, inner, weight, small_a, small_b)
        ctx.scale, ctx.shape = scale, x.shape
        return out.view(*x.shape[:-1], -1)

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor, None, None, torch.Tensor, torch.Tensor, None]:
        flat, inner, weight, small_a, small_b = ctx.saved_tensors
        grad = grad.flatten(0, -2)
        inner_grad = grad @ small_b
        back = grad @ weight
        back.addmm_(inner_grad, small_a)
        a_grad = (inner_grad.t() @ flat).float()
        b_grad = (grad.t() @ inner).float().mul_(ctx.scale)
        return back.view(ctx.shape), None, None, a_grad, b_grad, None


class _RmsNorm(torch.autograd.Function):
    """RMS norm with a frozen weight."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, weight: torch.Tensor, epsilon: float) -> torch.Tensor:
        wide = x.float()
        scale = torch.rsqrt(wide.square().mean(-1, keepdim=True) + epsilon)
        normal = (wide * scale).to(x.dtype)
        ctx.save_for_backward(normal, scale, weight)
        return normal * weight

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        normal, scale, weight = ctx.saved_tensors
        grad = grad * weight
        along = (grad * normal).mean(-1, keepdim=True, dtype=torch.float32)
        back = torch.addcmul(grad, normal, along.to(grad.dtype), value=-1) * scale.to(grad.dtype)
        return back, None, None


class _TokenLoss(torch.autograd.Function):
    """The summed cross entropy of hidden states under a frozen head, a slice of the positions at a time."""

    @staticmethod
    def forward(ctx: Any, hidden: Any, head: torch.Tensor, targets: Any) -> torch.Tensor:
        grad: Any = torch.empty_like(hidden)
        total = torch.zeros((), dtype=torch.float64)
        # The system takes back free memory of this size, and giving it anew takes longer than the product.
        logits = hidden.new_empty(_LOGIT_ROWS, len(head))
        chances = torch.empty_like(logits)
        for rows, labels, out in zip(
            hidden.split(_LOGIT_ROWS), targets.split(_LOGIT_ROWS), grad.split(_LOGIT_ROWS), strict=True
        ):
            part = chances[: len(rows)]
            torch.softmax(torch.mm(rows, head.t(), out=logits[: len(rows)]), dim=-1, out=part)
            total -= part.gather(-1, labels[:, None]).float().clamp_min(1e-30).log().sum(dtype=torch.float64)
            if ctx.needs_input_grad[0]:
                part[torch.arange(len(labels)), labels] -= 1
                torch.mm(part, head, out=out)
        ctx.save_for_backward(grad)
        return total.float()

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        (hidden_grad,) = ctx.saved_tensors
        return hidden_grad * grad.to(hidden_grad.dtype), None, None


def attention(
    module: nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float,
    **_: Any,
) -> tuple[torch.Tensor, None]:
    """Attend causally, the heads that share keys together.

    Args:
        module: The attention layer.
        query: Of shape (rows, heads, positions, head size).
        key: Of shape (rows, groups, positions, head size).
        value: The same shape.
        attention_mask: What may be seen is true or zero, broadcast over (rows, 1, positions, positions); none is
            causal.
        scaling: Of the scores.

    Returns:
        Shape (rows, positions, heads, head size), and no weights.
    """
    rows, heads, length, size = query.shape
    groups = key.shape[1]
    if key.shape[2] != length:  # A song is being written, word by word.
        return sdpa_attention_forward(module, query, key, value, attention_mask, scaling=scaling)
    asked = (query * scaling).reshape(rows * groups, heads // groups * length, size)
    scores = asked @ key.reshape(rows * groups, length, size).transpose(1, 2)
    scores = scores.view(rows, groups, heads // groups, length, length)
    if attention_mask is None:
        blocked = torch.full((length, length), torch.finfo(scores.dtype).min, dtype=scores.dtype).triu_(1)
        scores = scores + blocked
    elif attention_mask.dtype is torch.bool:
        scores = scores.masked_fill(~attention_mask[:, :, None], torch.finfo(scores.dtype).min)
    else:
        scores = scores + attention_mask[:, :, None].to(scores.dtype)
    chances = torch.softmax(scores, dim=-1).view(rows * groups, heads // groups * length, length)
    out = chances @ value.reshape(rows * groups, length, size)
    return out.view(rows, heads, length, size).transpose(1, 2), None


@contextmanager
def lean_steps(model: PreTrainedModel) -> Iterator[None]:
    """Let a Llama with LoRA adapters compute lean steps while the context lasts, its own weights in bfloat16."""
    # They take seconds to import, which a run without adapters need not wait for.
    from peft.tuners.lora import Linear as LoraLinear  # noqa: PLC0415
    from transformers.models.llama.modeling_llama import LlamaRMSNorm  # noqa: PLC0415
    from transformers.models.qwen2.modeling_qwen2 import Qwen2RMSNorm  # noqa: PLC0415

    AttentionInterface.register(ATTENTION, cast("Any", attention))
    AttentionMaskInterface.register(ATTENTION, sdpa_mask)
    inner: Any = cast("Any", model).get_base_model()
    patched: list[Any] = [inner]
    originals = {parameter: parameter.data for parameter in model.parameters() if not parameter.requires_grad}
    usual_attention = model.config._attn_implementation  # noqa: SLF001
    model.config._attn_implementation = ATTENTION  # noqa: SLF001
    for parameter, data in originals.items():
        parameter.data = data.bfloat16()
    for module in model.modules():
        if isinstance(module, LoraLinear):
            patched.append(module)
            module.forward = functools.partial(_lora_forward, module)  # type: ignore[method-assign]
        elif isinstance(module, LlamaRMSNorm | Qwen2RMSNorm):
            patched.append(module)
            module.forward = functools.partial(_norm_forward, module)  # type: ignore[method-assign]
    inner.forward = functools.partial(_forward, inner, inner.forward)
    try:
        yield
    finally:
        for module in patched:
            del module.forward
        for parameter, data in originals.items():
            parameter.data = data
        model.config._attn_implementation = usual_attention  # noqa: SLF001


def _apply(function: type[torch.autograd.Function], *inputs: Any) -> torch.Tensor:
    result: torch.Tensor = cast("Any", function).apply(*inputs)
    return result


def _lora_forward(module: Any, x: torch.Tensor, *_: Any, **__: Any) -> torch.Tensor:
    a, b = module.lora_A["default"].weight, module.lora_B["default"].weight
    base = module.base_layer
    return _apply(_LoraProduct, x, base.weight, base.bias, a, b, module.scaling["default"])


def _norm_forward(module: Any, x: torch.Tensor) -> torch.Tensor:
    return _apply(_RmsNorm, x, module.weight, module.variance_epsilon)


def _forward(
    model: Any,
    plain: Callable[..., CausalLMOutputWithPast],
    input_ids: torch.Tensor | None = None,
    labels: torch.Tensor | None = None,
    num_items_in_batch: torch.Tensor | int | None = None,
    **others: Any,
) -> CausalLMOutputWithPast:
    """Return the loss alone where there are labels, else what the model always returns."""
    if labels is None:
        return plain(input_ids=input_ids, **others)
    hidden = model.model(input_ids=input_ids, use_cache=False, **others).last_hidden_state[:, :-1].flatten(0, 1)
    targets = labels[:, 1:].flatten()
    counted = targets != IGNORED
    total = _apply(_TokenLoss, hidden[counted], model.lm_head.weight, targets[counted])
    tokens = counted.sum() if num_items_in_batch is None else num_items_in_batch
    return CausalLMOutputWithPast(loss=cast("Any", total / tokens))
