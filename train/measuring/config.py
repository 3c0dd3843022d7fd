"""The settings of ``evaluate``, ``compare`` and ``sample``, as the command line takes them."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from model.sampling.params import SamplingParams
from train.command_line import ARGUMENT
from train.config import DataConfig, Name


class _Measuring(DataConfig):
    samples: Annotated[int, Field(ge=0, le=1000)] = Field(
        20, description="Songs to let each checkpoint write; 0 measures loss and perplexity alone"
    )
    sample_seed: Annotated[int, Field(ge=0, lt=2**31)] = Field(0, description="Seed of the songs to write")
    validation_fraction: Annotated[float, Field(gt=0, lt=1)] | None = Field(
        None, description="Share of the songs held out; default: as the first checkpoint was trained, else 0.05"
    )
    seed: Annotated[int, Field(ge=0, lt=2**32)] | None = Field(
        None, description="Seed of the split; default: as the first checkpoint was trained, else 42"
    )
    as_json: bool = Field(default=False, alias="json", description="Print JSON instead of a table")


# The command line takes positional arguments in the order of the fields: a base's first, the last base's before all.


class _OneCheckpoint(BaseModel):
    checkpoint: Annotated[Name, ARGUMENT] = Field(description="Checkpoint folder or hub id")


class _TwoCheckpoints(BaseModel):
    first: Annotated[Name, ARGUMENT] = Field(
        description="Checkpoint folder or hub id; DATA are the songs it learnt from"
    )
    second: Annotated[Name, ARGUMENT] = Field(description="Checkpoint folder or hub id to compare it with")


class EvaluateConfig(_Measuring, _OneCheckpoint):
    """Measure a checkpoint on songs that it did not learn.

    Those are the songs that were held out when it was trained.
    """


class CompareConfig(_Measuring, _TwoCheckpoints):
    """Measure two checkpoints side by side.

    The better value of each row is bold.
    """


class SampleConfig(SamplingParams, _OneCheckpoint):
    """Write songs at the terminal, as the bot would."""

    model_config = ConfigDict(strict=False)  # The command line gives text.

    seeds: Annotated[int, Field(ge=1)] = Field(1, description="How many seeds, from --seed on")
    prompt: str = Field("", description="The opening words")
    title: str | None = Field(None, description="What the song is called")
    genre: str | None = Field(None, description="Say country")
    mood: str | None = Field(None, description="Say hopeful")
    theme: str | None = Field(None, description="What the song is about")
    artist: str | None = Field(None, description="In whose manner")
