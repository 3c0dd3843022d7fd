"""The settings of ``evaluate`` and ``compare``, as the command line takes them."""

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from pydantic_settings import CliPositionalArg


class _Measuring(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

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


class EvaluateConfig(_Measuring):
    """Measure a checkpoint on the songs that were held out when it was trained."""

    checkpoint: CliPositionalArg[str] = Field(description="Checkpoint folder or hub id")
    data: CliPositionalArg[Path] = Field(description="The songs it was trained on, as fit reads them")


class CompareConfig(_Measuring):
    """Measure two checkpoints side by side; the better value of each row is bold."""

    first: CliPositionalArg[str] = Field(description="Checkpoint folder or hub id")
    second: CliPositionalArg[str] = Field(description="Checkpoint folder or hub id to compare it with")
    data: CliPositionalArg[Path] = Field(description="The songs that the first was trained on, as fit reads them")
