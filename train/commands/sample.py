"""``sample``: songs at the terminal, as the bot would write them."""

from transformers.utils import logging as transformers_logging

from model.checkpoint.folder import Checkpoint
from model.engines.interface import Request
from model.engines.reference import ReferenceEngine
from model.sampling.params import SamplingParams
from model.song import HEADER_FIELDS, Header
from train.measuring.config import SampleConfig


def sample(config: SampleConfig) -> None:
    """Print the songs, each under its seed and its header.

    Raises:
        CheckpointError: Where the checkpoint does not load.
        PromptTooLong: Where the prompt fills the model's context.
    """
    transformers_logging.disable_progress_bar()
    transformers_logging.set_verbosity_error()
    checkpoint = Checkpoint.open(config.checkpoint)
    engine = ReferenceEngine.load(checkpoint)
    header = Header(**config.model_dump(include=set(HEADER_FIELDS))).keep(frozenset(checkpoint.header_fields))
    sampling = SamplingParams.model_validate(config.model_dump(include=set(SamplingParams.model_fields)))
    first = sampling.seeded().seed or 0
    for seed in range(first, first + config.seeds):
        request = Request(config.prompt.strip(), header, sampling.model_copy(update={"seed": seed}))
        for song in engine.generate(request, lambda _: None, lambda: False):
            print(f"# seed {seed}\n{header}{song.lyric}\n", flush=True)
