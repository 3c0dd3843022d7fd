"""The network against transformers' own, in every shape and precision that a checkpoint may have."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from model import Checkpoint, CheckpointError, EngineOptions
from model.checkpoint.architecture import Architecture
from model.checkpoint.pretrained import load_pretrained
from model.checkpoint.tokenizer import SongTokenizer
from model.checkpoint.weights import Weights
from model.engines.batching import BatchingEngine
from model.engines.choice import load_engine
from model.engines.interface import RequestState
from model.engines.reference import ReferenceEngine
from model.engines.scheduler import CHUNK
from model.network.base import Chunk, Network
from model.network.cpu import CpuNetwork
from model.network.cpu_linear import PACKED_LINEARS, Precision
from model.network.gpu import GpuNetwork
from tests.conftest import Family, make_request, make_tiny_model, save_tiny_checkpoint
from tests.model.engines.test_batching import run, write

PRECISIONS: tuple[Precision, ...] = ("int8", "float16", "float32")
LENGTHS = (1, 20, 33, 70)

CUDA = torch.device("cuda")
needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


def open_network(folder: Path, precision: Precision = "float32", *, on_gpu: bool = False) -> Network:
    checkpoint = Checkpoint.open(folder)
    with Weights.open(checkpoint, Architecture.read(checkpoint)) as weights:
        return GpuNetwork(weights) if on_gpu else CpuNetwork(weights, PACKED_LINEARS[precision])


def save_shape(folder: Path, family: Family = "gpt2", **shape: Any) -> Path:
    """Write a tiny checkpoint of another shape."""
    save_tiny_checkpoint(folder)
    make_tiny_model(family, **{"vocab_size": 320} | shape).save_pretrained(folder)
    return folder


def songs(vocabulary: int) -> list[list[int]]:
    generator = torch.Generator().manual_seed(0)
    return [torch.randint(vocabulary, (length + 3,), generator=generator).tolist() for length in LENGTHS]


@torch.inference_mode()
def decoded(network: Network, rows: Sequence[Sequence[int]]) -> torch.Tensor:
    """Read all but the last three tokens of each row as a prompt, and then these together; the last logits."""
    cache = network.make_cache(len(rows))
    for slot, row in enumerate(rows):
        prompt = network.make_prompt(len(row) - 3)
        network.prefill(
            [
                Chunk(row[start : min(start + CHUNK, len(row) - 3)], start, prompt)
                for start in range(0, len(row) - 3, CHUNK)
            ]
        )
        cache.load(slot, prompt)
    for back in (3, 2, 1):
        logits = network.decode([row[-back] for row in rows], [len(row) - back for row in rows], cache)
    return logits


LLAMA3 = {
    "rope_type": "llama3",
    "rope_theta": 500.0,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}


@pytest.mark.parametrize("on_gpu", [False, True], ids=["blocks", "rows"])
@pytest.mark.parametrize(
    ("family", "shape"),
    [
        ("gpt2", {}),
        ("gpt2", {"tie_word_embeddings": False}),
        ("gpt2", {"n_inner": 40, "activation_function": "relu"}),
        ("gpt2", {"activation_function": "gelu", "layer_norm_epsilon": 1e-3}),
        ("gpt2", {"scale_attn_by_inverse_layer_idx": True, "reorder_and_upcast_attn": True}),
        ("gpt2", {"scale_attn_weights": False, "n_head": 1}),
        ("gpt2", {"vocab_size": 400, "n_positions": 90}),
        ("llama", {}),
        ("llama", {"tie_word_embeddings": False, "rms_norm_eps": 1e-3}),
        ("llama", {"attention_bias": True, "mlp_bias": True, "hidden_act": "gelu"}),
        ("llama", {"num_key_value_heads": 1, "head_dim": 12}),
        ("llama", {"num_key_value_heads": None, "rope_parameters": {"rope_type": "default", "rope_theta": 100.0}}),
        ("llama", {"rope_parameters": LLAMA3}),
        ("llama", {"rope_parameters": {"rope_type": "linear", "rope_theta": 100.0, "factor": 4.0}}),
        ("qwen2", {}),
        ("qwen2", {"tie_word_embeddings": False, "num_key_value_heads": 4}),
    ],
    ids=str,
)
def test_logits_are_those_of_transformers(family: Family, shape: dict[str, Any], on_gpu: bool, tmp_path: Path) -> None:  # noqa: FBT001
    folder = save_shape(tmp_path, family, **shape)
    model, _ = load_pretrained(Checkpoint.open(folder))
    rows = songs(model.config.vocab_size)
    logits = decoded(open_network(folder, on_gpu=on_gpu), rows)
    for row, found in zip(rows, logits, strict=True):
        expected = model(torch.tensor([row])).logits[0, -1]
        assert torch.allclose(found, expected, atol=2e-5)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_row_has_the_same_logits_alone_as_in_any_batch_to_the_last_bit(
    precision: Precision, tiny_of_each_family: Path
) -> None:
    network = open_network(tiny_of_each_family, precision)
    rows = songs(network.architecture.vocabulary)
    together = decoded(network, rows * 3)
    for place, row in enumerate(rows):
        alone = decoded(network, [row])
        assert torch.equal(alone[0], together[place])
        assert torch.equal(alone[0], together[place + 8])


@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_row_that_turns_to_nan_leaves_the_others_what_they_are(precision: Precision, tiny_checkpoint: Path) -> None:
    network = open_network(tiny_checkpoint, precision)
    rows = [[5, 6, 7, 8], [5, 6, 7, 8, 9]]
    sound = decoded(network, rows)
    assert network._positions is not None
    network._positions[4] = torch.nan
    spoilt = decoded(network, rows)
    assert torch.equal(spoilt[0], sound[0])
    assert spoilt[1].isnan().all()


@pytest.mark.parametrize(("precision", "tolerance"), [("int8", 0.02), ("float16", 1e-3)])
def test_small_weights_stay_near_the_whole_ones(precision: Precision, tolerance: float, tiny_checkpoint: Path) -> None:
    rows = songs(320)
    whole = decoded(open_network(tiny_checkpoint), rows)
    small = decoded(open_network(tiny_checkpoint, precision), rows)
    assert not torch.equal(whole, small)
    assert (whole - small).abs().max() < tolerance


def test_names_without_prefix_are_read_as_the_hub_has_them(tiny_checkpoint: Path, tmp_path: Path) -> None:
    folder = save_tiny_checkpoint(tmp_path)
    tensors = {
        name.removeprefix("transformer."): tensor for name, tensor in load_file(folder / "model.safetensors").items()
    }
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    rows = songs(320)
    assert torch.equal(decoded(open_network(folder), rows), decoded(open_network(tiny_checkpoint), rows))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"n_layer": 3}, r"lack transformer\.h\.2"),
        ({"n_embd": 64}, "does not load: wte.weight is .* where config.json says"),
        ({"vocab_size": "many"}, "config.json does not load"),
        ({"n_layer": 0}, "config.json does not load"),
    ],
)
def test_weights_that_are_not_what_the_config_says_are_refused(
    change: dict[str, Any], sentence: str, tmp_path: Path
) -> None:
    folder = save_tiny_checkpoint(tmp_path)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | change))
    with pytest.raises(CheckpointError, match=sentence):
        load_engine(Checkpoint.open(folder), EngineOptions())


def test_a_damaged_tokenizer_is_refused(tmp_path: Path) -> None:
    folder = save_tiny_checkpoint(tmp_path)
    (folder / "tokenizer.json").write_text("{")
    with pytest.raises(CheckpointError, match=r"tokenizer of .* does not load"):
        load_engine(Checkpoint.open(folder), EngineOptions())


def test_a_tokenizer_of_more_tokens_than_the_model_has_is_told_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"tokenizer .* is another model's"):
        load_engine(Checkpoint.open(save_shape(tmp_path, vocab_size=9)), EngineOptions())


def test_another_architecture_is_served_by_the_reference_engine_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    from transformers import GPTNeoXConfig, GPTNeoXForCausalLM  # noqa: PLC0415

    folder = save_tiny_checkpoint(tmp_path)
    config = GPTNeoXConfig(
        vocab_size=400, hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32
    )
    GPTNeoXForCausalLM(config).save_pretrained(folder)
    engine = load_engine(Checkpoint.open(folder), EngineOptions())
    assert isinstance(engine, ReferenceEngine)
    assert "one request at a time: its architecture is gpt_neox" in caplog.text
    state = RequestState(make_request())
    engine.add(state)
    engine.step(lambda _: None)
    assert state.songs is not None


def test_the_engine_writes_the_same_songs_over_rows_as_over_blocks(tiny_checkpoint: Path) -> None:
    checkpoint = Checkpoint.open(tiny_checkpoint)
    tokenizer = SongTokenizer.load(checkpoint)
    request = make_request(num_return_sequences=3, max_length=40)
    blocks, rows = (
        BatchingEngine(checkpoint, open_network(tiny_checkpoint, on_gpu=on_gpu), tokenizer, 5)
        for on_gpu in (False, True)
    )
    assert write(blocks, request) == write(rows, request)


@pytest.mark.gpu
@needs_gpu
def test_recorded_steps_write_the_tokens_of_generate_on_the_gpu(tiny_checkpoint: Path) -> None:
    checkpoint = Checkpoint.open(tiny_checkpoint)
    with Weights.open(checkpoint, Architecture.read(checkpoint), CUDA, torch.float32) as weights:
        network = GpuNetwork(weights)
    engine = BatchingEngine(checkpoint, network, SongTokenizer.load(checkpoint), 6)
    requests = [make_request(seed=seed, num_return_sequences=2, max_length=60, top_k=1) for seed in range(4)]
    states = [RequestState(request) for request in requests]
    run(engine, *states, arriving=(0, 3, 3, 20))
    reference = ReferenceEngine.load(checkpoint)
    for state in states:
        assert state.songs == reference.generate(state.request, lambda _: None, lambda: False)


@pytest.mark.gpu
@needs_gpu
def test_the_gpu_serves_in_its_own_precision(tiny_checkpoint: Path) -> None:
    engine = load_engine(Checkpoint.open(tiny_checkpoint), EngineOptions())
    assert isinstance(engine, BatchingEngine)
    assert len(write(engine, make_request(num_return_sequences=3))) == 3
