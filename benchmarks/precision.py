"""What do weights of fewer bits cost? The loss of a checkpoint on songs that it never saw, in each precision.

    python -m benchmarks.precision [CHECKPOINT] [--songs train/data/songs.txt] [--count 60]

The songs are those that ``python -m train fit`` holds out, so that a checkpoint which was trained on these sources with
the default seed has not seen them. All is computed by the engine's own network.
"""

import argparse
from pathlib import Path

import torch
from torch.nn.functional import cross_entropy

from model import Checkpoint
from model.checkpoint.architecture import Architecture
from model.checkpoint.folder import STARTER
from model.checkpoint.tokenizer import SongTokenizer
from model.checkpoint.weights import Weights
from model.engines.precision import outlier_sample
from model.network.cpu import CpuNetwork
from model.network.cpu_linear import PACKED_LINEARS
from train.config import FitConfig
from train.measuring.precision import song_tokens
from train.songs.reading import read_songs
from train.songs.split import split_songs
from train.songs.table_on_disk import Songs


def losses(checkpoint: Checkpoint, songs: Songs, precision: str) -> torch.Tensor:
    """Return the loss of each token of the songs, headers included, in nats."""
    tokenizer, model = SongTokenizer.load(checkpoint), Architecture.read(checkpoint)
    with Weights.open(checkpoint, model) as weights:
        network = CpuNetwork(weights, PACKED_LINEARS[precision], outlier_sample(tokenizer, model))
    with torch.inference_mode():
        texts = song_tokens(checkpoint, tokenizer, songs, model.context)
        found = [cross_entropy(network.read(ids)[:-1], torch.tensor(ids[1:]), reduction="none") for ids in texts]
    return torch.cat(found)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.precision")
    parser.add_argument("checkpoint", nargs="?", default=STARTER, help="a GPT-2 or Llama: folder or hub id")
    parser.add_argument("--songs", default="train/data/songs.txt")
    parser.add_argument("--count", type=int, default=60, help="songs that are read at most")
    arguments = parser.parse_args()
    checkpoint = Checkpoint.open(arguments.checkpoint)
    config = FitConfig(data=[arguments.songs], output=Path("unused"))
    held_out = split_songs(read_songs(config), config.validation_fraction, config.seed).validation
    songs = held_out.select(range(min(arguments.count, len(held_out))))
    whole = losses(checkpoint, songs, "float32")
    print(f"{len(songs)} songs\n\n| Weights | Loss per token, nats | Perplexity | Against float32 | Sure to |")
    print("|---|---|---|---|---|")
    for precision in ("float32", "float16", "int8"):
        found = losses(checkpoint, songs, precision)
        loss, change = found.mean(), (found - whole).mean().expm1()
        doubt = (found - whole).std() / len(found) ** 0.5
        print(f"| {precision} | {loss:.4f} | {loss.exp():.3f} | {change:+.3%} | {doubt:.3%} |")


if __name__ == "__main__":
    main()
