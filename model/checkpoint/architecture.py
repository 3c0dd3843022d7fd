"""What a network is made of, by its ``config.json``: one description for GPT-2, Llama and Qwen2.

The defaults are those of transformers' configurations. Needs no torch.
"""

import math
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError

from model.checkpoint.folder import Checkpoint
from model.errors import CheckpointError, describe_violations

LONGEST = 2048
"""Tokens of a song, prompt included, with a model that could read more: its memory is set aside for so many."""

ACTIVATIONS = ("gelu_new", "gelu_pytorch_tanh", "gelu_fast", "gelu", "relu", "silu", "swish")
"""The activation functions that the networks know, by transformers' names."""


class UnknownArchitectureError(Exception):
    """The networks cannot compute this model; ``str(error)`` is why, to go behind a colon."""


@dataclass(frozen=True, slots=True)
class Names:
    """What a family calls its tensors: layers have ``.weight`` and ``.bias`` behind, those of a block its stem before.

    Linear layers that are computed as one are named in the order of their outputs.
    """

    prefix: str
    """Before all names but the head's; checkpoints of the bare network lack it."""
    tokens: str
    positions: str
    stem: str
    """Of a block, with a place for its number."""
    before_attention: str
    attention_in: tuple[str, ...]
    """To queries, keys and values."""
    attention_out: str
    before_mlp: str
    mlp_in: tuple[str, ...]
    """To the hidden layer: where it is gated, the gate comes first."""
    mlp_out: str
    last_norm: str
    is_transposed: bool
    """Whether weights of linear layers are (in, out)."""


