"""GPT-2 (Radford et al., 2019) over a cache of keys and values: prompts in chunks, then a token for every row."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Self

import torch
from torch.nn import functional

from model.cache import KVCache, PromptCache, Reach
from model.linear import Linear
from model.weights import Weights

MakeLinear = Callable[[torch.Tensor, torch.Tensor | None], Linear]

_gelu_tanh = partial(functional.gelu, approximate="tanh")
_ACTIVATIONS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "gelu": functional.gelu,
    "gelu_fast": _gelu_tanh,
    "gelu_new": _gelu_tanh,
    "gelu_pytorch_tanh": _gelu_tanh,
    "relu": functional.relu,
}


@dataclass(frozen=True, slots=True)
class Norm:
    """A layer normalisation."""

    weight: torch.Tensor
    bias: torch.Tensor
    epsilon: float

    def __call__(self, inputs: torch.Tensor) -> torch.Tensor:
        """Map (rows, embedding) to the same."""
        return functional.layer_norm(inputs, self.weight.shape, self.weight, self.bias, self.epsilon)

    @classmethod
    def load(cls, weights: Weights, name: str) -> Self:
        """Read the layer of that name."""
        size = weights.config.n_embd
        return cls(
            weights.get(f"{name}.weight", size), weights.get(f"{name}.bias", size), weights.config.layer_norm_epsilon
        )


@dataclass(frozen=True, slots=True)
class Block:
    """One layer of the transformer."""

    before_attention: Norm
    attention_in: Linear
    """To queries, keys and values, one after another."""
    attention_out: Linear
    scale: float
    """Of the products of queries and keys."""
    before_mlp: Norm
    mlp_in: Linear
    mlp_out: Linear

    @classmethod
    def load(cls, weights: Weights, number: int, make_linear: MakeLinear) -> Self:
        """Read and pack the layer of that number, from 0."""
        config, size, inner = weights.config, weights.config.n_embd, weights.config.inner_size

        def linear(name: str, inputs: int, outputs: int) -> Linear:
            # GPT-2 keeps these the other way round than nn.Linear.
            weight = weights.get(f"h.{number}.{name}.weight", inputs, outputs).t()
            return make_linear(weight, weights.get(f"h.{number}.{name}.bias", outputs))

        scale = config.head_size**-0.5 if config.scale_attn_weights else 1.0
        return cls(
            before_attention=Norm.load(weights, f"h.{number}.ln_1"),
            attention_in=linear("attn.c_attn", size, 3 * size),
            attention_out=linear("attn.c_proj", size, size),
            scale=scale / (number + 1) if config.scale_attn_by_inverse_layer_idx else scale,
            before_mlp=Norm.load(weights, f"h.{number}.ln_2"),
            mlp_in=linear("mlp.c_fc", size, inner),
            mlp_out=linear("mlp.c_proj", inner, size),
        )


@dataclass(frozen=True, slots=True)
class Chunk:
    """Consecutive tokens of one prompt, and the cache of it that they are to fill."""

    ids: Sequence[int]
    start: int
    """Position of the first."""
    cache: PromptCache


class Network:
    """The model, on the CPU.

    Args:
        weights: Of the checkpoint.
        make_linear: Packs a layer's weight, of shape (out, in), and bias.
    """

    def __init__(self, weights: Weights, make_linear: MakeLinear) -> None:
        config = weights.config
        self.config = config
        self.device = weights.device
        self._dtype = weights.dtype
        self._tokens = weights.get("wte.weight", config.vocab_size, config.n_embd)
        self._positions = weights.get("wpe.weight", config.n_positions, config.n_embd)
        self._blocks = [Block.load(weights, number, make_linear) for number in range(config.n_layer)]
        self._last_norm = Norm.load(weights, "ln_f")
        self._head = make_linear(weights.head(), None)
        self._activation = _ACTIVATIONS[config.activation_function]

    def make_cache(self, slots: int) -> KVCache:
        """Return a cache for so many songs."""
        return KVCache(self.config, slots)

    def make_prompt(self, positions: int) -> PromptCache:
        """Return a cache for a prompt of so many tokens."""
        return PromptCache.of(self.config, positions, self.device, self._dtype)

    def decode(self, tokens: Sequence[int], lengths: Sequence[int], cache: KVCache) -> torch.Tensor:
        """Read one token for every row.

        Args:
            tokens: The last token of each row, of the slots from the first on.
            lengths: How many tokens the cache has of each row; it then has one more.
            cache: Is read, and written to.

        Returns:
            Logits of shape (rows, vocabulary).
        """
        positions = torch.tensor(lengths)
        lines = cache.lines(positions)
        reaches = cache.reaches([length + 1 for length in lengths])
        rows, heads, size = len(tokens), self.config.n_head, self.config.head_size

        def attend(layer: int, projected: torch.Tensor) -> torch.Tensor:
            cache.write(layer, lines, projected[:, heads * size :].view(rows, 2, heads, size))
            queries = projected[:, : heads * size].reshape(rows * heads, 1, size)
            return _attend(queries, cache, layer, reaches, self._blocks[layer].scale).view(rows, heads * size)

        return self._head(self._last_norm(self._forward(torch.tensor(tokens), positions, attend)))

    def prefill(self, chunks: Sequence[Chunk]) -> None:
        """Read parts of prompts, side by side, into their caches.

        What a chunk gives depends on where it starts and ends, not on the others.
        """
        ids = torch.tensor([number for chunk in chunks for number in chunk.ids], device=self.device)
        positions = [chunk.start + place for chunk in chunks for place in range(len(chunk.ids))]
        sizes = [len(chunk.ids) for chunk in chunks]

        def attend(layer: int, projected: torch.Tensor) -> torch.Tensor:
            parts = zip(chunks, torch.split(projected, sizes), strict=True)
            return torch.cat([self._attend_chunk(chunk, layer, part) for chunk, part in parts])

        self._forward(ids, torch.tensor(positions, device=self.device), attend)

    def _forward(
        self, ids: torch.Tensor, positions: torch.Tensor, attend: Callable[[int, torch.Tensor], torch.Tensor]
    ) -> torch.Tensor:
        """Return the hidden states of tokens, shape (tokens, embedding); ``attend`` maps a layer's projections."""
        hidden = functional.embedding(ids, self._tokens) + functional.embedding(positions, self._positions)
        for number, block in enumerate(self._blocks):
            attended = attend(number, block.attention_in(block.before_attention(hidden)))
            hidden = hidden + block.attention_out(attended)
            hidden = hidden + block.mlp_out(self._activation(block.mlp_in(block.before_mlp(hidden))))
        return hidden

    def _attend_chunk(self, chunk: Chunk, layer: int, projected: torch.Tensor) -> torch.Tensor:
        """Attend within one prompt; ``projected`` is (tokens, 3 * embedding)."""
        tokens, end = len(projected), chunk.start + len(projected)
        queries, keys, values = projected.view(tokens, 3, self.config.n_head, -1).permute(1, 2, 0, 3)
        kept = chunk.cache.tensor[layer]  # (2, heads, positions, head size)
        kept[0, :, chunk.start : end] = keys
        kept[1, :, chunk.start : end] = values
        mask = torch.ones(tokens, end, dtype=torch.bool, device=self.device).tril(chunk.start)
        attended = functional.scaled_dot_product_attention(
            queries.unsqueeze(0),
            kept[:1, :, :end],
            kept[1:, :, :end],
            attn_mask=mask,
            scale=self._blocks[layer].scale,
        )  # (1, heads, tokens, head size)
        return attended[0].transpose(0, 1).reshape(tokens, -1)


