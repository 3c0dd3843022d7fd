"""``sample``: songs at the terminal, as the bot would write them."""

from model.checkpoint.folder import Checkpoint
from model.engines.choice import load_engine
from model.engines.interface import EngineOptions, Request
from model.engines.writing import write_requests
from model.sampling.params import SamplingParams
from model.song import HEADER_FIELDS, Header
from model.terminal import for_terminal
from train.measuring.config import SampleConfig


def sample(config: SampleConfig) -> None:
    """Print the songs, each under its seed and its header.

    Raises:
        CheckpointError: Where the checkpoint does not load.
        PromptTooLong: Where the prompt fills the model's context.
    """
    checkpoint = Checkpoint.open(config.checkpoint)
    header = Header(**config.model_dump(include=set(HEADER_FIELDS))).keep(frozenset(checkpoint.header_fields))
    sampling = SamplingParams.model_validate(config.model_dump(include=set(SamplingParams.model_fields)))
    first = sampling.seeded().seed or 0
    seeds = range(first, first + config.seeds)
    requests = [Request(config.prompt.strip(), header, sampling.model_copy(update={"seed": seed})) for seed in seeds]
    engine = load_engine(checkpoint, EngineOptions())
    for seed, state in zip(seeds, write_requests(engine, requests), strict=True):
        for song in state.result():
            print(for_terminal(f"# seed {seed}\n{header}{song.lyric}\n"), flush=True)
