"""Channels that are far greater than the rest: what int8 makes of them, with and without a sample to find them by."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from model import Checkpoint
from model.checkpoint.architecture import Architecture
from model.checkpoint.weights import Weights
from model.network.base import Block
from model.network.cpu import CpuNetwork
from model.network.cpu_linear import PACKED_LINEARS, Precision
from model.network.outliers import fold_block
from tests.conftest import Family, save_tiny_checkpoint

IDS = torch.randint(320, (60,), generator=torch.Generator().manual_seed(3)).tolist()
SAMPLE = torch.randint(320, (40,), generator=torch.Generator().manual_seed(4)).tolist()


def network(folder: Path, precision: Precision, sample: list[int]) -> CpuNetwork:
    checkpoint = Checkpoint.open(folder)
    with Weights.open(checkpoint, Architecture.read(checkpoint)) as weights:
        return CpuNetwork(weights, PACKED_LINEARS[precision], sample)


def error(folder: Path, sample: list[int]) -> float:
    """Return how far int8 is from float32: the mean difference of a logit."""
    with torch.inference_mode():
        whole, small = network(folder, "float32", []).read(IDS), network(folder, "int8", sample).read(IDS)
    return float((whole - small).abs().mean())


def add_outliers(folder: Path, norms: tuple[str, str], readers: tuple[str, ...], factor: float) -> None:
    """Make three channels greater that norms give, and what reads them smaller: the model stays what it is."""
    tensors = load_file(folder / "model.safetensors")
    channels = [3, 11, 20]
    for name, tensor in tensors.items():
        if any(norm in name for norm in norms):
            tensor[channels] *= factor
        elif any(reader in name for reader in readers) and name.endswith("weight"):
            tensor[(channels,) if ".c_" in name else (slice(None), channels)] /= factor
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


GPT2 = (("ln_1", "ln_2"), ("c_attn", "c_fc"))
LLAMA = (("input_layernorm", "post_attention_layernorm"), ("q_proj", "k_proj", "v_proj", "gate_proj", "up_proj"))


@pytest.mark.parametrize(("family", "layers"), [("gpt2", GPT2), ("llama", LLAMA), ("qwen2", LLAMA)])
def test_outliers_of_norms_do_not_reach_int8(
    family: Family, layers: tuple[tuple[str, str], tuple[str, ...]], tmp_path: Path
) -> None:
    folder = save_tiny_checkpoint(tmp_path, family=family)
    plain = error(folder, SAMPLE)
    add_outliers(folder, *layers, factor=1000)
    assert error(folder, SAMPLE) < 2 * plain
    assert error(folder, []) > 4 * plain


def test_outliers_behind_a_gate_and_among_values_do_not_reach_int8(tmp_path: Path) -> None:
    folder = save_tiny_checkpoint(tmp_path, family="llama")
    plain = error(folder, SAMPLE)
    tensors = load_file(folder / "model.safetensors")
    for name, tensor in tensors.items():
        if "up_proj" in name or "v_proj" in name:
            tensor[2] *= 100
        elif "down_proj" in name:
            tensor[:, 2] /= 100
        elif "o_proj" in name:
            tensor[:, [2, 10]] /= 100  # Two heads of queries share the first head of values.
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    assert error(folder, SAMPLE) < 2 * plain
    assert error(folder, []) > 4 * plain


@pytest.mark.parametrize("family", ["gpt2", "llama", "qwen2"])
def test_folding_changes_no_digit_of_what_a_block_gives(family: Family, tmp_path: Path) -> None:
    checkpoint = Checkpoint.open(save_tiny_checkpoint(tmp_path, family=family))
    model = Architecture.read(checkpoint)
    with Weights.open(checkpoint, model) as weights:
        block = Block.read(weights, 0)
        generator = torch.Generator().manual_seed(1)
        inputs = block.pack(lambda dense: torch.randn(9, dense.weight.shape[1], generator=generator).exp())
        folded = fold_block(block, inputs, model)
    hidden = torch.randn(4, model.size, generator=generator)
    for norm, reader, norm_then, reader_then in (
        (block.before_attention, block.attention_in, folded.before_attention, folded.attention_in),
        (block.before_mlp, block.mlp_in, folded.before_mlp, folded.mlp_in),
    ):
        assert not torch.equal(norm.weight, norm_then.weight)
        before, after = hidden * norm.weight @ reader.weight.T, hidden * norm_then.weight @ reader_then.weight.T
        kept = len(before[0]) - (model.kv_size if reader is block.attention_in else model.inner_size)
        assert torch.equal(before[:, :kept], after[:, :kept])
        quotients = before / after
        assert torch.equal(quotients, quotients[:1].expand_as(quotients))
        assert torch.equal(quotients.log2(), quotients.log2().round())