def _attend(queries: torch.Tensor, cache: KVCache, layer: int, reaches: Sequence[Reach], scale: float) -> torch.Tensor:
    """Attend over the blocks of a layer; ``queries`` is (rows times heads, 1, head size), and so is the result."""
    blocks = [cache.block(layer, number, reach.rows) for number, reach in enumerate(reaches)]
    scores = [
        torch.baddbmm(reach.mask, queries[: reach.rows], keys.mT, alpha=scale)
        for reach, (keys, _) in zip(reaches, blocks, strict=True)
    ]
    shares = torch.split(_side_by_side(scores).softmax(-1), scores[0].shape[-1], -1)
    attended = torch.bmm(shares[0], blocks[0][1])
    for reach, share, (_, values) in zip(reaches[1:], shares[1:], blocks[1:], strict=True):
        attended[: reach.rows].baddbmm_(share[: reach.rows], values)
    return attended


def _side_by_side(scores: Sequence[torch.Tensor]) -> torch.Tensor:
    """Join the scores of blocks; what a row does not reach is minus infinity."""
    rows = len(scores[0])
    return torch.cat(
        [
            block if len(block) == rows else functional.pad(block, (0, 0, 0, 0, 0, rows - len(block)), value=-torch.inf)
            for block in scores
        ],
        -1,
    )
