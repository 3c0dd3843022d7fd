"""A song of the model's, to show: while it learns, and as the bot would write it once it is saved."""

from dataclasses import replace
from pathlib import Path

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from model.checkpoint.folder import Checkpoint
from model.checkpoint.tokenizer import SongTokenizer
from model.engines.choice import load_engine
from model.engines.interface import EngineOptions, Request
from model.engines.reference import ReferenceEngine
from model.engines.writing import write_requests
from model.sampling.params import SamplingParams
from model.song import Header, with_opening_tag

_SONG = Request("", Header(), SamplingParams(num_return_sequences=1, seed=1))


def song_of_checkpoint(folder: Path) -> str:
    """Load a checkpoint as the bot will, and return a song that it wrote."""
    (state,) = write_requests(load_engine(Checkpoint.open(folder), EngineOptions()), [_SONG])
    return state.result()[0].lyric


def song_of_learner(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, opening_tag: str | None) -> str:
    """Return a song by a model in training, whose random numbers stay as they were."""
    request = replace(_SONG, prompt=with_opening_tag(opening_tag, ""))
    with torch.random.fork_rng([model.device] if model.device.type == "cuda" else []):
        engine = ReferenceEngine(Checkpoint("", Path(), None), model, SongTokenizer.wrap(tokenizer))
        (song,) = engine.generate(request, lambda _: None, lambda: False)
    return song.lyric
