"""The settings of a training run, as the command line takes them; the defaults are GPT-2's usual recipe."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator
from pydantic_settings import CliPositionalArg

Precision = Literal["auto", "fp32", "fp16", "bf16"]


class FitConfig(BaseModel):
    """Fine-tune a GPT-2 on a file of songs and write a checkpoint that the bot serves."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    data: CliPositionalArg[Path] = Field(
        description="Songs to learn: text with songs apart by <|endoftext|>, or .jsonl(.gz) with a 'text' field"
    )
    output: Path = Field(description="Folder to write the checkpoint to, say checkpoints/NAME; must be new")
    base: str = Field("openai-community/gpt2", description="Checkpoint folder or hub id to start from")
    from_scratch: bool = Field(
        default=False,
        description="Start from random weights and a tokenizer of the data's own instead of --base",
    )

    batch_size: Annotated[int, Field(ge=1)] = Field(2, description="Songs in a training step")
    epochs: Annotated[float, Field(gt=0)] = Field(5, description="Passes over the songs")
    learning_rate: Annotated[float, Field(gt=0)] = Field(5e-5, description="Peak learning rate")
    lr_scheduler: Literal["linear", "cosine", "constant_with_warmup"] = Field(
        "linear", description="How the learning rate falls after the warm-up"
    )
    warmup_steps: Annotated[int, Field(ge=0)] = Field(0, description="Steps until the learning rate peaks")
    weight_decay: Annotated[float, Field(ge=0)] = Field(0.0, description="AdamW's weight decay")
    dropout: Annotated[float, Field(ge=0, lt=1)] = Field(0.1, description="Dropout while training")
    precision: Precision = Field("auto", description="auto is fp16 on a GPU and fp32 on a CPU")
    validation_fraction: Annotated[float, Field(gt=0, lt=1)] = Field(
        0.05, description="Share of the songs held out to measure the validation loss"
    )
    seed: Annotated[int, Field(ge=0, lt=2**32)] = Field(42, description="Seed of the split and of training")
    samples: Annotated[int, Field(ge=0, le=1000)] = Field(
        20, description="Songs to write when the checkpoint is measured; 0 measures loss and perplexity alone"
    )
    save_dtype: Literal["float32", "float16"] = Field("float32", description="Precision of the saved weights")

    n_layer: Annotated[int, Field(ge=1)] = Field(12, description="Layers, from scratch only")
    n_head: Annotated[int, Field(ge=1)] = Field(12, description="Attention heads, from scratch only")
    n_embd: Annotated[int, Field(ge=1)] = Field(768, description="Width, from scratch only")
    n_positions: Annotated[int, Field(ge=8)] = Field(1024, description="Context in tokens, from scratch only")
    vocab_size: Annotated[int, Field(ge=300)] = Field(50_257, description="Tokens, from scratch only")

    @field_validator("output")
    @classmethod
    def _check_new(cls, output: Path) -> Path:
        if output.exists():
            raise ValueError("this folder is there already: name a new one or move it away")
        return output

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        if self.n_embd % self.n_head:
            raise ValueError(f"--n-embd ({self.n_embd}) must be a multiple of --n-head ({self.n_head})")
        return self
