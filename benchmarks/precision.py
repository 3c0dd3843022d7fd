"""What do weights of fewer bits cost? The loss of a checkpoint on songs that it never saw, in each precision.

    python -m benchmarks.precision [CHECKPOINT] [--songs train/data/songs.txt]

The songs are those that ``python -m train fit`` holds out, so that a checkpoint which was trained on these sources with
the default seed has not seen them. The linear layers are the engine's own, the rest is transformers'.
"""

import argparse
from pathlib import Path

import torch
from transformers.pytorch_utils import Conv1D

from model import Checkpoint
from model.checkpoint.folder import STARTER
from model.checkpoint.pretrained import load_pretrained
from model.network.cpu_linear import PACKED_LINEARS, Int8Linear, PackedLinear, make_anchored
from train.config import FitConfig
from train.measuring.likelihood import Likelihood, measure_likelihood
from train.songs.reading import read_songs
from train.songs.split import split_songs
from train.songs.table_on_disk import Songs


class Packed(torch.nn.Module):
    """One of the engine's linear layers in the place of transformers' own."""

    def __init__(self, linear: PackedLinear, bias: torch.Tensor | None, outputs: int) -> None:
        super().__init__()
        self.linear = linear
        self.bias = bias
        self.outputs = outputs

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Map (…, in) to (…, out)."""
        rows = inputs.flatten(0, -2)
        scales = rows.abs().amax(1, keepdim=True) if isinstance(self.linear, Int8Linear) else torch.ones(len(rows), 1)
        anchored = make_anchored(*rows.shape)
        anchored[1:] = rows / scales
        result = self.linear(anchored) * scales
        return (result if self.bias is None else result + self.bias).view(*inputs.shape[:-1], self.outputs)


def likelihood(checkpoint: Checkpoint, songs: Songs, kind: type[PackedLinear]) -> Likelihood:
    """Return the likelihood of the songs with every linear layer, and the head, of that kind."""
    model, tokenizer = load_pretrained(checkpoint)
    for module in list(model.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, Conv1D | torch.nn.Linear):
                # A Conv1D keeps its weight the other way round.
                weight = (child.weight.t() if isinstance(child, Conv1D) else child.weight).detach().contiguous()
                bias = None if child.bias is None else child.bias.detach()
                setattr(module, name, Packed(kind(weight), bias, len(weight)))
    return measure_likelihood(model, tokenizer, songs, checkpoint.header_fields)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.precision")
    parser.add_argument("checkpoint", nargs="?", default=STARTER, help="a GPT-2: folder or hub id")
    parser.add_argument("--songs", type=Path, default=Path("train/data/songs.txt"))
    arguments = parser.parse_args()
    checkpoint = Checkpoint.open(arguments.checkpoint)
    config = FitConfig(data=[arguments.songs], output=Path("unused"))
    songs = split_songs(read_songs(config), config.validation_fraction, config.seed).validation
    whole = likelihood(checkpoint, songs, PACKED_LINEARS["float32"])
    print(f"{len(songs)} songs\n\n| Weights | Loss per token, nats | Perplexity | Against float32 |\n|---|---|---|---|")
    for precision in ("float32", "float16", "int8"):
        found = likelihood(checkpoint, songs, PACKED_LINEARS[precision])
        change = found.perplexity / whole.perplexity - 1
        print(f"| {precision} | {found.loss:.4f} | {found.perplexity:.3f} | {change:+.3%} |")


if __name__ == "__main__":
    main()