_GPT2_NAMES = Names(
    prefix="transformer.",
    tokens="wte",
    positions="wpe",
    stem="h.{}.",
    before_attention="ln_1",
    attention_in=("attn.c_attn",),
    attention_out="attn.c_proj",
    before_mlp="ln_2",
    mlp_in=("mlp.c_fc",),
    mlp_out="mlp.c_proj",
    last_norm="ln_f",
    is_transposed=True,
)
_LLAMA_NAMES = Names(
    prefix="model.",
    tokens="embed_tokens",
    positions="",
    stem="layers.{}.",
    before_attention="input_layernorm",
    attention_in=("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
    attention_out="self_attn.o_proj",
    before_mlp="post_attention_layernorm",
    mlp_in=("mlp.gate_proj", "mlp.up_proj"),
    mlp_out="mlp.down_proj",
    last_norm="norm",
    is_transposed=False,
)


@dataclass(frozen=True, slots=True)
class Biases:
    """Which layers of a block add a bias to what they give."""

    attention_in: bool = True
    attention_out: bool = True
    mlp: bool = True


@dataclass(frozen=True, slots=True)
class Architecture:
    """A transformer of blocks with a norm before attention and before the hidden layer (Radford et al., 2019)."""

    names: Names
    vocabulary: int
    context: int
    """Tokens that it reads at most."""
    size: int
    """Of a token's embedding."""
    layers: int
    heads: int
    kv_heads: int
    """Heads of keys and values: each serves as many heads of queries (Ainslie et al., "GQA", 2023)."""
    head_size: int
    inner_size: int
    """Of the hidden layer of a block."""
    norm: Literal["layer", "rms"]
    """Layer normalization (Ba et al., 2016), or without mean and bias (Zhang and Sennrich, 2019)."""
    epsilon: float
    frequencies: tuple[float, ...] | None
    """By which each half of a head turns with the position, in radians (Su et al., "RoFormer", 2021); none where
    embeddings of positions are learnt."""
    activation: str
    is_gated: bool
    """Whether the hidden layer is multiplied by an activated gate (Shazeer, "GLU variants", 2020)."""
    scales: tuple[float, ...]
    """Of the products of queries and keys, for each layer."""
    is_tied: bool
    """Whether the head is the embedding of the tokens."""
    biases: Biases = field(default_factory=Biases)

    @property
    def query_size(self) -> int:
        """Of the queries of all heads."""
        return self.heads * self.head_size

    @property
    def kv_size(self) -> int:
        """Of the keys, or the values, of all heads."""
        return self.kv_heads * self.head_size

    @classmethod
    def read(cls, checkpoint: Checkpoint) -> "Architecture":
        """Read ``config.json``.

        Raises:
            CheckpointError: Where it is damaged.
            UnknownArchitectureError: Where the networks cannot compute what it describes.
        """
        file = checkpoint.weights.path / "config.json"
        try:
            return cls.of(checkpoint.read_config())
        except (ValueError, KeyError, AttributeError) as error:
            why = describe_violations(error) if isinstance(error, ValidationError) else repr(error)
            raise CheckpointError(
                f"{file} does not load: copy the whole folder again, or name another.\n{why}"
            ) from error

    @classmethod
    def of(cls, config: dict[str, Any]) -> "Architecture":
        """Return what a configuration describes.

        Raises:
            ValueError: Where it has other values than a configuration may have.
            KeyError: Where it lacks a value.
            UnknownArchitectureError: Where the networks cannot compute what it describes.
        """
        kind = str(config.get("model_type"))
        if kind not in _FAMILIES:
            raise UnknownArchitectureError(f"its architecture is {kind}, not {', '.join(_FAMILIES)}")
        return _FAMILIES[kind].model_validate(config).describe()


class _Config(BaseModel):
    """What the configurations of all families say."""

    model_config = ConfigDict(frozen=True)

    quantization_config: dict[str, Any] | None = None

    def describe(self) -> Architecture:
        """Return the architecture."""
        raise NotImplementedError

    def refuse_unless_known(self, activation: str, strange: dict[str, bool]) -> None:
        """Raise ``UnknownArchitectureError`` for what is not known, by its name in a sentence."""
        strange = {f"its activation function {activation}": activation not in ACTIVATIONS} | strange
        strange["its kind of quantization"] = self.quantization_config is not None
        for name, is_strange in strange.items():
            if is_strange:
                raise UnknownArchitectureError(f"{name} is not known")


class _Gpt2Config(_Config):
    """``GPT2Config``: transformers takes the names of newer configurations, too."""

    vocab_size: int = Field(50257, ge=1)
    n_positions: int = Field(1024, ge=2, validation_alias=AliasChoices("n_positions", "max_position_embeddings"))
    n_embd: int = Field(768, ge=1, validation_alias=AliasChoices("n_embd", "hidden_size"))
    n_layer: int = Field(12, ge=1, validation_alias=AliasChoices("n_layer", "num_hidden_layers"))
    n_head: int = Field(12, ge=1, validation_alias=AliasChoices("n_head", "num_attention_heads"))
    n_inner: int | None = None
    activation_function: str = "gelu_new"
    layer_norm_epsilon: float = 1e-5
    scale_attn_weights: bool = True
    scale_attn_by_inverse_layer_idx: bool = False
    add_cross_attention: bool = False
    tie_word_embeddings: bool = True

    def describe(self) -> Architecture:
        """Return the architecture."""
        strange = {
            "its attention across models": self.add_cross_attention,
            "its size of heads": self.n_embd % self.n_head != 0,
        }
        self.refuse_unless_known(self.activation_function, strange)
        head_size = self.n_embd // self.n_head
        scale = head_size**-0.5 if self.scale_attn_weights else 1.0
        return Architecture(
            names=_GPT2_NAMES,
            vocabulary=self.vocab_size,
            context=self.n_positions,
            size=self.n_embd,
            layers=self.n_layer,
            heads=self.n_head,
            kv_heads=self.n_head,
            head_size=head_size,
            inner_size=self.n_inner or 4 * self.n_embd,
            norm="layer",
            epsilon=self.layer_norm_epsilon,
            frequencies=None,
            activation=self.activation_function,
            is_gated=False,
            scales=tuple(
                scale / (number + 1) if self.scale_attn_by_inverse_layer_idx else scale
                for number in range(self.n_layer)
            ),
            is_tied=self.tie_word_embeddings,
        )


class _LlamaConfig(_Config):
    """``LlamaConfig`` and ``Qwen2Config``."""

    model_type: str
    vocab_size: int = Field(32000, ge=1)
    hidden_size: int = Field(4096, ge=1)
    intermediate_size: int = Field(11008, ge=1)
    num_hidden_layers: int = Field(32, ge=1)
    num_attention_heads: int = Field(32, ge=1)
    num_key_value_heads: int | None = Field(None, ge=1)
    head_dim: int | None = Field(None, ge=2)
    hidden_act: str = "silu"
    max_position_embeddings: int = Field(2048, ge=2)
    rms_norm_eps: float = 1e-6
    tie_word_embeddings: bool = False
    attention_bias: bool = False
    mlp_bias: bool = False
    use_sliding_window: bool = False
    rope_theta: float = 10_000.0
    rope_scaling: dict[str, Any] | None = None
    rope_parameters: dict[str, Any] | None = None

    def describe(self) -> Architecture:
        """Return the architecture."""
        heads, kv_heads = self.num_attention_heads, self.num_key_value_heads or self.num_attention_heads
        head_size = self.head_dim or self.hidden_size // heads
        strange = {
            "its sliding window": self.use_sliding_window,
            "its number of heads": heads % kv_heads != 0,
            "its size of heads": head_size % 2 != 0 or (self.head_dim is None and self.hidden_size % heads != 0),
        }
        self.refuse_unless_known(self.hidden_act, strange)
        is_qwen = self.model_type == "qwen2"
        return Architecture(
            names=_LLAMA_NAMES,
            vocabulary=self.vocab_size,
            context=min(self.max_position_embeddings, LONGEST),
            size=self.hidden_size,
            layers=self.num_hidden_layers,
            heads=heads,
            kv_heads=kv_heads,
            head_size=head_size,
            inner_size=self.intermediate_size,
            norm="rms",
            epsilon=self.rms_norm_eps,
            frequencies=self._frequencies(head_size),
            activation=self.hidden_act,
            is_gated=True,
            scales=(head_size**-0.5,) * self.num_hidden_layers,
            is_tied=self.tie_word_embeddings,
            biases=Biases(
                attention_in=is_qwen or self.attention_bias,
                attention_out=not is_qwen and self.attention_bias,
                mlp=not is_qwen and self.mlp_bias,
            ),
        )

    def _frequencies(self, head_size: int) -> tuple[float, ...]:
        """Return how fast each pair of numbers of a head turns, as the checkpoint stretches it."""
        rope = self.rope_scaling or self.rope_parameters or {}
        kind = rope.get("rope_type") or rope.get("type") or "default"
        base = float(rope.get("rope_theta") or self.rope_theta)
        plain = [base ** (-2 * pair / head_size) for pair in range(head_size // 2)]
        if kind == "default":
            return tuple(plain)
        if kind == "linear":
            return tuple(each / float(rope["factor"]) for each in plain)
        if kind == "llama3":
            original = float(rope.get("original_max_position_embeddings") or self.max_position_embeddings)
            return tuple(_stretch(each, original, rope) for each in plain)
        raise UnknownArchitectureError(f"its way of counting positions, {kind}, is not known")


def _stretch(frequency: float, context: float, rope: dict[str, Any]) -> float:
    """Slow down what turns less than a few times in the original context, as Llama 3.1 does (Grattafiori et al., 2024).

    Args:
        frequency: Radians a position.
        context: Positions that the model was first trained with.
        rope: ``factor``, ``low_freq_factor`` and ``high_freq_factor``: turns below the second are slowed down by the
            first, turns over the third stay, and between them it goes over from the one to the other.
    """
    factor, low, high = (float(rope[name]) for name in ("factor", "low_freq_factor", "high_freq_factor"))
    turns = context * frequency / (2 * math.pi)
    kept = min(max((turns - low) / (high - low), 0.0), 1.0)
    return frequency * (kept + (1 - kept) / factor)


_FAMILIES: dict[str, type[_Config]] = {"gpt2": _Gpt2Config, "llama": _LlamaConfig, "qwen2": _LlamaConfig}
