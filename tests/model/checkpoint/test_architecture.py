"""What a configuration describes, and what no network knows."""

import json
from pathlib import Path
from typing import Any

import pytest

from model import Checkpoint, CheckpointError
from model.checkpoint.architecture import LONGEST, Architecture, Biases, UnknownArchitectureError
from tests.conftest import save_tiny_checkpoint


def test_a_gpt2_may_have_the_names_of_newer_configurations() -> None:
    old = {"model_type": "gpt2", "n_positions": 64, "n_embd": 48, "n_layer": 3, "n_head": 4}
    new = {"max_position_embeddings": 64, "hidden_size": 48, "num_hidden_layers": 3, "num_attention_heads": 4}
    found = Architecture.of({"model_type": "gpt2"} | new)
    assert found == Architecture.of(old)
    assert (found.context, found.size, found.layers, found.heads, found.head_size) == (64, 48, 3, 4, 12)


def test_smollm2_is_a_llama_whose_heads_share_keys_and_values() -> None:
    found = Architecture.of(
        {
            "model_type": "llama",
            "hidden_size": 576,
            "num_attention_heads": 9,
            "num_key_value_heads": 3,
            "max_position_embeddings": 8192,
            "rope_theta": 100_000,
        }
    )
    assert (found.head_size, found.query_size, found.kv_size) == (64, 576, 192)
    assert found.context == LONGEST
    assert found.frequencies is not None
    assert found.frequencies[:2] == pytest.approx((1.0, 100_000 ** (-1 / 32)))
    assert not found.is_tied
    assert found.biases == Biases(attention_in=False, attention_out=False, mlp=False)


def test_qwen2_has_biases_in_queries_keys_and_values() -> None:
    assert Architecture.of({"model_type": "qwen2"}).biases == Biases(True, False, False)  # noqa: FBT003


@pytest.mark.parametrize(
    "rope",
    [
        {"rope_theta": 500.0, "rope_scaling": {"type": "linear", "factor": 2.0}},
        {"rope_theta": 500.0, "rope_scaling": {"rope_type": "linear", "factor": 2.0}},
        {"rope_parameters": {"rope_theta": 500.0, "rope_type": "linear", "factor": 2.0}},
    ],
    ids=str,
)
def test_positions_are_stretched_wherever_a_configuration_says_so(rope: dict[str, Any]) -> None:
    found = Architecture.of({"model_type": "llama", "head_dim": 4, "rope_scaling": None} | rope)
    assert found.frequencies == pytest.approx((0.5, 500**-0.5 / 2))


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ({"model_type": "mamba"}, "its architecture is mamba, not gpt2, llama, qwen2"),
        ({"model_type": "gpt2", "activation_function": "gelu_10"}, "its activation function gelu_10 is not known"),
        ({"model_type": "gpt2", "add_cross_attention": True}, "its attention across models is not known"),
        ({"model_type": "qwen2", "use_sliding_window": True}, "its sliding window is not known"),
        ({"model_type": "llama", "quantization_config": {"bits": 4}}, "its kind of quantization is not known"),
        (
            {"model_type": "llama", "rope_scaling": {"type": "yarn"}},
            "counting positions, yarn, is not known",
        ),
    ],
    ids=str,
)
def test_what_no_network_knows_is_named(config: dict[str, Any], reason: str) -> None:
    with pytest.raises(UnknownArchitectureError, match=reason):
        Architecture.of(config)


@pytest.mark.parametrize("damage", [{"n_layer": 0}, {"n_embd": "wide"}, {"model_type": "llama", "rope_scaling": 3}])
def test_a_damaged_configuration_is_refused(damage: dict[str, Any], tmp_path: Path) -> None:
    folder = save_tiny_checkpoint(tmp_path)
    config = json.loads((folder / "config.json").read_text()) | damage
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(CheckpointError, match=r"config\.json does not load"):
        Architecture.read(Checkpoint.open(folder))
